"""What the estimators of one mean velocity share: the Galactic flow taken out first, and radial velocities alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

import astrokin as ak
from astrokin.estimators import constant_pass
from astrokin.estimators.fields import SOLAR_MOTION, Field, oort_gradient
from astrokin.estimators.linear_fit import SHEAR, Array, LinearFieldFit


@dataclass(frozen=True, kw_only=True)
class ConstantFieldFit(LinearFieldFit):
    """Maximum likelihood of a mean velocity and a dispersion, the same for all stars but for a known rotation.

    The motion enters as U, V, W of the Sun relative to the stars. Where the field is the same everywhere, radial
    velocities alone need no parallax.
    """

    rotation: Any = ak.parameter(
        None, unit=SHEAR, shape=(4,), per_row=False, doc="Oort's A, B, C, K of the flow to take out first, or their fit"
    )

    def __post_init__(self) -> None:
        if isinstance(self.rotation, ak.Fit):
            object.__setattr__(self, "rotation", tuple(self.rotation[name] for name in "ABCK"))
        super().__post_init__()

    @cached_property
    def field(self) -> Field:
        """The solar motion, on the known flow."""
        if self.rotation is None:
            return SOLAR_MOTION
        return Field(SOLAR_MOTION.parameters, known=oort_gradient(*(float(v) for v in self.rotation.value)))

    @property
    def without_distances(self) -> bool:
        """Whether nothing depends on the distances: with radial velocities alone, and no flow."""
        return self.use == ("rv",) and self.rotation is None

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """Proper motions and parallaxes, or radial velocities."""
        return frozenset({"radial_velocity"}) if self.without_distances else super().needs

    def collect(self, rows: Any, params: Any) -> Any:
        """Sums that give score and information of all parameters about those of the last pass."""
        rows = self._rows(rows)
        if self.dispersion == "isotropic" and (params is None or not params.final):
            state = self._start(rows) if params is None else params.state
            data = self.sample(rows, state.kind)
            if constant_pass.applies(rows, data, state):
                # `Sums.coarse` notices what is too large.
                with np.errstate(all="ignore") if state.single else np.errstate():
                    return constant_pass.sums(data, state, misfit=state.first)
        return super().collect(rows, params)

    def residual(self, rows: Any, params: Any) -> Array:
        """Root of e^T W e over the number of measured components."""
        return super().residual(self._rows(rows), params)

    def _rows(self, rows: Any) -> Any:
        """The rows as they are; at one and the same distance where that makes no difference."""
        if not self.without_distances:
            return rows
        known = rows.raw.covariance
        error = None
        if known is not None and known.knows("radial_velocity"):
            error = ak.Covariance.trusted(errors={"radial_velocity": known.error("radial_velocity")})
        return rows.replace(parallax=np.ones(len(rows)), covariance=error)
