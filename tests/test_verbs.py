"""What `apply`, `remove` and `change` do around the formula: missing and refused rows, covariance, blocks, counts."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import QTable
from hypothesis import given, settings

import astrokin as ak
from astrokin import verbs
from astrokin.errors import InputError, MissingValueError, RefusedRowsError, RowsWarning
from astrokin.testing import samples, strategies

KM_S = u.km / u.s
perspective = ak.effects.PerspectiveAcceleration(epoch=2050.0, reference_epoch=2016.0)


@dataclass(frozen=True)
class Picky(ak.Effect):
    """Refuse stars south of a declination, and flag those nearer than 10 pc."""

    name = "picky"
    stage = ak.Stage.ATMOSPHERE
    limit: u.Quantity = ak.parameter(0 * u.deg, doc="south of it", physical=lambda x: abs(x) <= 90, domain="a latitude")

    def forward(self, stars):
        stars = stars.refuse(np.real(stars.raw.direction[2]) < np.sin(self.limit.to_value(u.rad)), "below the horizon")
        stars = stars.flag(np.real(stars.raw.parallax) > 100, "very near")
        return stars.replace(parallax=stars.raw.parallax * 2)


def with_holes(stars, *rows):
    velocity = np.array(stars.raw.radial_velocity)
    velocity[list(rows)] = np.nan
    return stars.replace(radial_velocity=velocity)


# ---- a missing radial velocity ---------------------------------------------------------------------------


def test_zero_takes_it_as_zero_and_gives_it_back_missing():
    stars = with_holes(samples.field_stars(5), 1, 3)
    zeros = stars.replace(radial_velocity=np.nan_to_num(stars.raw.radial_velocity))
    after, expected = perspective.apply(stars), perspective.apply(zeros)
    for name in ("direction", "parallax", "proper_motion"):
        np.testing.assert_array_equal(getattr(after.raw, name), getattr(expected.raw, name))
    assert np.isnan(after.raw.radial_velocity).tolist() == [False, True, False, True, False]
    assert after.radial_velocity[0] == expected.radial_velocity[0]


def test_nan_lets_it_spread_and_tells():
    stars = with_holes(samples.field_stars(5), 1, 3)
    with pytest.warns(RowsWarning) as told:
        after = perspective.apply(stars, missing_rv="nan")
    assert [str(w.message) for w in told] == [
        "apply perspective-acceleration: 2 of 5 rows: made NaN, no radial velocity."
    ]
    assert np.isnan(after.ra.value).tolist() == [False, True, False, True, False]
    np.testing.assert_array_equal(after[::2].direction, perspective.apply(stars[::2]).direction)


def test_error_names_the_rows_and_the_way_out():
    stars = with_holes(samples.field_stars(5), 1, 3)
    with pytest.raises(MissingValueError, match=r'missing in rows 1, 3\. missing_rv="zero" takes them as zero'):
        perspective.apply(stars, missing_rv="error")
    assert len(ak.effects.ReflexMotion().apply(stars, missing_rv="error")) == 5  # which does not need it


def test_with_a_covariance_zero_carries_a_prior_of_50_km_s():
    stars = samples.field_stars(3)
    stars = stars.replace(parallax=np.full(3, 500.0), proper_motion=50 * stars.raw.proper_motion)
    stars = with_holes(stars.replace(covariance=samples.covariances(stars)), 2)
    after = perspective.apply(stars)
    filled = np.array(stars.covariance[2])
    filled[5, :] = filled[:, 5] = 0.0
    filled[5, 5] = 50.0**2
    zero = stars[2:3].replace(radial_velocity=np.zeros(1), covariance=filled[None])
    expected = perspective.apply(zero).covariance[0]
    assert np.isnan(after.covariance[2, 5]).all()
    assert np.isnan(after.covariance[2, :, 5]).all()
    np.testing.assert_allclose(after.covariance[2, :5, :5], expected[:5, :5], rtol=1e-12)
    known = perspective.apply(zero.replace(covariance=np.where(filled == 2500.0, 0.0, filled)[None])).covariance[0]
    assert expected[3, 3] > known[3, 3] * (1 + 1e-9)  # what is not known of the radial velocity is felt
    assert np.isfinite(after.covariance[[0, 1]]).all()
    assert verbs.RV_PRIOR == 50.0


def test_an_unknown_error_stays_unknown_and_spreads_to_nothing():
    stars = samples.field_stars(2)
    matrix = samples.covariances(stars)
    matrix[0, 2, :] = matrix[0, :, 2] = np.nan  # no parallax error
    after = perspective.apply(stars.replace(covariance=matrix)).covariance
    assert np.isnan(after[0, 2]).all()
    rest = np.ix_([0, 1, 3, 4, 5], [0, 1, 3, 4, 5])
    assert np.isfinite(after[0][rest]).all()
    without = np.where(np.isnan(matrix), 0.0, matrix)
    np.testing.assert_allclose(after[0][rest], perspective.apply(stars.replace(covariance=without)).covariance[0][rest])


@pytest.mark.parametrize("rules", [{"missing_rv": "none"}, {"refused": "drop"}])
def test_unknown_words_are_errors_that_list_the_known_ones(rules):
    (name,) = rules
    with pytest.raises(InputError, match=f"{name} is '{rules[name]}'; it can be .*'nan'"):
        perspective.apply(samples.field_stars(2), **rules)


# ---- refused and flagged rows ----------------------------------------------------------------------------


def test_refused_rows_are_nan_and_all_is_told_at_once():
    stars = samples.field_stars(40)
    south, near = stars.dec.value < 0, stars.parallax.value > 100
    with pytest.warns(RowsWarning) as told:
        after = Picky().apply(stars)
    assert [str(w.message) for w in told] == [
        f"apply picky: {south.sum()} of 40 rows: refused, below the horizon; "
        f"{(near & ~south).sum()} of 40 rows: very near."
    ]
    assert told[0].filename == __file__
    np.testing.assert_array_equal(np.isnan(after.ra.value), south)
    np.testing.assert_array_equal(after.refused["below the horizon"], south)
    np.testing.assert_array_equal(after.ra[~south], stars.ra[~south])


def test_refused_rows_are_an_error_where_asked_for():
    stars = samples.field_stars(40)
    first = np.flatnonzero(stars.dec.value < 0)[0]
    with pytest.raises(RefusedRowsError, match=f"picky refuses rows {first}, .* more: below the horizon"):
        Picky().apply(stars, refused="error")


def test_rows_of_a_column_outside_the_domain_are_refused_by_name():
    limits = np.full(40, -90.0)
    limits[:3] = [-91.0, np.nan, 95.0]
    stars = samples.field_stars(40).replace(columns={"limit": limits})
    words = r"1 of 40 rows: refused, no value in column 'limit'; 2 of .* refused, column 'limit': a latitude is needed"
    with pytest.warns(RowsWarning, match=words):
        after = Picky(limit=ak.column("limit")).apply(stars)
    assert np.flatnonzero(np.isnan(after.parallax.value)).tolist() == [0, 1, 2]


def test_notes_of_blocks_are_counted_together(monkeypatch):
    stars = samples.field_stars(40)
    with pytest.warns(RowsWarning) as whole:
        after = Picky().apply(stars)
    monkeypatch.setattr(verbs.memory, "BLOCK", 7)
    monkeypatch.setattr(verbs.memory.map_blocks, "__defaults__", (7, *verbs.memory.map_blocks.__defaults__[1:]))
    with pytest.warns(RowsWarning) as parts:
        again = Picky().apply(stars)
    assert [str(w.message) for w in parts] == [str(w.message) for w in whole]
    assert again == after


# ---- the rest --------------------------------------------------------------------------------------------


def test_what_is_not_touched_comes_back_bit_identical_through_a_table():
    table = samples.field_stars().to_table()
    table["note"] = np.arange(len(table))
    after = ak.effects.ReflexMotion().apply(table)
    assert type(after) is QTable
    assert after.colnames == table.colnames
    for name in set(table.colnames) - {"pmra", "pmdec", "radial_velocity"}:
        assert np.asarray(after[name]).tobytes() == np.asarray(table[name]).tobytes()
    assert (after["pmra"] != table["pmra"]).all()


def test_a_skycoord_comes_back_as_one():
    sky = samples.field_stars(5).to_skycoord()
    after = ak.effects.ReflexMotion().apply(sky)
    assert type(after) is SkyCoord
    direct = ak.effects.ReflexMotion().apply(samples.field_stars(5))
    np.testing.assert_allclose(after.radial_velocity, direct.radial_velocity, rtol=1e-12)


def test_the_history_says_what_was_done():
    stars = perspective.remove(perspective.apply(samples.field_stars(2)))
    assert [h.split()[0] for h in stars.history] == ["apply", "remove"]
    assert all("PerspectiveAcceleration(epoch=2050.0" in h for h in stars.history)


def test_noise_is_added_on_the_way_there_and_on_the_way_back():
    @dataclass(frozen=True)
    class Jitter(ak.Effect):
        """Blur positions, and stretch parallaxes by two."""

        name = "jitter"
        stage = ak.Stage.DETECTOR

        def forward(self, stars):
            return stars.replace(parallax=2 * stars.raw.parallax)

        def noise(self, stars):
            return np.tile(np.diag([0, 0, 4.0, 0, 0, 0]), (len(stars), 1, 1))

    stars = samples.field_stars(2).replace(covariance=np.tile(np.eye(6), (2, 1, 1)))
    assert Jitter().apply(stars).covariance[0, 2, 2] == pytest.approx(4 * 1 + 4)
    assert Jitter().remove(stars).covariance[0, 2, 2] == pytest.approx((1 + 4) / 4)


def test_change_tells_observed_minus_true():
    stars = samples.field_stars(20)
    table = perspective.change(stars)
    after = perspective.apply(stars)
    offset = SkyCoord(stars.ra, stars.dec).spherical_offsets_to(SkyCoord(after.ra, after.dec))
    near = np.hypot(*(o.to_value(u.arcsec) for o in offset)) < 60
    assert near.sum() > 5
    for name, expected in zip(("delta_ra_cosdec", "delta_dec"), offset, strict=True):
        np.testing.assert_allclose(table[name][near], expected[near], rtol=1e-6, atol=1e-3 * u.mas)
    for name in ("parallax", "pmra", "pmdec", "radial_velocity"):
        np.testing.assert_array_equal(table[f"delta_{name}"], getattr(after, name) - getattr(stars, name))


@settings(max_examples=80, deadline=None)
@given(strategies.stars())
@pytest.mark.filterwarnings("ignore::astrokin.errors.RowsWarning")
def test_nothing_that_is_known_is_silently_lost(stars):
    for effect in (ak.effects.ReflexMotion(), perspective):
        after = effect.apply(stars)
        whole = ~np.isnan(stars.raw.parallax) & ~np.isnan(stars.raw.proper_motion[0])
        for name in ("direction", "parallax", "proper_motion", "radial_velocity"):
            gap = np.isnan(np.atleast_2d(getattr(after.raw, name))[-1])
            had = np.isnan(np.atleast_2d(getattr(stars.raw, name))[-1])
            np.testing.assert_array_equal(gap[whole], had[whole])


# ---- formulas that go wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("parallax", [1e300, 5e-324])
@pytest.mark.filterwarnings("error:.*encountered:RuntimeWarning")
def test_rows_that_overflow_are_refused(parallax):
    stars = samples.field_stars(3, epoch=2016.0)
    stars = stars.replace(parallax=[parallax, 5.0, 5.0] * u.mas)
    effect = ak.effects.PerspectiveAcceleration(epoch=2050.0, reference_epoch=2016.0)
    with pytest.warns(RowsWarning, match="1 of 3 rows: refused, overflow"):
        after = effect.apply(stars)
    assert after.refused["overflow"].tolist() == [True, False, False]
    assert np.isfinite(after.direction[:, 1:]).all()


@pytest.mark.parametrize("lost", [{}, {"radial_velocity": [np.nan, 3.0, np.nan] * u.km / u.s}])
@pytest.mark.parametrize("verb", ["apply", "remove"])
@pytest.mark.filterwarnings("error:.*encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::astrokin.errors.RowsWarning")
def test_rows_that_overflow_in_a_chain_are_refused_by_the_step_that_lost_them(verb, lost):
    stars = samples.field_stars(3, epoch=2016.0 if verb == "apply" else 2050.0).replace(**lost)
    stars = stars.replace(parallax=[5.0, 1e300, 5.0] * u.mas)
    steps = [
        ak.effects.ReflexMotion(),
        ak.effects.PerspectiveAcceleration(epoch=2050.0, reference_epoch=2016.0),
        ak.effects.AnnualAberration(ak.Observer(2050.0)),
    ]
    whole = getattr(steps[0] | steps[1] | steps[2], verb)(stars, missing_rv="nan")
    single = stars
    for step in steps if verb == "apply" else steps[::-1]:
        single = getattr(step, verb)(single, missing_rv="nan")
    if verb == "apply":
        assert whole.refused["overflow"].tolist() == [False, True, False]
    assert {k: v.tolist() for k, v in whole.refused.items()} == {k: v.tolist() for k, v in single.refused.items()}
    for name in ("direction", "proper_motion", "parallax", "radial_velocity"):
        np.testing.assert_allclose(getattr(whole.raw, name), getattr(single.raw, name), rtol=1e-9, atol=1e-12)


@pytest.mark.filterwarnings("error:.*encountered:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::astrokin.errors.RowsWarning")
def test_the_way_back_with_a_covariance_survives_an_absurd_row():
    stars = samples.field_stars(3)
    stars = stars.replace(covariance=samples.covariances(stars), radial_velocity=[1.0, 1e20, 2.0] * u.km / u.s)
    after = ak.effects.ReflexMotion().remove(stars)
    assert np.isfinite(after.covariance[[0, 2]]).all()


@pytest.mark.parametrize(
    ("forward", "words"),
    [(lambda s: None, "forward returns NoneType, not Stars"), (lambda s: s[:1], "forward returns 1 rows of 3")],
)
def test_what_a_formula_returns_is_checked(forward, words):
    @dataclass(frozen=True)
    class Odd(ak.Effect):
        name = "odd"
        stage = ak.Stage.SOURCE

        def forward(self, stars):
            return forward(stars)

    with pytest.raises(InputError, match=f"odd: {words}"):
        Odd().apply(samples.field_stars(3))


def test_an_effect_that_is_no_dataclass_is_told_so():
    class Bare(ak.Effect):
        name = "bare"
        stage = ak.Stage.SOURCE

        def forward(self, stars):
            return stars

    with pytest.raises(TypeError, match="Bare is no dataclass: write @dataclass"):
        Bare().apply(samples.field_stars(3))
