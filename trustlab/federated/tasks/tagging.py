"""Sequence tagging: a BIO tag for each word, measured by F1 over whole entities."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.federated.tasks.protocol import Batch, Example
from trustlab.federated.tasks.reading import NONE, Reading
from trustlab.models.evaluation import entity_f1
from trustlab.models.utterances import word_list
from trustlab.models.vocabulary import IGNORE


class Tagging(Reading):
    """Targets are tuples of BIO tags, one a word; ``exact`` is the share of texts with every tag right.

    Examples
    --------
    >>> family = Tagging()
    >>> asked = [Example(("call", "ann"), ("O", "B-name"), "name"), Example(("stop",), ("O",), "none")]
    >>> family.scores(asked, [("O", "B-name"), ("B-name",)])["exact"]
    0.5
    """

    metric, longest, aligned = "entity F1", 48, True

    def check(self, example: Example, named: str) -> None:
        """Refuse another number of tags than of words, and tags that are none."""
        super().check(example, named)
        tags = word_list(example.target, f"the tags of {named}")
        count = sum(map(bool, tags))
        if not len(example.source) == len(tags) == count:
            raise ValueError(
                f"Expected a tag for each of the {len(example.source)} words of {named}, got {count}."
                " A tag belongs to the word at its place: give every word one, 'O' outside of entities."
            )

    def row(self, example: Example) -> dict[str, Any]:
        """Predict every word's tag."""
        return {"tokens": example.source, "slots": list(example.target), "intent": NONE}

    def names(self, examples: Sequence[Example]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return all tags, "O" first."""
        tags = {tag for example in examples for tag in example.target} - {"O"}
        return (NONE,), ("O", *sorted(tags))

    def per_example_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the mean cross entropy over each text's own words [B]."""
        _, logits = model(batch.input_ids, batch.attention_mask)  # [B, T, S]
        losses = F.cross_entropy(logits.transpose(1, 2), batch.targets, reduction="none", ignore_index=IGNORE)
        return losses.sum(1) / (batch.targets != IGNORE).sum(1).clamp(min=1)

    def answers(self, model: nn.Module, batch: Batch, asked: Sequence[Example]) -> list[tuple[str, ...]]:
        """Return the most probable tag of each word; a word behind the longest input is taken for "O"."""
        _, logits = model(batch.input_ids, batch.attention_mask)
        said = []
        for guesses, targets, example in zip(logits.argmax(-1), batch.targets, asked, strict=True):
            tags = batch.named(guesses[targets != IGNORE].tolist())
            said.append((*tags, *["O"] * (len(example.source) - len(tags))))
        return said

    def scores(self, asked: Sequence[Example], said: Sequence[tuple[str, ...]]) -> dict[str, float]:
        """Return the micro F1 over entities, as conlleval counts them."""
        truth = [tuple(example.target) for example in asked]
        exact = sum(true == tuple(tags) for true, tags in zip(truth, said, strict=True)) / len(truth)
        return {"score": entity_f1(truth, said), "exact": exact}
