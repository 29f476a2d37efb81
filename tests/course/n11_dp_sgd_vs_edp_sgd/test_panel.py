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
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import recipe, result_name, tuned
from trustlab.course.n11_dp_sgd_vs_edp_sgd.panel import Place, answer, budget_panel
from trustlab.course.n11_dp_sgd_vs_edp_sgd.results import EPSILONS, MEASURES
from trustlab.course.n11_dp_sgd_vs_edp_sgd.training_seconds import WAYS, rounded_seconds
from trustlab.data import assistant
from trustlab.privacy.training import train as really_train

pytestmark = pytest.mark.usefixtures("results")

NBSP = "\u00a0"  # between a number and its per cent sign


@pytest.fixture(scope="module")
def moved(corpus, results):
    return budget_panel(corpus, "assistant")


@pytest.fixture
def panel(corpus, tmp_path, monkeypatch):
    """A panel to train in; its runs are kept apart, and its trainings are shorter than the tuned ones."""
    monkeypatch.setenv("TRUSTLAB_RUNS", str(tmp_path))
    short = dict(batch_size=128, epochs=1)
    monkeypatch.setattr(privacy_budget, "tuned", lambda *at: dataclasses.replace(tuned(*at), **short))
    return budget_panel(corpus, "assistant")


def mean(runs, measure="accuracy"):
    return statistics.mean(run[measure] for run in runs)


def alt_and_picture(panel):
    alt, picture = re.search(r' aria-label="([^"]*)"[^>]*>(<.*)</div>', panel.widgets.picture.value).groups()
    return html.unescape(alt), picture


def positions(panel):
    choices = {name: [value for _, value in control.options] for name, control in panel.controls.items()}
    return [dict(zip(choices, place, strict=True)) for place in itertools.product(*choices.values())]


# Moved over the saved table


def test_there_are_three_controls_over_what_was_compared(moved):
    offered = {name: [value for _, value in control.options] for name, control in moved.controls.items()}
    assert offered == {"epsilon": list(EPSILONS), "way": list(WAYS), "measure": list(MEASURES)}


def test_every_position_has_a_sentence_of_its_own_and_a_picture(moved):
    places = positions(moved)
    said = [moved.answer_at(dataclasses.replace(moved.config, **place)).verdict for place in places]
    assert len(places) == 3 * 6 * 2 == len(set(said))
    for place in places[:: len(places) // 4]:
        moved.set(**place)
        alt, _ = alt_and_picture(moved)
        assert alt and alt in moved.summary
        assert moved.config == dataclasses.replace(moved.config, **place)


def test_a_position_tells_its_score_and_seconds_beside_sgd_and_the_exact_method(moved, usual_rows, drawn):
    for epsilon, way, measure in itertools.product(EPSILONS, WAYS, MEASURES):
        found, shown = drawn(moved, epsilon=epsilon, way=way, measure=measure)
        at = {row["way"]: row for row in found.numbers if row["from"].startswith("test")}
        method = WAYS[way].method
        reached = mean(usual_rows(method, math.inf if method == "sgd" else epsilon), measure)
        here = at[WAYS[way].label]
        assert here["score"] == pytest.approx(reached)
        verdict = found.verdict.replace(NBSP, "")
        k = f" with K = {here['K']}" if method == "edp-sgd" else ""
        said = (
            f"{WAYS[way].label}{k} reaches {reached:.0%} in {rounded_seconds(here['seconds'])} on the embedded corpus"
        )
        assert said in verdict and f"({MEASURES[measure]})" in verdict
        assert verdict.startswith("Without privacy, SGD" if way == "sgd" else f"At ε = {epsilon:g} (")
        plain = mean(usual_rows("sgd", math.inf), measure)
        assert (f"SGD without privacy {plain:.0%} in " in verdict) == (way != "sgd")
        assert ("exact DP-SGD in one pass" in verdict) == (way != "fast")
        assert shown["ring"] == [(pytest.approx(here["seconds"]), pytest.approx(reached))]


def test_the_ways_of_one_method_lie_at_one_height_and_each_k_is_written_at_its_point(moved, drawn):
    _, shown = drawn(moved, epsilon=3.0, way="passes", measure="accuracy")
    heights = {name: [y for _, y in places] for name, places in shown["series"].items()}
    assert heights["DP-SGD, loop"] == heights["DP-SGD, one pass"] == heights["DP-SGD, Opacus ghost"]
    assert heights["eDP-SGD, K passes"] == heights["eDP-SGD, one pass"] and len(heights["eDP-SGD, one pass"]) == 4
    assert shown["written"] == 2 * ["K = 16", "K = 64", "K = 256", "K = 1024"]
    assert shown["legend"] == [way.label for way in WAYS.values()]


def test_other_corpora_have_the_tuned_point_alone(corpus, drawn):
    panel = budget_panel(corpus, "snips")
    assert "reaches 10% in " in panel.answer.verdict.replace(NBSP, "") and " on SNIPS " in panel.answer.verdict
    assert [len(places) for places in panel.drawing.shown()["series"].values()] == [1] * 6


def test_the_source_says_seeds_tuning_seconds_and_neighbours(moved):
    assert moved.reset().answer.provenance == (
        "saved, mean and 95 % interval over seeds 0–4; every method tuned at this ε; seconds of one idle CPU thread, "
        "computed from its benchmark; δ = 1e-5, add/remove one utterance"
    )


def test_reset_restores_words_and_picture(moved):
    moved.reset()
    before = moved.summary, alt_and_picture(moved)
    moved.set(epsilon=1.0, way="passes", measure="slot_f1")
    assert (moved.summary, alt_and_picture(moved)) != before
    moved.widgets.buttons["Reset"].click()
    assert (moved.summary, alt_and_picture(moved)) == before


def test_a_move_is_drawn_once_and_reuses_what_is_there(moved, assert_moves_are_cheap):
    assert_moves_are_cheap(moved, [{"epsilon": epsilon} for epsilon in EPSILONS])


def test_the_button_says_how_long_the_quickest_way_takes(moved):
    by_way = {}
    for way in WAYS:
        by_way[way] = moved.set(way=way).widgets.buttons["Train"].description
    assert by_way["loop"] == by_way["opacus"] == by_way["fast"] != by_way["sgd"]
    assert by_way["passes"] == by_way["groups"] and by_way["sgd"].startswith("Train this point, about ")
    moved.reset()


def test_a_result_that_is_not_there_is_named(corpus):
    with pytest.raises(FileNotFoundError, match=rf"Expected {result_name('atis')}\.csv"):
        budget_panel(corpus, "atis")


# Trained live


def made_up_training(model, data, config):
    """Five steps that look like a training's and take no time."""
    for step in range(1, 6):
        scores = {"epsilon": 1.5 * step, "accuracy": 0.1 * step, "slot_f1": 0.05 * step, "seconds": 2.0 * step}
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


def test_a_live_training_streams_to_the_end_and_its_points_are_its_scores_over_its_own_seconds(
    panel, corpus, monkeypatch
):
    gate, configs = gated(monkeypatch, training=really_train)
    panel.set(way="passes", epsilon=8.0, measure="slot_f1").start()
    assert panel.answer.verdict == "eDP-SGD, K passes is training."
    gate.release(100)
    panel.wait(120)
    assert [row["step"] for row in panel.rows] == [1, 2, 3, 4, 5]
    spent = [row["epsilon"] for row in panel.rows]
    assert spent == sorted(set(spent)) and spent[0] < 8 and 7.9 < spent[-1] <= 8
    points = [(row["seconds"], row["slot_f1"]) for row in panel.rows]
    assert panel.drawing.shown()["live"] == points and points[0][0] < points[-1][0]
    accuracy, end = panel.rows[-1]["accuracy"], f" validation utterances, ε = {spent[-1]:.2f} spent."
    verdict = panel.answer.verdict.replace(NBSP, "")
    assert re.match(
        rf"After 1.0 of 1 epochs and [\d.]+ (s|min): {accuracy:.0%} of the intents right, slot F1 ", verdict
    )
    assert verdict.endswith(end)
    own = "yours, complete after 5 steps · seed 0, computed as “eDP-SGD, one pass”: the same sums"
    assert panel.answer.provenance == own
    # The saved points stay: the reader's own is compared with them.
    assert panel.answer.numbers == answer(panel.config).numbers
    assert dataclasses.replace(configs[0], evaluate_every=None) == dataclasses.replace(
        recipe(panel.config.setting), evaluate_every=None
    )
    again = budget_panel(corpus, "assistant").set(**{name: each.value for name, each in panel.controls.items()})
    assert again.answer.live == panel.answer.live and " · yours, from " in again.answer.provenance  # not lost


def test_what_is_trained_is_what_was_tuned_for_the_position(panel, monkeypatch):
    gate, configs = gated(monkeypatch)
    gate.release(100)
    panel.set(way="loop", epsilon=1.0).start().wait(120)
    expected = recipe(dataclasses.replace(tuned("assistant", "fast", 1.0), batch_size=128, epochs=1))
    assert dataclasses.replace(configs[0], evaluate_every=None) == dataclasses.replace(expected, evaluate_every=None)
    assert panel.answer.provenance.endswith("seed 0, computed as “DP-SGD, one pass”: the same sums")


def test_without_noise_a_live_training_promises_nothing(panel, monkeypatch):
    scores = {"accuracy": 0.25, "slot_f1": 0.75, "seconds": 3.0}
    rows = [{"epoch": 1.0, "epsilon": math.inf, **scores, "progress": 1.0}]
    monkeypatch.setattr(trustlab.privacy, "train", lambda *_: iter(rows))
    panel.set(way="sgd").start().wait(120)
    verdict = panel.answer.verdict.replace(NBSP, "")
    assert verdict.startswith("After 1.0 of 1 epochs and 3.0 s: 25% of the intents right, slot F1 75% on ")
    assert panel.answer.verdict.endswith(" validation utterances, no guarantee.")
    assert panel.drawing.shown()["live"] == [(3.0, 0.25)]


def test_stop_keeps_the_partial_result(panel, monkeypatch):
    gate, _ = gated(monkeypatch)
    panel.set(way="groups")
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
    assert " · yours, from " in panel.set(epsilon=1.0).set(epsilon=8.0).answer.provenance
    assert panel.answer.provenance.endswith("stopped after 3 of 5 steps") and len(panel.answer.live) == 3


def test_wait_raises_what_a_failing_training_raised_and_keeps_its_rows(panel, monkeypatch):
    gate, _ = gated(monkeypatch, fail_at=2)
    panel.set(way="groups").start()
    gate.release(100)
    with pytest.raises(FloatingPointError, match="loss is nan"):
        panel.wait(120)
    assert len(panel.rows) == 2
    assert 'role="alert">FloatingPointError: loss is nan</div>' in panel.widgets.verdict.value


def test_a_corpus_too_small_for_the_recipe_says_so():
    panel = budget_panel(assistant(100), "assistant").start()
    batch = tuned("assistant", "fast", 8.0).batch_size
    with pytest.raises(ValueError, match=f"Expected batch_size={batch} <= the 80 training examples"):
        panel.wait(120)
    assert f"batch_size={batch}" in panel.summary
    assert panel.reset().answer.provenance.startswith("saved, ")


def test_a_live_training_takes_one_thread_and_gives_the_others_back(corpus):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        training = privacy_budget.live_rows(Place(), corpus)
        next(training)
        assert torch.get_num_threads() == 1
        training.close()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(("steps", "every"), [(155, 3), (5, 1)])
def test_a_live_training_shows_about_fifty_rows_and_measures_each_on_500_utterances(steps, every, corpus, monkeypatch):
    given = []
    config = tuned("assistant", "fast", 8.0)
    train = range(round(steps / config.epochs * config.batch_size))
    data = {"train": train, "validation": range(2000), "test": None}
    monkeypatch.setattr(privacy_budget, "_encoded", lambda corpus: (None, data))
    monkeypatch.setattr(privacy_budget, "by_length", lambda examples: examples)
    monkeypatch.setattr("trustlab.models.build", lambda *_, **__: None)
    monkeypatch.setattr(trustlab.privacy, "train", lambda model, *given_: given.append(given_) or iter([]))
    list(privacy_budget.live_rows(Place(), corpus))
    ((seen, config),) = given
    assert config.evaluate_every == every
    assert seen == {"train": train, "validation": range(500)}
