"""The sentences of notebook 13's pictures, its questions and its text: their numbers are the committed table's."""

import re

import numpy as np
import pytest

from trustlab.course.lessons import questions
from trustlab.course.n13_canary_extraction import EXPERIMENT
from trustlab.course.n13_canary_extraction import canary_pictures as pictures
from trustlab.course.n13_canary_extraction.defended import SENTENCES
from trustlab.privacy.inversion import chance, exposure

ALL = [pictures.ranked, pictures.guesses, pictures.losses]
HARMLESS = r"arXiv [\d.]+|\b(19|20)\d\d\b|notebook \d\d"


@pytest.fixture(scope="module")
def table():
    return EXPERIMENT.table()


def runs(table, defence, copies=10):
    return table[(table["defence"] == defence) & (table["copies"] == copies)]


def exposed(rows, column="rank"):
    return float(np.mean(np.log2(10_000) - np.log2(rows[column])))


@pytest.mark.parametrize("draw", ALL)
def test_a_picture_has_a_sentence_and_its_numbers(draw):
    shown = draw()
    assert shown.verdict.endswith(".") and re.search(r"\d", shown.verdict)
    assert re.match("saved, ", shown.provenance) and not re.search(r"\d%", shown.summary)
    assert len(shown.rows) >= 2


def test_the_bits_said_are_the_tables(table):
    said = pictures.ranked().verdict
    assert f"Without a defence {exposed(runs(table, 'none')):.1f} bits" in said
    least = min(exposed(group) for _, group in table[table["copies"] == 10].groupby("defence"))
    assert f"Least, {least:.1f} bits" in said
    plain = runs(table, "none")
    tags, intent = exposed(plain, "rank_slots"), exposed(plain, "rank_intent")
    assert f"exposes {tags:.1f} bits, and the loss of the intent alone {intent:.1f}" in pictures.losses().verdict


def test_the_guesses_said_are_the_tables(table):
    ranks, said = runs(table, "all-three")["rank"], pictures.guesses().verdict.replace("\u00a0", " ")
    for guesses in (1, 3, 100):
        assert f"{100 * (ranks <= guesses).mean():.0f} %" in said


def test_the_questions_answer_is_the_tables(table):
    asked, three = questions("13")["three defences"], runs(table, "all-three")
    assert three["exact"].mean() < 0.5  # "wrong in most trainings"
    choice = asked["choices"][asked["answer"]]
    low, high = {"About 1.4": (0, 3), "About 5": (3, 7), "More than 7": (7, 13.3)}[
        next(start for start in ("About 1.4", "About 5", "More than 7") if choice.startswith(start))
    ]
    assert low <= exposed(three) < high


def test_every_number_of_the_running_text_is_known(numbers_left):
    known = [
        f"{exposure(1, 10_000):.1f} for the first guess, 0 for the last, {chance(4)['exposure']:.1f} on average",
        "with probability 0.5 in the best configuration",
        f"the first {SENTENCES['snips']['train']:,} sentences of SNIPS and of ATIS",
    ]
    harmless = HARMLESS + r"|10,000|ten copies|4 × 10|δ = 1e-5|δ of 1|\(δ = 0\)|ε = 0\.5|7 bits|about 1\b"
    harmless += r"|from 0 up|\*in 3\*|\[11\b|SmolLM2\b"
    assert numbers_left("13_canary_extraction", known, harmless) == []
