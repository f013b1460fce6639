"""The kit's front door: lists of checks, all of them at once, or one pytest case for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from astrokin import registry
from astrokin.source_estimator import SourceEstimator
from astrokin.stars import Stars
from astrokin.testing.checks import Check, examples_of, run
from astrokin.testing.effect_promises import EFFECTS
from astrokin.testing.estimator_promises import ESTIMATORS
from astrokin.testing.source_promises import SOURCES


def effect_checks() -> tuple[Check, ...]:
    """Every promise of an effect, as named checks.

    Examples
    --------
    >>> import astrokin as ak
    >>> check = ak.testing.effect_checks()[0]
    >>> check.name, check.promise
    ('declarations', 'The class says its name, stage, needs and references, and documents itself and each parameter.')
    >>> check(ak.effects.ReflexMotion())
    """
    return EFFECTS.listed(slow=True)


def estimator_checks(slow: bool = False) -> tuple[Check, ...]:
    """Every promise of an estimator, as named checks; those that take long only with `slow`."""
    return ESTIMATORS.listed(slow)


def source_estimator_checks(slow: bool = False) -> tuple[Check, ...]:
    """Every promise of an estimator that solves each source on its own; those that take long only with `slow`."""
    return SOURCES.listed(slow)


def _checks_of(estimator: Any, slow: bool) -> tuple[Check, ...]:
    cls = estimator if isinstance(estimator, type) else type(estimator)
    return source_estimator_checks(slow) if issubclass(cls, SourceEstimator) else estimator_checks(slow)


def check_effect(effect: Any, *, stars: Stars | None = None, known_failures: Mapping[str, str] | None = None) -> None:
    """Try every promise on an effect.

    Parameters
    ----------
    effect : type or Effect
        A class, of which all `examples()` are tried, or an instance.
    stars : Stars, optional
        Stars to try it on, where its domain does not hold the kit's own, which are all over the sky.
    known_failures : mapping of str to str, optional
        Checks that are known to fail, with the reason. That they fail is then demanded.

    Raises
    ------
    ConformanceError
        A promise that is not kept: class, example, check, and the number that is off.

    Examples
    --------
    >>> import astrokin as ak
    >>> ak.testing.check_effect(ak.effects.ReflexMotion)
    """
    run(effect_checks(), examples_of(effect), known_failures or {}, stars=stars)


def check_estimator(estimator: Any, *, slow: bool = False, known_failures: Mapping[str, str] | None = None) -> None:
    """Try every promise on an estimator.

    Parameters
    ----------
    estimator : type, Estimator or SourceEstimator
        A class, of which all `examples()` are tried, or an instance.
    slow : bool
        Whether to calibrate the errors too, on many simulated samples.
    known_failures : mapping of str to str, optional
        Checks that are known to fail, with the reason. That they fail is then demanded.

    Raises
    ------
    ConformanceError
        A promise that is not kept: class, example, check, and the number that is off.
    """
    run(_checks_of(estimator, slow), examples_of(estimator), known_failures or {})


# ---- pytest ----------------------------------------------------------------------------------------------


def parametrize_effects(*effects: Any, known_failures: Mapping[str, str] | None = None) -> Any:
    """Decorate a test of ``(effect, check)``: one case for each example and promise.

    Parameters
    ----------
    *effects : type or Effect
        What to check; everything registered, plugins included, where none is given.
    known_failures : mapping of str to str, optional
        Checks that are known to fail, with the reason: they become strict xfails.

    Returns
    -------
    pytest.MarkDecorator

    Examples
    --------
    >>> import astrokin as ak
    >>> @ak.testing.parametrize_effects(ak.effects.ReflexMotion)
    ... def test_it_conforms(effect, check):
    ...     check(effect)
    """
    things = effects or registry.effect_classes().values()
    return _parametrized("effect", things, lambda _: effect_checks(), known_failures or {})


def parametrize_estimators(*estimators: Any, known_failures: Mapping[str, str] | None = None) -> Any:
    """Decorate a test of ``(estimator, check)``; slow checks bear the mark ``slow``. See `parametrize_effects`."""
    things = estimators or registry.estimator_classes().values()
    return _parametrized("estimator", things, lambda thing: _checks_of(thing, slow=True), known_failures or {})


Listed = Callable[[Any], tuple[Check, ...]]


def _parametrized(noun: str, things: Iterable[Any], checks: Listed, known: Mapping[str, str]) -> Any:
    import pytest

    cases = [pytest.param(e, c, id=name, marks=_marks(c, known)) for e, c, name in _cases(things, checks)]
    return pytest.mark.parametrize((noun, "check"), cases)


def _cases(things: Iterable[Any], checks: Listed) -> Iterator[tuple[Any, Check, str]]:
    for thing in things:
        examples = examples_of(thing)
        for i, example in enumerate(examples):
            label = example.name if len(examples) == 1 else f"{example.name}-{i}"
            for check in checks(thing):
                yield example, check, f"{label}-{check.name}"


def _marks(check: Check, known: Mapping[str, str]) -> list[Any]:
    import pytest

    marks: list[Any] = [pytest.mark.slow] if check.slow else []
    if check.name in known:
        marks.append(pytest.mark.xfail(reason=known[check.name], strict=True))
    return marks
