"""The driver of every `SourceEstimator`: rows to whole sources, block by block, and the results put together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import engines
from astrokin.errors import InputError
from astrokin.fit import Fit
from astrokin.missing import gaps
from astrokin.progress import progress as shown
from astrokin.provenance import provenance

if TYPE_CHECKING:
    from astrokin.source_estimator import SourceEstimator

_SOLVED = "solved"
#: The column by which sources are told apart unless another is asked for; only this one may be absent.
_ID = "source_id"


@dataclass(frozen=True)
class Part:
    """The results of the sources of one block."""

    labels: NDArray[Any]
    named: bool
    fit: Fit | None
    used: int
    left_out: Counter[str]


class _Unsorted(Exception):
    """A source that comes back after another: the rows must be sorted first."""


def fit(estimator: SourceEstimator, data: Any, names: Mapping[str, str] | None, progress: bool) -> Fit:
    """Solve every source of the data, block by block, and put the results together."""
    source = _source_of(estimator, data, names)
    try:
        parts = _solved(estimator, source, progress)
    except _Unsorted:
        parts = _solved(estimator, _in_order(estimator, source), progress)
    solved = [p for p in parts if p.fit is not None]
    left_out = sum((p.left_out for p in parts), Counter())
    if not solved or not sum(p.used for p in solved):
        reasons = ", ".join(f"{n} {reason}" for reason, n in left_out.items()) or "the data have no rows"
        raise InputError(f"{estimator.name}: no rows are left to fit: {reasons}.")
    return _finished(estimator, solved, left_out, data)


# ---- blocks of whole sources -----------------------------------------------------------------------------


def _source_of(estimator: SourceEstimator, data: Any, names: Mapping[str, str] | None) -> engines.Source:
    if hasattr(data, "blocks"):
        return data
    kind: Any = estimator.takes
    if isinstance(data, str | Path):
        if str(data).lower().endswith((".parquet", ".pq")):
            from astrokin.engines.parquet import ParquetRows

            return ParquetRows(data, lambda batch: kind.of(batch, names))
        return engines.MemorySource(kind.read(data, names))
    return engines.MemorySource(data if isinstance(data, kind) else kind.of(data, names))


def _solved(estimator: SourceEstimator, source: engines.Source, progress: bool) -> list[Part]:
    blocks = shown(_whole_sources(estimator, source), len(source), estimator.name, progress, size=len)
    return [_part(estimator, rows) for rows in blocks]


def _whole_sources(estimator: SourceEstimator, source: engines.Source) -> Iterator[Any]:
    """The rows in blocks that end between sources; `_Unsorted` where those do not come one after the other."""
    rest: Any = None
    for block in source.blocks(engines.BLOCK) if not hasattr(source, "rows") else iter([source.rows]):
        rows = block if rest is None or not len(rest) else type(block).joined([rest, block])
        keys = keys_of(rows, estimator.by)
        first = _first_rows(keys)
        cuts = _cuts(first, len(rows))
        for start, end in pairwise(cuts):
            yield rows[start:end]
        rest = rows[cuts[-1] :]
    if rest is not None:
        yield rest


def _first_rows(keys: NDArray[Any]) -> NDArray[np.intp]:
    """The first row of each source of rows that are sorted."""
    if (keys[1:] < keys[:-1]).any():
        raise _Unsorted
    return np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))[: len(keys)]


def _cuts(first: NDArray[np.intp], n: int) -> list[int]:
    """Where to cut, so that blocks have about the size that suits the cache; what is after the last may go on."""
    if not n:
        return [0]
    wanted = np.searchsorted(first, np.arange(0, n, engines.BLOCK))
    inner = first[np.minimum(wanted, len(first) - 1)]
    return [int(c) for c in np.unique(np.concatenate([[0], inner, first[-1:]]))]


def _in_order(estimator: SourceEstimator, source: engines.Source) -> engines.Source:
    parts = [block for block in source.blocks(engines.BLOCK) if len(block)]
    rows = type(parts[0]).joined(parts)
    return engines.MemorySource(rows[np.argsort(keys_of(rows, estimator.by), kind="stable")])


def keys_of(rows: Any, by: str) -> NDArray[Any]:
    """What tells the sources apart, in a form that sorts: rows without it come last, as one."""
    if by == _ID and by not in rows.columns:
        return np.zeros(len(rows), np.int8)
    values = rows[by]
    plain = _plain(values)
    if plain.ndim != 1:
        raise InputError(f"by={by!r}: the column holds {plain.shape[1:]} per row; one label per row is needed.")
    if plain.dtype.kind == "O":
        plain = plain.astype(str)
    lost = gaps(values)
    if not lost.any():
        return plain
    pair = np.empty(len(plain), [("lost", bool), ("key", plain.dtype)])
    pair["lost"], pair["key"] = lost, np.where(lost, np.zeros((), plain.dtype), plain)
    return np.unique(pair, return_inverse=True)[1]


# ---- one block -------------------------------------------------------------------------------------------


def _part(estimator: SourceEstimator, rows: Any) -> Part:
    """Solve the sources of one block; rows that cannot be used are counted and left out first."""
    left_out: Counter[str] = Counter()
    rows = _identified(rows, estimator.by, left_out)
    if not len(rows):
        return Part(np.empty(0), True, None, 0, left_out)
    first = _first_rows(keys_of(rows, estimator.by))
    group = np.repeat(np.arange(len(first)), np.diff(np.append(first, len(rows))))
    named = _named(rows, estimator.by)
    labels = _plain(rows[estimator.by])[first] if named else np.zeros(1, np.intp)
    rows = rows.replace(group=group, n_groups=len(first))
    unfit = rows.unfit()
    if unfit:
        left_out.update({reason: int(mask.sum()) for reason, mask in unfit.items()})
        rows = rows[~np.logical_or.reduce(list(unfit.values()))]
    solved = estimator.solve_sources(rows)
    used = len(rows) - sum(solved.left_out.values())
    return Part(labels, named, solved, used, left_out + Counter(solved.left_out))


def _plain(values: Any) -> NDArray[Any]:
    return np.asarray(np.ma.getdata(getattr(values, "value", values)))


def _named(rows: Any, by: str) -> bool:
    return by != _ID or by in rows.columns


def _identified(rows: Any, by: str, left_out: Counter[str]) -> Any:
    """The rows of which it is known whose they are."""
    if not _named(rows, by):
        return rows
    lost = gaps(rows[by])
    if not lost.any():
        return rows
    left_out[f"no {by}"] = int(lost.sum())
    return rows[~lost]


# ---- the result ------------------------------------------------------------------------------------------


def _finished(estimator: SourceEstimator, parts: list[Part], left_out: Counter[str], data: Any) -> Fit:
    fits: list[Any] = [p.fit for p in parts]
    labels = np.concatenate([p.labels for p in parts]).tolist()
    whole = replace(
        fits[0],
        results={k: u.Quantity(np.concatenate([f[k] for f in fits])) for k in fits[0]},
        covariance=None if fits[0].covariance is None else np.concatenate([f.covariance for f in fits]),
        columns={k: np.concatenate([f.columns[k] for f in fits]) for k in fits[0].columns},
        converged=all(f.converged for f in fits),
        used=sum(p.used for p in parts),
        left_out=dict(left_out),
        notes=tuple(dict.fromkeys(note for f in fits for note in f.notes)),
        groups=labels,
        by=estimator.by,
        passes=1,
        provenance=provenance(estimator, data),
        plotter=fits[0].plotter or estimator.draw,
    )
    whole = replace(whole, undetermined=_undetermined(whole), notes=(*whole.notes, *_outcomes(whole)))
    whole = whole.with_derived(estimator.derive)
    return whole if parts[0].named else _of_one(whole)


def _of_one(fit: Fit) -> Fit:
    """The fit of the one source that has no name: scalars."""
    return replace(
        fit,
        results={k: v[0] for k, v in fit.results.items()},
        covariance=None if fit.covariance is None else fit.covariance[0],
        columns={k: v[0] for k, v in fit.columns.items()},
        derived={k: v[0] for k, v in fit.derived.items()},
        derived_error={k: v[0] for k, v in fit.derived_error.items()},
        groups=None,
        by=None,
    )


def _undetermined(fit: Fit) -> dict[str, str]:
    """Results that some source does not have, and why."""
    reasons = sorted({str(k) for k in fit.columns["outcome"].tolist()} - {_SOLVED})
    return {k: ", or ".join(reasons) or "not solved" for k, v in fit.items() if np.isnan(v.value).any()}


def _outcomes(fit: Fit) -> Iterator[str]:
    counts = Counter(map(str, fit.columns["outcome"].tolist()))
    for outcome, count in sorted(counts.items()):
        if outcome != _SOLVED:
            yield f"{count:,} of {counts.total():,} sources: {outcome}"
