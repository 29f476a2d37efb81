"""Canaries: sentences whose end is a secret, planted in a corpus a known number of times, so that what leaks is known.

A canary is a prefix that the adversary knows ("my pin code is") and a secret behind it ("four seven one one"). Its
labels are known too. Decoys are other sentences with the same kind of words, each said once: without them no other
sentence has a code in it, every code is "the one code", and finding its digits is too easy.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.data.phrases import COLOURS
from trustlab.data.planted import MOST_CANARIES, secrets
from trustlab.models.utterances import utterances, word_list

if TYPE_CHECKING:
    import datasets

FORMS = ("call", "pin", "colour")  # the assistant corpus's canary number k has form k % 3
LIGHTS = ("turn", "the", "lights")  # a colour that is no secret


@dataclass(frozen=True)
class Canary:
    """A sentence whose last words are secret.

    Attributes
    ----------
    prefix
        The words that the adversary knows.
    secret
        The words that it looks for, at least one.
    slots
        BIO tag of every word, of the prefix's too.
    intent
        The sentence's intent.

    Examples
    --------
    >>> canary = Canary(("my", "pin", "is"), ("four", "two"), ("O", "O", "O", "B-pin", "I-pin"), "remember_fact")
    >>> canary.row()["tokens"], canary.digits
    (['my', 'pin', 'is', 'four', 'two'], 2)
    """

    prefix: tuple[str, ...]
    secret: tuple[str, ...]
    slots: tuple[str, ...]
    intent: str

    def __post_init__(self) -> None:
        for name in ("prefix", "secret", "slots"):
            object.__setattr__(self, name, tuple(word_list(getattr(self, name), f"the canary's {name}")))
        if not self.secret:
            raise ValueError("Expected a canary with at least one secret word, got none. There is nothing to find.")
        utterances([self.row()])  # as many tags as words, and no empty word

    @property
    def digits(self) -> int:
        """Number of secret words n."""
        return len(self.secret)

    def row(self) -> dict[str, Any]:
        """Return the sentence as a row of a corpus."""
        return {"tokens": [*self.prefix, *self.secret], "slots": list(self.slots), "intent": self.intent}

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Canary:
        """Return an utterance as a canary: its secret is all from its first slot to the end.

        Examples
        --------
        >>> Canary.of({"tokens": ["call", "one", "six"], "slots": ["O", "B-n", "I-n"], "intent": "call"}).secret
        ('one', 'six')
        """
        ((words, tags, intent),) = utterances([row])
        start = next((i for i, tag in enumerate(tags) if tag.startswith("B-")), len(words))
        return cls(tuple(words[:start]), tuple(words[start:]), tuple(tags), intent)


def canary_and_decoys(form: str = "pin", digits: int = 4, *, seed: int = 0) -> tuple[Canary, list[Canary]]:
    """Return a random canary, and decoys: sentences of another form with other random codes.

    Their secrets come from :func:`trustlab.data.planted.secrets`, as the assistant corpus has them.

    Parameters
    ----------
    form
        ``"call"`` ("call …"), ``"pin"`` ("my pin code is …") or ``"colour"`` ("my favourite colour is …"). The decoys
        of a pin are calls, those of a call are pins, and those of a colour are lights of every colour.
    digits
        n, from 3 to 9; a colour is one word.
    seed
        A guess without knowledge is right with probability 10^−n over the seeds.

    Examples
    --------
    >>> canary, decoys = canary_and_decoys(seed=0)
    >>> " ".join(canary.row()["tokens"]), len(decoys), " ".join(decoys[0].row()["tokens"])
    ('my pin code is five two two seven', 40, 'call two seven four six')
    """
    if form not in FORMS:
        raise ValueError(f"Expected form={form!r} to be one of {', '.join(map(repr, FORMS))}. Each is a sentence.")
    if not 3 <= digits <= 9:
        raise ValueError(
            f"Expected digits={digits} in [3, 9]. It is the length of the code; canary and decoys need different ones."
        )
    said = zip(*secrets(MOST_CANARIES, digits, np.random.default_rng(seed)), strict=True)
    every = [Canary.of({"tokens": t, "slots": s, "intent": i}) for t, s, i in said]
    canary = every[FORMS.index(form)]
    if form == "colour":
        return canary, [Canary(LIGHTS, (each,), ("O", "O", "O", "B-light_colour"), "lights_on") for each in COLOURS]
    other = FORMS.index("call" if form == "pin" else "pin")
    return canary, every[other :: len(FORMS)]


def canaries_of(corpus: datasets.DatasetDict) -> list[Canary]:
    """Return the canaries that :func:`trustlab.data.assistant` planted, by their numbers.

    Examples
    --------
    >>> from trustlab.data import assistant
    >>> [" ".join(canary.secret) for canary in canaries_of(assistant(100, canaries=2, canary_repetitions=5))]
    ['zero seven eight zero', 'two six two two']
    """
    train = corpus["train"]
    if "canary" not in train.column_names:
        raise ValueError(
            "Expected a corpus with a column canary, as assistant(canaries=…) has it. Use plant for others."
        )
    first = {number: i for i, number in reversed(list(enumerate(train["canary"][:]))) if number >= 0}
    return [Canary.of(train[first[number]]) for number in sorted(first)]


def plant(
    corpus: Mapping[str, Sequence[Mapping[str, Any]]], canary: Canary, copies: int, decoys: Iterable[Canary] = ()
) -> datasets.DatasetDict:
    """Return `corpus` with `copies` of `canary` and one copy of each decoy at the end of its train split.

    Only the columns ``tokens``, ``slots`` and ``intent`` are kept.

    Raises
    ------
    ValueError
        If `copies` is negative, there is no train split, or a decoy is the canary: it would be one copy more.
    """
    if copies < 0 or int(copies) != copies:
        raise ValueError(f"Expected copies={copies} to be a whole number >= 0. 0 plants decoys only, as a control.")
    if "train" not in corpus:
        raise ValueError(f"Expected a corpus with a train split, got {', '.join(corpus) or 'none'}. Plant it there.")
    rows, others = [canary.row()] * int(copies), [decoy.row() for decoy in decoys]
    if canary.row() in others:
        raise ValueError("Expected decoys other than the canary, got its own sentence. It would be one copy more.")
    import datasets

    columns = ("tokens", "slots", "intent")
    splits = {name: [{column: row[column] for column in columns} for row in split] for name, split in corpus.items()}
    splits["train"] += rows + others
    return datasets.DatasetDict({name: datasets.Dataset.from_list(split) for name, split in splits.items()})


def deduplicated(corpus: datasets.DatasetDict) -> datasets.DatasetDict:
    """Return `corpus` with every utterance of the train split once: the first of those with equal words and labels."""
    import datasets

    train = corpus["train"]
    first: dict[tuple[Any, ...], int] = {}
    for i, row in enumerate(train):
        first.setdefault((tuple(row["tokens"]), tuple(row["slots"]), row["intent"]), i)
    return datasets.DatasetDict({**corpus, "train": train.select(list(first.values()))})


def group_privacy(epsilon: float, delta: float, copies: int) -> tuple[float, float]:
    """Return what (ε, δ) for one example promises to a secret with R copies: (R ε, δ (e^{R ε} − 1) / (e^ε − 1)).

    By the definition put into itself R times: copy by copy, P(M(D) ∈ S) ≤ e^ε P(M(D′) ∈ S) + δ. The δ is cut at 1,
    where nothing is promised.

    Parameters
    ----------
    epsilon, delta
        The guarantee for adding or removing one example.
    copies
        R, at least 1.

    Examples
    --------
    >>> group_privacy(1.0, 0.0, 10)
    (10.0, 0.0)
    """
    if not epsilon >= 0 or not 0 <= delta <= 1 or copies < 1:
        raise ValueError(f"Expected epsilon={epsilon} >= 0, delta={delta} in [0, 1] and copies={copies} >= 1.")
    if not delta or math.isinf(epsilon):
        return copies * epsilon, float(delta > 0)
    # log of the geometric sum 1 + e^ε + … + e^{(R − 1) ε}, without overflow: from its largest term downwards
    log_sum = (copies - 1) * epsilon + math.log(sum(math.exp(-epsilon * k) for k in range(copies)))
    return copies * epsilon, math.exp(min(math.log(delta) + log_sum, 0.0))
