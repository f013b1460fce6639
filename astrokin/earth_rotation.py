"""How the Earth is turned: the tables that come with astropy, and what is done where they end."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.errors import AccuracyWarning

Array = NDArray[np.float64]

_J2000_MJD = 51544.5


@contextmanager
def earth_rotation(time: Any) -> Iterator[Any]:
    """The time as astropy can turn the Earth to it, from bundled tables; without them astropy may go and download.

    Beyond the tables UT1 - UTC is their last value, and the pole the mean one of 50 years.
    """
    from astropy.utils import iers
    from astropy.utils.exceptions import AstropyWarning

    kind = _kind(time.mjd)
    table = _iers(kind)
    with (
        iers.conf.set_temp("auto_download", False),
        iers.earth_orientation_table.set(table),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Tried to get polar motions", category=AstropyWarning)
        yield time if _within(kind, time.mjd) else _with_ut1(time, table)


def _with_ut1(time: Any, table: Any) -> Any:
    known = time.copy()
    known.delta_ut1_utc = table.ut1_utc(time.utc, return_status=True)[0].value
    return known


def _kind(mjd: Any) -> str:
    """IERS-A, with predictions; for earlier times IERS-B, which begins in 1962."""
    return "A" if np.min(mjd) >= _ends("A")[0] else "B"


def _within(kind: str, mjd: Any) -> bool:
    first, last = _ends(kind)
    # a minute and more is between time scales, and the last day has no next one
    return bool(np.min(mjd) > first + 0.01 and np.max(mjd) < last - 0.01)


@lru_cache(maxsize=2)
def _ends(kind: str) -> tuple[float, float]:
    days = _iers(kind)["MJD"]
    return float(days[0].value), float(days[-1].value)


@lru_cache(maxsize=2)
def _iers(kind: str) -> Any:
    from astropy.utils import iers

    return iers.IERS_A.open(iers.IERS_A_FILE) if kind == "A" else iers.IERS_B.open()


def tell_where_unknown(days: Array) -> None:
    """Warn if the Earth's rotation is not known at days since J2000 (n,)."""
    mjd = days + _J2000_MJD
    kind = _kind(mjd)
    if _within(kind, mjd):
        return
    from astropy.time import Time

    ends = _ends(kind)
    first, last = (Time(end, format="mjd").strftime("%Y-%m-%d") for end in ends)
    far = mjd[np.argmax(np.maximum(ends[0] - mjd, mjd - ends[1]))]
    warnings.warn(
        f"Observer.obstime: the Earth's rotation in {2000.0 + (far - _J2000_MJD) / 365.25:.1f} is not in the tables "
        f"that come with astropy ({first} to {last}): UT1 - UTC is taken as constant beyond them. A place on the "
        "ground is off by up to 465 m, and aberration by 0.02 mas, for each second by which that is wrong.",
        AccuracyWarning,
        stacklevel=2,
    )
