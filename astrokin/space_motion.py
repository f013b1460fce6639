"""Pure kernels of uniform space motion: the standard astrometric model, its Jacobian, and SOFA's light-time model.

Written from the equations of the Hipparcos Catalogue (ESA 1997, vol. 1, 1.5.5), Butkevich & Lindegren (2014) and
the SOFA documentation of ``starpv``, ``starpm`` and ``pvstar``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import astropy.units as u
import numpy as np
from astropy.constants import c as _c
from numpy.typing import NDArray

from astrokin.angles import dot, plus
from astrokin.stars import Stars
from astrokin.units import KM_S, MAS, MAS_IN_RAD, MAS_YR, A

Array = NDArray[np.float64]

NO_PARALLAX = "no parallax: moved as if it were zero, and the radial velocity kept"
UNKNOWN_RATE = "radial velocity kept: its change needs a parallax above 5 sigma"
_SPEED_OF_LIGHT = float(_c.to_value(KM_S))
#: Light-travel time (Julian years) per kpc, that is for a parallax of 1 mas.
_LIGHT_YEARS = float((1 * u.kpc / _c).to_value(u.yr))


def _radial(raw: Any) -> Any:
    """Radial proper motion zeta = v_r parallax / A, rad/yr; zero where there is no parallax."""
    zeta = raw.radial_velocity * raw.parallax * (MAS_IN_RAD / A)
    return zeta if _all_there(raw.parallax) else np.where(np.isnan(raw.parallax), 0.0, zeta)


def _all_there(values: Array) -> bool:
    return not len(values) or not np.isnan(np.real(values).min())


def _kept(stars: Stars) -> NDArray[np.bool_] | None:
    """Rows whose parallax is too uncertain to say how the radial velocity changes; None where there is none."""
    parallax = np.real(stars.raw.parallax)
    covariance = stars.raw.covariance
    limit = 0.0 if covariance is None else 5.0 * np.nan_to_num(covariance.error("parallax"))
    bad = ~(parallax > 0.0) if covariance is None else (parallax < limit) | ~(parallax > 0.0)
    return bad if bad.any() else None


def _flagged(stars: Stars, kept: NDArray[np.bool_], parallax: Array) -> Stars:
    missing = np.isnan(parallax)
    moved = ~np.isnan(stars.raw.direction[2])
    return stars.flag(missing & moved, NO_PARALLAX).flag(kept & ~missing, UNKNOWN_RATE)


def standard_model(stars: Stars, t: float | Array) -> Stars:
    """Stars moved by `t` Julian years in a straight line, time being that of the light's arrival."""
    raw = stars.raw
    r, motion = raw.direction, raw.proper_motion
    stretch = _radial(raw) * t
    stretch += 1.0
    square = dot(motion, motion)
    square *= MAS_IN_RAD**2
    f = 1.0 / np.sqrt(stretch * stretch + square * (t * t))
    kept = _kept(stars)
    velocity = _velocity(raw, stretch, square, f, t)
    if kept is not None:
        velocity = np.where(kept, raw.radial_velocity, velocity)
    stretch = stretch * f
    place = plus(r * stretch, motion * (f * (t * MAS_IN_RAD)))
    cube = f * f
    stretch *= cube
    cube *= f
    cube *= square
    turned = plus(motion * stretch, r * (cube * (t / -MAS_IN_RAD)))
    changes = {"direction": place, "proper_motion": turned, "parallax": raw.parallax * f, "radial_velocity": velocity}
    out = stars.replace(exact=True, **changes)
    return out if kept is None else _flagged(out, kept, raw.parallax)


def _velocity(raw: Any, stretch: Array, square: Array, f: Array, t: float | Array) -> Array:
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        gain = square * (A * t / MAS_IN_RAD)
        gain = gain / raw.parallax
    velocity = raw.radial_velocity * stretch
    return plus(velocity, gain) * f


def jacobian(stars: Stars, t: float | Array) -> Array:
    """Derivatives (n, 6, 6) of `standard_model` in local tangent axes, in closed form."""
    after = standard_model(stars, t)
    model = _Differential(stars, after, t)
    by_column = np.empty((6, 6, len(stars)))
    for column, values in zip(by_column, model.columns(), strict=True):
        for row, value in zip(column, values, strict=True):
            row[:] = value
    return np.ascontiguousarray(by_column.transpose(2, 1, 0))


#: Components of a vector along the axes east, north, outward of the start; what is not there is zero.
_Vector = dict[int, Array]


class _Differential:
    """First-order changes of the six parameters after the motion, in the axes there."""

    def __init__(self, stars: Stars, after: Stars, t: float | Array) -> None:
        self.raw, self.after, self.t = stars.raw, after.raw, t
        self.kept = _kept(stars)
        self.zeta = _radial(self.raw)
        axes, ends = ((*raw.basis, raw.direction) for raw in (self.raw, self.after))
        self.turn = [[dot(end, axis) for axis in axes] for end in ends]
        self.motion = [dot(axis, self.raw.proper_motion) for axis in axes[:2]]
        self.motion_after = [dot(end, self.after.proper_motion) for end in ends[:2]]
        self.square = dot(self.raw.proper_motion, self.raw.proper_motion) * MAS_IN_RAD**2  # (rad/yr)^2
        self.stretch = 1.0 + self.zeta * t
        self.f = 1.0 / np.sqrt(self.stretch**2 + self.square * t * t)
        self.cube = self.f**3

    def columns(self) -> Iterator[list[Array]]:
        """What 1 mas east, 1 mas north, 1 mas of parallax, 1 mas/yr east and north, and 1 km/s outward become."""
        t, raw, stretch = self.t, self.raw, self.stretch
        for i, motion in enumerate(self.motion):
            # The proper motion goes along with the direction in parallel: outward by -(mu . dr).
            along = motion * -MAS_IN_RAD
            place = {i: stretch * MAS_IN_RAD, 2: along * (t * MAS_IN_RAD)}
            yield self._changes(place, {i: self.square * -t, 2: along * stretch})
        yield self._by_radial_motion(raw.radial_velocity, dparallax=1.0)
        for i, motion in enumerate(self.motion):
            dsquare = motion * (2.0 * MAS_IN_RAD**2)
            place = {i: np.full_like(stretch, MAS_IN_RAD) * t}
            yield self._changes(place, {i: stretch, 2: dsquare * (t / -MAS_IN_RAD)}, dsquare=dsquare)
        yield self._by_radial_motion(raw.parallax, dvelocity=1.0)

    def _by_radial_motion(self, factor: Array, dparallax: float = 0.0, dvelocity: float = 0.0) -> list[Array]:
        dstretch = factor * (self.t * MAS_IN_RAD / A)
        turned = {i: motion * dstretch for i, motion in enumerate(self.motion)}
        return self._changes({2: dstretch}, turned, dstretch, 0.0, dparallax, dvelocity)

    def _changes(
        self,
        place: _Vector,
        turned: _Vector,
        dstretch: Any = 0.0,
        dsquare: Any = 0.0,
        dparallax: float = 0.0,
        dvelocity: float = 0.0,
    ) -> list[Array]:
        """The six changes from those of r (1 + zeta t) + mu t and mu (1 + zeta t) - r mu^2 t."""
        dlog = self._toward(2, place) * -self.f  # df / f
        moved = [self._toward(i, place) * (self.f / MAS_IN_RAD) for i in range(2)]
        motions = [self._toward(i, turned) * self.cube + self.motion_after[i] * (3.0 * dlog) for i in range(2)]
        parallax = self.after.parallax * dlog + dparallax * self.f
        return [*moved, parallax, *motions, self._radial_velocity(dlog, dstretch, dsquare, dparallax, dvelocity)]

    def _toward(self, end: int, vector: _Vector) -> Array:
        """The component along an axis there."""
        return sum((self.turn[end][i] * value for i, value in vector.items()), start=np.zeros(()))

    def _radial_velocity(self, dlog: Array, dstretch: Any, dsquare: Any, dparallax: float, dvelocity: float) -> Array:
        raw = self.raw
        free = raw.radial_velocity * dstretch + dvelocity * self.stretch
        if dparallax or np.ndim(dsquare):
            with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
                gain = (dsquare - self.square * (dparallax / raw.parallax)) * (A * self.t / MAS_IN_RAD) / raw.parallax
            free = free + gain
        free = self.after.radial_velocity * dlog + self.f * free
        return free if self.kept is None else np.where(self.kept, dvelocity, free)


def rates(stars: Stars) -> dict[str, u.Quantity]:
    """Time derivatives (per Julian year) of what a catalogue lists; see `PerspectiveAcceleration.rates`."""
    raw = stars.raw
    east, north = raw.angle("pmra"), raw.angle("pmdec")
    zeta = _radial(raw)
    square = east**2 + north**2
    rho = np.sqrt(raw.direction[0] ** 2 + raw.direction[1] ** 2)
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        turn = east * raw.direction[2] / rho * MAS_IN_RAD
        speeding = np.where(raw.parallax > 0, A * square * MAS_IN_RAD / raw.parallax, np.nan)
    return {
        "radial_velocity_rate": speeding << KM_S / u.yr,
        "pm_rate": -2.0 * zeta * np.sqrt(square) << MAS_YR / u.yr,
        "pmra_rate": -2.0 * zeta * east + turn * north << MAS_YR / u.yr,
        "pmdec_rate": -2.0 * zeta * north - turn * east << MAS_YR / u.yr,
        "parallax_rate": -zeta * raw.parallax << MAS / u.yr,
    }


# ---- with light-travel time, as SOFA --------------------------------------------------------------------


def with_light_time(stars: Stars, t: float | Array) -> Stars:
    """Stars moved by `t` Julian years of observed time, with light-travel time and special relativity."""
    stars = stars.refuse(~(np.real(stars.raw.parallax) > 0.0), "no positive parallax, which light time needs")
    raw = stars.raw
    place, velocity = _inertial(raw)
    fast = np.real(dot(velocity, velocity)) > (0.5 * _light_speed()) ** 2
    if fast.any():
        stars = stars.refuse(fast, "faster than half the speed of light")
        raw = stars.raw
        place, velocity = _inertial(raw)
    before = np.sqrt(dot(place, place)) * _LIGHT_YEARS
    seen = place + velocity * (t + before)  # emission to emission; the arrival lies one light time later
    after = _light_time(seen, velocity)
    return _observed(stars, place + velocity * (t + before - after), velocity)


def _light_speed() -> float:
    return 1.0 / _LIGHT_YEARS  # kpc/yr


def _light_time(place: Any, velocity: Any) -> Any:
    c2 = _light_speed() ** 2
    along, square = dot(place, velocity), dot(velocity, velocity)
    return (np.sqrt(along * along + (c2 - square) * dot(place, place)) - along) / (c2 - square)


def _inertial(raw: Any) -> tuple[Any, Any]:
    """Place (kpc) and velocity (kpc/yr) from observed rates.

    The observed rates are the true ones over the Doppler factor; solved for the true ones in closed form:
    d = 2 / (1 + bt^2 + (1 - br)^2), with the observed radial and transverse rates in units of c.
    """
    distance = 1.0 / raw.parallax
    transverse = raw.proper_motion * (distance * MAS_IN_RAD * _LIGHT_YEARS)
    radial = raw.radial_velocity / _SPEED_OF_LIGHT
    across = dot(transverse, transverse)
    sum_ = 1.0 + across + (1.0 - radial) ** 2
    outward = (2.0 * radial - across - radial * radial) / sum_
    velocity = (outward * raw.direction + (2.0 / sum_) * transverse) * _light_speed()
    return raw.direction * distance, velocity


def _observed(stars: Stars, place: Any, velocity: Any) -> Stars:
    distance = np.sqrt(dot(place, place))
    r = place / distance
    beta = velocity * _LIGHT_YEARS
    radial = dot(beta, r)
    across = beta - radial * r
    square = dot(beta, beta)
    doppler = 1.0 + radial
    shift = -square / (np.sqrt(1.0 - square) + 1.0)
    return stars.replace(
        direction=r,
        parallax=1.0 / distance,
        proper_motion=across * (_light_speed() / (doppler * distance * MAS_IN_RAD)),
        radial_velocity=(radial - shift) / doppler * _SPEED_OF_LIGHT,
    )
