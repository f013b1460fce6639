"""Kepler's equation beside a Newton loop, and the photocentre of as many different binaries as stars."""

import astropy.units as u
import numpy as np
from sample import columns, quantities
from timing import best, show

import astrokin as ak
from astrokin import kepler
from astrokin.effects import BinaryPhotocentre

N = 1_000_000
BLOCK = 1 << 14
rng = np.random.default_rng(3)
mean, e = rng.uniform(-np.pi, np.pi, N), rng.uniform(0, 0.95, N)


def newton():
    """The loop that most packages have, until the last star has converged."""
    anomaly = mean + np.copysign(0.85 * e, mean)
    for _ in range(50):
        step = (anomaly - e * np.sin(anomaly) - mean) / (1 - e * np.cos(anomaly))
        anomaly -= step
        if np.abs(step).max() < 1e-14:
            break
    return anomaly


orbits = {
    "period": rng.uniform(100, 1000, N) * u.day,
    "eccentricity": e,
    "t_periastron": rng.uniform(-400, 400, N) * u.day,
    **{f"{k}_thiele_innes": rng.normal(0, 1, N) * u.mas for k in "abfg"},
}
stars = ak.Stars(**quantities(columns(N)), epoch=2016.0, columns=orbits)
blocks = [stars[i : i + BLOCK] for i in range(0, N, BLOCK)]
observer = ak.Observer(2019.2)
one = BinaryPhotocentre(2 * u.yr, 3 * u.au, 0.3, mass_ratio=0.5, flux_ratio=0.1, observer=observer)
every = BinaryPhotocentre.from_nss(observer)
rates = BinaryPhotocentre.from_nss(observer, rate=True)


def on_blocks(effect, verb):
    """The effect on block after block, none of what comes out kept."""

    def act():
        for b in blocks:
            getattr(effect.bound(b), verb)(b)

    return act


show(
    [
        ("kepler.eccentric_anomaly", best(lambda: kepler.eccentric_anomaly(mean, e), N)),
        ("kepler.orbit: places and motions", best(lambda: kepler.orbit(mean, e), N)),
        ("Newton loop in numpy", best(newton, N, 2)),
        ("one orbit for all stars, forward", best(on_blocks(one, "forward"), N)),
        ("one orbit for all stars, backward", best(on_blocks(one, "backward"), N)),
        ("an orbit for each star (seven columns), forward", best(on_blocks(every, "forward"), N)),
        ("an orbit for each star, backward", best(on_blocks(every, "backward"), N)),
        ("an orbit for each star, with rates, forward", best(on_blocks(rates, "forward"), N)),
    ],
    "kepler.eccentric_anomaly",
)
