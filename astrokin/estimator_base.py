"""`Estimator`: a fold from stars to a `Fit`, of which the author writes two small functions; the rest is here, once."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import astropy.units as u
import numpy as np

from astrokin import folding
from astrokin.errors import InputError
from astrokin.estimator_kind import AnyEstimator
from astrokin.fit import Fit
from astrokin.folding import Params
from astrokin.parameters import Column, Spec, option, parameter
from astrokin.selection import Distances, ZeroPoint


def _positive(value: Any) -> Any:
    return np.asarray(value) > 0


def _not_negative(value: Any) -> Any:
    return np.asarray(value) >= 0


@dataclass(frozen=True, kw_only=True)
class Estimator(AnyEstimator):
    """What a sample of stars tells: named quantities with their covariance.

    A concrete estimator is a frozen dataclass whose fields are its options. It must define `collect` and `solve`,
    and `simulate` so that the conformance kit can calibrate it. One that iterates leaves in `Fit.state` what the
    next pass needs to know; it is called until it says `converged`, and once more with ``params.final`` to
    gather errors.

    Parameters
    ----------
    min_parallax_over_error : float, optional
        Leave out stars of a smaller ratio of parallax to its error.
    min_distance, max_distance : `~astropy.units.Quantity`, optional
        Leave out stars nearer or farther, by inverse parallax.
    parallax_zero_point : `~astropy.units.Quantity` or `ak.column`, optional
        Taken off every parallax first.
    distance, distance_error : `ak.column`, optional
        Distances, and their errors, to use in the place of the parallaxes.
    by : str or (str, edges), optional
        Fit each group on its own: by the labels of a column, or by bins of it or, where no column has that name,
        of ``ra``, ``dec``, ``l``, ``b``, ``parallax``, ``distance``, ``pmra``, ``pmdec`` or ``radial_velocity``.
        A bin holds its lower edge; the last bin also its upper one. Edges without unit have that of the values.
    clip : float, optional
        Leave out stars whose residual, in standard deviations, is larger; after the first fit.
    bootstrap : int
        Number of Poisson bootstrap replicates, at least 2; 0: the errors are those of the estimator.
    seed : int
        Seed of the bootstrap.

    Attributes
    ----------
    name : str
        The name in the registry, such as ``"oort-constants"``.
    needs : frozenset of str
        What every row must have: of ``"parallax"``, ``"proper_motion"``, ``"radial_velocity"``.
    references : tuple of str
        Keys of the package's BibTeX file, or bibcodes.
    reads : frozenset of str or None
        The fields it looks at, so that no other column of a file is read: of ``"parallax"``,
        ``"proper_motion"``, ``"radial_velocity"``, ``"covariance"``. None: all of them.
    takes : type
        The kind of rows: `Stars`.
    max_passes : int
        Passes over the data at most.
    in_order : bool
        Whether `collect` is to have the rows of a group one after the other. Sums of few quantities are quicker
        without.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import astropy.units as u
    >>> import numpy as np
    >>> import astrokin as ak
    >>> @dataclass(frozen=True)
    ... class MeanVelocity(ak.Estimator):
    ...     '''Mean radial velocity.'''
    ...     name = "mean-velocity"
    ...     needs = frozenset({"radial_velocity"})
    ...     def collect(self, rows, params):
    ...         return ak.Moments.of(rows.raw.radial_velocity, rows)
    ...     def solve(self, summary, params):
    ...         return ak.Fit({"mean": summary.mean[:, 0] * u.km / u.s}, summary.mean_covariance)
    >>> stars = ak.Stars(ra=[1, 2, 3] * u.deg, dec=[0, 0, 0] * u.deg, radial_velocity=[4, 6, np.nan] * u.km / u.s)
    >>> fit = MeanVelocity().fit(stars)
    >>> fit["mean"], fit.error["mean"], fit.left_out
    (<Quantity 5. km / s>, <Quantity 1. km / s>, {'no radial velocity': 1})
    """

    in_order: ClassVar[bool] = True

    min_parallax_over_error: float | None = option(
        None,
        kind=float,
        doc="leave out stars of a smaller parallax/error",
        physical=_positive,
        domain="a positive number",
    )
    min_distance: u.Quantity | None = parameter(
        None, unit=u.kpc, per_row=False, doc="leave out nearer stars", physical=_positive, domain="a positive distance"
    )
    max_distance: u.Quantity | None = parameter(
        None, unit=u.kpc, per_row=False, doc="leave out farther stars", physical=_positive, domain="a positive distance"
    )
    parallax_zero_point: Any = parameter(None, unit=u.mas, doc="taken off every parallax first")
    distance: Any = parameter(
        None,
        unit=u.kpc,
        doc="a column of distances in the place of the parallaxes",
        physical=_positive,
        domain="a positive distance",
    )
    distance_error: Any = parameter(
        None, unit=u.kpc, doc="the column of their errors", physical=_not_negative, domain="an error, not negative"
    )
    by: Any = option(None, doc="fit groups: a column, or (column, edges)")
    clip: float | None = option(
        None,
        kind=float,
        doc="leave out residuals beyond so many sigma",
        physical=_positive,
        domain="a positive number",
    )
    bootstrap: int = option(
        0,
        kind=int,
        doc="number of bootstrap replicates",
        physical=lambda n: n == 0 or n >= 2,
        domain="0, or at least 2",
    )
    seed: int = option(
        0,
        kind=int,
        doc="seed of the bootstrap",
        physical=lambda n: 0 <= n < 2**63,
        domain="a whole number from 0 to 2**63 - 1",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _ = self.distances  # says what is wrong with them

    # ---- what an author writes ---------------------------------------------------------------------------

    @abstractmethod
    def collect(self, rows: Any, params: Params | None) -> Any:
        """Summarise one block: anything with `merge`, group axis first; zero rows give the empty summary.

        `rows.group` and `rows.weight` are the driver's (None where there is but one group, or no weights);
        handed to `Moments.of`, `NormalEquations.of` or `Histogram.of` as `rows`, they are taken care of.
        `params` is None in the first pass.
        """

    @abstractmethod
    def solve(self, summary: Any, params: Params | None) -> Fit:
        """Turn the summary of all rows into a `Fit` whose values have the group axis."""

    def unusable(self, rows: Any) -> Mapping[str, Any]:
        """Masks (n,) of rows that this estimator cannot use, by reason; they are left out and counted."""
        return {}

    def relate(self, fit: Fit) -> Fit:
        """What all groups together tell, from the finished fit of each, which goes into `Fit.of_groups`.

        Default: the groups stand for themselves.
        """
        return fit

    def residual(self, rows: Any, params: Params) -> Any:
        """Size of each row's residual in standard deviations, shape (n,): what `clip` looks at."""
        raise NotImplementedError(f"{type(self).__name__} cannot clip: it defines no residual().")

    # ---- what a user calls -------------------------------------------------------------------------------

    def fit(self, data: Any, *, names: Mapping[str, str] | None = None, progress: bool = False) -> Fit:
        """Fit a sample.

        Parameters
        ----------
        data : Stars, SkyCoord, table, DataFrame, or path of a file
            The sample. Parquet files are streamed, whatever their size.
        names : mapping of str to str, optional
            The data's own column names, by astrokin's (``{"ra": "ra_deg"}``).
        progress : bool
            Whether to show a progress bar where there is a terminal.

        Returns
        -------
        Fit
            Scalars, or arrays over `Fit.groups` with `by=`.

        Raises
        ------
        InputError
            Unusable data or options, or no row left to fit.
        """
        return folding.fit(self, data, names, progress)

    # ---- what the driver uses ----------------------------------------------------------------------------

    @property
    def zero_point(self) -> ZeroPoint | None:
        """The parallax zero point as the selection applies it."""
        value = self.parallax_zero_point
        if value is None:
            return None
        if hasattr(value, "name"):
            return ZeroPoint(column=value.name, spec=Spec("quantity", unit=u.mas))
        return ZeroPoint(float(value.to_value(u.mas)))

    @property
    def distances(self) -> Distances | None:
        """The distances in the place of parallaxes as the selection applies them."""
        for name in ("distance", "distance_error"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, Column):
                raise InputError(f"{type(self).__name__}.{name} is {value!r}; it can be a column: ak.column('name').")
        if self.distance is None:
            if self.distance_error is not None:
                raise InputError(
                    f"{type(self).__name__}.distance_error needs the distances too: distance=ak.column(…)."
                )
            return None
        if self.parallax_zero_point is not None:
            raise InputError(
                f"{type(self).__name__}: a parallax_zero_point has no meaning for distances from a column."
            )
        error = None if self.distance_error is None else self.distance_error.name
        return Distances(self.distance.name, error, Spec("quantity", unit=u.kpc))
