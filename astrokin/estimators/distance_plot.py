"""The picture of a cluster's distance: its parallaxes by their errors, and the pulls."""

from __future__ import annotations

from typing import Any

import numpy as np

import astrokin as ak
from astrokin import fit_plot


def draw(fit: ak.Fit, axes: Any = None) -> Any:
    """Mean parallaxes of members of similar errors against that of all, and the pulls; the values of groups.

    Parameters
    ----------
    fit : Fit
        Of `ParallaxDistance`.
    axes : sequence of two matplotlib axes, optional

    Returns
    -------
    `matplotlib.figure.Figure`
    """
    if fit.groups is not None or "pull" not in fit.data:
        return fit_plot.overview(fit)
    if axes is None:
        axes = fit_plot.new_figure(10.0, 4.0).subplots(1, 2)
    _parallaxes(fit, axes[0])
    _pulls(fit, axes[1])
    return axes[0].figure


def _parallaxes(fit: ak.Fit, ax: Any) -> None:
    error, n, mean, its_error = (fit.data[f"bin_{k}"].value for k in ("error", "count", "parallax", "parallax_error"))
    there = n > 0
    ax.errorbar(error[there], mean[there], its_error[there], fmt="o", color=fit_plot.RESULT, capsize=2, label="members")
    centre, sigma = fit["parallax"].value, fit.error["parallax"].value
    ax.axhline(centre, color=fit_plot.DERIVED, label="all, ± 1 σ")
    if np.isfinite(sigma):
        ax.axhspan(centre - sigma, centre + sigma, color=fit_plot.DERIVED, alpha=0.25, lw=0)
    ticks = [m * 10.0**k for k in range(-3, 2) for m in (1, 2, 5)]
    ticks = [t for t in ticks if 0.7 * error[there].min() < t < 1.5 * error[there].max()]
    ax.set(xscale="log", xlabel="error of the parallax  (mas)", ylabel="mean parallax  (mas)")
    ax.set_xticks(ticks, [f"{t:g}" for t in ticks])
    ax.set_xticks([], minor=True)
    ax.margins(x=0.15)
    ax.grid(alpha=0.3)
    ax.legend(frameon=False, fontsize="small")


def _pulls(fit: ak.Fit, ax: Any) -> None:
    place, n = fit.data["pull"].value, fit.data["pull_count"].value
    width = place[1] - place[0]
    ax.bar(place, n, width, color=fit_plot.RESULT, alpha=0.8)
    x = np.linspace(place[0], place[-1], 200)
    height = n.sum() * width / np.sqrt(2.0 * np.pi)
    ax.plot(x, height * np.exp(-0.5 * x * x), color=fit_plot.DERIVED, label="expected")
    ax.set(xlabel="(parallax - mean) / its error  (beyond ±5 at the ends)", ylabel="members")
    ax.legend(frameon=False, fontsize="small")
