"""The registry as tables, for people."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from typing import TYPE_CHECKING

from astrokin.discovery import EFFECTS, ESTIMATORS, Kind, Plugin
from astrokin.stage import stage_name

if TYPE_CHECKING:
    from astropy.table import Table

    from astrokin.registry import Registry

BY_OPTIONS = "by options"  # an attribute that is a property: only an instance can tell


def effects_table(registry: Registry) -> Table:
    """Return a row per effect, in the order of the stages."""
    rows = [
        (
            name,
            entry.cls.__name__,
            _stage(entry.cls),
            _needs(entry.cls),
            _summary(entry.cls),
            _owner(entry.plugin),
        )
        for name, entry in _sorted(registry, EFFECTS)
    ]
    return _table(("name", "class", "stage", "needs", "summary", "plugin"), rows)


def estimators_table(registry: Registry) -> Table:
    """Return a row per estimator, by name."""
    rows = [
        (
            name,
            entry.cls.__name__,
            entry.cls.takes.__name__,
            _needs(entry.cls),
            _summary(entry.cls),
            _owner(entry.plugin),
        )
        for name, entry in _sorted(registry, ESTIMATORS)
    ]
    return _table(("name", "class", "takes", "needs", "summary", "plugin"), rows)


def plugins_table(registry: Registry) -> Table:
    """Return a row per plugin, the failed and the blocked ones with the reason."""
    rows = [
        (
            plugin.source.distribution,
            plugin.source.entry_point,
            plugin.source.version,
            _names(plugin, EFFECTS),
            _names(plugin, ESTIMATORS),
            plugin.error,
        )
        for plugin in registry.plugins
    ]
    return _table(("distribution", "entry_point", "version", "effects", "estimators", "error"), rows)


def _sorted(registry: Registry, kind: Kind) -> list:
    rows = [(name, entry) for name, entries in registry.entries(kind).items() for entry in entries]
    return sorted(rows, key=lambda row: (_stage_number(row[1].cls), row[0]))


def _table(names: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> Table:
    from astropy.table import Table

    columns = list(zip(*rows, strict=True)) or [()] * len(names)
    return Table([[str(cell) for cell in column] for column in columns], names=names, dtype=[str] * len(names))


def _stage_number(cls: type) -> int:
    stage = getattr(cls, "stage", 0)
    return stage if isinstance(stage, int) else 0


def _stage(cls: type) -> str:
    stage = getattr(cls, "stage", BY_OPTIONS)
    return stage_name(stage) if isinstance(stage, int) else BY_OPTIONS


def _needs(cls: type) -> str:
    needs = getattr(cls, "needs", ())
    return BY_OPTIONS if isinstance(needs, property) else ", ".join(sorted(needs))


def _summary(cls: type) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def _owner(plugin: Plugin) -> str:
    return plugin.source.distribution


def _names(plugin: Plugin, kind: Kind) -> str:
    return ", ".join(cls.name for cls in plugin.classes.get(kind, ()))
