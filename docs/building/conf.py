"""Sphinx' configuration; ``build.py`` calls it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from names import constant_comment, one_by_one, option_fields, with_links  # noqa: E402
from sphinx.application import Sphinx  # noqa: E402
from sphinx.domains.python import PyObject  # noqa: E402
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
autodoc_typehints_description_target = "documented"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
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


# Sphinx calls them variables.
next(field for field in PyObject.doc_field_types if field.name == "variable").label = "Attributes"


def setup(app: Sphinx) -> None:
    """Prepare each docstring: references become links, options are listed, a constant has its comment."""
    app.connect("autodoc-process-docstring", _before_napoleon, priority=100)
    app.connect("autodoc-process-docstring", _after_napoleon, priority=900)
    app.connect("autodoc-skip-member", _skip)


def _before_napoleon(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    module, own = getattr(found, "__module__", None), getattr(found, "__qualname__", None)
    try:
        lines[:] = with_links(lines, f"{module}.{own}" if module and own else name)
    except LookupError as error:
        LOGGER.warning("%s", error.args[0])  # -W makes it an error, after all pages have been read


def _after_napoleon(app: Sphinx, what: str, name: str, found: Any, options: Any, lines: list[str]) -> None:
    if what == "class":
        lines[:] = [*one_by_one(lines), *option_fields(found)]
    if what == "data":  # Python has no docstring of a constant: what came is its type's
        lines[:] = constant_comment(*name.rsplit(".", 1))


def _skip(app: Sphinx, what: str, name: str, member: Any, skip: bool, options: Any) -> bool | None:
    return True if (getattr(member, "__doc__", None) or "").startswith("Alias for field number") else None
