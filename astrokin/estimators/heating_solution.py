r"""The age-velocity relation from the sums of one group: moments of each cell against a curve at true ages.

In a cell of observed age a and error s the expected square of a velocity about its mean, the measurement's share taken
off, is the mean of sigma^2(tau) over the true ages there. The curve's parameters solve

    sum over stars of w G (u^2 - noise - E[sigma^2]) = 0,   w = 1 / E[sigma^2]^2,  G = dE[sigma^2]/d theta,

which asks nothing of the shape of the distributions; their errors are those of the sandwich, from the products of the
squares themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astrokin.estimators.heating_ages import true_ages
from astrokin.estimators.heating_curves import Curve
from astrokin.estimators.heating_sums import PAIRS, Sums

Array = NDArray[np.float64]

#: Bins of observed age in which the dispersions are shown.
BINS = 16
_EDGES = np.geomspace(0.1, 16.0, BINS + 1)
_FEW = 30.0
_FAR = 4.0
_ROUNDS = 80
_PRECISION = 1e-11
_SETTLED = 1e-5
_STEP = 1e-3
_SINGULAR = 1e-10
_PLACE = {pair: k for k, pair in enumerate(PAIRS)}


@dataclass(frozen=True)
class Solution:
    """Parameters of all components of one group, their covariance, and the mean and variance of each cell.

    `mean` and `variance` are (3, cells) over all cells, the empty ones too; `covariance` is None before the final pass.
    `seen` holds observed ages and dispersions in bins of observed age, (4, bins); `beyond` is the number of stars that
    look far older than any is.
    """

    theta: Array
    covariance: Array | None
    mean: Array
    variance: Array
    settled: bool
    determined: NDArray[np.bool_]
    seen: Array
    beyond: float


class Cells:
    """The cells of a group that hold stars."""

    def __init__(self, sums: Sums, group: int, oldest: float, about: Array | None) -> None:
        self.kept = np.flatnonzero(sums.count[group] > 0.0)
        self.count = sums.count[group, self.kept]
        self.age = np.exp(sums.log_age[group, self.kept] / self.count)
        self.error = np.sqrt(sums.error2[group, self.kept] / self.count)
        self.first, self.second = sums.first[group][:, self.kept], sums.second[group][:, self.kept]
        self.products = None if sums.products is None else sums.products[group][:, self.kept]
        self.about = np.zeros((3, len(self.kept))) if about is None else about[:, self.kept]
        self.tau, self.shares = true_ages(self.count, self.age, self.error, oldest)

    def expected(self, values: Array) -> Array:
        """The mean of a function of true age in each cell."""
        return self.shares @ values


def solved(sums: Sums, group: int, curves: tuple[Curve, ...], oldest: float, about: Array | None) -> Solution | None:
    """The solution for a group; None where it has no stars."""
    cells = Cells(sums, group, oldest, about)
    if not len(cells.kept):
        return None
    parts = [_Component(cells, k, curve) for k, curve in enumerate(curves)]
    shape = (3, sums.count.shape[1])
    mean, variance = np.zeros(shape), np.ones(shape)
    for part in parts:
        mean[part.k, cells.kept] = cells.about[part.k] + part.shift
        variance[part.k, cells.kept] = np.maximum(part.expected, 1e-6)
    return Solution(
        np.concatenate([p.theta for p in parts]),
        None if cells.products is None else _sandwich(cells, parts),
        mean,
        variance,
        all(p.settled or not p.determined.any() for p in parts),
        np.concatenate([p.determined for p in parts]),
        _seen(cells, parts),
        float(cells.count[cells.age > oldest * np.exp(_FAR * cells.error)].sum()),
    )


def _seen(cells: Cells, parts: list[_Component]) -> Array:
    """Mean age and the three dispersions in bins of observed age; NaN in those of too few stars."""
    place = np.searchsorted(_EDGES, cells.age) - 1
    out = np.full((4, BINS), np.nan)
    for i in range(BINS):
        mine = place == i
        count = cells.count[mine]
        if count.sum() >= _FEW:
            squares = [float(count @ p.squares[mine]) for p in parts]
            out[:, i] = np.array([count @ cells.age[mine], *squares]) / count.sum()
    out[1:] = np.sqrt(np.maximum(out[1:], 0.0))
    return out


class _Component:
    """One component: its mean velocity by cell, and the curve of its variance."""

    def __init__(self, cells: Cells, k: int, curve: Curve) -> None:
        self.cells, self.k, self.curve = cells, k, curve
        start = np.maximum(cells.second[k] - cells.first[k] ** 2 / cells.count, 0.0)
        self.theta = curve.start(cells.age, start / cells.count, cells.count)
        low, high = (np.array(b) for b in curve.bounds())
        change = np.inf
        for i in range(_ROUNDS):
            before = np.clip(self.theta, low, high)
            self.theta = np.clip(before + self._step() * (0.5 if i > _ROUNDS // 2 else 1.0), low, high)
            change = float(np.max(np.abs(self.theta - before) / np.maximum(np.abs(before), 0.1)))
            if change <= _PRECISION:
                break
        self.settled = change <= _SETTLED
        self._step()
        few = cells.count.sum() <= len(self.theta) + 1
        self.determined &= ~few & (self.theta > low + 1e-6) & (self.theta < high - 1e-6)

    def _step(self) -> Array:
        """One step of scoring from the parameters, not beyond half of them."""
        self._weigh()
        self._derive()
        score = self.slopes.T @ (self.cells.count * self.weight * (self.squares - self.expected))
        return _capped(self.inverse @ score, self.theta)

    def _weigh(self) -> None:
        """Expectation and weight of each cell; the mean velocity, for v_phi linear in sigma^2: the asymmetric drift."""
        cells = self.cells
        sigma2 = self.curve.variance(self.theta, cells.tau)
        self.expected = cells.expected(sigma2)
        self.weight = 1.0 / np.maximum(self.expected, 1e-6) ** 2
        mass = cells.count / np.maximum(self.expected, 1e-6)
        seen = cells.about[self.k] + cells.first[self.k] / cells.count
        drifting = self.k == 1 and len(cells.kept) > 2
        design = np.stack([np.ones_like(seen), self.expected] if drifting else [np.ones_like(seen)], axis=1)
        root = np.sqrt(mass)
        slope = np.linalg.lstsq(design * root[:, None], seen * root, rcond=None)[0]
        self.shift = design @ slope - cells.about[self.k]
        drift = slope[1] if drifting else 0.0
        # Within a cell true ages differ, and with them the drift.
        self.extra = drift**2 * np.maximum(cells.expected(sigma2**2) - self.expected**2, 0.0)

    @property
    def squares(self) -> Array:
        """Mean squares about the mean velocity, of each cell."""
        first, second = self.cells.first[self.k], self.cells.second[self.k]
        return (second - 2.0 * self.shift * first) / self.cells.count + self.shift**2 - self.extra

    def _model(self, theta: Array) -> Array:
        return self.cells.expected(self.curve.variance(theta, self.cells.tau))

    def _derive(self) -> None:
        """Derivatives of the expectations by the parameters, and which of these the cells determine."""
        columns = []
        for i, value in enumerate(self.theta):
            step = np.zeros_like(self.theta)
            step[i] = _STEP * max(abs(value), 1e-2)
            columns.append((self._model(self.theta + step) - self._model(self.theta - step)) / (2.0 * step[i]))
        self.slopes = np.stack(columns, axis=1)
        pulled = self.slopes * (self.cells.count * self.weight)[:, None]
        self.bread = self.slopes.T @ pulled
        self.inverse, self.determined = _inverse(self.bread)

    def rest(self) -> Array:
        """What is taken off a square in each cell, beyond the mean velocity of the last pass."""
        return self.expected + self.extra


def _capped(step: Array, theta: Array) -> Array:
    limit = 0.5 * np.maximum(np.abs(theta), 0.2)
    return step / max(1.0, float(np.max(np.abs(step) / limit, initial=0.0)))


def _inverse(matrix: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Pseudo-inverse, and the parameters in no undetermined combination."""
    scale = np.sqrt(np.where(np.diag(matrix) > 0.0, np.diag(matrix), 1.0))
    values, vectors = np.linalg.eigh(matrix / np.outer(scale, scale))
    good = values > _SINGULAR * max(values[-1], 0.0)
    inverse = (vectors[:, good] / values[good]) @ vectors[:, good].T / np.outer(scale, scale)
    share = (vectors[:, ~good] ** 2).sum(axis=1)
    return inverse, (share < 1e-6) & (np.diag(matrix) > 0.0)


def _sandwich(cells: Cells, parts: list[_Component]) -> Array:
    """Covariance of all parameters, with the correlations of the components' squares."""
    sizes = [len(p.theta) for p in parts]
    ends = np.cumsum([0, *sizes])
    out = np.zeros((ends[-1], ends[-1]))
    n = cells.count.sum()
    for p in parts:
        for q in parts:
            if p.k <= q.k:
                scatter = _scatter(cells, p, q)
                left, right = (x.slopes * x.weight[:, None] for x in (p, q))
                meat = left.T @ (right * scatter[:, None])
                free = np.sqrt((n / max(n - len(p.theta), 1.0)) * (n / max(n - len(q.theta), 1.0)))
                block = p.inverse @ meat @ q.inverse * free
                a, b = slice(*ends[p.k : p.k + 2]), slice(*ends[q.k : q.k + 2])
                out[a, b], out[b, a] = block, block.T
    return out


def _scatter(cells: Cells, p: _Component, q: _Component) -> Array:
    """Sum over the stars of each cell of the products of two squares less their expectations."""
    assert cells.products is not None
    one, other = cells.second[p.k], cells.second[q.k]
    product = cells.products[_PLACE[p.k, q.k]]
    return product - p.rest() * other - q.rest() * one + cells.count * p.rest() * q.rest()
