"""The diffusion coefficients against test particles with exact forces: the prefactor, the spectra, all elements."""

import astropy.units as u
import numpy as np
import pytest

from astrokin.errors import InputError
from astrokin.heating import Disc, Lorentzian, SpiralWave, Tabulated, White, diffusion_coefficient, measured_diffusion

RATE = u.km / u.s / u.kpc
ACTION = u.kpc * u.km / u.s
NOISE = u.km**4 / u.s**4 * u.Gyr
FLAT = Disc.power_law(220 * u.km / u.s, 8 * u.kpc)
RADIUS = 8 * u.kpc
L0 = 1760 * ACTION
WAVE = SpiralWave(2, 1.0 / u.kpc)
#: Pattern speed at which the stars are 0.6 kappa/m from corotation.
PATTERN = FLAT.omega(RADIUS) - 0.3 * FLAT.kappa(RADIUS)
#: White noise; a real amplitude at rest; one that rotates. Each with whether it is real.
CASES = {
    "white": (White(100 * NOISE), False),
    "real": (Lorentzian(100 * u.km**2 / u.s**2, 40 * RATE), True),
    "rotating": (Lorentzian(100 * u.km**2 / u.s**2, 15 * RATE, PATTERN, arms=2), False),
}
#: Radial actions up to a_R / R_g = 0.15.
ACTIONS = [0.5, 2.0, 6.0, 12.0, 20.0, 28.0] * ACTION


def compared(case, particles, seed, actions=ACTIONS):
    """Ratio of what is measured to D_RR, and its standard error."""
    spectrum, real = CASES[case]
    found = measured_diffusion(
        FLAT, WAVE, spectrum, actions, RADIUS, np.random.default_rng(seed), particles, periods=20, real=real
    )
    expected = diffusion_coefficient(FLAT, WAVE, spectrum, actions, L0)
    return (found.coefficient / expected).to_value(u.one), (found.error / expected).to_value(u.one), found


def test_the_actions_are_small_epicycles():
    assert (FLAT.amplitude(ACTIONS, RADIUS) / RADIUS).max() <= 0.15


@pytest.mark.parametrize("case", CASES)
def test_diffusion_of_a_few_test_particles(case):
    """A prefactor of 2 would be fifteen standard errors off, the wrong sign of the rotation far more."""
    ratio, error, _ = compared(case, 1000, 11, [2.0, 12.0] * ACTION)
    assert (np.abs(ratio - 1.0) < 4.0 * error + 0.02).all(), ratio
    assert (error < 0.07).all()


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_diffusion_of_test_particles_within_three_per_cent(case):
    """100,000 particles for each action; their own noise is 0.6 per cent."""
    ratio, error, _ = compared(case, 100_000, 2)
    assert (error < 0.007).all()
    assert (np.abs(ratio - 1.0) < 0.03).all(), ratio


@pytest.mark.slow
def test_the_cross_terms_of_the_tensor():
    _, _, found = compared("rotating", 40_000, 3, [6.0, 20.0] * ACTION)
    spectrum = CASES["rotating"][0]
    for element, measured in (("Rphi", found.cross), ("phiphi", found.momentum)):
        expected = diffusion_coefficient(FLAT, WAVE, spectrum, [6.0, 20.0] * ACTION, L0, element=element)
        np.testing.assert_allclose((measured / expected).to_value(u.one), 1.0, atol=0.06)


def test_what_has_no_exact_process_is_refused():
    table = Tabulated([0, 50] * RATE, [1, 1] * NOISE)
    with pytest.raises(InputError, match="made exactly"):
        measured_diffusion(FLAT, WAVE, table, [5] * ACTION, RADIUS, np.random.default_rng(1), 10)
    with pytest.raises(InputError, match="does not rotate"):
        measured_diffusion(
            FLAT, WAVE, CASES["rotating"][0], [5] * ACTION, RADIUS, np.random.default_rng(1), 10, real=True
        )
    disc = Disc(lambda R: 220 * u.km / u.s)
    with pytest.raises(InputError, match="power law"):
        measured_diffusion(disc, WAVE, CASES["white"][0], [5] * ACTION, RADIUS, np.random.default_rng(1), 10)
