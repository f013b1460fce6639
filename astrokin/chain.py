"""`Chain`: effects one after the other, in the order in which light meets them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import pairwise
from typing import Any, ClassVar, Self

from astrokin.effect_base import Effect
from astrokin.errors import InputError, StageOrderError
from astrokin.parameters import value_key
from astrokin.stage import stage_name
from astrokin.stars import Stars


class Chain(Effect):
    """Several effects as one: `apply` goes through them in order, `remove` back.

    Parameters
    ----------
    *effects : Effect
        In the order in which light meets them, from the source to the detector; chains are unfolded.
    any_order : bool
        Whether another order is meant. Nothing is ever sorted silently.

    Raises
    ------
    StageOrderError
        The order is not the physical one; the message names it. `Chain.physical` sorts.
    InputError
        Something that is no effect, or nothing at all.

    Examples
    --------
    >>> import astropy.units as u
    >>> import astrokin as ak
    >>> from astropy.time import Time
    >>> chain = ak.Chain(ak.effects.ReflexMotion(),
    ...                  ak.effects.PerspectiveAcceleration(epoch=Time("J2050"), reference_epoch=Time("J2016")))
    >>> chain
    Chain(reflex-motion | perspective-acceleration)
    >>> len(chain)
    2
    """

    name: ClassVar[str] = "chain"
    effects: tuple[Effect, ...]
    any_order: bool

    def __init__(self, *effects: Effect, any_order: bool = False) -> None:
        flat = tuple(step for e in effects for step in _steps_of(e))
        if not flat:
            raise InputError("Chain() needs at least one effect.")
        object.__setattr__(self, "effects", flat)
        object.__setattr__(self, "any_order", any_order)
        if not any_order:
            _check_order(flat)

    @classmethod
    def physical(cls, *effects: Effect) -> Self:
        """The effects sorted by stage; those of one stage stay in the order given."""
        flat = [step for e in effects for step in _steps_of(e)]
        return cls(*sorted(flat, key=lambda e: e.stage))

    def __setattr__(self, name: str, value: Any) -> None:
        raise AttributeError("A Chain is frozen: make a new one.")

    @property
    def steps(self) -> tuple[Effect, ...]:
        """The effects of the chain, in order."""
        return self.effects

    @property
    def stage(self) -> int:  # type: ignore[override]
        """The stage of the first effect."""
        return self.effects[0].stage

    @cached_property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        """What any of the effects needs."""
        return frozenset().union(*(e.needs for e in self.effects))

    @property
    def references(self) -> tuple[str, ...]:  # type: ignore[override]
        """The references of all effects."""
        return tuple(dict.fromkeys(r for e in self.effects for r in e.references))

    @property
    def column_names(self) -> tuple[str, ...]:
        """The columns that the parameters of the effects name."""
        return tuple(dict.fromkeys(c for e in self.effects for c in e.column_names))

    def bound(self, rows: Any) -> Chain:
        """The chain with every column parameter replaced by that column of `rows`."""
        return Chain(*(e.bound(rows) for e in self.effects), any_order=True)

    def options(self) -> dict[str, Any]:
        """The effects and their parameters, for the provenance."""
        return {"effects": self.effects, "any_order": self.any_order}

    @classmethod
    def specs(cls) -> Iterator[Any]:
        """A chain has no parameters of its own."""
        return iter(())

    def forward(self, stars: Stars) -> Stars:
        """One effect after the other."""
        for effect in self.effects:
            stars = effect.bound(stars).forward(stars)
        return stars

    def backward(self, stars: Stars) -> Stars:
        """One effect after the other, from the last to the first."""
        for effect in reversed(self.effects):
            stars = effect.bound(stars).backward(stars)
        return stars

    def __len__(self) -> int:
        return len(self.effects)

    def __iter__(self) -> Iterator[Effect]:
        return iter(self.effects)

    def __getitem__(self, index: int) -> Effect:
        return self.effects[index]

    def __repr__(self) -> str:
        return f"Chain({' | '.join(e.name for e in self.effects)})"

    def __eq__(self, other: object) -> bool:
        return value_key(self) == value_key(other) if isinstance(other, Chain) else NotImplemented

    def __hash__(self) -> int:
        return hash(value_key(self))


def _steps_of(effect: Any) -> tuple[Effect, ...]:
    if not isinstance(effect, Effect):
        hint = " Make an instance of it: put () behind it." if isinstance(effect, type) else ""
        raise InputError(f"A chain takes effects; {effect!r} is none.{hint}")
    return effect.steps


def _check_order(effects: tuple[Effect, ...]) -> None:
    for before, after in pairwise(effects):
        if before.stage > after.stage:
            right = " | ".join(e.name for e in sorted(effects, key=lambda e: e.stage))
            raise StageOrderError(
                f"Light meets {after.name} (stage {stage_name(after.stage)}) before {before.name} "
                f"(stage {stage_name(before.stage)}). The physical order is: {right}. Chain.physical(…) sorts; "
                "any_order=True keeps an order that is meant."
            )
