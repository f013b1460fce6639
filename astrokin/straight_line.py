"""A straight line through points with correlated errors in both coordinates, with or without a scatter of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

Array = NDArray[np.float64]

_LAST_STEPS = 8


@dataclass(frozen=True)
class Line:
    """The line y = intercept + slope x and what it rests on.

    Attributes
    ----------
    intercept, slope : float
    gain : ndarray, shape (2, n, 2)
        Change of intercept and slope with the coordinates (x, y) of each point: with the covariances of the points
        it gives that of the line, also with whatever else depends on them.
    chi2 : float
        The misfit, all errors and the scatter taken into account; n - 2 are expected.
    scatter : float
        Standard deviation in y beyond the errors, for which `chi2` is what is expected; 0 where none was asked for.
    """

    intercept: float
    slope: float
    gain: Array
    chi2: float
    scatter: float = 0.0


def straight_line(x: Array, y: Array, covariance: Array, scatter: bool = False) -> Line:
    """Maximum likelihood of a line and of the points' true places on it (York et al. 2004).

    Parameters
    ----------
    x, y : ndarray, shape (n,)
    covariance : ndarray, shape (n, 2, 2)
        Of (x, y) of each point.
    scatter : bool
        Whether a scatter in y is added to the errors until the misfit is the expected one.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.straight_line import straight_line
    >>> x = np.array([1.0, 2.0, 3.0])
    >>> line = straight_line(x, 5 + 2 * x, np.tile(0.01 * np.eye(2), (3, 1, 1)))
    >>> round(line.intercept, 6), round(line.slope, 6)
    (5.0, 2.0)
    """
    extra = 0.0
    if scatter and len(x) > 2:
        extra = excess(lambda s: _line(x, y, _with_scatter(covariance, s)).chi2, len(x) - 2.0, float(np.ptp(y)))
    found = _line(x, y, _with_scatter(covariance, extra))
    return Line(found.intercept, found.slope, found.gain, found.chi2, extra)


def mean(y: Array, variance: Array, scatter: bool = False) -> Line:
    """The weighted mean of values, as a line of slope 0 whose gain has one row, (1, n)."""

    def at(s: float) -> Line:
        weight = 1.0 / (variance + s * s)
        share = weight / weight.sum()
        middle = float(share @ y)
        return Line(middle, 0.0, share[None], float(weight @ (y - middle) ** 2), s)

    return at(excess(lambda s: at(s).chi2, len(y) - 1.0, float(np.ptp(y))) if scatter and len(y) > 1 else 0.0)


def excess(misfit: Callable[[float], float], expected: float, largest: float) -> float:
    """The scatter, from 0 to some times `largest`, with which the misfit is what is expected (Paule & Mandel 1982)."""
    if misfit(0.0) <= expected:
        return 0.0
    return float(optimize.brentq(lambda s: misfit(s) - expected, 0.0, 10.0 * largest, xtol=1e-6 * largest))


def _with_scatter(covariance: Array, scatter: float) -> Array:
    out = covariance.copy()
    out[:, 1, 1] += scatter * scatter
    return out


def _line(x: Array, y: Array, covariance: Array) -> Line:
    n = len(x)
    whiten = np.linalg.inv(np.linalg.cholesky(covariance))

    def residual(p: Array) -> Array:
        off = np.stack([x - p[2:], y - p[0] - p[1] * p[2:]], axis=1)
        return np.einsum("nij,nj->ni", whiten, off).ravel()

    def jacobian(p: Array) -> Array:
        slopes = np.zeros((n, 2, n + 2))
        slopes[:, 1, 0], slopes[:, 1, 1] = -1.0, -p[2:]
        slopes[np.arange(n), :, np.arange(n) + 2] = [-1.0, -p[1]]
        return np.einsum("nij,njk->nik", whiten, slopes).reshape(2 * n, n + 2)

    slope, intercept = np.polyfit(x, y, 1, w=1.0 / np.sqrt(covariance[:, 1, 1]))
    p = optimize.least_squares(residual, [intercept, slope, *x], jacobian, method="lm", x_scale="jac").x
    for _ in range(_LAST_STEPS):  # the search ends where the misfit is flat to round-off: half of the digits
        p = p - np.linalg.lstsq(jacobian(p), residual(p), rcond=None)[0]
    gain = -np.linalg.pinv(jacobian(p))[:2].reshape(2, n, 2)
    return Line(float(p[0]), float(p[1]), np.einsum("pni,nij->pnj", gain, whiten), float(residual(p) @ residual(p)))
