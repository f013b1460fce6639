"""The driver of the estimators: passes, the final one, clipping, groups, bootstrap, blocks, and zero rows."""

from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from typing import Any

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import astrokin as ak
from astrokin import engines
from astrokin.errors import InputError, NotConvergedError
from astrokin.folding import Collect, Params, group_index
from astrokin.selection import Selection

KS = u.km / u.s


def stars(n=2000, seed=1, parallax=1.0, rows=None, **columns):
    rng = np.random.default_rng(seed)
    velocity = 5.0 + 3.0 * rng.normal(size=n) if rows is None else np.asarray(rows, float)
    n = len(velocity)
    return ak.Stars(
        ra=rng.uniform(0, 360, n) * u.deg,
        dec=rng.uniform(-90, 90, n) * u.deg,
        parallax=np.full(n, parallax) * u.mas,
        radial_velocity=velocity * KS,
        columns={"source_id": np.arange(n), **columns},
    )


@dataclass(frozen=True)
class Mean(ak.Estimator):
    """Mean and scatter of the radial velocity, in one pass."""

    name = "toy-mean"
    needs = frozenset({"radial_velocity"})

    def collect(self, rows, params):
        return ak.Moments.of(rows.raw.radial_velocity, rows)

    def solve(self, summary, params):
        return ak.Fit({"mean": summary.mean[:, 0] * KS}, summary.mean_covariance, state=summary.mean[:, 0])

    def residual(self, rows, params):
        return np.abs(rows.raw.radial_velocity - params.state[group_index(rows)]) / 3.0


@dataclass(frozen=True)
class OnePass(Mean):
    """The same, but keeping no state."""

    name = "toy-one-pass"

    def solve(self, summary, params):
        return replace(super().solve(summary, params), state=None)

    def residual(self, rows, params):
        return np.abs(rows.raw.radial_velocity - params.state["mean"].value[group_index(rows)]) / 3.0


@dataclass(frozen=True)
class Location(ak.Estimator):
    """The robust (Huber) mean: an estimator that has to iterate, with errors gathered in the final pass."""

    name = "toy-location"
    needs = frozenset({"radial_velocity"})
    max_passes = 40

    bend: float = ak.option(3.0, doc="where the loss bends")
    log: Any = ak.option(None, doc="a list that is told of every pass")

    def collect(self, rows, params):
        values = rows.raw.radial_velocity
        if self.log is not None:
            self.log.append((None if params is None else params.final, len(rows)))
        centre = np.full(len(values), 5.0) if params is None else params.state[group_index(rows)]
        off = values - centre
        inside, one = 1.0 * (np.abs(off) < self.bend), np.ones((1, len(values)))
        score = ak.NormalEquations.of(
            one, np.clip(off, -self.bend, self.bend), None, rows, meat=bool(params and params.final)
        )
        # The first step is the plain mean's; then Newton's, by the slope of the bent loss.
        return score if params is None else replace(score, matrix=ak.NormalEquations.of(one, off, inside, rows).matrix)

    def solve(self, summary, params):
        start = np.full(len(summary.count), 5.0) if params is None else params.state
        state = start + summary.step()[:, 0]
        settled = params is not None and bool(np.all(np.abs(state - start) < 1e-10))
        if params is not None and params.final:
            return ak.Fit({"location": state * KS}, summary.sandwich(), state=state, converged=settled)
        return ak.Fit({"location": state * KS}, state=state, converged=settled)


def huber(values, bend=3.0):
    from scipy import optimize

    return optimize.brentq(lambda m: np.clip(values - m, -bend, bend).sum(), -100, 100, xtol=1e-13)


# ---- passes ----------------------------------------------------------------------------------------------


def test_an_estimator_of_one_pass_makes_one():
    sample = stars()
    fit = OnePass().fit(sample)
    assert (fit.passes, fit.converged, fit.used, fit.state) == (1, True, 2000, None)
    assert fit["mean"].value == pytest.approx(sample.raw.radial_velocity.mean(), rel=1e-13)


def test_an_iterating_one_passes_until_it_is_content_and_once_more():
    log: list = []
    sample = stars()
    fit = Location(log=log).fit(sample)
    assert fit.converged
    assert [final for final, _ in log] == [None] + [False] * (fit.passes - 2) + [True]
    assert fit["location"].value == pytest.approx(huber(sample.raw.radial_velocity), abs=1e-9)


def test_what_does_not_converge_is_a_value():
    @dataclass(frozen=True)
    class Hasty(Location):
        max_passes = 3

    fit = Hasty().fit(stars())
    assert (fit.passes, fit.converged) == (3, False)
    assert np.isfinite(fit.error["location"])
    with pytest.raises(NotConvergedError, match="after 3 passes"):
        fit.raise_if_not_converged()


def test_what_converges_may_be_raised_on():
    fit = Location().fit(stars())
    assert fit.raise_if_not_converged() is fit


# ---- clipping --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [Mean, OnePass])
def test_clipping_leaves_out_and_counts(estimator):
    sample = stars(rows=[1, 2, 3, 2, 2, 40.0] * 1)
    fit = estimator(clip=5.0).fit(sample)
    assert fit["mean"].value == pytest.approx(2.0)
    assert (fit.used, fit.left_out) == (5, {"clipped beyond 5 sigma": 1})


def test_clipping_iterates_where_the_estimator_does():
    @dataclass(frozen=True)
    class Clipped(Location):
        def residual(self, rows, params):
            return np.abs(rows.raw.radial_velocity - params.state[group_index(rows)]) / 3.0

    rng = np.random.default_rng(2)
    values = np.append(5.0 + 3.0 * rng.normal(size=500), np.full(20, 1000.0))
    fit = Clipped(clip=4.0).fit(stars(rows=values))
    kept = values[np.abs(values - fit["location"].value) <= 12.0]
    assert fit.left_out["clipped beyond 4 sigma"] == 520 - len(kept)
    assert fit["location"].value == pytest.approx(huber(kept), abs=1e-9)


def test_who_defines_no_residual_cannot_clip():
    with pytest.raises(NotImplementedError, match="Location cannot clip: it defines no residual"):
        Location(clip=3.0).fit(stars())


def test_clipping_everything_is_an_error_that_says_so():
    @dataclass(frozen=True)
    class Harsh(Mean):
        def residual(self, rows, params):
            return np.full(len(rows), 99.0)

    with pytest.raises(InputError, match="no rows are left to fit: 2000 clipped beyond 3 sigma"):
        Harsh(clip=3.0).fit(stars())


# ---- groups ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [OnePass(), Location(), Mean(clip=2.0)])
def test_each_group_is_fitted_alone(estimator):
    kind = np.array(["b", "c", "a"])[np.arange(2000) % 3]
    sample = stars(kind=kind, number=np.select([kind == "a", kind == "b"], [0.5, 1.5], 2.5))
    name = "location" if isinstance(estimator, Location) else "mean"
    alone = [estimator.fit(sample[kind == k]) for k in "abc"]
    for by in ("kind", ("number", [0.0, 1.0, 2.0, 3.0])):
        fit = replace(estimator, by=by).fit(sample)
        assert fit[name].shape == (3,)
        assert fit.covariance.shape == (3, 1, 1)
        np.testing.assert_allclose(fit[name].value, [f[name].value for f in alone], rtol=1e-10)
        np.testing.assert_allclose(fit.error[name].value, [f.error[name].value for f in alone], rtol=1e-8)
        assert fit.used == sum(f.used for f in alone)


# ---- bootstrap -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [OnePass(), Location()])
def test_bootstrap_errors_are_the_analytic_ones(estimator):
    sample, n = stars(2000), 200
    plain = estimator.fit(sample)
    (name,) = plain
    fit = replace(estimator, bootstrap=n, seed=5).fit(sample)
    assert fit[name].value == pytest.approx(plain[name].value, rel=1e-9)
    ratio = fit.error[name].value / plain.error[name].value
    assert abs(ratio - 1) < 4 / np.sqrt(2 * n)
    assert fit.used == 2000
    assert f"errors from {n} bootstrap replicates" in fit.notes


def test_replicates_are_those_drawn_by_hand():
    from astrokin.replicates import poisson_weights

    sample = stars(500)
    velocity = sample.raw.radial_velocity
    drawn = [np.average(velocity, weights=poisson_weights(sample, k, 7)) for k in range(20)]
    fit = OnePass(bootstrap=20, seed=7).fit(sample)
    assert fit.error["mean"].value == pytest.approx(np.std(drawn, ddof=1), rel=1e-10)


def test_bootstrap_by_groups():
    kind = np.arange(3000) % 3
    sample = stars(3000, kind=kind)
    fit = OnePass(bootstrap=300, by="kind").fit(sample)
    alone = [OnePass(bootstrap=300).fit(sample[kind == k]) for k in range(3)]
    np.testing.assert_allclose(fit["mean"].value, [f["mean"].value for f in alone], rtol=1e-12)
    np.testing.assert_allclose(fit.error["mean"].value, [f.error["mean"].value for f in alone], rtol=1e-9)


def test_the_seed_of_the_bootstrap_counts():
    sample = stars()
    one, same, other = (OnePass(bootstrap=10, seed=s).fit(sample).error["mean"] for s in (1, 1, 2))
    assert one == same
    assert one != other


# ---- blocks ----------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(cuts=st.lists(st.integers(0, 300), max_size=5), seed=st.integers(0, 100), boot=st.sampled_from([0, 3]))
def test_no_partition_changes_the_fold(cuts, seed, boot):
    rng = np.random.default_rng(seed)
    sample = stars(300, kind=rng.integers(0, 3, 300))
    collect = Collect(OnePass(bootstrap=boot, by="kind"), Selection(by="kind", labels=(0, 1, 2)), None)
    whole = collect(sample)
    edges = [0, *sorted(cuts), 300]
    parts = [collect(sample[a:b]) for a, b in pairwise(edges)]
    merged = reduce(lambda a, b: a.merge(b), [parts[k] for k in rng.permutation(len(parts))])
    assert merged.used == whole.used == 300
    for name in ("weight", "mean", "second"):
        one, other = getattr(merged.summary, name), getattr(whole.summary, name)
        np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("size", [1, 7, 100, 1000])
def test_the_size_of_the_blocks_does_not_matter(size):
    sample = stars(100)
    collect = Collect(Location(), Selection(), Params(np.array([5.0]), True))
    one = engines.fold(collect, engines.MemorySource(sample), size=size)
    other = engines.fold(collect, engines.MemorySource(sample), size=100)
    assert one.used == other.used
    np.testing.assert_allclose(one.summary.meat, other.summary.meat, rtol=1e-12)


@pytest.mark.parametrize("estimator", [OnePass(), Location(), OnePass(bootstrap=3), OnePass(by="kind")])
def test_empty_blocks_are_normal(estimator):
    sample = stars(100, kind=np.arange(100) % 2)

    class Source:
        def __len__(self):
            return 100

        def blocks(self, size):
            yield from (sample[:0], sample[:50], sample[:0], sample[50:], sample[:0])

    fit, plain = estimator.fit(Source()), estimator.fit(sample)
    (name,) = fit
    assert fit.used == 100
    np.testing.assert_allclose(fit[name].value, plain[name].value, rtol=1e-12)


def test_a_source_may_bring_its_own_fold():
    class Cluster:
        def __init__(self, sample):
            self.sample = sample

        def blocks(self, size):
            raise AssertionError("not called")

        def fold(self, function, **_):
            return function(self.sample[:30]).merge(function(self.sample[30:]))

    sample = stars(100)
    assert OnePass().fit(Cluster(sample))["mean"].value == pytest.approx(sample.raw.radial_velocity.mean())


@pytest.mark.parametrize("by", [None, "kind"])
def test_no_rows_are_an_error(by):
    with pytest.raises(InputError, match=r"no rows|no value"):
        OnePass(by=by).fit(stars(10, kind=np.arange(10))[:0])


# ---- the result ------------------------------------------------------------------------------------------


def test_the_result_says_where_it_comes_from():
    fit = OnePass(max_distance=3 * u.kpc).fit(stars())
    said = fit.provenance
    assert said["estimator"] == "toy-one-pass"
    assert said["class"].endswith("OnePass")
    assert said["options"]["max_distance"] == "3.0 kpc"
    assert said["data"] == "Stars of 2000 rows"
    assert {"astrokin", "astropy", "numpy", "scipy", "pyerfa", "python"} <= said["versions"].keys()
    assert "12.24" in said["constants"]["solar motion"]


def test_the_chain_of_effects_is_told():
    moved = ak.effects.ReflexMotion().remove(stars())
    assert any("ReflexMotion" in word for word in OnePass().fit(moved).provenance["chain"])


def test_derived_quantities_come_with_errors():
    @dataclass(frozen=True)
    class Squared(OnePass):
        def derive(self, values):
            return {"square": values["mean"] ** 2, "constant": 3.0 * u.kpc + 0 * values["mean"] * u.s * u.kpc / u.km}

    fit = Squared().fit(stars())
    assert fit.derived["square"] == fit["mean"] ** 2
    assert fit.derived_error["square"].value == pytest.approx(2 * fit["mean"].value * fit.error["mean"].value)
    assert fit.derived_error["constant"] == 0 * u.kpc


def test_tables_and_coordinates_are_taken_too():
    sample = stars(20)
    assert OnePass().fit(sample.to_table())["mean"].value == pytest.approx(sample.raw.radial_velocity.mean())
    assert OnePass().fit(sample.to_skycoord()).used == 20


def test_one_replicate_has_no_spread_and_is_refused():
    with pytest.raises(InputError, match="bootstrap is 1; 0, or at least 2 is needed"):
        ak.estimator("oort-constants", bootstrap=1)
