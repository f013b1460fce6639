"""The sample of all benchmarks: plain columns as a catalogue has them."""

import astropy.units as u
import numpy as np

UNITS = {
    "ra": u.deg,
    "dec": u.deg,
    "parallax": u.mas,
    "pmra": u.mas / u.yr,
    "pmdec": u.mas / u.yr,
    "radial_velocity": u.km / u.s,
}


def columns(n, seed=1):
    rng = np.random.default_rng(seed)
    parallax = rng.uniform(0.5, 10.0, n)
    return {
        "ra": rng.uniform(0, 360, n),
        "dec": np.degrees(np.arcsin(rng.uniform(-1, 1, n))),
        "parallax": parallax,
        "pmra": rng.normal(0, 6, n) * parallax,
        "pmdec": rng.normal(0, 6, n) * parallax,
        "radial_velocity": rng.normal(0, 30, n),
    }


def quantities(plain):
    return {k: v << UNITS[k] for k, v in plain.items()}
