"""What notebook 14 shows of a made-up table: panel, pictures and claims, and what its panel computes itself."""

import numpy as np
import pytest

from trustlab.course.n14_private_text import adept_experiment, word_pictures
from trustlab.course.n14_private_text.claims import at_recovered, claims_of, levels_of
from trustlab.course.n14_private_text.drawing import MOST_WORDS
from trustlab.course.n14_private_text.experiment import BASELINES, COMPARED, grid, result_name
from trustlab.course.n14_private_text.panel import words_panel
from trustlab.course.n14_private_text.results import at_equal_risk, baselines, points, same_epsilon, saved
from trustlab.course.n14_private_text.word_mechanisms import EXPONENTIAL, GUMBEL, LAPLACE, SHAPED, public_table
from trustlab.lab.claims import claims

MECHANISMS = (LAPLACE, SHAPED, EXPONENTIAL, GUMBEL)


def row(place, cell):
    """What one setting gave: more is kept, guessed and learned at each step of ε; Gumbel's attackers start high."""
    wobble = 0.002 * cell.seed
    if cell.mechanism in BASELINES:
        level = {"majority": 0.06, "tf-idf": 0.95, "random words": 0.05}[cell.mechanism]
        return {"kept": 0.0, "distinct": 1.0, "guessed_alone": 0.0, "guessed": 0.0, "seconds": 1.0} | dict.fromkeys(
            ("accuracy", "accuracy_rewritten"), level + wobble
        )
    step = COMPARED[cell.mechanism].index(cell.epsilon)
    guessed = (0.6 + 0.04 * step if cell.mechanism == GUMBEL else 0.05 + 0.15 * step) + wobble
    lift = 0.01 * MECHANISMS.index(cell.mechanism)
    return {
        "kept": guessed - 0.04,
        "distinct": 90.0 - 12 * step - wobble,
        "guessed_alone": guessed - 0.02,
        "guessed": guessed,
        "accuracy": 0.2 + 0.12 * step + lift + wobble,
        "accuracy_rewritten": 0.15 + 0.1 * step + wobble,
        "seconds": 1.0,
    }


def transformed(place, cell):
    """What one of ADePT's settings gave: as much is learned and found as the true ε allows."""
    wobble = 0.002 * cell.seed
    if cell.noise in adept_experiment.BASELINES:
        level = {"majority": 0.06, "tf-idf": 0.95, "no noise": 0.8}[cell.noise] + wobble
        return {"true_epsilon": 0.0, "accuracy": level, "same": level, "found": level, "seconds": 1.0}
    true = cell.epsilon * (32**0.5 if cell.noise == "published" else 1)
    level = true / (true + 200) * 0.8 + wobble
    return {"true_epsilon": true, "accuracy": level, "same": level, "found": level, "seconds": 1.0}


@pytest.fixture(autouse=True, scope="module")
def table(made_up):
    made_up(adept_experiment.result_name("assistant"), adept_experiment.grid("assistant"), transformed)
    return made_up(result_name("assistant"), grid("assistant"), row)


@pytest.fixture(scope="module")
def panel(table):
    return words_panel()


def test_every_mechanism_has_its_points_in_the_order_of_epsilon():
    found = points()
    assert [(each["mechanism"], each["ε"]) for each in found] == [(m, e) for m in MECHANISMS for e in COMPARED[m]]
    assert all(each["low"] < each["accuracy"] < each["high"] for each in found)
    assert baselines()["tf-idf"] == pytest.approx(0.954)


def test_equal_attackers_are_between_two_values_of_epsilon():
    table = saved()[0]
    # guessed 0.5 lies between steps 3 (0.5 + wobble) and 2 (0.35 + wobble) of Laplace
    by_hand = [np.interp(0.5, [0.35 + w, 0.5 + w], [0.44 + w, 0.56 + w]) for w in 0.002 * np.arange(5)]
    assert at_recovered(table, LAPLACE, 0.5) == pytest.approx(by_hand)
    assert levels_of(table, GUMBEL) == (pytest.approx(0.608), pytest.approx(0.8))
    with pytest.raises(ValueError, match=r"Expected share=0.5 in \[0.61, 0.80\]"):
        at_recovered(table, GUMBEL, 0.5)


def test_a_mechanism_that_never_hides_so_many_words_has_no_accuracy_there():
    rows = at_equal_risk()
    missing = [(each["recovered"], each["mechanism"]) for each in rows if each["accuracy"] is None]
    assert missing == [("25 % recovered", GUMBEL), ("50 % recovered", GUMBEL)]
    assert [each["mechanism"] for each in same_epsilon()] == [LAPLACE, SHAPED, EXPONENTIAL]


def test_the_claims_are_judged_and_say_what_they_were_measured_with():
    judged = claims(claims_of(), digits=2)
    assert len(judged.rows) == 11
    assert all(each["setup"] and len(each["values"]) == 5 for each in claims_of())
    outcome = {each["claim"]: each["outcome"] for each in judged.rows}
    assert outcome["… and costs accuracy"] == "holds"
    (hides,) = (word for claim, word in outcome.items() if "at its strongest hides half" in claim)
    assert hides == "refuted"
    assert list(outcome.values())[-2:] == ["holds", "holds"]  # ADePT: the correction costs, and something is left


def test_the_pictures_say_what_their_rows_have():
    assert "Laplace 72 %" in word_pictures.equal_risk().verdict.replace("\u00a0", " ")
    assert "keeps 56 % of the words, and an attacker recovers 60 %" in word_pictures.kept_and_guessed().verdict.replace(
        "\u00a0", " "
    )
    assert "(exponential)" in word_pictures.one_epsilon().verdict
    worth = word_pictures.worth_of_adept()
    said = worth.verdict.replace("\u00a0", " ")
    # 64 · √32 = 362 of 562, 128 · √32 = 724 of 924, 128 of 328; and seeds add 0.004 on average
    assert "states ε = 128, the published noise lets a classifier get 63 % right, the corrected one 32 %" in said
    assert [each["ε"] for each in worth.rows if each["noise"] == "published"][4] == pytest.approx(16 * 32**0.5)
    scales = word_pictures.two_scales()
    assert "27.7" in scales.verdict and scales.rows[1]["needed b"] == 8.0


@pytest.mark.parametrize("mechanism", MECHANISMS)
@pytest.mark.parametrize("level", [1, 6])
def test_a_word_outside_the_table_never_passes_through_the_panel(panel, drawn, mechanism, level):
    answer, shown = drawn(panel, sentence="Xqzt plays zzyzx", mechanism=mechanism, level=level)
    rows = {each["word"]: each for each in answer.numbers}
    assert list(rows) == ["xqzt", "plays", "zzyzx"]
    assert {each["said"] for each in rows.values()} <= set(public_table().words)
    assert rows["xqzt"]["N_w"] is None and shown["words"][0][3] == "unknown word"


def test_noise_falls_with_epsilon_and_the_verdict_names_it(panel, drawn):
    sentence = "play some music for me"
    strong, weak = (drawn(panel, sentence=sentence, mechanism=LAPLACE, level=level)[0] for level in (1, 6))
    kept = [np.mean([each["N_w"] for each in answer.numbers]) for answer in (strong, weak)]
    assert kept[0] < 0.2 and kept[1] > 0.9
    assert strong.verdict.startswith("Laplace, ε = 20. Of your 5 words ") and "ε = 120" in weak.verdict
    assert "80 % of all words" in weak.verdict.replace("\u00a0", " ")


@pytest.mark.parametrize("sentence", ["", "?! …", "<b>&amp;</b>"])
def test_any_text_is_answered(panel, drawn, sentence):
    answer, _ = drawn(panel, sentence=sentence)
    assert all(each["word"].isalnum() for each in answer.numbers)
    assert ("Type a sentence." in answer.verdict) == (not answer.numbers)


def test_a_long_sentence_is_cut(panel, drawn):
    answer, shown = drawn(panel, sentence="a b c d e f g h i j k l m")
    assert len(answer.numbers) == len(shown["words"]) == MOST_WORDS


def test_the_ring_is_at_the_point_of_the_position(panel, drawn):
    _, shown = drawn(panel, mechanism=EXPONENTIAL, level=2)
    ((x, y),) = shown["curves"]["ring"]
    assert (x, y) == (pytest.approx(0.204), pytest.approx(0.344))
