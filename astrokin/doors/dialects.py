"""How catalogues name their columns: Gaia, astropy, VizieR's Gaia, Hipparcos old and new."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import astropy.units as u

from astrokin.units import KM_S, MAS, MAS_YR, PARAMETERS

#: Pairs of parameters in the order of Gaia's correlation columns.
PAIRS = tuple(combinations(PARAMETERS, 2))


def error_name(parameter: str) -> str:
    """Gaia's name for the error of a parameter."""
    return f"{parameter}_error"


def corr_name(one: str, other: str) -> str:
    """Gaia's name for the correlation of two parameters."""
    return f"{one}_{other}_corr"


_VALUES = {"ra": u.deg, "dec": u.deg, "l": u.deg, "b": u.deg, "parallax": MAS, "distance": u.kpc,
           "pmra": MAS_YR, "pmdec": MAS_YR, "radial_velocity": KM_S, "epoch": u.yr}  # fmt: skip
ERRORS = {"ra": MAS, "dec": MAS, "parallax": MAS, "distance": u.kpc,
           "pmra": MAS_YR, "pmdec": MAS_YR, "radial_velocity": KM_S}  # fmt: skip

#: Everything a column can mean, with the fixed unit it is turned into.
MEANINGS: dict[str, u.UnitBase] = {
    **_VALUES,
    **{error_name(k): unit for k, unit in ERRORS.items()},
    **{corr_name(*p): u.dimensionless_unscaled for p in PAIRS},
}
#: Units that a column without one is taken to have, where they are not the fixed ones.
ASSUMED = {"distance": u.pc, "distance_error": u.pc}
#: Names that `names=` knows: the meanings, and the identifier.
OWN_NAMES = (*MEANINGS, "source_id")


@dataclass(frozen=True)
class Dialect:
    """How one family of catalogues names its columns, and what it leaves unsaid."""

    columns: Mapping[str, str]
    units: Mapping[str, u.UnitBase] = field(default_factory=dict)
    epoch: str | None = None
    mark: str | None = None  # the epoch is only meant where this column is there too

    def has(self, meanings: Sequence[str], table: Mapping[str, Any]) -> bool:
        """Whether the table has this dialect's columns for all the meanings."""
        return all(self.columns.get(m) in table for m in meanings)


def _vizier(ra: str, dec: str, pairs: str, **more: str) -> dict[str, str]:
    spelled = {"ra": ra, "dec": dec, "parallax": "Plx", "pmra": "pmRA", "pmdec": "pmDE"}
    errors = {error_name(k): f"e_{v}" for k, v in spelled.items()}
    short = {**spelled, "ra": "RA", "dec": "DE"}
    known = [p for p in PAIRS if "radial_velocity" not in p]
    return {
        **spelled,
        **errors,
        **{corr_name(a, b): pairs.format(short[a], short[b]) for a, b in known},
        **more,
    }


_GAIA = {**{m: m for m in MEANINGS}, "epoch": "ref_epoch", "source_id": "source_id"}
_ASTROPY = {**_GAIA, "pmra": "pm_ra_cosdec", "pmdec": "pm_dec",
            "pmra_error": "pm_ra_cosdec_error", "pmdec_error": "pm_dec_error"}  # fmt: skip
_IN_RADIAN = {"ra": u.rad, "dec": u.rad}

#: In the order in which they are asked. The dialect that gives the position is asked first for the rest.
DIALECTS = (
    Dialect(_GAIA),
    Dialect(_ASTROPY),
    Dialect(_vizier("RA_ICRS", "DE_ICRS", "{}{}cor", radial_velocity="RV", radial_velocity_error="e_RV")),
    Dialect(_vizier("RAICRS", "DEICRS", "{1}:{0}"), epoch="J1991.25"),
    Dialect(_vizier("RAdeg", "DEdeg", "{1}:{0}"), epoch="J1991.25", mark="HIP"),
    Dialect(_vizier("RArad", "DErad", "{1}:{0}"), units=_IN_RADIAN, epoch="J1991.25"),
    Dialect({k: v.upper() for k, v in _GAIA.items()}),
)
