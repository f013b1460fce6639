"""Find plugins, load each one on its own, and check what its hooks return.

pluggy's own loader is not used: it drops a second distribution that reuses an entry-point name, and lets
one plugin's failing import stop the host.
"""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, is_dataclass
from functools import partial
from importlib import import_module, metadata
from pkgutil import resolve_name
from typing import Any, NamedTuple

import pluggy

from astrokin import hookspecs
from astrokin.errors import closest_first

BUILTINS = ("astrokin.effects", "astrokin.estimators")  # by string: they stand above this module
BLOCK_VARIABLE = "ASTROKIN_BLOCK"


class Kind(NamedTuple):
    """What a hook returns: classes of one base."""

    noun: str
    hook: str
    base: str  # by string, as the built-ins
    bases: str  # in words


EFFECTS = Kind("effect", "astrokin_effects", "astrokin.effect_base:Effect", "Effect")
ESTIMATORS = Kind(
    "estimator", "astrokin_estimators", "astrokin.estimator_kind:AnyEstimator", "Estimator or SourceEstimator"
)


@dataclass(frozen=True)
class Source:
    """Where a plugin comes from: how to load it, and what to call it when it fails."""

    distribution: str
    entry_point: str
    version: str
    load: Callable[[], object]
    builtin: bool = False

    def __str__(self) -> str:
        return f"{self.entry_point!r} of {self.distribution} {self.version}".rstrip()

    @property
    def blocked(self) -> bool:
        """Whether the user's environment variable names this plugin or its distribution."""
        names = {_normal(name) for name in os.environ.get(BLOCK_VARIABLE, "").split(",")}
        return not self.builtin and not names.isdisjoint({_normal(self.entry_point), _normal(self.distribution)})


@dataclass(frozen=True)
class Plugin:
    """What one plugin brought, or why it brought nothing."""

    source: Source
    classes: dict[Kind, tuple[type[Any], ...]]
    error: str = ""


def builtin_sources(modules: Iterable[str]) -> list[Source]:
    """Return the package's own plugins, in the order given."""
    from astrokin import __version__

    return [Source("astrokin", name, __version__, partial(import_module, name), True) for name in modules]


def installed_sources(entry_points: Iterable[metadata.EntryPoint]) -> list[Source]:
    """Return other people's plugins, ordered by distribution and name so that no installation order shows."""
    sources = [_source(entry_point) for entry_point in entry_points]
    return sorted(sources, key=lambda source: (_normal(source.distribution), source.entry_point))


def read(source: Source) -> Plugin:
    """Load one plugin; whatever is wrong with somebody else's becomes its ``error``, ours is raised."""
    if source.blocked:
        return Plugin(source, {}, f"blocked by {BLOCK_VARIABLE}")
    try:
        return Plugin(source, _collect(source.load()))
    except (Exception, SystemExit) as fault:
        if source.builtin:
            raise
        return Plugin(source, {}, f"{type(fault).__name__}: {fault}")


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def _source(entry_point: metadata.EntryPoint) -> Source:
    distribution = getattr(entry_point, "dist", None)
    name, version = (distribution.name, distribution.version) if distribution else (entry_point.module, "")
    return Source(name, entry_point.name, version, entry_point.load)


def _collect(plugin: object) -> dict[Kind, tuple[type[Any], ...]]:
    _check_hook_names(plugin)
    manager = pluggy.PluginManager(hookspecs.PROJECT)  # one each, so that no plugin can reach another
    manager.add_hookspecs(hookspecs)
    manager.register(plugin)
    return {kind: tuple(_returned(manager, kind)) for kind in (EFFECTS, ESTIMATORS)}


def _check_hook_names(plugin: object) -> None:
    """Refuse a misspelt hook and one without its decorator: pluggy would silently pass over both."""
    known = [kind.hook for kind in (EFFECTS, ESTIMATORS)]
    for name, options in _hook_like(plugin):
        if name not in known and not (options and options["optionalhook"]):
            raise TypeError(f"there is no hook {name}; there are {', '.join(closest_first(name, known))}")
        if name in known and options is None:
            raise TypeError(f"{name} lacks its decorator, @astrokin.hookimpl")


def _hook_like(plugin: object) -> Iterator[tuple[str, dict[str, bool] | None]]:
    for name in dir(plugin):
        function = getattr(plugin, name, None)
        options = getattr(function, f"{hookspecs.PROJECT}_impl", None)
        marked = isinstance(options, dict)
        if inspect.isroutine(function) and (marked or name.startswith(f"{hookspecs.PROJECT}_")):
            yield name, options if marked else None


def _returned(manager: pluggy.PluginManager, kind: Kind) -> Iterator[type]:
    base = resolve_name(kind.base)
    for implementation in getattr(manager.hook, kind.hook).get_hookimpls():
        classes = implementation.function()
        if not isinstance(classes, list | tuple):
            raise TypeError(f"{kind.hook} returned {classes!r}, not a list of {kind.bases} classes")
        for cls in classes:
            yield _checked(cls, kind, base)


def _checked(cls: object, kind: Kind, base: type) -> type:
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise TypeError(f"{kind.hook} returned {cls!r} in its list, which is no subclass of {kind.bases}")
    if missing := sorted(getattr(cls, "__abstractmethods__", ())):
        raise TypeError(f"{cls.__qualname__} lacks {', '.join(missing)}")
    name = getattr(cls, "name", None)
    if not (isinstance(name, str) and name):
        raise TypeError(f'{cls.__qualname__} has no name: give it one as a class attribute, name = "..."')
    for fault in _faults(cls):
        raise TypeError(f"{cls.__qualname__} {fault}")
    return cls


def _faults(cls: type) -> Iterator[str]:
    """What is wrong with the class attributes that everything else builds on."""
    if not is_dataclass(cls):
        yield "is no dataclass: put @dataclass(frozen=True) on it"
    needs: object = getattr(cls, "needs", frozenset())
    if not isinstance(needs, frozenset | set | property):
        yield f"has needs = {needs!r}: a frozenset of names is needed"
    stage = getattr(cls, "stage", 0)
    if not isinstance(stage, int | property):
        yield f"has stage = {stage!r}: one of ak.Stage, or a number between two, is needed"
