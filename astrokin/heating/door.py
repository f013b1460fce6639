"""The fixed units of disc dynamics, and the door from Quantities to plain numbers in them.

Inside, lengths are in kpc and speeds in km/s, so that times come in kpc/(km/s) = 0.978 Gyr, frequencies in km/s/kpc,
actions in kpc km/s and diffusion coefficients in kpc (km/s)^3.
"""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.errors import InputError, some_rows
from astrokin.units import KM_S, raw_values

Array = NDArray[np.float64]

LENGTH = u.kpc
SPEED = KM_S
FREQUENCY = KM_S / u.kpc
ACTION = u.kpc * KM_S
TIME = u.kpc / KM_S
#: The power spectrum of a potential.
POWER = KM_S**4 * TIME
#: What diffusion coefficients are told in.
DIFFUSION = ACTION**2 / u.Gyr
#: Density of mass.
DENSITY = u.M_sun / u.pc**3
_INSIDE = ACTION**2 / TIME
_TO_DIFFUSION = float(_INSIDE.to(DIFFUSION))


def plain(value: Any, unit: u.UnitBase, name: str) -> Array:
    """A finite Quantity as plain numbers in the unit; radians per time are frequencies, too.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating.door import FREQUENCY, plain
    >>> plain(30 * u.rad / u.Gyr, FREQUENCY, "frequency").round(2)
    np.float64(29.33)
    """
    if u.rad in getattr(getattr(value, "unit", None), "bases", ()) and not unit.is_equivalent(u.rad):
        value = value.to(value.unit / u.rad, u.dimensionless_angles())
    array = raw_values(value, unit, name)
    if np.isnan(array).any():
        raise InputError(f"{name} is NaN in {some_rows(np.flatnonzero(np.isnan(np.ravel(array))))}: leave those out.")
    return array


def positive(value: Any, unit: u.UnitBase, name: str, zero: bool = False) -> Array:
    """Plain numbers above zero, or from zero up."""
    array = plain(value, unit, name)
    if (array < 0.0).any() or (not zero and (array == 0.0).any()):
        least = f"{np.min(value):g}"  # as it was given
        raise InputError(f"{name} is {least}; it must be {'zero or ' if zero else ''}positive.")
    return array


def diffusion(value: Array) -> u.Quantity:
    """Plain diffusion coefficients as a Quantity."""
    return (value * _TO_DIFFUSION) << DIFFUSION


def plain_diffusion(value: Any, name: str) -> Array:
    """A diffusion coefficient as plain numbers, zero or positive."""
    return positive(value, _INSIDE, name, zero=True)
