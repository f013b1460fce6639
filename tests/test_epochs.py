"""`Epochs`: what goes in, what comes out, what is wrong with rows."""

import pickle

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table
from astropy.time import Time

import astrokin as ak
from astrokin.errors import InputError, MissingColumnError

MAS = u.mas


def along(n=4, **changes):
    given = {
        "obstime": 2016.0 + np.arange(n) / 4,
        "abscissa": np.arange(n) * 1.5 * MAS,
        "abscissa_error": 0.1 * MAS,
        "scan_angle": np.arange(n) * 30.0 * u.deg,
        "parallax_factor": np.linspace(-0.5, 0.5, n),
        "columns": {"source_id": np.array([3, 3, 5, 5])[:n], "name": np.array(["a", "a", "b", "b"])[:n]},
    }
    return ak.Epochs(**{**given, **changes})


def test_they_are_rows():
    assert isinstance(along(), ak.Rows)


def test_times_are_julian_years_tcb():
    time = Time([2457000.0, 2457365.25], format="jd", scale="tcb")
    epochs = along(2, obstime=time)
    assert np.allclose(epochs["obstime"], time.jyear, rtol=0, atol=1e-9)
    assert np.abs((epochs.obstime - time).to_value(u.s)).max() < 1e-3


def test_units_are_converted_and_one_value_serves_all_rows():
    epochs = along(abscissa=np.array([1, 2, 3, 4]) * u.uas, abscissa_error=5 * u.uas)
    assert np.allclose(epochs.raw["abscissa"], [0.001, 0.002, 0.003, 0.004])
    assert np.allclose(epochs["abscissa_error"].to_value(u.uas), 5)


def test_a_column_or_some_rows():
    epochs = along()
    assert epochs["name"].tolist() == ["a", "a", "b", "b"]
    assert epochs[1:3]["abscissa"].value.tolist() == [1.5, 3.0]
    assert len(epochs[epochs["source_id"] == 5]) == 2
    with pytest.raises(MissingColumnError, match="no column 'abscisa'; they have: abscissa"):
        epochs["abscisa"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"obstime": np.array([2457000.5] * 4)}, "no Julian year: give an astropy Time"),
        ({"abscissa": np.arange(4.0)}, "abscissa has no unit"),
        ({"abscissa": np.arange(4.0) * u.km}, "abscissa is in km"),
        ({"abscissa": np.arange(3.0) * MAS}, "abscissa has shape"),
        ({"abscissa": np.array([1, 2, np.inf, 4]) * MAS}, "abscissa is infinite in row 2"),
        ({"scan_angle": None}, "abscissa without scan_angle"),
        ({"absissa": np.arange(4.0) * MAS}, "no field 'absissa'; they have: abscissa"),
        ({"ra": 3 * u.deg}, "ra without dec"),
        ({"ra": 3 * u.deg, "dec": 95 * u.deg}, "dec lies outside -90 to 90 deg in rows 0, 1, 2, 3"),
        (dict.fromkeys(("delta_ra", "delta_dec", "delta_ra_error", "delta_dec_error"), 1 * MAS), "in two dimensions"),
        ({"columns": {"source_id": [1, 2]}}, "'source_id' has shape"),
    ],
)
def test_what_is_no_epoch_is_said(changes, words):
    with pytest.raises(InputError, match=words):
        along(**changes)


def test_they_are_frozen_and_their_own():
    values = np.arange(4.0)
    epochs = along(abscissa=values * MAS)
    values[0] = 99
    assert epochs.raw["abscissa"][0] == 0
    with pytest.raises(ValueError, match="read-only"):
        epochs.raw["abscissa"][0] = 1
    with pytest.raises(AttributeError, match="frozen"):
        epochs._years = 3


def test_replaced_pickled_and_compared():
    epochs = along()
    other = epochs.replace(abscissa_error=0.3 * MAS)
    assert other != epochs
    assert other.raw["abscissa_error"].tolist() == [0.3] * 4
    assert other.columns.keys() == epochs.columns.keys()
    assert pickle.loads(pickle.dumps(epochs)) == epochs
    grouped = epochs.replace(group=np.zeros(4, int), n_groups=1)
    assert grouped.n_groups == 1
    assert grouped.replace(scan_angle=5 * u.deg).n_groups == 1


def test_joined_with_what_others_lack():
    velocities = ak.Epochs(
        obstime=[2017.0],
        radial_velocity=[5.0] * u.km / u.s,
        radial_velocity_error=1 * u.km / u.s,
        columns={"source_id": [3]},
    )
    both = ak.Epochs.joined([along(), velocities])
    assert len(both) == 5
    assert np.isnan(both.raw["abscissa"][4])
    assert np.isnan(both.raw["radial_velocity"][:4]).all()
    assert list(both.extras) == ["source_id"]
    assert both.unfit() == {}


def test_rows_that_cannot_be_used_are_named_by_the_first_reason():
    epochs = along(
        obstime=np.array([np.nan, 2016, 2017, 2018]),
        abscissa=np.array([1, np.nan, 1, 1]) * MAS,
        scan_angle=np.array([np.nan, 1, np.nan, 1]) * u.deg,
        abscissa_error=np.array([1, 1, 1, 0.0]) * MAS,
    )
    found = {reason: np.flatnonzero(mask).tolist() for reason, mask in epochs.unfit().items()}
    assert found == {"no time": [0], "no position": [1], "no scan angle": [2], "abscissa error not positive": [3]}


def test_numbers_whose_squares_overflow_cannot_be_used():
    epochs = along(abscissa=np.array([1, 1e200, 1, 1]) * MAS, abscissa_error=np.array([1, 1, 1e-200, 1e200]) * MAS)
    found = {reason: np.flatnonzero(mask).tolist() for reason, mask in epochs.unfit().items()}
    assert found == {"abscissa error not positive": [2], "values too large": [1, 3]}


def test_two_dimensions_and_a_correlation_beyond_one():
    epochs = ak.Epochs(
        obstime=[2016.0, 2017.0, 2018.0],
        delta_ra=[1, 2, 3] * MAS,
        delta_dec=[1, np.nan, 3] * MAS,
        delta_ra_error=1 * MAS,
        delta_dec_error=1 * MAS,
        delta_ra_dec_corr=[1.0, 0.0, 0.5],
    )
    found = {reason: np.flatnonzero(mask).tolist() for reason, mask in epochs.unfit().items()}
    assert found == {"no position": [1], "correlation not between -1 and 1": [0]}


# ---- tables and files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [".ecsv", ".csv", ".fits", ".vot", ".parquet", ".csv.gz"])
def test_files_give_back_what_was_written(tmp_path, kind):
    if kind == ".parquet":
        pytest.importorskip("pyarrow")
    path = tmp_path / f"epochs{kind}"
    along().write(path)
    assert ak.Epochs.read(path) == along()


def test_a_table_with_names_of_its_own():
    table = Table(
        {
            "t": Time([2457000.0, 2457100.0], format="jd", scale="tcb"),
            "w": [1.0, 2.0],
            "s": [0.1, 0.1],
            "psi": [0.5, 1.0] * u.rad,
            "transit": [1, 2],
        }
    )
    names = {"obstime": "t", "abscissa": "w", "abscissa_error": "s", "scan_angle": "psi"}
    epochs = ak.Epochs.of(table, names)
    assert np.allclose(epochs.raw["scan_angle"], np.degrees([0.5, 1.0]))
    assert epochs["transit"].tolist() == [1, 2]
    assert ak.Epochs.of(QTable(table), names) == epochs
    with pytest.raises(MissingColumnError, match="no times"):
        ak.Epochs.of(table)
    with pytest.raises(MissingColumnError, match="no column 'ww'"):
        ak.Epochs.of(table, {**names, "abscissa": "ww"})
    with pytest.raises(InputError, match="names= has 'absc'"):
        ak.Epochs.of(table, {"absc": "w"})


def test_frames_of_pandas():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({k: np.asarray(getattr(v, "value", v)) for k, v in along().columns.items()})
    assert ak.Epochs.of(frame) == along()


def test_what_is_no_table():
    with pytest.raises(InputError, match="cannot be taken as epochs"):
        ak.Epochs.of([1, 2, 3])
