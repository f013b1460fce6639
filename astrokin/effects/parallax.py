"""Annual parallax: the direction as seen from where the observer is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import astropy.units as u
import numpy as np
from astropy.constants import c as _c
from numpy.typing import NDArray

import astrokin as ak
from astrokin.angles import dot, plus, seen_across, tangent, transported
from astrokin.displacement import along, combined, nudged
from astrokin.units import MAS_IN_RAD, A

Array = NDArray[np.float64]

#: The speed of light in au per Julian year.
_C = float(_c.to_value(u.au / u.yr))


@dataclass(frozen=True)
class AnnualParallax(ak.Effect):
    r"""The direction of a star from where the observer is, instead of from the barycentre of the solar system.

    In vector form, at any parallax (source 004, "Trigonometric Parallax"),

    .. math::

        \mathbf r' \propto \mathbf r - \varpi\,\mathbf b,

    with the observer's barycentric position b in au. Two observers a baseline :math:`B_x` apart see the star at
    directions that differ by :math:`\varphi`, and :math:`d = B_x/\sin\varphi`: 1 pc for 1 arcsec over 1 au. With
    `rate`, the proper motion becomes the rate at which the direction from the moving observer changes,

    .. math::

        \boldsymbol\mu' = [\boldsymbol\mu + (v_r\varpi/A)\,\mathbf r - \varpi\,\dot{\mathbf b}]_\perp
            \,/\,|\mathbf r - \varpi\,\mathbf b| .

    Parallax and radial velocity stay those seen from the barycentre.

    Parameters
    ----------
    observer : Observer
        Where and when; times may come from a column.
    rate : bool
        False: the proper motion stays that seen from the barycentre (carried along in parallel). True: it becomes
        the instantaneous rate of the direction; needs proper motions and radial velocities.
    light_time : bool
        False: directions and motions are those at the observer's time. True: at that time corrected for the light's
        way from the observer to the barycentre, :math:`t + \mathbf r\cdot\mathbf b/c` (Rømer's delay, 8.3 min at
        most, 0.16 mas for Barnard's star), which is what catalogue epochs mean, and what ERFA's ``pmpx`` does;
        needs proper motions.

    Raises
    ------
    InputError
        Something that is no observer.

    Notes
    -----
    Domain: any parallax below 1e8 mas or so; zero and negative ones are data. The way back is exact, in closed form.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> star = ak.Stars(ra=[266.4] * u.deg, dec=[-28.9] * u.deg, parallax=[1000] * u.mas)
    >>> spring = ak.effects.AnnualParallax(ak.Observer(2016.22))
    >>> spring.change(star)["delta_ra_cosdec"].to(u.arcsec).round(3)
    <Quantity [0.989] arcsec>
    """

    name = "annual-parallax"
    stage = ak.Stage.PARALLAX
    references = ("1997ESASP1200.....E", "2013A&A...558A..33A", "source-004")

    observer: Any = ak.observer_parameter()
    rate: bool = ak.option(False, allowed=(False, True), doc="proper motion becomes the rate of the direction seen")
    light_time: bool = ak.option(False, allowed=(False, True), doc="with the light's way to the barycentre")

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The parallax; motions too, where they enter."""
        more = {"proper_motion"} if self.light_time else set()
        return frozenset({"parallax"} | more | ({"proper_motion", "radial_velocity"} if self.rate else set()))

    def forward(self, stars: Any) -> Any:
        there = self.observer.seen()
        if not (there.position.any() or there.velocity.any()):
            return stars
        raw = stars.raw
        if not (self.rate or self.light_time):
            return nudged(stars, there.position * -MAS_IN_RAD, raw.parallax)
        place = self._place(raw.direction, raw.parallax, raw.proper_motion, there)
        if not self.rate:
            return stars.replace(direction=place)
        motion = raw.proper_motion * self._clock(raw.direction, there) if self.light_time else raw.proper_motion
        motion = plus(_drift(raw, raw.direction, there), motion)
        direction, motion = seen_across(motion, place)
        # Once more, for the round-off of what lay along the direction: the radial velocity's part is large.
        return stars.replace(exact=True, direction=direction, proper_motion=tangent(motion, direction))

    def backward(self, stars: Any) -> Any:
        there = self.observer.seen()
        if not (there.position.any() or there.velocity.any()):
            return stars
        raw = stars.raw
        shift = there.position * (raw.parallax * MAS_IN_RAD)
        direction, length = _undone(raw.direction, shift)
        if not (self.rate or self.light_time):
            return stars.replace(direction=direction)
        motion = self._motion_before(raw, direction, length, there)
        if self.light_time:  # the motion within the delay, for which the first direction is good to 1e-9
            for _ in range(2):
                direction, length = _undone(raw.direction, shift - self._delayed(direction, motion, there))
                motion = self._motion_before(raw, direction, length, there)
        return stars.replace(direction=direction, proper_motion=motion)

    def _place(self, r: Array, parallax: Array, motion: Array, there: Any) -> Array:
        place = there.position * (parallax * -MAS_IN_RAD)
        place = plus(place, r)
        return plus(place, self._delayed(r, motion, there)) if self.light_time else place

    @staticmethod
    def _delayed(r: Array, motion: Array, there: Any) -> Array:
        return motion * (dot(r, there.position) * (MAS_IN_RAD / _C))

    @staticmethod
    def _clock(r: Array, there: Any) -> Array:
        """Time at the barycentre against that of the observer."""
        return 1.0 + along(r, there.velocity)

    def _motion_before(self, raw: Any, r: Array, length: Array, there: Any) -> Array:
        if not self.rate:
            return transported(raw.proper_motion, raw.direction, r)
        motion = length * raw.proper_motion - _drift(raw, r, there)
        motion = motion - raw.direction * (dot(motion, r) / dot(raw.direction, r))
        return motion / self._clock(r, there) if self.light_time else motion

    @classmethod
    def examples(cls) -> Iterator[Self]:
        yield cls(ak.Observer(2016.0))
        yield cls(ak.Observer(2016.3), rate=True, light_time=True)
        yield cls(ak.Observer(2020.7, "gaia"), light_time=True)
        yield cls(ak.Observer(2020.7, "gaia"), rate=True)


def _drift(raw: Any, r: Array, there: Any) -> Array:
    """What the star's and the observer's velocities along and across add to the motion, mas/yr; not tangent."""
    parallax = raw.parallax
    return combined(raw.radial_velocity * parallax * (1.0 / A), r, parallax * -_C, there.velocity)


def _undone(seen: Array, shift: Array) -> tuple[Array, Array]:
    """The unit vector k r' + shift, and k."""
    along = dot(seen, shift)
    length = np.sqrt(along * along + 1.0 - dot(shift, shift)) - along
    return length * seen + shift, length
