"""Labels that devices make themselves: the assistant answers, and its user accepts, corrects or says nothing.

Requests that never leave a person's device cannot be annotated by anyone else. But the device sees how its answer is
received. This is a sketch of learning from that alone, one of the open questions in the article on trustworthy
learning. A simulated user knows what was wanted and reacts; the device sees the reaction, not the truth, and makes a
label of it where it can. The numbers of the simulated users are ours and were not measured.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from trustlab.columns import as_labels
from trustlab.config import check, option
from trustlab.federated.continual import Labeller
from trustlab.federated.simulation import Task
from trustlab.models.vocabulary import IGNORE

SILENT, ACCEPTED, REJECTED, CORRECTED = range(4)
NAMES = ("silent", "accepted", "rejected", "corrected")


@dataclass(frozen=True)
class Users:
    """How simulated users react to an answer."""

    reaction: float = option(
        0.5, label="Reacts", help="Chance that the user reacts to an answer at all.", low=0, high=1
    )
    correction: float = option(
        0.3, label="Corrects", help="Chance that a user who rejects an answer also says what was wanted.", low=0, high=1
    )
    slip: float = option(
        0.1, label="Slips", help="Chance that a user who reacts to a wrong answer accepts it.", low=0, high=1
    )


def react(
    answers: np.ndarray, wanted: np.ndarray, users: Users, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the users' side: how each answer is received, and which label the user then names.

    Parameters
    ----------
    answers, wanted : int [n]
        The device's predicted labels, and what the users meant, which only they know.
    users
        Their chances.
    rng
        Draws their reactions.

    Returns
    -------
    tuple
        Reactions, int [n], of :data:`SILENT` … :data:`CORRECTED`; and the label that the user names, int [n], which is
        :data:`trustlab.models.vocabulary.IGNORE` unless the reaction is a correction.

    Examples
    --------
    >>> always = Users(reaction=1.0, correction=1.0, slip=0.0)
    >>> react(np.array([3, 5]), np.array([3, 4]), always, np.random.default_rng(0))
    (array([1, 3]), array([-100,    4]))
    """
    check(users)
    answers, wanted = as_labels(answers, "answer"), as_labels(wanted, "label")
    if len(answers) != len(wanted):
        raise ValueError(f"Expected a wanted label for each of {len(answers)} answers, got {len(wanted)}.")
    speaks, slips, explains = (
        rng.random((3, len(answers))) < np.array([[users.reaction, users.slip, users.correction]]).T
    )
    fine = (answers == wanted) | slips
    reaction = np.where(fine, ACCEPTED, np.where(explains, CORRECTED, REJECTED))
    reaction = np.where(speaks, reaction, SILENT)
    return reaction, np.where(reaction == CORRECTED, wanted, IGNORE)


def pseudo_labels(answers: np.ndarray, reaction: np.ndarray, named: np.ndarray) -> np.ndarray:
    """Return the device's side: a label for each example that can be given one, IGNORE for the others, int [n].

    An accepted answer is taken for right, a correction for the truth. Silence is not taken for consent, and of a
    rejected answer only what it is not is known.

    Examples
    --------
    >>> pseudo_labels(np.array([3, 5, 7, 8]), np.array([1, 3, 2, 0]), np.array([-100, 4, -100, -100])).tolist()
    [3, 4, -100, -100]
    """
    answers, reaction, named = as_labels(answers, "answer"), as_labels(reaction, "reaction"), as_labels(named)
    return np.where(reaction == ACCEPTED, answers, named)


def from_feedback(users: Users, *, seed: int = 0) -> Labeller:
    """Return a labeller for :func:`trustlab.federated.continual.continual`: intents by feedback on the model's answers.

    When a period begins, the present model answers its requests. The users' reactions give the period's labels;
    all other true labels are taken out of the task, so that nothing can be trained on them by mistake.
    """
    rng = np.random.default_rng([seed, 2])

    @torch.no_grad()
    def label(model: nn.Module, task: Task, fresh: np.ndarray) -> tuple[Task, np.ndarray]:
        requests = task.train[torch.from_numpy(fresh)]
        answers = model(requests).argmax(-1).numpy()
        labels = pseudo_labels(answers, *react(answers, requests.intents.numpy(), users, rng))
        intents = task.train.intents.clone()
        intents[torch.from_numpy(fresh)] = torch.from_numpy(labels)
        train = dataclasses.replace(task.train, intents=intents)
        return dataclasses.replace(task, train=train), fresh[labels != IGNORE]

    return label
