"""Epochs as Julian years TCB, to and from astropy's `~astropy.time.Time`."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def julian_years(time: Any) -> Any:
    """Julian year(s) TCB of a `~astropy.time.Time`.

    Examples
    --------
    >>> from astropy.time import Time
    >>> from astrokin.times import julian_years
    >>> julian_years(Time("J2050", scale="tcb"))
    np.float64(2050.0)
    """
    with without_note_on_future():
        return time.tcb.jyear


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


@contextmanager
def without_note_on_future() -> Iterator[None]:
    """No note from ERFA that the leap seconds of years to come are not known."""
    # ERFA asks for UTC on the way from TT to TDB, for a term of microseconds, and calls years to come dubious.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*dubious year")
        yield
