"""The models of refraction: ERFA's formula, tables against the quadrature, and their way back."""

import erfa
import numpy as np
import pytest

from astrokin.bending import (
    LOWEST_OF_REFCO,
    LOWEST_SEEN,
    Colours,
    Difference,
    Integral,
    Refco,
    Tabulated,
    _colours,
    outside,
    seen_cosine,
    solved,
    tabulated,
)

NAS = 4.848e-15
PARANAL = (float(np.sin(np.radians(-24.6))), 2635.0)
SEA = (0.5, 0.0)
AIRS = [
    (PARANAL, (743.0, 10.0, 0.1)),
    (SEA, (1030.0, -30.0, 0.0)),
    (SEA, (990.0, 40.0, 1.0)),
    (PARANAL, (5.0, 0.0, 0.0)),
]


def refraction(model, c):
    """In radian, from the cosine of the true zenith distance."""
    k, sine = model.pull(c), np.sqrt(1 - c * c)
    return np.arctan2(k * sine, 1 + k * c)


@pytest.mark.parametrize(("place", "air"), AIRS, ids=str)
@pytest.mark.parametrize("waves", [(0.31,), (1.6,), (0.4, 0.7)], ids=str)
def test_a_table_is_the_quadrature_to_a_fraction_of_a_nanoarcsecond(place, air, waves):
    table = tabulated(place, air, waves)
    exact = [Integral(place, w, *air) for w in waves]
    model = exact[0] if len(exact) == 1 else Difference(*exact)
    rng = np.random.default_rng(3)
    c = np.concatenate([rng.uniform(table.lowest, 1, 300), rng.uniform(table.lowest, 0.1, 300), [1.0, table.lowest]])
    assert np.abs(refraction(table, c) - refraction(model, c)).max() < 0.3 * NAS


def test_between_tables_for_a_dozen_wavelengths():
    """As the quadrature for each, from the ends of the domain to what happens to be one of the twelve."""
    place, air = AIRS[0]
    waves = np.concatenate([[0.3, 1.7, 0.55], np.random.default_rng(6).uniform(0.3, 1.7, 400)])
    waves[3:15] = _colours(place, air)[2] ** -0.5
    model, exact = Colours(place, air, waves), Integral(place, waves, *air)
    assert np.abs(model.lowest - exact.lowest).max() < 1e-15
    c = np.random.default_rng(7).uniform(exact.lowest, np.repeat([0.1, 1.0], [200, 203]))
    assert np.abs(refraction(model, c) - refraction(exact, c)).max() < 0.4 * NAS
    one = Difference(model, tabulated(place, air, (0.6,)))
    other = Difference(exact, Integral(place, 0.6, *air))
    assert np.abs(refraction(one, c) - refraction(other, c)).max() < 0.4 * NAS


def test_the_zenith_is_no_special_place():
    """Nothing happens to the direction there, and what is near is displaced in proportion to the distance."""
    z = np.array([0.0, 1e-9, 1e-6, 1e-3])
    for model in (
        Refco(743.0, 10.0, 0.1, 0.55),
        tabulated(*AIRS[0], (0.55,)),
        Integral(PARANAL, 0.55, 743.0, 10.0, 0.1),
    ):
        pull = model.pull(np.cos(z))
        assert pull == pytest.approx(pull[0], rel=2e-6)
        assert pull[0] == pytest.approx(2.07e-4, rel=1e-3)


def test_the_refraction_of_refco_is_that_of_its_own_constants():
    """A tan z' + B tan^3 z' of what is seen, to the order to which ERFA solves it."""
    model = Refco(1000.0, 15.0, 0.5, 0.55)
    z = np.radians([10.0, 30.0, 50.0, 70.0])
    bent = refraction(model, np.cos(z))
    seen = np.tan(z - bent)
    assert bent == pytest.approx(model.a * seen + model.b * seen**3, rel=1e-5)
    assert (model.a, model.b) == erfa.refco(1000.0, 15.0, 0.5, 0.55)


def test_both_models_agree_where_erfa_claims_they_do():
    """62 mas at worst and 8 mas rms down to 15 deg of altitude, in airs of the lapse rate of 6.5 K/km."""
    c, off = np.cos(np.radians([15.0, 45.0, 75.0])), []
    for height, pressure in ((0.0, 1013.0), (2500.0, 747.0)):
        for celsius in (-5.0, 5.0, 20.0):
            for humidity in (0.0, 0.5, 1.0):
                for wave in (0.4, 0.6, 1.0, 1.6):
                    air = pressure, celsius - 0.0065 * height, humidity
                    one = refraction(Refco(*air, wave), c)
                    off.append(one - refraction(tabulated((0.5, height), air, (wave,)), c))
    off = np.array(off) * 648000e3 / np.pi
    assert np.abs(off).max() < 62
    assert np.sqrt((off**2).mean()) < 12


def test_below_the_horizon_to_one_degree():
    model = Integral(SEA, 0.55, 1013.25, 15.0, 0.0)
    at_limit = float(model.lowest)
    assert seen_cosine(at_limit, model.pull(np.array([at_limit])))[0] == pytest.approx(LOWEST_SEEN, abs=1e-15)
    degrees = np.degrees(np.arcsin(-at_limit))
    assert 1.6 < degrees < 2.0  # 1 deg, and some 50 arcmin of refraction
    horizon = np.degrees(refraction(model, np.array([solved(lambda c: seen_cosine(c, model.pull(c)), 0.0, 0.0)])))
    assert horizon[0] * 60 == pytest.approx(33.0, abs=0.6)


@pytest.mark.parametrize(
    "model",
    [
        Refco(743.0, 10.0, 0.1, 0.55),
        tabulated(*AIRS[1], (0.55,)),
        tabulated(*AIRS[2], (0.4, 0.7)),
        Integral(PARANAL, 0.55, 743.0, 10.0, 0.1),
    ],
    ids=lambda m: type(m).__name__,
)
def test_there_and_back(model):
    c = np.concatenate([np.linspace(float(model.lowest), 1.0, 501), [1.0]])
    seen = seen_cosine(c, model.pull(c))
    assert np.abs(solved(lambda x: seen_cosine(x, model.pull(x)), seen, seen) - c).max() < 5e-16


@pytest.mark.parametrize("model", [Refco(743.0, 10.0, 0.1, 0.55), Integral(PARANAL, 0.55, 743.0, 10.0, 0.1)])
def test_complex_steps_give_the_derivative(model):
    c = np.array([0.999, 0.7, 0.2, 0.06])
    slope = np.imag(model.pull(c + 1e-30j)) / 1e-30
    h = 1e-4 * c
    rough = (8 * (model.pull(c + h) - model.pull(c - h)) - (model.pull(c + 2 * h) - model.pull(c - 2 * h))) / (12 * h)
    # the last place stands within 4e-12 of one: the derivative is lost in round-off there
    assert slope == pytest.approx(rough, rel=1e-8)
    if isinstance(model, Integral):
        assert np.imag(Tabulated(model).pull(c + 1e-30j)) / 1e-30 == pytest.approx(slope, rel=1e-9)


def test_what_is_outside():
    bad, reason = outside("integral", "wavelength", np.array([0.29, 0.3, 1.7, 1.8, np.nan]))
    assert bad.tolist() == [True, False, False, True, False]
    assert reason == "wavelength outside 0.3 to 1.7 micron, where 'integral' holds"
    assert outside("refco", "pressure", 0.0)[0]
    assert LOWEST_OF_REFCO == 0.05
