"""Apparent places against astropy's GCRS and CIRS: 1e4 stars each, and where astropy differs, the reason."""

import warnings

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.constants import GM_sun, c
from astropy.coordinates import CIRS, GCRS, CartesianRepresentation, EarthLocation, SkyCoord
from astropy.time import Time

import astrokin as ak
from astrokin.errors import RowsWarning
from astrokin.testing import samples
from astrokin.units import MAS_IN_RAD

NAS = 4.848e-15
N = 10_000
PARANAL = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)
TIMES = [Time(t) for t in ("1995-08-01T05:00", "2010-03-09T12:00", "2016-01-01", "2026-05-15T03:00")]
#: Degrees from the Sun's centre: the Sun's disc has a radius of 0.27.
NEAR_SUN = np.geomspace(0.28, 10.0, 100)


def stars_at_rest(observer, parallax=None):
    """All over the sky, at the poles, and from the Sun's limb to 10 degrees from it."""
    stars = samples.field_stars(N, 11)
    direction = np.array(stars.direction)
    direction[:, :4] = np.array([[0, 0, 1], [0, 0, -1], [1e-12, 0, 1], [0, 1e-9, -1]]).T
    direction[:, 4:104] = near_the_sun(observer)
    parallax = stars.raw.parallax if parallax is None else np.full(N, parallax)
    return stars.replace(direction=direction, parallax=parallax, proper_motion=np.zeros((3, N)),
                         radial_velocity=np.zeros(N))  # fmt: skip


def near_the_sun(observer):
    to_sun = -observer.seen().from_sun[:, 0]
    one = np.cross(to_sun, [0.0, 0.6, 0.8])
    one /= np.linalg.norm(one)
    turn, angle = np.arange(100.0), np.radians(NEAR_SUN)
    side = np.cos(turn) * one[:, None] + np.sin(turn) * np.cross(to_sun, one)[:, None]
    return np.cos(angle) * to_sun[:, None] + np.sin(angle) * side


def seen(observer, stars):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RowsWarning)
        return ak.apparent_place(observer).apply(stars)


def at_distance(stars):
    return SkyCoord(stars.ra, stars.dec, distance=(1 / stars.raw.parallax) * u.kpc)


def astropys(coord, frame):
    """Unit vectors in a frame of astropy's."""
    xyz = coord.transform_to(frame).cartesian.xyz.value
    return xyz / np.linalg.norm(xyz, axis=0)


def largest(one, other):
    return np.linalg.norm(one - other, axis=0).max()


def demand_the_same(ours, astropys):
    """To 1 nas; within 10 deg of the Sun 2: constants differ by 3e-10 of 1.8", and ERFA's 1 - cos loses figures."""
    apart = np.linalg.norm(ours - astropys, axis=0)
    near = (np.arange(N) >= 4) & (np.arange(N) < 104)
    assert apart[~near].max() < NAS
    assert apart[near].max() < 2 * NAS


def gcrs(time, place):
    if isinstance(place, str):
        return GCRS(obstime=time)
    position, velocity = place.get_gcrs_posvel(time)
    return GCRS(obstime=time, obsgeoloc=position, obsgeovel=velocity)


# ---- where the conventions are the same ------------------------------------------------------------------


@pytest.mark.parametrize("place", ["geocenter", PARANAL], ids=str)
@pytest.mark.parametrize("time", TIMES, ids=str)
def test_gcrs_of_distant_stars_to_a_nanoarcsecond(time, place):
    observer = ak.Observer(time, place)
    stars = stars_at_rest(observer, parallax=0.0)
    demand_the_same(seen(observer, stars).direction, astropys(SkyCoord(stars.ra, stars.dec), gcrs(time, place)))


@pytest.mark.parametrize("place", ["geocenter", PARANAL], ids=str)
@pytest.mark.parametrize("time", TIMES, ids=str)
def test_cirs_of_distant_stars_to_a_nanoarcsecond(time, place):
    """CIRS is the same directions, turned to the pole of date: ERFA's matrix, from precession and nutation."""
    observer = ak.Observer(time, place)
    stars = stars_at_rest(observer, parallax=0.0)
    frame = CIRS(obstime=time) if isinstance(place, str) else CIRS(obstime=time, location=place)
    turned = erfa.c2i06a(time.tt.jd1, time.tt.jd2) @ seen(observer, stars).direction
    demand_the_same(turned, astropys(SkyCoord(stars.ra, stars.dec), frame))


@pytest.mark.parametrize("time", TIMES, ids=str)
def test_the_parallax_is_astropys_to_a_quarter_of_a_nanoarcsecond(time):
    """Astropy takes the observer's place from the star's at a distance, in au; we, from parallax and direction."""
    observer = ak.Observer(time)
    stars = stars_at_rest(observer)
    offset = at_distance(stars).cartesian - CartesianRepresentation(observer.barycentric()[0])
    xyz = offset.xyz.to_value(u.au)
    ours = ak.effects.AnnualParallax(observer).apply(stars).direction
    assert largest(ours, xyz / np.linalg.norm(xyz, axis=0)) < 0.25 * NAS


# ---- where they are not ----------------------------------------------------------------------------------


def finite_deflection(stars, observer):
    """The Sun's deflection of light from stars at their distance: ERFA's ld, with the direction from the Sun, too."""
    there = observer.seen()
    place = ak.effects.AnnualParallax(observer).apply(stars).direction.T
    away = place + there.from_sun.T * there.sun_distance * (stars.raw.parallax * MAS_IN_RAD)[:, None]
    from_sun = away / np.linalg.norm(away, axis=1, keepdims=True)
    return erfa.ld(1.0, place, from_sun, there.from_sun[:, 0], there.sun_distance[0], 1e-6), place


@pytest.mark.parametrize("time", TIMES, ids=str)
def test_of_near_stars_astropy_bends_the_light_less(time):
    """Where the Sun bends it, light from a star at a finite distance has been bent for a shorter way.

    Astropy reckons with that, ERFA and we do not: (2GM/c^2) parallax cot(theta/2), toward the Sun. That is all there
    is between us: 0.4 µas for the nearest star 4 deg from the Sun, 6.5 µas at the Sun's limb,
    and below 0.02 µas beyond 90 deg.
    """
    observer = ak.Observer(time)
    there, stars = observer.seen(), stars_at_rest(observer)
    found = astropys(at_distance(stars), gcrs(time, "geocenter"))
    natural, place = finite_deflection(stars, observer)
    beta = there.velocity[:, 0]
    explained = erfa.ab(natural, beta, there.sun_distance[0], np.sqrt(1 - beta @ beta)).T
    assert largest(explained / np.linalg.norm(explained, axis=0), found) < NAS
    apart = np.linalg.norm(seen(observer, stars).direction - found, axis=0)
    theta = np.arccos(np.clip(-place @ there.from_sun[:, 0], -1, 1))
    radius = (2 * GM_sun / c**2).to_value(u.au)
    expected = radius * stars.raw.parallax * MAS_IN_RAD / np.tan(theta / 2)
    assert np.abs(apart - expected).max() < 1e-3 * apart.max() + NAS
    assert 1e3 * NAS < apart.max() < 5e3 * NAS
    assert apart[theta > np.pi / 2].max() < 20 * NAS


def test_within_the_disc_the_deflection_is_faded_out_elsewhere():
    """ERFA's limit shrinks with the square of the Sun's distance beyond 1 au, astropy's does not; both 5 arcmin."""
    time = Time("2016-07-04T16:00")  # 1.017 au
    observer = ak.Observer(time)
    stars = stars_at_rest(observer, parallax=0.0)
    to_sun = -observer.seen().from_sun[:, 0]
    apart = []
    for angle in (1.401e-3, 1.45e-3):  # within ERFA's limit or astropy's, and beyond both
        side = np.cross(to_sun, [0, 0, 1]) / np.linalg.norm(np.cross(to_sun, [0, 0, 1]))
        one = stars[:1].replace(direction=(np.cos(angle) * to_sun + np.sin(angle) * side)[:, None])
        found = astropys(SkyCoord(one.ra, one.dec), gcrs(time, "geocenter"))
        apart.append(largest(seen(observer, one).direction, found))
    assert apart[0] > 1e7 * NAS
    assert apart[1] < 10 * NAS  # ERFA's 1 - cos is good to 1e-10 there, of 5.6 arcsec


def test_moving_stars_stand_still_in_astropy():
    """ICRS to GCRS moves no star; with the same epoch only Rømer's delay is left, of the proper motion times 8 min."""
    time = Time("2026-05-15T03:00")
    observer = ak.Observer(time)
    moving = stars_at_rest(observer).replace(epoch=time.tcb.jyear)
    moving = moving.replace(proper_motion=samples.field_stars(N, 11).raw.proper_motion)
    found = astropys(at_distance(moving), gcrs(time, "geocenter"))
    ours = seen(observer, moving).direction
    bent = np.linalg.norm(seen(observer, moving.replace(proper_motion=np.zeros((3, N)))).direction - found, axis=0)
    delay = (moving.direction.T @ observer.seen().position[:, 0]) * (u.au / c).to_value(u.yr)
    expected = np.abs(delay) * np.linalg.norm(moving.raw.proper_motion, axis=0) * MAS_IN_RAD
    apart = np.linalg.norm(ours - found, axis=0)
    assert np.abs(apart - expected).max() < 2e-4 * apart.max() + bent.max()
    assert apart.max() > 1e5 * NAS
