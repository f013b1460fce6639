"""Stellar kinematics: effects that map stars to stars, estimators that fold stars into results.

Importing astrokin loads nothing else; each public name loads its module when it is first used.
"""

from importlib import import_module

__version__ = "0.1.0.dev0"

__all__ = [
    "Chain",
    "Covariance",
    "Effect",
    "Epochs",
    "Estimator",
    "Fit",
    "Histogram",
    "Moments",
    "NormalEquations",
    "Observer",
    "Rows",
    "SourceEstimator",
    "Stage",
    "Stars",
    "apparent_place",
    "column",
    "distance_priors",
    "distances",
    "drift",
    "effect",
    "effective_wavelength",
    "effects",
    "epoch_parameter",
    "errors",
    "estimator",
    "estimators",
    "gaia_zero_point",
    "galaxy",
    "heating",
    "hookimpl",
    "list_effects",
    "list_estimators",
    "lutz_kelker",
    "observer_parameter",
    "option",
    "parameter",
    "plugins",
    "testing",
    "triangulate",
    "units",
]

TYPE_CHECKING = False  # type checkers take it as true; importing typing for it would cost milliseconds
if TYPE_CHECKING:
    from . import distance_priors, drift, effects, errors, estimators, galaxy, heating, testing, units
    from .apparent import apparent_place
    from .chain import Chain
    from .covariance import Covariance
    from .distance_modes import lutz_kelker
    from .distance_table import distances, gaia_zero_point
    from .effect_base import Effect
    from .epochs import Epochs
    from .estimator_base import Estimator
    from .fit import Fit
    from .hookspecs import hookimpl
    from .observer import Observer, observer_parameter
    from .parameters import column, epoch_parameter, option, parameter
    from .refractivity import effective_wavelength
    from .registry import effect, estimator, list_effects, list_estimators, plugins
    from .source_estimator import SourceEstimator
    from .stage import Stage
    from .stars import Rows, Stars
    from .summaries import Histogram, Moments, NormalEquations
    from .triangulation import triangulate

# No module may be called like a function here: importing it would put the module in the function's place.
_HOME = {
    "Chain": "chain",
    "Covariance": "covariance",
    "Effect": "effect_base",
    "Epochs": "epochs",
    "Estimator": "estimator_base",
    "Fit": "fit",
    "Histogram": "summaries",
    "Moments": "summaries",
    "NormalEquations": "summaries",
    "Observer": "observer",
    "Rows": "stars",
    "SourceEstimator": "source_estimator",
    "Stage": "stage",
    "Stars": "stars",
    "apparent_place": "apparent",
    "column": "parameters",
    "distances": "distance_table",
    "gaia_zero_point": "distance_table",
    "lutz_kelker": "distance_modes",
    "effect": "registry",
    "effective_wavelength": "refractivity",
    "estimator": "registry",
    "hookimpl": "hookspecs",
    "list_effects": "registry",
    "list_estimators": "registry",
    "epoch_parameter": "parameters",
    "observer_parameter": "observer",
    "option": "parameters",
    "parameter": "parameters",
    "plugins": "registry",
    "triangulate": "triangulation",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'astrokin' has no attribute {name!r}")
    if name not in _HOME:
        return import_module(f"astrokin.{name}")
    value = getattr(import_module(f"astrokin.{_HOME[name]}"), name)
    globals()[name] = value  # the next use finds it without coming here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
