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
    off = {a: v_sun[0, : len(data.axes[a])] @ data.axes[a] for a in data.used}
    e = {a: data.measured[a] + parallax * off[a] for a in data.used}
    w = _weights(data, float(tensor[0, 0, 0]), square, off)
    pull = _applied(w, e)
    known = sum(float(np.vdot(pull[a], e[a])) for a in data.used) if misfit else 0.0
    field, scatter = np.zeros(3), 0.0
    for a, axis in ((a, data.axes[a]) for a in data.used):
        pull[a] *= parallax
        field[: len(axis)] -= axis @ pull[a]
        scatter += float(np.vdot(pull[a], pull[a]))
    for element in w.values():
        element *= square
    spread = sum((1.0 if a == b else 2.0) * float(np.vdot(v, v)) for (a, b), v in w.items())
    return Sums(
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
        total = (data.errors[2, 2] + sigma2) * square if (2, 2) in data.errors else sigma2 * square
        has = data.has_radial
        out[2, 2] = 1.0 / total if has is None else np.where(has, 1.0 / np.where(has, total, 1.0), 0.0)
    if 0 in data.used:
        scale = square + 3.0 * data.errors[3, 3] if (3, 3) in data.errors else square
        out |= _tangential(data, sigma2 * scale, off)
    return out


def _tangential(data: Sample, variance: Array, off: dict[int, Array]) -> dict[tuple[int, int], Array]:
    """The inverse of the covariance of the two tangential components."""
    s: dict[tuple[int, int], Any] = {
        (a, b): data.errors[a, b] * (A * A) for a, b in ((0, 0), (0, 1), (1, 1)) if (a, b) in data.errors
    }
    if (3, 3) in data.errors:
        loose = {a: data.errors[3, 3] * off[a] for a in (0, 1)}
        cross = {a: A * data.errors[a, 3] for a in (0, 1) if (a, 3) in data.errors}
        for a, b in ((0, 0), (0, 1), (1, 1)):
            extra = loose[a] * off[b]
            if a in cross:
                extra += cross[a] * off[b]
            if b in cross:
                extra += cross[b] * off[a]
            s[a, b] = s[a, b] + extra if (a, b) in s else extra
    first, second = (variance + s[a, a] if (a, a) in s else variance for a in (0, 1))
    if (0, 1) not in s:
        return {(0, 0): 1.0 / first, (1, 1): 1.0 / second}
    scale = 1.0 / (first * second - s[0, 1] * s[0, 1])
    return {(0, 0): second * scale, (0, 1): -s[0, 1] * scale, (1, 1): first * scale}


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
