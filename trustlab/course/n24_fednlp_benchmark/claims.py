"""What FedNLP claims of algorithms, partitions and tasks, and what we add, read off the committed trainings.

Each method has the rates that a search chose for it. A difference is used for a claim only if the better of its two
trainings reaches the trivial baselines of its task, below which neither has learned it, and no training of it was lost.
Other lines are not judged; :func:`not_claimed` names them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n24_fednlp_benchmark.experiment import CENTRALISED, CONFOUNDED, ENCODERS, result_name, tasks_of
from trustlab.course.n24_fednlp_benchmark.judged import judged, unused
from trustlab.course.n24_fednlp_benchmark.task_baselines import BASELINES, NO_MODEL
from trustlab.course.n24_fednlp_benchmark.tuned_rates import TRIALS
from trustlab.course.sensitivity import lost
from trustlab.deprecation import old_names
from trustlab.federated.tasks import SMALL
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

Place = tuple[str, str]  # an algorithm and a partition
SKEWED = "label"  # the partition that claims under skew are about
NEAR = 0.02  # FedProx and FedAvg are the same for us within this
RECIPE = f"small transformer, 10 of 30 devices a round, SGD on clients, each tuned with {TRIALS} trials"


def claims_of(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.teaching.claims`, from the table of `corpus` that `read` finds.

    Differences are between trainings of the same seed, in units of the task's metric.
    """
    table = read(result_name(corpus))[0]
    lines = _lines(table, corpus)
    return [line["row"] for line in lines if judged(line)]


def not_claimed(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Return what is not judged of the embedded corpus, see :func:`.judged.unused`."""
    return unused(_lines(table, EMBEDDED))


def _lines(table: pandas.DataFrame, corpus: str) -> list[dict[str, Any]]:
    """Return every claim with the level of its better training, that of the best trivial baseline, and those lost."""
    lines = [line for task in tasks_of(corpus) for line in _of_a_task(table, task)]
    return lines + (_of_the_side_questions(table) if corpus == EMBEDDED else [])


def _line(table: pandas.DataFrame, task: str, plus: Place, minus: Place, **row: Any) -> dict[str, Any]:
    """Return a claim about the difference of two trainings."""
    scores = [column(table, task, *where) for where in (plus, minus)]
    return {
        "row": {"values": [one - two for one, two in zip(*scores, strict=True)], "setup": RECIPE, **row},
        "better": max(sum(each) / len(each) for each in scores),
        "trivial": trivial(table, task),
        "lost": sum(map(lost, scores)),
    }


def _of_a_task(table: pandas.DataFrame, task: str) -> list[dict[str, Any]]:
    """Return claims (a) to (c) for one task."""
    return [
        _line(
            table, task, ("fedavg", "uniform"), ("fedavg", SKEWED), above=0,
            claim=f"(a) {task}: FedAvg loses by label skew (uniform minus label, α = 0.1)",
            unless="a larger α, or so many rounds that both have converged",
        ),
        _line(
            table, task, (CENTRALISED, "none"), ("fedavg", "uniform"), above=0,
            claim=f"(b) {task}: training in one place beats FedAvg without skew, at equal passes",
            unless="more rounds for the fleet, which takes a tenth of the steps",
        ),
        _line(
            table, task, ("fedadam", SKEWED), ("fedavg", SKEWED), above=0,
            claim=f"(c) {task}: an adaptive server helps under label skew (FedAdam minus FedAvg)",
            unless="one rate for all, which suits one of them; Adam on the clients; more rounds",
        ),
    ]  # fmt: skip


def _of_the_side_questions(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Return what we add: the confounded client optimizer, the proximal term, and the frozen encoder."""
    sgd = _line(table, "tagging", ("fedadam", SKEWED), ("fedavg", SKEWED))
    adam = _line(table, "tagging", *((name, SKEWED) for name in reversed(CONFOUNDED)))
    gone = [one - two for one, two in zip(sgd["row"]["values"], adam["row"]["values"], strict=True)]
    heads, more = (column(table, "classification", "fedavg", SKEWED, model=model) for model in ENCODERS)
    return [
        {**sgd, "better": max(sgd["better"], adam["better"]), "lost": sgd["lost"] + adam["lost"], "row": {
            "claim": "(Ours) tagging: with Adam on the clients FedAdam's gain is smaller (gain minus gain)",
            "values": gone, "above": 0, "setup": RECIPE.replace("SGD on clients", "SGD or Adam on clients"),
            "unless": "another task, or more rounds",
        }},
        _line(
            table, "tagging", ("fedprox", SKEWED), ("fedavg", SKEWED), within=(-NEAR, NEAR),
            claim=f"(Ours) tagging: FedProx is within {NEAR:g} of FedAvg under label skew",
            unless="many local passes, which let clients drift",
        ),
        {
            "row": {
                "claim": "(Ours) classification: of a pretrained encoder, two trained layers beat the heads alone",
                "values": [top - head for head, top in zip(heads, more, strict=True)], "above": 0,
                "setup": f"200 utterances, three passes, FedAvg, label skew, each tuned with {TRIALS} trials",
                "unless": "more utterances or passes",
            },
            "better": max(sum(each) / len(each) for each in (heads, more)),
            "trivial": trivial(table, "classification", model="heads"),
            "lost": lost(heads) + lost(more),
        },
    ]  # fmt: skip


def trivial(table: pandas.DataFrame, task: str, *, model: str = NO_MODEL) -> float:
    """Return the score of the best trivial baseline of a task, the mean over seeds; 0 where the table has none.

    Parameters
    ----------
    model
        Whose examples the baselines had: those of the small model, or of the pretrained encoder ("heads").
    """
    runs = table[(table["task"] == task) & (table["model"] == model) & table["algorithm"].isin(BASELINES[task])]
    return float(runs.groupby("algorithm")["score"].mean().max()) if len(runs) else 0.0


def difference(table: pandas.DataFrame, task: str, plus: Place, minus: Place) -> list[float]:
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
