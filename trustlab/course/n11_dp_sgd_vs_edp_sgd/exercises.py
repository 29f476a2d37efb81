"""The exercises of notebook 11: what is right, and what each usual slip means.

They are here so that a notebook's cell does not show the answer next to the question.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.course.n11_dp_sgd_vs_edp_sgd import toy
from trustlab.lab.checks import Checked, check
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints
from trustlab.privacy import noise_multiplier_for

RANDOM_BATCHES = 40


@exercise("11", "Clip each gradient")
def clip_each_gradient(mine: Callable[[np.ndarray, float], np.ndarray] | Any) -> Checked:
    """Check the reader's ``clip(gradients, C)``, which shortens each row of `gradients` [B, D] to at most C.

    Examples
    --------
    >>> clip_each_gradient(lambda g, C: np.clip(g, -C, C))  # doctest: +ELLIPSIS
    ✗ You cut each coordinate at C. It is the length of the whole row that has to stay within C, ...
    """
    with np.errstate(divide="ignore", invalid="ignore"):  # the message explains zeros and NaN
        return check_function(mine, _batches(), right=toy.clip, properties=_PROPERTIES, because=_SLIPS)


def _batches() -> Iterator[tuple[np.ndarray, float]]:
    """Yield a batch that shows the usual slips, a gradient of zeros, and random ones: short and long in each."""
    yield np.array([[3.0, 4.0], [0.3, -0.4]]), 2.0
    yield np.array([[0.0, 0.0, 0.0], [0.1, 0.2, 0.2], [2.0, 1.0, 2.0]]), 0.5
    rng = np.random.default_rng(11)
    for _ in range(RANDOM_BATCHES):
        size = int(rng.integers(1, 6)), int(rng.integers(1, 5))
        yield (
            rng.standard_normal(size) * rng.choice([0.1, 1.0, 10.0], size=(size[0], 1)),
            float(rng.choice([0.3, 1, 2])),
        )


def _lengths(gradients: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.asarray(gradients, dtype=float), axis=1)


_PROPERTIES = [
    (
        lambda given, got: np.shape(got) == given[0].shape,
        "Expected an array of the same shape, one clipped row each.",
    ),
    (
        lambda given, got: bool(np.isfinite(got).all()),
        "There is a NaN or an infinity in it: a gradient of zeros has length 0, and nothing can be divided by that.",
    ),
    (
        lambda given, got: bool((_lengths(got) <= given[1] * (1 + 1e-6)).all()),
        "A row is longer than C after clipping.",
    ),
    (
        lambda given, got: np.allclose(np.asarray(got)[(short := _lengths(given[0]) <= given[1])], given[0][short]),
        "A row no longer than C has changed: it has to stay as it is.",
    ),
    (
        lambda given, got: np.allclose(_lengths(got), np.minimum(_lengths(given[0]), given[1])),
        "A long row has become shorter than C: it has to keep as much length as C allows.",
    ),
    (
        lambda given, got: np.allclose(got * _lengths(given[0])[:, None], given[0] * _lengths(got)[:, None]),
        "A row points elsewhere after clipping: only its length may change, not its direction.",
    ),
]
_SLIPS = [
    (
        lambda g, c: g * min(1, c / np.linalg.norm(g.sum(axis=0))),
        "You clipped the batch: one factor, from the length of the sum. Then one utterance can outweigh all others. "
        "Each row has a length and a factor of its own.",
    ),
    (
        lambda g, c: g * min(1, c / np.linalg.norm(g)),
        "That is one factor for the whole batch: `np.linalg.norm` without `axis=1` takes the array as one long vector.",
    ),
    (
        lambda g, c: np.clip(g, -c, c),
        "You cut each coordinate at C. It is the length of the whole row that has to stay within C, and its direction "
        "that has to stay the same.",
    ),
    (
        lambda g, c: g / np.linalg.norm(g, axis=1, keepdims=True) * c,
        "You gave every row the length C. A row that is shorter has to stay as it is: the factor is at most 1.",
    ),
    (
        lambda g, c: g / np.maximum(np.linalg.norm(g, axis=1, keepdims=True), 1),
        "You clipped to length 1. The threshold is C.",
    ),
    (
        lambda g, c: g * np.minimum(1, c / np.square(g).sum(axis=1, keepdims=True)),
        "You divided by the squared length: take its square root.",
    ),
    (
        lambda g, c: g * np.minimum(1, c / np.linalg.norm(g, axis=1)),
        "The factors were multiplied onto the columns. They belong to the rows: `keepdims=True` makes them [B, 1].",
    ),
    (
        lambda g, c: (g * np.minimum(1, c / np.linalg.norm(g, axis=1, keepdims=True))).sum(axis=0),
        "You added the clipped rows up. Return them one by one: the sum is the next step.",
    ),
]


@exercise("11", "A ghost norm")
def ghost_norm(answer: Any) -> Checked:
    """Check ‖G‖² of an utterance of two words, with x = (1, 2), (0, 1) and δ = (1, 0), (1, 1).

    Examples
    --------
    >>> ghost_norm(7)
    ✗ 7 is not right. You squared each word's gradient alone. Add them before you square: pairs of words count too.
    """
    norm_of_each = 5**0.5 + 2**0.5
    slips = {
        11**0.5: "That is the norm; the question asks for its square.",
        7: "You squared each word's gradient alone. Add them before you square: pairs of words count too.",
        9: "A pair of different words counts twice: as (t, s) and as (s, t).",
        norm_of_each**2: "That would be right if both gradients had the same direction; they do not.",
    }
    return check(answer, 11, because=slips)


@exercise("11", "Nearly the worst case")
def nearly_the_worst_case(
    gradients: Sequence[float] | Any, clipped_mean: Callable[[Sequence[float]], float]
) -> Checked:
    """Check that removing the last of `gradients` moves their `clipped_mean` by more than 1.9.

    Examples
    --------
    >>> nearly_the_worst_case([1.0, 1.0], lambda g: 1.0)
    ✗ [1.0, 1.0] is not right. Expected at least three gradients.
    """
    if gradients is ... or gradients is None:
        return check(..., True)
    try:
        moved = abs(clipped_mean(gradients) - clipped_mean(gradients[:-1])) if len(gradients) > 1 else 0.0
        short = all(abs(gradient) <= 10 for gradient in gradients)
    except (TypeError, ValueError):
        return check(gradients, None, because=[(lambda _: True, "Expected a list of numbers.")])
    slips = [
        (lambda _: len(gradients) < 3, "Expected at least three gradients."),
        (lambda _: not short, "Expected no gradient longer than 10."),
        (
            lambda _: not moved > 1.9,
            f"Leaving out the last moves it by {moved:.2f}, not more than 1.9: both means must be long and opposite.",
        ),
    ]
    right = not any(slip(None) for slip, _ in slips)
    return check(list(gradients), list(gradients) if right else None, because=slips)


@exercise("11", "Noise that decays")
def first_sigma_of_decaying_noise(answer: Any) -> Checked:
    """Check eDP-SGD's σ₀ for ε = 4, δ = 1e-5, q = 0.032, five epochs of 31 steps and γ = 0.8.

    Examples
    --------
    >>> first_sigma_of_decaying_noise(1.746)
    ✗ 1.746 is not right. Enough for DP-SGD. How far can one utterance move a micro-batch's clipped mean?
    """
    run = dict(epsilon=4.0, sample_rate=0.032, steps=155, delta=1e-5)
    right = dict(decay=0.8, steps_per_epoch=31, sensitivity=2.0)
    sigma = noise_multiplier_for(**run, **right)

    def without(*options: str, **changes: Any) -> float:
        return noise_multiplier_for(**{**run, **changes}, **{k: v for k, v in right.items() if k not in options})

    slips = [
        (without("sensitivity"), "Enough for DP-SGD. How far can one utterance move a micro-batch's clipped mean?"),
        (without("decay"), "That is the constant σ. Later epochs have less noise than the first."),
        (without("decay", "sensitivity"), "Neither the decay nor the sensitivity of micro-batches is in it."),
        (without(accountant="rdp"), "That is a looser accountant's, RDP: safe, and more noise than needed."),
        (sigma * 0.8**4, "That is the last epoch's σ; the question asks for the first."),
    ]
    return check(answer, sigma, rtol=5e-3, because=slips)


hints = Hints({
    clip_each_gradient: (
        "`np.linalg.norm(gradients, axis=1, keepdims=True)` has the length of each row, as shape [B, 1].",
        "The factor is 1 where a row is short enough, and C divided by the length elsewhere: a minimum.",
        "To divide by no zero, divide by the larger of the length and C: C/max(‖g‖, C) is min(1, C/‖g‖).",
    ),
    ghost_norm: (
        "Four terms: (t, s) = (1, 1), (1, 2), (2, 1), (2, 2). Each is (δ_t·δ_s)(x_t·x_s).",
        "δ₁·δ₂ = 1 and x₁·x₂ = 2, so that the two words have 2 in common, and it counts twice.",
        "In code: `((Delta @ Delta.T) * (X @ X.T)).sum()`.",
    ),
    nearly_the_worst_case: (
        "Without the last one the mean must be near −1 or beyond.",
        "With the last one it must be near +1 or beyond: how large must it be to outweigh the others?",
    ),
    first_sigma_of_decaying_noise: (
        "`help(noise_multiplier_for)` lists `decay` and `steps_per_epoch`.",
        "Five epochs of 31 steps are `steps=155`.",
        "Micro-batches have `sensitivity=2.0`.",
    ),
})  # fmt: skip
