"""The flat namespace: complete, lazy, and the same for people, programs and type checkers."""

import ast
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import astrokin as ak

SOURCE = Path(ak.__file__)


def python(code):
    """Run code in a fresh interpreter that finds the same astrokin, and return what it prints."""
    path = f"import sys; sys.path.insert(0, {str(SOURCE.parent.parent)!r})\n"
    done = subprocess.run([sys.executable, "-c", path + code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_import_loads_nothing_else():
    code = """
before = set(sys.modules)
import astrokin
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""
    assert set(python(code).split()) - {"importlib", "warnings"} == {"astrokin"}


@pytest.mark.parametrize("name", ak.__all__)
def test_every_public_name_resolves(name):
    assert getattr(ak, name) is not None


def test_dir_shows_what_is_public():
    assert set(ak.__all__) <= set(dir(ak))
    assert sorted(ak.__all__) == ak.__all__


def test_an_unknown_attribute_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"module 'astrokin' has no attribute 'stras'"):
        ak.stras
    assert not hasattr(ak, "stras")


def test_type_checkers_see_the_same_names():
    body = ast.parse(SOURCE.read_text()).body
    block = next(node for node in body if isinstance(node, ast.If))
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    homes = {alias.name: node.module for node in imports for alias in node.names}
    assert set(homes) == set(ak.__all__)
    assert {name: home for name, home in homes.items() if home} == ak._HOME


def test_no_module_takes_the_place_of_a_public_name():
    modules = {name for name in ak.__all__ if name not in ak._HOME}
    assert {name for name in ak.__all__ if find_spec(f"astrokin.{name}")} == modules


def test_functions_stay_functions_when_everything_is_loaded():
    code = """
import astrokin as ak
loaded = {name: getattr(ak, name) for name in ak.__all__}
print(ak.effect.__module__, ak.estimator.__module__, ak.plugins.__module__)
print(all(getattr(ak, name) is value for name, value in loaded.items()))
"""
    assert python(code).split() == ["astrokin.registry"] * 3 + ["True"]
