"""The effects that come with the package: one physics per file.

Each is a frozen dataclass with the verbs of `astrokin.Effect`; `ak.list_effects()` lists them together with
those of installed plugins.
"""

from __future__ import annotations

import astrokin as ak
from astrokin.effects.aberration import AnnualAberration
from astrokin.effects.deflection import LightDeflection
from astrokin.effects.parallax import AnnualParallax
from astrokin.effects.perspective import PerspectiveAcceleration
from astrokin.effects.photocentre import BinaryPhotocentre
from astrokin.effects.reflex import ReflexMotion
from astrokin.effects.refraction import AtmosphericRefraction
from astrokin.effects.rotation import FrameRotation
from astrokin.effects.secular import SecularAberration

__all__ = [
    "AnnualAberration",
    "AnnualParallax",
    "AtmosphericRefraction",
    "BinaryPhotocentre",
    "FrameRotation",
    "LightDeflection",
    "PerspectiveAcceleration",
    "ReflexMotion",
    "SecularAberration",
]


@ak.hookimpl
def astrokin_effects() -> list[type[ak.Effect]]:
    """The effects of this module, through the hook that every plugin uses."""
    return [
        ReflexMotion,
        PerspectiveAcceleration,
        BinaryPhotocentre,
        FrameRotation,
        SecularAberration,
        AnnualParallax,
        LightDeflection,
        AnnualAberration,
        AtmosphericRefraction,
    ]
