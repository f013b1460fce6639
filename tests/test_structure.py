"""The shape of the package: imports point one way, in no circle, and built-ins stand where plugins stand."""

import ast
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import astrokin as ak

PACKAGE = Path(ak.__file__).parent

# From the top down; a module may import from lower lines, and from its own line where that makes no circle.
LAYERS = (
    ("cli", "sphinxext"),
    ("testing",),
    ("apparent",),
    ("effects", "estimators"),
    ("source_estimator",),
    ("chain", "effect_base", "estimator_base"),
    ("drift",),
    ("extrapolation",),
    ("estimator_kind",),
    ("folding", "source_folding", "verb_files", "verbs", "inversion", "derivatives", "propagation"),
    ("fit", "provenance", "replicates", "selection"),
    ("fit_file", "fit_output", "fit_plot"),
    ("registry", "listing"),
    ("discovery",),
    ("hookspecs",),
    ("engines",),
    ("progress",),
    ("epoch_tables",),
    ("tables", "doors"),
    ("distance_modes", "distance_table"),
    ("local_weights",),
    ("scanning", "simulation", "space_motion", "triangulation", "velocity_model"),
    ("stars", "epochs"),
    ("epoch_faults",),
    ("joining",),
    ("views",),
    ("star_fields",),
    ("observer",),
    ("horizon",),
    ("vantage",),
    ("heating", "places", "polynomials", "straight_line"),
    ("earth_rotation", "ephemeris", "observer_text"),
    ("summaries",),
    ("galaxy", "vertical"),
    ("distance_posterior",),
    ("distance_nodes",),
    ("distance_priors",),
    ("parameters",),
    ("parameter_spec",),
    ("parameter_values",),
    ("bending",),
    ("atmosphere",),
    ("displacement", "kepler", "refractivity"),
    ("labels", "layout", "optional", "references", "rounding", "stage"),
    ("angles", "covariance", "missing", "times", "units", "errors"),
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

# Circles that are the meaning of the thing, each with its reason; the import stands inside a function.
DECLARED = {("astrokin.effect_base", "astrokin.chain"): "a | b makes a Chain, and a Chain is an Effect"}

# What a plugin may import: the flat names, and these modules, the toolbox of whoever writes one.
TOOLBOX = {
    "angles",
    "bending",
    "displacement",
    "fit_plot",
    "kepler",
    "scanning",
    "simulation",
    "space_motion",
    "summaries",
    "times",
    "local_weights",
    "velocity_model",
    "vertical",
}


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@cache
def sources():
    return {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}


def running_nodes(tree):
    """Yield the nodes of a module, without what only type checkers see."""
    for node in ast.iter_child_nodes(tree):
        if not is_type_checking(node):
            yield node
            yield from running_nodes(node)


def imported_names(name, node):
    """Yield the full dotted names that a node of module ``name`` asks for; ``ak.Stars`` asks for one too."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.Attribute) and ast.unparse(node.value) in {"ak", "astrokin"}:
        yield f"astrokin.{node.attr}"
    elif isinstance(node, ast.ImportFrom):
        package = name if sources()[name].stem == "__init__" else name.rpartition(".")[0]
        for _ in range(node.level - 1):
            package = package.rpartition(".")[0]
        base = ".".join(filter(None, [package if node.level else "", node.module or ""]))
        yield from (f"{base}.{alias.name}" for alias in node.names)


@cache
def imports(name):
    """Return the full dotted names a module imports when it runs, inside functions too."""
    tree = ast.parse(sources()[name].read_text())
    return frozenset(full for node in running_nodes(tree) for full in imported_names(name, node))


def home(full):
    """Return the module of astrokin in which an imported name lives, through the flat names too."""
    if full.startswith("astrokin.") and full.split(".")[1] in ak._HOME:
        return f"astrokin.{ak._HOME[full.split('.')[1]]}"
    while full and full not in sources():
        full = full.rpartition(".")[0]
    return full


def arrows(name):
    found = {home(full) for full in imports(name)} - {"", name, "astrokin"}
    return {other for other in found if (name, other) not in DECLARED}


def room(name):
    """Return the part of the package a module belongs to: its first name below ``astrokin``."""
    return name.split(".")[1]


MODULES = [name for name in sources() if name != "astrokin"]


@pytest.mark.parametrize("name", MODULES)
def test_every_arrow_points_down(name):
    assert room(name) in LEVEL, f"say in LAYERS where {room(name)} stands"
    upward = {other for other in arrows(name) if LEVEL.get(room(other), 0) < LEVEL[room(name)]}
    assert not upward


def test_no_import_goes_in_a_circle():
    try:
        TopologicalSorter({name: arrows(name) for name in MODULES}).prepare()
    except CycleError as error:
        pytest.fail(" → ".join(error.args[1]))


def test_nothing_imports_a_plugin():
    top = {full.split(".")[0] for name in sources() for full in imports(name)}
    assert "plugins" not in top
    assert not {name for name in top if name.startswith("astrokin_")}


@pytest.mark.parametrize("name", [name for name in MODULES if room(name) in {"effects", "estimators"}])
def test_built_ins_import_only_what_a_plugin_may(name):
    own = f"astrokin.{room(name)}"
    for full in imports(name):
        if home(full).startswith("astrokin.") and not full.startswith(own):
            public = full.split(".")[1]
            assert public in {*ak.__all__, *TOOLBOX}, f"{full} is not public"


def test_the_package_root_imports_nothing_of_the_package():
    assert {full.split(".")[0] for full in imports("astrokin")} == {"importlib"}
