"""The exercises of notebook 23: what is right, and what each usual slip means."""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.course.n23_continual_learning.experiment import PER_ROUND
from trustlab.federated.continual import forgetting
from trustlab.federated.selection import Selector
from trustlab.lab.checks import check
from trustlab.lab.display import Display
from trustlab.lab.teaching import Hints

MATRIX = np.array([[0.70, 0.30, 0.10], [0.82, 0.76, 0.35], [0.61, 0.70, 0.80]])
SAID, BUDGET = (12, 30, 18), 10  # a device's utterances in three periods, and what it may keep
DRAWS, NEAR = 2000, 0.05


def mean_forgetting(answer: Any) -> Display:
    """Check the mean forgetting of :data:`MATRIX`.

    Examples
    --------
    >>> mean_forgetting(0.075)
    ✗ 0.075 is not it. You took each period's own end for its best: the first was better still after period 2.
    """
    ends, last = MATRIX.diagonal(), MATRIX[-1]
    slips = {
        float((ends - last)[:-1].mean()): "You took each period's own end for its best: the first was better still "
        "after period 2.",
        float(forgetting(MATRIX).sum() / 3): "The last period has had no time to be forgotten: it does not count.",
        float(forgetting(MATRIX).sum()): "That is the sum; the question is about the mean.",
        float(-forgetting(MATRIX).mean()): "Forgetting is the best minus the end.",
        float(last.mean()): "That is the accuracy at the end, over all periods alike.",
    }
    return check(answer, float(forgetting(MATRIX).mean()), because=slips)


def kept_from_the_first(answer: Any) -> Display:
    """Check how many of a reservoir's examples come from the first of three periods, on average.

    Examples
    --------
    >>> kept_from_the_first(0)
    ✗ 0 is not it. That would be a buffer of the newest; a reservoir does not drop examples for being old.
    """
    slips = {
        0: "That would be a buffer of the newest; a reservoir does not drop examples for being old.",
        float(BUDGET): "That would be a buffer that never changes once it is full; a reservoir makes room.",
        BUDGET
        / len(SAID): "That would be the same number for every period; here every utterance has the same probability.",
        BUDGET / sum(SAID): "That is the probability for one utterance; the first period has twelve.",
        BUDGET * SAID[0] / sum(SAID[:2]): "That was right after two periods; then the third came.",
    }
    return check(answer, BUDGET * SAID[0] / sum(SAID), because=slips)


def examples_per_round(sizes: np.ndarray, devices: int, beta: float) -> float:
    """Return how many examples so many devices drawn in proportion to n^β hold together, mean over many draws."""
    selector, rng = Selector(sizes, strategy="power", beta=beta), np.random.default_rng(0)
    return float(np.mean([sizes[selector.draw(devices, rng)].sum() for _ in range(DRAWS)]))


def as_many_examples(answer: Any, sizes: np.ndarray) -> Display:
    """Check how many uniformly drawn devices hold as many examples as :data:`PER_ROUND` drawn by activity.

    Parameters
    ----------
    answer
        The reader's number of devices.
    sizes : int [N]
        The devices' examples.
    """
    if answer is ... or answer is None:
        return check(..., 0.0)
    wanted = examples_per_round(sizes, PER_ROUND, 1.0)
    try:
        got = int(answer) * float(np.mean(sizes))
    except (TypeError, ValueError) as error:
        return check(answer, None, because=[(lambda _: True, str(error))])
    told = f"They hold {got:,.0f} utterances on average; {PER_ROUND} drawn by activity hold {wanted:,.0f}: "
    slips = [(lambda _: got < wanted, told + "take more."), (lambda _: got > wanted, told + "take fewer.")]
    return check(answer, answer if abs(got / wanted - 1) <= NEAR else None, because=slips)


hints = Hints({
    mean_forgetting: (
        "For each period but the last: what was the best that any model before the last had on its data?",
        "Read down the first column: 0.70, then 0.82, then 0.61. The best before the end is 0.82.",
        "In code: `R[:-1].max(axis=0) - R[-1]`, for the first two periods.",
    ),
    kept_from_the_first: (
        "Every utterance that was ever said to the device is kept with the same probability. Which?",
        "There were 12 + 30 + 18 utterances, and it keeps 10 of them.",
    ),
    as_many_examples: (
        "A uniformly drawn client holds the mean, `sizes.mean()`. What does one drawn by activity hold?",
        "Drawn with probability n/Σn, a client holds Σn²/Σn on average: `(sizes**2).sum() / sizes.sum()`.",
        "Without replacement it is a little less, because the heaviest can be drawn only once. Draw some cohorts: "
        '`Selector(sizes, strategy="power", beta=1.0).draw(10, rng)`.',
    ),
})  # fmt: skip
