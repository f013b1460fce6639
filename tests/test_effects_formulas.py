"""What the sources ask of the effects (SOURCES E2 to E4), end to end: through triangulation, orbits and estimators."""

import astropy.units as u
import numpy as np
import pytest
from astropy.constants import c
from astropy.coordinates import SkyCoord

import astrokin as ak
from astrokin.testing import samples
from astrokin.units import MAS_IN_RAD

MAS_YR = u.mas / u.yr
OBLIQUITY = np.radians(23.4392911)
NORTH = np.array([0.0, -np.sin(OBLIQUITY), np.cos(OBLIQUITY)])  # of the ecliptic


# ---- E2: parallax ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("phi", [1.0 * u.arcsec, 0.1 * u.deg, 20 * u.deg])
def test_the_distance_is_the_baseline_over_the_sine_of_the_angle(phi):
    """Source 004, "Trigonometric Parallax": d_E = B_x / sin(phi), from what the effect shows to two observers.

    The observer for whom the baseline is at a right angle to the star sees it in the direction y.
    """
    distance = (1 * u.au / np.tan(phi)).to(u.au)
    parallax = (1 * u.au / distance).value / MAS_IN_RAD
    star = ak.Stars(ra=[90.0] * u.deg, dec=[0.0] * u.deg, parallax=[parallax] * u.mas)
    places = [[0.0, 0, 0] * u.au, [1.0, 0, 0] * u.au]
    observers = [ak.Observer(2016.0, position=p, velocity=[0, 0, 0] * u.km / u.s) for p in places]
    seen = [ak.effects.AnnualParallax(o).apply(star) for o in observers]
    angle = np.arccos(np.clip(seen[0].direction[:, 0] @ seen[1].direction[:, 0], -1, 1))
    if phi > 1 * u.arcmin:  # an arc cosine loses small angles
        assert angle == pytest.approx(phi.to_value(u.rad), rel=1e-9)
    found = ak.triangulate(seen, places)
    from_second = np.linalg.norm(found.position[:, 0] - places[1])
    assert from_second.to_value(u.au) == pytest.approx(1 / np.sin(phi).value, rel=1e-9)
    if phi == 1 * u.arcsec:
        assert from_second.to_value(u.pc) == pytest.approx(1.0, rel=1e-9)


# ---- E3: aberration --------------------------------------------------------------------------------------


def on_a_circle(phase):
    """An observer at 1 au from the Sun on a circle in the ecliptic, without the wobble of the real Earth."""
    axes = np.array([1.0, 0, 0]), np.cross(NORTH, [1.0, 0, 0])
    speed = (1 * u.au * 2 * np.pi / u.yr).to(u.km / u.s)
    return ak.Observer(
        2016.0,
        position=(np.cos(phase) * axes[0] + np.sin(phase) * axes[1]) * u.au,
        velocity=(np.cos(phase) * axes[1] - np.sin(phase) * axes[0]) * speed,
    )


@pytest.mark.parametrize("latitude", [90.0, 60.0, 10.0, -45.0])
def test_on_a_circular_orbit_the_greatest_rate_in_latitude_is_that_of_the_source(latitude):
    """Source 004, "Aberration": max mu_beta = (v_E Omega/c) sin(beta), 128.8 arcsec/yr at the pole; to (v/c)."""
    b = np.radians(latitude)
    place = np.sin(b) * NORTH + np.cos(b) * np.array([1.0, 0.0, 0.0])
    star = samples.field_stars(1).replace(direction=place[:, None])
    phases, step = np.linspace(0, 2 * np.pi, 73)[:-1], 1e-3
    latitudes = np.array([
        [np.arcsin(NORTH @ ak.effects.AnnualAberration(on_a_circle(p + s)).apply(star).direction[:, 0])
         for s in (-step, step)] for p in phases
    ])  # fmt: skip
    rates = np.diff(latitudes, axis=1)[:, 0] / (2 * step) * 2 * np.pi  # rad/yr
    expected = (1 * u.au * (2 * np.pi / u.yr) ** 2 / c).to_value(1 / u.yr) * abs(np.sin(b))
    if latitude == 90.0:  # there the latitude does not change: it stays at (v/c) from the pole
        assert np.degrees(expected) * 3600 == pytest.approx(128.8, abs=0.1)
        assert np.abs(rates).max() < 1e-4 * expected
    else:
        assert np.abs(rates).max() == pytest.approx(expected, rel=2e-4)


def test_over_a_year_a_star_moves_on_an_ellipse_of_the_constant_of_aberration():
    """Half axes kappa and kappa sin(beta), the great one along the ecliptic, with kappa = 20.49 arcsec of a circle."""
    b = np.radians(30.0)
    place = np.sin(b) * NORTH + np.cos(b) * np.array([1.0, 0.0, 0.0])
    along = np.cross(NORTH, place) / np.cos(b)
    up = np.cross(place, along)
    star = samples.field_stars(1).replace(direction=place[:, None])
    off = np.array([ak.effects.AnnualAberration(on_a_circle(p)).apply(star).direction[:, 0] - place
                    for p in np.linspace(0, 2 * np.pi, 40)])  # fmt: skip
    kappa = (1 * u.au * (2 * np.pi / u.yr) / c).to_value(u.one)
    assert np.degrees(kappa) * 3600 == pytest.approx(20.4927, abs=2e-3)  # that of the real orbit is 1/sqrt(1-e²) more
    assert np.abs(np.hypot(off @ along, off @ up / np.sin(b)) / kappa - 1).max() < 2e-4


# ---- E4: secular aberration ------------------------------------------------------------------------------


def test_secular_aberration_is_a_glide_toward_the_galactic_centre_and_no_spin():
    """Source 004, "Aberration", with its erratum: mu = (a/c) sin(theta) toward the acceleration; 4.72 µas/yr."""
    rng = np.random.default_rng(4)
    n = 20_000
    quasars = ak.Stars(
        ra=rng.uniform(0, 360, n) * u.deg, dec=np.degrees(np.arcsin(rng.uniform(-1, 1, n))) * u.deg,
        parallax=np.zeros(n) * u.mas, pmra=np.zeros(n) * MAS_YR, pmdec=np.zeros(n) * MAS_YR,
        covariance=np.tile(np.diag([0.1, 0.1, 0.1, 1e-3, 1e-3, 1.0]) ** 2, (n, 1, 1)),
    )  # fmt: skip
    seen = ak.effects.SecularAberration().apply(quasars)
    fit = ak.estimator("spin-and-glide").fit(seen)
    glide = np.array([fit[f"glide_{k}"].to_value(u.uas / u.yr) for k in "xyz"])
    spin = np.array([fit[f"spin_{k}"].to_value(u.uas / u.yr) for k in "xyz"])
    assert np.linalg.norm(glide) == pytest.approx(4.72, abs=0.01)
    toward = SkyCoord(*glide, representation_type="cartesian").galactic
    assert toward.separation(SkyCoord(0 * u.deg, 0 * u.deg, frame="galactic")) < 1e-3 * u.deg
    assert np.abs(spin).max() < 1e-9


def test_the_angle_from_the_centre_is_that_of_the_source():
    """Source 004: cos(theta) = cos(b) cos(l), and mu = (a/c) sin(theta), star by star."""
    stars = samples.field_stars(200)
    still = stars.replace(proper_motion=np.zeros((3, 200)))
    effect = ak.effects.SecularAberration()
    drift = effect.apply(still)
    amplitude = (np.linalg.norm(effect.acceleration) / c).to_value(MAS_YR, u.dimensionless_angles())
    cosine = np.cos(still.b) * np.cos(still.l)
    assert np.abs(np.hypot(drift.pmra, drift.pmdec).value - amplitude * np.sqrt(1 - cosine**2)).max() < 1e-12
