"""Moments of the velocities over the sky, each of its equal-area cells weighing the same: sums, and their algebra.

The mean over the whole sky of r v_r, with r the direction, is -v_sun/3 (000, "Solar Motion": V = -3 M_V, and U, W
alike); that of the tangential velocity is -2 v_sun/3, that of the space velocity -v_sun. All in Galactic axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin import galaxy, velocity_model
from astrokin.angles import dot
from astrokin.summaries import group_of, grouped_product, order_of
from astrokin.units import A

Array = NDArray[np.float64]

_COUNTS = 0.05  # of a standard error: less of a bias is not told
#: By what the mean over the sky is multiplied, for the kinds of motion it is of.
FACTORS = {("rv",): 3.0, ("pm",): 1.5, ("pm", "rv"): 1.0}


def cells(direction: Array, bands: int) -> NDArray[np.intp]:
    """The equal-area cell of directions (3, n): of `bands` in latitude and twice as many in longitude; 0: one cell."""
    if not bands:
        return np.zeros(direction.shape[1], np.intp)
    x, y, z = direction
    band = ((z + 1.0) * (0.5 * bands)).astype(np.intp)
    sector = (np.arctan2(y, x) * (bands / np.pi) + bands).astype(np.intp)
    # Round-off at the edges of the sky, which are inside.
    return np.clip(band, 0, bands - 1) * (2 * bands) + np.clip(sector, 0, 2 * bands - 1)


def number_of_cells(bands: int) -> int:
    """How many cells `cells` tells apart."""
    return 2 * bands * bands if bands else 1


def velocities(rows: Any, use: tuple[str, ...], gradient: Any = None) -> tuple[Array, dict[str, tuple[Any, Array]]]:
    """Directions (3, n); by kind of motion, which rows have it and their velocities (3, n), a flow taken out."""
    raw, turn = rows.raw, galaxy.icrs_to_galactic()
    direction = turn @ raw.direction
    flow = None if gradient is None else np.asarray(gradient) @ (direction / raw.parallax)
    outward = 0.0 if flow is None else dot(direction, flow)
    out: dict[str, tuple[Any, Array]] = {}
    if "pm" in use:
        across = turn @ (raw.proper_motion * (A / raw.parallax))
        if flow is not None:
            across -= flow - direction * outward
        out["pm"] = np.ones(len(rows)), across
    if "rv" in use:
        has = ~np.isnan(raw.radial_velocity)
        out["rv"] = has.astype(float), np.where(has, direction * (raw.radial_velocity - outward), 0.0)
    return direction, out


@dataclass(frozen=True)
class SkyMoments:
    """Sums over the stars of each cell of the sky, group axis first.

    Attributes
    ----------
    products : ndarray, shape (G, C, 4 k, 4 k)
        Of the k kinds of motion, each a one and a velocity where a star has it.
    places : ndarray, shape (G, C, k, 6)
        Of the products of the components of the direction.
    """

    products: Array
    places: Array

    @classmethod
    def of(cls, rows: Any, use: tuple[str, ...], bands: int, gradient: Any = None) -> SkyMoments:
        """The sums of a block."""
        direction, kinds = velocities(rows, use, gradient)
        group, n_groups = group_of(rows)
        c = number_of_cells(bands)
        place = cells(direction, bands) + (0 if group is None else group * c)
        order = order_of(place)
        part = slice(None) if order is None else order
        stacked = np.empty((4 * len(kinds) + 6, len(rows)))
        for k, (has, velocity) in enumerate(kinds.values()):
            stacked[4 * k] = has[part]
            stacked[4 * k + 1 : 4 * k + 4] = velocity if order is None else velocity.take(order, axis=1)
        stacked[-6:] = velocity_model.outer(direction if order is None else direction.take(order, axis=1))
        y = stacked[:-6] if rows.weight is None else stacked[:-6] * rows.weight[part]
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite determines nothing
            sums = grouped_product(y, stacked, place[part], n_groups * c)
        sums = sums.reshape(n_groups, c, *sums.shape[1:])
        return cls(sums[..., :-6], sums[..., ::4, -6:])

    def merge(self, other: SkyMoments) -> SkyMoments:
        """The sums of both blocks."""
        return SkyMoments(self.products + other.products, self.places + other.places)

    def moments(self, group: int, use: tuple[str, ...]) -> Moments:
        """What the sums of one group tell; of proper motions alone where none of its stars has a radial velocity."""
        products, places = self.products[group], self.places[group]
        if use == ("pm", "rv") and not products[:, 4, 4].any():
            return Moments(products[:, :4, :4], places[:, :1], ("pm",))
        return Moments(products, places, use)


@dataclass(frozen=True)
class Moments:
    """The moments of one group over the sky: `products` (C, 4 k, 4 k) and `places` (C, k, 6) as in `SkyMoments`."""

    products: Array
    places: Array
    use: tuple[str, ...]

    @property
    def _factor(self) -> float:
        return FACTORS[self.use]

    @cached_property
    def _counts(self) -> Array:
        """Stars with each kind of motion in each cell, (k, C)."""
        return np.stack([self.products[:, 4 * k, 4 * k] for k in range(len(self.use))])

    @cached_property
    def _shares(self) -> Array:
        """What each kind's sum in each cell is multiplied by for the mean over the cells with a star, (k, C)."""
        occupied = self._counts > 0
        each = occupied * np.maximum(occupied.sum(axis=1, keepdims=True), 1)
        return np.divide(1.0, self._counts * each, out=np.zeros_like(self._counts), where=occupied)

    @property
    def empty(self) -> int:
        """Cells in which no star has the kinds of motion that are used."""
        return int(np.count_nonzero((self._counts == 0).any(axis=0)))

    @property
    def finite(self) -> bool:
        """Whether no velocity was beyond all bounds."""
        return bool(np.isfinite(self.products).all())

    @property
    def freedom(self) -> float:
        """By how many stars the scatter within cells is told, of the kind that has fewest."""
        return float(np.maximum(self._counts - 1.0, 0.0).sum(axis=1).min())

    @cached_property
    def sun(self) -> Array:
        """The solar motion (3,)."""
        parts = [
            np.einsum("c,ci->i", share, self.products[:, 4 * k, 4 * k + 1 : 4 * k + 4])
            for k, share in enumerate(self._shares)
        ]
        return -self._factor * np.sum(parts, axis=0)

    @cached_property
    def covariance(self) -> Array:
        """Its covariance (3, 3), from the scatter within the cells; that of all of them where a cell has one star."""
        out = np.zeros((3, 3))
        for k in range(len(self.use)):
            for m in range(len(self.use)):
                both = self._counts[k if k == m else self.use.index("rv")]
                weight = self._shares[k] * self._shares[m] * both
                out += np.einsum("c,cij->ij", weight, self._scatter(k, m, both))
        values, vectors = np.linalg.eigh(out)
        # Where there is no scatter, round-off makes it negative.
        return self._factor**2 * (vectors * np.maximum(values, 0.0)) @ vectors.T

    def _scatter(self, k: int, m: int, both: Array) -> Array:
        """Covariance (C, 3, 3) of two kinds of velocity of the stars in each cell."""
        first, second = (self.products[:, 4 * k, 4 * m + 1 : 4 * m + 4], self.products[:, 4 * m, 4 * k + 1 : 4 * k + 4])
        squares = self.products[:, 4 * k + 1 : 4 * k + 4, 4 * m + 1 : 4 * m + 4]
        n = np.where(both > 0, both, 1.0)
        squares = squares - np.einsum("ci,cj->cij", second, first) / n[:, None, None]
        freedom = np.maximum(both - 1.0, 0.0)
        pooled = squares[freedom > 0].sum(axis=0) / max(freedom.sum(), 1.0)
        own = squares / np.where(freedom > 0, freedom, 1.0)[:, None, None]
        return np.where((freedom > 0)[:, None, None], own, pooled)

    @cached_property
    def response(self) -> Array:
        """The matrix D (3, 3): of a Sun moving with v the moments give D v. Over the whole sky it is the unit one."""
        out = np.zeros((3, 3))
        for k, kind in enumerate(self.use):
            part = np.einsum("c,cs->s", self._shares[k], self.places[:, k])
            outward = velocity_model.symmetric(part)
            out += outward if kind == "rv" else np.eye(3) - outward
        return self._factor * out

    @cached_property
    def determined(self) -> bool:
        """Whether the places on the sky let the moments see all components."""
        return bool(np.linalg.svd(self.response, compute_uv=False)[-1] > 1e-6)

    @property
    def bias(self) -> Array:
        """What the uneven cover of the sky adds to the solar motion (3,), to first order."""
        return self.sun - np.linalg.solve(self.response, self.sun)

    @property
    def bias_counts(self) -> bool:
        """Whether a part of the sky is not seen, or the cells do not weigh alike, and that shows beside the errors."""
        error = np.sqrt(np.diagonal(self.covariance))
        return bool((self.empty or len(self.places) == 1) and np.any(np.abs(self.bias) > _COUNTS * error))

    @property
    def variance(self) -> float:
        """Mean square of one component of the velocities, the solar motion (free of the bias) taken off."""
        v = np.linalg.solve(self.response, self.sun) if self.determined else self.sun
        total = components = 0.0
        for k, kind in enumerate(self.use):
            sums = self.products[:, 4 * k : 4 * k + 4, 4 * k : 4 * k + 4].sum(axis=0)
            outward = velocity_model.symmetric(self.places[:, k].sum(axis=0))
            seen = outward if kind == "rv" else sums[0, 0] * np.eye(3) - outward
            total += np.trace(sums[1:, 1:]) + 2.0 * v @ sums[0, 1:] + v @ seen @ v
            components += sums[0, 0] * (1.0 if kind == "rv" else 2.0)
        return total / max(components - 3.0, 1.0)
