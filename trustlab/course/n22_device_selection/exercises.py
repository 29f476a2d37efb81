"""The exercises of notebook 22: what is right, and what each usual slip means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from trustlab.federated.selection import Selector
from trustlab.lab.checks import check
from trustlab.lab.display import Display
from trustlab.lab.teaching import Hints

EXAMPLES, INCLUSION = np.array([80, 10, 10]), np.array([1.0, 0.5, 0.5])
COHORT = np.array([0, 2])  # who was drawn
HEAVY, LIGHT, LIGHT_ONES = 90, 10, 9
LARGEST_RATE, DEVICES_PER_ROUND, STEP = 0.25, 10, 0.05


def horvitz_thompson(answer: Any) -> Display:
    """Check the Horvitz–Thompson weights of the two devices drawn: of 80, 10 and 10 examples the first and the last.

    Examples
    --------
    >>> horvitz_thompson([0.8, 0.1])
    ✗ [0.8, 0.1] is not it. Those are shares of all examples. A client that is drawn half the time represents two.
    """
    n, pi = EXAMPLES[COHORT], INCLUSION[COHORT]
    total = EXAMPLES.sum()
    slips = [
        (n / total, "Those are shares of all examples. A client that is drawn half the time represents two."),
        (
            n / n.sum(),
            "Those are shares of the cohort's examples, FedAvg's weights: they ignore the inclusion probability.",
        ),
        (1 / pi, "Those are 1/π. Multiply each by the client's share of the examples."),
        (
            n / pi,
            "Those are n/π. Divide by the number of all examples, including those of clients that were not drawn.",
        ),
        (n * pi / total, "You multiplied by π: a client that is drawn rarely would get even less weight."),
    ]
    return check(answer, n / pi / total, because=slips)


def heavy_devices_weight(answer: Any) -> Display:
    """Check the expected weight of a device of 90 examples beside nine of 10, two drawn uniformly without repeats.

    Examples
    --------
    >>> heavy_devices_weight(0.5)
    ✗ 0.5 is not it. That is its share of the examples, the weight that would be fair to the data.
    """
    drawn = 2 / (1 + LIGHT_ONES)
    weight = HEAVY / (HEAVY + LIGHT)
    slips = {
        HEAVY
        / (HEAVY + LIGHT * LIGHT_ONES): "That is its share of the examples, the weight that would be fair to the data.",
        drawn: "That is its probability to be drawn. What is its weight when it is drawn?",
        weight: "That is its weight when it is drawn. How often is it drawn?",
        weight / (1 + LIGHT_ONES): "One in ten is its probability in one draw; two different clients are drawn.",
        drawn / 2: "That would be its expected weight with equal weights.",
    }
    return check(answer, drawn * weight, because=slips)


def largest_beta(answer: Any, sizes: Sequence[int] | np.ndarray) -> Display:
    """Check the largest β, in steps of 0.05, at which no device is in more than a quarter of the rounds of 10.

    Parameters
    ----------
    answer
        The reader's β.
    sizes
        Training examples of each device.
    """
    if answer is ... or answer is None:
        return check(..., 0.0)
    try:
        here, beyond = (_largest_rate(float(answer) + step, sizes) for step in (0.0, STEP))
    except (TypeError, ValueError) as error:
        return check(answer, None, because=[(lambda _: True, str(error).splitlines()[0])])
    slips = [
        (lambda _: here > LARGEST_RATE, f"The heaviest client is then in {here:.0%} of the rounds: take a smaller β."),
        (
            lambda _: beyond <= LARGEST_RATE,
            f"At β + {STEP:g} it is still in only {beyond:.0%} of the rounds: take a larger β.",
        ),
    ]
    return check(answer, answer if here <= LARGEST_RATE < beyond else None, because=slips)


def _largest_rate(beta: float, sizes: Sequence[int] | np.ndarray) -> float:
    chosen = Selector(np.asarray(sizes), strategy="power", beta=round(beta, 10), design="poisson")
    return float(chosen.inclusion(DEVICES_PER_ROUND).max())


hints = Hints({
    horvitz_thompson: (
        "A client that is drawn with probability π represents itself and the times that it was not drawn.",
        "The weight of a client that is drawn is $n_i / (n\\,\\pi_i)$, with n the examples of *all* clients.",
        "The first: 80 / (100 · 1).",
    ),
    heavy_devices_weight: (
        "Expected weight = probability to be drawn × weight when drawn, because all light clients are alike.",
        "Two of ten are drawn, each as likely as the others: 2/10.",
        "The other client in the cohort is a light one: 90 / (90 + 10).",
    ),
    largest_beta: (
        'π is what `Selector(sizes, strategy="power", beta=beta, design="poisson").inclusion(10)` returns.',
        "Its maximum grows with β. Try 0, 0.5 and 1 first.",
        "In code: `max(b for b in np.arange(0, 1, 0.05) if ... <= 0.25)`.",
    ),
})  # fmt: skip
