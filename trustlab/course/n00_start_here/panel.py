"""The panel of notebook 00: move ε, and read what the model still understands."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

from trustlab.course.n11_dp_sgd_vs_edp_sgd.experiment import EMBEDDED, EPSILONS, Setting, shown, usual
from trustlab.course.n11_dp_sgd_vs_edp_sgd.panel import AXES, budget_label, source_of, with_budget
from trustlab.course.n11_dp_sgd_vs_edp_sgd.results import PRIVATE, curves_of, saved
from trustlab.lab.curves import Curves
from trustlab.lab.figures import FONT_POINTS, PALETTE
from trustlab.lab.panel import Answer, Panel
from trustlab.lab.saved import select

if TYPE_CHECKING:
    import datasets
    import pandas

METHODS = {"dp-sgd": "DP-SGD", "edp-sgd": "eDP-SGD"}
NAMES = {PRIVATE[method]: label for method, label in METHODS.items()}  # here the engine is no option


@dataclasses.dataclass(frozen=True)
class UtteranceAnswer(Answer):
    """An answer that also shows utterances: (text, true intent, predicted intent) each."""

    utterances: tuple[tuple[str, str, str], ...] = ()


def first_picture(corpus: datasets.DatasetDict) -> Panel:
    """Return the panel of notebook 00.

    Parameters
    ----------
    corpus
        The embedded corpus, ``load("assistant")``.
    """
    texts = [(" ".join(row["tokens"]), row["intent"]) for row in (corpus["test"][i] for i in shown(corpus))]
    return Panel(
        Setting(EMBEDDED, "dp-sgd", 8.0),
        title="How much privacy can this assistant afford?",
        drawing=FirstDrawing(),
        answer=functools.partial(_answer, texts=texts),
        controls={
            "epsilon": [(budget_label(epsilon), epsilon) for epsilon in EPSILONS],
            "method": [(label, method) for method, label in METHODS.items()],
        },
    )


def _trainings() -> pandas.DataFrame:
    """Return the trainings that this panel is about: the BiLSTM, without any variant.

    DP-SGD's are those of the fast engine, which releases the same sums: notebook 11 explains both.
    """
    table = usual(saved(EMBEDDED)[0])
    table = table[(table["model"] == "bilstm") & (table["method"] != "dp-sgd")]
    return table.replace({"method": {"fast": "dp-sgd"}})


def _answer(position: Setting, texts: list[tuple[str, str]]) -> UtteranceAnswer:
    """Read the saved trainings at the panel's position: the mean of three, and what one of them answered."""
    table = _trainings()
    rows = [{**row, "method": NAMES[row["method"]]} for row in curves_of(table[table["method"].isin(METHODS)])]
    focus = {"method": METHODS[position.method], "epsilon": position.epsilon}
    (here,) = (row for row in rows if all(row[name] == value for name, value in focus.items()))
    first = select(table, method=position.method, epsilon=position.epsilon, seed=0)
    guesses = first["answers"].iloc[0].split("|")
    utterances = tuple((text, true, guess) for (text, true), guess in zip(texts, guesses, strict=True))
    right = sum(true == guess for _, true, guess in utterances)
    verdict = (
        f"{with_budget(focus['method'], position.epsilon)} reaches intent accuracy {here['accuracy']:.0%}; without "
        f"privacy the same model reaches {_plain(table):.0%}. "
        f"Of the {len(utterances)} utterances shown, it understands {right}."
    )
    source = f"{source_of(EMBEDDED)}; utterances: seed 0"
    numbers = [{name: value for name, value in row.items() if name != "model"} for row in rows]
    return UtteranceAnswer(numbers, verdict, source, focus=focus, utterances=utterances)


def _plain(table: pandas.DataFrame) -> float:
    """Return the mean accuracy without privacy."""
    return table[table["method"] == "sgd"]["accuracy"].mean()


class FirstDrawing(Curves):
    """The curves on the left, utterances and what the model takes them for on the right."""

    def __init__(self) -> None:
        reference = {"without privacy": _plain(_trainings())}
        super().__init__(**AXES, y_label="intent accuracy", references=reference, width=900)
        self.figure.subplots_adjust(right=0.50)
        self._right = self.figure.add_axes((0.54, 0.0, 0.46, 1.0))
        self._right.axis("off")
        self._texts: list[Any] = []
        self._title = self._right.text(0.0, 0.93, "", fontsize=FONT_POINTS + 1, fontweight="bold")

    def draw(self, answer: UtteranceAnswer) -> None:
        """Move the curves, and rewrite what the model takes each utterance for."""
        super().draw(answer)
        self._title.set_text("The intent that the model predicts")
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

    def shown(self) -> dict[str, Any]:
        """Return what the curves show, and what is written of each utterance."""
        return {**super().shown(), "utterances": [tuple(text.get_text() for text in pair) for pair in self._texts]}
