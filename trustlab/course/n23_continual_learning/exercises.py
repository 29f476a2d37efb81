"""The exercises of notebook 23: what is right, and what each usual slip means."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.course.n23_continual_learning.experiment import PER_ROUND
from trustlab.federated.continual import forgetting
from trustlab.federated.selection import Selector
from trustlab.lab.checks import Checked, check
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints

RANDOM_MATRICES = 30
SAID, BUDGET = (12, 30, 18), 10  # a device's utterances in three periods, and what it may keep
DRAWS, NEAR = 2000, 0.05


@exercise("23", "What is forgotten")
def what_is_forgotten(mine: Callable[[np.ndarray], np.ndarray] | Any) -> Checked:
    """Check the reader's function from a forgetting matrix R [T, T] to what is forgotten of each period, [T − 1].

    Examples
    --------
    >>> what_is_forgotten(lambda R: R.diagonal()[:-1] - R[-1, :-1])  # doctest: +ELLIPSIS
    ✗ You took each period's own end for its best: a later model can have been better still. Your function ...
    """
    return check_function(mine, _matrices(), right=forgetting, properties=_PROPERTIES, because=_SLIPS)


def _matrices() -> Iterator[tuple[np.ndarray]]:
    """Yield a matrix that tells the usual slips apart, and random ones of several sizes."""
    yield (np.array([[0.70, 0.30, 0.10], [0.82, 0.76, 0.35], [0.61, 0.70, 0.80]]),)
    rng = np.random.default_rng(23)
    for _ in range(RANDOM_MATRICES):
        periods = int(rng.integers(2, 7))
        yield (rng.uniform(0, 1, size=(periods, periods)).round(3),)


_PROPERTIES = [
    (
        lambda given, got: np.shape(got) == (len(given[0]) - 1,),
        "Expected one number for each period but the last, which has had no time to be forgotten.",
    ),
    (
        lambda given, got: bool((np.asarray(got) >= given[0].diagonal()[:-1] - given[0][-1, :-1] - 1e-9).all()),
        "It is less than what was lost since the period's own end: the best before the end is at least as good.",
    ),
]
_SLIPS = [
    (
        lambda R: R.diagonal()[:-1] - R[-1, :-1],
        "You took each period's own end for its best: a later model can have been better still.",
    ),
    (
        lambda R: R.max(axis=0)[:-1] - R[-1, :-1],
        "The last model is among those that you took the best of. Then nothing can be negative: compare with the "
        "models before it.",
    ),
    (
        lambda R: R[-1, :-1] - R[:-1, :-1].max(axis=0),
        "The size is right, the sign is not: forgetting is the best minus the end.",
    ),
    (
        lambda R: R[:-1].max(axis=1) - R[:-1, -1],
        "You took the best of each row. A row is a model, and a column a period: read down the columns.",
    ),
    (
        lambda R: R[:-1].max(axis=0) - R[-1],
        "The last period is in it: it has had no time to be forgotten.",
    ),
    (
        lambda R: (R[:-1, :-1].max(axis=0) - R[-1, :-1]).mean(),
        "That is the mean. Return what is forgotten of each period.",
    ),
    (
        lambda R: np.array([R[s:-1, s].max() for s in range(len(R) - 1)]) - R[-1, :-1],
        "You left out the models from before a period. The definition of Chaudhry et al. counts them: the best of "
        "*any* model before the last.",
    ),
]


@exercise("23", "What is in the reservoir")
def kept_from_the_first(answer: Any) -> Checked:
    """Check how many of a reservoir's examples come from the first of three periods, on average.

    Examples
    --------
    >>> kept_from_the_first(0)
    ✗ 0 is not right. That would be a buffer of the newest; a reservoir does not drop examples for being old.
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


@exercise("23", "As many examples")
def as_many_examples(answer: Any, sizes: np.ndarray) -> Checked:
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
    what_is_forgotten: (
        "For each period but the last: what was the best that any model before the last had on its data?",
        "Rows are models, columns are periods: take the maximum down each column, without the last row.",
        "Then subtract the last row. Leave the last column out of both.",
    ),
    kept_from_the_first: (
        "Every utterance that the client ever got is kept with the same probability. Which?",
        "There were 12 + 30 + 18 utterances, and it keeps 10 of them.",
    ),
    as_many_examples: (
        "A uniformly drawn client holds the mean, `sizes.mean()`. What does one drawn by activity hold?",
        "Drawn with probability n/Σn, a client holds Σn²/Σn on average: `(sizes**2).sum() / sizes.sum()`.",
        "Without replacement it is a little less, because the heaviest can be drawn only once. Draw some cohorts: "
        '`Selector(sizes, strategy="power", beta=1.0).draw(10, rng)`.',
    ),
})  # fmt: skip
