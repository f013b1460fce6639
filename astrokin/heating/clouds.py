r"""Scattering by giant molecular clouds: it turns velocities and leaves their size, so it shares radial energy out.

With E_R = kappa J_R and E_z = nu J_z the tensor

.. math:: \mathbf D = \frac{E_R E_z}{\tau}\,\mathbf u\mathbf u^T, \qquad \mathbf u = (1/\kappa, -1/\nu_z)

diffuses along lines of constant energy, vanishes at both ends of them, and has every f(E_R + E_z) at rest. For
Maxwellian velocities it gives, averaged over the other action,

.. math:: \frac{d\langle E_z\rangle}{dt} = \frac{q^2\langle E_R\rangle - \langle E_z\rangle}{\tau}
          = -\frac{d\langle E_R\rangle}{dt}

with q = 1. Real clouds lie in a layer and leave the ellipsoid flattened, sigma_z/sigma_R = q of about 0.6 to 0.8
(Lacey 1984; Ida, Kokubo & Makino 1993); q is put in by hand.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.errors import InputError
from astrokin.heating import door
from astrokin.heating.door import ACTION, LENGTH, TIME, positive
from astrokin.heating.epicycle import Disc, Epicycle

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Clouds:
    """Molecular clouds that turn velocities in a time.

    Parameters
    ----------
    time : `~astropy.units.Quantity`
        tau, in which the energies come to their ratio.
    ratio : float
        q = sigma_z / sigma_R that they lead to.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating import Clouds, Disc
    >>> disc = Disc.power_law(220 * u.km / u.s, 8 * u.kpc, vertical_frequency=75 * u.km / u.s / u.kpc)
    >>> action = u.kpc * u.km / u.s
    >>> tensor = Clouds(5 * u.Gyr).tensor(disc, 8 * u.kpc, 20 * action, 5 * action)
    >>> tensor["zz"].round(2), tensor["Rz"]
    (<Quantity 10.37 km2 kpc2 / (Gyr s2)>, <Quantity -20. km2 kpc2 / (Gyr s2)>)
    """

    time: Any
    ratio: float = 0.7

    def __post_init__(self) -> None:
        positive(self.time, TIME, "Clouds.time")
        if not 0.0 < self.ratio <= 1.0:
            raise InputError(f"Clouds.ratio is {self.ratio}; a sigma_z/sigma_R above 0, up to 1, is needed.")

    @property
    def rate(self) -> float:
        """1/tau, plain."""
        return 1.0 / float(positive(self.time, TIME, "Clouds.time"))

    def tensor(self, disc: Disc, radius: Any, radial_action: Any, vertical_action: Any) -> dict[str, Any]:
        """Elements RR, Rz, zz of the diffusion tensor, isotropising (q = 1)."""
        at = disc.at(positive(radius, LENGTH, "radius"))
        jr = positive(radial_action, ACTION, "radial action", zero=True)
        jz = positive(vertical_action, ACTION, "vertical action", zero=True)
        both = self.rate * jr * jz
        elements = {"RR": both * at.nu / at.kappa, "Rz": -both, "zz": both * at.kappa / at.nu}
        return {k: door.diffusion(v) for k, v in elements.items()}

    def radial(self, action: Array, at: Epicycle, mean_vertical: float) -> tuple[Array, Array]:
        """D and A of the radial action, averaged over vertical actions of a mean; plain."""
        lent = self.rate * float(at.nu / at.kappa) * mean_vertical
        return lent * action, self.rate * self.ratio**2 * action

    def vertical(self, action: Array, at: Epicycle, mean_radial: float) -> tuple[Array, Array]:
        """D and A of the vertical action, averaged over radial actions of a mean; plain."""
        lent = self.rate * self.ratio**2 * float(at.kappa / at.nu) * mean_radial
        return lent * action, self.rate * action
