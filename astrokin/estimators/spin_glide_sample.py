"""Made-up quasars: everywhere on the sky but near the Galactic plane, with the errors of Gaia's faint sources."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import angles
from astrokin.estimators import vector_harmonics

Array = NDArray[np.float64]


def quasars(
    n: int, rng: np.random.Generator, field: Any = None, dispersion: float = 0.0, avoidance: float = 10.0
) -> Any:
    """Quasars with Gaia-like errors, correlated between the components of the proper motion.

    Parameters
    ----------
    n : int
    rng : `numpy.random.Generator`
    field : sequence of float, optional
        Parameters of the proper-motion field (mas/yr), 6 or 16 in the order of the results; none: at rest.
    dispersion : float
        Intrinsic dispersion of each component, mas/yr.
    avoidance : float
        No quasar below this Galactic latitude, deg; 0: the whole sky.

    Returns
    -------
    Stars
        With `source_id`, covariance, parallaxes about zero, and no motion along the line of sight (a redshift that
        is the universe's is none).

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.estimators.spin_glide_sample import quasars
    >>> sample = quasars(100, np.random.default_rng(1), avoidance=20.0)
    >>> len(sample), bool((abs(sample.b.value) > 20.0).all())
    (100, True)
    """
    direction = places(n, rng, avoidance)
    errors, correlation = _gaia_errors(n, rng)
    east, north = _noise(errors["pmra"], errors["pmdec"], correlation, rng)
    motion = np.stack([east, north]) + dispersion * rng.normal(size=(2, n))
    if field is not None:
        axes = angles.tangent_basis(direction)
        motion += vector_harmonics.field(np.asarray(field, float), direction, axes)
    ra, dec = angles.longitude_latitude(direction)
    return ak.Stars(
        ra=ra * u.deg,
        dec=dec * u.deg,
        parallax=errors["parallax"] * rng.normal(size=n) * u.mas,
        pmra=motion[0] * u.mas / u.yr,
        pmdec=motion[1] * u.mas / u.yr,
        covariance=ak.Covariance(errors=errors, correlations={("pmra", "pmdec"): correlation}),
        epoch=2016.0,
        columns={"source_id": np.arange(1, n + 1)},
    )


def places(n: int, rng: np.random.Generator, avoidance: float = 0.0) -> Array:
    """Directions (3, n) in ICRS axes, uniform on the sky away from the Galactic plane."""
    least = np.sin(np.radians(avoidance))
    z = rng.uniform(least, 1.0, n) * rng.choice([-1.0, 1.0], n)
    phi, rho = rng.uniform(0.0, 2.0 * np.pi, n), np.sqrt(1.0 - z * z)
    return ak.galaxy.to_icrs(np.stack([rho * np.cos(phi), rho * np.sin(phi), z]))


def _gaia_errors(n: int, rng: np.random.Generator) -> tuple[dict[str, Array], Array]:
    """Errors as Gaia has them between magnitudes 18 and 21, and the correlation of the proper motions."""
    size = 10.0 ** rng.uniform(-0.9, 0.1, n)
    ratios = {"ra": 0.8, "dec": 0.75, "parallax": 0.9, "pmra": 1.0, "pmdec": 0.9}
    return {k: v * size * rng.uniform(0.9, 1.1, n) for k, v in ratios.items()}, rng.uniform(-0.6, 0.6, n)


def _noise(east: Array, north: Array, correlation: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    one, other = rng.normal(size=(2, len(east)))
    return east * one, north * (correlation * one + np.sqrt(1.0 - correlation * correlation) * other)
