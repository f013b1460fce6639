"""The views of a `Stars`: angles and velocities, each computed when asked for and remembered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from astrokin import angles, galaxy
from astrokin.star_fields import ANGLES, frozen
from astrokin.units import A

if TYPE_CHECKING:
    from astrokin.stars import Stars

Array = NDArray[np.float64]

#: What is forgotten when the direction changes, and when the proper motion does.
VIEWS_OF_DIRECTION = ("ra", "dec", "l", "b", "galactic", "basis")
VIEWS_OF_MOTION = ("pmra", "pmdec", "pm_l", "pm_b", "uvw")


def _sky(stars: Stars) -> dict[str, Any]:
    return dict(zip(("ra", "dec"), map(frozen, angles.longitude_latitude(stars.direction)), strict=True))


def _motion(stars: Stars) -> dict[str, Any]:
    east, north = angles.components(stars.raw.proper_motion, stars.direction)
    return {"pmra": frozen(east), "pmdec": frozen(north)}


def _galactic(stars: Stars) -> dict[str, Any]:
    return {"galactic": frozen(galaxy.to_galactic(stars.direction))}


def _galactic_sky(stars: Stars) -> dict[str, Any]:
    return dict(zip(("l", "b"), map(frozen, angles.longitude_latitude(stars.raw.galactic)), strict=True))


def _galactic_motion(stars: Stars) -> dict[str, Any]:
    motion = galaxy.to_galactic(stars.raw.proper_motion)
    east, north = angles.components(motion, stars.raw.galactic)
    return {"pm_l": frozen(east), "pm_b": frozen(north)}


def _basis(stars: Stars) -> dict[str, Any]:
    return {"basis": tuple(map(frozen, angles.tangent_basis(stars.direction)))}


def _uvw(stars: Stars) -> dict[str, Any]:
    out = np.empty((3, len(stars)))
    for start in range(0, len(stars), angles.BLOCK):
        rows = slice(start, start + angles.BLOCK)
        np.matmul(galaxy.icrs_to_galactic(), _space_velocity(stars, rows), out=out[:, rows])
    return {"uvw": frozen(out)}


def _space_velocity(stars: Stars, rows: slice) -> Array:
    parallax, radial = stars._fields["parallax"][rows], stars._fields["radial_velocity"][rows]
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = A / parallax
    if not (len(parallax) and parallax.min() > 0.0):
        scale[~(parallax > 0.0)] = np.nan
    if "direction" in stars._fields:
        raw = stars.raw
        return raw.proper_motion[:, rows] * scale + radial * raw.direction[:, rows]
    ra, dec, pmra, pmdec = (stars._memo[k][rows] for k in ANGLES)
    return angles.from_local(ra, dec, scale * pmra, scale * pmdec, radial)


VIEWS = {
    **dict.fromkeys(("ra", "dec"), _sky),
    **dict.fromkeys(("pmra", "pmdec"), _motion),
    **dict.fromkeys(("l", "b"), _galactic_sky),
    **dict.fromkeys(("pm_l", "pm_b"), _galactic_motion),
    "galactic": _galactic,
    "basis": _basis,
    "uvw": _uvw,
}
