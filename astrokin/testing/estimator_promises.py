"""What is promised of every estimator: one check for each promise."""

from __future__ import annotations

import dataclasses
import pickle
import tempfile
from pathlib import Path
from typing import Any

import astropy.units as u
import numpy as np

from astrokin import layout
from astrokin.errors import AstrokinError, InputError
from astrokin.estimator_base import Estimator
from astrokin.fit import Fit
from astrokin.stars import Stars
from astrokin.testing import contract
from astrokin.testing.checks import Checks, broken, demand
from astrokin.testing.compare import FIELDS, demand_same_fit
from astrokin.testing.estimator_case import EstimatorCase, cut, demand_input_error, from_the_right, in_pairs

ESTIMATORS = Checks()
promise = ESTIMATORS.add(EstimatorCase)
slow_promise = ESTIMATORS.add(EstimatorCase, slow=True)

_NEEDS = frozenset({"direction", "parallax", "proper_motion", "radial_velocity"})
#: Round-off, in standard errors.
_SAME = 1e-9
#: Realisations and rows of each for the calibration.
_REALISATIONS, _ROWS = 400, 2000

# ---- the class and its instances -------------------------------------------------------------------------


@promise
def declarations(case: EstimatorCase) -> None:
    """The class says its name, needs and references, and documents itself and each option."""
    estimator = case.estimator
    contract.check_name_and_documentation(type(estimator), estimator, _NEEDS)
    contract.check_parameters_documented(type(estimator))
    demand(
        isinstance(estimator.max_passes, int) and estimator.max_passes >= 1, f"max_passes is {estimator.max_passes!r}"
    )
    demand(isinstance(estimator.takes, type), f"takes is {estimator.takes!r}, not a class of rows")


@promise
def runs(case: EstimatorCase) -> None:
    """It simulates plain rows and fits them: results are Quantities of the right shape, with a covariance to match."""
    rows, _ = case.simulated(300, 11)
    fit = case.estimator.fit(rows)
    demand(isinstance(fit, Fit), f"fit returns {type(fit).__name__}, not a Fit")
    _demand_shapes(fit, ())


def _demand_shapes(fit: Fit, lead: tuple[int, ...]) -> None:
    """Results over groups, or over groups and the grid; a covariance matrix for each; and they can be shown."""
    shapes = {lead} if fit.grid is None else {lead, (*lead, *np.shape(fit.grid))}
    allowed = " or ".join(map(str, sorted(shapes)))
    after = "without by=" if not lead else f"by {lead[0]} groups"
    for name, value in {**fit.results, **fit.derived}.items():
        demand(value.shape in shapes, f"{after}, {name} has the shape {value.shape}, not {allowed}")
    if fit.covariance is not None:
        n = sum(len(fit.grid) if fit.grid is not None and v.ndim > len(lead) else 1 for v in fit.results.values())
        shape, wanted = np.shape(fit.covariance), (*lead, n, n)
        demand(shape == wanted, f"{after}, the covariance has the shape {shape}, not {wanted}")
    demand(all(name in str(fit) for name in fit), f"{after}, the text of the fit does not tell every result")
    demand(len(fit.table()), f"{after}, the table of the fit has no rows")


@promise
def frozen(case: EstimatorCase) -> None:
    """An estimator cannot be changed once it is made."""
    contract.check_frozen(case.estimator)


@promise
def value(case: EstimatorCase) -> None:
    """Estimators with the same options are equal and hash the same; the repr names the class."""
    contract.check_value(case.estimator)


@promise
def pickling(case: EstimatorCase) -> None:
    """An estimator and its fit survive pickling, which clusters and process pools need."""
    before, twin = case.fit, contract.check_pickled(case.estimator)
    demand_same_fit(twin.fit(case.rows), before, "after pickling", _SAME)
    demand(pickle.loads(pickle.dumps(case.fit)) == case.fit, "a fit that comes back from pickling is not ==")


@promise
def units(case: EstimatorCase) -> None:
    """Options with units are checked when the estimator is made: unit, shape and finiteness, by name."""
    contract.check_units(case.estimator)
    defaults = dataclasses.replace(case.estimator, min_distance=1 * u.pc, max_distance=9 * u.kpc)
    contract.check_units(defaults)


# ---- the fold --------------------------------------------------------------------------------------------


@promise
def input_untouched(case: EstimatorCase) -> None:
    """The rows that go in stay as they are, to the last bit, and the same rows give the same fit."""
    before = _bytes(case.rows)
    first = case.estimator.fit(case.rows)
    again = case.estimator.fit(case.rows)
    after = _bytes(case.rows)
    for name in before:
        demand(before[name] == after[name], f"{name} of the input has changed")
    demand(first == again, "the same rows give another fit the second time")


def _bytes(rows: Any) -> dict[str, bytes]:
    arrays = {f"the column {k}": v for k, v in rows.columns.items()}
    if isinstance(rows, Stars):
        arrays |= {k: getattr(rows.raw, k) for k in FIELDS} | {"covariance": rows.covariance}
    return {k: np.asarray(v).tobytes() for k, v in arrays.items()}


@promise
def partition(case: EstimatorCase) -> None:
    """Any partition of the rows into blocks, merged in any order, gives the fit of the whole."""
    n = len(case.rows)
    for name, ends in {"two halves": [n // 2], "blocks of 37": range(37, n, 37), "one row and the rest": [1]}.items():
        parts = cut(case.rows, ends)
        _demand_equal(case.fit_blocks(parts), case.fit, name)
        _demand_equal(case.fit_blocks(parts, from_the_right), case.fit, f"{name}, merged from the right")
        _demand_equal(case.fit_blocks(parts, in_pairs), case.fit, f"{name}, merged in pairs")
    few = case.rows[:40]
    _demand_equal(case.fit_blocks(cut(few, range(1, 40))), case.estimator.fit(few), "blocks of one row")


def _demand_equal(one: Fit, other: Fit, what: str) -> None:
    demand_same_fit(one, other, what, _SAME, 1e-8)
    counts = [(f.used, dict(f.left_out)) for f in (one, other)]
    demand(counts[0] == counts[1], f"{what}: {counts[0]} rows used and left out, not {counts[1]}")


@promise
def identity(case: EstimatorCase) -> None:
    """A block of no rows changes nothing, wherever it stands."""
    none, parts = case.rows[:0], cut(case.rows, [100])
    for name, blocks in {
        "an empty block first": [none, *parts],
        "an empty block last": [*parts, none],
        "empty blocks between": [parts[0], none, none, parts[1]],
    }.items():
        _demand_equal(case.fit_blocks(blocks), case.fit_blocks(parts), name)


@promise
def row_order(case: EstimatorCase) -> None:
    """Rows in another order give the same fit."""
    order = np.random.default_rng(5).permutation(len(case.rows))
    _demand_equal(case.estimator.fit(case.rows[order]), case.fit, "rows in another order")


@promise
def weights(case: EstimatorCase) -> None:
    """A row of weight 2 is the row twice; a row of weight 0 is not there."""
    times = np.arange(len(case.rows)) % 3
    weighted = case.estimator.fit(case.rows.replace(weight=times.astype(float)))
    repeated = case.estimator.fit(case.rows[np.repeat(np.arange(len(times)), times)])
    demand_same_fit(weighted, repeated, "weights 0, 1 and 2", 1e-6)


@promise
def groups(case: EstimatorCase) -> None:
    """Fitted by groups, each group gives what its rows alone give; results and covariance have the group axis first."""
    rows, n = case.rows, len(case.rows)
    place = np.arange(n) % 2
    labelled = rows.replace(columns={**rows.columns, "kit_label": np.array(["one", "two"])[place]})
    by_label = dataclasses.replace(case.estimator, by="kit_label")
    fit = _each(by_label.fit(labelled))
    demand(fit.groups == ["one", "two"], f"the groups are {fit.groups}")
    binned = rows.replace(columns={**rows.columns, "kit_number": place + 0.5})
    bins = _each(dataclasses.replace(case.estimator, by=("kit_number", [0.0, 1.0, 2.0])).fit(binned))
    for by_groups in (fit, bins):
        _demand_shapes(by_groups, (2,))
    for g in (0, 1):
        alone = case.estimator.fit(rows[place == g])
        if alone.of_groups is not None:
            alone = _of_group(_each(by_label.fit(labelled[place == g])), 0)
        for kind, whole in (("labels", fit), ("bins", bins)):
            part = dataclasses.replace(_of_group(whole, g), undetermined=alone.undetermined)
            # Groups iterate together, until the last is content: the others gain digits.
            demand_same_fit(part, alone, f"group {g} by {kind}", 1e-3, 1e-2)


def _each(fit: Fit) -> Fit:
    """The fit of each group, of an estimator that relates them too."""
    return fit if fit.of_groups is None else fit.of_groups


def _of_group(fit: Fit, g: int) -> Fit:
    covariance = None if fit.covariance is None else fit.covariance[g]
    return dataclasses.replace(fit, results={k: v[g] for k, v in fit.results.items()}, covariance=covariance)


@promise
def bootstrap(case: EstimatorCase) -> None:
    """Bootstrap errors depend on the rows, not on their order or the blocks they come in."""
    resampled = EstimatorCase(dataclasses.replace(case.estimator, bootstrap=4, seed=3))
    fit = resampled.estimator.fit(case.rows)
    # What relates groups weighs them by their errors.
    demand_same_fit(_each(fit), _each(case.fit), "the values with a bootstrap", 1e-3)
    order = np.random.default_rng(6).permutation(len(case.rows))
    for name, again in {
        "in three blocks": resampled.fit_blocks(cut(case.rows, [50, 51])),
        "in another order": resampled.estimator.fit(case.rows[order]),
    }.items():
        demand_same_fit(again, fit, f"the bootstrap {name}", 1e-6, 1e-6)


# ---- the result ------------------------------------------------------------------------------------------


@promise
def simulation(case: EstimatorCase) -> None:
    """`simulate` gives as many rows as asked for, the same for equal seeds, and the truth of results by name."""
    estimator = case.estimator
    rows, truth = case.simulated(50, 4)
    demand(
        isinstance(rows, estimator.takes),
        f"it gives {type(rows).__name__}, but the estimator takes {estimator.takes.__name__}",
    )
    demand(len(rows) == 50, f"it gives {len(rows)} rows for 50")
    demand(_bytes(rows) == _bytes(case.simulated(50, 4)[0]), "equal seeds give different rows")
    demand(_bytes(rows) != _bytes(case.simulated(50, 5)[0]), "different seeds give the same rows")
    demand(truth, "it tells no truth")
    for name, true in truth.items():
        demand(name in case.fit, f"it tells the truth of {name!r}; the results are {case.fit.names}")
        same = u.Quantity(true).unit.is_equivalent(case.fit[name].unit)
        demand(same, f"the truth of {name} is {true}, its result in {case.fit[name].unit}")


@promise
def recovery(case: EstimatorCase) -> None:
    """On a sample of its own the estimator finds the truth within four standard errors."""
    rows, truth = case.simulated(5000, 21)
    fit = case.estimator.fit(rows)
    demand(fit.converged, f"it does not converge in {fit.passes} passes")
    told = [k for k in truth if k not in fit.undetermined]
    demand(told, f"nothing is determined: {dict(fit.undetermined)}")
    for name in told:
        off, error = (fit[name] - truth[name]).to_value(fit[name].unit), fit.error[name].value
        demand((np.isfinite(error) & (error > 0)).all(), f"{name} has the error {error}")
        pull = np.abs(off / error).max()
        demand(pull <= 4.0, f"{name} is {fit[name]} +- {error}, the truth {truth[name]}: off by {pull:.1f} errors")


@slow_promise
def calibration(case: EstimatorCase) -> None:
    """Over many samples the pulls have mean 0 and width 1, within four standard errors."""
    pulls: dict[str, list[Any]] = {}
    for seed in range(_REALISATIONS):
        rows, truth = case.simulated(_ROWS, 1000 + seed)
        fit = case.estimator.fit(rows)
        for name in truth.keys() - fit.undetermined.keys():
            pull = (fit[name] - truth[name]).to_value(fit[name].unit) / fit.error[name].value
            pulls.setdefault(name, []).append(pull)
    demand(pulls, "nothing is determined")
    for name, drawn in sorted(pulls.items()):
        n = len(drawn)
        demand(n >= 0.95 * _REALISATIONS, f"{name} is undetermined in {_REALISATIONS - n} of {_REALISATIONS} samples")
        _demand_centred(name, np.mean(drawn, axis=0), "mean", 0.0, 1.0 / np.sqrt(n), n)
        _demand_centred(name, np.std(drawn, axis=0), "width", 1.0, 1.0 / np.sqrt(2.0 * n), n)


def _demand_centred(name: str, found: Any, what: str, wanted: float, error: float, n: int) -> None:
    """A moment of the pulls, of a profile height by height, is as expected; the worst is told."""
    values = np.ravel(found)
    worst = values[np.argmax(np.abs(values - wanted))]
    off = abs(worst - wanted) / error
    told = f"the pulls of {name} have the {what} {worst:.3g}, {off:.1f} standard errors off ({n} samples)"
    demand(off <= 4.0, told)


@promise
def derived(case: EstimatorCase) -> None:
    """Errors of derived quantities are those that differences give: `derive` drops no derivative."""
    fit, estimator = case.fit, case.estimator
    for name, told in fit.derived_error.items():
        slope = np.stack([_slope(estimator, fit, k, name) for k in fit], axis=-1)
        local = np.nan_to_num(layout.local(fit))
        local = local if fit.grid is None or layout.on_grid(fit, told) else local[0]
        error = np.sqrt(np.einsum("...i,...ij,...j->...", slope, local, slope))
        known = np.isfinite(told.value) & np.isfinite(error)
        apart = np.where(known, np.abs(told.value - error), 0.0)
        fine = apart <= 1e-4 * np.nan_to_num(error)
        demand(fine.all(), f"the error of {name} is {told}, by differences {np.array2string(error, precision=6)}")


def _slope(estimator: Estimator, fit: Fit, parameter: str, name: str) -> Any:
    """The derivative of a derived quantity by a result; of a profile height by height."""
    step = np.nan_to_num(1e-3 * fit.error[parameter].value)
    ends = [
        estimator.derive({**fit.results, parameter: fit[parameter] + (s * step << fit[parameter].unit)})[name]
        for s in (-1, 1)
    ]
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = (ends[1] - ends[0]).to_value(fit.derived[name].unit) / (2.0 * step)
    return np.where(step > 0.0, slope, 0.0)


@promise
def write_and_read(case: EstimatorCase) -> None:
    """A fit that is written comes back as it was: values, errors, counts and provenance."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "fit.ecsv"
        case.fit.write(path)
        back = Fit.read(path)
    demand_same_fit(back, case.fit, "written and read", 1e-12, 1e-12)
    for name in ("used", "left_out", "passes", "converged", "undetermined", "derived", "derived_error"):
        one, other = getattr(back, name), getattr(case.fit, name)
        same = (
            _same_quantities(one, other)
            if name.startswith("derived")
            else dict(one) == dict(other)
            if isinstance(other, dict)
            else one == other
        )
        demand(same, f"{name} comes back as {one}, not {other}")


def _same_quantities(one: Any, other: Any) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[k], other[k], equal_nan=True) for k in other)


# ---- what is missing, and too few ------------------------------------------------------------------------


@promise
def missing_values(case: EstimatorCase) -> None:
    """Rows that lack what the estimator needs are left out and counted by reason; the others are not harmed."""
    if not isinstance(case.rows, Stars):
        return
    stars, n = case.rows, len(case.rows)
    for i, name in enumerate(FIELDS):
        holes = np.arange(n) % 9 == i
        values: Any = np.array(getattr(stars.raw, name))
        values[..., holes] = np.nan
        fit = case.estimator.fit(stars.replace(**{name: values}))
        counted = fit.used + sum(fit.left_out.values())
        demand(counted == n, f"without {name} in some rows, {counted} of {n} rows are accounted for")
        if name == "direction" or name in case.estimator.needs:
            word = "position" if name == "direction" else name.replace("_", " ")
            demand(
                fit.left_out.get(f"no {word}") == holes.sum(),
                f"{holes.sum()} rows lack {name}; left out: {dict(fit.left_out)}",
            )
            demand_same_fit(fit, case.estimator.fit(stars[~holes]), f"rows with {name}", _SAME, 1e-8)


@promise
def parallaxes(case: EstimatorCase) -> None:
    """Zero and negative parallaxes are data, or left out by a reason; without errors too, if it can do without."""
    if not isinstance(case.rows, Stars):
        return
    n = len(case.rows)
    odd = np.select([np.arange(n) % 9 == 0, np.arange(n) % 9 == 1], [0.0, -0.1], case.rows.raw.parallax)
    for what, covariance in (("with", case.rows.covariance), ("without", None)):
        try:
            fit = case.estimator.fit(case.rows.replace(parallax=odd, covariance=covariance))
        except InputError as error:
            demand(covariance is None and "error" in str(error), f"{what} errors: {error}")
            continue
        counted = fit.used + sum(fit.left_out.values())
        demand(counted == n, f"{what} errors, {counted} of {n} rows are accounted for")
        _demand_finite(fit, f"{what} errors")


def _demand_finite(fit: Fit, what: str) -> None:
    for name, result in fit.items():
        demand(not np.isinf(result.value).any(), f"{what}: {name} is infinite")
        lost = np.isnan(result.value).any()
        demand(not lost or name in fit.undetermined, f"{what}: {name} is NaN without a word in `undetermined`")


@promise
def no_rows(case: EstimatorCase) -> None:
    """No rows, or none that can be used, are a clear error."""
    demand_input_error(lambda: case.estimator.fit(case.rows[:0]), "a fit of no rows")
    if isinstance(case.rows, Stars):
        empty = case.rows.replace(direction=np.full((3, len(case.rows)), np.nan))
        demand_input_error(lambda: case.estimator.fit(empty), "a fit of rows without position")


@promise
def few_rows(case: EstimatorCase) -> None:
    """One or two rows give an error, or results that own up to what they do not determine, never 0 +- 0."""
    for n in (1, 2):
        try:
            fit = case.estimator.fit(case.rows[:n])
        except AstrokinError:
            continue
        _demand_finite(fit, f"with {n} rows")
        for name, error in fit.error.items():
            demand(not (error.value == 0.0).any(), f"with {n} rows: {name} is {fit[name]} +- 0")


@promise
def clipping(case: EstimatorCase) -> None:
    """An estimator that defines `residual` can clip: an outlier goes, and is counted."""
    if type(case.estimator).residual is Estimator.residual or not isinstance(case.rows, Stars):
        return
    stars = case.rows
    wild = np.array(stars.raw.proper_motion)
    velocity = np.array(stars.raw.radial_velocity)
    wild[:, 0] *= 1e4
    velocity[0] = 1e6
    odd = stars.replace(proper_motion=wild, radial_velocity=velocity)
    if not {"proper_motion", "radial_velocity"} & set(case.estimator.reads or ("proper_motion",)):
        odd = stars.replace(parallax=np.where(np.arange(len(stars)) == 0, 1e4, 1.0) * stars.raw.parallax)
    fit = dataclasses.replace(case.estimator, clip=6.0).fit(odd)
    clipped = sum(k for reason, k in fit.left_out.items() if "clip" in reason)
    demand(clipped >= 1, f"a row of 10^4 times its motion, or parallax, stays in; left out: {dict(fit.left_out)}")
    if fit.used + sum(fit.left_out.values()) != len(stars):
        broken(f"{fit.used} used and {dict(fit.left_out)} left out are not {len(stars)} rows")
