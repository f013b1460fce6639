"""Made-up stars to try an effect on: everywhere on the sky, near and far, fast and at rest, and the awkward ones."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.stars import Stars
from astrokin.units import KM_S, MAS, MAS_YR, A

Array = NDArray[np.float64]

#: Where coordinates have their seams: right ascension and declination (deg).
SEAMS = (
    (0.0, 90.0),
    (120.0, 90.0),
    (0.0, -90.0),
    (250.0, -90.0),
    (0.0, 0.0),
    (360.0, 0.0),
    (0.0, 45.0),
    (360.0, -45.0),
)


def field_stars(n: int = 60, seed: int = 1, epoch: Any = 2016.0) -> Stars:
    """Stars all over the sky, 1 to 800 mas away, with the velocities of the disc and the halo; some at rest."""
    rng = np.random.default_rng(seed)
    parallax = 10.0 ** rng.uniform(0.0, 2.9, n)
    velocity = rng.normal(0.0, 1.0, (3, n)) * np.where(rng.uniform(size=n) < 0.2, 150.0, 40.0)
    velocity[:, n // 2 : n // 2 + 1] = 0.0
    return Stars(
        ra=rng.uniform(0.0, 360.0, n) * u.deg,
        dec=np.degrees(np.arcsin(rng.uniform(-1.0, 1.0, n))) * u.deg,
        parallax=parallax * MAS,
        pmra=velocity[0] * parallax / A * MAS_YR,
        pmdec=velocity[1] * parallax / A * MAS_YR,
        radial_velocity=velocity[2] * KM_S,
        epoch=epoch,
        columns={"source_id": np.arange(n) + 10**18, "name": np.array([f"star {i}" for i in range(n)])},
    )


def covariances(stars: Stars, seed: int = 2) -> Array:
    """Covariance matrices (n, 6, 6) with correlations of every sign and parallax errors of a few per cent at most."""
    rng = np.random.default_rng(seed)
    n = len(stars)
    parallax = np.abs(np.nan_to_num(stars.raw.parallax))
    sigma = np.tile([0.1, 0.1, 0.1, 0.05, 0.05, 0.5], (n, 1)) * rng.uniform(0.3, 1.0, (n, 6))
    sigma[:, 2] = np.minimum(sigma[:, 2], np.where(parallax > 0.0, 0.03 * parallax, 1.0))
    factor = np.eye(6) + 0.3 * rng.normal(size=(n, 6, 6))
    matrix = factor @ factor.swapaxes(1, 2)
    scale = sigma / np.sqrt(np.einsum("nii->ni", matrix))
    return matrix * scale[:, :, None] * scale[:, None, :]


def at_seams(stars: Stars) -> Stars:
    """As many of the stars as there are seams, put there: the poles, and right ascension 0 and 360 deg."""
    some = stars[np.arange(len(SEAMS)) % len(stars)]
    ra, dec = np.array(SEAMS).T
    return Stars(
        ra=ra * u.deg,
        dec=dec * u.deg,
        parallax=some.parallax,
        pmra=some.pmra,
        pmdec=some.pmdec,
        radial_velocity=some.radial_velocity,
        epoch=some.epoch,
        columns=some.columns,
    )
