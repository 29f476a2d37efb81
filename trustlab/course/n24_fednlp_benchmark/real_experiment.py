"""The experiment of notebook 24 on real corpora: heads on a frozen encoder, each method with its own rates.

One setting is one training, or one trivial baseline on the same test examples. Thirty clients, or the owners that a
corpus names, are drawn a third at a time for thirty rounds: ten passes over the data, as many as all data in one place
make. Rates come out of the committed search (:mod:`trustlab.course.n24_fednlp_benchmark.real_tuning`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.course.n24_fednlp_benchmark.real_baselines import BASELINES, baseline
from trustlab.course.n24_fednlp_benchmark.real_data import COMMITTED, REAL, divided
from trustlab.course.n24_fednlp_benchmark.real_training import ALGORITHMS, Training, places, trained
from trustlab.course.n24_fednlp_benchmark.real_tuning import rates

if TYPE_CHECKING:
    import datasets

CORPORA = COMMITTED
KEY = ("task", "model", "algorithm", "partition")  # with the seed: one row
HEAD, NO_MODEL = "head on a frozen encoder", "baseline"
ALL_BASELINES = tuple(dict.fromkeys(name for each in BASELINES.values() for name in each))


@dataclass(frozen=True)
class Setting(Training):
    """One training, or one baseline."""

    algorithm: str = option(
        "fedavg",
        label="Algorithm",
        help="FedAvg, FedAdam, all data in one place, or a trivial baseline.",
        values=(*ALGORITHMS, *ALL_BASELINES),
    )

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        model = HEAD if self.algorithm in ALGORITHMS else NO_MODEL
        names = dict(corpus=self.corpus, task=REAL[self.corpus][0], model=model, algorithm=self.algorithm)
        return {**names, "partition": self.partition, "seed": self.seed}


def grid(corpus: str, *, seeds: Sequence[int] = range(5)) -> list[Setting]:
    """Return the settings for `corpus`, with the rates that the search chose; baselines have none, and no seed.

    XQuAD asks other questions for each seed, so that there the baselines have all of them.
    """
    found = [
        Setting(corpus, algorithm, division, seed, **rates(corpus, algorithm, division))
        for algorithm, division in places(corpus)
        for seed in seeds
    ]
    asked = seeds if corpus == "xquad" else seeds[:1]
    return found + [Setting(corpus, name, "none", seed) for name in BASELINES[REAL[corpus][0]] for seed in asked]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"fednlp_benchmark_real_{corpus}"


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``task``, ``model``, ``algorithm``, ``partition`` and ``seed``; ``rate`` and ``server_rate``; on the
        test examples ``score``, the family's metric, and ``exact``; ``curve``, the scores measured on the way, joined
        by "|"; ``clients`` and ``js_distance`` of the partition; ``train`` and ``test``, how many examples; ``passes``
        over the data; ``megabytes`` sent by clients, all rounds together; ``seconds`` of the training. Baselines have
        zeros where they have no such thing.
    """
    check(setting)
    data = divided(setting.corpus, corpus, setting.seed, tuning=False)
    if setting.algorithm in ALGORITHMS:
        yield setting.key() | trained(setting, data)
        return
    measured = baseline(setting.algorithm, REAL[setting.corpus][0], data)
    none = dict.fromkeys(("clients", "js_distance", "passes", "megabytes", "seconds"), 0.0)
    sizes = {"train": len(data.train), "test": len(data.test)}
    found = {"rate": 0.0, "server_rate": 0.0, **measured, "curve": f"{measured['score']:.4f}", **none, **sizes}
    yield setting.key() | found
