"""What a check is: a named promise, tried on an example, that fails with the number that is off."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NoReturn

from astrokin.errors import AstrokinWarning, ConformanceError, InputError, closest_first


class Broken(AssertionError):
    """A promise is not kept; the text says by how much."""


def broken(text: str) -> NoReturn:
    """Say that the promise of the running check is not kept."""
    raise Broken(text)


def demand(kept: Any, text: str) -> None:
    """Say so where a promise is not kept."""
    if not kept:
        broken(text)


@contextmanager
def having_run() -> Iterator[None]:
    """What goes wrong before a promise can be tried is the fault of another one: ``runs``."""
    try:
        yield
    except Broken:
        raise
    except Exception as error:
        raise Broken(f"it cannot be tried, as nothing runs (see the check runs): {said(error)}") from error


def said(error: BaseException) -> str:
    """The kind of an error and its text."""
    return f"{type(error).__name__}: {error}"


@dataclass(frozen=True)
class Check:
    """One promise of the contract, to be tried on an example: ``check(example)``.

    Attributes
    ----------
    name : str
        Such as ``"round-trip"``.
    promise : str
        What is promised, in a sentence.
    slow : bool
        Whether it takes more than a few seconds.
    """

    name: str
    promise: str
    function: Callable[[Any], None]
    case: Callable[..., Any]
    slow: bool = False

    def __repr__(self) -> str:
        return f"<check {self.name}>"

    def __call__(self, example: Any, **options: Any) -> None:
        """Try the promise on an example.

        Raises
        ------
        ConformanceError
            The promise is not kept, or something was raised on the way.
        """
        try:
            with only_expected_warnings():
                self.function(self.case(example, **options))
        except Broken as fault:
            raise ConformanceError(self._told(example, str(fault))) from fault.__cause__
        except Exception as error:
            raise ConformanceError(self._told(example, said(error))) from error

    def _told(self, example: Any, fault: str) -> str:
        kind = type(example)
        head = f"{kind.__module__}.{kind.__qualname__} breaks {self.name}: {fault}"
        return f"{head}\n  example: {example!r}\n  promise: {self.promise}"


@contextmanager
def only_expected_warnings() -> Iterator[None]:
    """Numerical warnings are faults; what astrokin itself tells about rows is not."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", AstrokinWarning)
        yield


class Checks:
    """The checks of one kind, in the order in which they were written down."""

    def __init__(self) -> None:
        self._all: dict[str, Check] = {}

    def add(self, case: Callable[..., Any], slow: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
        """Decorator: the function's name is the check's, the first line of its docstring the promise."""

        def entered(function: Callable[..., None]) -> Callable[..., None]:
            name = function.__name__.replace("_", "-")
            promise = (function.__doc__ or "").strip().partition("\n")[0]
            self._all[name] = Check(name, promise, function, case, slow)
            return function

        return entered

    def listed(self, slow: bool) -> tuple[Check, ...]:
        """All checks, those that are slow only on request."""
        return tuple(c for c in self._all.values() if slow or not c.slow)


def run(checks: tuple[Check, ...], examples: list[Any], known_failures: Mapping[str, str], **options: Any) -> None:
    """Every check on every example; a failure that is declared must happen."""
    unknown = set(known_failures) - {c.name for c in checks}
    if unknown:
        name = min(unknown)
        raise InputError(
            f"No check is called {name!r}; there are: {', '.join(closest_first(name, (c.name for c in checks)))}."
        )
    for check in checks:
        if check.name in known_failures:
            _expect_failure(check, examples, known_failures[check.name], options)
            continue
        for example in examples:
            check(example, **options)


def _expect_failure(check: Check, examples: list[Any], reason: str, options: Mapping[str, Any]) -> None:
    for example in examples:
        try:
            check(example, **options)
        except ConformanceError:
            return
    raise ConformanceError(f"{check.name} is declared to fail ({reason}), but every example keeps its promise.")


def examples_of(thing: Any) -> list[Any]:
    """The examples of a class, or just the instance that was given."""
    if not isinstance(thing, type):
        return [thing]
    cls: Any = thing
    examples = list(cls.examples())
    if not examples or not all(isinstance(e, thing) for e in examples):
        raise ConformanceError(
            f"{thing.__module__}.{thing.__qualname__}.examples() must yield instances of the class, at least one."
        )
    return examples
