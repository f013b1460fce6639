"""Which rows a fit uses: every reason to leave one out, counted once; labels and bins; what cannot be asked."""

from dataclasses import dataclass
from typing import Any

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin.covariance import Covariance
from astrokin.errors import InputError, MissingColumnError
from astrokin.selection import Selection

KS = u.km / u.s


@dataclass(frozen=True)
class Rows(ak.Estimator):
    """The mean parallax: enough to see which rows came through."""

    name = "rows"

    needs: Any = ak.option(frozenset({"parallax"}), doc="what every row must have")

    def collect(self, rows, params):
        return ak.Moments.of(rows.raw.parallax, rows)

    def solve(self, summary, params):
        return ak.Fit({"parallax": summary.mean[:, 0] * u.mas, "count": summary.count * u.one}, None)


def stars(parallax=(1.0, 2.0, 4.0), errors=None, **more):
    n = len(parallax)
    known = None if errors is None else Covariance(errors={"parallax": np.broadcast_to(np.asarray(errors, float), n)})
    columns = {k: more.pop(k) for k in list(more) if k not in ("ra", "pmra", "pmdec", "radial_velocity")}
    place = {"ra": np.arange(n) * u.deg, "dec": np.zeros(n) * u.deg}
    return ak.Stars(parallax=np.asarray(parallax) * u.mas, covariance=known, columns=columns, **{**place, **more})


# ---- reasons ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sample", "options", "used", "left_out"),
    [
        (stars(ra=[0, np.nan, 1] * u.deg), {}, 2, {"no position": 1}),
        (stars([1, np.nan, np.nan]), {}, 1, {"no parallax": 2}),
        (
            stars(pmra=[1, np.nan, 1] * u.mas / u.yr, pmdec=[1, np.nan, 2] * u.mas / u.yr),
            {"needs": frozenset({"proper_motion"})},
            2,
            {"no proper motion": 1},
        ),
        (
            stars(radial_velocity=[np.nan, 1, np.nan] * KS),
            {"needs": frozenset({"radial_velocity"})},
            1,
            {"no radial velocity": 2},
        ),
        (stars(errors=1.0), {"min_parallax_over_error": 2.0}, 2, {"parallax_over_error below 2": 1}),
        (stars(errors=[1, np.nan, 1]), {"min_parallax_over_error": 0.5}, 2, {"parallax_over_error below 0.5": 1}),
        (stars(), {"max_distance": 0.5 * u.kpc}, 2, {"beyond 0.5 kpc": 1}),
        (stars(), {"min_distance": 500 * u.pc}, 2, {"nearer than 0.5 kpc": 1}),
        (stars([1, 0, -1], errors=1.0), {"max_distance": 5 * u.kpc}, 1, {"beyond 5 kpc": 2}),
        (stars([10, 0, -1], errors=1.0), {"min_distance": 0.2 * u.kpc}, 2, {"nearer than 0.2 kpc": 1}),
        (stars([1, 0, -1], errors=1.0), {}, 3, {}),
        (stars([1, 0, -1]), {"needs": frozenset()}, 3, {}),
        (stars(BV=[0.1, 0.5, 9.0]), {"by": ("BV", [0.0, 1.0])}, 2, {"outside the bins of BV": 1}),
        (stars(BV=[0.1, np.nan, 1.0]), {"by": ("BV", [0.0, 1.0])}, 2, {"outside the bins of BV": 1}),
        (stars(BV=np.ma.array([1, 1, 5], mask=[0, 1, 0])), {"by": "BV"}, 2, {"no BV": 1}),
    ],
)
def test_rows_left_out_are_counted_by_reason(sample, options, used, left_out):
    fit = Rows(**options).fit(sample)
    assert (fit.used, fit.left_out) == (used, left_out)


def test_parallaxes_that_are_not_positive_need_an_error_to_be_weighted():
    fit = Rows().fit(stars([1.0, 0.0, -1.0]))
    assert fit.used == 1
    assert list(fit.left_out.values()) == [2]
    assert "parallax not positive" in next(iter(fit.left_out))


def test_a_single_row_without_its_parallax_error_is_no_better():
    fit = Rows().fit(stars([1.0, 0.0, -1.0, 2.0], errors=[0.1, np.nan, 0.1, np.nan]))
    assert fit.used == 3
    assert list(fit.left_out.values()) == [1]


def test_a_row_is_counted_once_under_its_first_reason():
    sample = stars(
        [np.nan, 1.0, 0.1, 4.0, 5.0], errors=0.3, ra=[np.nan, 0, 1, 2, 3] * u.deg, age=[1, 1, 1, 9, 2.0] * u.Gyr
    )
    fit = Rows(min_parallax_over_error=5.0, max_distance=0.5 * u.kpc, by=("age", [0, 3] * u.Gyr)).fit(sample)
    # Row 0 lacks everything, row 1 and 2 are both imprecise and far.
    assert fit.left_out == {"no position": 1, "parallax_over_error below 5": 2, "outside the bins of age": 1}
    assert fit.used == 1


def test_no_row_left_is_an_error_that_says_why():
    with pytest.raises(InputError, match=r"rows: no rows are left to fit: 1 no parallax, 2 beyond 0\.1 kpc"):
        Rows(max_distance=0.1 * u.kpc).fit(stars([np.nan, 1.0, 2.0]))
    with pytest.raises(InputError, match="no rows are left to fit: the data have no rows"):
        Rows().fit(stars()[:0])


# ---- zero point ------------------------------------------------------------------------------------------


def test_the_zero_point_is_taken_off_first():
    fit = Rows(parallax_zero_point=-40 * u.uas, max_distance=1 / 1.03 * u.kpc).fit(stars())
    assert fit["parallax"].value == pytest.approx(np.mean([1.04, 2.04, 4.04]))


def test_the_zero_point_can_be_a_column():
    estimator = Rows(parallax_zero_point=ak.column("zpt"))
    fit = estimator.fit(stars(zpt=[100, 200, 300] * u.uas))
    assert fit["parallax"].value == pytest.approx(np.mean([0.9, 1.8, 3.7]))
    assert estimator.fit(stars(zpt=np.array([0.1, 0.2, 0.3]) * u.mas))["parallax"] == fit["parallax"]
    with pytest.raises(InputError, match="zpt"):
        estimator.fit(stars(zpt=[1, 2, 3] * u.s))
    with pytest.raises(MissingColumnError, match="zpt"):
        estimator.fit(stars())


def test_a_row_without_zero_point_has_no_parallax():
    fit = Rows(parallax_zero_point=ak.column("zpt")).fit(stars(zpt=[0.1, np.nan, 0.1] * u.mas))
    assert fit.left_out == {"no parallax": 1}


# ---- groups ----------------------------------------------------------------------------------------------

MANY = np.arange(1.0, 7.0)


@pytest.mark.parametrize(
    ("labels", "groups"),
    [
        (np.array(["b", "a", "b", "c", "a", "b"]), ["a", "b", "c"]),
        (np.array(["thin disc", "x", "thin disc", "y", "x", "thin disc"], dtype=object), ["thin disc", "x", "y"]),
        (np.array([2, 1, 2, 3, 1, 2]), [1, 2, 3]),
        (np.array([2, 1, 2, 3, 1, 2], dtype=np.int8), [1, 2, 3]),
        (np.array([2.5, 1.5, 2.5, 3.5, 1.5, 2.5]), [1.5, 2.5, 3.5]),
        (np.array([True, False, True, True, False, True]), [False, True]),
        (np.array([2, 1, 2, 3, 1, 2]) * u.Gyr, [1, 2, 3]),
    ],
)
def test_labels_of_any_kind(labels, groups):
    fit = Rows(by="kind").fit(stars(MANY, kind=labels))
    assert fit.groups == groups
    plain = np.asarray(labels)
    expected = [MANY[plain == g].mean() for g in groups]
    np.testing.assert_allclose(fit["parallax"].value, expected)
    np.testing.assert_array_equal(fit["count"], [np.sum(plain == g) for g in groups])


def test_missing_labels_are_no_group():
    for labels in (
        np.ma.array(["a", "b", "a", "a", "b", "b"], mask=[0, 0, 1, 0, 0, 0]),
        np.ma.array([1, 2, 1, 1, 2, 2], mask=[0, 0, 1, 0, 0, 0]),
        np.array([1, 2, np.nan, 1, 2, 2]),
    ):
        fit = Rows(by="kind").fit(stars(MANY, kind=labels))
        assert len(fit.groups) == 2
        assert fit.left_out == {"no kind": 1}
        np.testing.assert_allclose(fit["parallax"].value, [2.5, 13 / 3])


def test_bins_take_their_lower_edge_and_the_last_one_both():
    fit = Rows(by=("BV", [0.0, 1.0, 2.0])).fit(stars(MANY, BV=[0.0, 0.5, 1.0, 1.5, 2.0, -0.1]))
    assert fit.groups == [(0.0, 1.0), (1.0, 2.0)]
    np.testing.assert_allclose(fit["parallax"].value, [1.5, 4.0])
    assert fit.left_out == {"outside the bins of BV": 1}


@pytest.mark.parametrize("edges", [[0, 3, 6] * u.Gyr, [0, 3000, 6000] * u.Myr])
def test_bins_with_units(edges):
    fit = Rows(by=("age", edges)).fit(stars(MANY, age=[1, 2, 3, 4, 5, 6] * u.Gyr))
    np.testing.assert_allclose(fit["parallax"].value, [1.5, 4.5])
    assert fit.groups[1] == (edges[1], edges[2])


def test_a_bin_without_rows_has_no_value():
    fit = Rows(by=("BV", [0.0, 1.0, 2.0, 3.0])).fit(stars(BV=[0.5, 0.6, 2.5]))
    np.testing.assert_array_equal(fit["count"], [2, 0, 1])


def test_groups_do_not_depend_on_the_blocks():
    rng = np.random.default_rng(1)
    n = 70_000
    sample = stars(rng.uniform(1, 2, n), kind=np.sort(rng.choice(["a", "b", "late comer"], n)))
    fit = Rows(by="kind").fit(sample)
    assert fit.groups == ["a", "b", "late comer"]
    expected = [sample.raw.parallax[sample["kind"] == g].mean() for g in fit.groups]
    np.testing.assert_allclose(fit["parallax"].value, expected, rtol=1e-12)


# ---- what cannot be asked --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_parallax_over_error": -1.0}, "min_parallax_over_error.*a positive number"),
        ({"max_distance": 2.0}, "max_distance"),
        ({"max_distance": 2.0 * u.s}, "max_distance"),
        ({"max_distance": -2.0 * u.kpc}, "max_distance.*a positive distance"),
        ({"min_distance": 0.0 * u.kpc}, "min_distance.*a positive distance"),
        ({"parallax_zero_point": 3.0}, "parallax_zero_point"),
        ({"clip": 0.0}, "clip.*a positive number"),
        ({"bootstrap": -1}, "bootstrap.*0 or more"),
    ],
)
def test_options_out_of_their_domain(options, message):
    with pytest.raises(InputError, match=message):
        Rows(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_parallax_over_error": 5.0}, "needs parallax errors: the stars have no covariance"),
        ({"by": 3}, "by is 3; it can be a column's name, or"),
        ({"by": ("BV", [1.0])}, "at least two, strictly increasing"),
        ({"by": ("BV", [1.0, 1.0])}, "at least two, strictly increasing"),
        ({"by": ("BV", [0, 1] * u.mag)}, "the edges have the unit mag, but column 'BV' has none"),
        ({"by": ("age", [0, 1] * u.kpc)}, "the edges are in kpc, column 'age' is in Gyr"),
        ({"by": "nothing"}, "holds no value to group by"),
        ({"by": "number"}, "more than 10000 different values.*give its bins"),
        ({"by": "name", "clip": 1.0}, "no column 'name'"),
    ],
)
def test_groups_and_cuts_that_the_data_do_not_allow(options, message):
    n = 10_001
    sample = stars(
        np.ones(n), BV=np.ones(n), age=np.ones(n) * u.Gyr, nothing=np.full(n, np.nan), number=np.arange(n) / 7
    )
    error = MissingColumnError if "no column" in message else InputError
    with pytest.raises(error, match=message):
        Rows(**options).fit(sample)


@pytest.mark.parametrize(("name", "reason"), [("dec", "no position"), ("pmdec", "no proper motion")])
def test_half_a_position_or_motion_is_none(name, reason):
    values = {"ra": [1.0, 2.0] * u.deg, "dec": [3.0, 4.0] * u.deg, "pmra": [5.0, 6.0] * u.mas / u.yr,
              "pmdec": [7.0, 8.0] * u.mas / u.yr}  # fmt: skip
    values[name] = [np.nan, 8.0] * values[name].unit
    kept, left_out = Selection(needs=frozenset({"proper_motion"}))(ak.Stars(**values))
    assert len(kept) == 1
    assert dict(left_out) == {reason: 1}
