"""Refraction of a million stars at one time: by ERFA's constants and by quadrature, beside ERFA and astropy."""

import warnings

import astropy.units as u
import erfa
import numpy as np
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.time import Time
from timing import best, peak, show

import astrokin as ak

N = 1_000_000
TIME = Time("2026-03-21 05:00")
PLACE = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)
AIR = {"pressure": 743 * u.hPa, "temperature": 10 * u.deg_C, "relative_humidity": 0.1, "obswl": 0.55 * u.micron}
observer = ak.Observer(TIME, PLACE, **AIR)
refco, integral = (ak.effects.AtmosphericRefraction(observer, model=model) for model in ("refco", "integral"))
colour = ak.effects.AtmosphericRefraction(observer, reference_wavelength=0.65 * u.micron, model="integral")

# Stars above 5 deg, evenly over the sky.
rng = np.random.default_rng(1)
c, a = rng.uniform(np.sin(np.radians(5)), 1, N), rng.uniform(0, 2 * np.pi, N)
here, s = observer.horizon(), np.sqrt(1 - c * c)
direction = here.zenith * c + s * (here.north * np.cos(a) + here.east * np.sin(a))
coord = SkyCoord(*direction, representation_type="cartesian")
coord.representation_type = "unitspherical"
motion = {"pmra": rng.normal(0, 20, N) * u.mas / u.yr, "pmdec": rng.normal(0, 20, N) * u.mas / u.yr}
stars = ak.Stars(ra=coord.ra, dec=coord.dec, **motion)
stars = stars.replace(direction=stars.raw.direction, proper_motion=stars.raw.proper_motion)  # vectors at hand
seen = integral.apply(stars)

site = PLACE.lon.rad, PLACE.lat.rad, PLACE.height.to_value(u.m)
air = tuple(AIR[k].value if hasattr(AIR[k], "value") else AIR[k] for k in AIR)
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    context, _ = erfa.apco13(TIME.jd1, TIME.jd2, 0.0, *site, 0.0, 0.0, *air)
ra, dec = coord.ra.rad, coord.dec.rad
frame = AltAz(obstime=TIME, location=PLACE, **AIR)

times = [
    ("astrokin: refco, Stars to Stars", best(lambda: refco.apply(stars), N)),
    ("astrokin: integral", best(lambda: integral.apply(stars), N)),
    ("astrokin: integral, colour relative to another", best(lambda: colour.apply(stars), N)),
    ("astrokin: integral, back", best(lambda: integral.remove(seen), N, runs=3)),
    ("astrokin: aberration, for comparison", best(lambda: ak.effects.AnnualAberration(observer).apply(stars), N)),
    ("ERFA: atioq, angles to angles", best(lambda: erfa.atioq(ra, dec, context), N, runs=3)),
    ("astropy: ICRS to AltAz with pressure", best(lambda: coord.transform_to(frame), N, runs=3)),
]
show(times, times[0][0])
print(f"  peak memory of all of these {peak():.0f} MiB")
