"""The model of one source with an orbit: linear in all but period, eccentricity and phase."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.optimize import least_squares

from astrokin.estimators.solution_model import Scans, design
from astrokin.kepler import orbit
from astrokin.units import A

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Orbits nearer to a parabola are not looked for.
HIGHEST = 0.995
_DAYS = 365.25


@dataclass(frozen=True)
class Velocities:
    """Radial velocities of one source: times (Julian year), km/s, (km/s)²."""

    time: Array
    value: Array
    variance: Array

    def __bool__(self) -> bool:
        return len(self.time) > 0


@dataclass(frozen=True)
class Problem:
    """One source: its scans, times from the reference epoch, what is rejected, and what is added to the errors.

    A *shape* is (ln P, e, phase): the period in years, the eccentricity, and the revolutions from the last
    periastron to the reference epoch.
    """

    scans: Scans
    velocities: Velocities | None
    epoch: float
    time: Array
    alive: Mask
    extra: float = 0.0

    @classmethod
    def of(cls, scans: Scans, velocities: Velocities | None, epoch: float) -> Problem:
        """Of the scans of one source."""
        return cls(scans, velocities, epoch, scans.time - epoch, np.ones(len(scans), bool))

    @property
    def n_data(self) -> int:
        """Observations that count."""
        return int(self.alive.sum()) * len(self.scans.axes) + (
            0 if self.velocities is None else len(self.velocities.time)
        )

    @property
    def span(self) -> float:
        """Years from the first to the last observation."""
        times = [self.scans.time] + ([] if self.velocities is None else [self.velocities.time])
        all_ = np.concatenate(times)
        return float(np.ptp(all_)) if len(all_) else 0.0

    @cached_property
    def _roots(self) -> list[Array]:
        """Square roots of the weights of each axis."""
        return [np.sqrt(self.alive / (a.variance + self.extra)) for a in self.scans.axes]

    def white(self, i: int, values: Array) -> Array:
        """Values (…, n) of an axis in units of their errors, of pairs their combinations with independent errors."""
        axis, pairs = self.scans.axes[i], self.scans.pairs
        if pairs is None:
            return values * self._roots[i]
        return pairs.whitened(values, axis.variance + self.extra, self.alive)

    def matrix(self, shape: Array) -> Array:
        """The weighted derivatives of all observations by the linear parameters, shape (n, p)."""
        x, y, vx, vy = self._places(shape)
        blocks = []
        extra = 0 if self.velocities is None else 3
        for i, axis in enumerate(self.scans.axes):
            terms = np.stack([axis.cosine * x, axis.sine * x, axis.cosine * y, axis.sine * y])
            rows = np.concatenate([self._single[i], self.white(i, terms), np.zeros((extra, len(x)))])
            blocks.append(rows.T)
        if self.velocities is not None:
            speed = self._speed(shape)
            rows = np.stack([np.ones_like(vx), speed * vx, speed * vy]) / np.sqrt(self.velocities.variance)
            blocks.append(np.concatenate([np.zeros((9, len(vx))), rows]).T)
        return np.concatenate(blocks)

    @cached_property
    def _single(self) -> list[Array]:
        """The weighted derivatives by the five parameters of a single star, for each axis."""
        return [self.white(i, design(axis, self.time, 1)) for i, axis in enumerate(self.scans.axes)]

    def _places(self, shape: Array) -> tuple[Array, Array, Array, Array]:
        """Places in the orbit at the times of the positions, motions at those of the radial velocities."""
        x, y, vx, vy = orbit(self._phase(shape), shape[1])
        n = len(self.time)
        return x[:n], y[:n], vx[n:], vy[n:]

    def _phase(self, shape: Array) -> Array:
        return self._times / math.exp(shape[0]) + shape[2]

    @cached_property
    def _times(self) -> Array:
        """Times from the reference epoch of the positions, then of the radial velocities."""
        more = [] if self.velocities is None else [self.velocities.time - self.epoch]
        return np.concatenate([self.time, *more])

    @staticmethod
    def _speed(shape: Array) -> float:
        return 2.0 * math.pi * A / math.exp(shape[0])

    def slopes(self, shape: Array, values: Array) -> Array:
        """The weighted derivatives of the model by the shape, the linear parameters held, shape (n, 3)."""
        phase = self._phase(shape)
        moving, bending = orbit_slopes(phase, shape[1])
        by_period = -self._times / math.exp(shape[0])
        n = len(self.time)
        out = []
        for i, axis in enumerate(self.scans.axes):
            onto_x = axis.cosine * values[5] + axis.sine * values[6]
            onto_y = axis.cosine * values[7] + axis.sine * values[8]
            ahead = onto_x * moving[0][:n] + onto_y * moving[1][:n]
            bent = onto_x * bending[0][:n] + onto_y * bending[1][:n]
            out.append(self.white(i, np.stack([ahead * by_period[:n], bent, ahead])))
        if self.velocities is not None:
            scale = self._speed(shape) / np.sqrt(self.velocities.variance)
            c, h = values[10], values[11]
            ahead, by_e = (scale * (c * d[2][n:] + h * d[3][n:]) for d in (moving, bending))
            slower = -scale * (c * moving[0][n:] + h * moving[1][n:]) / (2.0 * math.pi)
            out.append(np.stack([ahead * by_period[n:] + slower, by_e, ahead]))
        return np.concatenate(out, axis=1).T

    def data(self) -> Array:
        """The weighted observations."""
        parts = [self.white(i, axis.value) for i, axis in enumerate(self.scans.axes)]
        if self.velocities is not None:
            parts.append(self.velocities.value / np.sqrt(self.velocities.variance))
        return np.concatenate(parts)

    def linear(self, shape: Array) -> tuple[Array, Array, Array]:
        """The linear parameters of a shape, the weighted residuals, and an orthonormal basis of what they span."""
        matrix, data = self.matrix(shape), self.data()
        scale = np.sqrt((matrix**2).sum(axis=0))
        scale = np.where(scale > 0, scale, 1.0)
        q, r = np.linalg.qr(matrix / scale)
        onto = q.T @ data
        diagonal = np.abs(np.diag(r))
        if diagonal.min() > 1e-10:
            return solve_triangular(r, onto, check_finite=False) / scale, data - q @ onto, q
        values = np.linalg.lstsq(matrix / scale, data, rcond=1e-10)[0]
        return values / scale, data - (matrix / scale) @ values, q

    def residuals(self, shape: Array) -> list[Array]:
        """The residuals of the positions, an array (n,) for each axis, in mas; of rejected rows too."""
        values = self.linear(shape)[0]
        x, y, _, _ = self._places(shape)
        out = []
        for axis in self.scans.axes:
            north, east = values[5] * x + values[7] * y, values[6] * x + values[8] * y
            out.append(axis.value - values[:5] @ design(axis, self.time, 1) - axis.cosine * north - axis.sine * east)
        return out


def refined(
    problem: Problem, start: Array, bounds: tuple[Array, Array], steps: int = 200
) -> tuple[float, Array] | None:
    """Least squares from a start, the linear parameters solved along: chi² and shape.

    Variable projection (Golub & Pereyra 1973) with Kaufman's Jacobian.
    """
    low, high = bounds
    start = np.clip(start, np.nextafter(low, high), np.nextafter(high, low))

    def jacobian(shape: Array) -> Array:
        values, _, q = problem.linear(shape)
        slopes = problem.slopes(shape, values)
        return q @ (q.T @ slopes) - slopes

    try:
        found = least_squares(
            lambda shape: problem.linear(shape)[1], start, jacobian, bounds=bounds, x_scale=_scale(problem, start),
            xtol=1e-9, ftol=1e-10, gtol=1e-10, max_nfev=steps,
        )  # fmt: skip
    except (np.linalg.LinAlgError, ValueError):
        return None
    return 2.0 * float(found.cost), found.x.copy()


def _scale(problem: Problem, shape: Array) -> Array:
    """Steps that matter: a period known to a tenth of a cycle over the span, eccentricity and phase to a tenth."""
    period = math.exp(shape[0])
    return np.array([0.1 * min(1.0, period / max(problem.span, 1e-9)), 0.1, 0.1])


def orbit_slopes(phase: Array, e: float) -> tuple[tuple[Array, ...], tuple[Array, ...]]:
    """Derivatives of x, y, vx, vy of `astrokin.kepler.orbit`: by the phase (revolutions), and by the eccentricity."""
    x, y, vx, vy = orbit(phase, np.asarray(e))
    minor = math.sqrt((1.0 - e) * (1.0 + e))
    cosine, sine = x + e, y / minor
    r = 1.0 - e * cosine
    turn = 2.0 * math.pi
    cube = turn / r**3
    moving = turn * vx, turn * vy, -x * cube, -y * cube
    swing = sine / r  # of the eccentric anomaly, by the eccentricity
    lag = e * sine * swing - cosine  # of r
    bending = (
        -sine * swing - 1.0,
        minor * cosine * swing - e / minor * sine,
        (sine * lag / r - cosine * swing) / r,
        -(minor * (sine * swing + cosine * lag / r) + e / minor * cosine) / r,
    )
    return moving, bending


# ---- results ---------------------------------------------------------------------------------------------


def elements(problem: Problem, shape: Array) -> tuple[Array, Array, float]:
    """Values and covariance of all parameters in their final units, and the largest inflation of a variance."""
    values = problem.linear(shape)[0]
    jacobian = np.concatenate([problem.matrix(shape), problem.slopes(shape, values)], axis=1)
    covariance, inflation = _inverse(jacobian.T @ jacobian)
    turn, last = _final(problem, shape)
    full = np.eye(len(covariance))
    full[-3:, -3:] = turn
    return np.concatenate([values, last]), full @ covariance @ full.T, inflation


def _inverse(normal: Array) -> tuple[Array, float]:
    scale = np.sqrt(np.diag(normal))
    if not (scale > 0).all():
        return np.full(normal.shape, np.nan), math.inf
    values, vectors = np.linalg.eigh(normal / scale[:, None] / scale)
    if values[0] <= 1e-13 * values[-1]:
        return np.full(normal.shape, np.nan), math.inf
    inverse = (vectors / values) @ vectors.T
    return inverse / scale[:, None] / scale, float(np.diag(inverse).max())


def _final(problem: Problem, shape: Array) -> tuple[Array, Any]:
    """Period (d), eccentricity and time of the periastron nearest to the reference epoch, and their derivatives."""
    period, phase = math.exp(shape[0]), shape[2] - round(shape[2])
    turn = np.array([[period * _DAYS, 0.0, 0.0], [0.0, 1.0, 0.0], [-phase * period, 0.0, -period]])
    return turn, np.array([period * _DAYS, shape[1], problem.epoch - phase * period])
