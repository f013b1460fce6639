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
Few = NDArray[np.float32]
Frame = tuple[Array, Array, Array]
Pairs = tuple[tuple[int, int], ...]

ALL: Pairs = ((0, 0), (0, 1), (1, 1))
#: Rows of a block from which on places and velocities are in single precision: good to 1e-7 kpc and 1e-5 km/s, star by
#: star, of which nothing is left in sums over so many.
MANY = 1 << 14
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


def motion(rows: Any, frame: Frame, pairs: Pairs = ALL) -> Motion:
    """Places and motions of stars; `pairs` says which C are asked for."""
    raw = rows.raw
    kind: Any = np.float32 if len(rows) >= MANY else np.float64
    matrix, place, sun = (part.astype(kind, copy=False) for part in frame)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        distance = 1.0 / raw.parallax.astype(kind, copy=False)
        wanted = raw.covariance is not None and pairs
        sky = (raw.angle(name).astype(kind, copy=False) for name in ("ra", "dec"))
        sight = tuple(part for angle in sky for part in angles.sine_cosine(angle))
        few = np.stack(sight, dtype=np.float32, casting="same_kind") if wanted else None
        x, moving = (matrix @ vectors for vectors in _from_the_sun(raw, distance, sight))
        x += place[:, None]
        radius = np.sqrt(np.einsum("in,in->n", x[:2], x[:2]))
        away = x[:2] / radius
        velocity = np.empty_like(away)
        np.einsum("in,in->n", moving[:2], away, out=velocity[0])
        velocity[1] = moving[2]
        errors: Any = ({}, None, None)
        if wanted:
            errors = _errors(raw, (matrix, place, sun), few, (distance, radius, away, velocity), pairs)
        velocity[0] += sun[:2] @ away
        velocity[1] += sun[2]
        return Motion(x[2], radius, velocity, *errors)


def heights_and_velocities(rows: Any, frame: Frame) -> tuple[Array, Array]:
    """z in kpc and v_z in km/s."""
    seen = motion(rows, frame, ())
    return seen.z, seen.velocity[1]


def _from_the_sun(raw: Any, distance: Array, sight: Any) -> tuple[Array, Array]:
    """Places (kpc) and velocities (km/s) relative to the Sun in ICRS axes, (3, n) each; `sight` is written over."""
    (sa, ca, sd, cd), kind = sight, distance.dtype
    east, north, outward = (
        values.astype(kind, copy=False) for values in (raw.angle("pmra"), raw.angle("pmdec"), raw.radial_velocity)
    )
    place, velocity = np.empty((3, len(distance)), kind), np.empty((3, len(distance)), kind)
    level = cd * distance
    np.multiply(level, ca, out=place[0])
    np.multiply(level, sa, out=place[1])
    np.multiply(sd, distance, out=place[2])
    scale = ak.units.A * distance
    east, north = scale * east, scale * north
    np.multiply(sd, outward, out=velocity[2])
    np.multiply(cd, outward, out=level)
    sd *= north
    level -= sd
    cd *= north
    velocity[2] += cd
    np.multiply(level, ca, out=velocity[0])
    np.multiply(level, sa, out=velocity[1])
    sa *= east
    velocity[0] -= sa
    ca *= east
    velocity[1] += ca
    return place, velocity


def _errors(raw: Any, frame: Frame, sight: Any, seen: Any, pairs: Pairs) -> tuple[Any, Any, Any]:
    """C, c and eps, given sine and cosine of both angles, and what is `seen`, as in `_changes`.

    With J what a unit of each measured parameter changes, C = J S J^T, and c that with the parallax, S J^T; what is not
    known is not there. In single precision: these are corrections, wanted to a few digits.
    """
    known = [k for k, name in enumerate(_MEASURED) if raw.covariance.knows(name)]
    if not known:
        return {}, None, None
    distance, few = seen[0], [part.astype(np.float32, copy=False) for part in seen]
    by, names = _changes(raw, frame, sight, few), [_MEASURED[k] for k in known]
    by = by if len(known) == len(by) else by[known]
    weighted = _weighted(raw.covariance.elements(names, np.float32), names, by)
    found = {(i, j): np.einsum("kn,kn->n", weighted[:, i], by[:, j]) for i, j in pairs}
    if names[-1] != "parallax":
        return found, None, None
    share = distance * _zero_for_nan(raw.covariance.error("parallax").astype(distance.dtype, copy=False))
    share *= share
    return found, weighted[-1] * -few[0], share


def _changes(raw: Any, frame: Frame, sight: Any, seen: list[Few]) -> Few:
    """What a unit of each measured parameter changes in the velocity (R, z), shape (4, 2, n).

    `seen` are distance, radius, direction `away` from the axis, (2, n), and velocity relative to the Sun (R, z).
    """
    matrix, place, sun = (part.astype(np.float32, copy=False) for part in frame)
    (sa, ca, sd, cd), (distance, radius, away, velocity) = sight, seen
    by = np.empty((4, 2, len(distance)), np.float32)
    pointing = matrix[:2].T @ away, matrix[2]
    for k, (x, y, z) in enumerate(pointing):  # of R and of z, in ICRS axes
        east, north, outward = by[:3, k]
        level = x * ca
        level += y * sa
        np.multiply(y, ca, out=east)
        east -= x * sa
        np.multiply(z, cd, out=north)
        north -= level * sd
        np.multiply(z, sd, out=outward)
        level *= cd
        outward += level
    by[:2] *= np.float32(ak.units.A) * distance
    # By the relative distance: the velocity across the line of sight; and with the place the direction outward turns,
    # the faster the rotation: that of the Sun, from which that of the star itself differs by its random motion.
    np.multiply(by[2], raw.radial_velocity.astype(np.float32), out=by[3])
    by[3] -= velocity
    turn = np.stack([-place[1] * sun[1], place[0] * sun[1]]) @ away
    turn /= radius
    by[3, 0] += turn
    by[3] *= distance
    return by


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
