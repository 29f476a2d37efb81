"""The vector of a word in a sentence, from any encoder: what CEAT needs thousands of.

A word's vector is the hidden state at the last sub-token of its first occurrence, as CEAT takes it. Long sentences are
cut to a window around the word, so that no occurrence is lost at the end of a truncated text. Sentences go through the
encoder in batches of nearly equal length, and the vectors can be kept in a file, found again by the sha256 of weights,
configuration, tokenizer, settings and sentences.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustlab.columns import as_texts
from trustlab.containers import plain, refuse_non_columns
from trustlab.durable import digest, to_json
from trustlab.fairness.vector_cache import cached_vectors
from trustlab.models.batching import batches, evaluating, longest_input, mean_state, padded
from trustlab.models.pretrained import encoder_and_tokenizer

if TYPE_CHECKING:
    import torch


# What changes no vector: where, as what and by what a configuration was saved; and how texts were last cut and filled
# up by a tokenizer's callers, since neither is used here. All else may, and so makes another key.
OF_SAVING = ("_name_or_path", "architectures", "transformers_version")
OF_CALLERS = ("truncation", "padding")


class Occurrence(NamedTuple):
    """A word's first occurrence in a sentence: the sentence, and the word's first character and the one after it."""

    text: str
    start: int
    end: int


class ContextEncoder:
    """Hidden states of words in sentences.

    Parameters
    ----------
    encoder
        A ``transformers`` name or folder, or a model; None is the offline encoder
        :func:`trustlab.models.offline_encoder`.
    tokenizer
        The fast tokenizer of a model that was given as such.
    layer
        Which hidden state: 0 is the embeddings, −1 the last layer.
    max_tokens
        Longest input in sub-tokens, special ones included; longer sentences are cut around the word. At most what the
        encoder has positions for.
    batch_tokens
        Sub-tokens that go through the encoder at once.

    Raises
    ------
    ValueError
        If the tokenizer is missing or cannot give the positions of its sub-tokens in the text.

    Examples
    --------
    >>> encoder = ContextEncoder()
    >>> found = occurrences(["rose", "bee"], ["A rose.", "The bee saw a rose."])
    >>> {word: vectors.shape for word, vectors in embed_in_context(encoder, found).items()}
    {'rose': (2, 384), 'bee': (1, 384)}
    """

    def __init__(
        self,
        encoder: str | os.PathLike[str] | Any = None,
        tokenizer: Any = None,
        *,
        layer: int = -1,
        max_tokens: int = 128,
        batch_tokens: int = 4096,
    ) -> None:
        if encoder is None or isinstance(encoder, str | os.PathLike):
            encoder, tokenizer = encoder_and_tokenizer(encoder)
        if not getattr(tokenizer, "is_fast", False):
            raise ValueError(
                f"Expected a fast tokenizer, got {type(tokenizer).__name__}. Only those know which sub-token is "
                "where in the text: give the tokenizer after the model, loaded with AutoTokenizer."
            )
        self.model = getattr(encoder, "base_model", encoder)  # without its head, which is not used
        self.tokenizer, self.layer = tokenizer, layer
        self.max_tokens = min(max_tokens, longest_input(self.model, tokenizer))
        self.batch_tokens = batch_tokens

    def embed(self, occurrences: Sequence[Occurrence]) -> np.ndarray:
        """Return the vectors [n, d], float32, of words where they occur."""
        texts = list(dict.fromkeys(occurrence.text for occurrence in occurrences))
        encodings = dict(zip(texts, self._encode(texts), strict=True))
        rows, places = [], []
        for text, start, end in occurrences:
            ids, offsets, special = encodings[text]
            # The last sub-token that shares a character with the word.
            inside = [i for i, (a, b) in enumerate(offsets) if a < end and b > start and not special[i]]
            if not inside:
                raise ValueError(f"Expected a sub-token at characters {start} to {end} of a text, got none there.")
            row, place = _window(ids, special, inside[-1], self.max_tokens)
            rows.append(row)
            places.append(place)
        width = self.model.config.hidden_size
        vectors = np.empty((len(rows), width), np.float32)
        with evaluating(self.model) as device:
            for chosen in batches([len(row) for row in rows], self.batch_tokens):
                vectors[chosen] = self._states([rows[i] for i in chosen], [places[i] for i in chosen], device)
        return vectors

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Return the mean hidden state [n, d], float32, of each text: a sentence encoder for SEAT.

        The mean is over all that the encoder reads, the special tokens at both ends included, as sentence-transformers
        pools, and as the offline encoder was trained. SEAT leaves the pooling to the encoder.

        Raises
        ------
        ValueError
            If a text has no sub-token, or for one text in place of a list.
        """
        texts = as_texts(texts)
        encodings = self._encode(texts)
        empty = [i for i, (_, _, special) in enumerate(encodings) if all(special)]
        if empty:
            raise ValueError(
                f"Expected a sub-token in each of {len(texts)} texts, got none in {len(empty)} (first: text "
                f"{empty[0]}, {texts[empty[0]]!r}). It has no words and so no vector: leave it out."
            )
        rows = [_window(ids, special, 0, self.max_tokens)[0] for ids, _, special in encodings]
        vectors = np.empty((len(rows), self.model.config.hidden_size), np.float32)
        with evaluating(self.model) as device:
            for chosen in batches([len(row) for row in rows], self.batch_tokens):
                batch = padded([rows[i] for i in chosen], self.tokenizer.pad_token_id)
                states = self._hidden(batch, device).float()  # before the mean: half precision would round it
                vectors[chosen] = mean_state(states, batch["attention_mask"].to(device)).cpu().numpy()
        return vectors

    def _encode(self, texts: list[str]) -> list[tuple[list[int], list[tuple[int, int]], list[int]]]:
        found = self.tokenizer(texts, return_offsets_mapping=True, return_special_tokens_mask=True, verbose=False)
        return list(zip(found["input_ids"], found["offset_mapping"], found["special_tokens_mask"], strict=True))

    def _states(self, rows: list[list[int]], places: list[int], device: torch.device) -> np.ndarray:
        import torch

        states = self._hidden(padded(rows, self.tokenizer.pad_token_id), device)
        return states[torch.arange(len(rows)), torch.tensor(places)].float().cpu().numpy()

    def _hidden(self, batch: dict[str, torch.Tensor], device: torch.device) -> torch.Tensor:
        inputs = {name: value.to(device) for name, value in batch.items()}
        return self.model(**inputs, output_hidden_states=True).hidden_states[self.layer]  # [B, T, D]

    def identity(self) -> dict[str, Any]:
        """Return what the vectors depend on besides the sentences: weights, configuration, tokenizer and settings.

        The weights alone are not enough: a model with one attention head has as many as one with eight.
        """
        weights = hashlib.sha256()
        for name, value in sorted(self.model.state_dict().items()):
            weights.update(name.encode())
            weights.update(value.detach().cpu().contiguous().float().numpy().tobytes())
        configuration = self.model.config.to_dict() | {"dtype": str(self.model.dtype)}  # as it is, not as it was saved
        return {
            "weights": weights.hexdigest(),
            "configuration": _digest_without(OF_SAVING, configuration),
            "tokenizer": _digest_without(OF_CALLERS, json.loads(self.tokenizer.backend_tokenizer.to_str())),
            "layer": self.layer,
            "max_tokens": self.max_tokens,
        }


def _digest_without(names: Collection[str], settings: Mapping[str, Any]) -> str:
    return digest(to_json({name: value for name, value in settings.items() if name not in names}))


def _window(ids: list[int], special: list[int], place: int, longest: int) -> tuple[list[int], int]:
    """Cut `ids` to `longest` around `place`, keeping the special tokens at both ends; return them and the new place."""
    first = special.index(0)  # the tokenizer's own tokens in front
    last = len(special) - special[::-1].index(0)
    room = longest - first - (len(ids) - last)
    if last - first <= room:
        return ids, place
    start = min(max(place - room // 2, first), last - room)
    return ids[:first] + ids[start : start + room] + ids[last:], place - start + first


def occurrences(
    words: Iterable[str], sentences: Iterable[str], *, per_word: int = 1000, ignore_case: bool = True, seed: int = 0
) -> dict[str, list[Occurrence]]:
    """Find the sentences that contain each word, as a whole word.

    Parameters
    ----------
    words
        Words or phrases; one that occurs twice counts once. Where one is part of a longer one ("worker" of
        "construction worker"), the longer one has it.
    sentences
        Any texts; read once.
    per_word
        At most so many for each word, drawn at random where there are more.
    ignore_case
        Whether "Rose" is "rose"; then "Bill" is also every "bill", so take False for names in cased text.
    seed
        Of the drawing.

    Examples
    --------
    >>> found = occurrences(["rose", "bee"], ["A rose is a rose.", "Prose!", "Bees", "The bee saw a Rose"])
    >>> [(each.text[each.start:each.end], each.start) for each in found["rose"]], len(found["bee"])
    ([('rose', 2), ('Rose', 14)], 1)
    """
    fold = str.lower if ignore_case else str
    names: dict[str, list[str]] = {}  # two words may differ in case only
    if isinstance(words, set | frozenset):
        words = sorted(words)  # the drawing depends on their order, and a set has another in every process
    words = as_texts(list(words) if isinstance(words, Mapping) else words, "word")
    for word in dict.fromkeys(words):
        names.setdefault(fold(word), []).append(word)
    longest_first = sorted(names, key=len, reverse=True)
    pattern = re.compile(
        rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.IGNORECASE if ignore_case else 0
    )
    found: dict[str, list[Occurrence]] = {word: [] for each in names.values() for word in each}
    refuse_non_columns(sentences, "sentence")
    for row, sentence in enumerate(map(plain, sentences)):
        if not isinstance(sentence, str):
            raise ValueError(f"Expected a sentence in each row, got {type(sentence).__name__} in row {row}.")
        seen = set()
        for match in pattern.finditer(sentence):
            name = fold(match.group())
            if name not in seen:
                seen.add(name)
                for word in names.get(name, []):
                    found[word].append(Occurrence(sentence, match.start(), match.end()))
    rng = np.random.default_rng(seed)
    for word, places in found.items():
        if len(places) > per_word:
            found[word] = [places[i] for i in sorted(rng.choice(len(places), per_word, replace=False))]
    return found


def embed_in_context(
    encoder: ContextEncoder,
    found: Mapping[str, Sequence[Occurrence]],
    *,
    cache: str | os.PathLike[str] | None = None,
) -> dict[str, np.ndarray]:
    """Return every word's vectors, float32 [contexts of the word, d]: what ``ceat`` takes.

    Parameters
    ----------
    encoder
        Where the vectors come from.
    found
        From :func:`occurrences`. A word without any has an array of no rows.
    cache
        Folder in which the vectors are kept, and found by a later call with the same model, tokenizer, settings and
        sentences. The file holds vectors, none of the sentences. Vectors that were changed since they were written are
        computed again, with a warning. None keeps nothing.
    """
    asked = [each for places in found.values() for each in places]
    if cache is None:
        vectors = encoder.embed(asked)
    else:
        vectors = cached_vectors(cache, _key(encoder, found), len(asked), lambda: encoder.embed(asked))
    ends = np.cumsum([len(places) for places in found.values()])
    return dict(zip(found, np.split(vectors, ends[:-1]), strict=True))


def _key(encoder: ContextEncoder, found: Mapping[str, Sequence[Occurrence]]) -> str:
    asked = [[word, [list(each) for each in places]] for word, places in found.items()]
    return digest(to_json({"encoder": encoder.identity(), "asked": asked}))
