"""Arrow tables and record batches: columns without a copy where nothing is missing, units in the metadata."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.doors.columns import New, now_missing
from astrokin.errors import InputError
from astrokin.missing import as_text


class ArrowKind:
    """A pyarrow Table or RecordBatch; units are read from the fields' metadata."""

    def units(self, table: Any) -> dict[str, u.UnitBase | None]:
        return arrow_units(table.schema)

    def numbers(self, table: Any, name: str) -> Any:
        import pyarrow as pa

        column = table.column(name)
        if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_null(column.type)):
            raise InputError(f"The column {name!r} holds {column.type}, which are no numbers.")
        if column.null_count and column.type != pa.float64():
            column = column.cast(pa.float64(), safe=False)
        return _arrow_numpy(column)

    def column(self, table: Any, name: str) -> Any:
        import pyarrow as pa

        column = table.column(name)
        unit = _unit_of(table.schema.field(name), {})
        plain = pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
        if plain and column.null_count:
            filled = column.fill_null(pa.scalar(0).cast(column.type))
            return np.ma.MaskedArray(_arrow_numpy(filled), _arrow_numpy(column.is_null()))
        values = as_text(_arrow_numpy(column))
        return values if unit is None or values.dtype.kind != "f" else values << unit

    def rebuilt(self, table: Any, new: Mapping[str, New], notes: Mapping[str, Any]) -> Any:
        out = table
        for name, column in new.items():
            place = out.schema.get_field_index(name)
            field, array = _arrow_column(table, name, column)
            out = out.append_column(field, array) if place < 0 else out.set_column(place, field, array)
        return out.replace_schema_metadata({**(out.schema.metadata or {}), **written_notes(notes)}) if notes else out


def _arrow_numpy(column: Any) -> NDArray:
    chunks = getattr(column, "chunks", None)
    if chunks is None:
        return column.to_numpy(zero_copy_only=False)
    return chunks[0].to_numpy(zero_copy_only=False) if len(chunks) == 1 else column.to_numpy()


def arrow_units(schema: Any) -> dict[str, u.UnitBase | None]:
    """The units that the metadata of an arrow schema give: each field's own, or those astropy wrote."""
    twice = [name for name, n in Counter(schema.names).items() if n > 1]
    if twice:
        raise InputError(f"The table has several columns of one name: {twice}. Rename them.")
    written = _astropy_units((schema.metadata or {}).get(b"table_meta_yaml"))
    return {field.name: _unit_of(field, written) for field in schema}


def _unit_of(field: Any, written: Mapping[str, Any]) -> u.UnitBase | None:
    text = (field.metadata or {}).get(b"unit")
    unit = text.decode() if text else written.get(field.name)
    return None if unit is None else u.Unit(unit, parse_strict="silent")


def _astropy_units(text: bytes | None) -> dict[str, Any]:
    if not text:
        return {}
    from astropy.table.meta import get_header_from_yaml

    header = get_header_from_yaml(text.decode().split("\n"))
    return {c["name"]: c["unit"] for c in header["datatype"] if c.get("unit")}


def _arrow_column(table: Any, name: str, new: New) -> tuple[Any, Any]:
    import pyarrow as pa

    if name not in table.schema.names:
        unit = None if new.unit in (None, u.dimensionless_unscaled) else {b"unit": new.unit.to_string().encode()}
        return pa.field(name, pa.float64(), metadata=unit), pa.array(new.values, from_pandas=True)
    field = table.schema.field(name).with_type(pa.float64())
    if not field.nullable:
        return field, pa.array(new.values)
    bad = np.isnan(new.values)
    if bad.any():
        old = table.column(name)
        bad = now_missing(np.ma.MaskedArray(ArrowKind().numbers(table, name), _arrow_numpy(old.is_null())), new.values)
    return field, pa.array(new.values, mask=bad if bad.any() else None)


def written_notes(notes: Mapping[str, Any]) -> dict[bytes, bytes]:
    """Notes about rows as they go into the metadata of an arrow table or a Parquet file."""
    return {b"astrokin": json.dumps(notes).encode()}


def arrow_of(table: Any) -> Any:
    """An arrow table of an astropy one, with units in the metadata of its fields."""
    import pyarrow as pa

    pairs = [_arrow_field(name, table[name]) for name in table.colnames]
    return pa.table([array for _, array in pairs], schema=pa.schema([field for field, _ in pairs]))


def _arrow_field(name: str, column: Any) -> tuple[Any, Any]:
    import pyarrow as pa

    if not isinstance(column, np.ndarray):
        raise InputError(f"The column {name!r} is a {type(column).__name__}, which Parquet cannot hold: use ECSV.")
    unit = getattr(column, "unit", None)
    values = np.asarray(getattr(column, "value", column))
    mask = np.ma.getmaskarray(column) if np.ma.isMaskedArray(column) else None
    native = values.astype(values.dtype.newbyteorder("="), copy=False)  # FITS has the other byte order
    array = pa.array(native.tolist() if native.dtype.kind in "US" else native, mask=mask)
    return pa.field(name, array.type, metadata=unit and {b"unit": unit.to_string().encode()}), array
