"""The vertical force of the Galaxy, and what it weighs: the vertical Jeans equation with the tilt term."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import vertical
from astrokin.estimators import vertical_models as models
from astrokin.estimators import vertical_solution, vertical_splines
from astrokin.estimators.vertical_bins import data as bin_data
from astrokin.estimators.vertical_joint import Joint
from astrokin.estimators.vertical_kernels import Bins, Sums, Weights, sums
from astrokin.estimators.vertical_motion import heights_and_velocities, outside
from astrokin.estimators.vertical_profiles import UNITS, Profiles
from astrokin.summaries import group_of

Array = NDArray[np.float64]

_SHEAR = u.km / u.s / u.kpc
_ORDER = {"none": "z", "linear": "Rz", "spheroidal": "RR"}


def _positive(value: Any) -> Any:
    return np.asarray(value) > 0


def _not_negative(value: Any) -> Any:
    return np.asarray(value) >= 0


@dataclass(frozen=True)
class JeansKz(ak.Estimator):
    r"""The vertical force K_z(z) from a sample of tracers, and the surface, volume and dark-matter density it tells.

    In a steady state, with :math:`\nu` the density of the tracers and :math:`\sigma` the second moments of their
    velocities about the mean, the vertical Jeans equation is

    .. math::

        K_z = \frac{1}{\nu}\frac{\partial(\nu\sigma_{zz}^2)}{\partial z}
            + \frac{1}{\nu R}\frac{\partial(R\,\nu\,\sigma_{Rz})}{\partial R}, \qquad
        \Sigma(z) = \frac{|K_z| + 2(B^2 - A^2)\,z}{2\pi G}, \qquad
        4\pi G\rho = -\frac{\partial K_z}{\partial z} + 2(B^2 - A^2).

    The second term is the tilt term; with :math:`\nu\propto e^{-R/h}` and :math:`\sigma_{Rz}\propto e^{-R/h_\sigma}` it
    is :math:`\sigma_{Rz}\,(1/R - 1/h - 1/h_\sigma)`. Stars are counted, and the moments of their velocities taken, in
    bins of \|z\|, on each side of the plane about their own mean; then counts and moments of all bins are fitted
    together, Poisson the former, the latter with the covariance that measured fourth moments tell.

    ``Kz`` is the force at the height +z: negative, toward the plane. The profiles are arrays over `Fit.grid`.

    Parameters
    ----------
    solver : {"parametric", "splines"}
        The functions of `density` and `dispersion`; or cubic splines for :math:`\ln\nu` and :math:`\sigma_{zz}`, with a
        penalty on their third and second differences whose size the data choose: a tenth of what the restricted
        likelihood prefers, and at most such that some 5 and 3 effective parameters are left.
    density : {"sech2", "exponential", "gaussian", "two-component", "isothermal"}
        :math:`\nu(z)`: sech²(z/h), exp(-z/h), exp(-z²/2h²), two sech² layers, or an isothermal tracer in the field of a
        sheet and a constant density, :math:`\cosh(z/z_0)^{-s z_0}\,e^{-q z^2/2}`.
    dispersion : tuple of int
        The powers of \|z\| in :math:`\sigma_{zz}^2`, such as (0,), (0, 2) or (0, 1, 2).
    tilt : {"linear", "spheroidal", "none"}
        :math:`\sigma_{Rz}` proportional to z; that of a velocity ellipsoid aligned with prolate spheroidal coordinates,
        :math:`\tan 2\alpha = 2aRz/(R^2 - az^2)`, between cylindrical (a = 0) and spherical (a = 1); or left out.
    tracer_scale_length, tilt_scale_length : `~astropy.units.Quantity` or None
        h and :math:`h_\sigma` above. None: fitted, which needs bins in R. Defaults: the thin disc's of Bland-Hawthorn &
        Gerhard (2016), and half that of :math:`\sigma_R` of Lewis & Freeman (1989).
    z_min, z_max : `~astropy.units.Quantity`
        Heights above and below the plane that are binned.
    bins : int
        Of equal width in \|z\|.
    R_min, R_max : `~astropy.units.Quantity`, optional
        Radii that are taken.
    R_bins : int
        Of equal width in R, for radial gradients; more than one need `R_min` and `R_max`.
    knots : int
        Intervals of the splines.
    smoothing : float, optional
        Size of both penalties; None: the data choose.
    weight : `ak.column`, optional
        Weight of each star in the density (and in the moments), the inverse of the effective volume or of the
        probability with which it was selected. Without weights the sample is taken to be complete in a piece of the
        disc of the same cross-section at every height (and, for bins in R, of the same range of azimuth).
    z_sun : `~astropy.units.Quantity`, optional
        Height of the Sun above the plane; astropy's default where not given.
    oort : `~astropy.units.Quantity`, shape (2,)
        Oort's A and B, for the radial part of Poisson's equation. Default: Bovy (2017).
    baryon_surface_density, baryon_scale_height : `~astropy.units.Quantity`, shape (2,)
        Two exponential layers, stars and gas, that are taken off for the dark matter. Default: the local surface and
        volume densities of McKee, Parravano & Hollenbach (2015), 33.4 and 13.7 Msun/pc2, 0.043 and 0.041 Msun/pc3.
    grid : `~astropy.units.Quantity`, optional
        Heights of the profiles, within the bins; the bins' middles where not given. In the plane itself there is no
        force, by symmetry.

    Returns
    -------
    Fit
        Over the grid ``Kz`` and the tilt term in it, ``tilt`` (km2/s2/pc); ``Sigma`` (Msun/pc2; between -z and z);
        ``rho`` (Msun/pc3); ``nu`` (stars, or their weights, per pc of height, both sides together); ``sigma_zz`` and
        ``sigma_Rz`` (second moments, km2/s2). Single ones: ``rho_0``, the density in the plane, where the bins begin
        there; the parameters; ``beta``, by which a linear tilt adds to the force over z. Derived: ``tilt_share`` =
        tilt/Kz, ``Sigma_dm`` = Sigma less the baryons, ``rho_dm`` = Sigma_dm/2z, the mean dark density below z.
        `Fit.data` holds the bins.

    Notes
    -----
    Sources: 000, "Weighing the Galactic Disk"; Binney & Tremaine (2008), section 4.8. Measurement errors are taken off
    the second moments star by star, to first order in the relative parallax error squared, :math:`\varepsilon`. Errors
    of the distance also move stars over the edges of the bins, the more the farther, and their velocities with them:
    that is put back, to first order in :math:`\varepsilon` likewise, as a mean shift :math:`z\varepsilon` and a
    diffusion :math:`z^2\varepsilon` of densities and moments. Over the edges in R nothing is put back. What is left is
    of the second order: keep parallax errors below some 10 per cent at `z_max`. `min_parallax_over_error` and
    `max_distance` select by distance, and so change the density with height, for which weights must account.

    Stars without proper motion or radial velocity count in the density only. Errors are statistical: those of the
    scale lengths, of Oort's constants, of the baryons, of the Sun's height and motion are not in them, nor is any
    departure from a steady state. Splines are smoothed less than the likelihood prefers, so that the bias of the
    smoothing stays below the errors, which are those of sampling.

    Examples
    --------
    >>> import numpy as np
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> estimator = ak.estimators.JeansKz(grid=[0.5, 1.1] * u.kpc)
    >>> stars, truth = estimator.simulate(20_000, np.random.default_rng(1))
    >>> fit = estimator.fit(stars)
    >>> fit["Kz"].round(2)
    <Quantity [-1.25, -2.08] km2 / (pc s2)>
    >>> bool((abs(fit["Sigma"] - truth["Sigma"]) < 4 * fit.error["Sigma"]).all())
    True
    """

    name = "jeans-kz"
    needs = frozenset({"parallax"})
    reads = frozenset({"parallax", "proper_motion", "radial_velocity", "covariance"})
    references = (
        *("source-000", "binney-tremaine-2008", "1942ApJ....95..329S", "2015ApJ...814...13M", "2017MNRAS.468L..63B"),
        *("1989AJ.....97..139L", "2016ARA&A..54..529B", "eilers-marx-1996"),
    )

    solver: str = ak.option("parametric", allowed=("parametric", "splines"), doc="functions, or penalised splines")
    density: str = ak.option("sech2", allowed=tuple(models.DENSITIES), doc="the tracers' density with height")
    dispersion: Any = ak.option((0, 2), doc="powers of |z| in sigma_zz, such as 0,2")
    tilt: str = ak.option("linear", allowed=tuple(_ORDER)[::-1], doc="sigma_Rz: linear, spheroidal or none")
    tracer_scale_length: u.Quantity | None = ak.parameter(
        2.6 * u.kpc,
        per_row=False,
        optional=True,
        doc="radial scale length of the density; None: fitted",
        physical=_positive,
        domain="a positive length",
    )
    tilt_scale_length: u.Quantity | None = ak.parameter(
        4.4 * u.kpc,
        per_row=False,
        optional=True,
        doc="radial scale length of sigma_Rz; None: fitted",
        physical=_positive,
        domain="a positive length",
    )
    z_min: u.Quantity = ak.parameter(
        0.0 * u.kpc,
        per_row=False,
        doc="lowest height that is binned",
        physical=_not_negative,
        domain="a height of 0 or more",
    )
    z_max: u.Quantity = ak.parameter(
        1.2 * u.kpc, per_row=False, doc="greatest height that is binned", physical=_positive, domain="a positive height"
    )
    bins: int = ak.option(
        16, kind=int, doc="number of bins in |z|", physical=lambda n: 4 <= n <= 1000, domain="4 to 1000"
    )
    R_min: u.Quantity | None = ak.parameter(
        None, unit=u.kpc, per_row=False, doc="least radius", physical=_positive, domain="a positive radius"
    )
    R_max: u.Quantity | None = ak.parameter(
        None, unit=u.kpc, per_row=False, doc="greatest radius", physical=_positive, domain="a positive radius"
    )
    R_bins: int = ak.option(1, kind=int, doc="number of bins in R", physical=lambda n: 1 <= n <= 100, domain="1 to 100")
    knots: int = ak.option(
        8, kind=int, doc="intervals of the splines", physical=lambda n: 3 <= n <= 100, domain="3 to 100"
    )
    smoothing: float | None = ak.option(
        None, kind=float, doc="size of the splines' penalty", physical=_positive, domain="a positive number"
    )
    weight: Any = ak.parameter(
        None, unit=u.one, doc="each star's weight in the density", physical=_positive, domain="a positive number"
    )
    z_sun: u.Quantity | None = ak.parameter(None, unit=u.kpc, per_row=False, doc="height of the Sun above the plane")
    oort: u.Quantity = ak.parameter((15.3, -11.9) * _SHEAR, shape=(2,), per_row=False, doc="Oort's A and B")
    baryon_surface_density: u.Quantity = ak.parameter(
        (33.4, 13.7) * vertical.SURFACE_DENSITY,
        shape=(2,),
        per_row=False,
        doc="of stars and gas, for the dark matter",
        physical=_not_negative,
        domain="0 or more",
    )
    baryon_scale_height: u.Quantity = ak.parameter(
        (0.390, 0.165) * u.kpc,
        shape=(2,),
        per_row=False,
        doc="of stars and gas, exponential",
        physical=_positive,
        domain="positive heights",
    )
    grid: Any = ak.option(None, doc="heights of the profiles, with unit")

    def __post_init__(self) -> None:
        object.__setattr__(self, "dispersion", _powers(self.dispersion))
        object.__setattr__(self, "grid", _heights(self.grid))
        super().__post_init__()
        self._check_edges()
        if self.weight is not None and not hasattr(self.weight, "name"):
            raise ak.errors.InputError(f"JeansKz.weight is {self.weight}: one per star is needed, ak.column(…).")

    def _check_edges(self) -> None:
        low, high = self.z_min.to_value(u.kpc), self.z_max.to_value(u.kpc)
        if not low < high:
            raise ak.errors.InputError(f"JeansKz: z_min is {self.z_min}, z_max {self.z_max}; z_min < z_max is needed.")
        if self.R_bins > 1 and (self.R_min is None or self.R_max is None):
            raise ak.errors.InputError(f"JeansKz.R_bins is {self.R_bins}: bins in R need R_min and R_max.")
        if self.R_min is not None and self.R_max is not None and not self.R_min < self.R_max:
            raise ak.errors.InputError(f"JeansKz: R_min is {self.R_min}, R_max {self.R_max}; R_min < R_max is needed.")
        if self.solver == "splines" and self.knots > self.bins:
            raise ak.errors.InputError(
                f"JeansKz.knots is {self.knots}, bins {self.bins}: splines with no more intervals than bins are needed."
            )
        fitted = [k for k in ("tracer_scale_length", "tilt_scale_length") if getattr(self, k) is None]
        if fitted and self.tilt != "none" and self.R_bins < 2:
            raise ak.errors.InputError(f"JeansKz.{fitted[0]} is None, to be fitted: that needs R_bins of 2 or more.")
        if self.grid is not None:
            z = self.grid.to_value(u.kpc)
            if z.min() < low or z.max() > high:
                raise ak.errors.InputError(
                    f"JeansKz.grid goes from {z.min():g} to {z.max():g} kpc, the bins from {low:g} to {high:g} kpc: "
                    "profiles are told where there are data only; z_min and z_max say where to bin."
                )

    # ---- one pass ----------------------------------------------------------------------------------------

    @cached_property
    def _bins(self) -> Bins:
        low, high = (None if r is None else float(r.to_value(u.kpc)) for r in (self.R_min, self.R_max))
        return Bins(
            z_min=float(self.z_min.to_value(u.kpc)),
            z_max=float(self.z_max.to_value(u.kpc)),
            n_z=self.bins,
            R_min=low or 0.0,
            R_max=np.inf if high is None else high,
            n_R=self.R_bins,
        )

    def unusable(self, rows: Any) -> dict[str, Any]:
        """Stars that stand in none of the bins, or have no weight."""
        out: dict[str, Any] = outside(rows, ak.galaxy.galactocentric(self.z_sun), self._bins.limits)
        if self.weight is not None:
            out |= {reason: mask for reason, mask in self.unfit(rows).items() if repr(self.weight.name) in reason}
        return out

    def collect(self, rows: Any, params: Any) -> Sums:
        """Sums of counts, velocities and errors over the bins."""
        group, n_groups = group_of(rows)
        density = None if self.weight is None else self.bound(rows).weight.to_value(u.one)
        frame = ak.galaxy.galactocentric(self.z_sun)
        return sums(rows, frame, self._bins, Weights(rows.weight, density), group, n_groups, _ORDER[self.tilt])

    def solve(self, summary: Sums, params: Any) -> ak.Fit:
        """Fit the bins of every group."""
        profiles, bins = self._profiles, self._bins
        groups = [
            vertical_solution.told(profiles, bin_data(summary, g, bins, _ORDER[self.tilt]), self.smoothing)
            for g in range(len(summary.values))
        ]
        return _assembled(profiles, groups, summary)

    def residual(self, rows: Any, params: Any) -> Array:
        """v_z over the dispersion of the other stars of its bin; 0 where there are too few, or no v_z."""
        found, bins = params.state.data, self._bins
        z, velocity = heights_and_velocities(rows, ak.galaxy.galactocentric(self.z_sun))
        place = (0 if rows.group is None else rows.group), bins.height(z)
        n, variance = (found[name].value[place] for name in ("bin_stars", "bin_scatter_zz"))
        square = np.where(n > 8.0, np.nan_to_num(velocity) ** 2, 0.0)
        others = np.maximum(np.nan_to_num((n - 2.0) * variance) - square, 1e-12 * square + 1e-300)
        return np.sqrt(square * (n - 3.0).clip(1.0) / others)

    @property
    def _profiles(self) -> Profiles:
        return Profiles(
            joint=self._joint,
            grid=self.heights.to_value(u.kpc),
            rotation=float(vertical.rotation_density(self.oort).value),
            plane=self._bins.z_min == 0.0,
        )

    @property
    def heights(self) -> u.Quantity:
        """The heights of the profiles."""
        return self._bins.centres * u.kpc if self.grid is None else self.grid

    @property
    def _joint(self) -> Joint:
        bins = self._bins
        ends = bins.z_min, bins.z_max, self.knots
        splined = self.solver == "splines"
        return Joint(
            density=vertical_splines.LogDensity(*ends, 3) if splined else models.DENSITIES[self.density],
            along=vertical_splines.Spline(*ends, 2) if splined else models.Powers(self.dispersion),
            across=models.Powers(self.dispersion, "sigma_RR"),
            tilt=self.tilt,
            radius=float(ak.galaxy.distance_to_centre().value),
            k_density=_inverse(self.tracer_scale_length),
            k_tilt=_inverse(self.tilt_scale_length),
            rings=bins.R_edges,
        )

    # ---- what follows from the results -------------------------------------------------------------------

    def derive(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """The share of the tilt term, and the dark matter."""
        z = self.heights.to(u.pc)
        out = {}
        with np.errstate(invalid="ignore", divide="ignore"):
            if "tilt" in values:
                out["tilt_share"] = values["tilt"] / values["Kz"]
            surface, scale = self.baryon_surface_density, self.baryon_scale_height
            layers = [s * -np.expm1(-(z / h).to_value(u.one)) for s, h in zip(surface, scale, strict=True)]
            out["Sigma_dm"] = values["Sigma"] - sum(layers)
            out["rho_dm"] = out["Sigma_dm"] / (2.0 * np.where(z.value > 0.0, z.value, np.nan) * u.pc)
        return out

    def draw(self, fit: ak.Fit, axes: Any = None) -> Any:
        """Density, dispersion, force and surface density with height, with bands of one standard error."""
        from astrokin.estimators import vertical_plot

        return vertical_plot.draw(fit, axes)

    # ---- simulation --------------------------------------------------------------------------------------

    def simulate(self, n: int, rng: np.random.Generator) -> tuple[Any, dict[str, u.Quantity]]:
        """Isothermal tracers in equilibrium, tilted, with Gaia-like errors, and the truth."""
        from astrokin.estimators import vertical_truth

        return vertical_truth.simulated(self, n, rng)

    @classmethod
    def examples(cls) -> Any:
        yield cls()
        yield cls(solver="splines")
        yield cls(density="exponential", dispersion=(0,), z_min=0.2 * u.kpc, tilt="none")


def _inverse(length: u.Quantity | None) -> float | None:
    return None if length is None else float(1.0 / length.to_value(u.kpc))


def _powers(value: Any) -> tuple[int, ...]:
    powers = tuple(value) if isinstance(value, tuple | list) else (value,)
    whole = all(isinstance(k, int | np.integer) and not isinstance(k, bool) and 0 <= k <= 8 for k in powers)
    if not powers or not whole or len(set(powers)) < len(powers) or 0 not in powers:
        raise ak.errors.InputError(
            f"JeansKz.dispersion is {value!r}; powers of |z| from 0 to 8 are needed, 0 among them, such as (0, 2)."
        )
    return tuple(sorted(int(k) for k in powers))


def _heights(value: Any) -> u.Quantity | None:
    """Heights as given in Python, or on the command line: numbers, the last of them with a unit."""
    if value is None:
        return None
    try:
        if isinstance(value, tuple) and value and isinstance(value[-1], str):
            last = u.Quantity(value[-1])
            value = [*map(float, value[:-1]), last.value] * last.unit
        heights = u.Quantity(np.atleast_1d(u.Quantity(value).to_value(u.kpc)), u.kpc)
    except (TypeError, ValueError, u.UnitConversionError) as error:
        raise ak.errors.InputError(f"JeansKz.grid is {value!r}: heights with a unit are needed ({error}).") from None
    if heights.ndim != 1 or not len(heights) or not np.isfinite(heights).all() or (heights < 0 * u.kpc).any():
        raise ak.errors.InputError(f"JeansKz.grid is {value!r}; heights of 0 or more, one after the other, are needed.")
    return heights


# ---- the result ------------------------------------------------------------------------------------------


def _assembled(profiles: Profiles, groups: list[Any], summary: Sums) -> ak.Fit:
    """A fit of all groups, which have the first axis; the covariance is that of all places of all profiles."""
    values, m = np.stack([g.values for g in groups]), len(profiles.grid)
    results, place = {}, 0
    for name in profiles.names:
        results[name] = values[:, place : place + m] << UNITS[name]
        place += m
    for name, unit in profiles.scalar_units.items():
        results[name] = values[:, place] << unit
        place += 1
    reasons: dict[str, str] = {}
    for group in groups:
        reasons = group.reasons | reasons
    return ak.Fit(
        results,
        np.stack([g.covariance for g in groups]),
        converged=all(g.converged for g in groups),
        undetermined=reasons,
        notes=(*_notes(groups), *_about(summary)),
        grid=profiles.grid * u.kpc,
        data=_bins_told(groups),
    )


def _bins_told(groups: list[Any]) -> dict[str, u.Quantity]:
    """The bins of all groups, errors removed, for figures and for whoever fits them in another way."""
    found = [g.data.told() for g in groups]
    return {name: np.stack([f[name].value for f in found]) << unit.unit for name, unit in found[0].items()}


def _notes(groups: list[Any]) -> list[str]:
    several = len(groups) > 1
    out = [f"group {k}: {note}" if several else note for k, group in enumerate(groups) for note in group.notes]
    return out if len(out) <= 12 else [*out[:12], f"and {len(out) - 12} more notes on other groups"]


def _about(summary: Sums) -> list[str]:
    """What is to be known of the whole sample."""
    out = []
    count = summary["count"]
    sides = count.sum(axis=(0, 1, 3))
    if sides.sum() and not sides.all():
        out.append(
            f"all stars are {'north' if sides[1] else 'south'} of the plane: nothing tells whether both sides agree"
        )
    unknown = summary.without_errors.sum()
    if unknown:
        out.append(f"{unknown:,.0f} stars have no known errors: none were taken off theirs")
    return out
