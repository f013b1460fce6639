"""How good a solution is: goodness of fit, unit-weight error, excess noise, outliers."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy.special import erfc

from astrokin.estimators.solution_model import Scans

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: The median of the absolute value of a standard normal deviate.
_MEDIAN = 0.6744897501960817
_STEPS = 60


def goodness_of_fit(chi2: Array, dof: Array) -> Array:
    """F2 of Wilson & Hilferty (1931): for a good fit a standard normal deviate; NaN without degrees of freedom.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.estimators.solution_quality import goodness_of_fit
    >>> goodness_of_fit(np.array([99.34]), np.array([100.0])).round(2)
    array([0.])
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        nu = np.where(dof > 0, dof, np.nan)
        return np.sqrt(4.5 * nu) * (np.cbrt(chi2 / nu) + 2.0 / (9.0 * nu) - 1.0)


def unit_weight_error(chi2: Array, dof: Array) -> Array:
    """The root of chi² per degree of freedom; NaN without any."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.sqrt(chi2 / np.where(dof > 0, dof, np.nan))


def excess_variance(scans: Scans, residuals: list[Array], alive: Mask, dof: Array) -> Array:
    """The variance (G,) that must be added to those of the errors for chi² to equal the degrees of freedom.

    Newton's steps from zero: the sum falls and is convex, so that they never overshoot.
    """
    extra = np.zeros(scans.n_groups)
    for _ in range(_STEPS):
        value, slope = np.zeros(scans.n_groups), np.zeros(scans.n_groups)
        for axis, residual in zip(scans.axes, residuals, strict=True):
            weighted = scans.weighted(axis, residual, alive, extra)
            value += scans.sums(residual * weighted)
            slope += scans.sums(weighted * weighted)
        step = np.where((value > dof) & (dof > 0) & (slope > 0), (value - dof) / np.where(slope > 0, slope, 1.0), 0.0)
        extra += step
        if not (step > 1e-9 * extra).any():
            break
    return extra


def size_of_residuals(scans: Scans, residuals: list[Array], extra: Array) -> Array:
    """The root of each row's chi², shape (n,): a number of standard deviations for one axis, a radius for two."""
    each = scans.each(extra)
    return np.sqrt(sum(r * r / (a.variance + each) for a, r in zip(scans.axes, residuals, strict=True)))


def limit(clip: float, n_axes: int) -> float:
    """The size that chance exceeds as rarely as `clip` standard deviations in one dimension."""
    return clip if n_axes == 1 else math.sqrt(-2.0 * math.log(max(float(erfc(clip / math.sqrt(2.0))), 1e-300)))


def outliers(scans: Scans, size: Array, clip: float) -> Mask:
    """Rows beyond `clip` standard deviations, those taken from the median residual where the errors are too small."""
    median = 1.1774100225154747 if len(scans.axes) == 2 else _MEDIAN  # of a radius, of an absolute value
    spread = np.maximum(_medians(scans, size) / median, 1.0)
    return size > limit(clip, len(scans.axes)) * scans.each(spread)


def _medians(scans: Scans, values: Array) -> Array:
    order = np.lexsort((values, scans.group))
    there, starts = scans.first
    counts = scans.count.astype(np.intp)[there]
    out = np.ones(scans.n_groups)
    low, high = values[order[starts + (counts - 1) // 2]], values[order[starts + counts // 2]]
    out[there] = 0.5 * (low + high)
    return out
