"""Smooth functions of time for very many times: evaluated at a few, read off polynomials of one day each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Spans = NDArray[np.intp]

#: Days that one set of exact evaluations serves, and how many those are.
_SHIFT = 4
SPAN, NODES = 1 << _SHIFT, 20
_KEPT = 4096
#: Rows read at a time, so that they stay in the cache.
_BLOCK = 1 << 14


@lru_cache(maxsize=8)
def _cells_from_nodes(order: int) -> Array:
    """The matrix (order, SPAN, NODES) from values at the nodes to coefficients in every one-day cell."""
    chebyshev = np.polynomial.chebyshev
    from_values = np.linalg.inv(chebyshev.chebvander(_nodes(NODES), NODES - 1))
    inner = _nodes(order)
    x = (np.arange(SPAN)[:, None] + 0.5 * (inner + 1.0)) * (2.0 / SPAN) - 1.0
    values = chebyshev.chebvander(x, NODES - 1) @ from_values
    return np.einsum("ij,sjn->isn", np.linalg.inv(np.vander(inner, increasing=True)), values)


def _nodes(n: int) -> Array:
    return np.polynomial.chebyshev.chebpts1(n)


@dataclass(frozen=True, eq=False)
class Located:
    """Where times lie: the spans needed, and of each time the cell in these and the place in that, -1 to 1."""

    spans: Spans
    cell: Spans
    s: Array


def located(days: Array) -> Located:
    """Where times (days) lie."""
    day = np.floor(days)
    s = days - day
    s *= 2.0
    s -= 1.0
    cell = day.astype(np.intp)
    span = cell >> _SHIFT
    cell -= span << _SHIFT
    low = span.min()
    span -= low
    used = np.flatnonzero(np.bincount(span))
    first = np.zeros(int(used[-1]) + 1, np.intp)
    first[used] = SPAN * np.arange(len(used))
    cell += first.take(span)
    return Located(low + used, cell, s)


class Table:
    """Values of a smooth function of time, (k, n) at n times, from polynomials that are made where they are needed.

    Parameters
    ----------
    function : callable
        From times (days, shape (m,)) to values (k, m); called for 20 times in every span of 16 days.
    orders : tuple of int
        The number of coefficients per day of each of the k values.
    """

    def __init__(self, function: Callable[[Array], Array], orders: tuple[int, ...]) -> None:
        self._function, self._orders = function, orders
        self._spans: dict[int, Array] = {}
        self._last: tuple[bytes, Array] | None = None

    def __call__(self, days: Array, slopes: slice = slice(0)) -> tuple[Array, Array]:
        """The values (k, n) at times in days, and the derivatives per day of those in `slopes`."""
        return self.read(located(days), slopes)

    def read(self, where: Located, slopes: slice = slice(0)) -> tuple[Array, Array]:
        """The same at times that have been `located`."""
        table, s, n = self._stacked(where.spans), where.s, len(where.s)
        values, derivatives = np.empty((len(self._orders), n)), np.empty((len(self._orders[slopes]), n))
        for start in range(0, n, _BLOCK):
            rows = slice(start, start + _BLOCK)
            self._evaluate(table, where.cell[rows], s[rows], values[:, rows], derivatives[:, rows], slopes)
        return values, derivatives

    def holds(self, wanted: Spans) -> bool:
        """Whether the polynomials for these spans have been made."""
        return all(k in self._spans for k in wanted.tolist())

    def _evaluate(self, table: Array, cell: Spans, s: Array, values: Array, derivatives: Array, slopes: slice) -> None:
        ends = np.cumsum(self._orders)
        parts = [table[end - order : end] for end, order in zip(ends, self._orders, strict=True)]
        for part, out in zip(parts[slopes], derivatives, strict=True):
            _horner(part[1:] * (2.0 * np.arange(1.0, len(part))[:, None]), cell, s, out)
        for part, out in zip(parts, values, strict=True):
            _horner(part, cell, s, out)

    def _stacked(self, wanted: Spans) -> Array:
        """Coefficients (sum of orders, cells) of the spans."""
        key = wanted.tobytes()
        if self._last is None or self._last[0] != key:
            self._last = key, self._gathered(wanted)
        return self._last[1]

    def _gathered(self, wanted: Spans) -> Array:
        missing = [k for k in wanted.tolist() if k not in self._spans]
        if len(self._spans) + len(missing) > _KEPT:
            self._spans.clear()
            missing = wanted.tolist()
        if missing:
            self._make(np.array(missing))
        return np.concatenate([self._spans[k] for k in wanted.tolist()], axis=1)

    def _make(self, missing: Spans) -> None:
        times = (missing[:, None] + 0.5 * (_nodes(NODES) + 1.0)) * SPAN
        values = self._function(times.ravel()).reshape(-1, len(missing), NODES)
        parts = [
            np.einsum("isn,mn->mis", _cells_from_nodes(order), v) for order, v in zip(self._orders, values, strict=True)
        ]
        for k, coefficients in zip(missing, np.concatenate(parts, axis=1), strict=True):
            self._spans[int(k)] = coefficients


def _horner(coefficients: Array, cell: Spans, s: Array, out: Array) -> None:
    """The polynomials of the cells (order, cells) that the rows fall in, at s from -1 to 1 in each."""
    term = np.empty_like(out)
    coefficients[-1].take(cell, out=out, mode="clip")
    for c in coefficients[-2::-1]:
        out *= s
        out += c.take(cell, out=term, mode="clip")
