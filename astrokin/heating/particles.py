"""Test particles in a stochastic spiral potential, with exact forces: what the diffusion coefficients are held against.

Orbits in the plane of the disc, in the Hamiltonian p_R^2/2 + L^2/2R^2 + Phi(R) + 2 Re[epsilon(t) exp(i(k R + m phi))],
by a symplectic rule of second order. Nothing here uses the epicycle approximation; actions are integrals along the
unperturbed orbit. The spirals are taken to be weak: each particle sees an amplitude of its own making, and the change
of its action is linear in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from astrokin.errors import InputError
from astrokin.heating import door
from astrokin.heating.diffusion import coefficient
from astrokin.heating.door import ACTION, LENGTH, TIME, positive
from astrokin.heating.epicycle import Disc
from astrokin.heating.spectra import Lorentzian, OrnsteinUhlenbeck, Spectrum, White
from astrokin.heating.spiral import SpiralWave

Array = NDArray[np.float64]

_CHANGE = 0.02
_NODES = 24  # of the action integral: good to 1e-12 for orbits that are not far from circular


@dataclass(frozen=True)
class Measured:
    """Mean squares of the changes of the actions.

    Attributes
    ----------
    radial_action : `~astropy.units.Quantity`, shape (j,)
    coefficient : `~astropy.units.Quantity`, shape (j,)
        <(Delta J_R)^2> / 2t.
    error : `~astropy.units.Quantity`, shape (j,)
        Its standard error, from the scatter among the particles.
    cross, momentum : `~astropy.units.Quantity`, shape (j,)
        <Delta J_R Delta J_phi> / 2t and <(Delta J_phi)^2> / 2t.
    """

    radial_action: Any
    coefficient: Any
    error: Any
    cross: Any
    momentum: Any


def measured_diffusion(
    disc: Disc,
    wave: SpiralWave,
    spectrum: Spectrum,
    radial_action: Any,
    radius: Any,
    rng: np.random.Generator,
    particles: int = 20_000,
    periods: float = 20.0,
    steps: int = 60,
    real: bool = False,
) -> Measured:
    """Diffusion coefficients measured with test particles.

    Parameters
    ----------
    disc : Disc
        With a rotation curve that is a power law.
    wave : SpiralWave
    spectrum : White or Lorentzian
        A process with either is made exactly, for each particle its own.
    radial_action : `~astropy.units.Quantity`, shape (j,)
    radius : `~astropy.units.Quantity`
        Guiding radius.
    rng : `numpy.random.Generator`
    particles : int
        For each action.
    periods : float
        Radial periods over which the changes gather; they are taken from the last three quarters, so that what the
        memory of the amplitude does at the start is left out.
    steps : int
        Steps in a radial period.
    real : bool
        Whether the amplitude is real (of a pattern at rest).

    Returns
    -------
    Measured

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> from astrokin.heating import Disc, SpiralWave, White, diffusion_coefficient, measured_diffusion
    >>> disc = Disc.power_law(220 * u.km / u.s, 8 * u.kpc)
    >>> wave, noise = SpiralWave(2, 1 / u.kpc), White(100 * u.km**4 / u.s**4 * u.Gyr)
    >>> action = [10] * u.kpc * u.km / u.s
    >>> found = measured_diffusion(disc, wave, noise, action, 8 * u.kpc, np.random.default_rng(1), particles=500)
    >>> true = diffusion_coefficient(disc, wave, noise, action, 1760 * u.kpc * u.km / u.s)
    >>> bool(abs(found.coefficient - true)[0] < 4 * found.error[0])
    True
    """
    actions = np.atleast_1d(positive(radial_action, ACTION, "radial action"))
    force = _Force(disc, float(positive(radius, LENGTH, "radius")))
    dt = 2.0 * np.pi / (float(force.at.kappa) * steps)
    total = round(periods * steps)
    rows = [_one_action(force, wave, spectrum, j, dt, total, particles, rng, real) for j in actions]
    square, error, cross, momentum = (door.diffusion(np.array(column)) for column in zip(*rows, strict=True))
    return Measured(actions << ACTION, square, error, cross, momentum)


class _Force:
    """A power-law rotation curve in closed form, and the orbits of one angular momentum in it."""

    def __init__(self, disc: Disc, radius: float) -> None:
        curve = disc.rotation_curve
        if not hasattr(curve, "slope"):
            raise InputError("Test particles need a rotation curve that is a power law: Disc.power_law(…).")
        self.speed, self.scale, self.slope = curve.value, curve.radius, curve.slope  # type: ignore[attr-defined]
        self.at = disc.at(np.asarray(radius))
        self.momentum = float(radius**2 * self.at.omega)

    def potential(self, r: Array) -> Array:
        x = r / self.scale
        return self.speed**2 * (np.log(x) if self.slope == 0.0 else x ** (2.0 * self.slope) / (2.0 * self.slope))

    def force(self, r: Array) -> Array:
        square = self.speed**2 if self.slope == 0.0 else self.speed**2 * (r / self.scale) ** (2.0 * self.slope)
        return -square / r

    def action(self, r: Array, p: Array, momentum: Array) -> Array:
        """(1/pi) integral of p_R over R, by the midpoint rule in the angle between the turning points."""
        energy = 0.5 * (p * p + (momentum / r) ** 2) + self.potential(r)
        inner, outer = self._turning(r, p, momentum, energy)
        theta = np.pi * (np.arange(_NODES) + 0.5) / _NODES
        total = np.zeros_like(r)
        for c, s in zip(np.cos(theta), np.sin(theta), strict=True):
            x = 0.5 * (outer + inner) + 0.5 * (outer - inner) * c
            square = 2.0 * (energy - self.potential(x)) - (momentum / x) ** 2
            total += np.sqrt(np.maximum(square, 0.0)) * s
        return total * 0.5 * (outer - inner) / _NODES

    def _turning(self, r: Array, p: Array, momentum: Array, energy: Array) -> tuple[Array, Array]:
        """Where p_R vanishes, by Newton's method from the epicycle."""
        guide = float(self.at.radius) * (momentum / self.momentum) ** (1.0 / (1.0 + self.slope))
        kappa = float(self.at.kappa) * (guide / float(self.at.radius)) ** (self.slope - 1.0)
        size = np.hypot(r - guide, p / kappa)
        ends = []
        for sign in (-1.0, 1.0):
            x = guide + sign * 1.1 * size
            for _ in range(12):
                rest = 2.0 * (energy - self.potential(x)) - (momentum / x) ** 2
                x = x - rest / (2.0 * self.force(x) + 2.0 * momentum**2 / x**3)
            ends.append(x)
        return ends[0], ends[1]

    def apocentre(self, action: float) -> float:
        """Where the orbit of an action turns back."""
        radius, one = float(self.at.radius), np.ones(1)
        guess = np.sqrt(2.0 * action / float(self.at.kappa))

        def off(a: float) -> float:
            return float(self.action((radius + a) * one, 0.0 * one, self.momentum * one)[0]) - action

        return radius + float(brentq(off, 0.5 * guess, 2.0 * guess, rtol=1e-12))


def _one_action(
    force: _Force, wave: SpiralWave, spectrum: Any, action: float, dt: float, total: int, n: int, rng: Any, real: bool
) -> tuple[float, float, float, float]:
    """<dJ_R^2>/2t with its error, <dJ_R dL>/2t, <dL^2>/2t, plain."""
    expected = 2.0 * dt * total * float(coefficient(force.at, wave, spectrum, np.asarray(action)))
    amplitude = _Amplitude(spectrum, dt, real, n, rng, action, expected)
    start = _random_phases(force, action, dt, n, rng)
    first = total // 4
    marks = {}
    state = start
    for i in range(total):
        if i == first:
            marks[0] = _actions(force, state)
        state = _stepped(force, wave, state, amplitude.now, dt)
        amplitude.advance()
    marks[1], origin = _actions(force, state), (action, force.momentum)
    time = 2.0 * dt * (total - first) * amplitude.scale**2
    # Changes from the very start: what gathers linearly in time is the difference of their squares.
    (a, b), (c, d) = (tuple(x - o for x, o in zip(marks[k], origin, strict=True)) for k in (0, 1))
    squares = c * c - a * a
    return (
        float(squares.mean() / time),
        float(squares.std() / np.sqrt(n) / time),
        float((c * d - a * b).mean() / time),
        float((d * d - b * b).mean() / time),
    )


def _actions(force: _Force, state: tuple[Array, Array, Array, Array]) -> tuple[Array, Array]:
    r, _, p, momentum = state
    return force.action(r, p, momentum), momentum


def _stepped(force: _Force, wave: SpiralWave, state: Any, epsilon: Any, dt: float) -> Any:
    """Half a step of p_R, phi and L; a step of R; half a step again, with the spiral's kick in the middle."""
    r, phi, p, momentum = state
    r = r + 0.5 * dt * p
    p = p + 0.5 * dt * (momentum**2 / r**3 + force.force(r))
    phi = phi + 0.5 * dt * momentum / r**2
    phase = wave.k * r + wave.arms * phi
    # -d/d(phase) of 2 Re[epsilon exp(i phase)]
    pull = 2.0 * dt * (np.real(epsilon) * np.sin(phase) + np.imag(epsilon) * np.cos(phase))
    p, momentum = p + wave.k * pull, momentum + wave.arms * pull
    p = p + 0.5 * dt * (momentum**2 / r**3 + force.force(r))
    phi = phi + 0.5 * dt * momentum / r**2
    return r + 0.5 * dt * p, phi, p, momentum


def _random_phases(force: _Force, action: float, dt: float, n: int, rng: Any) -> Any:
    """Particles of one action and angular momentum at random places on their orbit."""
    one = np.ones(1)
    state = (force.apocentre(action) * one, 0.0 * one, 0.0 * one, force.momentum * one)
    still = SpiralWave(1, 0.0 / LENGTH)
    fine, orbit = 0.05 * dt, []
    for _ in range(int(np.ceil(2.0 * np.pi / float(force.at.kappa) / fine))):
        orbit.append((state[0][0], state[2][0]))
        state = _stepped(force, still, state, 0.0, fine)
    r, p = np.array(orbit)[rng.integers(0, len(orbit), n)].T
    return r, rng.uniform(0.0, 2.0 * np.pi, n), p, np.full(n, force.momentum)


class _Amplitude:
    """An amplitude for each particle, made so weak that its action changes by some 2 per cent.

    That is far more than the integrator's own wobble, and little enough for the change to be linear; `scale` is by
    how much the amplitude is weaker (or stronger) than that of the spectrum.
    """

    def __init__(self, spectrum: Any, dt: float, real: bool, n: int, rng: Any, action: float, expected: float) -> None:
        self.n, self.rng = n, rng
        self.scale = _CHANGE * action / np.sqrt(max(expected, 1e-300))
        if isinstance(spectrum, White):
            self.process, self.size, self.real = None, float(np.sqrt(spectrum.peak / dt)), real
            self.now = self._kick()
        elif isinstance(spectrum, Lorentzian):
            self.process = OrnsteinUhlenbeck(spectrum, dt, real)
            self.now = self.scale * self.process.start(n, rng)
        else:
            raise InputError("Test particles take White or Lorentzian spectra, whose processes can be made exactly.")

    def _kick(self) -> Any:
        if self.real:
            return self.scale * self.size * self.rng.standard_normal(self.n)
        both = self.rng.standard_normal(self.n) + 1j * self.rng.standard_normal(self.n)
        return self.scale * self.size * np.sqrt(0.5) * both

    def advance(self) -> None:
        """To the next step."""
        if self.process is None:
            self.now = self._kick()
        else:
            self.now = self.scale * self.process.next(self.now / self.scale, self.rng)


def duration(disc: Disc, radius: Any, periods: float) -> Any:
    """How long so many radial periods are."""
    at = disc.at(positive(radius, LENGTH, "radius"))
    return (2.0 * np.pi * periods / at.kappa << TIME).to("Gyr")
