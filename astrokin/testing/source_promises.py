"""What is promised of every estimator that solves each source on its own: one check for each promise."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np

from astrokin.errors import AstrokinError
from astrokin.fit import Fit
from astrokin.testing import contract
from astrokin.testing.checks import Checks, demand
from astrokin.testing.compare import demand_same_fit
from astrokin.testing.estimator_case import cut, demand_input_error
from astrokin.testing.source_case import SourceCase, demand_equal, of_sources

SOURCES = Checks()
promise = SOURCES.add(SourceCase)
slow_promise = SOURCES.add(SourceCase, slow=True)

#: Sources of the recovery and of the calibration.
_RECOVERED, _CALIBRATED = 40, 400
_SOLVED = "solved"

# ---- the class and its instances -------------------------------------------------------------------------


@promise
def declarations(case: SourceCase) -> None:
    """The class says its name and references, and documents itself and each option."""
    estimator = case.estimator
    contract.check_name_and_documentation(type(estimator), estimator, frozenset())
    contract.check_parameters_documented(type(estimator))
    demand(isinstance(estimator.takes, type), f"takes is {estimator.takes!r}, not a class of rows")


@promise
def runs(case: SourceCase) -> None:
    """It simulates sources and solves them: arrays over the sources, a covariance to match, an outcome for each."""
    rows, _ = case.simulated(3, 11)
    fit = case.estimator.fit(rows)
    demand(isinstance(fit, Fit), f"fit returns {type(fit).__name__}, not a Fit")
    for name, value in {**fit.results, **fit.derived, **fit.columns}.items():
        demand(np.shape(value) == (3,), f"of 3 sources, {name} has the shape {np.shape(value)}")
    shape = None if fit.covariance is None else fit.covariance.shape
    demand(shape in (None, (3, len(fit), len(fit))), f"of 3 sources, the covariance has the shape {shape}")
    demand("outcome" in fit.columns, "it does not tell the outcome of each source")
    demand(len(fit.table()) == 3, f"the table has {len(fit.table())} rows for 3 sources")
    demand(all(name in str(fit) for name in fit), "the text of the fit does not tell every result")


@promise
def frozen(case: SourceCase) -> None:
    """An estimator cannot be changed once it is made."""
    contract.check_frozen(case.estimator)


@promise
def value(case: SourceCase) -> None:
    """Estimators with the same options are equal and hash the same; the repr names the class."""
    contract.check_value(case.estimator)


@promise
def pickling(case: SourceCase) -> None:
    """An estimator and its fit survive pickling, which clusters and process pools need."""
    contract.check_pickled(case.estimator)
    demand(pickle.loads(pickle.dumps(case.fit)) == case.fit, "a fit that comes back from pickling is not ==")


@promise
def units(case: SourceCase) -> None:
    """Options with units are checked when the estimator is made: unit, shape and finiteness, by name."""
    contract.check_units(case.estimator)


# ---- sources on their own --------------------------------------------------------------------------------


@promise
def input_untouched(case: SourceCase) -> None:
    """The rows that go in stay as they are, to the last bit, and the same rows give the same fit."""
    before = _bytes(case.rows)
    again = case.estimator.fit(case.rows)
    demand(_bytes(case.rows) == before, "the input has changed")
    demand(again == case.fit, "the same rows give another fit the second time")


def _bytes(rows: Any) -> dict[str, bytes]:
    return {k: np.asarray(v).tobytes() for k, v in rows.columns.items()}


@promise
def partition(case: SourceCase) -> None:
    """Any cut of the rows into blocks, through sources too, gives the fit of the whole; blocks may be empty."""
    n = len(case.rows)
    ends = {"two halves": [n // 2], "blocks of 37": list(range(37, n, 37)), "empty blocks": [0, 0, n // 3, n // 3, n]}
    for name, places in ends.items():
        demand_equal(case.fit_blocks(cut(case.rows, places)), case.fit, name)


@promise
def row_order(case: SourceCase) -> None:
    """Rows in any order, sources mixed, give the same fit; so do blocks in which sources come back."""
    order = np.random.default_rng(5).permutation(len(case.rows))
    mixed = case.rows[order]
    demand_equal(case.estimator.fit(mixed), case.fit, "rows in another order")
    demand_equal(case.fit_blocks(cut(mixed, [len(mixed) // 2])), case.fit, "blocks of rows in another order")


@promise
def alone(case: SourceCase) -> None:
    """A source alone gives what it gives among others."""
    keys = case.keys
    for i in (0, len(np.unique(keys)) - 1):
        rows = case.rows[keys == np.unique(keys)[i]]
        demand_same_fit(case.estimator.fit(rows), of_sources(case.fit, [i]), f"source {i} alone", 1e-4, 1e-3)


@promise
def bad_neighbours(case: SourceCase) -> None:
    """Rows without a time are counted, a source that has no others is named and NaN, and the rest are not harmed."""
    first = case.keys == case.keys[0]
    times = np.where(first, np.nan, case.rows["obstime"])
    fit = case.estimator.fit(case.rows.replace(obstime=times))
    demand(fit.used + sum(fit.left_out.values()) == len(case.rows), "not all rows are accounted for")
    demand(fit.left_out.get("no time") == first.sum(), f"{first.sum()} rows have no time; {dict(fit.left_out)}")
    demand(len(fit.groups or []) == len(case.fit.groups or []), "a source without rows is not in the result")
    demand(fit.columns["outcome"][0] != _SOLVED, f"a source without rows is {fit.columns['outcome'][0]!r}")
    for name, result in fit.items():
        demand(np.isnan(result.value[0]), f"a source without rows has {name} = {result[0]}")
        demand(name in fit.undetermined, f"{name} is NaN without a word in `undetermined`")
    rest = np.arange(1, len(fit.groups or []))
    demand_same_fit(of_sources(fit, rest), of_sources(case.fit, rest), "the neighbours", 1e-4, 1e-3)


# ---- the result ------------------------------------------------------------------------------------------


@promise
def simulation(case: SourceCase) -> None:
    """`simulate` gives as many sources as asked for, the same for equal seeds, and the truth of results by name."""
    estimator = case.estimator
    rows, truth = case.simulated(5, 4)
    wanted = estimator.takes.__name__
    demand(isinstance(rows, estimator.takes), f"it gives {type(rows).__name__}, but the estimator takes {wanted}")
    demand(_bytes(rows) == _bytes(case.simulated(5, 4)[0]), "equal seeds give different rows")
    demand(_bytes(rows) != _bytes(case.simulated(5, 5)[0]), "different seeds give the same rows")
    demand(truth, "it tells no truth")
    fit = estimator.fit(rows)
    demand(len(fit.groups or []) == 5, f"it gives {len(fit.groups or [])} sources for 5")
    for name, true in truth.items():
        demand(name in fit, f"it tells the truth of {name!r}; the results are {fit.names}")
        demand(np.shape(true) == (5,), f"of 5 sources, the truth of {name} has the shape {np.shape(true)}")
        demand(u.Quantity(true).unit.is_equivalent(fit[name].unit), f"the truth of {name} is in {true.unit}")


@promise
def recovery(case: SourceCase) -> None:
    """Of sources of its own making the estimator finds the truth within five standard errors, nine times in ten."""
    pulls = _pulls(case, _RECOVERED, 21)
    for name, pull in pulls.items():
        demand(len(pull) >= 0.9 * _RECOVERED, f"{name} is known of {len(pull)} of {_RECOVERED} sources")
        demand(np.abs(pull).max() <= 5.0, f"{name} is off by {np.abs(pull).max():.1f} errors")


@slow_promise
def calibration(case: SourceCase) -> None:
    """Over many sources the pulls have mean 0 and width 1, within four standard errors."""
    for name, pull in _pulls(case, _CALIBRATED, 1000).items():
        mean, width, n = pull.mean(), pull.std(), len(pull)
        off = abs(mean) * np.sqrt(n)
        demand(off <= 4.0, f"the pulls of {name} have the mean {mean:.3g}, {off:.1f} standard errors off ({n} sources)")
        off = abs(width - 1.0) * np.sqrt(2.0 * n)
        demand(off <= 4.0, f"the pulls of {name} have the width {width:.3g}, {off:.1f} standard errors off")


def _pulls(case: SourceCase, n: int, seed: int) -> dict[str, Any]:
    """(estimate - truth)/error of the sources that are solved."""
    rows, truth = case.simulated(n, seed)
    fit = case.estimator.fit(rows)
    good = fit.columns["outcome"] == _SOLVED
    demand(good.sum() >= 0.9 * n, f"{good.sum()} of {n} sources are solved")
    out = {}
    for name, true in truth.items():
        error = fit.error[name].value[good]
        demand((np.isfinite(error) & (error > 0)).all(), f"{name} has an error of {error.min()}")
        out[name] = (fit[name] - true).to_value(fit[name].unit)[good] / error
    return out


@promise
def derived(case: SourceCase) -> None:
    """Errors of derived quantities are those that differences give: `derive` drops no derivative."""
    fit, estimator = case.fit, case.estimator
    for name, told in fit.derived_error.items():
        slopes = np.stack([_slope(estimator, fit, k, name) for k in fit], axis=-1)
        variance = np.einsum("gi,gij,gj->g", slopes, np.nan_to_num(np.asarray(fit.covariance)), slopes)
        known = np.isfinite(told.value)
        apart = np.abs(told.value - np.sqrt(variance))[known]
        fine = (apart <= 1e-4 * np.sqrt(variance[known])).all()
        demand(fine, f"the errors of {name} are {told}, by differences {np.sqrt(variance)}")


def _slope(estimator: Any, fit: Fit, parameter: str, name: str) -> Any:
    step = np.nan_to_num(1e-3 * fit.error[parameter].value) << fit[parameter].unit
    ends = [estimator.derive({**fit.results, parameter: fit[parameter] + s * step})[name] for s in (-1, 1)]
    return (ends[1] - ends[0]).to_value(fit.derived[name].unit) / np.where(step.value > 0, 2.0 * step.value, 1.0)


@promise
def write_and_read(case: SourceCase) -> None:
    """A fit that is written comes back as it was: sources, values, errors, columns, counts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fit.ecsv"
        case.fit.write(path)
        back = Fit.read(path)
    demand_equal(back, case.fit, "written and read")
    demand(list(back.columns) == list(case.fit.columns), f"the columns come back as {list(back.columns)}")


# ---- what is missing, and too few ------------------------------------------------------------------------


@promise
def no_rows(case: SourceCase) -> None:
    """No rows, or none that can be used, are a clear error."""
    demand_input_error(lambda: case.estimator.fit(case.rows[:0]), "a fit of no rows")
    lost = case.rows.replace(obstime=np.full(len(case.rows), np.nan))
    demand_input_error(lambda: case.estimator.fit(lost), "a fit of rows without time")


@promise
def few_rows(case: SourceCase) -> None:
    """One or two rows give an error, or an outcome that says so, never 0 +- 0."""
    for n in (1, 2):
        try:
            fit = case.estimator.fit(case.rows[:n])
        except AstrokinError:
            continue
        for name, error in fit.error.items():
            demand(not (error.value == 0.0).any(), f"with {n} rows: {name} is {fit[name]} +- 0")
            lost = np.isnan(fit[name].value).any()
            demand(not lost or name in fit.undetermined, f"with {n} rows: {name} is NaN without a word")
