"""What notebook 24 reads off the committed trainings: its panel's matrix and curves, and the tables of its text."""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.course.n24_fednlp_benchmark import EXPERIMENT
from trustlab.course.n24_fednlp_benchmark.claims import SKEWED, column, difference
from trustlab.course.n24_fednlp_benchmark.experiment import (
    ALGORITHMS,
    CENTRALISED,
    CONFOUNDED,
    EMBEDDED,
    ENCODERS,
    MEASURED_EVERY,
    PARTITIONS,
    ROUNDS,
    SHARE,
    tasks_of,
)
from trustlab.federated.tasks import FAMILIES, SMALL
from trustlab.intervals import mean_interval
from trustlab.lab.display import Display, paragraph
from trustlab.lab.saved import CORPUS_NAMES, curve, over_seeds, per_cent, remembered

Row = dict[str, Any]
FLOOR = 0.02  # a mean score below which a task is hardly learned at all, and skew has nothing to take
NAMES = {
    "fedavg": "FedAvg",
    "fedprox": "FedProx",
    "fedadam": "FedAdam",
    "fedyogi": "FedYogi",
    CENTRALISED: "in one place",
    "fedavg, adam clients": "FedAvg, Adam on clients",
    "fedadam, adam clients": "FedAdam, Adam on clients",
}
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
def reference(task: str, measure: str = "score") -> float:
    """Return the mean over seeds with all data in one place."""
    return float(EXPERIMENT.by_seed(measure, task=task, algorithm=CENTRALISED, model=SMALL).mean())


@remembered
def rounds_of(task: str, algorithm: str, partition: str) -> list[Row]:
    """Return the score over the passes through the data: a row per measurement, mean and 95 % interval over seeds.

    Passes and not rounds, so that data in one place can be drawn next to a fleet.
    """
    runs = EXPERIMENT.by_seed("curve", task=task, algorithm=algorithm, partition=partition, model=SMALL)
    every = max(1, round(MEASURED_EVERY * SHARE)) if algorithm == CENTRALISED else MEASURED_EVERY * SHARE
    measured = str(runs.iloc[0]).count("|") + 1
    passes = [min(place * every, ROUNDS * SHARE) for place in range(1, measured + 1)]
    return curve(runs, passes, "passes", "score")


def real_corpora() -> list[Row]:
    """Return what the real corpora gave, in per cent: a row per corpus and algorithm, a column per partition."""
    rows = []
    for corpus in EXPERIMENT.corpora():
        if corpus == EMBEDDED:
            continue
        (task,) = tasks_of(corpus)
        table, _ = saved(corpus)
        for algorithm in ("fedavg", "fedadam"):
            row = {"corpus": CORPUS_NAMES[corpus], "metric": FAMILIES[task].metric, "algorithm": NAMES[algorithm]}
            for partition in ("uniform", "label", "natural"):
                there = ((table["algorithm"] == algorithm) & (table["partition"] == partition)).any()
                row[partition] = per_cent(column(table, task, algorithm, partition)) if there else "–"
            row["one place"] = per_cent(column(table, task, CENTRALISED, "none"))
            learned = table.loc[table["algorithm"] != CENTRALISED, "score"].any()
            row["compares"] = "something" if learned else "nothing: fleets score 0"
            rows.append(row)
    return rows


def label_skew() -> list[Row]:
    """Return what label skew takes from FedAvg on each task, in per cent, and how to read it: claim (a)."""
    table, _ = saved()
    rows = []
    for task in FAMILIES:
        even, skewed = (column(table, task, "fedavg", partition) for partition in ("uniform", SKEWED))
        lost, low, high, _ = mean_interval(difference(table, task, ("fedavg", "uniform"), ("fedavg", SKEWED)))
        reading = "no loss seen" if lost <= 0 else "a mean loss, but its interval includes 0"
        if low > 0 or high < 0:
            reading = "loses" if low > 0 else "gains"
        elif np.mean(even) < FLOOR:
            reading = "score near 0: nothing to lose"
        loss = f"{100 * lost:.0f} ({100 * low:.0f} to {100 * high:.0f})".replace("-", "−")
        scores = {"uniform": per_cent(even), "label": per_cent(skewed)}
        rows.append({"task": task, **scores, "lost": loss, "reading": reading})
    return rows


def unequal_sizes() -> list[Row]:
    """Return what unequal sizes give FedAvg on each task, in per cent, next to the number of passes."""
    table, _ = saved()
    rows = []
    for task in FAMILIES:
        row: Row = {"task": task}
        for partition in ("uniform", "quantity"):
            row[f"{partition}, %"] = per_cent(column(table, task, "fedavg", partition))
            passes = column(table, task, "fedavg", partition, measure="passes")
            row[f"{partition}, passes"] = f"{np.mean(passes):.1f}"
        rows.append(row)
    return rows


def confounded_reading() -> Display:
    """Show in sentences what an adaptive server is worth, by the devices' optimizer: means over seeds, in per cent.

    It is better or worse where the interval of the difference within seeds leaves 0 out.
    """
    table, _ = saved()
    sentences = []
    for device, (plain, adaptive) in {"SGD": ("fedavg", "fedadam"), "Adam": tuple(CONFOUNDED)}.items():
        parts = []
        for partition in ("uniform", SKEWED):
            before, after = (100 * np.mean(column(table, "tagging", name, partition)) for name in (plain, adaptive))
            gained = mean_interval(difference(table, "tagging", (adaptive, partition), (plain, partition)))
            word = "better" if gained.low > 0 else "worse" if gained.high < 0 else "not clearly better or worse"
            parts.append(f"{word} on {partition} ({after:.0f} against {before:.0f})")
        sentences.append(f"With {device} on the clients the adaptive server is {', '.join(parts)}.")
    return paragraph(" ".join(sentences))


def confounded() -> list[Row]:
    """Return entity F1 of the tagging task in per cent, by what devices and server step with."""
    table, _ = saved()
    kinds = {"fedavg": ("SGD", "average"), "fedadam": ("SGD", "Adam")}
    kinds |= {name: ("Adam", kinds[plain][1]) for name, plain in CONFOUNDED.items()}
    return [
        {"clients use": device, "server uses": server}
        | {partition: per_cent(column(table, "tagging", name, partition)) for partition in ("uniform", "label")}
        for name, (device, server) in kinds.items()
    ]


def freezing() -> list[Row]:
    """Return what training more of a pretrained encoder gives under label skew, and what it costs to send."""
    table, _ = saved()
    where = ("classification", "fedavg", "label")
    return [
        {
            "trained": "the heads alone" if not layers else f"heads and the top {layers} of 6 layers",
            "intents, % right": per_cent(column(table, *where, model=model)),
            "sent by clients, MB": float(np.mean(column(table, *where, model=model, measure="megabytes"))),
        }
        for model, layers in ENCODERS.items()
    ]
