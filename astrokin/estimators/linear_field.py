"""The linear velocity field of Oort's constants: its parameters, and the sums of a block that determine them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import galaxy, velocity_model
from astrokin.angles import dot
from astrokin.summaries import group_of, grouped_product

Array = NDArray[np.float64]

#: The parameters of the field.
NAMES = ("A", "B", "C", "K", "U", "V", "W")
#: Elements of (T | v_sun) in the order of their sums, by the parameters: T = [[K + C, A - B], [A + B, K - C]].
COMBINATIONS = {
    "A": ((0, 1, 1.0), (1, 0, 1.0)),
    "B": ((0, 1, -1.0), (1, 0, 1.0)),
    "C": ((0, 0, 1.0), (1, 1, -1.0)),
    "K": ((0, 0, 1.0), (1, 1, 1.0)),
    "U": ((0, 2, 1.0),),
    "V": ((1, 2, 1.0),),
    "W": ((2, 2, 1.0),),
}
#: mas; stars with less lie beyond 2 kpc, where the field is no longer linear.
NEAREST_PARALLAX = 0.5
#: (km/s)^2, a disc star's dispersion: only where the iteration begins.
START = 30.0**2


@dataclass(frozen=True)
class State:
    """Parameters (G, 7 + q) of the last pass, and the dispersion tensors (G, 3, 3) that the weights use."""

    values: Array
    tensor: Array
    positive: bool = True
    settled: bool = False

    @classmethod
    def first(cls, n_groups: int, shape: Array) -> State:
        values = np.zeros((n_groups, 7 + shape.shape[1]))
        values[:, 7:] = np.linalg.lstsq(shape, np.array([START, 0, 0, START, 0, START]), rcond=None)[0]
        return cls(values, np.broadcast_to(START * np.eye(3), (n_groups, 3, 3)))

    @property
    def dispersion(self) -> Array:
        return self.values[:, 7:]

    @property
    def field(self) -> Array:
        """(T | v_sun) as matrices (G, 3, 3) that act on (g_x, g_y, -parallax)."""
        out = np.zeros((len(self.values), 3, 3))
        for k, name in enumerate(NAMES):
            for i, j, sign in COMBINATIONS[name]:
                out[:, i, j] += sign * self.values[:, k]
        return out

    @property
    def in_icrs(self) -> tuple[Array, Array]:
        """The field and the dispersion tensors with ICRS axes in the place of the Galactic ones."""
        rotation = galaxy.icrs_to_galactic()
        turned = rotation.T @ self.tensor @ rotation
        round_ = np.ptp(np.einsum("gii->gi", self.tensor), axis=1) == 0.0
        return rotation.T @ self.field, np.where(round_[:, None, None], self.tensor, turned)

    def moved(self, step: Array, shape: Array) -> State:
        values = self.values + step
        tensor, positive = _positive(velocity_model.symmetric(values[:, 7:] @ shape.T))
        if not positive:
            # Back into the domain, so that a limit is reached and not run away from.
            six = tensor[:, *_ROWS]
            values[:, 7:] = np.linalg.lstsq(shape, six.T, rcond=None)[0].T
        return State(values, tensor, positive)

    def with_settled(self, settled: bool) -> State:
        return State(self.values, self.tensor, self.positive, settled)


def _positive(tensor: Array) -> tuple[Array, bool]:
    """Tensors fit to weight with: eigenvalues below a thousandth of the largest are raised to it."""
    tensor = np.where(np.isfinite(tensor), tensor, START * np.eye(3))
    values, vectors = np.linalg.eigh(tensor)
    floor = np.maximum(1e-3 * values[:, -1:], 1e-6)
    raised = np.maximum(values, floor)
    positive = bool((values >= floor).all())
    return (tensor if positive else (vectors * raised[:, None, :]) @ vectors.swapaxes(1, 2)), positive


def first_dispersion(summary: Sums, normal: ak.NormalEquations, step: Array, start: Array) -> Array:
    """After the first pass: the scatter about the fitted field instead of about zero."""
    field = step[:, :7]
    explained = np.einsum("gi,gij,gj->g", field, normal.matrix[:, :7, :7], field)
    freedom = np.maximum(summary.tally[:, 2] - 7, 1.0)
    scale = np.maximum(normal.misfit - explained, 1e-6) / freedom
    return start * scale[:, None]


class Terms:
    """Residuals, weights and their products for one block."""

    def __init__(self, shape: Array, use: tuple[str, ...], rows: Any, state: State) -> None:
        self.rows, self.shape = rows, shape
        self.data = data = velocity_model.sample(rows, use)
        self.parallax = data.parallax
        self.regressor = np.empty((3, len(rows)))
        np.matmul(galaxy.icrs_to_galactic()[:2], data.axes[2], out=self.regressor[:2])
        np.negative(data.parallax, out=self.regressor[2])
        field, tensor = (self._by_row(m) for m in state.in_icrs)
        motion = field @ self.regressor if field.ndim == 2 else np.einsum("ijn,jn->in", field, self.regressor)
        e = velocity_model.residual(data, motion)
        local = velocity_model.inverse(velocity_model.variance(data, tensor, field[:, 2], e), data)
        drawn = velocity_model.columns(local, data)
        self.pull, self.weight = velocity_model.pulls(drawn, e, data), velocity_model.matrices(drawn, data)
        self.local, self.e = local, e

    @cached_property
    def misfit(self) -> Array:
        """e . W e of each row."""
        return velocity_model.misfit(self.local, self.e)

    def _by_row(self, matrices: Array) -> Array:
        """The matrix of each row's group, (3, 3, n); just the one where there is but one group."""
        if self.rows.group is None or len(matrices) == 1:
            return matrices[0]
        return np.ascontiguousarray(np.moveaxis(matrices[self.rows.group], 0, -1))

    def sums(self, meat: bool) -> Sums:
        """The sums of the block, by group; with `meat` those of the products of the scores."""
        total = self._total
        pull = self.parallax * self.pull
        return Sums(
            weight=total(self.weight, velocity_model.outer(self.regressor)),
            spread=self._spread(),
            field=total(self.pull, self.regressor),
            scatter=total(pull, pull),
            tally=self._tally(),
            meat=self._meat(pull) if meat else None,
        )

    def _spread(self) -> Array:
        """Sums of parallax^4 W W (G, 6, 6); of their trace alone, (G, 1, 1), where the dispersion is isotropic."""
        square = self.parallax * self.parallax
        if self.isotropic:
            return self._total((square * square)[None], velocity_model.trace_of_square(self.local)[None])
        spread = square * self.weight
        return self._total(spread, spread)

    def _tally(self) -> Array:
        """Rows, misfit, measured components and rows beyond the linear domain by group, (G, 4)."""
        components = self.data.components
        if self.rows.group is None and self.rows.weight is None:
            n = len(self.rows)
            measured = np.sum(components) if np.ndim(components) else float(components) * n
            return np.array([[n, self.misfit.sum(), measured, np.count_nonzero(self.parallax < NEAREST_PARALLAX)]])
        far = self.parallax < NEAREST_PARALLAX
        return self._total(self._ones, np.stack([self._ones[0], self.misfit, self._ones[0] * components, far]))[:, 0]

    @property
    def isotropic(self) -> bool:
        """Whether the dispersion is one number."""
        return self.shape.shape[1] == 1

    @cached_property
    def _ones(self) -> Array:
        return np.ones((1, len(self.rows)))

    def _total(self, a: Array, b: Array) -> Array:
        group, n_groups = group_of(self.rows)
        times = self.rows.weight
        return grouped_product(a if times is None else a * times, b, group, n_groups)

    def _meat(self, pull: Array) -> Array:
        """Sums of the products of the rows' own scores, (G, 7 + q, 7 + q)."""
        e, r = galaxy.icrs_to_galactic() @ self.pull, self.regressor
        xy, yx, xx, yy = e[0] * r[1], e[1] * r[0], e[0] * r[0], e[1] * r[1]
        field = [xy + yx, yx - xy, xx - yy, xx + yy, e[0] * r[2], e[1] * r[2], e[2] * r[2]]
        scores = np.concatenate([np.stack(field), self._scatter(pull)])
        return self._total(scores, scores)

    def _scatter(self, pull: Array) -> Array:
        """Scores of the dispersion parameters, half the parts of parallax^2 (W e e^T W - W), (q, n)."""
        square = self.parallax * self.parallax
        if self.isotropic:
            return 0.5 * (dot(pull, pull) - square * velocity_model.trace(self.local))[None]
        rotation = galaxy.icrs_to_galactic()
        scatter = velocity_model.outer(rotation @ pull)
        scatter -= velocity_model.turning(rotation) @ (square * self.weight)
        return (0.5 * velocity_model.TWICE[:, None] * self.shape).T @ scatter


#: Rows and columns of the six elements of a symmetric matrix.
_ROWS = tuple(np.array(velocity_model.PAIRS).T)


def _combined(sums: Array) -> Array:
    """Sums (G, 3, 3) over components and regressors, as those of A, B, C, K, U, V, W: (G, 7)."""
    return np.stack([sum(sign * sums[:, i, j] for i, j, sign in COMBINATIONS[k]) for k in NAMES], axis=1)


def _field_map() -> Array:
    """What each sum of W_ik g_j g_m (as 6 x 6) adds to the information of each pair of A, B, C, K, U, V, W."""
    out = np.zeros((7, 7, 6, 6))
    place = velocity_model.PLACE
    for p, one in enumerate(NAMES):
        for r, other in enumerate(NAMES):
            for i, j, s in COMBINATIONS[one]:
                for k, m, t in COMBINATIONS[other]:
                    out[p, r, place[i, k], place[j, m]] += s * t
    return out


_FIELD_MAP = _field_map()
_SIZE_MAP = np.abs(np.einsum("ppij->pij", _FIELD_MAP))


@dataclass(frozen=True)
class Sums:
    """What a pass collects, group axis first: sums over rows, vectors and matrices in ICRS axes.

    Attributes
    ----------
    weight : ndarray, shape (G, 6, 6)
        Sums of W_ij xi_k xi_m with the regressors xi = (g_x, g_y, -parallax).
    spread : ndarray, shape (G, 6, 6)
        Sums of parallax^4 W_ij W_km; (G, 1, 1) with their trace where the dispersion is isotropic.
    field : ndarray, shape (G, 3, 3)
        Sums of (W e)_i xi_k.
    scatter : ndarray, shape (G, 3, 3)
        Sums of parallax^2 (W e)_i (W e)_j.
    tally : ndarray, shape (G, 4)
        Rows, misfit, measured components, and rows beyond the linear domain.
    meat : ndarray, shape (G, 7 + q, 7 + q), optional
        Sums of the products of the rows' scores.
    """

    weight: Array
    spread: Array
    field: Array
    scatter: Array
    tally: Array
    meat: Array | None

    def merge(self, other: Sums) -> Sums:
        """The sums of both blocks."""
        sums = {f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self) if f.name != "meat"}
        both = self.meat is not None and other.meat is not None
        return Sums(**sums, meat=self.meat + other.meat if both else None)  # type: ignore[operator]

    def normal_equations(self, shape: Array) -> ak.NormalEquations:
        """Score and expected information of A, B, C, K, U, V, W and the dispersion parameters."""
        rotation = galaxy.icrs_to_galactic()
        turning = velocity_model.turning(rotation)
        weight = turning @ self.weight
        spread = self.spread if self.spread.shape[1] == 1 else turning @ self.spread @ turning.T
        # parallax^2 is the square of the last regressor: sums of parallax^2 W stand among the weights.
        scatter = (rotation @ self.scatter @ rotation.T)[:, *_ROWS] - weight[:, :, 5]
        return ak.NormalEquations(
            matrix=_information(weight, spread, shape),
            vector=np.concatenate(
                [_combined(rotation @ self.field), 0.5 * scatter * velocity_model.TWICE @ shape], axis=1
            ),
            misfit=self.tally[:, 1],
            count=self.tally[:, 0],
            meat=self.meat,
        )


def _information(weight: Array, spread: Array, shape: Array) -> Array:
    """Expected information of all parameters from sums in Galactic axes, (G, 7 + q, 7 + q)."""
    q = shape.shape[1]
    out = np.zeros((len(weight), 7 + q, 7 + q))
    out[:, :7, :7] = np.tensordot(weight, _FIELD_MAP, ([1, 2], [2, 3]))
    size = np.tensordot(np.abs(weight), _SIZE_MAP, ([1, 2], [1, 2]))
    for p in range(7):
        # The information is but the round-off of terms that cancel: the parameter is not determined.
        noise = out[:, p, p] <= 1e-11 * size[:, p]
        out[noise, p, :] = out[noise, :, p] = 0.0
    if spread.shape[1] == 1:
        out[:, 7:, 7:] = 0.5 * spread
    else:
        out[:, 7:, 7:] = shape.T @ velocity_model.dispersion_information(spread) @ shape
    return out
