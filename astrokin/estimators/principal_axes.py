"""Principal axes and angles of symmetric tensors, safe for the complex step by which errors are propagated."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin import velocity_model
from astrokin.estimators import polar

Array = NDArray[np.float64]

#: Of the largest eigenvalue: axes closer than that are no axes.
_ROUND = 1e-12
#: Of the largest eigenvalue, below which the likelihood lets none fall; and (km/s)^2, of which nothing is left to tell.
_FLAT, _NOTHING = 1.001e-3, 1e-3


def tilted(cross: Any, first: Any, second: Any) -> Any:
    """Half the arc tangent of 2 cross/(first - second), deg: how far the long axis is turned; NaN for a circle."""
    found = 0.5 * polar.angle(2.0 * cross, first - second)
    return np.where((np.real(cross) == 0.0) & (np.real(first) == np.real(second)), np.nan, found)


def decomposed(six: Any) -> tuple[Any, Any]:
    """Eigenvalues (..., 3), largest first, and eigenvectors (..., 3, 3) in columns, of the six elements (..., 6).

    To first order in what is imaginary: by perturbation, as the eigenvectors of complex symmetric matrices are not
    those of Hermitian ones. NaN where an element is.
    """
    tensor = velocity_model.symmetric(np.asarray(six))
    lost = np.asarray(~np.isfinite(tensor).all(axis=(-2, -1)))
    real = np.where(lost[..., None, None], np.eye(3), np.real(tensor))
    values, vectors = (part[..., ::-1] for part in np.linalg.eigh(real))
    values = np.where(lost[..., None], np.nan, values)
    if not np.iscomplexobj(tensor):
        return values, vectors
    moved = vectors.swapaxes(-1, -2) @ np.imag(tensor) @ vectors
    apart = values[..., None, :] - values[..., :, None] + np.eye(3)
    with np.errstate(invalid="ignore", divide="ignore"):
        mixed = np.where(np.eye(3, dtype=bool), 0.0, moved / apart)
        return values + 1j * np.einsum("...ii->...i", moved), vectors + 1j * (vectors @ mixed)


def flat(six: Array) -> Any:
    """Whether a variance is not positive, but a thousandth of the largest, or next to nothing."""
    tensor = velocity_model.symmetric(six)
    values = np.linalg.eigvalsh(np.where(np.isfinite(tensor), tensor, 0.0))
    return values[..., 0] <= np.maximum(_FLAT * values[..., -1], _NOTHING)


def roots(values: Any) -> Any:
    """Standard deviations along the axes, NaN where a variance is not positive."""
    return np.sqrt(np.where(np.real(values) > 0.0, values, np.nan))


def direction(values: Any, vectors: Any) -> tuple[Any, Any]:
    """Longitude (-90 to 90) and latitude, deg, of the inward half of the long axis; NaN if there is none."""
    axis = np.moveaxis(vectors[..., 0], -1, 0)
    axis = np.where(np.real(axis[0]) < 0.0, -axis, axis)
    real = np.real(values)
    none = ~(real[..., 0] - real[..., 1] > _ROUND * np.abs(real[..., 0]))
    across = np.sqrt(axis[0] ** 2 + axis[1] ** 2)
    found = polar.angle(axis[1], axis[0]), polar.angle(axis[2], across)
    return np.where(none, np.nan, found[0]), np.where(none, np.nan, found[1])
