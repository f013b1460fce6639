"""`Vantage`: an observer's place and motion as plain arrays, for one time or for as many times as rows."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import astropy.units as u
import numpy as np
from astropy.constants import c as _c
from numpy.typing import NDArray

from astrokin import places
from astrokin.angles import dot, sine_cosine
from astrokin.earth_rotation import tell_where_unknown
from astrokin.ephemeris import demand_reached
from astrokin.errors import InputError
from astrokin.polynomials import NODES, Located, Table, located
from astrokin.times import demand_scale, without_note_on_future
from astrokin.units import KM_S

Array = NDArray[np.float64]

_C = float(_c.to_value(KM_S))
_YEAR = 365.25
_J2000 = 2451545.0
#: Step (days) of the derivative of exact velocities, five-point; it has 3e-8 of the diurnal acceleration as error.
_STEP = 0.004
#: The least times of the last block of many that are read off what the blocks before have made, as those were.
_REST = 256
#: Days beyond which times are surely not meant to be interpolated; the table of spans stays small.
_LONGEST = 1e6


@dataclass(frozen=True, eq=False)
class Vantage:
    """Where an observer is and how it moves: arrays of shape (3, 1) for all rows, or (3, n) for each, ICRS axes.

    Attributes
    ----------
    position : ndarray
        From the barycentre of the solar system, au.
    velocity : ndarray
        Of the observer, in units of the speed of light.
    acceleration : ndarray or None
        Its derivative, per Julian year; None where not asked for.
    from_sun : ndarray
        Unit vector from the Sun to the observer (zero where they are at one place).
    sun_distance : ndarray, shape (1,) or (n,)
        Distance of the Sun, au.
    """

    position: Array
    velocity: Array
    acceleration: Array | None
    from_sun: Array
    sun_distance: Array


def vantage(position: Array, velocity: Array, acceleration: Array | None, sun: Array) -> Vantage:
    """A `Vantage` from barycentric vectors (au; units of c; per year; au)."""
    apart = position - sun
    distance = np.sqrt(dot(apart, apart))
    away = distance if (distance > 0.0).all() else np.where(distance > 0.0, distance, 1.0)
    apart *= 1.0 / away
    return Vantage(position, velocity, acceleration, apart, distance)


# ---- times -----------------------------------------------------------------------------------------------


def clock(obstime: Any) -> tuple[str, Array]:
    """A time scale, and days since J2000 in it, shape (n,); NaN where a time is missing.

    From a `~astropy.time.Time`, Julian years TCB, or those in two doubles (n, 2).
    """
    scale, whole, rest = moments(obstime)
    return scale, whole + rest


def moments(obstime: Any) -> tuple[str, Array, Array]:
    """A time scale, and days since J2000 in it in two parts, of which no digit is lost; NaN where a time is missing."""
    if hasattr(obstime, "jd1"):
        return _moments_of_time(obstime)
    years = np.asarray(getattr(obstime, "value", obstime), dtype=float)
    if years.ndim > 1 and years.shape[1:] != (2,):
        raise InputError(f"a column of times holds {years.shape[1:]} per row; one Julian year TCB, or two doubles.")
    first, *second = np.atleast_2d(years.T) if years.ndim > 1 else [np.atleast_1d(years)]
    whole = np.floor(first)
    return "tcb", (whole - 2000.0) * _YEAR, ((first - whole) + sum(second)) * _YEAR


def _moments_of_time(time: Any) -> tuple[str, Array, Array]:
    from astropy.time import Time

    missing = np.atleast_1d(np.asarray(time.mask))
    if missing.any():
        parts = (np.array(np.ma.filled(getattr(x, "unmasked", x), np.nan)) for x in (time.jd1, time.jd2))
        time = Time(*(np.where(missing, j, x) for x, j in zip(parts, (_J2000, 0.0), strict=True)), format="jd",
                    scale=time.scale)  # fmt: skip
    demand_scale(time, "Observer.obstime")
    with without_note_on_future():
        time = time if time.scale in ("tdb", "tcb") else time.tt
    whole, rest = (np.atleast_1d(np.asarray(part, dtype=float)) for part in (time.jd1 - _J2000, time.jd2))
    return time.scale, np.where(missing, np.nan, whole) if missing.any() else whole, rest


def _time(scale: str, days: Array) -> Any:
    from astropy.time import Time

    return Time(_J2000, days, format="jd", scale=scale)


# ---- places that astropy knows ---------------------------------------------------------------------------


class Track:
    """The path of a named place, or of one on the Earth, in one time scale; and that of the Sun.

    Parameters
    ----------
    location : str or `~astropy.coordinates.EarthLocation`
    ephemeris : str
    scale : str
        ``"tt"``, ``"tdb"`` or ``"tcb"``.
    """

    def __init__(self, location: Any, ephemeris: str, scale: str) -> None:
        self._location, self._ephemeris, self._scale = location, ephemeris, scale
        self._grounded = not isinstance(location, str)
        self._slow = Table(self._of_centre, (4,) * 3 + (5,) * 3 + (3,) * 3)
        self._sun = Table(self._exact_sun, (3,) * 3)
        self._turns = Table(self._turning, (3,) * 9)

    def seen(self, days: Array, acceleration: bool) -> Vantage:
        """From days (n,) since J2000: one time for all, few exactly, many interpolated."""
        if (days == days[0]).all():
            return self._exact(days[:1], acceleration)
        if not _repeated(days) and (where := self._read_at(days, self._slow, self._turns)):
            return self._read(days, where, acceleration)
        distinct, row = np.unique(days, return_inverse=True)
        where = self._read_at(distinct, self._slow, self._turns)
        at = self._read(distinct, where, acceleration) if where else self._exact(distinct, acceleration)
        found = (at.position, at.velocity, at.acceleration, at.from_sun, at.sun_distance)
        return Vantage(*(None if v is None else v[..., row] for v in found))  # type: ignore[arg-type]

    def _read_at(self, days: Array, *tables: Table) -> Located | None:
        """Where times lie that polynomials serve: many, or the rest of many, for which they have been made."""
        if len(days) < _REST or np.ptp(days) > _LONGEST:
            return None
        where = located(days)
        many = len(days) > NODES * len(where.spans)
        needed = tables if self._grounded else tables[:1]
        return where if many or all(table.holds(where.spans) for table in needed) else None

    def sun(self, days: Array) -> Array:
        """The Sun's barycentric position, au."""
        if (days == days[0]).all():
            return self._exact_sun(days[:1])
        where = self._read_at(days, self._sun)
        return self._sun.read(where)[0] if where else self._exact_sun(days)

    # ---- exactly -----------------------------------------------------------------------------------------

    def _exact(self, days: Array, acceleration: bool) -> Vantage:
        place, motion = self._posvel(days)
        return vantage(place, motion, self._difference(days) if acceleration else None, self._exact_sun(days))

    def _posvel(self, days: Array) -> tuple[Array, Array]:
        with without_note_on_future():
            place, motion = places.posvel(self._location, _time(self._scale, days), self._ephemeris)
        return place, motion / _C

    def _difference(self, days: Array) -> Array:
        steps = _STEP * np.array([[-2.0], [-1.0], [1.0], [2.0]])
        v = self._posvel((days + steps).ravel())[1].reshape(3, 4, -1)
        return (v[:, 0] - v[:, 3] + 8.0 * (v[:, 2] - v[:, 1])) * (_YEAR / (12.0 * _STEP))

    def _exact_sun(self, days: Array) -> Array:
        with without_note_on_future():
            return places.body("sun", _time(self._scale, days), self._ephemeris)[0]

    # ---- interpolated ------------------------------------------------------------------------------------

    def _of_centre(self, days: Array) -> Array:
        centre = "geocenter" if self._grounded else self._location
        with without_note_on_future():
            time = _time(self._scale, days).tdb
            place, motion = places.posvel(centre, time, self._ephemeris)
            sun = places.body("sun", time, self._ephemeris)[0]
        return np.concatenate([place, motion / _C, sun])

    def _turning(self, days: Array) -> Array:
        with without_note_on_future():
            return places.turning(self._location, _time(self._scale, days), places.EARTH_RATE * days)

    def _read(self, days: Array, where: Located, acceleration: bool) -> Vantage:
        values, slopes = self._slow.read(where, slice(3, 6) if acceleration else slice(0))
        place, motion, sun = values[:3], values[3:6], values[6:]
        gain = slopes * _YEAR if acceleration else None
        if self._grounded:
            a, b, pole = self._turns.read(where)[0].reshape(3, 3, -1)
            sine, cosine = sine_cosine(_degrees_turned(days))
            turned = a * cosine
            turned += b * sine
            place += turned
            place += pole
            b *= cosine
            b -= np.multiply(a, sine, out=a)
            motion += np.multiply(b, _DIURNAL, out=b)
            if gain is not None:
                gain -= turned * (_DIURNAL * places.EARTH_RATE * _YEAR)
        return vantage(place, motion, gain, sun)


_DEGREES = float(np.degrees(places.EARTH_RATE))
#: From the turning part of a place (au) to its velocity in units of c.
_DIURNAL = float((places.EARTH_RATE / u.day * u.au / _c).to_value(u.one))


def _degrees_turned(days: Array) -> Array:
    """The angle by which the Earth has turned, within one turn or so."""
    day = np.floor(days)
    turned = day * (_DEGREES - 360.0)
    turned -= 360.0 * np.floor(turned / 360.0)  # a tenth of the time of %
    return turned + (days - day) * _DEGREES


def _repeated(days: Array) -> bool:
    """Whether few times seem to serve many rows: sorting out which costs as much as interpolating."""
    return len(np.unique(days[:64])) <= 16


@lru_cache(maxsize=16)
def _track(key: _Key, scale: str) -> Track:
    return Track(key.location, key.ephemeris, scale)


class _Key:
    """A place and an ephemeris, compared by value."""

    def __init__(self, location: Any, ephemeris: str, value: Any) -> None:
        self.location, self.ephemeris, self._value = location, ephemeris, (value, ephemeris)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


@lru_cache(maxsize=64)
def _at_one_time(key: _Key, scale: str, day: float, acceleration: bool) -> Vantage:
    return _track(key, scale).seen(np.array([day]), acceleration)


def demand_known(location: Any, scale: str, days: Array, ephemeris: str) -> None:
    """Raise an error for days (n,) that the ephemeris does not reach, and warn where the Earth's turning is not known.

    Raises
    ------
    InputError
        A time beyond the ephemeris, which is not needed for the barycentre.

    Warns
    -----
    AccuracyWarning
        A place on the Earth at a time beyond astropy's tables of its rotation.
    """
    if not (isinstance(location, str) and location == "barycenter"):
        demand_reached(scale, days, ephemeris)
    if not isinstance(location, str):
        tell_where_unknown(np.array([days.min(), days.max()]))


def of_place(location: Any, value: Any, ephemeris: str, obstime: Any, acceleration: bool) -> Vantage:
    """The `Vantage` from a place that astropy knows; `value` is hashable and stands for the location."""
    scale, days = _filled(*clock(obstime))
    key = _Key(location, ephemeris, value)
    if not len(days):
        none = np.empty((3, 0))
        return vantage(none, none, none if acceleration else None, none)
    demand_known(location, scale, days, ephemeris)
    if (days == days[0]).all():
        return _at_one_time(key, scale, float(days[0]), acceleration)
    return _track(key, scale).seen(days, acceleration)


def of_own(position: Array, velocity: Array, ephemeris: str, obstime: Any) -> Vantage:
    """The `Vantage` from a position (au) and a velocity (km/s) of one's own, (3, 1) or (3, n)."""
    scale, days = _filled(*clock(obstime))
    if len(days):
        demand_reached(scale, days, ephemeris)
    sun = _track(_Key("geocenter", ephemeris, "geocenter"), scale).sun(days) if len(days) else np.empty((3, 0))
    return vantage(position, velocity / _C, None, sun)


def _filled(scale: str, days: Array) -> tuple[str, Array]:
    """Missing times replaced by one that is there: their rows are refused by whoever binds the column."""
    missing = np.isnan(days)
    if missing.any():
        days = np.where(missing, 0.0 if missing.all() else days[~missing][0], days)
    return scale, days
