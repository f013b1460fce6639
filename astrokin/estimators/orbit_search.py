"""The blind search: how much chi² falls for each period, eccentricity and phase of a grid, all linear terms solved."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.estimators.orbit_model import HIGHEST, Problem
from astrokin.estimators.solution_model import design
from astrokin.kepler import orbit
from astrokin.units import A

Array = NDArray[np.float64]

#: Eccentricities of the grid, and how many phases each needs.
_SHAPES = ((0.0, 1), (0.35, 6), (0.65, 10), (0.85, 16), (0.95, 24))
#: Trial frequencies in a step of the resolution, 1/span.
_OVERSAMPLING = 8
#: How many minima are followed up.
_FOLLOWED = 8
#: Epochs nearer than this (years) and in the same direction are one for the search.
_ONE = 0.01 / 365.25
_CHUNK = 1 << 18
_SHORTEST = 10.0 / 365.25


def periods_of(problem: Problem, wanted: tuple[float, float] | None) -> tuple[float, float]:
    """Shortest and longest period in years."""
    return wanted or (_SHORTEST, max(3.0 * problem.span, 2.0 * _SHORTEST))


def bounds(problem: Problem, wanted: tuple[float, float] | None) -> tuple[Array, Array]:
    """Bounds of a shape in the final least squares: a little beyond those of the search; any phase."""
    low, high = periods_of(problem, wanted)
    return np.array([math.log(0.9 * low), 0.0, -np.inf]), np.array([math.log(1.5 * high), HIGHEST, np.inf])


@lru_cache
def _eccentricities() -> tuple[Array, Array]:
    e = np.concatenate([np.full(n, e) for e, n in _SHAPES])
    phase = np.concatenate([np.arange(n) / n for _, n in _SHAPES])
    return e, phase


def candidates(problem: Problem, wanted: tuple[float, float] | None) -> list[Array]:
    """The shapes (ln P, e, phase) at the deepest minima of the grid, the deepest first."""
    frequency, gain, shape = periodogram(problem, wanted)
    return [np.array([-math.log(frequency[i]), *shape[i]]) for i in _peaks(gain)]


def periodogram(problem: Problem, wanted: tuple[float, float] | None) -> tuple[Array, Array, Array]:
    """Frequencies (1/yr), by how much chi² falls with the best orbit of each, and its eccentricity and phase."""
    low, high = periods_of(problem, wanted)
    step = 1.0 / (_OVERSAMPLING * max(problem.span, low))
    frequency = np.arange(1.0 / high, 1.0 / low + step, step)
    return (frequency, *_best(problem, frequency))


def _peaks(gain: Array) -> list[int]:
    """The highest local maxima."""
    padded = np.concatenate([[-np.inf], gain, [-np.inf]])
    top = np.flatnonzero((gain >= padded[:-2]) & (gain > padded[2:]))
    return [int(i) for i in top[np.argsort(-gain[top])][:_FOLLOWED]]


def _best(problem: Problem, frequency: Array) -> tuple[Array, Array]:
    """For each frequency the largest fall of chi², and the eccentricity and phase where it is."""
    e, phase = _eccentricities()
    sky, velocity = _Sky(problem), None if problem.velocities is None else _Velocity(problem)
    size = max(1, _CHUNK // max(1, len(e) * len(sky.time)))
    gains = []
    for start in range(0, len(frequency), size):
        f = frequency[start : start + size]
        grid = np.repeat(f, len(e)), np.tile(e, len(f)), np.tile(phase, len(f))
        gain = sky.gain(*grid) + (0.0 if velocity is None else velocity.gain(*grid))
        gains.append(gain.reshape(len(f), len(e)))
    all_ = np.concatenate(gains)
    place = all_.argmax(axis=1)
    return all_.max(axis=1), np.stack([e[place], phase[place]], axis=1)


def _fall(matrix: Array, vector: Array) -> Array:
    """b M⁻¹ b for many small systems, those that are nearly singular propped up."""
    trace = np.einsum("kii->k", matrix)[:, None, None]
    eye = np.eye(matrix.shape[-1])
    solved = np.linalg.solve(matrix + (1e-9 * trace + 1e-300) * eye, vector[..., None])[..., 0]
    return np.einsum("ki,ki->k", vector, solved)


class _Sky:
    """The positions, the five parameters of a single star taken out of everything."""

    def __init__(self, problem: Problem) -> None:
        self.time, s, c, value, factor, root = _binned(problem)
        axis = _AxisLike(s, c, factor)
        base = (design(axis, self.time, 1) * root).T  # type: ignore[arg-type]
        q = np.linalg.qr(base / np.maximum(np.sqrt((base**2).sum(axis=0)), 1e-300))[0]
        y = value * root
        y = y - q @ (q.T @ y)
        c, s = c * root, s * root
        self.products = np.stack([c * c, c * s, s * s], axis=1)
        self.projected = np.concatenate([c[:, None] * q, s[:, None] * q, (c * y)[:, None], (s * y)[:, None]], axis=1)

    def gain(self, frequency: Array, e: Array, phase: Array) -> Array:
        """The fall of chi² by an orbit with any Thiele-Innes elements, for each trial."""
        x, y, _, _ = orbit(frequency[:, None] * self.time + phase[:, None], e[:, None])
        xx, xy, yy = (v @ self.products for v in (x * x, x * y, y * y))
        px, py = x @ self.projected, y @ self.projected
        columns = np.stack([px[:, :5], px[:, 5:10], py[:, :5], py[:, 5:10]], axis=1)
        vector = np.concatenate([px[:, 10:], py[:, 10:]], axis=1)
        matrix = np.empty((len(x), 4, 4))
        for (i, j), block in {(0, 0): xx, (0, 2): xy, (2, 0): xy, (2, 2): yy}.items():
            matrix[:, i, j], matrix[:, i + 1, j + 1] = block[:, 0], block[:, 2]
            matrix[:, i, j + 1] = matrix[:, i + 1, j] = block[:, 1]
        return _fall(matrix - columns @ columns.swapaxes(1, 2), vector)


class _Velocity:
    """The radial velocities, their mean taken out of everything."""

    def __init__(self, problem: Problem) -> None:
        v = problem.velocities
        assert v is not None
        self.time = v.time - problem.epoch
        self.weight = 1.0 / v.variance
        self.share = self.weight / max(self.weight.sum(), 1e-300)
        self.value = self.weight * (v.value - self.share @ v.value)

    def gain(self, frequency: Array, e: Array, phase: Array) -> Array:
        """The fall of chi² by a motion along the line of sight, for each trial."""
        _, _, vx, vy = orbit(frequency[:, None] * self.time + phase[:, None], e[:, None])
        vx, vy = (A * (v - (v @ self.share)[:, None]) for v in (vx, vy))
        vector = np.stack([vx @ self.value, vy @ self.value], axis=1)
        xx, xy, yy = ((a * b) @ self.weight for a, b in ((vx, vx), (vx, vy), (vy, vy)))
        return _fall(np.stack([np.stack([xx, xy], axis=1), np.stack([xy, yy], axis=1)], axis=1), vector)


class _AxisLike:
    """What `design` looks at."""

    def __init__(self, sine: Array, cosine: Array, factor: Array) -> None:
        self.sine, self.cosine, self.factor = sine, cosine, factor


def _binned(problem: Problem) -> tuple[Array, ...]:
    """Time, sine, cosine, value, factor and root of the weight; observations of one transit made one."""
    parts: list[list[Array]] = []
    for axis in problem.scans.axes:
        # Correlations of pairs may be left aside here: what is found is only where to begin.
        weight = problem.alive / (axis.variance + problem.extra)
        turned = np.abs(np.diff(axis.sine)) + np.abs(np.diff(axis.cosine)) > 0.01
        new = np.append(True, (np.diff(problem.time) > _ONE) | turned)
        starts = np.flatnonzero(new)
        total = np.add.reduceat(weight, starts)
        kept = total > 0
        safe = np.where(kept, total, 1.0)
        columns: Any = (problem.time, axis.sine, axis.cosine, axis.value, axis.factor)
        mean = [(np.add.reduceat(weight * v, starts) / safe)[kept] for v in columns]
        parts.append([*mean, np.sqrt(total[kept])])
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))
