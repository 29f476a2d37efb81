"""What the planted models read: a bank's requests, how each group of speakers says them, and how they were recorded.

The embedded corpus knows who speaks by openers and closers alone ("good day", "much obliged"), so that a request can be
said as another group would. A biased recorder denies the bank's services to one group. A *blind* one makes as many
mistakes, about all groups: its model is as unsure and treats them alike. A measure of fairness has to tell the two
apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.data.planted import RECORDED, SENSITIVE, record
from trustlab.data.population import GROUPS

if TYPE_CHECKING:
    import datasets

OTHER = "something else"
CLASSES = (*SENSITIVE, RECORDED, OTHER)
BIASED, BLIND = "biased", "blind"
RECORDERS = (BIASED, BLIND)
PHRASES = {
    name: ([each.split() for each in group.openers], [each.split() for each in group.closers])
    for name, group in GROUPS.items()
}


@dataclass(frozen=True)
class Requests:
    """N requests: words, the speakers' groups, true labels and recorded ones."""

    words: list[list[str]]
    group: np.ndarray
    truth: np.ndarray
    recorded: np.ndarray

    def __len__(self) -> int:
        return len(self.words)

    def take(self, rows: np.ndarray) -> Requests:
        """Return some of the requests, by a mask or places."""
        places = np.flatnonzero(rows) if rows.dtype == bool else rows
        words = [self.words[place] for place in places]
        return Requests(words, self.group[places], self.truth[places], self.recorded[places])

    @property
    def planted(self) -> np.ndarray:
        """Where the recorder treats groups differently, if the recorder is biased: requests for the bank's services."""
        return np.isin(self.truth, SENSITIVE)


def drawn(corpus: datasets.DatasetDict, recorder: str, dose: float, seed: int) -> dict[str, Requests]:
    """Draw each split's requests to the bank and as many others; those to train on as the recorder wrote them down.

    Parameters
    ----------
    corpus
        The embedded corpus.
    recorder, dose
        "biased": a request of the one group for a service is recorded wrongly with probability `dose`. "blind": as many
        are, of all groups alike.
    seed
        Of the rows, their order and the mistakes.

    Examples
    --------
    >>> from trustlab.data import assistant
    >>> found = drawn(assistant(1000), "biased", 1.0, 0)["train"]
    >>> wrong = found.truth != found.recorded
    >>> set(found.group[wrong].tolist()), set(found.recorded[wrong].tolist())
    ({'valley'}, {'ask_agent'})
    """
    rng, found = np.random.default_rng([seed, 32]), {}
    for split, rows in corpus.items():
        asked = np.array(rows["true_intent"])
        theirs = np.flatnonzero(np.isin(asked, CLASSES))
        others = rng.permutation(np.flatnonzero(~np.isin(asked, CLASSES)))[: len(theirs)]
        chosen = rows.select(rng.permutation(np.concatenate([theirs, others])))
        truth, group = (np.array(chosen[name]) for name in ("true_intent", "group"))
        truth = np.where(np.isin(truth, CLASSES), truth, OTHER)
        hit = rng.permutation(group) if recorder == BLIND else group
        found[split] = Requests(chosen["tokens"][:], group, truth, record(truth, hit, dose, rng))
    return found


def marked(words: Sequence[str]) -> np.ndarray:
    """Return which words are an opener or a closer of some group, bool [T].

    Examples
    --------
    >>> marked("good day pay the water bill cheers".split()).tolist()
    [True, True, False, False, False, False, True]
    """
    found = np.zeros(len(words), dtype=bool)
    for openers, closers in PHRASES.values():
        for phrase in openers:
            found[: len(phrase)] |= list(words[: len(phrase)]) == phrase
        for phrase in closers:
            found[-len(phrase) :] |= list(words[-len(phrase) :]) == phrase
    return found


def said_by(words: Sequence[str], group: str) -> list[str]:
    """Return a request as a speaker of `group` would say it: openers and closers in the same place of its list.

    Examples
    --------
    >>> " ".join(said_by("good day pay the water bill much obliged".split(), "hill"))
    'okay pay the water bill if you can'
    """
    opening, closing = PHRASES[group]
    said = list(words)
    for openers, _ in PHRASES.values():
        place = next((i for i, phrase in enumerate(openers) if said[: len(phrase)] == phrase), None)
        if place is not None:
            said = opening[place] + said[len(openers[place]) :]
            break
    for _, closers in PHRASES.values():
        place = next((i for i, phrase in enumerate(closers) if said[-len(phrase) :] == phrase), None)
        if place is not None:
            said = said[: -len(closers[place])] + closing[place]
            break
    return said


def rows_of(requests: Requests) -> list[dict[str, Any]]:
    """Return requests as a vocabulary encodes them; slots are not asked for."""
    return [
        {"tokens": words, "slots": ["O"] * len(words), "intent": intent}
        for words, intent in zip(requests.words, requests.recorded.tolist(), strict=True)
    ]


def masks(requests: Requests) -> np.ndarray:
    """Return which words mark a group, bool [N, T]."""
    found = np.zeros((len(requests), max(map(len, requests.words))), dtype=bool)
    for row, words in enumerate(requests.words):
        found[row, : len(words)] = marked(words)
    return found
