"""The search of settings for notebook 12: every method at every ε gets the same number of trials.

Two stacked models are trained on a pool that no table reports, of the middle size, and scored by their accuracy on the
validation split. Nothing is chosen by what leaks. The embedded corpus was invented, so nothing private is read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n12_membership_inference import stacked_training
from trustlab.course.n12_membership_inference.stacked_training import (
    OPTIONS,
    SIZES,
    TESTED,
    Pool,
    Training,
    accuracy,
    bags,
    models,
    pool,
    recipe,
)
from trustlab.course.tuning import FIRST_SEED, Option, Space, trials
from trustlab.privacy.membership.reference_models import Stack, classification_loss, train_together

if TYPE_CHECKING:
    import datasets
    from torch import Tensor

__all__ = ["CORPORA", "KEY", "SPACES", "Setting", "grid", "recipe", "result_name", "run"]
CORPORA = (EMBEDDED,)
KEY = ("method", "epsilon", "size", *OPTIONS)
SEEDS = (FIRST_SEED,)
SIZE, MODELS = SIZES[1], 2
BUDGET = 12  # trials for every method and ε
EPSILONS = {"sgd": (math.inf,), **dict.fromkeys(("dp-sgd", "edp-sgd"), stacked_training.EPSILONS)}
CLIP = 0.1  # nearly every gradient is clipped; Adam cancels the scale, so C is not searched
EPOCHS = Option((20,))  # the same number of examples for every method
RATES = Option((0.003, 0.01, 0.03, 0.1, 0.3, 1.0))
ALL = "every step takes every utterance"
SMALL = "a smaller batch takes longer, and understands as much"
KS = Option(
    (4, 16, 64),
    low_end="one mean of the whole batch, clipped, is SGD's step; without noise it understands as much as SGD",
    high_end="nearly every utterance is alone in its micro-batch: exact clipping, twice the noise",
)
COMMON: Space = {
    "share": Option((0.125, 0.25, 0.5, 1.0), high_end=ALL, low_end=SMALL),
    "epochs": EPOCHS,
    "learning_rate": RATES,
}
SPACES: Mapping[str, Space] = {"sgd": COMMON, "dp-sgd": COMMON, "edp-sgd": {**COMMON, "micro_batches": KS}}
FIXED: Mapping[str, Mapping[str, float | int]] = {
    "sgd": {"clip_norm": 0.0, "micro_batches": 0},
    "dp-sgd": {"clip_norm": CLIP, "micro_batches": 0},
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
        Setting(corpus, method, epsilon, SIZE, seed, **FIXED[method], **trial)
        for method in methods
        for epsilon in EPSILONS[method]
        for trial in trials(SPACES[method], BUDGET)
        for seed in SEEDS
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the search is stored in ``data/results``."""
    return f"tuning/membership_inference_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one trial on `corpus` and yield its row: the columns of ``key()``, and what it reached on validation."""
    check(setting)
    own = pool(corpus, setting.size, setting.seed, MODELS)
    stack = models(own.classes, setting.seed, MODELS)
    words, labels = bags(corpus)["validation"]
    yield {**setting.key(), **tried(setting, own, stack, (words[:TESTED], labels[:TESTED]))}


def tried(setting: Training, own: Pool, stack: Stack, asked: tuple[Tensor, Tensor]) -> dict[str, Any]:
    """Train a stack on its pool and return what a search keeps: its ``score`` is the accuracy on `asked`."""
    *_, last = train_together(stack, classification_loss, own.candidates, own.inside, recipe(setting))
    return {
        "score": accuracy(stack, *asked),
        "loss_in": last["loss_in"],
        "loss_out": last["loss_out"],
        "epsilon_spent": last["epsilon"],
        "seconds": last["seconds"],
    }
