"""The search of settings for notebook 11: every method at every ε gets the same number of trials.

Trained on the training split of the embedded corpus, which was invented, and scored on its validation split, with a
seed that is not reported. Every method passes over the data ten times. The score counts intents and slots alike.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n11_dp_sgd_vs_edp_sgd.one_training import MODEL, OPTIONS, Training, by_length, prepare, recipe
from trustlab.course.tuning import Option, Space, trials
from trustlab.models import build
from trustlab.privacy.training import train

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED,)
KEY = ("method", "epsilon", *OPTIONS)
SEEDS = (100,)
BUDGET = 12  # trials for every method and ε
# Of the order of trials, chosen before any private training: every value of every option occurs, every K twice or more.
ORDER = 8
EPSILONS = {"sgd": (math.inf,), "fast": (1.0, 3.0, 8.0), "edp-sgd": (1.0, 3.0, 8.0)}
# At this C every gradient is clipped, but for those of utterances that are understood without doubt: a smaller C scales
# signal and noise alike, and Adam cancels the scale. So C is not searched.
CLIP = 0.1
COMMON: Space = {
    "batch_size": Option((128, 256, 512, 1024, 2048)),
    "epochs": Option((10,)),  # the same number of examples for every method
    "learning_rate": Option((0.004, 0.008, 0.016, 0.032, 0.064)),
}
KS = Option(
    (16, 64, 256, 1024), high_end="nearly every utterance is alone in its micro-batch: exact clipping, twice the noise"
)
ENOUGH = "99 % of the validation intents are right and the slots nearly so: a smaller batch takes longer for nothing"
SPACES: Mapping[str, Space] = {
    "sgd": {**COMMON, "batch_size": Option(COMMON["batch_size"].values, low_end=ENOUGH)},
    "fast": COMMON,
    "edp-sgd": {**COMMON, "micro_batches": KS},
}
FIXED: Mapping[str, Mapping[str, float | int]] = {
    "sgd": {"clip_norm": 0.0, "micro_batches": 0},
    "fast": {"clip_norm": CLIP, "micro_batches": 0},
    "edp-sgd": {"clip_norm": CLIP},
}


@dataclass(frozen=True)
class Setting(Training):
    """One trial of the search."""

    def key(self) -> dict[str, Any]:
        """Return the columns that name this trial in the table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}


def grid(corpus: str, *, seeds: Sequence[int] = SEEDS, methods: Sequence[str] = tuple(SPACES)) -> list[Setting]:
    """Return the trials of every method at every ε.

    Their seeds are the search's own, which no table reports, whatever `seeds` says.
    """
    return [
        Setting(corpus, method, epsilon, seed, **FIXED[method], **trial)
        for method in methods
        for epsilon in EPSILONS[method]
        for trial in trials(SPACES[method], BUDGET, ORDER)
        for seed in SEEDS
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the search is stored in ``data/results``."""
    return f"tuning/dp_sgd_vs_edp_sgd_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one trial on `corpus` and yield its row: the columns of ``key()``, and what it reached on validation."""
    check(setting)
    vocabulary, data = prepare(corpus)
    model = build(MODEL, vocabulary, seed=setting.seed)
    *_, last = train(model, {"train": by_length(data["train"]), "validation": data["validation"]}, recipe(setting))
    yield {
        **setting.key(),
        "score": (last["accuracy"] + last["slot_f1"]) / 2,
        "accuracy": last["accuracy"],
        "slot_f1": last["slot_f1"],
        "epsilon_spent": last["epsilon"],
        "clipped": last["clipped"],
        "seconds": last["seconds"],
    }
