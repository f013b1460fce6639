"""One group after the other: choose the smoothing, fit, make profiles, and say what is not known, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.estimators import vertical_splines as splines
from astrokin.estimators.vertical_bins import Data
from astrokin.estimators.vertical_fit import Solution, fit
from astrokin.estimators.vertical_joint import Joint
from astrokin.estimators.vertical_profiles import DYNAMICAL, Profiles

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Told:
    """What a group's fit tells: all results as one vector, their covariance, and what to say about it."""

    values: Array
    covariance: Array
    converged: bool = True
    reasons: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    data: Data | None = None


def told(profiles: Profiles, data: Data, smoothing: float | None) -> Told:
    """Fit one group."""
    joint, few = profiles.joint, _too_few(profiles.joint, data)
    if few:
        return _nothing(profiles, data, few)
    start = joint.start(data)
    penalty, notes = _penalty(joint, data, start, smoothing)
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        found = fit(joint, data, start, penalty)
    if not found.determined or not np.isfinite(found.theta).all():
        return _nothing(profiles, data, "the stars in the bins do not determine all parameters: take a simpler model")
    return _result(profiles, found, notes)


def _too_few(joint: Joint, data: Data) -> str:
    """Why the bins cannot be fitted; empty where they can."""
    occupied, moving = (data.stars > 0.0).any(axis=0), data.used.any(axis=0)
    parametric = not isinstance(joint.density, splines.Spline)
    need = (joint.density.size, joint.along.size + 1) if parametric else (4, 3)
    if occupied.sum() < need[0]:
        return f"too few stars: {occupied.sum()} bins hold any, the density needs {need[0]}"
    if moving.sum() < need[1]:
        return f"too few velocities: {moving.sum()} bins have a dispersion, the model needs {need[1]}"
    return ""


def _nothing(profiles: Profiles, data: Data, reason: str) -> Told:
    values = np.concatenate([np.atleast_1d(v) for v in profiles.at(np.zeros(profiles.joint.size)).values()])
    n = len(values)
    names = (*profiles.names, *profiles.scalar_units)
    return Told(np.full(n, np.nan), np.full((n, n), np.nan), True, dict.fromkeys(names, reason), (), data)


def _penalty(joint: Joint, data: Data, start: Array, smoothing: float | None) -> tuple[Array, tuple[str, ...]]:
    """The matrix of the penalty, nothing for a parametric model; the sizes are chosen by the data, or given."""
    out = np.zeros((joint.size, joint.size))
    if not isinstance(joint.density, splines.Spline):
        return out, ()
    n, m = joint.density.size, joint.along.size
    if smoothing is None:
        sizes = [
            splines.smoothing_of_density(joint.density, data, start[:n]),
            splines.smoothing_of_moment(joint.along, data, lambda z: joint.density.curve(z, start[:n])[0]),
        ]
    else:
        sizes = [smoothing, smoothing]
    out[:n, :n] = sizes[0] * joint.density.penalty
    out[n : n + m, n : n + m] = sizes[1] * joint.along.penalty
    return out, (f"smoothing {sizes[0]:.2g} of ln nu and {sizes[1]:.2g} of sigma_zz",)


def _result(profiles: Profiles, found: Solution, notes: tuple[str, ...]) -> Told:
    values = profiles.at(found.theta)
    covariance = profiles.covariance(found.theta, found.covariance)
    flat = np.concatenate([np.atleast_1d(v) for v in values.values()])
    reasons = {}
    known = np.diag(covariance).copy()
    place = 0
    for name, value in values.items():
        fixed = (known[place : place + np.size(value)] <= 0.0) & _above_plane(profiles, name)
        if np.any(fixed):
            reasons[name] = "the model alone says what it is, the data nothing: take another"
        lost = fixed | _lost(profiles, name, np.atleast_1d(value), values["sigma_zz"], found.data, reasons)
        here = place + np.flatnonzero(lost)
        flat[here] = covariance[here] = covariance[:, here] = np.nan
        place += np.size(value)
    notes = (*notes, *_remarks(found))
    return Told(flat, covariance, found.converged, reasons, notes, found.data)


def _above_plane(profiles: Profiles, name: str) -> Any:
    """Heights above the plane, where there is no force by symmetry."""
    return profiles.grid > 0.0 if name in profiles.names else True


def _lost(profiles: Profiles, name: str, value: Array, variance: Array, data: Data, reasons: dict[str, str]) -> Any:
    """Where a profile is not known: beyond the stars, or where no dispersion is left."""
    if name not in profiles.names:
        return ~np.isfinite(value)
    top = data.edges[1:][(data.stars > 0.0).any(axis=0)].max()
    beyond = profiles.grid > top * (1.0 + 1e-12)
    if beyond.any():
        reasons[name] = f"no star in a bin above z = {top:.4g} kpc"
    gone = ~(variance > 0.0) & (name in (*DYNAMICAL, "sigma_zz")) & ~beyond
    if gone.any():
        first = profiles.grid[gone][0]
        reasons[name] = f"no dispersion is left at z = {first:.4g} kpc with the measurement errors taken off"
    return beyond | gone


def _remarks(found: Solution) -> Iterator[str]:
    """What the user should know of the bins."""
    data = found.data
    empty = np.asarray((data.stars <= 0.0).all(axis=0))
    if empty.any():
        yield f"no star in {_bins(data, empty)}"
    negative = (np.nan_to_num(data.moments[0]) < 0.0).any(axis=0)
    if negative.any():
        yield f"the measurement errors exceed the scatter of v_z in {_bins(data, negative)}"
    rising = _rising(data)
    if rising.any():
        yield f"the density does not fall with height: it rises above {_bins(data, np.append(rising, False))}"


def _rising(data: Data) -> NDArray[np.bool_]:
    """Bins after which the density rises by more than three standard errors."""
    number, there = data.number.sum(axis=0), data.stars.sum(axis=0) > 0.0
    variance = np.maximum((data.number * data.unit).sum(axis=0), 0.0)
    return (np.diff(number) > 3.0 * np.sqrt(variance[1:] + variance[:-1])) & there[1:]


def _bins(data: Data, which: NDArray[np.bool_]) -> str:
    places = [f"{data.edges[k]:.3g} to {data.edges[k + 1]:.3g}" for k in np.flatnonzero(which)[:3]]
    n = int(which.sum())
    more = f" and {n - 3} more" if n > 3 else ""
    return f"{'the bin' if n == 1 else f'{n} bins:'} {', '.join(places)} kpc{more}"
