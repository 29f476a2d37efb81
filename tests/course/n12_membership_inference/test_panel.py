"""The panel says and draws what the committed table has; a live training is drawn over it and can be stopped."""

import itertools
import math
import time

import numpy as np
import pytest

from trustlab.course.n12_membership_inference import EXPERIMENT, membership_pictures
from trustlab.course.n12_membership_inference.attacked import ATTACKS, FPRS, MEASURES, REFERENCES, column
from trustlab.course.n12_membership_inference.audit_pictures import shown_of_epsilon
from trustlab.course.n12_membership_inference.experiment import TRAINED_SIZES
from trustlab.course.n12_membership_inference.panel import Place, _shown, answer, attack_panel, live_rows
from trustlab.course.n12_membership_inference.results import auc_and_risk, leak_and_use, methods_at
from trustlab.course.n12_membership_inference.stacked_training import CORPORA, EPSILONS, METHODS
from trustlab.data import load
from trustlab.lab.display import per_cent
from trustlab.lab.saved import numbers, read
from trustlab.privacy.auditing.false_alarms import HONEST, TABLE
from trustlab.privacy.auditing.step_audit import BOUNDS


@pytest.fixture(scope="module")
def corpus():
    return load("assistant")


@pytest.fixture
def panel(corpus, tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    return attack_panel(corpus)


def mean(method, epsilon, size, attack, references, measure):
    table = EXPERIMENT.table()
    same = (table["method"] == method) & (table["epsilon"] == epsilon) & (table["size"] == size)
    texts = table[same][column(attack, references)]
    return float(np.mean([float(text.split("|")[MEASURES.index(measure)]) for text in texts]))


def test_every_position_says_and_draws_the_tables_means(panel, drawn):
    for epsilon, attack, size, references in itertools.product(EPSILONS, ATTACKS, TRAINED_SIZES, REFERENCES):
        found, shown = drawn(panel, epsilon=epsilon, attack=attack, size=size, references=references)
        at = (size, attack, references, "tpr at fpr 0.01")
        plain, exact = mean("sgd", math.inf, *at), mean("dp-sgd", epsilon, *at)
        assert f"finds {per_cent(plain)} of the members of SGD and {per_cent(exact)} of" in found.verdict
        assert len(found.numbers) == 1 + 7 * (len(methods_at(size)) - 1)
        ring = dict(shown["curves"]["ring"])
        assert list(ring.values()) == pytest.approx([exact])
        line = dict(shown["rocs"]["DP-SGD"])
        assert line[0.01] == pytest.approx(max(exact, 0.0004))
        allowed = dict(shown["permitted"])
        # At the smallest ε little more than guessing is permitted, and a mean over five pools is above it by chance.
        assert epsilon < 2 or math.isinf(epsilon) or line[0.01] < allowed[0.01]


def test_the_permitted_curve_is_the_tables(drawn, panel):
    table = EXPERIMENT.where(method="dp-sgd", epsilon=2.0, size=TRAINED_SIZES[0])
    _, shown = drawn(panel, epsilon=2.0, size=TRAINED_SIZES[0])
    assert [tpr for _, tpr in shown["permitted"]] == numbers(table["permitted"])[0].tolist()


def test_a_live_training_is_that_of_the_table_and_is_drawn_over_it(corpus):
    at = Place(size=TRAINED_SIZES[0], references=REFERENCES[0])
    rows = list(live_rows(at, corpus))
    assert rows[-1]["progress"] == 1 and rows[-1]["epsilon"] <= at.epsilon
    assert 0 <= rows[-1]["epsilon_shown"] <= rows[-1]["epsilon"]
    base = answer(at)
    shown = _shown(at, base, rows)
    assert len(shown.own) == len(FPRS) and f"{per_cent(rows[-1]['found'])} of your models' members" in shown.verdict
    assert f"ε ≥ {rows[-1]['epsilon_shown']:.2f} proved" in shown.verdict
    assert "training together" in _shown(at, base, []).verdict
    again = Place(size=TRAINED_SIZES[0], references=REFERENCES[0], epsilon=math.inf)
    assert again.setting.method == "sgd"


def test_a_live_training_can_be_stopped_and_keeps_what_it_found(panel):
    panel.set(size=TRAINED_SIZES[0], references=REFERENCES[0])
    assert panel.widgets.buttons["Train"].description.startswith("Train and attack, about ")
    panel.start()
    for _ in range(3000):
        if panel.rows:
            break
        time.sleep(0.02)
    panel.widgets.buttons["Stop"].click()
    panel.wait(120)
    assert "yours, stopped after" in panel.summary and 0 < panel.rows[-1]["progress"] < 1


@pytest.mark.parametrize("name", [name for name in CORPORA if name != "assistant"])
def test_the_panel_is_there_for_real_corpora_too(name):
    at = Place(name, size=TRAINED_SIZES[0])
    assert answer(at).rocs["SGD"] and "finds" in answer(at).verdict


def test_pictures_say_what_their_numbers_say():
    size = TRAINED_SIZES[-1]
    rows = {row["attack"]: row for row in auc_and_risk(size)}
    said = membership_pictures.auc_hides().verdict
    assert (
        f"{100 * rows['LiRA online']['members found']:.1f} %" in said and f"{rows['loss threshold']['AUC']:.2f}" in said
    )
    costs = leak_and_use(size)
    assert len(costs) == 8 and costs[0]["training"] == METHODS["sgd"]
    assert per_cent(costs[0]["accuracy"]) in membership_pictures.cost_of_privacy().verdict
    assert membership_pictures.over_sizes().rows


def test_what_audits_show_is_the_tables():
    table, _ = read(TABLE)
    found = shown_of_epsilon()
    rows = {row["step"]: row for row in found.rows}
    assert len(rows) == len(HONEST) and all(row["shown, Gaussian"] < row["declared ε"] for row in rows.values())
    own = table[table["step"] == "Opacus ghost"].set_index("check")
    assert rows["Opacus ghost"]["shown, any mechanism"] == own.loc["one run", "shown epsilon"]
    fast = table[(table["step"] == "fast") & (table["check"] == BOUNDS[1])].iloc[0]
    assert f"noise shows {per_cent(fast['shown epsilon'] / fast['declared epsilon'])}" in found.verdict
    assert found.verdict.startswith(f"0 of {200 * len(HONEST):,} audits")
