"""Secular aberration: the drift of all sources toward the Sun's acceleration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import astropy.units as u
import numpy as np
from astropy.constants import c as _c
from numpy.typing import NDArray

import astrokin as ak
from astrokin import galaxy
from astrokin.angles import dot, seen_across
from astrokin.displacement import along, small
from astrokin.effects.epochs import elapsed
from astrokin.units import KM_S, MAS_IN_RAD

Array = NDArray[np.float64]

ACCELERATION = KM_S / u.Myr
#: Displacements (rad, those of some 300 years) whose square is lost in round-off.
_FIRST_ORDER = 8e-9


def galactic_acceleration() -> u.Quantity:
    """The Sun's acceleration v_c^2/R0 toward the Galactic centre, Galactic axes, shape (3,).

    Examples
    --------
    >>> from astrokin.effects.secular import galactic_acceleration
    >>> galactic_acceleration().round(2)
    <Quantity [6.86, 0.  , 0.  ] km / (Myr s)>
    """
    size = (galaxy.circular_speed() ** 2 / galaxy.distance_to_centre()).to(ACCELERATION)
    return u.Quantity([size, 0 * ACCELERATION, 0 * ACCELERATION])


@dataclass(frozen=True)
class SecularAberration(ak.Effect):
    r"""The drift of every source toward the Sun's acceleration in the Galaxy.

    The aberration of the solar-system barycentre's own velocity is part of all catalogues; what changes it is the
    acceleration :math:`\mathbf a`. With :math:`\boldsymbol\beta = \mathbf a\,t/c` since the reference epoch,

    .. math::

        \mathbf r' = \frac{\mathbf r + \boldsymbol\beta}{|\mathbf r + \boldsymbol\beta|}, \qquad
        \boldsymbol\mu' = \frac{\boldsymbol\mu + \mathbf a/c}{|\mathbf r + \boldsymbol\beta|}\Big|_{\perp\mathbf r'},

    which is the glide :math:`\mu = (a/c)\sin\theta` *toward* the acceleration, a dipole (source 004,
    "Aberration", with its erratum). The default, :math:`v_c^2/R_0` toward the Galactic centre with astropy's
    defaults, is 4.72 microarcsec/yr; Gaia measured 5.05 +- 0.35 (Gaia Collaboration, Klioner et al. 2021).

    Parameters
    ----------
    acceleration : `~astropy.units.Quantity`, shape (3,), optional
        Galactic axes (toward the centre, along rotation, toward the north pole). Default: v_c^2/R0 toward the
        centre.
    reference_epoch : `~astropy.time.Time` or float (Julian year TCB), optional
        Since when displacements accumulate. Without it only proper motions change.

    Raises
    ------
    InputError
        A wrong unit or shape; a reference epoch for stars that do not know their epoch.

    Notes
    -----
    Domain: any source, stars and quasars alike: no parallax is needed.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> north = ak.Stars(ra=[192.85948] * u.deg, dec=[27.12825] * u.deg, pmra=[0.0] * u.mas / u.yr,
    ...                  pmdec=[0.0] * u.mas / u.yr)
    >>> drift = ak.effects.SecularAberration().apply(north)
    >>> ((drift.pmra**2 + drift.pmdec**2) ** 0.5).to(u.uas / u.yr).round(2)
    <Quantity [4.72] uas / yr>
    """

    name = "secular-aberration"
    stage = ak.Stage.FRAME
    references = ("2021A&A...649A...9G", "source-004")

    acceleration: u.Quantity = ak.parameter(
        galactic_acceleration, unit=ACCELERATION, shape=(3,), doc="of the Sun, Galactic axes"
    )
    reference_epoch: Any = ak.epoch_parameter(None, doc="since when displacements accumulate")

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The epoch of the stars, where displacements accumulate."""
        return frozenset() if self.reference_epoch is None else frozenset({"epoch"})

    @cached_property
    def _drift(self) -> Array:
        """Acceleration in units of c per year, ICRS axes."""
        rate = (self.acceleration / _c).to_value(1 / u.yr).reshape(3, -1)
        return galaxy.to_icrs(rate)

    def _vectors(self, stars: Any) -> tuple[Array, Array]:
        """Velocity gained since the reference epoch in units of c, and the drift (mas/yr), ICRS axes."""
        since = 0.0 if self.reference_epoch is None else elapsed(stars, self.reference_epoch, self.name)
        return self._drift * since, self._drift / MAS_IN_RAD

    def forward(self, stars: Any) -> Any:
        gained, drift = self._vectors(stars)
        if not gained.any():
            return stars.replace(proper_motion=stars.raw.proper_motion + drift)  # `replace` takes the tangent part
        if small(gained, _FIRST_ORDER):
            return self._slightly(stars, gained, drift)
        moved = stars.raw.direction + gained
        direction, motion = seen_across(stars.raw.proper_motion + drift, moved)
        return stars.replace(exact=True, direction=direction, proper_motion=motion)

    def _slightly(self, stars: Any, gained: Array, drift: Array) -> Any:
        """The same where the square of the displacement is lost in round-off."""
        r, motion = stars.raw.direction, stars.raw.proper_motion
        scale = (1.0 - 0.5 * dot(gained, gained)) - along(r, gained)
        direction = r + gained
        direction *= scale
        outward = along(motion, gained) + (along(r, drift) + dot(drift, gained))
        outward *= scale
        motion = motion + drift
        motion -= direction * outward
        motion *= scale
        return stars.replace(exact=True, direction=direction, proper_motion=motion)

    def backward(self, stars: Any) -> Any:
        gained, drift = self._vectors(stars)
        if not gained.any():
            return stars.replace(proper_motion=stars.raw.proper_motion - drift)
        seen = stars.raw.direction
        along = dot(seen, gained)
        # |r| = |k r' - beta| = 1
        length = along + np.sqrt(along * along + 1.0 - dot(gained, gained))
        r = length * seen - gained
        motion = stars.raw.proper_motion * length - drift
        # What r' took off: as much along r' as makes the motion tangent at r.
        motion = motion - seen * (dot(motion, r) / dot(seen, r))
        return stars.replace(direction=r, proper_motion=motion)

    @classmethod
    def examples(cls) -> Iterator[Self]:
        yield cls()
        yield cls(acceleration=(6.0, -0.4, -0.3) * ACCELERATION, reference_epoch=1916.0)
