"""A model fit to be shipped, attacked: a linear intent head on the frozen encoder of notebook 11.

Sentence embeddings by all-MiniLM-L6-v2 are the inputs; the encoder was trained on public text and is not trained here,
so only the head can remember an utterance. A pool is all the utterances of the corpus, and each training has half of
them, by coins: a seed draws other coins, weights, batches and noise for the same utterances. Options are those of the
search :mod:`.encoder_attack_search` on the embedded corpus.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n12_membership_inference import encoder_attack_search
from trustlab.course.n12_membership_inference.encoder_attack_search import SIZES, HeadTraining, half, head, sentences
from trustlab.course.n12_membership_inference.experiment import BASELINES, answered, trained_and_attacked
from trustlab.course.n12_membership_inference.stacked_training import OPTIONS, TESTED, bags
from trustlab.course.tuning import chosen
from trustlab.lab.saved import read

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "Setting", "grid", "result_name", "run"]
CORPORA = ("snips", "atis")
KEY = ("method", "epsilon", "size", *OPTIONS)
METHODS = tuple(encoder_attack_search.SPACES)


@dataclass(frozen=True)
class Setting(HeadTraining):
    """One stacked training of heads, or a baseline's answers."""

    method: str = option(
        "dp-sgd", label="Method", help="How gradients are made private.", values=(*METHODS, *BASELINES)
    )

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def grid(corpus: str, *, seeds: Sequence[int] = range(5)) -> list[Setting]:
    """Return the settings for `corpus`: each method at every ε over `seeds`, and baselines once."""
    search, _ = read(encoder_attack_search.result_name(EMBEDDED))
    size = SIZES[corpus]
    trained = [
        Setting(corpus, method, epsilon, size, seed, **chosen(search, options=OPTIONS, method=method, epsilon=epsilon))
        for method in METHODS
        for epsilon in encoder_attack_search.EPSILONS[method]
        for seed in seeds
    ]
    nothing: dict[str, Any] = dict(share=1.0, epochs=1, learning_rate=1.0, clip_norm=0.0)
    return trained + [Setting(corpus, name, math.inf, size, seeds[0], **nothing) for name in BASELINES]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"membership_inference_encoder_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train and attack one stack of heads, or let a baseline answer, and yield its one row.

    Yields
    ------
    dict
        The columns of ``key()``, and those of
        :func:`~trustlab.course.n12_membership_inference.experiment.trained_and_attacked`.
    """
    check(setting)
    own = half(corpus, setting.size, setting.seed)
    if setting.method in BASELINES:
        yield {**setting.key(), **answered(setting.method, own, corpus)}
        return
    labels = bags(corpus)["test"][1][:TESTED]
    asked = (sentences(corpus, "test", range(len(labels))), labels)
    yield {**setting.key(), **trained_and_attacked(setting, corpus, own, head(own, setting.seed), asked)}
