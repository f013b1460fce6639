"""The astrometric solution in five to nine parameters: against lstsq, against simulations, on bad input."""

from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import EarthLocation
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import astrokin as ak
from astrokin.errors import InputError
from astrokin.estimators import AstrometricSolution
from astrokin.estimators.solution_quality import goodness_of_fit
from astrokin.scanning import ScanningLaw, Transits, observed

MAS = u.mas
OBSERVER = ak.Observer(ak.column("obstime"), "gaia")


def sample(n=20, model="5", seed=3, epoch=2017.5, **options):
    estimator = AstrometricSolution(model, reference_epoch=epoch, **options)
    return estimator, *estimator.simulate(n, np.random.default_rng(seed))


def of(epochs, source):
    return epochs[np.asarray(epochs["source_id"] == source)]


def design(epochs, epoch, order):
    """The model as its definition says, written down once more."""
    psi, t = np.radians(epochs.raw["scan_angle"]), epochs.raw["obstime"] - epoch
    s, c = np.sin(psi), np.cos(psi)
    columns = [
        s,
        c,
        epochs.raw["parallax_factor"],
        s * t,
        c * t,
        s * t**2 / 2,
        c * t**2 / 2,
        s * t**3 / 6,
        c * t**3 / 6,
    ]
    return np.stack(columns[: 2 * order + 3], axis=1)


# ---- against an independent least squares ----------------------------------------------------------------


@pytest.mark.parametrize(("model", "order"), [("5", 1), ("7", 2), ("9", 3)])
@pytest.mark.parametrize("epoch", [2017.5, 2000.0])
def test_values_and_covariance_are_those_of_lstsq(model, order, epoch):
    estimator, epochs, _ = sample(5, model, epoch=epoch)
    fit = estimator.fit(epochs)
    for i, source in enumerate(fit.groups):
        rows = of(epochs, source)
        sigma = rows.raw["abscissa_error"]
        x, y = design(rows, epoch, order) / sigma[:, None], rows.raw["abscissa"] / sigma
        values, chi2, *_ = np.linalg.lstsq(x, y, rcond=None)
        covariance = np.linalg.inv(x.T @ x)
        error = np.sqrt(np.diag(covariance))
        mine = np.array([fit[k][i].value for k in fit])
        assert np.abs((mine - values) / error).max() < 1e-6
        assert np.allclose(fit.covariance[i] / np.outer(error, error), covariance / np.outer(error, error), atol=1e-6)
        assert fit.columns["chi2"][i] == pytest.approx(chi2[0], rel=1e-9)
        assert fit.columns["dof"][i] == len(rows) - len(fit)


def test_two_dimensions_with_correlated_errors_are_generalised_least_squares():
    rng = np.random.default_rng(5)
    n = 30
    t, f = rng.uniform(-2, 2, n), rng.uniform(-1, 1, (2, n))
    errors, corr = rng.uniform(0.1, 0.5, (2, n)), rng.uniform(-0.9, 0.9, n)
    position = rng.normal(size=(2, n))
    epochs = ak.Epochs(
        obstime=2017.0 + t,
        delta_ra=position[0] * MAS,
        delta_dec=position[1] * MAS,
        delta_ra_error=errors[0] * MAS,
        delta_dec_error=errors[1] * MAS,
        delta_ra_dec_corr=corr,
        parallax_factor_ra=f[0],
        parallax_factor_dec=f[1],
    )
    fit = AstrometricSolution(reference_epoch=2017.0).fit(epochs)
    normal, vector = np.zeros((5, 5)), np.zeros(5)
    for i in range(n):
        x = np.array([[1, 0, f[0, i], t[i], 0], [0, 1, f[1, i], 0, t[i]]])
        mixed = corr[i] * errors[0, i] * errors[1, i]
        weight = np.linalg.inv([[errors[0, i] ** 2, mixed], [mixed, errors[1, i] ** 2]])
        normal += x.T @ weight @ x
        vector += x.T @ weight @ position[:, i]
    assert np.allclose([fit[k].value for k in fit], np.linalg.solve(normal, vector), rtol=1e-8, atol=1e-10)
    assert np.allclose(fit.covariance, np.linalg.inv(normal), rtol=1e-7, atol=1e-12)
    assert fit.columns["dof"] == 2 * n - 5


@settings(max_examples=20, deadline=None)
@given(
    shift=st.lists(st.floats(-1e4, 1e4), min_size=5, max_size=5),
    turn=st.floats(-180.0, 180.0),
)
def test_what_is_added_to_the_model_is_added_to_the_results_and_axes_turn_along(shift, turn):
    estimator, epochs, _ = sample(1)
    before = estimator.fit(epochs)
    added = epochs.raw["abscissa"] + design(epochs, 2017.5, 1) @ shift
    after = estimator.fit(epochs.replace(abscissa=added * MAS))
    for k, by in zip(before, shift, strict=True):
        assert after[k].value == pytest.approx(before[k].value + by, abs=1e-8 * max(1.0, *np.abs(shift)))
    turned = estimator.fit(epochs.replace(scan_angle=(epochs.raw["scan_angle"] + turn) * u.deg))
    s, c = np.sin(np.radians(turn)), np.cos(np.radians(turn))
    for x, y in (("delta_ra", "delta_dec"), ("pmra", "pmdec")):
        assert turned[x].value == pytest.approx(c * before[x].value + s * before[y].value, abs=1e-9)
    assert turned["parallax"].value == pytest.approx(before["parallax"].value, abs=1e-9)


def test_results_move_to_another_reference_epoch_by_the_motion():
    estimator, epochs, _ = sample(5, "7")
    here = estimator.fit(epochs)
    there = replace(estimator, reference_epoch=2010.0).fit(epochs)
    t = -7.5 * u.yr
    assert np.allclose(there["pmra"], here["pmra"] + t * here["acceleration_ra"])
    assert np.allclose(there["delta_ra"], here["delta_ra"] + t * here["pmra"] + t**2 / 2 * here["acceleration_ra"])
    own = replace(estimator, reference_epoch=None).fit(epochs)
    middle = own.columns["reference_epoch"].value
    one = of(epochs, own.groups[0])
    assert middle[0] == pytest.approx((one.raw["obstime"].min() + one.raw["obstime"].max()) / 2, abs=1e-9)
    assert np.allclose(own["pmra"].value, (here["pmra"] + (middle - 2017.5) * u.yr * here["acceleration_ra"]).value)


# ---- against the effects ---------------------------------------------------------------------------------


def stars(n, rng, motion=60.0, parallax=(5.0, 30.0)):
    return ak.Stars(
        ra=rng.uniform(0, 360, n) * u.deg,
        dec=np.degrees(np.arcsin(rng.uniform(-1, 1, n))) * u.deg,
        parallax=rng.uniform(*parallax, n) * MAS,
        pmra=rng.normal(0, motion, n) * MAS / u.yr,
        pmdec=rng.normal(0, motion, n) * MAS / u.yr,
        radial_velocity=rng.normal(0, 60, n) * u.km / u.s,
        epoch=2017.5,
        columns={"source_id": np.arange(n)},
    )


def seen(sample, rng, *effects, error=0.1, plane=False):
    moving = ak.effects.PerspectiveAcceleration(epoch=ak.column("obstime"), reference_epoch=2017.5)
    chain = ak.Chain.physical(moving, ak.effects.AnnualParallax(OBSERVER), *effects)
    transits = ScanningLaw().transits(sample.direction, 2014.6, 2019.6)
    return observed(sample, transits, chain, error * MAS, rng, plane)


@pytest.mark.parametrize("plane", [False, True])
def test_what_the_effects_did_is_recovered(plane):
    rng = np.random.default_rng(7)
    true = stars(80, rng)
    fit = AstrometricSolution(reference_epoch=2017.5, observer=OBSERVER).fit(seen(true, rng, plane=plane))
    for name in ("parallax", "pmra", "pmdec"):
        pull = ((fit[name] - getattr(true, name)) / fit.error[name]).value
        assert abs(pull.mean()) * np.sqrt(80) < 4
        assert abs(pull.std() - 1) * np.sqrt(160) < 4
    assert np.nanmean(fit.columns["f2"]) == pytest.approx(0, abs=4 / np.sqrt(80))


def test_the_receding_of_fast_stars_gives_their_radial_velocity():
    rng = np.random.default_rng(8)
    true = stars(30, rng, motion=5000.0, parallax=(200.0, 600.0))
    epochs = seen(true, rng, error=0.02)
    fit = AstrometricSolution("6", reference_epoch=2017.5, observer=OBSERVER).fit(epochs)
    error = fit.derived_error["radial_velocity"]
    pull = ((fit.derived["radial_velocity"] - true.radial_velocity) / error).value
    assert np.median(error.value) < 20.0  # km/s: the effect is seen
    assert abs(pull.mean()) * np.sqrt(30) < 4
    assert abs(pull.std() - 1) * np.sqrt(60) < 4
    five = AstrometricSolution(reference_epoch=2017.5, observer=OBSERVER).fit(epochs)
    assert np.median(five.columns["unit_weight_error"]) > 1.5


def test_parallax_factors_are_those_given_where_there_are_any():
    estimator, epochs, _ = sample(10)
    bare = ak.Epochs(**{"obstime": epochs["obstime"], "columns": epochs.extras,
                        **{k: epochs[k] for k in epochs.raw if k not in ("obstime", "parallax_factor")}})  # fmt: skip
    computed = replace(estimator, observer=OBSERVER).fit(bare)
    given_ = estimator.fit(epochs)
    assert np.allclose(computed["parallax"], given_["parallax"], atol=1e-9)
    some = np.where(np.arange(len(epochs)) % 2, epochs.raw["parallax_factor"], np.nan)
    mixed = replace(estimator, observer=OBSERVER).fit(epochs.replace(parallax_factor=some))
    assert np.allclose(mixed["parallax"], given_["parallax"], atol=1e-9)
    half = estimator.fit(epochs.replace(parallax_factor=some))
    assert half.left_out == {"no parallax factor": int(np.isnan(some).sum())}
    with pytest.raises(InputError, match=r"parallax_factor, or, for them to be computed, observer=ak.Observer"):
        estimator.fit(bare)
    nowhere = ak.Epochs(**{k: bare[k] for k in ("obstime", "abscissa", "abscissa_error", "scan_angle")})
    with pytest.raises(InputError, match=r"for them to be computed, ra and dec\.$"):
        replace(estimator, observer=OBSERVER).fit(nowhere)
    with pytest.raises(InputError, match=r"no rows are left to fit: .* no parallax factor"):
        estimator.fit(epochs.replace(parallax_factor=np.full(len(epochs), np.nan)))


# ---- quality ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dof", [20, 95, 500])
def test_f2_is_the_standard_normal_of_the_same_probability(dof):
    for z in (-3.0, -1.0, 0.0, 1.0, 3.0):
        chi2 = stats.chi2(dof).ppf(stats.norm.cdf(z))
        # What Wilson's and Hilferty's cube root leaves out falls with the degrees of freedom.
        assert goodness_of_fit(np.array([chi2]), np.array([float(dof)]))[0] == pytest.approx(z, abs=0.7 / dof)


def test_excess_noise_solves_its_equation_and_makes_pulls_honest():
    estimator, epochs, truth = sample(300, jitter=True)
    fit = estimator.fit(epochs)
    assert (fit.columns["outcome"] == "solved").all()
    assert np.median(fit.columns["excess_noise"].value) == pytest.approx(0.15, abs=0.02)
    for k in truth:
        pull = ((fit[k] - truth[k]) / fit.error[k]).value
        assert abs(pull.std() - 1) * np.sqrt(600) < 4
    rows = of(epochs, 1)
    noise, sigma = fit.columns["excess_noise"][0].value, rows.raw["abscissa_error"]
    residual = rows.raw["abscissa"] - design(rows, 2017.5, 1) @ [fit[k][0].value for k in fit]
    assert np.sum(residual**2 / (sigma**2 + noise**2)) == pytest.approx(len(rows) - 5, rel=1e-6)
    plain = replace(estimator, jitter=False).fit(epochs)
    assert ((plain["parallax"] - truth["parallax"]) / plain.error["parallax"]).value.std() > 1.1
    assert np.median(plain.columns["excess_noise"].value) == pytest.approx(0.15, abs=0.02)
    scaled = replace(estimator, jitter=False, errors="scaled").fit(epochs)
    ratio = (scaled.error["parallax"] / plain.error["parallax"]).value
    assert np.allclose(ratio, np.maximum(plain.columns["unit_weight_error"], 1.0))


@pytest.mark.parametrize("jitter", [False, True])
def test_outliers_are_left_out_counted_and_do_no_harm(jitter):
    estimator, epochs, truth = sample(100, reject=4.5, jitter=jitter)
    rng = np.random.default_rng(4)
    wrong = rng.uniform(size=len(epochs)) < 0.05
    values = epochs.raw["abscissa"] + wrong * rng.choice([-1, 1], len(epochs)) * rng.uniform(3, 300, len(epochs))
    fit = estimator.fit(epochs.replace(abscissa=values * MAS))
    assert fit.left_out["outliers"] == fit.columns["outliers"].sum()
    assert fit.left_out["outliers"] == pytest.approx(wrong.sum(), abs=0.01 * wrong.sum() + 3)
    assert fit.used + fit.left_out["outliers"] == len(epochs)
    for k in truth:
        pull = ((fit[k] - truth[k]) / fit.error[k]).value
        assert abs(pull.std() - 1) * np.sqrt(200) < 5
    bad = replace(estimator, reject=None, jitter=False).fit(epochs.replace(abscissa=values * MAS))
    assert ((bad["parallax"] - truth["parallax"]) / bad.error["parallax"]).value.std() > 10


# ---- bad input -------------------------------------------------------------------------------------------


def test_each_bad_source_has_its_own_outcome_and_the_rest_is_not_harmed():
    estimator, epochs, _ = sample(8)
    whole = estimator.fit(epochs)
    source, n = np.asarray(epochs["source_id"]), len(epochs)
    place = np.concatenate([np.arange((source == k).sum()) for k in whole.groups])
    month = np.abs(epochs.raw["obstime"] - epochs.raw["obstime"][source == 2][0]) < 15 / 365.25
    keep = ~((source == 1) & (place >= 4)) & ~((source == 2) & ~month)
    again = np.flatnonzero((source == 3) & (place < 6))
    error = np.where((source == 4) & (place % 2 == 0), -0.1, epochs.raw["abscissa_error"])
    angle = np.where((source == 5) & (place < 3), np.nan, epochs.raw["scan_angle"])
    one_time = np.where(source == 6, 2016.0, epochs.raw["obstime"])
    spoilt = epochs.replace(abscissa_error=error * MAS, scan_angle=angle * u.deg, obstime=one_time)
    spoilt = ak.Epochs.joined([spoilt[keep], spoilt[again]])
    fit = estimator.fit(spoilt[np.random.default_rng(1).permutation(len(spoilt))])
    outcome = dict(zip(fit.groups, fit.columns["outcome"].tolist(), strict=True))
    assert outcome[1] == "too few epochs"
    assert outcome[2] in ("poorly determined", "too few epochs", "undetermined")
    assert outcome[6] == "undetermined"
    assert {outcome[k] for k in (3, 4, 5, 7, 8)} == {"solved"}
    assert fit.left_out == {
        "no scan angle": 3,
        "abscissa error not positive": int((error < 0).sum()),
        "the same observation again": 6,
    }
    assert fit.used == len(spoilt) - sum(fit.left_out.values())
    assert n > fit.used
    for k in fit:
        assert np.isnan(fit[k][0])
        assert np.isnan(fit[k][5])
        assert np.allclose(fit[k][[2, 6, 7]], whole[k][[2, 6, 7]], rtol=1e-9, atol=0)
    few = list(outcome.values()).count("too few epochs")
    assert f"{few} of 8 sources: too few epochs" in str(fit)


def test_epochs_of_one_month_are_said_to_be_poor_and_the_errors_say_so_too():
    rng = np.random.default_rng(2)
    t = 2017.0 + rng.uniform(0, 30, 100) / 365.25
    psi = rng.uniform(0, 360, 100)
    place = OBSERVER.bound({"obstime": t}).seen().position
    factor = -place[0] * np.sin(np.radians(psi)) - place[1] * np.cos(np.radians(psi))
    epochs = ak.Epochs(obstime=t, abscissa=rng.normal(size=100) * MAS, abscissa_error=1 * MAS,
                       scan_angle=psi * u.deg, parallax_factor=factor)  # fmt: skip
    fit = AstrometricSolution(reference_epoch=2017.0).fit(epochs)
    assert fit.columns["outcome"] == "poorly determined"
    assert fit.error["parallax"] > 3 * MAS
    assert abs(fit["parallax"]) < 5 * fit.error["parallax"]


def test_as_many_epochs_as_parameters_give_a_solution_without_a_goodness():
    estimator, epochs, _ = sample(1)
    few = epochs[:: len(epochs) // 5][:5]
    fit = estimator.fit(few)
    assert fit.columns["dof"][0] == 0
    assert fit.columns["chi2"][0] == pytest.approx(0, abs=1e-12)
    assert np.isnan(fit.columns["f2"][0])
    assert np.isfinite(fit.error["parallax"].value).all() or fit.columns["outcome"][0] != "solved"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"model": "8"}, "it can be '5', '6'"),
        ({"model": 8}, "it can be '5', '6'|'9'"),
        ({"model": True}, "a text is needed"),
        ({"reject": -1.0}, "a positive number"),
        ({"period_range": (10, 5) * u.day}, "the shorter first"),
        ({"period_range": 10 * u.day}, "has shape"),
        ({"period_range": (10, 20)}, "no unit|no vector of Quantities"),
        ({"observer": "gaia"}, r"give an ak.Observer"),
        ({"reference_epoch": "soon"}, "no time"),
        ({"errors": "large"}, "'formal', 'scaled'|'scaled', 'formal'"),
    ],
)
def test_options_that_make_no_sense(options, words):
    with pytest.raises(InputError, match=words):
        AstrometricSolution(**options)


def test_a_number_names_a_model_too():
    assert AstrometricSolution(7) == AstrometricSolution("7")


# ---- figures ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["5", "6", "9"])
def test_the_track_goes_through_the_epochs(model):
    pytest.importorskip("matplotlib")
    estimator, epochs, _ = sample(3, model)
    figure = estimator.plot_source(epochs, 2)
    assert len(figure.axes) == 2
    with pytest.raises(InputError, match="several sources"):
        estimator.plot_source(epochs)
    with pytest.raises(InputError, match="no source 99"):
        estimator.plot_source(epochs, 99)


def test_the_model_in_a_figure_is_that_of_the_fit():
    from astrokin.estimators import solution_plot
    from astrokin.estimators.solution_model import scans_of

    for model in ("5", "6", "7", "9"):
        estimator, epochs, _ = sample(1, model)
        rows = epochs.replace(group=np.zeros(len(epochs), int), n_groups=1, columns={})
        scans, _ = scans_of(rows, None)
        fit = estimator.fit(rows)
        axis = scans.axes[0]
        residual = axis.value - solution_plot.predicted(fit, scans, axis)
        assert np.sum(residual**2 / axis.variance) == pytest.approx(fit.columns["chi2"], rel=1e-9)


# ---- contamination ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("refracted", [False, True])
def test_refraction_of_another_colour_fakes_a_parallax(refracted):
    """A blue star among redder ones, always near midnight: its hour angle goes with the season, as a parallax does."""
    site = EarthLocation.from_geodetic(-70.4, -24.6, 2635 * u.m)
    night = 2016 + (np.arange(3 * 365) + 5 / 24) / 365.25
    hour_angle = (280.46 + 360.9856473 * (night - 2000) * 365.25 - 70.4 - 90.0 + 180) % 360 - 180
    time = night[np.abs(hour_angle) < 50]
    true = ak.Stars(ra=[90.0] * u.deg, dec=[-5.0] * u.deg, parallax=[0.0] * MAS, pmra=[0.0] * MAS / u.yr,
                    pmdec=[0.0] * MAS / u.yr, radial_velocity=[0.0] * u.km / u.s)  # fmt: skip
    there = ak.Observer(ak.column("obstime"), site, pressure=743 * u.hPa, temperature=10 * u.deg_C,
                        relative_humidity=0.1, obswl=0.45 * u.micron)  # fmt: skip
    parallax = ak.effects.AnnualParallax(there)
    air = ak.effects.AtmosphericRefraction(there, reference_wavelength=0.55 * u.micron)
    transits = Transits(np.zeros(len(time), int), time, np.zeros(len(time)))
    chain = parallax | air if refracted else parallax
    epochs = observed(true, transits, chain, 10 * MAS, np.random.default_rng(1), plane=True)
    observer = ak.Observer(ak.column("obstime"), site)
    fit = AstrometricSolution(reference_epoch=2017.5, observer=observer).fit(epochs)
    found = fit["parallax"][0].value
    if refracted:
        assert found > 300
        assert fit.columns["f2"][0] > 10  # and the residuals tell
    else:
        assert abs(found) < 4 * fit.error["parallax"][0].value
