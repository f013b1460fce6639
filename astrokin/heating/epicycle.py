"""Nearly circular orbits in a disc: guiding radii and epicyclic frequencies.

Sources: 003, section 5.2.2 with its errata; Binney & Tremaine (2008), section 3.2.3. In an orbit of guiding radius
R_g, with the angles theta and the amplitudes a_R = sqrt(2 J_R / kappa), a_z = sqrt(2 J_z / nu_z),

    R = R_g + a_R cos(theta_R),   phi = theta_phi - gamma (a_R / R_g) sin(theta_R),   z = a_z cos(theta_z),

with gamma = 2 Omega / kappa and J_phi = R v_phi = R_g^2 Omega.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from astropy.constants import G
from numpy.typing import NDArray

from astrokin.errors import InputError, NotConvergedError
from astrokin.heating.curves import PowerLaw, Table
from astrokin.heating.door import ACTION, FREQUENCY, LENGTH, SPEED, plain, positive

Array = NDArray[np.float64]
Curve = Callable[[Any], Any]

_STEP = 2e-3  # of the radius; the five-point rule is then good to 1e-11 of a smooth curve
_NEWTON = 60


@dataclass(frozen=True)
class Epicycle:
    """Radius (kpc) and frequencies (km/s/kpc) of circular orbits, plain arrays.

    Attributes
    ----------
    radius, omega, kappa, nu : ndarray
        Guiding radius, circular, radial and vertical frequency; `nu` is NaN where the disc has no vertical profile.
    """

    radius: Array
    omega: Array
    kappa: Array
    nu: Array

    @property
    def gamma(self) -> Array:
        """2 Omega / kappa: the axis ratio of the epicycle."""
        return 2.0 * self.omega / self.kappa


@dataclass(frozen=True)
class Disc:
    """A disc galaxy near its plane: any rotation curve, any vertical frequency.

    Parameters
    ----------
    rotation_curve : callable
        Circular speed (a Quantity) at cylindrical radii (a Quantity).
    vertical_frequency : callable, optional
        nu_z (a Quantity) at radii; see `from_density` for the one of a midplane density.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating import Disc
    >>> disc = Disc(lambda R: 230 * u.km / u.s * (R / (8 * u.kpc)) ** -0.1)
    >>> disc.kappa(8 * u.kpc).round(3), disc.gamma(8 * u.kpc).round(4)
    (<Quantity 38.572 km / (kpc s)>, <Quantity 1.4907>)
    """

    rotation_curve: Curve
    vertical_frequency: Curve | None = None

    @classmethod
    def power_law(
        cls, speed: u.Quantity, radius: u.Quantity, slope: float = 0.0, vertical_frequency: u.Quantity | None = None
    ) -> Disc:
        """Circular speed ``speed (R / radius)^slope``; nu_z, given at that radius, in proportion to Omega.

        Examples
        --------
        >>> import astropy.units as u
        >>> from astrokin.heating import Disc
        >>> Disc.power_law(220 * u.km / u.s, 8 * u.kpc).omega(4 * u.kpc)
        <Quantity 55. km / (kpc s)>
        """
        v, r = (float(positive(x, unit, name)) for x, unit, name in _TWO(speed, radius))
        curve = PowerLaw(v, r, float(slope), SPEED)
        if vertical_frequency is None:
            return cls(curve)
        nu = float(positive(vertical_frequency, FREQUENCY, "vertical_frequency"))
        return cls(curve, PowerLaw(nu, r, float(slope) - 1.0, FREQUENCY))

    @classmethod
    def tabulated(cls, radius: u.Quantity, speed: u.Quantity, vertical_frequency: u.Quantity | None = None) -> Disc:
        """A cubic spline through measured speeds (and nu_z); beyond the table is an error."""
        nu = None if vertical_frequency is None else Table.of(radius, vertical_frequency, FREQUENCY)
        return cls(Table.of(radius, speed, SPEED), nu)

    @classmethod
    def from_density(cls, rotation_curve: Curve, density: Curve) -> Disc:
        """With nu_z by Poisson's equation from the density in the midplane, a callable of radius.

        nu_z^2 = 4 pi G rho - (1/R) d(v_c^2)/dR, with the term of the rotation curve.

        Examples
        --------
        >>> import astropy.units as u
        >>> from astrokin.heating import Disc
        >>> disc = Disc.from_density(lambda R: 220 * u.km / u.s + 0 * R * u.km / u.s / u.kpc,
        ...                          lambda R: 0.1 * u.M_sun / u.pc**3)
        >>> disc.nu(8 * u.kpc).round(1)
        <Quantity 73.5 km / (kpc s)>
        """
        return cls(rotation_curve, _Poisson(rotation_curve, density))

    # ---- at the door -------------------------------------------------------------------------------------

    def omega(self, radius: u.Quantity) -> u.Quantity:
        """Circular frequency."""
        return self.at(positive(radius, LENGTH, "radius")).omega << FREQUENCY

    def kappa(self, radius: u.Quantity) -> u.Quantity:
        """Epicyclic frequency, kappa^2 = (2 Omega / R) d(R^2 Omega)/dR."""
        return self.at(positive(radius, LENGTH, "radius")).kappa << FREQUENCY

    def nu(self, radius: u.Quantity) -> u.Quantity:
        """Vertical frequency."""
        r = positive(radius, LENGTH, "radius")
        if self.vertical_frequency is None:
            raise InputError("The disc has no vertical profile: give Disc(…, vertical_frequency=…).")
        return self.at(r).nu << FREQUENCY

    def gamma(self, radius: u.Quantity) -> u.Quantity:
        """2 Omega / kappa."""
        return self.at(positive(radius, LENGTH, "radius")).gamma << u.one

    def guiding_radius(self, angular_momentum: u.Quantity) -> u.Quantity:
        """Radius of the circular orbit of an angular momentum."""
        return self.orbit(positive(angular_momentum, ACTION, "angular momentum")).radius << LENGTH

    def amplitude(self, radial_action: u.Quantity, radius: u.Quantity) -> u.Quantity:
        """Amplitude of the epicycle, a_R = sqrt(2 J_R / kappa).

        Examples
        --------
        >>> import astropy.units as u
        >>> from astrokin.heating import Disc
        >>> disc = Disc.power_law(220 * u.km / u.s, 8 * u.kpc)
        >>> disc.amplitude(28 * u.kpc * u.km / u.s, 8 * u.kpc).round(2)
        <Quantity 1.2 kpc>
        """
        action = positive(radial_action, ACTION, "radial action", zero=True)
        return np.sqrt(2.0 * action / self.at(positive(radius, LENGTH, "radius")).kappa) << LENGTH

    # ---- plain numbers -----------------------------------------------------------------------------------

    def speed(self, radius: Array) -> Array:
        """Circular speed (km/s) at radii (kpc)."""
        v = positive(self.rotation_curve(radius << LENGTH), SPEED, "the rotation curve")
        return np.broadcast_to(v, np.shape(radius))

    def at(self, radius: Array) -> Epicycle:
        """Frequencies of the circular orbits at radii (kpc).

        Raises
        ------
        InputError
            Where kappa^2 is not positive: no circular orbit is stable there.
        """
        radius = np.asarray(radius, dtype=np.float64)
        omega = self.speed(radius) / radius
        square = 2.0 * omega * (2.0 * omega + radius * _slope(lambda r: self.speed(r) / r, radius))
        if not (square > 0.0).all():
            worst = np.ravel(radius)[np.argmin(square)]
            raise InputError(
                f"The rotation curve has kappa^2 = {np.min(square):.4g} (km/s/kpc)^2 at R = {worst:.4g} kpc, where no "
                "circular orbit is stable; v_c must fall more slowly than 1/R."
            )
        return Epicycle(radius, omega, np.sqrt(square), self._nu(radius))

    def _nu(self, radius: Array) -> Array:
        if self.vertical_frequency is None:
            return np.full(radius.shape, np.nan)
        nu = positive(self.vertical_frequency(radius << LENGTH), FREQUENCY, "the vertical frequency")
        return np.broadcast_to(nu, radius.shape)

    def orbit(self, angular_momentum: Array) -> Epicycle:
        """Frequencies of the circular orbits of angular momenta (kpc km/s), by Newton's method."""
        wanted = np.asarray(angular_momentum, dtype=np.float64)
        radius = wanted / self.speed(np.full(wanted.shape, 8.0))
        for _ in range(_NEWTON):
            at = self.at(radius)
            # dL/dR = R kappa^2 / (2 Omega)
            step = (wanted - radius**2 * at.omega) * 2.0 * at.omega / (radius * at.kappa**2)
            step = np.clip(step, -0.5 * radius, radius)
            radius = radius + step
            if (np.abs(step) <= 1e-13 * radius).all():
                return self.at(radius)
        raise NotConvergedError("No guiding radius was found: is the angular momentum that of any circular orbit?")


def _TWO(speed: Any, radius: Any) -> Any:
    return (speed, SPEED, "speed"), (radius, LENGTH, "radius")


def _slope(function: Callable[[Array], Array], x: Array) -> Array:
    """Derivative by the five-point rule."""
    h = _STEP * x
    near = function(x + h) - function(x - h)
    far = function(x + 2.0 * h) - function(x - 2.0 * h)
    return (8.0 * near - far) / (12.0 * h)


@dataclass(frozen=True)
class _Poisson:
    rotation_curve: Curve
    density: Curve

    def __call__(self, radius: Any) -> Any:
        r = plain(radius, LENGTH, "radius")
        disc = Disc(self.rotation_curve)
        rho = self.density(radius)
        square = (4.0 * np.pi * G * rho).to_value(FREQUENCY**2) - _slope(lambda x: disc.speed(x) ** 2, r) / r
        if not (square > 0.0).all():
            raise InputError(f"The density {rho} is too small: nu_z^2 = {np.min(square):.4g} (km/s/kpc)^2.")
        return np.sqrt(square) << FREQUENCY
