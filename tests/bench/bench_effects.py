"""What each effect adds to a chain, beside the same in ERFA and astropy; and effects whose parameters come by row."""

import subprocess
import sys
import time
import warnings

import astropy.units as u
import erfa
import numpy as np
from astropy.coordinates import GCRS, ICRS, EarthLocation, SkyCoord
from astropy.time import Time
from sample import columns, quantities
from timing import best, show

import astrokin as ak

N = 1_000_000
YEAR = 2016.3
START = Time(2016.0, format="jyear", scale="tcb")
plain = columns(N)
given = quantities(plain)
stars = ak.Stars(**given, epoch=START)
effects = ak.effects
observer = ak.Observer(YEAR)
there = observer.seen()

# ---- in a chain: the time with an effect less the time without it ----------------------------------------------------

motion = effects.PerspectiveAcceleration(epoch=2116.0, reference_epoch=2016.0)
spin = (0.03, -0.1, 0.2) * u.mas / u.yr
steps = {
    "reflex-motion": effects.ReflexMotion(),
    "frame-rotation": effects.FrameRotation(spin=spin),
    "frame-rotation, turned too": effects.FrameRotation(
        spin=spin, orientation=(100, -30, 250) * u.mas, reference_epoch=1991.25
    ),
    "secular-aberration": effects.SecularAberration(),
    "secular-aberration, since 1916": effects.SecularAberration(reference_epoch=1916.0),
    "annual-parallax": effects.AnnualParallax(observer),
    "annual-parallax, with rate": effects.AnnualParallax(observer, rate=True),
    "light-deflection": effects.LightDeflection(observer),
    "annual-aberration": effects.AnnualAberration(observer),
    "annual-aberration, with rate": effects.AnnualAberration(observer, rate=True),
}


def quietly(act):
    """The act, without what it says of rows behind the Sun and of years to come."""

    def silent():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return act()

    return silent


def added(step):
    """The least CPU time of the chain with a step less that of the chain without, the two measured in turns."""
    whole = step | motion if step.stage < motion.stage else motion | step
    chain = quietly(lambda: whole.apply(stars))
    without = quietly(lambda: motion.apply(stars))
    taken = {chain: [], without: []}
    for _ in range(8):
        for act, times in taken.items():
            start = time.process_time()
            act()
            times.append(time.process_time() - start)
    return (min(taken[chain]) - min(taken[without])) * 1e9 / N, max(taken[chain]) / min(taken[chain])


if len(sys.argv) > 1:  # one effect, asked for by the process that measures all
    print(*added(steps[sys.argv[1]]))
    raise SystemExit


def added_alone(name):
    """As `added`, in a process of its own: how memory lies after other effects would change it by half."""
    done = subprocess.run([sys.executable, __file__, name], capture_output=True, text=True, check=True)
    return tuple(map(float, done.stdout.split()))


alone = best(lambda: motion.apply(stars), N)
print("in a chain with perspective-acceleration, Stars to Stars")
show([("perspective-acceleration alone", alone), *((k, added_alone(k)) for k in steps)], "annual-parallax")

# ---- ERFA's functions of vectors, which come without the doors, the proper motion and the checks -------------------

direction = np.ascontiguousarray(stars.direction.T)
sun, distance = there.from_sun[:, 0], there.sun_distance[0]
velocity, place = there.velocity[:, 0], there.position[:, 0]
shrink = np.sqrt(1.0 - velocity @ velocity)
radian = np.radians(plain["ra"]), np.radians(plain["dec"])
rates = np.radians(plain["pmra"] / 3.6e6) / np.cos(radian[1]), np.radians(plain["pmdec"] / 3.6e6)


def propagated_by_astropy():
    coord = SkyCoord(
        given["ra"], given["dec"], distance=(1 / plain["parallax"]) * u.kpc, pm_ra_cosdec=given["pmra"],
        pm_dec=given["pmdec"], radial_velocity=given["radial_velocity"], obstime=START,
    )  # fmt: skip
    return coord.apply_space_motion(Time(2116.0, format="jyear", scale="tcb"))


coord = SkyCoord(ICRS(given["ra"], given["dec"], distance=(1 / plain["parallax"]) * u.kpc))
seen_by_astropy = GCRS(obstime=Time(YEAR, format="jyear", scale="tcb"))
apparent = ak.apparent_place(observer, 2016.0)


def pmpx():
    return erfa.pmpx(*radian, *rates, plain["parallax"] / 1e3, plain["radial_velocity"], YEAR - 2016.0, place)


print("the same by others")
show(
    [
        ("astrokin: apparent_place (space motion … aberration)", best(quietly(lambda: apparent.apply(stars)), N)),
        ("erfa.pmpx: space motion and parallax, direction alone", best(pmpx, N, 3)),
        ("erfa.ldsun: light deflection", best(lambda: erfa.ldsun(direction, sun, distance), N, 3)),
        ("erfa.ab: aberration", best(lambda: erfa.ab(direction, velocity, distance, shrink), N, 3)),
        ("astropy: ICRS to GCRS", best(quietly(lambda: coord.transform_to(seen_by_astropy)), N, 1)),
        ("astropy: apply_space_motion", best(quietly(propagated_by_astropy), N, 1)),
    ],
    "astrokin: apparent_place (space motion … aberration)",
)

# ---- times by row, and covariances ----------------------------------------------------------------------------------

BLOCK = 1 << 14
rng = np.random.default_rng(5)
timed = stars.replace(columns={"t": rng.uniform(2016.0, 2026.0, N)})
blocks = [timed[i : i + BLOCK] for i in range(0, N, BLOCK)]
site = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)
by_row = {
    "observer at the geocentre": ak.Observer(ak.column("t")),
    "observer on the ground": ak.Observer(ak.column("t"), site),
}
with_errors = ak.Stars(**given, epoch=START, covariance=ak.Covariance(errors={k: np.full(N, 0.02) for k in plain}))


def places_of(observer):
    """The observer's places block by block, none kept: as an effect has them."""

    def act():
        for block in blocks:
            observer.bound(block).seen()

    return act


show(
    [
        *((f"times by row: {k}", best(places_of(v), N, 3)) for k, v in by_row.items()),
        ("perspective-acceleration with covariance", best(lambda: motion.apply(with_errors).covariance, N, 3)),
    ],
    "times by row: observer at the geocentre",
)
