"""A million distance posteriors with modes, mean and interval, and one quadrature after the other by scipy."""

import warnings

import astropy.units as u
import numpy as np
from scipy import integrate, optimize
from timing import best, show

import astrokin as ak
from astrokin.distance_priors import ExponentialDensity, UniformVolume

N, FEW = 1_000_000, 200
rng = np.random.default_rng(1)
true, error = rng.gamma(3.0, 1.35, N), 10 ** rng.uniform(-2, 0, N)
parallax = 1 / true + error * rng.normal(size=N)
stars = ak.Stars(
    ra=np.zeros(N) * u.deg,
    dec=np.zeros(N) * u.deg,
    parallax=parallax * u.mas,
    covariance=ak.Covariance(errors={"parallax": error}),
)


def one_star(p, s):
    """Median and interval by quad and brentq, as one would write it."""

    def density(x):
        r = np.exp(x)
        return r**3 * np.exp(-r / 1.35 - 0.5 * ((p - 1 / r) / s) ** 2)

    x = np.linspace(-7, 3.7, 2000)
    top = x[np.argmax(density(x))]

    def below(y):
        return integrate.quad(density, -7, y, points=[min(top, y)])[0]

    total = below(3.7)
    return [optimize.brentq(lambda y, q=q: below(y) - q * total, -6.9, 3.69, xtol=1e-4) for q in (0.1587, 0.5, 0.8413)]


def one_by_one():
    for p, s in zip(parallax[:FEW], error[:FEW], strict=True):
        one_star(p, s)


times = [
    ("astrokin: exponential density", best(lambda: ak.distances(stars, ExponentialDensity(1.35 * u.kpc)), N, runs=3)),
    ("astrokin: uniform volume", best(lambda: ak.distances(stars, UniformVolume(30 * u.kpc)), N, runs=3)),
]
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    times.append(("scipy, star by star", best(one_by_one, FEW, runs=1)))
show(times, times[0][0])
