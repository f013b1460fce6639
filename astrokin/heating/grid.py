"""Cells of action, and distribution functions on them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.errors import InputError
from astrokin.heating.door import ACTION, positive

Array = NDArray[np.float64]

_CELLS = 3.0  # the mean action must be as many times the first cell
#: The share of the stars in the last hundredth of the grid from which on it is too short.
FULL = 1e-3
_BEYOND = 1e-3  # the share of stars that may start beyond the last


@dataclass(frozen=True)
class ActionGrid:
    """Cells of action whose width grows with the root of the action: equal steps of velocity.

    Parameters
    ----------
    largest : `~astropy.units.Quantity`
        Where the grid ends; stars do not leave it (no flux through the end).
    cells : int

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating import ActionGrid
    >>> grid = ActionGrid(400 * u.kpc * u.km / u.s, 4)
    >>> grid.edges
    <Quantity [  0.,  25., 100., 225., 400.] km kpc / s>
    """

    largest: Any
    cells: int = 400

    def __post_init__(self) -> None:
        positive(self.largest, ACTION, "ActionGrid.largest")
        if not isinstance(self.cells, int | np.integer) or self.cells < 4:
            raise InputError(f"ActionGrid.cells is {self.cells!r}; a whole number of at least 4 is needed.")

    @property
    def faces(self) -> Array:
        """Edges of the cells, plain, shape (cells + 1,)."""
        x = np.arange(self.cells + 1) / self.cells
        return float(positive(self.largest, ACTION, "largest")) * x * x

    @property
    def centres(self) -> Array:
        """Middles of the cells, plain."""
        faces = self.faces
        return 0.5 * (faces[1:] + faces[:-1])

    @property
    def widths(self) -> Array:
        """Widths of the cells, plain."""
        return np.diff(self.faces)

    @property
    def edges(self) -> Any:
        """Edges of the cells."""
        return self.faces << ACTION

    @property
    def action(self) -> Any:
        """Middles of the cells."""
        return self.centres << ACTION

    def exponential(self, mean: Any) -> Array:
        """Stars at birth, f = exp(-J/mean)/mean (a Maxwellian of velocities), as averages over the cells, plain.

        Raises
        ------
        InputError
            The grid is too coarse, or too short, for that mean.
        """
        j = float(positive(mean, ACTION, "mean action"))
        faces = self.faces
        if j < _CELLS * faces[1]:
            raise InputError(
                f"The grid is too coarse: its first cell is {faces[1]:.4g} kpc km/s wide, the mean action at birth is "
                f"{j:.4g}; at least {_CELLS:g} cells are needed within it. Take more cells or a smaller largest action."
            )
        share = -np.diff(np.exp(-faces / j))
        if share.sum() < 1.0 - _BEYOND:
            raise InputError(
                f"The grid is too short: {1.0 - share.sum():.2g} of the stars lie beyond {faces[-1]:.4g} kpc km/s; "
                "take a larger largest action."
            )
        return share / share.sum() / self.widths

    def share_at_end(self, density: Array) -> Array:
        """Share of the stars in the last hundredth of the grid; `density` is (..., cells)."""
        last = max(1, self.cells // 100)
        stars = density @ self.widths
        return (density[..., -last:] @ self.widths[-last:]) / np.where(stars > 0.0, stars, 1.0)

    def checked(self, density: Any) -> Array:
        """A distribution function given by its values in the cells (plain, or per action)."""
        values = np.asarray(density.to_value(1.0 / ACTION) if hasattr(density, "unit") else density, dtype=float)
        if values.shape != (self.cells,) or not np.isfinite(values).all() or (values < 0.0).any():
            raise InputError(
                f"The distribution function has the shape {values.shape}; one finite value, zero or positive, for each "
                f"of the {self.cells} cells is needed."
            )
        total = float((values * self.widths).sum())
        occupied = np.flatnonzero(values * self.widths > 1e-3 * total)
        if total > 0.0 and len(occupied) < _CELLS:
            raise InputError(
                f"The grid is too coarse for the initial condition: {len(occupied)} cells hold it; at least "
                f"{_CELLS:g} are needed."
            )
        return values
