"""The Sun's own motion, seen as the reflex motion of every star."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import galaxy
from astrokin.angles import dot, plus
from astrokin.displacement import combined
from astrokin.units import KM_S, MAS_IN_RAD, A

_FRAMES = {"lsr": galaxy.solar_motion, "galactocentric": galaxy.velocity_of_sun}


@dataclass(frozen=True)
class ReflexMotion(ak.Effect):
    r"""Proper motion and radial velocity that the Sun's motion lends to every star.

    `apply` takes motions relative to the local standard of rest (or to the Galactic rest frame) to motions
    relative to the Sun, `remove` corrects what is observed for the Sun's motion:

    .. math::

        \boldsymbol\mu_\mathrm{obs} = \boldsymbol\mu -
            \frac{\varpi}{A}\,[\mathbf v_\odot - (\mathbf v_\odot\cdot\mathbf r)\,\mathbf r],
        \qquad v_{r,\mathrm{obs}} = v_r - \mathbf v_\odot\cdot\mathbf r,

    with A = 4.74047 km/s per mas/yr and mas. For a star at rest this is the field
    :math:`\mu = \sqrt{U^2+V^2+W^2-(U\cos b\cos l+V\cos b\sin l+W\sin b)^2}/d` of source 004, "Reflex Motion".
    Written in parallax, so that zero and negative ones need no exception.

    Parameters
    ----------
    solar_motion : `~astropy.units.Quantity`, shape (3,), optional
        (U, V, W) of the Sun toward the Galactic centre, along rotation, toward the north Galactic pole.
        Default: that of `frame`.
    frame : {"lsr", "galactocentric"}
        What the motions are relative to: the local standard of rest (default (11.1, 12.24, 7.25) km/s,
        astropy's `LSR`), or the Galactic rest frame (the full velocity of the Sun from astropy's galactocentric
        defaults).

    Raises
    ------
    InputError
        A solar motion without unit, of a wrong one, or that is no vector; an unknown frame.

    Notes
    -----
    Domain: any direction and parallax; a row without parallax keeps a corrected radial velocity only.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> at_rest = ak.Stars(ra=[0.0] * u.deg, dec=[0.0] * u.deg, parallax=[10] * u.mas, pmra=[0] * u.mas / u.yr,
    ...                    pmdec=[0] * u.mas / u.yr, radial_velocity=[0] * u.km / u.s)
    >>> seen = ak.effects.ReflexMotion().apply(at_rest)
    >>> seen.radial_velocity.round(3), seen.uvw[:, 0].round(3)
    (<Quantity [0.852] km / s>, <Quantity [-11.1 , -12.24,  -7.25] km / s>)
    """

    name = "reflex-motion"
    stage = ak.Stage.REFLEX
    needs = frozenset({"parallax"})
    references = ("2010MNRAS.403.1829S", "source-004")

    solar_motion: u.Quantity | None = ak.parameter(
        None, unit=KM_S, shape=(3,), doc="velocity (U, V, W) of the Sun; default: that of the frame"
    )
    frame: str = ak.option("lsr", allowed=tuple(_FRAMES), doc="what motions are relative to")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.solar_motion is None:
            object.__setattr__(self, "solar_motion", _FRAMES[self.frame]())

    @cached_property
    def _velocity(self) -> NDArray[np.float64]:
        """In ICRS axes, km/s, (3, 1) or (3, n)."""
        velocity = self.solar_motion.to_value(KM_S)  # type: ignore[union-attr]
        return galaxy.to_icrs(velocity.reshape(3, -1))

    def forward(self, stars: Any) -> Any:
        return _shifted(stars, -self._velocity)

    def backward(self, stars: Any) -> Any:
        return _shifted(stars, self._velocity)

    def jacobian(self, stars: Any) -> NDArray[np.float64]:
        """In closed form: the reflex turns with the direction, and grows with the parallax."""
        raw = stars.raw
        velocity = -self._velocity
        east, north, outward = (dot(velocity, axis) for axis in (*raw.basis, raw.direction))
        out = np.zeros((len(stars), 6, 6))
        out[:, range(6), range(6)] = 1.0
        out[:, 3, 0] = out[:, 4, 1] = -outward * raw.parallax * (MAS_IN_RAD / A)
        out[:, 3, 2], out[:, 4, 2] = east / A, north / A
        out[:, 5, 0], out[:, 5, 1] = east * MAS_IN_RAD, north * MAS_IN_RAD
        return out

    @classmethod
    def examples(cls) -> Iterator[Self]:
        yield cls()
        yield cls(frame="galactocentric")
        yield cls(solar_motion=(10, 5.2, 7.2) * KM_S)


def _shifted(stars: Any, velocity: NDArray[np.float64]) -> Any:
    """Stars whose velocities (ICRS axes, km/s, shape (3, 1) or (3, n)) have `velocity` added."""
    raw = stars.raw
    radial, scale = dot(raw.direction, velocity), raw.parallax * (1.0 / A)
    # What lies along the direction is not seen; where it is large, `replace` takes off its round-off once more.
    motion = combined(radial * -scale, raw.direction, scale, velocity)
    return stars.replace(proper_motion=plus(motion, raw.proper_motion), radial_velocity=raw.radial_velocity + radial)
