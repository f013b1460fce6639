"""Priors of the distance: how stars are spread along a line of sight, for `ak.distances`.

A prior is a density p(r) over the distance r, the volume of the shell included: p(r) = r^2 times the density of
stars there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.errors import InputError
from astrokin.parameters import Column
from astrokin.units import is_quantity, plain_values, raw_values

Array = NDArray[np.float64]
#: Of the length of an exponential density: farther out there is less than 1e-9 of all stars.
_LENGTHS = 30.0
_STEP = 1e-4  # of the distance: for the slope of a prior that does not say its own
#: Where a prior of one's own is looked at first: ln r below its limit, and at how many places.
_LOOK = np.linspace(-14.0, 0.0, 1 << 14)
_KNOTS = 256


@dataclass(frozen=True)
class UniformVolume:
    r"""As many stars in every volume, out to a limit: :math:`p(r) \propto r^2` for :math:`r < r_\mathrm{max}`.

    Without the limit its posterior cannot be normalised (Lutz & Kelker 1973): mean, median and intervals depend on it.

    Parameters
    ----------
    r_max : `~astropy.units.Quantity`
        The limit.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.distance_priors import UniformVolume
    >>> UniformVolume(r_max=5 * u.kpc)
    UniformVolume(r_max=<Quantity 5. kpc>)
    """

    r_max: u.Quantity

    def __post_init__(self) -> None:
        _check_length("UniformVolume.r_max", self.r_max)

    def bound(self, stars: Any) -> Bound:
        """The prior of each of the stars."""
        return Bound(float(self.r_max.to_value(u.kpc)), None, None)


@dataclass(frozen=True)
class ExponentialDensity:
    r"""A density of stars that falls exponentially: :math:`p(r) = r^2 e^{-r/L}/(2L^3)` (Bailer-Jones 2015).

    Parameters
    ----------
    length : `~astropy.units.Quantity` or `ak.column`
        The length L; of each star, with a column.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.distance_priors import ExponentialDensity
    >>> ExponentialDensity(1.35 * u.kpc)
    ExponentialDensity(length=<Quantity 1.35 kpc>)
    """

    length: Any

    def __post_init__(self) -> None:
        if not isinstance(self.length, Column):
            _check_length("ExponentialDensity.length", self.length)

    def bound(self, stars: Any) -> Bound:
        """The prior of each of the stars."""
        if not isinstance(self.length, Column):
            length: Any = float(self.length.to_value(u.kpc))
        else:
            length = column_values(stars, self.length.name, u.kpc)
            length = np.where(length > 0.0, length, np.nan)
        return Bound(_LENGTHS * length, length, None)


@dataclass(frozen=True)
class AnyDensity:
    """A prior of one's own.

    Parameters
    ----------
    density : callable
        p(r), finite and not negative, for an array of distances in kpc, the r^2 of the volume included; it need not
        be normalised. Smooth, between a first and a last distance beyond which it may be zero; of peaks far apart
        each with a standard deviation of a tenth of its distance at least: then quantiles are good to 3 per cent of the
        half width of the interval with a share of 0.68, while those of shares above 0.99 need a single peak.
    r_max : `~astropy.units.Quantity`
        Beyond it there is no star.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astrokin.distance_priors import AnyDensity
    >>> shell = AnyDensity(lambda r: np.exp(-0.5 * ((r - 8) / 0.5) ** 2), r_max=20 * u.kpc)
    """

    density: Callable[[Array], Array]
    r_max: u.Quantity

    def __post_init__(self) -> None:
        _check_length("AnyDensity.r_max", self.r_max)
        if not callable(self.density):
            raise InputError(f"AnyDensity.density is {self.density!r}; it must be a function of the distance in kpc.")

    def bound(self, stars: Any) -> Bound:
        """The prior of each of the stars."""
        bound = Bound(float(self.r_max.to_value(u.kpc)), None, self.density)
        first, last = bound.support()
        return replace(bound, r_min=first, r_max=last)


@dataclass(frozen=True)
class Bound:
    """A prior in plain numbers, kpc: the same for all rows, or with a length for each."""

    r_max: Any
    length: Any
    density: Callable[[Array], Array] | None
    r_min: float = 0.0

    def __getitem__(self, rows: slice) -> Self:
        if np.ndim(self.r_max) == 0:
            return self
        return replace(self, r_max=self.r_max[rows], length=self.length[rows])

    @property
    def scale(self) -> Any:
        """The distance out to which p(r) grows as r^2; None where that is not known."""
        if self.density is not None:
            return None
        return self.r_max if self.length is None else self.length

    def log_density(self, r: Array) -> Array:
        """ln p(r) up to a constant, of a prior of one's own; minus infinity where there is no star."""
        assert self.density is not None
        with np.errstate(divide="ignore"):
            return np.log(_checked(self.density(r), r))

    def add_cost(self, cost: Array, r: Array) -> None:
        """Add -ln p(r) at distances in units of `scale`, but for r^2 where that is not the prior's own business."""
        if self.density is not None:
            # The last node may lie beyond the end by a rounding error.
            cost -= self.log_density(np.clip(r, self.r_min, self.r_max))
        elif self.length is not None:
            cost += r

    def support(self) -> tuple[float, float]:
        """The first and the last distance at which there are stars; none and `r_max` where none are seen."""
        r = self.r_max * np.exp(_LOOK)
        there = np.flatnonzero(self.log_density(r) > -np.inf)
        if not len(there):
            return 0.0, self.r_max
        first, last = there[0], there[-1]
        low = 0.0 if first == 0 else self._edge(r[first - 1], r[first])
        return low, self.r_max if last == len(r) - 1 else self._edge(r[last + 1], r[last])

    def _edge(self, without: float, within: float) -> float:
        """Where the density begins, between a distance without stars and one with."""
        for _ in range(40):
            middle = 0.5 * (without + within)
            if self.log_density(np.array([middle]))[0] > -np.inf:
                within = middle
            else:
                without = middle
        return float(within)

    def knots(self) -> tuple[Array, Array]:
        """Some distances over the whole range of a prior of one's own, and ln p(r) there."""
        r = np.geomspace(max(self.r_min, self.r_max * np.exp(_LOOK[0])), self.r_max, _KNOTS)
        return r, self.log_density(r)

    def slope(self, r: Array) -> Any:
        """d ln p / d ln r."""
        if self.density is None:
            return 2.0 if self.length is None else 2.0 - r / self.length
        places = (np.clip(r * np.exp(s * _STEP), self.r_min, self.r_max) for s in (1.0, -1.0))
        ends = [self.log_density(place) for place in places]
        with np.errstate(invalid="ignore"):
            slope = (ends[0] - ends[1]) / (2.0 * _STEP)
        return np.where(np.isfinite(slope), slope, 0.0)

    def bend(self, r: Array) -> Any:
        """d2 ln p / d (ln r)2."""
        if self.density is None:
            return 0.0 if self.length is None else -r / self.length
        ends = [self.slope(r * np.exp(s * 10.0 * _STEP)) for s in (1.0, -1.0)]
        return (ends[0] - ends[1]) / (20.0 * _STEP)

    def log_norm(self) -> Any:
        """Logarithm of the integral of p(r), for those that have a closed form."""
        return np.log(self.r_max**3 / 3.0) if self.length is None else np.log(2.0 * self.length**3)


def named(prior: Any) -> Any:
    """A prior from what a caller may give: one of the classes above."""
    if hasattr(prior, "bound") and not isinstance(prior, type):
        return prior
    raise InputError(
        f"prior is {prior!r}; it can be UniformVolume(r_max), ExponentialDensity(length) or AnyDensity(density, r_max) "
        "of astrokin.distance_priors."
    )


def column_values(stars: Any, name: str, unit: u.UnitBase) -> Array:
    """A column's values in a unit, which is its own where it has none; masked ones are NaN."""
    values = stars[name]
    what = f"column {name!r}"
    return raw_values(values, unit, what) if is_quantity(values) else plain_values(values, what)


def _checked(values: Any, r: Array) -> Array:
    """What a prior of one's own gave for distances, if these are densities."""
    found = np.asarray(values)
    if found.shape != r.shape or found.dtype.kind not in "fiub":
        raise InputError(
            f"prior: the density gave {type(values).__name__} of shape {found.shape} and type {found.dtype}; for "
            f"distances of shape {r.shape} it must give as many real numbers."
        )
    bad = ~((found >= 0.0) & (found < np.inf))
    if bad.any():
        raise InputError(
            f"prior: the density at {r[bad][0]:g} kpc is {found[bad][0]}; it must be finite and not negative."
        )
    return found.astype(float, copy=False)


def _check_length(name: str, value: Any) -> None:
    plain = raw_values(value, u.kpc, name)
    if plain.ndim or not 0.0 < plain < np.inf:
        raise InputError(f"{name} is {value}; it must be one positive, finite distance.")
