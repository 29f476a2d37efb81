"""The search for the learning rate of each method of :mod:`.layers_experiment`, on validation data.

Every trial is a whole training with a seed that is not reported; its score is that of its best pass, the mean of intent
accuracy and slot F1 on the corpus' own validation split.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check
from trustlab.course.n11_dp_sgd_vs_edp_sgd import layers_experiment
from trustlab.course.n11_dp_sgd_vs_edp_sgd.layers_experiment import (
    CORPORA,
    HEADS,
    LAYER,
    SEARCH,
    prepare,
    recipe,
)
from trustlab.course.n11_dp_sgd_vs_edp_sgd.level_search import best_pass
from trustlab.course.tuning import Option, Space, search_seeds
from trustlab.models.fitting import fit

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "SPACES", "Setting", "grid", "recipe", "result_name", "run"]
SPACES: Mapping[str, Space] = {
    HEADS: {"learning_rate": Option((1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2, 6.4e-2))},
    LAYER: {"learning_rate": Option((1.25e-4, 2.5e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3))},
}
KEY = ("method", "learning_rate")  # with the seed: one row


@dataclass(frozen=True)
class Setting(layers_experiment.Setting):
    """One trial."""

    def key(self) -> dict[str, Any]:
        """Return the columns that name this trial in a table."""
        return {"corpus": self.corpus, "method": self.method, "learning_rate": self.learning_rate, "seed": self.seed}


def grid(corpus: str, *, seeds: Sequence[int] = range(1)) -> list[Setting]:
    """Return the trials; `seeds` are those of a search."""
    return [
        Setting(corpus, method, seed, rate)
        for method, space in SPACES.items()
        for rate in space["learning_rate"].values
        for seed in search_seeds(seeds)
    ]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return SEARCH.format(corpus)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one trial on `corpus` and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``method``, ``learning_rate`` and ``seed``; of the best pass ``score``, the mean of ``accuracy`` and
        ``slot_f1`` on the validation split, and which it was, ``best_epoch``; ``seconds``.
    """
    check(setting)
    yield {**setting.key(), **best_pass(fit(*prepare(setting, corpus), recipe(setting)))}
