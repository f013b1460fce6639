"""Star clusters through a spectrograph, as an astrokin plugin: one effect and one estimator."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np

import astrokin as ak
from astrokin.summaries import group_of, grouped_product

KM_S = u.km / u.s
_UNITS = {"velocity": KM_S, "variance": KM_S**2}


@dataclass(frozen=True)
class VelocityZeroPoint(ak.Effect):
    r"""The zero point of a spectrograph, and the uncertainty that it brings.

    .. math:: v_{r,\mathrm{obs}} = v_r + \Delta v

    Notes
    -----
    Domain: radial velocities up to `calibrated`; faster stars are refused.
    """

    name = "velocity-zero-point"
    stage = ak.Stage.DETECTOR
    needs = frozenset({"radial_velocity"})

    offset: u.Quantity = ak.parameter(0.3 * KM_S, doc="what is added to every radial velocity")
    error: u.Quantity = ak.parameter(
        0.1 * KM_S, doc="standard error of the offset", physical=lambda x: x >= 0, domain="0 or more"
    )
    calibrated: u.Quantity = ak.parameter(2000 * KM_S, doc="how far the calibration reaches", per_row=False)

    def forward(self, stars):
        stars = stars.refuse(np.abs(stars.radial_velocity) > self.calibrated, "radial velocity beyond the calibration")
        return stars.replace(radial_velocity=stars.radial_velocity + self.offset)

    def backward(self, stars):
        return stars.replace(radial_velocity=stars.radial_velocity - self.offset)

    def noise(self, stars):
        covariance = np.zeros((len(stars), 6, 6))
        covariance[:, 5, 5] = self.error.to_value(KM_S) ** 2
        return covariance


@dataclass(frozen=True)
class SystemicVelocity(ak.Estimator):
    r"""Radial velocity and velocity dispersion of a cluster, measurement errors taken off.

    Stars have :math:`v_r \sim N(\bar v, \sigma^2 + \epsilon_i^2)` with their own errors :math:`\epsilon_i`. Fisher
    scoring finds the maximum of the likelihood; errors are those of the sandwich.

    Returns
    -------
    Fit
        ``velocity`` (km/s) and ``variance`` (km2/s2); derived: ``dispersion`` (km/s).

    Notes
    -----
    Domain: members of one cluster, far enough that they share one line of sight.
    """

    name = "systemic-velocity"
    needs = frozenset({"radial_velocity"})
    max_passes = 50

    def collect(self, rows, params):
        e, total = self._model(rows, params)
        group, n_groups = group_of(rows)
        times = np.ones(len(rows)) if rows.weight is None else rows.weight

        def summed(values):
            return grouped_product(values * times, np.ones((1, len(rows))), group, n_groups)[:, :, 0]

        score = np.stack([e / total, 0.5 * (e**2 - total) / total**2])
        information = summed(np.stack([1.0 / total, 0.5 / total**2]))
        misfit, count = summed(np.stack([e**2 / total, np.ones(len(rows))])).T
        meat = grouped_product(score * times, score, group, n_groups)
        return ak.NormalEquations(information[:, :, None] * np.eye(2), summed(score), misfit, count, meat)

    def solve(self, summary, params):
        state = _start(len(summary.count)) if params is None else params.state
        step = summary.step()
        moved = state + step
        moved[:, 1] = np.maximum(moved[:, 1], 0.0)
        error = np.sqrt(np.einsum("gii->gi", summary.inverse))
        converged = params is not None and bool(np.all(np.abs(moved - state) <= 1e-3 * error))
        if params is None or not params.final:
            return ak.Fit(_named(moved), state=moved, converged=converged)
        few = summary.undetermined | (summary.count < 3)[:, None]
        reasons = dict.fromkeys(_UNITS, "fewer than three stars") if few.any() else {}
        covariance = np.where(few[:, :, None] | few[:, None, :], np.nan, summary.sandwich())
        shown = np.where(few, np.nan, moved)
        return ak.Fit(_named(shown), covariance, state=moved, converged=converged, undetermined=reasons)

    def derive(self, values):
        return {"dispersion": np.sqrt(values["variance"])}

    def residual(self, rows, params):
        e, total = self._model(rows, params)
        return np.abs(e) / np.sqrt(total)

    def _model(self, rows, params):
        """Residuals about the last pass, and their variances."""
        group, n_groups = group_of(rows)
        state = _start(n_groups) if params is None else params.state
        mean, variance = state[0] if group is None else state[group].T
        errors = rows.raw.covariance
        known = errors is not None and errors.knows("radial_velocity")
        measured = np.nan_to_num(errors.error("radial_velocity")) if known else 0.0
        return rows.raw.radial_velocity - mean, variance + measured**2 + np.zeros(len(rows))

    def simulate(self, n, rng):
        errors = rng.uniform(0.2, 2.0, n)
        velocity = 33.0 + np.sqrt(1.5 + errors**2) * rng.normal(size=n)
        stars = ak.Stars(
            ra=rng.uniform(132, 134, n) * u.deg,
            dec=rng.uniform(11, 13, n) * u.deg,
            radial_velocity=velocity * KM_S,
            covariance=ak.Covariance(errors={"radial_velocity": errors}),
            columns={"source_id": np.arange(n)},
        )
        return stars, {"velocity": 33.0 * KM_S, "variance": 1.5 * KM_S**2}


def _named(values):
    return {name: values[:, i] * unit for i, (name, unit) in enumerate(_UNITS.items())}


def _start(n_groups):
    """Where the iteration begins: velocity (km/s) and variance (km2/s2) of each group."""
    return np.tile([0.0, 100.0], (n_groups, 1))


@ak.hookimpl
def astrokin_effects():
    return [VelocityZeroPoint]


@ak.hookimpl
def astrokin_estimators():
    return [SystemicVelocity]
