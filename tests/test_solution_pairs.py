"""Pairs of correlated observations along the scan: against generalised least squares, pulls, orbits, bad input."""

from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

import astrokin as ak
from astrokin.errors import InputError
from astrokin.estimators import AstrometricSolution
from astrokin.estimators.orbit_model import Problem
from astrokin.estimators.solution_model import scans_of
from astrokin.estimators.solution_pairs import Pairs

MAS = u.mas


def paired(epochs, rng, corr=0.8, alone=0.2):
    """Epochs two by two with a correlation each, in any order; some are left alone."""
    n = len(epochs)
    source = np.asarray(epochs["source_id"])
    place = np.arange(n) - np.searchsorted(source, source)
    pair = (place // 2).astype(float)
    rho = corr * rng.uniform(-1, 1, n)[np.unique((source, pair), axis=1, return_inverse=True)[1].ravel()]
    single = rng.uniform(size=n) < alone  # a partner of one of these is alone too, its number or not
    return epochs.replace(abscissa_pair=np.where(single, np.nan, pair), abscissa_corr=np.where(single, np.nan, rho))


def covariance(rows, extra=0.0):
    """The whole matrix of one source, pair by pair as the definition says."""
    sigma, pair, rho = (rows.raw[k] for k in ("abscissa_error", "abscissa_pair", "abscissa_corr"))
    out = np.diag(sigma**2)
    for i in range(len(rows)):
        for j in range(len(rows)):
            if i != j and pair[i] == pair[j]:
                out[i, j] = rho[i] * sigma[i] * sigma[j]
    return out + extra * np.eye(len(rows))


def design(rows, epoch=2017.5):
    psi, t = np.radians(rows.raw["scan_angle"]), rows.raw["obstime"] - epoch
    s, c = np.sin(psi), np.cos(psi)
    return np.stack([s, c, rows.raw["parallax_factor"], s * t, c * t], axis=1)


def sample(n, seed=3, corr=0.8, **options):
    """Epochs whose errors are correlated as they say."""
    estimator = AstrometricSolution(reference_epoch=2017.5, **options)
    rng = np.random.default_rng(seed)
    epochs, truth = replace(estimator, jitter=False).simulate(n, rng)
    epochs = paired(epochs, rng, corr)
    values = np.empty(len(epochs))
    for k in range(n):
        mine = np.asarray(epochs["source_id"]) == k + 1
        rows = epochs[mine]
        true = design(rows) @ [truth[name][k].value for name in truth]
        noise = covariance(rows, 0.15**2 if options.get("jitter") else 0.0)
        values[mine] = true + np.linalg.cholesky(noise) @ rng.normal(size=len(rows))
    return estimator, epochs.replace(abscissa=values * MAS), truth


def of(epochs, source):
    return epochs[np.asarray(epochs["source_id"] == source)]


def test_they_are_generalised_least_squares():
    estimator, epochs, _ = sample(4)
    fit = estimator.fit(epochs[np.random.default_rng(1).permutation(len(epochs))])
    assert (fit.columns["outcome"] == "solved").all()
    for i, source in enumerate(fit.groups):
        rows = of(epochs, source)
        weight = linalg.inv(covariance(rows))
        x, y = design(rows), rows.raw["abscissa"]
        matrix = linalg.inv(x.T @ weight @ x)
        values = matrix @ x.T @ weight @ y
        left = y - x @ values
        assert np.allclose([fit[k][i].value for k in fit], values, rtol=1e-8, atol=1e-9)
        assert np.allclose(fit.covariance[i], matrix, rtol=1e-7, atol=1e-12)
        assert fit.columns["chi2"][i] == pytest.approx(left @ weight @ left, rel=1e-9)


@settings(max_examples=30, deadline=None)
@given(
    errors=st.lists(st.floats(0.01, 10), min_size=6, max_size=6),
    corr=st.lists(st.floats(-0.99, 0.99), min_size=3, max_size=3),
    dead=st.integers(0, 5),
)
def test_weighting_and_whitening_invert_the_covariance(errors, corr, dead):
    variance, alive = np.array(errors) ** 2, np.arange(6) != dead
    label, rho = np.array([0, 1, 2, 1, 0, 2.0]), np.array(corr)[[0, 1, 2, 1, 0, 2]]
    pairs = Pairs.of(np.zeros(6, int), label, rho, variance)
    full = np.diag(variance)
    for i, j in ((0, 4), (1, 3), (2, 5)):
        full[i, j] = full[j, i] = rho[i] * np.sqrt(variance[i] * variance[j])
    inverse = np.zeros((6, 6))
    inverse[np.ix_(alive, alive)] = np.linalg.inv(full[np.ix_(alive, alive)])
    size = np.sqrt(np.outer(variance, variance))
    assert np.allclose(pairs.weighted(np.eye(6), variance, alive) * size, inverse * size, rtol=1e-9, atol=1e-9)
    white = pairs.whitened(np.eye(6), variance, alive)
    assert np.allclose((white @ white.T) * size, inverse * size, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("jitter", [False, True])
def test_pulls_are_of_unit_width(jitter):
    estimator, epochs, truth = sample(250, seed=4, jitter=jitter)
    fit = estimator.fit(epochs)
    for k in truth:
        pull = ((fit[k] - truth[k]) / fit.error[k]).value
        assert abs(pull.mean()) * np.sqrt(250) < 4, k
        assert abs(pull.std() - 1) * np.sqrt(500) < 4, k
    if not jitter:
        assert abs(np.mean(fit.columns["f2"])) * np.sqrt(250) < 4


def test_without_their_correlations_the_errors_are_wrong():
    """Partners that were all but the same observation count as one."""
    rng = np.random.default_rng(5)
    estimator = AstrometricSolution(reference_epoch=2017.5)
    epochs, truth = estimator.simulate(150, rng)
    noise = 0.2 * rng.normal(size=len(epochs))
    twice = {k: np.repeat(v, 2) for k, v in epochs.raw.items()}
    true = np.concatenate([design(of(epochs, k + 1)) @ [truth[n][k].value for n in truth] for k in range(150)])
    own = np.sqrt(1 - 0.95) * 0.2 * rng.normal(size=2 * len(noise))
    doubled = ak.Epochs(
        obstime=twice["obstime"], abscissa=(np.repeat(true + np.sqrt(0.95) * noise, 2) + own) * MAS,
        abscissa_error=0.2 * MAS, scan_angle=twice["scan_angle"] * u.deg, parallax_factor=twice["parallax_factor"],
        abscissa_pair=np.repeat(np.arange(len(noise)), 2), abscissa_corr=np.full(2 * len(noise), 0.95),
        columns={"source_id": np.repeat(epochs["source_id"], 2)},
    )  # fmt: skip
    told, silent = doubled, doubled.replace(abscissa_corr=np.zeros(len(doubled)))
    widths = [
        ((fit["parallax"] - truth["parallax"]) / fit.error["parallax"]).value.std()
        for fit in map(estimator.fit, (told, silent))
    ]
    assert abs(widths[0] - 1) * np.sqrt(300) < 4
    assert widths[1] > 1.25  # sqrt(1.95) in the mean


def test_excess_noise_solves_its_equation():
    estimator, epochs, _ = sample(5, jitter=True)
    fit = estimator.fit(epochs)
    rows = of(epochs, 2)
    weight = linalg.inv(covariance(rows, fit.columns["excess_noise"][1].value ** 2))
    left = rows.raw["abscissa"] - design(rows) @ [fit[k][1].value for k in fit]
    assert left @ weight @ left == pytest.approx(len(rows) - 5, rel=1e-6)


def test_what_is_left_of_a_pair_is_on_its_own():
    """A partner that is an outlier, or cannot be used, takes the correlation with it."""
    estimator, epochs, _ = sample(1, reject=6.0)
    first = np.flatnonzero(epochs.raw["abscissa_pair"] == epochs.raw["abscissa_pair"][-1])[0]
    wild = epochs.raw["abscissa"].copy()
    wild[first] += 500.0
    fit = estimator.fit(epochs.replace(abscissa=wild * MAS))
    angle = np.where(np.arange(len(epochs)) == first, np.nan, epochs.raw["scan_angle"])
    blind = estimator.fit(epochs.replace(scan_angle=angle * u.deg))
    gone = estimator.fit(epochs[np.arange(len(epochs)) != first])
    for k in gone:
        assert fit[k][0].value == pytest.approx(gone[k][0].value, abs=1e-9)
        assert blind[k][0].value == pytest.approx(gone[k][0].value, abs=1e-9)
        assert fit.error[k][0].value == pytest.approx(gone.error[k][0].value, rel=1e-9)


def test_an_orbit_with_pairs_is_generalised_least_squares():
    estimator = AstrometricSolution("orbit", reference_epoch=2017.5, period_range=(100, 700) * u.day)
    rng = np.random.default_rng(5)
    epochs, truth = estimator.simulate(1, rng)
    epochs = paired(epochs, rng)
    rows = epochs.replace(group=np.zeros(len(epochs), int), n_groups=1)
    years = truth["period"][0].to_value(u.yr)
    shape = np.array([np.log(years), truth["eccentricity"][0].value, -truth["t_periastron"][0].value / years])
    case = Problem.of(scans_of(rows, None)[0], None, 2017.5)
    alone = Problem.of(scans_of(rows.replace(abscissa_pair=None, abscissa_corr=None), None)[0], None, 2017.5)
    x = alone.matrix(shape) * rows.raw["abscissa_error"][:, None]
    weight = linalg.inv(covariance(rows))
    values = np.linalg.solve(x.T @ weight @ x, x.T @ weight @ rows.raw["abscissa"])
    assert np.allclose(case.linear(shape)[0], values, rtol=1e-6, atol=1e-8)
    left = rows.raw["abscissa"] - x @ values
    assert np.sum(case.linear(shape)[1] ** 2) == pytest.approx(left @ weight @ left, rel=1e-9)
    found = estimator.fit(epochs)
    assert found.columns["outcome"] == "solved"
    assert abs(found["period"][0] - truth["period"][0]) < 5 * found.error["period"][0]


# ---- bad input -------------------------------------------------------------------------------------------


def test_pairs_that_cannot_be_are_left_out_and_counted():
    estimator, epochs, _ = sample(3)
    source, pair, rho = (np.array(epochs[k]) for k in ("source_id", "abscissa_pair", "abscissa_corr"))
    rows = [np.flatnonzero(source == k) for k in (1, 2, 3)]
    pair[:], rho[:] = np.nan, np.nan
    pair[rows[0][:2]], rho[rows[0][:2]] = 1, [1.0, 0.3]  # the other of them is alone then
    pair[rows[0][2:4]], rho[rows[0][2:4]] = 2, np.nan
    rho[rows[0][4]] = 0.5
    pair[rows[1][:3]], rho[rows[1][:3]] = 1, 0.2
    pair[rows[2][:2]], rho[rows[2][:2]] = 1, [0.2, 0.3]
    fit = estimator.fit(epochs.replace(abscissa_pair=pair, abscissa_corr=rho))
    assert fit.left_out == {
        "no correlation of its pair": 2,
        "correlation without a pair": 1,
        "correlation not between -1 and 1": 1,
        "more than two of one pair": 3,
        "two correlations of one pair": 2,
    }
    assert (fit.columns["outcome"] == "solved").all()


def test_half_of_what_a_pair_needs():
    given_ = {"obstime": [2016.0, 2017.0], "abscissa": [1, 2] * MAS, "abscissa_error": 1 * MAS,
              "scan_angle": [0, 9] * u.deg, "parallax_factor": [0.1, 0.2]}  # fmt: skip
    with pytest.raises(InputError, match="abscissa_pair without abscissa_corr"):
        ak.Epochs(**given_, abscissa_pair=[1, 1])
    with pytest.raises(InputError, match="pairs are of positions along the scan"):
        ak.Epochs(obstime=[2016.0, 2017.0], abscissa_pair=[1, 1], abscissa_corr=[0.1, 0.1])


def test_they_are_written_and_joined(tmp_path):
    _, epochs, _ = sample(1)
    epochs.write(tmp_path / "pairs.ecsv")
    assert ak.Epochs.read(tmp_path / "pairs.ecsv") == epochs
    bare = epochs.replace(abscissa_pair=None, abscissa_corr=None)
    both = ak.Epochs.joined([bare, epochs])
    assert np.isnan(both.raw["abscissa_pair"][: len(bare)]).all()
    assert both.unfit() == {}
