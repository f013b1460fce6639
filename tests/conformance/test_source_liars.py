"""Estimators of single sources that break one promise each: the kit must catch the lie, by the right name."""

from dataclasses import dataclass, replace
from typing import Any

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin.errors import ConformanceError
from astrokin.testing import source_promises as promises

KM_S = u.km / u.s


@dataclass(frozen=True)
class Honest(ak.SourceEstimator):
    """Mean radial velocity of each source."""

    name = "honest"

    scale: u.Quantity = ak.parameter(1.0 * KM_S, per_row=False, doc="unit of the double")

    def solve_sources(self, rows):
        weight = 1.0 / rows.raw["radial_velocity_error"] ** 2
        moments = ak.Moments.of(rows.raw["radial_velocity"], rows, weight)
        there = moments.count > 0
        mean = np.where(there, moments.mean[:, 0], np.nan) * KM_S
        variance = np.divide(1.0, moments.weight, out=np.full(len(there), np.nan), where=there)
        return ak.Fit({"mean": mean}, variance[:, None, None], columns={"outcome": self.outcome(there)})

    def outcome(self, there):
        return np.where(there, "solved", "no epochs")

    def derive(self, values):
        return {"double": 2 * values["mean"]}

    def simulate(self, n, rng):
        ids = np.repeat(np.arange(n), 20)
        true = rng.normal(0, 30, n)
        velocity = true[ids] + rng.normal(size=20 * n)
        times = 2015 + np.tile(np.arange(20.0), n) / 4
        rows = ak.Epochs(obstime=times, radial_velocity=velocity * KM_S, radial_velocity_error=1 * KM_S,
                         columns={"source_id": ids})  # fmt: skip
        return rows, {"mean": true * KM_S}


LIARS = {}


def lies_about(*checks):
    def entered(cls):
        LIARS[cls.__name__] = (dataclass(frozen=True)(cls), set(checks))
        return cls

    return entered


@lies_about("declarations")
class Shouting(Honest):
    """Bear a name that is no name."""

    name = "SHOUTING"


@lies_about("runs")
class Silent(Honest):
    """Give nothing for three sources."""

    def derive(self, values):
        if len(values["mean"]) == 3:
            raise ValueError("three")
        return super().derive(values)


class Thawed(Honest):
    """Can be changed."""

    def __setattr__(self, name, value):
        object.__setattr__(self, name, value)


LIARS["Thawed"] = (Thawed, {"frozen"})


@lies_about("value", "pickling")
class Unlike(Honest):
    """Be like no other."""

    def __eq__(self, other):
        return self is other

    def __hash__(self):
        return id(self)


@lies_about("pickling")
class Sour(Honest):
    """Come back from pickling with another scale."""

    def __setstate__(self, state):
        self.__dict__.update({**state, "scale": 7.0 * KM_S})


@lies_about("units")
class Careless(Honest):
    """Take a scale without unit."""

    scale: Any = ak.parameter(1.0 * KM_S, per_row=False, doc="unit of the double")

    def __post_init__(self):
        if not hasattr(self.scale, "unit"):
            object.__setattr__(self, "scale", self.scale * KM_S)
        super().__post_init__()


@lies_about("input-untouched")
class Forgetful(Honest):
    """Give another result every time."""

    calls = [0]

    def solve_sources(self, rows):
        self.calls[0] += 1
        fit = super().solve_sources(rows)
        return replace(fit, results={"mean": fit["mean"] * (1 + 1e-9 * self.calls[0])})


@lies_about("row-order")
class FirstRowFirst(Honest):
    """Mind which row of a source comes first."""

    def solve_sources(self, rows):
        fit = super().solve_sources(rows)
        first = np.searchsorted(rows.group, np.arange(rows.n_groups))
        time = np.append(rows.raw["obstime"], 0.0)[first]
        return replace(fit, results={"mean": fit["mean"] + 0.01 * (time > 2015) * KM_S})


@lies_about("alone", "bad-neighbours", "partition")
class Sociable(Honest):
    """Shrink every source toward the others of the block."""

    def solve_sources(self, rows):
        fit = super().solve_sources(rows)
        common = np.nansum(fit["mean"]) / rows.n_groups
        return replace(fit, results={"mean": fit["mean"] + 1e-3 * common * (len(rows) > 40)})


@lies_about("bad-neighbours")
class AsIfNothing(Honest):
    """Call a source without epochs solved."""

    def outcome(self, there):
        return np.where(there, "solved", "solved")


@lies_about("simulation", "recovery")
class Elsewhere(Honest):
    """Tell the truth of something else."""

    def simulate(self, n, rng):
        rows, truth = super().simulate(n, rng)
        return rows, {"median": truth["mean"]}


@lies_about("recovery")
class Biased(Honest):
    """Be off by six standard errors."""

    def simulate(self, n, rng):
        rows, truth = super().simulate(n, rng)
        return rows, {"mean": truth["mean"] + 6 / np.sqrt(20) * KM_S}


@lies_about("derived")
class Rounded(Honest):
    """Drop the derivative of what is derived."""

    def derive(self, values):
        mean = values["mean"]
        return {"double": mean + np.real(mean.value) * mean.unit}


@lies_about("write-and-read")
class Unwritable(Honest):
    """Count what it leaves out under a reason that is no text."""

    def solve_sources(self, rows):
        return replace(super().solve_sources(rows), left_out={7: len(np.unique(rows.group))})


@lies_about("few-rows")
class Certain(Honest):
    """Be certain with one row."""

    def solve_sources(self, rows):
        fit = super().solve_sources(rows)
        return replace(fit, covariance=fit.covariance * (len(rows) > 2))


@lies_about("no-rows")
class Content(Honest):
    """Find nothing wrong with no rows."""

    def fit(self, data, **options):
        if isinstance(data, ak.Epochs) and (not len(data) or np.isnan(data.raw["obstime"]).all()):
            return ak.Fit({"mean": np.array([np.nan]) * KM_S})
        return super().fit(data, **options)


def failures(estimator):
    found = {}
    for check in ak.testing.source_estimator_checks():
        try:
            check(estimator)
        except ConformanceError as error:
            found[check.name] = str(error)
    return found


def test_the_honest_one_keeps_every_promise():
    ak.testing.check_estimator(Honest, slow=True)


@pytest.mark.parametrize("name", LIARS)
def test_a_liar_is_caught_by_the_promise_it_breaks(name):
    liar, lies = LIARS[name]
    assert set(failures(liar())) == lies


def test_every_promise_has_a_liar():
    caught = set().union(*(lies for _, lies in LIARS.values()))
    assert {check.name for check in ak.testing.source_estimator_checks()} == caught


@pytest.mark.parametrize(("factor", "word"), [(0.67, "width"), (1.5, "width")])
def test_errors_that_are_a_third_off_are_caught_on_many(factor, word):
    @dataclass(frozen=True)
    class Miscalibrated(Honest):
        """State errors that are off by a third."""

        def solve_sources(self, rows):
            fit = super().solve_sources(rows)
            return replace(fit, covariance=fit.covariance * factor**2)

    calibration = next(c for c in ak.testing.source_estimator_checks(slow=True) if c.name == "calibration")
    with pytest.raises(ConformanceError, match=f"breaks calibration: the pulls of mean have the {word}"):
        calibration(Miscalibrated())
    assert promises._CALIBRATED >= 400
