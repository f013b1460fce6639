"""How much air bends light of a wavelength: the refractivity of dry air and of water vapour (Ciddor 1996)."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from astropy.constants import R as _R
from numpy.typing import NDArray

from astrokin.errors import InputError, some_rows
from astrokin.units import plain_values, raw_values

Array = NDArray[np.float64]

#: What the formula was made for: vacuum wavelength (micron), temperature (deg C), pressure (hPa, at most).
WAVELENGTHS, TEMPERATURES, HIGHEST_PRESSURE = (0.3, 1.7), (-40.0, 100.0), 1400.0
#: Molar masses of dry air (450 ppm of carbon dioxide) and of water, kg/mol.
DRY_AIR, WATER = 0.0289641, 0.018015
_GAS = float(_R.to_value(u.J / u.K / u.mol))
_ICE = 273.15


def dry_refractivity(wavelength: Any) -> Any:
    """n - 1 of dry air at 15 deg C, 1013.25 hPa, with 450 ppm of carbon dioxide; wavelength in micron."""
    square = 1.0 / (wavelength * wavelength)
    return 1e-8 * (5792105.0 / (238.0185 - square) + 167917.0 / (57.362 - square))


def vapour_refractivity(wavelength: Any) -> Any:
    """n - 1 of water vapour at 20 deg C and 13.33 hPa; wavelength in micron."""
    square = 1.0 / (wavelength * wavelength)
    return 1.022e-8 * (295.235 + square * (2.6422 + square * (-0.032380 + square * 0.004028)))


def vapour_fraction(pressure: Any, celsius: Any, humidity: Any) -> Any:
    """Molar fraction of water vapour at a pressure in hPa and a humidity (0 to 1) relative to liquid water."""
    kelvin = celsius + _ICE
    saturated = np.exp((1.2378847e-5 * kelvin - 1.9121316e-2) * kelvin + 33.93711047 - 6.3431645e3 / kelvin)
    return humidity * enhancement(pressure, celsius) * saturated / (100.0 * pressure)


def enhancement(pressure: Any, celsius: Any) -> Any:
    """How much more vapour air holds than empty space; pressure in hPa."""
    return 1.00062 + 3.14e-6 * pressure + 5.6e-7 * celsius * celsius


def partial_refractivities(wavelength: Any, pressure: Any, celsius: Any, fraction: Any) -> tuple[Any, Any]:
    """n - 1 that the dry air and the water vapour in moist air contribute (Ciddor 1996, by their densities).

    Parameters
    ----------
    wavelength : float or ndarray
        In vacuum, micron.
    pressure, celsius : float or ndarray
        Total pressure (hPa) and temperature.
    fraction : float or ndarray
        Molar fraction of water vapour, see `vapour_fraction`.

    Returns
    -------
    dry, wet : float or ndarray
        Their sum is n - 1.
    """
    here = pressure / (_compressibility(pressure, celsius, fraction) * (celsius + _ICE))
    dry = here / (1013.25 / (_compressibility(1013.25, 15.0, 0.0) * 288.15)) * (1.0 - fraction)
    wet = here / (13.33 / (_compressibility(13.33, 20.0, 1.0) * 293.15)) * fraction
    return dry * dry_refractivity(wavelength), wet * vapour_refractivity(wavelength)


def _compressibility(pressure: Any, celsius: Any, fraction: Any) -> Any:
    """How far moist air is from an ideal gas (Davis 1992)."""
    ratio = 100.0 * pressure / (celsius + _ICE)
    first = 1.58123e-6 + celsius * (-2.9331e-8 + 1.1043e-10 * celsius)
    second = (5.707e-6 - 2.051e-8 * celsius) + (1.9898e-4 - 2.376e-6 * celsius) * fraction
    square = 1.83e-11 - 0.765e-8 * fraction * fraction
    return 1.0 - ratio * (first + second * fraction) + ratio * ratio * square


def specific_gas_exponent(gravity: Any, lapse_rate: float) -> Any:
    """The power of the temperature with which the pressure of dry air falls in a layer of constant lapse rate."""
    return gravity * DRY_AIR / (_GAS * lapse_rate)


# ---- a band of wavelengths -------------------------------------------------------------------------------

_PHOTONS = u.photon / (u.s * u.cm**2 * u.micron)


def effective_wavelength(wavelength: Any, throughput: Any, spectrum: Any) -> u.Quantity:
    r"""The wavelength at which air displaces a star as much as it does the star's light in a band, on the average.

    The centre of an image is the mean of its photons, and each is displaced in proportion to the refractivity
    :math:`n(\lambda) - 1`. So the effective wavelength for refraction is the one whose refractivity is the mean,

    .. math:: n(\lambda_\mathrm{eff}) = \frac{\int n(\lambda)\,T(\lambda)\,N(\lambda)\,d\lambda}
                                             {\int T(\lambda)\,N(\lambda)\,d\lambda},

    with the throughput T and the photons N of the spectrum; it lies bluer than the mean wavelength. Dry air is
    meant (Ciddor 1996); density scales its refractivity as a whole and takes no part.

    Parameters
    ----------
    wavelength : `~astropy.units.Quantity`, shape (n,)
        In vacuum, ascending or descending, within 0.3 to 1.7 micron wherever the throughput is not zero.
    throughput : array_like or `~astropy.units.Quantity`, shape (n,)
        What share of the photons is counted: atmosphere, telescope, filter and detector; any scale.
    spectrum : `~astropy.units.Quantity`, shape (n,)
        Flux per wavelength or per frequency, as energy or as photons (``erg / (s cm2 AA)``, ``Jy``,
        ``photon / (s cm2 AA)``, each also per sr); any scale.

    Returns
    -------
    `~astropy.units.Quantity`
        In micron; goes into ``Observer(obswl=…)`` or ``AtmosphericRefraction(reference_wavelength=…)``.

    Raises
    ------
    InputError
        Shapes that differ, wavelengths that are not in order or outside 0.3 to 1.7 micron, a spectrum without a
        unit, negative or missing values, or no light at all.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> import astrokin as ak
    >>> from astropy.modeling.models import BlackBody
    >>> wavelength = np.linspace(500, 700, 201) * u.nm
    >>> box = np.ones(201)
    >>> for temperature in (3500, 10000):
    ...     spectrum = BlackBody(temperature * u.K)(wavelength)
    ...     print(ak.effective_wavelength(wavelength, box, spectrum).round(4))
    0.6074 micron
    0.5841 micron
    """
    micron = raw_values(wavelength, u.micron, "effective_wavelength: wavelength")
    rate = raw_values(_dimensionless(throughput), u.one, "effective_wavelength: throughput")
    photons = _photons(spectrum, wavelength)
    _check_band(micron, rate, photons)
    order = np.argsort(micron)
    inside = (rate * photons)[order]
    clipped = np.clip(micron[order], *WAVELENGTHS)  # where there is no light
    total = np.trapezoid(inside, micron[order])
    if not total > 0.0:
        raise InputError("effective_wavelength: no light comes through: throughput times spectrum is zero everywhere.")
    mean = np.trapezoid(inside * dry_refractivity(clipped), micron[order]) / total
    return _wavelength_of(mean) << u.micron


def _dimensionless(value: Any) -> Any:
    if hasattr(value, "unit"):
        return value
    return np.asarray(plain_values(value, "effective_wavelength: throughput")) << u.one


def _photons(spectrum: Any, wavelength: Any) -> Array:
    unit = getattr(spectrum, "unit", None)
    if unit is None:
        raise InputError(
            "effective_wavelength: spectrum has no unit, so that it could be energy or photons, per wavelength or per "
            "frequency: give a Quantity such as flux * u.Unit('erg / (s cm2 AA)'); its scale does not matter."
        )
    if u.sr in getattr(unit, "bases", ()):
        spectrum = spectrum * u.sr
    try:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(spectrum.to_value(_PHOTONS, u.spectral_density(wavelength)), np.float64)
    except (u.UnitConversionError, ValueError) as error:
        raise InputError(f"effective_wavelength: spectrum in {unit} is no flux density ({error}).") from None


def _check_band(micron: Array, rate: Array, photons: Array) -> None:
    named = {"wavelength": micron, "throughput": rate, "spectrum": photons}
    shapes = {name: value.shape for name, value in named.items()}
    if micron.ndim != 1 or len(micron) < 2 or len(set(shapes.values())) > 1:
        raise InputError(f"effective_wavelength: arrays of one shape (n,), n at least 2, are needed, not {shapes}.")
    for name, value in named.items():
        bad = np.flatnonzero(~(value >= 0.0))
        if bad.size:
            raise InputError(f"effective_wavelength: {name} is negative or missing in {some_rows(bad)}.")
    steps = np.diff(micron)
    if not ((steps > 0.0).all() or (steps < 0.0).all()):
        raise InputError("effective_wavelength: wavelength must ascend or descend throughout.")
    outside = np.flatnonzero(((micron < WAVELENGTHS[0]) | (micron > WAVELENGTHS[1])) & (rate * photons > 0.0))
    if outside.size:
        low, high = WAVELENGTHS
        raise InputError(
            f"effective_wavelength: light comes through outside {low} to {high} micron, where the refractivity of air "
            f"is known, in {some_rows(outside)} ({micron[outside[0]]:.4g} micron): cut the band there."
        )


def _wavelength_of(refractivity: float) -> float:
    """The wavelength (micron) at which dry standard air has this refractivity."""
    from scipy.optimize import brentq

    return float(brentq(lambda x: dry_refractivity(x) - refractivity, *WAVELENGTHS, xtol=1e-12, rtol=1e-14))
