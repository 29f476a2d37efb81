"""How long it takes to continue texts: ours in batches, ``transformers``' ``generate`` one by one and in a batch.

``python -m benchmarks continuing`` prints one table, and with ``--write`` stores it. All continue the same openings by
20 tokens with top-p 0.9 and keep keys and values of earlier tokens. The model has SmolLM2's shape and random weights,
large enough that few words are likely, as after training: where all are alike a nucleus is most of the vocabulary. One
by one, ``generate`` does four of the 64 openings in a turn. Compared is the processor's time on one thread.

Predictions, written before the first run of this file:

- One by one every token reads all weights for itself: five times as long as ours or more.
- ``generate`` in a batch of 64 is as fast as ours, from 0.8 to 1.5 times: ours is there for its random numbers.

What came (a busy machine, 2026-11-29): one by one 9.1 times as long as ours (95 % 8.5 to 9.8); in a batch 1.7 times
(1.6 to 1.9), more than predicted: it sorts the whole vocabulary. The very first run had weights of 0.02: all words
alike, a nucleus of most of the vocabulary, and then it was 4.4 and 0.8 times.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch

from benchmarks.turns import load, one_thread, store, take_turns
from trustlab.lab.display import table
from trustlab.models.continuation import continuations
from trustlab.models.smollm2 import SHAPE

NAME = "continuation_speed"
PROMPTS, SHORTEST, LONGEST, TOKENS, TOP_P = 64, 6, 14, 20, 0.9
SPREAD = 0.2  # standard deviation of the weights
ALONE = 4  # openings that are continued one by one in a turn
OURS, ONE_BY_ONE, BATCH = "trustlab", "generate, one by one", "generate, one batch"


def measure(repetitions: int = 3, **shape: int) -> Iterator[dict[str, Any]]:
    """Yield one row per method, with the tokens it writes a second; `shape` replaces parts of SmolLM2's."""
    model, prompts = made(**shape)
    methods: dict[str, Callable[[], Any]] = {
        OURS: lambda: continuations(model, prompts, tokens=TOKENS, top_p=TOP_P, batch=PROMPTS),
        ONE_BY_ONE: lambda: [generated(model, [prompt]) for prompt in prompts[:ALONE]],
        BATCH: lambda: generated(model, prompts),
    }
    with one_thread():
        for row in take_turns(methods, repetitions, shares={ONE_BY_ONE: ALONE / PROMPTS}, by_processor=True):
            yield {**row, "tokens a CPU second": PROMPTS * TOKENS / row["CPU seconds"], "load": load()}


def made(**shape: int) -> tuple[Any, list[list[int]]]:
    """Return a model with random weights, and openings of unlike lengths."""
    from transformers import LlamaConfig, LlamaForCausalLM

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlamaForCausalLM(LlamaConfig(**{**SHAPE, "initializer_range": SPREAD, **shape})).eval()
    rng = np.random.default_rng(0)
    lengths = rng.integers(SHORTEST, LONGEST + 1, PROMPTS)
    return model, [rng.integers(3, model.config.vocab_size, length).tolist() for length in lengths]


def generated(model: Any, prompts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return what ``generate`` writes after the prompts, padded on the left; every text has as many tokens."""
    width = max(map(len, prompts))
    ids = torch.tensor([[0] * (width - len(prompt)) + list(prompt) for prompt in prompts])
    mask = torch.tensor([[0] * (width - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    how = dict(max_new_tokens=TOKENS, min_new_tokens=TOKENS, do_sample=True, top_p=TOP_P, top_k=0, pad_token_id=0)
    with torch.no_grad():
        return model.generate(ids, attention_mask=mask, **how)[:, width:].tolist()


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    rows = list(measure())
    print(table(rows))
    if asked.write:
        print("wrote", store(NAME, rows, [measure], ["transformers"]))
