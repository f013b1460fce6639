"""The doors of `Epochs`: from tables and files, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import astropy.units as u
import numpy as np

from astrokin.doors.files import read_table, write_table
from astrokin.doors.kinds import Kind, kind_of
from astrokin.epochs import FIELDS, Epochs
from astrokin.errors import InputError, MissingColumnError, closest_first
from astrokin.tables import storable


def epochs_of(data: Any, names: Mapping[str, str] | None = None) -> Epochs:
    """Make `Epochs` of a table.

    Parameters
    ----------
    data : Table, QTable, DataFrame, pyarrow Table or RecordBatch, mapping or structured array
        With ``obstime`` (`~astropy.time.Time`, or Julian years TCB) and the other columns of `Epochs`, by their
        names there. Columns without unit have the fixed one: mas, deg, km/s.
    names : mapping of str to str, optional
        Own column names by ours: ``{"abscissa": "w"}``.

    Raises
    ------
    MissingColumnError
        No times, or no column of a name that `names` gives.
    InputError
        A wrong unit, or data of a kind that is not known.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astrokin.epoch_tables import epochs_of
    >>> table = Table({"t": [2016.0, 2017.0], "delta_ra": [1.0, 2.0], "delta_dec": [0.5, 0.1],
    ...                "delta_ra_error": [0.1, 0.1], "delta_dec_error": [0.1, 0.1]})
    >>> epochs_of(table, names={"obstime": "t"})
    <Epochs: 2 rows, delta_ra, delta_dec, delta_ra_error, delta_dec_error>
    """
    kind = kind_of(data)
    if kind is None:
        raise InputError(
            f"{type(data).__module__}.{type(data).__name__} cannot be taken as epochs; an ak.Epochs, an astropy Table, "
            "pandas DataFrame, pyarrow Table, mapping of columns or structured array can."
        )
    units = kind.units(data)
    place = _places(units, names or {})
    fields = {k: _quantity(kind, data, v, units[v], k) for k, v in place.items() if k != "obstime"}
    used = set(place.values())
    columns = {k: kind.column(data, k) for k in units if k not in used}
    return Epochs(obstime=_times(kind, data, place["obstime"], units), columns=columns, **fields)


def _places(units: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, str]:
    """Which column of the table is which of ours."""
    ours = ("obstime", *FIELDS)
    for name, theirs in names.items():
        if name not in ours:
            raise InputError(
                f"names= has {name!r}, which no epochs have; they have: {', '.join(closest_first(name, ours))}."
            )
        if theirs not in units:
            known = ", ".join(closest_first(theirs, units)) or "none"
            raise MissingColumnError(
                f"The table has no column {theirs!r} (names= gives it for {name}); it has: {known}."
            )
    found = {k: names.get(k, k) for k in ours if k in names or (k in units and k not in names.values())}
    if "obstime" not in found:
        known = ", ".join(closest_first("obstime", units)) or "none"
        raise MissingColumnError(
            f"The table has no times: no column 'obstime'; it has: {known}. Say which one it is with "
            "names={'obstime': '…'}."
        )
    return found


def _times(kind: Kind, data: Any, name: str, units: Mapping[str, Any]) -> Any:
    values = kind.numbers(data, name)
    unit = units[name]
    if unit is not None and not hasattr(values, "jd1") and unit != u.yr:
        raise InputError(f"{name} is in {unit}: give an astropy Time, or Julian years TCB (plain numbers or in yr).")
    return values


def _quantity(kind: Kind, data: Any, name: str, unit: Any, field: str) -> Any:
    values = kind.numbers(data, name)
    return u.Quantity(np.asarray(values, dtype=float), FIELDS[field] if unit is None else unit, copy=False)


def table_of_epochs(epochs: Epochs) -> Any:
    """Make an astropy `~astropy.table.QTable` of epochs, ``source_id`` first where there is one.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> ak.Epochs(obstime=[2016.0], radial_velocity=[5.0] * u.km / u.s,
    ...           radial_velocity_error=1 * u.km / u.s).to_table().colnames
    ['obstime', 'radial_velocity', 'radial_velocity_error']
    """
    from astropy.table import QTable

    extras = {k: storable(v) for k, v in epochs.extras.items()}
    first = {k: extras.pop(k) for k in ("source_id",) if k in extras}
    known = {k: epochs.raw[k].copy() for k in FIELDS if k in epochs.raw}
    known = {k: v if FIELDS[k] == u.one else v << FIELDS[k] for k, v in known.items()}
    return QTable({**first, "obstime": epochs.raw["obstime"].copy() << u.yr, **known, **extras})


def read_epochs(path: Any, names: Mapping[str, str] | None = None) -> Epochs:
    """Read epochs from a file: Parquet, FITS, ECSV, VOTable or CSV, also compressed by gzip.

    Raises
    ------
    FileError
        The file is not there, truncated, no table, or of an unknown extension.
    MissingDependencyError
        Parquet without pyarrow.
    """
    return epochs_of(read_table(path), names)


def write_epochs(epochs: Epochs, path: Any, overwrite: bool = False) -> None:
    """Write epochs to a file; it is whole or not there.

    Raises
    ------
    FileError
        The file is there and `overwrite` is false, or it cannot be written.
    """
    write_table(table_of_epochs(epochs), path, overwrite)
