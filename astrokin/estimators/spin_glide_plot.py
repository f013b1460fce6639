"""The picture of a fitted proper-motion field: arrows on the whole sky, with the ends of spin and glide."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import angles, fit_plot
from astrokin.estimators import vector_harmonics
from astrokin.estimators.vector_harmonics import GLIDE, NAMES, SPIN

Array = NDArray[np.float64]

_ARROWS = 220
#: What is marked: the results that are the vector, marker, colour, words.
_MARKS = (
    (GLIDE, "*", fit_plot.DERIVED, "glide: toward here"),
    (SPIN, "o", fit_plot.RESULT, "spin: axis"),
)


def draw(fit: ak.Fit, axes: Any = None) -> Any:
    """The field on the sky (ICRS, Mollweide) beside the values; spin and glide against the groups where there are some.

    Parameters
    ----------
    fit : Fit
        Of `SpinAndGlide`.
    axes : sequence of matplotlib axes, optional
        Two of them (one in the Mollweide projection, one for the values), or six for a fit with groups.

    Returns
    -------
    `matplotlib.figure.Figure`
    """
    return _sky(fit, axes) if fit.groups is None else _groups(fit, axes)


def parameters(fit: ak.Fit) -> tuple[str, ...]:
    """The names of the field's parameters in the fit."""
    return NAMES[2] if NAMES[2][-1] in fit else NAMES[1]


def spread(n: int) -> tuple[Array, Array]:
    """Longitudes and latitudes (deg) that cover the sphere evenly: a Fibonacci spiral."""
    k = np.arange(n) + 0.5
    return (k * 180.0 * (3.0 - np.sqrt(5.0))) % 360.0, np.degrees(np.arcsin(1.0 - 2.0 * k / n))


def _groups(fit: ak.Fit, axes: Any) -> Any:
    if axes is None:
        axes = fit_plot.new_figure(11.0, 5.6).subplots(2, 3).ravel()
    for ax, name in zip(axes, NAMES[1], strict=True):
        fit_plot.profile_panel(fit, name, ax)
    return axes[0].figure


def _sky(fit: ak.Fit, axes: Any) -> Any:
    names = parameters(fit)
    if axes is None:
        figure = fit_plot.new_figure(11.0, 4.3)
        grid = figure.add_gridspec(1, 2, width_ratios=(1.9, 1.0))
        axes = figure.add_subplot(grid[0], projection="mollweide"), figure.add_subplot(grid[1])
    sky, values = axes
    fit_plot.values_panel(fit, list(names), values)
    unit = fit_plot.unit_label(fit[names[0]].unit)
    values.set_xlabel(unit)
    lost = [name for name in names if np.isnan(fit[name].value)]
    if lost:
        sky.set_title(f"not determined: {', '.join(lost)}", fontsize="medium")
    else:
        _arrows(sky, np.array([fit[name].value for name in names]), unit)
        for mark in _MARKS:
            _mark(sky, fit, *mark)
        sky.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, frameon=False, fontsize="small")
    _dress(sky)
    return sky.figure


def _arrows(ax: Any, field: Array, unit: str) -> None:
    ra, dec = spread(_ARROWS)
    axes = angles.triad(ra, dec)
    east, north = vector_harmonics.field(field, axes[2], axes[:2])
    size = np.hypot(east, north)
    largest = max(size.max(), 1e-300)
    turn = _screen_angle(ax, axes[2], (east * axes[0] + north * axes[1]) / largest)
    x, y = _on_map(ra, dec)
    arrows = ax.quiver(
        x, y, size, 0.0 * x, size, angles=turn, cmap="viridis", scale=16.0 * largest, width=0.003, pivot="mid"
    )
    arrows.set_clim(0.0, largest)
    bar = ax.figure.colorbar(arrows, ax=ax, orientation="horizontal", shrink=0.6, pad=0.06)
    bar.set_label(f"proper motion of the field  {unit}")


def _screen_angle(ax: Any, directions: Array, motion: Array) -> Array:
    """Angles (deg) of small steps along tangent vectors (3, n), as the map shows them."""
    ends = (_on_map(*angles.longitude_latitude(angles.normalised(directions + s * motion))) for s in (-1e-4, 1e-4))
    start, end = (ax.transProjection.transform(place.T) for place in ends)
    return np.degrees(np.arctan2(*(end - start).T[::-1]))


def _on_map(ra: Array, dec: Array) -> Array:
    """Places on the map (rad), right ascension growing to the left from 180 to -180 deg."""
    return np.radians(np.stack([180.0 - (ra + 180.0) % 360.0, dec]))


def _mark(ax: Any, fit: ak.Fit, names: tuple[str, ...], marker: str, colour: str, words: str) -> None:
    vector = np.array([fit[name].value for name in names])[:, None]
    if not vector.any():
        return
    place = _on_map(*angles.longitude_latitude(angles.normalised(vector)))
    ax.plot(
        *place,
        marker,
        color=colour,
        markeredgecolor="white",
        markersize=16 if marker == "*" else 11,
        label=words,
        linestyle="none",
    )


def _dress(ax: Any) -> None:
    marks = np.arange(-120, 121, 60)
    ax.set_xticks(np.radians(marks), [f"{(-m) % 360}°" for m in marks], fontsize="x-small", color="0.35")
    ax.set_yticks(np.radians([-60, -30, 0, 30, 60]))
    ax.tick_params(axis="y", labelsize="x-small", labelcolor="0.35")
    ax.grid(alpha=0.25)
