"""Displacements in closed form, beside vectors that are added up and normalised."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import astrokin as ak
from astrokin import displacement
from astrokin.angles import normalised, transported
from astrokin.displacement import along, nudged, small
from astrokin.effects.aberration import _Boost
from astrokin.testing import samples

N = 40
seeds = st.integers(0, 2**31)


def some_stars(seed):
    rng = np.random.default_rng(seed)
    direction = normalised(rng.normal(size=(3, N)))
    stars = samples.field_stars(N).replace(direction=direction)
    stars = stars.replace(proper_motion=rng.normal(size=(3, N)) * 10.0 ** rng.uniform(-3, 4, N))
    return stars.replace(proper_motion=stars.raw.proper_motion)  # tangent to round-off of what is left


def demand_carried(after, before, place):
    """As the vectors say that are added up, normalised, and carried along by the scalar products themselves."""
    end = normalised(np.asarray(place, np.longdouble)).astype(float)
    np.testing.assert_allclose(after.direction, end, rtol=0, atol=8e-16)  # 0.2 nas
    motion = transported(before.raw.proper_motion, before.direction, end)
    size = np.sqrt((motion**2).sum(axis=0))
    assert (np.abs(after.raw.proper_motion - motion) < 2e-15 * size).all()


@settings(deadline=None, max_examples=60)
@given(seeds, st.floats(-14, -2), st.booleans())
def test_a_nudge_is_the_sum_of_vectors_normalised(seed, power, by_row):
    stars, rng = some_stars(seed), np.random.default_rng(seed + 1)
    toward = rng.normal(size=(3, N if by_row else 1))
    size = rng.uniform(-1, 1, N) * 10.0**power
    demand_carried(nudged(stars, toward, size), stars, stars.direction + toward * size)


def test_the_series_is_taken_up_to_where_it_holds_and_no_further(monkeypatch):
    stars, toward = some_stars(3), np.array([[0.6], [0.0], [0.8]])
    size = np.linspace(-0.99, 0.99, N) * displacement._THIRD_ORDER
    assert small(toward, displacement._THIRD_ORDER, size)
    demand_carried(nudged(stars, toward, size), stars, stars.direction + toward * size)
    monkeypatch.setattr(displacement, "_THIRD_ORDER", 1.0)
    with pytest.raises(AssertionError):  # else the limit would say nothing
        demand_carried(nudged(stars, toward, 100 * size), stars, stars.direction + toward * 100 * size)


@pytest.mark.parametrize("bad", [np.nan, 1.0])
def test_one_size_that_is_missing_or_large_is_not_small(bad):
    assert not small(np.ones((3, 1)), 1e-6, np.array([1e-9, bad]))
    assert not small(np.ones((3, 0)), 1e-6)


@given(seeds)
@settings(deadline=None)
def test_scalar_products_with_one_vector_are_those_with_each_row(seed):
    rng = np.random.default_rng(seed)
    rows, one = rng.normal(size=(3, N)), rng.normal(size=(3, 1))
    expected = (rows * one).sum(axis=0)
    for other in (one, np.repeat(one, N, axis=1)):
        np.testing.assert_allclose(along(rows, other), expected, rtol=0, atol=4e-15)


@pytest.mark.parametrize("by_row", [False, True])
@settings(deadline=None, max_examples=30)
@given(seeds)
def test_the_closed_form_of_aberration_is_its_vectors_normalised(by_row, seed):
    stars = some_stars(seed)
    timed = stars.replace(columns={"t": np.linspace(2016.0, 2017.0, N)})
    observer = ak.Observer(ak.column("t") if by_row else 2016.3).bound(timed)
    boost = _Boost(observer.seen())
    assert boost.gentle
    demand_carried(boost.gently(stars), stars, boost.place(stars.direction)[0])


def test_who_moves_fast_or_dives_into_the_sun_is_not_gentle():
    for place, motion in ((0.01, 300.0), (1.0, 60000.0)):
        observer = ak.Observer(2016.0, position=(place, 0, 0) * u.au, velocity=(0, motion, 0) * u.km / u.s)
        assert not _Boost(observer.seen()).gentle
