"""The observer's sky: altitudes, hour angles and parallactic angles against astropy and ERFA."""

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, HADec, SkyCoord
from astropy.time import Time

import astrokin as ak
from astrokin.errors import InputError
from astrokin.horizon import horizon, reach
from astrokin.testing import samples

PARANAL = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)
TROMSO = EarthLocation.from_geodetic(18.9 * u.deg, 69.6 * u.deg, 20 * u.m)
TIME = Time("2026-03-21 05:00")
UAS = 4.848e-12


def sky(n=2000):
    return samples.field_stars(n).replace(proper_motion=np.zeros((3, n)), radial_velocity=np.zeros(n))


@pytest.mark.parametrize("place", [PARANAL, TROMSO], ids=["Paranal", "Tromso"])
def test_seen_through_no_air_the_sky_is_astropys(place):
    """Within the half of a microarcsecond to which apparent places agree."""
    stars, observer = sky(), ak.Observer(TIME, place)
    table = observer.horizontal(ak.apparent_place(observer).apply(stars))
    coord = SkyCoord(stars.ra, stars.dec, distance=(1 / stars.raw.parallax) * u.kpc)
    there = coord.transform_to(AltAz(obstime=TIME, location=place))
    equatorial = coord.transform_to(HADec(obstime=TIME, location=place))
    assert np.abs(table["altitude"] - there.alt).max() < 1 * u.uas
    assert np.abs((table["azimuth"] - there.az).wrap_at("180d") * np.cos(there.alt)).max() < 1 * u.uas
    hours = (table["hour_angle"] - equatorial.ha).wrap_at("180d")
    assert np.abs(hours * np.cos(equatorial.dec)).max() < 1 * u.uas
    assert np.abs(table["declination"] - equatorial.dec).max() < 1 * u.uas


def test_the_parallactic_angle_is_erfas():
    stars, observer = sky(), ak.Observer(TIME, PARANAL)
    table = observer.horizontal(stars)
    latitude = PARANAL.lat.to_value(u.rad)
    expected = erfa.hd2pa(table["hour_angle"].to_value(u.rad), table["declination"].to_value(u.rad), latitude)
    assert np.abs(table["parallactic_angle"].to_value(u.rad) - expected).max() < 1e-12
    assert ((table["parallactic_angle"] > 0) == (table["hour_angle"] > 0)).all()
    # and as textbooks have it (Meeus 1998, equation 14.1)
    hour, dec = table["hour_angle"], table["declination"]
    tangent = np.sin(hour) / (np.tan(PARANAL.lat) * np.cos(dec) - np.sin(dec) * np.cos(hour))
    assert np.tan(table["parallactic_angle"]) == pytest.approx(tangent.value, rel=1e-9)


def test_the_columns_alone():
    stars, observer = sky(5), ak.Observer(TIME, PARANAL)
    table = observer.horizontal(stars)
    assert (observer.altitude(stars) == table["altitude"]).all()
    assert (observer.hour_angle(stars) == table["hour_angle"]).all()
    assert (observer.parallactic_angle(stars.to_table()) == table["parallactic_angle"]).all()
    assert np.abs(table["altitude"] + table["zenith_distance"] - 90 * u.deg).max() < 1e-12 * u.deg


def test_zenith_and_poles():
    here = horizon(PARANAL, TIME)
    special = np.hstack([here.zenith, -here.zenith, here.pole, -here.pole])
    altitude, azimuth = here.altitude_azimuth(special)
    assert np.degrees(altitude) == pytest.approx([90, -90, -24.6, 24.6], abs=1e-6)
    assert np.sin(azimuth[2:]) == pytest.approx([0, 0], abs=1e-12)
    assert np.cos(azimuth[2:]) == pytest.approx([1, -1])
    assert ((azimuth >= 0) & (azimuth < 2 * np.pi)).all()
    hour, declination = here.hour_angle_declination(special)
    assert hour[0] == pytest.approx(0, abs=1e-14)
    assert np.degrees(declination) == pytest.approx([-24.6, 24.6, 90, -90], abs=1e-6)
    assert np.isfinite(here.parallactic_angle(special)).all()
    axes = np.hstack([here.east, here.north, here.zenith])
    assert np.abs(axes.T @ axes - np.eye(3)).max() < 1e-15
    assert np.linalg.det(axes) == pytest.approx(1)


@pytest.mark.parametrize("scale", ["tcb", "utc"])
def test_many_times_are_as_exact_as_one(scale):
    years = 2019.0 + 2.0 * np.random.default_rng(2).uniform(size=1000)
    times = Time(years, format="jyear", scale=scale)
    found = horizon(PARANAL, times)
    assert not found.outside.any()
    for row in range(0, 1000, 199):
        one = horizon(PARANAL, times[row])
        for name in ("zenith", "east", "north", "pole"):
            apart = np.abs(getattr(found, name)[:, row] - getattr(one, name)[:, 0]).max()
            assert apart < 0.1 * UAS


def test_few_times_for_many_rows():
    times = Time(np.repeat([2020.1, 2020.2, 2020.3], 400), format="jyear", scale="tcb")
    found = horizon(PARANAL, times)
    assert found.zenith.shape == (3, 1200)
    assert np.abs(found.zenith[:, 500] - horizon(PARANAL, times[500]).zenith[:, 0]).max() < 1e-15
    assert horizon(PARANAL, times[:400]).zenith.shape == (3, 1)


def test_each_star_at_its_own_time():
    stars = sky(3).replace(columns={"t": Time(["2026-03-21", "2026-03-22 06:00", "2026-09-01"])})
    table = ak.Observer(ak.column("t"), PARANAL).horizontal(stars)
    for row in range(3):
        one = ak.Observer(stars["t"][row], PARANAL).horizontal(stars[row : row + 1])
        assert np.abs(table["altitude"][row] - one["altitude"][0]) < 1e-3 * u.uas


@pytest.mark.parametrize(
    ("observer", "message"),
    [
        (ak.Observer(TIME), "an observer with 'geocenter' has no horizon: give location=EarthLocation"),
        (ak.Observer(TIME, "gaia"), "'gaia' has no horizon"),
        (ak.Observer(TIME, position=[1, 0, 0] * u.au, velocity=[0, 30, 0] * u.km / u.s), "a position of its own"),
        (ak.Observer(2100.0, PARANAL), "is not known then: .* reach from 1962-01-01 to 20"),
        (ak.Observer(1950.0, PARANAL), "is not known then"),
    ],
    ids=["geocenter", "gaia", "own", "2100", "1950"],
)
def test_who_has_no_horizon(observer, message):
    with pytest.raises(InputError, match=message):
        observer.horizontal(sky(2))


def test_columns_are_bound_first():
    with pytest.raises(InputError, match="bind the columns first"):
        ak.Observer(ak.column("t"), PARANAL).horizon()


def test_times_that_are_missing_or_out_of_reach_are_told_apart():
    first, last = reach()
    assert first == pytest.approx(37665, abs=1)
    years = np.array([2020.0, np.nan, 1900.0, 2500.0])
    assert horizon(PARANAL, years).outside.tolist() == [False, False, True, True]
    early = horizon(PARANAL, 1965.4)
    assert not early.outside.any()
    assert last > 60000


def test_old_and_new_times_together_are_as_alone():
    """The Earth's rotation before 1973 stands in another table than that of today."""
    years = np.array([1965.5, 2000.0, 2026.9])
    found = horizon(PARANAL, years)
    for row, year in enumerate(years):
        assert np.abs(found.zenith[:, row] - horizon(PARANAL, year).zenith[:, 0]).max() < 1e-15
