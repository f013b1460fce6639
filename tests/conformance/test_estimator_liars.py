"""Estimators that break one promise each: the kit must catch the lie, by the right name and no other."""

from dataclasses import dataclass, replace
from typing import Any

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin.errors import ConformanceError
from astrokin.testing import estimator_promises as promises

KM_S = u.km / u.s


@dataclass(frozen=True)
class Honest(ak.Estimator):
    """Mean radial velocity."""

    name = "honest"
    needs = frozenset({"radial_velocity"})

    def collect(self, rows, params):
        return ak.Moments.of(rows.raw.radial_velocity, rows)

    def solve(self, summary, params):
        return ak.Fit({"mean": summary.mean[:, 0] * KM_S}, summary.mean_covariance)

    def derive(self, values):
        return {"double": 2 * values["mean"]}

    def residual(self, rows, params):
        return np.abs(rows.raw.radial_velocity - 10.0) / 5.0

    def simulate(self, n, rng):
        ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
        velocity = rng.normal(10.0, 5.0, n)
        columns = {"source_id": np.arange(n), "mark": np.zeros(n)}
        stars = ak.Stars(ra=ra * u.deg, dec=dec * u.deg, radial_velocity=velocity * KM_S, columns=columns)
        stars = stars.replace(parallax=rng.uniform(1, 9, n), proper_motion=np.cross(stars.direction, [0, 0, 1], axis=0))
        return stars, {"mean": 10.0 * KM_S}


LIARS = {}


def lies_about(*checks):
    def entered(cls):
        LIARS[cls.__name__] = (dataclass(frozen=True)(cls), set(checks))
        return cls

    return entered


@dataclass(frozen=True)
class Spreadless(ak.Moments):
    """Moments that forget, on merging, how far the means are apart."""

    def merge(self, other):
        return replace(super().merge(other), second=self.second + other.second)


@dataclass(frozen=True)
class Absorbing(ak.Moments):
    """Moments that do not merge with nothing."""

    def merge(self, other):
        whole = super().merge(other)
        return replace(whole, mean=whole.mean + 1.0) if not (self.weight.all() and other.weight.all()) else whole


@dataclass(frozen=True)
class Sum:
    """A sum and the order in which it was made: the last block counts once more."""

    moments: Any
    last: Any

    def merge(self, other):
        return Sum(self.moments.merge(other.moments), other.last if other.last.weight.any() else self.last)


def as_kind(kind, moments):
    return kind(**vars(moments))


@lies_about("partition")
class WrongMerge(Honest):
    """Merge without the spread of the means."""

    def collect(self, rows, params):
        return as_kind(Spreadless, super().collect(rows, params))


@lies_about("identity")
class NoIdentity(Honest):
    """Let an empty block shift the mean."""

    def collect(self, rows, params):
        return as_kind(ak.Moments if self.bootstrap else Absorbing, super().collect(rows, params))


@lies_about("partition")
class LastBlockCountsMore(Honest):
    """Depend on which block comes last."""

    def collect(self, rows, params):
        moments = super().collect(rows, params)
        return Sum(moments, replace(moments, count=np.array([float(len(rows))]) * np.ones(len(moments.count))))

    def solve(self, summary, params):
        fit = super().solve(summary.moments, params)
        return replace(fit, results={"mean": fit["mean"] * (1 + 1e-6 / (1 + summary.last.count[0] // 298))})


@lies_about("partition")
class BlockSizeMatters(Honest):
    """Scale each block by its own largest value."""

    def collect(self, rows, params):
        velocity = rows.raw.radial_velocity
        size = 1e-6 * np.max(velocity, initial=0.0) * (len(rows) < 250 and not self.bootstrap)
        return ak.Moments.of(velocity + size, rows)


@lies_about("row-order")
class FirstRowFirst(Honest):
    """Mind whether a certain row comes first."""

    def collect(self, rows, params):
        velocity = np.array(rows.raw.radial_velocity)
        if len(rows) and rows["source_id"][0] == 0 and not self.bootstrap:
            velocity[0] += 1e-6
        return ak.Moments.of(velocity, rows)


@lies_about("weights")
class Weightless(Honest):
    """Look away from weights unless there is a bootstrap."""

    def collect(self, rows, params):
        if self.bootstrap or rows.weight is None:
            return super().collect(rows, params)
        return ak.Moments.of(rows.raw.radial_velocity, rows.replace(weight=np.ones(len(rows))))


@lies_about("groups")
class Groupless(Honest):
    """Give every group the mean of all."""

    def solve(self, summary, params):
        fit = super().solve(summary, params)
        if self.by is None:
            return fit
        return replace(fit, results={"mean": np.full(len(fit["mean"]), fit["mean"].value.mean()) * KM_S})


@lies_about("bootstrap")
class RandomBootstrap(Honest):
    """Draw bootstrap weights from a generator of its own."""

    def collect(self, rows, params):
        if self.bootstrap:
            again = np.random.default_rng(len(rows)).poisson(1.0, len(rows))
            rows = rows.replace(weight=np.where(rows.group == 0, rows.weight, again))
        return super().collect(rows, params)


@lies_about("input-untouched")
class Mutating(Honest):
    """Write into the columns of the rows."""

    def collect(self, rows, params):
        rows["mark"].base[...] += 1
        return super().collect(rows, params)


@lies_about("recovery")
class Biased(Honest):
    """Be off by ten standard errors in large samples."""

    def solve(self, summary, params):
        fit = super().solve(summary, params)
        return replace(fit, results={"mean": fit["mean"] + np.where(summary.count > 1000, 0.7, 0.0) * KM_S})


@lies_about("recovery")
class NoError(Honest):
    """Be sure beyond all measure."""

    def solve(self, summary, params):
        fit = super().solve(summary, params)
        many = summary.count[:, None, None] > 1000
        return replace(fit, covariance=np.where(many, 0.0, fit.covariance))


@lies_about("simulation")
class OtherSampleEachTime(Honest):
    """Simulate from a generator that nobody seeded."""

    def simulate(self, n, rng):
        rows, truth = super().simulate(n, rng)
        jitter = np.random.default_rng().normal(size=n) * 1e-6
        return rows.replace(parallax=rows.raw.parallax + jitter), truth


@lies_about("simulation")
class TruthOfSomethingElse(Honest):
    """Tell the truth of what is not estimated."""

    def simulate(self, n, rng):
        rows, truth = super().simulate(n, rng)
        return rows, {**truth, "other": 1 * KM_S} if n == 50 else truth


@lies_about("derived")
class DropsDerivatives(Honest):
    """Derive an absolute value, whose error is lost."""

    def derive(self, values):
        return {"speed": np.abs(values["mean"])}


@lies_about("missing-values")
class LosesRows(Honest):
    """Count fewer rows than there are."""

    def fit(self, data, **options):
        fit = super().fit(data, **options)
        return replace(fit, left_out={k: n for k, n in fit.left_out.items() if "clip" in k})


@lies_about("parallaxes")
class SilentlyNaN(Honest):
    """Give NaN where a parallax is negative, without a word."""

    def collect(self, rows, params):
        bad = (rows.raw.parallax < 0).any()
        return ak.Moments.of(rows.raw.radial_velocity * (np.nan if bad else 1.0), rows)


@lies_about("no-rows")
class ZeroFromNothing(Honest):
    """Give a result for no rows."""

    def fit(self, data, **options):
        if isinstance(data, ak.Stars) and not len(data):
            return ak.Fit({"mean": 0 * KM_S})
        return super().fit(data, **options)


@lies_about("few-rows")
class ZeroPlusMinusZero(Honest):
    """Be certain of a single row."""

    def solve(self, summary, params):
        fit = super().solve(summary, params)
        return replace(fit, covariance=np.where(summary.count[:, None, None] < 2, 0.0, fit.covariance))


@lies_about("clipping")
class NeverClips(Honest):
    """Find no row too far off."""

    def residual(self, rows, params):
        return np.zeros(len(rows))


@lies_about("pickling")
class Unpicklable(Honest):
    """Refuse to be pickled."""

    def __reduce__(self):
        raise TypeError("cannot pickle this estimator")


@lies_about("value")
class HashedByIdentity(Honest):
    """Hash differently from an equal one."""

    def __hash__(self):
        return id(self)


@lies_about("units")
class TakesAnyUnit(Honest):
    """Take a number for a Quantity."""

    scale: u.Quantity = ak.parameter(1 * u.pc, doc="a length")

    def __post_init__(self):
        if not hasattr(self.scale, "unit"):
            object.__setattr__(self, "scale", self.scale * u.pc)
        super().__post_init__()


@lies_about("declarations")
class ShoutedName(Honest):
    """Bear a name that no command line likes."""

    name = "Shouted Name"


@lies_about("frozen")
class Thawed(Honest):
    """Let itself be changed."""


Thawed.__setattr__ = object.__setattr__


@lies_about("write-and-read")
class ForgetsOnPaper(Honest):
    """Give results that do not survive being written."""

    def fit(self, data, **options):
        fit = super().fit(data, **options)
        return Fleeting(**{k: getattr(fit, k) for k in fit.__dataclass_fields__})


class Fleeting(ak.Fit):
    """A fit that writes rounded numbers."""

    def write(self, path, overwrite=False):
        replace(ak.Fit(dict(self.results), self.covariance), used=self.used + 1).write(path, overwrite)


@lies_about("runs", "groups")
class ColumnOfMeans(Honest):
    """Give results of one column too many."""

    def solve(self, summary, params):
        return ak.Fit({"mean": summary.mean * KM_S}, summary.mean_covariance)

    def derive(self, values):
        return {}


@lies_about("groups")
class ColumnOfGroups(Honest):
    """Give results of one column too many where there are groups."""

    def solve(self, summary, params):
        fit = super().solve(summary, params)
        return fit if self.by is None else replace(fit, results={"mean": fit["mean"][:, None]})


@lies_about("groups")
class OneCovarianceForAll(Honest):
    """Give all groups one matrix."""

    def fit(self, data, **options):
        fit = super().fit(data, **options)
        return fit if self.by is None else replace(fit, covariance=fit.covariance[0])


@dataclass(frozen=True)
class NoSimulation(Honest):
    """Have no model of its own."""

    simulate = ak.Estimator.simulate


@dataclass(frozen=True)
class NoUnit(Honest):
    """Give plain numbers."""

    def solve(self, summary, params):
        return ak.Fit({"mean": summary.mean[:, 0]}, summary.mean_covariance)


@dataclass(frozen=True)
class Raises(Honest):
    """Raise an error of its own."""

    def collect(self, rows, params):
        raise ValueError("no stars on Tuesdays")


IDLE = [
    (NoSimulation, "NotImplementedError: NoSimulation has no simulate"),
    (NoUnit, "InputError: The result 'mean' of a Fit is .* which has no unit"),
    (Raises, "ValueError: no stars on Tuesdays"),
]


def failures(example, checks):
    failed = {}
    for check in checks:
        try:
            check(example)
        except ConformanceError as error:
            failed[check.name] = str(error)
    return failed


def test_the_honest_estimator_is_not_accused():
    ak.testing.check_estimator(Honest)


@pytest.mark.parametrize("name", LIARS)
def test_the_lie_is_caught_by_its_name(name):
    liar, lies = LIARS[name]
    failed = failures(next(iter(liar.examples())), ak.testing.estimator_checks())
    assert set(failed) == lies, "\n".join(failed.values())
    for text in failed.values():
        assert name in text
        assert "promise: " in text


@pytest.mark.parametrize(("idle", "fault"), IDLE)
def test_what_does_not_run_is_told_so_first(idle, fault):
    with pytest.raises(ConformanceError, match=f"breaks runs: {fault}"):
        ak.testing.check_estimator(idle)
    assert "see the check runs" in failures(idle(), ak.testing.estimator_checks())["pickling"]


def test_every_promise_has_a_liar():
    caught = set().union(*(lies for _, lies in LIARS.values()))
    assert {check.name for check in ak.testing.estimator_checks()} == caught


# ---- errors that are off by less than one sample can tell -------------------------------------------------


@dataclass(frozen=True)
class HalfTheError(Honest):
    """State errors that are a third too small."""

    def solve(self, summary, params):
        fit = super().solve(summary, params)
        return replace(fit, covariance=fit.covariance * 0.67**2)


@dataclass(frozen=True)
class TwiceTheError(Honest):
    """State errors that are a third too large."""

    def solve(self, summary, params):
        fit = super().solve(summary, params)
        return replace(fit, covariance=fit.covariance * 1.33**2)


@dataclass(frozen=True)
class SlightlyBiased(Honest):
    """Be off by half a standard error, always to the same side."""

    def solve(self, summary, params):
        fit = super().solve(summary, params)
        return replace(fit, results={"mean": fit["mean"] + np.where(summary.count == 100, 0.25, 0.0) * KM_S})


def calibration():
    return next(c for c in ak.testing.estimator_checks(slow=True) if c.name == "calibration")


MISCALIBRATED = [(HalfTheError, "width"), (TwiceTheError, "width"), (SlightlyBiased, "mean")]


@pytest.mark.parametrize(("liar", "word"), MISCALIBRATED)
def test_a_miscalibrated_estimator_passes_on_one_sample_and_is_caught_on_many(liar, word, monkeypatch):
    monkeypatch.setattr(promises, "_ROWS", 100)
    assert not failures(liar(), ak.testing.estimator_checks())
    with pytest.raises(ConformanceError, match=f"breaks calibration: the pulls of mean have the {word}"):
        calibration()(liar())


def test_the_honest_estimator_is_calibrated(monkeypatch):
    monkeypatch.setattr(promises, "_ROWS", 100)
    calibration()(Honest())
