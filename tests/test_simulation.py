"""Simulated samples: the truth without errors, scatter with the errors told, reproducible from the seed."""

import numpy as np
import pytest
from astropy.coordinates import CartesianDifferential, CartesianRepresentation, Galactic

from astrokin import simulation
from astrokin.units import MAS_IN_RAD, PARAMETERS

NONE = dict.fromkeys(PARAMETERS, 1e-12)


def drawn(n=2000, seed=1, **more):
    rng = np.random.default_rng(seed)
    place, velocity = simulation.disc(n, rng), rng.normal(0, 30, (3, n))
    return place, velocity, simulation.observed(place, velocity, rng, **more)


def test_places_fill_a_circle_and_thin_out_with_height():
    place = simulation.disc(100_000, np.random.default_rng(2), radius=2.0, scale_height=0.3)
    d2 = place[0] ** 2 + place[1] ** 2
    assert (d2.min() >= 0.01 * 4.0, d2.max() <= 4.0) == (True, True)
    assert np.histogram(d2, np.linspace(0.04, 4.0, 5))[0] == pytest.approx(25_000, rel=0.03)
    assert np.abs(place[2]).mean() == pytest.approx(0.3, rel=0.02)
    assert np.abs(place.mean(axis=1)).max() < 0.02


def test_without_errors_the_catalogue_is_that_of_astropy():
    place, velocity, stars = drawn(200, errors=NONE)
    import astropy.units as u

    seen = Galactic(CartesianRepresentation(place * u.kpc, differentials=CartesianDifferential(velocity * u.km / u.s)))
    np.testing.assert_allclose(stars.l.value, seen.spherical.lon.deg, atol=1e-9)
    np.testing.assert_allclose(stars.b.value, seen.spherical.lat.deg, atol=1e-9)
    np.testing.assert_allclose(stars.parallax.value, 1.0 / seen.spherical.distance.to_value("kpc"), rtol=1e-9)
    np.testing.assert_allclose(stars.uvw.value, velocity, atol=1e-7)


def test_scatter_is_that_of_the_errors():
    errors = {"ra": 500.0, "dec": 300.0, "parallax": 0.1, "pmra": 0.2, "pmdec": 0.3, "radial_velocity": 2.0}
    _, _, exact = drawn(errors=NONE)
    _, _, noisy = drawn(errors=errors)
    n = len(noisy)
    east, north = exact.raw.basis
    offset = (noisy.raw.direction - exact.raw.direction) / MAS_IN_RAD
    seen = {
        "ra": (offset * east).sum(axis=0),
        "dec": (offset * north).sum(axis=0),
        "parallax": noisy.raw.parallax - exact.raw.parallax,
        "radial_velocity": noisy.raw.radial_velocity - exact.raw.radial_velocity,
        "pmra": noisy.pmra.value - exact.pmra.value,
        "pmdec": noisy.pmdec.value - exact.pmdec.value,
    }
    for name, values in seen.items():
        assert np.std(values) == pytest.approx(errors[name], rel=4 / np.sqrt(2 * n)), name
        assert abs(np.mean(values)) < 4 * errors[name] / np.sqrt(n), name
    told = np.sqrt(np.einsum("nii->ni", noisy.covariance))
    np.testing.assert_allclose(told, np.broadcast_to([errors[k] for k in PARAMETERS], told.shape))


def test_only_a_share_has_radial_velocities():
    _, _, stars = drawn(share_with_rv=0.3)
    assert np.isfinite(stars.raw.radial_velocity).mean() == pytest.approx(0.3, abs=0.04)


def test_the_seed_makes_the_sample():
    one, same, other = (drawn(50, seed)[2] for seed in (3, 3, 4))
    assert one == same
    assert one != other


def test_columns_and_identity_come_along():
    _, _, stars = drawn(50, columns={"age": np.arange(50.0)}, epoch=2010.0)
    assert stars.epoch == 2010.0
    assert len(np.unique(stars["source_id"])) == 50
    assert stars["age"][7] == 7.0


def test_no_stars_at_all():
    assert len(drawn(0)[2]) == 0
