"""Asymmetric drift: the lag of groups of stars behind the local standard of rest, and where that is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np

import astrokin as ak
from astrokin.estimators import solar_motion_sample
from astrokin.estimators.constant_field import ConstantFieldFit
from astrokin.estimators.linear_fit import SHAPES


@dataclass(frozen=True)
class AsymmetricDrift(ConstantFieldFit):
    r"""The lag of groups of stars, and the Sun's velocity at zero dispersion: Strömberg's relation.

    The hotter a population, the more it lags behind the circular speed,
    :math:`v_a = v_c - \langle v_\phi\rangle = \sigma_R^2/k` (Strömberg 1946; the radial Jeans equation says why, with
    :math:`k = 2v_c/(-E)`: `astrokin.drift.RadialJeans`). So the Sun's V relative to a group is

    .. math:: V_i = V_\odot + \sigma_{R,i}^2/k ,

    a straight line whose value at zero dispersion is the Sun's V relative to the local standard of rest. For each group
    of ``by=``, solar motion and dispersion tensor are fitted by maximum likelihood as `SolarMotion` does it, with
    measurement errors taken off; then the line, with the errors of both and their correlation.

    Parameters
    ----------
    by : str or (str, edges)
        The populations: the labels of a column, or bins of colour or age. Three at least, of different dispersions.
    use : ("pm", "rv"), ("pm",) or ("rv",)
        Which motions to use.
    dispersion : {"full", "diagonal", "isotropic"}
        Shape of the velocity ellipsoid of each group. The line is against sigma_UU, which near the Sun is
        :math:`\sigma_R^2`; against sigma2 where it is isotropic (k then is another).
    rotation : Quantity of A, B, C, K, or the Fit of `OortConstants`
        The flow of the Galaxy that is taken out first.
    scatter : bool
        Whether groups may scatter about line and means by more than their errors; see `astrokin.drift.stromberg`.

    Returns
    -------
    Fit
        ``V_sun k U_sun W_sun`` (km/s), of all groups together: the Sun's velocity relative to the local standard of
        rest of that sample, and the k above. Derived: ``slope`` = 1/k. `Fit.of_groups` has each group's ``U V W``, its
        second moments and, derived, its ``lag`` V - V_sun. ``chi2`` and ``dof`` of the line in `Fit.columns`.

    Notes
    -----
    Sources: 000, "Asymmetric Drift"; Dehnen & Binney (1998); Binney & Tremaine (2008), section 4.8.2. The line is
    straight where the groups share scale lengths and the shape of their ellipsoids, and are relaxed: young stars,
    which still move with the streams they were born in, are not. So V_sun depends on the groups and on what they have
    in common; Schönrich, Binney & Dehnen (2010), whose value astropy has for its `LSR`, find it too low by 7 km/s
    where metallicity grows inward.

    k is the inverse of the slope, and known the worse the flatter the line: less than two standard errors above zero
    it is undetermined.

    Examples
    --------
    >>> import numpy as np
    >>> import astrokin as ak
    >>> estimator = ak.estimators.AsymmetricDrift(by="population")
    >>> stars, truth = estimator.simulate(20_000, np.random.default_rng(1))
    >>> fit = estimator.fit(stars)
    >>> abs(fit["V_sun"] - truth["V_sun"]) < 4 * fit.error["V_sun"]
    np.True_
    >>> fit.of_groups.derived["lag"].shape
    (6,)
    """

    name = "asymmetric-drift"
    references = (
        "1946ApJ...104...12S",
        "1998MNRAS.298..387D",
        "2004AmJPh..72..367Y",
        "2010MNRAS.403.1829S",
        "binney-tremaine-2008",
        "source-000",
    )

    dispersion: str = ak.option("full", allowed=tuple(SHAPES), doc="shape of the velocity ellipsoid of each group")
    scatter: bool = ak.option(False, kind=bool, doc="groups may scatter by more than their errors")

    def fit(self, data: Any, *, names: Mapping[str, str] | None = None, progress: bool = False) -> ak.Fit:
        """Fit the groups of a sample, and the relation between them; see `astrokin.Estimator.fit`."""
        if self.by is None:
            raise ak.errors.InputError(
                "AsymmetricDrift relates groups of stars: give them, by='column' or by=('BV', edges)."
            )
        return super().fit(data, names=names, progress=progress)

    def relate(self, fit: ak.Fit) -> ak.Fit:
        """Strömberg's relation between the groups."""
        return ak.drift.stromberg(fit, self.scatter)

    def derive(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The slope of the line; nothing of single groups."""
        if "k" not in values:
            return {}
        with np.errstate(invalid="ignore"):
            return {"slope": 1.0 / values["k"]}

    def draw(self, fit: ak.Fit, axes: Any = None) -> Any:
        """The Strömberg diagram."""
        from astrokin.estimators import solar_motion_plot

        return solar_motion_plot.draw(fit, axes)

    # ---- simulation --------------------------------------------------------------------------------------

    def simulate(self, n: int, rng: np.random.Generator) -> tuple[Any, dict[str, u.Quantity]]:
        """Populations that lag behind by their dispersion, in the column ``population``, and the truth."""
        return solar_motion_sample.populations(n, rng, self.dispersion, self.field.known)

    @classmethod
    def examples(cls) -> Any:
        yield cls(by="population")
        yield cls(by="population", use=("pm",), dispersion="diagonal")
        yield cls(by="population", dispersion="isotropic", scatter=True)
