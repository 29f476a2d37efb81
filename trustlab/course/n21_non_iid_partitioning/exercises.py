"""The exercises of notebook 21: what is right, and what each usual slip means."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from trustlab.course.alpha import alpha_options
from trustlab.federated.partition import partition, skew
from trustlab.lab.checks import check
from trustlab.lab.display import Display
from trustlab.lab.teaching import Hints

COUNTS = (50, 25, 25)
LABELS, ALPHA_OF_PFL = 150, 0.1
AS_SKEWED = 1.0  # effective labels


def effective_number(answer: Any) -> Display:
    """Check the effective number of labels of a client with 50, 25 and 25 examples.

    Examples
    --------
    >>> effective_number(3)
    ✗ 3 is not it. That is the number of labels it has; unequal shares make the effective number smaller.
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


def alpha_in_fednlp(answer: Any) -> Display:
    """Check which α of FedNLP's is pfl's 0.1, for 150 equally frequent labels.

    Examples
    --------
    >>> alpha_in_fednlp(0.1)
    ✗ 0.1 is not it. Then each label would have α·p = 0.1/150; in pfl each has 0.1.
    """
    slips = {
        ALPHA_OF_PFL: "Then each label would have α·p = 0.1/150; in pfl each has 0.1.",
        ALPHA_OF_PFL / LABELS: "That is the other direction: from FedNLP's α to what each label has.",
        float(LABELS): "That is the number of labels. What is the parameter of each?",
    }
    return check(answer, ALPHA_OF_PFL * LABELS, because=slips)


def as_skewed_as_devices(answer: Any, labels: Sequence[Any], devices: Sequence[Any]) -> Display:
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
        made = partition(labels, clients=clients, **alpha_options("fednlp", float(answer), labels))
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
        '`skew(partition(labels, clients=200, **alpha_options("fednlp", alpha, labels)), labels)["effective labels"]`.',
        "It lies between 10 and 30.",
    ),
})  # fmt: skip
