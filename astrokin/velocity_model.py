"""Pure kernels of linear velocity fields in Galactic axes, in units of parallax times velocity.

The model of a star at distance d = 1/parallax in the direction g (a unit vector in Galactic axes) is
v = T g d - v_sun + peculiar velocity, with covariance Sigma. Times the parallax it needs no distance:

    e = A mu + parallax (v_r g + v_sun) - T g,   cov(e) = parallax^2 Sigma + measurement covariance,

in mas km/s, that is km/s/kpc. Components that were not measured (the radial one, or the tangential ones) have
infinite variance: the weight matrix W is the inverse covariance with them projected out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin import galaxy
from astrokin.angles import dot
from astrokin.units import A

Array = NDArray[np.float64]

#: The six different elements of a symmetric 3 x 3 matrix.
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
#: Where each element of the matrix stands among the six.
PLACE = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])


@dataclass(frozen=True)
class Sample:
    """What the model needs of a block: directions in Galactic axes and the measured space motion, (3, n) each."""

    g: Array
    parallax: Array
    motion: Array
    radial: Array | None
    has_radial: NDArray[np.bool_] | None
    error: _Errors | None

    @property
    def space_motion(self) -> Array:
        """A mu + parallax v_r g; without the radial part where it was not measured."""
        if self.radial is None:
            return self.motion
        return self.motion + (self.parallax * self.radial) * self.g


@dataclass(frozen=True)
class _Errors:
    """Measurement covariance of (pmra, pmdec, parallax, radial velocity), and the axes of the first two."""

    east: Array
    north: Array
    elements: dict[tuple[int, int], Array]


_MEASURED = ("pmra", "pmdec", "parallax", "radial_velocity")


def sample(stars: Any, use: tuple[str, ...]) -> Sample:
    """The arrays of a block of stars that the model works with."""
    raw = stars.raw
    g = raw.galactic
    motion = galaxy.to_galactic(raw.proper_motion)
    motion *= A
    radial = has = None
    if "rv" in use:
        radial, has = _radial(raw)
    if "pm" not in use:
        motion = np.zeros_like(motion)
    return Sample(g, raw.parallax, motion, radial, has, _errors(raw, use))


def _radial(raw: Any) -> tuple[Array, NDArray[np.bool_] | None]:
    velocity = raw.radial_velocity
    # A radial velocity says nothing of a star without a positive parallax.
    known = ~np.isnan(velocity) & (raw.parallax > 0.0)
    if known.all():
        return velocity, None
    return np.where(known, velocity, 0.0), known


def _errors(raw: Any, use: tuple[str, ...]) -> _Errors | None:
    covariance = raw.covariance
    if covariance is None:
        return None
    names = [n for n in _MEASURED if covariance.knows(n) and (n != "radial_velocity" or "rv" in use)]
    names = [n for n in names if not n.startswith("pm") or "pm" in use]
    elements = {}
    for one in names:
        for other in names[names.index(one) :]:
            if one == other or covariance.correlated(one, other):
                element = np.nan_to_num(covariance.element(one, other))
                elements[_MEASURED.index(one), _MEASURED.index(other)] = element
    if not elements:
        return None
    east, north = (galaxy.to_galactic(axis) for axis in raw.basis)
    return _Errors(east, north, elements)


def variance(data: Sample, sigma: Array, v_sun: Array) -> Array:
    """Covariance (6, n) of e: the dispersion tensor `sigma` (3, 3) or (3, 3, n), and the measurement errors."""
    square = data.parallax * data.parallax
    out = np.stack([sigma[i, j] * square for i, j in PAIRS])
    if data.error is None:
        return out
    sources = _error_vectors(data, v_sun)
    for (k, m), element in data.error.elements.items():
        a, b = sources[k], sources[m]
        for row, (i, j) in zip(out, PAIRS, strict=True):
            row += element * (a[i] * b[j] if k == m else a[i] * b[j] + b[i] * a[j])
    return out


def _error_vectors(data: Sample, v_sun: Array) -> tuple[Array, ...]:
    """de/d(pmra), de/d(pmdec), de/d(parallax), de/d(radial velocity), each (3, n)."""
    assert data.error is not None
    along = v_sun.reshape(3, -1)
    shift = along if data.radial is None else along + data.radial * data.g
    return A * data.error.east, A * data.error.north, np.broadcast_to(shift, data.g.shape), data.parallax * data.g


def weights(data: Sample, use: tuple[str, ...], sigma: Array, v_sun: Array) -> Array:
    """Weight matrices (6, n): inverse covariance with unmeasured components projected out."""
    if data.error is None and sigma.ndim == 2 and "pm" in use:
        return _weights_without_errors(data, sigma)
    c = variance(data, sigma, v_sun)
    if "pm" not in use:
        return _radial_only(data, c)
    blind = _blind(data, use)
    if blind is not False:
        # Any finite radial variance gives the same projected weight; it keeps the inverse regular.
        extra = (c[0] + c[3] + c[5]) if blind is True else np.where(blind, c[0] + c[3] + c[5], 0.0)
        for row, (i, j) in zip(c, PAIRS, strict=True):
            row += extra * (data.g[i] * data.g[j])
    w = inverse(c)
    return w if blind is False else _without_radial(w, data.g, blind)


def _blind(data: Sample, use: tuple[str, ...]) -> Any:
    """Which rows lack the radial component: True (all), False (none) or a mask."""
    if "rv" not in use:
        return True
    return False if data.has_radial is None else ~data.has_radial


def _weights_without_errors(data: Sample, sigma: Array) -> Array:
    core = np.linalg.inv(sigma)
    scale = 1.0 / (data.parallax * data.parallax)
    blind = _blind(data, ("pm",) if data.radial is None else ("pm", "rv"))
    if blind is False:
        return np.stack([core[i, j] * scale for i, j in PAIRS])
    h = core @ data.g
    norm = 1.0 / dot(h, data.g)
    norm = norm if blind is True else np.where(blind, norm, 0.0)
    scaled = h * norm
    return np.stack([(core[i, j] - scaled[i] * h[j]) * scale for i, j in PAIRS])


def _without_radial(w: Array, g: Array, blind: Any) -> Array:
    h = times(w, g)
    norm = 1.0 / dot(h, g)
    scaled = h * (norm if blind is True else np.where(blind, norm, 0.0))
    return np.stack([row - scaled[i] * h[j] for row, (i, j) in zip(w, PAIRS, strict=True)])


def _radial_only(data: Sample, c: Array) -> Array:
    """Weights along the line of sight alone; none where it was not measured."""
    radial = dot(times(c, data.g), data.g)
    with np.errstate(divide="ignore"):
        norm = 1.0 / radial if data.has_radial is None else np.where(data.has_radial, 1.0 / radial, 0.0)
    return np.stack([norm * data.g[i] * data.g[j] for i, j in PAIRS])


def inverse(c: Array) -> Array:
    """Inverse of symmetric 3 x 3 matrices stored as their six elements (6, n)."""
    xx, xy, xz, yy, yz, zz = c
    ixx, ixy, ixz = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    scale = 1.0 / (xx * ixx + xy * ixy + xz * ixz)
    return np.stack(
        [ixx * scale, ixy * scale, ixz * scale, (xx * zz - xz * xz) * scale, (xy * xz - xx * yz) * scale, (xx * yy - xy * xy) * scale]
    )


def times(w: Array, v: Array) -> Array:
    """Symmetric matrices (6, n) times vectors (3, n)."""
    return np.stack([w[PLACE[i, 0]] * v[0] + w[PLACE[i, 1]] * v[1] + w[PLACE[i, 2]] * v[2] for i in range(3)])


def outer(v: Array) -> Array:
    """The six different products (6, n) of the components of vectors (3, n)."""
    return np.stack([v[i] * v[j] for i, j in PAIRS])


def symmetric(six: Array) -> Array:
    """Matrices (..., 3, 3) from their six elements (..., 6)."""
    return six[..., PLACE]


#: How often each of the six elements stands in the whole matrix.
TWICE = np.array([1.0, 2.0, 2.0, 1.0, 2.0, 1.0])


def dispersion_information(ww: Array) -> Array:
    """Expected information (..., 6, 6) of the elements of Sigma from the sums of products of weights (..., 6, 6).

    For C = parallax^2 Sigma + E it is 1/2 tr(W dC W dC'): with dC = parallax^2 (e_a e_b + e_b e_a)/(1 + delta).
    """
    out = np.zeros_like(ww)
    for p, (a, b) in enumerate(PAIRS):
        for q, (c, d) in enumerate(PAIRS):
            terms = ww[..., PLACE[a, c], PLACE[b, d]] + ww[..., PLACE[a, d], PLACE[b, c]]
            out[..., p, q] = 0.25 * TWICE[p] * TWICE[q] * terms
    return out
