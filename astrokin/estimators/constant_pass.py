"""A quick pass of the simplest field: one mean velocity and an isotropic dispersion, the same for all rows.

The sums are those of `linear_field.Terms`, to round-off. East, north and outward axes (p, q, g) are orthonormal, and
the parallax moves no radial residual where the field is the same everywhere: so the radial component stands alone,
the size of a vector is that of its local components, and of the matrices W only their sum is needed,

    sum w_ab a b^T = sum w_qq + sum (w_pp - w_qq) p p^T + sum (w_gg - w_qq) g g^T + sum w_pq (p q^T + q p^T).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from astrokin.estimators.fields import SUN
from astrokin.estimators.linear_field import _ROWS, NEAREST_PARALLAX, Array, State, Sums
from astrokin.units import A
from astrokin.velocity_model import Sample


def applies(rows: Any, data: Sample, state: State) -> bool:
    """Whether the sums of these rows can be had so: one group, no weights, nothing that ties v_r to other motions."""
    alone = rows.group is None and rows.weight is None and len(state.values) == 1
    simple = state.field.columns == (SUN,) and state.field.basis is None and data.known_sun is None
    return alone and simple and not any((a, b) in data.errors for a, b in ((0, 2), (1, 2), (2, 3)))


def sums(data: Sample, state: State, misfit: bool) -> Sums:
    """The sums of a block about the parameters of the last pass, those of the errors left out."""
    _, v_sun, tensor = state.in_icrs
    parallax = data.parallax
    square = parallax * parallax
    v_sun = v_sun.astype(parallax.dtype, copy=False)
    off = {a: v_sun[0, : len(data.axes[a])] @ data.axes[a] for a in data.used}
    e = {a: parallax * off[a] for a in data.used}
    for a, seen in enumerate(data.measured):
        if seen is not None:
            e[a] += seen
    w = _weights(data, float(tensor[0, 0, 0]), square, off)
    pull = _applied(w, e)
    known = sum(float(np.vdot(pull[a], e[a])) for a in data.used) if misfit else 0.0
    field, scatter = np.zeros(3), 0.0
    for a, axis in ((a, data.axes[a]) for a in data.used):
        pull[a] *= parallax
        field[: len(axis)] -= axis @ pull[a]
        scatter += float((pull[a] * pull[a]).sum())  # pairwise, unlike a scalar product
    for element in w.values():
        element *= square
    spread = sum((1.0 if a == b else 2.0) * float(np.vdot(v, v)) for (a, b), v in w.items())
    level = sum(float(w[a, a].sum()) for a in data.used)
    return Sums(
        level=np.full((1, 1, 1), level),
        weight=_total(w, data)[_ROWS][None, :, None],
        spread=np.full((1, 1, 1), spread),
        field=field[None, :, None],
        scatter=np.full((1, 1, 1), scatter),
        tally=np.array([[len(parallax), known, _measured(data), np.count_nonzero(parallax < NEAREST_PARALLAX)]]),
    )


def _measured(data: Sample) -> float:
    """How many components there are of all rows."""
    each = data.components
    return float(np.sum(each)) if np.ndim(each) else float(each) * len(data.parallax)


def _weights(data: Sample, sigma2: float, square: Array, off: dict[int, Array]) -> dict[tuple[int, int], Array]:
    """Local weights by pairs of components, arrays of their own, from the covariance of `velocity_model.variance`."""
    out = {}
    if 2 in data.used:
        total = data.errors[2, 2] + sigma2 if (2, 2) in data.errors else np.full_like(square, sigma2)
        total *= square
        has = data.has_radial
        known = total if has is None else np.where(has, total, np.inf)
        out[2, 2] = np.divide(1.0, known, out=known)
    if 0 in data.used:
        scale = square.copy()
        if (3, 3) in data.errors:
            scale += 3.0 * data.errors[3, 3]
        out |= _tangential(data, scale, sigma2, off)
    return out


def _tangential(data: Sample, scale: Array, sigma2: float, off: dict[int, Array]) -> dict[tuple[int, int], Array]:
    """The inverse of the covariance of the two tangential components; `scale` is used up.

    In place: at this point the temporaries are more than the cache holds.
    """
    scale *= sigma2
    if (3, 3) not in data.errors and (0, 1) not in data.errors:
        return {(a, a): 1.0 / (scale + _measurement(data, a, a)) for a in (0, 1)}
    first, mixed, second = (_moved(data, a, b, off) for a, b in ((0, 0), (0, 1), (1, 1)))
    first += scale
    second += scale
    np.multiply(first, second, out=scale)
    scale -= mixed * mixed
    np.divide(1.0, scale, out=scale)
    first *= scale
    second *= scale
    mixed *= scale
    np.negative(mixed, out=mixed)
    return {(0, 0): second, (0, 1): mixed, (1, 1): first}


def _measurement(data: Sample, a: int, b: int) -> Any:
    return data.errors[a, b] * (A * A) if (a, b) in data.errors else 0.0


def _moved(data: Sample, a: int, b: int, off: dict[int, Array]) -> Array:
    """What errors of the motions and of the parallax, and their correlations, add to the covariance of a and b."""
    if (3, 3) not in data.errors:
        return _measurement(data, a, b) + np.zeros_like(data.parallax)
    out = off[a] * off[b]
    out *= data.errors[3, 3]
    if (a, b) in data.errors:
        out += _measurement(data, a, b)
    for one, other in ((a, b), (b, a)):
        if (one, 3) in data.errors:
            out += (A * data.errors[one, 3]) * off[other]
    return out


def _applied(w: dict[tuple[int, int], Array], e: dict[int, Array]) -> dict[int, Array]:
    """W e in local components."""
    out = {a: w[a, a] * e[a] for a in e}
    if (0, 1) in w:
        out[0] += w[0, 1] * e[1]
        out[1] += w[0, 1] * e[0]
    return out


def _total(w: dict[tuple[int, int], Array], data: Sample) -> Array:
    """The sum over the rows of w_ab a b^T in ICRS axes, (3, 3)."""
    p, q, g = data.axes
    level = w.get((1, 1))
    out = np.zeros((3, 3))
    if level is not None:
        out += level.sum() * np.eye(3)
        out[:2, :2] += (p * (w[0, 0] - level)) @ p.T
    outward = w[2, 2] - level if (2, 2) in w and level is not None else w[2, 2] if level is None else -level
    out += (g * outward) @ g.T
    if (0, 1) in w:
        mixed = (p * w[0, 1]) @ q.T
        out[:2] += mixed
        out[:, :2] += mixed.T
    return out
