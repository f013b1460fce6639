"""``astrokin list`` and ``astrokin show``: what there is, and what each takes."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from typing import Any

import click

from astrokin import references, registry
from astrokin.cli.settings import shown_value
from astrokin.errors import UnknownNameError, closest_first

_ROLE = re.compile(r":\w+:`([^`]*)`")


@click.command("list")
def listed() -> None:
    """List effects, estimators and plugins."""
    for title, table in (
        ("Effects, in the order in which light meets them", registry.list_effects()),
        ("Estimators", registry.list_estimators()),
        ("Plugins", registry.plugins()),
    ):
        click.echo(f"{title}:\n")
        click.echo("\n".join(_lines(table)) + "\n")


def _lines(table: Any) -> Iterator[str]:
    rows = [table.colnames, *([str(cell) for cell in row] for row in table)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


@click.command()
@click.argument("name")
def show(name: str) -> None:
    """Show what an effect or estimator does, needs and takes."""
    tables = {"effect": registry.list_effects(), "estimator": registry.list_estimators()}
    found = [(kind, row) for kind, table in tables.items() for row in table if row["name"] == name]
    if not found:
        known = [str(row["name"]) for table in tables.values() for row in table]
        existing = ", ".join(closest_first(name, known)) or "none"
        raise UnknownNameError(f"there is no effect or estimator {name!r}; there are: {existing}")
    for kind, row in found:
        click.echo("\n".join(_described(kind, row)))


def _described(kind: str, row: Any) -> Iterator[str]:
    find = registry.effect_class if kind == "effect" else registry.estimator_class
    cls: Any = find(str(row["name"]))
    yield f"{row['name']} ({kind} {cls.__name__}, from {row['plugin']})"
    yield ""
    yield _docstring(cls)
    yield ""
    if kind == "effect":
        yield f"stage: {row['stage']}"
    yield f"needs: {row['needs'] or 'positions only'}"
    yield ""
    yield from _parameters(cls)
    yield from _references(cls)


def _docstring(cls: Any) -> str:
    """The docstring up to its first section, without the formulae, which the documentation shows."""
    text = inspect.getdoc(cls) or "(no description)"
    before = re.split(r"\n\n[^\n]+\n-{3,}", text, maxsplit=1)[0]
    paragraphs = [p for p in before.split("\n\n") if not re.search(r"\\|^\.\. ", p)]
    return _ROLE.sub(r"\1", "\n\n".join(paragraphs)).replace("``", "`")


def _parameters(cls: Any) -> Iterator[str]:
    specs = dict(cls.specs())
    if not specs:
        return
    yield "parameters (--set name=value):"
    defaults = {f.name: f for f in dataclasses.fields(cls)}
    names = max(map(len, specs))
    values = {name: _default(defaults[name]) for name in specs}
    width = min(24, max(map(len, values.values())))
    for name, spec in specs.items():
        notes = [spec.doc, *([] if spec.unit is None or spec.plain else [f"[{spec.unit}]"]), _choices(spec)]
        yield f"  {name:<{names}}  {values[name]:<{width}}  {' '.join(filter(None, notes))}".rstrip()
    yield ""


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return shown_value(field.default_factory())
    return "(required)" if field.default is dataclasses.MISSING else shown_value(field.default)


def _choices(spec: Any) -> str:
    return f"({', '.join(map(str, spec.allowed))})" if spec.allowed else ""


def _references(cls: Any) -> Iterator[str]:
    if cls.references:
        yield "references:"
        yield from (f"  {line}".rstrip() for line in references.bibtex(cls.references).splitlines())
