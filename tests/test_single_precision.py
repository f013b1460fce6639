"""Large samples are worked on in single precision where that is enough: what it changes, and where it gives way."""

from functools import reduce

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin.estimators import linear_field, linear_fit
from astrokin.estimators.linear_field import MANY
from astrokin.folding import Collect, Params
from astrokin.selection import Selection

E = ak.estimators
EXAMPLES = [
    E.OortConstants(),
    E.OortConstants(use=("pm",), dispersion="full"),
    E.OortConstants(model="axisymmetric"),
    E.SolarMotion(use=("rv",)),
    E.VelocityEllipsoid(),
]


@pytest.fixture
def double(monkeypatch):
    """What makes all samples too small for single precision."""

    def act():
        for module in (linear_field, linear_fit):
            for name in ("FEW", "MANY"):
                monkeypatch.setattr(module, name, 1 << 60)

    return act


@pytest.mark.parametrize("estimator", EXAMPLES, ids=repr)
def test_it_changes_neither_the_results_nor_their_errors(estimator, double):
    stars, _ = estimator.simulate(MANY + 1, np.random.default_rng(1))
    quick = estimator.fit(stars)
    double()
    whole = estimator.fit(stars)
    assert quick.converged
    assert whole.converged
    assert any(quick[name] != value for name, value in whole.results.items())  # it was used
    for name, value in whole.results.items():
        error = whole.error[name]
        assert abs(quick[name] - value) < 1e-3 * error, name
        assert abs(quick.error[name] / error - 1.0) < 1e-5, name


@pytest.mark.parametrize("dispersion", ["isotropic", "full"])
@pytest.mark.parametrize("information", [False, True])
@pytest.mark.parametrize("cls", [E.OortConstants, E.SolarMotion])
def test_its_scores_are_good_enough_for_every_pass(cls, dispersion, information):
    """To a small part of the step that counts as none, a thousandth of an error."""
    estimator = cls(dispersion=dispersion)
    stars, truth = estimator.simulate(MANY, np.random.default_rng(6))
    values = np.array([[truth[k].value for k in truth]])
    normals = []
    for single in (True, False):
        told = np.zeros((1, values.shape[1], values.shape[1])) if information and single else None
        state = linear_field.State(values, 600.0 * np.eye(3)[None], estimator.field, single=single, information=told)
        collect = Collect(estimator, Selection(needs=estimator.needs), Params(state, False))
        parts = [collect(stars[k : k + (1 << 14)]).summary for k in range(0, len(stars), 1 << 14)]
        whole = reduce(lambda a, b: a.merge(b), parts)
        normals.append(whole.normal_equations(estimator._shape, estimator.field, information=told))
    quick, exact = normals
    error = np.sqrt(np.einsum("gii->gi", exact.matrix))
    np.testing.assert_allclose(quick.vector / error, exact.vector / error, rtol=0.0, atol=2e-4)


def test_it_is_used(monkeypatch):
    kinds = set()
    sample = linear_fit.velocity_model.sample
    monkeypatch.setattr(linear_fit.velocity_model, "sample", lambda *given: kinds.add(given[2]) or sample(*given))
    estimator = E.OortConstants(use=("pm",))
    stars, _ = estimator.simulate(MANY, np.random.default_rng(1))
    estimator.fit(stars[:10_000])
    assert kinds == {np.float64}
    kinds.clear()
    fit = estimator.fit(stars)
    assert fit.passes > 2
    # Blocks of few rows do not begin with it.
    assert np.float32 in kinds


def test_what_it_cannot_tell_is_left_to_double_precision(double):
    """Radial velocities alone do not see B: what they seem to tell of it is round-off."""
    estimator = E.OortConstants(use=("rv",))
    stars, _ = estimator.simulate(MANY + 1, np.random.default_rng(2))
    quick = estimator.fit(stars)
    assert np.isnan(quick["B"])
    double()
    whole = estimator.fit(stars)
    assert quick.passes == whole.passes + 1
    for name in ("A", "C", "K", "U", "V", "W", "sigma2"):
        assert quick[name] == whole[name]


def test_a_cluster_whose_gradients_are_hardly_determined(double):
    """A field of a few arc minutes: the information is singular to 1e-6, which single precision does not resolve."""
    estimator = E.OortConstants(use=("pm", "rv"))
    stars, _ = estimator.simulate(20_000, np.random.default_rng(3))
    near = ak.Stars(
        ra=(50.0 + 0.1 * (stars.ra.value / 360.0)) * u.deg,
        dec=(20.0 + 0.1 * stars.dec.value / 90.0) * u.deg,
        **{k: getattr(stars, k) for k in ("parallax", "pmra", "pmdec", "radial_velocity", "covariance")},
    )
    quick = estimator.fit(near)
    double()
    whole = estimator.fit(near)
    for name in whole.results:
        np.testing.assert_array_equal(quick[name].value, whole[name].value)


def test_sums_too_large_for_it(double):
    """Weights of 1e20 have squares that single precision does not hold."""
    estimator = E.OortConstants(use=("pm",))
    stars, _ = estimator.simulate(20_000, np.random.default_rng(4))
    tiny = ak.Stars(
        ra=stars.ra,
        dec=stars.dec,
        **{k: getattr(stars, k) * 1e-13 for k in ("parallax", "pmra", "pmdec")},
    )
    quick = estimator.fit(tiny)
    double()
    whole = estimator.fit(tiny)
    for name in ("A", "B", "U"):
        np.testing.assert_allclose(quick[name].value, whole[name].value, rtol=1e-9)


def test_the_result_does_not_depend_on_the_blocks():
    """The scores of the final pass are sums in double precision of what single precision says of each row."""
    estimator = E.OortConstants(dispersion="full")
    stars, truth = estimator.simulate(MANY, np.random.default_rng(5))
    values = np.array([[truth[k].value for k in truth]])
    state = linear_field.State(values, values[0, 7] * np.eye(3)[None], single=True)
    collect = Collect(estimator, Selection(needs=estimator.needs), Params(state, True))

    def summed(size):
        parts = [collect(stars[k : k + size]).summary for k in range(0, len(stars), size)]
        return reduce(lambda a, b: a.merge(b), parts).normal_equations(estimator._shape, estimator.field)

    one, other = summed(30_001), summed(7_777)
    error = np.sqrt(np.einsum("gii->gi", one.matrix))  # of the scores
    np.testing.assert_allclose(one.vector / error, other.vector / error, rtol=0.0, atol=1e-8)
    scale = error[:, :, None] * error[:, None, :]
    np.testing.assert_allclose(one.matrix / scale, other.matrix / scale, rtol=0.0, atol=1e-6)


def replaced(stars, **given):
    kept = ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity", "covariance")
    return ak.Stars(**({k: getattr(stars, k) for k in kept} | given))


@pytest.mark.parametrize("parallax", [1e-7, 1e-9, 1e-15, 1e-30])
def test_a_star_with_hardly_any_parallax(parallax, double):
    """Its radial residual hangs on the parallax by round-off alone, and its weight is beyond single precision."""
    estimator = E.SolarMotion()
    stars, _ = estimator.simulate(MANY + 1, np.random.default_rng(7))
    given = stars.parallax.copy()
    given[5] = parallax * u.mas
    one = replaced(stars, parallax=given)
    quick, without = estimator.fit(one), estimator.fit(stars)
    double()
    whole = estimator.fit(one)
    for name, error in whole.error.items():
        assert abs(quick[name] - whole[name]) < 1e-3 * error, name
        assert abs(whole[name] - without[name]) < 0.1 * error, name


def test_errors_of_terms_that_nearly_cancel(double):
    """Near the Sun the regressors of circular orbits are the large differences of A and B, their errors the small."""
    stars, _ = E.SolarMotion().simulate(MANY + 1, np.random.default_rng(1))
    near, estimator = replaced(stars, covariance=None), E.OortConstants(model="axisymmetric", curvature=True)
    quick = estimator.fit(near)
    double()
    whole = estimator.fit(near)
    for name, error in whole.error.items():
        assert abs(quick.error[name] / error - 1.0) < 1e-4, name


def test_one_motion_beyond_single_precision(double):
    """Sums that overflow are made again, whether or not the information is among them."""
    estimator = E.OortConstants()
    stars, _ = estimator.simulate(MANY + 1, np.random.default_rng(8))
    given = stars.pmra.copy()
    given[17] = 1e30 * u.mas / u.yr
    quick = estimator.fit(replaced(stars, pmra=given))
    double()
    whole = estimator.fit(replaced(stars, pmra=given))
    for name, value in whole.results.items():
        assert quick[name] == value, name
    assert quick.passes == whole.passes + 1
