"""The distance of stars that are all at one place, a cluster, from their parallaxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import simulation
from astrokin.estimators.distance_sums import Sums, summed, told
from astrokin.summaries import group_of

Array = NDArray[np.float64]

_TOLERANCE = 1e-4  # of a standard error
_FEW = 10  # members, whose own scatter tells little of their errors
_EXPLAINED = "the errors of the parallaxes explain all of their scatter"
_WEAK = "the mean parallax is below five errors: the distance has no symmetric error"
_TRUE_DISTANCE, _TRUE_SCATTER = 1.2, 0.03  # kpc, mas: of the samples that are simulated


@dataclass(frozen=True)
class ParallaxDistance(ak.Estimator):
    r"""Distance of a cluster from the parallaxes of its members.

    The members' parallaxes scatter about that of the cluster, :math:`\varpi_c = 1/d`, with their own errors
    :math:`\sigma_i`, with a scatter s besides (the depth of the cluster, or errors larger than stated) that can be
    fitted along, and with an error :math:`\sigma_\mathrm{sys}` that all have in common:

    .. math::

        \varpi_c = \frac{\sum_i w_i \varpi_i}{\sum_i w_i},\quad w_i = \frac{1}{\sigma_i^2 + s^2},\qquad
        \sigma^2(\varpi_c) = \frac{\sum_i w_i^2 (\varpi_i - \varpi_c)^2}{(\sum_i w_i)^2} + \sigma_\mathrm{sys}^2 .

    Of fewer than ten members the first term is at least :math:`1/\sum_i w_i`, what their errors say alone.
    Taking the mean in parallax, not in distance, avoids the bias of averages of 1/parallax; negative parallaxes of
    members are data.

    Parameters
    ----------
    systematic_error : `~astropy.units.Quantity`
        The error that all parallaxes have in common: some 0.01 mas for Gaia DR3 over less than a degree.
    scatter : bool
        Whether to fit the scatter s.

    Returns
    -------
    Fit
        ``parallax`` (mas), ``distance`` (kpc), and ``variance`` (mas2), the square of the scatter, with `scatter`.
        Derived: ``distance_modulus`` (mag).

    Notes
    -----
    Sources: 004, "Statistical Biases"; Luri et al. (2018); Lindegren et al. (2021) for the systematic errors. Domain:
    a sample that was not selected by parallax; a mean parallax of five errors or more, below which 1/parallax has no
    symmetric error: `ak.distances` with a prior then. The error of ``variance`` is one for large samples: of 300
    members with errors from 0.02 to 0.2 mas and a scatter of 0.03 mas its pulls have a mean of -0.2 and a width of
    1.14, of 3000 no more than -0.07 and 1.02.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> import astrokin as ak
    >>> estimator = ak.estimators.ParallaxDistance(systematic_error=0.01 * u.mas)
    >>> stars, truth = estimator.simulate(400, np.random.default_rng(1))
    >>> fit = estimator.fit(stars)
    >>> abs(fit["distance"] - truth["distance"]) < 4 * fit.error["distance"]
    np.True_
    """

    name = "parallax-distance"
    needs = frozenset({"parallax"})
    reads = frozenset({"parallax", "covariance"})
    references = ("2018A&A...616A...9L", "2021A&A...649A...4L", "source-004")
    max_passes = 60

    systematic_error: u.Quantity = ak.parameter(
        0.0 * u.mas,
        unit=u.mas,
        per_row=False,
        doc="error that all parallaxes have in common",
        physical=lambda s: s >= 0,
        domain="an error, not negative",
    )
    scatter: bool = ak.option(False, kind=bool, doc="fit a scatter of the parallaxes besides their errors")

    def unusable(self, rows: Any) -> dict[str, Any]:
        """Parallaxes without an error have no weight."""
        covariance = rows.raw.covariance
        if covariance is None or not covariance.knows("parallax"):
            return {"no parallax error": np.ones(len(rows), bool)}
        error = covariance.error("parallax")
        # The squares of errors below 1e-162 mas are zero.
        return {"no parallax error": np.isnan(error), "parallax error not positive": error <= 1e-160}

    # ---- one pass ----------------------------------------------------------------------------------------

    def collect(self, rows: Any, params: Any) -> Sums:
        """Score and information of the parallax and the variance of the scatter about those of the last pass."""
        e, w = self._terms(rows, params)
        return summed(rows, e, w, self._p, params is not None and params.final)

    @property
    def _p(self) -> int:
        return 2 if self.scatter else 1

    def _terms(self, rows: Any, params: Any) -> tuple[Array, Array]:
        """Residuals about the parallax of the last pass, and weights."""
        values = np.zeros((group_of(rows)[1], 2)) if params is None else params.state.values
        centre, variance = (values[0] if rows.group is None else values[rows.group]).T
        error = rows.raw.covariance.error("parallax") if len(rows) else np.ones(0)
        with np.errstate(over="ignore"):  # an infinite variance is no weight, as it should be
            return rows.raw.parallax - centre, 1.0 / (error * error + np.maximum(variance, 0.0))

    def solve(self, summary: Sums, params: Any) -> ak.Fit:
        """One step of Fisher scoring; errors from the sandwich in the final pass."""
        first = params is None
        step = summary.step()
        step = np.pad(step, ((0, 0), (0, 2 - step.shape[1])))
        if first:
            step[:, 1] = 0.0  # the scores of the variance are about a parallax of zero
        values = step if first else params.state.begun + step
        error = np.sqrt(np.maximum(np.einsum("gii->gi", summary.inverse), 1e-300))
        settled = np.abs(step[:, : self._p]) < _TOLERANCE * error
        settled[:, 1:] |= values[:, 1 : self._p] <= 0.0
        converged = not first and bool(settled.all())
        if first or not params.final:
            left = summary.misfit - step[:, 0] ** 2 * summary.matrix[:, 0, 0]
            scale = np.sqrt(np.maximum(left / np.maximum(summary.count - 1.0, 1.0), 1.0))
            return ak.Fit(self._named(values), state=_State(values, scale, converged), converged=converged)
        return self._finished(summary, values, converged or params.state.settled)

    def _named(self, values: Array) -> dict[str, u.Quantity]:
        with np.errstate(divide="ignore", invalid="ignore"):
            distance = np.where(values[:, 0] > 0.0, 1.0 / values[:, 0], np.nan)
        out = {"parallax": values[:, 0] * u.mas, "distance": distance * u.kpc}
        return {**out, "variance": values[:, 1] * u.mas**2} if self.scatter else out

    def _finished(self, summary: Sums, values: Array, converged: bool) -> ak.Fit:
        none, few = summary.count <= 0, summary.count <= 2
        values[none] = np.nan
        values[few, 1] = np.nan
        named = self._named(values)
        jacobian = np.zeros((len(values), len(named), self._p))
        jacobian[:, 0, 0], jacobian[:, 1, 0] = 1.0, -(named["distance"].value ** 2)
        if self.scatter:
            jacobian[:, 2, 1] = 1.0
        covariance = jacobian @ _covariance(summary) @ jacobian.swapaxes(1, 2)
        covariance[none] = np.nan
        covariance[few, 2:, :] = np.nan
        covariance[few, :, 2:] = np.nan
        own = slice(len(values) // (self.bootstrap + 1))  # the others are replicates
        return ak.Fit(
            named,
            covariance,
            converged=converged,
            undetermined=self._undetermined(values[own], none[own], few[own]),
            notes=(_EXPLAINED,) if self.scatter and (values[own, 1] <= 0.0).any() else (),
            data=told(summary, values[:, 0]),
        )

    def _undetermined(self, values: Array, none: Any, few: Any) -> dict[str, str]:
        reasons = {
            "parallax": (none, "a group without members"),
            "distance": (values[:, 0] <= 0.0, "the mean parallax is not positive: no distance is its inverse"),
            "variance": (few & self.scatter, "one or two members have no scatter"),
        }
        return {name: reason for name, (lacking, reason) in reasons.items() if lacking.any()}

    def relate(self, fit: ak.Fit) -> ak.Fit:
        """The fit with the error that all parallaxes have in common, which no sample tells, nor its replicates."""
        if fit.covariance is None:
            return fit
        slope = np.ones((*np.shape(fit["distance"].value), len(fit)))
        slope[..., 1] = -(fit["distance"].value ** 2)
        slope[..., 2:] = 0.0
        common = float(self.systematic_error.to_value(u.mas)) ** 2
        covariance = fit.covariance + common * slope[..., :, None] * slope[..., None, :]
        with np.errstate(invalid="ignore"):
            weak = fit["parallax"].value < 5.0 * np.sqrt(covariance[..., 0, 0])
        notes = (*fit.notes, _WEAK) if np.any(weak) else fit.notes
        return replace(fit, covariance=covariance, notes=notes).with_derived(self.derive)

    def residual(self, rows: Any, params: Any) -> Array:
        """Size of the residuals in standard deviations; in those seen, where outliers have shifted the mean."""
        e, w = self._terms(rows, params)
        scale = params.state.scale
        return np.abs(e) * np.sqrt(w) / (scale[0] if rows.group is None else scale[rows.group])

    def derive(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The distance modulus."""
        return {"distance_modulus": 5.0 * np.log10(values["distance"].to_value(u.kpc) * 100.0) * u.mag}

    def draw(self, fit: ak.Fit, axes: Any = None) -> Any:
        """Parallaxes of members of similar errors against that of all, and the pulls."""
        from astrokin.estimators import distance_plot

        return distance_plot.draw(fit, axes)

    # ---- simulation --------------------------------------------------------------------------------------

    def simulate(self, n: int, rng: np.random.Generator) -> tuple[Any, dict[str, u.Quantity]]:
        """A cluster at 1.2 kpc with members of all magnitudes, and the truth."""
        direction = np.array([[0.5], [0.7], [0.5]]) + 0.005 * rng.normal(size=(3, n))
        place = _TRUE_DISTANCE * direction / np.linalg.norm(direction, axis=0)
        stars = simulation.observed(place, np.zeros((3, n)), rng, errors={"parallax": 1e-12})
        error = 0.02 * 10 ** rng.uniform(0.0, 1.0, n)
        common = float(self.systematic_error.to_value(u.mas)) * rng.normal()
        spread = np.hypot(error, _TRUE_SCATTER if self.scatter else 0.0)
        told = ak.Covariance(errors={"parallax": error})
        stars = stars.replace(parallax=1 / _TRUE_DISTANCE + common + spread * rng.normal(size=n), covariance=told)
        truth = {"parallax": 1 / _TRUE_DISTANCE * u.mas, "distance": _TRUE_DISTANCE * u.kpc}
        return stars, {**truth, "variance": _TRUE_SCATTER**2 * u.mas**2} if self.scatter else truth

    @classmethod
    def examples(cls) -> Any:
        yield cls()
        yield cls(scatter=True, systematic_error=0.01 * u.mas)


@dataclass(frozen=True)
class _State:
    """Parallax and variance of the scatter of each group (G, 2), and how much larger the residuals are than told."""

    values: Array
    scale: Array
    settled: bool

    @property
    def begun(self) -> Array:
        """Where a step begins: at no scatter, where the scores are taken if the variance came out negative."""
        return np.stack([self.values[:, 0], np.maximum(self.values[:, 1], 0.0)], axis=1)


def _covariance(summary: Sums) -> Array:
    """That of the sandwich; of a few members the larger of that and what their errors say alone."""
    covariance = summary.sandwich()
    few = summary.count < _FEW
    larger = np.maximum(np.einsum("gii->gi", covariance), np.einsum("gii->gi", summary.inverse))
    covariance[few] = np.einsum("gi,ij->gij", larger[few], np.eye(larger.shape[1]))
    return covariance
