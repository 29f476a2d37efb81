"""Every number in the notebook's running text comes from what it speaks of."""

import numpy as np

from trustlab.course.lessons import questions
from trustlab.course.n14_private_text.claims import SAME
from trustlab.course.n14_private_text.experiment import COMPARED, TRAIN
from trustlab.course.n14_private_text.results import points, same_epsilon
from trustlab.course.n14_private_text.toy import PER, PLACES
from trustlab.course.n14_private_text.word_mechanisms import DIMENSIONS, EXPONENTIAL, GUMBEL, LAPLACE, public_table

NOTEBOOK = "14_private_text"
HARMLESS = r"1910\.08902|\b(?:19|20)\d\d\b|notebooks? \d\d"


def test_every_number_in_the_text_is_of_what_it_speaks_of(numbers_left):
    fragments = [
        f"said for it in {PER} draws",
        f"no noise in {DIMENSIONS} dimensions",
        f"such as {SAME:g}, moves a word",
        f"learns from {TRAIN} rewritten requests",
        f"input embeddings in {DIMENSIONS} dimensions",
    ]
    assert numbers_left(NOTEBOOK, fragments, HARMLESS) == []
    assert len(PLACES) == 12  # Twelve words on a map


def test_noise_at_that_epsilon_is_longer_than_half_of_the_typical_distance():
    table = public_table()
    typical = np.median(table.distances(table.vectors[::40]))
    assert 0.5 * typical < DIMENSIONS / SAME


def test_the_question_about_one_word_in_five_has_the_tables_answer():
    asked = questions("14")["one word in five"]
    (gumbel,) = (row for row in points() if row["mechanism"] == GUMBEL and row["ε"] == COMPARED[GUMBEL][0])
    assert 0.15 < gumbel["kept"] < 0.25 and gumbel["guessed"] > 0.5
    assert asked["choices"][asked["answer"]] == "More than a half"


def test_the_question_about_the_same_epsilon_has_the_tables_answer():
    asked = questions("14")["the same ε"]
    found = {row["mechanism"]: row["recovered"] for row in same_epsilon()}
    assert f"ε = {SAME:g} per unit" in asked["question"]
    assert found[EXPONENTIAL] > 1.5 * found[LAPLACE] and asked["choices"][asked["answer"]].startswith("No")
