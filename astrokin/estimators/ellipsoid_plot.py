"""The picture of a velocity ellipsoid: its projections with the axes; or shape and orientation against groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import fit_plot
from astrokin.estimators.ellipsoid_axes import AXES, Axes

Array = NDArray[np.float64]

_TURN = np.linspace(0.0, 2.0 * np.pi, 181)
_SYMBOLS = {"phi": r"\varphi"}
#: What is drawn against the groups: the panel's label and its quantities.
_PANELS = (
    ("dispersion along the axes  (km/s)", ("sigma_1", "sigma_2", "sigma_3")),
    ("axis ratios", ("ratio_21", "ratio_31")),
    ("vertex deviation  (deg)", ("vertex_deviation",)),
    ("tilt  (deg)", ("tilt",)),
)
_COLOURS = (fit_plot.RESULT, fit_plot.DERIVED, "0.45")


def draw(fit: ak.Fit, axes: Any = None) -> Any:
    """The ellipses of one and two standard deviations in two planes; against the groups where there are some.

    Parameters
    ----------
    fit : Fit
        Of `VelocityEllipsoid`.
    axes : sequence of matplotlib axes, optional
        Two of them, or four (dispersions, ratios, vertex deviation, tilt) for a fit with groups.

    Returns
    -------
    `matplotlib.figure.Figure`
    """
    return _planes(fit, axes) if fit.groups is None else _groups(fit, axes)


def _planes(fit: ak.Fit, axes: Any) -> Any:
    if axes is None:
        axes = fit_plot.new_figure(9.6, 3.8).subplots(1, 2)
    kind = next(found for found in AXES.values() if found.means[0] in fit)
    for ax, (other, angle) in zip(axes, ((1, "vertex_deviation"), (2, "tilt")), strict=True):
        _plane(fit, kind, other, angle, ax)
    return axes[0].figure


def _plane(fit: ak.Fit, kind: Axes, other: int, angle: str, ax: Any) -> None:
    centre = np.array([fit[kind.means[k]].value for k in (0, other)])
    place = {(0, 0): 0, (0, 1): 1, (0, 2): 2, (1, 1): 3, (2, 2): 5}
    xx, xy, yy = (fit[kind.moments[place[k]]].value for k in ((0, 0), (0, other), (other, other)))
    tensor = np.array([[xx, xy], [xy, yy]])
    ax.set(xlabel=_label(kind, 0), ylabel=_label(kind, other), aspect="equal")
    ax.grid(alpha=0.3)
    if not np.isfinite(tensor).all() or np.linalg.eigvalsh(tensor)[0] <= 0.0:
        ax.set_title("not determined" if np.isnan(tensor).any() else "no ellipse: a variance is not positive")
        return
    values, vectors = np.linalg.eigh(tensor)
    long = vectors[:, 1] * (np.sign(vectors[0, 1]) or 1.0)
    for size, alpha in ((1, 0.30), (2, 0.15)):
        x, y = centre[:, None] + size * vectors @ (np.sqrt(values)[:, None] * np.stack([np.cos(_TURN), np.sin(_TURN)]))
        ax.fill(x, y, color=fit_plot.RESULT, alpha=alpha, lw=0)
    ends = centre[:, None] + 2.2 * np.sqrt(values[1]) * np.outer(long, [-1.0, 1.0])
    ax.plot(*ends, color=fit_plot.DERIVED)
    ax.plot(ends[0], [centre[1]] * 2, color="0.5", ls=":")
    ax.plot(*centre, "+", color="k")
    if kind.means[0] == "mean_U":
        ax.plot(0.0, 0.0, marker="$\\odot$", ms=9, color="k", ls="")
    told = f"{fit.derived[angle].value:.1f}° ± {fit.derived_error[angle].value:.1f}°"
    ax.set_title(f"{angle.replace('_', ' ')} {told}", fontsize="medium")


def _label(kind: Axes, k: int) -> str:
    letter = kind.letters[k]
    name = letter if kind.means[0] == "mean_U" else f"v_{{{_SYMBOLS.get(letter, letter)}}}"
    return f"${name}$  (km/s)"


def _groups(fit: ak.Fit, axes: Any) -> Any:
    if axes is None:
        axes = fit_plot.new_figure(9.6, 6.4).subplots(2, 2).ravel()
    place, half, label = fit_plot.abscissa(fit, len(fit.groups or ()))
    for ax, (told, names) in zip(axes, _PANELS, strict=True):
        for name, colour in zip(names, _COLOURS, strict=False):
            y, error = fit.derived[name].value, fit.derived_error[name].value
            ax.errorbar(place, y, yerr=error, xerr=half, fmt="o", capsize=2, color=colour, label=_legend(name))
        if len(names) > 1:
            ax.legend(fontsize="small")
        ax.set(xlabel=label, ylabel=told)
        ax.margins(x=0.1)
        ax.grid(alpha=0.3)
    return axes[0].figure


def _legend(name: str) -> str:
    index = name.rpartition("_")[2]
    return rf"$\sigma_{index}$" if len(index) == 1 else rf"$\sigma_{index[0]}/\sigma_{index[1]}$"
