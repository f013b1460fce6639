"""From a table's columns to `Stars` and back, for every kind of table, by way of a `Schema`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import astropy.units as u
import numpy as np
from numpy.typing import NDArray

from astrokin import angles, galaxy
from astrokin.covariance import Covariance
from astrokin.doors.columns import New
from astrokin.doors.dialects import MEANINGS, PAIRS, corr_name, error_name
from astrokin.doors.kinds import Kind
from astrokin.doors.names import Schema
from astrokin.errors import InputError, some_rows
from astrokin.star_fields import frozen
from astrokin.stars import Stars
from astrokin.times import julian_years
from astrokin.units import KM_S, MAS, MAS_YR, PARAMETERS, plain_values

Array = NDArray[np.float64]
Needs = frozenset[str] | None

#: What `changed` of the doors can name.
CHANGES = frozenset({"direction", "parallax", "proper_motion", "radial_velocity", "covariance", "epoch"})

# ---- in --------------------------------------------------------------------------------------------------


def stars_from(
    kind: Kind, table: Any, schema: Schema, needs: Needs = None, columns: Sequence[str] | None = None
) -> Stars:
    """Make stars of a table (or a block of one) whose columns are known.

    Parameters
    ----------
    kind : Kind
        How this kind of table gives its columns.
    table : table
        The table.
    schema : Schema
        What its columns mean.
    needs : frozenset of str, optional
        Which of parallax, proper_motion, radial_velocity and covariance are wanted; all of them if not given.
        Position and epoch always are.
    columns : sequence of str, optional
        Which extra columns are wanted; all of them if not given.
    """
    reader = _Reader(kind, table, schema, needs)
    ra, dec, pmra, pmdec = reader.sky()
    parallax, velocity = reader.parallax(), reader.value("radial_velocity")
    names = schema.extras if columns is None else columns
    return Stars(
        ra=ra << u.deg,
        dec=dec << u.deg,
        parallax=None if parallax is None else parallax << MAS,
        pmra=None if pmra is None else pmra << MAS_YR,
        pmdec=None if pmdec is None else pmdec << MAS_YR,
        radial_velocity=None if velocity is None else velocity << KM_S,
        covariance=reader.covariance(parallax),
        epoch=reader.epoch(),
        columns={name: _lent(kind.column(table, schema.extra(name))) for name in names},
    )


def _lent(column: Any) -> Any:
    return frozen(column) if isinstance(column, np.ndarray) else column


class _Reader:
    """The parameters of one table, in the fixed units."""

    def __init__(self, kind: Kind, table: Any, schema: Schema, needs: Needs) -> None:
        self.kind, self.table, self.schema = kind, table, schema
        self.meanings = schema.meanings(needs)

    def value(self, meaning: str) -> Array | None:
        if meaning not in self.meanings:
            return None
        place = self.schema.places[meaning]
        what = meaning if place.column == meaning else f"{meaning} (column {place.column!r})"
        try:
            values = plain_values(self.kind.numbers(self.table, place.column), what)
        except InputError as error:
            raise InputError(f"{error}{_first_word(self.kind.column(self.table, place.column))}") from None
        return frozen(values if place.factor == 1.0 else values * place.factor)  # frozen, so that it is not copied

    def sky(self) -> tuple[Array, Array, Array | None, Array | None]:
        pmra, pmdec = self.value("pmra"), self.value("pmdec")
        lon, lat = (self.value(m) for m in self.schema.position)
        assert lon is not None
        assert lat is not None
        if self.schema.position == ("ra", "dec"):
            return lon, lat, pmra, pmdec
        still = np.zeros(len(lon))
        direction, _ = angles.vectors(lon, lat, still, still)
        return (*angles.longitude_latitude(galaxy.to_icrs(direction)), pmra, pmdec)

    def parallax(self) -> Array | None:
        distance = self.value("distance")
        return self.value("parallax") if distance is None else inverse(distance, "distance")

    def covariance(self, parallax: Array | None) -> Covariance | None:
        errors = {p: e for p in PARAMETERS if (e := self.value(error_name(p))) is not None}
        spread = self.value("distance_error")
        if spread is not None and parallax is not None:
            errors["parallax"] = spread * parallax**2
        for name, values in errors.items():
            _refuse_negative(values, error_name(name))
        pairs = {p: c for p in PAIRS if (c := self.value(corr_name(*p))) is not None}
        return Covariance(errors=errors, correlations=pairs) if errors else None

    def epoch(self) -> Any:
        if "epoch" not in self.meanings:
            return self.schema.epoch
        column = self.kind.numbers(self.table, self.schema.places["epoch"].column)
        return plain_values(julian_years(column) if hasattr(column, "jd1") else column, "epoch")


def _first_word(column: Any) -> str:
    """Where text that is no number stands in a column, for an error; nothing where there is none."""
    for row, value in enumerate(np.ma.getdata(column).tolist() if hasattr(column, "tolist") else ()):
        if isinstance(value, str) and value and not _is_number(value):
            return f" The first that is none is {value!r} in row {row}."
    return ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def inverse(values: Array, name: str) -> Array:
    """1/x (distance in kpc to parallax in mas and back); what is not positive is an error."""
    with np.errstate(invalid="ignore", divide="ignore"):
        out = 1.0 / values
    if len(values) and not values.min() > 0.0:
        bad = np.flatnonzero(~(values > 0.0) & ~np.isnan(values))
        if bad.size:
            raise InputError(f"{name} is not positive in {some_rows(bad)}: mark missing values as NaN.")
    return out


def _refuse_negative(values: Array, name: str) -> None:
    if len(values) and not values.min() >= 0.0 and (values < 0.0).any():
        raise InputError(
            f"{name} is negative in {some_rows(np.flatnonzero(values < 0.0))}; NaN marks an unknown error."
        )


# ---- out -------------------------------------------------------------------------------------------------


def changed_columns(
    stars: Stars, schema: Schema, changed: frozenset[str], added: frozenset[str] | None = None
) -> dict[str, New]:
    """The columns of a table that have to be written anew after some fields of its stars changed.

    Parameters
    ----------
    stars : Stars
        The new stars.
    schema : Schema
        What the table's columns mean.
    changed : frozenset of str
        The fields that changed (see `CHANGES`).
    added : frozenset of str, optional
        The meanings to add where the table has no column for them; if not given, those with a finite value.

    Returns
    -------
    dict of str to New
        By the table's column name (Gaia's for added ones), each in the unit of its column.
    """
    values = _values(stars, schema, _checked_changes(changed))
    out = {}
    for meaning, array in values.items():
        place = schema.places.get(meaning)
        if place is not None:
            out[place.column] = New(array if place.factor == 1.0 else array / place.factor, place.unit)
        elif meaning in (new_meanings(values, schema) if added is None else added):
            out[added_name(meaning)] = New(array, MEANINGS[meaning])
    return out


def added_names(stars: Stars, schema: Schema, changed: frozenset[str]) -> frozenset[str]:
    """The meanings for which a table of this schema gets a new column, going by these stars."""
    return new_meanings(_values(stars, schema, _checked_changes(changed)), schema)


def added_name(meaning: str) -> str:
    """The name under which a column is added to a table that has none of this meaning: Gaia's."""
    return "ref_epoch" if meaning == "epoch" else meaning


def new_meanings(values: Mapping[str, Array], schema: Schema) -> frozenset[str]:
    """Which of the values the table has no column for, although they say something."""
    new = {m for m, v in values.items() if m not in schema.places and _says_something(m, v)}
    known = new | schema.places.keys()
    return frozenset(m for m in new if all(p in known for p in _parameters_of(m)))


def _says_something(meaning: str, values: Array) -> bool:
    told = np.isfinite(values)
    return bool((told & (values != 0.0)).any() if meaning.endswith("_corr") else told.any())


def _parameters_of(meaning: str) -> tuple[str, ...]:
    if meaning.endswith("_error"):
        return (meaning.removesuffix("_error"),)
    return next((p for p in PAIRS if corr_name(*p) == meaning), ())


def _checked_changes(changed: frozenset[str]) -> frozenset[str]:
    if not changed <= CHANGES:
        raise InputError(f"changed has {sorted(changed - CHANGES)}; it can have {', '.join(sorted(CHANGES))}.")
    return changed


def _values(stars: Stars, schema: Schema, changed: frozenset[str]) -> dict[str, Array]:
    """Every quantity that changed, by its meaning, in the fixed units."""
    raw, out = stars.raw, {}
    if "direction" in changed:
        out.update({m: raw.angle(m) for m in schema.position})
    if changed & {"direction", "proper_motion"}:  # a new direction carries the proper motion along
        out.update(pmra=raw.angle("pmra"), pmdec=raw.angle("pmdec"))
    if "parallax" in changed:
        out.update(_parallax(raw.parallax, schema))
    if "radial_velocity" in changed:
        out["radial_velocity"] = raw.radial_velocity
    if "covariance" in changed and raw.covariance is not None:
        out.update(_covariance(raw.covariance, raw.parallax, schema))
    if "epoch" in changed and raw.epoch is not None:
        out["epoch"] = np.broadcast_to(np.asarray(raw.epoch, float), len(stars)).copy()
    return out


def _parallax(parallax: Array, schema: Schema) -> dict[str, Array]:
    if "distance" not in schema.places:
        return {"parallax": parallax}
    return {"distance": inverse(parallax, "parallax (which this table holds as a distance)")}


def _covariance(covariance: Covariance, parallax: Array, schema: Schema) -> dict[str, Array]:
    out = {error_name(p): covariance.error(p) for p in PARAMETERS if covariance.knows(p)}
    if "distance" in schema.places and "parallax_error" in out:
        out["distance_error"] = out.pop("parallax_error") / parallax**2
    if "ra" not in schema.places:  # with l and b there are no columns whose errors these would be
        out.pop("ra_error", None), out.pop("dec_error", None)
    return {**out, **correlations(covariance)}


def correlations(covariance: Covariance) -> dict[str, Array]:
    """The correlations that are stored, by Gaia's names; NaN where an error is unknown or zero."""
    out = {}
    with np.errstate(invalid="ignore", divide="ignore"):
        for one, other in PAIRS:
            if covariance.correlated(one, other):
                scale = covariance.error(one) * covariance.error(other)
                out[corr_name(one, other)] = covariance.element(one, other) / scale
    return out
