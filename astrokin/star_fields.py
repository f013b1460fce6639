"""The checks of what goes into a `Stars`: units, shapes, ranges, epochs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.covariance import checked
from astrokin.errors import InputError, some_rows
from astrokin.times import julian_years
from astrokin.units import KM_S, MAS, MAS_YR, is_quantity, plain_values, private, raw_values

Array = NDArray[np.float64]

#: The stored fields, with the unit of each.
FIELDS = {
    "direction": u.dimensionless_unscaled,
    "parallax": MAS,
    "proper_motion": MAS_YR,
    "radial_velocity": KM_S,
}
VECTORS = ("direction", "proper_motion")
ANGLES = ("ra", "dec", "pmra", "pmdec")


def frozen(array: NDArray) -> NDArray:
    """A view of the array that cannot be written to."""
    if not array.flags.writeable:
        return array
    view = array.view()
    view.flags.writeable = False
    return view


def rows_of(values: Any, index: Any) -> Any:
    """Some rows of an array, which cannot be written to either; or of whatever else holds a value per row."""
    part = values[index]
    return frozen(part) if isinstance(part, np.ndarray) else part


def vectors_of(values: NDArray[Any], index: Any) -> NDArray[Any]:
    """Some rows of vectors (3, n), which cannot be written to either."""
    return frozen(values[:, index] if isinstance(index, slice) else values.take(index, axis=1))


def one_per_row(value: Any, unit: u.UnitBase, name: str, n: int, copy: bool = True) -> Array:
    """A Quantity as a plain array (n,), a scalar repeated; NaN for what is not given."""
    if value is None:
        return np.full(n, np.nan)
    array = own_values(value, unit, name, copy)
    return np.full(n, array) if array.ndim == 0 else of_length(array, n, name)


def own_values(value: Any, unit: u.UnitBase, name: str, copy: bool = True) -> Array:
    """A Quantity as a plain array of no dimension or one, to which nobody else can write unless `copy` is False."""
    array = raw_values(value, unit, name)
    if array.ndim > 1:
        raise InputError(f"{name} has shape {array.shape}; one value per row is needed.")
    return private(array, value) if copy else array


def of_length(array: Any, n: int, name: str) -> Any:
    """The array itself, where it has one value per row."""
    if array.shape[:1] != (n,) or (isinstance(array, np.ndarray) and array.dtype.kind == "f" and array.ndim != 1):
        raise InputError(f"{name} has shape {array.shape}; the stars need ({n},).")
    return array


def check_latitude(dec: Array) -> None:
    """Refuse declinations beyond the poles."""
    if len(dec) and dec.max() <= 90.0 and dec.min() >= -90.0:
        return
    bad = np.abs(dec) > 90.0
    if bad.any():
        raise InputError(f"dec lies outside -90 to 90 deg in {some_rows(np.flatnonzero(bad))}.")


def checked_field(name: str, value: Any, n: int) -> NDArray:
    """One of the stored fields as a float64 (or complex128) array of the right shape, in its unit."""
    if is_quantity(value):
        array = raw_values(value, FIELDS[name], name, complex_too=True)
    else:
        array = plain_values(value, name, complex_too=True)
    if array.dtype.kind not in "fc" or array.dtype.itemsize < 8:
        array = array.astype(np.float64)
    shape = (3, n) if name in VECTORS else (n,)
    if array.shape != shape:
        raise InputError(f"{name} has shape {array.shape}; {shape} is needed.")
    return array


def julian_year(epoch: Any, n: int) -> float | Array | None:
    """Epoch as Julian year(s) TCB from a `~astropy.time.Time` or plain numbers; scalar where all are equal."""
    if epoch is None:
        return None
    array = plain_values(julian_years(epoch, "epoch"), "epoch")
    if array.ndim == 0:
        return float(array)
    if array.shape != (n,):
        raise InputError(f"epoch has shape {array.shape}; a scalar or ({n},) is needed.")
    return float(array[0]) if n and (array == array[0]).all() else frozen(private(array, epoch))


def checked_columns(columns: Mapping[str, Any], n: int) -> dict[str, Any]:
    """Extra columns as arrays of n rows."""
    out = {}
    for name, value in columns.items():
        array = value if hasattr(value, "shape") and hasattr(value, "__getitem__") else np.asarray(value)
        if array.shape[:1] != (n,):
            raise InputError(f"column {name!r} has shape {array.shape}; {n} rows are needed.")
        out[name] = _own_column(array, value)
    return out


def _own_column(array: Any, given: Any) -> Any:
    if not isinstance(array, np.ndarray):
        return array
    array = frozen(private(array, given))
    if type(array) is not np.ma.MaskedArray or array.mask is np.ma.nomask:
        return array
    return np.ma.MaskedArray(array, mask=frozen(np.array(array.mask)), keep_mask=False)


def _checked_group(value: Any, n: int) -> NDArray[np.intp]:
    return of_length(np.asarray(value, dtype=np.intp), n, "group")


def _checked_weight(value: Any, n: int) -> Array:
    return of_length(np.asarray(value, dtype=np.float64), n, "weight")


#: The other fields that `Stars.replace` takes, with the check of each.
OTHER_FIELDS: dict[str, Callable[[Any, int], Any]] = {
    "covariance": checked,
    "epoch": julian_year,
    "columns": checked_columns,
    "group": _checked_group,
    "weight": _checked_weight,
    "n_groups": lambda value, n: int(value),
    "history": lambda value, n: tuple(map(str, value)),
}


def row_index(index: Any, n: int) -> Any:
    """An index of rows, a slice or row numbers, from a slice, a mask of n rows, or row numbers."""
    if isinstance(index, slice):
        return index
    array = np.asarray(getattr(index, "value", index))
    if array.dtype == bool:
        # Once for all arrays: rows by number take a third of the time of rows by mask.
        return np.flatnonzero(of_length(array, n, "the mask"))
    if array.size == 0:
        array = array.astype(np.intp)
    if array.ndim > 1:
        raise InputError(f"The index has shape {array.shape}; row numbers have one dimension.")
    return np.atleast_1d(array)
