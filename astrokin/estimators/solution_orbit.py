"""Orbits from epochs: per source a blind search over period, eccentricity and phase, then least squares of all."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.estimators import orbit_model, orbit_search
from astrokin.estimators import solution_quality as quality
from astrokin.estimators.orbit_model import Problem, Velocities
from astrokin.estimators.solution_model import Clock, Scans
from astrokin.estimators.solution_result import AMBIGUOUS, FEW, LOOSE, NONE, POOR, SOLVED, UNSETTLED, Searched, units_of
from astrokin.estimators.solution_solver import Rules, alive_now

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Turns until outliers and excess noise have settled.
_TURNS = 12
_SETTLED = 1e-4
#: Steps that tell which minima are worth following to the end, and how many of them are.
_ROUGH, _FINE = 12, 3
#: Cycles over the span, and eccentricities, by which orbits differ.
_APART = 0.1, 0.15
#: Chi² by which another orbit must be worse not to be an alternative.
_CLEAR = 9.0
#: Chi² by which a minimum may lie above the best one to be followed.
_CLOSE = 50.0
#: As elsewhere: a variance grown by more than this is worth a word. (An orbit's elements hang together more.)
_POOR = 1e6


def velocities_of(rows: Any) -> tuple[NDArray[np.intp], Array, Array, Array] | None:
    """Source, time, value and variance of the radial velocities among the epochs; None where there are none."""
    if "radial_velocity" not in rows.raw:
        return None
    there = np.isfinite(rows.raw["radial_velocity"])
    raw = (rows.raw[k][there] for k in ("obstime", "radial_velocity", "radial_velocity_error"))
    time, value, error = raw
    return rows.group[there], time, value, error**2


def units(with_velocities: bool) -> dict[str, u.UnitBase]:
    """The results of an orbit with their units, in order."""
    out = {**units_of(5), **dict.fromkeys("ABFG", u.mas)}
    if with_velocities:
        out |= {"systemic_velocity": u.km / u.s, "C": u.au, "H": u.au}
    return out | {"period": u.day, "eccentricity": u.one, "t_periastron": u.yr}


@dataclass(frozen=True)
class Orbit:
    """What was found for one source, in final units."""

    values: Array
    covariance: Array
    outcome: str
    residuals: list[Array]
    alive: Mask
    extra: float
    dof: float
    inflation: float
    more: float = 0.0
    margin: float = np.nan

    def judged(self) -> Orbit:
        """With a word on an orbit that is nearly as good."""
        return replace(self, outcome=AMBIGUOUS) if self.outcome == SOLVED and self.margin < _CLEAR else self


def search(
    scans: Scans, velocities: Any, periods: tuple[float, float] | None, rules: Rules, epoch: float | None
) -> Searched:
    """The orbits of the sources of a block, one after the other."""
    clock = Clock.of(scans)
    at = clock.pivot if epoch is None else np.full(scans.n_groups, epoch)
    names = units(velocities is not None)
    found = []
    for g in range(scans.n_groups):
        problem = Problem.of(scans.of_source(g), _of_source(velocities, g), float(at[g]))
        found.append(_orbit(problem, periods, rules, len(names)))
    axes = range(len(scans.axes))
    return Searched(
        scans,
        names,
        np.array([f.values for f in found]).reshape(-1, len(names)),
        np.array([f.covariance for f in found]).reshape(-1, len(names), len(names)),
        np.array([f.outcome for f in found], dtype=str),
        np.where(scans.count > 0, at, np.nan),
        [np.concatenate([f.residuals[i] for f in found]) for i in axes],
        np.concatenate([f.alive for f in found]),
        np.array([f.extra for f in found]),
        np.array([f.dof for f in found]),
        np.array([f.inflation for f in found]),
        np.array([f.more for f in found]),
        {"chi2_margin": np.array([f.margin for f in found])},
    )


def _of_source(velocities: Any, source: int) -> Velocities | None:
    if velocities is None:
        return None
    mine = velocities[0] == source
    return Velocities(*(v[mine] for v in velocities[1:]))


def _orbit(problem: Problem, periods: tuple[float, float] | None, rules: Rules, n_results: int) -> Orbit:
    dof = problem.n_data - n_results
    if dof < 0 or len(problem.scans) < 2:
        return _none(problem, FEW, n_results, float(dof))
    limits = orbit_search.bounds(problem, periods)
    rough = _fits(problem, orbit_search.candidates(problem, periods), limits, _ROUGH)
    close = [shape for chi2, shape in rough if chi2 <= rough[0][0] + _CLOSE]
    fits = _fits(problem, close[:_FINE], limits)
    if not fits:
        return _none(problem, NONE, n_results, float(dof))
    margin = _margin(problem, fits[0], [*fits[1:], *rough])
    return replace(_settled(problem, fits[0][1], limits, rules, n_results), margin=margin).judged()


def _margin(problem: Problem, best: tuple[float, Array], others: list[tuple[float, Array]]) -> float:
    """By how much chi² is larger at the best of the orbits that differ from the best of all."""

    def differs(shape: Array) -> bool:
        apart = abs(np.exp(-shape[0]) - np.exp(-best[1][0])) * problem.span
        return bool(apart > _APART[0] or abs(shape[1] - best[1][1]) > _APART[1])

    return min((chi2 - best[0] for chi2, shape in others if differs(shape)), default=np.inf)


def _fits(problem: Problem, shapes: list[Array], limits: Any, steps: int = 200) -> list[tuple[float, Array]]:
    """Least squares from each shape, the best first."""
    fits = [orbit_model.refined(problem, shape, limits, steps) for shape in shapes]
    return sorted((f for f in fits if f is not None), key=lambda f: f[0])


def _none(problem: Problem, outcome: str, n_results: int, dof: float) -> Orbit:
    gap = np.full(n_results, np.nan)
    zero = [np.zeros(len(problem.scans)) for _ in problem.scans.axes]
    return Orbit(gap, np.diag(gap), outcome, zero, np.ones(len(problem.scans), bool), 0.0, dof, np.nan)


def _settled(problem: Problem, shape: Array, bounds: Any, rules: Rules, n_results: int) -> Orbit:
    """The orbit with outliers and excess noise settled."""
    done = rules.clip is None and not rules.jitter
    for _ in range(_TURNS):
        fit = orbit_model.refined(problem, shape, bounds)
        if fit is None:
            return _none(problem, NONE, n_results, float(problem.n_data - n_results))
        shape = fit[1]
        if done:
            break
        changed = _reweighted(problem, shape, rules, n_results)
        done = bool((changed.alive == problem.alive).all()) and abs(changed.extra - problem.extra) <= (
            _SETTLED * changed.extra
        )
        problem = changed
    return _told(problem, shape, done, n_results)


def _reweighted(problem: Problem, shape: Array, rules: Rules, n_results: int) -> Problem:
    scans, extra, residuals = problem.scans, np.array([problem.extra]), problem.residuals(shape)
    alive = problem.alive if rules.clip is None else alive_now(scans, residuals, extra, rules.clip)
    problem = replace(problem, alive=alive)
    if rules.jitter:
        share = np.array([problem.n_data - n_results - _of_velocities(problem, shape)])
        problem = replace(problem, extra=float(quality.excess_variance(scans, residuals, alive, share)[0]))
    return problem


def _of_velocities(problem: Problem, shape: Array) -> float:
    """Chi² of the radial velocities."""
    if not problem.velocities:
        return 0.0
    return float((problem.linear(shape)[1][-len(problem.velocities.time) :] ** 2).sum())


def _told(problem: Problem, shape: Array, settled: bool, n_results: int) -> Orbit:
    values, covariance, inflation = orbit_model.elements(problem, shape)
    outcome = SOLVED if settled else UNSETTLED
    if not np.isfinite(covariance).all():
        outcome = LOOSE
    elif settled and inflation > _POOR:
        outcome = POOR
    dof = float(problem.n_data - n_results)
    residuals = problem.residuals(shape)
    more = _of_velocities(problem, shape)
    return Orbit(values, covariance, outcome, residuals, problem.alive, problem.extra, dof, inflation, more)
