"""Where the bodies of the solar system are, by an ephemeris that astropy reads, and for which times it holds."""

from __future__ import annotations

import warnings
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.errors import InputError
from astrokin.optional import require
from astrokin.units import KM_S

Array = NDArray[np.float64]
Vectors = tuple[Array, Array]

BUILTIN = "builtin"
_J2000 = 2451545.0
#: ERFA's series of the Earth's motion are made for 1900 to 2100: days from J2000.
_REACH = 36525.0
#: Beyond the year 10000, which days taken for years are.
_NO_YEAR = 365.25 * 8000.0


def body(name: str, time: Any, ephemeris: str) -> Vectors:
    """Barycentric position (au) and velocity (km/s) of a body of the solar system, ICRS axes.

    Raises
    ------
    MissingDependencyError
        An ephemeris of JPL's without jplephem.
    InputError
        An ephemeris that cannot be had or read, or that does not reach the time.
    """
    from astropy.coordinates import get_body_barycentric_posvel

    if ephemeris != BUILTIN:
        require("jplephem", "ephemeris", f"Observer.ephemeris={ephemeris!r}")
    try:
        with warnings.catch_warnings():  # nodes of interpolation may lie a few days beyond the range
            warnings.filterwarnings("ignore", message=".*date outside")
            place, motion = get_body_barycentric_posvel(name, time, ephemeris=ephemeris)
    except (OSError, ValueError) as error:
        if ephemeris == BUILTIN:
            raise
        raise InputError(_unread(ephemeris, time, error)) from error
    return place.xyz.to_value(u.au), motion.xyz.to_value(KM_S)


def _unread(ephemeris: str, time: Any, error: Exception) -> str:
    if hasattr(error, "out_of_range_times"):
        first = np.atleast_1d(time)[np.flatnonzero(np.atleast_1d(error.out_of_range_times))[0]]
        return f"Observer.obstime: {first.isot} {first.scale} is beyond the ephemeris {ephemeris!r}: {error}."
    return (
        f"Observer.ephemeris {ephemeris!r} cannot be used ({error}); it can be 'builtin', a name that astropy "
        "downloads once, such as 'de440s' or 'de440', or the path of a file (.bsp) of JPL's."
    )


def demand_reached(scale: str, days: Array, ephemeris: str) -> None:
    """Raise an error if days since J2000 (n,) are beyond the builtin ephemeris; others speak for themselves."""
    if ephemeris != BUILTIN or (days.min() >= -_REACH and days.max() <= _REACH):
        return
    from astropy.time import Time

    far = days[~(np.abs(days) <= _REACH)]
    more = f" (and {len(far) - 1:,} more)" if len(far) > 1 else ""
    try:
        when = f"{Time(_J2000, far[0], format='jd', scale=scale).isot} {scale}"
    except (ValueError, OverflowError):  # astropy cannot write years beyond 9999
        when = f"the year {2000.0 + far[0] / 365.25:.6g}"
    out = 'take ephemeris="de440" (1550 to 2650), or position and velocity of your own'
    if abs(far[0]) > _NO_YEAR:
        out = "plain numbers are Julian years; days are Time(…, format='mjd')"
    raise InputError(
        f"Observer.obstime: {when}{more} is beyond the builtin ephemeris, which is made for 1900 to 2100: {out}."
    )
