"""Text classification: one label for a text, measured by accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.federated.tasks.protocol import Batch, Example
from trustlab.federated.tasks.reading import NONE, Reading


class Classification(Reading):
    """Targets are label names; ``exact`` is the accuracy again.

    Examples
    --------
    >>> family = Classification()
    >>> asked = [Example(("stop", "it"), "stop", "stop"), Example(("play", "it"), "play", "play")]
    >>> family.scores(asked, ["stop", "stop"])
    {'score': 0.5, 'exact': 0.5}
    """

    metric, longest, aligned = "accuracy", 64, False

    def check(self, example: Example, named: str) -> None:
        """Refuse a target that is no name: a tensor would be a separate label."""
        super().check(example, named)
        if not isinstance(example.target, str | Integral):
            kind = type(example.target).__name__
            raise ValueError(f"Expected the label of {named} as a string or an int, got {kind}. Use the label's name.")

    def row(self, example: Example) -> dict[str, Any]:
        """Predict the label only."""
        return {"tokens": example.source, "slots": [NONE] * len(example.source), "intent": example.target}

    def names(self, examples: Sequence[Example]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return all labels; the head over tokens stays unused and as small as can be."""
        return tuple(sorted({example.target for example in examples})), ("O",)

    def per_example_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return each text's cross entropy [B]."""
        logits, _ = model(batch.input_ids, batch.attention_mask)
        return F.cross_entropy(logits, batch.targets, reduction="none")

    def answers(self, model: nn.Module, batch: Batch, asked: Sequence[Example]) -> list[str]:
        """Return the most probable label of each text."""
        logits, _ = model(batch.input_ids, batch.attention_mask)
        return batch.named(logits.argmax(-1).tolist())

    def scores(self, asked: Sequence[Example], said: Sequence[str]) -> dict[str, float]:
        """Return the accuracy."""
        right = sum(example.target == label for example, label in zip(asked, said, strict=True)) / len(asked)
        return {"score": right, "exact": right}
