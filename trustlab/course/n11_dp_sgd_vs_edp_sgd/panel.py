"""The panel of notebook 11: what a privacy budget costs, by method, clipping rule and noise decay; and one point live.

It answers at once from the saved comparison, whose :class:`~trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment.Setting`
is the panel's position. Not every position was trained for that: where one was not, the panel says why, and its button
trains it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trustlab.course.budgets import EPSILONS, budget_label
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import (
    DECAYS,
    EMBEDDED,
    MODELS,
    RULES,
    Setting,
    prepare,
    recipe,
    usual,
)
from trustlab.course.n11_dp_sgd_vs_edp_sgd.results import PRIVATE, curves_of, saved
from trustlab.course.once import once
from trustlab.lab.curves import Curves, write_key
from trustlab.lab.display import per_cent
from trustlab.lab.experiment_panel import Training, experiment_panel
from trustlab.lab.figures import FONT_POINTS, Drawing
from trustlab.lab.panel import Answer, Panel
from trustlab.lab.saved import CORPUS_NAMES, remembered, saved_over, select

if TYPE_CHECKING:
    import datasets
    import pandas

AXES: dict[str, Any] = {
    "x": "epsilon",
    "y": "accuracy",
    "series": "method",
    "x_label": "ε, the privacy budget (smaller is more private)",
    "y_limits": (0.0, 1.02),  # fixed: readers compare pictures
    "grid": EPSILONS,
}
VARIANT = "with this rule and γ"  # the line that a variant gets, next to its method's
LIVE = "bilstm"  # the model that varies in the saved comparison, and that is trained live
ROWS_PER_RUN = 50  # a live training shows its progress this often …
MEASURED_LIVE = 500  # … on so many validation utterances, so that showing takes little of its time
_encoded = once(prepare)  # a corpus is encoded once, for every training of it


def budget_panel(corpus: datasets.DatasetDict, name: str) -> Panel:
    """Return the panel: ε, method, clipping rule and decay over the saved comparison, and one point trained live.

    Parameters
    ----------
    corpus
        What :func:`trustlab.data.load` returned; the live training reads it.
    name
        Its name, under which the results are saved.
    """
    decays = {1.0: "1, constant", DECAYS[1]: f"{DECAYS[1]:g} per epoch"}
    training = Training(
        rows=live_rows,
        shown=_shown,
        seconds=_seconds,
        what="this point",
        data=corpus,
        decides=_live_setting,
        source=_source,
        unit="steps",
        prepare=prepare_live,
    )
    return experiment_panel(
        Setting(name, "dp-sgd", 8.0),
        title="What does a privacy budget cost?",
        drawing=BudgetDrawing(),
        answer=answer,
        controls={
            "epsilon": [(budget_label(epsilon), epsilon) for epsilon in EPSILONS],
            "method": [(label, method) for method, label in PRIVATE.items()],
            "rule": [(label, rule) for rule, label in RULES.items()],
            "noise_decay": [(label, decay) for decay, label in decays.items()],
        },
        training=training,
        code=f'budget_panel(corpus, "{name}")',
    )


# The saved answer


@remembered
def answer(position: Setting) -> Answer:
    """Read the saved comparison at the panel's position, or say why nothing was saved there."""
    table, _ = saved(position.corpus)
    rows, variant = curves_of(usual(table)), _variant(position)
    if variant:
        rows += [{**row, "method": VARIANT} for row in curves_of(_trained(table, position))]
    focus = {"method": VARIANT if variant else PRIVATE[position.method], "epsilon": position.epsilon}
    here = [row for row in rows if all(row[name] == value for name, value in focus.items())]
    if not here:
        said = with_budget(_named(position), position.epsilon)
        verdict = f"{said} has no saved training: {_why_not(position)} The button trains this point."
    else:
        beside = _beside_the_usual(position, rows) if variant else _beside_no_privacy(table)
        verdict = (
            f"{with_budget(_named(position), position.epsilon)} gets {_share(here)} of the intents right on "
            f"{CORPUS_NAMES[position.corpus]}, slot F1 {_f1(here)}; {beside}."
        )
    return Answer(rows, verdict, source_of(position.corpus), focus=focus)


def _beside_no_privacy(table: pandas.DataFrame) -> str:
    """Say what plain SGD reaches, on both models."""
    plain = table[table["method"] == "sgd"].groupby("model")[["accuracy", "slot_f1"]].mean()
    rows = [{"model": MODELS[model], **plain.loc[model]} for model in MODELS]
    return f"without privacy {_share(rows)}, slot F1 {_f1(rows)}"


def _beside_the_usual(position: Setting, rows: list[dict[str, Any]]) -> str:
    """Say what the same method reaches, on the model that varies, when nothing is varied."""
    at = {"model": MODELS[LIVE], "method": PRIVATE[position.method], "epsilon": position.epsilon}
    (base,) = (row for row in rows if all(row[name] == value for name, value in at.items()))
    return f"with the flat rule and constant noise {per_cent(base['accuracy'])}, slot F1 {_f1([base])}"


def _named(position: Setting) -> str:
    """Name the method, and what is varied about it."""
    variant = _variant(position)
    return f"{PRIVATE[position.method]}, {variant}," if variant else PRIVATE[position.method]


def _share(rows: list[dict[str, Any]]) -> str:
    return " and ".join(f"{per_cent(row['accuracy'])} ({row['model']})" for row in rows)


def _f1(rows: list[dict[str, Any]]) -> str:
    return " and ".join(per_cent(row["slot_f1"]) for row in rows)


def _variant(position: Setting) -> str:
    """Name what differs from the flat rule and constant noise; empty when nothing does."""
    words = [f"clipping {RULES[position.rule]}"] if position.rule != "flat" else []
    words += [f"γ = {position.noise_decay:g}"] if _decay(position) != 1 else []
    return ", ".join(words)


def _decay(position: Setting) -> float:
    """Return γ, which is 1 where there is no noise to shrink."""
    return position.noise_decay if math.isfinite(position.epsilon) else 1.0


def _trained(table: pandas.DataFrame, position: Setting) -> pandas.DataFrame:
    """Return the saved trainings of the chosen variant, at every ε and for the model that varies."""
    key = dataclasses.replace(position, model=LIVE, noise_decay=_decay(position)).key()
    at = {name: key[name] for name in ("model", "method", "micro_batches", "rule", "noise_decay")}
    return select(table, **at)


def _why_not(position: Setting) -> str:
    """Say why the saved comparison has no such training."""
    if position.corpus != EMBEDDED:
        return "rules and decay were varied on the embedded corpus only."
    if position.method == "dp-sgd":
        return "the loop is too slow; the fast engine clips the same gradients."
    return "rule and decay were varied one at a time."


def with_budget(label: str, epsilon: float) -> str:
    """Name a method after what it promises, to begin a sentence with.

    Examples
    --------
    >>> with_budget("DP-SGD", 8.0), with_budget("DP-SGD", math.inf)
    ('At ε = 8 (weak), DP-SGD', 'Without noise, DP-SGD')
    """
    return f"Without noise, {label}" if math.isinf(epsilon) else f"At ε = {budget_label(epsilon)}, {label}"


def source_of(corpus: str) -> str:
    """Say where the saved numbers come from."""
    return f"{saved_over(saved(corpus)[1])}; δ = 1e-5, add/remove one utterance"


# The live training


def _live_setting(position: Setting) -> Setting:
    """Return what is trained live: DP-SGD by the fast engine, which releases the same sums in a fraction of the time.

    Examples
    --------
    >>> _live_setting(Setting(method="dp-sgd")).method, _live_setting(Setting(method="edp-sgd")).method
    ('fast', 'edp-sgd')
    """
    return dataclasses.replace(position, method="fast") if position.method == "dp-sgd" else position


def prepare_live(position: Setting, corpus: datasets.DatasetDict) -> None:
    """Import and encode what :func:`live_rows` begins with, so that its first row comes soon."""
    import torch._dynamo  # noqa: F401  # the first optimizer would import it, which takes seconds

    import trustlab.models
    import trustlab.privacy.fast  # noqa: F401

    _encoded(corpus)


def live_rows(position: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one cell of the comparison, as the saved ones were trained, with more rows on the way."""
    from trustlab.models import build
    from trustlab.privacy import train

    vocabulary, data = _encoded(corpus)
    config = recipe(_live_setting(position))
    steps = config.epochs * round(len(data["train"]) / config.batch_size)
    config = dataclasses.replace(config, evaluate_every=max(1, steps // ROWS_PER_RUN))
    measured = data["validation"][:MEASURED_LIVE]
    with _one_thread():
        for row in train(build(LIVE, vocabulary), {"train": data["train"], "validation": measured}, config):
            yield {**row, "measured on": len(measured)}


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Let torch compute on one thread for the while, as for the saved comparison.

    So small a model gains little from a second one, and on cores that something else needs as well torch's threads
    wait for one another: on two busy ones a training took 16 s by one thread, and was not done after 400 s by two.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _source(position: Setting) -> str:
    """Say what is trained live."""
    engine = ", by the fast engine: the same sums as the loop's" if _live_setting(position) != position else ""
    return f"{MODELS[LIVE]}, seed {position.seed}{engine}"


def _shown(position: Setting, base: Answer, rows: list[dict[str, Any]]) -> Answer:
    """Show on the saved comparison how far the reader's own training has come, at the ε it has spent."""
    if not rows:
        return dataclasses.replace(base, verdict=f"{PRIVATE[position.method]} is training.")
    last, epochs = rows[-1], recipe(position).epochs
    spent = "no guarantee" if math.isinf(last["epsilon"]) else f"ε = {last['epsilon']:.2f} spent"
    verdict = (
        f"After {last['epoch']:.1f} of {epochs} epochs: {per_cent(last['accuracy'])} of the intents right, slot F1 "
        f"{per_cent(last['slot_f1'])} on {last['measured on']} validation utterances, {spent}."
    )
    points = [{name: row[name] for name in ("epsilon", "accuracy", "slot_f1", "epoch")} for row in rows]
    return dataclasses.replace(base, verdict=verdict, live=points)


def _seconds(position: Setting) -> float:
    """Return how long the slower of the quick methods trained for the saved comparison."""
    table, _ = saved(position.corpus)
    quick = table[table["method"].isin({_live_setting(Setting(method=method)).method for method in PRIVATE})]
    return usual(quick[quick["model"] == LIVE]).groupby("method")["seconds"].median().max()


class BudgetDrawing(Drawing):
    """The curves of both models side by side, on one scale."""

    def __init__(self) -> None:
        super().__init__(width=860, height=350)
        self.figure.subplots_adjust(left=0.08, right=0.985, bottom=0.213, top=0.797, wspace=0.08)
        write_key(self.figure)
        self.panes: dict[str, Curves] = {}
        for model, axes in zip(MODELS.values(), self.figure.subplots(1, 2, sharey=True), strict=True):
            first = not self.panes
            look = dict(y_label="intent accuracy" if first else "", legend_at=1.08 if first else None)
            self.panes[model] = Curves(**AXES, **look, axes=axes, live_line=True)
            axes.set_title(model, fontsize=FONT_POINTS + 1, loc="left")

    def draw(self, answer: Answer) -> None:
        """Move each model's curves; the reader's own run belongs to the model that is trained live."""
        for model, pane in self.panes.items():
            numbers = [row for row in answer.numbers if row["model"] == model]
            live = answer.live if model == MODELS[LIVE] else ()
            pane.draw(dataclasses.replace(answer, numbers=numbers, live=live))

    def shown(self) -> dict[str, Any]:
        """Return what each model's pane shows."""
        return {model: pane.shown() for model, pane in self.panes.items()}
