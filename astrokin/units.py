"""The fixed units of the package and the doors from `~astropy.units.Quantity` to plain arrays.

Inside, everything is float64 in these units: angles on the sky in radian (directions are unit vectors),
parallax in mas, proper motion in mas/yr, radial velocity in km/s, epochs in Julian years TCB.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import astropy.units as u
import numpy as np
from astropy.constants import au as _au
from numpy.typing import NDArray

from astrokin.errors import InputError, some_rows

MAS = u.mas
MAS_YR = u.mas / u.yr
KM_S = u.km / u.s

#: The six astrometric parameters in the order of every covariance matrix.
PARAMETERS = ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity")
#: Their units there (right ascension as alpha* = alpha cos delta).
PARAMETER_UNITS = (MAS, MAS, MAS, MAS_YR, MAS_YR, KM_S)

#: One astronomical unit per Julian year in km/s: v_t = A mu / parallax.
A = float((_au / u.yr).to_value(KM_S))
#: One milliarcsecond in radian.
MAS_IN_RAD = float(MAS.to(u.rad))


def raw_values(value: Any, unit: u.UnitBase, name: str, complex_too: bool = False) -> NDArray[Any]:
    """Turn a Quantity into a plain array in `unit`; masked values become NaN.

    Parameters
    ----------
    value : `~astropy.units.Quantity`
        What the caller gave (any shape); a masked column or Quantity is filled with NaN.
    unit : unit
        The fixed unit.
    name : str
        What the value is called, for the error message.
    complex_too : bool
        Whether complex numbers are taken: the Jacobian by complex step needs them.

    Returns
    -------
    ndarray
        float64 (or complex128), not copied where that can be helped.

    Raises
    ------
    InputError
        No unit, a unit of another kind, an infinite value, or what are no numbers.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.units import raw_values
    >>> raw_values([1, 2] * u.arcsec, u.mas, "parallax")
    array([1000., 2000.])
    """
    given = getattr(value, "unit", None)
    if given is None:
        raise InputError(_wrong_unit(name, given, unit))
    try:
        factor = 1.0 if given is unit else given.to(unit)
    except u.UnitConversionError:
        raise InputError(_wrong_unit(name, given, unit)) from None
    plain = plain_values(getattr(value, "value", value), name, complex_too)
    return plain if factor == 1.0 else plain * factor


def _wrong_unit(name: str, given: u.UnitBase | None, unit: u.UnitBase) -> str:
    if given is None or given == u.one:
        return f"{name} has no unit: give an astropy Quantity, for example {name}=… * u.Unit('{unit}')."
    return f"{name} is in {given}, which is no unit of the kind of {unit}."


def plain_values(value: Any, name: str, complex_too: bool = False) -> NDArray[Any]:
    """Turn an array without unit into float64 (or complex128), masked values into NaN; infinities are errors."""
    if type(value) is np.ndarray and value.dtype == np.float64 and (_INFINITE_TOO.get() or _surely_finite(value)):
        return value  # as nearly always
    _refuse_kind(getattr(value, "dtype", None), name, complex_too)
    try:
        if hasattr(value, "filled") or isinstance(value, np.ma.MaskedArray):
            value = np.ma.filled(np.ma.asarray(value).astype(float), np.nan)
        plain = np.asarray(value)
        known = plain.dtype.kind in _NO_NUMBERS
        plain = plain if known else np.asarray(plain, dtype=np.float64)
    except (TypeError, ValueError):
        raise InputError(f"{name} holds {type(value).__name__} that are no numbers.") from None
    if known:
        _refuse_kind(plain.dtype, name, complex_too)
        plain = np.asarray(plain, dtype=np.complex128)
    if not _INFINITE_TOO.get() and not _surely_finite(plain) and np.isinf(plain).any():
        rows = some_rows(np.flatnonzero(np.isinf(np.atleast_1d(plain).reshape(-1))))
        raise InputError(f"{name} is infinite in {rows}: mark missing values as NaN.")
    return plain


_INFINITE_TOO: ContextVar[bool] = ContextVar("infinite_too", default=False)


@contextmanager
def overflow_allowed() -> Iterator[None]:
    """Within, infinite values are no errors and no warnings: whoever asks for this looks for them in the end."""
    token = _INFINITE_TOO.set(True)
    try:
        with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
            yield
    finally:
        _INFINITE_TOO.reset(token)


#: What numpy would turn into numbers, though it is none.
_NO_NUMBERS = {"m": "time spans", "M": "dates", "c": "complex numbers", "U": "text", "S": "text", "V": "records"}


def _refuse_kind(dtype: Any, name: str, complex_too: bool) -> None:
    word = _NO_NUMBERS.get(getattr(dtype, "kind", ""))
    if word is not None and not (complex_too and dtype.kind == "c"):
        raise InputError(f"{name} holds {word} ({dtype}); real numbers are needed.")


def _surely_finite(array: NDArray[Any]) -> bool:
    # One sum reads the array once, several times faster than a mask; NaN and overflow are looked at again.
    with np.errstate(all="ignore"):
        return bool(np.isfinite(array.sum()))


def private(array: NDArray[Any], given: Any) -> NDArray[Any]:
    """The array made of what was given; a copy where that is the giver's own memory, which can be written to.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.units import private
    >>> mine = np.zeros(2)
    >>> private(mine, mine) is mine, private(mine, np.ones(2)) is mine
    (False, True)
    """
    if not array.flags.writeable or not hasattr(given, "__array__"):
        return array
    return array.copy() if not isinstance(given, np.ndarray) or np.may_share_memory(array, given) else array


def is_quantity(value: Any) -> bool:
    """Whether the value brings a unit of its own."""
    return getattr(value, "unit", None) is not None
