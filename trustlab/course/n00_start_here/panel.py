"""The panel of notebook 00: move ε, read what it promises and what the model still understands; type a sentence.

Its picture comes without torch: a saved table for the curves, and saved taggers, read by NumPy, for the sentences.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from typing import TYPE_CHECKING, Any

from trustlab.config import option
from trustlab.course.budgets import DELTA, EPSILONS, budget_label
from trustlab.course.n00_start_here.drawing import FirstDrawing
from trustlab.course.n00_start_here.tagger import Understood
from trustlab.course.n00_start_here.trained import tagger
from trustlab.guessing import best_hit_rate, written_rate
from trustlab.lab.display import per_cent
from trustlab.lab.panel import Answer, Panel
from trustlab.lab.saved import over_seeds, read, saved_over, select

if TYPE_CHECKING:
    import pandas

TABLE = "dp_sgd_vs_edp_sgd_assistant"  # the comparison of notebook 11
METHODS = {"dp-sgd": "DP-SGD", "edp-sgd": "eDP-SGD"}
# DP-SGD's trainings are those of the fast engine, which releases the same sums as the loop: notebook 11 explains both.
COLUMN = {"fast": "DP-SGD", "edp-sgd": "eDP-SGD"}
# Chosen by hand: what a person would say, and what it means. None is in the corpus.
SENTENCES = (
    ("what is the weather in paris tomorrow", "get_weather"),
    ("we are out of milk and eggs", "add_to_list"),
    ("call me a taxi to the airport", "book_taxi"),
    ("wake me up at seven tomorrow", "set_alarm"),
    ("i put the keys in the kitchen", "remember_fact"),
    ("i do not have to get up at seven tomorrow", "cancel_alarm"),
)


@dataclasses.dataclass(frozen=True)
class Place:
    """The position of the panel."""

    epsilon: float = option(
        8.0,
        label="ε",
        help="The privacy budget: a smaller ε allows an attacker fewer right bets, and adds more noise.",
        values=EPSILONS,
    )
    method: str = option(
        "dp-sgd",
        label="Method",
        help="How noise is added. Both give the same guarantee at the same ε; notebook 11 explains them.",
        values=tuple(METHODS),
    )
    sentence: str = option("", label="Your sentence", help="Type what you would say to a voice assistant, in English.")


@dataclasses.dataclass(frozen=True)
class UtteranceAnswer(Answer):
    """An answer that also shows sentences: (text, true intent, predicted intent) each, and the reader's own."""

    utterances: tuple[tuple[str, str, str], ...] = ()
    own: tuple[str, Understood] | None = None


def first_picture(*, typed: bool = True) -> Panel:
    """Return the panel of notebook 00.

    Parameters
    ----------
    typed
        Whether the reader can type a sentence of their own, which takes a kernel.
    """
    trainings = _trainings()
    plain = trainings[trainings["method"] == "sgd"]["accuracy"].mean()
    return Panel(
        Place(),
        title="How much privacy can this assistant afford?",
        drawing=FirstDrawing(plain, typed=typed),
        answer=functools.partial(_answer, curves=_curves(trainings), plain=plain),
        controls={
            "epsilon": [(budget_label(epsilon), epsilon) for epsilon in EPSILONS],
            "method": [(label, method) for method, label in METHODS.items()],
            **({"sentence": None} if typed else {}),
        },
        code="first_picture()",
    )


def _answer(place: Place, curves: list[dict[str, Any]], plain: float) -> UtteranceAnswer:
    """Say what is promised at the panel's position, what the trainings reach, and what one of them understands."""
    focus = {"method": METHODS[place.method], "epsilon": place.epsilon}
    (here,) = (row for row in curves if all(row[name] == value for name, value in focus.items()))
    utterances = _understood(place.method, place.epsilon)
    right = sum(true == guess for _, true, guess in utterances)
    parts = [
        _promise(place.epsilon),
        f"{focus['method']} understands {per_cent(here['accuracy'])} of the test sentences (without privacy: "
        f"{per_cent(plain)}) and {right} of the {len(utterances)} shown here.",
    ]
    own = tagger(place.method, place.epsilon).understand(place.sentence)
    if own is not None:
        heard = own.intent.replace("_", " ")
        parts.append(f"It takes your sentence for **{heard}** ({per_cent(own.share)} sure).")
    source = f"{saved_over(read(TABLE)[1])}; δ = 1e-5, add/remove one sentence; the sentences shown: seed 0"
    said = None if own is None else (place.sentence.strip(), own)
    return UtteranceAnswer(curves, " ".join(parts), source, focus=focus, utterances=utterances, own=said)


def _promise(epsilon: float) -> str:
    """Say what ε means to a person whose sentence was in the training data."""
    bets = "an attacker who bets on whether a sentence of yours was in the training data"
    if math.isinf(epsilon):
        return f"**Without noise** nothing is promised: {bets} may be right every time."
    rate = written_rate(best_hit_rate(epsilon, DELTA))
    words = f"**At ε = {budget_label(epsilon)}**, {bets} is right at most {rate} of the time (a coin: 50 %)."
    return words.replace(" %", "\N{NO-BREAK SPACE}%")


@functools.cache
def _understood(method: str, epsilon: float) -> tuple[tuple[str, str, str], ...]:
    """Return the sentences shown, what they mean, and what the saved tagger takes them for."""
    listener = tagger(method, epsilon)
    heard = [(text, true, listener.understand(text)) for text, true in SENTENCES]
    return tuple((text, true, understood.intent) for text, true, understood in heard if understood)


def _trainings() -> pandas.DataFrame:
    """Return the trainings that this panel is about: without any variant of notebook 11."""
    return select(read(TABLE)[0], rule="flat", noise_decay=1.0)


def _curves(trainings: pandas.DataFrame) -> list[dict[str, Any]]:
    """Return one row per method and ε: mean and 95 % interval of the accuracy, mean slot F1.

    Without privacy both methods are plain SGD, so that their curves end in one point.
    """
    rows = []
    for method, label in COLUMN.items():
        for epsilon in EPSILONS:
            runs = select(trainings, method=method if math.isfinite(epsilon) else "sgd", epsilon=epsilon)
            row = {"method": label, "epsilon": epsilon, **over_seeds(runs["accuracy"])}
            rows.append({**row, "slot_f1": runs["slot_f1"].mean()})
    return rows
