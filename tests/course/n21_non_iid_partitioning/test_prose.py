"""Every number in the notebook's running text comes from what it speaks of."""

import numpy as np
import pytest

from trustlab.course.lessons import questions
from trustlab.course.n21_non_iid_partitioning.exercises import ALPHA_OF_PFL, COUNTS, LABELS
from trustlab.course.n21_non_iid_partitioning.experiment import (
    CLIENTS,
    PER_ROUND,
    ROUNDS,
    USUAL_RATE,
    Setting,
    recipe,
)
from trustlab.course.n21_non_iid_partitioning.rate_search import RATES
from trustlab.course.partition_panel import divided, side_by_side
from trustlab.data import load
from trustlab.federated.partition import effective_labels, label_counts, partition
from trustlab.results import read_results, results_directory

NOTEBOOK = "21_non_iid_partitioning"
# Years, the paper's number, notebooks, a library's version; definitions (distance from 0 to 1, logarithms to base 2);
# Flower's own minimum.
HARMLESS = (
    r"\b(?:19|20)\d\d\b|2104\.08815|notebooks? \d\d|chapter 1|pfl 0\.6|CLINC150|minimum of 10|base 2|"
    r"is 0 for equal distributions and 1 for|is 5 for five equally frequent|0 if all are equal, near 1|not distance 0|"
    r"from 0\b|client 0, the next to client 1"
)


def test_every_number_in_the_text_is_of_the_experiment_that_it_speaks_of(numbers_left):
    fragments = [
        f"{CLIENTS} clients, {PER_ROUND} of them drawn in each of {ROUNDS} rounds",
        f"minibatches of {recipe(Setting()).batch_size}",
        f"**{ROUNDS} rounds.**",
        "clients at α = 100 are even *more* alike than chance",
        "{} utterances that ask to play, {} to stop and {} to pay".format(*COUNTS),
        f"{LABELS} equally frequent intents by pfl's α = {ALPHA_OF_PFL:g}",
        "a fleet of 200 clients",
        "each fleet has the best of eight",
        f"all have a rate of {USUAL_RATE:g}",
    ]
    assert len(RATES.values) == 8
    assert numbers_left(NOTEBOOK, fragments, HARMLESS) == []
    assert len(partition(load("assistant")["train"]["device"], scheme="natural")) == 200


@pytest.fixture(scope="module")
def labels():
    return load("assistant")["train"]["intent"]


def test_at_alpha_100_flowers_clients_are_more_alike_than_chance_and_pfls_are_not(labels):
    apart = {row["α of"]: row["JS distance"] for row in side_by_side(labels, 100.0)}
    assert apart["Flower"] < apart["no skew"] < apart["pfl"]


def test_the_question_whose_alpha_is_answered_by_the_fleets(labels):
    asked = questions("21")["whose alpha"]
    number = {
        way: np.median(effective_labels(label_counts(divided(labels, way, 0.1, 100), labels)[0]))
        for way in ("fednlp", "flower")
    }
    assert asked["choices"][asked["answer"]].startswith("FedNLP's") and number["fednlp"] < number["flower"]
    assert "A hundred clients, forty intents, α = 0.1" in asked["question"] and len(set(labels)) == 40
    assert "that of FedNLP has one" in asked["because"].replace("client of", "that of").replace("the median ", "")
    assert "between six and seven" in asked["because"]
    assert round(number["fednlp"]) == 1 and 6 < number["flower"] < 7


def test_the_question_about_rare_intents_has_the_tables_numbers():
    asked = questions("21")["rare intents"]
    rows = read_results(results_directory() / "non_iid_partitioning_assistant")[0]
    rows = rows[rows.scheme == "fednlp"]
    at = 100 * rows.groupby("alpha")[["accuracy", "accuracy_rare"]].mean()
    assert f"from {at.accuracy[100.0]:.0f} % to {at.accuracy[0.1]:.0f} % of all intents" in asked["question"]
    assert f"starts at {at.accuracy_rare[100.0]:.0f} %" in asked["question"]
    ends = [80, 70, 60]
    assert [f"Near {end} %" in choice for end, choice in zip(ends, asked["choices"], strict=True)] == [True] * 3
    assert min(ends, key=lambda end: abs(end - at.accuracy_rare[0.1])) == ends[asked["answer"]]
