"""The reference has every public name."""

import ast
import re
from pathlib import Path

import pytest

import astrokin as ak

PAGES = (Path(__file__).parents[2] / "docs" / "reference" / "api").glob("*.rst")
ENTRY = re.compile(r"^\.\. (?:auto|py:)\w+:: (astrokin[\w.]*)", re.MULTILINE)
DOCUMENTED = {name for page in PAGES for name in ENTRY.findall(page.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("name", ak.__all__)
def test_every_public_name_has_an_entry(name):
    assert f"astrokin.{name}" in DOCUMENTED


@pytest.mark.parametrize("name", ak.testing.__all__)
def test_so_has_the_kit(name):
    shown_elsewhere = {"ConformanceError"}  # with the other errors
    assert f"astrokin.testing.{name}" in DOCUMENTED or name in shown_elsewhere


def test_so_has_the_toolbox():
    structure = (Path(__file__).parents[1] / "test_structure.py").read_text(encoding="utf-8")
    toolbox = ast.literal_eval(re.search(r"^TOOLBOX = (\{.*?\})$", structure, re.MULTILINE | re.DOTALL)[1])
    assert {f"astrokin.{name}" for name in toolbox} <= DOCUMENTED
