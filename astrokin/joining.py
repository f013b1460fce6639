"""Blocks of stars put together again as they come, what was not touched shared with the whole they were cut from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from astrokin import angles
from astrokin.covariance import Covariance
from astrokin.missing import as_text
from astrokin.star_fields import ANGLES, VECTORS, frozen, julian_year
from astrokin.units import is_quantity

if TYPE_CHECKING:
    from astrokin.stars import Stars

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_SCALARS = ("parallax", "radial_velocity")


def joined(parts: Iterable[Stars], n: int, whole: Stars | None = None) -> Stars:
    """One `Stars` of n rows from consecutive blocks, which may come from an iterator and need not all live at once.

    What the blocks share with `whole` (the very memory of its rows) is shared, not copied.
    """
    gathering = _Gathering(n, whole)
    for part in parts:
        if len(part) == n and gathering.filled == 0:
            return part
        gathering.add(part)
    return gathering.result()


class _Gathered:
    """One array filled block by block; as long as every block is its own memory, just the whole's."""

    def __init__(self, n: int, whole: NDArray | None) -> None:
        self.n, self.whole = n, whole
        self.out: NDArray | None = None

    def add(self, part: NDArray, rows: slice) -> None:
        if self.out is None:
            if self.whole is not None and is_part(part, self.whole, rows):
                return
            self.out = np.empty((*part.shape[:-1], self.n), part.dtype)
            if self.whole is not None:
                self.out[..., : rows.start] = self.whole[..., : rows.start]
        self.out[..., rows] = part

    @property
    def so_far(self) -> NDArray:
        """The array as filled (the rows after it are not yet meant)."""
        found = self.whole if self.out is None else self.out
        assert found is not None
        return found

    def result(self) -> NDArray:
        return self.so_far if self.out is None else frozen(self.out)


def _address(array: NDArray) -> int:
    return array.__array_interface__["data"][0]


class _Gathering:
    def __init__(self, n: int, whole: Stars | None) -> None:
        self.n, self.whole, self.filled = n, whole, 0
        self.parts: list[dict[str, Any]] = []
        self.angles = {k: _Gathered(n, self._of_whole("_memo", k)) for k in ANGLES}
        self.fields = {k: _Gathered(n, self._of_whole("_fields", k)) for k in _SCALARS}

    def _of_whole(self, store: str, name: str) -> NDArray | None:
        return None if self.whole is None else getattr(self.whole, store).get(name)

    def add(self, part: Stars) -> None:
        self.last = part
        rows = slice(self.filled, self.filled + len(part))
        self._keep_angles(part)
        for name, gathered in self.angles.items():
            gathered.add(part._memo[name], rows)
        for name, gathered in self.fields.items():
            gathered.add(part._vector(name) if name in VECTORS else part._fields[name], rows)
        kept = ("_columns", "_covariance", "_epoch", "_group", "_weight", "_flags", "_refused")
        self.parts.append({"rows": rows, **{k: getattr(part, k) for k in kept}})
        self.filled = rows.stop

    def _keep_angles(self, part: Stars) -> None:
        """Vectors instead of the angles from the first block on that lacks one of these."""
        complete = all(k in part._memo for k in ANGLES) and len(self.angles) == len(ANGLES)
        if not complete and VECTORS[0] not in self.fields:
            self._start_vectors()
        self.angles = {k: v for k, v in self.angles.items() if k in part._memo}

    def _start_vectors(self) -> None:
        made: Sequence[NDArray | None] = (None, None)
        if self.filled:
            made = angles.vectors(*(self.angles[k].so_far[: self.filled] for k in ANGLES))
        for name, values in zip(VECTORS, made, strict=True):
            self.fields[name] = gathered = _Gathered(self.n, self._of_whole("_fields", name))
            if values is not None:
                gathered.add(values, slice(0, self.filled))

    def result(self) -> Stars:
        first = self.parts[0]
        return self.last._with(
            _fields={k: v.result() for k, v in self.fields.items()},
            _memo={k: v.result() for k, v in self.angles.items()},
            _covariance=None if first["_covariance"] is None else Covariance.joined(self._all("_covariance")),
            _epoch=self._epoch(),
            _columns={k: self._column(k) for k in first["_columns"]},
            _group=None if first["_group"] is None else np.concatenate(self._all("_group")),
            _weight=None if first["_weight"] is None else np.concatenate(self._all("_weight")),
            _flags=self._notes("_flags"),
            _refused=self._notes("_refused"),
        )

    def _all(self, name: str) -> list[Any]:
        return [p[name] for p in self.parts]

    def _column(self, name: str) -> Any:
        own = None if self.whole is None else self.whole._columns.get(name)
        pieces = [p["_columns"][name] for p in self.parts]
        if own is not None and all(is_part(v, own, p["rows"]) for v, p in zip(pieces, self.parts, strict=True)):
            return own
        return _joined_column(pieces)

    def _epoch(self) -> float | Array | None:
        own = None if self.whole is None else self.whole._epoch
        if all(p["_epoch"] is own or is_part(p["_epoch"], own, p["rows"]) for p in self.parts):
            return own
        first = self.parts[0]["_epoch"]
        if first is None or (isinstance(first, float) and all(p["_epoch"] == first for p in self.parts)):
            return first
        values = [np.broadcast_to(np.asarray(p["_epoch"], float), p["rows"].stop - p["rows"].start) for p in self.parts]
        return julian_year(np.concatenate(values), self.n) if self.n else self.parts[0]["_epoch"]

    def _notes(self, store: str) -> dict[str, Mask]:
        """Masks by reason, of the whole."""
        out: dict[str, Mask] = {}
        for part in self.parts:
            for reason, mask in part[store].items():
                out.setdefault(reason, np.zeros(self.n, bool))[part["rows"]] = mask
        return out


def changed_since(after: Stars, before: Stars) -> frozenset[str]:
    """The fields of `after` that are not those of `before`."""
    changed = {k for k in _SCALARS if after._fields[k] is not before._fields[k]}
    for vector, angle in (("direction", "ra"), ("proper_motion", "pmra")):
        if not (_shared(after._fields, before._fields, vector) or _shared(after._memo, before._memo, angle)):
            changed.add(vector)
    if after._covariance is not before._covariance:
        changed.add("covariance")
    return frozenset(changed | ({"epoch"} if after._epoch is not before._epoch else set()))


def _shared(a: Mapping[str, Any], b: Mapping[str, Any], key: str) -> bool:
    return key in a and a[key] is b.get(key)


def is_part(part: Any, whole: Any, rows: slice) -> bool:
    """Whether `part` is the very memory of those rows of `whole`."""
    if not (isinstance(part, np.ndarray) and isinstance(whole, np.ndarray)) or part.ndim != whole.ndim:
        return False
    own = whole[..., rows]
    return part.shape == own.shape and part.strides == own.strides and _address(part) == _address(own)


def _joined_column(parts: Sequence[Any]) -> Any:
    if any(isinstance(part, np.ma.MaskedArray) for part in parts):
        return np.ma.concatenate(parts)
    if isinstance(parts[0], np.ndarray):
        return np.concatenate(parts)
    jd1, jd2 = (np.concatenate([getattr(p, k) for p in parts]) for k in ("jd1", "jd2"))
    whole = type(parts[0])(jd1, jd2, format="jd", scale=parts[0].scale)
    whole.format = parts[0].format
    return whole


def same(a: Any, b: Any) -> bool:
    """Whether two arrays (masked, with units, or None) hold the same values; what is missing in both is the same."""
    if a is None or b is None:
        return a is b
    if is_quantity(a) != is_quantity(b) or (is_quantity(a) and a.unit != b.unit):
        return False
    a, b = as_text(a), as_text(b)
    if np.ma.isMaskedArray(a) or np.ma.isMaskedArray(b):
        masks = np.ma.getmaskarray(a), np.ma.getmaskarray(b)
        return np.array_equal(*masks) and same(np.ma.getdata(a)[~masks[0]], np.ma.getdata(b)[~masks[1]])
    a, b = np.asarray(a), np.asarray(b)
    numbers = a.dtype.kind in "fc" and b.dtype.kind in "fc"
    return bool(np.array_equal(a, b, equal_nan=numbers))
