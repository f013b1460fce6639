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

    table = _table()
    with (
        iers.conf.set_temp("auto_download", False),
        iers.earth_orientation_table.set(table),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Tried to get polar motions", category=AstropyWarning)
        yield time if _within(time.mjd) else _with_ut1(time, table)


def _with_ut1(time: Any, table: Any) -> Any:
    known = time.copy()
    known.delta_ut1_utc = table.ut1_utc(time.utc, return_status=True)[0].value
    return known


def _within(mjd: Any) -> bool:
    first, last = reach()
    return bool(np.min(mjd) > first and np.max(mjd) < last)


@lru_cache(maxsize=1)
def reach() -> tuple[float, float]:
    """The modified Julian dates between which the Earth's rotation is known."""
    days = _table()["MJD"]
    # a minute and more is between time scales, and the last day has no next one
    return float(days[0].value) + 0.01, float(days[-1].value) - 0.01


@lru_cache(maxsize=1)
def _table() -> Any:
    """IERS-A, with predictions, and before it begins IERS-B, from 1962 on: one table for times of both."""
    from astropy.table import QTable, vstack
    from astropy.utils import iers

    names = ["MJD", "UT1_UTC", "PM_x", "PM_y"]
    late, early = QTable(iers.IERS_A.open(iers.IERS_A_FILE)[names]), QTable(iers.IERS_B.open()[names])
    both = vstack([early[early["MJD"] < late["MJD"][0]], late], metadata_conflicts="silent")
    return iers.IERS(both)


def tell_where_unknown(days: Array) -> None:
    """Warn if the Earth's rotation is not known at days since J2000 (n,)."""
    mjd = days + _J2000_MJD
    if _within(mjd):
        return
    from astropy.time import Time

    ends = reach()
    first, last = (Time(end, format="mjd").strftime("%Y-%m-%d") for end in ends)
    far = mjd[np.argmax(np.maximum(ends[0] - mjd, mjd - ends[1]))]
    warnings.warn(
        f"Observer.obstime: the Earth's rotation in {2000.0 + (far - _J2000_MJD) / 365.25:.1f} is not in the tables "
        f"that come with astropy ({first} to {last}): UT1 - UTC is taken as constant beyond them. A place on the "
        "ground is off by up to 465 m, and aberration by 0.02 mas, for each second by which that is wrong.",
        AccuracyWarning,
        stacklevel=2,
    )
