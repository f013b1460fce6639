"""Linear velocity fields v = T x - v_sun by the names of their parameters."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from astrokin import velocity_model

Array = NDArray[np.float64]

#: The column of (T | v_sun) in which the solar motion stands; its regressor is minus the parallax.
SUN = 3
_GRADIENTS = (
    ("A", ((0, 1, 1.0), (1, 0, 1.0))),
    ("B", ((0, 1, -1.0), (1, 0, 1.0))),
    ("C", ((0, 0, 1.0), (1, 1, -1.0))),
    ("K", ((0, 0, 1.0), (1, 1, 1.0))),
)
_SUN = (("U", ((0, SUN, 1.0),)), ("V", ((1, SUN, 1.0),)), ("W", ((2, SUN, 1.0),)))
_VERTICAL = (
    ("dU_dz", ((0, 2, 1.0),)),
    ("dV_dz", ((1, 2, 1.0),)),
    ("dW_dx", ((2, 0, 1.0),)),
    ("dW_dy", ((2, 1, 1.0),)),
    ("dW_dz", ((2, 2, 1.0),)),
)


class Basis(Protocol):
    """What the matrix of a field acts on, where that is not the direction and minus the parallax; picklable."""

    @property
    def size(self) -> int:
        """How many regressors there are; the last is minus the parallax."""

    def regressors(self, direction: Array, parallax: Array, /) -> Array:
        """The regressors (size, n) at Galactic directions (3, n) and positive parallaxes."""

    def slopes(self, direction: Array, parallax: Array, /) -> Array:
        """Their derivatives by the parallax, (size, n)."""


@dataclass(frozen=True)
class Field:
    """A linear velocity field: which elements of (T | v_sun) its parameters add to, and what is known of T.

    Times the parallax the model is m = (T | v_sun) (g, -parallax), with g the direction in Galactic axes; or, with a
    `basis`, its matrix times what that says.

    Attributes
    ----------
    parameters : tuple of (str, tuple of (row, column, factor))
        Names, and the elements of the matrix (3, 4), or (3, size of the basis), they stand for.
    known : tuple of tuple of float, optional
        A gradient T (3, 3) that is not fitted, but there: of the Galactic rotation, say.
    basis : Basis, optional
        What the matrix acts on.
    """

    parameters: tuple[tuple[str, tuple[tuple[int, int, float], ...]], ...]
    known: tuple[tuple[float, ...], ...] | None = None
    basis: Basis | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters."""
        return tuple(name for name, _ in self.parameters)

    @cached_property
    def fitted(self) -> tuple[int, ...]:
        """The columns of the matrix that hold parameters."""
        return tuple(sorted({column for _, elements in self.parameters for _, column, _ in elements}))

    @cached_property
    def columns(self) -> tuple[int, ...]:
        """The columns that are not zero, `fitted` the last of them."""
        rest = () if self.known is None else tuple(np.flatnonzero(np.any(self.known, axis=0)))
        return (*(int(k) for k in rest if k not in self.fitted), *self.fitted)

    @cached_property
    def elements(self) -> Array:
        """What each parameter adds to the matrix, (p, 3, 4 or size of the basis)."""
        out = np.zeros((len(self.parameters), 3, 4 if self.basis is None else self.basis.size))
        for k, (_, elements) in enumerate(self.parameters):
            for i, j, sign in elements:
                out[k, i, j] += sign
        return out

    def matrix(self, values: Array) -> Array:
        """The `columns` of (T | v_sun) for parameters (G, p or more), shape (G, 3, m)."""
        whole = np.tensordot(values[:, : len(self.parameters)], self.elements, 1)
        if self.known is not None:
            whole[:, :, :3] += np.asarray(self.known)
        return whole[:, :, self.columns]

    @cached_property
    def products(self) -> Array:
        """What each product xi_k xi_m over `fitted` adds for two parameters and two components, (p, p, 3, 3, s)."""
        parts = self.elements[:, :, self.fitted]
        every = np.einsum("pik,qjm->pqijkm", parts, parts)
        r = len(self.fitted)
        out = np.zeros((*every.shape[:4], r * (r + 1) // 2))
        place = velocity_model.places(r)
        for k in range(r):
            for m in range(r):
                out[..., place[k, m]] += every[..., k, m]
        return out

    @cached_property
    def information(self) -> Array:
        """What each sum of W_ij xi_k xi_m over `fitted` adds to the information of two parameters, (p, p, 6, s)."""
        out = np.zeros((*self.products.shape[:2], 6, self.products.shape[-1]))
        for i in range(3):
            for j in range(3):
                out[:, :, velocity_model.PLACE[i, j]] += self.products[:, :, i, j]
        return out

    def combined(self, sums: Array) -> Array:
        """Sums (G, 3, r) over components and the regressors of `fitted`, as those of the parameters, (G, p)."""
        return np.einsum("gik,pik->gp", sums, self.elements[:, :, self.fitted])


#: Oort's constants and the solar motion.
OORT = Field((*_GRADIENTS, *_SUN))
#: All nine gradients (Ogorodnikov 1932, Milne 1935) and the solar motion.
OGORODNIKOV_MILNE = Field((*_GRADIENTS, *_VERTICAL, *_SUN))
#: The solar motion alone.
SOLAR_MOTION = Field(_SUN)


def oort_gradient(a: float, b: float, c: float, k: float) -> tuple[tuple[float, ...], ...]:
    """The gradient T of Oort's constants, for `Field.known`."""
    return ((k + c, a - b, 0.0), (a + b, k - c, 0.0), (0.0, 0.0, 0.0))
