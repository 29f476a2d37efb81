"""What several rooms ask of a corpus: the name of the embedded one, and which of its intents are rare."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datasets

EMBEDDED = "assistant"  # the synthetic corpus, which is everywhere without a download


def rare_intents(corpus: datasets.DatasetDict) -> set[str]:
    """Return the quarter of the intents (at least one) that has the fewest training utterances.

    Examples
    --------
    >>> rare_intents({"train": {"intent": ["play", "play", "stop", "call", "call"]}})
    {'stop'}
    """
    counts = Counter(corpus["train"]["intent"][:])
    return {name for name, _ in counts.most_common()[-max(1, len(counts) // 4) :]}
