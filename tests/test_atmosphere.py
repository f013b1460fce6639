"""The quadrature through two layers against published refractions, SLALIB's, and a ray traced on its own."""

import numpy as np
import pytest
from astropy.constants import R
from scipy.integrate import quad, solve_ivp
from scipy.interpolate import CubicSpline

from astrokin import atmosphere
from astrokin.atmosphere import LAPSE_RATE, TOP, TROPOPAUSE, Atmosphere, two_layers
from astrokin.refractivity import DRY_AIR, WATER, partial_refractivities, vapour_fraction

ARCSEC = np.pi / 648000
HALF = np.sqrt(0.5)  # sine of 45 deg


def refraction(layers, zenith_distance):
    """In arcsec, from the zenith distance seen in deg."""
    z = np.radians(zenith_distance)
    return layers.refraction_over_sine(np.cos(z)) * np.sin(z) / ARCSEC


# ---- published tables ------------------------------------------------------------------------------------

# Ray tracing and (up to 60 deg) Saastamoinen's values of Hohenkerk & Sinclair (1985), as the notes of SOFA's refco list
# them: sea level, latitude 50 deg, 1005 hPa, 7 deg C, humidity 0.8, 574 nm; printed to 0.01 arcsec.
RAYTRACE = [
    (10, 10.27),
    (20, 21.19),
    (30, 33.61),
    (40, 48.82),
    (45, 58.16),
    (50, 69.28),
    (55, 82.97),
    (60, 100.51),
    (65, 124.23),
    (70, 158.63),
    (72, 177.32),
    (74, 200.35),
    (76, 229.45),
    (78, 267.44),
    (80, 319.13),
]


def test_hohenkerk_and_sinclairs_ray_tracing():
    """Their air is 1.9e-4 less refractive than Ciddor's; the rest is a unit of their last digit."""
    layers = two_layers(np.sin(np.radians(50)), 0.0, 0.574, 1005.0, 7.0, 0.8)
    zenith_distance, expected = np.array(RAYTRACE).T
    found = refraction(layers, zenith_distance)
    assert found == pytest.approx(expected * (1 + 1.9e-4), abs=0.011)
    assert found == pytest.approx(expected, rel=2.5e-4, abs=0.007)


@pytest.mark.parametrize(
    ("zenith_distance", "expected", "apart"),
    [
        # Laplace's formula that goes through the Pulkovo tables (fifth edition) to 0.002 arcsec above 30 deg
        (30, 57.085 / 3**0.5 - 0.0666 / 3**1.5, 0.003),
        (45, 57.085 - 0.0666, 0.004),
        (60, 57.085 * 3**0.5 - 0.0666 * 3**1.5, 0.006),
        # the horizon, with the tables' misprint (1977.97) corrected; the layers differ there
        (90, 1976.28, 3.0),
    ],
)
def test_the_pulkovo_tables(zenith_distance, expected, apart):
    """Dry air of 15 deg C and 1013.25 hPa, 590 nm, at sea level and latitude 45 deg."""
    layers = two_layers(HALF, 0.0, 0.59, 1013.25, 15.0, 0.0)
    assert refraction(layers, zenith_distance) == pytest.approx(expected, abs=apart)


def slalib_atmosphere(height, kelvin, pressure, humidity, wavelength, latitude, lapse_rate):
    """SLALIB's layers, with its own refractivity, gas constant and radius, for the same quadrature."""
    weight, dry_mass, water_mass = 9.784 * (1 - 0.0026 * np.cos(2 * latitude) - 2.8e-7 * height), 28.9644, 18.0152
    dry = (287.6155 + 1.62887 / wavelength**2 + 0.01360 / wavelength**4) * 273.15e-6 / 1013.25
    fall = weight * dry_mass / 8314.32
    power = fall / lapse_rate
    celsius = kelvin - 273.15
    saturated = 10 ** ((0.7859 + 0.03477 * celsius) / (1 + 0.00412 * celsius))
    saturated *= 1 + pressure * (4.5e-6 + 6e-10 * celsius**2)
    vapour = humidity * saturated / (1 - (1 - humidity) * saturated / pressure)
    lighter = vapour * (1 - water_mass / dry_mass) * power / (18.36 - power)
    terms = dry * (pressure + lighter) / kelvin, -(dry * lighter + 11.2684e-6 * vapour) / kelvin
    return Atmosphere(6378120.0 + height, height, kelvin, power, 18.36, *terms, fall, lapse_rate)


def test_slalibs_refro():
    """The value of SLALIB's own tests, which iterates to 1e-9; 80 deg of zenith distance at 3457 m."""
    layers = slalib_atmosphere(3456.7, 280.0, 678.9, 0.9, 0.55, -0.3, 0.006)
    found = layers.refraction_over_sine(np.cos(1.4)) * np.sin(1.4)
    assert found == pytest.approx(0.00106715763018568, abs=3e-12)  # 0.6 µas


# ---- a ray of its own ------------------------------------------------------------------------------------

CONDITIONS = [(2635.0, 743.0, 10.0, 0.4, 0.4), (0.0, 1013.25, 25.0, 1.0, 0.9), (4200.0, 610.0, -5.0, 0.0, 1.6)]


def profile(height, pressure, celsius, humidity, wavelength):
    """n(h) above the observer, by integrating the balance of pressure and weight from the ground up."""
    kelvin, fraction = celsius + 273.15, vapour_fraction(pressure, celsius, humidity)
    dry, wet = partial_refractivities(wavelength, pressure, celsius, fraction)
    vapour, gas = fraction * pressure, R.value
    weight = atmosphere.gravity_of_column(HALF, height)

    def temperature(h):
        return kelvin - LAPSE_RATE * np.minimum(h, TROPOPAUSE - height)

    def moist(h):
        return vapour * (temperature(h) / kelvin) ** 18.36

    def weighing(h, p):
        return -weight * ((p - moist(h)) * DRY_AIR + moist(h) * WATER) / (gas * temperature(h))

    h = np.linspace(0, TROPOPAUSE - height, 4001)
    p = solve_ivp(weighing, (0, h[-1]), [pressure], t_eval=h, method="DOP853", rtol=1e-13, atol=1e-12).y[0]
    excess = dry * (p - moist(h)) / (pressure - vapour) + wet * moist(h) / vapour if vapour else dry * p / pressure
    excess = excess * kelvin / temperature(h)
    fall = weight * DRY_AIR / (gas * temperature(h[-1]))
    return CubicSpline(h, excess), h[-1], excess[-1], fall


@pytest.mark.parametrize("condition", CONDITIONS, ids=str)
@pytest.mark.parametrize("zenith_distance", [1.0, 45.0, 75.0, 85.0])
def test_the_textbook_integral_over_height(condition, zenith_distance):
    """R = - integral of (n'/n) tan(psi) dr, with Snell's law for psi."""
    height, *air, wavelength = condition
    troposphere, middle, top_excess, fall = profile(height, *air, wavelength)
    radius = atmosphere.radius_of_curvature(HALF) + height
    invariant = (1 + float(troposphere(0))) * radius * np.sin(np.radians(zenith_distance))

    def bent(n, slope, h):
        return -slope / n * invariant / np.sqrt((n * (radius + h)) ** 2 - invariant**2)

    def low(h):
        return bent(1 + float(troposphere(h)), float(troposphere(h, 1)), h)

    def high(h):
        excess = top_excess * np.exp(-fall * (h - middle))
        return bent(1 + excess, -fall * excess, h)

    options = {"epsabs": 0, "epsrel": 1e-11, "limit": 400}
    expected = quad(low, 0, middle, **options)[0] + quad(high, middle, TOP - height, **options)[0]
    z = np.radians(zenith_distance)
    found = two_layers(HALF, height, wavelength, *air).refraction_over_sine(np.cos(z)) * np.sin(z)
    assert found == pytest.approx(expected, rel=2e-9)


def test_more_points_change_nothing(monkeypatch):
    layers = two_layers(HALF, 0.0, 0.55, 1013.25, 10.0, 0.5)
    c = np.linspace(-np.sin(np.radians(1)), 1, 300)
    found = layers.refraction_over_sine(c)
    for name, points in (("_TROPOSPHERE", 80), ("_STRATOSPHERE", 120)):
        monkeypatch.setattr(atmosphere, name, np.polynomial.legendre.leggauss(points))
    assert np.abs(layers.refraction_over_sine(c) - found).max() < 2e-15


def test_the_zenith_is_the_refractivity():
    """Where the rays are straight up, the refraction is n - 1 in n times the sine, less a part for the curvature."""
    layers = two_layers(HALF, 0.0, 0.55, 1013.25, 10.0, 0.0)
    excess = layers.air + layers.vapour
    scale = 8314.4626 * 283.15 / (28.9641 * atmosphere.gravity_of_column(HALF, 0.0)) / layers.radius
    assert layers.refraction_over_sine(1.0) == pytest.approx(excess * (1 - scale), rel=2e-5 + 3 * excess)


def test_the_radius_of_curvature():
    """WGS84: sqrt(M N) is the polar radius of curvature at the pole, and b at the equator."""
    assert atmosphere.radius_of_curvature(1.0) == pytest.approx(6399593.6258, abs=1e-3)
    assert atmosphere.radius_of_curvature(0.0) == pytest.approx(6356752.3142, abs=1e-3)
