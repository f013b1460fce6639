"""`Stars`: a frozen block of sources in vector form, with angles as views; and the `Rows` protocol it shares.

Nothing here knows effects, estimators or files.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, Self, runtime_checkable

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import angles, joining
from astrokin.covariance import checked
from astrokin.errors import ArgumentError, InputError, MissingColumnError, closest_first
from astrokin.star_fields import (
    ANGLES,
    FIELDS,
    OTHER_FIELDS,
    VECTORS,
    check_latitude,
    checked_columns,
    checked_field,
    frozen,
    julian_year,
    one_per_row,
    own_values,
    row_index,
    rows_of,
    vectors_of,
)
from astrokin.units import KM_S, MAS, MAS_YR
from astrokin.views import VIEWS, VIEWS_OF_DIRECTION, VIEWS_OF_MOTION

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
_set = object.__setattr__


@runtime_checkable
class Rows(Protocol):
    """What the drivers need of any kind of rows: a length, slicing, columns, a group and a weight."""

    @property
    def columns(self) -> Mapping[str, Any]: ...
    @property
    def group(self) -> NDArray[np.intp] | None: ...
    @property
    def weight(self) -> Array | None: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: Any) -> Any: ...
    def replace(self, **changes: Any) -> Self: ...


class Raw:
    """The plain float64 arrays of a `Stars`, in the fixed units, for whoever wants the fastest path.

    Attributes
    ----------
    direction, proper_motion : ndarray, shape (3, n)
        Unit vectors in ICRS axes; tangent vectors in mas/yr.
    parallax, radial_velocity : ndarray, shape (n,)
        In mas and km/s; NaN where missing.
    covariance : Covariance or None
        See `astrokin.covariance.Covariance`.
    epoch : float, ndarray of shape (n,) or None
        Julian years TCB.
    """

    __slots__ = ("_stars",)

    def __init__(self, stars: Stars) -> None:
        self._stars = stars

    direction = property(lambda self: self._stars._vector("direction"))
    parallax = property(lambda self: self._stars._fields["parallax"])
    proper_motion = property(lambda self: self._stars._vector("proper_motion"))
    radial_velocity = property(lambda self: self._stars._fields["radial_velocity"])
    covariance = property(lambda self: self._stars._covariance)
    epoch = property(lambda self: self._stars._epoch)
    basis = property(lambda self: self._stars._view("basis"), doc="East and north unit vectors, two arrays (3, n).")
    galactic = property(lambda self: self._stars._view("galactic"), doc="Unit vectors in Galactic axes (3, n).")

    @property
    def triad(self) -> tuple[Array, Array, Array]:
        """East, north and outward unit vectors, (3, n) each, from the angles where they are known."""
        return self.triad_in(np.float64)

    def triad_in(self, kind: Any) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
        """The `triad` as numbers of the given kind."""
        memo = self._stars._memo
        if "ra" in memo and "dec" in memo:
            return angles.triad(memo["ra"].astype(kind, copy=False), memo["dec"].astype(kind, copy=False))
        east, north, outward = (axis.astype(kind, copy=False) for axis in (*self.basis, self.direction))
        return east, north, outward

    def angle(self, name: str) -> Array:
        """The array behind a view: `ra`, `dec`, `l`, `b` in degrees, `pmra`, `pmdec`, `pm_l`, `pm_b` in mas/yr."""
        return self._stars._view(name)


class Stars:
    """A block of sources: six astrometric parameters each, their covariance, an epoch and extra columns.

    Stars are frozen: effects return new ones. Positions are ICRS directions seen from the solar-system
    barycentre. Missing values are NaN; zero and negative parallaxes are data.

    Parameters
    ----------
    ra, dec : `~astropy.units.Quantity`, shape (n,)
        ICRS position. NaN marks a source without a position.
    parallax : `~astropy.units.Quantity`, shape (n,), optional
        Parallax, any sign.
    pmra, pmdec : `~astropy.units.Quantity`, shape (n,), optional
        Proper motion; `pmra` includes the factor cos(dec), as in Gaia's catalogue.
    radial_velocity : `~astropy.units.Quantity`, shape (n,), optional
        Radial velocity.
    covariance : ndarray, shape (n, 6, 6), or Covariance, optional
        Covariance in the order (alpha*, dec, parallax, pmra, pmdec, radial velocity) and the units (mas, mas,
        mas, mas/yr, mas/yr, km/s).
    epoch : `~astropy.time.Time`, float or ndarray of shape (n,), optional
        Epoch of position and motion; plain numbers are Julian years TCB, as in Gaia's catalogue.
    columns : mapping of str to array or Quantity of length n, optional
        Anything else known per source.
    copy : bool
        False: the six parameters share the caller's memory where they can (some 5 ns a star less); do not write to it.

    Raises
    ------
    InputError
        A value without unit or with a wrong one, unequal lengths, a declination beyond 90 deg, an infinite value.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> stars = ak.Stars(ra=[269.45, 10.0] * u.deg, dec=[4.69, -5.0] * u.deg, parallax=[546.98, 20.0] * u.mas,
    ...                  pmra=[-801.6, 10.0] * u.mas / u.yr, pmdec=[10362.4, 0.0] * u.mas / u.yr,
    ...                  radial_velocity=[-110.5, float("nan")] * u.km / u.s)
    >>> len(stars)
    2
    >>> stars.uvw[:, 0].round(1)
    <Quantity [-141.3,    5. ,   18.5] km / s>
    """

    __slots__ = (
        "_columns",
        "_covariance",
        "_epoch",
        "_fields",
        "_flags",
        "_group",
        "_history",
        "_memo",
        "_n_groups",
        "_refused",
        "_weight",
    )
    __hash__ = None  # type: ignore[assignment]

    if not TYPE_CHECKING:

        def __new__(cls, *positional, **_):
            if positional:
                raise ArgumentError(
                    f"Stars takes keywords, not a {type(positional[0]).__name__}: Stars(ra=…, dec=…, parallax=…). "
                    "A SkyCoord or a table goes into ak.Stars.of(…), the path of a file into ak.Stars.read(…)."
                )
            return object.__new__(cls)

    def __init__(
        self,
        *,
        ra: u.Quantity,
        dec: u.Quantity,
        parallax: u.Quantity | None = None,
        pmra: u.Quantity | None = None,
        pmdec: u.Quantity | None = None,
        radial_velocity: u.Quantity | None = None,
        covariance: Any = None,
        epoch: Any = None,
        columns: Mapping[str, Any] | None = None,
        copy: bool = True,
    ) -> None:
        alpha = np.atleast_1d(own_values(ra, u.deg, "ra", copy))
        n = len(alpha)
        delta = one_per_row(dec, u.deg, "dec", n, copy)
        check_latitude(delta)
        pma, pmd = (one_per_row(v, MAS_YR, k, n, copy) for k, v in (("pmra", pmra), ("pmdec", pmdec)))
        # The vectors are made when asked for, block by block where the drivers ask: in the cache.
        self._fields = {
            "parallax": frozen(one_per_row(parallax, MAS, "parallax", n, copy)),
            "radial_velocity": frozen(one_per_row(radial_velocity, KM_S, "radial_velocity", n, copy)),
        }
        self._covariance = None if covariance is None else checked(covariance, n)
        self._epoch = julian_year(epoch, n)
        self._columns = checked_columns(columns or {}, n)
        self._group = self._weight = self._n_groups = None
        self._history: tuple[str, ...] = ()
        self._flags: dict[str, Mask] = {}
        self._refused: dict[str, Mask] = {}
        self._memo = {"ra": frozen(alpha), "dec": frozen(delta), "pmra": frozen(pma), "pmdec": frozen(pmd)}

    # ---- doors -------------------------------------------------------------------------------------------

    @classmethod
    def of(cls, data: Any, names: Mapping[str, str] | None = None) -> Stars:
        """Make stars of a `SkyCoord`, astropy table, pandas or pyarrow table (see `astrokin.tables`)."""
        return _doors().stars_of(data, names=names)

    @classmethod
    def read(cls, path: Any, names: Mapping[str, str] | None = None) -> Stars:
        """Read a FITS, ECSV, VOTable, CSV or Parquet file (see `astrokin.tables`)."""
        return _doors().read_stars(path, names=names)

    def write(self, path: Any, overwrite: bool = False) -> None:
        """Write a FITS, ECSV, VOTable, CSV or Parquet file; the old one stays until the new one is whole."""
        _doors().write_stars(self, path, overwrite=overwrite)

    def to_table(self) -> Any:
        """The stars as an astropy `~astropy.table.QTable` with Gaia's column names."""
        return _doors().table_of(self)

    def to_skycoord(self) -> Any:
        """The stars as an astropy `~astropy.coordinates.SkyCoord`; needs positive parallaxes."""
        return _doors().skycoord_of(self)

    # ---- rows --------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return self._fields["parallax"].shape[0]

    def __getitem__(self, index: Any) -> Any:
        """A column by name, or some of the rows by slice, mask or index array."""
        if isinstance(index, str):
            return self._column(index)
        index = row_index(index, len(self))
        return self._with(
            _fields={k: vectors_of(v, index) if k in VECTORS else rows_of(v, index) for k, v in self._fields.items()},
            _covariance=None if self._covariance is None else self._covariance[index],
            _epoch=rows_of(self._epoch, index) if isinstance(self._epoch, np.ndarray) else self._epoch,
            _columns={k: rows_of(v, index) for k, v in self._columns.items()},
            _group=None if self._group is None else self._group[index],
            _weight=None if self._weight is None else self._weight[index],
            _flags={k: v[index] for k, v in self._flags.items()},
            _refused={k: v[index] for k, v in self._refused.items()},
            _memo={k: rows_of(v, index) for k, v in self._memo.items() if k in ANGLES},
        )

    def _column(self, name: str) -> Any:
        if name not in self._columns:
            known = ", ".join(closest_first(name, self._columns)) or "none"
            own = f" Their {name} is stars.{name}." if hasattr(type(self), name) else ""
            raise MissingColumnError(f"The stars have no column {name!r}; they have: {known}.{own}")
        return self._columns[name]

    def replace(self, *, exact: bool = False, **changes: Any) -> Stars:
        """New stars with some fields replaced; the rest is shared, not copied.

        Parameters
        ----------
        direction : ndarray, shape (3, n)
            Any vectors; they are normalised. The proper motion is transported in parallel along, unless it
            is replaced too.
        proper_motion : ndarray or Quantity, shape (3, n)
            Tangent vectors (mas/yr). A radial part is taken off.
        parallax, radial_velocity : ndarray or Quantity, shape (n,)
            Plain arrays are taken in mas and km/s.
        exact : bool
            The directions given are of unit length and the proper motions tangent as they stand: not done again.
        covariance, epoch, columns
            As in `Stars` (`columns` replaces them all).
        group, weight, n_groups, history
            What the drivers note: group and weight of each row, the number of groups, the effects so far.

        Raises
        ------
        InputError
            An unknown field, a wrong unit or a wrong shape.
        """
        new: dict[str, Any] = {}
        arrays = {k: checked_field(k, changes.pop(k), len(self)) for k in FIELDS if k in changes}
        if arrays:
            new.update(_fields=self._moved(arrays, exact), _memo=self._memo_without(arrays))
        for key, check in OTHER_FIELDS.items():
            if key in changes:
                value = changes.pop(key)
                new["_" + key] = None if value is None else check(value, len(self))
        if changes:
            allowed = ", ".join([*FIELDS, *OTHER_FIELDS])
            raise InputError(f"Stars.replace has no field {sorted(changes)[0]!r}; it has: {allowed}.")
        return self._with(**new)

    def _moved(self, arrays: dict[str, NDArray], exact: bool) -> dict[str, NDArray]:
        if not arrays.keys() & set(VECTORS) or (exact and "proper_motion" in arrays):
            return {**self._fields, **{k: frozen(v) for k, v in arrays.items()}}
        start = self._vector("direction")
        if "direction" in arrays and not exact:
            arrays["direction"] = angles.normalised(arrays["direction"])
        end = arrays.get("direction", start)
        if "proper_motion" in arrays:
            motion = arrays["proper_motion"]
            arrays["proper_motion"] = angles.tangent(motion, end)
        elif "direction" in arrays:
            arrays["proper_motion"] = angles.transported(self._vector("proper_motion"), start, end)
        return {**self._fields, **{k: frozen(v) for k, v in arrays.items()}}

    def _memo_without(self, arrays: Mapping[str, Any]) -> dict[str, NDArray]:
        stale: set[str] = set(VIEWS_OF_MOTION)
        if "direction" in arrays:
            stale.update(VIEWS_OF_DIRECTION)
        elif "proper_motion" not in arrays:
            stale = {"uvw"}
        return {k: v for k, v in self._memo.items() if k not in stale}

    def _with(self, **slots: Any) -> Stars:
        new = object.__new__(type(self))
        for name in Stars.__slots__:
            _set(new, name, slots[name] if name in slots else getattr(self, name))
        return new

    # ---- declined rows -----------------------------------------------------------------------------------

    def refuse(self, mask: Mask, reason: str) -> Stars:
        """Decline rows outside an effect's domain: NaN in all six parameters, counted under `reason`."""
        mask = np.asarray(mask, dtype=bool)
        if not mask.any():
            return self
        fields = {k: np.where(mask, np.nan, getattr(self.raw, k)) for k in FIELDS}
        # The angles of the other rows go along, so that those come back bit-identical.
        memo = {k: frozen(np.where(mask, np.nan, v)) for k, v in self._memo.items() if k in ANGLES}
        return self._with(
            _fields={k: frozen(v) for k, v in fields.items()}, _memo=memo, _refused=noted(self._refused, mask, reason)
        )

    def flag(self, mask: Mask, reason: str) -> Stars:
        """Note something about rows without changing them; counted and told like refused ones."""
        mask = np.asarray(mask, dtype=bool)
        return self._with(_flags=noted(self._flags, mask, reason)) if mask.any() else self

    def without_notes(self) -> Stars:
        """The same stars without the notes on refused and flagged rows, where those have been counted elsewhere."""
        return self._with(_refused={}, _flags={})

    @property
    def refused(self) -> Mapping[str, Mask]:
        """Rows that effects declined, by reason: masks of shape (n,)."""
        return dict(self._refused)

    @property
    def flags(self) -> Mapping[str, Mask]:
        """Rows about which effects noted something, by reason: masks of shape (n,)."""
        return dict(self._flags)

    # ---- views -------------------------------------------------------------------------------------------

    def _view(self, name: str) -> Any:
        if name not in self._memo:
            self._memo.update(VIEWS[name](self))
        return self._memo[name]

    def _vector(self, name: str) -> NDArray:
        if name not in self._fields:
            direction, motion = angles.vectors(*(self._memo[k] for k in ANGLES))
            made = {"direction": frozen(direction), "proper_motion": frozen(motion)}
            self._fields.update({k: v for k, v in made.items() if k not in self._fields})
        return self._fields[name]

    raw = property(Raw, doc="The plain arrays in the fixed units (`Raw`).")
    direction = property(lambda self: self._vector("direction"), doc="ICRS unit vectors, shape (3, n).")
    proper_motion = property(
        lambda self: self._vector("proper_motion") << MAS_YR, doc="Tangent vectors, (3, n), mas/yr."
    )
    parallax = property(lambda self: self._fields["parallax"] << MAS, doc="Parallax, mas.")
    radial_velocity = property(lambda self: self._fields["radial_velocity"] << KM_S, doc="Radial velocity, km/s.")
    ra = property(lambda self: self._view("ra") << u.deg, doc="Right ascension (ICRS), deg.")
    dec = property(lambda self: self._view("dec") << u.deg, doc="Declination (ICRS), deg.")
    pmra = property(lambda self: self._view("pmra") << MAS_YR, doc="Proper motion in alpha*, mas/yr.")
    pmdec = property(lambda self: self._view("pmdec") << MAS_YR, doc="Proper motion in declination, mas/yr.")
    l = property(lambda self: self._view("l") << u.deg, doc="Galactic longitude, deg.")  # noqa: E741 - the field's name
    b = property(lambda self: self._view("b") << u.deg, doc="Galactic latitude, deg.")
    pm_l = property(lambda self: self._view("pm_l") << MAS_YR, doc="Proper motion in l cos(b), mas/yr.")
    pm_b = property(lambda self: self._view("pm_b") << MAS_YR, doc="Proper motion in b, mas/yr.")
    columns = property(lambda self: dict(self._columns), doc="Extra columns by name.")
    group = property(lambda self: self._group, doc="Group number of each row, set by the driver; or None.")
    weight = property(lambda self: self._weight, doc="Weight of each row, set by the driver; or None.")
    n_groups = property(lambda self: self._n_groups, doc="Number of groups, set by the driver; or None.")
    history = property(lambda self: self._history, doc="The effects that made these stars, in words.")
    epoch = property(lambda self: self._epoch, doc="Epoch, Julian year TCB: a float, one per row, or None.")

    @property
    def covariance(self) -> Array | None:
        """Covariance in the local tangent axes, shape (n, 6, 6), or None (see `Covariance` for the order)."""
        return None if self._covariance is None else self._covariance.matrix

    @property
    def distance(self) -> u.Quantity:
        """1/parallax, kpc; NaN where the parallax is not positive (see the estimators for better distances)."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.raw.parallax > 0, 1.0 / self.raw.parallax, np.nan) * u.kpc

    @property
    def uvw(self) -> u.Quantity:
        """Velocity relative to the Sun in Galactic axes, shape (3, n), km/s; NaN without a positive parallax."""
        return self._view("uvw") << KM_S

    # ---- the rest ----------------------------------------------------------------------------------------

    def __repr__(self) -> str:
        extra = f", columns: {', '.join(self._columns)}" if self._columns else ""
        has = "with" if self._covariance is not None else "without"
        return f"<Stars: {len(self)} row{'' if len(self) == 1 else 's'}, {_told(self._epoch)}, {has} covariance{extra}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Stars):
            return NotImplemented
        mine, theirs = (s._everything() for s in (self, other))
        return mine.keys() == theirs.keys() and all(joining.same(mine[k], theirs[k]) for k in mine)

    def _everything(self) -> dict[str, Any]:
        fields = {k: getattr(self.raw, k) for k in FIELDS}
        return {**fields, "covariance": self.covariance, "epoch": self._epoch, **self._columns}

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(self, name):
            raise AttributeError(f"Stars are frozen: use stars.replace({name.lstrip('_')}=…).")
        object.__setattr__(self, name, value)

    def __getstate__(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in Stars.__slots__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def changed_since(self, before: Stars) -> frozenset[str]:
        """The fields that are not those of `before`: what effects in between have replaced."""
        return joining.changed_since(self, before)

    def rejoined(self, parts: Iterable[Stars]) -> Stars:
        """One `Stars` from what became of the consecutive blocks of this one, as they come.

        Fields that no block replaced are shared with this one, not copied.
        """
        return joining.joined(parts, len(self), self)

    @staticmethod
    def joined(parts: Iterable[Stars]) -> Stars:
        """One `Stars` from consecutive blocks of the same make."""
        parts = list(parts)
        return joining.joined(parts, sum(len(p) for p in parts))


# For whoever asks how it is called: as `__init__` says; `__new__` only turns away what is not a keyword.
_CALL = inspect.signature(Stars.__init__)
Stars.__signature__ = _CALL.replace(parameters=list(_CALL.parameters.values())[1:])  # type: ignore[attr-defined]


def _told(epoch: Any) -> str:
    if epoch is None:
        return "no epoch"
    years = np.ravel(np.real(epoch))
    known = years[np.isfinite(years)].round(4)
    if not known.size:
        return "epochs unknown"
    return f"epoch {known.min()}" if known.min() == known.max() else f"epochs {known.min()} to {known.max()}"


def noted(notes: Mapping[str, Mask], mask: Mask, reason: str) -> dict[str, Mask]:
    """The notes with those of one more mask under the reason."""
    old = notes.get(reason)
    return {**notes, reason: mask if old is None else old | mask}


def _doors() -> Any:
    # By name: the doors stand above this module, which must not import them.
    return importlib.import_module("astrokin.tables")
