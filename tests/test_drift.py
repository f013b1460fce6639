"""Asymmetric drift: the source's example, the Jeans equation by finite differences, lines with errors in both."""

import dataclasses

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import astrokin as ak
from astrokin import simulation
from astrokin import straight_line as lines
from astrokin.drift import RadialJeans, epicyclic_ratio, stromberg
from astrokin.errors import InputError

Drift = ak.estimators.AsymmetricDrift
KS = u.km / u.s
NAMES = ("V_sun", "k", "U_sun", "W_sun")


def disc(**more):
    usual = dict(v_c=220 * KS, sigma_R=35 * KS, R=8 * u.kpc, density_scale=2.5 * u.kpc, dispersion_scale=9 * u.kpc)
    return RadialJeans(**{**usual, **more})


# ---- the prediction --------------------------------------------------------------------------------------


@given(st.floats(5, 100), st.floats(100, 300), st.floats(2, 12), st.floats(1, 20))
def test_the_two_populations_of_the_source(sigma, speed, scale, density):
    """Delta <v_phi> = -sigma_1^2 e^-2 / 2 V0 at R = h_sigma, whatever the density."""
    common = dict(v_c=speed * KS, R=scale * u.kpc, density_scale=density * u.kpc, azimuthal_ratio=0.5)
    # sigma_R1^2 = sigma^2 exp(-2 R/h), sigma_R2^2 = sigma^2/e exp(-R/h): both sigma^2 e^-2 at R = h.
    one = RadialJeans(sigma_R=sigma / np.e * KS, dispersion_scale=scale * u.kpc, **common)
    two = RadialJeans(sigma_R=sigma / np.e * KS, dispersion_scale=2 * scale * u.kpc, **common)
    apart = one.mean_velocity(first_order=True) - two.mean_velocity(first_order=True)
    assert apart.value == pytest.approx(-(sigma**2) * np.exp(-2) / (2 * speed), rel=1e-9)
    assert one.lag(first_order=True) > two.lag(first_order=True)


def test_equation_4_228_of_binney_and_tremaine():
    """With sigma_R^2/sigma_phi^2 = 2.2 and R/R_d = 3.2, of density and sigma_R^2: v_a = sigma_R^2/(82 +- 6 km/s)."""
    r_d = 8 / 3.2
    common = dict(v_c=220 * KS, density_scale=r_d * u.kpc, dispersion_scale=2 * r_d * u.kpc, azimuthal_ratio=1 / 2.2)
    cylinder, sphere = disc(**common), disc(**common, tilt=1.0, vertical_ratio=0.25)
    # The book's two cases of the tilt bracket its 82 +- 6.
    assert cylinder.k.value == pytest.approx(75.1, abs=0.1)
    assert sphere.k.value == pytest.approx(86.2, abs=0.1)
    assert cylinder.lag(first_order=True).value == pytest.approx(35**2 / cylinder.k.value)


def test_the_lag_balances_the_jeans_equation():
    """nu, sigma and mean velocity put into the equation itself, with derivatives by differences."""
    population = disc(slope=0.15, tilt=0.6, vertical_ratio=0.3)

    def nu(r):
        return np.exp(-r / 2.5)

    def sigma2(r):
        return 35.0**2 * np.exp(-2 * (r - 8) / 9)

    for r in (4.0, 8.0, 11.0):
        h = 1e-5
        pressure = (nu(r + h) * sigma2(r + h) - nu(r - h) * sigma2(r - h)) / (2 * h) / nu(r)
        tilt = 0.6 * (sigma2(r) - 0.3 * sigma2(r)) / r  # d<v_R v_z>/dz
        mean = population.mean_velocity(r * u.kpc).value
        phi2 = mean**2 + epicyclic_ratio(0.15) * sigma2(r)
        force = (220.0 * (r / 8) ** 0.15) ** 2 / r
        assert pressure + tilt + (sigma2(r) - phi2) / r + force == pytest.approx(0.0, abs=1e-5)


@pytest.mark.parametrize("first_order", [True, False])
@pytest.mark.parametrize("more", [{}, {"slope": -0.2, "tilt": 0.8}, {"slope": 0.1, "azimuthal_ratio": 0.4}])
def test_the_gradient_is_that_of_the_lag(first_order, more):
    population = disc(**more)
    for r in (5.0, 8.0, 10.0):
        ends = [population.lag((r + s) * u.kpc, first_order).value for s in (-1e-4, 1e-4)]
        gradient = population.lag_gradient(r * u.kpc, first_order)
        assert gradient.value == pytest.approx((ends[1] - ends[0]) / 2e-4, rel=1e-6)


def test_first_order_and_exact_meet_for_cold_populations():
    cold = disc(sigma_R=1 * KS)
    assert cold.lag().value == pytest.approx(cold.lag(first_order=True).value, rel=1e-4)
    hot = disc(sigma_R=80 * KS)
    assert hot.lag() > 1.1 * hot.lag(first_order=True)


def test_at_several_distances():
    r = [6, 8, 10] * u.kpc
    np.testing.assert_allclose(disc().lag(r)[1].value, disc().lag().value)
    assert (np.diff(disc().lag(r)) < 0).all()
    assert disc().lag_gradient(r).unit == KS / u.kpc


@pytest.mark.parametrize(("slope", "ratio"), [(0.0, 0.5), (1.0, 1.0), (-0.5, 0.25)])
def test_epicycles(slope, ratio):
    """Flat, solid body, Kepler: -B/(A - B)."""
    assert epicyclic_ratio(slope) == ratio
    a, b = 0.5 * (1 - slope), -0.5 * (1 + slope)
    assert -b / (a - b) == ratio


def test_what_no_rotation_balances():
    with pytest.raises(InputError, match="too hot"):
        disc(sigma_R=150 * KS, density_scale=0.5 * u.kpc).lag()
    with pytest.raises(InputError, match="positive distance"):
        disc().lag(-1 * u.kpc)
    with pytest.raises(InputError, match=r"RadialJeans\.sigma_R"):
        disc(sigma_R=-3 * KS)
    with pytest.raises(InputError, match="unit"):
        disc(R=8 * KS)


# ---- the line --------------------------------------------------------------------------------------------


def cloud(n=8, seed=1, errors=0.3):
    rng = np.random.default_rng(seed)
    x = np.linspace(1, 10, n)
    root = errors * (np.eye(2) + 0.4 * rng.normal(size=(n, 2, 2)))
    covariance = root @ root.swapaxes(1, 2)
    off = np.einsum("nij,nj->ni", np.linalg.cholesky(covariance), rng.normal(size=(n, 2)))
    return x + off[:, 0], 3.0 + 0.7 * x + off[:, 1], covariance


def test_pearsons_data_with_yorks_weights():
    """York et al. (2004): a = 5.47991022, b = -0.480533407, S = 11.8663532; errors 0.294970735, 0.0579850090."""
    x = np.array([0.0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4])
    y = np.array([5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5])
    weights = [[1000, 1000, 500, 800, 200, 80, 60, 20, 1.8, 1.0], [1, 1.8, 4, 8, 20, 20, 70, 70, 100, 500]]
    covariance = (1 / np.array(weights)).T[:, :, None] * np.eye(2)
    line = lines.straight_line(x, y, covariance)
    assert line.intercept == pytest.approx(5.47991022, abs=5e-8)
    assert line.slope == pytest.approx(-0.480533407, abs=5e-9)
    assert line.chi2 == pytest.approx(11.8663532, abs=1e-6)
    error = np.sqrt(np.einsum("anp,npq,anq->a", line.gain, covariance, line.gain))
    np.testing.assert_allclose(error, [0.294970735, 0.0579850090], rtol=1e-6)


def test_with_correlations_it_is_the_maximum_of_the_likelihood():
    x, y, c = cloud()

    def misfit(p):
        variance = c[:, 1, 1] - 2 * p[1] * c[:, 0, 1] + p[1] ** 2 * c[:, 0, 0]
        return np.sum((y - p[0] - p[1] * x) ** 2 / variance)

    best = optimize.minimize(misfit, [3, 0.7], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-12})
    line = lines.straight_line(x, y, c)
    np.testing.assert_allclose([line.intercept, line.slope], best.x, rtol=1e-6)
    assert line.chi2 == pytest.approx(best.fun)


def test_the_gain_is_the_derivative():
    x, y, c = cloud()
    line = lines.straight_line(x, y, c)
    for k in range(len(x)):
        for axis, values in enumerate((x, y)):
            ends = []
            for s in (-1e-4, 1e-4):
                moved = values.copy()
                moved[k] += s
                near = lines.straight_line(moved if axis == 0 else x, moved if axis == 1 else y, c)
                ends.append(np.array([near.intercept, near.slope]))
            told = (ends[1] - ends[0]) / 2e-4
            # Exact where the points lie on the line; else to the misfit's share of it.
            np.testing.assert_allclose(line.gain[:, k, axis], told, atol=0.12 * np.abs(line.gain).max())


@settings(max_examples=30)
@given(st.floats(-20, 20), st.floats(-5, 5))
def test_points_on_a_line_give_it(intercept, slope):
    x, _, c = cloud()
    line = lines.straight_line(x, intercept + slope * x, c)
    assert line.intercept == pytest.approx(intercept, abs=1e-6)
    assert line.slope == pytest.approx(slope, abs=1e-6)


def test_scatter_makes_the_misfit_what_is_expected():
    x, y, c = cloud(30)
    wild = y + 2.0 * np.random.default_rng(3).normal(size=30)
    plain, scattered = (lines.straight_line(x, wild, c, s) for s in (False, True))
    assert plain.chi2 > 200
    assert scattered.chi2 == pytest.approx(28.0, rel=1e-3)
    assert 1.3 < scattered.scatter < 2.7
    assert lines.straight_line(x, y, c * 9, True).scatter == 0.0
    middle = lines.mean(wild, c[:, 1, 1], True)
    assert middle.chi2 == pytest.approx(29.0, rel=1e-3)


@pytest.mark.slow
def test_pulls_of_the_line():
    n, pulls = 2000, []
    for seed in range(n):
        rng = np.random.default_rng(seed)
        _, _, c = cloud()
        x = np.linspace(1, 10, 8)
        off = np.einsum("nij,nj->ni", np.linalg.cholesky(c), rng.normal(size=(8, 2)))
        line = lines.straight_line(x + off[:, 0], 3 + 0.7 * x + off[:, 1], c)
        error = np.sqrt(np.einsum("anp,npq,anq->a", line.gain, c, line.gain))
        pulls.append([(line.intercept - 3) / error[0], (line.slope - 0.7) / error[1]])
    assert (np.abs(np.mean(pulls, axis=0)) < 4 / np.sqrt(n)).all()
    assert (np.abs(np.std(pulls, axis=0) - 1) < 4 / np.sqrt(2 * n)).all()


# ---- the estimator -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def populations():
    return Drift(by="population").simulate(20_000, np.random.default_rng(3))


def test_truth_and_lags(populations):
    stars, truth = populations
    fit = Drift(by="population").fit(stars)
    assert fit.names == NAMES
    for name in truth:
        assert abs(fit[name] - truth[name]) < 4 * fit.error[name]
    groups = fit.of_groups
    assert groups.groups == [1, 2, 3, 4, 5, 6]
    lag, error = groups.derived["lag"], groups.derived_error["lag"]
    assert (np.abs(lag.value - np.array([12, 18, 24, 30, 36, 42]) ** 2 / 80) < 4 * error.value).all()
    np.testing.assert_allclose(lag.value, (groups["V"] - fit["V_sun"]).value)
    assert fit.columns["dof"] == 4
    assert 0.0 < fit.columns["chi2"] < 20.0


def test_it_is_stromberg_of_the_solar_motion(populations):
    stars, _ = populations
    fit = Drift(by="population").fit(stars)
    groups = ak.estimators.SolarMotion(by="population", dispersion="full").fit(stars)
    again = stromberg(groups)
    np.testing.assert_allclose([again[k].value for k in NAMES], [fit[k].value for k in NAMES], rtol=1e-9)
    np.testing.assert_allclose(again.covariance, fit.covariance, rtol=1e-8)
    assert again.derived["slope"].value == pytest.approx(1 / fit["k"].value)


def test_bins_are_groups_too(populations):
    stars, _ = populations
    labels, bins = (Drift(by=by).fit(stars) for by in ("population", ("population", np.arange(0.5, 7.5))))
    np.testing.assert_allclose([bins[k].value for k in NAMES], [labels[k].value for k in NAMES], rtol=1e-9)
    assert bins.of_groups.groups[0] == (0.5, 1.5)


def test_errors_of_lags_are_those_of_simulations():
    lags = []
    for seed in range(150):
        stars, _ = Drift(by="population").simulate(1200, np.random.default_rng(seed))
        fit = Drift(by="population").fit(stars)
        lags.append([fit.of_groups.derived["lag"].value, fit.of_groups.derived_error["lag"].value])
    lag, error = np.array(lags).swapaxes(0, 1)
    np.testing.assert_allclose(np.std(lag, axis=0) / np.sqrt(np.mean(error**2, axis=0)), 1.0, atol=4 / np.sqrt(300))


def test_written_read_and_shown(populations, tmp_path):
    fit = Drift(by="population").fit(populations[0])
    fit.write(tmp_path / "drift.ecsv")
    back = ak.Fit.read(tmp_path / "drift.ecsv")
    assert str(back) == str(fit)
    assert back.of_groups == fit.of_groups
    assert "groups:" in str(fit)
    assert "lag [km / s]" in str(fit)
    assert "lag" in fit._repr_html_()


def test_bootstrap(populations):
    stars, n = populations[0][:6000], 60
    fit = Drift(by="population", bootstrap=n).fit(stars)
    plain = Drift(by="population").fit(stars)
    ratio = np.array([float(fit.error[k] / plain.error[k]) for k in NAMES])
    np.testing.assert_allclose(ratio, 1.0, atol=4 / np.sqrt(2 * n) + 0.05)
    assert any("bootstrap" in note for note in fit.notes)


def test_the_rotation_comes_out_first(populations):
    rotation = (15.3, -11.9, -3.2, -3.3) * KS / u.kpc
    estimator = Drift(by="population", rotation=rotation)
    stars, truth = estimator.simulate(20_000, np.random.default_rng(3))
    fit = estimator.fit(stars)
    for name in truth:
        assert abs(fit[name] - truth[name]) < 4 * fit.error[name]


def test_scatter_of_groups():
    stars, truth = Drift(by="population").simulate(60_000, np.random.default_rng(8))
    kick = np.array([3.0, -3.0, 2.5, -2.0, 0.0, 1.0])[stars["population"] - 1]
    moved = stars.replace(radial_velocity=stars.raw.radial_velocity + kick * (galaxy_y(stars)))
    plain, scattered = (Drift(by="population", use="rv", scatter=s).fit(moved) for s in (False, True))
    assert plain.columns["chi2"] > 20
    assert scattered.columns["chi2"] == pytest.approx(4.0, rel=1e-3)
    assert scattered.columns["scatter_V"] > 0.5 * KS
    assert scattered.error["V_sun"] > 2 * plain.error["V_sun"]
    assert abs(scattered["V_sun"] - truth["V_sun"]) < 4 * scattered.error["V_sun"]


def galaxy_y(stars):
    """Component of the directions along rotation."""
    return (ak.galaxy.icrs_to_galactic() @ stars.raw.direction)[1]


# ---- what does not go --------------------------------------------------------------------------------------


def test_without_groups():
    stars, _ = Drift(by="population").simulate(100, np.random.default_rng(1))
    with pytest.raises(InputError, match="AsymmetricDrift relates groups of stars"):
        Drift().fit(stars)
    with pytest.raises(InputError, match=r"needs the solar motion of groups .* and no groups"):
        stromberg(ak.estimators.SolarMotion().fit(stars))
    with pytest.raises(InputError, match="this fit has U, V, W"):
        stromberg(ak.estimators.SolarMotion(by="population", method="moments").fit(stars))
    with pytest.raises(InputError, match="not 3"):
        stromberg(3)


def test_too_few_groups_and_groups_of_few_stars():
    stars, _ = Drift(by="population").simulate(3000, np.random.default_rng(1))
    two = Drift(by="population").fit(stars[stars["population"] < 3])
    assert two.undetermined.keys() == set(NAMES)
    assert "of 2 of the groups V and dispersion are known" in two.undetermined["V_sun"]
    assert all(np.isnan(v) for v in (*two.values(), *two.error.values(), *two.derived.values()))
    keep = (stars["population"] > 1) | (np.arange(3000) == 0)
    fit = Drift(by="population").fit(stars[keep])
    assert np.isnan(fit.of_groups.derived["lag"][0])
    assert np.isfinite([fit.error[k].value for k in NAMES]).all()
    assert fit.columns["dof"] == 3


def test_groups_of_one_dispersion():
    stars, _ = ak.estimators.SolarMotion().simulate(3000, np.random.default_rng(1))
    fit = Drift(by="kind").fit(stars.replace(columns={"kind": np.arange(3000) % 5}))
    assert "do not differ in dispersion" in fit.undetermined["V_sun"]


@pytest.mark.parametrize("dispersion", ["full", "diagonal"])
def test_a_singular_tensor(dispersion):
    """No motion in W, and no errors: the tensor is at its limit, and a note says so; nothing is NaN."""
    rng = np.random.default_rng(1)
    kind = np.arange(3000) % 4
    sigma = np.array([10, 20, 30, 40.0])[kind]
    place = simulation.disc(3000, rng, radius=0.3)
    velocity = sigma * np.array([[1.0], [0.6], [0.0]]) * rng.normal(size=(3, 3000))
    velocity[1] -= sigma**2 / 80
    velocity -= np.array([[11.1], [12.24], [7.25]])
    exact = dict.fromkeys(simulation.GAIA_ERRORS, 0.0)
    stars = simulation.observed(place, velocity, rng, exact, columns={"kind": kind}).replace(covariance=None)
    fit = Drift(by="kind", dispersion=dispersion).fit(stars)
    assert any("explain the whole scatter" in note for note in fit.notes)
    assert all(np.isfinite(e.value) for e in fit.error.values())
    assert all(np.isfinite(e.value).all() for e in fit.of_groups.error.values())
    assert fit["W_sun"].value == pytest.approx(7.25, abs=1e-6)
    assert abs(fit["V_sun"].value - 12.24) < 4 * fit.error["V_sun"].value


def test_adding_to_all_velocities_adds_to_the_sun(populations):
    stars = populations[0][:4000]
    along = np.array([5.0, -3.0, 2.0]) @ (ak.galaxy.icrs_to_galactic() @ stars.raw.direction)
    fit, moved = (
        Drift(by="population", use="rv").fit(s)
        for s in (stars, stars.replace(radial_velocity=stars.raw.radial_velocity - along))
    )
    for name, more in (("U_sun", 5.0), ("V_sun", -3.0), ("W_sun", 2.0), ("k", 0.0)):
        assert (moved[name] - fit[name]).value == pytest.approx(more, abs=1e-3 * fit.error[name].value)


def test_no_drift_no_k():
    stars, _ = Drift(by="population").simulate(3000, np.random.default_rng(1))
    still = np.array([12, 18, 24, 30, 36, 42.0])[stars["population"] - 1] ** 2 / 80
    stars = stars.replace(radial_velocity=stars.raw.radial_velocity + still * galaxy_y(stars))
    fit = Drift(by="population", use="rv").fit(stars)
    assert fit.undetermined.keys() == {"k"}
    assert "V does not grow with the dispersion" in fit.undetermined["k"]
    assert np.isnan(fit["k"])
    assert np.isnan(fit.error["k"])
    assert np.isnan(fit.derived["slope"])
    assert np.isfinite(fit.error["V_sun"])


def test_the_figure(populations):
    pytest.importorskip("matplotlib")
    figure = Drift(by="population").fit(populations[0]).plot()
    assert [ax.get_title().split(" =")[0] for ax in figure.axes] == ["U_sun", "V_sun", "W_sun"]
    lost = Drift(by="population").fit(populations[0][populations[0]["population"] < 3]).plot()
    assert all(ax.get_title() == "" for ax in lost.axes)


# ---- calibration -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("estimator", list(Drift.examples()), ids=lambda e: f"{'+'.join(e.use)}-{e.dispersion}")
def test_pulls_have_mean_zero_and_width_one(estimator):
    """Over 1000 samples of 20,000 stars, within 4 standard errors."""
    estimator = dataclasses.replace(estimator, scatter=False)
    n, pulls = 1000, {}
    for seed in range(n):
        stars, truth = estimator.simulate(20_000, np.random.default_rng(30_000 + seed))
        fit = estimator.fit(stars)
        for name in truth:
            pulls.setdefault(name, []).append(float((fit[name] - truth[name]) / fit.error[name]))
    told = {k: (np.mean(p) * np.sqrt(n), (np.std(p) - 1) * np.sqrt(2 * n)) for k, p in pulls.items()}
    print(estimator, {k: (round(np.mean(p), 3), round(np.std(p), 3)) for k, p in pulls.items()})
    assert all(abs(mean) < 4 and abs(width) < 4 for mean, width in told.values()), told
