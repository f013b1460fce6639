"""Jacobians against fifty digits, against each other, and where they must not be trusted."""

import astropy.units as u
import mpmath
import numpy as np
import pytest
from mpmath import mpf

import astrokin as ak
from astrokin import derivatives, space_motion
from astrokin.testing import samples
from astrokin.units import MAS_IN_RAD, A

T = 100.0


def far_and_near(n=200, seed=3):
    rng = np.random.default_rng(seed)
    stars = samples.field_stars(n, seed)
    parallax = 10 ** rng.uniform(-2, 2.9, n)
    scale = parallax / stars.raw.parallax
    return stars.replace(parallax=parallax, proper_motion=stars.raw.proper_motion * scale)


def motion(stars):
    return space_motion.standard_model(stars, T)


# ---- fifty digits ----------------------------------------------------------------------------------------


def exact_model(r, parallax, mu, v):
    """The standard model on mpmath vectors: direction, parallax, proper motion (mas/yr), radial velocity."""
    mas, a, t = mpf(MAS_IN_RAD), mpf(A), mpf(T)
    zeta = v * parallax * mas / a
    square = sum(m * m for m in mu) * mas**2
    f = 1 / mpmath.sqrt((1 + zeta * t) ** 2 + square * t * t)
    end = [(x * (1 + zeta * t) + m * mas * t) * f for x, m in zip(r, mu, strict=True)]
    after = [(m * (1 + zeta * t) - x * square * t / mas) * f**3 for x, m in zip(r, mu, strict=True)]
    return end, parallax * f, after, (v * (1 + zeta * t) + a * square * t / mas / parallax) * f


def exact_jacobian(stars):
    """By differences of fifty digits with steps of 1e-20: sixteen digits and more are right."""
    raw = stars.raw
    start = [[mpf(float(x)) for x in column] for column in (raw.direction[:, 0], raw.proper_motion[:, 0])]
    east, north = ([mpf(float(x)) for x in axis[:, 0]] for axis in raw.basis)
    parallax, v = mpf(float(raw.parallax[0])), mpf(float(raw.radial_velocity[0]))
    east_after, north_after = (axis[:, 0] for axis in motion(stars).raw.basis)
    out, h = np.empty((6, 6)), mpf(10) ** -20
    for j in range(6):
        ends = [exact_model(*moved(start, east, north, parallax, v, j, s * h)) for s in (1, -1)]
        vectors = [zip(ends[0][k], ends[1][k], strict=True) for k in (0, 2)]
        change = [[(a - b) / (2 * h) for a, b in pairs] for pairs in vectors]
        scalars = [(ends[0][k] - ends[1][k]) / (2 * h) for k in (1, 3)]
        turn, spin = (np.array([float(x) for x in c]) for c in change)
        out[:, j] = [
            east_after @ turn / MAS_IN_RAD,
            north_after @ turn / MAS_IN_RAD,
            float(scalars[0]),
            east_after @ spin,
            north_after @ spin,
            float(scalars[1]),
        ]
    return out


def moved(start, east, north, parallax, v, j, step):
    r, mu = (list(x) for x in start)
    if j < 2:
        axis, angle = (east, north)[j], step * mpf(MAS_IN_RAD)
        along = sum(m * a for m, a in zip(mu, axis, strict=True))
        cosine, sine = mpmath.cos(angle), mpmath.sin(angle)
        mu = [m + along * ((cosine - 1) * a - sine * x) for m, a, x in zip(mu, axis, r, strict=True)]
        r = [cosine * x + sine * a for x, a in zip(r, axis, strict=True)]
    elif j == 2:
        parallax += step
    elif j < 5:
        mu = [m + step * a for m, a in zip(mu, (east, north)[j - 3], strict=True)]
    else:
        v += step
    return r, parallax, mu, v


@pytest.mark.parametrize("row", range(5))
def test_jacobians_agree_with_fifty_digits(row):
    star = far_and_near()[row : row + 1]
    with mpmath.workdps(50):
        exact = exact_jacobian(star)
    scale = np.maximum(1.0, np.abs(exact))
    for name, own in (("analytic", space_motion.jacobian), ("complex step", None)):
        got = own(star, T)[0] if own else derivatives.complex_step(motion, star)[0]
        assert np.abs((got - exact) / scale).max() < 3e-12, name
    assert np.abs((derivatives.differences(motion, star)[0] - exact) / scale).max() < 1e-6


# ---- differences -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("light_time", [False, True])
def test_differences_reach_a_millionth_near_and_far(light_time):
    stars = far_and_near()
    if light_time:  # whose round-off grows with the distance, and a step of the parallax must not cross zero
        stars = stars[stars.parallax > 2 * u.mas]
    kernel = space_motion.with_light_time if light_time else space_motion.standard_model
    exact = derivatives.complex_step(lambda s: kernel(s, T), stars)
    got, error = derivatives.differences_and_errors(lambda s: kernel(s, T), stars)
    apart = np.abs(got - exact)
    assert (apart / np.maximum(1.0, np.abs(exact))).max() < 1e-6
    assert (apart <= 10 * error).mean() > 0.999


def test_differences_say_where_they_are_unsure():
    """A jump in the parallax: no step is right, and the error says so."""
    stars = far_and_near(20).replace(parallax=np.full(20, 5.0))
    _, error = derivatives.differences_and_errors(lambda s: s.replace(parallax=np.sign(s.raw.parallax - 5.0)), stars)
    assert (error[:, 2, 2] > 0.1).all()
    assert (error[:, 5, 5] < 1e-9).all()


def test_a_formula_that_refuses_complex_numbers_gets_differences():
    stars = far_and_near(20)

    def real_only(s):
        if np.iscomplexobj(s.raw.parallax) or np.iscomplexobj(s.raw.direction):
            raise TypeError("no complex numbers")
        return s.replace(parallax=np.sin(s.raw.parallax))

    got = derivatives.jacobian(real_only, stars)
    np.testing.assert_allclose(got[:, 2, 2], np.cos(stars.parallax.value), atol=1e-6)


def test_a_cast_that_drops_the_imaginary_part_is_noticed():
    """numpy only warns when a complex number is written into floats: the derivative must not be lost."""
    stars = far_and_near(20)

    def casts(s):
        out = np.empty(len(s))
        out[:] = s.raw.parallax * 2.0
        return s.replace(parallax=out)

    np.testing.assert_allclose(derivatives.jacobian(casts, stars)[:, 2, 2], 2.0, atol=1e-9)


def test_abs_drops_the_derivative_and_differences_show_it():
    stars = far_and_near(20)

    def dropped(s):
        return s.replace(parallax=np.abs(s.raw.parallax))

    assert (derivatives.complex_step(dropped, stars)[:, 2, 2] == 0).all()
    np.testing.assert_allclose(derivatives.differences(dropped, stars)[:, 2, 2], 1.0, atol=1e-9)


def test_the_identity_at_the_poles_and_at_the_seam():
    stars = samples.at_seams(samples.field_stars(8))
    for kind in (derivatives.complex_step, derivatives.differences):
        np.testing.assert_allclose(kind(lambda s: s, stars), np.tile(np.eye(6), (8, 1, 1)), atol=1e-8)


def test_a_rotation_carries_the_proper_motion_along():
    """A rigid turn of the sky: in tangent axes that turn with it the Jacobian is orthogonal in both pairs."""
    turn = np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1.0]]) @ np.array([[1, 0, 0], [0, 0.6, -0.8], [0, 0.8, 0.6]])
    stars = far_and_near(30)

    def turned(s):
        return s.replace(direction=turn @ s.raw.direction, proper_motion=turn @ s.raw.proper_motion)

    got = derivatives.jacobian(turned, stars)
    for pair in (slice(0, 2), slice(3, 5)):
        block = got[:, pair, pair]
        np.testing.assert_allclose(block @ block.swapaxes(1, 2), np.tile(np.eye(2), (30, 1, 1)), atol=1e-10)
    np.testing.assert_allclose(got[:, 0:2, 0:2], got[:, 3:5, 3:5], atol=1e-10)


def test_no_rows():
    none = samples.field_stars(0)
    for kind in (derivatives.complex_step, derivatives.differences):
        assert kind(motion, none).shape == (0, 6, 6)


def test_the_effect_gives_its_analytic_jacobian():
    stars = far_and_near(30)
    effect = ak.effects.PerspectiveAcceleration(epoch=2016.0 + T)
    np.testing.assert_array_equal(effect.jacobian(stars), space_motion.jacobian(stars, T))
