"""Oort's constants A, B, C, K jointly with the solar motion and the velocity dispersion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np

import astrokin as ak
from astrokin import galaxy, simulation, velocity_model
from astrokin.estimators.fields import OORT, Field
from astrokin.estimators.linear_field import State, Sums
from astrokin.estimators.linear_fit import SHAPES, SHEAR, TENSOR, VELOCITY, LinearFieldFit

#: More than this share of stars beyond the linear domain is worth a note.
_FAR = 0.01


@dataclass(frozen=True)
class OortConstants(LinearFieldFit):
    r"""Oort's constants A, B, C, K from proper motions and/or radial velocities, with the solar motion.

    In Galactic axes the velocity field near the Sun is linear,
    :math:`\mathbf v = \mathbf T\mathbf x - \mathbf v_\odot` plus a random velocity, with

    .. math::

        \mathbf T = \begin{pmatrix} K + C & A - B\\ A + B & K - C\end{pmatrix}

    in the plane, so that :math:`v_r = d\cos^2 b\,(K + A\sin 2l + C\cos 2l)` and
    :math:`v_l = d\cos b\,(B + A\cos 2l - C\sin 2l)` besides the reflex of the solar motion. Multiplied by
    the parallax the model needs no distance, so that zero and negative parallaxes are data where errors are
    known. The dispersion (isotropic, or a tensor) is fitted along by maximum likelihood with the measurement
    covariance taken off; errors are those of the sandwich, which hold whatever the distribution.

    Parameters
    ----------
    use : ("pm", "rv"), ("pm",) or ("rv",)
        Which motions to use; a star without radial velocity enters with its proper motion. From radial velocities
        alone B is not determined, and is said to be so.
    dispersion : {"isotropic", "diagonal", "full"}
        Shape of the velocity ellipsoid that is fitted along: sigma2; sigma_UU, sigma_VV, sigma_WW; or all six
        second moments.

    Returns
    -------
    Fit
        ``A B C K`` (km/s/kpc), ``U V W`` (km/s; the Sun's velocity relative to the sample) and the second
        moments of the velocities (km2/s2). Derived: ``omega0`` = A - B, ``slope`` = -(A + B)/(A - B) (the
        logarithmic slope of the rotation curve), ``dvc_dr`` = -(A + B), ``kappa``, ``kappa_ratio`` =
        kappa/omega0, ``period``, ``vc`` = omega0 R0.

    Notes
    -----
    Sources: 000, "Differential Rotation and Oort's Constants"; 001 (with its errata); Ogorodnikov (1932), Milne
    (1935); Olling & Dehnen (2003). Domain: stars within some 2 kpc, where the field is linear, with parallax
    errors below some 20 %. Parallax errors are taken off to first order; to second order, with
    :math:`\varepsilon = (\sigma_\varpi/\varpi)^2`, A comes out low by some :math:`2\varepsilon` of itself and the
    tangential dispersions high by some :math:`3\varepsilon` (in 2e7 simulated stars with errors of 0.02 mas out to
    1.5 kpc: A low by 0.12 per cent).

    Examples
    --------
    >>> import numpy as np
    >>> import astrokin as ak
    >>> estimator = ak.estimators.OortConstants()
    >>> stars, truth = estimator.simulate(20_000, np.random.default_rng(1))
    >>> fit = estimator.fit(stars)
    >>> abs(fit["A"] - truth["A"]) < 4 * fit.error["A"]
    np.True_
    """

    name = "oort-constants"
    references = ("1927BAN.....3..275O", "2003ApJ...599..275O", "source-000", "source-001")

    @property
    def field(self) -> Field:
        """A, B, C, K and the solar motion."""
        return OORT

    def _reason(self, name: str, few: bool) -> str:
        if name == "B" and self.use == ("rv",):
            return "radial velocities do not see a rotation: B needs proper motions"
        return super()._reason(name, few)

    def _notes(self, state: State, summary: Sums) -> tuple[str, ...]:
        far = int(summary.tally[:, 3].sum())
        told = f"{far:,} stars seem to lie beyond 2 kpc, where the field is not linear: max_distance leaves them out"
        return super()._notes(state, summary) + ((told,) if far > _FAR * summary.tally[:, 0].sum() else ())

    # ---- what follows from the results -------------------------------------------------------------------

    def derive(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Rotation curve and epicycle frequency at the Sun; R0 is astropy's."""
        a, b = values["A"], values["B"]
        omega = a - b
        with np.errstate(invalid="ignore", divide="ignore"):
            square = -4.0 * b * omega
            kappa = np.sqrt(np.where(np.real(square.value) > 0, square.value, np.nan)) << SHEAR
            out = {
                "omega0": omega,
                "slope": -(a + b) / omega,
                "dvc_dr": -(a + b),
                "kappa": kappa,
                "kappa_ratio": kappa / omega,
                "period": (2.0 * np.pi / omega).to(u.Myr),
                "vc": (omega * galaxy.distance_to_centre()).to(VELOCITY),
            }
        if "sigma2" in values:
            variance = values["sigma2"].value
            out["sigma"] = np.sqrt(np.where(np.real(variance) > 0, variance, np.nan)) << VELOCITY
        return out

    def draw(self, fit: ak.Fit, axes: Any = None) -> Any:
        """The double waves of the fitted field with Galactic longitude; against the groups, where there are some."""
        from astrokin.estimators import oort_plot

        return oort_plot.draw(fit, axes)

    # ---- simulation --------------------------------------------------------------------------------------

    def simulate(self, n: int, rng: np.random.Generator) -> tuple[Any, dict[str, u.Quantity]]:
        """A disc of stars around the Sun with Gaia-like errors, and the truth."""
        truth = {"A": 15.3, "B": -11.9, "C": -3.2, "K": -3.3, "U": 11.1, "V": 12.24, "W": 7.25}
        names, shape = SHAPES[self.dispersion]
        moments = dict(zip(TENSOR, (35.0**2, 110.0, -40.0, 24.0**2, 20.0, 18.0**2), strict=True))
        truth |= {"sigma2": 25.0**2} if self.dispersion == "isotropic" else {k: moments[k] for k in names}
        tensor = velocity_model.symmetric(shape @ np.array([truth[k] for k in names]))
        x = simulation.disc(n, rng)
        t = np.zeros((3, 3))
        v_sun = np.array([truth[k] for k in "UVW"])
        a, b, c, k = (truth[name] for name in "ABCK")
        t[:2, :2] = [[k + c, a - b], [a + b, k - c]]
        v = t @ x - v_sun[:, None] + np.linalg.cholesky(tensor) @ rng.normal(size=(3, n))
        stars = simulation.observed(x, v, rng)
        units = [SHEAR] * 4 + [VELOCITY] * 3 + [VELOCITY**2] * len(names)
        return stars, {k: truth[k] * unit for k, unit in zip((*OORT.names, *names), units, strict=True)}

    @classmethod
    def examples(cls) -> Any:
        yield cls()
        yield cls(use=("pm",), dispersion="full")
        yield cls(use=("rv",))
