"""The exercises of notebook 24: what is right, and what each usual slip means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.course.n24_fednlp_benchmark.own_server import fedadam
from trustlab.federated.tasks.metrics import token_f1
from trustlab.lab.checks import Checked, check
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints

SIZES, BATCH = (1, 1, 2, 4, 92), 10
TRUTH, SAID = "to new bramley", "new bramley harbour"
DELTA, RATE = 0.1, 0.03
BETA_1, BETA_2, TAU = 0.9, 0.99, 1e-3
RANDOM_STEPS = 20

Step = tuple[np.ndarray, np.ndarray, np.ndarray]


@exercise("24", "The server's step")
def server_step(mine: Any) -> Checked:
    """Check a function of w, Δ, m and v that returns FedAdam's next w, m and v.

    Examples
    --------
    >>> server_step(lambda w, delta, m, v: w + delta)  # doctest: +ELLIPSIS
    ✗ Return three things: the next w, m and v, each of the shape of w. Your function returned [1.1, ...
    """
    properties = [
        (
            lambda given, got: len(got) == 3 and all(np.shape(each) == np.shape(given[0]) for each in got),
            "Return three things: the next w, m and v, each of the shape of w.",
        ),
        (
            lambda given, got: np.allclose(got[1], BETA_1 * given[2] + (1 - BETA_1) * given[1]),
            "m is not the one of the formula: nine tenths of the old m, and a tenth of Δ.",
        ),
        (
            lambda given, got: np.allclose(got[2], BETA_2 * given[3] + (1 - BETA_2) * given[1] ** 2),
            "v is not the one of the formula: 99 hundredths of the old v, and a hundredth of Δ².",
        ),
    ]
    return check_function(mine, _states(), right=fedadam, properties=properties, because=_STEP_SLIPS)


def _states() -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    """Yield weights, an average update and both averages: those of the first round, then random ones."""
    yield np.array([1.0, -1.0]), np.array([0.1, 0.0]), np.zeros(2), np.full(2, TAU**2)
    rng = np.random.default_rng(24)
    for _ in range(RANDOM_STEPS):
        w, delta, m = rng.standard_normal((3, int(rng.integers(1, 4)))) * np.array([[1.0], [0.1], [0.05]])
        yield w, delta, m, rng.uniform(0.1, 2, size=w.shape) * 1e-3


def _slip(move: Callable[[np.ndarray, np.ndarray, np.ndarray, Step], np.ndarray]) -> Callable[..., Step]:
    """Return a step whose averages are right and whose next weights are what `move` makes of them."""

    def wrong(w: np.ndarray, delta: np.ndarray, m: np.ndarray, v: np.ndarray) -> Step:
        _, next_m, next_v = fedadam(w, delta, m, v)
        return move(w, delta, m, (v, next_m, next_v)), next_m, next_v

    return wrong


_STEP_SLIPS = [
    (_slip(lambda w, delta, m, at: w - RATE * at[1] / (at[2] ** 0.5 + TAU)),
     "The server steps along Δ, not against it: Δ is an update, and already points where the clients went."),
    (_slip(lambda w, delta, m, at: w + RATE * at[1] / (at[2] + TAU)), "The root is missing: divide by √v + τ."),
    (_slip(lambda w, delta, m, at: w + RATE * at[1] / (at[2] + TAU) ** 0.5), "τ is added to √v, not below the root."),
    (_slip(lambda w, delta, m, at: w + RATE * m / (at[2] ** 0.5 + TAU)), "The step uses the *new* m."),
    (_slip(lambda w, delta, m, at: w + RATE * at[1] / (at[0] ** 0.5 + TAU)), "The step uses the *new* v."),
    (_slip(lambda w, delta, m, at: w + RATE * delta / (at[2] ** 0.5 + TAU)), "The step goes along m, not along Δ."),
    (_slip(lambda w, delta, m, at: w + at[1] / (at[2] ** 0.5 + TAU)), "η is missing: the rate of the server."),
    (_slip(lambda w, delta, m, at: w + RATE * (at[1] / (1 - BETA_1)) / ((at[2] / (1 - BETA_2)) ** 0.5 + TAU)),
     "That is Adam's bias correction. Reddi's FedAdam has none: v starts at τ² instead."),
    (_slip(lambda w, delta, m, at: RATE * at[1] / (at[2] ** 0.5 + TAU)), "That is the step alone: add it to w."),
]  # fmt: skip


def _check(answer: Any, right: float, slips: dict[float, str]) -> Checked:
    """Check `answer` as it is, or as what it is when rounded to two or three digits, the right answer before slips.

    Examples
    --------
    >>> _check(0.67, 2 / 3, {0.5: "That is Jaccard."})
    ✓ 0.6667 is right.
    """
    if isinstance(answer, int | float):
        rounded = [known for known in (right, *slips) if answer in {float(f"{known:.{n}g}") for n in (2, 3)}]
        if right in rounded or len(rounded) == 1:  # of two slips with the same rounded value neither is named
            answer = rounded[0]
    return check(answer, right, because=slips)


@exercise("24", "Too much weight")
def light_share(answer: Any) -> Checked:
    """Check what share of the weight four light devices get when weighted by their minibatches.

    Examples
    --------
    >>> light_share(0.08)
    ✗ 0.08 is not right. That is their share by examples, the right one to use: here minibatches are counted.
    """
    batches = [-(-size // BATCH) for size in SIZES]
    right = sum(batches[:-1]) / sum(batches)
    by_examples = sum(SIZES[:-1]) / sum(SIZES)
    slips = {
        by_examples: "That is their share by examples, the right one to use: here minibatches are counted.",
        4 / 13: "The heavy client has nine full minibatches and one of two examples: the last one counts too.",
        4 / 5: "That is their share with equal weights for all clients.",
        right / by_examples: "That is how many times too much weight they get. What is their share?",
    }
    return _check(answer, right, slips)


@exercise("24", "Half right")
def squad_f1(answer: Any) -> Checked:
    """Check SQuAD's token F1 of "new bramley harbour" against "to new bramley".

    Examples
    --------
    >>> squad_f1(0)
    ✗ 0 is not right. That is the exact match; the F1 counts the words that both have.
    """
    slips = {
        0: "That is the exact match; the F1 counts the words that both have.",
        0.5: "Shared words over all different words: that is Jaccard; here precision and recall are equal.",
        1: "Both have a word that the other lacks.",
        2: "That is the number of shared words; divide it by the lengths.",
    }
    return _check(answer, token_f1(TRUTH, SAID), slips)


@exercise("24", "An adaptive step")
def adaptive_step(answer: Any) -> Checked:
    """Check FedAdam's first step for a weight with Δ = 0.1, at rate 0.03, β₁ 0.9, β₂ 0.99, τ 0.001.

    Examples
    --------
    >>> adaptive_step(0.1)
    ✗ 0.1 is not right. That is FedAvg's step, Δ itself.
    """
    delta, beta_1, beta_2, tau = DELTA, BETA_1, BETA_2, TAU
    m, v = (1 - beta_1) * delta, beta_2 * tau**2 + (1 - beta_2) * delta**2
    right = RATE * m / (v**0.5 + tau)
    slips = {
        delta: "That is FedAvg's step, Δ itself.",
        RATE * delta / (v**0.5 + tau): "The momentum is missing: m is (1 − β₁)Δ in the first round.",
        RATE * m / (v + tau): "The root is missing: Adam divides by √v + τ.",
        RATE * m / ((1 - beta_2) ** 0.5 * delta + tau): "v starts at τ², not at 0, and β₂ keeps nearly all of it.",
        RATE * delta / (delta + tau): "With bias correction; Reddi's FedAdam has none.",
    }
    return _check(answer, right, slips)


hints = Hints({
    server_step: (
        "Three lines, one for each formula above. Both averages come first: the step uses the new ones.",
        "`m = beta_1 * m + (1 - beta_1) * delta`, and v in the same way with Δ².",
        "`w = w + eta * m / (v**0.5 + tau)`, then `return w, m, v`.",
    ),
    light_share: (
        "How many minibatches of at most 10 does a client with 1, 2 or 4 examples take? And one of 92?",
        "In code: `n = np.array([1, 1, 2, 4, 92]); b = np.ceil(n / 10)`.",
        "The four light ones take one each, the heavy one ten.",
    ),
    squad_f1: (
        "No article and no punctuation here, so the words are compared as they are. Which do both have?",
        "Precision is 2 of 3, recall is 2 of 3.",
    ),
    adaptive_step: (
        "Two averages first: m = (1 − β₁)Δ, and v = β₂τ² + (1 − β₂)Δ².",
        "Then η·m / (√v + τ).",
        "m = 0.01, √v ≈ 0.01005.",
    ),
})  # fmt: skip
