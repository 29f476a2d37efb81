"""Sphinx' configuration; ``build.py`` calls it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from names import constant_comment, with_links  # noqa: E402  next to this file, which is no package
from sphinx.application import Sphinx  # noqa: E402
from sphinx.util import logging  # noqa: E402

import trustlab  # noqa: E402

LOGGER = logging.getLogger(__name__)

project, author, copyright = "trustlab", "the trustlab maintainers", "the trustlab maintainers, MIT licence"
release = trustlab.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "sphinx.ext.napoleon"]
root_doc = "index"

# Links between documents are written for the repository, and build.py has made them links between pages.
myst_all_links_external = True
myst_heading_anchors = 3

default_role = "literal"  # docstrings write `x` for an argument
autosummary_generate = False
autodoc_typehints = "description"
autodoc_typehints_format = "short"
autodoc_typehints_description_target = "documented_params"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_use_rtype = False
napoleon_use_ivar = True
add_module_names = False
python_maximum_signature_line_length = 100

html_theme = "furo"
html_title = "trustlab"
html_static_path = [str(HERE / "static")]
html_css_files = ["trustlab.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False


def setup(app: Sphinx) -> None:
    """Prepare every docstring before Sphinx reads it: cross references become links, a constant has its comment."""
    app.connect("autodoc-process-docstring", _process, priority=100)


def _process(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    if what == "data":  # Python has no docstring of a constant; what came is its type's
        lines[:] = constant_comment(*name.rsplit(".", 1))
    module, own = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    try:
        lines[:] = with_links(lines, f"{module}.{own}" if module and own else name)
    except LookupError as error:
        LOGGER.warning("%s", error.args[0])  # -W makes it an error, after all pages have been read
