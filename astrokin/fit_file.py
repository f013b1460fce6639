"""A `Fit` to and from an ECSV file: a table for people, and in its header everything that the fit knows."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from astrokin import fit_output
from astrokin.doors.files import named
from astrokin.errors import FileError
from astrokin.tables import atomic_output

if TYPE_CHECKING:
    from astrokin.fit import Fit

_KEY = "astrokin_fit"
_VERSION = 1
_ESCAPED = "json text"
#: Numbers beyond which an array is written as one text.
_MANY = 500
_AS_THEY_ARE = ("converged", "used", "passes", "by")
_MAPPINGS = ("undetermined", "left_out", "provenance")
_QUANTITIES = ("results", "derived", "derived_error", "data")


def write(fit: Fit, path: Any, overwrite: bool = False) -> None:
    """Write a fit as ECSV; the file is whole or not there.

    Parameters
    ----------
    fit : Fit
    path : path-like
        With the extension ``.ecsv``.
    overwrite : bool
        Whether a file that is there may be replaced.

    Raises
    ------
    FileError
        Another extension, a file that is there, no permission, a full disk.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "fit.ecsv")
    ...     ak.Fit({"mean": 5.0 * u.km / u.s}, [[0.01]]).write(path)
    ...     ak.Fit.read(path)["mean"]
    <Quantity 5. km / s>
    """
    target = checked_name(path)
    table = _on_lines(fit_output.table(fit))
    table.meta = {_KEY: _ordered(_state(fit))}
    with atomic_output(target, overwrite) as unfinished, open(unfinished, "w", encoding="utf-8") as file:
        table.write(file, format="ascii.ecsv")


def _on_lines(table: Any) -> Any:
    """Labels as a line of text can hold them, for people; the header has them as they are."""
    for name in table.colnames:
        if table[name].dtype.kind == "U":
            table[name] = [" ".join(text.split()) for text in table[name]]
    return table


def checked_name(path: Any) -> Path:
    """The path of a fit's file, its extension checked."""
    target = named(path)
    if target.suffix != ".ecsv":
        raise FileError(f"{target}: a fit goes into an ECSV file; let the name end in .ecsv.")
    return target


def read(path: Any, make: Callable[..., Fit]) -> Fit:
    """Read a fit that `write` has written.

    Parameters
    ----------
    path : path-like
    make : callable
        Makes a fit of its fields: `Fit`, which stands above this module.

    Raises
    ------
    FileError
        No such file, no fit, or not the whole of it.
    """
    from astrokin.doors.files import read_table

    place = checked_name(path)
    table = read_table(place)
    state = table.meta.get(_KEY)
    if not isinstance(state, Mapping):
        raise FileError(f"{place} is a table, but not of an astrokin fit; Fit.write writes those.")
    if state.get("version") != _VERSION:
        raise FileError(f"{place} is a fit of format {state.get('version')}; this astrokin knows format {_VERSION}.")
    fit = _restored(state, place, make)
    _check_body(fit, table, place)
    return fit


# ---- to plain values -------------------------------------------------------------------------------------


def _state(fit: Fit) -> dict[str, Any]:
    return {
        "version": _VERSION,
        **{key: _plain(getattr(fit, key)) for key in (*_AS_THEY_ARE, *_MAPPINGS)},
        "notes": list(fit.notes),
        **{key: {k: _values(v) for k, v in getattr(fit, key).items()} for key in _QUANTITIES},
        "covariance": None if fit.covariance is None else _array(fit.covariance),
        "grid": None if fit.grid is None else _values(fit.grid),
        "groups": None if fit.groups is None else _groups(fit.groups),
        "of_groups": None if fit.of_groups is None else _state(fit.of_groups),
        "columns": {k: _values(v) if hasattr(v, "unit") else _array(v) for k, v in fit.columns.items()},
    }


def _plain(value: Any) -> Any:
    """Numbers, text and containers of them, as YAML can hold them; everything else as text."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _values(quantity: u.Quantity) -> dict[str, Any]:
    return {"value": _array(quantity.value), "unit": quantity.unit.to_string()}


def _array(values: Any) -> Any:
    """An array as lists; a large one as one text: YAML takes seconds for such lists."""
    array = np.asarray(values)
    return array.tolist() if array.size <= _MANY else {_ESCAPED: json.dumps(array.tolist())}


def _groups(groups: list[Any]) -> dict[str, Any]:
    if not (groups and isinstance(groups[0], tuple)):
        return {"labels": _plain(groups) if len(groups) <= _MANY else {_ESCAPED: json.dumps(_plain(groups))}}
    edges = [group[0] for group in groups] + [groups[-1][1]]
    return {"edges": _values(u.Quantity(edges)), "plain": not hasattr(edges[0], "unit")}


def _ordered(value: Any) -> Any:
    """Mappings in which YAML keeps the order, and text of several lines, which its comments do not keep, escaped."""
    if isinstance(value, str) and not value.isprintable():
        return {_ESCAPED: json.dumps(value)}
    if isinstance(value, dict):
        return OrderedDict((k, _ordered(v)) for k, v in value.items())
    return [_ordered(v) for v in value] if isinstance(value, list) else value


# ---- and back --------------------------------------------------------------------------------------------


def _restored(state: Mapping[str, Any], place: Path, make: Callable[..., Fit]) -> Fit:
    try:
        state = _unordered(state)
        return make(
            **{key: state[key] for key in (*_AS_THEY_ARE, *_MAPPINGS)},
            **{key: {k: _quantity(v) for k, v in state.get(key, {}).items()} for key in _QUANTITIES},
            notes=tuple(state["notes"]),
            covariance=None if state["covariance"] is None else np.array(state["covariance"], dtype=float),
            grid=None if state["grid"] is None else _quantity(state["grid"]),
            groups=None if state["groups"] is None else _groups_of(state["groups"]),
            of_groups=None if state.get("of_groups") is None else _restored(state["of_groups"], place, make),
            columns={k: _column(v) for k, v in state.get("columns", {}).items()},
            plotter=_Plotter(str(state["provenance"].get("estimator", ""))),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FileError(f"{place} does not hold the whole of a fit: {type(error).__name__}: {error}.") from error


def _unordered(value: Any) -> Any:
    if isinstance(value, Mapping) and list(value) == [_ESCAPED]:
        return json.loads(value[_ESCAPED])
    if isinstance(value, Mapping):
        return {k: _unordered(v) for k, v in value.items()}
    return [_unordered(v) for v in value] if isinstance(value, list) else value


def _quantity(written: Mapping[str, Any]) -> u.Quantity:
    return u.Quantity(np.array(written["value"], dtype=float), written["unit"])


def _column(written: Any) -> Any:
    return _quantity(written) if isinstance(written, Mapping) else np.array(written)


def _groups_of(written: Mapping[str, Any]) -> list[Any]:
    if "labels" in written:
        return list(written["labels"])
    edges = _quantity(written["edges"])
    ends = edges.value if written["plain"] else edges
    return [(ends[i], ends[i + 1]) for i in range(len(ends) - 1)]


def _check_body(fit: Fit, table: Any, place: Path) -> None:
    """The table must be the one that belongs to the header: a file cut short, or edited, is found out."""
    whole = _on_lines(fit_output.table(fit))
    same = table.colnames == whole.colnames and len(table) == len(whole)
    if not (same and all(_equal(table[name], whole[name]) for name in whole.colnames)):
        raise FileError(f"{place} is truncated or was edited: its table is not that of the fit in its header.")


def _equal(one: Any, other: Any) -> bool:
    one, other = (np.ma.asarray(getattr(c, "value", c)) for c in (one, other))
    if other.dtype.kind == "f":
        return one.dtype.kind == "f" and np.array_equal(one.filled(np.nan), other.filled(np.nan), equal_nan=True)
    return bool(np.array_equal(*(c.astype(str).filled("") for c in (one, other))))


class _Plotter:
    """The drawing of the estimator that made a fit, where it is still registered. Picklable."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __call__(self, fit: Fit, axes: Any = None) -> Any:
        from astrokin import fit_plot, registry

        made_by = registry.estimator_classes().get(self.name)
        return fit_plot.overview(fit) if made_by is None else made_by().draw(fit, axes)
