"""Kepler's equation against fifty digits, orbits against rotations in space and against a numerical integration."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.spatial.transform import Rotation

from astrokin import kepler

EPS = np.finfo(float).eps
ECCENTRICITIES = (0.0, 1e-8, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.9899, 0.99, 0.999, 0.9999, 1 - 1e-9)
ANOMALIES = np.concatenate([10.0 ** np.arange(-20.0, 0.0), np.linspace(0.12, np.pi, 30), [np.pi * (1 - 1e-9)]])


def fifty_digits(mean, e):
    """The root of E - e sin E = M by bisection and Newton at 50 digits: nothing shared with the package."""
    mean, e = mpmath.mpf(float(mean)), mpmath.mpf(float(e))
    low, high = mean, mean + e
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if middle - e * mpmath.sin(middle) < mean else (low, middle)
    for _ in range(6):
        low -= (low - e * mpmath.sin(low) - mean) / (1 - e * mpmath.cos(low))
    return low


@pytest.mark.parametrize("e", ECCENTRICITIES)
def test_keplers_equation_is_solved_to_round_off_of_its_root(e):
    with mpmath.workdps(50):
        expected = [fifty_digits(m, e) for m in ANOMALIES]
        found = kepler.eccentric_anomaly(ANOMALIES, e)
        worst = max(abs(float((mpmath.mpf(float(a)) - b) / b)) for a, b in zip(found, expected, strict=True))
    assert worst < 2 * EPS


@pytest.mark.parametrize("e", [0.0, 0.3, 0.9, 0.9999])
def test_places_and_motions_in_the_orbit_to_fifty_digits(e):
    phase = np.concatenate([[0.0], 10.0 ** np.arange(-12.0, -1.0), np.linspace(0.07, 0.5, 12), [-0.2, 3.3]])
    found = np.array(kepler.orbit(phase, e))
    with mpmath.workdps(50):
        for column, p in zip(found.T, phase, strict=True):
            turn = p - np.rint(p)  # exact
            big = mpmath.sign(turn) * fifty_digits(2 * mpmath.pi * abs(turn), e) if turn else mpmath.mpf(0)
            minor, rate = mpmath.sqrt(1 - mpmath.mpf(e) ** 2), 1 / (1 - e * mpmath.cos(big))
            x, y = mpmath.cos(big) - e, minor * mpmath.sin(big)
            vx, vy = -mpmath.sin(big) * rate, minor * mpmath.cos(big) * rate
            radius, speed = mpmath.sqrt(x * x + y * y), mpmath.sqrt(vx * vx + vy * vy)
            # A few units of the last digit of the radius, and of the mean anomaly, which is 2 pi p rounded.
            late = 2 * EPS * abs(2 * np.pi * turn)
            assert max(abs(column[0] - x), abs(column[1] - y)) < 12 * EPS * radius + late * speed
            assert max(abs(column[2] - vx), abs(column[3] - vy)) < 12 * EPS * speed + late / radius**2


@given(st.floats(-1e3, 1e3), st.floats(0.0, 0.9999))
def test_kepler_is_odd_and_periodic_and_its_equation_holds(mean, e):
    found = float(kepler.eccentric_anomaly(mean, e))
    assert float(kepler.eccentric_anomaly(-mean, e)) == -found
    assert abs(found - e * np.sin(found) - mean) < 4 * EPS * max(1.0, abs(mean))
    assert abs(found - mean) <= e * (1 + 4 * EPS) + 4 * EPS * abs(mean)


def test_shapes_missing_values_and_blocks():
    mean = np.linspace(-9, 9, 40_000).reshape(2, -1)
    whole = kepler.eccentric_anomaly(mean, 0.7)
    assert whole.shape == mean.shape
    assert np.array_equal(kepler.eccentric_anomaly(mean[1, 7:11], 0.7), whole[1, 7:11])
    assert np.isnan(kepler.eccentric_anomaly([0.1, np.nan, 0.1], [0.2, 0.2, np.nan])).tolist() == [False, True, True]
    assert kepler.eccentric_anomaly(0.0, 0.99) == 0.0
    assert all(v.shape == () for v in kepler.orbit(0.3, 0.2))
    assert all(v.shape == (0,) for v in kepler.orbit(np.zeros(0), np.zeros(0)))


def test_the_orbit_is_that_of_newtons_law():
    """Golden by integration: r'' = -r/r^3 from periastron, over one revolution of an eccentric orbit."""
    e = 0.8
    start = [1 - e, 0.0, 0.0, np.sqrt((1 + e) / (1 - e))]
    times = np.linspace(0, 2 * np.pi, 41)
    law = lambda t, s: [s[2], s[3], -s[0] / np.hypot(s[0], s[1]) ** 3, -s[1] / np.hypot(s[0], s[1]) ** 3]
    path = solve_ivp(law, (0, times[-1]), start, "DOP853", times, rtol=1e-13, atol=1e-14).y
    assert np.abs(np.array(kepler.orbit(times / (2 * np.pi), e)) - path).max() < 1e-10


def test_thiele_innes_is_the_rotation_of_the_orbit_in_space():
    """Golden: periastron, inclination and node as three turns about axes (x north, y east, z away from us)."""
    rng = np.random.default_rng(4)
    for size, i, node, periastron in rng.uniform(0, [5, np.pi, 2 * np.pi, 2 * np.pi], (50, 4)):
        turn = Rotation.from_euler("ZXZ", [node, i, periastron]).as_matrix()
        a, b, f, g = kepler.thiele_innes(size, i, node, periastron)
        assert np.allclose([[a, f], [b, g]], size * turn[:2, :2], atol=1e-14)


def test_campbell_elements_come_back():
    rng = np.random.default_rng(5)
    given_ = rng.uniform([0.1, 0, 0, 0], [5, np.pi, np.pi, 2 * np.pi], (500, 4)).T
    given_[1, :3] = 1e-3, np.pi / 2, np.pi - 1e-3
    back = kepler.campbell(*kepler.thiele_innes(*given_))
    apart = np.abs(np.array(back) - given_) * np.sin(given_[1])  # face on, angles are not to be told apart
    assert apart.max() < 1e-11
    again = kepler.thiele_innes(*back)
    assert np.abs(np.array(again) - np.array(kepler.thiele_innes(*given_))).max() < 1e-13


def test_face_on_orbits_keep_their_elements():
    for inclination in (0.0, np.pi):
        elements = kepler.thiele_innes(2.0, inclination, 0.4, 1.3)
        assert np.abs(np.subtract(kepler.thiele_innes(*kepler.campbell(*elements)), elements)).max() < 1e-14
