"""WEAT against closed forms, every permutation visited, scipy and WEFE; and what may not change it."""

import itertools
import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trustlab.fairness.association import TEMPLATES, WordVectors, associations, fill, seat, weat, word_vectors
from trustlab.fairness.association.permutations import drawn_tail, exact_tail

SEEDS = st.integers(0, 2**32 - 1)


def four(seed, n=4, m=3, d=5):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(size, d)) for size in (n, n, m, m)]


def cosine(u, v):
    return float(np.dot(u, v) / math.sqrt(np.dot(u, u) * np.dot(v, v)))


def by_hand(X, Y, A, B):
    """The definition, word by word, and every division visited."""
    s = [np.mean([cosine(w, a) for a in A]) - np.mean([cosine(w, b) for b in B]) for w in [*X, *Y]]
    n = len(X)
    observed = sum(s[:n]) - sum(s[n:])
    others = [2 * sum(s[i] for i in chosen) - sum(s) for chosen in itertools.combinations(range(2 * n), n)]
    effect = (np.mean(s[:n]) - np.mean(s[n:])) / np.std(s, ddof=1)
    least = np.mean([other >= observed - 1e-12 for other in others])
    return effect, observed, least, np.mean([other > observed + 1e-12 for other in others]), len(others)


@given(SEEDS, st.integers(2, 5), st.integers(2, 4))
def test_the_definition_with_every_division_visited(seed, n, m):
    sets = four(seed, n, m)
    found = weat(*sets)
    effect, statistic, p_value, p_strict, permutations = by_hand(*sets)
    assert found.effect_size == pytest.approx(effect, rel=1e-9)
    assert found.statistic == pytest.approx(statistic, rel=1e-9, abs=1e-12)
    assert (found.p_value, found.p_strict) == pytest.approx((p_value, p_strict))
    assert found.permutations == permutations == math.comb(2 * n, n) and found.exact


def test_a_closed_form():
    """Two words at A, two at B: s = 1, 1, −1, −1, so the effect is 2 / √(4/3) = √3; one division of six is as far."""
    e1, e2 = [1.0, 0.0], [0.0, 1.0]
    found = weat([e1, e1], [e2, e2], [e1, e1], [e2, e2])
    assert found.effect_size == pytest.approx(math.sqrt(3)) and found.statistic == pytest.approx(4)
    assert found.p_value == pytest.approx(1 / 6) and found.p_strict == 0


def test_scipys_permutation_test_counts_the_same():
    X, Y, A, B = four(3, n=5)
    s = associations(np.concatenate([X, Y]), A, B)
    theirs = stats.permutation_test(
        (s[:5], s[5:]), lambda x, y: x.sum() - y.sum(), alternative="greater", n_resamples=math.inf
    )
    found = weat(X, Y, A, B)
    assert found.p_value == pytest.approx(theirs.pvalue) and found.statistic == pytest.approx(theirs.statistic)


def test_wefe_finds_the_same_effect():
    wefe_query = pytest.importorskip("wefe.query", reason="WEFE is an optional peer, not in the lock")
    from gensim.models import KeyedVectors
    from wefe.metrics import WEAT
    from wefe.word_embedding_model import WordEmbeddingModel

    sets = four(0, n=4, m=4, d=8)
    names = [[f"{part}{i}" for i in range(4)] for part in "xyab"]
    vectors = KeyedVectors(8)
    vectors.add_vectors([name for each in names for name in each], np.concatenate(sets))
    query = wefe_query.Query(names[:2], names[2:])
    model = WordEmbeddingModel(vectors)
    theirs = WEAT().run_query(query, model, calculate_p_value=True, p_value_iterations=2_000)
    ours = weat(*sets)
    # WEFE divides by the deviation with ddof = 0, and draws orders of words: many of them are one division.
    assert ours.effect_size == pytest.approx(theirs["effect_size"] * math.sqrt(7 / 8))
    assert ours.statistic == pytest.approx(theirs["weat"], rel=1e-5)
    assert ours.p_value == pytest.approx(theirs["p_value"], abs=5 * math.sqrt(0.25 / 2_000))


@given(SEEDS)
def test_rotations_and_lengths_change_nothing(seed):
    sets = four(seed)
    rng = np.random.default_rng(seed + 1)
    rotation = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    lengths = 10.0 ** rng.uniform(-200, 150, size=(4, 1))
    before, after = weat(*sets), weat(*((part * lengths[: len(part)]) @ rotation for part in sets))
    assert after.effect_size == pytest.approx(before.effect_size, abs=1e-9)
    assert (after.p_value, after.p_strict) == (before.p_value, before.p_strict)


@given(SEEDS)
def test_swapping_attributes_or_targets_turns_the_sign(seed):
    X, Y, A, B = four(seed)
    found, attributes, targets = weat(X, Y, A, B), weat(X, Y, B, A), weat(Y, X, A, B)
    for other in (attributes, targets):
        assert other.effect_size == pytest.approx(-found.effect_size)
        # What is at least as far on the other side is what was not strictly farther on this.
        assert other.p_value == pytest.approx(1 - found.p_strict)
    assert weat(Y, X, B, A) == pytest.approx(found)


@given(SEEDS)
def test_the_order_of_words_within_a_set_does_not_count(seed):
    rng = np.random.default_rng(seed)
    sets = four(seed)
    assert weat(*(rng.permutation(part) for part in sets)) == pytest.approx(weat(*sets))


def test_p_is_uniform_when_targets_are_exchangeable():
    """Under the null hypothesis P(p ≤ α) ≤ α: shuffled words, one division in 70 at a time."""
    values = [weat(*four(seed)).p_value for seed in range(600)]
    assert stats.kstest(values, "uniform").pvalue > 1e-3
    drawn = [weat(*four(seed), permutations=19, seed=seed).p_value for seed in range(600)]
    assert np.mean(np.array(drawn) <= 0.05) == pytest.approx(0.05, abs=4 * math.sqrt(0.05 * 0.95 / 600))


def test_the_sizes_of_the_issue_are_enumerated():
    assert weat(*four(0, n=8)).permutations == 12_870
    started = time.process_time()
    found = weat(*four(0, n=10))
    assert time.process_time() - started < 1
    assert (found.permutations, found.exact) == (184_756, True)
    many = weat(*four(0, n=16))
    assert (many.permutations, many.exact) == (601_080_390, True)
    drawn = weat(*four(0, n=16), permutations=20_000)
    assert not drawn.exact and drawn.permutations == 20_000
    assert drawn.p_value == pytest.approx(many.p_value, abs=5 * math.sqrt(0.25 / 20_000))
    assert not weat(*four(0, n=21)).exact


def test_ties_are_counted_in_both_conventions():
    tail = exact_tail(np.array([0.1 + 0.2, 0.3, 0.3, 0.1 * 3]))  # four ways to write 0.3
    assert tail == (6, 0, 6)


@given(SEEDS, st.integers(1, 69))
def test_drawn_divisions_are_distinct_and_not_the_observed_one(seed, draws):
    """With all other divisions drawn the tail must be the exact one, less the observed division."""
    values = np.random.default_rng(seed).normal(size=8)
    exact, drawn = exact_tail(values), drawn_tail(values, draws, np.random.default_rng(seed))
    assert drawn.permutations == draws and drawn.at_least <= exact.at_least - 1
    if draws == 69:
        assert (drawn.at_least, drawn.larger) == (exact.at_least - 1, exact.larger)


def test_drawing_can_be_repeated_and_all_draws_are_an_enumeration():
    sets = four(1, n=6)
    assert weat(*sets, permutations=200, seed=5) == weat(*sets, permutations=200, seed=5)
    assert weat(*sets, permutations=200, seed=5).p_value != weat(*sets, permutations=200, seed=6).p_value
    assert weat(*sets, permutations=1_000) == weat(*sets, permutations="exact")


@given(SEEDS, st.integers(0, 80), st.sampled_from([np.int8, np.int32, np.int64, np.uint16]))
def test_a_number_of_divisions_may_be_numpys(seed, draws, kind):
    ours, theirs = weat(*four(seed), permutations=draws), weat(*four(seed), permutations=kind(draws))
    assert ours == pytest.approx(theirs, nan_ok=True) and type(theirs.permutations) is int


def test_unequal_targets_have_an_effect_size_and_no_test():
    X, Y, A, B = four(0)
    with pytest.raises(ValueError, match=r"Expected X and Y of equal size, got 3 and 4.*permutations=0"):
        weat(X[:3], Y, A, B)
    found = weat(X[:3], Y, A, B, permutations=0)
    assert math.isfinite(found.effect_size) and math.isnan(found.p_value) and found.permutations == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": [[1.0] * 5]}, r"Expected X to be vectors of at least two words, .* got shape \[1, 5\]"),
        ({"B": [1.0] * 5}, r"Expected B to be vectors"),
        ({"A": [[1.0] * 4] * 3}, r"Expected vectors of one width, got X 5, Y 5, A 4, B 5"),
        ({"Y": [[1.0] * 5, [0.0] * 5, [1.0] * 5, [math.nan] * 5]}, r"zero in Y, got none in rows \[1, 3\]"),
        ({"X": [[1.0] * 5] * 4, "Y": [[2.0] * 5] * 4}, r"Expected targets with different associations"),
        ({"permutations": "all"}, r"Expected permutations='all'"),
        ({"permutations": -1}, r"Expected permutations=-1"),
        ({"permutations": False}, r"Expected permutations=False"),
        ({"permutations": 10.0}, r"Expected permutations=10\.0"),
    ],
)
def test_bad_input_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        weat(**dict(zip("XYAB", four(0), strict=True)) | change)


def test_too_many_words_to_enumerate_are_refused():
    with pytest.raises(ValueError, match=r"at most 22 words a target set .*, got 23"):
        weat(*four(0, n=23), permutations="exact")


# Words


def test_missing_words_are_told_or_refused():
    vectors = WordVectors({word: [float(i), 1.0] for i, word in enumerate("abcdefgh")})
    sets = vectors.sets(list("abcz"), list("efgh"), list("ab"), list("cd"), max_missing=0.25)
    assert sets.missing == {"X": ["z"], "Y": [], "A": [], "B": []}
    assert sets.words["Y"] == ["e", "f", "g"] and sets.dropped == {"X": [], "Y": ["h"]}
    assert sets.X.tolist() == [[0, 1], [1, 1], [2, 1]]
    with pytest.raises(ValueError, match=r"at most 20% of X without a vector, got 1 of 4: z\. "):
        vectors.sets(*map(list, ("abcz", "efgh", "ab", "cd")))
    with pytest.raises(KeyError, match="got none for y, z"):
        vectors[["a", "y", "z"]]
    assert vectors["b"].tolist() == [1, 1] == vectors[["b"]][0].tolist()
    with pytest.raises(KeyError, match="got none for beta"):  # a word, not its letters
        vectors["beta"]


def test_real_vectors_find_flowers_pleasant_and_names_are_missing(real_data):
    from trustlab.data import load

    vectors = word_vectors("word2vec", directory=real_data)
    tests = {test["test"]: test for test in load("weat", directory=real_data)["test"]}
    flowers = vectors.sets(*(tests[1][part] for part in "XYAB"))
    found = weat(flowers.X, flowers.Y, flowers.A, flowers.B, seed=1)
    # 10,000 divisions were drawn and none reached the observed: the smallest p such a test can give.
    assert found.effect_size > 1 and found.p_value == pytest.approx(1 / 10_001) and found.p_strict == 0
    careers = vectors.sets(*(tests[6][part] for part in "XYAB"))
    assert weat(*careers[:4]).exact and weat(*careers[:4]).p_value < 0.01
    with pytest.raises(ValueError, match="of X without a vector, got 29 of 32: "):
        vectors.sets(*(tests[3][part] for part in "XYAB"))
    with pytest.raises(ValueError, match="source='fasttext'"):
        word_vectors("fasttext", directory=real_data)


# Sentences


def bag(sentences):
    """Counts of letters: an encoder that can be followed by hand."""
    return np.array(
        [[sentence.lower().count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"] for sentence in sentences]
    )


WORDS = ["rose", "lotus"], ["bee", "beetle"], ["joy", "sport"], ["pest", "fear"]


def test_templates_say_a_or_an_and_begin_with_a_capital():
    assert fill(["apple", "pear"], "singular")[0] == "This is an apple."
    assert "The pear is here." in fill(["pear"], "singular") and "These are bees." in fill(["bees"], "plural")
    for kind, templates in TEMPLATES.items():
        assert all("{word}" in template for template in templates) and len(set(templates)) == len(templates)
        assert all(sentence[0].isupper() for sentence in fill(["joy", "art"], kind))


def test_seat_by_sentence_is_weat_on_sentences():
    sentences = [fill(words, "plain") for words in WORDS]
    ours = seat(bag, *WORDS, unit="sentence")
    assert ours == weat(*map(bag, sentences)) and ours.permutations == math.comb(20, 10)


def test_seat_by_word_averages_unit_vectors():
    def mean(words):
        rows = [bag(fill([word], "plural")) for word in words]
        return [np.mean([row / np.linalg.norm(row) for row in each], axis=0) for each in rows]

    ours = seat(bag, *WORDS, kinds=["plural"] * 4)
    assert ours == pytest.approx(weat(*map(mean, WORDS))) and ours.permutations == 6


def test_seat_refuses_what_it_cannot_read():
    with pytest.raises(ValueError, match="unit='token'"):
        seat(bag, *WORDS, unit="token")
    with pytest.raises(ValueError, match="kind='verb'"):
        seat(bag, *WORDS, kinds=["verb"] * 4)
    with pytest.raises(ValueError, match="to name four kinds"):
        seat(bag, *WORDS, kinds=["plain"])
    with pytest.raises(ValueError, match=r"embed to return \[40, d\]"):
        seat(lambda sentences: np.ones((3, 4)), *WORDS)
    with pytest.raises(ValueError, match="zero in X"):
        seat(lambda sentences: np.zeros((len(sentences), 4)), *WORDS)
