"""Which examples of a real corpus train, and which are tested: one division for tuning, another for what is reported.

Rates are tuned on a part of the training split that is held out for it, with seeds from 100. The test split is not
looked at. XQuAD has no splits: a third of its articles is for tuning alone. Of each of the others one paragraph in five
is tested, another one for each seed, so that five seeds together test every question once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from trustlab.federated.tasks import SOURCES, Example, read

if TYPE_CHECKING:
    import datasets

# Corpus → its family of tasks, and how many examples of its test split are used at most.
REAL: dict[str, tuple[str, int | None]] = {
    "20newsgroups": ("classification", 2000),
    "clinc150": ("classification", None),
    "wnut17": ("tagging", None),
    "xquad": ("qa", None),
}
COMMITTED = ("xquad", "clinc150", "wnut17", "20newsgroups")  # whose search and table are in data/results
FOLDS = 5  # one of them is held out
TUNING_ARTICLES = 3  # every third article of XQuAD


@dataclass(frozen=True)
class Divided:
    """Examples, and the places of those that train and of those that are tested.

    What a frozen encoder reads is the same for every division, so that all examples stay together.
    """

    examples: list[Example]
    train: np.ndarray
    test: np.ndarray

    def known(self) -> list[Example]:
        """Return the training examples."""
        return [self.examples[i] for i in self.train]

    def asked(self) -> list[Example]:
        """Return the test examples."""
        return [self.examples[i] for i in self.test]


def divided(name: str, corpus: datasets.DatasetDict, seed: int, *, tuning: bool) -> Divided:
    """Return the examples of corpus `name` for one seed, to tune or to report."""
    family, most = REAL[name]
    if name == "xquad":
        rows = [row for split in ("train", "validation", "test") for row in corpus[split]]
        return _by_paragraph([example for row in rows for example in SOURCES[name, family](row)], seed, tuning)
    train, test = read(name, family, corpus["train"]), read(name, family, corpus["test"], most=most)
    places = np.arange(len(train))
    held_out = np.random.default_rng(seed).permutation(len(train)) % FOLDS == 0
    if tuning:
        return Divided([*train, *test], places[~held_out], places[held_out])
    return Divided([*train, *test], places, len(train) + np.arange(len(test)))


def _by_paragraph(examples: Sequence[Example], seed: int, tuning: bool) -> Divided:
    """Return questions so that those about one paragraph stay together: `seed` says which paragraph is tested."""
    paragraphs: dict[object, dict[tuple[str, ...], int]] = {}
    turn = []
    for example in examples:
        of_article = paragraphs.setdefault(example.holder, {})
        turn.append(of_article.setdefault(example.source, len(of_article)) % FOLDS)
    for_tuning = {article for i, article in enumerate(sorted(paragraphs, key=str)) if i % TUNING_ARTICLES == 0}
    mine = np.array([(example.holder in for_tuning) for example in examples])
    asked = (np.array(turn) == seed % FOLDS) & (mine == tuning)
    train = ~asked & mine if tuning else ~asked
    return Divided(list(examples), np.flatnonzero(train), np.flatnonzero(asked))
