"""The conformance kit: what every effect and every estimator promises, as checks that anyone can run.

`check_effect` and `check_estimator` try every promise on every example of a class and raise a `ConformanceError`
that names the promise and the number that is off. `parametrize_effects` and `parametrize_estimators` make one
pytest case of each.
"""

from __future__ import annotations

from astrokin.errors import ConformanceError
from astrokin.testing import strategies
from astrokin.testing.checks import Check
from astrokin.testing.kit import (
    check_effect,
    check_estimator,
    effect_checks,
    estimator_checks,
    parametrize_effects,
    parametrize_estimators,
    source_estimator_checks,
)

__all__ = [
    "Check",
    "ConformanceError",
    "check_effect",
    "check_estimator",
    "effect_checks",
    "estimator_checks",
    "parametrize_effects",
    "parametrize_estimators",
    "source_estimator_checks",
    "strategies",
]
