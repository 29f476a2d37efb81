"""Train a tagger with differential privacy on one worker or several; docs/deployment/torchrun.md has the commands."""

from __future__ import annotations

import argparse

from trustlab.batch_tensors import as_tensors
from trustlab.data import load
from trustlab.models import Vocabulary, build
from trustlab.privacy import TrainConfig, train
from trustlab.privacy.distributed import join


def main() -> None:
    """Train, and let worker 0 tell the rows."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--epsilon", type=float, default=8.0)
    options.add_argument("--epochs", type=int, default=5)
    options.add_argument("--batch-size", type=int, default=512)
    options.add_argument("--checkpoint", help="a file that is resumed from, by any number of workers")
    asked = options.parse_args()

    corpus = load("assistant")  # the same on every worker
    vocabulary = Vocabulary.hashed(corpus)  # reads label names only: words cost no ε
    config = TrainConfig(
        method="dp-sgd", epsilon=asked.epsilon, epochs=asked.epochs, batch_size=asked.batch_size, learning_rate=0.016
    )
    with join(timeout=120) as workers:
        data = {}
        for split, examples in vocabulary.encode_corpus(corpus).items():
            tensors, rebuild = as_tensors(examples)
            data[split] = rebuild([tensor.to(workers.device) for tensor in tensors])
        model = build("bilstm", vocabulary).to(workers.device)
        every = 5 if asked.checkpoint else None
        rows = train(model, data, config, workers=workers, checkpoint=asked.checkpoint, checkpoint_every=every)
        for row in rows:
            if workers.rank == 0:
                print(
                    f"{workers.count} workers, step {row['step']}: accuracy {row['accuracy']:.3f} on validation, "
                    f"ε = {row['epsilon']:.2f} spent so far, {row['seconds']:.1f} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
