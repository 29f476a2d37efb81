"""The search for the learning rate of each model of :mod:`.level_experiment`, on validation data.

Every trial is a whole training with a seed that is not reported; its score is that of its best epoch, the mean of
intent accuracy and slot F1 on the corpus' own validation split.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check
from trustlab.course.n11_dp_sgd_vs_edp_sgd import level_experiment
from trustlab.course.n11_dp_sgd_vs_edp_sgd.level_experiment import (
    BILSTM,
    CORPORA,
    SEARCH,
    models,
    prepare,
    recipe,
)
from trustlab.course.tuning import Option, Space, search_seeds
from trustlab.models.fitting import fit

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "SPACES", "Setting", "grid", "recipe", "result_name", "run"]
SPACES: Mapping[str, Space] = {
    BILSTM: {"learning_rate": Option((2e-3, 5e-3, 1.2e-2, 3e-2))},
}
KEY = ("method", "learning_rate")  # with the seed: one row


@dataclass(frozen=True)
class Setting(level_experiment.Setting):
    """One trial."""

    def key(self) -> dict[str, Any]:
        """Return the columns that name this trial in a table."""
        return {"corpus": self.corpus, "method": self.method, "learning_rate": self.learning_rate, "seed": self.seed}


def grid(corpus: str, *, seeds: Sequence[int] = range(1)) -> list[Setting]:
    """Return the trials; `seeds` are those of a search."""
    return [
        Setting(corpus, method, seed, rate)
        for method in models(corpus)
        for rate in SPACES[method]["learning_rate"].values
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
        ``corpus``, ``method``, ``learning_rate`` and ``seed``; of the best epoch ``score``, the mean of ``accuracy``
        and ``slot_f1`` on the validation split, and which it was, ``best_epoch``; ``seconds``.
    """
    check(setting)
    yield {**setting.key(), **best_pass(fit(*prepare(setting, corpus), recipe(setting)))}


def best_pass(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Return what a training reached on the validation split in its best pass, which it was, and its ``seconds``.

    Parameters
    ----------
    rows
        Of :func:`trustlab.models.fitting.fit`.
    """
    passes = list(rows)
    best = max(passes, key=lambda row: row["score"])
    found = {name: best[name] for name in ("score", "accuracy", "slot_f1")}
    return {**found, "best_epoch": best["epoch"], "seconds": passes[-1]["seconds"]}
