"""Fits as tables, text, HTML and files: nothing lost, nothing half-written."""

import math
import os
import pickle

import astropy.units as u
import numpy as np
import pytest
from astropy.table import Table

import astrokin as ak
from astrokin.errors import FileError
from astrokin.rounding import measured

SHEAR = u.km / u.s / u.kpc


def everything(fit):
    """All that a fit knows, as plain values that compare."""

    def plain(value):
        if isinstance(value, dict):
            return [(k, plain(v)) for k, v in value.items()]
        if isinstance(value, tuple | list):
            return [plain(v) for v in value]
        if hasattr(value, "unit"):
            return value.unit.to_string(), np.asarray(value.value).tolist().__repr__()
        if isinstance(value, np.ndarray):
            return value.shape, value.tolist().__repr__()
        return value.item() if isinstance(value, np.generic) else value

    fields = ("results", "covariance", "derived", "derived_error", "data", "grid", "groups", "by", "used", "left_out",
              "passes", "converged", "undetermined", "notes", "provenance")  # fmt: skip
    return {name: plain(getattr(fit, name)) for name in fields}


def oort(**options):
    estimator = ak.estimators.OortConstants(**options)
    stars, _ = ak.estimators.OortConstants().simulate(600, np.random.default_rng(1))
    kind = np.array(["old", "young <&>"])[np.arange(600) % 2]
    columns = {**stars.columns, "kind": kind, "age": np.arange(600) % 3 * u.Gyr, "BV": np.linspace(0, 1, 600)}
    return estimator.fit(stars.replace(columns=columns))


def profile():
    z = np.array([0.1, 0.5, 1.0]) * u.kpc
    force, density = [1.0, 2.0, np.nan] * u.km**2 / u.s**2 / u.pc, [0.1, 0.02, 1e-9] * u.Msun / u.pc**3
    values = {"Kz": force, "rho": density}
    covariance = np.diag([0.01, 0.02, 0.03, 1e-8, 2e-8, 3e-8])
    return ak.Fit(values, covariance, grid=z, provenance={"estimator": "jeans-like"})


FITS = {
    "plain": lambda: oort(),
    "undetermined": lambda: oort(use="rv", max_distance=1.2 * u.kpc),
    "labels": lambda: oort(by="kind", min_parallax_over_error=20.0),
    "bins": lambda: oort(by=("age", [-0.5, 0.5, 1.5, 2.5] * u.Gyr)),
    "bins without unit": lambda: oort(by=("BV", [0.0, 0.3, 1.0])),
    "bootstrap": lambda: oort(bootstrap=5),
    "profile": profile,
    "groups and grid": lambda: ak.Fit(
        {"Kz": np.arange(6.0).reshape(2, 3) * u.km / u.s}, np.ones((2, 3, 3)), grid=[1, 2, 3] * u.kpc,
        groups=["a", "b"], by="kind", notes=("one", "two"), converged=False,
    ),
    "groups, a grid and single results": lambda: ak.Fit(
        {"Kz": np.arange(6.0).reshape(2, 3) * u.km / u.s, "beta": [1.0, 2.0] * u.km}, np.tile(np.eye(4), (2, 1, 1)),
        grid=[1, 2, 3] * u.kpc, groups=["a", "b"], by="kind", data={"counts": [[4.0, 2.0], [3.0, 1.0]] * u.one},
    ),
    "numbers as labels": lambda: ak.Fit({"x": [1.0, 2.0] * u.one}, np.ones((2, 1, 1)), groups=[3, 5], by="x"),
    "without covariance": lambda: ak.Fit({"x": 1.0 * u.m}),
}  # fmt: skip


@pytest.fixture(params=FITS)
def fit(request):
    return FITS[request.param]()


# ---- numbers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (15.3071, 0.0712, "15.307 ± 0.071"),
        (15.3071, 0.0996, "15.31 ± 0.10"),
        (-3.2, 12.0, "-3 ± 12"),
        (626.2, 3.66, "626.2 ± 3.7"),
        (12345.6, 249.0, "12350 ± 250"),
        (-0.001, 0.9, "0.00 ± 0.90"),
        (0.0, 2e-9, "(0.0 ± 2.0)e-9"),
        (1.5e-10, 2.2e-12, "(1.500 ± 0.022)e-10"),
        (6.6e23, 1e21, "(6.600 ± 0.010)e+23"),
        (2.0, math.nan, "2 ± unknown"),
        (2.0, math.inf, "2 ± unknown"),
        (2.5, 0.0, "2.5 ± 0"),
        (math.nan, 1.0, "undetermined"),
    ],
)
def test_two_digits_of_the_error(value, error, shown):
    assert measured(value, error) == shown


# ---- tables ----------------------------------------------------------------------------------------------


def test_a_row_per_quantity():
    fit = oort()
    table = fit.table()
    rows = {row["name"]: row for row in table}
    assert list(rows) == [*fit, *fit.derived]
    assert rows["A"]["value"] * u.Unit(rows["A"]["unit"]) == fit["A"]
    assert rows["A"]["error"] == fit.error["A"].value
    assert rows["kappa"]["error"] == fit.derived_error["kappa"].value
    assert [name for name, row in rows.items() if row["derived"]] == list(fit.derived)


def test_a_row_per_bin_with_units():
    fit = oort(by=("age", [-0.5, 0.5, 1.5, 2.5] * u.Gyr))
    table = fit.table()
    assert table.colnames[:4] == ["age_low", "age_high", "A", "A_error"]
    assert u.allclose(table["age_high"], [0.5, 1.5, 2.5] * u.Gyr)
    assert np.array_equal(table["A"], fit["A"])
    assert np.array_equal(table["B_error"], fit.error["B"])
    assert table["vc"].unit == u.km / u.s
    assert table.meta["derived"] == list(fit.derived)


def test_a_row_per_group_and_place_on_the_grid():
    table = FITS["groups and grid"]().table()
    assert list(table["kind"]) == ["a", "a", "a", "b", "b", "b"]
    assert np.array_equal(table["grid"], [1, 2, 3, 1, 2, 3] * u.kpc)
    assert np.array_equal(table["Kz"].value, np.arange(6.0))


def test_a_group_named_like_a_result_hides_nothing():
    table = FITS["numbers as labels"]().table()
    assert table.colnames == ["group_x", "x", "x_error"]
    assert list(table["group_x"]) == [3, 5]


# ---- text ------------------------------------------------------------------------------------------------


def test_text_says_all_there_is_to_say():
    fit = oort(use="rv", max_distance=1.2 * u.kpc)
    lines = str(fit).splitlines()
    assert lines[0] == f"oort-constants: {fit.used} rows used, {fit.passes} passes, converged"
    a = measured(fit["A"].value, fit.error["A"].value)
    assert any(line.split() == ["A", *a.split(), "km", "/", "(kpc", "s)"] for line in lines)
    assert f"left out: {600 - fit.used} beyond 1.2 kpc" in lines
    assert "undetermined: B: radial velocities do not see a rotation: B needs proper motions" in lines
    assert any(line.split() == ["B", "undetermined"] for line in lines)
    assert repr(fit) == str(fit)


def test_text_lines_up():
    body = [line for line in str(oort()).splitlines() if " ± " in line]
    points = {(line.partition(" ± ")[0].rstrip() + ".").index(".") for line in body}
    assert len(body) > 10
    assert len(points) == 1


def test_text_admits_what_did_not_converge():
    text = str(FITS["groups and grid"]())
    assert "NOT CONVERGED" in text
    assert text.endswith("note: one\nnote: two")


def test_what_groups_do_not_determine_is_a_line_for_each_reason():
    stars, _ = ak.estimators.OortConstants().simulate(600, np.random.default_rng(1))
    kind = np.array(["old", "young"])[np.arange(600) % 2].astype("U5")
    kind[5] = "lone"
    fit = ak.estimators.OortConstants(by="kind").fit(stars.replace(columns={"kind": kind}))
    (line,) = [line for line in str(fit).splitlines() if line.startswith("undetermined")]
    assert line.startswith("undetermined in 1 of 3 groups (lone): all results: too few stars")
    bins = ak.Fit({"x": [1, np.nan, 2] * u.m, "y": [1, 2, 3] * u.m}, groups=[(0.0, 1.0), (1.0, 2.5), (2.5, 3.0)],
                  undetermined={"x": "dark"})  # fmt: skip
    assert "undetermined in 1 of 3 groups (1 to 2.5): x: dark" in str(bins).splitlines()


def test_text_of_very_many_groups_is_short():
    n = 1234
    fit = ak.Fit({"x": np.arange(n) * u.m}, np.ones((n, 1, 1)), groups=list(range(n)), by="id",
                 undetermined={"x": "dark"})  # fmt: skip
    lines = str(fit).splitlines()
    assert len(lines) == 2 + 21 + 1
    assert lines[12].strip().startswith("… 1,214 more groups")
    assert lines[11].split()[0] == "9"
    assert lines[13].split()[0] == str(n - 10)
    assert fit._repr_html_().count("<tr>") == 22
    assert len(fit.table()) == n


def test_errors_and_derived_of_unknown_names_say_what_there_is():
    fit = oort()
    for where, name, hint in (
        (fit.error, "omega0", "fit.derived_error['omega0']"),
        (fit.derived_error, "A", "fit.error['A']"),
        (fit.derived, "A", "fit['A']"),
        (fit.derived_error, "omega", "it has: omega0"),
        (fit.error, "Aa", "it has: A"),
    ):
        with pytest.raises(KeyError) as caught:
            where[name]
        assert hint in str(caught.value)
        assert where.get(name) is None


def test_errors_and_derived_are_dicts_that_do_not_change():
    fit = oort()
    for named in (fit.error, fit.derived, fit.derived_error):
        twin = pickle.loads(pickle.dumps(named))
        assert twin == named == dict(named)
        assert type(twin) is type(named)
        assert list(twin) == list(named)
        with pytest.raises(TypeError, match="not changed"):
            named["A"] = 1
        with pytest.raises(TypeError, match="not changed"):
            named.pop("A")


def test_text_of_groups_stays_within_the_page():
    text = str(oort(by="kind"))
    assert max(map(len, text.splitlines())) <= 112
    for name in ("A", "W", "vc"):
        assert f"{name} [" in text
    assert text.count("young <&>") >= 3


def test_every_fit_has_a_text_and_html(fit):
    for name in (*fit, *fit.derived):
        assert name in str(fit)
        assert name in fit._repr_html_()


def test_html_is_escaped():
    page = oort(by="kind")._repr_html_()
    assert "young &lt;&amp;&gt;" in page
    assert "<&>" not in page
    assert page.count("<table>") == page.count("</table>") == 1
    note = ak.Fit({"x": 1 * u.m}, notes=("<script>",))._repr_html_()
    assert "<script>" not in note
    assert "&lt;script&gt;" in note


# ---- files -----------------------------------------------------------------------------------------------


def test_written_and_read_is_the_same(fit, tmp_path):
    fit.write(tmp_path / "fit.ecsv")
    back = ak.Fit.read(tmp_path / "fit.ecsv")
    assert everything(back) == everything(fit)
    assert back == fit
    assert str(back) == str(fit)
    assert everything(pickle.loads(pickle.dumps(back))) == everything(fit)


def test_other_programs_read_the_table(tmp_path):
    fit = oort(by="kind")
    fit.write(tmp_path / "fit.ecsv")
    table = Table.read(tmp_path / "fit.ecsv", format="ascii.ecsv")
    assert np.array_equal(table["A"], fit["A"].value)
    assert table["A"].unit == SHEAR


def test_a_fit_from_a_file_is_drawn_by_its_estimator(tmp_path):
    pytest.importorskip("matplotlib")
    fit = oort()
    fit.write(tmp_path / "fit.ecsv")
    drawn = [f.plot().axes[0].get_xlabel() for f in (fit, ak.Fit.read(tmp_path / "fit.ecsv"))]
    assert drawn[0] == drawn[1]
    assert "longitude" in drawn[0]


def test_a_name_that_does_not_end_in_ecsv(tmp_path):
    for action in (ak.Fit({"x": 1 * u.m}).write, ak.Fit.read):
        with pytest.raises(FileError, match=r"let the name end in \.ecsv"):
            action(tmp_path / "fit.csv")


def test_a_file_that_is_there_is_kept_unless_told(tmp_path):
    path = tmp_path / "fit.ecsv"
    ak.Fit({"x": 1 * u.m}).write(path)
    with pytest.raises(FileError, match="overwrite=True"):
        ak.Fit({"x": 2 * u.m}).write(path)
    assert ak.Fit.read(path)["x"] == 1 * u.m
    ak.Fit({"x": 2 * u.m}).write(path, overwrite=True)
    assert ak.Fit.read(path)["x"] == 2 * u.m


def test_no_permission_no_directory_no_file(tmp_path, monkeypatch):
    fit = ak.Fit({"x": 1 * u.m})
    with pytest.raises(FileError, match="is no directory"):
        fit.write(tmp_path / "nowhere" / "fit.ecsv")
    with pytest.raises(FileError, match="There is no file"):
        ak.Fit.read(tmp_path / "fit.ecsv")
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    with pytest.raises(FileError, match="no permission"):
        fit.write(tmp_path / "fit.ecsv")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "fit.ecsv"
    ak.Fit({"x": 1 * u.m}).write(path)

    def interrupted(self, file, **kwargs):
        file.write("half of it")
        raise KeyboardInterrupt

    monkeypatch.setattr("astropy.table.Table.write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ak.Fit({"x": 2 * u.m}).write(path, overwrite=True)
    assert [p.name for p in tmp_path.iterdir()] == ["fit.ecsv"]
    assert ak.Fit.read(path)["x"] == 1 * u.m


def test_a_table_that_is_no_fit(tmp_path):
    Table({"a": [1, 2]}).write(tmp_path / "other.ecsv", format="ascii.ecsv")
    with pytest.raises(FileError, match="not of an astrokin fit"):
        ak.Fit.read(tmp_path / "other.ecsv")


@pytest.mark.parametrize("name", ["plain", "bins", "profile"])
def test_a_file_cut_short_anywhere_is_found_out(name, tmp_path):
    fit, path = FITS[name](), tmp_path / "fit.ecsv"
    fit.write(path)
    whole = path.read_text()
    assert ak.Fit.read(path) == fit
    for end in np.linspace(0, len(whole) - 3, 25).astype(int):
        path.write_text(whole[:end])
        with pytest.raises(FileError):
            ak.Fit.read(path)


def test_an_edited_table_is_found_out(tmp_path):
    path = tmp_path / "fit.ecsv"
    ak.Fit({"x": 1.25 * u.m}, [[0.25]]).write(path)
    text = path.read_text()
    path.write_text(text.replace("\nx 1.25", "\nx 1.5"))
    with pytest.raises(FileError, match="was edited"):
        ak.Fit.read(path)
    path.write_text(text.replace("version: 1", "version: 2"))
    with pytest.raises(FileError, match="format 2; this astrokin knows format 1"):
        ak.Fit.read(path)


@pytest.mark.parametrize(
    "label", ["null", "x\ny", "N/A", " b", "b ", "nan", "", "--", 'a "b", c', "a\tb", "é", "None", "1"]
)
def test_a_file_takes_every_label(label, tmp_path):
    fit = ak.Fit({"x": [1.0, 2.0] * u.m}, np.ones((2, 1, 1)), groups=["a", label], by="kind")
    fit.write(tmp_path / "fit.ecsv")
    again = ak.Fit.read(tmp_path / "fit.ecsv")
    assert again.groups == ["a", label]
    assert everything(again) == everything(fit)


def test_an_empty_file_is_no_fit(tmp_path):
    (tmp_path / "fit.ecsv").write_text("")
    with pytest.raises(FileError, match=r"fit\.ecsv is empty"):
        ak.Fit.read(tmp_path / "fit.ecsv")
