"""`distances`: how far each star is, from its parallax, its error and a prior."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

from astrokin import distance_posterior as kernel
from astrokin import distance_priors as priors
from astrokin.errors import InputError, RowsWarning
from astrokin.optional import require
from astrokin.parameters import Column
from astrokin.stars import Stars
from astrokin.units import MAS, raw_values

Array = NDArray[np.float64]

_ONE_SIGMA = float(special.erf(np.sqrt(0.5)))
_LARGEST_SHARE = 0.9999  # of a posterior that is followed to 6 standard errors
_LOG_LENGTHS = (np.log(1e-3), np.log(1e3))  # kpc
_ZERO_POINT = ("phot_g_mean_mag", "nu_eff_used_in_astrometry", "pseudocolour", "ecl_lat", "astrometric_params_solved")

#: Solutions with five and six parameters, the only ones that have a parallax.
_SOLVED = (31, 95)


def distances(
    data: Any,
    prior: Any,
    *,
    parallax_zero_point: Any = None,
    share: float = _ONE_SIGMA,
    names: Mapping[str, str] | None = None,
) -> Any:
    r"""Distances of stars from their parallaxes, each with its posterior's mode, median, mean and interval.

    The posterior in the distance r is

    .. math:: P(r) \propto p(r)\,\exp\left[-\frac{(\varpi - \varpi_0 - 1/r)^2}{2\sigma^2}\right],

    with the prior p(r), the zero point :math:`\varpi_0` and the error :math:`\sigma` (source 004, "Statistical
    Biases"; Lutz & Kelker 1973; Bailer-Jones 2015). Zero and negative parallaxes are data. For
    errors up to five times the inverse of the prior's length or limit, quantiles agree with a fine quadrature to
    0.15 per cent of the interval's half width, and mostly to 0.01 per cent; those of the share 0.9999 to 0.5 per cent
    where the error is below that inverse, and to 10 per cent beyond.

    Parameters
    ----------
    data : Stars, table, DataFrame, or path of a file
        Stars with parallaxes and their errors.
    prior : UniformVolume, ExponentialDensity or AnyDensity
        Of `astrokin.distance_priors`.
    parallax_zero_point : `~astropy.units.Quantity` or `ak.column`, optional
        Taken off every parallax first; `gaia_zero_point` gives that of Gaia DR3.
    share : float
        The share of the posterior that the interval holds, as much below as above; default 68.27 per cent.
    names : mapping of str to str, optional
        The data's own column names, by astrokin's.

    Returns
    -------
    `~astropy.table.QTable`
        A row per star, in kpc: ``distance`` (the median), ``distance_lower`` and ``distance_upper``, ``distance_mean``
        and ``distance_std``, ``distance_mode`` (of the posterior in distance) and ``distance_mode_of_parallax`` (1
        over the mode of the posterior in parallax: another number); the modes are NaN where the posterior is
        largest at an end, as that of the uniform volume is for parallaxes below :math:`\sqrt 8\sigma` and
        :math:`4\sigma`. ``source_id``, if the stars have one, comes first. ``meta["left_out"]`` counts the rows
        without a result by reason.

    Raises
    ------
    InputError
        No parallax errors, something that is no prior, or a share outside 0 to 0.9999.

    Warns
    -----
    RowsWarning
        Some rows have no result.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> from astrokin.distance_priors import ExponentialDensity
    >>> stars = ak.Stars(ra=[10, 20] * u.deg, dec=[0, 0] * u.deg, parallax=[2.0, -0.1] * u.mas,
    ...                  covariance=ak.Covariance(errors={"parallax": [0.1, 0.1]}))
    >>> found = ak.distances(stars, ExponentialDensity(1.35 * u.kpc))
    >>> found["distance"].round(3), found["distance_upper"].round(3)
    (<Quantity [0.505, 7.958] kpc>, <Quantity [ 0.532, 10.803] kpc>)
    """
    prior = priors.named(prior)
    if not (isinstance(share, int | float | np.floating) and 0.0 < share <= _LARGEST_SHARE):
        raise InputError(f"distances: share is {share!r}; it must lie between 0 and {_LARGEST_SHARE}.")
    stars = data if isinstance(data, Stars) else _stars(data, names)
    parallax, error, bad = _usable(stars, parallax_zero_point)
    bound = prior.bound(stars)
    if np.ndim(bound.r_max):
        bad["no length of the prior"] = np.isnan(bound.r_max)
    shares = (0.5 - 0.5 * share, 0.5, 0.5 + 0.5 * share)
    found = kernel.posterior(parallax, error, bound, shares)
    bad["the prior allows no distance that agrees with the parallax"] = np.isnan(found.mean) & ~_any(bad, len(stars))
    return _table(stars, found, bad, prior)


def gaia_zero_point(data: Any, names: Mapping[str, str] | None = None) -> u.Quantity:
    """Parallax zero points of Gaia DR3 sources, by the recipe of Lindegren et al. (2021).

    Parameters
    ----------
    data : Stars, table, DataFrame, or path of a file
        With Gaia's columns ``phot_g_mean_mag``, ``nu_eff_used_in_astrometry``, ``pseudocolour``, ``ecl_lat`` and
        ``astrometric_params_solved``.
    names : mapping of str to str, optional
        The data's own column names, by astrokin's.

    Returns
    -------
    `~astropy.units.Quantity`, shape (n,)
        mas, to be taken off: for ``parallax_zero_point=ak.column(…)``, once it is a column of the stars. NaN outside
        the recipe's domain.

    Raises
    ------
    MissingDependencyError
        gaiadr3-zeropoint is not installed.
    MissingColumnError
        One of the columns is not there.
    """
    recipe = require("zero_point.zpt", "gaia", "the parallax zero point of Gaia DR3")
    stars = data if isinstance(data, Stars) else _stars(data, names)
    columns = [np.asarray(getattr(stars[name], "value", stars[name]), dtype=float) for name in _ZERO_POINT]
    solved = np.isin(columns[4], _SOLVED)  # for any other the recipe refuses all
    out = np.full(len(stars), np.nan)
    if solved.any():
        recipe.load_tables()
        columns = [column[solved] for column in columns]
        columns[4] = columns[4].astype(int)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of values outside its domain, which come back as NaN
            out[solved] = recipe.get_zpt(*columns, _warnings=False)
    return out * u.mas


def fitted_length(data: Any, *, parallax_zero_point: Any = None, names: Mapping[str, str] | None = None) -> Any:
    """The prior `ExponentialDensity` under which the parallaxes of a sample are most likely.

    Only for a sample whose stars were not selected by their parallaxes.

    Parameters
    ----------
    data : Stars, table, DataFrame, or path of a file
        Stars with parallaxes and their errors.
    parallax_zero_point : `~astropy.units.Quantity` or `ak.column`, optional
        Taken off every parallax first.
    names : mapping of str to str, optional
        The data's own column names, by astrokin's.

    Returns
    -------
    ExponentialDensity

    Raises
    ------
    InputError
        No parallax with an error.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> import astrokin as ak
    >>> from astrokin.distance_table import fitted_length
    >>> rng = np.random.default_rng(1)
    >>> true = rng.gamma(3.0, 0.8, 5000)
    >>> stars = ak.Stars(ra=np.zeros(5000) * u.deg, dec=np.zeros(5000) * u.deg,
    ...                  parallax=(1 / true + rng.normal(0, 0.2, 5000)) * u.mas,
    ...                  covariance=ak.Covariance(errors={"parallax": np.full(5000, 0.2)}))
    >>> fitted_length(stars).length.round(1)
    <Quantity 0.8 kpc>
    """
    stars = data if isinstance(data, Stars) else _stars(data, names)
    parallax, error, bad = _usable(stars, parallax_zero_point)
    good = ~_any(bad, len(stars))
    if not good.any():
        raise InputError("fitted_length: no star has a parallax with an error.")
    parallax, error = parallax[good], error[good]

    def unlikeliness(log_length: float) -> float:
        bound = priors.ExponentialDensity(np.exp(log_length) * u.kpc).bound(None)
        # A length that leaves a star out altogether is as good as impossible, but the search needs a number.
        each = np.maximum(kernel.log_evidence(parallax, error, bound), -1e6)
        return -float(np.sum(each - bound.log_norm()))

    best = optimize.minimize_scalar(unlikeliness, bounds=_LOG_LENGTHS, method="bounded", options={"xatol": 1e-5})
    if min(abs(best.x - end) for end in _LOG_LENGTHS) < 1e-3:
        raise InputError("fitted_length: no length from 1 pc to 1 Mpc makes these parallaxes likely; are they in mas?")
    return priors.ExponentialDensity(float(np.exp(best.x)) * u.kpc)


def _stars(data: Any, names: Mapping[str, str] | None) -> Stars:
    from pathlib import Path

    return Stars.read(data, names=names) if isinstance(data, str | Path) else Stars.of(data, names=names)


def _usable(stars: Stars, zero_point: Any) -> tuple[Array, Array, dict[str, Any]]:
    """Parallaxes, NaN where they cannot be used, their errors, and the reasons."""
    covariance = stars.raw.covariance
    if covariance is None or not covariance.knows("parallax"):
        raise InputError(
            "distances need the errors of the parallaxes: a column parallax_error, or Stars(…, covariance=…)."
        )
    parallax, error = stars.raw.parallax - _zero_point(stars, zero_point), covariance.error("parallax")
    bad = {
        "no parallax": np.isnan(stars.raw.parallax),
        "no parallax error": np.isnan(error),
        "parallax error not positive": error <= 0.0,
        "no parallax zero point": np.isnan(parallax) & ~np.isnan(stars.raw.parallax),
    }
    return np.where(_any(bad, len(stars)), np.nan, parallax), error, bad


def _zero_point(stars: Stars, zero_point: Any) -> Any:
    if zero_point is None:
        return 0.0
    if isinstance(zero_point, Column):
        return priors.column_values(stars, zero_point.name, MAS)
    zero = raw_values(zero_point, MAS, "parallax_zero_point")
    if zero.shape not in ((), (len(stars),)):
        raise InputError(
            f"parallax_zero_point has shape {zero.shape}; one for all {len(stars):,} rows or one for each is needed."
        )
    return zero


def _any(bad: Mapping[str, Any], n: int) -> Any:
    out = np.zeros(n, bool)
    for mask in bad.values():
        out |= mask
    return out


def _table(stars: Stars, found: kernel.Posterior, bad: Mapping[str, Any], prior: Any) -> Any:
    from astropy.table import QTable

    counts: dict[str, int] = {}
    seen = np.zeros(len(stars), bool)
    for reason, mask in bad.items():
        if fresh := int(np.count_nonzero(mask & ~seen)):
            counts[reason] = fresh
        seen |= mask
    if counts:
        told = ", ".join(f"{n:,} {reason}" for reason, n in counts.items())
        warnings.warn(f"distances: some of {len(stars):,} rows have none: {told}.", RowsWarning, stacklevel=3)
    names = ("distance_lower", "distance", "distance_upper")
    values = dict(zip(names, found.quantiles, strict=True))
    values |= {"distance_mean": found.mean, "distance_std": found.deviation, "distance_mode": found.mode}
    values["distance_mode_of_parallax"] = found.mode_of_parallax
    columns: dict[str, Any] = {"source_id": stars["source_id"].copy()} if "source_id" in stars.columns else {}
    for name in ("distance", "distance_lower", "distance_upper", *list(values)[3:]):
        columns[name] = values[name] << u.kpc
    out = QTable(columns, copy=False)
    out.meta.update(prior=repr(prior), left_out=counts)
    return out
