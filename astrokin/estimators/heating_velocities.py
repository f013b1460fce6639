"""Galactocentric cylindrical velocities of a block of stars, with the measurement errors' share of their squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin.units import A

Array = NDArray[np.float64]

#: A parallax below so many of its errors gives no velocity worth having.
LEAST = 4.0


def without_distance(stars: Any) -> NDArray[np.bool_]:
    """Stars whose parallax is not positive, or smaller than four of its errors, shape (n,)."""
    parallax = stars.raw.parallax
    covariance = stars.raw.covariance
    if covariance is None or not covariance.knows("parallax"):
        return ~(parallax > 0.0)
    limit = LEAST**2 * covariance.element("parallax", "parallax")
    return ~(parallax > 0.0) | (parallax * parallax < limit)


@dataclass(frozen=True)
class Sun:
    """Where the Sun is and how it moves, Galactic axes: astropy's defaults, looked up once as that takes a while."""

    velocity: tuple[float, float, float]
    circular_speed: float
    radius: float

    @classmethod
    def default(cls) -> Sun:
        """As astropy's galactocentric defaults have it now."""
        x, y, z = ak.galaxy.velocity_of_sun().value.tolist()
        return cls((x, y, z), float(ak.galaxy.circular_speed().value), float(ak.galaxy.distance_to_centre().value))


def cylindrical(stars: Any, sun: Sun) -> tuple[Array, Array | None]:
    """v_R (outward), v_phi (along rotation, less the circular speed), v_z (km/s), and the variance of their errors.

    Parameters
    ----------
    stars : Stars
        With positive parallaxes, proper motions and radial velocities.
    sun : Sun

    Returns
    -------
    velocity : ndarray, shape (3, n)
        Of mean without the second-order bias that 1/parallax has.
    noise : ndarray, shape (3, n), or None
        What the mean of velocity^2 is too large by; None where no errors are known.

    Notes
    -----
    The rotation curve is flat. A parallax error of a share epsilon moves the tangential velocity t relative to the Sun
    by -t epsilon n + t epsilon^2 n^2, with n of unit variance; the axes at its place turn along.
    """
    raw, turn = stars.raw, ak.galaxy.icrs_to_galactic()
    distance = 1.0 / raw.parallax
    scale = A * distance
    sight = turn @ raw.direction
    tangential = turn @ raw.proper_motion
    tangential *= scale
    outward, radius = _outward(sight, distance, sun.radius)
    local, along = _components(tangential, outward), _components(sight, outward)
    velocity = along * raw.radial_velocity
    velocity += local
    _add_sun(velocity, outward, sun)
    noise = None if raw.covariance is None else _noise(raw, scale, sight, along, local, outward)
    if noise is not None:
        _turn(local, velocity, along, distance / radius, sun.circular_speed)
        _unbias(velocity, noise, local, raw, distance)
    return velocity, noise


def _outward(sight: Array, distance: Array, radius: float) -> tuple[Array, Array]:
    """The outward unit vector's two components in the plane, Galactic axes, (2, n), and the radius (kpc)."""
    out = distance * sight[:2]
    out[0] -= radius
    size = out[0] * out[0]
    size += out[1] * out[1]
    np.sqrt(size, out=size)
    out /= size
    return out, size


def _components(vector: Array, outward: Array) -> Array:
    """Outward, along the rotation (clockwise, as seen from the north) and north, (3, n)."""
    x, y = outward
    out = np.empty_like(vector)
    np.multiply(vector[0], x, out=out[0])
    np.multiply(vector[0], y, out=out[1])
    product = vector[1] * y
    out[0] += product
    np.multiply(vector[1], x, out=product)
    out[1] -= product
    out[2] = vector[2]
    return out


def _add_sun(velocity: Array, outward: Array, sun: Sun) -> None:
    """The Sun's velocity, and the circular speed taken off."""
    x, y, z = sun.velocity
    product = outward[0] * x
    velocity[0] += product
    np.multiply(outward[1], y, out=product)
    velocity[0] += product
    np.multiply(outward[1], x, out=product)
    product -= sun.circular_speed
    velocity[1] += product
    np.multiply(outward[0], y, out=product)
    velocity[1] -= product
    velocity[2] += z


def _turn(local: Array, velocity: Array, along: Array, share: Array, speed: float) -> None:
    """With its distance a star's azimuth changes, and with that the axes: added to what the parallax error moves."""
    share = along[1] * share
    around = velocity[1] + speed
    around *= share
    local[0] += around
    share *= velocity[0]
    local[1] -= share


def _unbias(velocity: Array, noise: Array, local: Array, raw: Any, distance: Array) -> None:
    """What parallax errors do, to second order."""
    if not raw.covariance.knows("parallax"):
        return
    share = raw.covariance.element("parallax", "parallax") * (distance * distance)
    bias = local * share
    velocity -= bias
    bias *= local
    noise += bias


def _noise(raw: Any, scale: Array, sight: Array, along: Array, local: Array, outward: Array) -> Array:
    """Variances (3, n) by the errors of proper motions and radial velocities.

    With east p, north q and the line of sight g, and p_k^2 + q_k^2 + g_k^2 = 1 along each axis k, it is
    c_E + (c_N - c_E) q_k^2 + (c_r - c_E) g_k^2 where the errors are not correlated.
    """
    covariance = raw.covariance
    square = scale * scale
    east, north, radial = (
        covariance.element(k, k) if covariance.knows(k) else np.zeros_like(scale)
        for k in ("pmra", "pmdec", "radial_velocity")
    )
    one = east * square
    noise = along * along
    noise *= radial - one
    noise += one
    pole = ak.galaxy.icrs_to_galactic()[:, 2]
    z = pole @ sight
    up = _toward_pole(pole, z, along, outward)
    if (east != north).any():
        weight = (north - east) * square
        weight /= np.maximum(1.0 - z * z, 1e-30)
        noise += up * up * weight
    if _correlated(covariance):
        _add_correlations(noise, covariance, scale, raw.parallax, sight, local, outward, pole, z, up)
    return noise


def _toward_pole(pole: Array, z: Array, along: Array, outward: Array) -> Array:
    """North, times the cosine of declination: the pole less its part along the line of sight, (3, n)."""
    x, y = outward
    up = along * z
    np.subtract(pole[0] * x + pole[1] * y, up[0], out=up[0])
    np.subtract(pole[0] * y - pole[1] * x, up[1], out=up[1])
    np.subtract(pole[2], up[2], out=up[2])
    return up


_PAIRS = (("pmra", "pmdec"), ("pmra", "parallax"), ("pmdec", "parallax"))


def _correlated(covariance: Any) -> bool:
    return any(covariance.knows(a) and covariance.knows(b) and covariance.correlated(a, b) for a, b in _PAIRS)


def _add_correlations(
    noise: Array, covariance: Any, scale: Array, parallax: Array, sight: Array, local: Array, outward: Array,
    pole: Array, z: Array, up: Array,
) -> None:  # fmt: skip
    """What correlations between proper motions and parallax add."""
    inverse = 1.0 / np.sqrt(np.maximum(1.0 - z * z, 1e-30))
    axes = {"pmra": _components(np.cross(pole, sight, axis=0) * inverse, outward), "pmdec": up * inverse}
    for a, b in _PAIRS:
        if covariance.knows(a) and covariance.knows(b) and covariance.correlated(a, b):
            if b == "parallax":
                noise += axes[a] * local * (covariance.element(a, b) * (-2.0 * scale / parallax))
            else:
                noise += axes[a] * axes[b] * (2.0 * covariance.element(a, b) * scale * scale)
