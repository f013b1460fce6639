"""SkyCoord in and out: frames, shapes, what is missing, what stays bit-identical, what it cannot hold."""

import warnings

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import ICRS, Galactic, SkyCoord
from astropy.time import Time

import astrokin as ak
from astrokin.errors import DroppedWarning, InputError
from astrokin.tables import door, skycoord_of, stars_of
from astrokin.times import julian_years

MY, KS = u.mas / u.yr, u.km / u.s
PARTS = {
    "distance": dict(distance=[1.5, 20.0, 300.0] * u.pc),
    "pm": dict(pm_ra_cosdec=[1.0, -2.0, 3.0] * MY, pm_dec=[5.0, 6.0, -7.0] * MY),
    "rv": dict(radial_velocity=[10.0, -20.0, 30.0] * KS),
}
WHICH = [(), ("distance",), ("pm",), ("distance", "pm"), ("distance", "rv"), ("pm", "rv"), ("distance", "pm", "rv")]
TURNED = ["icrs", "galactic", "fk5", "supergalactic", "barycentricmeanecliptic"]


def coord(which=("distance", "pm", "rv"), frame="icrs", **more):
    values = {k: v for part in which for k, v in PARTS[part].items()}
    made = SkyCoord([0.0, 359.9999, 123.0] * u.deg, [90.0, -10.0, 40.0] * u.deg, **values, **more)
    return made.transform_to(frame)


def same(one, other):
    assert one.frame.name == other.frame.name
    assert one.shape == other.shape
    assert type(one.data) is type(other.data)
    for name in one.data.components:
        np.testing.assert_array_equal(getattr(one.data, name), getattr(other.data, name))
    assert one.data.differentials.keys() == other.data.differentials.keys()
    for key, rate in one.data.differentials.items():
        for name in rate.components:
            np.testing.assert_array_equal(getattr(rate, name), getattr(other.data.differentials[key], name))


@pytest.mark.parametrize("frame", TURNED)
@pytest.mark.parametrize("which", WHICH)
def test_all_that_it_holds_is_understood(which, frame):
    stars = stars_of(coord(which, frame))
    if "rv" not in which and (stars.raw.radial_velocity == 0.0).any():
        pytest.skip("astropy 6 invents a radial velocity of zero in its transforms")
    sky = SkyCoord(stars.ra, stars.dec)
    assert sky.separation(coord(which)).max() < 1e-9 * u.arcsec
    expected = {
        "parallax": 1e3 / PARTS["distance"]["distance"].value if "distance" in which else None,
        "radial_velocity": PARTS["rv"]["radial_velocity"].value if "rv" in which else None,
        "pmra": PARTS["pm"]["pm_ra_cosdec"].value if "pm" in which else None,
        "pmdec": PARTS["pm"]["pm_dec"].value if "pm" in which else None,
    }
    for name, value in expected.items():
        got = getattr(stars, name).value
        # at the pole itself the axes of east and north are a convention
        rows = slice(1, None) if name.startswith("pm") else slice(None)
        wanted = np.full(3, np.nan) if value is None else value
        np.testing.assert_allclose(got[rows], wanted[rows], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("frame", TURNED)
@pytest.mark.parametrize("which", WHICH)
def test_what_is_untouched_comes_back_bit_identical(which, frame):
    given = coord(which, frame)
    entry = door(given)
    same(entry.back(entry.stars, frozenset()), given)
    faster = entry.stars.replace(radial_velocity=entry.stars.raw.radial_velocity + 1.0)
    back = entry.back(faster, frozenset({"radial_velocity"}))
    np.testing.assert_array_equal(back.spherical.lon, given.spherical.lon)
    np.testing.assert_array_equal(back.spherical.lat, given.spherical.lat)
    if "distance" in which:
        np.testing.assert_array_equal(back.distance, given.distance)
    if "pm" in which:
        rates = (c.sphericalcoslat.differentials["s"].d_lat for c in (back, given))
        np.testing.assert_array_equal(*rates)
    if "rv" in which:
        np.testing.assert_allclose(back.radial_velocity - given.radial_velocity, 1.0 * KS, rtol=1e-13)
    elif not hasattr(given.data.differentials.get("s"), "d_distance"):  # astropy 6 invents one in its transforms
        assert not hasattr(back.data.differentials.get("s"), "d_distance")


@pytest.mark.parametrize("frame", [*TURNED, "galactocentric", "gcrs"])
def test_a_new_direction_is_that_of_astropy(frame):
    given = coord(frame=frame)
    entry = door(given)
    moved = entry.stars.replace(direction=entry.stars.direction + np.array([[1e-3], [2e-3], [0.0]]))
    back = entry.back(moved, frozenset({"direction", "proper_motion"}))
    assert back.frame.name == frame
    wanted = SkyCoord(moved.ra, moved.dec, distance=1 / moved.raw.parallax * u.kpc).transform_to(frame)
    assert np.max(back.separation(wanted)) < 1e-7 * u.arcsec
    again = stars_of(back)
    if frame != "gcrs":  # there astropy's own velocities do not come back
        np.testing.assert_allclose(again.pmra[1:], moved.pmra[1:], rtol=1e-8)
    np.testing.assert_allclose(again.parallax, moved.parallax, rtol=1e-9)


@pytest.mark.parametrize("shape", [(), (1,), (2, 3), (0,)])
def test_shapes(shape):
    size = int(np.prod(shape))
    values = np.arange(size, dtype=float).reshape(shape)
    given = SkyCoord(values * u.deg, values * u.deg, distance=(1 + values) * u.kpc)
    entry = door(given)
    assert len(entry.stars) == size
    back = entry.back(entry.stars.replace(parallax=entry.stars.raw.parallax / 2), frozenset({"parallax"}))
    assert back.shape == shape
    np.testing.assert_allclose(back.distance, 2 * given.distance, rtol=1e-15)
    np.testing.assert_array_equal(back.ra, given.ra)


def test_a_missing_value_stays_with_its_row_in_a_turned_frame():
    given = SkyCoord(
        l=[1, 2] * u.deg, b=[3, 4] * u.deg, distance=[1, 2] * u.kpc, frame="galactic",
        pm_l_cosb=[1, 2] * MY, pm_b=[1, 2] * MY, radial_velocity=[np.nan, 5] * KS,
    )  # fmt: skip
    entry = door(given)
    assert np.isfinite(entry.stars.pmra).all()
    moved = entry.stars.replace(direction=entry.stars.direction + 1e-5)
    back = entry.back(moved, frozenset({"direction", "proper_motion"}))
    assert np.isfinite(back.pm_l_cosb).all()
    assert np.isnan(back.radial_velocity).tolist() == [True, False]


def test_units_of_the_given_one_stay():
    given = SkyCoord(1 * u.rad, 0.5 * u.rad, distance=3 * u.lyr, pm_ra_cosdec=1 * u.arcsec / u.yr, pm_dec=0 * MY)
    entry = door(given)
    slower = entry.stars.replace(proper_motion=entry.stars.raw.proper_motion / 2, parallax=entry.stars.raw.parallax)
    back = entry.back(slower, frozenset({"proper_motion", "parallax"}))
    assert back.distance.unit == u.lyr
    assert back.data.differentials["s"].d_lon_coslat.unit == u.arcsec / u.yr
    assert back.data.differentials["s"].d_lon_coslat.value == pytest.approx(0.5)


def test_a_cartesian_one_is_understood_and_stays_cartesian():
    given = coord().copy()
    given.representation_type = "cartesian"
    made = SkyCoord(ICRS(given.cartesian))
    entry = door(made)
    np.testing.assert_allclose(entry.stars.radial_velocity.value, [10, -20, 30], rtol=1e-12)
    back = entry.back(entry.stars.replace(parallax=entry.stars.raw.parallax / 2), frozenset({"parallax"}))
    np.testing.assert_allclose(back.cartesian.xyz, 2 * given.cartesian.xyz, rtol=1e-12)


def test_a_direction_in_x_y_z_has_no_parallax():
    assert np.isnan(stars_of(SkyCoord(x=[1.0], y=[0.0], z=[0.0], representation_type="cartesian")).raw.parallax).all()


def test_frames_are_taken_as_well():
    given = Galactic([1, 2] * u.deg, [3, 4] * u.deg)
    entry = door(given)
    back = entry.back(entry.stars.replace(direction=entry.stars.direction + 1e-9), frozenset({"direction"}))
    assert type(back) is Galactic


# ---- epochs ----------------------------------------------------------------------------------------------


def test_obstime_is_the_epoch():
    given = coord(obstime=Time("2016-01-01", scale="utc"))
    entry = door(given)
    assert entry.stars.epoch == given.obstime.tcb.jyear
    assert door(coord()).stars.epoch is None
    back = entry.back(entry.stars.replace(epoch=2050.0), frozenset({"epoch"}))
    same(back, given)
    assert back.obstime.scale == "tt"  # UTC is not known for 2050
    assert back.obstime.format == given.obstime.format
    assert julian_years(back.obstime) == pytest.approx(2050.0, abs=1e-12)
    kept = entry.back(entry.stars.replace(parallax=entry.stars.raw.parallax), frozenset({"parallax"}))
    assert kept.obstime is given.obstime or kept.obstime == given.obstime


def test_an_epoch_per_row():
    given = coord(obstime=Time([2015.0, 2016.0, 2017.0], format="jyear", scale="tcb"))
    entry = door(given)
    assert entry.stars.epoch.tolist() == [2015.0, 2016.0, 2017.0]
    back = entry.back(entry.stars.replace(epoch=entry.stars.epoch + 1), frozenset({"epoch"}))
    np.testing.assert_allclose(back.obstime.jyear, [2016, 2017, 2018], rtol=1e-15)


# ---- what it cannot hold ---------------------------------------------------------------------------------


def test_a_parallax_that_is_not_positive_is_an_error_with_the_way_out():
    stars = ak.Stars(ra=[1, 2, 3] * u.deg, dec=[0, 0, 0] * u.deg, parallax=[-1.0, 2.0, 0.0] * u.mas)
    with pytest.raises(InputError, match=r"parallaxes in rows 0, 2, which are not positive.*to_table"):
        stars.to_skycoord()


def test_a_distance_of_zero_is_an_error():
    with pytest.raises(InputError, match="The distance is not positive in row 1"):
        stars_of(SkyCoord([1, 2] * u.deg, [1, 2] * u.deg, distance=[1, 0] * u.pc))


def test_a_covariance_is_dropped_with_one_warning():
    entry = door(coord())
    with_errors = entry.stars.replace(covariance=np.stack([np.eye(6)] * 3))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        entry.back(with_errors, frozenset({"covariance", "parallax"}))
    assert [w.category for w in caught] == [DroppedWarning]
    with pytest.warns(DroppedWarning, match="use a table to keep it"):
        with_errors.to_skycoord()


def test_a_frame_that_astropy_cannot_transform_says_why():
    with pytest.raises(InputError, match="from 'galactocentric' to ICRS"):
        stars_of(SkyCoord(x=[1.0], y=[0.0], z=[0.0], representation_type="cartesian", frame="galactocentric"))


# ---- out of stars ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", WHICH)
def test_there_and_back(which):
    stars = stars_of(coord(which))
    again = stars_of(skycoord_of(stars))
    for name in ("ra", "dec", "pmra", "pmdec", "radial_velocity"):
        np.testing.assert_array_equal(getattr(again, name), getattr(stars, name))
    np.testing.assert_allclose(again.parallax, stars.parallax, rtol=1e-15)


def test_out_of_stars_with_an_epoch():
    stars = ak.Stars(ra=[1] * u.deg, dec=[2] * u.deg, radial_velocity=[3] * KS, epoch=2016.0)
    out = stars.to_skycoord()
    assert out.obstime.tcb.jyear == 2016.0
    assert out.radial_velocity[0].value == pytest.approx(3.0)
