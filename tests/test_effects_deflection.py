"""Light deflection: ERFA's ldsun, the textbook angles, and what is behind the Sun."""

import warnings

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.constants import G, GM_sun, M_sun, R_sun, c

import astrokin as ak
from astrokin.errors import InputError, RowsWarning
from astrokin.testing import samples
from astrokin.testing.compare import demand_same
from astrokin.units import MAS_IN_RAD

NAS = 4.848e-15
OBSERVER = ak.Observer(2016.37)
THERE = OBSERVER.seen()
TO_SUN = -THERE.from_sun[:, 0]
SUN_RADIUS = np.degrees(np.arcsin(R_sun / (THERE.sun_distance[0] * u.au))).to_value(u.deg)


def away_from_sun(degrees, turn=0.7):
    """Stars at angles from the Sun's centre, (n,) degrees."""
    degrees = np.atleast_1d(degrees)
    one = np.cross(TO_SUN, [0.0, 0.0, 1.0])
    one /= np.linalg.norm(one)
    side = np.cos(turn) * one + np.sin(turn) * np.cross(TO_SUN, one)
    angle = np.radians(degrees)
    stars = samples.field_stars(len(degrees))
    return stars.replace(direction=np.cos(angle) * TO_SUN[:, None] + np.sin(angle) * side[:, None])


def quietly(verb, stars):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RowsWarning)
        return verb(stars)


def erfa_ldsun(stars, observer, mass=1.0):
    """ERFA's ldsun, which is its ld of a distant source; the mass is in units of the one in ERFA's constant."""
    there, r = observer.seen(), stars.direction.T
    distance = there.sun_distance[0]
    out = erfa.ld(mass, r, r, there.from_sun[:, 0], distance, 1e-6 / max(distance**2, 1.0)).T
    return out / np.sqrt((out * out).sum(axis=0))


@pytest.mark.parametrize("location", ["geocenter", "gaia"])
def test_directions_are_erfas_to_a_nanoarcsecond(location):
    stars = samples.field_stars(10_000, 2)
    direction = np.array(stars.direction)
    direction[:, :4] = np.array([[0, 0, 1], [0, 0, -1], [1e-12, 0, 1], [0, 1e-9, -1]]).T
    stars, observer = stars.replace(direction=direction), ak.Observer(2016.37, location)
    seen = quietly(ak.effects.LightDeflection(observer).apply, stars)
    assert np.abs(seen.direction - erfa_ldsun(stars, observer)).max() < NAS


def test_near_and_behind_the_sun_as_erfa():
    """From the centre of the disc to a degree: the limit that ERFA sets is the same, and nothing is infinite."""
    stars = away_from_sun([0.0, 1e-6, 0.01, 0.05, 0.0810, 0.0812, 0.2, SUN_RADIUS, 0.3, 1.0, 179.9, 180.0])
    seen = quietly(ak.effects.LightDeflection(OBSERVER).apply, stars)
    there = OBSERVER.seen()
    expected = erfa.ldsun(stars.direction.T, there.from_sun[:, 0], there.sun_distance[0]).T
    assert np.abs(erfa_ldsun(stars, OBSERVER) - expected / np.linalg.norm(expected, axis=0)).max() < 1e-16
    # Schwarzschild radii in astropy's constants and in ERFA's differ by 3e-10, which shows here: 1.3 nas
    mass = ((2 * GM_sun / c**2).to_value(u.au)) / erfa.SRS
    assert mass == pytest.approx(1.0, abs=4e-10)
    assert np.abs(seen.direction - erfa_ldsun(stars, OBSERVER, mass)).max() < NAS


def test_the_textbook_angles():
    """Einstein's 4GM/(c^2 R) = 1.75 arcsec at the limb, 4.07 mas at a right angle and 1 au, none opposite the Sun."""
    stars = away_from_sun([SUN_RADIUS * 1.0000001, 90.0, 180.0])
    shift = np.linalg.norm(ak.effects.LightDeflection(OBSERVER).apply(stars).direction - stars.direction, axis=0)
    limb = (4 * G * M_sun / (c**2 * R_sun)).to_value(u.one)
    assert limb / MAS_IN_RAD / 1e3 == pytest.approx(1.75, abs=0.005)
    assert shift[0] == pytest.approx(limb, rel=2e-4)
    square = (2 * G * M_sun / (c**2 * THERE.sun_distance[0] * u.au)).to_value(u.one)
    assert shift[1] == pytest.approx(square, rel=2e-4)
    assert shift[1] / MAS_IN_RAD == pytest.approx(4.07, abs=0.08)
    assert shift[2] < 1e-15


def test_light_is_bent_away_from_the_sun():
    stars = away_from_sun(np.linspace(1, 170, 50))
    seen = ak.effects.LightDeflection(OBSERVER).apply(stars)
    assert (TO_SUN @ seen.direction < TO_SUN @ stars.direction).all()
    assert seen.changed_since(stars) == {"direction", "proper_motion"}


def test_rows_behind_the_suns_disc_are_counted_not_changed_otherwise():
    stars = away_from_sun([SUN_RADIUS * 0.999, 0.0, SUN_RADIUS * 1.001, 30.0])
    with pytest.warns(RowsWarning, match="2 of 4 rows: behind the Sun's disc"):
        seen = ak.effects.LightDeflection(OBSERVER).apply(stars)
    assert np.isfinite(seen.direction).all()


def test_there_and_back_everywhere():
    stars = away_from_sun([0.0, 1e-3, 0.05, 0.0811, 0.1, 0.2, SUN_RADIUS, 0.3, 1.0, 45.0, 90.0, 179.0, 180.0])
    effect = ak.effects.LightDeflection(OBSERVER)
    demand_same(quietly(effect.remove, quietly(effect.apply, stars)), stars, "remove(apply(x))")


@pytest.mark.parametrize("distance", [1.0, 0.3, 0.1, 0.045])
def test_the_way_back_is_exact_at_the_centre_of_the_disc_too(distance):
    """From the Earth to the nearest that a spacecraft has been to the Sun."""
    effect, stars = ak.effects.LightDeflection(beside_the_sun(distance)), around_the_centre(beside_the_sun(distance))
    back = quietly(effect.remove, quietly(effect.apply, stars).without_notes())
    assert not back.refused
    assert np.abs(back.direction - stars.direction).max() < NAS


@pytest.mark.parametrize("distance", [0.03, 0.006])
def test_nearer_to_the_sun_what_has_no_way_back_is_refused_and_the_rest_is_exact(distance):
    """There the first-order formula puts several stars on one place, far behind the disc."""
    observer = beside_the_sun(distance)
    effect, stars = ak.effects.LightDeflection(observer), around_the_centre(observer)
    seen = quietly(effect.apply, stars).without_notes()
    with pytest.warns(RowsWarning, match="refused, no unique way back so near to the centre of the Sun"):
        back = effect.remove(seen)
    (lost,) = back.refused.values()
    off = np.arccos(np.clip(-observer.seen().from_sun[:, 0] @ stars.direction, -1, 1))
    assert off[lost].max() < 0.05 * np.arcsin((R_sun / (distance * u.au)).to_value(u.one))
    assert np.abs(back.direction - stars.direction)[:, ~lost].max() < NAS
    (behind,) = back.flags.values()
    assert behind[lost].all()


def beside_the_sun(distance):
    sun = (THERE.position - THERE.from_sun * THERE.sun_distance)[:, 0]
    return ak.Observer(2016.37, position=(sun + np.array([distance, 0, 0])) * u.au, velocity=(0, 0, 0) * u.km / u.s)


def around_the_centre(observer, n=2000):
    """Stars from 2 milliarcsec to a right angle from the Sun's centre, in a spiral."""
    to_sun = -observer.seen().from_sun[:, 0]
    one = np.cross(to_sun, [0, 0.6, 0.8])
    one /= np.linalg.norm(one)
    angle, turn = np.geomspace(1e-8, np.pi / 2, n), np.arange(n)
    side = np.cos(turn) * one[:, None] + np.sin(turn) * np.cross(to_sun, one)[:, None]
    return samples.field_stars(n).replace(direction=np.cos(angle) * to_sun[:, None] + np.sin(angle) * side)


def test_catalogue_directions_are_those_of_the_barycentre():
    stars = samples.field_stars(20)
    effect = ak.effects.LightDeflection(ak.Observer(2016.2, "barycenter"))
    assert effect.apply(stars).changed_since(stars) == frozenset()
    assert effect.remove(stars).changed_since(stars) == frozenset()


def test_an_observer_inside_the_sun():
    sun = (THERE.position - THERE.from_sun * THERE.sun_distance)[:, 0]
    there = ak.Observer(2016.37, position=(sun + 1e-3) * u.au, velocity=(0, 0, 0) * u.km / u.s)
    with pytest.raises(InputError, match="inside the Sun"):
        ak.effects.LightDeflection(there).apply(samples.field_stars(3))


def test_the_covariance_stretches_away_from_the_limb():
    """Radially the map has the slope 1 + 2GM/(c^2 E) / (1 - cos), by the derivative of the cotangent."""
    star = away_from_sun([0.5], turn=0.0)
    errors = star.replace(covariance=np.eye(6)[None])
    seen = ak.effects.LightDeflection(OBSERVER).apply(errors)
    k = (2 * G * M_sun / (c**2 * THERE.sun_distance[0] * u.au)).to_value(u.one)
    slope = k / (1 - np.cos(np.radians(0.5)))  # radially 1 - slope, across 1 + slope (to first order)
    values = np.linalg.eigvalsh(seen.covariance[0][:2, :2])
    assert values == pytest.approx([(1 - slope) ** 2, (1 + slope) ** 2], rel=1e-6)


def test_times_by_row_are_each_stars_own():
    times = 2016.0 + np.linspace(0.0, 3.0, 40)
    stars = samples.field_stars(40).replace(columns={"t": times})
    effect = ak.effects.LightDeflection(ak.Observer(ak.column("t")))
    seen = quietly(effect.apply, stars)
    for row in (0, 17, 39):
        one = quietly(ak.effects.LightDeflection(ak.Observer(times[row])).apply, stars[row : row + 1])
        assert np.abs(seen.direction[:, row] - one.direction[:, 0]).max() < 1e-16 + NAS / 10
    demand_same(quietly(effect.remove, seen), stars, "remove(apply(x))")
