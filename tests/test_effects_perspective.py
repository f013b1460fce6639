"""Perspective acceleration against ERFA, astropy, published numbers, and the derivatives of its own motion."""

import astropy.units as u
import erfa
import numpy as np
import pytest
from astropy.table import QTable
from astropy.time import Time
from hypothesis import given, settings

import astrokin as ak
from astrokin.errors import InputError, RefusedRowsError, RowsWarning
from astrokin.testing import samples, strategies

KM_S = u.km / u.s
MAS_YR = u.mas / u.yr
MAS = (1 * u.mas).to_value(u.rad)
Perspective = ak.effects.PerspectiveAcceleration


def barnard(epoch=2016.0, **changes):
    values = {
        "ra": [269.45208] * u.deg,
        "dec": [4.69339] * u.deg,
        "parallax": [546.98] * u.mas,
        "pmra": [-801.55] * MAS_YR,
        "pmdec": [10362.39] * MAS_YR,
        "radial_velocity": [-110.5] * KM_S,
    }
    return ak.Stars(**{**values, **changes}, epoch=epoch)


def moved(stars, years, light_time=False):
    return Perspective(epoch=2016.0 + years, light_time=light_time).apply(stars)


def separation(one, other):
    """Angle between directions, mas."""
    return np.sqrt(((one.direction - other.direction) ** 2).sum(axis=0)) / MAS


# ---- against others --------------------------------------------------------------------------------------


def erfa_starpm(stars, years, function):
    ra, dec = stars.ra.to_value(u.rad), stars.dec.to_value(u.rad)
    pmra, pmdec = stars.pmra.value * MAS / np.cos(dec), stars.pmdec.value * MAS
    parallax, rv = stars.parallax.to_value(u.arcsec), stars.radial_velocity.value
    days = 2457388.5, 0.0, 2457388.5, 365.25 * years
    ra, dec, pmra, pmdec, parallax, rv = function(ra, dec, pmra, pmdec, parallax, rv, *days)
    direction = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    return direction, pmra * np.cos(dec) / MAS, pmdec / MAS, parallax * 1000, rv


@pytest.mark.parametrize("function", [erfa.starpm, erfa.pmsafe])
@pytest.mark.parametrize("years", [-100.0, 0.5, 34.0, 100.0])
def test_with_light_time_it_is_erfas_to_a_nanoarcsecond(function, years):
    stars = samples.field_stars(300)
    direction, pmra, pmdec, parallax, rv = erfa_starpm(stars, years, function)
    got = moved(stars, years, light_time=True)
    size = np.hypot(stars.pmra.value, stars.pmdec.value)
    # pmsafe takes away the velocity of stars that it takes for too far, and adds one to those without.
    fine = size > 1e-3
    assert np.abs(direction - got.direction)[:, fine].max() < 5e-15
    np.testing.assert_allclose(got.parallax.value[fine], parallax[fine], rtol=1e-14)
    # Near the poles ERFA's own angles lose digits.
    np.testing.assert_allclose(got.pmra.value[fine], pmra[fine], rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(got.pmdec.value[fine], pmdec[fine], rtol=1e-12, atol=1e-10)
    np.testing.assert_allclose(got.radial_velocity.value[fine], rv[fine], rtol=0, atol=1e-11)


def test_with_light_time_it_is_skycoords_apply_space_motion():
    stars = samples.field_stars(100)[:50]
    expected = stars.replace(epoch=None).to_skycoord().apply_space_motion(dt=20 * u.yr)
    got = moved(stars, 20.0, light_time=True)
    assert expected.separation(got.replace(epoch=None).to_skycoord()).to_value(u.uas).max() < 1e-3
    np.testing.assert_allclose(got.radial_velocity, expected.radial_velocity, rtol=0, atol=1e-9 * KM_S)


def test_gaias_standard_model_differs_by_1_2_mas_in_a_century_for_barnards_star():
    apart = separation(moved(barnard(), 100.0), moved(barnard(), 100.0, light_time=True))[0]
    assert 1.1 < apart < 1.3


def test_the_standard_model_is_that_of_the_hipparcos_catalogue():
    """Equations 1.5.5 in the symbols of the catalogue, in angles and plain numbers."""
    stars, t = samples.field_stars(100), 50.0
    a, d = stars.ra.to_value(u.rad), stars.dec.to_value(u.rad)
    r = np.array([np.cos(d) * np.cos(a), np.cos(d) * np.sin(a), np.sin(d)])
    p = np.array([-np.sin(a), np.cos(a), 0 * a])
    q = np.array([-np.sin(d) * np.cos(a), -np.sin(d) * np.sin(a), np.cos(d)])
    mu = (p * stars.pmra.value + q * stars.pmdec.value) * MAS
    zeta = stars.radial_velocity.value * stars.parallax.value / (1 * u.au / u.yr).to_value(KM_S) * MAS
    f = (1 + 2 * zeta * t + ((mu**2).sum(axis=0) + zeta**2) * t**2) ** -0.5
    got = moved(stars, t)
    np.testing.assert_allclose(got.direction, (r * (1 + zeta * t) + mu * t) * f, rtol=0, atol=1e-15)
    np.testing.assert_allclose(got.parallax.value, stars.parallax.value * f, rtol=1e-15)
    speed = (zeta + ((mu**2).sum(axis=0) + zeta**2) * t) * f**2 * (1 * u.au / u.yr).to_value(KM_S) / MAS
    np.testing.assert_allclose(got.radial_velocity.value, speed / got.parallax.value, rtol=1e-11, atol=1e-11)


def test_motion_in_a_straight_line_keeps_the_space_velocity():
    stars = samples.field_stars(100)
    np.testing.assert_allclose(moved(stars, 1000.0).uvw.value, stars.uvw.value, rtol=0, atol=1e-10)


# ---- rates -----------------------------------------------------------------------------------------------


def test_barnards_star():
    rates = Perspective.rates(barnard())
    assert rates["radial_velocity_rate"].to_value(u.m / u.s / u.yr)[0] == pytest.approx(4.54, abs=0.005)
    assert rates["pm_rate"].to_value(u.mas / u.yr**2)[0] == pytest.approx(1.28, abs=0.005)


def test_rates_of_the_source():
    """dv_r/dt = v_t^2/d and dmu/dt = -2 v_r mu/d, with astropy's units for all constants."""
    stars = samples.field_stars(50)
    d = stars.parallax.to(u.pc, u.parallax())
    mu = np.hypot(stars.pmra, stars.pmdec)
    v_t = (mu * d).to(KM_S, u.dimensionless_angles())
    rates = Perspective.rates(stars)
    speeding = (v_t**2 / d).to(KM_S / u.yr)
    np.testing.assert_allclose(rates["radial_velocity_rate"], speeding, rtol=1e-10, atol=1e-20 * speeding.unit)
    turning = (-2 * stars.radial_velocity * mu / d).to(MAS_YR / u.yr)
    np.testing.assert_allclose(rates["pm_rate"], turning, rtol=1e-10, atol=1e-20 * turning.unit)


@pytest.mark.parametrize("name", ["radial_velocity", "parallax", "pmra", "pmdec"])
def test_rates_are_the_derivatives_of_apply(name):
    stars = samples.field_stars(60)
    ahead, behind = (getattr(moved(stars, t), name) for t in (0.5, -0.5))
    slope = (ahead - behind) / (1 * u.yr)
    rate = Perspective.rates(stars)[f"{name}_rate"]
    fine = np.abs(stars.dec.deg if hasattr(stars.dec, "deg") else stars.dec.value) < 80
    size = np.abs(rate.value).max()
    np.testing.assert_allclose(rate[fine], slope[fine], rtol=1e-7, atol=1e-8 * size * rate.unit)


def test_the_rate_of_the_whole_proper_motion_is_the_derivative_too():
    stars = samples.field_stars(60)
    ahead, behind = (np.hypot(s.pmra, s.pmdec) for s in (moved(stars, 0.5), moved(stars, -0.5)))
    rate = Perspective.rates(stars)["pm_rate"]
    np.testing.assert_allclose(rate, (ahead - behind) / (1 * u.yr), rtol=1e-6, atol=1e-9 * np.abs(rate).max())


def test_rates_without_a_positive_parallax_are_nan_where_they_need_one():
    stars = samples.field_stars(3).replace(parallax=np.array([-1.0, 0.0, 1.0]))
    rates = Perspective.rates(stars)
    assert np.isnan(rates["radial_velocity_rate"].value).tolist() == [True, True, False]
    assert np.isfinite(rates["pm_rate"].value).all()


def test_rates_take_a_table_and_give_one():
    table = samples.field_stars(3).to_table()
    rates = Perspective.rates(table)
    assert isinstance(rates, QTable)
    assert rates.colnames == ["radial_velocity_rate", "pm_rate", "pmra_rate", "pmdec_rate", "parallax_rate"]


# ---- parallaxes that say nothing -------------------------------------------------------------------------


def test_where_the_parallax_is_not_positive_the_radial_velocity_is_kept_and_counted_once():
    stars = samples.field_stars(10)
    stars = stars.replace(parallax=np.where(np.arange(10) < 3, [0.0, -1.0, -5.0] + [0.0] * 7, stars.raw.parallax))
    with pytest.warns(RowsWarning) as told:
        after = moved(stars, 50.0)
    assert [str(w.message) for w in told] == [
        "apply perspective-acceleration: 3 of 10 rows: radial velocity kept: its change needs a parallax above 5 sigma."
    ]
    assert after.raw.radial_velocity[:3].tobytes() == stars.raw.radial_velocity[:3].tobytes()
    assert (after.radial_velocity[3:] != stars.radial_velocity[3:]).any()
    (mask,) = after.flags.values()
    assert mask.tolist() == [True] * 3 + [False] * 7
    assert np.isfinite(after.direction).all()
    assert np.isfinite(after.parallax).all()


@pytest.mark.parametrize(("ratio", "kept"), [(4.99, True), (5.01, False)])
def test_below_five_sigma_the_radial_velocity_is_kept(ratio, kept):
    matrix = np.diag([1, 1, (546.98 / ratio) ** 2, 1, 1, 1.0])[None]
    stars = barnard(covariance=matrix)
    if not kept:
        assert moved(stars, 50.0).radial_velocity != stars.radial_velocity
        return
    with pytest.warns(RowsWarning, match="1 of 1 rows: radial velocity kept"):
        after = moved(stars, 50.0)
    assert after.radial_velocity == stars.radial_velocity
    assert after.covariance[0, 5, 5] == pytest.approx(1.0)


def test_light_time_needs_a_parallax_and_a_speed_below_that_of_light():
    stars = samples.field_stars(4).replace(
        parallax=np.array([0.0, -1.0, 1e-3, 100.0]),
        proper_motion=np.array([[0, 0, 1e5, 0], [0, 0, 0, 0], [0, 0, 0, 0.0]]),
    )
    with pytest.warns(RowsWarning, match="2 of 4 rows: refused, no positive parallax.* 1 of 4 rows: refused, faster"):
        after = moved(stars, 1.0, light_time=True)
    assert np.isnan(after.ra.value).tolist() == [True, True, True, False]
    with pytest.raises(RefusedRowsError, match="perspective-acceleration refuses rows 0, 1: no positive parallax"):
        Perspective(epoch=2017.0, light_time=True).apply(stars, refused="error")


# ---- epochs ----------------------------------------------------------------------------------------------


def test_stars_without_epoch_need_a_reference_epoch():
    stars = barnard(epoch=None)
    with pytest.raises(InputError, match=r"epoch of the stars is not known: give Stars\(…, epoch=…\)"):
        Perspective(epoch=2050.0).apply(stars)
    after = Perspective(epoch=2050.0, reference_epoch=2016.0).apply(stars)
    np.testing.assert_array_equal(after.direction, moved(barnard(), 34.0).direction)
    assert after.epoch == 2050.0


def test_stars_at_another_epoch_than_supposed_are_an_error():
    with pytest.raises(InputError, match=r"at epoch 2016\.000000, not at 2000\.000000"):
        Perspective(epoch=2050.0, reference_epoch=2000.0).apply(barnard())
    with pytest.raises(InputError, match=r"at epoch 2016\.000000, not at 2050\.000000"):
        Perspective(epoch=2050.0, reference_epoch=2016.0).remove(barnard())


def test_the_way_back_needs_to_know_where_to():
    with pytest.raises(InputError, match=r"remove\(\) needs to know where to go back to"):
        Perspective(epoch=2016.0).remove(barnard())


def test_terrestrial_time_and_tcb_are_nineteen_seconds_apart_and_one_epoch():
    tt, tcb = Time("J2016.0", scale="tt"), 2016.0
    gap = (tt.tcb.jyear - tcb) * u.yr.to(u.s)
    assert 17 < gap < 21
    effect = Perspective(epoch=Time("J2050.0"), reference_epoch=tt)
    after = effect.apply(barnard(epoch=tcb))
    # By 2050 it is 36 s, in which Barnard's star moves by 12 microarcseconds.
    assert separation(after, moved(barnard(), 34.0))[0] == pytest.approx(10393.3 * 35.7 / u.yr.to(u.s), rel=0.01)
    with pytest.raises(InputError, match="not at 2016"):
        Perspective(epoch=2050.0, reference_epoch=Time("J2016.0") + 5 * u.min).apply(barnard(epoch=tcb))


def test_epochs_by_row():
    stars = samples.field_stars(4)
    ends = np.array([1991.25, 2016.0, 2050.0, 2100.0])
    for column in (ends, Time(ends, format="jyear", scale="tcb")):
        after = Perspective(epoch=ak.column("when")).apply(stars.replace(columns={"when": column}))
        np.testing.assert_allclose(after.epoch, ends, rtol=0, atol=1e-9)
        for i, end in enumerate(ends):
            alone = Perspective(epoch=float(end)).apply(stars[i : i + 1])
            np.testing.assert_allclose(after.direction[:, i], alone.direction[:, 0], rtol=0, atol=1e-15)
    same = after[1:2]
    np.testing.assert_allclose(same.direction, stars.direction[:, 1:2], rtol=0, atol=2e-16)


def test_stars_of_different_epochs_come_to_one():
    starts = np.array([1991.25, 2016.0])
    stars = samples.field_stars(2).replace(epoch=starts)
    after = Perspective(epoch=2050.0).apply(stars)
    assert after.epoch == 2050.0
    for i, start in enumerate(starts):
        alone = Perspective(epoch=2050.0).apply(stars[i : i + 1].replace(epoch=start))
        np.testing.assert_allclose(after.direction[:, i], alone.direction[:, 0], rtol=0, atol=1e-15)
    with pytest.raises(InputError, match=r"2016\.000000, not at 1991\.250000 as the effect supposes \(row 1\)"):
        Perspective(epoch=2050.0, reference_epoch=1991.25).apply(stars)


@pytest.mark.parametrize("epoch", [None, float("nan"), 2050 * u.day])
def test_an_epoch_that_is_none(epoch):
    with pytest.raises(InputError, match=r"PerspectiveAcceleration\.epoch is .*give an astropy Time, .*Julian year"):
        Perspective(epoch=epoch)


# ---- properties ------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(strategies.stars(missing=False, nonpositive_parallax=False, covariance=False))
def test_there_and_back(stars):
    effect = Perspective(epoch=2050.0, reference_epoch=2016.0)
    back = effect.remove(effect.apply(stars))
    assert (separation(back, stars) <= 1e-6).all()
    scale = np.maximum(1e-9, 1e-13 * np.hypot(stars.pmra.value, stars.pmdec.value))
    assert (np.abs(back.proper_motion.value - stars.proper_motion.value) <= scale).all()
    np.testing.assert_allclose(back.parallax.value, stars.parallax.value, rtol=1e-13)


@settings(max_examples=60, deadline=None)
@given(strategies.stars(missing=False, nonpositive_parallax=False, covariance=False))
def test_two_steps_are_one(stars):
    two = Perspective(epoch=2070.0).apply(Perspective(epoch=2050.0).apply(stars))
    assert (separation(two, Perspective(epoch=2070.0).apply(stars)) <= 1e-6).all()


def test_without_a_parallax_a_star_moves_without_perspective():
    """Positions and proper motions alone are carried along the great circle; nothing is lost, the row is counted."""
    kwargs = {"ra": [10.0, 20.0] * u.deg, "dec": [80.0, -5.0] * u.deg, "pmra": [1e3, 50.0] * u.mas / u.yr,
              "pmdec": [-2e3, 10.0] * u.mas / u.yr, "radial_velocity": [20.0, np.nan] * u.km / u.s}  # fmt: skip
    effect = ak.effects.PerspectiveAcceleration(epoch=2116.0, reference_epoch=2016.0)
    with pytest.warns(ak.errors.RowsWarning, match="2 of 2 rows: no parallax: moved as if it were zero") as told:
        out = effect.apply(ak.Stars(**kwargs))
    assert len(told) == 1
    assert "NaN" not in str(told[0].message)
    with pytest.warns(ak.errors.RowsWarning, match="kept"):
        zero = effect.apply(ak.Stars(parallax=[0.0, 0.0] * u.mas, **kwargs))
    assert np.array_equal(out.direction, zero.direction)
    assert np.array_equal(out.pmra, zero.pmra)
    assert np.isnan(out.parallax).all()
    assert np.array_equal(out.radial_velocity, kwargs["radial_velocity"], equal_nan=True)


def test_a_row_without_a_proper_motion_is_counted_once():
    stars = ak.Stars(ra=[10.0, 20.0] * u.deg, dec=[0.0, 0.0] * u.deg, pmra=[1.0, np.nan] * u.mas / u.yr,
                     pmdec=[1.0, 1.0] * u.mas / u.yr, parallax=[1.0, np.nan] * u.mas)  # fmt: skip
    effect = ak.effects.PerspectiveAcceleration(epoch=2116.0, reference_epoch=2016.0)
    with pytest.warns(ak.errors.RowsWarning) as told:
        effect.apply(stars)
    assert str(told[0].message) == "apply perspective-acceleration: 1 of 2 rows: made NaN, no proper motion."
