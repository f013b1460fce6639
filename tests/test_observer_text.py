"""Observers of the command line: a time, a named place or one on the Earth, and its air."""

import astropy.units as u
import numpy as np
import pytest
from astropy.coordinates import EarthLocation
from astropy.time import Time

import astrokin as ak
from astrokin.cli import main
from astrokin.errors import InputError

SPEC = dict(ak.effects.AnnualAberration.specs())["observer"]
PARANAL = EarthLocation.from_geodetic(-70.4 * u.deg, -24.6 * u.deg, 2635 * u.m)
AIR = {"pressure": 743 * u.hPa, "temperature": 10 * u.deg_C, "relative_humidity": 0.1, "obswl": 0.55 * u.micron}
WHOLE = (
    "2026-03-21,lon=-70.4deg,lat=-24.6deg,height=2635m,"
    "pressure=743hPa,temperature=10deg_C,relative_humidity=0.1,obswl=0.55micron"
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-21", ak.Observer(Time("2026-03-21"))),
        ("2026.5", ak.Observer(2026.5)),
        ("J2026.5,gaia", ak.Observer(Time("J2026.5"), "gaia")),
        ("column:t", ak.Observer(ak.column("t"))),
        ("column:t,gaia", ak.Observer(ak.column("t"), "gaia")),
        ("J2026.5, ephemeris=de440s", ak.Observer(Time("J2026.5"), ephemeris="de440s")),
        (WHOLE, ak.Observer(Time("2026-03-21"), PARANAL, **AIR)),
        (WHOLE.replace(",", ", ").replace("=-70.4deg", " = -70d24m"), ak.Observer(Time("2026-03-21"), PARANAL, **AIR)),
        ("2026.5,relative_humidity=10%", ak.Observer(2026.5, relative_humidity=0.1)),
        ("2026.5,lon=0deg,lat=90deg", ak.Observer(2026.5, EarthLocation.from_geodetic(0 * u.deg, 90 * u.deg))),
    ],
)  # fmt: skip
def test_from_text(text, expected):
    assert SPEC.from_text(text, "--set observer") == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("now", r"--set observer \(the time\): 'now' is no time such as"),
        ("gaia", r"'gaia' is no time such as"),
        ("2026-03-21,gaja", r"--set observer: location is 'gaja'; it can be an EarthLocation, 'gaia'"),
        ("2026-03-21,gaia,barycenter", r"is no observer such as 'J2026.5,gaia' or '2026-03-21,lon="),
        ("lon=1deg,lat=2deg", r"is no observer such as"),
        ("2026-03-21,lon=1deg", r"--set observer: lat is missing; a place on the Earth is '2026"),
        ("2026-03-21,height=3m", r"lon is missing"),
        ("2026-03-21,gaia,lon=1deg,lat=2deg", r"both the place 'gaia' and lon, lat are given; give one"),
        ("2026-03-21,lon=1deg,lat=91deg", r"lat=91deg is beyond a pole; -90deg to 90deg"),
        ("2026-03-21,lon=1,lat=2deg", r"lon='1' is no angle such as -70.4deg"),
        ("2026-03-21,lon=1deg,lat=2deg,height=3s", r"height='3s' is no length such as 2635m"),
        ("2026-03-21,lon=1deg,lat=2deg,lat=3deg", r"lat is given twice"),
        ("2026-03-21,longitude=1deg", r"has no 'longitude'; besides the time and a named place it has: lon, "),
        ("2026-03-21,pressure=743", r"--set observer: pressure='743' is no value with a unit such as 2635m, 743hPa"),
        ("2026-03-21,pressure=much", r"pressure='much' is no value with a unit such as"),
        ("2026-03-21,relative_humidity=1.5", r"--set observer: relative_humidity is 1.5; a number from 0 to 1"),
        ("2026-03-21,pressure=743m", r"--set observer: pressure is in m"),
        ("2026-03-21,obswl=-1micron", r"a positive wavelength is needed"),
    ],
)
def test_what_is_no_observer(text, words):
    with pytest.raises(InputError, match=words):
        SPEC.from_text(text, "--set observer")


def run(command):
    return main(command, standalone_mode=False)


def test_the_whole_way_through_the_command_line(tmp_path, capsys):
    stars, _ = ak.estimator("oort-constants").simulate(5, np.random.default_rng(1))
    stars.write(tmp_path / "in.ecsv")
    out = str(tmp_path / "out.ecsv")
    command = ["apply", "annual-aberration", str(tmp_path / "in.ecsv"), out, "--set", f"observer={WHOLE}"]
    assert run(command) == 0
    expected = ak.effects.AnnualAberration(ak.Observer(Time("2026-03-21"), PARANAL, **AIR)).apply(stars)
    assert abs(ak.Stars.read(out).ra - expected.ra).max() < 1e-12 * u.deg
    wrong = [*command[:4], "--overwrite", "--set", "observer=2150-01-01"]
    capsys.readouterr()
    assert run(wrong) == 2
    assert "2150-01-01" in (said := capsys.readouterr().err)
    assert "1900 to 2100" in said
    assert said.count("\n") == 1
