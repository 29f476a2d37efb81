"""The sentences of notebook 23's pictures, and the numbers in its questions: they come from the committed tables."""

import re

import pytest

from trustlab.course.lessons import questions
from trustlab.course.n23_continual_learning import EXPERIMENT
from trustlab.course.n23_continual_learning import continual_pictures as pictures
from trustlab.course.n23_continual_learning.table import chosen, matrices
from trustlab.course.n23_continual_learning.toy import ToyPosition, continual_toy
from trustlab.federated.continual import forgetting

ALL = [
    pictures.gap,
    pictures.on_plays,
    pictures.catching_up,
    lambda: pictures.forgetting(forgetting),
    pictures.without_old_data,
    pictures.labels_from_feedback,
    pictures.who_gains,
]


@pytest.fixture(scope="module")
def table():
    return EXPERIMENT.table()


def accuracy(table, **at):
    return 100 * chosen(table, **at)["accuracy"].mean()


@pytest.mark.parametrize("draw", ALL)
def test_a_picture_has_a_sentence_and_its_numbers(draw):
    shown = draw()
    assert shown.verdict.endswith(".") and re.search(r"\d", shown.verdict)
    assert re.match("saved, means? (and 95 % interval )?over seeds 0–[24]", shown.provenance)
    assert len(shown.rows) >= 2 and not re.search(r"\d%", shown.summary)


def test_the_gains_said_are_differences_of_the_tables_means(table):
    said = [
        accuracy(table, drift=1.0, beta=1.0, setting=setting) - accuracy(table, drift=1.0, beta=0.0, setting=setting)
        for setting in ("static", "continual")
    ]
    assert (
        f"gains {said[0]:.0f} points on all data at once and {said[1]:.0f} points over time" in pictures.gap().verdict
    )
    because = questions("23")["activity over time"]["because"]
    assert f"gained {said[0]:.0f} points of accuracy on all data at once, {said[1]:.0f} over time" in because
    asked = questions("23")["activity over time"]
    assert said[1] > said[0] and asked["choices"][asked["answer"]].startswith("Over six periods")


def test_what_is_forgotten_of_the_first_period_is_said(table):
    lost = {
        replay: 100 * matrices(chosen(table, drift=3.0, beta=1.0, replay=replay)).mean(axis=0) for replay in (0, 20)
    }
    runs = matrices(chosen(table, drift=3.0, beta=1.0))
    first = 100 * (runs[:, :-1, 0].max(axis=1) - runs[:, -1, 0]).mean()
    shown = pictures.forgetting(forgetting)
    assert f"Of the first period {first:.0f} points are forgotten with nothing kept" in shown.verdict
    assert lost[20][-1, 0] > lost[0][-1, 0]  # kept examples help the first period


def test_kept_sums_can_be_wrong_in_both_directions(table):
    errors = []
    for drift in (0.0, 3.0):
        for replay in (0, 20):
            found = matrices(chosen(table, drift=drift, beta=1.0, replay=replay))
            errors.append(100 * (found.diagonal(axis1=1, axis2=2).mean() - found[:, -1].mean()))
    told = f"between {-min(errors):.0f} too low and {max(errors):.0f} too high"
    assert min(errors) < 0 < max(errors) and told in pictures.without_old_data().verdict
    fit = continual_toy().answer_at(ToyPosition(drift=4.0)).matrix  # as the question's reason says
    diagonal = sum(fit[t][t] for t in range(6)) / 6
    assert diagonal > sum(fit[-1]) / 6
    asked = questions("23")["kept numbers"]
    assert asked["choices"][asked["answer"]].startswith("It can be either")


def test_the_shares_with_feedback_are_the_tables(table):
    told, true = (accuracy(table, drift=1.0, beta=1.0, labels=labels) for labels in ("feedback", "true"))
    said = pictures.labels_from_feedback().verdict.replace("\u00a0", " ")
    assert f"{told:.0f} % with reactions, {true:.0f} % with true labels" in said


def test_where_training_over_time_catches_up_is_said(table):
    shown = pictures.catching_up()
    never = {row["training"] for row in shown.rows if row["reaches 95 % of it"] == "never"}
    assert {name.split(", ", 1)[1] for name in never} == {"uniform, nothing kept"}
    assert all(name in shown.verdict for name in never)
    always = 0
    for drift in (0.0, 1.0, 3.0):
        for beta in (0.0, 1.0):
            bar = 0.95 * chosen(table, setting="static", drift=drift, beta=beta)["accuracy"].to_numpy()
            for replay in (0, 20):
                runs = chosen(table, drift=drift, beta=beta, replay=replay)
                peaks = [max(float(each) for each in curve.split("|")) for curve in runs["curve"]]
                always += all(peak >= at for peak, at in zip(peaks, bar, strict=True))
    assert f"In {always} of 12 trainings every seed" in shown.verdict
