"""The notebooks on a corpus that none of them knows: other column names, other labels, made here."""

import ast
import itertools
import json
import re
import types
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from trustlab.course.corpora import results_for
from trustlab.course.n23_continual_learning.own_stream import stream_of
from trustlab.course.n31_fairness_metrics.own_groups import own_groups
from trustlab.data import load_own, serves

ROOT = Path(__file__).resolve().parents[2]
SAYINGS = {
    "brew": ("could you brew {0} at {1}", "{0} for the guests at {1}, please", "make me {0}"),
    "clean": ("the {0} machine needs a rinse", "rinse everything after {1}"),
    "complain": ("my {0} was cold at {1}", "cold again!", "this {0} tastes of soap"),
    "order beans": ("we run out of {0} beans", "beans for {0} by {1}"),
    "opening": ("who opens at {1}", "is it open after {1}"),
    "refund": ("money back for the {0}", "that {0} is worth no penny"),
    "praise": ("best {0} ever", "lovely {0}, thank you"),
    "lost": ("left a scarf there at {1}", "has anyone seen a scarf"),
}
DRINKS = ("flat white", "espresso", "oat chai", "filter", "cold brew")
HOURS = ("noon", "quarter past nine", "five", "half eight")
COLUMNS = dict(text="Said", intent="Wish", slots="Marked", user="Badge", time="When", group="Floor")


def rows(count=1600, seed=7):
    """Rows of a coffee bar: few people say much, wishes move over the weeks, and floors differ in theirs."""
    rng = np.random.default_rng(seed)
    wishes, made = list(SAYINGS), []
    activity = np.arange(1, 61) ** -0.6
    for i in range(count):
        who = int(rng.choice(60, p=activity / activity.sum()))
        taste = 1 + np.abs(np.arange(8) - 8 * i / count) + 2.0 * ((np.arange(8) + who) % 3)
        wish = wishes[int(rng.choice(8, p=(1 / taste) / (1 / taste).sum()))]
        text, marked = "", []
        for part in re.split(r"(\{\d\})", SAYINGS[wish][int(rng.integers(len(SAYINGS[wish])))]):
            if re.fullmatch(r"\{\d\}", part):
                kind, values = (("drink", DRINKS), ("hour", HOURS))[int(part[1])]
                value = str(rng.choice(values))
                marked.append([len(text), len(text) + len(value), kind])
                part = value
            text += part
        if who % 2 and rng.random() < 0.25:
            wish = str(rng.choice(wishes))  # on the south floor a quarter is recorded carelessly
        made.append({"Said": text, "Wish": wish, "Marked": json.dumps(marked), "Badge": f"badge {who}",
                     "When": f"2026-{1 + 6 * i // count:02d}-15", "Floor": ("north", "south")[who % 2]})  # fmt: skip
    return pd.DataFrame(made)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The rows as a file of semicolons."""
    path = tmp_path_factory.mktemp("bar") / "bar.csv"
    rows().to_csv(path, index=False, sep=";")
    return path


def text_of(shown):
    bundle = getattr(shown, "_repr_mimebundle_", None)
    found = bundle() if bundle else None
    found = found[0] if isinstance(found, tuple) else found
    return found["text/plain"] if found else repr(shown)


def names_of(tree, context):
    return {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, context)}


def is_import(statement):
    return isinstance(statement, (ast.Import, ast.ImportFrom))


def holds_data(value):
    return not (callable(value) or isinstance(value, types.ModuleType))


def code_of(stem, replaced):
    """Return the code cells of a notebook, each of some texts replaced in the one cell that has it."""
    notebook = nbformat.read(ROOT / "notebooks" / f"{stem}.ipynb", as_version=4)
    sources = [each.source for each in notebook.cells if each.cell_type == "code"]
    for old, new in replaced.items():
        assert sum(source.count(old) for source in sources) == 1, f"{old} is not once in {stem}"
        sources = [source.replace(old, new) for source in sources]
    return sources


def run(stem, cell, own, *, until=None, shorter=None):
    """Run the code cells of a notebook in this process, one text replaced in one of them; return what is shown.

    A cell in which no name comes from the replaced text shows what it shows on the embedded corpus, where nbval
    compares it. Of such a cell only what others need is run: above the text its imports, below it all but the last
    expression. `until` is in the last cell that is run; `shorter` replaces the lengths of trainings.
    """
    said, of_own = [], set()
    names = {"__name__": "__main__", "display": lambda *objects: said.extend(map(text_of, objects))}
    for source in code_of(stem, {**(shorter or {}), cell: own}):
        tree = ast.parse(source)
        read, stored = names_of(tree, ast.Load), names_of(tree, ast.Store)
        last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
        concerned = own in source or bool(read & of_own)
        if not (concerned or of_own):
            tree.body = list(filter(is_import, tree.body))
        exec(compile(tree, stem, "exec"), names)
        if concerned:
            value = eval(compile(ast.Expression(last.value), stem, "eval"), names) if last else None
            said += [] if value is None else [text_of(value)]
            changed = {name for name in read & names.keys() if holds_data(names[name])}  # perhaps, as a list is
            of_own |= stored | changed | {each.name for each in tree.body if hasattr(each, "name")}
        if until is not None and until in source:
            break
    return "\n".join(said), names


@pytest.fixture
def own(written, tmp_path, monkeypatch):
    """Return a function that runs a notebook on the file."""
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    call = f"__import__('trustlab.data').data.load_own({str(written)!r}, separator=';', **{COLUMNS!r})"
    return lambda stem, cell, before="", **options: run(stem, cell, before + call, **options)


def test_the_corpus_serves_everything(written):
    assert serves(load_own(written, separator=";", **COLUMNS))["runs"].all()


YOURS = "It is your corpus. Saved results are of the embedded corpus; what is computed here is of yours, unless it says"


def source(panel):
    """Where the saved numbers of a panel are said to come from, and whose those behind the button are."""
    return panel.answer.provenance.rpartition(", of the embedded")[2]


BUTTON = " corpus; of yours nothing is saved, the button trains on it"


def trained(panel, module, corpus):
    """The first rows of what the panel's button trains, on the corpus that it was given."""
    at = panel.config
    return list(itertools.islice(module.live_rows(at, corpus), 3))


def test_notebook_11(own):
    from trustlab.course.n11_dp_sgd_vs_edp_sgd import panel

    shorter = {"repetitions=10": "repetitions=3", "epochs=10": "epochs=2"}
    shown, names = own("11_dp_sgd_vs_edp_sgd", "load(name)", shorter=shorter)
    assert "Utterances: 1,280 for train, 160 for validation, 160 for test. " + YOURS in shown
    assert source(names["panel"]) == BUTTON and "on the embedded corpus" in names["panel"].answer.verdict
    fitted = panel.fitted(panel.recipe(names["panel"].config.setting), names["corpus"])
    assert fitted.batch_size / 1280 == pytest.approx(names["panel"].config.setting.batch_size / 16_000, rel=0.02)
    rows = trained(names["panel"], panel, names["corpus"])
    assert [row["measured on"] for row in rows] == [160] * 3 and rows[0]["epsilon"] <= rows[-1]["epsilon"] <= 8
    assert re.search(r"at ε = (7\.9|8\.0), after 1,280 utterances", shown)


def test_notebook_21(own):
    from trustlab.course.n21_non_iid_partitioning import panel

    shown, names = own("21_non_iid_partitioning", "load(name)")
    assert f"1,280 utterances of 8 intents. {YOURS}" in shown
    assert "100 × 8 counts equal the package's" in shown and "computed here on your corpus" in shown
    assert "The natural fleet by device: " in shown and "by group" in shown
    assert source(names["panel"]) == BUTTON
    rows = trained(names["panel"], panel, names["corpus"])
    test_rows = 160
    assert all(row["accuracy"] * test_rows == pytest.approx(round(row["accuracy"] * test_rows)) for row in rows)


def test_notebook_22(own):
    from trustlab.course.n22_device_selection import panel

    shown, names = own("22_device_selection", "load(name)")
    users = len(set(names["corpus"]["train"]["device"]))
    assert f"{users} devices with " in shown and YOURS in shown
    assert source(names["panel"]) == BUTTON
    assert "fleet" not in names["panel"].controls and "strategy" in names["panel"].controls
    rows = trained(names["panel"], panel, names["corpus"])
    assert 0 < rows[0]["examples"] < rows[-1]["examples"] < 60 * 1280


def test_notebook_23(own):
    from trustlab.course.n23_continual_learning import panel

    shown, names = own("23_continual_learning", "assistant_over_time(drift=1.0, seed=0)")
    assert re.search(rf"1,280 utterances of \d+ devices in 6 periods. {YOURS}", shown)
    assert sorted(set(names["said"].periods)) == list(range(6)) and len(names["said"].test_periods) == 160
    assert "requests are right, by hand and in the package" in shown
    live = names["panel"]
    assert source(live) == BUTTON and "drift" not in live.controls and "beta" in live.controls
    rows = list(panel.own_rows(live.config, names["corpus"]))
    assert rows[-1]["round"] == 60 and all(f"accuracy_{period}" in rows[-1] for period in range(1, 7))
    assert all(row["accuracy"] * 160 == pytest.approx(round(row["accuracy"] * 160)) for row in rows)
    assert rows[-1]["accuracy"] > 0.3  # of eight wishes, of which an eighth is recorded carelessly
    live.start().wait(120)
    assert "% of all periods' requests of your corpus are understood; the saved ones on the embedded corpus" in (
        live.answer.verdict
    )
    assert len(live.answer.matrix) == 6 and live.answer.live[-1]["accuracy"] == pytest.approx(rows[-1]["accuracy"])


def test_the_panel_of_23_says_how_to_cut_other_periods(written):
    from trustlab.course.n23_continual_learning.panel import continual_panel

    three = continual_panel(load_own(written, separator=";", periods=3, **COLUMNS))
    assert source(three).endswith("of yours nothing is saved, and none is trained: load_own(…, periods=6) would do")


def test_notebook_24(own):
    from trustlab.course.n24_fednlp_benchmark import panel

    shorter = {"rounds=30": "rounds=3", "every=10)": "every=1)", "rounds=12": "rounds=2", "every=12": "every=2"}
    shown, names = own("24_fednlp_benchmark", 'load("assistant")', shorter=shorter)
    assert YOURS in shown and re.search(r"which (drink|hour) \|", shown) and "(computed here on your corpus)" in shown
    assert source(names["panel"]) == BUTTON
    rows = trained(names["panel"].set(task="tagging", partition="natural"), panel, names["corpus"])
    assert [row["step"] for row in rows] == [2, 4, 6]


def test_notebook_31(own):
    shown, names = own("31_fairness_metrics", 'own = load("assistant")', "own = ")
    assert re.search(
        "The groups of your corpus: “(north|south)” gets .* right and “(north|south)” .*counted words", shown
    )
    assert "The groups of the embedded corpus" not in shown and set(names["own"]["test"]["group"]) == {"north", "south"}


# What is missing is said


@pytest.fixture(scope="module")
def poor():
    """The same rows with a text and a wish, and nothing else."""
    return load_own(rows(600), text="Said", intent="Wish")


@pytest.mark.parametrize(
    ("notebook", "task", "said"),
    [
        ("22", "", r"10 or more users with training rows \(user=\)"),
        ("23", "", r"10 or more users with training rows \(user=\); two or more periods \(time=\)"),
        ("24", "tag", r"slots other than O \(slots=\); 10 or more users"),
    ],
)
def test_a_notebook_says_in_its_first_cell_what_it_lacks(poor, notebook, task, said):
    with pytest.raises(ValueError, match=f"Expected a corpus for notebook {notebook}, yours lacks: {said}.*assistant"):
        results_for(poor, "assistant", notebook, task)


def test_what_a_notebook_goes_on_without_is_said(poor):
    name, told = results_for(poor, "assistant", "11")
    assert name == "assistant" and "cannot be used to train a tagger of slots privately; missing: slots" in told
    name, told = results_for(poor, "shop", "21")
    assert name == "assistant" and "cannot be used to measure the fleet that is in it; missing: a column" in told
    assert "two or more groups in test (group=)" in own_groups(poor).text
    few = load_own(rows(60), text="Said", intent="Wish")
    with pytest.raises(ValueError, match="100 or more training rows"):
        results_for(few, "assistant", "21")


def test_notebook_21_goes_on_without_users(tmp_path, monkeypatch, written):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    call = f"__import__('trustlab.data').data.load_own({str(written)!r}, separator=';', text='Said', intent='Wish')"
    shown, _ = run("21_non_iid_partitioning", "load(name)", call, until="two_skews(")
    assert "No column says whose each row is. FedNLP's scheme" in shown


def test_too_few_users_in_a_period_are_refused_with_the_way_out(written):
    made = load_own(rows(1600), periods=200, **COLUMNS)
    assert len(set(made["train"]["period"])) == 6  # six dates are six periods
    table = rows(1600).assign(When=range(1600))
    with pytest.raises(
        ValueError, match=r"Expected 10 or more users with rows in each period.*load_own\(…, periods=3\)"
    ):
        stream_of(load_own(table, periods=160, **COLUMNS))
