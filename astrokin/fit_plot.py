"""Figures of a `Fit`: values with errors and their correlations, or values against the groups."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import fit_output, layout
from astrokin.optional import require
from astrokin.rounding import measured

if TYPE_CHECKING:
    from astrokin.fit import Fit

#: Colours of results and of what is derived from them.
RESULT, DERIVED = "#1f4e79", "#b5651d"


def overview(fit: Fit) -> Any:
    """A figure of any fit.

    Parameters
    ----------
    fit : Fit

    Returns
    -------
    `matplotlib.figure.Figure`
        Values with errors, a panel per unit, and the correlation matrix; for a fit with groups or a grid, every
        result against them.

    Raises
    ------
    MissingDependencyError
        matplotlib is not installed.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> import astrokin as ak
    >>> fit = ak.Fit({"A": 15.0 * u.km / u.s / u.kpc, "U": 11.0 * u.km / u.s}, np.diag([0.04, 0.01]))
    >>> len(fit.plot().axes)  # a panel for each unit, the correlations and their scale
    4
    """
    return _profiles(fit) if fit_output.is_profile(fit) else _values_and_correlations(fit)


def new_figure(width: float, height: float) -> Any:
    """An empty figure that no window and no global state holds."""
    return require("matplotlib.figure", "plot", "Plotting").Figure((width, height), layout="constrained")


def unit_label(unit: u.UnitBase) -> str:
    """A unit as matplotlib writes it."""
    return "" if unit == u.dimensionless_unscaled else unit.to_string("latex_inline")


# ---- values and correlations -----------------------------------------------------------------------------


def _values_and_correlations(fit: Fit) -> Any:
    panels = _by_unit(fit)
    heights = [len(names) + 1.2 for names in panels.values()]
    figure = new_figure(11.0, max(4.0, 0.36 * sum(heights)))
    left, right = figure.subfigures(1, 2, width_ratios=(1.2, 1.0))
    axes = left.subplots(len(panels), 1, height_ratios=heights, squeeze=False)[:, 0]
    for ax, ((unit, derived), names) in zip(axes, panels.items(), strict=True):
        values_panel(fit, names, ax)
        label = unit_label(u.Unit(unit)) or "(no unit)"
        ax.set_xlabel(f"derived,  {label}" if derived else label)
    matrix = fit.correlation
    if matrix is not None:
        _correlations(list(fit), matrix, right.subplots())
    left.suptitle(fit_output.summary(fit), fontsize="medium")
    return figure


def _by_unit(fit: Fit) -> dict[tuple[str, bool], list[str]]:
    panels: dict[tuple[str, bool], list[str]] = {}
    for name, value, _ in fit_output.quantities(fit):
        panels.setdefault((value.unit.to_string(), name in fit.derived), []).append(name)
    return panels


def values_panel(fit: Fit, names: list[str], ax: Any) -> None:
    """Some quantities of one unit with their errors, a line each; hollow where derived."""
    known = {name: (value, error) for name, value, error in fit_output.quantities(fit)}
    for row, name in enumerate(names):
        value, error = (float(q.value) for q in known[name])
        colour = DERIVED if name in fit.derived else RESULT
        fill = "white" if name in fit.derived else colour
        ax.errorbar(value, row, xerr=error, fmt="o", color=colour, markerfacecolor=fill, capsize=3)
        ax.annotate(
            measured(value, error), (1.02, row), xycoords=("axes fraction", "data"), va="center", fontsize="small"
        )
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.grid(axis="x", alpha=0.3)
    ax.margins(x=0.1)
    if all(np.isnan(known[name][0].value) for name in names):
        ax.set_xticks([])


def _correlations(names: list[str], matrix: NDArray[np.float64], ax: Any) -> None:
    p = len(names)
    image = ax.imshow(np.ma.masked_invalid(matrix), vmin=-1, vmax=1, cmap="RdBu_r")
    ax.set_facecolor("0.85")  # behind what is not determined
    ax.set_xticks(range(p), names, rotation=90 if p > 5 else 0)
    ax.set_yticks(range(p), names)
    ax.set_title("correlation", fontsize="medium")
    ax.figure.colorbar(image, ax=ax, fraction=0.046)
    for i, j in np.argwhere(np.isfinite(matrix) & (p <= 14)):
        ax.text(
            j, i, f"{matrix[i, j]:.2f}", ha="center", va="center", fontsize=max(5, 9 - p // 3), color=_ink(matrix[i, j])
        )


def _ink(correlation: float) -> str:
    return "white" if abs(correlation) > 0.6 else "black"


# ---- against groups or a grid ----------------------------------------------------------------------------


def _profiles(fit: Fit, names: list[str] | None = None) -> Any:
    names = names or [name for name in fit if fit.grid is None or layout.on_grid(fit, fit[name])]
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = new_figure(3.8 * columns, 2.6 * rows + 0.4)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for ax, name in zip(axes, names, strict=False):
        profile_panel(fit, name, ax)
    for ax in axes[len(names) :]:
        ax.set_visible(False)
    figure.suptitle(fit_output.summary(fit), fontsize="medium")
    return figure


def profile_panel(fit: Fit, name: str, ax: Any, colour: str = RESULT) -> None:
    """One result with its errors against the groups, or against the grid with a line per group."""
    value = fit[name]
    error = fit.error[name].to_value(value.unit)
    place, half, label = abscissa(fit, len(np.atleast_2d(value.value)[0]))
    lines = np.atleast_2d(value.value), np.atleast_2d(error)
    for i, (y, dy) in enumerate(zip(*lines, strict=True)):
        legend = str(fit.groups[i]) if fit.groups is not None and len(lines[0]) > 1 else None
        ax.errorbar(
            place, y, yerr=dy, xerr=half, fmt="o", capsize=2, label=legend, color=colour if legend is None else None
        )
        if legend is not None:
            ax.legend(fontsize="small")
    ax.set_xlabel(label)
    ax.set_ylabel(f"{name}  {unit_label(value.unit)}".rstrip())
    ax.margins(x=0.15)
    ax.grid(alpha=0.3)


def abscissa(fit: Fit, n: int) -> tuple[Any, Any, str]:
    """Places of the groups (or the grid) on the horizontal axis, half their widths, and the axis' label."""
    if fit.grid is not None:
        return fit.grid.value, None, unit_label(fit.grid.unit)
    if fit.groups is None:
        return np.arange(n), None, ""
    name = fit.by or "group"
    if not isinstance(fit.groups[0], tuple):
        numbers = all(isinstance(g, int | float) for g in fit.groups)
        return (fit.groups if numbers else [str(g) for g in fit.groups]), None, name
    low, high = (u.Quantity([edges[i] for edges in fit.groups]) for i in (0, 1))
    unit = unit_label(low.unit)
    return ((low + high) / 2).value, ((high - low) / 2).value, f"{name}  {unit}".rstrip()
