"""Annual aberration: the direction in the frame of the moving observer, by special relativity."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import astropy.units as u
import numpy as np
from astropy.constants import GM_sun
from astropy.constants import c as _c
from numpy.typing import NDArray

import astrokin as ak
from astrokin.angles import dot, normalised, plus, seen_across, tangent
from astrokin.displacement import along, arrived, combined
from astrokin.errors import InputError
from astrokin.units import MAS_IN_RAD

Array = NDArray[np.float64]

#: Schwarzschild radius of the Sun, au.
_RADIUS = float((2.0 * GM_sun / _c**2).to_value(u.au))
#: The potential times the squared velocity (2e-16 at the Earth) below which their product is lost in round-off.
_GENTLE = 5e-16


@dataclass(frozen=True)
class AnnualAberration(ak.Effect):
    r"""The direction of a star in the frame of the observer, who moves: stellar aberration.

    By special relativity, with the velocity :math:`\boldsymbol\beta = \mathbf v/c` of the observer from the
    barycentre and :math:`\gamma^{-2} = 1 - \beta^2`,

    .. math::

        \mathbf r' \propto \gamma^{-1}\mathbf r + \left(1 + \frac{\mathbf r\cdot\boldsymbol\beta}{1 + \gamma^{-1}}
        \right)\boldsymbol\beta
        + \frac{2GM_\odot}{c^2 R}\,[\boldsymbol\beta - (\mathbf r\cdot\boldsymbol\beta)\,\mathbf r],

    where the last term (0.4 µas) is that of the Sun's potential at the distance R, as in ERFA's ``ab``. Stars are
    displaced toward the apex of the motion by up to the constant of aberration, 20.4955 arcsec. With `rate`, the
    proper motion becomes the rate at which that direction changes, by the star's motion and by the observer's
    acceleration; for a circular orbit its part in ecliptic latitude is at most
    :math:`\mu_\beta = (v_\mathrm E\Omega/c)\sin\beta` (source 004, "Aberration").

    Parameters
    ----------
    observer : Observer
        Where and when; times may come from a column.
    rate : bool
        False: the proper motion is carried along in parallel. True: it becomes the instantaneous rate of the
        direction (128.8 arcsec/yr or so, and up to 736 arcsec/yr for a place on the turning Earth); needs proper
        motions.

    Raises
    ------
    InputError
        Something that is no observer; a velocity beyond that of light; `rate` for an observer with a position and
        velocity of its own, whose acceleration is not known.

    Notes
    -----
    Domain: any direction. Parallax and radial velocity are not touched. Velocities are barycentric ones as ephemerides
    give them (astronomical units per day of TDB over the speed of light), as in ERFA. The change of the Sun's
    distance within `rate` (0.02 nas/yr) is neglected.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> pole = ak.Stars(ra=[270.0] * u.deg, dec=[66.56] * u.deg)
    >>> seen = ak.effects.AnnualAberration(ak.Observer(2016.0)).change(pole)
    >>> ((seen["delta_ra_cosdec"]**2 + seen["delta_dec"]**2)**0.5).to(u.arcsec).round(2)
    <Quantity [20.83] arcsec>
    """

    name = "annual-aberration"
    stage = ak.Stage.ABERRATION
    references = ("2003AJ....125.1580K", "2013A&A...558A..33A", "source-004")

    observer: Any = ak.observer_parameter()
    rate: bool = ak.option(False, allowed=(False, True), doc="proper motion becomes the rate of the direction seen")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.rate and self.observer.position is not None:
            raise InputError(
                "AnnualAberration.rate needs the observer's acceleration, which a position and velocity of your own do "
                "not tell: give the observer a location."
            )

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The proper motion, where it becomes a rate."""
        return frozenset({"proper_motion"} if self.rate else ())

    @cached_property
    def _boost(self) -> _Boost:
        return _Boost(self.observer.seen(acceleration=self.rate))

    def forward(self, stars: Any) -> Any:
        boost = self._boost
        if boost.rests:
            return stars
        raw = stars.raw
        if boost.gentle and not self.rate:
            return boost.gently(stars)
        place, ahead = boost.place(raw.direction)
        if not self.rate:
            return stars.replace(direction=place)
        direction, motion = seen_across(boost.motion(raw.direction, raw.proper_motion, ahead), place)
        # Once more, for the round-off of what lay along the direction: the acceleration's part is large.
        return stars.replace(exact=True, direction=direction, proper_motion=tangent(motion, direction))

    def backward(self, stars: Any) -> Any:
        boost = self._boost
        if boost.rests:
            return stars
        seen = stars.raw.direction
        direction = boost.undone(seen)
        if not self.rate:
            return stars.replace(direction=direction)
        return stars.replace(direction=direction, proper_motion=boost.motion_before(direction, stars.raw))

    @classmethod
    def examples(cls) -> Iterator[Self]:
        yield cls(ak.Observer(2016.0))
        yield cls(ak.Observer(2016.4), rate=True)
        yield cls(ak.Observer(2020.7, "gaia"))


class _Boost:
    """The map of directions by a velocity, its inverse, and their derivatives."""

    def __init__(self, there: Any) -> None:
        self.beta, self.acceleration = there.velocity, there.acceleration
        square = dot(self.beta, self.beta)
        if not (square < 1.0).all():
            raise InputError(f"The observer moves at {np.sqrt(square.max()):.3g} times the speed of light.")
        self.shrink = np.sqrt(1.0 - square)
        self.square = square
        self.potential = _RADIUS / np.where(there.sun_distance > 0.0, there.sun_distance, np.inf)
        #: Whether length and direction are known in closed form, to round-off: for all who do not dive into the Sun.
        self.gentle = bool((self.potential * square).max(initial=0.0) < _GENTLE)
        self.rests = not (square.any() or (self.acceleration is not None and self.acceleration.any()))

    def gently(self, stars: Any) -> Any:
        """The stars where the length of the new direction is 1 + r.beta, with i its inverse.

        r' = [(s + p) i - p] r + [(s/(1 + s) + p) i + 1/(1 + s)] beta, with the potential p and s = 1/gamma; and
        (m.r')/(1 + r.r') = (1 + p) (m.beta)/(1 + s + r.beta).
        """
        s, p = self.shrink, self.potential
        ahead = along(stars.raw.direction, self.beta)
        inverse = 1.0 / (ahead + (1.0 + 0.5 * p * self.square))
        kept, pull = inverse * (s + p) - p, inverse * (s / (1.0 + s) + p) + 1.0 / (1.0 + s)
        share = along(stars.raw.proper_motion, self.beta * (1.0 + p)) / (ahead + (1.0 + s))
        return arrived(stars, combined(kept, stars.raw.direction, pull, self.beta), share)

    def place(self, r: Array) -> tuple[Array, Array]:
        """The new direction, not of unit length, and the component of the velocity along the old one."""
        ahead = along(r, self.beta)
        return combined(self._shrunk(ahead), r, self._stretch(ahead), self.beta), ahead

    def _shrunk(self, ahead: Array) -> Array:
        out = ahead * -self.potential
        out += self.shrink
        return out

    def _stretch(self, ahead: Array) -> Array:
        out = ahead * (1.0 / (1.0 + self.shrink))
        out += 1.0 + self.potential
        return out

    def undone(self, seen: Array) -> Array:
        """The way back: that of special relativity, and by fixed point what the potential adds."""
        start = seen
        for _ in range(1 if self.square.max(initial=0.0) < 1e-6 else 3):
            start = start + (seen - normalised(self.place(self._undone_alone(start))[0]))
        return self._undone_alone(start)

    def _undone_alone(self, seen: Array) -> Array:
        """Special relativity backwards is special relativity with the opposite velocity."""
        ahead = dot(seen, self.beta)
        return normalised(seen * self.shrink - self.beta * (1.0 - ahead * (1.0 / (1.0 + self.shrink))))

    def motion(self, r: Array, motion: Array, ahead: Array) -> Array:
        """How the star's motion and the observer's acceleration change the new direction, mas/yr; not tangent to it.

        What is along r' is not seen, so that the part along r is put into beta: k r + q beta is along r'.
        """
        s, p, open_ = self.shrink, self.potential, 1.0 / (1.0 + self.shrink)
        turned = along(motion, self.beta) + along(r, self.acceleration) * (1.0 / MAS_IN_RAD)
        faster = dot(self.beta, self.acceleration) / s * (-1.0 / MAS_IN_RAD)
        kept, pull = self._shrunk(ahead), self._stretch(ahead)
        toward = turned * open_ - ahead * (faster * open_**2) - (faster - turned * p) * pull / kept
        out = plus(motion * kept, self.beta * toward)
        return plus(out, self.acceleration * (pull * (1.0 / MAS_IN_RAD)))

    def gain(self, r: Array, along: Array) -> Array:
        """The observer's acceleration as it changes the new direction, mas/yr (not tangent to it)."""
        a = self.acceleration
        faster, ahead = -dot(self.beta, a) / self.shrink, dot(r, a)
        open_ = 1.0 / (1.0 + self.shrink)
        out = r * ((faster - self.potential * ahead) * (1.0 / MAS_IN_RAD))
        out += self.beta * (ahead * (open_ / MAS_IN_RAD) - along * (faster * open_**2 / MAS_IN_RAD))
        out += a * (self._stretch(along) * (1.0 / MAS_IN_RAD))
        return out

    def motion_before(self, r: Array, seen: Any) -> Array:
        """The star's motion from the rate of the new direction: the linear equation solved in closed form.

        m s + (m . beta) q = g + x r', with m . r = 0, for the unknown m . beta and x.
        """
        place, along = self.place(r)
        s = self.shrink - self.potential * along
        q = self.beta / (1.0 + self.shrink) - self.potential * r
        g = np.sqrt(dot(place, place)) * seen.proper_motion - self.gain(r, along)
        tilt = dot(seen.direction, self.beta) / dot(seen.direction, r)
        moved = (dot(g, self.beta) - dot(g, r) * tilt) / (s + dot(q, self.beta) - dot(q, r) * tilt)
        x = (moved * dot(q, r) - dot(g, r)) / dot(seen.direction, r)
        return (g + x * seen.direction - moved * q) / s
