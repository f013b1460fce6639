"""A source estimator with samples of its own making."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.fit import Fit
from astrokin.source_estimator import SourceEstimator
from astrokin.source_folding import keys_of
from astrokin.testing.checks import demand, having_run
from astrokin.testing.compare import demand_same_fit
from astrokin.testing.estimator_case import Blocks

#: Sources of the sample on which most promises are tried: some estimators take a while for each.
_SOURCES = 6
#: What another order of the same sums may change, in standard errors, and of covariances: steps of an iteration.
_SAME, _SAME_COVARIANCE = 1e-4, 1e-3


class SourceCase:
    """A source estimator and samples that it has simulated itself, from fixed seeds."""

    def __init__(self, estimator: SourceEstimator) -> None:
        self.estimator: Any = estimator

    def simulated(self, n: int, seed: int) -> tuple[Any, Mapping[str, u.Quantity]]:
        """A sample of n sources and its truth."""
        return self.estimator.simulate(n, np.random.default_rng(seed))

    @cached_property
    def rows(self) -> Any:
        """The rows of a few sources."""
        with having_run():
            return self.simulated(_SOURCES, 11)[0]

    @cached_property
    def fit(self) -> Fit:
        """The fit of these rows."""
        with having_run():
            return self.estimator.fit(self.rows)

    @property
    def keys(self) -> NDArray[Any]:
        """Whose each row is."""
        return keys_of(self.rows, self.estimator.by)

    def fit_blocks(self, parts: list[Any]) -> Fit:
        """The fit of a sample that comes in the given blocks."""
        return self.estimator.fit(Blocks(parts))


def demand_equal(one: Fit, other: Fit, what: str) -> None:
    """Both fits have the same sources, results, outcomes and counts."""
    demand(one.groups == other.groups, f"{what}: the sources are {one.groups}, not {other.groups}")
    demand_same_fit(one, other, what, _SAME, _SAME_COVARIANCE)
    outcomes = [list(np.atleast_1d(f.columns["outcome"])) for f in (one, other)]
    demand(outcomes[0] == outcomes[1], f"{what}: the outcomes are {outcomes[0]}, not {outcomes[1]}")
    counts = [(f.used, dict(f.left_out)) for f in (one, other)]
    demand(counts[0] == counts[1], f"{what}: {counts[0]} rows used and left out, not {counts[1]}")


def of_sources(fit: Fit, index: Any) -> Fit:
    """A part of the sources of a fit."""
    from dataclasses import replace

    groups = [fit.groups[i] for i in index]  # type: ignore[index]
    results = {k: v[index] for k, v in fit.results.items()}
    return replace(
        fit,
        results=results,
        covariance=None if fit.covariance is None else fit.covariance[index],
        columns={k: v[index] for k, v in fit.columns.items()},
        groups=groups,
        undetermined={k: fit.undetermined[k] for k, v in results.items() if np.isnan(v.value).any()},
    )
