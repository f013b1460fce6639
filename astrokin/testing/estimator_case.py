"""An estimator with samples of its own making, and sources that serve them in unusual blocks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property, reduce
from itertools import pairwise
from typing import Any

import astropy.units as u
import numpy as np

from astrokin.errors import InputError
from astrokin.estimator_base import Estimator
from astrokin.fit import Fit
from astrokin.testing.checks import demand, having_run


class EstimatorCase:
    """An estimator and samples that it has simulated itself, from fixed seeds."""

    def __init__(self, estimator: Estimator) -> None:
        self.estimator: Any = estimator

    def simulated(self, n: int, seed: int) -> tuple[Any, Mapping[str, u.Quantity]]:
        """A sample and its truth."""
        return self.estimator.simulate(n, np.random.default_rng(seed))

    @cached_property
    def rows(self) -> Any:
        """A few hundred rows: enough for a fit, few enough for many fits."""
        with having_run():
            return self.simulated(300, 11)[0]

    @cached_property
    def fit(self) -> Fit:
        """The fit of these rows."""
        with having_run():
            return self.estimator.fit(self.rows)

    def fit_blocks(self, parts: Sequence[Any], merge: Callable[[list[Any]], Any] | None = None) -> Fit:
        """The fit of a sample that comes in the given blocks, their summaries merged in a given way."""
        return self.estimator.fit(_Tree(parts, merge) if merge else Blocks(parts))


class Blocks:
    """Blocks as they are."""

    def __init__(self, parts: Sequence[Any]) -> None:
        self.parts = list(parts)

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def blocks(self, size: int) -> Iterator[Any]:
        return iter(self.parts)


class _Tree(Blocks):
    """Blocks whose summaries are merged in an order of one's own, as a cluster does."""

    def __init__(self, parts: Sequence[Any], merge: Callable[[list[Any]], Any]) -> None:
        super().__init__(parts)
        self.merge = merge

    def fold(self, function: Callable[[Any], Any], **_: Any) -> Any:
        return self.merge([function(part) for part in self.parts])


def from_the_right(summaries: list[Any]) -> Any:
    """a + (b + (c + d))."""
    return reduce(lambda right, left: left.merge(right), reversed(summaries))


def in_pairs(summaries: list[Any]) -> Any:
    """(a + b) + (c + d)."""
    while len(summaries) > 1:
        pairs = [summaries[i : i + 2] for i in range(0, len(summaries), 2)]
        summaries = [p[0] if len(p) == 1 else p[0].merge(p[1]) for p in pairs]
    return summaries[0]


def cut(rows: Any, ends: Sequence[int]) -> list[Any]:
    """Rows cut at the given places."""
    edges = (0, *ends, len(rows))
    return [rows[a:b] for a, b in pairwise(edges)]


def demand_input_error(act: Callable[[], Any], what: str) -> None:
    """Something raises an `InputError` that says something."""
    try:
        act()
    except InputError as error:
        demand(len(str(error)) > 10, f"{what}: the error says nothing: {error}")
        return
    demand(False, f"{what} raises no InputError")
