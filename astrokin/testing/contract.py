"""Promises that effects and estimators share: what the class declares, and that its instances are values."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import re
from typing import Any

import astropy.units as u
import numpy as np

from astrokin.errors import InputError
from astrokin.parameters import Column, Spec
from astrokin.testing.checks import broken, demand

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


def check_name_and_documentation(cls: type, thing: Any, needs: frozenset[str]) -> None:
    """The name is kebab-case, the docstring the class's own, needs and references are what they must be."""
    demand(isinstance(thing.name, str) and _NAME.fullmatch(thing.name), f"the name is {thing.name!r}, not-like-this")
    doc = (cls.__doc__ or "").strip()
    demand(doc and not doc.startswith(f"{cls.__name__}("), "the class has no docstring, which documentation pages need")
    demand(doc.partition("\n")[0].endswith("."), f"the first line of the docstring is no sentence: {doc[:60]!r}")
    demand(isinstance(thing.needs, frozenset | set), f"needs is {thing.needs!r}, not a frozenset")
    demand(set(thing.needs) <= needs, f"needs names {set(thing.needs) - needs}; it can name {sorted(needs)}")
    references = thing.references
    fine = isinstance(references, tuple) and all(isinstance(r, str) and r for r in references)
    demand(fine, f"references are {references!r}, not a tuple of BibTeX keys")


def check_parameters_documented(cls: type) -> None:
    """The class is a frozen dataclass, and each field is a documented parameter."""
    demand(dataclasses.is_dataclass(cls) and cls.__dataclass_params__.frozen, "the class is no frozen dataclass")  # type: ignore[attr-defined]
    specs = dict(cls.specs())  # type: ignore[attr-defined]
    for f in dataclasses.fields(cls):
        demand(
            f.name in specs, f"the field {f.name!r} is not declared by ak.parameter, ak.epoch_parameter or ak.option"
        )
        demand(specs[f.name].doc, f"the parameter {f.name!r} has no doc")


def check_frozen(thing: Any) -> None:
    """Setting a field is an error."""
    name = next(iter(thing.options()), "name")
    try:
        setattr(thing, name, getattr(thing, name))
    except AttributeError:
        return
    broken(f"{name} can be set: the object is not frozen")


def check_value(thing: Any) -> None:
    """An equal object is ==, hashes the same, and says what it is."""
    make: Any = dataclasses.replace if dataclasses.is_dataclass(thing) else copy.copy
    twin = make(thing)
    demand(twin == thing, "an object of the same parameters is not ==")
    demand(hash(twin) == hash(thing), "an object of the same parameters hashes differently")
    demand(thing != object(), "it is == an unrelated object")
    demand(type(thing).__name__ in repr(thing), f"its repr {repr(thing)!r} does not name the class")


def check_pickled(thing: Any) -> Any:
    """What comes back from pickling is == the object."""
    twin = pickle.loads(pickle.dumps(thing))
    demand(type(twin) is type(thing) and twin == thing, "what comes back from pickling is not ==")
    return twin


def check_units(thing: Any) -> None:
    """Each Quantity parameter refuses plain numbers, units of another kind, other shapes and NaN, by its name."""
    for name, spec in thing.specs():
        value = getattr(thing, name)
        if spec.kind != "quantity" or value is None or _holds_column(value):
            continue
        plain, unit = value.to_value(spec.unit), spec.unit
        other = u.kg if not u.kg.is_equivalent(unit) else u.m
        if not spec.plain:
            _demand_refused(thing, name, plain, "a number without unit")
        _demand_refused(thing, name, plain * other, f"a value in {other}")
        _demand_refused(thing, name, np.full((7, *np.shape(plain)), 1.0) * unit, "an array of seven")
        _demand_refused(thing, name, np.full(np.shape(plain), np.nan) * unit, "NaN")
        same = dataclasses.replace(thing, **{name: (plain * 1000.0) * (unit / 1000.0)})
        stored = getattr(same, name).to_value(unit)
        demand(
            np.allclose(stored, plain, rtol=1e-14, atol=0.0),
            f"{name} in thousandths of {unit} is {stored}, not {plain}",
        )


def _holds_column(value: Any) -> bool:
    return any(isinstance(v, Column) for v in (value if isinstance(value, tuple) else (value,)))


def _demand_refused(thing: Any, name: str, value: Any, what: str) -> None:
    where = f"{type(thing).__name__}.{name}"
    try:
        dataclasses.replace(thing, **{name: value})
    except InputError as error:
        demand(where in str(error), f"the error on {what} for {name} does not name {where}: {error}")
        return
    broken(f"{name} accepts {what}")


def quantity_specs(thing: Any) -> dict[str, Spec]:
    """The parameters that may be columns and have a value."""
    kinds = ("quantity", "epoch")
    pairs = ((k, s) for k, s in thing.specs() if s.kind in kinds and s.per_row)
    return {k: s for k, s in pairs if getattr(thing, k) is not None and not _holds_column(getattr(thing, k))}
