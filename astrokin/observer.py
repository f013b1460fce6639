"""`Observer`: where and when the light is received."""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import Any, Self

import astropy.units as u
import numpy as np

from astrokin import places, vantage
from astrokin.errors import InputError, closest_first
from astrokin.horizon import LocalSky
from astrokin.observer_text import observer_options
from astrokin.parameters import (
    Column,
    Parametrised,
    epoch_parameter,
    option,
    parameter,
    part_parameter,
    value_key,
)
from astrokin.times import without_note_on_future
from astrokin.units import KM_S
from astrokin.vantage import Vantage


def _air(value: u.Quantity) -> u.Quantity:
    value.flags.writeable = False  # it is every observer's
    return value


#: What astropy takes where nothing is said; the very object stands in an observer to whom nothing was said.
_AIR = {
    "pressure": _air(0 * u.hPa),
    "temperature": _air(0 * u.deg_C),
    "relative_humidity": _air(0 * u.one),
    "obswl": _air(1 * u.micron),
}


def _at_least_zero(value: Any) -> Any:
    return np.asarray(value) >= 0


def _share(value: Any) -> Any:
    return (np.asarray(value) >= 0) & (np.asarray(value) <= 1)


@dataclass(frozen=True, repr=False)
class Observer(LocalSky, Parametrised):
    """Where and when the light is received, and the air there; the names are astropy's.

    Parameters
    ----------
    obstime : `~astropy.time.Time`, float (Julian year TCB) or `ak.column`
        When. A column holds times (`~astropy.time.Time`), Julian years TCB (good to 7 µs in one double), or those in
        two doubles, shape (n, 2).
    location : `~astropy.coordinates.EarthLocation`, "geocenter", "barycenter" or "gaia"
        Where. "gaia" stands for the Sun-Earth point L2, at 1.01 times the heliocentric vector of the Earth: the
        true orbit swings around it by up to some 7e5 km (half a per cent of an astronomical unit) and 0.3 km/s,
        so this is good to half a per cent of the parallax and some 0.2 arcsec of aberration, no better. Where
        that does not do, give `position` and `velocity`.
    pressure, temperature, relative_humidity, obswl : `~astropy.units.Quantity`, optional
        The air at the observer (0 hPa, which is no air at all, 0 deg_C, 0) and the wavelength (1 micron), with
        astropy's defaults. `relative_humidity` is a number from 0 to 1 or per cent. Refraction asks for all four.
    position, velocity : `~astropy.units.Quantity`, shape (3,), optional
        An observer's own barycentric ICRS position and velocity instead of a `location`; both of them.
    ephemeris : str
        What astropy shall take the Earth and the Sun from: ``"builtin"`` (ERFA's series, for 1900 to 2100, good to
        13 km and 5 mm/s, which is 3 µas of aberration), or one of JPL's ephemerides, which need the package jplephem
        (``pip install "astrokin[ephemeris]"``): ``"de440s"`` (1849 to 2150), ``"de440"`` (1550 to 2650) or another
        name that astropy knows, and downloads once, or the path of a file (.bsp).

    Raises
    ------
    InputError
        A wrong unit, an unknown location, humidity beyond 1, a position without velocity, or both a location
        and a position; a time without a scale. On use: a time beyond the ephemeris, or one that cannot be had.
    MissingDependencyError
        On use: an ephemeris of JPL's without jplephem.

    Notes
    -----
    With the builtin ephemeris nothing is downloaded: the Earth's rotation comes from the tables that come with astropy,
    which begin in 1962 and end a year after their release. Beyond them UT1 - UTC stays what it was, with an
    `~astrokin.errors.AccuracyWarning` that says what may be wrong (0.02 mas of aberration per second).

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.coordinates import EarthLocation
    >>> from astropy.time import Time
    >>> import astrokin as ak
    >>> ak.Observer(Time("2026-03-21"), EarthLocation.from_geodetic(-70.4, -24.6, 2635 * u.m), pressure=743 * u.hPa)
    Observer(2026-03-21T00:00:00.000 utc, location=(-70.4 deg, -24.6 deg, 2635 m), pressure=743 hPa)
    >>> position, velocity = ak.Observer(Time("2026-03-21")).barycentric()
    >>> velocity.shape, velocity.unit
    ((3,), Unit("km / s"))
    """

    obstime: Any = epoch_parameter(doc="when the light is received")
    location: Any = option("geocenter", doc='an EarthLocation, "geocenter", "barycenter" or "gaia"')
    pressure: Any = parameter(_AIR["pressure"], doc="of the air", physical=_at_least_zero, domain="0 or more")
    temperature: Any = parameter(_AIR["temperature"], doc="of the air")
    relative_humidity: Any = parameter(
        _AIR["relative_humidity"], doc="of the air, 0 to 1", physical=_share, domain="a number from 0 to 1"
    )
    obswl: Any = parameter(_AIR["obswl"], doc="wavelength", physical=lambda x: x > 0, domain="a positive wavelength")
    position: Any = parameter(None, unit=u.au, shape=(3,), doc="barycentric, ICRS axes")
    velocity: Any = parameter(None, unit=KM_S, shape=(3,), doc="barycentric, ICRS axes")
    ephemeris: str = option("builtin", kind=str, doc="what astropy takes the Earth and the Sun from")

    def __post_init__(self) -> None:
        not_given = [
            name for name, default in _AIR.items() if getattr(self, name) is None or getattr(self, name) is default
        ]
        for name in not_given:
            object.__setattr__(self, name, _AIR[name])
        object.__setattr__(self, "temperature", _celsius(self.temperature))
        object.__setattr__(self, "relative_humidity", _number(self.relative_humidity))
        super().__post_init__()
        object.__setattr__(self, "location", _checked_location(self.location))
        for name in not_given:
            object.__setattr__(self, name, _AIR[name])
        self._check_own_place()

    def bound(self, rows: Any) -> Self:
        """The same observer with every column replaced by that column of `rows`."""
        return super().bound(self._in_celsius(rows))

    def unfit(self, rows: Any) -> dict[str, Any]:
        """Rows, as masks (n,) by reason, whose columns hold no value of a parameter, or one outside its domain."""
        return super().unfit(self._in_celsius(rows))

    def _in_celsius(self, rows: Any) -> Any:
        """Kelvin are converted, which takes more than a factor."""
        name = getattr(self.temperature, "name", None)
        unit = None if name is None else getattr(rows[name], "unit", None)
        if unit is None or unit == u.deg_C or not unit.is_equivalent(u.deg_C, u.temperature()):
            return rows
        celsius = rows[name].to(u.deg_C, u.temperature())
        return rows.replace(columns={**rows.columns, name: celsius})

    @property
    def air_not_given(self) -> tuple[str, ...]:
        """Which of pressure, temperature, relative_humidity and obswl nobody gave, so that they are astropy's."""
        return tuple(name for name, default in _AIR.items() if getattr(self, name) is default)

    def _check_own_place(self) -> None:
        own = [k for k in ("position", "velocity") if getattr(self, k) is not None]
        if len(own) == 1:
            missing = "velocity" if own == ["position"] else "position"
            raise InputError(f"Observer.{own[0]} is given without {missing}: give both.")
        if own and self.location != "geocenter":
            raise InputError("Observer: give location, or position and velocity, not both.")

    def __repr__(self) -> str:
        fields = type(self).__dataclass_fields__
        changed = [k for k, _ in self.specs() if k != "obstime" and not _same(getattr(self, k), fields[k].default)]
        return (
            ", ".join([f"Observer({_shown(self.obstime)}", *(f"{k}={_shown(getattr(self, k))}" for k in changed)]) + ")"
        )

    def barycentric(self) -> tuple[u.Quantity, u.Quantity]:
        """Position (au) and velocity (km/s) of the observer from the barycentre of the solar system, ICRS axes.

        Returns
        -------
        position, velocity : `~astropy.units.Quantity`, shape (3,)

        Raises
        ------
        InputError
            Times, positions or velocities from columns: those are not evaluated here. A time beyond the ephemeris.

        Warns
        -----
        AccuracyWarning
            A place on the Earth at a time that astropy's tables of the Earth's rotation do not reach.
        """
        if self.column_names:
            raise InputError(
                f"Observer.barycentric works for one time and place; {', '.join(self.column_names)} are columns."
            )
        if self.position is not None:
            return self.position, self.velocity
        vantage.demand_known(self.location, *vantage.clock(self.obstime), self.ephemeris)
        with without_note_on_future():
            place, motion = places.posvel(self.location, _time(self.obstime), self.ephemeris)
        return place << u.au, motion << KM_S

    def seen(self, acceleration: bool = False) -> Vantage:
        """Place and motion as plain arrays, for one time or, with its columns bound, for every row.

        One time is evaluated once, however many rows there are. Of times by row, few distinct ones are evaluated
        exactly; many are read off polynomials through exact evaluations (20 in every 16 days), good to 0.1 nas in
        parallax at 1 arcsec and to 0.7 nas in aberration, with the diurnal motion of a place on the ground; so are some
        hundreds for whose days that has been done, as in the last block of many.

        Parameters
        ----------
        acceleration : bool
            Whether to give the acceleration too.

        Returns
        -------
        Vantage

        Raises
        ------
        InputError
            Columns that are not bound (`bound`), an acceleration of a velocity of one's own, or a time beyond the
            ephemeris.

        Warns
        -----
        AccuracyWarning
            A place on the Earth at a time that astropy's tables of the Earth's rotation do not reach.

        Examples
        --------
        >>> import astrokin as ak
        >>> there = ak.Observer(2016.0).seen()
        >>> there.position.shape, there.sun_distance.round(4)
        ((3, 1), array([0.9833]))
        """
        if self.column_names:
            raise InputError(
                f"Observer.seen: bind the columns first: observer.bound(rows); {', '.join(self.column_names)}."
            )
        memo = self.__dict__.setdefault("_seen", {})
        if acceleration not in memo:
            memo[acceleration] = self._evaluated(acceleration)
        return memo[acceleration]

    def _evaluated(self, acceleration: bool) -> Vantage:
        if self.position is None:
            return vantage.of_place(self.location, value_key(self.location), self.ephemeris, self.obstime, acceleration)
        if acceleration:
            raise InputError("Observer: the acceleration of a position and velocity of your own is not known.")
        place, motion = (x.to_value(unit).reshape(3, -1) for x, unit in ((self.position, u.au), (self.velocity, KM_S)))
        return vantage.of_own(place, motion, self.ephemeris, self.obstime)

    def __getstate__(self) -> dict[str, Any]:
        state = {k: v for k, v in self.__dict__.items() if k != "_seen"}
        return {**state, **dict.fromkeys(self.air_not_given)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, _AIR[name] if value is None and name in _AIR else value)


def _celsius(value: Any) -> Any:
    if isinstance(value, Column) or getattr(value, "unit", None) is None:
        return value
    try:
        celsius = value.to(u.deg_C, u.temperature())
    except u.UnitConversionError:
        return value  # the check of units names it
    if np.any(celsius.value < -273.15):
        raise InputError(f"Observer.temperature is {value}, below absolute zero.")
    return celsius


def _number(value: Any) -> Any:
    return value * u.one if isinstance(value, int | float | np.number) else value


def _checked_location(value: Any) -> Any:
    if isinstance(value, str):
        if value in places.NAMED:
            return value
        known = ", ".join(map(repr, closest_first(value, places.NAMED)))
        raise InputError(f"Observer.location is {value!r}; it can be an EarthLocation, {known}.")
    from astropy.coordinates import EarthLocation

    if not isinstance(value, EarthLocation) or value.shape != ():
        raise InputError(
            f"Observer.location is {value!r}; one EarthLocation, or one of {', '.join(places.NAMED)}, is needed."
        )
    return EarthLocation.from_geocentric(
        *(axis.to(u.m) for axis in value.geocentric)
    )  # one unit: equal places are equal


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(np.all(value == default))


def _shown(value: Any) -> str:
    if hasattr(value, "geodetic"):
        lon, lat, height = value.geodetic
        return f"({lon.to_value(u.deg):.7g} deg, {lat.to_value(u.deg):.7g} deg, {height.to_value(u.m):.6g} m)"
    if hasattr(value, "jd1"):
        return f"{value.isot} {value.scale}"
    if not hasattr(value, "unit"):
        return repr(value)
    return f"{value:g}" if value.shape == () else str(value)


def _time(obstime: Any) -> Any:
    from astropy.time import Time

    return obstime if isinstance(obstime, Time) else Time(obstime, format="jyear", scale="tcb")


# ---- a parameter of effects ------------------------------------------------------------------------------


def observer_parameter(default: Any = MISSING, *, doc: str = "where and when the light is received") -> Any:
    """Declare a parameter that is an `Observer`, as a dataclass field; its columns are bound with the effect's own.

    The default None makes it optional.

    Examples
    --------
    >>> from typing import Any
    >>> import astrokin as ak
    >>> observer: Any = ak.observer_parameter()
    """
    needed = "an ak.Observer(obstime, location), such as ak.Observer(ak.column('obstime'), 'gaia')"
    return part_parameter(Observer, needed, default=default, doc=doc, reader=_from_text)


def _from_text(text: str, where: str) -> Observer:
    """An observer from ``J2026.5,gaia``, ``column:t`` or ``2026-03-21,lon=-70.4deg,lat=-24.6deg,pressure=743hPa``."""
    time, options = observer_options(text, where)
    spec = dict(Observer.specs())["obstime"]
    try:
        return Observer(spec.from_text(time, f"{where} (the time)"), **options)
    except InputError as error:
        raise InputError(str(error).replace("Observer.", f"{where}: ")) from None
