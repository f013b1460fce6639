"""Epochs from the model of an astrometric solution itself, as a nominal scanning law would deliver them."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin.angles import dot, longitude_latitude, sine_cosine, tangent_basis
from astrokin.estimators.solution_model import Axis, design, order_of
from astrokin.estimators.solution_result import RADIAL, units_of
from astrokin.kepler import orbit, thiele_innes
from astrokin.scanning import ScanningLaw
from astrokin.units import MAS_IN_RAD, A

Array = NDArray[np.float64]

START, END = 2014.6, 2019.6
_ERROR = 0.2  # mas
_JITTER = 0.15  # mas
#: Spread of what is drawn: positions (mas), proper motions (mas/yr), accelerations, and their rates.
_SPREAD = {"delta_ra": 5.0, "pmra": 20.0, "acceleration_ra": 1.0, "jerk_ra": 1.0}


def sample(
    n: int, rng: np.random.Generator, model: str, epoch: float | None, by: str, jitter: bool
) -> tuple[ak.Epochs, dict[str, u.Quantity]]:
    """Epochs of n sources all over the sky, and the true parameters at the reference epoch."""
    direction = rng.normal(size=(3, n))
    direction /= np.sqrt(dot(direction, direction))
    transits = ScanningLaw().transits(direction, START, END)
    at = _middles(transits, n) if epoch is None else np.full(n, epoch)
    sine, cosine = sine_cosine(transits.scan_angle)
    ra, dec = longitude_latitude(direction)
    axis = Axis(sine, cosine, sine, sine, _factors(direction, transits, sine, cosine))
    truth = _drawn(n, rng, model, at)
    w = _abscissae(truth, axis, transits, transits.time - at[transits.source], model)
    error = _ERROR * rng.uniform(0.7, 1.5, len(w))
    noise = np.sqrt(error**2 + (_JITTER**2 if jitter else 0.0)) * rng.normal(size=len(w))
    epochs = ak.Epochs(
        obstime=transits.time, abscissa=(w + noise) * u.mas, abscissa_error=error * u.mas,
        scan_angle=transits.scan_angle * u.deg, parallax_factor=axis.factor, ra=ra[transits.source] * u.deg,
        dec=dec[transits.source] * u.deg, columns={by: transits.source + 1},
    )  # fmt: skip
    return epochs, truth


def _middles(transits: Any, n: int) -> Array:
    early, late = np.full(n, np.inf), np.full(n, -np.inf)
    np.minimum.at(early, transits.source, transits.time)
    np.maximum.at(late, transits.source, transits.time)
    return 0.5 * (early + late)


def _factors(direction: Array, transits: Any, sine: Array, cosine: Array) -> Array:
    place = ak.Observer(ak.column("obstime"), "gaia").bound({"obstime": transits.time}).seen().position
    east, north = (v[:, transits.source] for v in tangent_basis(direction))
    return -dot(place, east) * sine - dot(place, north) * cosine


def _drawn(n: int, rng: np.random.Generator, model: str, at: Array) -> dict[str, u.Quantity]:
    """True values of the parameters of a model."""
    names = units_of(5 if model in ("5", "6", "orbit") else int(model))
    spread = {k.replace("_ra", "_dec").replace("pmra", "pmdec"): v for k, v in _SPREAD.items()} | _SPREAD
    truth = {k: rng.normal(0.0, spread.get(k, 1.0), n) * unit for k, unit in names.items()}
    truth["parallax"] = rng.lognormal(1.0, 0.7, n) * u.mas
    if model == "6":
        truth["pmra"], truth["pmdec"] = (rng.choice([-1, 1], n) * rng.uniform(3e3, 9e3, n) * u.mas / u.yr
                                         for _ in range(2))  # fmt: skip
        truth["parallax"] = rng.uniform(200.0, 700.0, n) * u.mas
        truth[RADIAL] = rng.normal(0.0, 100.0, n) * truth["parallax"].value / A * u.mas / u.yr
    return truth | (_orbits(n, rng, at) if model == "orbit" else {})


def _orbits(n: int, rng: np.random.Generator, at: Array) -> dict[str, u.Quantity]:
    size = rng.uniform(3.0, 8.0, n)
    elements = thiele_innes(size, np.arccos(rng.uniform(-0.9, 0.9, n)), *(2 * np.pi * rng.uniform(size=(2, n))))
    period = rng.uniform(150.0, 290.0, n)  # d; near a year an orbit may pass for a parallax
    phase = rng.uniform(-0.4, 0.4, n)
    return {
        **{k: v * u.mas for k, v in zip("ABFG", elements, strict=True)},
        "period": period * u.day,
        "eccentricity": rng.uniform(0.15, 0.6, n) * u.one,
        "t_periastron": (at + phase * period / 365.25) * u.yr,
    }


def _abscissae(truth: Any, axis: Axis, transits: Any, time: Array, model: str) -> Array:
    rows = {k: v.value[transits.source] for k, v in truth.items()}
    if model == "6":
        near = 1.0 / (1.0 + rows[RADIAL] * MAS_IN_RAD * time)
        x = rows["delta_ra"] + rows["pmra"] * time * near
        y = rows["delta_dec"] + rows["pmdec"] * time * near
        return axis.sine * x + axis.cosine * y + axis.factor * near * rows["parallax"]
    order = 1 if model == "orbit" else order_of(int(model))
    terms = design(axis, time, order) / np.array([1, 1, 1, 1, 1, 2, 2, 6, 6])[: 2 * order + 3, None]
    w = sum(term * value for term, value in zip(terms, rows.values(), strict=False))
    if model == "orbit":
        phase = (transits.time - rows["t_periastron"]) / rows["period"] * 365.25
        x, y, _, _ = orbit(phase, rows["eccentricity"])
        w = w + axis.cosine * (rows["A"] * x + rows["F"] * y) + axis.sine * (rows["B"] * x + rows["G"] * y)
    return np.asarray(w)
