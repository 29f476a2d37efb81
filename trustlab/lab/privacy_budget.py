"""The panels that move a privacy budget over the saved comparison, and train one point of it live."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trustlab.config import option
from trustlab.intervals import mean_interval
from trustlab.lab.curves import Curves
from trustlab.lab.figures import FONT_POINTS, PALETTE
from trustlab.lab.panel import Answer, Panel
from trustlab.privacy.comparison import EPSILON_OF_KS, METHODS, Cell, K, prepare, recipe, result_name, shown
from trustlab.runs import RunStore, read_results

if TYPE_CHECKING:
    import datasets
    import pandas

MEASURES = {"accuracy": "intent accuracy", "slot_f1": "slot F1", "accuracy_rare": "accuracy on rare intents"}
STRENGTH = {1.0: "strong", 2.0: "fair", 4.0: "moderate", 8.0: "weak", math.inf: "none"}
PRIVATE = {label: method for method, label in METHODS.items() if method != "sgd"}
AXES: dict[str, Any] = {
    "x": "epsilon",
    "y": "value",
    "series": "method",
    "x_label": "ε, the privacy budget (smaller is more private)",
    "y_limits": (0.0, 1.02),
}
ROWS_PER_RUN = 50  # a live training shows its progress this often …
MEASURED_LIVE = 500  # … on so many validation utterances, so that showing takes little of its time


@dataclasses.dataclass(frozen=True)
class BudgetDials:
    """What can be moved over the saved grid."""

    method: str = option("dp-sgd", label="Method", help="DP-SGD clips each example; eDP-SGD clips micro-batches.")
    epsilon: float = option(8.0, label="ε", help="Privacy budget: smaller means stronger privacy and more noise.")
    measure: str = option("accuracy", label="Measure", help="What is measured on the test split.")


@functools.lru_cache
def saved(corpus: str) -> tuple[pandas.DataFrame, dict[str, Any]]:
    """Return the committed comparison on `corpus`, one row per training with the usual K, and its provenance."""
    table, about = read_results(result_name(corpus))
    return table[table["micro_batches"].isin((0, K))], about


def micro_batches_against_accuracy(corpus: str) -> list[dict[str, Any]]:
    """Return what K costs and gives at ε = 8: DP-SGD as K = B, eDP-SGD for each K, with 95 % intervals over seeds."""
    table, _ = read_results(result_name(corpus))
    rows = []
    for (method, k), runs in table[table["epsilon"] == EPSILON_OF_KS].groupby(["method", "micro_batches"]):
        accuracy = mean_interval(list(runs["accuracy"]))
        row = {"method": METHODS[method], "K": int(k) or "every example", "accuracy": accuracy.mean}
        row |= {"low": accuracy.low, "high": accuracy.high, "slot F1": runs["slot_f1"].mean()}
        rows.append((method == "dp-sgd", k, row))
    return [row for *_, row in sorted(rows, key=lambda entry: entry[:2])]


def curves_of(table: pandas.DataFrame, measure: str) -> list[dict[str, Any]]:
    """Return one row per private method and ε: mean over seeds and 95 % interval of `measure`."""
    rows = []
    for (method, epsilon), runs in table[table["method"] != "sgd"].groupby(["method", "epsilon"]):
        mean, low, high, _ = mean_interval(list(runs[measure]))
        rows.append({"method": METHODS[method], "epsilon": epsilon, "value": mean, "low": low, "high": high})
    return rows


def answer(dials: BudgetDials, corpus: str) -> Answer:
    """Read the saved grid at the dials' position."""
    table, about = saved(corpus)
    rows = curves_of(table, dials.measure)
    focus = {"method": METHODS[dials.method], "epsilon": dials.epsilon}
    here = next(row for row in rows if all(row[name] == value for name, value in focus.items()))
    plain = table[table["method"] == "sgd"][dials.measure].mean()
    budget = "without noise" if math.isinf(dials.epsilon) else f"at ε = {dials.epsilon:g} ({STRENGTH[dials.epsilon]})"
    verdict = (
        f"{focus['method']} {budget} reaches {MEASURES[dials.measure]} {here['value']:.0%} on {_called(corpus)}; "
        f"without privacy the same model reaches {plain:.0%}."
    )
    seeds = about["seeds"]
    source = f"saved, mean and 95 % interval over seeds {seeds[0]}–{seeds[-1]}; δ = 1e-5, add/remove one utterance"
    return Answer(rows, verdict, source, focus=focus)


def budget_panel(corpus: datasets.DatasetDict, name: str) -> Panel:
    """Return the panel of notebook 11: method, ε and measure over the saved grid, and one point trained live.

    Parameters
    ----------
    corpus
        What :func:`trustlab.data.load` returned; the live training reads it.
    name
        Its name, under which the saved results lie.
    """
    table, _ = saved(name)
    epsilons = sorted(set(table["epsilon"]))
    return Panel(
        BudgetDials(),
        title="What does a privacy budget cost?",
        drawing=Curves(**AXES, grid=epsilons, y_label="score on the test split", live_line=True),
        answer=functools.partial(answer, corpus=name),
        controls={
            "epsilon": [(_budget(epsilon), epsilon) for epsilon in epsilons],
            "method": list(PRIVATE.items()),
            "measure": [(label, measure) for measure, label in MEASURES.items() if measure != "accuracy_rare"],
        },
        train=functools.partial(_train, corpus=corpus, name=name),
        live=functools.partial(_live, name=name, measured=min(MEASURED_LIVE, len(corpus["validation"]))),
        train_label=f"Train this point, about {_duration(table)}",
    )


def _train(dials: BudgetDials, *, corpus: datasets.DatasetDict, name: str) -> Iterator[dict[str, Any]]:
    """Train one cell of the comparison, as it was trained for the saved grid, with more rows on the way.

    The run store keeps it, also when it is stopped: a reader's result is not lost with the kernel.
    """
    from trustlab.data import fingerprint
    from trustlab.models import build
    from trustlab.privacy import accounting, clipping, comparison, train, training

    vocabulary, data = prepare(corpus)
    config = recipe(Cell(name, dials.method, dials.epsilon))
    steps = config.epochs * round(len(data["train"]) / config.batch_size)
    config = dataclasses.replace(config, evaluate_every=max(1, steps // ROWS_PER_RUN))
    data = {"train": data["train"], "validation": data["validation"][:MEASURED_LIVE]}
    rows = train(build("bilstm", vocabulary), data, config)
    code = [comparison, training, clipping, accounting]
    about = dict(seeds=[config.seed], data_hash=fingerprint(corpus), code=code)
    live = {"training": config, "model": "bilstm", "validation": len(data["validation"])}
    yield from RunStore().record(rows, config=live, **about)


def _live(dials: BudgetDials, rows: list[dict[str, Any]], *, name: str, measured: int) -> Answer:
    """Show the saved grid and, on it, how far the reader's own training has come at the ε it has spent."""
    base = answer(dials, name)
    if not rows:
        return Answer(base.numbers, f"{METHODS[dials.method]} is training.", "seed 0", focus=base.focus)
    last, epochs = rows[-1], recipe(Cell(name, dials.method, dials.epsilon)).epochs
    spent = "no guarantee" if math.isinf(last["epsilon"]) else f"ε = {last['epsilon']:.2f} spent"
    verdict = (
        f"After {last['epoch']:.1f} of {epochs} epochs: {MEASURES[dials.measure]} {last[dials.measure]:.0%} on "
        f"{measured} validation utterances, {spent}."
    )
    points = [{"epsilon": row["epsilon"], "value": row[dials.measure], "epoch": row["epoch"]} for row in rows]
    return Answer(base.numbers, verdict, "seed 0", focus=base.focus, live=points)


def first_picture(corpus: datasets.DatasetDict) -> Panel:
    """Return the panel of notebook 00: move ε and read what the model still understands.

    Parameters
    ----------
    corpus
        The embedded corpus, ``load("assistant")``.
    """
    texts = [(" ".join(row["tokens"]), row["intent"]) for row in (corpus["test"][i] for i in shown(corpus))]
    epsilons = sorted(set(saved("assistant")[0]["epsilon"]))
    return Panel(
        BudgetDials(),
        title="How much privacy can this assistant afford?",
        drawing=BudgetDrawing(epsilons),
        answer=functools.partial(_first_answer, texts=texts),
        controls={
            "epsilon": [(_budget(epsilon), epsilon) for epsilon in epsilons],
            "method": list(PRIVATE.items()),
        },
    )


@dataclasses.dataclass(frozen=True)
class UtteranceAnswer(Answer):
    """An answer that also shows utterances: (text, true intent, predicted intent) each."""

    utterances: tuple[tuple[str, str, str], ...] = ()


def _first_answer(dials: BudgetDials, texts: list[tuple[str, str]]) -> UtteranceAnswer:
    base = answer(dials, "assistant")
    table, _ = saved("assistant")
    chosen = (table["method"] == dials.method) & (table["epsilon"] == dials.epsilon) & (table["seed"] == 0)
    predicted = table[chosen]["answers"].iloc[0].split("|")
    utterances = tuple((text, true, guess) for (text, true), guess in zip(texts, predicted, strict=True))
    right = sum(true == guess for _, true, guess in utterances)
    verdict = f"{base.verdict} Of the {len(utterances)} utterances shown, it understands {right}."
    source = f"{base.provenance}; utterances: seed 0"
    return UtteranceAnswer(base.numbers, verdict, source, focus=base.focus, utterances=utterances)


class BudgetDrawing(Curves):
    """The curves on the left, utterances and what the model takes them for on the right."""

    def __init__(self, epsilons: list[float]) -> None:
        plain = saved("assistant")[0].query("method == 'sgd'")["accuracy"].mean()
        reference = {"without privacy": plain}
        super().__init__(**AXES, grid=epsilons, y_label="intent accuracy", references=reference, width=900)
        self.figure.subplots_adjust(right=0.50)
        self._right = self.figure.add_axes((0.54, 0.0, 0.46, 1.0))
        self._right.axis("off")
        self._texts: list[Any] = []
        self._title = self._right.text(0.0, 0.93, "", fontsize=FONT_POINTS + 1, fontweight="bold")

    def draw(self, answer: UtteranceAnswer) -> None:
        """Move the curves, and rewrite what the model takes each utterance for."""
        super().draw(answer)
        self._title.set_text("What the model takes an utterance for")
        while len(self._texts) < len(answer.utterances):
            y = 0.83 - 0.14 * len(self._texts)
            said = self._right.text(0.0, y, "", fontsize=FONT_POINTS)
            heard = self._right.text(0.02, y - 0.06, "", fontsize=FONT_POINTS)
            self._texts.append((said, heard))
        for (said, heard), (text, true, guess) in zip(self._texts, answer.utterances, strict=True):
            right = true == guess
            said.set_text(f"“{text}”")
            heard.set_text(f"✓ {guess}" if right else f"✗ {guess}   (it is {true})")
            heard.set_color(PALETTE[2] if right else PALETTE[1])


def _called(corpus: str) -> str:
    return "the embedded corpus" if corpus == "assistant" else corpus.upper()


def _budget(epsilon: float) -> str:
    return "∞ (none)" if math.isinf(epsilon) else f"{epsilon:g} ({STRENGTH[epsilon]})"


def _duration(table: pandas.DataFrame) -> str:
    """Return how long a private training took here, rounded up to half a minute, as a reader would say it."""
    seconds = table[table["method"] != "sgd"].groupby("method")["seconds"].median().max()
    return f"{math.ceil(seconds / 30) / 2:g} min"
