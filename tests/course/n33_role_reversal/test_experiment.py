"""The experiment of notebook 33: its grid, and small students of each kind."""

import math

import pytest

from trustlab.course.n33_role_reversal import EXPERIMENT, elsewhere, experiment, whole_word_models
from trustlab.course.n33_role_reversal.experiment import (
    AS_THEY_ARE,
    EXCHANGED,
    REVERSED,
    SHARES_ADDED,
    STUDENT,
    TEACHER,
    TEMPERATURES,
    Setting,
    examples,
    grid,
    run,
)
from trustlab.course.n33_role_reversal.generation import Said
from trustlab.course.n33_role_reversal.working_people import OPENINGS, PROFESSIONS


@pytest.fixture(scope="module")
def rows():
    """One row of each kind, of a short training."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(whole_word_models, "STEPS", 250)  # fewer leave the vectors without a gender
        for name, small in (("TRAIN", 1200), ("HELD_OUT", 200), ("BATCH", 32)):
            patch.setattr(whole_word_models, name, small)
        for name, small in (("CONTEXT_TEXTS", 400), ("BIOGRAPHIES", 400), ("TESTED", 240)):
            patch.setattr(elsewhere, name, small)
        for name, small in (("EACH", 20), ("KEPT", 20), ("PROJECTED", 2)):
            patch.setattr(experiment, name, small)
        patch.setattr(experiment, "STUDENT", {**STUDENT, "steps": 60})
        teacher = whole_word_models.teacher_of.__wrapped__(0)  # not the one that is kept for the process
        patch.setattr(experiment, "teacher_of", lambda seed: teacher)
        kinds = {
            "teacher": Setting(reversal=TEACHER),
            "plain": Setting(),
            "exchanged": Setting(reversal="swap"),
            "as they are": Setting(reversal="swap", words=AS_THEY_ARE),
        }
        return {name: next(run(each, None)) for name, each in kinds.items()}


def test_the_grid_has_the_teacher_every_student_and_each_operation_as_it_is():
    settings = grid("assistant", seeds=range(2))
    assert len({tuple(each.key().values()) for each in settings}) == len(settings)
    students = (1 + len(REVERSED)) * len(SHARES_ADDED) * len(TEMPERATURES)
    assert len(settings) == 2 * (1 + students + len(REVERSED))
    assert {each.reversal for each in settings if each.words == AS_THEY_ARE} == set(REVERSED)
    assert {each.reversal for each in grid("assistant", reversals=["mean"])} == {"mean"}


def test_a_setting_has_the_options_of_its_student_and_all_share_one_recipe():
    options = Setting(reversal="max", words=AS_THEY_ARE, augmentation=0.5, temperature=4.0, seed=3).options
    assert (options.reversal, options.exchange, options.augmentation) == ("max", False, 0.5)
    assert (options.temperature, options.seed, options.steps) == (4.0, 3, STUDENT["steps"])
    recipe = EXPERIMENT.recipes("assistant")["student"]
    assert recipe["alpha"] == 0.5 and "reversal" not in recipe and recipe["learning_rate"] == STUDENT["learning_rate"]


def test_a_row_has_every_measure(rows):
    for name, row in rows.items():
        numbers = [value for value in row.values() if isinstance(value, float)]
        assert all(map(math.isfinite, numbers)), name
        assert len(row["shares"].split("|")) == len(PROFESSIONS)
        assert len(row["said"].split("|")) == len(PROFESSIONS) * len(OPENINGS)
        assert 0 <= row["exact_min"] <= row["exact_mean"] <= 1 and row["perplexity"] > 1
        assert row["chance_min"] < row["chance_mean"] < 1


def test_exchanged_words_move_what_is_said_and_words_as_they_are_its_grammar(rows):
    assert rows["exchanged"]["exact_log_odds"] < rows["plain"]["exact_log_odds"]
    assert rows["as they are"]["muddled"] > rows["exchanged"]["muddled"]
    assert rows["as they are"]["perplexity"] > rows["plain"]["perplexity"]


def test_the_texts_kept_are_the_first_of_each_opening():
    openings = [opening.format(job=job) for job in PROFESSIONS for opening in OPENINGS] * 2
    places = [place for place in range(len(PROFESSIONS)) for _ in OPENINGS] * 2
    said = Said([f"text {i}" for i in range(len(openings))], places, openings)
    assert examples(said).split("|") == [f"text {i}" for i in range(len(openings) // 2)]


def test_what_is_no_setting_is_refused():
    with pytest.raises(ValueError, match="reversal='product'"):
        next(run(Setting(reversal="product"), None))
    with pytest.raises(ValueError, match="augmentation"):
        next(run(Setting(augmentation=2.0, words=EXCHANGED), None))
