"""What a value of a parameter may be: checked where an object is made, and read from the command line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import astropy.units as u
import numpy as np

from astrokin.errors import InputError, closest_first
from astrokin.times import demand_scale, julian_years, time_from_text
from astrokin.units import is_quantity, raw_values

if TYPE_CHECKING:
    from astrokin.parameter_spec import Spec


@dataclass(frozen=True)
class Column:
    """The name of a column that holds one value of a parameter per row."""

    name: str

    def __repr__(self) -> str:
        return f"ak.column({self.name!r})"


def _check_quantity(spec: Spec, value: Any, where: str) -> Any:
    if isinstance(value, str):
        raise InputError(f"{where} is the text {value!r}: for a column write ak.column({value!r}).")
    if isinstance(value, tuple | list):
        if any(isinstance(v, Column) for v in value):
            if (len(value),) != spec.shape:
                raise InputError(f"{where} has {len(value)} components; {spec.shape or 'a scalar'} is needed.")
            return tuple(spec.component.checked(v, where) for v in value)
        value = _stacked(value, where)
    if spec.plain and isinstance(value, int | float | np.number):
        value = value * u.one
    if not is_quantity(value):
        raise InputError(f"{where} is {value!r}, which has no unit: give it in {spec.unit} or a unit that converts.")
    plain = raw_values(value, spec.unit, where)
    if plain.shape != spec.shape:
        more = (
            f" One value per row goes into a column: {where.rpartition('.')[2]}=ak.column(…)." if not spec.shape else ""
        )
        raise InputError(f"{where} has shape {plain.shape}; {spec.shape or 'a scalar'} is needed.{more}")
    if not np.isfinite(plain).all():
        raise InputError(f"{where} is {value}: it must be finite.")
    if spec.physical is not None and not np.all(spec.physical(plain)):
        raise InputError(f"{where} is {value}; {spec.domain} is needed.")
    plain = np.array(plain)
    plain.flags.writeable = False
    return u.Quantity(plain, spec.unit, copy=False)


def _stacked(values: Any, where: str) -> Any:
    try:
        return u.Quantity([u.Quantity(v) for v in values])
    except (TypeError, ValueError, u.UnitConversionError) as error:
        raise InputError(f"{where}: {values!r} is no vector of Quantities of one kind ({error}).") from None


def _check_epoch(spec: Spec, value: Any, where: str) -> Any:
    if isinstance(value, str):
        return epoch_from_text(value, where, f"; for a column write ak.column({value!r})")
    if is_quantity(value):
        value = julian_years(value, where)
    number = isinstance(value, int | float | np.number | np.ndarray) and not isinstance(value, bool | np.timedelta64)
    if hasattr(value, "jd1") or (number and np.isfinite(value).all()):
        shape = np.shape(getattr(value, "jd1", value))
        if shape != ():
            raise InputError(f"{where} holds {shape} times; one per row goes into a column: ak.column(…).")
        if not hasattr(value, "jd1"):
            return float(julian_years(value, where))
        demand_scale(value, where)
        return value
    texts = "a text such as 'J2050.0' or '2026-03-21'"
    raise InputError(f"{where} is {value!r}: give an astropy Time, {texts}, or a Julian year TCB as a plain number.")


#: What an option of each type takes, and how that is called.
TYPES: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool, np.bool_), "True or False"),
    int: ((int, np.integer), "a whole number"),
    float: ((int, float, np.integer, np.floating), "a number"),
    str: ((str,), "a text"),
}


def _of_type(spec: Spec, value: Any, where: str) -> Any:
    taken, words = TYPES[spec.of_type]  # type: ignore[index]
    other = isinstance(value, bool | np.bool_) != (spec.of_type is bool) or isinstance(value, np.timedelta64)
    if other or not isinstance(value, taken) or (spec.of_type is float and not math.isfinite(value)):  # type: ignore[arg-type]
        raise InputError(f"{where} is {value!r}; {words} is needed.")
    return value.item() if isinstance(value, np.generic) else value


def _own(value: Any) -> Any:
    """An array, alone or in a tuple, as a copy that cannot be written to."""
    if isinstance(value, tuple):
        return tuple(map(_own, value))
    if isinstance(value, np.ndarray):
        value = value.copy()
        value.flags.writeable = False
    return value


def _check_option(spec: Spec, value: Any, where: str) -> Any:
    value = _own(value) if spec.of_type is None else _of_type(spec, value, where)
    if spec.allowed and not any(value == a and isinstance(value, bool) == isinstance(a, bool) for a in spec.allowed):
        allowed = closest_first(str(value), map(str, spec.allowed))
        raise InputError(f"{where} is {value!r}; it can be {', '.join(map(repr, allowed))}.")
    if spec.physical is not None and not spec.physical(value):
        raise InputError(f"{where} is {value!r}; {spec.domain} is needed.")
    return value


def _check_part(spec: Spec, value: Any, where: str) -> Any:
    if isinstance(value, spec.part):  # type: ignore[arg-type]
        return value
    raise InputError(f"{where} is {value!r}: give {spec.domain}.")


#: The check of each kind of parameter.
CHECKS = {"quantity": _check_quantity, "epoch": _check_epoch, "option": _check_option, "part": _check_part}


# ---- from the command line -----------------------------------------------------------------------------------


def quantity_from_text(text: str, spec: Spec, where: str) -> Any:
    numbers, _, unit = text.strip().partition(" ")
    try:
        values = [float(v) for v in numbers.split(",")]
        value = (values if spec.shape else values[0]) * u.Unit(unit or spec.unit)
    except (ValueError, TypeError):
        example = ",".join(["1"] * (spec.shape[0] if spec.shape else 1))
        raise InputError(f"{where}: {text!r} is no value such as '{example} {spec.unit}'.") from None
    return value


def option_from_text(text: str, spec: Spec, where: str) -> Any:
    if text.lower() in ("none", "true", "false"):
        return {"none": None, "true": True, "false": False}[text.lower()]
    parts = [text] if spec.of_type is str else [_number_or_text(t.strip()) for t in text.split(",")]
    return parts[0] if len(parts) == 1 else tuple(parts)


def epoch_from_text(text: str, where: str, more: str = "") -> Any:
    try:
        return time_from_text(text.strip())
    except ValueError:
        raise InputError(f"{where}: {text!r} is no time such as J2050 or 2026-03-21{more}.") from None


def _number_or_text(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
