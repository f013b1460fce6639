"""Triangulation: the inverse of parallax, its errors against Monte Carlo, and what it cannot determine."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord

import astrokin as ak
from astrokin.errors import InputError, RowsWarning
from astrokin.testing import samples
from astrokin.units import MAS_IN_RAD

PLACES = [ak.Observer(t) for t in (2016.0, 2016.3, 2016.6)]


def seen_from(places, stars):
    return [ak.effects.AnnualParallax(place).apply(stars) for place in places]


def test_parallaxes_come_back():
    stars = samples.field_stars(500)
    found = ak.triangulate(seen_from(PLACES, stars), PLACES)
    # 1e-16 of a direction is 2e-8 mas; the middle of the observers is not the barycentre, which changes 1e-6 of it
    assert np.abs(found.parallax - stars.parallax).max() < 1e-2 * u.mas
    true = (1 / (stars.raw.parallax * MAS_IN_RAD)) * u.au
    assert np.abs(found.distance / true - 1).max() < 1e-6
    near = stars.raw.parallax > 100
    assert np.abs(found.distance / true - 1)[near].max() < 1e-9
    assert np.abs(found.position / (true * stars.direction) - 1)[:, near].max() < 1e-6
    assert found.misfit.max() < 1e-12
    assert found.freedom == 3


def test_the_triangle_of_two_observers():
    """SOURCES E2: d_E = B_x / sin(phi), seen from the end of the baseline that is at a right angle."""
    phi = 0.2
    directions = [np.array([0.0, 1.0, 0.0]), np.array([-np.sin(phi), np.cos(phi), 0.0])]
    found = ak.triangulate(directions, [[0, 0, 0] * u.km, [400, 0, 0] * u.km])
    assert found.distance[0].to_value(u.km) == pytest.approx(400 / np.tan(phi), rel=1e-12)
    from_other = np.linalg.norm(found.position[:, 0] - [400, 0, 0] * u.km)
    assert from_other.to_value(u.km) == pytest.approx(400 / np.sin(phi), rel=1e-12)


def test_one_arcsec_over_one_au_is_one_parsec():
    second = np.array([-np.sin(1 * u.arcsec), 0, np.cos(1 * u.arcsec)])
    found = ak.triangulate([[0, 0, 1], second], [[0, 0, 0] * u.au, [1, 0, 0] * u.au])
    assert found.distance[0].to_value(u.pc) == pytest.approx(1.0, rel=1e-9)


def test_lines_that_miss_each_other_meet_in_the_least_squares_sense():
    """Moved out of the plane by opposite angles: the best point stays between."""
    tilt = 1e-4
    directions = [np.array([0.0, 1.0, tilt]), np.array([-1.0, 1.0, -tilt])]
    found = ak.triangulate(directions, [[0, 0, 0] * u.au, [1, 0, 0] * u.au])
    assert np.allclose(found.position[:2, 0].to_value(u.au), [0, 1], atol=1e-7)
    assert found.misfit[0] > 0
    assert found.distance_error[0] > 0 * u.au


@pytest.mark.parametrize(
    "covariance", [np.diag([4.0, 9.0]), np.array([[4.0, 3.0], [3.0, 9.0]])], ids=["plain", "tilted"]
)
def test_the_covariance_against_monte_carlo(covariance):
    n = 20_000
    star = ak.Stars(ra=[70.0] * u.deg, dec=[-30.0] * u.deg, parallax=[300.0] * u.mas)
    rng = np.random.default_rng(3)
    directions = []
    for one in seen_from(PLACES, star):
        east, north = one.raw.basis
        a, d = rng.multivariate_normal([0, 0], covariance, n).T * MAS_IN_RAD
        directions.append(one.direction + a * east + d * north)
    found = ak.triangulate(directions, PLACES, covariance=covariance * u.mas**2)
    exact = ak.triangulate(seen_from(PLACES, star), PLACES, covariance=covariance * u.mas**2)
    pulls = (found.parallax - exact.parallax[0]) / exact.parallax_error[0]
    assert abs(pulls.mean()) < 4 / np.sqrt(n)
    assert abs(pulls.std() - 1) < 4 / np.sqrt(2 * n)
    assert abs(found.misfit.mean() - 3) < 4 * np.sqrt(6 / n)
    spread, predicted = np.cov(found.position.to_value(u.au)), exact.covariance[0].to_value(u.au**2)
    scale = np.sqrt(np.outer(np.diag(predicted), np.diag(predicted)))
    assert np.abs((spread - predicted) / scale).max() < 0.06  # 4 sigma, and the curvature of 1/parallax (1 per cent)
    assert np.allclose(exact.distance_error[0].value, np.sqrt(np.trace(predicted)), rtol=1e-3)


def test_without_errors_the_scatter_tells_them():
    """Unit weights times misfit/freedom: the mean of the variances is that of known errors."""
    n = 5000
    star = ak.Stars(ra=[70.0] * u.deg, dec=[-30.0] * u.deg, parallax=[300.0] * u.mas)
    rng = np.random.default_rng(3)
    directions = [s.direction + rng.normal(0, 2 * MAS_IN_RAD, (3, n)) for s in seen_from(PLACES, star)]
    found = ak.triangulate(directions, PLACES)
    known = ak.triangulate(directions, PLACES, covariance=4 * np.eye(2))
    ratio = np.mean(found.parallax_error**2) / np.mean(known.parallax_error**2)
    assert float(ratio) == pytest.approx(1.0, abs=4 * np.sqrt(2 / 3 / n))


def test_skycoords_and_arrays_are_directions_too():
    stars = samples.field_stars(5)
    seen = seen_from(PLACES, stars)
    by_stars = ak.triangulate(seen, PLACES)
    by_arrays = ak.triangulate([s.direction for s in seen], [p.barycentric()[0] for p in PLACES])
    by_coords = ak.triangulate([SkyCoord(s.ra, s.dec) for s in seen], PLACES)
    assert (by_stars.parallax == by_arrays.parallax).all()
    assert np.abs(by_stars.parallax - by_coords.parallax).max() < 1e-6 * u.mas
    assert repr(by_stars) == "<Triangulation: 5 sources, 3 degrees of freedom>"


def test_negative_parallaxes_have_no_distance():
    star = ak.Stars(ra=[70.0] * u.deg, dec=[-30.0] * u.deg, parallax=[-1.0] * u.mas)
    found = ak.triangulate(seen_from(PLACES, star), PLACES, covariance=np.eye(2))
    assert found.parallax[0].value == pytest.approx(-1.0, abs=1e-6)
    assert np.isfinite(found.parallax_error[0])
    assert np.isnan(found.distance[0])
    assert np.isnan(found.position).all()


def test_no_baseline_across_the_line_of_sight():
    directions = [np.array([[0.0, 1], [0, 0], [1, 0]])] * 2
    with pytest.warns(RowsWarning, match="1 of 2 sources without a baseline across the line of sight"):
        found = ak.triangulate(directions, [[0, 0, 0] * u.au, [0, 0, 1] * u.au])
    assert np.isnan(found.parallax).tolist() == [True, False]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": [[0, 0, 0] * u.au]}, "2 directions from 1 positions; two or more"),
        ({"positions": [[0, 0, 0], [1, 0, 0]]}, "positions"),
        ({"positions": [[0, 0, 0] * u.au, np.zeros((3, 4)) * u.au]}, "have the shapes"),
        ({"positions": [[0, 0] * u.au, [1, 0] * u.au]}, r"a position has the shape \(2,\)"),
        ({"directions": [np.zeros((2, 2)), np.zeros((2, 2))]}, r"a direction has the shape"),
        ({"covariance": np.eye(3)}, r"covariance has the shape"),
        ({"covariance": np.zeros((2, 2))}, "not positive definite"),
    ],
)
def test_wrong_input_is_named(change, message):
    arguments = {"directions": [np.eye(3)[:, :3]] * 2, "positions": [[0, 0, 0] * u.au, [1, 0, 0] * u.au], **change}
    with pytest.raises(InputError, match=message):
        ak.triangulate(**arguments)
