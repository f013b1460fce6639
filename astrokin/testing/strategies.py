"""Hypothesis strategies: stars of every kind, the awkward ones first.

Hypothesis is an optional dependency; it is imported when a strategy is made.
"""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np

from astrokin.optional import require
from astrokin.stars import Stars
from astrokin.testing import samples
from astrokin.units import KM_S, MAS, MAS_YR

_RIGHT_ASCENSIONS = (0.0, 360.0, 1e-13, 359.9999999999999, 90.0, 180.0, 270.0)
_DECLINATIONS = (90.0, -90.0, 89.99999999999999, -89.99999999999999, 0.0, 45.0)


def stars(
    min_size: int = 0,
    max_size: int = 6,
    missing: bool = True,
    nonpositive_parallax: bool = True,
    covariance: bool | None = None,
    epoch: float | None = 2016.0,
) -> Any:
    """A hypothesis strategy of `Stars`.

    Parameters
    ----------
    min_size, max_size : int
        How many rows.
    missing : bool
        Whether parallax, proper motion or radial velocity may be missing.
    nonpositive_parallax : bool
        Whether parallaxes may be zero or negative; else they are 0.01 mas at least.
    covariance : bool, optional
        With (True), without (False), or either.
    epoch : float, optional
        Julian year TCB.

    Returns
    -------
    hypothesis.strategies.SearchStrategy

    Raises
    ------
    MissingDependencyError
        Hypothesis is not installed.

    Examples
    --------
    >>> from hypothesis import given
    >>> import astrokin as ak
    >>> @given(ak.testing.strategies.stars(max_size=3))
    ... def nothing_is_lost(stars):
    ...     assert len(ak.effects.ReflexMotion().apply(stars)) == len(stars)
    """
    st = require("hypothesis.strategies", "test", "making stars for property tests")
    row = _row(st, missing, nonpositive_parallax)
    has_covariance = st.booleans() if covariance is None else st.just(covariance)
    rows = st.lists(row, min_size=min_size, max_size=max_size)
    return st.builds(_stars, rows, has_covariance, st.just(epoch))


def _row(st: Any, missing: bool, nonpositive: bool) -> Any:
    def or_missing(values: Any) -> Any:
        return st.one_of(values, st.just(float("nan"))) if missing else values

    motion = st.one_of(st.sampled_from((0.0, 1e-12, -1e4)), st.floats(-1e4, 1e4))
    parallax = st.one_of(st.sampled_from((1e-2, 1.0, 768.0)), st.floats(1e-2, 800.0))
    if nonpositive:
        parallax = st.one_of(parallax, st.sampled_from((0.0, -0.0, -1e-9, -5.0)), st.floats(-10.0, 0.0))
    return st.tuples(
        st.one_of(st.sampled_from(_RIGHT_ASCENSIONS), st.floats(0.0, 360.0)),
        st.one_of(st.sampled_from(_DECLINATIONS), st.floats(-90.0, 90.0)),
        or_missing(parallax),
        or_missing(st.tuples(motion, motion)),
        or_missing(st.one_of(st.sampled_from((0.0, -500.0)), st.floats(-500.0, 500.0))),
    )


def _stars(rows: list[Any], covariance: bool, epoch: float | None) -> Stars:
    motion = [(np.nan, np.nan) if isinstance(r[3], float) else r[3] for r in rows]
    ra, dec, parallax, velocity = (np.array([r[k] for r in rows], float) for k in (0, 1, 2, 4))
    pmra, pmdec = np.array(motion, float).reshape(-1, 2).T
    made = Stars(
        ra=ra * u.deg,
        dec=dec * u.deg,
        parallax=parallax * MAS,
        pmra=pmra * MAS_YR,
        pmdec=pmdec * MAS_YR,
        radial_velocity=velocity * KM_S,
        epoch=epoch,
    )
    return made.replace(covariance=samples.covariances(made)) if covariance else made
