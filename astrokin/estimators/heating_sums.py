"""What a block tells of the age-velocity relation: moments of the velocities in cells of observed age and its error."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.estimators.heating_velocities import Sun, cylindrical, kind_of
from astrokin.summaries import group_of

Array = NDArray[np.float64]

#: ln(age/Gyr) where the cells begin and end: 1 Myr to 100 Gyr.
YOUNGEST, OLDEST = float(np.log(1e-3)), float(np.log(1e2))
#: Cells of 5 per cent in age; the moments are taken about a curve, so that within a cell nothing is lost.
AGES = 230
#: Relative age errors: below 0.01, then 14 cells up to 1.
ERRORS = 15
_LEAST = float(np.log(1e-2))
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
    error = np.log(np.maximum(share, 1e-9, dtype=np.float32))  # single precision: the cells are wide
    error -= np.float32(_LEAST - _ERROR_STEP)
    error *= np.float32(1.0 / _ERROR_STEP)
    np.fmin(error, ERRORS - 1, out=error)
    np.maximum(error, 0.0, out=error)
    place += error.astype(np.int32) * np.int32(AGES)
    return place


def collected(rows: Any, age: Array, error: Array | None, means: Means | None, products: bool, sun: Sun) -> Sums:
    """The sums of a block."""
    group, n_groups = group_of(rows)
    n_cells = AGES if error is None else AGES * ERRORS
    kind = kind_of(rows)
    age, error = age.astype(kind, copy=False), None if error is None else error.astype(kind, copy=False)
    log_age, share = np.log(age), None if error is None else error / age
    cell = cells(log_age, share)
    velocity, noise = cylindrical(rows, sun)
    place = cell if group is None else cell + n_cells * group
    if means is not None:
        for k in range(3):
            velocity[k] -= np.take(means.mean[:, k].ravel().astype(velocity.dtype, copy=False), place)
    square = velocity * velocity
    if noise is not None:
        square -= noise

    summed = [None, log_age, None if share is None else share * share, *velocity, *square]
    if products:
        summed += [square[a] * square[b] for a, b in PAIRS]
    flat = np.empty((len(summed), n_groups * n_cells))
    for total, values in zip(flat, summed, strict=True):
        total[:] = _counted(place, values, rows.weight, n_groups * n_cells)
    if share is None:
        flat[2] = 0.0
    out = flat.reshape(-1, n_groups, n_cells)
    first, second, both = (np.swapaxes(out[part], 0, 1) for part in (slice(3, 6), slice(6, 9), slice(9, None)))
    return Sums(out[0], out[1], out[2], first, second, both if products else None)


def _counted(place: NDArray[np.intp], values: Any, weight: Any, cells: int) -> Any:
    """Sums of the weighted values by cell; of the weights where there are no values."""
    return np.bincount(place, values if weight is None else weight if values is None else values * weight, cells)


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
