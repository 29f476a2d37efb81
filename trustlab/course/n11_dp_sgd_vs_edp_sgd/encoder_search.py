"""The search of settings for heads on the frozen encoder: every method at every ε gets the same number of trials.

Trained on the training split of the embedded corpus, which is synthetic, and scored on its validation split, with a
seed that is not reported. Every method passes over the data ten times. The score counts intents and slots alike. The
batch is a share of the corpus, so that its choice can be carried over to a corpus of another size.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_training import OPTIONS, HeadTraining, measured, trained
from trustlab.course.tuning import Option, Space, trials

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED,)
KEY = ("method", "epsilon", *OPTIONS)
SEEDS = (100,)
BUDGET = 8  # trials for every method and ε: half of the space
# Of the order of trials, chosen before any of them was trained: the first with which every share and every rate occurs,
# at most three times.
ORDER = 1
EPSILONS = {"sgd": (math.inf,), "fast": (1.0, 3.0, 8.0)}
EPOCHS = Option((10,))  # the same number of examples for every method
SPACES: Mapping[str, Space] = {
    "sgd": {
        "share": Option((1 / 128, 1 / 64, 1 / 32, 1 / 16)),
        "epochs": EPOCHS,
        "learning_rate": Option((0.005, 0.01, 0.02, 0.04)),
    },
    "fast": {
        "share": Option((1 / 64, 1 / 32, 1 / 16, 1 / 8)),
        "epochs": EPOCHS,
        "learning_rate": Option((0.01, 0.02, 0.04, 0.08)),
    },
}
# Not searched: at this C about two of three utterances are clipped, and a third of it did no better in a look.
FIXED: Mapping[str, Mapping[str, float | int]] = {
    "sgd": {"clip_norm": 0.0, "micro_batches": 0},
    "fast": {"clip_norm": 1.0, "micro_batches": 0},
}


@dataclass(frozen=True)
class Setting(HeadTraining):
    """One trial of the search."""

    def key(self) -> dict[str, Any]:
        """Return the columns that name this trial in the table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def grid(corpus: str, *, seeds: Sequence[int] = SEEDS) -> list[Setting]:
    """Return the trials of every method at every ε.

    Their seeds are the search's own, which no table reports, whatever `seeds` says.
    """
    return [
        Setting(corpus, method, epsilon, seed, **FIXED[method], **trial)
        for method in SPACES
        for epsilon in EPSILONS[method]
        for trial in trials(SPACES[method], BUDGET, ORDER)
        for seed in SEEDS
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the search is stored in ``data/results``."""
    return f"tuning/dp_sgd_vs_edp_sgd_encoder_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one trial on `corpus` and yield its row: the columns of ``key()``, and what it reached on validation."""
    check(setting)
    model, last = trained(setting, corpus)
    reached = measured(model, corpus, "validation")
    yield {
        **setting.key(),
        "score": (reached["accuracy"] + reached["slot_f1"]) / 2,
        **reached,
        "epsilon_spent": last["epsilon"],
        "clipped": last["clipped"],
        "seconds": last["seconds"],
    }
