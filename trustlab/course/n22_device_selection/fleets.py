"""Fleets of heavy and light devices: who holds what, what they learn together, and how well it serves each of them.

Three natural fleets (in the embedded corpus, activity follows a power law): devices of the assistant, who learn to
classify intents; Shakespeare's roles, who learn to predict the next character of their lines; senders of 20
Newsgroups, who learn which group a post is for. Each is a natural partition, and a device is tested on its own test
examples; those of devices that have nothing to train on count in the pooled accuracy only.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from torch import nn

from trustlab.course import characters, intents
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n22_device_selection import posts
from trustlab.data import assistant
from trustlab.deprecation import old_names
from trustlab.federated.expectation import HEAVY
from trustlab.federated.partition import Partition, heaviest, partition
from trustlab.federated.partition.natural import by_name
from trustlab.federated.simulation import Task
from trustlab.federated.simulation.measurement import means, shares_right
from trustlab.models import Examples

if TYPE_CHECKING:
    import datasets

AS_IT_IS = "as it is"
FLEETS = {"mild": 0.4, AS_IT_IS: 0.8, "steep": 1.1}  # exponents of the assistant's activity; 0.8 is its own
TEST = "test"
MEASURES = ("accuracy", "accuracy_device", "accuracy_light", "accuracy_heavy")

Scores = Callable[[nn.Module, Examples], tuple[np.ndarray, np.ndarray]]


class Problem(NamedTuple):
    """What a fleet learns, and who holds which of its training and test examples."""

    task: Task
    clients: Partition
    tests: list[np.ndarray]


class _Kind(NamedTuple):
    """What is particular to a corpus: the column that names the device, what is learned, and how it is scored."""

    device: str
    task: Callable[[datasets.DatasetDict, int], Task]  # the corpus, and the seed of the first weights
    scores: Scores


def problem(
    name: str, corpus: datasets.DatasetDict, *, fleet: str = AS_IT_IS, seed: int = 0, scored: str = TEST
) -> Problem:
    """Return what the devices of `corpus` learn together.

    Parameters
    ----------
    name
        A key of :data:`KINDS`.
    corpus
        What :func:`trustlab.data.load` returned for it.
    fleet
        A key of :data:`FLEETS`. Other than ``"as it is"`` only for the assistant: as many utterances and devices are
        then generated with that activity.
    seed
        Of the model's first weights; and of the assistant's utterances and people, which seed 0 leaves as they are.
    scored
        The split that is measured on: "test", or "validation" to choose options.

    Raises
    ------
    ValueError
        For another activity of real devices: theirs is what it is.

    Examples
    --------
    >>> made = problem("assistant", assistant(400, devices=5))
    >>> made.clients.sizes.tolist()
    [106, 69, 55, 48, 42]
    >>> sorted(made.task.evaluate(made.task.model, made.task.test))
    ['accuracy', 'accuracy_device', 'accuracy_heavy', 'accuracy_light']
    """
    if name != EMBEDDED and fleet != AS_IT_IS:
        raise ValueError(
            f"Expected fleet={AS_IT_IS!r} with {name!r}, got {fleet!r}. Only the assistant's activity can be chosen."
        )
    if name == EMBEDDED and (fleet, seed) != (AS_IT_IS, 0):
        return _generated(*extent(corpus), fleet, seed, scored)
    return made_of(name, corpus, seed, scored)


def made_of(name: str, corpus: datasets.DatasetDict, seed: int, scored: str = TEST) -> Problem:
    """Return what :func:`problem` does, of this very corpus."""
    if scored != TEST:
        corpus = type(corpus)({**corpus, TEST: corpus[scored]})
    return on_devices(name, corpus, KINDS[name].task(corpus, seed))


@functools.lru_cache(maxsize=16)  # a grid repeats every fleet and seed many times
def _generated(utterances: int, devices: int, fleet: str, seed: int, scored: str) -> Problem:
    """Return :func:`made_of` an assistant corpus that is generated for it."""
    made = assistant(utterances, devices=devices, activity_exponent=FLEETS[fleet], seed=seed)
    return made_of(EMBEDDED, made, seed, scored)


def on_devices(name: str, corpus: datasets.DatasetDict, task: Task) -> Problem:
    """Return `task`, which was made of `corpus`, with who holds which of its examples, measured for each of them."""
    kind = KINDS[name]
    clients = partition(corpus["train"][kind.device], scheme="natural")
    tests = own_tests(clients, corpus["test"][kind.device])
    evaluate = functools.partial(accuracies, scores=kind.scores, tests=tests, sizes=clients.sizes)
    return Problem(dataclasses.replace(task, evaluate=evaluate), clients, tests)


def with_activity(corpus: datasets.DatasetDict, fleet: str) -> datasets.DatasetDict:
    """Return `corpus`, or an assistant corpus of its size whose devices have the activity of `fleet` (seed 0)."""
    if fleet == AS_IT_IS:
        return corpus
    utterances, devices = extent(corpus)
    return assistant(utterances, devices=devices, activity_exponent=FLEETS[fleet])


def extent(corpus: datasets.DatasetDict) -> tuple[int, int]:
    """Return how many utterances and devices an assistant corpus has."""
    return sum(map(len, corpus.values())), 1 + max(max(split["device"][:]) for split in corpus.values())


def own_tests(clients: Partition, devices: Sequence[Any]) -> list[np.ndarray]:
    """Return for each of a natural partition's clients the numbers of its test examples, whose `devices` are given.

    Examples
    --------
    >>> users = partition(["ann", "bob", "ann"], scheme="natural")
    >>> [own.tolist() for own in own_tests(users, ["eve", "ann", "ann"])]
    [[1, 2], []]
    """
    return list(by_name(clients, devices, strangers="drop"))


def accuracies(
    model: nn.Module, examples: Examples, *, scores: Scores, tests: Sequence[np.ndarray], sizes: np.ndarray
) -> dict[str, float]:
    """Return how well `model` serves the pooled data, the mean device, the light ones and the heavy ones.

    Parameters
    ----------
    model, examples
        What is measured, on all test examples.
    scores
        Returns of each example how much is right, and of how much: 1 of 1, or so many characters of a line.
    tests
        Numbers of the test examples that each of the N devices has.
    sizes : int [N]
        Training examples of each device.

    Returns
    -------
    dict
        In [0, 1]: ``accuracy`` over all examples; ``accuracy_device``, mean over devices that have test examples, each
        counting once; ``accuracy_light``, over those of them no larger than their median; ``accuracy_heavy``, over
        those that belong to the largest tenth of the fleet.
    """
    right, asked = scores(model, examples)
    tested, by_device = shares_right(right, tests, asked)
    device, light = means(by_device, tested, sizes)
    return {
        "accuracy": float(right.sum() / asked.sum()),
        "accuracy_device": device,
        "accuracy_light": light,
        "accuracy_heavy": float(by_device[np.isin(tested, heaviest(sizes, HEAVY))].mean()),
    }


# What is particular to each corpus


def _intents(corpus: datasets.DatasetDict, seed: int) -> Task:
    """Return the classification of notebook 21: an embedding bag over hashed words."""
    return intents.task(intents.prepare(corpus), seed=seed)


def _intents_right(model: nn.Module, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    right = intents.intents_right(model, examples).numpy()
    return right.astype(float), np.ones(len(right))


KINDS: Mapping[str, _Kind] = MappingProxyType({
    EMBEDDED: _Kind("device", _intents, _intents_right),
    "shakespeare_roles": _Kind("role", characters.task, characters.characters_right),
    "20newsgroups": _Kind("user", posts.task, _intents_right),
})  # fmt: skip

__getattr__ = old_names(__name__, {
    "ALPHABET": "trustlab.course.characters.ALPHABET",
    "LINE": "trustlab.course.characters.LINE",
    "AT_ONCE": "trustlab.course.characters.AT_ONCE",
    "BUCKETS": "trustlab.course.intents.BUCKETS",
    "prepare": "trustlab.course.intents.prepare",
    "intent_task": "trustlab.course.intents.task",
})  # fmt: skip
