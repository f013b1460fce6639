"""The driver of estimators that solve each source on its own: whose rows they are, in any order and any blocks."""

from dataclasses import dataclass

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin import engines
from astrokin.errors import InputError, MissingColumnError


@dataclass(frozen=True)
class Mean(ak.SourceEstimator):
    """Mean radial velocity of each source."""

    name = "mean-of-each"

    def solve_sources(self, rows):
        count = np.bincount(rows.group, minlength=rows.n_groups)
        total = np.bincount(rows.group, rows.raw["radial_velocity"], rows.n_groups)
        mean = np.divide(total, count, out=np.full(rows.n_groups, np.nan), where=count > 0)
        outcome = np.where(count > 0, "solved", "no epochs")
        variance = np.divide(1.0, count, out=np.full(rows.n_groups, np.nan), where=count > 0)
        return ak.Fit(
            {"mean": mean * u.km / u.s}, variance[:, None, None], columns={"outcome": outcome, "count": count}
        )


def epochs(ids, velocity=None, **columns):
    n = len(ids)
    velocity = np.arange(n, dtype=float) if velocity is None else velocity
    return ak.Epochs(
        obstime=2016.0 + np.arange(n) / 100,
        radial_velocity=np.asarray(velocity, float) * u.km / u.s,
        radial_velocity_error=1 * u.km / u.s,
        columns={"source_id": ids, **columns},
    )


def test_rows_of_each_source_in_any_order():
    fit = Mean().fit(epochs(np.array([9, 2, 9, 5, 2])))
    assert fit.groups == [2, 5, 9]
    assert fit["mean"].value.tolist() == [2.5, 3.0, 1.0]
    assert fit.columns["count"].tolist() == [2, 1, 2]
    assert fit.used == 5


def test_text_labels_and_a_column_of_ones_own():
    rows = epochs(np.arange(4), star=np.array(["b", "a", "b", "a"]))
    fit = Mean(by="star").fit(rows)
    assert fit.groups == ["a", "b"]
    assert fit.table()["star"].tolist() == ["a", "b"]
    with pytest.raises(MissingColumnError, match="no column 'stars'"):
        Mean(by="stars").fit(rows)


def test_one_source_without_a_name_gives_scalars():
    rows = epochs(np.arange(4))
    rows = rows.replace(columns={})
    fit = Mean().fit(rows)
    assert fit["mean"] == 1.5 * u.km / u.s
    assert fit.groups is None
    assert "outcome" in str(fit)
    assert len(fit.table()) == 1
    assert fit.error["mean"] == 0.5 * u.km / u.s


def test_rows_of_nobody_are_counted():
    fit = Mean().fit(epochs(np.ma.MaskedArray([4, 4, 7, 7], [False, True, False, False])))
    assert fit.groups == [4, 7]
    assert fit.left_out == {"no source_id": 1}
    assert fit["mean"].value.tolist() == [0.0, 2.5]
    with pytest.raises(InputError, match="2 no source_id"):
        Mean().fit(epochs(np.array([np.nan, np.nan])))


def test_a_source_without_rows_is_named_and_the_others_are_solved():
    rows = epochs(np.array([1, 1, 2]))
    rows = rows.replace(radial_velocity_error=np.array([-1.0, 0.0, 1.0]) * u.km / u.s)
    fit = Mean().fit(rows)
    assert fit.groups == [1, 2]
    assert np.isnan(fit["mean"][0])
    assert fit.columns["outcome"].tolist() == ["no epochs", "solved"]
    assert fit.left_out == {"radial velocity error not positive": 2}
    assert fit.undetermined == {"mean": "no epochs"}
    assert "1 of 2 sources: no epochs" in str(fit)


def test_more_rows_than_a_block_holds():
    ids = np.repeat(np.arange(7000), 5)
    velocity = np.arange(len(ids)) % 5 + ids
    fit = Mean().fit(epochs(ids, velocity))
    assert len(fit.groups) == 7000 > 2 * engines.BLOCK / 5
    assert np.allclose(fit["mean"].value, np.arange(7000) + 2.0)


def test_one_source_larger_than_a_block():
    n = 2 * engines.BLOCK + 7
    fit = Mean().fit(epochs(np.repeat([1, 2, 3], [3, n, 2]), np.ones(n + 5)))
    assert fit.columns["count"].tolist() == [3, n, 2]


@pytest.mark.parametrize("mixed", [False, True])
def test_parquet_in_order_or_not(tmp_path, mixed):
    pytest.importorskip("pyarrow")
    n = 50_000
    ids = np.repeat(np.arange(n // 10), 10)
    rows = epochs(ids, ids % 17)
    rows = rows[np.random.default_rng(1).permutation(n)] if mixed else rows
    path = tmp_path / "epochs.parquet"
    rows.write(path)
    fit = Mean().fit(path)
    assert fit.groups == list(range(n // 10))
    assert np.array_equal(fit["mean"].value, np.arange(n // 10) % 17)


def test_a_fit_goes_through_a_file_with_its_columns(tmp_path):
    fit = Mean().fit(epochs(np.array([9, 2, 9, 5, 2])))
    fit.write(tmp_path / "fit.ecsv")
    back = ak.Fit.read(tmp_path / "fit.ecsv")
    assert back == fit
    assert back.columns["outcome"].tolist() == ["solved"] * 3
    assert back.columns["count"].dtype.kind == "i"


def test_a_fit_of_many_sources_goes_through_a_file(tmp_path):
    ids = np.repeat(np.arange(3000), 2)
    fit = Mean().fit(epochs(ids, np.random.default_rng(1).normal(size=6000)))
    fit.write(tmp_path / "fit.ecsv")
    back = ak.Fit.read(tmp_path / "fit.ecsv")
    assert back == fit
    assert back.groups == fit.groups
    assert np.array_equal(back.covariance, fit.covariance)
    assert np.array_equal(back.columns["count"], fit.columns["count"])


def test_nothing_to_fit():
    with pytest.raises(InputError, match="no rows are left to fit: the data have no rows"):
        Mean().fit(epochs(np.array([], dtype=int)))
