"""What one needs to think in K_z: the force of simple discs, and the way from a force to surface and volume densities.

K_z is the vertical force per unit mass: negative above the plane (z > 0), positive below. The constant of gravity is
astropy's.
"""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from astropy.constants import G as _G
from numpy.typing import NDArray

from astrokin.units import raw_values

Array = NDArray[np.float64]

#: The units in which heights, forces, surface and volume densities are given.
HEIGHT = u.kpc
FORCE = u.km**2 / u.s**2 / u.pc
SURFACE_DENSITY = u.Msun / u.pc**2
DENSITY = u.Msun / u.pc**3
_SHEAR = u.km / u.s / u.kpc
#: 2 pi G in the force of one unit of surface density, 4 pi G in the gradient of the force (per pc) of one of density.
TWO_PI_G = float((2.0 * np.pi * _G * SURFACE_DENSITY).to_value(FORCE))
FOUR_PI_G = float((4.0 * np.pi * _G * DENSITY).to_value(FORCE / u.pc))
#: (km/s/kpc)^2 in gradients of the force per pc.
_SHEAR_SQUARED = float((_SHEAR**2).to(FORCE / u.pc))


def sheet_force(z: u.Quantity, surface_density: u.Quantity, scale_height: u.Quantity) -> u.Quantity:
    r"""Force of a self-gravitating isothermal sheet.

    .. math:: K_z = -2\pi G\,\Sigma \tanh(z/z_0), \qquad \rho \propto \mathrm{sech}^2(z/z_0)

    Parameters
    ----------
    z : `~astropy.units.Quantity`, any shape
        Height above the plane.
    surface_density : `~astropy.units.Quantity`
        Of the whole sheet, both sides of the plane.
    scale_height : `~astropy.units.Quantity`
        The :math:`z_0` above; stars of the sheet have :math:`\sigma_{zz}^2 = \pi G\,\Sigma z_0` (Spitzer 1942).

    Returns
    -------
    `~astropy.units.Quantity`, shape of `z`
        In km2/(s2 pc).

    Raises
    ------
    InputError
        A value without unit or with a wrong one.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin import vertical
    >>> vertical.sheet_force(1.1 * u.kpc, 60 * u.Msun / u.pc**2, 0.3 * u.kpc).round(4)
    <Quantity -1.6193 km2 / (pc s2)>
    """
    height, total, scale = _plain(z, surface_density, scale_height)
    return -TWO_PI_G * total * np.tanh(height / scale) << FORCE


def disc_force(
    z: u.Quantity, surface_density: u.Quantity, scale_height: u.Quantity, dark_density: u.Quantity | None = None
) -> u.Quantity:
    r"""Force of an exponential disc and a constant density, such as that of dark matter near the Sun.

    .. math:: K_z = -2\pi G\,\Sigma\,(1 - e^{-|z|/h})\,\mathrm{sgn}\,z - 4\pi G\rho\,z

    Parameters
    ----------
    z : `~astropy.units.Quantity`, any shape
    surface_density, scale_height : `~astropy.units.Quantity`
        Of the disc, both sides of the plane.
    dark_density : `~astropy.units.Quantity`, optional
        The constant density; none where not given.

    Returns
    -------
    `~astropy.units.Quantity`, shape of `z`
        In km2/(s2 pc).

    Raises
    ------
    InputError
        A value without unit or with a wrong one.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin import vertical
    >>> force = vertical.disc_force(1.1 * u.kpc, 47 * u.Msun / u.pc**2, 0.3 * u.kpc, 0.012 * u.Msun / u.pc**3)
    >>> vertical.surface_density(force).round(2)
    <Quantity 72.2 solMass / pc2>
    """
    height, total, scale = _plain(z, surface_density, scale_height)
    dark = 0.0 if dark_density is None else raw_values(dark_density, DENSITY, "dark_density")
    disc = TWO_PI_G * total * np.sign(height) * -np.expm1(-np.abs(height) / scale)
    return -disc - FOUR_PI_G * 1e3 * dark * height << FORCE


def surface_density(force: u.Quantity, z: u.Quantity | None = None, oort: u.Quantity | None = None) -> u.Quantity:
    r"""Mass per area between -z and z that a force tells.

    .. math:: \Sigma(z) = \frac{|K_z| + 2(B^2 - A^2)\,|z|}{2\pi G}

    Parameters
    ----------
    force : `~astropy.units.Quantity`, any shape
        :math:`K_z`.
    z : `~astropy.units.Quantity`, optional
        Height of the force: needed with `oort`.
    oort : `~astropy.units.Quantity`, shape (2,), optional
        Oort's A and B, for the radial part of Poisson's equation: its term vanishes for a flat rotation curve.

    Returns
    -------
    `~astropy.units.Quantity`, shape of `force`
        In solar masses per square parsec.

    Raises
    ------
    InputError
        A value without unit or with a wrong one.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin import vertical
    >>> force = vertical.force_of(74 * u.Msun / u.pc**2)
    >>> vertical.surface_density(force).round(9)
    <Quantity 74. solMass / pc2>
    >>> vertical.surface_density(force, 1.1 * u.kpc, (15.3, -11.9) * u.km / u.s / u.kpc).round(2)
    <Quantity 66.47 solMass / pc2>
    """
    total = np.abs(raw_values(force, FORCE, "force")) / TWO_PI_G
    if oort is not None and z is not None:
        total = total + 2e3 * rotation_density(oort).value * np.abs(raw_values(z, HEIGHT, "z"))
    return total << SURFACE_DENSITY


def force_of(surface_density: u.Quantity) -> u.Quantity:
    """Size of the force above a plane layer of a surface density: 2 pi G Sigma, in km2/(s2 pc).

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin import vertical
    >>> vertical.force_of(74 * u.Msun / u.pc**2).round(4)
    <Quantity 1.9997 km2 / (pc s2)>
    """
    return TWO_PI_G * raw_values(surface_density, SURFACE_DENSITY, "surface_density") << FORCE


def density(force_gradient: u.Quantity, oort: u.Quantity | None = None) -> u.Quantity:
    r"""Density by Poisson's equation with rotation.

    .. math:: 4\pi G\rho = -\frac{\partial K_z}{\partial z} + 2(B^2 - A^2)

    Parameters
    ----------
    force_gradient : `~astropy.units.Quantity`, any shape
        :math:`\partial K_z/\partial z`.
    oort : `~astropy.units.Quantity`, shape (2,), optional
        Oort's A and B; without them the rotation curve is taken to be flat.

    Returns
    -------
    `~astropy.units.Quantity`, shape of `force_gradient`
        In solar masses per cubic parsec.

    Raises
    ------
    InputError
        A value without unit or with a wrong one.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin import vertical
    >>> vertical.density(-5.4 * u.km**2 / u.s**2 / (100 * u.pc)**2).round(4)
    <Quantity 0.01 solMass / pc3>
    """
    flat = -raw_values(force_gradient, FORCE / u.pc, "force_gradient") / FOUR_PI_G << DENSITY
    return flat if oort is None else flat + rotation_density(oort)


def rotation_density(oort: u.Quantity) -> u.Quantity:
    r"""What the rotation curve adds to the density in Poisson's equation: :math:`(B^2 - A^2)/(2\pi G)`.

    Parameters
    ----------
    oort : `~astropy.units.Quantity`, shape (2,)
        Oort's A and B.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin import vertical
    >>> vertical.rotation_density((15.3, -11.9) * u.km / u.s / u.kpc).round(5)
    <Quantity -0.00342 solMass / pc3>
    """
    a, b = raw_values(oort, _SHEAR, "oort")
    return 2.0 * (b * b - a * a) * _SHEAR_SQUARED / FOUR_PI_G << DENSITY


def _plain(z: Any, surface_density: Any, scale_height: Any) -> tuple[Array, Array, Array]:
    return (
        raw_values(z, HEIGHT, "z"),
        raw_values(surface_density, SURFACE_DENSITY, "surface_density"),
        raw_values(scale_height, HEIGHT, "scale_height"),
    )
