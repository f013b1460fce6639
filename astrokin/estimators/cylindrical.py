"""Velocities in Galactocentric cylindrical axes: each star's own, toward the centre, along the rotation and north."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from astrokin import galaxy, velocity_model
from astrokin.units import KM_S

Array = NDArray[np.float64]


def turned(data: velocity_model.Sample, rotation: Array | None = None) -> velocity_model.Sample:
    """The same sample with the Sun's velocity added, its axes turned by each star's Galactocentric azimuth.

    So the model of one mean and one tensor is one of (-v_R, v_phi, v_z), at the star's place: the Galactic axes
    of the model stand for those toward the Galactic centre, along the rotation and north there. Place, tilt of the
    plane and the Sun's velocity are astropy's `Galactocentric` ones.

    Parameters
    ----------
    data : Sample
        With positive parallaxes.
    rotation : ndarray, shape (4,), optional
        A, B, C, K (km/s/kpc) of a flow to take out: (K + C) (R0 - R) inward, and (A + B) (R0 - R) + (K - C) R0 phi
        along the rotation. The solid rotation A - B is that of the axes themselves.
    """
    matrix, place, velocity = galaxy.galactocentric()
    own = _Axes(matrix, place, data)
    axes = own.turned(data.axes[0]), own.turned(data.axes[1]), own.turned(data.axes[2])
    circular = np.array([0.0, float(galaxy.circular_speed().to_value(KM_S)), 0.0])
    known = own.turned_galactocentric(velocity - circular) + galaxy.to_icrs(circular[:, None])
    shift = data.parallax * (matrix.T @ velocity)[:, None]
    at_rest = replace(velocity_model.moving(data, shift), axes=axes, known_sun=known)
    if rotation is None:
        return at_rest
    return velocity_model.moving(at_rest, -galaxy.to_icrs(data.parallax * own.flow(rotation)))


class _Axes:
    """Where the stars of a block stand about the Galactic centre."""

    def __init__(self, matrix: Array, place: Array, data: velocity_model.Sample) -> None:
        self.matrix = matrix
        x, y, self.z = place[:, None] + matrix @ (data.axes[2] / data.parallax)
        self.sun = float(np.hypot(place[0], place[1]))
        self.radius = np.hypot(x, y)
        self.inward = -x / self.radius, -y / self.radius

    def turned(self, vectors: Array) -> Array:
        """Vectors in ICRS axes (2 or 3, n), as the model shall see them: in ICRS axes too."""
        return self.turned_galactocentric(self.matrix[:, : len(vectors)] @ vectors)

    def turned_galactocentric(self, vectors: Array) -> Array:
        """Likewise, of vectors in Galactocentric axes, (3,) or (3, n)."""
        x, y, z = vectors
        cos, sin = self.inward
        return galaxy.to_icrs(np.stack([cos * x + sin * y, cos * y - sin * x, np.broadcast_to(z, self.radius.shape)]))

    def flow(self, rotation: Array) -> Array:
        """The flow of A, B, C, K less its solid rotation, toward the centre and along the rotation, (3, n)."""
        a, b, c, k = rotation
        inside, along = self.sun - self.radius, self.sun * np.arctan2(-self.inward[1], self.inward[0])
        return np.stack([(k + c) * inside, (a + b) * inside + (k - c) * along, np.zeros_like(inside)])
