r"""The diffusion of actions in time,

.. math:: \frac{\partial f}{\partial t} = \frac{\partial}{\partial J}\left[D\,\frac{\partial f}{\partial J} + A f\right]
          + B(t)\, f_b(J)

(003, eq. 5.24; A is a friction and B the rate of births), by finite volumes and an implicit rule of second order.

What leaves a cell enters its neighbour, so that the number of stars is kept to round-off. In time it is TR-BDF2 (Bank
et al. 1985), which damps what is stiff; a step that would leave a negative f is taken again in halves by the backward
Euler rule, which cannot.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

from astrokin.errors import InputError, NotConvergedError
from astrokin.heating.door import ACTION, FREQUENCY, SPEED, TIME, positive
from astrokin.heating.grid import FULL, ActionGrid

Array = NDArray[np.float64]
#: A value at the inner faces, or a function of time that gives it.
Faces = Array | Callable[[float], Array]

_GAMMA = 2.0 - np.sqrt(2.0)
_STEPS = 100_000
_ROUND_OFF = 1e-15


@dataclass(frozen=True)
class Evolution:
    """A distribution function at some times.

    Attributes
    ----------
    grid : ActionGrid
    times : `~astropy.units.Quantity`, shape (t,)
    density : `~astropy.units.Quantity`, shape (t, cells)
        f, stars per action.
    steps : int
        Steps taken.
    """

    grid: ActionGrid
    times: Any
    density: Any
    steps: int

    @property
    def stars(self) -> Array:
        """Number of stars at each time."""
        return self.density.value @ self.grid.widths

    @property
    def mean_action(self) -> Any:
        """<J> at each time."""
        return (self.density.value @ (self.grid.widths * self.grid.centres)) / np.maximum(self.stars, 1e-300) << ACTION

    def dispersion(self, frequency: Any) -> Any:
        """Velocity dispersion at each time, sqrt(frequency <J>): the oscillations are phase-mixed.

        `frequency` is kappa for radial actions and nu_z for vertical ones.
        """
        nu = positive(frequency, FREQUENCY, "frequency")
        return np.sqrt(nu * self.mean_action.value) << SPEED

    def share_at_end(self) -> Array:
        """Share of the stars in the last hundredth of the grid at each time: when it grows, the grid is too short."""
        return self.grid.share_at_end(self.density.value)


def evolve(
    grid: ActionGrid,
    start: Any,
    diffusion: Any,
    times: Any,
    friction: Any = None,
    strength: Callable[[Any], Any] | None = None,
    births: Callable[[Any], Any] | None = None,
    born: Any = None,
    tolerance: float = 0.01,
    steps: int | None = None,
) -> Evolution:
    """Follow a distribution of actions through time.

    Parameters
    ----------
    grid : ActionGrid
    start : ndarray or `~astropy.units.Quantity`, shape (cells,)
        f at the first of the times.
    diffusion : callable
        D (a Quantity) of actions (a Quantity).
    times : `~astropy.units.Quantity`, shape (t,)
        Increasing.
    friction : callable, optional
        A (action per time) of actions.
    strength : callable, optional
        What D is multiplied by at a time (a Quantity): the power of the spirals relative to the given one.
    births : callable, optional
        Stars born per time (a Quantity) at a time, with the distribution `born`.
    born : ndarray, shape (cells,), optional
    tolerance : float
        Relative change of the mean action in a step.
    steps : int, optional
        Steps between each two times, all equal, instead of those that follow from `tolerance`.

    Returns
    -------
    Evolution

    Raises
    ------
    InputError
        Times that do not increase, a negative D or f, a grid too coarse for f, or too short for where it goes.

    Examples
    --------
    D = D0 J heats at a constant rate, <J> = J0 + D0 t:

    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astrokin.heating import ActionGrid, evolve
    >>> action = u.kpc * u.km / u.s
    >>> grid = ActionGrid(400 * action)
    >>> end = evolve(grid, grid.exponential(3 * action), lambda J: 2 * action / u.Gyr * J, [0, 5, 10] * u.Gyr)
    >>> end.mean_action.round(2)
    <Quantity [ 3., 13., 23.] km kpc / s>
    >>> end.dispersion(38.9 * u.km / u.s / u.kpc).round(1)
    <Quantity [10.8, 22.5, 29.9] km / s>
    """
    t = positive(times, TIME, "times", zero=True)
    if t.ndim != 1 or len(t) < 1 or not (np.diff(t) > 0.0).all():
        raise InputError(f"times are {times}; increasing times are needed.")
    inner = grid.faces[1:-1] << ACTION
    d = _at_faces(diffusion, inner, ACTION**2 / TIME, "diffusion")
    a = None if friction is None else _at_faces(friction, inner, ACTION / TIME, "friction")
    scaled = _scaled(d, strength)
    source = _source(grid, births, born)
    found, taken = march(grid, grid.checked(start), scaled, t, a, source, tolerance, steps)
    end = float(grid.share_at_end(found).max())
    if end > FULL:
        raise InputError(
            f"The grid is too short: a share of {end:.2g} of the stars has come to its last hundredth, at "
            f"{grid.edges[-1]:.4g}; take a larger largest action."
        )
    return Evolution(grid, times, found << 1.0 / ACTION, taken)


def _at_faces(function: Any, inner: Any, unit: Any, name: str) -> Array:
    values = np.broadcast_to(positive(function(inner), unit, name, zero=True), inner.shape)
    return np.array(values)


def _scaled(d: Array, strength: Callable[[Any], Any] | None) -> Faces:
    if strength is None:
        return d

    def at(time: float) -> Array:
        s = float(np.asarray(strength(time << TIME)))
        if not (np.isfinite(s) and s >= 0.0):
            raise InputError(
                f"The strength of the spirals is {s} at {(time << TIME).to('Gyr'):.4g}; zero or more is needed."
            )
        return s * d

    return at


def _source(grid: ActionGrid, births: Any, born: Any) -> Callable[[float], Array] | None:
    if (births is None) != (born is None):
        raise InputError("births and born go together: how many stars, and with what actions.")
    if births is None:
        return None
    shape = grid.checked(born)

    def at(time: float) -> Array:
        return float(positive(births(time << TIME), 1.0 / TIME, "births", zero=True)) * shape

    return at


# ---- plain numbers ---------------------------------------------------------------------------------------


def march(
    grid: ActionGrid,
    start: Array,
    diffusion: Faces,
    times: Array,
    friction: Faces | None = None,
    source: Callable[[float], Array] | None = None,
    tolerance: float = 0.01,
    steps: int | None = None,
) -> tuple[Array, int]:
    """f at the times (t, cells), and how many steps were taken."""
    f, t, taken, constant = start, float(times[0]), 0, not (callable(diffusion) or callable(friction))
    operator = Operator.of(grid, diffusion, friction, t)
    found = [f]
    for end in times[1:]:
        size = (end - t) / steps if steps else np.inf
        while t < end - 1e-12 * end:
            dt = min(size, end - t)
            if not steps:
                dt = min(dt, max(tolerance * _time_scale(operator, grid, f), 1e-9 * end))
                dt = (end - t) / max(1.0, np.ceil((end - t) / dt))
            if not constant:
                operator = Operator.of(grid, diffusion, friction, t + 0.5 * dt)
            f = operator.step(f, dt, None if source is None else source(t + 0.5 * dt))
            t, taken = t + dt, taken + 1
            if taken > _STEPS:
                raise NotConvergedError(f"The evolution needs more than {_STEPS} steps.")
        t = float(end)
        found.append(f)
    return np.array(found), taken


def _time_scale(operator: Operator, grid: ActionGrid, f: Array) -> float:
    """<J> over its rate of change."""
    volume = grid.widths * grid.centres
    mean, rate = float(volume @ f), abs(float(volume @ operator.change(f)))
    return mean / max(rate, 1e-300)


@dataclass(frozen=True)
class Operator:
    """Tridiagonal: df/dt = lower f[i-1] + middle f[i] + upper f[i+1]."""

    lower: Array
    middle: Array
    upper: Array

    @classmethod
    def of(cls, grid: ActionGrid, diffusion: Faces, friction: Faces | None, time: float) -> Operator:
        """From D and A at the inner faces."""
        slope = _at(diffusion, time) / np.diff(grid.centres)
        drag = np.zeros_like(slope) if friction is None else _at(friction, time)
        # The cell above a face gives half of the friction, or all of it where diffusion alone is too weak for that.
        above = np.where(0.5 * drag <= slope, 0.5 * drag, drag)
        inflow, outflow = slope + above, slope - (drag - above)
        # Through a face toward smaller actions: inflow f[i+1] - outflow f[i].
        middle = np.zeros(grid.cells)
        middle[:-1] -= outflow
        middle[1:] -= inflow
        w = grid.widths
        return cls(outflow / w[1:], middle / w, inflow / w[:-1])

    def change(self, f: Array) -> Array:
        """df/dt."""
        out = self.middle * f
        out[1:] += self.lower * f[:-1]
        out[:-1] += self.upper * f[1:]
        return out

    def solved(self, right: Array, dt: float) -> Array:
        """x with x - dt dx/dt = right."""
        *_, x, info = lapack.dgtsv(-dt * self.lower, 1.0 - dt * self.middle, -dt * self.upper, right)
        if info:
            raise NotConvergedError(f"The implicit step of {dt:g} kpc/(km/s) has no solution.")
        return x

    def step(self, f: Array, dt: float, source: Array | None = None) -> Array:
        """f one step later, zero or positive."""
        born = np.zeros_like(f) if source is None else source
        half = 0.5 * _GAMMA * dt
        middle = self.solved(f + half * (self.change(f) + 2.0 * born), half)
        weight = 1.0 / (_GAMMA * (2.0 - _GAMMA))
        right = weight * middle + (1.0 - weight) * f
        end = self.solved(right + half * born, half)
        if (end >= 0.0).all():
            return end
        if (end >= -_ROUND_OFF * end.max()).all():
            return np.maximum(end, 0.0)  # round-off in cells that hold nothing
        for _ in range(2):
            f = self.solved(f + 0.5 * dt * born, 0.5 * dt)
        return np.maximum(f, 0.0)


def _at(faces: Faces, time: float) -> Array:
    return faces(time) if callable(faces) else faces
