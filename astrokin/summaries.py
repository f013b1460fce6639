"""Small mergeable summaries with a group axis: what an estimator collects from a block.

Each has the group axis first, an empty summary of zero rows as identity, and an associative `merge` that loses
no digits (moments are central, normal equations refer to the residuals of the last pass).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from itertools import pairwise, permutations
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from astrokin.errors import InputError

Array = NDArray[np.float64]

#: Multiplications of small matrices up to which OpenBLAS packs nothing.
_SHORT = 1_000_000


def grouped_product(a: Array, b: Array, group: NDArray[np.intp] | None = None, n_groups: int = 1) -> Array:
    """Sums over rows of all products ``a[i] b[j]``, by group.

    Parameters
    ----------
    a, b : ndarray, shape (k, n) and (m, n)
    group : ndarray of int, shape (n,), optional
        Group of each row, in any order.
    n_groups : int

    Returns
    -------
    ndarray, shape (n_groups, k, m)

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.summaries import grouped_product
    >>> a = np.array([[1.0, 2.0, 3.0]])
    >>> grouped_product(a, a, np.array([0, 1, 1]), 2)[:, 0, 0]
    array([ 1., 13.])
    """
    if group is None or n_groups == 1:
        return _product(a, b)[None]
    if len(b) == 1 and len(a) <= 8:  # less than a call for each group
        return grouped_sum(a * b, group, n_groups)[:, :, None]
    order = order_of(group)
    if order is not None:
        same = a is b
        a, group = a.take(order, axis=1), group.take(order)
        b = a if same else b.take(order, axis=1)
    out = np.zeros((n_groups, len(a), len(b)))
    for start, end in _runs(group, n_groups):
        out[group[start]] = _product(a[:, start:end], b[:, start:end])
    return out


def _product(a: Array, b: Array) -> Array:
    """a b^T, in pieces for which BLAS takes its short way: then it is up to 2.5 times as fast."""
    n, piece = a.shape[1], _SHORT // (len(a) * len(b))
    if n <= piece or piece < 1 << 11:
        return a @ (b.copy() if a is b and len(a) < 8 else b).T  # else BLAS makes a rank-k update, slower for few rows
    total = np.zeros((len(a), len(b)), np.result_type(a, b))
    for start in range(0, n, piece):
        total += a[:, start : start + piece] @ b[:, start : start + piece].T
    return total


def order_of(group: NDArray[np.intp]) -> NDArray[np.intp] | None:
    """The rows group after group, those of one as they come; None where they are so already.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.summaries import order_of
    >>> order_of(np.array([1, 0, 1, 0]))
    array([1, 3, 0, 2])
    """
    if not (group[1:] < group[:-1]).any():
        return None
    largest = int(group.max())
    few = group.astype(np.uint8 if largest < 2**8 else np.uint16) if largest < 2**16 else group
    return np.argsort(few, kind="stable")  # small integers by their digits, a tenth of the time


def grouped_sum(values: Array, group: NDArray[np.intp] | None = None, n_groups: int = 1) -> Array:
    """Sums of values (k, n) over rows, by group, (n_groups, k); of rows in any order.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.summaries import grouped_sum
    >>> grouped_sum(np.array([[1.0, 2.0, 3.0]]), np.array([1, 0, 1]), 2)
    array([[2.],
           [4.]])
    """
    if group is None or n_groups == 1:
        return values.sum(axis=1, dtype=np.float64)[None]
    order = order_of(group)
    if order is not None:
        values = values.take(order, axis=1)
    size = np.bincount(group, minlength=n_groups)
    there = np.flatnonzero(size)
    out = np.zeros((n_groups, len(values)))
    if len(there):
        out[there] = np.add.reduceat(values, (np.cumsum(size) - size)[there], axis=1).T
    return out


def _runs(group: NDArray[np.intp], n_groups: int) -> list[tuple[int, int]]:
    """Where each group that is there begins and ends, of sorted rows."""
    if 8 * n_groups < len(group):  # the groups are looked up, not the rows looked through
        edges = np.searchsorted(group, np.arange(n_groups + 1)).tolist()
        return [(start, end) for start, end in pairwise(edges) if end > start]
    starts = np.flatnonzero(np.diff(group, prepend=-1)).tolist()
    return list(pairwise([*starts, len(group)]))


def _counted(index: NDArray[np.intp], weight: Array, n: int) -> Array:
    """Sums of the weights by index; of floats even where there is nothing to sum, unlike numpy's."""
    return np.bincount(index, weight, n).astype(float, copy=False)


def group_of(rows: Any) -> tuple[NDArray[np.intp] | None, int]:
    """The group of each row and the number of groups, as the driver set them (one group where it did not)."""
    group = rows.group
    return group, 1 if group is None else int(getattr(rows, "n_groups", 0) or (group.max() + 1 if len(group) else 1))


@dataclass(frozen=True)
class NormalEquations:
    """Normal equations (or score and information) of p parameters in each of G groups.

    Attributes
    ----------
    matrix : ndarray, shape (G, p, p)
        Sum of X^T W X: the information.
    vector : ndarray, shape (G, p)
        Sum of X^T W e, with e the residuals about the parameters of the last pass (about zero in the first):
        so no digits are lost where the data are large and the residuals small.
    misfit : ndarray, shape (G,)
        Sum of e^T W e.
    count : ndarray, shape (G,)
        Rows, each with its weight.
    meat : ndarray, shape (G, p, p), optional
        Sum of the outer products of the rows' own X^T W e, gathered in the final pass: the middle of the
        sandwich.

    Examples
    --------
    A straight line through three points:

    >>> import numpy as np
    >>> import astrokin as ak
    >>> x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0])
    >>> normal = ak.NormalEquations.of(np.stack([np.ones(3), x]), y)
    >>> normal.step()[0].round(12)
    array([1., 2.])
    """

    matrix: Array
    vector: Array
    misfit: Array
    count: Array
    meat: Array | None = None

    @classmethod
    def of(
        cls, design: Array, residual: Array, weight: Array | None = None, rows: Any = None, meat: bool = False
    ) -> Self:
        """From one scalar equation per row: `design` (p, n), `residual` (n,), inverse variances `weight` (n,).

        `rows` brings the driver's groups and weights.
        """
        group, n_groups = (None, 1) if rows is None else group_of(rows)
        w = np.ones(len(residual)) if weight is None else weight
        times = np.ones(len(residual)) if rows is None or rows.weight is None else rows.weight
        score = design * (w * residual)
        stacked = np.concatenate([design, residual[None]])
        sums = grouped_product(stacked * (w * times), stacked, group, n_groups)
        return cls(
            matrix=sums[:, :-1, :-1],
            vector=sums[:, :-1, -1],
            misfit=sums[:, -1, -1],
            count=grouped_product(times[None], np.ones((1, len(times))), group, n_groups)[:, 0, 0],
            meat=grouped_product(score * times, score, group, n_groups) if meat else None,
        )

    def merge(self, other: Self) -> Self:
        """The summary of both blocks."""
        return type(self)(*(_added(getattr(self, f.name), getattr(other, f.name)) for f in fields(self)))

    @cached_property
    def _decomposed(self) -> tuple[Array, Array, Array, NDArray[np.bool_]]:
        # Sums that are not finite determine nothing.
        matrix = np.where(np.isfinite(self.matrix).all(axis=(1, 2), keepdims=True), self.matrix, 0.0)
        diagonal = np.einsum("gii->gi", matrix)
        scale = np.sqrt(np.where(diagonal > 0, diagonal, 1.0))
        values, vectors = np.linalg.eigh(matrix / scale[:, :, None] / scale[:, None, :])
        return scale, values, vectors, values > 1e-10 * np.maximum(values[:, -1:], 0.0)

    @property
    def conditioning(self) -> Array:
        """Smallest over largest eigenvalue of the matrix with its diagonal scaled to 1 (G,); 0 where it is singular."""
        _, values, _, _ = self._decomposed
        largest = values[:, -1]
        return np.maximum(np.divide(values[:, 0], largest, out=np.zeros_like(largest), where=largest > 0.0), 0.0)

    @property
    def _diagonal(self) -> Array:
        return np.einsum("gii->gi", self.matrix)

    @cached_property
    def inverse(self) -> Array:
        """Pseudo-inverse of the matrix, shape (G, p, p), in which undetermined combinations are zero."""
        scale, values, vectors, determined = self._decomposed
        with np.errstate(divide="ignore"):
            inverse = np.where(determined, 1.0 / values, 0.0)
        core = (vectors * inverse[:, None, :]) @ vectors.swapaxes(1, 2)
        return core / scale[:, :, None] / scale[:, None, :]

    @cached_property
    def undetermined(self) -> NDArray[np.bool_]:
        """Parameters (G, p) that some undetermined combination contains."""
        _, _, vectors, determined = self._decomposed
        share = np.where(determined[:, None, :], 0.0, vectors**2).sum(axis=2)
        return (share > 1e-6) | (self._diagonal <= 0)

    def step(self) -> Array:
        """The correction to the parameters, shape (G, p)."""
        return np.einsum("gij,gj->gi", self.inverse, self.vector)

    def sandwich(self) -> Array:
        """Covariance (G, p, p) that holds whatever the distribution of the residuals: N^-1 M N^-1 n/(n - p)."""
        if self.meat is None:
            raise InputError("No sandwich: its middle is gathered in the final pass (meat=True).")
        dof = np.maximum(self.count - self.matrix.shape[1], 1.0)
        out = self.inverse @ self.meat @ self.inverse * (self.count / dof)[:, None, None]
        place = np.arange(out.shape[1])
        out[:, place, place] = np.maximum(out[:, place, place], 0.0)  # round-off, where there is no scatter
        return out


def _added(a: Any, b: Any) -> Any:
    return None if a is None or b is None else a + b


@dataclass(frozen=True)
class Moments:
    """Weighted mean and central moments, to second or fourth order, of d quantities in each of G groups.

    Attributes
    ----------
    weight, weight2, count : ndarray, shape (G,)
        Sums of the weights, of their squares, and the number of rows with a positive weight.
    mean : ndarray, shape (G, d)
    second, third, fourth : ndarray, shape (G, d, d), (G, d, d, d), (G, d, d, d, d)
        Weighted sums of products of deviations from the mean; the last two None at order 2.

    Examples
    --------
    >>> import numpy as np
    >>> import astrokin as ak
    >>> x = 1e8 + np.array([[1.0, 2.0, 3.0, 4.0]])
    >>> whole = ak.Moments.of(x[:, :1]).merge(ak.Moments.of(x[:, 1:]))
    >>> whole.mean[0, 0] - 1e8, whole.variance[0, 0, 0].round(12)
    (np.float64(2.5), np.float64(1.666666666667))
    """

    weight: Array
    weight2: Array
    count: Array
    mean: Array
    second: Array
    third: Array | None = None
    fourth: Array | None = None

    @classmethod
    def of(cls, values: Array, rows: Any = None, weight: Array | None = None, order: int = 2) -> Self:
        """From values of shape (d, n) or (n,); `rows` brings the driver's groups and weights."""
        values = np.atleast_2d(np.asarray(values, dtype=float))
        n = values.shape[1]
        group, n_groups = (None, 1) if rows is None else group_of(rows)
        w = np.ones(n) if weight is None else np.asarray(weight, dtype=float)
        if rows is not None and rows.weight is not None:
            w = w * rows.weight
        index = np.zeros(n, np.intp) if group is None else group
        total = _counted(index, w, n_groups)
        safe = np.where(total > 0, total, 1.0)
        mean = np.stack([_counted(index, w * v, n_groups) for v in values], axis=1) / safe[:, None]
        x = values - mean[index].T
        # The mean once more, of the deviations: exact where the values are large.
        mean = mean + np.stack([_counted(index, w * v, n_groups) for v in x], axis=1) / safe[:, None]
        x = values - mean[index].T
        second, third, fourth = _central_sums(x, w, group, n_groups, order)
        count = _counted(index, np.asarray(w > 0, dtype=float), n_groups)
        return cls(total, _counted(index, w * w, n_groups), count, mean, np.asarray(second), third, fourth)

    def merge(self, other: Self) -> Self:
        """The summary of both blocks."""
        total = self.weight + other.weight
        share = np.divide(other.weight, total, out=np.zeros_like(total), where=total > 0)
        mean = self.mean + (other.mean - self.mean) * share[:, None]
        a, b = self._about(mean), other._about(mean)
        sums = [_added(x, y) for x, y in zip(a, b, strict=True)]
        return type(self)(total, self.weight2 + other.weight2, self.count + other.count, mean, *sums)

    def _about(self, centre: Array) -> list[Array | None]:
        e, w = self.mean - centre, self.weight
        second = self.second + np.einsum("g,ga,gb->gab", w, e, e)
        if self.third is None or self.fourth is None:
            return [second, None, None]
        third = self.third + _symmetrised("gab,gc->gabc", self.second, e) + np.einsum("g,ga,gb,gc->gabc", w, e, e, e)
        fourth = (
            self.fourth
            + _symmetrised("gabc,gd->gabcd", self.third, e)
            + _symmetrised("gab,gc,gd->gabcd", self.second, e, e)
            + np.einsum("g,ga,gb,gc,gd->gabcd", w, e, e, e, e)
        )
        return [second, third, fourth]

    @property
    def effective(self) -> Array:
        """Effective number of rows, (sum w)^2 / sum w^2, shape (G,)."""
        return np.divide(self.weight**2, self.weight2, out=np.zeros_like(self.weight), where=self.weight2 > 0)

    @property
    def variance(self) -> Array:
        """Unbiased covariance matrix of the quantities, shape (G, d, d); NaN with fewer than two rows."""
        lost = np.divide(self.weight2, self.weight, out=np.zeros_like(self.weight), where=self.weight > 0)
        dof = self.weight - lost
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(dof[:, None, None] > 0, self.second / dof[:, None, None], np.nan)

    @property
    def mean_covariance(self) -> Array:
        """Covariance of the means, shape (G, d, d)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.variance / self.effective[:, None, None]

    @property
    def variance_covariance(self) -> Array:
        """Covariance of the elements of `variance`, shape (G, d, d, d, d), from the fourth moments."""
        if self.fourth is None:
            raise InputError("The error of a variance needs the fourth moments: Moments.of(…, order=4).")
        with np.errstate(invalid="ignore", divide="ignore"):
            w = self.weight[:, None, None, None, None]
            second = self.second / self.weight[:, None, None]
            product = np.einsum("gab,gcd->gabcd", second, second)
            return (self.fourth / w - product) / self.effective[:, None, None, None, None]


def _central_sums(x: Array, w: Array, group: Any, n_groups: int, order: int) -> list[Array | None]:
    d = len(x)
    second = grouped_product(x * w, x, group, n_groups)
    if order == 2:
        return [second, None, None]
    if order != 4:
        raise InputError(f"Moments are taken to order 2 or 4, not {order}.")
    pairs = (x[:, None] * x[None, :]).reshape(d * d, -1)
    third = grouped_product(pairs * w, x, group, n_groups).reshape(-1, d, d, d)
    fourth = grouped_product(pairs * w, pairs, group, n_groups).reshape(-1, d, d, d, d)
    return [second, third, fourth]


def _symmetrised(rule: str, *operands: Array) -> Array:
    """Sum of a product over its distinct index arrangements (those that differ when the operands are symmetric)."""
    inputs, output = rule.split("->")
    parts = inputs.split(",")
    letters, seen, total = output[1:], set(), 0.0
    for order in permutations(letters):
        swap = dict(zip(letters, order, strict=True))
        arranged = tuple(sorted("".join(sorted(swap[c] for c in p[1:])) + f"|{len(p)}" for p in parts))
        if arranged not in seen:
            seen.add(arranged)
            total = total + np.einsum(
                ",".join("g" + "".join(swap[c] for c in p[1:]) for p in parts) + "->" + output, *operands
            )
    return np.asarray(total)


@dataclass(frozen=True)
class Histogram:
    """Weighted counts in bins, in each of G groups.

    Attributes
    ----------
    edges : ndarray, shape (m + 1,)
    total, total2 : ndarray, shape (G, m)
        Sums of the weights and of their squares.
    outside : ndarray, shape (G,)
        Weight of rows outside the edges, or NaN.

    Examples
    --------
    >>> import numpy as np
    >>> import astrokin as ak
    >>> ak.Histogram.of(np.array([0.5, 1.5, 1.7, 9.0]), np.array([0.0, 1.0, 2.0])).total
    array([[1., 2.]])
    """

    edges: Array
    total: Array
    total2: Array
    outside: Array

    @classmethod
    def of(cls, values: Array, edges: Array, rows: Any = None, weight: Array | None = None) -> Self:
        """From values of shape (n,); a value on an inner edge counts above it, on the last edge inside."""
        edges = np.asarray(edges, dtype=float)
        if edges.ndim != 1 or len(edges) < 2 or not (np.diff(edges) > 0).all():
            raise InputError(f"edges are {edges}; at least two, strictly increasing, are needed.")
        group, n_groups = (None, 1) if rows is None else group_of(rows)
        w = np.ones(len(values)) if weight is None else np.asarray(weight, dtype=float)
        if rows is not None and rows.weight is not None:
            w = w * rows.weight
        index = np.zeros(len(values), np.intp) if group is None else group
        place, inside = bin_of(values, edges)
        m = len(edges) - 1
        flat = (index * m + place)[inside]
        total, total2 = (_counted(flat, v[inside], n_groups * m).reshape(n_groups, m) for v in (w, w * w))
        return cls(edges, total, total2, _counted(index[~inside], w[~inside], n_groups))

    def merge(self, other: Self) -> Self:
        """The summary of both blocks."""
        if not np.array_equal(self.edges, other.edges):
            raise InputError("Histograms merge only when their edges are the same.")
        return type(self)(
            self.edges, self.total + other.total, self.total2 + other.total2, self.outside + other.outside
        )


def bin_of(values: Array, edges: Array) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """The bin of each value and whether it lies in any (the last edge belongs to the last bin)."""
    place = np.searchsorted(edges, values, side="right") - 1
    place[values == edges[-1]] = len(edges) - 2
    inside = (place >= 0) & (place < len(edges) - 1)
    return place, inside
