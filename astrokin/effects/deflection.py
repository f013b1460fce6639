"""Light deflection by the Sun."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Self

import astropy.units as u
import numpy as np
from astropy.constants import GM_sun, R_sun
from astropy.constants import c as _c
from numpy.typing import NDArray

import astrokin as ak
from astrokin.angles import dot, normalised
from astrokin.displacement import along, arrived, combined
from astrokin.errors import InputError

Array = NDArray[np.float64]

#: Schwarzschild radius and radius of the Sun, au.
_SCHWARZSCHILD = float((2.0 * GM_sun / _c**2).to_value(u.au))
_SUN = float(R_sun.to_value(u.au))
#: Within this (1 - cos: some 5 arcmin, far inside the Sun's disc) the deflection goes to zero, as in ERFA.
_LIMIT = 1e-6
#: Nearer than this (1 - cos: some 15 arcmin) the sum 1 + r . e has lost too many figures.
_FIGURES = 1e-5
#: Rounds of the way back: each leaves 2 per cent at worst from 1 au, and less than half from 0.045 au.
_ROUNDS = 40
#: What of a direction is round-off, and beyond what the way back has not ended (1e-9 arcsec are 5e-15).
_ROUND_OFF, _ENDED = 5e-16, 1e-15
_NO_WAY_BACK = "no unique way back so near to the centre of the Sun"


@dataclass(frozen=True)
class LightDeflection(ak.Effect):
    r"""The bending of light by the Sun, to an observer at a finite distance.

    With the unit vector e from the Sun to the observer and their distance E, a distant source is seen at

    .. math::

        \mathbf r' \propto \mathbf r + \frac{2GM_\odot}{c^2E}\,
            \frac{\mathbf e - (\mathbf r\cdot\mathbf e)\,\mathbf r}{1 + \mathbf r\cdot\mathbf e} ,

    away from the Sun: by 1.75 arcsec at its limb, 4.07 mas at a right angle, nothing opposite to it. The same as
    ERFA's ``ldsun``, its limit near the centre of the disc included.

    Parameters
    ----------
    observer : Observer
        Where and when; times may come from a column.

    Raises
    ------
    InputError
        Something that is no observer, or one inside the Sun.

    Notes
    -----
    Domain: any direction. Rows behind the Sun's disc are computed like the others, flagged and counted. The proper
    motion is carried along in parallel; its change by the gradient of the deflection (two parts in a thousand at the
    limb, 2e-8 elsewhere) is left out, and so are the planets. Seen from the barycentre, which stands for catalogue
    directions free of deflection, nothing is deflected. The way back is exact (1e-9 arcsec) for whoever stays 0.045 au
    or more from the Sun; nearer to it, the first-order formula puts several stars deep inside the disc on one place,
    and `remove` refuses the rows whose way back does not end.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> pole = ak.Stars(ra=[270.0] * u.deg, dec=[66.56] * u.deg)
    >>> ak.effects.LightDeflection(ak.Observer(2016.0)).change(pole)["delta_dec"].round(2)
    <Quantity [4.07] mas>
    """

    name = "light-deflection"
    stage = ak.Stage.DEFLECTION
    references = ("2003AJ....125.1580K", "2013A&A...558A..33A")

    observer: Any = ak.observer_parameter()

    def forward(self, stars: Any) -> Any:
        there = self._there()
        if there is None:
            return stars
        r = stars.raw.direction
        away = along(r, there.from_sun) + 1.0
        if _all_apart(away, there):
            return _slightly(stars, away, there)
        bent, away = _bent(r, there)
        bent += r
        return _flagged(stars.replace(direction=bent), away, there)

    def backward(self, stars: Any) -> Any:
        there = self._there()
        if there is None:
            return stars
        seen = stars.raw.direction
        r = normalised(seen - _bent(seen, there)[0])
        for _ in range(_ROUNDS):
            bent, away = _bent(r, there)
            left = seen - normalised(r + bent)
            if not np.nanmax(np.abs(left), initial=0.0) > _ROUND_OFF:
                break
            r = normalised(r + left)
        with np.errstate(invalid="ignore"):
            lost = (np.abs(left).max(axis=0) > _ENDED) | _folded(away, there)
        return _flagged(stars.replace(direction=r), away, there).refuse(lost, _NO_WAY_BACK)

    def _there(self) -> Any:
        if isinstance(self.observer.location, str) and self.observer.location == "barycenter":
            return None
        there = self.observer.seen()
        if (there.sun_distance <= _SUN).any():
            raise InputError("light-deflection: the observer is inside the Sun.")
        return there

    @classmethod
    def examples(cls) -> Iterator[Self]:
        yield cls(ak.Observer(2016.0))
        yield cls(ak.Observer(2020.7, "gaia"))


def _bent(r: Array, there: Any) -> tuple[Array, Array]:
    """The displacement, finite everywhere; and 1 - cos of the angle from the Sun."""
    e, distance = there.from_sun, there.sun_distance
    apart = r + e
    away = dot(apart, apart)  # twice 1 + r . e, without its loss of figures near the Sun
    away *= 0.5
    limit = _limit(distance)
    near = np.real(away) < limit
    strength = (_SCHWARZSCHILD / distance) / (np.where(near, limit, away) if near.any() else away)
    bent = np.multiply(e, strength, out=apart)
    strength *= 1.0 - away
    bent += r * strength
    return bent, away


def _all_apart(away: Array, there: Any) -> bool:
    """Whether all stars stand beside the Sun's disc, and where 1 + r . e is good to 1e-11: False where one is NaN."""
    return not np.iscomplexobj(away) and bool((away > np.maximum(_disc(there), _FIGURES)).all())


def _slightly(stars: Any, away: Array, there: Any) -> Any:
    """The stars beside the disc: the third power of the displacement, at most 1.75 arcsec, is lost in round-off.

    With K = 2GM/(c^2 E), y = K/(1 + r . e), of which the square of the displacement is 2 K y - K^2, the direction is
    [(1 - K + y) r + y e] f, where f = 1 + K^2/2 - K y.
    """
    k = _SCHWARZSCHILD / there.sun_distance
    y = k / away
    scale = (1.0 + 0.5 * k * k) - k * y
    pull = y * scale
    end = combined((1.0 - k) * scale + pull, stars.raw.direction, pull, there.from_sun)
    return arrived(stars, end, along(stars.raw.proper_motion, 0.5 * there.from_sun) * pull)


def _disc(there: Any) -> Array:
    """1 - cos of the angle under which the Sun's radius is seen."""
    sine = _SUN / there.sun_distance
    return 1.0 - np.sqrt(1.0 - sine * sine)


def _limit(distance: Array) -> Array:
    return _LIMIT / np.maximum(distance * distance, 1.0)


def _folded(away: Array, there: Any) -> Any:
    """Where, for an observer within 0.02 au or so, the formula puts stars from either side of a circle on one place."""
    strength, limit = _SCHWARZSCHILD / there.sun_distance, _limit(there.sun_distance)
    return (strength > 0.9 * limit) & (np.real(away) * limit < 2.0 * strength**2)


def _flagged(stars: Any, away: Array, there: Any) -> Any:
    with np.errstate(invalid="ignore"):
        behind = np.real(away) < _disc(there)
    return stars.flag(behind, "behind the Sun's disc")
