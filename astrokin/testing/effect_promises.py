"""What is promised of every effect: one check for each promise."""

from __future__ import annotations

import dataclasses
from itertools import pairwise
from typing import Any

import astropy.units as u
import numpy as np

from astrokin.chain import Chain
from astrokin.derivatives import differences_and_errors, displaced
from astrokin.errors import MissingValueError, RefusedRowsError
from astrokin.parameters import column
from astrokin.stars import Stars
from astrokin.testing import compare, contract, samples
from astrokin.testing.checks import Checks, broken, demand
from astrokin.testing.compare import FIELDS, ROUND_OFF, ROUND_TRIP, demand_same
from astrokin.testing.effect_case import EffectCase
from astrokin.units import MAS_IN_RAD, PARAMETERS

EFFECTS = Checks()
promise = EFFECTS.add(EffectCase)

_NEEDS = frozenset({"direction", "parallax", "proper_motion", "radial_velocity", "epoch"})

# ---- the class and its instances -------------------------------------------------------------------------


@promise
def declarations(case: EffectCase) -> None:
    """The class says its name, stage, needs and references, and documents itself and each parameter."""
    effect = case.effect
    contract.check_name_and_documentation(type(effect), effect, _NEEDS)
    stage = effect.stage
    demand(isinstance(stage, int) and not isinstance(stage, bool), f"the stage is {stage!r}, not an int or Stage")
    if not isinstance(effect, Chain):
        contract.check_parameters_documented(type(effect))


@promise
def runs(case: EffectCase) -> None:
    """It runs on plain stars: `forward` returns as many `Stars`, and so does `apply`."""
    stars = case.untried
    for verb, act in (("forward", case.effect.bound(stars).forward), ("apply", case.effect.apply)):
        after = act(stars)
        demand(isinstance(after, Stars), f"{verb} returns {type(after).__name__}, not Stars")
        demand(len(after) == len(stars), f"{verb} returns {len(after)} stars for {len(stars)}")


@promise
def frozen(case: EffectCase) -> None:
    """An effect cannot be changed once it is made."""
    contract.check_frozen(case.effect)


@promise
def value(case: EffectCase) -> None:
    """Effects with the same parameters are equal and hash the same; the repr names the class."""
    contract.check_value(case.effect)


@promise
def pickling(case: EffectCase) -> None:
    """An effect survives pickling, which clusters and process pools need, and then does the same."""
    twin = contract.check_pickled(case.effect)
    demand_same(twin.apply(case.stars), case.apply(case.stars), "after pickling", ROUND_OFF)


@promise
def units(case: EffectCase) -> None:
    """Parameters are checked when the effect is made: unit, shape and finiteness, by name."""
    contract.check_units(case.effect)


@promise
def per_row_parameters(case: EffectCase) -> None:
    """A parameter taken from a column does to each row what its value does to all; without one, a row is refused."""
    for name, spec in contract.quantity_specs(case.effect).items():
        values = _values_by_row(case, name, spec)
        names = _column_names(spec)
        columns = dict(zip(names, np.reshape(values, (len(names), -1)), strict=True))
        if spec.unit is not None:
            columns = {k: v << spec.unit for k, v in columns.items()}
        named = tuple(map(column, names)) if spec.shape else column(names[0])
        start = values if name == "reference_epoch" else case.stars.epoch
        stars = case.stars.replace(columns={**case.stars.columns, **columns}, epoch=start)
        seen = dataclasses.replace(case.effect, **{name: named}).apply(stars)
        for row in (0, len(stars) - 1):
            one = values[..., row] if spec.unit is None else values[..., row] << spec.unit
            single = dataclasses.replace(case.effect, **{name: float(one) if spec.unit is None else one})
            alike = stars.replace(epoch=float(one)) if name == "reference_epoch" else stars
            this = np.arange(len(stars)) == row
            demand_same(seen, single.apply(alike), f"{name} from a column", rows=this)
        _check_gap(case, dataclasses.replace(case.effect, **{name: named}), stars, name)


def _check_gap(case: EffectCase, effect: Any, stars: Stars, name: str) -> None:
    column_name = effect.column_names[0]
    holed = np.array(stars[column_name], copy=True) << getattr(stars[column_name], "unit", u.one)
    holed[1] = np.nan
    holed = holed if hasattr(stars[column_name], "unit") else holed.value
    after = effect.apply(stars.replace(columns={**stars.columns, column_name: holed}))
    refused = np.any([np.zeros(len(stars), bool), *after.refused.values()], axis=0)
    demand(refused[1], f"a row without a value of {name} in its column is not refused")
    demand_same(after, effect.apply(stars), f"{name} missing in another row", rows=np.arange(len(stars)) != 1)


def _column_names(spec: Any) -> list[str]:
    return [f"kit_parameter_{i}" for i in range(int(np.prod(spec.shape, dtype=int)))]


def _values_by_row(case: EffectCase, name: str, spec: Any) -> Any:
    value, n = getattr(case.effect, name), len(case.stars)
    if spec.kind == "epoch":
        return (value.tcb.jyear if hasattr(value, "tcb") else float(value)) - 1e-3 * np.arange(n)
    plain = np.asarray(value.to_value(spec.unit))
    by_row = plain[..., None] * (1.0 - 1e-3 * np.arange(n) / n)
    fits = spec.physical is None or np.all(spec.physical(by_row))
    return by_row if fits else np.broadcast_to(plain[..., None], (*plain.shape, n))


# ---- what comes out --------------------------------------------------------------------------------------


@promise
def input_untouched(case: EffectCase) -> None:
    """The stars that go in stay as they are, to the last bit, and the same stars give the same again."""
    stars = case.precise
    before = _bytes(stars)
    first = case.apply(stars)
    case.remove(case.observed)
    case.effect.change(stars)
    case.jacobian(stars)
    after = _bytes(stars)
    for name in before:
        demand(before[name] == after[name], f"{name} of the input has changed")
    demand_same(case.apply(stars), first, "applied again", dict.fromkeys(ROUND_OFF, (0.0, 0.0)))


def _bytes(stars: Stars) -> dict[str, bytes]:
    raw = stars.raw
    for name in ("ra", "pmra", "l", "pm_l", "uvw"):
        raw.angle(name)
    arrays = {**{k: getattr(raw, k) for k in FIELDS}, **{f"the column {k}": v for k, v in stars.columns.items()}}
    arrays.update({f"the view {k}": np.asarray(v) for k, v in stars._memo.items()})
    return {k: np.asarray(v).tobytes() for k, v in {**arrays, "covariance": stars.covariance}.items()}


@promise
def output(case: EffectCase) -> None:
    """Out come as many stars, with unit directions, tangent proper motions, and all their columns."""
    for verb, stars in (("apply", case.stars), ("remove", case.observed)):
        after = getattr(case.effect, verb)(stars)
        demand(isinstance(after, Stars) and len(after) == len(stars), f"{verb} gives {after!r} for {stars!r}")
        raw = after.raw
        for name in FIELDS:
            kind = getattr(raw, name).dtype
            demand(kind == np.float64, f"{verb}: {name} is {kind}, not float64")
        rows = ~np.isnan(raw.direction[0])
        length = np.sqrt((raw.direction**2).sum(axis=0))[rows]
        demand(
            (np.abs(length - 1.0) <= 1e-15).all(),
            f"{verb}: a direction has the length 1 + {np.abs(length - 1).max():.3g}",
        )
        radial = np.abs((raw.direction * raw.proper_motion).sum(axis=0))
        bad = radial > 1e-15 * np.maximum(1.0, compare.size(after, "proper_motion"))
        demand(not bad.any(), f"{verb}: a proper motion has a radial part of {np.nanmax(radial):.3g} mas/yr")
        demand(
            set(stars.columns) <= set(after.columns), f"{verb} loses columns: {set(stars.columns) - set(after.columns)}"
        )
        for name, values in stars.columns.items():
            same = np.asarray(after[name]).tobytes() == np.asarray(values).tobytes()
            demand(same or name in case.effect.column_names, f"{verb} changes the column {name!r}")


@promise
def untouched_fields(case: EffectCase) -> None:
    """What an effect does not change comes back bit-identical, not merely to round-off."""
    after = case.apply(case.stars)
    rows = case.usable(after)
    for name in FIELDS:
        apart = compare.distance(after, case.stars, name)[rows]
        limit = (1e-12 * np.maximum(compare.size(case.stars, name), 1e-3))[rows]
        if name == "direction":
            limit = np.full(len(apart), 1e-6)
        same = getattr(after.raw, name).tobytes() == getattr(case.stars.raw, name).tobytes()
        demand(
            same or (apart > limit).any() or not rows.all(),
            f"{name} is changed by round-off: {apart.max():.3g} {FIELDS[name]}",
        )
    if "direction" not in after.changed_since(case.stars):
        same = all(np.array_equal(after.raw.angle(k), case.stars.raw.angle(k)) for k in ("ra", "dec"))
        demand(same, "the direction is untouched, yet right ascension or declination are not")


@promise
def round_trip(case: EffectCase) -> None:
    """remove(apply(x)) is x: 1e-9 arcsec, and in proper motion 1e-9 mas/yr or 1e-13 of it."""
    after = case.apply(case.stars)
    demand_same(case.remove(after.without_notes()), case.stars, "remove(apply(x))", ROUND_TRIP, case.usable(after))


@promise
def round_trip_back(case: EffectCase) -> None:
    """apply(remove(y)) is y: 1e-9 arcsec, and in proper motion 1e-9 mas/yr or 1e-13 of it."""
    stars = case.observed.replace(covariance=None)
    before = case.remove(stars)
    demand_same(case.apply(before.without_notes()), stars, "apply(remove(y))", ROUND_TRIP, case.usable(before))


@promise
def jacobian(case: EffectCase) -> None:
    """The derivatives agree with independent differences to 1e-6 max(1, |J|)."""
    effect, stars = case.effect.bound(case.stars), case.stars
    own = effect.jacobian(stars)
    demand(np.shape(own) == (len(stars), 6, 6), f"the Jacobian has the shape {np.shape(own)}, not ({len(stars)}, 6, 6)")
    differences, error = differences_and_errors(effect.forward, stars)
    compare.demand_same_jacobian(own, differences, error, case.usable(case.apply(stars)))


@promise
def covariance(case: EffectCase) -> None:
    """The covariance that comes out is finite, symmetric, and without negative eigenvalues."""
    for verb, stars in (("apply", case.precise), ("remove", case.observed)):
        after = getattr(case.effect, verb)(stars)
        compare.demand_covariance(after.covariance[case.usable(after)], f"the covariance after {verb}")


@promise
def covariance_round_trip(case: EffectCase) -> None:
    """remove(apply(x)) has the covariance of x, and twice the noise that the effect adds."""
    stars = case.precise
    after = case.apply(stars)
    rows = case.usable(after)
    back = case.remove(after.without_notes())
    expected = np.asarray(stars.covariance)
    if len(case.effect.steps) == 1 and (noise := case.effect.bound(stars).noise(stars)) is not None:
        inverse = np.linalg.inv(case.jacobian(stars))
        expected = expected + 2.0 * inverse @ noise @ inverse.swapaxes(1, 2)
    compare.demand_same_covariance(back.covariance[rows], expected[rows], "remove(apply(x))", 1e-6)


@promise
def change(case: EffectCase) -> None:
    """`change` tells finite differences, observed minus true, a row per effect and star."""
    stars, steps = case.stars, case.effect.steps
    table = case.effect.change(stars)
    demand(len(table) == len(steps) * len(stars), f"change has {len(table)} rows for {len(stars)} stars")
    after = case.apply(stars)
    rows = case.usable(after)
    for name in ("ra_cosdec", "dec", "parallax", "pmra", "pmdec", "radial_velocity"):
        told = np.reshape(table[f"delta_{name}"].value, (len(steps), -1))
        demand(np.isfinite(told[:, rows]).all(), f"delta_{name} is not finite")
    told = np.reshape(table["delta_parallax"].value, (len(steps), -1)).sum(axis=0)
    apart = np.abs(told - (after.raw.parallax - stars.raw.parallax))[rows]
    demand((apart <= 1e-9).all(), f"delta_parallax is off by {apart.max():.3g} mas")


@promise
def tables(case: EffectCase) -> None:
    """A table comes back as a table of the same columns, with the numbers that stars give."""
    from astropy.table import QTable

    table = case.stars.to_table()
    after = case.apply(table)
    demand(type(after) is QTable and after.colnames == table.colnames, f"a QTable comes back as {type(after).__name__}")
    demand_same(Stars.of(after), case.apply(case.stars), "through a table")


# ---- rows are on their own -------------------------------------------------------------------------------


@promise
def blocks(case: EffectCase) -> None:
    """Each row is on its own: any partition into blocks, of one row or of none, gives the whole."""
    for verb, limits in (("apply", ROUND_OFF), ("remove", ROUND_TRIP)):
        stars = case.precise if verb == "apply" else case.observed
        act = getattr(case.effect, verb)
        whole = act(stars)
        n = len(stars)
        for name, ends in {
            "single rows": range(1, n),
            "blocks of 7": range(7, n, 7),
            "empty blocks": (0, n // 3, n // 3),
        }.items():
            edges = (0, *ends, n)
            parts = [act(stars[a:b]) for a, b in pairwise(edges)]
            joined: Any = Stars.joined(parts)
            demand_same(joined, whole, f"{verb} in {name}", limits)
            compare.demand_same_covariance(joined.covariance, whole.covariance, f"{verb} in {name}", 1e-9)


@promise
def row_order(case: EffectCase) -> None:
    """Rows in another order give the same rows in that order."""
    order = np.random.default_rng(5).permutation(len(case.stars))
    demand_same(case.apply(case.stars[order]), case.apply(case.stars)[order], "apply in another order", ROUND_OFF)
    observed = case.observed
    order = order[order < len(observed)]
    demand_same(case.remove(observed[order]), case.remove(observed)[order], "remove in another order", ROUND_TRIP)


@promise
def zero_rows(case: EffectCase) -> None:
    """No stars give no stars, with and without covariance."""
    for stars in (case.stars[:0], case.precise[:0]):
        after = case.apply(stars)
        demand(len(after) == 0, f"apply gives {len(after)} rows for none")
        demand(len(case.remove(case.observed[:0])) == 0, "remove gives rows for none")
        demand(len(case.effect.change(stars)) == 0, "change gives rows for none")
        shape = np.shape(case.jacobian(stars))
        demand(shape == (0, 6, 6), f"the Jacobian of no stars has the shape {shape}, not (0, 6, 6)")


@promise
def poles_and_seam(case: EffectCase) -> None:
    """At the poles and at right ascension 0 = 360 deg the effect is finite and continuous."""
    stars = samples.at_seams(case.stars)
    after = case.apply(stars)
    rows = case.usable(after)
    for name, gap in compare.gaps(after).items():
        demand(not (gap & rows).any(), f"{name} is NaN at ra, dec = {samples.SEAMS[int(np.argmax(gap & rows))]} deg")
    slope = np.abs(case.jacobian(stars))
    demand(np.isfinite(slope[rows]).all(), "the Jacobian is not finite")
    step = 1e-3  # mas
    reach = {n: step * slope[:, [PARAMETERS.index(p) for p in ps], :2].sum(axis=(1, 2)) for n, ps in _PARTS.items()}
    reach["proper_motion"] += reach["direction"] * MAS_IN_RAD * compare.size(after, "proper_motion")  # turns along
    for axis in (0, 1):
        for sign in (1.0, -1.0):
            near = case.apply(displaced(stars, axis, sign * step))
            both = rows & case.usable(near)
            for name in FIELDS:
                apart = compare.distance(near, after, name)
                bad = both & ~(apart <= 2.0 * reach[name] + 1e-6 * np.maximum(1.0, compare.size(after, name)))
                if bad.any():
                    row = int(np.flatnonzero(bad)[0])
                    place = samples.SEAMS[row]
                    broken(
                        f"{name} jumps by {apart[row]:.3g} {FIELDS[name]} within {step} mas of ra, dec = {place} deg"
                    )


_PARTS = {
    "direction": ("ra", "dec"),
    "parallax": ("parallax",),
    "proper_motion": ("pmra", "pmdec"),
    "radial_velocity": ("radial_velocity",),
}

# ---- what is missing, and what is out of the domain ------------------------------------------------------


@promise
def missing_values(case: EffectCase) -> None:
    """What is missing stays missing and harms no other row; nothing is raised unless asked for."""
    for verb, stars in (("apply", case.precise), ("remove", case.observed)):
        holes = np.arange(len(stars)) % 3 == 0
        act = getattr(case.effect, verb)
        whole = act(stars)
        for name in FIELDS:
            values: Any = np.array(getattr(stars.raw, name))
            values[..., holes] = np.nan
            holed = stars.replace(**{name: values})
            for rule in ("zero", "nan"):
                after = act(holed, missing_rv=rule)
                what = f'{verb} without {name}, missing_rv="{rule}"'
                demand_same(after, whole, f"{what}: rows that lack nothing", ROUND_TRIP, ~holes)
                demand(compare.gaps(after)[name][holes].all(), f"{what}: a missing {name} has become a number")
                known = after.covariance[~holes & case.usable(after)]
                demand(np.isfinite(known).all(), f"{what}: the covariance of rows that lack nothing is not finite")
    _check_missing_radial_velocity(case)


def _check_missing_radial_velocity(case: EffectCase) -> None:
    holes = np.arange(len(case.stars)) % 3 == 0
    holed = case.stars.replace(radial_velocity=np.where(holes, np.nan, case.stars.raw.radial_velocity))
    if "radial_velocity" not in case.effect.needs:
        case.apply(holed, missing_rv="error")
        return
    filled = case.apply(holed.replace(radial_velocity=np.where(holes, 0.0, case.stars.raw.radial_velocity)))
    others = {k: v for k, v in ROUND_OFF.items() if k != "radial_velocity"}
    demand_same(case.apply(holed), filled, 'missing_rv="zero"', others)
    try:
        case.apply(holed, missing_rv="error")
    except MissingValueError:
        return
    broken('missing_rv="error" raises no MissingValueError')


@promise
def parallaxes(case: EffectCase) -> None:
    """Zero and negative parallaxes are data: computed there and back, or refused or flagged by a reason."""
    stars = case.stars
    kind = np.arange(len(stars)) % 3
    odd = stars.replace(parallax=np.select([kind == 0, kind == 1], [0.0, -0.3], stars.raw.parallax))
    after = case.apply(odd)
    refused = np.any([np.zeros(len(odd), bool), *after.refused.values()], axis=0)
    for name, gap in compare.gaps(after).items():
        silent = gap & ~refused
        demand(not silent.any(), f"{name} is silently NaN at a parallax of {odd.raw.parallax[silent][:1]} mas")
    demand_same(after, case.apply(stars), "rows of positive parallax", ROUND_OFF, kind == 2)
    demand_same(
        case.remove(after.without_notes()), odd, "remove(apply(x))", ROUND_TRIP, (kind != 2) & case.usable(after)
    )
    if refused.any():
        try:
            case.apply(odd, refused="error")
        except RefusedRowsError:
            return
        broken('refused="error" raises no RefusedRowsError')
