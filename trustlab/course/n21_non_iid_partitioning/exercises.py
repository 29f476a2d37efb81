"""The exercises of notebook 21: what is right, and what each usual slip means."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from trustlab.course.alpha import alpha_options
from trustlab.course.found import exercise
from trustlab.federated.partition import partition, skew
from trustlab.federated.partition.assignment import cut
from trustlab.lab.checks import Checked, check
from trustlab.lab.functions import check_function
from trustlab.lab.teaching import Hints

COUNTS = (50, 25, 25)
LABELS, ALPHA_OF_PFL = 150, 0.1
AS_SKEWED = 1.0  # effective labels
RANDOM_DATA_SETS = 30


@exercise("21", "Divide each label")
def divide_each_label(mine: Callable[[np.ndarray, np.ndarray], np.ndarray] | Any) -> Checked:
    """Check the reader's ``divide(codes, shares)``: the client of each example, every label cut by its row of shares.

    Examples
    --------
    >>> divide_each_label(lambda codes, shares: codes)  # doctest: +ELLIPSIS
    ✗ A label is not divided as its shares say: ...
    """
    return check_function(mine, _data_sets(), right=divided, properties=_PROPERTIES, because=_SLIPS)


def divided(codes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the client [n] of each example: a label's examples, in their order, cut by its row of `shares` [L, K].

    Examples
    --------
    >>> divided(np.array([0, 1, 0, 0, 1]), np.array([[0.34, 0.66], [0.0, 1.0]]))
    array([0, 1, 1, 1, 1])
    """
    clients = shares.shape[1]
    owners = np.empty(len(codes), dtype=int)
    for label, counts in enumerate(cut(shares, np.bincount(codes, minlength=len(shares)))):
        owners[codes == label] = np.repeat(np.arange(clients), counts)
    return owners


def _data_sets() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield a small data set, in which the usual slips all differ, and random ones with skewed shares."""
    yield np.array([0, 1, 0, 1, 0]), np.array([[0.27, 0.19, 0.45, 0.09], [0.6, 0.0, 0.4, 0.0]])
    rng = np.random.default_rng(21)
    for _ in range(RANDOM_DATA_SETS):
        labels, clients = int(rng.integers(1, 5)), int(rng.integers(2, 6))
        yield rng.integers(0, labels, size=40), rng.dirichlet(np.full(clients, 0.5), size=labels)


def _counts(codes: np.ndarray, owners: Any, shares: np.ndarray) -> np.ndarray:
    """Return how many examples of each label each client has [L, K]."""
    counts = np.zeros(shares.shape)
    np.add.at(counts, (codes, np.asarray(owners, dtype=int)), 1)
    return counts


def _near_the_shares(codes: np.ndarray, owners: Any, shares: np.ndarray) -> bool:
    supply = np.bincount(codes, minlength=len(shares))[:, None]
    return bool((np.abs(_counts(codes, owners, shares) - shares * supply) < 1 + 1e-9).all())


_PROPERTIES = [
    (
        lambda given, got: all(np.ndim(client) == 0 for client in got) and len(got) == len(given[0]),
        "Expected an array with one client for each example, in the order of the examples.",
    ),
    (
        lambda given, got: bool(np.isin(got, range(given[1].shape[1])).all()),
        "Expected whole numbers from 0 to K − 1: clients are numbered from 0, and each has a column of shares.",
    ),
    (
        lambda given, got: _near_the_shares(given[0], got, given[1]),
        "A label is not divided as its shares say: client k should have about `shares[label, k]` of the label's "
        "examples, to within one.",
    ),
    (
        lambda given, got: all((np.diff(np.asarray(got)[given[0] == label]) >= 0).all() for label in set(given[0])),
        "The sizes are right, but not the order: a label's first examples go to client 0, the next ones to client 1.",
    ),
]
_SLIPS = [
    (
        lambda codes, shares: np.random.default_rng(0).choice(shares.shape[1], size=len(codes), p=shares.mean(axis=0)),
        "You drew clients at random. Cut: the shares are drawn already.",
    ),
    (
        lambda codes, shares: divided(np.zeros_like(codes), shares.mean(axis=0, keepdims=True)),
        "You divided all examples together, by one row of shares. Each label has a row of its own.",
    ),
    (
        lambda codes, shares: _repeated(codes, np.round(shares * np.bincount(codes, minlength=len(shares))[:, None])),
        "You rounded each client's count. Such counts need not add up to the label's examples: round where the "
        "cumulative shares end, and take differences.",
    ),
    (
        lambda codes, shares: _repeated(codes, cut_up(shares, np.bincount(codes, minlength=len(shares)))),
        "The cuts are rounded, where they should be rounded down: `np.floor`.",
    ),
    (
        lambda codes, shares: divided(codes, shares)[np.argsort(codes, kind="stable")],
        "You returned the clients label by label. Return them in the examples' order: `owners[codes == label] = …`.",
    ),
]


def cut_up(shares: np.ndarray, supply: np.ndarray) -> np.ndarray:
    """Return the counts [L, K] where cuts are rounded to the nearest place instead of down."""
    ends = np.round(shares.cumsum(axis=1) * supply[:, None]).astype(int)
    return np.diff(ends, axis=1, prepend=0)


def _repeated(codes: np.ndarray, counts: np.ndarray) -> np.ndarray:
    owners = np.empty(len(codes), dtype=int)
    for label, row in enumerate(counts.astype(int)):
        owners[codes == label] = np.repeat(np.arange(len(row)), row)
    return owners


@exercise("21", "An effective number")
def effective_number(answer: Any) -> Checked:
    """Check the effective number of labels of a client with 50, 25 and 25 examples.

    Examples
    --------
    >>> effective_number(3)
    ✗ 3 is not right. That is the number of labels it has; unequal shares make the effective number smaller.
    """
    shares = np.array(COUNTS) / sum(COUNTS)
    entropy = float(-(shares * np.log(shares)).sum())
    slips = {
        3: "That is the number of labels it has; unequal shares make the effective number smaller.",
        entropy: "That is the entropy in nats; the effective number is its exponential.",
        entropy / math.log(2): "That is the entropy in bits; the effective number is 2 to the power of it.",
        math.exp(entropy / math.log(2)): "Bits go with powers of 2, nats with powers of e.",
        1
        / float((shares**2).sum()): "That is the inverse Simpson index, another number of this kind: use the entropy.",
    }
    return check(answer, math.exp(entropy), rtol=5e-3, because=slips)


@exercise("21", "Translate an α")
def alpha_in_fednlp(answer: Any) -> Checked:
    """Check which α of FedNLP's is pfl's 0.1, for 150 equally frequent labels.

    Examples
    --------
    >>> alpha_in_fednlp(0.1)
    ✗ 0.1 is not right. Then each label would have α·p = 0.1/150; in pfl each has 0.1.
    """
    slips = {
        ALPHA_OF_PFL: "Then each label would have α·p = 0.1/150; in pfl each has 0.1.",
        ALPHA_OF_PFL / LABELS: "That is the other direction: from FedNLP's α to what each label has.",
        float(LABELS): "That is the number of labels. What is the parameter of each?",
    }
    return check(answer, ALPHA_OF_PFL * LABELS, because=slips)


@exercise("21", "As skewed as devices")
def as_skewed_as_devices(answer: Any, labels: Sequence[Any], devices: Sequence[Any]) -> Checked:
    """Check that FedNLP's scheme with this α, among as many clients, is as skewed as the natural fleet.

    Parameters
    ----------
    answer
        The reader's α.
    labels, devices
        Intent and device of each utterance.
    """
    if answer is ... or answer is None:
        return check(..., 0.0)
    natural = skew(partition(devices, scheme="natural"), labels)
    wanted, clients = natural["effective labels"], int(natural["clients"])
    try:
        made = partition(labels, clients=clients, **alpha_options("fednlp", float(answer)))
    except (TypeError, ValueError) as error:
        return check(answer, None, because=[(lambda _: True, str(error).splitlines()[0])])
    got = skew(made, labels)["effective labels"]
    told = f"Its median client has {got:.1f} effective labels, the median device {wanted:.1f}: "
    slips = [
        (lambda _: got < wanted, told + "a larger α gives more."),
        (lambda _: got > wanted, told + "a smaller α gives fewer."),
    ]
    return check(answer, answer if abs(got - wanted) <= AS_SKEWED else None, because=slips)


hints = Hints({
    divide_each_label: (
        "A label's n examples are at `np.flatnonzero(codes == label)`.",
        "Client k's part ends where `shares[label].cumsum()[k]` of them are reached: that times n, rounded down. The "
        "last client's part ends at n.",
        "`np.diff(ends, prepend=0)` are the counts; `np.repeat(np.arange(K), counts)` the clients, one per example.",
    ),
    effective_number: (
        "The shares are ½, ¼ and ¼. How many labels, all equally frequent, would surprise you as much on average?",
        "The entropy is −Σ q ln q = ½ ln 2 + 2 · ¼ ln 4.",
        "In code: `np.exp(-(q * np.log(q)).sum())`.",
    ),
    alpha_in_fednlp: (
        "Write down what a single label's parameter is in both: α in pfl, α·p in FedNLP.",
        "With 150 equally frequent labels p = 1/150.",
    ),
    as_skewed_as_devices: (
        "The table of natural partitions has the number that you need: effective labels, by device.",
        "Try some α, after `from trustlab.course.alpha import alpha_options`: "
        '`skew(partition(labels, clients=200, **alpha_options("fednlp", alpha)), labels)["effective labels"]`.',
        "It is between 10 and 30.",
    ),
})  # fmt: skip
