"""The picture of a disc weighed: density, dispersion, force and surface density with height."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import fit_plot

Array = NDArray[np.float64]

#: The panels: the result, whether its scale is logarithmic, the words of its axis.
_PANELS = (
    ("nu", True, r"density of tracers  $\nu$"),
    ("sigma_zz", False, r"$\sigma_{zz}^2$"),
    ("Kz", False, r"force  $K_z$"),
    ("Sigma", False, r"surface density  $\Sigma(<|z|)$"),
)
_GROUPS = ("#1f4e79", "#b5651d", "#4b7f52", "#7a4b7f", "#a03030", "#557a8a")


def draw(fit: ak.Fit, axes: Any = None) -> Any:
    """Four panels over |z|, with bands of one standard error; bins as points, groups in colours.

    Parameters
    ----------
    fit : Fit
        Of `JeansKz`.
    axes : sequence of four matplotlib axes, optional
        Of density, dispersion, force and surface density.

    Returns
    -------
    `matplotlib.figure.Figure`
    """
    if axes is None:
        axes = fit_plot.new_figure(9.5, 6.4).subplots(2, 2).ravel()
    labels = [None] if fit.groups is None else [_label(g) for g in fit.groups]
    for ax, (name, logarithmic, words) in zip(axes, _PANELS, strict=True):
        for k, label in enumerate(labels):
            colour = _GROUPS[k % len(_GROUPS)]
            _band(ax, fit, name, k, colour, label)
            _bins(ax, fit, name, k, colour)
        _dress(ax, fit, name, logarithmic, words)
    _tilt(axes[2], fit, len(labels))
    _dark(axes[3], fit)
    if len(labels) > 1 or fit.derived:
        axes[3].legend(fontsize="small", frameon=False, loc="upper left")
    return axes[0].figure


def _label(group: Any) -> str:
    return f"{group[0]:.4g} to {group[1]:.4g}" if isinstance(group, tuple) else str(group)


def _of(fit: ak.Fit, values: Any, k: int) -> Any:
    """The profile of one group."""
    return values.value if fit.groups is None else values.value[k]


def _band(ax: Any, fit: ak.Fit, name: str, k: int, colour: str, label: str | None) -> None:
    z = fit.grid.to_value(u.kpc)  # type: ignore[union-attr]
    value, error = _of(fit, fit[name], k), _of(fit, fit.error[name], k)
    order = np.argsort(z)
    if len(z) == 1:
        ax.errorbar(z, value, yerr=error, fmt="s", color=colour, label=label)
        return
    ax.plot(z[order], value[order], color=colour, label=label)
    ax.fill_between(z[order], (value - error)[order], (value + error)[order], color=colour, alpha=0.3, lw=0)


def _bins(ax: Any, fit: ak.Fit, name: str, k: int, colour: str) -> None:
    """What was measured in the bins, where the fit has it."""
    if f"bin_{name}" not in fit.data:
        return
    value, error, height = (
        np.atleast_2d(fit.data[key].value)[k] for key in (f"bin_{name}", f"bin_{name}_error", "bin_height")
    )
    there = np.isfinite(value) & ((value > 0.0) | (name != "nu"))
    ax.errorbar(height[there], value[there], yerr=error[there], fmt="o", ms=3.5, color=colour, alpha=0.7, lw=1)


def _tilt(ax: Any, fit: ak.Fit, n: int) -> None:
    if "tilt" not in fit:
        return
    z = fit.grid.to_value(u.kpc)  # type: ignore[union-attr]
    order = np.argsort(z)
    for k in range(n):
        word = "of it the tilt term" if k == 0 else None
        ax.plot(z[order], _of(fit, fit["tilt"], k)[order], "--", color=_GROUPS[k % len(_GROUPS)], label=word)
    ax.axhline(0.0, color="0.6", lw=0.8)
    ax.legend(fontsize="small", frameon=False)


def _dark(ax: Any, fit: ak.Fit) -> None:
    """What is left without the baryons."""
    if "Sigma_dm" not in fit.derived or fit.groups is not None:
        return
    z = fit.grid.to_value(u.kpc)  # type: ignore[union-attr]
    order = np.argsort(z)
    value, error = (v["Sigma_dm"].value[order] for v in (fit.derived, fit.derived_error))
    ax.plot(z[order], value, color=fit_plot.DERIVED, label="less the baryons")
    ax.fill_between(z[order], value - error, value + error, color=fit_plot.DERIVED, alpha=0.25, lw=0)


def _dress(ax: Any, fit: ak.Fit, name: str, logarithmic: bool, words: str) -> None:
    ax.set_xlabel("$|z|$  (kpc)")
    ax.set_ylabel(f"{words}  ({fit_plot.unit_label(fit[name].unit)})")
    ax.set_xlim(left=0.0)
    ax.grid(alpha=0.3)
    if np.isnan(fit[name].value).all():
        ax.text(0.5, 0.5, "not determined", transform=ax.transAxes, ha="center", color="0.4")
    elif logarithmic:
        ax.set_yscale("log")
