"""The exercises of notebook 02: test rows of strangers, and what a member with several rows is promised."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from trustlab.course.found import exercise
from trustlab.lab.checks import Checked
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints

Members = Sequence[str]


def strangers_share(train: Members, test: Members) -> float:
    """Return the share of the test rows whose member has no training row.

    Examples
    --------
    >>> strangers_share(["ann", "bob", "bob"], ["ann", "cat", "cat", "cat"])
    0.75
    """
    known = set(train)
    return sum(member not in known for member in test) / len(test)


def promise_to(epsilon: float, delta: float, rows: int) -> tuple[float, float]:
    """Return the ε and the δ that (ε, δ) for one row means for a member with so many rows (Dwork and Roth 2014).

    Examples
    --------
    >>> epsilon, delta = promise_to(1.0, 1e-5, 2)
    >>> epsilon, round(delta, 7)
    (2.0, 3.72e-05)
    """
    return rows * epsilon, min(1.0, delta * sum(math.exp(each * epsilon) for each in range(rows)))


def _who_wrote() -> Iterator[tuple[list[str], list[str]]]:
    """Yield the members of training and test rows: some that one can check by hand, then random ones."""
    yield ["ann", "bob", "bob"], ["ann", "cat", "cat", "cat"]
    yield ["ann", "bob"], ["bob", "ann", "bob"]
    yield ["ann"], ["cat", "dan", "dan"]
    rng = np.random.default_rng(2)
    names = np.array([f"member {i}" for i in range(12)])
    for train, test in ((20, 8), (8, 30), (60, 12)):
        yield list(map(str, rng.choice(names, train))), list(map(str, rng.choice(names, test)))


@exercise("02", "Strangers")
def strangers(mine: Any) -> Checked:
    """Check a function of the members of training and of test rows that returns the share of test rows of strangers.

    Examples
    --------
    >>> strangers(lambda train, test: len(set(test) - set(train)) / len(set(test)))  # doctest: +ELLIPSIS
    ✗ That is the share of the members. Count rows: who wrote three counts three times. Your function returned 0.5 ...
    """
    return check_function(
        mine,
        _who_wrote(),
        right=strangers_share,
        properties=[(lambda given, share: 0 <= share <= 1, "A share is from 0 to 1.")],
        because=[
            (
                lambda train, test: len(set(test) - set(train)) / len(set(test)),
                "That is the share of the members. Count rows: who wrote three counts three times.",
            ),
            (
                lambda train, test: 1 - strangers_share(train, test),
                "That is the share of members that the model has read: you counted the others.",
            ),
            (
                lambda train, test: strangers_share(test, train),
                "You asked which training rows are of members without a test row. Ask it of the test rows.",
            ),
            (
                lambda train, test: sum(member not in set(train) for member in test) / len(train),
                "You divided by the number of training rows. Divide by that of the test rows.",
            ),
        ],
    )


def _promises() -> Iterator[tuple[float, float, int]]:
    """Yield ε, δ and rows."""
    yield from ((1.0, 1e-5, 2), (0.5, 1e-6, 1), (0.5, 1e-6, 4), (8.0, 1e-5, 2), (0.1, 1e-8, 20))


@exercise("02", "A member's promise")
def a_members_promise(mine: Any) -> Checked:
    """Check a function of ε, δ and a member's rows that returns the member's ε and δ.

    Examples
    --------
    >>> a_members_promise(lambda epsilon, delta, rows: (rows * epsilon, rows * delta))  # doctest: +ELLIPSIS
    ✗ ε adds up, δ grows faster: each further row multiplies what is already there by e^ε. Your function ...
    """
    return check_function(
        mine,
        _promises(),
        right=promise_to,
        properties=[
            (lambda given, got: np.shape(got) == (2,), "Expected two numbers: return epsilon, delta."),
            (lambda given, got: got[0] >= given[0], "A member with more rows is not promised more: ε cannot shrink."),
            (lambda given, got: got[1] <= 1, "δ is a probability: 1 at most."),
        ],
        because=[
            (
                lambda epsilon, delta, rows: (rows * epsilon, min(1.0, rows * delta)),
                "ε adds up, δ grows faster: each further row multiplies what is already there by e^ε.",
            ),
            (
                lambda epsilon, delta, rows: (rows * epsilon, min(1.0, delta * math.exp((rows - 1) * epsilon))),
                "You multiplied at each row, and left out the δ that each row adds.",
            ),
            (
                lambda epsilon, delta, rows: (rows * epsilon, min(1.0, rows * delta * math.exp((rows - 1) * epsilon))),
                "That bound holds, and is not the smallest: the first row's δ is multiplied at each further row, the "
                "last one's at none.",
            ),
            (
                lambda epsilon, delta, rows: (math.sqrt(rows) * epsilon, delta),
                "The square root is for independent steps. Here all rows are added at once: ε adds up.",
            ),
        ],
    )


hints = Hints({
    strangers: (
        "Which members has the model read? Make a set of the members of the training rows.",
        "For each test row, ask whether its member is in that set.",
        "`sum(member not in known for member in test)` counts; divide by the number of test rows.",
    ),
    a_members_promise: (
        "Put the rows in one by one. From one world to the next, P ≤ e^ε · P′ + δ.",
        "Put the second inequality into the first: P ≤ e^ε · (e^ε · P″ + δ) + δ. Multiply out.",
        "ε: `rows * epsilon`. δ: the sum of `delta * exp(i * epsilon)` for i = 0 … rows − 1, 1 at most.",
    ),
})  # fmt: skip
