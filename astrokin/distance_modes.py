"""The correction of Lutz and Kelker: distances as modes of posteriors in closed form."""

from __future__ import annotations

import warnings
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import distance_posterior as kernel
from astrokin.errors import InputError, RowsWarning
from astrokin.units import MAS, raw_values

Array = NDArray[np.float64]


def lutz_kelker(parallax: Any, parallax_error: Any) -> Any:
    r"""Distances by the correction of Lutz and Kelker (1973): modes of the posterior in a uniform volume.

    Stars that fill space evenly are more likely to be farther than their parallaxes say. Of the posterior in the
    parallax, :math:`\varpi_t^{-4}\exp[-(\varpi - \varpi_t)^2/(2\sigma^2)]`, and of that in the distance r,
    :math:`r^2\exp[-(\varpi - 1/r)^2/(2\sigma^2)]`, the modes are at

    .. math::

        \frac{1}{\varpi_{t,\mathrm{mode}}} = \frac{2}{\varpi + \sqrt{\varpi^2 - 16\sigma^2}}, \qquad
        r_\mathrm{mode} = \frac{2}{\varpi + \sqrt{\varpi^2 - 8\sigma^2}}

    (source 004, "Statistical Biases: The Lutz-Kelker Effect", has the first). Below :math:`4\sigma`, or
    :math:`\sqrt 8\sigma`, neither density has a maximum, and these posteriors can never be normalised: `distances`
    with a prior that ends gives medians and intervals, for any parallax.

    Parameters
    ----------
    parallax, parallax_error : `~astropy.units.Quantity`
        Any shapes that go together.

    Returns
    -------
    `~astropy.table.QTable`
        Or, for scalars, one of its rows: ``distance_mode_of_parallax`` and ``distance_mode``, kpc; NaN where there
        is none. ``meta["left_out"]`` counts these by reason.

    Raises
    ------
    InputError
        A value without unit or of another kind, or an infinite one.

    Warns
    -----
    RowsWarning
        Some parallaxes have no such mode.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> ak.lutz_kelker([1.0, 0.5] * u.mas, [0.2, 0.05] * u.mas)["distance_mode_of_parallax"].round(3)
    <Quantity [1.25 , 2.087] kpc>
    """
    from astropy.table import QTable

    plain = (raw_values(parallax, MAS, "parallax"), raw_values(parallax_error, MAS, "parallax_error"))
    try:
        values, errors = (np.array(v) for v in np.broadcast_arrays(*plain))
    except ValueError:
        raise InputError(
            f"parallax has shape {plain[0].shape}, parallax_error {plain[1].shape}: they do not go together."
        ) from None
    errors = np.where(errors > 0.0, errors, np.nan)
    modes = kernel.mode_of_parallax(values, errors), kernel.mode_of_distance(values, errors)
    counts = _without_mode(values, errors, *modes)
    if counts:
        told = ", ".join(f"{n:,} {reason}" for reason, n in counts.items())
        warnings.warn(f"lutz_kelker: of {values.size:,} parallaxes {told}.", RowsWarning, stacklevel=2)
    names = ("distance_mode_of_parallax", "distance_mode")
    out = QTable({k: np.atleast_1d(v) << u.kpc for k, v in zip(names, modes, strict=True)}, meta={"left_out": counts})
    return out if values.ndim else out[0]


def _without_mode(parallax: Array, error: Array, of_parallax: Array, of_distance: Array) -> dict[str, int]:
    """How many have no mode, by reason."""
    known = ~np.isnan(parallax) & ~np.isnan(error)
    counts = {
        "without parallax or positive error": ~known,
        "below 4 errors: no mode of the parallax": known & np.isnan(of_parallax),
        "below sqrt(8) errors: nor one of the distance": known & np.isnan(of_distance),
    }
    return {reason: n for reason, mask in counts.items() if (n := int(np.count_nonzero(mask)))}
