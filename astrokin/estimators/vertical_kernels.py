"""Sums over the stars of a block, in bins of height and radius: of weights, velocities and their errors."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from astrokin.estimators.vertical_motion import Frame, Limits, Motion, motion

Array = NDArray[np.float64]

#: Powers (of v_z, of v_R) of the velocity moments that are summed: all to fourth order.
POWERS = tuple((a, b) for order in range(1, 5) for a in range(order, -1, -1) for b in (order - a,))
#: The sums by name: weights (of the density, of the velocities), radii, errors, and the moments.
NAMES = (
    *("count", "weight", "weight2", "moving", "moving2", "radius", "eps"),
    *("C_zz", "C_Rz", "C_RR", "c_zz", "c_Rz", "c_RR", "eps_zz", "eps_Rz"),
    *(f"m{a}{b}" for a, b in POWERS),
)
PLACE = {name: i for i, name in enumerate(NAMES)}
_OF_ERRORS = {(1, 1): "C_zz", (0, 1): "C_Rz", (0, 0): "C_RR"}
#: The sign of each sum where "upward" means southward: of what is odd in v_z.
_IN_THE_SOUTH = np.array(
    [-1.0 if name.endswith("_Rz") or name in {f"m{a}{b}" for a, b in POWERS if a % 2} else 1.0 for name in NAMES]
)[:, None, None, None]


@dataclass(frozen=True)
class Bins:
    """The bins: of equal width in |z|, on both sides of the plane, and in R.

    Attributes
    ----------
    z_min, z_max : float
        In kpc.
    n_z : int
        On each side.
    R_min, R_max : float
        In kpc; 0 and infinity where all radii are taken.
    n_R : int
    """

    z_min: float
    z_max: float
    n_z: int
    R_min: float = 0.0
    R_max: float = np.inf
    n_R: int = 1

    @property
    def z_edges(self) -> Array:
        """Edges in |z|, kpc."""
        return np.linspace(self.z_min, self.z_max, self.n_z + 1)

    @property
    def R_edges(self) -> Array:
        """Edges in R, kpc."""
        return np.linspace(self.R_min, self.R_max, self.n_R + 1) if self.n_R > 1 else np.array([self.R_min, self.R_max])

    @property
    def centres(self) -> Array:
        """Middles of the bins in |z|, kpc."""
        edges = self.z_edges
        return 0.5 * (edges[1:] + edges[:-1])

    @property
    def limits(self) -> Limits:
        """Between which stars stand in some bin."""
        return Limits(self.z_min, self.z_max, self.R_min, self.R_max)

    def index(self, z: Array, radius: Array) -> NDArray[np.intp]:
        """The bin of stars within: side (south 0, north 1) and height, and before them the radius."""
        place = self.height(z)
        place += self.n_z * (z >= 0.0)
        if self.n_R > 1:
            place += 2 * self.n_z * _place(radius, self.R_min, self.R_max, self.n_R)
        return place

    def height(self, z: Array) -> NDArray[np.intp]:
        """The bin in |z|."""
        return _place(np.abs(z), self.z_min, self.z_max, self.n_z)

    @property
    def cells(self) -> int:
        """How many bins there are in all."""
        return self.n_R * 2 * self.n_z


def _place(x: Array, low: float, high: float, n: int) -> NDArray[np.intp]:
    scaled = (x - low if low else x) * (n / (high - low))
    np.fmin(scaled, n - 0.5, out=scaled)  # also of what is infinite or NaN
    place = scaled.astype(np.intp)
    return np.maximum(place, 0, out=place)


@dataclass(frozen=True)
class Sums:
    """Sums over stars in bins, by group: what a block leaves.

    Velocities are in the Galactic rest frame, v_z upward *away from the plane*: their means are far below their
    dispersions, so that sums of powers lose nothing.

    Attributes
    ----------
    values : ndarray, shape (G, n_R, 2, n_z, q)
        In the order of `NAMES`; the third axis is south, north.
    without_errors : ndarray, shape (G,)
        Stars of which the errors of parallax and proper motion are not known.
    """

    values: Array
    without_errors: Array

    def merge(self, other: Self) -> Self:
        """The sums over both blocks."""
        return type(self)(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __getitem__(self, name: str) -> Array:
        return self.values[..., PLACE[name]]


# ---- sums ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Weights:
    """The driver's weight of each row (how often it counts), and the density's; None for one each."""

    times: Array | None
    density: Array | None


def sums(rows: Any, frame: Frame, bins: Bins, weights: Weights, group: Any, n_groups: int, order: str) -> Sums:
    """The sums over a block of stars within the bins; `order` says which second moments are asked for: to z, Rz, RR."""
    pairs = {"z": ((1, 1),), "Rz": ((0, 1), (1, 1)), "RR": ((0, 0), (0, 1), (1, 1))}[order]
    seen = motion(rows, frame, pairs)
    index = bins.index(seen.z, seen.radius)
    if group is not None:
        index += bins.cells * group
    total = n_groups * bins.cells
    out = np.zeros((len(NAMES), total))
    counts = np.bincount(index, minlength=total)
    for name, values in _of_all(seen, weights):
        out[PLACE[name]] = counts if values is None else np.bincount(index, values, total)
    runs = _Runs.of(index, seen.velocity, counts)
    for name, values in _of_moving(seen, weights, order, runs.take):
        out[PLACE[name], runs.cells] = (
            runs.counts if values is None else np.add.reduceat(values, runs.starts, dtype=float)
        )
    values = out.reshape(len(NAMES), n_groups, bins.n_R, 2, bins.n_z)
    values[:, :, :, 0] *= _IN_THE_SOUTH
    return Sums(np.moveaxis(values, 0, -1), _without_errors(rows, group, n_groups))


@dataclass(frozen=True)
class _Runs:
    """The stars whose velocity is known, one cell after the other: sums over runs take a quarter of those by index.

    Attributes
    ----------
    rows : ndarray of int
        Which stars, in the order of the cells.
    cells, counts, starts : ndarray of int
        The cells with some of them, how many, and where each begins.
    """

    rows: NDArray[np.intp]
    cells: NDArray[np.intp]
    counts: NDArray[np.intp]
    starts: NDArray[np.intp]

    @classmethod
    def of(cls, index: NDArray[np.intp], velocity: Array, counts: NDArray[np.intp]) -> Self:
        """From the cell of each star, the velocities (2, n), and how many stars there are in each cell."""
        small = np.min_scalar_type(len(counts))  # few cells: sorted by their digits
        rows = np.argsort(index.astype(small), kind="stable")
        if velocity.size and np.isnan(velocity.min()):
            rows = rows[~np.asarray(np.isnan(velocity).any(axis=0))[rows]]
            counts = np.bincount(index[rows], minlength=len(counts))
        cells = np.flatnonzero(counts)
        return cls(rows, cells, counts[cells], (np.cumsum(counts) - counts)[cells])

    def take(self, values: Any) -> Any:
        """Values of these stars, (..., n), in their order; None of None."""
        return None if values is None else np.take(values, self.rows, axis=-1)


def _without_errors(rows: Any, group: Any, n_groups: int) -> Array:
    covariance, n = rows.raw.covariance, len(rows)
    known = covariance is not None and all(map(covariance.knows, ("parallax", "pmra", "pmdec")))
    if known:
        error = covariance.error("parallax")
        if not n or not np.isnan(error.min()):
            return np.zeros(n_groups)
    lost = np.isnan(error).astype(float) if known else np.ones(n)
    return np.bincount(np.zeros(n, np.intp) if group is None else group, lost, n_groups).astype(float)


def _of_all(seen: Motion, weights: Weights) -> Any:
    """What is summed of each star by name, None for one each."""
    mass = _product(weights.times, weights.density)
    yield from (("count", weights.times), ("weight", mass), ("weight2", _product(mass, weights.density)))
    yield "radius", _product(mass, seen.radius)
    if seen.eps is not None:
        yield "eps", _product(mass, seen.eps)


def _of_moving(seen: Motion, weights: Weights, order: str, take: Any) -> Any:
    """What is summed of each star whose velocity is known; `take` takes the values of those."""
    mass = take(_product(weights.times, weights.density))
    yield from (("moving", mass), ("moving2", _product(mass, take(weights.density))))
    vr, vz = velocity = take(seen.velocity)
    for pair, values in seen.covariance.items():
        yield _OF_ERRORS[pair], _product(mass, take(values))
    if seen.eps is not None:
        few = velocity.astype(np.float32)  # digits are enough
        weighted = few if mass is None else few * mass.astype(np.float32)
        yield from _with_distances(weighted, few, take(seen.with_distance), take(seen.eps).astype(np.float32), order)
    highest = {"z": 0, "Rz": 2, "RR": 4}[order]
    powers: dict[tuple[int, int], Any] = {(0, 0): mass}
    for a, b in POWERS:
        if b <= highest:
            powers[a, b] = _product(powers[a - 1, b], vz) if a else _product(powers[a, b - 1], vr)
            yield f"m{a}{b}", powers[a, b]


def _with_distances(weighted: Array, velocity: Array, c: Array, eps: Array, order: str) -> Any:
    """What velocities have in common with the errors of the distances."""
    (wr, wz), (vr, vz), (cr, cz) = weighted, velocity, c
    yield "c_zz", wz * cz
    scaled = wz * eps
    yield "eps_zz", scaled * vz
    if order != "z":
        yield "eps_Rz", scaled * vr
        yield "c_Rz", wz * cr + wr * cz
    if order == "RR":
        yield "c_RR", wr * cr


def _product(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else one * other
