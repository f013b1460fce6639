"""`~astropy.coordinates.SkyCoord` in and out: any shape and frame, with as much as it has."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.doors.conversion import inverse
from astrokin.doors.frames import SAME, components_of, length_of, representation, spherical, turn_of, turned
from astrokin.errors import DroppedWarning, InputError, some_rows
from astrokin.stars import Stars
from astrokin.times import time_of
from astrokin.units import KM_S, MAS, MAS_YR

Array = NDArray[np.float64]


def is_sky(data: Any) -> bool:
    """Whether the data are a SkyCoord or a frame with data; nothing is imported to find out."""
    loaded = sys.modules.get("astropy.coordinates")
    return loaded is not None and isinstance(data, (loaded.SkyCoord, loaded.BaseCoordinateFrame))


def as_skycoord(data: Any) -> Any:
    """A SkyCoord as it is, a frame with data as a SkyCoord."""
    from astropy.coordinates import SkyCoord

    return data if isinstance(data, SkyCoord) else SkyCoord(data)


# ---- in --------------------------------------------------------------------------------------------------


def stars_of_skycoord(coord: Any) -> Stars:
    """Make stars of a SkyCoord of any shape, in any frame that transforms to ICRS."""
    coord = coord.reshape(-1)
    epoch = getattr(coord, "obstime", None)
    turn = turn_of(coord.frame)
    parts = components_of(coord if turn is not None else _to_icrs(coord))
    lon, lat, pm_lon, pm_lat = (parts[k] for k in ("lon", "lat", "pm_lon", "pm_lat"))
    if turn is not None and turn is not SAME:
        lon, lat, pm_lon, pm_lat = turned((lon, lat, pm_lon, pm_lat), turn)
    distance = parts["distance"]
    parallax = None if distance is None else inverse(distance, "The distance")
    return Stars(
        ra=lon << u.deg,
        dec=lat << u.deg,
        parallax=_quantity(parallax, MAS),
        pmra=_quantity(pm_lon, MAS_YR),
        pmdec=_quantity(pm_lat, MAS_YR),
        radial_velocity=_quantity(parts["radial_velocity"], KM_S),
        epoch=epoch,
    )


def _to_icrs(coord: Any) -> Any:
    try:
        return coord.transform_to("icrs")
    except (u.UnitsError, TypeError, ValueError) as error:
        raise InputError(
            f"astropy cannot transform these coordinates from {coord.frame.name!r} to ICRS ({error}); "
            "to most such frames distance, proper motion and radial velocity belong together."
        ) from error


def _quantity(values: Array | None, unit: u.UnitBase) -> u.Quantity | None:
    return None if values is None else values << unit


# ---- out -------------------------------------------------------------------------------------------------


def skycoord_back(given: Any, stars: Stars, changed: frozenset[str]) -> Any:
    """A SkyCoord of the shape and frame of the given one, with what changed; the rest is bit-identical."""
    if "covariance" in changed and stars.raw.covariance is not None:
        _warn_covariance()
    obstime = _new_obstime(given, stars) if "epoch" in changed else None
    if not changed - {"covariance", "epoch"}:
        return given if obstime is None else _assembled(given, given.frame, obstime)
    turn = turn_of(given.frame)
    if turn is None:
        new = _icrs(stars).frame.transform_to(given.frame.replicate_without_data())
        return _assembled(given, _shaped(new, given.shape), obstime)
    parts = _kept_and_new(given, stars, changed, turn)
    types = {k: getattr(given.frame, k) for k in ("representation_type", "differential_type")}
    frame = given.frame.realize_frame(representation(parts), **types)
    return _assembled(given, _shaped(frame, given.shape), obstime)


def _shaped(frame: Any, shape: tuple[int, ...]) -> Any:
    return frame.reshape(shape) if frame.shape != shape else frame


def _kept_and_new(given: Any, stars: Stars, changed: frozenset[str], turn: Array) -> dict[str, Any]:
    flat = given.reshape(-1)
    data = spherical(flat.data)
    rate = data.differentials.get("s")
    parts: dict[str, Any] = {"lon": data.lon, "lat": data.lat, "distance": length_of(data)}
    parts.update({k: getattr(rate, v, None) for k, v in _RATES.items()})
    for name, values in _new_parts(stars, changed, turn).items():
        if parts[name] is not None or np.isfinite(values).any():
            parts[name] = _in_unit_of(parts[name], values << _FIXED[name])
    return parts


def _in_unit_of(old: Any, new: u.Quantity) -> u.Quantity:
    # Velocities that came in as x, y, z may have units that no one would want for a proper motion.
    same_kind = old is not None and old.unit.is_equivalent(new.unit)
    return new.to(old.unit) if same_kind else new


_RATES = {"pm_lon": "d_lon_coslat", "pm_lat": "d_lat", "radial_velocity": "d_distance"}
_FIXED = {
    "lon": u.deg,
    "lat": u.deg,
    "distance": u.kpc,
    "pm_lon": MAS_YR,
    "pm_lat": MAS_YR,
    "radial_velocity": KM_S,
}


def _new_parts(stars: Stars, changed: frozenset[str], turn: Array) -> dict[str, Array]:
    out: dict[str, Array] = {}
    if changed & {"direction", "proper_motion"}:
        sky = [stars.raw.angle(k) for k in ("ra", "dec", "pmra", "pmdec")]
        places = sky if turn is SAME else turned(sky, turn.T)
        names = ("lon", "lat", "pm_lon", "pm_lat") if "direction" in changed else ("pm_lon", "pm_lat")
        out.update(zip(names, places[-len(names) :], strict=True))
    if "parallax" in changed:
        out["distance"] = distances(stars)
    if "radial_velocity" in changed:
        out["radial_velocity"] = stars.raw.radial_velocity
    return out


def distances(stars: Stars) -> Array:
    """1/parallax in kpc, or an error that names the rows which no SkyCoord can hold."""
    parallax = stars.raw.parallax
    bad = np.flatnonzero(parallax <= 0.0)
    if bad.size:
        raise InputError(
            f"A SkyCoord cannot hold the parallaxes in {some_rows(bad)}, which are not positive. "
            "Use a table, for example stars.to_table(), or leave these rows out."
        )
    return 1.0 / parallax


def _assembled(given: Any, frame: Any, obstime: Any) -> Any:
    """A SkyCoord of this frame with the given one's attributes, such as its location."""
    from astropy.coordinates import SkyCoord, frame_transform_graph

    names = [k for k in frame_transform_graph.frame_attributes if k not in frame.frame_attributes]
    more = {k: v for k in names if (v := getattr(given, k, None)) is not None}
    if obstime is not None and "obstime" not in frame.frame_attributes:
        more["obstime"] = obstime
    return SkyCoord(frame, **more)


def _new_obstime(given: Any, stars: Stars) -> Any:
    if stars.raw.epoch is None:
        return None
    new = time_of(stars.raw.epoch, like=getattr(given, "obstime", None))
    return new if new.isscalar else new.reshape(given.shape)


def _warn_covariance() -> None:
    warnings.warn(
        "A SkyCoord cannot hold the covariance, which is dropped: use a table to keep it.",
        DroppedWarning,
        stacklevel=4,
    )


def _icrs(stars: Stars) -> Any:
    """The stars as an ICRS SkyCoord, with as much of distance and velocity as any of them has."""
    from astropy.coordinates import ICRS, SkyCoord

    raw = stars.raw
    values = dict(zip(("lon", "lat", "pm_lon", "pm_lat"), map(raw.angle, ("ra", "dec", "pmra", "pmdec")), strict=True))
    values.update(distance=distances(stars), radial_velocity=raw.radial_velocity)
    told = {k: k in ("lon", "lat") or bool(np.isfinite(v).any()) for k, v in values.items()}
    parts = {k: values[k] << unit if told[k] else None for k, unit in _FIXED.items()}
    return SkyCoord(ICRS(representation(parts)))


def skycoord_of(stars: Stars) -> Any:
    """Make an ICRS `~astropy.coordinates.SkyCoord` of stars.

    Raises
    ------
    InputError
        A parallax that is not positive: a SkyCoord cannot hold it.

    Warns
    -----
    DroppedWarning
        The stars have a covariance, which a SkyCoord cannot hold.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> ak.Stars(ra=[10.0] * u.deg, dec=[20.0] * u.deg, parallax=[5.0] * u.mas).to_skycoord().distance
    <Distance [0.2] kpc>
    """
    if stars.raw.covariance is not None:
        _warn_covariance()
    coord = _icrs(stars)
    epoch = _new_obstime(coord, stars)
    return coord if epoch is None else _assembled(coord, coord.frame, epoch)
