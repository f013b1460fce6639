"""Maximum likelihood of all bins: Poisson counts and second moments with their full covariance, by Fisher scoring."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.estimators.vertical_bins import Data, moved
from astrokin.estimators.vertical_joint import Joint

Array = NDArray[np.float64]

_STEPS = 200
_TOLERANCE = 1e-10  # of a standard error
#: Times that what distance errors moved is taken off again, about the last fit: each gains three digits.
_CORRECTIONS = 4


@dataclass(frozen=True)
class Solution:
    """The parameters that fit best, their covariance, and the data with what distance errors moved put back."""

    theta: Array
    covariance: Array
    data: Data
    converged: bool
    determined: bool


def fit(joint: Joint, data: Data, start: Array, penalty: Array) -> Solution:
    """Fit all bins; what errors of the distance moved is taken off about the fit, a few times over."""
    theta, corrected = start, data
    for _ in range(_CORRECTIONS if any(v.any() for v in data.blur.values()) else 1):
        theta, information, converged = _scored(joint, corrected, theta, penalty)
        if not np.isfinite(theta).all():
            break
        last, corrected = corrected, put_back(joint, data, theta)
    inverse, determined = _inverse(information)
    covariance = inverse @ (information - penalty) @ inverse
    return Solution(theta, covariance, last if np.isfinite(theta).all() else data, converged, determined)


def put_back(joint: Joint, data: Data, theta: Array) -> Data:
    """The data as they would be without errors of the distance, to first order in their squares."""
    edges = joint.curves(data.edges, theta)["log_density"]
    flow = {name: np.diff(v) for name, v in moved(data.blur, data.edges, edges, data.names).items()}
    number, _ = joint.expected(data, theta)
    expected = np.exp(number)
    share = expected / expected.sum(axis=0)
    gain = share * flow["number"] / expected
    moments = data.moments.copy()
    for k, name in enumerate(data.names):
        if name in flow:
            moments[k] = (1.0 - gain) * data.moments[k] + share * flow[name] / expected
    return replace(data, number=data.number + share * flow["number"], moments=moments)


# ---- scoring ---------------------------------------------------------------------------------------------


def _scored(joint: Joint, data: Data, theta: Array, penalty: Array) -> tuple[Array, Array, bool]:
    """The best parameters, the information about them, and whether the steps came to an end."""
    ridge = 0.0
    for _ in range(_STEPS):
        score, information, value = _score(joint, data, theta, penalty)
        step, ridge, better = _step(joint, data, theta, (score, information, value), ridge)
        error = np.sqrt(np.maximum(np.diag(_inverse(information)[0]), 1e-300))
        theta = theta + step
        if not np.isfinite(theta).all():
            return theta, information, False
        if np.abs(step / error).max() < _TOLERANCE or not better:
            return theta, information, bool(np.abs(step / error).max() < 1e-4)
    return theta, information, False


def _step(joint: Joint, data: Data, theta: Array, here: Any, ridge: float) -> tuple[Array, float, bool]:
    """A step that does not make it worse, shorter and steeper where it must be (Levenberg, Marquardt)."""
    score, information, value = here
    diagonal, before = np.diag(np.diag(information)), value(theta)
    for _ in range(12):
        step = _inverse(information + ridge * diagonal)[0] @ score
        with np.errstate(all="ignore"):
            after = value(theta + step)
        if after <= before + 1e-10 * (1.0 + abs(before)):
            return step, 0.0 if ridge < 1e-3 else 0.1 * ridge, True
        ridge = max(10.0 * ridge, 1e-3)
    return 0.0 * score, ridge, False


def _score(joint: Joint, data: Data, theta: Array, penalty: Array) -> tuple[Array, Array, Any]:
    """Score and information, and the misfit as a function of the parameters with the weights of these."""
    number, moments = joint.expected(data, theta)
    d_number, d_moments = _slopes(joint, data, theta)
    expected = np.exp(number)
    weight = _weights(data, moments)

    def value(at: Array) -> float:
        log, second = joint.expected(data, at)
        off = _off(data, second)
        poisson = ((np.exp(log) - data.number * log) / data.unit).sum()
        return float(poisson + 0.5 * np.einsum("ikl,ijkl,jkl->", off, weight, off) + 0.5 * at @ penalty @ at)

    off = _off(data, moments)
    counts = expected / data.unit
    score = np.einsum("pkl,kl->p", d_number, (data.number - expected) / data.unit)
    score += np.einsum("pikl,ijkl,jkl->p", d_moments, weight, off, optimize=True) - penalty @ theta
    information = np.einsum("pkl,kl,qkl->pq", d_number, counts, d_number, optimize=True) + penalty
    information += np.einsum("pikl,ijkl,qjkl->pq", d_moments, weight, d_moments, optimize=True)
    return score, information, value


def _off(data: Data, moments: Array) -> Array:
    return np.where(data.used, data.moments - moments, 0.0)


def _slopes(joint: Joint, data: Data, theta: Array) -> tuple[Array, Array]:
    """Derivatives by the parameters, (p, n_R, n_z) and (p, q, n_R, n_z), by complex step."""
    moved = theta[:, None, None] + 1e-30j * np.eye(len(theta))[:, :, None]
    number, second = joint.expected(data, moved)
    return np.imag(number) * 1e30, np.moveaxis(np.imag(second), 0, 1) * 1e30


def _weights(data: Data, moments: Array) -> Array:
    """Inverse covariance (q, q, n_R, n_z) of the second moments, from the model's: measured ones follow the noise."""
    total = np.maximum(moments[0] + data.errors[0], 1e-3 * np.abs(data.errors[0]) + 1e-6)
    scale = {"zz": total}
    if len(data.names) > 1:
        across = np.where(data.total_RR > 0.0, data.total_RR, 1.0)
        scale |= {"Rz": np.sqrt(total * across), "RR": across}
    size = np.stack([scale[name] for name in data.names])
    inverse = np.moveaxis(np.linalg.inv(data.standard), 0, -1)[:, :, None, :]
    freedom = np.where(data.used, data.freedom, 0.0)
    return inverse * freedom / (size[:, None] * size[None, :])


def _inverse(matrix: Array) -> tuple[Array, bool]:
    """Pseudo-inverse of a symmetric matrix, and whether it is a whole one."""
    if not np.isfinite(matrix).all():
        return np.zeros_like(matrix), False
    diagonal = np.diag(matrix)
    scale = np.sqrt(np.where(diagonal > 0.0, diagonal, 1.0))
    values, vectors = np.linalg.eigh(matrix / scale[:, None] / scale)
    good = values > 1e-13 * values[-1]
    core = (vectors * np.where(good, 1.0 / np.where(good, values, 1.0), 0.0)) @ vectors.T
    return core / scale[:, None] / scale, bool(good.all())
