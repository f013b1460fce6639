"""Made-up tracers in equilibrium in a known vertical field, as a catalogue like Gaia's would list them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import simulation, vertical

Array = NDArray[np.float64]
Heights = Callable[[int, np.random.Generator], Array]


@dataclass(frozen=True)
class Field:
    """The potential of a self-gravitating sheet and a constant density.

    .. math:: \\Phi(z) = 2\\pi G\\,\\Sigma z_0 \\ln\\cosh(z/z_0) + 2\\pi G\\rho z^2

    Attributes
    ----------
    surface_density : float
        Of the sheet, Msun/pc2.
    scale_height : float
        kpc.
    dark_density : float
        Msun/pc3.
    """

    surface_density: float = 50.0
    scale_height: float = 0.3
    dark_density: float = 0.012

    @property
    def slope(self) -> float:
        """Force of the sheet alone far from it, km2/s2 per kpc."""
        return 1e3 * vertical.TWO_PI_G * self.surface_density

    @property
    def rise(self) -> float:
        """Force of the constant density over the height, km2/s2 per kpc2."""
        return 1e6 * vertical.FOUR_PI_G * self.dark_density

    def potential(self, z: Array) -> Array:
        """Phi at heights in kpc, km2/s2."""
        x = np.abs(z) / self.scale_height
        return self.slope * self.scale_height * (x + np.log1p(np.exp(-2.0 * x)) - np.log(2.0)) + 0.5 * self.rise * z**2

    def force(self, z: Array) -> Array:
        """K_z at heights in kpc, km2/s2 per kpc."""
        return -self.slope * np.tanh(z / self.scale_height) - self.rise * z

    def density(self, z: Array) -> Array:
        """Density that makes the force (a flat rotation curve taken for granted), Msun/pc3."""
        gradient = self.slope / self.scale_height / np.cosh(z / self.scale_height) ** 2 + self.rise
        return 1e-6 * gradient / vertical.FOUR_PI_G

    def heights(self, n: int, rng: np.random.Generator, variance: float) -> Array:
        """Heights of an isothermal tracer, f(E) ~ exp(-E/variance), without any approximation: by rejection."""
        s, found, total = self.slope / variance, [], 0
        while total < n:
            z = rng.exponential(1.0 / s, 2 * n + 100)
            bend = (1.0 + np.exp(-2.0 * z / self.scale_height)) ** (-s * self.scale_height)
            kept = z[rng.uniform(size=len(z)) < bend * np.exp(-0.5 * self.rise / variance * z * z)]
            found.append(kept)
            total += len(kept)
        return np.concatenate(found)[:n] * rng.choice([-1.0, 1.0], n)

    def tracers(
        self, n: int, rng: np.random.Generator, dispersions: tuple[float, ...] = (20.0,), shares: tuple[float, ...] = ()
    ) -> tuple[Array, Array]:
        """Heights (kpc) and vertical velocities (km/s) of isothermal tracers, mixed in the given shares of stars."""
        shares = shares or (1.0,) * len(dispersions)
        kind = rng.choice(len(dispersions), n, p=np.array(shares) / sum(shares))
        z, v = np.empty(n), np.empty(n)
        for k, sigma in enumerate(dispersions):
            own = kind == k
            z[own] = self.heights(int(own.sum()), rng, sigma**2)
            v[own] = sigma * rng.normal(size=int(own.sum()))
        return z, v


@dataclass(frozen=True)
class Sector:
    """A piece of a disc around the Sun's radius, in which tracers thin out with R.

    Attributes
    ----------
    half_width : float
        Of the piece in R and along the circle, kpc.
    k_density, k_tilt : float
        Inverse scale lengths of the density and of sigma_Rz, 1/kpc.
    tilt_slope : float
        sigma_Rz over z at the Sun's radius, km2/s2/kpc.
    sigma_R, sigma_phi, lag : float
        km/s.
    """

    half_width: float = 0.5
    k_density: float = 1.0 / 2.6
    k_tilt: float = 1.0 / 4.4
    tilt_slope: float = 100.0
    sigma_R: float = 35.0
    sigma_phi: float = 25.0
    lag: float = 10.0

    def tilted(
        self, z: Array, vz: Array, variance: Array, rng: np.random.Generator
    ) -> tuple[Array, Array, Array, Array]:
        """R, phi, v_R and v_phi: v_R has the covariance with v_z that the tilt asks for, and else is Gaussian."""
        n, r0 = len(z), float(ak.galaxy.distance_to_centre().value)
        radius = r0 + self._offsets(n, rng, r0)
        phi = rng.uniform(-1.0, 1.0, n) * self.half_width / r0
        moment = self.tilt_slope * z * np.exp(-self.k_tilt * (radius - r0))
        rest = np.sqrt(np.maximum(self.sigma_R**2 - moment**2 / variance, 0.0))
        v_phi = float(ak.galaxy.circular_speed().value) - self.lag + self.sigma_phi * rng.normal(size=n)
        return radius, phi, moment / variance * vz + rest * rng.normal(size=n), v_phi

    def _offsets(self, n: int, rng: np.random.Generator, r0: float) -> Array:
        """R - R0 from the density R exp(-k R), by rejection."""
        found, total, w = [], 0, self.half_width
        while total < n:
            x = rng.uniform(-w, w, 2 * n + 100)
            ends = np.array([-w, w, np.clip(1.0 / max(self.k_density, 1e-9) - r0, -w, w)])
            top = ((r0 + ends) * np.exp(-self.k_density * ends)).max()
            found.append(x[rng.uniform(size=len(x)) * top < (r0 + x) * np.exp(-self.k_density * x)])
            total += len(found[-1])
        return np.concatenate(found)[:n]


def catalogue(
    z: Array,
    vz: Array,
    variance: Any,
    rng: np.random.Generator,
    sector: Sector,
    errors: Any = None,
    columns: Any = None,
) -> Any:
    """Stars of a sector with given heights and vertical velocities, as a catalogue would list them.

    Parameters
    ----------
    z, vz : ndarray, shape (n,)
        kpc, km/s.
    variance : float or ndarray
        sigma_zz of all tracers at these heights, km2/s2.
    rng : `numpy.random.Generator`
    sector : Sector
    errors, columns : dict, optional
        As in `astrokin.simulation.observed`.

    Returns
    -------
    Stars

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.estimators.vertical_sample import Field, Sector, catalogue
    >>> rng = np.random.default_rng(1)
    >>> z, vz = Field().tracers(1000, rng)
    >>> len(catalogue(z, vz, 400.0, rng, Sector()))
    1000
    """
    radius, phi, v_R, v_phi = sector.tilted(z, vz, np.broadcast_to(variance, z.shape), rng)
    return listed((radius, phi, z), (v_R, v_phi, vz), rng, errors, columns)


def listed(place: Any, velocity: Any, rng: np.random.Generator, errors: Any = None, columns: Any = None) -> Any:
    """Stars at R, phi (from the Sun, along rotation) and z (kpc, rad) with v_R, v_phi, v_z (km/s), as a catalogue's."""
    (radius, phi, z), (v_R, v_phi, vz) = place, velocity
    # Galactocentric axes: the Sun at negative x, rotation toward positive y.
    cos, sin = -np.cos(phi), np.sin(phi)
    x = np.stack([radius * cos, radius * sin, z])
    v = np.stack([v_R * cos + v_phi * sin, v_R * sin - v_phi * cos, vz])
    matrix, start, motion = ak.galaxy.galactocentric()
    at, moving = (ak.galaxy.to_galactic(matrix.T @ (a - b[:, None])) for a, b in ((x, start), (v, motion)))
    return simulation.observed(at, moving, rng, errors=errors, columns=columns)
