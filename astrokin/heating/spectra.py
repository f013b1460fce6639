"""Power spectra of a spiral's amplitude.

The spectrum of epsilon(t) is that of C(s) = <epsilon(t) epsilon*(t - s)>,

    C^(nu) = integral ds C(s) exp(i nu s),

zero or positive, and even in nu only where epsilon does not rotate: epsilon ~ exp(-i m Omega_p t) has its power at
nu = m Omega_p (003, eq. 5.7, with the errata on eqs. 5.5 and 5.9). Amplitudes are in (km/s)^2.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.errors import InputError
from astrokin.heating.door import FREQUENCY, POWER, SPEED, TIME, plain, positive

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]


class Spectrum(ABC):
    """A power spectrum: of a Quantity at the door, of plain numbers in `power`."""

    @abstractmethod
    def power(self, frequency: Array) -> Array:
        """C^ at frequencies (km/s/kpc), in kpc (km/s)^3."""

    @property
    @abstractmethod
    def peak(self) -> float:
        """The largest value of `power`: it bounds what a truncated sum leaves out."""

    def __call__(self, frequency: u.Quantity) -> u.Quantity:
        """C^ at frequencies."""
        return self.power(plain(frequency, FREQUENCY, "frequency")) << POWER


@dataclass(frozen=True)
class White(Spectrum):
    """The same power at all frequencies: kicks without memory.

    Parameters
    ----------
    level : `~astropy.units.Quantity`
        C^, amplitude squared times time.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating import White
    >>> White(500 * u.km**4 / u.s**4 * u.Gyr)(30 * u.km / u.s / u.kpc).to(u.km**4 / u.s**4 * u.Gyr)
    <Quantity 500. km4 Gyr / s4>
    """

    level: Any

    def __post_init__(self) -> None:
        positive(self.level, POWER, "White.level", zero=True)

    @property
    def peak(self) -> float:
        """The level."""
        return float(self.level.to_value(POWER))

    def power(self, frequency: Array) -> Array:
        """The level everywhere."""
        return np.full(np.shape(frequency), self.peak)


@dataclass(frozen=True)
class Lorentzian(Spectrum):
    r"""Transient spirals of one pattern speed: :math:`2\Gamma\varepsilon^2 / ((\nu - m\Omega_p)^2 + \Gamma^2)`.

    The amplitude is an Ornstein-Uhlenbeck process in the frame of the pattern; its correlation is amplitude^2
    exp(-Gamma abs(s)) exp(-i m Omega_p s).

    Parameters
    ----------
    amplitude : `~astropy.units.Quantity`
        Root mean square of the size of epsilon; that of the real potential in the plane is sqrt(2) times as much.
    width : `~astropy.units.Quantity`
        Gamma, the inverse of the lifetime.
    pattern_speed : `~astropy.units.Quantity`
        Omega_p.
    arms : int
        m.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating import Lorentzian
    >>> rate = u.km / u.s / u.kpc
    >>> spectrum = Lorentzian(100 * u.km**2 / u.s**2, 10 * rate, 20 * rate, arms=2)
    >>> (spectrum(50 * rate) / spectrum(40 * rate)).round(3)
    <Quantity 0.5>
    """

    amplitude: Any
    width: Any
    pattern_speed: Any = 0.0 * FREQUENCY
    arms: int = 1

    def __post_init__(self) -> None:
        positive(self.amplitude, SPEED**2, "Lorentzian.amplitude", zero=True)
        positive(self.width, FREQUENCY, "Lorentzian.width (Gamma)")
        plain(self.pattern_speed, FREQUENCY, "Lorentzian.pattern_speed")

    @property
    def numbers(self) -> tuple[float, float, float]:
        """Amplitude squared, Gamma and centre m Omega_p, plain."""
        centre = self.arms * float(plain(self.pattern_speed, FREQUENCY, "pattern_speed"))
        width = float(plain(self.width, FREQUENCY, "width"))
        return float(self.amplitude.to_value(SPEED**2)) ** 2, width, centre

    @property
    def peak(self) -> float:
        """Power at the centre."""
        square, width, _ = self.numbers
        return 2.0 * square / width

    def power(self, frequency: Array) -> Array:
        """The Lorentzian."""
        square, width, centre = self.numbers
        return 2.0 * width * square / ((np.asarray(frequency) - centre) ** 2 + width * width)


@dataclass(frozen=True)
class Tabulated(Spectrum):
    """Linear between given frequencies, zero beyond them.

    Parameters
    ----------
    frequency : `~astropy.units.Quantity`
        Increasing.
    values : `~astropy.units.Quantity`
        C^ there, zero or positive.
    """

    frequency: Any
    values: Any

    def __post_init__(self) -> None:
        nu, c = plain(self.frequency, FREQUENCY, "Tabulated.frequency"), plain(self.values, POWER, "Tabulated.values")
        if nu.ndim != 1 or nu.shape != c.shape or len(nu) < 2 or not (np.diff(nu) > 0.0).all():
            raise InputError(
                f"Tabulated: at least two increasing frequencies and a value at each are needed; the shapes are "
                f"{nu.shape} and {c.shape}."
            )
        if (c < 0.0).any():
            raise InputError(
                f"Tabulated.values is negative at {nu[c < 0][0]:.4g} km/s/kpc ({c.min():.4g}): no process has "
                "a negative power spectrum."
            )
        object.__setattr__(self, "frequency", nu << FREQUENCY)
        object.__setattr__(self, "values", c << POWER)

    @property
    def peak(self) -> float:
        """The largest value."""
        return float(self.values.value.max())

    def power(self, frequency: Array) -> Array:
        """By linear interpolation."""
        return np.interp(frequency, self.frequency.value, self.values.value, left=0.0, right=0.0)


def estimated(series: u.Quantity, step: u.Quantity, segments: int = 8) -> Tabulated:
    """The spectrum of a simulated amplitude, by Welch's method (Hann windows, half overlapping).

    Parameters
    ----------
    series : `~astropy.units.Quantity`, shape (n,) or (realisations, n)
        epsilon at equal steps of time, real or complex.
    step : `~astropy.units.Quantity`
        Time between two values.
    segments : int
        Into how many segments a series is cut; more of them: less noise, coarser frequencies.

    Returns
    -------
    Tabulated
        The relative noise of each value is about 1/sqrt(realisations x segments).

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astrokin.heating import Lorentzian, amplitudes, estimated
    >>> rate = u.km / u.s / u.kpc
    >>> truth = Lorentzian(100 * u.km**2 / u.s**2, 10 * rate, 20 * rate, arms=2)
    >>> series = amplitudes(truth, 0.004 * u.Gyr, 4096, 200, np.random.default_rng(1))
    >>> (estimated(series, 0.004 * u.Gyr)(30 * rate) / truth(30 * rate)).round(1)
    <Quantity 1.>
    """
    from scipy.signal import welch

    dt = float(positive(step, TIME, "step"))
    unit = getattr(series, "unit", None)
    if unit is None or not unit.is_equivalent(SPEED**2):
        raise InputError(f"series is in {unit}; amplitudes of a potential, in km2/s2, are needed.")
    values = np.atleast_2d(np.asarray(series.to_value(SPEED**2)))
    n = values.shape[1]
    if segments < 1 or n < 8 * segments or not np.isfinite(values).all():
        raise InputError(f"series has {n} finite values for {segments} segments; at least 8 for each are needed.")
    length = 2 * n // (segments + 1)
    # The transform here has exp(+i nu s), that of scipy exp(-i omega t): nu = -omega.
    frequency, power = welch(values, 1.0 / dt, nperseg=length, return_onesided=False, detrend=False, axis=1)
    nu = -2.0 * np.pi * frequency
    order = np.argsort(nu)
    return Tabulated(nu[order] << FREQUENCY, power.mean(axis=0)[order] << POWER)


def amplitudes(spectrum: Lorentzian, step: u.Quantity, n: int, realisations: int, rng: np.random.Generator) -> Any:
    """Amplitudes epsilon(t) of transient spirals, complex, (realisations, n): an exact Ornstein-Uhlenbeck process."""
    dt = float(positive(step, TIME, "step"))
    process = OrnsteinUhlenbeck(spectrum, dt)
    out = np.empty((n, realisations), complex)
    out[0] = process.start(realisations, rng)
    for i in range(1, n):
        out[i] = process.next(out[i - 1], rng)
    return out.T << SPEED**2


@dataclass(frozen=True)
class OrnsteinUhlenbeck:
    """The process that has a Lorentzian spectrum, at equal steps (plain numbers), exactly.

    `real`: epsilon is real (the pattern must then stand still), with the same spectrum.
    """

    spectrum: Lorentzian
    step: float
    real: bool = False

    def __post_init__(self) -> None:
        if self.real and self.spectrum.numbers[2] != 0.0:
            raise InputError("A real amplitude does not rotate: give pattern_speed=0.")

    def _noise(self, n: int, rng: np.random.Generator) -> Any:
        square = self.spectrum.numbers[0]
        if self.real:
            return np.sqrt(square) * rng.standard_normal(n)
        return np.sqrt(0.5 * square) * (rng.standard_normal(n) + 1j * rng.standard_normal(n))

    def start(self, n: int, rng: np.random.Generator) -> Any:
        """Stationary values."""
        return self._noise(n, rng)

    def next(self, value: Any, rng: np.random.Generator) -> Any:
        """The values one step later."""
        _, width, centre = self.spectrum.numbers
        decay = np.exp(-width * self.step)
        turn = decay if self.real else decay * np.exp(-1j * centre * self.step)
        return turn * value + np.sqrt(-np.expm1(-2.0 * width * self.step)) * self._noise(len(value), rng)
