"""The model of all bins at once: density, second moments, tilt and radial gradients, with one vector of parameters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.estimators import vertical_models as models
from astrokin.estimators.vertical_bins import Data

Array = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)


@dataclass(frozen=True)
class Joint:
    """What is fitted.

    Attributes
    ----------
    density, along : Model
        ln(nu) and sigma_zz.
    across : Model or None
        sigma_RR: for a spheroidal tilt.
    tilt : {"linear", "spheroidal", "none"}
    radius : float
        R at which the profiles are, kpc.
    k_density, k_tilt : float or None
        Inverse scale lengths of nu and sigma_Rz, 1/kpc; None: fitted, for sigma_Rz as the rise in R of its slope in z.
    rings : ndarray
        Edges of the bins in R, kpc.
    """

    density: Any
    along: Any
    across: Any
    tilt: str
    radius: float
    k_density: float | None
    k_tilt: float | None
    rings: Array

    @property
    def free(self) -> tuple[str, ...]:
        """The radial gradients that are fitted; that of sigma_zz along, where there are rings."""
        several = len(self.rings) > 2
        names = [("k_density", several and self.k_density is None), ("k_zz", several)]
        names.append(("k_RR", several and self.tilt == "spheroidal"))
        names.append(("rise", several and self.tilt != "none" and self.k_tilt is None))
        return tuple(name for name, wanted in names if wanted)

    @property
    def sizes(self) -> tuple[int, int, int, int]:
        """Number of parameters of ln(nu), of sigma_zz, of the tilt and of sigma_RR."""
        return (
            self.density.size,
            self.along.size,
            int(self.tilt != "none"),
            self.across.size if self.tilt == "spheroidal" else 0,
        )

    @property
    def size(self) -> int:
        """Number of all parameters."""
        return sum(self.sizes) + len(self.free)

    def split(self, theta: Any) -> tuple[list[Any], dict[str, Any]]:
        """The parameters of each part, and the radial gradients."""
        ends = np.cumsum((0, *self.sizes))
        parts = [theta[a:b] for a, b in pairwise(ends)]
        gradients = dict(zip(self.free, theta[ends[-1] :], strict=True))
        fixed = {
            "k_density": self.k_density or 0.0,
            "k_tilt": self.k_tilt or 0.0,
            "k_zz": 0.0,
            "k_RR": 0.0,
            "rise": 0.0,
        }
        return parts, fixed | gradients

    # ---- functions of height -----------------------------------------------------------------------------

    def curves(self, z: Array, theta: Any) -> dict[str, models.Curve]:
        """ln(nu) and the second moments with their derivatives at heights (n,)."""
        (density, along, tilt, across), _ = self.split(theta)
        out = {"log_density": self.density.curve(z, density), "zz": self.along.curve(z, along)}
        if self.tilt == "linear":
            out["Rz"] = models.linear_tilt(z, tilt[0])
        elif self.tilt == "spheroidal":
            out["RR"] = self.across.curve(z, across)
            out["Rz"] = models.spheroidal_tilt(z, tilt[0], self.radius, out["RR"], out["zz"])
        return out

    def force(self, z: Array, theta: Any) -> tuple[Any, Any, Any]:
        """K_z, its derivative and the tilt term, km2/s2 per kpc (per kpc2)."""
        curves, (_, gradients) = self.curves(z, theta), self.split(theta)
        factor = models.tilt_factor(self.radius, gradients["k_density"], gradients["k_tilt"])
        tilt = models.tilt_term(z, curves["Rz"], factor, gradients["rise"]) if "Rz" in curves else None
        return models.force(curves["log_density"], curves["zz"], tilt)

    # ---- what the bins should hold -----------------------------------------------------------------------

    def expected(self, data: Data, theta: Any) -> tuple[Any, Any]:
        """ln of the expected number (…, n_R, n_z) and the second moments (q, …, n_R, n_z) in the bins.

        `theta` is of shape (p,), or (p, k, 1) for k sets of parameters at once.
        """
        half = 0.5 * np.diff(data.edges)
        nodes = data.centres[:, None] + half[:, None] * _NODES
        curves = self.curves(nodes.ravel(), theta)
        shape = (*np.shape(theta)[1:-1], *nodes.shape)
        mass = np.exp(np.broadcast_to(curves["log_density"][0], (*shape[:-2], nodes.size)).reshape(shape))
        mass = mass * (_WEIGHTS * half[:, None])
        number = mass.sum(axis=-1)
        values = [np.broadcast_to(curves[n][0], (*shape[:-2], nodes.size)).reshape(shape) for n in data.names]
        moments = [(mass * v).sum(axis=-1) / number for v in values]
        _, gradients = self.split(theta)
        share, off = self._rings(data, gradients)
        spread = self._over_rings(dict(zip(data.names, moments, strict=True)), data.centres, off, gradients)
        return np.log(number)[..., None, :] + np.log(share)[..., None], np.stack([spread[name] for name in data.names])

    def _rings(self, data: Data, gradients: dict[str, Any]) -> tuple[Any, Array]:
        """The share of each ring in the number of stars, and how far out it is of R."""
        if len(self.rings) == 2:
            return np.ones(1), np.zeros(1)
        if "k_density" in self.free:
            half = 0.5 * np.diff(self.rings)
            r = (0.5 * (self.rings[1:] + self.rings[:-1]))[:, None] + half[:, None] * _NODES
            k = np.asarray(gradients["k_density"])[..., None]
            share = (r * np.exp(-k * (r - self.radius)) * _WEIGHTS).sum(axis=-1) * half
            share = share / share.sum(axis=-1, keepdims=True)
        else:
            found = data.number.sum(axis=1)
            share = np.maximum(found, 1e-12 * found.sum()) / found.sum()
        return share, np.where(np.isfinite(data.radii), data.radii, self.radius) - self.radius

    @staticmethod
    def _over_rings(moments: dict[str, Any], z: Array, off: Array, gradients: dict[str, Any]) -> dict[str, Any]:
        """Second moments (n_z,) in all rings, (n_R, n_z)."""
        rates = {"zz": gradients["k_zz"], "Rz": gradients["k_tilt"], "RR": gradients["k_RR"]}
        out = {name: m[..., None, :] * np.exp(-rates[name] * off)[..., None] for name, m in moments.items()}
        if "Rz" in out:
            out["Rz"] = out["Rz"] + (gradients["rise"] * off)[..., None] * z
        return out

    # ---- where to begin ----------------------------------------------------------------------------------

    def start(self, data: Data) -> Array:
        """Parameters to begin with."""
        z, number = data.centres, data.number.sum(axis=0)
        weight = np.where(data.used, data.freedom, 0.0)
        moments = np.where(data.used, data.moments, 0.0)
        mean = [float((weight * m).sum() / max(weight.sum(), 1e-300)) for m in moments]
        height = float((number * z).sum() / number.sum())
        theta = [*self.density.start(height), *self.along.start(max(mean[0], 1.0))]
        if self.tilt == "linear":
            theta.append(float((weight * moments[1] * z).sum() / max((weight * z * z).sum(), 1e-300)))
        elif self.tilt == "spheroidal":
            theta += [0.5, *self.across.start(mean[2])]
        theta += [{"k_density": 0.3, "k_zz": 0.1, "k_RR": 0.1, "rise": 0.0}[name] for name in self.free]
        out = np.array(theta)
        level = np.exp(self.expected(data, out)[0]).sum()
        return self._levelled(out, float(np.log(number.sum() / level)))

    def _levelled(self, theta: Array, more: float) -> Array:
        """The density times a factor, given by its logarithm."""
        theta[self.density.level] += more
        return theta
