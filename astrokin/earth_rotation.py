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

    table = _table(time.mjd)
    with (
        iers.conf.set_temp("auto_download", False),
        iers.earth_orientation_table.set(table),
        warnings.catch_warnings(),
    ):
        warnings.filterwarnings("ignore", message="Tried to get polar motions", category=AstropyWarning)
        yield time if _within(table, time.mjd) else _with_ut1(time, table)


def _with_ut1(time: Any, table: Any) -> Any:
    known = time.copy()
    known.delta_ut1_utc = table.ut1_utc(time.utc, return_status=True)[0].value
    return known


def _table(mjd: Any) -> Any:
    """IERS-A, with predictions; for earlier times IERS-B, which begins in 1962."""
    late = _iers("A")
    return late if np.min(mjd) >= late["MJD"][0].value else _iers("B")


def _within(table: Any, mjd: Any) -> bool:
    # a minute and more is between time scales, and the last day has no next one
    return bool(np.min(mjd) > table["MJD"][0].value + 0.01 and np.max(mjd) < table["MJD"][-1].value - 0.01)


@lru_cache(maxsize=2)
def _iers(kind: str) -> Any:
    from astropy.utils import iers

    return iers.IERS_A.open(iers.IERS_A_FILE) if kind == "A" else iers.IERS_B.open()


def tell_where_unknown(days: Array) -> None:
    """Warn if the Earth's rotation is not known at days since J2000 (n,)."""
    mjd = days + _J2000_MJD
    table = _table(mjd)
    if _within(table, mjd):
        return
    from astropy.time import Time

    first, last = (Time(float(table["MJD"][i].value), format="mjd").strftime("%Y-%m-%d") for i in (0, -1))
    far = mjd[np.argmax(np.maximum(table["MJD"][0].value - mjd, mjd - table["MJD"][-1].value))]
    warnings.warn(
        f"Observer.obstime: the Earth's rotation in {2000.0 + (far - _J2000_MJD) / 365.25:.1f} is not in the tables "
        f"that come with astropy ({first} to {last}): UT1 - UTC is taken as constant beyond them. A place on the "
        "ground is off by up to 465 m, and aberration by 0.02 mas, for each second by which that is wrong.",
        AccuracyWarning,
        stacklevel=2,
    )
