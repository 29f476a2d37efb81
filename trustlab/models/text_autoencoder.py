"""A text through a vector of few numbers and back: a recurrent encoder and decoder, trained to repeat what they read.

The vector is shortened to a length of at most 1, in training too, so that noise can be scaled to how large it can be.
B texts, T tokens, V words, D width, Z latent dimensions.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.config import check, option
from trustlab.models.fitting import FitOptions, one_pass
from trustlab.models.utterances import word_list
from trustlab.models.vocabulary import IGNORE, PADDING, UNKNOWN

STOP, FIRST = 2, 3  # ids: padding, unknown, stop, and then the words


class TextAutoencoder(nn.Module):
    """Reads a text into a vector [Z] of length at most 1, and says a text for any vector.

    Parameters
    ----------
    words
        Those that it can say. A word outside them is read as unknown, and never said.
    latent, width
        Z and D.
    longest
        Texts are cut to this many words.

    Examples
    --------
    >>> model = TextAutoencoder(["play", "jazz"], latent=4, width=8)
    >>> model.vectors([["play", "jazz"], ["play"]]).shape
    (2, 4)
    """

    def __init__(self, words: Sequence[str], *, latent: int = 32, width: int = 96, longest: int = 24) -> None:
        super().__init__()
        self.words, self.longest = tuple(word_list(words, "words")), longest
        self.index = {word: i for i, word in enumerate(self.words, start=FIRST)}
        self.embedding = nn.Embedding(len(self.words) + FIRST, width, padding_idx=PADDING)
        self.reader = nn.GRU(width, width, batch_first=True)
        self.latent, self.begin = nn.Linear(width, latent), nn.Linear(latent, width)
        self.speaker = nn.GRU(width + latent, width, batch_first=True)
        self.scores = nn.Linear(width, len(self.words) + FIRST)

    def ids(self, texts: Sequence[Sequence[str]]) -> Tensor:
        """Return word ids [B, T], each text with a stop at its end, padded."""
        rows = [[self.index.get(word, UNKNOWN) for word in text[: self.longest]] + [STOP] for text in texts]
        padded = [row + [PADDING] * (max(map(len, rows)) - len(row)) for row in rows]
        return torch.tensor(padded, dtype=torch.long)

    def read(self, ids: Tensor) -> Tensor:
        """Return vectors [B, Z] of texts [B, T], shortened to a length of at most 1."""
        states, _ = self.reader(self.embedding(ids))  # [B, T, D]
        last = states[torch.arange(len(ids)), (ids != PADDING).sum(1) - 1]
        vectors = self.latent(last)
        return vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1)

    def forward(self, ids: Tensor, vectors: Tensor) -> Tensor:
        """Return the loss [B] of saying `ids` for `vectors`: the mean cross entropy of its words that can be said."""
        said = F.pad(ids, (1, 0), value=PADDING)[:, :-1]
        each = vectors[:, None].expand(-1, ids.shape[1], -1)
        states, _ = self.speaker(torch.cat([self.embedding(said), each], dim=2), self.begin(vectors).tanh()[None])
        targets = ids.masked_fill((ids == PADDING) | (ids == UNKNOWN), IGNORE)
        losses = F.cross_entropy(self.scores(states).transpose(1, 2), targets, reduction="none", ignore_index=IGNORE)
        return losses.sum(1) / (targets != IGNORE).sum(1)

    @torch.no_grad()
    def vectors(self, texts: Sequence[Sequence[str]]) -> np.ndarray:
        """Return the vector of each text, float64 [n, Z]."""
        return self.read(self.ids(texts)).double().numpy()

    @torch.no_grad()
    def say(self, vectors: np.ndarray) -> list[list[str]]:
        """Return for each vector [n, Z] the most probable word after the most probable ones, up to the stop."""
        given = torch.from_numpy(np.asarray(vectors)).float()
        state, token = self.begin(given).tanh()[None], torch.full((len(given), 1), PADDING)
        said = []
        for _ in range(self.longest + 1):
            states, state = self.speaker(torch.cat([self.embedding(token), given[:, None]], dim=2), state)
            token = self.scores(states)[..., STOP:].argmax(-1) + STOP  # neither padding nor unknown
            said.append(token)
        rows = torch.cat(said, dim=1).tolist()
        ended = [row[: row.index(STOP)] if STOP in row else row[: self.longest] for row in rows]
        return [[self.words[i - FIRST] for i in row] for row in ended]


@dataclass(frozen=True)
class RepeatOptions(FitOptions):
    """Options of :func:`learn_to_repeat`."""

    epochs: int = option(20, label="Epochs", help="Passes over the texts.", low=1)
    noise: float = option(0.0, label="Noise", help="σ on each latent number in training.", low=0)


def learn_to_repeat(
    texts: Sequence[Sequence[str]], options: RepeatOptions, *, most: int = 2000, **sizes: Any
) -> Iterator[dict[str, Any]]:
    """Train a :class:`TextAutoencoder` on public `texts`; yield a row after each epoch, the last with the ``model``.

    Parameters
    ----------
    most
        How many of their most frequent words it can say.
    sizes
        ``latent``, ``width``, ``longest``.

    Yields
    ------
    dict
        ``epoch``, ``loss`` and ``seconds`` so far; ``model``.

    Raises
    ------
    ValueError
        Without texts or words, before anything is trained.
    """
    check(options)
    counts = Counter(word for i, text in enumerate(texts) for word in word_list(text, f"text {i}"))
    if not counts or most < 1:
        raise ValueError(
            f"Expected at least one public text with a word, and most={most} >= 1. Else there is nothing to repeat."
        )
    started = time.perf_counter()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        model = TextAutoencoder([word for word, _ in counts.most_common(most)], **sizes)
        optimizer = torch.optim.Adam(model.parameters(), lr=options.learning_rate)
        state = torch.get_rng_state()
    ids = model.ids(texts)
    lengths = (ids != PADDING).sum(1)
    steps = options.epochs * -(-len(ids) // options.batch_size)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)

    def loss_of(index: Tensor) -> Tensor:
        batch = ids[index, : int(lengths[index].max())]
        vectors = model.read(batch)
        return model(batch, vectors + options.noise * torch.randn_like(vectors)).mean()

    for epoch in range(1, options.epochs + 1):
        state, loss = one_pass(model, lengths, loss_of, options.batch_size, optimizer, schedule, state)
        yield {"epoch": epoch, "loss": loss, "seconds": time.perf_counter() - started, "model": model}
