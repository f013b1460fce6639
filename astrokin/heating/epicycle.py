"""Nearly circular orbits in a disc: epicyclic frequencies, and angles and actions to and from places and velocities.

Sources: 003, section 5.2.2 with its errata; Binney & Tremaine (2008), section 3.2.3. In an orbit of guiding radius
R_g, with the angles theta and the amplitudes a_R = sqrt(2 J_R / kappa), a_z = sqrt(2 J_z / nu_z),

    R = R_g + a_R cos(theta_R),   phi = theta_phi - gamma (a_R / R_g) sin(theta_R),   z = a_z cos(theta_z),

with gamma = 2 Omega / kappa and J_phi = R v_phi = R_g^2 Omega.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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


# ---- angles and actions ----------------------------------------------------------------------------------

_COORDINATES = {"R": LENGTH, "phi": u.rad, "z": LENGTH, "v_R": SPEED, "v_phi": SPEED, "v_z": SPEED}
_ANGLE_ACTIONS = {"J_R": ACTION, "J_phi": ACTION, "J_z": ACTION, "theta_R": u.rad, "theta_phi": u.rad, "theta_z": u.rad}


def from_angle_actions(disc: Disc, **orbits: u.Quantity) -> dict[str, u.Quantity]:
    """Places and velocities from actions and angles, in the epicycle approximation.

    Parameters
    ----------
    disc : Disc
    **orbits : `~astropy.units.Quantity`
        ``J_R``, ``J_phi``, ``theta_R``, ``theta_phi``; with ``J_z`` and ``theta_z`` the vertical motion too.

    Returns
    -------
    dict of str to Quantity
        ``R phi v_R v_phi`` (and ``z v_z``); v_R outward, v_phi along the rotation.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating import Disc, from_angle_actions, to_angle_actions
    >>> disc = Disc.power_law(220 * u.km / u.s, 8 * u.kpc)
    >>> place = from_angle_actions(disc, J_R=20 * u.kpc * u.km / u.s, J_phi=1760 * u.kpc * u.km / u.s,
    ...                            theta_R=1 * u.rad, theta_phi=2 * u.rad)
    >>> place["R"].round(3), place["v_R"].round(2)
    (<Quantity 8.548 kpc>, <Quantity -33.19 km / s>)
    >>> to_angle_actions(disc, **place)["J_R"].round(9)
    <Quantity 20. km kpc / s>
    """
    x = _plain_set(orbits, _ANGLE_ACTIONS, ("J_z", "theta_z"))
    at = disc.orbit(x["J_phi"])
    a = np.sqrt(2.0 * x["J_R"] / at.kappa)
    radius = at.radius + a * np.cos(x["theta_R"])
    if (radius <= 0.0).any():
        raise InputError("The epicycle is larger than the guiding radius: such orbits are not nearly circular.")
    out = {
        "R": radius,
        "phi": x["theta_phi"] - at.gamma * (a / at.radius) * np.sin(x["theta_R"]),
        "v_R": -at.kappa * a * np.sin(x["theta_R"]),
        "v_phi": x["J_phi"] / radius,
    }
    if "J_z" in x:
        high = np.sqrt(2.0 * x["J_z"] / _known(at.nu))
        out |= {"z": high * np.cos(x["theta_z"]), "v_z": -at.nu * high * np.sin(x["theta_z"])}
    return {k: v << _COORDINATES[k] for k, v in out.items()}


def to_angle_actions(disc: Disc, **place: u.Quantity) -> dict[str, u.Quantity]:
    """Actions and angles from places and velocities, the inverse of `from_angle_actions`.

    Parameters
    ----------
    disc : Disc
    **place : `~astropy.units.Quantity`
        ``R phi v_R v_phi``, and ``z v_z`` for the vertical motion too.

    Returns
    -------
    dict of str to Quantity
        ``J_R J_phi theta_R theta_phi`` (and ``J_z theta_z``); theta_R and theta_z from -pi to pi.
    """
    x = _plain_set(place, _COORDINATES, ("z", "v_z"))
    momentum = x["R"] * x["v_phi"]
    if not (momentum > 0.0).all():
        raise InputError("Some stars do not go round with the rotation (R v_phi <= 0): they have no epicycle.")
    at = disc.orbit(momentum)
    across, along = at.kappa * (x["R"] - at.radius), x["v_R"]
    a, theta = np.hypot(across, along) / at.kappa, np.arctan2(-along, across)
    out = {
        "J_R": 0.5 * at.kappa * a * a,
        "J_phi": momentum,
        "theta_R": theta,
        "theta_phi": x["phi"] + at.gamma * (a / at.radius) * np.sin(theta),
    }
    if "z" in x:
        up, speed = _known(at.nu) * x["z"], x["v_z"]
        out |= {"J_z": 0.5 * (up * up + speed * speed) / at.nu, "theta_z": np.arctan2(-speed, up)}
    return {k: v << _ANGLE_ACTIONS[k] for k, v in out.items()}


def _known(nu: Array) -> Array:
    if np.isnan(nu).any():
        raise InputError("Vertical motion needs a disc with a vertical profile: Disc(…, vertical_frequency=…).")
    return nu


def _plain_set(given: Mapping[str, Any], units: Mapping[str, Any], optional: tuple[str, str]) -> dict[str, Array]:
    needed = [k for k in units if k not in optional]
    missing, strange = [k for k in needed if k not in given], [k for k in given if k not in units]
    if missing or strange or len([k for k in optional if k in given]) == 1:
        raise InputError(
            f"{', '.join(needed)} are needed, {' and '.join(optional)} may come with them; given: {given}."
        )
    out = {k: plain(v, units[k], k) for k, v in given.items()}
    for k in out.keys() & {"J_R", "J_z"}:
        positive(given[k], ACTION, k, zero=True)
    return dict(zip(out, np.broadcast_arrays(*out.values()), strict=True))
