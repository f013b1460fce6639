"""Weighing the disc: K_z from exact profiles, from samples whose truth is known, and from bad input."""

import dataclasses
import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.constants import G
from astropy.coordinates import (
    CylindricalRepresentation,
    Galactocentric,
    SkyCoord,
    galactocentric_frame_defaults,
)
from hypothesis import given, settings
from hypothesis import strategies as st

import astrokin as ak
from astrokin import galaxy, vertical
from astrokin.errors import InputError
from astrokin.estimators import JeansKz, vertical_motion
from astrokin.estimators import vertical_kernels as kernels
from astrokin.estimators import vertical_models as models
from astrokin.estimators.vertical_bins import data as bin_data
from astrokin.estimators.vertical_joint import Joint
from astrokin.estimators.vertical_motion import Limits, outside
from astrokin.estimators.vertical_sample import Field, Sector, catalogue

KPC, KM_S = u.kpc, u.km / u.s
FRAME = galaxy.galactocentric()
ALL = ((0, 0), (0, 1), (1, 1))


def sample(n=4000, seed=1, estimator=None):
    return (estimator or JeansKz()).simulate(n, np.random.default_rng(seed))


def pulls(fit, truth, names):
    return {k: ((fit[k] - truth[k]) / fit.error[k]).value for k in names}


# ---- exact profiles ----------------------------------------------------------------------------------------


def joint(density, along, tilt, k_density, k_tilt, radius=8.122):
    return Joint(density, along, None, tilt, radius, k_density, k_tilt, np.array([0.0, np.inf]))


@given(st.floats(0.1, 2.0), st.floats(0.3, 3.0), st.floats(10.0, 60.0), st.floats(-300.0, 300.0), st.floats(0.01, 2.0))
@settings(max_examples=60, deadline=None)
def test_the_gaussian_example_of_the_source(h, z0, sigma, beta, z):
    """K_z = sigma_z0^2 (2z/z0^2 - z/h^2 - z^3/(z0^2 h^2)) + beta z, its tilt term being beta z."""
    model = joint(models.Gaussian(), models.Powers((0, 2)), "linear", 0.3, 0.2)
    slope = beta / models.tilt_factor(model.radius, 0.3, 0.2)
    theta = np.array([0.7, np.log(h), sigma**2, sigma**2 / z0**2, slope])
    force, _, tilt = model.force(np.array([z]), theta)
    expected = sigma**2 * (2 * z / z0**2 - z / h**2 - z**3 / (z0**2 * h**2)) + beta * z
    terms = sigma**2 * (2 * z / z0**2 + z / h**2 + z**3 / (z0**2 * h**2)) + abs(beta * z)
    assert abs(force[0] - expected) <= 1e-12 * terms
    assert tilt[0] == pytest.approx(beta * z, rel=1e-12)


def test_the_isothermal_sheet_in_closed_form():
    """sigma^2 = pi G Sigma z0 and rho = Sigma/(2 z0) sech^2 (Spitzer 1942): the tracers are the mass."""
    total, z0 = 60 * u.Msun / u.pc**2, 0.35 * KPC
    variance = (np.pi * G * total * z0).to_value(KM_S**2)
    z = np.linspace(0.0, 2.0, 9)
    model = joint(models.Sech2(), models.Powers((0,)), "none", 0.0, 0.0)
    force, gradient, _ = model.force(z, np.array([0.0, np.log(0.35), variance]))
    told = force * KM_S**2 / KPC
    np.testing.assert_allclose(told, -2 * np.pi * G * total * np.tanh(z / 0.35), rtol=1e-8, atol=0 * u.m / u.s**2)
    np.testing.assert_allclose(told, vertical.sheet_force(z * KPC, total, z0), rtol=1e-8, atol=0 * u.m / u.s**2)
    rho = vertical.density(gradient * KM_S**2 / KPC**2)
    np.testing.assert_allclose(rho, total / (2 * z0) / np.cosh(z / 0.35) ** 2, rtol=1e-8)
    np.testing.assert_allclose(vertical.surface_density(told), total * np.tanh(z / 0.35), rtol=1e-8)


@pytest.mark.parametrize("name", models.DENSITIES)
def test_derivatives_of_densities_are_those_of_differences(name):
    theta = np.array(
        {"two-component": [0.2, -0.7, -1.2, 0.1], "isothermal": [0.1, 2.5, 1.3, 0.9]}.get(name, [0.3, -0.9])
    )
    z, step = np.linspace(0.05, 1.5, 9), 1e-5
    model = models.DENSITIES[name]
    low, middle, high = (model.curve(z + k * step, theta) for k in (-1, 0, 1))
    np.testing.assert_allclose((high[0] - low[0]) / (2 * step), middle[1], rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose((high[1] - low[1]) / (2 * step), middle[2], rtol=1e-7, atol=1e-7)


def test_an_isothermal_tracer_has_the_density_of_the_potential():
    field, z = Field(), np.linspace(0.01, 1.5, 20)
    s, q = field.slope / 400.0, field.rise / 400.0
    curve = models.Isothermal().curve(z, np.array([0.0, np.log(s / field.scale_height + q), np.log(s), q]))
    np.testing.assert_allclose(curve[0], -field.potential(z) / 400.0, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(400.0 * curve[1], field.force(z), rtol=1e-10)


@pytest.mark.parametrize("alignment", [0.3, 1.0])
def test_the_spheroidal_tilt_aligns_the_ellipsoid(alignment):
    """With a = 1 the long axis points at the centre; else at the foci's hyperbola: tan 2a = 2Rz/(R^2 - z^2 + D^2)."""
    r, z = 8.0, np.array([0.2, 0.7, 1.1])
    across, along = (models.Powers((0,)).curve(z, [v]) for v in (1600.0, 400.0))
    moment, slope, bend = models.spheroidal_tilt(z, alignment, r, across, along)
    focal2 = r**2 * (1 / alignment - 1)
    angle = 0.5 * np.arctan2(2 * r * z, r**2 - z**2 + focal2)
    np.testing.assert_allclose(0.5 * np.arctan2(2 * moment, 1200.0), angle, rtol=1e-12)
    if alignment == 1.0:
        np.testing.assert_allclose(angle, np.arctan2(z, r), rtol=1e-12)
    ends = [models.spheroidal_tilt(z + k * 1e-5, alignment, r, across, along) for k in (-1, 1)]
    np.testing.assert_allclose((ends[1][0] - ends[0][0]) / 2e-5, slope, rtol=1e-7)
    np.testing.assert_allclose((ends[1][1] - ends[0][1]) / 2e-5, bend, rtol=1e-6)


def test_the_exponential_disc_with_dark_matter():
    z = np.array([-1.1, 0.5, 1.1]) * KPC
    dark = 0.012 * u.Msun / u.pc**3
    force = vertical.disc_force(z, 47 * u.Msun / u.pc**2, 0.3 * KPC, dark)
    expected = (
        -2 * np.pi * G * (47 * u.Msun / u.pc**2 * (1 - np.exp(-abs(z) / (0.3 * KPC))) * np.sign(z) + 2 * dark * z)
    )
    np.testing.assert_allclose(force, expected, rtol=1e-12)
    assert (force[0] > 0, force[1] < 0) == (True, True)
    flat = vertical.surface_density(force)[2]
    turning = vertical.surface_density(force, z, (15.3, -11.9) * KM_S / KPC)[2]
    less = 2 * (11.9**2 - 15.3**2) * (KM_S / KPC) ** 2 * 1.1 * KPC / (2 * np.pi * G)
    assert (turning - flat).to_value(u.Msun / u.pc**2) == pytest.approx(less.to_value(u.Msun / u.pc**2))


@pytest.mark.parametrize("bad", [{"z": 1.1}, {"surface_density": 47 * u.Msun}, {"scale_height": 3 * u.s}])
def test_helpers_name_what_is_wrong(bad):
    good = {"z": 1 * KPC, "surface_density": 47 * u.Msun / u.pc**2, "scale_height": 0.3 * KPC}
    for function in (vertical.sheet_force, vertical.disc_force):
        with pytest.raises(InputError, match=next(iter(bad))):
            function(**{**good, **bad})


# ---- one star ----------------------------------------------------------------------------------------------


def few(n=50, seed=3, **more):
    rng = np.random.default_rng(seed)
    z, vz = Field().tracers(n, rng, (25.0,))
    return catalogue(z, vz, 625.0, rng, Sector(), **more)


def test_places_and_velocities_are_those_of_astropy():
    stars = few()
    coord = SkyCoord(
        stars.ra, stars.dec, distance=stars.parallax.to(KPC, u.parallax()), pm_ra_cosdec=stars.pmra, pm_dec=stars.pmdec,
        radial_velocity=stars.radial_velocity,
    ).transform_to(Galactocentric())  # fmt: skip
    cylindrical = coord.represent_as(CylindricalRepresentation, "base")
    moving = cylindrical.differentials["s"]
    seen = kernels.motion(stars, FRAME)
    np.testing.assert_allclose(seen.z, cylindrical.z.to_value(KPC), rtol=0, atol=1e-12)
    np.testing.assert_allclose(seen.radius, cylindrical.rho.to_value(KPC), rtol=1e-13)
    np.testing.assert_allclose(seen.velocity[0], moving.d_rho.to_value(KM_S), rtol=0, atol=1e-9)
    np.testing.assert_allclose(seen.velocity[1], moving.d_z.to_value(KM_S), rtol=0, atol=1e-9)


def test_errors_are_those_that_differences_give():
    """With correlations of all kinds; the stars turn with the Sun, whose rotation stands for theirs in the kernel."""
    rng = np.random.default_rng(4)
    z = 0.5 * rng.normal(size=40)
    turning = Sector(sigma_phi=0.0, lag=galaxy.circular_speed().value - galaxy.galactocentric()[2][1])
    stars = catalogue(z, 20 * rng.normal(size=40), 400.0, rng, turning, errors=EXACT)
    root = rng.normal(size=(40, 6, 6)) * np.array([0, 0, 0.01, 0.05, 0.05, 1.0])[:, None]
    stars = stars.replace(covariance=root @ root.swapaxes(1, 2))
    seen = kernels.motion(stars, FRAME, ALL)
    size = {"parallax": 1e-6, "pmra": 1e-4, "pmdec": 1e-4, "radial_velocity": 1e-3}
    order = ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity")
    slopes = np.zeros((40, 3, 6))  # of v_R, v_z, ln(distance)
    for name, step in size.items():
        ends = [changed(stars, name, s * step) for s in (-1, 1)]
        told = [kernels.motion(s, FRAME, ALL).velocity for s in ends]
        for k in (0, 1):
            slopes[:, k, order.index(name)] = (told[1][k] - told[0][k]) / (2 * step)
    slopes[:, 2, 2] = -1.0 / stars.raw.parallax
    whole = slopes @ stars.covariance @ slopes.swapaxes(1, 2)
    sigma = np.sqrt(np.einsum("nii->ni", whole))
    for (a, b), value in seen.covariance.items():
        np.testing.assert_allclose((value - whole[:, a, b]) / sigma[:, a] / sigma[:, b], 0.0, atol=1e-5)
    np.testing.assert_allclose(seen.covariance[1, 1], whole[:, 1, 1], rtol=1e-5)
    np.testing.assert_allclose(seen.with_distance[1], whole[:, 1, 2], rtol=1e-4, atol=1e-8)
    np.testing.assert_allclose(seen.eps, whole[:, 2, 2], rtol=1e-9)


EXACT = dict.fromkeys(("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity"), 0.0)


def changed(stars, name, step):
    raw = {k: getattr(stars, k) for k in ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity")}
    raw[name] = raw[name] + step * raw[name].unit
    return ak.Stars(**raw)


def test_the_height_of_the_sun_can_be_given():
    stars = few()
    place = SkyCoord(stars.ra, stars.dec, distance=stars.parallax.to(KPC, u.parallax()))
    for height in (0.0, 50.0) * u.pc:
        seen = kernels.motion(stars, galaxy.galactocentric(height)).z
        expected = place.transform_to(Galactocentric(z_sun=height)).z.to_value(KPC)
        np.testing.assert_allclose(seen, expected, rtol=0, atol=1e-12)


def test_the_frame_follows_the_defaults_in_force():
    before = galaxy.galactocentric()[1]
    with galactocentric_frame_defaults.set("pre-v4.0"):
        np.testing.assert_allclose(galaxy.galactocentric()[1][0], -8.3, atol=1e-3)
    np.testing.assert_array_equal(galaxy.galactocentric()[1], before)


# ---- the bins ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1e-12, 1e-9, 1e-6])
def test_stars_next_to_a_limit_are_on_the_right_side_of_it(step):
    """Limits that stars stand at but for a step: the quick look in single precision must not decide."""
    stars = few(200)
    seen = kernels.motion(stars, FRAME)
    for k in range(0, 200, 20):
        height, radius = abs(seen.z[k]), seen.radius[k]
        for sign in (-1.0, 1.0):
            limits = Limits(height + sign * step, 9.0, 0.0, radius - sign * step)
            found = outside(stars, FRAME, limits)
            assert [mask[k] for mask in found.values()] == [sign > 0, False, sign > 0]


def summed(stars, bins=None, weight=None, order="Rz"):
    return kernels.sums(stars, FRAME, bins or kernels.Bins(0.0, 1.2, 6), kernels.Weights(None, weight), None, 1, order)


def within(stars, z_max=1.2):
    return stars[np.abs(kernels.motion(stars, FRAME).z) < z_max]


def test_bins_hold_counts_and_central_moments():
    stars = within(few(3000))
    bins = kernels.Bins(0.0, 1.2, 6)
    got = bin_data(summed(stars.replace(covariance=None)), 0, bins, "Rz")
    seen = kernels.motion(stars, FRAME)
    k = 2
    total, freedom = np.zeros((2, 2)), 0
    for side in (-1, 1):
        own = (np.sign(seen.z) == side) & (np.abs(seen.z) >= 0.4) & (np.abs(seen.z) < 0.6)
        pair = np.stack([side * seen.velocity[1][own], seen.velocity[0][own]])
        total += np.cov(pair) * (own.sum() - 1)
        freedom += own.sum() - 1
    assert got.freedom[0, k] == pytest.approx(freedom)
    assert got.moments[:, 0, k] == pytest.approx(total[0] / freedom)
    assert got.number[0].sum() == len(stars)


def test_weights_count_as_that_many_stars_in_the_density():
    stars = within(few(2000))
    once = bin_data(summed(stars), 0, kernels.Bins(0.0, 1.2, 6), "Rz")
    twice = bin_data(summed(stars, weight=np.full(len(stars), 2.0)), 0, kernels.Bins(0.0, 1.2, 6), "Rz")
    np.testing.assert_allclose(twice.number, 2 * once.number)
    np.testing.assert_allclose(twice.unit, 2.0)
    np.testing.assert_allclose(twice.moments, once.moments)
    np.testing.assert_allclose(twice.freedom, once.freedom)


def test_fourth_moments_of_a_gaussian_and_of_a_mixture():
    """Two halves of dispersions 10 and 30 have fourth moments of 3(10^4 + 30^4)/2 over (10^2 + 30^2)^2/4: 4.92."""
    rng = np.random.default_rng(5)
    n = 100_000
    z = rng.uniform(-1.2, 1.2, n)
    for sigma, kurtosis in ((np.full(n, 20.0), 3.0), (np.where(rng.uniform(size=n) < 0.5, 10.0, 30.0), 4.92)):
        stars = within(catalogue(z, sigma * rng.normal(size=n), 500.0, rng, Sector(tilt_slope=0.0)))
        got = bin_data(summed(stars.replace(covariance=None)), 0, kernels.Bins(0.0, 1.2, 6), "Rz")
        np.testing.assert_allclose(got.standard[:, 0, 0], kurtosis - 1.0, rtol=0.05)
        np.testing.assert_allclose(got.standard[:, 1, 1], 1.0, rtol=0.05)


def test_what_distance_errors_move_is_put_back():
    """Errors of 15 per cent at 1 kpc: bins as without errors, within the noise of the stars that change bins."""
    rng = np.random.default_rng(6)
    n, edges = 1_000_000, np.linspace(0.0, 1.0, 11)
    z, vz = 0.45 * rng.normal(size=n), 25.0 * rng.normal(size=n)
    stars = catalogue(z, vz, 625.0, rng, Sector(), errors={"parallax": 0.15})
    fit = JeansKz(density="gaussian", z_max=1.0 * KPC, bins=10).fit(stars)
    true = np.histogram(np.abs(z), edges)[0]
    seen = np.histogram(np.abs(kernels.motion(stars, FRAME).z), edges)[0]
    # Stars cross an edge both ways by some nu sigma_z/sqrt(2 pi) each; sigma_z is 0.15 z d.
    crossing = 1e3 * fit.data["bin_nu"].value * 0.15 * edges[1:] * np.hypot(edges[1:], 0.35)
    noise = np.sqrt(2.0 * crossing)
    off = (1e2 * fit.data["bin_nu"].value - true) / noise
    assert np.abs(off).max() < 4.0
    assert np.abs((seen - true) / noise).max() > 5.0  # there was something to put back
    off = (fit.data["bin_sigma_zz"].value - 625.0) / fit.data["bin_sigma_zz_error"].value
    assert np.abs(off).max() < 4.0


# ---- samples whose truth is known --------------------------------------------------------------------------

EXAMPLES = {
    "sech2": {},
    "splines": {"solver": "splines"},
    "isothermal": {"density": "isothermal"},
    "gaussian": {"density": "gaussian", "dispersion": (0, 1, 2)},
    "two components": {"density": "two-component", "dispersion": (0,)},
    "exponential": {"density": "exponential", "z_min": 0.2 * KPC},
    "spheroidal": {"tilt": "spheroidal"},
    "without tilt": {"tilt": "none"},
}


@pytest.mark.parametrize("options", EXAMPLES.values(), ids=EXAMPLES.keys())
def test_the_truth_is_found(options):
    estimator = JeansKz(**options)
    stars, truth = sample(20_000, 12, estimator)
    fit = estimator.fit(stars)
    assert fit.converged
    assert not fit.undetermined
    for name, pull in pulls(fit, truth, truth).items():
        assert np.abs(pull).max() < 4.0, name
    assert fit.used + sum(fit.left_out.values()) == len(stars)


def test_radial_gradients_are_found():
    estimator = JeansKz(R_min=7.7 * KPC, R_max=8.5 * KPC, R_bins=4, tracer_scale_length=None, tilt_scale_length=None)
    stars, truth = sample(100_000, 3, estimator)
    fit = estimator.fit(stars)
    assert fit["tracer_gradient"].value == pytest.approx(1 / 2.6, abs=4 * fit.error["tracer_gradient"].value)
    assert fit.error["tracer_gradient"].value < 0.03
    assert fit["tilt_gradient"].value == pytest.approx(-100 / 4.4, abs=4 * fit.error["tilt_gradient"].value)
    for name, pull in pulls(fit, truth, truth).items():
        assert np.abs(pull).max() < 4.0, name


def test_stars_without_velocities_count_in_the_density_only():
    stars, truth = sample(20_000, 5)
    velocity = np.where(np.arange(20_000) % 2, np.nan, stars.raw.radial_velocity)
    fit, whole = JeansKz().fit(stars.replace(radial_velocity=velocity)), JeansKz().fit(stars)
    assert fit.used == whole.used
    np.testing.assert_allclose(fit.data["bin_nu"].value, whole.data["bin_nu"].value, rtol=1e-3)
    ratio = (fit.error["sigma_zz"] / whole.error["sigma_zz"]).value
    np.testing.assert_allclose(ratio, np.sqrt(2), rtol=0.1)
    assert np.abs(pulls(fit, truth, ["Kz"])["Kz"]).max() < 4.0


def test_weights_make_up_for_a_selection():
    rng = np.random.default_rng(8)
    stars, truth = sample(60_000, 8)
    chance = 0.2 + 0.8 * np.exp(-np.abs(kernels.motion(stars, FRAME).z) / 0.4)
    kept = rng.uniform(size=len(stars)) < chance
    seen = stars.replace(columns={**stars.columns, "weight": 1.0 / chance})[kept]
    fit = JeansKz(weight=ak.column("weight")).fit(seen)
    assert np.abs(pulls(fit, truth, ["Kz"])["Kz"]).max() < 4.0
    bare = JeansKz().fit(seen)
    assert np.abs(pulls(bare, truth, ["Kz"])["Kz"]).max() > 6.0


def test_the_share_of_the_tilt_is_told_and_can_be_left_out():
    stars, truth = sample(200_000, 9)
    fit, without = JeansKz().fit(stars), JeansKz(tilt="none").fit(stars)
    share = (truth["tilt"] / truth["Kz"]).value
    off = (fit.derived["tilt_share"].value - share) / fit.derived_error["tilt_share"].value
    assert np.abs(off).max() < 4.0
    np.testing.assert_allclose((fit["Kz"] - fit["tilt"]).value, without["Kz"].value, rtol=2e-3)
    assert fit["beta"].value == pytest.approx(100 * (1 / 8.122 - 1 / 2.6 - 1 / 4.4), abs=4 * fit.error["beta"].value)


def test_dark_matter_is_what_the_baryons_leave():
    estimator = JeansKz(grid=[0.5, 1.1] * KPC)
    fit = estimator.fit(sample(4000, 2, estimator)[0])
    z = fit.grid
    layers = 33.4 * (1 - np.exp(-z / (0.39 * KPC))) + 13.7 * (1 - np.exp(-z / (0.165 * KPC)))
    dark = fit["Sigma"] - layers * u.Msun / u.pc**2
    np.testing.assert_allclose(fit.derived["Sigma_dm"].value, dark.value)
    np.testing.assert_allclose(fit.derived["rho_dm"].value, (dark / (2 * z)).to_value(u.Msun / u.pc**3))
    # The default layers have the local densities of McKee et al. (2015).
    local = (estimator.baryon_surface_density / (2 * estimator.baryon_scale_height)).to_value(u.Msun / u.pc**3)
    np.testing.assert_allclose(local, [0.043, 0.041], atol=0.0006)


def test_rotation_enters_as_poisson_says():
    stars, _ = sample()
    flat = JeansKz(oort=(13.0, -13.0) * KM_S / KPC).fit(stars)
    falling = JeansKz().fit(stars)
    less = vertical.rotation_density((15.3, -11.9) * KM_S / KPC)
    np.testing.assert_allclose((falling["rho"] - flat["rho"]).value, less.value)
    np.testing.assert_allclose((falling["Sigma"] - flat["Sigma"]).value, (2 * less * flat.grid.to(u.pc)).value)
    np.testing.assert_allclose(flat["Sigma"].value, vertical.surface_density(flat["Kz"]).value)


def test_profiles_know_their_covariance():
    fit = JeansKz().fit(sample()[0])
    m = len(fit.grid)
    covariance = fit.covariance_of("Sigma")
    assert covariance.shape == (m, m)
    scale = (vertical.TWO_PI_G) ** -2
    np.testing.assert_allclose(covariance, scale * fit.covariance_of("Kz"))
    difference = fit["Sigma"][-1] - fit["Sigma"][-2]
    error = np.sqrt(covariance[-1, -1] + covariance[-2, -2] - 2 * covariance[-1, -2])
    assert 0 < error < 0.3 * fit.error["Sigma"][-1].value
    assert difference.unit == vertical.SURFACE_DENSITY


def test_groups_and_a_file_and_a_figure(tmp_path):
    stars, _ = sample(6000)
    stars = stars.replace(columns={**stars.columns, "age": np.where(np.arange(6000) % 3 == 0, "old", "young")})
    fit = JeansKz(by="age", grid=[0.3, 0.8, 1.1] * KPC).fit(stars)
    assert fit["Kz"].shape == (2, 3)
    assert fit["scale_height"].shape == (2,)
    assert fit.covariance.shape == (2, 7 * 3 + 6, 7 * 3 + 6)
    assert len(fit.table()) == 6
    fit.write(tmp_path / "kz.ecsv")
    back = ak.Fit.read(tmp_path / "kz.ecsv")
    assert back == fit
    assert np.array_equal(back.covariance_of("rho"), fit.covariance_of("rho"))
    pytest.importorskip("matplotlib")
    assert len(back.plot().axes) == 4


def test_the_sample_is_in_equilibrium_and_of_the_density_it_says():
    """Kolmogorov's test of the heights against the exact distribution, and the velocities of each component."""
    from scipy.stats import kstest

    field, rng = Field(), np.random.default_rng(10)
    z, vz = field.tracers(40_000, rng, (20.0,))
    fine = np.linspace(0, 8, 200_001)
    total = np.concatenate([[0], np.cumsum(np.exp(-field.potential(0.5 * (fine[1:] + fine[:-1])) / 400.0))])
    assert kstest(np.abs(z), lambda x: np.interp(x, fine, total / total[-1])).pvalue > 1e-4
    assert kstest(vz / 20.0, "norm").pvalue > 1e-4
    assert abs(np.corrcoef(np.abs(z), vz**2)[0, 1]) < 4 / np.sqrt(40_000)


# ---- bad input ---------------------------------------------------------------------------------------------


def test_options_that_make_no_sense_are_named():
    for options, words in (
        ({"z_min": 1.3 * KPC}, "z_min < z_max"),
        ({"R_bins": 3}, "R_min and R_max"),
        ({"tilt_scale_length": None}, "R_bins of 2"),
        ({"grid": [0.5, 1.5] * KPC}, "profiles are told where there are data only"),
        ({"grid": [0.5, 1.0]}, "heights with a unit"),
        ({"grid": [-0.5] * KPC}, "heights of 0 or more"),
        ({"dispersion": (1, 2)}, "0 among them"),
        ({"dispersion": "flat"}, "powers of"),
        ({"weight": 2.0 * u.one}, "ak.column"),
        ({"density": "sech"}, "sech2"),
        ({"solver": "splines", "knots": 20}, "no more intervals than bins"),
        ({"R_min": 9 * KPC, "R_max": 8 * KPC}, "R_min < R_max"),
    ):
        with pytest.raises(InputError, match=words):
            JeansKz(**options)


def test_the_command_line_gives_heights_with_one_unit():
    assert np.array_equal(JeansKz(grid=(0.5, "1.1 kpc")).grid, [0.5, 1.1] * KPC)
    assert np.array_equal(JeansKz(grid="800 pc").grid, [0.8] * KPC)


def test_profiles_end_where_the_stars_do():
    stars, _ = sample()
    low = stars[np.abs(kernels.motion(stars, FRAME).z) < 0.7]
    fit = JeansKz().fit(low)
    beyond = fit.grid > 0.75 * KPC
    assert np.isnan(fit["Kz"][beyond]).all()
    assert np.isfinite(fit["Kz"][~beyond]).all()
    assert fit.undetermined["Kz"] == "no star in a bin above z = 0.75 kpc"
    assert np.isnan(fit.error["Sigma"][beyond]).all()
    assert any("no star in 6 bins" in note for note in fit.notes)


def test_one_side_of_the_plane_is_noted():
    stars, truth = sample(20_000)
    north = stars[kernels.motion(stars, FRAME).z > 0]
    fit = JeansKz().fit(north)
    assert "all stars are north of the plane: nothing tells whether both sides agree" in fit.notes
    assert np.abs(pulls(fit, truth, ["Kz"])["Kz"]).max() < 4.0


def test_a_density_that_rises_is_noted():
    rng = np.random.default_rng(11)
    z = rng.choice([-1, 1], 6000) * (0.6 + 0.15 * rng.normal(size=6000))
    fit = JeansKz().fit(catalogue(z, 20 * rng.normal(size=6000), 400.0, rng, Sector()))
    assert any("the density does not fall with height" in note for note in fit.notes)


def test_errors_larger_than_the_scatter_are_noted_and_leave_no_force():
    stars, _ = sample(3000)
    size = {"parallax": 1e-3, "pmra": 50.0, "pmdec": 50.0, "radial_velocity": 80.0}
    covariance = ak.Covariance(errors={name: np.full(3000, v) for name, v in size.items()})
    fit = JeansKz(dispersion=(0,)).fit(stars.replace(covariance=covariance))
    assert any("exceed the scatter of v_z" in note for note in fit.notes)
    assert np.isnan(fit["Kz"]).all()
    assert "no dispersion is left" in fit.undetermined["Kz"]
    assert np.isfinite(fit["nu"]).all()


def test_wild_velocities_can_be_clipped():
    stars, truth = sample(20_000)
    wild = stars.raw.radial_velocity.copy()
    wild[::2000] = 3000.0
    seen = stars.replace(radial_velocity=wild)
    fit, spoilt = JeansKz(clip=6).fit(seen), JeansKz().fit(seen)
    assert 6 <= fit.left_out["clipped beyond 6 sigma"] <= 10
    assert np.abs(pulls(fit, truth, ["sigma_zz"])["sigma_zz"]).max() < 4.0
    assert (spoilt["sigma_zz"] - truth["sigma_zz"]).max() > 10 * fit.error["sigma_zz"].min()


def test_few_stars_determine_nothing_and_say_so():
    fit = JeansKz().fit(sample(3)[0])
    assert set(fit.undetermined) == set(fit)
    assert "too few" in fit.undetermined["Kz"]
    assert all(np.isnan(v).all() for v in fit.values())


def test_a_model_that_leaves_nothing_to_the_data_is_said_to():
    """An exponential of constant dispersion has one force at all heights: there is no density in it."""
    estimator = JeansKz(density="exponential", dispersion=0, tilt="none", z_min=0.2 * KPC)
    fit = estimator.fit(sample(4000, 1, estimator)[0])
    assert np.isnan(fit["rho"]).all()
    assert "the model alone" in fit.undetermined["rho"]
    assert np.isfinite(fit["Kz"]).all()


def test_rows_left_out_are_counted_by_reason():
    stars, _ = sample(2000)
    parallax = stars.raw.parallax.copy()
    parallax[:5] = -0.1
    weight = np.ones(2000)
    weight[5:9], weight[9:12] = 0.0, np.nan
    bad = stars.replace(parallax=parallax, columns={**stars.columns, "w": weight})
    fit = JeansKz(weight=ak.column("w"), z_min=0.1 * KPC, R_min=7.8 * KPC).fit(bad)
    assert fit.left_out["parallax not positive"] == 5
    assert {"no value in column 'w'", "column 'w': a positive number is needed", "outside the radii"} <= set(
        fit.left_out
    )
    assert {"below 0.1 kpc in height", "above 1.2 kpc in height"} <= set(fit.left_out)
    assert fit.used + sum(fit.left_out.values()) == 2000


def test_stars_without_errors_are_noted():
    stars, _ = sample(2000)
    fit = JeansKz().fit(stars.replace(covariance=None))
    assert any("have no known errors" in note for note in fit.notes)


def test_nothing_warns():
    stars, _ = sample(500)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for options in ({}, {"solver": "splines"}, {"tilt": "spheroidal"}):
            str(JeansKz(**options).fit(stars[:60]))


# ---- calibration, long -------------------------------------------------------------------------------------

TWO = Field(surface_density=50.0, scale_height=0.3, dark_density=0.012)
HEIGHTS = [0.3, 0.7, 1.1] * KPC


def two_component_pulls(n, realisations, estimator, sector):
    """Pulls of K_z, Sigma(1.1 kpc) and the local density in a sheet with dark matter, with Gaia-like errors."""
    z = estimator.heights.to_value(KPC)
    turned = vertical.rotation_density(estimator.oort).value
    tilt = sector.tilt_slope * z * models.tilt_factor(8.122, sector.k_density, sector.k_tilt)
    force = 1e-3 * (TWO.force(z) + tilt)
    slope = 1e-6 * sector.tilt_slope * models.tilt_factor(8.122, sector.k_density, sector.k_tilt) / vertical.FOUR_PI_G
    out = {"Kz": [], "Sigma": [], "rho_0": []}
    for seed in range(realisations):
        rng = np.random.default_rng(5000 + seed)
        height, velocity = TWO.tracers(n, rng, (25.0,))
        fit = estimator.fit(catalogue(height, velocity, 625.0, rng, sector))
        out["Kz"].append((fit["Kz"].value - force) / fit.error["Kz"].value)
        sigma = -force / vertical.TWO_PI_G + 2e3 * turned * z
        out["Sigma"].append(((fit["Sigma"].value - sigma) / fit.error["Sigma"].value)[-1:])
        rho = TWO.density(0.0) - slope + turned
        out["rho_0"].append([(fit["rho_0"].value - rho) / fit.error["rho_0"].value])
    return {name: np.array(v) for name, v in out.items()}


def demand_standard(found):
    for name, v in found.items():
        n = len(v)
        assert np.abs(v.mean(axis=0)).max() < 4 / np.sqrt(n), f"{name}: mean {v.mean(axis=0)}"
        assert np.abs(v.std(axis=0) - 1).max() < 4 / np.sqrt(2 * n), f"{name}: width {v.std(axis=0)}"


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"density": "isothermal"}, {"solver": "splines"}], ids=["parametric", "splines"])
def test_pulls_of_20000_tracers_are_standard(options):
    demand_standard(two_component_pulls(20_000, 400, JeansKz(grid=HEIGHTS, **options), Sector()))


@pytest.mark.slow
def test_pulls_of_a_million_tracers_are_standard():
    demand_standard(two_component_pulls(1_000_000, 400, JeansKz(grid=HEIGHTS, density="isothermal"), Sector()))


@pytest.mark.slow
def test_two_tracer_components_in_the_same_field():
    """Their sigma_zz rises with height: splines follow it, and K_z is that of the potential."""
    rng = np.random.default_rng(20)
    z, vz = TWO.tracers(400_000, rng, (15.0, 35.0), (0.6, 0.4))
    sector = dataclasses.replace(Sector(), tilt_slope=0.0)
    fit = JeansKz(solver="splines", tilt="none", grid=HEIGHTS).fit(catalogue(z, vz, 500.0, rng, sector))
    off = (fit["Kz"].value - 1e-3 * TWO.force(HEIGHTS.value)) / fit.error["Kz"].value
    assert np.abs(off).max() < 4.0
    assert fit["sigma_zz"][-1] > 1.5 * fit["sigma_zz"][0]


@pytest.mark.parametrize("options", [{}, {"tilt": "none", "solver": "splines"}], ids=repr)
def test_single_precision_changes_no_result(options, monkeypatch):
    """Large blocks are worked on in it: but for stars within 1e-7 kpc of an edge, each 0.02 of its bin's errors."""
    estimator = JeansKz(**options)
    stars, _ = estimator.simulate(60_000, np.random.default_rng(8))
    quick = estimator.fit(stars)
    monkeypatch.setattr(vertical_motion, "MANY", 1 << 60)
    whole = estimator.fit(stars)
    apart = [np.ravel(((quick[k] - v) / whole.error[k]).value) for k, v in whole.results.items()]
    errors = [np.ravel((quick.error[k] / v).value) - 1.0 for k, v in whole.error.items()]
    assert np.nanmedian(np.abs(np.concatenate(apart))) < 1e-5
    assert np.nanmax(np.abs(np.concatenate(apart))) < 3e-2
    assert np.nanmedian(np.abs(np.concatenate(errors))) < 1e-6
    assert np.nanmax(np.abs(np.concatenate(apart))) > 0.0  # it was used
