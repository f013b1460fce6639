"""Where and when: checked against ERFA, and equal by value."""

import pickle

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.constants import c
from astropy.coordinates import EarthLocation
from astropy.time import Time
from astropy.utils import iers

import astrokin as ak
from astrokin.errors import InputError

PARANAL = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)
AU_DAY = u.au / u.day
C_AU_DAY = c.to_value(AU_DAY)
TIMES = [Time("2026-03-21"), Time("2016-07-01T12:34:56"), Time("1991-04-02T13:00")]


def own(**changes):
    return ak.Observer(**{"obstime": Time("2026-03-21"), "location": PARANAL, **changes})


def erfa_earth(time):
    """Heliocentric and barycentric position and velocity of the Earth, (2, 3) arrays in au and au/day."""
    return [np.stack([pv["p"], pv["v"]]) for pv in erfa.epv00(time.tdb.jd1, time.tdb.jd2)]


@pytest.mark.parametrize("time", TIMES, ids=str)
def test_the_geocenter_is_erfas(time):
    barycentric = erfa_earth(time)[1]
    position, velocity = ak.Observer(time).barycentric()
    assert np.abs(position.to_value(u.au) - barycentric[0]).max() < 1e-14
    assert np.abs(velocity.to_value(AU_DAY) - barycentric[1]).max() < 1e-16


@pytest.mark.parametrize("time", TIMES, ids=str)
def test_a_place_on_the_earth_is_erfas(time):
    table = iers.IERS_A.open(iers.IERS_A_FILE)
    xp, yp = (q.to_value(u.rad) for q in table.pm_xy(time))
    lon, lat, height = PARANAL.geodetic
    dut1 = table.ut1_utc(time).to_value(u.s)
    site = (lon.to_value(u.rad), lat.to_value(u.rad), height.to_value(u.m))
    astrom = erfa.apco13(time.utc.jd1, time.utc.jd2, dut1, *site, xp, yp, 0, 0, 0, 1)[0]
    # apco13 takes TT for TDB, which moves the Earth by some 50 m: so the place is compared from the centre of the Earth
    position, velocity = ak.Observer(time, PARANAL).barycentric()
    centre, motion = ak.Observer(time).barycentric()
    at_tt = erfa.epv00(time.tt.jd1, time.tt.jd2)[1]
    expected = (astrom["eb"] - at_tt["p"]) * u.au, (astrom["v"] * C_AU_DAY - at_tt["v"]) * AU_DAY
    assert np.abs(((position - centre) - expected[0]).to_value(u.m)).max() < 0.1
    assert np.abs(((velocity - motion) - expected[1]).to_value(u.mm / u.s)).max() < 0.1


def test_a_place_on_the_earth_is_not_its_centre():
    centre, there = (ak.Observer(TIMES[0], place).barycentric() for place in ("geocenter", PARANAL))
    assert 6.37e6 < np.linalg.norm((there[0] - centre[0]).to_value(u.m)) < 6.38e6
    assert 0.40 < np.linalg.norm((there[1] - centre[1]).to_value(u.km / u.s)) < 0.43


def test_gaia_stands_at_l2():
    heliocentric, barycentric = erfa_earth(TIMES[1])
    position, velocity = ak.Observer(TIMES[1], "gaia").barycentric()
    assert np.allclose(position.to_value(u.au), barycentric[0] + 0.01 * heliocentric[0], rtol=0, atol=1e-12)
    # the Sun's own velocity comes from the same series, so only the hundredth part of the Earth's is added
    assert np.allclose(velocity.to_value(AU_DAY), barycentric[1] + 0.01 * heliocentric[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("year", [2050.0, Time("J2050"), Time("2050-01-01", scale="tdb")], ids=str)
def test_years_to_come_need_no_leap_seconds(year):
    position, _ = ak.Observer(year, "gaia").barycentric()  # a warning would be an error
    assert 0.97 < np.linalg.norm(position.value) < 1.04


def test_the_barycenter_stands_still():
    position, velocity = ak.Observer(2016.0, "barycenter").barycentric()
    assert not position.value.any()
    assert not velocity.value.any()
    assert (position.unit, velocity.unit) == (u.au, u.km / u.s)


def test_a_julian_year_is_tcb():
    year = Time(2016.0, format="jyear", scale="tcb")
    assert np.array_equal(ak.Observer(2016.0).barycentric()[0], ak.Observer(year).barycentric()[0])


def test_an_observer_of_ones_own():
    position, velocity = [1.0, 0.0, 0.5] * u.au, [0.0, 30.0, 0.0] * u.km / u.s
    mine = ak.Observer(2016.0, position=position.to(u.km), velocity=velocity.to(u.m / u.s))
    assert u.allclose(mine.barycentric()[0], position, rtol=1e-15)
    assert u.allclose(mine.barycentric()[1], velocity, rtol=1e-15)


def test_the_tables_come_with_astropy(monkeypatch):
    def download(*args, **kwargs):
        raise AssertionError("a download was tried")

    expected = ak.Observer(TIMES[0], PARANAL).barycentric()
    short = iers.IERS_A.open(iers.IERS_A_FILE)[:3]  # whoever asks this one about today gets a warning
    monkeypatch.setattr("astropy.utils.iers.iers.download_file", download)
    monkeypatch.setattr("astropy.utils.iers.IERS_Auto.open", download)
    with iers.conf.set_temp("auto_download", True), iers.earth_orientation_table.set(short):
        found = ak.Observer(TIMES[0], PARANAL).barycentric()
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one, other)


# ---- a value ---------------------------------------------------------------------------------------------


def test_the_defaults_are_astropys():
    plain = ak.Observer(2016.0)
    assert (plain.location, plain.pressure, plain.relative_humidity) == ("geocenter", 0 * u.hPa, 0)
    assert (plain.temperature, plain.obswl) == (0 * u.deg_C, 1 * u.micron)
    assert ak.Observer(2016.0, pressure=None, temperature=None, relative_humidity=None, obswl=None) == plain


def test_equal_by_value_whatever_the_units():
    one = own(pressure=743 * u.hPa, temperature=10 * u.deg_C, relative_humidity=0.1, obswl=0.55 * u.micron)
    far = EarthLocation.from_geocentric(*(axis.to(u.km) for axis in PARANAL.geocentric))
    other = own(location=far, pressure=74300 * u.Pa, temperature=283.15 * u.K, relative_humidity=10 * u.percent,
                obswl=0.55 * u.micron)  # fmt: skip
    assert one == other
    assert hash(one) == hash(other)
    assert pickle.loads(pickle.dumps(one)) == one


@pytest.mark.parametrize(
    "changes",
    [
        {"obstime": Time("2026-03-22")},
        {"location": "geocenter"},
        {"location": EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2636 * u.m)},
        {"pressure": 1 * u.hPa},
        {"temperature": 1 * u.deg_C},
        {"relative_humidity": 0.1},
        {"obswl": 0.5 * u.micron},
        {"ephemeris": "de440s"},
    ],
    ids=lambda c: next(iter(c)),
)
def test_another_value_is_another_observer(changes):
    assert own(**changes) != own()


def test_the_repr_names_what_was_given():
    shown = repr(own(pressure=743 * u.hPa))
    assert shown == ("Observer(2026-03-21T00:00:00.000 utc, location=(-70.4 deg, -24.6 deg, 2635 m), pressure=743 hPa)")
    assert repr(ak.Observer(2016.0)) == "Observer(2016.0)"


def test_frozen():
    with pytest.raises(AttributeError):
        own().pressure = 3 * u.hPa


# ---- what is refused -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pressure": 3 * u.m}, "pressure is in m"),
        ({"pressure": 743}, "pressure is 743, which has no unit"),
        ({"pressure": -1 * u.hPa}, "0 or more is needed"),
        ({"temperature": 3 * u.m}, "temperature is in m"),
        ({"temperature": -1 * u.K}, "below absolute zero"),
        ({"relative_humidity": 1.5}, "a number from 0 to 1"),
        ({"obswl": 0 * u.micron}, "a positive wavelength"),
        ({"location": "gaja"}, "'gaja'; it can be an EarthLocation, 'gaia'"),
        ({"location": None}, "one EarthLocation"),
        ({"location": EarthLocation.from_geocentric([1, 2], [1, 2], [1, 2], unit=u.km)}, "one EarthLocation"),
        ({"obstime": "tomorrow"}, "'tomorrow' is no time such as J2050 or 2026-03-21"),
        ({"obstime": Time(["2026-03-21", "2026-03-22"])}, "ak.column"),
        ({"location": "geocenter", "position": [1, 0, 0] * u.au}, "position is given without velocity"),
        ({"position": [1, 0, 0] * u.au, "velocity": [0, 1, 0] * u.km / u.s}, "not both"),
        ({"location": "geocenter", "position": 1 * u.au, "velocity": [0, 1, 0] * u.km / u.s}, "shape"),
    ],
)
def test_what_cannot_be_is_an_error(changes, message):
    with pytest.raises(InputError, match=message):
        own(**changes)


def test_times_in_a_column_are_kept_but_not_evaluated_here():
    observer = ak.Observer(ak.column("t"))
    assert observer.column_names == ("t",)
    with pytest.raises(InputError, match="one time and place; t are columns"):
        observer.barycentric()
