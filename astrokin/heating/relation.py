"""The age-velocity relation that a history of heating leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.errors import InputError
from astrokin.heating.clouds import Clouds
from astrokin.heating.diffusion import coefficient
from astrokin.heating.door import ACTION, LENGTH, SPEED, TIME, positive
from astrokin.heating.epicycle import Disc, Epicycle
from astrokin.heating.evolution import Operator
from astrokin.heating.grid import FULL, ActionGrid
from astrokin.heating.spectra import Spectrum
from astrokin.heating.spiral import SpiralWave

Array = NDArray[np.float64]

_EXCHANGE = 0.05  # of the time in which clouds share energy out
_COLUMNS = 12  # radial actions at which the vertical diffusion is tabulated


@dataclass(frozen=True)
class AgeVelocity:
    """Velocity dispersions and mean actions at ages: an age-velocity relation."""

    age: Any
    sigma_R: Any
    sigma_phi: Any
    sigma_z: Any
    mean_J_R: Any
    mean_J_z: Any


@dataclass(frozen=True)
class Heating:
    """What heats the stars of one radius, and how they are born.

    Parameters
    ----------
    disc : Disc
    radius : `~astropy.units.Quantity`
        Guiding radius of the stars.
    wave, spectrum : SpiralWave, Spectrum
        The spirals.
    birth_dispersion : `~astropy.units.Quantity`
        sigma_R at birth.
    birth_dispersion_z : `~astropy.units.Quantity`
        sigma_z at birth.
    clouds : Clouds, optional
        They take radial energy to the vertical motion; the disc then needs a vertical profile.
    strength : callable, optional
        Power of the spirals at a lookback time (a Quantity), in units of the given spectrum; none: always the same.
    cells : int
        Of the grids of actions.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating import Clouds, Disc, Heating, Lorentzian, SpiralWave
    >>> rate = u.km / u.s / u.kpc
    >>> disc = Disc.power_law(220 * u.km / u.s, 8 * u.kpc, vertical_frequency=75 * rate)
    >>> spirals = Lorentzian(70 * u.km**2 / u.s**2, 15 * rate, 22 * rate, arms=2)
    >>> heating = Heating(disc, 8 * u.kpc, SpiralWave(2, 1 / u.kpc), spirals, clouds=Clouds(4 * u.Gyr))
    >>> relation = heating.relation([1, 5, 10] * u.Gyr)
    >>> relation.sigma_R.round(1), relation.sigma_z.round(1)
    (<Quantity [14.1, 22.2, 27.7] km / s>, <Quantity [ 6.7, 11.5, 16.4] km / s>)
    """

    disc: Disc
    radius: Any
    wave: SpiralWave
    spectrum: Spectrum
    birth_dispersion: Any = 10.0 * SPEED
    birth_dispersion_z: Any = 6.0 * SPEED
    clouds: Clouds | None = None
    strength: Callable[[Any], Any] | None = None
    cells: int = 400

    def __post_init__(self) -> None:
        at = self.orbit
        if self.clouds is not None and np.isnan(at.nu):
            raise InputError("Clouds need a disc with a vertical profile: Disc(…, vertical_frequency=…).")

    @property
    def orbit(self) -> Epicycle:
        """The circular orbit."""
        return self.disc.at(positive(self.radius, LENGTH, "radius"))

    def relation(self, ages: Any) -> AgeVelocity:
        """Dispersions and mean actions of stars of given ages, today.

        sigma_R^2 = kappa <J_R>, sigma_phi = sigma_R kappa / 2 Omega, sigma_z^2 = nu_z <J_z>.
        """
        age = positive(ages, TIME, "ages", zero=True)
        means = self._means(np.atleast_1d(age)).reshape(2, *age.shape)
        at = self.orbit
        sigma = np.sqrt(float(at.kappa) * means[0])
        return AgeVelocity(
            ages,
            sigma << SPEED,
            sigma / float(at.gamma) << SPEED,
            np.sqrt(float(at.nu) * means[1]) << SPEED,
            means[0] << ACTION,
            means[1] << ACTION,
        )

    def _means(self, ages: Array) -> Array:
        """<J_R> and <J_z> of each age, plain, (2, n)."""
        cohort = _Cohort(self)
        if self.strength is None:
            order = np.argsort(ages)
            found = np.empty((2, len(ages)))
            found[:, order] = cohort.followed(ages[order], lambda t: 1.0)
            return found
        return np.concatenate([cohort.followed(ages[i : i + 1], self._since_birth(a)) for i, a in enumerate(ages)], 1)

    def _since_birth(self, age: float) -> Callable[[float], float]:
        assert self.strength is not None
        history = self.strength

        def at(time: float) -> float:
            s = float(np.asarray(history(max(age - time, 0.0) << TIME)))
            if not (np.isfinite(s) and s >= 0.0):
                raise InputError(f"The strength of the spirals is {s}; zero or more is needed.")
            return s

        return at


class _Cohort:
    """Stars born together: both distributions of actions, side by side."""

    def __init__(self, heating: Heating) -> None:
        self.at, self.clouds = heating.orbit, heating.clouds
        birth = float(positive(heating.birth_dispersion, SPEED, "birth_dispersion"))
        birth_z = float(positive(heating.birth_dispersion_z, SPEED, "birth_dispersion_z"))
        kappa, radius = float(self.at.kappa), float(self.at.radius)
        self.flat = bool(np.isnan(self.at.nu))
        # To epicycles as large as the radius: what is born or heated beyond is not nearly circular.
        self.radial = ActionGrid(0.5 * kappa * radius**2 << ACTION, heating.cells)
        self.vertical = ActionGrid(
            (0.0 if self.flat else 0.5 * float(self.at.nu) * 2.5**2) + 1e-9 << ACTION, heating.cells
        )
        self.start_R = self.radial.exponential(birth**2 / kappa << ACTION)
        self.start_z = None if self.flat else self.vertical.exponential(birth_z**2 / float(self.at.nu) << ACTION)
        self.d_R = coefficient(self.at, heating.wave, heating.spectrum, self.radial.faces[1:-1])
        self._tabulate_vertical(heating)

    def _tabulate_vertical(self, heating: Heating) -> None:
        self.columns = np.geomspace(1e-2, 1.0, _COLUMNS) * self.radial.faces[-1]
        self.d_z: Array | None = None
        if heating.wave.profile is not None and not self.flat:
            faces = self.vertical.faces[1:-1]
            at = Epicycle(
                *(np.broadcast_to(v, (1,)) for v in (self.at.radius, self.at.omega, self.at.kappa, self.at.nu))
            )
            self.d_z = coefficient(at, heating.wave, heating.spectrum, self.columns[:, None], faces, (2, 2))

    def _spiral_z(self, mean: float) -> Array:
        """D_zz of the spirals at the mean radial action, by interpolation in its logarithm."""
        if self.d_z is None:
            return np.zeros(self.vertical.cells - 1)
        place = float(np.interp(np.log(mean), np.log(self.columns), np.arange(_COLUMNS)))
        low = min(int(place), _COLUMNS - 2)
        return (low + 1 - place) * self.d_z[low] + (place - low) * self.d_z[low + 1]

    def followed(self, ages: Array, strength: Callable[[float], float], tolerance: float = 0.02) -> Array:
        """<J_R> and <J_z> at ages (increasing), (2, n)."""
        f, g, t, out = self.start_R, self.start_z, 0.0, []
        for age in ages:
            while t < age * (1.0 - 1e-12):
                means = self._mean(f, g)
                first = self._operators(means, strength(t))
                rates = self._rates(first, f, g)
                dt = min(age - t, tolerance * min(m / max(abs(r), 1e-300) for m, r in zip(means, rates, strict=True)))
                dt = dt if self.clouds is None else min(dt, _EXCHANGE / self.clouds.rate)
                dt = (age - t) / np.ceil((age - t) / max(dt, 1e-6 * age))
                middle = [m + 0.5 * dt * r for m, r in zip(means, rates, strict=True)]
                radial, vertical = self._operators(middle, strength(t + 0.5 * dt))
                f = radial.step(f, dt)
                g = None if g is None or vertical is None else vertical.step(g, dt)
                t += dt
            self._check_end(f, g)
            out.append(self._mean(f, g))
        return np.array([[m[0] for m in out], [m[-1] if len(m) > 1 else np.nan for m in out]])

    def _check_end(self, f: Array, g: Array | None) -> None:
        if self.radial.share_at_end(f) > FULL or (g is not None and self.vertical.share_at_end(g) > FULL):
            raise InputError(
                "So strong a heating takes stars beyond nearly circular orbits (epicycles as large as the radius, or "
                "2.5 kpc high): take weaker spirals, or colder births."
            )

    def _mean(self, f: Array, g: Array | None) -> list[float]:
        pairs = [(self.radial, f)] + ([] if g is None else [(self.vertical, g)])
        return [float((x.widths * x.centres) @ y) for x, y in pairs]

    def _operators(self, means: list[float], strength: float) -> tuple[Operator, Operator | None]:
        d, drag = strength * self.d_R, np.zeros_like(self.d_R)
        if self.flat:
            return Operator.of(self.radial, d, None, 0.0), None
        dz, drag_z = strength * self._spiral_z(means[0]), np.zeros(self.vertical.cells - 1)
        if self.clouds is not None:
            more, drag = self.clouds.radial(self.radial.faces[1:-1], self.at, means[1])
            more_z, drag_z = self.clouds.vertical(self.vertical.faces[1:-1], self.at, means[0])
            d, dz = d + more, dz + more_z
        return Operator.of(self.radial, d, drag, 0.0), Operator.of(self.vertical, dz, drag_z, 0.0)

    def _rates(self, operators: tuple[Operator, Operator | None], f: Array, g: Array | None) -> list[float]:
        first = [float((self.radial.widths * self.radial.centres) @ operators[0].change(f))]
        if operators[1] is not None and g is not None:
            first.append(float((self.vertical.widths * self.vertical.centres) @ operators[1].change(g)))
        return first
