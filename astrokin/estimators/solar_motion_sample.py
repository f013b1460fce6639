"""Simulated neighbours of the Sun: of one population, or of several that lag behind the more, the hotter they are."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import simulation, velocity_model
from astrokin.estimators.linear_fit import TENSOR, VELOCITY

Array = NDArray[np.float64]

#: km/s; the Sun's velocity relative to the stars, and the second moments of theirs, in the order of `TENSOR`.
SUN = {"U": 11.1, "V": 12.24, "W": 7.25}
MOMENTS = (35.0**2, 110.0, -40.0, 24.0**2, 20.0, 18.0**2)
_ROUND = 25.0**2


def sphere(n: int, rng: np.random.Generator, radius: float = 0.3) -> Array:
    """Places (3, n) in kpc, uniform in a sphere around the Sun but for its innermost tenth."""
    place = rng.normal(size=(3, n))
    place /= np.sqrt(np.sum(place**2, axis=0))
    return place * (radius * np.cbrt(rng.uniform(1e-3, 1.0, n)))


def neighbours(
    n: int, rng: np.random.Generator, names: tuple[str, ...], gradient: Any = None
) -> tuple[Any, dict[str, u.Quantity]]:
    """A sample of one population, and the truth: the solar motion, and its dispersion by the names asked for."""
    tensor = dict(zip(TENSOR, MOMENTS, strict=True)) | {"sigma2": _ROUND}
    six = np.array([_ROUND, 0, 0, _ROUND, 0, _ROUND]) if names == ("sigma2",) else np.array(MOMENTS)
    if "sigma_UV" not in names:
        six[[1, 2, 4]] = 0.0
    place = sphere(n, rng)
    velocity = np.linalg.cholesky(velocity_model.symmetric(six)) @ rng.normal(size=(3, n))
    velocity -= np.array(list(SUN.values()))[:, None]
    if gradient is not None:
        velocity += np.asarray(gradient) @ place
    truth = {k: v * VELOCITY for k, v in SUN.items()} | {k: tensor[k] * VELOCITY**2 for k in names}
    return simulation.observed(place, velocity, rng), truth


#: km/s; the radial dispersions of the populations, and the k of their lags.
DISPERSIONS = (12.0, 18.0, 24.0, 30.0, 36.0, 42.0)
STROMBERG_K = 80.0


def populations(
    n: int, rng: np.random.Generator, dispersion: str, gradient: Any = None
) -> tuple[Any, dict[str, u.Quantity]]:
    """A sample of populations, labelled 1, 2, … in the column ``population``, each with its lag; and the truth."""
    label = np.arange(n) % len(DISPERSIONS)
    sigma = np.array(DISPERSIONS)[label]
    six = np.array(MOMENTS) / MOMENTS[0]
    if dispersion == "isotropic":
        six = np.array([1.0, 0, 0, 1.0, 0, 1.0])
    elif dispersion == "diagonal":
        six[[1, 2, 4]] = 0.0
    place = sphere(n, rng)
    velocity = sigma * (np.linalg.cholesky(velocity_model.symmetric(six)) @ rng.normal(size=(3, n)))
    velocity -= np.array(list(SUN.values()))[:, None]
    velocity[1] -= sigma**2 / STROMBERG_K
    if gradient is not None:
        velocity += np.asarray(gradient) @ place
    stars = simulation.observed(place, velocity, rng, columns={"population": label + 1})
    truth = {"V_sun": SUN["V"], "k": STROMBERG_K, "U_sun": SUN["U"], "W_sun": SUN["W"]}
    return stars, {k: v * VELOCITY for k, v in truth.items()}
