"""Curves that can be pickled and compared: power laws and tables, Quantities in and out."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from astrokin.errors import InputError
from astrokin.heating.door import LENGTH, plain

Array = NDArray[np.float64]


@dataclass(frozen=True)
class PowerLaw:
    """``value (R / radius)^slope`` in a unit."""

    value: float
    radius: float
    slope: float
    unit: u.UnitBase

    def __call__(self, radius: u.Quantity) -> u.Quantity:
        ratio = plain(radius, LENGTH, "radius") / self.radius
        return (self.value * ratio**self.slope) << self.unit


@dataclass(frozen=True)
class Table:
    """A cubic spline through values at radii; beyond them is an error."""

    radius: tuple[float, ...]
    value: tuple[float, ...]
    unit: u.UnitBase = field(default=u.one)

    @classmethod
    def of(cls, radius: Any, value: Any, unit: u.UnitBase) -> Table:
        """From Quantities, checked."""
        r, v = plain(radius, LENGTH, "radius"), plain(value, unit, "the tabulated curve")
        if r.ndim != 1 or r.shape != v.shape or len(r) < 4 or not (np.diff(r) > 0.0).all():
            raise InputError(
                f"A tabulated curve needs at least four radii, strictly increasing, and a value at each; "
                f"the shapes are {r.shape} and {v.shape}."
            )
        return cls(tuple(r.tolist()), tuple(v.tolist()), unit)

    @cached_property
    def _spline(self) -> Any:
        return CubicSpline(self.radius, self.value)

    def __call__(self, radius: u.Quantity) -> u.Quantity:
        r = plain(radius, LENGTH, "radius")
        if (r < self.radius[0]).any() or (r > self.radius[-1]).any():
            raise InputError(
                f"The tabulated curve goes from {self.radius[0]:g} to {self.radius[-1]:g} kpc; it is asked for "
                f"{np.min(r):.4g} to {np.max(r):.4g} kpc (derivatives look 0.4 per cent farther)."
            )
        return self._spline(r) << self.unit
