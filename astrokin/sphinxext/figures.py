"""A figure of any effect or estimator, made from what its class declares."""

from __future__ import annotations

import warnings
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import angles, fit_plot, galaxy
from astrokin.errors import AstrokinWarning
from astrokin.source_estimator import sample_size
from astrokin.stage import Stage
from astrokin.stars import Stars

Array = NDArray[np.float64]

#: What `Effect.change` tells of: a title, and the column, or the two of a vector (east, north).
_PANELS = {
    "displacement": ("delta_ra_cosdec", "delta_dec"),
    "change of the proper motion": ("delta_pmra", "delta_pmdec"),
    "change of the parallax": ("delta_parallax",),
    "change of the radial velocity": ("delta_radial_velocity",),
}
_SCALES = {
    "angle": (u.deg, u.arcmin, u.arcsec, u.mas, u.uas),
    "angular speed": tuple(a / u.yr for a in (u.deg, u.arcsec, u.mas, u.uas)),
    "speed": (u.km / u.s, u.m / u.s, u.cm / u.s),
}
_DISTANCE = 10 * u.pc
SAMPLE = 5000  # stars in the fit of an estimator
_ROUND_OFF = 1e-7  # mas, mas/yr, km/s: less is not drawn


def caption(kind: str, instance: Any) -> str:
    """What the figure of an effect or estimator shows."""
    if kind == "estimator":
        n = sample_size(instance, SAMPLE)
        return f"``plot()`` of a fit to {n:,} stars that ``simulate`` drew from the estimator's own model."
    axes = "Galactic" if _is_galactic(instance) else "equatorial (ICRS)"
    shown = " ".join(repr(instance).split())
    return (
        f"What ``{shown}`` does to stars at {_DISTANCE.value:g} pc that are at rest in the local standard of "
        f"rest, over the whole sky in {axes} coordinates, longitude growing to the left."
    )


def drawable(cls: type) -> Any:
    """The first example whose parameters are no columns, unless it simulates them; None where there is none."""
    examples = cls.examples()  # type: ignore[attr-defined]
    return next((e for e in examples if not e.column_names or hasattr(e, "simulate")), None)


# ---- estimators ------------------------------------------------------------------------------------------


def of_estimator(instance: Any, n: int = SAMPLE) -> Any:
    """A figure of a fit to a simulated sample; None for an estimator that cannot simulate."""
    try:
        rows, _ = instance.simulate(sample_size(instance, n), np.random.default_rng(1))
    except NotImplementedError:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", AstrokinWarning)
        return instance.fit(rows).plot()


# ---- effects ---------------------------------------------------------------------------------------------


def of_effect(instance: Any) -> Any:
    """A figure of what an effect does over the sky, a panel for each observable that it changes; None for none.

    Examples
    --------
    >>> import astrokin as ak
    >>> from astrokin.sphinxext import figures
    >>> figure = figures.of_effect(ak.effects.ReflexMotion())
    >>> [ax.get_title() for ax in figure.axes if ax.name == "mollweide"]
    ['change of the proper motion', 'change of the radial velocity']
    """
    arrows, cells = _Sky(instance, _spread(180)), _Sky(instance, _grid(60, 120))
    panels = [title for title in _PANELS if arrows.sees(title)]
    if not panels:
        return None
    rows = -(-len(panels) // 2)
    figure = fit_plot.new_figure(10.0 if len(panels) > 1 else 6.0, 3.4 * rows)
    for i, title in enumerate(panels):
        ax = figure.add_subplot(rows, min(2, len(panels)), i + 1, projection="mollweide")
        sky, draw = (arrows, _vectors) if len(_PANELS[title]) == 2 else (cells, _scalars)
        values = sky.values(title)
        bar = figure.colorbar(draw(ax, sky, *values), ax=ax, orientation="horizontal", shrink=0.7, pad=0.06)
        bar.set_label(_label(values[0].unit))
        _dress(ax, title)
    return figure


def _is_galactic(instance: Any) -> bool:
    """Up to the star's own motion the Galaxy is the natural frame, from the observer's side on the equator."""
    return instance.stage < Stage.FRAME


class _Sky:
    """What an effect does to stars in given directions (longitude and latitude in radian, in its natural frame)."""

    def __init__(self, instance: Any, places: tuple[Array, Array]) -> None:
        self.longitude, self.latitude = places
        self.galactic = _is_galactic(instance)
        before = _at_rest(self._turned(_directions(*places), galaxy.to_icrs))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AstrokinWarning)
            self.change, after = instance.change(before), instance.apply(before)
        # The turning of the local axes is no change of the motion: the one before is carried along in parallel.
        carried = before.replace(direction=after.raw.direction).raw.proper_motion
        self.motion = after.raw.proper_motion - carried, after.raw.direction
        east, north = angles.tangent_basis(before.direction)
        shift = (self.change[name].value for name in _PANELS["displacement"])
        self.shift = next(shift) * east + next(shift) * north, before.raw.direction

    def _turned(self, vectors: Array, turn: Any) -> Array:
        return turn(vectors) if self.galactic else vectors

    def values(self, title: str) -> list[u.Quantity]:
        """A scalar, or the components of a vector along the axes of the frame, in a unit that suits its size."""
        names = _PANELS[title]
        unit = self.change[names[0]].unit
        values = [self.change[names[0]].value] if len(names) == 1 else self._components(title)
        return _in_suiting_unit([v << unit for v in values])

    def _components(self, title: str) -> list[Array]:
        vectors, places = self.shift if title == "displacement" else self.motion
        return list(angles.components(*(self._turned(v, galaxy.to_galactic) for v in (vectors, places))))

    def sees(self, title: str) -> bool:
        """Whether there is any change beyond round-off."""
        unit = self.change[_PANELS[title][0]].unit
        return _largest(self.values(title)).to_value(unit) > _ROUND_OFF


def _directions(longitude: Array, latitude: Array) -> Array:
    return np.stack([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])


def _at_rest(direction: Array) -> Stars:
    """Stars in given directions (ICRS axes), as the Sun sees what is at rest in the local standard of rest."""
    ra, dec = angles.longitude_latitude(direction)
    still = np.zeros(len(ra))
    stars = Stars(
        ra=ra * u.deg,
        dec=dec * u.deg,
        parallax=np.full(len(ra), _DISTANCE.to_value(u.mas, u.parallax())) * u.mas,
        pmra=still * u.mas / u.yr,
        pmdec=still * u.mas / u.yr,
        radial_velocity=still * u.km / u.s,
    )
    from astrokin.effects import ReflexMotion

    return ReflexMotion().apply(stars)


def _spread(n: int) -> tuple[Array, Array]:
    """Places that cover the sphere evenly (a Fibonacci spiral)."""
    k = np.arange(n) + 0.5
    longitude = (k * np.pi * (3.0 - np.sqrt(5.0)) + np.pi) % (2.0 * np.pi) - np.pi
    return longitude, np.arcsin(1.0 - 2.0 * k / n)


def _grid(rows: int, columns: int) -> tuple[Array, Array]:
    """The middles of cells of longitude and latitude, row by row."""
    longitude = (np.arange(columns) + 0.5) * 2.0 * np.pi / columns - np.pi
    latitude = (np.arange(rows) + 0.5) * np.pi / rows - np.pi / 2.0
    return np.tile(longitude, rows), np.repeat(latitude, columns)


def _in_suiting_unit(values: list[u.Quantity]) -> list[u.Quantity]:
    """The same in the largest unit in which they do not become small."""
    kind = next(k for k, units in _SCALES.items() if values[0].unit.is_equivalent(units[0]))
    size = _largest(values)
    unit = next((unit for unit in _SCALES[kind] if size.to_value(unit) >= 1.0), _SCALES[kind][-1])
    return [v.to(unit) for v in values]


def _largest(values: list[u.Quantity]) -> u.Quantity:
    return max(np.nanmax(np.abs(v.value), initial=0.0) for v in values) * values[0].unit


# ---- panels ----------------------------------------------------------------------------------------------


def _vectors(ax: Any, sky: _Sky, east: u.Quantity, north: u.Quantity) -> Any:
    size = np.hypot(east.value, north.value)
    seen = np.isfinite(size)
    x, y, size = -sky.longitude[seen], sky.latitude[seen], size[seen]
    turn = _screen_angle(ax, x, y, -east.value[seen] / np.cos(y), north.value[seen])
    arrows = ax.quiver(
        x, y, size, 0.0 * x, size, angles=turn, cmap="viridis", scale=14.0 * size.max(), width=0.0035, pivot="mid"
    )
    arrows.set_clim(0.0, size.max())
    return arrows


def _screen_angle(ax: Any, x: Array, y: Array, dx: Array, dy: Array) -> Array:
    """Angles (deg) of small steps as the map shows them."""
    step = 1e-4 / np.maximum(np.hypot(dx * np.cos(y), dy), 1e-300)
    start, end = (ax.transProjection.transform(np.stack([x + s * dx, y + s * dy], axis=1)) for s in (-step, step))
    return np.degrees(np.arctan2(*(end - start).T[::-1]))


def _scalars(ax: Any, sky: _Sky, values: u.Quantity) -> Any:
    rows = len(np.unique(sky.latitude))
    x, y, z = (np.reshape(a, (rows, -1)) for a in (-sky.longitude, sky.latitude, values.value))
    return ax.pcolormesh(x, y, z, **_colours(z), shading="nearest", rasterized=True)


def _colours(z: Array) -> dict[str, Any]:
    """From zero where all have one sign, else white at zero."""
    largest = float(np.nanmax(np.abs(z)))
    if np.nanmin(z) >= -1e-3 * largest:
        return {"cmap": "Reds", "vmin": 0.0, "vmax": largest}
    if np.nanmax(z) <= 1e-3 * largest:
        return {"cmap": "Blues_r", "vmin": -largest, "vmax": 0.0}
    return {"cmap": "RdBu_r", "vmin": -largest, "vmax": largest}


def _label(unit: u.UnitBase) -> str:
    return unit.to_string() if unit in (u.arcsec, u.arcmin, u.deg) else fit_plot.unit_label(unit)


def _dress(ax: Any, title: str) -> None:
    ax.set_title(title, fontsize="medium")
    marks = np.arange(-120, 121, 60)
    ax.set_xticks(np.radians(marks), [f"{(-m) % 360}°" for m in marks], fontsize="x-small", color="0.35")
    ax.set_yticks(np.radians([-60, -30, 0, 30, 60]))
    ax.tick_params(axis="y", labelsize="x-small", labelcolor="0.35")
    ax.grid(alpha=0.25)
