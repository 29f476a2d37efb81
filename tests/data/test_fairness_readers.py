"""The sets that fairness is measured with, as their SOURCE.md and papers describe them. No sentence is printed."""

import math
from collections import Counter

import numpy as np
import pytest

from trustlab.data import load
from trustlab.data.fairness_readers import read_embeddings, read_winobias


@pytest.fixture
def read(real_data):
    return lambda name, split="test": load(name, directory=real_data)[split]


def test_weat_has_the_ten_tests_and_targets_of_equal_size(read):
    tests = read("weat")
    sizes = [[len(test[part]) for part in "XYAB"] for test in tests]
    assert sizes[0] == [25] * 4 and sizes[5] == [8] * 4 and sizes[8] == [6, 6, 7, 7]
    assert all(x == y and a == b for x, y, a, b in sizes)
    assert all(len(set(test[part])) == len(test[part]) for test in tests for part in "XYAB")


def test_stereoset_has_a_blank_where_words_are_filled_in(read):
    rows = read("stereoset")
    counts = Counter(zip(rows["kind"][:], rows["domain"][:], strict=True))
    assert [counts["intrasentence", domain] for domain in ("race", "profession", "gender", "religion")] == [
        *(962, 810, 255, 79)
    ]
    assert all((row["kind"] == "intrasentence") == ("BLANK" in row["context"]) for row in rows)
    ids = [row[f"{label}_id"] for row in rows for label in ("stereotype", "anti_stereotype", "unrelated")]
    assert len(set(ids)) == len(ids) == 6_318 + 6_369


def test_crows_pairs(read):
    rows = read("crows_pairs")
    assert Counter(rows["direction"][:]) == {"stereo": 1_290, "antistereo": 218}
    kinds = Counter(rows["bias_type"][:])
    assert kinds["race-color"] == 516 and kinds["disability"] == 60 and len(kinds) == 9
    assert sum(row["sent_more"] == row["sent_less"] for row in rows) == 0


@pytest.mark.parametrize("split", ["validation", "test"])
def test_winobias_swaps_the_gender_of_every_pronoun(read, split):
    rows = read("winobias", split)
    paired = {}
    for row in rows:
        paired.setdefault((row["type"], row["pair"]), {})[row["stereotype"]] = row
    assert len(paired) == len(rows) / 2
    male = {"he", "him", "his", "himself"}
    assert not any("[" in row["text"] for row in rows)
    kept = sum((pair["pro"]["pronoun"] in male) != (pair["anti"]["pronoun"] in male) for pair in paired.values())
    assert kept == {"validation": 792, "test": 790}[split]  # two pairs of the authors have one pronoun twice
    stereotyped = [(row["pronoun"] in male) == (row["occupation_gender"] == "male") for row in rows]
    agree = Counter(zip(rows["stereotype"][:], stereotyped, strict=True))
    assert agree["pro", False] + agree["anti", True] < 0.02 * len(rows)  # the authors' own slips


def test_winogender(read):
    rows = read("winogender")
    assert Counter(rows["gender"][:]) == dict.fromkeys(("male", "female", "neutral"), 240)
    assert len(set(rows["occupation"][:])) == 60
    assert 0 <= min(rows["bls_female"][:]) < max(rows["bls_female"][:]) <= 100


def test_bold_texts_begin_with_their_prompts(read):
    rows = read("bold")
    assert Counter(rows["domain"][:])["gender"] == 3_204
    assert all(row["text"].strip().startswith(row["prompt"].strip()) for row in rows)


def test_gender_words_hold_pairs_and_scores(read):
    rows = list(read("gender_words"))
    pairs = {row["word"]: row["counterpart"] for row in rows if row["list"] == "definitional"}
    assert pairs["woman"] == "man" and len(pairs) == 10
    assert next(row["counterpart"] for row in rows if (row["list"], row["word"]) == ("aligned", "witches")) == "wizards"
    assert {bool(row["counterpart"]) for row in rows if row["list"] in ("aligned", "swaps", "equalize")} == {True}
    scores = [row["score"] for row in rows if row["list"] == "professions"]
    assert len(scores) == 320 and -1 <= min(scores) < 0 < max(scores) <= 1
    assert all(math.isnan(row["score"]) for row in rows if row["list"] != "professions")


def test_king_and_queen_are_near_in_the_small_vectors(read):
    rows = read("embeddings_small")
    vectors = {
        (row["source"], row["word"]): np.array(row["vector"]) for row in rows if row["word"] in ("king", "queen")
    }
    king, queen = vectors["glove", "king"], vectors["glove", "queen"]
    assert king @ queen / np.linalg.norm(king) / np.linalg.norm(queen) == pytest.approx(0.92, abs=0.005)


def test_a_split_that_a_set_does_not_have_is_refused(real_data):
    with pytest.raises(ValueError, match=r"Expected split='train' among those of 'weat': test\."):
        load("weat", split="train", directory=real_data)
    assert list(load("winobias", split=["validation"], directory=real_data)) == ["validation"]


def test_damaged_files_are_named(tmp_path):
    path = tmp_path / "vectors.txt"
    path.write_text("2 3\nking 1 2 3\nqueen 1 2\n")
    with pytest.raises(ValueError, match=r"Expected 3 numbers for 'queen' in \S*vectors.txt, got 2"):
        read_embeddings({"a": path, "b": path}, 0)
    path.write_text("2 3\nking 1 2 3\n")
    with pytest.raises(ValueError, match=r"Expected 2 words in \S*vectors.txt, got 1"):
        read_embeddings({"a": path, "b": path}, 0)
    files = {f"{sex}_occupations.txt": path for sex in ("male", "female")}
    names = [f"{s}_stereotyped_type{t}.txt.{p}" for s in ("pro", "anti") for t in (1, 2) for p in ("dev", "test")]
    path.write_text("1 [The driver] left.\n")
    with pytest.raises(ValueError, match=r"two mentions in square brackets .*, got 1 in the line numbered '1'"):
        read_winobias(files | dict.fromkeys(names, path), 0)
