"""Chains: the order of light, one door for all, and the same promises as a single effect."""

import pickle

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin.errors import InputError, RowsWarning, StageOrderError
from astrokin.testing import samples

reflex = ak.effects.ReflexMotion()
perspective = ak.effects.PerspectiveAcceleration(epoch=2050.0, reference_epoch=2016.0)


@ak.testing.parametrize_effects(reflex | perspective)
def test_a_chain_keeps_the_promises_of_an_effect(effect, check):
    check(effect)


def test_it_is_one_effect_after_the_other():
    stars = samples.field_stars(20)
    stars = stars.replace(covariance=samples.covariances(stars))
    together, apart = (reflex | perspective).apply(stars), perspective.apply(reflex.apply(stars))
    assert together == apart
    back = (reflex | perspective).remove(together)
    assert back == reflex.remove(perspective.remove(together))


def test_the_wrong_order_is_an_error_that_names_the_right_one():
    with pytest.raises(StageOrderError) as told:
        perspective | reflex
    assert str(told.value) == (
        "Light meets reflex-motion (stage REFLEX) before perspective-acceleration (stage MOTION). "
        "The physical order is: reflex-motion | perspective-acceleration. Chain.physical(…) sorts; "
        "any_order=True keeps an order that is meant."
    )


def test_physical_sorts_and_any_order_does_not():
    assert ak.Chain.physical(perspective, reflex) == (reflex | perspective)
    meant = ak.Chain(perspective, reflex, any_order=True)
    assert [e.name for e in meant] == ["perspective-acceleration", "reflex-motion"]
    stars = samples.field_stars(5)
    assert meant.apply(stars) == reflex.apply(perspective.apply(stars))
    assert meant != (reflex | perspective)


def test_effects_of_one_stage_stay_in_the_order_given():
    other = ak.effects.ReflexMotion(frame="galactocentric")
    assert ak.Chain.physical(perspective, other, reflex).effects == (other, reflex, perspective)


def test_chains_unfold():
    whole = ak.Chain(reflex) | perspective
    assert whole == ak.Chain(ak.Chain(reflex, perspective))
    assert (len(whole), whole[0], list(whole)) == (2, reflex, [reflex, perspective])
    assert repr(whole) == "Chain(reflex-motion | perspective-acceleration)"
    assert whole.needs == reflex.needs | perspective.needs
    assert whole.references == tuple(dict.fromkeys((*reflex.references, *perspective.references)))
    assert whole.stage == ak.Stage.REFLEX


def test_it_is_a_value():
    chain = reflex | perspective
    twin = pickle.loads(pickle.dumps(chain))
    assert twin == chain
    assert hash(twin) == hash(chain)
    assert chain != ak.Chain(reflex)
    with pytest.raises(AttributeError, match="A Chain is frozen"):
        chain.effects = ()


@pytest.mark.parametrize(
    ("things", "words"),
    [
        ((), "needs at least one effect"),
        ((3,), "A chain takes effects; 3 is none"),
        ((ak.effects.ReflexMotion,), r"is none. Make an instance of it: put \(\) behind it"),
    ],
)
def test_what_is_no_effect_is_an_error(things, words):
    with pytest.raises(InputError, match=words):
        ak.Chain(*things)


def test_a_missing_radial_velocity_is_filled_at_the_door_of_the_chain():
    """Between the effects it is the reflex of the Sun's motion, not zero once more."""
    stars = samples.field_stars(4)
    gap = stars.replace(radial_velocity=np.where(np.arange(4) == 2, np.nan, stars.raw.radial_velocity))
    zero = stars.replace(radial_velocity=np.where(np.arange(4) == 2, 0.0, stars.raw.radial_velocity))
    after, expected = ((reflex | perspective).apply(s) for s in (gap, zero))
    np.testing.assert_array_equal(after.direction, expected.direction)
    np.testing.assert_array_equal(after.raw.proper_motion, expected.raw.proper_motion)
    assert np.isnan(after.raw.radial_velocity).tolist() == [False, False, True, False]
    in_two = perspective.apply(reflex.apply(gap))
    assert np.abs(in_two.raw.proper_motion - expected.raw.proper_motion).max() > 1e-8  # round-off is 1e-12


def test_one_warning_for_the_whole_chain():
    stars = samples.field_stars(4).replace(parallax=np.array([-1.0, 1.0, np.nan, 2.0]))
    with pytest.warns(RowsWarning) as told:
        (reflex | perspective).apply(stars)
    assert len(told) == 1
    assert str(told[0].message).startswith("apply chain: 1 of 4 rows: radial velocity kept")
    assert "1 of 4 rows: made NaN, no parallax" in str(told[0].message)


def test_change_has_a_row_for_each_effect_and_star():
    stars = samples.field_stars(3)
    table = (reflex | perspective).change(stars)
    assert list(table["effect"]) == ["reflex-motion"] * 3 + ["perspective-acceleration"] * 3
    assert list(table["row"]) == [0, 1, 2] * 2
    np.testing.assert_array_equal(table["delta_dec"][:3], 0 * u.mas)
    moved = reflex.apply(stars)
    np.testing.assert_array_equal(table["delta_dec"][3:], perspective.change(moved)["delta_dec"])
