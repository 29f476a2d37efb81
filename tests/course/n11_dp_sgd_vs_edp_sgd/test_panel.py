import dataclasses
import html
import itertools
import math
import re
import statistics
import threading
import time

import pytest
import torch

import trustlab.privacy
from trustlab.course.n11_dp_sgd_vs_edp_sgd import panel as privacy_budget
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import (
    EPSILONS,
    METHODS,
    MODELS,
    RULES,
    VARIED,
    K,
    Setting,
    recipe,
    result_name,
)
from trustlab.course.n11_dp_sgd_vs_edp_sgd.panel import VARIANT, answer, budget_panel
from trustlab.data import assistant
from trustlab.privacy.training import train as really_train
from trustlab.runs import write_results

pytestmark = pytest.mark.usefixtures("results")

PRIVATE = ("dp-sgd", "edp-sgd", "fast")
NBSP = "\u00a0"  # between a number and its per cent sign


@pytest.fixture(scope="module")
def moved(corpus, results):
    return budget_panel(corpus, "assistant")


@pytest.fixture
def panel(corpus, tmp_path, monkeypatch):
    """A panel to train in; its runs are kept apart."""
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    return budget_panel(corpus, "assistant")


def mean(runs, measure="accuracy"):
    return statistics.mean(run[measure] for run in runs)


def alt_and_picture(panel):
    alt, picture = re.search(r' aria-label="([^"]*)"[^>]*>(<.*)</div>', panel.widgets.picture.value).groups()
    return html.unescape(alt), picture


def positions(panel):
    choices = {name: [value for _, value in control.options] for name, control in panel.controls.items()}
    return [dict(zip(choices, place, strict=True)) for place in itertools.product(*choices.values())]


def is_usual(place):
    """Whether nothing is varied at this position; without noise there is nothing to decay."""
    return place["rule"] == "flat" and (place["noise_decay"] == 1 or math.isinf(place["epsilon"]))


def trained(rows, place):
    """The rows saved for this position, one per seed; none where nothing was."""
    at = dict(place, model="bilstm", micro_batches=K if place["method"] == "edp-sgd" else 0)
    at["noise_decay"] = 1.0 if math.isinf(place["epsilon"]) else place["noise_decay"]
    return [row for row in rows if row.items() >= at.items()]


def rings(shown):
    return {model: pane["ring"] for model, pane in shown.items()}


# Moved over the saved table


def test_there_are_four_controls_over_what_was_compared(moved):
    offered = {name: [value for _, value in control.options] for name, control in moved.controls.items()}
    assert offered == {
        "epsilon": list(EPSILONS),
        "method": list(PRIVATE),
        "rule": list(RULES),
        "noise_decay": [1.0, 0.8],
    }


def test_every_position_has_words_and_where_something_differs_a_sentence_of_its_own(moved):
    places = positions(moved)
    said = [moved.answer_at(dataclasses.replace(moved.config, **place)).verdict for place in places]
    assert len(places) == 4 * 3 * 4 * 2
    alike = sum(math.isinf(place["epsilon"]) and place["noise_decay"] != 1 for place in places)  # nothing to decay
    assert len(set(said)) == len(places) - alike
    for place in places[:: len(places) // 5]:
        moved.set(**place)
        alt, _ = alt_and_picture(moved)
        assert alt and alt in moved.summary
        assert moved.config == dataclasses.replace(moved.config, **place)


def test_a_usual_position_tells_of_both_models_and_rings_both(moved, usual_rows, drawn):
    for epsilon, method in itertools.product(EPSILONS, PRIVATE):
        found, shown = drawn(moved, epsilon=epsilon, method=method, rule="flat", noise_decay=1.0)
        here = {model: usual_rows(method, epsilon, model) for model in MODELS}
        free = {model: usual_rows("sgd", math.inf, model) for model in MODELS}
        said = {}
        for name, runs in (("here", here), ("free", free)):
            shares = " and ".join(f"{mean(runs[model]):.0%} ({label})" for model, label in MODELS.items())
            said[name] = shares, " and ".join(f"{mean(runs[model], 'slot_f1'):.0%}" for model in MODELS)
        budget = "Without noise" if math.isinf(epsilon) else f"At ε = {privacy_budget.budget_label(epsilon)}"
        assert found.verdict.replace(NBSP, "") == (
            f"{budget}, {METHODS[method]} gets {said['here'][0]} of the intents right on the embedded corpus, slot F1 "
            f"{said['here'][1]}; without privacy {said['free'][0]}, slot F1 {said['free'][1]}."
        )
        at = EPSILONS.index(epsilon)
        assert rings(shown) == {label: [(at, pytest.approx(mean(here[model])))] for model, label in MODELS.items()}


def test_a_variant_gets_a_line_of_its_own_and_is_held_against_the_usual(moved, rows, usual_rows, drawn):
    told = 0
    for place in positions(moved):
        runs = trained(rows, place)
        if is_usual(place) or not runs:
            continue
        found, shown = drawn(moved, **place)
        base = usual_rows(place["method"], place["epsilon"])
        verdict = found.verdict.replace(NBSP, "")
        assert f" gets {mean(runs):.0%} (BiLSTM) of the intents right on the embedded corpus, slot F1 " in verdict
        assert verdict.endswith(f"constant noise {mean(base):.0%}, slot F1 {mean(base, 'slot_f1'):.0%}.")
        assert (f"clipping {RULES[place['rule']]}" in verdict) == (place["rule"] != "flat")
        assert ("γ = 0.8" in verdict) == (place["noise_decay"] != 1 and math.isfinite(place["epsilon"]))
        assert rings(shown)["BiLSTM"] == [(EPSILONS.index(place["epsilon"]), pytest.approx(mean(runs)))]
        assert rings(shown)["transformer"] == []  # it was not varied
        own = [row for row in found.numbers if row["method"] == VARIANT]
        assert {row["model"] for row in own} == {"BiLSTM"}
        told += 1
    # Each rule at every ε, alone or beside a decay that does nothing without noise; γ = 0.8 at every finite ε.
    assert told == len(VARIED) * (3 * 4 + 3 + 3)


def test_a_position_that_was_not_trained_says_so_and_why(moved, rows, drawn):
    reasons = {True: "the loop is too slow", False: "varied one at a time"}
    untold = 0
    for place in positions(moved):
        if is_usual(place) or trained(rows, place):
            continue
        found, shown = drawn(moved, **place)
        assert f"{METHODS[place['method']]}, " in found.verdict
        assert " has no saved training: " in found.verdict
        assert reasons[place["method"] == "dp-sgd"] in found.verdict
        assert found.verdict.endswith("The button trains this point.")
        assert rings(shown) == {"BiLSTM": [], "transformer": []}
        untold += 1
    assert untold == (3 * 8 + 3) + 2 * 9  # by the loop, and two things at once by the others


def test_a_method_that_was_not_trained_at_all_says_so_too(corpus, rows, tmp_path, monkeypatch):
    monkeypatch.setenv("TRUSTLAB_RESULTS", str(tmp_path))
    write_results(result_name("assistant"), [row for row in rows if row["method"] != "dp-sgd"], {"seeds": [0]})
    panel = budget_panel(corpus, "assistant")
    assert panel.answer.verdict.startswith("At ε = 8 (weak), DP-SGD (loop) has no saved training: the ")
    assert rings(panel.drawing.shown()) == {"BiLSTM": [], "transformer": []}
    assert " gets " in panel.set(method="fast").answer.verdict


def test_other_corpora_have_no_variants(corpus):
    panel = budget_panel(corpus, "snips")
    verdict = panel.answer.verdict.replace(NBSP, "")
    assert "10% (BiLSTM) and 10% (transformer) of the intents right on SNIPS" in verdict
    panel.set(method="fast", rule="automatic")
    assert "rules and decay were varied on the embedded corpus only" in panel.answer.verdict


def test_the_source_says_seeds_and_neighbours(moved):
    assert moved.reset().answer.provenance == (
        "saved, mean and 95 % interval over seeds 0–2; δ = 1e-5, add/remove one utterance"
    )


def test_reset_restores_words_and_picture(moved):
    moved.reset()
    before = moved.summary, alt_and_picture(moved)
    moved.set(epsilon=1.0, method="fast", rule="automatic")
    assert (moved.summary, alt_and_picture(moved)) != before
    moved.widgets.buttons["Reset"].click()
    assert (moved.summary, alt_and_picture(moved)) == before


def test_a_move_is_drawn_once_and_reuses_what_is_there(moved, assert_moves_are_cheap):
    assert_moves_are_cheap(moved, [{"epsilon": epsilon} for epsilon in EPSILONS])


def test_the_button_says_how_long_the_slower_of_what_it_trains_took(moved):
    assert moved.widgets.buttons["Train"].description == "Train this point, about 35 s"  # 34 s, and not the loop's 302


def test_a_result_that_is_not_there_is_named(corpus):
    with pytest.raises(FileNotFoundError, match=r"Expected dp_sgd_vs_edp_sgd_atis\.csv"):
        budget_panel(corpus, "atis")


# Trained live


def made_up_training(model, data, config):
    """Five steps that look like a training's and take no time."""
    for step in range(1, 6):
        scores = {"epsilon": 1.5 * step, "accuracy": 0.1 * step, "slot_f1": 0.05 * step}
        yield {"step": step, "epoch": float(step), **scores, "progress": step / 5}


def gated(monkeypatch, fail_at=None, training=made_up_training):
    """Let a training take one step for each release of the gate; return the gate and the configs given."""
    gate, configs = threading.Semaphore(0), []

    def train(model, data, config):
        configs.append(config)
        for step, row in enumerate(training(model, data, config)):
            assert gate.acquire(timeout=120)  # never open by itself
            if step == fail_at:
                raise FloatingPointError("loss is nan")
            yield row

    monkeypatch.setattr(trustlab.privacy, "train", train)
    return gate, configs


def wait_for(panel, count):
    deadline = time.monotonic() + 120
    while len(panel.rows) < count and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(panel.rows) == count


def test_a_live_training_streams_to_the_end_and_its_points_sit_at_the_epsilon_spent(panel, corpus, monkeypatch):
    gate, configs = gated(monkeypatch, training=really_train)
    panel.set(method="edp-sgd", epsilon=8.0, rule="automatic", noise_decay=0.8).start()
    assert panel.answer.verdict == "eDP-SGD is training."
    gate.release(100)
    panel.wait(120)
    steps = [row["step"] for row in panel.rows]
    assert steps == [1, 2, 3, 4, 5]
    spent = [row["epsilon"] for row in panel.rows]
    assert spent == sorted(set(spent)) and spent[0] < 8 and 7.9 < spent[-1] <= 8
    assert [(p["epsilon"], p["accuracy"]) for p in panel.answer.live] == [
        (r["epsilon"], r["accuracy"]) for r in panel.rows
    ]
    shown = panel.drawing.shown()
    assert [len(pane["live"]) for pane in shown.values()] == [5, 0]  # it is a BiLSTM
    x, y = zip(*shown["BiLSTM"]["live"], strict=True)
    assert list(y) == [row["accuracy"] for row in panel.rows]
    assert x[-1] == pytest.approx(EPSILONS.index(8.0), abs=0.05)  # on the axis, where ε = 8 stands
    for place, epsilon in zip(x, spent, strict=True):
        assert EPSILONS[math.floor(place)] <= epsilon <= EPSILONS[math.floor(place) + 1]
    accuracy, end = panel.rows[-1]["accuracy"], f" validation utterances, ε = {spent[-1]:.2f} spent."
    verdict = panel.answer.verdict.replace(NBSP, "")
    assert verdict.startswith(f"After 5.0 of 5 epochs: {accuracy:.0%} of the intents right, slot F1 ")
    assert verdict.endswith(end)
    assert panel.answer.provenance == "yours, complete after 5 steps · BiLSTM, seed 0"
    # The saved curves stay: the reader's own point is compared with them.
    assert panel.answer.numbers == answer(panel.config).numbers
    saved_way = recipe(Setting("assistant", "edp-sgd", 8.0, rule="automatic", noise_decay=0.8))
    assert dataclasses.replace(configs[0], evaluate_every=None) == saved_way
    again = budget_panel(corpus, "assistant").set(**{name: each.value for name, each in panel.controls.items()})
    assert again.answer.live == panel.answer.live and " · yours, from " in again.answer.provenance  # not lost


def test_dp_sgd_is_trained_by_the_fast_engine_which_releases_the_same_sums(panel, monkeypatch):
    gate, configs = gated(monkeypatch)
    gate.release(100)
    panel.set(method="dp-sgd", rule="equal").start()
    assert panel.answer.verdict == "DP-SGD (loop) is training."
    panel.wait(120)
    assert dataclasses.replace(configs[0], evaluate_every=None) == recipe(
        Setting("assistant", "fast", 8.0, rule="equal")
    )
    assert panel.answer.provenance.endswith("BiLSTM, seed 0, by the fast engine: the same sums as the loop's")


def test_without_noise_a_live_training_promises_nothing(panel, monkeypatch):
    rows = [{"epoch": 1.0, "epsilon": math.inf, "accuracy": 0.25, "slot_f1": 0.75, "progress": 1.0}]
    monkeypatch.setattr(trustlab.privacy, "train", lambda *_: iter(rows))
    panel.set(epsilon=math.inf).start().wait(120)
    verdict = panel.answer.verdict.replace(NBSP, "")
    assert verdict.startswith("After 1.0 of 5 epochs: 25% of the intents right, slot F1 75% on ")
    assert panel.answer.verdict.endswith(" validation utterances, no guarantee.")
    assert panel.drawing.shown()["BiLSTM"]["live"] == [(EPSILONS.index(math.inf), 0.25)]


def test_stop_keeps_the_partial_result(panel, monkeypatch):
    gate, _ = gated(monkeypatch)
    panel.set(method="edp-sgd")
    panel.widgets.buttons["Train"].click()
    gate.release(2)
    wait_for(panel, 2)
    panel.widgets.buttons["Stop"].click()
    gate.release()
    panel.wait(120)
    assert len(panel.rows) == 3  # the step it was taking was finished
    assert len(panel.answer.live) == 3
    assert panel.answer.live[-1]["epsilon"] == panel.rows[-1]["epsilon"] < 8
    assert "yours, stopped after 3 steps" in panel.summary
    assert f"ε = {panel.rows[-1]['epsilon']:.2f} spent" in panel.summary
    assert " · yours, from " in panel.set(rule="automatic").set(rule="flat").answer.provenance
    assert panel.answer.provenance.endswith("stopped after 3 of 5 steps") and len(panel.answer.live) == 3


def test_wait_raises_what_a_failing_training_raised_and_keeps_its_rows(panel, monkeypatch):
    gate, _ = gated(monkeypatch, fail_at=2)
    panel.set(method="edp-sgd").start()
    gate.release(100)
    with pytest.raises(FloatingPointError, match="loss is nan"):
        panel.wait(120)
    assert len(panel.rows) == 2
    assert 'role="alert">FloatingPointError: loss is nan</div>' in panel.widgets.verdict.value


def test_a_corpus_too_small_for_the_recipe_says_so():
    panel = budget_panel(assistant(100), "assistant").start()
    with pytest.raises(ValueError, match="Expected batch_size=512 <= the 80 training examples"):
        panel.wait(120)
    assert "batch_size=512" in panel.summary
    assert panel.reset().answer.provenance.startswith("saved, ")


def test_a_live_training_takes_one_thread_and_gives_the_others_back(corpus):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        training = privacy_budget.live_rows(Setting(method="fast", epsilon=8.0), corpus)
        next(training)
        assert torch.get_num_threads() == 1
        training.close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("examples", "every"), [(16_000, 3), (512, 1)])
def test_a_live_training_shows_about_fifty_rows_and_measures_each_on_500_utterances(
    examples, every, corpus, monkeypatch
):
    given = []
    data = {"train": range(examples), "validation": range(2000), "test": None}
    monkeypatch.setattr(privacy_budget, "_encoded", lambda corpus: (None, data))
    monkeypatch.setattr("trustlab.models.build", lambda *_, **__: None)
    monkeypatch.setattr(trustlab.privacy, "train", lambda model, *given_: given.append(given_) or iter([]))
    list(privacy_budget.live_rows(Setting(), corpus))
    ((seen, config),) = given
    assert config.evaluate_every == every
    assert seen == {"train": data["train"], "validation": range(500)}
