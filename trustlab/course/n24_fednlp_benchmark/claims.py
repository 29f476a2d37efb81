"""What FedNLP claims of algorithms, partitions and tasks, and what we add, read off the committed trainings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n24_fednlp_benchmark.experiment import CENTRALISED, ENCODERS, result_name, tasks_of
from trustlab.deprecation import old_names
from trustlab.federated.tasks import SMALL
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

SKEWED = "label"  # the partition that claims under skew are about


def claims_of(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.teaching.claims`, from the table of `corpus` that `read` finds.

    Differences are between trainings of the same seed, in units of the task's metric.
    """
    table = read(result_name(corpus))[0]
    rows = []
    for task in tasks_of(corpus):
        rows += _of_a_task(table, task)
    return [*rows, *(_of_the_side_questions(table) if corpus == EMBEDDED else ())]


def _of_a_task(table: pandas.DataFrame, task: str) -> list[dict[str, Any]]:
    """Return claims (a) to (c) for one task."""
    usual = {"table": table, "task": task}
    return [
        {
            "claim": f"(a) {task}: FedAvg loses by label skew (uniform minus label, α = 0.1)",
            "values": difference(**usual, plus=("fedavg", "uniform"), minus=("fedavg", SKEWED)),
            "above": 0,
        },
        {
            "claim": f"(b) {task}: training in one place beats FedAvg without skew, at equal passes",
            "values": difference(**usual, plus=(CENTRALISED, "none"), minus=("fedavg", "uniform")),
            "above": 0,
        },
        {
            "claim": f"(c) {task}: an adaptive server helps under label skew (FedAdam minus FedAvg)",
            "values": difference(**usual, plus=("fedadam", SKEWED), minus=("fedavg", SKEWED)),
            "above": 0,
        },
    ]


def _of_the_side_questions(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Return what we add: the confounded client optimizer, the proximal term, and the frozen encoder."""
    plain = difference(table, "tagging", ("fedadam", SKEWED), ("fedavg", SKEWED))
    with_adam = difference(table, "tagging", ("fedadam, adam clients", SKEWED), ("fedavg, adam clients", SKEWED))
    heads, more = (column(table, "classification", "fedavg", SKEWED, model=model) for model in ENCODERS)
    return [
        {
            "claim": "(Ours) tagging: with Adam on the clients FedAdam's gain is smaller (gain minus gain)",
            "values": [one - two for one, two in zip(plain, with_adam, strict=True)],
            "above": 0,
        },
        {
            "claim": "(Ours) classification: FedProx is within 0.02 of FedAvg under label skew",
            "values": difference(table, "classification", ("fedprox", SKEWED), ("fedavg", SKEWED)),
            "within": (-0.02, 0.02),
        },
        {
            "claim": "(Ours) classification: of a pretrained encoder, two trained layers beat the heads alone",
            "values": [top - head for top, head in zip(more, heads, strict=True)],
            "above": 0,
        },
    ]


def difference(table: pandas.DataFrame, task: str, plus: tuple[str, str], minus: tuple[str, str]) -> list[float]:
    """Return the score of one (algorithm, partition) minus that of another, one per seed."""
    more, less = (column(table, task, *where) for where in (plus, minus))
    return [one - two for one, two in zip(more, less, strict=True)]


def column(
    table: pandas.DataFrame, task: str, algorithm: str, partition: str, *, model: str = SMALL, measure: str = "score"
) -> list[float]:
    """Return one measure of one setting, one per seed in their order.

    Raises
    ------
    ValueError
        For a setting that the table does not have.
    """
    wanted = {"task": task, "algorithm": algorithm, "partition": partition, "model": model}
    runs = table
    for name, value in wanted.items():
        runs = runs[runs[name] == value]
    if runs.empty:
        raise ValueError(f"Expected a saved training of {wanted}, got none. It is not part of the committed grid.")
    return list(runs.sort_values("seed")[measure])


__getattr__ = old_names(__name__, {"claims_of_p6": "claims_of"})
