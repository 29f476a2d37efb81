import itertools
import math

import numpy as np
import pytest
from scipy import stats

from trustlab.course.n31_fairness_metrics.exercises import (
    by_chance,
    effect_size,
    exact_p,
    hints,
    largest_correlation,
    permutation_test,
)
from trustlab.fairness.association.permutations import exact_tail


def test_an_unanswered_exercise_says_so():
    assert all(str(each(...)).startswith("… Not ") and each(...).right is None for each in hints)


def test_right_answers_are_right():
    assert str(effect_size(0.4 / np.std([0.3, 0.5, 0.1, -0.1], ddof=1))).startswith("✓")
    assert str(by_chance(2.4)).startswith("✓")
    assert str(largest_correlation(0.6)).startswith("✓")


@pytest.mark.parametrize(
    ("exercise", "answer", "slip"),
    [
        (effect_size, 0.4, "not yet divided"),
        (effect_size, 0.4 / np.std([0.3, 0.5, 0.1, -0.1]), "n − 1"),
        (effect_size, 0.4 / math.sqrt(0.02), "Cohen's d"),
        (effect_size, 0.8, "test statistic"),
        (by_chance, 0, "one of twenty"),
        (by_chance, 1 - 0.95**48, "at least one"),
        (largest_correlation, 0.36, "take its root"),
        (largest_correlation, 1.0, "without error"),
    ],
)
def test_each_slip_is_named(exercise, answer, slip):
    assert slip in str(exercise(answer))


@pytest.mark.parametrize("exercise", hints)
def test_hints_come_one_by_one(exercise):
    shown = hints(exercise)
    for text in hints[exercise]:
        assert text.replace("`", "")[:30] in str(shown.reveal())


# The function that a reader builds


def sums(x, y, first):
    return sum(np.concatenate([x, y])[list(first)])


def divisions(x, y):
    return itertools.combinations(range(len(x) + len(y)), len(x))


def by_means(x, y):
    """A reader's own way: differences of means, with a tolerance."""
    together = np.concatenate([x, y])
    gaps = [together[list(i)].mean() - np.delete(together, list(i)).mean() for i in divisions(x, y)]
    return np.mean([gap >= np.mean(x) - np.mean(y) - 1e-9 for gap in gaps])


def drawn(x, y):
    rng, together = np.random.default_rng(0), np.concatenate([x, y])
    return np.mean([rng.permutation(together)[: len(x)].sum() >= sum(x) for _ in range(997)])


@pytest.mark.parametrize("seed", range(5))
def test_the_exact_p_is_scipys_and_the_packages(seed):
    rng = np.random.default_rng(seed)
    x, y = rng.standard_normal(4), rng.standard_normal(4)
    theirs = stats.permutation_test(
        (x, y), lambda a, b, axis: a.sum(axis) - b.sum(axis), vectorized=True, alternative="greater", n_resamples=np.inf
    )
    tail = exact_tail(np.concatenate([x, y]))
    assert exact_p(x, y) == pytest.approx(theirs.pvalue) == tail.at_least / tail.permutations


def test_other_right_functions_are_right_too():
    assert permutation_test(by_means).right and permutation_test(exact_p).right


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda x, y: np.mean([sums(x, y, i) > sum(x) for i in divisions(x, y)]), "at least, not more than"),
        (lambda x, y: np.mean([sums(x, y, i) <= sum(x) for i in divisions(x, y)]), "the other tail"),
        (lambda x, y: sum(sums(x, y, i) >= sum(x) for i in divisions(x, y)), "a share of the divisions"),
        (drawn, "is no whole number"),
        (lambda x, y: stats.ttest_ind(x, y, alternative="greater").pvalue, "is no whole number"),
        (
            lambda x, y: exact_p(x, y) + (sum(x) <= 2) / math.comb(len(x) + len(y), len(x)),
            "With 8 added to every value",
        ),
        (lambda x, y: x.sort() or exact_p(x, y), "changed its input"),
        (lambda x, y: [1 / 0], "ZeroDivisionError"),
    ],
)
def test_a_wrong_function_hears_what_is_wrong(wrong, sentence):
    checked = permutation_test(wrong)
    assert checked.right is False and sentence in str(checked)
