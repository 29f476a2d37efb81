"""What a committed notebook must keep to. Each rule takes a notebook and yields a complaint per breach."""

import ast
import copy
import getpass
import json
import re
import tomllib
from pathlib import Path

import pytest

from trustlab.course.glossary import entries, with_tooltips

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = ROOT / "notebooks"
OPENERS = ("10", "20", "30")  # ten minutes, without claims

CARD = ("You will be able to", "You need", "Time", "Data and licence", "Correctness status")
CHAPTER = ("Limits and reading", "Exercises", "Claims")
MOST_CELLS, MOST_LINES, MOST_BYTES = 40, 12, 400_000
MOST_TABLES, MOST_WORDS = 2, 80
MACHINERY = re.compile(r"NBVAL|nbval|output is not compared|when the notebook is tested|source_hidden")
PER_CENT = re.compile(r"\d%")
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


def texts_of_the_room(notebook):
    """The card and the questions of a notebook, which are in its room."""
    path = ROOT / "trustlab" / "course" / f"n{notebook['stem']}" / "teaching.toml"
    return (
        tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {"card": {"files": []}, "questions": {}}
    )


def answers_kept_back(notebook):
    """A prediction's texts are in the room, not in the notebook, and nothing that is stored shows an answer."""
    yield from ("a prediction with its answer in the cell: ask question('NN name')" for _ in calls(notebook, "predict"))
    for cell, _ in calls(notebook, "question"):
        for output in cell["outputs"]:
            if not text(output.get("data", {}).get("text/plain", "")).endswith("\nChoose one before you read on."):
                yield "the stored output of a prediction is answered"


def reasons_kept_back(notebook):
    """Nothing that is stored or written above shows why a prediction's answer is right."""
    reasons = [asked["because"] for asked in texts_of_the_room(notebook)["questions"].values()]
    reasons = [each for because in reasons for each in ([because] if isinstance(because, str) else because)]
    everything = [*shown(notebook), *(text(cell["source"]) for cell in notebook["cells"])]
    if any(reason in value for reason in reasons if len(reason) > 20 for value in everything):
        yield "a stored output or a cell shows the reason of a prediction"


def cells_are_seen(notebook):
    if any(cell["metadata"].get("jupyter", {}).get("source_hidden") for cell in code(notebook) if "metadata" in cell):
        yield "a cell with hidden source: its texts belong to the room"


def card_names_its_files(notebook):
    """The card is the notebook's own, and its *Files behind this page* exist, one of them at least in its room."""
    cards = [strings(call) for _, call in calls(notebook, "card")]
    if cards != [[notebook["stem"][:2]]]:
        yield f"expected one card({notebook['stem'][:2]!r}), got {cards}"
        return
    names = texts_of_the_room(notebook)["card"]["files"]
    if not any(name.startswith(f"course/n{notebook['stem']}/") for name in names):
        yield f"the card names no file of the notebook's room among {names}"
    yield from (f"no file {name}" for name in names if not (ROOT / "trustlab" / name).is_file())


def ends_with_what_was_found(notebook):
    found = [cell for cell, call in calls(notebook, "found") if strings(call) == [notebook["stem"][:2]]]
    if found != code(notebook)[-1:]:
        yield f"the last cell is not found({notebook['stem'][:2]!r})"


def before(notebook, heading):
    """The cells up to the chapter `heading`."""
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown" and re.search(rf"^## {heading}", text(cell["source"]), re.M):
            return
        yield cell


def pictures_not_tables(notebook):
    told = {"cells": [cell for cell in before(notebook, "Exercises") if cell["cell_type"] == "code"]}
    rich = [text(output.get("data", {}).get("text/html", "")) for output in outputs(told)]
    if (tables := sum("<table" in html for html in rich)) > MOST_TABLES:
        yield f"{tables} tables before the exercises, expected at most {MOST_TABLES}: draw the findings"


def words_of(notebook):
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            yield re.sub(r'<abbr title="[^"]*">', "", text(cell["source"]))


def short_paragraphs(notebook):
    for source in words_of(notebook):
        for paragraph in re.split(r"\n\s*\n|\n(?=[-*|#])", re.sub(r"```.*?```", "", source, flags=re.S)):
            if (count := len(paragraph.split())) > MOST_WORDS:
                yield f"a paragraph of {count} words, expected at most {MOST_WORDS}: {paragraph[:60]!r}"


def words_for_a_reader(notebook):
    """No machinery, no Python strings as results, one style of per cent and minus."""
    for source in [*words_of(notebook), *shown(notebook), *(text(cell["source"]) for cell in code(notebook))]:
        if found := MACHINERY.search(source):
            yield f"machinery in sight: {found[0]!r}"
    for value in [*words_of(notebook), *(output_text(output) for output in outputs(notebook))]:
        if found := PER_CENT.search(value):
            yield f"per cent without a space: {value[max(0, found.start() - 30) : found.end()]!r}"
    for output in outputs(notebook):
        if re.fullmatch(r"(['\"]).*\1", output_text(output), re.S) and len(output.get("data", {})) == 1:
            yield f"a Python string as a result: {output_text(output)[:60]}"


def output_text(output):
    return text(output.get("data", {}).get("text/plain", output.get("text", "")))


def explained_terms(notebook):
    """Tooltips are those of today's glossary: `make notebooks` writes them."""
    known = entries((ROOT / "GLOSSARY.md").read_text(encoding="utf-8"))
    sources = [text(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    if with_tooltips(sources, known) != sources:
        yield "tooltips that are not the glossary's: run make notebooks"


def _missing(notebook, wanted):
    present = list(headings(notebook))
    for heading in wanted:
        if not any(each.startswith(heading) for each in present):
            yield f"no markdown heading begins with {heading!r}"


EVERYWHERE = (
    ran_top_to_bottom, made_for_python3, without_widget_state, without_traces_of_a_machine, pictures_with_words,
    without_errors, small_enough, without_hidden_results, answers_kept_back, cells_are_seen, words_for_a_reader,
)  # fmt: skip
COURSE = (
    *EVERYWHERE, opened_by_a_card, card_names_its_files, reasons_kept_back, ends_with_what_was_found,
    pictures_not_tables, short_paragraphs, explained_terms,
)  # fmt: skip


def rules_for(path):
    """Worked solutions carry no card; 00 and the openers have no claims, the other chapters have them."""
    if path.parent.name == "solutions":
        return EVERYWHERE
    if path.name.startswith(("0", *OPENERS)):
        return COURSE
    return (*COURSE, closed_as_a_chapter)


def test_the_courses_notebooks_keep_to_the_rules(notebooks):
    complaints = []
    for path in notebooks:
        notebook = {"stem": path.stem, **json.loads(path.read_text(encoding="utf-8"))}
        complaints += [f"{path.name}: {breach}" for rule in rules_for(path) for breach in rule(notebook)]
    assert not complaints, "\n".join(complaints)


def test_the_expected_notebooks_exist(notebooks):
    stems = (
        "00_start_here",
        "02_your_data",
        "10_what_epsilon_promises",
        "11_dp_sgd_vs_edp_sgd",
        "12_membership_inference",
        "13_canary_extraction",
        "14_private_text",
        "20_one_round_of_fedavg",
        "21_non_iid_partitioning",
        "22_device_selection",
        "23_continual_learning",
        "24_fednlp_benchmark",
        "25_beyond_one_machine",
        "30_one_gap_by_hand",
        "31_fairness_metrics",
        "32_prediction_sensitivity",
        "33_role_reversal",
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
        "metadata": {},
        "source": ['card("31")\n', 'question("31 effect size")'],
        "outputs": [{"output_type": "execute_result", "execution_count": 3, **unanswered}],
    }
    printed = {"output_type": "stream", "name": "stdout", "text": "TPR/FPR, see https://example.org/a/b, ../shared/x"}
    return {
        "stem": "31_fairness_metrics",
        "metadata": {"kernelspec": {"name": "python3"}},
        "cells": [
            markdown(*CARD, "Predict first: what will noise do?", *CHAPTER),
            {"cell_type": "code", "execution_count": 1, "source": "panel", "outputs": [shown]},
            {"cell_type": "code", "execution_count": 2, "source": ["a = 1\n", "print(a)"], "outputs": [printed]},
            asked,
            {"cell_type": "code", "execution_count": 4, "source": 'found("31")', "outputs": []},
        ],
    }


def test_the_card_may_be_a_cells_output(good):
    good["cells"][0] = markdown("Predict first")
    good["cells"][1]["outputs"][0]["data"]["text/plain"] = "\n".join(f"{heading}\n  words" for heading in CARD)
    assert list(opened_by_a_card(good)) == []


def test_a_good_notebook_passes(good, monkeypatch):
    written = {"card": {"files": ["course/n31_fairness_metrics/claims.py"]}, "questions": {}}
    monkeypatch.setitem(globals(), "texts_of_the_room", lambda notebook: written)
    rules = (*COURSE, closed_as_a_chapter)
    assert [breach for rule in rules for breach in rule(good)] == []


def printing(value):
    def change(notebook):
        notebook["cells"][2]["outputs"][0]["text"] = value

    return change


REASON = "It is the reason for an answer."


def tables(count):
    shown = {"output_type": "display_data", "data": {"text/html": "<table></table>", "text/plain": "x"}, "metadata": {}}
    return {"cell_type": "code", "execution_count": 1, "source": "table(rows)", "outputs": [shown] * count}


def quoted():
    shown = {"output_type": "execute_result", "data": {"text/plain": "'ε is 3'"}, "metadata": {}}
    return {"cell_type": "code", "execution_count": 1, "source": "f'ε is {ε}'", "outputs": [shown]}


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
        (put(3, "metadata", {"jupyter": {"source_hidden": True}}), cells_are_seen, "hidden source"),
        (
            put(3, "outputs", [{"data": {"text/plain": "Which?\n  (x) a\nNot this time"}}]),
            answers_kept_back,
            "is answered",
        ),
        (put(3, "source", 'predict("?", ["a"], 0, because="So.")'), answers_kept_back, "answer in the cell"),
        (lambda n: printing(REASON)(n), reasons_kept_back, "shows the reason"),
        (put(3, "source", 'card("22")'), card_names_its_files, r"one card\('31'\), got \[\['22'\]\]"),
        (put(4, "source", 'found("22")'), ends_with_what_was_found, r"not found\('31'\)"),
        (lambda n: n["cells"].insert(0, tables(3)), pictures_not_tables, "3 tables before the exercises"),
        (put(0, "source", "word " * 81), short_paragraphs, "81 words"),
        (put(2, "source", "# NBVAL_IGNORE_OUTPUT\na"), words_for_a_reader, "machinery"),
        (printing("It is 72%."), words_for_a_reader, "per cent without a space: 'It is 72%'"),
        (lambda n: n["cells"].insert(1, quoted()), words_for_a_reader, "Python string"),
        (put(0, "source", "A cohort."), explained_terms, "make notebooks"),
    ],
)
def test_each_rule_sees_its_breach(good, change, rule, complaint, monkeypatch):
    monkeypatch.setattr(getpass, "getuser", lambda: "turing2")
    written = {"card": {"files": ["course/n31_fairness_metrics/claims.py"]}, "questions": {"x": {"because": REASON}}}
    monkeypatch.setitem(globals(), "texts_of_the_room", lambda notebook: written)
    assert list(rule(good)) == []
    bad = copy.deepcopy(good)
    change(bad)
    assert re.search(complaint, "\n".join(rule(bad)))
