"""The registry: what it finds, in which order, and how it names what is wrong."""

import re
import threading
import types
import warnings
from dataclasses import dataclass
from importlib.metadata import EntryPoint

import pytest

import astrokin as ak
from astrokin import discovery
from astrokin.discovery import EFFECTS, ESTIMATORS
from astrokin.errors import AmbiguousNameError, PluginWarning, UnknownNameError, closest_first
from astrokin.listing import effects_table, estimators_table, plugins_table
from astrokin.registry import Registry, effect_class, effect_classes, estimator_class, estimator_classes


def make_effect(name, /, **attributes):
    """Return a concrete effect class of that name, all other things equal."""
    body = {
        "__doc__": f"Do {name}.\n\nMore words.",
        "name": name,
        "stage": ak.Stage.SOURCE,
        "needs": frozenset({"radial_velocity"}),
        "references": (),
        "forward": lambda self, stars: stars,
        "examples": classmethod(lambda cls: iter([cls()])),
    }
    return dataclass(frozen=True)(type(name.title().replace("-", ""), (ak.Effect,), body | attributes))


def make_plugin(effects=None, **hooks):
    """Return a module with an effects hook, and other functions as given."""
    module = types.ModuleType("fake_plugin")
    if effects is not None:
        module.astrokin_effects = ak.hookimpl(lambda: effects)
    vars(module).update(hooks)
    return module


class FakeEntryPoint:
    """An entry point of a distribution that is not installed."""

    def __init__(self, name, plugin, distribution="stranger", version="1.2"):
        self.name, self.plugin = name, plugin
        self.dist = types.SimpleNamespace(name=distribution, version=version)

    def load(self):
        if isinstance(self.plugin, BaseException):
            raise self.plugin
        return self.plugin


def registry_of(*entry_points, builtins=()):
    return Registry(builtins=builtins, entry_points=lambda: entry_points)


def broken(*entry_points, builtins=()):
    """Load a registry, and return it with the one warning it gave."""
    registry = registry_of(*entry_points, builtins=builtins)
    with pytest.warns(PluginWarning) as record:
        registry.plugins
    assert len(record) == 1
    return registry, str(record[0].message)


# What comes in


def test_nothing_is_read_before_the_first_look_up():
    calls = []
    registry = Registry(builtins=(), entry_points=lambda: calls.append(1) or [])
    assert not calls
    registry.plugins
    registry.plugins
    assert calls == [1]


def test_built_ins_come_in_through_the_hooks():
    registry = registry_of(builtins=discovery.BUILTINS)
    assert registry.find(EFFECTS, "reflex-motion") is ak.effects.ReflexMotion
    assert registry.find(ESTIMATORS, "oort-constants") is ak.estimators.OortConstants
    assert [plugin.source.entry_point for plugin in registry.plugins] == list(discovery.BUILTINS)


def test_a_plugin_adds_an_effect_and_its_keywords_reach_it():
    shift = make_effect("shift", __annotations__={"by": float}, by=1.0)
    registry = registry_of(FakeEntryPoint("one", make_plugin([shift])))
    assert registry.create(EFFECTS, "shift", {"by": 2.0}).by == 2.0
    assert registry.classes(EFFECTS) == {"shift": shift}


def test_order_is_by_distribution_and_name_whatever_the_installation_order():
    points = [
        FakeEntryPoint("b", make_plugin([]), "beta"),
        FakeEntryPoint("z", make_plugin([]), "Alpha"),
        FakeEntryPoint("a", make_plugin([]), "beta"),
    ]
    for entry_points in (points, points[::-1]):
        found = [(p.source.distribution, p.source.entry_point) for p in registry_of(*entry_points).plugins]
        assert found == [("Alpha", "z"), ("beta", "a"), ("beta", "b")]


def test_two_distributions_may_use_one_entry_point_name():
    registry = registry_of(
        FakeEntryPoint("kinematics", make_plugin([make_effect("one")]), "alpha"),
        FakeEntryPoint("kinematics", make_plugin([make_effect("two")]), "beta"),
    )
    assert list(registry.classes(EFFECTS)) == ["one", "two"]


def test_one_class_brought_twice_is_no_collision():
    shift = make_effect("shift")
    registry = registry_of(FakeEntryPoint("a", make_plugin([shift])), FakeEntryPoint("b", make_plugin([shift])))
    assert registry.find(EFFECTS, "shift") is shift


def test_an_entry_point_outside_any_distribution_is_called_by_its_module():
    registry = Registry(builtins=(), entry_points=lambda: [EntryPoint("x", "no_such_module_here", "astrokin")])
    with pytest.warns(PluginWarning, match="'x' of no_such_module_here is left out: ModuleNotFoundError"):
        registry.plugins


def test_an_optional_hook_of_another_version_is_passed_over():
    later = ak.hookimpl(optionalhook=True)(lambda: [])
    registry = registry_of(FakeEntryPoint("a", make_plugin([make_effect("one")], astrokin_models=later)))
    assert list(registry.classes(EFFECTS)) == ["one"]


# Broken plugins: one warning naming each, the rest works


def not_concrete():
    return type("Half", (ak.Effect,), {"name": "half"})


FAULTS = {
    "import error": (ImportError("no module named nothing"), "ImportError: no module named nothing"),
    "exit on import": (SystemExit(3), "SystemExit: 3"),
    "hook raises": (
        lambda: make_plugin(astrokin_effects=ak.hookimpl(lambda: 1 / 0)),
        "ZeroDivisionError: division",
    ),
    "returns a dict": (
        lambda: make_plugin({"a": 1}),
        r"astrokin_effects returned \{'a': 1\}, not a list of Effect",
    ),
    "returns nothing": (
        lambda: make_plugin(astrokin_effects=ak.hookimpl(lambda: None)),
        "returned None, not a list",
    ),
    "returns an instance": (lambda: make_plugin([make_effect("one")()]), "which is no subclass of Effect"),
    "returns an estimator": (
        lambda: make_plugin([ak.Estimator]),
        "Estimator'> in its list, which is no subclass",
    ),
    "returns an abstract class": (lambda: make_plugin([not_concrete()]), "Half lacks .*forward"),
    "nameless": (lambda: make_plugin([make_effect("one", name="")]), "One has no name"),
    "misspelt hook": (
        lambda: make_plugin(astrokin_efects=ak.hookimpl(lambda: [])),
        "there is no hook astrokin_efects; there are astrokin_effects, astrokin_estimators",
    ),
    "misspelt and undecorated": (
        lambda: make_plugin(astrokin_estimator=lambda: []),
        "no hook astrokin_estimator",
    ),
    "not a hook's name at all": (
        lambda: make_plugin(models=ak.hookimpl(lambda: [])),
        "there is no hook models",
    ),
    "decorator forgotten": (
        lambda: make_plugin(astrokin_effects=lambda: []),
        "lacks its decorator, @astrokin.hookimpl",
    ),
    "hook with an argument": (lambda: make_plugin(astrokin_effects=ak.hookimpl(lambda stars: [])), "'stars'"),
}


@pytest.mark.parametrize(("fault", "message"), FAULTS.values(), ids=FAULTS)
def test_a_broken_plugin_is_named_and_the_others_work(fault, message):
    fault = fault() if callable(fault) else fault
    good = FakeEntryPoint("good", make_plugin([make_effect("fine")]), "zeta")
    registry, warning = broken(FakeEntryPoint("bad", fault, "culprit"), good)
    assert warning.startswith("plugin 'bad' of culprit 1.2 is left out: ")
    assert re.search(message, warning)
    assert list(registry.classes(EFFECTS)) == ["fine"]
    table = plugins_table(registry)
    assert list(table["distribution"]) == ["culprit", "zeta"]
    assert table["error"][0] in warning
    assert table["error"][1] == ""


def test_a_broken_plugin_warns_once_only():
    registry, _ = broken(FakeEntryPoint("bad", ImportError("gone")))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        registry.plugins


def test_warnings_as_errors_leave_a_complete_registry():
    registry = registry_of(
        FakeEntryPoint("bad", ImportError("gone"), "a"),
        FakeEntryPoint("good", make_plugin([make_effect("fine")]), "b"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PluginWarning):
            registry.plugins
    assert list(registry.classes(EFFECTS)) == ["fine"]


def test_a_keyboard_interrupt_is_not_a_fault_of_the_plugin():
    with pytest.raises(KeyboardInterrupt):
        registry_of(FakeEntryPoint("slow", KeyboardInterrupt())).plugins


def test_a_broken_built_in_is_an_error():
    with pytest.raises(ModuleNotFoundError, match="no_such_module_here"):
        registry_of(builtins=("no_such_module_here",)).plugins


def test_a_plugin_that_looks_up_a_name_while_loading_is_told_so():
    class Curious(FakeEntryPoint):
        def load(self):
            registry.find(EFFECTS, "anything")

    registry = registry_of(Curious("curious", None))
    with pytest.warns(PluginWarning, match="looked up a name while it was being loaded"):
        registry.plugins


# Two classes of one name


def test_two_classes_of_one_name_are_an_error_naming_both():
    registry, warning = broken(
        FakeEntryPoint("a", make_plugin([make_effect("shift"), make_effect("fine")]), "alpha"),
        FakeEntryPoint("b", make_plugin([make_effect("shift")]), "beta", "7.0"),
    )
    with pytest.raises(AmbiguousNameError) as error:
        registry.create(EFFECTS, "shift", {})
    for text in (warning, str(error.value)):
        assert "two effects are called 'shift'" in text
        assert "'a' of alpha 1.2" in text
        assert "'b' of beta 7.0" in text
    assert list(registry.classes(EFFECTS)) == ["fine"]
    assert list(effects_table(registry)["name"]) == ["fine", "shift", "shift"]


def test_a_plugin_cannot_shadow_a_built_in():
    thief = make_effect("reflex-motion")
    registry, warning = broken(FakeEntryPoint("thief", make_plugin([thief])), builtins=discovery.BUILTINS)
    assert "ReflexMotion (plugin 'astrokin.effects' of astrokin" in warning
    with pytest.raises(AmbiguousNameError, match=r"'thief' of stranger 1\.2"):
        registry.find(EFFECTS, "reflex-motion")
    assert registry.find(EFFECTS, "perspective-acceleration") is ak.effects.PerspectiveAcceleration


# Blocking


@pytest.mark.parametrize("blocked", ["thief", "Some_Stranger", " some.stranger , other"])
def test_a_blocked_plugin_is_not_loaded_but_listed(monkeypatch, blocked):
    monkeypatch.setenv("ASTROKIN_BLOCK", blocked)
    registry = registry_of(FakeEntryPoint("thief", RuntimeError("loaded!"), "some-stranger"))
    assert list(plugins_table(registry)["error"]) == ["blocked by ASTROKIN_BLOCK"]


def test_built_ins_cannot_be_blocked(monkeypatch):
    monkeypatch.setenv("ASTROKIN_BLOCK", "astrokin,astrokin.effects")
    assert registry_of(builtins=discovery.BUILTINS).find(EFFECTS, "reflex-motion")


# Look-ups


def test_an_unknown_name_lists_what_exists_closest_first():
    registry = registry_of(FakeEntryPoint("a", make_plugin([make_effect(n) for n in ("zeta", "alpha", "beta")])))
    with pytest.raises(UnknownNameError, match=r"^there is no effect 'betta'; there are: beta, zeta, alpha$"):
        registry.find(EFFECTS, "betta")
    with pytest.raises(LookupError, match="there is no estimator 'x'; there are: none"):
        registry.find(ESTIMATORS, "x")


def test_what_begins_like_the_name_comes_first_whatever_the_case():
    assert closest_first("Oort", ["solar-motion", "oort-constants"]) == ["oort-constants", "solar-motion"]
    assert closest_first("", ["b", "a"]) == ["b", "a"]


def test_a_wrong_keyword_lists_what_is_taken_closest_first():
    annotations = {"speed": float, "angle": float}
    cls = make_effect("shift", __annotations__=annotations, speed=1.0, angle=0.0)
    registry = registry_of(FakeEntryPoint("a", make_plugin([cls])))
    with pytest.raises(TypeError, match=r"^.*Shift takes no keyword 'sped'; it takes: speed, angle$"):
        registry.create(EFFECTS, "shift", {"sped": 1})


def test_a_missing_keyword_is_named():
    registry = registry_of(FakeEntryPoint("a", make_plugin([make_effect("shift", __annotations__={"by": float})])))
    with pytest.raises(TypeError, match=r"Shift needs by$"):
        registry.create(EFFECTS, "shift", {})


def test_threads_share_one_loading():
    loads, found = [], []

    class Slow(FakeEntryPoint):
        def load(self):
            loads.append(threading.get_ident())
            threading.Event().wait(0.05)
            return self.plugin

    registry = registry_of(Slow("slow", make_plugin([make_effect("shift")])))
    threads = [threading.Thread(target=lambda: found.append(registry.find(EFFECTS, "shift"))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(loads) == 1
    assert len(found) == 8


# Tables


def test_tables_have_the_promised_columns():
    assert ak.list_effects().colnames == ["name", "class", "stage", "needs", "summary", "plugin"]
    assert ak.list_estimators().colnames == ["name", "class", "takes", "needs", "summary", "plugin"]
    assert ak.plugins().colnames == [
        "distribution",
        "entry_point",
        "version",
        "effects",
        "estimators",
        "error",
    ]


def test_an_effect_is_listed_with_what_it_says_of_itself():
    registry = registry_of(FakeEntryPoint("a", make_plugin([make_effect("shift")])))
    row = tuple(effects_table(registry)[0])
    assert row == ("shift", "Shift", "SOURCE", "radial_velocity", "Do shift.", "stranger")
    assert tuple(plugins_table(registry)[0]) == ("stranger", "a", "1.2", "shift", "", "")


def test_stages_between_the_named_ones_and_those_by_option_are_listed():
    between = make_effect("between", stage=int(ak.Stage.SOURCE) + 50)
    optional = make_effect("optional", stage=property(lambda self: ak.Stage.SOURCE), needs=property(lambda self: ()))
    registry = registry_of(FakeEntryPoint("a", make_plugin([between, optional])))
    table = {row["name"]: row for row in effects_table(registry)}
    assert table["between"]["stage"] == "150 (between SOURCE and REFLEX)"
    assert table["optional"]["stage"] == table["optional"]["needs"] == "by options"


def test_nothing_registered_gives_empty_tables():
    registry = registry_of()
    for table in (effects_table(registry), estimators_table(registry), plugins_table(registry)):
        assert len(table) == 0


def test_every_registered_class_is_found_by_its_name_and_says_what_it_does():
    for classes, find, table in (
        (effect_classes(), effect_class, ak.list_effects()),
        (estimator_classes(), estimator_class, ak.list_estimators()),
    ):
        assert all(find(name) is cls for name, cls in classes.items())
        assert set(classes) == set(table["name"])
        assert all(table["summary"])


@pytest.mark.parametrize(
    ("attributes", "told"),
    [
        ({"needs": "parallax"}, "needs = 'parallax': a frozenset"),
        ({"stage": "x"}, "stage = 'x': one of ak.Stage"),
    ],
)
def test_wrong_class_attributes_are_found_at_registration(attributes, told):
    cls = make_effect("wrong-attributes", **attributes)
    with pytest.raises(TypeError, match=told):
        discovery._checked(cls, EFFECTS, ak.Effect)
