"""`Horizon`: the vertical and the meridian of a place on the turning Earth, in ICRS axes, and angles from them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.angles import dot
from astrokin.earth_rotation import earth_rotation, reach
from astrokin.errors import InputError
from astrokin.polynomials import Table
from astrokin.times import without_note_on_future
from astrokin.vantage import moments

Array = NDArray[np.float64]

_J2000, _MJD_OF_J2000 = 2451545.0, 51544.5
#: Distinct times up to which precession and nutation are evaluated for each; for more they are interpolated.
_FEW = 300


@dataclass(frozen=True, eq=False)
class Horizon:
    """Local axes of a place, unit vectors of shape (3, 1) for all rows or (3, n) for each, in ICRS axes.

    Attributes
    ----------
    zenith : ndarray
        Up: the normal of the ellipsoid.
    east, north : ndarray
        In the plane of the horizon.
    pole : ndarray
        The Earth's axis, north (that of the terrestrial frame, polar motion included).
    outside : ndarray of bool, shape (1,) or (n,)
        Times that the tables of the Earth's rotation do not reach: the axes are none there.
    sine_latitude, height : float
        Of the geodetic latitude; above the ellipsoid, m.
    """

    zenith: Array
    east: Array
    north: Array
    pole: Array
    outside: NDArray[np.bool_]
    sine_latitude: float
    height: float

    def altitude_azimuth(self, direction: Array) -> tuple[Array, Array]:
        """Altitude and azimuth (from north through east, 0 to 2 pi) of unit vectors (3, n), radian."""
        up, east, north = (dot(direction, axis) for axis in (self.zenith, self.east, self.north))
        azimuth = np.arctan2(east, north)
        azimuth = np.where(azimuth < 0.0, azimuth + 2.0 * np.pi, azimuth)
        return np.arctan2(up, np.hypot(east, north)), np.where(azimuth < 2.0 * np.pi, azimuth, 0.0)

    def hour_angle_declination(self, direction: Array) -> tuple[Array, Array]:
        """Hour angle (west positive, -pi to pi) and declination of date of unit vectors (3, n), radian."""
        south_up = np.cross(self.east, self.pole, axis=0)  # where the meridian meets the equator
        x, y, z = (dot(direction, axis) for axis in (south_up, self.east, self.pole))
        return np.arctan2(-y, x), np.arctan2(z, np.hypot(x, y))

    def parallactic_angle(self, direction: Array) -> Array:
        """The angle at unit vectors (3, n) from the pole to the zenith, through east, radian; 0 at either of them."""
        pole = np.broadcast_to(self.pole, direction.shape)
        east = dot(self.zenith, np.cross(pole, direction, axis=0))
        north = dot(self.zenith, self.pole) - dot(self.pole, direction) * dot(self.zenith, direction)
        return np.arctan2(east, north)


def horizon(location: Any, obstime: Any) -> Horizon:
    """The `Horizon` of an `~astropy.coordinates.EarthLocation` at the time or times of an observer."""
    longitude, latitude, height = location.geodetic
    place = float(np.sin(latitude.rad)), float(height.to_value(u.m))
    scale, whole, rest = moments(obstime)
    if not len(whole):
        none = np.empty((3, 0))
        return Horizon(none, none, none, none, np.empty(0, bool), *place)
    first, last = reach()
    mjd = whole + rest + _MJD_OF_J2000
    outside = (mjd <= first) | (mjd >= last)
    lost = outside | np.isnan(mjd)
    whole, rest = np.where(lost, 0.0, whole), np.where(lost, 0.0, rest)
    if (whole == whole[0]).all() and (rest == rest[0]).all():
        whole, rest = whole[:1], rest[:1]
    turn = _terrestrial(scale, whole, rest)
    axes = _local_axes(float(longitude.rad), float(latitude.rad))
    zenith, east, north, pole = (np.einsum("i,nij->jn", axis, turn) for axis in axes)
    return Horizon(zenith, east, north, pole, outside, *place)


def _local_axes(longitude: float, latitude: float) -> list[Array]:
    """Zenith, east, north and pole in terrestrial axes."""
    sl, cl, sf, cf = np.sin(longitude), np.cos(longitude), np.sin(latitude), np.cos(latitude)
    axes = [(cf * cl, cf * sl, sf), (-sl, cl, 0.0), (-sf * cl, -sf * sl, cf), (0.0, 0.0, 1.0)]
    return [np.array(axis) for axis in axes]


def _terrestrial(scale: str, whole: Array, rest: Array) -> Array:
    """The rotations (n, 3, 3) from ICRS to terrestrial axes, by the models that astropy uses; days in two parts."""
    import erfa
    from astropy.coordinates.builtin_frames.utils import get_jd12, get_polar_motion
    from astropy.time import Time

    time = Time(_J2000 + whole, rest, format="jd", scale=scale)
    with without_note_on_future(), earth_rotation(time) as known:
        polar = erfa.pom00(*get_polar_motion(known), erfa.sp00(*get_jd12(known, "tt")))
        angle = erfa.era00(*get_jd12(known, "ut1"))
        turned: Array = erfa.c2tcio(_celestial(scale, whole + rest), angle, polar)
    return turned


def _celestial(scale: str, days: Array) -> Array:
    """Precession and nutation (n, 3, 3): each distinct time, or interpolated where there are many."""
    distinct, row = np.unique(days, return_inverse=True)
    if len(distinct) <= _FEW:
        return _exactly(scale, distinct).reshape(9, -1)[:, row].T.reshape(-1, 3, 3)
    return _table(scale)(days)[0].T.reshape(-1, 3, 3)


def _exactly(scale: str, days: Array) -> Array:
    import erfa
    from astropy.coordinates.builtin_frames.utils import get_jd12
    from astropy.time import Time

    with without_note_on_future():
        matrices = erfa.c2i06a(*get_jd12(Time(_J2000, days, format="jd", scale=scale), "tt"))
    return np.moveaxis(matrices, 0, -1).reshape(9, -1)


@lru_cache(maxsize=4)
def _table(scale: str) -> Table:
    return Table(lambda days: _exactly(scale, days), (6,) * 9)


# ---- for whoever observes --------------------------------------------------------------------------------


class LocalSky:
    """What an observer on the ground can ask of directions: how high they stand, and where."""

    location: Any
    obstime: Any
    column_names: tuple[str, ...]
    bound: Any

    def horizon(self) -> Horizon:
        """The local vertical, meridian and pole in ICRS axes, for one time or, with its columns bound, for every row.

        One time, and few distinct ones, are evaluated exactly; of many, precession and nutation are interpolated,
        good to 0.03 µas, and the Earth's turning is evaluated for each.

        Returns
        -------
        Horizon

        Raises
        ------
        InputError
            An observer that is not on the ground, or columns that are not bound.

        Examples
        --------
        >>> import astropy.units as u
        >>> from astropy.coordinates import EarthLocation
        >>> import astrokin as ak
        >>> paranal = EarthLocation.from_geodetic(-70.4, -24.6, 2635 * u.m)
        >>> ak.Observer(2026.2, paranal).horizon().zenith.shape
        (3, 1)
        """
        if isinstance(self.location, str) or getattr(self, "position", None) is not None:
            where = "a position of its own" if getattr(self, "position", None) is not None else repr(self.location)
            raise InputError(
                f"Observer.horizon: an observer with {where} has no horizon: give location=EarthLocation(…)."
            )
        if self.column_names:
            raise InputError(
                f"Observer.horizon: bind the columns first: observer.bound(rows); {', '.join(self.column_names)}."
            )
        memo = self.__dict__.setdefault("_seen", {})
        if "horizon" not in memo:
            memo["horizon"] = horizon(self.location, self.obstime)
        found: Horizon = memo["horizon"]
        return found

    def horizontal(self, data: Any) -> Any:
        """Where directions stand in the observer's sky.

        The directions are taken as they are: of a catalogue, they are off by aberration and the like (20 arcsec);
        with ``ak.apparent_place(observer).apply(…)`` before, they are what the observer sees, to the last digit.

        Parameters
        ----------
        data : Stars, `~astropy.coordinates.SkyCoord` or table
            The sources, in ICRS axes.

        Returns
        -------
        `~astropy.table.QTable`, n rows
            ``altitude``, ``azimuth`` (from north through east), ``zenith_distance``, ``hour_angle`` (west positive) and
            ``declination`` (both of date), and ``parallactic_angle``: the position angle of the zenith, from the north
            pole of date through east, which is positive in the west and 0 at zenith or pole. All in deg, the hour
            angle in hourangle.

        Raises
        ------
        InputError
            An observer that is not on the ground, or times beyond the tables of the Earth's rotation.

        Notes
        -----
        As ERFA's ``atioq`` and ``hd2pa`` have it. The pole of date is up to 0.15 deg away from that of the ICRS in
        2026, by precession: near the pole, angles from ICRS north differ much.

        Examples
        --------
        >>> import astropy.units as u
        >>> from astropy.coordinates import EarthLocation, SkyCoord
        >>> import astrokin as ak
        >>> paranal = EarthLocation.from_geodetic(-70.4, -24.6, 2635 * u.m)
        >>> observer = ak.Observer("2026-03-21 05:00", paranal)
        >>> sky = observer.horizontal(SkyCoord([83.6, 210] * u.deg, [-5.4, -60] * u.deg))
        >>> sky["altitude"].round(1), sky["parallactic_angle"].round(1)
        (<Latitude [-6.3, 49.8] deg>, <Angle [115.5, -40. ] deg>)
        >>> observer.hour_angle(SkyCoord(210 * u.deg, -60 * u.deg)).round(2)
        <Longitude [-1.81] hourangle>
        """
        from astropy.coordinates import Angle, Latitude, Longitude
        from astropy.table import QTable

        stars = data if hasattr(data, "raw") else importlib.import_module("astrokin.tables").stars_of(data)
        here = self.bound(stars).horizon()
        if here.outside.any():
            raise InputError(
                "Observer.obstime: the Earth's rotation is not known then: the tables that come with astropy reach "
                f"from {_date(reach()[0])} to {_date(reach()[1])}."
            )
        r = stars.raw.direction
        (altitude, azimuth), (hour, declination) = here.altitude_azimuth(r), here.hour_angle_declination(r)
        return QTable(
            {
                "altitude": Latitude(altitude, u.rad).to(u.deg),
                "azimuth": Longitude(azimuth, u.rad).to(u.deg),
                "zenith_distance": Angle(0.5 * np.pi - altitude, u.rad).to(u.deg),
                "hour_angle": Longitude(hour, u.rad, wrap_angle=np.pi * u.rad).to(u.hourangle),
                "declination": Latitude(declination, u.rad).to(u.deg),
                "parallactic_angle": Angle(here.parallactic_angle(r), u.rad).to(u.deg),
            }
        )

    def altitude(self, data: Any) -> Any:
        """The altitudes of directions: that column of `horizontal`."""
        return self.horizontal(data)["altitude"]

    def hour_angle(self, data: Any) -> Any:
        """The hour angles of directions: that column of `horizontal`."""
        return self.horizontal(data)["hour_angle"]

    def parallactic_angle(self, data: Any) -> Any:
        """The parallactic angles of directions: that column of `horizontal`."""
        return self.horizontal(data)["parallactic_angle"]


def _date(mjd: float) -> str:
    from astropy.time import Time

    return str(Time(mjd, format="mjd").strftime("%Y-%m-%d"))
