"""Made-up disc stars near the Sun with ages: velocities from an evolved distribution of actions, seen with noise."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import simulation
from astrokin.estimators.heating_curves import REFERENCE, VELOCITY, levelled

Array = NDArray[np.float64]

#: sigma at 10 Gyr (km/s) and beta of the three components.
TRUTH = {"R": (38.0, 0.33), "phi": (26.0, 0.33), "z": (22.0, 0.45)}
#: Relative error of the ages.
AGE_ERROR = 0.2
_FLOOR, _SATURATION = 8.0, 7.0
_YOUNGEST = 0.05
_DRIFT = 1.0 / 80.0  # asymmetric drift: (km/s) per (km/s)^2 of sigma_R^2
_STRENGTH, _WIDTH = 50.0, 20.0


def simulated(estimator: Any, n: int, rng: np.random.Generator) -> tuple[Any, dict[str, u.Quantity]]:
    """Stars and truth for the options of a `DiscHeating`."""
    age = rng.uniform(_YOUNGEST, estimator.oldest.value, n)
    sigma, truth = _dispersions(estimator, age)
    velocity = sigma * rng.normal(size=(3, n))
    if estimator.model == "spirals":
        velocity[:2] = _by_spirals(estimator.spirals, age, rng)
        truth |= {"strength": _STRENGTH * VELOCITY**2, "width": _WIDTH * VELOCITY / u.kpc}
    velocity[1] -= _DRIFT * sigma[0] ** 2
    return catalogue(age, velocity, rng, AGE_ERROR if estimator.age_error is not None else 0.0), truth


def catalogue(age: Array, velocity: Array, rng: np.random.Generator, age_error: float = AGE_ERROR) -> Any:
    """Stars within half a kiloparsec of the Sun, with Gaia-like errors and columns ``age`` and ``age_error``.

    Parameters
    ----------
    age : ndarray, shape (n,)
        True ages, Gyr.
    velocity : ndarray, shape (3, n)
        v_R, v_phi less the circular speed, v_z, km/s.
    rng : `numpy.random.Generator`
    age_error : float
        Relative error of the ages.

    Returns
    -------
    Stars

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.estimators.heating_sample import catalogue
    >>> rng = np.random.default_rng(1)
    >>> stars = catalogue(np.array([1.0, 5.0]), np.zeros((3, 2)), rng, 0.0)
    >>> stars["age"]
    <Quantity [1., 5.] Gyr>
    """
    n = len(age)
    place = simulation.disc(n, rng, radius=0.5, scale_height=0.15)
    seen = age * np.exp(age_error * rng.normal(size=n))
    columns = {"age": seen << u.Gyr, "age_error": age_error * seen << u.Gyr}
    return simulation.observed(place, _galactic(place, velocity), rng, columns=columns)


def _galactic(place: Array, velocity: Array) -> Array:
    """Velocities relative to the Sun in Galactic axes."""
    x, y = place[0] - ak.galaxy.distance_to_centre().value, place[1]
    r = np.hypot(x, y)
    turning = velocity[1] + ak.galaxy.circular_speed().value
    total = np.stack([velocity[0] * x + turning * y, velocity[0] * y - turning * x, velocity[2] * r]) / r
    return total - ak.galaxy.velocity_of_sun().value[:, None]


def _dispersions(estimator: Any, age: Array) -> tuple[Array, dict[str, u.Quantity]]:
    """sigma (3, n), and the truth of the model's parameters."""
    if estimator.model == "profile":
        return _of_profile(estimator, age)
    sigma: list[Array] = []
    truth: dict[str, u.Quantity] = {}
    for component, (last, beta) in TRUTH.items():
        square = last**2 * (age / REFERENCE) ** (2.0 * beta)
        told = {f"sigma_{component}": last * VELOCITY, f"beta_{component}": beta * u.one}
        if estimator.model == "floor":
            square = _FLOOR**2 + (last**2 - _FLOOR**2) * (age / REFERENCE) ** (2.0 * beta)
            told[f"floor_{component}"] = _FLOOR * VELOCITY
        if estimator.model == "saturation":
            square = last**2 * (levelled(age, _SATURATION) / levelled(REFERENCE, _SATURATION)) ** (2.0 * beta)
            told[f"saturation_{component}"] = _SATURATION * u.Gyr
        sigma.append(np.sqrt(square))
        if estimator.model != "spirals" or component == "z":
            truth |= told
    return np.array(sigma), truth


def _of_profile(estimator: Any, age: Array) -> tuple[Array, dict[str, u.Quantity]]:
    nodes = estimator.ages.to_value(u.Gyr)
    values = {c: s * (np.maximum(nodes, 0.1) / REFERENCE) ** b for c, (s, b) in TRUTH.items()}
    sigma = [np.sqrt(np.interp(age, nodes, v**2)) for v in values.values()]
    return np.array(sigma), {f"sigma_{c}": v * VELOCITY for c, v in values.items()}


def _by_spirals(relation: Any, age: Array, rng: np.random.Generator) -> Array:
    """v_R and v_phi of epicycles whose actions are drawn from the evolved distribution."""
    at = relation.orbit
    action = relation.drawn_actions(age << u.Gyr, _STRENGTH * VELOCITY**2, _WIDTH * VELOCITY / u.kpc, rng)
    size = np.sqrt(2.0 * float(at.kappa) * action.value)
    theta = rng.uniform(0.0, 2.0 * np.pi, len(age))
    return np.stack([-size * np.sin(theta), -size * np.cos(theta) / float(at.gamma)])
