"""Bad input to effects: each gets an error that names it, or rows that are refused for a reason; nothing is guessed.

Orbits, airs, observers and ephemerides have theirs beside their own tests.
"""

import astropy.units as u
import numpy as np
import pytest
from astropy.time import Time

import astrokin as ak
from astrokin.errors import InputError, MissingColumnError, RowsWarning
from astrokin.testing import samples

STARS = samples.field_stars(5)
BY_ROW = ak.effects.AnnualParallax(ak.Observer(ak.column("t")))


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (np.ones(3), r"column 't' has shape \(3,\); 5 rows are needed"),
        (np.full((5, 3), 2016.0), "one time is needed, or a Julian year in two doubles"),
        (np.array(["2016"] * 5), "column 't' holds text"),
        (np.full(5, 2016.0) * u.day, "column 't' is in d: give an astropy Time, or Julian years TCB"),
        (Time(["2016-01-01"] * 5, scale="local"), "scale 'local', which no other scale can be had from"),
        (np.array([2016, np.inf, 2016, 2016, 2017.0]), "infinite in row 1: mark missing values as NaN"),
        (np.full(5, 57000.0), r"57\d\d\d-.* \(and 4 more\) .*plain numbers are Julian years"),
    ],
    ids=["short", "three", "text", "days", "local", "infinite", "mjd"],
)
def test_columns_of_times(times, words):
    with pytest.raises(InputError, match=words):
        BY_ROW.apply(STARS.replace(columns={"t": times}))


def test_a_column_that_is_not_there():
    with pytest.raises(MissingColumnError, match="no column 't'; they have: "):
        BY_ROW.apply(STARS)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ak.effects.SecularAberration(acceleration=[np.nan, 0, 0] * u.km / u.s / u.Myr), "must be finite"),
        (
            lambda: ak.effects.SecularAberration(acceleration=1 * u.km / u.s / u.Myr),
            r"has shape \(\); \(3,\) is needed",
        ),
        (lambda: ak.effects.FrameRotation(spin=(1, 2, 3) * u.mas), "spin is in mas, which is no unit of the kind"),
        (lambda: ak.Observer(2016.0, position=[np.nan, 0, 0] * u.au, velocity=[0, 0, 0] * u.km / u.s), "be finite"),
        (lambda: ak.effects.LightDeflection("gaia"), r"give an ak.Observer\(obstime, location\)"),
        (lambda: ak.Stars(ra=[1, 2] * u.deg, dec=[1] * u.deg), r"dec has shape \(1,\); the stars need \(2,\)"),
        (lambda: ak.Stars(ra=[1, 2] * u.deg, dec=[1, 2] * u.deg, epoch=[2016.0, 2017, 2018]), "epoch has shape"),
    ],
)
def test_parameters(make, words):
    with pytest.raises(InputError, match=words):
        make()


def test_the_poles_and_the_sun_are_places_like_others():
    """At the poles nothing is singular; behind the Sun rows are computed, and counted."""
    observer = ak.Observer(2016.0)
    to_sun = -observer.seen().from_sun
    stars = samples.at_seams(STARS)
    directions = np.array(stars.direction)
    directions[:, -1] = to_sun[:, 0]
    stars = stars.replace(direction=directions)
    chain = ak.apparent_place(observer)
    with pytest.warns(RowsWarning, match="1 of 8 rows: behind the Sun's disc"):
        seen = chain.apply(stars)
    assert np.isfinite(seen.direction).all()
    turned = np.arccos(np.clip((seen.direction * stars.direction).sum(axis=0), -1, 1)) * u.rad
    assert turned[:4].max() < 40 * u.arcsec
