"""Guessing the next character of Shakespeare's lines, which notebooks 22 and 23 share: one small transformer.

The alphabet is fixed beforehand, so that nothing is learned from whoever uses which sign.
"""

from __future__ import annotations

import string
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from trustlab.federated.simulation import Task
from trustlab.models import Examples, LanguageModel, Vocabulary, next_token_loss

if TYPE_CHECKING:
    import datasets

ALPHABET = tuple(" '" + string.ascii_lowercase + ",.;:!?-&()[]")
LINE, AT_ONCE = 48, 256  # characters kept of a line; lines guessed at a time (more are slower)


def task(corpus: datasets.DatasetDict, seed: int = 0) -> Task:
    """Return the learning problem, lines cut to :data:`LINE` lower-case characters; first weights of `seed`."""
    alphabet = Vocabulary(intents=("",), slots=("O",), words=ALPHABET, max_length=LINE)
    data = {}
    for split in ("train", "test"):
        lines = [text.lower().ljust(2)[:LINE] for text in corpus[split]["text"]]  # one character leaves none to guess
        data[split] = alphabet.encode([{"tokens": list(x), "slots": ["O"] * len(x), "intent": ""} for x in lines])
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        model = LanguageModel(alphabet.size, width=32, heads=2, layers=1, max_length=LINE)
    return Task(model, data["train"], data["test"], next_token_loss, accuracy)


@torch.no_grad()
def characters_right(model: nn.Module, examples: Examples) -> tuple[np.ndarray, np.ndarray]:
    """Return of each line how many next characters are guessed, and how many there are: float64 [N] each."""
    right, asked = [], []
    for start in range(0, len(examples), AT_ONCE):
        part = examples[start : start + AT_ONCE]
        known = part.attention_mask[:, 1:]
        guessed = model(part.input_ids, part.attention_mask)[:, :-1].argmax(-1)
        right.append(((guessed == part.input_ids[:, 1:]) & known).sum(1))
        asked.append(known.sum(1))
    return torch.cat(right).double().numpy(), torch.cat(asked).double().numpy()


def accuracy(model: nn.Module, examples: Examples) -> dict[str, float]:
    """Return the share of all next characters that is guessed, as ``{"accuracy": ...}``."""
    right, asked = characters_right(model, examples)
    return {"accuracy": float(right.sum() / asked.sum())}
