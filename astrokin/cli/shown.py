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
from astrokin.estimator_kind import AnyEstimator
from astrokin.source_estimator import SourceEstimator, kind_of

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
    told = _sections(inspect.getdoc(cls) or "(no description)")
    yield f"{row['name']} ({kind} {cls.__name__}, from {row['plugin']})"
    yield ""
    yield told.pop("")
    yield ""
    if kind == "effect":
        yield f"stage: {row['stage']}"
    if issubclass(cls, SourceEstimator):
        yield f"takes: {cls.takes.__name__}, the observations of each source"
    else:
        yield f"needs: {row['needs'] or 'positions only'}"
    yield ""
    yield from _parameters(cls)
    for section in ("Returns", "Notes"):
        if section in told:
            yield f"{section.lower()}:"
            yield from (f"  {line}".rstrip() for line in told[section].splitlines())
            yield ""
    yield from _references(cls)


def _sections(doc: str) -> dict[str, str]:
    """The text of each section of a numpydoc docstring, as one reads it; that before the first under ``""``."""
    first, *others = re.split(r"^([A-Z][\w ]*)\n-{3,}\n", doc, flags=re.MULTILINE)
    found = {"": first, **dict(zip(others[::2], others[1::2], strict=True))}
    return {title: _plain(text).rstrip() for title, text in found.items()}


def _plain(text: str) -> str:
    """A text without markup; equations stay as they are written, in LaTeX, each indented below what leads to it."""
    return _ROLE.sub(r"\1", re.sub(r"^ *\.\. math::\n\n?", "", text, flags=re.MULTILINE)).replace("``", "`")


def _parameters(cls: Any) -> Iterator[str]:
    specs = dict(cls.specs())
    common = {name for name, _ in kind_of(cls).specs()} if issubclass(cls, AnyEstimator) else set()
    yield from _parameter_lines(cls, {k: v for k, v in specs.items() if k not in common}, "parameters")
    yield from _parameter_lines(cls, {k: v for k, v in specs.items() if k in common}, "options of every estimator")


def _parameter_lines(cls: Any, specs: dict[str, Any], title: str) -> Iterator[str]:
    if not specs:
        return
    yield f"{title} (--set name=value):"
    defaults = {f.name: f for f in dataclasses.fields(cls)}
    names = max(map(len, specs))
    values = {name: _default(defaults[name]) for name in specs}
    width = min(24, max(map(len, values.values())))
    for name, spec in specs.items():
        notes = " ".join(filter(None, [spec.doc, _scale(spec), _choices(spec)]))
        yield f"  {name:<{names}}  {values[name]:<{width}}  {notes}".rstrip()
    yield ""


def _scale(spec: Any) -> str:
    """The unit of a parameter, or what its numbers count."""
    if spec.kind == "epoch":
        return "[Time, or Julian year TCB]"
    return "" if spec.unit is None or spec.plain else f"[{spec.unit}]"


def _default(field: dataclasses.Field[Any]) -> str:
    if field.default_factory is not dataclasses.MISSING:
        return shown_value(field.default_factory())
    return "(required)" if field.default is dataclasses.MISSING else shown_value(field.default)


def _choices(spec: Any) -> str:
    allowed = ", ".join(map(str, spec.allowed)) or ("" if spec.kind == "part" else spec.domain)
    return f"({allowed})" if allowed else ""


def _references(cls: Any) -> Iterator[str]:
    if cls.references:
        yield "references:"
        yield from (f"  {line}".rstrip() for line in references.bibtex(cls.references).splitlines())
