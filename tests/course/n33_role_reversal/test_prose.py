"""Every number in the notebook's running text comes from what it speaks of, and so do the answers to its questions."""

import numpy as np
import pytest

from trustlab.course.lessons import questions
from trustlab.course.n33_role_reversal import EXPERIMENT, exercises
from trustlab.course.n33_role_reversal.claims import closed
from trustlab.course.n33_role_reversal.experiment import AS_THEY_ARE, EXCHANGED, PLAIN, REVERSED, TEMPERATURES
from trustlab.course.n33_role_reversal.generation import KEPT
from trustlab.course.n33_role_reversal.results import carried, chance, front, readings, saved, share_of
from trustlab.course.n33_role_reversal.smollm2_distillation import SEEDS, STUDENTS, result_name
from trustlab.course.n33_role_reversal.smollm2_elsewhere import result_name as elsewhere_name
from trustlab.course.n33_role_reversal.smollm2_students import beside_plain, comparison
from trustlab.course.n33_role_reversal.whole_word_models import LAYERS
from trustlab.course.n33_role_reversal.working_people import OPENINGS, PROFESSIONS, SHARES
from trustlab.models import smollm2
from trustlab.results import read_results

NOTEBOOK = "33_role_reversal"
HARMLESS = r"SmolLM2|2203\.12574|\b(?:19|20)\d\d\b|notebooks? \d\d"


def test_every_number_in_the_text_is_of_what_it_speaks_of(numbers_left):
    layers = smollm2.SHAPE["num_hidden_layers"]
    fragments = [
        f"at least {KEPT} gendered texts a profession",
        f"with {layers} layers, distilled to {layers // 2} on Wikipedia's sentences",
        "of 1 nat means",
        f"perplexities differ by up to {perplexities_differ():.0%}".replace("%", " %"),
    ]
    assert numbers_left(NOTEBOOK, fragments, HARMLESS) == []
    assert (exercises.SHARE, exercises.SAYS, exercises.TEXTS) == (0.8, (160, 40), 200)
    assert len(PROFESSIONS) == 18 and len(OPENINGS) == 4 and LAYERS == 4  # eighteen, four, four


def perplexities_differ():
    """By how much a student's perplexity differs between the two tables, at most."""
    one, other = (
        read_results(name("bold"))[0].query("model != 'teacher'").set_index(["model", "seed"])["perplexity"]
        for name in (result_name, elsewhere_name)
    )
    return float((other / one - 1).abs().max())


def test_smollm2s_students_lean_less_with_the_same_vectors_and_fewer_answers_that_change():
    rows = {(row["model"], row["measured"]): row for row in beside_plain()}
    reversed_ = [name for name in STUDENTS if name not in ("plain", "augmented")]
    for name in reversed_:
        assert rows[name, "leaning"]["times plain"] < 0.95
        assert rows[name, "WEAT"]["times plain"] == pytest.approx(1, abs=0.02)
        flips = rows[name, "flips"]
        assert flips["value"] < flips["plain"]
        gap = rows[name, "TPR gap"]
        assert abs(gap["value"] - gap["plain"]) < 0.02
    table = read_results(elsewhere_name("bold"))[0]
    assert sorted(table.groupby("model").size()) == [3] * 9 and table["model"].nunique() == len(STUDENTS) + 1


def test_swap_alone_comes_nearer_to_the_middle_than_the_mean_alone_and_added_texts_help_the_mean():
    at = {(row["operation"], row["added"]): row["equity"] for row in front()}
    assert at["swap", 0.0] > at["mean", 0.0] + 0.05 and at["mean", 1.0] > at["mean", 0.0] + 0.05
    assert at["mean", 0.0] < (at[PLAIN, 0.0] + chance()) / 2 + 0.1  # about halfway
    assert all(at[PLAIN, 0.0] < at[each, 0.0] for each in REVERSED)


def test_words_as_they_are_leave_equity_and_mix_genders():
    rows = {(row["operation"], row["words"]): row for row in readings()}
    for reversal in REVERSED:
        assert rows[reversal, AS_THEY_ARE]["both genders"] > 0.05 > rows[reversal, EXCHANGED]["both genders"]
    plain = EXPERIMENT.where(reversal=PLAIN, augmentation=0.0, temperature=1.0)["equity_mean"].mean()
    assert rows["mean", AS_THEY_ARE]["equity"] - plain < (rows["mean", EXCHANGED]["equity"] - plain) / 2


def test_in_this_world_most_nurses_are_women_and_the_student_says_so_less_often():
    plain, both = (
        share_of("nurse", reversal=kind, augmentation=share, temperature=1.0, words=EXCHANGED)
        for kind, share in ((PLAIN, 0.0), ("mean", 1.0))
    )
    assert SHARES["nurse"] > 0.5 and both < plain - 0.1


def test_most_of_the_disparity_leaves_what_is_said_a_part_of_the_vectors_and_nothing_of_the_classifier():
    gone = {row["measured"]: row["goes away"] for row in carried() if row["student"] == "Mean and texts added"}
    assert gone["what is said (log odds)"] > 0.6
    assert 0.05 < gone["input embeddings (WEAT)"] < 0.3 and 0.05 < gone["vectors in context (CEAT)"] < 0.4
    low, high = next((row["low"], row["high"]) for row in carried() if row["measured"] == "classifier (TPR gap)")
    assert low < 0 < high


def test_smollm2s_students_are_weak():
    rows = {row["model"]: row for row in comparison()}
    assert all(rows[name]["perplexity"] > 2.5 * rows["teacher"]["perplexity"] for name in STUDENTS)
    assert all(row["seeds"] == SEEDS == 3 for row in rows.values())
    words = read_results(result_name("bold"))[0].query("model == 'plain'")["tokens"]
    assert words.min() > 5_000 and words.max() < 40_000  # some ten thousand


def test_a_mean_of_two_equal_predictions_is_the_answer_to_the_first_question():
    asked = questions("33")["before the first pronoun"]
    assert asked["choices"][asked["answer"]].startswith("In about nine of ten")


def test_the_question_about_the_classifier_has_the_tables_answer():
    asked = questions("33")["the same student elsewhere"]
    gone = closed(saved()[0], "tpr_gap")
    assert np.mean(gone) < 0.15 and asked["choices"][asked["answer"]].startswith("Hardly smaller")
    nurse = share_of("nurse", reversal="mean", augmentation=1.0, temperature=1.0, words=EXCHANGED)
    assert 0.4 < nurse < 0.65  # nearly as many female as male nurses


def test_a_high_temperature_costs_more_and_with_a_reversal_gains_less():
    low, high = ({(row["operation"], row["added"]): row for row in front(each)} for each in TEMPERATURES)
    assert all(high[key]["perplexity"] > low[key]["perplexity"] for key in low)
    assert np.mean([low[key]["equity"] - high[key]["equity"] for key in low if key[0] in REVERSED]) > 0.02
