"""Where an observer is, for many rows: interpolation against exact evaluation, columns, and what is cached."""

import pickle
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from astropy.constants import c
from astropy.coordinates import EarthLocation
from astropy.time import Time
from astropy.utils.masked import Masked

import astrokin as ak
from astrokin import places, vantage
from astrokin.errors import InputError
from astrokin.parameters import Parametrised
from astrokin.testing import samples
from astrokin.vantage import clock

PARANAL = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)
NAS = 4.848e-15
N = 1000


@dataclass(frozen=True)
class Seer(Parametrised):
    """Something with an observer."""

    observer: Any = ak.observer_parameter()


def rows(times):
    return samples.field_stars(len(times)).replace(columns={"t": times})


def seen(times, location="geocenter", acceleration=False):
    return ak.Observer(ak.column("t"), location).bound(rows(times)).seen(acceleration)


def years(n, span=0.15):
    return 2016.0 + span * np.random.default_rng(1).uniform(size=n)


@pytest.mark.parametrize("location", ["geocenter", "gaia", "barycenter", PARANAL], ids=str)
def test_many_times_are_interpolated_to_a_nanoarcsecond(location):
    times = years(N)
    found = seen(times, location, acceleration=True)
    for row in range(0, N, 97):
        position, velocity = ak.Observer(times[row], location).barycentric()
        exact = ak.Observer(times[row], location).seen(acceleration=True)
        # 1 arcsec of parallax per au: 1e-9 au is 1 nas
        assert np.abs(found.position[:, row] - position.value).max() < 1e-9
        assert np.abs(found.velocity[:, row] - (velocity / c).to_value(u.one)).max() < NAS
        assert np.abs(found.acceleration[:, row] - exact.acceleration[:, 0]).max() < 1e-6 * 3.9e-3
        assert np.abs(found.from_sun[:, row] - exact.from_sun[:, 0]).max() < 1e-9
        assert found.sun_distance[row] == pytest.approx(exact.sun_distance[0], rel=1e-9)


def test_few_times_are_exact():
    times = np.repeat(years(5, 20.0), 30)
    found = seen(times)
    for row in (0, 31, 149):
        position, velocity = ak.Observer(times[row]).barycentric()
        assert np.abs(found.position[:, row] - position.value).max() < 1e-12  # the time in days has a last digit, too
        assert np.abs(found.velocity[:, row] - (velocity / c).to_value(u.one)).max() < 1e-17


@pytest.mark.parametrize("location", ["geocenter", PARANAL], ids=str)
def test_the_last_block_of_many_is_read_off_what_the_others_have_made(location, monkeypatch):
    times = years(N) - 30.0
    first = seen(times, location)
    rest = times[: vantage._REST]
    monkeypatch.setattr(places, "body", None)  # nothing is asked for again
    np.testing.assert_allclose(seen(rest, location).position, first.position[:, : len(rest)], rtol=0, atol=1e-15)


def test_a_few_times_are_exact_whatever_has_been_made():
    times = years(N) - 60.0
    seen(times)
    few = times[: vantage._REST - 1]
    position, _ = ak.Observer(few[0]).barycentric()
    assert np.abs(seen(few).position[:, 0] - position.value).max() < 1e-12


def test_distinct_times_are_evaluated_once(monkeypatch):
    asked = []
    real = places.body
    monkeypatch.setattr(places, "body", lambda name, t, e: (asked.append((name, np.size(t.jd1))), real(name, t, e))[1])
    seen(np.repeat(years(4, 20.0), 100) + 1.0)
    assert asked == [("earth", 4), ("sun", 4)]
    asked.clear()
    seen(np.full(500, 2013.125))
    seen(np.full(400, 2013.125))
    ak.Observer(2013.125).seen()
    assert asked == [("earth", 1), ("sun", 1)]


def test_the_acceleration_is_the_derivative_of_the_velocity():
    step = 1e-5
    for location in ("geocenter", PARANAL):
        early, late = (ak.Observer(2016.3 + h, location).seen() for h in (-step, step))
        expected = (late.velocity - early.velocity) / (2 * step)
        found = ak.Observer(2016.3, location).seen(acceleration=True).acceleration
        assert np.abs(found - expected).max() < 4e-4 * np.abs(expected).max()


def test_times_may_be_a_time_column_or_years_in_one_or_two_doubles():
    plain = years(N)
    whole = np.floor(plain)
    columns = [plain, np.stack([whole, plain - whole], axis=1), Time(plain, format="jyear", scale="tcb")]
    columns.append(columns[-1].utc)
    found = [seen(t) for t in columns]
    for other in found[1:]:
        assert np.abs(other.position - found[0].position).max() < 1e-11
        assert np.abs(other.velocity - found[0].velocity).max() < 1e-14  # another scale is interpolated anew
    with pytest.raises(InputError, match="one time is needed, or a Julian year in two doubles"):
        seen(np.zeros((4, 3)))


def test_clock_keeps_a_microsecond():
    time = Time(2457000.5, np.linspace(0.1, 0.9, 5), format="jd", scale="tcb")
    scale, days = clock(time)
    assert scale == "tcb"
    assert np.abs(days - 5455.5 - np.linspace(0.1, 0.9, 5)).max() * 86400 < 1e-6
    assert clock(Time("2016-01-01", scale="utc"))[0] == "tt"


def test_missing_times_refuse_their_rows_and_leave_the_others():
    times = years(6)
    holed = times.copy()
    holed[2] = np.nan
    observer = ak.Observer(ak.column("t"))
    (mask,) = observer.unfit(rows(holed)).values()
    assert mask.tolist() == [False, False, True, False, False, False]
    there = np.arange(6) != 2
    assert (seen(holed).position[:, there] == seen(times).position[:, there]).all()
    assert np.isfinite(seen(np.full(3, np.nan)).position).all()
    masked = Time(Masked(times, mask), format="jyear", scale="tcb")
    (found,) = observer.unfit(rows(masked)).values()
    assert found.tolist() == mask.tolist()
    assert np.abs(seen(masked).position[:, there] - seen(times).position[:, there]).max() < 1e-11


def test_times_ages_apart_are_not_interpolated(monkeypatch):
    monkeypatch.setattr(places, "body", lambda name, t, e: (np.zeros((3, t.size)), np.ones((3, t.size))))
    times = np.repeat(2016.0 + np.array([0.0, 1e6, 3e6]), 100)
    ages = ak.Observer(ak.column("t"), ephemeris="de441").bound(rows(times))
    assert ages.seen().velocity.shape == (3, 300)


def test_no_rows():
    found = seen(np.empty(0), acceleration=True)
    assert found.position.shape == found.acceleration.shape == (3, 0)
    assert found.sun_distance.shape == (0,)


def test_a_place_of_ones_own_for_each_row():
    stars = samples.field_stars(3).replace(
        columns={"x": np.eye(3) * u.au, "v": 10 * np.eye(3) * u.km / u.s, "t": years(3)}
    )
    observer = ak.Observer(ak.column("t"), position=ak.column("x"), velocity=ak.column("v"))
    assert set(observer.column_names) == {"x", "v", "t"}
    found = observer.bound(stars).seen()
    assert (found.position == np.eye(3)).all()
    assert np.abs(found.velocity - 10 * np.eye(3) / c.to_value(u.km / u.s)).max() < 1e-20
    assert np.allclose(found.sun_distance, 1.0, atol=0.01)
    with pytest.raises(InputError, match="acceleration of a position and velocity of your own"):
        observer.bound(stars).seen(acceleration=True)


# ---- as a parameter --------------------------------------------------------------------------------------


def test_an_observer_as_a_parameter_brings_its_columns():
    seer = Seer(ak.Observer(ak.column("t"), pressure=ak.column("p")))
    assert set(seer.column_names) == {"t", "p"}
    stars = rows(years(4)).replace(columns={"t": years(4), "p": np.array([1.0, -1.0, np.nan, 4.0]) * u.hPa})
    bound = seer.bound(stars)
    assert bound.column_names == ()
    assert bound.observer.pressure[0] == 1 * u.hPa
    reasons = seer.unfit(stars)
    assert {k: v.tolist().index(True) for k, v in reasons.items()} == {
        "column 'p': 0 or more is needed": 1,
        "no value in column 'p'": 2,
    }


def test_observers_are_values_after_use_too():
    seer = Seer(ak.Observer(Time("2026-03-21"), PARANAL))
    seer.observer.seen()
    twin = pickle.loads(pickle.dumps(seer))
    assert twin == seer
    assert hash(twin) == hash(seer)
    with pytest.raises(InputError, match=r"bind the columns first"):
        ak.Observer(ak.column("t")).seen()


@pytest.mark.parametrize("wrong", ["Paranal", PARANAL, None, ak.column("t"), Time("J2016")], ids=type)
def test_something_else_than_an_observer_is_named(wrong):
    with pytest.raises(InputError, match=r"Seer.observer is .*: give an ak.Observer\(obstime, location\)"):
        Seer(wrong)
