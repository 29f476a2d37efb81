"""One room per notebook: each finds its own by name, and imports point one way."""

import ast
import json
import re
from collections import Counter
from pathlib import Path

import pytest

import trustlab

PACKAGE = Path(trustlab.__file__).parent
ROOT = PACKAGE.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SOLUTIONS = sorted((ROOT / "notebooks" / "solutions").glob("*.ipynb"))
ROOMS = {path.name for path in (PACKAGE / "course").glob("n[0-9]*") if path.is_dir() and any(path.glob("*.py"))}
SHOWS = {"n00_start_here": {"n11_dp_sgd_vs_edp_sgd"}}  # the first picture is a result of notebook 11
CHAPTERS = ("privacy", "federated", "fairness")
LIBRARIES = ("data", "models", *CHAPTERS)
# What a folder may import of the others. The files directly in trustlab/ are used by all.
MAY = {
    "data": set(),
    "models": {"data"},
    "privacy": {"data", "models"},
    "federated": {"data", "models", "privacy"},  # asks it for an ε
    "fairness": {"data", "models"},
    "lab": set(),
    "course": {"lab", *LIBRARIES},
}
STANDARD = {"experiment", "claims", "panel", "toy", "drawing", "results", "exercises"}  # every room may have one
# Names that two files still have: rename one of them, and strike the name here.
OWED = {"config", "metrics", "tables"}
# What a room still imports from another: lift it, and strike it here.
LENT = {"trustlab.course.n11_dp_sgd_vs_edp_sgd.results", "trustlab.course.n11_dp_sgd_vs_edp_sgd.results.per_cent"}


def files(folder):
    return [path for path in sorted(folder.rglob("*.py")) if "__pycache__" not in path.parts]


def imported(source, package="trustlab"):
    """Return the modules of trustlab that `source` imports anywhere, and the names in them that may be modules."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            found |= {module} | {f"{module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.split(".")[0] == "trustlab"}


def of_file(path):
    return imported(path.read_text(encoding="utf-8"), ".".join(path.relative_to(ROOT).parent.parts))


def rooms_in(modules):
    return {name.split(".")[2] for name in modules if re.match(r"trustlab\.course\.n\d\d_", name)}


def folders_in(modules):
    return {name.split(".")[1] for name in modules if name.count(".")} & {"lab", "course", *LIBRARIES}


def code_of(notebook):
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    return "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import trustlab.lab.panel as p", {"trustlab.lab.panel"}),
        ("def f():\n  from trustlab import lab", {"trustlab", "trustlab.lab"}),
        ("from trustlab.course.n21_x import a", {"trustlab.course.n21_x", "trustlab.course.n21_x.a"}),
        ("from . import n22_y", {"trustlab.course", "trustlab.course.n22_y"}),
        ("from ..lab import panel", {"trustlab.lab", "trustlab.lab.panel"}),
        ("import torch\nfrom labels import x", set()),
    ],
)
def test_imports_are_seen_however_they_are_written(source, expected):
    assert imported(source, "trustlab.course") == expected


def test_every_notebook_has_its_room_and_every_room_its_notebook():
    assert {f"n{path.stem}" for path in NOTEBOOKS} == ROOMS
    tested = {path.name for path in (ROOT / "tests" / "course").glob("n[0-9]*") if any(path.glob("test_*.py"))}
    assert tested == ROOMS


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_no_other_room(room):
    places = [*files(PACKAGE / "course" / room), *files(ROOT / "tests" / "course" / room)]
    allowed = {room} | SHOWS.get(room, set())
    found = {str(path.relative_to(ROOT)): rooms_in(of_file(path) - LENT) - allowed for path in places}
    assert {path: others for path, others in found.items() if others} == {}, "Lift what both need to course/."


def test_what_is_lent_is_still_borrowed():
    borrowed = [of_file(path) & LENT for room in ROOMS - {"n11_dp_sgd_vs_edp_sgd", "n00_start_here"}
                for path in files(PACKAGE / "course" / room)]  # fmt: skip
    assert set().union(*borrowed) == LENT, "Lifted: strike it from LENT."


@pytest.mark.parametrize("notebook", [*NOTEBOOKS, *SOLUTIONS], ids=lambda path: path.stem)
def test_a_notebook_imports_no_other_notebooks_room(notebook):
    room = f"n{notebook.stem}"
    assert rooms_in(imported(code_of(notebook))) <= {room} | SHOWS.get(room, set())


def test_of_the_course_only_the_registry_knows_all_rooms():
    shared = [path for path in (PACKAGE / "course").glob("*.py") if path.name != "registry.py"]
    assert {path.name: found for path in shared if (found := rooms_in(of_file(path)))} == {}


@pytest.mark.parametrize("folder", MAY)
def test_imports_point_one_way(folder):
    for path in files(PACKAGE / folder):
        wrong = folders_in(of_file(path)) - MAY[folder] - {folder}
        assert not wrong, f"{path.relative_to(ROOT)} imports {', '.join(sorted(wrong))}"


def test_what_all_use_imports_none_of_them():
    found = {path.stem: folders_in(of_file(path)) for path in PACKAGE.glob("*.py")}
    assert {name for name, others in found.items() if others} == {"__main__", "doctor"}  # commands


def test_file_names_are_unique():
    rooms = [PACKAGE / "course" / room for room in ROOMS]
    others = [path for path in files(PACKAGE) if path.stem not in ("__init__", "__main__")]
    names = Counter(path.stem for path in others if not (path.parent in rooms and path.stem in STANDARD))
    twice = {name for name, count in names.items() if count > 1}
    assert twice - OWED == set(), "A reader who looks for one file finds two. Rename one of them."
    assert OWED - twice == set(), "Renamed: strike it from OWED."
