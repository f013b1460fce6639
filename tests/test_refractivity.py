"""Ciddor's refractivity against his own tables, and effective wavelengths of bands."""

import astropy.units as u
import numpy as np
import pytest
from astropy.modeling.models import BlackBody
from hypothesis import given, settings
from hypothesis import strategies as st

import astrokin as ak
from astrokin.errors import InputError
from astrokin.refractivity import (
    dry_refractivity,
    enhancement,
    partial_refractivities,
    vapour_fraction,
)

# Ciddor (1996), in units of 1e-8 at 633 nm: printed to 0.1.
DRY = [(20, 800, 21458.0), (20, 1000, 26824.4), (20, 1200, 32191.6), (10, 1000, 27774.7), (30, 1000, 25937.2)]
MOIST = [
    (20, 800, 0.75, 21394.0),
    (20, 1200, 0.75, 32127.8),
    (40, 800, 0.75, 19896.5),
    (40, 1200, 0.75, 29941.8),
    (50, 800, 1.0, 19058.4),
    (50, 1200, 1.0, 28792.4),
]
# With the partial pressure of vapour (Pa) and carbon dioxide (ppm) given, table 2.
MEASURED = [
    (19.526, 102094.8, 1065, 510, 27392.9),
    (19.517, 102096.8, 1065, 510, 27394.0),
    (19.173, 102993.0, 641, 450, 27682.4),
    (19.173, 103006.0, 642, 440, 27685.8),
    (19.188, 102918.8, 706, 450, 27658.7),
    (19.532, 103603.2, 986, 600, 27802.0),
]
# n of the Engineering Metrology Toolbox of NIST (deg C, kPa, humidity, nm), printed to 1e-9; its vapour is another's.
TOOLBOX = [
    (20, 60, 0.0, 633, 1.000160924),
    (50, 100, 0.0, 633, 1.000243285),
    (-40, 100, 0.0, 633, 1.000337580),
    (50, 120, 1.0, 633, 1.000287924),
    (40, 110, 1.0, 1700, 1.000270247),
    (20, 101.325, 0.0, 1700, 1.000268479),
    (40, 110, 1.0, 300, 1.000289000),
    (-40, 120, 0.0, 300, 1.000427233),
]


def refractivity(wavelength, pressure, celsius, humidity):
    return sum(partial_refractivities(wavelength, pressure, celsius, vapour_fraction(pressure, celsius, humidity)))


@pytest.mark.parametrize(("celsius", "pressure", "expected"), DRY)
def test_dry_air_is_ciddors_table_1(celsius, pressure, expected):
    assert refractivity(0.633, pressure, celsius, 0.0) * 1e8 == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(("celsius", "pressure", "humidity", "expected"), MOIST)
def test_moist_air_is_ciddors_table_3(celsius, pressure, humidity, expected):
    assert refractivity(0.633, pressure, celsius, humidity) * 1e8 == pytest.approx(expected, abs=0.06)


@pytest.mark.parametrize(("celsius", "pascal", "vapour", "co2", "expected"), MEASURED)
def test_measured_air_is_ciddors_table_2(celsius, pascal, vapour, co2, expected):
    pressure = pascal / 100
    fraction = enhancement(pressure, celsius) * vapour / pascal
    dry, wet = partial_refractivities(0.633, pressure, celsius, fraction)
    # the refractivity of air with another share of carbon dioxide than 450 ppm (Ciddor's equation 2)
    dry *= 1 + 0.534e-6 * (co2 - 450)
    # the printed values agree with each other to 0.3: temperatures, pressures and vapours are rounded
    assert (dry + wet) * 1e8 == pytest.approx(expected, abs=0.4)


@pytest.mark.parametrize(("celsius", "kilopascal", "humidity", "nanometre", "expected"), TOOLBOX)
def test_the_ends_of_the_domain_are_those_of_nist(celsius, kilopascal, humidity, nanometre, expected):
    found = 1 + refractivity(nanometre / 1000, kilopascal * 10, celsius, humidity)
    assert found == pytest.approx(expected, abs=3e-9)


# ---- bands -----------------------------------------------------------------------------------------------

WAVELENGTH = np.linspace(0.4, 0.8, 2001) * u.micron
SUN = BlackBody(5772 * u.K)(WAVELENGTH)


def test_the_refractivity_of_the_effective_wavelength_is_the_mean_one():
    curve = np.exp(-0.5 * ((WAVELENGTH.value - 0.6) / 0.05) ** 2)
    energy = (SUN * u.sr).to(u.erg / u.s / u.cm**2 / u.AA, u.spectral_density(WAVELENGTH))
    weight = curve * energy.value * WAVELENGTH.value  # photons
    mean = (weight * dry_refractivity(WAVELENGTH.value)).sum() / weight.sum()
    found = ak.effective_wavelength(WAVELENGTH, curve, SUN)
    assert dry_refractivity(found.value) == pytest.approx(mean, rel=1e-9)
    assert found.unit == u.micron
    assert found < (weight * WAVELENGTH).sum() / weight.sum()  # bluer than the mean


@settings(max_examples=30, deadline=None)
@given(centre=st.floats(0.45, 0.75), width=st.floats(0.001, 0.02))
def test_a_narrow_band_is_its_centre(centre, width):
    wavelength = np.linspace(centre - width, centre + width, 101) * u.micron
    found = ak.effective_wavelength(wavelength, np.ones(101), np.ones(101) * u.Unit("photon / (s cm2 AA)"))
    assert abs(found.value - centre) < 0.6 * width**2 / centre


@pytest.mark.parametrize(
    "unit", ["erg / (s cm2 AA)", "Jy", "W / (m2 Hz sr)", "photon / (s cm2 AA)", "photon / (s cm2 Hz sr)"]
)
def test_any_flux_density_will_do(unit):
    given_unit = u.Unit(unit)
    flux = SUN if u.sr in given_unit.bases else SUN * u.sr
    other = flux.to(given_unit, u.spectral_density(WAVELENGTH)) if u.sr not in given_unit.bases else None
    if other is None:
        other = (SUN * u.sr).to(given_unit * u.sr, u.spectral_density(WAVELENGTH)) / u.sr
    expected = ak.effective_wavelength(WAVELENGTH, np.ones(2001), SUN)
    found = ak.effective_wavelength(WAVELENGTH.to(u.nm)[::-1], 7 * np.ones(2001) * u.one, other[::-1])
    assert abs(found - expected) < 1e-9 * u.micron


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"wavelength": WAVELENGTH.value}, "wavelength has no unit"),
        ({"wavelength": WAVELENGTH.value * u.s}, "no unit of the kind of micron"),
        ({"spectrum": SUN.value}, r"spectrum has no unit, .* u.Unit\('erg / \(s cm2 AA\)'\)"),
        ({"spectrum": SUN.value * u.mag}, "spectrum in mag is no flux density"),
        ({"throughput": np.ones(3)}, "arrays of one shape"),
        ({"throughput": np.zeros(2001)}, "no light comes through"),
        ({"throughput": -np.ones(2001)}, "throughput is negative or missing in rows 0, 1"),
        ({"throughput": np.full(2001, np.nan)}, "throughput is negative or missing"),
        ({"throughput": "all of it"}, "throughput"),
        ({"wavelength": np.roll(WAVELENGTH, 5)}, "must ascend or descend"),
        ({"wavelength": WAVELENGTH * 0.6}, "light comes through outside 0.3 to 1.7 micron"),
        ({"wavelength": WAVELENGTH * 3}, "light comes through outside 0.3 to 1.7 micron"),
    ],
    ids=lambda value: value if isinstance(value, str) else next(iter(value)),
)
def test_what_is_no_band_is_named(changes, message):
    given_ = {"wavelength": WAVELENGTH, "throughput": np.ones(2001), "spectrum": SUN, **changes}
    with pytest.raises(InputError, match=message):
        ak.effective_wavelength(**given_)


def test_a_filter_that_is_shut_outside_the_domain():
    wavelength = np.linspace(0.2, 2.5, 501) * u.micron
    open_ = ((wavelength > 0.5 * u.micron) & (wavelength < 0.6 * u.micron)).astype(float)
    found = ak.effective_wavelength(wavelength, open_, np.ones(501) * u.Unit("photon / (s cm2 AA)"))
    assert abs(found - 0.5485 * u.micron) < 0.002 * u.micron
