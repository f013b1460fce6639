"""Perspective acceleration: uniform straight-line motion of all six parameters from one epoch to another."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import space_motion
from astrokin.errors import InputError, some_rows
from astrokin.times import julian_years

Array = NDArray[np.float64]

#: Two statements of one epoch may differ by this much (yr): TT and TCB are 19 s apart.
_SAME_EPOCH = 2e-6


@dataclass(frozen=True)
class PerspectiveAcceleration(ak.Effect):
    r"""Uniform straight-line motion of a star, seen in all six astrometric parameters.

    `apply` carries positions, parallaxes, proper motions and radial velocities from the epoch of the stars to
    `epoch`; `remove` brings them back to `reference_epoch`. In the standard astrometric model, with
    :math:`\zeta = v_r\varpi/A` and :math:`f = [1 + 2\zeta t + (\mu^2+\zeta^2)t^2]^{-1/2}`,

    .. math::

        \mathbf r' = [\mathbf r(1+\zeta t) + \boldsymbol\mu t]f, \quad \varpi' = \varpi f, \quad
        \boldsymbol\mu' = [\boldsymbol\mu(1+\zeta t) - \mathbf r\mu^2t]f^3, \quad
        v_r' = [v_r(1+\zeta t) + A\mu^2t/\varpi]f .

    To first order this is the perspective acceleration :math:`\dot v_r = v_t^2/d`,
    :math:`\dot\mu = -2v_r\mu/d` of source 000, "Secular Changes in Kinematics", and 004, "The Dynamics of
    Perspective"; see `rates`.

    Parameters
    ----------
    epoch : `~astropy.time.Time`, float (Julian year TCB) or `ak.column`
        Where to.
    reference_epoch : `~astropy.time.Time`, float (Julian year TCB) or `ak.column`, optional
        Where `remove` goes back to, and where stars start that do not know their epoch.
    light_time : bool
        False: the standard model of Gaia and Hipparcos, in which time is that of the light's arrival. True:
        with the light's travel time and special relativity, as SOFA's ``starpm`` has it (1.2 mas in a century
        for Barnard's star); needs a positive parallax.

    Raises
    ------
    InputError
        No epoch to start from, or stars at another epoch than `remove` (or `reference_epoch`) supposes.

    Notes
    -----
    Domain: any. A row without a parallax moves as if it were zero, that is without perspective, and is counted.
    Without a proper motion no new position is known: NaN, counted. Where the parallax is not positive, or below
    five times its error, the change of the radial velocity cannot be known: those rows keep their radial velocity,
    and are counted; for them the way back is not exact (5e-7 arcsec at worst in the quasars of ``astrokin demo``).
    With `light_time`, rows without a positive parallax, or faster than half the speed of light, are refused.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> from astropy.time import Time
    >>> barnard = ak.Stars(ra=[269.45208] * u.deg, dec=[4.69339] * u.deg, parallax=[546.98] * u.mas,
    ...                    pmra=[-801.55] * u.mas / u.yr, pmdec=[10362.39] * u.mas / u.yr,
    ...                    radial_velocity=[-110.5] * u.km / u.s, epoch=Time("J2016.0"))
    >>> in_2050 = ak.effects.PerspectiveAcceleration(epoch=Time("J2050.0")).apply(barnard)
    >>> (in_2050.radial_velocity - barnard.radial_velocity).to(u.m / u.s).round(1)
    <Quantity [154.8] m / s>
    """

    name = "perspective-acceleration"
    stage = ak.Stage.MOTION
    needs = frozenset({"parallax", "proper_motion", "radial_velocity", "epoch"})
    references = ("2014A&A...570A..62B", "1997ESASP1200.....E", "source-000", "source-004")

    epoch: Any = ak.epoch_parameter(doc="the epoch to carry the stars to")
    reference_epoch: Any = ak.epoch_parameter(None, doc="the epoch that remove() goes back to")
    light_time: bool = ak.option(False, allowed=(False, True), doc="with light-travel time, as SOFA has it")

    @cached_property
    def _epoch(self) -> float | Array:
        return _years(self.epoch)

    @cached_property
    def _reference(self) -> float | Array | None:
        return None if self.reference_epoch is None else _years(self.reference_epoch)

    def forward(self, stars: Any) -> Any:
        return self._moved(stars, _start(stars, self._reference), self._epoch)

    def backward(self, stars: Any) -> Any:
        if self._reference is None:
            raise InputError(
                "perspective-acceleration: remove() needs to know where to go back to: "
                "give PerspectiveAcceleration(epoch=…, reference_epoch=…)."
            )
        return self._moved(stars, _start(stars, self._epoch), self._reference)

    def _moved(self, stars: Any, start: float | Array, end: float | Array) -> Any:
        kernel = space_motion.with_light_time if self.light_time else space_motion.standard_model
        return kernel(stars, end - start).replace(epoch=end)

    def jacobian(self, stars: Any) -> Array:
        if self.light_time:
            return super().jacobian(stars)
        return space_motion.jacobian(stars, self._epoch - _start(stars, self._reference))

    @staticmethod
    def rates(data: Any) -> Any:
        r"""Instantaneous rates of change of what a catalogue lists, from perspective alone.

        .. math::

            \dot v_r = A\mu^2/\varpi, \quad \dot\mu = -2\mu v_r\varpi/A, \quad \dot\varpi = -v_r\varpi^2/A,

        and those of the components :math:`\mu_{\alpha*}, \mu_\delta`, which also turn with the local axes:
        :math:`\dot\mu_{\alpha*} = -2\zeta\mu_{\alpha*} + \mu_{\alpha*}\mu_\delta\tan\delta`,
        :math:`\dot\mu_\delta = -2\zeta\mu_\delta - \mu_{\alpha*}^2\tan\delta`.

        Parameters
        ----------
        data : Stars, SkyCoord or table

        Returns
        -------
        `~astropy.table.QTable`
            Columns ``radial_velocity_rate`` (km/s/yr; NaN without a positive parallax), ``pm_rate``,
            ``pmra_rate``, ``pmdec_rate`` (mas/yr2), ``parallax_rate`` (mas/yr); a row per source.

        Examples
        --------
        >>> import astropy.units as u
        >>> from astropy.coordinates import SkyCoord
        >>> import astrokin as ak
        >>> barnard = SkyCoord(269.45208 * u.deg, 4.69339 * u.deg, distance=1.8282 * u.pc,
        ...                    pm_ra_cosdec=-801.55 * u.mas / u.yr, pm_dec=10362.39 * u.mas / u.yr,
        ...                    radial_velocity=-110.5 * u.km / u.s)
        >>> rates = ak.effects.PerspectiveAcceleration.rates(barnard)
        >>> rates["radial_velocity_rate"].to(u.m / u.s / u.yr).round(2)
        <Quantity [4.54] m / (s yr)>
        """
        from astropy.table import QTable

        return QTable(space_motion.rates(ak.Stars.of(data)))

    @classmethod
    def examples(cls) -> Iterator[Self]:
        yield cls(epoch=2050.0, reference_epoch=2016.0)
        yield cls(epoch=1991.25, reference_epoch=2016.0)
        yield cls(epoch=2116.0, reference_epoch=2016.0, light_time=True)


def _years(epoch: Any) -> Any:
    years = np.asarray(julian_years(epoch), dtype=float)
    return float(years) if years.ndim == 0 else years.sum(axis=1) if years.ndim == 2 else years  # in two doubles


def _start(stars: Any, supposed: Any) -> Any:
    """The epoch the stars stand at: their own, which must agree with the one supposed where both are known."""
    own = stars.epoch
    if own is None and supposed is None:
        raise InputError(
            "perspective-acceleration: the epoch of the stars is not known: give Stars(…, epoch=…), a table with "
            "a ref_epoch column, or PerspectiveAcceleration(…, reference_epoch=…)."
        )
    if own is None or supposed is None:
        return supposed if own is None else own
    apart = np.flatnonzero(np.atleast_1d(np.abs(own - supposed)) > _SAME_EPOCH)
    if apart.size:
        at, of = (np.broadcast_to(v, len(stars))[apart[0]] for v in (own, supposed))
        raise InputError(
            f"perspective-acceleration: the stars are at epoch {at:.6f}, not at {of:.6f} as the effect supposes "
            f"({some_rows(apart) if np.ndim(own) else 'all rows'})."
        )
    return own
