import math

import numpy as np
import pytest
import torch

from trustlab.course.found import exercises_of
from trustlab.course.n33_role_reversal.exercises import (
    by_mean,
    equity_of_counts,
    hints,
    learned_share,
    mean_prediction,
)
from trustlab.fairness.distillation import reverse
from trustlab.fairness.equity_levels import equity_ratio


def by_hand(log_p, log_q):
    """Written word by word."""
    weights = [math.sqrt(math.exp(a) * math.exp(b)) for a, b in zip(log_p, log_q, strict=True)]
    return [weight / sum(weights) for weight in weights]


def test_an_unanswered_exercise_says_so():
    assert all(str(each(...)).startswith("… Not answered yet") for each in (learned_share, equity_of_counts))
    assert str(mean_prediction(lambda log_p, log_q: ...)).startswith("… Not written yet")


def test_right_answers_are_right_and_are_the_packages():
    assert mean_prediction(by_hand).right and learned_share(0.65).right and equity_of_counts(0.25).right
    p, q = np.log(np.random.default_rng(0).dirichlet(np.ones(6), size=2))
    np.testing.assert_allclose(by_mean(p, q), reverse(torch.from_numpy(p), torch.from_numpy(q), "mean").exp())
    assert equity_ratio(np.array([160.0]), np.array([200.0]))[0] == 0.25


def test_the_learned_share_minimises_the_loss():
    share = np.linspace(0.001, 0.999, 999)

    def cross_entropy(target):
        return -target * np.log(share) - (1 - target) * np.log(1 - share)

    assert share[(cross_entropy(0.5) / 2 + cross_entropy(0.8) / 2).argmin()] == pytest.approx(0.65)


@pytest.mark.parametrize(
    ("mine", "slip"),
    [
        (lambda p, q: (np.exp(p) + np.exp(q)) / 2, "That is the expectation"),
        (lambda p, q: np.exp((p + q) / 2), "Divide by their sum"),
        (lambda p, q: np.exp(p + q) / np.exp(p + q).sum(), "without its root"),
        (lambda p, q: np.exp(np.maximum(p, q)) / np.exp(np.maximum(p, q)).sum(), 'That is "max"'),
        (lambda p, q: 0.5, "one probability for each word"),
    ],
)
def test_each_slip_with_the_mean_is_named(mine, slip):
    shown = mean_prediction(mine)
    assert shown.right is False and slip in str(shown)


@pytest.mark.parametrize(
    ("check", "answer", "slip"),
    [
        (learned_share, 0.5, "teacher's side alone"),
        (learned_share, 0.8, "text's side alone"),
        (learned_share, math.sqrt(0.4), "averaged as probabilities"),
        (learned_share, 0.4, "You halved"),
        (equity_of_counts, 0.8, "share of female texts"),
        (equity_of_counts, 0.2, "share of male texts"),
        (equity_of_counts, 4, "at most 1"),
        (equity_of_counts, math.log(4), "log odds"),
    ],
)
def test_each_slip_with_a_number_is_named(check, answer, slip):
    shown = check(answer)
    assert shown.right is False and slip in str(shown)


def test_the_exercises_are_those_of_the_notebook():
    assert exercises_of("33") == ("The mean of two predictions", "Half of the weight", "A ratio and its odds")
    assert all("hints" in str(hints(each)) for each in (mean_prediction, learned_share, equity_of_counts))
