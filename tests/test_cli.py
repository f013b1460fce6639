"""The command line: what it does, and one clear line for whatever is wrong."""

import inspect
import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import astropy.units as u
import numpy as np
import pytest
from astropy.io import fits
from astropy.table import Table
from astropy.time import Time
from click.testing import CliRunner

import astrokin as ak
from astrokin import references
from astrokin.cli import main, report, trial
from astrokin.cli.settings import _repeated, made, spoken
from astrokin.errors import InputError
from astrokin.registry import effect_classes, estimator_classes

ROOT = Path(ak.__file__).parent.parent
OORT = "oort-constants"


# click before 8.2 joins the two outputs unless told otherwise
APART = {"mix_stderr": False} if "mix_stderr" in inspect.signature(CliRunner).parameters else {}


def run(*args):
    return CliRunner(**APART).invoke(main, [str(a) for a in args])


def done(*args):
    result = run(*args)
    assert result.exit_code == 0, result.output
    assert result.stderr == ""
    return result.stdout


def wrong(*args):
    """The one line that a wrong call prints."""
    result = run(*args)
    assert result.exit_code == 2, result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("astrokin: ")
    return lines[0]


@pytest.fixture(scope="module")
def sample():
    stars, _ = ak.estimators.OortConstants().simulate(400, np.random.default_rng(3))
    kind = np.array(["young", "old"])[np.arange(400) % 2]
    return stars.replace(columns={**stars.columns, "kind": kind, "BV": np.linspace(0, 1, 400)})


@pytest.fixture
def files(sample, tmp_path):
    """One sample in files of every kind that matters here."""
    for name in ("stars.parquet", "stars.ecsv", "stars.fits", "stars.csv"):
        sample.write(tmp_path / name)
    return tmp_path


def outputs(folder):
    return {p.name for p in folder.iterdir()} - {"stars.parquet", "stars.ecsv", "stars.fits", "stars.csv"}


# ---- list and show ---------------------------------------------------------------------------------------


def test_list_names_everything_registered():
    text = done("list")
    for name in (*effect_classes(), *estimator_classes()):
        assert f"  {name} " in text


@pytest.mark.parametrize("name", [*effect_classes(), *estimator_classes()])
def test_show_tells_all_about_each(name):
    cls = {**effect_classes(), **estimator_classes()}[name]
    text = done("show", name)
    assert text.startswith(f"{name} (")
    assert cls.__doc__.strip().splitlines()[0] in text
    for parameter, spec in cls.specs():
        line = next(line for line in text.splitlines() if line.startswith(f"  {parameter} "))
        assert spec.doc in line
        assert spec.unit is None or str(spec.unit) in line
    for key in cls.references:
        assert key in text
    assert set(cls.references) <= references.known() or "no entry" in text


def test_show_says_what_is_required_and_what_is_allowed():
    text = done("show", "perspective-acceleration")
    assert "epoch            (required)" in text
    assert "stage: MOTION" in text
    assert "(lsr, galactocentric)" in done("show", "reflex-motion")


def test_show_prints_equations_results_and_domain():
    text = done("show", "reflex-motion")
    assert "\n\n    \\boldsymbol\\mu_\\mathrm{obs} = " in text
    assert "\nnotes:\n  Domain: any direction and parallax" in text
    assert ":math:" not in text
    assert ".. math" not in text
    text = done("show", OORT)
    assert "`A B C K` (km/s/kpc)" in text.partition("\nreturns:\n")[2]
    own, _, common = text.partition("\noptions of every estimator (--set name=value):\n")
    assert "\n  use " in own
    assert "  max_distance             none  leave out farther stars [kpc]" in common


@pytest.mark.parametrize("name", [*effect_classes(), *estimator_classes()])
def test_show_leaves_no_sentence_hanging(name):
    for before, after in pairwise(done("show", name).split("\n\n")):
        assert not before.endswith(":") or after.startswith("    "), before


def test_show_tells_what_counts_as_an_epoch():
    text = done("show", "perspective-acceleration")
    assert "the epoch to carry the stars to [Time, or Julian year TCB]" in text


def test_show_of_nothing_known():
    assert "'reflex-moton'; there are: reflex-motion" in wrong("show", "reflex-moton")


# ---- apply and remove ------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["stars.parquet", "stars.ecsv", "stars.fits", "stars.csv"])
@pytest.mark.parametrize("target", ["out.parquet", "out.ecsv", "out.fits", "out.csv"])
def test_apply_is_what_apply_does(files, sample, source, target):
    args = ("perspective-acceleration", files / source, files / target, "--set", "epoch=J2050")
    assert "400 rows" in done("apply", *args)
    expected = ak.effects.PerspectiveAcceleration(epoch=Time("J2050")).apply(sample)
    out = ak.Stars.read(files / target)
    for name in ("ra", "dec", "parallax", "pmra", "pmdec", "radial_velocity"):
        assert np.allclose(getattr(out, name).value, getattr(expected, name).value, rtol=1e-12, atol=1e-12)
    assert np.abs(out.ra - sample.ra).max() > 1e-6 * u.deg
    assert np.all(out.epoch == expected.epoch)
    assert list(out["kind"]) == list(sample["kind"])


@pytest.mark.parametrize("suffix", ["parquet", "fits"])
def test_remove_goes_back(files, sample, suffix):
    done("apply", "reflex-motion", files / f"stars.{suffix}", files / f"seen.{suffix}")
    done("remove", "reflex-motion", files / f"seen.{suffix}", files / f"back.{suffix}")
    seen, back = (ak.Stars.read(files / f"{name}.{suffix}") for name in ("seen", "back"))
    assert np.abs(seen.radial_velocity - sample.radial_velocity).max() > 5 * u.km / u.s
    assert np.abs(back.radial_velocity - sample.radial_velocity).max() < 1e-10 * u.km / u.s
    assert np.abs(back.pmra - sample.pmra).max() < 1e-10 * u.mas / u.yr


def test_what_was_left_out_stands_in_the_history_of_a_fits_file(files):
    observer = "observer=2026-03-21T03:00,lon=-70.4deg,lat=-24.6deg,height=2635m,pressure=743hPa,temperature=10deg_C,"
    observer += "relative_humidity=0.1,obswl=0.55micron"
    told = run("apply", "atmospheric-refraction", files / "stars.fits", files / "seen.fits", "--set", observer).stderr
    assert len(told.splitlines()) == 1  # what is refused, and nothing about the header
    again = run("remove", "atmospheric-refraction", files / "seen.fits", files / "back.fits", "--set", observer).stderr
    assert "AstropyUserWarning" not in again
    history = fits.getheader(files / "seen.fits", 1)["HISTORY"]
    assert "rows refused: lower than 2.87 deg above the horizon" in str(history)


def test_years_to_come_are_no_reason_for_a_note(files):
    done("apply", "perspective-acceleration", files / "stars.csv", files / "a.csv", "--set", "epoch=2099-01-01")
    done("apply", "annual-parallax", files / "stars.csv", files / "b.csv", "--set", "observer=2099-01-01")


def test_a_vector_with_a_unit(files):
    done("apply", "reflex-motion", files / "stars.csv", files / "a.csv", "--set", "solar_motion=0,0,0.01 pc/Myr")
    moved = ak.Stars.read(files / "a.csv").radial_velocity - ak.Stars.read(files / "stars.csv").radial_velocity
    assert 0 < np.abs(moved).max() <= (0.01 * u.pc / u.Myr).to(u.km / u.s)


@pytest.mark.parametrize("source", ["stars.parquet", "stars.csv"])
def test_rows_that_are_not_changed_are_told_in_one_line(files, source):
    table = Table.read(files / "stars.csv", format="ascii.csv")
    table["parallax"][:3] = -1.0
    ak.Stars.of(table).write(files / source, overwrite=True)
    result = run("apply", "perspective-acceleration", files / source, files / f"out-{source}", "--set", "epoch=2050")
    assert result.exit_code == 0
    (line,) = result.stderr.splitlines()
    assert line.startswith("astrokin: warning: apply perspective-acceleration: ")
    assert " of 400 rows: " in line


def test_own_names_of_columns(files):
    table = Table.read(files / "stars.csv", format="ascii.csv")
    table.rename_columns(["ra", "dec"], ["x", "y"])
    table.write(files / "own.csv", format="ascii.csv")
    several = ("--names", "ra=x", "dec=y")
    done("apply", "reflex-motion", files / "own.csv", files / "one.csv", *several)
    done("apply", "reflex-motion", *several, "--overwrite", files / "own.csv", files / "one.csv")
    done("apply", "reflex-motion", files / "own.csv", files / "two.csv", "--names", "ra=x", "--names", "dec=y")
    assert (files / "one.csv").read_text() == (files / "two.csv").read_text()


def test_several_pairs_after_one_flag():
    given = ["fit", "--names", "ra=x", "dec=y", "in=1.csv", "--set", "a=1", "--out", "b=2", "c.csv"]
    assert list(_repeated(given)) == [
        "fit", "--names", "ra=x", "--names", "dec=y", "--names", "in=1.csv", "--set", "a=1", "--out", "b=2", "c.csv",
    ]  # fmt: skip


# ---- fit and simulate ------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["stars.parquet", "stars.ecsv"])
def test_fit_prints_writes_and_draws(files, sample, source):
    text = done("fit", OORT, files / source, "--set", "use=pm", "--out", files / "o.ecsv", "--plot", files / "o.png")
    expected = ak.estimators.OortConstants(use="pm").fit(sample)
    written = ak.Fit.read(files / "o.ecsv")
    assert text == f"{written}\n"
    assert np.isclose(written["A"].value, expected["A"].value, rtol=1e-9)
    assert (files / "o.png").read_bytes().startswith(b"\x89PNG")


def test_common_options_of_estimators(files, sample):
    done("fit", OORT, files / "stars.fits", "--set", "max_distance=1.2 kpc", "by=kind", "--out", files / "o.ecsv")
    fit = ak.Fit.read(files / "o.ecsv")
    assert fit.groups == ["old", "young"]
    assert fit.used == int(np.sum(sample.parallax.value * 1.2 >= 1.0))


def test_bins(files):
    done("fit", OORT, files / "stars.csv", "--set", "by=BV,0,0.5,1.01", "--out", files / "o.ecsv")
    assert ak.Fit.read(files / "o.ecsv").groups == [(0.0, 0.5), (0.5, 1.01)]


def test_simulate_is_the_estimators_own_and_repeats(tmp_path):
    for name in ("a.csv", "b.csv"):
        text = done("simulate", OORT, "50", tmp_path / name, "--seed", "7")
    done("simulate", OORT, "50", tmp_path / "c.csv", "--seed", "8")
    a, b, c = ((tmp_path / f"{k}.csv").read_text() for k in "abc")
    assert a == b != c
    expected, truth = ak.estimators.OortConstants().simulate(50, np.random.default_rng(7))
    assert np.array_equal(ak.Stars.read(tmp_path / "a.csv").parallax, expected.parallax)
    assert f"A       {truth['A']}" in text


# ---- demo ------------------------------------------------------------------------------------------------


def test_demo_covers_everything_registered(tmp_path):
    text = done("demo", "--n", "2000", "--report", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    for name, cls in estimator_classes().items():
        for _ in cls.examples():
            assert f"\n{name}" in text
        assert f"<h2>{name}" in page
    for name in effect_classes():
        assert name in text
        assert name in page
    assert "data:image/png;base64," in page
    assert "http" not in page.replace("https://ui.adsabs", "")
    assert "root mean square pull" in text


def test_demo_replaces_its_own_report_only(tmp_path):
    target = tmp_path / "r.html"
    target.write_text("my own notes")
    assert "is already there" in wrong("demo", "--n", "600", "--report", target)
    assert target.read_text() == "my own notes"
    target.write_text(report.page([], {}, "nothing"))
    done("demo", "--n", "600", "--report", target)
    assert "<h2>oort-constants" in target.read_text()


def test_demo_without_matplotlib_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    done("demo", "--n", "600", "--report", tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text()
    assert "No figure: MissingDependencyError: Plotting needs matplotlib" in page
    assert "<img" not in page


class Biased(ak.Estimator):
    """An estimator that is far off."""

    name = "biased"

    def collect(self, rows, params):
        return ak.Moments.of(rows.raw.radial_velocity, rows)

    def solve(self, summary, params):
        return ak.Fit({"mean": summary.mean[:, 0] * u.km / u.s}, summary.mean_covariance)

    def simulate(self, n, rng):
        stars, _ = ak.estimators.OortConstants().simulate(n, rng)
        return stars, {"mean": 1000 * u.km / u.s}


class Broken(Biased):
    """An estimator that fails."""

    name = "broken"

    def solve(self, summary, params):
        raise ZeroDivisionError("by nothing")


class BadEffect(ak.effects.ReflexMotion):
    """An effect that works for nobody."""

    name = "bad-effect"

    def forward(self, stars):
        raise ValueError("no stars on Tuesdays")


def test_demo_reports_what_goes_wrong(tmp_path, monkeypatch):
    classes = {"biased": Biased, "broken": Broken}
    monkeypatch.setattr("astrokin.registry.estimator_classes", lambda: classes)
    monkeypatch.setattr("astrokin.registry.effect_classes", lambda: {"bad-effect": BadEffect})
    result = run("demo", "--n", "50", "--report", tmp_path / "r.html")
    assert result.exit_code == 1
    assert "FAILED: ZeroDivisionError: by nothing" in result.stdout
    assert "2 went wrong: biased, broken" in result.stdout
    assert "without bad-effect: ValueError: no stars on Tuesdays" in result.stdout
    page = (tmp_path / "r.html").read_text()
    assert "ZeroDivisionError" in page
    assert "no stars on Tuesdays" in page
    assert '<tr class="wrong"><td>mean' in page


def test_an_example_that_cannot_be_made_is_told(monkeypatch):
    class NoExample(BadEffect):
        @classmethod
        def examples(cls):
            raise InputError("needs your data")

    class ByColumn(BadEffect):
        @classmethod
        def examples(cls):
            yield cls(solar_motion=(ak.column("a"), ak.column("b"), ak.column("c")))

    monkeypatch.setattr("astrokin.registry.effect_classes", lambda: {"no": NoExample, "by": ByColumn})
    effects, skipped = trial.effects_for_demo()
    assert effects == []
    assert skipped == {"no": "InputError: needs your data", "by": "its example needs the columns a, b, c"}


def test_pulls_are_against_the_truth():
    fit = ak.Fit({"x": [1.0, 4.0] * u.m}, np.array([[[0.25]], [[4.0]]]))
    rows = list(trial.compared(fit, {"x": 200 * u.cm, "not there": 1 * u.m}))
    assert [(r.name, r.pull) for r in rows] == [("x[0]", -2.0), ("x[1]", 1.0)]


# ---- what is wrong ---------------------------------------------------------------------------------------


def test_an_unknown_name_gets_the_closest_first(files):
    assert "'oort-constant'; there are: oort-constants" in wrong("fit", "oort-constant", files / "stars.csv")
    assert "'reflex'; there are: reflex-motion" in wrong("apply", "reflex", files / "stars.csv", files / "o.csv")
    assert "'max_distence'; it has: max_distance" in wrong("fit", OORT, files / "stars.csv", "--set", "max_distence=1")
    assert "No such option" in wrong("fit", OORT, files / "stars.csv", "--nmes", "ra=x")
    assert "No such command" in wrong("fti")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("max_distance=3 s", "max_distance is in s"),
        ("max_distance=far", "'far' is no value such as '1 kpc'"),
        ("max_distance=3 parsnip", "no value such as"),
        ("max_distance=-1 kpc", "a positive distance is needed"),
        ("dispersion=round", "'round'; it can be"),
        ("by=age,0,old", "no column, nor a column and edges"),
        ("by=age", "no column 'age'; they have: "),
        ("use", "no pair such as name=value"),
    ],
)
def test_a_wrong_setting(files, setting, message):
    assert message in wrong("fit", OORT, files / "stars.parquet", "--set", setting)


def test_a_setting_twice_and_a_needed_one_missing(files):
    assert "use is given twice" in wrong("fit", OORT, files / "stars.csv", "--set", "use=pm", "--set", "use=rv")
    line = wrong("apply", "perspective-acceleration", files / "stars.csv", files / "o.csv")
    assert "needs epoch: give --set epoch=…" in line
    assert "no time such as J2050" in wrong(
        "apply", "perspective-acceleration", files / "stars.csv", files / "o.csv", "--set", "epoch=soon"
    )


def test_a_missing_column_or_file(files):
    assert "ra_deg" in wrong("fit", OORT, files / "stars.csv", "--names", "ra=ra_deg")
    assert "ra_deg" in wrong("fit", OORT, files / "stars.parquet", "--names", "ra=ra_deg")
    assert "closest first: stars" in wrong("fit", OORT, files / "strs.csv")
    assert "is a directory" in wrong("fit", OORT, files)


@pytest.mark.parametrize("name", ["stars.parquet", "stars.fits", "stars.ecsv"])
@pytest.mark.parametrize("verb", ["fit", "apply"])
def test_a_truncated_file(files, name, verb):
    whole = (files / name).read_bytes()
    (files / name).write_bytes(whole[: len(whole) // 2] if name != "stars.ecsv" else whole[:300])
    args = (OORT, files / name) if verb == "fit" else ("reflex-motion", files / name, files / "out.parquet")
    assert "is it truncated" in wrong(verb, *args)
    assert outputs(files) == set()


def test_no_table(files):
    (files / "note.fits").write_text("Dear diary")
    (files / "note.txt").write_text("Dear diary")
    assert "no FITS table" in wrong("fit", OORT, files / "note.fits")
    assert "has no extension that astrokin knows" in wrong("fit", OORT, files / "note.txt")


@pytest.mark.parametrize("command", ["apply", "simulate", "fit", "plot", "demo"])
def test_outputs_are_checked_before_the_work(files, command, monkeypatch):
    def never(*args, **kwargs):
        raise AssertionError("work was begun")

    monkeypatch.setattr("astrokin.folding.fit", never)
    monkeypatch.setattr("astrokin.estimators.OortConstants.simulate", never)
    target = files / "stars.csv" / "out"  # below a file: nobody, not even root, can write there
    calls = {
        "apply": ("apply", "reflex-motion", files / "stars.csv", f"{target}.csv"),
        "simulate": ("simulate", OORT, "10", f"{target}.csv"),
        "fit": ("fit", OORT, files / "stars.csv", "--out", f"{target}.ecsv"),
        "plot": ("fit", OORT, files / "stars.csv", "--plot", f"{target}.png"),
        "demo": ("demo", "--report", f"{target}.html"),
    }
    assert "is no directory" in wrong(*calls[command])


def test_a_directory_without_permission(files, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)
    assert "gives no permission to write" in wrong("simulate", OORT, "10", files / "o.csv")
    assert outputs(files) == set()


def test_a_file_that_is_there_stays(files):
    before = (files / "stars.csv").read_bytes()
    assert "--overwrite" in wrong("simulate", OORT, "10", files / "stars.csv")
    assert "--overwrite" in wrong("apply", "reflex-motion", files / "stars.fits", files / "stars.csv")
    assert (files / "stars.csv").read_bytes() == before


def test_outputs_of_a_kind_that_is_not_known(files):
    assert "let the name end in .ecsv" in wrong("fit", OORT, files / "stars.csv", "--out", files / "o.txt")
    assert "let the name end in .png" in wrong("fit", OORT, files / "stars.csv", "--plot", files / "o.doc")
    assert "no extension that astrokin knows" in wrong("simulate", OORT, "10", files / "o.txt")


def test_numbers_that_cannot_be(files):
    assert "'many'" in wrong("simulate", OORT, "many", files / "o.csv")
    assert "0 is not in the range" in wrong("simulate", OORT, "0", files / "o.csv")


def test_an_estimator_that_cannot_be_simulated(monkeypatch, tmp_path):
    monkeypatch.setattr("astrokin.estimators.OortConstants.simulate", ak.Estimator.simulate)
    assert "cannot be simulated" in wrong("simulate", OORT, "10", tmp_path / "o.csv")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_interrupt_leaves_nothing_behind(files, suffix, monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    (files / f"old.{suffix}").write_bytes(b"the old one")
    place = {"csv": "csv.writer", "parquet": "pyarrow.parquet.ParquetWriter.write_table"}[suffix]
    monkeypatch.setattr(place, interrupted)
    result = run("apply", "reflex-motion", files / f"stars.{suffix}", files / f"old.{suffix}", "--overwrite")
    assert result.exit_code == 130
    assert result.stderr.split("\n", 1)[1] == "astrokin: interrupted; no file was left half-written.\n"
    assert outputs(files) == {f"old.{suffix}"}
    assert (files / f"old.{suffix}").read_bytes() == b"the old one"


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_signal_that_ends_it_leaves_nothing_behind(files, name):
    pytest.importorskip("pyarrow")
    code = (
        f"import os, signal, sys, time; sys.path.insert(0, {str(ROOT)!r}); from pyarrow import parquet\n"
        f"signal.signal(signal.{name}, signal.SIG_DFL)\n"
        f"end = lambda *_, **__: (os.kill(os.getpid(), signal.{name}), time.sleep(20))\n"
        "parquet.ParquetWriter.write_table = end\n"
        "from astrokin.cli import main; main()"
    )
    arguments = ["apply", "reflex-motion", "stars.parquet", "out.parquet"]
    ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=files)
    assert ended.stderr.splitlines()[-1] == f"astrokin: ended by {name}; no file was left half-written."
    assert ended.returncode == 128 + getattr(signal, name)
    assert outputs(files) == set()


def test_errors_speak_the_language_of_the_command_line(files):
    table = Table.read(files / "stars.csv", format="ascii.csv")
    table.rename_column("ra", "x")
    table.write(files / "own.csv", format="ascii.csv")
    line = wrong("fit", OORT, files / "own.csv")
    assert "--names ra=…" in line
    assert "names={" not in line
    line = wrong("remove", "perspective-acceleration", files / "stars.csv", files / "o.csv", "--set", "epoch=J2050")
    assert "give --set reference_epoch=…" in line
    assert "PerspectiveAcceleration(" not in line
    line = wrong("apply", "reflex-motion", files / "stars.csv", files / "o.csv", "--set", "frame=lrs")
    assert "--set frame is 'lrs'; it can be 'lsr'" in line
    line = wrong("apply", "reflex-motion", files / "stars.csv", files / "stars.fits")
    assert "already there; --overwrite replaces it" in line
    assert spoken("give Stars(…, epoch=…), a table, or Perspective(…, epoch=…)") == "give a table, or --set epoch=…"
    assert spoken("period=ak.column(…), or ak.column('P')") == "--set period=column:…, or column:P"


@pytest.mark.parametrize("command", [("list",), ("fit", OORT, "stars.csv")])
def test_a_bug_is_a_line_and_shown_in_full_on_request(files, command, monkeypatch):
    monkeypatch.chdir(files)
    monkeypatch.setattr("astrokin.registry.list_effects", lambda: 1 / 0)
    monkeypatch.setattr("astrokin.estimators.OortConstants.collect", lambda *_: 1 / 0)
    monkeypatch.delenv("ASTROKIN_TRACEBACK", raising=False)
    result = run(*command)
    assert result.exit_code == 1
    said = "ZeroDivisionError: division by zero (set ASTROKIN_TRACEBACK=1 to see where)"
    assert result.stderr == f"astrokin: internal error: {said}\n"
    monkeypatch.setenv("ASTROKIN_TRACEBACK", "1")
    assert isinstance(run(*command).exception, ZeroDivisionError)


# ---- as a program ----------------------------------------------------------------------------------------


def program(*args, cwd):
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from astrokin.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, args)], capture_output=True, text=True, cwd=cwd, check=False
    )


def test_as_a_program(tmp_path):
    first = program("simulate", OORT, "200", "s.csv", cwd=tmp_path)
    assert (first.returncode, first.stderr) == (0, "")
    second = program("fit", OORT, "s.csv", cwd=tmp_path)
    assert (second.returncode, second.stderr) == (0, "")  # no progress bar, as there is no terminal
    assert second.stdout.startswith("oort-constants: 200 rows used")
    third = program("fit", OORT, "t.csv", cwd=tmp_path)
    assert (third.returncode, third.stdout) == (2, "")
    assert third.stderr.startswith("astrokin: There is no file t.csv.")
    assert third.stderr.count("\n") == 1
    fourth = program(cwd=tmp_path)
    assert fourth.returncode in (0, 2)  # click before 8.2 takes a bare group as a call for help
    assert "Usage: astrokin" in fourth.stdout + fourth.stderr


def test_settings_are_read_as_declared():
    effect = made(ak.effects.ReflexMotion, {"solar_motion": "1,2,3 km/s"})
    assert effect == ak.effects.ReflexMotion(solar_motion=[1, 2, 3] * u.km / u.s)
    estimator = made(ak.estimators.OortConstants, {"parallax_zero_point": "column:zp", "clip": "3", "use": "pm,rv"})
    assert estimator.parallax_zero_point == ak.column("zp")
    assert (estimator.clip, estimator.use) == (3, ("pm", "rv"))
