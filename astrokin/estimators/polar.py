"""Size and direction of vectors of results, safe for the complex step by which errors are propagated."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.angles import dot

Array = NDArray[np.float64]

_DEGREES = 180.0 / np.pi


def size(vector: Array) -> Any:
    """Lengths of vectors (3, n)."""
    return np.sqrt(dot(vector, vector))


def longitude(vector: Array) -> Any:
    """Longitudes of vectors (3, n), from 0 to 360 deg."""
    found = angle(vector[1], vector[0])
    return (found + 360.0 * (np.real(found) < 0.0)) << u.deg


def latitude(vector: Array) -> Any:
    """Latitudes of vectors (3, n)."""
    return angle(vector[2], np.sqrt(vector[0] ** 2 + vector[1] ** 2)) << u.deg


def angle(y: Any, x: Any) -> Any:
    """The arc tangent in all four quadrants, deg, to first order in what is imaginary."""
    found = np.arctan2(np.real(y), np.real(x)) * _DEGREES
    if np.iscomplexobj(y) or np.iscomplexobj(x):
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            cross = np.real(x) * np.imag(y) - np.real(y) * np.imag(x)
            # Of a vector without a length no direction is known: NaN.
            change = cross / (np.real(x) ** 2 + np.real(y) ** 2) * _DEGREES
        found = found + 1j * np.where(np.isfinite(change), change, np.nan)
    return found
