"""The photocentre: rotations in space and a two-body integration as oracles, the source's formula, Gaia's elements."""

import dataclasses

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp
from scipy.spatial.transform import Rotation

import astrokin as ak
from astrokin import kepler
from astrokin.effects import BinaryPhotocentre
from astrokin.testing import samples

MAS_YR = u.mas / u.yr
MAS_IN_RAD = u.mas.to(u.rad)
ORBIT = {
    "period": 2.3 * u.yr, "eccentricity": 0.6, "inclination": 65 * u.deg, "node": 130 * u.deg,
    "periastron": 290 * u.deg, "t_periastron": 2014.25, "mass_ratio": 0.6, "flux_ratio": 0.1,
}  # fmt: skip
SHARE = 0.1 / 1.1 - 0.6 / 1.6


def binary(year=2017.4, **changes):
    values = {"semi_major_axis": 2.0 * u.au, **ORBIT, "observer": ak.Observer(year), **changes}
    return BinaryPhotocentre(**{k: v for k, v in values.items() if v is not None})


@pytest.fixture
def stars():
    return samples.field_stars(50)


# ---- oracles ---------------------------------------------------------------------------------------------


def integrated(year):
    """Relative orbit in space (x north, y east, z away; semi-major axis 1) by integrating Newton's law."""
    e, period = 0.6, 2.3
    turn = Rotation.from_euler("ZXZ", [130, 65, 290], degrees=True)
    start = np.concatenate([turn.apply([1 - e, 0, 0]), turn.apply([0, np.sqrt((1 + e) / (1 - e)), 0])])
    end = 2 * np.pi * (year - 2014.25) / period
    law = lambda t, s: np.concatenate([s[3:], -s[:3] / np.linalg.norm(s[:3]) ** 3])
    path = solve_ivp(law, (0, end), start, "DOP853", rtol=1e-13, atol=1e-14).y[:, -1]
    return path[:3], path[3:] * 2 * np.pi / period


@pytest.mark.parametrize("year", [2014.25, 2014.9, 2017.4, 2019.0])
def test_the_displacement_is_that_of_a_two_body_integration(stars, year):
    """Golden: three-dimensional orbits integrated numerically, put on the sky by angles, not by vectors."""
    place, motion = integrated(year)
    effect = binary(year)
    north, east, _ = 2.0 * SHARE * place[:, None] * stars.parallax.value
    assert np.abs(effect.displacement(stars).to_value(u.mas) - [east, north]).max() < 1e-7
    rate_north, rate_east, _ = 2.0 * SHARE * motion[:, None] * stars.parallax.value
    assert np.abs(effect.motion(stars).to_value(MAS_YR) - [rate_east, rate_north]).max() < 1e-6
    # The gnomonic projection about the star, of where it went.
    out = effect.apply(stars)
    ra, dec, ra1, dec1 = (v.to_value(u.rad) for v in (stars.ra, stars.dec, out.ra, out.dec))
    depth = np.sin(dec1) * np.sin(dec) + np.cos(dec1) * np.cos(dec) * np.cos(ra1 - ra)
    xi = np.cos(dec1) * np.sin(ra1 - ra) / depth / MAS_IN_RAD
    eta = (np.sin(dec1) * np.cos(dec) - np.cos(dec1) * np.sin(dec) * np.cos(ra1 - ra)) / depth / MAS_IN_RAD
    assert np.abs(np.array([xi - east, eta - north])).max() < 1e-6


def test_barycentre_and_light_by_their_definition():
    """The photocentre of two point sources about their centre of mass, masses and lights written out."""
    m1, m2, l1, l2 = 1.3, 0.4, 2.0, 0.7
    effect = binary(mass_ratio=m2 / m1, flux_ratio=l2 / l1, semi_major_axis=5 * u.mas)
    relative = effect.displacement() / effect._share()
    primary, secondary = -m2 / (m1 + m2) * relative, m1 / (m1 + m2) * relative
    assert np.allclose(effect.displacement(), (l1 * primary + l2 * secondary) / (l1 + l2), rtol=1e-14)


def test_a_dark_companion_makes_the_light_go_opposite_to_it():
    """Circular, face on, node at 0: the secondary starts toward north, so the primary is seen to the south."""
    effect = BinaryPhotocentre(4 * u.yr, 10 * u.mas, t_periastron=2000.0, mass_ratio=1.0, flux_ratio=0.0,
                               observer=ak.Observer(2000.0))  # fmt: skip
    assert np.allclose(effect.displacement().value, [0, -5], atol=1e-13)
    later = effect.displacement(obstime=2001.0)
    assert np.allclose(later.value, [-5, 0], atol=1e-12)  # the position angle increases: the secondary is east


def test_sirius_b_stood_where_it_was_first_measured():
    """The elements of 2017 (Bond et al.), and the position angle and separation of the year of discovery, 1862.19."""
    sirius = BinaryPhotocentre(
        50.1284 * u.yr, 7.4957 * u.arcsec, 0.59142, 136.336 * u.deg, 45.4 * u.deg, 149.161 * u.deg, 1994.5715,
        mass_ratio=0.0, flux_ratio=1e20, observer=ak.Observer(1862.19),
    )  # fmt: skip
    east, north = sirius.displacement().to_value(u.arcsec)
    assert np.degrees(np.arctan2(east, north)) == pytest.approx(84.6, abs=1.5)
    assert np.hypot(east, north) == pytest.approx(10.07, abs=0.5)  # by eye, next to the brightest star


# ---- the source's formula --------------------------------------------------------------------------------


@pytest.mark.parametrize(("q", "light"), [(0.6, 0.1), (0.2, 0.9), (0.5, 0.5), (1.0, 0.0)])
def test_half_period_contamination(q, light):
    """SOURCES E7, source 004: 4a |m1 L2 - m2 L1| / (d P (m1 + m2)(L1 + L2)), circular and face on."""
    a, period, parallax = 3.0, 1.7, 12.0  # au, yr, mas: a/d is a * parallax in mas
    star = ak.Stars(ra=[40] * u.deg, dec=[-30] * u.deg, parallax=[parallax] * u.mas, pmra=[0] * MAS_YR,
                    pmdec=[0] * MAS_YR)  # fmt: skip
    expected = 4 * a * parallax * abs(light - q) / (period * (1 + q) * (1 + light))
    effects = [
        BinaryPhotocentre(period * u.yr, a * u.au, mass_ratio=q, flux_ratio=light, observer=ak.Observer(t))
        for t in (2016.3, 2016.3 + period / 2)
    ]
    faked = effects[0].mean_motion_contamination(period / 2 * u.yr, star)[:, 0].to_value(MAS_YR)
    assert np.hypot(*faked) == pytest.approx(expected, rel=1e-12, abs=1e-13)
    seen = [e.apply(star) for e in effects]
    moved = np.linalg.norm(seen[1].direction - seen[0].direction) / MAS_IN_RAD / (period / 2)
    assert moved == pytest.approx(expected, rel=1e-8, abs=1e-6)


@given(st.floats(1e-3, 1e3), st.floats(0, 0.9999), st.floats(1900, 2100))
def test_no_contamination_where_mass_and_light_go_together(q, e, year):
    star = samples.field_stars(3)
    for light in ({"flux_ratio": q}, {"flux_ratio": None, "mass_to_light": 1.0}):
        effect = binary(year, mass_ratio=q, eccentricity=e, **light)
        assert not effect.mean_motion_contamination(1 * u.yr, star).value.any()
        assert np.abs(effect.apply(star).direction - star.direction).max() < 3e-16


@given(st.floats(0, 0.9999), st.floats(0.01, 100), st.integers(-3, 3), st.floats(0, 1))
def test_the_orbit_comes_back_after_each_period(e, period, turns, phase):
    effect = binary(eccentricity=e, period=period * u.yr, semi_major_axis=10 * u.mas, t_periastron=2016.0)
    start = 2016.0 + phase * period
    here, there = (effect.displacement(obstime=t).value for t in (start, start + turns * period))
    # Years near 2016 are good to 2e-13 yr, and the motion at a periastron to that.
    late = 5e-13 * (np.abs(effect.motion(obstime=start).value).max() + 10 / period)
    curve = 10 * (late * period / 10) ** 2 + (5e-13 / period) ** 2 * 1e9 * 400
    assert np.abs(here - there).max() < 10 * late + curve + 1e-11


def test_the_ratio_of_mass_to_light_stands_for_a_flux_ratio():
    """L2/L1 = (m2/m1) / [(m2/L2)/(m1/L1)]."""
    one = binary(flux_ratio=None, mass_to_light=2.4, semi_major_axis=4 * u.mas)
    other = binary(flux_ratio=0.6 / 2.4, semi_major_axis=4 * u.mas)
    assert np.allclose(one.displacement(), other.displacement(), rtol=1e-14)


# ---- motions, and the way back ---------------------------------------------------------------------------


def test_the_rate_is_the_derivative_of_the_place(stars):
    """The instantaneous motion against the directions a minute before and after, those at 0.98 eccentricity too."""
    for e in (0.0, 0.6, 0.98):
        still = stars.replace(proper_motion=np.zeros((3, len(stars))))
        dt = 1e-4
        early, late = (binary(2017.4 + s * dt, eccentricity=e).apply(still).direction for s in (-1, 1))
        rate = binary(2017.4, eccentricity=e, rate=True).apply(still).raw.proper_motion
        expected = (late - early) / (2 * dt) / MAS_IN_RAD
        assert np.abs(rate - expected).max() < 2e-5 * np.abs(rate).max() + 1e-4


def test_without_rate_the_motion_is_carried_along(stars):
    out = binary().apply(stars)
    assert np.allclose(np.linalg.norm(out.raw.proper_motion, axis=0), np.linalg.norm(stars.raw.proper_motion, axis=0))
    assert out.changed_since(stars) == {"direction", "proper_motion"}


@pytest.mark.parametrize("rate", [False, True])
@pytest.mark.parametrize("e", [0.0, 0.5, 0.9999])
def test_there_and_back_in_closed_form(rate, e):
    """1e-9 arcsec, and 1e-9 mas/yr or 1e-13: an arcsecond of displacement a degree from the pole included."""
    rng = np.random.default_rng(8)
    n = 400
    dec = np.concatenate([rng.uniform(-90, 90, n - 4), [89.0, -89.0, 89.99, -89.99]])
    stars = ak.Stars(ra=rng.uniform(0, 360, n) * u.deg, dec=dec * u.deg, parallax=rng.normal(1, 3, n) * u.mas,
                     pmra=rng.normal(0, 50, n) * MAS_YR, pmdec=rng.normal(0, 50, n) * MAS_YR)  # fmt: skip
    for size in (3 * u.au, 2 * u.arcsec):
        effect = binary(semi_major_axis=size, eccentricity=e, rate=rate)
        back = effect.remove(effect.apply(stars))
        assert np.abs(back.direction - stars.direction).max() < (1e-9 * u.arcsec).to_value(u.rad)
        motion = np.abs(effect.apply(stars).raw.proper_motion).max()
        assert np.abs(back.raw.proper_motion - stars.raw.proper_motion).max() < max(1e-9, 1e-13 * motion)


@pytest.mark.parametrize("node", [0.0, 90.0, 270.0])
def test_the_way_back_over_a_pole_is_refused(node):
    """Twenty mas from the pole, an orbit of seconds of arc: who lands there may have come from two places.

    North and south; where the way led east or west, the distance to the pole is lost in round-off.
    """
    star = ak.Stars(ra=[10, 10] * u.deg, dec=[90 - 20 / 3.6e6, 60] * u.deg, pmra=[0, 0] * MAS_YR, pmdec=[0, 0] * MAS_YR)
    effect = BinaryPhotocentre(4 * u.yr, 3 * u.arcsec, mass_ratio=1.0, flux_ratio=3.0, t_periastron=2000.0,
                               node=node * u.deg, observer=ak.Observer(2000.0))  # fmt: skip
    seen = effect.apply(star)
    with pytest.warns(ak.errors.RowsWarning, match="1 of 2 rows: refused, nearer to a pole"):
        back = effect.remove(seen)
    assert np.isnan(back.ra[0])
    assert abs(back.dec[1] - star.dec[1]) < 1e-12 * u.deg


def test_the_covariance_is_that_of_a_monte_carlo():
    """Parallax errors move the photocentre, along the displacement: 4 sigma of 20,000 draws, all 21 elements."""
    star = samples.field_stars(3, seed=3)[:1]
    star = star.replace(parallax=np.array([300.0]))
    rng = np.random.default_rng(2)
    sigma = np.array([0.5, 0.7, 20.0, 0.3, 0.4, 1.0])
    correlation = np.full((6, 6), 0.3) + 0.7 * np.eye(6)
    matrix = correlation * sigma[:, None] * sigma
    effect = binary(rate=True)
    out = effect.apply(star.replace(covariance=matrix[None]))
    n = 20_000
    draws = rng.multivariate_normal(np.zeros(6), matrix, n).T
    many = star[np.zeros(n, int)]
    p, q = many.raw.basis
    r = many.raw.direction + MAS_IN_RAD * (draws[0] * p + draws[1] * q)
    many = many.replace(direction=r)
    motion = many.raw.proper_motion + draws[3] * p + draws[4] * q
    many = many.replace(parallax=300.0 + draws[2], proper_motion=motion)
    many = many.replace(radial_velocity=many.raw.radial_velocity + draws[5])
    seen = effect.apply(many)
    p, q = (v[:, :1] for v in out.raw.basis)
    shift = (seen.direction - out.direction) / MAS_IN_RAD
    values = [(p * shift).sum(0), (q * shift).sum(0), seen.raw.parallax, (p * seen.raw.proper_motion).sum(0),
              (q * seen.raw.proper_motion).sum(0), seen.raw.radial_velocity]  # fmt: skip
    found, told = np.cov(values), out.covariance[0]
    spread = np.sqrt((told**2 + np.outer(np.diag(told), np.diag(told))) / n)
    assert (np.abs(found - told) < 4 * spread).all()
    assert told[0, 0] > 2 * matrix[0, 0]  # the parallax does show


# ---- columns, and Gaia's names ---------------------------------------------------------------------------


def nss_table():
    rng = np.random.default_rng(6)
    n = 40
    size, i, node, periastron = rng.uniform([0.3, 0, 0, 0], [5, np.pi, np.pi, 2 * np.pi], (n, 4)).T
    a, b, f, g = kepler.thiele_innes(size, i, node, periastron)
    return QTable({
        "source_id": np.arange(n), "ra": rng.uniform(0, 360, n) * u.deg, "dec": rng.uniform(-80, 80, n) * u.deg,
        "parallax": rng.uniform(1, 9, n) * u.mas, "pmra": rng.normal(0, 9, n) * MAS_YR,
        "pmdec": rng.normal(0, 9, n) * MAS_YR, "ref_epoch": np.full(n, 2016.0) * u.yr,
        "period": rng.uniform(100, 1500, n) * u.day, "eccentricity": rng.uniform(0, 0.95, n),
        "t_periastron": rng.uniform(-400, 400, n) * u.day, "a_thiele_innes": a * u.mas, "b_thiele_innes": b * u.mas,
        "f_thiele_innes": f * u.mas, "g_thiele_innes": g * u.mas,
    }), (size, i, node, periastron)  # fmt: skip


def test_gaias_orbits_are_read_by_name_and_are_the_campbell_orbit():
    """nss_two_body_orbit: A, B, F, G of the photocentre, periods and periastron times in days from 2016.0."""
    table, (size, i, node, periastron) = nss_table()
    effect = BinaryPhotocentre.from_nss(ak.Observer(2019.2))
    seen = effect.apply(table)
    for k in (0, 17, 39):
        alone = BinaryPhotocentre(
            table["period"][k], size[k] * u.mas, table["eccentricity"][k], i[k] * u.rad, node[k] * u.rad,
            periastron[k] * u.rad, 2016.0 + table["t_periastron"][k].to_value(u.yr), mass_ratio=0.0, flux_ratio=1e20,
            observer=ak.Observer(2019.2),
        )  # fmt: skip
        one = alone.apply(table[k : k + 1])
        assert abs(one["ra"][0] - seen["ra"][k]) < 1e-12 * u.deg
        assert abs(one["dec"][0] - seen["dec"][k]) < 1e-12 * u.deg
    back = effect.remove(seen)
    assert np.abs((back["ra"] - table["ra"]).to_value(u.arcsec)).max() < 1e-9


def test_columns_without_units_are_days_and_mas():
    table, _ = nss_table()
    plain = QTable({k: getattr(v, "value", v) if k not in ("ra", "dec", "parallax", "pmra", "pmdec") else v
                    for k, v in table.items()})  # fmt: skip
    effect = BinaryPhotocentre.from_nss(ak.Observer(2019.2))
    assert np.array_equal(effect.apply(plain)["ra"], effect.apply(table)["ra"])


def test_every_parameter_by_row_and_the_time_too(stars):
    n = len(stars)
    rng = np.random.default_rng(9)
    columns = {
        "P": rng.uniform(1, 5, n) * u.yr, "a": rng.uniform(1, 9, n) * u.mas, "e": rng.uniform(0, 0.9, n),
        "q": rng.uniform(0, 1, n), "L": rng.uniform(0, 1, n), "w": rng.uniform(0, 360, n) * u.deg,
        "tp": rng.uniform(2000, 2010, n), "t": rng.uniform(2014, 2020, n),
    }  # fmt: skip
    by_row = BinaryPhotocentre(*map(ak.column, "Pae"), 30 * u.deg, 40 * u.deg, ak.column("w"), ak.column("tp"),
                               ak.column("q"), ak.column("L"), observer=ak.Observer(ak.column("t")))  # fmt: skip
    seen = by_row.apply(stars.replace(columns=columns))
    for k in (0, 20, n - 1):
        c = {name: v[k] for name, v in columns.items()}
        one = BinaryPhotocentre(c["P"], c["a"], c["e"], 30 * u.deg, 40 * u.deg, c["w"], float(c["tp"]), c["q"], c["L"],
                                observer=ak.Observer(float(c["t"])))  # fmt: skip
        assert np.abs(one.apply(stars[k : k + 1]).direction[:, 0] - seen.direction[:, k]).max() < 1e-15
    times = stars.replace(columns={**columns, "t": Time(columns["t"], format="jyear", scale="tcb")})
    assert np.abs(by_row.apply(times).direction - seen.direction).max() < 1e-15


def test_rows_outside_the_domain_are_refused_by_reason(stars):
    n = len(stars)
    columns = {"e": np.full(n, 0.3), "P": np.full(n, 2.0) * u.yr, "L": np.full(n, 0.2)}
    columns["e"][0], columns["P"][1], columns["L"][2], columns["e"][3] = 1.0, -1 * u.yr, -0.1, np.nan
    effect = binary(eccentricity=ak.column("e"), period=ak.column("P"), flux_ratio=ak.column("L"))
    with pytest.warns(ak.errors.RowsWarning) as told:
        out = effect.apply(stars.replace(columns=columns))
    text = str(told[0].message)
    for reason in ("an eccentricity from 0 to less than 1 is needed", "a positive period is needed",
                   "0 or more is needed", "no value in column 'e'"):  # fmt: skip
        assert f"1 of {n} rows" in text
        assert reason in text
    assert np.isnan(out.ra.value).tolist() == [True] * 4 + [False] * (n - 4)


# ---- bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"eccentricity": 1.0}, "eccentricity is 1.0; an eccentricity from 0 to less than 1 is needed"),
        ({"eccentricity": -0.1}, "eccentricity is -0.1"),
        ({"period": 0 * u.yr}, "period is 0.0 yr; a positive period is needed"),
        ({"period": -3 * u.day}, "a positive period is needed"),
        ({"flux_ratio": -0.1}, "flux_ratio is -0.1; 0 or more is needed"),
        ({"mass_ratio": -1}, "mass_ratio is -1.0; 0 or more is needed"),
        ({"semi_major_axis": -1 * u.au}, "semi_major_axis is -1.0 AU; 0 or more is needed"),
        ({"semi_major_axis": 1 * u.kg}, "semi_major_axis is in kg"),
        ({"period": 3.0}, "period is 3.0, which has no unit"),
        ({"semi_major_axis": None}, "no size given; give semi_major_axis"),
        ({"thiele_innes": [1, 2, 3, 4] * u.mas}, "semi_major_axis and thiele_innes given"),
        ({"flux_ratio": None}, "mass_ratio given; give mass_ratio, and either flux_ratio or mass_to_light"),
        ({"mass_to_light": 2.0}, "mass_ratio, flux_ratio, mass_to_light given"),
        ({"semi_major_axis": None, "thiele_innes": [1, 2, 3, 4] * u.mas}, "take no ratio"),
        ({"observer": Time("J2016")}, "give an ak.Observer"),
    ],
)
def test_bad_orbits_are_named(changes, words):
    with pytest.raises(ak.errors.InputError, match=words):
        binary(**changes)


def test_orbits_that_depend_on_the_sources_ask_for_them():
    with pytest.raises(ak.errors.InputError, match="give data="):
        binary().displacement()


def test_tracks_and_times_by_row(stars):
    """A single source at many times, many sources at a time each, and times in a column."""
    when = np.linspace(2014, 2020, 7)
    track = binary().displacement(stars[:1], when)
    assert track.shape == (2, 7)
    assert np.allclose(track[:, 3], binary(2017.0).displacement(stars[:1])[:, 0], rtol=1e-12)
    assert np.allclose(track, binary().displacement(stars[np.zeros(7, int)], Time(when, format="jyear", scale="tcb")))
    by_row = binary(ak.column("t"))
    with_times = stars[:7].replace(columns={"t": when})
    assert np.allclose(by_row.displacement(with_times), binary().displacement(stars[:7], when))
    faked = by_row.mean_motion_contamination(1 * u.yr, with_times)
    assert np.allclose(faked, binary().mean_motion_contamination(1 * u.yr, stars[:7], when))
    with pytest.raises(ak.errors.InputError, match="7 times for 50 sources"):
        binary().displacement(stars, when)


@pytest.mark.parametrize(("baseline", "words"), [(0 * u.yr, "a positive time"), (3.0, "no unit"), (1 * u.m, "in m")])
def test_baselines_are_positive_times(stars, baseline, words):
    with pytest.raises(ak.errors.InputError, match=words):
        binary().mean_motion_contamination(baseline, stars)


def test_an_angle_is_an_angle_whatever_its_unit(stars):
    one, other = binary(semi_major_axis=0.01 * u.arcsec), binary(semi_major_axis=10 * u.mas)
    assert np.allclose(one.displacement(), other.displacement(), rtol=1e-15)
    assert one.needs == frozenset()
    assert binary().needs == {"parallax"}
    assert dataclasses.replace(other, eccentricity=0.6) == other
    # 2 au at the parallax of each star is the same orbit.
    size = 2.0 * stars.raw.parallax * u.mas
    by_row = binary(semi_major_axis=ak.column("size")).apply(stars.replace(columns={"size": size}))
    assert np.abs(by_row.direction - binary().apply(stars).direction).max() < 1e-15
