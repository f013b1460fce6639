"""Errors and warnings, all of them: one place to look up what can go wrong.

Every error names the object, the value, what is allowed and what to do. Each class also derives from the
built-in error a caller would expect to catch (`ValueError`, `KeyError`, `OSError` ...).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class AstrokinError(Exception):
    """Base of every error that astrokin raises on purpose."""


class InputError(AstrokinError, ValueError):
    """A value that cannot be used: wrong unit, shape, range or combination."""


class _ReadableKeyError(AstrokinError, KeyError):
    """A `KeyError` whose message prints as text, not as a quoted repr."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class ArgumentError(AstrokinError, TypeError):
    """A keyword that a class does not take, or one that it cannot do without."""


class UnknownNameError(_ReadableKeyError):
    """A name that nothing answers to."""


class AmbiguousNameError(AstrokinError, LookupError):
    """A name that two plugins gave to two different classes."""


class MissingColumnError(_ReadableKeyError):
    """A column that the data do not have."""


class RefusedRowsError(InputError):
    """Rows outside an effect's domain, where the caller asked for an error."""


class MissingValueError(InputError):
    """Missing values where the caller asked for an error."""


class StageOrderError(InputError):
    """Effects chained in an order in which light does not meet them."""


class NotConvergedError(AstrokinError, RuntimeError):
    """An iteration that did not reach its tolerance."""


class FileError(AstrokinError, OSError):
    """A file that cannot be read or written as asked."""


class MissingDependencyError(AstrokinError, ImportError):
    """An optional package that is not installed; the message says what to install."""


class ConformanceError(AstrokinError, AssertionError):
    """A promise of the contract that an effect or an estimator does not keep."""


class AstrokinWarning(UserWarning):
    """Base of every warning that astrokin gives."""


class PluginWarning(AstrokinWarning):
    """A plugin that could not be loaded; the rest works on."""


class RowsWarning(AstrokinWarning):
    """Rows that were refused or flagged, with their number and the reason."""


class AccuracyWarning(AstrokinWarning):
    """A result that is less accurate than usual, with the reason and by how much."""


class DroppedWarning(AstrokinWarning):
    """Information that the asked-for output type cannot hold."""


def closest_first(name: str, known: Iterable[str]) -> list[str]:
    """Sort `known` so that the names most like `name` come first; names as like as each other keep their order.

    Like is what begins alike, whatever the case, and then what has most in common.
    """
    given = name.lower()

    def order(k: str) -> tuple[bool, float]:
        return not (given and k.lower().startswith(given)), -difflib.SequenceMatcher(None, name, k).ratio()

    return sorted(known, key=order)


def some_rows(rows: Iterable[int], limit: int = 5) -> str:
    """Name a few row numbers and how many more there are: ``rows 0, 4, 7 and 12 more``."""
    rows = [int(r) for r in rows]
    text = ("row " if len(rows) == 1 else "rows ") + ", ".join(map(str, rows[:limit]))
    return text + (f" and {len(rows) - limit} more" if len(rows) > limit else "")
