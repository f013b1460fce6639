"""From sums over bins to what is fitted: counts and second moments, errors removed, both sides of the plane folded."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.estimators.vertical_kernels import Bins, Sums

Array = NDArray[np.float64]

_MOMENT = u.km**2 / u.s**2
#: The second moments that are fitted, by what is asked for, and their powers of (v_z, v_R).
MOMENTS = {"z": ("zz",), "Rz": ("zz", "Rz"), "RR": ("zz", "Rz", "RR")}
_POWERS = {"zz": (2, 0), "Rz": (1, 1), "RR": (0, 2)}
#: Fourth moments are averaged over neighbouring bins with a Gaussian of this width (in bins), and so many stars of a
#: Gaussian distribution added: the measured ones of a few stars say nothing.
_WIDTH, _PRIOR = 2.0, 10.0
_GAUSSIAN = {"zz": 2.0, "Rz": 1.0, "RR": 2.0}


@dataclass(frozen=True)
class Data:
    """What one group has in its bins, n_R rings by n_z heights.

    Attributes
    ----------
    edges : ndarray, shape (n_z + 1,)
        In |z|, kpc.
    names : tuple of str
        The second moments: of "zz", "Rz", "RR".
    stars : ndarray, shape (n_R, n_z)
        How many there are.
    number : ndarray, shape (n_R, n_z)
        Sums of the weights.
    unit : ndarray, shape (n_R, n_z)
        The variance of a sum of weights over the sum: 1 where all weights are.
    moments, errors : ndarray, shape (q, n_R, n_z)
        Second moments of the velocities about their means with measurement errors removed, and what was removed;
        NaN where fewer than two stars are.
    scatter : ndarray, shape (n_R, n_z)
        The second moment of v_z with everything in it.
    freedom : ndarray, shape (n_R, n_z)
        Effective number of stars less the means.
    standard : ndarray, shape (n_z, q, q)
        Covariance of the products of velocities in units of the variances: 2 for a Gaussian's zz.
    total_RR : ndarray, shape (n_R, n_z)
        Second moment of v_R with its errors.
    blur : dict of str to ndarray
        Polynomials in z of what distance errors move (see `moved`).
    radii : ndarray, shape (n_R,)
    """

    edges: Array
    names: tuple[str, ...]
    stars: Array
    number: Array
    unit: Array
    moments: Array
    errors: Array
    scatter: Array
    freedom: Array
    standard: Array
    total_RR: Array
    blur: dict[str, Array]
    radii: Array

    @property
    def centres(self) -> Array:
        """Middles of the bins, kpc."""
        return 0.5 * (self.edges[1:] + self.edges[:-1])

    def told(self) -> dict[str, u.Quantity]:
        """Densities and second moments of all radii together, with their errors."""
        width = np.diff(self.edges) * 1e3
        freedom = np.where(self.used, self.freedom, 0.0)
        total = freedom.sum(axis=0)
        out = {
            "bin_height": self.centres << u.kpc,
            "bin_stars": self.stars.sum(axis=0) << u.one,
            "bin_nu": self.number.sum(axis=0) / width << u.pc**-1,
            "bin_nu_error": np.sqrt((self.number * self.unit).clip(0.0).sum(axis=0)) / width << u.pc**-1,
        }
        with np.errstate(invalid="ignore", divide="ignore"):
            means = dict(zip(self.names, (freedom * np.nan_to_num(self.moments)).sum(axis=1) / total, strict=True))
            whole = {"zz": (freedom * np.nan_to_num(self.moments[0] + self.errors[0])).sum(axis=0) / total}
            whole["RR"] = (freedom * np.nan_to_num(self.total_RR)).sum(axis=0) / total
            size = {"zz": whole["zz"], "RR": whole["RR"], "Rz": np.sqrt(whole["zz"] * whole["RR"])}
            scatter = (freedom * np.nan_to_num(self.scatter)).sum(axis=0) / total
            out["bin_scatter_zz"] = scatter << _MOMENT
            for k, name in enumerate(self.names):
                error = np.sqrt(self.standard[:, k, k] / total) * size[name]
                out |= {f"bin_sigma_{name}": means[name] << _MOMENT, f"bin_sigma_{name}_error": error << _MOMENT}
        return out

    @property
    def used(self) -> NDArray[np.bool_]:
        """Bins with a second moment."""
        return np.isfinite(self.moments[0]) & (self.freedom > 0.0)


def data(sums: Sums, g: int, bins: Bins, order: str) -> Data:
    """The bins of one group."""
    cells = _Cells(sums, g)
    names = MOMENTS[order]
    moments, errors = (np.stack([f(name) for name in names]) for f in (cells.second, cells.error))
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = cells.fold("weight2") / cells.fold("weight")
        radii = cells.fold("radius").sum(axis=1) / cells.fold("weight").sum(axis=1)
    overall = cells.fold("weight2").sum() / max(cells.fold("weight").sum(), 1e-300)
    return Data(
        edges=bins.z_edges,
        names=names,
        stars=cells.fold("count"),
        number=cells.fold("weight"),
        unit=np.where(np.isfinite(unit) & (unit > 0.0), unit, overall),
        moments=moments - errors,
        errors=errors,
        scatter=moments[0],
        freedom=cells.freedom,
        standard=_standard(cells, names),
        total_RR=cells.second("RR") if order != "z" else np.ones_like(unit),
        blur=_blur(cells, bins.centres, order),
        radii=radii,
    )


class _Cells:
    """The sums of one group with central moments made of them; both sides keep their own means."""

    def __init__(self, sums: Sums, g: int) -> None:
        self.sums, self.g = sums, g
        self.moving, self.moving2 = self["moving"], self["moving2"]
        self.safe = np.where(self.moving > 0.0, self.moving, 1.0)

    def __getitem__(self, name: str) -> Array:
        return self.sums[name][self.g]

    def fold(self, name: str) -> Array:
        """South and north together, (n_R, n_z)."""
        return self[name].sum(axis=1)

    def raw(self, a: int, b: int) -> Array:
        """Mean of v_z^a v_R^b, (n_R, 2, n_z)."""
        return np.ones_like(self.safe) if a + b == 0 else self[f"m{a}{b}"] / self.safe

    def central(self, a: int, b: int) -> Array:
        """The same about the means."""
        from math import comb

        mean_z, mean_R = self.raw(1, 0), self.raw(0, 1) if b else 0.0
        total: Any = 0.0
        for i, j in product(range(a + 1), range(b + 1)):
            sign = comb(a, i) * comb(b, j) * (-1.0) ** (i + j)
            total = total + sign * self.raw(a - i, b - j) * mean_z**i * (mean_R**j if b else 1.0)
        return np.asarray(total)

    def pooled(self, a: int, b: int) -> Array:
        """Central moments of both sides, averaged by their weight, (n_R, n_z)."""
        total = self.moving.sum(axis=1)
        return (self.moving * self.central(a, b)).sum(axis=1) / np.where(total > 0.0, total, 1.0)

    def second(self, name: str) -> Array:
        """Unbiased second central moment with its errors; NaN where no two stars share a mean."""
        lost = (self.moving - self.moving2 / self.safe).sum(axis=1)
        total = (self.moving * self.central(*_POWERS[name])).sum(axis=1)
        few = ~(lost > 1e-9 * self.moving.sum(axis=1))
        return np.where(few, np.nan, total / np.where(few, 1.0, lost))

    def error(self, name: str) -> Array:
        """The part of a second moment that measurement errors made."""
        twice = 2.0 if name in ("zz", "RR") else 1.0
        total = self.moving.sum(axis=1)
        return (self.fold(f"C_{name}") + twice * self.fold(f"c_{name}")) / np.where(total > 0.0, total, 1.0)

    @property
    def freedom(self) -> Array:
        """Effective number of stars less one for each side that has some."""
        square = self.moving2.sum(axis=1)
        size = self.moving.sum(axis=1) ** 2 / np.where(square > 0.0, square, 1.0)
        return np.asarray(size - (self.moving > 0.0).sum(axis=1))


def _standard(cells: _Cells, names: tuple[str, ...]) -> Array:
    """Covariance of the products of velocities in units of the variances, (n_z, q, q): smooth in height."""
    size = {"zz": cells.pooled(2, 0)}
    if len(names) > 1:
        size["RR"] = cells.pooled(0, 2)
        size["Rz"] = np.sqrt(np.maximum(size["zz"] * size["RR"], 0.0))
    n = cells.freedom + 2.0
    enough = (n > 8.0) & np.all([size[name] > 0.0 for name in names], axis=0)
    weight = np.where(enough, n, 0.0)
    # Of n stars the excess of fourth moments over squares is too small by some 3/n of itself.
    fuller = weight / np.where(enough, 1.0 - 3.0 / n, 1.0)
    place = np.arange(n.shape[-1])
    near = np.exp(-0.5 * ((place[:, None] - place) / _WIDTH) ** 2)
    out = np.empty((len(place), len(names), len(names)))
    for i, j in product(range(len(names)), range(len(names))):
        (a, b), (c, d) = _POWERS[names[i]], _POWERS[names[j]]
        scale = size[names[i]] * size[names[j]]
        typical = (weight * scale).sum() / max(weight.sum(), 1e-300)
        found = (fuller * (cells.pooled(a + c, b + d) - cells.pooled(a, b) * cells.pooled(c, d))).sum(axis=0) @ near
        prior = _PRIOR * typical * (_GAUSSIAN[names[i]] if i == j else 0.0)
        total = (weight * scale).sum(axis=0) @ near + _PRIOR * typical
        gaussian = _GAUSSIAN[names[i]] if i == j else 0.0
        out[:, i, j] = np.where(total > 0.0, (found + prior) / np.where(total > 0.0, total, 1.0), gaussian)
    return out


# ---- what errors of the distance move --------------------------------------------------------------------


def _blur(cells: _Cells, z: Array, order: str) -> dict[str, Array]:
    """Coefficients in z of the means of eps and of what velocities have in common with it."""
    weight, moving = cells.fold("weight").sum(axis=0), cells.fold("moving").sum(axis=0)
    sums = {"eps": (cells.fold("eps"), weight)}
    sums["q_zz"] = cells.fold("eps_zz"), moving
    sums["f_zz"] = cells.fold("eps_zz") + 2.0 * cells.fold("c_zz"), moving
    if order != "z":
        sums["q_Rz"] = cells.fold("eps_Rz"), moving
        sums["f_Rz"] = cells.fold("eps_Rz") + cells.fold("c_Rz"), moving
    return {name: _smooth(z, total.sum(axis=0), share) for name, (total, share) in sums.items()}


def _smooth(z: Array, total: Array, weight: Array) -> Array:
    """Coefficients (3,) of a parabola through total/weight, weighted; lower orders where few bins have some."""
    used = weight > 0.0
    out = np.zeros(3)
    n = min(3, int(used.sum()))
    if n and total.any():
        root = np.sqrt(weight[used])
        design = np.stack([z[used] ** k for k in range(n)], axis=1)
        out[:n] = np.linalg.lstsq(design * root[:, None], total[used] / weight[used] * root, rcond=None)[0]
    return out


def moved(blur: dict[str, Array], z: Array, log_density: Any, names: tuple[str, ...]) -> dict[str, Array]:
    """What flows over heights z because of distance errors: of stars, and of the products of velocities.

    To first order in eps = (error/parallax)^2 a height moves by z eps in the mean with the variance z^2 eps, so that
    the observed density is nu - d(nu z eps)/dz + d^2(nu z^2 eps)/dz^2 /2: what is returned is nu z eps - d(nu z^2
    eps)/dz /2, and the same with the velocities, by which a bin's observed content is short of the true one.
    """
    value, slope, _ = log_density
    nu = np.exp(value)

    def flow(mean: Array, spread: Array) -> Array:
        bend = spread[0] + z * (spread[1] + z * spread[2])
        rise = spread[1] + 2.0 * z * spread[2]
        shift = mean[0] + z * (mean[1] + z * mean[2])
        return nu * z * (shift - bend - 0.5 * z * (rise + slope * bend))

    out = {"number": flow(blur["eps"], blur["eps"])}
    for name in names:
        if f"q_{name}" in blur:
            out[name] = flow(blur[f"f_{name}"], blur[f"q_{name}"])
    return out
