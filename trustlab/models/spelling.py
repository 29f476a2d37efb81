"""A word model that also reads the letters: a word never seen in training still has a spelling.

A :class:`SpelledVocabulary` encodes a token as a row of numbers, its word id and then the ids of its characters, so
that ``input_ids`` is [B, T, 1 + L]. Whatever handles examples (batches, padding, ``predict``) works on that as it is.
The recipe is the usual one of joint models before pretraining (Ma and Hovy 2016 for characters by convolution), but for
pretrained word vectors: this model knows nothing but its training split.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from trustlab.models.taggers import BiLSTMTagger, Heads
from trustlab.models.utterances import word_list
from trustlab.models.vocabulary import PADDING, UNKNOWN, Examples, Vocabulary

CHARACTERS = 128  # ids of characters: 0 is padding, 1 to 126 are those of ASCII, all others share 127
LONGEST = 12  # characters read of a word: of a longer one its first and its last six
CHARACTER_WIDTH, WINDOW = 24, 3  # of a character's embedding, and characters seen by a filter


@dataclass(frozen=True)
class SpelledVocabulary(Vocabulary):
    """A :class:`~trustlab.models.Vocabulary` whose tokens carry their characters: ``input_ids`` [N, T, 1 + L].

    Examples
    --------
    >>> vocabulary = SpelledVocabulary(intents=("greet",), slots=("O",), words=("hello",))
    >>> vocabulary.encode([{"tokens": ["hello"], "slots": ["O"], "intent": "greet"}]).input_ids.tolist()
    [[[2, 104, 101, 108, 108, 111, 0, 0, 0, 0, 0, 0, 0]]]
    """

    def encode(self, split: Iterable[Mapping[str, Any]]) -> Examples:
        """Turn utterances into :class:`Examples`, as :meth:`Vocabulary.encode`, with the characters of each word."""
        rows = list(split)
        examples = super().encode(rows)
        words = [word for row in rows for word in word_list(row["tokens"], "tokens")[: self.max_length]]
        spelled = torch.full((*examples.input_ids.shape, LONGEST), PADDING)
        spelled[examples.attention_mask] = torch.tensor([spelling(word) for word in words]).reshape(-1, LONGEST)
        return replace(examples, input_ids=torch.cat([examples.input_ids[..., None], spelled], dim=-1))


def spelling(word: str) -> list[int]:
    """Return the ids of a word's characters, filled up to :data:`LONGEST`.

    Examples
    --------
    >>> spelling("né")
    [110, 127, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    """
    kept = word if len(word) <= LONGEST else word[: LONGEST // 2] + word[-(LONGEST // 2) :]
    ids = [ord(character) if 0 < ord(character) < CHARACTERS - 1 else CHARACTERS - 1 for character in kept]
    return ids + [PADDING] * (LONGEST - len(ids))


class SpelledEmbedding(nn.Module):
    """What a token is to the model: its word's embedding, and the strongest answer of each filter to its characters.

    In training a word is at random replaced by the unknown one, so that the model learns what to do with those: read
    their letters.
    """

    def __init__(self, words: int, embedding: int, filters: int, dropout: float, word_dropout: float) -> None:
        super().__init__()
        self.words = nn.Embedding(words, embedding, padding_idx=PADDING)
        self.characters = nn.Embedding(CHARACTERS, CHARACTER_WIDTH, padding_idx=PADDING)
        self.filters = nn.Linear(WINDOW * CHARACTER_WIDTH, filters)
        self.dropout = nn.Dropout(dropout)
        self.word_dropout = word_dropout

    def forward(self, tokens: Tensor) -> Tensor:
        """Map `tokens` [B, T, 1 + L] to [B, T, D]."""
        words, spelled = tokens[..., 0], tokens[..., 1:]
        if self.training and self.word_dropout:
            dropped = torch.rand(words.shape, device=words.device) < self.word_dropout
            words = torch.where(dropped & (words != PADDING), UNKNOWN, words)
        letters = self.characters(nn.functional.pad(spelled, (WINDOW // 2, WINDOW // 2), value=PADDING))
        windows = letters.unfold(2, WINDOW, 1).flatten(3)  # [B, T, L, C · W]
        heard = self.filters(windows).relu().amax(2)  # [B, T, filters]
        return self.dropout(torch.cat([self.words(words), heard], dim=-1))


class DroppedHeads(Heads):
    """The two outputs, with dropout on the states in training."""

    def __init__(self, width: int, intents: int, slots: int, dropout: float) -> None:
        super().__init__(width, intents, slots)
        self.dropout = nn.Dropout(dropout)

    def forward(self, states: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Map `states` [B, T, D] to intent logits [B, I] and slot logits [B, T, S]."""
        return super().forward(self.dropout(states), mask)


class SpellingTagger(BiLSTMTagger):
    """A bidirectional LSTM over words and their characters, with dropout before and after it.

    Parameters
    ----------
    words, intents, slots
        Sizes of the :class:`SpelledVocabulary`.
    embedding, filters, hidden
        Width of a word's embedding, number of character filters, and width of the state in each direction.
    dropout
        Of what goes into the LSTM, and of its states.
    word_dropout
        Share of the words that are unknown in a training step.
    """

    def __init__(
        self,
        words: int,
        intents: int,
        slots: int,
        *,
        embedding: int = 100,
        filters: int = 50,
        hidden: int = 128,
        dropout: float = 0.5,
        word_dropout: float = 0.1,
    ) -> None:
        super().__init__(words, intents, slots, embedding=embedding, hidden=hidden)
        self.settings |= dict(filters=filters, dropout=dropout, word_dropout=word_dropout)
        self.embedding = SpelledEmbedding(words, embedding, filters, dropout, word_dropout)
        self.lstm = nn.LSTM(embedding + filters, hidden, batch_first=True, bidirectional=True)
        self.heads = DroppedHeads(2 * hidden, intents, slots, dropout)


def spelling_tagger(vocabulary: SpelledVocabulary, *, seed: int = 0, **settings: Any) -> SpellingTagger:
    """Return a :class:`SpellingTagger` for `vocabulary` with the first weights of `seed`.

    Examples
    --------
    >>> vocabulary = SpelledVocabulary(intents=("greet", "leave"), slots=("O",), words=("hello",))
    >>> rows = [{"tokens": ["hello", "you"], "slots": ["O", "O"], "intent": "greet"}]
    >>> batch = vocabulary.encode(rows)
    >>> intent, slots = spelling_tagger(vocabulary)(batch.input_ids, batch.attention_mask)
    >>> intent.shape, slots.shape
    (torch.Size([1, 2]), torch.Size([1, 2, 1]))
    """
    if not isinstance(vocabulary, SpelledVocabulary):
        raise ValueError(
            f"Expected a SpelledVocabulary, got a {type(vocabulary).__name__}. This model reads the words' characters."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SpellingTagger(vocabulary.size, len(vocabulary.intents), len(vocabulary.slots), **settings)
