"""Observations along the scan whose errors hang together two by two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]


@dataclass(frozen=True)
class Pairs:
    """Pairs of rows, arrays (m,); a row is in one pair at most.

    Attributes
    ----------
    one, other : ndarray of int
        The rows.
    covariance : ndarray
        Of their errors (mas²).
    """

    one: Index
    other: Index
    covariance: Array

    @classmethod
    def of(cls, group: Index, pair: Array, corr: Array, variance: Array) -> Self:
        """Of rows that have a source and a number of the pair, NaN for those that are alone.

        A row whose partner is not there is alone: what its own error says holds without it.
        """
        order, new = _by_label(group, pair)
        one, other = order[:-1][~new[1:]], order[1:][~new[1:]]
        together = ~np.isnan(pair[one])
        one, other = one[together], other[together]
        return cls(one, other, corr[one] * np.sqrt(variance[one] * variance[other]))

    def _entries(self, variance: Array, alive: Mask) -> tuple[Array, Array, Array]:
        """Variances of both and their covariance, which does not matter where one of them is left out."""
        both = alive[self.one] & alive[self.other]
        return variance[self.one], variance[self.other], np.where(both, self.covariance, 0.0)

    def weighted(self, values: Array, variance: Array, alive: Mask) -> Array:
        """The inverse of the covariance matrix times values (…, n), zero for rows that are left out."""
        out = values * (alive / variance)
        v, w, c = self._entries(variance, alive)
        both, inverse = c != 0.0, 1.0 / (v * w - c * c)
        one, other = self.one[both], self.other[both]
        v, w, c = (x[both] * inverse[both] for x in (v, w, c))
        out[..., one] = w * values[..., one] - c * values[..., other]
        out[..., other] = v * values[..., other] - c * values[..., one]
        return out

    def whitened(self, values: Array, variance: Array, alive: Mask) -> Array:
        """Combinations of values (…, n) that have independent errors of one, zero for rows that are left out."""
        out = values * np.sqrt(alive / variance)
        v, w, c = self._entries(variance, alive)
        corr = c / np.sqrt(v * w)
        out[..., self.other] -= corr * out[..., self.one]
        out[..., self.other] /= np.sqrt((1.0 - corr) * (1.0 + corr))
        return out


def _by_label(group: Index, pair: Array) -> tuple[Index, Mask]:
    """An order of rows in which those of one pair come together, and where another begins."""
    order = np.lexsort((pair, group))
    new = np.ones(len(order), bool)
    new[1:] = (pair[order[1:]] != pair[order[:-1]]) | (group[order[1:]] != group[order[:-1]])  # NaN differs from NaN
    return order, new


def faults(group: Index, pair: Array, corr: Array) -> dict[str, Mask]:
    """Rows whose pairs cannot be made out, as masks by reason."""
    order, new = _by_label(group, pair)
    label, ordered = np.cumsum(new) - 1, corr[order]
    many = np.bincount(label)[label] > 2
    apart = np.abs(ordered - ordered[np.flatnonzero(new)][label]) > 1e-6
    differ = (np.bincount(label, weights=apart)[label] > 0) & ~many
    out = {"more than two of one pair": many, "two correlations of one pair": differ}
    back = np.argsort(order)
    return {reason: mask[back] for reason, mask in out.items()}
