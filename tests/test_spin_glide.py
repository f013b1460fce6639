"""Spin and glide: explicit least squares, the effects whose inverse it is, orthogonality, calibration, bad input."""

import astropy.units as u
import numpy as np
import pytest
from scipy.special import roots_legendre

import astrokin as ak
from astrokin.estimators import vector_harmonics
from astrokin.estimators.spin_glide import SpinAndGlide
from astrokin.estimators.spin_glide_sample import places, quasars
from astrokin.estimators.vector_harmonics import NAMES

MAS_YR = u.mas / u.yr
UAS_YR = u.uas / u.yr
FIELD = np.linspace(-0.9, 0.7, 16)
EXACT = SpinAndGlide(dispersion="none")


def rng(seed=1):
    return np.random.default_rng(seed)


def basis(direction):
    x, y, _ = direction
    rho = np.hypot(x, y)
    east = np.stack([-y, x, 0 * x]) / rho
    return east, np.cross(direction.T, east.T).T


def stars_with(direction, motion, **more):
    """Return stars with the tangent part of a motion (3, n)."""
    east, north = basis(direction)
    ra, dec = np.degrees(np.arctan2(direction[1], direction[0])) % 360, np.degrees(np.arcsin(direction[2]))
    pm = [(axis * motion).sum(axis=0) * MAS_YR for axis in (east, north)]
    return ak.Stars(ra=ra * u.deg, dec=dec * u.deg, pmra=pm[0], pmdec=pm[1], **more)


def values(fit, names=None):
    return np.array([fit[k].value for k in names or fit])


def pulls(fit, truth):
    return np.array([((fit[k] - truth[k]) / fit.error[k]).value for k in truth])


def motion_of(spin, glide, direction):
    """Return the formula of the first degree: g - (g . r) r - omega x r."""
    g, w = np.array(glide)[:, None], np.array(spin)
    return g - (g * direction).sum(axis=0) * direction - np.cross(w, direction.T).T


def quadratic_form(name, r):
    """Return Y_2m of Mignard & Klioner (2012) with their phase, its real or imaginary part as the field has it."""
    x, y, z = r
    one, two = np.sqrt(15 / (8 * np.pi)), np.sqrt(15 / (32 * np.pi))
    return {
        "20": np.sqrt(5 / (16 * np.pi)) * (2 * z**2 - x**2 - y**2),
        "21r": 2 * -one * z * x,
        "21i": -2 * -one * z * y,
        "22r": 2 * two * (x**2 - y**2),
        "22i": -2 * two * 2 * x * y,
    }[name]


def harmonic(name, r):
    """Return an electric or magnetic harmonic (3, n) from numerical gradients: S = grad Y/sqrt(6), T = -r x S."""
    h = 1e-4
    steps = h * np.eye(3)[:, :, None]
    gradient = np.stack([quadratic_form(name[1:], r + s) - quadratic_form(name[1:], r - s) for s in steps]) / (2 * h)
    field = (gradient - (gradient * r).sum(axis=0) * r) / np.sqrt(6)
    return field if name[0] == "e" else -np.cross(r.T, field.T).T


# ---- the field -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("dispersion", ["none", "isotropic"])
def test_a_field_without_noise_comes_back_to_round_off(degree, dispersion):
    direction = places(400, rng(2))
    names = NAMES[degree]
    field = FIELD[: len(names)]
    motion = motion_of(field[:3], field[3:6], direction)
    for name, value in zip(names[6:], field[6:], strict=True):
        motion = motion + value * harmonic(name, direction)
    fit = SpinAndGlide(degree=degree, dispersion=dispersion).fit(stars_with(direction, motion))
    assert np.abs(values(fit, names) - field).max() < (1e-14 if degree == 1 else 1e-11)
    assert fit.converged
    assert not fit.undetermined


def sphere():
    """Return points and weights of a quadrature on the sphere that is exact to degree 15."""
    z, wz = roots_legendre(8)
    phi = np.arange(16) * 2 * np.pi / 16
    z, phi = (a.ravel() for a in np.meshgrid(z, phi, indexing="ij"))
    rho = np.sqrt(1 - z * z)
    return np.stack([rho * np.cos(phi), rho * np.sin(phi), z]), np.repeat(wz, 16) * 2 * np.pi / 16


def test_the_harmonics_are_orthogonal_on_the_sphere():
    """Unit norm of S_20, T_20; 2 for the real parts of m > 0, which stand for two harmonics; 8 pi/3 of degree one."""
    direction, weight = sphere()
    axes = basis(direction)
    fields = np.stack([vector_harmonics.field(row, direction, axes) for row in np.eye(16)])
    products = np.einsum("pan,qan,n->pq", fields, fields, weight)
    norms = [8 * np.pi / 3] * 6 + [1, 2, 2, 2, 2] * 2
    assert np.abs(products - np.diag(norms)).max() < 1e-13


def test_the_first_degree_in_the_notation_of_the_paper():
    """Mignard & Klioner (2012): s_10 = sqrt(8 pi/3) g_z s_11 = sqrt(4 pi/3)(-g_x + i g_y), S_1m of unit norm."""
    direction, weight = sphere()
    glide = np.array([0.3, -0.5, 0.7])
    field = motion_of((0, 0, 0), glide, direction)
    x, y, z = np.eye(3)[:, :, None] * np.ones(weight.size)
    y10, y11 = np.sqrt(3 / (4 * np.pi)) * z, -np.sqrt(3 / (8 * np.pi)) * (x + 1j * y)
    s10, s11 = ((np.conj(g / np.sqrt(2)) * field * weight).sum() for g in (y10, y11))
    assert s10 == pytest.approx(np.sqrt(8 * np.pi / 3) * glide[2], abs=1e-13)
    assert s11 == pytest.approx(np.sqrt(4 * np.pi / 3) * (-glide[0] + 1j * glide[1]), abs=1e-13)


# ---- against the effects ---------------------------------------------------------------------------------


def test_it_finds_the_spin_that_frame_rotation_puts_in():
    spin = np.array([-0.068, 0.051, 0.014])
    sample = quasars(3000, rng(3))
    for estimator in (EXACT, SpinAndGlide(), SpinAndGlide(degree=2)):
        before = estimator.fit(sample)
        after = estimator.fit(ak.effects.FrameRotation(spin=spin * MAS_YR).apply(sample))
        expected = [*spin, *np.zeros(len(before) - 3)]
        assert np.abs(values(after) - values(before) - expected).max() < 1e-9


def test_it_finds_the_acceleration_that_secular_aberration_puts_in():
    """4.72 microarcsec/yr toward the Galactic centre, from quasars at rest without errors."""
    direction = places(500, rng(4), 10.0)
    still = stars_with(direction, np.zeros((3, 500)), parallax=np.zeros(500) * u.mas)
    fit = EXACT.fit(ak.effects.SecularAberration().apply(still))
    assert fit.derived["glide"].to_value(UAS_YR) == pytest.approx(4.72, abs=0.01)
    assert abs(fit.derived["glide_b"].value) < 1e-6
    assert abs((fit.derived["glide_l"].value + 180) % 360 - 180) < 1e-6
    given = ak.effects.SecularAberration().acceleration[0]
    assert fit.derived["acceleration"].to_value(given.unit) == pytest.approx(given.value, rel=1e-9)
    assert np.abs(values(fit, NAMES[1][:3])).max() < 1e-15


def test_the_glide_of_noisy_quasars_points_to_the_galactic_centre_within_its_error():
    """A sample as large as Gaia's, in effect: errors a thirtieth of those of 40,000 quasars."""
    sample = quasars(40_000, rng(5))
    sample = sample.replace(
        proper_motion=sample.raw.proper_motion / 30, covariance=ak.Covariance(sample.covariance / 900)
    )
    fit = EXACT.fit(ak.effects.SecularAberration().apply(sample))
    error = fit.derived_error
    assert abs(fit.derived["glide"] - 4.72 * UAS_YR) < 3 * error["glide"]
    assert error["glide"] < 0.1 * UAS_YR
    centre = ak.galaxy.to_icrs(np.array([1.0, 0.0, 0.0]))
    ra, dec = np.degrees(np.arctan2(centre[1], centre[0])) % 360, np.degrees(np.arcsin(centre[2]))
    assert abs(fit.derived["glide_ra"].value - ra) < 3 * error["glide_ra"].value
    assert abs(fit.derived["glide_dec"].value - dec) < 3 * error["glide_dec"].value
    assert error["glide_ra"] < 3 * u.deg


# ---- against explicit least squares ----------------------------------------------------------------------


def equations(sample, degree=1):
    """Return the design (n, 2, p), motions (n, 2) and covariances (n, 2, 2), from the formulas."""
    r = sample.direction
    axes = basis(r)
    unit = np.eye(3)
    fields = [motion_of(w, (0, 0, 0), r) for w in unit] + [motion_of((0, 0, 0), g, r) for g in unit]
    fields += [harmonic(name, r) for name in NAMES[degree][6:]]
    x = np.stack([[(axis * f).sum(axis=0) for axis in axes] for f in fields])
    y = np.stack([sample.pmra.value, sample.pmdec.value], axis=1)
    return x.transpose(2, 1, 0), y, sample.covariance[:, 3:5, 3:5]


@pytest.mark.parametrize("degree", [1, 2])
def test_it_is_generalised_least_squares(degree):
    sample = quasars(60, rng(6), FIELD[: len(NAMES[degree])])
    x, y, s = equations(sample, degree)
    w = np.linalg.inv(s)
    normal = np.einsum("nap,nab,nbq->pq", x, w, x)
    expected = np.linalg.solve(normal, np.einsum("nap,nab,nb->p", x, w, y))
    fit = SpinAndGlide(degree=degree, dispersion="none").fit(sample)
    assert np.abs(values(fit) - expected).max() < 1e-9
    score = np.einsum("nap,nab,nb->np", x, w, y - x @ expected)
    inverse = np.linalg.inv(normal)
    sandwich = inverse @ score.T @ score @ inverse * 60 / (60 - len(expected))
    assert np.abs(fit.covariance / sandwich - 1).max() < 1e-5


def test_the_dispersion_is_that_of_restricted_maximum_likelihood():
    """The gradient of the restricted likelihood, by differences, vanishes at the fit."""
    sample = quasars(300, rng(7), FIELD[:6], dispersion=0.5)
    fit = SpinAndGlide().fit(sample)
    x, y, s = equations(sample)

    def likelihood(theta):
        whole = s + theta[6] * np.eye(2)
        e, w = y - x @ theta[:6], np.linalg.inv(whole)
        field = np.linalg.slogdet(np.einsum("nap,nab,nbq->pq", x, w, x))[1]
        return -0.5 * (np.linalg.slogdet(whole)[1].sum() + field + np.einsum("na,nab,nb->", e, w, e))

    best = values(fit)
    for step in np.diag([fit.error[k].value for k in fit]) * 0.01:
        slope = (likelihood(best + step) - likelihood(best - step)) / 0.02  # per standard error
        assert abs(slope) < 5e-3
    assert abs(fit["sigma2"].value - 0.25) < 4 * fit.error["sigma2"].value
    assert fit.derived["sigma"].value == pytest.approx(np.sqrt(best[6]))


def test_without_errors_all_sources_weigh_alike():
    sample = quasars(200, rng(8), FIELD[:6]).replace(covariance=None)
    x = equations(sample.replace(covariance=np.zeros((200, 6, 6))))[0].reshape(-1, 6)
    y = np.stack([sample.pmra.value, sample.pmdec.value], axis=1).ravel()
    expected = np.linalg.lstsq(x, y, rcond=None)[0]
    for estimator in (EXACT, SpinAndGlide()):
        assert np.abs(values(estimator.fit(sample), NAMES[1]) - expected).max() < 1e-12


def test_without_errors_the_dispersion_is_the_unbiased_variance():
    sample = quasars(40, rng(8)).replace(covariance=None)
    x = equations(sample.replace(covariance=np.zeros((40, 6, 6))))[0].reshape(-1, 6)
    y = np.stack([sample.pmra.value, sample.pmdec.value], axis=1).ravel()
    scatter = np.linalg.lstsq(x, y, rcond=None)[1][0] / (80 - 6)
    assert SpinAndGlide().fit(sample)["sigma2"].value == pytest.approx(scatter, rel=1e-4)


def test_errors_that_explain_the_whole_scatter_leave_no_dispersion():
    sample = quasars(500, rng(9))
    sample = sample.replace(covariance=ak.Covariance(sample.covariance * 4))
    fit = SpinAndGlide().fit(sample)
    assert fit["sigma2"].value < 1e-12
    assert fit.error["sigma2"] > 0
    assert fit.converged
    assert "the measurement errors explain the whole scatter" in fit.notes
    exact = EXACT.fit(sample)
    assert np.abs(values(fit, NAMES[1]) - values(exact)).max() < 1e-12


def test_correlated_errors_are_honoured():
    """Strong correlations: neglected, they cost precision; used, the errors are smaller and the pulls unit wide."""
    generator = rng(10)
    used, neglected, wide = [], [], []
    for _ in range(60):
        n = 500
        direction = places(n, generator)
        sign = np.where(direction[2] > 0, 0.95, -0.95)
        one, other = generator.normal(size=(2, n))
        errors = {"pmra": np.ones(n), "pmdec": np.ones(n)}
        east, north = basis(direction)
        noise = one * east + (sign * one + np.sqrt(1 - 0.95**2) * other) * north
        right = ak.Covariance(errors=errors, correlations={("pmra", "pmdec"): sign})
        fits = [EXACT.fit(stars_with(direction, noise, covariance=c)) for c in (right, ak.Covariance(errors=errors))]
        used.append(values(fits[0]))
        neglected.append(values(fits[1]))
        wide.append(used[-1] / [fits[0].error[k].value for k in fits[0]])
    assert np.std(used) < 0.7 * np.std(neglected)
    assert np.std(wide) == pytest.approx(1.0, abs=0.12)


# ---- what the data do not determine ----------------------------------------------------------------------


def patch(radius, n=500, seed=11):
    """Return quasars within so many degrees of ra = 40, dec = 20 deg."""
    generator = rng(seed)
    size = radius * np.sqrt(generator.uniform(size=n))
    turn = generator.uniform(0, 2 * np.pi, n)
    dec = 20 + size * np.cos(turn)
    ra = 40 + size * np.sin(turn) / np.cos(np.radians(dec))
    noise = generator.normal(size=(2, n)) * 0.1 * MAS_YR
    return ak.Stars(ra=ra * u.deg, dec=dec * u.deg, pmra=noise[0], pmdec=noise[1])


@pytest.mark.parametrize("dispersion", ["none", "isotropic"])
def test_a_small_patch_of_sky_determines_no_spin_and_glide(dispersion):
    fit = SpinAndGlide(dispersion=dispersion).fit(patch(0.05))
    assert set(fit.undetermined) == set(NAMES[1])
    assert all(np.isnan(fit[k].value) for k in NAMES[1])
    assert "places on the sky" in fit.undetermined["spin_x"]
    assert np.isnan(fit.derived["glide"].value)
    if dispersion == "isotropic":
        assert fit["sigma2"].value == pytest.approx(0.01, rel=0.2)


def test_a_larger_patch_leaves_correlations_that_a_note_names():
    fit = SpinAndGlide().fit(patch(8.0))
    assert not fit.undetermined
    assert any(note.startswith("the places on the sky leave parameters correlated: ") for note in fit.notes)
    assert fit.error["spin_x"] > 5 * SpinAndGlide().fit(patch(60.0)).error["spin_x"]
    assert not EXACT.fit(quasars(500, rng(12))).notes


def test_quasars_need_no_parallax():
    sample = quasars(500, rng(13), FIELD[:6])
    expected = EXACT.fit(sample)
    for parallax in (0.0, -1.0, np.nan):
        fit = EXACT.fit(sample.replace(parallax=np.full(500, parallax)))
        assert fit == expected
        assert fit.used == 500
        assert not fit.left_out
    near = SpinAndGlide(dispersion="none", max_distance=1 * u.kpc).fit(sample.replace(parallax=np.arange(500.0)))
    assert near.left_out == {"beyond 1 kpc": 1}


def test_files_without_parallaxes_are_read(tmp_path):
    pytest.importorskip("pyarrow")
    sample = quasars(500, rng(14), FIELD[:6])
    table = sample.to_table()
    table.remove_columns([c for c in table.colnames if "parallax" in c or "radial_velocity" in c])
    table.write(tmp_path / "qso.parquet")
    assert np.abs(values(EXACT.fit(tmp_path / "qso.parquet")) - values(EXACT.fit(sample))).max() < 1e-12


def test_errors_of_some_rows_only_are_an_error_that_says_what_to_do():
    sample = quasars(50, rng(15))
    some = np.array(sample.covariance)
    some[:7] = np.nan
    sample = sample.replace(covariance=some)
    with pytest.raises(ak.errors.InputError, match=r"only 43 of 50 rows have errors.*dispersion='isotropic'"):
        EXACT.fit(sample)
    assert SpinAndGlide().fit(sample).converged


def test_outliers_are_clipped_with_and_without_known_errors():
    sample = quasars(400, rng(17), FIELD[:6])
    motion = np.array(sample.raw.proper_motion)
    motion[:, 5] *= 1e3
    wild = sample.replace(proper_motion=motion)
    for covariance in (wild.covariance, None):
        fit = SpinAndGlide(dispersion="none", clip=8.0).fit(wild.replace(covariance=covariance))
        assert fit.left_out == {"clipped beyond 8 sigma": 1}
        assert np.abs(values(fit) - FIELD[:6]).max() < 1.0


def test_groups_each_have_their_own_field():
    one, two = quasars(800, rng(18), FIELD[:6]), quasars(800, rng(19), -FIELD[:6])
    both = ak.Stars.joined([one, two])
    both = both.replace(columns={"half": np.repeat(["a", "b"], 800)})
    for estimator in (SpinAndGlide(by="half"), SpinAndGlide(by="half", dispersion="none", bootstrap=5)):
        fit = estimator.fit(both)
        for g, sign in enumerate((1, -1)):
            truth = sign * FIELD[:6]
            assert np.abs([fit[k][g].value - v for k, v in zip(NAMES[1], truth, strict=True)]).max() < 0.3


# ---- derived quantities and the figure -------------------------------------------------------------------


def test_directions_of_spin_and_glide_agree_with_astropy():
    from astropy.coordinates import CartesianRepresentation, SkyCoord

    fit = EXACT.fit(quasars(2000, rng(20), FIELD[:6]))
    for kind in ("spin", "glide"):
        vector = values(fit, [f"{kind}_{axis}" for axis in "xyz"])
        sky = SkyCoord(CartesianRepresentation(vector), frame="icrs")
        assert fit.derived[kind].value == pytest.approx(np.linalg.norm(vector), rel=1e-12)
        assert fit.derived[f"{kind}_ra"].value == pytest.approx(sky.ra.deg, abs=1e-9)
        assert fit.derived[f"{kind}_dec"].value == pytest.approx(sky.dec.deg, abs=1e-9)
    assert fit.derived["glide_l"].value == pytest.approx(sky.galactic.l.deg, abs=1e-9)
    assert fit.derived["glide_b"].value == pytest.approx(sky.galactic.b.deg, abs=1e-9)


@pytest.mark.parametrize("degree", [1, 2])
def test_the_figure_shows_the_field_and_its_values(degree):
    pytest.importorskip("matplotlib")
    estimator = SpinAndGlide(degree=degree)
    figure = estimator.fit(quasars(500, rng(21), FIELD[: len(NAMES[degree])])).plot()
    sky, panel = figure.axes[:2]
    assert sky.name == "mollweide"
    assert [t.get_text() for t in panel.get_yticklabels()] == list(NAMES[degree])
    assert [t.get_text() for t in sky.get_legend().get_texts()] == ["glide: toward here", "spin: axis"]
    arrows = sky.collections[0]
    assert arrows.N > 100


def test_arrows_of_a_glide_point_toward_its_end():
    """A glide toward the vernal equinox, the middle of the map: arrows left of it point right, above it down."""
    pytest.importorskip("matplotlib")
    direction = places(100, rng(22))
    figure = EXACT.fit(stars_with(direction, motion_of((0, 0, 0), (1, 0, 0), direction))).plot()
    figure.canvas.draw()
    arrows = figure.axes[0].collections[0]
    x, y = arrows.get_offsets().T
    turn = np.radians(np.asarray(arrows.angles))
    near = np.hypot(x, y) < 1.0
    assert (np.cos(turn) * -x + np.sin(turn) * -y)[near].min() > 0


def test_the_figure_of_groups_shows_each_component():
    pytest.importorskip("matplotlib")
    sample = quasars(600, rng(24)).replace(columns={"half": np.repeat(["a", "b"], 300)})
    figure = SpinAndGlide(by="half").fit(sample).plot()
    assert [ax.get_ylabel().split()[0] for ax in figure.axes] == list(NAMES[1])


def test_the_figure_says_what_is_not_determined():
    pytest.importorskip("matplotlib")
    figure = EXACT.fit(patch(0.05)).plot()
    assert figure.axes[0].get_title().startswith("not determined: spin_x")


def test_the_zone_of_avoidance_of_the_sample_is_an_option():
    assert np.abs(quasars(300, rng(23)).b.value).min() > 10
    everywhere = quasars(3000, rng(23), avoidance=0.0)
    assert np.abs(everywhere.b.value).min() < 1
    assert np.abs(everywhere.direction.mean(axis=1)).max() < 0.05


# ---- calibration -----------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("estimator", list(SpinAndGlide.examples()), ids=repr)
def test_pulls_have_unit_width(estimator):
    found = []
    for seed in range(1000):
        sample, truth = estimator.simulate(1000, rng(10_000 + seed))
        found.append(pulls(estimator.fit(sample), truth))
    mean, width = np.mean(found, axis=0), np.std(found, axis=0)
    dispersed = np.array([name == "sigma2" for name in truth])
    assert np.abs(mean[~dispersed]).max() < 4 / np.sqrt(1000)
    assert np.abs(width - 1).max() < 4 / np.sqrt(2000)
    assert np.abs(mean[dispersed]).max(initial=0.0) < 0.2  # its error grows with it: skew
