"""Posterior of the distance of each star from its parallax, by quadrature over nodes of its own.

The density in the distance is p(r) exp(-(parallax - 1/r)^2 / (2 sigma^2)); `astrokin.distance_nodes` says where it is
looked at and how it is integrated. Quantiles are found in the cell by the cubic of the running integral.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astrokin.distance_nodes import NODES, REACH, Nodes, ends, integrals
from astrokin.distance_priors import Bound

Array = NDArray[np.float64]
Index = NDArray[np.intp]

#: Rows worked on at a time: their nodes stay in the cache.
BLOCK = 1 << 11
_FEW = 3 * NODES // 4  # nodes where the posterior is not negligible: if less, they are moved there
_ROUNDS = 12
_NUMBERS = np.arange(NODES, dtype=np.uint8)[:, None]
#: By which powers of r the density in parallax is that in distance.
_POWERS = np.array([[0.0], [2.0]])


@dataclass(frozen=True)
class Posterior:
    """What the posteriors of n stars come to, kpc.

    Attributes
    ----------
    quantiles : ndarray, shape (q, n)
    mean, deviation : ndarray, shape (n,)
    mode, mode_of_parallax : ndarray, shape (n,)
        Where the density in distance is largest, and 1 over where that in parallax is; NaN where that is at the limit.
    """

    quantiles: Array
    mean: Array
    deviation: Array
    mode: Array
    mode_of_parallax: Array


def posterior(parallax: Array, error: Array, prior: Bound, shares: tuple[float, ...]) -> Posterior:
    """The posteriors of stars with parallaxes and errors in mas; NaN where the prior allows none of the distances."""
    n = len(parallax)
    out = Posterior(np.empty((len(shares), n)), *(np.empty(n) for _ in range(4)))
    for rows, block in _blocks(parallax, error, prior):
        block.fill(out, rows, shares)
    return out


def log_evidence(parallax: Array, error: Array, prior: Bound) -> Array:
    """Logarithms of the integrals of likelihood times prior; minus infinity where the prior allows no distance."""
    out = np.empty(len(parallax))
    for rows, block in _blocks(parallax, error, prior):
        out[rows] = block.log_evidence()
    return out


def _blocks(parallax: Array, error: Array, prior: Bound) -> Iterator[tuple[slice, _Block]]:
    n = len(parallax)
    # One room for the nodes of all blocks: fresh memory for each would take longer than the arithmetic.
    room = np.empty(5 * NODES * min(n, BLOCK))
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        wide = rows.stop - start
        yield rows, _Block(parallax[rows], error[rows], prior[rows], room[: 5 * NODES * wide].reshape(5, NODES, wide))


def mode_of_parallax(parallax: Array, error: Array) -> Array:
    """1 over the mode in parallax for the uniform volume, 2/(p + sqrt(p^2 - 16 s^2)) (Lutz & Kelker 1973); else NaN."""
    with np.errstate(invalid="ignore", divide="ignore"):
        square = parallax**2 - 16.0 * error**2
        known = (parallax > 0.0) & (square >= 0.0)
        return np.where(known, 2.0 / (parallax + np.sqrt(np.where(known, square, 0.0))), np.nan)


def mode_of_distance(parallax: Array, error: Array) -> Array:
    """The mode in distance for the uniform volume, 2/(p + sqrt(p^2 - 8 s^2)); NaN where there is none."""
    return mode_of_parallax(parallax, error / np.sqrt(2.0))


class _Block:
    """Nodes, values and running integrals of a few rows; distances in a unit of the prior's own."""

    def __init__(self, parallax: Array, error: Array, prior: Bound, room: Array) -> None:
        self.parallax, self.error, self.prior = parallax, error, prior
        self.unit = 1.0 if prior.scale is None else prior.scale
        self.r, self.density, self.f, self.running, self.spare = room
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            nodes = Nodes.between(*ends(parallax, error, prior), parallax, error)
            self.lost = ~(nodes.step > 0.0)
            if self.lost.any():
                first, step = np.where(self.lost, [[0.0], [1.0]], [nodes.first, nodes.step])
                nodes = Nodes(nodes.curve, first, step)
            self._place(nodes)
            # A prior of one's own may be much narrower than the likelihood.
            for _ in range(0 if prior.density is None else _ROUNDS):
                if not self._narrowed():
                    break
            self._integrate()

    def _place(self, nodes: Nodes) -> None:
        """Distances, and densities in them without r^2, in units of the largest."""
        self.nodes, cost = nodes, self.density
        nodes.fill(cost, self.f, self.spare)
        spread = np.sqrt(2.0) * self.error
        cost *= nodes.curve / spread
        np.divide(1.0 / (spread * self.unit), cost, out=self.r)
        cost -= self.parallax / spread
        cost *= cost
        self.prior.add_cost(cost, self.r)
        self.lowest = cost.min(axis=0)
        np.exp(np.subtract(self.lowest, cost, out=cost), out=cost)

    def _narrowed(self) -> bool:
        """Move the nodes to where the posterior is not negligible, if only few of them are there."""
        weight = np.multiply(self.density, self.r, out=self.spare)
        there = weight > weight.max(axis=0) * np.exp(-0.5 * REACH**2)
        first = np.maximum(np.argmax(there, axis=0) - 1, 0)
        last = np.minimum(NODES - np.argmax(there[::-1], axis=0), NODES - 1)
        few = (last - first < _FEW) & there.any(axis=0)
        if few.any():
            self._place(self.nodes.some(np.where(few, first, 0), np.where(few, last, NODES - 1)))
        return bool(few.any())

    def _integrate(self) -> None:
        """The density by the node's number, its running integral, and the best nodes (2, n) of both densities."""
        square = np.multiply(self.r, self.r, out=self.spare)
        if self.prior.density is None:
            self.density *= square
        of_distance = _largest(self.density)
        self.density *= square
        self.best = np.stack([of_distance, _largest(self.density)])
        self.f *= self.density
        np.matmul(integrals(), self.f, out=self.running)

    def log_evidence(self) -> Array:
        """Logarithm of the whole integral."""
        with np.errstate(divide="ignore", invalid="ignore"):
            found = np.log(self.running[-1] * self.nodes.curve * self.nodes.step) - self.lowest
            return np.where(self.lost, -np.inf, found + 4.0 * np.log(self.unit))

    def fill(self, out: Posterior, rows: slice, shares: tuple[float, ...]) -> None:
        """Put the results of the rows where they belong."""
        total = self.running[-1]
        lost = self.lost | ~(total > 0.0)
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            total = np.where(lost, np.nan, total)
            out.mean[rows], out.deviation[rows] = self._moments(total)
            out.quantiles[:, rows] = self._quantiles(np.multiply.outer(np.asarray(shares), total))
            out.mode[rows], out.mode_of_parallax[rows] = np.where(lost, np.nan, self._modes())

    def _moments(self, total: Array) -> tuple[Array, Array]:
        """Mean and standard deviation, taken from the best node: the squares would cancel if from zero."""
        centre = self.r.reshape(-1).take(self.best[0] * len(total) + np.arange(len(total)))
        off = np.subtract(self.r, centre, out=self.spare)
        weight = integrals()[-1:]
        weighted = np.multiply(off, self.f, out=self.density)
        mean = (weight @ weighted)[0] / total
        weighted *= off
        variance = (weight @ weighted)[0] / total - mean * mean
        return (centre + mean) * self.unit, np.sqrt(np.maximum(variance, 0.0)) * self.unit

    def _quantiles(self, target: Array) -> Array:
        """Where the running integrals reach the targets (q, n), by the cubic of the cell."""
        # Sums of bytes (there are less than 256 nodes) are many times quicker than a count.
        found = [np.add.reduce((self.running < t).view(np.uint8), axis=0, dtype=np.uint8) for t in target]
        cell = np.clip(np.stack(found).astype(np.intp) - 1, 0, NODES - 2)
        start, rise, b, c = self._around(cell)
        place = _reached(target - start, rise - start, b, c)
        place += cell
        return self.nodes.distance(place)

    def _around(self, cell: Index) -> tuple[Array, Array, Array, Array]:
        """Running integral and density, both at the beginning and at the end of cells (q, n)."""
        n = cell.shape[1]
        place = cell * n
        place += np.arange(n)
        running, f = self.running.reshape(-1), self.f.reshape(-1)
        begun = running.take(place), f.take(place)
        place += n
        return begun[0], running.take(place), begun[1], f.take(place)

    def _modes(self) -> Array:
        """Distances (2, n) at which the densities are largest, by Newton's method from the best node; NaN at an end."""
        inside = (self.best > 0) & (self.best < NODES - 1)
        node = np.clip(self.best, 1, NODES - 2)
        n = node.shape[1]
        place = node * n + np.arange(n)
        r, low, high = (self.r.reshape(-1).take(place + k) * self.unit for k in (0, -n, n))
        weight = 1.0 / (self.error * self.error)
        for _ in range(3):
            inverse = 1.0 / r
            pull, off = inverse * weight, self.parallax - inverse
            slope = self.prior.slope(r) + _POWERS - off * pull
            bend = self.prior.bend(r) - pull * (inverse - off)
            r = np.clip(r * np.exp(-slope / np.where(bend < 0.0, bend, -np.inf)), low, high)
        return np.where(inside, r, np.nan)


def _reached(wanted: Array, rise: Array, b: Array, c: Array) -> Array:
    """Where in a cell, from 0 to 1, the cubic with this rise and the slopes b and c at its ends comes to a value."""
    both, change = b + c, c - b
    # Begin where the integral of a straight line through both densities would be.
    scaled = wanted * both / np.where(rise > 0.0, rise, 1.0)
    t = scaled / (b + np.sqrt(np.maximum(b * b + change * scaled, 0.0)))
    np.clip(t, 0.0, 1.0, out=t)
    third = both - 2.0 * rise
    second = 0.5 * change - 1.5 * third
    for _ in range(2):
        value = third * t
        value += second
        speed = (2.0 * value + third * t) * t
        speed += b
        value *= t
        value += b
        value *= t
        value -= wanted
        t -= value / np.where(speed > 0.0, speed, np.inf)
        np.clip(t, 0.0, 1.0, out=t)
    return t


def _largest(values: Array) -> Index:
    """The node of the largest value: as argmax, in half the time."""
    numbers = (values == values.max(axis=0)).view(np.uint8)
    numbers *= _NUMBERS
    return np.maximum.reduce(numbers, axis=0).astype(np.intp)
