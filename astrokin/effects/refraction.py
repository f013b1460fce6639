"""Atmospheric refraction: the air lifts a star toward the zenith, blue light more than red."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

import astrokin as ak
from astrokin import bending
from astrokin.angles import components, dot, plus
from astrokin.errors import InputError

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

_NO_TURN = "time beyond the tables of the Earth's rotation"
_BOILING = "a pressure at which water boils, with vapour in it"
#: An air for the arithmetic of rows that are refused.
_SOME_AIR = {"pressure": 1000.0, "temperature": 10.0, "wavelength": 0.6}


@dataclass(frozen=True)
class AtmosphericRefraction(ak.Effect):
    r"""The lifting of a star toward the zenith by the air, or what of it is left between two colours.

    Light bends toward the denser air, so that a star at the true zenith distance z is seen at z - R. In vector form,
    with the zenith u in the axes of the direction r, and :math:`c = \mathbf r\cdot\mathbf u = \cos z`,

    .. math::

        \mathbf r' \propto \mathbf r + k(c)\,\mathbf u, \qquad k = \frac{\sin R}{\sin(z - R)},

    which needs no trigonometric function of a star and is smooth at the zenith. R depends on the air at the observer
    and, by its refractivity :math:`n(\lambda) - 1`, on the wavelength (source 004, "Astrophysical and Environmental
    Contamination"). With `reference_wavelength` what is left is differential chromatic refraction,

    .. math::

        R = R_\lambda(z) - R_{\lambda_0}(z) \approx [n(\lambda) - n(\lambda_0)]\,\tan z,

    how much higher a star of the wavelength ``observer.obswl`` stands than one of the reference wavelength in the
    same place: what remains in positions relative to stars of that colour, and what fakes a parallax if it changes
    with the season.

    With ``model="refco"`` R is ERFA's :math:`A\tan z' + B\tan^3 z'` of the zenith distance z' seen, solved for z as in
    its ``atioq``, which is also astropy's; optical, infrared, and radio beyond 100 micron. It is good to 8 mas rms down
    to an altitude of 15 deg and 0.6 arcsec at 10 deg, and ends at 2.87 deg (a sine of 0.05), below which ERFA goes on
    with a constant. With ``model="integral"`` it is a quadrature along the ray,

    .. math::

        R = -\int \frac{n'}{n}\,\tan\psi\,dr = -p\int\frac{n'}{n^2r\,(n + rn')}\,dq, \qquad
        q = nr\cos\psi,\quad p = nr\sin\psi,

    through a spherical atmosphere of two layers in hydrostatic balance: 6.5 K/km to 11 km, isothermal to 80 km, vapour
    falling off as :math:`T^{18.36}` (Hohenkerk & Sinclair 1985), on the local radius of curvature. The refractivity at
    the ground is Ciddor's (1996), for 0.3 to 1.7 micron, with 450 ppm of carbon dioxide, good to a few 1e-8, which is
    6 mas at 45 deg. It is valid from the zenith to 1 deg below the horizon, where real air differs from any model by a
    per cent and more, and read off a table that is good to 1e-16 rad.

    Parameters
    ----------
    observer : Observer
        Where (an ``EarthLocation``) and when, and the air: `pressure`, `temperature`, `relative_humidity` (to liquid
        water) and the wavelength `obswl` (in vacuum), all of them given; each may come from a column. A band and a
        spectrum have an effective wavelength, `~astrokin.effective_wavelength`.
    reference_wavelength : `~astropy.units.Quantity`, optional
        That of the stars relative to which positions are measured; not given: all of the refraction.
    model : {"refco", "integral"}
        See above.

    Raises
    ------
    InputError
        Something that is no observer, or none on the ground; an air that was not given, or for which the model does not
        hold; no air (a pressure of zero: leave the effect out).

    Notes
    -----
    Domain: directions above the lowest altitude of the model. Rows below, rows of a column of airs for which the model
    does not hold, and times beyond the tables of the Earth's rotation are refused, by reason. The directions are the
    apparent ones in ICRS axes, after aberration (the observer's velocity in `annual-aberration` includes the turning of
    the Earth). The proper motion is carried along in parallel. The way back solves the effect's own equation, to
    round-off; ERFA's inverse, ``atoiq``, is another approximation (35 µas off at 30 deg of altitude). The integral for
    an air of each row is taken row by row, which needs some 20 µs a star; for one air, also with a wavelength of each
    row, it is read from tables.

    Examples
    --------
    >>> import astropy.units as u
    >>> from astropy.coordinates import EarthLocation
    >>> import astrokin as ak
    >>> paranal = EarthLocation.from_geodetic(-70.4, -24.6, 2635 * u.m)
    >>> observer = ak.Observer("2026-03-21 05:00", paranal, pressure=743 * u.hPa, temperature=10 * u.deg_C,
    ...                        relative_humidity=0.1, obswl=0.55 * u.micron)
    >>> star = ak.Stars(ra=[210] * u.deg, dec=[-60] * u.deg)
    >>> seen = ak.effects.AtmosphericRefraction(observer).displacement(star)
    >>> seen["zenith_distance"].round(2), seen["toward_zenith"].round(2)
    (<Quantity [40.18] deg>, <Quantity [36.02] arcsec>)
    >>> blue = ak.effects.AtmosphericRefraction(observer, reference_wavelength=0.65 * u.micron, model="integral")
    >>> blue.displacement(star)["toward_zenith"].to(u.mas).round(1)
    <Quantity [196.3] mas>
    """

    name = "atmospheric-refraction"
    stage = ak.Stage.ATMOSPHERE
    references = (
        "source-004",
        "hohenkerk-sinclair-1985",
        "2000AJ....119.2472A",
        "1996ApOpt..35.1566C",
        "1982PASP...94..715F",
        "erfa-refco",
    )

    observer: Any = ak.observer_parameter(doc="where and when the light is received, and in what air")
    reference_wavelength: Any = ak.parameter(
        None,
        unit=u.micron,
        doc="of the stars relative to which positions are measured",
        physical=lambda x: x > 0,
        domain="a positive wavelength",
    )
    model: str = ak.option("refco", allowed=("refco", "integral"), doc="ERFA's constants, or a quadrature")

    def __post_init__(self) -> None:
        super().__post_init__()
        _demand_ground(self.observer)
        _demand_air(self.observer)
        air = self._air()
        for name, values in air.items():
            if not hasattr(values, "name") and name != "humidity":  # a column is looked at when it is bound
                self._demand(name, values)
        moist = [air[k] for k in ("pressure", "temperature", "humidity")]
        if not any(hasattr(value, "name") for value in moist) and bending.boiling(*moist):
            raise InputError(f"AtmosphericRefraction.observer has air of {_BOILING}.")

    def _demand(self, name: str, values: Any) -> None:
        what = "wavelength" if name in ("obswl", "reference_wavelength") else name
        bad, reason = bending.outside(self.model, what, values)
        if np.any(bad):
            where = "" if name == "reference_wavelength" else "observer."
            taken = self.model == "integral" and not np.any(bending.outside("refco", what, values)[0])
            advice = '; model="refco" takes it' if taken else ""
            raise InputError(
                f"AtmosphericRefraction.{where}{name} is {values:g} {bending.DOMAINS[self.model][what][2]}: "
                f"{reason}{advice}."
            )

    def _air(self) -> dict[str, Any]:
        """Pressure (hPa), temperature (deg C), humidity and wavelengths (micron); columns as they are."""
        units = {"pressure": u.hPa, "temperature": u.deg_C, "relative_humidity": u.one, "obswl": u.micron}
        values = {name: _plain(getattr(self.observer, name), unit) for name, unit in units.items()}
        values["humidity"] = values.pop("relative_humidity")
        if self.reference_wavelength is not None:
            values["reference_wavelength"] = _plain(self.reference_wavelength, u.micron)
        return values

    # ---- there and back ----------------------------------------------------------------------------------

    def forward(self, stars: Any) -> Any:
        here, bend, refused = self._here
        r = stars.raw.direction
        c = dot(r, here.zenith)
        low = np.real(c) < bend.lowest
        pull = bend.pull(_inside(c, bend.lowest))
        place = plus(here.zenith * pull, r)
        return _refuse(stars.replace(direction=place), {**refused, self._too_low: low})

    def backward(self, stars: Any) -> Any:
        here, bend, refused = self._here
        seen = stars.raw.direction
        c = dot(seen, here.zenith)
        lowest = bending.seen_cosine(bend.lowest, bend.pull(bend.lowest + np.zeros(1)))
        low = c < lowest
        c = _inside(c, lowest)
        k = bend.pull(bending.solved(lambda x: bending.seen_cosine(x, bend.pull(x)), c, c))
        length = k * c + np.sqrt(1.0 - k * k * (1.0 - c * c))
        return _refuse(stars.replace(direction=seen * length - here.zenith * k), {**refused, self._too_low: low})

    @property
    def _too_low(self) -> str:
        return bending.lowest_in_words(self.model)

    @cached_property
    def _here(self) -> tuple[Any, Any, dict[str, Mask]]:
        """The horizon, the bending there, and rows that have neither, by reason."""
        here = self.observer.horizon()
        air, refused = self._usable()
        refused[_NO_TURN] = here.outside
        return here, self._bending((here.sine_latitude, here.height), air), refused

    def _usable(self) -> tuple[dict[str, Any], dict[str, Mask]]:
        air = self._air()
        refused: dict[str, Mask] = {}
        for name, values in air.items():
            if np.ndim(values) and name != "humidity":
                what = "wavelength" if name in ("obswl", "reference_wavelength") else name
                bad, reason = bending.outside(self.model, what, values)
                refused[reason] = refused.get(reason, np.zeros(len(bad), bool)) | bad
                air[name] = np.where(bad | np.isnan(values), _SOME_AIR[what], values)
        refused[_BOILING] = bending.boiling(*(np.nan_to_num(air[k]) for k in ("pressure", "temperature", "humidity")))
        air["humidity"] = np.where(refused[_BOILING], 0.0, np.nan_to_num(air["humidity"]))[()]
        return {name: _common(values) for name, values in air.items()}, refused

    def _bending(self, place: tuple[float, float], air: dict[str, Any]) -> Any:
        common = air["pressure"], air["temperature"], air["humidity"]
        waves = [air[k] for k in ("obswl", "reference_wavelength") if k in air]
        if self.model == "refco":
            models: list[Any] = [bending.Refco(*common, w) for w in waves]
        elif any(np.ndim(value) for value in common):
            models = [bending.Integral(place, w, *common) for w in waves]
        elif not any(map(np.ndim, waves)):
            return bending.tabulated(place, _floats(common), tuple(map(float, waves)))
        else:
            models = [bending.in_one_air(place, _floats(common), w) for w in waves]
        return models[0] if len(models) == 1 else bending.Difference(*models)

    # ---- for the reader ----------------------------------------------------------------------------------

    def displacement(self, data: Any) -> Any:
        """How far the effect displaces each source, along the vertical and in right ascension and declination.

        Parameters
        ----------
        data : Stars, `~astropy.coordinates.SkyCoord` or table

        Returns
        -------
        `~astropy.table.QTable`, n rows
            ``zenith_distance`` (true, deg), ``toward_zenith`` (arcsec; negative for a star redder than the reference),
            ``delta_ra_cosdec`` and ``delta_dec`` (arcsec, ICRS). NaN for rows that are refused.

        Warns
        -----
        RowsWarning
            Rows were refused; the message counts them by reason.
        """
        from astropy.table import QTable

        stars = data if hasattr(data, "raw") else ak.Stars.of(data)
        change = self.change(stars)
        zenith = self.bound(stars).observer.horizon().zenith
        east, north = change["delta_ra_cosdec"].to(u.arcsec), change["delta_dec"].to(u.arcsec)
        r = stars.raw.direction
        c = dot(r, zenith)
        up = components(zenith - c * r, r)
        sine = np.hypot(*up)
        toward = (east * up[0] + north * up[1]) / np.where(sine > 0.0, sine, 1.0)
        table = QTable(
            {
                "zenith_distance": np.degrees(np.arctan2(sine, c)) << u.deg,
                "toward_zenith": toward,
                "delta_ra_cosdec": east,
                "delta_dec": north,
            }
        )
        for name in table.colnames:
            table[name].info.format = ".6g"
        return table

    @classmethod
    def examples(cls) -> Iterator[Self]:
        from astropy.coordinates import EarthLocation

        paranal = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)
        air = {"pressure": 743 * u.hPa, "temperature": 10 * u.deg_C, "relative_humidity": 0.1}
        observer = ak.Observer(2026.2, paranal, **air, obswl=0.55 * u.micron)
        yield cls(observer, model="integral")
        yield cls(observer)
        yield cls(observer, reference_wavelength=0.65 * u.micron)
        yield cls(observer, reference_wavelength=0.65 * u.micron, model="integral")


def _demand_ground(observer: Any) -> None:
    place = observer.location
    if isinstance(place, str) or observer.position is not None:
        where = "a position of its own" if observer.position is not None else repr(place)
        raise InputError(
            f"AtmosphericRefraction.observer has {where}, where there is no air: give location=EarthLocation(…)."
        )
    height = place.geodetic[2].to_value(u.m)
    low, high = bending.GROUND
    if not low <= height <= high:
        raise InputError(
            f"AtmosphericRefraction.observer is not on the ground: its height is {height:.6g} m, and {low:g} to "
            f"{high:g} m is allowed."
        )


def _demand_air(observer: Any) -> None:
    missing = observer.air_not_given
    if missing:
        raise InputError(
            f"AtmosphericRefraction.observer: {', '.join(missing)} not given; refraction needs all of ak.Observer(…, "
            "pressure=743 * u.hPa, temperature=10 * u.deg_C, relative_humidity=0.1, obswl=0.55 * u.micron)."
        )


def _plain(value: Any, unit: Any) -> Any:
    return value.to_value(unit) if hasattr(value, "to_value") else value


def _floats(air: tuple[Any, Any, Any]) -> tuple[float, float, float]:
    return float(air[0]), float(air[1]), float(air[2])


def _common(values: Any) -> Any:
    """One number where all rows have the same."""
    return values[0] if np.ndim(values) and len(values) and (values == values[0]).all() else values


def _inside(c: Any, lowest: Any) -> Any:
    """The cosines with some allowed one for rows that have none."""
    fine = np.real(c) >= lowest
    return c if fine.all() else np.where(fine, c, 1.0)


def _refuse(stars: Any, refused: dict[str, Mask]) -> Any:
    for reason, mask in refused.items():
        if mask.any():
            stars = stars.refuse(np.broadcast_to(mask, len(stars)), reason)
    return stars
