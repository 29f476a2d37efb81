"""The exercises of notebook 24: what is right, and what each usual slip means."""

from __future__ import annotations

from typing import Any

from trustlab.federated.tasks.metrics import token_f1
from trustlab.lab.checks import check
from trustlab.lab.display import Display
from trustlab.lab.teaching import Hints

SIZES, BATCH = (1, 1, 2, 4, 92), 10
TRUTH, SAID = "to new bramley", "new bramley harbour"
DELTA, RATE = 0.1, 0.03


def _check(answer: Any, right: float, slips: dict[float, str]) -> Display:
    """Check `answer` as it is, or as what it is when rounded to two or three digits, the right answer before slips.

    Examples
    --------
    >>> _check(0.67, 2 / 3, {0.5: "That is Jaccard."})
    ✓ 0.6667 is right.
    """
    if isinstance(answer, int | float):
        rounded = [known for known in (right, *slips) if answer in {float(f"{known:.{n}g}") for n in (2, 3)}]
        if right in rounded or len(rounded) == 1:  # of two slips that round alike neither is named
            answer = rounded[0]
    return check(answer, right, because=slips)


def light_share(answer: Any) -> Display:
    """Check what share of the weight four light devices get when weighed by their minibatches.

    Examples
    --------
    >>> light_share(0.08)
    ✗ 0.08 is not it. That is their share by examples, the right one to use: here minibatches are counted.
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


def squad_f1(answer: Any) -> Display:
    """Check SQuAD's token F1 of "new bramley harbour" against "to new bramley".

    Examples
    --------
    >>> squad_f1(0)
    ✗ 0 is not it. That is the exact match; the F1 counts the words that both have.
    """
    slips = {
        0: "That is the exact match; the F1 counts the words that both have.",
        0.5: "Shared words over all different words: that is Jaccard; here precision and recall are equal.",
        1: "Both have a word that the other lacks.",
        2: "That is the number of shared words; divide it by the lengths.",
    }
    return _check(answer, token_f1(TRUTH, SAID), slips)


def adaptive_step(answer: Any) -> Display:
    """Check FedAdam's first step for a weight with Δ = 0.1, at rate 0.03, β₁ 0.9, β₂ 0.99, τ 0.001.

    Examples
    --------
    >>> adaptive_step(0.1)
    ✗ 0.1 is not it. That is FedAvg's step, Δ itself.
    """
    delta, beta_1, beta_2, tau = DELTA, 0.9, 0.99, 1e-3
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
