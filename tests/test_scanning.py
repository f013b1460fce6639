"""The nominal scanning law: its geometry, its statistics; and epochs through effects."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import get_sun
from astropy.time import Time

import astrokin as ak
from astrokin.angles import dot, tangent_basis
from astrokin.errors import InputError
from astrokin.scanning import ScanningLaw, Transits, observed


def directions(n, seed=1):
    v = np.random.default_rng(seed).normal(size=(3, n))
    return v / np.sqrt(dot(v, v))


def test_the_axis_keeps_its_angle_from_the_sun():
    time = 2014.0 + np.linspace(0, 5, 50)
    sun = get_sun(Time(time, format="jyear", scale="tdb")).cartesian.xyz.value
    sun /= np.sqrt(dot(sun, sun))
    angle = np.degrees(np.arccos(dot(ScanningLaw().axis(time), sun)))
    assert np.abs(angle - 45).max() < 0.3  # the Sun of date and that of J2000 are 0.2 deg apart


def test_what_is_seen_stands_across_the_axis_and_the_scan_goes_along_the_circle():
    law, at = ScanningLaw(), directions(50)
    seen = law.transits(at, 2014.6, 2016.6)
    axis, star = law.axis(seen.time), at[:, seen.source]
    assert np.abs(np.degrees(np.arcsin(dot(axis, star)))).max() < 0.35 + 4.3 * 0.5  # half a day of the axis' motion
    east, north = tangent_basis(star)
    psi = np.radians(seen.scan_angle)
    scan = np.sin(psi) * east + np.cos(psi) * north
    assert np.abs(dot(scan, star)).max() < 1e-12
    assert np.degrees(np.arcsin(np.abs(dot(scan, axis)).max())) < 2.5


def test_the_number_of_transits_is_that_of_gaia():
    seen = ScanningLaw().transits(directions(400), 2014.6, 2019.6)
    count = np.bincount(seen.source, minlength=400)
    assert 80 < count.mean() < 100  # of 5 years without interruptions
    assert count.min() > 30
    assert (np.diff(seen.source) >= 0).all()
    assert (np.diff(seen.time)[np.diff(seen.source) == 0] >= 0).all()
    assert seen.time.min() >= 2014.6
    assert seen.time.max() < 2019.6


def test_the_wrong_way_round():
    with pytest.raises(InputError, match="the end must be after the start"):
        ScanningLaw().transits(directions(1), 2016.0, 2015.0)
    assert len(ScanningLaw().transits(np.empty((3, 0)), 2015.0, 2016.0)) == 0
    with pytest.raises(InputError, match=r"ScanningLaw.spin is 0; a positive number"):
        ScanningLaw(spin=0)
    star = ak.Stars(ra=[120.0] * u.deg, dec=[30.0] * u.deg)
    with pytest.raises(InputError, match="one for each of 1 transits"):
        observed(star, Transits(np.zeros(1, int), np.array([2016.0]), np.zeros(1)), ak.effects.ReflexMotion(),
                 np.ones(3) * u.mas, np.random.default_rng(1))  # fmt: skip


@pytest.mark.parametrize("plane", [False, True])
def test_observed_at_given_times_and_angles(plane):
    star = ak.Stars(ra=[120.0] * u.deg, dec=[30.0] * u.deg, parallax=[50.0] * u.mas, pmra=[100.0] * u.mas / u.yr,
                    pmdec=[-40.0] * u.mas / u.yr, radial_velocity=[0.0] * u.km / u.s, epoch=2016.0)  # fmt: skip
    transits = Transits(np.zeros(3, int), np.array([2016.0, 2017.0, 2018.0]), np.array([0.0, 90.0, 45.0]))
    moving = ak.effects.PerspectiveAcceleration(epoch=ak.column("obstime"), reference_epoch=2016.0)
    epochs = observed(star, transits, moving, 1e-9 * u.mas, np.random.default_rng(1), plane)
    t = np.array([0.0, 1.0, 2.0])
    if plane:
        assert np.allclose(epochs["delta_ra"].value, 100 * t, atol=1e-4)
        assert np.allclose(epochs["delta_dec"].value, -40 * t, atol=1e-4)
    else:
        assert np.allclose(epochs["abscissa"].value, [0, 100, np.sqrt(0.5) * (200 - 80)], atol=1e-4)
    assert epochs["source_id"].tolist() == [0, 0, 0]
