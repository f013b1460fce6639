"""Samples from the estimator's own model, with the truth of everything that it tells."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.estimators import vertical_models as models
from astrokin.estimators.vertical_profiles import UNITS
from astrokin.estimators.vertical_sample import Field, Sector, catalogue

Array = NDArray[np.float64]

#: sigma_zz of the tracers, km2/s2, and their scale heights (kpc) by the density that is fitted.
_VARIANCE, _HEIGHT = 30.0**2, 0.8
_FIELD = Field()


def simulated(estimator: Any, n: int, rng: np.random.Generator) -> tuple[Any, dict[str, u.Quantity]]:
    """Tracers of one temperature in the field in which their density is the one that is fitted.

    Tracers of a density nu and a constant dispersion are in equilibrium in the potential -sigma_zz ln nu; with splines,
    or the density "isothermal", that of a sheet and a constant density.
    """
    # The tilt is that of the sample, and so of the truth: with tilt="none" there is none.
    tilted = estimator.tilt != "none"
    lengths = [_length(estimator.tracer_scale_length, 2.6), _length(estimator.tilt_scale_length, 4.4)]
    sector = Sector(k_density=1.0 / lengths[0], k_tilt=1.0 / lengths[1], tilt_slope=100.0 if tilted else 0.0)
    density = "isothermal" if estimator.solver == "splines" else estimator.density
    z = _heights(density, n, rng)
    vz = np.sqrt(_VARIANCE) * rng.normal(size=n)
    stars = catalogue(z, vz, _VARIANCE, rng, sector, columns=_ones(estimator, n))
    return stars, _truth(estimator, density, sector)


def _length(value: Any, default: float) -> float:
    return default if value is None else float(value.to_value(u.kpc))


def _ones(estimator: Any, n: int) -> dict[str, Array]:
    return {} if estimator.weight is None else {estimator.weight.name: np.ones(n)}


def _heights(density: str, n: int, rng: np.random.Generator) -> Array:
    side = rng.choice([-1.0, 1.0], n)
    if density == "isothermal":
        return _FIELD.heights(n, rng, _VARIANCE)
    if density == "exponential":
        return _HEIGHT * rng.exponential(size=n) * side
    if density == "gaussian":
        return _HEIGHT * rng.normal(size=n)
    # The cumulative distribution of sech^2 is a hyperbolic tangent.
    two = density == "two-component"
    h = np.where(rng.uniform(size=n) < _SHARE, *_TWO[::-1]) if two else np.full(n, _HEIGHT)
    return h * np.arctanh(rng.uniform(size=n)) * side


#: Scale heights (kpc) of the two components, and the share of the second in the stars.
_TWO, _SHARE = (0.4, 1.2), 0.4


def _curve(density: str, z: Array) -> models.Curve:
    """ln(nu) with its derivatives, up to a constant."""
    if density == "isothermal":
        s, q, z0 = _FIELD.slope / _VARIANCE, _FIELD.rise / _VARIANCE, _FIELD.scale_height
        return models.Isothermal().curve(z, np.array([0.0, np.log(s / z0 + q), np.log(s), q]))
    if density == "two-component":
        f = _SHARE / _TWO[1] / (_SHARE / _TWO[1] + (1.0 - _SHARE) / _TWO[0])
        return models.TwoComponent().curve(z, np.array([0.0, np.log(f / (1.0 - f)), *np.log(_TWO)]))
    return models.DENSITIES[density].curve(z, np.array([0.0, np.log(_HEIGHT)]))


def _truth(estimator: Any, density: str, sector: Sector) -> dict[str, u.Quantity]:
    """Profiles on the estimator's grid."""
    profiles, joint = estimator._profiles, estimator._joint
    z = profiles.grid
    slope = sector.tilt_slope
    tilt = models.linear_tilt(z, slope) if joint.tilt != "none" else None
    factor = models.tilt_factor(joint.radius, sector.k_density, sector.k_tilt)
    moment = (np.full(len(z), _VARIANCE), 0.0 * z, 0.0 * z)
    term = None if tilt is None else models.tilt_term(z, tilt, factor)
    force, gradient, tilted = models.force(_curve(density, z), moment, term)
    told = profiles.dynamical(force, gradient)
    out = {"Kz": told["Kz"], "Sigma": told["Sigma"], "sigma_zz": moment[0]}
    if tilt is not None:
        out |= {"tilt": 1e-3 * tilted, "sigma_Rz": tilt[0]}
    truth = {name: values << UNITS[name] for name, values in out.items()}
    # Of the density only that in the plane: at some height it is as good as fixed by the model, whatever the data say.
    return truth | ({"rho_0": _local(profiles, density, slope * factor)} if profiles.plane else {})


def _local(profiles: Any, density: str, beta: float) -> u.Quantity:
    """The density in the plane."""
    bend = _curve(density, np.zeros(1))[2][0]
    return profiles.density(_VARIANCE * bend + beta) << UNITS["rho"]
