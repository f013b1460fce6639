"""From what the solver found to a `Fit`: units, reference epoch, outcome and quality of each source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin.estimators import solution_quality as quality
from astrokin.estimators.solution_model import Clock, Scans, order_of, to_epoch, visibility_periods
from astrokin.estimators.solution_solver import Polynomial, Receding, Rules, Solved, chi_square, freedom, solve
from astrokin.units import MAS_IN_RAD

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_NAMES = {
    "delta_ra": u.mas,
    "delta_dec": u.mas,
    "parallax": u.mas,
    "pmra": u.mas / u.yr,
    "pmdec": u.mas / u.yr,
    "acceleration_ra": u.mas / u.yr**2,
    "acceleration_dec": u.mas / u.yr**2,
    "jerk_ra": u.mas / u.yr**3,
    "jerk_dec": u.mas / u.yr**3,
}
RADIAL = "radial_proper_motion"
#: A variance grown by more than this, for not being alone, is worth a word.
_POOR = 1e3


def units_of(n_parameters: int) -> dict[str, u.UnitBase]:
    """The names of the results of a model, with their units."""
    if n_parameters == 6:
        return {**units_of(5), RADIAL: u.mas / u.yr}
    return dict(list(_NAMES.items())[:n_parameters])


@dataclass(frozen=True)
class Searched:
    """Solutions of G sources in final units, with what is told of each, whatever the model was.

    Attributes
    ----------
    units : mapping
        Results by name, in order.
    values, covariance : ndarray, shape (G, p), (G, p, p)
    outcome : ndarray of str, shape (G,)
    epoch : ndarray, shape (G,)
    residuals, alive, extra, inflation
        As in `Solved`.
    dof : ndarray, shape (G,)
        Degrees of freedom.
    more : ndarray, shape (G,)
        Chi² of what are no positions.
    columns : mapping
        What else there is to tell.
    """

    scans: Scans
    units: Mapping[str, u.UnitBase]
    values: Array
    covariance: Array
    outcome: NDArray[Any]
    epoch: Array
    residuals: list[Array]
    alive: Mask
    extra: Array
    dof: Array
    inflation: Array
    more: Any = 0.0
    columns: Mapping[str, Array] = field(default_factory=dict)

    def fit(self, errors: str, left_out: Mapping[str, Mask]) -> ak.Fit:
        """The `Fit` of these sources; those that are not solved are NaN."""
        chi2 = chi_square(self.scans, self.residuals, self.alive) + self.more
        spread = quality.unit_weight_error(chi2, self.dof)
        scale = np.where(spread > 1.0, spread, 1.0) ** 2 if errors == "scaled" else np.ones(len(chi2))
        lost = np.isin(self.outcome, LOST)
        values = np.where(lost[:, None], np.nan, self.values)
        covariance = np.where(lost[:, None, None], np.nan, self.covariance * scale[:, None, None])
        counts = {reason: int(mask.sum()) for reason, mask in left_out.items() if mask.any()}
        rejected = int((~self.alive).sum())
        return ak.Fit(
            {name: values[:, i] << unit for i, (name, unit) in enumerate(self.units.items())},
            covariance,
            columns=self._columns(np.where(lost, np.nan, chi2), np.where(lost, np.nan, spread), lost),
            left_out=counts | ({"outliers": rejected} if rejected else {}),
            converged=not (self.outcome == UNSETTLED).any(),
        )

    def _columns(self, chi2: Array, spread: Array, lost: Mask) -> dict[str, Any]:
        scans = self.scans
        noise = np.sqrt(self._excess())
        return {
            "outcome": self.outcome,
            "reference_epoch": self.epoch << u.yr,
            "epochs": scans.sums(self.alive).astype(int),
            "outliers": scans.sums(~self.alive).astype(int),
            "visibility_periods": visibility_periods(scans).astype(int),
            "chi2": chi2,
            "dof": np.maximum(self.dof, 0.0).astype(int),
            "f2": quality.goodness_of_fit(chi2, self.dof),
            "unit_weight_error": spread,
            "excess_noise": np.where(lost | (self.dof <= 0), np.nan, noise) << u.mas,
            "inflation": np.where(lost, np.nan, self.inflation),
            **self.columns,
        }

    def _excess(self) -> Array:
        """The variance that was added; where none was to be, that which the residuals call for."""
        if self.extra.any():
            return self.extra
        return quality.excess_variance(self.scans, self.residuals, self.alive, self.dof - self.more)


SOLVED, POOR, FEW, NONE, LOOSE = "solved", "poorly determined", "too few epochs", "no orbit found", "undetermined"
UNSETTLED, AMBIGUOUS = "not settled", "ambiguous"
#: Outcomes without results.
LOST = (FEW, LOOSE, NONE)


def outcomes(dof: Array, undetermined: Mask, inflation: Array, settled: Mask) -> NDArray[Any]:
    """What became of each source, the gravest first."""
    conditions = [dof < 0, undetermined, ~settled, inflation > _POOR]
    return np.select(conditions, [FEW, LOOSE, UNSETTLED, POOR], SOLVED)


# ---- five to nine parameters -----------------------------------------------------------------------------


def solved(
    scans: Scans, n_parameters: int, epoch: float | None, rules: Rules, errors: str, left_out: Mapping[str, Mask]
) -> ak.Fit:
    """The fit of a model of 5, 6, 7 or 9 parameters."""
    radial = n_parameters == 6
    clock = Clock.of(scans, epoch if radial else None)
    tau = clock(scans)
    found = solve(scans, Receding(tau) if radial else Polynomial(n_parameters, tau), rules)
    at = clock.pivot if epoch is None else np.full(scans.n_groups, epoch)
    turn = _receding_units(clock) if radial else to_epoch(clock, at, order_of(n_parameters))
    dof = freedom(scans, found.alive, n_parameters)
    return _searched(scans, units_of(n_parameters), found, turn, at, dof).fit(errors, left_out)


def _searched(scans: Scans, units: Mapping[str, Any], found: Solved, turn: Array, at: Array, dof: Array) -> Searched:
    return Searched(
        scans,
        units,
        np.einsum("gij,gj->gi", turn, found.values),
        turn @ found.inverse @ turn.swapaxes(1, 2),
        outcomes(dof, found.undetermined, found.inflation, found.settled),
        np.where(scans.count > 0, at, np.nan),
        found.residuals,
        found.alive,
        found.extra,
        dof,
        found.inflation,
    )


def _receding_units(clock: Clock) -> Array:
    """From units of the scaled time to mas and years; the rate of growth as an angle per year."""
    per = 1.0 / clock.scale
    one = np.ones_like(per)
    diagonal = np.stack([one, one, one, per, per, per / MAS_IN_RAD], axis=1)
    return diagonal[:, :, None] * np.eye(6)
