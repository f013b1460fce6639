"""What each format of file can hold: columns are widened where that loses nothing, or refused by name."""

from __future__ import annotations

from typing import Any

import numpy as np

from astrokin.errors import FileError

#: Types of numbers that a format does not have, and the next wider ones that it has.
_WIDER = {
    "FITS": {"i1": "i2"},
    "VOTable": {"i1": "i2", "u2": "i4", "u4": "i8", "f2": "f4"},
}


def holdable(table: Any, kind: str) -> Any:
    """An astropy table as a kind of file can hold it, bit for bit; a column that it cannot hold is an error.

    Raises
    ------
    FileError
        With the name of the column, and of a format that can hold it.
    """
    out = table.copy(copy_data=False)
    for name in table.colnames:
        column = out[name]
        trouble = _trouble(column, kind)
        if trouble:
            raise cannot_hold(kind, name, trouble)
        made = _changed(column, kind)
        if made is not column:
            out.replace_column(name, made)
    return out


def cannot_hold(kind: str, name: str, trouble: str) -> FileError:
    """The error for a column that a format has no place for."""
    instead = "leave it out" if kind == "ECSV" else "ECSV can, or leave it out"
    return FileError(f"{kind} cannot hold the column {name!r} ({trouble}); {instead}.")


def _trouble(column: Any, kind: str) -> str:
    if kind == "ECSV":
        return ""
    if not isinstance(column, np.ndarray):
        as_number = kind == "CSV" and hasattr(column, "jd1")
        return "" if as_number else f"a {type(column).__name__}"
    if kind == "FITS" and column.dtype.kind == "b" and np.any(getattr(column, "mask", False)):
        return "true and false with missing values"
    if kind == "CSV" and (column.ndim > 1 or column.dtype.kind == "c"):
        return "complex numbers" if column.dtype.kind == "c" else "several values per row"
    return ""


def _changed(column: Any, kind: str) -> Any:
    dtype = getattr(column, "dtype", None)
    if dtype is None or not isinstance(column, np.ndarray):
        return column
    if dtype.kind == "S" and kind in ("CSV", "Parquet"):
        return np.char.decode(column, "utf-8") if not np.ma.isMaskedArray(column) else _decoded(column)
    wider = _WIDER.get(kind, {}).get(f"{dtype.kind}{dtype.itemsize}")
    if kind == "VOTable" and dtype == np.uint8 and np.ma.isMaskedArray(column):
        wider = "i2"  # which has a number to spare for what is missing
    return column if wider is None else column.astype(wider)


def _decoded(column: Any) -> Any:
    return type(column)(np.char.decode(np.ma.getdata(column), "utf-8"), mask=np.ma.getmaskarray(column))
