"""When and in which direction a survey satellite scans a source, and what it observes: epochs for studies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin.angles import dot, sine_cosine, tangent_basis
from astrokin.epochs import Epochs
from astrokin.errors import InputError
from astrokin.stars import Stars
from astrokin.units import MAS, MAS_IN_RAD, raw_values

Array = NDArray[np.float64]

_DAY = 1.0 / 365.25
_OBLIQUITY = np.radians(23.43928)
#: Spins that are looked at together, so that the temporaries stay small.
_CHUNK = 1 << 21


@dataclass(frozen=True)
class Transits:
    """Transits of sources through the field of view, sorted by source and time, arrays (n,).

    Attributes
    ----------
    source : ndarray of int
        Which of the sources, by its place among them.
    time : ndarray
        Julian years TCB.
    scan_angle : ndarray
        Direction of the scan, degrees from north through east.
    """

    source: NDArray[np.intp]
    time: Array
    scan_angle: Array

    def __len__(self) -> int:
        return len(self.source)


@dataclass(frozen=True)
class ScanningLaw:
    r"""A satellite that spins about an axis which itself turns about the direction of the Sun.

    The axis keeps the angle `aspect` from the Sun and goes around it `precessions` times a year; two fields of view
    `basic_angle` apart scan the great circle across the axis once in each `spin`, and see a source while the axis is
    within the half width of a field of 90 degrees from it. The numbers are Gaia's (Gaia Collaboration, Prusti et al.
    2016). Simplified: the precession is uniform, the Sun's place is good to 0.01 deg, nothing interrupts the scan; the
    number and the directions of transits are those of Gaia over the sky, their dates are not.

    Parameters
    ----------
    aspect : float
        Degrees between the spin axis and the Sun.
    precessions : float
        Revolutions of the axis in a year.
    spin : float
        Hours.
    basic_angle : float
        Degrees between the two fields of view.
    width : float
        Degrees that a field extends across the scan.

    Examples
    --------
    >>> import numpy as np
    >>> from astrokin.scanning import ScanningLaw
    >>> transits = ScanningLaw().transits(np.array([[0.0], [0.0], [1.0]]), 2014.6, 2019.6)  # the celestial pole
    >>> 40 < len(transits) < 120
    True
    """

    aspect: float = 45.0
    precessions: float = 5.8
    spin: float = 6.0
    basic_angle: float = 106.5
    width: float = 0.7

    def __post_init__(self) -> None:
        for name in ("spin", "width"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise InputError(f"ScanningLaw.{name} is {getattr(self, name)}; a positive number is needed.")

    def transits(self, direction: Array, start: float, end: float) -> Transits:
        """All transits of sources in directions (3, n), ICRS unit vectors, between two epochs (Julian years TCB).

        Raises
        ------
        InputError
            An end that is not after the start.
        """
        if not start < end:
            raise InputError(f"The transits from {start:g} to {end:g}: the end must be after the start.")
        spins = np.arange(start, end, self.spin * _DAY / 24.0)
        size = max(1, _CHUNK // len(spins))
        parts = [self._seen(direction[:, i : i + size], i, spins) for i in range(0, max(direction.shape[1], 1), size)]
        source, time, angle = (np.concatenate(column) for column in zip(*parts, strict=True))
        inside = time < end
        order = np.lexsort((time[inside], source[inside]))
        return Transits(source[inside][order], time[inside][order], angle[inside][order])

    def axis(self, time: Array) -> Array:
        """The spin axis, ICRS unit vectors (3, n)."""
        longitude = _sun(time)
        turn = 2.0 * np.pi * self.precessions * (time - 2000.0)
        xi = np.radians(self.aspect)
        sun = np.stack([np.cos(longitude), np.sin(longitude), np.zeros_like(time)])
        ahead = np.stack([-np.sin(longitude), np.cos(longitude), np.zeros_like(time)])
        up = np.array([[0.0], [0.0], [1.0]])
        x, y, z = np.cos(xi) * sun + np.sin(xi) * (np.cos(turn) * up + np.sin(turn) * ahead)
        s, c = np.sin(_OBLIQUITY), np.cos(_OBLIQUITY)
        return np.stack([x, c * y - s * z, s * y + c * z])

    def _seen(self, direction: Array, first: int, spins: Array) -> tuple[NDArray[np.intp], Array, Array]:
        """The transits of some sources, spin by spin and field by field."""
        near = np.abs(direction.T @ self.axis(spins)) < np.sin(np.radians(0.5 * self.width))
        source, spin = np.nonzero(near)
        at, axis = direction[:, source], self.axis(spins[spin])
        east, north = tangent_basis(axis)
        turn = np.arctan2(dot(at, north), dot(at, east)) % (2.0 * np.pi) / (2.0 * np.pi)
        along = np.cross(axis, at, axis=0)
        p, q = tangent_basis(at)
        angle = np.degrees(np.arctan2(dot(along, p), dot(along, q)))
        period = self.spin * _DAY / 24.0
        delays = (turn, (turn + self.basic_angle / 360.0) % 1.0)
        times = [spins[spin] + period * d for d in delays]
        return np.tile(source + first, 2), np.concatenate(times), np.tile(angle, 2)


def observed(
    stars: Stars, transits: Transits, effects: Any, error: u.Quantity, rng: np.random.Generator, plane: bool = False
) -> Epochs:
    r"""Epochs of stars as effects make them look, offsets from the stars' catalogue places, with noise.

    The apparent place is taken by `effects` for each transit; its gnomonic offset from the catalogue place,
    :math:`(\Delta\alpha^*, \Delta\delta)`, or along the scan
    :math:`\Delta\alpha^*\sin\psi + \Delta\delta\cos\psi`, gets Gaussian noise.

    Parameters
    ----------
    stars : Stars
        The catalogue.
    transits : Transits
        Those of a `ScanningLaw`, or of any times and angles.
    effects : Effect or Chain
        Their times are those of the transits: ``ak.column("obstime")``.
    error : `~astropy.units.Quantity`
        Standard error of an observation, one for all or one for each transit.
    rng : `numpy.random.Generator`
    plane : bool
        Whether both coordinates are observed, not only the one along the scan.

    Returns
    -------
    Epochs
        With ``ra`` and ``dec`` of the catalogue, and the stars' ``source_id`` or their numbers; without parallax
        factors, which an observer gives.

    Examples
    --------
    >>> import numpy as np
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> from astrokin.scanning import Transits, observed
    >>> star = ak.Stars(ra=[266.4] * u.deg, dec=[-28.9] * u.deg, parallax=[1000] * u.mas)
    >>> transits = Transits(np.array([0, 0]), np.array([2016.22, 2016.72]), np.array([90.0, 90.0]))
    >>> parallax = ak.effects.AnnualParallax(ak.Observer(ak.column("obstime")))
    >>> observed(star, transits, parallax, 0.01 * u.mas, np.random.default_rng(1))["abscissa"].round(0)
    <Quantity [  989., -1007.] mas>
    """
    rows = stars[transits.source]
    places = rows.raw.angle("ra") * u.deg, rows.raw.angle("dec") * u.deg
    rows = rows.replace(columns={**rows.columns, "obstime": transits.time})
    seen = effects.apply(rows).raw.direction
    sigma = raw_values(error, MAS, "error")
    if sigma.shape not in ((), (len(transits),)):
        raise InputError(
            f"error has shape {sigma.shape}; one value, or one for each of {len(transits)} transits, is needed."
        )
    sigma = np.broadcast_to(sigma, len(transits))
    away = dot(seen, rows.raw.direction)
    x, y = (dot(seen, axis) / away / MAS_IN_RAD for axis in rows.raw.basis)
    columns = {"source_id": rows["source_id"] if "source_id" in stars.columns else transits.source}
    fields: dict[str, Any] = {"ra": places[0], "dec": places[1]}
    if plane:
        fields |= {"delta_ra": x + sigma * rng.normal(size=len(x)), "delta_dec": y + sigma * rng.normal(size=len(x))}
        fields |= {"delta_ra_error": sigma, "delta_dec_error": sigma}
    else:
        sine, cosine = sine_cosine(transits.scan_angle)
        fields |= {"abscissa": x * sine + y * cosine + sigma * rng.normal(size=len(x)), "abscissa_error": sigma}
        fields["scan_angle"] = transits.scan_angle * u.deg
    fields = {k: v if hasattr(v, "unit") else v << MAS for k, v in fields.items()}
    return Epochs(obstime=transits.time, columns=columns, **fields)


def _sun(time: Array) -> Any:
    """The ecliptic longitude of the Sun in radian, good to 0.01 deg (Astronomical Almanac)."""
    days = (time - 2000.0) * 365.25
    mean = np.radians(357.528 + 0.9856003 * days)
    return np.radians(280.460 + 0.9856474 * days + 1.915 * np.sin(mean) + 0.020 * np.sin(2.0 * mean))
