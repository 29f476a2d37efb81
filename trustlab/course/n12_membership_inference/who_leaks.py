"""Who is found: memberships by how rare the intent, the rarest word, or the rarest name of an utterance is.

What is rare is counted in the training split; counts are kept and shown, and no text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.baselines import OUTSIDE
from trustlab.course.once import once

if TYPE_CHECKING:
    import datasets

# What is counted; a name is a word of a slot: a person, a place, a title.
KINDS: Mapping[str, str] = MappingProxyType({"intent": "rare intents", "word": "rare words", "name": "rare names"})
QUARTERS = 4
FPR = 0.01


@once
def how_common(corpus: datasets.DatasetDict) -> dict[str, np.ndarray]:
    """Return for each of :data:`KINDS` a number per utterance of the training split [N]: small where it is rare.

    An intent counts the utterances that have it; words count those that contain the rarest word of the utterance, names
    those that contain the rarest word that is in a slot. An utterance without a name has none that is rare: N.

    Examples
    --------
    >>> rows = {"tokens": [["call", "Ann"], ["call", "Bob"], ["call", "Bob"], ["stop"]], "intent": ["a", "a", "a", "b"]}
    >>> tags = [["O", "B-name"], ["O", "B-name"], ["O", "B-name"], ["O"]]
    >>> {kind: found.tolist() for kind, found in how_common({"train": {**rows, "slots": tags}}).items()}
    {'intent': [3, 3, 3, 1], 'word': [1, 2, 2, 1], 'name': [1, 2, 2, 4]}
    """
    split = corpus["train"]
    said = [[token.lower() for token in tokens] for tokens in split["tokens"][:]]
    with_word = Counter(word for words in said for word in set(words))
    with_intent = Counter(split["intent"][:])
    named = [
        [word for word, tag in zip(words, tags, strict=True) if tag != OUTSIDE]
        for words, tags in zip(said, split["slots"][:], strict=True)
    ]
    return {
        "intent": np.array([with_intent[intent] for intent in split["intent"][:]]),
        **{
            kind: np.array([min((with_word[word] for word in words), default=len(said)) for words in each])
            for kind, each in (("word", said), ("name", named))
        },
    }


def by_quarter(scores: np.ndarray, inside: np.ndarray, common: np.ndarray) -> Iterator[dict[str, Any]]:
    """Yield, from the rarest quarter of the utterances to the commonest, who is found at an FPR of 1 % over all.

    Parameters
    ----------
    scores, inside : [N, K]
        An attack's scores against K models, and who was in the training of each.
    common : [N]
        One of :func:`how_common`; equal ones in the order given.

    Yields
    ------
    dict
        ``common`` (the median), ``members found`` and ``non-members accused``.

    Examples
    --------
    >>> scores, inside = np.array([[9.0], [0.0], [1.0], [2.0]] * 2), np.array([[True], [False], [True], [False]] * 2)
    >>> [row["members found"] for row in by_quarter(scores, inside, np.array([1, 1, 5, 5] * 2))]
    [1.0, 1.0, 0.0, 0.0]
    """
    threshold = np.quantile(scores[~inside], 1 - FPR)
    for part in np.array_split(np.argsort(common, kind="stable"), QUARTERS):
        called, members = scores[part] > threshold, inside[part]
        yield {
            "common": float(np.median(common[part])),
            "members found": float(called[members].mean()),
            "non-members accused": float(called[~members].mean()),
        }
