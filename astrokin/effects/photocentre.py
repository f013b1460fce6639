"""Unresolved binaries: the photocentre, whose place is measured, circles the centre of mass, which moves straight."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, fields
from functools import cached_property
from typing import Any, Self

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import kepler
from astrokin.angles import dot, normalised, plus
from astrokin.displacement import arrived
from astrokin.errors import InputError
from astrokin.times import julian_years
from astrokin.units import MAS, MAS_IN_RAD, MAS_YR, raw_values

Array = NDArray[np.float64]

_DAYS = 365.25
#: Of the distance from a pole, rad (1e-9 arcsec).
_ROUND_OFF = 4e-15
_AT_POLE = "nearer to a pole than the photocentre is to the centre of mass: no unique way back"
#: Names of Gaia's table nss_two_body_orbit.
_NSS = ("a_thiele_innes", "b_thiele_innes", "f_thiele_innes", "g_thiele_innes")


def _at_least_zero(value: Any) -> Any:
    return np.asarray(value) >= 0


def _positive(value: Any) -> Any:
    return np.asarray(value) > 0


def _elliptic(value: Any) -> Any:
    return (np.asarray(value) >= 0) & (np.asarray(value) < 1)


@dataclass(frozen=True)
class BinaryPhotocentre(ak.Effect):
    r"""Displacement of an unresolved binary's photocentre from its centre of mass.

    With the orbit :math:`\mathbf r_{12}` of the secondary relative to the primary, B = m2/(m1 + m2) and
    :math:`\beta` = L2/(L1 + L2), the light is centred on

    .. math::

        (\beta - B)\,\mathbf r_{12}: \qquad
        \Delta\delta = AX + FY, \quad \Delta\alpha* = BX + GY,

    .. math::

        X = \cos E - e, \quad Y = \sqrt{1 - e^2}\sin E, \quad E - e\sin E = 2\pi(t - t_p)/P,

    with the Thiele-Innes elements A, B, F, G of that orbit. The direction becomes :math:`\mathbf r +
    \Delta\alpha*\,\mathbf p + \Delta\delta\,\mathbf q`, normalised, with p toward east and q toward north. Light
    and mass of the same ratio leave no displacement. In a circular orbit seen face on, two observations half a
    period apart make a proper motion of :math:`4a|m_1L_2 - m_2L_1|/[dP(m_1 + m_2)(L_1 + L_2)]` of it (source 004,
    "Astrophysical and Environmental Contamination"); see `mean_motion_contamination`.

    Parameters
    ----------
    period : `~astropy.units.Quantity` or `ak.column`
        Of the orbit.
    semi_major_axis : `~astropy.units.Quantity` or `ak.column`
        Of the relative orbit: a length, which the parallax makes an angle, or an angle.
    eccentricity : float or `ak.column`
        From 0 to less than 1.
    inclination : `~astropy.units.Quantity` or `ak.column`
        To the plane of the sky; below 90 deg the position angle increases with time.
    node, periastron : `~astropy.units.Quantity` or `ak.column`
        Position angle of the ascending node, and angle from there to the periastron, of the secondary's orbit
        relative to the primary.
    t_periastron : `~astropy.time.Time`, float (Julian year TCB) or `ak.column`
        Of a passage through the periastron.
    mass_ratio : float or `ak.column`
        m2/m1.
    flux_ratio : float or `ak.column`
        L2/L1 in the band of the observation; 0 for a dark companion.
    observer : `Observer`
        When the light is received; where does not matter.
    rate : bool
        False: proper motions stay those of the centre of mass, carried along in parallel. True: they become the
        instantaneous ones of the photocentre.
    mass_to_light : float or `ak.column`, optional
        (m2/L2)/(m1/L1), instead of a flux ratio.
    angular_semi_major_axis : `~astropy.units.Quantity` or `ak.column`, optional
        Where a `semi_major_axis` in angular units is kept.
    thiele_innes : `~astropy.units.Quantity` or columns, shape (4,), optional
        A, B, F, G of the orbit of the photocentre itself, as Gaia publishes them, instead of axis, angles and
        ratios; see `from_nss`.
    periastron_delay : `~astropy.units.Quantity` or `ak.column`
        Added to `t_periastron`: Gaia's periastron times count from the reference epoch.

    Raises
    ------
    InputError
        An eccentricity of 1 or more, a period that is not positive, a negative ratio or axis; no orbit, or two;
        no observer.

    Notes
    -----
    Domain: any parallax; the orbit scales with it (a negative one turns the orbit around) where its size is a
    length. Light travel within the orbit is left out. Directions of north lose their meaning at a pole: stars
    nearer to one than their own displacement are not always told apart by what is observed, and `remove` refuses
    those. With `rate` motions come back as well as north is known there: to 1e-16 rad over the distance from the pole.

    Examples
    --------
    Sirius and its white dwarf, with the elements of Bond et al. (2017): the bright star seen from their centre of mass.

    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> sirius = ak.effects.BinaryPhotocentre(
    ...     period=50.1284 * u.yr, semi_major_axis=7.4957 * u.arcsec, eccentricity=0.59142, inclination=136.336 * u.deg,
    ...     node=45.4 * u.deg, periastron=149.161 * u.deg, t_periastron=1994.5715, mass_ratio=0.4935, flux_ratio=1e-4,
    ...     observer=ak.Observer(2022.5))
    >>> east, north = sirius.displacement()
    >>> east.round(1), north.round(1)
    (<Quantity -3348.1 mas>, <Quantity -1673.2 mas>)
    """

    name = "binary-photocentre"
    stage = ak.Stage.ORBIT
    references = ("1995CeMDA..63..101M", "2017ApJ...840...70B", "2023A&A...674A...9H", "source-004")

    period: u.Quantity = ak.parameter(unit=u.day, doc="period", physical=_positive, domain="a positive period")
    semi_major_axis: u.Quantity | None = ak.parameter(
        None, unit=u.au, doc="of the relative orbit, a length or an angle", physical=_at_least_zero, domain="0 or more"
    )
    eccentricity: u.Quantity = ak.parameter(
        0 * u.one, doc="eccentricity", physical=_elliptic, domain="an eccentricity from 0 to less than 1"
    )
    inclination: u.Quantity = ak.parameter(0 * u.deg, doc="inclination to the plane of the sky")
    node: u.Quantity = ak.parameter(0 * u.deg, doc="position angle of the ascending node of the secondary")
    periastron: u.Quantity = ak.parameter(0 * u.deg, doc="angle from the node to the periastron of the secondary")
    t_periastron: Any = ak.epoch_parameter(2000.0, doc="a passage through the periastron")
    mass_ratio: u.Quantity | None = ak.parameter(
        None, unit=u.one, doc="m2/m1", physical=_at_least_zero, domain="0 or more"
    )
    flux_ratio: u.Quantity | None = ak.parameter(
        None, unit=u.one, doc="L2/L1", physical=_at_least_zero, domain="0 or more"
    )
    _: KW_ONLY
    observer: Any = ak.observer_parameter(doc="when the light is received")
    rate: bool = ak.option(False, allowed=(False, True), doc="whether proper motions gain the instantaneous motion")
    mass_to_light: u.Quantity | None = ak.parameter(
        None, unit=u.one, doc="(m2/L2)/(m1/L1), instead of flux_ratio", physical=_positive, domain="a positive ratio"
    )
    angular_semi_major_axis: u.Quantity | None = ak.parameter(
        None, unit=MAS, doc="semi_major_axis as an angle", physical=_at_least_zero, domain="0 or more"
    )
    thiele_innes: Any = ak.parameter(None, unit=MAS, shape=(4,), doc="A, B, F, G of the orbit of the photocentre")
    periastron_delay: u.Quantity = ak.parameter(0 * u.day, doc="added to t_periastron")

    def __post_init__(self) -> None:
        if _is_angle(self.semi_major_axis):
            self._put(angular_semi_major_axis=self.semi_major_axis, semi_major_axis=None)
        super().__post_init__()
        self._check_one_orbit()

    def __repr__(self) -> str:
        given = ((f.name, getattr(self, f.name)) for f in fields(self))
        return f"BinaryPhotocentre({', '.join(f'{k}={v!r}' for k, v in given if v is not None)})"

    def _put(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _check_one_orbit(self) -> None:
        sizes = ("semi_major_axis", "angular_semi_major_axis", "thiele_innes")
        given = [k for k in sizes if getattr(self, k) is not None]
        if len(given) != 1:
            raise InputError(
                f"BinaryPhotocentre: {' and '.join(given) or 'no size'} given; give semi_major_axis (a length or an "
                "angle), or thiele_innes."
            )
        ratios = [k for k in ("mass_ratio", "flux_ratio", "mass_to_light") if getattr(self, k) is not None]
        needed = [] if given == ["thiele_innes"] else ["mass_ratio", "flux_ratio"]
        if ratios not in (needed, needed and ["mass_ratio", "mass_to_light"]):
            raise InputError(
                f"BinaryPhotocentre: {', '.join(ratios) or 'no ratio'} given; "
                + ("thiele_innes, which are those of the photocentre, take no ratio." if not needed
                   else "give mass_ratio, and either flux_ratio or mass_to_light.")
            )  # fmt: skip

    @classmethod
    def from_thiele_innes(cls, a: Any, b: Any, f: Any, g: Any, **orbit: Any) -> Self:
        """The effect from Thiele-Innes elements of the photocentre's orbit.

        Parameters
        ----------
        a, b, f, g : `~astropy.units.Quantity` or `ak.column`
            A and F toward north, B and G toward east.
        **orbit
            ``period``, ``eccentricity``, ``t_periastron``, ``observer``, ``rate``.
        """
        return cls(thiele_innes=(a, b, f, g), **orbit)

    @classmethod
    def from_nss(cls, observer: Any, rate: bool = False, reference_epoch: Any = 2016.0) -> Self:
        """The effect for the rows of Gaia's table ``nss_two_body_orbit``, joined to their sources.

        Its columns ``period`` (day), ``eccentricity``, ``t_periastron`` (day from the reference epoch) and
        ``a_thiele_innes``, ``b_thiele_innes``, ``f_thiele_innes``, ``g_thiele_innes`` (mas) are taken by name.

        Parameters
        ----------
        observer : `Observer`
            When the light is received.
        rate : bool
            Whether proper motions gain the instantaneous motion of the photocentre.
        reference_epoch : `~astropy.time.Time` or float (Julian year TCB)
            What ``t_periastron`` counts from.
        """
        a, b, f, g = map(ak.column, _NSS)
        return cls.from_thiele_innes(
            a, b, f, g, period=ak.column("period"), eccentricity=ak.column("eccentricity"),
            t_periastron=reference_epoch, periastron_delay=ak.column("t_periastron"), observer=observer, rate=rate,
        )  # fmt: skip

    # ---- columns -----------------------------------------------------------------------------------------

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """The parallax, where the size of the orbit is a length."""
        return frozenset({"parallax"}) if self.semi_major_axis is not None else frozenset()

    def bound(self, rows: Any) -> Self:
        return super(BinaryPhotocentre, self._for_columns_of(rows)).bound(rows)

    def unfit(self, rows: Any) -> dict[str, Any]:
        return super(BinaryPhotocentre, self._for_columns_of(rows)).unfit(rows)

    def _for_columns_of(self, rows: Any) -> Self:
        """Itself, or with the column of the size as the one of an angle, where its unit says so."""
        size = self.semi_major_axis
        if not hasattr(size, "name") or not _is_angle(rows[size.name]):  # type: ignore[union-attr]
            return self
        twin = object.__new__(type(self))
        twin._put(**{f.name: getattr(self, f.name) for f in fields(self)})
        twin._put(angular_semi_major_axis=size, semi_major_axis=None)
        return twin

    # ---- the orbit ---------------------------------------------------------------------------------------

    @cached_property
    def _elements(self) -> tuple[Array, Array, Array, Array]:
        """A, B, F, G of the photocentre in mas, or in au."""
        if self.thiele_innes is not None:
            a, b, f, g = self.thiele_innes.to_value(MAS)
            return a, b, f, g
        size = self.semi_major_axis.value if self.semi_major_axis is not None else self.angular_semi_major_axis.value  # type: ignore[union-attr]
        angles = (getattr(self, k).to_value(u.rad) for k in ("inclination", "node", "periastron"))
        return kepler.thiele_innes(size * self._share(), *angles)

    def _share(self) -> Array:
        """The fraction beta - B of the relative orbit, exactly zero where mass and light go together."""
        q = self.mass_ratio.value  # type: ignore[union-attr]
        if self.mass_to_light is not None:
            ratio = self.mass_to_light.value
            return q * (1.0 - ratio) / ((ratio + q) * (1.0 + q))
        light = self.flux_ratio.value  # type: ignore[union-attr]
        return (light - q) / ((1.0 + light) * (1.0 + q))

    @cached_property
    def _place(self) -> tuple[Array, Array]:
        """Displacement toward east and north, in the unit of the elements."""
        if self.rate:
            return self._plane[:2]
        return self._on_the_sky(*kepler.place(self._phase(_years(self.observer.obstime)), self.eccentricity.value))

    @cached_property
    def _rate(self) -> tuple[Array, Array]:
        """The rate of the displacement toward east and north per year, in the unit of the elements."""
        return self._plane[2:]

    @cached_property
    def _plane(self) -> tuple[Array, Array, Array, Array]:
        """Both of them, for which Kepler's equation is solved once."""
        return self._plane_at(_years(self.observer.obstime))

    def _phase(self, years: Array) -> Array:
        """Revolutions since a periastron passage."""
        since = (years - _years(self.t_periastron)) * _DAYS - self.periastron_delay.to_value(u.day)
        return since / self.period.to_value(u.day)

    def _plane_at(self, years: Array) -> tuple[Array, Array, Array, Array]:
        """Displacement toward east and north, and its rate per year, in the unit of the elements."""
        x, y, vx, vy = kepler.orbit(self._phase(years), self.eccentricity.value)
        n = 2.0 * np.pi * _DAYS / self.period.to_value(u.day)
        east, north = self._on_the_sky(vx, vy)
        return *self._on_the_sky(x, y), east * n, north * n

    def _on_the_sky(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Toward east and north what is along x and y in the plane of the orbit."""
        a, b, f, g = self._elements
        return b * x + g * y, a * x + f * y

    def _scale(self, stars: Any) -> Any:
        """What makes the elements mas: the parallax, where they are in au."""
        return 1.0 if self.semi_major_axis is None else stars.raw.parallax

    # ---- the map -----------------------------------------------------------------------------------------

    def forward(self, stars: Any) -> Any:
        r, scale = stars.raw.direction, self._scale(stars)
        east, north = self._place
        angle = scale * MAS_IN_RAD
        xi, eta = angle * east, angle * north
        cosine = 1.0 / np.sqrt(1.0 + (xi * xi + eta * eta))
        end = _toward(r, xi * cosine, eta * cosine, cosine)
        moved = arrived(stars, end, dot(stars.raw.proper_motion, end) / (1.0 + cosine))
        if not self.rate:
            return moved
        shrunk = scale * cosine
        gain = _toward(r, *(shrunk * rate for rate in self._rate))
        return moved.replace(proper_motion=moved.raw.proper_motion + gain)

    def backward(self, stars: Any) -> Any:
        end, scale = stars.raw.direction, self._scale(stars)
        east, north = self._place
        xi, eta = scale * MAS_IN_RAD * east, scale * MAS_IN_RAD * north
        start, lost = _before(end, xi, eta)
        if not self.rate:
            return stars.replace(direction=start).refuse(lost, _AT_POLE)
        shrunk = scale / np.sqrt(1.0 + xi * xi + eta * eta)
        gain = _toward(start, *(shrunk * rate for rate in self._rate))
        gain -= dot(gain, end) * end
        back = stars.replace(proper_motion=stars.raw.proper_motion - gain).replace(direction=start)
        return back.refuse(lost, _AT_POLE)

    # ---- for users ---------------------------------------------------------------------------------------

    def displacement(self, data: Any = None, obstime: Any = None) -> u.Quantity:
        """The photocentre's offset (east, north) from the centre of mass, on the tangent plane.

        Parameters
        ----------
        data : Stars, SkyCoord or table, optional
            The sources; not needed where the size is an angle and nothing comes from columns.
        obstime : `~astropy.time.Time` or float (Julian year TCB), optional
            One time, or one per row (any number for a single source: its track); that of the observer by default.

        Returns
        -------
        `~astropy.units.Quantity`, shape (2,) or (2, n)
            mas.
        """
        return self._seen(data, obstime)[:2] << MAS

    def motion(self, data: Any = None, obstime: Any = None) -> u.Quantity:
        """The instantaneous motion (east, north) of the photocentre about the centre of mass, in mas/yr.

        The arguments are those of `displacement`.
        """
        return self._seen(data, obstime)[2:] << MAS_YR

    def mean_motion_contamination(self, baseline: u.Quantity, data: Any = None, start: Any = None) -> u.Quantity:
        """The proper motion (east, north) that the orbit fakes between two observations.

        Parameters
        ----------
        baseline : `~astropy.units.Quantity`
            The time between them.
        data : Stars, SkyCoord or table, optional
            As for `displacement`.
        start : `~astropy.time.Time` or float (Julian year TCB), optional
            The first observation; the time of the observer by default.

        Returns
        -------
        `~astropy.units.Quantity`, shape (2,) or (2, n)
            mas/yr.

        Examples
        --------
        >>> import astropy.units as u
        >>> import astrokin as ak
        >>> binary = ak.effects.BinaryPhotocentre(period=4 * u.yr, semi_major_axis=10 * u.mas, mass_ratio=0.5,
        ...                                       flux_ratio=0.1, observer=ak.Observer(2016.0))
        >>> binary.mean_motion_contamination(2 * u.yr).round(3)
        <Quantity [-0.   ,  2.424] mas / yr>
        """
        years = float(raw_values(baseline, u.yr, "baseline"))
        if not years > 0.0:
            raise InputError(f"BinaryPhotocentre: baseline is {baseline}; a positive time is needed.")
        first, last = (self._seen(data, start, later)[:2] for later in (0.0, years))
        return (last - first) / years << MAS_YR

    def _seen(self, data: Any, obstime: Any, later: float = 0.0) -> Array:
        """Displacement and motion (4,) or (4, n) in mas and mas/yr, some years after a time."""
        if data is None and (self.column_names or self.needs):
            raise InputError("BinaryPhotocentre: the orbit depends on the sources: give data=.")
        stars = None if data is None else ak.Stars.of(data)
        effect = self if stars is None else self.bound(stars)
        scale = 1.0 if stars is None else effect._scale(stars)
        years = _years(effect.observer.obstime if obstime is None else obstime)
        if stars is not None and np.ndim(years) and len(years) != len(stars) > 1:
            raise InputError(
                f"BinaryPhotocentre: {len(years)} times for {len(stars)} sources; one for all or for each."
            )
        return np.stack(np.broadcast_arrays(*(scale * v for v in effect._plane_at(years + later))))

    @classmethod
    def examples(cls) -> Iterator[Self]:
        orbit: dict[str, Any] = {
            "inclination": 50 * u.deg, "node": 40 * u.deg, "periastron": 110 * u.deg, "t_periastron": 2014.3,
            "observer": ak.Observer(2017.31),
        }  # fmt: skip
        yield cls(2.2 * u.yr, 3 * u.au, 0.3, mass_ratio=0.7, flux_ratio=0.2, **orbit)
        yield cls(2.95 * u.yr, 40 * u.mas, 0.95, mass_ratio=0.7, mass_to_light=3.0, rate=True, **orbit)
        yield cls.from_thiele_innes(*(v * u.mas for v in (1.2, -0.4, 0.3, 2.1)), period=700 * u.day, eccentricity=0.6,
                                    t_periastron=2016.2, observer=orbit["observer"])  # fmt: skip


def _is_angle(value: Any) -> bool:
    unit = getattr(value, "unit", None)
    return unit is not None and unit.is_equivalent(u.rad)


def _years(time: Any) -> Any:
    if hasattr(time, "jd1"):
        return julian_years(time)
    years = np.asarray(getattr(time, "value", time), dtype=float)
    return years.sum(axis=1) if years.ndim > 1 else years  # a column of two doubles


def _before(end: Array, xi: Any, eta: Any) -> tuple[Array, NDArray[np.bool_]]:
    """The directions from which xi and eta (tangents) toward east and north lead to `end`; where that is not unique.

    Seen from above the pole, the star at right ascension 0 goes to (cos d - eta sin d, xi), and its height becomes
    sin d + eta cos d: two plane rotations to be turned back, once the length of the first is known.
    """
    factor = 1.0 + eta * eta
    size = np.sqrt(factor + xi * xi)
    x, y, height = end * size
    square = x * x + y * y - xi * xi
    over = eta * height
    level = np.sqrt(np.maximum(square, 0.0))
    # The way may have led over the pole, or have come from so near to it that round-off decides where from.
    lost = (over > 0.5 * _ROUND_OFF) & (level < over + _ROUND_OFF)
    lost |= square < 0.01 * xi * xi
    cosine = (level + over) / factor
    cosine /= square + xi * xi
    level_part, xi_part = cosine * level, cosine * xi
    start = np.stack([x * level_part + y * xi_part, y * level_part - x * xi_part, (height - eta * level) / factor])
    return normalised(start), lost


def _toward(r: NDArray, east: Any, north: Any, outward: Any = 0.0) -> NDArray:
    """The vectors (3, n) with these components toward east and north at unit vectors, and along them; also complex."""
    x, y, z = r
    rho = np.sqrt(plus(x * x, y * y))
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = 1.0 / rho
        a, b = scale * east, outward - scale * z * north
    out = np.empty(r.shape, np.result_type(r, east, north))
    np.multiply(b, x, out=out[0])
    out[0] -= a * y
    np.multiply(b, y, out=out[1])
    out[1] += a * x
    np.multiply(north, rho, out=out[2])
    out[2] += outward * z
    pole = rho == 0.0
    if pole.any():  # no right ascension: that of 0
        out[:2, pole] = np.stack(np.broadcast_arrays(-north * z, east + 0 * z))[:, pole]
    return out
