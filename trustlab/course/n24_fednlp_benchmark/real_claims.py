"""What notebook 24 claims of real corpora, read off their committed tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from trustlab.course.baselines import FROZEN
from trustlab.course.n24_fednlp_benchmark.judged import judged, unused
from trustlab.course.n24_fednlp_benchmark.real_baselines import BASELINES
from trustlab.course.n24_fednlp_benchmark.real_data import REAL
from trustlab.course.n24_fednlp_benchmark.real_experiment import CORPORA, result_name
from trustlab.course.n24_fednlp_benchmark.real_training import CENTRALISED
from trustlab.course.n24_fednlp_benchmark.real_tuning import SEARCHES
from trustlab.course.sensitivity import lost
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
TO_THE_END = ("classification", FROZEN)  # no trivial baseline, but the same head with no limit of passes
FINER = "a search on as many examples as here: long server steps did not carry over from fewer"


def claims_on_real_corpora(read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, of every real corpus whose table is there."""
    return [row for corpus in _saved() for row in claims_of_corpus(corpus, read)]


def claims_of_corpus(corpus: str, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the level that a corpus reaches, and those of claims (a) to (c) that can be judged on it."""
    table = read(result_name(corpus))[0]
    measure, metric, bar = LEVELS[corpus]
    level = {
        "claim": f"(Level) {CORPUS_NAMES[corpus]}: all data in one place reach {metric} {bar:g}",
        "values": by_seed(table, CENTRALISED, "none", measure),
        "above": bar,
        "setup": _setup(corpus),
    }
    return [level, *(line["row"] for line in _lines(table, corpus) if judged(line))]


def not_claimed(read: Reader = read_results) -> list[dict[str, Any]]:
    """Return what is not judged of real corpora, see :func:`.judged.unused`."""
    return unused([line for corpus in _saved() for line in _lines(read(result_name(corpus))[0], corpus)])


def _saved() -> list[str]:
    return [corpus for corpus in CORPORA if is_saved(result_name(corpus))]


def _setup(corpus: str) -> str:
    tried = SEARCHES[corpus].trials
    return f"head on a frozen encoder, 10 passes, each method and partition tuned with {tried} trials"


def _lines(table: pandas.DataFrame, corpus: str) -> list[dict[str, Any]]:
    """Return claims (a) to (c) with both levels, the better training's and the trivial one, and how many were lost."""
    name = CORPUS_NAMES[corpus]
    alone = by_seed(table, CENTRALISED, "none")
    even, skewed, adaptive = (
        by_seed(table, *where) for where in (("fedavg", "uniform"), ("fedavg", "label"), ("fedadam", "label"))
    )
    trivial = best_baseline(table, REAL[corpus][0], trivial=True)[1]
    return [
        {
            "row": {"claim": claim, "values": minus(more, less), "above": 0, "setup": _setup(corpus), "unless": unless},
            "better": max(sum(each) / len(each) for each in (more, less)),
            "trivial": trivial,
            "lost": lost(more) + lost(less),
        }
        for claim, more, less, unless in (
            (f"(a) {name}: FedAvg loses by label skew (uniform minus label, α = 0.1)", even, skewed,
             f"a larger α, or {FINER}"),
            (f"(b) {name}: training in one place beats FedAvg without skew, at equal passes", alone, even,
             f"more rounds, or {FINER}"),
            (f"(c) {name}: an adaptive server helps under label skew (FedAdam minus FedAvg)", adaptive, skewed, FINER),
        )
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


def best_baseline(table: pandas.DataFrame, task: str, *, trivial: bool = False) -> tuple[str, float]:
    """Return the best of the baselines and its mean score.

    Parameters
    ----------
    trivial
        Leave out the head itself, trained to the end.
    """
    names = [name for name in BASELINES[task] if not (trivial and (task, name) == TO_THE_END)]
    means = {name: sum(scores) / len(scores) for name in names if (scores := by_seed(table, name, "none"))}
    return max(means.items(), key=lambda each: each[1])
