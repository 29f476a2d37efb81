"""What notebooks 00 and 11 read off the committed comparison: the curves of their panels, the tables of their text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trustlab.course.n11_dp_sgd_vs_edp_sgd import EXPERIMENT
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import (
    CORPORA,
    DECAYS,
    EMBEDDED,
    EPSILON_OF_KS,
    EPSILONS,
    METHODS,
    MODELS,
    RULES,
    VARIED,
    K,
    usual,
)
from trustlab.lab.saved import CORPUS_NAMES, over_seeds, per_cent, select

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
MEASURES = {"accuracy": "intents, % right", "slot_f1": "slots, F1 in %"}
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
    """Return what each method reaches at one ε: a row per corpus, model and measure, a column per method.

    Plain SGD, which guarantees nothing, is shown next to them. A corpus whose table is not there is left out, and a
    training that is not in a table is None.
    """
    rows = []
    for corpus in EXPERIMENT.corpora(corpora):
        table = usual(saved(corpus)[0])
        for model, label in MODELS.items():
            here = table[(table["model"] == model) & ((table["epsilon"] == epsilon) | (table["method"] == "sgd"))]
            for measure, words in MEASURES.items():
                runs = {label: select(here, method=method)[measure] for method, label in METHODS.items()}
                scores = {method: per_cent(shares) if len(shares) else None for method, shares in runs.items()}
                rows.append({"corpus": CORPUS_NAMES[corpus], "model": label, "measured": words, **scores})
    return rows


def micro_batches_against_accuracy() -> list[Row]:
    """Return what K gives at ε = 8 on the embedded corpus (BiLSTM), and clipping every example, the fast way."""
    rows = []
    table = select(saved(EMBEDDED)[0], rule="flat", noise_decay=1, model="bilstm", epsilon=EPSILON_OF_KS)
    for method in ("edp-sgd", "fast"):
        for k, runs in table[table["method"] == method].groupby("micro_batches"):
            row = {"method": METHODS[method], "K": int(k) or "every example"}
            rows.append({**row, **{words: per_cent(runs[measure]) for measure, words in MEASURES.items()}})
    return rows


def variants_against_accuracy(varied: str, measure: str = "accuracy") -> list[Row]:
    """Return what varying one ingredient does, on the embedded corpus (BiLSTM): a row per choice, a column per ε.

    Parameters
    ----------
    varied
        ``"rule"`` (how gradients are clipped) or ``"noise_decay"`` (γ); the other one is as usual.
    measure
        A key of :data:`MEASURES`.
    """
    choices, title, other = {
        "rule": (RULES, "clipping rule", {"noise_decay": 1.0}),
        "noise_decay": ({decay: decay for decay in DECAYS}, "γ", {"rule": "flat"}),
    }[varied]
    table = select(saved(EMBEDDED)[0], model="bilstm", **other)
    table = table[table["micro_batches"].isin((0, K))]
    rows = []
    for method in VARIED:
        for choice, label in choices.items():
            runs = select(table, method=method, **{varied: choice})
            at = {e: select(runs, epsilon=e)[measure] for e in EPSILONS}
            columns = {f"ε = {'∞' if math.isinf(e) else f'{e:g}'}": per_cent(v) for e, v in at.items() if len(v)}
            rows.append({"method": METHODS[method], title: label, **columns})
    return rows
