"""Proper-motion fields in vector spherical harmonics of first and second degree, and the sums that determine them.

An electric (spheroidal) harmonic is the tangent part of a vector that is linear in the direction r: g for the
glide, 2 Q r for a quadrupole Q. A magnetic (toroidal) one is the same turned by a right angle, -r x S. So in the
local axes of a source (east p, north q) all of them are made of the components

    a = p . E(r),   b = q . E(r):    electric (a, b),   magnetic (b, -a),

and no trigonometric function is needed. With the weights W = S^-1 of the two components of the proper motion,
the normal equations of all parameters follow from the sums of W_11, W_12 and W_22 times the products of a and b.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin.summaries import group_of, grouped_product

Array = NDArray[np.float64]
Errors = tuple[Array, Array | None, Array, NDArray[np.bool_] | None]

SPIN = ("spin_x", "spin_y", "spin_z")
GLIDE = ("glide_x", "glide_y", "glide_z")
ELECTRIC = ("e20", "e21r", "e21i", "e22r", "e22i")
MAGNETIC = ("m20", "m21r", "m21i", "m22r", "m22i")
#: The parameters of a field by its degree, in the order of the results.
NAMES = {1: SPIN + GLIDE, 2: SPIN + GLIDE + ELECTRIC + MAGNETIC}

#: The smallest dispersion, (1e-10 mas/yr)^2: below it there is nothing but round-off.
FLOOR = 1e-20
#: Rows that are worked on at a time, so that their products stay in the cache.
_PIECE = 1 << 12


@lru_cache(maxsize=1)
def _quadrupoles() -> Array:
    """Matrices (15, 3) that stand over one another, E(r) = M r of e20, e21r, e21i, e22r, e22i.

    Gradients of the quadratic forms Y_20, 2 Re Y_21, -2 Im Y_21, 2 Re Y_22, -2 Im Y_22, over sqrt(6).
    """
    zonal = np.sqrt(5.0 / (16.0 * np.pi)) * np.diag([-1.0, -1.0, 2.0])
    one, two = np.sqrt(15.0 / (8.0 * np.pi)), np.sqrt(15.0 / (32.0 * np.pi))
    forms = [zonal, -2.0 * one * _product(0, 2), 2.0 * one * _product(1, 2)]
    forms += [2.0 * two * np.diag([1.0, -1.0, 0.0]), -4.0 * two * _product(0, 1)]
    return np.concatenate(forms) * (2.0 / np.sqrt(6.0))


def _product(i: int, j: int) -> Array:
    """The matrix of the quadratic form x_i x_j."""
    out = np.zeros((3, 3))
    out[i, j] = out[j, i] = 0.5
    return out


def components(axes: tuple[Array, Array, Array], degree: int) -> Array:
    """The components a, then b, of the electric fields at each source, (2 k - 1, n): p has no third component.

    Parameters
    ----------
    axes : tuple of ndarray, shapes (3, n)
        East, north and outward unit vectors.
    degree : {1, 2}
    """
    east, north, outward = axes
    if degree == 1:
        return np.concatenate([east[:2], north])
    out = np.empty((15, east.shape[1]))
    out[:2], out[7:10] = east[:2], north
    for start in range(0, east.shape[1], _PIECE):
        part = slice(start, start + _PIECE)
        x, y, z = (_quadrupoles() @ outward[:, part]).reshape(5, 3, -1).swapaxes(0, 1)
        out[2:7, part] = east[0, part] * x + east[1, part] * y
        out[10:, part] = north[0, part] * x + north[1, part] * y + north[2, part] * z
    return out


@lru_cache(maxsize=2)
def design(degree: int) -> Array:
    """What each parameter makes of the components: (p, 2, 2 k - 1), so that the local field is y . design . c."""
    k = 3 if degree == 1 else 8
    one, none = np.eye(k), np.zeros((k, k))
    electric = np.stack([np.hstack([one, none]), np.hstack([none, one])], axis=1)
    magnetic = np.stack([np.hstack([none, one]), np.hstack([-one, none])], axis=1)
    # A frame that spins by omega lists what is at rest with -omega x r.
    both = np.concatenate([-magnetic[:3], electric, magnetic[3:]])
    return np.delete(both, 2, axis=2)


def field(values: Array, directions: Array, axes: tuple[Array, Array]) -> tuple[Array, Array]:
    """East and north components (n,) of the field with the given parameters, at unit vectors (3, n)."""
    degree = 1 if len(values) == len(NAMES[1]) else 2
    east, north = np.tensordot(values, design(degree), 1) @ components((*axes, directions), degree)
    return east, north


# ---- the parameters between passes -----------------------------------------------------------------------


@dataclass(frozen=True)
class State:
    """What the last pass has left.

    Attributes
    ----------
    values : ndarray, shape (G, p + q)
        Parameters of the field, and the dispersion where it is fitted along (q = 1).
    degree : int
    unit : bool
        Whether the pass gives all sources the same weight: the first one where the dispersion is not known yet.
    scale : ndarray, shape (G,)
        Variance of unit weight, where no errors are known and none are fitted.
    settled : bool
        Whether the last step was negligible.
    """

    values: Array
    degree: int
    unit: bool
    scale: Array
    settled: bool = False

    @classmethod
    def first(cls, n_groups: int, degree: int, dispersion: bool) -> State:
        values = np.zeros((n_groups, len(NAMES[degree]) + dispersion))
        return cls(values, degree, dispersion, np.ones(n_groups))

    @property
    def dispersed(self) -> bool:
        """Whether a dispersion is fitted along."""
        return self.values.shape[1] > len(NAMES[self.degree])

    @property
    def local(self) -> Array:
        """The parameters as factors of the components, (G, 2, 2 k - 1)."""
        return np.tensordot(self.values[:, : len(NAMES[self.degree])], design(self.degree), 1)


# ---- one block -------------------------------------------------------------------------------------------


class Terms:
    """Residuals and weights of one block, about the parameters of the last pass."""

    def __init__(self, rows: Any, state: State) -> None:
        self.rows, self.state = rows, state
        self.known = _errors(rows.raw)
        self.components = components(rows.raw.triad, state.degree)
        model = self._model()
        self.residual = rows.raw.angle("pmra") - model[0], rows.raw.angle("pmdec") - model[1]
        self.weight = self._weights()
        self.pull = self._pull()

    def _model(self) -> Array:
        local = self._by_row(self.state.local)
        return local @ self.components if local.ndim == 2 else np.einsum("ikn,kn->in", local, self.components)

    def _by_row(self, values: Array) -> Array:
        """The value of each row's group, rows last; just the one where there is but one group."""
        if self.rows.group is None or len(values) == 1:
            return values[0]
        return np.moveaxis(values[self.rows.group], 0, -1)

    def _weights(self) -> tuple[Any, Any, Any]:
        """The elements of W = S^-1: W_11, W_12 (None where it is zero), W_22."""
        if self.state.unit or (self.known is None and not self.state.dispersed):
            one = np.ones(len(self.rows))
            return one, None, one
        if self.state.dispersed:
            sigma2 = self._by_row(self.state.values[:, -1])
            if self.known is None:
                weight = np.broadcast_to(1.0 / sigma2, (len(self.rows),))
                return weight, None, weight
            east, both, north, _ = self.known
            return _inverse(east + sigma2, both, north + sigma2)
        return _inverse(*_with_unit_weights(*self.known))  # type: ignore[misc]

    def _pull(self) -> tuple[Array, Array]:
        w, e = self.weight, self.residual
        if w[1] is None:
            return w[0] * e[0], w[2] * e[1]
        return w[0] * e[0] + w[1] * e[1], w[1] * e[0] + w[2] * e[1]

    @property
    def misfit(self) -> Array:
        """e . W e of each row."""
        return self.pull[0] * self.residual[0] + self.pull[1] * self.residual[1]

    # ---- sums ------------------------------------------------------------------------------------------

    def sums(self, meat: bool) -> Sums:
        """The sums of the block, by group; with `meat` those of the products of the rows' scores."""
        c = self.components
        return Sums(
            weight=self._weight_sums(self.weight),
            square=self._weight_sums(self._square()) if self.state.dispersed else None,
            score=self._total(np.stack(self.pull), c),
            tally=self._tally(),
            meat=self._meat() if meat else None,
        )

    def _total(self, a: Array, b: Array) -> Array:
        group, n_groups = group_of(self.rows)
        times = self.rows.weight
        return grouped_product(a if times is None else a * times, b, group, n_groups)

    def _products(self, fill: Callable[[slice, Array], None], height: int, other: Array | None = None) -> Array:
        """Sums by group of the products of rows that `fill` makes with those of `other`, or with themselves.

        In pieces that stay in the cache, where there is but one group.
        """
        n = len(self.rows)
        if self.rows.group is not None or self.rows.weight is not None:
            whole = np.empty((height, n))
            fill(slice(None), whole)
            return self._total(whole, whole if other is None else other)
        out = np.zeros((1, height, height if other is None else len(other)))
        buffer = np.empty((height, min(n, _PIECE)))
        for start in range(0, n, _PIECE):
            part, made = slice(start, start + _PIECE), buffer[:, : n - start]
            fill(part, made)
            out[0] += made @ (made if other is None else other[:, part]).T
        return out

    def _square(self) -> tuple[Any, Any, Any]:
        """The elements of W W, as those of W."""
        w1, w12, w2 = self.weight
        if w12 is None:
            return w1 * w1, None, w2 * w2
        both = w12 * w12
        return w1 * w1 + both, w12 * (w1 + w2), w2 * w2 + both

    def _weight_sums(self, weight: tuple[Any, Any, Any]) -> Array:
        """Sums of W_11, W_12, W_22 times the products of the components, (G, 3, 2 k - 1, 2 k - 1)."""
        c = self.components
        m = len(c)
        used = [i for i in range(3) if weight[i] is not None]

        def fill(part: slice, out: Array) -> None:
            for row, i in enumerate(used):
                np.multiply(weight[i][part], c[:, part], out=out[row * m : (row + 1) * m])

        sums = self._products(fill, m * len(used), c)
        out = np.zeros((len(sums), 3, m, m))
        out[:, used] = sums.reshape(len(sums), len(used), m, m)
        return out

    def _tally(self) -> Array:
        """Rows, misfit, tr W, tr W^2, |W e|^2, the trace of the measurement errors, rows with errors: (G, 7)."""
        (w1, w12, w2), (f1, f2), (e1, e2) = self.weight, self.pull, self.residual
        one = np.ones(len(self.rows))
        pairs = {1: [(f1, e1), (f2, e2)], 2: [(w1, one), (w2, one)], 3: [(w1, w1), (w2, w2)], 4: [(f1, f1), (f2, f2)]}
        if w12 is not None:
            pairs[3] += [(w12, 2.0 * w12)]
        if self.known is not None:
            known = one if self.known[3] is None else self.known[3].astype(float)
            pairs |= {5: [(self.known[0], one), (self.known[2], one)], 6: [(known, one)]}
        pairs[0] = [(one, one)]
        return np.stack([sum(self._scalar(*pair) for pair in pairs.get(k, [])) + self._none for k in range(7)], axis=1)

    @property
    def _none(self) -> Array:
        return np.zeros(group_of(self.rows)[1])

    def _scalar(self, a: Array, b: Array) -> Any:
        """Sum of the products of two arrays (n,), by group."""
        if self.rows.group is None and self.rows.weight is None:
            return a @ b
        return self._total(a[None], b[None])[:, 0, 0]

    def _meat(self) -> Array:
        """Sums of the products of the rows' own (W e)_i c_k, and of the score of the dispersion."""
        c = self.components
        m = len(c)

        def fill(part: slice, out: Array) -> None:
            for row, pull in enumerate(self.pull):
                np.multiply(pull[part], c[:, part], out=out[row * m : (row + 1) * m])
            if self.state.dispersed:
                f1, f2, w1, w2 = (v[part] for v in (*self.pull, self.weight[0], self.weight[2]))
                np.multiply(0.5, f1 * f1 + f2 * f2 - w1 - w2, out=out[-1])

        return self._products(fill, 2 * m + self.state.dispersed)


def _errors(raw: Any) -> Errors | None:
    """Elements of the measurement covariance of the proper motion, zero where unknown, and the rows where known.

    The second is None where no correlation is stored, the last where the errors of all rows are known.
    """
    covariance = raw.covariance
    if covariance is None or not (covariance.knows("pmra") and covariance.knows("pmdec")):
        return None
    east, north = (covariance.element(k, k) for k in ("pmra", "pmdec"))
    both = covariance.element("pmra", "pmdec") if covariance.correlated("pmra", "pmdec") else None
    known = None
    if len(east) and not (min(east.min(), north.min()) > 0.0):
        known = (east > 0.0) & (north > 0.0)
        east, north = np.where(known, east, 0.0), np.where(known, north, 0.0)
        both = None if both is None else np.where(known, both, 0.0)
    if both is not None and len(both) and np.isnan(both.min()):
        both = np.nan_to_num(both)
    return east, both, north, known


def _with_unit_weights(
    east: Array, both: Array | None, north: Array, known: NDArray[np.bool_] | None
) -> tuple[Array, Array | None, Array]:
    """Unit variance where none is known."""
    if known is None:
        return east, both, north
    return np.where(known, east, 1.0), both, np.where(known, north, 1.0)


def _inverse(east: Array, both: Array | None, north: Array) -> tuple[Array, Array | None, Array]:
    if both is None:
        return 1.0 / east, None, 1.0 / north
    scale = 1.0 / (east * north - both * both)
    return north * scale, -both * scale, east * scale


# ---- the whole sample ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Sums:
    """What a pass collects, group axis first.

    Attributes
    ----------
    weight : ndarray, shape (G, 3, 2 k - 1, 2 k - 1)
        Sums of W_11, W_12, W_22 times the products of the components.
    square : ndarray, of the same shape, optional
        The same of W W, where a dispersion is fitted.
    score : ndarray, shape (G, 2, 2 k - 1)
        Sums of W e times the components.
    tally : ndarray, shape (G, 7)
        See `Terms`.
    meat : ndarray, shape (G, s, s), optional
        Sums of the products of the rows' scores.
    """

    weight: Array
    square: Array | None
    score: Array
    tally: Array
    meat: Array | None

    def merge(self, other: Sums) -> Sums:
        """The sums of both blocks."""
        pairs = [(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)]
        return Sums(*[None if a is None or b is None else a + b for a, b in pairs])  # type: ignore[arg-type]

    @property
    def rows(self) -> Array:
        """Rows of each group."""
        return self.tally[:, 0]

    def some_unknown(self, dispersion: bool) -> bool:
        """Whether errors are needed that only some of a group's rows have."""
        known = self.tally[:, 6]
        return not dispersion and bool(((known > 0) & (known < self.rows)).any())

    def normal_equations(self, degree: int, dispersion: bool) -> ak.NormalEquations:
        """Score and expected information of the field's parameters, and of the dispersion."""
        x = design(degree)
        field, vector = _turned(self.weight, x), np.einsum("pac,gac->gp", x, self.score)
        normal = ak.NormalEquations(field, vector, self.tally[:, 1], self.rows, self._meat(x, dispersion))
        return self._dispersed(normal, x) if dispersion else normal

    def _dispersed(self, normal: ak.NormalEquations, x: Array) -> ak.NormalEquations:
        """With the dispersion, by restricted likelihood: the scatter that the field's own errors take is given back."""
        assert self.square is not None
        p = len(x)
        matrix = np.zeros((len(self.tally), p + 1, p + 1))
        matrix[:, :p, :p] = normal.matrix
        matrix[:, p, p] = 0.5 * self.tally[:, 3]
        taken = np.einsum("gpq,gqp->g", normal.inverse, _turned(self.square, x))
        score = 0.5 * (self.tally[:, 4] - self.tally[:, 2] + taken)
        return replace(normal, matrix=matrix, vector=np.hstack([normal.vector, score[:, None]]))

    def _meat(self, x: Array, dispersion: bool) -> Array | None:
        if self.meat is None:
            return None
        flat = x.reshape(len(x), -1)
        turn = np.zeros((len(x) + dispersion, flat.shape[1] + dispersion))
        turn[: len(x), : flat.shape[1]] = flat
        if dispersion:
            turn[-1, -1] = 1.0
        return turn @ self.meat @ turn.T

    def first_dispersion(self, normal: ak.NormalEquations, step: Array) -> Array:
        """After the pass with equal weights: the scatter about the fitted field less the measurement errors."""
        return np.maximum(self.scatter(normal, step) - self.tally[:, 5] / np.maximum(2.0 * self.rows, 1.0), FLOOR)

    def scatter(self, normal: ak.NormalEquations, step: Array) -> Array:
        """The variance of unit weight, by group."""
        p = self.score.shape[2] + 1
        explained = np.einsum("gp,gp->g", step[:, :p], normal.vector[:, :p])
        return np.maximum((normal.misfit - explained) / np.maximum(2.0 * self.rows - p, 1.0), FLOOR)


def _turned(sums: Array, x: Array) -> Array:
    """Sums of X^T W X (G, p, p) from those of W_11, W_12, W_22 times the products of the components."""
    whole = sums[:, [[0, 1], [1, 2]]]
    half = np.einsum("gabcd,qbd->gacq", whole, x, optimize=True)
    return np.einsum("pac,gacq->gpq", x, half, optimize=True)
