"""Covariance through a map: C' = J C J^T + noise, with missing parameters masked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from astrokin.covariance import Covariance
from astrokin.stars import Stars

Array = NDArray[np.float64]
#: Rows worked on at a time: three matrices each stay in the cache.
_BLOCK = 1 << 9


def propagated(jacobian: Array, before: Stars, after: Stars, noise: Array | None = None) -> Covariance:
    """The covariance after a map.

    Parameters
    ----------
    jacobian : ndarray, shape (n, 6, 6)
        Derivatives of the map at `before`.
    before, after : Stars
        What went in (with its covariance) and what came out.
    noise : ndarray, shape (n, 6, 6), optional
        Covariance that the map itself adds.

    Returns
    -------
    Covariance
        A parameter whose error is not known contributes nothing to the others; it keeps NaN in its own row
        and column, and so has a parameter that comes out missing.
    """
    matrix = before.covariance
    assert matrix is not None
    lost = missing(after)
    if not np.isfinite(matrix.sum()):  # one quick look where everything is known
        unknown = np.isnan(matrix[:, range(6), range(6)])
        matrix = np.where(unknown[:, :, None] | unknown[:, None, :], 0.0, matrix)
        lost |= unknown
    if not np.isfinite(jacobian.sum()):
        jacobian = np.where(np.isnan(jacobian), 0.0, jacobian)
    out = np.empty((len(after), 6, 6))
    for start in range(0, len(after), _BLOCK):
        rows = slice(start, start + _BLOCK)
        _transform(jacobian[rows], matrix[rows], None if noise is None else noise[rows], out[rows])
    if lost.any():
        out[lost[:, :, None] | lost[:, None, :]] = np.nan
    return Covariance.trusted(out)


def _transform(jacobian: Array, matrix: Array, noise: Array | None, out: Array) -> None:
    """J C J^T + noise, symmetric to the last digit."""
    # Of contiguous matrices a product takes a sixth of the time.
    product = jacobian @ matrix @ np.ascontiguousarray(jacobian.swapaxes(1, 2))
    if noise is not None:
        product += noise
    np.add(product, product.swapaxes(1, 2), out=out)
    out *= 0.5


def missing(stars: Stars) -> NDArray[np.bool_]:
    """Which of the six parameters each row lacks, shape (n, 6)."""
    raw = stars.raw
    place, motion = np.isnan(raw.direction[2]), np.isnan(raw.proper_motion[0])
    return np.stack([place, place, np.isnan(raw.parallax), motion, motion, np.isnan(raw.radial_velocity)], axis=1)
