"""Which rows a fit uses: every reason to leave one out, counted once; labels and bins; what cannot be asked."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin.covariance import Covariance
from astrokin.errors import InputError, MissingColumnError
from astrokin.selection import Selection
from astrokin.testing import samples

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
        (stars(BV=[0.1, np.nan, 1.0]), {"by": ("BV", [0.0, 1.0])}, 2, {"no BV": 1}),
        (stars(BV=[0.1, np.nan, 1.1]), {"by": ("BV", [0.0, 1.0])}, 1, {"no BV": 1, "outside the bins of BV": 1}),
        (stars(BV=np.ma.array([0, 9, 1], mask=[0, 1, 0])), {"by": ("BV", [0.0, 1.0])}, 2, {"no BV": 1}),
        (
            stars(BV=np.array([0.5, None, 7], object)),
            {"by": ("BV", [0.0, 1])},
            1,
            {"no BV": 1, "outside the bins of BV": 1},
        ),
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
        np.array(["a", "b", None, "a", "b", "b"], dtype=object),
        np.array(["a", "b", np.nan, "a", "b", "b"], dtype=object),
        np.array(["a", "b", "", "a", "b", "b"]),
        np.array([True, False, None, True, False, False], dtype=object),
        np.array([1, 2, None, 1, 2, 2], dtype=object),
    ):
        fit = Rows(by="kind").fit(stars(MANY, kind=labels))
        assert len(fit.groups) == 2
        assert fit.left_out == {"no kind": 1}
        expected = [13 / 3, 2.5] if fit.groups == [False, True] else [2.5, 13 / 3]
        np.testing.assert_allclose(fit["parallax"].value, expected)


@pytest.mark.parametrize("kind", ["parquet", "csv", "vot", "fits", "ecsv", "pandas", "pandas string", "pyarrow"])
def test_labels_with_gaps_from_anywhere(kind, tmp_path):
    pa, pd = pytest.importorskip("pyarrow"), pytest.importorskip("pandas")
    columns = {"ra": MANY, "dec": MANY, "parallax": MANY, "parallax_error": MANY}
    texts = ["a", None, "a", "b", None, "b"]
    if kind == "pyarrow":
        data = pa.table({**columns, "disc": texts})
    elif kind.startswith("pandas"):
        values = (
            pd.array(texts, dtype="string")
            if "string" in kind
            else np.array(["a", None, "a", "b", np.nan, "b"], object)
        )
        data = pd.DataFrame({**columns, "disc": values})
    else:
        data = tmp_path / f"x.{kind}"
        ak.Stars.of({**columns, "disc": texts}).write(data)
    fit = Rows(by="disc").fit(data)
    assert fit.groups == ["a", "b"]
    assert fit.left_out == {"no disc": 2}
    np.testing.assert_allclose(fit["parallax"].value, [2.0, 5.0])


def test_bins_take_their_lower_edge_and_the_last_one_both():
    fit = Rows(by=("BV", [0.0, 1.0, 2.0])).fit(stars(MANY, BV=[0.0, 0.5, 1.0, 1.5, 2.0, -0.1]))
    assert fit.groups == [(0.0, 1.0), (1.0, 2.0)]
    np.testing.assert_allclose(fit["parallax"].value, [1.5, 4.0])
    assert fit.left_out == {"outside the bins of BV": 1}


VIEWS = {
    "parallax": ([0, 3.5, 7] * u.mas, [0, 3500, 7000] * u.uas),
    "distance": ([0.1, 0.3, 2] * u.kpc, [100, 300, 2000] * u.pc),
    "ra": ([0, 2.5, 6] * u.deg, ([0, 2.5, 6] * u.deg).to(u.arcmin)),
    "dec": ([0, 3.5, 7] * u.deg, ([0, 3.5, 7] * u.deg).to(u.arcmin)),
    "l": ([90, 120, 130] * u.deg, [5400, 7200, 7800] * u.arcmin),
    "b": ([-70, -60, 0] * u.deg, [-4200, -3600, 0] * u.arcmin),
    "pmra": ([0, 3.5, 7] * u.mas / u.yr, [0, 3.5e-3, 7e-3] * u.arcsec / u.yr),
    "pmdec": ([-7, -3.5, 0] * u.mas / u.yr, [-7e-3, -3.5e-3, 0] * u.arcsec / u.yr),
    "radial_velocity": ([0, 35, 70] * KS, [0, 35e3, 70e3] * u.m / u.s),
}


def six():
    values = {"pmra": MANY * u.mas / u.yr, "pmdec": -MANY * u.mas / u.yr, "radial_velocity": 10 * MANY * KS}
    return ak.Stars(ra=np.arange(6) * u.deg, dec=MANY * u.deg, parallax=MANY * u.mas, **values)


@dataclass(frozen=True)
class ReadsLittle(Rows):
    """As `Rows`, and says what it reads."""

    name = "reads-little"
    reads = frozenset({"parallax"})


@pytest.mark.parametrize("parquet", [False, True])
@pytest.mark.parametrize("name", VIEWS)
def test_bins_of_the_stars_own_views(name, parquet, tmp_path):
    data = six()
    if parquet:
        pytest.importorskip("pyarrow")
        data = tmp_path / "six.parquet"
        six().write(data)
    value = getattr(six(), name)
    for edges in (*VIEWS[name], VIEWS[name][0].value):
        fit = ReadsLittle(by=(name, edges)).fit(data)
        plain = u.Quantity(edges, getattr(edges, "unit", value.unit)).to_value(value.unit)
        inside = [(value.value >= a) & (value.value < b) for a, b in pairwise(plain)]
        np.testing.assert_array_equal(fit["count"], [np.sum(rows) for rows in inside])
        assert fit.used == sum(map(np.sum, inside))


def test_a_column_goes_before_the_view_of_its_name(tmp_path):
    pytest.importorskip("pyarrow")
    sample = six().replace(columns={"distance": MANY, "l": MANY})
    table = tmp_path / "x.parquet"
    sample.write(table)
    for data in (sample, table):
        for name in ("distance", "l"):
            np.testing.assert_array_equal(Rows(by=(name, [1.0, 3.0, 6.0])).fit(data)["count"], [2, 4])
            assert Rows(by=name).fit(data).groups == list(MANY)


def test_a_view_lacks_values_or_lies_outside():
    sample = six().replace(parallax=np.array([1.0, 2, 4, 5, -1, np.nan]), covariance=np.tile(np.eye(6), (6, 1, 1)))
    fit = Rows(by=("distance", [0.1, 0.5] * u.kpc)).fit(sample)
    assert (fit.used, fit.left_out) == (3, {"no parallax": 1, "no distance": 1, "outside the bins of distance": 1})


def test_bins_of_longitude_may_cross_zero():
    sample = stars(MANY, ra=[350.0, 355, 0, 5, 10, 180] * u.deg)
    np.testing.assert_array_equal(Rows(by=("ra", [-10, 0, 10] * u.deg)).fit(sample)["count"], [2, 3])
    np.testing.assert_array_equal(Rows(by=("ra", [350, 360, 370] * u.deg)).fit(sample)["count"], [2, 3])


def test_bins_of_the_parallax_are_of_the_corrected_one():
    fit = Rows(by=("parallax", [0.5, 1.5, 2.5] * u.mas), parallax_zero_point=1 * u.mas).fit(stars([2.0, 3.0, 3.1]))
    np.testing.assert_array_equal(fit["count"], [1, 2])


@pytest.mark.parametrize("parquet", [False, True])
def test_an_unknown_name_lists_columns_and_views(parquet, tmp_path):
    data = six().replace(columns={"zz": MANY, "disk": MANY})
    if parquet:
        pytest.importorskip("pyarrow")
        data.write(tmp_path / "six.parquet")
        data = tmp_path / "six.parquet"
    views = "ra, dec, l, b, parallax, distance, pmra, pmdec, radial_velocity"
    with pytest.raises(MissingColumnError, match=f"no column 'disc'; they have: disk, zz. Bins can also be of {views}"):
        Rows(by="disc").fit(data)
    with pytest.raises(InputError, match=r"by='pmra' needs bins.*by=\('pmra', edges\)"):
        Rows(by="pmra").fit(data)


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
        ({"bootstrap": -1}, "bootstrap.*0, or at least 2"),
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
        ({"by": ("parallax", [0, 1] * u.kpc)}, "the edges are in kpc, column 'parallax' is in mas"),
        ({"by": ("text", [0, 1])}, "bins need numbers, which column 'text' does not hold"),
        ({"by": "mixed"}, "the labels are of several kinds, int, str"),
        ({"by": "nothing"}, "holds no value to group by"),
        ({"by": "number"}, "more than 10000 different values.*give its bins"),
        ({"by": "name", "clip": 1.0}, "no column 'name'"),
    ],
)
def test_groups_and_cuts_that_the_data_do_not_allow(options, message):
    n = 10_001
    sample = stars(
        np.ones(n),
        BV=np.ones(n),
        age=np.ones(n) * u.Gyr,
        nothing=np.full(n, np.nan),
        number=np.arange(n) / 7,
        text=np.full(n, "7"),
        mixed=np.array([1, "a"] * (n // 2) + [None], dtype=object),
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


@pytest.mark.filterwarnings("error:.*encountered:RuntimeWarning")
def test_an_error_of_zero_passes_every_cut_without_a_warning():
    stars = samples.field_stars(5)
    stars = stars.replace(covariance=ak.Covariance(errors={"parallax": np.zeros(5)}), parallax=np.ones(5))
    assert len(Selection(min_parallax_over_error=5.0)(stars)[0]) == np.isfinite(stars.direction[0]).sum()
