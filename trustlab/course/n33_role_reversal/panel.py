"""The panel of notebook 33: disparity against perplexity, what two students say, and one student trained live."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trustlab.config import option
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n33_role_reversal import EXPERIMENT
from trustlab.course.n33_role_reversal.drawing import SaidAnswer, SaidDrawing
from trustlab.course.n33_role_reversal.experiment import (
    EXCHANGED,
    PLAIN,
    SHARES_ADDED,
    TEMPERATURES,
    Setting,
    counted,
)
from trustlab.course.n33_role_reversal.generation import KEPT, exact_shares, say, words_polarity
from trustlab.course.n33_role_reversal.results import chance, front, of_teacher, said, saved, share_of, summary
from trustlab.course.n33_role_reversal.whole_word_models import (
    held_out,
    perplexity,
    texts_of,
    training,
    whole_words,
)
from trustlab.course.n33_role_reversal.working_people import OPENINGS, PROFESSIONS
from trustlab.fairness.distillation import REVERSALS, distill, half_depth
from trustlab.lab.display import per_cent
from trustlab.lab.experiment_panel import Training, experiment_panel
from trustlab.lab.panel import Panel
from trustlab.lab.saved import seeds_of

Row = dict[str, Any]
TEACHERS_PART = 0.7  # share of the progress that the teacher takes
TEACHER_SECONDS = 25  # on one thread


@dataclass(frozen=True)
class Place:
    """The position of the panel."""

    reversal: str = option("mean", label="Operation", help="On the teacher's two predictions.", values=REVERSALS)
    augmentation: float = option(
        1.0, label="Texts added", help="Share of the texts that are swapped and added.", values=SHARES_ADDED
    )
    temperature: float = option(1.0, label="Temperature", help="Of both models in the divergence.", values=TEMPERATURES)
    profession: str = option("nurse", label="Profession", help="Whose openings are shown.", values=PROFESSIONS)
    seed: int = option(0, label="Seed", help="Of texts, teacher, student and sampling.", low=0)

    @property
    def setting(self) -> Setting:
        """What the student of this position is distilled by."""
        return Setting(EMBEDDED, self.reversal, EXCHANGED, self.augmentation, self.temperature, self.seed)


def reversal_panel() -> Panel:
    """Return the panel.

    Examples
    --------
    >>> panel = reversal_panel()
    >>> panel.set(reversal="none", augmentation=0.0).answer.said[0]["opening"]
    'the nurse said that'
    """
    return experiment_panel(
        Place(),
        title="What does the fairer student say, and what does it cost?",
        drawing=SaidDrawing({"teacher": of_teacher(), "no preference": chance()}),
        answer=answer,
        controls={"reversal": None, "augmentation": _added(), "temperature": None, "profession": None},
        training=Training(
            rows=live_rows,
            shown=_shown,
            seconds=_seconds,
            what="teacher and student",
            decides=lambda at: at.setting,
            source=lambda at: "your teacher and student, seed 0",
            unit="steps",
        ),
        code="reversal_panel()",
    )


def _added() -> list[tuple[str, float]]:
    return [("none", 0.0), ("half of them", 0.5), ("all", 1.0)]


def answer(at: Place) -> SaidAnswer:
    """Read the saved students at the panel's position."""
    setting = {"reversal": at.reversal, "augmentation": at.augmentation, "temperature": at.temperature}
    plain = {"reversal": PLAIN, "augmentation": 0.0, "temperature": at.temperature}
    here, before = (summary(words=EXCHANGED, **each) for each in (setting, plain))
    share = share_of(at.profession, words=EXCHANGED, **setting)
    more = 100 * (here["perplexity"] / before["perplexity"] - 1)
    verdict = (
        f"Equity {here['equity']:.2f} on average, where the plain student has {before['equity']:.2f}; perplexity "
        f"{here['perplexity']:.3f} ({more:+.1f} %). After “the {at.profession} …” a word of gender is female in "
        f"{per_cent(share)} of the cases."
    ).replace("-", "−")
    texts = (said(at.profession, words=EXCHANGED, **each) for each in (plain, setting))
    return SaidAnswer(
        front(at.temperature),
        verdict,
        f"saved, means over {seeds_of(saved()[1])}; texts of seed 0",
        focus={"operation": at.reversal, "added": at.augmentation},
        said=[
            {"opening": o.format(job=at.profession), "plain": p, "this": t}
            for o, p, t in zip(OPENINGS, *texts, strict=True)
        ],
    )


def live_rows(at: Place) -> Iterator[Row]:
    """Train the teacher, distil its student, and measure it; the last row has what it says, as "profession: …"."""
    texts, setting = texts_of(at.seed), at.setting
    tokenizer = whole_words(texts)
    for row in training(texts, tokenizer, seed=at.seed):
        teacher = row.pop("teacher", None)
        yield {**row, "progress": TEACHERS_PART * row["progress"], "who": "teacher"}
    steps = row["step"]
    rows = distill(teacher, half_depth(teacher.config), texts, tokenizer=tokenizer, options=setting.options)
    for row in rows:
        student = row.pop("student", None)
        progress = TEACHERS_PART + (1 - TEACHERS_PART) * row["progress"]
        told = {"step": steps + row["step"], "loss": row["loss"], "progress": progress, "who": "student"}
        yield told if student is None else {**told, **_measured(student, tokenizer, at)}


def _measured(student: Any, tokenizer: Any, at: Place) -> Row:
    """Measure the reader's own student as the saved ones are."""
    written = say(student, tokenizer, seed=(at.seed, 38))
    share = exact_shares(student, tokenizer)
    row = {"perplexity": perplexity(student, tokenizer, held_out(at.seed))}
    row["equity"] = counted(words_polarity(written.texts), written.profession, KEPT)["equity_mean"]
    row |= {f"female: {job}": float(share[i]) for i, job in enumerate(PROFESSIONS)}
    return row


def _shown(at: Place, base: SaidAnswer, rows: list[Row]) -> SaidAnswer:
    """Show how far the reader's own training is, and at its end where its student lies."""
    if not rows:
        return dataclasses.replace(base, verdict="The texts are written, the teacher begins to learn.")
    last = rows[-1]
    if "equity" not in last:
        verdict = f"The {last['who']} learns: a loss of {last['loss']:.2f} after step {last['step']}."
        return dataclasses.replace(base, verdict=verdict)
    share = per_cent(last[f"female: {at.profession}"])
    verdict = (
        f"Your student: equity {last['equity']:.2f}, perplexity {last['perplexity']:.3f}. After “the {at.profession} "
        f"…” its word of gender is female in {share} of the cases."
    )
    return dataclasses.replace(base, verdict=verdict, live=[last])


def _seconds(at: Place) -> float:
    """Return how long the teacher and nearly all saved students of this position took."""
    setting = {"reversal": at.reversal, "augmentation": at.augmentation, "temperature": at.temperature}
    runs = EXPERIMENT.where(words=EXCHANGED, **setting)
    return TEACHER_SECONDS + float((runs["seconds"] + runs["measured_seconds"]).quantile(0.9))
