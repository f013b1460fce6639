"""What the estimators that fit a linear velocity field by maximum likelihood share: the passes, and their result."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import velocity_model
from astrokin.estimators.fields import Field
from astrokin.estimators.linear_field import FEW, MANY, State, Sums, Terms, first_dispersion
from astrokin.summaries import group_of

Array = NDArray[np.float64]

SHEAR = u.km / u.s / u.kpc
VELOCITY = u.km / u.s
#: The second moments of the velocities, in the order of `velocity_model.PAIRS`.
TENSOR = ("sigma_UU", "sigma_UV", "sigma_UW", "sigma_VV", "sigma_VW", "sigma_WW")
#: Names of the dispersion parameters, and the six elements of the tensor by them, (6, q).
SHAPES = {
    "isotropic": (("sigma2",), np.array([[1.0, 0, 0, 1.0, 0, 1.0]]).T),
    "diagonal": (("sigma_UU", "sigma_VV", "sigma_WW"), np.eye(6)[:, [0, 3, 5]]),
    "full": (TENSOR, np.eye(6)),
}
_UNITS = {**dict.fromkeys("UVW", VELOCITY), "d2vc_dR2": SHEAR / u.kpc}
_TOLERANCE = 1e-3  # of a standard error


@dataclass(frozen=True, kw_only=True)
class LinearFieldFit(ak.Estimator):
    """Maximum likelihood of a linear velocity field and a velocity dispersion, from stars with errors.

    A concrete one says which `field` it fits.
    """

    max_passes = 60

    use: Any = ak.option(("pm", "rv"), doc="which motions: ('pm', 'rv'), ('pm',) or ('rv',)")
    dispersion: str = ak.option("isotropic", allowed=tuple(SHAPES), doc="shape of the velocity ellipsoid")

    def __post_init__(self) -> None:
        use = tuple(self.use) if isinstance(self.use, tuple | list) else (self.use,)
        if not use or any(k not in ("pm", "rv") for k in use):
            raise ak.errors.InputError(
                f"{type(self).__name__}.use is {self.use!r}; it can be ('pm', 'rv'), ('pm',) or ('rv',)."
            )
        object.__setattr__(self, "use", tuple(k for k in ("pm", "rv") if k in use))
        super().__post_init__()

    @property
    @abstractmethod
    def field(self) -> Field:
        """The velocity field and its parameters."""

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """Parallaxes, and proper motions unless radial velocities alone are used."""
        return frozenset({"parallax", "proper_motion" if "pm" in self.use else "radial_velocity"})

    @property
    def reads(self) -> frozenset[str]:  # type: ignore[override]
        """The fields worth reading from a file."""
        return self.needs | {"covariance"} | ({"radial_velocity"} if "rv" in self.use else set())

    # ---- one pass ----------------------------------------------------------------------------------------

    def collect(self, rows: Any, params: Any) -> Sums:
        """Sums that give score and information of all parameters about those of the last pass."""
        state = self._start(rows) if params is None else params.state
        # `Sums.coarse` notices what is too large.
        with np.errstate(all="ignore") if state.single else np.errstate():
            final = params is not None and params.final
            return self.terms(rows, state).sums(final, state.first, final or state.information is None)

    def _start(self, rows: Any) -> State:
        """Where the iteration begins."""
        return State.start(group_of(rows)[1], self._shape, self.field, len(rows) >= FEW)

    def solve(self, summary: Sums, params: Any) -> ak.Fit:
        """One Newton step (Fisher scoring); errors from the sandwich in the final pass.

        There the step goes beyond the maximum of the likelihood: the dispersion is not lowered by what the field has
        taken off the scatter, and the field not biased by parallax errors, both to first order.
        """
        n = float(summary.tally[:, 0].sum())
        state = State.start(len(summary.tally), self._shape, self.field, n >= FEW) if params is None else params.state
        final = params is not None and params.final
        if state.single and not final and summary.coarse(self._shape, self.field):
            return ak.Fit(self._named(state), state=replace(state, single=False), converged=False)
        lagged = None if final else state.information
        normal = summary.normal_equations(self._shape, self.field, information=lagged)
        step = normal.step()
        if state.first:
            p = len(self.field.names)
            step[:, p:] = first_dispersion(summary, normal, step, state.dispersion) - state.dispersion
        error = np.sqrt(np.maximum(np.einsum("gii->gi", normal.inverse), 1e-300))
        moved = state.moved(step, self._shape)
        converged = not state.first and bool(np.all(np.abs(moved.values - state.values) < _TOLERANCE * error))
        if not final:
            moved = replace(moved, settled=converged, single=state.single and n >= MANY)
            if moved.single and not state.first and lagged is None:
                moved = replace(moved, information=normal.matrix)  # for one pass
            return ak.Fit(self._named(moved), state=moved, converged=converged)
        more = summary.correction(normal, self._shape, self.field)
        corrected = moved.moved(np.einsum("gij,gj->gi", normal.inverse, more), self._shape)
        return self._finished(normal, corrected, converged or state.settled, self._notes(moved, summary))

    def terms(self, rows: Any, state: State) -> Terms:
        """Residuals and weights of a block about the parameters of the last pass."""
        return Terms(self._shape, self.sample(rows, state.kind), rows, state)

    def sample(self, rows: Any, kind: Any = np.float64) -> velocity_model.Sample:
        """The arrays of a block that the model works with, of numbers of the given kind."""
        return velocity_model.sample(rows, self.use, kind)

    @property
    def _moments(self) -> tuple[str, ...]:
        """Names of the dispersion parameters."""
        return SHAPES[self.dispersion][0]

    @property
    def _shape(self) -> Array:
        """The six elements of the dispersion tensor by these parameters, (6, q)."""
        return SHAPES[self.dispersion][1]

    def _named(self, state: State) -> dict[str, u.Quantity]:
        names = self.field.names
        every = (*names, *self._moments)
        return {k: v << self.unit(k) for k, v in zip(every, state.values.T, strict=True)}

    @staticmethod
    def unit(name: str) -> u.UnitBase:
        """The unit of a parameter."""
        return VELOCITY**2 if name.startswith("sigma") else _UNITS.get(name, SHEAR)

    def _finished(self, normal: ak.NormalEquations, state: State, converged: bool, notes: tuple[str, ...]) -> ak.Fit:
        values, covariance = self._named(state), normal.sandwich()
        few = normal.count <= len(values)  # then no scatter is left that the errors could be told from
        lost = normal.undetermined | few[:, None]
        reasons = {}
        for i, name in enumerate(values):
            if lost[:, i].any():
                values[name] = np.where(lost[:, i], np.nan, values[name].value) << values[name].unit
                covariance[lost[:, i], i, :] = covariance[lost[:, i], :, i] = np.nan
                reasons[name] = self._reason(name, bool(few[lost[:, i]].all()))
        return ak.Fit(values, covariance, state=state, converged=converged, undetermined=reasons, notes=notes)

    def _reason(self, name: str, few: bool) -> str:
        """Why a parameter is not determined."""
        if few:
            p = len(self.field.names) + self._shape.shape[1]
            return f"too few stars: {p} parameters and their errors need more than {p}"
        return "the stars (their places on the sky or their distances) do not determine it"

    def _notes(self, state: State, summary: Sums) -> tuple[str, ...]:
        """What the user should know of this fit."""
        return () if state.positive else ("the measurement errors explain the whole scatter in some direction",)

    def unusable(self, rows: Any) -> dict[str, Any]:
        """A field that is not linear in the place needs a distance."""
        if self.field.basis is None:
            return {}
        return {"parallax not positive, no distance": ~(rows.raw.parallax > 0.0)}

    def residual(self, rows: Any, params: Any) -> Array:
        """Root of e^T W e over the number of measured components."""
        terms = self.terms(rows, replace(params.state, single=False))
        return np.sqrt(terms.misfit / terms.data.components)
