"""Jacobians of maps between stars in local tangent axes: by complex step, or by central differences.

The six parameters are (alpha*, dec, parallax, pmra, pmdec, radial velocity) in (mas, mas, mas, mas/yr, mas/yr,
km/s). A small change of direction carries the proper motion along in parallel; so the derivatives stay finite
at the poles, where the coordinate axes turn.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from astrokin.angles import dot
from astrokin.stars import Stars
from astrokin.units import MAS_IN_RAD

Array = NDArray[np.float64]
Map = Callable[[Stars], Stars]

_TINY = 1e-30
_COMPLEX_REFUSED = (TypeError, np.exceptions.ComplexWarning)


def jacobian(function: Map, stars: Stars) -> Array:
    """Derivatives (n, 6, 6) of the six parameters after a map with respect to those before it.

    By complex step (exact to round-off); by central differences where the map refuses complex numbers.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            return complex_step(function, stars)
    except _COMPLEX_REFUSED:
        return differences(function, stars)


def complex_step(function: Map, stars: Stars) -> Array:
    """Jacobian (n, 6, 6) from six evaluations with one parameter moved by an imaginary 1e-30."""
    east, north = function(stars).raw.basis
    out = np.empty((len(stars), 6, 6))
    for j in range(6):
        moved = function(displaced(stars, j, 1j * _TINY)).raw
        for i, value in enumerate(_in_axes(moved.direction, moved.proper_motion, moved, east, north)):
            out[:, i, j] = np.imag(value) / _TINY
    return out


def _in_axes(direction: NDArray, motion: NDArray, raw: object, east: Array, north: Array) -> list[NDArray]:
    return [
        dot(east, direction) / MAS_IN_RAD,
        dot(north, direction) / MAS_IN_RAD,
        raw.parallax,  # type: ignore[attr-defined]
        dot(east, motion),
        dot(north, motion),
        raw.radial_velocity,  # type: ignore[attr-defined]
    ]


def displaced(stars: Stars, place: int, step: complex | Array) -> Stars:
    """Stars with one of the six parameters moved by `step` (in its unit), along the local tangent axes."""
    raw = stars.raw
    if place == 2:
        return stars.replace(parallax=raw.parallax + step)
    if place == 5:
        return stars.replace(radial_velocity=raw.radial_velocity + step)
    axis = raw.basis[place % 3]
    if place > 2:
        return stars.replace(proper_motion=raw.proper_motion + step * axis)
    angle = step * MAS_IN_RAD
    if not np.iscomplexobj(angle):
        return stars.replace(direction=np.cos(angle) * raw.direction + np.sin(angle) * axis)
    # To first order, which is all a complex step sees.
    motion = raw.proper_motion - dot(raw.proper_motion, axis) * angle * raw.direction
    return stars.replace(direction=raw.direction + angle * axis, proper_motion=motion)


def differences(function: Map, stars: Stars) -> Array:
    """Jacobian (n, 6, 6) by fourth-order central differences, for maps that refuse complex numbers."""
    centre = function(stars)
    east, north = centre.raw.basis
    start = centre.direction
    out = np.empty((len(stars), 6, 6))
    for j, step in enumerate(_steps(stars)):
        total: list[NDArray] = [np.zeros(len(stars))] * 6
        for factor, weight in ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12)):
            moved = function(displaced(stars, j, factor * step)).raw
            values = _in_axes(moved.direction - start, moved.proper_motion, moved, east, north)
            total = [t + weight * v for t, v in zip(total, values, strict=True)]
        for i in range(6):
            out[:, i, j] = total[i] / step
    return out


def _steps(stars: Stars) -> list[Array]:
    raw = stars.raw
    with np.errstate(invalid="ignore"):
        motion = np.sqrt(np.nan_to_num(dot(raw.proper_motion, raw.proper_motion)))
        parallax = 1e-3 * np.maximum(np.abs(np.nan_to_num(raw.parallax)), 0.1)
    n = len(stars)
    angle, mu, velocity = np.full(n, 1e4), 1e-3 * np.maximum(motion, 100.0), np.full(n, 1.0)
    return [angle, angle, parallax, mu, mu, velocity]
