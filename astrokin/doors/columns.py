"""Single columns, whatever table they stand in: their numbers, their missing values, their byte order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.missing import as_text

Array = NDArray[np.float64]


@dataclass(frozen=True)
class New:
    """A column to put into a table: its values in `unit`; NaN is missing."""

    values: Array
    unit: u.UnitBase | None

    @property
    def quantity(self) -> u.Quantity:
        """The values with their unit."""
        return self.values << (self.unit or u.dimensionless_unscaled)


def native(array: NDArray) -> NDArray:
    """The array in the machine's byte order (FITS has the other one)."""
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def now_missing(old: Any, new: Array) -> NDArray[np.bool_]:
    # Missing stays missing and what became NaN is missing now; NaN that was written as NaN stays NaN.
    mask, values = np.ma.getmaskarray(old), np.ma.getdata(old)
    was_nan = np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(new), bool)
    return np.isnan(new) & (mask | ~was_nan)


def numbers_of(column: Any) -> Any:
    """The numbers of an astropy column, Quantity, masked or plain array, without unit; missing ones NaN."""
    if hasattr(column, "jd1"):
        return column
    if hasattr(column, "unmasked"):
        column = np.ma.MaskedArray(np.asarray(getattr(column.unmasked, "value", column.unmasked)), column.mask)
    if np.ma.isMaskedArray(column):
        values, mask = np.asarray(np.ma.getdata(column)), np.ma.getmaskarray(column)
        values = values.astype(np.float64) if values.dtype.kind in "iub" else values
        return np.where(mask, np.nan, values) if mask.any() and values.dtype.kind not in "US" else values
    return np.asarray(getattr(column, "value", column))


def extra_of(column: Any) -> Any:
    """An astropy column, Quantity or array as it goes along with the stars.

    Integers and strings with missing values are masked arrays of their own type; floats get NaN.
    """
    if hasattr(column, "jd1") or not isinstance(column, np.ndarray):
        return column if hasattr(column, "shape") else as_text(np.asarray(column))
    unit = getattr(column, "unit", None)
    masked = np.ma.isMaskedArray(column) or hasattr(column, "unmasked")
    kind = column.dtype.kind
    if masked and kind not in "fc":
        values = native(np.asarray(np.ma.getdata(getattr(column, "unmasked", column))))
        mask = np.ma.getmaskarray(column)
        return as_text(np.ma.MaskedArray(values, mask) if mask.any() else values)
    values = native(np.asarray(numbers_of(column)))
    if unit is None or kind not in "iufc":
        return as_text(values)
    return values << unit if kind in "fc" else u.Quantity(values, unit, copy=False, dtype=values.dtype)
