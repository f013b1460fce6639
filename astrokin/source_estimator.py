"""`SourceEstimator`: solves every source on its own, a block of whole sources at a time."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from astrokin import source_folding
from astrokin.epochs import Epochs
from astrokin.estimator_base import Estimator
from astrokin.estimator_kind import AnyEstimator
from astrokin.fit import Fit
from astrokin.parameters import option


@dataclass(frozen=True, kw_only=True)
class SourceEstimator(AnyEstimator):
    """What the observations of each source tell of that source: one row of results for each.

    A concrete one is a frozen dataclass whose fields are its options. It must define `solve_sources`, and `simulate`
    (a sample of n sources) so that the conformance kit can calibrate it. Sorting, cutting between sources, files
    larger than memory, unusable rows and the putting together of the results are done here, once.

    Parameters
    ----------
    by : str
        The column that tells the sources apart. Without a column of the default name the rows are those of one
        source, and the results are scalars.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import astropy.units as u
    >>> import numpy as np
    >>> import astrokin as ak
    >>> @dataclass(frozen=True)
    ... class FirstEpoch(ak.SourceEstimator):
    ...     '''When each source was seen first.'''
    ...     name = "first-epoch"
    ...     def solve_sources(self, rows):
    ...         first = np.full(rows.n_groups, np.inf)
    ...         np.minimum.at(first, rows.group, rows.raw["obstime"])
    ...         return ak.Fit({"first": first * u.yr}, columns={"outcome": np.full(rows.n_groups, "solved")})
    >>> epochs = ak.Epochs(obstime=[2016.0, 2018.0, 2017.0], radial_velocity=[1, 2, 3] * u.km / u.s,
    ...                    radial_velocity_error=1 * u.km / u.s, columns={"source_id": [7, 8, 7]})
    >>> fit = FirstEpoch().fit(epochs)
    >>> fit.groups, fit["first"]
    ([7, 8], <Quantity [2016., 2018.] yr>)
    """

    takes: ClassVar[type] = Epochs

    by: str = option("source_id", kind=str, doc="the column that tells the sources apart")

    @abstractmethod
    def solve_sources(self, rows: Any) -> Fit:
        """Solve every source of a block.

        Parameters
        ----------
        rows : Epochs
            Whole sources one after the other: ``rows.group`` (0 … G - 1, in order) says whose each row is, and
            ``rows.n_groups`` is G. Rows that cannot be used are gone, so that a source may have none left.

        Returns
        -------
        Fit
            Arrays of shape (G,), NaN where a source is not solved, a covariance (G, p, p), and in `Fit.columns`
            whatever else there is to say of each source: ``outcome`` at least, ``"solved"`` or the reason why not.
            Rows that it leaves out itself (outliers, say) it counts in `Fit.left_out`.
        """

    def fit(self, data: Any, *, names: Mapping[str, str] | None = None, progress: bool = False) -> Fit:
        """Solve every source of the data.

        Parameters
        ----------
        data : Epochs, table, DataFrame, or path of a file
            The observations, in any order. Parquet files that are sorted by source are streamed, whatever their size.
        names : mapping of str to str, optional
            The data's own column names, by astrokin's (``{"abscissa": "w"}``).
        progress : bool
            Whether to show a progress bar where there is a terminal.

        Returns
        -------
        Fit
            Arrays over the sources, which are `Fit.groups` and sorted; `Fit.table` has a row for each.

        Raises
        ------
        InputError
            Unusable data or options, or no row left.
        """
        return source_folding.fit(self, data, names, progress)


#: The bases that an estimator may have.
KINDS: tuple[type[AnyEstimator], ...] = (Estimator, SourceEstimator)


def kind_of(cls: type) -> type[AnyEstimator]:
    """Which of the bases a class of estimators has."""
    return next((kind for kind in KINDS if issubclass(cls, kind)), AnyEstimator)


def sample_size(estimator: AnyEstimator, n: int) -> int:
    """How many sources to simulate where n stars would do: each of them brings many rows."""
    return max(10, n // 100) if isinstance(estimator, SourceEstimator) else n
