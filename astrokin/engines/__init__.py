"""Engines: map a function over blocks of rows, or fold it into one summary, wherever the rows are.

An engine knows neither effects nor estimators; it is handed a picklable function of a block. What it reads from
is a *source*: anything with ``blocks(size)``, which yields the rows block by block and may be called again for
another pass. A source that can do better (a cluster, say) brings a ``fold`` of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol, Self, TypeVar

from astrokin.engines.memory import BLOCK, FOLDED, MemorySource, map_blocks, slices
from astrokin.progress import progress as shown


class Mergeable(Protocol):
    """A summary that merges with another of its kind."""

    def merge(self, other: Self, /) -> Self: ...


class Source(Protocol):
    """Rows that can be passed over block by block, more than once."""

    def __len__(self) -> int: ...
    def blocks(self, size: int) -> Iterator[Any]: ...


S = TypeVar("S", bound=Mergeable)


def fold(
    function: Callable[[Any], S], source: Source, size: int = FOLDED, progress: bool = False, label: str = ""
) -> S:
    """Collect every block of a source and merge what comes of them.

    Parameters
    ----------
    function : callable
        From a block of rows to a summary; given a block of zero rows it returns the empty summary.
    source : Source
    size : int
        Rows in a block. The result does not depend on it beyond round-off.
    progress : bool
        Whether to show a bar on a terminal.
    label : str
        What the bar says.

    Returns
    -------
    summary
    """
    own = getattr(source, "fold", None)
    if own is not None:
        return own(function, size=size, progress=progress, label=label)
    total: S | None = None
    for block in shown(source.blocks(size), -(-len(source) // size), label, progress):
        part = function(block)
        total = part if total is None else total.merge(part)
    if total is None:
        raise ValueError("A source yields at least one block, an empty one where it has no rows.")
    return total


__all__ = ["BLOCK", "FOLDED", "MemorySource", "Mergeable", "Source", "fold", "map_blocks", "slices"]
