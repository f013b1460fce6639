"""Pure kernels of linear velocity fields, in units of parallax times velocity.

The model of a star at distance d = 1/parallax in the direction g (a unit vector in Galactic axes) is
v = T g d - v_sun + peculiar velocity, with covariance Sigma. Times the parallax it needs no distance. In the
local axes of the star (east p, north q, outward g) the residuals are

    e = (A mu_alpha*, A mu_delta, parallax v_r) - (p, q, g) . m,     m = T g - parallax v_sun,

in mas km/s, that is km/s/kpc, with the covariance S = parallax^2 (p, q, g)^T Sigma (p, q, g) + that of the
measurement. A component that was not measured has infinite variance. The weights of the whole vector are
W = (p, q, g) S^-1 (p, q, g)^T. All vectors and matrices of a row stand in ICRS axes, in which p has no third
component and the angles give the axes directly; what is summed is turned into Galactic axes once, at the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.missing import holds_nan
from astrokin.units import A

Array = NDArray[np.float64]

#: The six different elements of a symmetric 3 x 3 matrix.
PAIRS = ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2))
#: Where each element of the matrix stands among the six.
PLACE = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])
#: How often each of the six stands in the whole matrix.
TWICE = np.array([1.0, 2.0, 2.0, 1.0, 2.0, 1.0])
#: What the local components are measured by, and the parallax, which enters all of them.
_MEASURED = ("pmra", "pmdec", "radial_velocity", "parallax")


@dataclass(frozen=True)
class Sample:
    """What the model needs of a block of stars.

    Attributes
    ----------
    axes : tuple of ndarray, shapes (2, n), (3, n), (3, n)
        East, north and outward unit vectors in ICRS axes; the third component of the first is zero.
    parallax : ndarray, shape (n,)
    measured : tuple of (ndarray or None)
        A mu_alpha*, A mu_delta, parallax v_r; None where a component is not used.
    radial_velocity : ndarray or None
    has_radial : ndarray of bool or None
        Rows with a radial velocity; None where all of them have one.
    errors : dict
        Elements of the measurement covariance, by pairs of 0 (pmra), 1 (pmdec), 2 (radial velocity), 3 (parallax).
    known_sun : ndarray, shape (3, n), optional
        What `measured` no longer holds of the Sun's velocity, in the axes that `axes` stand in: it moves with the
        parallax as v_sun does.
    """

    axes: tuple[Array, Array, Array]
    parallax: Array
    measured: tuple[Array | None, Array | None, Array | None]
    radial_velocity: Array | None
    has_radial: NDArray[np.bool_] | None
    errors: dict[tuple[int, int], Array]
    known_sun: Array | None = None

    @cached_property
    def used(self) -> tuple[int, ...]:
        """The local components that were measured: of 0, 1 (tangential) and 2 (radial)."""
        return tuple(k for k in range(3) if self.measured[k] is not None)

    @property
    def components(self) -> Any:
        """How many components each row has."""
        tangential = 2.0 if self.measured[0] is not None else 0.0
        if self.measured[2] is None:
            return tangential
        return tangential + (1.0 if self.has_radial is None else self.has_radial.astype(float))


def sample(stars: Any, use: tuple[str, ...], kind: Any = np.float64) -> Sample:
    """The arrays of a block of stars that the model works with; `use` is of "pm" and "rv".

    All arrays are of the given kind: in single precision everything made of them takes half the time.
    """
    raw = stars.raw
    parallax = raw.parallax.astype(kind, copy=False)
    velocity = has = None
    if "rv" in use:
        velocity, has = _radial(raw.radial_velocity.astype(kind, copy=False), parallax)
    motions = ("pmra", "pmdec") if "pm" in use else ()
    tangential = [A * raw.angle(name).astype(kind, copy=False) for name in motions] or [None, None]
    radial = None if velocity is None else parallax * velocity
    east, north, outward = raw.triad_in(kind)
    measured = (tangential[0], tangential[1], radial)
    return Sample((east[:2], north, outward), parallax, measured, velocity, has, _errors(raw.covariance, use, kind))


def moving(data: Sample, motion: Array) -> Sample:
    """The sample with parallax times a velocity (3, n) added, in the axes that `axes` stand in."""
    east, north, outward = (
        None if seen is None else seen + along(axis, motion)
        for axis, seen in zip(data.axes, data.measured, strict=True)
    )
    return replace(data, measured=(east, north, outward))


def _radial(velocity: Array, parallax: Array) -> tuple[Array, NDArray[np.bool_] | None]:
    # A radial velocity says nothing of a star without a positive parallax.
    known = ~np.isnan(velocity) & (parallax > 0.0)
    return (velocity, None) if known.all() else (np.where(known, velocity, velocity.dtype.type(0.0)), known)


def _errors(covariance: Any, use: tuple[str, ...], kind: Any) -> dict[tuple[int, int], Array]:
    if covariance is None:
        return {}
    wanted = [*(("pmra", "pmdec") if "pm" in use else ()), *(("radial_velocity",) if "rv" in use else ()), "parallax"]
    elements = covariance.elements(wanted, kind)
    return {(_MEASURED.index(a), _MEASURED.index(b)): _zero_for_nan(value) for (a, b), value in elements.items()}


def _zero_for_nan(values: Array) -> Array:
    return np.nan_to_num(values) if holds_nan(values) else values


def residual(data: Sample, motion: Array) -> list[Array | None]:
    """Local residuals about the model m = T g - parallax v_sun, `motion` in ICRS axes, shape (3, n)."""
    out: list[Array | None] = [None, None, None]
    for k in data.used:
        told = along(data.axes[k], motion)
        out[k] = np.subtract(data.measured[k], told, out=told)  # type: ignore[arg-type]
    return out


def variance(data: Sample, sigma: Array, pull: dict[int, Array] | None) -> dict[tuple[int, int], Array]:
    """Elements of the local covariance S, by pairs of components: dispersion, measurement and parallax errors.

    `sigma` is the dispersion tensor (3, 3), or (3, 3, n) by row, in ICRS axes; `pull` is that of `parallax_pull`, or
    None where errors of the parallax shall move no residual. They scatter the scale of the tangential velocities too:
    a peculiar velocity v, seen as v parallax/(parallax + error), has on average the square v^2 (1 + 3 var/parallax^2),
    and with the radial velocity, which needs no scale, the product (1 + var/parallax^2).
    """
    out = _isotropic(sigma, data) if _is_round(sigma) else _ellipsoidal(sigma, data)
    _add_errors(out, data)
    if pull is not None and (3, 3) in data.errors:
        _add_parallax_errors(out, data, pull)
    return out


def _scale(a: int, b: int) -> int:
    """Which of the squares a pair of components has: 0 radial, 1 mixed, 2 tangential."""
    return (a < 2) + (b < 2)


def _is_round(sigma: Array) -> bool:
    if sigma.ndim != 2 or sigma[0, 1] or sigma[0, 2] or sigma[1, 2]:
        return False
    return bool(sigma[0, 0] == sigma[1, 1] == sigma[2, 2])


def _squares(data: Sample, scales: set[int]) -> dict[int, Array]:
    """The squares of the parallaxes as each of the pairs has them; one array where they are the same."""
    square = data.parallax * data.parallax
    if (3, 3) not in data.errors:
        return dict.fromkeys(scales, square)
    factors = (0.0, 1.0, 3.0)
    return {scale: square + factors[scale] * data.errors[3, 3] if scale else square for scale in scales}


def _isotropic(sigma: Array, data: Sample) -> dict[tuple[int, int], Array]:
    """Elements that are zero are left out, here and in what follows: a third of the work where S is diagonal."""
    squares = _squares(data, {_scale(a, a) for a in data.used})
    known = {id(square): sigma[0, 0] * square for square in {id(s): s for s in squares.values()}.values()}
    return {(a, a): known[id(squares[_scale(a, a)])] for a in data.used}


def _ellipsoidal(sigma: Array, data: Sample) -> dict[tuple[int, int], Array]:
    squares = _squares(data, {_scale(a, b) for a in data.used for b in data.used})
    turned = {k: _times(sigma, data.axes[k]) for k in data.used}
    return {
        (a, b): along(data.axes[a], turned[b]) * squares[_scale(a, b)] for a in data.used for b in data.used if a <= b
    }


def _times(matrix: Array, vector: Array) -> Array:
    matrix = matrix[:, : len(vector)]
    return matrix @ vector if matrix.ndim == 2 else np.einsum("ijn,jn->in", matrix, vector)


def along(axis: Array, vector: Array) -> Array:
    """Component of vectors (3, n) along an axis (3, n), or (2, n) where its third component is zero."""
    out = axis[0] * vector[0]
    for i in range(1, len(axis)):
        out += axis[i] * vector[i]
    return out


def _add_errors(out: dict[tuple[int, int], Array], data: Sample) -> None:
    scale: dict[int, Any] = {0: A, 1: A, 2: data.parallax}
    for (a, b), element in data.errors.items():
        if b != 3:
            more = element * (scale[a] * scale[b])
            out[a, b] = out[a, b] + more if (a, b) in out else more


def parallax_pull(data: Sample, v_sun: Array, e: Any) -> dict[int, Array]:
    """What the residuals move by with the parallax: tangentially by v_sun, outward by the flow at that distance.

    `v_sun` is (3,) or (3, n), in ICRS axes; `e` are the residuals. The flow, v_r + v_sun g less the peculiar velocity:
    with that in it, the stars with the fastest peculiar velocities would have the smallest weights, and the dispersion
    would come out too small.
    """
    if data.known_sun is not None:
        v_sun = data.known_sun + (v_sun[:, None] if v_sun.ndim == 1 else v_sun)
    pull = {
        k: v_sun[: len(data.axes[k])] @ data.axes[k] if v_sun.ndim == 1 else along(data.axes[k], v_sun)
        for k in data.used
    }
    if 2 in pull and data.radial_velocity is not None:
        positive = data.parallax if data.has_radial is None else np.where(data.parallax > 0.0, data.parallax, 1.0)
        pull[2] = pull[2] + data.radial_velocity
        pull[2] -= e[2] / positive
    return pull


def parallax_covariance(data: Sample, pull: dict[int, Array]) -> dict[int, Array]:
    """Covariance of the parallax with each local residual, through the parallax's own error and its correlations."""
    variance, cross = data.errors[3, 3], _cross(data)
    return {k: variance * pull[k] + cross[k] if k in cross else variance * pull[k] for k in data.used}


def _cross(data: Sample) -> dict[int, Array]:
    scale: dict[int, Any] = {0: A, 1: A, 2: data.parallax}
    return {k: scale[k] * data.errors[k, 3] for k in data.used if (k, 3) in data.errors}


def _add_parallax_errors(out: dict[tuple[int, int], Array], data: Sample, pull: dict[int, Array]) -> None:
    loose, cross = parallax_covariance(data, pull), _cross(data)
    for a in data.used:
        for b in data.used:
            if a <= b:
                extra = loose[a] * pull[b]
                if b in cross:
                    extra += cross[b] * pull[a]
                out[a, b] = out[a, b] + extra if (a, b) in out else extra


def outer(v: Array) -> Array:
    """The s = r (r + 1)/2 different products (s, n) of the components of vectors (r, n), row after row."""
    pairs = pairs_of(len(v))
    out = np.empty((len(pairs), v.shape[1]), v.dtype)
    for row, (i, j) in zip(out, pairs, strict=True):
        np.multiply(v[i], v[j], out=row)
    return out


@lru_cache
def pairs_of(r: int) -> tuple[tuple[int, int], ...]:
    """The different elements of a symmetric matrix (r, r), row after row."""
    return tuple((i, j) for i in range(r) for j in range(i, r))


def places(r: int) -> NDArray[np.intp]:
    """Where each element of a symmetric matrix (r, r) stands among those of `outer`."""
    out = np.empty((r, r), np.intp)
    for place, (i, j) in enumerate(pairs_of(r)):
        out[i, j] = out[j, i] = place
    return out


def turning(rotation: Array) -> Array:
    """The matrix (6, 6) that turns the six elements of a symmetric matrix as `rotation` turns vectors."""
    out = np.zeros((6, 6))
    for p, (a, b) in enumerate(PAIRS):
        for i in range(3):
            for j in range(3):
                out[p, PLACE[i, j]] += rotation[a, i] * rotation[b, j]
    return out


def symmetric(six: Array) -> Array:
    """Matrices (..., 3, 3) from their six elements (..., 6)."""
    return six[..., PLACE]


def dispersion_information(ww: Array) -> Array:
    """Expected information (..., 6, 6) of the elements of Sigma from the sums of products of weights (..., 6, 6).

    For C = parallax^2 Sigma + E it is 1/2 tr(W dC W dC'), with dC = parallax^2 (e_a e_b + e_b e_a)/(1 + delta_ab)
    and the parallaxes already in the weights.
    """
    out = np.zeros_like(ww)
    for p, (a, b) in enumerate(PAIRS):
        for q, (c, d) in enumerate(PAIRS):
            terms = ww[..., PLACE[a, c], PLACE[b, d]] + ww[..., PLACE[a, d], PLACE[b, c]]
            out[..., p, q] = 0.25 * TWICE[p] * TWICE[q] * terms
    return out
