"""The estimators that come with the package: one question per file.

Each is a frozen dataclass with the verb `fit`; `ak.list_estimators()` lists them together with those of
installed plugins.
"""

from __future__ import annotations

import astrokin as ak
from astrokin.estimators.distance import ParallaxDistance
from astrokin.estimators.drift import AsymmetricDrift
from astrokin.estimators.ellipsoid import VelocityEllipsoid
from astrokin.estimators.heating import DiscHeating
from astrokin.estimators.oort import OortConstants
from astrokin.estimators.solar_motion import SolarMotion
from astrokin.estimators.solution import AstrometricSolution
from astrokin.estimators.spin_glide import SpinAndGlide
from astrokin.estimators.vertical import JeansKz

__all__ = [
    "AstrometricSolution",
    "AsymmetricDrift",
    "DiscHeating",
    "JeansKz",
    "OortConstants",
    "ParallaxDistance",
    "SolarMotion",
    "SpinAndGlide",
    "VelocityEllipsoid",
]


@ak.hookimpl
def astrokin_estimators() -> list[type[ak.Estimator | ak.SourceEstimator]]:
    """The estimators of this module, through the hook that every plugin uses."""
    return [
        AstrometricSolution,
        AsymmetricDrift,
        DiscHeating,
        JeansKz,
        OortConstants,
        ParallaxDistance,
        SolarMotion,
        SpinAndGlide,
        VelocityEllipsoid,
    ]
