"""What Parikh, Dupuy and Gupta report of canaries in taggers, and what we add, read off the committed trainings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n13_canary_extraction.defended import EPSILONS, NONE, THREE, N
from trustlab.course.n13_canary_extraction.drawing import NAMES
from trustlab.course.n13_canary_extraction.experiment import USUAL, result_name
from trustlab.course.n13_canary_extraction.extraction_rates import bits, rate
from trustlab.lab.saved import select
from trustlab.privacy.inversion import chance
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

PRIVATE = "dp-8"
BY_CHANCE = chance(N)
NEAR = 1.0  # bits above the mean of chance that count as chance
WANTED = 0.9  # exact matches without defences
HALF = 0.5  # what the paper reports of its best configuration
SETUP = f"BiLSTM, 1,500 sentences of the embedded corpus, {USUAL} copies of a random pin, 40 decoys; one recipe for all"
UNLESS = "more epochs, more copies, a larger model, or an attacker who does not know that the words are digits"


def claims_of(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, from the table of `corpus` that `read` finds."""
    table = read(result_name(corpus))[0]
    plain, three, private = (select(table, defence=name, copies=USUAL) for name in (NONE, THREE, PRIVATE))
    rows = [
        _of_rate("Without defences the attack finds the exact pin more often than by chance", plain["exact"],
                 above=BY_CHANCE["exact"]),
        _of_rate(f"… in more than {100 * WANTED:.0f} % of the trainings", plain["exact"], above=WANTED),
        _of_rate(f"Dropout, early stopping and characters together keep exact answers below {100 * HALF:.0f} %",
                 three["exact"], below=HALF),
        _of_bits(f"… and the exposure within {NEAR:g} bit of chance, {BY_CHANCE['exposure']:.1f} bits", three),
        _of_rate("(Ours) … and three guesses, as a cash machine allows, find the pin no more often than by chance",
                 three["rank"] <= 3, below=BY_CHANCE["within_3"]),
        _of_bits(f"Training with {NAMES[PRIVATE]} keeps the exposure within {NEAR:g} bit of chance", private,
                 unless=f"fewer copies: what is promised for {USUAL} is ε = {USUAL * EPSILONS[PRIVATE]:g}"),
        *_of_costs(plain, three, private),
    ]  # fmt: skip
    return rows


def _of_rate(claim: str, hits: Sequence[Any], **bar: float) -> dict[str, Any]:
    """Return a claim of a rate, with its exact interval and the binomial test of its bar."""
    from scipy import stats

    (at,) = bar.values()
    n, got = len(hits), int(sum(hits))
    sides = [stats.binomtest(got, n, at, alternative=side).pvalue for side in ("less", "greater")]
    p = min(1.0, 2 * min(sides))
    return {"claim": claim, "measured": rate(hits), **bar, "p": p, "setup": SETUP, "unless": UNLESS}


def _of_bits(claim: str, runs: pandas.DataFrame, unless: str = UNLESS) -> dict[str, Any]:
    bar = {"below": round(BY_CHANCE["exposure"] + NEAR, 2)}
    return {"claim": claim, "values": list(bits(runs)), **bar, "unit": "bits", "setup": SETUP, "unless": unless}


def _of_costs(plain: pandas.DataFrame, three: pandas.DataFrame, private: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim that both remedies cost accuracy."""
    found = []
    for words, runs in (("The three defences cost", three), (f"Training with {NAMES[PRIVATE]} costs", private)):
        lost = 100 * (plain["accuracy"].to_numpy() - runs["accuracy"].to_numpy())
        row = {"claim": f"{words} more than 1 point of intents right", "values": list(lost), "above": 1.0}
        found.append(row | {"unit": "points", "setup": SETUP, "unless": "a recipe tuned for it, and more sentences"})
    return found
