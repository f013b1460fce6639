"""`Fit`: the result of an estimator, a value with named quantities, their covariance and where they come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import layout
from astrokin.errors import InputError, MissingColumnError, closest_first

Array = NDArray[np.float64]
Derive = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class Named(dict[str, u.Quantity]):
    """Quantities by name: a dict that is not changed, and that says what there is where a name is wrong.

    Parameters
    ----------
    values : mapping of str to `~astropy.units.Quantity`
        What there is.
    what : str
        What it is, for the message: ``"error"``.
    elsewhere : mapping of str to str, optional
        Names that are found elsewhere, with the hint.
    """

    def __init__(self, values: Mapping[str, Any], what: str, elsewhere: Mapping[str, str] | None = None) -> None:
        super().__init__(values)
        self._what, self._elsewhere = what, dict(elsewhere or {})

    def __missing__(self, name: str) -> u.Quantity:
        raise _unknown(name, self._what, self, self._elsewhere.get(name, ""))

    def __reduce__(self) -> tuple[Any, ...]:
        return Named, (dict(self), self._what, self._elsewhere)

    def _read_only(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("The quantities of a fit are not changed; dict(…) makes a copy to change.")

    __setitem__ = __delitem__ = __ior__ = update = pop = popitem = clear = setdefault = _read_only


def _unknown(name: Any, what: str, known: Mapping[str, Any], hint: str) -> MissingColumnError:
    there = ", ".join(closest_first(str(name), known)) or "none"
    return MissingColumnError(f"The fit has no {what} {name!r}; it has: {there}.{hint and ' ' + hint}")


@dataclass(frozen=True, eq=False)
class Fit(Mapping[str, u.Quantity]):
    """Named quantities, their covariance, and how they came about.

    Parameters
    ----------
    results : mapping of str to `~astropy.units.Quantity`
        The results by name: scalars, or arrays over `groups`, or over `grid`, or over both, groups first. Pure numbers
        are in ``u.one``.
    covariance : ndarray, shape (N, N) or (G, N, N), optional
        Covariance of the values, in their order and units. A profile over the grid has a place for each of its heights.
    state : object, optional
        What the next pass needs to know; None for an estimator of one pass.
    converged : bool
        Whether the last step was negligible. Not converging is a value, no exception.
    undetermined : mapping of str to str
        Results that the data do not determine (NaN), with the reason.
    notes : tuple of str
        What the user should know about this fit.
    grid : `~astropy.units.Quantity`, optional
        The abscissa of profiles.
    columns : mapping of str to ndarray or `~astropy.units.Quantity`
        What else is told of each group, without an error: columns of the table.
    data : mapping of str to `~astropy.units.Quantity`
        What was fitted, where that is small: bins, for figures.
    of_groups : Fit, optional
        The fit of each group that this one, of all groups together, rests on.

    Attributes
    ----------
    derived, derived_error : dict of str to Quantity
        Quantities computed from the results, with propagated errors.
    used : int
        Rows that entered.
    left_out : dict of str to int
        Rows that did not, by reason.
    groups : list or None
        What `by=` grouped by: labels, or bin edges (low, high); the sources, where each is solved on its own.
    by : str or None
        The column that `by=` names.
    passes : int
        Passes over the data.
    provenance : dict
        Versions, options, the chain of effects, references.

    Examples
    --------
    >>> import astropy.units as u
    >>> import numpy as np
    >>> import astrokin as ak
    >>> fit = ak.Fit({"A": 15.0 * u.km / u.s / u.kpc, "B": -12.0 * u.km / u.s / u.kpc},
    ...              covariance=np.diag([0.04, 0.09]))
    >>> fit["A"], fit.error["B"]
    (<Quantity 15. km / (kpc s)>, <Quantity 0.3 km / (kpc s)>)
    """

    results: Mapping[str, u.Quantity]
    covariance: Array | None = None
    state: Any = None
    converged: bool = True
    undetermined: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    grid: u.Quantity | None = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, u.Quantity] = field(default_factory=dict)
    of_groups: Fit | None = None
    derived: Mapping[str, u.Quantity] = field(default_factory=dict)
    derived_error: Mapping[str, u.Quantity] = field(default_factory=dict)
    used: int = 0
    left_out: Mapping[str, int] = field(default_factory=dict)
    groups: list[Any] | None = None
    by: str | None = None
    passes: int = 0
    provenance: Mapping[str, Any] = field(default_factory=dict)
    plotter: Callable[..., Any] | None = None

    def __post_init__(self) -> None:
        for name, value in self.results.items():
            if not hasattr(value, "unit"):
                raise InputError(
                    f"The result {name!r} of a Fit is {value!r}, which has no unit: pure numbers get u.one."
                )
        layout.check(self)
        results = {k: f"It is a result: fit[{k!r}]." for k in self.results}
        errors = {k: f"It is a result: fit.error[{k!r}]." for k in self.results}
        object.__setattr__(self, "derived", Named(self.derived, "derived quantity", results))
        object.__setattr__(self, "derived_error", Named(self.derived_error, "derived error", errors))

    # ---- a mapping from names to quantities --------------------------------------------------------------

    def __getitem__(self, name: str) -> u.Quantity:
        if name in self.results:
            return self.results[name]
        hint = f"It is derived: fit.derived[{name!r}]." if name in self.derived else ""
        raise _unknown(name, "result", self.results, hint)

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the results, in the order of the covariance."""
        return tuple(self.results)

    @property
    def units(self) -> dict[str, u.UnitBase]:
        """The unit of each result."""
        return {k: v.unit for k, v in self.results.items()}

    @property
    def error(self) -> dict[str, u.Quantity]:
        """The standard error of each result: the root of the diagonal of the covariance."""
        derived = {k: f"It is derived: fit.derived_error[{k!r}]." for k in self.derived}
        if self.covariance is None:
            return Named({k: np.full(v.shape, np.nan) * v.unit for k, v in self.results.items()}, "error", derived)
        sigma = np.sqrt(np.einsum("...ii->...i", self.covariance))
        found = {k: error * self.results[k].unit for k, error in layout.spread(self, sigma).items()}
        return Named(found, "error", derived)

    def covariance_of(self, name: str) -> Array:
        """Covariance of one profile between the heights of the grid, (m, m) or (G, m, m); of a single result (1, 1).

        Parameters
        ----------
        name : str
            One of the results.

        Raises
        ------
        MissingColumnError
            No result of that name.
        InputError
            The fit has no covariance.
        """
        value = self[name]
        if self.covariance is None:
            raise InputError(f"The fit has no covariance, so none of {name!r} = {value}.")
        place = layout.places(self)[name]
        return self.covariance[..., place, place]

    @property
    def correlation(self) -> Array | None:
        """The correlation matrix of the results."""
        if self.covariance is None:
            return None
        sigma = np.sqrt(np.einsum("...ii->...i", self.covariance))
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.covariance / sigma[..., :, None] / sigma[..., None, :]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Fit):
            return NotImplemented
        same_names = self.names == other.names and self.units == other.units
        return same_names and all(np.array_equal(self[k], other[k], equal_nan=True) for k in self)

    __hash__ = None  # type: ignore[assignment]

    # ---- what one does with it ---------------------------------------------------------------------------

    def with_derived(self, derive: Derive) -> Fit:
        """The fit with quantities derived from its results, errors propagated by complex step."""
        derived = {k: u.Quantity(v) for k, v in derive(self.results).items()}
        return replace(self, derived=derived, derived_error=_propagated(self, derive, derived))

    def table(self) -> Any:
        """Results, errors and derived quantities as a `~astropy.table.QTable`: a row per result, or per group."""
        from astrokin import fit_output

        return fit_output.table(self)

    def plot(self, axes: Any = None) -> Any:
        """A matplotlib figure of the fit: that of the estimator where it has one, else values and correlations.

        Parameters
        ----------
        axes : sequence of matplotlib axes, optional
            Where to draw it, as many as the estimator has panels. Not given: on a figure of its own, which a notebook
            shows and ``fit.plot().savefig("fit.png")`` keeps; pyplot, and so ``plt.show``, does not know of it.

        Returns
        -------
        `matplotlib.figure.Figure`
        """
        from astrokin import fit_plot

        return self.plotter(self, axes) if self.plotter is not None else fit_plot.overview(self)

    def write(self, path: Any, overwrite: bool = False) -> None:
        """Write the fit as ECSV; `Fit.read` brings it back. The old file stays until the new one is whole."""
        from astrokin import fit_file

        fit_file.write(self, path, overwrite)

    @staticmethod
    def read(path: Any) -> Fit:
        """Read a fit that `write` has written."""
        from astrokin import fit_file

        return fit_file.read(path, Fit)

    def cite(self) -> str:
        """BibTeX entries of what the fit used."""
        from astrokin.references import SOFTWARE, bibtex

        return bibtex((*self.provenance.get("references", ()), *SOFTWARE))

    def raise_if_not_converged(self) -> Fit:
        """The fit itself, or `NotConvergedError` where it did not converge."""
        from astrokin.errors import NotConvergedError

        if not self.converged:
            raise NotConvergedError(f"No convergence after {self.passes} passes.")
        return self

    def __str__(self) -> str:
        from astrokin import fit_output

        return fit_output.text(self)

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from astrokin import fit_output

        return fit_output.html(self)


def _propagated(fit: Fit, derive: Derive, derived: Mapping[str, u.Quantity]) -> dict[str, u.Quantity]:
    if fit.covariance is None:
        return {k: np.full(v.shape, np.nan) * v.unit for k, v in derived.items()}
    slopes = {k: np.empty((*np.shape(v), len(fit))) for k, v in derived.items()}
    for i, (name, value) in enumerate(fit.results.items()):
        moved = derive({**fit.results, name: value + 1e-30j * value.unit})
        for k, v in derived.items():
            slopes[k][..., i] = np.imag(u.Quantity(moved[k]).to_value(v.unit)) / 1e-30
    out, everywhere = {}, layout.local(fit)
    for k, v in derived.items():
        local = everywhere if fit.grid is None or layout.on_grid(fit, v) else everywhere[..., 0, :, :]
        lost = ((slopes[k] != 0) & np.isnan(np.einsum("...ii->...i", local))).any(axis=-1)
        slope, covariance = np.nan_to_num(slopes[k]), np.nan_to_num(local)
        variance = np.einsum("...i,...ij,...j->...", slope, covariance, slope)
        lost |= np.isnan(v.value) | (variance < 0.0)  # by round-off, where it is zero: no error that one could state
        out[k] = np.sqrt(np.where(lost, np.nan, variance)) * v.unit
    return out
