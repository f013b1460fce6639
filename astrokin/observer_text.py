"""An observer from a text of the command line: the time, the place, the air."""

from __future__ import annotations

from typing import Any

import astropy.units as u

from astrokin.errors import InputError, closest_first

_PLACE = ("lon", "lat", "height")
_AIR = ("pressure", "temperature", "relative_humidity", "obswl")
_KEYS = (*_PLACE, *_AIR, "ephemeris")
_EXAMPLE = "'2026-03-21,lon=-70.4deg,lat=-24.6deg,height=2635m,pressure=743hPa'"


def observer_options(text: str, where: str) -> tuple[str, dict[str, Any]]:
    """The text of the time, and the other parameters of an `~astrokin.Observer`.

    Examples
    --------
    >>> from astrokin.observer_text import observer_options
    >>> observer_options("J2026.5,gaia,ephemeris=de440s", "--set observer")
    ('J2026.5', {'location': 'gaia', 'ephemeris': 'de440s'})
    """
    time, *rest = (part.strip() for part in text.split(","))
    named = [part for part in rest if "=" not in part]
    if len(named) > 1 or "=" in time:
        raise InputError(f"{where}: {text!r} is no observer such as 'J2026.5,gaia' or {_EXAMPLE}.")
    given = _pairs([part for part in rest if "=" in part], where)
    place = {k: given.pop(k) for k in _PLACE if k in given}
    if place and named:
        raise InputError(f"{where}: both the place {named[0]!r} and {', '.join(place)} are given; give one.")
    options: dict[str, Any] = {"location": named[0]} if named else {}
    if place:
        options["location"] = _site(place, where)
    return time, options | {k: v if k == "ephemeris" else _quantity(k, v, where) for k, v in given.items()}


def _pairs(parts: list[str], where: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in parts:
        key, _, value = (p.strip() for p in part.partition("="))
        if key not in _KEYS:
            known = ", ".join(closest_first(key, _KEYS))
            raise InputError(f"{where} has no {key!r}; besides the time and a named place it has: {known}.")
        if key in found:
            raise InputError(f"{where}: {key} is given twice.")
        found[key] = value
    return found


def _site(place: dict[str, str], where: str) -> Any:
    from astropy.coordinates import EarthLocation

    if missing := [k for k in ("lon", "lat") if k not in place]:
        raise InputError(f"{where}: {missing[0]} is missing; a place on the Earth is {_EXAMPLE}.")
    lon, lat = (_angle(k, place[k], where) for k in ("lon", "lat"))
    if abs(lat) > 90 * u.deg:
        raise InputError(f"{where}: lat={place['lat']} is beyond a pole; -90deg to 90deg is needed.")
    return EarthLocation.from_geodetic(lon, lat, _height(place.get("height", "0m"), where))


def _angle(key: str, text: str, where: str) -> Any:
    from astropy.coordinates import Angle

    try:
        return Angle(text)
    except (ValueError, TypeError, u.UnitsError):
        raise InputError(f"{where}: {key}={text!r} is no angle such as -70.4deg or -70d24m.") from None


def _height(text: str, where: str) -> Any:
    height = _quantity("height", text, where)
    if not height.unit.is_equivalent(u.m):
        raise InputError(f"{where}: height={text!r} is no length such as 2635m.")
    return height


def _quantity(key: str, text: str, where: str) -> Any:
    try:
        value = u.Quantity(text)
    except (ValueError, TypeError):
        value = None
    if value is None or (value.unit == u.one and key != "relative_humidity"):
        raise InputError(f"{where}: {key}={text!r} is no value with a unit such as 2635m, 743hPa or 10deg_C.")
    return value
