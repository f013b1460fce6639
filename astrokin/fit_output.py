"""A `Fit` for people: as a table, as text, as HTML."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from html import escape
from itertools import chain
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from astrokin import layout
from astrokin.rounding import measured

if TYPE_CHECKING:
    from astrokin.fit import Fit

#: Columns of a text beyond which it goes on below.
WIDTH = 110
#: Rows of a fit with groups beyond which only the first and the last few are shown, and how many of each.
MANY, FEW = 60, 10


# ---- as a table ------------------------------------------------------------------------------------------


def table(fit: Fit) -> Any:
    """Results, errors and derived quantities as a `~astropy.table.QTable`.

    Without groups (or a grid): a row per quantity, with the columns name, value, error, unit and derived. With
    them: a row per group, with the group (label, or edges of the bin) first, then every quantity and its error
    (``A``, ``A_error``) in their units, then `Fit.columns`. A fit with such columns has a row for its one source.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> import astrokin as ak
    >>> fit = ak.Fit({"A": 15.0 * u.km / u.s / u.kpc}, covariance=np.diag([0.04]))
    >>> print(fit.table())
    name value error     unit     derived
    ---- ----- ----- ------------ -------
       A  15.0   0.2 km / (kpc s)   False
    """
    from astropy.table import QTable

    out = QTable(_columns(fit) if is_profile(fit) or fit.columns else _rows(fit))
    out.meta["derived"] = list(fit.derived)
    return out


def is_profile(fit: Fit) -> bool:
    """Whether the results are arrays, over groups or over a grid."""
    return any(np.ndim(value) for value in fit.results.values())


def quantities(fit: Fit) -> Iterator[tuple[str, u.Quantity, u.Quantity]]:
    """Name, value and error of every result, then of every derived quantity."""
    for values, errors in ((fit.results, fit.error), (fit.derived, fit.derived_error)):
        for name, value in values.items():
            yield name, value, errors[name]


def _rows(fit: Fit) -> dict[str, Any]:
    found = list(quantities(fit))
    return {
        "name": [name for name, _, _ in found],
        "value": [float(value.value) for _, value, _ in found],
        "error": [float(error.to_value(value.unit)) for _, value, error in found],
        "unit": [value.unit.to_string() for _, value, _ in found],
        "derived": [name in fit.derived for name, _, _ in found],
    }


def _columns(fit: Fit) -> dict[str, Any]:
    shape = shape_of(fit)
    out = index_columns(fit, shape) if shape else {}
    for name, value, error in quantities(fit):
        both = (layout.against_grid(fit, v.to_value(value.unit)) for v in (value, error))
        out[name], out[f"{name}_error"] = (np.broadcast_to(v, shape).ravel() << value.unit for v in both)
    return out | {name: np.atleast_1d(values) for name, values in fit.columns.items()}


def shape_of(fit: Fit) -> tuple[int, ...]:
    """The shape of all results together: of the groups, of the grid, or of both."""
    return np.broadcast_shapes(*(np.shape(layout.against_grid(fit, value)) for value in fit.results.values()))


def parts(fit: Fit) -> Iterator[Fit]:
    """The fit, or of one with a grid the single results, where there are some, and the profiles."""
    if fit.grid is None:
        yield fit
        return
    for profiles in (False, True):
        changes = layout.part(fit, profiles)
        if changes["results"]:
            yield replace(fit, columns=fit.columns if profiles else {}, **changes)


def index_columns(fit: Fit, shape: tuple[int, ...]) -> dict[str, Any]:
    """What tells the rows of a fit's arrays apart: the group's label or its bin, the place on the grid."""
    found = _group_columns(fit) if fit.groups is not None else {}
    out = {name: np.repeat(values, shape[1]) if len(shape) > 1 else values for name, values in found.items()}
    if fit.grid is not None:
        out["grid"] = u.Quantity(np.tile(fit.grid, shape[0]) if len(shape) > 1 else fit.grid)
    return out or {"row": np.arange(shape[0])}


def _group_columns(fit: Fit) -> dict[str, Any]:
    groups, by = fit.groups or [], fit.by or "group"
    by = f"group_{by}" if by in fit.results or by in fit.derived else by
    if not (groups and isinstance(groups[0], tuple)):
        return {by: np.asarray(groups)}
    edges = {f"{by}_low": [low for low, _ in groups], f"{by}_high": [high for _, high in groups]}
    return {name: u.Quantity(v) if hasattr(v[0], "unit") else np.asarray(v) for name, v in edges.items()}


# ---- as text ---------------------------------------------------------------------------------------------


def text(fit: Fit) -> str:
    """A fit as aligned lines: what it is, every quantity with its error and unit, what one should know."""
    body = chain(*(_profile_lines(part) if is_profile(part) else _scalar_lines(part) for part in parts(fit)))
    return "\n".join([summary(fit), *body, *_group_lines(fit), *remarks(fit)])


def _group_lines(fit: Fit) -> Iterator[str]:
    """The groups that a fit of all of them rests on."""
    if fit.of_groups is not None:
        yield "groups:"
        yield from _profile_lines(fit.of_groups)


def summary(fit: Fit) -> str:
    """One line: the estimator, the rows used, the passes, and whether they converged."""
    name = fit.provenance.get("estimator", "fit")
    passes = f"{fit.passes} pass{'' if fit.passes == 1 else 'es'}"
    used = f"{fit.used:,} row{'' if fit.used == 1 else 's'} used"
    return f"{name}: {used}, {passes}, {'converged' if fit.converged else 'NOT CONVERGED'}"


def remarks(fit: Fit) -> list[str]:
    """What was left out, what the data do not determine, and the notes; a line each."""
    out = [f"left out: {count:,} {reason}" for reason, count in fit.left_out.items()]
    return [*out, *_undetermined(fit), *(f"note: {note}" for note in fit.notes)]


def _undetermined(fit: Fit) -> Iterator[str]:
    """What the data do not determine: a line for each reason and the groups in which it holds."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, reason in fit.undetermined.items():
        found.setdefault((reason, _lost_groups(fit, name)), []).append(name)
    for (reason, where), names in found.items():
        what = "all results" if len(names) == len(fit.results) > 1 else ", ".join(names)
        yield f"undetermined{where}: {what}: {reason}"


def _lost_groups(fit: Fit, name: str) -> str:
    """The groups in which a result is not known, in words; empty where that is all of them."""
    value = np.asarray(fit.results[name].value if name in fit.results else np.nan)
    if fit.groups is None or np.shape(value)[:1] != (len(fit.groups),):
        return ""
    lost = np.isnan(value.reshape(len(fit.groups), -1)).all(axis=1)
    if lost.all() or not lost.any():
        return ""
    names = [_group_name(fit.groups[i]) for i in np.flatnonzero(lost)[:5]]
    more = f" and {lost.sum() - 5:,} more" if lost.sum() > 5 else ""
    return f" in {lost.sum():,} of {len(lost):,} groups ({', '.join(names)}{more})"


def _group_name(group: Any) -> str:
    return f"{_plain(group[0])} to {_plain(group[1])}" if isinstance(group, tuple) else _plain(group)


def entry(value: Any, error: Any, unit: u.UnitBase) -> str:
    """A value and its error with their unit, as text."""
    number = measured(float(value), float(error))
    return number if np.isnan(value) else f"{number} {unit}".rstrip()


def scalar_entries(fit: Fit) -> Iterator[tuple[str, str, bool]]:
    """Name, text and whether it is derived, of every quantity of a fit without groups."""
    for name, value, error in quantities(fit):
        yield name, entry(value.value, error.to_value(value.unit), value.unit), name in fit.derived


def _scalar_lines(fit: Fit) -> Iterator[str]:
    found = list(scalar_entries(fit))
    names = max(len(name) for name, _, _ in found)
    whole = max(_before_point(shown) for _, shown, _ in found)
    told = False
    for name, shown, derived in found:
        if derived and not told:
            yield "derived:"
            told = True
        yield f"  {name:<{names}}  {' ' * (whole - _before_point(shown))}{shown}"
    if fit.columns:
        yield "besides:"
        width = max(map(len, fit.columns))
        yield from (f"  {name:<{width}}  {_plain(value)}" for name, value in fit.columns.items())


def _before_point(shown: str) -> int:
    number, _, more = shown.partition(" ")
    return len(number.partition(".")[0]) if more else 0


def profile_cells(fit: Fit) -> tuple[list[list[str]], list[list[str]]]:
    """Columns of text of a fit with groups: those that name the row, and those of the quantities; heads first.

    Of very many rows only the first and the last few are there (see `hidden`).
    """
    flat = table(fit)
    flat = flat[np.r_[:FEW, len(flat) - FEW : len(flat)]] if hidden(fit) else flat
    named = {name for name, _, _ in quantities(fit)} | set(fit.columns)
    index = [n for n in flat.colnames if n not in named and n.removesuffix("_error") not in named]
    first = [[name, *map(_plain, flat[name])] for name in index]
    more = [[name, *map(_plain, flat[name])] for name in fit.columns]
    return first, [*(_value_cells(flat, name) for name, _, _ in quantities(fit)), *more]


def hidden(fit: Fit) -> str:
    """How many rows a text leaves out after the first few, in words; empty where it shows all."""
    shape = shape_of(fit)
    left = int(np.prod(shape)) - 2 * FEW
    what = "groups" if fit.groups is not None and len(shape) == 1 else "rows"
    return f"… {left:,} more {what}; table() has them all" if left + 2 * FEW > MANY else ""


def _plain(value: Any) -> str:
    value = value[()] if isinstance(value, np.ndarray) and value.ndim == 0 and not hasattr(value, "unit") else value
    return f"{value:.6g}" if isinstance(value, float | u.Quantity) else str(value)


def _value_cells(flat: Any, name: str) -> list[str]:
    values, errors = flat[name], flat[f"{name}_error"]
    unit = getattr(values, "unit", None) or u.dimensionless_unscaled
    pairs = zip(u.Quantity(values).value, u.Quantity(errors).value, strict=True)
    head = f"{name} [{unit}]" if unit != u.dimensionless_unscaled else name
    return [head, *(measured(float(v), float(e)) for v, e in pairs)]


def _profile_lines(fit: Fit) -> Iterator[str]:
    first, rest = (list(map(_padded, cells)) for cells in profile_cells(fit))
    gap = hidden(fit)
    lead = sum(len(column[0]) + 2 for column in first)
    block: list[list[str]] = []
    for column in rest:
        if block and lead + sum(len(c[0]) + 2 for c in [*block, column]) > WIDTH:
            yield from _lines([*first, *block], gap)
            yield ""
            block = []
        block.append(column)
    yield from _lines([*first, *block], gap)


def _padded(column: list[str]) -> list[str]:
    width = max(map(len, column))
    return [cell.ljust(width) for cell in column]


def _lines(columns: list[list[str]], gap: str) -> Iterator[str]:
    for i, cells in enumerate(zip(*columns, strict=True)):
        if gap and i == FEW + 1:
            yield f"  {gap}"
        yield ("  " + "  ".join(cells)).rstrip()


# ---- as HTML ---------------------------------------------------------------------------------------------


def html(fit: Fit) -> str:
    """A fit as an HTML fragment; everything in it is escaped."""
    tables = (_profile_html(part) if is_profile(part) else _scalar_html(part) for part in parts(fit))
    groups = () if fit.of_groups is None else (_profile_html(fit.of_groups),)
    shown = "".join(f"<table>{''.join(rows)}</table>" for rows in chain(tables, groups))
    notes = "".join(f"<li>{escape(line)}</li>" for line in remarks(fit))
    below = f"<ul>{notes}</ul>" if notes else ""
    return f'<div class="astrokin-fit"><p>{escape(summary(fit))}</p>{shown}{below}</div>'


def _scalar_html(fit: Fit) -> Iterator[str]:
    yield html_row(("name", "value ± error", ""), "th")
    for name, shown, derived in scalar_entries(fit):
        yield html_row((name, shown, "derived" if derived else ""))
    yield from (html_row((name, _plain(value), "")) for name, value in fit.columns.items())


def _profile_html(fit: Fit) -> Iterator[str]:
    gap = hidden(fit)
    for i, cells in enumerate(zip(*chain(*profile_cells(fit)), strict=True)):
        if gap and i == FEW + 1:
            yield html_row((gap,))
        yield html_row(cells, "td" if i else "th")


def html_row(cells: tuple[str, ...], tag: str = "td") -> str:
    """A row of an HTML table, escaped."""
    return "<tr>" + "".join(f"<{tag}>{escape(str(cell))}</{tag}>" for cell in cells) + "</tr>"
