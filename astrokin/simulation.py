"""Gaia-like samples: stars at given places and velocities, as a catalogue would list them."""

from __future__ import annotations

from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import angles, galaxy
from astrokin.covariance import Covariance
from astrokin.stars import Stars
from astrokin.units import MAS_IN_RAD, A

Array = NDArray[np.float64]

#: Errors of a bright star in Gaia DR3: alpha*, delta, parallax (mas), proper motions (mas/yr), radial velocity (km/s).
GAIA_ERRORS = {"ra": 0.02, "dec": 0.02, "parallax": 0.02, "pmra": 0.02, "pmdec": 0.02, "radial_velocity": 1.0}


def disc(n: int, rng: np.random.Generator, radius: float = 1.5, scale_height: float = 0.2) -> Array:
    """Places (3, n) in kpc, Galactic axes: uniform in a circle around the Sun, exponential in height."""
    d = radius * np.sqrt(rng.uniform(0.01, 1.0, n))
    phi = rng.uniform(0.0, 2.0 * np.pi, n)
    z = rng.exponential(scale_height, n) * rng.choice([-1.0, 1.0], n)
    return np.stack([d * np.cos(phi), d * np.sin(phi), z])


def observed(
    place: Array,
    velocity: Array,
    rng: np.random.Generator,
    errors: dict[str, float] | None = None,
    share_with_rv: float = 1.0,
    epoch: float = 2016.0,
    columns: dict[str, Any] | None = None,
) -> Stars:
    """Stars at places (kpc) with velocities relative to the Sun (km/s), both (3, n) in Galactic axes, with noise.

    Parameters
    ----------
    place, velocity : ndarray, shape (3, n)
    rng : `numpy.random.Generator`
    errors : dict of str to float, optional
        Standard errors by parameter, in the fixed units; default `GAIA_ERRORS`.
    share_with_rv : float
        Share of the stars that have a radial velocity.
    epoch : float
        Julian year TCB.
    columns : dict, optional
        Extra columns.

    Returns
    -------
    Stars
        With `source_id` and covariance.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin import simulation
    >>> rng = np.random.default_rng(1)
    >>> stars = simulation.observed(simulation.disc(5, rng), np.zeros((3, 5)), rng)
    >>> len(stars), bool((stars.parallax.value > 0.3).all())
    (5, True)
    """
    errors = {**GAIA_ERRORS, **(errors or {})}
    n = place.shape[1]
    true = _catalogue(galaxy.to_icrs(place), galaxy.to_icrs(velocity))
    seen = {k: v + errors[k] * rng.normal(size=n) for k, v in true.items() if k not in ("ra", "dec")}
    east, north = (errors[k] * rng.normal(size=n) for k in ("ra", "dec"))
    ra, dec = _displaced(true["ra"], true["dec"], np.asarray(east), np.asarray(north))
    radial = np.where(rng.uniform(size=n) < share_with_rv, seen["radial_velocity"], np.nan)
    return Stars(
        ra=ra * u.deg,
        dec=dec * u.deg,
        parallax=seen["parallax"] * u.mas,
        pmra=seen["pmra"] * u.mas / u.yr,
        pmdec=seen["pmdec"] * u.mas / u.yr,
        radial_velocity=radial * u.km / u.s,
        covariance=Covariance(errors={k: np.full(n, v) for k, v in errors.items()}),
        epoch=epoch,
        columns={"source_id": np.arange(1, n + 1), **(columns or {})},
    )


def _catalogue(place: Array, velocity: Array) -> dict[str, Array]:
    distance = np.sqrt(angles.dot(place, place))
    r = place / distance
    ra, dec = angles.longitude_latitude(r)
    pmra, pmdec = angles.components(velocity, r)
    scale = 1.0 / (A * distance)
    return {
        "ra": ra,
        "dec": dec,
        "parallax": 1.0 / distance,
        "pmra": pmra * scale,
        "pmdec": pmdec * scale,
        "radial_velocity": angles.dot(velocity, r),
    }


def _displaced(ra: Array, dec: Array, east: Array, north: Array) -> tuple[Array, Array]:
    zero = np.zeros_like(ra)
    r, _ = angles.vectors(ra, dec, zero, zero)
    p, q = angles.tangent_basis(r)
    return angles.longitude_latitude(angles.normalised(r + MAS_IN_RAD * (east * p + north * q)))
