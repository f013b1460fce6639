"""A place on the turning Earth: early times, times that no table knows yet, and what is said of them."""

import warnings

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.coordinates import EarthLocation
from astropy.time import Time
from astropy.utils import iers

import astrokin as ak
from astrokin.earth_rotation import earth_rotation
from astrokin.errors import AccuracyWarning
from astrokin.testing import samples

PARANAL = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)
BEYOND = r"Earth's rotation in 2044.0 is not in the tables .* \(1962-01-01 to 20\d\d-\d\d-\d\d\).* 0.02 mas, for each"


def from_centre(time):
    """Position (m) and velocity (m/s) from the centre of the Earth."""
    there, centre = (ak.Observer(time, place).barycentric() for place in (PARANAL, "geocenter"))
    return [(a - b).to_value(unit) for a, b, unit in zip(there, centre, (u.m, u.m / u.s), strict=True)]


def quietly(function):
    """Without ERFA's note that leap seconds of years to come are not known."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", erfa.ErfaWarning)
        return function()


def test_before_1973_it_is_the_table_that_begins_in_1962():
    time = Time("1965-07-01T12:00", scale="tai")
    with iers.conf.set_temp("auto_download", False), iers.earth_orientation_table.set(iers.IERS_B.open()):
        expected = PARANAL.get_gcrs_posvel(time)[0].xyz.to_value(u.m)
    found, _ = from_centre(time)
    assert np.abs(found - expected).max() < 0.01


def test_beyond_the_tables_the_last_of_ut1_holds_and_is_told():
    """Of whatever scale the time is: a minute lies between them, which would be 30 km."""
    time = Time("2044-01-01", scale="tcb")
    with pytest.warns(AccuracyWarning, match=BEYOND):
        place, motion = from_centre(time)
    civil = quietly(lambda: time.utc)
    civil.delta_ut1_utc = iers.IERS_A.open(iers.IERS_A_FILE)["UT1_UTC"][-1].to_value(u.s)
    ut1 = quietly(lambda: civil.ut1)
    angle = erfa.era00(ut1.jd1, ut1.jd2) + PARANAL.lon.to_value(u.rad)
    # the pole has moved by 0.25 deg since 2000: its tilt of the equator shows in the second order, and nutation
    apart = (np.arctan2(place[1], place[0]) - angle + np.pi) % (2 * np.pi) - np.pi
    assert abs(apart) < 0.0045 * np.tan(24.6 * u.deg)
    assert 0.40e3 < np.linalg.norm(motion) < 0.43e3


def test_times_by_row_are_told_once_and_are_those_of_one_time():
    times = 2044.0 + np.linspace(0.0, 0.1, 400)
    stars = samples.field_stars(400).replace(columns={"t": times})
    with pytest.warns(AccuracyWarning, match="Earth's rotation in 2044.1") as told:
        many = ak.Observer(ak.column("t"), PARANAL).bound(stars).seen()
    assert len(told) == 1
    with pytest.warns(AccuracyWarning):
        one = ak.Observer(times[7], PARANAL).seen()
    assert np.abs(many.position[:, 7] - one.position[:, 0]).max() < 1e-9
    assert np.abs(many.velocity[:, 7] - one.velocity[:, 0]).max() < 5e-15


def test_at_both_ends_of_the_tables_nothing_jumps():
    """UT1 - UTC an hour before and an hour after the first and the last day that are known."""
    for table, row in ((iers.IERS_A.open(iers.IERS_A_FILE), -1), (iers.IERS_B.open(), 0)):
        end = Time(float(table["MJD"][row].value), format="mjd")
        found = []
        for hours in (-1, 1):
            with earth_rotation(end + hours * u.hour) as known:
                found.append(quietly(lambda: (known.ut1.jd2 - known.jd2) + (known.ut1.jd1 - known.jd1)) * 86400)
        assert abs(found[1] - found[0]) < 2e-3  # in 1962 UTC itself ran at a rate of its own


def test_named_places_do_not_turn():
    ak.Observer(2044.0).seen()  # a warning would be an error
    ak.Observer(1930.0, "gaia").seen()


def test_times_before_and_after_1973_together_are_those_of_each_alone():
    times = np.array([1965.5, 2024.3])
    stars = samples.field_stars(2).replace(columns={"t": times})
    both = ak.Observer(ak.column("t"), PARANAL).bound(stars).seen()
    for k, time in enumerate(times):
        alone = ak.Observer(time, PARANAL).seen()
        assert np.abs(both.position[:, k] - alone.position[:, 0]).max() < 1e-13  # au: a centimetre
