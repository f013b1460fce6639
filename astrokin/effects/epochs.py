"""The time that has passed for the stars since an epoch."""

from __future__ import annotations

from typing import Any

import numpy as np

from astrokin.errors import InputError
from astrokin.times import julian_years


def elapsed(stars: Any, since: Any, name: str) -> Any:
    """Julian years from an epoch (`~astropy.time.Time` or Julian year TCB) to that of the stars, a scalar or (n,).

    Raises
    ------
    InputError
        The stars do not know their epoch.
    """
    if stars.epoch is None:
        raise InputError(
            f"{name}: reference_epoch is given, but the epoch of the stars is not known: give Stars(…, epoch=…) or a "
            "table with a ref_epoch column."
        )
    start = np.asarray(julian_years(since))
    return stars.epoch - (start.sum(axis=1) if start.ndim == 2 else start)  # in two doubles
