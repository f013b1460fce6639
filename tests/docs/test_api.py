"""The reference has every public name."""

import re
from pathlib import Path

import pytest

import astrokin as ak

API = (Path(__file__).parents[2] / "docs" / "reference" / "api.rst").read_text(encoding="utf-8")
DOCUMENTED = set(re.findall(r"^\.\. (?:auto|py:)\w+:: (astrokin[\w.]*)", API, re.MULTILINE))


@pytest.mark.parametrize("name", ak.__all__)
def test_every_public_name_has_an_entry(name):
    assert f"astrokin.{name}" in DOCUMENTED


@pytest.mark.parametrize("name", ak.testing.__all__)
def test_so_has_the_kit(name):
    shown_elsewhere = {"ConformanceError"}  # with the other errors
    assert f"astrokin.testing.{name}" in DOCUMENTED or name in shown_elsewhere
