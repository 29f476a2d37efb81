"""How long one training step takes by each method, as a ratio to plain SGD on the same model and batch.

Predictions, written before the first run: the textbook loop costs about as many times SGD as an utterance costs more
alone than in its batch; micro-batches cost one call's overhead each, so that K = 4 stays below twice SGD and K = 64
comes near the loop; Opacus' hooks pay for per-example gradients in memory and not in calls.

What came on two CPU cores (data/results/private_step_time.csv): K = 4 stays below twice SGD on all three models, as
predicted. K = 64 costs the loop's price on the BiLSTM, but half of it on the transformer, whose fewer calls leave more
arithmetic to share. Missed: Opacus' hooks are no quicker than the loop on the BiLSTM (its LSTM is a loop over time
steps in Python) and on the encoder (per-example gradients of 22 million weights are 32 times 90 MB to write and read).
"""

import os
from collections.abc import Iterator
from typing import Any

import torch

from trustlab.data import load
from trustlab.models import SubwordVocabulary, Vocabulary, build
from trustlab.privacy.timing import seconds_per_step

MACHINE = {"cores": os.cpu_count(), "threads": torch.get_num_threads(), "device": "cpu"}
BATCH_SIZES = {"bilstm": 128, "transformer": 128, "encoder": 32}


def measure(repetitions: int) -> Iterator[dict[str, Any]]:
    """Yield one row per model and method."""
    corpus = load("assistant")
    for kind, batch_size in BATCH_SIZES.items():
        vocabulary = (SubwordVocabulary.from_corpus if kind == "encoder" else Vocabulary.hashed)(corpus)
        batch = vocabulary.encode(corpus["train"].select(range(batch_size)))
        ks = (4, 16) if kind == "encoder" else (4, 16, 64)
        model = build(kind, vocabulary)
        for row in seconds_per_step(model, batch, micro_batches=ks, repetitions=repetitions, opacus=True):
            yield {"model": kind, "batch": batch_size, **row}
