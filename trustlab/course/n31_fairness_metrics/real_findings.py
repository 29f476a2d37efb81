"""What notebook 31 found on real vectors, real tasks and published encoders, as pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trustlab.course.n31_fairness_metrics.intrinsic import Measured
from trustlab.course.n31_fairness_metrics.real_results import (
    BLIND,
    GAPS,
    METRICS,
    NOBODY_CONFIRMED,
    Row,
    always_the_same,
    intrinsic_and_extrinsic,
    level,
    terms_and_scores,
    too_few,
    worst_off,
)
from trustlab.course.n31_fairness_metrics.results import on_real_vectors
from trustlab.lab.display import number, per_cent
from trustlab.lab.finding import Finding, dots

SAVED = "saved, means over five seeds"
LARGEST = 2.0  # an effect size of sets of equal size is below it
IN_EFFECT_SIZES = ("WEAT, women", "SEAT, women", "CEAT, women")


def associations(minilm: Mapping[str, Measured]) -> Finding:
    """Draw WEAT's tests on word2vec vectors, and the tests of an encoder about women, men and work below them.

    Parameters
    ----------
    minilm
        What :func:`trustlab.course.n31_fairness_metrics.intrinsic.intrinsic_metrics` found of the encoder.
    """
    rows: list[Row] = [{"targets": row["targets"], "vectors": "word2vec", **row} for row in on_real_vectors()]
    about = {"vectors": "all-MiniLM-L6-v2", "attributes": "work"}
    rows += [{"targets": f"{name}: women / men", **about, "effect size": each.value} for name, each in minilm.items()]
    largest = max(rows, key=lambda row: row["effect size"])
    unsure = [row["targets"] for row in rows if row.get("p", 0) >= 0.05]
    verdict = (
        f"The largest effect size is {number(largest['effect size'], 2)} ({largest['targets']}, {largest['vectors']}), "
        f"of at most {LARGEST:g}. Of the tests on word2vec only {', '.join(unsure)} could be chance (p ≥ 0.05)."
    )
    return dots(
        rows,
        label="targets",
        value="effect size",
        series="vectors",
        title="WEAT's original tests, and an encoder of sentences",
        verdict=verdict,
        provenance="word2vec: saved, all divisions counted or 10,000 drawn; all-MiniLM-L6-v2: computed here",
        x_label="effect size",
        reference={"no association": 0.0},
        digits=2,
    )


def behaviour(corpus: str) -> Finding:
    """Draw what each model does to the groups of its task, and what one that is blind to them would do."""
    rows = [row for row in intrinsic_and_extrinsic(corpus) if row["kind"] == "extrinsic"]
    by_model = {(row["metric"], row["model"]): row for row in rows}
    model = max((row for row in rows if row["metric"] == "accuracy"), key=lambda row: row["value"])["model"]
    gap, blind = (by_model[metric, model] for metric in (GAPS[0], BLIND.format(GAPS[0])))
    verdict = (
        f"The best classifier ({model}) is right about {per_cent(by_model['accuracy', model]['value'])} of posts; the "
        f"same answer for all, about {per_cent(always_the_same(corpus))}. Its highest and lowest false positive rates "
        f"of a community are {gap['measured']:.2f} apart. Blind to communities it would show {blind['value']:.2f} "
        f"({blind['low']:.2f} to {blind['high']:.2f}). Corrected for that, the gap is {gap['value']:.2f} (95 % "
        f"{gap['low']:.2f} to {gap['high']:.2f}), p {_at_most(gap['p'])}."
    )
    return _models_apart(
        rows, title="What the models do to communities", verdict=verdict, x_label="value of the metric",
        provenance=f"{SAVED}, 95 % interval over test texts. {level()}",
    )  # fmt: skip


def _at_most(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"at most {p:.2g}"


def encoders(corpus: str) -> Finding:
    """Draw what association tests say of the same models' encoders, with intervals over words."""
    every = [row for row in intrinsic_and_extrinsic(corpus) if row["kind"] == "intrinsic"]
    rows = [row for row in every if row["metric"] in IN_EFFECT_SIZES]
    clear = [f"{row['metric']} of {row['model']}" for row in rows if row["low"] > 0 or row["high"] < 0]
    (pairs,) = (row for row in every if row["metric"] == METRICS[-1][0])
    verdict = (
        f"{', '.join(clear) or 'No test'} is clearly different from 0. {pairs['metric']} ({pairs['model']}): "
        f"{pairs['value']:.1f} (95 % from {pairs['low']:.1f} to {pairs['high']:.1f}), where 50 is no bias. "
        f"{too_few(corpus)}"
    )
    return _models_apart(
        rows, title="What association tests say of the same models' encoders", verdict=verdict,
        x_label="effect size: women closer to unpleasant words than men", reference={"no association": 0.0},
        provenance=f"{SAVED}, 95 % interval over words",
    )  # fmt: skip


def _models_apart(rows: list[Row], **texts: Any) -> Finding:
    return dots(rows, label="metric", value="value", low="low", high="high", series="model", digits=2, **texts)


def harmed(corpus: str, title: str) -> Finding:
    """Draw which group is most likely worst off by two metrics in each model, and by how much: :func:`worst_off`."""
    every = worst_off(corpus)
    rows = [row for row in every if row["question"] != "ranked too high" and row["group"] != NOBODY_CONFIRMED]
    drawn = [{"who": f"{row['model']}: {row['group']}", **row} for row in rows]
    named = {question: _names(every, question) for question in dict.fromkeys(row["question"] for row in every)}
    verdict = "; ".join(f"{question}: {names}" for question, names in named.items())
    return dots(
        drawn,
        label="who",
        value="value",
        low="low",
        high="high",
        series="question",
        title=title,
        verdict=f"{verdict[0].upper()}{verdict[1:]}.",
        provenance=f"{SAVED}, 95 % interval over test texts",
        x_label="difference from everybody else's rate",
        reference={"the same": 0.0},
        digits=2,
    )


def _names(rows: list[Row], question: str) -> str:
    """Name the groups that are worst off by one metric, with the models that say so and how likely it is in each."""
    named: dict[str, list[str]] = {}
    for row in rows:
        if row["question"] == question and row["group"] != NOBODY_CONFIRMED:
            named.setdefault(row["group"], []).append(f"{row['model'].replace(',', '')} {_sure(row['probability'])}")
    return ", ".join(f"{group} ({', '.join(models)})" for group, models in named.items()) or NOBODY_CONFIRMED


def _sure(probability: float) -> str:
    return f"over {per_cent(0.99)}" if probability > 0.99 else per_cent(probability)


def inside_one_model() -> Finding:
    """Draw whether association and score go together over identity terms within each model."""
    rows = [{"who": f"{row['learned']}, {row['model']}", **row} for row in terms_and_scores()]
    needed = rows[0]["needed"]
    clear = [row["who"] for row in rows if row["low"] > 0]
    verdict = (
        f"Over 50 identity terms, association and score go together in {len(clear)} of {len(rows)} models"
        f"{': ' if clear else ''}{', '.join(clear)}."
    )
    return dots(
        rows,
        label="who",
        value="r",
        low="low",
        high="high",
        title="Do associations order the scores of harmless sentences?",
        verdict=verdict,
        provenance=f"{SAVED}, 95 % interval over terms",
        x_label="correlation over 50 identity terms",
        reference={"none": 0.0, "needed": needed},
        digits=2,
    )
