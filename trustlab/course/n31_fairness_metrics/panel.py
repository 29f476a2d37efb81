"""The panels of notebook 31: whether two metrics agree over models, and which see the bias that is there."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.config import option
from trustlab.course.dose import DETECTABLE
from trustlab.course.n31_fairness_metrics import experiment as population
from trustlab.course.n31_fairness_metrics.alignment import SETTINGS, sides
from trustlab.course.n31_fairness_metrics.drawing import AgreementDrawing, NeedleDrawing
from trustlab.course.n31_fairness_metrics.experiment import DOSES, EMBEDDED, Setting, column
from trustlab.course.n31_fairness_metrics.extrinsic import EXTRINSIC
from trustlab.course.n31_fairness_metrics.intrinsic import INTRINSIC
from trustlab.course.n31_fairness_metrics.notions import NOTIONS
from trustlab.course.n31_fairness_metrics.pretraining import STEPS
from trustlab.course.n31_fairness_metrics.results import (
    METRICS,
    agreement,
    answers,
    in_words,
    needles,
    saved,
    single_models,
)
from trustlab.course.once import once
from trustlab.lab.experiment_panel import Training, experiment_panel
from trustlab.lab.pace import paced
from trustlab.lab.panel import Answer, Panel
from trustlab.lab.saved import seeds_of

if TYPE_CHECKING:
    import datasets

MEASURED_LIVE = 16  # steps between two measurements of the reader's own model in training
BETWEEN = 0.15  # seconds from one metric to the next at the end: eight come at once, too fast to be seen one by one
TRAINED = 0.75  # of the progress: the training, then the metrics
METHODS = {"Spearman": "spearman", "Pearson": "pearson", "Kendall": "kendall"}


@dataclass(frozen=True)
class AgreementPosition:
    """The position of the first panel."""

    setting: str = option(
        "another notion, biased records",
        label="In common",
        help="What both sides of the comparison share.",
        values=tuple(SETTINGS),
    )
    notion: str = option("region", label="Inside", help="The bias that they measure.", values=tuple(NOTIONS))
    first: str = option(
        "CEAT", label="Intrinsic", help="The metric on the x-axis of the right picture.", values=INTRINSIC
    )
    second: str = option("score change", label="Extrinsic", help="The metric on its y-axis.", values=EXTRINSIC)
    method: str = option("Spearman", label="Correlation", help="Of ranks, values or pairs.", values=tuple(METHODS))


@dataclass(frozen=True)
class DottedAnswer(Answer):
    """An answer that also has the models, one dot each."""

    dots: tuple[dict[str, Any], ...] = ()


def agreement_panel() -> Panel:
    """Return the panel: every pair of metrics on the left, the models behind one pair on the right."""
    return Panel(
        AgreementPosition(),
        title="Do two metrics rank models alike?",
        drawing=AgreementDrawing(),
        answer=_agreement,
        code="agreement_panel()",
    )


def _agreement(at: AgreementPosition) -> DottedAnswer:
    table, about = saved()
    rows = [dict(row) for row in agreement(at.setting, at.notion, METHODS[at.method])]
    focus = {"first": at.first, "second": at.second}
    (here,) = (row for row in rows if row.items() >= focus.items())
    intrinsic, extrinsic = sides(table, at.setting, at.notion)
    dots = zip(intrinsic[at.first], extrinsic[at.second], table[f"{at.notion}_dose"], table["recipe"], strict=True)
    below, clear = (sum(row[p] < 0.05 for row in rows) for p in ("p", "p_family"))
    verdict = (
        f"Over {len(table)} models, {at.first} about {at.notion} and the {at.second} ({at.setting}) have {at.method}'s "
        f"r = {_signed(here['r'])} (95 % {_signed(here['low'])} to {_signed(here['high'])}, p = {here['p']:.3f}); "
        f"p is below 0.05 for {below} of {len(rows)} pairs ({0.05 * len(rows):.1f} expected by chance); after "
        f"correction for their number, for {clear or 'none'}."
    )
    if np.isnan(here["r"]):
        verdict = f"The {at.second} is the same for all models: there is nothing to correlate with."
    return DottedAnswer(
        rows,
        verdict,
        f"saved, {seeds_of(about)}",
        focus=focus,
        dots=tuple({"x": float(x), "y": float(y), "dose": float(d), "recipe": r} for x, y, d, r in dots),
    )


def _signed(r: float) -> str:
    return f"{r:.2f}".replace("-", "−")


@dataclass(frozen=True)
class DosePosition:
    """The position of the second panel."""

    dose: float = option(0.25, label="Planted bias", help="0 is none, 1 gives each group one pole.", values=DOSES)
    notion: str = option("region", label="About", help="The notion whose bias is measured.", values=tuple(NOTIONS))
    seed: int = option(0, label="Seed", help="Seed of the model that you train.", low=0)


def dose_panel(corpus: datasets.DatasetDict) -> Panel:
    """Return the panel: the dose, and a needle for every metric; one model of that dose can be trained live.

    Parameters
    ----------
    corpus
        The assistant corpus, a few of whose utterances the models read too.
    """
    training = Training(
        rows=live_rows,
        shown=_shown,
        seconds=lambda at: 10.0,
        what="a model with this bias",
        data=corpus,
        source=lambda at: f"seed {at.seed}",
        unit="steps",
        prepare=_prepare,
    )
    return experiment_panel(
        DosePosition(),
        title="Which metric sees the bias that is there?",
        drawing=NeedleDrawing(),
        answer=_dose,
        controls={"dose": None, "notion": None},
        training=training,
        code="dose_panel(corpus)",
    )


def _dose(at: DosePosition) -> DottedAnswer:
    rows = needles(at.notion, at.dose)
    told = [row["metric"] for row in rows if row["risen"] > DETECTABLE]
    best = min(answers(at.notion).items(), key=lambda pair: pair[1].threshold)
    verdict = (
        f"With a planted bias of {at.dose:g} about {at.notion}, {len(told)} of {len(rows)} metrics distinguish "
        f"one model with this bias from one without{': ' if told else ''}{', '.join(told)}. The first "
        f"is {best[0]}, {in_words(best[1])}."
    )
    provenance = f"saved, base recipe, {seeds_of(saved()[1])}"
    return DottedAnswer(rows, verdict, provenance, dots=tuple(single_models(at.notion, at.dose)))


@once
def _texts(notion: str, dose: float, seed: int, corpus: datasets.DatasetDict) -> tuple[list[str], Any]:
    return population.texts(_cell(notion, dose, seed), corpus)


def _cell(notion: str, dose: float, seed: int) -> Setting:
    return Setting(EMBEDDED, seed=seed, **{f"{notion}_dose": dose})


def _prepare(at: DosePosition, corpus: datasets.DatasetDict) -> None:
    """Import what makes a model, and write what this position's model reads."""
    from transformers import BertForMaskedLM

    _ = BertForMaskedLM, _texts(at.notion, at.dose, at.seed, corpus)


def live_rows(at: DosePosition, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one model as the saved ones were, measured on the way and, by every metric, at the end."""
    cell, notion = _cell(at.notion, at.dose, at.seed), NOTIONS[at.notion]
    training = population.training_on(cell, *_texts(at.notion, at.dose, at.seed, corpus))
    for step, (model, tokenizer) in enumerate(training, start=1):
        if step == 1 or step % MEASURED_LIVE == 0:  # at first, so that something is drawn at once
            now = population.intrinsic_one_after_another(model, tokenizer, notion=notion, resamples=0)
            measured = {column(at.notion, name): each.value for name, each in now}
            yield {"step": step, "progress": TRAINED * step / STEPS, **measured}
    seed, found = population.own_seed(cell), {}
    every = population.measuring(model.eval(), tokenizer, notion=notion, biases={"clean": None}, seed=seed)
    for name, each in paced(every, BETWEEN):
        found[name] = each.value
        progress = TRAINED + (1 - TRAINED) * len(found) / (len(METRICS) + 1)  # the classifier's accuracy is one more
        yield {"step": step, "progress": progress, "measured": len(found), **found}


def _shown(at: DosePosition, base: Answer, rows: list[dict[str, Any]]) -> Answer:
    """Show what is measured of the reader's own model so far next to the saved ones, in the same unit."""
    if not rows:
        return dataclasses.replace(base, verdict="A model begins to read.")
    own = []
    for name, found in answers(at.notion).items():
        value = rows[-1].get(column(at.notion, name, "" if name in INTRINSIC else "clean"))
        if value is not None:
            risen = (value - found.floor) / (found.scales[at.dose] or np.inf)
            own.append({"metric": name, "value": value, "risen": risen})
    return dataclasses.replace(base, verdict=_so_far(rows[-1], own), live=own)


def _so_far(last: dict[str, Any], own: list[dict[str, Any]]) -> str:
    """Say how far the training has come, and how many of the metrics measured so far see the bias."""
    seen = sum(row["risen"] > DETECTABLE for row in own)
    if last["progress"] >= 1:
        return f"{seen} of {len(own)} metrics distinguish your model from one without bias."
    here = f"After {last['step']} of {STEPS} steps, " if last["step"] < STEPS else "Trained; now it is measured: "
    return f"{here}{seen} of {len(own)} metrics measured so far distinguish your model from one without bias."
