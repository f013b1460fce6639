"""The weights of the local residuals of linear velocity fields: the inverse of the covariance of each star, in factors.

With the covariance S of the components east, north and outward, S^-1 = L^-T D L^-1, L triangular with a unit diagonal:
each component less what those before it tell of it, and the inverse D of the variance that is left. So nothing is
inverted but three numbers, and the weights of the whole vector are W = sum d u u^T with u the axes, each less what
those before it tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from astrokin.angles import dot
from astrokin.velocity_model import PAIRS, PLACE, TWICE, Sample

Array = NDArray[np.float64]
Pairs = dict[tuple[int, int], Array]


@dataclass(frozen=True)
class Weights:
    """The factors of S^-1 for a block of stars; those that are zero are left out.

    Attributes
    ----------
    precision : dict
        The diagonal of D by component, (n,); zero for a radial velocity that was not measured.
    lower : dict
        How much of each residual before it is taken off a component, by pairs (component, one before it), (n,).
    data : Sample
        The axes, and which components were measured.
    """

    precision: dict[int, Array]
    lower: Pairs
    data: Sample

    @classmethod
    def of(cls, covariance: Pairs, data: Sample) -> Self:
        """From the elements of S by pairs of components."""
        precision: dict[int, Array] = {}
        lower: Pairs = {}
        inverted: dict[int, Array] = {}  # by the element of S: components may share it
        for c in data.used:
            left, shared = covariance[c, c], _shared(covariance, c, lower, precision)
            for b, common in shared.items():
                lower[c, b] = common * precision[b]
                left = left - lower[c, b] * common
            if c == 2 and data.has_radial is not None:
                precision[c] = _where(data.has_radial, left)
            elif shared:
                precision[c] = 1.0 / left
            else:
                known = inverted.get(id(left))
                precision[c] = inverted[id(left)] = 1.0 / left if known is None else known
        return cls(precision, lower, data)

    @cached_property
    def vectors(self) -> dict[int, Array]:
        """The directions u of the components, less what those before them tell, in ICRS axes, (2 or 3, n)."""
        out: dict[int, Array] = {}
        for c in self.data.used:
            parts = [self.lower[c, b] * out[b] for b in out if (c, b) in self.lower]
            out[c] = _less(self.data.axes[c], sorted(parts, key=len, reverse=True))
        return out

    @cached_property
    def drawn(self) -> dict[int, Array]:
        """The directions times their precision."""
        return {c: self.precision[c] * vector for c, vector in self.vectors.items()}

    def reduced(self, e: Sequence[Array | None]) -> dict[int, Array]:
        """Local residuals, each less what those before it tell of it."""
        out: dict[int, Array] = {}
        for c in self.data.used:
            left: Any = e[c]
            for b in out:
                if (c, b) in self.lower:
                    left = left - self.lower[c, b] * out[b]
            out[c] = left
        return out

    def pull(self, e: Sequence[Array | None]) -> Array:
        """W e in ICRS axes, (3, n)."""
        parts = [self.vectors[c] * (self.precision[c] * left) for c, left in self.reduced(e).items()]
        out, *others = sorted(parts, key=len, reverse=True)
        for part in others:
            out[: len(part)] += part
        return out

    def misfit(self, e: Sequence[Array | None]) -> Array:
        """The misfit e . W e of each row."""
        return reduce(np.add, [self.precision[c] * (left * left) for c, left in self.reduced(e).items()])

    @cached_property
    def matrices(self) -> Array:
        """W in ICRS axes, as its six elements (6, n)."""
        some = next(iter(self.precision.values()))
        out = np.empty((6, len(some)), some.dtype)
        pairs = [(vector, self.drawn[c]) for c, vector in self.vectors.items()]
        for row, (i, j) in zip(out, PAIRS, strict=True):
            (one, other), *more = [(u[i], d[j]) for u, d in pairs if j < len(u)]
            np.multiply(one, other, out=row)
            for one, other in more:
                row += one * other
        return out

    def acting(self, vector: Array) -> Array:
        """W times vectors (3, n) in ICRS axes."""
        w, out = self.matrices, np.empty_like(vector)
        for i, row in enumerate(out):
            np.multiply(w[PLACE[i, 0]], vector[0], out=row)
            row += w[PLACE[i, 1]] * vector[1]
            row += w[PLACE[i, 2]] * vector[2]
        return out

    @property
    def squared(self) -> Array:
        """The matrix products W W in ICRS axes, as their six elements (6, n)."""
        w = self.matrices
        rows = [sum(w[PLACE[i, k]] * w[PLACE[k, j]] for k in range(3)) for i, j in PAIRS]
        return np.stack(rows)

    @property
    def trace(self) -> Array:
        """Trace of W of each row."""
        reduced = {c for c, _ in self.lower}
        vectors = self.vectors  # of unit length where nothing was taken off
        parts = [d * dot(vectors[c], vectors[c]) if c in reduced else d for c, d in self.precision.items()]
        return reduce(np.add, parts)

    @property
    def trace_of_square(self) -> Array:
        """Trace of W W of each row."""
        if not self.lower:
            return reduce(np.add, [d * d for d in self.precision.values()])
        return TWICE.astype(self.matrices.dtype, copy=False) @ (self.matrices * self.matrices)

    @property
    def log_determinant(self) -> Array:
        """Logarithm of the determinant of S^-1, of the components that were measured."""
        has = self.data.has_radial
        parts = [
            np.log(np.abs(d if c < 2 or has is None else np.where(has, d, 1.0))) for c, d in self.precision.items()
        ]
        return reduce(np.add, parts)


def _less(axis: Array, parts: list[Array]) -> Array:
    """An axis less vectors, the longest first, that may lack the third component."""
    if not parts:
        return axis
    first, *others = parts
    if len(first) == len(axis):
        out = np.subtract(axis, first, out=first)
    else:
        out = axis.copy()
        out[: len(first)] -= first
    for part in others:
        out[: len(part)] -= part
    return out


def _shared(covariance: Pairs, c: int, lower: Pairs, precision: dict[int, Array]) -> dict[int, Array]:
    """Covariance of a component with those before it, each less what the ones before that tell."""
    out: dict[int, Array] = {}
    for b in precision:
        common: Any = covariance.get((b, c))
        for a in out:
            if (b, a) in lower:
                less = lower[b, a] * out[a]
                common = -less if common is None else common - less
        if common is not None:
            out[b] = common
    return out


def _where(has: NDArray[np.bool_], variance: Array) -> Array:
    return np.where(has, 1.0 / np.where(has, variance, 1.0), 0.0)
