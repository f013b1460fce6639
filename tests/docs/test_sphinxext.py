"""The Sphinx extension: a whole page for everything registered, for a stranger's plugin too."""

import inspect
import io
import re
from dataclasses import dataclass
from types import SimpleNamespace

import astropy.units as u
import numpy as np
import pytest

import astrokin as ak
from astrokin import registry

pytest.importorskip("sphinx")
pytest.importorskip("numpydoc")
from sphinx.application import Sphinx

from astrokin.sphinxext import citations, figures, pages, write_pages

KINDS = {"effect": registry.effect_classes(), "estimator": registry.estimator_classes()}
REGISTERED = [pytest.param(kind, name, id=name) for kind, classes in KINDS.items() for name in classes]


@dataclass(frozen=True)
class Stretch(ak.Effect):
    r"""Stretch proper motions by a factor.

    .. math:: \mu' = (1 + k)\mu

    Notes
    -----
    Domain: everything.

    Examples
    --------
    >>> 1 + 1
    2
    """

    name = "stretch"
    stage = ak.Stage.DETECTOR
    needs = frozenset({"proper_motion"})
    references = ("2003ApJ...599..275O", "2020MNRAS.123..456X", "my notes")
    factor: u.Quantity = ak.parameter(1 * u.percent, doc="by how much")

    def forward(self, stars):
        return stars.replace(proper_motion=stars.raw.proper_motion * (1 + self.factor.to_value(u.one)))


class Silent(Stretch):
    """An effect that cannot be drawn."""

    name = "silent"

    def forward(self, stars):
        raise ValueError("no such luck")


@pytest.fixture
def stranger(monkeypatch):
    """A registry with somebody else's plugin in it."""

    class Module:
        @staticmethod
        @ak.hookimpl
        def astrokin_effects():
            return [Stretch, Silent]

    class EntryPoint:
        name, module, dist = "stretch", "astrokin_stretch", None

        def load(self):
            return Module

    monkeypatch.setattr(registry, "_registry", registry.Registry(entry_points=lambda: [EntryPoint()]))


def built(tmp_path, name, **config):
    """Build a little documentation; return its pages and the warnings."""
    source = tmp_path / name
    source.mkdir()
    (source / "conf.py").write_text('extensions = ["astrokin.sphinxext"]\nnumpydoc_show_class_members = False\n')
    (source / "index.rst").write_text("Index\n=====\n\n.. astrokin-index:: effect\n.. astrokin-index:: estimator\n")
    warnings = io.StringIO()
    config = {"astrokin_pages": "made", "html_theme": "basic", **config}
    app = Sphinx(source, source, tmp_path / "out", tmp_path / "doctrees", "html", config, None, warnings)
    app.build()
    return source, tmp_path / "out", warnings.getvalue()


# ---- the text of a page ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), REGISTERED)
def test_everything_registered_has_a_page_with_its_exact_signature(kind, name):
    cls = KINDS[kind][name]
    head = pages.page(kind, name).partition("\n")[0]
    assert head == f".. py:class:: {pages.public_name(cls)}{pages.signature(cls)}"
    shown = re.findall(r"(\w+)=", pages.signature(cls))
    assert shown == [p.name for p in inspect.signature(cls).parameters.values() if p.default is not p.empty]


@pytest.mark.parametrize(("kind", "name"), REGISTERED)
def test_its_page_tells_every_parameter_and_reference(kind, name):
    cls, text = KINDS[kind][name], pages.page(kind, name)
    for parameter, spec in cls.specs():
        row = text.partition(f"   * - ``{parameter}``\n")[2].partition("\n   * -")[0]
        assert row.startswith("     - \n" if spec.unit is None or spec.plain else f"     - ``{spec.unit}``\n")
    assert "````" not in text
    assert " ``\n" not in text
    assert text.count("\n* ") == len(set(cls.references))


@pytest.mark.parametrize(("kind", "name"), REGISTERED)
def test_its_page_has_equation_and_example(kind, name):
    text = pages.page(kind, name)
    if KINDS[kind][name].__module__.startswith("astrokin."):
        assert ":math:" in text or ".. math::" in text
        assert "Domain and notes\n" in text
        assert "\n>>> " in text.partition("Example\n-------\n")[2]


@pytest.mark.parametrize(("kind", "name"), REGISTERED)
def test_its_figure_can_be_drawn(kind, name):
    instance = figures.drawable(KINDS[kind][name])
    draw = {"effect": figures.of_effect, "estimator": figures.of_estimator}[kind]
    assert instance is None or draw(instance).axes


def test_an_effect_that_changes_one_observable_has_one_panel():
    titles = [ax.get_title() for ax in figures.of_effect(Stretch()).axes if ax.name == "mollweide"]
    assert titles == ["change of the proper motion"]


def test_an_effect_that_does_nothing_has_no_figure():
    assert figures.of_effect(Stretch(factor=0 * u.percent)) is None


def test_arrows_point_where_the_change_goes():
    figure = figures.of_effect(ak.effects.ReflexMotion())
    ax = figure.axes[0]
    arrows = next(c for c in ax.collections if hasattr(c, "angles"))
    # Motions flow away from the solar apex, at l = 48 degrees, b = 23 degrees.
    x, y = arrows.XY.T - np.radians([[-47.9], [23.4]])
    near = np.hypot(x, y) < 0.5
    outward = np.cos(np.radians(np.asarray(arrows.angles)[near]) - np.arctan2(y, x)[near])
    assert near.sum() > 4
    assert (outward > 0.7).all()


# ---- references ------------------------------------------------------------------------------------------


def test_references_are_formatted():
    known, bibcode, note = citations.listed(Stretch.references)
    assert known.startswith("* Olling, R. P. & Dehnen, W. 2003, *The Oort Constants Measured from Proper Motions*")
    assert known.endswith("275–296. `doi:10.1086/379278 <https://doi.org/10.1086/379278>`__")
    assert bibcode == "* `2020MNRAS.123..456X <https://ui.adsabs.harvard.edu/abs/2020MNRAS.123..456X>`__"
    assert note == "* my notes"


def test_accents_are_letters():
    assert "Schönrich, R." in citations.listed(["2010MNRAS.403.1829S"])[0]


# ---- whole documentations --------------------------------------------------------------------------------


def test_a_plugin_gets_its_pages_for_nothing(tmp_path, stranger):
    source, out, warnings = built(tmp_path, "docs", astrokin_distributions=["astrokin_stretch"])
    assert sorted(p.name for p in (source / "made" / "effects").iterdir()) == ["silent.rst", "stretch.rst"]
    page = (out / "made" / "effects" / "stretch.html").read_text(encoding="utf-8")
    assert "Stretch" in page
    assert "By how much." in page
    assert "stretch.png" in page
    index = (out / "index.html").read_text(encoding="utf-8")
    assert "made/effects/stretch.html" in index
    assert "reflex-motion" not in index
    assert "no figure of silent: ValueError: no such luck" in warnings
    assert len(warnings.strip().splitlines()) == 1


def test_pages_of_what_is_gone_are_deleted_and_nothing_else(tmp_path, stranger):
    folder = tmp_path / "made" / "effects"
    folder.mkdir(parents=True)
    (folder / "old.rst").write_text(".. made by astrokin.sphinxext\n\nold\n===\n")
    (folder / "own.rst").write_text(":orphan:\n\nown\n===\n")
    config = SimpleNamespace(astrokin_pages="made", astrokin_distributions=["astrokin_stretch"])
    write_pages(SimpleNamespace(config=config, srcdir=tmp_path))
    assert sorted(p.name for p in folder.iterdir()) == ["own.rst", "silent.rst", "stretch.rst"]
