"""The two hooks by which effects and estimators come in, the built-in ones included.

A plugin is a module, named by an entry point of the group ``astrokin``, with either hook or both in it::

    import astrokin as ak

    @ak.hookimpl
    def astrokin_effects():
        return [MyEffect]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    from astrokin.effect_base import Effect
    from astrokin.estimator_kind import AnyEstimator

PROJECT = "astrokin"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def astrokin_effects() -> list[type[Effect]]:
    """Effects to register: concrete subclasses of `astrokin.Effect`, each with its own ``name``."""
    return []


@hookspec
def astrokin_estimators() -> list[type[AnyEstimator]]:
    """Estimators to register: subclasses of `astrokin.Estimator` or `astrokin.SourceEstimator`, each with a name."""
    return []
