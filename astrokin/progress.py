"""A progress bar for long loops, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def progress(
    iterable: Iterable[T],
    total: int | None,
    label: str,
    show: bool,
    size: Callable[[Any], int] | None = None,
) -> Iterator[T]:
    """Pass the items on and show how far the loop is, if asked to and if standard error is a terminal.

    Parameters
    ----------
    iterable : iterable
        What to loop over.
    total : int or None
        How much there is in all, in the unit of `size`.
    label : str
        What is being done.
    show : bool
        Whether a bar is wanted.
    size : callable, optional
        How far one item takes us, for example `len`; otherwise every item counts as one.

    Examples
    --------
    >>> from astrokin.progress import progress
    >>> list(progress(range(3), 3, "counting", show=False))
    [0, 1, 2]
    """
    if not (show and sys.stderr.isatty()):
        yield from iterable
        return
    from tqdm import tqdm

    with tqdm(total=total, desc=label, unit_scale=True, unit=" rows" if size else " steps") as bar:
        for item in iterable:
            yield item
            bar.update(size(item) if size else 1)
