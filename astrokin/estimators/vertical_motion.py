"""From a block of stars to heights and velocities in the Galaxy, and to their errors.

Galactocentric cylindrical coordinates: R, z in kpc, v_R outward and v_z northward in km/s. With x the state of a
star, d = 1/parallax its distance and eps = (error/parallax)^2, errors are taken to first order in eps:

    C_ab   covariance of the velocity components a and b, of (R, z), from all measured errors
    c_a    of the velocity component a with the relative distance d'/d; also what its mean is shifted by

and a height z moves by z eps in the mean, with the variance z^2 eps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import angles

Array = NDArray[np.float64]
Frame = tuple[Array, Array, Array]
Pairs = tuple[tuple[int, int], ...]

ALL: Pairs = ((0, 0), (0, 1), (1, 1))
_MEASURED = ("pmra", "pmdec", "radial_velocity", "parallax")


@dataclass(frozen=True)
class Motion:
    """Places, velocities (R, z) and their errors of a block of stars.

    Attributes
    ----------
    z, radius : ndarray, shape (n,)
        Infinite or NaN without a parallax.
    velocity : ndarray, shape (2, n)
        v_R and v_z; NaN where one is not known.
    covariance : dict
        C by the keys (0, 0), (0, 1), (1, 1) of R and z; what is zero or not asked for is not there.
    with_distance : ndarray, shape (2, n), or None
        c_R, c_z; None where nothing is known of the errors of the parallaxes.
    eps : ndarray or None
    """

    z: Array
    radius: Array
    velocity: Array
    covariance: dict[tuple[int, int], Array]
    with_distance: Array | None
    eps: Array | None


@dataclass(frozen=True)
class _Sight:
    """The line of sight: sine and cosine of declination, and level vectors in Galactocentric axes, (3, n) each.

    `level` points at the right ascension on the celestial equator, `east` is a quarter of a turn ahead.
    """

    sine: Array
    cosine: Array
    level: Array
    east: Array
    outward: Array


def motion(rows: Any, frame: Frame, pairs: Pairs = ALL) -> Motion:
    """Places and motions of stars; `pairs` says which C are asked for."""
    raw, (matrix, place, sun) = rows.raw, frame
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        distance = 1.0 / raw.parallax
        sight = _sight(raw, matrix)
        x = sight.outward * distance
        x += place[:, None]
        radius = np.sqrt(np.einsum("in,in->n", x[:2], x[:2]))
        away = x[:2] / radius
        # The components along `away` of what is the same for all stars; and across it, of the place of the Sun, which
        # is that of the distance vector too: by so much the direction outward turns with the relative distance.
        pole, sun_R, turn = np.stack([matrix[:2, 2], sun[:2], (-place[1], place[0])]) @ away
        axes = _axes(sight, matrix[2, 2], pole, away)
        scale = ak.units.A * distance
        across = axes[0] * (scale * raw.angle("pmra"))
        across += axes[1] * (scale * raw.angle("pmdec"))
        velocity = axes[2] * raw.radial_velocity
        velocity += across
        velocity[0] += sun_R
        velocity[1] += sun[2]
        seen = x[2], radius, velocity
        if raw.covariance is None or not pairs:
            return Motion(*seen, {}, None, None)
        # The faster the rotation, the more the velocity turns with the place: that of the Sun, from which that of the
        # star itself differs by its random motion.
        turn /= radius
        turn *= sun[1]
        across[0] -= turn
        return Motion(*seen, *_errors(raw.covariance, distance, (*axes, across), pairs))


def heights_and_velocities(rows: Any, frame: Frame) -> tuple[Array, Array]:
    """z in kpc and v_z in km/s."""
    seen = motion(rows, frame, ())
    return seen.z, seen.velocity[1]


def _sight(raw: Any, matrix: Array) -> _Sight:
    round_the_pole = np.stack(angles.sine_cosine(raw.angle("ra")))
    sine, cosine = angles.sine_cosine(raw.angle("dec"))
    east, level = (matrix[:, :2] * (-1.0, 1.0)) @ round_the_pole, matrix[:, 1::-1] @ round_the_pole
    outward = level * cosine
    outward += matrix[:, 2:] * sine
    return _Sight(sine, cosine, level, east, outward)


def _axes(sight: _Sight, pole_z: float, pole_R: Array, away: Array) -> tuple[Array, Array, Array]:
    """The components (R, z), shape (2, n), of the unit vectors east, north and outward; of the pole they are given."""
    level, east, outward = (_outward_and_up(v, away) for v in (sight.level, sight.east, sight.outward))
    north = np.empty_like(away)
    np.multiply(pole_R, sight.cosine, out=north[0])
    np.multiply(pole_z, sight.cosine, out=north[1])
    level *= sight.sine
    north -= level
    return east, north, outward


def _outward_and_up(vectors: Array, away: Array) -> Array:
    """The component along `away`, (2, n), from the axis of the Galaxy, and the northward one, of vectors (3, n)."""
    out = np.empty_like(away)
    np.einsum("in,in->n", vectors[:2], away, out=out[0])
    out[1] = vectors[2]
    return out


def _errors(covariance: Any, distance: Array, axes: Any, pairs: Pairs) -> tuple[Any, Any, Any]:
    """C, c and eps; what is not known is not there.

    With J what a unit of each measured parameter changes, C = J S J^T, and c that with the parallax, S J^T. In single
    precision: these are corrections, wanted to a few digits.
    """
    east, north, outward, slopes = axes
    known = [name for name in _MEASURED if covariance.knows(name)]
    if not known:
        return {}, None, None
    scale, away = (ak.units.A * distance).astype(np.float32), (-distance).astype(np.float32)
    change = {"pmra": (east, scale), "pmdec": (north, scale), "radial_velocity": (outward, None)}
    change["parallax"] = slopes, away
    by = np.empty((len(known), 2, len(distance)), np.float32)
    for out, name in zip(by, known, strict=True):
        vector, size = change[name]
        out[:] = vector
        if size is not None:
            out *= size
    weighted = _weighted(covariance.elements(known, np.float32), known, by)
    found = {(i, j): np.einsum("kn,kn->n", weighted[:, i], by[:, j]) for i, j in pairs}
    if known[-1] != "parallax":
        return found, None, None
    variance = _zero_for_nan(covariance.element("parallax", "parallax"))
    return found, weighted[-1] * away, variance * (distance * distance)


def _weighted(elements: dict[tuple[str, str], Any], known: list[str], by: Any) -> Any:
    """The products of the covariance matrix with what each parameter changes, of the shape of that."""
    out = np.empty_like(by)
    place = {name: k for k, name in enumerate(known)}
    values = {(place[a], place[b]): _zero_for_nan(element) for (a, b), element in elements.items()}
    for k in range(len(known)):
        np.multiply(by[k], values[k, k], out=out[k])
    for (a, b), element in values.items():
        if a != b:
            out[a] += by[b] * element
            out[b] += by[a] * element
    return out


def _zero_for_nan(values: Any) -> Any:
    return np.nan_to_num(values) if len(values) and np.isnan(values.min()) else values


# ---- stars that stand where none are asked for -----------------------------------------------------------


@dataclass(frozen=True)
class Limits:
    """Between which heights above or below the plane, and radii, stars are asked for, kpc."""

    z_min: float
    z_max: float
    R_min: float
    R_max: float

    def broken(self, height: Array, radius: Array | None) -> dict[str, NDArray[np.bool_]]:
        """Stars that stand outside, by reason."""
        out = {}
        if self.z_min > 0.0:
            out[f"below {self.z_min:g} kpc in height"] = ~(height >= self.z_min)
        out[f"above {self.z_max:g} kpc in height"] = ~(height <= self.z_max)
        if radius is not None:
            out["outside the radii"] = ~((radius >= self.R_min) & (radius <= self.R_max))
        return out

    def close(self, height: Array, radius: Array | None, slack: Array) -> NDArray[np.bool_]:
        """Stars that stand so near a limit."""
        out = np.abs(height - self.z_max) < slack
        if self.z_min > 0.0:
            out |= np.abs(height - self.z_min) < slack
        if radius is not None:
            out |= (np.abs(radius - self.R_min) < slack) | (np.abs(radius - self.R_max) < slack)
        return out


def outside(rows: Any, frame: Frame, limits: Limits) -> dict[str, NDArray[np.bool_]]:
    """Stars without a positive parallax, or beyond the limits, by reason.

    Looked at in single precision first, good to a few 1e-7 of the distances; in double only those near a limit.
    """
    parallax = rows.raw.parallax
    out = {} if not len(parallax) or parallax.min() > 0.0 else {"parallax not positive": ~(parallax > 0.0)}
    radii = limits.R_min > 0.0 or limits.R_max < np.inf
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        height, radius, distance = _stands(rows.raw, frame, radii, np.float32)
        found = limits.broken(height, radius)
        near = np.flatnonzero(limits.close(height, radius, 1e-5 * distance + np.float32(1e-4)))
        if len(near):
            exact = limits.broken(*_stands(rows[near].raw, frame, radii, np.float64)[:2])
            for reason, mask in exact.items():
                found[reason][near] = mask
    return out | found


def _stands(raw: Any, frame: Frame, radii: bool, kind: Any) -> tuple[Any, Any, Any]:
    """Height above or below the plane, radius where that is asked for, and distance, as numbers of a kind."""
    matrix, place, _ = frame
    sa, ca = angles.sine_cosine(raw.angle("ra").astype(kind, copy=False))
    sd, cd = angles.sine_cosine(raw.angle("dec").astype(kind, copy=False))
    distance = 1.0 / raw.parallax.astype(kind, copy=False)

    def along(axis: int) -> Any:
        a, b, c = matrix[axis].tolist()
        return ((a * ca + b * sa) * cd + c * sd) * distance + float(place[axis])

    return np.abs(along(2)), np.hypot(along(0), along(1)) if radii else None, distance
