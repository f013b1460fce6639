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
from astrokin.units import is_quantity, raw_values

Array = NDArray[np.float64]
#: Of the length of an exponential density: farther out there is less than 1e-9 of all stars.
_LENGTHS = 30.0
_STEP = 1e-4  # of the distance: for the slope of a prior that does not say its own


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
            what = f"column {self.length.name!r}"
            values = stars[self.length.name]
            length = raw_values(values if is_quantity(values) else values << u.kpc, u.kpc, what)
            length = np.where(length > 0.0, length, np.nan)
        return Bound(_LENGTHS * length, length, None)


@dataclass(frozen=True)
class AnyDensity:
    """A prior of one's own.

    Parameters
    ----------
    density : callable
        p(r), not negative, for an array of distances in kpc, the r^2 of the volume included; it need not be
        normalised.
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
        return Bound(float(self.r_max.to_value(u.kpc)), None, self.density)


@dataclass(frozen=True)
class Bound:
    """A prior in plain numbers, kpc: the same for all rows, or with a length for each."""

    r_max: Any
    length: Any
    density: Callable[[Array], Array] | None

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

    def log_density(self, r: Array, log_r: Array, out: Array | None = None) -> Array:
        """ln p(r) up to a constant; minus infinity where there is no star."""
        if self.density is None:
            volume = np.multiply(2.0, log_r, out=out)
            return volume if self.length is None else np.subtract(volume, r * (1.0 / self.length), out=out)
        values = np.asarray(self.density(r), dtype=float)
        if values.shape != r.shape or not (values >= 0.0).all():
            raise InputError(
                f"prior: the density gave {values!r}; for distances of shape {r.shape} it must give as many numbers, "
                "none of them negative."
            )
        with np.errstate(divide="ignore"):
            return np.log(values)

    def slope(self, r: Array) -> Any:
        """d ln p / d ln r."""
        if self.density is None:
            return 2.0 if self.length is None else 2.0 - r / self.length
        ends = [self.log_density(r * np.exp(s * _STEP), np.empty(0)) for s in (1.0, -1.0)]
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
        """Logarithm of the integral of `log_density`'s exponential, for those that have a closed form."""
        return np.log(self.r_max**3 / 3.0) if self.length is None else np.log(2.0 * self.length**3)


def named(prior: Any) -> Any:
    """A prior from what a caller may give: one of the classes above."""
    if hasattr(prior, "bound"):
        return prior
    raise InputError(
        f"prior is {prior!r}; it can be UniformVolume(r_max), ExponentialDensity(length) or AnyDensity(density, r_max) "
        "of astrokin.distance_priors."
    )


def _check_length(name: str, value: Any) -> None:
    plain = raw_values(value, u.kpc, name)
    if plain.ndim or not 0.0 < plain < np.inf:
        raise InputError(f"{name} is {value}; it must be one positive, finite distance.")
