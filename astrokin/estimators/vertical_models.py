"""Densities, dispersions and tilts as functions of height, each with its first two derivatives.

All are safe for complex numbers.

Heights are |z| in kpc, velocities in km/s. A density is known up to its logarithm: ln(nu), with nu in stars per kpc.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
#: A function of height with its first and second derivative.
Curve = tuple[Any, Any, Any]

LN2 = float(np.log(2.0))
#: Units of the coefficients of powers of the height.
_MOMENT_UNIT = ("km2 / s2", "km2 / (s2 kpc)", *(f"km2 / (s2 kpc{k})" for k in range(2, 9)))


class Model(Protocol):
    """A function of height with parameters: the logarithm of a density, or a second moment of velocities."""

    @property
    def size(self) -> int:
        """Number of parameters."""

    def curve(self, z: Array, theta: Any) -> Curve:
        """Value and derivatives at heights (n,)."""

    def named(self, theta: Any) -> Mapping[str, tuple[Any, str]]:
        """The parameters that a reader wants, by name, with the text of their unit."""


# ---- densities -------------------------------------------------------------------------------------------


def log_cosh(x: Any) -> Any:
    """ln cosh x without overflow, for complex x too."""
    x = np.where(np.real(x) < 0.0, -x, x)
    return x + np.log1p(np.exp(-2.0 * x)) - LN2


@dataclass(frozen=True)
class Exponential:
    """nu = exp(a - z/h); theta = (a, ln h)."""

    size = 2
    level = slice(0, 1)

    def curve(self, z: Array, theta: Any) -> Curve:
        slope = np.exp(-theta[1])
        return theta[0] - slope * z, -slope + 0.0 * z, 0.0 * slope * z

    def named(self, theta: Any) -> Mapping[str, tuple[Any, str]]:
        return {"scale_height": (np.exp(theta[1]), "kpc")}

    def start(self, mean: float) -> list[float]:
        """Parameters of a density of unit size and a mean height."""
        return [0.0, np.log(mean)]


@dataclass(frozen=True)
class Sech2(Exponential):
    """nu = e^a sech^2(z/h); theta = (a, ln h)."""

    def curve(self, z: Array, theta: Any) -> Curve:
        k = np.exp(-theta[1])
        t = np.tanh(k * z)
        return theta[0] - 2.0 * log_cosh(k * z), -2.0 * k * t, -2.0 * k * k * (1.0 - t * t)

    def start(self, mean: float) -> list[float]:
        return [0.0, np.log(mean / LN2)]


@dataclass(frozen=True)
class Gaussian(Exponential):
    """nu = exp(a - z^2/(2 h^2)); theta = (a, ln h)."""

    def curve(self, z: Array, theta: Any) -> Curve:
        k = np.exp(-2.0 * theta[1])
        return theta[0] - 0.5 * k * z * z, -k * z, -k + 0.0 * z

    def start(self, mean: float) -> list[float]:
        return [0.0, np.log(mean * np.sqrt(0.5 * np.pi))]


@dataclass(frozen=True)
class TwoComponent:
    """nu = e^a [(1 - f) sech^2(z/h1) + f sech^2(z/h2)]; theta = (a, logit f, ln h1, ln h2)."""

    size = 4
    level = slice(0, 1)

    def curve(self, z: Array, theta: Any) -> Curve:
        a, t, *lengths = theta
        logs = -_softplus(t), -_softplus(-t)  # of 1 - f and f
        parts = [Sech2().curve(z, (s, length)) for s, length in zip(logs, lengths, strict=True)]
        top = np.maximum(np.real(parts[0][0]), np.real(parts[1][0]))
        sizes = [np.exp(p[0] - top) for p in parts]
        total = sizes[0] + sizes[1]
        shares = [s / total for s in sizes]
        slope = sum(s * p[1] for s, p in zip(shares, parts, strict=True))
        bend = sum(s * (p[2] + p[1] * p[1]) for s, p in zip(shares, parts, strict=True)) - slope * slope
        return a + top + np.log(total), slope, bend

    def named(self, theta: Any) -> Mapping[str, tuple[Any, str]]:
        return {
            "scale_height_1": (np.exp(theta[2]), "kpc"),
            "scale_height_2": (np.exp(theta[3]), "kpc"),
            "share_2": (1.0 / (1.0 + np.exp(-theta[1])), ""),
        }

    def start(self, mean: float) -> list[float]:
        return [0.0, -1.0, np.log(0.7 * mean / LN2), np.log(2.0 * mean / LN2)]


def _softplus(t: Any) -> Any:
    """ln(1 + e^t), for complex t too."""
    flipped = np.where(np.real(t) > 0.0, -t, t)
    return np.log1p(np.exp(flipped)) + np.where(np.real(t) > 0.0, t, 0.0)


@dataclass(frozen=True)
class Isothermal:
    """An isothermal tracer in the field of a sheet and a constant density: nu = e^a cosh(z/z0)^(-s z0) exp(-q z^2/2).

    theta = (a, ln k, ln s, q), with k = s/z0 + q the curvature -(ln nu)'' in the plane and s the slope that the
    sheet alone makes far from it: combinations that a sample determines nearly independently.
    """

    size = 4
    level = slice(0, 1)

    def curve(self, z: Array, theta: Any) -> Curve:
        a, s, q = theta[0], np.exp(theta[2]), theta[3]
        rate = (np.exp(theta[1]) - q) / s  # 1/z0
        t = np.tanh(rate * z)
        value = a - s / rate * log_cosh(rate * z) - 0.5 * q * z * z
        return value, -s * t - q * z, -s * rate * (1.0 - t * t) - q

    def named(self, theta: Any) -> Mapping[str, tuple[Any, str]]:
        return {
            "curvature": (np.exp(theta[1]), "1 / kpc2"),
            "sheet_slope": (np.exp(theta[2]), "1 / kpc"),
            "halo_curvature": (theta[3], "1 / kpc2"),
        }

    def start(self, mean: float) -> list[float]:
        h = mean / LN2
        return [0.0, np.log(2.0 / h**2), np.log(1.8 / h), 0.2 / h**2]


DENSITIES: dict[str, Any] = {
    "sech2": Sech2(),
    "exponential": Exponential(),
    "gaussian": Gaussian(),
    "two-component": TwoComponent(),
    "isothermal": Isothermal(),
}


# ---- second moments --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Powers:
    """A sum of powers of |z|: sigma^2 = sum of c_k z^k; theta = the coefficients."""

    powers: tuple[int, ...]
    name: str = "sigma_zz"

    @property
    def size(self) -> int:
        """Number of coefficients."""
        return len(self.powers)

    def curve(self, z: Array, theta: Any) -> Curve:
        out: list[Any] = [0.0 * z, 0.0 * z, 0.0 * z]
        for k, c in zip(self.powers, theta, strict=True):
            for order in range(3):
                factor = float(np.prod(np.arange(k, k - order, -1)))
                if factor:
                    out[order] = out[order] + c * factor * z ** (k - order)
        return out[0], out[1], out[2]

    def named(self, theta: Any) -> Mapping[str, tuple[Any, str]]:
        return {f"{self.name}_{k}": (c, _MOMENT_UNIT[k]) for k, c in zip(self.powers, theta, strict=True)}

    def start(self, variance: float) -> list[float]:
        """Coefficients of a constant second moment."""
        out = [0.0] * self.size
        if 0 in self.powers:
            out[self.powers.index(0)] = variance
        return out


# ---- tilts -----------------------------------------------------------------------------------------------


def linear_tilt(z: Array, slope: Any) -> Curve:
    """sigma_Rz = slope z."""
    return slope * z, slope + 0.0 * z, 0.0 * slope * z


def spheroidal_tilt(z: Array, alignment: Any, radius: float, across: Curve, along: Curve) -> Curve:
    r"""sigma_Rz of an ellipsoid aligned with prolate spheroidal coordinates.

    sigma_Rz = (sigma_RR - sigma_zz)/2 tan(2 alpha), with tan(2 alpha) = 2 a R z / (R^2 - a z^2) and a = 1/(1 +
    (Delta/R)^2): a = 1 is aligned with spherical, a = 0 with cylindrical coordinates; Delta is the focal length.
    """
    half = [0.5 * (one - other) for one, other in zip(across, along, strict=True)]
    a, r2 = alignment, radius * radius
    below = r2 - a * z * z
    tan = 2.0 * a * radius * z / below
    slope = 2.0 * a * radius * (r2 + a * z * z) / below**2
    bend = 4.0 * a * a * radius * z * (3.0 * r2 + a * z * z) / below**3
    return (
        half[0] * tan,
        half[1] * tan + half[0] * slope,
        half[2] * tan + 2.0 * half[1] * slope + half[0] * bend,
    )


# ---- the Jeans equation ----------------------------------------------------------------------------------


def tilt_factor(radius: float, k_density: Any, k_tilt: Any) -> Any:
    """(1/(nu R)) d(R nu sigma_Rz)/dR over sigma_Rz, 1/kpc; the k are inverse scale lengths of nu and sigma_Rz."""
    return 1.0 / radius - k_density - k_tilt


def tilt_term(z: Array, moment: Curve, factor: Any, rise: Any = 0.0) -> tuple[Any, Any]:
    """The tilt term and its derivative: `moment` is sigma_Rz, `rise` times z what is known of its derivative in R."""
    return moment[0] * factor + rise * z, moment[1] * factor + rise + 0.0 * z


def force(log_density: Curve, moment: Curve, tilt: tuple[Any, Any] | None = None) -> tuple[Any, Any, Any]:
    r"""K_z, its derivative, and the tilt term in it, all per kpc: the vertical Jeans equation.

    .. math:: K_z = \frac{1}{\nu}\frac{\partial(\nu\sigma_{zz}^2)}{\partial z}
                  + \frac{1}{\nu R}\frac{\partial(R\nu\sigma_{Rz})}{\partial R}
    """
    _, slope, bend = log_density
    variance, rise, curl = moment
    k = variance * slope + rise
    gradient = rise * slope + variance * bend + curl
    if tilt is None:
        return k, gradient, 0.0 * k
    return k + tilt[0], gradient + tilt[1], tilt[0]
