"""Galactocentric cylindrical velocities of a block of stars, with the measurement errors' share of their squares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin.units import A

Array = NDArray[np.float64]
Few = NDArray[np.float32]

#: Rows of a block from which on velocities are in single precision: good to 1e-5 km/s, star by star, of which nothing
#: is left in sums over so many.
MANY = 1 << 14
#: A parallax below so many of its errors gives no velocity worth having.
LEAST = 4.0


def without_distance(stars: Any) -> NDArray[np.bool_]:
    """Stars whose parallax is not positive, or smaller than four of its errors, shape (n,)."""
    parallax, covariance = stars.raw.parallax, stars.raw.covariance
    far = np.zeros(len(parallax), bool) if len(parallax) and parallax.min() > 0.0 else ~(parallax > 0.0)
    if covariance is not None and covariance.knows("parallax"):
        far |= parallax < LEAST * covariance.error("parallax")
    return far


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


def cylindrical(stars: Any, sun: Sun) -> tuple[Array, Few | None]:
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
    raw, kind = stars.raw, kind_of(stars)
    turn = ak.galaxy.icrs_to_galactic().astype(kind, copy=False)
    distance = 1.0 / raw.parallax.astype(kind, copy=False)
    scale = A * distance
    across, line = _moving(raw, kind)
    sight, tangential = turn @ line, turn @ across
    tangential *= scale
    outward, radius = _outward(sight, distance, sun.radius)
    local, along = _components(tangential, outward), _components(sight, outward)
    velocity = along * raw.radial_velocity.astype(kind, copy=False)
    velocity += local
    _add_sun(velocity, outward, sun)
    if raw.covariance is None:
        return velocity, None
    # Errors are corrections, of which a few digits are enough: from here on in single precision.
    few: list[Few] = [a.astype(np.float32, copy=False) for a in (scale, distance, along, local, outward)]
    noise = _noise(raw, line[2].astype(np.float32, copy=False), *few)
    if raw.covariance.knows("parallax"):
        _, away, _, moved, (_, y) = few
        _turn(moved, velocity, y * (sun.radius / radius).astype(np.float32, copy=False), sun.circular_speed)
        _unbias(velocity, noise, moved, raw, away)
    return velocity, noise


def kind_of(stars: Any) -> Any:
    """What numbers a block is worked on in."""
    return np.float32 if len(stars) >= MANY else np.float64


def _moving(raw: Any, kind: Any) -> tuple[Array, Array]:
    """Proper motions (mas/yr) and lines of sight as vectors (3, n) in ICRS axes."""
    east, north, line = raw.triad_in(kind)
    across = north * raw.angle("pmdec").astype(kind, copy=False)
    across[:2] += east[:2] * raw.angle("pmra").astype(kind, copy=False)
    return across, line


def _outward(sight: Array, distance: Array, radius: float) -> tuple[Array, Array]:
    """The outward unit vector's two components in the plane, Galactic axes, (2, n), and the radius (kpc)."""
    out = distance * sight[:2]
    out[0] -= radius
    size = np.einsum("in,in->n", out, out)
    np.sqrt(size, out=size)
    out /= size
    return out, size


def _components(vector: Array, outward: Array) -> Array:
    """Outward, along the rotation (clockwise, as seen from the north) and north, (3, n)."""
    x, y = outward
    out = np.empty_like(vector)
    np.einsum("in,in->n", vector[:2], outward, out=out[0])
    np.multiply(vector[0], y, out=out[1])
    out[1] -= vector[1] * x
    out[2] = vector[2]
    return out


def _add_sun(velocity: Array, outward: Array, sun: Sun) -> None:
    """The Sun's velocity, and the circular speed taken off."""
    x, y, z = sun.velocity
    velocity[:2] += np.array([[x, y], [-y, x]], outward.dtype) @ outward
    velocity[1] -= sun.circular_speed
    velocity[2] += z


def _turn(local: Few, velocity: Array, share: Few, speed: float) -> None:
    """With its distance a star's azimuth changes, and with that the axes: added to what the parallax error moves."""
    around = (velocity[1] + speed).astype(share.dtype, copy=False)
    around *= share
    local[0] += around
    share *= velocity[0].astype(share.dtype, copy=False)
    local[1] -= share


def _unbias(velocity: Array, noise: Few, local: Few, raw: Any, distance: Few) -> None:
    """What parallax errors do, to second order."""
    share = raw.covariance.error("parallax").astype(distance.dtype)
    share *= distance
    share *= share
    bias = local * share
    velocity -= bias
    bias *= local
    noise += bias


def _noise(raw: Any, z: Few, scale: Few, distance: Few, along: Few, local: Few, outward: Few) -> Few:
    """Variances (3, n) by the errors of proper motions and radial velocities.

    With east p, north q and the line of sight g, and p_k^2 + q_k^2 + g_k^2 = 1 along each axis k, it is
    c_E + (c_N - c_E) q_k^2 + (c_r - c_E) g_k^2 where the errors are not correlated.
    """
    known = raw.covariance.elements([*_MOTIONS, "radial_velocity", "parallax"], scale.dtype)
    none = np.zeros(1, scale.dtype)
    east, north, radial = (known.get((k, k), none) for k in (*_MOTIONS, "radial_velocity"))
    one = scale * scale
    one *= east
    noise = along * along
    noise *= radial - one
    noise += one
    pole = ak.galaxy.icrs_to_galactic()[:, 2].astype(scale.dtype)
    up = _toward_pole(pole, z, along, outward)
    level = np.maximum(np.einsum("in,in->n", up, up), 1e-30)  # the square of the cosine, good near the pole too
    if (east != north).any():
        weight = (north - east) * (scale * scale)
        weight /= level
        noise += up * up * weight
    pairs = [pair for pair in _PAIRS if pair in known]
    if pairs:
        ahead = up / np.sqrt(level)
        axes = {"pmra": np.cross(along, ahead, axis=0), "pmdec": ahead}  # in left-handed axes
        for a, b in pairs:
            other, size = (local, -2.0 * distance) if b == "parallax" else (axes[b], 2.0 * scale)
            noise += axes[a] * other * (known[a, b] * size * scale)
    return noise


def _toward_pole(pole: Few, z: Few, along: Few, outward: Few) -> Few:
    """North, times the cosine of declination: the pole less its part along the line of sight, (3, n)."""
    up = along * -z
    up[:2] += np.array([[pole[0], pole[1]], [-pole[1], pole[0]]]) @ outward
    up[2] += pole[2]
    return up


_MOTIONS = ("pmra", "pmdec")
_PAIRS = (("pmra", "pmdec"), ("pmra", "parallax"), ("pmdec", "parallax"))
