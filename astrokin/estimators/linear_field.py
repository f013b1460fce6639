"""Linear velocity fields: their parameters, and the sums of a block that determine them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import galaxy, velocity_model
from astrokin.angles import dot
from astrokin.estimators.fields import OORT, SUN, Field
from astrokin.local_weights import Weights
from astrokin.summaries import group_of, grouped_product, grouped_sum

Array = NDArray[np.float64]

#: mas; stars with less lie beyond 2 kpc, where the field is no longer linear.
NEAREST_PARALLAX = 0.5
#: (km/s)^2, a disc star's dispersion: only where the iteration begins.
START = 30.0**2
#: Rows of a block from which on the first pass, which only gives a place to begin, is one in single precision.
FEW = 1 << 14
#: Rows of a sample from which on all passes are.
MANY = 100_000
#: What single precision is good for: the smallest eigenvalue of the scaled information, and the smallest information of
#: a parameter in that of its terms one by one; in double precision, the latter is noise from here on.
COARSE, NOISE = 1e-4, 1e-11


@dataclass(frozen=True)
class State:
    """Parameters (G, p + q) of the last pass, and the dispersion tensors (G, 3, 3) that the weights use.

    `first` says that the values are those before any pass; `single` that the rows are worked on in single precision:
    what that rounds, 6e-8 of what a star adds, is nothing beside the errors. The sums of the final pass on which the
    result rests are taken in double precision. `information` (G, p + q, p + q) is that of a pass before, good enough
    for a step where the parameters have moved but little since.
    """

    values: Array
    tensor: Array
    field: Field = OORT
    positive: bool = True
    settled: bool = False
    first: bool = False
    single: bool = False
    information: Array | None = None

    @classmethod
    def start(cls, n_groups: int, shape: Array, field: Field = OORT, single: bool = False) -> State:
        """Where the iteration begins."""
        return _started(n_groups, shape.tobytes(), shape.shape, field, single)

    @classmethod
    def _of_start(cls, n_groups: int, shape: Array, field: Field, single: bool) -> State:
        p = len(field.names)
        values = np.zeros((n_groups, p + shape.shape[1]))
        values[:, p:] = np.linalg.lstsq(shape, np.array([START, 0, 0, START, 0, START]), rcond=None)[0]
        tensor = np.broadcast_to(START * np.eye(3), (n_groups, 3, 3))
        return cls(values, tensor, field, first=True, single=single)

    @property
    def kind(self) -> Any:
        """What numbers the rows are worked on in."""
        return np.float32 if self.single else np.float64

    @property
    def dispersion(self) -> Array:
        return self.values[:, len(self.field.names) :]

    @cached_property
    def in_icrs(self) -> tuple[Array, Array, Array]:
        """The field as matrices on the regressors, the Sun's velocities and the dispersions, with ICRS axes."""
        rotation = galaxy.icrs_to_galactic()
        turned = rotation.T @ self.tensor @ rotation
        round_ = np.ptp(np.einsum("gii->gi", self.tensor), axis=1) == 0.0
        matrix = rotation.T @ self.field.matrix(self.values)
        return matrix, matrix[:, :, -1], np.where(round_[:, None, None], self.tensor, turned)

    def moved(self, step: Array, shape: Array) -> State:
        values, p = self.values + step, len(self.field.names)
        tensor, positive = _positive(velocity_model.symmetric(values[:, p:] @ shape.T), self.tensor)
        if not positive:
            # Back into the domain, so that a limit is reached and not run away from.
            six = tensor[:, *_ROWS]
            values[:, p:] = np.linalg.lstsq(shape, six.T, rcond=None)[0].T
        return replace(self, values=values, tensor=tensor, positive=positive, first=False, information=None)


@lru_cache(maxsize=32)
def _started(n_groups: int, elements: bytes, size: tuple[int, int], field: Field, single: bool) -> State:
    """The state of the first pass, which every block begins with."""
    return State._of_start(n_groups, np.frombuffer(elements).reshape(size), field, single)


def _positive(tensor: Array, before: Array) -> tuple[Array, bool]:
    """Tensors fit to weight with: eigenvalues below a thousandth of the largest are raised to it.

    A step to below zero went too far: it ends at a tenth of what was there before.
    """
    tensor = np.where(np.isfinite(tensor), tensor, START * np.eye(3))
    values, vectors = np.linalg.eigh(tensor)
    floor = np.maximum(1e-3 * values[:, -1:], 1e-6)
    floor = np.where(values > 0.0, floor, np.maximum(floor, 0.1 * np.linalg.eigvalsh(before)[:, :1]))
    raised = np.maximum(values, floor)
    positive = bool((values >= floor).all())
    return (tensor if positive else (vectors * raised[:, None, :]) @ vectors.swapaxes(1, 2)), positive


def first_dispersion(summary: Sums, normal: ak.NormalEquations, step: Array, start: Array) -> Array:
    """After the first pass: the scatter about the fitted field instead of about zero."""
    p = step.shape[1] - start.shape[1]
    explained = np.einsum("gi,gij,gj->g", step[:, :p], normal.matrix[:, :p, :p], step[:, :p])
    freedom = np.maximum(summary.tally[:, 2] - p, 1.0)
    scale = np.maximum(normal.misfit - explained, 1e-6) / freedom
    return start * scale[:, None]


class Terms:
    """Residuals, weights and their products for one block."""

    def __init__(self, shape: Array, data: velocity_model.Sample, rows: Any, state: State) -> None:
        self.rows, self.shape, self.field, self.data = rows, shape, state.field, data
        self.parallax, self.kind = data.parallax, data.parallax.dtype
        self.rotation = galaxy.icrs_to_galactic().astype(self.kind, copy=False)
        known, self.slopes = self._regressors()
        self.regressor = known[len(known) - len(self.field.fitted) :]
        matrix, v_sun, tensor = (self._by_row(m) for m in state.in_icrs)
        self.e = e = velocity_model.residual(data, _acting(matrix, known))
        if self.slopes is not None:
            v_sun = -_acting(matrix, self.slopes)
        self.matrix, self.tensor = matrix, tensor
        # Where nothing is known of the motions yet, parallaxes move none.
        self.moved = None
        if (3, 3) in data.errors and not (state.first and data.known_sun is None):
            self.moved = velocity_model.parallax_pull(data, v_sun, e)
            if 2 in self.moved and self._constant:
                # Not what is left when the radial velocity is taken off itself: next to no parallax that is too much.
                self.moved[2] = np.zeros_like(data.parallax)
        self.weights = Weights.of(velocity_model.variance(data, tensor, self.moved), data)
        #: W e of each row, (3, n).
        self.pull = self.weights.pull(e)

    @property
    def weight(self) -> Array:
        """W of each row, (6, n)."""
        return self.weights.matrices

    def _regressors(self) -> tuple[Array, Array | None]:
        """What the columns of the field act on, and its derivatives by the parallax unless only the last has one."""
        basis, rotation = self.field.basis, self.rotation
        if basis is not None:
            direction = rotation @ self.data.axes[2]
            slopes = basis.slopes(direction, self.parallax) if (3, 3) in self.data.errors else None
            return basis.regressors(direction, self.parallax), slopes
        axes = self.field.columns[:-1]
        out = np.empty((len(axes) + 1, len(self.rows)), self.kind)
        if axes:
            np.matmul(rotation[list(axes)], self.data.axes[2], out=out[:-1])
        np.negative(self.parallax, out=out[-1])
        return out, None

    @cached_property
    def misfit(self) -> Array:
        """e . W e of each row."""
        return self.weights.misfit(self.e)

    def _by_row(self, matrices: Array) -> Array:
        """The matrix of each row's group, (3, 3, n); just the one where there is but one group."""
        matrices = matrices.astype(self.kind, copy=False)
        if self.rows.group is None or len(matrices) == 1:
            return matrices[0]
        rows_last = np.ascontiguousarray(np.moveaxis(matrices, 0, -1))
        return np.take(rows_last, self.rows.group, axis=-1)  # a tenth of the time of matrices[group], turned round

    def sums(self, meat: bool = False, misfit: bool = True, information: bool = True) -> Sums:
        """The sums of the block, by group; with `meat` those that only the errors need."""
        pull, regressor = self.pull, self.regressor
        if meat:  # the result rests on the scores
            pull, regressor = (a.astype(np.float64, copy=False) for a in (pull, regressor))
        scores = {
            "field": self._total(pull, regressor),
            "scatter": self._scatter_of(-regressor[-1] * pull),
            "level": self._level(pull.dtype, information),
            "tally": self._tally(misfit),
        }
        if not information:
            return Sums(**scores)
        outer = velocity_model.outer(self.regressor)
        # Regressors of a basis nearly cancel where stars are near.
        exact = meat and self.field.basis is not None
        weight = self._total(self.weight.astype(np.float64, copy=False) if exact else self.weight, outer)
        spread = self._spread()
        if not meat:
            return Sums(**scores, weight=weight, spread=spread)
        pull = self.parallax * self.pull
        errors = {"meat": self._meat(pull), "leverage": self._leverage(outer), "bias": self._bias()}
        return Sums(**scores, weight=weight, spread=spread, **errors)

    def _scatter_of(self, pull: Array) -> Array:
        """Sums of the products of the components of vectors (3, n), (G, 3, 3); (G, 1, 1) with their trace."""
        if self.isotropic:
            return self._summed(dot(pull, pull)[None])[:, :, None]
        return velocity_model.symmetric(self._summed(velocity_model.outer(pull)))

    def _level(self, kind: Any, known: bool) -> Array:
        """Sums of parallax^2 W, (G, 3, 3); (G, 1, 1) with their trace. `known`: the weights are wanted anyway."""
        square = self.parallax * self.parallax
        if self.isotropic:
            trace = self.weight[0] + self.weight[3] + self.weight[5] if known else self.weights.trace
            return self._summed((square * trace).astype(kind, copy=False)[None])[:, :, None]
        return velocity_model.symmetric(self._summed((square * self.weight).astype(kind, copy=False)))

    def _summed(self, values: Array) -> Array:
        """Sums of values (k, n) over the rows, (G, k); pairwise, so that single precision loses nothing."""
        if self.rows.group is None and self.rows.weight is None:
            return values.sum(axis=1)[None].astype(np.float64, copy=False)
        group, n_groups = group_of(self.rows)
        times = self.rows.weight
        return grouped_sum(values if times is None else values * times, group, n_groups)

    def _spread(self) -> Array:
        """Sums of parallax^4 W W (G, 6, 6); of their trace alone, (G, 1, 1), where the dispersion is isotropic."""
        square = self.parallax * self.parallax
        if self.isotropic:
            return self._total((square * square)[None], self.weights.trace_of_square[None])
        spread = square * self.weight
        return self._total(spread, spread)

    def _leverage(self, outer: Array) -> Array:
        """Sums of parallax^2 W W xi xi, (G, 21, s): what the fitted field takes off the scatter.

        Of the matrix products W W alone, (G, 6, s), where the dispersion is isotropic.
        """
        if self.isotropic:
            product = self.weights.squared
            product *= self.parallax * self.parallax
            return self._total(product, outer)
        return self._total(velocity_model.outer(self.parallax * self.weight), outer)

    def _bias(self) -> Array:
        """What parallax errors add to `Sums.field` on average, to their second order, (G, 3, r).

        Regressors and weights change with the parallax as the residuals do: the mean of (d(X^T W)/d parallax) times
        the covariance of the parallax with the residuals, and half the curvature of the field times its variance.
        """
        data = self.data
        if self.moved is None:
            return self._total(np.zeros_like(self.pull), self.regressor)
        loose = velocity_model.parallax_covariance(data, self.moved)
        drawn = self.weights.pull([loose.get(a) for a in range(3)])
        turned = 2.0 * self.parallax * _acting(self.tensor, drawn)
        curved = self._curvature()
        if curved is not None:
            turned += (0.5 * data.errors[3, 3]) * curved
        if (2, 2) in data.errors and 2 in data.used:
            outward = data.axes[2]
            turned += outward * (2.0 * self.parallax * data.errors[2, 2] * dot(outward, drawn))
        less = self._total(self.weights.acting(turned), self.regressor)
        if self.slopes is not None:
            return self._total(drawn, self.slopes) - less
        less[:, :, -1] += self._total(drawn, self._ones)[:, :, 0]
        return -less

    def _curvature(self) -> Array | None:
        """Second derivative of the model by the parallax, (3, n); None where it has none."""
        if self.field.basis is None:
            return None
        # Of double precision: this is a difference of what differs little.
        parallax, direction = self.parallax.astype(np.float64), galaxy.icrs_to_galactic() @ self.data.axes[2]
        step = 1e-4 * parallax
        ends = [self.field.basis.slopes(direction, parallax + sign * step) for sign in (1.0, -1.0)]
        return _acting(self.matrix, ((ends[0] - ends[1]) / (2.0 * step)).astype(self.kind, copy=False))

    def _tally(self, misfit: bool) -> Array:
        """Rows, misfit, measured components and rows beyond the linear domain by group, (G, 4)."""
        components = self.data.components
        far = self.parallax < NEAREST_PARALLAX
        if self.rows.group is None and self.rows.weight is None:
            n = len(self.rows)
            measured = float(np.sum(components)) if np.ndim(components) else float(components) * n
            return np.array([[n, self.misfit.sum() if misfit else 0.0, measured, np.count_nonzero(far)]])
        one = self._ones[0]
        parts = [one, self.misfit if misfit else 0.0 * one, one * components, far]
        return self._total(self._ones, np.stack(parts))[:, 0]

    @property
    def _constant(self) -> bool:
        """Whether the field is the same everywhere, so that no radial residual depends on the distance."""
        field = self.field
        return field.columns == (SUN,) and field.basis is None and self.data.known_sun is None

    @property
    def isotropic(self) -> bool:
        """Whether the dispersion is one number."""
        return self.shape.shape[1] == 1

    @cached_property
    def _ones(self) -> Array:
        return np.ones((1, len(self.rows)), self.kind)

    def _total(self, a: Array, b: Array) -> Array:
        group, n_groups = group_of(self.rows)
        times = self.rows.weight
        total = grouped_product(a if times is None else a * times, b, group, n_groups)
        return total.astype(np.float64, copy=False)

    def _meat(self, pull: Array) -> Array:
        """Sums of the products of the rows' scores, (G, 3 r + q, 3 r + q)."""
        # In double precision: of groups of parameters that nearly cancel the sums hold the errors.
        scores = self.scores(pull).astype(np.float64, copy=False)
        return self._total(scores, scores)

    def scores(self, pull: Array) -> Array:
        """(W e)_i xi_k, and the scores of the dispersion, (3 r + q, n)."""
        r = len(self.regressor)
        scores = np.empty((3 * r + self.shape.shape[1], len(self.rows)), self.kind)
        for i in range(3):
            np.multiply(self.pull[i], self.regressor, out=scores[i * r : (i + 1) * r])
        scores[3 * r :] = self._scatter(pull)
        return scores

    def _scatter(self, pull: Array) -> Array:
        """Scores of the dispersion parameters, half the parts of parallax^2 (W e e^T W - W), (q, n)."""
        square = self.parallax * self.parallax
        if self.isotropic:
            return 0.5 * (dot(pull, pull) - square * self.weights.trace)[None]
        scatter = velocity_model.outer(self.rotation @ pull)
        scatter -= velocity_model.turning(self.rotation).astype(self.kind, copy=False) @ (square * self.weight)
        return (0.5 * velocity_model.TWICE[:, None] * self.shape).T.astype(self.kind) @ scatter


def _acting(matrix: Array, on: Array) -> Array:
    """Matrices (3, m), or one per row (3, m, n), times vectors (m, n)."""
    return matrix @ on if matrix.ndim == 2 else np.einsum("ijn,jn->in", matrix, on)


#: Rows and columns of the six elements of a symmetric matrix.
_ROWS = tuple(np.array(velocity_model.PAIRS).T)


@dataclass(frozen=True)
class Sums:
    """What a pass collects, group axis first: sums over rows, vectors and matrices in ICRS axes.

    Attributes
    ----------
    field : ndarray, shape (G, 3, r)
        Sums of (W e)_i xi_k with the r regressors xi, of which the last is minus the parallax.
    level : ndarray, shape (G, 3, 3)
        Sums of parallax^2 W_ij; (G, 1, 1) with their trace where the dispersion is isotropic.
    scatter : ndarray, shape (G, 3, 3)
        Sums of parallax^2 (W e)_i (W e)_j; (G, 1, 1) with their trace where the dispersion is isotropic.
    tally : ndarray, shape (G, 4)
        Rows, misfit (where asked for), measured components, and rows beyond the linear domain.
    weight : ndarray, shape (G, 6, s), optional
        Sums of W_ij xi_k xi_m, s = r (r + 1)/2.
    spread : ndarray, shape (G, 6, 6), optional
        Sums of parallax^4 W_ij W_km; (G, 1, 1) with their trace where the dispersion is isotropic.
    meat : ndarray, shape (G, 3 r + q, 3 r + q), optional
        Sums of the products of the rows' (W e)_i xi_k and scores of the dispersion.
    leverage : ndarray, shape (G, 21, s), optional
        Sums of parallax^2 W_ij W_km xi_n xi_o; (G, 6, s) with those of W W where the dispersion is isotropic.
    bias : ndarray, shape (G, 3, r), optional
        What parallax errors have added to `field`.
    """

    field: Array
    level: Array
    scatter: Array
    tally: Array
    weight: Array | None = None
    spread: Array | None = None
    meat: Array | None = None
    leverage: Array | None = None
    bias: Array | None = None

    def merge(self, other: Sums) -> Sums:
        """The sums of both blocks."""
        return Sums(*(_added(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)))

    def coarse(self, shape: Array, field: Field = OORT) -> bool:
        """Whether the information is too nearly singular, or the sums too large, for single precision."""
        scores = (self.field, self.scatter, self.level)
        if not all(np.isfinite(part).all() for part in scores):
            return True
        if self.weight is None:
            return False
        with np.errstate(invalid="ignore", over="ignore"):
            return not bool((self.normal_equations(shape, field, COARSE).conditioning > COARSE).all())

    def normal_equations(
        self, shape: Array, field: Field = OORT, noise: float = NOISE, information: Array | None = None
    ) -> ak.NormalEquations:
        """Score and expected information of the parameters of the field and the dispersion."""
        rotation = galaxy.icrs_to_galactic()
        if shape.shape[1] == 1:
            scatter = 0.5 * (self.scatter - self.level)[:, 0]
        else:
            turned = rotation @ (self.scatter - self.level) @ rotation.T
            scatter = 0.5 * turned[:, *_ROWS] * velocity_model.TWICE @ shape
        matrix = self._information(shape, field, noise) if information is None else information
        return ak.NormalEquations(
            matrix=matrix,
            vector=np.concatenate([field.combined(rotation @ self.field), scatter], axis=1),
            misfit=self.tally[:, 1],
            count=self.tally[:, 0],
            meat=None if self.meat is None else self._meat_of_parameters(shape, field),
        )

    def _information(self, shape: Array, field: Field, noise: float) -> Array:
        """Expected information of all parameters, (G, p + q, p + q)."""
        assert self.weight is not None
        assert self.spread is not None
        turning = velocity_model.turning(galaxy.icrs_to_galactic())
        spread = self.spread if self.spread.shape[1] == 1 else turning @ self.spread @ turning.T
        return _information(turning @ self.weight, spread, shape, field, noise)

    def _meat_of_parameters(self, shape: Array, field: Field) -> Array:
        """The sums of the products of the scores of the parameters, (G, p + q, p + q)."""
        assert self.meat is not None
        scores = of_parameters(shape, field)
        return scores @ self.meat @ scores.T

    def correction(self, normal: ak.NormalEquations, shape: Array, field: Field = OORT) -> Array:
        """What is to be added to the scores, (G, p + q), in the final pass.

        For the field what parallax errors have added on average is taken off, for the dispersion what the fitted field
        has taken off is added: the slope of -1/2 ln |X^T W X|, of the restricted likelihood (Patterson, Thompson 1971).
        """
        p = len(field.names)
        out = np.zeros_like(normal.vector)
        if self.leverage is None or self.bias is None:
            return out
        out[:, :p] = -field.combined(galaxy.icrs_to_galactic() @ self.bias)
        inverse = normal.inverse[:, :p, :p]
        for c, tensor in enumerate(velocity_model.symmetric(shape.T)):
            about = self._leverage_about(tensor)
            out[:, p + c] = 0.5 * np.einsum("gkl,klijs,gijs->g", inverse, field.products, about)
        return out

    def _leverage_about(self, tensor: Array) -> Array:
        """Sums of parallax^2 (W tensor W)_ij xi xi in Galactic axes, (G, 3, 3, s)."""
        assert self.leverage is not None
        turning, place = velocity_model.turning(galaxy.icrs_to_galactic()), velocity_model.PLACE
        if self.leverage.shape[1] == 6:  # the tensor is the unit matrix
            return (turning @ self.leverage)[:, place]
        whole = self.leverage[:, velocity_model.places(6)]
        whole = np.einsum("pq,rt,gqts->gprs", turning, turning, whole)
        return np.einsum("ab,giabjs->gijs", tensor, whole[:, place][:, :, :, place])


def of_parameters(shape: Array, field: Field) -> Array:
    """What makes the scores of the parameters of those of `Terms.scores`, (p + q, 3 r + q)."""
    p, q, r = len(field.names), shape.shape[1], len(field.fitted)
    out = np.zeros((p + q, 3 * r + q))
    turned = np.einsum("pik,ij->pjk", field.elements[:, :, field.fitted], galaxy.icrs_to_galactic())
    out[:p, : 3 * r] = turned.reshape(p, 3 * r)
    out[p:, 3 * r :] = np.eye(q)
    return out


def _added(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a + b


def _information(weight: Array, spread: Array, shape: Array, field: Field, noise: float) -> Array:
    """Expected information of all parameters from sums in Galactic axes, (G, p + q, p + q)."""
    p, q = len(field.names), shape.shape[1]
    out = np.zeros((len(weight), p + q, p + q))
    out[:, :p, :p] = np.tensordot(weight, field.information, ([1, 2], [2, 3]))
    size = np.tensordot(np.abs(weight), np.abs(np.einsum("ppij->pij", field.information)), ([1, 2], [1, 2]))
    for k in range(p):
        # The information is but the round-off of terms that cancel: the parameter is not determined.
        none = out[:, k, k] <= noise * size[:, k]
        out[none, k, :] = out[none, :, k] = 0.0
    if spread.shape[1] == 1:
        out[:, p:, p:] = 0.5 * spread
    else:
        out[:, p:, p:] = shape.T @ velocity_model.dispersion_information(spread) @ shape
    return out
