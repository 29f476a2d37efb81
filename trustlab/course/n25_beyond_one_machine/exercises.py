"""The exercises of notebook 25: masks that cancel, bits of a sum, and the network of a server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.course.n25_beyond_one_machine.toy import masks_of, pairs
from trustlab.federated.deployment_costs import sum_bits
from trustlab.lab.checks import Checked, check
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints

COHORT, BITS = 5000, 12
SENT, ROUND, SIZE = 2000, 60.0, 90_874_452  # devices, seconds, and the bytes of MiniLM through Flower


def _cohorts() -> Iterator[tuple[np.ndarray, int]]:
    """Yield numbers in common [K, K] and a modulus: two devices that one can check by hand, then random ones."""
    yield np.array([[0, 3], [3, 0]]), 10
    yield np.array([[0, 3, 4], [3, 0, 8], [4, 8, 0]]), 10
    for devices, modulus in ((4, 100), (6, 1000), (9, 2**16)):
        yield pairs(devices, modulus, seed=devices), modulus


@exercise("25", "Masks that cancel")
def masks_that_cancel(mine: Any) -> Checked:
    """Check a function of the numbers in common [K, K] and the modulus that returns each device's mask [K].

    Examples
    --------
    >>> masks_that_cancel(lambda shared, modulus: shared.sum(axis=1) % modulus)
    ✗ Every number is added twice, and nothing cancels: one of the two devices has to subtract it. Your function \
returned [3, 3] for ([[0, 3], [3, 0]], 10).
    """
    return check_function(
        mine,
        _cohorts(),
        right=masks_of,
        because=[
            (
                lambda shared, modulus: shared.sum(axis=1) % modulus,
                "Every number is added twice, and nothing cancels: one of the two devices has to subtract it.",
            ),
            (
                lambda shared, modulus: np.triu(shared).sum(axis=1) % modulus,
                "The later device of a pair adds nothing: it has to subtract what the earlier one adds.",
            ),
            (
                lambda shared, modulus: (np.tril(shared).sum(axis=1) - np.triu(shared).sum(axis=1)) % modulus,
                "These masks cancel too, but the signs are the other way round: the earlier device of a pair adds.",
            ),
            (
                lambda shared, modulus: np.triu(shared).sum(axis=1) - np.tril(shared).sum(axis=1),
                "Take the masks modulo R: a number that may be negative or large says something about its device.",
            ),
            (
                lambda shared, modulus: np.zeros(len(shared), dtype=int),
                "These masks cancel, and hide nothing.",
            ),
        ],
    )


@exercise("25", "Bits of a sum")
def bits_of_a_sum(answer: Any) -> Checked:
    """Check how many bits a number takes in a secure sum of 5,000 devices whose numbers have 12 bits.

    Examples
    --------
    >>> bits_of_a_sum(12)
    ✗ 12 bits is not right. That is one device's number. The sum of 5,000 of them must not overflow.
    """
    slips = {
        BITS: "That is one device's number. The sum of 5,000 of them must not overflow.",
        BITS + 12: "5,000 takes 13 bits, not 12: 2^12 is 4,096. So it overflows.",
        32: "That would do, and waste seven bits of each number.",
    }
    return check(answer, sum_bits(COHORT, BITS), because=slips, unit="bits")


@exercise("25", "The server's connection")
def servers_connection(answer: Any) -> Checked:
    """Check the Gbit/s that a server needs to send the encoder to 2,000 devices in a minute.

    Examples
    --------
    >>> servers_connection(3.03)
    ✗ 3.03 Gbit/s is not right. Those are gigabytes a second. A byte has 8 bits.
    """
    needed = 8 * SENT * SIZE / ROUND / 1e9
    slips = {
        needed / 8: "Those are gigabytes a second. A byte has 8 bits.",
        needed * ROUND: "Those are gigabits in all. How many in one second?",
        needed / SENT: "That is for one device.",
        2 * needed: "That counts the way back too.",
    }
    return check(answer, needed, rtol=0.02, because=slips, unit="Gbit/s")


hints = Hints({
    masks_that_cancel: (
        "For each pair, one device adds the number and the other one subtracts it.",
        "Row i holds what device i has in common with the others: those right of the diagonal are with later devices.",
        "`np.triu(shared)` keeps what is right of the diagonal, `np.tril(shared)` what is left of it.",
    ),
    bits_of_a_sum: (
        "A number of 12 bits is at most 4,095.",
        "The largest sum is 5,000 × 4,095 = 20,475,000.",
        "The smallest power of two above it: `math.ceil(math.log2(20_475_001))`.",
    ),
    servers_connection: (
        "2,000 × 90.9 MB in 60 seconds.",
        "In bits: times 8.",
        "1 Gbit is 1e9 bits.",
    ),
})  # fmt: skip
