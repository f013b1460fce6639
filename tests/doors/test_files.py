"""Files: what is written is read again; what is broken is named; what is unfinished is not there."""

import gzip
import os
import stat
import sys
from importlib import import_module
from importlib.util import find_spec

import astropy.units as u
import numpy as np
import pytest
from astropy.table import QTable, Table

import astrokin as ak
from astrokin.covariance import Covariance
from astrokin.doors.files import read_table, write_table
from astrokin.errors import FileError, InputError, MissingColumnError, MissingDependencyError
from astrokin.tables import atomic_output, read_stars

FORMS = ["parquet", "fits", "fits.gz", "ecsv", "ecsv.gz", "vot", "xml", "csv", "csv.gz"]
every_form = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(autouse=True)
def _arrow_for_parquet(request):
    if "parquet" in str(getattr(request.node, "callspec", "")):
        pytest.importorskip("pyarrow")


def sample(n=5):
    rng = np.random.default_rng(5)
    gaps = np.arange(n) % 2 == 0
    return ak.Stars(
        ra=rng.uniform(0, 360, n) * u.deg,
        dec=rng.uniform(-90, 90, n) * u.deg,
        parallax=np.where(gaps, np.nan, rng.normal(0, 1, n)) * u.mas,
        pmra=rng.normal(0, 1, n) * u.mas / u.yr,
        pmdec=rng.normal(0, 1, n) * u.mas / u.yr,
        radial_velocity=np.where(gaps, rng.normal(0, 1, n), np.nan) * u.km / u.s,
        covariance=Covariance(errors={"ra": rng.uniform(0.1, 1, n), "dec": rng.uniform(0.1, 1, n)},
                              correlations={("ra", "dec"): rng.uniform(-1, 1, n)}),
        epoch=2016.0,
        columns={
            "source_id": np.ma.MaskedArray(np.arange(n) + 2**60 + 1, gaps),
            "age": rng.uniform(0, 9, n) * u.Gyr,
            "name": np.array(["", "a b", 'quo"te, and comma', "d", "x"])[:n],
            "count": np.arange(n),
        },
    )  # fmt: skip


@every_form
def test_round_trip(form, tmp_path):
    stars, path = sample(), tmp_path / f"stars.{form}"
    if "fits" not in form and form not in ("vot", "xml"):  # those hold ASCII only
        stars = stars.replace(columns={**stars.columns, "name": np.array(["", "é", "星", "d", "x"])})
    stars.write(path)
    again = ak.Stars.read(path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    for name in ("ra", "dec", "pmra", "pmdec"):
        np.testing.assert_array_equal(again.raw.angle(name), stars.raw.angle(name))
    np.testing.assert_array_equal(again.raw.parallax, stars.raw.parallax)
    np.testing.assert_array_equal(again.raw.radial_velocity, stars.raw.radial_velocity)
    assert again.epoch == 2016.0
    np.testing.assert_array_equal(again.raw.covariance.error("dec"), stars.raw.covariance.error("dec"))
    np.testing.assert_allclose(again.covariance, stars.covariance, rtol=1e-15)
    assert again["source_id"].dtype == np.int64
    assert again["source_id"].tolist() == stars["source_id"].tolist()
    assert again["count"].tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_array_equal(np.asarray(again["age"]), stars["age"].value)
    assert np.ma.filled(again["name"], "").tolist() == stars["name"].tolist()
    if "csv" not in form or form.startswith("ecsv"):
        assert again["age"].unit == u.Gyr


TEXT_WITH_GAPS = {
    "None": np.array(["a", None, "ccc"], dtype=object),
    "NaN": np.array(["a", np.nan, "ccc"], dtype=object),
    "masked": np.ma.MaskedArray(["a", "0", "ccc"], [False, True, False]),
    "empty": np.array(["a", "", "ccc"]),
}


@every_form
@pytest.mark.parametrize("given", TEXT_WITH_GAPS)
def test_missing_text_comes_back_missing(form, given, tmp_path):
    stars = sample(3)
    stars = stars.replace(covariance=None, columns={"name": TEXT_WITH_GAPS[given]})
    stars.write(tmp_path / f"x.{form}")
    again = ak.Stars.read(tmp_path / f"x.{form}")
    assert again == stars
    assert again["name"].dtype.kind == "U"
    assert again["name"].tolist() == ["a", None, "ccc"]
    assert np.ma.getdata(again["name"]).tolist() == ["a", "", "ccc"]


@every_form
def test_text_that_is_not_missing_is_not_the_same(form, tmp_path):
    stars = sample(3).replace(covariance=None, columns={"name": TEXT_WITH_GAPS["masked"]})
    stars.write(tmp_path / f"x.{form}")
    assert ak.Stars.read(tmp_path / f"x.{form}") != stars.replace(columns={"name": np.array(["a", "0", "ccc"])})


@pytest.mark.parametrize("form", ["fits", "vot"])
def test_what_lies_under_a_mask_is_not_written(form, tmp_path):
    write_table(Table({"ra": [1.0, 2.0], "sp": np.ma.MaskedArray(["K", "0"], [False, True])}), tmp_path / f"x.{form}")
    again = read_table(tmp_path / f"x.{form}")
    assert np.ma.getdata(again["sp"]).tolist() == ["K", ""]


@every_form
def test_no_rows(form, tmp_path):
    path = tmp_path / f"none.{form}"
    stars = sample()[:0]
    stars.replace(columns={}).write(path)
    assert len(ak.Stars.read(path)) == 0


def test_parquet_from_astropy_and_pandas(tmp_path):
    pytest.importorskip("pyarrow")
    pd = pytest.importorskip("pandas")
    table = QTable({"ra": [1.0, 2.0] * u.rad, "dec": [0.1, 0.2] * u.rad})
    table.write(tmp_path / "a.parquet")
    assert ak.Stars.read(tmp_path / "a.parquet").raw.angle("ra")[0] == np.degrees(1.0)
    pd.DataFrame({"ra": [1.0], "dec": [2.0], "x": ["a"]}, index=[5]).to_parquet(tmp_path / "p.parquet")
    assert ak.Stars.read(tmp_path / "p.parquet")["x"][0] == "a"


def test_csv_with_gaps_keeps_long_integers(tmp_path):
    path = tmp_path / "hip.csv"
    path.write_text("hip,gaia,ra_deg,dec,plx,sp,comp\n1,,0.5,1.5,4.5,F3 V,\n2,2341871673090078593,1.5,null,,K3 V,A\n")
    stars = read_stars(path, names={"ra": "ra_deg", "parallax": "plx"})
    assert stars["gaia"].tolist() == [None, 2341871673090078593]
    np.testing.assert_array_equal(stars.raw.parallax, [4.5, np.nan])
    assert np.isnan(stars.raw.angle("dec")[1])
    assert stars["comp"].tolist() == [None, "A"]


def test_gaia_s_ecsv_is_known_although_it_is_called_csv(tmp_path):
    path = tmp_path / "GaiaSource_000000-003111.csv.gz"
    text = (
        "# %ECSV 1.0\n# ---\n# delimiter: ','\n# datatype:\n# - {name: ra, unit: deg, datatype: float64}\n"
        "# - {name: dec, unit: deg, datatype: float64}\n# - {name: parallax, unit: mas, datatype: float64}\n"
        "ra,dec,parallax\n1.0,2.0,null\n"
    )
    with gzip.open(path, "wt") as file:
        file.write(text)
    assert np.isnan(ak.Stars.read(path).raw.parallax[0])


@pytest.mark.filterwarnings("ignore:.*W03:astropy.io.votable.exceptions.VOWarning")  # of the writer, for "DE:RA"
def test_a_votable_s_names_are_used_not_its_identifiers(tmp_path):
    table = Table({"RAICRS": [1.0], "DEICRS": [2.0], "e_RAICRS": [0.5], "e_DEICRS": [0.5], "DE:RA": [0.25]})
    # astropy 6.1 writes "np.float64(1.0)" into the cells of a table in text
    table.write(tmp_path / "hip.vot", format="votable", tabledata_format="binary2")
    assert ak.Stars.read(tmp_path / "hip.vot").raw.covariance.element("ra", "dec")[0] == 0.0625


def test_only_some_columns(tmp_path):
    sample().write(tmp_path / "s.fits")
    assert list(read_stars(tmp_path / "s.fits", columns=("age",)).columns) == ["age"]


# ---- broken and misnamed files ---------------------------------------------------------------------------


@pytest.mark.parametrize("form", [f for f in FORMS if f not in ("csv", "ecsv")])
def test_a_truncated_file_is_named(form, tmp_path):
    whole, path = tmp_path / f"whole.{form}", tmp_path / f"cut.{form}"
    stars = sample()
    ak.Stars.joined([stars] * 400).write(whole)
    path.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    with pytest.raises(FileError, match=rf"cut\.{form} cannot be read as .*is it truncated"):
        ak.Stars.read(path)


@every_form
def test_a_file_that_is_no_table_is_named(form, tmp_path):
    path = tmp_path / f"noise.{form}"
    path.write_bytes(bytes(range(256)) * 20)
    with pytest.raises(FileError, match=r"noise.* cannot be read as"):
        ak.Stars.read(path)
    path.write_bytes(b"")
    with pytest.raises((FileError, MissingColumnError)):
        ak.Stars.read(path)


def test_lines_of_unequal_length_are_named(tmp_path):
    (tmp_path / "bad.csv").write_text("ra,dec\n1,2\n3\n4,5,6\n")
    with pytest.raises(FileError, match="cannot be read as CSV"):
        ak.Stars.read(tmp_path / "bad.csv")


def test_a_missing_file_suggests_its_neighbours(tmp_path):
    (tmp_path / "gaia.csv").write_text("ra,dec\n")
    with pytest.raises(FileError, match=r"There is no file .*giaa\.csv\. That directory has, closest first: gaia\.csv"):
        ak.Stars.read(tmp_path / "giaa.csv")


def test_a_directory_is_no_file(tmp_path):
    with pytest.raises(FileError, match="is a directory; the name of a file is needed"):
        ak.Stars.read(tmp_path)


def test_an_unknown_extension_lists_the_known_ones(tmp_path):
    (tmp_path / "x.dat").write_text("1")
    for act in (ak.Stars.read, sample().write):
        with pytest.raises(FileError, match=r"x\.dat has no extension that astrokin knows: \.parquet, \.fits"):
            act(tmp_path / "x.dat")


def test_without_pyarrow_it_says_what_to_install(tmp_path, monkeypatch):
    for name in ("pyarrow", "pyarrow.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    with pytest.raises(
        MissingDependencyError, match=r'Reading Parquet needs pyarrow .*pip install "astrokin\[parquet\]"'
    ):
        ak.Stars.read(tmp_path / "x.parquet")


# ---- whole or not there ----------------------------------------------------------------------------------


@every_form
def test_an_old_file_stays_unless_told(form, tmp_path):
    path = tmp_path / f"x.{form}"
    path.write_text("old")
    with pytest.raises(FileError, match="is already there; overwrite=True"):
        sample().write(path)
    assert path.read_text() == "old"
    sample().write(path, overwrite=True)
    assert len(ak.Stars.read(path)) == 5


@pytest.mark.parametrize("problem", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_an_interrupt_leaves_the_old_file_and_nothing_else(problem, tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("old")

    def interrupted():
        with atomic_output(path, overwrite=True) as unfinished:
            unfinished.write_text("half")
            raise problem

    with pytest.raises(problem):
        interrupted()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


@every_form
def test_an_interrupt_in_mid_write_leaves_nothing(form, tmp_path, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sample().write(tmp_path / f"x.{form}")
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_a_file_error(tmp_path):
    with pytest.raises(FileError, match=r"x\.txt cannot be written: No space left"), atomic_output(tmp_path / "x.txt"):
        raise OSError(28, "No space left on device")
    assert list(tmp_path.iterdir()) == []


def test_what_a_format_cannot_hold_is_said(tmp_path):
    stars = sample().replace(columns={"name": np.array(["é"] * 5)})
    with pytest.raises(FileError, match=r"FITS cannot hold the column 'name' \(UnicodeEncodeError.*ECSV can"):
        stars.write(tmp_path / "x.fits")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_that_is_not_there(tmp_path):
    with pytest.raises(FileError, match="no-such is no directory; make it first"):
        sample().write(tmp_path / "no-such" / "x.fits")


def test_a_directory_as_the_target(tmp_path):
    (tmp_path / "d.fits").mkdir()
    with pytest.raises(FileError, match="no ordinary file"):
        sample().write(tmp_path / "d.fits", overwrite=True)


def test_a_directory_without_permission(tmp_path, monkeypatch):
    closed = tmp_path / "closed"
    closed.mkdir()
    closed.chmod(stat.S_IRUSR | stat.S_IXUSR)
    if os.access(closed, os.W_OK):  # root may write anywhere
        monkeypatch.setattr(os, "access", lambda *args: False)
    with pytest.raises(FileError, match="closed gives no permission to write"):
        sample().write(closed / "x.fits")


def test_a_link_stays_a_link(tmp_path):
    real, link = tmp_path / "real.csv", tmp_path / "link.csv"
    real.write_text("old")
    link.symlink_to(real)
    sample().write(link, overwrite=True)
    assert link.is_symlink()
    assert len(ak.Stars.read(real)) == 5


def test_the_mode_is_that_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    sample().write(tmp_path / "x.csv")
    assert (tmp_path / "x.csv").stat().st_mode == (tmp_path / "plain").stat().st_mode


# ---- text --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "\n", " \n\n", "\ufeff"])
@pytest.mark.parametrize("form", ["csv", "ecsv", "csv.gz"])
def test_an_empty_text_is_said_to_be_empty(form, text, tmp_path):
    path = tmp_path / f"none.{form}"
    with gzip.open(path, "wt", encoding="utf-8") if form.endswith("gz") else open(path, "w", encoding="utf-8") as file:
        file.write(text)
    with pytest.raises(FileError, match=r"none\..* is empty"):
        ak.Stars.read(path)


def test_one_line_is_a_header_not_the_name_of_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.csv").write_text("ra,dec\n1,2\n")
    (tmp_path / "one.csv").write_text("other.csv")
    with pytest.raises(MissingColumnError):
        ak.Stars.read("one.csv")
    (tmp_path / "one.csv").write_text("ra,dec")
    assert len(ak.Stars.read("one.csv")) == 0


@pytest.mark.parametrize("quoted", [False, True])
@pytest.mark.parametrize("form", ["csv", "csv.gz"])
def test_a_row_cut_short_is_named_by_its_line(form, quoted, tmp_path):
    path = tmp_path / f"cut.{form}"
    first = '1,2,"3",4' if quoted else "1,2,3,4"
    with gzip.open(path, "wt") if form.endswith("gz") else open(path, "w") as file:
        file.write(f"ra,dec,parallax,pmra\n{first}\n\n4,5,1.23")
    with pytest.raises(FileError, match=r"The header has 4 names, but line 4 has 3 fields"):
        ak.Stars.read(path)


def test_a_quoted_field_may_hold_commas_and_lines(tmp_path):
    (tmp_path / "q.csv").write_text('ra,dec,name\n1,2,"a, b"\n3,4,"c\nd"\n5,6,"with ""quotes"""\n')
    assert ak.Stars.read(tmp_path / "q.csv")["name"].tolist() == ["a, b", "c\nd", 'with "quotes"']


def test_a_mark_of_utf_8_is_no_part_of_a_name(tmp_path):
    (tmp_path / "bom.csv").write_text("ra,dec\n1,2\n", encoding="utf-8-sig")
    assert ak.Stars.read(tmp_path / "bom.csv").raw.angle("ra")[0] == 1.0


def test_null_is_a_word_in_astropy_s_ecsv(tmp_path):
    stars = ak.Stars(ra=[1, 2] * u.deg, dec=[0, 0] * u.deg, columns={"name": np.array(["null", "b"])})
    stars.write(tmp_path / "x.ecsv")
    assert ak.Stars.read(tmp_path / "x.ecsv")["name"].tolist() == ["null", "b"]


# ---- what a format holds ---------------------------------------------------------------------------------


def beside(column):
    from astrokin.doors.files import read_table, write_table

    table = QTable({"ra": [1.0, 2.0, 3.0], "x": column})

    def back(path):
        write_table(table, path)
        made = read_table(path)["x"]
        return made.to_numpy() if hasattr(made, "to_numpy") else made

    return back


@pytest.mark.parametrize("form", ["fits", "vot", "ecsv", "parquet"])
@pytest.mark.parametrize("dtype", ["i1", "u1", "u2", "u4", "f2"])
def test_small_numbers_are_widened_not_changed(form, dtype, tmp_path):
    values = np.array([127, 0, 1], dtype)
    assert beside(values)(tmp_path / f"x.{form}").tolist() == values.tolist()
    if form != "parquet" and dtype != "f2":
        masked = beside(np.ma.MaskedArray(values, [True, False, False]))(tmp_path / f"m.{form}")
        assert masked.tolist() == [None, 0, 1]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_bytes_are_text(form, tmp_path):
    assert beside(np.array([b"a", b"bc", b"d"]))(tmp_path / f"x.{form}").tolist() == ["a", "bc", "d"]


@pytest.mark.parametrize(
    ("form", "what"),
    [(form, what) for form in ("fits", "vot", "parquet") for what in ("time", "sky")]
    + [("csv", "sky"), ("csv", "complex"), ("csv", "vectors"), ("parquet", "complex"), ("parquet", "vectors"),
       ("fits", "flags"), ("fits", "objects"), ("vot", "objects")],
)  # fmt: skip
def test_a_column_that_a_format_cannot_hold_is_named(form, what, tmp_path):
    from astropy.coordinates import SkyCoord
    from astropy.time import Time

    column = {
        "time": lambda: Time([2000.0, 2001, 2002], format="jyear"),
        "sky": lambda: SkyCoord([1, 2, 3] * u.deg, [1, 2, 3] * u.deg),
        "complex": lambda: np.array([1j, 2, 3]),
        "vectors": lambda: np.ones((3, 2)),
        "flags": lambda: np.ma.MaskedArray([True, False, True], [True, False, False]),
        "objects": lambda: np.array([1, "a", {}], object),
    }[what]()
    kind = {"fits": "FITS", "vot": "VOTable", "parquet": "Parquet", "csv": "CSV"}[form]
    with pytest.raises(FileError, match=rf"^{kind} cannot hold the column 'x' \(.*; ECSV can, or leave it out"):
        beside(column)(tmp_path / f"x.{form}")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", [None, b"x.csv", 5, "a\0.csv"])
def test_what_is_no_name_of_a_file_is_said(path):
    fit = ak.Fit({"x": 1.0 * u.m})
    for act in (ak.Stars.read, sample().write, ak.Fit.read, fit.write):
        with pytest.raises(FileError, match=r"The name of a file is needed, as text or as a pathlib\.Path, not "):
            act(path)


def test_pq_is_parquet_too(tmp_path):
    pytest.importorskip("pyarrow")
    from astrokin import verb_files

    ak.Stars(ra=[1, 2] * u.deg, dec=[0, 0] * u.deg, parallax=[5, 5] * u.mas).write(tmp_path / "x.PQ")
    assert len(ak.Stars.read(tmp_path / "x.PQ")) == 2
    assert verb_files.run(ak.effects.ReflexMotion(), "apply", tmp_path / "x.PQ", tmp_path / "y.parquet") == 2


def test_text_among_numbers_is_shown_with_its_row(tmp_path):
    (tmp_path / "x.csv").write_text("ra,dec,plx\n1,2,3\n4,5,\n7,8,abc\n")
    with pytest.raises(InputError, match=r"parallax \(column 'plx'\) holds text.*is 'abc' in row 2\."):
        read_stars(tmp_path / "x.csv", names={"parallax": "plx"})


def test_text_among_numbers_of_any_table():
    values = {"ra": [1.0, 2.0], "dec": ["1", "x"]}
    tables = [values, Table(values)]
    for package, make in (("pandas", "DataFrame"), ("pyarrow", "table")):
        if find_spec(package):
            tables.append(getattr(import_module(package), make)(values))
    for table in tables:
        with pytest.raises(InputError, match=r"dec.* holds .* is 'x' in row 1\."):
            ak.Stars.of(table)
