"""What to ship, read off the committed tables: heads on the frozen encoder next to the BiLSTM and the literature."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from trustlab.course.literature import known
from trustlab.course.n11_dp_sgd_vs_edp_sgd import ENCODER, EXPERIMENT, LAYERS, layers_experiment
from trustlab.course.n11_dp_sgd_vs_edp_sgd.encoder_experiment import BASELINES, STATES
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import usual
from trustlab.lab.saved import over_seeds, select
from trustlab.results import read_results

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
EPSILONS = (1.0, 3.0, 8.0, math.inf)
MEASURES = {"accuracy": "intents right", "slot_f1": "slot F1"}
LITERATURE = {"accuracy": "intents", "slot_f1": "slot F1"}  # the words of literature.toml
HEADS, RECURRENT = "heads on the frozen encoder", "BiLSTM"
WAYS = (HEADS, RECURRENT)
LAYER = "fourth layer trained too"  # only without privacy
FULL_STEP = dict(model="encoder", batch=128, tokens=16, method="DP-SGD, fast")  # of benchmarks/


def trainings(way: str, corpus: str, epsilon: float) -> pandas.DataFrame:
    """Return the trainings of one way by exact DP-SGD at one ε, one per seed; without privacy they are plain SGD's."""
    at = dict(method="sgd" if math.isinf(epsilon) else "fast", epsilon=epsilon)
    if way == HEADS:
        return select(ENCODER.table(corpus), **at)
    return select(usual(EXPERIMENT.table(corpus)), **at)


def what_to_ship(corpus: str) -> list[Row]:
    """Return what each way reaches at each ε, with the literature's numbers without privacy: a row per dot."""
    rows = []
    for measure, words in MEASURES.items():
        for epsilon in EPSILONS:
            line = f"{words}, {'no privacy' if math.isinf(epsilon) else f'ε = {epsilon:g}'}"
            for way in WAYS:
                found = over_seeds(trainings(way, corpus, epsilon)[measure], "score", limits=(0, 1))
                rows.append({"measured": line, "way": way, **found})
        found = over_seeds(with_a_layer(corpus)[measure], "score", limits=(0, 1))
        rows.append({"measured": line, "way": LAYER, **found})
        name, score = baseline(corpus, measure)
        rows.append({"measured": line, "way": f"trivial: {name}", "score": score})
        rows.append({"measured": line, "way": "literature: JointBERT", "score": joint_bert(corpus, measure)})
    return rows


def with_a_layer(corpus: str) -> pandas.DataFrame:
    """Return the trainings of the encoder's fourth layer and heads, without privacy, one per seed."""
    return select(LAYERS.table(corpus), method=layers_experiment.LAYER)


def joint_bert(corpus: str, measure: str) -> float:
    """Return what the literature's encoder reaches, all of it trained and without privacy."""
    (found,) = (each for each in known(f"{corpus} {LITERATURE[measure]}") if each.model == "JointBERT")
    return found.low


def reached(corpus: str, measure: str, epsilon: float) -> float:
    """Return the mean over seeds of heads on the encoder."""
    return float(trainings(HEADS, corpus, epsilon)[measure].mean())


def without_privacy(corpus: str, measure: str) -> float:
    """Return the mean over seeds of heads on the encoder, by plain SGD."""
    return reached(corpus, measure, math.inf)


def seconds(corpus: str, epsilon: float) -> float:
    """Return the seconds of a training of heads, the slowest of its seeds, when the states are there."""
    return float(trainings(HEADS, corpus, epsilon)["seconds"].max())


def seconds_of_states(corpus: str) -> float:
    """Return the seconds in which the encoder computed the states of the training utterances."""
    return float(select(ENCODER.table(corpus), method=STATES)["seconds"].iloc[0])


def minutes_of_full_training(corpus: str) -> float:
    """Return how long as many passes would take if the whole encoder were trained by DP-SGD, from a step's time."""
    runs = trainings(HEADS, corpus, 3.0).iloc[0]
    step = select(read_results("private_step_time")[0], **FULL_STEP).iloc[0]
    examples = runs["batch_size"] / runs["share"]
    return float(runs["epochs"] * examples / FULL_STEP["batch"] * step["seconds"] / 60)


def baseline(corpus: str, measure: str) -> tuple[str, float]:
    """Return the trivial baseline that scores most, and its score."""
    scores = {name: float(select(ENCODER.table(corpus), method=name)[measure].mean()) for name in BASELINES}
    best = max((name for name in scores if not math.isnan(scores[name])), key=lambda name: scores[name])
    return best, scores[best]
