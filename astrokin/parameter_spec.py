"""`Spec`: what a parameter may be, and the values of one that comes from a column, row by row."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import astropy.units as u
import numpy as np

from astrokin.errors import InputError
from astrokin.parameter_values import CHECKS, Column, epoch_from_text, option_from_text, quantity_from_text
from astrokin.times import julian_years
from astrokin.units import is_quantity, plain_values, raw_values


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
        return CHECKS[self.kind](self, value, where)

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
            return quantity_from_text(text, self, where)
        if self.kind == "epoch":
            return epoch_from_text(text, where)
        return option_from_text(text, self, where)


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
