"""The picture of a fitted age-velocity relation: the dispersions against age, and the values."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import fit_plot

Array = NDArray[np.float64]

_COLOURS = {"R": fit_plot.RESULT, "phi": "#5b8c5a", "z": fit_plot.DERIVED}
_LABELS = {"R": r"$\sigma_R$", "phi": r"$\sigma_\phi$", "z": r"$\sigma_z$"}
_AGE = np.geomspace(0.1, 14.0, 100)


def draw(estimator: Any, fit: ak.Fit, axes: Any = None) -> Any:
    """Dispersions against age with their errors, and the values; each result against the groups where there are some.

    Parameters
    ----------
    estimator : DiscHeating
    fit : Fit
        Of it.
    axes : sequence of matplotlib axes, optional
        Two of them; for a profile one; for a fit with groups as many as results.

    Returns
    -------
    `matplotlib.figure.Figure`
    """
    if fit.groups is not None:
        return _groups(fit, axes)
    if fit.grid is not None:
        return _profile(fit, axes)
    if axes is None:
        axes = fit_plot.new_figure(11.0, 4.4).subplots(1, 2, width_ratios=(1.5, 1.0))
    relation, values = axes
    for curve in estimator._curves:
        _band(relation, fit, curve)
        _points(relation, fit, curve.component)
    _dress(relation)
    exponents = [k for k in fit if fit[k].unit == u.one] or list(fit)[:1]
    fit_plot.values_panel(fit, exponents, values)
    return relation.figure


def _band(ax: Any, fit: ak.Fit, curve: Any) -> None:
    """The curve of a component with its standard error."""
    place = [fit.names.index(k) for k in curve.names]
    theta = np.array([fit[k].value for k in curve.names])
    if np.isnan(theta).any():
        return
    sigma = np.sqrt(curve.variance(theta, _AGE))
    slopes = np.stack([_slope(curve, theta, i) for i in range(len(theta))], axis=1)
    covariance = np.full((len(place),) * 2, np.nan) if fit.covariance is None else fit.covariance[np.ix_(place, place)]
    error = np.sqrt(np.einsum("ni,ij,nj->n", slopes, covariance, slopes))
    colour = _COLOURS[curve.component]
    ax.plot(_AGE, sigma, color=colour, label=_LABELS[curve.component])
    ax.fill_between(_AGE, sigma - error, sigma + error, color=colour, alpha=0.3, lw=0)


def _points(ax: Any, fit: ak.Fit, component: str) -> None:
    """The dispersions in bins of observed age, which errors of the ages have mixed."""
    if "age" in fit.data:
        seen = fit.data[f"sigma_{component}"].value
        ax.plot(fit.data["age"].value, seen, "o", color=_COLOURS[component], ms=4, markerfacecolor="white")


def _slope(curve: Any, theta: Array, i: int) -> Array:
    step = np.zeros_like(theta)
    step[i] = 1e-4 * max(abs(theta[i]), 1e-2)
    ends = [np.sqrt(curve.variance(theta + s * step, _AGE)) for s in (-1, 1)]
    return (ends[1] - ends[0]) / (2.0 * step[i])


def _profile(fit: ak.Fit, axes: Any) -> Any:
    ax = fit_plot.new_figure(7.0, 4.4).subplots() if axes is None else np.atleast_1d(axes)[0]
    assert fit.grid is not None
    for component, colour in _COLOURS.items():
        value, error = fit[f"sigma_{component}"].value, fit.error[f"sigma_{component}"].value
        _points(ax, fit, component)
        ax.errorbar(fit.grid.value, value, yerr=error, fmt="o-", color=colour, label=_LABELS[component], capsize=2)
    _dress(ax)
    return ax.figure


def _dress(ax: Any) -> None:
    ax.set(xscale="log", yscale="log", xlabel="age  (Gyr)", ylabel="velocity dispersion  (km/s)")
    ax.set_xticks([0.1, 0.3, 1.0, 3.0, 10.0], ["0.1", "0.3", "1", "3", "10"])
    ax.set_yticks([5, 10, 20, 40], ["5", "10", "20", "40"])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))


def _groups(fit: ak.Fit, axes: Any) -> Any:
    names = list(fit)
    if axes is None:
        rows = -(-len(names) // 3)
        axes = fit_plot.new_figure(11.0, 2.8 * rows + 0.3).subplots(rows, 3, squeeze=False).ravel()
    for ax, name in zip(axes, names, strict=False):
        fit_plot.profile_panel(fit, name, ax)
    for ax in axes[len(names) :]:
        ax.set_visible(False)
    return axes[0].figure
