"""Measures of how far two samples of stars, or two fits, are apart, each in units of what is promised."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.angles import dot
from astrokin.stars import Stars
from astrokin.testing.checks import broken, demand
from astrokin.units import MAS_IN_RAD, PARAMETERS

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

FIELDS = {"direction": "mas", "parallax": "mas", "proper_motion": "mas/yr", "radial_velocity": "km/s"}

#: What there and back again may lose: absolute (1e-9 arcsec; mas; mas/yr; km/s), or relative where that is larger.
ROUND_TRIP = {
    "direction": (1e-6, 0.0),
    "parallax": (1e-9, 1e-13),
    "proper_motion": (1e-9, 1e-13),
    "radial_velocity": (1e-9, 1e-13),
}
#: What the same computation on other blocks may lose: the last digit or two.
ROUND_OFF = {
    "direction": (2e-15 / MAS_IN_RAD, 0.0),
    **dict.fromkeys(("parallax", "proper_motion", "radial_velocity"), (2e-15, 4e-15)),
}


def gaps(stars: Stars) -> dict[str, Mask]:
    """Which fields each row lacks."""
    return {name: np.isnan(np.atleast_2d(getattr(stars.raw, name))[-1]) for name in FIELDS}


def distance(one: Stars, other: Stars, name: str) -> Array:
    """How far one field of two samples is apart, row by row; NaN where only one of them has it, 0 where none has."""
    a, b = getattr(one.raw, name), getattr(other.raw, name)
    with np.errstate(invalid="ignore"):
        apart = (
            np.sqrt(dot(a - b, a - b)) / (MAS_IN_RAD if name == "direction" else 1.0) if a.ndim == 2 else np.abs(a - b)
        )
    return np.where(gaps(one)[name] & gaps(other)[name], 0.0, apart)


def size(stars: Stars, name: str) -> Array:
    """The size of one field, row by row; 1 for a missing one."""
    values = getattr(stars.raw, name)
    length = np.sqrt(dot(values, values)) if values.ndim == 2 else np.abs(values)
    return np.nan_to_num(length, nan=1.0)


def demand_same(one: Stars, other: Stars, what: str, limits: Any = ROUND_TRIP, rows: Mask | None = None) -> None:
    """Both samples agree within the limits in every field of the rows."""
    demand(len(one) == len(other), f"{what}: {len(one)} rows, not {len(other)}")
    rows = np.ones(len(one), bool) if rows is None else rows
    for name, (absolute, relative) in limits.items():
        apart, limit = distance(one, other, name), np.maximum(absolute, relative * size(other, name))
        bad = np.flatnonzero(rows & ~(apart <= limit))
        if bad.size:
            worst = bad[np.argmax(np.nan_to_num(apart[bad] / np.maximum(limit[bad], 1e-300), nan=np.inf))]
            broken(
                f"{what}: {name} of row {worst} is off by {apart[worst]:.3g} {FIELDS[name]} "
                f"({limit[worst]:.1g} allowed; {bad.size} of {rows.sum()} rows)"
            )


def demand_covariance(matrix: Array, what: str) -> None:
    """Matrices are finite, symmetric, and without a negative eigenvalue (of their correlation)."""
    if not len(matrix):
        return
    lost = ~np.isfinite(matrix).all(axis=(1, 2))
    demand(not lost.any(), f"{what} is not finite in row {lost.argmax()}")
    scale = np.sqrt(np.maximum(np.abs(np.einsum("nii->ni", matrix)), 1e-300))
    apart = np.abs(matrix - matrix.swapaxes(1, 2)) / scale[:, :, None] / scale[:, None, :]
    demand((apart <= 1e-12).all(), f"{what} is not symmetric: elements differ by {apart.max():.3g} of the errors")
    least = np.linalg.eigvalsh(matrix / scale[:, :, None] / scale[:, None, :])[:, 0]
    demand(
        (least >= -1e-9).all(),
        f"{what} has the eigenvalue {least.min():.3g} (of the correlation) in row {least.argmin()}",
    )


def demand_same_covariance(one: Array, other: Array, what: str, limit: float) -> None:
    """Covariances agree to a fraction of the errors."""
    sigma = np.sqrt(np.abs(np.einsum("...ii->...i", other)))
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = np.abs(one - other) / sigma[..., :, None] / sigma[..., None, :]
    apart = np.where(np.isnan(one) & np.isnan(other) | (one == other), 0.0, apart)
    worst = np.nan_to_num(apart, nan=np.inf).max(initial=0.0)
    demand(worst <= limit, f"{what}: the covariance is off by {worst:.3g} of the errors ({limit:.1g} allowed)")


def demand_same_jacobian(one: Array, other: Array, error: Array, rows: Mask) -> None:
    """Jacobians agree to 1e-6 max(1, |J|), besides the error that the differences own up to."""
    scale = np.maximum(1.0, np.abs(other))
    sure = (error <= 1e-4 * scale) & rows[:, None, None]
    tested = sure.sum(axis=0) if rows.any() else np.ones((6, 6))
    demand(
        (2 * tested >= rows.sum()).all(),
        "no differences to compare with: the effect is too rough, or refuses small steps",
    )
    apart = np.abs(one - other)
    bad = sure & ~(apart <= 1e-6 * scale + 3.0 * error)
    if bad.any():
        row, i, j = np.unravel_index(np.where(bad, np.nan_to_num(apart / scale, nan=np.inf), -1.0).argmax(), bad.shape)
        broken(
            f"d {PARAMETERS[i]} / d {PARAMETERS[j]} of row {row} is {one[row, i, j]:.9g}, "
            f"differences say {other[row, i, j]:.9g} (+- {error[row, i, j]:.1g})"
        )


def demand_same_fit(one: Any, other: Any, what: str, values: float, covariance: float | None = None) -> None:
    """Fits agree to fractions of the standard errors (of `other`)."""
    demand(one.names == other.names, f"{what}: the results are {one.names}, not {other.names}")
    demand(
        set(one.undetermined) == set(other.undetermined),
        f"{what}: undetermined {set(one.undetermined)}, not {set(other.undetermined)}",
    )
    for name in other:
        a, b = (np.asarray(f[name].to_value(other[name].unit)) for f in (one, other))
        sigma = np.asarray(other.error[name].value)
        demand(a.shape == b.shape, f"{what}: {name} has the shape {a.shape}, not {b.shape}")
        least = np.where(np.isnan(sigma), 1e-9, 4e-15) * np.abs(b)  # without an error nothing says what is small
        limit = np.maximum(values * np.nan_to_num(sigma), least)
        with np.errstate(invalid="ignore"):
            fine = (np.isnan(a) & np.isnan(b)) | (np.abs(a - b) <= limit)
        demand(fine.all(), f"{what}: {name} is {a}, not {b} +- {sigma} ({values:.1g} of the error allowed)")
    if covariance is not None and other.covariance is not None:
        demand_same_covariance(one.covariance, other.covariance, what, covariance)
