"""Moments of velocities of which two or three components are known, measurement errors taken off.

A star without radial velocity shows u = P v, with P = 1 - g g^T its projection onto the sky; with all components P is
the unit matrix, with a radial velocity alone g g^T. With r = u - P m about a mean m, and the covariance C of the
measurement, the moments solve two linear systems (Dehnen & Binney 1998),

    sum r = 0,        sum (r r^T - C) = sum P Sigma P.

With x the relative error of the parallax, w what of the velocity goes with the distance and s the rest (the radial
velocity), a measured velocity is s + (w + b)(1 - x + x^2), b the error of the motion: to second order in x

    C = <b b> + sym(<x^2> w (r + w/2)) - sym(<b x> (r + w)),   <r> = <x^2> w - <b x>,

with sym(a b) = a b^T + b a^T.

All vectors and matrices of a row stand in ICRS axes, or the axes of the sample.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import galaxy, velocity_model
from astrokin.estimators.fields import Field
from astrokin.estimators.linear_field import State
from astrokin.summaries import group_of, grouped_product
from astrokin.units import A
from astrokin.velocity_model import PAIRS, TWICE, Sample

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


class Moments:
    """Velocities about a mean, and what of their products the errors make, for one block.

    Parameters
    ----------
    data : Sample
        With positive parallaxes.
    rows : Stars
    state : State or None
        Of the last pass; about zero where there is none.
    """

    def __init__(self, data: Sample, rows: Any, state: State | None) -> None:
        self.data, self.rows = data, rows
        self.group, self.n_groups = group_of(rows)
        self.distance = 1.0 / data.parallax
        self.hidden = self._hidden()
        matrices = None if state is None else state.in_icrs
        self.mean = None if matrices is None else self._by_row(-matrices[1][:, :, None])[:, 0]
        self.tensor = None if matrices is None else matrices[2]

    def sums(self, meat: bool = False) -> MomentSums:
        """The sums of the block, by group; with `meat` those that only the errors need."""
        values = self._values()
        one = np.ones((1, len(self.rows)))
        totals = self._total(values, one)[:, :, 0]
        count, moments = totals[:, 9], totals[:, :9]
        if self.hidden is None and not self._radial_alone:  # every P is the unit matrix
            projection, spread = np.outer(count, _UNIT), np.multiply.outer(count, np.outer(_UNIT, _UNIT))
        else:
            parts = self._projections()
            projection, spread = self._total(parts, one)[:, :, 0], self._total(parts, parts)
        scores = values[:9]
        if meat:
            scores[3:] -= self._expected()
        return MomentSums(count, projection, spread, moments, self._total(scores, scores) if meat else None)

    # ---- velocities and their errors ---------------------------------------------------------------------

    def _values(self) -> Array:
        """r, the six elements of r r^T - C, and 1, (10, n)."""
        data, mean = self.data, self._projected_mean()
        velocity = self._combined({k: data.measured[k] * self.distance for k in data.used})  # type: ignore[operator]
        out = np.empty((10, len(self.rows)))
        r, out[9] = np.subtract(velocity, mean, out=out[:3]), 1.0
        taken, shift = self._parallax_terms(velocity, r)
        own = self._own_errors()
        part = np.empty(len(self.rows))
        for row, (i, j) in zip(out[3:], PAIRS, strict=False):
            np.multiply(r[i], r[j], out=row)
            for axis, scaled in own:
                if i < len(axis) and j < len(scaled):
                    row -= np.multiply(axis[i], scaled[j], out=part)
            for one, other in taken:
                row -= np.multiply(one[i], other[j], out=part)
                row -= np.multiply(one[j], other[i], out=part)
        if shift is not None:
            r -= shift
        return out

    def _own_errors(self) -> list[tuple[Array, Array]]:
        """Pairs of vectors whose products add up to <b b>."""
        data = self.data
        local = {(a, b): e * (self._scale(a) * self._scale(b)) for (a, b), e in data.errors.items() if b != 3}
        drawn = {}
        for a in data.used:
            terms = [(b, local[min(a, b), max(a, b)]) for b in data.used if (min(a, b), max(a, b)) in local]
            if terms:
                drawn[a] = [element * data.axes[b] for b, element in terms]
        return [(data.axes[a], vector) for a, vectors in drawn.items() for vector in vectors]

    def _parallax_terms(self, velocity: Array, r: Array) -> tuple[list[tuple[Array, Array]], Array | None]:
        """Pairs of vectors whose symmetric products the parallax errors add to r r^T, and what they add to r."""
        data = self.data
        if (3, 3) not in data.errors:
            return [], None
        moving = self._moving_with_distance(velocity)
        square = data.errors[3, 3] * (self.distance * self.distance)
        shift = square * moving
        joint = {k: data.errors[k, 3] for k in data.used if (k, 3) in data.errors}
        pairs = [(shift, r + 0.5 * moving)]
        if not joint:
            return pairs, shift
        cross = self._combined({k: e * self.distance * self._scale(k) for k, e in joint.items()})
        return [*pairs, (-cross, r + moving)], shift - cross

    def _moving_with_distance(self, velocity: Array) -> Array:
        """What of a velocity goes with the distance: the tangential part, less what is known of the Sun's."""
        data, out = self.data, velocity
        if data.known_sun is not None:
            out = out - self._projected(data.known_sun)
        if 2 not in data.used:
            return out
        radial = np.asarray(data.radial_velocity)
        return out - (radial if data.has_radial is None else np.where(data.has_radial, radial, 0.0)) * data.axes[2]

    def _scale(self, k: int) -> Any:
        """What makes a velocity of the local component k."""
        return A * self.distance if k < 2 else 1.0

    def _combined(self, local: dict[int, Any]) -> Array:
        """A vector (3, n) from some of its local components; zero for a radial velocity that is not there."""
        if 2 in local and self.data.has_radial is not None:
            local = {**local, 2: np.where(self.data.has_radial, local[2], 0.0)}
        first, *others = sorted(local, key=lambda k: -len(self.data.axes[k]))
        out = np.zeros((3, len(self.rows)))
        np.multiply(self.data.axes[first], local[first], out=out[: len(self.data.axes[first])])
        for k in others:
            for row, axis in zip(out, self.data.axes[k], strict=False):
                row += axis * local[k]
        return out

    # ---- projections -------------------------------------------------------------------------------------

    def _hidden(self) -> Array | None:
        """The directions along which nothing is known, zero where there is none; None where there is none at all."""
        if 2 not in self.data.used:
            return self.data.axes[2]
        has = self.data.has_radial
        return None if has is None or 0 not in self.data.used else self.data.axes[2] * ~has

    @property
    def _radial_alone(self) -> bool:
        return self.data.used == (2,)

    def _projected(self, vector: Array) -> Array:
        """P times vectors (3, n) or (3, 1)."""
        axis = self.data.axes[2] if self._radial_alone else self.hidden
        if axis is None:
            return vector
        along = axis * (axis * vector).sum(axis=0)
        return along if self._radial_alone else vector - along

    def _projected_mean(self) -> Array:
        return np.zeros((3, 1)) if self.mean is None else self._projected(self.mean.reshape(3, -1))

    def _projections(self) -> Array:
        """The six elements of P, (6, n)."""
        if self._radial_alone:
            return velocity_model.outer(self.data.axes[2])
        if self.hidden is None:
            return np.repeat(_UNIT[:, None], len(self.rows), axis=1)
        out = velocity_model.outer(self.hidden)
        return np.subtract(_UNIT[:, None], out, out=out)

    def _expected(self) -> Array:
        """The six elements of P Sigma P, (6, n)."""
        assert self.tensor is not None
        whole = self._by_row(self.tensor).reshape(3, 3, -1)
        six = whole[tuple(np.array(PAIRS).T)]
        axis = self.data.axes[2] if self._radial_alone else self.hidden
        if axis is None:
            return six
        drawn = np.einsum("ijn,jn->in", np.broadcast_to(whole, (3, 3, axis.shape[1])), axis)
        along = (axis * drawn).sum(axis=0)
        if self._radial_alone:
            return along * velocity_model.outer(axis)
        rest = drawn - 0.5 * along * axis
        cross = np.stack([axis[i] * rest[j] + axis[j] * rest[i] for i, j in PAIRS])
        return six - cross

    def _by_row(self, matrices: Array) -> Array:
        if self.group is None or len(matrices) == 1:
            return matrices[0]
        return np.repeat(np.moveaxis(matrices, 0, -1), np.bincount(self.group, minlength=len(matrices)), axis=-1)

    def _total(self, a: Array, b: Array) -> Array:
        times = self.rows.weight
        return grouped_product(a if times is None else a * times, b, self.group, self.n_groups)


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
