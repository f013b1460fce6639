"""What the frames and representations of astropy hold, as plain arrays; and the turns between frames."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import angles
from astrokin.units import KM_S, MAS_YR

Array = NDArray[np.float64]

#: Frames with the axes of ICRS turned and nothing else: distances and radial velocities are the same there.
_TURNED = ("icrs", "galactic", "supergalactic", "fk5", "barycentricmeanecliptic", "barycentrictrueecliptic")


SAME = np.eye(3)


def turn_of(frame: Any) -> Array | None:
    """The matrix from the frame's axes to those of ICRS; None if more than a turn lies between them."""
    if frame.name not in _TURNED:
        return None
    return SAME if frame.name == "icrs" else _turn(frame.replicate_without_data())


def _turn(frame: Any) -> Array:
    from astropy.coordinates import ICRS, CartesianRepresentation

    axes = frame.realize_frame(CartesianRepresentation(np.eye(3), unit=u.one))
    left, _, right = np.linalg.svd(axes.transform_to(ICRS()).cartesian.xyz.value)
    return left @ right  # orthonormal to the last digit: there and back changes nothing


def turned(sky: Sequence[Array | None], turn: Array) -> list[Any]:
    """Longitude, latitude and their motions (or None) in axes turned by a matrix; deg and mas/yr."""
    lon, lat, *motions = sky
    assert lon is not None
    moving = motions[0] is not None and motions[1] is not None
    direction, motion = angles.vectors(lon, lat, *(motions if moving else [np.zeros(len(lon))] * 2))  # type: ignore[arg-type]
    direction = turn @ direction
    new = angles.longitude_latitude(direction)
    return [*new, *(angles.components(turn @ motion, direction) if moving else (None, None))]


def components_of(coord: Any) -> dict[str, Any]:
    """What the coordinate holds, in deg, mas, mas/yr and km/s; None for what it does not."""
    data = spherical(coord.data)
    rate = data.differentials.get("s")
    distance = length_of(data)
    return {
        "lon": _plain(data.lon, u.deg),
        "lat": _plain(data.lat, u.deg),
        "distance": _plain(distance, u.kpc),
        "pm_lon": _plain(getattr(rate, "d_lon_coslat", None), MAS_YR),
        "pm_lat": _plain(getattr(rate, "d_lat", None), MAS_YR),
        "radial_velocity": _plain(_in_unit_like(rate, "d_distance", KM_S), KM_S),
    }


def length_of(data: Any) -> Any:
    """The distance, if there is one with the unit of a length."""
    return _in_unit_like(data, "distance", u.kpc)


def _in_unit_like(data: Any, name: str, unit: u.UnitBase) -> Any:
    value = getattr(data, name, None)  # what was a direction only, in x, y, z, has one without that unit
    return value if value is not None and value.unit.is_equivalent(unit) else None


def _plain(value: Any, unit: u.UnitBase) -> Any:
    if value is None:
        return None
    with u.set_enabled_equivalencies(u.dimensionless_angles()):
        numbers = value.to_value(unit)
    mask = getattr(numbers, "mask", None)
    return np.asarray(numbers, float) if mask is None else np.where(mask, np.nan, numbers.unmasked)


def spherical(data: Any) -> Any:
    """The same representation in spherical components, with as much of distance and velocity as it has."""
    from astropy.coordinates import (
        RadialDifferential,
        SphericalCosLatDifferential,
        SphericalRepresentation,
        UnitSphericalCosLatDifferential,
        UnitSphericalRepresentation,
    )

    rate = data.differentials.get("s")
    near = isinstance(data, UnitSphericalRepresentation)
    space = UnitSphericalRepresentation if near else SphericalRepresentation
    kinds = (RadialDifferential, SphericalCosLatDifferential, UnitSphericalCosLatDifferential)
    if rate is None or isinstance(rate, kinds):
        return data if isinstance(data, space) else data.represent_as(space, _same_rate(rate))
    half = near or type(rate).__name__.startswith("Unit")
    return data.represent_as(space, UnitSphericalCosLatDifferential if half else SphericalCosLatDifferential)


def _same_rate(rate: Any) -> Any:
    return None if rate is None else type(rate)


def representation(parts: dict[str, Any]) -> Any:
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
