"""The Galactic axes and parameters are those of astropy's frames, to round-off, in whatever way astropy is asked."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import (
    ICRS,
    LSR,
    CartesianDifferential,
    CartesianRepresentation,
    Galactic,
    Galactocentric,
    SkyCoord,
    galactocentric_frame_defaults,
)

from astrokin import galaxy

KS = u.km / u.s


def plain(velocity):
    """The components of a velocity, which is a differential in older astropy and a vector in newer."""
    return (velocity.d_xyz if hasattr(velocity, "d_xyz") else velocity.xyz).to_value(KS)


def vectors(n=30, seed=1):
    return np.random.default_rng(seed).normal(size=(3, n))


def test_the_rotation_is_that_of_the_galactic_frame():
    v = vectors()
    frame = ICRS(CartesianRepresentation(v * u.kpc)).transform_to(Galactic())
    np.testing.assert_allclose(galaxy.to_galactic(v), frame.cartesian.xyz.to_value(u.kpc), rtol=0, atol=5e-15)


def test_the_rotation_is_that_of_sky_coordinates():
    coord = SkyCoord(l=[0, 90, 123, 0] * u.deg, b=[0, 0, 45, 90] * u.deg, frame="galactic")
    seen = galaxy.to_galactic(coord.icrs.cartesian.xyz.value)
    np.testing.assert_allclose(seen, coord.cartesian.xyz.value, rtol=0, atol=2e-15)


def test_the_rotation_turns_velocities_alike():
    v = vectors()
    at = CartesianRepresentation(np.ones((3, 30)) * u.kpc, differentials=CartesianDifferential(*v * KS))
    seen = ICRS(at).transform_to(Galactic()).velocity.d_xyz.to_value(KS)
    np.testing.assert_allclose(galaxy.to_galactic(v), seen, rtol=0, atol=5e-15)


def test_the_rotation_is_orthonormal_to_round_off_and_frozen():
    matrix = galaxy.icrs_to_galactic()
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), rtol=0, atol=1e-15)  # 0.2 nas
    assert np.linalg.det(matrix) == pytest.approx(1.0, abs=1e-15)
    v = vectors()
    np.testing.assert_allclose(galaxy.to_icrs(galaxy.to_galactic(v)), v, rtol=0, atol=2e-15)
    with pytest.raises(ValueError, match="read-only"):
        matrix[0, 0] = 1.0


def test_the_axes_point_where_they_should():
    pole = SkyCoord(l=0 * u.deg, b=90 * u.deg, frame="galactic").icrs.cartesian.xyz.value
    rotation = SkyCoord(l=90 * u.deg, b=0 * u.deg, frame="galactic").icrs.cartesian.xyz.value
    np.testing.assert_allclose(
        galaxy.to_galactic(np.stack([pole, rotation], axis=1)).T, [[0, 0, 1], [0, 1, 0]], atol=2e-15
    )


def test_the_solar_motion_is_that_of_the_lsr():
    star = ICRS(CartesianRepresentation([1, 2, 3] * u.kpc, differentials=CartesianDifferential([0, 0, 0] * KS)))
    at_rest = galaxy.to_galactic(star.transform_to(LSR()).velocity.d_xyz.to_value(KS))
    np.testing.assert_allclose(galaxy.solar_motion().to_value(KS), at_rest, rtol=0, atol=1e-12)


@pytest.mark.parametrize("release", ["pre-v4.0", "v4.0"])
def test_the_velocity_of_the_sun_follows_the_defaults_in_force(release):
    with galactocentric_frame_defaults.set(release):
        frame = Galactocentric()
        told = galaxy.velocity_of_sun().to_value(KS)
        assert galaxy.distance_to_centre() == frame.galcen_distance
        speed = galaxy.circular_speed()
    # The frame's own axes differ from the Galactic ones by the Sun's height and the place of the centre.
    np.testing.assert_allclose(told, plain(frame.galcen_v_sun), rtol=0, atol=0.8)
    np.testing.assert_allclose(np.linalg.norm(told), np.linalg.norm(plain(frame.galcen_v_sun)), rtol=1e-12)
    assert speed.to_value(KS) == pytest.approx(told[1] - 12.24)


def test_a_star_moving_with_the_sun_has_its_velocity():
    moving = ICRS(CartesianRepresentation([1, 2, 3] * u.kpc, differentials=CartesianDifferential([0, 0, 0] * KS)))
    seen = moving.transform_to(Galactocentric()).velocity.d_xyz
    np.testing.assert_allclose(np.linalg.norm(galaxy.velocity_of_sun()), np.linalg.norm(seen), rtol=1e-12)
    assert galaxy.circular_speed().to_value(KS) == pytest.approx(233.4, abs=0.1)


def test_what_is_remembered_cannot_be_changed_from_outside():
    galaxy.velocity_of_sun()[0] = 0 * KS
    assert galaxy.velocity_of_sun()[0] > 10 * KS


@pytest.mark.parametrize("kind", ["differential", "vector"])
def test_both_styles_of_the_lsr_are_understood(kind, monkeypatch):
    """Older astropy gives a differential, newer a vector; each gives the same motion."""
    motion = galaxy.solar_motion()

    class Frame:
        v_bary = CartesianDifferential(*motion) if kind == "differential" else CartesianRepresentation(*motion)

    monkeypatch.setattr("astropy.coordinates.LSR", Frame)
    np.testing.assert_allclose(galaxy.solar_motion().to_value(KS), motion.value)
