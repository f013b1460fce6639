"""Circular orbits about the Galactic centre, exactly: a velocity field linear in its parameters, not in the place.

At (x, y) from the Sun, in Galactic axes, a star on a circular orbit of speed
Theta(R) = Theta0 + Theta' (R - R0) + Theta'' (R - R0)^2 / 2 has the velocity Theta n, n = (y, R0 - x)/R, and relative
to the local standard of rest that less (0, Theta0). With Theta0 = R0 (A - B) and Theta' = -(A + B) its parameters are
those of the linear field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astrokin.estimators.fields import Field

Array = NDArray[np.float64]


@dataclass(frozen=True)
class CircularOrbits:
    """What the field's matrix acts on: parallax n (R - R0)^k / k! for k = 0, 1, …, and minus the parallax.

    Attributes
    ----------
    r0 : float
        Distance of the Sun from the Galactic centre, kpc.
    order : int
        How many derivatives of the rotation curve there are.
    """

    r0: float
    order: int = 1

    @property
    def size(self) -> int:
        """How many regressors there are."""
        return 2 * self.order + 3

    def regressors(self, direction: Array, parallax: Array) -> Array:
        """The regressors (size, n) at Galactic directions (3, n) and positive parallaxes."""
        _, heading, beyond = self._geometry(direction, parallax)
        out = np.empty((self.size, len(parallax)), parallax.dtype)
        np.multiply(parallax, heading, out=out[:2])
        for k in range(1, self.order + 1):
            np.multiply(out[2 * k - 2 : 2 * k], beyond / k, out=out[2 * k : 2 * k + 2])
        np.negative(parallax, out=out[-1])
        return out

    def slopes(self, direction: Array, parallax: Array) -> Array:
        """Derivatives of the regressors by the parallax, (size, n)."""
        (x, y), heading, beyond = self._geometry(direction, parallax)
        radius = beyond + self.r0
        outward = (x * (x - self.r0) + y * y) / radius  # of R, with the logarithm of the distance
        turning = heading - (np.stack([y, -x]) - heading * outward) / radius
        out = np.empty((self.size, len(parallax)), parallax.dtype)
        power, before = np.ones_like(beyond), np.zeros_like(beyond)
        for k in range(self.order + 1):
            out[2 * k : 2 * k + 2] = turning * power - heading * (before * outward)
            power, before = power * beyond / (k + 1), power
        out[-1] = -1.0
        return out

    def _geometry(self, direction: Array, parallax: Array) -> tuple[Array, Array, Array]:
        """Place (2, n) in the plane, direction of the rotation (2, n), and R - R0 (n)."""
        place = direction[:2] / parallax
        x, y = place
        radius = np.hypot(self.r0 - x, y)
        return place, np.stack([y, self.r0 - x]) / radius, radius - self.r0


def axisymmetric(r0: float, order: int = 1) -> Field:
    """The field of circular orbits: A, B, for order 2 also the second derivative of the rotation curve, and U, V, W."""
    basis = CircularOrbits(r0, order)
    sun = basis.size - 1
    speed, slope = ((0, 0), (1, 1), (1, sun)), ((0, 2), (1, 3))
    a = tuple((i, j, r0) for i, j in speed) + tuple((i, j, -1.0) for i, j in slope)
    b = tuple((i, j, -r0) for i, j in speed) + tuple((i, j, -1.0) for i, j in slope)
    curvature = (("d2vc_dR2", ((0, 4, 1.0), (1, 5, 1.0))),) if order == 2 else ()
    motion = tuple((name, ((i, sun, 1.0),)) for i, name in enumerate("UVW"))
    return Field((("A", a), ("B", b), *curvature, *motion), basis=basis)
