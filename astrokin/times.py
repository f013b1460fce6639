"""Epochs as Julian years TCB, to and from astropy's `~astropy.time.Time`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import astropy.units as u
import numpy as np

from astrokin.errors import InputError
from astrokin.units import plain_values


def julian_years(time: Any, name: str = "the epoch") -> Any:
    """Julian year(s) TCB of a `~astropy.time.Time`, or of plain numbers or a Quantity in years, which are these.

    Parameters
    ----------
    time : `~astropy.time.Time`, float, ndarray or `~astropy.units.Quantity` in yr
        Scalar or not.
    name : str
        What it is called, for the error message.

    Raises
    ------
    InputError
        Any other unit, what is no number, or a time without a scale ("local").

    Examples
    --------
    >>> from astropy.time import Time
    >>> from astrokin.times import julian_years
    >>> julian_years(Time("J2050", scale="tcb"))
    np.float64(2050.0)
    """
    if hasattr(time, "jd1"):
        demand_scale(time, name)
        with without_note_on_future():
            return time.tcb.jyear
    unit = getattr(time, "unit", None)
    plain = getattr(time, "value", time) if unit is None or unit == u.yr else None
    if plain is None or np.asarray(plain).dtype.kind in "bmM":
        what = f"in {unit}" if unit is not None else f"{np.asarray(plain).dtype}"
        raise InputError(f"{name} is {what}: give an astropy Time, or Julian years TCB (plain numbers or in yr).")
    return plain_values(plain, name)


def demand_scale(time: Any, name: str) -> None:
    """Raise an `InputError` for a `~astropy.time.Time` that does not say of what scale it is."""
    if time.scale == "local":
        raise InputError(
            f"{name} is a Time of the scale 'local', which no other scale can be had from: give one of utc, tt, tai, "
            "tdb or tcb, such as Time(…, scale='utc')."
        )


def time_of(years: Any, like: Any = None) -> Any:
    """The `~astropy.time.Time` of Julian years TCB, in the scale and format of another one (UTC becomes TT)."""
    from astropy.time import Time

    new = Time(years, format="jyear", scale="tcb")
    if like is None:
        return new
    with without_note_on_future():
        new = getattr(new, "tt" if like.scale == "utc" else like.scale)
    new.format = like.format
    return new


def time_from_text(text: str) -> Any:
    """The time of a text: a plain number is a Julian year TCB, all else what `~astropy.time.Time` reads.

    Examples
    --------
    >>> from astrokin.times import time_from_text
    >>> time_from_text("2050"), time_from_text("J2050.0"), time_from_text("2026-03-21")
    (2050.0, <Time object: scale='tt' format='jyear_str' value=J2050.000>,
     <Time object: scale='utc' format='iso' value=2026-03-21 00:00:00.000>)
    """
    from astropy.time import Time

    try:
        number = float(text)
    except ValueError:
        with without_note_on_future():
            time = Time(text)
            return time if np.isfinite(np.asarray(time.tcb.jyear)).all() else _no_time(text)
    return number if np.isfinite(number) else _no_time(text)


def _no_time(text: str) -> NoReturn:
    raise ValueError(f"{text!r} is no time")


@contextmanager
def without_note_on_future() -> Iterator[None]:
    """No note from ERFA that the leap seconds of years to come are not known."""
    # ERFA asks for UTC on the way from TT to TDB, for a term of microseconds, and calls years to come dubious.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*dubious year")
        yield
