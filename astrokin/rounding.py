"""Numbers for people: a value and its error, rounded to two significant digits of the error."""

from __future__ import annotations

import math

#: Beyond these powers of ten a pair of numbers is written with an exponent.
_LARGEST, _SMALLEST = 7, -6


def measured(value: float, error: float) -> str:
    """A value with its error, as text.

    Parameters
    ----------
    value, error : float
        NaN where unknown.

    Examples
    --------
    >>> from astrokin.rounding import measured
    >>> measured(15.3071, 0.0712), measured(12345.6, 249.0), measured(1.5e-10, 2.2e-12), measured(2.0, float("nan"))
    ('15.307 ± 0.071', '12350 ± 250', '(1.500 ± 0.022)e-10', '2 ± unknown')
    """
    if math.isnan(value):
        return "undetermined"
    if not math.isfinite(error):
        return f"{value:.6g} ± unknown"
    if error == 0.0:
        return f"{value:.10g} ± 0"
    power = _power(max(abs(value), error))
    if _SMALLEST < power < _LARGEST:
        return _pair(value, error)
    return f"({_pair(value / 10.0**power, error / 10.0**power)})e{power:+d}"


def _power(x: float) -> int:
    return math.floor(math.log10(x))


def _pair(value: float, error: float) -> str:
    digits = 1 - int(f"{error:.1e}".partition("e")[2])  # of the error as it is after rounding: 0.0996 is 0.10
    shown = max(digits, 0)
    return f"{_rounded(value, digits):.{shown}f} ± {_rounded(error, digits):.{shown}f}"


def _rounded(x: float, digits: int) -> float:
    return round(x, digits) + 0.0  # no minus before zero
