"""The solar motion: the moment integrals, least squares of others, exact likelihoods, skies that lack a part."""

from dataclasses import replace

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate

import astrokin as ak
from astrokin import galaxy, simulation
from astrokin.covariance import Covariance
from astrokin.errors import InputError
from astrokin.estimators import constant_pass, sky_moments
from astrokin.estimators.linear_field import State
from astrokin.estimators.solar_motion_sample import sphere

Solar = ak.estimators.SolarMotion
KS = u.km / u.s
SHEAR = KS / u.kpc
SUN = np.array([11.1, 12.24, 7.25])
OORT = (15.3, -11.9, -3.2, -3.3)


def values(fit, names="UVW"):
    return np.array([fit[k].value for k in names])


def errors(fit, names="UVW"):
    return np.array([fit.error[k].value for k in names])


def seen(place, velocity):
    """Stars without errors at places (kpc) and velocities (km/s) in Galactic axes, by way of astropy."""
    unit, rate = u.kpc, KS
    x, y, z, vx, vy, vz = (*(v * unit for v in place), *(v * rate for v in velocity))
    coords = SkyCoord(
        u=x,
        v=y,
        w=z,
        U=vx,
        V=vy,
        W=vz,
        frame="galactic",
        representation_type="cartesian",
        differential_type="cartesian",
    ).icrs
    coords = SkyCoord(coords, representation_type="spherical", differential_type="sphericalcoslat")
    return ak.Stars(
        ra=coords.ra,
        dec=coords.dec,
        parallax=coords.distance.to(u.mas, u.parallax()),
        pmra=coords.pm_ra_cosdec,
        pmdec=coords.pm_dec,
        radial_velocity=coords.radial_velocity,
    )


def sample(n=2000, seed=1, scatter=20.0, sun=SUN, gradient=None):
    rng = np.random.default_rng(seed)
    place = sphere(n, rng)
    velocity = scatter * rng.normal(size=(3, n)) - np.asarray(sun)[:, None]
    return seen(place, velocity if gradient is None else velocity + np.asarray(gradient) @ place)


# ---- the source's formulas -------------------------------------------------------------------------------


@pytest.mark.parametrize("k", range(3))
def test_the_moment_integrals_of_the_source(k):
    """M_V = -V/3 of <v_r> = -(U cos l cos b + V sin l cos b + W sin b), and U and W alike, by quadrature."""

    def outward(lon, lat):
        return np.array([np.cos(lon) * np.cos(lat), np.sin(lon) * np.cos(lat), np.sin(lat)])

    moment, _ = integrate.dblquad(
        lambda lat, lon: -(SUN @ outward(lon, lat)) * outward(lon, lat)[k] * np.cos(lat) / (4 * np.pi),
        0,
        2 * np.pi,
        -np.pi / 2,
        np.pi / 2,
    )
    assert -sky_moments.FACTORS["rv",] * moment == pytest.approx(SUN[k], abs=1e-9)


@pytest.mark.parametrize("method", ["fit", "moments"])
@pytest.mark.parametrize("use", [("rv",), ("pm",), ("pm", "rv")])
def test_stars_at_rest_on_an_even_sky_give_the_suns_velocity(method, use):
    """A Fibonacci lattice covers the sky evenly, so that its sums are the integrals to 1e-4."""
    n = 20_000
    z = (np.arange(n) + 0.5) / n * 2 - 1
    turn = np.arange(n) * np.pi * (3 - np.sqrt(5))
    place = 0.1 * np.stack([np.sqrt(1 - z**2) * np.cos(turn), np.sqrt(1 - z**2) * np.sin(turn), z])
    stars = seen(place, np.tile(-SUN[:, None], (1, n)))
    for bands in (0, 6):
        fit = Solar(method=method, use=use, sky_bands=bands).fit(stars)
        np.testing.assert_allclose(values(fit), SUN, rtol=0, atol=0.02 if method == "moments" else 1e-9)


def test_radial_velocities_have_the_dipole_of_the_source():
    stars = sample(50, scatter=0.0)
    lon, lat = stars.l.to_value(u.rad), stars.b.to_value(u.rad)
    dipole = -(SUN[0] * np.cos(lon) * np.cos(lat) + SUN[1] * np.sin(lon) * np.cos(lat) + SUN[2] * np.sin(lat))
    np.testing.assert_allclose(stars.raw.radial_velocity, dipole, rtol=0, atol=1e-9)
    np.testing.assert_allclose(values(Solar(use="rv").fit(stars)), SUN, rtol=0, atol=1e-9)


@settings(max_examples=25)
@given(st.tuples(*[st.floats(-300, 300)] * 3), st.sampled_from([("rv",), ("pm",), ("pm", "rv")]))
def test_any_velocity_is_found(sun, use):
    """Without scatter the fit is exact, wherever the stars are."""
    np.testing.assert_allclose(values(Solar(use=use).fit(sample(40, scatter=0.0, sun=sun))), sun, rtol=0, atol=1e-8)


def test_speed_and_apex():
    fit = Solar().fit(sample(500, scatter=1.0))
    apex = SkyCoord(u=SUN[0], v=SUN[1], w=SUN[2], frame="galactic", representation_type="cartesian")
    apex = SkyCoord(apex, representation_type="unitspherical")
    assert fit.derived["speed"].value == pytest.approx(np.linalg.norm(SUN), abs=0.2)
    assert fit.derived["apex_l"].value == pytest.approx(apex.l.deg, abs=0.7)
    assert fit.derived["apex_b"].value == pytest.approx(apex.b.deg, abs=0.7)


# ---- against others --------------------------------------------------------------------------------------


def design(stars, use):
    """Rows of -p, -q, -g and the velocities of each star, by astropy's positions alone."""
    axes = [galaxy.icrs_to_galactic() @ v for v in (*stars.raw.basis, stars.raw.direction)]
    d = stars.distance.value
    speeds = [4.740470463533349 * stars.pmra.value * d, 4.740470463533349 * stars.pmdec.value * d]
    parts = list(zip(axes, [*speeds, stars.raw.radial_velocity], strict=True))
    parts = parts[2:] if use == ("rv",) else parts[:2] if use == ("pm",) else parts
    return np.concatenate([-axis.T for axis, _ in parts]), np.concatenate([v for _, v in parts])


@pytest.mark.parametrize("use", [("rv",), ("pm",), ("pm", "rv")])
def test_without_errors_it_is_least_squares(use):
    stars = sample(300)
    x, y = design(stars, use)
    best, rest, *_ = np.linalg.lstsq(x, y, rcond=None)
    fit = Solar(use=use).fit(stars)
    np.testing.assert_allclose(values(fit), best, rtol=0, atol=1e-6)
    # The restricted likelihood divides by the degrees of freedom, to first order in 3 over them.
    assert fit["sigma2"].value == pytest.approx(rest[0] / (len(y) - 3), rel=10 / len(y) ** 1.5)


def test_both_motions_are_the_mean_velocity():
    stars = sample(400)
    mean = -stars.uvw.to_value(KS).mean(axis=1) if stars.uvw.shape[0] == 3 else -stars.uvw.to_value(KS).mean(axis=0)
    np.testing.assert_allclose(values(Solar().fit(stars)), mean, rtol=0, atol=1e-6)
    np.testing.assert_allclose(values(Solar(method="moments", sky_bands=0).fit(stars)), mean, rtol=0, atol=1e-9)


def test_errors_are_those_of_a_mean():
    stars = sample(4000)
    spread = stars.uvw.to_value(KS)
    spread = spread if spread.shape[0] == 3 else spread.T
    error = np.std(spread, axis=1, ddof=1) / np.sqrt(4000)
    np.testing.assert_allclose(errors(Solar().fit(stars)), error, rtol=1e-3)
    np.testing.assert_allclose(errors(Solar(method="moments", sky_bands=0).fit(stars)), error, rtol=1e-9)


def test_proper_motions_alone_agree_with_radial_velocities():
    stars, truth = Solar(dispersion="full").simulate(20_000, np.random.default_rng(3))
    pm, rv = (Solar(use=use, dispersion="full").fit(stars) for use in ("pm", "rv"))
    for name in truth:
        assert abs(pm[name] - rv[name]) < 4 * np.hypot(pm.error[name], rv.error[name]), name


def test_moments_and_fit_agree():
    stars, _ = Solar().simulate(20_000, np.random.default_rng(4))
    for use in (("rv",), ("pm",), ("pm", "rv")):
        moments, fit = (Solar(method=m, use=use).fit(stars) for m in ("moments", "fit"))
        assert (np.abs(values(moments) - values(fit)) < 2.5 * errors(moments)).all()
        assert (errors(moments) > 0.9 * errors(fit)).all()


@pytest.mark.parametrize("use", [("rv",), ("pm",), ("pm", "rv")])
@pytest.mark.parametrize("known", ["nothing", "errors", "correlations", "some radial velocities"])
def test_the_quick_pass_gives_the_sums_of_the_general_one(use, known):
    stars, _ = Solar().simulate(500, np.random.default_rng(6))
    errors_ = {k: stars.raw.covariance.error(k) for k in ("parallax", "pmra", "pmdec", "radial_velocity")}
    half = {pair: np.full(500, 0.4) for pair in (("parallax", "pmra"), ("pmra", "pmdec"), ("parallax", "pmdec"))}
    large = Covariance(errors=dict(errors_, parallax=np.full(500, 0.8)), correlations=half)
    stars = stars.replace(covariance={"nothing": None, "correlations": large}.get(known, stars.raw.covariance))
    if known == "some radial velocities":
        stars = stars.replace(radial_velocity=np.where(np.arange(500) % 3, np.nan, stars.raw.radial_velocity))
        stars = stars if use != ("rv",) else stars[::3]
    estimator = Solar(use=use)
    state = State(np.array([[10.0, 5.0, -3.0, 400.0]]), 400.0 * np.eye(3)[None], estimator.field)
    rows = estimator._rows(stars)
    data = estimator.sample(rows)
    assert constant_pass.applies(rows, data, state)
    quick, general = constant_pass.sums(data, state, True), estimator.terms(rows, state).sums()
    for name in ("weight", "spread", "field", "scatter", "tally"):
        one, other = getattr(quick, name), getattr(general, name)
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11 * np.abs(other).max(), err_msg=name)


# ---- the Galactic flow -----------------------------------------------------------------------------------


def flowing(n=3000, scatter=20.0):
    a, b, c, k = OORT
    return sample(n, scatter=scatter, gradient=[[k + c, a - b, 0], [a + b, k - c, 0], [0, 0, 0]])


@pytest.mark.parametrize("use", [("rv",), ("pm",), ("pm", "rv")])
@pytest.mark.parametrize("method", ["fit", "moments"])
def test_the_rotation_is_taken_out_first(use, method):
    taken = Solar(use=use, method=method, rotation=OORT * SHEAR).fit(flowing())
    without = Solar(use=use, method=method).fit(sample(3000))
    np.testing.assert_allclose(values(taken), values(without), rtol=0, atol=1e-6)


def test_a_rotation_is_the_effect_of_oorts_fit():
    stars = flowing(scatter=10.0)
    oort = ak.estimators.OortConstants().fit(stars)
    fit = Solar(rotation=oort).fit(stars)
    np.testing.assert_allclose(values(fit), values(oort), rtol=0, atol=1e-4)
    assert Solar(rotation=tuple(oort[k] for k in "ABCK")) == Solar(rotation=oort)


@pytest.mark.parametrize(
    ("rotation", "said"),
    [
        ((15, -12, -3, -3), "unit"),
        ([15, -12] * SHEAR, r"\(4,\) is needed"),
        ([15, -12, -3, -3] * KS, "unit"),
        ([15, np.nan, -3, -3] * SHEAR, "finite"),
        (3.0, "unit"),
    ],
)
def test_what_is_no_rotation(rotation, said):
    with pytest.raises(InputError, match=rf"SolarMotion\.rotation .*{said}"):
        Solar(rotation=rotation)


# ---- what stars have, and have not -----------------------------------------------------------------------


def test_radial_velocities_alone_need_no_parallax():
    stars = sample(500)
    for method in ("fit", "moments"):
        fit = Solar(use="rv", method=method).fit(stars)
        none = Solar(use="rv", method=method).fit(stars.replace(parallax=np.full(500, np.nan)))
        negative = Solar(use="rv", method=method).fit(stars.replace(parallax=np.full(500, -1.0)))
        assert (none.used, negative.used, none.left_out) == (500, 500, {})
        np.testing.assert_allclose([values(none), values(negative)], [values(fit)] * 2, rtol=0, atol=1e-9)
    with_rotation = Solar(use="rv", rotation=OORT * SHEAR)
    assert with_rotation.needs == {"radial_velocity", "parallax"}
    with pytest.raises(InputError, match="no parallax"):
        with_rotation.fit(stars.replace(parallax=np.full(500, np.nan)))


def test_no_radial_velocity_at_all():
    stars = sample(500)
    dark = stars.replace(radial_velocity=np.full(500, np.nan))
    with pytest.raises(InputError, match="500 no radial velocity"):
        Solar(use="rv").fit(dark)
    for method in ("fit", "moments"):
        np.testing.assert_allclose(
            values(Solar(method=method).fit(dark)), values(Solar(method=method, use="pm").fit(stars)), rtol=0, atol=1e-9
        )
    assert any("proper motions alone" in note for note in Solar(method="moments").fit(dark).notes)


def test_some_without_radial_velocity():
    stars = sample(6000)
    some = stars.replace(radial_velocity=np.where(np.arange(6000) % 3, np.nan, stars.raw.radial_velocity))
    for method in ("fit", "moments"):
        fit, pm, full = (
            Solar(method=method, use=use).fit(s)
            for use, s in ((("pm", "rv"), some), ("pm", some), (("pm", "rv"), stars))
        )
        assert fit.used == 6000
        assert (errors(full) < errors(fit)).all()
        if method == "fit":  # the moments weigh both alike, however few radial velocities there are
            assert (errors(fit) < errors(pm)).all()
        assert (np.abs(values(fit) - SUN) < 4 * errors(fit)).all()


def test_moments_need_positive_parallaxes():
    stars, _ = Solar().simulate(1000, np.random.default_rng(1))
    parallax = np.where(np.arange(1000) < 30, -0.1, stars.raw.parallax)
    fit = Solar(method="moments").fit(stars.replace(parallax=parallax))
    assert fit.left_out == {"parallax not positive": 30}
    assert Solar().fit(stars.replace(parallax=parallax)).left_out == {}


# ---- skies that lack a part ------------------------------------------------------------------------------


def northern(n=200_000):
    stars = sample(n, scatter=5.0)
    return stars[stars.b > 40 * u.deg]


def test_moments_of_a_part_of_the_sky_are_biased_and_say_by_how_much():
    fit = Solar(method="moments", use="rv").fit(northern())
    (note,) = fit.notes
    assert "cells of the sky hold no star" in note
    assert "method='fit' is not" in note
    told = np.array([float(v) for v in note.split("by some (")[1].split(")")[0].split(",")])
    off = values(fit) - SUN
    assert np.abs(off).max() > 2.0
    np.testing.assert_allclose(off, told, atol=0.15)
    unbiased = Solar(use="rv").fit(northern())
    assert (np.abs(values(unbiased) - SUN) < 4 * errors(unbiased)).all()


def test_the_bias_of_a_polar_cap_is_that_of_the_integral():
    """Of radial velocities above b0 the moments give 3 <r r^T> v: <z^2> = (1 + s + s^2)/3 with s = sin b0."""
    stars = sample(400_000, scatter=0.0)
    s = 0.5
    fit = Solar(method="moments", use="rv", sky_bands=12).fit(
        stars[stars.raw.direction[2] * 0 + np.sin(stars.b.to_value(u.rad)) > s]
    )
    z2 = (1 + s + s * s) / 3
    np.testing.assert_allclose(values(fit), SUN * np.array([1.5 * (1 - z2), 1.5 * (1 - z2), 3 * z2]), rtol=0.01)


def test_space_velocities_have_no_bias_on_any_sky():
    fit = Solar(method="moments").fit(northern(80_000))
    assert fit.notes == ()
    assert (np.abs(values(fit) - SUN) < 4 * errors(fit)).all()


def test_sky_weighting_makes_an_uneven_survey_even():
    """Ten times as many stars in the first quadrant: unweighted moments are biased, weighted ones are not."""
    stars = sample(60_000, scatter=5.0)
    keep = (stars.l < 90 * u.deg) | (np.arange(60_000) % 10 == 0)
    weighted, plain = (Solar(method="moments", use="rv", sky_bands=b).fit(stars[keep]) for b in (6, 0))
    assert (np.abs(values(weighted) - SUN) < 4 * errors(weighted)).all()
    assert np.abs(values(plain) - SUN).max() > 15 * errors(plain).max()
    assert "stars, not cells of the sky, weigh alike" in plain.notes[0]


@given(st.integers(1, 20))
def test_cells_have_equal_areas(bands):
    rng = np.random.default_rng(0)
    place = sky_moments.cells(simulation.angles.normalised(rng.normal(size=(3, 40_000))), bands)
    count = np.bincount(place, minlength=sky_moments.number_of_cells(bands))
    assert len(count) == 2 * bands * bands
    expected = 40_000 / len(count)
    assert ((count - expected) ** 2 / expected).sum() < len(count) + 6 * np.sqrt(2 * len(count))


def test_cells_of_the_edges():
    edge = np.array([[0, 0, 1, 1, -1], [0, 0, 0, -1e-300, -1e-17], [1, -1, 0, 0, 0]], dtype=float)
    assert (sky_moments.cells(edge, 6) >= 0).all()
    assert (sky_moments.cells(edge, 6) < 72).all()


# ---- what the data do not determine ------------------------------------------------------------------------


def one_direction(n=200):
    rng = np.random.default_rng(2)
    place = np.array([[0.3], [0.2], [0.1]]) * rng.uniform(0.1, 1, n)
    return seen(place, 20 * rng.normal(size=(3, n)) - SUN[:, None])


@pytest.mark.parametrize("method", ["fit", "moments"])
@pytest.mark.parametrize("use", ["rv", "pm"])
def test_stars_in_one_direction(method, use):
    fit = Solar(method=method, use=use).fit(one_direction())
    assert {"U", "V", "W"} <= fit.undetermined.keys()
    assert "do not determine it" in fit.undetermined["U"]
    assert np.isnan(values(fit)).all()
    assert np.isnan(errors(fit)).all()
    assert np.isnan(fit.derived["speed"])
    both = Solar(method=method).fit(one_direction())
    assert (np.abs(values(both) - SUN) < 4 * errors(both)).all()


@pytest.mark.parametrize("n", [1, 2, 4])
@pytest.mark.parametrize("use", [("rv",), ("pm",), ("pm", "rv")])
def test_few_stars(n, use):
    fit = Solar(use=use).fit(sample()[:n])
    assert fit.undetermined.keys() == set(fit)
    assert all("too few stars" in reason for reason in fit.undetermined.values())


def test_few_stars_for_moments():
    fit = Solar(method="moments").fit(sample()[:1])
    assert all("too few stars" in reason for reason in fit.undetermined.values())
    assert np.isnan(values(fit)).all()


def test_velocities_beyond_all_bounds():
    stars = sample(100)
    fit = Solar(method="moments").fit(stars.replace(radial_velocity=np.full(100, 1e200)))
    assert "not finite" in fit.undetermined["U"]
    assert np.isnan(values(fit)).all()


@pytest.mark.parametrize("method", ["fit", "moments"])
def test_a_group_of_one_star(method):
    stars = sample(500)
    kind = np.where(np.arange(500) == 0, "a", "b")
    fit = Solar(by="kind", method=method).fit(stars.replace(columns={"kind": kind}))
    assert np.isnan(fit["U"][0])
    assert "too few stars" in fit.undetermined["U"]
    np.testing.assert_allclose(fit["U"][1], Solar(method=method).fit(stars[1:])["U"], rtol=1e-6)


def test_errors_larger_than_the_scatter():
    stars = simulation.observed(
        sphere(500, np.random.default_rng(1)),
        np.tile(-SUN[:, None], (1, 500)),
        np.random.default_rng(2),
        {"pmra": 5.0, "pmdec": 5.0},
    )
    fit = Solar().fit(stars)
    assert any("explain the whole scatter" in note for note in fit.notes)
    assert np.isfinite(values(fit)).all()


@pytest.mark.parametrize("options", [{"method": "mean"}, {"sky_bands": -1}, {"sky_bands": 1.5}, {"use": ()}])
def test_options_that_are_none(options):
    with pytest.raises(InputError, match="SolarMotion"):
        Solar(**options)


# ---- selection, groups, clipping ---------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["fit", "moments"])
def test_clipping_takes_off_a_stream(method):
    stars = sample(3000, scatter=15.0)
    fast = np.arange(3000) % 25 == 0
    moved = np.where(fast, 300.0, 0.0)
    mixed = stars.replace(radial_velocity=stars.raw.radial_velocity + moved)
    plain, clipped = (Solar(method=method, use="rv", clip=c).fit(mixed) for c in (None, 3.0))
    assert clipped.left_out["clipped beyond 3 sigma"] >= 0.9 * fast.sum()
    assert (
        np.abs(values(clipped) - SUN).max() < np.abs(values(plain) - SUN).max()
        or (np.abs(values(clipped) - SUN) < 4 * errors(clipped)).all()
    )


@pytest.mark.parametrize("method", ["fit", "moments"])
def test_a_group_of_one_star_is_not_clipped(method):
    stars = sample(500)
    kind = np.where(np.arange(500) == 0, "a", "b")
    fit = Solar(by="kind", method=method, clip=5.0).fit(stars.replace(columns={"kind": kind}))
    assert fit.used == 500
    assert fit.left_out == {}


@pytest.mark.parametrize("method", ["fit", "moments"])
def test_groups_are_what_they_are_alone(method):
    stars, _ = ak.estimators.AsymmetricDrift(by="population").simulate(6000, np.random.default_rng(5))
    fit = Solar(by="population", method=method).fit(stars)
    alone = Solar(method=method).fit(stars[stars["population"] == 3])
    np.testing.assert_allclose([fit[k].value[2] for k in "UVW"], values(alone), rtol=0, atol=1e-3 * errors(alone).min())


@pytest.mark.parametrize("method", ["fit", "moments"])
@pytest.mark.parametrize("use", [("rv",), ("pm",), ("pm", "rv")])
def test_bootstrap_errors_agree(method, use):
    stars, n = Solar().simulate(2000, np.random.default_rng(9))[0], 150
    plain, boot = (Solar(method=method, use=use, bootstrap=b).fit(stars) for b in (0, n))
    np.testing.assert_allclose(values(boot), values(plain), rtol=0, atol=1e-3 * errors(plain).min())
    np.testing.assert_allclose(errors(boot) / errors(plain), 1.0, atol=4 / np.sqrt(2 * n) + 0.05)


def test_a_zero_point_stretches_proper_motions():
    stars = sample(500)
    shifted = stars.replace(parallax=stars.raw.parallax - 0.04)
    for method in ("fit", "moments"):
        fit = Solar(method=method, parallax_zero_point=-0.04 * u.mas).fit(shifted)
        np.testing.assert_allclose(values(fit), values(Solar(method=method).fit(stars)), rtol=1e-9)


# ---- figures ---------------------------------------------------------------------------------------------


def test_figures():
    pytest.importorskip("matplotlib")
    stars, _ = ak.estimators.AsymmetricDrift(by="population").simulate(3000, np.random.default_rng(5))
    sky = Solar().fit(stars).plot()
    assert sky.axes[0].name == "mollweide"
    assert [t.get_text() for t in sky.axes[0].texts] == ["apex", "antapex"]
    groups = Solar(by="population").fit(stars).plot()
    assert [ax.get_ylabel()[0] for ax in groups.axes] == ["U", "V", "W"]
    assert Solar(by="population", method="moments").fit(stars).plot().axes
    lost = Solar(use="rv").fit(one_direction()).plot()
    assert not lost.axes[0].texts


# ---- calibration -------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("estimator", list(Solar.examples()), ids=str)
def test_pulls_have_mean_zero_and_width_one(estimator):
    """Over 1000 samples of 2000 stars, within 4 standard errors."""
    n, pulls = 1000, {}
    for seed in range(n):
        stars, truth = estimator.simulate(2000, np.random.default_rng(20_000 + seed))
        fit = estimator.fit(stars)
        assert fit.converged
        for name in truth:
            pulls.setdefault(name, []).append(float((fit[name] - truth[name]) / fit.error[name]))
    told = {k: (np.mean(p) * np.sqrt(n), (np.std(p) - 1) * np.sqrt(2 * n)) for k, p in pulls.items()}
    print(estimator, {k: (round(np.mean(p), 3), round(np.std(p), 3)) for k, p in pulls.items()})
    assert all(abs(mean) < 4 and abs(width) < 4 for mean, width in told.values()), told


def bias(change, estimators, n=60, stars=4000):
    """Mean result less the truth over samples that break the model, and its standard error, by estimator."""
    out = []
    for estimator in estimators:
        off = []
        for seed in range(n):
            rng = np.random.default_rng(seed)
            fit = estimator.fit(change(rng, stars))
            off.append(values(fit) - SUN)
        out.append((np.mean(off, axis=0), np.std(off, axis=0) / np.sqrt(n)))
    return out


@pytest.mark.slow
def test_the_bias_of_parallaxes_of_20_per_cent():
    """Stars at 200 pc with errors of 1 mas of 5: tangential velocities come out too large by some per cent."""

    def change(rng, n):
        place = 0.2 * simulation.angles.normalised(rng.normal(size=(3, n)))
        return simulation.observed(place, 20 * rng.normal(size=(3, n)) - SUN[:, None], rng, {"parallax": 1.0})

    (fit, error), (moments, _), (rv, rv_error) = bias(
        change, [Solar(use="pm"), Solar(use="pm", method="moments"), Solar(use="rv")]
    )
    print(fit / SUN, error / SUN, moments / SUN)
    assert (np.abs(fit) < 0.05 * SUN + 4 * error).all()
    assert (moments > 0.02 * SUN).all()
    assert (np.abs(rv) < 4 * rv_error).all()


@pytest.mark.slow
def test_the_bias_of_a_moving_group():
    """A tenth of the stars moves together at (-40, -20, 0): the mean goes along, by a tenth of that."""

    def change(rng, n):
        place = sphere(n, rng)
        velocity = 20 * rng.normal(size=(3, n))
        group = np.arange(n) % 10 == 0
        velocity[:, group] = np.array([[-40.0], [-20.0], [0.0]]) + 2 * rng.normal(size=(3, group.sum()))
        return simulation.observed(place, velocity - SUN[:, None], rng)

    (found, error), (clipped, _) = bias(change, [Solar(), Solar(clip=2.5)])
    print(found, clipped)
    np.testing.assert_allclose(found, [4.0, 2.0, 0.0], atol=4 * error.max() + 0.02)
    assert np.abs(clipped[0]) > 2.0  # it lies within the sample's own scatter: clipping does not see it


def test_options_are_replaced_as_in_any_dataclass():
    assert replace(Solar(), use=("pm",)).needs == {"parallax", "proper_motion"}
