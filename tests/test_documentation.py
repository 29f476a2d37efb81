"""The documents and the docstrings as pages: built without a warning, no dead link, a page for each public name."""

import ast
import html
import importlib
import inspect
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).resolve().parents[1]
BUILDING = ROOT / "docs" / "building"
EXPLORE = Path("docs", "explore")  # pages of `make site`, which tests/site looks at


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the pages, and what the command said."""
    out = tmp_path_factory.mktemp("built") / "docs"
    command = [sys.executable, BUILDING / "build.py", "--out", out]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600)
    return out, ran


def test_the_documentation_is_built_without_a_warning(built):
    out, ran = built
    assert ran.returncode == 0 and "WARNING" not in ran.stderr, ran.stderr
    assert ran.stdout == f"wrote {out / 'index.html'}\n"


def pages(out):
    return [path for path in sorted(out.rglob("*.html")) if EXPLORE not in path.relative_to(out).parents]


@cache
def content(path):
    return path.read_text(encoding="utf-8")


@cache
def places(path):
    return {html.unescape(each) for each in re.findall(r'\bid="([^"]+)"', content(path))}


def targets(path):
    """Each file and place that a page links to or shows, as (file, place or "")."""
    for found in re.findall(r'<(?:a|img|script|link)\b[^>]*?\b(?:href|src)="([^"]*)"', content(path)):
        target = unquote(html.unescape(found))
        if not re.match(r"https?:|mailto:|data:", target):
            file, _, place = target.partition("#")
            yield (path.parent / file.partition("?")[0]).resolve() if file else path, place


def test_every_link_leads_to_a_place_of_the_site(built):
    out, _ = built
    dead, seen = [], 0
    for path in pages(out):
        for file, place in targets(path):
            seen += 1
            there = file.is_file() and (not place or file.suffix != ".html" or place in places(file))
            dead += [] if there else [f"{path.relative_to(out)}: {file} #{place}"]
    assert seen > 2000 and not dead, "\n".join(dead)


def test_a_page_loads_nothing_from_another_machine(built):
    loads = r'<(?:img|script|link|iframe)\b[^>]*?\b(?:href|src)="(https?:[^"]*)"'
    assert [(path.name, each) for path in pages(built[0]) for each in re.findall(loads, content(path))] == []


def test_every_document_is_in_the_navigation(built):
    out, _ = built
    start = content(out / "index.html")
    written = [*(ROOT / "docs").glob("*.md"), *(ROOT / "docs" / "deployment").glob("*.md")]
    documents = [path.relative_to(ROOT).with_suffix(".html").as_posix() for path in written]
    for page in [*documents, "GLOSSARY.html", "CONTRIBUTING.html", "data/README.html", "api/index.html"]:
        assert re.search(rf'<li class="toctree-l1[^"]*"><a class="reference internal" href="{page}">', start), page


def public():
    """(module, its names) of every module outside the course whose source lists in `__all__` what is public."""
    for path in sorted((ROOT / "trustlab").rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        lists = [node.value for node in ast.parse(path.read_text(encoding="utf-8")).body
                 if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"]  # fmt: skip
        if lists and parts[1] != "course":
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), ast.literal_eval(lists[0])


def test_every_public_name_has_its_page(built):
    """On the page of the module that lists it, with a link from the page's table and from the list of all modules."""
    out, _ = built
    modules = dict(public())
    assert len(modules) > 25 and sum(map(len, modules.values())) > 250
    for module, names in modules.items():
        page = out / "api" / f"{module}.html"
        assert f'href="{page.name}#module-{module}"' in content(out / "api" / "index.html"), module
        missing = {name for name in names if f"{module}.{name}" not in places(page)}
        assert missing == set() and all(f'href="#{module}.{name}"' in content(page) for name in names), module


def test_a_functions_parameters_are_listed_with_their_types(built):
    """Each name of a docstring's section Parameters is an item with its type."""
    page = content(built[0] / "api" / "trustlab.privacy.html")
    function = importlib.import_module("trustlab.privacy").epsilon
    section = inspect.getdoc(function).partition("Parameters\n----------\n")[2].partition("\n\n")[0]
    documented = re.findall(r"^(\w+)", section, re.MULTILINE)
    assert len(documented) == len(inspect.signature(function).parameters) == 8
    one = page[page.index('id="trustlab.privacy.epsilon"') :]
    one = one[: one.index("</dd></dl>")]
    assert (
        "Parameters<span" in one
        and [name for name in documented if f"<li><p><strong>{name}</strong> (<em>" not in one] == []
    )


@pytest.fixture(scope="module")
def tools():
    """The modules of docs/building, which is no package."""
    sys.path.insert(0, str(BUILDING))
    yield {name: importlib.import_module(name) for name in ("names", "build")}
    sys.path.remove(str(BUILDING))


def test_every_public_constant_says_what_it_is(tools):
    names = tools["names"]
    constants = [name for name, found in names.public_names().items()
                 if not isinstance(found, type) and not inspect.isroutine(found)]  # fmt: skip
    silent = [name for name in constants if not "".join(names.constant_comment(*name.rsplit(".", 1)))]
    assert len(constants) > 10 and silent == []


@pytest.mark.parametrize(
    ("reference", "within", "expected"),
    [
        (":func:`~trustlab.privacy.train`", "trustlab.data", ":py:obj:`train <trustlab.privacy.train>`"),
        (":data:`~trustlab.privacy.methods.SENSITIVITY`", "", ":py:obj:`SENSITIVITY <trustlab.privacy.SENSITIVITY>`"),
        (":func:`bound`", "trustlab.privacy.accounting.epsilon", "``bound``"),  # exists, and is not public
        (":meth:`of_steps`", "trustlab.privacy.statement.PrivacyStatement",
         ":py:obj:`of_steps <trustlab.privacy.PrivacyStatement.of_steps>`"),
        ("no :reference and ``:func:`` of none", "trustlab", "no :reference and ``:func:`` of none"),
    ],
)  # fmt: skip
def test_a_reference_leads_to_a_public_name(tools, reference, within, expected):
    assert tools["names"].with_links([reference], within) == [expected]


def test_a_reference_to_nothing_is_found(tools):
    with pytest.raises(LookupError, match=r"Expected a name for the reference 'trane' in trustlab\.privacy"):
        tools["names"].with_links(["See", ":func:`trane`."], "trustlab.privacy")


def test_links_of_a_document_fit_the_site(tools):
    build = tools["build"]
    text = "[a](privacy.md#x) [b](../README.md) [c](../LICENSE) [d](../data/results) [e](https://a.b/c.md)\n```\n[f](no)\n```"
    changed, linked = build.for_the_site(text, "docs/opacus.md", ["README.md", "docs/privacy.md"])
    assert changed == (
        "[a](privacy.html#x) [b](../index.html) [c](../LICENSE) [d](../data/results/index.html) [e](https://a.b/c.md)\n"
        "```\n[f](no)\n```"
    )
    assert linked == {Path("LICENSE"), Path("data/results")}
    with pytest.raises(FileNotFoundError, match=r"Expected docs/opacus\.md's links to lead to files, got nowhere\.md"):
        build.for_the_site("[g](nowhere.md)", "docs/opacus.md", [])
