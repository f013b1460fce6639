"""Reflex motion against the formulae of the source, and against astropy's own frames."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import LSR, Galactic, Galactocentric, SkyCoord
from hypothesis import given, settings

import astrokin as ak
from astrokin.errors import InputError, RowsWarning
from astrokin.testing import samples, strategies

KM_S = u.km / u.s
#: One au per Julian year: what turns mas/yr over mas into km/s.
A = (1 * u.au / u.yr).to_value(KM_S)
U, V, W = 11.1, 12.24, 7.25


def at_rest(lon, lat, parallax):
    """Stars at rest with respect to the local standard of rest, at Galactic coordinates in radian."""
    sky = SkyCoord(l=lon * u.rad, b=lat * u.rad, frame="galactic").icrs
    zero = np.zeros(len(lon))
    return ak.Stars(
        ra=sky.ra,
        dec=sky.dec,
        parallax=parallax * u.mas,
        pmra=zero * u.mas / u.yr,
        pmdec=zero * u.mas / u.yr,
        radial_velocity=zero * KM_S,
    )


@pytest.fixture(scope="module")
def grid():
    lon, lat = map(np.ravel, np.meshgrid(np.radians(np.arange(0, 360, 15)), np.radians([-89, -60, -20, 0, 35, 80])))
    return lon, lat, np.geomspace(0.01, 500, len(lon))


def test_stars_at_rest_show_the_field_of_the_source(grid):
    lon, lat, parallax = grid
    seen = ak.effects.ReflexMotion().apply(at_rest(lon, lat, parallax))
    outward = U * np.cos(lat) * np.cos(lon) + V * np.cos(lat) * np.sin(lon) + W * np.sin(lat)
    np.testing.assert_allclose(seen.radial_velocity.to_value(KM_S), -outward, rtol=0, atol=1e-12)
    distance = 1000 / parallax  # pc
    mu = np.sqrt(U**2 + V**2 + W**2 - outward**2) / distance / A * 1000  # mas/yr
    np.testing.assert_allclose(np.hypot(seen.pmra, seen.pmdec).value, mu, rtol=1e-9)


def test_a_star_at_rest_moves_with_minus_the_sun(grid):
    seen = ak.effects.ReflexMotion().apply(at_rest(*grid))
    np.testing.assert_allclose(seen.uvw.value, np.tile([[-U], [-V], [-W]], len(grid[0])), atol=2e-12)


def test_the_apex_does_not_move():
    speed = np.sqrt(U**2 + V**2 + W**2)
    apex = at_rest(np.array([np.arctan2(V, U)]), np.array([np.arcsin(W / speed)]), np.array([100.0]))
    seen = ak.effects.ReflexMotion().apply(apex)
    assert np.hypot(seen.pmra, seen.pmdec).value[0] < 1e-10
    assert seen.radial_velocity.value[0] == pytest.approx(-speed, rel=1e-14)


def test_removing_is_astropys_lsr():
    stars = samples.field_stars(200)
    expected = stars.to_skycoord().transform_to(LSR())
    got = ak.effects.ReflexMotion().remove(stars)
    np.testing.assert_allclose(got.radial_velocity, expected.radial_velocity, rtol=0, atol=1e-10 * KM_S)
    mu = np.abs(stars.proper_motion.value).max()
    np.testing.assert_allclose(got.pmra, expected.pm_ra_cosdec, rtol=0, atol=1e-12 * mu * u.mas / u.yr)
    np.testing.assert_allclose(got.pmdec, expected.pm_dec, rtol=0, atol=1e-12 * mu * u.mas / u.yr)


def test_removing_is_astropys_galactocentric_velocity():
    stars = samples.field_stars(200)
    frame = Galactocentric()
    seen = stars.to_skycoord().transform_to(frame)
    got = ak.effects.ReflexMotion(frame="galactocentric").remove(stars)
    # The axes of the Galactocentric frame are tilted by the Sun's height: the rotation is taken from astropy too.
    ends = SkyCoord(np.eye(3) * u.kpc, frame=Galactic, representation_type="cartesian").transform_to(frame)
    start = SkyCoord([0] * u.kpc, [0] * u.kpc, [0] * u.kpc, frame=Galactic, representation_type="cartesian")
    axes = (ends.cartesian.xyz - start.transform_to(frame).cartesian.xyz).to_value(u.kpc)
    np.testing.assert_allclose(axes @ got.uvw.value, seen.velocity.d_xyz.to_value(KM_S), rtol=0, atol=1e-9)


def test_the_default_is_astropys_solar_motion():
    np.testing.assert_allclose(ak.effects.ReflexMotion().solar_motion.to_value(KM_S), [U, V, W])
    total = ak.effects.ReflexMotion(frame="galactocentric").solar_motion.to_value(KM_S)
    expected = Galactocentric().galcen_v_sun
    expected = (expected.d_xyz if hasattr(expected, "d_xyz") else expected.xyz).to_value(KM_S)
    np.testing.assert_allclose(np.linalg.norm(total), np.linalg.norm(expected), rtol=1e-12)


def test_position_and_parallax_come_back_bit_identical():
    stars = samples.field_stars()
    seen = ak.effects.ReflexMotion().apply(stars)
    for name in ("ra", "dec", "parallax"):
        assert getattr(seen, name).value.tobytes() == getattr(stars, name).value.tobytes()
    assert seen.changed_since(stars) == {"proper_motion", "radial_velocity"}


def test_zero_and_negative_parallaxes_need_no_exception():
    stars = samples.field_stars(3).replace(parallax=np.array([0.0, -2.0, 2.0]))
    seen = ak.effects.ReflexMotion().apply(stars)
    change = seen.proper_motion.value - stars.proper_motion.value
    np.testing.assert_array_equal(change[:, 0], 0.0)
    flipped = ak.effects.ReflexMotion().apply(stars.replace(parallax=np.array([0.0, 2.0, 2.0])))
    np.testing.assert_allclose(
        change[:, 1], -(flipped.proper_motion.value - stars.proper_motion.value)[:, 1], atol=1e-12
    )


def test_without_parallax_only_the_radial_velocity_is_corrected():
    stars = samples.field_stars(4)
    gap = stars.replace(parallax=np.where(np.arange(4) == 1, np.nan, stars.raw.parallax))
    effect = ak.effects.ReflexMotion()
    with pytest.warns(RowsWarning, match="1 of 4 rows: made NaN, no parallax"):
        seen = effect.apply(gap)
    whole = effect.apply(stars)
    assert np.isnan(seen.pmra.value).tolist() == [False, True, False, False]
    np.testing.assert_array_equal(seen.radial_velocity, whole.radial_velocity)


def test_without_radial_velocity_the_proper_motion_is_corrected_all_the_same():
    stars = samples.field_stars(4)
    gap = stars.replace(radial_velocity=np.where(np.arange(4) == 1, np.nan, stars.raw.radial_velocity))
    seen = ak.effects.ReflexMotion().apply(gap)
    np.testing.assert_array_equal(seen.pmra, ak.effects.ReflexMotion().apply(stars).pmra)
    assert np.isnan(seen.radial_velocity.value).tolist() == [False, True, False, False]


def test_a_solar_motion_by_row_comes_from_columns():
    stars = samples.field_stars(3).replace(
        columns={"u": np.array([1.0, 2.0, 3.0]) * KM_S, "v": np.zeros(3), "w": np.ones(3)}
    )
    motion = tuple(map(ak.column, "uvw"))
    seen = ak.effects.ReflexMotion(solar_motion=motion).apply(stars)
    for i, first in enumerate((1, 2, 3)):
        alone = ak.effects.ReflexMotion(solar_motion=(first, 0, 1) * KM_S).apply(stars[i : i + 1])
        np.testing.assert_allclose(seen.radial_velocity[i : i + 1], alone.radial_velocity, rtol=1e-14)
    as_one = stars.replace(columns={"uvw": np.array([[1, 0, 1], [2, 0, 1], [3, 0, 1]]) * KM_S})
    again = ak.effects.ReflexMotion(solar_motion=ak.column("uvw")).apply(as_one)
    np.testing.assert_allclose(again.radial_velocity, seen.radial_velocity, rtol=1e-14)
    np.testing.assert_allclose(again.pmra, seen.pmra, rtol=1e-12)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"solar_motion": (1.0, 2.0, 3.0)}, "ReflexMotion.solar_motion .* no unit"),
        ({"solar_motion": (1, 2, 3) * u.km}, "ReflexMotion.solar_motion is in km"),
        ({"solar_motion": (1, 2, 3)}, "ReflexMotion.solar_motion has no unit"),
        ({"solar_motion": 5 * KM_S}, r"ReflexMotion.solar_motion has shape \(\); \(3,\) is needed"),
        ({"frame": "galactic"}, "ReflexMotion.frame is 'galactic'; it can be 'galactocentric', 'lsr'"),
    ],
)
def test_wrong_parameters_are_named(options, words):
    with pytest.raises(InputError, match=words):
        ak.effects.ReflexMotion(**options)


@settings(max_examples=60, deadline=None)
@given(strategies.stars(missing=False))
def test_there_and_back(stars):
    effect = ak.effects.ReflexMotion(frame="galactocentric")
    back = effect.remove(effect.apply(stars))
    assert back.ra.value.tobytes() == stars.ra.value.tobytes()
    scale = max(1.0, np.abs(stars.proper_motion.value).max(initial=0.0))
    np.testing.assert_allclose(
        back.proper_motion.value, stars.proper_motion.value, rtol=0, atol=max(1e-9, 1e-13 * scale)
    )
    np.testing.assert_allclose(back.radial_velocity.value, stars.radial_velocity.value, rtol=0, atol=1e-9)
