"""How many bytes the trained tensors of the course's models take, as numbers, in a safetensors file and through Flower.

Run it with ``python -m benchmarks payloads``; it needs the extra ``flower``. ``--write`` stores the table, from which
notebook 25 computes what a deployment needs.

Prediction: names and shapes cost some 200 bytes a tensor, which matters for the linear head alone.

What came (2026-11-29): 72 to 112 bytes a tensor in a file, 180 to 211 through Flower: 0.6 % of the head's numbers.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from torch import nn

from benchmarks.turns import store
from trustlab.data import load
from trustlab.federated.payload import FLOWER, NUMBERS, SAFETENSORS, payload
from trustlab.lab.display import table
from trustlab.models import Vocabulary, build
from trustlab.models.encoder import offline_encoder
from trustlab.models.pretrained import load_encoder

NAME = "payloads"
WIDTH = 384  # of the offline encoder's sentence vectors


def models() -> Iterator[tuple[str, nn.Module]]:
    """Yield the course's models by what a device would train of them."""
    corpus = load("assistant")
    vocabulary = Vocabulary.hashed(corpus)
    yield "linear head on a frozen encoder", nn.Linear(WIDTH, len(vocabulary.intents))
    yield "transformer", build("transformer", vocabulary)
    yield "BiLSTM", build("bilstm", vocabulary)
    yield "the encoder itself (MiniLM)", load_encoder(offline_encoder())


def measure() -> Iterator[dict[str, Any]]:
    """Yield a row for each model."""
    for name, model in models():
        state = dict(model.named_parameters())
        numbers = sum(value.numel() for value in state.values())
        row = {"model": name, "parameters": numbers, "tensors": len(state)}
        yield row | {form: payload(state, form) for form in (NUMBERS, SAFETENSORS, FLOWER)}


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    rows = list(measure())
    print(table(rows))
    if asked.write:
        print("wrote", store(NAME, rows, [payload], ("flwr",)))
