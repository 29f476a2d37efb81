"""What a committed notebook must keep to. Each rule takes a notebook and yields a complaint per breach."""

import ast
import copy
import getpass
import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"

CARD = ("You will be able to", "You need", "Time", "Data and licence", "Correctness status")
CHAPTER = ("Limits and reading", "Exercises", "Claims")
MOST_CELLS, MOST_LINES, MOST_BYTES = 40, 12, 400_000
EMBEDDED = re.compile(r"data:[\w/+.-]+;base64,[\w+/=]+")
ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")
ABSOLUTE = re.compile(r"(?<![\w.:/<>+)~])/[A-Za-z_][\w.-]*/[\w.-]+|\b[A-Z]:\\\w+")


def code(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook):
    return [output for cell in code(notebook) for output in cell["outputs"]]


def text(value):
    return value if isinstance(value, str) else "".join(value)


def shown(notebook):
    """All text that outputs hold, pictures left out."""
    for output in outputs(notebook):
        data = {mime: value for mime, value in output.get("data", {}).items() if not mime.startswith("image/")}
        for value in [*data.values(), output.get("text", ""), output.get("traceback", "")]:
            yield EMBEDDED.sub("", json.dumps(value) if isinstance(value, dict) else text(value))


def headings(notebook):
    """Markdown headings, and what stands at the margin of a text output: the opening card is a cell's output."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            lines = text(cell["source"]).splitlines()
            yield from (line.lstrip("# ").strip() for line in lines if re.match(r"#{1,6} ", line))
    for output in outputs(notebook):
        yield from text(output.get("data", {}).get("text/plain", "")).splitlines()


def ran_top_to_bottom(notebook):
    counts = [cell["execution_count"] for cell in code(notebook)]
    if counts != list(range(1, len(counts) + 1)):
        yield f"cells ran as {counts}, expected 1 to {len(counts)} in order"


def made_for_python3(notebook):
    name = notebook["metadata"].get("kernelspec", {}).get("name")
    if name != "python3":
        yield f"kernelspec is {name}, expected python3"


def without_widget_state(notebook):
    if "widgets" in notebook["metadata"]:
        yield "widget state in the metadata"
    if any("application/vnd.jupyter.widget-view+json" in output.get("data", {}) for output in outputs(notebook)):
        yield "a stored view of a widget whose kernel has ended: JupyterLab would show an error for it"


def without_traces_of_a_machine(notebook):
    user = getpass.getuser()
    for value in shown(notebook):
        yield from (f"memory address {found}" for found in ADDRESS.findall(value))
        yield from (f"absolute path {found}" for found in ABSOLUTE.findall(value))
        if user != "root" and re.search(rf"\b{re.escape(user)}\b", value):  # "root" is a word of mathematics too
            yield f"the user's name {user}"


def pictures_with_words(notebook):
    for output in outputs(notebook):
        data = output.get("data", {})
        if "image/svg+xml" in data:
            yield "an SVG picture: nbval compares its random ids"
        if "image/png" in data and not text(data.get("text/plain", "")).strip():
            yield "a picture without text/plain: nothing that nbval or a screen reader could compare"
        if 'id="T_' in text(data.get("text/html", "")):
            yield "a pandas Styler: its ids are random"


def without_errors(notebook):
    yield from (f"error output {output['ename']}" for output in outputs(notebook) if output["output_type"] == "error")


def small_enough(notebook):
    cells, size = len(notebook["cells"]), len(json.dumps(notebook, indent=1, ensure_ascii=False).encode())
    if cells > MOST_CELLS:
        yield f"{cells} cells, expected at most {MOST_CELLS}"
    if size >= MOST_BYTES:
        yield f"{size} bytes, expected less than {MOST_BYTES}"
    for cell in code(notebook):
        lines = [line for line in text(cell["source"]).splitlines() if line.strip()]
        if len(lines) > MOST_LINES:
            yield f"{len(lines)} lines of code in the cell that begins {lines[0]!r}, expected at most {MOST_LINES}"


def without_hidden_results(notebook):
    for cell in code(notebook):
        if text(cell["source"]).rstrip().endswith(";"):
            yield f"a trailing ';' hides the output of {text(cell['source'])!r}"


def opened_by_a_card(notebook):
    """The card's headings and the first prediction; every notebook of the course has them."""
    yield from _missing(notebook, (*CARD, "Predict first"))


def closed_as_a_chapter(notebook):
    yield from _missing(notebook, CHAPTER)


def calls(notebook, name):
    """Cell and call of each `name(...)` in the code of a notebook."""
    for cell in code(notebook):
        for node in ast.walk(ast.parse(text(cell["source"]))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
                yield cell, node


def strings(node):
    return [each.value for each in ast.walk(node) if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def answers_kept_back(notebook):
    """A prediction's cell holds its answer, so it is folded away; nothing that is stored shows the answer either."""
    for cell, call in calls(notebook, "predict"):
        if not cell.get("metadata", {}).get("jupyter", {}).get("source_hidden"):
            yield "the cell of a prediction shows its answer: hide its source"
        for output in cell["outputs"]:
            if not text(output.get("data", {}).get("text/plain", "")).endswith("\nChoose one before you read on."):
                yield "the stored output of a prediction is answered"
        reasons = [words for key in call.keywords if key.arg == "because" for words in strings(key.value)]
        if any(words in value for words in reasons if len(words) > 20 for value in shown(notebook)):
            yield "a stored output shows the reason of a prediction"


def card_names_its_files(notebook):
    """The card's line *Files behind this page* links files that exist, of them at least one of the notebook's room."""
    cards = [call for _, call in calls(notebook, "card")]
    if len(cards) != 1 or "files" not in [key.arg for key in cards[0].keywords]:
        yield "no card with files=[...]"
        return
    (given,) = (key.value for key in cards[0].keywords if key.arg == "files")
    names = strings(given)
    if isinstance(given, ast.Name):
        for cell in code(notebook):
            for node in ast.parse(text(cell["source"])).body:
                targets = getattr(node, "targets", [getattr(node, "target", None)])
                if [getattr(target, "id", "") for target in targets] == [given.id]:
                    names += strings(node.value)
    if not any(name.startswith("course/") for name in names):
        yield f"the card names no file of the notebook's room among {names}"
    yield from (f"no file {name}" for name in names if not (NOTEBOOKS.parent / "trustlab" / name).is_file())


def _missing(notebook, wanted):
    present = list(headings(notebook))
    for heading in wanted:
        if not any(each.startswith(heading) for each in present):
            yield f"no markdown heading begins with {heading!r}"


EVERYWHERE = (
    ran_top_to_bottom, made_for_python3, without_widget_state, without_traces_of_a_machine, pictures_with_words,
    without_errors, small_enough, without_hidden_results, answers_kept_back,
)  # fmt: skip


def rules_for(path):
    """Worked solutions carry no card; 00 has no claims and exercises, chapters from 11 on have both."""
    if path.parent.name == "solutions":
        return EVERYWHERE
    if path.name.startswith("0"):
        return (*EVERYWHERE, opened_by_a_card, card_names_its_files)
    return (*EVERYWHERE, opened_by_a_card, card_names_its_files, closed_as_a_chapter)


def test_the_courses_notebooks_keep_to_the_rules(notebooks):
    complaints = []
    for path in notebooks:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        complaints += [f"{path.name}: {breach}" for rule in rules_for(path) for breach in rule(notebook)]
    assert not complaints, "\n".join(complaints)


def test_the_expected_notebooks_exist(notebooks):
    stems = (
        "00_start_here",
        "11_dp_sgd_vs_edp_sgd",
        "21_non_iid_partitioning",
        "22_device_selection",
        "23_continual_learning",
        "24_fednlp_benchmark",
        "31_fairness_metrics",
    )
    expected = {f"{stem}.ipynb" for stem in stems}
    assert expected <= {path.name for path in notebooks}


def markdown(*headings):
    return {"cell_type": "markdown", "source": "".join(f"## {heading}\ntext\n" for heading in headings)}


@pytest.fixture
def good():
    bundle = {"text/plain": ["epsilon 1.0, accuracy 0.81"], "image/png": "iVBORw0/tmp/x", "text/html": "<b>1/2</b></p>"}
    shown = {"output_type": "execute_result", "execution_count": 1, "data": bundle, "metadata": {}}
    unanswered = {"data": {"text/plain": "Which?\n  ( ) a\n  ( ) b\nChoose one before you read on."}, "metadata": {}}
    asked = {
        "cell_type": "code",
        "execution_count": 3,
        "metadata": {"jupyter": {"source_hidden": True}},
        "source": ["card([], files=files)\n", 'predict("Which?", ["a", "b"], answer=1, because="It is the second.")'],
        "outputs": [{"output_type": "execute_result", "execution_count": 3, **unanswered}],
    }
    printed = {"output_type": "stream", "name": "stdout", "text": "TPR/FPR, see https://example.org/a/b, ../shared/x"}
    return {
        "metadata": {"kernelspec": {"name": "python3"}},
        "cells": [
            markdown(*CARD, "Predict first: what will noise do?", *CHAPTER),
            {"cell_type": "code", "execution_count": 1, "source": "panel", "outputs": [shown]},
            {"cell_type": "code", "execution_count": 2, "source": ["a = 1\n", "print(a)"], "outputs": [printed]},
            asked,
            {"cell_type": "code", "execution_count": 4, "source": 'files = ["course/__init__.py"]', "outputs": []},
        ],
    }


def test_the_card_may_be_a_cells_output(good):
    good["cells"][0] = markdown("Predict first")
    good["cells"][1]["outputs"][0]["data"]["text/plain"] = "\n".join(f"{heading}\n  words" for heading in CARD)
    assert list(opened_by_a_card(good)) == []


def test_a_good_notebook_passes(good):
    rules = (*EVERYWHERE, opened_by_a_card, card_names_its_files, closed_as_a_chapter)
    assert [breach for rule in rules for breach in rule(good)] == []


def printing(value):
    def change(notebook):
        notebook["cells"][2]["outputs"][0]["text"] = value

    return change


def put(place, key, value):
    def change(notebook):
        notebook["cells"][place][key] = value

    return change


def showing(mime, value):
    def change(notebook):
        notebook["cells"][1]["outputs"][0]["data"][mime] = value

    return change


@pytest.mark.parametrize(
    ("change", "rule", "complaint"),
    [
        (put(2, "execution_count", 3), ran_top_to_bottom, r"ran as \[1, 3, 3, 4\], expected 1 to 4"),
        (put(2, "execution_count", None), ran_top_to_bottom, r"ran as \[1, None, 3, 4\]"),
        (lambda n: n["metadata"].update(kernelspec={"name": "conda"}), made_for_python3, "conda"),
        (lambda n: n["metadata"].update(widgets={}), without_widget_state, "widget state"),
        (showing("application/vnd.jupyter.widget-view+json", {}), without_widget_state, "kernel has ended"),
        (printing("<Model object at 0x7f39f4cc0040>"), without_traces_of_a_machine, "address 0x7f39f4cc0040"),
        (printing(["saved in ", "/home/ada/runs"]), without_traces_of_a_machine, "path /home/ada"),
        (printing("'/opt/x.csv'"), without_traces_of_a_machine, "path /opt/x.csv"),
        (printing(r"C:\Users"), without_traces_of_a_machine, r"path C:"),
        (showing("text/html", "by turing2"), without_traces_of_a_machine, "name turing2"),
        (showing("image/svg+xml", "<svg>"), pictures_with_words, "SVG"),
        (showing("text/plain", ""), pictures_with_words, "without text/plain"),
        (showing("text/html", '<table id="T_4f">'), pictures_with_words, "Styler"),
        (put(2, "outputs", [{"output_type": "error", "ename": "KeyError"}]), without_errors, "KeyError"),
        (lambda n: n["cells"].extend([markdown()] * 36), small_enough, "41 cells"),
        (showing("image/png", "x" * MOST_BYTES), small_enough, "bytes"),
        (put(2, "source", "a = 1\n\n" * 13), small_enough, "13 lines .* begins 'a = 1'"),
        (put(2, "source", "plot(a);\n"), without_hidden_results, "plot"),
        (put(0, "source", "## You need\n## Time"), opened_by_a_card, "'You will be able to'"),
        (put(0, "source", "Claims"), closed_as_a_chapter, "'Claims'"),
        (put(3, "metadata", {}), answers_kept_back, "shows its answer"),
        (
            put(3, "outputs", [{"data": {"text/plain": "Which?\n  (x) a\nNot this time"}}]),
            answers_kept_back,
            "is answered",
        ),
        (
            put(3, "source", 'predict("?", ["a"], 0, because="TPR/FPR, see https://example.org")'),
            answers_kept_back,
            "reason",
        ),
        (put(3, "source", "card([])"), card_names_its_files, "no card with files"),
        (
            put(3, "source", "card([], files=['lab/teaching.py'])"),
            card_names_its_files,
            "no file of the notebook's room",
        ),
        (put(4, "source", "files = ['course/gone.py']"), card_names_its_files, "no file course/gone.py"),
    ],
)
def test_each_rule_sees_its_breach(good, change, rule, complaint, monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "turing2")
    assert list(rule(good)) == []
    bad = copy.deepcopy(good)
    change(bad)
    assert re.search(complaint, "\n".join(rule(bad)))
