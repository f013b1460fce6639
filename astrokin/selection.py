"""Which rows an estimator uses, and in which group: options of the base, applied block by block, counted by reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from astrokin import labels
from astrokin.covariance import Covariance
from astrokin.errors import InputError, MissingColumnError, closest_first
from astrokin.missing import as_text, gaps, holds_nan
from astrokin.stars import Stars
from astrokin.summaries import bin_of
from astrokin.units import is_quantity

Mask = NDArray[np.bool_]

_FIELDS_NEEDED = {
    "direction": "position",
    "parallax": "parallax",
    "proper_motion": "proper motion",
    "radial_velocity": "radial velocity",
}
#: The views of the stars that `by` takes bins of, each with the fields it is made of.
VIEWS = {
    "ra": ("direction",),
    "dec": ("direction",),
    "l": ("direction",),
    "b": ("direction",),
    "parallax": ("parallax",),
    "distance": ("parallax",),
    "pmra": ("proper_motion",),
    "pmdec": ("proper_motion",),
    "radial_velocity": ("radial_velocity",),
}
_ROUND = ("ra", "l")
_ANGLES = {"direction": ("ra", "dec"), "proper_motion": ("pmra", "pmdec")}


@dataclass(frozen=True)
class Selection:
    """Cuts, zero point and groups, as the options of an estimator say them. Picklable."""

    needs: frozenset[str] = frozenset()
    min_parallax_over_error: float | None = None
    min_distance: float | None = None
    max_distance: float | None = None
    zero_point: Any = None
    distances: Any = None
    by: str | None = None
    edges: Any = None
    labels: tuple[Any, ...] = ()

    @property
    def n_groups(self) -> int:
        """How many groups there are."""
        if self.by is None:
            return 1
        return len(self.labels) if self.edges is None else len(plain_edges(self.edges)) - 1

    def __call__(self, stars: Stars) -> tuple[Stars, Counter[str]]:
        """The rows to use, with their group, and how many were left out by reason."""
        stars = self._shifted(stars)
        tests = [*self._missing(stars), *self._unweighable(stars), *self._cuts(stars)]
        group = None
        if self.by is not None:
            group, ungrouped = self._groups(stars)
            tests += ungrouped
        keep, left_out = sieved(len(stars), tests)
        if group is not None:
            stars = stars.replace(group=group)
        return (stars if keep is None else stars[keep]), left_out

    def _shifted(self, stars: Stars) -> Stars:
        if self.distances is not None:
            return self.distances.applied(stars)
        if self.zero_point is None:
            return stars
        return stars.replace(parallax=stars.raw.parallax - self.zero_point.bound(stars))

    def _missing(self, stars: Stars) -> list[tuple[str, Mask]]:
        raw = stars.raw
        tests = []
        for name, word in _FIELDS_NEEDED.items():
            if name == "parallax" and self.distances is not None:
                word = f"distance in column {self.distances.column!r}"
            if name in self.needs or name == "direction":
                values = [raw.angle(k) for k in _ANGLES[name]] if name in _ANGLES else [getattr(raw, name)]
                tests += [(f"no {word}", _nan(v)) for v in values]
        return [(reason, bad) for reason, bad in tests if bad is not None]

    def _unweighable(self, stars: Stars) -> list[tuple[str, Mask]]:
        """Without errors, a parallax that is not positive says nothing: it cannot be weighted."""
        parallax = stars.raw.parallax
        if "parallax" not in self.needs or not len(parallax) or parallax.min() > 0.0:
            return []
        return [("parallax not positive, errors not known", ~(parallax > 0.0) & self._without_errors(stars))]

    def _without_errors(self, stars: Stars) -> Any:
        covariance = stars.raw.covariance
        names = ("parallax", *(("pmra", "pmdec") if "proper_motion" in self.needs else ()))
        if covariance is None or not all(map(covariance.knows, names)):
            return True
        return ~np.all([covariance.error(name) > 0.0 for name in names], axis=0)

    def _cuts(self, stars: Stars) -> list[tuple[str, Mask]]:
        parallax, tests = stars.raw.parallax, []
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            if self.min_parallax_over_error is not None:
                ratio = parallax / _parallax_error(stars)
                tests.append(
                    (
                        f"parallax_over_error below {self.min_parallax_over_error:g}",
                        ~(ratio >= self.min_parallax_over_error),
                    )
                )
            if self.max_distance is not None:
                tests.append((f"beyond {self.max_distance:g} kpc", ~(parallax * self.max_distance >= 1.0)))
            if self.min_distance is not None:
                tests.append((f"nearer than {self.min_distance:g} kpc", ~(parallax * self.min_distance <= 1.0)))
        return tests

    def _groups(self, stars: Stars) -> tuple[NDArray[np.intp], list[tuple[str, Mask]]]:
        """The group of each row; the rows without a value, and those outside the bins."""
        assert self.by is not None
        values = values_of(stars, self.by)
        if self.edges is None:
            place, found = labels.places(values, self.labels)
            return place, [(f"no {self.by}", ~found)]
        edges, plain = _in_one_unit(self.edges, values, self.by)
        if self.by in _ROUND and self.by not in stars.columns:
            plain = _turned_towards(edges, plain)
        place, inside = bin_of(plain, edges)
        tests = [(f"no {self.by}", np.isnan(plain)), (f"outside the bins of {self.by}", ~inside)]
        return np.where(inside, place, 0), tests


@dataclass(frozen=True)
class ZeroPoint:
    """A parallax zero point to take off: a number (mas) or the name of a column. Picklable."""

    value: float = 0.0
    column: str | None = None
    spec: Any = None

    def bound(self, stars: Stars) -> Any:
        """The zero point of each row, mas."""
        if self.column is None:
            return self.value
        return self.spec.bound(stars[self.column], self.column).value


@dataclass(frozen=True)
class Distances:
    """Distances, and their errors, from columns, in the place of the parallaxes. Picklable."""

    column: str
    error: str | None
    spec: Any

    def applied(self, stars: Stars) -> Stars:
        """The stars with 1/distance for a parallax, NaN where there is no positive distance."""
        distance = self._values(stars, self.column)
        parallax = np.full_like(distance, np.nan)
        np.divide(1.0, distance, out=parallax, where=distance > 0.0)
        if self.error is None and stars.raw.covariance is None:
            return stars.replace(parallax=parallax)
        # Nothing is known of the errors: none is better than those of a parallax that is not used.
        error = np.zeros_like(distance) if self.error is None else self._values(stars, self.error) * parallax**2
        known = stars.raw.covariance
        errors = Covariance(errors={"parallax": error}) if known is None else known.with_error("parallax", error)
        return stars.replace(parallax=parallax, covariance=errors)

    def _values(self, stars: Stars, name: str) -> NDArray[np.float64]:
        return np.asarray(self.spec.bound(stars[name], name).value, dtype=float)


@dataclass(frozen=True)
class Tally:
    """A summary together with the rows that entered it and those left out, by reason."""

    summary: Any
    used: int
    left_out: Counter[str] = field(default_factory=Counter)

    def merge(self, other: Self) -> Self:
        """The tally of both blocks."""
        return type(self)(self.summary.merge(other.summary), self.used + other.used, self.left_out + other.left_out)


@dataclass(frozen=True)
class Labels:
    """The distinct labels of a column: what `by="column"` collects before the first pass."""

    found: frozenset[Any]

    def merge(self, other: Self) -> Self:
        """The labels of both blocks."""
        return type(self)(self.found | other.found)

    @property
    def ordered(self) -> tuple[Any, ...]:
        """The labels, sorted."""
        try:
            return tuple(sorted(self.found))
        except TypeError:
            kinds = ", ".join(sorted({type(label).__name__ for label in self.found}))
            raise InputError(f"by: the labels are of several kinds, {kinds}; make them all of one.") from None


@dataclass(frozen=True)
class CollectLabels:
    """Collects the distinct labels of a column from a block. Picklable."""

    by: str
    limit: int = 10_000

    def __call__(self, rows: Any) -> Labels:
        values = values_of(rows, self.by)
        if self.by not in rows.columns:
            raise InputError(f"by={self.by!r} needs bins, as it is no column of labels: by=({self.by!r}, edges).")
        values = as_text(_plain(values))
        present = np.asarray(np.ma.getdata(values))[~gaps(values)]
        found = set(present.tolist()) if present.dtype.kind == "O" else np.unique(present).tolist()
        if len(found) > self.limit:
            raise InputError(
                f"by={self.by!r} has more than {self.limit} different values in one block: to group a continuous "
                f"column give its bins, by=({self.by!r}, edges)."
            )
        return Labels(frozenset(found))


def fields_read(name: str, columns: Iterable[str]) -> frozenset[str] | None:
    """The fields that the view of this name is made of; None where it is the name of a column, which goes first."""
    if name in (columns := list(columns)):
        return None
    if name not in VIEWS:
        known = ", ".join(closest_first(name, columns)) or "none"
        raise MissingColumnError(
            f"by={name!r}: the stars have no column {name!r}; they have: {known}. "
            f"Bins can also be of {', '.join(VIEWS)}."
        )
    return frozenset(VIEWS[name])


def values_of(stars: Stars, name: str) -> Any:
    """What `by` names: a column, or else a view."""
    return stars[name] if fields_read(name, stars.columns) is None else getattr(stars, name)


def plain_edges(edges: Any) -> NDArray[np.float64]:
    """Bin edges as plain numbers in their own unit, checked."""
    plain = np.asarray(getattr(edges, "value", edges), dtype=float)
    if plain.ndim != 1 or len(plain) < 2 or not (np.diff(plain) > 0).all():
        raise InputError(f"by: the edges are {edges}; at least two, strictly increasing, are needed.")
    return plain


def _in_one_unit(edges: Any, values: Any, name: str | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    import astropy.units as u

    plain = _numbers(_plain(values), name)
    if not is_quantity(edges):
        return plain_edges(edges), plain
    if not is_quantity(values):
        raise InputError(f"by: the edges have the unit {edges.unit}, but column {name!r} has none.")
    try:
        return plain_edges(edges.to(values.unit)), plain
    except u.UnitConversionError:
        raise InputError(f"by: the edges are in {edges.unit}, column {name!r} is in {values.unit}.") from None


def _numbers(values: Any, name: str | None) -> NDArray[np.float64]:
    missing = gaps(values)
    plain = np.asarray(np.ma.getdata(getattr(values, "unmasked", values)))
    try:
        if plain.dtype.kind in "biufO":
            return np.where(missing, np.nan, plain).astype(float)
    except (TypeError, ValueError):
        pass
    raise InputError(f"by: bins need numbers, which column {name!r} does not hold.")


def _turned_towards(edges: NDArray[np.float64], angle: NDArray[np.float64]) -> NDArray[np.float64]:
    """Angles of 0 to 360 deg, by a turn more or less where only so they come to lie in the bins."""
    turned = np.where(angle < edges[0], angle + 360.0, np.where(angle > edges[-1], angle - 360.0, angle))
    return np.where((turned >= edges[0]) & (turned <= edges[-1]), turned, angle)


def _plain(values: Any) -> Any:
    return getattr(values, "value", values)


def _nan(values: NDArray[np.float64]) -> Mask | None:
    """Where values are NaN; None, at the cost of one quick look, where none is."""
    return np.isnan(values) if holds_nan(values) else None


def _parallax_error(stars: Stars) -> NDArray[np.float64]:
    covariance = stars.raw.covariance
    if covariance is None or not covariance.knows("parallax"):
        raise InputError("min_parallax_over_error needs parallax errors: the stars have no covariance.")
    return covariance.error("parallax")


def sieved(n: int, tests: list[tuple[str, Mask]]) -> tuple[Mask | None, Counter[str]]:
    """Rows that pass every test (None: all), each row that fails counted under the first reason."""
    keep: Mask | None = None
    left_out: Counter[str] = Counter()
    for reason, bad in tests:
        fresh = bad if keep is None else bad & keep
        count = int(np.count_nonzero(fresh))
        if count:
            left_out[reason] += count
            keep = ~fresh if keep is None else keep & ~fresh
    return keep, left_out
