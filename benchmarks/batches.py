"""How long one private step takes by each method as the batch grows: the seconds of notebook 11's figure.

The BiLSTM on utterances of 16 tokens, one thread, as its trainings are computed: 256 utterances at once. eDP-SGD is
timed both ways, by a backward pass for each micro-batch and by all of them in one. Opacus takes a whole batch at once.
Seconds are the processor's, not the clock's, so that other work on the machine does not count.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.cases import Case
from trustlab.data import fingerprint, load
from trustlab.lab.display import table
from trustlab.privacy.timing import seconds_per_step
from trustlab.runs import provenance, write_results

NAME = "private_batch_time"
BATCHES = (128, 256, 512, 1024, 2048)
KS = (16, 64, 256, 1024)
TOKENS, AT_ONCE = 16, 256
PATIENCE = 2.0  # seconds that one method may take in one case, beyond which it has fewer rounds


def main(asked: argparse.Namespace) -> None:
    """Print the table, and store it if asked."""
    rows = list(measure(asked.repetitions))
    print(table(rows))
    if asked.write:
        import torch

        config = {"repetitions": asked.repetitions, "patience": PATIENCE, "threads": torch.get_num_threads()}
        config |= {"model": "bilstm", "tokens": TOKENS, "at once": AT_ONCE, "clock": "of the process"}
        about = provenance(config, data_hash=fingerprint(load("assistant")), code=measure)
        print("wrote", write_results(NAME, rows, about).name)


def measure(repetitions: int) -> Iterator[dict[str, Any]]:
    """Yield a row for each batch and method, on one thread."""
    import torch

    torch.set_num_threads(1)
    for batch in BATCHES:
        print(f"batch {batch}", file=sys.stderr, flush=True)
        model, loss, examples = Case("bilstm", batch, TOKENS).build()
        options = dict(micro_batches=KS, passes=KS, opacus=("ghost",), physical_batch=AT_ONCE)
        timed = dict(repetitions=repetitions, patience=PATIENCE, clock=time.process_time)
        for row in seconds_per_step(model, examples, per_example_loss=loss, **options, **timed):
            yield {"batch": batch, **row}
