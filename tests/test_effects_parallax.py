"""Annual parallax: triangles, ERFA's pmpx, exact ways back, and the rate of the direction seen."""

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.constants import c
from hypothesis import given, settings
from hypothesis import strategies as st

import astrokin as ak
from astrokin.errors import InputError
from astrokin.testing import samples, strategies
from astrokin.testing.compare import demand_same
from astrokin.units import MAS_IN_RAD

NAS = 4.848e-15
MAS_YR = u.mas / u.yr


def at(*position, velocity=(0, 0, 0)):
    return ak.Observer(2016.0, position=position * u.au, velocity=velocity * u.km / u.s)


def sky(n=10_000, seed=2):
    """Stars all over the sky, the poles and neighbours of the poles among them."""
    stars = samples.field_stars(n, seed)
    direction = np.array(stars.direction)
    direction[:, :4] = np.array([[0, 0, 1], [0, 0, -1], [1e-12, 0, 1], [0, 1e-9, -1]]).T
    return stars.replace(direction=direction)


def erfa_pmpx(stars, pmt, position, moving=True):
    raw = stars.raw
    cos_dec = np.cos(stars.dec.to_value(u.rad))
    still = 1.0 if moving else 0.0
    return erfa.pmpx(
        stars.ra.to_value(u.rad),
        stars.dec.to_value(u.rad),
        still * raw.angle("pmra") * MAS_IN_RAD / np.maximum(cos_dec, 1e-300),
        still * raw.angle("pmdec") * MAS_IN_RAD,
        raw.parallax / 1e3,
        still * raw.radial_velocity,
        pmt,
        position,
    ).T


def largest(a, b):
    return np.abs(a / np.sqrt((a * a).sum(axis=0)) - b).max()


@pytest.mark.parametrize("location", ["geocenter", "gaia"])
def test_directions_are_erfas_to_a_nanoarcsecond(location):
    stars, observer = sky(), ak.Observer(2016.37, location)
    seen = ak.effects.AnnualParallax(observer).apply(stars)
    expected = erfa_pmpx(stars, 0.0, observer.seen().position[:, 0], moving=False)
    assert largest(expected, seen.direction) < NAS


def test_with_light_time_directions_of_moving_stars_are_erfas():
    """Rømer's delay: pmpx moves the star over the light time from the observer to the barycentre."""
    stars, observer = sky()[4:], ak.Observer(2016.37)
    seen = ak.effects.AnnualParallax(observer, light_time=True).apply(stars)
    expected = erfa_pmpx(stars, 0.0, observer.seen().position[:, 0])
    # pmpx also moves the star outward meanwhile: at 800 mas and 300 km/s the parallax changes by 2 nas
    assert largest(expected, seen.direction) < 2 * NAS
    without = ak.effects.AnnualParallax(observer).apply(stars)
    assert largest(expected, without.direction) > 1e4 * NAS


def test_one_arcsecond_over_one_au_is_one_parsec():
    """SOURCES E2, source 004 "Trigonometric Parallax"."""
    star = ak.Stars(ra=[0.0] * u.deg, dec=[90.0] * u.deg, parallax=[1.0] * u.arcsec)
    assert star.distance[0] == 1 * u.pc
    seen = ak.effects.AnnualParallax(at(1, 0, 0)).apply(star)
    angle = np.arctan2(-seen.direction[0, 0], seen.direction[2, 0]) * u.rad
    assert angle.to_value(u.arcsec) == pytest.approx(1.0, rel=1e-10)


@pytest.mark.parametrize("parallax", [700.0, 1.0, 1e7, -3.0])
def test_the_triangle_of_two_observers(parallax):
    """SOURCES E2: d_E = B_x / sin(phi), from two directions a baseline apart, at right angles to one of them."""
    star = ak.Stars(ra=[90.0] * u.deg, dec=[0.0] * u.deg, parallax=[parallax] * u.mas)
    here, there = (ak.effects.AnnualParallax(at(x, 0, 0)).apply(star).direction[:, 0] for x in (0.0, 2.5))
    sine = np.cross(there, here)[2]
    # the angle is at the observer (0) a right one, so the other side is the hypotenuse: tan(phi) = B/d
    tangent = -sine / (here @ there)
    assert 2.5 / tangent == pytest.approx(1.0 / (parallax * MAS_IN_RAD), rel=1e-6)


def test_the_ellipse_over_a_year_has_the_parallax_as_its_half_axis():
    pole = ak.Stars(ra=[270.0] * u.deg, dec=[66.5607] * u.deg, parallax=[100.0] * u.mas)
    sizes = []
    for t in 2016.0 + np.linspace(0, 1, 25):
        changed = ak.effects.AnnualParallax(ak.Observer(t)).change(pole)
        sizes.append(np.hypot(changed["delta_ra_cosdec"][0], changed["delta_dec"][0]).value)
    assert np.mean(sizes) == pytest.approx(100.0, rel=5e-3)  # the eccentricity and the Sun's own place: ± 2 %
    assert np.ptp(sizes) < 5.0


def test_motions_parallaxes_and_velocities_stay_those_of_the_barycentre():
    stars = sky(200)
    seen = ak.effects.AnnualParallax(ak.Observer(2016.2)).apply(stars)
    assert "parallax" not in seen.changed_since(stars)
    assert "radial_velocity" not in seen.changed_since(stars)
    sizes = [np.sqrt((s.raw.proper_motion**2).sum(axis=0)) for s in (stars, seen)]
    assert np.allclose(*sizes, rtol=1e-14, atol=0)


def test_the_barycentre_sees_the_catalogue():
    stars = sky(20)
    effect = ak.effects.AnnualParallax(ak.Observer(2016.2, "barycenter"))
    assert effect.apply(stars).changed_since(stars) == frozenset()
    assert effect.remove(stars).changed_since(stars) == frozenset()


@settings(max_examples=60, deadline=None)
@given(
    strategies.stars(missing=False),
    st.sampled_from([False, True]),
    st.sampled_from([False, True]),
    st.sampled_from([2016.0, 1991.25, 2050.9]),
)
def test_there_and_back(stars, rate, light_time, t):
    effect = ak.effects.AnnualParallax(ak.Observer(t, "gaia"), rate=rate, light_time=light_time)
    demand_same(effect.remove(effect.apply(stars)), stars, "remove(apply(x))")


def test_there_and_back_very_near():
    """Parallaxes of a third of a radian: within the solar system nothing is small."""
    stars = sky(50).replace(parallax=np.full(50, 0.3 / MAS_IN_RAD), proper_motion=np.zeros((3, 50)))
    effect = ak.effects.AnnualParallax(ak.Observer(2016.0))
    demand_same(effect.remove(effect.apply(stars)), stars, "remove(apply(x))")


@pytest.mark.parametrize("light_time", [False, True])
def test_the_rate_is_the_derivative_of_the_direction(light_time):
    """A step of an hour on either side: the star moves straight on, the Earth on its way."""
    stars, h = sky(300), 1e-4
    middle = ak.effects.AnnualParallax(ak.Observer(2016.0), rate=True, light_time=light_time).apply(stars)
    ends = []
    for t in (2016.0 - h, 2016.0 + h):
        move = ak.effects.PerspectiveAcceleration(epoch=t, reference_epoch=2016.0)
        ends.append((move | ak.effects.AnnualParallax(ak.Observer(t), light_time=light_time)).apply(stars).direction)
    expected = (ends[1] - ends[0]) / (2 * h) / MAS_IN_RAD
    off = np.abs(middle.raw.proper_motion - expected).max()
    assert off < 1e-3  # mas/yr, of rates up to 6 arcsec/yr: round-off of the directions over two hours


def test_the_rate_of_a_star_at_rest_is_the_observers_velocity_times_its_parallax():
    star = ak.Stars(ra=[0.0] * u.deg, dec=[90.0] * u.deg, parallax=[1.0] * u.arcsec, pmra=[0] * MAS_YR,
                    pmdec=[0] * MAS_YR, radial_velocity=[0] * u.km / u.s)  # fmt: skip
    effect = ak.effects.AnnualParallax(at(0, 0, 0, velocity=(4.740470463533349, 0, 0)), rate=True)
    assert np.allclose(effect.apply(star).raw.proper_motion[:, 0], [-1000.0, 0, 0], atol=1e-8)


def test_romers_delay_for_barnards_star_is_a_sixth_of_a_mas():
    barnard = ak.Stars(ra=[269.45208] * u.deg, dec=[4.69339] * u.deg, parallax=[546.98] * u.mas,
                       pmra=[-801.55] * MAS_YR, pmdec=[10362.39] * MAS_YR, radial_velocity=[-110.5] * u.km / u.s,
                       epoch=2016.47)  # fmt: skip
    towards = barnard.direction[:, 0]
    shifts = [ak.effects.AnnualParallax(at(*towards), light_time=x).apply(barnard).direction for x in (False, True)]
    moved = np.linalg.norm(shifts[1] - shifts[0]) / MAS_IN_RAD
    assert moved == pytest.approx((10393.3 * MAS_YR * (1 * u.au / c)).to_value(u.mas), rel=1e-3)
    assert 0.15 < moved < 0.17


def test_times_by_row_are_each_stars_own():
    times = 2016.0 + np.linspace(0.0, 3.0, 40)
    stars = samples.field_stars(40).replace(columns={"t": times})
    seen = ak.effects.AnnualParallax(ak.Observer(ak.column("t"))).apply(stars)
    for row in (0, 17, 39):
        one = ak.effects.AnnualParallax(ak.Observer(times[row])).apply(stars[row : row + 1])
        assert np.abs(seen.direction[:, row] - one.direction[:, 0]).max() < NAS
    demand_same(ak.effects.AnnualParallax(ak.Observer(ak.column("t"))).remove(seen), stars, "remove(apply(x))")


def test_a_row_without_a_time_is_refused():
    stars = samples.field_stars(3).replace(columns={"t": np.array([2016.0, np.nan, 2016.0])})
    with pytest.warns(ak.errors.RowsWarning, match="1 of 3 rows: refused, no value in column 't'"):
        seen = ak.effects.AnnualParallax(ak.Observer(ak.column("t"))).apply(stars)
    assert np.isnan(seen.direction[0]).tolist() == [False, True, False]


def test_something_else_than_an_observer():
    with pytest.raises(InputError, match=r"AnnualParallax.observer is 2016.0: give an ak.Observer"):
        ak.effects.AnnualParallax(2016.0)


@pytest.mark.parametrize("rate", [False, True])
def test_the_covariance_against_monte_carlo(rate):
    """The direction takes over a part of the parallax error; with the rate, the motion does."""
    n = 40_000
    centre = samples.field_stars(1, 5, 2016.0).replace(parallax=np.array([300.0]))
    sigma = np.array([2.0, 3.0, 20.0, 1.0, 1.0, 5.0])
    effect = ak.effects.AnnualParallax(ak.Observer(2016.2), rate=rate)
    predicted = effect.apply(centre.replace(covariance=np.diag(sigma**2)[None])).covariance[0]
    rng = np.random.default_rng(8)
    east, north = centre.raw.basis
    d = rng.normal(size=(6, n)) * sigma[:, None]
    many = centre[np.zeros(n, int)]
    many = many.replace(
        direction=many.direction + (d[0] * east + d[1] * north) * MAS_IN_RAD,
        parallax=many.raw.parallax + d[2],
        radial_velocity=many.raw.radial_velocity + d[5],
    )
    many = many.replace(proper_motion=many.raw.proper_motion + d[3] * east + d[4] * north)
    seen, middle = effect.apply(many), effect.apply(centre)
    e, m = middle.raw.basis
    off, motion = (seen.direction - middle.direction) / MAS_IN_RAD, seen.raw.proper_motion - middle.raw.proper_motion
    found = np.cov(
        [
            (e * off).sum(0), (m * off).sum(0), seen.raw.parallax,
            (e * motion).sum(0), (m * motion).sum(0), seen.raw.radial_velocity,
        ]
    )  # fmt: skip
    scale = np.sqrt(np.outer(np.diag(predicted), np.diag(predicted)))
    assert np.abs((found - predicted) / scale).max() < 4.0 * np.sqrt(2.0 / n)
