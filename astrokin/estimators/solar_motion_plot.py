"""Figures of the solar motion: its field on the sky with the apex, and the Strömberg diagram of groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import fit_plot

Array = NDArray[np.float64]

_SUN = ("U", "V", "W")
_BOX = {"facecolor": "white", "alpha": 0.8, "lw": 0, "boxstyle": "round,pad=0.2"}


def draw(fit: ak.Fit, axes: Any = None) -> Any:
    """The mean radial velocity over the sky with the apex, and the values; of groups, the Strömberg diagram.

    Parameters
    ----------
    fit : Fit
        Of the solar motion, with groups or not, or Strömberg's relation.
    axes : sequence of matplotlib axes, optional
        Two of them (the first a Mollweide projection), or three for groups.

    Returns
    -------
    `matplotlib.figure.Figure`
    """
    if fit.of_groups is not None:
        return _stromberg(fit.of_groups, fit, axes)
    if fit.groups is None:
        return _sky(fit, axes)
    if _dispersion(fit):
        return _stromberg(fit, None, axes)
    return fit_plot.overview(fit)


# ---- one sample ------------------------------------------------------------------------------------------


def _sky(fit: ak.Fit, axes: Any) -> Any:
    if axes is None:
        figure = fit_plot.new_figure(11.0, 4.0)
        grid = figure.add_gridspec(1, 2, width_ratios=(1.9, 1.0))
        axes = figure.add_subplot(grid[0], projection="mollweide"), figure.add_subplot(grid[1])
    sky, values = axes
    sun = np.array([fit[k].value for k in _SUN])
    if np.isfinite(sun).all():
        _field(sky, sun)
        _apex(sky, sun)
    sky.set_title("mean radial velocity, longitude growing to the left", fontsize="medium", pad=18)
    sky.set(xticks=np.radians(range(-120, 121, 60)), yticks=np.radians([-60, -30, 0, 30, 60]))
    sky.set_xticklabels(["120°", "60°", "0°", "300°", "240°"], fontsize="small")
    sky.grid(alpha=0.4)
    fit_plot.values_panel(fit, [*_SUN, *(k for k in ("speed", "sigma") if k in fit.derived)], values)
    values.set_xlabel(fit_plot.unit_label(fit["U"].unit))
    return sky.figure


def _field(ax: Any, sun: Array) -> None:
    """Contours of -(U cos l cos b + V sin l cos b + W sin b)."""
    lon, lat = np.meshgrid(np.linspace(-np.pi, np.pi, 181), np.linspace(-np.pi / 2, np.pi / 2, 91))
    outward = np.stack([np.cos(-lon) * np.cos(lat), np.sin(-lon) * np.cos(lat), np.sin(lat)])
    speed = np.tensordot(-sun, outward, 1)
    top = np.abs(sun).max() and np.ceil(np.sqrt(sun @ sun))
    drawn = ax.contourf(lon, lat, speed, np.linspace(-top, top, 13), cmap="RdBu_r")
    bar = ax.figure.colorbar(drawn, ax=ax, shrink=0.8, ticks=np.linspace(-top, top, 5))
    bar.set_label("km/s")


def _apex(ax: Any, sun: Array) -> None:
    for sign, name, shown in ((1.0, "apex", "*"), (-1.0, "antapex", "o")):
        x, y, z = sign * sun / np.sqrt(sun @ sun)
        lon, lat = -np.arctan2(y, x), np.arcsin(z)
        ax.plot(lon, lat, shown, color="black", markersize=9, markerfacecolor="white")
        ax.annotate(name, (lon, lat), xytext=(6, 6), textcoords="offset points", fontsize="small", bbox=_BOX)


# ---- groups ----------------------------------------------------------------------------------------------


def _dispersion(fit: ak.Fit) -> str:
    return next((k for k in ("sigma_UU", "sigma2") if k in fit), "")


def _stromberg(groups: ak.Fit, line: ak.Fit | None, axes: Any) -> Any:
    if axes is None:
        axes = fit_plot.new_figure(10.0, 3.8).subplots(1, 3)
    against = _dispersion(groups)
    x, dx = groups[against].value, groups.error[against].value
    for ax, name in zip(axes, _SUN, strict=True):
        y, dy = groups[name].value, groups.error[name].value
        ax.errorbar(x, y, xerr=dx, yerr=dy, fmt="o", color=fit_plot.RESULT, capsize=2, markersize=4)
        label = r"\sigma_{UU}" if against == "sigma_UU" else r"\sigma^2"
        ax.set_xlabel(f"${label}$  {fit_plot.unit_label(groups[against].unit)}")
        ax.set_ylabel(f"{name}  {fit_plot.unit_label(groups[name].unit)}")
        ax.set_xlim(0.0, 1.08 * np.nanmax(x + dx) if np.isfinite(x).any() else 1.0)
        ax.grid(alpha=0.3)
        if line is not None:
            _draw_line(ax, line, name, np.linspace(0.0, ax.get_xlim()[1], 101))
    return axes[0].figure


def _draw_line(ax: Any, fit: ak.Fit, name: str, x: Array) -> None:
    """The line (or the mean) with its error band, and its value at zero dispersion."""
    sun = f"{name}_sun"
    place = [fit.names.index(sun), fit.names.index("k")]
    k = fit["k"].value
    if np.isnan(fit[sun].value) or (name == "V" and np.isnan(k)) or fit.covariance is None:
        return
    slopes = np.stack([np.ones_like(x), -x / k**2 if name == "V" else np.zeros_like(x)])
    covariance = np.nan_to_num(fit.covariance[np.ix_(place, place)])
    y = fit[sun].value + (x / k if name == "V" else 0.0 * x)
    error = np.sqrt(np.einsum("in,ij,jn->n", slopes, covariance, slopes))
    ax.plot(x, y, color=fit_plot.DERIVED)
    ax.fill_between(x, y - error, y + error, color=fit_plot.DERIVED, alpha=0.25, lw=0)
    ax.errorbar(0.0, y[0], yerr=error[0], fmt="s", color=fit_plot.DERIVED, clip_on=False, capsize=3)
    ax.set_title(f"{name}_sun = {y[0]:.2f} ± {error[0]:.2f}", fontsize="medium", color=fit_plot.DERIVED)
