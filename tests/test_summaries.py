"""Summaries: exact arithmetic as oracle, merging as algebra, errors against simulation."""

from fractions import Fraction
from functools import reduce
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astrokin.errors import InputError
from astrokin.summaries import Histogram, Moments, NormalEquations, grouped_product


def rows(group=None, weight=None, n_groups=None):
    return SimpleNamespace(group=group, weight=weight, n_groups=n_groups)


def exact_moments(values, weights, order, centre=None):
    """Mean, and central sums about it or about a given centre, in rational arithmetic: no rounding anywhere."""
    x = [[Fraction(float(v)) for v in row] for row in values]
    w = [Fraction(float(v)) for v in weights]
    total = sum(w)
    mean = [sum(wi * xi for wi, xi in zip(w, row, strict=True)) / total for row in x]
    about = mean if centre is None else [Fraction(float(c)) for c in centre]
    out = np.zeros((len(x),) * order)
    for place in product(range(len(x)), repeat=order):
        terms = list(w)
        for k in place:
            terms = [t * (xi - about[k]) for t, xi in zip(terms, x[k], strict=True)]
        out[place] = float(sum(terms))
    return np.array([float(m) for m in mean]), out


def close(one, other, **limits):
    for name in ("weight", "weight2", "count", "mean", "second", "third", "fourth"):
        a, b = getattr(one, name), getattr(other, name)
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, err_msg=name, **limits)


# ---- moments ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_moments_are_those_of_exact_arithmetic(offset):
    rng = np.random.default_rng(1)
    values, weight = offset + rng.normal(size=(2, 40)) ** 3, rng.uniform(0, 2, 40)
    m = Moments.of(values, weight=weight, order=4)
    for order, sums in ((2, m.second), (3, m.third), (4, m.fourth)):
        mean, exact = exact_moments(values, weight, order, m.mean[0])
        np.testing.assert_allclose(sums[0], exact, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(m.mean[0], mean, rtol=1e-15)


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_merging_loses_no_digits(offset):
    rng = np.random.default_rng(2)
    values, weight = offset + rng.normal(size=(2, 60)) ** 3, rng.uniform(0, 2, 60)
    cuts = [slice(0, 7), slice(7, 7), slice(7, 40), slice(40, 60)]
    whole = reduce(Moments.merge, [Moments.of(values[:, c], weight=weight[c], order=4) for c in cuts])
    for order, sums in ((2, whole.second), (3, whole.third), (4, whole.fourth)):
        mean, exact = exact_moments(values, weight, order)
        # At 1e8 a mean is known to 1.5e-8, which moves the third moment by three variances times that.
        np.testing.assert_allclose(sums[0], exact, rtol=1e-12, atol=5e-5 if offset else 1e-12)
        np.testing.assert_allclose(whole.mean[0], mean, rtol=1e-15)


def test_a_million_values_near_1e8_keep_their_variance():
    values = 1e8 + np.random.default_rng(3).normal(size=1_000_000)
    parts = [Moments.of(values[k : k + 32768]) for k in range(0, len(values), 32768)]
    variance = reduce(Moments.merge, parts).variance[0, 0, 0]
    assert variance == pytest.approx(np.var(values - 1e8, ddof=1), rel=1e-10)


def test_unweighted_moments_are_those_of_numpy():
    values = np.random.default_rng(4).normal(size=(3, 50))
    m = Moments.of(values)
    np.testing.assert_allclose(m.mean[0], values.mean(axis=1), rtol=1e-13)
    np.testing.assert_allclose(m.variance[0], np.cov(values), rtol=1e-12)
    np.testing.assert_allclose(m.mean_covariance[0], np.cov(values) / 50, rtol=1e-12)
    assert (m.count, m.effective) == (50, 50)


def test_reliability_weights_are_those_of_numpy():
    rng = np.random.default_rng(5)
    values, weight = rng.normal(size=(2, 30)), rng.uniform(0.1, 3, 30)
    np.testing.assert_allclose(
        Moments.of(values, weight=weight).variance[0], np.cov(values, aweights=weight), rtol=1e-12
    )


@pytest.mark.parametrize("ordered", [True, False])
def test_each_group_has_the_moments_of_its_rows(ordered):
    rng = np.random.default_rng(6)
    group = rng.integers(0, 5, 200)
    group[group == 3] = 4  # a group without rows
    group = np.sort(group) if ordered else group
    values, times = rng.normal(size=(2, 200)), rng.integers(0, 3, 200).astype(float)
    m = Moments.of(values, rows(group, times, 6), order=4)
    assert m.weight.shape == (6,)
    for g in (0, 1, 2, 4):
        own = group == g
        alone = Moments.of(values[:, own], weight=times[own], order=4)
        for name in ("weight", "weight2", "count", "mean", "second", "third", "fourth"):
            np.testing.assert_allclose(getattr(m, name)[g], getattr(alone, name)[0], rtol=1e-11, atol=1e-11)
    for empty in (3, 5):
        assert m.count[empty] == 0
        assert np.isnan(m.variance[empty]).all()
        assert np.isnan(m.mean_covariance[empty]).all()


def test_one_row_has_no_variance():
    assert np.isnan(Moments.of(np.array([3.0])).variance).all()


def test_the_error_of_a_variance_is_the_scatter_in_simulations():
    # One summary of 4000 groups is 4000 simulations.
    rng = np.random.default_rng(7)
    draws, n = 4000, 300
    root = np.array([[2.0, 0.0], [1.0, 0.5]])
    values = root @ rng.laplace(size=(2, draws * n))  # heavier tails than a Gaussian's
    m = Moments.of(values, rows(np.repeat(np.arange(draws), n), None, draws), order=4)
    place = ((0, 0), (0, 1), (1, 1))
    seen = np.cov(np.stack([m.variance[:, a, b] for a, b in place]))
    told = np.array([[m.variance_covariance[:, a, b, c, d].mean() for c, d in place] for a, b in place])
    # The scatter of 4000 draws is known to some 3 %, and the formula leaves out terms of order 1/n.
    np.testing.assert_allclose(told, seen, rtol=0.1)
    assert np.cov(m.mean.T) == pytest.approx(m.mean_covariance.mean(axis=0), rel=0.1, abs=2e-4)


def test_fourth_moments_must_be_asked_for():
    with pytest.raises(InputError, match="order=4"):
        Moments.of(np.arange(4.0)).variance_covariance
    with pytest.raises(InputError, match="order 2 or 4, not 3"):
        Moments.of(np.arange(4.0), order=3)


# ---- merging is associative, and zero rows are its identity ------------------------------------------------

lengths = st.lists(st.integers(0, 9), min_size=3, max_size=3)


def blocks(kind, lengths, seed):
    rng = np.random.default_rng(seed)
    for n in lengths:
        values, weight = rng.normal(size=(2, n)), rng.uniform(0, 2, n)
        some = rows(rng.integers(0, 3, n), rng.integers(0, 3, n).astype(float), 3)
        yield {
            "moments": lambda v, w, r: Moments.of(v, r, w, order=4),
            "equations": lambda v, w, r: NormalEquations.of(v, v.sum(axis=0) ** 2, w, r, meat=True),
            "histogram": lambda v, w, r: Histogram.of(v[0], np.array([-1.0, 0.0, 0.5, 1.0]), r, w),
        }[kind](values, weight, some)


@pytest.mark.parametrize("kind", ["moments", "equations", "histogram"])
@given(lengths=lengths, seed=st.integers(0, 1000))
def test_merging_is_associative_and_commutes(kind, lengths, seed):
    a, b, c = blocks(kind, lengths, seed)
    left, right, turned = a.merge(b).merge(c), a.merge(b.merge(c)), c.merge(a).merge(b)
    for name, value in vars(left).items():
        np.testing.assert_allclose(value, getattr(right, name), rtol=1e-10, atol=1e-10, err_msg=name)
        np.testing.assert_allclose(value, getattr(turned, name), rtol=1e-10, atol=1e-10, err_msg=name)


@pytest.mark.parametrize("kind", ["moments", "equations", "histogram"])
@given(seed=st.integers(0, 1000))
def test_zero_rows_are_the_identity(kind, seed):
    some, none, _ = blocks(kind, [8, 0, 0], seed)
    for both in (some.merge(none), none.merge(some)):
        for name, value in vars(some).items():
            np.testing.assert_allclose(value, getattr(both, name), rtol=1e-14, atol=1e-14, err_msg=name)


@given(n=st.integers(0, 30), groups=st.integers(1, 5), seed=st.integers(0, 1000), ordered=st.booleans())
def test_grouped_products_are_those_of_the_groups(n, groups, seed, ordered):
    rng = np.random.default_rng(seed)
    a, b, group = rng.normal(size=(2, n)), rng.normal(size=(3, n)), rng.integers(0, groups, n)
    group = np.sort(group) if ordered else group
    expected = np.stack([a[:, group == g] @ b[:, group == g].T for g in range(groups)])
    np.testing.assert_allclose(grouped_product(a, b, group, groups), expected, atol=1e-13)


# ---- normal equations ------------------------------------------------------------------------------------


def line(n=80, seed=8):
    rng = np.random.default_rng(seed)
    design = np.stack([np.ones(n), rng.normal(size=n), rng.uniform(size=n)])
    scatter = 0.2 + design[2]
    return design, np.array([1.0, -2.0, 0.5]) @ design + scatter * rng.normal(size=n), 1.0 / scatter**2


def test_a_step_is_the_least_squares_solution():
    design, data, weight = line()
    plain, *_ = np.linalg.lstsq(design.T, data, rcond=None)
    np.testing.assert_allclose(NormalEquations.of(design, data).step()[0], plain, rtol=1e-12)
    root = np.sqrt(weight)
    weighted, *_ = np.linalg.lstsq((design * root).T, data * root, rcond=None)
    np.testing.assert_allclose(NormalEquations.of(design, data, weight).step()[0], weighted, rtol=1e-12)


def test_the_inverse_is_the_classical_covariance():
    design, data, weight = line()
    normal = NormalEquations.of(design, data, weight)
    np.testing.assert_allclose(normal.inverse[0], np.linalg.inv((design * weight) @ design.T), rtol=1e-11)
    assert normal.misfit[0] == pytest.approx(np.sum(weight * data**2))


def test_the_sandwich_is_the_one_computed_by_hand():
    design, data, weight = line()
    best = NormalEquations.of(design, data, weight).step()[0]
    residual = data - best @ design
    normal = NormalEquations.of(design, residual, weight, meat=True)
    bread = np.linalg.inv(design @ np.diag(weight) @ design.T)
    meat = design @ np.diag((weight * residual) ** 2) @ design.T
    np.testing.assert_allclose(normal.sandwich()[0], bread @ meat @ bread * 80 / 77, rtol=1e-11)
    np.testing.assert_allclose(normal.step(), 0.0, atol=1e-12)


def test_the_sandwich_is_the_scatter_in_simulations():
    rng = np.random.default_rng(9)
    draws, n = 3000, 200
    x = rng.normal(size=draws * n)
    design = np.stack([np.ones(draws * n), x])
    group = np.repeat(np.arange(draws), n)
    data = 2.0 * x + rng.normal(size=draws * n) * (0.2 + np.abs(x))  # where a classical error fails
    first = NormalEquations.of(design, data, rows=rows(group, None, draws))
    best = first.step()
    residual = data - np.einsum("kn,kn->n", best[group].T, design)
    told = NormalEquations.of(design, residual, rows=rows(group, None, draws), meat=True).sandwich().mean(axis=0)
    np.testing.assert_allclose(told, np.cov(best.T), rtol=0.1, atol=8e-4)
    assert told[1, 1] > 2.0 * first.inverse[:, 1, 1].mean() * np.mean(residual**2)


def test_the_meat_must_have_been_gathered():
    design, data, _ = line()
    with pytest.raises(InputError, match="meat=True"):
        NormalEquations.of(design, data).sandwich()


def test_a_weight_of_two_is_a_row_twice():
    design, data, weight = line(30)
    times = np.arange(30) % 3
    weighted = NormalEquations.of(design, data, weight, rows(None, times.astype(float)), meat=True)
    index = np.repeat(np.arange(30), times)
    repeated = NormalEquations.of(design[:, index], data[index], weight[index], meat=True)
    for name, value in vars(weighted).items():
        np.testing.assert_allclose(value, getattr(repeated, name), rtol=1e-12, err_msg=name)


def test_groups_are_solved_side_by_side():
    design, data, weight = line()
    group = np.arange(80) % 2
    both = NormalEquations.of(design, data, weight, rows(group, None, 3))
    for g in (0, 1):
        own = group == g
        alone = NormalEquations.of(design[:, own], data[own], weight[own])
        np.testing.assert_allclose(both.step()[g], alone.step()[0], rtol=1e-11)
    assert both.undetermined[2].all()
    assert (both.step()[2] == 0).all()


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_undetermined_combinations_are_found_whatever_the_scale(scale):
    design, data, _ = line()
    design = np.concatenate([design, scale * (design[:1] + design[1:2]), np.zeros((1, 80))])
    normal = NormalEquations.of(design, data)
    assert normal.undetermined.tolist() == [[True, True, False, True, True]]
    three = np.linalg.lstsq(design[:3].T, data, rcond=None)[0]
    assert normal.step()[0, 2] == pytest.approx(three[2])
    np.testing.assert_allclose(normal.step()[0] @ design, three @ design[:3], rtol=1e-8, atol=1e-9)


def test_fewer_rows_than_parameters():
    design, data, _ = line(2)
    normal = NormalEquations.of(design, data)
    assert normal.undetermined.all()
    np.testing.assert_allclose(normal.step()[0] @ design, data, rtol=1e-9)


# ---- histograms ------------------------------------------------------------------------------------------

EDGES = np.array([0.0, 1.0, 2.0, 4.0])


def test_a_histogram_is_that_of_numpy():
    rng = np.random.default_rng(10)
    values, weight = np.concatenate([rng.uniform(-1, 5, 500), EDGES]), rng.uniform(0, 2, 504)
    h = Histogram.of(values, EDGES, weight=weight)
    np.testing.assert_allclose(h.total[0], np.histogram(values, EDGES, weights=weight)[0], rtol=1e-12)
    np.testing.assert_allclose(h.total2[0], np.histogram(values, EDGES, weights=weight**2)[0], rtol=1e-12)
    assert h.outside[0] == pytest.approx(weight[(values < 0) | (values > 4)].sum())


def test_what_is_no_number_is_outside():
    h = Histogram.of(np.array([np.nan, 0.5]), EDGES)
    assert (h.outside, h.total.sum()) == (1, 1)


def test_histograms_by_group_and_weight():
    h = Histogram.of(np.array([0.5, 0.5, 3.0]), EDGES, rows(np.array([1, 0, 1]), np.array([2.0, 1.0, 3.0]), 3))
    assert h.total.tolist() == [[1, 0, 0], [2, 0, 3], [0, 0, 0]]


def test_histograms_of_other_edges_do_not_merge():
    with pytest.raises(InputError, match="edges are the same"):
        Histogram.of(np.zeros(1), EDGES).merge(Histogram.of(np.zeros(1), EDGES[:3]))


@pytest.mark.parametrize("edges", [[1.0], [1.0, 1.0], [2.0, 1.0], [[0.0, 1.0]], [0.0, np.nan]])
def test_edges_must_increase(edges):
    with pytest.raises(InputError, match="at least two, strictly increasing"):
        Histogram.of(np.zeros(1), edges)


def test_sums_that_are_not_finite_determine_nothing():
    matrix = np.stack([np.eye(2), np.full((2, 2), np.inf), np.full((2, 2), np.nan)])
    normal = NormalEquations(matrix, np.ones((3, 2)), np.ones(3), np.ones(3))
    assert normal.undetermined.tolist() == [[False, False], [True, True], [True, True]]
    assert normal.step().tolist() == [[1.0, 1.0], [0.0, 0.0], [0.0, 0.0]]
