"""Annual aberration: ERFA's ab, special relativity in closed form, and the aberrational proper motion."""

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.constants import c
from astropy.coordinates import EarthLocation
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

import astrokin as ak
from astrokin.errors import InputError
from astrokin.testing import samples, strategies
from astrokin.testing.compare import demand_same
from astrokin.units import MAS_IN_RAD

NAS = 4.848e-15
PARANAL = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)
OBLIQUITY = 23.4392911 * u.deg
AU_YR = u.au / u.yr


def sky(n=10_000, seed=2):
    """Stars all over the sky, the poles and neighbours of the poles among them."""
    stars = samples.field_stars(n, seed)
    direction = np.array(stars.direction)
    direction[:, :4] = np.array([[0, 0, 1], [0, 0, -1], [1e-12, 0, 1], [0, 1e-9, -1]]).T
    return stars.replace(direction=direction)


def moving(*velocity):
    return ak.Observer(2016.0, position=(1, 0, 0) * u.au, velocity=velocity * c)


@pytest.mark.parametrize("location", ["geocenter", "gaia", PARANAL], ids=str)
def test_directions_are_erfas_to_a_nanoarcsecond(location):
    stars, observer = sky(), ak.Observer(Time("2019-10-03T04:05:06"), location)
    there = observer.seen()
    beta = there.velocity[:, 0]
    expected = erfa.ab(stars.direction.T, beta, there.sun_distance[0], np.sqrt(1 - beta @ beta)).T
    seen = ak.effects.AnnualAberration(observer).apply(stars).direction
    assert np.abs(seen - expected).max() < NAS
    assert np.abs(seen - stars.direction).max() > 1e9 * NAS


@pytest.mark.parametrize("beta", [1e-4, 0.1, 0.9])
def test_any_speed_is_special_relativity(beta):
    """cos' = (cos + beta)/(1 + beta cos), the textbook formula, to the Sun's potential times beta (2e-8)."""
    stars = sky(200)
    seen = ak.effects.AnnualAberration(moving(0, 0, beta)).apply(stars)
    before, after = stars.direction[2], seen.direction[2]
    assert np.abs(after - (before + beta) / (1 + beta * before)).max() < 5e-8 * beta / np.sqrt(1 - beta**2)
    demand_same(ak.effects.AnnualAberration(moving(0, 0, beta)).remove(seen), stars, "remove(apply(x))")


def test_the_constant_of_aberration():
    """SOURCES E3: 20.4955 arcsec, the mean speed of the Earth on its ellipse over that of light (Kaplan 2005)."""
    n = 2 * np.pi / 365.256363  # per day
    speed = n / np.sqrt(1 - 0.0167086**2) * u.au / u.day
    kappa = (speed / c).to_value(u.one)
    star = ak.Stars(ra=[0.0] * u.deg, dec=[90.0] * u.deg)
    seen = ak.effects.AnnualAberration(moving(kappa, 0, 0)).change(star)
    shift = np.hypot(seen["delta_ra_cosdec"], seen["delta_dec"]).to_value(u.arcsec)[0]
    assert shift == pytest.approx(20.4955, abs=1e-4)


def test_stars_move_toward_the_apex():
    stars = sky(500)
    beta = ak.Observer(2016.0).seen().velocity[:, 0]
    seen = ak.effects.AnnualAberration(ak.Observer(2016.0)).apply(stars)
    assert (beta @ (seen.direction - stars.direction) > 0).all()


def test_at_rest_nothing_is_displaced():
    stars = sky(20)
    effect = ak.effects.AnnualAberration(ak.Observer(2016.2, "barycenter"))
    assert effect.apply(stars).changed_since(stars) == frozenset()
    assert effect.remove(stars).changed_since(stars) == frozenset()


def test_parallax_and_radial_velocity_are_not_touched():
    stars = sky(20)
    for rate in (False, True):
        seen = ak.effects.AnnualAberration(ak.Observer(2016.2), rate=rate).apply(stars)
        assert seen.changed_since(stars) == {"direction", "proper_motion"}


@settings(max_examples=60, deadline=None)
@given(strategies.stars(missing=False), st.booleans(), st.sampled_from([2016.0, 1991.25, 2050.9]))
def test_there_and_back(stars, rate, t):
    effect = ak.effects.AnnualAberration(ak.Observer(t), rate=rate)
    demand_same(effect.remove(effect.apply(stars)), stars, "remove(apply(x))")


# ---- the rate --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("location", "limit"), [("geocenter", 0.01), ("gaia", 0.01), (PARANAL, 0.5)], ids=str)
def test_the_rate_is_the_derivative_of_the_direction(location, limit):
    """Two hours around, in steps for which round-off (1e-3 mas/yr) and curvature are small."""
    stars, h = sky(300), 2e-5
    stars = stars.replace(parallax=np.zeros(300))
    middle = ak.effects.AnnualAberration(ak.Observer(2016.0, location), rate=True).apply(stars)
    # by how far the direction is, at four times: a five-point derivative
    seen = []
    for k in (-2, -1, 1, 2):
        moved = stars.replace(direction=stars.direction + stars.raw.proper_motion * (MAS_IN_RAD * k * h))
        seen.append(ak.effects.AnnualAberration(ak.Observer(2016.0 + k * h, location)).apply(moved).direction)
    expected = (seen[0] - seen[3] + 8 * (seen[2] - seen[1])) / (12 * h) / MAS_IN_RAD
    rate = middle.raw.proper_motion
    assert np.abs(rate).max() > 1e5
    assert np.abs(rate - expected).max() < limit


def test_the_greatest_rate_in_latitude_on_a_circular_orbit():
    """SOURCES E3, source 004 "Aberration": max mu_beta = (v_E Omega/c) sin(beta), that is 128.8 arcsec/yr sin(beta)."""
    omega = 2 * np.pi / u.yr
    amplitude = (1 * u.au * omega**2 / c).to(u.arcsec / u.yr, u.dimensionless_angles()).value
    assert amplitude == pytest.approx(128.8, abs=0.1)
    north = np.array([0.0, -np.sin(OBLIQUITY).value, np.cos(OBLIQUITY).value])
    for latitude in (20.0, 60.0, -45.0) * u.deg:
        place = np.sin(latitude) * north + np.cos(latitude) * np.array([1.0, 0, 0])
        found = []
        for t in 2016.0 + np.linspace(0, 1, 200):
            star = samples.field_stars(1).replace(direction=place[:, None], proper_motion=np.zeros((3, 1)))
            seen = ak.effects.AnnualAberration(ak.Observer(t), rate=True).apply(star)
            up = north - (north @ seen.direction[:, 0]) * seen.direction[:, 0]
            found.append(up @ seen.raw.proper_motion[:, 0] / np.linalg.norm(up) / 1e3)
        # the real orbit has the eccentricity 0.0167: accelerations differ by 2e = 3.4 per cent
        assert np.abs(found).max() == pytest.approx(amplitude * abs(np.sin(latitude).value), rel=0.04)


def test_a_place_on_the_ground_adds_hundreds_of_arcsec_per_year():
    star = ak.Stars(ra=[0.0] * u.deg, dec=[90.0] * u.deg, pmra=[0.0] * u.mas / u.yr, pmdec=[0.0] * u.mas / u.yr)
    equator = EarthLocation.from_geodetic(0 * u.deg, 0 * u.deg)
    rates = [
        ak.effects.AnnualAberration(ak.Observer(2016.0, place), rate=True).apply(star).raw.proper_motion[:, 0]
        for place in (equator, "geocenter")
    ]
    assert np.linalg.norm(rates[0] - rates[1]) / 1e3 == pytest.approx(736, abs=4)


def test_the_rate_needs_a_known_acceleration():
    with pytest.raises(InputError, match=r"AnnualAberration.rate needs the observer's acceleration"):
        ak.effects.AnnualAberration(moving(0, 0, 1e-4), rate=True)


def test_faster_than_light():
    with pytest.raises(InputError, match=r"moves at 1.5 times the speed of light"):
        ak.effects.AnnualAberration(moving(0, 0, 1.5)).apply(sky(5))


def test_times_by_row_are_each_stars_own():
    times = 2016.0 + 0.1 * np.random.default_rng(1).uniform(size=400)
    stars = samples.field_stars(400).replace(columns={"t": times})
    for rate in (False, True):
        effect = ak.effects.AnnualAberration(ak.Observer(ak.column("t")), rate=rate)
        seen = effect.apply(stars)
        for row in (0, 170, 399):
            one = ak.effects.AnnualAberration(ak.Observer(times[row]), rate=rate).apply(stars[row : row + 1])
            assert np.abs(seen.direction[:, row] - one.direction[:, 0]).max() < NAS
            assert np.abs(seen.raw.proper_motion[:, row] - one.raw.proper_motion[:, 0]).max() < 0.05
        demand_same(effect.remove(seen), stars, "remove(apply(x))")


def test_the_covariance_against_monte_carlo():
    """Distances from the apex shrink: near the apex by (1 - beta), which a fast observer shows."""
    n, beta = 40_000, 0.5
    centre = ak.Stars(ra=[40.0] * u.deg, dec=[60.0] * u.deg, parallax=[1.0] * u.mas, pmra=[3.0] * u.mas / u.yr,
                      pmdec=[5.0] * u.mas / u.yr, radial_velocity=[0.0] * u.km / u.s,
                      covariance=np.diag([4.0, 9, 1, 1, 4, 1])[None])  # fmt: skip
    effect = ak.effects.AnnualAberration(moving(0, 0, beta))
    predicted = effect.apply(centre).covariance[0]
    rng = np.random.default_rng(4)
    east, north = centre.raw.basis
    a, d = rng.normal(size=(2, n)) * [[2.0], [3.0]]
    many = centre.replace(covariance=None)[np.zeros(n, int)]
    seen = effect.apply(many.replace(direction=many.direction + (a * east + d * north) * MAS_IN_RAD))
    middle = effect.apply(centre)
    off = (seen.direction - middle.direction) / MAS_IN_RAD
    found = np.cov([(axis * off).sum(0) for axis in middle.raw.basis])
    scale = np.sqrt(np.outer(np.diag(predicted)[:2], np.diag(predicted)[:2]))
    assert np.abs((found - predicted[:2, :2]) / scale).max() < 4 * np.sqrt(2 / n)
    assert predicted[0, 0] < 0.6 * 4.0
