"""`~astropy.coordinates.SkyCoord` in and out: any shape, any frame, whatever of distance and velocity it has."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import angles
from astrokin.doors.conversion import inverse
from astrokin.errors import DroppedWarning, InputError, some_rows
from astrokin.stars import Stars
from astrokin.units import KM_S, MAS, MAS_YR

Array = NDArray[np.float64]

#: Frames with the axes of ICRS turned and nothing else: distances and radial velocities are the same there.
_TURNED = ("icrs", "galactic", "supergalactic", "fk5", "barycentricmeanecliptic", "barycentrictrueecliptic")


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
    turn = _turn_of(coord.frame)
    parts = _components(coord if turn is not None else _to_icrs(coord))
    lon, lat, pm_lon, pm_lat = (parts[k] for k in ("lon", "lat", "pm_lon", "pm_lat"))
    if turn is not None and turn is not _SAME:
        lon, lat, pm_lon, pm_lat = _turned(lon, lat, pm_lon, pm_lat, turn)
    return Stars(
        ra=lon << u.deg,
        dec=lat << u.deg,
        parallax=_quantity(parts["parallax"], MAS),
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
            f"astropy cannot transform these coordinates from the frame {coord.frame.name!r} to ICRS ({error}); "
            "to most such frames distance, proper motion and radial velocity belong together."
        ) from error


def _quantity(values: Array | None, unit: u.UnitBase) -> u.Quantity | None:
    return None if values is None else values << unit


_SAME = np.eye(3)


def _turn_of(frame: Any) -> Array | None:
    """The matrix from the frame's axes to those of ICRS; None if more than a turn lies between them."""
    if frame.name not in _TURNED:
        return None
    return _SAME if frame.name == "icrs" else _turn(frame.replicate_without_data())


def _turn(frame: Any) -> Array:
    from astropy.coordinates import ICRS, CartesianRepresentation

    axes = frame.realize_frame(CartesianRepresentation(np.eye(3), unit=u.one))
    left, _, right = np.linalg.svd(axes.transform_to(ICRS()).cartesian.xyz.value)
    return left @ right  # orthonormal to the last digit: there and back changes nothing


def _turned(
    lon: Array, lat: Array, pm_lon: Array | None, pm_lat: Array | None, turn: Array
) -> tuple[Array, Array, Array | None, Array | None]:
    still = np.zeros(len(lon))
    moving = pm_lon is not None and pm_lat is not None
    direction, motion = angles.vectors(lon, lat, *((pm_lon, pm_lat) if moving else (still, still)))  # type: ignore[arg-type]
    direction = turn @ direction
    new = angles.longitude_latitude(direction)
    return (*new, *(angles.components(turn @ motion, direction) if moving else (None, None)))


def _components(coord: Any) -> dict[str, Array | None]:
    """What the coordinate holds, in deg, mas, mas/yr and km/s; None for what it does not."""
    data = _spherical(coord.data)
    rate = data.differentials.get("s")
    distance = _length(data)
    return {
        "lon": _plain(data.lon, u.deg),
        "lat": _plain(data.lat, u.deg),
        "parallax": inverse(_plain(distance, u.kpc), "The distance") if distance is not None else None,
        "pm_lon": _plain(getattr(rate, "d_lon_coslat", None), MAS_YR),
        "pm_lat": _plain(getattr(rate, "d_lat", None), MAS_YR),
        "radial_velocity": _plain(getattr(rate, "d_distance", None), KM_S),
    }


def _length(data: Any) -> Any:
    distance = getattr(data, "distance", None)  # a direction given in x, y, z has one without unit
    return distance if distance is not None and distance.unit.is_equivalent(u.kpc) else None


def _plain(value: Any, unit: u.UnitBase) -> Any:
    if value is None:
        return None
    with u.set_enabled_equivalencies(u.dimensionless_angles()):
        numbers = value.to_value(unit)
    mask = getattr(numbers, "mask", None)
    return np.asarray(numbers, float) if mask is None else np.where(mask, np.nan, numbers.unmasked)


def _spherical(data: Any) -> Any:
    """The same representation in spherical components, with as much of distance and velocity as it has."""
    from astropy.coordinates import (
        RadialDifferential,
        SphericalCosLatDifferential,
        SphericalRepresentation,
        UnitSphericalCosLatDifferential,
        UnitSphericalRepresentation,
    )

    rate = data.differentials.get("s")
    space = UnitSphericalRepresentation if isinstance(data, UnitSphericalRepresentation) else SphericalRepresentation
    if rate is None or isinstance(rate, (RadialDifferential, SphericalCosLatDifferential, UnitSphericalCosLatDifferential)):
        return data if isinstance(data, space) else data.represent_as(space, _same_rate(rate))
    whole = space is SphericalRepresentation and not type(rate).__name__.startswith("Unit")
    return data.represent_as(space, SphericalCosLatDifferential if whole else UnitSphericalCosLatDifferential)


def _same_rate(rate: Any) -> Any:
    return None if rate is None else type(rate)


# ---- out -------------------------------------------------------------------------------------------------


def skycoord_back(given: Any, stars: Stars, changed: frozenset[str]) -> Any:
    """A SkyCoord of the shape and frame of the given one, with what changed; the rest is bit-identical."""
    if "covariance" in changed and stars.raw.covariance is not None:
        _warn_covariance()
    obstime = _new_obstime(given, stars) if "epoch" in changed else None
    if not changed - {"covariance", "epoch"}:
        return given if obstime is None else _assembled(given, given.frame, obstime)
    turn = _turn_of(given.frame)
    if turn is None:
        new = _icrs(stars).frame.transform_to(given.frame.replicate_without_data())
        return _assembled(given, _shaped(new, given.shape), obstime)
    parts = _kept_and_new(given, stars, changed, turn)
    types = {k: getattr(given.frame, k) for k in ("representation_type", "differential_type")}
    frame = given.frame.realize_frame(_representation(parts), **types)
    return _assembled(given, _shaped(frame, given.shape), obstime)


def _shaped(frame: Any, shape: tuple[int, ...]) -> Any:
    return frame.reshape(shape) if frame.shape != shape else frame


def _kept_and_new(given: Any, stars: Stars, changed: frozenset[str], turn: Array) -> dict[str, Any]:
    flat = given.reshape(-1)
    data = _spherical(flat.data)
    rate = data.differentials.get("s")
    distance = _length(data)
    parts = {"lon": data.lon, "lat": data.lat, "distance": distance}
    parts.update({k: getattr(rate, v, None) for k, v in _RATES.items()})
    units = {k: getattr(v, "unit", None) for k, v in parts.items()}
    for name, values in _new_parts(stars, changed, turn).items():
        if parts[name] is not None or np.isfinite(values).any():
            fixed = _FIXED[name]
            same_kind = units[name] is not None and units[name].is_equivalent(fixed)
            parts[name] = (values << fixed).to(units[name] if same_kind else fixed)
    return parts


_RATES = {"pm_lon": "d_lon_coslat", "pm_lat": "d_lat", "radial_velocity": "d_distance"}
_FIXED = {"lon": u.deg, "lat": u.deg, "distance": u.kpc, "pm_lon": MAS_YR, "pm_lat": MAS_YR, "radial_velocity": KM_S}


def _new_parts(stars: Stars, changed: frozenset[str], turn: Array) -> dict[str, Array]:
    out: dict[str, Array] = {}
    if changed & {"direction", "proper_motion"}:
        sky = [stars.raw.angle(k) for k in ("ra", "dec", "pmra", "pmdec")]
        places = sky if turn is _SAME else _turned(*sky, turn.T)
        names = ("lon", "lat", "pm_lon", "pm_lat") if "direction" in changed else ("pm_lon", "pm_lat")
        out.update(zip(names, places[-len(names) :], strict=True))  # type: ignore[arg-type]
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


def _representation(parts: dict[str, Any]) -> Any:
    """The fullest spherical representation that the parts allow."""
    from astropy import coordinates as c

    lon, lat, distance = parts["lon"], parts["lat"], parts["distance"]
    pm, velocity = (parts["pm_lon"], parts["pm_lat"]), parts["radial_velocity"]
    if distance is None and pm[0] is None and velocity is not None:
        distance = np.full(lon.shape, np.nan) << u.kpc  # astropy has no radial velocity on a direction alone
    space = (
        c.UnitSphericalRepresentation(lon, lat, copy=False)
        if distance is None
        else c.SphericalRepresentation(lon, lat, distance, copy=False)
    )
    if pm[0] is None:
        return space if velocity is None else space.with_differentials({"s": c.RadialDifferential(velocity)})
    if velocity is None:
        return space.with_differentials({"s": c.UnitSphericalCosLatDifferential(*pm)})
    return space.with_differentials({"s": c.SphericalCosLatDifferential(*pm, velocity)})


def _assembled(given: Any, frame: Any, obstime: Any) -> Any:
    """A SkyCoord of this frame with the given one's attributes, such as its location."""
    from astropy.coordinates import SkyCoord, frame_transform_graph

    names = [k for k in frame_transform_graph.frame_attributes if k not in frame.frame_attributes]
    more = {k: v for k in names if (v := getattr(given, k, None)) is not None}
    if obstime is not None and "obstime" not in frame.frame_attributes:
        more["obstime"] = obstime
    return SkyCoord(frame, **more)


def _new_obstime(given: Any, stars: Stars) -> Any:
    from astropy.time import Time

    if stars.raw.epoch is None:
        return None
    new = Time(stars.raw.epoch, format="jyear", scale="tcb")
    new = new if new.isscalar else new.reshape(given.shape)
    old = getattr(given, "obstime", None)
    if old is None:
        return new
    new = getattr(new, old.scale)
    new.format = old.format
    return new


def _warn_covariance() -> None:
    warnings.warn(
        "A SkyCoord cannot hold the covariance, which is dropped: use a table to keep it.", DroppedWarning, stacklevel=4
    )


def _icrs(stars: Stars) -> Any:
    """The stars as an ICRS SkyCoord, with as much of distance and velocity as any of them has."""
    from astropy.coordinates import ICRS, SkyCoord

    raw = stars.raw
    values = dict(zip(("lon", "lat", "pm_lon", "pm_lat"), map(raw.angle, ("ra", "dec", "pmra", "pmdec")), strict=True))
    values.update(distance=distances(stars), radial_velocity=raw.radial_velocity)
    told = {k: k in ("lon", "lat") or bool(np.isfinite(v).any()) for k, v in values.items()}
    parts = {k: values[k] << unit if told[k] else None for k, unit in _FIXED.items()}
    return SkyCoord(ICRS(_representation(parts)))


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
