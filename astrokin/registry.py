"""Names to classes: every effect and estimator that the built-ins and the plugins bring.

Nothing is loaded until the first look-up. It loads the built-in plugins, then the installed ones; a plugin
that fails is named in one warning and in `plugins`, and the rest works on.
"""

from __future__ import annotations

import inspect
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from typing import TYPE_CHECKING, Any, NamedTuple

from astrokin.discovery import (
    BLOCK_VARIABLE,
    BUILTINS,
    EFFECTS,
    ESTIMATORS,
    Kind,
    Plugin,
    builtin_sources,
    installed_sources,
    read,
)
from astrokin.errors import AmbiguousNameError, ArgumentError, PluginWarning, UnknownNameError, closest_first

if TYPE_CHECKING:
    from astropy.table import Table

    from astrokin.effect_base import Effect
    from astrokin.estimator_kind import AnyEstimator

__all__ = [
    "Registry",
    "effect",
    "effect_class",
    "effect_classes",
    "estimator",
    "estimator_class",
    "estimator_classes",
    "list_effects",
    "list_estimators",
    "plugins",
]


class Entry(NamedTuple):
    """A registered class and the plugin that brought it."""

    cls: Any
    plugin: Plugin

    def __str__(self) -> str:
        return f"{self.cls.__module__}.{self.cls.__qualname__} (plugin {self.plugin.source})"


class Registry:
    """Effects and estimators by name, read from plugins when first asked for.

    Parameters
    ----------
    builtins : iterable of str, optional
        Modules with hooks, registered first.
    entry_points : callable, optional
        Returns the entry points to load; by default those of the group ``astrokin``.
    """

    def __init__(
        self,
        builtins: Iterable[str] = BUILTINS,
        entry_points: Callable[[], Iterable[metadata.EntryPoint]] | None = None,
    ) -> None:
        self._builtins = tuple(builtins)
        self._entry_points = entry_points or (lambda: metadata.entry_points(group="astrokin"))
        self._plugins: tuple[Plugin, ...] | None = None
        self._lock = threading.RLock()
        self._loading = False

    @property
    def plugins(self) -> tuple[Plugin, ...]:
        """Every plugin found, the failed and the blocked ones included."""
        if self._plugins is None:
            self._load()
        assert self._plugins is not None
        return self._plugins

    def entries(self, kind: Kind) -> dict[str, list[Entry]]:
        """Return what is registered under each name; more than one entry means that plugins collide."""
        found: dict[str, list[Entry]] = {}
        for plugin in self.plugins:
            for cls in plugin.classes.get(kind, ()):
                entries = found.setdefault(cls.name, [])
                if all(entry.cls is not cls for entry in entries):
                    entries.append(Entry(cls, plugin))
        return found

    def classes(self, kind: Kind) -> dict[str, type]:
        """Return the classes by name, without names that two plugins claim."""
        return {name: entries[0].cls for name, entries in self.entries(kind).items() if len(entries) == 1}

    def find(self, kind: Kind, name: str) -> type:
        """Return the one class of that name."""
        entries = self.entries(kind)
        if name not in entries:
            raise UnknownNameError(_unknown(kind.noun, name, entries))
        if len(entries[name]) > 1:
            raise AmbiguousNameError(_collision(kind.noun, name, entries[name]))
        return entries[name][0].cls

    def create(self, kind: Kind, name: str, options: Mapping[str, Any]) -> Any:
        """Return an instance of the class of that name, its keywords checked first."""
        cls = self.find(kind, name)
        _check_keywords(cls, options)
        return cls(**options)

    def _load(self) -> None:
        with self._lock:
            if self._loading:
                raise RuntimeError("a plugin looked up a name while it was being loaded; import the class instead")
            if self._plugins is not None:
                return
            self._loading = True
            try:
                sources = [*builtin_sources(self._builtins), *installed_sources(self._entry_points())]
                self._plugins = tuple(read(source) for source in sources)
            finally:
                self._loading = False
        self._warn()

    def _warn(self) -> None:
        """Warn last, when all is in place: a warning turned into an error must not undo the loading."""
        faults = [f"plugin {p.source} is left out: {p.error}" for p in self.plugins if p.error and not p.source.blocked]
        for kind in (EFFECTS, ESTIMATORS):
            collisions = {n: e for n, e in self.entries(kind).items() if len(e) > 1}
            faults += [_collision(kind.noun, name, entries) for name, entries in collisions.items()]
        for fault in faults:
            warnings.warn(fault, PluginWarning, stacklevel=2)


def _unknown(noun: str, name: str, known: Iterable[str]) -> str:
    existing = ", ".join(closest_first(str(name), known)) or "none"
    return f"there is no {noun} {name!r}; there are: {existing}"


def _collision(noun: str, name: str, entries: Iterable[Entry]) -> str:
    owners = " and ".join(str(entry) for entry in entries)
    return f"two {noun}s are called {name!r}: {owners}; block one of the plugins with {BLOCK_VARIABLE}"


def _check_keywords(cls: type, options: Mapping[str, Any]) -> None:
    parameters = inspect.signature(cls).parameters
    if any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        return
    for keyword in options:
        if keyword not in parameters:
            allowed = ", ".join(closest_first(keyword, parameters)) or "none"
            raise ArgumentError(f"{cls.__qualname__} takes no keyword {keyword!r}; it takes: {allowed}")
    missing = [p for p in parameters.values() if p.default is p.empty and p.name not in options]
    if needed := [p.name for p in missing if p.kind is not p.VAR_POSITIONAL]:
        raise ArgumentError(f"{cls.__qualname__} needs {', '.join(needed)}")


_registry = Registry()


def effect(name: str, /, **parameters: Any) -> Effect:
    """Make an effect by its name.

    Parameters
    ----------
    name : str
        One of those in `list_effects`.
    **parameters
        What the effect's class takes.

    Returns
    -------
    Effect

    Raises
    ------
    UnknownNameError
        No effect has this name; the message lists those there are, the closest first.
    ArgumentError
        The effect has no such parameter; the message lists those it has.

    Examples
    --------
    >>> import astrokin as ak
    >>> ak.effect("reflex-motion").name
    'reflex-motion'
    >>> ak.effect("reflex-motoin")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    UnknownNameError: there is no effect 'reflex-motoin'; there are: reflex-motion, ...
    """
    return _registry.create(EFFECTS, name, parameters)


def estimator(name: str, /, **options: Any) -> AnyEstimator:
    """Make an estimator by its name.

    Parameters
    ----------
    name : str
        One of those in `list_estimators`.
    **options
        What the estimator's class takes.

    Returns
    -------
    Estimator or SourceEstimator

    Raises
    ------
    UnknownNameError
        No estimator has this name; the message lists those there are, the closest first.
    ArgumentError
        The estimator has no such option; the message lists those it has.

    Examples
    --------
    >>> import astrokin as ak
    >>> ak.estimator("oort-constants").name
    'oort-constants'
    """
    return _registry.create(ESTIMATORS, name, options)


def effect_class(name: str) -> type[Effect]:
    """Return the effect class of that name.

    Examples
    --------
    >>> from astrokin.registry import effect_class
    >>> effect_class("reflex-motion").__name__
    'ReflexMotion'
    """
    return _registry.find(EFFECTS, name)


def estimator_class(name: str) -> type[AnyEstimator]:
    """Return the estimator class of that name.

    Examples
    --------
    >>> from astrokin.registry import estimator_class
    >>> estimator_class("oort-constants").__name__
    'OortConstants'
    """
    return _registry.find(ESTIMATORS, name)


def effect_classes() -> dict[str, type[Effect]]:
    """Return all effect classes by name, without names that two plugins claim.

    Examples
    --------
    >>> from astrokin.registry import effect_classes
    >>> "reflex-motion" in effect_classes()
    True
    """
    return _registry.classes(EFFECTS)


def estimator_classes() -> dict[str, type[AnyEstimator]]:
    """Return all estimator classes by name, without names that two plugins claim.

    Examples
    --------
    >>> from astrokin.registry import estimator_classes
    >>> "oort-constants" in estimator_classes()
    True
    """
    return _registry.classes(ESTIMATORS)


def list_effects() -> Table:
    """List the effects there are, in the order in which light meets them.

    Returns
    -------
    `~astropy.table.Table`
        With the columns name, class, stage, needs, summary, and the distribution whose plugin brought it.

    Examples
    --------
    >>> import astrokin as ak
    >>> "reflex-motion" in ak.list_effects()["name"]
    True
    """
    from astrokin.listing import effects_table

    return effects_table(_registry)


def list_estimators() -> Table:
    """List the estimators there are.

    Returns
    -------
    `~astropy.table.Table`
        With the columns name, class, takes (the kind of rows), needs, summary, and the distribution whose
        plugin brought it.

    Examples
    --------
    >>> import astrokin as ak
    >>> "oort-constants" in ak.list_estimators()["name"]
    True
    """
    from astrokin.listing import estimators_table

    return estimators_table(_registry)


def plugins() -> Table:
    """List the plugins found: what each one adds, or why it adds nothing.

    Returns
    -------
    `~astropy.table.Table`
        With the columns distribution, entry_point, version, effects, estimators, error.

    Examples
    --------
    >>> import astrokin as ak
    >>> ak.plugins()["distribution"][0] == "astrokin"
    True
    """
    from astrokin.listing import plugins_table

    return plugins_table(_registry)
