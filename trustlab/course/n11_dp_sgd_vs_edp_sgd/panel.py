"""The panel of notebook 11: accuracy against seconds at one ε, for every way to train; and one training live.

It answers at once from the tuned trainings, whose seconds are those of an idle machine. Its button trains the chosen
method with the same options, and shows accuracy and seconds on the reader's own machine.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from trustlab.config import option
from trustlab.course.budgets import budget_label
from trustlab.course.corpora import EMBEDDED, noting_own
from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import CORPORA, MODEL, Setting, by_length, prepare, recipe, tuned
from trustlab.course.n11_dp_sgd_vs_edp_sgd.results import EPSILONS, MEASURES, saved, seconds_and_accuracy
from trustlab.course.n11_dp_sgd_vs_edp_sgd.training_seconds import WAYS, rounded_seconds
from trustlab.course.once import once
from trustlab.data.own import is_own
from trustlab.lab.curves import Curves
from trustlab.lab.display import per_cent
from trustlab.lab.experiment_panel import Training, experiment_panel
from trustlab.lab.figures import FONT_POINTS, GREY
from trustlab.lab.panel import Answer, Panel
from trustlab.lab.saved import CORPUS_NAMES, remembered, saved_over
from trustlab.privacy.training_options import TrainConfig

if TYPE_CHECKING:
    import datasets

ROWS_PER_RUN = 50  # a live training shows its progress this often …
TUNED_ON = 16_000  # training utterances of the embedded corpus, on which settings were chosen
MEASURED_LIVE = 500  # … on so many validation utterances, so that showing takes little of its time
_encoded = once(prepare)  # a corpus is encoded once, for every training of it


@dataclasses.dataclass(frozen=True)
class Place:
    """The position of the panel."""

    corpus: str = option(EMBEDDED, label="Corpus", help="One of the corpora compared.", values=CORPORA)
    epsilon: float = option(
        8.0, label="ε", help="The same for every private method, accounted for what it really clips.", values=EPSILONS
    )
    way: str = option("fast", label="Way", help="A method, and how its step is computed.", values=tuple(WAYS))
    measure: str = option("accuracy", label="Score", help="What is counted.", values=tuple(MEASURES))
    seed: int = option(0, label="Seed", help="Seed of weights, batches and noise.", low=0)

    @property
    def setting(self) -> Setting:
        """The tuned training at this position."""
        method = WAYS[self.way].method
        return tuned(self.corpus, method, math.inf if method == "sgd" else self.epsilon, self.seed)


def budget_panel(corpus: datasets.DatasetDict, name: str) -> Panel:
    """Return the panel: ε, the way to train and the score, over the tuned trainings; one of them can be trained live.

    Parameters
    ----------
    corpus
        What :func:`trustlab.data.load` returned; the live training reads it.
    name
        Its name, under which the results are saved.
    """
    training = Training(
        rows=live_rows,
        shown=_shown,
        seconds=lambda place: _seconds(place) * smaller(corpus),
        what="this point",
        data=corpus,
        decides=lambda place: place.setting,
        source=_source,
        unit="steps",
        prepare=prepare_live,
    )
    return experiment_panel(
        Place(name),
        title="What do accuracy and privacy cost in seconds?",
        drawing=PriceDrawing(),
        answer=noting_own(answer, corpus),
        controls={
            "epsilon": [(budget_label(epsilon), epsilon) for epsilon in EPSILONS],
            "way": [(way.label, name) for name, way in WAYS.items()],
            "measure": [(label, measure) for measure, label in MEASURES.items()],
        },
        training=training,
        code=f'budget_panel(corpus, "{name}")',
    )


# The saved answer


@remembered
def answer(place: Place) -> Answer:
    """Read the tuned trainings at the panel's position."""
    rows = seconds_and_accuracy(place.corpus, place.epsilon, place.measure)
    tested = {row["way"]: row for row in rows if row["from"].startswith("test")}
    way = WAYS[place.way]
    here, plain, fast = (tested[each.label] for each in (way, WAYS["sgd"], WAYS["fast"]))
    budget = "Without privacy" if way.method == "sgd" else f"At ε = {budget_label(place.epsilon)}"
    others = [("SGD without privacy", plain), ("exact DP-SGD in one pass", fast)]
    beside = " and ".join(f"{name} {_score(row)}" for name, row in others if row is not here)
    k = f" with K = {here['K']}" if here["K"] else ""
    verdict = (
        f"{budget}, {way.label}{k} reaches {_score(here)} on {CORPUS_NAMES[place.corpus]} "
        f"({MEASURES[place.measure]}); {beside}."
    )
    return Answer(rows, verdict, source_of(place.corpus), focus={"way": way.label, "K": here["K"]})


def _score(row: dict[str, Any]) -> str:
    return f"{per_cent(row['score'])} in {rounded_seconds(row['seconds'])}"


def source_of(corpus: str) -> str:
    """Say where the saved numbers come from."""
    said = "every method tuned at this ε; seconds of one idle CPU thread, computed from its benchmark"
    return f"{saved_over(saved(corpus)[1])}; {said}; δ = 1e-5, add/remove one utterance"


# The live training


def prepare_live(place: Place, corpus: datasets.DatasetDict) -> None:
    """Import and encode what :func:`live_rows` begins with, so that its first row comes soon."""
    import torch._dynamo  # noqa: F401  # the first optimizer would import it, which takes seconds

    import trustlab.models
    import trustlab.privacy.fast  # noqa: F401

    _encoded(corpus)


def live_rows(place: Place, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train what was tuned for this position, as the saved trainings were, with more rows on the way."""
    from trustlab.models import build
    from trustlab.privacy import train

    vocabulary, data = _encoded(corpus)
    config = fitted(recipe(place.setting), corpus)
    steps = config.epochs * round(len(data["train"]) / config.batch_size)
    config = dataclasses.replace(config, evaluate_every=max(1, steps // ROWS_PER_RUN))
    measured = data["validation"][:MEASURED_LIVE]
    splits = {"train": by_length(data["train"]), "validation": measured}
    with _one_thread():
        for row in train(build(MODEL, vocabulary, seed=place.seed), splits, config):
            yield {**row, "measured on": len(measured)}


def fitted(config: TrainConfig, corpus: datasets.DatasetDict) -> TrainConfig:
    """Return a recipe for a corpus of the reader's own: on a small one a step takes the same share of it.

    Settings were chosen on the embedded corpus. With its sampling rate and its steps a smaller corpus needs the same σ,
    on fewer gradients: what small data cost is then seen and not hidden in other settings.
    """
    if not is_own(corpus):
        return config
    batch = max(1, round(config.batch_size * smaller(corpus)))
    return dataclasses.replace(config, batch_size=batch, micro_batches=min(config.micro_batches, batch))


def smaller(corpus: datasets.DatasetDict) -> float:
    """Return the size of a reader's own training split over that of the embedded corpus, at most 1; 1 of others."""
    return min(1.0, corpus["train"].num_rows / TUNED_ON) if is_own(corpus) else 1.0


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


def _source(place: Place) -> str:
    """Say what is trained live: each method by its quickest way, which releases the same sums."""
    quick = {"loop": "fast", "opacus": "fast", "passes": "groups"}.get(place.way)
    by = f", computed as “{WAYS[quick].label}”: the same sums" if quick else ""
    return f"seed {place.seed}{by}"


def _shown(place: Place, base: Answer, rows: list[dict[str, Any]]) -> Answer:
    """Show on the saved comparison how far the reader's own training has come, and in how many seconds."""
    if not rows:
        return dataclasses.replace(base, verdict=f"{WAYS[place.way].label} is training.")
    last, epochs = rows[-1], place.setting.epochs
    spent = "no guarantee" if math.isinf(last["epsilon"]) else f"ε = {last['epsilon']:.2f} spent"
    verdict = (
        f"After {last['epoch']:.1f} of {epochs} epochs and {rounded_seconds(last['seconds'])}: "
        f"{per_cent(last['accuracy'])} of the intents right, slot F1 {per_cent(last['slot_f1'])} on "
        f"{last['measured on']} validation utterances, {spent}."
    )
    points = [
        {"seconds": row["seconds"], "score": row[place.measure], **{name: row[name] for name in ("epsilon", "epoch")}}
        for row in rows
    ]
    return dataclasses.replace(base, verdict=verdict, live=points)


def _seconds(place: Place) -> float:
    """Return how long the button's training takes on an idle core: each method by its quickest way."""
    rows = seconds_and_accuracy(place.corpus, place.epsilon)
    k = place.setting.micro_batches
    return min(row["seconds"] for row in rows if _method_of(row) == WAYS[place.way].method and row["K"] == k)


def _method_of(row: dict[str, Any]) -> str:
    return next(way.method for way in WAYS.values() if way.label == row["way"])


class PriceDrawing(Curves):
    """A point for each way to train, seconds on a logarithmic axis; eDP-SGD's points with their K, connected."""

    def __init__(self) -> None:
        super().__init__(
            x="seconds", y="score", series="way", log_x=True, live_line=True, width=860, height=390,
            x_label="seconds of a whole training", y_label="score on the test split", y_limits=(0.0, 1.04),
            legend={"ncols": 3, "fontsize": FONT_POINTS - 0.5},
        )  # fmt: skip
        self.figure.subplots_adjust(left=0.085, right=0.98, bottom=0.15, top=0.84)
        self._ks: list[Any] = []

    def draw(self, answer: Answer) -> None:
        """Move the points, and write K at those of eDP-SGD."""
        super().draw(answer)
        named = [row for row in answer.numbers if row["K"]]
        while len(self._ks) < len(named):
            place = dict(textcoords="offset points", ha="center", color=GREY, fontsize=FONT_POINTS - 1)
            self._ks.append(self.axes.annotate("", (1, 0), xytext=(0, -16), **place))
        for text in self._ks:
            text.set_visible(False)
        for text, row in zip(self._ks, named, strict=False):
            text.xy = row["seconds"], row["score"]
            text.set_text(f"K = {row['K']}")
            text.set_visible(True)

    def shown(self) -> dict[str, Any]:
        """Return what is drawn, and what is written at eDP-SGD's points."""
        return {**super().shown(), "written": [text.get_text() for text in self._ks if text.get_visible()]}
