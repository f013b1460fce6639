"""What follows from the results of a solution: the radial velocity of six parameters, Campbell's elements of an orbit.

All is safe for complex numbers, through which errors are propagated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.units import A

Values = NDArray[Any]

_KM_S = u.km / u.s


def elements(values: Mapping[str, Any]) -> dict[str, Any]:
    """Everything that the results of some model tell."""
    with np.errstate(invalid="ignore", divide="ignore"):
        if "radial_proper_motion" in values:
            return {"radial_velocity": _radial_velocity(values)}
        return _campbell(values) if "F" in values else {}


def _radial_velocity(values: Mapping[str, Any]) -> Any:
    mu, parallax = values["radial_proper_motion"].value, values["parallax"].value
    return np.where(parallax.real > 0, A * mu / parallax, np.nan) * _KM_S


def _campbell(values: Mapping[str, Any]) -> dict[str, Any]:
    r"""Semi-major axis, inclination, node and periastron.

    Radial velocities tell the ascending node (where the source recedes) from the other; without them the node lies
    in 0 … 180 deg.
    """
    a, b, f, g = (np.atleast_1d(values[k].value) for k in "ABFG")
    half, product = 0.5 * (a * a + b * b + f * f + g * g), a * g - b * f
    square = half + np.sqrt((half - product) * (half + product) + 0j)
    square = square if np.iscomplexobj(a + b + f + g) else square.real
    both, apart = _angle(b - f, a + g), _angle(-b - f, a - g)
    node, periastron = 0.5 * (both - apart), 0.5 * (both + apart)
    other = _other_node(values, node, periastron)
    node, periastron = (np.where(other, x + np.pi, x) for x in (node, periastron))
    out = {
        "semi_major_axis": np.sqrt(square) * u.mas,
        "inclination": np.degrees(1.0) * _arc_cosine(product / square) * u.deg,
        "node": np.degrees(1.0) * _turned(node) * u.deg,
        "periastron": np.degrees(1.0) * _turned(periastron) * u.deg,
    }
    if "C" in values:
        out["semi_amplitude"] = _semi_amplitude(values)
    shape = np.shape(values["A"])
    return {k: v.reshape(shape) for k, v in out.items()}


def _other_node(values: Mapping[str, Any], node: Values, periastron: Values) -> Any:
    """Whether both angles are half a turn off: by the radial velocities, or for the node to lie in 0 … 180 deg."""
    if "C" not in values:
        return (node.real % (2.0 * np.pi)) >= np.pi
    c, h = (np.atleast_1d(values[k].value).real for k in "CH")
    return c * np.sin(periastron.real) + h * np.cos(periastron.real) < 0.0


def _semi_amplitude(values: Mapping[str, Any]) -> Any:
    c, h, e, period = (np.atleast_1d(values[k].value) for k in ("C", "H", "eccentricity", "period"))
    years = period / 365.25
    return np.sqrt(c * c + h * h) * (2.0 * np.pi * A) / (years * np.sqrt((1.0 - e) * (1.0 + e))) * _KM_S


def _angle(y: Values, x: Values) -> Values:
    """The arc tangent of y/x in the right quadrant, with its derivative where they are complex."""
    plain = np.arctan2(y.real, x.real)
    if not (np.iscomplexobj(y) or np.iscomplexobj(x)):
        return plain
    square = x.real**2 + y.real**2
    return plain + 1j * (x.real * np.imag(y) - y.real * np.imag(x)) / square


def _arc_cosine(x: Values) -> Values:
    """As numpy's, with its derivative where x is complex."""
    plain = np.arccos(np.clip(x.real, -1.0, 1.0))
    if not np.iscomplexobj(x):
        return plain
    return plain - 1j * np.imag(x) / np.sqrt(1.0 - x.real**2)


def _turned(angle: Values) -> Values:
    """The angle in 0 … 2 pi."""
    return angle - 2.0 * np.pi * np.floor(angle.real / (2.0 * np.pi))
