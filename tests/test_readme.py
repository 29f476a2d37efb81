"""The documents' examples are code of today: their names can be imported and take the arguments that they are given.

The README's course table and notebook 00's list the notebooks that there are.
"""

import ast
import contextlib
import importlib
import importlib.util
import inspect
import io
import json
import math
import re
import statistics
import tomllib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import stats

from trustlab.results import read_results

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
DOCUMENTS = {
    path.name: path.read_text(encoding="utf-8") for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
}
EXAMPLES = [
    (name, code) for name, text in DOCUMENTS.items() for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)
]


def mistakes(source):
    """Yield what of `source` is no name, or no argument, of trustlab."""
    tree, known = ast.parse(source), {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "trustlab":
            module = importlib.import_module(node.module)
            for alias in node.names:
                known[alias.name] = getattr(module, alias.name, None)
                if known[alias.name] is None:
                    yield f"no {alias.name} in {node.module}"
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and known.get(node.func.id):
            taken = inspect.signature(known[node.func.id]).parameters
            if not any(each.kind is each.VAR_KEYWORD for each in taken.values()):
                yield from (
                    f"{node.func.id} takes no {key.arg}" for key in node.keywords if key.arg not in {*taken, None}
                )


def test_there_are_examples():
    assert [name for name, _ in EXAMPLES].count("README.md") == 2 and len(EXAMPLES) == 27


def test_the_readmes_examples_have_as_many_lines_as_is_said_of_them():
    lines = [[line for line in code.splitlines() if line.strip()] for name, code in EXAMPLES if name == "README.md"]
    assert [len(each) for each in lines] == [5, 12]
    assert "## The library in five lines\n" in README and "is named by its line.\nTwelve lines:\n" in README


@pytest.mark.parametrize("page", ["train_privately.md", "simulate_a_fleet.md", "measure_a_classifier.md"])
def test_a_task_takes_at_most_twenty_lines(page):
    (example,) = [code for name, code in EXAMPLES if name == page]
    assert len([line for line in example.splitlines() if line.strip()]) <= 20
    assert "`pip install .`" in DOCUMENTS[page].split("```")[0] and f"(docs/{page})" in README


def run(source):
    """Run an example and return its names, and what it printed."""
    names, printed = {}, io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, "example", "exec"), names)
    return names, printed.getvalue()


def test_your_own_data_works_when_pasted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (source,) = [code for name, code in EXAMPLES if name == "README.md" and "load_own" in code]
    names, printed = run(source)
    assert "train a tagger of slots privately" in printed and "False" not in printed
    assert 7.9 < names["last"]["epsilon"] <= 8 and names["last"]["accuracy"] > 0.5  # of six wishes
    assert {row["group"] for row in names["rates"]} == {"(all rows)", "(between groups)", "harbour", "hill"}
    assert list(tmp_path.iterdir()) == []


def test_the_fairness_of_ones_own_classifier_works_when_pasted():
    (source,) = [code for name, code in EXAMPLES if "frame_rates" in code and name == "fairness.md"]
    _, printed = run(source)
    # of hill's 1 + 2 one of weight 1, of valley's 1 + 1 both
    assert printed.splitlines() == ["(all rows): 0.60 of 6 rows", "hill: 0.33 of 3 rows", "valley: 1.00 of 3 rows"]


@pytest.mark.parametrize(("name", "source"), EXAMPLES, ids=lambda text: text.split("\n")[0])
def test_an_example_uses_names_and_arguments_that_exist(name, source):
    assert list(mistakes(source)) == []


def rows(text, link):
    """Yield (notebook, time, level) of each row of a course table whose links look like `link`."""
    for line in text.splitlines():
        cells = [cell.strip().replace("&nbsp;", " ") for cell in line.strip().strip("|").split("|")]
        if re.fullmatch(r"\d\d", cells[0]):
            found = re.search(link, cells[1])
            yield found[1] if found else cells[0], cells[-2], cells[-1]


def test_the_course_tables_list_every_notebook_alike():
    there = sorted(path.name for path in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
    cells = json.loads((ROOT / "notebooks" / "00_start_here.ipynb").read_text(encoding="utf-8"))["cells"]
    start = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    start = re.sub(r'<abbr title="[^"]*">|</abbr>', "", start)
    readme = list(rows(README, r"\(notebooks/(\d\d_\w+\.ipynb)\)"))
    assert [name for name, _, _ in readme] == there
    assert list(rows(start, r"\((\d\d_\w+\.ipynb)\)"))[1:] == readme[1:]  # 00 does not link itself


@pytest.mark.parametrize("name", sorted(path.stem for path in (ROOT / "notebooks").glob("[0-9]*.ipynb")))
def test_a_notebooks_time_in_the_table_is_that_of_its_card(name):
    path = ROOT / "trustlab" / "course" / f"n{name}" / "teaching.toml"
    said = tomllib.loads(path.read_text(encoding="utf-8"))["card"]["time"].replace("Ten minutes", "10 minutes")
    minutes = re.match(r"\D*(\d+) minutes", said)[1]
    (time,) = (time for file, time, _ in rows(README, r"\(notebooks/(\d\d_\w+\.ipynb)\)") if file == f"{name}.ipynb")
    assert time == f"{minutes} min"


def test_the_table_of_what_privacy_costs_is_that_of_the_committed_results():
    """Mean over seeds ± half a 95 % t-interval, computed here."""
    table, _ = read_results(ROOT / "data" / "results" / "dp_sgd_vs_edp_sgd_snips")
    named = {"SGD, no privacy": "sgd", "exact DP-SGD, fast": "fast", "eDP-SGD": "edp-sgd"}
    lines = [
        line.strip("| ").split(" | ") for line in DOCUMENTS["privacy.md"].splitlines() if "±" in line and "|" in line
    ]
    assert len(lines) == 7
    for method, epsilon, *said in lines:
        at = math.inf if epsilon == "∞" else float(epsilon)
        runs = table[(table["method"] == named[method]) & (table["epsilon"] == at)]
        assert len(runs) == 5
        for column, text in zip(("accuracy", "slot_f1"), said, strict=True):
            values = runs[column].tolist()
            half = stats.t.ppf(0.975, len(values) - 1) * statistics.stdev(values) / math.sqrt(len(values))
            assert text == f"{statistics.mean(values):.3f} ± {half:.3f}", (method, epsilon, column)


def test_the_table_for_a_reader_who_has_to_ship_is_that_of_the_committed_results():
    """Means over seeds, computed here: linear heads on the frozen encoder, SNIPS."""
    table, _ = read_results(ROOT / "data" / "results" / "dp_sgd_vs_edp_sgd_encoder_snips")
    lines = {
        cells[0]: cells[1:]
        for cells in (
            [c.strip() for c in line.strip("|").split("|")]
            for line in README.splitlines()
            if line.startswith("| ") and "|" in line
        )
    }
    assert lines["SNIPS, frozen encoder"] == ["ε = 1", "ε = 3", "ε = 8", "no privacy"]
    runs = [table[(table["method"] == "fast") & (table["epsilon"] == at)] for at in (1.0, 3.0, 8.0)]
    runs.append(table[table["method"] == "sgd"])
    assert lines["intents right"] == [f"{100 * each['accuracy'].mean():.1f} %" for each in runs]
    assert lines["slot F1"] == [f"{each['slot_f1'].mean():.2f}" for each in runs]
    assert lines["seconds of training"] == [f"{each['seconds'].mean():.0f}" for each in runs]
    (counted,) = table[table["method"] == "tf-idf"]["accuracy"]
    assert f"counting words gets {100 * counted:.1f} % of the intents right" in README
    (states,) = table[table["method"] == "states"]["seconds"]
    assert f"after {states:.0f} s for the encoder" in README
    layers, _ = read_results(ROOT / "data" / "results" / "dp_sgd_vs_edp_sgd_layers_snips")
    reached = layers[layers["method"] == "layer"]["slot_f1"].mean()
    assert f"fourth layer too reaches a slot F1\nof {reached:.2f} without privacy" in README


def test_mistakes_are_found():
    source = "from trustlab.data import load, lode\nload('assistant', seeed=0)\nlode(1)\nother(x=1)"
    taken = inspect.signature(importlib.import_module("trustlab.data").load).parameters.values()
    expected = ["no lode in trustlab.data"]
    expected += [] if any(each.kind is each.VAR_KEYWORD for each in taken) else ["load takes no seeed"]
    assert list(mistakes(source)) == expected
    assert list(mistakes("from trustlab.privacy import TrainConfig\nTrainConfig(epsilom=1)")) == [
        "TrainConfig takes no epsilom"
    ]


@pytest.fixture(scope="module")
def filming():
    """The script that writes the moving picture, which is no module of a package."""
    spec = importlib.util.spec_from_file_location("first_picture", ROOT / "docs" / "first_picture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_moving_picture_shows_todays_panel(filming):
    """Frame by frame, up to the GIF's 256 colours: another text or another curve would differ far more."""
    stored = Image.open(filming.FILE)
    made = list(filming.frames())
    assert stored.n_frames == len(made) >= 8 and filming.FILE.stat().st_size < 400_000
    apart = []
    for at, (frame, duration) in enumerate(made):
        stored.seek(at)
        assert stored.info["duration"] == duration
        apart.append(np.abs(np.asarray(stored.convert("RGB"), float) - np.asarray(frame, float)).mean())
    others = np.abs(np.asarray(made[0][0], float) - np.asarray(made[-1][0], float)).mean()
    assert max(apart) < 1.5 < others, "run python docs/first_picture.py"
