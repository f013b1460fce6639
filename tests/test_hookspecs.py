"""The hooks are few, typed, and named as the documentation promises."""

import inspect

import pluggy

from astrokin import hookspecs
from astrokin.discovery import EFFECTS, ESTIMATORS


def test_there_are_exactly_the_two_hooks():
    found = {name for name in vars(hookspecs) if name.startswith("astrokin_")}
    assert found == {EFFECTS.hook, ESTIMATORS.hook} == {"astrokin_effects", "astrokin_estimators"}


def test_each_hook_takes_nothing_is_typed_and_documented():
    for kind in (EFFECTS, ESTIMATORS):
        hook = getattr(hookspecs, kind.hook)
        signature = inspect.signature(hook)
        assert not signature.parameters
        assert signature.return_annotation == f"list[type[{kind.base.partition(':')[2]}]]"
        assert hook.__doc__
        assert hook() == []


def test_pluggy_accepts_the_specification_and_an_implementation():
    class Plugin:
        @hookspecs.hookimpl
        def astrokin_effects(self):
            return [1]

    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(Plugin())
    manager.check_pending()
    assert manager.hook.astrokin_effects() == [[1]]
    assert manager.hook.astrokin_estimators() == []
