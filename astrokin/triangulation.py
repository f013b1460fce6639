"""`triangulate`: where sources are, from directions seen at two or more places."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.angles import dot, normalised, tangent_basis
from astrokin.errors import InputError, RowsWarning
from astrokin.units import MAS, MAS_IN_RAD, is_quantity, raw_values

Array = NDArray[np.float64]

_ROUNDS = 30
#: Where the normal equations are worse conditioned than this, no distance is determined.
_WORST = 1e12


@dataclass(frozen=True, eq=False)
class Triangulation:
    """Where sources are, seen from the origin of the positions given.

    Attributes
    ----------
    distance, distance_error : `~astropy.units.Quantity`, shape (n,)
        From the origin; NaN without a positive parallax.
    position : `~astropy.units.Quantity`, shape (3, n)
        NaN without a positive parallax.
    covariance : `~astropy.units.Quantity`, shape (n, 3, 3)
        Of the position.
    parallax, parallax_error : `~astropy.units.Quantity`, shape (n,)
        1 au over the distance from the middle of the observers; any sign, and Gaussian where the distance is not.
    misfit : ndarray, shape (n,)
        The sum of squares of the residuals in units of the errors (mas, where none are given).
    freedom : int
        The degrees of freedom of `misfit`, 2k - 3 for k directions.
    """

    distance: u.Quantity
    distance_error: u.Quantity
    position: u.Quantity
    covariance: u.Quantity
    parallax: u.Quantity
    parallax_error: u.Quantity
    misfit: Array
    freedom: int

    def __repr__(self) -> str:
        return f"<Triangulation: {len(self.misfit)} sources, {self.freedom} degrees of freedom>"


def triangulate(directions: Sequence[Any], positions: Sequence[Any], covariance: Any = None) -> Triangulation:
    """Distances and positions of sources from two or more directions and the places they are seen from.

    Least squares on the sky: the point whose directions from all places are nearest to those seen. It is solved for
    in direction and parallax, so that sources at parsecs and baselines of an au lose no figures (source 004,
    "Trigonometric Parallax").

    Parameters
    ----------
    directions : sequence of k of `Stars`, `~astropy.coordinates.SkyCoord` or vectors of shape (3,) or (3, n)
        What is seen from each place, all of the same n sources, in the same axes as the positions (ICRS).
        Corrected for aberration, that is: as ``annual-parallax`` gives them.
    positions : sequence of k of `Observer` or `~astropy.units.Quantity` of shape (3,) or (3, n)
        The places.
    covariance : `~astropy.units.Quantity` or ndarray (mas2), shape (2, 2), (k, 2, 2) or (k, n, 2, 2), optional
        Covariance of each direction in local axes (east, north). Without it all directions count alike, and the
        errors come from how far the lines miss each other.

    Returns
    -------
    Triangulation

    Raises
    ------
    InputError
        Fewer than two directions, or unequal numbers of anything.

    Warns
    -----
    RowsWarning
        Sources for which there is no baseline across the line of sight; their distance is NaN.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> import astrokin as ak
    >>> star = ak.Stars(ra=[30.0] * u.deg, dec=[50.0] * u.deg, parallax=[100] * u.mas)
    >>> spring, autumn = ak.Observer(2016.2), ak.Observer(2016.7)
    >>> seen = [ak.effects.AnnualParallax(there).apply(star) for there in (spring, autumn)]
    >>> found = ak.triangulate(seen, [spring, autumn], covariance=np.eye(2) * u.mas**2)
    >>> found.distance.to(u.pc).round(6), found.parallax_error.round(2)
    (<Quantity [10.] pc>, <Quantity [0.8] mas>)
    """
    seen, places = _directions(directions), _positions(positions)
    if len(seen) != len(places) or len(seen) < 2:
        raise InputError(f"triangulate: {len(seen)} directions from {len(places)} positions; two or more are needed.")
    try:
        shape = np.broadcast_shapes(*(v.shape for v in (*seen, *places)))
    except ValueError:
        shapes = sorted({v.shape for v in (*seen, *places)})
        raise InputError(f"triangulate: directions and positions have the shapes {shapes}.") from None
    weights = _weights(covariance, len(seen), shape[1])
    return _Problem(_stacked(seen, shape), _stacked(places, shape), weights).solution(covariance is not None)


def _stacked(vectors: list[Array], shape: tuple[int, ...]) -> Array:
    return np.stack([np.broadcast_to(v, shape) for v in vectors])


def _directions(directions: Sequence[Any]) -> list[Array]:
    return [normalised(_columns(_vector(d), "a direction")) for d in directions]


def _vector(direction: Any) -> Any:
    if hasattr(direction, "icrs"):
        return direction.icrs.cartesian.xyz.value
    return getattr(direction, "direction", direction)


def _positions(positions: Sequence[Any]) -> list[Array]:
    found = (p.barycentric()[0] if hasattr(p, "barycentric") else p for p in positions)
    return [_columns(raw_values(p, u.au, "positions"), "a position") for p in found]


def _columns(vector: Any, what: str) -> Array:
    array = np.asarray(getattr(vector, "value", vector), dtype=float)
    if array.shape[:1] != (3,) or array.ndim > 2:
        raise InputError(f"triangulate: {what} has the shape {array.shape}; (3,) or (3, n) is needed.")
    return array.reshape(3, -1)


def _weights(covariance: Any, k: int, n: int) -> Array:
    """Inverse covariances (k, n, 2, 2), 1/mas2."""
    if covariance is None:
        return np.broadcast_to(np.eye(2), (k, n, 2, 2))
    plain = raw_values(covariance, MAS**2, "covariance") if is_quantity(covariance) else np.asarray(covariance, float)
    if plain.ndim == 3:
        plain = plain[:, None]
    try:
        plain = np.broadcast_to(plain, (k, n, 2, 2))
    except ValueError:
        raise InputError(
            f"triangulate: covariance has the shape {plain.shape}; ({k}, 2, 2) or ({k}, {n}, 2, 2) is needed."
        ) from None
    if not (np.linalg.eigvalsh(plain) > 0.0).all():
        raise InputError("triangulate: a covariance of a direction is not positive definite.")
    return np.linalg.inv(plain)


class _Problem:
    """Direction r and parallax p of n sources such that r - p b points along the k directions seen."""

    def __init__(self, seen: Array, places: Array, weights: Array) -> None:
        self.seen, self.weights = seen, weights
        self.middle = places.mean(axis=0)
        self.offset = places - self.middle
        self.axes = [np.stack(tangent_basis(s)) for s in seen]
        self.scale = np.sqrt((self.offset**2).sum(axis=1).max(axis=0))
        self.scale = np.where(self.scale > 0.0, self.scale, 1.0)

    def solution(self, known_errors: bool) -> Triangulation:
        r, parallax = normalised(self.seen.mean(axis=0)), np.zeros(self.seen.shape[2])
        for _ in range(_ROUNDS):
            basis = np.stack([*tangent_basis(r), np.zeros_like(r)])
            normal, right, misfit = self._equations(r, parallax, basis)
            bad = ~(np.linalg.cond(normal) < _WORST)
            normal[bad] = np.eye(3)
            step = np.linalg.solve(normal, right[..., None])[..., 0]
            step[bad] = 0.0
            r = normalised(r + MAS_IN_RAD * (step[:, 0] * basis[0] + step[:, 1] * basis[1]))
            parallax = parallax + MAS_IN_RAD * step[:, 2] / self.scale
            if not (np.abs(step) > 1e-9).any():
                break
        error = np.linalg.inv(normal)
        freedom = 2 * len(self.seen) - 3
        if not known_errors:
            error = error * (misfit / freedom)[:, None, None]
        error[bad] = np.nan
        error[:, 2] /= self.scale[:, None]
        error[:, :, 2] /= self.scale[:, None]
        return self._told(r, np.where(bad, np.nan, parallax), np.asarray(error, np.float64), misfit, freedom)

    def _equations(self, r: Array, parallax: Array, basis: Array) -> tuple[Array, Array, Array]:
        """Normal equations in mas, mas and mas times the baseline."""
        n = r.shape[1]
        normal, right, misfit = np.zeros((n, 3, 3)), np.zeros((n, 3)), np.zeros(n)
        for seen, offset, axes, weight in zip(self.seen, self.offset, self.axes, self.weights, strict=True):
            line = r - parallax * offset
            length = np.sqrt(dot(line, line))
            model = line / length
            moves = np.stack([basis[0], basis[1], -offset / self.scale])
            moves = (moves - np.einsum("jcn,cn->jn", moves, model)[:, None] * model) / length
            slope = np.einsum("acn,jcn->naj", axes, moves)
            residual = np.einsum("acn,cn->na", axes, seen - model) / MAS_IN_RAD
            weighted = weight @ slope
            normal += slope.swapaxes(1, 2) @ weighted
            right += np.einsum("naj,na->nj", weighted, residual)
            misfit += np.einsum("na,nab,nb->n", residual, weight, residual)
        return normal, right, misfit

    def _told(self, r: Array, parallax: Array, error: Array, misfit: Array, freedom: int) -> Triangulation:
        lost = int(np.isnan(parallax).sum())
        if lost:
            warnings.warn(
                f"triangulate: {lost} of {len(parallax)} sources without a baseline across the line of sight.",
                RowsWarning,
                stacklevel=4,
            )
        reach = 1.0 / np.where(parallax > 0.0, parallax, np.nan)
        place = self.middle + r * reach
        east, north = tangent_basis(r)
        slope = np.stack([east * reach, north * reach, -r * reach**2], axis=1) * MAS_IN_RAD
        spread = np.einsum("cjn,njk,dkn->ncd", slope, error, slope)
        distance = np.sqrt(dot(place, place))
        outward = place / distance
        far = np.sqrt(np.einsum("cn,ncd,dn->n", outward, spread, outward))
        return Triangulation(
            distance << u.au,
            far << u.au,
            place << u.au,
            spread << u.au**2,
            parallax / MAS_IN_RAD << MAS,
            np.sqrt(error[:, 2, 2]) << MAS,
            misfit,
            freedom,
        )
