"""Disc heating: velocity dispersions against age, and the spirals behind them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin.estimators import heating_columns, heating_sample
from astrokin.estimators.heating_curves import REFERENCE, VELOCITY, Curve, PowerLaw, Profile, Spirals, growing
from astrokin.estimators.heating_solution import BINS, Solution, solved
from astrokin.estimators.heating_sums import Means, Sums, collected, pulls
from astrokin.estimators.heating_velocities import Sun, without_distance

Array = NDArray[np.float64]

COMPONENTS = ("R", "phi", "z")
MODELS = ("power", "floor", "saturation", "profile", "spirals")
FREQUENCY = u.km / u.s / u.kpc
HEATING = u.kpc * u.km / u.s / u.Gyr
_TOLERANCE = 1e-3  # of a standard error


def _positive(value: Any) -> Any:
    return np.asarray(value) > 0


@dataclass(frozen=True)
class State:
    """What the next pass needs: mean and dispersion by cell, and the parameters."""

    means: Means
    theta: Array
    settled: bool


@dataclass(frozen=True)
class DiscHeating(ak.Estimator):
    r"""The age-velocity relation of a disc: dispersions and exponents, or the spirals that heat it.

    Each velocity component (Galactocentric cylindrical: v_R outward, v_phi less a flat rotation curve, v_z) has a
    dispersion that is a function of true age,

    .. math:: \sigma_i(\tau) = \sigma_i\,(\tau / 10\,\mathrm{Gyr})^{\beta_i} ,

    about a mean that is the same for all ages but for the rotation, where it is linear in the variance (the asymmetric
    drift). What the measurement errors and the errors of the parallaxes add to the squares is taken off star by star.
    Observed ages a = tau exp(s n) have relative errors s, n of unit variance: the ages of the population are found from
    the observed ones by maximum likelihood, the true ages of each star by Bayes' rule, and the second moments at
    observed ages are held against what they make of the curve. So old stars that look young do not flatten the
    relation. Nothing is asked of the shape of the velocity distributions; errors are those of the sandwich.

    Parameters
    ----------
    age : `ak.column`
        Ages, or the name of their column; without a unit they are in Gyr.
    age_error : `ak.column` or `~astropy.units.Quantity`, optional
        Their standard errors, or the name of that column. None: the ages are exact.
    model : {"power", "floor", "saturation", "profile", "spirals"}
        Power laws; power laws above a floor, :math:`\sigma^2 = f^2 + (\sigma_{10}^2 - f^2)(\tau/10)^{2\beta}`, or that
        level off at an age; dispersions at `ages`; or, for v_R, what `spirals` make (power laws for the others).
    ages : `~astropy.units.Quantity`, optional
        Where "profile" tells the dispersions; sigma^2 is linear between them.
    spirals : `astrokin.heating.SpiralRelation`, optional
        Wave, pattern speed and birth of "spirals", of which strength and width are fitted.
    oldest : `~astropy.units.Quantity`
        No star is older than this.
    kappa, nu : `~astropy.units.Quantity`, optional
        Radial and vertical frequency, for the diffusion coefficients; kappa by default that of the flat rotation curve.

    Returns
    -------
    Fit
        ``sigma_R beta_R sigma_phi beta_phi sigma_z beta_z`` (sigma at 10 Gyr), with ``floor_R``, … (km/s) or
        ``saturation_R``, … (Gyr); ``sigma_R sigma_phi sigma_z`` over ``fit.grid`` for "profile"; ``strength``
        (km2/s2) and ``width`` (km/s/kpc) in the place of sigma_R and beta_R for "spirals". Derived: ``sigma_z_over_R``,
        ``sigma_phi_over_R``, and the empirical diffusion coefficients at 10 Gyr ``heating_R`` = d<J_R>/dt =
        d(sigma_R^2/kappa)/dt and ``heating_z`` = d(sigma_z^2/nu)/dt, in kpc km/s per Gyr.

    Notes
    -----
    Sources: 003, section 5.2; Binney & Lacey (1988); Aumer & Binney (2009); Mackereth et al. (2019). Stars with a
    parallax below four of its errors are left out. Domain: parallax errors below some 15 per cent; age errors up to
    some 50 per cent that are in proportion to the ages and do not depend on the velocities; a sample that is not
    selected by observed age. All stars count alike, whatever their velocity errors: those should be below the
    dispersions. Errors of the ages of the population are not part of the errors given.

    Examples
    --------
    >>> import numpy as np
    >>> import astrokin as ak
    >>> estimator = ak.estimators.DiscHeating(age="age", age_error="age_error")
    >>> stars, truth = estimator.simulate(20_000, np.random.default_rng(1))
    >>> fit = estimator.fit(stars)
    >>> abs(fit["beta_R"] - truth["beta_R"]) < 4 * fit.error["beta_R"]
    np.True_
    """

    name = "disc-heating"
    needs = frozenset({"parallax", "proper_motion", "radial_velocity"})
    reads = frozenset({"parallax", "proper_motion", "radial_velocity", "covariance"})
    references = ("1988MNRAS.230..597B", "2009MNRAS.397.1286A", "2019MNRAS.489..176M", "source-003")
    max_passes = 30

    age: Any = ak.parameter(lambda: ak.column("age"), unit=u.Gyr, doc="the column of ages")
    age_error: Any = ak.parameter(None, unit=u.Gyr, doc="the column of their errors")
    model: str = ak.option("power", allowed=MODELS, doc="of the dispersions with age")
    ages: Any = ak.option(None, doc="where a profile tells the dispersions")
    spirals: Any = ak.option(None, doc="the spirals of the model 'spirals': a heating.SpiralRelation")
    oldest: u.Quantity = ak.parameter(
        14.0 * u.Gyr, per_row=False, doc="no star is older", physical=_positive, domain="a positive age"
    )
    kappa: u.Quantity | None = ak.parameter(
        None, unit=FREQUENCY, per_row=False, doc="radial frequency", physical=_positive, domain="a positive frequency"
    )
    nu: u.Quantity = ak.parameter(
        75.0 * FREQUENCY, per_row=False, doc="vertical frequency", physical=_positive, domain="a positive frequency"
    )

    def __post_init__(self) -> None:
        for name in ("age", "age_error"):
            value = getattr(self, name)
            if isinstance(value, str):
                object.__setattr__(self, name, ak.column(value))
        super().__post_init__()
        if not hasattr(self.age, "name"):
            raise ak.errors.InputError(f"DiscHeating.age is {self.age!r}; the column of ages is needed: age='age'.")
        object.__setattr__(self, "ages", _checked_ages(self.ages, self.model))
        if (self.model == "spirals") != isinstance(self.spirals, ak.heating.SpiralRelation):
            raise ak.errors.InputError(
                f"DiscHeating: model={self.model!r} with spirals={self.spirals!r}; the model 'spirals' and a "
                "heating.SpiralRelation go together."
            )

    # ---- one pass ----------------------------------------------------------------------------------------

    def unusable(self, rows: Any) -> Mapping[str, Any]:
        """Rows without an age, its error, or a distance. Raises for ages and errors that cannot be."""
        reasons = heating_columns.unusable(*self._ages_of(rows))
        far = without_distance(rows)
        return {"parallax below 4 of its errors": far, **reasons} if far.any() else reasons

    def _ages_of(self, rows: Any) -> tuple[Array, Array | None]:
        """Ages and their errors, Gyr: not the whole estimator is bound to a block, which takes longer than its sums."""

        def values(name: str) -> Array:
            given = getattr(self, name)
            if not hasattr(given, "name"):
                return np.full(len(rows), given.value)
            return np.asarray(self._specs()[name].bound(rows[given.name], given.name).value)

        return values("age"), None if self.age_error is None else values("age_error")

    @classmethod
    @cache
    def _specs(cls) -> dict[str, Any]:
        return dict(cls.specs())

    def collect(self, rows: Any, params: Any) -> Sums:
        """Moments of the velocities about the means of the last pass, in cells of observed age and its error."""
        means = None if params is None else params.state.means
        return collected(rows, *self._ages_of(rows), means, params is not None and params.final, self._sun)

    @cached_property
    def _sun(self) -> Sun:
        return Sun.default()

    def solve(self, summary: Sums, params: Any) -> ak.Fit:
        """The curves' parameters; their errors in the final pass."""
        about = None if params is None else params.state.means.mean
        oldest = float(self.oldest.value)
        found = [
            solved(summary, g, self._curves, oldest, None if about is None else about[g])
            for g in range(len(summary.count))
        ]
        theta = np.array([np.full(self._size, np.nan) if s is None else s.theta for s in found])
        settled = all(s is None or s.settled for s in found)
        if params is not None and params.final:
            return self._fit(found, theta, settled and (self.clip is None or self._at_rest(theta, params)))
        state = State(_means(found, summary), theta, settled)
        return ak.Fit(self._named(theta), state=state, converged=self._at_rest(theta, params))

    def _at_rest(self, theta: Array, params: Any) -> bool:
        """Whether another pass would change nothing: without a clip none does."""
        if self.clip is None:
            return True
        if params is None:
            return False
        change = np.abs(theta - params.state.theta)
        return bool((np.nan_to_num(change) <= _TOLERANCE * np.maximum(np.abs(theta), 0.1)).all())

    @property
    def _curves(self) -> tuple[Curve, ...]:
        if self.model == "profile":
            nodes = tuple(self.ages.to_value(u.Gyr).tolist())
            return tuple(Profile(c, nodes) for c in COMPONENTS)
        if self.model == "spirals":
            return (Spirals(self.spirals), *(PowerLaw(c) for c in COMPONENTS[1:]))
        return tuple(PowerLaw(c, self.model) for c in COMPONENTS)

    @property
    def _size(self) -> int:
        return sum(len(c.names) for c in self._curves)

    # ---- the result --------------------------------------------------------------------------------------

    def _named(self, theta: Array) -> dict[str, u.Quantity]:
        if self.model == "profile":
            blocks = theta.reshape(len(theta), len(COMPONENTS), -1)
            return {f"sigma_{c}": blocks[:, k] << VELOCITY for k, c in enumerate(COMPONENTS)}
        names = [name for curve in self._curves for name in curve.names]
        units = [unit for curve in self._curves for unit in curve.units]
        return {name: column << unit for name, column, unit in zip(names, theta.T, units, strict=True)}

    def _fit(self, found: list[Solution | None], theta: Array, converged: bool) -> ak.Fit:
        size = self._size
        covariance = np.full((len(found), size, size), np.nan)
        lost = np.ones((len(found), size), bool)
        for g, solution in enumerate(found):
            if solution is not None:
                assert solution.covariance is not None
                covariance[g] = solution.covariance
                lost[g] = ~solution.determined | ~(np.diag(solution.covariance) > 0.0)
        theta = np.where(lost, np.nan, theta)
        covariance[lost[:, :, None] | lost[:, None, :]] = np.nan
        values = self._named(theta)
        reasons = {k: _REASON for k, v in values.items() if np.isnan(v.value).any()}
        seen = np.array([np.full((4, BINS), np.nan) if s is None else s.seen for s in found])
        names = ("age", *(f"sigma_{c}" for c in COMPONENTS))
        units = (u.Gyr, *(VELOCITY for _ in COMPONENTS))
        data = {name: seen[:, k] << unit for k, (name, unit) in enumerate(zip(names, units, strict=True))}
        notes = self._notes(found)
        return ak.Fit(values, covariance, None, converged, reasons, notes, grid=self.ages, data=data)

    def _notes(self, found: list[Solution | None]) -> tuple[str, ...]:
        beyond = sum(s.beyond for s in found if s is not None)
        if self.age_error is None or not beyond:
            return ()
        return (
            f"{beyond:,.0f} stars look older than {self.oldest:g} by more than 4 of their errors: is that the oldest?",
        )

    def residual(self, rows: Any, params: Any) -> Array:
        """Root mean square of the three velocities in units of dispersion and error."""
        return pulls(rows, *self._ages_of(rows), params.state.means, self._sun)

    # ---- what follows from the results -------------------------------------------------------------------

    def derive(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Axis ratios, and the growth of the mean actions at 10 Gyr."""
        out = {}
        with np.errstate(invalid="ignore", divide="ignore"):
            for name, ratio in (("sigma_z", "sigma_z_over_R"), ("sigma_phi", "sigma_phi_over_R")):
                if "sigma_R" in values:
                    out[ratio] = values[name] / values["sigma_R"]
            for component, frequency in {"R": self._kappa, "z": self.nu}.items():
                if f"beta_{component}" in values:
                    out[f"heating_{component}"] = (self._growth(values, component) / frequency).to(HEATING)
        return out

    @property
    def _kappa(self) -> u.Quantity:
        if self.kappa is not None:
            return self.kappa
        return np.sqrt(2.0) * ak.galaxy.circular_speed() / ak.galaxy.distance_to_centre()

    def _growth(self, values: Mapping[str, Any], component: str) -> Any:
        """d(sigma^2)/dt at 10 Gyr."""
        variance = values[f"sigma_{component}"] ** 2
        if self.model == "floor":
            variance = variance - values[f"floor_{component}"] ** 2
        if self.model == "saturation":
            variance = variance * growing(REFERENCE, values[f"saturation_{component}"].value)
        return 2.0 * values[f"beta_{component}"] * variance / (REFERENCE * u.Gyr)

    def draw(self, fit: ak.Fit, axes: Any = None) -> Any:
        """The dispersions against age, and the values; against the groups where there are some."""
        from astrokin.estimators import heating_plot

        return heating_plot.draw(self, fit, axes)

    # ---- simulation --------------------------------------------------------------------------------------

    def simulate(self, n: int, rng: np.random.Generator) -> tuple[Any, dict[str, u.Quantity]]:
        """Stars of all ages with errors of 20 per cent where errors are fitted, and the truth.

        Actions are drawn from the evolved distribution: a Maxwellian for power laws, for "spirals" that of the
        diffusion equation.
        """
        return heating_sample.simulated(self, n, rng)

    @classmethod
    def examples(cls) -> Any:
        yield cls(age_error="age_error")
        yield cls()
        yield cls(model="profile", ages=[1.0, 4.0, 8.0, 12.0] * u.Gyr)


_REASON = "the stars (their number, or the range of their ages) do not determine it"


def _checked_ages(ages: Any, model: str) -> Any:
    if model != "profile":
        if ages is not None:
            raise ak.errors.InputError(f"DiscHeating.ages is {ages}; only model='profile' takes ages.")
        return None
    if ages is None:
        raise ak.errors.InputError("DiscHeating: model='profile' needs ages, for example ages=[1, 4, 8, 12] * u.Gyr.")
    plain = ak.units.raw_values(ages, u.Gyr, "DiscHeating.ages")
    if plain.ndim != 1 or len(plain) < 2 or not (np.diff(plain) > 0.0).all() or not plain[0] >= 0.0:
        raise ak.errors.InputError(
            f"DiscHeating.ages are {ages}; at least two, increasing and not negative, are needed."
        )
    plain = np.array(plain)
    plain.flags.writeable = False
    return plain << u.Gyr


def _means(found: list[Solution | None], summary: Sums) -> Means:
    shape = summary.first.shape
    mean, variance = np.zeros(shape), np.ones(shape)
    for g, solution in enumerate(found):
        if solution is not None:
            mean[g], variance[g] = solution.mean, solution.variance
    return Means(mean, variance)
