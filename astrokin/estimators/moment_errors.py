"""What errors of the measurement add to velocities and to their products, for stars of which not all is measured.

With x the relative error of the parallax, w what of the velocity goes with the distance and s the rest (the radial
velocity), a measured velocity is s + (w + b)(1 - x + x^2), b the error of the motion: to second order in x the errors
add to the residual r and to its products

    <r> = <x^2> w - <b x>,        C = <b b> + <x^2> (w r + r w + w w) - sym(<b x> (r + w)),

with a b for a b^T and sym(a b) = a b + b a. What is summed is the same, r r - C, as

    r (r - <r>) - Q,              Q = <b b> + <r> (r + w) - w <b x>.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.units import A
from astrokin.velocity_model import Sample, along

Array = NDArray[np.float64]

#: Which of the six elements of a symmetric matrix is the first of each row.
FIRST = (0, 3, 5)


def added(data: Sample, velocity: Array, r: Array, precision: Any = np.float64) -> tuple[Array, Any]:
    """The six elements of Q, (6, n), and <r>, (3, n) or zero; in the precision that is wanted.

    `velocity` is what is seen of the velocities, `r` what is left of it when the mean is taken off, both (3, n).
    """
    data = in_precision(data, precision)
    velocity, r = (v.astype(precision, copy=False) for v in (velocity, r))
    distance = 1.0 / data.parallax
    out = np.zeros((6, len(distance)), precision)
    for axis, vector in _of_motions(data, distance):
        add_products(out, axis, vector)
    if (3, 3) not in data.errors:
        return out, 0.0
    moving = _moving_with_distance(data, velocity)
    shift = moving * (data.errors[3, 3] * (distance * distance))
    local = {k: data.errors[k, 3] * distance * _scale(k, distance) for k in data.used if (k, 3) in data.errors}
    if local:
        cross = -combined(data, local)
        shift += cross
        add_products(out, moving, cross)
    moving += r
    add_products(out, shift, moving)
    return out, shift


def in_precision(data: Sample, kind: Any) -> Sample:
    """The sample in numbers of the given kind, without what was measured."""
    one, two, three = (axis.astype(kind, copy=False) for axis in data.axes)
    radial, known = (None if v is None else v.astype(kind, copy=False) for v in (data.radial_velocity, data.known_sun))
    return replace(
        data,
        axes=(one, two, three),
        parallax=data.parallax.astype(kind, copy=False),
        radial_velocity=radial,
        errors={pair: element.astype(kind, copy=False) for pair, element in data.errors.items()},
        known_sun=known,
    )


def combined(data: Sample, local: dict[int, Any]) -> Array:
    """A vector (3, n) from some of its local components; zero for a radial one of a star without radial velocity."""
    local = {k: _seen(data, component) if k == 2 else component for k, component in local.items()}
    first, *others = sorted(local, key=lambda k: -len(data.axes[k]))
    out = np.zeros((3, len(data.parallax)), data.parallax.dtype)
    np.multiply(data.axes[first], local[first], out=out[: len(data.axes[first])])
    part = np.empty_like(data.parallax)
    for k in others:
        for row, axis in zip(out, data.axes[k], strict=False):
            row += np.multiply(axis, local[k], out=part)
    return out


def _seen(data: Sample, component: Array) -> Array:
    return component if data.has_radial is None else np.where(data.has_radial, component, component.dtype.type(0.0))


def _of_motions(data: Sample, distance: Array) -> list[tuple[Array, Array]]:
    """Pairs of vectors whose products add up to <b b>."""
    pairs = []
    for (a, b), element in data.errors.items():
        if b == 3:
            continue
        local = element * (_scale(a, distance) * _scale(b, distance))
        local = _seen(data, local) if b == 2 else local
        pairs.append((data.axes[a], local * data.axes[b]))
        if a != b:
            pairs.append((data.axes[b], local * data.axes[a]))
    return pairs


def _scale(k: int, distance: Array) -> Any:
    """What makes a velocity of the local component k."""
    return A * distance if k < 2 else 1.0


def _moving_with_distance(data: Sample, velocity: Array) -> Array:
    """What of a velocity goes with the distance: the tangential part, less what is known of the Sun's."""
    rest: dict[int, Any] = {}
    if data.known_sun is not None:
        rest = {k: along(data.axes[k], data.known_sun) for k in data.used}
    if 2 in data.used:
        rest[2] = rest.get(2, 0.0) + np.asarray(data.radial_velocity)
    return velocity - combined(data, rest) if rest else velocity.copy()


def add_products(out: Array, one: Array, other: Array) -> None:
    """The products of two vectors (2 or 3, n), six of the nine, onto others."""
    for component, first, rest in zip(one, FIRST, (other, other[1:], other[2:]), strict=False):
        if len(rest):
            out[first : first + len(rest)] += component * rest
