"""Kernels of the linear velocity field against slow ones: a matrix per star, and differences of the likelihood."""

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin import galaxy, velocity_model
from astrokin.covariance import Covariance
from astrokin.estimators.linear_field import State, Terms
from astrokin.estimators.linear_fit import SHAPES as _SHAPES
from astrokin.local_weights import Weights
from astrokin.units import PARAMETERS, A

NAMES = ("A", "B", "C", "K", "U", "V", "W")
#: Rows, columns and signs of each in (T | v_sun) with the columns x, y, sun.
COMBINATIONS = {
    "A": ((0, 1, 1.0), (1, 0, 1.0)),
    "B": ((0, 1, -1.0), (1, 0, 1.0)),
    "C": ((0, 0, 1.0), (1, 1, -1.0)),
    "K": ((0, 0, 1.0), (1, 1, 1.0)),
    "U": ((0, 2, 1.0),),
    "V": ((1, 2, 1.0),),
    "W": ((2, 2, 1.0),),
}
USES = [("pm", "rv"), ("pm",), ("rv",)]
ERRORS = ["none", "errors", "correlated", "matrix", "holes"]
#: A dispersion tensor and a solar motion in ICRS axes.
ROOT = np.array([[35.0, 0, 0], [4.0, 24.0, 0], [-3.0, 2.0, 17.0]])
TENSORS = {"round": 900.0 * np.eye(3), "ellipsoid": ROOT @ ROOT.T}
V_SUN = np.array([11.1, 12.24, 7.25])


def terms(shape, use, stars, state):
    return Terms(shape, velocity_model.sample(stars, use), stars, state)


def covariance(kind, n, rng):
    if kind == "none":
        return None
    errors = {k: rng.uniform(0.1, 1.0, n) for k in PARAMETERS}
    errors["radial_velocity"] *= 5
    if kind == "holes":
        errors["radial_velocity"][::3] = np.nan
    pairs = {(a, b): rng.uniform(-0.18, 0.18, n) for i, a in enumerate(PARAMETERS) for b in PARAMETERS[i + 1 :]}
    whole = Covariance(errors=errors, correlations=None if kind == "errors" else pairs)
    return Covariance(whole.matrix) if kind == "matrix" else whole


def stars(kind="correlated", n=25, seed=1, rv=0.6, odd=True):
    rng = np.random.default_rng(seed)
    parallax = rng.uniform(0.3, 5.0, n)
    if odd and kind != "none":
        parallax[:3] = [0.0, -0.4, 1e-3]
    return ak.Stars(
        ra=rng.uniform(0, 360, n) * u.deg,
        dec=np.degrees(np.arcsin(rng.uniform(-1, 1, n))) * u.deg,
        parallax=parallax * u.mas,
        pmra=rng.normal(0, 20, n) * u.mas / u.yr,
        pmdec=rng.normal(0, 20, n) * u.mas / u.yr,
        radial_velocity=np.where(rng.uniform(size=n) < rv, rng.normal(0, 40, n), np.nan) * u.km / u.s,
        covariance=covariance(kind, n, rng),
    )


def slow(sample, use, sigma, v_sun, motion, frozen=None, blurred=None):
    """Per star: axes, residuals and their covariance, by explicit matrices, of the components that were measured.

    The parallax errors are those of the motions `frozen` and of the dispersion `blurred`, if given.
    """
    blurred = sigma if blurred is None else blurred
    known = motion if frozen is None else frozen
    east, north = sample.raw.basis
    for k in range(len(sample)):
        axes = np.stack([east[:, k], north[:, k], sample.raw.direction[:, k]])
        plx, rv = sample.raw.parallax[k], sample.raw.radial_velocity[k]
        measured = np.array([A * sample.pmra[k].value, A * sample.pmdec[k].value, plx * np.nan_to_num(rv)])
        has = [*([0, 1] if "pm" in use else []), *([2] if "rv" in use and np.isfinite(rv) and plx > 0 else [])]
        e = measured - axes @ motion[:, k]
        s = plx**2 * axes @ sigma @ axes.T
        if sample.covariance is not None:
            # Derivatives of the residuals by (alpha, delta, parallax, mu_alpha, mu_delta, v_r). Outward the model
            # is v_r = (g T g) d - v_sun g: times the parallax, its derivative is that of d, (g T g) d.
            j = np.zeros((3, 6))
            j[0, 3], j[1, 4], j[2, 5] = A, A, plx
            j[:, 2] = axes @ v_sun
            j[2, 2] += axes[2] @ known[:, k] / plx if 2 in has else 0.0
            errors = np.nan_to_num(sample.covariance[k])
            # The scale of the tangential velocities scatters with the parallax: 1 + 3 var/plx^2, mixed ones 1 + it.
            more = errors[2, 2] * np.array([[3.0, 3.0, 1.0], [3.0, 3.0, 1.0], [1.0, 1.0, 0.0]])
            s = s + more * (axes @ blurred @ axes.T) + j @ errors @ j.T
        yield axes[has], e[has], s[np.ix_(has, has)], has


def quick(sample, use, sigma, v_sun, motion):
    data = velocity_model.sample(sample, use)
    e = velocity_model.residual(data, motion)
    s = velocity_model.variance(data, sigma, velocity_model.parallax_pull(data, v_sun, e))
    return data, e, s, Weights.of(s, data)


def motion_of(sample, seed=2):
    return np.random.default_rng(seed).normal(0, 20, (3, len(sample)))


# ---- one block against one star after another --------------------------------------------------------------


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("shape", TENSORS)
@pytest.mark.parametrize("rv", [0.0, 0.6, 1.0])
def test_every_kernel_is_that_of_explicit_matrices(use, kind, shape, rv):
    sample, sigma = stars(kind, rv=rv), TENSORS[shape]
    motion = motion_of(sample)
    data, e, s, w = quick(sample, use, sigma, V_SUN, motion)
    pull, misfit = w.pull(e), w.misfit(e)
    weight = velocity_model.symmetric(w.matrices.T)
    components = np.broadcast_to(data.components, len(sample))
    for k, (axes, residual, variance, has) in enumerate(slow(sample, use, sigma, V_SUN, motion)):
        np.testing.assert_allclose([e[a][k] for a in has], residual, rtol=1e-11, atol=1e-11)
        if kind != "none" or shape == "ellipsoid":
            told = [[s.get((min(a, b), max(a, b)), np.zeros(99))[k] for b in has] for a in has]
            np.testing.assert_allclose(np.reshape(told, (len(has), len(has))), variance, rtol=1e-11, atol=1e-9)
        inverse = np.linalg.inv(variance) if has else np.zeros((0, 0))
        scale = max(np.abs(inverse).max(initial=0.0), 1e-300)
        np.testing.assert_allclose(weight[k], axes.T @ inverse @ axes, rtol=1e-8, atol=1e-10 * scale)
        size = scale * max(np.abs(residual).max(initial=0.0), 1e-300)
        np.testing.assert_allclose(pull[:, k], axes.T @ inverse @ residual, rtol=1e-8, atol=1e-10 * size)
        np.testing.assert_allclose(w.trace[k], np.trace(axes.T @ inverse @ axes), rtol=1e-8)
        np.testing.assert_allclose(w.trace_of_square[k], np.trace(inverse @ inverse), rtol=1e-8)
        told = velocity_model.symmetric(w.squared[:, k])
        np.testing.assert_allclose(told, axes.T @ inverse @ inverse @ axes, rtol=1e-8, atol=1e-10 * scale**2)
        np.testing.assert_allclose(w.log_determinant[k], np.linalg.slogdet(inverse)[1], rtol=1e-8, atol=1e-8)
        assert misfit[k] == pytest.approx(residual @ inverse @ residual, rel=1e-8, abs=1e-12)
        assert components[k] == len(has)


def test_tensors_and_solar_motions_may_differ_from_row_to_row():
    sample = stars()
    n = len(sample)
    sigma = np.stack([(1 + k) * TENSORS["ellipsoid"] for k in range(n)], axis=-1)
    v_sun = V_SUN[:, None] * np.arange(n)
    motion = motion_of(sample)
    _, _, s, _ = quick(sample, USES[0], sigma, v_sun, motion)
    for k in range(n):
        one = slow(sample[k : k + 1], USES[0], sigma[..., k], v_sun[:, k], motion[:, k : k + 1])
        (_, _, variance, has) = next(one)
        told = [[s[min(a, b), max(a, b)][k] for b in has] for a in has]
        np.testing.assert_allclose(told, variance, rtol=1e-11, atol=1e-9)


def test_angles_and_vectors_give_the_same_axes():
    sample = stars()
    vectors = sample.replace(direction=sample.raw.direction, proper_motion=sample.raw.proper_motion)
    for one, other in zip(
        velocity_model.sample(sample, USES[0]).axes, velocity_model.sample(vectors, USES[0]).axes, strict=True
    ):
        np.testing.assert_allclose(one, other[: len(one)], rtol=0, atol=1e-15)


@pytest.mark.parametrize("dec", [90.0, -90.0])
def test_the_poles_have_axes_too(dec):
    pole = ak.Stars(
        ra=[30.0] * u.deg,
        dec=[dec] * u.deg,
        parallax=[2.0] * u.mas,
        pmra=[3.0] * u.mas / u.yr,
        pmdec=[4.0] * u.mas / u.yr,
    )
    data = velocity_model.sample(pole, ("pm",))
    velocity = data.measured[0] * np.append(data.axes[0], [[0.0]], axis=0) + data.measured[1] * data.axes[1]
    np.testing.assert_allclose(velocity, A * pole.raw.proper_motion, rtol=0, atol=1e-13)


def test_turning_is_turning_the_matrix():
    rotation, matrix = galaxy.icrs_to_galactic(), TENSORS["ellipsoid"]
    six = matrix[tuple(np.array(velocity_model.PAIRS).T)]
    turned = velocity_model.symmetric(velocity_model.turning(rotation) @ six)
    np.testing.assert_allclose(turned, rotation @ matrix @ rotation.T, rtol=1e-12, atol=1e-10)


def test_the_information_of_the_dispersion_is_half_the_trace():
    rng = np.random.default_rng(3)
    root = rng.normal(size=(3, 3))
    weight = root @ root.T
    six = weight[tuple(np.array(velocity_model.PAIRS).T)]
    told = velocity_model.dispersion_information(np.outer(six, six))

    def unit(a, b):
        m = np.zeros((3, 3))
        m[a, b] = m[b, a] = 1.0
        return m

    for p, one in enumerate(velocity_model.PAIRS):
        for q, other in enumerate(velocity_model.PAIRS):
            expected = 0.5 * np.trace(weight @ unit(*one) @ weight @ unit(*other))
            assert told[p, q] == pytest.approx(expected, rel=1e-12)


# ---- score and information against the likelihood ----------------------------------------------------------


def motions(sample, values):
    """The model's m = T g - parallax v_sun, in ICRS axes."""
    field = np.zeros((3, 3))
    for k, name in enumerate(NAMES):
        for i, j, sign in COMBINATIONS[name]:
            field[i, j] += sign * values[k]
    turn = galaxy.icrs_to_galactic()
    g = turn @ sample.raw.direction
    return turn.T @ (field[:, :2] @ g[:2] - field[:, 2:] * sample.raw.parallax)


def log_likelihood(sample, use, values, shape, weights_at=None):
    """The Gaussian likelihood; the parallax errors are those of the parameters `weights_at`, as in one pass."""
    frozen = values if weights_at is None else weights_at
    turn = galaxy.icrs_to_galactic()
    sigma, blurred = (turn.T @ velocity_model.symmetric(shape @ v[7:]) @ turn for v in (values, frozen))
    v_sun = turn.T @ frozen[4:7]
    total = 0.0
    for _, e, s, has in slow(sample, use, sigma, v_sun, motions(sample, values), motions(sample, frozen), blurred):
        if has:
            total -= 0.5 * (e @ np.linalg.solve(s, e) + np.linalg.slogdet(s)[1])
    return total


VALUES = {
    "isotropic": [700.0],
    "diagonal": [1200.0, 600.0, 320.0],
    "full": [1200.0, 110.0, -40.0, 600.0, 20.0, 320.0],
}


def state_of(dispersion, groups=1):
    shape = _SHAPES[dispersion][1]
    values = np.array([14.0, -11.0, -3.0, 2.0, 9.0, 13.0, 7.0, *VALUES[dispersion]])
    tensor = velocity_model.symmetric(shape @ values[7:])
    return values, shape, State(np.tile(values, (groups, 1)), np.tile(tensor, (groups, 1, 1)))


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("dispersion", VALUES)
@pytest.mark.parametrize("kind", ["none", "correlated"])
def test_the_score_is_the_slope_of_the_log_likelihood(use, dispersion, kind):
    sample = stars(kind, odd="pm" in use)
    values, shape, state = state_of(dispersion)
    normal = terms(shape, use, sample, state).sums(meat=True).normal_equations(shape)
    slope = np.empty(len(values))
    for k in range(len(values)):
        step = np.zeros(len(values))
        step[k] = 1e-3 * max(1.0, abs(values[k]))
        ends = [log_likelihood(sample, use, values + s * step, shape, values) for s in (-1, 1)]
        slope[k] = (ends[1] - ends[0]) / (2 * step[k])
    np.testing.assert_allclose(normal.vector[0], slope, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("dispersion", VALUES)
def test_the_information_is_the_variance_of_the_score(use, dispersion):
    sample = stars(n=40)
    values, shape, state = state_of(dispersion)
    told = terms(shape, use, sample, state).sums(meat=False).normal_equations(shape).matrix[0]
    # Expected information of a Gaussian: J^T S^-1 J of the means, half a trace of the covariances.
    turn = galaxy.icrs_to_galactic()
    g = turn @ sample.raw.direction
    sigma = turn.T @ velocity_model.symmetric(shape @ values[7:]) @ turn
    expected = np.zeros_like(told)
    for k, (axes, _, s, has) in enumerate(slow(sample, use, sigma, turn.T @ values[4:7], motions(sample, values))):
        if not has:
            continue
        axes, plx = axes @ turn.T, sample.raw.parallax[k]
        xi = np.array([g[0, k], g[1, k], -plx])
        slopes = np.zeros((len(has), 7))
        for p, name in enumerate(NAMES):
            for i, j, sign in COMBINATIONS[name]:
                slopes[:, p] += sign * axes[:, i] * xi[j]
        inverse = np.linalg.inv(s)
        expected[:7, :7] += slopes.T @ inverse @ slopes
        parts = [inverse @ (plx**2 * axes @ velocity_model.symmetric(column) @ axes.T) for column in shape.T]
        expected[7:, 7:] += 0.5 * np.array([[np.trace(a @ b) for b in parts] for a in parts])
    np.testing.assert_allclose(told, expected, rtol=1e-8, atol=1e-10 * np.abs(expected).max())


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("dispersion", VALUES)
def test_the_meat_is_the_sum_of_the_products_of_scores(use, dispersion):
    sample = stars(n=12)
    _, shape, state = state_of(dispersion)
    whole = terms(shape, use, sample, state).sums(meat=True).normal_equations(shape)
    scores = [
        terms(shape, use, sample[k : k + 1], state).sums(meat=False).normal_equations(shape).vector[0]
        for k in range(12)
    ]
    expected = np.einsum("ki,kj->ij", scores, scores)
    np.testing.assert_allclose(whole.meat[0], expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())


def test_groups_are_summed_side_by_side():
    sample = stars(n=30)
    group = np.sort(np.arange(30) % 3)
    values, shape, state = state_of("full", groups=4)
    state = State(values * np.array([[1.0], [1.1], [0.9], [1.0]]), state.tensor)
    both = terms(shape, USES[0], sample.replace(group=group, n_groups=4), state).sums(meat=True).normal_equations(shape)
    for g in range(3):
        own = State(state.values[g : g + 1], state.tensor[g : g + 1])
        alone = terms(shape, USES[0], sample[group == g], own).sums(meat=True).normal_equations(shape)
        for name in ("matrix", "vector", "misfit", "count", "meat"):
            one, other = getattr(both, name)[g], getattr(alone, name)[0]
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12 * max(np.abs(other).max(), 1), err_msg=name)
    assert both.count[3] == 0
