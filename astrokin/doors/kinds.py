"""The kinds of table that come through the doors: how each gives a column and takes one back.

Every kind answers the same few questions, so the doors are written once for all of them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Protocol

import astropy.units as u
import numpy as np

from astrokin.doors.arrow import ArrowKind
from astrokin.doors.columns import Array, New, extra_of, now_missing, numbers_of
from astrokin.errors import InputError
from astrokin.missing import as_text
from astrokin.times import time_of


class Kind(Protocol):
    """What the doors ask of a kind of table."""

    def units(self, table: Any) -> dict[str, u.UnitBase | None]:
        """The columns in order, with their units where the table has them."""

    def numbers(self, table: Any, name: str) -> Any:
        """A column as numbers, missing ones as NaN (or as a `~astropy.time.Time`, where it is one)."""

    def column(self, table: Any, name: str) -> Any:
        """A column as it goes along with the stars: Quantity, array or masked array, its type kept."""

    def rebuilt(self, table: Any, new: Mapping[str, New], notes: Mapping[str, Any]) -> Any:
        """A table of the same kind with some columns replaced or added, and notes in its metadata."""


def kind_of(data: Any) -> Kind | None:
    """The kind of a table, or None if it is no table that is known.

    Examples
    --------
    >>> from astrokin.doors.kinds import kind_of
    >>> type(kind_of({"ra": [1.0], "dec": [2.0]})).__name__
    'MappingKind'
    """
    for kind, module, names in _KINDS:
        loaded = sys.modules.get(module)  # whoever holds such a table has imported its package
        if loaded is not None and isinstance(data, tuple(getattr(loaded, name) for name in names)):
            return kind
    if isinstance(data, np.ndarray) and data.dtype.names:
        return StructuredKind()
    return MappingKind() if isinstance(data, Mapping) else None


class MappingKind:
    """A mapping of names to arrays, Quantities or sequences."""

    def units(self, table: Any) -> dict[str, u.UnitBase | None]:
        return {str(name): getattr(value, "unit", None) for name, value in table.items()}

    def numbers(self, table: Any, name: str) -> Any:
        return numbers_of(table[name])

    def column(self, table: Any, name: str) -> Any:
        return extra_of(table[name])

    def rebuilt(self, table: Any, new: Mapping[str, New], notes: Mapping[str, Any]) -> Any:
        return {**table, **{name: self._made(table.get(name), column) for name, column in new.items()}}

    def _made(self, old: Any, new: New) -> Any:
        plain = old is not None and getattr(old, "unit", None) is None
        return new.values if plain or new.unit is None else new.quantity


class AstropyKind:
    """An astropy `~astropy.table.Table` or `~astropy.table.QTable`."""

    def units(self, table: Any) -> dict[str, u.UnitBase | None]:
        return {name: getattr(table[name], "unit", None) for name in table.colnames}

    def numbers(self, table: Any, name: str) -> Any:
        return numbers_of(table[name])

    def column(self, table: Any, name: str) -> Any:
        return extra_of(table[name])

    def rebuilt(self, table: Any, new: Mapping[str, New], notes: Mapping[str, Any]) -> Any:
        out = table.copy()
        for name, column in new.items():
            if name in out.colnames:
                out.replace_column(name, self._made(table[name], column))
            else:
                out.add_column(self._added(out, column), name=name)
        if notes:
            out.meta["astrokin"] = dict(notes)
        return out

    def _made(self, old: Any, new: New) -> Any:
        if hasattr(old, "jd1"):
            return time_of(new.values, like=old)
        made = self._of_class(old, new)
        for key in ("format", "description", "meta"):
            setattr(made.info, key, getattr(old.info, key))
        return made

    def _of_class(self, old: Any, new: New) -> Any:
        from astropy.table import Column, MaskedColumn
        from astropy.utils.masked import Masked

        unmasked = getattr(old, "unmasked", old)
        if hasattr(old, "unmasked"):
            old = np.ma.MaskedArray(np.asarray(getattr(unmasked, "value", unmasked)), old.mask)
            return Masked(new.quantity, mask=now_missing(old, new.values))
        if isinstance(old, MaskedColumn):
            return MaskedColumn(new.values, mask=now_missing(old, new.values), unit=old.unit)
        return Column(new.values, unit=old.unit) if isinstance(old, Column) else new.quantity

    def _added(self, table: Any, new: New) -> Any:
        from astropy.table import Column, QTable

        if isinstance(table, QTable) and new.unit not in (None, u.dimensionless_unscaled):
            return new.quantity
        return Column(new.values, unit=None if new.unit is u.dimensionless_unscaled else new.unit)


class StructuredKind(AstropyKind):
    """A numpy structured array."""

    def units(self, table: Any) -> dict[str, u.UnitBase | None]:
        return dict.fromkeys(table.dtype.names)

    def rebuilt(self, table: Any, new: Mapping[str, New], notes: Mapping[str, Any]) -> Any:
        from astropy.table import Table

        return super().rebuilt(Table(table), new, {}).as_array()


class PandasKind:
    """A pandas DataFrame; its index, column order, dtypes and attrs stay."""

    def units(self, table: Any) -> dict[str, u.UnitBase | None]:
        if not table.columns.is_unique:
            twice = list(table.columns[table.columns.duplicated()])
            raise InputError(f"The DataFrame has several columns of one name: {twice}. Rename them.")
        return {name: None for name in table.columns if isinstance(name, str)}

    def numbers(self, table: Any, name: str) -> Any:
        column = table[name]
        try:
            return column.to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError):
            raise InputError(f"The column {name!r} holds {column.dtype}, which are no numbers.") from None

    def column(self, table: Any, name: str) -> Any:
        column = table[name]
        dtype = getattr(column.dtype, "numpy_dtype", None)  # pandas' own nullable types and arrow's have one
        if dtype is None or dtype.kind not in "iubf":
            return as_text(column.to_numpy())
        if dtype.kind == "f":
            return column.to_numpy(dtype=dtype, na_value=np.nan)
        missing = column.isna().to_numpy(dtype=bool)
        values = column.fillna(dtype.type(0)).to_numpy(dtype=dtype)
        return np.ma.MaskedArray(values, missing) if missing.any() else values

    def rebuilt(self, table: Any, new: Mapping[str, New], notes: Mapping[str, Any]) -> Any:
        out = table.copy()
        for name, column in new.items():
            out[name] = self._made(table, name, column.values)
        if notes:
            out.attrs["astrokin"] = dict(notes)
        return out

    def _made(self, table: Any, name: str, values: Array) -> Any:
        dtype = table[name].dtype if name in table.columns else np.dtype(float)
        if isinstance(dtype, np.dtype):
            return values
        import pandas as pd

        wanted = pd.Float64Dtype() if not isinstance(dtype, pd.ArrowDtype) else "double[pyarrow]"
        return pd.Series(values, index=table.index).astype(wanted)


_KINDS: tuple[tuple[Kind, str, tuple[str, ...]], ...] = (
    (AstropyKind(), "astropy.table", ("Table",)),
    (PandasKind(), "pandas", ("DataFrame",)),
    (ArrowKind(), "pyarrow", ("Table", "RecordBatch")),
)
