"""Disc heating: a pass over a million stars, the solver, the diffusion coefficients, the table of the inverse."""

from time import perf_counter, process_time

import astropy.units as u
import numpy as np

import astrokin as ak
from astrokin import engines
from astrokin.folding import Collect, Params
from astrokin.heating import (
    ActionGrid,
    Disc,
    Lorentzian,
    SpiralRelation,
    SpiralWave,
    diffusion_coefficient,
    evolve,
    fit_spirals,
)
from astrokin.selection import Selection

N = 1_000_000
ACTION, RATE = u.kpc * u.km / u.s, u.km / u.s / u.kpc
DISC = Disc.power_law(220 * u.km / u.s, 8 * u.kpc)
WAVE = SpiralWave(2, 1.5 / u.kpc)
SPECTRUM = Lorentzian(60 * u.km**2 / u.s**2, 15 * RATE, 20 * RATE, arms=2)


def seconds(act, runs=5, clock=perf_counter):
    """The quickest of some runs."""
    taken = []
    for _ in range(runs):
        start = clock()
        act()
        taken.append(clock() - start)
    return min(taken)


def passes(estimator, stars):
    """CPU time per star of the first and the final pass, each from the columns of a catalogue, ns."""
    plain = {k: getattr(stars, k) for k in ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity")}
    selection = Selection(needs=estimator.needs)

    def one(params):
        sample = ak.Stars(**plain, covariance=stars.raw.covariance, columns=stars.columns)
        return engines.fold(Collect(estimator, selection, params), engines.MemorySource(sample))

    final = Params(estimator.solve(one(None).summary, None).state, True)
    return [seconds(lambda p=p: one(p), clock=process_time) / N * 1e9 for p in (None, final)]


def solver():
    """10 Gyr on 400 cells with the diffusion coefficient of the spirals."""
    grid = ActionGrid(600 * ACTION)
    start = grid.exponential(3 * ACTION)
    evolve(
        grid,
        start,
        lambda J: diffusion_coefficient(DISC, WAVE, SPECTRUM, J, 1760 * ACTION),
        np.linspace(0, 10, 11) * u.Gyr,
    )


def coefficients():
    """D_RR on 200 x 200 actions."""
    action, momentum = np.linspace(0, 100, 200)[:, None] * ACTION, np.linspace(800, 3000, 200) * ACTION
    diffusion_coefficient(DISC, WAVE, SPECTRUM, action, momentum)


def inverse():
    """The table of a relation, and a fit with it."""
    relation = SpiralRelation(DISC, 8 * u.kpc, WAVE, 16 * RATE)
    ages = np.linspace(0.5, 12, 10) * u.Gyr
    sigma = relation.sigma_R(ages, 50 * u.km**2 / u.s**2, 12 * RATE)
    fit_spirals(relation, ages, sigma, error=0.01 * sigma)


if __name__ == "__main__":
    estimator = ak.estimators.DiscHeating(age_error="age_error")
    stars, _ = estimator.simulate(N, np.random.default_rng(1))
    first, final = passes(estimator, stars)
    oort, _ = passes(ak.estimators.OortConstants(), stars)
    print(f"a pass over {N:,} stars: {first:.0f} ns/star, the final one {final:.0f} (oort-constants: {oort:.0f})")
    print(f"the solver, 10 Gyr on 400 cells: {seconds(solver):.3f} s")
    print(f"D_RR on 200 x 200 actions: {seconds(coefficients):.3f} s")
    print(f"the inverse, its table included: {seconds(inverse, 2):.2f} s")
