r"""Asymmetric drift: the lag of hot populations behind the circular speed, predicted and extrapolated to none.

The lag of a population, :math:`v_a = v_c - \langle v_\phi\rangle`, grows with its dispersion. `RadialJeans` predicts it
from the scale lengths of the disc, `stromberg` extrapolates the Sun's velocity relative to groups of stars to zero
dispersion, where the local standard of rest is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np

from astrokin.errors import InputError
from astrokin.extrapolation import stromberg
from astrokin.parameters import Parametrised, parameter
from astrokin.units import raw_values

__all__ = ["RadialJeans", "epicyclic_ratio", "stromberg"]

VELOCITY = u.km / u.s
_GRADIENT = VELOCITY / u.kpc


def _positive(value: Any) -> Any:
    return np.asarray(value) > 0


def epicyclic_ratio(slope: Any) -> Any:
    r"""Ratio :math:`\sigma_\phi^2/\sigma_R^2 = -B/(A-B) = (1 + \alpha)/2` of the dispersions of nearly circular orbits.

    Parameters
    ----------
    slope : float or Quantity
        Logarithmic slope of the rotation curve, -(A + B)/(A - B): 0 where it is flat, -1/2 around a point mass.

    Examples
    --------
    >>> from astrokin import drift
    >>> drift.epicyclic_ratio(0.0)
    0.5
    """
    return 0.5 * (1.0 + slope)


@dataclass(frozen=True, kw_only=True)
class RadialJeans(Parametrised):
    r"""The lag of one population of an exponential disc, from the radial Jeans equation in the plane.

    .. math::

        \langle v_\phi\rangle^2 = v_c^2 + \sigma_R^2 E, \qquad
        E = \frac{\partial\ln\nu}{\partial\ln R} + \frac{\partial\ln\sigma_R^2}{\partial\ln R} + 1
            - \frac{\sigma_\phi^2}{\sigma_R^2} + \frac{R}{\sigma_R^2}\frac{\partial\langle v_R v_z\rangle}{\partial z}

    and to first order :math:`v_a = -\sigma_R^2 E/2v_c` (source 000, "Asymmetric Drift"; Binney & Tremaine 2008,
    eq. 4.228). Density and dispersion are :math:`\nu\propto e^{-R/h_\nu}`, :math:`\sigma_R\propto e^{-R/h_\sigma}`, so
    that :math:`E = 1 - R/h_\nu - 2R/h_\sigma - \sigma_\phi^2/\sigma_R^2` and the tilt, with
    :math:`\partial\langle v_R v_z\rangle/\partial z = \tau(\sigma_R^2 - \sigma_z^2)/R`.

    Parameters
    ----------
    v_c, sigma_R : Quantity
        Circular speed and radial dispersion of the population at `R`.
    R : Quantity
        Distance from the Galactic centre.
    density_scale, dispersion_scale : Quantity
        The scale lengths :math:`h_\nu` of the density and :math:`h_\sigma` of the dispersion :math:`\sigma_R` (of its
        square: half of that).
    slope : float
        Logarithmic slope of the rotation curve, a power law.
    azimuthal_ratio : float, optional
        :math:`\sigma_\phi^2/\sigma_R^2`; by default that of nearly circular orbits, `epicyclic_ratio`.
    vertical_ratio : float
        :math:`\sigma_z^2/\sigma_R^2`; only the tilt needs it.
    tilt : float
        The :math:`\tau` above: 0 where the ellipsoid keeps the cylinder's axes above the plane, 1 where it points
        at the centre.

    Examples
    --------
    The two populations of source 000, of one dispersion at :math:`R = h_\sigma` and with different gradients: to first
    order they differ by :math:`-\sigma_1^2 e^{-2}/2V_0`:

    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astrokin.drift import RadialJeans
    >>> common = dict(v_c=220 * u.km / u.s, sigma_R=50 / np.e * u.km / u.s, R=5 * u.kpc,
    ...               density_scale=3 * u.kpc, azimuthal_ratio=0.5)
    >>> one = RadialJeans(dispersion_scale=5 * u.kpc, **common)
    >>> two = RadialJeans(dispersion_scale=10 * u.kpc, **common)
    >>> one.mean_velocity(first_order=True) - two.mean_velocity(first_order=True)
    <Quantity -0.76894901 km / s>
    >>> -(50 * u.km / u.s) ** 2 * np.exp(-2) / (2 * 220 * u.km / u.s)
    <Quantity -0.76894901 km / s>
    """

    v_c: u.Quantity = parameter(
        unit=VELOCITY, per_row=False, doc="circular speed", physical=_positive, domain="a speed"
    )
    sigma_R: u.Quantity = parameter(
        unit=VELOCITY, per_row=False, doc="radial dispersion", physical=_positive, domain="a positive dispersion"
    )
    R: u.Quantity = parameter(
        unit=u.kpc, per_row=False, doc="distance from the centre", physical=_positive, domain="a positive distance"
    )
    density_scale: u.Quantity = parameter(
        unit=u.kpc, per_row=False, doc="scale length of the density", physical=_positive, domain="a positive length"
    )
    dispersion_scale: u.Quantity = parameter(
        unit=u.kpc, per_row=False, doc="scale length of sigma_R", physical=_positive, domain="a positive length"
    )
    slope: u.Quantity = parameter(0.0 * u.one, per_row=False, doc="logarithmic slope of the rotation curve")
    azimuthal_ratio: u.Quantity | None = parameter(
        None, unit=u.one, per_row=False, doc="sigma_phi2/sigma_R2", physical=_positive, domain="a positive ratio"
    )
    vertical_ratio: u.Quantity = parameter(
        0.25 * u.one, per_row=False, doc="sigma_z2/sigma_R2", physical=_positive, domain="a positive ratio"
    )
    tilt: u.Quantity = parameter(0.0 * u.one, per_row=False, doc="0: cylindrical, 1: toward the centre")

    # ---- what holds at a distance from the centre --------------------------------------------------------

    def mean_velocity(self, R: u.Quantity | None = None, first_order: bool = False) -> u.Quantity:
        """Mean azimuthal velocity of the population, at `R` where given.

        Raises
        ------
        InputError
            The dispersion is so large that no rotation balances it.
        """
        r = self._radius(R)
        if first_order:
            return (self._speed(r) - self._lag(r)) << VELOCITY
        return np.sqrt(self._square(r)) << VELOCITY

    def lag(self, R: u.Quantity | None = None, first_order: bool = False) -> u.Quantity:
        """The lag behind the circular speed, positive where the population is slower."""
        return (self._speed(self._radius(R)) << VELOCITY) - self.mean_velocity(R, first_order)

    def lag_gradient(self, R: u.Quantity | None = None, first_order: bool = False) -> u.Quantity:
        """The derivative of the lag by R, km/s/kpc."""
        r = self._radius(R)
        pressure = self._dispersion2(r) * (self._bracket_slope() - 2.0 * self._bracket(r) / self._h_sigma)
        v, dv = self._speed(r), self.slope.value * self._speed(r) / r
        if first_order:
            return -(pressure - self._dispersion2(r) * self._bracket(r) * dv / v) / (2.0 * v) << _GRADIENT
        return dv - (2.0 * v * dv + pressure) / (2.0 * np.sqrt(self._square(r))) << _GRADIENT

    @property
    def k(self) -> u.Quantity:
        """The k of the Strömberg relation, lag = sigma_R^2/k, that these scale lengths predict to first order."""
        r = self._radius(None)
        return -2.0 * self._speed(r) / self._bracket(r) << VELOCITY

    # ---- plain numbers, km/s and kpc ---------------------------------------------------------------------

    def _radius(self, R: u.Quantity | None) -> Any:
        r = self.R.value if R is None else raw_values(R, u.kpc, "R")
        if not np.all(_positive(r)):
            raise InputError(f"R is {R}; a positive distance from the centre is needed.")
        return r

    @property
    def _h_sigma(self) -> float:
        return float(self.dispersion_scale.value)

    def _speed(self, r: Any) -> Any:
        return self.v_c.value * (r / self.R.value) ** self.slope.value

    def _dispersion2(self, r: Any) -> Any:
        return self.sigma_R.value**2 * np.exp(-2.0 * (r - self.R.value) / self._h_sigma)

    def _bracket(self, r: Any) -> Any:
        given = self.azimuthal_ratio
        ratio = epicyclic_ratio(self.slope.value) if given is None else given.value
        tilt = self.tilt.value * (1.0 - self.vertical_ratio.value)
        return 1.0 + tilt - ratio + r * self._bracket_slope()

    def _bracket_slope(self) -> float:
        return float(-1.0 / self.density_scale.value - 2.0 / self._h_sigma)

    def _lag(self, r: Any) -> Any:
        return -self._dispersion2(r) * self._bracket(r) / (2.0 * self._speed(r))

    def _square(self, r: Any) -> Any:
        square = self._speed(r) ** 2 + self._dispersion2(r) * self._bracket(r)
        if not np.all(square > 0.0):
            raise InputError(
                f"RadialJeans: sigma_R = {self.sigma_R} and these scale lengths leave no mean rotation at R = {r} kpc "
                "(its square would be negative): the population is too hot, or the scale lengths too short."
            )
        return square
