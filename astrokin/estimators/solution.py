"""The astrometric solution of each source: five to nine parameters, or an orbit, from its epochs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin.estimators import solution_orbit, solution_sample
from astrokin.estimators.solution_elements import elements
from astrokin.estimators.solution_model import scans_of
from astrokin.estimators.solution_result import Searched, solved
from astrokin.estimators.solution_solver import Rules

Array = NDArray[np.float64]

MODELS = ("5", "6", "7", "9", "orbit")


def _two_periods(days: Any) -> Any:
    return np.all(np.asarray(days) > 0) and days[0] < days[1]


@dataclass(frozen=True)
class AstrometricSolution(ak.SourceEstimator):
    r"""Astrometric parameters of each source from its epochs: 5, 6, 7 or 9 of them, or an orbit.

    The observation along the scan angle :math:`\psi` (from north through east) is modelled by

    .. math::

        w = \Delta\alpha^*(t)\sin\psi + \Delta\delta(t)\cos\psi + \varpi f,

    .. math::

        \Delta\alpha^*(t) = \Delta\alpha^*_0 + \mu_{\alpha*} t + \tfrac12 g_{\alpha*} t^2 + \tfrac16 h_{\alpha*} t^3

    (and :math:`\Delta\delta` alike), t from the reference epoch: 5 parameters without, 7 with the acceleration g, 9
    with its rate h too. With 6, uniform motion through space, the distance grows at the rate
    :math:`\mu_r = v_r\varpi/A`: motion and parallax are divided by :math:`1 + \mu_r t`. An orbit adds to the 5

    .. math::

        (B X + G Y)\sin\psi + (A X + F Y)\cos\psi, \qquad X = \cos E - e, \quad Y = \sqrt{1-e^2}\,\sin E,

    linear in the Thiele-Innes elements of the photocentre, in a search over period, eccentricity and phase; radial
    velocities among the epochs are fitted along by :math:`v = \gamma + \frac{d}{dt}(C X + H Y)`.

    Sources are solved by normal equations, a block of sources at a time. A two-dimensional position with its
    covariance is as good as two observations along the axes of its error ellipse, and is taken so. Observations along
    the scan may be correlated two by two (``abscissa_pair`` and ``abscissa_corr`` of `astrokin.Epochs`); they are
    weighted by the inverse of their covariance matrix :math:`C`, in :math:`\chi^2 = r^T C^{-1} r` too, and excess noise
    is added to the diagonal alone.

    Parameters
    ----------
    model : {"5", "6", "7", "9", "orbit"}
        What is fitted; a number will do as well.
    reference_epoch : Time, float (Julian year TCB) or text, optional
        The epoch of the results. Not given: the middle of each source's own epochs, told in the column
        ``reference_epoch``.
    observer : Observer, optional
        Where the observations were made, with ``obstime=ak.column("obstime")``: for parallax factors where the
        epochs have none; they need ``ra`` and ``dec`` then.
    jitter : bool
        Whether the excess noise :math:`\epsilon`, for which
        :math:`\sum r^2/(\sigma^2+\epsilon^2)` equals the degrees of freedom (Lindegren et al. 2012), is added to the
        errors. If not, it is told but not used.
    reject : float, optional
        Leave out observations with residuals beyond so many standard deviations (which the median residual corrects
        upward where the errors are too small); those of one source are told in ``outliers``.
    errors : {"formal", "scaled"}
        Errors by the given errors (and the jitter), or these times the unit-weight error where it is above 1.
    period_range : `~astropy.units.Quantity`, shape (2,), optional
        Shortest and longest period of the search; by default from ten days to three times the span of the epochs.

    Returns
    -------
    Fit
        By source: ``delta_ra``, ``delta_dec`` (mas), ``parallax`` (mas), ``pmra``, ``pmdec`` (mas/yr); with 6
        ``radial_proper_motion`` (mas/yr), with 7 ``acceleration_ra``, ``acceleration_dec`` (mas/yr2), with 9 also
        ``jerk_ra``, ``jerk_dec`` (mas/yr3); of an orbit ``A``, ``B``, ``F``, ``G`` (mas), ``period`` (d),
        ``eccentricity``, ``t_periastron`` (Julian year TCB) and, with radial velocities,
        ``systemic_velocity`` (km/s), ``C``, ``H`` (au). Derived: ``radial_velocity`` with 6; ``semi_major_axis``
        (of the photocentre), ``inclination``, ``node``, ``periastron`` and, with radial velocities,
        ``semi_amplitude`` of an orbit. `Fit.columns` has ``outcome``, ``reference_epoch``, ``epochs``, ``outliers``,
        ``visibility_periods``, ``chi2``, ``dof``, ``f2``, ``unit_weight_error``, ``excess_noise``, ``inflation`` and,
        of an orbit, ``chi2_margin``: by how much the next best one that was found is worse.

    Notes
    -----
    ``outcome`` is ``"solved"``; or, with results, ``"ambiguous"`` (another orbit is worse by less than 9 in chi²),
    ``"poorly determined"`` (the epochs do not tell the parameters apart, those of one month, say: the variance of one
    is more than 1000 times what it would be alone, and its error says so) or ``"not settled"`` (outliers and excess
    noise still change in the last pass); or, without results, ``"too few epochs"``, ``"undetermined"`` or
    ``"no orbit found"``. Rows without scan angle, parallax factor or positive error, the same observation listed again
    and those whose pair or correlation cannot be made out are left out and counted.

    Errors of an orbit are those of the model made linear at the solution: in simulations a few in a thousand of the
    orbits that are solved are off by more than five of them in one element or more.

    The abscissae of a source must be offsets from one fixed direction (not from a moving reference solution) with 6
    parameters, and for the total motion; otherwise the results are corrections to the reference solution. ``chi2``,
    ``f2`` (Wilson & Hilferty 1931) and ``unit_weight_error`` are those of the errors as given, of what is not
    rejected. Each observation is judged as an outlier by its own error; its partner is then on its own.

    Sources: the hands-on problem of source 004; Lindegren et al. (2012, 2021); Halbwachs et al. (2023).

    Examples
    --------
    >>> import numpy as np
    >>> import astrokin as ak
    >>> estimator = ak.estimators.AstrometricSolution(reference_epoch=2017.5)
    >>> epochs, truth = estimator.simulate(400, np.random.default_rng(1))
    >>> fit = estimator.fit(epochs)
    >>> pull = (fit["parallax"] - truth["parallax"]) / fit.error["parallax"]
    >>> print(f"{len(fit.groups)} sources, pulls of width {pull.std():.1f}")
    400 sources, pulls of width 1.0
    """

    name = "astrometric-solution"
    references = (
        "2012A&A...538A..78L",
        "2021A&A...649A...2L",
        "2023A&A...674A...9H",
        "wilson-hilferty-1931",
        "source-004",
    )

    model: Any = ak.option("5", kind=str, allowed=MODELS, doc="the parameters that are fitted")
    reference_epoch: Any = ak.epoch_parameter(None, per_row=False, doc="epoch of the results")
    observer: Any = ak.observer_parameter(None, doc="where the observations were made, for parallax factors")
    jitter: bool = ak.option(False, allowed=(False, True), doc="add the excess noise to the errors")
    reject: float | None = ak.option(
        None, kind=float, doc="leave out residuals beyond so many sigma", physical=lambda x: x > 0,
        domain="a positive number",
    )  # fmt: skip
    errors: str = ak.option("formal", allowed=("formal", "scaled"), doc="as given, or times the unit-weight error")
    period_range: Any = ak.parameter(
        None,
        unit=u.day,
        shape=(2,),
        per_row=False,
        optional=True,
        doc="shortest and longest period of an orbit",
        physical=_two_periods,
        domain="a pair of positive periods, the shorter first",
    )

    def __post_init__(self) -> None:
        if isinstance(self.model, int) and not isinstance(self.model, bool):
            object.__setattr__(self, "model", str(self.model))
        super().__post_init__()

    def solve_sources(self, rows: Any) -> ak.Fit:
        """The solutions of the sources of a block."""
        scans, left_out = scans_of(rows, self.observer)
        epoch = None if self.reference_epoch is None else _year(self.reference_epoch)
        rules = Rules(self.reject, self.jitter)
        if self.model != "orbit":
            return solved(scans, int(self.model), epoch, rules, self.errors, left_out)
        velocities = solution_orbit.velocities_of(rows)
        searched: Searched = solution_orbit.search(scans, velocities, self.periods, rules, epoch)
        if velocities is not None:
            left_out = {k: v for k, v in left_out.items() if k != "radial velocity alone"}
        return searched.fit(self.errors, left_out)

    @property
    def periods(self) -> tuple[float, float] | None:
        """Shortest and longest period of the search in Julian years; None for the default."""
        if self.period_range is None:
            return None
        short, long = self.period_range.to_value(u.yr)
        return float(short), float(long)

    def derive(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The radial velocity of six parameters; Campbell's elements of an orbit."""
        return elements(values)

    def simulate(self, n: int, rng: np.random.Generator) -> tuple[ak.Epochs, dict[str, u.Quantity]]:
        """Epochs of n sources all over the sky, as a nominal scanning law sees them in five years."""
        return solution_sample.sample(n, rng, self.model, None if self.reference_epoch is None else _year(
            self.reference_epoch), self.by, self.jitter)  # fmt: skip

    def draw(self, fit: ak.Fit, axes: Any = None) -> Any:
        """Errors and quality of the solutions."""
        from astrokin.estimators import solution_plot

        return solution_plot.overview(fit, axes)

    def plot_source(self, epochs: Any, source: Any = None, axes: Any = None) -> Any:
        """The track of one source on the sky with its epochs, and the residuals against time.

        Parameters
        ----------
        epochs : Epochs or table
            Its epochs, or those of many.
        source : label, optional
            Which source it is; not needed where there is but one.
        axes : sequence of two matplotlib axes, optional

        Returns
        -------
        `matplotlib.figure.Figure`
        """
        from astrokin.estimators import solution_plot

        return solution_plot.track(self, ak.Epochs.of(epochs), source, axes)

    def plot_search(self, epochs: Any, source: Any = None, axes: Any = None) -> Any:
        """How much better each period does: the fall of chi² with the best orbit of that period, of one source.

        Parameters
        ----------
        epochs : Epochs or table
            Its epochs, or those of many.
        source : label, optional
            Which source it is; not needed where there is but one.
        axes : matplotlib axes, optional

        Returns
        -------
        `matplotlib.figure.Figure`
        """
        from astrokin.estimators import solution_plot

        return solution_plot.search(self, ak.Epochs.of(epochs), source, axes)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        yield cls(reference_epoch=2017.5)
        yield cls("9", reference_epoch=2017.0, jitter=True, reject=5.0)
        yield cls("orbit", reference_epoch=2017.5, period_range=(100, 700) * u.day)


def _year(epoch: Any) -> float:
    from astrokin.times import julian_years

    return float(julian_years(epoch))
