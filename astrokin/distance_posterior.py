"""Posterior of the distance of each star from its parallax, by quadrature over the logarithm of the distance.

The integrand in x = ln r is f = p(r) r exp(-(parallax - 1/r)^2 / (2 sigma^2)). Nodes are equally spaced between the
distances where the likelihood has fallen to e^-18; the running integral is of third order in each cell, and inverted
there by its cubic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astrokin.distance_priors import Bound

Array = NDArray[np.float64]

NODES = 48
#: Rows worked on at a time: their nodes stay in the cache.
BLOCK = 1 << 11
_REACH = 6.0  # standard errors to which the likelihood is followed
_FEW = NODES // 2  # nodes where the posterior is not negligible: if less, they are moved there
_ROUNDS = 12
_NEGLIGIBLE = 14.0  # -ln of the share of the posterior that may be left out beyond them


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
    # One room for the nodes of all blocks: fresh memory for each would take longer than the arithmetic.
    room = np.empty((6, NODES, min(n, BLOCK)))
    for start in range(0, n, BLOCK):
        rows = slice(start, min(start + BLOCK, n))
        _Block(parallax[rows], error[rows], prior[rows], room[:, :, : rows.stop - start]).fill(out, rows, shares)
    return out


def log_evidence(parallax: Array, error: Array, prior: Bound) -> Array:
    """Logarithms of the integrals of likelihood times prior; minus infinity where the prior allows no distance."""
    out = np.empty(len(parallax))
    room = np.empty((6, NODES, min(len(out), BLOCK)))
    for start in range(0, len(out), BLOCK):
        rows = slice(start, min(start + BLOCK, len(out)))
        out[rows] = _Block(parallax[rows], error[rows], prior[rows], room[:, :, : rows.stop - start]).log_evidence()
    return out


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
    """Nodes, values and running integrals of a few rows."""

    def __init__(self, parallax: Array, error: Array, prior: Bound, room: Array) -> None:
        self.parallax, self.prior = parallax, prior
        self.x, self.r, self.logarithm, self.f, self.running, self.spare = room
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            self.weight = 1.0 / (error * error)
            low, high = _ends(parallax, error, prior)
            self.step = (high - low) / (NODES - 1)
            self.lost = ~(self.step > 0.0)
            if self.lost.any():
                low, self.step = np.where(self.lost, 0.0, low), np.where(self.lost, 1.0, self.step)
            self._place_nodes(low)
            # A prior of one's own may be much narrower than the likelihood.
            for _ in range(0 if prior.density is None else _ROUNDS):
                if not self._narrowed():
                    break

    def _place_nodes(self, low: Array) -> None:
        np.multiply(self.step, np.arange(NODES)[:, None], out=self.x)
        self.x += low
        self._integrate()

    def _narrowed(self) -> bool:
        """Move the nodes to where the posterior is not negligible, if only few of them are there."""
        there = self.logarithm > self.highest - _REACH**2
        first = np.maximum(np.argmax(there, axis=0) - 1, 0)
        last = np.minimum(NODES - np.argmax(there[::-1], axis=0), NODES - 1)
        few = (last - first < _FEW) & there.any(axis=0)
        if not few.any():
            return False
        low = np.where(few, self.x[first, np.arange(len(first))], self.x[0])
        self.step = np.where(few, self.step * (last - first) / (NODES - 1), self.step)
        self._place_nodes(low)
        return True

    def _integrate(self) -> None:
        logarithm = self.logarithm
        inverse = np.exp(np.negative(self.x, out=self.spare), out=self.spare)
        np.divide(1.0, inverse, out=self.r)
        np.subtract(self.parallax, inverse, out=logarithm)
        logarithm *= logarithm
        logarithm *= -0.5 * self.weight
        logarithm += self.prior.log_density(self.r, self.x, self.spare)
        logarithm += self.x
        self.highest = logarithm.max(axis=0)
        np.exp(np.subtract(logarithm, self.highest, out=self.f), out=self.f)
        _running(self.f, self.step, self.running)

    def log_evidence(self) -> Array:
        """Logarithm of the whole integral."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.lost, -np.inf, np.log(self.running[-1]) + self.highest)

    def fill(self, out: Posterior, rows: slice, shares: tuple[float, ...]) -> None:
        """Put the results of the rows where they belong."""
        total = self.running[-1]
        lost = self.lost | ~(total > 0.0)
        with np.errstate(invalid="ignore", divide="ignore"):
            total = np.where(lost, np.nan, total)
            out.mean[rows] = mean = _whole(np.multiply(self.f, self.r, out=self.spare), self.step) / total
            off = np.subtract(self.r, mean, out=self.spare)
            off *= off
            off *= self.f
            out.deviation[rows] = np.sqrt(np.maximum(_whole(off, self.step) / total, 0.0))
            out.quantiles[:, rows] = self._quantiles(np.multiply.outer(np.asarray(shares), total))
            for part, power in ((out.mode, -1.0), (out.mode_of_parallax, 1.0)):
                part[rows] = np.where(lost, np.nan, self._mode(power))

    def _quantiles(self, target: Array) -> Array:
        """Where the running integrals reach the targets (q, n), by the cubic of the cell."""
        # Sums of bytes (there are less than 256 nodes) are many times quicker than a count.
        found = [np.add.reduce((self.running < t).view(np.uint8), axis=0, dtype=np.uint8) for t in target]
        cell = np.clip(np.stack(found).astype(np.intp) - 1, 0, NODES - 2)
        row = np.arange(cell.shape[1])
        start, rise = self.running[cell, row], self.running[cell + 1, row]
        rise, b, c = rise - start, self.f[cell, row] * self.step, self.f[cell + 1, row] * self.step
        second, third = 3.0 * rise - 2.0 * b - c, b + c - 2.0 * rise
        wanted = target - start
        t = np.clip(wanted / np.where(rise > 0.0, rise, 1.0), 0.0, 1.0)
        for _ in range(3):
            speed = b + t * (2.0 * second + t * (3.0 * third))
            t -= (t * (b + t * (second + t * third)) - wanted) / np.where(speed > 0.0, speed, np.inf)
            np.clip(t, 0.0, 1.0, out=t)
        return np.exp(self.x[cell, row] + t * self.step)

    def _mode(self, power: float) -> Array:
        """The distance at which f r^power is largest, by Newton's method from the best node; NaN at an end."""
        tilted = (np.add if power > 0 else np.subtract)(self.logarithm, self.x, out=self.spare)
        best = np.argmax(tilted, axis=0)
        inside = (best > 0) & (best < NODES - 1)
        start = self.x[best, np.arange(len(best))]
        x = start
        for _ in range(3):
            inverse = np.exp(-x)
            off, r = self.parallax - inverse, 1.0 / inverse
            slope = self.prior.slope(r) + (1.0 + power) - off * inverse * self.weight
            bend = self.prior.bend(r) - self.weight * inverse * (inverse - off)
            x = np.clip(x - slope / np.where(bend < 0.0, bend, -np.inf), start - self.step, start + self.step)
        return np.where(inside, np.exp(x), np.nan)


def _ends(parallax: Array, error: Array, prior: Bound) -> tuple[Array, Array]:
    """Where the nodes begin and end, ln kpc."""
    r_max, ratio = prior.r_max, parallax / error
    largest = np.where(parallax > 0.0, parallax + _REACH * error, parallax + np.hypot(parallax, _REACH * error))
    if prior.scale is not None:
        # Below both the prior's scale and the likelihood's peak f falls as r^3 at least, wherever the likelihood ends.
        peak = np.maximum(parallax, 1.0 / prior.scale)
        largest = np.minimum(largest, peak * np.exp(_REACH))
    # Far out, where the likelihood is flat, the volume counts: at what ratio is all of that negligible?
    far = 0.5 * ratio * ratio - 3.0 * np.log(np.maximum(parallax * r_max, 1.0)) > _NEGLIGIBLE
    smallest = np.where(far & (ratio > 1.05 * _REACH), parallax - _REACH * error, 1.0 / r_max)
    if prior.r_min > 0.0:
        largest = np.minimum(largest, 1.0 / prior.r_min)
    return -np.log(largest), -np.log(np.maximum(smallest, 1.0 / r_max))


def _running(f: Array, step: Array, out: Array) -> None:
    """The running integral of f with nodes along the first axis, zero at the first: of third order, cell by cell."""
    parts = out[1:]
    np.add(f[1:], f[:-1], out=parts)
    parts *= 13.0
    parts[1:-1] -= f[:-3]
    parts[1:-1] -= f[3:]
    parts[0] = 9.0 * f[0] + 19.0 * f[1] - 5.0 * f[2] + f[3]
    parts[-1] = 9.0 * f[-1] + 19.0 * f[-2] - 5.0 * f[-3] + f[-4]
    parts *= step / 24.0
    out[0] = 0.0
    np.cumsum(parts, axis=0, out=parts)


def _whole(f: Array, step: Array) -> Array:
    """The integral of f over all nodes along the first axis: Gregory's rule of third order."""
    ends = sum(w * (f[k] + f[-1 - k]) for k, w in enumerate((-15.0 / 24.0, 4.0 / 24.0, -1.0 / 24.0)))
    return step * (f.sum(axis=0) + ends)
