"""Moments of velocities of which two or three components are known, measurement errors taken off.

A star without radial velocity shows u = P v, with P = 1 - g g^T its projection onto the sky; with all components P is
the unit matrix, with a radial velocity alone g g^T. With r = u - P m about a mean m, and the covariance C of the
measurement, the moments solve two linear systems (Dehnen & Binney 1998),

    sum r = 0,        sum (r r^T - C) = sum P Sigma P.

C is that of `moment_errors`, which move the mean of r too.

All vectors and matrices of a row stand in ICRS axes, or the axes of the sample.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import galaxy, velocity_model
from astrokin.estimators.fields import Field
from astrokin.estimators.linear_field import FEW, State
from astrokin.estimators.moment_errors import FIRST, added, combined
from astrokin.summaries import group_of, grouped_product, grouped_sum, order_of
from astrokin.velocity_model import PAIRS, PLACE, TWICE, Sample, along

Array = NDArray[np.float64]

#: The unit matrix by its six elements.
_ROWS = tuple(np.array(PAIRS).T)
_UNIT = np.array([1.0, 0.0, 0.0, 1.0, 0.0, 1.0])


@dataclass(frozen=True)
class MomentSums:
    """What a pass collects, group axis first, in the axes of the sample.

    Attributes
    ----------
    count : ndarray, shape (G,)
    projection : ndarray, shape (G, 6)
        Sum of P.
    spread : ndarray, shape (G, 6, 6)
        Sum of the products of the elements of P.
    moments : ndarray, shape (G, 9)
        Sum of r, and of the six elements of r r^T - C.
    meat : ndarray, shape (G, 9, 9), optional
        Sum of the products of r and r r^T - C - P Sigma P.
    """

    count: Array
    projection: Array
    spread: Array
    moments: Array
    meat: Array | None = None

    def merge(self, other: MomentSums) -> MomentSums:
        """The sums of both blocks."""
        pairs = ((getattr(self, f.name), getattr(other, f.name)) for f in fields(self))
        return MomentSums(*(None if one is None or two is None else one + two for one, two in pairs))  # type: ignore[arg-type]

    @property
    def finite(self) -> bool:
        """Whether no sum is too large for the numbers it was made with."""
        return all(part is None or bool(np.isfinite(part).all()) for part in (self.spread, self.moments, self.meat))

    def normal_equations(self, signs: Array) -> ak.NormalEquations:
        """The two systems for mean and tensor in Galactic axes, each parameter with its sign, (9,)."""
        rotation = galaxy.icrs_to_galactic()
        turning = velocity_model.turning(rotation)
        matrix = np.zeros((len(self.count), 9, 9))
        matrix[:, :3, :3] = velocity_model.symmetric(self.projection @ turning.T)
        matrix[:, 3:, 3:] = velocity_model.dispersion_information(turning @ self.spread @ turning.T)
        whole = np.zeros((9, 9))
        whole[:3, :3] = signs[:3, None] * rotation
        whole[3:, 3:] = (signs[3:] * 0.5 * TWICE)[:, None] * turning
        return ak.NormalEquations(
            matrix=matrix * np.outer(signs, signs),
            vector=self.moments @ whole.T,
            misfit=np.zeros(len(self.count)),
            count=self.count,
            meat=None if self.meat is None else whole @ self.meat @ whole.T,
        )


def collected(sample: Callable[[Any, Any], Sample], rows: Any, state: State | None, final: bool) -> MomentSums:
    """The sums of a block, `sample` giving its arrays in numbers of a kind.

    What the errors make is averaged and taken off, and the passes before the final one only tell the mean about which
    it takes the moments: for both single precision will do, unless a star is so far off that it is too narrow.
    """
    kind = np.float32 if not final and len(rows) >= FEW else np.float64
    with np.errstate(over="ignore", invalid="ignore"):
        out = Moments(sample(rows, kind), rows, state, np.float32).sums(meat=final)
    return out if out.finite else Moments(sample(rows, np.float64), rows, state).sums(meat=final)


class Moments:
    """Velocities about a mean, and what of their products the errors make, for one block.

    Parameters
    ----------
    data : Sample
        With positive parallaxes.
    rows : Stars
    state : State or None
        Of the last pass; about zero where there is none.
    precision : type, optional
        Of what the errors make.
    """

    def __init__(self, data: Sample, rows: Any, state: State | None, precision: Any = np.float64) -> None:
        self.data, self.weight, self.precision = data, rows.weight, precision
        self.group, self.n_groups = group_of(rows)
        self.axis = self._axis()
        matrices = None if state is None else state.in_icrs
        self.mean = None if matrices is None else -matrices[1]
        self.tensor = None if matrices is None else matrices[2]

    def sums(self, meat: bool = False) -> MomentSums:
        """The sums of the block, by group; with `meat` those that only the errors need."""
        values, k = self._values(), self._known
        if k == 1 and not meat:
            weighted = values if self.weight is None else values * self.weight
            totals = grouped_sum(weighted, self.group, self.n_groups)[:, None]
        else:
            values = self._sorted(values)
            totals = self._total(values[:k], values)
        count, moments, projection, spread = totals[:, 0, 0], totals[:, 0, k:], totals[:, 0, 1:k], totals[:, 1:k, 1:k]
        if k == 1:
            projection, spread = np.outer(count, _UNIT), np.multiply.outer(count, np.outer(_UNIT, _UNIT))
        if not meat:
            return MomentSums(count, projection, spread, moments)
        scores = values[k:]
        scores[3:] -= self._expected()
        return MomentSums(count, projection, spread, moments, self._total(scores, scores))

    @property
    def _known(self) -> int:
        """How many of the `_values` do not depend on the velocities: a one, and P where it is not always 1."""
        return 1 if self.axis is None else 7

    def _sorted(self, values: Array) -> Array:
        """The values group after group, in the order that all else by row then has."""
        order = None if self.group is None else order_of(self.group)
        if self.group is None or order is None:
            return values
        self.group = self.group.take(order)
        self.weight = None if self.weight is None else self.weight.take(order)
        self.axis = None if self.axis is None else self.axis.take(order, axis=1)
        return values.take(order, axis=1)

    def _total(self, a: Array, b: Array) -> Array:
        return grouped_product(a if self.weight is None else a * self.weight, b, self.group, self.n_groups)

    def _values(self) -> Array:
        """A one, the six elements of P where it is not always 1, r, and the six of r r^T - C: (10 or 16, n)."""
        data, k = self.data, self._known
        distance = 1.0 / data.parallax
        velocity = combined(data, {a: data.measured[a] * distance for a in data.used})  # type: ignore[operator]
        out = np.empty((k + 9, velocity.shape[1]), velocity.dtype)
        out[0] = 1.0
        if self.axis is not None:
            self._project_into(out[1:k])
        r = velocity - self._projected_mean()
        noise, shift = added(data, velocity, r, self.precision) if data.errors else (None, 0.0)
        moved = np.subtract(r, shift, out=out[k : k + 3])
        squares = out[k + 3 :]
        for i, first in enumerate(FIRST):
            np.multiply(r[i], moved[i:], out=squares[first : first + 3 - i])
        if noise is not None:
            squares -= noise
        return out

    # ---- projections -------------------------------------------------------------------------------------

    @property
    def _radial_alone(self) -> bool:
        return self.data.used == (2,)

    def _axis(self) -> Array | None:
        """The directions along which nothing is known, zero where there is none; None where all of it is always known.

        Of radial velocities alone, those along which something is.
        """
        if self.data.used != (0, 1, 2):
            return self.data.axes[2]
        return None if self.data.has_radial is None else self.data.axes[2] * ~self.data.has_radial

    def _projected_mean(self) -> Any:
        """P times the mean, (3, n) or (3, 1)."""
        if self.mean is None:
            return 0.0
        mean = self._by_row(self.mean.T.astype(self.data.parallax.dtype))
        if self.axis is None:
            return mean
        along = self.axis * (self.axis * mean).sum(axis=0)
        return along if self._radial_alone else mean - along

    def _project_into(self, out: Array) -> None:
        """The six elements of P, (6, n)."""
        assert self.axis is not None
        for row, unit, (i, j) in zip(out, _UNIT, PAIRS, strict=True):
            np.multiply(self.axis[i], self.axis[j], out=row)
            if not self._radial_alone:
                np.subtract(unit, row, out=row)

    def _expected(self) -> Array:
        """The six elements of P Sigma P, (6, n) or (6, 1)."""
        assert self.tensor is not None
        six = self._by_row(np.ascontiguousarray(self.tensor[:, *_ROWS].T))
        if self.axis is None:
            return six
        drawn = np.stack([along(self.axis, six[places]) for places in PLACE])
        within = along(self.axis, drawn)
        if self._radial_alone:
            return within * velocity_model.outer(self.axis)
        rest = drawn - 0.5 * within * self.axis
        return six - np.stack([self.axis[i] * rest[j] + self.axis[j] * rest[i] for i, j in PAIRS])

    def _by_row(self, values: Array) -> Array:
        """Values (k, G) of the groups by row, (k, n); of a single group (k, 1)."""
        return values if self.group is None or values.shape[1] == 1 else values.take(self.group, axis=1)


def moved_moments(normal: ak.NormalEquations, state: State | None, field: Field, shape: Array) -> State:
    """Mean and tensor that solve the equations about the mean of a state, as the next state."""
    step = normal.step()
    mean, second = step[:, :3], step[:, 3:]
    if normal.meat is not None:
        # What the mean has taken off the scatter; of space velocities without errors it makes n of n - 1.
        n = normal.count[:, None]
        second = second + normal.sandwich()[:, *_ROWS] * np.maximum(n - 9.0, 1.0) / np.maximum(n - 1.0, 1.0)
    second = second - mean[:, _ROWS[0]] * mean[:, _ROWS[1]]
    start = State.start(len(step), shape, field)
    values = np.concatenate([mean if state is None else state.values[:, :3] + mean, second], axis=1)
    weighing = start.moved(values - start.values, shape)  # a tensor fit to weigh residuals with
    return State(values, weighing.tensor, field, weighing.positive)


def freed(data: Sample, gradient: Array) -> Sample:
    """The sample with the flow of a velocity gradient in Galactic axes, (3, 3), taken out."""
    turn = galaxy.icrs_to_galactic()
    return velocity_model.moving(data, -turn.T @ (gradient @ (turn @ data.axes[2])))
