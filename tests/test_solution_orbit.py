"""Orbits from epochs: derivatives, elements, the blind search, radial velocities, and Gaia BH3."""

from dataclasses import replace
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.time import Time

import astrokin as ak
from astrokin import kepler
from astrokin.estimators import AstrometricSolution, orbit_model, orbit_search
from astrokin.estimators.orbit_model import Problem, Velocities
from astrokin.estimators.solution_elements import elements
from astrokin.estimators.solution_model import scans_of
from astrokin.scanning import ScanningLaw, observed
from astrokin.units import A

MAS = u.mas
OBSERVER = ak.Observer(ak.column("obstime"), "gaia")
PERIODS = (100, 700) * u.day


def sample(n, seed=5, **options):
    options = {"reference_epoch": 2017.5, "period_range": PERIODS, **options}
    estimator = AstrometricSolution("orbit", **options)
    return estimator, *estimator.simulate(n, np.random.default_rng(seed))


def problem(velocities=True):
    _, epochs, truth = sample(1)
    rows = epochs.replace(group=np.zeros(len(epochs), int), n_groups=1)
    rng = np.random.default_rng(1)
    rv = Velocities(rng.uniform(2014, 2019, 12), rng.normal(0, 20, 12), np.full(12, 0.5)) if velocities else None
    years = truth["period"][0].to_value(u.yr)
    phase = (2017.5 - truth["t_periastron"][0].value) / years
    shape = np.array([np.log(years), truth["eccentricity"][0].value, phase])
    return Problem.of(scans_of(rows, None)[0], rv, 2017.5), shape


# ---- the model -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("e", [0.0, 0.3, 0.9])
def test_slopes_of_the_orbit_are_those_of_differences(e):
    phase, step = np.linspace(-1.2, 1.3, 41), 1e-6
    moving, bending = orbit_model.orbit_slopes(phase, e)
    ends = [kepler.orbit(phase + s * step, e) for s in (-1, 1)]
    wider = [kepler.orbit(phase, e + s * step) for s in ((-1, 1) if e else (0, 1))]
    span = 2 * step if e else step
    for k in range(4):
        for slope, (low, high), width in ((moving[k], ends, 2 * step), (bending[k], wider, span)):
            by_difference = (high[k] - low[k]) / width
            assert np.allclose(slope, by_difference, rtol=2e-4, atol=1e-4 * np.abs(slope).max())


def test_slopes_of_the_whole_model_are_those_of_differences():
    case, shape = problem()
    values = case.linear(shape)[0]
    slopes = case.slopes(shape, values)
    for k in range(3):
        step = np.zeros(3)
        step[k] = 1e-6
        by_difference = (case.matrix(shape + step) - case.matrix(shape - step)) @ values / 2e-6
        assert np.allclose(slopes[:, k], by_difference, rtol=1e-5, atol=1e-6 * np.abs(by_difference).max())


def test_the_gain_of_the_grid_is_what_least_squares_gain():
    case, shape = problem(velocities=False)
    case = replace(case, time=case.time, alive=np.arange(len(case.scans)) % 3 > 0)
    sky = orbit_search._Sky(case)
    for e, phase in ((0.2, 0.1), (0.7, 0.6)):
        trial = np.array([shape[0], e, phase])
        with_orbit = np.sum(case.linear(trial)[1] ** 2)
        single = case.matrix(trial)[:, :5]
        without = np.linalg.lstsq(single, case.data(), rcond=None)[1][0]
        gain = sky.gain(np.array([np.exp(-trial[0])]), np.array([e]), np.array([phase]))[0]
        assert gain == pytest.approx(without - with_orbit, rel=2e-3)  # epochs of one transit are made one


def test_elements_are_those_of_kepler():
    rng = np.random.default_rng(3)
    campbell = rng.uniform([0.5, 0.1, 0.1, 0.1], [5.0, 3.0, 3.0, 6.2], (20, 4)).T
    innes = kepler.thiele_innes(*campbell)
    found = elements({k: v * MAS for k, v in zip("ABFG", innes, strict=True)})
    expected = kepler.campbell(*innes)
    assert np.allclose(found["semi_major_axis"].value, expected[0], rtol=1e-9)
    for name, angle in zip(("inclination", "node", "periastron"), expected[1:], strict=True):
        assert np.allclose(found[name].to_value(u.rad), angle, atol=1e-7)


def test_radial_velocities_tell_which_node_ascends():
    campbell = np.array([2.0, 1.0, 4.0, 0.7])  # the node beyond 180 deg
    innes = kepler.thiele_innes(*campbell)
    size, i, _, w = campbell
    known = {k: np.array(v) * MAS for k, v in zip("ABFG", innes, strict=True)}
    known |= {"C": size * np.sin(w) * np.sin(i) * u.au, "H": size * np.cos(w) * np.sin(i) * u.au}
    known |= {"period": 365.25 * u.day, "eccentricity": 0.5 * u.one}
    found = elements(known)
    assert found["node"].to_value(u.rad) == pytest.approx(4.0, abs=1e-9)
    assert found["periastron"].to_value(u.rad) == pytest.approx(0.7, abs=1e-9)
    expected = 2 * np.pi * A * size * np.sin(i) / np.sqrt(0.75)
    assert found["semi_amplitude"].value == pytest.approx(expected, rel=1e-9)


# ---- found again -----------------------------------------------------------------------------------------


def test_orbits_are_found_blindly_with_pulls_of_unit_width():
    estimator, epochs, truth = sample(30)
    fit = estimator.fit(epochs)
    good = fit.columns["outcome"] == "solved"
    assert good.sum() >= 28
    for k in truth:
        pull = ((fit[k] - truth[k]) / fit.error[k]).value[good]
        assert abs(pull.mean()) * np.sqrt(len(pull)) < 4, k
        assert abs(pull.std() - 1) * np.sqrt(2 * len(pull)) < 4, k
    assert abs(np.mean(fit.columns["f2"][good])) * np.sqrt(good.sum()) < 4


def test_radial_velocities_are_fitted_along():
    estimator, epochs, truth = sample(6)
    rng = np.random.default_rng(2)
    parts = [epochs]
    for g in range(6):
        t = rng.uniform(2014.6, 2019.6, 15)
        years = truth["period"][g].to_value(u.yr)
        _, _, vx, vy = kepler.orbit((t - truth["t_periastron"][g].value) / years, truth["eccentricity"][g].value)
        v = 30.0 + 2 * np.pi * A / years * (0.4 * vx - 0.3 * vy) + 0.3 * rng.normal(size=15)
        parts.append(ak.Epochs(obstime=t, radial_velocity=v * u.km / u.s, radial_velocity_error=0.3 * u.km / u.s,
                               columns={"source_id": np.full(15, g + 1)}))  # fmt: skip
    both = estimator.fit(ak.Epochs.joined(parts))
    alone = estimator.fit(epochs)
    assert both.used == len(epochs) + 90
    assert both.left_out == {}
    for name, true in {**truth, "systemic_velocity": 30 * u.km / u.s, "C": 0.4 * u.au, "H": -0.3 * u.au}.items():
        pull = ((both[name] - true) / both.error[name]).value
        assert np.abs(pull).max() < 4.5, name
    assert (both.error["period"] < alone.error["period"]).all()
    assert (both.columns["dof"] == alone.columns["dof"] + 12).all()
    five = AstrometricSolution(reference_epoch=2017.5).fit(ak.Epochs.joined(parts))
    assert five.left_out == {"radial velocity alone": 90}


def test_the_chain_photocentre_parallax_and_motion_is_recovered_end_to_end():
    rng = np.random.default_rng(6)
    n = 12
    stars = ak.Stars(
        ra=rng.uniform(0, 360, n) * u.deg,
        dec=np.degrees(np.arcsin(rng.uniform(-1, 1, n))) * u.deg,
        parallax=rng.uniform(8, 30, n) * MAS,
        pmra=rng.normal(0, 50, n) * MAS / u.yr,
        pmdec=rng.normal(0, 50, n) * MAS / u.yr,
        radial_velocity=np.zeros(n) * u.km / u.s,
        epoch=2017.5,
        columns={"source_id": np.arange(n), "P": rng.uniform(150, 290, n) * u.day, "e": rng.uniform(0.1, 0.7, n)},
    )
    binary = ak.effects.BinaryPhotocentre(
        period=ak.column("P"), semi_major_axis=1.2 * u.au, eccentricity=ak.column("e"), inclination=50 * u.deg,
        node=40 * u.deg, periastron=70 * u.deg, t_periastron=2017.4, mass_ratio=0.6, flux_ratio=0.02, observer=OBSERVER,
    )  # fmt: skip
    moving = ak.effects.PerspectiveAcceleration(epoch=ak.column("obstime"), reference_epoch=2017.5)
    chain = moving | binary | ak.effects.AnnualParallax(OBSERVER)
    transits = ScanningLaw().transits(stars.direction, 2014.6, 2019.6)
    epochs = observed(stars, transits, chain, 0.05 * MAS, rng)
    estimator = AstrometricSolution("orbit", reference_epoch=2017.5, observer=OBSERVER, period_range=PERIODS)
    fit = estimator.fit(epochs)
    assert (fit.columns["outcome"] == "solved").all()
    size = (0.6 / 1.6 - 0.02 / 1.02) * 1.2 * stars.parallax.value
    expected = {"parallax": stars.parallax.value, "pmra": stars.pmra.value, "pmdec": stars.pmdec.value,
                "period": stars["P"].value, "eccentricity": np.asarray(stars["e"])}  # fmt: skip
    for name, true in expected.items():
        pull = (fit[name].value - true) / fit.error[name].value
        assert np.abs(pull).max() < 4.5, name
    derived = {"semi_major_axis": size, "inclination": 50.0, "node": 40.0, "periastron": 250.0}
    for name, true in derived.items():
        pull = (fit.derived[name].value - true) / fit.derived_error[name].value
        assert np.abs(pull).max() < 4.5, name
    five = replace(estimator, model="5").fit(epochs)
    assert (five.columns["unit_weight_error"] > 20).all()  # the contamination that a single star would have


def test_two_orbits_that_fit_alike_are_told():
    """A period near a year hides behind the parallax where the epochs are few."""
    _, epochs, _ = sample(60, seed=21)
    few = epochs[np.random.default_rng(1).uniform(size=len(epochs)) < 0.25]
    fit = AstrometricSolution("orbit", reference_epoch=2017.5, period_range=(20, 900) * u.day).fit(few[:200])
    outcomes = dict(zip(fit.groups, zip(fit.columns["outcome"], fit.columns["chi2_margin"], strict=True), strict=True))
    found = [(what, margin) for what, margin in outcomes.values() if what in ("solved", "ambiguous")]
    assert all((what == "ambiguous") == (margin < 9) for what, margin in found)
    assert "ambiguous" in fit.columns["outcome"]


def test_a_single_star_has_no_orbit_worth_the_name_and_few_epochs_none_at_all():
    single, epochs, _ = (e := AstrometricSolution(reference_epoch=2017.5)), *e.simulate(3, np.random.default_rng(2))
    fit = AstrometricSolution("orbit", reference_epoch=2017.5, period_range=PERIODS).fit(epochs)
    assert (fit.columns["outcome"] != "solved").all()
    assert single.fit(epochs).converged
    few = AstrometricSolution("orbit", reference_epoch=2017.5).fit(epochs[:9])
    assert few.columns["outcome"].tolist() == ["too few epochs"]


# ---- Gaia BH3 --------------------------------------------------------------------------------------------

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="module")
def bh3():
    if not (DATA / "bh3_epochast.dat").is_file():
        pytest.skip("the epochs of Gaia BH3 are not here")
    table = np.genfromtxt(DATA / "bh3_epochast.dat")
    good = table[table[:, 7] == 0].T
    positions = ak.Epochs(
        obstime=Time(good[2], format="jd", scale="tcb"), abscissa=good[3] * MAS, abscissa_error=good[4] * MAS,
        parallax_factor=good[5], scan_angle=good[6] * u.deg,
    )  # fmt: skip
    rv = np.genfromtxt(DATA / "bh3_epochrv.dat").T
    velocities = ak.Epochs(
        obstime=Time(rv[1], format="jd", scale="tcb"), radial_velocity=rv[2] * u.km / u.s,
        radial_velocity_error=rv[3] * u.km / u.s,
    )  # fmt: skip
    return positions, velocities


def within(fit, name, value, errors=1.0):
    """Whether a published value is met, in units of the error of the fit."""
    found = {**fit.results, **fit.derived}[name].value
    error = {**fit.error, **fit.derived_error}[name].value
    return abs(found - value) < errors * error


def test_bh3_as_a_single_star(bh3):
    fit = AstrometricSolution(reference_epoch=2017.5).fit(bh3[0])
    assert fit.used == 599
    assert fit.columns["unit_weight_error"] > 50
    assert fit["pmra"].value == pytest.approx(-28.3, abs=3)
    assert fit["pmdec"].value == pytest.approx(-155, abs=8)


@pytest.mark.parametrize("with_velocities", [False, True])
def test_the_orbit_of_bh3_from_a_blind_search(bh3, with_velocities):
    epochs = ak.Epochs.joined(bh3) if with_velocities else bh3[0]
    fit = AstrometricSolution("orbit", reference_epoch=2017.5, jitter=True).fit(epochs)
    assert fit.columns["outcome"] == "solved"
    assert within(fit, "period", 4236.0)
    assert within(fit, "eccentricity", 0.728)
    assert within(fit, "semi_major_axis", 27.3)
    assert within(fit, "parallax", 1.68)
    assert fit.error["period"].value == pytest.approx(105, abs=20)
    assert fit.error["parallax"].value == pytest.approx(0.009, abs=0.002)
    assert within(fit, "inclination", 110.6)
    assert fit.columns["unit_weight_error"] == pytest.approx(0.96, abs=0.05)
    mass = (fit.derived["semi_major_axis"].value / fit["parallax"].value) ** 3 / fit["period"].to_value(u.yr) ** 2
    assert mass == pytest.approx(32, abs=1)  # solar masses: M2^3/(M1 + M2)^2
    if with_velocities:
        assert fit["systemic_velocity"].value == pytest.approx(-357.3, abs=1.0)
        turn = np.degrees(np.arctan2(fit["C"].value, fit["H"].value))
        assert turn == pytest.approx(fit.derived["periastron"].value, abs=3.0)


def test_parallax_factors_of_bh3_are_gaias_to_half_a_per_cent(bh3):
    given = bh3[0].raw["parallax_factor"]
    placed = bh3[0].replace(ra=294.827846 * u.deg, dec=14.930919 * u.deg, parallax_factor=np.full(599, np.nan))
    rows = placed.replace(group=np.zeros(599, int), n_groups=1)
    scans, left_out = scans_of(rows, OBSERVER)
    assert len(scans) == 599
    assert not any(mask.any() for mask in left_out.values())
    assert np.abs(scans.axes[0].factor - given).max() < 0.006


def test_the_search_as_a_figure():
    pytest.importorskip("matplotlib")
    estimator, epochs, truth = sample(2)
    (ax,) = estimator.plot_search(epochs, source=2).axes
    fall, best = ax.lines
    assert best.get_ydata()[0] == fall.get_ydata().max()
    assert best.get_xdata()[0] == pytest.approx(truth["period"][1].value, rel=0.05)
    assert fall.get_xdata().min() < 101
    assert fall.get_xdata().max() == pytest.approx(700)
    with pytest.raises(ak.errors.InputError, match="say which one"):
        estimator.plot_search(epochs)


def test_the_orbit_of_bh3_as_a_figure(bh3):
    pytest.importorskip("matplotlib")
    estimator = AstrometricSolution("orbit", reference_epoch=2017.5)
    sky, residuals = estimator.plot_source(bh3[0]).axes
    x, y = sky.get_xlim(), sky.get_ylim()
    assert x[0] > 5
    assert x[1] < -20
    assert y[0] < -15
    assert y[1] > 10
    assert residuals.get_ylim()[1] < 2
