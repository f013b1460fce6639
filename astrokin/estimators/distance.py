"""The distance of stars that are all at one place, a cluster, from their parallaxes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import simulation
from astrokin.summaries import group_of

Array = NDArray[np.float64]

_TOLERANCE = 1e-4  # of a standard error
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
    symmetric error: `ak.distances` with a prior then.

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
        return {"no parallax error": np.isnan(error), "parallax error not positive": error <= 0.0}

    # ---- one pass ----------------------------------------------------------------------------------------

    def collect(self, rows: Any, params: Any) -> ak.NormalEquations:
        """Score and information of the parallax and the variance of the scatter about those of the last pass."""
        e, w = self._terms(rows, params)
        group, n_groups = group_of(rows)
        scores = np.stack([w * e, 0.5 * w * (w * e * e - 1.0)])[: self._p]
        information = np.stack([w, 0.5 * w * w])[: self._p]
        return _summed(scores, information, w * e * e, group, n_groups, rows.weight, self._p)

    @property
    def _p(self) -> int:
        return 2 if self.scatter else 1

    def _terms(self, rows: Any, params: Any) -> tuple[Array, Array]:
        """Residuals about the parallax of the last pass, and weights."""
        values = np.zeros((group_of(rows)[1], 2)) if params is None else params.state.values
        centre, variance = (values[0] if rows.group is None else values[rows.group]).T
        error = rows.raw.covariance.error("parallax") if len(rows) else np.ones(0)
        return rows.raw.parallax - centre, 1.0 / (error * error + np.maximum(variance, 0.0))

    def solve(self, summary: ak.NormalEquations, params: Any) -> ak.Fit:
        """One step of Fisher scoring; errors from the sandwich in the final pass."""
        first = params is None
        step = summary.step()
        step = np.pad(step, ((0, 0), (0, 2 - step.shape[1])))
        if first:
            step[:, 1] = 0.0  # the scores of the variance are about a parallax of zero
        values = step if first else params.state.values + step
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

    def _finished(self, summary: ak.NormalEquations, values: Array, converged: bool) -> ak.Fit:
        covariance = summary.sandwich()
        covariance[:, 0, 0] += float(self.systematic_error.to_value(u.mas)) ** 2
        named = self._named(values)
        slope = -(named["distance"].value ** 2)
        jacobian = np.zeros((len(values), len(named), self._p))
        jacobian[:, 0, 0], jacobian[:, 1, 0] = 1.0, slope
        if self.scatter:
            jacobian[:, 2, 1] = 1.0
        covariance = jacobian @ covariance @ jacobian.swapaxes(1, 2)
        few = summary.count <= self._p
        covariance[few] = np.nan
        return ak.Fit(
            named,
            covariance,
            converged=converged,
            undetermined=_undetermined(values),
            notes=_notes(values, covariance, self.scatter),
        )

    def residual(self, rows: Any, params: Any) -> Array:
        """Size of the residuals in standard deviations; in those seen, where outliers have shifted the mean."""
        e, w = self._terms(rows, params)
        scale = params.state.scale
        return np.abs(e) * np.sqrt(w) / (scale[0] if rows.group is None else scale[rows.group])

    def derive(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The distance modulus."""
        return {"distance_modulus": 5.0 * np.log10(values["distance"].to_value(u.kpc) * 100.0) * u.mag}

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


def _summed(
    scores: Array, information: Array, misfit: Array, group: Any, n_groups: int, weight: Any, p: int
) -> ak.NormalEquations:
    times = np.ones(len(misfit)) if weight is None else weight
    index = np.zeros(len(misfit), np.intp) if group is None else group

    def total(values: Array) -> Array:
        return np.bincount(index, values * times, n_groups).astype(float, copy=False)

    matrix, meat = np.zeros((n_groups, p, p)), np.empty((n_groups, p, p))
    for i in range(p):
        matrix[:, i, i] = total(information[i])
        for j in range(p):
            meat[:, i, j] = np.bincount(index, scores[i] * scores[j] * times**2, n_groups)
    vector = np.stack([total(s) for s in scores], axis=1)
    return ak.NormalEquations(matrix, vector, total(misfit), total(np.ones_like(misfit)), meat)


def _undetermined(values: Array) -> dict[str, str]:
    if (values[:, 0] > 0.0).all():
        return {}
    return {"distance": "the mean parallax is not positive: no distance is its inverse"}


def _notes(values: Array, covariance: Array, scatter: bool) -> tuple[str, ...]:
    notes = []
    with np.errstate(invalid="ignore"):
        if (values[:, 0] < 5.0 * np.sqrt(covariance[:, 0, 0])).any():
            notes.append("the mean parallax is below five errors: the distance has no symmetric error")
        if scatter and (values[:, 1] <= 0.0).any():
            notes.append("the errors of the parallaxes explain all of their scatter")
    return tuple(notes)
