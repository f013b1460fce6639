"""The classical picture of Oort's constants: the double waves of the fitted field with Galactic longitude."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import fit_plot

Array = NDArray[np.float64]

_NAMES = ("A", "B", "C", "K")
_LONGITUDE = np.linspace(0.0, 360.0, 361)


def draw(fit: ak.Fit, axes: Any = None) -> Any:
    """The field with longitude and the values; A, B, C, K against the groups where there are some.

    Parameters
    ----------
    fit : Fit
        With A, B, C and K.
    axes : sequence of matplotlib axes, optional
        Two of them (waves, values), or four (a constant each) for a fit with groups.

    Returns
    -------
    `matplotlib.figure.Figure`
    """
    return _waves(fit, axes) if fit.groups is None else _groups(fit, axes)


def waves(longitude: Any) -> dict[str, Array]:
    """What A, B, C, K are multiplied by in v_r/d and v_l/d at b = 0, for longitudes in degrees: (n, 4) each."""
    twice = 2.0 * np.radians(np.asarray(longitude, dtype=float))
    sin, cos = np.sin(twice), np.cos(twice)
    one, zero = np.ones_like(twice), np.zeros_like(twice)
    return {"v_r/d": np.stack([sin, zero, cos, one], axis=-1), "v_l/d": np.stack([cos, one, -sin, zero], axis=-1)}


def curve(fit: ak.Fit, design: Array) -> tuple[Array, Array]:
    """Value and standard error of a wave; NaN where it needs a constant that the data do not determine."""
    there = [k for k in _NAMES if k in fit]  # circular orbits have no C and no K
    design = design[:, [_NAMES.index(k) for k in there]]
    place = [fit.names.index(k) for k in there]
    used = np.abs(design).max(axis=0) > 0
    values = np.array([fit[k].value for k in there])[used]
    covariance = np.full((len(values),) * 2, np.nan)
    if fit.covariance is not None:
        covariance = fit.covariance[np.ix_(place, place)][np.ix_(used, used)]
    part = design[:, used]
    return part @ values, np.sqrt(np.einsum("ni,ij,nj->n", part, covariance, part))


def _waves(fit: ak.Fit, axes: Any) -> Any:
    if axes is None:
        axes = fit_plot.new_figure(11.0, 4.4).subplots(1, 2, width_ratios=(1.7, 1.0))
    upper, values = axes
    colours = zip(waves(_LONGITUDE).items(), (fit_plot.RESULT, fit_plot.DERIVED), strict=True)
    lost = [_draw_wave(fit, upper, name, design, colour) for (name, design), colour in colours]
    unit = fit_plot.unit_label(fit["A"].unit)
    upper.set(xlim=(0, 360), xticks=range(0, 361, 45), xlabel="Galactic longitude  (deg)")
    upper.set_ylabel(f"velocity / distance at b = 0  {unit}")
    upper.axhline(0.0, color="0.6", lw=0.8)
    upper.grid(alpha=0.3)
    upper.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2, frameon=False)
    upper.set_title(", ".join(filter(None, lost)), loc="right", fontsize="medium")
    fit_plot.values_panel(fit, [k for k in _NAMES if k in fit], values)
    values.set_xlabel(unit)
    return upper.figure


def _draw_wave(fit: ak.Fit, ax: Any, name: str, design: Array, colour: str) -> str:
    y, error = curve(fit, design)
    if np.isnan(y).any():
        return f"${name}$ is not determined"
    ax.plot(_LONGITUDE, y, color=colour, label=f"${name}$ ± 1 σ")
    ax.fill_between(_LONGITUDE, y - error, y + error, color=colour, alpha=0.3, lw=0)
    return ""


def _groups(fit: ak.Fit, axes: Any) -> Any:
    if axes is None:
        axes = fit_plot.new_figure(9.0, 6.0).subplots(2, 2).ravel()
    for ax, name in zip(axes, [k for k in _NAMES if k in fit], strict=False):
        fit_plot.profile_panel(fit, name, ax)
    return axes[0].figure
