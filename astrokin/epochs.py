"""`Epochs`: a frozen block of astrometric observations, one epoch of one source in each row."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from typing import Any, Self

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import epoch_faults
from astrokin.errors import InputError, MissingColumnError, closest_first
from astrokin.star_fields import check_latitude, checked_columns, frozen, one_per_row, row_index, rows_of
from astrokin.times import julian_years, time_of
from astrokin.units import KM_S, MAS, plain_values, private

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: What an epoch may tell, with the unit of each.
FIELDS: dict[str, u.UnitBase] = {
    "abscissa": MAS,
    "abscissa_error": MAS,
    "scan_angle": u.deg,
    "parallax_factor": u.one,
    "abscissa_pair": u.one,
    "abscissa_corr": u.one,
    "delta_ra": MAS,
    "delta_dec": MAS,
    "delta_ra_error": MAS,
    "delta_dec_error": MAS,
    "delta_ra_dec_corr": u.one,
    "parallax_factor_ra": u.one,
    "parallax_factor_dec": u.one,
    "radial_velocity": KM_S,
    "radial_velocity_error": KM_S,
    "ra": u.deg,
    "dec": u.deg,
}
_ALONG = ("abscissa", "abscissa_error", "scan_angle")
_PAIR = ("abscissa_pair", "abscissa_corr")
_PLANE = ("delta_ra", "delta_dec", "delta_ra_error", "delta_dec_error")
_NOTES = ("group", "weight", "n_groups")
#: Julian years beyond which a time is surely none (a Julian date, say).
_YEARS = 10_000.0


class Epochs:
    r"""Astrometric observations: one epoch of one source in each row.

    An observation is either a one-dimensional one along the scan, the *abscissa*

    .. math::

        w = \Delta\alpha^*\sin\psi + \Delta\delta\cos\psi + \varpi f

    with the scan angle :math:`\psi` from north through east and the parallax factor f (Lindegren et al. 2012, 2021),
    or a two-dimensional position :math:`(\Delta\alpha^*, \Delta\delta)`; both are offsets from a fixed direction, the
    same at all epochs of a source. Rows may hold a radial velocity besides, or instead.

    Parameters
    ----------
    obstime : `~astropy.time.Time`, or ndarray of Julian years TCB, shape (n,)
        When (barycentric).
    abscissa, abscissa_error : `~astropy.units.Quantity`, shape (n,), optional
        Along-scan observation and its standard error.
    scan_angle : `~astropy.units.Quantity`, shape (n,), optional
        Direction of the scan, from north through east.
    parallax_factor : ndarray, shape (n,), optional
        Displacement along the scan by a parallax of one; computed from the observer where it is not given.
    abscissa_pair, abscissa_corr : ndarray, shape (n,), optional
        For errors that hang together, of transits of both fields of view or of neighbouring detectors: a number that
        the two observations of a pair have in common (among those of their source), and the correlation of their
        errors, the same for both. NaN where an observation is alone.
    delta_ra, delta_dec, delta_ra_error, delta_dec_error : `~astropy.units.Quantity`, shape (n,), optional
        Two-dimensional position (``delta_ra`` includes the factor cos(dec)) and its standard errors.
    delta_ra_dec_corr : ndarray, shape (n,), optional
        Correlation of the two errors; 0 if not given.
    parallax_factor_ra, parallax_factor_dec : ndarray, shape (n,), optional
        Parallax factors of a two-dimensional position.
    radial_velocity, radial_velocity_error : `~astropy.units.Quantity`, shape (n,), optional
        Radial velocity observed at that time.
    ra, dec : `~astropy.units.Quantity`, shape (n,) or scalar, optional
        Where the source is (ICRS), good to an arcsecond or so: what parallax factors are computed for.
    columns : mapping of str to array of length n, optional
        Anything else, such as ``source_id``, by which the epochs of one source are told from those of another.

    Raises
    ------
    InputError
        A value without unit or with a wrong one, unequal lengths, an infinite value, half of an observation.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> epochs = ak.Epochs(obstime=[2016.0, 2016.3, 2017.1], abscissa=[1.2, 1.9, 4.0] * u.mas,
    ...                    abscissa_error=0.1 * u.mas, scan_angle=[10, 80, 150] * u.deg,
    ...                    parallax_factor=[0.5, -0.3, 0.6], columns={"source_id": [7, 7, 8]})
    >>> epochs
    <Epochs: 3 rows, abscissa, abscissa_error, scan_angle, parallax_factor, source_id>
    >>> epochs["abscissa"][epochs["source_id"] == 7]
    <Quantity [1.2, 1.9] mas>
    """

    __slots__ = ("_columns", "_fields", "_group", "_n_groups", "_weight", "_years")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, *, obstime: Any, columns: Mapping[str, Any] | None = None, **fields: Any) -> None:
        years = plain_values(julian_years(obstime, "obstime"), "obstime")
        if years.ndim > 1:
            raise InputError(f"obstime has shape {years.shape}; one time per row is needed.")
        years = np.atleast_1d(years)
        if (np.abs(years) > _YEARS).any():
            raise InputError(
                f"obstime has {years[np.abs(years) > _YEARS][0]:g}, which is no Julian year: give an astropy Time, "
                "as in Time(…, format='jd', scale='tcb')."
            )
        _check_names(fields)
        given = {k: v for k, v in fields.items() if v is not None}
        n = len(years)
        self._years = frozen(private(years, obstime))
        self._fields = {k: frozen(_field(k, given[k], n)) for k in FIELDS if k in given}
        self._columns = checked_columns(columns or {}, n)
        self._group = self._weight = self._n_groups = None
        _check_whole(self._fields)
        if "dec" in self._fields:
            check_latitude(self._fields["dec"])

    # ---- doors -------------------------------------------------------------------------------------------

    @classmethod
    def of(cls, data: Any, names: Mapping[str, str] | None = None) -> Epochs:
        """Make epochs of an astropy, pandas or pyarrow table; `names` gives its own column names by ours."""
        return data if isinstance(data, Epochs) else _doors().epochs_of(data, names)

    @classmethod
    def read(cls, path: Any, names: Mapping[str, str] | None = None) -> Epochs:
        """Read a FITS, ECSV, VOTable, CSV or Parquet file."""
        return _doors().read_epochs(path, names)

    def write(self, path: Any, overwrite: bool = False) -> None:
        """Write a FITS, ECSV, VOTable, CSV or Parquet file; the old one stays until the new one is whole."""
        _doors().write_epochs(self, path, overwrite)

    def to_table(self) -> Any:
        """The epochs as an astropy `~astropy.table.QTable`; ``obstime`` in Julian years TCB."""
        return _doors().table_of_epochs(self)

    # ---- rows --------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._years)

    def __getitem__(self, index: Any) -> Any:
        """A column by name (``obstime`` in Julian years TCB), or some rows by slice, mask or index array."""
        if isinstance(index, str):
            return self._column(index)
        index = row_index(index, len(self))
        return self._with(
            _years=rows_of(self._years, index),
            _fields={k: rows_of(v, index) for k, v in self._fields.items()},
            _columns={k: rows_of(v, index) for k, v in self._columns.items()},
            _group=None if self._group is None else self._group[index],
            _weight=None if self._weight is None else self._weight[index],
        )

    def _column(self, name: str) -> Any:
        if name == "obstime":
            return self._years
        if name in self._fields:
            return self._fields[name] if FIELDS[name] == u.one else self._fields[name] << FIELDS[name]
        if name not in self._columns:
            known = ", ".join(closest_first(name, ["obstime", *self._fields, *self._columns]))
            raise MissingColumnError(f"The epochs have no column {name!r}; they have: {known}.")
        return self._columns[name]

    @property
    def raw(self) -> Mapping[str, Array]:
        """The plain arrays by name, in the fixed units (mas, deg, km/s), and ``obstime`` in Julian years TCB."""
        return {"obstime": self._years, **self._fields}

    @property
    def columns(self) -> Mapping[str, Any]:
        """Every column by name."""
        return {k: self._column(k) for k in ("obstime", *self._fields, *self._columns)}

    @property
    def extras(self) -> Mapping[str, Any]:
        """The columns that are no part of an observation, such as ``source_id``."""
        return dict(self._columns)

    obstime = property(lambda self: time_of(self._years), doc="When, as `~astropy.time.Time` (TCB).")
    group = property(lambda self: self._group, doc="Number of each row's source, set by the driver; or None.")
    weight = property(lambda self: self._weight, doc="Weight of each row, set by the driver; or None.")
    n_groups = property(lambda self: self._n_groups, doc="Number of sources, set by the driver; or None.")

    def replace(self, **changes: Any) -> Self:
        """New epochs with some fields replaced: those of the constructor, `columns`, and what the driver notes."""
        notes = {f"_{k}": changes.pop(k) for k in _NOTES if k in changes}
        if not changes:
            return self._with(**notes)
        old = {k: v << FIELDS[k] for k, v in self._fields.items()}
        base = {"obstime": self._years, "columns": self._columns, **old}
        return type(self)(**{**base, **changes})._with(
            **{f"_{k}": getattr(self, k) for k in _NOTES if f"_{k}" not in notes}, **notes
        )

    def _with(self, **slots: Any) -> Self:
        new = object.__new__(type(self))
        for name in Epochs.__slots__:
            object.__setattr__(new, name, slots[name] if name in slots else getattr(self, name))
        return new

    @staticmethod
    def joined(parts: Iterable[Epochs]) -> Epochs:
        """One `Epochs` from several; what some of them lack is NaN in their rows."""
        parts = list(parts)
        if len(parts) == 1:
            return parts[0]
        fields = {k: np.concatenate([_or_gaps(p, k) for p in parts]) << FIELDS[k] for k in _names(parts, "_fields")}
        shared = [k for k in _names(parts, "_columns") if all(k in p._columns for p in parts)]
        columns = {k: np.ma.concatenate([p[k] for p in parts]) if any(np.ma.isMaskedArray(p[k]) for p in parts)
                   else np.concatenate([p[k] for p in parts]) for k in shared}  # fmt: skip
        return Epochs(obstime=np.concatenate([p._years for p in parts]), columns=columns, **fields)

    # ---- what is wrong with rows -------------------------------------------------------------------------

    @property
    def along_scan(self) -> bool:
        """Whether the positions are one-dimensional abscissae (or there are none at all)."""
        return "delta_ra" not in self._fields

    @property
    def has_positions(self) -> bool:
        """Whether there is any position, not only radial velocities."""
        return "abscissa" in self._fields or "delta_ra" in self._fields

    def unfit(self) -> dict[str, Mask]:
        """Rows that cannot be used, as masks (n,) by reason; a row is named under the first that holds."""
        return epoch_faults.found(self.raw, len(self), self.along_scan)

    def _value(self, name: str) -> Array:
        return self._fields[name] if name in self._fields else np.broadcast_to(np.nan, len(self))

    # ---- the rest ----------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        names = ", ".join([*self._fields, *self._columns])
        return f"<Epochs: {len(self)} row{'' if len(self) == 1 else 's'}, {names or 'times only'}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Epochs):
            return NotImplemented
        mine, theirs = self.columns, other.columns
        return mine.keys() == theirs.keys() and all(_same(mine[k], theirs[k]) for k in mine)

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(self, name):
            raise AttributeError(f"Epochs are frozen: use epochs.replace({name.lstrip('_')}=…).")
        object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in Epochs.__slots__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)


def _doors() -> Any:
    # By name: the doors stand above this module, which must not import them.
    return importlib.import_module("astrokin.epoch_tables")


def _check_names(fields: Mapping[str, Any]) -> None:
    for name in fields:
        if name not in FIELDS:
            known = ", ".join(closest_first(name, FIELDS))
            raise InputError(f"Epochs have no field {name!r}; they have: {known}. Others go into columns={{…}}.")


def _field(name: str, value: Any, n: int) -> Array:
    if FIELDS[name] == u.one and getattr(value, "unit", None) is None:
        value = np.asarray(plain_values(value, name)) << u.one
    return one_per_row(value, FIELDS[name], name, n)


def _check_whole(fields: Mapping[str, Any]) -> None:
    """Refuse half an observation, and two kinds of positions at once."""
    for kind in (_ALONG, _PAIR, _PLANE, ("radial_velocity", "radial_velocity_error"), ("ra", "dec")):
        there = [k for k in kind if k in fields]
        if there and len(there) < len(kind):
            missing = ", ".join(k for k in kind if k not in fields)
            raise InputError(
                f"The epochs have {there[0]} without {missing}: give {'both' if len(kind) == 2 else 'all'}."
            )
    if "abscissa_pair" in fields and "abscissa" not in fields:
        raise InputError("The epochs have abscissa_pair without abscissa: pairs are of positions along the scan.")
    if "abscissa" in fields and "delta_ra" in fields:
        raise InputError("The epochs have abscissa and delta_ra: give positions along the scan or in two dimensions.")


def _names(parts: Iterable[Epochs], store: str) -> list[str]:
    return list(dict.fromkeys(name for p in parts for name in getattr(p, store)))


def _or_gaps(part: Epochs, name: str) -> Array:
    return np.asarray(part._value(name))


def _same(one: Any, other: Any) -> bool:
    a, b = (np.ma.asarray(getattr(v, "value", v)) for v in (one, other))
    if a.dtype.kind == "f" and b.dtype.kind == "f":
        return np.array_equal(a.filled(np.nan), b.filled(np.nan), equal_nan=True)
    same_gaps = np.array_equal(np.ma.getmaskarray(a), np.ma.getmaskarray(b))
    return bool(same_gaps and np.array_equal(a.filled(), b.filled()))
