"""What notebook 24 claims of real corpora, read off their committed tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trustlab.course.n24_fednlp_benchmark.real_baselines import BASELINES
from trustlab.course.n24_fednlp_benchmark.real_experiment import CORPORA, result_name
from trustlab.course.n24_fednlp_benchmark.real_training import CENTRALISED
from trustlab.course.n24_fednlp_benchmark.real_tuning import BUDGET
from trustlab.lab.saved import CORPUS_NAMES, is_saved, select
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

# The level that we set ourselves before the search: which measure, and what it has to reach with all data in one place.
LEVELS: Mapping[str, tuple[str, str, float]] = {
    "20newsgroups": ("score", "accuracy", 0.60),
    "clinc150": ("score", "in-scope accuracy", 0.85),
    "wnut17": ("score", "entity F1", 0.30),
    "xquad": ("exact", "exact match", 0.30),
}
FINER = "a search on as many examples as here: long server steps did not carry over from fewer"
SETUP = f"head on a frozen encoder, 10 passes, each method and partition tuned with {BUDGET} trials"


def claims_on_real_corpora(read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, of every real corpus whose table is there."""
    return [row for corpus in CORPORA if is_saved(result_name(corpus)) for row in claims_of_corpus(corpus, read)]


def claims_of_corpus(corpus: str, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the level that a corpus reaches, and claims (a) to (c) on it."""
    table, name = read(result_name(corpus))[0], CORPUS_NAMES[corpus]
    measure, metric, bar = LEVELS[corpus]
    alone = by_seed(table, CENTRALISED, "none", measure)
    even, skewed, adaptive = (
        by_seed(table, *where) for where in (("fedavg", "uniform"), ("fedavg", "label"), ("fedadam", "label"))
    )
    fleet = {"above": 0, "setup": SETUP}
    return [
        {"claim": f"(Level) {name}: all data in one place reach {metric} {bar:g}", "values": alone, "above": bar,
         "setup": SETUP},
        {"claim": f"(a) {name}: FedAvg loses by label skew (uniform minus label, α = 0.1)",
         "values": minus(even, skewed), **fleet, "unless": f"a larger α, or {FINER}"},
        {"claim": f"(b) {name}: training in one place beats FedAvg without skew, at equal passes",
         "values": minus(by_seed(table, CENTRALISED, "none"), even), **fleet, "unless": f"more rounds, or {FINER}"},
        {"claim": f"(c) {name}: an adaptive server helps under label skew (FedAdam minus FedAvg)",
         "values": minus(adaptive, skewed), **fleet, "unless": FINER},
    ]  # fmt: skip


def by_seed(table: pandas.DataFrame, algorithm: str, partition: str, measure: str = "score") -> list[float]:
    """Return one measure of one method, in the order of seeds.

    Raises
    ------
    ValueError
        For what the table does not have.
    """
    runs = select(table, algorithm=algorithm, partition=partition)
    if runs.empty:
        raise ValueError(f"Expected trainings by {algorithm} on {partition} in the table, got none. Write it again.")
    return list(runs[measure])


def minus(more: list[float], less: list[float]) -> list[float]:
    """Return the differences of trainings of the same seed."""
    return [one - two for one, two in zip(more, less, strict=True)]


def best_baseline(table: pandas.DataFrame, task: str) -> tuple[str, float]:
    """Return the best of the trivial baselines and its mean score."""
    means = {name: sum(scores) / len(scores) for name in BASELINES[task] if (scores := by_seed(table, name, "none"))}
    return max(means.items(), key=lambda each: each[1])
