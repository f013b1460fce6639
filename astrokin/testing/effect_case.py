"""An effect with the stars to try it on."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from astrokin.effect_base import Effect
from astrokin.stars import Stars
from astrokin.testing import samples
from astrokin.testing.checks import broken, demand, having_run
from astrokin.units import MAS_YR


class EffectCase:
    """An effect, and made-up stars (or those given) in its domain, at the epoch it starts from.

    Parameters
    ----------
    effect : Effect
    stars : Stars, optional
        Stars of the effect's domain, where the kit's own, all over the sky, are not.
    """

    def __init__(self, effect: Effect, stars: Stars | None = None) -> None:
        self.effect: Any = effect  # a frozen dataclass, of which a type checker does not know
        self._given = stars

    @cached_property
    def untried(self) -> Stars:
        """Stars with everything known, without covariance, as yet untried."""
        stars = samples.field_stars(epoch=self._epoch) if self._given is None else self._given.replace(covariance=None)
        return stars.replace(columns={**self._columns(len(stars)), **stars.columns})

    @cached_property
    def stars(self) -> Stars:
        """The same stars; at least some of them are in the effect's domain."""
        stars = self.untried
        with having_run():
            usable = self.usable(self.apply(stars))
        demand(usable.any(), "every star is refused or flagged: give stars= in the effect's domain")
        return stars

    @property
    def _epoch(self) -> Any:
        starts = (getattr(step, "reference_epoch", None) for step in self.effect.steps)
        return next((e for e in starts if e is not None and not hasattr(e, "name")), 2016.0)

    def _columns(self, n: int) -> dict[str, Any]:
        """The columns that parameters of the example name, filled with the parameters' defaults."""
        if self._given is not None:
            return {}
        found = {}
        for step in self.effect.steps:
            defaults = {k: getattr(type(step), k, None) for k, _ in step.specs()}
            for name, default in defaults.items():
                column = getattr(step, name)
                if hasattr(column, "name") and column.name in step.column_names:
                    if default is None:
                        broken(f"{name} is the column {column.name!r} without a default: give stars= that have it")
                    found[column.name] = np.full(n, default)
        return found

    @cached_property
    def precise(self) -> Stars:
        """The same stars with covariance, parallaxes good to a few per cent."""
        given = None if self._given is None else self._given.covariance
        return self.stars.replace(covariance=samples.covariances(self.stars) if given is None else given)

    @cached_property
    def observed(self) -> Stars:
        """Other stars where the effect leads to, with covariance: what `remove` starts from."""
        after = self.apply(self.precise)
        after = after[self.usable(after)]
        raw = after.raw
        turned = [np.roll(v, 1) for v in (raw.parallax, raw.angle("pmra"), raw.angle("pmdec"), raw.radial_velocity)]
        east, north = raw.basis
        return after.replace(
            parallax=turned[0],
            proper_motion=(turned[1] * east + turned[2] * north) << MAS_YR,
            radial_velocity=turned[3],
            covariance=samples.covariances(after.replace(parallax=turned[0])),
        ).without_notes()

    def apply(self, stars: Any, **rules: Any) -> Any:
        """The effect applied."""
        return self.effect.apply(stars, **rules)

    def remove(self, stars: Any, **rules: Any) -> Any:
        """The effect removed."""
        return self.effect.remove(stars, **rules)

    def jacobian(self, stars: Stars) -> NDArray[np.float64]:
        """The effect's own Jacobian, parameters bound."""
        return self.effect.bound(stars).jacobian(stars)

    @staticmethod
    def usable(after: Stars) -> NDArray[np.bool_]:
        """Rows that were neither refused nor flagged."""
        masks = [*after.refused.values(), *after.flags.values()]
        return ~np.any(masks, axis=0) if masks else np.ones(len(after), bool)
