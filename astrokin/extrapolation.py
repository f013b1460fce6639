"""Strömberg's extrapolation of the solar motion to zero dispersion, from the solar motion of groups of stars."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray
from scipy import stats

from astrokin.errors import InputError
from astrokin.fit import Fit
from astrokin.straight_line import Line, mean, straight_line

Array = NDArray[np.float64]

VELOCITY = u.km / u.s
_RESULTS = ("V_sun", "k", "U_sun", "W_sun")
#: Groups whose dispersions are as unequal as this by chance do not tell a line.
_BY_CHANCE = 1e-3
#: What is added to the variances (km/s, km2/s2), so that they are above zero where there is no scatter at all.
_ROUND_OFF = 1e-18
#: A slope of fewer standard errors gives no k.
_CLEAR = 2.0


def stromberg(fit: Fit, scatter: bool = False) -> Fit:
    r"""Strömberg's extrapolation: the Sun's velocity relative to groups of stars, at zero dispersion.

    .. math:: V_i = V_\odot + \sigma_{R,i}^2 / k

    is fitted to the groups with the errors of both and their correlation; U and W, which do not depend on the
    dispersion, are the means of the groups. Together they are the Sun's velocity relative to the local standard of
    rest of that sample.

    Parameters
    ----------
    fit : Fit
        Of `astrokin.estimators.SolarMotion` with ``by=``, three groups or more: with ``U V W`` and a dispersion,
        ``sigma_UU`` (toward the Galactic centre, so sigma_R2) or, where there is none, the isotropic ``sigma2``.
    scatter : bool
        Whether U, V, W may scatter about mean and line by more than their errors: by as much, beyond the errors, as
        makes the misfit what is expected. For groups that are not relaxed, such as the youngest stars.

    Returns
    -------
    Fit
        ``V_sun k U_sun W_sun`` (km/s). Derived: ``slope`` = 1/k. In `Fit.columns` ``chi2`` of the line, its degrees of
        freedom ``dof`` and, where asked for, ``scatter_U``, ``scatter_V``, ``scatter_W``; in `Fit.of_groups` the groups
        with the ``lag`` of each, V - V_sun. k is undetermined where the slope is not two standard errors above zero.

    Raises
    ------
    InputError
        A fit without groups, or without what is needed.

    Examples
    --------
    >>> import numpy as np
    >>> import astrokin as ak
    >>> stars, truth = ak.estimators.AsymmetricDrift(by="population").simulate(20_000, np.random.default_rng(1))
    >>> groups = ak.estimators.SolarMotion(by="population", dispersion="full").fit(stars)
    >>> line = ak.drift.stromberg(groups)
    >>> abs(line["V_sun"] - truth["V_sun"]) < 4 * line.error["V_sun"]
    np.True_
    """
    values, covariance = _points(fit)
    use = np.asarray(np.isfinite(values).all(axis=1) & np.isfinite(covariance).all(axis=(1, 2)))
    reason = _lacking(values[use], covariance[use])
    if reason:
        nothing = dict.fromkeys(_RESULTS, np.nan * VELOCITY)
        lost = dict.fromkeys(_RESULTS, reason)
        return _of_all(fit, nothing, np.full((4, 4), np.nan), undetermined=lost, of_groups=fit)
    relation = Relation.of(values[use], covariance[use], scatter)
    lost = {} if relation.clear else {"k": "V does not grow with the dispersion by more than its errors"}
    return _of_all(
        fit,
        {name: value * VELOCITY for name, value in zip(_RESULTS, relation.values, strict=True)},
        relation.covariance,
        undetermined=lost,
        of_groups=_with_lags(fit, values[:, 1], use, relation),
        columns=relation.told(scatter),
    )


def derive(values: Mapping[str, Any]) -> dict[str, Any]:
    """The slope of the line."""
    with np.errstate(invalid="ignore"):
        return {"slope": 1.0 / values["k"]}


def _points(fit: Fit) -> tuple[Array, Array]:
    """U, V, W and the dispersion of the groups (G, 4), and their covariances (G, 4, 4)."""
    if not isinstance(fit, Fit):
        raise InputError(f"stromberg() needs the Fit of the solar motion of groups, not {fit!r}.")
    against = next((k for k in ("sigma_UU", "sigma2") if k in fit.results), "")
    names = ("U", "V", "W", against)
    if fit.groups is None or any(k not in fit.results for k in names) or fit.covariance is None:
        raise InputError(
            "stromberg() needs the solar motion of groups with a dispersion, such as "
            f"SolarMotion(by=('BV', edges), dispersion='full').fit(stars); this fit has {', '.join(fit.results)}"
            f"{'' if fit.groups is not None else ' and no groups'}."
        )
    place = [fit.names.index(k) for k in names]
    values = np.stack([fit[k].to_value(VELOCITY ** (2 if k == against else 1)) for k in names], axis=1)
    covariance = fit.covariance[:, place][:, :, place]
    covariance += _ROUND_OFF * np.eye(4)
    return values, covariance


def _lacking(values: Array, covariance: Array) -> str:
    """Why the groups do not tell a line; empty where they do."""
    if len(values) < 3:
        return f"of {len(values)} of the groups V and dispersion are known; a line and its errors need 3"
    spread = mean(values[:, 3], covariance[:, 3, 3]).chi2
    if stats.chi2.sf(spread, len(values) - 1) > _BY_CHANCE:
        return "the groups do not differ in dispersion by more than the errors"
    return ""


def _of_all(fit: Fit, results: dict[str, u.Quantity], covariance: Array, **more: Any) -> Fit:
    """A fit of all groups together, which goes back to the same stars."""
    kept = ("converged", "used", "left_out", "passes", "provenance", "notes", "plotter")
    return Fit(results, covariance, **{k: getattr(fit, k) for k in kept}, **more).with_derived(derive)


def _with_lags(fit: Fit, v: Array, use: NDArray[np.bool_], relation: Relation) -> Fit:
    lag, error = np.full((2, len(v)), np.nan)
    lag[use], error[use] = v[use] - relation.v.intercept, relation.lag_error
    return replace(
        fit,
        derived={**fit.derived, "lag": lag << VELOCITY},
        derived_error={**fit.derived_error, "lag": error << VELOCITY},
    )


@dataclass(frozen=True)
class Relation:
    """The line of V with the dispersion, and the means of U and W; plain numbers.

    Attributes
    ----------
    u, v, w : Line
    points : ndarray, shape (G, 4, 4)
        Covariances of U, V, W and dispersion of the groups, with the scatter.
    """

    u: Line
    v: Line
    w: Line
    points: Array

    @classmethod
    def of(cls, values: Array, covariance: Array, scatter: bool) -> Relation:
        """From U, V, W and dispersion (G, 4) and their covariances (G, 4, 4)."""
        points = covariance.copy()
        xy = [3, 1]
        line = straight_line(values[:, 3], values[:, 1], points[:, xy][:, :, xy], scatter)
        u_, w = (mean(values[:, i], points[:, i, i], scatter) for i in (0, 2))
        for i, found in enumerate((u_, line, w)):
            points[:, i, i] += found.scatter**2
        return cls(u_, line, w, points)

    @cached_property
    def _gain(self) -> Array:
        """Changes of V_sun, slope, U_sun, W_sun with U, V, W and dispersion of the groups, (4, G, 4)."""
        gain = np.zeros((4, len(self.points), 4))
        gain[:2, :, 3], gain[:2, :, 1] = self.v.gain[:, :, 0], self.v.gain[:, :, 1]
        gain[2, :, 0], gain[3, :, 2] = self.u.gain[0], self.w.gain[0]
        return gain

    @cached_property
    def _whole(self) -> Array:
        """Covariance of V_sun, slope, U_sun, W_sun."""
        return np.einsum("agi,gij,bgj->ab", self._gain, self.points, self._gain)

    @property
    def clear(self) -> bool:
        """Whether the slope is above zero by more than its errors, so that it has an inverse."""
        return bool(self.v.slope > _CLEAR * np.sqrt(self._whole[1, 1]))

    @property
    def values(self) -> tuple[float, float, float, float]:
        """V_sun, k, U_sun, W_sun."""
        return self.v.intercept, 1.0 / self.v.slope if self.clear else np.nan, self.u.intercept, self.w.intercept

    @property
    def covariance(self) -> Array:
        """Their covariance."""
        turn = np.array([1.0, -1.0 / self.v.slope**2 if self.clear else np.nan, 1.0, 1.0])
        return self._whole * np.outer(turn, turn)

    @property
    def lag_error(self) -> Array:
        """Standard errors of the groups' lags: of V and of V_sun, which goes by that V too."""
        shared = np.einsum("gi,gi->g", self.points[:, 1], self._gain[0])
        return np.sqrt(np.maximum(self.points[:, 1, 1] + self._whole[0, 0] - 2.0 * shared, 0.0))

    def told(self, scatter: bool) -> dict[str, Any]:
        """Misfit of the line, and the scatter beyond the errors."""
        lines = zip("UVW", (self.u, self.v, self.w), strict=True)
        more = {f"scatter_{k}": line.scatter * VELOCITY for k, line in lines} if scatter else {}
        return {"chi2": self.v.chi2, "dof": len(self.points) - 2, **more}
