r"""From an age-velocity relation back to the spirals: their strength and the width of their spectrum.

With D = epsilon^2 d(J_R; Gamma) the strength only sets the pace: <J_R> is a function of Gamma and of epsilon^2 times
the age (or of the integral of the power over the star's life). That function is tabulated once, and the fit is quick.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RectBivariateSpline

from astrokin.errors import InputError
from astrokin.heating.diffusion import coefficient
from astrokin.heating.door import FREQUENCY, LENGTH, SPEED, TIME, plain, positive
from astrokin.heating.epicycle import Disc
from astrokin.heating.evolution import march
from astrokin.heating.grid import FULL, ActionGrid
from astrokin.heating.spectra import Lorentzian
from astrokin.heating.spiral import SpiralWave

Array = NDArray[np.float64]

_WIDTHS = 25
_RANGE = (0.02, 20.0)  # of the width, in units of kappa
_PACES = np.geomspace(1e-3, 1e5, 81)  # D'(0) epsilon^2 t / J_0
_DRAWN = 60  # ages between which actions are interpolated


@dataclass(frozen=True)
class SpiralRelation:
    r"""sigma_R(age) as transient spirals of one pattern speed make it, by their strength and the width of the spectrum.

    Parameters
    ----------
    disc : Disc
    radius : `~astropy.units.Quantity`
        Guiding radius of the stars.
    wave : SpiralWave
    pattern_speed : `~astropy.units.Quantity`
        Omega_p.
    birth_dispersion : `~astropy.units.Quantity`
        sigma_R at birth.
    growth : `~astropy.units.Quantity`
        Rate at which the power of the spirals grows with lookback time, exp(growth x lookback); zero: constant
        power; negative: spirals that have become stronger.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating import Disc, SpiralRelation, SpiralWave
    >>> rate = u.km / u.s / u.kpc
    >>> disc = Disc.power_law(220 * u.km / u.s, 8 * u.kpc)
    >>> relation = SpiralRelation(disc, 8 * u.kpc, SpiralWave(2, 1.5 / u.kpc), 20 * rate)
    >>> relation.sigma_R([0, 5, 10] * u.Gyr, 50 * u.km**2 / u.s**2, 15 * rate).round(1)
    <Quantity [10. , 24.1, 30. ] km / s>
    """

    disc: Disc
    radius: Any
    wave: SpiralWave
    pattern_speed: Any
    birth_dispersion: Any = 10.0 * SPEED
    growth: Any = 0.0 / TIME
    cells: int = field(default=300, repr=False)

    def __post_init__(self) -> None:
        positive(self.radius, LENGTH, "SpiralRelation.radius")
        positive(self.birth_dispersion, SPEED, "SpiralRelation.birth_dispersion")
        plain(self.pattern_speed, FREQUENCY, "SpiralRelation.pattern_speed")
        plain(self.growth, 1.0 / TIME, "SpiralRelation.growth")

    def sigma_R(self, age: Any, strength: Any, width: Any) -> Any:
        """Radial dispersion of stars of an age.

        Parameters
        ----------
        age : `~astropy.units.Quantity`
        strength : `~astropy.units.Quantity`
            Root mean square of the size of epsilon, today.
        width : `~astropy.units.Quantity`
            Gamma, from 0.02 to 20 kappa.

        Raises
        ------
        InputError
            Γ ≤ 0 or out of that range; heating beyond nearly circular orbits.
        """
        t = positive(age, TIME, "age", zero=True)
        power = float(positive(strength, SPEED**2, "strength")) ** 2
        gamma = float(positive(width, FREQUENCY, "width (Gamma)"))
        low, high = self.widths[[0, -1]]
        if not low <= gamma <= high:
            raise InputError(f"width (Gamma) is {gamma:.4g} km/s/kpc; {low:.4g} to {high:.4g} is tabulated.")
        with_end = self.variance(t, np.log([power, gamma]))
        if not self.reaches(t, np.log([power, gamma])):
            raise InputError(
                "So strong spirals heat the stars beyond nearly circular orbits (epicycles as large as the radius)."
            )
        return np.sqrt(with_end) << SPEED

    def drawn_actions(self, age: Any, strength: Any, width: Any, rng: np.random.Generator) -> Any:
        """Radial actions of stars of given ages, drawn from the evolved distribution.

        Examples
        --------
        >>> import astropy.units as u
        >>> import numpy as np
        >>> from astrokin.heating import Disc, SpiralRelation, SpiralWave
        >>> rate, square = u.km / u.s / u.kpc, u.km**2 / u.s**2
        >>> disc = Disc.power_law(220 * u.km / u.s, 8 * u.kpc)
        >>> relation = SpiralRelation(disc, 8 * u.kpc, SpiralWave(2, 1.5 / u.kpc), 20 * rate)
        >>> drawn = relation.drawn_actions(np.full(20_000, 5) * u.Gyr, 50 * square, 15 * rate, np.random.default_rng(1))
        >>> np.sqrt(disc.kappa(8 * u.kpc) * drawn.mean()).to(u.km / u.s).round(0)  # sigma_R is 24.1 km/s there
        <Quantity 24. km / s>
        """
        t = positive(age, TIME, "age", zero=True)
        power = float(positive(strength, SPEED**2, "strength")) ** 2
        gamma = float(positive(width, FREQUENCY, "width (Gamma)"))
        grid = self._grid
        table = np.linspace(0.0, np.sqrt(max(float(t.max()), 1e-3)), _DRAWN) ** 2
        d = power * self._unit(gamma, grid.faces[1:-1])
        found, _ = march(grid, self._start, d, self.lived(table), tolerance=0.02)
        share = np.concatenate([np.zeros((_DRAWN, 1)), np.cumsum(found * grid.widths, axis=1)], axis=1)
        u, place = rng.uniform(size=t.shape), np.minimum(np.searchsorted(table, t, side="right"), _DRAWN - 1) - 1
        out = np.empty(t.shape)
        for k in range(_DRAWN - 1):
            mine = place == k
            ends = [np.interp(u[mine], share[i] / share[i, -1], grid.faces) for i in (k, k + 1)]
            late = (t[mine] - table[k]) / (table[k + 1] - table[k])
            out[mine] = (1.0 - late) * ends[0] + late * ends[1]
        return out << SPEED * LENGTH

    # ---- plain numbers -----------------------------------------------------------------------------------

    @cached_property
    def _grid(self) -> ActionGrid:
        """To epicycles as large as the radius."""
        return ActionGrid(0.5 * float(self.orbit.kappa) * float(self.orbit.radius) ** 2 * SPEED * LENGTH, self.cells)

    @cached_property
    def _start(self) -> Array:
        return self._grid.exponential(self.birth_action * SPEED * LENGTH)

    @cached_property
    def orbit(self) -> Any:
        """The circular orbit."""
        return self.disc.at(positive(self.radius, LENGTH, "radius"))

    @cached_property
    def widths(self) -> Array:
        """The widths of the table."""
        return np.geomspace(*_RANGE, _WIDTHS) * float(self.orbit.kappa)

    @cached_property
    def birth_action(self) -> float:
        """Mean radial action at birth, plain."""
        return float(positive(self.birth_dispersion, SPEED, "birth_dispersion")) ** 2 / float(self.orbit.kappa)

    def _unit(self, width: float, action: Array) -> Array:
        spectrum = Lorentzian(1.0 * SPEED**2, width * FREQUENCY, self.pattern_speed, self.wave.arms)
        return coefficient(self.orbit, self.wave, spectrum, action)

    @cached_property
    def _table(self) -> tuple[Any, Any, Array]:
        """ln D'(0) by width, a spline of ln <J>/J0 over ln width and ln pace, and the last pace of each width."""
        grid, start, small = self._grid, self._start, np.asarray(1e-6 * self.birth_action)
        slopes, rows, ends = [], [], []
        weight = grid.widths * grid.centres
        for width in self.widths:
            slope = float(self._unit(width, small) / small)
            d = self._unit(width, grid.faces[1:-1]) / slope
            found, _ = march(grid, start, d, np.concatenate([[0.0], _PACES * self.birth_action]), tolerance=0.03)
            full = grid.share_at_end(found[1:]) > FULL
            end = int(np.argmax(full)) if full.any() else len(_PACES)
            slopes.append(np.log(slope))
            rows.append(np.log((found[1:] @ weight) / (found[0] @ weight)))
            ends.append(_PACES[max(end - 1, 0)])
        x = np.log(self.widths)
        return np.array(slopes), RectBivariateSpline(x, np.log(_PACES), np.array(rows)), np.array(ends)

    def pace(self, age: Array, logs: Array) -> Array:
        """D'(0) times the integral of the power over the life of the stars, in units of the action at birth."""
        slope = np.exp(np.interp(logs[1], np.log(self.widths), self._table[0]))
        return slope * np.exp(logs[0]) * self.lived(age) / self.birth_action

    def longest(self, width: float) -> float:
        """The pace at which the grid of the table is full."""
        return float(np.exp(np.interp(np.log(width), np.log(self.widths), np.log(self._table[2]))))

    def reaches(self, age: Array, logs: Array) -> bool:
        """Whether the table holds all these ages: heating within nearly circular orbits."""
        return bool((np.asarray(self.pace(age, logs)) <= self.longest(float(np.exp(logs[1])))).all())

    def lived(self, age: Array) -> Array:
        """Integral of the relative power over the life of stars of an age."""
        growth = float(plain(self.growth, 1.0 / TIME, "growth"))
        return age if growth == 0.0 else np.expm1(growth * age) / growth

    def variance(self, age: Array, logs: Array) -> Array:
        """sigma_R^2 (km/s)^2 at ages, for ln(strength^2) and ln(width)."""
        pace = np.asarray(self.pace(age, logs))
        inside = np.clip(pace, _PACES[0], _PACES[-1])
        log = self._table[1].ev(np.full(pace.shape, logs[1]), np.log(inside))
        early = np.where(pace < _PACES[0], np.expm1(log) * pace / _PACES[0], np.expm1(log))
        return float(self.orbit.kappa) * self.birth_action * (1.0 + early)
