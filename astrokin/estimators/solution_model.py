"""Epochs as the along-scan observations that the solutions are made of, and the linear terms of each model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin.angles import dot, sine_cosine, triad
from astrokin.estimators.solution_pairs import Pairs, faults

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
Index = NDArray[np.intp]

#: Days that two transits are apart when they belong to different visibility periods (as in Gaia's catalogue).
_PERIOD = 4.0 / 365.25


@dataclass(frozen=True)
class Axis:
    """Observations along one direction for each row, arrays (n,): of an along-scan epoch, or of one axis of an ellipse.

    Attributes
    ----------
    sine, cosine : ndarray
        Of the direction's angle from north through east.
    value, variance : ndarray
        In mas and mas².
    factor : ndarray
        Parallax factor.
    """

    sine: Array
    cosine: Array
    value: Array
    variance: Array
    factor: Array

    def __getitem__(self, rows: Any) -> Axis:
        return Axis(*(getattr(self, k)[rows] for k in ("sine", "cosine", "value", "variance", "factor")))


@dataclass(frozen=True)
class Scans:
    """Observations of G sources, one source after the other, each in the order of time.

    Attributes
    ----------
    group : ndarray of int, shape (n,)
    n_groups : int
    time : ndarray, shape (n,)
        Julian years TCB.
    axes : tuple of Axis
        One, or for two-dimensional positions the two axes of each error ellipse.
    pair, corr : ndarray, shape (n,), or None
        What observations have their errors correlated two by two: the number of the pair, and the correlation.
    """

    group: Index
    n_groups: int
    time: Array
    axes: tuple[Axis, ...]
    pair: Array | None = None
    corr: Array | None = None

    def __len__(self) -> int:
        return len(self.time)

    def __getitem__(self, rows: Any) -> Scans:
        pair, corr = (None if v is None else v[rows] for v in (self.pair, self.corr))
        axes = tuple(a[rows] for a in self.axes)
        return replace(self, group=self.group[rows], time=self.time[rows], axes=axes, pair=pair, corr=corr)

    def of_source(self, source: int) -> Scans:
        """The observations of one source."""
        ends = np.searchsorted(self.group, [source, source + 1])
        part = self[ends[0] : ends[1]]
        return replace(part, group=np.zeros(len(part), np.intp), n_groups=1)

    def sums(self, values: Any) -> Array:
        """Sums over the rows of each source, shape (G,)."""
        return by_source(self, values, np.add, 0.0)

    @cached_property
    def pairs(self) -> Pairs | None:
        """The rows whose errors are correlated; None where none are."""
        if self.pair is None or self.corr is None:
            return None
        return Pairs.of(self.group, self.pair, self.corr, self.axes[0].variance)

    def weighted(self, axis: Axis, values: Array, alive: Mask, extra: Array) -> Array:
        """The inverse covariance matrix of the rows, with a variance (G,) added, times values (…, n)."""
        variance = axis.variance + self.each(extra)
        return values * (alive / variance) if self.pairs is None else self.pairs.weighted(values, variance, alive)

    @cached_property
    def count(self) -> Array:
        """Rows of each source, shape (G,)."""
        return np.diff(np.searchsorted(self.group, np.arange(self.n_groups + 1))).astype(float)

    @cached_property
    def first(self) -> tuple[Mask, Index]:
        """Which sources have any rows, and the first row of each of those."""
        there = self.count > 0
        return there, np.searchsorted(self.group, np.flatnonzero(there))

    def each(self, values: Array) -> Array:
        """A value of each source (G,) at each of its rows, shape (n,)."""
        return np.repeat(values, self.count.astype(np.intp))


def by_source(scans: Scans, values: Array, reduce: np.ufunc, empty: float = np.nan) -> Array:
    """A reduction, such as `numpy.minimum`, over the rows of each source."""
    there, starts = scans.first
    out = np.full(scans.n_groups, empty)
    if len(starts):
        found = reduce.reduceat(values, starts, dtype=float)
        if len(found) == scans.n_groups:
            return found
        out[there] = found
    return out


# ---- from epochs -----------------------------------------------------------------------------------------


def scans_of(rows: Any, observer: Any) -> tuple[Scans, dict[str, Mask]]:
    """The positions among the epochs of a block, and the rows that are left out, as masks by reason.

    Left out are rows without parallax factor, where none can be computed, and the same observation listed again.
    """
    rows = _in_time(rows)
    raw = rows.raw
    name = "abscissa" if rows.along_scan else "delta_ra"
    there = np.isfinite(raw[name]) if rows.has_positions else np.zeros(len(rows), bool)
    out = {"radial velocity alone": ~there}
    scans = _scans(rows, observer) if rows.has_positions else _none(rows)
    blind = there & np.isnan(scans.axes[0].factor)
    again = there & _repeated(scans)
    out |= {"no parallax factor": blind, "the same observation again": again & ~blind}
    kept = np.flatnonzero(there & ~blind & ~again)
    scans = scans[kept]
    if scans.pair is None or scans.corr is None:
        return scans, out
    unclear = faults(scans.group, scans.pair, scans.corr)
    for reason, mask in unclear.items():
        out[reason] = np.zeros(len(there), bool)
        out[reason][kept] = mask
    return scans[~np.logical_or.reduce(list(unclear.values()))], out


def _in_time(rows: Any) -> Any:
    time, group = rows.raw["obstime"], rows.group
    if not ((time[1:] < time[:-1]) & (group[1:] == group[:-1])).any():
        return rows
    return rows[np.lexsort((time, group))]


def _none(rows: Any) -> Scans:
    gap = np.full(len(rows), np.nan)
    return Scans(rows.group, rows.n_groups, rows.raw["obstime"], (Axis(gap, gap, gap, gap, gap),))


def _scans(rows: Any, observer: Any) -> Scans:
    raw = rows.raw
    factors = _factors(rows, observer)
    if factors is None and not any(name.startswith("parallax_factor") for name in raw):
        _blind(rows, observer)
    axes = _along(raw, factors) if rows.along_scan else _plane(raw, factors)
    pairs = raw.get("abscissa_pair"), raw.get("abscissa_corr")
    return Scans(rows.group, rows.n_groups, raw["obstime"], axes, *pairs)


def _blind(rows: Any, observer: Any) -> NoReturn:
    """Say what is missing for parallax factors."""
    column = "parallax_factor" if rows.along_scan else "parallax_factor_ra and parallax_factor_dec"
    lacking = [] if "ra" in rows.raw else ["ra and dec"]
    lacking += [] if observer is not None else ["observer=ak.Observer(ak.column('obstime'), …)"]
    raise ak.errors.InputError(
        f"The epochs have no parallax factors: give them as {column}, or, for them to be computed, "
        f"{' and '.join(lacking)}."
    )


def _along(raw: Any, factors: Any) -> tuple[Axis, ...]:
    sine, cosine = sine_cosine(raw["scan_angle"])
    factor = raw.get("parallax_factor")
    if factors is not None:
        computed = factors[0] * sine + factors[1] * cosine
        factor = computed if factor is None else np.where(np.isnan(factor), computed, factor)
    if factor is None:
        factor = np.full(len(sine), np.nan)
    return (Axis(sine, cosine, raw["abscissa"], raw["abscissa_error"] ** 2, factor),)


def _plane(raw: Any, factors: Any) -> tuple[Axis, ...]:
    """A position with its covariance is two independent observations along the axes of the error ellipse."""
    n = len(raw["delta_ra"])
    east, north = (raw.get(f"parallax_factor_{k}", np.full(n, np.nan)) for k in ("ra", "dec"))
    if factors is not None:
        east, north = (np.where(np.isnan(a), b, a) for a, b in zip((east, north), factors, strict=True))
    a, d = raw["delta_ra_error"] ** 2, raw["delta_dec_error"] ** 2
    mixed = raw["delta_ra_error"] * raw["delta_dec_error"] * np.nan_to_num(raw.get("delta_ra_dec_corr", np.zeros(n)))
    half = 0.5 * (a - d)
    apart = np.hypot(half, mixed)
    turn = 0.5 * np.arctan2(mixed, half)  # of the longer axis, from east through north
    sine, cosine = np.cos(turn), np.sin(turn)
    wide = 0.5 * (a + d) + apart
    narrow = (a * d - mixed**2) / wide
    pairs = ((sine, cosine, wide), (-cosine, sine, narrow))
    x, y = raw["delta_ra"], raw["delta_dec"]
    return tuple(Axis(s, c, x * s + y * c, v, east * s + north * c) for s, c, v in pairs)


def _factors(rows: Any, observer: Any) -> tuple[Array, Array] | None:
    """Parallax factors in right ascension and declination, -b . east and -b . north for the place b (au)."""
    if observer is None or "ra" not in rows.raw:
        return None
    place = observer.bound(rows).seen().position
    east, north, _ = triad(rows.raw["ra"], rows.raw["dec"])
    return -dot(place, east), -dot(place, north)


def _repeated(scans: Scans) -> Mask:
    """Rows that are the row before once more: time, direction and value alike."""
    out = np.zeros(len(scans), bool)
    near = (scans.time[1:] == scans.time[:-1]) & (scans.group[1:] == scans.group[:-1])
    if near.any():
        order = np.lexsort((scans.axes[-1].value, scans.axes[0].value, scans.axes[0].sine, scans.time, scans.group))
        sorted_ = scans[order]
        same = (sorted_.time[1:] == sorted_.time[:-1]) & (sorted_.group[1:] == sorted_.group[:-1])
        for axis in sorted_.axes:
            for values in (axis.sine, axis.cosine, axis.value, axis.variance):
                same &= values[1:] == values[:-1]
        out[order[1:][same]] = True
    return out


def visibility_periods(scans: Scans) -> Array:
    """Groups of epochs of each source that gaps of four days and more keep apart."""
    new = np.ones(len(scans))
    new[1:] = (np.diff(scans.time) > _PERIOD) | (np.diff(scans.group) != 0)
    return scans.sums(new)


# ---- the terms of a model --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Clock:
    """Times of each source from a pivot of its own, in units of a scale of its own (years), arrays (G,)."""

    pivot: Array
    scale: Array

    @classmethod
    def of(cls, scans: Scans, epoch: float | None = None) -> Clock:
        """About the middle of the epochs, or about a given epoch."""
        early, late = (by_source(scans, scans.time, f, 0.0) for f in (np.minimum, np.maximum))
        half = 0.5 * (late - early)
        middle = 0.5 * (late + early)
        return cls(middle if epoch is None else np.full(len(middle), epoch), np.where(half > 0, half, 1.0))

    def __call__(self, scans: Scans) -> Array:
        """The scaled times of all rows."""
        tau = scans.time - scans.each(self.pivot)
        tau *= scans.each(1.0 / self.scale)
        return tau


def order_of(n_parameters: int) -> int:
    """The order of the polynomials of a model of 5, 7 or 9 parameters."""
    return (n_parameters - 3) // 2


def design(axis: Axis, tau: Array, order: int) -> Array:
    """Derivatives (p, n) of an observation by (α*, δ, ϖ, µα*, µδ, …): polynomials in scaled time, and the parallax."""
    out = np.empty((2 * order + 3, len(tau)))
    out[0], out[1], out[2] = axis.sine, axis.cosine, axis.factor
    power = tau
    for k in range(1, order + 1):
        np.multiply(axis.sine, power, out=out[2 * k + 1])
        np.multiply(axis.cosine, power, out=out[2 * k + 2])
        power = power * tau
    return out


def to_epoch(clock: Clock, epoch: Array, order: int) -> Array:
    """Matrices (G, p, p) from coefficients of powers of scaled time to derivatives (mas/yr^k) at an epoch (G,)."""
    tau = (epoch - clock.pivot) / clock.scale
    p = 2 * order + 3
    out = np.zeros((len(tau), p, p))
    out[:, 2, 2] = 1.0
    for m in range(order + 1):  # the m-th derivative
        for k in range(m, order + 1):  # of the k-th power
            falling = float(np.prod(np.arange(k - m + 1, k + 1)))
            value = falling * tau ** (k - m) / clock.scale**m
            out[:, _place(m, 0), _place(k, 0)] = value
            out[:, _place(m, 1), _place(k, 1)] = value
    return out


def _place(k: int, coordinate: int) -> int:
    """Where the k-th power in right ascension (0) or declination (1) stands among the parameters."""
    return coordinate if k == 0 else 2 * k + 1 + coordinate
