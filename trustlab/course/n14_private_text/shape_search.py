"""The search for λ of regularised Mahalanobis noise, the one option that a mechanism of notebook 14 is tuned by.

A trial is scored by the accuracy of a classifier where an attacker recovers half of the words, between three values of
ε around that: as mechanisms are compared. Its seeds are not those that are reported, and it is tested on texts of the
training split that it did not learn from. Laplace noise is λ = 0; truncated Gumbel noise has no option, and the
exponential mechanism has the β of its public implementations.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.config import check, option
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n14_private_text.claims import HALF
from trustlab.course.n14_private_text.experiment import TEST, TRAIN, Texts, released
from trustlab.course.n14_private_text.word_mechanisms import SHAPED, lowered, public_table
from trustlab.course.tuning import Option, Space, search_seeds
from trustlab.privacy.text import NoisyVectors

if TYPE_CHECKING:
    import datasets

__all__ = ["AROUND", "CORPORA", "KEY", "SPACES", "Setting", "grid", "result_name", "run"]
CORPORA = (EMBEDDED,)
KEY = ("mechanism", "shape")
AROUND = (40.0, 55.0, 75.0)  # ε
LAMBDA = Option(
    (0.1, 0.25, 0.5, 0.75, 0.9, 1.0),
    low_end="0 is Laplace noise, which is compared on its own",
    high_end="1 is noise shaped like the table alone",
)
SPACES: Mapping[str, Space] = MappingProxyType({SHAPED: {"shape": LAMBDA}})


@dataclass(frozen=True)
class Setting:
    """One trial of the search."""

    corpus: str = option(EMBEDDED, label="Corpus", help="What is rewritten.", values=CORPORA)
    mechanism: str = option(SHAPED, label="Mechanism", help="How words are replaced.", values=tuple(SPACES))
    shape: float = option(0.5, label="λ", help="0 is spherical noise, 1 is shaped like the table.", low=0, high=1)
    seed: int = option(100, label="Seed", help="Of the texts drawn, and of all noise.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this trial in the table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def grid(corpus: str, *, seeds: Sequence[int] = range(3), mechanisms: Sequence[str] = tuple(SPACES)) -> list[Setting]:
    """Return the trials; `seeds` are those of a search.

    Examples
    --------
    >>> len(grid("assistant"))
    18
    """
    return [
        Setting(corpus, mechanism, shape, seed)
        for mechanism in mechanisms
        for shape in LAMBDA.values
        for seed in search_seeds(seeds)
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the search is stored in ``data/results``."""
    return f"tuning/private_text_{corpus}"


def held_back(corpus: datasets.DatasetDict, seed: int) -> Texts:
    """Draw training texts as :func:`.experiment.drawn` does, and the tested ones from the rest of their split."""
    rows = corpus["train"].select(np.random.default_rng([seed, 14]).permutation(len(corpus["train"]))[: TRAIN + TEST])
    texts, intents = lowered(rows["tokens"][:]), rows["intent"][:]
    public = lowered(corpus["validation"]["tokens"][:])
    return Texts(texts[:TRAIN], intents[:TRAIN], texts[TRAIN:], intents[TRAIN:], public)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Rewrite, learn and attack at each ε, and yield the trial's row.

    Yields
    ------
    dict
        ``corpus``, ``mechanism``, ``shape`` and ``seed``; ``score``, the accuracy where half of the words are
        recovered, NaN if they are at no ε; ``least`` and ``most``, what is recovered at the first and last ε;
        ``seconds``.
    """
    check(setting)
    started, said = time.perf_counter(), held_back(corpus, setting.seed)
    tried = [NoisyVectors(public_table(), epsilon, shape=setting.shape) for epsilon in AROUND]
    found = [released(each, said, setting.seed) for each in tried]
    guessed, accuracy = (np.array([each[name] for each in found]) for name in ("guessed", "accuracy"))
    rising = np.maximum.accumulate(guessed)
    reached = rising[0] <= HALF <= rising[-1]
    yield {
        **setting.key(),
        "score": float(np.interp(HALF, rising, accuracy)) if reached else float("nan"),
        "least": float(guessed[0]),
        "most": float(guessed[-1]),
        "seconds": time.perf_counter() - started,
    }
