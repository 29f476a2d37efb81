"""What notebook 24 reads off the committed trainings: its panel's matrix and curves, and the tables of its text."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n24_fednlp_benchmark import EXPERIMENT
from trustlab.course.n24_fednlp_benchmark.claims import SKEWED, column, difference
from trustlab.course.n24_fednlp_benchmark.experiment import (
    ALGORITHMS,
    ALONE,
    CENTRALISED,
    CENTRALISED_ADAM,
    CONFOUNDED,
    ENCODERS,
    MEASURED_EVERY,
    PARTITIONS,
    ROUNDS,
    SHARE,
)
from trustlab.course.n24_fednlp_benchmark.task_baselines import BASELINES, NO_MODEL
from trustlab.course.n24_fednlp_benchmark.tuned_rates import DIALS, SEARCH, chosen_rates
from trustlab.course.sensitivity import lost
from trustlab.course.tuning import profile
from trustlab.federated.tasks import FAMILIES, SMALL
from trustlab.intervals import mean_interval
from trustlab.lab.saved import curve, over_seeds, read, remembered, select

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
ONE_RATE = 0.3  # of the clients, which all algorithms once had here, and the server rates that went with it
ONE_SERVER = {"fedavg": 1.0, "fedadam": 0.03}
FLOOR = 0.02  # a mean score below which a task is hardly learned at all, and skew has nothing to take
NAMES = {
    "fedavg": "FedAvg",
    "fedprox": "FedProx",
    "fedadam": "FedAdam",
    "fedyogi": "FedYogi",
    CENTRALISED: "in one place",
    CENTRALISED_ADAM: "in one place (Adam)",
    "fedavg, adam clients": "FedAvg, Adam on clients",
    "fedadam, adam clients": "FedAdam, Adam on clients",
}
WHERE = {"uniform": "without skew", SKEWED: "under label skew"}  # the partitions of the search
saved = EXPERIMENT.saved  # the committed table, a row per training, and its provenance


@remembered
def matrix(task: str, measure: str = "score") -> list[Row]:
    """Return one row per algorithm and partition of `task`: the mean over seeds and its 95 % interval.

    Data in one place, which are not divided, are not part of it; see :func:`reference`.
    """
    table, _ = saved()
    return [
        {"algorithm": NAMES[algorithm], "partition": partition}
        | over_seeds(column(table, task, algorithm, partition, measure=measure), "score")
        for algorithm in ALGORITHMS
        for partition in PARTITIONS
    ]


@remembered
def trainings_lost(task: str, algorithm: str, partition: str) -> tuple[int, int]:
    """Return how many of a setting's trainings were lost, and how many there are."""
    scores = column(saved()[0], task, algorithm, partition)
    return lost(scores), len(scores)


@remembered
def reference(task: str, measure: str = "score") -> float:
    """Return the mean over seeds with all data in one place."""
    return float(EXPERIMENT.by_seed(measure, task=task, algorithm=CENTRALISED, model=SMALL).mean())


@remembered
def rounds_of(task: str, algorithm: str, partition: str) -> list[Row]:
    """Return the score over the passes through the data: a row per measurement, mean and 95 % interval over seeds.

    Passes and not rounds, so that data in one place can be drawn next to a fleet.
    """
    runs = EXPERIMENT.by_seed("curve", task=task, algorithm=algorithm, partition=partition, model=SMALL)
    alone = algorithm == CENTRALISED
    every = max(1, round(MEASURED_EVERY * SHARE)) if alone else MEASURED_EVERY * SHARE
    measured = str(runs.iloc[0]).count("|") + 1
    passes = [min(place * every, ROUNDS * SHARE) for place in range(1, measured + 1)]
    return curve(runs, passes, "passes", "score")


def _score(values: list[float]) -> Row:
    """Return the mean over seeds and its 95 % interval, as a share."""
    return over_seeds(values, "score", limits=(0.0, 1.0))


def levels() -> list[Row]:
    """Return what each task reaches without skew, and in one place, next to its best trivial baseline."""
    table, _ = saved()
    rows = []
    for task in FAMILIES:
        best = max(BASELINES[task], key=lambda name: np.mean(column(table, task, name, "none", model=NO_MODEL)))
        kinds = {"best baseline": (best, "none", NO_MODEL)}
        kinds |= {NAMES[name]: (name, "uniform", SMALL) for name in ("fedavg", "fedadam")}
        kinds |= {NAMES[name]: (name, "none", SMALL) for name in ALONE}
        for what, (algorithm, partition, model) in kinds.items():
            score = _score(column(table, task, algorithm, partition, model=model))
            rows.append({"task": task, "what": what, **score, "baseline": best})
    return rows


def sensitivity(task: str) -> list[Row]:
    """Return what the search found for FedAvg and FedAdam at each rate of the clients, the server's at its best.

    Rows of :func:`trustlab.course.tuning.profile`, with the algorithm's name and ``where``: the partition in words.
    ``chosen`` is the rate that is taken, beyond which none was lost.
    """
    found = profile(_trials(task), "client_rate", by=["partition", "algorithm"], options=DIALS)
    taken = chosen_rates()
    return [
        {
            "where": WHERE[row.pop("partition")],
            **row,
            "algorithm": NAMES[row["algorithm"]],
            "chosen": row["client_rate"] == rates["client_rate"],
        }
        for row in found
        for rates in [taken[task, SMALL, row["algorithm"], row["partition"]]]
    ]


def gains(task: str, partition: str) -> tuple[float, float]:
    """Return FedAdam's score minus FedAvg's in the search: with the one rate for all, and each with its own rates."""
    trials = select(_trials(task), partition=partition)
    once, own = [], []
    for name, server_rate in ONE_SERVER.items():
        rates = chosen_rates()[task, SMALL, name, partition]
        usual = dict(client_rate=ONE_RATE, server_rate=server_rate)
        once.append(float(select(trials, algorithm=name, **usual)["score"].mean()))
        own.append(float(select(trials, algorithm=name, **rates)["score"].mean()))
    return once[1] - once[0], own[1] - own[0]


def _trials(task: str) -> pandas.DataFrame:
    trials = select(read(SEARCH)[0], task=task, model=SMALL)
    return trials[trials["algorithm"].isin(list(ONE_SERVER))]


def label_skew() -> list[Row]:
    """Return FedAvg's score on each task without and with label skew, and how to read the difference: claim (a)."""
    table, _ = saved()
    rows = []
    for task in FAMILIES:
        even, skewed = (column(table, task, "fedavg", partition) for partition in ("uniform", SKEWED))
        lost, low, high, _ = mean_interval(difference(table, task, ("fedavg", "uniform"), ("fedavg", SKEWED)))
        reading = "shows no loss" if lost <= 0 else "has a mean loss whose interval includes 0"
        if low > 0 or high < 0:
            reading = "loses" if low > 0 else "gains"
        elif np.mean(even) < FLOOR:
            reading = "has a score near 0 and nothing to lose"
        if reading == "gains":
            lost, low, high = -lost, -high, -low
        loss = f"{100 * lost:.0f} ({100 * low:.0f} to {100 * high:.0f})".replace("-", "−")
        rows.append({"task": task, "partition": "uniform", **_score(even)})
        rows.append({"task": task, "partition": SKEWED, **_score(skewed), "lost": loss, "reading": reading})
    return rows


def confounded_reading() -> str:
    """Say what an adaptive server is worth, by the clients' optimizer: means over seeds, in per cent.

    It is better or worse where the interval of the difference within seeds leaves 0 out.
    """
    table, _ = saved()
    sentences = []
    for optimizer, (plain, adaptive) in {"SGD": ("fedavg", "fedadam"), "Adam": tuple(CONFOUNDED)}.items():
        parts = []
        for partition in ("uniform", SKEWED):
            before, after = (100 * np.mean(column(table, "tagging", name, partition)) for name in (plain, adaptive))
            gained = mean_interval(difference(table, "tagging", (adaptive, partition), (plain, partition)))
            word = "better" if gained.low > 0 else "worse" if gained.high < 0 else "not clearly better or worse"
            parts.append(f"{word} on {partition} ({after:.0f} against {before:.0f} %)")
        sentences.append(f"With {optimizer} on the clients the adaptive server is {', '.join(parts)}.")
    return " ".join(sentences)


def confounded() -> list[Row]:
    """Return entity F1 of the tagging task, by what clients and server step with."""
    table, _ = saved()
    kinds = {"fedavg": "SGD on clients, average", "fedadam": "SGD on clients, Adam on the server"}
    kinds |= dict(zip(CONFOUNDED, ("Adam on clients, average", "Adam on both"), strict=True))
    return [
        {"who steps how": how, "partition": partition, **_score(column(table, "tagging", name, partition))}
        for name, how in kinds.items()
        for partition in ("uniform", SKEWED)
    ]


def freezing() -> list[Row]:
    """Return what training more of a pretrained encoder gives under label skew, and what it costs to send."""
    table, _ = saved()
    where = ("classification", "fedavg", "label")
    return [
        {
            "trained": "the heads alone" if not layers else f"heads and the top {layers} of 6 layers",
            **_score(column(table, *where, model=model)),
            "sent, MB": float(np.mean(column(table, *where, model=model, measure="megabytes"))),
        }
        for model, layers in ENCODERS.items()
    ]
