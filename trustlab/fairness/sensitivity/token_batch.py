"""What a classifier reads, in one shape: its inputs, which tokens are real or special, and the word of each token.

Texts and lists of words go through the classifier's own tokenizer or vocabulary; what was encoded before is taken as it
is. A word is what a reader would call one: "she's" is one word however many sub-tokens it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trustlab.columns import as_texts
from trustlab.data.words_of_text import words_in
from trustlab.models.batching import lengths_mask, rectangle
from trustlab.models.encoder import SubwordVocabulary
from trustlab.models.vocabulary import Examples, Vocabulary

NO_WORD = -1
_NOT_FOR_MODELS = ("labels", "special_tokens_mask", "offset_mapping", "length", "overflow_to_sample_mapping")


@dataclass(frozen=True, eq=False)
class TokenBatch:
    """N examples of T tokens, padded.

    Attributes
    ----------
    inputs
        What the model is called with, by name; tensors [N, …].
    mask : Tensor [N, T], bool
        Real tokens; padding is False.
    special : Tensor [N, T], bool
        Tokens that the tokenizer added, such as ``[CLS]``.
    words
        The words of each example, or None where only ids are known.
    word : Tensor [N, T], int64
        Which of them each token is a part of, −1 for none.
    """

    inputs: Mapping[str, torch.Tensor]
    mask: torch.Tensor
    special: torch.Tensor
    words: tuple[tuple[str, ...], ...] | None
    word: torch.Tensor

    def __len__(self) -> int:
        return len(self.mask)

    def take(self, rows: np.ndarray) -> TokenBatch:
        """Return some of the examples, cut to the longest among them."""
        index = torch.from_numpy(rows)
        mask = self.mask[index]
        reach = torch.arange(1, mask.shape[1] + 1) * mask  # padding may be on either side
        longest, width = max(int(reach.max()), 1), mask.shape[1]
        inputs = {
            name: value[index][:, :longest] if value.shape[1:2] == (width,) else value[index]
            for name, value in self.inputs.items()
        }
        words = None if self.words is None else tuple(self.words[row] for row in rows.tolist())
        special, word = self.special[index], self.word[index]
        return TokenBatch(inputs, mask[:, :longest], special[:, :longest], words, word[:, :longest])


def read_batch(batch: Any, reader: Any = None, max_tokens: int | None = None) -> TokenBatch:
    """Return what a classifier reads as a :class:`TokenBatch`.

    Parameters
    ----------
    batch
        Texts; lists of words; :class:`~trustlab.models.Examples`; or a mapping of tensors by the names of the model's
        inputs, such as a tokenizer returns (``input_ids`` or ``inputs_embeds``, ``attention_mask``,
        ``special_tokens_mask``).
    reader
        A fast tokenizer of ``transformers``, a :class:`~trustlab.models.Vocabulary` or a
        :class:`~trustlab.models.SubwordVocabulary`.
    max_tokens
        Texts are cut to so many tokens, special ones included; None is the reader's own length.

    Raises
    ------
    ValueError
        For one text instead of a list, texts without a reader, or a mapping without tokens.

    Examples
    --------
    >>> found = read_batch([["she", "sings"]], Vocabulary(intents=("a", "b"), slots=("O",), words=("she",)))
    >>> found.inputs["input_ids"].tolist(), found.words
    ([[2, 1]], (('she', 'sings'),))
    """
    if isinstance(batch, TokenBatch):
        return batch
    if isinstance(batch, Examples):
        return _of_examples(batch, reader)
    if isinstance(batch, Mapping) or hasattr(batch, "input_ids"):
        return _of_mapping(dict(batch))
    split = _word_lists(batch)
    if reader is None:
        raise ValueError(
            "Expected a reader for texts, got none. Name what turns them into ids: "
            "TextClassifier(model, reader=tokenizer or vocabulary)."
        )
    if isinstance(reader, Vocabulary):
        if split is None:
            raise ValueError("Expected lists of words for a vocabulary of words, got texts. Write text.split().")
        rows = [
            {"tokens": words, "slots": [reader.slots[0]] * len(words), "intent": reader.intents[0]} for words in split
        ]
        return _of_examples(reader.encode(rows), reader, split)
    tokenizer, longest = _tokenizer(reader, max_tokens)
    return _tokenized(as_texts(batch) if split is None else split, tokenizer, longest)


def _word_lists(batch: Any) -> list[list[str]] | None:
    """Return lists of words as such, and None for texts; an empty word list or example is refused."""
    if isinstance(batch, str) or not isinstance(batch, Sequence) or all(isinstance(each, str) for each in batch):
        texts = as_texts(batch)
        if not texts:
            raise ValueError("Expected one or more texts, got none.")
        return None
    found = [as_texts(each, "word") for each in batch]
    if empty := [row for row, words in enumerate(found) if not words]:
        raise ValueError(f"Expected words in each example, got none in row {empty[0]}. Leave it out.")
    return found


def _of_examples(examples: Examples, reader: Any, split: Sequence[Sequence[str]] | None = None) -> TokenBatch:
    """Take encoded examples; their words are known where the reader lists them, or as they were before encoding."""
    ids, mask = examples.input_ids, examples.attention_mask
    special, words, word = torch.zeros_like(mask), None, torch.full(mask.shape, NO_WORD)
    if isinstance(reader, SubwordVocabulary):
        special = torch.isin(ids, torch.tensor(reader.tokenizer.all_special_ids)) & mask
    if split is None and isinstance(reader, Vocabulary) and reader.words and ids.dim() == 2:
        names = ("", "[unknown]", *reader.words)
        split = [
            [names[i] for i, real in zip(*each, strict=True) if real]
            for each in zip(ids.tolist(), mask.tolist(), strict=True)
        ]
    if split is not None:
        words = tuple(tuple(each) for each in split)
        word = torch.where(mask, torch.arange(mask.shape[1]), NO_WORD)
    return TokenBatch({"input_ids": ids, "attention_mask": mask}, mask, special, words, word)


def _of_mapping(batch: dict[str, Any]) -> TokenBatch:
    tokens = next((batch[name] for name in ("inputs_embeds", "input_ids") if name in batch), None)
    tensors = {name: value for name, value in batch.items() if isinstance(value, torch.Tensor)}
    tokens = next(iter(tensors.values()), None) if tokens is None else tokens
    if not isinstance(tokens, torch.Tensor) or tokens.dim() < 2 or not len(tokens):
        raise ValueError(
            f"Expected a mapping with a tensor of tokens [examples, tokens], got {sorted(batch)}. Ask a tokenizer for "
            "tensors: tokenizer(texts, padding=True, return_tensors='pt')."
        )
    given = tensors.get("attention_mask", torch.ones(tokens.shape[:2]))
    mask = given.bool()
    special = tensors.get("special_tokens_mask", torch.zeros(tokens.shape[:2])).bool() & mask
    inputs = {name: value for name, value in tensors.items() if name not in _NOT_FOR_MODELS}
    return TokenBatch(inputs, mask, special, None, torch.full(mask.shape, NO_WORD))


def _tokenizer(reader: Any, max_tokens: int | None) -> tuple[Any, int | None]:
    own = reader.max_length if isinstance(reader, SubwordVocabulary) else getattr(reader, "model_max_length", None)
    tokenizer = reader.tokenizer if isinstance(reader, SubwordVocabulary) else reader
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(
            f"Expected a vocabulary or a fast tokenizer, got {type(reader).__name__}. Only those know which token is "
            "where in the text."
        )
    lengths = [length for length in (own, max_tokens) if length is not None and length < 1_000_000]
    return tokenizer, min(lengths, default=None)


def _tokenized(texts: list[str] | list[list[str]], tokenizer: Any, longest: int | None) -> TokenBatch:
    """Tokenize texts, or lists of words, and find the word of each token."""
    as_words = not isinstance(texts[0], str)
    found = tokenizer(
        texts, is_split_into_words=as_words, return_special_tokens_mask=True, verbose=False,
        truncation=longest is not None, max_length=longest, return_offsets_mapping=True,
    )  # fmt: skip
    words, places = [], []
    for row, text in enumerate(texts):
        if as_words:
            words.append(tuple(text))
            places.append([NO_WORD if place is None else place for place in found.word_ids(row)])
            continue
        spans = words_in(text)
        at = np.full(len(text) + 1, NO_WORD)
        for place, span in enumerate(spans):
            at[span.start : span.end] = place
        words.append(tuple(span.text for span in spans))
        # A token may begin with a space: its word is that of its last character.
        offsets = zip(found["offset_mapping"][row], found["special_tokens_mask"][row], strict=True)
        places.append([NO_WORD if special or a == b else int(at[b - 1]) for (a, b), special in offsets])
    ids = rectangle(found["input_ids"], tokenizer.pad_token_id or 0)
    mask = lengths_mask(found["input_ids"], ids.shape[1])
    special = rectangle(found["special_tokens_mask"], 0).bool() & mask
    inputs = {"input_ids": ids, "attention_mask": mask.long()}
    if "token_type_ids" in found:
        inputs["token_type_ids"] = rectangle(found["token_type_ids"], 0)
    return TokenBatch(inputs, mask, special, tuple(words), rectangle(places, NO_WORD))
