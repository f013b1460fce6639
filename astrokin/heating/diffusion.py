r"""Diffusion of actions by transient spirals and by clouds.

In the potential epsilon(t) zeta(z) exp(i(k R + m phi)) + c.c. the component of exp(i(l theta_R + m theta_phi +
n theta_z)) is epsilon psi, |psi|^2 = J_l^2(K a_R) zeta_n^2, and that of the opposite vector its conjugate. An
unperturbed star then has Delta J_i = -integral dt sum i k_i psi epsilon exp(i k.Omega t) + c.c.; averaged over angles

    <Delta J_i Delta J_j> = 2 T sum k_i k_j |psi|^2 C^(k.Omega),   k = (l, m, n),

so that D_ij = <Delta J_i Delta J_j> / 2T = sum k_i k_j J_l^2(K a_R) zeta_n^2 C^(l kappa + m Omega + n nu_z):
003, eq. 5.9 summed over both vectors, eqs. 5.25 and 5.29 with the prefactor 1 of the errata; Binney & Lacey (1988).
"""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray
from scipy.special import jv

from astrokin.errors import InputError
from astrokin.heating import door
from astrokin.heating.door import ACTION, positive
from astrokin.heating.epicycle import Disc, Epicycle
from astrokin.heating.spectra import Lorentzian, Spectrum
from astrokin.heating.spiral import SpiralWave

Array = NDArray[np.float64]

_TOLERANCE = 1e-13
_NOTHING = 1e-40  # of the peak: where all terms vanish
_VERTICAL = 24  # the highest |n|
#: Elements of the tensor, in the order (R, phi, z).
ELEMENTS = {"RR": (0, 0), "Rphi": (0, 1), "Rz": (0, 2), "phiphi": (1, 1), "phiz": (1, 2), "zz": (2, 2)}


def diffusion_coefficient(
    disc: Disc,
    wave: SpiralWave,
    spectrum: Spectrum,
    radial_action: u.Quantity,
    angular_momentum: u.Quantity,
    vertical_action: u.Quantity | None = None,
    element: str = "RR",
) -> u.Quantity:
    r"""An element of the diffusion tensor by spirals,

    .. math:: D_{ij} = \sum_{\ell n} k_i k_j\, J_\ell^2(K a_R)\, |\zeta_n(J_z)|^2\,
              \hat C(\ell\kappa + m\Omega + n\nu_z), \qquad \mathbf k = (\ell, m, n).

    The sum over l is taken until what is left is below 1e-13 of it, that over n to 24 where a vertical action and
    a vertical structure are given (without them n is 0).

    Parameters
    ----------
    disc, wave, spectrum : Disc, SpiralWave, Spectrum
    radial_action, angular_momentum, vertical_action : `~astropy.units.Quantity`
        Arrays that broadcast.
    element : {"RR", "Rphi", "Rz", "phiphi", "phiz", "zz"}

    Returns
    -------
    `~astropy.units.Quantity`
        kpc2 km2 / (Gyr s2).

    Raises
    ------
    InputError
        Actions that are negative, a rotation curve without stable orbits, no vertical profile where one is needed.

    Examples
    --------
    White noise: D_RR = C^ (K a_R)^2 / 2, in proportion to J_R.

    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astrokin.heating import Disc, SpiralWave, White, diffusion_coefficient
    >>> disc = Disc.power_law(220 * u.km / u.s, 8 * u.kpc)
    >>> wave, noise = SpiralWave(2, 1.5 / u.kpc), White(100 * u.km**4 / u.s**4 * u.Gyr)
    >>> action = [10, 20] * u.kpc * u.km / u.s
    >>> diffusion_coefficient(disc, wave, noise, action, 1760 * u.kpc * u.km / u.s).round(2)
    <Quantity [ 63.87, 127.75] km2 kpc2 / (Gyr s2)>
    """
    if element not in ELEMENTS:
        raise InputError(f"element is {element!r}; it can be {', '.join(ELEMENTS)}.")
    action = positive(radial_action, ACTION, "radial action", zero=True)
    at = disc.orbit(positive(angular_momentum, ACTION, "angular momentum"))
    high = None if vertical_action is None else positive(vertical_action, ACTION, "vertical action", zero=True)
    if high is None and "z" in element:
        raise InputError(f"element={element!r} needs a vertical_action.")
    if high is not None and np.isnan(at.nu).any():
        raise InputError("A vertical_action needs a disc with a vertical profile: Disc(…, vertical_frequency=…).")
    return door.diffusion(coefficient(at, wave, spectrum, action, high, ELEMENTS[element]))


def coefficient(
    at: Epicycle,
    wave: SpiralWave,
    spectrum: Spectrum,
    action: Array,
    vertical_action: Array | None = None,
    element: tuple[int, int] = (0, 0),
) -> Array:
    """`diffusion_coefficient` in plain numbers, at given circular orbits."""
    _check_arms(wave, spectrum)
    argument = wave.effective(at) * np.sqrt(2.0 * action / at.kappa)
    modes = _modes(at, wave, vertical_action, max(argument.ndim, at.omega.ndim))
    total = np.zeros(np.broadcast_shapes(argument.shape, modes[1].shape[1:], at.omega.shape))
    size, order = np.zeros_like(total), 0
    largest, highest = float(np.max(argument, initial=0.0)), max(wave.arms, int(np.abs(modes[0]).max()))
    while True:
        square = jv(order, argument) ** 2
        for sign in (1, -1) if order else (1,):
            weight, absolute = _sum_over_n(at, wave, spectrum, sign * order, modes, element)
            total, size = total + square * weight, size + square * absolute
        # Beyond l > s each term is less than a quarter of the one before, whatever the spectrum up to its peak.
        rest = square * (max(order, highest) ** 2 * 4.0 * spectrum.peak)
        if order > largest + 1.0 and bool((rest <= np.maximum(_TOLERANCE * size, _NOTHING * spectrum.peak)).all()):
            return total
        order += 1


def _check_arms(wave: SpiralWave, spectrum: Spectrum) -> None:
    if isinstance(spectrum, Lorentzian) and spectrum.numbers[2] != 0.0 and spectrum.arms != wave.arms:
        raise InputError(
            f"The wave has {wave.arms} arms, the Lorentzian is centred on {spectrum.arms} times its pattern speed: "
            f"give Lorentzian(…, arms={wave.arms})."
        )


def _modes(at: Epicycle, wave: SpiralWave, vertical_action: Array | None, ndim: int) -> tuple[Array, Array]:
    """The n of the sum and their zeta_n^2, with n along a first axis; zeta is even, so that odd n vanish."""
    if vertical_action is None or wave.profile is None:
        return np.zeros((1,) * (ndim + 1)), np.ones((1,) * (ndim + 1))
    action, nu = np.broadcast_arrays(vertical_action, at.nu)
    n = np.arange(-_VERTICAL, _VERTICAL + 1, 2)
    squares = wave.vertical(action, nu, _VERTICAL)[np.abs(n)] ** 2
    lead = max(ndim, action.ndim)
    squares = squares.reshape(len(n), *(1,) * (lead - action.ndim), *action.shape)
    return n.reshape(len(n), *(1,) * lead).astype(float), squares


def _sum_over_n(
    at: Epicycle, wave: SpiralWave, spectrum: Spectrum, order: int, modes: tuple[Array, Array], element: tuple[int, int]
) -> tuple[Array, Array]:
    """Sum over n of k_i k_j zeta_n^2 C^ at one l, and of the sizes of its terms."""
    n, squares = modes
    k = (order, wave.arms, n)
    product = k[element[0]] * k[element[1]] * np.ones_like(n)
    if not product.any():
        zero = np.zeros(())
        return zero, zero
    base = wave.arms * at.omega + order * at.kappa
    power = spectrum.power(base + n * (at.nu if len(n) > 1 else 0.0)) * squares
    return (product * power).sum(axis=0), (np.abs(product) * power).sum(axis=0)


def resonances(disc: Disc, wave: SpiralWave, pattern_speed: u.Quantity, orders: Any = (-1, 0, 1)) -> dict[int, Any]:
    """Radii where l kappa + m Omega = m Omega_p, by l: -1 the inner Lindblad resonance, 0 corotation, 1 the outer.

    Looked for from 0.5 to 30 kpc; NaN where there is none.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating import Disc, SpiralWave, resonances
    >>> disc = Disc.power_law(220 * u.km / u.s, 8 * u.kpc)
    >>> found = resonances(disc, SpiralWave(2, 1 / u.kpc), 25 * u.km / u.s / u.kpc)
    >>> found[0].round(3), found[-1].round(3)
    (<Quantity 8.8 kpc>, <Quantity 2.577 kpc>)
    """
    from scipy.optimize import brentq

    goal = wave.arms * float(door.plain(pattern_speed, door.FREQUENCY, "pattern_speed"))
    out: dict[int, Any] = {}
    radius = np.geomspace(0.5, 30.0, 200)
    for order in orders:

        def off(r: Any, order: int = order) -> Any:
            at = disc.at(np.asarray(r))
            return order * at.kappa + wave.arms * at.omega - goal

        values = off(radius)
        change = np.flatnonzero(values[1:] * values[:-1] <= 0.0)
        out[order] = (brentq(off, *radius[change[0] : change[0] + 2]) if len(change) else np.nan) << door.LENGTH
    return out
