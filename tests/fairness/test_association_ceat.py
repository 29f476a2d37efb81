"""CEAT against a direct loop, closed forms of the meta-analysis, and what may not change it."""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from benchmarks import associating
from trustlab.fairness.association import ceat, combine, weat

SETS = [["x0", "x1", "x2"], ["y0", "y1", "y2"], ["a0", "a1"], ["b0", "b1"]]


def contexts(seed=0, count=20, spread=0.5, d=6):
    rng = np.random.default_rng(seed)
    return {
        word: rng.normal(rng.normal(size=d), spread, (count + i, d))
        for i, word in enumerate(word for words in SETS for word in words)
    }


def test_one_context_a_word_is_weat():
    """Nothing is random then: every draw has WEAT's effect size, and nothing is between draws."""
    single = {word: rows[:1] for word, rows in contexts().items()}
    found = ceat(single, *SETS, samples=5)
    once = weat(*(np.concatenate([single[word] for word in words]) for words in SETS))
    assert found.effect_sizes == pytest.approx([once.effect_size] * 5)
    assert found.effect_size == pytest.approx(once.effect_size)
    assert found.between == 0 and found.heterogeneity == pytest.approx(0, abs=1e-9)
    assert found.standard_error == pytest.approx(math.sqrt(found.variances[0] / 5))


def test_the_direct_loop_draws_from_the_same_law():
    """The loop of published code draws other contexts; effect sizes must have one distribution."""
    rows = contexts()
    ours = ceat(rows, *SETS, samples=4_000, seed=1)
    loop_effects, loop_variances = associating.direct_loop(rows, SETS, samples=1_500, rng=np.random.default_rng(2))
    assert stats.ks_2samp(ours.effect_sizes, loop_effects).pvalue > 1e-3
    assert stats.ks_2samp(ours.variances, loop_variances).pvalue > 1e-3
    theirs = combine(loop_effects, loop_variances)
    assert ours.effect_size == pytest.approx(theirs.effect_size, abs=6 * theirs.standard_error)


def test_every_draw_is_the_weat_of_some_contexts():
    two = contexts(count=0)  # the words have 0, 1, 2, … contexts more
    two = {word: rows if len(rows) else np.ones((1, 6)) for word, rows in two.items()}
    few = {word: rows[:2] for word, rows in two.items()}
    possible = set()
    for bits in np.ndindex(*(len(few[word]) for words in SETS for word in words)):
        chosen = iter(bits)
        sets = [np.stack([few[word][next(chosen)] for word in words]) for words in SETS]
        possible.add(round(weat(*sets, permutations=0).effect_size, 9))
    drawn = {round(float(value), 9) for value in ceat(few, *SETS, samples=3_000).effect_sizes}
    assert drawn <= possible and len(drawn) > 0.9 * len(possible)


@given(
    st.lists(st.tuples(st.floats(-3, 3), st.floats(0.01, 5)), min_size=2, max_size=30),
)
def test_the_random_effects_formulae_as_the_card_writes_them(rows):
    ES, V = np.array(rows).T
    W = 1 / V
    Q = (W * ES**2).sum() - (W * ES).sum() ** 2 / W.sum()
    c = W.sum() - (W**2).sum() / W.sum()
    tau2 = max(0.0, (Q - (len(ES) - 1)) / c)
    v = 1 / (V + tau2)
    CES, SE = (v * ES).sum() / v.sum(), math.sqrt(1 / v.sum())
    found = combine(ES, V)
    assert found.between == pytest.approx(tau2, rel=1e-6, abs=1e-9)
    assert (found.effect_size, found.standard_error) == pytest.approx((CES, SE), rel=1e-6, abs=1e-9)
    assert found.p_two_sided == pytest.approx(2 * (1 - stats.norm.cdf(abs(CES) / SE)), abs=1e-6)
    assert found.p_one_sided == pytest.approx(1 - stats.norm.cdf(CES / SE), abs=1e-6)


def test_equal_variances_give_the_mean_and_their_excess():
    """With V equal: CES is the mean, τ² the sample variance less V, SE² the sample variance over N."""
    ES = np.random.default_rng(0).normal(1.0, 2.0, 50)
    found = combine(ES, np.full(50, 0.3))
    assert found.effect_size == pytest.approx(ES.mean())
    assert found.between == pytest.approx(ES.var(ddof=1) - 0.3)
    assert found.standard_error == pytest.approx(math.sqrt(ES.var(ddof=1) / 50))


@given(st.integers(0, 2**32 - 1))
def test_rotations_and_lengths_change_nothing_and_swaps_turn_the_sign(seed):
    rows = contexts(seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))[0]
    X, Y, A, B = SETS
    found = ceat(rows, *SETS, samples=50)
    turned = ceat({word: 3.7 * each @ rotation for word, each in rows.items()}, *SETS, samples=50)
    assert turned.effect_sizes == pytest.approx(found.effect_sizes, abs=1e-7)
    many, swapped = ceat(rows, X, Y, A, B, samples=400), ceat(rows, Y, X, A, B, samples=400)
    assert swapped.effect_size == pytest.approx(-many.effect_size, abs=8 * many.standard_error + 1e-9)
    # Drawn for A first, the one-row words make the swap exact.
    single = {word: each[:1] for word, each in rows.items()}
    assert ceat(single, X, Y, B, A, samples=3).effect_size == pytest.approx(-ceat(single, *SETS, samples=3).effect_size)


def test_more_draws_of_the_same_contexts_make_the_p_value_smaller():
    """The warning of the module, shown: the standard error halves with four times the draws, the effect stays."""
    rows = contexts()
    few, many = ceat(rows, *SETS, samples=1_000), ceat(rows, *SETS, samples=4_000)
    assert many.standard_error == pytest.approx(few.standard_error / 2, rel=0.1)
    assert many.effect_size == pytest.approx(few.effect_size, abs=4 * few.standard_error)


def test_float32_contexts_give_six_digits():
    rows = contexts()
    single = {word: each.astype(np.float32) for word, each in rows.items()}
    assert ceat(single, *SETS, samples=100).effect_sizes == pytest.approx(
        ceat(rows, *SETS, samples=100).effect_sizes, abs=1e-4
    )


def test_draws_can_be_repeated_across_chunks():
    rows = contexts()
    assert ceat(rows, *SETS, samples=3_000, seed=4).effect_size == ceat(rows, *SETS, samples=3_000, seed=4).effect_size


def test_the_sizes_of_the_issue_are_drawn_in_two_seconds():
    """10,000 samples of sets as large as WEAT's largest, in seconds of this process: neighbours do not count."""
    rng = np.random.default_rng(0)
    rows = {f"w{i}": rng.normal(size=(100, 384)).astype(np.float32) for i in range(100)}
    names = list(rows)
    ceat(rows, *(names[i : i + 25] for i in range(0, 100, 25)), samples=10)  # imports
    started = time.process_time()
    ceat(rows, *(names[i : i + 25] for i in range(0, 100, 25)), samples=10_000)
    assert time.process_time() - started < 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"samples": 1}, "Expected samples=1 >= 2"),
        ({"X": ["x0"]}, "at least two words in X, got 1"),
        ({"X": ["x0", "nowhere", "never"]}, "got none of nowhere, never"),
        ({"contexts": contexts() | {"x0": np.zeros((3, 6))}}, r"zero in 'x0', got none in rows \[0, 1, 2\]"),
        ({"contexts": contexts() | {"x0": np.ones((3, 4))}}, "vectors of one width"),
        ({"contexts": dict.fromkeys(contexts(), np.ones((2, 6)))}, "different associations in every draw"),
    ],
)
def test_bad_input_is_refused(change, message):
    asked = dict(zip("XYAB", SETS, strict=True)) | {"contexts": contexts(), "samples": 10}
    with pytest.raises(ValueError, match=message):
        ceat(**asked | change)


@pytest.mark.parametrize("variances", [[1.0, 0.0], [1.0, math.nan], [1.0]])
def test_effect_sizes_without_a_variance_are_refused(variances):
    with pytest.raises(ValueError, match="each with a variance > 0"):
        combine([1.0, 2.0], variances)


def test_the_benchmark_has_a_row_for_each_method():
    rows = list(associating.measure_ceat(samples=50, loop_samples=10, words=2, contexts=3, width=4, repetitions=2))
    assert [row["method"] for row in rows] == [associating.CEAT, associating.LOOP]
    rows = list(associating.measure_weat(words=3, width=4, iterations=20, repetitions=2))
    assert rows[0]["method"] == associating.WEAT and rows[0]["times ours"] == pytest.approx(1)
