"""Least squares of many sources at once: normal equations by source, outliers and excess noise by iteration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin.estimators import solution_quality as quality
from astrokin.estimators.solution_model import Axis, Scans, design, order_of
from astrokin.summaries import grouped_product

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Passes until outliers and excess noise have settled; what has not by then is said.
_PASSES = 30
#: Beyond so many passes rows that were left out do not come back.
_ONLY_OUT = 10


@dataclass(frozen=True)
class Rules:
    """What is done besides plain least squares."""

    clip: float | None = None
    jitter: bool = False


@dataclass(frozen=True)
class Solved:
    """Solutions of G sources in the coordinates of their model.

    Attributes
    ----------
    values, inverse : ndarray, shape (G, p) and (G, p, p)
    undetermined : ndarray of bool, shape (G,)
    inflation : ndarray, shape (G,)
        By how much the variance of the worst parameter grows for not being alone.
    alive : ndarray of bool, shape (n,)
        Rows that are no outliers.
    residuals : list of ndarray (n,), one for each axis
    extra : ndarray, shape (G,)
        Variance added to those of the errors (mas²).
    settled : ndarray of bool, shape (G,)
    """

    values: Array
    inverse: Array
    undetermined: Mask
    inflation: Array
    alive: Mask
    residuals: list[Array]
    extra: Array
    settled: Mask


class Model(Protocol):
    """What the solver asks of a model; `values` are those of the last pass."""

    @property
    def n_parameters(self) -> int: ...
    @property
    def linear(self) -> bool: ...

    def design(self, scans: Scans, axis: Axis, values: Array) -> Array:
        """Derivatives (p, n)."""

    def predicted(self, scans: Scans, axis: Axis, values: Array, design: Array) -> Array:
        """The observations (n,) at the values."""


@dataclass(frozen=True)
class Polynomial:
    """Positions that are polynomials in time, with a parallax: 5, 7 or 9 parameters."""

    n_parameters: int
    tau: Array
    linear: bool = True

    def design(self, scans: Scans, axis: Axis, values: Array) -> Array:
        """Derivatives (p, n)."""
        return design(axis, self.tau, order_of(self.n_parameters))

    def predicted(self, scans: Scans, axis: Axis, values: Array, design: Array) -> Array:
        """The observations (n,) at the values."""
        return _times(design, values, scans)


@dataclass(frozen=True)
class Receding:
    """Uniform motion through space in six parameters, the last the rate (1/scale) at which the distance grows."""

    tau: Array
    n_parameters: int = 6
    linear: bool = False

    def design(self, scans: Scans, axis: Axis, values: Array) -> Array:
        """Derivatives (p, n) of (α* + µα* t/(1 + ρt)) sin ψ + … + ϖ f/(1 + ρt)."""
        near = 1.0 / (1.0 + scans.each(values[:, 5]) * self.tau)
        out = np.empty((6, len(near)))
        out[:5] = design(axis, self.tau * near, 1)
        out[2] *= near
        out[5] = -(self.tau * near) * _times(out[2:5], values[:, 2:5], scans)
        return out

    def predicted(self, scans: Scans, axis: Axis, values: Array, design: Array) -> Array:
        """The observations (n,) at the values."""
        return _times(design[:5], values[:, :5], scans)


def _times(matrix: Array, values: Array, scans: Scans) -> Array:
    out = matrix[0] * scans.each(values[:, 0])
    for row, value in zip(matrix[1:], values.T[1:], strict=True):
        out += row * scans.each(value)
    return out


# ---- the iteration ---------------------------------------------------------------------------------------


def solve(scans: Scans, model: Model, rules: Rules) -> Solved:
    """Solve all sources of a block, until outliers, excess noise and a non-linear model have settled."""
    alive, extra = np.ones(len(scans), bool), np.zeros(scans.n_groups)
    values = np.zeros((scans.n_groups, model.n_parameters))
    for turn in range(_PASSES):
        normal, values, residuals = _step(scans, model, values, alive, extra)
        settled = np.full(scans.n_groups, True) if model.linear else _small(normal)
        if rules.clip is not None:
            now = alive_now(scans, residuals, extra, rules.clip) & (alive | (turn < _ONLY_OUT))
            settled &= scans.sums(now != alive) == 0
            alive = now
        if rules.jitter:
            wanted = quality.excess_variance(scans, residuals, alive, freedom(scans, alive, model.n_parameters))
            settled &= np.abs(wanted - extra) <= 1e-6 * wanted
            extra = wanted
        if settled.all():
            break
    return _solved(scans, normal, values, residuals, alive, extra, settled)


def alive_now(scans: Scans, residuals: list[Array], extra: Array, clip: float) -> Mask:
    """Rows that are no outliers by the residuals."""
    return ~quality.outliers(scans, quality.size_of_residuals(scans, residuals, extra), clip)


def freedom(scans: Scans, alive: Mask, n_parameters: int) -> Array:
    """Degrees of freedom of each source."""
    return scans.sums(alive) * len(scans.axes) - n_parameters


def _step(
    scans: Scans, model: Model, values: Array, alive: Mask, extra: Array
) -> tuple[ak.NormalEquations, Array, list[Array]]:
    """One step of Gauss and Newton (the whole way where the model is linear), and the residuals after it."""
    p = model.n_parameters
    designs = [model.design(scans, axis, values) for axis in scans.axes]
    sums = np.zeros((scans.n_groups, p + 1, p + 1))
    for axis, x in zip(scans.axes, designs, strict=True):
        stacked = np.empty((p + 1, len(scans)))
        stacked[:p] = x
        stacked[p] = axis.value
        if values.any():
            stacked[p] -= model.predicted(scans, axis, values, x)
        weighted = scans.weighted(axis, stacked, alive, extra)
        sums += grouped_product(weighted, stacked, scans.group, scans.n_groups)
    normal = ak.NormalEquations(sums[:, :p, :p], sums[:, :p, p], sums[:, p, p], scans.sums(alive))
    values = values + normal.step()
    again = designs if model.linear else [model.design(scans, axis, values) for axis in scans.axes]
    pairs = zip(scans.axes, again, strict=True)
    return normal, values, [axis.value - model.predicted(scans, axis, values, x) for axis, x in pairs]


def _small(normal: ak.NormalEquations) -> Mask:
    step = normal.step()
    error = np.sqrt(np.maximum(np.einsum("gii->gi", normal.inverse), 1e-300))
    return (np.abs(step) <= 1e-6 * error).all(axis=1)


def _solved(
    scans: Scans, normal: ak.NormalEquations, values: Array, residuals: list[Array], alive: Mask, extra: Array,
    settled: Mask,
) -> Solved:  # fmt: skip
    inverse = normal.inverse
    inflation = (np.einsum("gii->gi", normal.matrix) * np.einsum("gii->gi", inverse)).max(axis=1)
    undetermined: Mask = np.asarray(normal.undetermined.any(axis=1))
    return Solved(values, inverse, undetermined, inflation, alive, residuals, extra, settled)


def chi_square(scans: Scans, residuals: list[Array], alive: Mask) -> Array:
    """Chi² of each source with the errors as they are given."""
    none = np.zeros(scans.n_groups)
    return scans.sums(sum(r * scans.weighted(a, r, alive, none) for a, r in zip(scans.axes, residuals, strict=True)))
