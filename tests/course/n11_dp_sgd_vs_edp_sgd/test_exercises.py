import math

import numpy as np
import pytest
import torch

from trustlab.course.n11_dp_sgd_vs_edp_sgd.exercises import (
    clip_each_gradient,
    first_sigma_of_decaying_noise,
    ghost_norm,
    hints,
    nearly_the_worst_case,
)
from trustlab.privacy import decayed, epsilon


def clipped_mean(gradients):
    mean = sum(gradients) / len(gradients)
    return max(-1.0, min(1.0, mean))


UNANSWERED = [
    clip_each_gradient(...),
    clip_each_gradient(lambda gradients, C: ...),
    ghost_norm(...),
    nearly_the_worst_case(..., clipped_mean),
    first_sigma_of_decaying_noise(...),
]


@pytest.mark.parametrize("shown", UNANSWERED)
def test_an_unanswered_exercise_says_so(shown):
    assert str(shown).startswith(("… Not answered yet", "… Not written yet"))


def test_right_answers_are_right():
    inputs, deltas = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    assert str(ghost_norm((deltas.T @ inputs).square().sum())).startswith("✓")  # of the gradient itself
    assert str(nearly_the_worst_case([-1.0, -1.0, 10.0], clipped_mean)).startswith("✓")


def test_the_right_sigma_spends_the_budget_and_a_tenth_less_does_not():
    def spent(sigma):
        schedule = decayed(sigma, decay=0.8, steps=155, steps_per_epoch=31)
        run = dict(sample_rate=0.032, delta=1e-5, sensitivity=2.0)
        return epsilon(noise_multiplier=schedule, **run)

    # Found here by halving, without the function that the exercise is about.
    low, high = 1.0, 20.0
    for _ in range(40):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if spent(middle) <= 4 else (middle, high)
    assert str(first_sigma_of_decaying_noise(high)).startswith("✓")
    assert str(first_sigma_of_decaying_noise(0.9 * high)).startswith("✗")


@pytest.mark.parametrize(
    ("gradients", "slip"),
    [
        ([-1.0, 10.0], "at least three"),
        ([-1.0, -1.0, 1000.0], "no gradient longer than 10"),
        ([-1.0, -1.0, 2.0], "moves it by 1.00, not more than 1.9"),
        ([1.0, 1.0, 1.0], "moves it by 0.00, not more than 1.9"),
        ([-1.0, -1.0, math.nan], "Expected no gradient longer than 10"),
        ([], "at least three"),
        (["a", "b", "c"], "Expected a list of numbers"),
        (5, "Expected a list of numbers"),
    ],
)
def test_each_way_to_miss_the_worst_case_is_named(gradients, slip):
    assert slip in str(nearly_the_worst_case(gradients, clipped_mean))


@pytest.mark.parametrize(
    ("answer", "slip"),
    [(1.746, "Enough for DP-SGD"), (1.685, "constant σ"), (0.8427, "Neither"), (3.792, "RDP"), (1.431, "last epoch")],
)
def test_each_slip_with_decaying_noise_is_named(answer, slip):
    assert slip in str(first_sigma_of_decaying_noise(answer))


@pytest.mark.parametrize(
    ("answer", "slip"),
    [
        (11**0.5, "norm; the question"),
        (7, "each word's gradient alone"),
        (9, "counts twice"),
        (13.3246, "same direction"),
    ],
)
def test_each_slip_with_a_ghost_norm_is_named(answer, slip):
    assert slip in str(ghost_norm(answer))


@pytest.mark.parametrize("exercise", hints)
def test_hints_come_one_by_one_and_none_before_it_is_asked_for(exercise):
    shown = hints(exercise)
    assert str(shown).endswith("hints, none shown yet.")
    for count, text in enumerate(hints[exercise], start=1):
        shown.reveal()
        assert text.replace("`", "") in str(shown)
        assert len(str(shown).splitlines()) == count


# Clip each gradient


def by_rows(gradients, C):
    rows = []
    for row in gradients:
        length = np.sqrt((row**2).sum())
        rows.append(row if length <= C else row / length * C)
    return rows


def by_factors(gradients, C):
    lengths = np.linalg.norm(gradients, axis=1, keepdims=True)
    return gradients * np.where(lengths > C, C / np.maximum(lengths, 1e-300), 1)


@pytest.mark.parametrize("mine", [by_rows, by_factors])
def test_a_function_that_clips_each_row_is_right_however_it_is_written(mine):
    shown = clip_each_gradient(mine)
    assert shown.right and str(shown).startswith("✓")


def rows_of(gradients):
    return np.linalg.norm(gradients, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("mine", "slip"),
    [
        (lambda g, C: g * min(1, C / np.linalg.norm(g.sum(axis=0))), "You clipped the batch"),
        (lambda g, C: g * min(1, C / np.linalg.norm(g)), "without axis=1"),
        (lambda g, C: np.maximum(np.minimum(g, C), -C), "each coordinate"),
        (lambda g, C: g * C / rows_of(g), "every row the length C"),
        (lambda g, C: g / np.maximum(rows_of(g), 1), "The threshold is C"),
        (lambda g, C: g * np.minimum(1, C / rows_of(g) ** 2), "squared length"),
        (lambda g, C: g * np.minimum(1, C / rows_of(g)[:, 0]), "onto the columns"),
        (lambda g, C: by_factors(g, C).sum(axis=0), "You added the clipped rows up"),
        (lambda g, C: by_factors(g, C)[:1], "same shape"),
        (lambda g, C: np.where(rows_of(g) > C, np.abs(by_factors(g, C)), g), "points elsewhere"),
        (lambda g, C: 0.9 * by_factors(g, C), "has changed"),
        (lambda g, C: by_factors(g, 0.7 * C), "shorter than C"),
        (lambda g, C: np.where(rows_of(g) > 0, by_factors(g, C), np.nan), "a gradient of zeros"),
        (lambda g, C: g, "longer than C after clipping"),
        (lambda g, C: g @ 3, "your function raised ValueError"),
    ],
)
def test_each_slip_in_clipping_is_named(mine, slip):
    shown = clip_each_gradient(mine)
    assert shown.right is False and slip in str(shown)
