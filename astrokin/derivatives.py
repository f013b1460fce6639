"""Jacobians of maps between stars in local tangent axes: by complex step, or by central differences.

The six parameters are (alpha*, dec, parallax, pmra, pmdec, radial velocity) in (mas, mas, mas, mas/yr,
mas/yr, km/s). A small change of direction carries the proper motion along in parallel; so the derivatives stay
finite at the poles, where the coordinate axes turn.
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
        with np.errstate(invalid="ignore", divide="ignore"):  # complex numpy warns of a NaN that goes in
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
    """Jacobian (n, 6, 6) by extrapolated central differences, for maps that refuse complex numbers."""
    return differences_and_errors(function, stars)[0]


def differences_and_errors(function: Map, stars: Stars) -> tuple[Array, Array]:
    """Jacobian (n, 6, 6) by central differences, and an estimate of the error of each of its elements.

    No single step serves: the round-off of a direction (2e-8 mas) asks for large ones, the curvature in
    1/parallax for small ones. So each derivative is extrapolated (Ridders 1982) from a ladder of steps, and
    every element of every row takes the rung where it is surest.
    """
    centre = function(stars)
    axes = centre.raw.basis
    start = _values(centre, centre.direction, *axes)
    noise = _round_off(start)
    best, error = np.empty((2, len(stars), 6, 6))
    for j, (step, rungs) in enumerate(_ladders(stars)):
        steps = [step * _SHRINK**-k for k in range(rungs)]
        slopes = [_slope(function, stars, j, h, centre.direction, *axes) for h in steps]
        best[:, :, j], error[:, :, j] = _extrapolated(slopes, [noise / h[:, None] for h in steps])
    return best, error


_SHRINK = 4.0


def _values(image: Stars, start: Array, east: Array, north: Array) -> Array:
    raw = image.raw
    return np.stack(_in_axes(raw.direction - start, raw.proper_motion, raw, east, north), axis=1)


def _slope(function: Map, stars: Stars, j: int, step: Array, *axes: Array) -> Array:
    ahead, behind = (_values(function(displaced(stars, j, s)), *axes) for s in (step, -step))
    return (ahead - behind) / (2.0 * step[:, None])


def _round_off(values: Array) -> Array:
    """Round-off (n, 6) of the six parameters after the map: that of a unit vector for the first two."""
    size = np.abs(values)
    size[:, :2] = 1.0 / MAS_IN_RAD
    size[:, 3:5] = size[:, 3:5].max(axis=1, keepdims=True)
    return 2.0 * np.finfo(float).eps * size


def _extrapolated(slopes: list[Array], noise: list[Array]) -> tuple[Array, Array]:
    """Neville's tableau of central differences over shrinking steps: the surest entry of each element."""
    best, error = np.full_like(slopes[0], np.nan), np.full_like(slopes[0], np.inf)
    above: list[Array] = []
    for k, slope in enumerate(slopes):
        line = [slope]
        for m, old in enumerate(above):
            factor = _SHRINK ** (2 * (m + 1))
            line.append(line[m] + (line[m] - old) / (factor - 1.0))
            apart = np.maximum(np.abs(line[-1] - line[m]), np.abs(line[-1] - old)) + noise[k]
            surer = apart < error  # False where a step led out of the map's domain, to NaN
            best, error = np.where(surer, line[-1], best), np.where(surer, apart, error)
        above = line
    return best, error


def _ladders(stars: Stars) -> list[tuple[Array, int]]:
    """The largest step (n,) of each parameter and the number of rungs below it."""
    raw = stars.raw
    motion = np.sqrt(np.nan_to_num(dot(raw.proper_motion, raw.proper_motion)))
    parallax = np.maximum(0.25 * np.abs(np.nan_to_num(raw.parallax)), 0.5)
    n = len(stars)
    angle, mu, velocity = np.full(n, 1e5), np.maximum(0.1 * motion, 10.0), np.full(n, 10.0)
    return [(angle, 3), (angle, 3), (parallax, 8), (mu, 4), (mu, 4), (velocity, 3)]
