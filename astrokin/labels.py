"""Where labels stand among the known ones: by tables, where these are whole numbers or text, else by bisection."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.missing import as_text, gaps

Mask = NDArray[np.bool_]
Places = NDArray[np.intp]

#: Entries of a table per label, and how many there are in any case.
_SPARSE, _SMALL = 16, 1 << 10
#: Entries of the table of text, and how often another one is tried where two labels have one place.
_TEXTS, _TRIALS = 1 << 14, 8


def places(values: Any, labels: tuple[Any, ...]) -> tuple[Places, Mask]:
    """The place of each value (n,) among the labels, which are sorted, and whether it is one of them.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.labels import places
    >>> place, found = places(np.array(["b", "c", "a"]), ("a", "b"))
    >>> place[found], found
    (array([1, 0]), array([ True, False,  True]))
    """
    if not labels or not len(values):
        return np.zeros(len(values), np.intp), np.zeros(len(values), bool)
    known, values = np.asarray(labels), as_text(getattr(values, "value", values))
    missing = gaps(values)
    plain = np.asarray(np.ma.getdata(getattr(values, "unmasked", values)))
    some = bool(missing.any())
    plain = np.where(missing, known[0], plain) if some else plain
    place = _looked_up(plain, known, labels)
    found = known.take(place) == plain
    return place, found & ~missing if some else found


def _looked_up(plain: NDArray[Any], known: NDArray[Any], labels: tuple[Any, ...]) -> Places:
    """The place of each value that is a label; any place of the others."""
    kinds = plain.dtype.kind + known.dtype.kind
    if kinds in ("ii", "ui", "iu", "uu"):
        lowest, spread = int(known[0]), int(known[-1]) - int(known[0])
        if spread < max(_SMALL, _SPARSE * len(known)) and -(2**62) < lowest < 2**62:
            table = np.zeros(spread + 1, np.intp)
            table[known.astype(np.intp) - lowest] = np.arange(len(known))
            return table.take(plain.astype(np.intp, copy=False) - lowest, mode="clip")
    if kinds == "UU" and (hashed := _text_table(labels)) is not None:
        factors, table = hashed
        return table.take(_digest(plain, factors))
    return np.minimum(np.searchsorted(known, plain), len(known) - 1)


@lru_cache(maxsize=16)
def _text_table(labels: tuple[str, ...]) -> tuple[NDArray[np.uint32], Places] | None:
    """Random factors of the characters, and a table of places by digest; None where some labels share theirs."""
    known = np.asarray(labels)
    for seed in range(_TRIALS):
        factors = np.random.default_rng(seed).integers(0, 2**32, 256, dtype=np.uint32)
        digest = _digest(known, factors)
        if len(np.unique(digest)) == len(labels):
            table = np.zeros(_TEXTS, np.intp)
            table[digest] = np.arange(len(labels))
            return factors, table
    return None


def _digest(text: NDArray[Any], factors: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """A number below the table's length from each text (n,), whatever its type has of empty characters at the end."""
    codes = np.ascontiguousarray(text).astype(text.dtype.newbyteorder("="), copy=False).view(np.uint32)
    codes = codes.reshape(len(text), -1)[:, : len(factors)]
    return (codes @ factors[: codes.shape[1]]) // np.uint32(2**32 // _TEXTS)
