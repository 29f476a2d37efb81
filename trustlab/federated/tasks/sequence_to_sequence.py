"""Sequence to sequence: words in, words out, measured by ROUGE-L."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.federated.tasks.metrics import rouge_l
from trustlab.federated.tasks.protocol import SMALL, Batch, Encode, Example, Family
from trustlab.models.batching import lengths_mask, rectangle
from trustlab.models.seq2seq import EncoderDecoder, PretrainedSeq2Seq
from trustlab.models.utterances import word_list
from trustlab.models.vocabulary import IGNORE, PADDING, UNKNOWN

START, STOP = "<s>", "</s>"
WIDTH, HEADS, LAYERS = 48, 4, 1
LONGEST_ANSWER = 32  # words


class Generation(Family):
    """Targets are tuples of words; ``exact`` is the share of texts said word for word.

    Unlike the other families' hashed words these have to be said again, so the small model has a word list, made of
    the training examples. In a real fleet the list itself would reveal what people said: it has to be public data.

    Examples
    --------
    >>> asked = [Example(("song", "yesterday"), ("play", "yesterday"), "play")]
    >>> Generation().scores(asked, [("play", "it")])
    {'score': 0.5, 'exact': 0.0}
    """

    metric, longest = "ROUGE-L", 48

    def check(self, example: Example, named: str) -> None:
        """Refuse a target that is one text: it would be said letter by letter."""
        super().check(example, named)
        word_list(example.target, f"the target of {named}")

    def prepare(self, train: Sequence[Example], test: Sequence[Example], model: str) -> tuple[Encode, nn.Module]:
        """Read and say words of one list, or a pretrained model's own tokens."""
        if model != SMALL:
            network = PretrainedSeq2Seq(model, longest=2 * self.longest)
            return lambda examples: _batch(examples, network.encode_words, network.words), network
        words = {word for example in train for word in (*example.source, *example.target)}
        names = ("", "?", START, STOP, *sorted(words - {START, STOP}))  # the first two are PADDING and UNKNOWN
        number = {name: i for i, name in enumerate(names)}
        shape = dict(width=WIDTH, heads=HEADS, layers=LAYERS, max_length=self.longest)
        small = EncoderDecoder(len(names), start=number[START], stop=number[STOP], **shape)

        def ids(texts: Sequence[Sequence[str]]) -> list[list[int]]:
            cut = [text[: self.longest - 1] for text in texts]
            return [[*(number.get(word, UNKNOWN) for word in text), number[STOP]] for text in cut]

        def named(said: Sequence[int]) -> list[str]:
            return [names[i] for i in said]

        return lambda examples: _batch(examples, ids, named), small

    def per_example_loss(self, model: nn.Module, batch: Batch) -> Tensor:
        """Return the mean cross entropy over each target's own tokens [B], each said after the right ones."""
        found = model(batch.input_ids, batch.attention_mask, batch.targets)  # [B, S]
        return -found.sum(1) / (batch.targets != IGNORE).sum(1).clamp(min=1)

    def answers(self, model: nn.Module, batch: Batch, asked: Sequence[Example]) -> list[tuple[str, ...]]:
        """Return what `model` says, at each step the most probable token."""
        said = model.say(batch.input_ids, batch.attention_mask, longest=LONGEST_ANSWER)
        return [tuple(batch.named(ids)) for ids in said]

    def scores(self, asked: Sequence[Example], said: Sequence[tuple[str, ...]]) -> dict[str, float]:
        """Return the mean ROUGE-L over texts."""
        pairs = [(tuple(example.target), tuple(words)) for example, words in zip(asked, said, strict=True)]
        return {
            "score": sum(rouge_l(true, words) for true, words in pairs) / len(pairs),
            "exact": sum(true == words for true, words in pairs) / len(pairs),
        }


def _batch(examples: Sequence[Example], ids: Any, named: Any) -> Batch:
    sources, targets = (ids([getattr(example, side) for example in examples]) for side in ("source", "target"))
    inputs = rectangle(sources, PADDING)
    mask = lengths_mask(sources, inputs.shape[1])
    return Batch(inputs, mask, rectangle(targets, IGNORE), torch.arange(len(examples)), named)
