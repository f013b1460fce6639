"""Covariance through a map: C' = J C J^T + noise, with missing parameters masked."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from astrokin.covariance import Covariance
from astrokin.stars import Stars

Array = NDArray[np.float64]


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
    unknown = np.isnan(matrix[:, range(6), range(6)])
    known = np.where(unknown[:, :, None] | unknown[:, None, :], 0.0, matrix)
    masked = np.where(np.isnan(jacobian), 0.0, jacobian)
    out = masked @ known @ masked.swapaxes(1, 2)
    if noise is not None:
        out += noise
    out = 0.5 * (out + out.swapaxes(1, 2))
    lost = missing(after) | unknown
    if lost.any():
        out[lost[:, :, None] | lost[:, None, :]] = np.nan
    return Covariance.trusted(out)


def missing(stars: Stars) -> NDArray[np.bool_]:
    """Which of the six parameters each row lacks, shape (n, 6)."""
    raw = stars.raw
    place, motion = np.isnan(raw.direction[2]), np.isnan(raw.proper_motion[0])
    return np.stack([place, place, np.isnan(raw.parallax), motion, motion, np.isnan(raw.radial_velocity)], axis=1)
