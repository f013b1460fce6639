"""Options of the command line that several commands share: ``--set name=value`` and ``--names ra=ra_deg``."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import astropy.units as u
import click
import numpy as np

from astrokin.errors import InputError, closest_first
from astrokin.parameters import Column, Spec

F = TypeVar("F", bound=Callable[..., Any])

_PAIR = re.compile(r"[A-Za-z_]\w*=")
_SEVERAL = ("--set", "--names")


#: How Python says it, and how the command line does.
_SPOKEN = (
    (r"names=\{'(\w+)': '…'\}", r"--names \1=…"),
    (r"names=\{'(\w+)': '…', '(\w+)': '…'\}", r"--names \1=… \2=…"),
    (r"\bnames= ", "--names "),
    (r"\bStars\(…, epoch=…\)(,| or) ", ""),
    (r"\b[A-Z]\w+\((?:(?:\w+=)?…, )*(\w+)=…\)", r"--set \1=…"),
    (r"(\w+)=ak\.column\(…\)", r"--set \1=column:…"),
    (r"ak\.column\('?([^')]*)'?\)", r"column:\1"),
    (r"overwrite=True \(--overwrite\)", "--overwrite"),
)


def spoken(message: str) -> str:
    """A message of the package in the words of the command line.

    Examples
    --------
    >>> from astrokin.cli.settings import spoken
    >>> spoken("Say which one it is with names={'ra': '…'}.")
    'Say which one it is with --names ra=….'
    >>> spoken("Say which they are with names={'ra': '…', 'dec': '…'}.")
    'Say which they are with --names ra=… dec=….'
    """
    for python, ours in _SPOKEN:
        message = re.sub(python, ours, message)
    return message


class Command(click.Command):
    """A command whose ``--set`` and ``--names`` may be followed by several pairs."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Repeat the option before every further pair, then parse as usual."""
        return super().parse_args(ctx, list(_repeated(args)))


def _repeated(args: Sequence[str]) -> Iterable[str]:
    flag, before = "", ""
    for arg in args:
        if arg in _SEVERAL:
            flag = arg
        elif flag and before != flag:
            if _PAIR.match(arg):
                yield flag
            else:
                flag = ""
        yield arg
        before = arg


def set_option(function: F) -> F:
    """Add ``--set name=value``."""
    text = "A parameter, such as epoch=J2050, max_distance='1.7 kpc' or period=column:P; see astrokin show."
    return click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", callback=_pairs, help=text)(function)


def names_option(function: F) -> F:
    """Add ``--names ra=ra_deg``."""
    text = "The file's own name of a column; several may follow."
    return click.option("--names", multiple=True, metavar="OURS=YOURS", callback=_pairs, help=text)(function)


def overwrite_option(function: F) -> F:
    """Add ``--overwrite``."""
    return click.option("--overwrite", is_flag=True, help="Replace files that are there.")(function)


def _pairs(ctx: click.Context, option: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    out: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise click.BadParameter(f"{text!r} is no pair such as {option.metavar.lower()}", ctx, option)  # type: ignore[union-attr]
        if name in out:
            raise click.BadParameter(f"{name} is given twice", ctx, option)
        out[name] = value
    return out


# ---- parameters of effects and estimators ----------------------------------------------------------------


def made(cls: Any, settings: dict[str, str]) -> Any:
    """An instance of an effect's or estimator's class, its parameters read from text."""
    specs = dict(cls.specs())
    for name in settings:
        if name not in specs:
            known = ", ".join(closest_first(name, specs)) or "none"
            raise InputError(f"{cls.name} has no parameter {name!r}; it has: {known}.")
    if missing := [name for name in required(cls) if name not in settings]:
        given = " ".join(f"--set {name}=…" for name in missing)
        raise InputError(f"{cls.name} needs {', '.join(missing)}: give {given} (see: astrokin show {cls.name}).")
    values = {name: _value(specs[name], name, text) for name, text in settings.items()}
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(str(error).replace(f"{cls.__name__}.", "--set ")) from None


def required(cls: Any) -> list[str]:
    """The parameters without a default."""
    nothing = dataclasses.MISSING
    fields = (f for f in dataclasses.fields(cls) if f.init)
    return [f.name for f in fields if f.default is nothing and f.default_factory is nothing]


def _value(spec: Spec, name: str, text: str) -> Any:
    if name == "by":
        return _by(text)
    return spec.from_text(text, f"--set {name}")


def _by(text: str) -> Any:
    """A column, or a column and the edges of its bins: ``BV,0,0.4,0.8`` or ``age,0,5,10 Gyr``."""
    column, comma, rest = text.removeprefix("column:").partition(",")
    if not comma:
        return column
    numbers, _, unit = rest.strip().partition(" ")
    try:
        edges = np.array([float(edge) for edge in numbers.split(",")])
        return column, edges * u.Unit(unit) if unit else edges
    except (ValueError, TypeError):
        raise InputError(f"--set by: {text!r} is no column, nor a column and edges such as 'age,0,5,10 Gyr'.") from None


def shown_value(value: Any) -> str:
    """A parameter's value as it would be set, for people."""
    if isinstance(value, Column):
        return f"column:{value.name}"
    if hasattr(value, "unit") and hasattr(value, "value"):
        numbers = ",".join(f"{v:g}" for v in np.atleast_1d(value.value))
        return f"{numbers} {value.unit}".rstrip()
    if isinstance(value, tuple):
        return ",".join(shown_value(v) for v in value)
    return "none" if value is None else str(value)


def differing(instance: Any) -> str:
    """The parameters of an instance that are not at their defaults, as they would be set."""
    fields = {f.name: f for f in dataclasses.fields(instance)}
    told = []
    for name, _ in instance.specs():
        shown = shown_value(getattr(instance, name))
        if fields[name].default is dataclasses.MISSING or shown != shown_value(fields[name].default):
            told.append(f"{name}={shown}")
    return " ".join(told)
