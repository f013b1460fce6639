"""The strength and the width of the spirals behind an observed age-velocity relation, by least squares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from astrokin.errors import InputError
from astrokin.heating.door import FREQUENCY, SPEED, TIME, positive
from astrokin.heating.inverse import SpiralRelation

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SpiralFit:
    """Strength and width of the spirals behind a relation.

    Attributes
    ----------
    strength, width : `~astropy.units.Quantity`
    strength_error, width_error : `~astropy.units.Quantity`
    covariance : ndarray, shape (2, 2)
        Of (strength, width), in km2/s2 and km/s/kpc.
    logs, log_covariance : ndarray, shapes (2,) and (2, 2)
        ln(strength) and ln(width), in which the errors are nearer to Gaussian.
    chi2 : float
    freedom : int
    converged : bool
        Whether the best spirals were found, and lie within what `SpiralRelation` holds.
    """

    strength: Any
    width: Any
    covariance: Array
    logs: Array
    log_covariance: Array
    chi2: float
    freedom: int
    converged: bool

    @property
    def strength_error(self) -> Any:
        """Standard error of the strength."""
        return np.sqrt(self.covariance[0, 0]) << SPEED**2

    @property
    def width_error(self) -> Any:
        """Standard error of the width."""
        return np.sqrt(self.covariance[1, 1]) << FREQUENCY


def fit_spirals(
    relation: SpiralRelation,
    age: Any,
    sigma_R: Any,
    error: Any = None,
    covariance: Array | None = None,
    start: Mapping[str, Any] | None = None,
) -> SpiralFit:
    """The strength and the width whose heating gives an observed age-velocity relation, by least squares.

    Parameters
    ----------
    relation : SpiralRelation
        Everything else about the spirals.
    age, sigma_R : `~astropy.units.Quantity`, shape (n,)
        The observed relation, at true ages (see `DiscHeating` for what age errors do).
    error : `~astropy.units.Quantity`, shape (n,), optional
        Standard errors of sigma_R.
    covariance : ndarray, shape (n, n), optional
        Their covariance, (km/s)^2, instead.
    start : mapping, optional
        ``strength`` and ``width`` to begin with; several beginnings are tried without.

    Returns
    -------
    SpiralFit

    Raises
    ------
    InputError
        Fewer than three ages, ages or errors that are not positive.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating import Disc, SpiralRelation, SpiralWave, fit_spirals
    >>> rate = u.km / u.s / u.kpc
    >>> relation = SpiralRelation(Disc.power_law(220 * u.km / u.s, 8 * u.kpc), 8 * u.kpc, SpiralWave(2, 1.5 / u.kpc),
    ...                           20 * rate)
    >>> ages = [0.5, 1, 2, 3, 5, 7, 10] * u.Gyr
    >>> observed = relation.sigma_R(ages, 60 * u.km**2 / u.s**2, 10 * rate)
    >>> found = fit_spirals(relation, ages, observed, error=0.01 * observed)
    >>> found.strength.round(3), found.width.round(3)
    (<Quantity 60. km2 / s2>, <Quantity 10. km / (kpc s)>)
    """
    t = positive(age, TIME, "age")
    sigma = positive(sigma_R, SPEED, "sigma_R")
    if t.ndim != 1 or t.shape != sigma.shape or len(t) < 3:
        raise InputError(
            f"age and sigma_R have the shapes {t.shape} and {sigma.shape}; at least three of each are needed."
        )
    root = _whitening(sigma, error, covariance)
    low, high = np.log(relation.widths[[0, -1]])

    def misfit(logs: Array) -> Array:
        return root @ (np.sqrt(relation.variance(t, logs)) - sigma)

    best: Any = None
    for begin in _starts(relation, t, sigma, start):
        found = least_squares(
            misfit, begin, bounds=([-40.0, low], [40.0, high]), x_scale=[1.0, 1.0], xtol=1e-12, ftol=1e-12, gtol=1e-12
        )
        best = found if best is None or found.cost < best.cost else best
    slopes = best.jac @ np.diag([2.0, 1.0])  # of ln(strength), not of its square
    log_covariance = np.linalg.pinv(slopes.T @ slopes)
    values = np.array([np.exp(0.5 * best.x[0]), np.exp(best.x[1])])
    inside = bool(low + 1e-6 < best.x[1] < high - 1e-6) and relation.reaches(t, best.x)
    return SpiralFit(
        strength=values[0] << SPEED**2,
        width=values[1] << FREQUENCY,
        covariance=values[:, None] * log_covariance * values,
        logs=np.log(values),
        log_covariance=log_covariance,
        chi2=2.0 * float(best.cost),
        freedom=len(t) - 2,
        converged=bool(best.success) and inside,
    )


def _whitening(sigma: Array, error: Any, covariance: Array | None) -> Array:
    """Turns residuals into independent ones of unit variance."""
    if (error is None) == (covariance is None):
        raise InputError("Give either error or covariance of sigma_R.")
    if covariance is None:
        return np.diag(1.0 / np.broadcast_to(positive(error, SPEED, "error"), sigma.shape))
    matrix = np.asarray(covariance, dtype=float)
    if matrix.shape != (len(sigma), len(sigma)):
        raise InputError(f"covariance has the shape {matrix.shape}; {(len(sigma), len(sigma))} is needed.")
    try:
        return np.linalg.inv(np.linalg.cholesky(matrix))
    except np.linalg.LinAlgError:
        raise InputError("covariance is not positive definite.") from None


def _starts(relation: SpiralRelation, t: Array, sigma: Array, start: Mapping[str, Any] | None) -> list[Array]:
    if start is not None:
        power = float(positive(start["strength"], SPEED**2, "strength")) ** 2
        return [np.log([power, float(positive(start["width"], FREQUENCY, "width"))])]
    # For each width the strength that, heating linearly, gives the last dispersion.
    out = []
    gained = max(sigma[np.argmax(t)] ** 2 / (float(relation.orbit.kappa) * relation.birth_action) - 1.0, 0.1)
    for width in np.geomspace(0.05, 2.0, 5) * float(relation.orbit.kappa):
        unit = float(relation.pace(np.asarray(t.max()), np.array([0.0, np.log(width)])))
        out.append(np.log([gained / unit, width]))
    return out
