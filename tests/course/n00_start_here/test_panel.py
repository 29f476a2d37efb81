import dataclasses
import math
import statistics

import pytest

from trustlab.course.n00_start_here.panel import first_picture
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import EPSILONS, SHOWN, shown

METHODS = {"dp-sgd": "DP-SGD", "edp-sgd": "eDP-SGD"}
pytestmark = pytest.mark.usefixtures("results")


@pytest.fixture(scope="module")
def panel(corpus, results):
    return first_picture(corpus)


def positions():
    return [dict(epsilon=epsilon, method=method) for epsilon in EPSILONS for method in ("dp-sgd", "edp-sgd")]


@pytest.fixture(scope="module")
def runs_at(usual_rows):
    """The trainings behind a point: DP-SGD's are the fast engine's, which releases the same sums."""
    return lambda method, epsilon: usual_rows("fast" if method == "dp-sgd" else method, epsilon)


def mean(runs):
    return statistics.mean(run["accuracy"] for run in runs)


def test_the_controls_step_over_what_the_table_holds(panel):
    offered = {name: [value for _, value in control.options] for name, control in panel.controls.items()}
    assert offered == {"epsilon": list(EPSILONS), "method": ["dp-sgd", "edp-sgd"]}


def test_it_shows_what_seed_0_answered(panel, corpus, runs_at):
    said = [" ".join(corpus["test"][i]["tokens"]) for i in shown(corpus)]
    assert len(said) == SHOWN
    counts = set()
    for place in positions():
        panel.set(**place)
        assert panel.config == dataclasses.replace(panel.config, **place)
        (row,) = [run for run in runs_at(**place) if run["seed"] == 0]
        right = sum(guess != "nonsense" for guess in row["answers"].split("|"))
        assert panel.answer.verdict.endswith(f"Of the {SHOWN} utterances shown, it understands {right}.")
        assert [text for text, _, _ in panel.answer.utterances] == said
        assert "|".join(guess for _, _, guess in panel.answer.utterances) == row["answers"]
        texts, heard = zip(*panel.drawing.shown()["utterances"], strict=True)
        assert sum(text.startswith("✓") for text in heard) == right
        assert sum(text.startswith("✗ nonsense   (it is ") for text in heard) == SHOWN - right
        assert list(texts) == [f"“{text}”" for text in said]
        counts.add(right)
    assert len(counts) > 3


def test_the_verdict_and_the_marked_point_are_the_means_of_the_bilstm(panel, runs_at):
    plain = mean(runs_at("sgd", math.inf))
    for place in positions():
        panel.set(**place)
        expected = mean(runs_at(**place))
        budget = "Without noise" if math.isinf(place["epsilon"]) else f"At ε = {place['epsilon']:g} ("
        assert panel.answer.verdict.startswith(budget)
        start = f", {METHODS[place['method']]} reaches intent accuracy {expected:.0%}; "
        assert start + f"without privacy the same model reaches {plain:.0%}. " in panel.answer.verdict
        assert panel.drawing.shown()["ring"] == [(EPSILONS.index(place["epsilon"]), pytest.approx(expected))]


def test_plain_sgd_is_a_line_of_reference_and_no_curve(panel, runs_at):
    assert set(panel.numbers["method"]) == {"DP-SGD", "eDP-SGD"}
    heights = [line.get_ydata()[0] for line in panel.drawing.axes.lines if line.get_linestyle() == "--"]
    assert pytest.approx(mean(runs_at("sgd", math.inf))) in heights
