"""The promises of every effect also hold where each star has a time of its own."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import EarthLocation

import astrokin as ak
from astrokin.testing import check_effect, samples

PARANAL = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)
BY_ROW = ak.Observer(ak.column("t"))


@pytest.mark.parametrize(
    "effect",
    [
        ak.effects.AnnualParallax(BY_ROW),
        ak.effects.AnnualParallax(BY_ROW, rate=True, light_time=True),
        ak.effects.LightDeflection(BY_ROW),
        ak.effects.AnnualAberration(BY_ROW),
        ak.effects.AnnualAberration(ak.Observer(ak.column("t"), PARANAL), rate=True),
    ],
    ids=lambda effect: effect.name,
)
def test_the_kit_with_times_from_a_column(effect):
    stars = samples.field_stars(40)
    check_effect(effect, stars=stars.replace(columns={"t": 2016.0 + np.linspace(0.0, 5.0, 40)}))
