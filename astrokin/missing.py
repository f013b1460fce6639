"""What counts as a missing value, and the one form of text that has gaps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def gaps(values: Any) -> Mask:
    """Where values are missing: masked, None, NaN, no time, or text without a character."""
    values = getattr(values, "value", values)
    plain = np.asarray(np.ma.getdata(getattr(values, "unmasked", values)))
    mask = np.broadcast_to(getattr(values, "mask", False), plain.shape)
    kind = plain.dtype.kind
    if kind in "fcmM":
        return mask | (plain != plain)
    if kind in "US":
        return mask | (plain == np.zeros((), plain.dtype))
    if kind == "O":
        return mask | np.fromiter(map(_is_gap, plain.flat), bool, plain.size).reshape(plain.shape)
    return mask.copy()


def _is_gap(value: Any) -> bool:
    if isinstance(value, str):
        return not value
    try:
        return value is None or bool(value != value)
    except TypeError:  # pandas.NA is neither equal to itself nor not
        return True
    except ValueError:  # an array
        return False


def as_text(values: Any) -> Any:
    """Text in its one form: an array of str, masked (and empty there) if any is missing; other values as they are."""
    plain = np.ma.getdata(values)
    if getattr(getattr(plain, "dtype", None), "kind", "") not in ("U", "O") or hasattr(values, "unit"):
        return values
    plain, missing = np.asarray(plain), gaps(values)
    if plain.dtype.kind == "O" and not all(isinstance(v, str) for v in plain[~missing]):
        return values
    if not missing.any():
        return plain.astype(str, copy=False)
    return np.ma.MaskedArray(np.where(missing, "", plain).astype(str), missing, fill_value="")


def holds_nan(values: NDArray[np.float64]) -> bool:
    """Whether any of the values is NaN: a scalar product tells it in a third of the time of a minimum.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.missing import holds_nan
    >>> holds_nan(np.array([1.0, np.inf, -np.inf])), holds_nan(np.array([1.0, np.nan]))
    (False, True)
    """
    return bool(np.isnan(_square(values)))


def all_finite(values: NDArray[np.float64]) -> bool:
    """Whether no value is NaN or infinite.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.missing import all_finite
    >>> all_finite(np.array([1.0, 1e300])), all_finite(np.array([1.0, np.inf]))
    (True, False)
    """
    return bool(np.isfinite(_square(values)) or np.isfinite(values).all())


def _square(values: NDArray[np.float64]) -> float:
    flat = values.reshape(-1)
    with np.errstate(over="ignore"):
        return float(np.dot(flat, flat))
