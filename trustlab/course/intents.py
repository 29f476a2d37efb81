"""The classification of intents that notebooks 21, 22 and 23 share: an embedding bag over hashed words.

It is the smallest model in which what skew, selection and drift do to FedAvg can be seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trustlab.federated.simulation import Task
from trustlab.models import Examples, Vocabulary
from trustlab.models.taggers import masked_mean

if TYPE_CHECKING:
    import datasets

BUCKETS, WIDTH = 2048, 32


class Bag(nn.Module):
    """Embedding-bag classifier: the mean of an utterance's word embeddings, and one linear layer to the intents."""

    def __init__(self, words: int, intents: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, WIDTH, padding_idx=0)
        self.out = nn.Linear(WIDTH, intents)

    def forward(self, batch: Examples) -> Tensor:
        """Return the intents' logits [B, intents]."""
        return self.out(masked_mean(self.embedding(batch.input_ids), batch.attention_mask))


def prepare(corpus: datasets.DatasetDict) -> dict[str, Examples]:
    """Return every split, its words hashed: no client has to reveal its words."""
    return Vocabulary.hashed(corpus, buckets=BUCKETS).encode_corpus(corpus)


def task(data: dict[str, Examples], *, seed: int = 0) -> Task:
    """Return the learning problem on what :func:`prepare` returned, its model with the first weights of `seed`.

    Examples
    --------
    >>> from trustlab.data import assistant
    >>> problem = task(prepare(assistant(400)), seed=0)
    >>> sorted(problem.evaluate(problem.model, problem.test))
    ['accuracy']
    """
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = Bag(BUCKETS + 1, len(data["train"].intent_names))
    return Task(model, data["train"], data["test"], intent_loss, accuracy)


def intent_loss(model: nn.Module, batch: Examples) -> Tensor:
    """Return the cross-entropy of each example's intent [B]."""
    return F.cross_entropy(model(batch), batch.intents, reduction="none")


@torch.no_grad()
def intents_right(model: nn.Module, examples: Examples) -> Tensor:
    """Return which intents are right, bool [N]."""
    return model(examples).argmax(-1) == examples.intents


def accuracy(model: nn.Module, examples: Examples) -> dict[str, float]:
    """Return the share of the intents that are right, as ``{"accuracy": ...}``."""
    return {"accuracy": float(intents_right(model, examples).float().mean())}
