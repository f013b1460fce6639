"""A few stars of another kind in the sample: a mixture of the population that is fitted and a broad background.

Of a star with the residuals e the density is (1 - f) N + f B, N that of the model, B that of the background, which is
known but for its share f. With r = (1 - f) N/((1 - f) N + f B), the probability that the star belongs, the score of the
model's parameters is r times that of N, and the observed information (Louis 1982)

    sum r I - sum r (1 - r) s s^T,

s the score of N; that of the share is (1 - r)/f - r/(1 - f).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

import astrokin as ak
from astrokin.estimators.fields import Field
from astrokin.estimators.linear_field import State, Sums, Terms, of_parameters
from astrokin.summaries import group_of, grouped_product

Array = NDArray[np.float64]

#: (km/s)^2: the variance of the background in each direction, about that of halo stars.
VARIANCE = 120.0**2
#: The share where the iteration begins, and the variance, (km/s)^2, of the population.
START = 0.05
START_VARIANCE = 60.0**2
#: Of the share's error: what is less is no step.
_TOLERANCE = 1e-3
#: Of the share's error: what is less is none.
_AT_LIMIT = 1e-2


@dataclass(frozen=True)
class MixtureState:
    """Parameters of the population that is fitted, and the share (G,) of the background."""

    model: State
    share: Array


def isotropic(mean: Any, variance: float, field: Field, n_groups: int = 1) -> State:
    """A population of one variance in all directions."""
    tensor = variance * np.eye(3)
    values = np.concatenate([mean, tensor[np.triu_indices(3)]])
    return State(np.tile(values, (n_groups, 1)), np.tile(tensor, (n_groups, 1, 1)), field)


@dataclass(frozen=True)
class MixtureSums:
    """What a pass collects, group axis first.

    Attributes
    ----------
    model : Sums
        Of the population that is fitted, each row weighted by the probability that it belongs.
    share : ndarray, shape (G, 3)
        Rows, and sums of the share's score and of its square.
    products : ndarray, shape (G, k + 1, k + 1), optional
        Sums of the products of the rows' scores, that of the share the last.
    cross : ndarray, shape (G, k), optional
        Sums of s r (1 - r)/(f (1 - f)).
    """

    model: Sums
    share: Array
    products: Array | None = None
    cross: Array | None = None

    def merge(self, other: MixtureSums) -> MixtureSums:
        """The sums of both blocks."""
        known = self.products is not None and self.cross is not None
        return MixtureSums(
            self.model.merge(other.model),
            self.share + other.share,
            self.products + other.products if known else None,  # type: ignore[operator]
            self.cross + other.cross if known else None,  # type: ignore[operator]
        )

    def next_share(self, share: Array) -> tuple[Array, bool]:
        """The share after a step, never outside 0 to 1, and whether that is negligible."""
        square = np.maximum(self.share[:, 2], 1e-300)
        moved = np.clip(share + self.share[:, 1] / square, 0.1 * share, 0.5 * (1.0 + share))
        return moved, bool(np.all(np.abs(moved - share) < _TOLERANCE / np.sqrt(square)))

    def normal_equations(
        self, normal: ak.NormalEquations, share: Array, shape: Array, field: Field
    ) -> ak.NormalEquations:
        """Observed information and products of the scores of all parameters, the share the last."""
        assert self.products is not None
        assert self.cross is not None
        assert normal.meat is not None
        turn = of_parameters(shape, field)
        k = len(turn)
        whole = np.zeros((k + 1, turn.shape[1] + 1))
        whole[:k, :-1], whole[k, -1] = turn, 1.0
        meat = whole @ self.products @ whole.T
        matrix = np.empty_like(meat)
        matrix[:, :k, :k] = normal.matrix - (normal.meat - meat[:, :k, :k])
        matrix[:, k, :k] = matrix[:, :k, k] = self.cross @ turn.T
        matrix[:, k, k] = meat[:, k, k]
        # At its limit the share does not move with the other parameters.
        none = share < _AT_LIMIT / np.sqrt(np.maximum(meat[:, k, k], 1e-300))
        for part in (matrix, meat):
            part[none, k, :k] = part[none, :k, k] = 0.0
        return ak.NormalEquations(matrix, np.zeros(meat.shape[:2]), normal.misfit, self.share[:, 0], meat)


def collected(terms: Terms, background: Terms, share: Array, final: bool) -> MixtureSums:
    """The sums of a block, from both populations' residuals."""
    rows = terms.rows
    group, n_groups = group_of(rows)
    times = np.ones(len(rows)) if rows.weight is None else rows.weight
    f = np.full(len(rows), share[0]) if group is None else share[group]
    odds = _log_density(background) - _log_density(terms) + np.log(f / (1.0 - f))
    belongs, alien = expit(-odds), expit(odds)
    slope = alien / f - belongs / (1.0 - f)
    terms.rows = rows.replace(weight=times * belongs)
    model = terms.sums(meat=final, misfit=False)
    tally = grouped_product(times[None], np.stack([np.ones_like(f), slope, slope * slope]), group, n_groups)[:, 0]
    if not final:
        return MixtureSums(model, tally)
    scores = terms.scores(terms.parallax * terms.pull)
    every = np.concatenate([belongs * scores, slope[None]])
    mixed = times * belongs * alien / (f * (1.0 - f))
    return MixtureSums(
        model,
        tally,
        grouped_product(times * every, every, group, n_groups),
        grouped_product(scores, mixed[None], group, n_groups)[:, :, 0],
    )


def _log_density(terms: Terms) -> Array:
    return 0.5 * (terms.weights.log_determinant - terms.misfit)
