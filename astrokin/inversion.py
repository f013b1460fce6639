"""The default way back through an effect: fixed point, then Newton where that stagnates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.angles import dot, normalised
from astrokin.derivatives import jacobian
from astrokin.errors import NotConvergedError, some_rows
from astrokin.stars import Stars
from astrokin.units import MAS_IN_RAD

Array = NDArray[np.float64]
Map = Callable[[Stars], Stars]

#: Where a row stops: radian, mas, mas/yr (or relative), km/s (or relative).
_CLOSE = (4e-16, 1e-13, 1e-14, 1e-13)
#: What is good enough where round-off allows no better (1e-9 arcsec is 4.8e-15 rad).
_ENOUGH = (4e-15, 1e-11, 1e-12, 1e-11)
_FIXED_POINTS, _NEWTONS = 30, 12


def inverse(forward: Map, observed: Stars, name: str) -> Stars:
    """Solve ``forward(x) = observed`` for x, row by row.

    Each row stops where it agrees to round-off. Rows whose fixed-point step no longer shrinks go on with
    Newton's method; rows that do not get there in the end raise an error that names them. Rows with missing
    values are solved in what they have.

    Raises
    ------
    NotConvergedError
        Rows for which no iteration reaches 1e-9 arcsec (and its like in the other parameters).
    """
    guess = _fixed_point(forward, observed)
    left = _rows(_misfit(guess, forward, observed) > 1.0)
    if left.size:
        better = _newton(forward, observed[left], guess[left])
        guess = _with_rows(guess, left, better)
        left = _rows(_misfit(guess, forward, observed, _ENOUGH) > 1.0)
    if left.size:
        raise NotConvergedError(
            f"{name}: no way back found for {some_rows(left)} of {len(observed)}; "
            "the effect may not be invertible there."
        )
    return guess


def _rows(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    return np.flatnonzero(mask)


def _differences(image: Stars, observed: Stars) -> tuple[Array, Array, Array, Array]:
    a, b = image.raw, observed.raw
    return (
        b.direction - a.direction,
        b.parallax - a.parallax,
        b.proper_motion - a.proper_motion,
        b.radial_velocity - a.radial_velocity,
    )


def _misfit(guess: Stars, forward: Map, observed: Stars, limits: tuple[float, ...] = _CLOSE) -> Array:
    return _size(_differences(forward(guess), observed), observed, limits)


def _size(differences: tuple[Array, ...], observed: Stars, limits: tuple[float, ...]) -> Array:
    """The largest difference of each row in units of the limits; missing parameters count as solved."""
    direction, parallax, motion, velocity = differences
    raw = observed.raw
    scale = np.maximum(1.0, np.sqrt(dot(raw.proper_motion, raw.proper_motion)))
    parts = (
        np.sqrt(dot(direction, direction)) / limits[0],
        np.abs(parallax) / (limits[1] * np.maximum(1.0, np.abs(raw.parallax))),
        np.sqrt(dot(motion, motion)) / (limits[2] * 10 * scale),
        np.abs(velocity) / (limits[3] * np.maximum(1.0, np.abs(raw.radial_velocity))),
    )
    return np.nanmax(np.where(np.isnan(parts), 0.0, parts), axis=0)


def _fixed_point(forward: Map, observed: Stars) -> Stars:
    guess, best = observed, np.full(len(observed), np.inf)
    active = np.ones(len(observed), bool)
    for _ in range(_FIXED_POINTS):
        differences = _differences(forward(guess), observed)
        misfit = _size(differences, observed, _CLOSE)
        active &= (misfit > 1.0) & (misfit < 0.9 * best)
        best = np.minimum(best, misfit)
        if not active.any():
            break
        guess = _moved(guess, differences, active)
    return guess


def _moved(guess: Stars, differences: tuple[Array, ...], active: NDArray[np.bool_]) -> Stars:
    direction, parallax, motion, velocity = (np.where(active & ~np.isnan(d), d, 0.0) for d in differences)
    raw = guess.raw
    changes: dict[str, Any] = {}
    if direction.any():
        changes["direction"] = raw.direction + direction
    if parallax.any():
        changes["parallax"] = raw.parallax + parallax
    if motion.any() or direction.any():
        changes["proper_motion"] = raw.proper_motion + motion
    if velocity.any():
        changes["radial_velocity"] = raw.radial_velocity + velocity
    return guess.replace(**changes)


def _newton(forward: Map, observed: Stars, guess: Stars) -> Stars:
    best, best_misfit = guess, _misfit(guess, forward, observed)
    for _ in range(_NEWTONS):
        image = forward(guess)
        step = _solved(jacobian(forward, guess), _residual(image, observed))
        guess = _stepped(guess, step)
        misfit = _misfit(guess, forward, observed)
        better = _rows(misfit < best_misfit)
        best = _with_rows(best, better, guess[better]) if better.size else best
        best_misfit = np.minimum(best_misfit, misfit)
        if (best_misfit <= 1.0).all() or not better.size:
            break
    return best


def _residual(image: Stars, observed: Stars) -> Array:
    east, north = image.raw.basis
    direction, parallax, motion, velocity = _differences(image, observed)
    parts = (
        dot(east, direction) / MAS_IN_RAD,
        dot(north, direction) / MAS_IN_RAD,
        parallax,
        dot(east, motion),
        dot(north, motion),
        velocity,
    )
    return np.stack([np.nan_to_num(p) for p in parts], axis=1)


def _solved(matrix: Array, residual: Array) -> Array:
    matrix = np.where(np.isnan(matrix), 0.0, matrix)
    dead = (matrix == 0.0).all(axis=2)
    matrix[:, range(6), range(6)] += dead
    try:
        return np.asarray(np.linalg.solve(matrix, residual[:, :, None])[:, :, 0], np.float64)
    except np.linalg.LinAlgError:
        singular = np.linalg.slogdet(matrix)[0] == 0.0  # these rows stay where they are
        matrix[singular], residual[singular] = np.eye(6), 0.0
        return np.asarray(np.linalg.solve(matrix, residual[:, :, None])[:, :, 0], np.float64)


def _stepped(guess: Stars, step: Array) -> Stars:
    raw = guess.raw
    east, north = raw.basis
    direction = normalised(raw.direction + MAS_IN_RAD * (step[:, 0] * east + step[:, 1] * north))
    moved = guess.replace(direction=direction, parallax=raw.parallax + step[:, 2])
    motion = moved.raw.proper_motion + step[:, 3] * east + step[:, 4] * north
    return moved.replace(proper_motion=motion, radial_velocity=raw.radial_velocity + step[:, 5])


def _with_rows(whole: Stars, rows: NDArray[np.intp], part: Stars) -> Stars:
    raw, new = whole.raw, part.raw
    changes: dict[str, Any] = {}
    for name in ("direction", "parallax", "proper_motion", "radial_velocity"):
        array = np.array(getattr(raw, name))
        array[..., rows] = getattr(new, name)
        changes[name] = array
    return whole.replace(**changes)
