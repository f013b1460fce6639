"""What a block tells of the age-velocity relation: moments of the velocities in cells of observed age and its error."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.estimators.heating_velocities import Sun, cylindrical
from astrokin.summaries import group_of

Array = NDArray[np.float64]

#: ln(age/Gyr) where the cells begin and end: 1 Myr to 100 Gyr.
YOUNGEST, OLDEST = np.log(1e-3), np.log(1e2)
#: Cells of 5 per cent in age; the moments are taken about a curve, so that within a cell nothing is lost.
AGES = 230
#: Relative age errors: below 0.01, then 14 cells up to 1.
ERRORS = 15
_LEAST = np.log(1e-2)
_AGE_STEP = (OLDEST - YOUNGEST) / AGES
_ERROR_STEP = -_LEAST / (ERRORS - 1)
#: The pairs of components whose squares are correlated.
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))


@dataclass(frozen=True)
class Means:
    """Mean velocities (G, 3, cells) about which the next pass takes moments, with the dispersions (G, 3, cells)."""

    mean: Array
    variance: Array


@dataclass(frozen=True)
class Sums:
    """Sums over stars by group and cell.

    Attributes
    ----------
    count : ndarray, shape (G, cells)
        Weights of the stars.
    log_age, error2 : ndarray, shape (G, cells)
        Sums of ln(age / Gyr) and of the squared relative age error.
    first, second : ndarray, shape (G, 3, cells)
        Sums of u and of u^2 less its measurement variance, u the velocity about the mean of the last pass.
    products : ndarray, shape (G, 6, cells), optional
        Sums of the products of those squares, in the final pass.
    """

    count: Array
    log_age: Array
    error2: Array
    first: Array
    second: Array
    products: Array | None

    def merge(self, other: Sums) -> Sums:
        """The sums of both blocks."""
        both = self.products is not None and other.products is not None
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name != "products"}
        return Sums(**sums, products=self.products + other.products if both else None)  # type: ignore[operator]


def cells(log_age: Array, share: Array | None) -> NDArray[np.intp]:
    """The cell of each star by ln(age/Gyr) and its relative error; without errors there is one cell for each age."""
    scaled = log_age - YOUNGEST
    scaled *= 1.0 / _AGE_STEP
    place = scaled.astype(np.intp)
    if share is None:
        return place
    np.maximum(share, 1e-9, out=scaled)
    np.log(scaled, out=scaled)
    scaled -= _LEAST - _ERROR_STEP
    scaled *= 1.0 / _ERROR_STEP
    np.clip(scaled, 0, ERRORS - 1, out=scaled)
    place += AGES * scaled.astype(np.intp)
    return place


def collected(rows: Any, age: Array, error: Array | None, means: Means | None, products: bool, sun: Sun) -> Sums:
    """The sums of a block."""
    group, n_groups = group_of(rows)
    n_cells = AGES if error is None else AGES * ERRORS
    log_age, share = np.log(age), None if error is None else error / age
    cell = cells(log_age, share)
    velocity, noise = cylindrical(rows, sun)
    place = cell if group is None else cell + n_cells * group
    if means is not None:
        for k in range(3):
            velocity[k] -= np.take(means.mean[:, k].ravel(), place)
    square = velocity * velocity
    if noise is not None:
        square -= noise

    def total(values: Any) -> Array:
        weighted = values if rows.weight is None else (rows.weight if values is None else values * rows.weight)
        return np.bincount(place, weighted, n_groups * n_cells).astype(float, copy=False).reshape(n_groups, n_cells)

    zero = np.zeros((n_groups, n_cells))
    return Sums(
        total(None),
        total(log_age),
        zero if share is None else total(share * share),
        np.stack([total(u) for u in velocity], axis=1),
        np.stack([total(s) for s in square], axis=1),
        np.stack([total(square[a] * square[b]) for a, b in PAIRS], axis=1) if products else None,
    )


def pulls(rows: Any, age: Array, error: Array | None, means: Means, sun: Sun) -> Array:
    """Root mean square of the velocities about the mean in units of their dispersion and error, (n,)."""
    group, _ = group_of(rows)
    cell = cells(np.log(age), None if error is None else error / age)
    place = cell if group is None else cell + means.mean.shape[-1] * group
    velocity, noise = cylindrical(rows, sun)
    total = np.zeros(len(rows))
    for k in range(3):
        variance = np.take(means.variance[:, k].ravel(), place)
        if noise is not None:
            variance = variance + noise[k]
        total += (velocity[k] - np.take(means.mean[:, k].ravel(), place)) ** 2 / variance
    return np.sqrt(total / 3.0)
