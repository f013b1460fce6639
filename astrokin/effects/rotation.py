"""Rotation of the reference frame: what a frame that is turned, or spins, makes of stationary sources."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Self

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin.angles import dot, plus
from astrokin.effects.epochs import elapsed
from astrokin.units import MAS, MAS_IN_RAD, MAS_YR

Array = NDArray[np.float64]
_NONE = np.zeros(3)


@dataclass(frozen=True)
class FrameRotation(ak.Effect):
    r"""A catalogue's frame that is turned by a small angle and spins.

    The frame is turned by the rotation vector :math:`\boldsymbol\theta = \boldsymbol\epsilon + \boldsymbol\omega t`,
    so what is listed in it is turned by :math:`-\boldsymbol\theta`:

    .. math::

        \mathbf r' = \mathsf R(-\boldsymbol\theta)\,\mathbf r, \qquad
        \boldsymbol\mu' = \mathsf R(-\boldsymbol\theta)\,\boldsymbol\mu - \boldsymbol\omega\times\mathbf r' ,

    with R the rotation about the vector by its length (Rodrigues' formula, at any angle). Stationary sources
    appear to move with :math:`-\boldsymbol\omega\times\mathbf r` (source 004, "Reference Frame Defects"); the
    literature on Gaia's bright stars writes the opposite sign. In Oort's constants a spin shows as
    :math:`B_\mathrm{spurious} = -\omega_z`, with z the north Galactic pole.

    Parameters
    ----------
    spin : `~astropy.units.Quantity`, shape (3,)
        Angular velocity (x, y, z) of the frame, ICRS axes.
    orientation : `~astropy.units.Quantity`, shape (3,)
        Rotation vector of the frame, ICRS axes, at `reference_epoch`.
    reference_epoch : `~astropy.time.Time` or float (Julian year TCB), optional
        When the frame had that orientation. Without it, the orientation is meant at the epoch of the stars, and
        the spin only changes proper motions.

    Raises
    ------
    InputError
        Wrong units or shapes; a reference epoch for stars that do not know their epoch.

    Notes
    -----
    Domain: any direction; parallax and radial velocity are not touched.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> quasar = ak.Stars(ra=[0.0] * u.deg, dec=[0.0] * u.deg, pmra=[0.0] * u.mas / u.yr, pmdec=[0.0] * u.mas / u.yr)
    >>> spinning = ak.effects.FrameRotation(spin=(0, 0, 1) * u.mas / u.yr)
    >>> spinning.apply(quasar).pmra
    <Quantity [-1.] mas / yr>
    """

    name = "frame-rotation"
    stage = ak.Stage.FRAME
    references = ("2018A&A...616A..14G", "source-004")

    spin: u.Quantity = ak.parameter(_NONE * MAS_YR, shape=(3,), doc="angular velocity of the frame")
    orientation: u.Quantity = ak.parameter(_NONE * MAS, shape=(3,), doc="rotation vector of the frame")
    reference_epoch: Any = ak.epoch_parameter(None, doc="when the frame had that orientation")

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The epoch of the stars, where the orientation depends on it."""
        return frozenset() if self.reference_epoch is None else frozenset({"epoch"})

    @cached_property
    def _given(self) -> tuple[Array, Array]:
        """Orientation (rad) and spin (mas/yr), both (3, 1) or (3, n)."""
        return self.orientation.to_value(MAS).reshape(3, -1) * MAS_IN_RAD, self.spin.to_value(MAS_YR).reshape(3, -1)

    def _vectors(self, stars: Any) -> tuple[Array, Array]:
        """Rotation vector (rad) and spin (mas/yr), both (3, 1) or (3, n)."""
        angle, spin = self._given
        if self.reference_epoch is not None:
            angle = angle + spin * (MAS_IN_RAD * elapsed(stars, self.reference_epoch, self.name))
        return angle, spin

    def forward(self, stars: Any) -> Any:
        angle, spin = self._vectors(stars)
        raw = stars.raw
        if not angle.any():
            motion = plus(_cross(-spin, raw.direction), raw.proper_motion)
            return stars.replace(exact=True, proper_motion=motion)
        turned = _turning(-angle)
        direction = turned(raw.direction)  # of unit length still, to round-off
        motion = plus(_cross(-spin, direction), turned(raw.proper_motion))
        return stars.replace(exact=True, direction=direction, proper_motion=motion)

    def backward(self, stars: Any) -> Any:
        angle, spin = self._vectors(stars)
        r = stars.raw.direction
        motion = plus(_cross(spin, r), stars.raw.proper_motion)
        if not angle.any():
            return stars.replace(exact=True, proper_motion=motion)
        turned = _turning(angle)
        return stars.replace(exact=True, direction=turned(r), proper_motion=turned(motion))

    @classmethod
    def examples(cls) -> Iterator[Self]:
        yield cls(spin=(-0.068, -0.051, -0.014) * MAS_YR)
        yield cls(spin=(0.03, -0.1, 0.2) * MAS_YR, orientation=(100.0, -30.0, 250.0) * MAS, reference_epoch=1991.25)


def _cross(a: Array, b: Array) -> Array:
    """The vector product of a (3, 1) or (3, n) with b (3, n)."""
    if a.shape[-1] == 1:
        return _cross_matrix(a) @ b
    return np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]])


def _cross_matrix(a: Array) -> Array:
    """The matrix (3, 3) of the vector product with a (3, 1)."""
    x, y, z = a[:, 0]
    return np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])


def _turning(angle: Array) -> Callable[[Array], Array]:
    """The rotation of vectors (3, n) about `angle` (rad, (3, 1) or (3, n)) by its length: Rodrigues' formula."""
    if angle.shape[-1] == 1:
        matrix = _matrix(*angle[:, 0].tolist())
        return lambda vector: matrix @ vector
    sine, versine = _sine_versine(angle)

    def turned(vector: Array) -> Array:
        once = _cross(angle, vector)
        return vector + sine * once + versine * _cross(angle, once)

    return turned


def _sine_versine(angle: Array) -> tuple[Array, Array]:
    """sin(x)/x and (1 - cos(x))/x^2 = sinc(x/2)^2 / 2, exact at zero too (numpy's sinc is of pi x)."""
    size = np.sqrt(dot(angle, angle))
    return np.sinc(size / np.pi), 0.5 * np.sinc(0.5 * size / np.pi) ** 2


@lru_cache(maxsize=16)
def _matrix(x: float, y: float, z: float) -> Array:
    """The matrix (3, 3) of the rotation: that of every block of stars."""
    angle = np.array([[x], [y], [z]])
    (sine, versine), once = _sine_versine(angle), _cross_matrix(angle)
    return np.eye(3) + (sine * once + versine * (once @ once))
