"""Predictions whose tags make sense together: an entity continues only where one has begun."""

from __future__ import annotations

from torch import nn

from trustlab.models.batching import evaluating
from trustlab.models.tag_order import best_valid_tags
from trustlab.models.vocabulary import Examples


def predict_whole(model: nn.Module, examples: Examples, *, batch_size: int = 256) -> tuple[list[str], list[list[str]]]:
    """Return the intent of each utterance, and its most probable valid sequence of tags.

    As :func:`trustlab.models.predict`, for models with one tag per token: there each token's best tag is taken on its
    own, which may continue an entity that never began. See :func:`trustlab.models.tag_order.best_valid_tags`.
    """
    names, intents, tags = examples.slot_names, [], []
    with evaluating(model):
        for start in range(0, len(examples), batch_size):
            batch = examples[start : start + batch_size]
            intent_logits, slot_logits = model(batch.input_ids, batch.attention_mask)
            intents += [examples.intent_names[i] for i in intent_logits.argmax(-1).tolist()]
            for scores, length in zip(slot_logits.numpy(), batch.attention_mask.sum(1).tolist(), strict=True):
                tags.append([names[i] for i in best_valid_tags(scores[:length], names)])
    return intents, tags
