"""The panel's words and verdicts, the toy against autograd, and what the pictures say of the committed tables."""

import itertools
import time

import numpy as np
import pytest
import torch

from trustlab.course.n32_prediction_sensitivity import panel as room
from trustlab.course.n32_prediction_sensitivity import sensitivity_pictures as pictures
from trustlab.course.n32_prediction_sensitivity.claims import claims_of
from trustlab.course.n32_prediction_sensitivity.panel import SENTENCE, choices, sensitivity_panel
from trustlab.course.n32_prediction_sensitivity.results import (
    disagreeing,
    ranking,
    responses,
    robustness,
    verdicts,
)
from trustlab.course.n32_prediction_sensitivity.saved_classifiers import models
from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import NORMS, OF, TOKEN_WEIGHTS, VARIANTS
from trustlab.course.n32_prediction_sensitivity.spoken_requests import BIASED, RECORDERS
from trustlab.course.n32_prediction_sensitivity.toy import BIASES, SHARPNESS, WORDS, bias_toy, measured
from trustlab.fairness.sensitivity import accumulated_prediction_sensitivity
from trustlab.lab.claims import claims


@pytest.fixture(scope="module")
def panel():
    return sensitivity_panel()


def test_the_panel_shows_each_word_and_what_the_package_says(panel, drawn):
    answer, shown = drawn(panel, v="even", norm=1, of="logits")
    assert shown["words"] == SENTENCE.split()
    classifier = models()[0][BIASED]
    found = accumulated_prediction_sensitivity(
        classifier, [SENTENCE.split()], token_weights=np.ones((1, 8)), norm=1, of="logits"
    )
    np.testing.assert_allclose([row["moves"] for row in answer.numbers], found.movement[0], rtol=1e-5)
    assert sum(row["share of P"] for row in answer.numbers) == pytest.approx(found.score[0], rel=1e-5)
    assert max(shown["moves"]) == pytest.approx(1) and max(shown["weights"]) == pytest.approx(1)
    assert sum(map(len, shown["dots"].values())) == len(TOKEN_WEIGHTS) * len(NORMS)


def test_a_swapped_word_changes_both_measures_at_once(panel):
    first = panel.set(sentence=SENTENCE).answer
    other = panel.set(sentence=SENTENCE.replace("much obliged", "cheers")).answer
    assert first.verdict != other.verdict and first.swapped != other.swapped
    before = [row["biased"] for row in first.choices]
    assert before != [row["biased"] for row in other.choices]
    panel.reset()


def test_a_new_sentence_is_read_within_a_tenth_of_a_second_of_work(panel):
    seconds = []
    for word in ("water", "gas", "phone", "council"):
        position = room.SentencePosition(sentence=f"good day settle my {word} bill right away")
        started = time.process_time()
        panel.answer_at(position)
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.1


def test_sentences_without_words_or_without_a_groups_words_are_answered(panel, drawn):
    assert "Type a sentence" in drawn(panel, sentence="?!")[0].verdict
    answer, shown = drawn(panel, sentence="pay the water bill", v="hard")
    assert answer.swapped == (0.0, 0.0) and "calls neither less fair" in answer.verdict and shown["weights"] == [0] * 4
    long = " ".join(["pay"] * 40)
    assert len(drawn(panel, sentence=long)[1]["words"]) == 12


@pytest.mark.parametrize("of", OF)
def test_the_verdict_counts_the_choices(panel, of):
    words = tuple(SENTENCE.split())
    rows = choices(words, "predicted", of)
    less = sum(row[BIASED] > row[RECORDERS[1]] for row in rows)
    answer = panel.answer_at(room.SentencePosition(of=of))
    assert f"under {less} of {len(rows)} choices of v and norm" in answer.verdict


def test_the_saved_models_know_their_requests_and_who_speaks():
    classifiers, status = models()
    asked = [
        classifier.logits([["pay", "the", "water", "bill"]]).argmax().item() for classifier in classifiers.values()
    ]
    assert asked == [2, 2] and status.accuracy["low"] > 0.5
    status.check()


@pytest.mark.parametrize(("bias", "sharpness"), itertools.product(BIASES, SHARPNESS))
def test_the_toy_is_what_autograd_says(bias, sharpness):
    x = torch.tensor(list(WORDS.values()), dtype=torch.double, requires_grad=True)
    z = sharpness * (x @ torch.tensor([1.0, bias]).double()).sum()
    (slope,) = torch.autograd.grad(torch.sigmoid(z), x)
    found = measured(bias, sharpness, "probabilities")
    assert found["P"] == pytest.approx(slope[0].norm().item())
    assert (slope == slope[0]).all()  # the same at every word: token weights change nothing
    assert (found["change by the swap"] == 0) == (bias == 0) == (found["gradient towards the swap"] == 0)


def test_the_toys_p_is_above_0_without_bias_and_near_0_when_the_model_is_sure():
    toy = bias_toy()
    assert "P of the probabilities is 0.168" in toy.answer.verdict
    assert measured(0.5, 8.0, "probabilities")["P"] < 0.01 < measured(0.5, 8.0, "log odds")["P"]


# What the committed tables say


def test_the_claims_are_judged_on_five_runs_and_each_says_its_setup():
    rows = claims_of()
    assert all(row["setup"] for row in rows) and all(len(row.get("values", [0] * 5)) >= 5 for row in rows)
    outcomes = {row["claim"]: row["outcome"] for row in claims(rows).rows}
    (swap,) = (outcome for claim, outcome in outcomes.items() if "change by a swap" in claim)
    (ranks,) = (outcome for claim, outcome in outcomes.items() if "requests closer to the planted truth" in claim)
    assert swap == "holds" and ranks == "refuted"


def test_what_the_pictures_say_is_in_their_tables():
    found = responses()
    assert found["swap"].tau_low > found["P"].tau_high  # intervals apart
    assert found["1 − p"].tau > 0 and found["1 / words"].tau == pytest.approx(0)
    right = {(row["choice"], row["models"]): row["right"] for row in robustness()}
    assert right["swap", "honest against biased"] == right["swap", "blind against biased"] == 1
    assert all(each.shape == (5, len(VARIANTS)) for each in verdicts().values())
    assert all(0 < share <= 1 for share in disagreeing().values())
    places = [row["measure"] for row in ranking()]
    assert places.index("score change") < places.index("P") and len(places) == len(set(places))
    for draw in (pictures.doses, pictures.weights, pictures.responses_to_dose, pictures.examples, pictures.choices,
                 pictures.among_metrics, pictures.posts, pictures.marked_words, pictures.identity_terms,
                 pictures.dialects):  # fmt: skip
        assert draw().verdict and draw().rows
