"""References without a network: names of other packages are looked up in the packages as they are installed.

A name that cannot be imported stays unresolved and is reported, as with an inventory. Where a project's pages follow
a rule, the name becomes a link; else, as for parameters and what has no entry of its own here, it is set as code.
"""

import importlib
import inspect

from docutils import nodes

_PAGES = {
    "astrokin": None,
    "astropy": "https://docs.astropy.org/en/stable/api/{name}.html#{name}",
    "numpy": "https://numpy.org/doc/stable/reference/generated/{name}.html",
    "matplotlib": None,
    "pandas": "https://pandas.pydata.org/docs/reference/api/{name}.html",
    "pytest": None,
    "builtins": None,
}


def resolved(app, env, node, contnode):
    """The place of a name that Sphinx does not know: another package's, or inherited from a documented class."""
    if node.get("refdomain") != "py":
        return None
    for prefix in _prefixes(node):
        found = _found(prefix + node["reftarget"])
        if found is not None:
            return _inherited(app, env, node, contnode, *found) or _elsewhere(contnode, *found)
    return None


def _prefixes(node):
    """What a name may stand below, from the narrowest scope to the widest."""
    module, cls = node.get("py:module") or "", node.get("py:class") or ""
    inside = [f"{module}.{cls}.", f"{module}."] if module else [f"{cls}."] if cls else []
    return [*(p for p in inside if not p.startswith(".")), "", "astrokin.", "builtins."]


def _found(name):
    """The object of a dotted name with the name, or None."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            thing = importlib.import_module(".".join(parts[:end]))
        except (ImportError, ValueError):
            continue
        try:
            for part in parts[end:]:
                thing = inspect.getattr_static(thing, part) if inspect.isclass(thing) else getattr(thing, part)
        except AttributeError:
            return _field(thing, parts[-1], name)
        return thing, name
    return None


def _field(cls, attribute, name):
    """A dataclass field without default, a slot or an annotated attribute of a class."""
    known = [set(getattr(c, "__annotations__", ())) for c in getattr(cls, "__mro__", ())]
    return (None, name) if any(attribute in names for names in known) else None


def _inherited(app, env, node, contnode, thing, name):
    """A link to where the same object is documented under another name: that of a base class, or a public one."""
    domain = env.get_domain("py")
    for other in _other_names(name):
        if other in domain.objects:
            return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", other, node, contnode)
    return None


def _other_names(name):
    owner, _, attribute = name.rpartition(".")
    yield name
    found = _found(owner) if owner else None
    for cls in getattr(found and found[0], "__mro__", ()):
        yield f"{cls.__module__}.{cls.__qualname__}.{attribute}"
        yield f"astrokin.{cls.__qualname__}.{attribute}"
    yield f"astrokin.{attribute}"
    yield f"astrokin.errors.{attribute}"


def _elsewhere(contnode, thing, name):
    package = name.split(".")[0]
    if package not in _PAGES:
        return None
    page = _PAGES[package]
    return contnode if page is None else nodes.reference("", "", contnode, refuri=page.format(name=name))


def setup(app):
    """Answer for names that Sphinx does not find."""
    app.connect("missing-reference", resolved)
    return {"parallel_read_safe": True}
