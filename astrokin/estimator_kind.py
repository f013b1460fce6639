"""`AnyEstimator`: what estimators of every kind share, however they go over the data."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import astropy.units as u
import numpy as np

from astrokin.fit import Fit
from astrokin.parameters import Parametrised
from astrokin.stars import Rows, Stars


@dataclass(frozen=True, kw_only=True)
class AnyEstimator(Parametrised, ABC):
    """What a sample tells: named quantities with their covariance.

    There are two kinds: an `Estimator` folds all rows into one result (or one for each group), a `SourceEstimator`
    solves every source on its own.

    Attributes
    ----------
    name : str
        The name in the registry, such as ``"oort-constants"``.
    needs : frozenset of str
        What every row must have: of ``"parallax"``, ``"proper_motion"``, ``"radial_velocity"``.
    references : tuple of str
        Keys of the package's BibTeX file, or bibcodes.
    takes : type
        The kind of rows: `Stars` or `Epochs`.
    """

    name: ClassVar[str] = ""
    needs: ClassVar[frozenset[str]] = frozenset()
    reads: ClassVar[frozenset[str] | None] = None
    references: ClassVar[tuple[str, ...]] = ()
    takes: ClassVar[type] = Stars
    max_passes: ClassVar[int] = 1

    @abstractmethod
    def fit(self, data: Any, *, names: Mapping[str, str] | None = None, progress: bool = False) -> Fit:
        """Fit the data."""

    def simulate(self, n: int, rng: np.random.Generator) -> tuple[Rows, Mapping[str, u.Quantity]]:
        """A sample of n stars from the estimator's own model, and the true values by name."""
        raise NotImplementedError(f"{type(self).__name__} has no simulate().")

    def derive(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Quantities derived from the results, elementwise and safe for complex numbers. Default: none."""
        return {}

    def draw(self, fit: Fit, axes: Any = None) -> Any:
        """A figure of a fit. Default: values with errors, and their correlations."""
        from astrokin import fit_plot

        return fit_plot.overview(fit)

    @classmethod
    def examples(cls) -> Any:
        """Instances for the conformance kit, the documentation and the demo. Default: the one without arguments."""
        yield cls()
