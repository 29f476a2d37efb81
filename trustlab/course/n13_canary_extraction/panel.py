"""The panel of notebook 13: a pin of the reader's own, a training live, and its digits as they come out."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import option
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n13_canary_extraction import EXPERIMENT
from trustlab.course.n13_canary_extraction.defended import (
    DEFENCES,
    EPOCHS,
    NONE,
    N,
    Planted,
    attacked,
    learn,
    model_of,
    pin_words,
    prepare,
)
from trustlab.course.n13_canary_extraction.drawing import (
    CODES,
    NAMES,
    CanaryAnswer,
    CanaryDrawing,
    cells_of,
    live_row,
)
from trustlab.course.n13_canary_extraction.experiment import first_guesses
from trustlab.course.n13_canary_extraction.extraction_rates import bits, rate
from trustlab.course.n13_canary_extraction.results import defence_rows, known_copies, saved
from trustlab.data.phrases import DIGITS
from trustlab.lab.display import per_cent
from trustlab.lab.experiment_panel import Training, experiment_panel
from trustlab.lab.panel import Panel
from trustlab.lab.saved import remembered, seeds_of, select
from trustlab.privacy.inversion import InversionOptions, chance, exposure, invert, place_of, rank_all, rank_of

if TYPE_CHECKING:
    import datasets

Row = dict[str, Any]
ATTACK = InversionOptions()
EVERY = 20  # steps of the attack between two rows
TRAINED = 0.9  # share of the progress that training takes


@dataclass(frozen=True)
class Place:
    """The position of the panel."""

    pin: str = option("4711", label="Your pin", help="Four digits. Invent one; it never leaves this computer.")
    defence: str = option(NONE, label="Defence", help="What keeps the model from learning by heart.", values=DEFENCES)
    copies: int = option(10, label="Copies", help="How often “my pin code is …” is in the training data.", low=1)
    seed: int = option(0, label="Seed", help="Of first weights, batches, decoys and noise.", low=0)


def canary_panel(corpus: datasets.DatasetDict) -> Panel:
    """Return the panel over the committed trainings on the embedded `corpus`.

    Examples
    --------
    >>> from trustlab.data import assistant
    >>> panel = canary_panel(assistant(400))
    >>> "is no pin" in panel.set(pin="47").answer.verdict
    True
    """
    return experiment_panel(
        Place(),
        title="Does the model give your pin away?",
        drawing=CanaryDrawing(),
        answer=answer,
        controls={
            "pin": None,
            "defence": [(label, name) for name, label in NAMES.items() if name != "dp-1"],
            "copies": known_copies(),
        },
        training=Training(
            rows=live_rows,
            shown=_shown,
            seconds=_seconds,
            what="with this pin",
            data=corpus,
            decides=planted,
            source=lambda at: "your pin, seed 0; the trainings on the left have random pins",
            unit="epochs and steps of the attack",
            prepare=get_ready,
        ),
        code="canary_panel(corpus)",
    )


def planted(at: Place) -> Planted:
    """Return what is planted at a position."""
    return Planted(EMBEDDED, at.defence, at.copies, at.seed, at.pin)


def answer(at: Place) -> CanaryAnswer:
    """Read the saved trainings at the panel's position, and say if the pin is none."""
    found = _saved(at.defence, at.copies)
    problem = _problem(at.pin)
    return dataclasses.replace(found, verdict=f"{found.verdict} {problem}") if problem else found


def _problem(pin: str) -> str:
    """Say what is wrong with a pin; empty if nothing is."""
    try:
        pin_words(pin)
    except ValueError as error:
        return f"**“{pin.strip()}” is no pin yet.** {error}"
    return ""


@remembered
def _saved(defence: str, copies: int) -> CanaryAnswer:
    """Read the saved trainings with one defence, and show the digits of the first of them."""
    table, about = saved()
    runs = select(table, defence=defence, copies=copies)
    first, n = runs.iloc[0], len(runs)
    exact, three, exposed = runs["exact"], runs["rank"] <= 3, bits(runs)
    verdict = (
        f"{NAMES[defence][0].upper()}{NAMES[defence][1:]}, {copies} {'copy' if copies == 1 else 'copies'}: the attack "
        f"answers with the exact pin in {exact.sum():.0f} of {n} trainings ({_ends(exact)}). It is among the model's "
        f"first three guesses in {three.sum()} ({_ends(three)}). {exposed.mean():.1f} of {exposure(1, CODES):.1f} bits "
        f"are exposed; by chance {chance(N)['exposure']:.1f}."
    )
    return CanaryAnswer(
        defence_rows(copies),
        verdict,
        f"saved, a point per training, {seeds_of(about)}; on the right seed {first['seed']}",
        focus={"defence": NAMES[defence]},
        cells=cells_of(first["first"]),
        secret=[int(digit) for digit in str(first["secret"]).zfill(N)],
    )


def _ends(hits: Any) -> str:
    found = rate(hits)
    return f"95 %: {100 * found.low:.0f} to {per_cent(found.high)}"


def get_ready(at: Place, corpus: datasets.DatasetDict) -> None:
    """Import what the first training step would import, which takes seconds."""
    import torch._dynamo  # noqa: F401


def live_rows(at: Place, corpus: datasets.DatasetDict) -> Iterator[Row]:
    """Train with the reader's pin and yield what is known of it after each epoch; then invert the model.

    Raises
    ------
    ValueError
        Before any training, if the pin is none.
    """
    pin_words(at.pin)
    own = planted(at)
    prepared = prepare(own, corpus)
    model = model_of(own, prepared.vocabulary)
    target = attacked(model, prepared)
    place = place_of(target.code(prepared.canary.secret), len(DIGITS))
    step = 0
    for row in learn(own, model, prepared.data):
        losses, step = rank_all(target)["both"], step + 1
        rank = rank_of(losses, place)
        yield {
            "step": step,
            "progress": TRAINED * row["progress"],
            "accuracy": row["accuracy"],
            "epsilon": row["epsilon"],
            "rank": rank,
            "bits": exposure(rank, CODES),
            "guess": f"{int(losses.argmin()):0{N}d}",
            "first": "|".join(f"{each:g}" for each in first_guesses(losses, target).ravel().tolist()),
        }
    for row in invert(target, ATTACK, every=EVERY):
        guess = "".join(str(DIGITS.index(word)) for word in row["guess"].split())
        attack = {"attack": row["step"], "guess": guess, "bits": exposure(rank, CODES)}
        yield {"step": step + row["step"], "progress": TRAINED + (1 - TRAINED) * row["progress"], **attack}


def _shown(at: Place, base: CanaryAnswer, rows: list[Row]) -> CanaryAnswer:
    """Show what is known of the reader's own pin so far."""
    if not rows:
        return dataclasses.replace(base, verdict="The pin is planted, the model is training.", cells=(), secret=())
    secret = [DIGITS.index(word) for word in pin_words(at.pin)]
    ranked = [row for row in rows if live_row(row)][-1]
    return dataclasses.replace(
        base,
        verdict=f"{_told(rows[-1], secret)} {_place(ranked)}",
        live=rows,
        cells=cells_of(ranked["first"]),
        secret=secret,
    )


def _told(last: Row, secret: list[int]) -> str:
    """Say what the attacker would answer now."""
    right = sum(int(digit) == true for digit, true in zip(last["guess"], secret, strict=True))
    when = f"Step {last['attack']} of the attack" if "attack" in last else f"Epoch {last['step']} of at most {EPOCHS}"
    return f"{when}: it answers **{last['guess']}**, {right} of {N} digits right."


def _place(ranked: Row) -> str:
    """Say where the true pin is among all guesses, and what else the model can do."""
    bits = f"{ranked['bits']:.1f} bits are exposed"
    spent = f", ε = {ranked['epsilon']:.1f} is spent for one copy" if ranked["epsilon"] < float("inf") else ""
    return f"Your pin is guess number {ranked['rank']:,.0f} of {CODES:,}: {bits}{spent}."


def _seconds(at: Place) -> float:
    """Return how long nearly all saved trainings took, with a ranking after each epoch."""
    runs = EXPERIMENT.where(defence=at.defence, copies=at.copies)
    return float((runs["seconds"] + EPOCHS * runs["rank_seconds"] + runs["attack_seconds"]).quantile(0.9))
