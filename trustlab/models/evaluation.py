"""How good a tagger is: intent accuracy, and slot F1 by entity."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import nn

from trustlab.models.batching import evaluating
from trustlab.models.tag_order import best_valid_tags
from trustlab.models.taggers import loss_of_logits
from trustlab.models.utterances import word_list
from trustlab.models.vocabulary import IGNORE, Examples

Entity = tuple[str, int, int]  # type, first token, last token


def entities(tags: Sequence[str]) -> set[Entity]:
    """Read the entities out of one utterance's BIO tags.

    An ``I-x`` that follows no ``x`` starts a new entity, as in conlleval and seqeval's default mode.

    Examples
    --------
    >>> sorted(entities(["B-city", "I-city", "O", "I-time"]))
    [('city', 0, 1), ('time', 3, 3)]
    """
    found, start, current = set(), 0, None
    for i, tag in enumerate([*word_list(tags, "an utterance's tags"), "O"]):
        prefix, _, kind = tag.partition("-")
        continues = prefix == "I" and kind == current
        if current is not None and not continues:
            found.add((current, start, i - 1))
        if not continues:
            start, current = i, (kind if prefix in ("B", "I") else None)
    return found


def entity_f1(truth: Iterable[Sequence[str]], predicted: Iterable[Sequence[str]]) -> float:
    """F1 in [0, 1] over whole entities, pooled over utterances (micro average), as seqeval counts it.

    An entity is right when its type and both its ends are. With no entity on either side the score is 0. A text in
    place of an utterance's tags is refused: its letters would be the tags.
    """
    right = in_truth = in_predicted = 0
    for true_tags, predicted_tags in zip(truth, predicted, strict=True):
        true, guess = entities(true_tags), entities(predicted_tags)
        right, in_truth, in_predicted = right + len(true & guess), in_truth + len(true), in_predicted + len(guess)
    return 2 * right / (in_truth + in_predicted) if in_truth + in_predicted else 0.0


def predict(
    model: nn.Module, examples: Examples, *, batch_size: int = 256, valid: bool = False
) -> tuple[list[str], list[list[str]]]:
    """Return the intent of each utterance, and the tag of each of its labelled tokens.

    Each tag is the most probable one by itself; with `valid`, all tags of an utterance are the best that BIO allows
    together, see :func:`trustlab.models.tag_order.best_valid_tags`.
    """
    intents, tags = [], []
    with evaluating(model):
        for batch, (intent_logits, slot_logits) in _forward(model, examples, batch_size):
            intents += [examples.intent_names[i] for i in intent_logits.argmax(-1).tolist()]
            tags += _valid_names(slot_logits, batch) if valid else _names(slot_logits.argmax(-1), batch)
    return intents, tags


def evaluate(model: nn.Module, examples: Examples, *, batch_size: int = 256, valid: bool = False) -> dict[str, float]:
    """Measure `model` on `examples`; with `valid`, tags are chosen together as :func:`predict` does.

    Returns
    -------
    dict
        ``loss`` (mean of :func:`trustlab.models.tagging_loss`), ``accuracy`` (share of right intents) and ``slot_f1``.
    """
    total, right, truth, tags = 0.0, 0, [], []
    with evaluating(model):
        for batch, logits in _forward(model, examples, batch_size):
            total += loss_of_logits(logits, batch).sum().item()
            right += (logits[0].argmax(-1) == batch.intents).sum().item()
            truth += _names(batch.slots, batch)
            tags += _valid_names(logits[1], batch) if valid else _names(logits[1].argmax(-1), batch)
    return {"loss": total / len(examples), "accuracy": right / len(examples), "slot_f1": entity_f1(truth, tags)}


def _forward(
    model: nn.Module, examples: Examples, batch_size: int
) -> Iterator[tuple[Examples, tuple[torch.Tensor, torch.Tensor]]]:
    """Yield batches of `examples` with their logits."""
    for start in range(0, len(examples), batch_size):
        batch = examples[start : start + batch_size]
        yield batch, model(batch.input_ids, batch.attention_mask)


def _names(ids: torch.Tensor, batch: Examples) -> list[list[str]]:
    """Name the tag ids [B, T] at the tokens of `batch` that have a tag, one list per utterance."""
    asked = (batch.slots != IGNORE).tolist()
    return [
        [batch.slot_names[i] for i, kept in zip(row, keep, strict=True) if kept]
        for row, keep in zip(ids.tolist(), asked, strict=True)
    ]


def _valid_names(slot_logits: torch.Tensor, batch: Examples) -> list[list[str]]:
    """Name the best valid tags of each utterance of `batch` from logits [B, T, S]."""
    asked, names = (batch.slots != IGNORE).numpy(), batch.slot_names
    scores = slot_logits.numpy().astype(float)
    return [[names[i] for i in best_valid_tags(row[keep], names)] for row, keep in zip(scores, asked, strict=True)]
