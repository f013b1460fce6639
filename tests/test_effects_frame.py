"""Frame rotation and secular aberration: the sources' formulas, exact rotations, and what Oort's constants see."""

import astropy.units as u
import numpy as np
import pytest
from astropy.constants import c
from astropy.coordinates import SkyCoord
from astropy.time import Time
from scipy.spatial.transform import Rotation

import astrokin as ak
from astrokin.units import A

MAS_YR = u.mas / u.yr
UAS_YR = u.uas / u.yr
SPIN = np.array([0.3, -0.2, 0.5])


@pytest.fixture
def stars():
    rng = np.random.default_rng(5)
    n = 200
    return ak.Stars(
        ra=rng.uniform(0, 360, n) * u.deg,
        dec=np.degrees(np.arcsin(rng.uniform(-1, 1, n))) * u.deg,
        parallax=rng.normal(1, 1, n) * u.mas,
        pmra=rng.normal(0, 20, n) * MAS_YR,
        pmdec=rng.normal(0, 20, n) * MAS_YR,
        epoch=2016.0,
    )


@pytest.fixture
def quasars(stars):
    return stars.replace(proper_motion=np.zeros((3, len(stars))), parallax=np.zeros(len(stars)))


# ---- frame rotation --------------------------------------------------------------------------------------


def test_stationary_sources_move_with_minus_omega_cross_r(quasars):
    """SOURCES E8, source 004 "Reference Frame Defects": v = -omega x r."""
    seen = ak.effects.FrameRotation(spin=SPIN * MAS_YR).apply(quasars)
    expected = -np.cross(SPIN, quasars.direction.T).T
    assert np.abs(seen.raw.proper_motion - expected).max() < 1e-15
    assert seen.changed_since(quasars) == {"proper_motion"}


def test_the_orientation_turns_directions_and_motions_as_scipy_does(stars):
    """Independent oracle: scipy's rotations, at 40 degrees as well as at milliarcseconds."""
    for angle in (SPIN * 1e-8, SPIN, SPIN * 2.0):
        effect = ak.effects.FrameRotation(orientation=angle * u.rad)
        out = effect.apply(stars)
        matrix = Rotation.from_rotvec(-angle).as_matrix()
        assert np.abs(out.direction - matrix @ stars.direction).max() < 1e-15
        assert np.abs(out.raw.proper_motion - matrix @ stars.raw.proper_motion).max() < 2e-14


def test_the_spin_accumulates_from_the_reference_epoch(quasars):
    """Over a century, the displacement is the proper motion times the time (to the curvature of 1e-14)."""
    effect = ak.effects.FrameRotation(spin=SPIN * MAS_YR, reference_epoch=1916.0)
    moved = effect.apply(quasars)
    rate = moved.raw.proper_motion * 100 * u.mas.to(u.rad)
    assert np.abs((moved.direction - quasars.direction) - rate).max() < 1e-13


def test_a_spin_about_the_galactic_pole_is_a_spurious_b_alone():
    """SOURCES E8: A_spurious = 0, B_spurious = -omega_z, through the real estimator."""
    estimator = ak.estimators.OortConstants(use="pm")
    sample, _ = estimator.simulate(4000, np.random.default_rng(3))
    omega = 0.5
    spin = ak.galaxy.to_icrs(np.array([0.0, 0.0, omega])) * MAS_YR
    before, after = estimator.fit(sample), estimator.fit(ak.effects.FrameRotation(spin=spin).apply(sample))
    for name in "ABCKUVW":
        expected = -omega * A if name == "B" else 0.0
        assert abs((after[name] - before[name]).value - expected) < 1e-6


def test_reference_epoch_needs_stars_that_know_theirs(stars):
    effect = ak.effects.FrameRotation(spin=SPIN * MAS_YR, reference_epoch=Time("J2000"))
    with pytest.raises(ak.errors.InputError, match="epoch of the stars is not known"):
        effect.apply(stars.replace(epoch=None))


def test_the_covariance_is_turned_with_the_axes():
    """A quarter turn about x takes a star at y to z: its east axis (-x) becomes its north or south axis."""
    variance = np.diag([1.0, 4.0, 9.0, 16.0, 25.0, 36.0])[None]
    star = ak.Stars(ra=[90.0] * u.deg, dec=[0.0] * u.deg, parallax=[1.0] * u.mas, pmra=[0.0] * MAS_YR,
                    pmdec=[0.0] * MAS_YR, radial_velocity=[0.0] * u.km / u.s, covariance=variance)  # fmt: skip
    turned = ak.effects.FrameRotation(orientation=(0, 0, -np.pi / 2) * u.rad).apply(star)
    assert turned.ra.round(9) == 180 * u.deg
    assert np.abs(turned.covariance - variance).max() < 1e-12
    tilted = ak.effects.FrameRotation(orientation=(0, -np.pi / 2, 0) * u.rad).apply(star)
    assert np.abs(tilted.covariance[0] - np.diag([4.0, 1.0, 9.0, 25.0, 16.0, 36.0])).max() < 1e-12


# ---- secular aberration ----------------------------------------------------------------------------------


def test_the_default_amplitude_is_that_of_astropys_galaxy(quasars):
    """SOURCES E4: a = v_c^2/R0 with astropy's defaults gives 4.72 microarcsec/yr; mu = (a/c) sin(theta)."""
    effect = ak.effects.SecularAberration()
    amplitude = np.linalg.norm((effect.acceleration / c).to_value(UAS_YR, u.dimensionless_angles()))
    assert amplitude == pytest.approx(4.72, abs=0.01)
    drift = effect.apply(quasars)
    theta = SkyCoord(0 * u.deg, 0 * u.deg, frame="galactic").separation(SkyCoord(quasars.ra, quasars.dec))
    size = np.hypot(drift.pmra, drift.pmdec).to_value(UAS_YR)
    assert np.abs(size - amplitude * np.sin(theta)).max() < 1e-5  # the pole of astropy's frame is good to 1e-6


def test_sources_stream_toward_the_acceleration(quasars):
    """The erratum of source 004: +a/c, a dipole, not -a/c."""
    drift = ak.effects.SecularAberration().apply(quasars)
    centre = ak.galaxy.to_icrs(np.array([1.0, 0.0, 0.0]))
    assert (centre @ drift.raw.proper_motion > 0).all()


def test_displacements_accumulate_as_aberration(quasars):
    """Golden by special relativity to first order: the angle from the apex shrinks by (v/c) sin(theta)."""
    effect = ak.effects.SecularAberration(acceleration=(300.0, 0, 0) * u.km / u.s / u.yr, reference_epoch=2015.0)
    beta = (300 * u.km / u.s / c).to_value(u.one)
    apex = ak.galaxy.to_icrs(np.array([1.0, 0.0, 0.0]))
    before, after = (np.arccos(apex @ s.direction) for s in (quasars, effect.apply(quasars)))
    assert np.abs((before - after) - beta * np.sin(before)).max() < 0.6 * beta**2


def test_the_motion_is_the_derivative_of_the_place(stars):
    """Two epochs a year apart: the difference of places is the proper motion that is added."""
    kwargs = {"acceleration": (5e3, 2e3, -1e3) * u.km / u.s / u.yr}
    early, late = (ak.effects.SecularAberration(reference_epoch=t, **kwargs) for t in (2015.001, 2014.999))
    still = stars.replace(proper_motion=np.zeros((3, len(stars))))
    rate = (late.apply(still).direction - early.apply(still).direction) / 0.002 / u.mas.to(u.rad)
    middle = ak.effects.SecularAberration(reference_epoch=2015.0, **kwargs).apply(still)
    assert np.abs(middle.raw.proper_motion / rate - 1)[np.abs(rate) > 1e5].max() < 1e-6
