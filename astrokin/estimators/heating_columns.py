"""Ages and their errors as the columns of a sample hold them: what can be used, and what cannot be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin.estimators.heating_sums import OLDEST, YOUNGEST

Array = NDArray[np.float64]


def unusable(age: Array, error: Array | None) -> dict[str, Any]:
    """Masks by reason of rows that are left out.

    Raises
    ------
    InputError
        A negative age, a negative error, or an error larger than the age.
    """
    if _plain(age, error):
        return {}
    _refuse(age < 0.0, "ages are negative", "ages of zero or more are needed", age)
    low, high = np.exp(YOUNGEST), np.exp(OLDEST)
    out = {"no age": np.isnan(age), "age below 1 Myr": age < low, "age beyond 100 Gyr": age >= high}
    if error is not None:
        _refuse(error < 0.0, "errors of the ages are negative", "errors of zero or more are needed", error)
        told = "such an age says nothing: leave those rows out"
        _refuse((error > age) & (age >= low), "ages have errors larger than themselves", told, error)
        out["no error of the age"] = np.isnan(error)
    return out


def _plain(age: Array, error: Array | None) -> bool:
    """Whether all ages, and their errors, are as they should be: the quick look at most blocks."""
    fine = len(age) > 0 and bool(age.min() >= np.exp(YOUNGEST)) and bool(age.max() < np.exp(OLDEST))
    return fine and (error is None or (bool(error.min() >= 0.0) and bool((error <= age).all())))


def _refuse(bad: NDArray[np.bool_], what: str, remedy: str, values: Array) -> None:
    if bad.any():
        first = int(np.argmax(bad))
        raise ak.errors.InputError(
            f"disc-heating: {np.count_nonzero(bad)} {what} (row {first} of its block: {values[first]:.4g} Gyr); "
            f"{remedy}."
        )
