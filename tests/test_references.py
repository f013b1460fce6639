"""The BibTeX file: every key that a registered class names is there, and nothing is dropped silently."""

import re
from pathlib import Path

import pytest

import astrokin as ak
from astrokin import references
from astrokin.registry import effect_classes, estimator_classes

CLASSES = [*effect_classes().values(), *estimator_classes().values()]
OURS = [cls for cls in CLASSES if cls.__module__.startswith("astrokin.")]


@pytest.mark.parametrize("cls", OURS, ids=lambda cls: cls.name)
def test_the_references_of_every_class_are_known(cls):
    assert cls.references, f"{cls.__name__} names no reference"
    assert not set(cls.references) - references.known()


@pytest.mark.parametrize("key", sorted(references.known()))
def test_every_entry_is_whole(key):
    entry = references.bibtex([key])
    assert entry.startswith("@")
    assert re.search(r"\btitle = \{.+?\},", entry, re.DOTALL)
    assert entry.count("{") == entry.count("}")
    assert entry.endswith("}")
    assert entry.count("@") - key.count("@") == 1


@pytest.mark.parametrize("key", sorted(k for k in references.known() if k[:4].isdigit()))
def test_bibcodes_are_bibcodes_of_their_year(key):
    assert len(key) == 19
    assert f"year = {{{key[:4]}}}" in references.bibtex([key])


def test_each_key_comes_once_and_in_order():
    text = references.bibtex(["source-004", "astrokin", "source-004"])
    assert re.findall(r"^@misc\{(.+),", text, re.MULTILINE) == ["source-004", "astrokin"]


def test_no_entry_is_written_twice():
    text = (Path(references.__file__).parent / "references.bib").read_text(encoding="utf-8")
    keys = re.findall(r"^@\w+\{(.+?),", text, re.MULTILINE)
    assert len(keys) == len(set(keys)) == len(references.known())


def test_an_unknown_key_becomes_a_comment():
    assert references.bibtex(["2099ApJ...999..999X"]).startswith("% 2099ApJ...999..999X: astrokin has no entry")
    assert "adsabs" in references.bibtex(["2099ApJ...999..999X"])
    assert "\n" not in references.bibtex(["two\nlines"])


def test_a_fit_cites_its_estimator_and_its_tools():
    fit = ak.Fit({}, provenance={"references": ["2003ApJ...599..275O", "mine"]})
    cited = fit.cite()
    assert "Olling" in cited
    assert "% mine" in cited
    assert "{astrokin," in cited
    assert "{2022ApJ...935..167A," in cited
