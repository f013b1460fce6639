"""Strangers' distributions, found on the path as pip would have left them, in a fresh interpreter.

Each test builds distributions from nothing but files: a module, and a ``dist-info`` folder with its
entry point.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import astrokin as ak

EFFECT = '''
from dataclasses import dataclass
import astrokin as ak

@dataclass(frozen=True)
class {cls}(ak.Effect):
    """Do nothing, as {name}."""
    name = "{name}"
    stage = ak.Stage.SOURCE
    needs = frozenset()
    references = ()

    def forward(self, stars):
        return stars

    @classmethod
    def examples(cls):
        yield cls()

@ak.hookimpl
def {hook}():
    return {returned}
'''

REPORT = """
import json, sys, warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import astrokin as ak
    from astrokin.registry import effect_class
    effects = [str(name) for name in ak.list_effects()["name"]]
def look_up(name):
    try:
        return effect_class(name).__name__
    except ak.errors.AstrokinError as error:
        return f"{type(error).__name__}: {error}"
print(json.dumps({
    "effects": effects,
    "plugins": {str(row["distribution"]): str(row["error"]) for row in ak.plugins()},
    "warnings": [str(w.message) for w in caught if issubclass(w.category, ak.errors.PluginWarning)],
    "look_ups": {name: look_up(name) for name in sys.argv[1:]},
}))
"""


def effect_module(name="nothing", cls="Nothing", hook="astrokin_effects", returned=None):
    return EFFECT.format(name=name, cls=cls, hook=hook, returned=returned or f"[{cls}]")


class Site:
    """A folder of distributions, and what astrokin says when it is on the path."""

    def __init__(self, folder):
        self.folder = folder

    def add(self, distribution, module, version="1.0", entry_point="main"):
        package = distribution.replace("-", "_")
        (self.folder / f"{package}.py").write_text(module)
        info = self.folder / f"{package}-{version}.dist-info"
        info.mkdir()
        info.joinpath("METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n")
        info.joinpath("entry_points.txt").write_text(f"[astrokin]\n{entry_point} = {package}\n")

    def report(self, *names, **environment):
        path = os.pathsep.join([str(self.folder), str(Path(ak.__file__).parent.parent)])
        done = subprocess.run(
            [sys.executable, "-c", REPORT, *names],
            env=os.environ | {"PYTHONPATH": path} | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def test_an_installed_plugin_works_at_once(site):
    site.add("stranger", effect_module())
    report = site.report("nothing", "reflex-motion")
    assert report["look_ups"] == {"nothing": "Nothing", "reflex-motion": "ReflexMotion"}
    assert report["plugins"]["stranger"] == ""
    assert report["warnings"] == []


FAULTS = {
    "import error": (
        "import no_such_module_here",
        "ModuleNotFoundError: No module named 'no_such_module_here'",
    ),
    "syntax error": ("def", "SyntaxError"),
    "wrong return type": (effect_module(returned="Nothing"), "TypeError: astrokin_effects returned"),
    "instances": (effect_module(returned="[Nothing()]"), "which is no subclass of Effect"),
    "misspelt hook": (effect_module(hook="astrokin_efects"), "there is no hook astrokin_efects"),
}


@pytest.mark.parametrize(("module", "message"), FAULTS.values(), ids=FAULTS)
def test_a_broken_plugin_is_named_and_takes_nothing_down(site, module, message):
    site.add("culprit", module)
    site.add("innocent", effect_module("fine", "Fine"))
    report = site.report("fine", "reflex-motion", "nothing")
    assert [warning.partition(":")[0] for warning in report["warnings"]] == ["plugin 'main' of culprit 1.0 is left out"]
    assert message in report["warnings"][0]
    assert message in report["plugins"]["culprit"]
    assert report["plugins"]["innocent"] == ""
    assert report["look_ups"]["fine"] == "Fine"
    assert report["look_ups"]["reflex-motion"] == "ReflexMotion"
    assert report["look_ups"]["nothing"].startswith("UnknownNameError: there is no effect 'nothing'")


def test_the_name_of_a_built_in_is_a_collision_not_a_shadow(site):
    site.add("thief", effect_module("reflex-motion", "Stolen"))
    report = site.report("reflex-motion", "perspective-acceleration")
    error = report["look_ups"]["reflex-motion"]
    assert error.startswith("AmbiguousNameError: two effects are called 'reflex-motion'")
    assert "plugin 'astrokin.effects' of astrokin" in error
    assert "plugin 'main' of thief 1.0" in error
    assert report["warnings"] == [error.partition(": ")[2]]
    assert report["look_ups"]["perspective-acceleration"] == "PerspectiveAcceleration"


@pytest.mark.parametrize("blocked", ["thief", "Thief , other", "main"])
def test_blocking_a_plugin_gives_the_name_back(site, blocked):
    site.add("thief", effect_module("reflex-motion", "Stolen"))
    report = site.report("reflex-motion", ASTROKIN_BLOCK=blocked)
    assert report["look_ups"]["reflex-motion"] == "ReflexMotion"
    assert report["plugins"]["thief"] == "blocked by ASTROKIN_BLOCK"
    assert report["warnings"] == []


def test_two_distributions_may_share_an_entry_point_name(site):
    site.add("first", effect_module("one", "One"), entry_point="kinematics")
    site.add("second", effect_module("two", "Two"), entry_point="kinematics")
    assert site.report("one", "two")["look_ups"] == {"one": "One", "two": "Two"}
