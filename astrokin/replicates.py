"""Poisson bootstrap weights that depend on the source, not on its place in the data.

Each replicate draws for each row a weight 0, 1, 2, ... from the Poisson distribution of mean one, from a hash of
the row's identity (its `source_id`, or the content of the row), of the replicate and of the seed. So no partition
of the data and no order of the rows changes a weight.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.stars import Stars

Hash = NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_MIX = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
#: Cumulative Poisson probabilities of mean one, as fractions of 2^64.
_STEPS = np.cumsum(np.exp(-1.0) / np.array([1, 1, 2, 6, 24, 120, 720, 5040, 40320, 362880, 3628800.0]))


def poisson_weights(rows: Any, replicate: int, seed: int) -> NDArray[np.float64]:
    """Poisson weights of mean one of the rows in one replicate, shape (n,)."""
    draw = _mixed(np.array([replicate], np.uint64) + _mixed(np.array([seed], np.uint64)))
    key = _mixed(identity(rows) + draw)
    uniform = (key >> np.uint64(11)).astype(np.float64) * 2.0**-53
    return np.searchsorted(_STEPS, uniform, side="right").astype(np.float64)


def identity(rows: Any) -> Hash:
    """A hash of each row: of its `source_id` where there is one, of its observables else, shape (n,)."""
    if "source_id" not in rows.columns:
        return _content(rows)
    ids = rows["source_id"]
    missing, values = _missing(ids), np.asarray(np.ma.getdata(ids))
    return np.where(missing, _content(rows), _hashed(values)) if missing.any() else _hashed(values)


def _missing(ids: Any) -> NDArray[np.bool_]:
    mask, values = np.ma.getmaskarray(ids), np.asarray(np.ma.getdata(ids))
    if values.dtype.kind == "f":
        return mask | np.isnan(values)
    if values.dtype.kind in "iub":
        return mask
    return mask | np.fromiter((v is None or v != v or not v for v in values.tolist()), bool, len(values))


def _content(rows: Any) -> Hash:
    if not isinstance(rows, Stars):
        return _combined([v for v in rows.columns.values() if isinstance(v, np.ndarray)], len(rows))
    raw = rows.raw
    return _combined(
        [raw.angle("ra"), raw.angle("dec"), raw.parallax, raw.angle("pmra"), raw.angle("pmdec")], len(rows)
    )


def _combined(arrays: list[Any], n: int) -> Hash:
    total = np.zeros(n, np.uint64)
    for array in arrays:
        total = _mixed(total + _hashed(np.asarray(array)))
    return total


def _hashed(array: NDArray[Any]) -> Hash:
    if array.dtype.kind in "iub":
        return _mixed(array.astype(np.int64).view(np.uint64))
    if array.dtype.kind == "f":
        return _mixed((np.asarray(array, np.float64) + 0.0).view(np.uint64))
    return _hashed_text(array.astype(np.str_))


def _hashed_text(array: NDArray[np.str_]) -> Hash:
    width = array.dtype.itemsize // 4
    native = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    letters = native.view(np.uint32).reshape(len(array), width)
    total = np.zeros(len(array), np.uint64)
    for letter in letters.T:
        # Padding is passed over: the width of the array must not matter.
        total = np.where(letter == 0, total, _mixed(total + letter.astype(np.uint64)))
    return total


def _mixed(x: Hash) -> Hash:
    """The finaliser of SplitMix64 (Steele, Lea & Flood 2014)."""
    x = x + _STEP
    x = (x ^ (x >> np.uint64(30))) * _MIX[0]
    x = (x ^ (x >> np.uint64(27))) * _MIX[1]
    return x ^ (x >> np.uint64(31))
