"""The people of the attack on users: senders of 20 Newsgroups, as numbers, and their posts, as hashed words.

A sender is an address. Those with two distinct posts or more are the *people* who may be in a fleet: half of their
posts are trained on, if they are, and as many others are held out of every training. Who posted once is in no fleet
that is attacked: a half of these train the fleets of the search, the others are what accuracy is measured on.

Many people send a text again, or quote themselves. A post is left out if half of its word triples, or of the other's,
are in one of the same sender that is kept: otherwise a post that was held out could be one that was trained on.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from trustlab.course.once import once
from trustlab.models.vocabulary import Vocabulary

if TYPE_CHECKING:
    import datasets

BUCKETS = 511  # and one for padding, which is no word
POST = 256  # words kept of a post
NO_WORD = "(no word)"  # the word of a post that has none
TRIPLE, SHARED = 3, 0.5  # posts that share half of their triples are one
LABEL, SENDER = "group", "user"
FEWEST = 200  # people: against 16 fleets, one non-member in a thousand is then one at least


@dataclass(frozen=True, eq=False)
class Senders:
    """Who posted what.

    Attributes
    ----------
    words : float Tensor [N, D]
        Of every post: the roots of its hashed words' counts, scaled to length 1.
    labels : int Tensor [N]
        The group of every post.
    groups
        The groups' names.
    people
        For each person the rows of their distinct posts, two or more.
    searched
        The same of the people of the search, who posted once.
    validation, tested : int [·]
        Rows of posts by other people who posted once.
    """

    words: torch.Tensor
    labels: torch.Tensor
    groups: tuple[str, ...]
    people: list[np.ndarray]
    searched: list[np.ndarray]
    validation: np.ndarray
    tested: np.ndarray

    def halves(self, seed: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Return for each person the rows that are trained on, and as many that no training has, drawn by `seed`."""
        rng = np.random.default_rng([seed, 0])
        drawn = [rng.permutation(rows) for rows in self.people]
        return [rows[: len(rows) // 2] for rows in drawn], [rows[len(rows) // 2 :][: len(rows) // 2] for rows in drawn]


@once
def senders(corpus: datasets.DatasetDict) -> Senders:
    """Return the people of a corpus with columns ``tokens``, ``group`` and ``user``; all its splits are used.

    Raises
    ------
    ValueError
        If fewer than :data:`FEWEST` people have two distinct posts, or fewer than four posted once.
    """
    tokens = [[word.lower() for word in post] for split in corpus.values() for post in split["tokens"]]
    names = [name for split in corpus.values() for name in split[LABEL]]
    owned = defaultdict(list)
    for row, sender in enumerate(sender for split in corpus.values() for sender in split[SENDER]):
        owned[sender].append(row)
    everyone = [distinct(tokens, owned[sender]) for sender in sorted(owned)]
    people = [rows for rows in everyone if len(rows) > 1]
    once_only = [rows for rows in everyone if len(rows) == 1]
    if len(people) < FEWEST or len(once_only) < 4:
        raise ValueError(
            f"Expected at least {FEWEST} people with two distinct posts and four who posted once, got {len(people)} "
            f"and {len(once_only)}. Of fewer no TPR at an FPR of 0.1 % can be measured: take a larger corpus."
        )
    order = np.random.default_rng(0).permutation(len(once_only))
    searched, validation, tested = np.split(order, [len(order) // 2, 3 * len(order) // 4])
    groups = tuple(sorted(set(names)))
    return Senders(
        words=hashed_words(tokens),
        labels=torch.tensor([groups.index(name) for name in names]),
        groups=groups,
        people=people,
        searched=[once_only[i] for i in searched],
        validation=np.concatenate([once_only[i] for i in validation]),
        tested=np.concatenate([once_only[i] for i in tested]),
    )


def distinct(tokens: Sequence[Sequence[str]], rows: Sequence[int]) -> np.ndarray:
    """Return those of one sender's posts that are no repetition of one before.

    Examples
    --------
    >>> said = ["a long post about one thing", "a long post about one other thing", "quite another post of mine"]
    >>> distinct([text.split() for text in said], [0, 1, 2]).tolist()
    [0, 2]
    """
    kept: list[int] = []
    known: list[set[tuple[str, ...]]] = []
    for row in rows:
        own = triples(tokens[row])
        if all(len(own & other) < SHARED * min(len(own), len(other)) for other in known):
            kept.append(row)
            known.append(own)
    return np.array(kept)


def triples(words: Sequence[str]) -> set[tuple[str, ...]]:
    """Return the runs of three words; of a shorter text the text itself."""
    return {tuple(words[i : i + TRIPLE]) for i in range(max(1, len(words) - TRIPLE + 1))}


def hashed_words(tokens: Sequence[Sequence[str]]) -> torch.Tensor:
    """Return the roots of the counts of each post's hashed words, scaled to length 1: [N, :data:`BUCKETS` + 1]."""
    vocabulary = Vocabulary(intents=("post",), slots=("O",), buckets=BUCKETS, max_length=POST)
    posts = (list(words[:POST]) or [NO_WORD] for words in tokens)
    encoded = vocabulary.encode([{"tokens": p, "slots": ["O"] * len(p), "intent": "post"} for p in posts])
    counts = torch.zeros(len(encoded), BUCKETS + 1)
    counts.scatter_add_(1, encoded.input_ids, encoded.attention_mask.float())
    roots = counts.sqrt()
    return roots / roots.norm(dim=1, keepdim=True)
