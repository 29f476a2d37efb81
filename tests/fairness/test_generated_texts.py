"""Gender polarity, equity ratios and raters of generated texts: made-up texts, loops, and properties."""

import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import ortho_group

from trustlab.fairness.association import WordVectors, word_vectors
from trustlab.fairness.generated_texts import (
    FEMALE,
    MALE,
    equity_ratios,
    generation_metrics,
    projection_polarity,
    projection_scores,
    unigram_polarity,
)
from trustlab.fairness.groups import ALL, BETWEEN, Bootstrap, Groups
from trustlab.fairness.scorers import fit_scorer, train_scorer
from trustlab.fairness.tasks import GroupedTexts, load_task

BESIDE = Path(__file__).resolve().parents[3] / "shared" / "data"
REAL = Path(os.environ.get("TRUSTLAB_DATA") or BESIDE)
VECTORS = {
    "she": np.array([1.0, 1.0, 0.0]),
    "he": np.array([-1.0, 1.0, 0.0]),
    "nurse": np.array([3.0, 4.0, 0.0]),  # cosine 0.6 with she − he
    "miner": np.array([-4.0, 0.0, 3.0]),  # −0.8
    "table": np.array([0.0, 2.0, 2.0]),  # 0
}


def table(rows):
    return {(row["metric"], row["group"]): row["value"] for row in rows}


def test_words_are_counted_whole_in_any_case_and_with_either_apostrophe():
    texts = ["SHE, and (her) he", "The theme heralds hers", "A woman’s day", "Mankind and Christmas", ""]
    assert unigram_polarity(texts).tolist() == [1, 1, 1, 0, 0]
    assert unigram_polarity(["nun or monk, monk"], female=["nun"], male=["monk"]).tolist() == [-1]


def test_what_an_apostrophe_ties_to_a_word_does_not_hide_it():
    texts = [
        "She's a doctor and she'll stay",
        "the king’s horses",
        "He'd've gone",
        "The girls' and let's",
        "who didn't",
    ]
    assert unigram_polarity(texts).tolist() == [1, -1, -1, 1, 0]
    # As it stands in a list comes first, on either side.
    assert unigram_polarity(["he's", "ma'am"], female=["he's", "ma'am"], male=["he"]).tolist() == [1, 1]


@given(
    st.lists(st.sampled_from(["she", "his", "table", "woman", "uncle"]), min_size=1, max_size=6),
    st.lists(st.sampled_from(["", "'s", "’s", "'ll", "'d", "'re", "'ve", "'m", "'d've"]), min_size=6, max_size=6),
)
def test_a_clitic_changes_neither_polarity_nor_projection(words, clitics):
    tied = " ".join(word + clitic for word, clitic in zip(words, clitics, strict=False))
    assert unigram_polarity([tied]) == unigram_polarity([" ".join(words)])
    vectors = {"she": [1.0, 0.0], "he": [0.0, 1.0], "woman": [2.0, 1.0], "uncle": [0.0, 3.0]}
    np.testing.assert_equal(projection_scores([tied], vectors), projection_scores([" ".join(words)], vectors))


@given(st.lists(st.sampled_from(["she", "his", "table", "queen", "uncle", "sang"]), max_size=12))
def test_swapping_the_lists_turns_the_polarity_over(words):
    text = [" ".join(words)]
    assert unigram_polarity(text) == -unigram_polarity(text, female=MALE, male=FEMALE)


def test_a_word_in_both_lists_is_refused():
    with pytest.raises(ValueError, match=r"got \['they'\] in both"):
        unigram_polarity(["they"], female=["she", "they"], male=["he", "they"])


def test_projections_are_the_papers_formulas_by_hand():
    texts = ["The nurse met a miner at the table", "nurse", "table", "unknown words"]
    weighted = projection_scores(texts, VECTORS)
    np.testing.assert_allclose(weighted, [(0.6**2 - 0.8**2) / (0.6 + 0.8), 0.6, 0, math.nan], atol=1e-12)
    np.testing.assert_allclose(projection_scores(texts, VECTORS, how="max"), [-0.8, 0.6, 0, math.nan], atol=1e-12)
    neutralised = projection_scores(texts, VECTORS, gendered=["she", "he", "miner"])
    np.testing.assert_allclose(neutralised, [-0.8, 0, 0, math.nan], atol=1e-12)
    assert projection_polarity(weighted, 0.1).tolist() == [-1, 1, 0, 0]


@pytest.mark.parametrize("how", ["weighted", "max"])
def test_projections_keep_under_rotation_and_length_and_turn_with_the_pair(how):
    rng = np.random.default_rng(0)
    turn = ortho_group.rvs(3, random_state=rng)
    texts = ["nurse miner she", "table he nurse", "miner"]
    before = projection_scores(texts, VECTORS, how=how)
    turned = {word: vector @ turn for word, vector in VECTORS.items()}
    np.testing.assert_allclose(projection_scores(texts, turned, how=how), before)
    longer = {word: vector * (1 if word in ("she", "he") else 7.0) for word, vector in VECTORS.items()}
    np.testing.assert_allclose(projection_scores(texts, longer, how=how), before)
    np.testing.assert_allclose(projection_scores(texts, VECTORS, how=how, pair=("he", "she")), -before)


@given(st.lists(st.lists(st.sampled_from([*VECTORS, "unknown"]), max_size=5), min_size=1))
def test_word_vectors_are_projected_as_a_mapping_of_them(texts):
    texts = [" ".join(words) for words in texts]
    np.testing.assert_equal(projection_scores(texts, WordVectors(VECTORS)), projection_scores(texts, VECTORS))


def test_real_word_vectors_tell_she_from_he(real_data):
    scores = projection_scores(["She's", "He’ll", "qqzzx"], word_vectors("glove", directory=real_data))
    assert scores[0] > 0 > scores[1] and math.isnan(scores[2])


def test_directions_that_are_none_are_refused():
    with pytest.raises(ValueError, match="got none of \\['queen'\\]"):
        projection_scores(["she"], VECTORS, pair=("queen", "he"))
    with pytest.raises(ValueError, match="different vectors"):
        projection_scores(["she"], VECTORS, pair=("he", "he"))
    with pytest.raises(ValueError, match="Expected how='mean'"):
        projection_scores(["she"], VECTORS, how="mean")
    with pytest.raises(ValueError, match="Expected threshold=1"):
        projection_polarity(np.zeros(2), 1)


@st.composite
def polarities(draw):
    rows = draw(st.integers(1, 20))
    said = draw(hnp.arrays(int, rows, elements=st.sampled_from([-1, 0, 1])))
    return said, Groups(("a", "b"), draw(hnp.arrays(bool, (rows, 2))))


@given(polarities())
def test_equity_ratios_are_those_counted_and_know_no_direction(given_rows):
    said, groups = given_rows
    rows = equity_ratios(said, groups)
    found = table(rows)
    counted = []
    for name, mask in (*zip(groups.names, groups.masks.T, strict=True), (ALL, np.ones(len(said), bool))):
        f, m = (said[mask] == 1).sum(), (said[mask] == -1).sum()
        counted.append(math.nan if f + m == 0 else 0.0 if f * m == 0 else min(f / m, m / f))
        np.testing.assert_allclose(found["equity_ratio", name], counted[-1])
    np.testing.assert_allclose(found["equity_ratio_minimum", BETWEEN], np.min(counted[:2]))
    np.testing.assert_allclose(found["equity_ratio_mean", BETWEEN], np.mean(counted[:2]))
    assert all(math.isnan(row["value"]) == bool(row["reason"]) for row in rows)
    np.testing.assert_equal(table(equity_ratios(-said, groups)), found)


def test_a_group_without_gendered_texts_has_no_equity_and_says_so():
    rows = {(row["metric"], row["group"]): row for row in equity_ratios([1, -1, 0], Groups.by(["a", "a", "b"]))}
    assert rows["equity_ratio", "b"]["reason"] == "no gendered text"
    assert rows["equity_ratio_minimum", BETWEEN]["reason"] == "b: no gendered text"


def ratios_of(said, groups, **settings):
    rows = equity_ratios(said, groups, bootstrap=Bootstrap(**settings))
    return {(row["metric"], row["group"]): row for row in rows}


@given(polarities())
def test_an_interval_of_equity_holds_its_own_estimate(given_rows):
    said, groups = given_rows
    for row in equity_ratios(said, groups, bootstrap=Bootstrap()):
        assert row["reason"] or row["low"] - 1e-9 <= row["value"] <= row["high"] + 1e-9


def test_intervals_of_equity_cover_the_truth_of_a_fair_writer_and_of_one_who_is_not():
    # 95 % or more by construction: of 60, 8 or more miss with probability 0.01. A bootstrap's of the minimum: all 60.
    rng, groups = np.random.default_rng(0), Groups.by(np.repeat([f"opening {g:02}" for g in range(18)], 50))
    for shares in (np.full(18, 0.5), np.linspace(0.2, 0.6, 18)):
        truth = np.minimum(shares, 1 - shares) / np.maximum(shares, 1 - shares)
        missed = dict.fromkeys((("equity_ratio_minimum", BETWEEN), ("equity_ratio_mean", BETWEEN)), 0)
        missed["equity_ratio", "opening 07"] = 0
        for _ in range(60):
            said = np.where(rng.random(900) < np.repeat(shares, 50), 1, -1)
            rows = ratios_of(said, groups)
            for key, true in zip(missed, (truth.min(), truth.mean(), truth[7]), strict=True):
                missed[key] += not rows[key]["low"] - 1e-9 <= true <= rows[key]["high"] + 1e-9
        assert max(missed.values()) < 8


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_texts_of_one_opening_that_repeat_each_other_say_less_and_their_interval_covers(share):
    # 20 units of 10 texts, correlated by 0.3: of 100, 12 or more miss with probability 0.004.
    rng, units, groups = np.random.default_rng(1), np.repeat(np.arange(20), 10), Groups.by(["nurse"] * 200)
    truth, missed, missed_alone = min(share, 1 - share) / max(share, 1 - share), 0, 0
    for _ in range(100):
        of_unit = rng.beta(share * (1 / 0.3 - 1), (1 - share) * (1 / 0.3 - 1), 20)
        said = np.where(rng.random(200) < of_unit[units], 1, -1)
        row, alone = (ratios_of(said, groups, units=each)["equity_ratio", "nurse"] for each in (units, None))
        missed += not row["low"] - 1e-9 <= truth <= row["high"] + 1e-9
        missed_alone += not alone["low"] - 1e-9 <= truth <= alone["high"] + 1e-9
    assert missed < 12 < 20 < missed_alone
    with pytest.raises(ValueError, match="units for 200 rows, got 20"):
        ratios_of(said, groups, units=np.arange(20))


def test_copies_of_a_text_say_as_much_as_the_text():
    said, groups = np.array([1, 1, 1, -1, 1, -1]), Groups.by(["nurse"] * 6)
    once = ratios_of(said, groups)["equity_ratio", "nurse"]
    copied = ratios_of(np.repeat(said, 9), Groups.by(["nurse"] * 54), units=np.repeat(np.arange(6), 9))
    row = copied["equity_ratio", "nurse"]
    assert row["value"] == once["value"] and row["low"] <= once["low"] and row["high"] >= once["high"]


@pytest.mark.parametrize("said", [[2, 0], [1], [0.5, 1], [math.nan, 1]])
def test_a_polarity_that_is_none_is_refused(said):
    with pytest.raises(ValueError, match="polarity of −1, 0 or 1 for each of 2"):
        equity_ratios(said, Groups.by(["a", "b"]))


@pytest.fixture(scope="module")
def scorer():
    task = load_task("assistant", group_bias=1.0)
    return fit_scorer("banking", "assistant", task.train, task.test)


def test_a_scorer_names_itself_with_its_error_and_shows_on_whom_it_errs(scorer):
    error = {(row["metric"], row["group"]): row for row in scorer.error}
    assert scorer.name == f"banking (words and logistic regression, assistant; AUC {error['auc', ALL]['value']:.2f})"
    rate = {group: error["true_positive_rate", group]["value"] for group in ("hill", "valley")}
    assert rate["valley"] < 0.5 < 0.95 < rate["hill"]  # the planted bias, learned
    assert error["true_positive_rate_minus_rest", "valley"]["high"] < -0.4
    assert error["auc", ALL]["value"] > 0.99  # and invisible to whoever looks at all rows
    low, high = error["accuracy_score", ALL]["low"], error["accuracy_score", ALL]["high"]
    assert low < error["accuracy_score", ALL]["value"] < high


def test_metrics_of_texts_are_means_by_group_and_ratios(scorer):
    texts = ["she will pay a bill", "he will pay a bill", "play a song for her", "she sings", "he and his dog"]
    groups = Groups.overlapping([["bank"], ["bank"], ["music"], ["music"], ["bank", "music"]])
    found = table(generation_metrics(texts, groups, scorers=[scorer]))
    assert found["female", "music"] == pytest.approx(2 / 3) and found["male", "bank"] == pytest.approx(2 / 3)
    assert found["banking", "bank"] == pytest.approx(scorer.score([texts[0], texts[1], texts[4]]).mean())
    assert found["equity_ratio", "music"] == 0.5 and found["equity_ratio_mean", BETWEEN] == 0.5
    assert found["banking_difference", BETWEEN] == pytest.approx(
        abs(found["banking", "bank"] - found["banking", "music"])
    )
    given_polarity = table(generation_metrics(texts, groups, polarity=np.array([1, 1, 1, 1, -1])))
    assert given_polarity["female", "bank"] == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="a group for each of 4 texts, got 5"):
        generation_metrics(texts[:4], groups)


def test_a_scorer_needs_both_answers_and_a_known_name():
    one_sided = GroupedTexts(("a", "b"), np.array([True, True]))
    with pytest.raises(ValueError, match=r"both answers to learn x and its error from, got GroupedTexts\(2 texts"):
        fit_scorer("x", "y", one_sided, one_sided)
    with pytest.raises(ValueError, match="Expected measures='joy' to be one of 'toxicity', 'sentiment'"):
        train_scorer("joy")


@pytest.mark.parametrize(("measures", "auc"), [("toxicity", (0.80, 0.86)), ("sentiment", (0.93, 0.97))])
def test_raters_learned_from_real_texts_know_their_error(measures, auc):
    if not REAL.is_dir():
        pytest.skip(f"NOT TESTED ON REAL DATA: neither TRUSTLAB_DATA nor ../shared/data ({REAL})")
    scorer = train_scorer(measures, directory=REAL)
    error = {(row["metric"], row["group"]): row for row in scorer.error}
    assert auc[0] < error["auc", ALL]["low"] < error["auc", ALL]["high"] < auc[1]
    assert not any(row["reason"] for row in scorer.error)
    if measures == "toxicity":  # it takes the mere mention of some communities for abuse
        assert error["false_positive_rate_difference", BETWEEN]["low"] > 0.2
    else:
        assert {group for _, group in error} == {ALL}
