"""One estimator of the demo: its sample, the way through the effects and back, and the fit against the truth."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from astrokin import registry
from astrokin.chain import Chain
from astrokin.cli.data import sample
from astrokin.cli.settings import differing
from astrokin.errors import AstrokinWarning
from astrokin.fit_output import entry
from astrokin.source_estimator import sample_size
from astrokin.stars import Stars

#: A pull beyond this is no chance.
TOO_FAR = 5.0
#: Values beyond which only a few are shown, and how many.
MANY, FEW = 40, 8
_HEAD = 1000
_OBSERVABLES = {
    "parallax": "mas",
    "proper_motion": "mas/yr",
    "radial_velocity": "km/s",
}


@dataclass(frozen=True)
class Row:
    """Truth and estimate of one value."""

    name: str
    truth: float
    value: float
    error: float
    unit: Any
    reason: str = ""

    @property
    def pull(self) -> float:
        """(estimate - truth) / error."""
        return (self.value - self.truth) / self.error if self.error > 0 else float("nan")

    def cells(self) -> tuple[str, str, str, str]:
        """Name, truth, estimate and pull as text."""
        shown = f"{self.pull:+.2f}" if np.isfinite(self.pull) else self.reason or "no error"
        return self.name, f"{self.truth:.6g}", entry(self.value, self.error, self.unit), shown


@dataclass
class Trial:
    """What became of one estimator; `error` where something failed."""

    label: str
    fit: Any = None
    rows: list[Row] = field(default_factory=list)
    way: list[str] = field(default_factory=list)
    changes: list[tuple[str, ...]] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    def lines(self) -> Iterator[str]:
        """The trial as text."""
        yield self.label
        yield from (f"  {line}" for line in self.way)
        if self.error:
            yield f"  FAILED: {self.error}"
            return
        yield f"  {self.fit.used:,} rows used, {self.fit.passes} passes, {self.seconds:.2f} s" + (
            "" if self.fit.converged else ", NOT CONVERGED"
        )
        cells = [("", "truth", "estimate", "pull"), *(row.cells() for row in self.shown)]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for row in cells:
            yield "    " + "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        if len(self.shown) < len(self.rows):
            yield f"    … {self.hidden}"

    @property
    def shown(self) -> list[Row]:
        """The rows to show: of very many only those that are off by most."""
        return self.rows if len(self.rows) <= MANY else sorted(self.rows, key=_by_pull, reverse=True)[:FEW]

    @property
    def hidden(self) -> str:
        """What is not shown, in words."""
        pulls = np.array([row.pull for row in self.rows])
        pulls = pulls[np.isfinite(pulls)]
        width = f"; root mean square pull of all {np.sqrt(np.mean(pulls**2)):.2f}" if len(pulls) else ""
        return f"{len(self.rows) - len(self.shown):,} more values, with smaller pulls{width}"


def _by_pull(row: Row) -> float:
    return abs(row.pull) if np.isfinite(row.pull) else -1.0


def failed(trials: list[Trial]) -> list[Trial]:
    """The trials that went wrong, or far from the truth."""
    return [t for t in trials if t.error or _far(t.rows)]


def _far(rows: list[Row]) -> bool:
    """Whether a pull is no chance; of very many, fits of single sources, one in two hundred may be (an alias, say)."""
    far = sum(abs(row.pull) > TOO_FAR for row in rows)
    return far > (len(rows) / 200 if len(rows) > MANY else 0)


def summary(trials: list[Trial]) -> str:
    """All trials in one line."""
    pulls = np.array([row.pull for t in trials for row in t.rows])
    pulls = pulls[np.isfinite(pulls)]
    spread = (
        f"root mean square pull {np.sqrt(np.mean(pulls**2)):.2f}, largest {np.abs(pulls).max():.2f}"
        if len(pulls)
        else "no pulls"
    )
    bad = failed(trials)
    tail = f"; {len(bad)} went wrong: {', '.join(t.label for t in bad)}" if bad else ""
    return f"{len(trials)} fits, {len(pulls)} values with errors: {spread}{tail}."


# ---- effects ---------------------------------------------------------------------------------------------


def effects_for_demo() -> tuple[list[Any], dict[str, str]]:
    """The first example of every registered effect, and why some have none that works without data of one's own."""
    effects, skipped = [], {}
    for name, cls in registry.effect_classes().items():
        try:
            effect = next(iter(cls.examples()))
            if effect.column_names:
                skipped[name] = f"its example needs the columns {', '.join(effect.column_names)}"
            else:
                effects.append(effect)
        except Exception as error:  # a plugin's example may fail in any way; the demo says so and goes on
            skipped[name] = _said(error)
    return effects, skipped


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}" if str(error) else type(error).__name__


# ---- one estimator ---------------------------------------------------------------------------------------


def trial(estimator: Any, effects: list[Any], n: int, seed: Any) -> Trial:
    """Simulate, go through the effects and back, fit, compare."""
    out = Trial(f"{estimator.name} {differing(estimator)}".rstrip())
    try:
        rows, truth = sample(estimator, sample_size(estimator, n), seed)
        rows = _there_and_back(rows, effects, out)
        start = time.perf_counter()
        out.fit = estimator.fit(rows)
        out.seconds = time.perf_counter() - start
        out.rows = list(compared(out.fit, truth))
    except Exception as error:  # whatever a plugin raises is its own failure; the others go on
        out.error = _said(error)
    return out


def _there_and_back(rows: Any, effects: list[Any], out: Trial) -> Any:
    if not isinstance(rows, Stars):
        out.way.append(f"straight to the fit: effects are for Stars, these are {type(rows).__name__}")
        return rows
    chain = _chain(rows[:_HEAD], effects, out)
    if chain is None:
        return rows
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", AstrokinWarning)
        out.changes = list(_changes(chain, rows[:_HEAD]))
        caught.clear()
        back = chain.remove(chain.apply(rows))
    out.way.append(f"through {' | '.join(e.name for e in chain)} and back: {_difference(rows, back)}")
    out.way += [f"note: {' '.join(str(w.message).split())}" for w in caught]
    return back


def _chain(head: Stars, effects: list[Any], out: Trial) -> Chain | None:
    """The physical chain of the effects that these stars can take; the others are told."""
    good = []
    for effect in effects:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AstrokinWarning)  # told for the whole sample
                back = effect.remove(effect.apply(head))
            lost = int(np.count_nonzero(np.isnan(back.direction[0]) & ~np.isnan(head.direction[0])))
            if lost:
                out.way.append(f"without {effect.name}: it takes but {len(head) - lost} of {len(head)} of these stars")
            else:
                good.append(effect)
        except Exception as error:  # as above
            out.way.append(f"without {effect.name}: {_said(error)}")
    return Chain.physical(*good) if good else None


def _difference(before: Stars, after: Stars) -> str:
    """The largest differences between two versions of the same stars."""
    chord = np.linalg.norm(after.direction - before.direction, axis=0)
    told = [f"positions within {_largest(np.degrees(chord) * 3600.0):.1g} arcsec"]
    for name, unit in _OBSERVABLES.items():
        told.append(f"{name} {_largest(np.abs(getattr(after.raw, name) - getattr(before.raw, name))):.1g} {unit}")
    lost = int(np.sum(np.isnan(after.raw.parallax) & ~np.isnan(before.raw.parallax)))
    return ", ".join(told) + (f"; {lost:,} rows lost" if lost else "")


def _largest(values: Any) -> float:
    known = values[np.isfinite(values)]
    return float(known.max()) if known.size else 0.0


def _changes(chain: Chain, head: Stars) -> Iterator[tuple[str, ...]]:
    """Median size of what each effect does: on the sky, to parallax, proper motion and radial velocity."""
    table = chain.change(head)
    for effect in chain:
        rows = table[table["effect"] == effect.name]
        sky = np.hypot(rows["delta_ra_cosdec"], rows["delta_dec"])
        motion = np.hypot(rows["delta_pmra"], rows["delta_pmdec"])
        sizes = (sky, rows["delta_parallax"], motion, rows["delta_radial_velocity"])
        yield (effect.name, *map(_typical, sizes))


def _typical(change: Any) -> str:
    """Median size of a change over the stars in which it is known."""
    known = np.abs(change.value[np.isfinite(change.value)])
    return f"{np.median(known):.3g} {change.unit}" if known.size else "not known"


def compared(fit: Any, truth: Mapping[str, Any]) -> Iterator[Row]:
    """Truth against estimate, for every true value that the fit has."""
    errors = fit.error
    for name, true in truth.items():
        value = fit.results.get(name, fit.derived.get(name))
        if value is None:
            continue
        error = errors[name] if name in fit.results else fit.derived_error[name]
        arrays = np.broadcast_arrays(true.to_value(value.unit), value.value, error.to_value(value.unit))
        for i in np.ndindex(arrays[0].shape):
            place = f"[{', '.join(map(str, i))}]" if i else ""
            at_truth, found, spread = (float(a[i]) for a in arrays)
            yield Row(name + place, at_truth, found, spread, unit=value.unit, reason=fit.undetermined.get(name, ""))
