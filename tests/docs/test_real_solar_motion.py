"""The numbers of the tutorial on the solar motion that come from real stars, and what it says of them."""

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import astrokin as ak

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data" / "hipparcos_gaia_dr3.csv.gz"
SCRIPT = ROOT / "docs" / "_real" / "solar_motion.py"
NUMBER = re.compile(r"-?\d[\d,]*\.?\d*")


@pytest.fixture(scope="module")
def made():
    if not DATA.exists():
        pytest.skip(f"the validation data ({DATA.name}) are not beside the checkout")
    script = runpy.run_path(str(SCRIPT))
    stars = ak.Stars.read(DATA, names=script["NAMES"])
    return script, stars


def numbers(text):
    return [float(found.replace(",", "")) for found in NUMBER.findall(text)]


def test_the_tables_are_those_of_the_page(made):
    script, stars = made
    now, then = script["text"](stars), script["TEXT"].read_text(encoding="utf-8")
    assert NUMBER.sub("#", now) == NUMBER.sub("#", then)
    # The last digit may go up or down.
    step = [10.0 ** -len(found.partition(".")[2]) for found in NUMBER.findall(then)]
    assert (np.abs(np.subtract(numbers(now), numbers(then))) <= 1.01 * np.array(step)).all()


def test_the_published_solar_motion_is_found(made):
    """(10.0, 5.2, 7.2) +- (0.4, 0.6, 0.4) of Dehnen & Binney, within two joint errors, as they did it."""
    script, stars = made
    fit = script["drift"](
        script["main_sequence"](stars), script["RELAXED"], ("pm",), dispersion="isotropic", scatter=True
    )
    for name, value, error in (("U_sun", 10.0, 0.4), ("V_sun", 5.2, 0.6), ("W_sun", 7.2, 0.4)):
        assert abs(fit[name].value - value) < 2 * np.hypot(error, fit.error[name].value)


def test_with_and_without_radial_velocities_agree(made):
    script, stars = made
    pm, rv = (
        script["drift"](script["main_sequence"](stars), script["RELAXED"], (use,), scatter=True) for use in ("pm", "rv")
    )
    for name in pm:
        assert abs(pm[name] - rv[name]) < 2 * np.hypot(pm.error[name], rv.error[name])
    both = [f.of_groups for f in (pm, rv)]
    off = (both[0]["V"] - both[1]["V"]) / np.hypot(both[0].error["V"], both[1].error["V"])
    assert np.abs(off).max() < 3
