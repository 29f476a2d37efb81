"""From utterances to tensors: the word ids, label ids and padded batches that every tagger reads.

Two ways to give words their ids. :meth:`Vocabulary.from_corpus` counts the words of the training split, so the list
itself reveals which words were said: it is outside any (ε, δ) guarantee. :meth:`Vocabulary.hashed` gives each word
the bucket that a fixed hash gives and looks at no data, so it costs no ε; words share buckets (on SNIPS,
11,418 words in 2,048 buckets, nearly all do). Label names are read from the corpus in both cases: they are taken as the
assistant's published schema.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from trustlab.models.batching import rectangle
from trustlab.models.utterances import check_columns, utterances, word_list

if TYPE_CHECKING:
    import datasets

PADDING, UNKNOWN = 0, 1
IGNORE = -100  # the label that torch's cross entropy leaves out: padding, and all but a word's first sub-token


@dataclass(frozen=True)
class Examples:
    """Encoded utterances, padded to one length.

    Attributes
    ----------
    input_ids : Tensor [N, T], int64
    attention_mask : Tensor [N, T], bool
        True at real tokens; each row is True up to its length and False after.
    intents : Tensor [N], int64
    slots : Tensor [N, T], int64
        ``IGNORE`` where no tag is predicted.
    intent_names, slot_names
        Names of the ids, in order.
    """

    input_ids: torch.Tensor
    attention_mask: torch.Tensor
    intents: torch.Tensor
    slots: torch.Tensor
    intent_names: tuple[str, ...]
    slot_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.intents)

    def __getitem__(self, index: slice | torch.Tensor) -> Examples:
        """Return the examples at `index` (a slice or a tensor of indices), cut to the longest among them."""
        mask = self.attention_mask[index]
        longest = max(int(mask.sum(1).max()), 1) if len(mask) else 1
        return replace(
            self,
            input_ids=self.input_ids[index][:, :longest],
            attention_mask=mask[:, :longest],
            intents=self.intents[index],
            slots=self.slots[index][:, :longest],
        )

    def to(self, device: torch.device | str) -> Examples:
        """Return the same examples with their tensors on `device`."""
        tensors = {name: value.to(device) for name, value in vars(self).items() if isinstance(value, torch.Tensor)}
        return replace(self, **tensors)


@dataclass(frozen=True)
class Vocabulary:
    """Ids of words, intents and slot tags.

    Attributes
    ----------
    intents, slots
        Label names; they are the assistant's published schema, not something learned from its users.
    words
        The word list, or empty when words are hashed.
    buckets
        Number of hash buckets, or 0 with a word list.
    max_length
        Utterances are cut to this many tokens, a number chosen without looking at the data.

    Examples
    --------
    >>> vocabulary = Vocabulary(intents=("greet",), slots=("O",), buckets=100)
    >>> vocabulary.size
    101
    >>> vocabulary.encode([{"tokens": ["hello", "you"], "slots": ["O", "O"], "intent": "greet"}]).input_ids.shape
    torch.Size([1, 2])
    """

    intents: tuple[str, ...]
    slots: tuple[str, ...]
    words: tuple[str, ...] = ()
    buckets: int = 0
    max_length: int = 48

    def __post_init__(self) -> None:
        if bool(self.words) == bool(self.buckets):
            raise ValueError(
                f"Expected either words or buckets, got {len(self.words)} words and buckets={self.buckets}. "
                "Words name each id; buckets > 0 hashes words instead."
            )
        if self.buckets < 0 or self.max_length < 1:
            raise ValueError(
                f"Expected buckets={self.buckets} >= 0 and max_length={self.max_length} >= 1. They count hash buckets "
                "and the tokens that an utterance is cut to."
            )
        check_names(intents=self.intents, slots=self.slots, words=self.words)

    @classmethod
    def from_corpus(cls, corpus: datasets.DatasetDict, *, min_count: int = 1, max_length: int = 48) -> Vocabulary:
        """List the words that occur at least `min_count` times in ``corpus["train"]``; labels come from every split."""
        check_columns(corpus)
        said = enumerate(corpus["train"]["tokens"])
        counts = Counter(word for i, tokens in said for word in word_list(tokens, f"the tokens of utterance {i}"))
        words = tuple(sorted(word for word, count in counts.items() if count >= min_count))
        return cls(*labels(corpus), words=words, max_length=max_length)

    @classmethod
    def hashed(cls, corpus: datasets.DatasetDict, *, buckets: int = 4096, max_length: int = 48) -> Vocabulary:
        """Give words the ids of `buckets` hash buckets; only label names are read from `corpus`."""
        return cls(*labels(corpus), buckets=buckets, max_length=max_length)

    @property
    def size(self) -> int:
        """Number of word ids, padding included."""
        return self.buckets + 1 if self.buckets else len(self.words) + 2

    def encode(self, split: Iterable[Mapping[str, Any]]) -> Examples:
        """Turn utterances (rows with ``tokens``, ``slots`` and ``intent``) into :class:`Examples`.

        Raises
        ------
        ValueError
            For a row that is no utterance, see :func:`trustlab.models.utterances.utterances`, or a label that the
            vocabulary does not name.
        """
        ids = self._word_ids
        rows = [(ids(words), tags, intent) for words, tags, intent in utterances(split)]
        return collate(rows, intents=self.intents, slots=self.slots, max_length=self.max_length)

    def encode_corpus(self, corpus: datasets.DatasetDict) -> dict[str, Examples]:
        """Encode every split of `corpus` under its name."""
        return {name: self.encode(split) for name, split in corpus.items()}

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists and numbers, for :meth:`from_dict`."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Vocabulary:
        """Rebuild what :meth:`to_dict` returned."""
        return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in content.items()})

    @property
    def _word_ids(self) -> Any:
        if self.buckets:
            return lambda tokens: [
                1 + zlib.crc32(word.encode("utf-8", "surrogatepass")) % self.buckets for word in tokens
            ]
        index = {word: number for number, word in enumerate(self.words, start=2)}
        return lambda tokens: [index.get(word, UNKNOWN) for word in tokens]


def check_names(**names: tuple[str, ...]) -> None:
    """Refuse names that would not have an id each: one text for a list, one name twice, a slot without a name."""
    for what, each in names.items():
        if isinstance(each, str):
            raise ValueError(f"Expected {what} to be a tuple of names, got the text {each!r}. Write ({each!r},).")
        if twice := [name for name, count in Counter(each).items() if count > 1]:
            raise ValueError(f"Expected every name in {what} once, got {twice[0]!r} twice. Each has one id.")
        if what == "slots" and "" in each:
            raise ValueError("Expected slots with names, got ''. In a row it means that no tag is predicted.")


def labels(corpus: datasets.DatasetDict) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return all intent names and all slot tags of `corpus`, sorted, with "O" first among the tags."""
    check_columns(corpus, ("slots", "intent"))
    # A column is read row by row, and its slice at once: a hundred times faster.
    intents = {name for split in corpus.values() for name in split["intent"][:]}
    tags = {
        tag
        for name, split in corpus.items()
        for i, row in enumerate(split["slots"][:])
        for tag in word_list(row, f"the slots of utterance {i} of {name}")
    }
    return tuple(sorted(intents)), ("O", *sorted(tags - {"O"}))


def collate(
    rows: list[tuple[list[int], list[str], str]],
    *,
    intents: tuple[str, ...],
    slots: tuple[str, ...],
    max_length: int,
    padding: int = PADDING,
) -> Examples:
    """Pad rows of (token ids, as many tags, intent) into :class:`Examples`; a tag "" means no prediction there."""
    number_of_intent = {name: number for number, name in enumerate(intents)}
    number_of_slot = {"": IGNORE} | {name: number for number, name in enumerate(slots)}
    labels, tags = np.empty(len(rows), dtype=np.int64), []
    for i, (_, names, intent) in enumerate(rows):
        try:
            labels[i] = number_of_intent[intent]
            tags.append([number_of_slot[name] for name in names])  # those beyond the cut too: one may be a slip
        except (KeyError, TypeError) as error:
            unknown = error.args[0] if isinstance(error, KeyError) else intent
            raise ValueError(
                f"Expected the labels of utterance {i} to be in the vocabulary, got {unknown!r}. "
                "Build the vocabulary from the corpus that you encode."
            ) from None
    ids = rectangle([ids for ids, _, _ in rows], padding, longest=max_length)
    slot_numbers = rectangle(tags, IGNORE, longest=max_length)
    return Examples(ids, ids != padding, torch.from_numpy(labels), slot_numbers, intents, slots)
