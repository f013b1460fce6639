"""Parameters of effects and estimators: Quantity-or-column fields, checked when the object is made.

A parameter is declared once, as a dataclass field; checking, conversion, binding to columns, comparison,
hashing, pickling and reading from the command line follow from the declaration.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import MISSING, field
from functools import cached_property
from typing import Any, Self

import astropy.units as u
import numpy as np

from astrokin.errors import ArgumentError, InputError
from astrokin.parameter_spec import Spec
from astrokin.parameter_values import TYPES, Column
from astrokin.units import is_quantity

__all__ = [
    "Column",
    "Parametrised",
    "Spec",
    "column",
    "epoch_parameter",
    "option",
    "parameter",
    "part_parameter",
    "value_key",
]

_KEY = "astrokin"


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
    if kind is not None and kind not in TYPES:
        raise InputError(f"option(kind={kind!r}): it can be {', '.join(t.__name__ for t in TYPES)}.")
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
