"""The verbs of every effect, from file to file: Parquet is streamed, the rest goes through memory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from astrokin import verbs
from astrokin.doors.files import existing_file, extension, read_table, writable, write_table
from astrokin.stars import Stars
from astrokin.tables import door, storable
from astrokin.verbs import Rules

if TYPE_CHECKING:
    from astrokin.effect_base import Effect

_STREAMED = {".parquet", ".pq"}


def run(
    effect: Effect,
    verb: str,
    source: Any,
    target: Any,
    rules: Rules | None = None,
    names: Mapping[str, str] | None = None,
    overwrite: bool = False,
) -> int:
    """Apply or remove an effect on the sources of a file, and write another file.

    All columns go along; what the effect does not touch stays as it is. The target is whole or not there.

    Parameters
    ----------
    effect : Effect
    verb : {"apply", "remove"}
    source, target : path-like
        The files.
    rules : Rules, optional
        What becomes of missing radial velocities and refused rows, and whether progress is shown.
    names : mapping of str to str, optional
        The file's own column names by astrokin's.
    overwrite : bool
        Whether the target may be replaced.

    Returns
    -------
    int
        The number of rows.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> from astrokin import verb_files
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     place = pathlib.Path(folder)
    ...     ak.Stars(ra=[10] * u.deg, dec=[20] * u.deg, parallax=[5] * u.mas,
    ...              radial_velocity=[3] * u.km / u.s).write(place / "in.ecsv")
    ...     n = verb_files.run(ak.effects.ReflexMotion(), "apply", place / "in.ecsv", place / "out.csv")
    ...     n, ak.Stars.read(place / "out.csv").radial_velocity.round(2)
    (1, <Quantity [4.07] km / s>)
    """
    rules = rules or Rules()
    kinds = {extension(existing_file(source)), extension(writable(target, overwrite))}  # all said before any work
    run_one = _stream if kinds <= _STREAMED else _through_memory
    return run_one(effect, verb, source, target, rules, names, overwrite)


def _stream(effect: Effect, verb: str, source: Any, target: Any, rules: Rules, names: Any, overwrite: bool) -> int:
    from astrokin.engines.parquet import map_file

    step = Step(effect, verb, rules)
    label = f"{verb} {effect.name}"
    columns = effect.column_names
    map_file(step, source, target, names, overwrite, rules.progress, columns=columns, label=label)
    verbs.warn_of(effect, verb, step.counts, step.rows)
    return step.rows


class Step:
    """An effect on one block after another, which counts what it refuses."""

    def __init__(self, effect: Effect, verb: str, rules: Rules) -> None:
        self.effect, self.rules = effect, rules
        self.work = verbs.BlockRun(effect, verb, rules, angles=True)
        self.counts: Counter[str] = Counter()
        self.rows = 0

    def __call__(self, stars: Stars) -> tuple[Stars, frozenset[str]]:
        verbs.check_missing(self.effect, stars, self.rules)
        out = self.work(stars)
        self.counts.update(verbs.noted(self.effect, stars, out, self.rules))
        self.rows += len(stars)
        return out, out.changed_since(stars)


def _through_memory(
    effect: Effect, verb: str, source: Any, target: Any, rules: Rules, names: Any, overwrite: bool
) -> int:
    entry = door(_astropy(read_table(source)), names)
    out = verbs.run_on_stars(effect, verb, entry.stars, rules, angles=True)
    write_table(entry.back(out, out.changed_since(entry.stars)), Path(target), overwrite)
    return len(out)


def _astropy(table: Any) -> Any:
    """A table as astropy's, that of a Parquet file included; its units go along."""
    if not hasattr(table, "to_pydict"):
        return table
    from astropy.table import Table

    from astrokin.doors.arrow import ArrowKind

    kind = ArrowKind()
    return Table({name: storable(kind.column(table, name)) for name in table.column_names}, masked=None)
