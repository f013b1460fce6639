"""What every plugin tests: that it keeps the promises, and the numbers that are its own."""

import astropy.units as u
from astrokin_cluster import SystemicVelocity, VelocityZeroPoint

import astrokin as ak


def test_the_effect_conforms():
    ak.testing.check_effect(VelocityZeroPoint)


def test_the_estimator_conforms():
    ak.testing.check_estimator(SystemicVelocity)


def test_a_star_beyond_the_calibration_is_refused():
    star = ak.Stars(ra=[0] * u.deg, dec=[0] * u.deg, radial_velocity=[3000] * u.km / u.s)
    assert VelocityZeroPoint().forward(star).refused["radial velocity beyond the calibration"].all()
