"""Refuse losses that change with what a ``collate_fn`` adds to an example, such as padding.

Texts are padded to the longest of their batch. If a model reads the padding, or a loss averages over it, the longest
example changes the gradients of all others. Clipping bounds each gradient, and not that. The fast engine's own checks
cannot see it: an example that it computes alone is padded already.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from trustlab.batches import Rows, reads_content
from trustlab.models.batching import evaluating
from trustlab.privacy.losses import PerExampleLoss

TRIED = 16  # examples that are collated together and alone
NEAR = {True: 1e-2, False: 1e-4}  # of the loss, in half precision and in single: rounding is smaller


def check_collated(model: nn.Module, per_example_loss: PerExampleLoss, examples: Any) -> None:
    """Refuse losses that change with the examples that one is collated with; nothing for data that is not collated.

    A collator that draws random numbers, such as one that masks words, makes another batch each time: it is not
    compared.

    Raises
    ------
    ValueError
        Naming the example's place.
    """
    if not isinstance(examples, Rows) or examples.collate_fn is None or len(examples) < 2:
        return
    places = torch.linspace(0, len(examples) - 1, min(TRIED, len(examples))).long()
    with torch.random.fork_rng(), torch.no_grad(), evaluating(model):
        batch = examples[places]
        if not _same(batch, examples[places]):
            return
        loss = reads_content(per_example_loss)
        together, alone = loss(model, batch), torch.cat([loss(model, examples[place[None]]) for place in places])
    half = together.element_size() < 4 or any(parameter.element_size() < 4 for parameter in model.parameters())
    near = NEAR[half or torch.is_autocast_enabled(together.device.type)]
    for place, one, other in zip(places.tolist(), alone.float(), together.float(), strict=True):
        if not torch.isclose(one, other, rtol=near, atol=near / 10, equal_nan=True):
            raise ValueError(
                f"Expected an example to have the loss that it has alone, got {float(other):.4g} for number {place} in "
                f"a batch of {len(places)}, and {float(one):.4g} alone. What collate_fn adds changes it: one long "
                "example would change all others, which clipping does not bound. Return an attention_mask, use it in "
                "the model and in the loss, or pad every example to one length."
            )


def _same(one: Any, other: Any) -> bool:
    pairs = zip(tree_leaves(one.tensors), tree_leaves(other.tensors), strict=True)
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs if isinstance(a, Tensor))
