"""The Galactic axes and the Galactic parameters, all from astropy; nothing is retyped here.

U, X point toward the Galactic centre, V, Y along rotation, W, Z toward the north Galactic pole.
`astropy.coordinates` is imported at the first use.
"""

from __future__ import annotations

from functools import lru_cache

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.units import KM_S


@lru_cache(maxsize=1)
def icrs_to_galactic() -> NDArray[np.float64]:
    """The rotation matrix (3, 3) from ICRS to Galactic axes, as astropy's `Galactic` frame has it.

    Examples
    --------
    >>> from astrokin.galaxy import icrs_to_galactic
    >>> icrs_to_galactic()[0].round(3)  # the Galactic centre in ICRS axes
    array([-0.055, -0.873, -0.484])
    """
    from astropy.coordinates import ICRS, CartesianRepresentation, Galactic

    axes = ICRS(CartesianRepresentation(np.eye(3), unit=u.one))
    matrix = axes.transform_to(Galactic()).cartesian.xyz.value
    # Orthonormal to round-off (some 5e-16, a tenth of a nanoarcsecond), so that going there and back changes nothing.
    left, _, right = np.linalg.svd(matrix)
    matrix = left @ right
    matrix.flags.writeable = False
    return matrix


def to_galactic(vectors: NDArray) -> NDArray:
    """Vectors (3, n) in ICRS axes turned into Galactic axes."""
    return icrs_to_galactic() @ vectors


def to_icrs(vectors: NDArray) -> NDArray:
    """Vectors (3, n) in Galactic axes turned into ICRS axes."""
    return icrs_to_galactic().T @ vectors


def solar_motion() -> u.Quantity:
    """The Sun's velocity (U, V, W) relative to the local standard of rest, km/s: the default of astropy's `LSR`.

    Examples
    --------
    >>> from astrokin.galaxy import solar_motion
    >>> solar_motion()
    <Quantity [11.1 , 12.24,  7.25] km / s>
    """
    from astropy.coordinates import LSR

    velocity = LSR().v_bary  # a differential in older astropy, a vector in newer
    xyz = velocity.d_xyz if hasattr(velocity, "d_xyz") else velocity.xyz
    return u.Quantity(xyz.to(KM_S))


@lru_cache(maxsize=8)
def _velocity_of_sun(defaults: str) -> NDArray[np.float64]:
    from astropy.coordinates import ICRS, CartesianDifferential, CartesianRepresentation, Galactocentric

    at_rest = CartesianRepresentation(
        [[-1.0], [0.0], [0.0]] * u.kpc, differentials=CartesianDifferential([[0.0]] * 3 * KM_S)
    )
    seen = Galactocentric(at_rest).transform_to(ICRS())
    return -to_galactic(seen.velocity.d_xyz.to_value(KM_S))[:, 0]


def velocity_of_sun() -> u.Quantity:
    """The Sun's velocity in the Galactic rest frame in Galactic axes, km/s, from astropy's galactocentric defaults.

    Examples
    --------
    >>> from astrokin.galaxy import velocity_of_sun
    >>> velocity_of_sun().round(1)
    <Quantity [ 12.9, 245.6,   7.8] km / s>
    """
    from astropy.coordinates import galactocentric_frame_defaults

    return _velocity_of_sun(str(galactocentric_frame_defaults.get())).copy() * KM_S


def distance_to_centre() -> u.Quantity:
    """Distance R0 of the Sun from the Galactic centre, kpc, from astropy's galactocentric defaults."""
    from astropy.coordinates import galactocentric_frame_defaults

    return galactocentric_frame_defaults.get()["galcen_distance"].to(u.kpc)


def circular_speed() -> u.Quantity:
    """Circular speed at the Sun, km/s: the Sun's azimuthal velocity less its peculiar V."""
    return velocity_of_sun()[1] - solar_motion()[1]


@lru_cache(maxsize=8)
def _galactocentric(
    defaults: str, z_sun: float | None
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    from astropy.coordinates import ICRS, CartesianDifferential, CartesianRepresentation, Galactocentric

    frame = Galactocentric() if z_sun is None else Galactocentric(z_sun=z_sun * u.kpc)
    points = np.concatenate([np.zeros((3, 1)), np.eye(3)], axis=1)
    at_rest = CartesianDifferential(np.zeros((3, 4)) * KM_S)
    seen = ICRS(CartesianRepresentation(points * u.kpc, differentials=at_rest)).transform_to(frame)
    place = seen.cartesian.xyz.to_value(u.kpc)
    parts = place[:, 1:] - place[:, :1], place[:, 0], seen.velocity.d_xyz.to_value(KM_S)[:, 0]
    for part in parts:
        part.flags.writeable = False
    return parts


def galactocentric(
    z_sun: u.Quantity | None = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """The way to Galactocentric axes, as astropy's `Galactocentric` frame has it.

    Parameters
    ----------
    z_sun : `~astropy.units.Quantity`, optional
        Height of the Sun above the plane; astropy's default where not given.

    Returns
    -------
    matrix : ndarray, shape (3, 3)
        From ICRS to Galactocentric axes: x from the Sun toward the centre, y along rotation, z north.
    place, velocity : ndarray, shape (3,)
        The Sun's, in kpc and km/s: the Sun stands at negative x.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.galaxy import galactocentric
    >>> _, place, _ = galactocentric(z_sun=15 * u.pc)
    >>> place.round(3)
    array([-8.122,  0.   ,  0.015])
    """
    from astropy.coordinates import galactocentric_frame_defaults

    height = None if z_sun is None else float(z_sun.to_value(u.kpc))
    # Asked for block by block: where nobody has set the defaults they need not be spelled out, which takes a while.
    untouched = getattr(galactocentric_frame_defaults, "_value", "") is None
    return _galactocentric("" if untouched else str(galactocentric_frame_defaults.get()), height)
