"""From the fitted parameters to profiles on the grid, with the covariance of everything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import vertical
from astrokin.estimators import vertical_models as models
from astrokin.estimators.vertical_joint import Joint

Array = NDArray[np.float64]

_MOMENT = u.km**2 / u.s**2
#: Units of the profiles.
UNITS = {
    "Kz": vertical.FORCE,
    "Sigma": vertical.SURFACE_DENSITY,
    "rho": vertical.DENSITY,
    "tilt": vertical.FORCE,
    "nu": u.pc**-1,
    "sigma_zz": _MOMENT,
    "sigma_Rz": _MOMENT,
}
#: Names and units of the radial gradients: inverse scale lengths, and the rise in R of the slope of sigma_Rz in z.
_GRADIENTS = {
    "k_density": ("tracer_gradient", "1 / kpc"),
    "k_zz": ("sigma_zz_gradient", "1 / kpc"),
    "k_RR": ("sigma_RR_gradient", "1 / kpc"),
    "rise": ("tilt_gradient", "km2 / (s2 kpc2)"),
}
#: Those that say something of the force, which there is none of where the dispersion is not positive.
DYNAMICAL = ("Kz", "Sigma", "rho", "tilt")


@dataclass(frozen=True)
class Profiles:
    """What is told of a fit: the profiles at heights `grid` (kpc) and the parameters.

    Attributes
    ----------
    joint : Joint
    grid : ndarray, shape (m,)
    rotation : float
        What the rotation curve adds to the density, Msun/pc3.
    plane : bool
        Whether the data begin in the plane, so that the density there is told.
    """

    joint: Joint
    grid: Array
    rotation: float
    plane: bool

    @property
    def names(self) -> tuple[str, ...]:
        """The profiles that there are."""
        tilted = self.joint.tilt != "none"
        return tuple(n for n in UNITS if tilted or n not in ("tilt", "sigma_Rz"))

    @property
    def scalar_units(self) -> dict[str, u.UnitBase]:
        """Units of the single results, by name."""
        return {name: u.Unit(unit) for name, (_, unit) in self._scalars(np.zeros(self.joint.size)).items()}

    def at(self, theta: Array) -> dict[str, Any]:
        """All results as plain numbers, safe for complex ones."""
        z = self.grid
        curves = self.joint.curves(z, theta)
        force, gradient, tilt = self.joint.force(z, theta)
        out = self.dynamical(force, gradient) | {
            "tilt": 1e-3 * tilt,
            "nu": 1e-3 * np.exp(curves["log_density"][0]),
            "sigma_zz": curves["zz"][0],
            "sigma_Rz": curves["Rz"][0] if "Rz" in curves else 0.0,
        }
        return {name: out[name] for name in self.names} | {k: v for k, (v, _) in self._scalars(theta).items()}

    def dynamical(self, force: Any, gradient: Any) -> dict[str, Any]:
        """What the force and its derivative (per kpc, per kpc2) tell at the heights of the grid."""
        surface = -1e-3 * force / vertical.TWO_PI_G + 2e3 * self.rotation * self.grid
        return {"Kz": 1e-3 * force, "Sigma": surface, "rho": self.density(gradient)}

    def density(self, gradient: Any) -> Any:
        """The density that a derivative of the force (per kpc2) tells, Msun/pc3."""
        return -1e-6 * gradient / vertical.FOUR_PI_G + self.rotation

    def _scalars(self, theta: Any) -> dict[str, tuple[Any, str]]:
        """The parameters that a reader wants, with their units."""
        joint = self.joint
        (density, along, tilt, across), gradients = joint.split(theta)
        out = {}
        if self.plane:
            out["rho_0"] = self.density(joint.force(np.zeros(1), theta)[1][0]), "solMass / pc3"
        out |= {**joint.density.named(density), **joint.along.named(along)}
        if joint.tilt == "linear":
            factor = models.tilt_factor(joint.radius, gradients["k_density"], gradients["k_tilt"])
            beta = tilt[0] * factor + gradients["rise"]
            out |= {"tilt_slope": (tilt[0], "km2 / (s2 kpc)"), "beta": (beta, "km2 / (s2 kpc2)")}
        elif joint.tilt == "spheroidal":
            out |= {"alignment": (tilt[0], ""), **joint.across.named(across)}
        return out | {_GRADIENTS[k][0]: (gradients[k], _GRADIENTS[k][1]) for k in joint.free}

    def covariance(self, theta: Array, covariance: Array) -> Array:
        """Covariance of all results, the profiles point by point, in their order."""
        slopes = []
        for i in range(len(theta)):
            moved = theta.astype(complex)
            moved[i] += 1e-30j
            slopes.append(np.concatenate([np.atleast_1d(np.imag(v)) for v in self.at(moved).values()]) * 1e30)
        jacobian = np.stack(slopes, axis=1)
        return jacobian @ covariance @ jacobian.T
