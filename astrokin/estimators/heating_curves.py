"""The variance of a velocity component as a function of true age, by a few parameters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

VELOCITY = u.km / u.s
#: The age (Gyr) at which dispersions are told.
REFERENCE = 10.0
_SHARP = 8
_UNIT_OF_TIME = float((u.kpc / VELOCITY).to(u.Gyr))


class Curve(Protocol):
    """sigma^2 (km/s)^2 at ages (Gyr), for parameters theta."""

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters."""

    @property
    def units(self) -> tuple[Any, ...]:
        """Of the parameters."""

    def start(self, age: Array, variance: Array, count: Array) -> Array:
        """Parameters to begin with, from the variances of the cells."""

    def bounds(self) -> tuple[list[float], list[float]]:
        """Of the parameters."""

    def variance(self, theta: Array, age: Array) -> Array:
        """sigma^2."""


@dataclass(frozen=True)
class PowerLaw:
    """sigma = sigma_10 (age / 10 Gyr)^beta, above a floor or up to an age where asked for.

    Attributes
    ----------
    component : str
    form : {"power", "floor", "saturation"}
    """

    component: str
    form: str = "power"

    @property
    def names(self) -> tuple[str, ...]:
        """sigma_R, beta_R and the like."""
        more = {"power": (), "floor": (f"floor_{self.component}",), "saturation": (f"saturation_{self.component}",)}
        return (f"sigma_{self.component}", f"beta_{self.component}", *more[self.form])

    @property
    def units(self) -> tuple[Any, ...]:
        """Of the parameters."""
        return (VELOCITY, u.one, *{"power": (), "floor": (VELOCITY,), "saturation": (u.Gyr,)}[self.form])

    def start(self, age: Array, variance: Array, count: Array) -> Array:
        """A straight line through the logarithms of the variances of the young and the old half."""
        old = age >= _weighted_median(age, count)
        (x0, y0), (x1, y1) = (_mean_point(age[k], variance[k], count[k]) for k in (~old, old))
        beta = 0.5 * (y1 - y0) / (x1 - x0) if x1 > x0 else 0.3
        beta = float(np.clip(beta, 0.05, 1.0))
        sigma = np.exp(0.5 * y1 + beta * (np.log(REFERENCE) - x1))
        more = {"power": [], "floor": [0.3 * sigma], "saturation": [float(np.quantile(age, 0.9))]}[self.form]
        return np.array([sigma, beta, *more])

    def bounds(self) -> tuple[list[float], list[float]]:
        """Of the parameters."""
        low, high = {"power": ([], []), "floor": ([0.0], [1e4]), "saturation": ([0.05], [50.0])}[self.form]
        return [1e-3, -3.0, *low], [1e5, 5.0, *high]

    def variance(self, theta: Array, age: Array) -> Array:
        """sigma^2."""
        square, beta = theta[0] ** 2, theta[1]
        if self.form == "saturation":
            return square * (levelled(age, theta[2]) / levelled(REFERENCE, theta[2])) ** (2.0 * beta)
        ratio = (age / REFERENCE) ** (2.0 * beta)
        return square * ratio if self.form == "power" else theta[2] ** 2 + (square - theta[2] ** 2) * ratio


@dataclass(frozen=True)
class Profile:
    """sigma at given ages, sigma^2 linear between them and constant beyond."""

    component: str
    ages: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """sigma_R at the first age, and so on."""
        return tuple(f"sigma_{self.component}" for _ in self.ages)

    @property
    def units(self) -> tuple[Any, ...]:
        """Of the parameters."""
        return (VELOCITY,) * len(self.ages)

    def start(self, age: Array, variance: Array, count: Array) -> Array:
        """The same everywhere."""
        return np.full(len(self.ages), np.sqrt(max(float(variance @ count / count.sum()), 1.0)))

    def bounds(self) -> tuple[list[float], list[float]]:
        """Of the parameters."""
        return [1e-3] * len(self.ages), [1e5] * len(self.ages)

    def variance(self, theta: Array, age: Array) -> Array:
        """sigma^2."""
        return np.interp(age, self.ages, theta**2)


@dataclass(frozen=True)
class Spirals:
    """sigma_R as transient spirals make it, by their strength and width."""

    relation: Any
    component: str = "R"

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parameters."""
        return ("strength", "width")

    @property
    def units(self) -> tuple[Any, ...]:
        """Of the parameters."""
        return (VELOCITY**2, VELOCITY / u.kpc)

    def start(self, age: Array, variance: Array, count: Array) -> Array:
        """The strength that, of a width of a third of kappa, gives the variance of the old."""
        old = age >= _weighted_median(age, count)
        x, y = _mean_point(age[old], variance[old], count[old])
        width = 0.4 * float(self.relation.orbit.kappa)
        strength = np.geomspace(1.0, 1e4, 200)
        made = np.array([self.variance(np.array([s, width]), np.exp([x]))[0] for s in strength])
        return np.array([strength[np.argmin(np.abs(np.log(made) - y))], width])

    def bounds(self) -> tuple[list[float], list[float]]:
        """Of the parameters."""
        low, high = self.relation.widths[[0, -1]]
        return [1e-3, low], [1e6, high]

    def variance(self, theta: Array, age: Array) -> Array:
        """sigma^2."""
        return self.relation.variance(age / _UNIT_OF_TIME, np.log([theta[0] ** 2, theta[1]]))


def levelled(age: Any, last: Any) -> Any:
    """An age that grows no further than `last`, without a corner there."""
    return age * (1.0 + (age / last) ** _SHARP) ** (-1.0 / _SHARP)


def growing(age: Any, last: Any) -> Any:
    """The logarithmic slope of `levelled`."""
    return 1.0 / (1.0 + (age / last) ** _SHARP)


def _weighted_median(age: Array, count: Array) -> float:
    order = np.argsort(age)
    total = np.cumsum(count[order])
    return float(age[order][np.searchsorted(total, 0.5 * total[-1])])


def _mean_point(age: Array, variance: Array, count: Array) -> tuple[float, float]:
    """ln age and ln variance of the mean of some cells."""
    if not count.sum() > 0.0:
        return 0.0, 0.0
    mean = float(count @ variance / count.sum())
    return float(count @ np.log(age) / count.sum()), float(np.log(max(mean, 1e-6)))
