"""A sample with a known velocity ellipsoid, as a catalogue would list it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin import galaxy, simulation, velocity_model
from astrokin.estimators.ellipsoid_axes import Axes
from astrokin.estimators.fields import oort_gradient

Array = NDArray[np.float64]

#: A disc population: the mean velocity relative to the Sun and the second moments, in Galactic axes.
MEAN = (-11.1, -18.0, -7.25)
TENSOR = (35.0**2, 110.0, -40.0, 24.0**2, 20.0, 18.0**2)


def simulated(
    n: int, rng: np.random.Generator, axes: Axes, rotation: Array | None = None, errors: Any = None
) -> tuple[Any, dict[str, float]]:
    """Stars within 1.5 kpc, and the true results by name."""
    inward = axes.signs[0] > 0.0
    place = simulation.disc(n, rng)
    mean = np.array(MEAN) if inward else np.array([-4.0, 0.0, 0.5])
    if not inward:
        mean[1] = galaxy.circular_speed().value - 8.0
    peculiar = np.linalg.cholesky(velocity_model.symmetric(np.array(TENSOR))) @ rng.normal(size=(3, n))
    velocity = mean[:, None] + peculiar
    if not inward:
        velocity = _seen_from_sun(place, velocity, rotation)
    elif rotation is not None:
        velocity += np.asarray(oort_gradient(*rotation)) @ place
    told = [*(np.array(axes.signs) * mean), *(axes.shape @ TENSOR)]
    stars = simulation.observed(place, velocity, rng, errors)
    return stars, dict(zip((*axes.means, *axes.moments), map(float, told), strict=True))


def _seen_from_sun(place: Array, velocity: Array, rotation: Array | None) -> Array:
    """Velocities (inward, along the rotation, north) at places, as velocities relative to the Sun in Galactic axes."""
    matrix, sun, motion = galaxy.galactocentric()
    turn = matrix @ galaxy.icrs_to_galactic().T
    x, y, _ = sun[:, None] + turn @ place
    radius, r0 = np.hypot(x, y), np.hypot(*sun[:2])
    azimuth = np.arctan2(y, -x)
    along, inward = velocity[1], velocity[0]
    if rotation is not None:
        a, b, c, k = rotation
        inward = inward + (k + c) * (r0 - radius)
        along = along + (a + b) * (r0 - radius) + (k - c) * r0 * azimuth
    cos, sin = np.cos(azimuth), np.sin(azimuth)
    galactocentric = np.stack([inward * cos + along * sin, along * cos - inward * sin, velocity[2]])
    return turn.T @ (galactocentric - motion[:, None])
