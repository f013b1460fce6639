"""A Sphinx extension: a reference page for every registered effect and estimator, those of plugins included.

In ``conf.py``::

    extensions = ["astrokin.sphinxext"]
    astrokin_pages = "reference/generated"     # one page each is written there, in effects/ and estimators/
    astrokin_distributions = ["my-plugin"]     # only what this distribution brings; default: everything

and on the pages that shall list them::

    .. astrokin-index:: effect
    .. astrokin-index:: estimator

A page can also be had in place, by ``.. astrokin-effect:: reflex-motion`` or ``.. astrokin-estimator:: …``. The
author of a plugin does nothing else: signature, equation, parameters, domain, example, references and a figure
come from what the class declares.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

from astrokin.sphinxext import figures, pages

_MADE = ".. made by astrokin.sphinxext"
_FOLDER = "generated"


def setup(app: Any) -> dict[str, Any]:
    """Register directives, configuration and the page generator with Sphinx."""
    for needed in ("sphinx.ext.autodoc", "numpydoc"):
        app.setup_extension(needed)
    app.add_config_value("astrokin_pages", "", "env", (str, bool))
    app.add_config_value("astrokin_distributions", [], "env", (list, tuple))
    for name, directive in _directives().items():
        app.add_directive(name, directive)
    app.connect("builder-inited", write_pages)
    from astrokin import __version__

    return {"version": __version__, "parallel_read_safe": True, "parallel_write_safe": True}


# ---- pages -----------------------------------------------------------------------------------------------


def write_pages(app: Any) -> None:
    """Write a page for each registered effect and estimator; those of things that are gone are deleted."""
    if not app.config.astrokin_pages:
        return
    for kind in pages.BASES:
        folder = Path(app.srcdir) / _folder(app.config) / f"{kind}s"
        folder.mkdir(parents=True, exist_ok=True)
        names = [str(row["name"]) for row in pages.rows(kind, app.config.astrokin_distributions)]
        for name in names:
            _write(folder / f"{name}.rst", f"{_MADE}\n\n{name}\n{'=' * len(name)}\n\n.. astrokin-{kind}:: {name}\n")
        for old in folder.glob("*.rst"):
            if old.stem not in names and old.read_text(encoding="utf-8").startswith(_MADE):
                old.unlink()


def _folder(config: Any) -> str:
    return _FOLDER if config.astrokin_pages in (True, "") else str(config.astrokin_pages).strip("/")


def _write(path: Path, text: str) -> None:
    """Write what has changed, so that Sphinx does not read again what has not."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        path.write_text(text, encoding="utf-8")


# ---- directives ------------------------------------------------------------------------------------------


def _directives() -> dict[str, type]:
    """The directives by name; made here, since only Sphinx's own process has Sphinx for certain."""
    from sphinx.util.docutils import SphinxDirective

    class Page(SphinxDirective):
        """Everything about one effect or estimator."""

        required_arguments = 1

        def run(self) -> list[Any]:
            kind, name = self.name.removeprefix("astrokin-"), self.arguments[0]
            cls = pages.class_of(kind, name)
            self.env.note_dependency(inspect.getsourcefile(cls) or __file__)
            text = pages.page(kind, name, *_picture(self.env, kind, cls))
            return self.parse_text_to_nodes(text, allow_section_headings=True)

    class Index(SphinxDirective):
        """A table of all effects or estimators."""

        required_arguments = 1

        def run(self) -> list[Any]:
            kind = self.arguments[0]
            if kind not in pages.BASES:
                raise self.error(f"astrokin-index lists 'effect' or 'estimator', not {kind!r}.")
            folder = f"/{_folder(self.config)}/{kind}s"
            return self.parse_text_to_nodes(pages.index(kind, folder, self.config.astrokin_distributions))

    return {**{f"astrokin-{kind}": Page for kind in pages.BASES}, "astrokin-index": Index}


def _picture(env: Any, kind: str, cls: Any) -> tuple[str, str]:
    """The path of a picture and its caption; nothing where the class has none to show."""
    from sphinx.util import logging

    instance = figures.drawable(cls)
    draw = {"effect": figures.of_effect, "estimator": figures.of_estimator}[kind]
    try:
        figure = None if instance is None else draw(instance)
    except Exception as error:  # somebody else's formula: the page shall stand without its figure
        logging.getLogger(__name__).warning("no figure of %s: %s: %s", cls.name, type(error).__name__, error)
        return "", ""
    if figure is None:
        return "", ""
    folder = Path(env.srcdir) / _folder(env.config) / "figures"
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{cls.name}.png", dpi=150)
    return f"/{_folder(env.config)}/figures/{cls.name}.png", figures.caption(kind, instance)
