"""What is wrong with epochs: rows that cannot be used, by reason."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

#: Numbers beyond which no observation has ever gone; nor do positive errors go below its inverse.
_LARGEST = 1e50


def found(raw: Mapping[str, Array], n: int, along_scan: bool) -> dict[str, Mask]:
    """Rows that cannot be used, as masks (n,) by reason; a row is named under the first that holds.

    Parameters
    ----------
    raw : mapping of str to ndarray, shape (n,)
        The plain arrays of `astrokin.Epochs`.
    n : int
    along_scan : bool
        Whether the positions are abscissae.
    """
    values = _Values(raw, n)
    absent = np.isnan(values["abscissa" if along_scan else "delta_ra"])
    spoken = np.isfinite(values["radial_velocity"])
    position = _along(values) if along_scan else _plane(values)
    reasons: dict[str, Mask] = {"no time": np.isnan(values["obstime"]), "no position": absent & ~spoken}
    for mask_of, faults in ((~absent, position), (spoken, _errors("radial_velocity_error", values))):
        for reason, mask in faults.items():
            reasons[reason] = reasons.get(reason, np.zeros(n, bool)) | (mask & mask_of)
    reasons["values too large"] = _too_large(raw, n)
    return _first_only(reasons, n)


class _Values:
    """The arrays by name; NaN for what the epochs do not have."""

    def __init__(self, raw: Mapping[str, Array], n: int) -> None:
        self._raw, self._none = raw, np.broadcast_to(np.nan, n)

    def __getitem__(self, name: str) -> Array:
        return self._raw.get(name, self._none)

    def __contains__(self, name: str) -> bool:
        return name in self._raw


def _first_only(reasons: Mapping[str, Mask], n: int) -> dict[str, Mask]:
    seen = np.zeros(n, bool)
    out = {}
    for reason, mask in reasons.items():
        new = mask & ~seen
        if new.any():
            out[reason] = new
            seen |= new
    return out


def _along(values: _Values) -> dict[str, Mask]:
    out = {"no scan angle": np.isnan(values["scan_angle"])} | _errors("abscissa_error", values)
    if "abscissa_pair" in values:
        corr, alone = values["abscissa_corr"], np.isnan(values["abscissa_pair"])
        out["no correlation of its pair"] = np.isnan(corr) & ~alone
        out["correlation without a pair"] = alone & (np.abs(corr) > 0.0)
        out["correlation not between -1 and 1"] = np.abs(corr) >= 1.0
    return out


def _plane(values: _Values) -> dict[str, Mask]:
    out = {"no position": np.isnan(values["delta_dec"])}
    out |= _errors("delta_ra_error", values) | _errors("delta_dec_error", values)
    if "delta_ra_dec_corr" in values:
        out["correlation not between -1 and 1"] = ~(np.abs(values["delta_ra_dec_corr"]) < 1.0)
    return out


def _errors(name: str, values: _Values) -> dict[str, Mask]:
    words, error = name.replace("_", " "), values[name]
    return {f"no {words}": np.isnan(error), f"{words} not positive": error < 1.0 / _LARGEST}


def _too_large(raw: Mapping[str, Array], n: int) -> Mask:
    """Rows with values of which squares and products would overflow."""
    out = np.zeros(n, bool)
    for values in raw.values():
        out |= np.abs(values) > _LARGEST
    return out
