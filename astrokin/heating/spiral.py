"""A spiral wave in the disc, and its vertical structure in the angle of the vertical oscillation.

The real potential is epsilon(t) zeta(z) exp(i(k R + m phi)) + c.c. (003, eqs. 5.18 and 5.28). In angles and actions of
the epicycle approximation

    k R + m phi = k R_g + m theta_phi + K a_R cos(theta_R + alpha),
    K = sqrt(k^2 + m^2 gamma^2 / R_g^2),   tan(alpha) = m gamma / (k R_g)

(003, eq. 5.23; the sign of alpha as in the errata), so that its Fourier components in (theta_R, theta_phi, theta_z)
have the sizes |epsilon J_l(K a_R) zeta_n(J_z)|.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.errors import InputError
from astrokin.heating.door import LENGTH, plain, positive
from astrokin.heating.epicycle import Disc, Epicycle

Array = NDArray[np.float64]

_ANGLES = 256  # of the vertical oscillation; enough for |n| < 100 of a profile with a kink


@dataclass(frozen=True)
class SpiralWave:
    """A wave of m arms and radial wavenumber k.

    Parameters
    ----------
    arms : int
        m >= 0; 0 is a ring.
    wavenumber : `~astropy.units.Quantity`
        k, per length (radians need not be written); negative: the wave that winds the other way.
    profile : callable, optional
        Vertical structure zeta of height (a Quantity), even, one in the plane; none: the same at all heights.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating import Disc, SpiralWave
    >>> wave = SpiralWave(2, 1.5 / u.kpc)
    >>> disc = Disc.power_law(220 * u.km / u.s, 8 * u.kpc)
    >>> wave.effective_wavenumber(disc, 8 * u.kpc).round(4), wave.alpha(disc, 8 * u.kpc).round(2)
    (<Quantity 1.5411 1 / kpc>, <Quantity 13.26 deg>)
    >>> wave.pitch_angle(8 * u.kpc).round(2)
    <Quantity 9.46 deg>
    """

    arms: int
    wavenumber: Any
    profile: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.arms, int | np.integer) or isinstance(self.arms, bool) or self.arms < 0:
            raise InputError(f"SpiralWave.arms is {self.arms!r}; a whole number from 0 up is needed.")
        k = float(plain(self.wavenumber, 1.0 / LENGTH, "SpiralWave.wavenumber"))
        if k == 0.0 and self.arms == 0:
            raise InputError("SpiralWave: no arms and no wavenumber make no wave.")
        object.__setattr__(self, "arms", int(self.arms))
        object.__setattr__(self, "wavenumber", k / LENGTH)

    @property
    def k(self) -> float:
        """The radial wavenumber, 1/kpc."""
        return float(self.wavenumber.value)

    def effective(self, at: Epicycle) -> Array:
        """K at circular orbits, 1/kpc, plain."""
        return np.hypot(self.k, self.arms * at.gamma / at.radius)

    def effective_wavenumber(self, disc: Disc, radius: u.Quantity) -> u.Quantity:
        """K, by which the argument of the Bessel functions is K a_R."""
        return self.effective(disc.at(positive(radius, LENGTH, "radius"))) / LENGTH

    def alpha(self, disc: Disc, radius: u.Quantity) -> u.Quantity:
        """Phase shift of the epicycle in the wave, arctan(m gamma / k R_g): about the pitch angle times gamma."""
        at = disc.at(positive(radius, LENGTH, "radius"))
        return np.degrees(np.arctan2(self.arms * at.gamma, self.k * at.radius)) * u.deg

    def pitch_angle(self, radius: u.Quantity) -> u.Quantity:
        """Angle between the arms and the circle, arctan(m / k R)."""
        r = positive(radius, LENGTH, "radius")
        return np.degrees(np.arctan2(float(self.arms), self.k * r)) * u.deg

    def vertical(self, action: Array, nu: Array, order: int) -> Array:
        """zeta_n (003, eq. 5.30) for n = 0 .. `order`, shape (order + 1, ...); real, as zeta is even in z.

        `action` (kpc km/s) and `nu` (km/s/kpc) are plain and of one shape.
        """
        theta = 2.0 * np.pi * (np.arange(_ANGLES) + 0.5) / _ANGLES
        height = np.sqrt(2.0 * action / nu)[..., None] * np.cos(theta)
        value = self.at_height(height)
        wave = np.cos(np.arange(order + 1)[:, None] * theta) / _ANGLES
        return np.moveaxis(value @ wave.T, -1, 0)

    def at_height(self, height: Array) -> Array:
        """zeta at heights (kpc), checked to be even and one in the plane."""
        if self.profile is None:
            return np.ones_like(height)
        value = _profile(self.profile, height)
        mirrored, middle = _profile(self.profile, -height), _profile(self.profile, np.zeros(1))
        if not np.allclose(value, mirrored, rtol=1e-9, atol=1e-12) or not np.isclose(middle[0], 1.0, rtol=1e-9):
            raise InputError("SpiralWave.profile must be even in height, and one in the plane.")
        return value


def _profile(profile: Callable[[Any], Any], height: Array) -> Array:
    return np.broadcast_to(plain(profile(height << LENGTH), u.one, "SpiralWave.profile"), height.shape)


@dataclass(frozen=True)
class ExponentialProfile:
    """zeta(z) = exp(-abs(z)/h): that of a wave of wavenumber 1/h in a thin sheet.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating import ExponentialProfile
    >>> ExponentialProfile(0.5 * u.kpc)([-0.5, 0] * u.kpc).round(3)
    <Quantity [0.368, 1.   ]>
    """

    height: Any

    def __post_init__(self) -> None:
        positive(self.height, LENGTH, "ExponentialProfile.height")

    def __call__(self, z: u.Quantity) -> u.Quantity:
        return np.exp(-np.abs((z / self.height).to_value(u.one))) << u.one


@dataclass(frozen=True)
class SechProfile:
    """zeta(z) = sech^2(z/h): smooth through the plane."""

    height: Any

    def __post_init__(self) -> None:
        positive(self.height, LENGTH, "SechProfile.height")

    def __call__(self, z: u.Quantity) -> u.Quantity:
        return 1.0 / np.cosh((z / self.height).to_value(u.one)) ** 2 << u.one
