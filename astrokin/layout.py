"""Where the results of a fit stand in its covariance: one place for each, or one for each height of the grid.

Values have the group axis first (where there are groups), then that of the grid. The covariance is of shape (N, N), or
(G, N, N), with N places in the order of the results: so it knows what two heights of a profile have in common, and a
profile and a single parameter.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.errors import InputError

Array = NDArray[np.float64]


def n_lead(fit: Any) -> int:
    """How many axes stand before that of the grid: 1 with groups, else 0."""
    return int(fit.groups is not None) if fit.covariance is None else np.ndim(fit.covariance) - 2


def on_grid(fit: Any, value: Any) -> bool:
    """Whether a value is a profile over the grid."""
    return fit.grid is not None and np.ndim(value) == n_lead(fit) + 1


def places(fit: Any) -> dict[str, slice]:
    """The places of each result in the covariance."""
    out, start = {}, 0
    for name, value in fit.results.items():
        size = len(fit.grid) if on_grid(fit, value) else 1
        out[name] = slice(start, start + size)
        start += size
    return out


def check(fit: Any) -> None:
    """Refuse a covariance that has not one row for each place."""
    if fit.covariance is None or fit.grid is None:
        return
    n = sum(np.shape(value)[-1] if on_grid(fit, value) else 1 for value in fit.results.values())
    shape = np.shape(fit.covariance)
    if shape[-2:] != (n, n):
        raise InputError(
            f"The covariance of a Fit has the shape {shape}; its results have {n} values (a profile one for each of "
            f"the {len(fit.grid)} places of the grid), so that (…, {n}, {n}) is needed."
        )


def spread(fit: Any, values: Array) -> dict[str, Array]:
    """One number for each place, (…, N), as arrays of the shapes of the results."""
    shapes = {name: on_grid(fit, value) for name, value in fit.results.items()}
    return {name: values[..., p] if shapes[name] else values[..., p.start] for name, p in places(fit).items()}


def local(fit: Any) -> Array:
    """The covariance (…, p, p) between the results, (…, m, p, p) at each height where there is a grid."""
    if fit.grid is None:
        return np.asarray(fit.covariance)
    rows = np.arange(len(fit.grid))
    index = np.stack([p.start + (rows if p.stop - p.start > 1 or len(rows) == 1 else 0 * rows)
                      for p in places(fit).values()], axis=1)  # fmt: skip
    return np.asarray(fit.covariance)[..., index[:, :, None], index[:, None, :]]


def against_grid(fit: Any, values: Any) -> Any:
    """An array that is the same at all heights, with an axis for them."""
    return values[..., None] if fit.grid is not None and not on_grid(fit, values) else values


def part(fit: Any, profiles: bool) -> dict[str, Any]:
    """What to replace in a fit to have its profiles only, or its single results only."""
    where = places(fit)

    def kept(values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in values.items() if on_grid(fit, value) == profiles}

    results = kept(fit.results)
    changes: dict[str, Any] = {"results": results, "derived": kept(fit.derived)}
    changes["derived_error"] = {name: fit.derived_error[name] for name in changes["derived"]}
    if fit.covariance is not None:
        index = np.array([k for name in results for k in range(where[name].start, where[name].stop)], dtype=np.intp)
        changes["covariance"] = np.asarray(fit.covariance)[..., index[:, None], index]
    return changes if profiles else {**changes, "grid": None}
