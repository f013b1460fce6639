"""Disc heating: from a spiral's power spectrum to the age-velocity relation, and back.

Sources: 003, section 5.2; Binney & Lacey (1988). Everything takes and gives Quantities.
"""

from __future__ import annotations

from astrokin.heating.angle_actions import from_angle_actions, to_angle_actions
from astrokin.heating.clouds import Clouds
from astrokin.heating.diffusion import diffusion_coefficient, resonances
from astrokin.heating.epicycle import Disc, Epicycle
from astrokin.heating.evolution import Evolution, evolve
from astrokin.heating.grid import ActionGrid
from astrokin.heating.inverse import SpiralRelation
from astrokin.heating.particles import Measured, measured_diffusion
from astrokin.heating.relation import AgeVelocity, Heating
from astrokin.heating.spectra import Lorentzian, Spectrum, Tabulated, White, amplitudes, estimated
from astrokin.heating.spiral import ExponentialProfile, SechProfile, SpiralWave
from astrokin.heating.spiral_fit import SpiralFit, fit_spirals

__all__ = [
    "ActionGrid",
    "AgeVelocity",
    "Clouds",
    "Disc",
    "Epicycle",
    "Evolution",
    "ExponentialProfile",
    "Heating",
    "Lorentzian",
    "Measured",
    "SechProfile",
    "Spectrum",
    "SpiralFit",
    "SpiralRelation",
    "SpiralWave",
    "Tabulated",
    "White",
    "amplitudes",
    "diffusion_coefficient",
    "estimated",
    "evolve",
    "fit_spirals",
    "from_angle_actions",
    "measured_diffusion",
    "resonances",
    "to_angle_actions",
]
