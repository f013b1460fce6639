"""Places of observers, and of the Sun, from the barycentre of the solar system (ICRS axes, au and km/s)."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.earth_rotation import earth_rotation
from astrokin.ephemeris import Vectors
from astrokin.ephemeris import body as body  # for those who look for places here
from astrokin.units import KM_S

#: The Sun-Earth point L2 lies this much farther from the Sun than the Earth.
_L2 = 1.01
Array = NDArray[np.float64]

#: The Earth's turning, radian per day of UT1.
EARTH_RATE = 2.0 * np.pi * 1.00273781191135448


def _geocenter(time: Any, ephemeris: str) -> Vectors:
    return body("earth", time, ephemeris)


def _barycenter(time: Any, ephemeris: str) -> Vectors:
    return np.zeros((3, *time.shape)), np.zeros((3, *time.shape))


def _gaia(time: Any, ephemeris: str) -> Vectors:
    earth, sun = (body(name, time, ephemeris) for name in ("earth", "sun"))
    place, motion = (s + _L2 * (e - s) for e, s in zip(earth, sun, strict=True))
    return place, motion


NAMED = {"geocenter": _geocenter, "barycenter": _barycenter, "gaia": _gaia}


def posvel(location: Any, time: Any, ephemeris: str) -> Vectors:
    """Position and velocity of a named place or of one on the Earth."""
    if isinstance(location, str):
        return NAMED[location](time, ephemeris)
    place, motion = body("earth", time, ephemeris)
    with earth_rotation(time) as known:
        from_centre, rotation = location.get_gcrs_posvel(known)
    return place + from_centre.xyz.to_value(u.au), motion + rotation.xyz.to_value(KM_S)


def turning(location: Any, time: Any, angle: Array) -> Array:
    """What is left of a place's diurnal motion when the turning by `angle` is taken out of it, (9, n).

    Three vectors (au) of the position C + A cos(angle) + B sin(angle) from the centre of the Earth; the velocity is
    B cos(angle) - A sin(angle) times `EARTH_RATE`. They change only with precession, nutation, polar motion and UT1,
    by the models that astropy uses.
    """
    import erfa
    from astropy.coordinates.builtin_frames.utils import get_jd12, get_polar_motion

    with earth_rotation(time) as known:
        celestial = erfa.c2i06a(*get_jd12(known, "tt"))
        polar = erfa.pom00(*get_polar_motion(known), erfa.sp00(*get_jd12(known, "tt")))
        phase = erfa.era00(*get_jd12(known, "ut1")) - angle
    place = np.stack([axis.to_value(u.au) for axis in location.geocentric])
    return _demodulated(celestial, place @ polar, phase)


def _demodulated(celestial: Array, vector: Array, phase: Array) -> Array:
    x, y, z = vector.T
    x, y = x * np.cos(phase) - y * np.sin(phase), x * np.sin(phase) + y * np.cos(phase)
    first, second, pole = np.moveaxis(celestial, 0, -1)
    return np.concatenate([x * first + y * second, x * second - y * first, z * pole])
