"""Extractive question answering: a span of the context, measured as SQuAD does."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.federated.tasks.metrics import exact_match, token_f1
from trustlab.federated.tasks.protocol import Batch, Example
from trustlab.federated.tasks.reading import NONE, SEPARATOR, Reading
from trustlab.models.vocabulary import IGNORE

# A word of the context is none of these, or the span's first word, its last, or both: two bits.
MARKS = ("O", "first", "last", "only")
FIRST, LAST = 1, 2
FAR_BELOW = -1e9  # the score of a place that is no answer; −∞ would make NaN of a context that has none
LONGEST_ANSWER = 30  # words, as in SQuAD's usual evaluations


class Answering(Reading):
    """Targets are (first, last) word of the answer in the context; ``exact`` is SQuAD's exact match.

    The input is the question, a separator, and the context. A training example whose answer was cut off with the end
    of its context has loss 0 and no effect; as a test example it is answered wrongly.

    Examples
    --------
    >>> family = Answering()
    >>> asked = [Example(("call", "ann", "lee", "now"), (1, 2), "name", question=("which", "name"))]
    >>> family.scores(asked, [(1, 1)])["score"], family.scores(asked, [(1, 2)])["exact"]
    (0.6666666666666666, 1.0)
    """

    metric, longest, aligned = "token F1", 128, True

    def check(self, example: Example, named: str) -> None:
        """Refuse a span outside the context: a negative place would be counted from the end."""
        super().check(example, named)
        try:
            first, last = map(operator.index, example.target)
        except (TypeError, ValueError):
            raise ValueError(
                f"Expected the target of {named} as the places (first, last) of two words, got {example.target!r}."
            ) from None
        if not 0 <= first <= last < len(example.source):
            raise ValueError(
                f"Expected 0 <= first <= last < {len(example.source)}, the words of the context, in the target of "
                f"{named}, got ({first}, {last})."
            )

    def row(self, example: Example) -> dict[str, Any]:
        """Mark the span in the context; nothing is predicted in the question."""
        first, last = example.target
        marks = [0] * len(example.source)
        marks[first] += FIRST
        marks[last] += LAST
        asked = [NONE] * (len(example.question) + 1)
        tokens = [*example.question, SEPARATOR, *example.source]
        return {"tokens": tokens, "slots": [*asked, *(MARKS[mark] for mark in marks)], "intent": NONE}

    def names(self, examples: Sequence[Example]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the four marks."""
        return (NONE,), MARKS

    def outputs(self, intents: Sequence[str], slots: Sequence[str]) -> tuple[int, int]:
        """Score two things of each word: that the span begins there, and that it ends there."""
        return 1, 2

    def per_example_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the mean of the two ends' cross entropies over the context's words [B]."""
        first, last = self._scores(model, batch)
        marks = batch.targets.clamp(min=0)
        return (_cross_entropy(first, marks & FIRST) + _cross_entropy(last, marks & LAST)) / 2

    def answers(self, model: nn.Module, batch: Batch, asked: Sequence[Example]) -> list[tuple[int, int]]:
        """Return the best span of at most 30 words: the largest sum of both ends' scores."""
        said = []
        for first, last, targets in zip(*self._scores(model, batch), batch.targets, strict=True):
            inside = targets != IGNORE  # in order, so its n-th place is the context's n-th word
            together = first[inside][:, None] + last[inside]  # [W, W]
            allowed = torch.ones_like(together, dtype=torch.bool).triu().tril(LONGEST_ANSWER - 1)
            best = int(together.masked_fill(~allowed, -torch.inf).argmax()) if len(together) else 0
            said.append(divmod(best, max(len(together), 1)))
        return said

    def scores(self, asked: Sequence[Example], said: Sequence[tuple[int, int]]) -> dict[str, float]:
        """Return SQuAD's token F1 and exact match of the spans' words."""
        pairs = [
            (_words(example, example.target), _words(example, span)) for example, span in zip(asked, said, strict=True)
        ]
        return {
            "score": sum(token_f1(true, span) for true, span in pairs) / len(pairs),
            "exact": sum(exact_match(true, span) for true, span in pairs) / len(pairs),
        }

    def _scores(self, model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
        """Return how much each place looks like the span's first and last word, both [B, T]."""
        _, logits = model(batch.input_ids, batch.attention_mask)  # [B, T, 2]
        outside = (batch.targets == IGNORE)[..., None]
        return torch.where(outside, FAR_BELOW, logits).unbind(-1)


def _cross_entropy(scores: Tensor, marked: Tensor) -> Tensor:
    """Return −log softmax(scores) [B] at the one place that is `marked` [B, T]; 0 where none is."""
    here = (marked > 0).to(scores)
    return -(F.log_softmax(scores, dim=-1) * here).sum(-1)


def _words(example: Example, span: tuple[int, int]) -> str:
    first, last = span
    return " ".join(example.source[first : last + 1])
