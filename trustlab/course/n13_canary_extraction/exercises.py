"""The exercises of notebook 13: what is right, and what each usual slip means."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.lab.checks import Checked, check
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints
from trustlab.privacy.inversion import exposure, group_privacy, rank_of

RANDOM_LOSSES = 30
BITS_LEFT = 7.0  # of the second exercise
EPSILON, COPIES = 0.5, 10  # of the third


def _bits(losses: np.ndarray, place: int) -> float:
    return exposure(rank_of(losses, place), len(losses))


@exercise("13", "Bits of exposure")
def bits_of_exposure(mine: Callable[[np.ndarray, int], float] | Any) -> Checked:
    """Check the reader's function from the losses of all codes [N], and the true one's place, to its exposure in bits.

    Examples
    --------
    >>> bits_of_exposure(lambda losses, place: math.log(len(losses)))  # doctest: +ELLIPSIS
    ✗ ...
    """
    return check_function(mine, _cases(), right=_bits, properties=_PROPERTIES, because=_SLIPS)


def _cases() -> Iterator[tuple[np.ndarray, int]]:
    """Yield losses that tell the usual slips apart, and random ones of several sizes."""
    yield np.array([0.7, 0.2, 0.9, 0.4, 0.1, 0.8, 0.3, 0.6]), 6
    rng = np.random.default_rng(13)
    for _ in range(RANDOM_LOSSES):
        size = int(rng.integers(4, 200))
        yield rng.permutation(size) / 7, int(rng.integers(size))


def _rank(losses: np.ndarray, place: int) -> int:
    return 1 + int((losses < losses[place]).sum())


_PROPERTIES = [
    (lambda given, got: np.ndim(got) == 0, "Expected one number: the exposure of one code."),
    (
        lambda given, got: -1e-9 <= float(got) <= math.log2(len(given[0])) + 1e-9,
        "It is not possible: the last guess has 0 bits, the first log2 N.",
    ),
]
_SLIPS = [
    (
        lambda losses, place: math.log(len(losses)) - math.log(_rank(losses, place)),
        "That is in nats. Bits need the logarithm to base 2.",
    ),
    (
        lambda losses, place: math.log2(len(losses)) - math.log2(max(1, _rank(-losses, place))),
        "You counted from the largest loss. An attacker begins with the code that the model finds likeliest.",
    ),
    (
        lambda losses, place: math.log2(_rank(losses, place)),
        "That is how many bits are still missing. Subtract it from log2 N.",
    ),
    (
        lambda losses, place: _rank(losses, place),
        "That is the rank, the number of guesses. Exposure is log2 N − log2 rank.",
    ),
    (
        lambda losses, place: math.log2(len(losses)) - math.log2(_rank(losses, place) + 1),
        "Your rank is one too large: the smallest loss has rank 1.",
    ),
]


@exercise("13", "Bits and guesses")
def guesses_needed(answer: Any) -> Checked:
    """Check how many guesses an attacker needs for a code of four digits of which 7 bits are exposed.

    Examples
    --------
    >>> guesses_needed(128)
    ✗ 128 is not right. That is by which factor the search is shorter, 2^7. Divide the 10,000 codes by it.
    """
    slips = {
        2**BITS_LEFT: "That is by which factor the search is shorter, 2^7. Divide the 10,000 codes by it.",
        10_000 - 2**BITS_LEFT: "Bits divide the number of guesses, they do not subtract from it.",
        math.log2(10_000) - BITS_LEFT: "Those are the bits that are missing. How many codes are that many bits?",
    }
    answer = round(answer) if isinstance(answer, float) and abs(answer - 10_000 / 2**BITS_LEFT) < 0.5 else answer
    return check(answer, round(10_000 / 2**BITS_LEFT), because=slips)


@exercise("13", "Ten copies")
def promised_for_copies(answer: Any) -> Checked:
    """Check which ε is promised to a pin that was said ten times, if each sentence has ε = 0.5.

    Examples
    --------
    >>> promised_for_copies(0.5)
    ✗ 0.5 is not right. That is what one sentence is promised. The pin changes ten of them.
    """
    slips = {
        EPSILON: "That is what one sentence is promised. The pin changes ten of them.",
        EPSILON / COPIES: "Copies weaken a promise: ε grows with them.",
        EPSILON * math.sqrt(COPIES): "Composing many steps gives a root. A group of R has R times the ε.",
    }
    return check(answer, group_privacy(EPSILON, 0.0, COPIES)[0], because=slips)


hints = Hints({
    bits_of_exposure: (
        "How many codes would the attacker try before the true one, and at which guess does it come?",
        "`(losses < losses[place]).sum()` codes come before it; its rank is one more.",
        "Exposure is `np.log2(len(losses))` minus `np.log2(rank)`.",
    ),
    guesses_needed: (
        "Every bit halves the number of guesses.",
        "Nothing exposed: the last guess is number 10,000. One bit: 5,000.",
    ),
    promised_for_copies: (
        "Take the copies out one at a time. What may each of these steps change?",
        "Each may change the odds by a factor of e^0.5, and there are ten of them.",
    ),
})  # fmt: skip
