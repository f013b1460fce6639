"""Light through a spherical atmosphere of two layers: the refraction seen from the ground, by quadrature."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.refractivity import DRY_AIR, WATER, partial_refractivities, specific_gas_exponent, vapour_fraction

Array = NDArray[np.float64]
Function = Callable[[Any], Any]

#: Fall of the temperature in the troposphere (K/m); where that ends, and where there is no air left (m).
LAPSE_RATE, TROPOPAUSE, TOP = 0.0065, 11_000.0, 80_000.0
#: The power of the temperature with which water vapour falls off (Hohenkerk & Sinclair 1985).
_VAPOUR_POWER = 18.36
#: Gauss-Legendre points in each layer: more change nothing beyond round-off.
_TROPOSPHERE, _STRATOSPHERE = (np.polynomial.legendre.leggauss(n) for n in (32, 48))
_NEWTONS = 4
#: Rows at a time: their points in the layers stay in the cache.
_ROWS = 128


@dataclass(frozen=True)
class Atmosphere:
    """A troposphere of constant lapse rate under an isothermal stratosphere, spherical, in hydrostatic balance.

    Each of the numbers is one for all rows, or an array (n,).

    Attributes
    ----------
    radius : float or ndarray
        From the centre of curvature of the Earth to the observer, m.
    height : float
        Of the observer above the ellipsoid, m.
    temperature : float or ndarray
        At the observer, K.
    air_power, vapour_power : float or ndarray
        Powers of the temperature with which the densities of the two terms of n - 1 fall.
    air, vapour : float or ndarray
        The two terms at the observer: their sum is n - 1 there.
    fall : float or ndarray
        Inverse scale height of the stratosphere, times its temperature, K/m.
    lapse_rate : float
        K/m.
    """

    radius: Any
    height: float
    temperature: Any
    air_power: Any
    vapour_power: Any
    air: Any
    vapour: Any
    fall: Any
    lapse_rate: float = LAPSE_RATE

    def refraction_over_sine(self, cosine: Any) -> Any:
        """Refraction (radian) over the sine of the zenith distance, both as seen, from the cosine of that, (n,).

        With q = n r cos(psi) along the ray, where psi is its angle with the vertical, Snell's law n r sin(psi) = p
        makes the refraction -p times the integral of n'/(n^2 r (n + r n')) over q: smooth from the zenith to the
        horizon and below it, where q starts negative.
        """
        if np.size(cosine) <= _ROWS:
            return self._over_sine(cosine)
        parts = [slice(start, start + _ROWS) for start in range(0, len(cosine), _ROWS)]
        return np.concatenate([self._of_rows(part)._over_sine(cosine[part]) for part in parts])

    def _of_rows(self, part: slice) -> Atmosphere:
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return Atmosphere(**{name: value[part] if np.ndim(value) else value for name, value in values.items()})

    def _over_sine(self, cosine: Any) -> Any:
        at_ground = _of_product(self.air + self.vapour, 0.0)
        tropopause, top = (TROPOPAUSE - self.height) / self.radius, (TOP - self.height) / self.radius
        break_index, _ = self._troposphere(tropopause)
        stratosphere = self._stratosphere(break_index, tropopause)
        # q at the observer, where the layers meet, and where they end; n r is in units of r at the observer.
        start = (1.0 + self.air + self.vapour) * cosine
        less = start * start - at_ground
        middle = np.sqrt(_of_product(break_index, tropopause) + less)
        end = np.sqrt(_of_product(stratosphere(top)[0], top) + less)
        low = self._layer(self._troposphere, _TROPOSPHERE, start, middle, less)
        high = self._layer(stratosphere, _STRATOSPHERE, middle, end, less)
        return (1.0 + self.air + self.vapour) * (low + high)

    @staticmethod
    def _layer(layer: Function, rule: tuple[Array, Array], start: Any, end: Any, less: Any) -> Any:
        nodes, weights = (x.reshape(-1, *[1] * np.ndim(end)) for x in rule)
        half = 0.5 * (end - start)
        q = start + half * (1.0 + nodes)
        square = q * q - less
        product = square / (1.0 + np.sqrt(1.0 + square))  # n r - 1, of which no digit is lost
        height = product
        for _ in range(_NEWTONS):
            excess, slope = layer(height)
            growth = 1.0 + excess + (1.0 + height) * slope
            height = height - (excess + height * (1.0 + excess) - product) / growth
        excess, slope = layer(height)
        growth = 1.0 + excess + (1.0 + height) * slope
        return -half * (weights * slope / ((1.0 + excess) * (1.0 + product) * growth)).sum(axis=0)

    def _troposphere(self, height: Any) -> tuple[Any, Any]:
        """n - 1 and its derivative, at a height above the observer in units of the radius."""
        fall = self.lapse_rate * self.radius / self.temperature
        warmth = 1.0 - fall * height
        logarithm = np.log(warmth)  # once for both powers
        air = self.air * np.exp((self.air_power - 1.0) * logarithm)
        vapour = self.vapour * np.exp((self.vapour_power - 1.0) * logarithm)
        slope = -fall * ((self.air_power - 1.0) * air + (self.vapour_power - 1.0) * vapour) / warmth
        return air + vapour, slope

    def _stratosphere(self, excess: Any, start: Any) -> Function:
        kelvin = self.temperature - self.lapse_rate * (TROPOPAUSE - self.height)
        rate = self.fall * self.radius / kelvin

        def layer(height: Any) -> tuple[Any, Any]:
            index = excess * np.exp(-rate * (height - start))
            return index, -rate * index

        return layer


def _of_product(excess: Any, height: Any) -> Any:
    """(n r)^2 - 1, from n - 1 and r - 1."""
    product = excess + height + excess * height
    return product * (2.0 + product)


def gravity_of_column(sine_latitude: float, height: float) -> float:
    """Mean gravity (m/s2) of the air above a place (Saastamoinen 1972)."""
    return 9.784 * (1.0 - 0.0026 * (1.0 - 2.0 * sine_latitude**2) - 2.8e-7 * height)


def radius_of_curvature(sine_latitude: float) -> float:
    """The mean radius of curvature of the ellipsoid (m), the geometric mean of those along and across the meridian."""
    import erfa

    equator, flattening = map(float, erfa.eform(1))
    eccentricity2 = flattening * (2.0 - flattening)
    return equator * float(np.sqrt(1.0 - eccentricity2)) / (1.0 - eccentricity2 * sine_latitude**2)


def two_layers(
    sine_latitude: float, height: float, wavelength: Any, pressure: Any, celsius: Any, humidity: Any
) -> Atmosphere:
    """The atmosphere above a place, from the air there: micron, hPa, deg C, 0 to 1."""
    fraction = vapour_fraction(pressure, celsius, humidity)
    dry, wet = partial_refractivities(wavelength, pressure, celsius, fraction)
    gravity = gravity_of_column(sine_latitude, height)
    power = specific_gas_exponent(gravity, LAPSE_RATE)
    # Vapour is lighter than air, so that less of it weighs on what is below: the constant of the hydrostatic balance.
    lighter = fraction * (1.0 - WATER / DRY_AIR) * power / (_VAPOUR_POWER - power)
    per_dry = dry / (1.0 - fraction)
    return Atmosphere(
        radius=radius_of_curvature(sine_latitude) + height,
        height=height,
        temperature=celsius + 273.15,
        air_power=power,
        vapour_power=_VAPOUR_POWER,
        air=per_dry * (1.0 + lighter),
        vapour=wet - per_dry * (lighter + fraction),
        fall=specific_gas_exponent(gravity, 1.0),
    )
