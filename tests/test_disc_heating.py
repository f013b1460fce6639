"""The age-velocity relation of a sample: velocities against astropy, recovery and pulls, age errors, bad input."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Galactocentric

import astrokin as ak
from astrokin import simulation
from astrokin.errors import InputError
from astrokin.estimators import heating_velocities
from astrokin.estimators.heating_ages import nodes, true_ages
from astrokin.estimators.heating_sample import TRUTH, catalogue
from astrokin.estimators.heating_velocities import Sun, cylindrical
from astrokin.heating import Disc, SpiralRelation, SpiralWave, fit_spirals

KS = u.km / u.s
RATE = KS / u.kpc
FLAT = Disc.power_law(220 * KS, 8 * u.kpc)
Heating = ak.estimators.DiscHeating
NAMES = tuple(f"{kind}_{c}" for c in ("R", "phi", "z") for kind in ("sigma", "beta"))


def aged(n, seed=1, age_error=0.2, scale=1.0, **more):
    rng = np.random.default_rng(seed)
    age = rng.uniform(0.05, 14.0, n)
    sigma = np.array([s * (age / 10) ** b for s, b in TRUTH.values()])
    return catalogue(age, scale * sigma * rng.normal(size=(3, n)), rng, age_error, **more)


# ---- velocities ------------------------------------------------------------------------------------------


def test_velocities_are_those_of_astropy():
    """But for the tilt of astropy's plane, of 20.8 pc over 8.1 kpc."""
    rng = np.random.default_rng(4)
    n = 200
    none = dict.fromkeys(simulation.GAIA_ERRORS, 0.0)
    stars = simulation.observed(simulation.disc(n, rng), 40.0 * rng.normal(size=(3, n)), rng, none)
    found, _ = cylindrical(stars.replace(covariance=None), Sun.default())
    seen = stars.replace(covariance=None).to_skycoord().transform_to(Galactocentric())
    x, y, vx, vy, vz = (q.value for q in (seen.x, seen.y, seen.v_x, seen.v_y, seen.v_z))
    r = np.hypot(x, y)
    expected = [(x * vx + y * vy) / r, (y * vx - x * vy) / r - ak.galaxy.circular_speed().value, vz]
    np.testing.assert_allclose(found, expected, atol=0.5)


@pytest.mark.parametrize("equal", [True, False])
def test_noise_is_the_scatter_of_repeated_measurements(equal):
    """Of one star measured many times with correlated errors: mean and mean square of what is told."""
    rng = np.random.default_rng(8)
    n = 200_000
    true = {"parallax": 1.25, "pmra": -14.0, "pmdec": 22.0, "radial_velocity": 35.0}
    sigma = np.array([0.025, 2.0, 2.0, 6.0]) if equal else np.array([0.025, 1.5, 3.0, 6.0])
    matrix = np.eye(4) if equal else np.array([[1, 0.4, -0.3, 0], [0.4, 1, 0.5, 0], [-0.3, 0.5, 1, 0], [0, 0, 0, 1.0]])
    drawn = np.linalg.cholesky(matrix) @ rng.normal(size=(4, n)) * sigma[:, None]
    values = {k: v + d for (k, v), d in zip(true.items(), drawn, strict=True)}
    pairs = {} if equal else {("parallax", "pmra"): 0.4, ("parallax", "pmdec"): -0.3, ("pmra", "pmdec"): 0.5}

    def made(values, n, errors):
        units = {"parallax": u.mas, "pmra": u.mas / u.yr, "pmdec": u.mas / u.yr, "radial_velocity": KS}
        told = {k: np.broadcast_to(v, (n,)) * units[k] for k, v in values.items()}
        return ak.Stars(ra=np.full(n, 130.0) * u.deg, dec=np.full(n, 25.0) * u.deg, covariance=errors, **told)

    errors = ak.Covariance(
        errors={k: np.full(n, s) for k, s in zip(true, sigma, strict=True)},
        correlations={k: np.full(n, v) for k, v in pairs.items()},
    )
    exact, _ = cylindrical(made(true, 1, None), Sun.default())
    seen, noise = cylindrical(made(values, n, errors), Sun.default())
    error = seen.std(axis=1) / np.sqrt(n)
    assert (np.abs(seen.mean(axis=1) - exact[:, 0]) < 4 * error + 0.02 * np.sqrt(noise.mean(axis=1))).all()
    variance = ((seen - exact) ** 2).mean(axis=1)
    np.testing.assert_allclose(noise.mean(axis=1) / variance, 1.0, atol=0.02)


# ---- ages ------------------------------------------------------------------------------------------------


def test_true_ages_of_the_cells_are_bayes_rule():
    """Against the true ages of simulated stars of one observed age, of a population that grows younger."""
    rng = np.random.default_rng(3)
    tau = -6.0 * np.log1p(-rng.uniform(size=4_000_000) * -np.expm1(-14.0 / 6.0))
    seen = tau * np.exp(0.25 * rng.normal(size=len(tau)))
    edges = np.geomspace(0.004, 40.0, 140)
    count, _ = np.histogram(seen, edges)
    middle = np.sqrt(edges[1:] * edges[:-1])
    ages, shares = true_ages(count.astype(float), middle, np.full(139, 0.25), 14.0)
    for at in (2.0, 6.0, 11.0):
        k = np.argmin(np.abs(middle - at))
        own = tau[(seen > edges[k]) & (seen < edges[k + 1])]
        assert shares[k] @ ages == pytest.approx(own.mean(), rel=0.015)
        assert np.sqrt(shares[k] @ ages**2 - (shares[k] @ ages) ** 2) == pytest.approx(own.std(), rel=0.05)


def test_the_widths_of_the_ages_fill_them():
    tau, width = nodes(14.0)
    assert width.sum() == pytest.approx(14.0)
    assert (np.diff(tau) > 0).all()


# ---- recovery --------------------------------------------------------------------------------------------


def off(fit, truth):
    return {k: np.max(np.abs(((fit[k] - truth[k]) / fit.error[k]).value)) for k in truth}


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"age_error": "age_error"},
        {"age_error": "age_error", "model": "floor"},
        {"age_error": "age_error", "model": "saturation"},
        {"age_error": "age_error", "model": "profile", "ages": [1.0, 4.0, 8.0, 12.0] * u.Gyr},
    ],
)
def test_every_model_finds_its_truth(options):
    estimator = Heating(**options)
    stars, truth = estimator.simulate(60_000, np.random.default_rng(6))
    fit = estimator.fit(stars)
    assert fit.converged
    assert set(truth) == set(fit)
    assert max(off(fit, truth).values()) < 4.0


def test_age_errors_that_are_not_known_flatten_the_relation():
    stars = aged(60_000, age_error=0.4)
    with_errors, without = Heating(age_error="age_error").fit(stars), Heating().fit(stars)
    for name in ("beta_R", "beta_z"):
        true = TRUTH[name[-1]][1]
        assert abs(with_errors[name].value - true) < 4 * with_errors.error[name].value
        assert true - without[name].value > 8 * without.error[name].value


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"age_error": "age_error"}])
def test_pulls_of_the_exponents(options):
    estimator, pulls = Heating(**options), []
    for seed in range(300):
        stars, truth = estimator.simulate(3000, np.random.default_rng(7000 + seed))
        fit = estimator.fit(stars)
        pulls.append([((fit[k] - truth[k]) / fit.error[k]).value for k in NAMES])
    mean, width = np.mean(pulls, axis=0), np.std(pulls, axis=0)
    assert np.abs(mean).max() < 4 / np.sqrt(300)
    assert np.abs(width - 1).max() < 4 / np.sqrt(600)


def test_large_velocity_errors_are_taken_off():
    """Errors as large as the dispersions of young stars: without them the fit is off, with them it is not."""
    rng = np.random.default_rng(5)
    age = rng.uniform(0.05, 14.0, 60_000)
    sigma = np.array([s * (age / 10) ** b for s, b in TRUTH.values()])
    stars = catalogue(age, sigma * rng.normal(size=sigma.shape), rng, 0.0)
    noise = 10.0 * rng.normal(size=len(age))
    worse = stars.replace(radial_velocity=stars.raw.radial_velocity + noise)
    matrix = np.array(stars.covariance)
    matrix[:, 5, 5] += 100.0
    told = Heating().fit(worse.replace(covariance=matrix))
    untold = Heating().fit(worse)
    assert abs(told["beta_R"].value - 0.33) < 4 * told.error["beta_R"].value
    assert 0.33 - untold["beta_R"].value > 4 * untold.error["beta_R"].value


def test_outliers_are_clipped():
    stars = aged(20_000)
    velocity = np.array(stars.raw.radial_velocity)
    velocity[::200] += 900.0
    wild = stars.replace(radial_velocity=velocity)
    clipped = Heating(age_error="age_error", clip=4.0).fit(wild)
    assert clipped.converged
    assert 95 <= sum(n for why, n in clipped.left_out.items() if "clip" in why) <= 130
    assert abs(clipped["beta_R"].value - 0.33) < 4 * clipped.error["beta_R"].value


def test_empirical_diffusion_is_the_growth_of_the_action():
    fit = Heating(kappa=40 * RATE, nu=80 * RATE).fit(aged(5000, age_error=0.0))
    for name, frequency in (("R", 40), ("z", 80)):
        expected = 2 * fit[f"beta_{name}"].value * fit[f"sigma_{name}"].value ** 2 / (frequency * 10)
        assert fit.derived[f"heating_{name}"].value == pytest.approx(expected)


# ---- the spirals behind it -------------------------------------------------------------------------------

RELATION = SpiralRelation(FLAT, 8 * u.kpc, SpiralWave(2, 2.5 / u.kpc), 16 * RATE)


@pytest.mark.slow
def test_spirals_are_found_in_a_sample_with_calibrated_errors():
    """From stars drawn from the evolved f, with age errors of 20 per cent."""
    estimator, pulls = Heating(age_error="age_error", model="spirals", spirals=RELATION), []
    for seed in range(80):
        stars, truth = estimator.simulate(60_000, np.random.default_rng(300 + seed))
        fit = estimator.fit(stars)
        pulls.append([((fit[k] - truth[k]) / fit.error[k]).value for k in ("strength", "width", "sigma_z", "beta_z")])
    mean, width = np.mean(pulls, axis=0), np.std(pulls, axis=0)
    assert np.abs(mean).max() < 4 / np.sqrt(80)
    assert np.abs(width - 1).max() < 4 / np.sqrt(160)


def test_spirals_are_found_from_a_profile_too():
    sample = Heating(model="spirals", spirals=RELATION)
    stars, truth = sample.simulate(40_000, np.random.default_rng(9))
    direct = sample.fit(stars)
    assert max(off(direct, truth).values()) < 4.0
    nodes = [0.1, 0.5, 1, 1.75, 2.5, 4, 6, 8, 10, 12, 14] * u.Gyr
    profile = Heating(model="profile", ages=nodes).fit(stars)
    found = fit_spirals(RELATION, nodes, profile["sigma_R"], covariance=profile.covariance_of("sigma_R"))
    assert found.converged
    misfit = found.logs - np.log([truth["strength"].value, truth["width"].value])
    assert misfit @ np.linalg.solve(found.log_covariance, misfit) < 18.0  # 4 sigma of two
    assert found.chi2 < 25.0


def test_actions_are_drawn_from_the_evolved_distribution():
    drawn = RELATION.drawn_actions(np.full(100_000, 8.0) * u.Gyr, 50 * KS**2, 20 * RATE, np.random.default_rng(2))
    kappa = FLAT.kappa(8 * u.kpc)
    sigma = RELATION.sigma_R([8] * u.Gyr, 50 * KS**2, 20 * RATE)[0]
    assert np.sqrt(kappa * drawn.mean()).to_value(KS) == pytest.approx(sigma.value, rel=0.01)


# ---- what is left out, and bad input ---------------------------------------------------------------------


def changed(stars, **columns):
    return stars.replace(columns={**stars.columns, **columns})


def test_stars_without_age_or_distance_are_counted():
    stars = aged(1000)
    age, parallax = stars["age"].value.copy(), np.array(stars.raw.parallax)
    age[:30] = np.nan
    parallax[30:50] = 0.05
    fit = Heating(age_error="age_error").fit(changed(stars.replace(parallax=parallax), age=age * u.Gyr))
    assert fit.left_out == {"no age": 30, "parallax below 4 of its errors": 20}
    assert fit.used == 950


@pytest.mark.parametrize(
    ("column", "value", "words"),
    [("age", -1.0, "negative"), ("age_error", -0.5, "errors of the ages are negative"), ("age_error", 90.0, "larger")],
)
def test_ages_that_cannot_be_are_errors(column, value, words):
    stars = aged(100)
    values = stars[column].value.copy()
    values[7] = value
    with pytest.raises(InputError, match=words):
        Heating(age_error="age_error").fit(changed(stars, **{column: values * u.Gyr}))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"age": 5 * u.Gyr}, "column of ages"),
        ({"model": "profile"}, "ages"),
        ({"model": "profile", "ages": [5.0, 2.0] * u.Gyr}, "increasing"),
        ({"ages": [1.0, 2.0] * u.Gyr}, "only model='profile'"),
        ({"model": "spirals"}, "SpiralRelation"),
        ({"spirals": RELATION}, "SpiralRelation"),
        ({"oldest": -3 * u.Gyr}, "positive"),
        ({"model": "cubic"}, "cubic"),
    ],
)
def test_options_that_do_not_go_together(options, words):
    with pytest.raises(InputError, match=words):
        Heating(**options)


def test_ages_of_one_kind_determine_no_exponent():
    stars = aged(500, age_error=0.0)
    fit = Heating().fit(changed(stars, age=np.full(500, 5.0) * u.Gyr))
    assert np.isnan(fit["beta_R"].value)
    assert "beta_R" in fit.undetermined


def test_an_oldest_age_that_is_not_is_noted():
    fit = Heating(age_error="age_error", oldest=3 * u.Gyr).fit(aged(2000))
    assert "oldest" in fit.notes[0]
    assert not Heating(age_error="age_error").fit(aged(2000)).notes


def test_a_missing_column_is_named():
    with pytest.raises(KeyError, match="how_old"):
        Heating(age="how_old").fit(aged(50))


@pytest.mark.parametrize(
    "options",
    [{"age_error": "age_error"}, {"model": "profile", "ages": [1, 5, 10] * u.Gyr}, {"by": ("b", [-90, 0, 90] * u.deg)}],
)
def test_figures_are_drawn(options):
    figure = Heating(**options).fit(aged(3000)).plot()
    figure.canvas.draw()
    assert len(figure.axes) >= 1


def test_single_precision_changes_no_result(monkeypatch):
    """Large blocks are worked on in it: stars change cells only where they stand within 1e-7 of an edge."""
    estimator = ak.estimators.DiscHeating(age_error="age_error")
    stars, _ = estimator.simulate(40_000, np.random.default_rng(8))
    quick = estimator.fit(stars)
    monkeypatch.setattr(heating_velocities, "MANY", 1 << 60)
    whole = estimator.fit(stars)
    for name, value in whole.results.items():
        error = whole.error[name]
        assert abs(quick[name] - value) < 1e-3 * error, name
        assert abs(quick.error[name] / error - 1.0) < 1e-4, name
    assert quick.results["sigma_R"] != whole.results["sigma_R"]  # it was used
