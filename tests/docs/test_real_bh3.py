"""The numbers of the tutorial on orbits that come from the epochs of Gaia BH3, and what it says of them."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
SCRIPT = ROOT / "docs" / "_real" / "bh3.py"
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*")


@pytest.fixture(scope="module")
def script():
    made = runpy.run_path(str(SCRIPT))
    if not all((DATA / made[name]).exists() for name in ("POSITIONS", "VELOCITIES")):
        pytest.skip("the epochs of Gaia BH3 are not beside the checkout")
    return made


def test_the_table_is_that_of_the_page(script):
    now, then = script["text"](DATA), script["TEXT"].read_text(encoding="utf-8")
    assert NUMBER.sub("#", now) == NUMBER.sub("#", then)
    values = [np.array(NUMBER.findall(text), float) for text in (now, then)]
    # The last digit may go up or down.
    step = [10.0 ** -len(found.partition(".")[2]) for found in NUMBER.findall(then)]
    assert (np.abs(values[0] - values[1]) <= 1.01 * np.array(step)).all()


def test_what_is_published_is_found(script):
    single, alone, both = script["fits"](DATA)
    assert single.columns["unit_weight_error"] == pytest.approx(56, abs=1)
    for name, value in script["PUBLISHED"].items():
        found = {**alone.results, **alone.derived}[name].value
        assert f"{found:.{len(value.partition('.')[2])}f}" == value
    for name in alone:
        assert abs(both[name] - alone[name]) < 2 * alone.error[name]


def test_the_figure_is_drawn(script):
    pytest.importorskip("matplotlib")
    search, sky, residuals = script["figure"](DATA).axes
    (fall, best) = search.lines
    assert best.get_ydata()[0] == fall.get_ydata().max()
    assert 2500 < best.get_xdata()[0] < 6500
    assert sky.get_xlim()[0] > 5
    assert np.abs(residuals.get_ylim()).max() < 2


def test_the_mass(script):
    """With a star of 0.8 solar masses: m^3/(0.8 + m)^2 is the mass function."""
    _, _, both = script["fits"](DATA)
    heavy = np.linspace(20, 50, 30_001)
    found = heavy[np.argmin(np.abs(heavy**3 / (0.8 + heavy) ** 2 - script["mass"](both)))]
    assert round(found) == 33
