"""Figures of astrometric solutions: all sources at a glance, and the track of one with its residuals."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import fit_plot
from astrokin.angles import dot, triad
from astrokin.estimators import orbit_search
from astrokin.estimators.orbit_model import Problem, Velocities
from astrokin.estimators.solution_model import Scans, scans_of
from astrokin.estimators.solution_orbit import velocities_of
from astrokin.estimators.solution_result import RADIAL
from astrokin.kepler import orbit
from astrokin.units import MAS_IN_RAD

Array = NDArray[np.float64]

_MODEL, _DATA = fit_plot.DERIVED, fit_plot.RESULT
_DAYS = 365.25
_FACTORIAL = (1.0, 1.0, 2.0, 6.0)
_MOTIONS = (("delta_ra", "delta_dec"), ("pmra", "pmdec"), ("acceleration_ra", "acceleration_dec"),
            ("jerk_ra", "jerk_dec"))  # fmt: skip


# ---- many sources ----------------------------------------------------------------------------------------


def overview(fit: ak.Fit, axes: Any = None) -> Any:
    """Goodness of fit and parallax errors of all sources; of a single one its values and correlations.

    Parameters
    ----------
    fit : Fit
        Of `AstrometricSolution`.
    axes : sequence of two matplotlib axes, optional

    Returns
    -------
    `matplotlib.figure.Figure`
    """
    if fit.groups is None:
        return fit_plot.overview(fit)
    if axes is None:
        axes = fit_plot.new_figure(9.0, 3.6).subplots(1, 2)
    _goodness(np.asarray(fit.columns["f2"]), axes[0])
    _errors(fit, axes[1])
    return axes[0].figure


def _goodness(f2: Array, ax: Any) -> None:
    f2 = f2[np.isfinite(f2)]
    edges = np.linspace(-4.0, 4.0, 33)
    ax.hist(np.clip(f2, edges[0], edges[-1]), edges, color=_DATA, alpha=0.8)
    x = np.linspace(-4.0, 4.0, 200)
    height = len(f2) * (edges[1] - edges[0]) / np.sqrt(2.0 * np.pi)
    ax.plot(x, height * np.exp(-0.5 * x * x), color=_MODEL, label="expected")
    ax.set(xlabel="goodness of fit F2  (beyond ±4 at the ends)", ylabel="sources")
    ax.legend(frameon=False, fontsize="small")


def _errors(fit: ak.Fit, ax: Any) -> None:
    epochs, error = np.asarray(fit.columns["epochs"]), fit.error["parallax"].value
    good = np.asarray(fit.columns["outcome"]) == "solved"
    for these, colour, label in ((good, _DATA, "solved"), (~good, _MODEL, "other outcomes")):
        if (these & np.isfinite(error)).any():
            ax.plot(epochs[these], error[these], ".", color=colour, label=label, alpha=0.7)
    ax.set(xlabel="epochs", ylabel="error of the parallax  (mas)", yscale="log")
    ax.legend(frameon=False, fontsize="small")


# ---- one source ------------------------------------------------------------------------------------------


def track(estimator: Any, epochs: ak.Epochs, source: Any, axes: Any = None) -> Any:
    """The track of one source on the sky with its epochs, and the residuals against time.

    An epoch along the scan is drawn where the model is at that time, moved by its residual along the scan, with its
    error. An orbit is drawn about the barycentre, with parallax and proper motion taken out; where no place of the
    source is known, the parallax is taken out of other tracks too.
    """
    from dataclasses import replace

    epochs = _of_source(epochs, estimator.by, source)
    # All that a plot of one source needs comes from a fit of it, without its name.
    fit = replace(estimator, by="source_id").fit(epochs)
    if np.isnan(fit["parallax"].value):
        raise ak.errors.InputError(f"There is no track to draw: {fit.columns['outcome']}.")
    scans, _ = scans_of(_usable(epochs), estimator.observer)
    if axes is None:
        axes = fit_plot.new_figure(9.5, 4.2).subplots(1, 2, width_ratios=(1.0, 1.25))
    _sky(fit, scans, _place(epochs, estimator.observer, fit), axes[0])
    _residuals(fit, scans, axes[1])
    return axes[0].figure


def search(estimator: Any, epochs: ak.Epochs, source: Any, ax: Any = None) -> Any:
    """The fall of chi² with the best orbit of each period, for one source."""
    rows = _usable(_of_source(epochs, estimator.by, source))
    scans, _ = scans_of(rows, estimator.observer)
    velocities = velocities_of(rows)
    problem = Problem.of(scans, None if velocities is None else Velocities(*velocities[1:]), float(scans.time.mean()))
    frequency, gain, _ = orbit_search.periodogram(problem, estimator.periods)
    if ax is None:
        ax = fit_plot.new_figure(6.0, 3.6).subplots()
    ax.plot(_DAYS / frequency, gain, color=_DATA, lw=0.8)
    best = int(np.argmax(gain))
    ax.plot(_DAYS / frequency[best], gain[best], "o", color=_MODEL, ms=5, mfc="none")
    ax.set(xscale="log", xlabel="period  (d)", ylabel="fall of $\\chi^2$ with an orbit", ylim=(0.0, None))
    ax.grid(alpha=0.3)
    return ax.figure


def _usable(epochs: ak.Epochs) -> ak.Epochs:
    """The epochs of one source that can be used."""
    rows = epochs.replace(group=np.zeros(len(epochs), np.intp), n_groups=1)
    unfit = list(rows.unfit().values())
    return rows[~np.logical_or.reduce(unfit)] if unfit else rows


def _of_source(epochs: ak.Epochs, by: str, source: Any) -> ak.Epochs:
    if source is not None:
        labels = epochs[by]
        epochs = epochs[np.asarray(labels == source)]
        if not len(epochs):
            raise ak.errors.InputError(f"There is no source {source!r} in the column {by!r}.")
    elif by in epochs.columns and len(np.unique(epochs[by])) > 1:
        raise ak.errors.InputError("These are epochs of several sources: say which one to draw, source=….")
    return epochs.replace(columns={k: v for k, v in epochs.extras.items() if k not in (by, "source_id")})


def _place(epochs: ak.Epochs, observer: Any, fit: ak.Fit) -> Any:
    """From times to parallax factors in right ascension and declination, where they are to be drawn."""
    if "ra" not in epochs.raw or "F" in fit:
        return None
    observer = observer or ak.Observer(ak.column("obstime"), "gaia")
    ra, dec = (epochs.raw[k][:1] for k in ("ra", "dec"))

    def factors(time: Array) -> tuple[Array, Array]:
        there = observer.bound({"obstime": time}).seen().position
        east, north, _ = triad(ra, dec)
        return -dot(there, east), -dot(there, north)

    return factors


def _sky(fit: ak.Fit, scans: Scans, factors: Any, ax: Any) -> None:
    x, y = place(fit, scans.time, factors)
    for axis in scans.axes:
        left = axis.value - predicted(fit, scans, axis)
        px, py = x + left * axis.sine, y + left * axis.cosine
        error = np.sqrt(axis.variance)
        ax.plot(px, py, "o", color=_DATA, ms=2.0, alpha=0.6)
        ax.plot(
            np.stack([px - error * axis.sine, px + error * axis.sine]),
            np.stack([py - error * axis.cosine, py + error * axis.cosine]),
            color=_DATA, lw=1.0, alpha=0.6,
        )  # fmt: skip
    times = np.linspace(scans.time.min(), scans.time.max(), 1000)
    if "F" in fit:
        whole = fit["t_periastron"].value + np.linspace(0.0, fit["period"].value / 365.25, 1000)
        ax.plot(*place(fit, whole, None), color=_MODEL, lw=0.8, ls=":")
        ax.plot(0.0, 0.0, "+", color="0.3")
    ax.plot(*place(fit, times, factors), color=_MODEL, lw=1.2)
    ax.set(xlabel="$\\Delta\\alpha$*  (mas)", ylabel="$\\Delta\\delta$  (mas)", aspect="equal")
    ax.set(adjustable="datalim")
    ax.invert_xaxis()  # east to the left


def _residuals(fit: ak.Fit, scans: Scans, ax: Any) -> None:
    for axis in scans.axes:
        left = axis.value - predicted(fit, scans, axis)
        ax.errorbar(scans.time, left, np.sqrt(axis.variance), fmt=".", color=_DATA, lw=0.7, ms=3, alpha=0.6)
    ax.axhline(0.0, color=_MODEL, lw=1.0)
    what = "along the scan" if len(scans.axes) == 1 else "along the axes of the errors"
    ax.set(xlabel="Julian year (TCB)", ylabel=f"residual {what}  (mas)")


def place(fit: ak.Fit, time: Array, factors: Any) -> tuple[Array, Array]:
    """Where the model of one source is at times: of an orbit without the motion of the barycentre."""
    out = np.zeros((2, len(time)))
    if "F" in fit:
        x, y = _orbit(fit, time)
        out += [fit["B"].value * x + fit["G"].value * y, fit["A"].value * x + fit["F"].value * y]
        return out[0], out[1]
    out += _motion(fit, time)
    if factors is not None:
        out += fit["parallax"].value * _near(fit, time) * np.stack(factors(time))
    return out[0], out[1]


def predicted(fit: ak.Fit, scans: Scans, axis: Any) -> Array:
    """The observations along one axis by the model of one source."""
    x, y = _motion(fit, scans.time)
    if "F" in fit:
        swing = place(fit, scans.time, None)
        x, y = x + swing[0], y + swing[1]
    return np.asarray(axis.sine * x + axis.cosine * y + axis.factor * fit["parallax"].value * _near(fit, scans.time))


def _motion(fit: ak.Fit, time: Array) -> Array:
    since = (time - fit.columns["reference_epoch"].value) * _near(fit, time)
    out = np.zeros((2, len(time)))
    for k, names in enumerate(_MOTIONS):
        if names[0] in fit:
            out += np.array([[fit[name].value] for name in names]) * since**k / _FACTORIAL[k]
    return out


def _near(fit: ak.Fit, time: Array) -> Any:
    """The distance at the reference epoch over that at the times."""
    if RADIAL not in fit:
        return 1.0
    return 1.0 / (1.0 + fit[RADIAL].value * MAS_IN_RAD * (time - fit.columns["reference_epoch"].value))


def _orbit(fit: ak.Fit, time: Array) -> tuple[Array, Array]:
    phase = (time - fit["t_periastron"].value) / (fit["period"].value / 365.25)
    x, y, _, _ = orbit(phase, fit["eccentricity"].value)
    return x, y
