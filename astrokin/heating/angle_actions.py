"""Angles and actions to and from places and velocities, in the epicycle approximation (003, section 5.2.2, errata)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.errors import InputError
from astrokin.heating.door import ACTION, LENGTH, SPEED, plain, positive
from astrokin.heating.epicycle import Disc

Array = NDArray[np.float64]

_COORDINATES = {"R": LENGTH, "phi": u.rad, "z": LENGTH, "v_R": SPEED, "v_phi": SPEED, "v_z": SPEED}
_ANGLE_ACTIONS = {"J_R": ACTION, "J_phi": ACTION, "J_z": ACTION, "theta_R": u.rad, "theta_phi": u.rad, "theta_z": u.rad}


def from_angle_actions(disc: Disc, **orbits: u.Quantity) -> dict[str, u.Quantity]:
    """Places and velocities from actions and angles, in the epicycle approximation.

    Parameters
    ----------
    disc : Disc
    **orbits : `~astropy.units.Quantity`
        ``J_R``, ``J_phi``, ``theta_R``, ``theta_phi``; with ``J_z`` and ``theta_z`` the vertical motion too.

    Returns
    -------
    dict of str to Quantity
        ``R phi v_R v_phi`` (and ``z v_z``); v_R outward, v_phi along the rotation.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astrokin.heating import Disc, from_angle_actions, to_angle_actions
    >>> disc = Disc.power_law(220 * u.km / u.s, 8 * u.kpc)
    >>> place = from_angle_actions(disc, J_R=20 * u.kpc * u.km / u.s, J_phi=1760 * u.kpc * u.km / u.s,
    ...                            theta_R=1 * u.rad, theta_phi=2 * u.rad)
    >>> place["R"].round(3), place["v_R"].round(2)
    (<Quantity 8.548 kpc>, <Quantity -33.19 km / s>)
    >>> to_angle_actions(disc, **place)["J_R"].round(9)
    <Quantity 20. km kpc / s>
    """
    x = _plain_set(orbits, _ANGLE_ACTIONS, ("J_z", "theta_z"))
    at = disc.orbit(x["J_phi"])
    a = np.sqrt(2.0 * x["J_R"] / at.kappa)
    radius = at.radius + a * np.cos(x["theta_R"])
    if (radius <= 0.0).any():
        raise InputError("The epicycle is larger than the guiding radius: such orbits are not nearly circular.")
    out = {
        "R": radius,
        "phi": x["theta_phi"] - at.gamma * (a / at.radius) * np.sin(x["theta_R"]),
        "v_R": -at.kappa * a * np.sin(x["theta_R"]),
        "v_phi": x["J_phi"] / radius,
    }
    if "J_z" in x:
        high = np.sqrt(2.0 * x["J_z"] / _known(at.nu))
        out |= {"z": high * np.cos(x["theta_z"]), "v_z": -at.nu * high * np.sin(x["theta_z"])}
    return {k: v << _COORDINATES[k] for k, v in out.items()}


def to_angle_actions(disc: Disc, **place: u.Quantity) -> dict[str, u.Quantity]:
    """Actions and angles from places and velocities, the inverse of `from_angle_actions`.

    Parameters
    ----------
    disc : Disc
    **place : `~astropy.units.Quantity`
        ``R phi v_R v_phi``, and ``z v_z`` for the vertical motion too.

    Returns
    -------
    dict of str to Quantity
        ``J_R J_phi theta_R theta_phi`` (and ``J_z theta_z``); theta_R and theta_z from -pi to pi.
    """
    x = _plain_set(place, _COORDINATES, ("z", "v_z"))
    momentum = x["R"] * x["v_phi"]
    if not (momentum > 0.0).all():
        raise InputError("Some stars do not go round with the rotation (R v_phi <= 0): they have no epicycle.")
    at = disc.orbit(momentum)
    across, along = at.kappa * (x["R"] - at.radius), x["v_R"]
    a, theta = np.hypot(across, along) / at.kappa, np.arctan2(-along, across)
    out = {
        "J_R": 0.5 * at.kappa * a * a,
        "J_phi": momentum,
        "theta_R": theta,
        "theta_phi": x["phi"] + at.gamma * (a / at.radius) * np.sin(theta),
    }
    if "z" in x:
        up, speed = _known(at.nu) * x["z"], x["v_z"]
        out |= {"J_z": 0.5 * (up * up + speed * speed) / at.nu, "theta_z": np.arctan2(-speed, up)}
    return {k: v << _ANGLE_ACTIONS[k] for k, v in out.items()}


def _known(nu: Array) -> Array:
    if np.isnan(nu).any():
        raise InputError("Vertical motion needs a disc with a vertical profile: Disc(…, vertical_frequency=…).")
    return nu


def _plain_set(given: Mapping[str, Any], units: Mapping[str, Any], optional: tuple[str, str]) -> dict[str, Array]:
    needed = [k for k in units if k not in optional]
    missing, strange = [k for k in needed if k not in given], [k for k in given if k not in units]
    if missing or strange or len([k for k in optional if k in given]) == 1:
        raise InputError(
            f"{', '.join(needed)} are needed, {' and '.join(optional)} may come with them; given: {given}."
        )
    out = {k: plain(v, units[k], k) for k, v in given.items()}
    for k in out.keys() & {"J_R", "J_z"}:
        positive(given[k], ACTION, k, zero=True)
    return dict(zip(out, np.broadcast_arrays(*out.values()), strict=True))
