"""The driver of every estimator: passes over blocks, selection, groups, bootstrap replicates, and the final `Fit`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import engines
from astrokin.errors import InputError
from astrokin.fit import Fit
from astrokin.provenance import provenance
from astrokin.replicates import poisson_weights
from astrokin.selection import CollectLabels, Selection, Tally, fields_read, plain_edges, sieved
from astrokin.stars import Stars
from astrokin.summaries import order_of

if TYPE_CHECKING:
    from astrokin.estimator_base import Estimator


@dataclass(frozen=True)
class Params:
    """What a pass over the data knows of the passes before.

    Attributes
    ----------
    state : object
        What `Estimator.solve` left in `Fit.state` after the last pass; for an estimator of one pass that clips, the
        `Fit` itself.
    final : bool
        Whether this is the final pass, in which errors are gathered at known parameters.
    """

    state: Any
    final: bool


def fit(estimator: Estimator, data: Any, names: Mapping[str, str] | None, progress: bool) -> Fit:
    """Fold an estimator over the data, as often as it asks, and finish the result."""
    source = source_of(data, names, estimator)
    selection = _with_labels(_selection(estimator), source, progress)
    raw, tally, passes = _passes(estimator, selection, source, progress)
    return _finished(estimator, selection, raw, tally, passes, data)


def source_of(data: Any, names: Mapping[str, str] | None, estimator: Estimator) -> engines.Source:
    """The rows of the data as a source of blocks: streamed where the file allows, else in memory."""
    if hasattr(data, "blocks"):
        return data
    if isinstance(data, str | Path):
        if str(data).lower().endswith((".parquet", ".pq")):
            return _streamed(data, names, estimator)
        return engines.MemorySource(Stars.read(data, names=names))
    return engines.MemorySource(data if isinstance(data, estimator.takes) else Stars.of(data, names=names))


def _streamed(path: Any, names: Mapping[str, str] | None, estimator: Estimator) -> engines.Source:
    from astrokin.engines.parquet import ParquetSource, schema_of

    fields, columns, by = _fields_read(estimator), _columns_read(estimator), _grouping(estimator.by)[0]
    more = None if by is None else fields_read(by, schema_of(path, names).extras)
    if more is not None:  # the groups are bins of a view
        fields = None if fields is None else fields | more
        columns = tuple(name for name in columns if name != by)
    return ParquetSource(path, names=names, needs=fields, columns=columns)


def _fields_read(estimator: Estimator) -> frozenset[str] | None:
    """The fields worth reading; None (all) for an estimator that does not say what it reads."""
    if estimator.reads is None:
        return None
    cuts = {"covariance"} if estimator.min_parallax_over_error is not None else set()
    return frozenset(estimator.reads) | {"direction", "parallax"} | cuts


def _columns_read(estimator: Estimator) -> tuple[str, ...]:
    by = _grouping(estimator.by)[0]
    own = () if by is None else (by,)
    return tuple(dict.fromkeys([*own, *estimator.column_names, *(("source_id",) if estimator.bootstrap else ())]))


def _selection(estimator: Estimator) -> Selection:
    by, edges = _grouping(estimator.by)
    return Selection(
        needs=frozenset(estimator.needs),
        min_parallax_over_error=estimator.min_parallax_over_error,
        min_distance=_kpc(estimator.min_distance),
        max_distance=_kpc(estimator.max_distance),
        zero_point=estimator.zero_point,
        distances=estimator.distances,
        by=by,
        edges=edges,
    )


def _grouping(by: Any) -> tuple[str | None, Any]:
    if by is None or isinstance(by, str):
        return by, None
    if isinstance(by, tuple | list) and len(by) == 2 and isinstance(by[0], str):
        plain_edges(by[1])
        return by[0], by[1]
    raise InputError(f"by is {by!r}; it can be a column's name, or (a column's name, bin edges).")


def _kpc(distance: u.Quantity | None) -> float | None:
    return None if distance is None else float(distance.to_value(u.kpc))


def _with_labels(selection: Selection, source: engines.Source, progress: bool) -> Selection:
    if selection.by is None or selection.edges is not None:
        return selection
    labels = engines.fold(CollectLabels(selection.by), source, progress=progress, label=f"groups of {selection.by}")
    if not labels.found:
        raise InputError(f"by={selection.by!r}: the column holds no value to group by.")
    return replace(selection, labels=labels.ordered)


# ---- passes ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Collect:
    """One pass of an estimator on one block: what the engines are handed. Picklable."""

    estimator: Estimator
    selection: Selection
    params: Params | None

    def __call__(self, rows: Any) -> Tally:
        total = len(rows)
        rows, left_out = self.selection(rows)
        rows = self._usable(rows, left_out)
        rows = self._clipped(rows, left_out)
        used = total - sum(left_out.values())
        rows = _sorted_by_group(rows) if self.estimator.in_order else rows
        if not self.estimator.bootstrap:
            return Tally(self._collected(rows, self.selection.n_groups), used, left_out)
        parts = [self._replicated(rows[part]) for part in engines.slices(len(rows), self._part_size)]
        return Tally(reduce(lambda a, b: a.merge(b), parts), used, left_out)

    def _usable(self, rows: Any, left_out: dict[str, int]) -> Any:
        tests = list(self.estimator.unusable(rows).items())
        keep, reasons = sieved(len(rows), tests) if tests else (None, {})
        left_out.update(reasons)
        return rows if keep is None else rows[keep]

    def _clipped(self, rows: Any, left_out: dict[str, int]) -> Any:
        clip = self.estimator.clip
        if clip is None or self.params is None or not len(rows):
            return rows
        size = self.estimator.residual(_grouped(rows, self.selection.n_groups), self.params)
        beyond = ~(size <= clip)
        count = int(np.count_nonzero(beyond))
        if count:
            left_out[f"clipped beyond {clip:g} sigma"] = count
            rows = rows[~beyond]
        return rows

    def _collected(self, rows: Any, n_groups: int) -> Any:
        return self.estimator.collect(_grouped(rows, n_groups), self.params)

    @property
    def _part_size(self) -> int:
        return max(1, engines.BLOCK // (self.estimator.bootstrap + 1))

    def _replicated(self, rows: Any) -> Any:
        """All replicates of a few rows, one after the other, each replicate a range of groups."""
        n, n_groups = len(rows), self.selection.n_groups
        group = np.zeros(n, np.intp) if rows.group is None else rows.group
        index, groups, weights = [np.arange(n)], [group], [np.ones(n)]
        for k in range(self.estimator.bootstrap):
            weight = poisson_weights(rows, k, self.estimator.seed)
            drawn = np.flatnonzero(weight)
            index.append(drawn)
            groups.append(group[drawn] + n_groups * (k + 1))
            weights.append(weight[drawn])
        tiled = rows[np.concatenate(index)].replace(group=np.concatenate(groups), weight=np.concatenate(weights))
        return self._collected(tiled, n_groups * (self.estimator.bootstrap + 1))


def _grouped(rows: Any, n_groups: int) -> Any:
    return rows if n_groups == 1 else rows.replace(n_groups=n_groups)


def _sorted_by_group(rows: Any) -> Any:
    order = None if rows.group is None else order_of(rows.group)
    return rows if order is None else rows[order]


def _passes(
    estimator: Estimator, selection: Selection, source: engines.Source, progress: bool
) -> tuple[Fit, Tally, int]:
    params, passes = None, 0
    while True:
        passes += 1
        label = f"{estimator.name}, pass {passes}"
        tally = engines.fold(Collect(estimator, selection, params), source, progress=progress, label=label)
        _check_rows(estimator, tally)
        fitted = estimator.solve(tally.summary, params)
        if params is not None and params.final:
            return fitted, tally, passes
        if fitted.state is not None:
            params = Params(fitted.state, fitted.converged or passes >= estimator.max_passes - 1)
        elif estimator.clip is not None:
            params = Params(fitted, True)  # one pass more, for residuals about the first fit
        else:
            return fitted, tally, passes


def _check_rows(estimator: Estimator, tally: Tally) -> None:
    if tally.used:
        return
    reasons = ", ".join(f"{n} {reason}" for reason, n in tally.left_out.items()) or "the data have no rows"
    raise InputError(f"{estimator.name}: no rows are left to fit: {reasons}.")


# ---- the result ------------------------------------------------------------------------------------------


def _finished(estimator: Estimator, selection: Selection, raw: Fit, tally: Tally, passes: int, data: Any) -> Fit:
    replicates = estimator.bootstrap
    n_groups = selection.n_groups
    part = raw if not replicates else _bootstrapped(raw, n_groups, replicates)
    groups = None
    if selection.by is None:
        part = _without_group_axis(part)
    else:
        groups = list(selection.labels) if selection.edges is None else _bins(selection.edges)
    part = replace(
        part,
        used=tally.used,
        left_out=dict(tally.left_out),
        passes=passes,
        groups=groups,
        by=selection.by,
        provenance=provenance(estimator, data),
        plotter=estimator.draw,
        state=None,
    )
    return estimator.relate(part.with_derived(estimator.derive))


def _bins(edges: Any) -> list[Any]:
    return [(edges[i], edges[i + 1]) for i in range(len(edges) - 1)]


def _without_group_axis(fit: Fit) -> Fit:
    values = {k: v[0] if v.ndim and v.shape[0] == 1 else v for k, v in fit.results.items()}
    covariance = fit.covariance
    if covariance is not None and covariance.ndim == 3 and covariance.shape[0] == 1:
        covariance = covariance[0]
    data = {k: v[0] if v.shape[:1] == (1,) else v for k, v in fit.data.items()}
    return replace(fit, results=values, covariance=covariance, data=data)


def _bootstrapped(fit: Fit, n_groups: int, replicates: int) -> Fit:
    """The fit of the whole sample, with the covariance of the replicates in place of its own."""
    parts = [v.value.reshape(replicates + 1, n_groups, -1) for v in fit.results.values()]
    stacked = np.concatenate(parts, axis=-1)
    spread = stacked[1:] - stacked[1:].mean(axis=0)
    covariance = np.einsum("kgi,kgj->gij", spread, spread) / max(replicates - 1, 1)
    values, data = ({k: v[:n_groups] for k, v in part.items()} for part in (fit.results, fit.data))
    notes = (*fit.notes, f"errors from {replicates} bootstrap replicates")
    return replace(fit, results=values, covariance=covariance, data=data, notes=notes)


def group_index(rows: Any) -> NDArray[np.intp]:
    """The group of each row, zeros where there is but one."""
    return np.zeros(len(rows), np.intp) if rows.group is None else rows.group
