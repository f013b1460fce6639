"""Reflex motion and a century of perspective acceleration: here, and the epoch propagation of astropy and PyGaia."""

import warnings

import astropy.units as u
import numpy as np
from astropy.coordinates import SkyCoord
from astropy.time import Time
from sample import columns, quantities
from timing import best, optional, peak, show

import astrokin as ak

N = 1_000_000
START, END = Time(2016.0, format="jyear", scale="tcb"), Time(2116.0, format="jyear", scale="tcb")
plain = columns(N)
given = quantities(plain)
stars = ak.Stars(**given, epoch=START)
with_errors = ak.Stars(**given, epoch=START, covariance=ak.Covariance(errors={k: np.full(N, 0.02) for k in plain}))
propagation = ak.effects.PerspectiveAcceleration(epoch=END, reference_epoch=START)
chain = ak.effects.ReflexMotion() | propagation


def with_astropy():
    coord = SkyCoord(
        given["ra"],
        given["dec"],
        distance=(1 / plain["parallax"]) * u.kpc,
        pm_ra_cosdec=given["pmra"],
        pm_dec=given["pmdec"],
        radial_velocity=given["radial_velocity"],
        obstime=START,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return coord.apply_space_motion(END)


def table():
    """As a user has it: columns in, columns out."""
    out = chain.apply(ak.Stars(**given, epoch=START))
    return out.ra, out.dec, out.parallax, out.pmra, out.pmdec, out.radial_velocity


times = [
    ("astrokin: reflex | perspective, Stars to Stars", best(lambda: chain.apply(stars), N)),
    ("astrokin: the same, angles in and angles out", best(table, N)),
    ("astrokin: perspective alone, Stars to Stars", best(lambda: propagation.apply(stars), N)),
    ("astrokin: perspective with covariance", best(lambda: propagation.apply(with_errors).covariance, N, runs=3)),
    ("astropy: apply_space_motion", best(with_astropy, N, runs=3)),
]
pygaia = optional("pygaia.astrometry.coordinates")
if pygaia is not None:
    mover = pygaia.EpochPropagation()
    radian = np.radians(plain["ra"]), np.radians(plain["dec"])
    others = plain["parallax"], plain["pmra"], plain["pmdec"], plain["radial_velocity"]
    moved = mover.propagate_astrometry(*radian, *others, 2016.0, 2116.0)
    here = propagation.apply(stars)
    off = np.abs(np.degrees(moved[1]) - here.dec.value).max() * 3600e3
    print(f"  largest difference in declination from PyGaia after a century: {off:.1e} mas")
    taken = best(lambda: mover.propagate_astrometry(*radian, *others, 2016.0, 2116.0), N, runs=3)
    times.append(("PyGaia: propagate_astrometry", taken))
show(times, times[0][0])
print(f"  peak memory of all of these {peak():.0f} MiB")
