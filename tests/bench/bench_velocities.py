"""U, V, W from catalogue columns: here, with astropy, and by the plain formulas of the textbooks in numpy."""

import numpy as np
from astropy.coordinates import Galactic, SkyCoord
from astropy.units import parallax
from sample import columns, quantities
from timing import best, show

import astrokin as ak
from astrokin import galaxy
from astrokin.units import A

N = 1_000_000
plain = columns(N)
given = quantities(plain)
matrix = galaxy.icrs_to_galactic()


def here():
    return ak.Stars(**given, copy=False).uvw


def here_with_copies():
    return ak.Stars(**given).uvw


def plain_numpy():
    ra, dec = np.radians(plain["ra"]), np.radians(plain["dec"])
    sa, ca, sd, cd = np.sin(ra), np.cos(ra), np.sin(dec), np.cos(dec)
    d = 1.0 / plain["parallax"]
    va, vd, vr = A * plain["pmra"] * d, A * plain["pmdec"] * d, plain["radial_velocity"]
    x = vr * cd * ca - va * sa - vd * sd * ca
    y = vr * cd * sa + va * ca - vd * sd * sa
    return matrix @ np.stack([x, y, vr * sd + vd * cd])


def with_astropy():
    coord = SkyCoord(
        given["ra"],
        given["dec"],
        distance=given["parallax"].to("kpc", parallax()),
        pm_ra_cosdec=given["pmra"],
        pm_dec=given["pmdec"],
        radial_velocity=given["radial_velocity"],
    )
    return coord.transform_to(Galactic()).velocity.d_xyz


if __name__ == "__main__":
    expected = with_astropy().to_value("km/s")
    off = np.abs(here().value - expected).max()
    print(f"  largest difference from astropy: {off:.1e} km/s; from the plain formulas: ", end="")
    print(f"{np.abs(here().value - plain_numpy()).max():.1e} km/s")
    times = [
        ("astrokin: Stars(columns, copy=False).uvw", best(here, N)),
        ("astrokin: the same, columns copied first", best(here_with_copies, N)),
        ("numpy: plain formulas", best(plain_numpy, N)),
        ("astropy: SkyCoord, Galactic, velocity", best(with_astropy, N, runs=3)),
    ]
    show(times, times[0][0])
