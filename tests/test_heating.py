"""Disc heating: epicycles, spectra, diffusion coefficients against sums integrals of their own and closed forms."""

import astropy.units as u
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, special

from astrokin.errors import InputError
from astrokin.heating import (
    ActionGrid,
    Clouds,
    Disc,
    ExponentialProfile,
    Heating,
    Lorentzian,
    SechProfile,
    SpiralRelation,
    SpiralWave,
    Tabulated,
    White,
    amplitudes,
    diffusion_coefficient,
    estimated,
    evolve,
    fit_spirals,
    from_angle_actions,
    resonances,
    to_angle_actions,
)

RATE = u.km / u.s / u.kpc
ACTION = u.kpc * u.km / u.s
SPEED2 = u.km**2 / u.s**2
DIFFUSION = ACTION**2 / u.Gyr
NOISE = u.km**4 / u.s**4 * u.Gyr
FLAT = Disc.power_law(220 * u.km / u.s, 8 * u.kpc, vertical_frequency=75 * RATE)
L0 = 1760 * ACTION  # of the circular orbit at 8 kpc
WAVE = SpiralWave(2, 1.0 / u.kpc)


# ---- epicycles -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("slope", "ratio"), [(0.0, np.sqrt(2.0)), (1.0, 2.0), (-0.5, 1.0)])
def test_flat_solid_and_keplerian_discs_have_the_textbook_ratio(slope, ratio):
    disc = Disc.power_law(220 * u.km / u.s, 8 * u.kpc, slope)
    radius = [3, 8, 14] * u.kpc
    np.testing.assert_allclose((disc.kappa(radius) / disc.omega(radius)).value, ratio, rtol=1e-9)
    np.testing.assert_allclose(disc.gamma(radius).value, 2.0 / ratio, rtol=1e-9)
    np.testing.assert_allclose(disc.guiding_radius(disc.omega(radius) * radius**2), radius, rtol=1e-11)


def test_frequencies_are_second_derivatives_of_the_effective_potential():
    """Of a Miyamoto-Nagai disc (003, eq. 3.8 with its erratum), by differences of the potential itself."""
    from astropy.constants import G

    mass, a, b = 1e11 * u.M_sun, 3.0, 0.3

    def potential(r, z):
        return -(G * mass / u.kpc).to_value(u.km**2 / u.s**2) / np.sqrt(r**2 + (a + np.sqrt(z**2 + b**2)) ** 2)

    def second(f, x, h=1e-3):
        return (f(x + h) - 2.0 * f(x) + f(x - h)) / h**2

    def speed(radius):
        r, h = radius.to_value(u.kpc), 1e-4
        return np.sqrt(r * (potential(r + h, 0.0) - potential(r - h, 0.0)) / (2.0 * h)) * u.km / u.s

    def nu(radius):
        r = radius.to_value(u.kpc)
        return np.sqrt(second(lambda z: potential(r, z), 0.0)) * RATE

    disc, r = Disc(speed, nu), 8.0
    momentum = r * speed(r * u.kpc).value
    kappa = np.sqrt(second(lambda x: potential(x, 0.0) + 0.5 * momentum**2 / x**2, r))
    assert disc.kappa(r * u.kpc).value == pytest.approx(kappa, rel=1e-5)
    density = second(lambda z: potential(r, z), 0.0) + second(lambda x: potential(x, 0.0), r)
    density = (density + (speed(r * u.kpc).value ** 2) / r**2) * RATE**2 / (4.0 * np.pi * G)
    poisson = Disc.from_density(speed, lambda radius: density)
    np.testing.assert_allclose(poisson.nu(r * u.kpc).value, disc.nu(r * u.kpc).value, rtol=1e-5)


orbit = st.tuples(
    st.floats(0.01, 60.0), st.floats(600.0, 3000.0), st.floats(0.01, 20.0), *[st.floats(-3.1, 3.1) for _ in range(3)]
)


@settings(max_examples=60, deadline=None)
@given(orbit, st.floats(-0.3, 0.3))
def test_angles_and_actions_come_back(numbers, slope):
    disc = Disc.power_law(220 * u.km / u.s, 8 * u.kpc, slope, vertical_frequency=75 * RATE)
    units = dict(zip(("J_R", "J_phi", "J_z"), [ACTION] * 3, strict=True)) | {
        k: u.rad for k in ("theta_R", "theta_phi", "theta_z")
    }
    given_ = {k: v * unit for v, (k, unit) in zip(numbers, units.items(), strict=True)}
    back = to_angle_actions(disc, **from_angle_actions(disc, **given_))
    for name, value in given_.items():
        assert back[name].value == pytest.approx(value.value, rel=1e-8, abs=1e-8), name


def test_the_epicycle_is_the_orbit_to_first_order():
    """Against the true orbit of one small epicycle, integrated: places to the square of a_R / R_g."""
    off = []
    for action in (0.01, 0.04):
        place = {"J_R": action * ACTION, "J_phi": L0, "theta_R": 0.4 * u.rad, "theta_phi": 0.0 * u.rad}
        start = from_angle_actions(FLAT, **place)
        at = FLAT.at(np.array(8.0))

        def rates(_, y):
            return [y[2], L0.value / y[0] ** 2, L0.value**2 / y[0] ** 3 - 220.0**2 / y[0]]

        y0 = [start["R"].value, start["phi"].value, start["v_R"].value]
        end = integrate.solve_ivp(rates, (0, 0.1), y0, rtol=1e-11, atol=1e-12).y[:, -1]
        later = {"theta_R": (0.4 + 0.1 * at.kappa) * u.rad, "theta_phi": 0.1 * at.omega * u.rad}
        found = from_angle_actions(FLAT, **(place | later))
        size = np.sqrt(2 * action / at.kappa) / 8.0
        off.append(np.abs([found["R"].value / 8.0 - end[0] / 8.0, found["phi"].value - end[1]]) / size**2)
    np.testing.assert_allclose(off[0], off[1], rtol=0.1)  # what is left is of second order,
    assert np.max(off) < 3.0  # with factors of order one


# ---- spectra ---------------------------------------------------------------------------------------------


def test_lorentzian_is_the_transform_of_its_correlation():
    spectrum = Lorentzian(90 * SPEED2, 12 * RATE, 20 * RATE, arms=3)
    for nu in (10.0, 60.0, 75.0):
        found, _ = integrate.quad(
            lambda s, nu=nu: 2.0 * 90**2 * np.exp(-12 * s) * np.cos((nu - 60) * s), 0, 5, limit=500
        )
        assert spectrum.power(np.array(nu)) == pytest.approx(found, rel=1e-8)


def test_the_spectrum_of_a_simulated_series_is_found_on_the_right_side():
    spectrum = Lorentzian(90 * SPEED2, 12 * RATE, 20 * RATE, arms=2)
    series = amplitudes(spectrum, 0.002 * u.Gyr, 4096, 150, np.random.default_rng(3))
    assert np.mean(np.abs(series.value) ** 2) == pytest.approx(90**2, rel=0.05)
    found = estimated(series, 0.002 * u.Gyr)
    nu = np.array([0.0, 30.0, 40.0, 50.0]) * RATE
    np.testing.assert_allclose(found(nu) / spectrum(nu), 1.0, atol=0.12)
    assert found(40 * RATE) > 20 * found(-40 * RATE)


# ---- diffusion coefficients ------------------------------------------------------------------------------


def test_white_noise_heats_in_proportion_to_the_action():
    """The Bessel sum rule: sum l^2 J_l^2(s) = s^2/2."""
    action = np.array([0.1, 1.0, 10.0, 100.0]) * ACTION
    found = diffusion_coefficient(FLAT, WAVE, White(300 * NOISE), action, L0)
    wavenumber, kappa = WAVE.effective_wavenumber(FLAT, 8 * u.kpc), FLAT.kappa(8 * u.kpc)
    expected = 300 * NOISE * wavenumber**2 * action / kappa
    np.testing.assert_allclose((found / expected).to_value(u.one), 1.0, rtol=1e-12)


def brute_force(spectrum, wave, action, vertical, element, radius=8.0):
    """Components of the potential by a Fourier transform over the angles themselves; nothing of Bessel is known."""
    n = 64
    at = FLAT.at(np.array(radius))
    theta = 2.0 * np.pi * np.arange(n) / n
    r, z = np.meshgrid(theta, theta, indexing="ij")
    a = np.sqrt(2.0 * action / at.kappa)
    phase = wave.k * a * np.cos(r) - wave.arms * at.gamma * (a / radius) * np.sin(r)
    values = np.exp(1j * phase) * wave.at_height(np.sqrt(2.0 * vertical / at.nu) * np.cos(z))
    size = np.abs(np.fft.fft2(values) / n**2) ** 2
    order = np.fft.fftfreq(n, 1.0 / n)
    ell, vert = np.meshgrid(order, order, indexing="ij")
    k = (ell, wave.arms * np.ones_like(ell), vert)
    power = spectrum.power(ell * at.kappa + wave.arms * at.omega + vert * at.nu)
    return float((k[element[0]] * k[element[1]] * size * power).sum())


@pytest.mark.parametrize("element", ["RR", "Rphi", "Rz", "phiphi", "phiz", "zz"])
def test_every_element_is_the_sum_over_fourier_components(element):
    spectrum = Lorentzian(90 * SPEED2, 25 * RATE, 19 * RATE, arms=2)
    wave = SpiralWave(2, -1.4 / u.kpc, SechProfile(0.4 * u.kpc))
    where = {"RR": (0, 0), "Rphi": (0, 1), "Rz": (0, 2), "phiphi": (1, 1), "phiz": (1, 2), "zz": (2, 2)}[element]
    found = diffusion_coefficient(FLAT, wave, spectrum, 15 * ACTION, L0, 3 * ACTION, element)
    expected = brute_force(spectrum, wave, 15.0, 3.0, where)
    assert found.to_value(ACTION**2 * RATE) == pytest.approx(expected, rel=1e-7)


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 400.0), st.floats(0.0, 30.0), st.floats(0.5, 200.0), st.floats(-60.0, 60.0), st.integers(0, 6))
def test_the_tensor_is_positive(action, vertical, width, pattern, arms):
    spectrum = Lorentzian(90 * SPEED2, width * RATE, pattern * RATE, arms=arms)
    wave = SpiralWave(arms, 1.1 / u.kpc, SechProfile(0.5 * u.kpc))
    d = {
        e: diffusion_coefficient(FLAT, wave, spectrum, action * ACTION, L0, vertical * ACTION, e).value
        for e in ("RR", "Rphi", "Rz", "phiphi", "phiz", "zz")
    }
    matrix = np.array(
        [[d["RR"], d["Rphi"], d["Rz"]], [d["Rphi"], d["phiphi"], d["phiz"]], [d["Rz"], d["phiz"], d["zz"]]]
    )
    assert np.linalg.eigvalsh(matrix).min() >= -1e-10 * max(np.trace(matrix), 1e-300)


def test_a_narrow_spectrum_heats_at_its_resonances_only():
    pattern = 22 * RATE
    spectrum = Lorentzian(60 * SPEED2, 1.0 * RATE, pattern, arms=2)
    radius = np.linspace(2.0, 20.0, 1801) * u.kpc
    heating = diffusion_coefficient(FLAT, WAVE, spectrum, 5 * ACTION, radius * 220 * u.km / u.s)
    peaks = radius[1:-1][(heating[1:-1] > heating[:-2]) & (heating[1:-1] > heating[2:])]
    expected = resonances(FLAT, WAVE, pattern)
    for order in (-1, 1):  # corotation does not heat: l = 0
        assert np.abs(peaks - expected[order]).min() < 0.03 * u.kpc
        at = np.argmin(np.abs(radius - expected[order]))
        assert heating[at] > 30 * heating[np.argmin(np.abs(radius - 1.25 * expected[order]))]
    assert heating[np.argmin(np.abs(radius - expected[0]))] < 0.02 * heating.max()


def test_vertical_heating_is_weaker_by_the_expected_factor():
    """In the tails C^(m Omega +- 2 nu) / C^(m Omega +- kappa) is (kappa / 2 nu)^2; times what the shapes give."""
    pattern = FLAT.omega(8 * u.kpc)
    wave = SpiralWave(2, 0.2 / u.kpc, SechProfile(0.4 * u.kpc))
    at, jr, jz = FLAT.at(np.array(8.0)), 0.5, 2.0
    zeta = wave.vertical(np.array(jz), at.nu, 2)
    half = 0.5 * wave.effective(at) * np.sqrt(2 * jr / at.kappa)  # J_1 = s/2 for long waves
    for width in (0.5, 2.0):
        spectrum = Lorentzian(60 * SPEED2, width * RATE, pattern, arms=2)
        radial, vertical = (
            diffusion_coefficient(FLAT, wave, spectrum, jr * ACTION, L0, jz * ACTION, e) for e in ("RR", "zz")
        )
        factor = (2.0 * zeta[2] / (zeta[0] * half)) ** 2 * (at.kappa / (2.0 * at.nu)) ** 2
        assert (vertical / radial).to_value(u.one) == pytest.approx(factor, rel=0.05)


# ---- evolution -------------------------------------------------------------------------------------------


def started(grid, action, time, rate):
    """Stars of one action after some time of D = rate J: exp(-(J + J')/c) I_0(2 sqrt(J J')/c)/c, by cells."""
    c = rate * time
    faces = grid.faces
    nodes, weights = np.polynomial.legendre.leggauss(8)
    x = 0.5 * (faces[1:] + faces[:-1])[:, None] + 0.5 * np.diff(faces)[:, None] * nodes
    root = 2.0 * np.sqrt(x * action) / c
    return (special.ive(0, root) * np.exp(root - (x + action) / c) / c) @ (0.5 * weights)


def errors(cells, steps, rate=2.0):
    grid = ActionGrid(300 * ACTION, cells)
    begin, end = started(grid, 8.0, 1.0, rate), started(grid, 8.0, 8.0, rate)
    unit = u.kpc / (u.km / u.s)
    found = evolve(grid, begin, lambda J: rate * J * ACTION / unit, [1.0, 8.0] * unit, steps=steps)
    return float(np.abs(found.density.value[-1] - end) @ grid.widths), found


def test_the_closed_form_is_reached_with_second_order():
    in_space = [errors(n, 400)[0] for n in (40, 80, 160)]
    assert 3.5 < in_space[0] / in_space[1] < 4.6
    assert 3.5 < in_space[1] / in_space[2] < 4.6
    in_time = [errors(1600, n)[0] for n in (4, 8, 16)]
    assert 3.4 < in_time[0] / in_time[1] < 6.0
    assert 3.4 < in_time[1] / in_time[2] < 6.0


def test_mass_is_kept_and_f_is_not_negative():
    _, found = errors(400, 50)
    assert np.abs(found.stars - found.stars[0]).max() < 1e-12
    assert found.density.value.min() >= 0.0
    grid = ActionGrid(400 * ACTION)
    heated = evolve(grid, grid.exponential(3 * ACTION), lambda J: 2 * ACTION / u.Gyr * J, [0, 5, 10] * u.Gyr)
    assert np.abs(heated.stars - 1.0).max() < 1e-12
    assert heated.density.value.min() >= 0.0


def test_a_step_far_too_long_leaves_nothing_negative():
    grid = ActionGrid(300 * ACTION, 100)
    start = np.zeros(100)
    start[40:43] = 1.0
    found = evolve(grid, start, lambda J: 5 * ACTION / u.Gyr * J, [0, 1] * u.Gyr, steps=1)
    assert found.density.value.min() >= 0.0
    assert found.stars[1] == pytest.approx(found.stars[0], rel=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.floats(2.0, 10.0), st.floats(0.1, 5.0), st.floats(0.1, 10.0))
def test_white_noise_heats_at_a_constant_rate(birth, rate, time):
    grid = ActionGrid(1500 * ACTION)
    found = evolve(grid, grid.exponential(birth * ACTION), lambda J: rate * ACTION / u.Gyr * J, [0, time] * u.Gyr)
    assert found.mean_action[1].value == pytest.approx(birth + rate * time, rel=2e-3)


def test_strength_births_and_friction():
    grid = ActionGrid(600 * ACTION)
    start = grid.exponential(5 * ACTION)
    heat = lambda J: 2 * ACTION / u.Gyr * J
    fading = evolve(grid, start, heat, [0, 10] * u.Gyr, strength=lambda t: np.exp(-t / (4 * u.Gyr)), tolerance=0.004)
    assert fading.mean_action[1].value == pytest.approx(5 + 8 * (1 - np.exp(-2.5)), rel=1e-3)
    born = evolve(grid, start, heat, [0, 10] * u.Gyr, births=lambda t: 0.3 / u.Gyr, born=start, tolerance=0.004)
    assert born.stars[1] == pytest.approx(4.0, rel=1e-10)
    # The first stars have 5 + 20, those born all along 5 + 10 on average.
    assert born.mean_action[1].value == pytest.approx((25 + 3 * 15) / 4, rel=1e-3)
    rested = evolve(grid, start, heat, [0, 200] * u.Gyr, friction=lambda J: 0.1 / u.Gyr * J)
    assert rested.mean_action[1].value == pytest.approx(20.0, rel=2e-3)  # D0/A
    np.testing.assert_allclose(
        rested.density.value[1][:200], (np.exp(-grid.centres / 20.0) / 20.0)[:200], rtol=0.02, atol=0
    )


# ---- clouds, and whole histories -------------------------------------------------------------------------


def test_clouds_share_energy_and_keep_it():
    clouds = Clouds(3 * u.Gyr, ratio=0.7)
    heating = Heating(
        FLAT, 8 * u.kpc, WAVE, White(0 * NOISE), 40 * u.km / u.s, 10 * u.km / u.s, clouds=clouds, cells=300
    )
    found = heating.relation([0, 1, 3, 40] * u.Gyr)
    energy = found.sigma_R**2 + found.sigma_z**2
    np.testing.assert_allclose(energy / energy[0], 1.0, rtol=2e-3)
    share = (found.sigma_z**2 / energy).value
    rest = 0.49 / 1.49
    # E_z relaxes to its share at the rate (1 + q^2)/tau.
    expected = rest + (share[0] - rest) * np.exp(-1.49 * np.array([0, 1, 3, 40]) / 3.0)
    np.testing.assert_allclose(share, expected, atol=2e-3)


def test_the_cloud_tensor_keeps_energy():
    tensor = Clouds(3 * u.Gyr).tensor(FLAT, 8 * u.kpc, 20 * ACTION, 6 * ACTION)
    kappa, nu = FLAT.kappa(8 * u.kpc), FLAT.nu(8 * u.kpc)
    assert abs(tensor["RR"] * kappa + tensor["Rz"] * nu) < 1e-12 * tensor["RR"] * kappa
    assert abs(tensor["Rz"] * kappa + tensor["zz"] * nu) < 1e-12 * tensor["zz"] * nu


def test_a_history_of_strength_is_that_of_its_integral():
    spectrum = Lorentzian(50 * SPEED2, 20 * RATE, 22 * RATE, arms=2)
    growth = 0.15 / u.Gyr
    told = Heating(FLAT, 8 * u.kpc, WAVE, spectrum, strength=lambda back: np.exp((back * growth).to_value(u.one)))
    table = SpiralRelation(FLAT, 8 * u.kpc, WAVE, 22 * RATE, growth=growth, cells=400)
    ages = [1, 4, 10] * u.Gyr
    one, other = told.relation(ages).sigma_R, table.sigma_R(ages, 50 * SPEED2, 20 * RATE)
    np.testing.assert_allclose(one.value, other.value, rtol=3e-3)


# ---- the inverse -----------------------------------------------------------------------------------------

RELATION = SpiralRelation(FLAT, 8 * u.kpc, SpiralWave(2, 2.0 / u.kpc), 16 * RATE)
AGES = np.array([0.5, 1, 2, 3, 4.5, 6, 8, 10, 12]) * u.Gyr


@pytest.mark.slow
def test_the_inverse_finds_the_spirals_with_their_errors():
    truth = np.log([45.0, 12.0])
    clean = RELATION.sigma_R(AGES, 45 * SPEED2, 12 * RATE)
    rng, pulls = np.random.default_rng(5), []
    for _ in range(150):
        seen = clean * (1.0 + 0.001 * rng.normal(size=len(AGES)))
        fit = fit_spirals(RELATION, AGES, seen, error=0.001 * clean)
        assert fit.converged
        off = fit.logs - truth
        pulls.append([*(off / np.sqrt(np.diag(fit.log_covariance))), off @ np.linalg.solve(fit.log_covariance, off)])
    mean, width = np.mean(pulls, axis=0), np.std(pulls, axis=0)
    assert np.abs(mean[:2]).max() < 4.0 / np.sqrt(150)
    assert np.abs(width[:2] - 1.0).max() < 4.0 / np.sqrt(300)
    assert abs(mean[2] - 2.0) < 4.0 * 2.0 / np.sqrt(150)  # chi^2 of two


def test_a_choice_of_spirals_for_the_observed_power_law():
    """<J_R> ~ t^(2/3), sigma_R = 35 km/s (t / 10 Gyr)^(1/3): the exercise of 003, section 5.2.4."""
    relation = SpiralRelation(FLAT, 8 * u.kpc, SpiralWave(2, 2.0 / u.kpc), 16 * RATE, birth_dispersion=8 * u.km / u.s)
    ages = np.geomspace(1.0, 10.0, 12) * u.Gyr
    wanted = 35 * u.km / u.s * (ages / (10 * u.Gyr)) ** (1 / 3)
    fit = fit_spirals(relation, ages, wanted, error=0.02 * wanted)
    made = relation.sigma_R(ages, fit.strength, fit.width)
    slope = 2.0 * np.polyfit(np.log(ages.value), np.log(made.value), 1)[0]
    assert fit.converged
    assert slope == pytest.approx(2 / 3, abs=0.02)
    np.testing.assert_allclose(made / wanted, 1.0, atol=0.03)


# ---- bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda: Lorentzian(50 * SPEED2, 0 * RATE), "must be positive"),
        (lambda: Lorentzian(50 * SPEED2, -3 * RATE), "Gamma"),
        (lambda: Disc.power_law(220 * u.km / u.s, 8 * u.kpc, -1.2).kappa(8 * u.kpc), "kappa\\^2"),
        (lambda: Tabulated([0, 1, 2] * RATE, [1, -1, 1] * NOISE), "negative"),
        (lambda: White(-1 * NOISE), "zero or positive"),
        (lambda: ActionGrid(4000 * ACTION, 50).exponential(1 * ACTION), "too coarse"),
        (lambda: ActionGrid(4 * ACTION, 50).exponential(3 * ACTION), "too short"),
        (
            lambda: evolve(
                ActionGrid(100 * ACTION),
                np.exp(-np.arange(400) / 90),
                lambda J: 50 * J * ACTION / u.Gyr,
                [0, 5] * u.Gyr,
            ),
            "too short",
        ),
        (lambda: Heating(FLAT, 8 * u.kpc, WAVE, White(3000 * NOISE)).relation([10] * u.Gyr), "nearly circular"),
        (lambda: ActionGrid(400 * ACTION, 50).checked(np.eye(50)[20]), "too coarse"),
        (lambda: SpiralWave(-1, 1 / u.kpc), "from 0 up"),
        (lambda: SpiralWave(2, 1 * u.kpc), "wavenumber"),
        (lambda: SpiralWave(0, 0 / u.kpc), "no wave"),
        (lambda: SpiralWave(2, 1 / u.kpc, lambda z: 1 + z / u.kpc).vertical(np.ones(1), 75.0, 2), "even"),
        (
            lambda: diffusion_coefficient(FLAT, WAVE, Lorentzian(1 * SPEED2, 1 * RATE, 20 * RATE), 1 * ACTION, L0),
            "arms=2",
        ),
        (lambda: diffusion_coefficient(FLAT, WAVE, White(1 * NOISE), -1 * ACTION, L0), "radial action"),
        (lambda: diffusion_coefficient(FLAT, WAVE, White(1 * NOISE), 1 * ACTION, L0, element="Rr"), "element"),
        (lambda: diffusion_coefficient(FLAT, WAVE, White(1 * NOISE), 1 * ACTION, L0, element="zz"), "vertical_action"),
        (lambda: Disc(lambda R: 220 * u.km / u.s).nu(8 * u.kpc), "vertical profile"),
        (lambda: Disc.tabulated([4, 6, 8, 10] * u.kpc, [220] * 4 * u.km / u.s).omega(20 * u.kpc), "from 4 to 10"),
        (lambda: Clouds(0 * u.Gyr), "positive"),
        (lambda: Clouds(3 * u.Gyr, ratio=1.5), "ratio"),
        (lambda: RELATION.sigma_R([-1, 2] * u.Gyr, 50 * SPEED2, 10 * RATE), "age"),
        (lambda: RELATION.sigma_R([1, 2] * u.Gyr, 50 * SPEED2, 0 * RATE), "Gamma"),
        (lambda: RELATION.sigma_R([10] * u.Gyr, 5000 * SPEED2, 10 * RATE), "nearly circular"),
        (lambda: fit_spirals(RELATION, [1, 2] * u.Gyr, [10, 20] * u.km / u.s, error=1 * u.km / u.s), "three"),
        (lambda: fit_spirals(RELATION, AGES, np.ones(9) * 20 * u.km / u.s), "error or covariance"),
        (lambda: to_angle_actions(FLAT, R=8 * u.kpc, phi=0 * u.rad, v_R=0 * u.km / u.s), "needed"),
        (
            lambda: to_angle_actions(FLAT, R=8 * u.kpc, phi=0 * u.rad, v_R=0 * u.km / u.s, v_phi=-220 * u.km / u.s),
            "rotation",
        ),
        (
            lambda: evolve(ActionGrid(400 * ACTION), np.ones(400), lambda J: J * ACTION / u.Gyr, [2, 1] * u.Gyr),
            "increasing times",
        ),
        (lambda: estimated(np.ones(10), 1 * u.Gyr), "potential"),
        (lambda: FLAT.omega(np.array([8.0])), "unit"),
    ],
)
def test_bad_input_is_said_clearly(act, words):
    with pytest.raises(InputError, match=words):
        act()


def test_profiles_have_their_fourier_components():
    wave, smooth = (SpiralWave(2, 1 / u.kpc, p(0.5 * u.kpc)) for p in (ExponentialProfile, SechProfile))
    for each in (wave, smooth):
        found = each.vertical(np.array([4.0]), np.array([75.0]), 8)
        height = np.sqrt(8.0 / 75.0)
        for n in range(0, 9, 2):
            whole, _ = integrate.quad(
                lambda t, n=n, each=each, height=height: (
                    each.at_height(np.array([height * np.cos(t)]))[0] * np.cos(n * t)
                ),
                0,
                np.pi,
                limit=200,
                points=[np.pi / 2],
            )
            assert found[n, 0] == pytest.approx(whole / np.pi, abs=2e-4)
        np.testing.assert_allclose(found[1::2], 0.0, atol=1e-12)
