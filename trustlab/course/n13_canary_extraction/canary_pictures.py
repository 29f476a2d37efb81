"""What notebook 13 finds, as pictures: how many guesses an attacker needs, which loss tells more, what copies do."""

from __future__ import annotations

from trustlab.course.n13_canary_extraction.defended import NONE, STOPPED, THREE
from trustlab.course.n13_canary_extraction.drawing import BITS, CODES, NAMES
from trustlab.course.n13_canary_extraction.experiment import USUAL
from trustlab.course.n13_canary_extraction.results import defence_rows, guess_rows, loss_rows, saved
from trustlab.lab import finding
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding
from trustlab.lab.saved import saved_over, seeds_of
from trustlab.privacy.inversion import chance

SHOWN = (NONE, STOPPED, THREE, "dp-8")
FEW = 3  # guesses, as a cash machine allows


def ranked() -> Finding:
    """Draw the defences by the bits that they leave exposed; exact matches and three guesses are in the numbers."""
    rows = sorted(defence_rows(), key=lambda row: row["bits"])
    for row in rows:
        del row["bits of each"]
    best, plain = rows[0], next(row for row in rows if row["defence"] == NAMES[NONE])
    return finding.dots(
        rows,
        label="defence",
        value="bits",
        low="low",
        high="high",
        x_label=f"bits exposed, of {BITS:.1f}",
        reference={"chance": chance(4)["exposure"]},
        title=f"Which defence hides a pin that was said {USUAL} times?",
        verdict=f"Without a defence {plain['bits']:.1f} bits are exposed. Least, {best['bits']:.1f} bits, with "
        f"{best['defence']}, which finds {per_cent(best['intents right'])} of the intents instead of "
        f"{per_cent(plain['intents right'])}.",
        provenance=saved_over(saved()[1]),
    )


def guesses() -> Finding:
    """Draw in which share of the trainings the pin is found within so many guesses."""
    rows = guess_rows(SHOWN)
    at = {(row["defence"], row["guesses"]): row["found"] for row in rows}
    three = NAMES[THREE]
    return finding.lines(
        rows,
        x="guesses",
        y="found",
        series="defence",
        x_label="guesses that the attacker may make",
        y_label="pin found",
        title="How many guesses does an attacker need?",
        verdict=f"With all three defences the first guess is right in {per_cent(at[three, 1])} of the trainings, one "
        f"of the first {FEW} in {per_cent(at[three, FEW])}, one of the first 100 in {per_cent(at[three, 100])}. By "
        f"chance 100 guesses find {per_cent(100 / CODES)}.",
        provenance=f"saved, {seeds_of(saved()[1])}",
        per_cent=True,
        log=True,
    )


def losses() -> Finding:
    """Draw the bits that each loss gives away."""
    rows = loss_rows()
    at = {(row["defence"], row["loss"]): row["bits"] for row in rows}
    intent, tags = (at[NAMES[NONE], name] for name in ("the intent's", "the tags'"))
    return finding.dots(
        rows,
        label="loss",
        value="bits",
        low="low",
        high="high",
        series="defence",
        x_label=f"bits exposed, of {BITS:.1f}",
        reference={"chance": chance(4)["exposure"]},
        title="Which loss tells the attacker more?",
        verdict=f"Without a defence the loss of the tags exposes {tags:.1f} bits, and the loss of the intent alone "
        f"{intent:.1f}.",
        provenance=saved_over(saved()[1]),
    )
