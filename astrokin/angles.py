"""Pure kernels between angles on the sky and vectors, in blocks that stay in the cache.

Sine and cosine both come from one tangent of the half angle, a third of the time of `numpy.sin` and `numpy.cos`,
exact to round-off; angles go back through the arc tangent of two arguments.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

#: Rows that are worked on at a time: the temporaries of one block stay in the cache.
BLOCK = 1 << 14
_HALF_DEGREE = np.pi / 360
_DEGREE = 180 / np.pi
#: Cosine of the double next to 90 deg: instead of zero, it keeps the right ascension of a star at the pole.
_COSINE_NEXT_TO_POLE = 6.123233995736766e-17


def sine_cosine(degrees: NDArray, out: tuple[NDArray | None, NDArray | None] = (None, None)) -> tuple[NDArray, NDArray]:
    """Sine and cosine of an angle in degrees, good to 8e-16: sin = 2t/(1 + t^2), cos = 2/(1 + t^2) - 1."""
    if degrees.dtype == np.float32:  # numpy's own are quicker then
        radians = degrees * np.float32(2 * _HALF_DEGREE)
        return np.sin(radians, out=out[0]), np.cos(radians, out=out[1])
    t = np.multiply(degrees, _HALF_DEGREE, out=out[0])
    np.tan(t, out=t)
    cosine = np.multiply(t, t, out=out[1])
    cosine += 1.0
    np.divide(2.0, cosine, out=cosine)
    t *= cosine
    cosine -= 1.0
    return t, cosine


def vectors(ra: Array, dec: Array, pmra: Array, pmdec: Array) -> tuple[Array, Array]:
    """Unit vectors (3, n) and tangent proper motions (3, n) from angles in degrees and their motions."""
    n = len(ra)
    direction, motion = np.empty((3, n)), np.empty((3, n))
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        _vectors_block(ra[rows], dec[rows], pmra[rows], pmdec[rows], direction[:, rows], motion[:, rows])
    return direction, motion


def _vectors_block(ra: Array, dec: Array, pmra: Array, pmdec: Array, direction: Array, motion: Array) -> None:
    sa, ca = sine_cosine(ra)
    sd, cd = sine_cosine(dec)
    np.maximum(cd, _COSINE_NEXT_TO_POLE, out=cd)
    np.multiply(cd, ca, out=direction[0])
    np.multiply(cd, sa, out=direction[1])
    direction[2] = sd
    x, y, z = motion
    sd *= pmdec
    np.multiply(pmra, sa, out=x)
    np.multiply(pmra, ca, out=y)
    np.multiply(pmdec, cd, out=z)
    ca *= sd
    x += ca
    np.negative(x, out=x)
    sa *= sd
    y -= sa


def triad(ra: NDArray, dec: NDArray) -> tuple[NDArray, NDArray, NDArray]:
    """East, north and outward unit vectors (3, n) at angles in degrees, in the precision of the angles."""
    east, north, outward = (np.empty((3, len(ra)), ra.dtype) for _ in range(3))
    sa, ca = sine_cosine(ra, (None, east[1]))
    sd, cd = sine_cosine(dec, (outward[2], north[2]))
    np.negative(sa, out=east[0])
    east[2] = 0.0
    for out, level in ((outward, cd), (north, -sd)):
        np.multiply(level, ca, out=out[0])
        np.multiply(level, sa, out=out[1])
    return east, north, outward


def from_local(ra: Array, dec: Array, east: Array, north: Array, outward: Array) -> Array:
    """Vectors (3, n) from their east, north and outward components at angles in degrees."""
    sa, ca = sine_cosine(ra)
    sd, cd = sine_cosine(dec)
    out = np.empty((3, len(ra)))
    x, y, z = out
    np.multiply(outward, sd, out=z)
    sd *= north
    np.multiply(outward, cd, out=x)
    x -= sd
    cd *= north
    z += cd
    np.multiply(x, sa, out=y)
    x *= ca
    sa *= east
    x -= sa
    ca *= east
    y += ca
    return out


def longitude_latitude(direction: Array) -> tuple[Array, Array]:
    """Longitude in [0, 360) and latitude, in degrees, of unit vectors (3, n)."""
    n = direction.shape[1]
    longitude, latitude = np.empty(n), np.empty(n)
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        x, y, z = direction[:, rows]
        longitude[rows] = _longitude(x, y)
        rho = x * x
        rho += y * y
        np.sqrt(rho, out=rho)
        # The arc tangent loses nothing near the poles, where the arc sine would.
        np.multiply(np.arctan2(z, rho, out=rho), _DEGREE, out=latitude[rows])
    return longitude, latitude


def _longitude(x: Array, y: Array) -> Array:
    degrees = np.arctan2(y, x)
    degrees *= _DEGREE
    degrees += 360.0 * (degrees < 0.0)
    if len(degrees) and not degrees.max() < 360.0:
        degrees[degrees >= 360.0] = 0.0  # what was less than an ulp below zero
    return degrees


def tangent_basis(direction: NDArray) -> tuple[NDArray, NDArray]:
    """Unit vectors toward east and north (3, n) at unit vectors (3, n); at an exact pole those of right ascension 0."""
    x, y, z = direction
    rho = np.sqrt(x * x + y * y)
    pole = rho == 0.0
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = 1.0 / rho
        ca, sa = x * scale, y * scale
    if pole.any():
        ca[pole], sa[pole] = 1.0, 0.0
    east, north = np.empty_like(direction), np.empty_like(direction)
    np.negative(sa, out=east[0])
    east[1] = ca
    east[2] = 0.0
    np.multiply(-z, ca, out=north[0])
    np.multiply(-z, sa, out=north[1])
    north[2] = rho
    return east, north


def components(motion: Array, direction: Array) -> tuple[Array, Array]:
    """East and north components of tangent vectors (3, n) at unit vectors (3, n)."""
    n = direction.shape[1]
    east, north = np.empty(n), np.empty(n)
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        _components_block(motion[:, rows], direction[:, rows], east[rows], north[rows])
    return east, north


def _components_block(motion: Array, direction: Array, east: Array, north: Array) -> None:
    """The axes of `tangent_basis`, multiplied out: (x my - y mx)/rho and rho mz - z (x mx + y my)/rho."""
    (x, y, z), (mx, my, mz) = direction, motion
    rho = x * x
    rho += y * y
    np.sqrt(rho, out=rho)
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = 1.0 / rho
        np.multiply(x * my - y * mx, scale, out=east)
        level = x * mx
        level += y * my
        level *= scale
    np.multiply(rho, mz, out=north)
    north -= z * level
    if len(rho) and not rho.min() > 0.0:
        pole = rho == 0.0
        east[pole], north[pole] = my[pole], -z[pole] * mx[pole]


def dot(a: NDArray, b: NDArray) -> NDArray:
    """Scalar product of vectors (3, n), safe for complex numbers."""
    if a.shape[-1] == 1 == b.shape[-1]:  # of a single row the other form would take the sum in another order
        return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
    return np.einsum("i...,i...->...", a, b)  # one pass, two thirds of the time


def normalised(vector: NDArray) -> NDArray:
    """Vectors (3, n) scaled to unit length, safe for complex numbers."""
    scale = dot(vector, vector)
    np.sqrt(scale, out=scale)
    return vector * np.divide(1.0, scale, out=scale)


def transported(motion: NDArray, start: NDArray, end: NDArray) -> NDArray:
    """Tangent vectors carried in parallel along the great circle from `start` to `end` (unit vectors, (3, n)).

    m' = m - (m . end) (start + end) / (1 + start . end): the rotation that takes `start` to `end`.
    """
    scale = dot(start, end)
    scale += 1.0
    share = dot(motion, end) / scale
    middle = start + end
    # In place where the types allow: fresh memory for three vectors takes longer than the arithmetic.
    step = np.multiply(middle, share, out=middle if middle.dtype == share.dtype else None)
    return np.subtract(motion, step, out=step if step.dtype == np.result_type(motion, step) else None)


def tangent(motion: NDArray, direction: NDArray) -> NDArray:
    """The part of vectors (3, n) across unit vectors (3, n), safe for complex numbers."""
    along = direction * dot(motion, direction)
    return np.subtract(motion, along, out=along)


def seen_across(motion: NDArray, place: NDArray) -> tuple[NDArray, NDArray]:
    """The unit vectors (3, n) along `place`, and their rates when that changes by `motion`: its tangent part."""
    scale = dot(place, place)
    np.sqrt(scale, out=scale)
    np.divide(1.0, scale, out=scale)
    direction = place * scale
    across = tangent(motion, direction)
    return direction, np.multiply(across, scale, out=across if across.dtype == scale.dtype else None)


def plus(total: NDArray, more: NDArray) -> NDArray:
    """The sum, in the memory of the first unless that would drop the imaginary part of a complex step."""
    return np.add(total, more, out=total if total.dtype == np.result_type(total, more) else None)
