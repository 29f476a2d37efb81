"""The pictures of notebook 13 beyond its own corpus: their sentences and rows are the committed tables'."""

import re

import numpy as np
import pytest

from trustlab.course.n13_canary_extraction import EXPERIMENT, SECRETS
from trustlab.course.n13_canary_extraction import elsewhere_pictures as pictures
from trustlab.course.n13_canary_extraction.drawing import NAMES
from trustlab.course.n13_canary_extraction.experiment import HEADLINE, MORE
from trustlab.course.n13_canary_extraction.extraction_rates import bits
from trustlab.lab.saved import CORPUS_NAMES

ALL = [pictures.by_corpus, pictures.by_copies, pictures.other_secrets]


def runs(corpus, defence, copies=10):
    return EXPERIMENT.where(corpus, defence=defence, copies=copies)


@pytest.mark.parametrize("draw", ALL)
def test_a_picture_has_a_sentence_and_its_numbers(draw):
    shown = draw()
    assert shown.verdict.endswith(".") and re.search(r"\d", shown.verdict)
    assert re.match("saved, ", shown.provenance) and len(shown.rows) >= 2


@pytest.mark.parametrize("corpus", pictures.REAL)
def test_what_is_said_of_a_real_corpus_is_its_tables(corpus):
    said = pictures.by_corpus().verdict
    for name, words in (("all-three", "all three leave"), ("dp-8", "DP, ε = 8 leaves"), ("none", "no defence")):
        found = runs(corpus, name)
        told = f"{words} {bits(found).mean():.1f}"
        after = said[said.index(CORPUS_NAMES[corpus]) :]
        assert after.index(told) < 300 and f"{found['exact'].sum()}/{len(found)}" in after


def test_every_defence_is_ranked_on_every_real_corpus_by_bits_and_with_exact_answers():
    rows = pictures.by_corpus().rows
    assert {(row["defence"], row["corpus"]) for row in rows} == {
        (name, CORPUS_NAMES[corpus]) for name in (*NAMES.values(), "never said") for corpus in pictures.REAL
    }
    means = [np.mean([row["bits"] for row in rows if row["defence"] == name]) for name in dict.fromkeys(
        row["defence"] for row in rows)]  # fmt: skip
    assert means == sorted(means)
    for row in rows:
        assert re.fullmatch(r"\d+/(5|10)", row["exact"]) and re.fullmatch(r"\d+/(5|10)", row["in 3 guesses"])
        assert len(row["right at each place"].split()) == 4 and row["median guess"] >= 1


def test_copies_are_those_of_the_tables():
    shown = pictures.by_copies()
    assert len(shown.rows) == sum(1 + len(MORE[corpus]) for corpus in pictures.REAL) * len(HEADLINE)
    for corpus in pictures.REAL:
        few, many = (bits(runs(corpus, "dp-8", copies)).mean() for copies in (10, 500))
        assert f"on {CORPUS_NAMES[corpus]} {few:.1f} bits of a pin said 10 times and {many:.1f} bits" in shown.verdict


def test_other_secrets_are_those_of_the_table():
    shown, table = pictures.other_secrets(), SECRETS.table()
    kinds = table.groupby(["kind", "model", "pace", "defence"])
    assert len(shown.rows) == 2 * len(kinds)
    usual = table[(table["kind"] == "pin of six") & (table["pace"] == "usual") & (table["defence"] == "none")]
    said = shown.verdict.replace("\u00a0", " ")
    assert f"right in {100 * usual['beam_exact'].mean():.0f} % of the trainings" in said
    assert f"guess number {usual['beam_guess'].median():.0f}, and" in said
    assert {row["by chance"] for row in shown.rows} == {1e-6, 1e-4, 1 / 40}


@pytest.mark.parametrize("corpus", pictures.REAL)
def test_a_pin_said_a_hundred_times_is_nearly_as_exposed_with_noise_as_the_notebook_says(corpus):
    plain, private = (bits(runs(corpus, name, 100)).mean() for name in ("none", "dp-8"))
    assert plain - 1 < private <= plain
