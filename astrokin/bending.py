"""How far air pulls a direction to the zenith: models of refraction as functions of the cosine of zenith distance.

Each gives the `pull` k of a true direction r whose cosine with the zenith u is c: what is seen is along r + k u. That
is smooth everywhere, the zenith included, and needs no trigonometric function.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from astrokin.atmosphere import two_layers
from astrokin.errors import NotConvergedError
from astrokin.refractivity import HIGHEST_PRESSURE, TEMPERATURES, WAVELENGTHS, vapour_fraction

Array = NDArray[np.float64]
Function = Callable[[Any], Any]

#: The sine of the altitude down to which ERFA's refraction holds: below, ERFA takes that of this altitude.
LOWEST_OF_REFCO = 0.05
#: The cosine of the zenith distance, as seen, down to which the integral is taken: one degree below the horizon.
LOWEST_SEEN = -float(np.sin(np.radians(1.0)))
#: After a step of the secant as short as this, the next would be lost in round-off.
_CLOSE = 1e-10
_ROUNDS = 12


class Bending(Protocol):
    """A model of refraction, for one air or for that of each row.

    Attributes
    ----------
    lowest : float or ndarray
        The cosine of the true zenith distance down to which it holds.
    """

    lowest: Any

    def rotation(self, c: Any) -> tuple[Any, Any]:
        """Cosine of the refraction, and its sine over that of the true zenith distance, up to a common factor."""

    def pull(self, c: Any) -> Any:
        """The pull at the cosine of the true zenith distance; real or complex."""


def pull_of(cosine: Any, ratio: Any, c: Any) -> Any:
    """The pull that turns a direction by an angle, from what `Bending.rotation` gives."""
    return ratio / (cosine - c * ratio)


def seen_cosine(c: Any, k: Any) -> Any:
    """The cosine of the zenith distance as seen, from the true one and the pull."""
    return (c + k) / np.sqrt(1.0 + k * (2.0 * c + k))


# ---- ERFA's constants ------------------------------------------------------------------------------------


class Refco:
    """ERFA's refraction: A tan z + B tan^3 z of what is seen, solved for the true direction as in ``atioq``."""

    def __init__(self, pressure: Any, celsius: Any, humidity: Any, wavelength: Any) -> None:
        import erfa

        self.a, self.b = erfa.refco(pressure, celsius, humidity, wavelength)
        self.lowest: Any = LOWEST_OF_REFCO

    def rotation(self, c: Any) -> tuple[Any, Any]:
        square = c * c
        w = self.b * (1.0 - square) / square
        ratio = (self.a + w) * c / (square + self.a + 3.0 * w)
        # Not quite the cosine: as in ERFA, whose refraction is thereby that of the tangent.
        return 1.0 - 0.5 * ratio * ratio * (1.0 - square), ratio

    def pull(self, c: Any) -> Any:
        return pull_of(*self.rotation(c), c)


# ---- the quadrature --------------------------------------------------------------------------------------


class Integral:
    """Quadrature through a two-layer atmosphere, row by row; see `astrokin.atmosphere`."""

    def __init__(self, place: tuple[float, float], wavelength: Any, pressure: Any, celsius: Any, humidity: Any) -> None:
        self._over_sine = two_layers(*place, wavelength, pressure, celsius, humidity).refraction_over_sine
        self.lowest: Any = self._true_cosine(LOWEST_SEEN + 0.0 * np.asarray(pressure))

    def _true_cosine(self, seen: Any) -> Any:
        """The cosine of the true zenith distance, from that of the one seen."""
        cosine, ratio = self._turned(seen)
        return seen * cosine - (1.0 - seen * seen) * ratio

    def _turned(self, seen: Any) -> tuple[Any, Any]:
        """The cosine of the refraction, and its sine over that of the zenith distance seen."""
        over_sine = self._over_sine(seen)
        x = over_sine * over_sine * (1.0 - seen * seen)  # its square, at most 1e-3: series, also at the zenith
        sinc = 1.0 - x / 6.0 * (1.0 - x / 20.0 * (1.0 - x / 42.0))
        return 1.0 - x / 2.0 * (1.0 - x / 12.0 * (1.0 - x / 30.0)), over_sine * sinc

    def rotation(self, c: Any) -> tuple[Any, Any]:
        seen = solved(self._true_cosine, c, np.real(c))
        cosine, ratio = self._turned(seen)
        return cosine, ratio / (cosine + seen * ratio)  # sin R / sin z, with sin z = sin(z' + R)

    def pull(self, c: Any) -> Any:
        return pull_of(*self.rotation(c), c)


class Difference:
    """One model's refraction less another's: what is left of it for a star of another colour."""

    def __init__(self, one: Any, other: Any) -> None:
        self.one, self.other = one, other
        self.lowest: Any = np.maximum(one.lowest, other.lowest)

    def rotation(self, c: Any) -> tuple[Any, Any]:
        (cosine, ratio), (cosine0, ratio0) = self.one.rotation(c), self.other.rotation(c)
        return cosine * cosine0 + ratio * ratio0 * (1.0 - c * c), ratio * cosine0 - ratio0 * cosine

    def pull(self, c: Any) -> Any:
        return pull_of(*self.rotation(c), c)


class Tabulated:
    """Another model for one air, read off quintic polynomials in narrow cells: good to 1e-16 rad, some 8 ns a star."""

    CELLS, ORDER = 256, 6
    #: The variable of the cells is (c - lowest) / (c + this): narrow ones at the horizon, wide ones at the zenith.
    _BEND = 0.15

    def __init__(self, model: Any, lowest: float | None = None) -> None:
        self.lowest = float(model.lowest) if lowest is None else lowest
        self._scale = self.CELLS * (1.0 + self._BEND) / (1.0 - self.lowest)
        inner = np.polynomial.chebyshev.chebpts1(self.ORDER)
        x = (np.arange(self.CELLS)[:, None] + 0.5 * (inner + 1.0)) / self._scale
        c = (x * self._BEND + self.lowest) / (1.0 - x)
        values = model.pull(c.ravel()).reshape(c.shape)
        self._table = np.linalg.solve(np.vander(inner, increasing=True), values.T).copy()

    def pull(self, c: Any) -> Any:
        x = c - self.lowest
        x = x * self._scale / (c + self._BEND)
        cell = np.minimum(np.maximum(np.real(x), 0.0), self.CELLS - 1.0).astype(np.intp)
        x = 2.0 * (x - cell) - 1.0
        out = self._table[-1].take(cell, mode="clip") * x
        for row in self._table[-2:0:-1]:
            out += row.take(cell, mode="clip")
            out *= x
        return out + self._table[0].take(cell, mode="clip")

    def rotation(self, c: Any) -> tuple[Any, Any]:
        k = self.pull(c)
        return 1.0 + k * c, k  # both are shorter by the length of r + k u


class Colours:
    """The integral in one air for a wavelength per row, between tables for a dozen of them: good to 1e-15 rad.

    They are polynomials in the inverse square of the wavelength, in which dispersion is all but linear.
    """

    NODES = 12
    #: Rows for which the tables are made no sooner than this: they take as long as some thousands of rows without.
    WORTH = 8_192

    def __init__(self, place: tuple[float, float], air: tuple[float, float, float], wavelength: Any) -> None:
        self._tables, lowest, nodes = _colours(place, air)
        apart = wavelength**-2.0 - nodes[:, None]
        weights = ((-1.0) ** np.arange(self.NODES) * np.sin(_angles(self.NODES)))[:, None] / np.where(
            apart, apart, 1e-99
        )
        self._weights = weights / weights.sum(axis=0)
        self.lowest: Any = lowest @ self._weights

    def pull(self, c: Any) -> Any:
        return sum(weight * table.pull(c) for weight, table in zip(self._weights, self._tables, strict=True))

    rotation = Tabulated.rotation


def _angles(n: int) -> Array:
    return np.asarray((np.arange(n) + 0.5) * (np.pi / n), np.float64)


@lru_cache(maxsize=4)
def _colours(place: tuple[float, float], air: tuple[float, float, float]) -> tuple[list[Tabulated], Array, Array]:
    """Tables at Chebyshev's points in the inverse square of the wavelength, their true limits, and those points."""
    red, blue = WAVELENGTHS[1] ** -2.0, WAVELENGTHS[0] ** -2.0
    nodes = 0.5 * (red + blue) + 0.5 * (blue - red) * np.cos(_angles(Colours.NODES))
    models = [Integral(place, float(w), *air) for w in nodes**-0.5]
    lowest = np.array([float(model.lowest) for model in models])
    deepest = float(Integral(place, WAVELENGTHS[0], *air).lowest)
    return [Tabulated(model, deepest) for model in models], lowest, nodes


@lru_cache(maxsize=64)
def tabulated(place: tuple[float, float], air: tuple[float, float, float], wavelengths: tuple[float, ...]) -> Tabulated:
    """The table of the integral at a place: its air (hPa, deg C, 0 to 1), and a wavelength, or two for a difference."""
    models = [Integral(place, w, *air) for w in wavelengths]
    return Tabulated(models[0] if len(models) == 1 else Difference(*models))


def in_one_air(place: tuple[float, float], air: tuple[float, float, float], wavelength: Any) -> Any:
    """The integral in one air, for one wavelength or that of each row."""
    if not np.ndim(wavelength):
        return tabulated(place, air, (float(wavelength),))
    many = len(wavelength) >= Colours.WORTH
    return Colours(place, air, wavelength) if many else Integral(place, wavelength, *air)


# ---- the way back ----------------------------------------------------------------------------------------


def solved(function: Function, target: Any, start: Any) -> Any:
    """Solve function(x) = target for x, row by row, by the secant; `function` is near to x plus a constant.

    A complex target with a tiny imaginary part, as of a complex step, is solved to first order in that.

    Raises
    ------
    NotConvergedError
        No solution is found, which does not happen in any air that there is.
    """
    goal = np.real(target)
    old, image = np.asarray(start) + 0.0 * goal, None
    image = function(old)
    x = old + (goal - image)
    for _ in range(_ROUNDS):
        new = function(x)
        step = x - old
        slope = np.where(step != 0.0, (new - image) / np.where(step != 0.0, step, 1.0), 1.0)
        slope = np.where((slope > 0.2) & (slope < 5.0), slope, 1.0)
        old, image = x, new
        x = x + (goal - new) / slope
        if not np.nanmax(np.abs(x - old), initial=0.0) > _CLOSE:
            break
    else:
        raise NotConvergedError(
            "refraction: no direction found that would be seen there; is the air one of the Earth's?"
        )
    if not np.iscomplexobj(target):
        return x
    rate = np.imag(function(x + 1e-30j)) / 1e-30
    return x + 1j * np.imag(target) / rate


# ---- which airs a model holds for ------------------------------------------------------------------------

#: What each model takes: the least and the largest, and the unit.
DOMAINS: dict[str, dict[str, tuple[float, float, str]]] = {
    "refco": {
        "pressure": (0.0, HIGHEST_PRESSURE, "hPa"),
        "temperature": (-150.0, 200.0, "deg_C"),
        "wavelength": (0.1, 1e6, "micron"),
    },
    "integral": {
        "pressure": (0.0, HIGHEST_PRESSURE, "hPa"),
        "temperature": (*TEMPERATURES, "deg_C"),
        "wavelength": (*WAVELENGTHS, "micron"),
    },
}
#: Heights (m) of observers that stand on the ground, with some room.
GROUND = (-1000.0, 9000.0)


def outside(model: str, what: str, values: Any) -> tuple[Any, str]:
    """Which of the values a model does not hold for, and the reason in words; missing ones are not among them."""
    low, high, unit = DOMAINS[model][what]
    plain = np.asarray(values)
    if what == "pressure":
        return (plain <= 0.0) | (plain > high), f"pressure of 0, which is no air, or above {high:g} {unit}"
    return (plain < low) | (plain > high), f"{what} outside {low:g} to {high:g} {unit}, where {model!r} holds"


def boiling(pressure: Any, celsius: Any, humidity: Any) -> Any:
    """Where saturated vapour would have more than the pressure of all the air: no such moist air exists."""
    return (np.asarray(humidity) > 0.0) & (vapour_fraction(pressure, celsius, 1.0) >= 1.0)


def lowest_in_words(model: str) -> str:
    """What lies below the domain of a model."""
    if model == "refco":
        return f"lower than {np.degrees(np.arcsin(LOWEST_OF_REFCO)):.2f} deg above the horizon, where 'refco' ends"
    return "more than 1 deg below the horizon"
