r"""From observed to true ages: the ages of the population by maximum likelihood, and those of each cell given its own.

An observed age a with the relative error s is taken as ln a = ln tau + s n, n of unit variance: errors of ages are in
proportion to them. The true ages are spread as exp(c_1 x + c_2 x^2 + c_3 x^3) with x = tau / oldest, from zero to the
oldest; the c are found from the observed ages alone, from which Bayes' rule gives the true ages of each cell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]

_NODES = 320
_POWERS = 3
_EXACT = 0.01


def nodes(oldest: float) -> tuple[Array, Array]:
    """True ages (Gyr) and the widths they stand for: equal steps of the root, finer for the young."""
    edges = oldest * np.linspace(0.0, 1.0, _NODES + 1) ** 2
    return 0.5 * (edges[1:] + edges[:-1]), np.diff(edges)


def true_ages(count: Array, age: Array, error: Array, oldest: float) -> tuple[Array, Array]:
    """Ages and their shares in each cell.

    Parameters
    ----------
    count, age, error : ndarray, shape (cells,)
        Stars, observed age (Gyr), relative error of the cells that are not empty.
    oldest : float
        Gyr.

    Returns
    -------
    ages : ndarray, shape (m,)
    shares : ndarray, shape (cells, m)
        Rows sum to one. Without age errors the ages are those of the cells themselves.
    """
    if not (error >= _EXACT).any():
        return age, np.eye(len(age))
    tau, width = nodes(oldest)
    spread = np.maximum(error, _EXACT)[:, None]
    chance = np.exp(-0.5 * ((np.log(age)[:, None] - np.log(tau)) / spread) ** 2) / spread
    chance *= width
    coefficients = _population(count, chance, tau / oldest, width / oldest)
    shares = chance * np.exp(_powers(tau / oldest) @ coefficients)
    total = shares.sum(axis=1, keepdims=True)
    nearest = np.argmin(np.abs(np.log(age)[:, None] - np.log(tau)), axis=1)
    # An age so far beyond the oldest that no true age explains it is given the nearest.
    lost = total[:, 0] <= 0.0
    shares[lost] = np.eye(len(tau))[nearest[lost]]
    return tau, shares / shares.sum(axis=1, keepdims=True)


def _powers(x: Array) -> Array:
    return np.stack([x ** (k + 1) for k in range(_POWERS)], axis=1)


def _population(count: Array, chance: Array, x: Array, width: Array) -> Array:
    """The coefficients of the ages of the population, by maximum likelihood; where few stars tell, a weak prior."""
    design = _powers(x)
    chance = chance / np.maximum(chance.sum(axis=1, keepdims=True), 1e-300)
    kept = chance.sum(axis=1) > 0.0
    count, chance = count[kept], chance[kept]

    def cost(c: Array) -> tuple[float, Array]:
        density = np.exp(design @ c - (design @ c).max())
        norm = float(density @ width)
        given = chance * density
        total = given.sum(axis=1)
        value = -float(count @ np.log(total)) + count.sum() * np.log(norm) + 0.5 * float(c @ c) / 100.0
        mean = (density * width) @ design / norm
        slope = -(count / total) @ (given @ design) + count.sum() * mean + c / 100.0
        return value / count.sum(), slope / count.sum()

    return np.asarray(minimize(cost, np.zeros(_POWERS), jac=True, method="BFGS", options={"gtol": 1e-7}).x)
