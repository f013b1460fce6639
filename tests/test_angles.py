"""The kernels against numpy and astropy, with the poles and the seam at 0/360 degrees."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from astrokin import angles

LONGITUDES = [0.0, 1e-300, 1e-9, 90.0, 180.0, 270.0, 359.99999999999994, 360.0, -1e-14, -180.0, 12.3]
LATITUDES = [-90.0, -89.999999999999, -1e-14, 0.0, 45.0, 89.99999999, 90.0]


def sky(n=40):
    lon = st.one_of(st.sampled_from(LONGITUDES), st.floats(-360, 720))
    lat = st.one_of(st.sampled_from(LATITUDES), st.floats(-90, 90))
    return st.integers(1, n).flatmap(
        lambda k: st.tuples(arrays(float, k, elements=lon), arrays(float, k, elements=lat))
    )


def still(lon, lat):
    return angles.vectors(lon, lat, np.zeros_like(lon), np.zeros_like(lon))[0]


@given(arrays(float, 30, elements=st.floats(-720, 720)))
def test_sine_and_cosine(x):
    sine, cosine = angles.sine_cosine(x)
    np.testing.assert_allclose(sine, np.sin(np.radians(x)), rtol=0, atol=2e-15)
    np.testing.assert_allclose(cosine, np.cos(np.radians(x)), rtol=0, atol=2e-15)


@given(sky())
def test_directions_are_those_of_astropy(places):
    lon, lat = places
    xyz = SkyCoord(lon * u.deg, lat * u.deg).cartesian.xyz.value
    np.testing.assert_allclose(still(lon, lat), xyz, rtol=0, atol=3e-15)


@given(sky())
def test_angles_come_back(places):
    lon, lat = places
    back = angles.longitude_latitude(still(lon, lat))
    assert ((back[0] >= 0) & (back[0] < 360)).all()
    turn = np.abs((back[0] - lon + 180) % 360 - 180) * np.cos(np.radians(lat))
    assert turn.max() < 2e-13
    np.testing.assert_allclose(back[1], lat, rtol=0, atol=3e-14)


def test_a_pole_keeps_its_right_ascension():
    lon, _ = angles.longitude_latitude(still(np.array([123.0, 300.0]), np.array([90.0, -90.0])))
    np.testing.assert_allclose(lon, [123.0, 300.0], rtol=1e-14)


@given(sky(), st.floats(-1e4, 1e4), st.floats(-1e4, 1e4))
def test_motions_are_tangent_and_come_back(places, east, north):
    lon, lat = places
    given_motion = np.full_like(lon, east), np.full_like(lon, north)
    direction, motion = angles.vectors(lon, lat, *given_motion)
    size = max(abs(east), abs(north), 1e-290)  # less underflows times the cosine next to the pole
    assert np.abs(angles.dot(direction, motion)).max() <= 1e-15 * size * 4
    back = angles.components(motion, direction)
    np.testing.assert_allclose(back[0], east, rtol=0, atol=4e-15 * size)
    np.testing.assert_allclose(back[1], north, rtol=0, atol=4e-15 * size)


@given(sky())
def test_from_local_is_a_rotation_of_the_components(places):
    lon, lat = places
    ones = np.ones_like(lon)
    out = angles.from_local(lon, lat, 2 * ones, -3 * ones, 5 * ones)
    direction, motion = angles.vectors(lon, lat, 2 * ones, -3 * ones)
    np.testing.assert_allclose(out, motion + 5 * direction, rtol=0, atol=2e-14)


@given(sky(8), sky(8))
def test_transport_keeps_length_and_tangency(start, end):
    n = min(len(start[0]), len(end[0]))
    a, motion = angles.vectors(start[0][:n], start[1][:n], np.full(n, 3.0), np.full(n, -4.0))
    b = still(end[0][:n], end[1][:n])
    near = angles.dot(a, b) > -0.99  # there is no shortest way to the antipode
    a, b, motion = a[:, near], b[:, near], motion[:, near]
    carried = angles.transported(motion, a, b)
    np.testing.assert_allclose(angles.dot(carried, b), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.sqrt(angles.dot(carried, carried)), 5.0, rtol=1e-12)


@pytest.mark.parametrize("n", [0, 1, angles.BLOCK - 1, angles.BLOCK, angles.BLOCK + 1])
def test_blocks_change_nothing(n):
    rng = np.random.default_rng(n)
    lon, lat = rng.uniform(0, 360, n), rng.uniform(-90, 90, n)
    whole = angles.vectors(lon, lat, lon, lat)
    for start in range(0, n, 5000):
        rows = slice(start, start + 5000)
        part = angles.vectors(lon[rows], lat[rows], lon[rows], lat[rows])
        np.testing.assert_allclose(part[0], whole[0][:, rows], rtol=0, atol=1e-16)
        np.testing.assert_allclose(part[1], whole[1][:, rows], rtol=1e-15, atol=1e-13)


def test_not_a_number_stays_with_its_row():
    direction = still(np.array([np.nan, 10.0]), np.array([5.0, 20.0]))
    assert np.isnan(direction[:2, 0]).all()
    assert np.isfinite(direction[:, 1]).all()


def test_complex_numbers_pass_the_vector_kernels():
    direction = still(np.array([10.0]), np.array([20.0])).astype(complex)
    step = 1e-200j
    moved = angles.normalised(direction + np.array([[step], [0], [0]]))
    assert moved.imag[0, 0] == pytest.approx((1 - direction.real[0, 0] ** 2) * 1e-200)
    assert angles.tangent_basis(moved)[0].dtype == complex


def test_seen_across_is_the_rate_of_the_unit_vector():
    rng = np.random.default_rng(9)
    place, motion = rng.normal(size=(2, 3, 50))
    step = 1e-6
    expected = (angles.normalised(place + step * motion) - angles.normalised(place - step * motion)) / (2 * step)
    assert np.abs(angles.seen_across(motion, place)[1] - expected).max() < 1e-8
