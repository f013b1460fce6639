"""Covariance through effects: against Monte Carlo, and with gaps."""

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin.propagation import propagated
from astrokin.testing import samples
from astrokin.units import MAS_IN_RAD, PARAMETERS

DRAWS = 100_000
reflex = ak.effects.ReflexMotion(frame="galactocentric")
perspective = ak.effects.PerspectiveAcceleration(epoch=2050.0, reference_epoch=2016.0)
EFFECTS = {"reflex": reflex, "perspective": perspective, "chain": reflex | perspective}


def star(kind):
    """Barnard's star, one near the pole, and one a kiloparsec away, with correlated errors."""
    ra, dec, parallax, pmra, pmdec, rv = {
        "Barnard": (269.45, 4.69, 546.98, -801.55, 10362.39, -110.5),
        "polar": (10.0, 89.9, 50.0, 200.0, -300.0, 30.0),
        "distant": (120.0, -35.0, 1.0, 5.0, -8.0, 60.0),
    }[kind]
    sigma = np.array([0.3, 0.2, parallax / 25, 0.05, 0.07, 2.0])
    factor = np.eye(6) + 0.4 * np.random.default_rng(7).normal(size=(6, 6))
    matrix = factor @ factor.T
    scale = sigma / np.sqrt(np.diag(matrix))
    return ak.Stars(
        ra=[ra] * u.deg,
        dec=[dec] * u.deg,
        parallax=[parallax] * u.mas,
        pmra=[pmra] * u.mas / u.yr,
        pmdec=[pmdec] * u.mas / u.yr,
        radial_velocity=[rv] * u.km / u.s,
        epoch=2016.0,
        covariance=(matrix * np.outer(scale, scale))[None],
    )


def drawn(one, rng):
    """Stars scattered about one by its covariance, the proper motion carried along in parallel."""
    offsets = rng.multivariate_normal(np.zeros(6), one.covariance[0], size=DRAWS).T
    many = one[np.zeros(DRAWS, int)].replace(covariance=None)
    east, north = one.raw.basis
    moved = many.replace(direction=many.direction + MAS_IN_RAD * (offsets[0] * east + offsets[1] * north))
    motion = moved.raw.proper_motion + offsets[3] * east + offsets[4] * north
    return moved.replace(
        proper_motion=motion,
        parallax=moved.raw.parallax + offsets[2],
        radial_velocity=moved.raw.radial_velocity + offsets[5],
    )


def parameters(many, about):
    """The six parameters in the local axes of one star, shape (6, n)."""
    east, north = about.raw.basis
    raw = many.raw
    turn = (raw.direction - about.direction) / MAS_IN_RAD
    motion = raw.proper_motion
    axes = [(east * turn).sum(axis=0), (north * turn).sum(axis=0)]
    speeds = [(east * motion).sum(axis=0), (north * motion).sum(axis=0)]
    return np.array([*axes, raw.parallax, *speeds, raw.radial_velocity])


@pytest.mark.parametrize("kind", ["Barnard", "polar", "distant"])
@pytest.mark.parametrize("verb", ["apply", "remove"])
@pytest.mark.parametrize("name", EFFECTS)
def test_all_21_elements_agree_with_monte_carlo(name, verb, kind):
    one = star(kind)
    if verb == "remove" and name != "reflex":
        one = one.replace(epoch=2050.0)
    act = getattr(EFFECTS[name], verb)
    after = act(one)
    scattered = parameters(act(drawn(one, np.random.default_rng(42))), after)
    sampled = np.cov(scattered)
    expected = after.covariance[0]
    variance = np.diag(expected)
    error = np.sqrt((np.outer(variance, variance) + expected**2) / DRAWS)
    pull = np.abs(sampled - expected) / error
    places = [(PARAMETERS[i], PARAMETERS[j], round(pull[i, j], 1)) for i, j in zip(*np.triu_indices(6), strict=True)]
    assert len(places) == 21
    assert all(p <= 4.0 for _, _, p in places), places


def test_a_missing_parameter_contributes_nothing_and_stays_missing():
    one = star("Barnard")
    jacobian = np.random.default_rng(1).normal(size=(1, 6, 6))
    matrix = np.array(one.covariance)
    matrix[0, 5, :] = matrix[0, :, 5] = np.nan
    got = propagated(jacobian, one.replace(covariance=matrix), one).matrix[0]
    known = np.array(one.covariance[0])
    known[5, :] = known[:, 5] = 0.0
    expected = jacobian[0] @ known @ jacobian[0].T
    np.testing.assert_allclose(got[:5, :5], expected[:5, :5], rtol=1e-12)
    assert np.isnan(got[5]).all()
    assert np.isnan(got[:, 5]).all()


def test_a_parameter_that_comes_out_missing_has_no_error():
    one = star("Barnard")
    lost = one.replace(parallax=np.array([np.nan]))
    got = propagated(np.eye(6)[None], one, lost).matrix[0]
    assert np.isnan(got[2]).all()
    rest = np.ix_([0, 1, 3, 4, 5], [0, 1, 3, 4, 5])
    np.testing.assert_allclose(got[rest], one.covariance[0][rest])


def test_the_result_is_symmetric_to_the_last_bit():
    stars = samples.field_stars(50)
    stars = stars.replace(covariance=samples.covariances(stars))
    got = (reflex | perspective).apply(stars).covariance
    np.testing.assert_array_equal(got, got.swapaxes(1, 2))


def test_noise_is_added():
    one = star("Barnard")
    noise = np.diag([1, 2, 3, 4, 5, 6.0])[None]
    got = propagated(np.eye(6)[None], one, one, noise).matrix
    np.testing.assert_allclose(got, one.covariance + noise)
