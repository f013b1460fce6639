"""Rows in memory: map a function over blocks of them, or fold them into one summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from astrokin.progress import progress as shown

#: Rows in a block: the temporaries of a block stay in the cache.
BLOCK = 1 << 14
#: Rows in a block of a fold: of its many small operations the calls weigh more than what no longer is in the cache.
FOLDED = 1 << 15


def slices(n: int, size: int = BLOCK) -> Iterator[slice]:
    """Consecutive slices of at most `size` rows; one empty slice where there are no rows."""
    for start in range(0, max(n, 1), size):
        yield slice(start, min(start + size, n))


def map_blocks(
    function: Callable[[Any], Any], rows: Any, size: int = BLOCK, progress: bool = False, label: str = ""
) -> Iterator[Any]:
    """Apply a function to blocks of rows and yield the results in order, each as it is ready."""
    parts = shown(slices(len(rows), size), -(-len(rows) // size), label, progress)
    for part in parts:
        yield function(rows if len(rows) <= size else rows[part])


class MemorySource:
    """Rows in memory, as a source of blocks."""

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def blocks(self, size: int = BLOCK) -> Iterator[Any]:
        """The rows, block by block; one empty block where there are none."""
        for part in slices(len(self.rows), size):
            yield self.rows[part]
