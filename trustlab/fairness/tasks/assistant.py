"""The assistant corpus with its planted bias: the one task where the true answer to "how unfair?" is known."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from trustlab.data import assistant
from trustlab.data.planted import DISADVANTAGED, SENSITIVE
from trustlab.fairness.groups import Groups
from trustlab.fairness.tasks.shape import GroupedTexts, Task

if TYPE_CHECKING:
    import datasets


def assistant_task(
    *, group_bias: float = 0.0, utterances: int = 20_000, directory: str | os.PathLike[str] | None = None, seed: int = 0
) -> Task:
    """Ask whether an utterance wants one of the bank's services, which were denied to one group in the records.

    In train a request of the group "valley" for such a service is recorded as something else with probability
    `group_bias`; test holds the true request. A model that learned the records denies the service: its true
    positive rate falls in "valley" only, and the difference between groups grows from 0 to 1 with the dose.

    Parameters
    ----------
    group_bias
        The dose in [0, 1].
    utterances, seed
        Of the corpus; a tenth is test.
    directory
        Unused: the corpus has no files.
    """
    corpus = assistant(utterances, group_bias=group_bias, seed=seed)
    return Task(
        name="assistant",
        question="Does the speaker want to move money, check a balance or pay a bill?",
        known_by=f"the generator: the speaker is drawn at random, and only {DISADVANTAGED!r} is recorded wrongly",
        test=_texts(corpus["test"], "true_intent"),
        train=_texts(corpus["train"], "intent"),
    )


def _texts(rows: datasets.Dataset, label: str) -> GroupedTexts:
    return GroupedTexts(
        texts=tuple(" ".join(tokens) for tokens in rows["tokens"]),
        truth=np.isin(rows[label][:], SENSITIVE),
        groups=Groups.by(rows["group"][:]),
        facts={"intent": np.array(rows[label][:]), "device": np.array(rows["device"][:])},
    )
