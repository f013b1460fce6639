"""Where a result comes from: versions, options, constants, references."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from astrokin.estimator_kind import AnyEstimator

_PACKAGES = ("astrokin", "astropy", "numpy", "scipy", "pyerfa")


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a result depends on."""
    out = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            out[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            out[package] = getattr(sys.modules.get(package), "__version__", "not installed")
    return out


def provenance(estimator: AnyEstimator, data: Any) -> dict[str, Any]:
    """What a `Fit` records about itself."""
    return {
        "estimator": estimator.name,
        "class": f"{type(estimator).__module__}.{type(estimator).__qualname__}",
        "options": {k: _text(v) for k, v in estimator.options().items()},
        "data": _described(data),
        "chain": list(getattr(data, "history", ())),
        "references": list(estimator.references),
        "versions": versions(),
        "constants": _constants(),
    }


def _text(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else str(value)


def _described(data: Any) -> str:
    if isinstance(data, str | Path):
        return Path(data).name
    try:
        return f"{type(data).__name__} of {len(data)} rows"
    except TypeError:
        return type(data).__name__


def _constants() -> dict[str, str]:
    from astrokin import galaxy

    return {
        "solar motion": str(galaxy.solar_motion()),
        "velocity of the Sun": str(galaxy.velocity_of_sun()),
        "distance to the Galactic centre": str(galaxy.distance_to_centre()),
    }
