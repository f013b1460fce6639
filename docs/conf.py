"""How the documentation is built; nothing is fetched, neither to build it nor to read it."""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import astrokin

project = "astrokin"
author = "astrokin developers"
copyright = author
version = release = astrokin.__version__

extensions = [
    "astrokin.sphinxext",
    "elsewhere",
    "mathml",
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_design",
]
exclude_patterns = ["_build"]
default_role = "autolink"
nitpicky = True

# ---- reference pages -------------------------------------------------------------------------------------

astrokin_pages = "reference/_generated"
# What the package itself brings, whatever else is installed where the documentation is built.
astrokin_distributions = ["astrokin"]
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autosummary_generate = False
numpydoc_show_class_members = False
toc_object_entries_show_parents = "hide"

# ---- figures ---------------------------------------------------------------------------------------------

plot_include_source = True
plot_html_show_source_link = False
plot_html_show_formats = False
plot_formats = [("png", 150)]
# The tutorial writes files.
plot_working_directory = tempfile.mkdtemp(prefix="astrokin-docs-")
plot_rcparams = {"figure.constrained_layout.use": True, "font.size": 10, "axes.grid": True, "grid.alpha": 0.3}
plot_apply_rcparams = True

# ---- pages as HTML ---------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "astrokin"
html_math_renderer = "mathml"
html_static_path = ["_static"]
html_css_files = ["astrokin.css"]
html_show_sourcelink = False
html_theme_options = {
    "navigation_with_keys": False,
    "show_toc_level": 2,
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_end": [],
}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
