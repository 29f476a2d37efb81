"""Refuse losses that change with what a ``collate_fn`` adds to an example, such as padding.

Texts are padded to the longest of their batch. If a model reads the padding, or a loss averages over it, the longest
example changes the gradients of all others. Clipping bounds each gradient, and not that. The fast engine's own checks
cannot see it: an example that it computes alone is padded already.

Zeros hide what a model reads: a head that begins with zeros, and the padding's row of an embedding, which no gradient
changes and the first step's noise does. So losses are compared at the first weights, and at weights moved at random.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from trustlab.batches import Rows, reads_content
from trustlab.models.batching import evaluating
from trustlab.privacy.losses import PerExampleLoss

TRIED = 16  # examples that are collated together and alone
MOVED = 0.1, 0.02  # a weight moves by this share of its tensor's, and by no less
NEAR = {True: 1e-2, False: 1e-4}  # of the loss, in half precision and in single: rounding is smaller


def check_collated(model: nn.Module, per_example_loss: PerExampleLoss, examples: Any, *, noisy: bool = True) -> None:
    """Refuse losses that change with the examples that one is collated with; nothing for data that is not collated.

    A collator that draws random numbers, such as one that masks words, makes another batch each time: it is not
    compared. Without noise (`noisy` False) weights are not moved. They are left as they were.

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
        alone = [examples[place[None]] for place in places]
        _compare(model, per_example_loss, batch, alone, places.tolist())
        if noisy:
            with _moved(model):
                _compare(model, per_example_loss, batch, alone, places.tolist(), " at weights that noise has moved")


def _compare(
    model: nn.Module, per_example_loss: PerExampleLoss, batch: Any, each: list[Any], places: list[int], when: str = ""
) -> None:
    """Refuse losses of a batch that differ from those of its examples, each by itself."""
    loss = reads_content(per_example_loss)
    together, alone = loss(model, batch), torch.cat([loss(model, one) for one in each])
    half = together.element_size() < 4 or any(parameter.element_size() < 4 for parameter in model.parameters())
    near = NEAR[half or torch.is_autocast_enabled(together.device.type)]
    for place, one, other in zip(places, alone.float(), together.float(), strict=True):
        if not torch.isclose(one, other, rtol=near, atol=near / 10, equal_nan=True):
            raise ValueError(
                f"Expected an example to have the loss that it has alone, got {float(other):.4g} for number {place} in "
                f"a batch of {len(places)}, and {float(one):.4g} alone{when}. What collate_fn adds changes it: one "
                "long example would change all others, which clipping does not bound. Return an attention_mask, use it "
                "in the model and in the loss, or pad every example to one length."
            )


@contextlib.contextmanager
def _moved(model: nn.Module) -> Iterator[None]:
    """Add random numbers to the trainable weights, and put these back."""
    kept = [(parameter, parameter.clone()) for parameter in model.parameters() if parameter.requires_grad]
    share, least = MOVED
    try:
        for parameter, value in kept:
            size = float(value.float().square().mean().sqrt()) if value.numel() else 0.0
            parameter.add_(torch.randn_like(parameter), alpha=max(share * size, least))
        yield
    finally:
        for parameter, value in kept:
            parameter.copy_(value)


def _same(one: Any, other: Any) -> bool:
    pairs = zip(tree_leaves(one.tensors), tree_leaves(other.tensors), strict=True)
    return all(a.shape == b.shape and torch.equal(a, b) for a, b in pairs if isinstance(a, Tensor))
