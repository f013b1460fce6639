"""The covariance of every registered effect, and of chains of them, against Monte Carlo: all 21 elements, 4 sigma.

Errors are small enough for the linear theory: parallaxes are good to 1/50.
"""

import warnings

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin.errors import RowsWarning
from astrokin.registry import effect_classes
from astrokin.testing.effect_case import EffectCase
from astrokin.units import MAS_IN_RAD

UPPER = np.triu_indices(6)
#: Standard errors (mas, mas, of the parallax, mas/yr, mas/yr, km/s).
SIGMA = np.array([0.3, 0.4, 0.02, 0.05, 0.08, 1.5])


def effects():
    """The examples of every effect that is registered, plugins' too, and two chains."""
    for name, cls in effect_classes().items():
        yield from (pytest.param(effect, id=f"{name}-{i}") for i, effect in enumerate(cls.examples()))
    yield pytest.param(ak.apparent_place(ak.Observer(2026.3), reference_epoch=2016.0), id="apparent-place")
    spin = ak.effects.FrameRotation(spin=(0.3, -1.0, 2.0) * u.mas / u.yr, orientation=(1.0, -3.0, 2.5) * u.arcsec)
    yield pytest.param(ak.effects.ReflexMotion() | spin | ak.effects.SecularAberration(), id="motions")


def quietly(verb, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RowsWarning)
        return verb(*args)


def with_errors(star, rng):
    """The star with errors of every kind, correlated with one another."""
    sigma = np.where(np.arange(6) == 2, SIGMA * star.raw.parallax[0], SIGMA)
    factor = np.eye(6) + 0.4 * rng.normal(size=(6, 6))
    matrix = factor @ factor.T
    scale = sigma / np.sqrt(np.diag(matrix))
    return star.replace(covariance=(matrix * scale[:, None] * scale)[None])


def drawn(star, n, rng):
    """The star n times, as often as its errors say."""
    d = rng.multivariate_normal(np.zeros(6), star.covariance[0], n, method="cholesky").T
    east, north = star.raw.basis
    many = star.replace(covariance=None)[np.zeros(n, int)]
    many = many.replace(
        direction=many.raw.direction + MAS_IN_RAD * (d[0] * east + d[1] * north),
        parallax=many.raw.parallax + d[2],
        radial_velocity=many.raw.radial_velocity + d[5],
    )
    return many.replace(proper_motion=many.raw.proper_motion + d[3] * east + d[4] * north)


def scattered(seen, middle):
    """Covariance (6, 6) of what is seen, in the local axes of what is seen of the star itself."""
    east, north = middle.raw.basis
    off = (seen.raw.direction - middle.raw.direction) / MAS_IN_RAD
    motion = seen.raw.proper_motion - middle.raw.proper_motion
    place, moves = ([(axis * v).sum(0) for axis in (east, north)] for v in (off, motion))
    return np.cov([*place, seen.raw.parallax - middle.raw.parallax, *moves, seen.raw.radial_velocity])


def check(verb, star, n, rng):
    star = with_errors(star, rng)
    middle = quietly(verb, star)
    told = middle.covariance[0]
    assert not np.allclose(told, 0)
    found = scattered(quietly(verb, drawn(star, n, rng)), middle)
    spread = np.sqrt((told**2 + np.outer(np.diag(told), np.diag(told))) / n)
    pulls = ((found - told) / spread)[UPPER]
    assert np.abs(pulls).max() < 4.0, np.round(pulls, 1)


def stars_for(effect, wanted=2):
    """Two stars in the effect's domain, far from poles and near enough for good parallaxes."""
    case = EffectCase(effect)
    after = quietly(case.apply, case.untried)
    stars = case.untried
    good = case.usable(after) & (stars.raw.parallax > 5.0) & (np.abs(stars.dec.value) < 80)
    good &= (stars.raw.parallax < 300.0) & (np.abs(after.dec.value) < 80)
    rows = np.flatnonzero(good)[:wanted]
    assert len(rows) == wanted
    return [case.untried[row : row + 1] for row in rows]


def both_ways(effect, n, seed):
    rng = np.random.default_rng(seed)
    for star in stars_for(effect):
        check(effect.apply, star, n, rng)
        after = quietly(effect.apply, star)
        check(effect.remove, after.without_notes(), n, rng)


@pytest.mark.parametrize("effect", list(effects()))
def test_the_covariance_is_that_of_twenty_thousand_draws(effect):
    both_ways(effect, 20_000, 1)


@pytest.mark.slow
@pytest.mark.parametrize("effect", list(effects()))
def test_the_covariance_is_that_of_three_hundred_thousand_draws(effect):
    both_ways(effect, 300_000, 2)


def test_a_derivative_that_is_off_by_a_tenth_is_found(monkeypatch):
    effect = ak.effects.ReflexMotion()
    right = ak.effects.ReflexMotion.jacobian

    def wrong(self, stars):
        out = right(self, stars)
        out[:, 3, 2] *= 1.1
        return out

    monkeypatch.setattr(ak.effects.ReflexMotion, "jacobian", wrong)
    with pytest.raises(AssertionError):
        both_ways(effect, 20_000, 1)
