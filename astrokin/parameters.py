"""Parameters of effects and estimators: Quantity-or-column fields, checked when the object is made.

A parameter is declared once, as a dataclass field; checking, conversion, binding to columns, comparison,
hashing, pickling and reading from the command line follow from the declaration.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from dataclasses import MISSING, dataclass, field
from functools import cached_property
from typing import Any, Self

import astropy.units as u
import numpy as np

from astrokin.errors import ArgumentError, InputError, closest_first
from astrokin.times import demand_scale, julian_years, time_from_text
from astrokin.units import is_quantity, plain_values, raw_values

_KEY = "astrokin"


@dataclass(frozen=True)
class Column:
    """The name of a column that holds one value of a parameter per row."""

    name: str

    def __repr__(self) -> str:
        return f"ak.column({self.name!r})"


def column(name: str) -> Column:
    """Take a parameter from a column of the data, one value per row.

    Parameters
    ----------
    name : str
        The column's name. A column without a unit is taken in the unit of the parameter.

    Examples
    --------
    >>> import astrokin as ak
    >>> ak.column("period")
    ak.column('period')
    """
    return Column(name)


@dataclass(frozen=True)
class Spec:
    """What a parameter may be; made by `parameter`, `epoch_parameter` and `option`."""

    kind: str
    doc: str = ""
    unit: u.UnitBase | None = None
    shape: tuple[int, ...] = ()
    allowed: tuple[Any, ...] = ()
    per_row: bool = True
    optional: bool = False
    physical: Callable[[Any], Any] | None = None
    domain: str = ""
    part: type | None = None
    reader: Callable[[str, str], Any] | None = None
    of_type: type | None = None

    @property
    def plain(self) -> bool:
        """Whether it is a pure number, such as an eccentricity, for which nobody needs to write a unit."""
        return self.kind == "quantity" and self.unit == u.dimensionless_unscaled

    @cached_property
    def component(self) -> Spec:
        """What one component of a vector may be."""
        return dataclasses.replace(self, shape=(), optional=False)

    def checked(self, value: Any, where: str) -> Any:
        """The value as it is stored, or an error that names `where`."""
        if isinstance(value, Column) and self.kind != "part":
            if not self.per_row:
                raise InputError(f"{where} cannot be a column: it is one value for all rows.")
            return value
        if value is None and self.optional:
            return None
        return _CHECKS[self.kind](self, value, where)

    def bound(self, value: Any, name: str) -> Any:
        """The per-row values of a column, rows last, in the parameter's unit; NaN outside its domain."""
        if self.kind == "epoch":
            return _epochs_by_row(value, name)
        if self.kind != "quantity":
            return value
        plain = self._by_row(value, name)
        fits = self._fits(plain)
        if not np.all(fits):
            plain = np.where(fits, plain, np.nan)
        return value if plain is getattr(value, "value", None) else u.Quantity(plain, self.unit, copy=False)

    def _by_row(self, value: Any, name: str) -> Any:
        what = f"column {name!r}"
        if is_quantity(value):
            plain = raw_values(value, self.unit, what)
        else:
            plain = raw_values(plain_values(value, what) << self.unit, self.unit, what)
        if plain.shape[1:] != self.shape:
            raise InputError(f"column {name!r} holds {plain.shape[1:]} per row; {self.shape or 'a scalar'} is needed.")
        return np.moveaxis(plain, 0, -1) if self.shape else plain

    def _fits(self, plain: Any) -> Any:
        """Where values lie in the domain; what is missing lies in it too."""
        if self.physical is None:
            return True
        with np.errstate(invalid="ignore"):
            fits = np.asarray(self.physical(plain))
        return True if fits.all() else fits | np.isnan(plain)

    def unfit(self, value: Any, name: str) -> dict[str, Any]:
        """Rows of a column, as masks (n,) by reason, in which there is no value or one outside the domain."""
        if self.kind == "epoch":
            return {f"no value in column {name!r}": _missing_times(_epochs_by_row(value, name))}
        plain = self._by_row(value, name)
        rows = (math.prod(plain.shape[:-1]), plain.shape[-1])  # -1 is no number of components where there are no rows
        fits, found = self._fits(plain), {}
        if np.isnan(plain.sum()):  # one quick look where nothing is missing
            found[f"no value in column {name!r}"] = np.isnan(plain).reshape(rows).any(axis=0)
        if fits is not True:
            found[f"column {name!r}: {self.domain} is needed"] = ~fits.reshape(rows).all(axis=0)
        return found

    def from_text(self, text: str, where: str) -> Any:
        """The value of a command-line setting such as ``11.1,12.24,7.25 km/s``."""
        if self.optional and text.lower() == "none":
            return None
        if self.reader is not None:
            return self.reader(text, where)
        if text.startswith("column:"):
            return Column(text.removeprefix("column:"))
        if self.kind == "quantity":
            return _quantity_from_text(text, self, where)
        if self.kind == "epoch":
            return _epoch_from_text(text, where)
        return _option_from_text(text, self, where)


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
        return _epoch_from_text(value, where, f"; for a column write ak.column({value!r})")
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
_TYPES: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool, np.bool_), "True or False"),
    int: ((int, np.integer), "a whole number"),
    float: ((int, float, np.integer, np.floating), "a number"),
    str: ((str,), "a text"),
}


def _of_type(spec: Spec, value: Any, where: str) -> Any:
    taken, words = _TYPES[spec.of_type]  # type: ignore[index]
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


_CHECKS = {"quantity": _check_quantity, "epoch": _check_epoch, "option": _check_option, "part": _check_part}


def _epochs_by_row(value: Any, name: str) -> Any:
    """A column of times as it is, or as Julian years TCB: (n,), or (n, 2) in two doubles."""
    years = value if hasattr(value, "jd1") else julian_years(value, f"column {name!r}")
    if len(years.shape) != 1 and (hasattr(value, "jd1") or years.shape[1:] != (2,)):
        raise InputError(
            f"column {name!r} holds {years.shape[1:]} per row; one time is needed, or a Julian year in two doubles."
        )
    return years


def _missing_times(value: Any) -> Any:
    """Rows (n,) of a column of times, or of Julian years in one double or two, that hold none."""
    if hasattr(value, "jd1"):
        return np.asarray(value.mask) | np.isnan(np.ma.filled(getattr(value.jd2, "unmasked", value.jd2), np.nan))
    plain: Any = np.ma.filled(np.ma.asarray(getattr(value, "value", value), float), np.nan)
    return np.isnan(plain).any(axis=tuple(range(1, plain.ndim)))


def _quantity_from_text(text: str, spec: Spec, where: str) -> Any:
    numbers, _, unit = text.strip().partition(" ")
    try:
        values = [float(v) for v in numbers.split(",")]
        value = (values if spec.shape else values[0]) * u.Unit(unit or spec.unit)
    except (ValueError, TypeError):
        example = ",".join(["1"] * (spec.shape[0] if spec.shape else 1))
        raise InputError(f"{where}: {text!r} is no value such as '{example} {spec.unit}'.") from None
    return value


def _option_from_text(text: str, spec: Spec, where: str) -> Any:
    if text.lower() in ("none", "true", "false"):
        return {"none": None, "true": True, "false": False}[text.lower()]
    parts = [text] if spec.of_type is str else [_number_or_text(t.strip()) for t in text.split(",")]
    return parts[0] if len(parts) == 1 else tuple(parts)


def _epoch_from_text(text: str, where: str, more: str = "") -> Any:
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


def parameter(
    default: Any = MISSING,
    *,
    unit: Any = None,
    shape: tuple[int, ...] = (),
    doc: str = "",
    per_row: bool = True,
    optional: bool = False,
    physical: Callable[[Any], Any] | None = None,
    domain: str = "",
) -> Any:
    """Declare a Quantity parameter of an effect or estimator, as a dataclass field.

    Parameters
    ----------
    default : `~astropy.units.Quantity` or callable, optional
        The default, or a function that returns it when the object is made.
    unit : unit, optional
        The unit inside, and the kind of unit that is accepted; the default's unit where not given.
    shape : tuple of int
        ``()`` for a scalar, ``(3,)`` for a vector.
    doc : str
        One line for the documentation page and ``astrokin show``.
    per_row : bool
        Whether ``ak.column(…)`` may stand in for it.
    optional : bool
        Whether None is allowed.
    physical : callable, optional
        Given the plain value(s) in `unit`, says which are allowed; `domain` says it in words
        (``"a positive period"``). Rows of a column outside are refused by that reason.
    domain : str
        See `physical`.

    Returns
    -------
    dataclasses.Field
        For use in the body of a frozen dataclass.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> shift: u.Quantity = ak.parameter(0.6 * u.km / u.s, doc="velocity equivalent of the redshift")
    """
    if unit is None and not is_quantity(default):
        raise InputError("parameter() needs a default with a unit, or unit=.")
    inside = u.Unit(unit) if unit is not None else default.unit
    return _field(
        default, Spec("quantity", doc, inside, shape, (), per_row, optional or default is None, physical, domain)
    )


def epoch_parameter(default: Any = MISSING, *, doc: str = "", per_row: bool = True) -> Any:
    """Declare a parameter that is a `~astropy.time.Time`, its text or a Julian year TCB, as a dataclass field."""
    return _field(default, Spec("epoch", doc, per_row=per_row, optional=default is None))


def part_parameter(
    part: type, needed: str, *, default: Any = MISSING, doc: str = "", reader: Callable[[str, str], Any] | None = None
) -> Any:
    """Declare a parameter that has parameters of its own, as a dataclass field.

    Parameters
    ----------
    part : type
        The class, a `Parametrised`, of which an instance is needed.
    needed : str
        What to give, in words, for the error message.
    default : object, optional
        None makes it optional.
    doc : str
        One line for the documentation page.
    reader : callable, optional
        From a text of the command line, and where it stands, to the instance.
    """
    spec = Spec("part", doc, per_row=False, optional=default is None, domain=needed, part=part, reader=reader)
    return _field(default, spec)


def option(
    default: Any = MISSING,
    *,
    allowed: tuple[Any, ...] = (),
    doc: str = "",
    physical: Callable[[Any], Any] | None = None,
    domain: str = "",
    kind: type | None = None,
) -> Any:
    """Declare a plain option (a word, a number, a flag), as a dataclass field.

    `allowed` lists its values; or `kind`, one of bool, int, float and str, says of what type they are.
    """
    optional = default is None and not allowed
    if kind is not None and kind not in _TYPES:
        raise InputError(f"option(kind={kind!r}): it can be {', '.join(t.__name__ for t in _TYPES)}.")
    spec = Spec(
        "option", doc, allowed=allowed, per_row=False, optional=optional, physical=physical, domain=domain, of_type=kind
    )
    return _field(default, spec)


def _field(default: Any, spec: Spec) -> Any:
    if default is not MISSING and callable(default):
        return field(default_factory=default, metadata={_KEY: spec})
    return field(default=default, metadata={_KEY: spec})


class Parametrised:
    """Base of frozen dataclasses with declared parameters: checks, binding, `==`, hash and pickling by value."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # In the class's own namespace, so that @dataclass leaves them alone: its own fail on array Quantities.
        for name in ("__eq__", "__hash__"):
            if name not in cls.__dict__:
                setattr(cls, name, getattr(Parametrised, name))

    def __post_init__(self) -> None:
        for name, spec in self.specs():
            object.__setattr__(self, name, spec.checked(getattr(self, name), f"{type(self).__name__}.{name}"))

    @classmethod
    def specs(cls) -> Iterator[tuple[str, Spec]]:
        """The declared parameters, as (name, `Spec`) in the order of their declaration."""
        if not hasattr(cls, "__dataclass_fields__"):
            raise ArgumentError(f"{cls.__name__} is no dataclass: write @dataclass(frozen=True) above its class.")
        for f in dataclasses.fields(cls):  # type: ignore[arg-type]
            if _KEY in f.metadata:
                yield f.name, f.metadata[_KEY]

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """The columns of the data that the parameters name."""
        found: list[str] = []
        for name, _ in self.specs():
            value = getattr(self, name)
            if isinstance(value, Parametrised):
                found += value.column_names
            found += [v.name for v in (value if isinstance(value, tuple) else (value,)) if isinstance(v, Column)]
        return tuple(dict.fromkeys(found))

    def bound(self, rows: Any) -> Self:
        """The same object with every `Column` replaced by that column of `rows`."""
        if not self.column_names:
            return self
        new = object.__new__(type(self))
        for f in dataclasses.fields(self):  # type: ignore[arg-type]
            object.__setattr__(new, f.name, _bound_value(getattr(self, f.name), f.metadata.get(_KEY), rows))
        return new

    def unfit(self, rows: Any) -> dict[str, Any]:
        """Rows, as masks (n,) by reason, whose columns hold no value of a parameter, or one outside its domain."""
        found: dict[str, Any] = {}
        for name, spec in self.specs() if self.column_names else ():
            value = getattr(self, name)
            if isinstance(value, Parametrised):
                found.update(value.unfit(rows))
            spec = spec.component if isinstance(value, tuple) and spec.shape else spec
            for part in value if isinstance(value, tuple) else (value,):
                if isinstance(part, Column):
                    found.update(spec.unfit(rows[part.name], part.name))
        return {reason: mask for reason, mask in found.items() if mask.any()}

    def options(self) -> dict[str, Any]:
        """All fields by name, as stored: what the provenance records."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}  # type: ignore[arg-type]

    def __eq__(self, other: object) -> bool:
        return value_key(self) == value_key(other) if type(other) is type(self) else NotImplemented

    def __hash__(self) -> int:
        return hash(value_key(self))


def _bound_value(value: Any, spec: Spec | None, rows: Any) -> Any:
    if spec is None:
        return value
    if isinstance(value, Parametrised):
        return value.bound(rows)
    if isinstance(value, Column):
        return spec.bound(rows[value.name], value.name)
    if isinstance(value, tuple) and any(isinstance(v, Column) for v in value):
        out = np.empty((len(value), len(rows)))
        for part, into in zip(value, out, strict=True):
            into[:] = _bound_value(part, spec.component, rows).to_value(spec.unit)
        return u.Quantity(out, spec.unit, copy=False)
    return value


def value_key(value: Any) -> Any:
    """A hashable stand-in that is equal where the values are equal (Quantities, arrays, times, locations)."""
    if isinstance(value, Parametrised):
        return (type(value), *((k, value_key(v)) for k, v in value.options().items()))
    if is_quantity(value) and hasattr(value, "to_value"):
        return (str(value.unit), value_key(np.asarray(value.value)))
    if isinstance(value, np.ndarray):
        return (value.shape, value.dtype.str, value.tobytes())
    if hasattr(value, "jd1"):
        return (value.scale, value_key(np.asarray(value.jd1)), value_key(np.asarray(value.jd2)))
    if isinstance(value, list | tuple):
        return tuple(value_key(v) for v in value)
    return value
