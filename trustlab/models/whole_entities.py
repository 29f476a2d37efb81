"""Tags that make sense together: the most probable sequence in which an entity goes on only where one has begun."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from trustlab.models.batching import evaluating
from trustlab.models.vocabulary import Examples


def predict_whole(model: nn.Module, examples: Examples, *, batch_size: int = 256) -> tuple[list[str], list[list[str]]]:
    """Return the intent of each utterance, and its most probable valid sequence of tags, see :func:`best_path`.

    As :func:`trustlab.models.predict`, for models with one tag per token: there each token's best tag is taken on its
    own, which may continue an entity that never began.
    """
    names, intents, tags = examples.slot_names, [], []
    with evaluating(model):
        for start in range(0, len(examples), batch_size):
            batch = examples[start : start + batch_size]
            intent_logits, slot_logits = model(batch.input_ids, batch.attention_mask)
            intents += [examples.intent_names[i] for i in intent_logits.argmax(-1).tolist()]
            paths = best_path(slot_logits, batch.attention_mask, names).tolist()
            lengths = batch.attention_mask.sum(1).tolist()
            tags += [[names[i] for i in path[:n]] for path, n in zip(paths, lengths, strict=True)]
    return intents, tags


def best_path(slot_logits: Tensor, attention_mask: Tensor, names: Sequence[str]) -> Tensor:
    """Return the valid sequence of tags with the largest sum of log-probabilities (Viterbi), int64 [B, T].

    Parameters
    ----------
    slot_logits : Tensor [B, T, S]
    attention_mask : Tensor [B, T], bool
        True up to each utterance's length; what is returned beyond it means nothing.
    names
        The S tags; "I-x" may follow "B-x" and "I-x" only.

    Examples
    --------
    >>> logits = torch.tensor([[[0.6, 0.4, 0.0], [0.1, 0.2, 0.7]]]).log()  # O, B-x or I-x
    >>> best_path(logits, torch.tensor([[True, True]]), ["O", "B-x", "I-x"]).tolist()
    [[1, 2]]
    """
    scores = slot_logits.log_softmax(-1)
    allowed, first = _allowed(names)
    path = scores[:, 0] + first  # [B, S], the best sum of a path that ends in each tag
    came_from = []
    for t in range(1, scores.shape[1]):
        best, previous = (path[:, :, None] + allowed).max(1)
        inside = attention_mask[:, t, None]
        path = torch.where(inside, best + scores[:, t], path)
        came_from.append(torch.where(inside, previous, torch.arange(len(names))))
    tags = [path.argmax(-1)]
    for previous in reversed(came_from):
        tags.append(previous.gather(1, tags[-1][:, None])[:, 0])
    return torch.stack(tags[::-1], dim=1)


def _allowed(names: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return what is added to a path that goes from one tag to another [S, S], and to one that starts [S]: 0 or −∞."""
    goes_on = [name.startswith("I-") for name in names]
    kinds = [name[2:] if name[:2] in ("B-", "I-") else None for name in names]
    between = [[0.0 if not on or a == b else -math.inf for on, b in zip(goes_on, kinds, strict=True)] for a in kinds]
    return torch.tensor(between), torch.tensor([-math.inf if on else 0.0 for on in goes_on])
