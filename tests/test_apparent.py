"""The whole way from a catalogue to what an observer sees, against ERFA's atciq."""

import warnings

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.coordinates import EarthLocation
from astropy.time import Time
from hypothesis import given, settings

import astrokin as ak
from astrokin.errors import InputError, RowsWarning
from astrokin.testing import samples, strategies
from astrokin.testing.compare import demand_same
from astrokin.units import MAS_IN_RAD

UAS = 4.848e-12
START = 2016.0
PARANAL = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)


def quietly(verb, *args):
    """Stars behind the Sun and poor parallaxes are told of elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RowsWarning)
        return verb(*args)


def sky(n=10_000):
    stars = samples.field_stars(n, 7, START)
    dec = np.concatenate([[89.9999999, -89.9999999, 90 - 1e-5], stars.dec.value[3:]]) * u.deg
    return ak.Stars(ra=stars.ra, dec=dec, parallax=stars.parallax, pmra=stars.pmra, pmdec=stars.pmdec,
                    radial_velocity=stars.radial_velocity, epoch=START)  # fmt: skip


def vectors(ra, dec):
    return np.stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def erfa_atciq(stars, observer):
    """ERFA's quick place from catalogue data at START, in GCRS (no precession), from the same position and velocity."""
    tdb = Time(observer.obstime, format="jyear", scale="tcb").tdb
    place, motion = observer.barycentric()
    there = observer.seen()
    earth = np.empty((), erfa.dt_pv)
    earth["p"], earth["v"] = place.to_value(u.au), motion.to_value(u.au / u.day)
    astrom = erfa.apcg(tdb.jd1, tdb.jd2, earth, there.from_sun[:, 0] * there.sun_distance[0])
    astrom["pmt"] = observer.obstime - START
    raw = stars.raw
    ra, dec = np.radians(raw.angle("ra")), np.radians(raw.angle("dec"))
    motions = raw.angle("pmra") * MAS_IN_RAD / np.cos(dec), raw.angle("pmdec") * MAS_IN_RAD
    return vectors(*erfa.atciq(ra, dec, *motions, raw.parallax / 1e3, raw.radial_velocity, astrom))


@pytest.mark.parametrize("location", ["geocenter", "gaia", PARANAL], ids=str)
def test_directions_are_those_of_atciq_to_a_hundredth_of_a_microarcsecond(location):
    stars, observer = sky(), ak.Observer(2026.37, location)
    seen = quietly(ak.apparent_place(observer).apply, stars)
    off = np.abs(seen.direction - erfa_atciq(stars, observer)).max(axis=0)
    speed = np.sqrt((stars.raw.proper_motion**2).sum(axis=0))
    assert off[speed < 1000].max() < 0.01 * UAS
    # pmpx takes the light's way across the orbit for the catalogue direction, not for that ten years later
    assert off[speed < 10500].max() < 0.2 * UAS
    assert off.max() < 4 * UAS
    assert speed.max() > 50_000


def test_what_is_in_the_chain():
    chain = ak.apparent_place(ak.Observer(2026.0))
    names = [effect.name for effect in chain]
    assert names == ["perspective-acceleration", "annual-parallax", "light-deflection", "annual-aberration"]
    assert ak.Chain.physical(*chain) == chain


@settings(max_examples=40, deadline=None)
@given(strategies.stars(missing=False, nonpositive_parallax=False))
def test_there_and_back(stars):
    chain = ak.apparent_place(ak.Observer(2026.0), reference_epoch=START)
    demand_same(quietly(chain.remove, quietly(chain.apply, stars)), stars, "remove(apply(x))")


def test_each_star_at_its_own_time():
    times = Time(2016.0 + np.linspace(0, 5, 30), format="jyear", scale="tcb")
    stars = samples.field_stars(30).replace(columns={"t": times})
    seen = quietly(ak.apparent_place(ak.Observer(ak.column("t"))).apply, stars)
    for row in (0, 11, 29):
        one = quietly(ak.apparent_place(ak.Observer(times[row])).apply, stars[row : row + 1])
        assert np.abs(seen.direction[:, row] - one.direction[:, 0]).max() < 0.001 * UAS
        assert np.allclose(seen.epoch[row], times[row].jyear)


def test_the_covariance_goes_along():
    stars = samples.field_stars(20)
    seen = quietly(ak.apparent_place(ak.Observer(2026.0)).apply, stars.replace(covariance=samples.covariances(stars)))
    assert np.isfinite(seen.covariance).all()
    # ten years of proper-motion error: much more than that of the position
    assert (seen.covariance[:, 0, 0] > stars.replace(covariance=samples.covariances(stars)).covariance[:, 0, 0]).any()


def test_something_else_than_an_observer():
    with pytest.raises(InputError, match=r"is no observer: give an ak\.Observer"):
        ak.apparent_place(2026.0)
