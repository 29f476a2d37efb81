"""CONTRIBUTING.md names the test of each of its rules, and here are those that no other file of tests holds."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trustlab.data.catalogue import CORPORA

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "trustlab"
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
MOST_LINES, MOST_IN_A_FUNCTION = 340, 45


def rules(guide):
    """Each rule, an item of a list, as (its words, the tests that it names)."""
    for item in re.findall(r"^- (.+?)(?=\n- |\n\n|\n#|\Z)", guide, re.MULTILINE | re.DOTALL):
        words, _, tests = item.partition("→")
        yield " ".join(words.split()), re.findall(r"`(test_\w+)`", tests)


def parsed():
    return {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted(PACKAGE.rglob("*.py"))}


def test_a_rule_and_its_tests_are_found():
    guide = "# A\ntext\n- One.\n  More. → `test_a`,\n  `test_b`\n- Two `test_c`.\n\n- Three → `test_d`"
    assert list(rules(guide)) == [("One. More.", ["test_a", "test_b"]), ("Two `test_c`.", []), ("Three", ["test_d"])]


def test_every_rule_names_tests_that_exist():
    there = set()
    for path in (ROOT / "tests").rglob("test_*.py"):
        there |= set(re.findall(r"^\s*def (test_\w+)\(", path.read_text(encoding="utf-8"), re.MULTILINE))
    found = list(rules(GUIDE))
    assert len(found) > 30
    assert [words for words, tests in found if not tests] == [], "Rules that name no test"
    assert {test for _, tests in found for test in tests} - there == set(), "Tests that do not exist"


def length(function):
    """Lines of a function after its docstring."""
    first = function.body[0]
    has_words = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return function.end_lineno - (first.end_lineno if has_words else function.lineno)


def test_files_and_functions_fit_on_a_screen():
    breaches = []
    for path, tree in parsed().items():
        lines = len(path.read_text(encoding="utf-8").splitlines())
        breaches += [f"{path.name}: {lines} lines"] if lines > MOST_LINES else []
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
        breaches += [f"{path.name}: {each.name}, {length(each)}" for each in functions
                     if length(each) > MOST_IN_A_FUNCTION]  # fmt: skip
    assert not breaches, "\n".join(breaches)


def test_importing_trustlab_imports_no_heavy_package():
    code = "import sys, trustlab; print(sorted({'torch', 'transformers', 'ray', 'datasets'} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert ran.stdout == "[]\n", ran.stderr


def test_ruff_finds_nothing():
    pytest.importorskip("ruff")
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--quiet", "."]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_options_are_frozen():
    """A class with fields made by `option(...)` is a frozen dataclass."""
    seen, open_to_change = 0, []
    for path, tree in parsed().items():
        for node in (each for each in ast.walk(tree) if isinstance(each, ast.ClassDef)):
            values = [field.value for field in node.body if isinstance(field, ast.AnnAssign) and field.value]
            if any(ast.unparse(value).startswith("option(") for value in values):
                seen += 1
                frozen = any("frozen=True" in ast.unparse(mark) for mark in node.decorator_list)
                open_to_change += [] if frozen else [f"{path.name}: {node.name}"]
    assert seen > 5 and not open_to_change, open_to_change


@pytest.mark.parametrize("name", CORPORA)
def test_every_source_is_pinned_to_a_commit(name):
    assert re.search(r"@[0-9a-f]{40}$", CORPORA[name].source.split(",")[0]), CORPORA[name].source


def test_the_tests_have_the_packages_folders():
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    without = {str(folder) for folder in folders if not (PACKAGE / folder).is_dir()}
    assert without == {"benchmarks", "browser", "notebooks"}  # of what lies beside the package
