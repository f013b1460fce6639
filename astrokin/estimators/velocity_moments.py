"""Moments of velocities of which two or three components are known, measurement errors taken off.

A star without radial velocity shows u = P v, with P = 1 - g g^T its projection onto the sky; with all components P is
the unit matrix, with a radial velocity alone g g^T. With r = u - P m about a mean m, and the covariance C of the
measurement, the moments solve two linear systems (Dehnen & Binney 1998),

    sum r = 0,        sum (r r^T - C) = sum P Sigma P.

With x the relative error of the parallax, w what of the velocity goes with the distance and s the rest (the radial
velocity), a measured velocity is s + (w + b)(1 - x + x^2), b the error of the motion: to second order in x

    C = <b b> + sym(w (3/2 <x^2> w - 2 <b x>)) + sym((s - m) z),   <r> = z = <x^2> w - <b x>,

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
        if meat:
            scores = values.copy()
            scores[3:] -= self._expected()
        one = np.ones((1, len(self.rows)))
        projection = self._projections()
        return MomentSums(
            count=self._total(one, one)[:, 0, 0],
            projection=self._total(projection, one)[:, :, 0],
            spread=self._total(projection, projection),
            moments=self._total(values, one)[:, :, 0],
            meat=self._total(scores, scores) if meat else None,
        )

    # ---- velocities and their errors ---------------------------------------------------------------------

    def _values(self) -> Array:
        """r, and the six elements of r r^T - C, (9, n)."""
        data, mean = self.data, self._projected_mean()
        velocity = self._combined({k: data.measured[k] * self.distance for k in data.used})  # type: ignore[operator]
        out = np.empty((9, len(self.rows)))
        np.subtract(velocity, mean, out=out[:3])
        taken, shift = self._parallax_terms(velocity, mean)
        if shift is not None:
            out[:3] -= shift
        own = self._own_errors()
        for row, (i, j) in zip(out[3:], PAIRS, strict=True):
            np.multiply(velocity[i] - mean[i], velocity[j] - mean[j], out=row)
            for axis, scaled in own:
                if i < len(axis) and j < len(scaled):
                    row -= axis[i] * scaled[j]
            for one, other in taken:
                row -= one[i] * other[j] + one[j] * other[i]
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

    def _parallax_terms(self, velocity: Array, mean: Array) -> tuple[list[tuple[Array, Array]], Array | None]:
        """Pairs of vectors whose symmetric products the parallax errors add to r r^T, and what they add to r."""
        data = self.data
        if (3, 3) not in data.errors:
            return [], None
        moving = self._moving_with_distance(velocity)
        square = data.errors[3, 3] * (self.distance * self.distance)
        shift = square * moving
        still = velocity - moving - mean
        joint = {k: data.errors[k, 3] for k in data.used if (k, 3) in data.errors}
        if not joint:
            return [(moving, 1.5 * shift), (still, shift)], shift
        cross = self._combined({k: e * self.distance * self._scale(k) for k, e in joint.items()})
        return [(moving, 1.5 * shift - 2.0 * cross), (still, shift - cross)], shift - cross

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
        out = np.zeros((3, len(self.rows)))
        for k, values in local.items():
            if k == 2 and self.data.has_radial is not None:
                values = np.where(self.data.has_radial, values, 0.0)
            for row, axis in zip(out, self.data.axes[k], strict=False):
                row += axis * values
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
    start = State.first(len(step), shape, field)
    values = np.concatenate([mean if state is None else state.values[:, :3] + mean, second], axis=1)
    weighing = start.moved(values - start.values, shape)  # a tensor fit to weigh residuals with
    return State(values, weighing.tensor, field, weighing.positive)


def freed(data: Sample, gradient: Array) -> Sample:
    """The sample with the flow of a velocity gradient in Galactic axes, (3, 3), taken out."""
    turn = galaxy.icrs_to_galactic()
    return velocity_model.moving(data, -turn.T @ (gradient @ (turn @ data.axes[2])))
