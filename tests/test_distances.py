"""Distances from parallaxes: modes in closed form, fine quadratures, a universe drawn from the prior, bad input."""

import sys
import types
import warnings

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

import astrokin as ak
from astrokin import distance_posterior as kernel
from astrokin.distance_priors import AnyDensity, ExponentialDensity, UniformVolume
from astrokin.distance_table import fitted_length
from astrokin.errors import InputError, MissingColumnError, MissingDependencyError, RowsWarning

EXPONENTIAL, UNIFORM = ExponentialDensity(1.35 * u.kpc), UniformVolume(10 * u.kpc)
SHARES = (0.15865525393145707, 0.5, 0.8413447460685429)


def stars(parallax, error, **columns):
    parallax = np.atleast_1d(np.asarray(parallax, dtype=float))
    return ak.Stars(
        ra=np.zeros_like(parallax) * u.deg,
        dec=np.zeros_like(parallax) * u.deg,
        parallax=parallax * u.mas,
        covariance=ak.Covariance(errors={"parallax": np.zeros_like(parallax) + error}),
        columns=columns,
    )


def fine(parallax, error, density, r_max):
    """Quantiles, mean and modes from two million nodes, straight from the definition."""
    x = np.linspace(np.log(1e-4), np.log(r_max), 2_000_001)
    r = np.exp(x)
    with np.errstate(divide="ignore"):
        log_p = np.log(density(r)) - 0.5 * ((parallax - 1 / r) / error) ** 2
    weight = np.exp(log_p - log_p.max()) * r
    running = integrate.cumulative_simpson(weight, x=x, initial=0)
    quantiles = np.interp(np.array(SHARES) * running[-1], running, r)
    return quantiles, integrate.simpson(weight * r, x=x) / running[-1], r[np.argmax(log_p)]


CASES = [(1, 0.01), (1, 0.1), (1, 0.15), (1, 0.2), (1, 0.25), (1, 0.4), (1, 1), (-1, 0.3), (0.1, 0.3), (0.2, 0.02)]


@pytest.mark.parametrize(("parallax", "error"), CASES)
@pytest.mark.parametrize("prior", [EXPONENTIAL, UNIFORM, "any"])
def test_against_a_fine_quadrature(parallax, error, prior):
    if prior == "any":
        prior = AnyDensity(lambda r: r**2 * np.exp(-r / 1.35), 40.5 * u.kpc)
    uniform = prior is UNIFORM
    density = (lambda r: r**2) if uniform else (lambda r: r**2 * np.exp(-r / 1.35))
    quantiles, mean, mode = fine(parallax, error, density, 10.0 if uniform else 40.5)
    found = ak.distances(stars(parallax, error), prior)
    width = 0.5 * (quantiles[2] - quantiles[0])
    told = [found[k].value[0] for k in ("distance_lower", "distance", "distance_upper")]
    np.testing.assert_allclose(told, quantiles, rtol=0, atol=1e-3 * width)
    assert found["distance_mean"].value[0] == pytest.approx(mean, abs=1e-3 * width)
    inside = mode < (9.999 if uniform else 40.4)
    assert np.isnan(found["distance_mode"].value[0]) == (not inside)
    if inside:
        assert found["distance_mode"].value[0] == pytest.approx(mode, abs=1e-3 * width)


@pytest.mark.parametrize("relative", [0.3, 1.0, 5.0])
@pytest.mark.parametrize("ratio", [3.0, 4.5, 5.5, 6.0, 6.4, 7.0, 8.0])
@pytest.mark.parametrize("prior", [EXPONENTIAL, UNIFORM])
def test_where_the_prior_begins_to_matter(ratio, relative, prior):
    """A narrow peak and far more volume behind it: the hardest to integrate."""
    uniform = prior is UNIFORM
    density = (lambda r: r**2) if uniform else (lambda r: r**2 * np.exp(-r / 1.35))
    error = relative / (10.0 if uniform else 1.35)  # in units of the inverse of the prior's length
    quantiles, mean, _ = fine(ratio * error, error, density, 10.0 if uniform else 40.5)
    found = ak.distances(stars(ratio * error, error), prior)
    width = 0.5 * (quantiles[2] - quantiles[0])
    told = [found[k].value[0] for k in ("distance_lower", "distance", "distance_upper")]
    np.testing.assert_allclose(told, quantiles, rtol=0, atol=1e-3 * width)
    assert found["distance_mean"].value[0] == pytest.approx(mean, abs=1e-3 * width)


def test_a_parallax_with_which_the_prior_hardly_agrees():
    """The likelihood wants the star farther than the prior has any: what is left is where they meet."""
    density = ExponentialDensity(1 * u.kpc)
    quantiles, mean, mode = fine(-0.033, 0.01, lambda r: r**2 * np.exp(-r), 30.0)
    found = ak.distances(stars(-0.033, 0.01), density)
    told = [found[k].value[0] for k in ("distance_lower", "distance", "distance_upper", "distance_mean")]
    np.testing.assert_allclose(told, [*quantiles, mean], rtol=1e-4)
    assert found["distance_mode"].value[0] == pytest.approx(mode, rel=1e-4)


NARROW = [(8, 0.5, 0.125, 0.1), (8, 0.05, 0.1, 0.3), (8, 0.001, 0.125, 0.1), (1, 0.01, 1, 0.3), (2, 0.3, 0.3, 0.01)]


@pytest.mark.parametrize(("centre", "width", "parallax", "error"), NARROW)
def test_a_prior_much_narrower_than_the_likelihood(centre, width, parallax, error):
    def shell(r):
        return np.exp(-0.5 * ((r - centre) / width) ** 2)

    quantiles, mean, mode = fine(parallax, error, shell, 20.0)
    found = ak.distances(stars(parallax, error), AnyDensity(shell, 20 * u.kpc))
    half = 0.5 * (quantiles[2] - quantiles[0])
    told = [found[k].value[0] for k in ("distance_lower", "distance", "distance_upper")]
    np.testing.assert_allclose(told, quantiles, rtol=0, atol=4e-3 * half)
    assert found["distance_mean"].value[0] == pytest.approx(mean, abs=2e-3 * half)
    assert found["distance_mode"].value[0] == pytest.approx(mode, abs=max(2e-3 * half, 5e-5))  # the oracle's own step


@pytest.mark.parametrize(("parallax", "error"), [(0.01, 0.0152), (0.01, 0.01), (-1, 0.0658), (0.3, 0.03), (0.35, 0.03)])
def test_a_prior_far_off_the_likelihood(parallax, error):
    """Where both meet is beyond the standard errors to which the likelihood alone is followed."""

    def shell(r):
        return np.exp(-0.5 * ((r - 8.0) / 0.5) ** 2)

    quantiles, mean, _ = fine(parallax, error, shell, 20.0)
    found = ak.distances(stars(parallax, error), AnyDensity(shell, 20 * u.kpc))
    half = 0.5 * (quantiles[2] - quantiles[0])
    told = [found[k].value[0] for k in ("distance_lower", "distance", "distance_upper", "distance_mean")]
    np.testing.assert_allclose(told, [*quantiles, mean], rtol=0, atol=1e-3 * half)


def test_a_prior_of_ones_own_is_only_asked_within_its_limits():
    asked = []

    def density(r):
        asked.append((r.min(), r.max()))
        return r**2 * np.exp(-r / 1.35)

    with pytest.warns(ak.errors.RowsWarning, match="1 the prior allows no distance"):
        found = ak.distances(stars(np.array([-1.0, 0.05]), np.array([0.001, 0.02])), AnyDensity(density, 40 * u.kpc))
    assert np.isnan(found["distance"].value).tolist() == [True, False]
    assert min(low for low, _ in asked) > 0.0
    assert max(high for _, high in asked) <= 40.0 * (1 + 1e-9)


@pytest.mark.parametrize(("parallax", "error"), [(0.5, 0.3), (0.3, 0.3), (0.2, 0.05), (0.31, 0.01)])
def test_a_prior_that_ends_by_itself(parallax, error):
    """No star beyond 3 kpc, by a density that is zero there: the same as its limit."""
    one = ak.distances(stars(parallax, error), AnyDensity(lambda r: np.where(r > 3.0, 0.0, r**2), 20 * u.kpc))
    other = ak.distances(stars(parallax, error), UniformVolume(3 * u.kpc))
    for name in one.colnames:
        assert one[name].value[0] == pytest.approx(other[name].value[0], rel=1e-4, nan_ok=True)


@pytest.mark.parametrize(("parallax", "error"), [(1, 0.1), (1, 0.3), (-1, 0.3)])
def test_the_widest_interval(parallax, error):
    found = ak.distances(stars(parallax, error), EXPONENTIAL, share=0.9999)
    x = np.linspace(np.log(1e-3), np.log(300), 1_000_001)
    weight = np.exp(3 * x - np.exp(x) / 1.35 - 0.5 * ((parallax - np.exp(-x)) / error) ** 2)
    running = integrate.cumulative_simpson(weight, x=x, initial=0)
    low, high = np.exp(np.interp(np.array([0.5e-4, 1 - 0.5e-4]) * running[-1], running, x))
    half = 0.5 * (high - low)
    assert found["distance_lower"].value[0] == pytest.approx(low, abs=4e-3 * half)
    assert found["distance_upper"].value[0] == pytest.approx(high, abs=4e-3 * half)


@pytest.mark.parametrize("ratio", [0.01, 0.05, 0.1, 0.2, 0.24])
def test_the_modes_of_the_uniform_volume_have_a_closed_form(ratio):
    """Lutz & Kelker: 2/(p + sqrt(p^2 - 16 s^2)) in parallax, 8 s^2 in distance; two different numbers."""
    found = ak.distances(stars(1.0, ratio), UniformVolume(100 * u.kpc))
    in_parallax, in_distance = (2 / (1 + np.sqrt(1 - k * ratio**2)) for k in (16, 8))
    assert kernel.mode_of_parallax(np.array([1.0]), np.array([ratio]))[0] == pytest.approx(in_parallax, rel=1e-14)
    assert kernel.mode_of_distance(np.array([1.0]), np.array([ratio]))[0] == pytest.approx(in_distance, rel=1e-14)
    if ratio < 0.2:  # above it the posterior is largest at its limit
        assert found["distance_mode"].value[0] == pytest.approx(in_distance, rel=1e-6)
        assert found["distance_mode_of_parallax"].value[0] == pytest.approx(in_parallax, rel=1e-6)


@pytest.mark.parametrize("parallax", [-1.0, 0.0, 3.999, np.nan])
def test_below_four_errors_there_is_no_closed_form(parallax):
    assert np.isnan(kernel.mode_of_parallax(np.array([parallax]), np.ones(1)))[0]
    assert kernel.mode_of_parallax(np.array([4.0]), np.ones(1))[0] == 0.5


def test_lutz_and_kelker_for_quantities():
    found = ak.lutz_kelker([1.0, 0.1] * u.arcsec, [100, 10] * u.mas)
    for k, name in ((16, "distance_mode_of_parallax"), (8, "distance_mode")):
        np.testing.assert_allclose(found[name].to_value(u.pc), 2 / np.array([1, 0.1]) / (1 + np.sqrt(1 - k * 0.01)))
    alone = ak.lutz_kelker(1 * u.mas, 0.2 * u.mas)
    assert alone["distance_mode_of_parallax"] == 1.25 * u.kpc
    assert len(ak.lutz_kelker([] * u.mas, 1 * u.mas)) == 0


def test_lutz_and_kelker_where_there_is_no_mode():
    """At every parallax a closed form has a maximum there, or there is none and it says so."""
    parallax = [4.0, 3.9, 2.8, -5.0, 0.0, np.nan, 5.0, 5.0]
    with pytest.warns(RowsWarning, match=r"of 8 parallaxes 3 without .*, 4 below 4 errors.*, 3 below sqrt\(8\)"):
        found = ak.lutz_kelker(parallax * u.mas, [1, 1, 1, 1, 1, 1, np.nan, -1] * u.mas)
    assert np.isnan(found["distance_mode_of_parallax"]).tolist() == [False] + [True] * 7
    assert np.isnan(found["distance_mode"]).tolist() == [False, False] + [True] * 6
    assert list(found.meta["left_out"].values()) == [3, 4, 3]
    x = np.linspace(0.05, 4.5, 100_001)
    for p, of_parallax, of_distance in zip(parallax[:5], *(found[k].value for k in found.colnames), strict=False):
        for power, told in ((-4.0, of_parallax), (-2.0, of_distance)):
            slope = np.diff(power * np.log(x) - 0.5 * (p - x) ** 2)
            turns = np.flatnonzero((slope[1:] < -1e-15) & (slope[:-1] > 1e-15))  # a maximum inside
            if len(turns):
                assert told == pytest.approx(1 / x[turns[0] + 1], rel=1e-4)
            else:
                assert np.isnan(told) or p == 4.0  # the last that has one: a point of inflection


@pytest.mark.parametrize(
    ("parallax", "error", "message"),
    [
        (1.0, 0.1 * u.mas, "parallax has no unit"),
        (1.0 * u.mas, 0.1, "parallax_error has no unit"),
        (1.0 * u.kpc, 0.1 * u.mas, "no unit of the kind of mas"),
        (np.inf * u.mas, 0.1 * u.mas, "infinite"),
        ([1, 2] * u.mas, [1, 2, 3] * u.mas, "do not go together"),
    ],
)
def test_lutz_and_kelker_of_what_is_no_parallax(parallax, error, message):
    with pytest.raises(InputError, match=message):
        ak.lutz_kelker(parallax, error)


@pytest.mark.parametrize(
    ("ratio", "magnitudes"),
    [(0.025, -0.01), (0.05, -0.02), (0.075, -0.06), (0.1, -0.11), (0.125, -0.18), (0.15, -0.28)],
)
def test_the_table_of_lutz_and_kelker(ratio, magnitudes):
    """Their corrections to the absolute magnitude: the mean of 5 lg(true/observed parallax), to two decimals.

    Of 1000 quantiles of the posterior; the limit stands where the density in parallax is least, far from its peak.
    """
    limit = UniformVolume((1 / 0.35 if ratio > 0.12 else 1 / 0.3) * u.kpc).bound(None)
    shares = tuple((np.arange(1000) + 0.5) / 1000)
    quantiles = kernel.posterior(np.ones(1), np.full(1, ratio), limit, shares).quantiles[:, 0]
    assert np.mean(-5 * np.log10(quantiles)) == pytest.approx(magnitudes, abs=0.0075)


@settings(max_examples=60, deadline=None)
@given(parallax=st.floats(-5, 20), error=st.floats(1e-3, 3), length=st.floats(0.1, 5), scale=st.floats(0.1, 10))
def test_distances_scale(parallax, error, length, scale):
    """All lengths times a number, all parallaxes divided by it: the same posterior."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RowsWarning)
        one = ak.distances(stars(parallax, error), ExponentialDensity(length * u.kpc))
        other = ak.distances(stars(parallax / scale, error / scale), ExponentialDensity(length * scale * u.kpc))
    for name in one.colnames:
        np.testing.assert_allclose(other[name].value, scale * one[name].value, rtol=1e-6, err_msg=name)
    ordered = [one[k].value[0] for k in ("distance_lower", "distance", "distance_upper")]
    assert np.isnan(ordered).all() or ordered == sorted(ordered)


def test_a_perfect_parallax_and_none_at_all():
    sure = ak.distances(stars(2.0, 1e-6), EXPONENTIAL)
    assert sure["distance"].value[0] == pytest.approx(0.5, rel=1e-6)
    assert sure["distance_std"].value[0] == pytest.approx(0.25e-6, rel=1e-2)
    prior = ak.distances(stars(0.0, 1e6), EXPONENTIAL)  # a gamma distribution of shape 3: its median 2.674 L, mode 2 L
    assert prior["distance"].value[0] == pytest.approx(2.67406 * 1.35, rel=1e-3)
    assert prior["distance_mean"].value[0] == pytest.approx(3 * 1.35, rel=1e-3)
    assert prior["distance_mode"].value[0] == pytest.approx(2 * 1.35, rel=1e-3)


def universe(n, seed, error=None, length=1.35):
    rng = np.random.default_rng(seed)
    true = rng.gamma(3.0, length, n)
    sigma = 10 ** rng.uniform(-1.7, 0.0, n) if error is None else np.full(n, error)
    return true, 1 / true + sigma * rng.normal(size=n), sigma


def covered(true, found):
    low, high = found["distance_lower"].value, found["distance_upper"].value
    return np.mean((true > low) & (true < high))


def test_intervals_cover_as_stated_in_a_universe_drawn_from_the_prior():
    true, parallax, sigma = universe(20_000, 1)
    found = ak.distances(stars(parallax, sigma), EXPONENTIAL)
    assert covered(true, found) == pytest.approx(0.6827, abs=4 * np.sqrt(0.68 * 0.32 / 20_000))
    below = np.mean(true < found["distance"].value)
    assert below == pytest.approx(0.5, abs=4 * np.sqrt(0.25 / 20_000))


def test_a_cut_in_the_observed_ratio_does_not_change_the_coverage_but_one_by_true_distance_does():
    """A posterior knows of all cuts in what it is given; not of those in what it infers."""
    true, parallax, sigma = universe(60_000, 2, error=0.15)
    cut = parallax > 5 * sigma
    assert covered(true[cut], ak.distances(stars(parallax[cut], sigma[cut]), EXPONENTIAL)) == pytest.approx(
        0.68, abs=0.02
    )
    near = true < 1.2
    assert covered(true[near], ak.distances(stars(parallax[near], sigma[near]), EXPONENTIAL)) < 0.66
    wrong = ak.distances(stars(parallax[cut], sigma[cut]), ExponentialDensity(0.1 * u.kpc))
    assert covered(true[cut], wrong) < 0.6  # the wrong prior, after a cut that leaves it much to say


def test_the_length_is_found():
    _, parallax, sigma = universe(20_000, 3, length=0.7)
    assert fitted_length(stars(parallax, sigma)).length.value == pytest.approx(0.7, abs=0.02)


def test_a_length_for_each_star():
    lengths = np.array([0.3, 1.35, 5.0]) * u.kpc
    together = ak.distances(stars([0.5] * 3, 0.3, scale=lengths), ExponentialDensity(ak.column("scale")))
    for k, length in enumerate(lengths):
        alone = ak.distances(stars(0.5, 0.3), ExponentialDensity(length))
        assert together["distance"].value[k] == pytest.approx(alone["distance"].value[0], rel=1e-12)


def test_the_zero_point_comes_off():
    plain = ak.distances(stars(1.0, 0.1), EXPONENTIAL)
    shifted = stars(0.96, 0.1, zpt=np.array([-40.0]) * u.uas)
    for zero in (-0.04 * u.mas, ak.column("zpt")):
        found = ak.distances(shifted, EXPONENTIAL, parallax_zero_point=zero)
        assert found["distance"].value[0] == pytest.approx(plain["distance"].value[0], rel=1e-12)


# ---- bad input ---------------------------------------------------------------------------------------------


def test_rows_without_a_result_are_counted_and_harm_no_other():
    given_ = stars([1.0, np.nan, 1.0, 1.0, 50.0], [0.1, 0.1, np.nan, 0.0, 1e-3])
    with pytest.warns(RowsWarning, match="1 no parallax, 1 no parallax error, 1 parallax error not positive"):
        found = ak.distances(given_, EXPONENTIAL)
    assert np.isnan(found["distance"].value).tolist() == [False, True, True, True, False]
    assert sum(found.meta["left_out"].values()) == 3
    alone = ak.distances(stars(1.0, 0.1), EXPONENTIAL)
    assert found["distance"].value[0] == pytest.approx(alone["distance"].value[0], rel=1e-12)


def test_a_parallax_that_the_prior_does_not_allow():
    with pytest.warns(RowsWarning, match="the prior allows no distance"):
        found = ak.distances(stars([0.05, 1.0], 1e-4), UniformVolume(10 * u.kpc))
    assert np.isnan(found["distance"].value).tolist() == [True, False]


def test_what_a_column_does_not_tell_is_missing():
    """Masked lengths and zero points are none; text is an error."""
    masked = np.ma.array([1.35, 1.35, 1.35], mask=[0, 1, 0])
    given_ = stars([1.0] * 3, 0.1, length=masked, zero=masked * 0, text=np.array(["a"] * 3))
    with pytest.warns(RowsWarning, match="1 no length of the prior"):
        found = ak.distances(given_, ExponentialDensity(ak.column("length")))
    assert np.isnan(found["distance"].value).tolist() == [False, True, False]
    with pytest.warns(RowsWarning, match="1 no parallax zero point"):
        found = ak.distances(given_, EXPONENTIAL, parallax_zero_point=ak.column("zero"))
    assert np.isnan(found["distance"].value).tolist() == [False, True, False]
    with pytest.raises(InputError, match="holds text"):
        ak.distances(given_, ExponentialDensity(ak.column("text")))
    with pytest.raises(InputError, match=r"shape \(2,\); one for all 3 rows or one for each"):
        ak.distances(given_, EXPONENTIAL, parallax_zero_point=[0, 0] * u.mas)


@pytest.mark.parametrize("length", [np.nan, 0.0, -1.0])
def test_a_length_that_is_none_for_one_star(length):
    given_ = stars([1.0, 1.0], 0.1, length=np.array([length, 1.35]) * u.kpc)
    with pytest.warns(RowsWarning, match="1 no length of the prior"):
        found = ak.distances(given_, ExponentialDensity(ak.column("length")))
    assert np.isnan(found["distance"].value).tolist() == [True, False]


def test_errors_in_a_matrix():
    matrix = np.tile(np.diag([1, 1, 0.04, 1, 1, 1.0]), (2, 1, 1))
    given_ = ak.Stars(ra=[1, 2] * u.deg, dec=[1, 2] * u.deg, parallax=[1, -1] * u.mas, covariance=matrix)
    found, plain = (ak.distances(s, EXPONENTIAL) for s in (given_, stars([1, -1], 0.2)))
    assert found["distance"].value.tolist() == plain["distance"].value.tolist()


def test_no_rows_at_all():
    assert len(ak.distances(stars([], []), EXPONENTIAL)) == 0


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        ("uniform", "prior is 'uniform'; it can be UniformVolume"),
        (ExponentialDensity, "prior is <class"),
        (AnyDensity(lambda r: -r, 5 * u.kpc), "must be finite and not negative"),
        (AnyDensity(lambda r: np.nan * r, 5 * u.kpc), "kpc is nan; it must be finite"),
        (AnyDensity(lambda r: np.where(r < 1, np.inf, r), 5 * u.kpc), "kpc is inf; it must be finite"),
        (AnyDensity(lambda r: 1.0, 5 * u.kpc), "gave float of shape"),
        (AnyDensity(lambda r: r * 1j, 5 * u.kpc), "as many real numbers"),
    ],
)
def test_priors_that_are_none(prior, message):
    with pytest.raises(InputError, match=message):
        ak.distances(stars(1.0, 0.1), prior)


@pytest.mark.parametrize("length", [-1 * u.kpc, 0 * u.kpc, np.inf * u.kpc, 3 * u.s, 3.0, [1, 2] * u.kpc])
def test_lengths_that_are_none(length):
    with pytest.raises((InputError, TypeError)):
        ExponentialDensity(length)
    with pytest.raises((InputError, TypeError)):
        UniformVolume(length)


def test_stars_without_errors():
    plain = ak.Stars(ra=[1] * u.deg, dec=[1] * u.deg, parallax=[1] * u.mas)
    with pytest.raises(InputError, match="distances need the errors"):
        ak.distances(plain, EXPONENTIAL)


@pytest.mark.parametrize("share", [0.0, 1.0, 0.99999, -1, 68, np.nan, "68"])
def test_shares_that_are_none(share):
    with pytest.raises(InputError, match="share is"):
        ak.distances(stars(1.0, 0.1), EXPONENTIAL, share=share)


def test_the_recipe_of_gaia_is_asked_in_its_own_order_and_units(monkeypatch):
    """Against the real recipe: -0.034566, -0.039551, -0.027359 mas for three such sources."""
    asked = []

    def recipe(*columns, _warnings):
        asked.extend(columns)
        return np.array([-0.03, np.nan])

    names = ("phot_g_mean_mag", "nu_eff_used_in_astrometry", "pseudocolour", "ecl_lat")
    columns = {name: np.array([k + 10.0, k + 20.0, k + 30.0]) for k, name in enumerate(names)}
    columns["astrometric_params_solved"] = np.array([31, 3, 95])  # the second has no parallax: the recipe refuses it
    zpt = types.SimpleNamespace(load_tables=lambda: asked.append("tables"), get_zpt=recipe)
    monkeypatch.setitem(sys.modules, "zero_point", types.SimpleNamespace(zpt=zpt))
    monkeypatch.setitem(sys.modules, "zero_point.zpt", zpt)
    found = ak.gaia_zero_point(stars([1.0, 1.0, 1.0], 0.1, **columns))
    assert found.unit == u.mas
    np.testing.assert_array_equal(found.value, [-0.03, np.nan, np.nan])
    assert asked[0] == "tables"
    np.testing.assert_array_equal(asked[1:], [v[[0, 2]] for v in columns.values()])
    with pytest.raises(MissingColumnError, match="pseudocolour"):
        ak.gaia_zero_point(stars([1.0], 0.1, **{k: v[:1] for k, v in columns.items() if k != "pseudocolour"}))


def test_the_recipe_of_gaia_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "zero_point", None)
    with pytest.raises(MissingDependencyError, match=r"pip install \"astrokin\[gaia\]\""):
        ak.gaia_zero_point(stars(1.0, 0.1))


# ---- a cluster ---------------------------------------------------------------------------------------------


def test_the_mean_of_a_cluster_is_the_weighted_one():
    rng = np.random.default_rng(5)
    error = rng.uniform(0.02, 0.3, 50)
    parallax = 0.8 + error * rng.normal(size=50)
    fit = ak.estimators.ParallaxDistance().fit(stars(parallax, error))
    mean = np.average(parallax, weights=error**-2)
    assert fit["parallax"].value == pytest.approx(mean, rel=1e-12)
    assert fit["distance"].value == pytest.approx(1 / mean, rel=1e-12)
    assert fit.derived["distance_modulus"].value == pytest.approx(5 * np.log10(100 / mean), rel=1e-12)
    assert fit.error["parallax"].value == pytest.approx(np.sum(error**-2) ** -0.5, rel=0.5)
    common = ak.estimators.ParallaxDistance(systematic_error=10 * u.uas).fit(stars(parallax, error))
    assert common.error["parallax"].value == pytest.approx(np.hypot(fit.error["parallax"].value, 0.01), rel=1e-12)


def test_a_scatter_of_its_own_is_found():
    rng = np.random.default_rng(6)
    error = rng.uniform(0.02, 0.1, 5000)
    fit = ak.estimators.ParallaxDistance(scatter=True).fit(
        stars(0.8 + np.hypot(error, 0.05) * rng.normal(size=5000), error)
    )
    assert abs(fit["variance"].value - 0.05**2) < 4 * fit.error["variance"].value


def test_a_cluster_without_a_distance():
    rng = np.random.default_rng(7)
    fit = ak.estimators.ParallaxDistance().fit(stars(-0.5 + 0.1 * rng.normal(size=30), 0.1))
    assert np.isnan(fit["distance"].value)
    assert "not positive" in fit.undetermined["distance"]
    assert any("below five errors" in note for note in fit.notes)


def test_members_without_errors_are_counted():
    fit = ak.estimators.ParallaxDistance().fit(stars([1.0, 1.1, 0.9, 1.0], [0.1, np.nan, 0.0, 0.1]))
    assert (fit.used, fit.left_out) == (2, {"no parallax error": 1, "parallax error not positive": 1})
    with pytest.raises(InputError, match="4 no parallax error"):
        ak.estimators.ParallaxDistance().fit(stars([1.0, 1.1, 0.9, 1.0], np.nan))


def cluster(n, seed, scatter=0.0):
    rng = np.random.default_rng(seed)
    error = rng.uniform(0.02, 0.1, n)
    return 0.8 + np.hypot(error, scatter) * rng.normal(size=n), error


def test_replicates_do_not_lose_the_error_that_all_have_in_common():
    sample = stars(*cluster(60, 8))
    for options in ({}, {"bootstrap": 30}):
        plain = ak.estimators.ParallaxDistance(**options).fit(sample)
        common = ak.estimators.ParallaxDistance(systematic_error=0.05 * u.mas, **options).fit(sample)
        sigma = np.hypot(plain.error["parallax"].value, 0.05)
        assert common.error["parallax"].value == pytest.approx(sigma, rel=1e-12)
        modulus = 5 / np.log(10) * sigma / plain["parallax"].value
        assert common.derived_error["distance_modulus"].value == pytest.approx(modulus, rel=0.05)


def test_groups_of_one_star():
    """Its error is that of its parallax: its own scatter, which is none, tells nothing."""
    parallax, error = cluster(50, 9)
    sample = stars(np.r_[parallax, 1.0, 2.0, 2.0], np.r_[error, 0.1, 0.1, 0.1], name=np.r_[np.zeros(50), 1, 2, 2])
    fit = ak.estimators.ParallaxDistance(by="name").fit(sample)
    np.testing.assert_allclose(fit["parallax"].value[1:], [1.0, 2.0], rtol=1e-12)
    np.testing.assert_allclose(fit.error["parallax"].value[1:], [0.1, 0.1 / np.sqrt(2)], rtol=1e-12)
    assert fit.plot().axes
    scattered = ak.estimators.ParallaxDistance(by="name", scatter=True).fit(sample)
    np.testing.assert_allclose(scattered.error["parallax"].value[1:], [0.1, 0.1 / np.sqrt(2)], rtol=1e-12)
    assert np.isnan(scattered["variance"].value).tolist() == [False, True, True]
    assert "no scatter" in scattered.undetermined["variance"]


def test_a_bin_without_members_has_no_parallax():
    parallax, error = cluster(60, 11)
    sample = stars(parallax, error, colour=np.linspace(0, 1, 60))
    for options in ({}, {"scatter": True}, {"bootstrap": 10}):
        fit = ak.estimators.ParallaxDistance(by=("colour", [0, 0.5, 1.1, 2]), **options).fit(sample)
        for name in ("parallax", "distance"):
            assert np.isnan(fit[name].value).tolist() == [False, False, True]
            assert np.isnan(fit.error[name].value).tolist() == [False, False, True]
        assert fit.undetermined["parallax"] == "a group without members"
        assert "distance" not in fit.undetermined


def test_no_scatter_is_the_same_however_it_was_reached():
    parallax, error = cluster(60, 1)
    error *= 1.3  # larger than true: the variance comes out negative
    estimator = ak.estimators.ParallaxDistance(scatter=True)
    plain = estimator.fit(stars(parallax, error))
    assert plain["variance"].value < 0
    clipped = ak.estimators.ParallaxDistance(scatter=True, clip=4).fit(stars(np.r_[parallax, 5.0], np.r_[error, 0.02]))
    assert clipped.left_out == {"clipped beyond 4 sigma": 1}
    assert clipped["variance"].value == pytest.approx(plain["variance"].value, rel=1e-6)


def test_errors_beyond_all_bounds():
    fit = ak.estimators.ParallaxDistance().fit(stars([1.0, 1.1, 1.2, 1.3], [0.1, 1e200, 1e-200, 0.1]))
    assert fit["parallax"].value == pytest.approx(1.15)
    assert fit.left_out == {"parallax error not positive": 1}


def test_the_figure_of_a_cluster():
    parallax, error = cluster(500, 10)
    sample = stars(np.r_[parallax, 5.0], np.r_[error, 0.02])
    fit = ak.estimators.ParallaxDistance().fit(sample)
    means, pulls = fit.plot().axes
    assert fit.data["bin_count"].sum() == fit.data["pull_count"].sum() == 501
    assert fit.data["pull_count"][-1] == 1  # the one that is far off
    inside = fit.data["bin_count"] > 0
    there = fit.data["bin_parallax"][inside], fit.data["bin_parallax_error"][inside]
    assert np.average(there[0].value, weights=there[1].value ** -2) == pytest.approx(fit["parallax"].value, rel=1e-9)
    assert (means.get_xscale(), pulls.get_ylabel()) == ("log", "members")
    grouped = ak.estimators.ParallaxDistance(bootstrap=5).fit(sample)
    np.testing.assert_array_equal(grouped.data["pull_count"], fit.data["pull_count"])


@pytest.mark.slow
@pytest.mark.parametrize("estimator", list(ak.estimators.ParallaxDistance.examples()), ids=["errors", "scatter"])
def test_pulls_of_a_cluster(estimator):
    n, pulls = 1000, {}
    # An estimate of a variance and its error go up and down together: only of large samples are its pulls normal.
    members = 3000 if estimator.scatter else 300
    for seed in range(n):
        sample, truth = estimator.simulate(members, np.random.default_rng(seed))
        fit = estimator.fit(sample)
        for name, value in truth.items():
            pulls.setdefault(name, []).append(float((fit[name] - value) / fit.error[name]))
    told = {k: (np.mean(p) * np.sqrt(n), (np.std(p) - 1) * np.sqrt(2 * n)) for k, p in pulls.items()}
    assert all(abs(mean) < 4 and abs(width) < 4 for mean, width in told.values()), told
