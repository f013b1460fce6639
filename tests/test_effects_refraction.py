"""Atmospheric refraction against ERFA's atioq, astropy's AltAz and Filippenko's table; the way back; bad input."""

import warnings

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.coordinates import AltAz, EarthLocation, SkyCoord
from astropy.coordinates.builtin_frames.utils import get_dut1utc, get_polar_motion
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

import astrokin as ak
from astrokin.effects import AtmosphericRefraction
from astrokin.errors import InputError, RefusedRowsError, RowsWarning
from astrokin.testing import check_effect, samples
from astrokin.testing.compare import ROUND_TRIP, demand_same
from astrokin.units import MAS_IN_RAD

NAS, UAS = 4.848e-15, 4.848e-12
PARANAL = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)
TIME = Time("2026-03-21 05:00")
AIR = {"pressure": 743 * u.hPa, "temperature": 10 * u.deg_C, "relative_humidity": 0.1, "obswl": 0.55 * u.micron}
RADIO = {**AIR, "relative_humidity": 0.6, "obswl": 1 * u.cm}


def at_paranal(time=TIME, **changes):
    return ak.Observer(time, PARANAL, **{**AIR, **changes})


def quietly(verb, *args, **rules):
    """Stars that are down are told of elsewhere."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RowsWarning)
        return verb(*args, **rules)


def standing(zenith_distance, azimuth, observer, **fields):
    """Stars at true zenith distances and azimuths (deg) in the observer's sky."""
    here = observer.horizon()
    z, a = np.radians(zenith_distance), np.radians(azimuth)
    r = here.zenith * np.cos(z) + np.sin(z) * (here.north * np.cos(a) + here.east * np.sin(a))
    coord = SkyCoord(*r, representation_type="cartesian")
    coord.representation_type = "unitspherical"
    return ak.Stars(ra=coord.ra, dec=coord.dec, **fields)


def up(n=10_000, lowest=2.9, seed=4):
    """Stars anywhere in the sky above an altitude, a third of them near it, two at the zenith."""
    rng = np.random.default_rng(seed)
    c = np.concatenate(
        [rng.uniform(np.sin(np.radians(lowest)), 1, n), np.sin(np.radians(lowest + rng.uniform(0, 5, n)))]
    )
    c = rng.permutation(c)[:n]
    c[:2] = 1.0
    return standing(np.degrees(np.arccos(c)), rng.uniform(0, 360, n), at_paranal())


# ---- ERFA and astropy ------------------------------------------------------------------------------------


def astrom(observer):
    """ERFA's context for an observer, without the diurnal aberration, which belongs to another effect."""
    time, place = observer.obstime.utc, observer.location
    x, y = get_polar_motion(time)
    air = (getattr(observer, k).value for k in ("pressure", "temperature", "relative_humidity", "obswl"))
    site = place.lon.to_value(u.rad), place.lat.to_value(u.rad), place.height.to_value(u.m)
    context, _ = erfa.apco13(time.jd1, time.jd2, get_dut1utc(time), *site, float(x), float(y), *air)
    context["diurab"] = 0.0
    return context


def erfa_atioq(direction, observer):
    """What ERFA sees, as components toward north, east and up."""
    context = astrom(observer)
    ra, dec = erfa.c2s((context["bpn"] @ direction).T)
    azimuth, zenith_distance, *_ = erfa.atioq(ra, dec, context)
    level = np.sin(zenith_distance)
    return np.stack([level * np.cos(azimuth), level * np.sin(azimuth), np.cos(zenith_distance)])


@pytest.mark.parametrize("air", [AIR, RADIO, {**AIR, "pressure": 1040 * u.hPa, "obswl": 0.35 * u.micron}], ids=str)
def test_directions_are_those_of_atioq_to_a_nanoarcsecond(air):
    """10,000 stars from the zenith to 2.9 deg above the horizon."""
    stars, observer = up(), at_paranal(**air)
    seen = AtmosphericRefraction(observer).apply(stars)
    here = observer.horizon()
    ours = np.stack([(axis * seen.direction).sum(axis=0) for axis in (here.north, here.east, here.zenith)])
    assert np.abs(ours - erfa_atioq(stars.direction, observer)).max() < NAS


def test_the_whole_chain_is_astropys_altaz():
    """To what apparent places differ by (0.5 µas); lower than 2.87 deg ERFA takes one refraction for all, we refuse."""
    n = 10_000
    stars = samples.field_stars(n).replace(proper_motion=np.zeros((3, n)), radial_velocity=np.zeros(n))
    observer = at_paranal()
    table = observer.horizontal(seen := quietly(ak.apparent_place(observer).apply, stars))
    coord = SkyCoord(stars.ra, stars.dec, distance=(1 / stars.raw.parallax) * u.kpc)
    there = coord.transform_to(AltAz(obstime=TIME, location=PARANAL, **AIR))
    down = np.isnan(seen.direction[0])
    assert np.abs(table["altitude"] - there.alt)[~down].max() < 1 * u.uas
    assert np.abs((table["azimuth"] - there.az).wrap_at("180d") * np.cos(there.alt))[~down].max() < 1 * u.uas
    airless = coord.transform_to(AltAz(obstime=TIME, location=PARANAL))
    lowest = np.arcsin(0.05) * u.rad
    near = np.abs(airless.alt - lowest) < 1 * u.arcsec
    assert (down == (airless.alt < lowest))[~near].all()


def test_the_chain_through_the_air():
    chain = ak.apparent_place(at_paranal(), reference_epoch=2016.0)
    assert [effect.name for effect in chain][-2:] == ["annual-aberration", "atmospheric-refraction"]
    stars = samples.field_stars(300)
    seen = quietly(chain.apply, stars)
    rows = ~np.isnan(seen.direction[0])
    demand_same(quietly(chain.remove, seen.without_notes()), stars, "remove(apply(x))", ROUND_TRIP, rows)
    for air in ({"pressure": 0 * u.hPa}, {}):
        assert len(ak.apparent_place(ak.Observer(TIME, PARANAL, **air))) == 4


# ---- published tables ------------------------------------------------------------------------------------

# Filippenko (1982), table I: arcsec relative to 5000 Angstrom, at 2 km (600 mm Hg, 7 deg C, 8 mm Hg of vapour), by
# sec z; wavelengths in Angstrom.
FILIPPENKO_WAVES = (3000, 3500, 4000, 4500, 5500, 6000, 6500)
FILIPPENKO = {
    1.05: (0.68, 0.38, 0.20, 0.08, -0.06, -0.11, -0.14),
    1.10: (0.97, 0.55, 0.29, 0.12, -0.09, -0.15, -0.20),
    1.25: (1.59, 0.90, 0.48, 0.20, -0.14, -0.25, -0.33),
    1.50: (2.37, 1.34, 0.71, 0.29, -0.21, -0.37, -0.50),
    1.75: (3.04, 1.73, 0.92, 0.38, -0.27, -0.48, -0.64),
}


@pytest.mark.parametrize("secant", FILIPPENKO)
def test_colours_are_as_far_apart_as_in_filippenkos_table(secant):
    """His air is flat and of another refractivity: half a per cent; his numbers are rounded to 0.01 arcsec."""
    place = EarthLocation.from_geodetic(-70 * u.deg, -30 * u.deg, 2000 * u.m)
    for wave, expected in zip(FILIPPENKO_WAVES, FILIPPENKO[secant], strict=True):
        observer = ak.Observer(TIME, place, pressure=600 * 1.333224 * u.hPa, temperature=7 * u.deg_C,
                               relative_humidity=1.0, obswl=wave / 1e4 * u.micron)  # fmt: skip
        star = standing(np.array([np.degrees(np.arccos(1 / secant))]), np.array([120.0]), observer)
        for model, share in (("integral", 0.006), ("refco", 0.03)):
            effect = AtmosphericRefraction(observer, reference_wavelength=0.5 * u.micron, model=model)
            found = effect.displacement(star)["toward_zenith"].to_value(u.arcsec)[0]
            assert found == pytest.approx(expected, abs=0.006 + share * abs(expected))


def test_a_difference_is_the_difference():
    """Toward the zenith by as much more as the two colours are refracted."""
    stars = up(300, lowest=5.0)
    for model in ("refco", "integral"):
        blue, red = (
            AtmosphericRefraction(at_paranal(obswl=w * u.micron), model=model).displacement(stars)["toward_zenith"]
            for w in (0.4, 0.8)
        )
        both = AtmosphericRefraction(at_paranal(obswl=0.4 * u.micron), 0.8 * u.micron, model).displacement(stars)
        assert np.abs(both["toward_zenith"] - (blue - red)).max() < 1e-9 * u.arcsec
        back = AtmosphericRefraction(at_paranal(obswl=0.8 * u.micron), 0.4 * u.micron, model).displacement(stars)
        assert (back["toward_zenith"][2:] < 0).all()


def test_displacement_is_along_the_vertical():
    stars, observer = up(500), at_paranal()
    table = AtmosphericRefraction(observer).displacement(stars)
    size, toward = np.hypot(table["delta_ra_cosdec"], table["delta_dec"]), table["toward_zenith"]
    assert np.abs(size - toward).max() < 1e-9 * u.arcsec
    sky = observer.horizontal(stars)
    assert np.abs(table["zenith_distance"] - sky["zenith_distance"]).max() < 1e-10 * u.deg
    assert table["toward_zenith"][0] < 1e-9 * u.arcsec  # at the zenith
    after = observer.horizontal(AtmosphericRefraction(observer).apply(stars))
    lift = (after["altitude"] - sky["altitude"]).to(u.arcsec)
    assert np.abs(lift - table["toward_zenith"]).max() < 1e-9 * u.arcsec


# ---- there and back, errors ------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(
    zenith_distance=st.one_of(st.sampled_from([0.0, 1e-7, 87.0, 90.0, 91.0]), st.floats(0, 92)),
    azimuth=st.floats(0, 360),
    pressure=st.floats(150, 1100),
    celsius=st.floats(-40, 50),
    wave=st.floats(0.31, 1.69),
    model=st.sampled_from(["refco", "integral"]),
    colour=st.booleans(),
)
def test_there_and_back_in_any_air(zenith_distance, azimuth, pressure, celsius, wave, model, colour):
    observer = at_paranal(pressure=pressure * u.hPa, temperature=celsius * u.deg_C, obswl=wave * u.micron)
    effect = AtmosphericRefraction(observer, 0.6 * u.micron if colour else None, model)
    star = standing(np.array([zenith_distance]), np.array([azimuth]), observer, parallax=[3] * u.mas,
                    pmra=[9] * u.mas / u.yr, pmdec=[-800] * u.mas / u.yr)  # fmt: skip
    seen = quietly(effect.apply, star)
    limit = np.degrees(np.arccos(0.05)) if model == "refco" else 91.0
    assert bool(seen.refused) == (zenith_distance > limit) or model == "integral"
    if not seen.refused:
        demand_same(effect.remove(seen), star, "remove(apply(x))")


def test_the_covariance_is_that_of_simulated_stars():
    """Errors of arcseconds at 4 deg of altitude, where refraction shrinks them by a twentieth along the vertical."""
    n, observer = 40_000, at_paranal()
    effect, rng = AtmosphericRefraction(observer, model="integral"), np.random.default_rng(8)
    one = standing(np.array([86.0]), np.array([70.0]), observer, parallax=[5] * u.mas, pmra=[30] * u.mas / u.yr,
                   pmdec=[-70] * u.mas / u.yr, radial_velocity=[10] * u.km / u.s)  # fmt: skip
    factor = np.diag([800.0, 500.0, 0.4, 0.3, 0.2, 1.0]) @ (np.eye(6) + 0.3 * rng.normal(size=(6, 6)))
    covariance = factor @ factor.T
    expected = effect.apply(one.replace(covariance=covariance[None])).covariance[0]
    draws = factor @ rng.normal(size=(6, n))
    many = one[np.zeros(n, int)]
    east, north = many.raw.basis
    moved = many.replace(direction=many.direction + MAS_IN_RAD * (draws[0] * east + draws[1] * north))
    moved = moved.replace(parallax=moved.raw.parallax + draws[2], radial_velocity=moved.raw.radial_velocity + draws[5],
                          proper_motion=moved.raw.proper_motion + draws[3] * east + draws[4] * north)  # fmt: skip
    after, middle = effect.apply(moved), effect.apply(one)
    east, north = middle.raw.basis
    off = after.raw.direction - middle.raw.direction
    pm = after.raw.proper_motion - middle.raw.proper_motion
    parts = [(east * off).sum(axis=0) / MAS_IN_RAD, (north * off).sum(axis=0) / MAS_IN_RAD, after.raw.parallax,
             (east * pm).sum(axis=0), (north * pm).sum(axis=0), after.raw.radial_velocity]  # fmt: skip
    found = np.cov(np.array(parts))
    scale = np.sqrt(np.diag(expected))
    sigma = np.sqrt((np.outer(scale, scale) ** 2 + expected**2) / n)
    assert (np.abs(found - expected) < 4 * sigma).all()
    before = np.sqrt(np.linalg.eigvalsh(covariance[:2, :2]))
    shrunk = np.sqrt(np.linalg.det(expected[:2, :2]) / np.linalg.det(covariance[:2, :2]))
    assert 0.93 < shrunk < 0.98
    assert (before > 0).all()


def test_the_proper_motion_is_carried_along():
    stars = up(50).replace(proper_motion=samples.field_stars(50).raw.proper_motion)
    seen = AtmosphericRefraction(at_paranal()).apply(stars)
    size = [np.sqrt((s.raw.proper_motion**2).sum(axis=0)) for s in (stars, seen)]
    assert size[0] == pytest.approx(size[1], rel=1e-14)


# ---- columns ---------------------------------------------------------------------------------------------


def by_row(n=40):
    """Stars above the horizon, each at its own time and in its own air."""
    rng = np.random.default_rng(5)
    columns = {
        "t": 2026.2 + rng.uniform(0, 1e-4, n),
        "p": rng.uniform(700, 760, n) * u.hPa,
        "T": rng.uniform(-5, 20, n) * u.deg_C,
        "h": rng.uniform(0, 1, n),
        "w": rng.uniform(0.4, 0.9, n) * u.micron,
    }
    observer = ak.Observer(ak.column("t"), PARANAL, pressure=ak.column("p"), temperature=ak.column("T"),
                           relative_humidity=ak.column("h"), obswl=ak.column("w"))  # fmt: skip
    sky = standing(rng.uniform(0, 80, n), rng.uniform(0, 360, n), at_paranal(2026.2))
    motion = samples.field_stars(n)
    return observer, sky.replace(
        columns=columns, parallax=motion.raw.parallax, proper_motion=motion.raw.proper_motion << u.mas / u.yr,
        radial_velocity=motion.raw.radial_velocity, epoch=2016.0,
    )  # fmt: skip


@pytest.mark.parametrize("model", ["refco", "integral"])
def test_each_row_in_its_own_air(model):
    observer, stars = by_row()
    seen = AtmosphericRefraction(observer, 0.6 * u.micron, model).apply(stars)
    for row in range(0, 40, 7):
        air = {k: stars[c][row] for k, c in zip(AIR, "pThw", strict=True)}
        one = AtmosphericRefraction(ak.Observer(stars["t"][row], PARANAL, **air), 0.6 * u.micron, model)
        found = one.apply(stars[row : row + 1])
        assert np.abs(seen.direction[:, row] - found.direction[:, 0]).max() < NAS / 5


@pytest.mark.parametrize("model", ["refco", "integral"])
def test_the_kit_with_everything_from_columns(model):
    observer, stars = by_row(24)
    check_effect(AtmosphericRefraction(observer, model=model), stars=stars)


def test_a_colour_for_each_of_many_stars():
    """Many rows are read between tables, few are integrated each: the same to round-off, there and back."""
    n = 25_000
    stars = up(n, lowest=5.0).replace(columns={"w": np.random.default_rng(1).uniform(0.4, 1.0, n) * u.micron})
    for reference in (None, 0.6 * u.micron):
        effect = AtmosphericRefraction(at_paranal(obswl=ak.column("w")), reference, "integral")
        seen = effect.bound(stars).forward(stars)
        few = effect.apply(stars[:50])
        assert np.abs(seen.direction[:, :50] - few.direction).max() < NAS / 5
        assert np.abs(effect.bound(stars).backward(seen).direction - stars.direction).max() < NAS / 5


def test_temperatures_in_kelvin():
    stars = up(3).replace(columns={"T": np.array([283.15, np.nan, 293.15]) * u.K, "C": [10.0, 0, 20] * u.deg_C})
    kelvin, celsius = (
        quietly(AtmosphericRefraction(at_paranal(temperature=ak.column(name))).apply, stars).direction for name in "TC"
    )
    assert np.abs(kelvin - celsius)[:, [0, 2]].max() < 1e-16
    assert np.isnan(kelvin[:, 1]).all()
    with pytest.raises(InputError, match="column 'T' is in m, which is no unit of the kind of deg_C"):
        AtmosphericRefraction(at_paranal(temperature=ak.column("T"))).apply(
            stars.replace(columns={"T": [1, 2, 3] * u.m})
        )


def test_rows_are_refused_by_reason():
    n = 10
    stars = standing(np.array([10.0] * 8 + [100.0, 10.0]), np.arange(10.0), at_paranal(2026.2))
    t = np.full(n, 2026.2)
    t[0] = 2200.0
    p, c, w, h = np.full(n, 743.0), np.full(n, 10.0), np.full(n, 0.55), np.full(n, 0.1)
    p[1], p[2], c[3], w[4], w[5], h[6], p[9] = 0.0, np.nan, 150.0, 30.0, 2000.0, 1.2, 3.0
    columns = {"t": t, "p": p * u.hPa, "c": c * u.deg_C, "w": w * u.micron, "h": h}
    observer = ak.Observer(ak.column("t"), PARANAL, pressure=ak.column("p"), temperature=ak.column("c"),
                           relative_humidity=ak.column("h"), obswl=ak.column("w"))  # fmt: skip
    effect = AtmosphericRefraction(observer, model="integral")
    with pytest.warns(RowsWarning, match="refused"):
        seen = effect.apply(stars.replace(columns=columns))
    assert {k: np.flatnonzero(m).tolist() for k, m in seen.refused.items()} == {
        "time beyond the tables of the Earth's rotation": [0],
        "pressure of 0, which is no air, or above 1400 hPa": [1],
        "no value in column 'p'": [2],
        "temperature outside -40 to 100 deg_C, where 'integral' holds": [3],
        "wavelength outside 0.3 to 1.7 micron, where 'integral' holds": [4, 5],
        "column 'h': a number from 0 to 1 is needed": [6],
        "more than 1 deg below the horizon": [8],
        "a pressure at which water boils, with vapour in it": [9],
    }
    assert np.isfinite(seen.direction[:, 7]).all()
    assert np.isnan(seen.direction[0, [0, 1, 2, 3, 4, 5, 6, 8, 9]]).all()


# ---- awkward places --------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["refco", "integral"])
def test_a_star_in_the_zenith_stays_there(model):
    observer = at_paranal()
    star = standing(np.array([0.0]), np.array([0.0]), observer)
    effect = AtmosphericRefraction(observer, model=model)
    assert np.abs(effect.apply(star).direction - star.direction).max() < 3e-16
    assert np.isfinite(effect.apply(star.replace(covariance=samples.covariances(star))).covariance[:, :2, :2]).all()
    assert effect.displacement(star)["toward_zenith"][0] < 1e-10 * u.arcsec


def test_a_star_at_the_celestial_pole():
    pole = ak.Stars(ra=[77.0] * u.deg, dec=[-90.0] * u.deg)
    table = AtmosphericRefraction(at_paranal()).displacement(pole)
    assert np.isfinite(table["delta_dec"]).all()
    # it stands at the latitude, within the precession since 2000
    assert table["zenith_distance"][0].to_value(u.deg) == pytest.approx(90 - 24.6, abs=0.2)
    assert table["toward_zenith"][0].to_value(u.arcsec) == pytest.approx(42.6 * np.tan(np.radians(65.4)), rel=0.01)


def test_an_observer_at_the_pole_of_the_earth():
    amundsen = EarthLocation.from_geodetic(0 * u.deg, -90 * u.deg, 2835 * u.m)
    observer = ak.Observer(TIME, amundsen, **{**AIR, "temperature": -35 * u.deg_C})
    stars = ak.Stars(ra=[10, 200] * u.deg, dec=[-90, -30] * u.deg)
    table = AtmosphericRefraction(observer, model="integral").displacement(stars)
    assert np.isfinite(table["toward_zenith"]).all()
    assert np.isfinite(observer.horizontal(stars)["azimuth"]).all()


def test_stars_below_are_refused_and_counted():
    observer = at_paranal()
    stars = standing(np.array([20.0, 88.0, 91.0, 95.0, 180.0]), np.zeros(5), observer)
    with pytest.warns(RowsWarning, match="4 of 5 rows: refused, lower than 2.87 deg above the horizon"):
        seen = AtmosphericRefraction(observer).apply(stars)
    assert np.isnan(seen.direction[0]).tolist() == [False, True, True, True, True]
    with pytest.warns(RowsWarning, match="2 of 5 rows: refused, more than 1 deg below the horizon"):
        AtmosphericRefraction(observer, model="integral").displacement(stars)
    with pytest.raises(RefusedRowsError, match="refuses row 1"):
        AtmosphericRefraction(observer).apply(stars[[0, 1]], refused="error")
    with pytest.warns(RowsWarning, match="1 of 1 rows"):
        AtmosphericRefraction(observer).remove(stars[[1]])


def test_the_horizon_lifts_the_sun():
    """Half a degree at sea level: a star 33 arcmin below is seen on it."""
    place = EarthLocation.from_geodetic(0 * u.deg, 45 * u.deg, 0 * u.m)
    observer = ak.Observer(TIME, place, pressure=1013.25 * u.hPa, temperature=15 * u.deg_C, relative_humidity=0.0,
                           obswl=0.59 * u.micron)  # fmt: skip
    star = standing(np.array([90 + 1974.2 / 3600]), np.array([90.0]), observer)
    seen = AtmosphericRefraction(observer, model="integral").apply(star)
    assert np.abs(observer.altitude(seen)) < 0.1 * u.arcsec


def test_no_times_that_are_unknown():
    with pytest.warns(RowsWarning, match="time beyond the tables of the Earth's rotation"):
        seen = AtmosphericRefraction(at_paranal(2100.0)).apply(up(3))
    assert np.isnan(seen.direction).all()


BALLOON = EarthLocation.from_geodetic(0 * u.deg, 0 * u.deg, 30_000 * u.m)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AtmosphericRefraction(ak.Observer(TIME, **AIR)), "has 'geocenter', where there is no air"),
        (lambda: AtmosphericRefraction(ak.Observer(TIME, "gaia", **AIR)), "has 'gaia', where there is no air"),
        (
            lambda: AtmosphericRefraction(
                ak.Observer(TIME, position=[1, 0, 0] * u.au, velocity=[0, 30, 0] * u.km / u.s, **AIR)
            ),
            "has a position of its own",
        ),
        (lambda: AtmosphericRefraction(ak.Observer(TIME, BALLOON, **AIR)), "not on the ground: its height is 30000 m"),
        (lambda: AtmosphericRefraction(PARANAL), "give an ak.Observer"),
        (
            lambda: AtmosphericRefraction(ak.Observer(TIME, PARANAL)),
            "pressure, temperature, relative_humidity, obswl not given; refraction needs all of",
        ),
        (lambda: AtmosphericRefraction(at_paranal(obswl=None)), "observer: obswl not given"),
        (lambda: AtmosphericRefraction(at_paranal(temperature=None)), "observer: temperature not given"),
        (
            lambda: AtmosphericRefraction(at_paranal(pressure=0 * u.hPa)),
            "pressure is 0 hPa: pressure of 0, which is no",
        ),
        (
            lambda: AtmosphericRefraction(at_paranal(pressure=0 * u.hPa), model="integral"),
            "pressure of 0, which is no air, or above 1400 hPa.$",
        ),
        (lambda: AtmosphericRefraction(at_paranal(pressure=2 * u.GPa)), "pressure is 2e\\+07 hPa"),
        (
            lambda: AtmosphericRefraction(at_paranal(pressure=7 * u.hPa)),
            "air of a pressure at which water boils, with vapour in it",
        ),
        (lambda: AtmosphericRefraction(at_paranal(temperature=300 * u.deg_C)), "temperature outside -150 to 200"),
        (
            lambda: AtmosphericRefraction(at_paranal(obswl=0.2 * u.micron), model="integral"),
            "obswl is 0.2 micron: wavelength outside 0.3 to 1.7 micron, where 'integral' holds; model=.refco. takes it",
        ),
        (
            lambda: AtmosphericRefraction(at_paranal(**RADIO), model="integral"),
            "obswl is 10000 micron: wavelength outside 0.3 to 1.7 micron",
        ),
        (lambda: AtmosphericRefraction(at_paranal(obswl=10 * u.km)), "wavelength outside 0.1 to 1e\\+06 micron"),
        (
            lambda: AtmosphericRefraction(at_paranal(), reference_wavelength=3 * u.micron, model="integral"),
            "AtmosphericRefraction.reference_wavelength is 3 micron",
        ),
        (lambda: AtmosphericRefraction(at_paranal(), reference_wavelength=0.5), "has no unit"),
        (lambda: AtmosphericRefraction(at_paranal(), reference_wavelength=-1 * u.micron), "positive wavelength"),
        (lambda: AtmosphericRefraction(at_paranal(), model="integal"), "it can be 'integral', 'refco'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_is_said(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_what_was_not_given_is_known_after_copies_too():
    import dataclasses
    import pickle

    bare = ak.Observer(TIME, PARANAL, pressure=743 * u.hPa)
    assert bare.air_not_given == ("temperature", "relative_humidity", "obswl")
    for twin in (dataclasses.replace(bare), pickle.loads(pickle.dumps(bare)), bare.bound(up(2))):
        assert twin.air_not_given == bare.air_not_given
        assert twin == bare
    assert at_paranal(temperature=0 * u.deg_C, obswl=1 * u.micron).air_not_given == ()
    with pytest.raises(ValueError, match="read-only"):
        bare.temperature[...] = 3 * u.deg_C


# ---- the parallax that it fakes --------------------------------------------------------------------------


def test_colours_fake_the_parallax_that_the_formula_says():
    """A blue star among red ones, seen east of the meridian in one season and west of it in the other.

    In right ascension the displacement is C cos(latitude) sin(h) / cos(z), in declination C (sin(latitude) cos(dec) -
    cos(latitude) sin(dec) cos(h)) / cos(z), with C the difference of the refractivities (source 004).
    """
    latitude, dec, ra = -24.6, -35.0, 100.0
    epochs = 2025.0 + np.arange(60) / 60
    star = ak.Stars(ra=np.full(60, ra) * u.deg, dec=np.full(60, dec) * u.deg, parallax=np.ones(60) * u.mas)
    factors = ak.effects.AnnualParallax(ak.Observer(ak.column("t"))).change(star.replace(columns={"t": epochs}))
    factor = np.stack([factors["delta_ra_cosdec"].value, factors["delta_dec"].value])
    hours = np.where(factor[0] > 0, 2.5, -2.5)
    # the time of the day at which the star has that hour angle
    sidereal = (
        ak.Observer(ak.column("t"), PARANAL).hour_angle(star.replace(columns={"t": epochs})).to_value(u.hourangle)
    )
    epochs = epochs + (hours - sidereal) / 1.0027379 / 24 / 365.25
    observer = ak.Observer(ak.column("t"), PARANAL, **AIR)
    data = star.replace(columns={"t": epochs})
    assert np.abs(observer.hour_angle(data).to_value(u.hourangle) - hours).max() < 1e-3
    table = AtmosphericRefraction(observer, 0.65 * u.micron).displacement(data)
    seen = np.stack([table["delta_ra_cosdec"].to_value(u.mas), table["delta_dec"].to_value(u.mas)])
    phi, delta, h = np.radians(latitude), np.radians(dec), np.radians(15 * hours)
    cos_z = np.sin(phi) * np.sin(delta) + np.cos(phi) * np.cos(delta) * np.cos(h)
    strength = np.mean(table["toward_zenith"].to_value(u.mas) / np.tan(np.radians(table["zenith_distance"].value)))
    east = np.cos(phi) * np.sin(h)
    north = np.sin(phi) * np.cos(delta) - np.cos(phi) * np.sin(delta) * np.cos(h)
    textbook = strength / cos_z * np.stack([east, north])
    fitted = [five_parameters(epochs, factor, places)[4] for places in (seen, textbook)]
    assert strength == pytest.approx(231, rel=0.02)
    assert fitted[0] == pytest.approx(fitted[1], rel=0.01)
    assert 40 < fitted[0] < 50  # mas!
    # a star of the same colour is where it is
    same = AtmosphericRefraction(observer, AIR["obswl"]).displacement(data)
    assert np.abs(same["toward_zenith"]).max() < 1e-9 * u.arcsec


def five_parameters(epochs, factor, places):
    """Position, motion and parallax by least squares."""
    t, one, none = epochs - epochs.mean(), np.ones(len(epochs)), np.zeros(len(epochs))
    design = np.concatenate([
        np.stack([one, none, t, none, factor[0]], axis=1), np.stack([none, one, none, t, factor[1]], axis=1),
    ])  # fmt: skip
    return np.linalg.lstsq(design, np.concatenate(places), rcond=None)[0]


def contract_chain(obs, barnard):
    return ak.Chain(
        ak.effects.PerspectiveAcceleration(epoch=obs.obstime, reference_epoch=barnard.obstime),
        ak.effects.AnnualParallax(observer=obs),
        ak.effects.AnnualAberration(observer=obs),
        ak.effects.AtmosphericRefraction(observer=obs),
    )


def test_the_example_of_the_contract():
    """At its time, midnight in Greenwich, the star is below the horizon of Paranal; it is up in the morning."""
    place = EarthLocation.from_geodetic(-70.4, -24.6, 2635 * u.m)
    obs, later = (ak.Observer(obstime=Time(t), location=place, **AIR) for t in ("2026-03-21", "2026-03-21 09:00"))
    barnard = SkyCoord(
        269.45208 * u.deg, 4.69339 * u.deg, distance=1.8282 * u.pc, pm_ra_cosdec=-801.55 * u.mas / u.yr,
        pm_dec=10362.39 * u.mas / u.yr, radial_velocity=-110.5 * u.km / u.s, obstime=Time("J2016.0"),
    )  # fmt: skip
    chain = contract_chain(obs, barnard)
    with pytest.warns(RowsWarning, match="1 of 1 rows: refused, lower than 2.87 deg above the horizon"):
        apparent = chain.apply(barnard)
    assert np.isnan(apparent.ra)
    assert np.isnan(chain.remove(apparent).ra)
    with pytest.warns(RowsWarning, match="refused"):
        assert list(chain.change(barnard)["effect"]) == [effect.name for effect in chain]
    chain = contract_chain(later, barnard)
    apparent = chain.apply(barnard)
    assert chain.remove(apparent).separation(barnard) < 1e-9 * u.arcsec
    assert np.isfinite(chain.change(barnard)["delta_dec"]).all()
