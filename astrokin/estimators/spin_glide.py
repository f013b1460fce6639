"""Spin and glide of a proper-motion field: its vector spherical harmonics of first (and second) degree."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import astropy.units as u
import numpy as np
from astropy.constants import c as _c
from numpy.typing import NDArray

import astrokin as ak
from astrokin.estimators import polar
from astrokin.estimators.spin_glide_sample import quasars
from astrokin.estimators.vector_harmonics import FLOOR, GLIDE, NAMES, SPIN, State, Sums, Terms
from astrokin.summaries import group_of

Array = NDArray[np.float64]

RATE = u.mas / u.yr
ACCELERATION = u.km / u.s / u.Myr
_TOLERANCE = 1e-3  # of a standard error
_CLOSE = 0.9  # a correlation that is worth a note


@dataclass(frozen=True)
class SpinAndGlide(ak.Estimator):
    r"""Spin and glide of a field of proper motions, and its quadrupole: what a frame and its observer do to quasars.

    The field in vector spherical harmonics of first degree, ICRS axes,

    .. math::

        \boldsymbol\mu(\mathbf r) = \mathbf g - (\mathbf g\cdot\mathbf r)\,\mathbf r
            - \boldsymbol\omega\times\mathbf r ,

    is what `astrokin.effects.FrameRotation` (spin :math:`\boldsymbol\omega` of the frame: the literature on Gaia's
    bright stars writes the opposite sign) and `astrokin.effects.SecularAberration` (glide
    :math:`\mathbf g = \mathbf a/c` toward the Sun's acceleration) put into the proper motions; this is their
    inverse. ``degree=2`` adds

    .. math::

        \sum_{m=0}^{2} \left(e_{2m}\,\mathbf S_{2m} + m_{2m}\,\mathbf T_{2m}\right), \qquad
        \mathbf S_{2m} = \tfrac{1}{\sqrt 6}\,\nabla Y_{2m}, \qquad \mathbf T_{2m} = -\mathbf r\times\mathbf S_{2m},

    the electric and magnetic quadrupole in the real form of Mignard & Klioner (2012):
    :math:`e_{20}\,\mathbf S_{20}` for m = 0 and
    :math:`2(e_{2m}^r\,\mathrm{Re}\,\mathbf S_{2m} - e_{2m}^i\,\mathrm{Im}\,\mathbf S_{2m})` for m > 0, T alike. The
    square of each complex harmonic integrates to one over the sphere, and Y has the phase :math:`(-1)^m`. In their
    notation e is s, and m is t.

    The two components of each proper motion are weighted with their covariance; where none is known, all alike.
    Errors are those of the sandwich, which hold whatever the distribution.

    Parameters
    ----------
    degree : {1, 2}
        Spin and glide, or these with the ten parameters of the quadrupole.
    dispersion : {"isotropic", "none"}
        Whether an intrinsic dispersion sigma2 of each component of the proper motion is fitted along by restricted
        maximum likelihood and added to the measurement errors: for stars, and for quasars whose errors are too
        small. "none": the errors are taken at their word.

    Returns
    -------
    Fit
        ``spin_x spin_y spin_z glide_x glide_y glide_z`` and, with ``degree=2``, ``e20 e21r e21i e22r e22i m20 m21r
        m21i m22r m22i`` (mas/yr); ``sigma2`` ((mas/yr)2) where the dispersion is fitted. Derived: ``spin``,
        ``spin_ra``, ``spin_dec``, ``glide``, ``glide_ra``, ``glide_dec``, ``glide_l``, ``glide_b`` (size and
        direction of the vectors) and ``acceleration`` = glide c.

    Notes
    -----
    Sources: the inverse of source 004, "Reference Frame Defects" and "Aberration"; Mignard & Klioner (2012); Gaia
    Collaboration, Klioner et al. (2021). Domain: any sources, no parallax is needed; on a part of the sky the
    parameters are correlated (a note says which), on a small patch not all of them are determined. For stars the
    reflex of the solar motion and the Galactic rotation are part of the field. The derived sizes are positive and
    so biased upward where they are not larger than their errors.

    Examples
    --------
    >>> import numpy as np
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> estimator = ak.estimators.SpinAndGlide()
    >>> sample, truth = estimator.simulate(20_000, np.random.default_rng(1))
    >>> fit = estimator.fit(sample)
    >>> abs(fit["spin_z"] - truth["spin_z"]) < 4 * fit.error["spin_z"]
    np.True_
    >>> spinning = ak.effects.FrameRotation(spin=(0, 0, 1) * u.mas / u.yr)
    >>> (estimator.fit(spinning.apply(sample))["spin_z"] - fit["spin_z"]).round(6)
    <Quantity 1. mas / yr>
    """

    name = "spin-and-glide"
    needs = frozenset({"proper_motion"})
    reads = frozenset({"proper_motion", "covariance"})
    references = ("2012A&A...547A..59M", "2021A&A...649A...9G", "source-004")
    max_passes = 60

    degree: int = ak.option(1, allowed=(1, 2), doc="of the harmonics: 1, or 2 with the quadrupole")
    dispersion: str = ak.option("isotropic", allowed=("isotropic", "none"), doc="intrinsic dispersion fitted along")

    # ---- one pass ----------------------------------------------------------------------------------------

    @property
    def _dispersed(self) -> bool:
        return self.dispersion == "isotropic"

    @property
    def _linear(self) -> bool:
        """Whether the first step is the last: neither a dispersion nor a clip depends on the parameters."""
        return not self._dispersed and self.clip is None

    def _state(self, params: Any, n_groups: int) -> State:
        return State.first(n_groups, self.degree, self._dispersed) if params is None else params.state

    def collect(self, rows: Any, params: Any) -> Sums:
        """Sums that give score and information of all parameters about those of the last pass."""
        state = self._state(params, group_of(rows)[1])
        return Terms(rows, state).sums(meat=params is not None and params.final)

    def solve(self, summary: Sums, params: Any) -> ak.Fit:
        """One step (Fisher scoring, exact for the field); errors from the sandwich in the final pass."""
        self._demand_errors(summary)
        state = self._state(params, len(summary.tally))
        normal = summary.normal_equations(self.degree, self._dispersed)
        step = normal.step()
        if params is None and self._dispersed:
            step[:, -1] = summary.first_dispersion(normal, step)
        values = state.values + step
        if self._dispersed:
            values[:, -1] = np.maximum(values[:, -1], FLOOR)
        error = np.sqrt(np.maximum(np.einsum("gii->gi", normal.inverse), 1e-300))
        settled = not state.unit and bool((np.abs(values - state.values) < _TOLERANCE * error).all())
        converged = settled or self._linear
        moved = State(values, self.degree, False, self._scale(summary, normal, step), converged)
        if params is not None and params.final:
            return self._fit(summary, normal, moved, converged or state.settled)
        return ak.Fit(self._named(moved), state=moved, converged=converged)

    def _demand_errors(self, summary: Sums) -> None:
        if summary.some_unknown(self._dispersed):
            known, rows = summary.tally[:, 6].sum(), summary.rows.sum()
            raise ak.errors.InputError(
                f"{self.name}: only {known:.0f} of {rows:.0f} rows have errors of their proper motion: leave the "
                "others out, or fit a dispersion along (dispersion='isotropic')."
            )

    def _scale(self, summary: Sums, normal: ak.NormalEquations, step: Array) -> Array:
        """The variance of unit weight where no errors are known and none are fitted; elsewhere one."""
        without = (summary.tally[:, 6] == 0.0) & (not self._dispersed)
        return np.where(without, summary.scatter(normal, step), 1.0)

    # ---- the result --------------------------------------------------------------------------------------

    @property
    def _names(self) -> tuple[str, ...]:
        return NAMES[self.degree] + (("sigma2",) if self._dispersed else ())

    def _named(self, state: State) -> dict[str, u.Quantity]:
        units = [RATE] * len(NAMES[self.degree]) + [RATE**2]
        return {k: v << unit for k, v, unit in zip(self._names, state.values.T, units, strict=False)}

    def _fit(self, summary: Sums, normal: ak.NormalEquations, state: State, converged: bool) -> ak.Fit:
        values, covariance = self._named(state), normal.sandwich()
        reasons = {}
        for i, (name, lost) in enumerate(zip(values, self._lost(summary, normal).T, strict=True)):
            if lost.any():
                values[name] = np.where(lost, np.nan, values[name].value) << values[name].unit
                covariance[lost, i, :] = covariance[lost, :, i] = np.nan
                reasons[name] = "the sources (their number or their places on the sky) do not determine it"
        fit = ak.Fit(values, covariance, state=state, converged=converged, undetermined=reasons)
        return replace(fit, notes=(*self._limits(state), *_correlations(fit)))

    def _lost(self, summary: Sums, normal: ak.NormalEquations) -> Any:
        lost = normal.undetermined.copy()
        if self._dispersed:  # as many parameters as equations leave no scatter
            lost[:, -1] |= 2.0 * summary.rows <= len(NAMES[self.degree])
        return lost

    def _limits(self, state: State) -> tuple[str, ...]:
        at_limit = self._dispersed and bool((state.values[:, -1] <= FLOOR).any())
        return ("the measurement errors explain the whole scatter",) if at_limit else ()

    def residual(self, rows: Any, params: Any) -> Array:
        """Root of e^T W e over the two components."""
        terms = Terms(rows, params.state)
        scale = params.state.scale
        return np.sqrt(0.5 * terms.misfit / (scale[0] if rows.group is None else scale[rows.group]))

    # ---- what follows from the results -------------------------------------------------------------------

    def derive(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Size and direction of spin and glide, and the acceleration that makes the glide."""
        spin, glide = (np.stack([values[k].to_value(RATE) for k in names]) for names in (SPIN, GLIDE))
        galactic = np.tensordot(ak.galaxy.icrs_to_galactic(), glide, 1)
        size = polar.size(glide) << RATE
        out = {"spin": polar.size(spin) << RATE, "spin_ra": polar.longitude(spin), "spin_dec": polar.latitude(spin)}
        out |= {"glide": size, "glide_ra": polar.longitude(glide), "glide_dec": polar.latitude(glide)}
        out |= {"glide_l": polar.longitude(galactic), "glide_b": polar.latitude(galactic)}
        out["acceleration"] = (size.to(u.rad / u.yr) / u.rad * _c).to(ACCELERATION)
        if "sigma2" in values:
            out["sigma"] = np.sqrt(values["sigma2"])
        return out

    def draw(self, fit: ak.Fit, axes: Any = None) -> Any:
        """The fitted field as arrows on the sky; against the groups, where there are some."""
        from astrokin.estimators import spin_glide_plot

        return spin_glide_plot.draw(fit, axes)

    # ---- simulation --------------------------------------------------------------------------------------

    def simulate(self, n: int, rng: np.random.Generator) -> tuple[Any, dict[str, u.Quantity]]:
        """Quasars with Gaia-like errors away from the Galactic plane, and the truth."""
        field = [0.10, -0.05, 0.08, -0.02, 0.06, 0.03]
        if self.degree == 2:
            field += list(np.linspace(-0.1, 0.1, len(NAMES[2]) - len(NAMES[1])))
        sigma = 0.3 if self._dispersed else 0.0
        truth = {k: v * RATE for k, v in zip(NAMES[self.degree], field, strict=True)}
        if self._dispersed:
            truth["sigma2"] = (sigma * RATE) ** 2
        return quasars(n, rng, field, sigma), truth

    @classmethod
    def examples(cls) -> Any:
        yield cls()
        yield cls(dispersion="none")
        yield cls(degree=2)


# ---- what the sky has left together ----------------------------------------------------------------------


def _correlations(fit: ak.Fit) -> tuple[str, ...]:
    """A note on the strongest correlations: on a part of the sky, one parameter passes for another."""
    matrix = fit.correlation
    assert matrix is not None
    size = np.triu(np.nan_to_num(np.abs(matrix)), 1).max(axis=0)
    found = [(i, j) for i, j in np.argwhere(size > _CLOSE)]
    if not found:
        return ()
    found.sort(key=lambda place: -size[place])
    names = [f"{fit.names[i]} and {fit.names[j]} ({size[i, j]:.3f})" for i, j in found[:3]]
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return (f"the places on the sky leave parameters correlated: {', '.join(names)}{more}",)
