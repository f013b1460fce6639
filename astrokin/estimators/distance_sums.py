"""Sums over the parallaxes of a cluster: score and information, and what a figure shows of the final pass."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin.summaries import group_of

Array = NDArray[np.float64]

#: Edges of the bins of the errors, mas: four to a decade, those beyond in the first and the last.
ERRORS = 10.0 ** (0.25 * np.arange(-12, 5))
#: Edges of the bins of the pulls, those beyond in the first and the last.
PULLS = np.linspace(-5.0, 5.0, 41)


@dataclass(frozen=True)
class Sums(ak.NormalEquations):
    """Normal equations with the sums of the final pass by error (G, m, 3: rows, w, w e) and the counts of pulls."""

    by_error: Array | None = None
    pulls: Array | None = None


def summed(rows: Any, e: Array, w: Array, p: int, final: bool) -> Sums:
    """The sums of rows with residuals e (mas) and weights w; p is 2 with a scatter."""
    group, n_groups = group_of(rows)
    times = np.ones(len(e)) if rows.weight is None else rows.weight
    index = np.zeros(len(e), np.intp) if group is None else group

    def total(values: Array) -> Array:
        return np.bincount(index, values * times, n_groups).astype(float, copy=False)

    scores = np.stack([w * e, 0.5 * w * (w * e * e - 1.0)])[:p]
    information = np.stack([w, 0.5 * w * w])[:p]
    matrix, meat = np.zeros((n_groups, p, p)), np.empty((n_groups, p, p))
    for i in range(p):
        matrix[:, i, i] = total(information[i])
        for j in range(p):
            meat[:, i, j] = total(scores[i] * scores[j] * times)  # the weights twice, as in the scores
    vector = np.stack([total(s) for s in scores], axis=1)
    shown = _shown(index, n_groups, times, e, w, rows) if final else (None, None)
    return Sums(matrix, vector, total(w * e * e), total(np.ones_like(e)), meat, *shown)


def _shown(index: Any, n_groups: int, times: Array, e: Array, w: Array, rows: Any) -> tuple[Array, Array]:
    def cells(place: Any, size: int, values: Array) -> Array:
        counted = np.bincount(index * size + place, values * times, n_groups * size)
        return counted.astype(float, copy=False).reshape(n_groups, size)

    errors = rows.raw.covariance.error("parallax") if len(rows) else np.ones(0)
    m, k = len(ERRORS) - 1, len(PULLS) - 1
    by_error = np.clip(np.searchsorted(ERRORS, errors) - 1, 0, m - 1)
    by_pull = np.clip(np.searchsorted(PULLS, e * np.sqrt(w)) - 1, 0, k - 1)
    parts = [cells(by_error, m, v) for v in (np.ones_like(e), w, w * e)]
    return np.stack(parts, axis=-1), cells(by_pull, k, np.ones_like(e))


def told(sums: Sums, parallax: Array) -> dict[str, u.Quantity]:
    """What `Fit.data` holds: by error of the parallaxes their mean and its error, and the counts of the pulls."""
    if sums.by_error is None or sums.pulls is None:
        return {}
    n, w, we = np.moveaxis(sums.by_error, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, error = parallax[:, None] + we / w, np.sqrt(1.0 / w)
    rows = np.ones((len(n), 1))
    return {
        "bin_error": rows * np.sqrt(ERRORS[1:] * ERRORS[:-1]) * u.mas,
        "bin_count": n * u.one,
        "bin_parallax": np.where(n > 0, mean, np.nan) * u.mas,
        "bin_parallax_error": np.where(n > 0, error, np.nan) * u.mas,
        "pull": rows * (0.5 * (PULLS[1:] + PULLS[:-1])) * u.one,
        "pull_count": sums.pulls * u.one,
    }
