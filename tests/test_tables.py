"""The doors for tables: every kind in and the same kind out, what is untouched bit-identical."""

import pickle

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import SkyCoord
from astropy.table import Column, MaskedColumn, QTable, Table
from astropy.time import Time
from hypothesis import given, settings
from hypothesis import strategies as st

import astrokin as ak
from astrokin.covariance import Covariance
from astrokin.errors import InputError, MissingColumnError
from astrokin.stars import Stars
from astrokin.tables import door, stars_of, table_of

pd = pytest.importorskip("pandas")
pa = pytest.importorskip("pyarrow")

MY, KS = u.mas / u.yr, u.km / u.s
BIG = 2**60 + 1  # a float would lose its last digits
VALUES = {
    "source_id": np.array([BIG, BIG + 2, BIG + 4]),
    "ra": np.array([0.0, 359.99999, 180.1]),
    "dec": np.array([90.0, -10.5, 0.0]),
    "ra_error": np.array([0.1, 0.2, 0.3]),
    "dec_error": np.array([0.2, 0.2, 0.2]),
    "parallax": np.array([5.0, -1.0, np.nan]),
    "parallax_error": np.array([0.1, 0.4, np.nan]),
    "pmra": np.array([1.0, -20.0, 3.0]),
    "pmdec": np.array([4.0, 5.0, -6.0]),
    "radial_velocity": np.array([np.nan, 10.0, 20.0], dtype=np.float32),
    "ra_parallax_corr": np.array([0.5, -0.5, np.nan]),
    "ref_epoch": np.array([2016.0, 2016.0, 2016.0]),
    "name": np.array(["a", "bb", ""]),
    "phot": np.array([1.5, 2.5, 3.5]),
}
UNITS = {"ra": u.deg, "dec": u.deg, "ra_error": u.mas, "dec_error": u.mas, "parallax": u.mas, "parallax_error": u.mas,
         "pmra": MY, "pmdec": MY, "radial_velocity": KS, "phot": u.mag}  # fmt: skip
FLOATS = [k for k, v in VALUES.items() if v.dtype.kind == "f"]


def with_units(table):
    for name, unit in UNITS.items():
        table[name].unit = unit
    return table


def arrow(values=VALUES):
    fields = [
        pa.field(k, pa.array(v).type, metadata={"unit": str(UNITS[k])} if k in UNITS else None)
        for k, v in values.items()
    ]
    return pa.table([pa.array(v) for v in values.values()], schema=pa.schema(fields, metadata={"from": "me"}))


def masked_table():
    table = with_units(Table(VALUES, masked=True))
    for name in FLOATS:
        table[name].mask = np.isnan(VALUES[name])
    return table


def structured(values=VALUES):
    return np.rec.fromarrays(list(values.values()), names=list(values)).view(np.ndarray)


KINDS = {
    "Table": lambda: with_units(Table(VALUES, meta={"from": "me"})),
    "bare Table": lambda: Table(VALUES),
    "QTable": lambda: QTable(with_units(Table(VALUES))),
    "masked Table": masked_table,
    "masked QTable": lambda: QTable(masked_table()),
    "DataFrame": lambda: pd.DataFrame(VALUES, index=[7, 3, 5]),
    "nullable DataFrame": lambda: pd.DataFrame(VALUES).astype(dict.fromkeys(FLOATS[:-2], "Float64")),
    "arrow DataFrame": lambda: pa.table(VALUES).to_pandas(types_mapper=pd.ArrowDtype),
    "arrow": arrow,
    "batch": lambda: arrow().to_batches()[0],
    "chunked arrow": lambda: pa.concat_tables([arrow().slice(0, 1), arrow().slice(1)]),
    "mapping": lambda: dict(VALUES),
    "mapping of quantities": lambda: {k: v * UNITS[k] if k in UNITS else v for k, v in VALUES.items()},
    "structured array": structured,
}
every_kind = pytest.mark.parametrize("kind", KINDS)


def names_of(table):
    if hasattr(table, "column_names"):
        return list(table.column_names)
    if isinstance(table, pa.RecordBatch):
        return list(table.schema.names)
    return list(getattr(table, "colnames", None) or getattr(getattr(table, "dtype", None), "names", None) or table)


def numbers(table, name):
    column = table.column(name) if hasattr(table, "schema") else table[name]
    column = getattr(column, "value", column)
    if hasattr(column, "to_pylist"):
        return np.array([np.nan if v is None else v for v in column.to_pylist()], dtype=float)
    if hasattr(column, "unmasked"):
        column = np.ma.MaskedArray(column.unmasked, column.mask)
    if isinstance(column, pd.Series):
        return column.to_numpy(dtype=float, na_value=np.nan)
    return np.ma.filled(np.ma.asarray(column).astype(float), np.nan)


def untouched(old, new, names):
    for name in names:
        if hasattr(old, "schema"):
            assert new.schema.field(name).equals(old.schema.field(name), check_metadata=True)
            assert new.column(name).equals(old.column(name)) or np.isnan(numbers(old, name)).any()
        else:
            assert new[name].dtype == old[name].dtype
            assert str(getattr(new[name], "unit", None)) == str(getattr(old[name], "unit", None))
        if VALUES[name].dtype.kind == "f":
            np.testing.assert_array_equal(numbers(new, name), numbers(old, name))


# ---- in --------------------------------------------------------------------------------------------------


@every_kind
def test_every_kind_says_the_same(kind):
    stars = stars_of(KINDS[kind]())
    for name in ("ra", "dec", "pmra", "pmdec"):
        np.testing.assert_array_equal(stars.raw.angle(name), VALUES[name])
    np.testing.assert_array_equal(stars.raw.parallax, VALUES["parallax"])
    np.testing.assert_array_equal(stars.raw.radial_velocity, VALUES["radial_velocity"])
    assert stars.epoch == 2016.0
    assert stars["source_id"].dtype == np.int64
    assert stars["source_id"].tolist() == VALUES["source_id"].tolist()
    assert stars["name"].tolist() == ["a", "bb", None]
    assert stars.raw.covariance.knows("dec")
    assert not stars.raw.covariance.knows("pmra")
    np.testing.assert_allclose(stars.raw.covariance.element("ra", "parallax"), [0.005, -0.04, np.nan])
    np.testing.assert_array_equal(np.asarray(stars["phot"]), VALUES["phot"])


def test_extra_columns_keep_unit_and_type():
    table = Table({"ra": [1.0], "dec": [2.0], "n": Column([3], unit="ct"), "f": Column(np.float32([1]), unit="mag")})
    stars = stars_of(table)
    assert stars["n"].unit == u.ct
    assert stars["n"].dtype == np.int64
    assert stars["f"].dtype == np.float32
    assert stars["f"].unit == u.mag


def test_units_of_the_table_are_respected():
    table = Table({"ra": [1.0] * u.rad, "dec": [0.1] * u.rad, "pmra": [1.0] * u.arcsec / u.yr, "pmdec": [0] * MY})
    stars = stars_of(table)
    assert stars.ra[0].value == np.degrees(1.0)
    assert stars.raw.angle("pmra")[0] == pytest.approx(1000.0, rel=1e-15)


def test_big_integers_with_gaps_keep_their_digits():
    gaps = [True, False, False]
    kinds = [
        Table({"ra": [1.0, 2, 3], "dec": [1.0, 2, 3], "id": MaskedColumn(VALUES["source_id"], mask=gaps)}),
        pa.table({"ra": [1.0, 2, 3], "dec": [1.0, 2, 3], "id": pa.array([None, BIG + 2, BIG + 4])}),
        pd.DataFrame({"ra": [1.0, 2, 3], "dec": [1.0, 2, 3], "id": pd.array([None, BIG + 2, BIG + 4], dtype="Int64")}),
    ]
    for table in kinds:
        ids = stars_of(table)["id"]
        assert ids.dtype == np.int64
        assert ids.mask.tolist() == gaps
        assert ids[1:].tolist() == [BIG + 2, BIG + 4]


def test_numbers_of_any_type_serve():
    frame = pd.DataFrame({"ra": [1, 2], "dec": np.float32([0.5, 1.5]), "parallax": pd.array([None, 5], dtype="Int64")})
    stars = stars_of(frame)
    assert stars.raw.angle("ra").tolist() == [1.0, 2.0]
    np.testing.assert_array_equal(stars.raw.parallax, [np.nan, 5.0])
    table = pa.table({"ra": pa.array([1, None], pa.int32()), "dec": pa.nulls(2)})
    assert np.isnan(stars_of(table).raw.angle("dec")).all()


def test_arrow_columns_without_gaps_are_not_copied():
    table = arrow()
    stars = stars_of(table)
    assert np.shares_memory(stars.raw.parallax, table.column("parallax").chunk(0).to_numpy(zero_copy_only=True))


def test_big_endian_columns_become_native():
    table = Table({"ra": np.array([1.0], ">f8"), "dec": np.array([2.0], ">f4"), "x": np.array([3], ">i4")})
    stars = stars_of(table)
    assert stars["x"].dtype.isnative
    assert stars.raw.angle("dec")[0] == 2.0


def test_positions_in_galactic_angles():
    given_place = SkyCoord([10.0, 359.0] * u.deg, [-89.9, 45.0] * u.deg, frame="galactic")
    stars = stars_of(Table({"l": given_place.l, "b": given_place.b, "pmra": [1.0, 2.0] * MY, "pmdec": [3.0, 4.0] * MY}))
    assert SkyCoord(stars.ra, stars.dec).separation(given_place).max() < 1e-9 * u.arcsec
    assert stars.raw.angle("pmra").tolist() == [1.0, 2.0]


def test_distances():
    table = Table(
        {
            "ra": [1.0, 2.0, 3.0],
            "dec": [0.0] * 3,
            "distance": [100.0, 2000.0, np.nan],
            "distance_error": [1.0, 50.0, 1.0],
        }
    )
    stars = stars_of(table)
    np.testing.assert_allclose(stars.raw.parallax, [10.0, 0.5, np.nan], rtol=1e-15)
    np.testing.assert_allclose(stars.raw.covariance.error("parallax"), [0.1, 0.0125, np.nan], rtol=1e-14)
    assert stars_of({"ra": [1.0], "dec": [0.0], "distance": [2.0] * u.kpc}).raw.parallax[0] == 0.5
    with pytest.raises(InputError, match="distance is not positive in rows 0, 1"):
        stars_of({"ra": [1.0, 2], "dec": [0.0, 0], "distance": [0.0, -1.0]})


def test_epochs_may_be_times():
    times = Time([2015.0, 2016.0], format="jyear", scale="tcb")
    stars = stars_of(Table({"ra": [1.0, 2], "dec": [1.0, 2], "t": times}), names={"epoch": "t"})
    assert stars.epoch.tolist() == [2015.0, 2016.0]


def test_hipparcos_has_its_epoch_unsaid():
    table = Table({"RAICRS": [1.0], "DEICRS": [2.0], "Plx": [3.0], "pmRA": [1.0], "pmDE": [2.0], "e_pmDE": [0.1]})
    stars = stars_of(table)
    assert stars.epoch == Time("J1991.25", scale="tt").tcb.jyear
    assert stars.raw.covariance.error("pmdec")[0] == 0.1


def test_an_extra_that_is_a_time_goes_along():
    times = Time("J2000") + [1, 2] * u.day
    stars = stars_of(Table({"ra": [1.0, 2], "dec": [1.0, 2], "t": times}))
    assert (stars[1:]["t"] == times[1:]).all()


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ([1, 2], InputError, "builtins.list cannot be taken as stars"),
        ("gaia.fits", InputError, "Stars.read reads files"),
        ({"ra": ["x"], "dec": [1.0]}, InputError, "ra holds text .*real numbers are needed"),
        ({"ra": [1.0]}, MissingColumnError, "no column for 'dec'"),
        ({"ra": [1.0], "dec": [100.0]}, InputError, "dec lies outside"),
        ({"ra": [1.0], "dec": [1.0], "plx": [np.inf]}, InputError, r"parallax \(column 'plx'\) is infinite in row 0"),
        ({"ra": [1.0], "dec": [1.0], "parallax": [1.0], "parallax_error": [-1.0]}, InputError, "is negative in row 0"),
        (pd.DataFrame([[1, 2, 3]], columns=["ra", "dec", "ra"]), InputError, r"one name: \['ra'\]"),
        (pd.DataFrame({"ra": ["x"], "dec": [1]}), InputError, "'ra' holds .*, which are no numbers"),
        (pa.table({"ra": ["x"], "dec": [1]}), InputError, "'ra' holds string, which are no numbers"),
    ],
)
def test_errors(data, error, message):
    names = {"parallax": "plx"} if isinstance(data, dict) and "plx" in data else None
    with pytest.raises(error, match=message):
        stars_of(data, names)


# ---- back ------------------------------------------------------------------------------------------------


@every_kind
def test_nothing_changed_is_nothing_changed(kind):
    table = KINDS[kind]()
    entry = door(table)
    back = entry.back(entry.stars, frozenset())
    assert type(back) is type(table)
    assert names_of(back) == names_of(table)
    untouched(table, back, VALUES)


@every_kind
def test_only_what_changed_is_written(kind):
    table = KINDS[kind]()
    entry = door(table)
    stars = entry.stars.replace(radial_velocity=entry.stars.raw.radial_velocity + np.pi)
    back = entry.back(stars, frozenset({"radial_velocity"}))
    assert type(back) is type(table)
    assert names_of(back) == names_of(table)
    untouched(table, back, [k for k in VALUES if k != "radial_velocity"])
    expected = VALUES["radial_velocity"].astype(float) + np.pi
    np.testing.assert_array_equal(numbers(back, "radial_velocity"), expected)  # float64, although float32 came in
    np.testing.assert_array_equal(numbers(table, "radial_velocity"), VALUES["radial_velocity"])


@every_kind
def test_a_new_direction_brings_its_proper_motion(kind):
    entry = door(KINDS[kind]())
    stars = entry.stars.replace(direction=entry.stars.direction + 1e-3)
    back = entry.back(stars, frozenset({"direction"}))
    for name in ("ra", "dec", "pmra", "pmdec"):
        np.testing.assert_array_equal(numbers(back, name), stars.raw.angle(name))


@every_kind
def test_covariance_and_epoch_are_written(kind):
    entry = door(KINDS[kind]())
    matrix = np.stack([np.diag([1.0, 4.0, 9.0, 16.0, 25.0, np.nan])] * 3)
    matrix[:, 0, 2] = matrix[:, 2, 0] = 1.5
    matrix[:, 3, 4] = matrix[:, 4, 3] = -2.0
    back = entry.back(entry.stars.replace(covariance=matrix, epoch=2050.0), frozenset({"covariance", "epoch"}))
    np.testing.assert_allclose(numbers(back, "dec_error"), 2.0)
    np.testing.assert_allclose(numbers(back, "ra_parallax_corr"), 0.5)
    np.testing.assert_allclose(numbers(back, "pmra_pmdec_corr"), -0.1)  # new: it says something
    np.testing.assert_allclose(numbers(back, "pmra_error"), 4.0)
    np.testing.assert_array_equal(numbers(back, "ref_epoch"), 2050.0)
    assert "ra_dec_corr" not in names_of(back)  # zero says nothing
    assert "radial_velocity_error" not in names_of(back)
    np.testing.assert_allclose(stars_of(back).raw.covariance.element("pmra", "pmdec"), -2.0)


def test_values_go_back_in_the_column_s_own_unit():
    table = QTable({"RAJ": [1.0] * u.rad, "DEJ": [0.5] * u.rad, "plx": [100.0] * u.uas, "rv": [1000.0] * u.m / u.s})
    entry = door(table, names={"ra": "RAJ", "dec": "DEJ", "parallax": "plx", "radial_velocity": "rv"})
    stars = entry.stars.replace(parallax=[0.3], radial_velocity=[-2.0])
    back = entry.back(stars, frozenset({"parallax", "radial_velocity"}))
    assert back["plx"].unit == u.uas
    assert back["plx"][0].value == pytest.approx(300.0)
    assert back["rv"][0].value == pytest.approx(-2000.0)
    assert back.colnames == table.colnames
    np.testing.assert_array_equal(back["RAJ"], table["RAJ"])


def test_a_distance_is_written_as_a_distance():
    table = Table({"ra": [1.0], "dec": [0.0], "distance": [100], "distance_error": [1.0]})
    entry = door(table)
    stars = entry.stars.replace(parallax=[5.0], covariance=Covariance(errors={"parallax": np.array([0.05])}))
    back = entry.back(stars, frozenset({"parallax", "covariance"}))
    assert back.colnames == table.colnames
    assert back["distance"][0] == pytest.approx(200.0)
    assert back["distance"].dtype == np.float64
    assert back["distance_error"][0] == pytest.approx(2.0)
    with pytest.raises(InputError, match=r"holds as a distance.* not positive in row 0"):
        entry.back(stars.replace(parallax=[-5.0]), frozenset({"parallax"}))


def test_galactic_angles_go_back_as_such():
    table = Table({"l": [10.0], "b": [20.0], "x": [1]})
    entry = door(table)
    back = entry.back(entry.stars.replace(direction=entry.stars.direction + 1e-5), frozenset({"direction"}))
    assert back.colnames == table.colnames
    again = stars_of(back)
    moved = entry.stars.replace(direction=entry.stars.direction + 1e-5)
    np.testing.assert_allclose(again.direction, moved.direction, atol=1e-15)


def test_a_column_is_added_where_there_is_something_to_say():
    entry = door(QTable({"ra": [1.0, 2] * u.deg, "dec": [0.0, 0] * u.deg}))
    stars = entry.stars.replace(radial_velocity=[np.nan, 3.0], parallax=[np.nan, np.nan], epoch=2016.0)
    changed = frozenset({"radial_velocity", "parallax", "epoch"})
    back = entry.back(stars, changed)
    assert back.colnames == ["ra", "dec", "radial_velocity", "ref_epoch"]
    assert back["radial_velocity"].unit == KS
    assert entry.back(stars, changed, added=frozenset({"parallax"})).colnames == ["ra", "dec", "parallax"]


def test_what_becomes_missing_is_masked_where_the_table_has_masks():
    entry = door(masked_table())
    back = entry.back(entry.stars.refuse(np.array([False, True, False]), "low"), frozenset({"parallax"}))
    assert back["parallax"].mask.tolist() == [False, True, True]
    assert back.meta["astrokin"] == {"refused": {"low": 1}}
    entry = door(arrow())
    back = entry.back(entry.stars.replace(parallax=[np.nan, 1.0, np.nan]), frozenset({"parallax"}))
    assert back["parallax"].is_null().to_pylist() == [True, False, False]  # the last one was NaN, and stays so
    assert np.isnan(back["parallax"][2].as_py())


def test_metadata_stays_and_counts_are_added():
    mask = np.array([True, False, True])
    table = KINDS["Table"]()
    table["pmra"].description = "east"
    table["pmra"].info.format = "%.3f"
    entry = door(table)
    stars = entry.stars.flag(mask, "far").replace(proper_motion=entry.stars.raw.proper_motion * 2)
    back = entry.back(stars, frozenset({"proper_motion"}))
    assert back.meta == {"from": "me", "astrokin": {"flagged": {"far": 2}}}
    assert table.meta == {"from": "me"}
    assert (back["pmra"].description, back["pmra"].info.format) == ("east", "%.3f")
    frame = KINDS["DataFrame"]()
    frame.attrs["from"] = "me"
    entry = door(frame)
    back = entry.back(entry.stars.flag(mask, "far"), frozenset())
    assert back.attrs == {"from": "me", "astrokin": {"flagged": {"far": 2}}}
    assert back.index.tolist() == [7, 3, 5]
    entry = door(arrow())
    back = entry.back(entry.stars.flag(mask, "far"), frozenset())
    assert back.schema.metadata == {b"from": b"me", b"astrokin": b'{"flagged": {"far": 2}}'}


def test_extension_types_of_pandas_stay():
    for kind, dtype in (("nullable DataFrame", "Float64"), ("arrow DataFrame", "double[pyarrow]")):
        entry = door(KINDS[kind]())
        back = entry.back(entry.stars.replace(parallax=[1.0, np.nan, 2.0]), frozenset({"parallax"}))
        assert back["parallax"].dtype == dtype
        assert back["parallax"].isna().tolist() == [False, True, False]


def test_times_go_back_as_times():
    times = Time([2015.0, 2016.0], format="jyear", scale="tcb")
    entry = door(Table({"ra": [1.0, 2], "dec": [1.0, 2], "t": times.tt}), names={"epoch": "t"})
    back = entry.back(entry.stars.replace(epoch=2050.0), frozenset({"epoch"}))
    assert isinstance(back["t"], Time)
    assert back["t"].scale == "tt"


def test_the_result_is_independent_of_the_given_table():
    table = KINDS["Table"]()
    entry = door(table)
    back = entry.back(entry.stars, frozenset())
    back["phot"][0] = 99.0
    assert table["phot"][0] == 1.5


@every_kind
def test_no_rows(kind):
    table = KINDS[kind]()
    empty = table.slice(0, 0) if hasattr(table, "slice") else None
    if empty is None:
        empty = {k: v[:0] for k, v in table.items()} if isinstance(table, dict) else table[:0]
    entry = door(empty)
    assert len(entry.stars) == 0
    back = entry.back(entry.stars.replace(parallax=np.zeros(0)), frozenset({"parallax"}))
    assert names_of(back) == names_of(table)


def test_stars_pass_through():
    stars = stars_of(VALUES)
    assert stars_of(stars) is stars
    assert door(stars).back(stars[:1], frozenset({"parallax"})) == stars[:1]


def test_an_unknown_change_is_an_error():
    entry = door(VALUES)
    with pytest.raises(InputError, match=r"changed has \['pmra'\]; it can have covariance, direction"):
        entry.back(entry.stars, frozenset({"pmra"}))


def test_doors_pickle():
    for kind in ("Table", "DataFrame", "arrow"):
        entry = pickle.loads(pickle.dumps(door(KINDS[kind]())))
        assert entry.stars == stars_of(KINDS[kind]())


def test_a_schema_serves_the_next_block():
    first = door(KINDS["DataFrame"]())
    assert door(KINDS["DataFrame"]()[1:], schema=first.schema).stars.raw.parallax[0] == -1.0


# ---- to a table ------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 4), st.booleans(), st.integers(0, 99))
def test_to_table_and_back_is_the_same(n, as_matrix, seed):
    rng = np.random.default_rng(seed)
    kept = ("ra", "dec", "parallax", "pmra", "pmdec")
    errors = {k: rng.uniform(0.01, 1, n) for k in kept}
    covariance = Covariance(errors=errors, correlations={("ra", "pmra"): rng.uniform(-1, 1, n)})
    stars = Stars(
        ra=rng.uniform(0, 360, n) * u.deg,
        dec=rng.uniform(-90, 90, n) * u.deg,
        parallax=rng.normal(0, 1, n) * u.mas,
        pmra=rng.normal(0, 1, n) * MY,
        pmdec=rng.normal(0, 1, n) * MY,
        covariance=Covariance(covariance.matrix) if as_matrix else covariance,
        epoch=np.full(n, 2016.0),
        columns={"age": rng.uniform(0, 9, n) * u.Gyr, "source_id": np.arange(n) + BIG},
    )
    again = stars_of(table_of(stars))
    for name in ("ra", "dec", "pmra", "pmdec"):
        np.testing.assert_array_equal(again.raw.angle(name), stars.raw.angle(name))
    np.testing.assert_array_equal(again["source_id"], stars["source_id"])
    assert again["age"].unit == u.Gyr
    np.testing.assert_allclose(again.covariance, stars.covariance, rtol=2e-15)


def test_to_table_has_gaia_s_names_and_units():
    table = stars_of(VALUES).to_table()
    assert table.colnames[:4] == ["source_id", "ref_epoch", "ra", "ra_error"]
    assert isinstance(table, QTable)
    assert table["pmra"].unit == MY
    assert "pmra_error" not in table.colnames
    assert table.colnames[-2:] == ["name", "phot"]


def test_an_extra_with_a_taken_name_is_renamed():
    stars = stars_of({**VALUES, "plx_new": [1.0, 2.0, 3.0]}, names={"parallax": "plx_new"})
    table = stars.to_table()
    assert table["parallax"].value.tolist() == [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(table["parallax_given"], VALUES["parallax"])


def test_text_with_gaps_is_masked_text():
    stars = stars_of(pa.table({"ra": [1.0, 2], "dec": [1.0, 2], "sp": ["K", None]}))
    assert stars.to_table()["sp"].tolist() == ["K", None]


def test_the_doors_of_stars_lead_here():
    assert ak.Stars.of(VALUES) == stars_of(VALUES)


SPECTRA = {
    "objects": lambda: pd.DataFrame({"sp": ["K", None, "", np.nan, "M"]}, dtype=object),
    "string": lambda: pd.DataFrame({"sp": pd.array(["K", None, "", pd.NA, "M"], dtype="string")}),
    "category": lambda: pd.DataFrame({"sp": pd.Categorical(["K", None, "", None, "M"])}),
    "arrow": lambda: pa.table({"sp": ["K", None, "", None, "M"]}),
    "arrow dictionary": lambda: pa.table({"sp": pa.array(["K", None, "", None, "M"]).dictionary_encode()}),
    "astropy": lambda: Table({"sp": np.ma.MaskedArray(["K", "0", "", "0", "M"], [0, 1, 0, 1, 0])}),
    "mapping": lambda: {"sp": ["K", None, "", None, "M"]},
}


@pytest.mark.parametrize("kind", SPECTRA)
def test_missing_text_has_one_form_inside_and_its_own_outside(kind):
    given = SPECTRA[kind]()
    place = np.arange(5.0)
    if isinstance(given, pa.Table):
        given = given.append_column("ra", pa.array(place)).append_column("dec", pa.array(place))
    else:
        given["ra"], given["dec"] = place, place
    entry = door(given)
    assert entry.stars["sp"].dtype.kind == "U"
    assert entry.stars["sp"].tolist() == ["K", None, None, None, "M"]
    out = entry.back(entry.stars.replace(direction=entry.stars.direction), frozenset({"direction"}))
    if isinstance(given, pd.DataFrame):
        pd.testing.assert_series_equal(out["sp"], given["sp"])
    elif isinstance(given, pa.Table):
        assert out["sp"].equals(given["sp"])
    else:
        assert type(out["sp"]) is type(given["sp"])
        assert repr(out["sp"]) == repr(given["sp"])


def test_objects_that_are_no_text_stay_what_they_are():
    values = np.array([1, None, "x"], dtype=object)
    stars = stars_of({"ra": [1.0, 2, 3], "dec": [1.0, 2, 3], "odd": values})
    assert stars["odd"].tolist() == [1, None, "x"]


def test_blocks_of_which_only_a_later_one_has_gaps():
    whole = stars_of({"ra": np.arange(4.0), "dec": np.arange(4.0), "sp": ["a", "b", "c", None]})
    parts = [stars_of({"ra": r, "dec": r, "sp": t}) for r, t in (([0.0, 1], ["a", "b"]), ([2.0, 3], ["c", None]))]
    assert Stars.joined(parts)["sp"].tolist() == ["a", "b", "c", None]
    assert Stars.joined(parts) == whole
