"""Pulls over a thousand samples with options that estimators share, bootstrap and clip; and of groups that scatter."""

import dataclasses

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin import simulation
from astrokin.estimators.solar_motion_sample import sphere
from astrokin.units import A

pytestmark = pytest.mark.slow

E = ak.estimators
N = 1000


def calibrated(fits, width=1.0):
    """Mean and width of the pulls of each parameter are 0 and as expected, within 4 standard errors."""
    pulls = {}
    for fit, truth in fits:
        assert fit.converged
        for name in truth:
            value, error = (fit[name], fit.error[name]) if name in fit else _derived(fit, name)
            pulls.setdefault(name, []).append(float(((value - truth[name]) / error).to_value(u.one)))
    told = {k: (np.mean(p) * np.sqrt(len(p)), (np.std(p) / width - 1) * np.sqrt(2 * len(p))) for k, p in pulls.items()}
    print({k: (round(float(np.mean(p)), 3), round(float(np.std(p)), 3)) for k, p in pulls.items()})
    assert all(abs(mean) < 4 and abs(wide) < 4 for mean, wide in told.values()), told


def _derived(fit, name):
    return fit.derived[name], fit.derived_error[name]


REPLICATES = 40
BOOTSTRAPPED = {
    "solar motion": E.SolarMotion(),
    "moments over the sky": E.SolarMotion(method="moments", sky_bands=2),
    "ellipsoid": E.VelocityEllipsoid(),
    "moments of the ellipsoid": E.VelocityEllipsoid(method="moments"),
}


@pytest.mark.parametrize("estimator", BOOTSTRAPPED.values(), ids=list(BOOTSTRAPPED))
def test_errors_from_bootstrap(estimator):
    """So few replicates tell an error to a ninth: the pulls have Student's distribution."""

    def fits():
        for seed in range(N):
            stars, truth = estimator.simulate(600, np.random.default_rng(40_000 + seed))
            stars = stars.replace(columns={"source_id": np.arange(len(stars))})
            yield dataclasses.replace(estimator, bootstrap=REPLICATES, seed=seed).fit(stars), truth

    calibrated(fits(), width=np.sqrt((REPLICATES - 1) / (REPLICATES - 3)))


CLIPPED = {
    "solar motion": E.SolarMotion(clip=3.0),
    "moments over the sky": E.SolarMotion(method="moments", clip=3.0),
    "ellipsoid": E.VelocityEllipsoid(clip=3.0),
    "moments of the ellipsoid": E.VelocityEllipsoid(method="moments", clip=3.0),
    "Oort's constants": E.OortConstants(clip=3.0),
}


@pytest.mark.parametrize("estimator", CLIPPED.values(), ids=list(CLIPPED))
def test_clipping_takes_off_what_is_far_out(estimator):
    """One star in 200 moves by hundreds of km/s; three components leave few of the others beyond 3 sigma."""

    def fits():
        for seed in range(N):
            rng = np.random.default_rng(50_000 + seed)
            stars, truth = estimator.simulate(2000, rng)
            yield estimator.fit(with_strays(stars, rng)), truth

    calibrated(fits())


def with_strays(stars, rng):
    """The stars, the velocities of ten of them far off."""
    n, far = len(stars), np.zeros((3, len(stars)))
    some = rng.choice(n, 10, replace=False)
    far[:, some] = 400.0 * simulation.angles.normalised(rng.normal(size=(3, 10)))
    return moved(stars, far)


def moved(stars, velocity):
    """The stars with more velocity (3, n), km/s, in Galactic axes."""
    raw, more = stars.raw, ak.galaxy.icrs_to_galactic().T @ velocity
    (east, north), outward = raw.basis, raw.direction
    across = sum(axis * (axis * more).sum(axis=0) for axis in (east, north))
    motion = raw.proper_motion + raw.parallax / A * across
    return stars.replace(proper_motion=motion, radial_velocity=raw.radial_velocity + (outward * more).sum(axis=0))


GROUPS, EACH, SCATTER = 24, 400, 4.0
K = 80.0


@pytest.mark.parametrize("use", [("pm", "rv"), ("pm",)], ids="+".join)
def test_groups_that_scatter_about_stromberg_s_line(use):
    """Their mean velocities do so by 4 km/s, three times their errors; of 24 groups the width is larger by 5 %."""
    estimator = E.AsymmetricDrift(by="kind", use=use, dispersion="isotropic", scatter=True)

    def fits():
        for seed in range(N):
            fit = estimator.fit(scattering(np.random.default_rng(60_000 + seed)))
            yield fit, {**{name: value * u.km / u.s for name, value in SUN.items()}, "slope": 1.0 / K * u.s / u.km}

    calibrated(fits(), width=np.sqrt((GROUPS - 2) / (GROUPS - 4)))


SUN = {"U_sun": 11.1, "V_sun": 12.24, "W_sun": 7.25}


def scattering(rng):
    """Groups of dispersions from 10 to 45 km/s, each behind the Sun by its lag and something of its own."""
    kind = np.arange(GROUPS * EACH) % GROUPS
    sigma = np.linspace(10.0, 45.0, GROUPS)
    mean = SCATTER * rng.normal(size=(3, GROUPS)) - np.array(list(SUN.values()))[:, None]
    mean[1] -= sigma**2 / K
    velocity = mean[:, kind] + sigma[kind] * rng.normal(size=(3, len(kind)))
    stars = simulation.observed(sphere(len(kind), rng), velocity, rng)
    return stars.replace(columns={"kind": kind})
