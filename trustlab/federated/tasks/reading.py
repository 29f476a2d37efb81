"""What classification, tagging and question answering share: a model that reads one text and marks it.

A tagger's two heads are enough for all three: the text's label from the mean state, a label for each token, and a span
as two scores for each token, that it begins there and that it ends there. So the three are encoded as utterances of a
tagger are, by its own vocabularies, and any encoder of :mod:`trustlab.models` reads them.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from trustlab.federated.tasks.protocol import SMALL, Batch, Encode, Example, Family
from trustlab.models import EncoderTagger, Examples, SubwordVocabulary, TransformerTagger, Vocabulary

BUCKETS, WIDTH, HEADS, LAYERS = 2048, 32, 4, 1
MINILM = "minilm"
NONE = ""  # the label of a text that has none, and the tag of a word that none is asked for
SEPARATOR = "[SEP]"  # between a question and its context; BERT's tokenizers know it


class Reading(Family):
    """A family that reads one text. Subclasses say how an example looks to a tagger."""

    aligned: bool  # whether the targets are labels of tokens

    @abstractmethod
    def row(self, example: Example) -> dict[str, Any]:
        """Return ``tokens``, ``slots`` (``""`` where none is asked for) and ``intent`` (``""`` for none)."""

    @abstractmethod
    def names(self, examples: Sequence[Example]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the names of texts' labels and of tokens' labels, the task's published schema."""

    def outputs(self, intents: Sequence[str], slots: Sequence[str]) -> tuple[int, int]:
        """Return the sizes of the two heads."""
        return len(intents), len(slots)

    def prepare(self, train: Sequence[Example], test: Sequence[Example], model: str) -> tuple[Encode, nn.Module]:
        """Hash words for the small model, which reveals nothing of the data; a pretrained one has a tokenizer."""
        intents, slots = self.names([*train, *test])
        sizes = self.outputs(intents, slots)
        vocabulary: Any
        if model == SMALL:
            vocabulary = Vocabulary(intents, slots, buckets=BUCKETS, max_length=self.longest)
            shape = dict(width=WIDTH, heads=HEADS, layers=LAYERS, max_length=self.longest)
            network: nn.Module = TransformerTagger(vocabulary.size, *sizes, **shape)
        else:
            encoder = None if model == MINILM else model
            vocabulary = SubwordVocabulary(intents, slots, encoder=encoder, max_length=2 * self.longest)
            network = EncoderTagger(*sizes, encoder=encoder)

        def encode(examples: Sequence[Example]) -> Batch:
            return self._batch(vocabulary.encode([self.row(example) for example in examples]))

        return encode, network

    def _batch(self, encoded: Examples) -> Batch:
        targets = encoded.slots if self.aligned else encoded.intents
        names = encoded.slot_names if self.aligned else encoded.intent_names

        def named(ids: Sequence[int]) -> list[str]:
            return [names[i] for i in ids]

        rows = torch.arange(len(encoded))
        return Batch(encoded.input_ids, encoded.attention_mask, targets, rows, named, self.aligned)
