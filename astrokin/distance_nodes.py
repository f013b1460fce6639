"""Where the posterior of a distance is looked at: nodes that are close in parallax near its peak, in ln r far out.

With parallax = c ln(1 + e^v), equal steps of v are equal steps of the parallax where it is large against c, and of the
logarithm of the distance where it is small: the posterior is smooth on this scale both where the likelihood and where
the prior shapes it, and a spline of the fifth degree through few nodes has its integral.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_interp_spline

from astrokin.distance_priors import Bound

Array = NDArray[np.float64]

NODES = 40
REACH = 5.8  # standard errors to which the likelihood is followed
_NEGLIGIBLE = 22.0  # -ln of the share of the posterior that may be left out far out
_AGREEING = 3.0  # -ln of how much less likely the distance that the parallax tells may be than the best one
_CURVE = 2.5  # c in standard errors
_STEEP = 30.0  # c is larger where v, the logarithm of large numbers, would be beyond this


@dataclass(frozen=True)
class Nodes:
    """Nodes of n stars, the nearest first: v = first - k step for k from 0 to NODES - 1; arrays (n,)."""

    curve: Array
    first: Array
    step: Array

    @classmethod
    def between(cls, near: Array, far: Array, parallax: Array, error: Array) -> Self:
        """From the largest parallax (mas) to the smallest."""
        curve = error * np.maximum(_CURVE, parallax / (_STEEP * error))
        first = _inverse(near / curve)
        return cls(curve, first, (first - _inverse(far / curve)) / (NODES - 1))

    def some(self, first: Array, last: Array) -> Nodes:
        """As many nodes from one of these to another."""
        return Nodes(self.curve, self.first - first * self.step, self.step * (last - first) / (NODES - 1))

    def fill(self, parallax: Array, slope: Array, spare: Array) -> None:
        """Put the parallaxes (in units of c) and their derivatives by v there, shapes (NODES, n)."""
        grown = slope
        np.exp(self.first, out=grown[0])
        # Powers of one number are products, of which each doubles how many there are.
        ratio, have = np.exp(-self.step), 1
        while have < NODES:
            more = min(have, NODES - have)
            np.multiply(grown[:more], ratio, out=grown[have : have + more])
            ratio, have = ratio * ratio, have + more
        np.add(grown, 1.0, out=spare)
        np.log(spare, out=parallax)
        slope /= spare

    def distance(self, place: Array) -> Array:
        """The distances (kpc) at places among the nodes, which need not be whole numbers."""
        return 1.0 / (self.curve * np.log1p(np.exp(self.first - place * self.step)))


def _inverse(x: Array) -> Array:
    return np.log(np.expm1(x))


@cache
def integrals() -> Array:
    """The integrals up to each node of what has given values at the nodes: a matrix (NODES, NODES), of a spline."""
    place = np.arange(float(NODES))
    return np.ascontiguousarray(make_interp_spline(place, np.eye(NODES), k=5).antiderivative()(place))


def ends(parallax: Array, error: Array, prior: Bound) -> tuple[Array, Array]:
    """Beyond which parallaxes (mas) the posterior is negligible: the largest and the smallest.

    NaN where the likelihood is at all of the prior's distances as small as beyond `REACH`.
    """
    r_max, ratio = prior.r_max, parallax / error
    largest = parallax + error * np.sqrt(2.0 * _least(parallax, error, prior) + REACH**2)
    if prior.scale is not None:
        # Nearer than both the prior's scale and the likelihood's peak the posterior falls as r^3, if not as the latter.
        largest = np.minimum(largest, np.maximum(parallax, 1.0 / prior.scale) * np.exp(REACH**2 / 6.0))
    if prior.r_min > 0.0:
        largest = np.minimum(largest, 1.0 / prior.r_min)
    # Far out, where the likelihood is flat, the volume counts: at what ratio is all of that negligible?
    there = r_max if prior.scale is None else prior.scale
    far = 0.5 * ratio * ratio - 3.0 * np.log(np.maximum(parallax * there, 1.0)) > _NEGLIGIBLE
    smallest = np.where(far & (ratio > 1.05 * REACH), parallax - REACH * error, 1.0 / r_max)
    if prior.density is not None:
        largest, smallest = _widened(largest, smallest, parallax, error, prior)
    missed = np.maximum(1.0 / r_max - parallax, 0.0) ** 2 - np.minimum(parallax, 0.0) ** 2
    return np.where(missed < (REACH * error) ** 2, largest, np.nan), np.maximum(smallest, 1.0 / r_max)


def _widened(largest: Array, smallest: Array, parallax: Array, error: Array, prior: Bound) -> tuple[Array, Array]:
    """The ends moved to where a prior of one's own draws the posterior, if that is beyond them."""
    largest, smallest = np.array(largest), np.array(smallest)
    r, log_density = prior.knots()
    top = log_density.max()
    nearest = np.clip(1.0 / np.maximum(parallax, 1e-300), prior.r_min, prior.r_max)
    told = top - prior.log_density(nearest) + 0.5 * ((1.0 / nearest - parallax) / error) ** 2
    # Where the prior is large next to the likelihood's peak nothing beyond `REACH` counts.
    rows = np.flatnonzero(told > _AGREEING)
    if len(rows):
        x = 1.0 / r
        cost = 0.5 * ((x[:, None] - parallax[rows]) / error[rows]) ** 2 + (top - log_density)[:, None]
        there = cost < np.minimum(cost.min(axis=0), told[rows]) + 0.5 * REACH**2
        some, first, last = there.any(axis=0), there.argmax(axis=0), len(r) - 1 - there[::-1].argmax(axis=0)
        nearer, farther = some & (x[first] > largest[rows]), some & (x[last] < smallest[rows])
        largest[rows[nearer]] = x[np.maximum(first[nearer] - 1, 0)]
        smallest[rows[farther]] = x[np.minimum(last[farther] + 1, len(r) - 1)]
    return largest, smallest


def _least(parallax: Array, error: Array, prior: Bound) -> Any:
    """-ln of likelihood and prior, without the volume, at the better of two parallaxes: how far both disagree."""
    length = prior.length

    def at(place: Any) -> Any:
        return 0.5 * ((place - parallax) / error) ** 2 + (0.0 if length is None else 1.0 / (place * length))

    nearest = at(np.maximum(parallax, 1.0 / prior.r_max))
    return nearest if length is None else np.minimum(nearest, at(1.0 / (3.0 * length)))
