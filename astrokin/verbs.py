"""The verbs of every effect, written once: doors, missing and refused rows, covariance, blocks, counts."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from astrokin.angles import components, dot
from astrokin.covariance import Covariance
from astrokin.engines import memory
from astrokin.errors import InputError, MissingValueError, RefusedRowsError, RowsWarning, closest_first, some_rows
from astrokin.missing import all_finite, holds_nan
from astrokin.propagation import missing, propagated
from astrokin.stars import Stars
from astrokin.times import without_note_on_future
from astrokin.units import KM_S, MAS, MAS_IN_RAD, MAS_YR, overflow_allowed

if TYPE_CHECKING:
    from astrokin.effect_base import Effect

Array = NDArray[np.float64]

#: Standard deviation (km/s) of the prior that a missing radial velocity carries as "zero".
RV_PRIOR = 50.0
#: The reason for which rows are refused whose values leave the range of numbers.
OVERFLOW = "overflow"
_SIX = frozenset({"direction", "parallax", "proper_motion", "radial_velocity"})
_MISSING_RV = ("zero", "nan", "error")
_REFUSED = ("nan", "error")


@dataclass(frozen=True)
class Rules:
    """How a verb treats missing radial velocities and refused rows, and whether it shows progress."""

    missing_rv: str = "zero"
    refused: str = "nan"
    progress: bool = False

    def __post_init__(self) -> None:
        _check_word("missing_rv", self.missing_rv, _MISSING_RV)
        _check_word("refused", self.refused, _REFUSED)


def _check_word(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise InputError(f"{name} is {value!r}; it can be {', '.join(map(repr, closest_first(str(value), allowed)))}.")


def run(effect: Effect, verb: str, data: Any, rules: Rules) -> Any:
    """`apply` or `remove` an effect on any kind of data."""
    if isinstance(data, Stars):
        return run_on_stars(effect, verb, data, rules)
    from astrokin.tables import door

    entry = door(data)
    stars = entry.stars
    out = run_on_stars(effect, verb, stars, rules, angles=True)
    return entry.back(out, out.changed_since(stars))


def run_on_stars(effect: Effect, verb: str, stars: Stars, rules: Rules, angles: bool = False) -> Stars:
    """`apply` or `remove` an effect on stars, block by block; tell in one warning what was refused or flagged."""
    check_missing(effect, stars, rules)
    work = BlockRun(effect, verb, rules, angles)
    out = stars.rejoined(memory.map_blocks(work, stars, progress=rules.progress, label=f"{verb} {effect.name}"))
    _tell(effect, verb, stars, out, rules)
    with without_note_on_future():
        told = f"{verb} {effect!r}"
    return out.replace(history=(*stars.history, told))


@dataclass(frozen=True)
class BlockRun:
    """An effect on one block of stars: what the engines are handed. Picklable."""

    effect: Effect
    verb: str
    rules: Rules
    angles: bool = False

    def __call__(self, stars: Stars) -> Stars:
        gaps = _gaps(self.effect, stars, self.rules)
        start = stars if gaps is None else _filled(stars, gaps)
        # Of a chain only the outcome is looked at; and only if there is something, which step it was.
        careful = len(self.effect.steps) == 1 or start.raw.covariance is not None
        out = self._stepped(start, careful)
        if not careful and _suspicious(start, out):
            out = self._stepped(start, True)
        if gaps is not None:
            out = _emptied(out, gaps)
        if self.angles:
            out.raw.angle("ra"), out.raw.angle("pmra")  # here, while the block is in the cache
        return out

    def _stepped(self, stars: Stars, careful: bool) -> Stars:
        for step in self.effect.steps if self.verb == "apply" else reversed(self.effect.steps):
            for reason, mask in step.unfit(stars).items():
                stars = stars.refuse(mask, reason)
            stars = _stepped(step, self.verb, stars, careful)
        return stars


def _stepped(effect: Effect, verb: str, stars: Stars, careful: bool) -> Stars:
    with overflow_allowed():  # `unfit` has looked at the columns
        effect = effect.bound(stars)
        out = effect.forward(stars) if verb == "apply" else effect.backward(stars)
        _check_made(effect, "forward" if verb == "apply" else "backward", stars, out)
        if careful:
            out = _without_overflow(stars, out)
        if stars.raw.covariance is None:
            return out
        if verb == "apply":
            return out.replace(covariance=propagated(effect.jacobian(stars), stars, out, effect.noise(stars)))
        return _with_covariance_before(effect, stars, out)


def _check_made(effect: Effect, method: str, stars: Stars, out: Any) -> None:
    if not isinstance(out, Stars):
        raise InputError(f"{effect.name}: {method} returns {type(out).__name__}, not Stars.")
    if len(out) != len(stars):
        raise InputError(f"{effect.name}: {method} returns {len(out)} rows of {len(stars)}; each row needs one.")


def _without_overflow(before: Stars, after: Stars) -> Stars:
    """Refuse rows that the formula made infinite, or lost though nothing was missing."""
    bad: Any = False
    for name in after.changed_since(before) & _SIX:
        values = getattr(after.raw, name)
        if name == "direction" and _of_unit_length(values):
            continue
        if not all_finite(values):
            bad = bad | np.isinf(values).reshape(-1, len(after)).any(axis=0)
        if name == "direction":
            square = dot(values, values)  # too large to be normalised: zero, or NaN
            bad = bad | (~(square > 0.5) & ~missing(before).any(axis=1) & _not_refused(after))
    return after if bad is False else after.refuse(bad, OVERFLOW)


def _suspicious(before: Stars, after: Stars) -> bool:
    """Whether anything became infinite, or was lost though nothing was missing."""
    for name in after.changed_since(before) & _SIX:
        values = getattr(after.raw, name)
        if _of_unit_length(values) if name == "direction" else all_finite(values):
            continue
        complete = ~missing(before).any(axis=1) & _not_refused(after)
        if np.isinf(values).any() or np.isnan(values[..., complete]).any():
            return True
        if name == "direction" and not (dot(values, values)[complete] > 0.5).all():
            return True
    return False


def _of_unit_length(direction: Array) -> bool:
    """Whether all vectors are, in one look at the whole block."""
    flat = direction.ravel()
    return bool(abs(np.dot(flat, flat) - direction.shape[1]) < 0.25)


def _not_refused(stars: Stars) -> Any:
    return ~np.any([np.zeros(len(stars), bool), *stars.refused.values()], axis=0)


def _with_covariance_before(effect: Effect, observed: Stars, true: Stars) -> Stars:
    """The way back adds the effect's own uncertainty too: J^-1 (C + noise) J^-T."""
    forward = effect.jacobian(true)
    forward = np.where(np.isnan(forward), np.eye(6), forward)
    inverse: Any
    try:
        inverse = np.linalg.inv(forward)
    except np.linalg.LinAlgError:
        singular = np.linalg.slogdet(forward)[0] == 0.0
        inverse = np.linalg.inv(np.where(singular[:, None, None], np.eye(6), forward))
        true = true.refuse(singular, OVERFLOW)
    noise = effect.noise(true)
    carried = None if noise is None else inverse @ noise @ inverse.swapaxes(1, 2)
    return true.replace(covariance=propagated(inverse, observed, true, carried))


# ---- missing radial velocities ---------------------------------------------------------------------------


def check_missing(effect: Effect, stars: Stars, rules: Rules) -> None:
    """Raise where radial velocities are missing and the caller asked for an error."""
    if rules.missing_rv != "error" or "radial_velocity" not in effect.needs:
        return
    gaps = np.flatnonzero(np.isnan(stars.raw.radial_velocity))
    if gaps.size:
        raise MissingValueError(
            f"{effect.name} needs radial velocities; they are missing in {some_rows(gaps)}. "
            'missing_rv="zero" takes them as zero, "nan" leaves what depends on them missing.'
        )


def _gaps(effect: Effect, stars: Stars, rules: Rules) -> NDArray[np.bool_] | None:
    if rules.missing_rv != "zero" or "radial_velocity" not in effect.needs:
        return None
    velocity = stars.raw.radial_velocity
    return np.isnan(velocity) if holds_nan(velocity) or not len(velocity) else None


def _filled(stars: Stars, gaps: NDArray[np.bool_]) -> Stars:
    velocity = np.where(gaps, 0.0, stars.raw.radial_velocity)
    covariance = stars.covariance
    if covariance is None:
        return stars.replace(radial_velocity=velocity)
    matrix = np.array(covariance)
    matrix[gaps, 5, :] = matrix[gaps, :, 5] = 0.0
    matrix[gaps, 5, 5] = RV_PRIOR**2
    return stars.replace(radial_velocity=velocity, covariance=Covariance.trusted(matrix))


def _emptied(stars: Stars, gaps: NDArray[np.bool_]) -> Stars:
    out = stars.replace(radial_velocity=np.where(gaps, np.nan, stars.raw.radial_velocity))
    if out.covariance is None:
        return out
    matrix = np.array(out.covariance)
    matrix[gaps, 5, :] = matrix[gaps, :, 5] = np.nan
    return out.replace(covariance=Covariance.trusted(matrix))


# ---- what is told ----------------------------------------------------------------------------------------


def _tell(effect: Effect, verb: str, before: Stars, after: Stars, rules: Rules) -> None:
    warn_of(effect, verb, noted(effect, before, after, rules), len(after), stacklevel=6)


def _is_new(mask: NDArray[np.bool_], before: NDArray[np.bool_] | None) -> bool:
    return before is None or not np.array_equal(mask, before)


def noted(effect: Effect, before: Stars, after: Stars, rules: Rules) -> Counter[str]:
    """How many rows were refused, flagged or lost a value, by reason."""
    refused = {r: m for r, m in after.refused.items() if _is_new(m, before.refused.get(r))}
    if refused and rules.refused == "error":
        first, mask = next(iter(refused.items()))
        raise RefusedRowsError(f"{effect.name} refuses {some_rows(np.flatnonzero(mask))}: {first}.")
    counts = Counter({f"refused, {r}": int(m.sum()) for r, m in refused.items()})
    counts.update({r: int(m.sum()) for r, m in after.flags.items() if _is_new(m, before.flags.get(r))})
    counts.update(_losses(before, after, refused, rules))
    return counts


def warn_of(effect: Effect, verb: str, counts: Counter[str], n: int, stacklevel: int = 3) -> None:
    """Tell in one warning what was refused, flagged or lost, of n rows."""
    if counts:
        told = "; ".join(f"{k} of {n} rows: {reason}" for reason, k in counts.items())
        warnings.warn(f"{verb} {effect.name}: {told}.", RowsWarning, stacklevel=stacklevel)


def _losses(before: Stars, after: Stars, refused: dict[str, Any], rules: Rules) -> dict[str, int]:
    """Rows that lost a value because the effect needed another one that is missing, each under the first of these."""
    changed = after.changed_since(before)
    lost = np.zeros(len(before), bool)
    for name in ("direction", "parallax", "proper_motion", "radial_velocity"):
        if name in changed:
            new = np.atleast_2d(getattr(after.raw, name))[-1]
            if holds_nan(new):  # one quick look where nothing is missing
                lost |= np.isnan(new) & ~np.isnan(np.atleast_2d(getattr(before.raw, name))[-1])
    for mask in refused.values():
        lost &= ~mask
    if not lost.any():
        return {}
    raw, counts = before.raw, {}
    missing = {"proper motion": raw.proper_motion[0], "parallax": raw.parallax}
    if rules.missing_rv == "nan":
        missing["radial velocity"] = raw.radial_velocity
    for name, values in missing.items():
        counts[f"made NaN, no {name}"] = int((lost & np.isnan(values)).sum())
        lost &= ~np.isnan(values)
    counts["made NaN"] = int(lost.sum())
    return {reason: n for reason, n in counts.items() if n}


# ---- change ----------------------------------------------------------------------------------------------


def change(effect: Effect, data: Any, rules: Rules) -> Any:
    """What each step of an effect does to each observable, as a QTable."""
    from astropy.table import QTable, vstack

    stars = data if isinstance(data, Stars) else Stars.of(data)
    parts = []
    for step in effect.steps:
        after = run_on_stars(step, "apply", stars, rules)
        parts.append(_readable(QTable(_changes(step, stars, after))))
        stars = after
    return vstack(parts) if len(parts) > 1 else parts[0]


def _readable(table: Any) -> Any:
    for name in table.colnames[2:]:
        table[name].info.format = ".6g"
    return table


def _changes(effect: Effect, before: Stars, after: Stars) -> dict[str, Any]:
    east, north = _offsets(before.direction, after.direction)
    n = len(before)
    return {
        "effect": np.full(n, effect.name),
        "row": np.arange(n),
        "delta_ra_cosdec": east << MAS,
        "delta_dec": north << MAS,
        "delta_parallax": after.raw.parallax - before.raw.parallax << MAS,
        "delta_pmra": after.raw.angle("pmra") - before.raw.angle("pmra") << MAS_YR,
        "delta_pmdec": after.raw.angle("pmdec") - before.raw.angle("pmdec") << MAS_YR,
        "delta_radial_velocity": after.raw.radial_velocity - before.raw.radial_velocity << KM_S,
    }


def _offsets(start: Array, end: Array) -> tuple[Array, Array]:
    """East and north components (mas) of the great-circle displacement between unit vectors."""
    chord = end - start
    length = np.sqrt(dot(chord, chord))
    along = chord - dot(chord, start) * start
    size = np.sqrt(dot(along, along))
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.where(size > 0.0, 2.0 * np.arcsin(np.minimum(0.5 * length, 1.0)) / size, 1.0)
    east, north = components(along, start)
    return east * scale / MAS_IN_RAD, north * scale / MAS_IN_RAD
