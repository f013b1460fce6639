"""The doors: sources come in as tables, coordinates or files and go out as what they came in.

Inside there are plain arrays in fixed units; names, units, frames and types are dealt with here, once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from astrokin.doors import sky
from astrokin.doors.conversion import changed_columns, correlations, stars_from
from astrokin.doors.dialects import MEANINGS, error_name
from astrokin.doors.files import atomic_output, read_table, write_table
from astrokin.doors.kinds import Kind, kind_of
from astrokin.doors.names import Schema, resolve
from astrokin.doors.sky import skycoord_of
from astrokin.errors import InputError
from astrokin.missing import as_text, gaps
from astrokin.stars import Stars
from astrokin.units import PARAMETER_UNITS, PARAMETERS

if TYPE_CHECKING:
    from typing import Protocol

    class Door(Protocol):
        """A way in that remembers the way out."""

        @property
        def stars(self) -> Stars:
            """The sources that came in."""

        def back(self, stars: Stars, changed: frozenset[str], added: frozenset[str] | None = None) -> Any:
            """The stars as the kind of data that came in."""


__all__ = [
    "atomic_output",
    "door",
    "read_stars",
    "skycoord_of",
    "stars_of",
    "table_of",
    "write_stars",
]


def stars_of(data: Any, names: Mapping[str, str] | None = None) -> Stars:
    """Make `Stars` of whatever holds sources.

    Parameters
    ----------
    data : Stars, SkyCoord, frame, Table, QTable, DataFrame, pyarrow Table, mapping or structured array
        The sources. Gaia's, Hipparcos' and astropy's column names are understood (see
        `astrokin.doors.names.resolve` for which goes first), with their errors, correlations and epoch.
        Columns without unit have Gaia's.
    names : mapping of str to str, optional
        Own column names by astrokin's: ``{"ra": "ra_deg"}``.

    Returns
    -------
    Stars
        Masked values are NaN. All other columns go along: floats with unit as Quantity, integers and
        strings as they are (as masked arrays where values are missing; empty text is missing).

    Raises
    ------
    MissingColumnError
        No position, or no column of a name that `names` gives.
    InputError
        A wrong unit, or data of a kind that is not known.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astrokin.tables import stars_of
    >>> table = Table({"RAJ": [10.0], "dec": [20.0], "parallax": [5.0], "age": [4.6]})
    >>> stars_of(table, names={"ra": "RAJ"})
    <Stars: 1 row, no epoch, without covariance, columns: age>
    """
    return door(data, names).stars


def door(data: Any, names: Mapping[str, str] | None = None, schema: Schema | None = None) -> Door:
    """Let sources in, and remember how to give them back as the same kind of data.

    Parameters
    ----------
    data : as in `stars_of`
        The sources.
    names : mapping of str to str, optional
        Own column names by astrokin's.
    schema : Schema, optional
        What the columns mean, where it is known from another block of the same table.

    Returns
    -------
    Door
        With the attribute `stars` and the method `back`.

    Examples
    --------
    >>> from astropy.table import Table
    >>> from astrokin.tables import door
    >>> entry = door(Table({"ra": [10.0], "dec": [20.0], "parallax": [5]}))
    >>> moved = entry.stars.replace(parallax=entry.stars.parallax * 2)
    >>> entry.back(moved, frozenset({"parallax"}))["parallax"][0]
    np.float64(10.0)
    """
    if isinstance(data, Stars):
        return StarsDoor(data)
    if sky.is_sky(data):
        coord = sky.as_skycoord(data)
        return SkyDoor(coord, sky.stars_of_skycoord(coord), frame_only=coord is not data)
    kind = kind_of(data)
    if kind is None:
        raise InputError(_unknown(data))
    schema = schema or resolve(kind.units(data), names)
    return TableDoor(data, kind, schema, stars_from(kind, data, schema))


def _unknown(data: Any) -> str:
    hint = " Stars.read reads files." if isinstance(data, str) or hasattr(data, "__fspath__") else ""
    return (
        f"{type(data).__module__}.{type(data).__name__} cannot be taken as stars; a SkyCoord, astropy Table, "
        f"pandas DataFrame, pyarrow Table, mapping of columns or structured array can.{hint}"
    )


@dataclass(frozen=True)
class StarsDoor:
    """Stars in, stars out."""

    stars: Stars

    def back(self, stars: Stars, changed: frozenset[str], added: frozenset[str] | None = None) -> Stars:
        """The stars themselves."""
        return stars


@dataclass(frozen=True)
class SkyDoor:
    """A SkyCoord (or frame) in, one of the same shape, frame and attributes out."""

    given: Any = field(repr=False)
    stars: Stars
    frame_only: bool = False

    def back(self, stars: Stars, changed: frozenset[str], added: frozenset[str] | None = None) -> Any:
        """The stars as a SkyCoord; a covariance is dropped with a warning, a parallax <= 0 is an error."""
        coord = sky.skycoord_back(self.given, stars, changed)
        return coord.frame if self.frame_only else coord


@dataclass(frozen=True)
class TableDoor:
    """A table in, a table of the same type, columns and metadata out."""

    given: Any = field(repr=False)
    kind: Kind
    schema: Schema
    stars: Stars

    def back(self, stars: Stars, changed: frozenset[str], added: frozenset[str] | None = None) -> Any:
        """The given table with what changed written into its columns; everything else is bit-identical.

        Parameters
        ----------
        stars : Stars
            What became of the stars, row by row.
        changed : frozenset of str
            Which of direction, parallax, proper_motion, radial_velocity, covariance and epoch changed. Their
            columns come back in their own units as float64, whatever number type they had.
        added : frozenset of str, optional
            Which quantities get a column (of Gaia's name) where the table had none; if not given, those with
            a finite value.
        """
        new = changed_columns(stars, self.schema, changed, added)
        return self.kind.rebuilt(self.given, new, notes_of(stars))


def notes_of(stars: Stars) -> dict[str, dict[str, int]]:
    """How many rows were refused and flagged, by reason: what goes into a table's metadata."""
    notes = {"refused": stars.refused, "flagged": stars.flags}
    return {kind: {r: int(m.sum()) for r, m in masks.items()} for kind, masks in notes.items() if masks}


# ---- tables and files ------------------------------------------------------------------------------------


def table_of(stars: Stars) -> Any:
    """Make an astropy `~astropy.table.QTable` of stars, with Gaia's column names and units.

    Errors and correlations that are known are columns too, and so is the epoch (``ref_epoch``). An extra
    column that bears the name of one of these gets ``_given`` appended.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> ak.Stars(ra=[10.0] * u.deg, dec=[20.0] * u.deg, epoch=2016.0).to_table().colnames
    ['ref_epoch', 'ra', 'dec', 'parallax', 'pmra', 'pmdec', 'radial_velocity']
    """
    from astropy.table import QTable

    known = _gaia_columns(stars)
    extras = {f"{k}_given" if k in known else k: storable(v) for k, v in stars.columns.items()}
    first = {k: extras.pop(k) for k in ("source_id",) if k in extras}
    return QTable({**first, **known, **extras})


def _gaia_columns(stars: Stars) -> dict[str, Any]:
    raw, out = stars.raw, {}
    if raw.epoch is not None:
        out["ref_epoch"] = np.broadcast_to(np.asarray(raw.epoch, float), len(stars)).copy() << u.yr
    for name, unit in zip(PARAMETERS, PARAMETER_UNITS, strict=True):
        value = getattr(raw, name) if name in ("parallax", "radial_velocity") else raw.angle(name)
        out[name] = value.copy() << MEANINGS[name]
        error = None if raw.covariance is None or not raw.covariance.knows(name) else raw.covariance.error(name)
        if error is not None and not (len(error) and np.isnan(error).all()):
            out[error_name(name)] = error.copy() << unit
    if raw.covariance is not None:
        out.update({k: v for k, v in correlations(raw.covariance).items() if not (len(v) and np.isnan(v).all())})
    return out


def storable(column: Any) -> Any:
    """Text in its one form; other objects, which no file can hold, as what they print."""
    column = as_text(column)
    if getattr(getattr(column, "dtype", None), "kind", "") != "O":
        return column
    missing = gaps(column)
    return as_text(np.array(["" if gap else str(v) for v, gap in zip(column, missing, strict=True)], dtype=str))


def read_stars(path: Any, names: Mapping[str, str] | None = None, columns: Sequence[str] | None = None) -> Stars:
    """Read stars from a file: Parquet, FITS, ECSV, VOTable or CSV, also compressed by gzip.

    Parameters
    ----------
    path : path-like
        The file; its extension says what it is.
    names : mapping of str to str, optional
        Own column names by astrokin's (see `stars_of`).
    columns : sequence of str, optional
        Which extra columns to keep; all of them if not given.

    Raises
    ------
    FileError
        The file is not there, truncated, no table, or of an unknown extension.
    MissingDependencyError
        Parquet without pyarrow.
    """
    table = read_table(path)
    kind = kind_of(table)
    assert kind is not None
    return stars_from(kind, table, resolve(kind.units(table), names), columns=columns)


def write_stars(stars: Stars, path: Any, overwrite: bool = False) -> None:
    """Write stars to a file with Gaia's column names; CSV holds no units, which Gaia's then are.

    The file is whole or not there: an old one stays until the new one is complete, whatever happens.

    Raises
    ------
    FileError
        The file is there and `overwrite` is false, or it cannot be written.
    """
    write_table(table_of(stars), path, overwrite)
