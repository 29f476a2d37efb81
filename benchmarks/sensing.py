"""How long prediction sensitivity of a real encoder takes, next to captum's batched saliency and to a forward pass.

``python -m benchmarks sensing``: 32 tokens a sentence through the offline encoder with a head of five classes, on one
thread. A turn does a part of 1,000 sentences, whose seconds are multiplied; methods take turns and are compared by the
processor's time.

Goals, set before the first run: 1,000 sentences in 40 s or less; one class at most 1.1 times captum's saliency and 2.6
times a forward pass; K classes at most a forward pass and K backward passes.

What came (two busy cores, 2026-11-29): 15.3 s of the processor, captum as long, 2.04 times a forward pass; five classes
3.1 times one class, 6.3 forward passes.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.turns import one_thread, store, take_turns
from trustlab.fairness.sensitivity import TextClassifier, accumulated_prediction_sensitivity
from trustlab.lab.display import table
from trustlab.models import SubwordVocabulary, build

NAME = "sensitivity_speed"
SENTENCES, TOKENS, CLASSES = 1_000, 32, 5
PART = 64  # sentences in a turn
OURS, ALL, CAPTUM, FORWARD = "trustlab", "trustlab, five classes", "captum saliency", "a forward pass"


def measure(turns: int = 5, sentences: int = PART) -> Iterator[dict[str, Any]]:
    """Yield a row for each method: seconds for 1,000 sentences, and how many times ours of the same turn."""
    classifier, batch = encoder(), encoded(sentences)
    weights = np.ones((sentences, TOKENS))

    def sensitivity(class_weights: str) -> Any:
        return accumulated_prediction_sensitivity(
            classifier, batch, class_weights=class_weights, token_weights=weights, of="logits"
        )

    methods: dict[str, Callable[[], Any]] = {
        OURS: lambda: sensitivity("predicted"),
        ALL: lambda: sensitivity("uniform"),
        FORWARD: lambda: classifier.logits(batch),
    }
    if (saliency := captums(classifier, batch)) is not None:
        methods[CAPTUM] = saliency
    share = sentences / SENTENCES
    for row in take_turns(methods, turns, shares=dict.fromkeys(methods, share), by_processor=True):
        yield {"what": f"prediction sensitivity of {SENTENCES:,} sentences × {TOKENS} tokens, offline encoder", **row}


def encoder() -> TextClassifier:
    """Return the offline encoder with a head of five classes, whose weights do not matter here."""
    vocabulary = SubwordVocabulary(tuple("abcde"), ("O",))
    return TextClassifier(build("encoder", vocabulary, seed=0).eval(), vocabulary)


def encoded(sentences: int) -> dict[str, torch.Tensor]:
    """Return random tokens without padding."""
    ids = torch.from_numpy(np.random.default_rng(0).integers(1000, 20_000, size=(sentences, TOKENS)))
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def captums(classifier: TextClassifier, batch: dict[str, torch.Tensor]) -> Callable[[], Any] | None:
    """Return captum's saliency of the predicted class, in one batch, by the embeddings' layer; None without captum."""
    try:
        from captum.attr import LayerGradientXActivation  # without the inputs it is the saliency of a layer
    except ImportError:
        return None
    model = classifier.model.eval()
    layer = model.encoder.get_input_embeddings()

    def logits(ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return model(ids, mask)[0]

    attribution = LayerGradientXActivation(logits, layer, multiply_by_inputs=False)
    mask = batch["attention_mask"].bool()
    target = classifier.logits(batch).argmax(1)  # given: finding it would be another forward pass

    def run() -> torch.Tensor:
        found = attribution.attribute(batch["input_ids"], target=target, additional_forward_args=(mask,))
        return found.norm(dim=-1)

    return run


def main(asked: argparse.Namespace) -> None:
    """Run, print, and store where asked to."""
    with one_thread():
        rows = list(measure(asked.repetitions))
        print(table(rows))
        if asked.write:
            print("wrote", store(NAME, rows, [measure], ("captum",), sentences=SENTENCES, part=PART, threads=1))
