"""The default way back: a fixed point, Newton where that stagnates, and an error that names rows."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings

import astrokin as ak
from astrokin.errors import NotConvergedError
from astrokin.inversion import inverse
from astrokin.testing import samples, strategies
from astrokin.units import MAS_IN_RAD

NORTH = np.array([[0.0], [0.0], [1.0]])


def aberration(stars):
    """Directions drawn toward the north by 1e-4, as annual aberration does."""
    return stars.replace(direction=stars.raw.direction + 1e-4 * NORTH)


def strong_pull(stars):
    """Drawn so strongly that the fixed point does not contract."""
    return stars.replace(direction=stars.raw.direction + 0.9 * NORTH)


def stretch(stars):
    velocity = stars.raw.radial_velocity
    return stars.replace(parallax=3.0 * stars.raw.parallax, radial_velocity=velocity + 120 * np.tanh(velocity / 100))


def fold(stars):
    """Two parallaxes for one: negative images have no origin."""
    return stars.replace(parallax=stars.raw.parallax**2)


def apart(one, other):
    return np.sqrt(((one.direction - other.direction) ** 2).sum(axis=0)) / MAS_IN_RAD


@pytest.mark.parametrize("forward", [aberration, strong_pull])
def test_directions_come_back_to_a_billionth_of_an_arcsecond(forward):
    stars = samples.field_stars(100)
    back = inverse(forward, forward(stars), "pull")
    assert apart(back, stars).max() < 1e-6
    scale = np.maximum(1e-9, 1e-13 * np.hypot(stars.pmra.value, stars.pmdec.value))
    assert (np.abs(back.raw.proper_motion - stars.raw.proper_motion) < 10 * scale).all()


def test_newton_finds_what_a_fixed_point_overshoots():
    stars = samples.field_stars(50)
    back = inverse(stretch, stretch(stars), "stretch")
    np.testing.assert_allclose(back.parallax, stars.parallax, rtol=1e-13)
    np.testing.assert_allclose(back.radial_velocity, stars.radial_velocity, rtol=1e-12, atol=1e-10 * u.km / u.s)


def test_rows_without_a_way_back_are_named():
    stars = samples.field_stars(4).replace(parallax=np.array([4.0, -1.0, 9.0, -2.0]))
    with pytest.raises(NotConvergedError, match="fold: no way back found for rows 1, 3 of 4"):
        inverse(fold, stars, "fold")
    back = inverse(fold, stars[::2], "fold")
    np.testing.assert_allclose(np.abs(back.parallax.value), [2.0, 3.0], rtol=1e-12)  # either root is one


def test_missing_values_are_no_obstacle():
    stars = samples.field_stars(6)
    stars = stars.replace(
        parallax=np.where(np.arange(6) == 1, np.nan, stars.raw.parallax),
        radial_velocity=np.where(np.arange(6) == 2, np.nan, stars.raw.radial_velocity),
        direction=np.where(np.arange(6) == 3, np.nan, stars.direction),
    )
    back = inverse(aberration, aberration(stars), "pull")
    known = ~np.isnan(stars.direction[0])
    assert apart(back, stars)[known].max() < 1e-6
    assert np.isnan(back.direction[0]).tolist() == [False, False, False, True, False, False]
    assert np.isnan(back.parallax.value).tolist() == [False, True, False, False, False, False]


def test_no_rows():
    assert len(inverse(aberration, samples.field_stars(0), "pull")) == 0


def test_rows_do_not_depend_on_their_neighbours():
    stars = strong_pull(samples.field_stars(30))
    whole = inverse(strong_pull, stars, "pull")
    for i in range(0, 30, 7):
        alone = inverse(strong_pull, stars[i : i + 1], "pull")
        assert apart(alone, whole[i : i + 1])[0] < 1e-6


def test_what_does_not_change_is_left_bit_identical():
    stars = samples.field_stars(5)
    back = inverse(lambda s: s.replace(parallax=s.raw.parallax + 1), stars, "shift")
    assert back.ra.value.tobytes() == stars.ra.value.tobytes()
    assert back.raw.radial_velocity is stars.raw.radial_velocity


@dataclass(frozen=True)
class Pull(ak.Effect):
    """Draw directions toward the north."""

    name = "pull"
    stage = ak.Stage.ABERRATION
    strength: u.Quantity = ak.parameter(20 * u.arcsec, doc="how strongly")

    def forward(self, stars):
        return stars.replace(direction=stars.raw.direction + self.strength.to_value(u.rad) * NORTH)


@ak.testing.parametrize_effects(Pull)
def test_an_effect_without_backward_keeps_every_promise(effect, check):
    check(effect)


@settings(max_examples=50, deadline=None)
@given(strategies.stars(missing=True, covariance=False))
def test_any_stars_come_back(stars):
    back = inverse(aberration, aberration(stars), "pull")
    assert (apart(back, stars) <= 1e-6).all()
    np.testing.assert_allclose(back.parallax.value, stars.parallax.value, rtol=1e-13, atol=1e-9)
