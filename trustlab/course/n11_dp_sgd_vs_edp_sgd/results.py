"""What notebooks 00 and 11 read off the committed comparison: the curves of their panels, and 11's findings."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trustlab.course.n11_dp_sgd_vs_edp_sgd import EXPERIMENT
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import (
    CORPORA,
    DECAYS,
    EMBEDDED,
    EPSILON_OF_KS,
    METHODS,
    MODELS,
    RULES,
    VARIED,
    K,
    usual,
)
from trustlab.lab.saved import CORPUS_NAMES, over_seeds, select

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
MEASURES = {"accuracy": "intents right", "slot_f1": "slot F1"}
KINDS = {"accuracy": "all intents", "accuracy_rare": "rare intents"}
COMPARED = {"sgd": "SGD, no privacy", "fast": "DP-SGD", "edp-sgd": "eDP-SGD"}  # the loop is the fast method's equal
PRIVATE = {method: label for method, label in METHODS.items() if method != "sgd"}
saved = EXPERIMENT.saved  # the committed table, a row per training, and its provenance


def curves_of(trainings: pandas.DataFrame) -> list[Row]:
    """Return one row per model, private method and ε: mean and 95 % interval of the accuracy, mean slot F1.

    `trainings` are rows of :func:`saved` that differ in nothing else but the seed.
    """
    rows = []
    for (model, method, epsilon), runs in trainings.groupby(["model", "method", "epsilon"]):
        if method not in PRIVATE:
            continue
        row = {"model": MODELS[model], "method": PRIVATE[method], "epsilon": epsilon}
        rows.append({**row, **over_seeds(runs["accuracy"]), "slot_f1": runs["slot_f1"].mean()})
    return rows


def scores_at(epsilon: float, corpora: Sequence[str] = CORPORA) -> list[Row]:
    """Return what each method reaches at one ε: a row per corpus, model, method and measure, in per cent.

    Plain SGD, which guarantees nothing, is shown next to them. The loop is left out: it releases the sums of the fast
    method. A corpus whose table is not there is left out, and so is a training that is not in a table.
    """
    rows = []
    for corpus in EXPERIMENT.corpora(corpora):
        table = usual(saved(corpus)[0])
        for model, method in itertools.product(MODELS, COMPARED):
            runs = select(table, model=model, method=method, epsilon=math.inf if method == "sgd" else epsilon)
            trained = {"corpus": CORPUS_NAMES[corpus], "model": MODELS[model], "method": COMPARED[method]}
            rows += [{**trained, **row} for row in _measured(runs)]
    return rows


def micro_batches_against_accuracy() -> list[Row]:
    """Return what K gives at ε = 8 on the embedded corpus (BiLSTM), and clipping every example: a row per measure."""
    table = select(saved(EMBEDDED)[0], rule="flat", noise_decay=1, model="bilstm", epsilon=EPSILON_OF_KS)
    rows = []
    for method in VARIED:
        for k, runs in table[table["method"] == method].groupby("micro_batches"):
            name = f"eDP-SGD, K = {int(k)}" if k else "DP-SGD"
            rows += [{"clipped": name, **row} for row in _measured(runs)]
    return rows


def variants_against_accuracy(varied: str, epsilons: Sequence[float] = (1.0, 3.0, 8.0)) -> list[Row]:
    """Return what varying one ingredient does to the intents, in per cent, on the embedded corpus (BiLSTM).

    Parameters
    ----------
    varied
        ``"rule"`` (how gradients are clipped) or ``"noise_decay"`` (γ); the other one is as usual.
    epsilons
        At which ε; without noise there is nothing to decay.

    Returns
    -------
    list of dict
        A row per method, ε and choice.
    """
    choices, other = {
        "rule": (RULES, {"noise_decay": 1.0}),
        "noise_decay": ({decay: f"γ = {decay:g}" for decay in DECAYS}, {"rule": "flat"}),
    }[varied]
    table = select(saved(EMBEDDED)[0], model="bilstm", **other)
    table = table[table["micro_batches"].isin((0, K))]
    rows = []
    for method, epsilon in itertools.product(VARIED[::-1], epsilons):
        for choice, label in choices.items():
            runs = select(table, method=method, epsilon=epsilon, **{varied: choice})["accuracy"]
            trained = {"trained by": f"{COMPARED[method]}, ε = {epsilon:g}", "choice": label}
            rows.append({**trained, **_in_per_cent(runs)})
    return rows


def harm(corpus: str, epsilons: tuple[float, float] = (8.0, 1.0)) -> list[Row]:
    """Return how many intents are right at a weak and at a strong promise, in per cent: all, and the rare ones.

    A row per method and kind of intents (BiLSTM). Rare ones are left out where none is in the test split.
    """
    table = select(usual(saved(corpus)[0]), model="bilstm")
    rows = []
    for method, (measure, words) in itertools.product(VARIED[::-1], KINDS.items()):
        means = [select(table, method=method, epsilon=epsilon)[measure].mean() for epsilon in epsilons]
        if not any(map(math.isnan, means)):
            at = {f"ε = {epsilon:g}": 100 * mean for epsilon, mean in zip(epsilons, means, strict=True)}
            rows.append({"who": f"{COMPARED[method]}, {words}", **at})
    return rows


def _measured(runs: pandas.DataFrame) -> list[Row]:
    """Return a row per measure: mean and 95 % interval over the seeds of `runs`, in per cent; none of none."""
    if runs.empty:
        return []
    return [{"measured": words, **_in_per_cent(runs[measure])} for measure, words in MEASURES.items()]


def _in_per_cent(shares: pandas.Series) -> Row:
    return over_seeds((100 * shares).tolist(), "%", limits=(0.0, 100.0))
