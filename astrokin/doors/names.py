"""Which column of a table means what: the names of Gaia, Hipparcos and astropy, and the caller's own.

`resolve` reads the column names and units of a table once and answers with a `Schema`, which then serves
every block of that table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import astropy.units as u

from astrokin.doors.dialects import (
    ASSUMED,
    DIALECTS,
    ERRORS,
    MEANINGS,
    OWN_NAMES,
    PAIRS,
    Dialect,
    corr_name,
    error_name,
)
from astrokin.errors import InputError, MissingColumnError, UnknownNameError, closest_first
from astrokin.times import julian_years


@dataclass(frozen=True)
class Place:
    """Where a quantity stands in a table: column, its unit (None: not said), the factor to the fixed unit."""

    column: str
    unit: u.UnitBase | None
    factor: float


@dataclass(frozen=True)
class Schema:
    """What the columns of one table mean; made once, used for every block of it."""

    places: Mapping[str, Place]
    extras: Mapping[str, str]  # our name → the table's
    epoch: float | None = None  # what the catalogue is known to have, where no column says it

    @property
    def position(self) -> tuple[str, str]:
        """The meanings that give the position: ra and dec, or l and b."""
        return ("ra", "dec") if "ra" in self.places else ("l", "b")

    def wanted(self, needs: frozenset[str] | None, columns: Sequence[str] | None) -> list[str]:
        """The table's columns that the needed parameters and extra columns take, each once."""
        used = [self.places[m].column for m in self.meanings(needs)]
        names = self.extras if columns is None else columns
        self._check_extras(names)
        return list(dict.fromkeys([*used, *(self.extra(name) for name in names)]))

    def meanings(self, needs: frozenset[str] | None) -> list[str]:
        """What the table's columns mean, as far as it is needed; position and epoch always are."""
        return [m for m in self.places if needs is None or m in _meanings_of(needs)]

    def extra(self, name: str) -> str:
        """The table's name of an extra column."""
        self._check_extras([name])
        return self.extras[name]

    def _check_extras(self, names: Iterable[str]) -> None:
        missing = [name for name in names if name not in self.extras]
        if missing:
            what = f"column{'s' if len(missing) > 1 else ''} {_quoted(missing)}"
            raise MissingColumnError(f"The table has no extra {what}; it has: {_listed(missing, self.extras)}.")


_NEEDED = {
    "parallax": ("parallax", "distance"),
    "proper_motion": ("pmra", "pmdec"),
    "radial_velocity": ("radial_velocity",),
    "covariance": tuple(m for m in MEANINGS if m.endswith(("_error", "_corr"))),
}


def _meanings_of(needs: frozenset[str]) -> set[str]:
    always = {"ra", "dec", "l", "b", "epoch"}
    return always.union(*(_NEEDED.get(need, ()) for need in needs))


def resolve(units: Mapping[str, u.UnitBase | None], names: Mapping[str, str] | None = None) -> Schema:
    """Find out what the columns of a table mean.

    Precedence: what `names` says; then the first dialect (Gaia, astropy, Hipparcos) that has both columns of
    the position, which is asked first for everything else too; then the other dialects. A pair (position,
    proper motion) comes from one dialect, an error from the dialect of its value, a correlation where both
    errors do. A parallax goes before a distance, unless `names` asks for the distance.

    Parameters
    ----------
    units : mapping of str to unit or None
        The table's columns, with their units where it has them.
    names : mapping of str to str, optional
        The table's own names: ``{"ra": "ra_deg"}``. The error of a column named so is looked for under
        ``"<column>_error"`` only, or is named too.

    Returns
    -------
    Schema
        Columns without a unit get Gaia's (a distance: pc).

    Raises
    ------
    MissingColumnError
        No position, or a column that `names` asks for is not there.
    UnknownNameError
        A key of `names` that means nothing here.
    InputError
        A unit of the wrong kind, or `names` with both a parallax and a distance.

    Examples
    --------
    >>> from astrokin.doors.names import resolve
    >>> schema = resolve({"ra_deg": None, "dec": None, "parallax": None, "age": None}, names={"ra": "ra_deg"})
    >>> schema.places["ra"].column, list(schema.extras)
    ('ra_deg', ['age'])
    """
    own = _checked_names(names or {}, units)
    order = _by_position(own, units)
    found: dict[str, tuple[str, Dialect | None]] = {m: (column, None) for m, column in own.items() if m in MEANINGS}
    for family in _families(own):
        _look_up(family, order, units, found)
    _need_position(found, units)
    _errors(found, units)
    _epoch_column(found, order, units)
    places = {m: _place(m, *found[m], units) for m in MEANINGS if m in found}
    return Schema(places, _extras(places, own, units), _implied_epoch(found, units))


def _checked_names(names: Mapping[str, str], units: Mapping[str, Any]) -> dict[str, str]:
    out = {}
    if not isinstance(names, Mapping) or not all(isinstance(text, str) for pair in names.items() for text in pair):
        raise InputError(f"names= maps astrokin's names to the table's own, such as {{'ra': 'RA'}}, not {names!r}.")
    for name, column in names.items():
        mine = _canonical(name)
        if mine is None:
            raise UnknownNameError(
                f"names= maps astrokin's names to the table's own; {name!r} is none of astrokin's. "
                f"Known, closest first: {_listed([name], OWN_NAMES)}."
            )
        out[mine] = column
    if {"parallax", "distance"} <= out.keys():
        raise InputError(
            f"names= gives both a parallax ({out['parallax']!r}) and a distance ({out['distance']!r}): "
            "name the one to use."
        )
    missing = {name: column for name, column in names.items() if column not in units}
    if missing:
        asked = ", ".join(f"{column!r} as {name!r}" for name, column in missing.items())
        raise MissingColumnError(
            f"names= asks for the column{'s' if len(missing) > 1 else ''} {asked}, which the table does not have. "
            f"It has, closest first: {_listed(list(missing.values()), units)}."
        )
    return out


def _canonical(name: str) -> str | None:
    if name in OWN_NAMES:
        return name
    turned = {corr_name(b, a): corr_name(a, b) for a, b in PAIRS}
    return turned.get(name)


def _families(own: Mapping[str, str]) -> list[tuple[str, ...]]:
    # What names= gives leaves nothing to look up: a distance asked for stands in the place of a parallax.
    position = [] if {"l", "b"} & own.keys() and not {"ra", "dec"} & own.keys() else [("ra", "dec")]
    parallax = [] if "distance" in own and "parallax" not in own else [("parallax",)]
    return [*position, ("l", "b"), *parallax, ("distance",), ("pmra", "pmdec"), ("radial_velocity",)]


def _by_position(own: Mapping[str, str], units: Mapping[str, Any]) -> list[Dialect]:
    open_ones = [m for m in ("ra", "dec") if m not in own] or ["ra", "dec"]
    return sorted(DIALECTS, key=lambda d: not d.has(open_ones, units))


#: A meaning that is not looked for where another is there.
_INSTEAD_OF = {"l": "ra", "b": "ra", "distance": "parallax"}


def _look_up(
    family: tuple[str, ...],
    order: Sequence[Dialect],
    units: Mapping[str, Any],
    found: dict[str, tuple[str, Dialect | None]],
) -> None:
    if _INSTEAD_OF.get(family[0]) in found:
        for meaning in family:
            found.pop(meaning, None)
        return
    open_ones = [m for m in family if m not in found]
    for dialect in order:
        if dialect.has(open_ones, units):
            found.update({m: (dialect.columns[m], dialect) for m in open_ones})
            return


def _need_position(found: Mapping[str, Any], units: Mapping[str, Any]) -> None:
    if {"ra", "dec"} <= found.keys() or {"l", "b"} <= found.keys():
        return
    there = [a for a in _OTHER if a in found or not units.keys().isdisjoint(_spelled(a))]
    missing = [_OTHER[there[0]]] if there else ["ra", "dec"]
    tried = " and ".join(f"{m!r} (looked for {', '.join(_spelled(m))})" for m in missing)
    wanted = ", ".join(f"{m!r}: '…'" for m in missing)
    several = len(missing) > 1
    raise MissingColumnError(
        f"The table has no column{'s' if several else ''} for {tried}. It has, closest first: "
        f"{_listed(missing, units)}. Say which {'they are' if several else 'one it is'} with names={{{wanted}}}."
    )


#: What goes missing where only the other coordinate is there.
_OTHER = {"ra": "dec", "dec": "ra", "l": "b", "b": "l"}


def _spelled(meaning: str) -> list[str]:
    return list(dict.fromkeys(d.columns[meaning] for d in DIALECTS if meaning in d.columns))


def _errors(found: dict[str, tuple[str, Dialect | None]], units: Mapping[str, Any]) -> None:
    for parameter in ERRORS:
        if parameter in found:
            column, dialect = found[parameter]
            own = dialect.columns.get(error_name(parameter)) if dialect else f"{column}_error"
            if own in units:
                found.setdefault(error_name(parameter), (str(own), dialect))
    for pair in PAIRS:
        one, other = (found.get(error_name(p), ("", None))[1] for p in pair)
        spelled = _correlation_column(one, other, pair, units)
        if spelled is not None:
            found.setdefault(corr_name(*pair), (spelled, found[error_name(pair[0])][1]))


def _correlation_column(
    one: Dialect | None, other: Dialect | None, pair: tuple[str, str], units: Mapping[str, Any]
) -> str | None:
    spelled = "" if one is None else one.columns.get(corr_name(*pair), "")
    if other is None or other.columns.get(corr_name(*pair)) != spelled:
        return None
    return next((name for name in (spelled, spelled.replace(":", "_")) if name in units), None)


def _epoch_column(
    found: dict[str, tuple[str, Dialect | None]], order: Sequence[Dialect], units: Mapping[str, Any]
) -> None:
    for dialect in order:
        if dialect.columns.get("epoch") in units:
            found.setdefault("epoch", (dialect.columns["epoch"], dialect))


def _implied_epoch(found: Mapping[str, tuple[str, Dialect | None]], units: Mapping[str, Any]) -> float | None:
    dialect = found["ra"][1] if "ra" in found else None
    if "epoch" in found or dialect is None or dialect.epoch is None or dialect.mark not in (None, *units):
        return None
    from astropy.time import Time

    return float(julian_years(Time(dialect.epoch, scale="tt")))


def _place(meaning: str, column: str, dialect: Dialect | None, units: Mapping[str, u.UnitBase | None]) -> Place:
    unit, fixed = units[column], MEANINGS[meaning]
    assumed = (dialect.units if dialect else {}).get(meaning) or ASSUMED.get(meaning, fixed)
    if meaning == "epoch" and isinstance(unit, u.UnrecognizedUnit):
        unit = None  # some of Gaia's files spell it "Time[Julian Years]"
    try:
        factor = float((assumed if unit is None else unit).to(fixed))
    except (u.UnitsError, TypeError, ValueError):
        raise InputError(f"The column {column!r} ({meaning}) is in {unit}, no unit of the kind of {fixed}.") from None
    if meaning == "epoch" and factor != 1.0:
        raise InputError(f"The column {column!r} (epoch) is in {unit}; epochs are Julian years, such as 2016.0.")
    return Place(column, unit, factor)


def _extras(places: Mapping[str, Place], own: Mapping[str, str], units: Mapping[str, Any]) -> dict[str, str]:
    taken = {p.column for p in places.values()}
    identifier = own.get("source_id")
    extras = {name: name for name in units if name not in taken and name != identifier}
    return extras if identifier is None else {**extras, "source_id": identifier}


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def _listed(missing: Sequence[str], known: Any, limit: int = 12) -> str:
    """The known names, those closest to any of the missing ones first."""
    nearest = [closest_first(name, map(str, known)) for name in missing]
    names = list(dict.fromkeys(name for level in zip(*nearest, strict=True) for name in level))
    return (", ".join(names[:limit]) or "nothing") + (f" and {len(names) - limit} more" if len(names) > limit else "")
