"""Samples of stars that move as the models of Oort's constants have it."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import simulation, velocity_model
from astrokin.estimators.linear_fit import SHAPES, TENSOR

Array = NDArray[np.float64]

#: What the samples are made with; km/s/kpc, km/s, km/s/kpc2.
TRUTH = {
    **{"A": 15.3, "B": -11.9, "C": -3.2, "K": -3.3, "U": 11.1, "V": 12.24, "W": 7.25},
    **{"dU_dz": 4.0, "dV_dz": -8.0, "dW_dx": -2.0, "dW_dy": 1.5, "dW_dz": -3.0, "d2vc_dR2": -1.2},
}
#: A disc's second moments, (km/s)^2.
_ELLIPSOID = dict(zip(TENSOR, (35.0**2, 110.0, -40.0, 24.0**2, 20.0, 18.0**2), strict=True))
_FAR = 3.0  # kpc: where the orbits are exact, the field need not be linear


def simulated(estimator: Any, n: int, rng: np.random.Generator) -> tuple[Any, dict[str, u.Quantity]]:
    """A disc of n stars around the Sun with Gaia-like errors, and the truth by the names of the fit."""
    names, shape = SHAPES[estimator.dispersion]
    moments = {"sigma2": 25.0**2, **_ELLIPSOID}
    truth = {k: (TRUTH | moments)[k] for k in (*estimator.field.names, *names)}
    exact = estimator.model == "axisymmetric"
    place = simulation.disc(n, rng, radius=_FAR) if exact else simulation.disc(n, rng)
    flow = _circular(estimator, truth, place) if exact else _gradient(truth) @ place
    root = np.linalg.cholesky(velocity_model.symmetric(shape @ np.array([truth[k] for k in names])))
    v_sun = np.array([truth[k] for k in "UVW"])
    stars = simulation.observed(place, flow - v_sun[:, None] + root @ rng.normal(size=(3, n)), rng)
    return stars, {k: v * estimator.unit(k) for k, v in truth.items()}


def _gradient(truth: dict[str, float]) -> Array:
    a, b, c, k = (truth[name] for name in "ABCK")
    vertical = [truth.get(name, 0.0) for name in ("dU_dz", "dV_dz", "dW_dx", "dW_dy", "dW_dz")]
    return np.array([[k + c, a - b, vertical[0]], [a + b, k - c, vertical[1]], vertical[2:]])


def _circular(estimator: Any, truth: dict[str, float], place: Array) -> Array:
    r0 = float(estimator.r0.to_value(u.kpc))
    x, y, _ = place
    radius = np.hypot(r0 - x, y)
    speed = r0 * (truth["A"] - truth["B"])
    curve = speed - (truth["A"] + truth["B"]) * (radius - r0) + 0.5 * truth.get("d2vc_dR2", 0.0) * (radius - r0) ** 2
    return np.stack([curve * y / radius, curve * (r0 - x) / radius - speed, np.zeros_like(x)])
