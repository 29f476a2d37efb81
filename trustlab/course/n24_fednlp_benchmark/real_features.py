"""What the frozen encoder reads off real texts: one vector per text, or one per word; computed once and kept.

The encoder's weights never move, so its states are the same in every round, for every client and every seed. A real
client would compute those of its own texts once and train a head on them; here they are kept in the cache folder. Half
the usual precision (bfloat16) makes the computing three times as fast; heads are trained in single precision.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.data.fetching import cache_directory
from trustlab.durable import digest, to_json
from trustlab.fairness.vector_cache import cached_vectors

if TYPE_CHECKING:
    import torch

LENGTH, PIECES = 128, 2  # sub-tokens of a piece, and pieces of a text: what is behind them is not read
LONGEST = 512  # sub-tokens of a question and its paragraph, as many as the encoder has positions
AT_ONCE = 2**13  # sub-tokens in one forward


@functools.lru_cache(maxsize=2)
def text_vectors(texts: tuple[str, ...], *, pieces: int = PIECES) -> np.ndarray:
    """Return the mean state of each text float32 [n, 384], scaled to length √384: components of size 1.

    Parameters
    ----------
    texts
        Read in up to `pieces` pieces of 128 sub-tokens each; the mean is over the sub-tokens of all.
    """
    return _kept(["text", pieces, list(texts)], len(texts), lambda: _text_vectors(texts, pieces))


def _text_vectors(texts: Sequence[str], pieces: int) -> np.ndarray:
    _, tokenizer = _encoder()
    ids = tokenizer(list(texts), truncation=True, max_length=2 + pieces * (LENGTH - 2))["input_ids"]
    start, stop = tokenizer.cls_token_id, tokenizer.sep_token_id
    cut = [(i, [start, *part, stop]) for i, row in enumerate(ids) for part in _parts(row[1:-1], LENGTH - 2)]
    sums = np.zeros((len(texts), 384), dtype=np.float32)
    for places, states, lengths in _forward([row for _, row in cut], layers=(-1,)):
        for place, state, length in zip(places, states, lengths, strict=True):
            sums[cut[place][0]] += state[:length].sum(0).numpy()
    return sums * np.sqrt(384) / np.linalg.norm(sums, axis=1, keepdims=True)


def _parts(ids: Sequence[int], length: int) -> list[Sequence[int]]:
    return [ids[start : start + length] for start in range(0, max(len(ids), 1), length)]


@functools.lru_cache(maxsize=1)
def word_states(
    texts: tuple[tuple[str, ...], ...], *, layers: tuple[int, ...], before: tuple[tuple[str, ...], ...] | None = None
) -> np.ndarray:
    """Return the states of the words of all texts, one text after the other, float16 [words, 384 · layers].

    A word's state is the mean over its sub-tokens, each layer's scaled to length √384; zero where the encoder does not
    read so far.

    Parameters
    ----------
    texts
        Lists of words.
    layers
        Which hidden states are put next to each other: 0 are the embeddings, 6 the last.
    before
        What is read in front of each text, its question, in words.
    """
    words = sum(map(len, texts))
    about = ["words", list(layers), [list(text) for text in texts], [list(text) for text in before or ()]]
    return _kept(about, words, lambda: _word_states(texts, layers, before))


def _word_states(
    texts: Sequence[Sequence[str]], layers: tuple[int, ...], before: Sequence[Sequence[str]] | None
) -> np.ndarray:
    _, tokenizer = _encoder()
    usual = dict(is_split_into_words=True, max_length=LONGEST)
    given = [list(map(list, texts))] if before is None else [list(map(list, before)), list(map(list, texts))]
    encoded = tokenizer(*given, truncation=True if before is None else "only_second", **usual)
    own = 0 if before is None else 1
    starts = np.cumsum([0, *map(len, texts)])
    found = np.zeros((starts[-1], 384 * len(layers)), dtype=np.float16)
    kinds = None if before is None else encoded["token_type_ids"]
    for places, states, _ in _forward(encoded["input_ids"], layers=layers, kinds=kinds):
        for place, state in zip(places, states.numpy(), strict=True):
            words, sides = encoded.word_ids(place), encoded.sequence_ids(place)
            mine = [t for t, side in enumerate(sides) if side == own and words[t] is not None]
            sums = np.zeros((len(texts[place]), len(layers), 384), dtype=np.float32)
            np.add.at(sums, [words[t] for t in mine], state[mine].reshape(len(mine), len(layers), 384))
            lengths = np.linalg.norm(sums, axis=-1, keepdims=True)
            scaled = sums * np.sqrt(384) / np.maximum(lengths, 1e-9)  # the direction of the sum is that of the mean
            found[starts[place] : starts[place + 1]] = scaled.reshape(len(scaled), -1)
    return found


def _forward(
    rows: Sequence[Sequence[int]], *, layers: tuple[int, ...], kinds: Sequence[Sequence[int]] | None = None
) -> Iterator[tuple[list[int], torch.Tensor, list[int]]]:
    """Yield batches of texts of similar length: their places, states float32 [b, T, D · layers], and their lengths."""
    import torch

    model, tokenizer = _encoder()
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    while order:
        longest = len(rows[order[-1]])
        places, order = order[-max(1, AT_ONCE // longest) :], order[: -max(1, AT_ONCE // longest)]
        lengths = [len(rows[i]) for i in places]
        batch = tokenizer.pad({"input_ids": [rows[i] for i in places]}, return_tensors="pt")
        if kinds is not None:
            padded = [[*kinds[i], *[0] * (longest - len(kinds[i]))] for i in places]
            batch["token_type_ids"] = torch.tensor(padded)
        with torch.inference_mode():
            states = model(**batch, output_hidden_states=True).hidden_states
        yield places, torch.cat([states[layer].float() for layer in layers], dim=-1), lengths


def _encoder() -> tuple[Any, Any]:
    import torch

    from trustlab.models.pretrained import encoder_and_tokenizer

    model, tokenizer = encoder_and_tokenizer(None)
    return model.eval().to(torch.bfloat16), tokenizer


def _kept(about: list[Any], rows: int, compute: Callable[[], np.ndarray]) -> np.ndarray:
    from trustlab.models.encoder import MINILM_SHA256

    key = digest(to_json([MINILM_SHA256, "bfloat16", *about]))[:32]
    return cached_vectors(cache_directory() / "states", key, rows, compute)
