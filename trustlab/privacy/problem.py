"""What :func:`trustlab.privacy.train` learns: examples of two splits, a loss of each, and what is measured.

By default that is a tagger's. A model of one's own brings a loss and a measure, and data as other libraries have them:
they are read here, and the measure is tried before the first step.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import nn

from trustlab.batches import Collate, Columns, Rows, as_examples, reads_content
from trustlab.measures import Measure, as_measures
from trustlab.models import evaluate, tagging_loss
from trustlab.models.batching import evaluating
from trustlab.privacy.collation import check_collated
from trustlab.privacy.losses import PerExampleLoss, check_losses
from trustlab.privacy.refusals import refuse_frozen

TRIED, FEW = 32, 2  # validation examples on which a measure is tried; training examples, the loss
COLUMNS = ("step", "epoch", "epsilon", "seconds", "noise_multiplier", "clipped", "dropped", "progress")  # of a row


class Problem(NamedTuple):
    """What is learned: examples of both splits, the loss of each, and what is measured."""

    data: Mapping[str, Any]
    per_example_loss: PerExampleLoss
    evaluate: Measure

    def measured(self, model: nn.Module) -> dict[str, float]:
        """Return what is measured of `model` on the validation examples; it is left in the mode that it was in."""
        with evaluating(model):
            return as_measures(self.evaluate(model, self.data["validation"]), taken=COLUMNS)


def read_problem(
    model: nn.Module,
    data: Mapping[str, Any],
    per_example_loss: PerExampleLoss,
    measure: Measure,
    collate_fn: Collate | None,
    *,
    noisy: bool = True,
) -> Problem:
    """Return the data as examples; refuse a corpus that is not encoded or lacks a split, and a measure that fails."""
    refuse_frozen(model)
    own = per_example_loss is not tagging_loss
    if not own and any(hasattr(examples, "column_names") for examples in data.values()):
        raise TypeError(
            "Expected encoded examples, got a corpus of words. Pass vocabulary.encode_corpus(corpus), or a "
            "per_example_loss for a model of your own."
        )
    for split in ("train", "validation"):
        if split not in data or (hasattr(data[split], "__len__") and not len(data[split])):
            raise ValueError(f"Expected examples under {split!r} in data, got none. Encode every split of a corpus.")
    if own and measure is evaluate:
        raise ValueError(
            "Expected evaluate with a per_example_loss of your own: the default measures taggers. Give a function "
            "evaluate(model, examples) that returns a dict of numbers."
        )
    read = data
    if own:
        read = {split: as_examples(part, collate_fn, what=f"data[{split!r}]") for split, part in data.items()}
        few = read["validation"][torch.linspace(0, len(read["validation"]) - 1, TRIED).long().unique()]
        if any(isinstance(part, Columns | Rows) for part in read.values()):
            per_example_loss, measure = reads_content(per_example_loss), reads_content(measure)
        with torch.random.fork_rng(), torch.enable_grad():
            some = read["train"][torch.arange(min(FEW, len(read["train"])))]
            check_losses(per_example_loss(model, some), len(some))
        check_collated(model, per_example_loss, read["train"], noisy=noisy)
        Problem({"validation": few}, per_example_loss, measure).measured(model)
    return Problem(read, per_example_loss, measure)
