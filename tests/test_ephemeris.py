"""How far ephemerides reach, JPL's by name and by file, and what is said when they cannot be had."""

import struct
import sys

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import EarthLocation
from astropy.time import Time

import astrokin as ak
from astrokin.errors import InputError, MissingDependencyError, RowsWarning
from astrokin.testing import samples

PARANAL = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)
START, DAYS = 2457400.5, 32.0  # 2016-01-13


# ---- the builtin one -------------------------------------------------------------------------------------


@pytest.mark.parametrize("location", ["geocenter", "gaia", PARANAL], ids=str)
@pytest.mark.parametrize(
    ("time", "named"),
    [
        (Time("1899-12-30", scale="tt"), "1899-12-30"),
        (Time("2100-01-02", scale="tt"), "2100-01-02"),
        (-5000.0, "the year -5000"),
        (1e300, "the year 1e[+]300"),
    ],
    ids=str,
)
def test_times_beyond_the_builtin_ephemeris_are_an_error_with_the_time_and_the_range(time, named, location):
    for look in (ak.Observer(time, location).seen, ak.Observer(time, location).barycentric):
        with pytest.raises(InputError, match=rf"{named}.* beyond the builtin ephemeris, .* for 1900 to 2100"):
            look()


@pytest.mark.parametrize("year", [1900.01, 2099.99])
def test_to_its_ends_it_is_used_without_a_word(year):
    """Interpolated times near an end too, whose nodes lie beyond it."""
    assert 0.97 < np.linalg.norm(ak.Observer(year).barycentric()[0].value) < 1.04
    times = year + np.linspace(-0.008, 0.008, 200)
    stars = samples.field_stars(200).replace(columns={"t": times})
    seen = ak.Observer(ak.column("t")).bound(stars).seen()
    exact = ak.Observer(times[3]).seen()
    assert np.abs(seen.position[:, 3] - exact.position[:, 0]).max() < 1e-9


def test_of_many_times_the_first_beyond_is_named_and_the_others_counted():
    stars = samples.field_stars(4).replace(columns={"t": np.array([2016.0, 2120.0, 1850.0, 2016.5])})
    effect = ak.effects.AnnualParallax(ak.Observer(ak.column("t")))
    with pytest.raises(InputError, match=r"2120-.* \(and 1 more\) is beyond the builtin ephemeris"):
        effect.apply(stars)


@pytest.mark.parametrize("days", [57000.0, 2457400.5])
def test_days_taken_for_years_are_seen_through(days):
    with pytest.raises(InputError, match=r"plain numbers are Julian years; days are Time\(…, format='mjd'\)"):
        ak.Observer(days).seen()


def test_what_needs_no_place_needs_no_ephemeris():
    assert not ak.Observer(1850.0, "barycenter").barycentric()[0].value.any()
    binary = ak.effects.BinaryPhotocentre(50 * u.yr, 3 * u.arcsec, mass_ratio=1.0, flux_ratio=0.0,
                                          observer=ak.Observer(1844.0))  # fmt: skip
    assert np.isfinite(binary.displacement().value).all()


def test_missing_times_stay_refused_rows():
    stars = samples.field_stars(3).replace(columns={"t": np.array([2016.0, np.nan, 2016.5])})
    with pytest.warns(RowsWarning, match="1 of 3 rows: refused, no value in column 't'"):
        ak.effects.AnnualParallax(ak.Observer(ak.column("t"))).apply(stars)


@pytest.mark.parametrize("make", [ak.Observer, lambda t: ak.Stars(ra=[1] * u.deg, dec=[1] * u.deg, epoch=t)])
def test_a_time_without_a_scale(make):
    with pytest.raises(InputError, match=r"scale 'local'.* give one of utc, tt"):
        make(Time("2026-03-21", scale="local"))


# ---- JPL's -----------------------------------------------------------------------------------------------


def test_without_jplephem_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "jplephem", None)
    with pytest.raises(MissingDependencyError, match=r"'de440s' needs jplephem .*install \"astrokin\[ephemeris\]"):
        ak.Observer(2016.0, ephemeris="de440s").seen()


def chebyshev(f):
    """Coefficients (3, 20) on one record of 32 days, from values (3, k) at days since J2000."""
    nodes = np.cos(np.pi * (np.arange(20) + 0.5) / 20)
    values = f(START + DAYS / 2 + DAYS / 2 * nodes)
    return np.polynomial.chebyshev.chebfit(nodes, values.T, 19).T


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    """A JPL file of 32 days with the Earth and the Sun, made of the builtin ephemeris (km)."""
    daf = pytest.importorskip("jplephem.daf", reason="jplephem is not installed")
    path = tmp_path_factory.mktemp("jpl") / "small.bsp"
    empty = struct.pack("<8sII60sIII8s603s28s297s", b"DAF/SPK ", 2, 6, b"small".ljust(60), 2, 2, 385, b"LTL-IEEE", b"",
                        b"FTPSTR:\r:\n:\r\n:\r\x00:\x81:\x10\xce:ENDFTP", b"")  # fmt: skip
    path.write_bytes(empty + bytes(1024) + b" " * 1024)
    begin, end = ((START + d - 2451545.0) * 86400 for d in (0.0, DAYS))
    with path.open("r+b") as file:
        written = daf.DAF(file)
        for target, centre, name in ((3, 0, "earth"), (399, 3, None), (10, 0, "sun")):
            table = chebyshev(lambda jd, name=name: builtin(name, jd))
            record = [begin + DAYS * 43200, DAYS * 43200, *table.ravel()]
            array = np.array([*record, begin, DAYS * 86400, len(record), 1])
            written.add_array(b"SMALL", (begin, end, target, centre, 1, 2), array)
    return path


def builtin(name, jd):
    if name is None:
        return np.zeros((3, len(jd)))
    from astropy.coordinates import get_body_barycentric

    return get_body_barycentric(name, Time(jd, format="jd", scale="tdb"), "builtin").xyz.to_value(u.km)


def test_a_file_of_jpls_is_taken(kernel):
    """It is the ephemeris that it was made of, to 0.1 nas of parallax and 0.1 µas of aberration.

    ERFA's velocities are not quite the derivatives of its positions: 0.16 mm/s.
    """
    time = Time("2016-01-25T12:00", scale="tdb")
    for location in ("geocenter", "gaia", PARANAL):
        one, other = ak.Observer(time, location, ephemeris=str(kernel)), ak.Observer(time, location)
        position, velocity = (a - b for a, b in zip(one.barycentric(), other.barycentric(), strict=True))
        assert np.abs(position.to_value(u.au)).max() < 1e-10
        assert np.abs(velocity.to_value(u.mm / u.s)).max() < 0.2
        assert np.abs(one.seen().from_sun - other.seen().from_sun).max() < 1e-8
    assert one != other


def test_a_name_is_passed_on_to_astropy_which_fetches_it_once(kernel, monkeypatch):
    asked = []
    fetch = "astropy.coordinates.solar_system.download_file"
    monkeypatch.setattr(fetch, lambda url, cache: (asked.append((url, cache)), str(kernel))[1])
    found = ak.Observer(Time("2016-01-25T12:00", scale="tdb"), ephemeris="de440s").seen()
    assert found.position.shape == (3, 1)
    assert asked
    assert all(url.endswith("/de440s.bsp") and cache for url, cache in asked)


def test_times_beyond_a_file_of_jpls(kernel):
    observer = ak.Observer(Time("2016-03-25", scale="tdb"), ephemeris=str(kernel))
    with pytest.raises(InputError, match=r"2016-03-25.* beyond the ephemeris '.*small.bsp': .*2016-01-13.*2016-02-14"):
        observer.seen()


def test_a_name_or_file_that_is_none():
    pytest.importorskip("jplephem", reason="jplephem is not installed")
    with pytest.raises(InputError, match=r"Observer.ephemeris 'no-such-file.bsp' cannot be used .* such as 'de440s'"):
        ak.Observer(2016.0, ephemeris="no-such-file.bsp").seen()
