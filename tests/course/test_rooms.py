"""One room per notebook: each finds its own by name, and imports point one way."""

import ast
import json
import re
from collections import Counter
from pathlib import Path

import pytest

import trustlab
from trustlab import deprecation
from trustlab.course import reproduce
from trustlab.course.registry import EXPERIMENTS
from trustlab.results import read_results

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
    "lab": {"data"},  # a run's data are named by their fingerprint
    "site": {"lab"},  # knows panels, and of no course
    "course": {"lab", "site", *LIBRARIES},
}
STANDARD = {"experiment", "claims", "panel", "toy", "drawing", "results", "exercises"}  # every room may have one


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
    return {name.split(".")[1] for name in modules if name.count(".")} & {"lab", "site", "course", *LIBRARIES}


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
    found = {str(path.relative_to(ROOT)): rooms_in(of_file(path)) - allowed for path in places}
    assert {path: others for path, others in found.items() if others} == {}, "Lift what both need to course/."


@pytest.mark.parametrize("notebook", [*NOTEBOOKS, *SOLUTIONS], ids=lambda path: path.stem)
def test_a_notebook_imports_no_other_notebooks_room(notebook):
    room = f"n{notebook.stem}"
    assert rooms_in(imported(code_of(notebook))) <= {room} | SHOWS.get(room, set())


def test_of_the_course_only_the_registry_and_the_lists_of_panels_know_all_rooms():
    lists = ("registry.py", "gallery.py", "explorables.py")
    shared = [path for path in (PACKAGE / "course").glob("*.py") if path.name not in lists]
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
    assert twice == set(), "A reader who looks for one file finds two. Rename one of them."


# Names: of experiments, of their tables


def test_an_experiments_name_and_its_tables_carry_the_notebooks_name():
    for name, known in EXPERIMENTS.items():
        (room,) = rooms_in({known.module.__name__})
        notebook = room[4:]  # without "nNN_"
        assert f"{name}-".startswith(f"{notebook.replace('_', '-')}-"), f"{name} in {room}"
        for corpus in known.module.CORPORA:
            table = known.module.result_name(corpus)
            # A search lies in data/results/tuning under the name of the experiment that it is for.
            named = f"tuning/{name.removesuffix('-tuning')}_" if name.endswith("-tuning") else f"{name}_"
            assert table.startswith(named.replace("-", "_")), f"{table} of {name}"


def test_every_table_belongs_to_an_experiment_or_a_benchmark():
    tables = {known.module.result_name(corpus) for known in EXPERIMENTS.values() for corpus in known.module.CORPORA}
    results = ROOT / "data" / "results"
    stems = {str(path.relative_to(results).with_suffix("")) for path in results.rglob("*.csv")}
    assert tables <= stems
    of_benchmarks = re.compile(r"architectures|scaling|payloads|\w+_(speed|time|coverage|false_alarms|peers|loopback)")
    assert all(of_benchmarks.fullmatch(stem) for stem in stems - tables)


@pytest.mark.parametrize(("old", "new"), deprecation.EXPERIMENTS.items())
def test_an_old_name_on_the_command_line_works_and_says_the_new_one(old, new, monkeypatch, capsys):
    begun = []
    monkeypatch.setattr(reproduce, "_reproduce", lambda experiment, *_: begun.append(experiment))
    assert reproduce.main([old]) == 0 and begun == [EXPERIMENTS[new]]
    assert f"{old} is now {new}; the old name is removed in version" in capsys.readouterr().out


@pytest.mark.parametrize("old", ["label_skew_clinc150", "continual_shakespeare_roles", "fairness_tasks_bold"])
def test_an_old_tables_name_is_refused_with_the_new_one(old):
    new = deprecation.new_result_name(old)
    with pytest.raises(FileNotFoundError, match=f"Expected {old}.csv .* That table is now called {new}"):
        read_results(old)
    assert len(read_results(new)[0])
    assert deprecation.new_result_name(new) is None


def test_no_name_is_a_number_of_a_list_that_a_reader_does_not_have():
    numbered = re.compile(r"claims_of_p\d\w*\(|\bP\d\([a-z]\)|\bcard P\d")
    places = [path for folder in ("trustlab", "benchmarks") for path in files(ROOT / folder)]
    found = {path.name: numbered.findall(path.read_text(encoding="utf-8")) for path in places}
    assert {name: hits for name, hits in found.items() if hits} == {}


NEW = {
    "canary-extraction",
    "canary-extraction-secrets",
    "canary-extraction-smollm2",
    "device-selection-rounds",
    "dp-sgd-vs-edp-sgd-encoder",
    "dp-sgd-vs-edp-sgd-encoder-tuning",
    "dp-sgd-vs-edp-sgd-layers",
    "dp-sgd-vs-edp-sgd-level",
    "fairness-metrics-smollm2",
    "fairness-metrics-continuations",
    "fairness-metrics-sensitivity",
    "fairness-metrics-held-out",
    "fairness-metrics-tasks-tuning",
    "fednlp-benchmark-real",
    "fednlp-benchmark-real-tuning",
    "membership-inference",
    "membership-inference-encoder",
    "membership-inference-senders",
    "private-text",
    "private-text-adept",
    "prediction-sensitivity",
    "prediction-sensitivity-dialect",
    "prediction-sensitivity-groups",
    "prediction-sensitivity-real",
    "role-reversal",
    "role-reversal-smollm2",
    "role-reversal-smollm2-elsewhere",
}  # experiments that never had another name


@pytest.mark.parametrize("name", [name for name in EXPERIMENTS if name not in NEW and not name.endswith("-tuning")])
def test_a_setting_answers_to_its_old_name(name):
    known = EXPERIMENTS[name]
    with pytest.warns(DeprecationWarning, match=r"\.Cell is now .*\.Setting; the old name is removed in version"):
        assert known.module.Cell is known.module.Setting
