"""What notebook 11 shows of the level without privacy: ours, the literature's, and what a table must beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trustlab.course.literature import known
from trustlab.course.n11_dp_sgd_vs_edp_sgd import LAYERS, LEVEL, layers_experiment
from trustlab.course.n11_dp_sgd_vs_edp_sgd.level_experiment import CORPORA, METHODS, TRAINED
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding, dots
from trustlab.lab.saved import CORPUS_NAMES, over_seeds, saved_over, select

MEASURES = {"accuracy": "intents", "slot_f1": "slot F1"}


def level_rows(corpora: Sequence[str] = CORPORA) -> list[dict[str, Any]]:
    """Return what the model, each baseline and each paper reaches: a row per corpus, measure and who, in per cent."""
    rows = []
    for corpus in LEVEL.corpora(corpora):
        for column, measure in MEASURES.items():
            where = {"what": f"{CORPUS_NAMES[corpus]}, {measure}"}
            for experiment, labels in (LEVEL, METHODS), (LAYERS, layers_experiment.METHODS):
                for method, label in labels.items() if experiment.corpora([corpus]) else ():
                    scores = (100 * select(experiment.table(corpus), method=method)[column]).dropna()
                    if len(scores):
                        rows.append({**where, "who": label, **over_seeds(scores.tolist(), "%", limits=(0.0, 100.0))})
            for paper in known(f"{corpus} {measure}"):
                rows.append({**where, "who": paper.model, "%": 50 * (paper.low + paper.high)})
    return rows


def levels(corpora: Sequence[str] = CORPORA) -> Finding:
    """Draw the level without privacy: the models trained here, the literature's, and the trivial baselines."""
    rows = level_rows(corpora)
    first = LEVEL.corpora(corpora)[0]
    ours = [*(METHODS[method] for method in TRAINED), *layers_experiment.METHODS.values()]
    said = "; ".join(f"{who}: {scores}" for who in ours if (scores := _scores(rows, who)))
    return dots(
        rows, label="what", series="who", value="%", low="low", high="high", x_label="right, or F1, in %",
        title="The level of the field, without privacy", verdict=f"{said}.",
        provenance=f"{saved_over(LEVEL.saved(first)[1])}; papers as cited",
    )  # fmt: skip


def _scores(rows: Sequence[dict[str, Any]], who: str) -> str:
    return ", ".join(f"{row['what']} {per_cent(row['%'] / 100)}" for row in rows if row["who"] == who)
