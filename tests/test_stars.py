"""Stars: angles as views of vectors, frozen, sliced, replaced; missing values and errors."""

import copy
import inspect
import pickle

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import Galactic, SkyCoord
from astropy.time import Time
from hypothesis import given
from hypothesis import strategies as st

import astrokin as ak
from astrokin.covariance import Covariance
from astrokin.errors import InputError, MissingColumnError
from astrokin.stars import Rows, julian_year

MY = u.mas / u.yr
KS = u.km / u.s


def sample(n=50, seed=3, **more):
    rng = np.random.default_rng(seed)
    ra, dec = rng.uniform(0, 360, n), np.degrees(np.arcsin(rng.uniform(-1, 1, n)))
    edges = [(0.0, 90.0), (0.0, -90.0), (359.9999999999999, 0.0), (180.0, 89.9999999)][:n]
    for row, (one, other) in enumerate(edges):
        ra[row], dec[row] = one, other
    values = dict(
        ra=ra * u.deg,
        dec=dec * u.deg,
        parallax=rng.lognormal(1, 1, n) * u.mas,
        pmra=rng.normal(0, 100, n) * MY,
        pmdec=rng.normal(0, 100, n) * MY,
        radial_velocity=rng.normal(0, 50, n) * KS,
    )
    return ak.Stars(**{**values, **more})


def coord(stars):
    return SkyCoord(
        stars.ra,
        stars.dec,
        distance=1 / stars.raw.parallax * u.kpc,
        pm_ra_cosdec=stars.pmra,
        pm_dec=stars.pmdec,
        radial_velocity=stars.radial_velocity,
    )


# ---- against astropy -------------------------------------------------------------------------------------


def test_galactic_angles_and_motions_are_those_of_astropy():
    stars = sample()
    seen = coord(stars).galactic
    assert seen.separation(SkyCoord(stars.l, stars.b, frame="galactic")).max() < 1e-8 * u.arcsec
    np.testing.assert_allclose(stars.pm_l.value, seen.pm_l_cosb.to_value(MY), rtol=0, atol=1e-10)
    np.testing.assert_allclose(stars.pm_b.value, seen.pm_b.to_value(MY), rtol=0, atol=1e-10)


@pytest.mark.parametrize("vectors_first", [False, True])
def test_uvw_is_that_of_astropy(vectors_first):
    stars = sample()
    if vectors_first:
        stars.direction
    seen = coord(stars).transform_to(Galactic()).velocity.d_xyz.to_value(KS)
    np.testing.assert_allclose(stars.uvw.value, seen, rtol=1e-11, atol=1e-10)


def test_distance_is_the_inverse_of_a_positive_parallax():
    stars = sample(3, parallax=[2.0, 0.0, -1.0] * u.mas)
    assert stars.distance[0] == 0.5 * u.kpc
    assert np.isnan(stars.distance[1:]).all()
    assert np.isfinite(stars.uvw[:, 0]).all()
    assert np.isnan(stars.uvw[:, 1:]).all()


# ---- what comes in is what comes out ---------------------------------------------------------------------


def test_the_angles_given_are_the_angles_got():
    ra, pmra = np.array([0.1, 359.999, 12.0]), np.array([1.0, 2.0, 3.0])
    stars = ak.Stars(ra=ra * u.deg, dec=[90, -90, 3] * u.deg, pmra=pmra * MY, pmdec=pmra * MY)
    stars.direction, stars.proper_motion, stars.uvw
    np.testing.assert_array_equal(stars.ra.value, ra)
    np.testing.assert_array_equal(stars.pmra.value, pmra)


def test_units_are_turned_into_the_fixed_ones():
    stars = ak.Stars(
        ra=[12] * u.hourangle, dec=[0.1] * u.rad, parallax=[0.1] * u.arcsec, radial_velocity=[5] * u.m / u.s
    )
    assert stars.raw.angle("ra")[0] == pytest.approx(180.0)
    assert stars.parallax[0].value == pytest.approx(100.0)
    assert stars.raw.radial_velocity[0] == 0.005


def test_what_is_not_replaced_is_shared():
    stars = sample()
    stars.direction
    new = stars.replace(radial_velocity=stars.raw.radial_velocity + 1)
    assert new.raw.direction is stars.raw.direction
    assert new.raw.angle("ra") is stars.raw.angle("ra")
    assert new.raw.parallax is stars.raw.parallax
    assert new.changed_since(stars) == {"radial_velocity"}
    np.testing.assert_array_equal(new.raw.radial_velocity, stars.raw.radial_velocity + 1)
    assert not np.array_equal(new.uvw, stars.uvw)


@given(st.floats(-3, 3), st.floats(-3, 3), st.floats(-3, 3))
def test_a_new_direction_carries_the_proper_motion_along(x, y, z):
    stars = sample(20)
    moved = stars.replace(direction=stars.direction + np.array([[x], [y], [z]]) * 0.1)
    np.testing.assert_allclose(np.linalg.norm(moved.direction, axis=0), 1.0, rtol=1e-15)
    radial = np.sum(moved.direction * moved.raw.proper_motion, axis=0)
    np.testing.assert_allclose(radial, 0.0, atol=1e-11)
    sizes = (np.linalg.norm(s.raw.proper_motion, axis=0) for s in (stars, moved))
    np.testing.assert_allclose(*sizes, rtol=1e-12)
    assert moved.changed_since(stars) == {"direction", "proper_motion"}


def test_a_radial_part_of_a_proper_motion_is_taken_off():
    stars = sample(5)
    new = stars.replace(proper_motion=stars.raw.proper_motion + 7 * stars.direction)
    np.testing.assert_allclose(new.raw.proper_motion, stars.raw.proper_motion, atol=1e-12)
    assert new.changed_since(stars) == {"proper_motion"}


# ---- rows ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vectors_first", [False, True])
@pytest.mark.parametrize("index", [slice(2, 9), slice(0, 0), [4, 1, 1], np.arange(50) % 3 == 0, []])
def test_slicing_commutes_with_everything(index, vectors_first):
    columns = {"age": np.arange(50) * u.Gyr, "id": np.arange(50) + 2**60}
    stars = sample(columns=columns, epoch=np.linspace(2015, 2016, 50), covariance=np.stack([np.eye(6)] * 50))
    if vectors_first:
        stars.direction
    some, place = stars[index], np.arange(50)[index]
    assert len(some) == len(place)
    for name in ("ra", "pmdec", "l", "pm_b", "parallax", "uvw", "direction"):
        np.testing.assert_allclose(getattr(some, name), getattr(stars, name)[..., place], rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(some["id"], stars["id"][place])
    assert some["age"].unit == u.Gyr
    assert some.covariance.shape == (len(place), 6, 6)
    assert np.size(some.epoch) == len(place)


def test_a_mask_may_be_a_comparison_of_quantities():
    stars = sample()
    assert len(stars[stars.parallax > 2 * u.mas]) == (stars.raw.parallax > 2).sum()


@pytest.mark.parametrize("cuts", [(10, 30), (0, 50), (1, 1)])
def test_blocks_join_to_the_whole(cuts):
    masked = np.ma.MaskedArray(np.arange(50) + 2**60, np.arange(50) % 7 == 0)
    times = Time("J2000") + np.arange(50) * u.day
    stars = sample(columns={"id": masked, "t": times, "age": np.arange(50.0) * u.Gyr}, epoch=2016.0)
    whole = ak.Stars.joined([stars[: cuts[0]], stars[cuts[0] : cuts[1]], stars[cuts[1] :]])
    assert whole == stars
    np.testing.assert_array_equal(whole["id"].mask, masked.mask)
    assert (whole["t"] == times).all()


def test_blocks_that_changed_one_field_rejoin_sharing_the_rest():
    stars = sample(epoch=2016.0, columns={"age": np.arange(50.0)})
    parts = [stars[s] for s in (slice(0, 20), slice(20, 50))]
    out = stars.rejoined([p.replace(parallax=p.raw.parallax * 2) for p in parts])
    assert out.changed_since(stars) == {"parallax"}
    np.testing.assert_array_equal(out.raw.parallax, stars.raw.parallax * 2)
    assert out.raw.angle("ra") is stars.raw.angle("ra")


def test_stars_are_rows():
    assert isinstance(sample(1), Rows)


def test_no_rows():
    none = ak.Stars(ra=[] * u.deg, dec=[] * u.deg)
    assert len(none) == 0
    assert none.uvw.shape == (3, 0)
    assert none.direction.shape == (3, 0)
    assert len(none[[]]) == 0


def test_group_and_weight_travel_with_the_rows():
    stars = sample(4).replace(group=[0, 1, 0, 2], weight=[1, 2, 3, 4])
    assert stars[1:3].group.tolist() == [1, 0]
    assert stars[[3]].weight.tolist() == [4.0]


# ---- frozen, equal, copied -------------------------------------------------------------------------------


def test_stars_are_frozen():
    stars = sample()
    with pytest.raises(AttributeError, match=r"use stars\.replace\(parallax=…\)"):
        stars.parallax = 3 * u.mas
    for array in (stars.direction, stars.raw.parallax, stars.raw.angle("l"), stars.raw.angle("pmra")):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_pickles_and_copies_are_equal():
    stars = sample(epoch=2016.0, columns={"name": np.array(["a"] * 50)}, covariance=np.stack([np.eye(6)] * 50))
    for other in (pickle.loads(pickle.dumps(stars)), copy.deepcopy(stars), stars[:]):
        assert other == stars
    assert stars != stars[:10]
    assert stars != stars.replace(epoch=2017.0)
    assert stars != 7


def test_equality_looks_behind_masks():
    ids = np.ma.MaskedArray([1, 2], [False, True])
    hidden = np.ma.MaskedArray([1, 99], [False, True])
    assert sample(2, columns={"id": ids}) == sample(2, columns={"id": hidden})
    assert sample(2, columns={"id": ids}) != sample(2, columns={"id": np.array([1, 2])})


# ---- missing and declined --------------------------------------------------------------------------------


def test_masked_values_are_nan():
    masked = np.ma.MaskedArray([1.0, 2.0], [True, False])
    stars = ak.Stars(ra=[1, 2] * u.deg, dec=[0, 0] * u.deg, parallax=u.Quantity(np.ma.filled(masked, np.nan), u.mas))
    assert np.isnan(stars.raw.parallax).tolist() == [True, False]
    assert np.isnan(stars.raw.radial_velocity).all()


def test_refused_rows_are_nan_and_the_others_untouched():
    stars = sample()
    stars.direction
    mask = np.arange(50) % 4 == 0
    out = stars.refuse(mask, "below the horizon").refuse(np.arange(50) == 1, "too bright")
    for name in ("ra", "pmdec", "parallax", "radial_velocity", "l", "uvw"):
        values = np.atleast_2d(getattr(out, name).value)
        assert np.isnan(values[:, mask]).all()
    rest = ~mask & (np.arange(50) != 1)
    np.testing.assert_array_equal(out.ra[rest], stars.ra[rest])
    np.testing.assert_array_equal(out.pmdec[rest], stars.pmdec[rest])
    assert {k: int(v.sum()) for k, v in out.refused.items()} == {"below the horizon": 13, "too bright": 1}
    assert stars.refuse(np.zeros(50, bool), "nothing") is stars
    assert out.without_notes().refused == {}


def test_flags_change_nothing_and_add_up():
    stars = sample()
    out = stars.flag(np.arange(50) < 3, "odd").flag(np.arange(50) < 5, "odd")
    assert out == stars
    assert out.flags["odd"].sum() == 5
    assert out[4:].flags["odd"].sum() == 1


def test_stars_do_not_change_with_what_they_were_made_of():
    angle, epoch, age = [10.0, 20.0] * u.deg, np.array([2015.5, 2016.0]), np.array([1.0, 2.0])
    old = np.ma.MaskedArray([1, 2], [False, True])
    stars = ak.Stars(ra=angle, dec=angle, epoch=epoch, columns={"age": age, "old": old})
    assert stars.direction.shape == (3, 2)
    angle[0], epoch[0], age[0], old[0] = 70 * u.deg, 1.0, 7.0, 7
    assert (stars.ra[0], stars.dec[0], stars.epoch[0]) == (10 * u.deg, 10 * u.deg, 2015.5)
    assert (stars["age"][0], stars["old"][0]) == (1.0, 1)


@pytest.mark.parametrize(
    "what", [lambda s: s.covariance, lambda s: s["age"], lambda s: s.columns["old"], lambda s: s.epoch]
)
def test_stars_cannot_be_written_into(what):
    columns = {"age": np.ones(2), "old": np.ma.MaskedArray([1, 2], [False, True])}
    stars = sample(2, epoch=[2015.5, 2016.0], columns=columns, covariance=np.stack([np.eye(6)] * 2))
    with pytest.raises(ValueError, match="read-only"):
        what(stars)[0] = np.ma.masked if isinstance(what(stars), np.ma.MaskedArray) else 5.0
    with pytest.raises(ValueError, match="read-only"):
        what(stars[[0, 1]])[0] = 5


def test_what_is_read_only_is_not_copied():
    angle = [10.0, 20.0] * u.deg
    angle.flags.writeable = False
    assert np.shares_memory(ak.Stars(ra=angle, dec=angle).ra, angle)


def test_no_index_has_two_dimensions():
    with pytest.raises(InputError, match=r"index has shape \(1, 2\)"):
        sample(3)[[[0, 1]]]


# ---- epochs ----------------------------------------------------------------------------------------------


def test_epochs():
    assert julian_year(None, 3) is None
    assert julian_year(2016.0, 3) == 2016.0
    assert julian_year([2016.0] * 3, 3) == 2016.0
    assert julian_year(np.array([2015.5, 2016.0]), 2).tolist() == [2015.5, 2016.0]
    assert julian_year(Time("J2016.0", scale="tcb"), 3) == 2016.0
    assert julian_year(Time(2016.0, format="jyear", scale="tt"), 3) == pytest.approx(2016.0, abs=1e-6)
    with pytest.raises(InputError, match=r"epoch has shape \(2,\)"):
        julian_year([1.0, 2.0], 3)


def test_the_unit_of_an_epoch_counts():
    assert julian_year([2015.5, 2016.0] * u.yr, 2).tolist() == [2015.5, 2016.0]
    for value, words in [(57388 * u.day, "epoch is in d: give"), (3 * u.km, "epoch is in km"), (True, "epoch is bool")]:
        with pytest.raises(InputError, match=words):
            sample(1, epoch=value)


# ---- errors ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (dict(ra=[1.0]), "ra has no unit: give an astropy Quantity"),
        (dict(parallax=[1.0] * u.km), "parallax is in km, which is no unit of the kind of mas"),
        (dict(dec=[1.0, 2.0] * u.deg), r"dec has shape \(2,\); the stars need \(1,\)"),
        (dict(dec=[91.0] * u.deg), "dec lies outside -90 to 90 deg in row 0"),
        (dict(pmra=[np.inf] * MY), "pmra is infinite in row 0: mark missing values as NaN"),
        (dict(columns={"age": [1, 2]}), r"column 'age' has shape \(2,\); 1 rows are needed"),
        (dict(covariance=np.eye(6)), "covariance has shape"),
        (dict(ra=[1.0, 2.0] * u.deg), r"dec has shape \(1,\); the stars need \(2,\)"),
        (dict(ra=[[1.0]] * u.deg), r"ra has shape \(1, 1\); one value per row"),
        (dict(ra=u.Quantity([1 + 2j], u.deg)), "ra holds complex numbers"),
        (dict(epoch=np.array(["2016-01-01"], "M8[D]")), r"epoch is datetime64\[D\]: give an astropy Time"),
    ],
)
def test_bad_values_are_named(values, message):
    good = dict(ra=[1.0] * u.deg, dec=[1.0] * u.deg)
    with pytest.raises(InputError, match=message):
        ak.Stars(**{**good, **values})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(paralax=[1.0]), r"no field 'paralax'; it has: direction, parallax"),
        (dict(parallax=np.ones(3)), r"parallax has shape \(3,\); \(2,\) is needed"),
        (dict(parallax=[1.0, np.inf]), "parallax is infinite in row 1"),
        (dict(direction=np.ones(2)), r"direction has shape \(2,\); \(3, 2\) is needed"),
        (dict(radial_velocity=[1, 2] * u.m), "radial_velocity is in m"),
    ],
)
def test_bad_replacements_are_named(change, message):
    with pytest.raises(InputError, match=message):
        sample(2).replace(**change)


def test_an_unknown_column_suggests_the_closest():
    with pytest.raises(MissingColumnError, match="no column 'aeg'; they have: age, mass"):
        sample(2, columns={"mass": [1, 2], "age": [1, 2]})["aeg"]


def test_the_repr_says_what_there_is():
    stars = sample(2, epoch=2016.0, columns={"age": [1, 2]}, covariance=Covariance(errors={"ra": np.ones(2)}))
    assert repr(stars) == "<Stars: 2 rows, epoch 2016.0, with covariance, columns: age>"
    assert repr(stars[0]).startswith("<Stars: 1 row, ")
    assert "epoch 1991.25, " in repr(stars.replace(epoch=Time("J1991.25")))
    assert "epochs 1991.25 to 2016.0, " in repr(stars.replace(epoch=[2016.0, 1991.25]))
    assert "epochs unknown, " in repr(stars.replace(epoch=[np.nan, np.nan]))


def test_a_parameter_asked_for_as_a_column_is_pointed_out():
    with pytest.raises(MissingColumnError, match=r"no column 'parallax'; .* Their parallax is stars\.parallax\."):
        sample(2)["parallax"]


def test_what_goes_into_stars_of_is_shown_the_way():
    with pytest.raises(TypeError, match=r"not a dict: .* into ak.Stars.of\(…\)"):
        ak.Stars({"ra": [1.0]})
    with pytest.raises(TypeError, match="required keyword-only argument: 'dec'"):
        ak.Stars(ra=[1.0] * u.deg)
    assert list(inspect.signature(ak.Stars).parameters)[:3] == ["ra", "dec", "parallax"]


def test_copy_false_shares_the_callers_memory():
    ra = np.array([10.0, 20.0]) << u.deg
    kwargs = {"dec": [1.0, 2.0] * u.deg, "parallax": [1.0, 2.0] * u.mas}
    assert not np.may_share_memory(ak.Stars(ra=ra, **kwargs).ra, ra)
    shared = ak.Stars(ra=ra, **kwargs, copy=False)
    assert np.may_share_memory(shared.ra, ra)
    with pytest.raises(ValueError, match="read-only"):
        shared.ra[0] = 0 * u.deg
