"""Penalised cubic splines in height, and how much to smooth: chosen by the data, by restricted maximum likelihood.

The likeliest curve is biased by as much as its errors where the true one bends most. So less is smoothed than it says,
by the factor `UNDER`, and never so much that fewer than `FREEDOM` parameters are left: the bias then is well below the
errors, which are those of sampling.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import BSpline

from astrokin.estimators.vertical_bins import Data
from astrokin.estimators.vertical_models import Curve

Array = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(5)
#: What is tried, in units of the information over the penalty: half a dex apart.
_GRID = 10.0 ** np.arange(-6.0, 6.01, 0.5)
#: The share of the likeliest penalty that is applied at most, and the effective number of free parameters that a
#: density and a second moment keep at least.
UNDER = 0.1
FREEDOM = {"density": 5.0, "moment": 3.0}
#: Logarithms of likelihoods that differ by less are alike, and the smoother curve is taken.
_INDIFFERENT = 0.01


@dataclass(frozen=True)
class Spline:
    """A cubic spline on equal intervals, with a penalty on the differences of its coefficients (Eilers & Marx 1996).

    Attributes
    ----------
    low, high : float
        Ends, kpc. A spline that begins in the plane is even: its slope there is zero.
    intervals : int
    order : int
        Of the differences that are penalised: a polynomial of a lower degree costs nothing.
    """

    low: float
    high: float
    intervals: int
    order: int

    @property
    def _even(self) -> bool:
        return self.low == 0.0

    @cached_property
    def _fold(self) -> Array:
        """From the coefficients to those of the whole spline: the same on both sides where it is even."""
        n = self.intervals + 3
        if not self._even:
            return np.eye(n)
        whole = 2 * self.intervals + 3
        out = np.zeros((whole, self.intervals + 2))
        middle = whole // 2
        for k in range(whole):
            out[k, abs(k - middle)] = 1.0
        return out

    @cached_property
    def _spline(self) -> BSpline:
        step = (self.high - self.low) / self.intervals
        low, n = (-self.high, 2 * self.intervals) if self._even else (self.low, self.intervals)
        knots = low + step * np.arange(-3, n + 4)
        return BSpline(knots, self._fold, 3)

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return self._fold.shape[1]

    @property
    def level(self) -> slice:
        """The coefficients to which a constant is added to add it to the spline: all."""
        return slice(0, self.size)

    def design(self, z: Array, derivative: int = 0) -> Array:
        """The splines at heights, (n, size); remembered."""
        key = z.tobytes(), derivative
        if key not in self._designs:
            self._designs[key] = np.asarray(self._spline(np.minimum(z, self.high), derivative))
        return self._designs[key]

    @cached_property
    def _designs(self) -> dict[tuple[bytes, int], Array]:
        return {}

    def curve(self, z: Array, theta: Any) -> Curve:
        """Value and derivatives at heights (n,)."""
        theta = np.asarray(theta)
        if theta.ndim == 1:
            return self.design(z) @ theta, self.design(z, 1) @ theta, self.design(z, 2) @ theta
        sets = theta[..., 0].T  # many at once
        return sets @ self.design(z).T, sets @ self.design(z, 1).T, sets @ self.design(z, 2).T

    @cached_property
    def penalty(self) -> Array:
        """The matrix of the penalty, (size, size)."""
        rough = np.diff(self._fold, n=self.order, axis=0)
        return rough.T @ rough

    def named(self, theta: Any) -> Mapping[str, tuple[Any, str]]:
        """Nothing: the coefficients are nobody's business."""
        return {}

    def start(self, value: float) -> list[float]:
        """Coefficients of a constant."""
        return [value] * self.size


@dataclass(frozen=True)
class LogDensity(Spline):
    """The same for ln(nu), which begins as a density that falls off."""

    def start(self, value: float) -> list[float]:
        z = np.linspace(self.low, self.high, 200)
        target = -2.0 * np.log(np.cosh(0.7 * z / value))
        return list(np.linalg.lstsq(self.design(z), target, rcond=None)[0])


# ---- how much to smooth ----------------------------------------------------------------------------------


def smoothing_of_density(spline: Spline, data: Data, start: Array) -> float:
    """The size of the penalty on ln(nu) that makes the counts likeliest, the splines integrated out (Laplace)."""
    half = 0.5 * np.diff(data.edges)
    nodes = data.centres[:, None] + half[:, None] * _NODES
    design = spline.design(nodes.ravel())
    mass = _WEIGHTS * half[:, None]
    unit = float((data.unit * data.number).sum() / data.number.sum())
    number = data.number.sum(axis=0) / unit

    def expected(theta: Array) -> tuple[Array, Array]:
        each = mass * np.exp((design @ theta).reshape(nodes.shape)) / unit
        total = each.sum(axis=1)
        slope = (each.reshape(-1, 1) * design).reshape(*nodes.shape, -1).sum(axis=1)
        return total, slope / total[:, None]

    def best(theta: Array, size: float) -> tuple[Array, float]:
        for _ in range(50):
            total, slope = expected(theta)
            matrix = slope.T @ (total[:, None] * slope) + size * spline.penalty
            step = np.linalg.lstsq(matrix, slope.T @ (number - total) - size * spline.penalty @ theta, rcond=None)[0]
            theta = theta + step * min(1.0, 2.0 / max(np.abs(step).max(), 1e-300))
            if np.abs(step).max() < 1e-9:
                break
        total, slope = expected(theta)
        likelihood = number @ np.log(total) - total.sum() - 0.5 * size * theta @ spline.penalty @ theta
        return theta, float(likelihood + _evidence(slope.T @ (total[:, None] * slope), spline, size))

    slope = expected(start)[1]
    return _likeliest(spline, slope.T @ (number[:, None] * slope), start, best, FREEDOM["density"])


def smoothing_of_moment(spline: Spline, data: Data, log_density: Any) -> float:
    """The size of the penalty on sigma_zz that makes the measured ones likeliest."""
    half = 0.5 * np.diff(data.edges)
    nodes = data.centres[:, None] + half[:, None] * _NODES
    mass = _WEIGHTS * half[:, None] * np.exp(log_density(nodes.ravel()).reshape(nodes.shape))
    mass /= mass.sum(axis=1, keepdims=True)
    design = (mass.reshape(-1, 1) * spline.design(nodes.ravel())).reshape(*nodes.shape, -1).sum(axis=1)
    used = data.used
    total = np.where(used, data.moments[0] + data.errors[0], 0.0)
    freedom = np.where(used, data.freedom, 0.0)
    level = (freedom * total).sum() / freedom.sum()
    weight = freedom / (data.standard[:, 0, 0] * level**2)
    weights = weight.sum(axis=0)
    seen = (weight * np.where(used, data.moments[0], 0.0)).sum(axis=0) / np.where(weights > 0.0, weights, 1.0)
    information = design.T @ (weights[:, None] * design)

    def best(theta: Array, size: float) -> tuple[Array, float]:
        theta = np.linalg.lstsq(information + size * spline.penalty, design.T @ (weights * seen), rcond=None)[0]
        misfit = weights @ (seen - design @ theta) ** 2 + size * theta @ spline.penalty @ theta
        return theta, float(-0.5 * misfit + _evidence(information, spline, size))

    return _likeliest(spline, information, np.zeros(spline.size), best, FREEDOM["moment"])


def _evidence(information: Array, spline: Spline, size: float) -> float:
    """What the splines integrated out add to the logarithm of the likelihood."""
    scale = np.sqrt(np.maximum(np.diag(information + spline.penalty * size), 1e-300))
    matrix = (information + size * spline.penalty) / scale[:, None] / scale
    log_det = float(np.log(np.maximum(np.linalg.eigvalsh(matrix), 1e-14)).sum() + 2.0 * np.log(scale).sum())
    rank = spline.size - _null_size(spline)
    return 0.5 * (rank * np.log(size) - log_det)


def _null_size(spline: Spline) -> int:
    values = np.linalg.eigvalsh(spline.penalty)
    return int((values < 1e-10 * values[-1]).sum())


def _likeliest(spline: Spline, information: Array, theta: Array, best: Any, freedom: float) -> float:
    unit = float(np.trace(information) / np.trace(spline.penalty))
    found: list[tuple[float, float]] = []
    for k in _GRID[::-1]:  # from smooth to rough: each begins where the last one ended
        theta, likelihood = best(theta, k * unit)
        found.append((likelihood, k * unit))
    enough = max(found)[0] - _INDIFFERENT
    likeliest = next(size for likelihood, size in found if likelihood >= enough)
    return min(UNDER * likeliest, _least_smooth(spline, information, freedom, unit))


def _least_smooth(spline: Spline, information: Array, freedom: float, unit: float) -> float:
    """The size of the penalty that leaves so many effective parameters, tr((H + size P)^-1 H)."""
    ridge = 1e-12 * np.trace(information) * np.eye(spline.size)

    def left(size: float) -> float:
        return float(np.trace(np.linalg.solve(information + size * spline.penalty + ridge, information)))

    sizes = unit * 10.0 ** np.arange(8.0, -8.01, -0.05)
    return next((size for size in sizes if left(size) >= freedom), sizes[-1])
