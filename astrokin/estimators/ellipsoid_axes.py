"""What the results are called in either axes, and which way these point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from astrokin.estimators.fields import SUN

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Axes:
    """Names of the three axes, and their signs: those of the model point inward, along the rotation and north.

    Attributes
    ----------
    letters : tuple of str
    signs : tuple of float
    """

    letters: tuple[str, str, str]
    signs: tuple[float, float, float]

    @property
    def means(self) -> tuple[str, ...]:
        """Names of the mean velocities."""
        return tuple(f"mean_{k}" for k in self.letters)

    @property
    def moments(self) -> tuple[str, ...]:
        """Names of the second moments, in the order of `velocity_model.PAIRS`."""
        x, y, z = self.letters
        return tuple(f"sigma_{a}{b}" for a, b in ((x, x), (x, y), (x, z), (y, y), (y, z), (z, z)))

    @property
    def field(self) -> tuple[tuple[str, tuple[tuple[int, int, float], ...]], ...]:
        """The mean velocities as parameters of a `Field`, in which the Sun's velocity is theirs reversed."""
        return tuple(
            (name, ((i, SUN, -sign),)) for i, (name, sign) in enumerate(zip(self.means, self.signs, strict=True))
        )

    @property
    def shape(self) -> Array:
        """The six elements of the model's tensor by the second moments, (6, 6)."""
        x, y, z = self.signs
        return np.diag([x * x, x * y, x * z, y * y, y * z, z * z])

    @property
    def vertex(self) -> float:
        """The sign of the vertex deviation, which is positive where the inward axis turns towards the rotation."""
        return self.signs[0] * self.signs[1]


AXES = {
    "galactic": Axes(("U", "V", "W"), (1.0, 1.0, 1.0)),
    "cylindrical": Axes(("R", "phi", "z"), (-1.0, 1.0, 1.0)),
}
