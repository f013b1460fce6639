"""From a block of stars to heights and velocities in the Galaxy, to their errors, and to sums over bins.

Galactocentric cylindrical coordinates: R, z in kpc, v_R outward and v_z northward in km/s. With x the state of a
star, d = 1/parallax its distance and eps = (error/parallax)^2, errors are taken to first order in eps:

    C_ab   covariance of the velocity components a and b, of (R, z), from all measured errors
    c_a    of the velocity component a with the relative distance d'/d; also what its mean is shifted by

and a height z moves by z eps in the mean, with the variance z^2 eps.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import combinations_with_replacement
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import angles

Array = NDArray[np.float64]
Frame = tuple[Array, Array, Array]

_MEASURED = ("pmra", "pmdec", "radial_velocity", "parallax")
#: Powers (of v_z, of v_R) of the velocity moments that are summed: all to fourth order.
POWERS = tuple((a, b) for order in range(1, 5) for a in range(order, -1, -1) for b in (order - a,))
#: The sums by name: weights (of the density, of the velocities), radii, errors, and the moments.
NAMES = (
    *("count", "weight", "weight2", "moving", "moving2", "radius", "eps"),
    *("C_zz", "C_Rz", "C_RR", "c_zz", "c_Rz", "c_RR", "eps_zz", "eps_Rz"),
    *(f"m{a}{b}" for a, b in POWERS),
)
PLACE = {name: i for i, name in enumerate(NAMES)}


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
    def all_radii(self) -> bool:
        """Whether no radius is left out."""
        return self.R_min == 0.0 and self.R_max == np.inf

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
    with np.errstate(invalid="ignore"):
        place = ((np.fmin(x, 2.0 * high) - low) * (n / (high - low))).astype(np.intp)
    return np.clip(place, 0, n - 1, out=place)


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


# ---- stars in none of the bins ---------------------------------------------------------------------------


def outside(rows: Any, frame: Frame, bins: Bins) -> dict[str, NDArray[np.bool_]]:
    """Stars that stand in none of the bins, by reason."""
    raw, (matrix, place, _) = rows.raw, frame
    out = {} if _all_positive(raw.parallax) else {"parallax not positive": ~(raw.parallax > 0.0)}
    sa, ca = angles.sine_cosine(raw.angle("ra"))
    sd, cd = angles.sine_cosine(raw.angle("dec"))
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        distance = 1.0 / raw.parallax

        def along(axis: int) -> Array:
            a, b, c = matrix[axis]
            return ((a * ca + b * sa) * cd + c * sd) * distance + place[axis]

        height = np.abs(along(2))
        if bins.z_min > 0.0:
            out[f"below {bins.z_min:g} kpc in height"] = ~(height >= bins.z_min)
        out[f"above {bins.z_max:g} kpc in height"] = ~(height <= bins.z_max)
        if not bins.all_radii:
            radius = np.hypot(along(0), along(1))
            out["outside the radii"] = ~((radius >= bins.R_min) & (radius <= bins.R_max))
    return out


def _all_positive(values: Array) -> bool:
    return not len(values) or bool(values.min() > 0.0)


# ---- places, motions and their errors --------------------------------------------------------------------


@dataclass(frozen=True)
class Motion:
    """Places, velocities (R, z) and their errors of a block of stars.

    Attributes
    ----------
    z, radius : ndarray, shape (n,)
        Infinite or NaN without a parallax.
    velocity : tuple of ndarray
        v_R (zero where it is not asked for) and v_z.
    covariance : dict
        C by the keys (0, 0), (0, 1), (1, 1) of R and z; what is zero or not asked for is not there.
    with_distance : tuple of ndarray or 0.0
        c_R, c_z.
    eps : ndarray or 0.0
    """

    z: Array
    radius: Array
    velocity: tuple[Any, Array]
    covariance: dict[tuple[int, int], Array]
    with_distance: tuple[Any, Any]
    eps: Any


def motion(rows: Any, frame: Frame, pairs: tuple[tuple[int, int], ...] = ((0, 0), (0, 1), (1, 1))) -> Motion:
    """Places and motions of stars; velocities NaN where one is not known. `pairs` says which C are asked for."""
    raw, (matrix, place, velocity) = rows.raw, frame
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        distance = 1.0 / raw.parallax
        scale = ak.units.A * distance
        east, north, outward = _axes(raw.angle("ra"), raw.angle("dec"), matrix)
        x, y, z = (g * distance + start for g, start in zip(outward, place, strict=True))
        inverse = 1.0 / np.sqrt(x * x + y * y)
        along = x * inverse, y * inverse
        axes = [(along[0] * a[0] + along[1] * a[1], a[2]) for a in (east, north, outward)]
        turn = along[0] * outward[1] - along[1] * outward[0]
        return _moving(raw, scale, axes, (z, 1.0 / inverse), velocity, along, turn * (distance * inverse), pairs)


def heights_and_velocities(rows: Any, frame: Frame) -> tuple[Array, Array]:
    """z in kpc and v_z in km/s."""
    seen = motion(rows, frame, ())
    return seen.z, seen.velocity[1]


def _axes(ra: Array, dec: Array, matrix: Array) -> tuple[list[Array], list[Array], list[Array]]:
    """East, north and outward unit vectors turned by the matrix: three components each."""
    sa, ca = angles.sine_cosine(ra)
    sd, cd = angles.sine_cosine(dec)
    east, north, outward = [], [], []
    for row in matrix:
        level = row[0] * ca + row[1] * sa
        east.append(row[1] * ca - row[0] * sa)
        north.append(row[2] * cd - sd * level)
        outward.append(cd * level + row[2] * sd)
    return east, north, outward


def _moving(
    raw: Any, scale: Array, axes: Any, where: Any, velocity: Array, along: Any, turn: Array, pairs: Any
) -> Motion:
    east, north = scale * raw.angle("pmra"), scale * raw.angle("pmdec")
    radial = raw.radial_velocity
    across = [axes[0][k] * east + axes[1][k] * north for k in (0, 1)]
    sun = along[0] * velocity[0] + along[1] * velocity[1]
    v = across[0] + axes[2][0] * radial + sun, across[1] + axes[2][1] * radial + velocity[2]
    # By the relative distance: the velocity across the line of sight; and with the place the direction outward turns,
    # the faster the rotation (of the Sun: that of the star itself differs by its random motion).
    slopes = across[0] - turn * velocity[1], across[1]
    return Motion(where[0], where[1], v, *_errors(raw.covariance, raw.parallax, scale, axes, slopes, pairs))


def _errors(covariance: Any, parallax: Array, scale: Array, axes: Any, slopes: Any, pairs: Any) -> tuple[Any, Any, Any]:
    """C, c and eps; zero where no error is known."""
    known = [] if covariance is None else [name for name in _MEASURED if covariance.knows(name)]
    shift = -1.0 / parallax  # of the relative distance, by a unit of parallax
    # What a unit of each measured parameter changes: a number per star, times a vector (R, z).
    change: dict[str, tuple[Any, Any]] = {
        "pmra": (scale, axes[0]),
        "pmdec": (scale, axes[1]),
        "radial_velocity": (1.0, axes[2]),
        "parallax": (shift, slopes),
    }
    out: dict[tuple[int, int], Array] = {}
    with_distance: tuple[Any, Any] = (0.0, 0.0)
    eps: Any = 0.0
    for one, other in combinations_with_replacement(known, 2):
        if one != other and not covariance.correlated(one, other):
            continue
        (f, a), (g, b) = change[one], change[other]
        size = _zero_for_nan(covariance.element(one, other)) * (f * g)
        for i, j in pairs:
            term = size * (a[i] * b[j] if one == other else a[i] * b[j] + a[j] * b[i])
            out[i, j] = out[i, j] + term if (i, j) in out else term
        if other == "parallax":
            with_distance = with_distance[0] + size * a[0], with_distance[1] + size * a[1]
            eps = size if one == "parallax" else eps
    return out, with_distance, eps


def _zero_for_nan(values: Array) -> Array:
    return np.nan_to_num(values) if len(values) and np.isnan(values.min()) else values


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
    for name, values in _summed(seen, weights, order):
        out[PLACE[name]] = counts if values is None else np.bincount(index, values, total)
    cells = (n_groups, bins.n_R, 2, bins.n_z)
    values = np.moveaxis(out.reshape(len(NAMES), *cells), 0, -1)
    return Sums(values, _without_errors(rows, group, n_groups))


def _without_errors(rows: Any, group: Any, n_groups: int) -> Array:
    covariance, n = rows.raw.covariance, len(rows)
    known = covariance is not None and all(map(covariance.knows, ("parallax", "pmra", "pmdec")))
    if known:
        error = covariance.error("parallax")
        if not n or not np.isnan(error.min()):
            return np.zeros(n_groups)
    lost = np.isnan(error).astype(float) if known else np.ones(n)
    return np.bincount(np.zeros(n, np.intp) if group is None else group, lost, n_groups).astype(float)


def _summed(seen: Motion, weights: Weights, order: str) -> Any:
    """What is summed of each star by name, None for one each; times the weights."""
    (vr, vz), cov, (cr, cz) = seen.velocity, seen.covariance, seen.with_distance
    lost = np.isnan(vr + vz)
    lost = lost if lost.any() else None
    times, mass = weights.times, _product(weights.times, weights.density)
    square = _product(mass, weights.density)
    yield from (("count", times), ("weight", mass), ("weight2", square))
    kept = [mass, square] if lost is None else [np.where(lost, 0.0, 1.0 if w is None else w) for w in (mass, square)]
    yield from (("moving", kept[0]), ("moving2", kept[1]))
    yield "radius", _product(mass, seen.radius)
    eps, mass = seen.eps, kept[0]
    if not np.isscalar(eps):
        yield "eps", _product(weights.density, _product(times, eps))
    up = np.where(seen.z < 0.0, -1.0, 1.0)
    vr, vz = _clean(vr, lost), _clean(vz * up, lost)
    yield from _errors_summed(cov, (cr, cz), eps, (vr, vz, up), mass, lost, order)
    highest = {"z": 0, "Rz": 2, "RR": 4}[order]
    powers: dict[tuple[int, int], Any] = {(0, 0): mass}
    for a, b in POWERS:
        if b <= highest:
            powers[a, b] = _product(powers[a - 1, b], vz) if a else _product(powers[a, b - 1], vr)
            yield f"m{a}{b}", powers[a, b]


def _errors_summed(cov: Any, c: Any, eps: Any, v: Any, mass: Any, gone: Any, order: str) -> Any:
    if np.isscalar(eps) and not cov:
        return
    (cr, cz), (vr, vz, up) = c, v
    for name, pair in (("zz", (1, 1)), ("Rz", (0, 1)), ("RR", (0, 0))):
        if pair in cov:
            values = cov[pair] * up if name == "Rz" else cov[pair]
            yield f"C_{name}", _clean(_product(mass, values), gone)
    if np.isscalar(eps):
        return
    cz = cz * up
    yield "c_zz", _clean(_product(mass, vz * cz), gone)
    yield "eps_zz", _clean(_product(mass, vz * vz * eps), gone)
    if order != "z":
        yield "c_Rz", _clean(_product(mass, vz * cr + vr * cz), gone)
        yield "eps_Rz", _clean(_product(mass, vz * vr * eps), gone)
    if order == "RR":
        yield "c_RR", _clean(_product(mass, vr * cr), gone)


def _product(one: Any, other: Any) -> Any:
    return other if one is None else one if other is None else one * other


def _clean(values: Any, gone: Any) -> Any:
    """Zero in rows that do not count, whatever stood there."""
    return values if gone is None else np.where(gone, 0.0, values)
