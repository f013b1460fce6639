"""The text of reference pages in reStructuredText, from what a class declares and its docstring says."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Iterable, Iterator
from textwrap import indent
from typing import Any

from astrokin import listing, registry
from astrokin.effect_base import Effect
from astrokin.estimator_kind import AnyEstimator
from astrokin.source_estimator import kind_of
from astrokin.sphinxext import citations
from astrokin.stars import Stars

#: The kinds of things with a page: the base class, and what lists them.
BASES: dict[str, Any] = {"effect": Effect, "estimator": AnyEstimator}
_LISTS = {"effect": registry.list_effects, "estimator": registry.list_estimators}
_FIND = {"effect": registry.effect_class, "estimator": registry.estimator_class}
#: Sections of a numpydoc docstring by the heading they get here; the example comes after the figure.
_PROSE = {"Returns": "What comes back", "Raises": "Errors", "Warns": "Warnings", "Notes": "Domain and notes"}


def rows(kind: str, distributions: Iterable[str] = ()) -> list[Any]:
    """The rows of `ak.list_effects()` or `ak.list_estimators()`; of some distributions only where any is named."""
    wanted = set(distributions)
    return [row for row in _LISTS[kind]() if not wanted or str(row["plugin"]) in wanted]


def class_of(kind: str, name: str) -> type:
    """The registered class of that name."""
    return _FIND[kind](name)


def public_name(cls: type) -> str:
    """The shortest dotted name under which a class can be imported.

    Examples
    --------
    >>> import astrokin as ak
    >>> from astrokin.sphinxext import pages
    >>> pages.public_name(ak.effects.ReflexMotion)
    'astrokin.effects.ReflexMotion'
    """
    parts = cls.__module__.split(".")
    for end in range(1, len(parts) + 1):
        module = ".".join(parts[:end])
        if getattr(importlib.import_module(module), cls.__name__, None) is cls:
            return f"{module}.{cls.__name__}"
    return f"{cls.__module__}.{cls.__qualname__}"


def signature(cls: type) -> str:
    """The call of a class, as Python shows it, without the annotations.

    Examples
    --------
    >>> import astrokin as ak
    >>> from astrokin.sphinxext import pages
    >>> pages.signature(ak.effects.ReflexMotion)
    "(solar_motion=None, frame='lsr')"
    """
    full = inspect.signature(cls)
    bare = [p.replace(annotation=p.empty) for p in full.parameters.values()]
    return str(full.replace(parameters=bare, return_annotation=full.empty))


# ---- the page of one thing -------------------------------------------------------------------------------


def page(kind: str, name: str, figure: str = "", caption: str = "") -> str:
    """Everything about one effect or estimator, below its heading.

    Parameters
    ----------
    kind : {"effect", "estimator"}
    name : str
        As registered.
    figure : str
        The path of a picture, as Sphinx wants it; none where it is empty.
    caption : str
        What the picture shows.
    """
    cls = class_of(kind, name)
    doc = _docstring(cls)
    parts = [
        _head(kind, cls, doc),
        _facts(kind, name),
        _parameters(kind, cls, doc),
        *(_section(title, _told(doc, key)) for key, title in _PROSE.items()),
        _section("On the sky" if kind == "effect" else "A fit", _figure(name, figure, caption)),
        _section("Example", "\n".join(doc["Examples"])),
        _methods(kind, cls),
        _section("References", "\n".join(citations.listed(cls.references))),  # type: ignore[attr-defined]
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _docstring(cls: type) -> Any:
    from numpydoc.docscrape import NumpyDocString

    return NumpyDocString(inspect.getdoc(cls) or "")


def _section(title: str, body: str) -> str:
    return f"{title}\n{'-' * len(title)}\n\n{body}" if body.strip() else ""


def _head(kind: str, cls: type, doc: Any) -> str:
    """The class with its exact signature, its summary and its equation."""
    text = "\n".join([*doc["Summary"], "", *doc["Extended Summary"]])
    return f".. py:class:: {public_name(cls)}{signature(cls)}\n\n{indent(text, '   ')}"


def _facts(kind: str, name: str) -> str:
    row = next(row for row in rows(kind) if row["name"] == name)
    facts = {"By name": f'``ak.{kind}("{name}", …)``'}
    if kind == "effect":
        facts["Stage"] = str(row["stage"])
    needs = str(row["needs"]).replace("_", " ") or "positions only"
    if issubclass(cls := class_of(kind, name), AnyEstimator) and cls.takes is not Stars:
        facts["Takes"] = f":class:`astrokin.{cls.takes.__name__}`"
        needs = "observations of each source"
    facts["Needs"] = "depends on the options" if needs == listing.BY_OPTIONS else needs
    facts["Comes with"] = str(row["plugin"])
    return "\n".join(f":{key}: {value}" for key, value in facts.items())


def _told(doc: Any, key: str) -> str:
    if key == "Notes":
        return "\n".join(doc[key])
    return "\n".join(_entry(*part) for part in doc[key])


def _entry(name: str, kind: str, lines: list[str]) -> str:
    told = kind if "`" in kind or not kind else f"``{kind}``"
    head = " : ".join(filter(None, [name and f"**{name}**", told]))
    return f"{head}\n{indent(chr(10).join(lines), '   ')}"


def _figure(name: str, path: str, caption: str) -> str:
    if not path:
        return ""
    return f".. figure:: {path}\n   :alt: {name}: {caption.replace('``', '')}\n\n   {caption}"


def _base(cls: type) -> Any:
    """The class in which what all of a kind have is declared."""
    return kind_of(cls) if issubclass(cls, AnyEstimator) else Effect


def _methods(kind: str, cls: type) -> str:
    """What the class can do besides what all of its kind do."""
    own = [n for n, v in vars(cls).items() if not n.startswith("_") and _is_method(v) and not hasattr(_base(cls), n)]
    return _section("Methods", "\n\n".join(f".. automethod:: {public_name(cls)}.{n}" for n in own))


def _is_method(value: Any) -> bool:
    return isinstance(value, staticmethod | classmethod) or inspect.isfunction(value)


# ---- parameters ------------------------------------------------------------------------------------------


def _parameters(kind: str, cls: Any, doc: Any) -> str:
    """A table of the declared parameters; those that all of a kind have come last."""
    described = {name: "\n".join(p.desc) for p in doc["Parameters"] for name in p.name.split(", ")}
    base = _base(cls)
    common = {name for name, _ in base.specs()} if issubclass(base, AnyEstimator) else set()
    specs = dict(cls.specs())
    own = {name: spec for name, spec in specs.items() if name not in common}
    shared = {name: spec for name, spec in specs.items() if name in common}
    tables = [_section("Parameters", _table(_HEAD, _parameter_rows(cls, own, described)))]
    if shared:
        lead = f"Every {kind} takes these too; see :class:`astrokin.{base.__name__}`.\n\n"
        tables.append(_section("Common parameters", lead + _table(_HEAD, _parameter_rows(cls, shared, {}))))
    return "\n\n".join(filter(None, tables))


_HEAD = ("name", "unit", "default", "column?", "what it is")


def _parameter_rows(cls: Any, specs: dict[str, Any], described: dict[str, str]) -> Iterator[tuple[str, ...]]:
    defaults = {f.name: _default(f) for f in dataclasses.fields(cls)}
    for name, spec in specs.items():
        unit = "" if spec.unit is None or spec.plain else f"``{spec.unit}``"
        meaning = " ".join(filter(None, [_sentence(described.get(name) or spec.doc), _choices(spec)]))
        yield f"``{name}``", unit, defaults[name], "yes" if spec.per_row else "", meaning


def _default(field: Any) -> str:
    if field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    elif field.default is dataclasses.MISSING:
        return "*required*"
    else:
        value = field.default
    return f"``{_shown(value)}``"


def _shown(value: Any) -> str:
    """A default as a reader wants it."""
    if not hasattr(value, "unit"):
        return repr(value)
    numbers = [f"{number:.4g}" for number in value.value.ravel()]
    return f"{numbers[0] if value.isscalar else '(' + ', '.join(numbers) + ')'} {value.unit}".rstrip()


def _choices(spec: Any) -> str:
    choices = [f"``{value!r}``" for value in spec.allowed if not isinstance(value, bool)]
    allowed = ", ".join(choices) or spec.domain
    return f"Allowed: {allowed}." if allowed else ""


def _sentence(text: str) -> str:
    return text and f"{text[0].upper()}{text[1:]}{'' if text.endswith('.') else '.'}"


# ---- the index -------------------------------------------------------------------------------------------


def index(kind: str, folder: str, distributions: Iterable[str] = ()) -> str:
    """A table of all effects or estimators, each linked to its page in `folder`."""
    keys = ("name", "class", *(("stage",) if kind == "effect" else ()), "needs", "summary", "plugin")
    found = rows(kind, distributions)
    cells = [tuple(_cell(key, row, folder) for key in keys) for row in found]
    tree = "\n".join(f"   {folder}/{row['name']}" for row in found)
    return f"{_table(keys, cells)}\n\n.. toctree::\n   :hidden:\n\n{tree}\n"


def _cell(key: str, row: Any, folder: str) -> str:
    value = str(row[key])
    if key == "name":
        return f":doc:`{value} <{folder}/{value}>`"
    if key == "class":
        return f"``{value}``"
    return value.replace("_", " ") if key == "needs" and value != listing.BY_OPTIONS else value


def _table(head: Iterable[str], body: Iterable[tuple[str, ...]]) -> str:
    """A list-table; empty text where there are no rows."""
    lines = [_table_row(cells) for cells in body]
    if not lines:
        return ""
    options = "   :header-rows: 1\n   :class: astrokin-table"
    return "\n".join([".. list-table::", options, "", _table_row(tuple(head)), *lines])


def _table_row(cells: tuple[str, ...]) -> str:
    first, *others = (indent(cell, "       ").lstrip() for cell in cells)
    return "\n".join([f"   * - {first}", *(f"     - {cell}" for cell in others)])


__all__ = ["BASES", "class_of", "index", "page", "public_name", "rows", "signature"]
