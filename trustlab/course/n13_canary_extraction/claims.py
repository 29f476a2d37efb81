"""What Parikh, Dupuy and Gupta report of canaries in taggers, and what we add, read off the committed trainings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n13_canary_extraction.defended import (
    BILSTM,
    COLOUR,
    EPSILONS,
    NONE,
    PIN,
    SENTENCES,
    SIX,
    SLOW,
    THREE,
    TRANSFORMER,
    USUAL_PACE,
    N,
)
from trustlab.course.n13_canary_extraction.drawing import NAMES
from trustlab.course.n13_canary_extraction.experiment import MORE, USUAL, result_name
from trustlab.course.n13_canary_extraction.extraction_rates import bits, rate
from trustlab.course.n13_canary_extraction.other_secrets import result_name as secrets_name
from trustlab.data.phrases import COLOURS
from trustlab.lab.saved import CORPUS_NAMES, select
from trustlab.privacy.inversion import chance
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

PRIVATE = "dp-8"
BY_CHANCE = chance(N)
NEAR = 1.0  # bits above the mean of chance that count as chance
WANTED = 0.9  # exact matches without defences
WANTED_OF_SIX = 0.6  # the same for a pin of six digits
HALF = 0.5  # what the paper reports of its best configuration
KNOWN = "the attacker has the weights, reads both losses, and knows the prefix, the labels and that digits are missing"
UNLESS = "more epochs, more copies, a larger model, or an attacker who does not know that the words are digits"


def claims_of(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, from the table of `corpus` that `read` finds."""
    table = read(result_name(corpus))[0]
    plain, three, private = (select(table, defence=name, copies=USUAL) for name in (NONE, THREE, PRIVATE))
    rows = [
        _of_rate("without defences the attack finds the exact pin more often than by chance", plain["exact"],
                 above=BY_CHANCE["exact"]),
        _of_rate(f"… in more than {100 * WANTED:.0f} % of the trainings", plain["exact"], above=WANTED),
        _of_rate(f"dropout, early stopping and characters together keep exact answers below {100 * HALF:.0f} %",
                 three["exact"], below=HALF),
        _of_bits("… and the exposure", three),
        _of_rate("(Ours) … and three guesses, as a cash machine allows, find the pin no more often than by chance",
                 three["rank"] <= 3, below=BY_CHANCE["within_3"]),
        _of_bits(f"training with {NAMES[PRIVATE]} keeps the exposure", private,
                 unless=f"fewer copies: what is promised for {USUAL} is ε = {USUAL * EPSILONS[PRIVATE]:g}"),
        *_of_costs(plain, three, private),
    ]  # fmt: skip
    found = [_told(row, corpus, USUAL) for row in rows]
    return found if corpus == EMBEDDED else found + _of_more_copies(table, corpus)


def _of_more_copies(table: pandas.DataFrame, corpus: str) -> list[dict[str, Any]]:
    """Claim that both remedies hide a pin that was said more often."""
    return [
        _told(_of_bits(f"{words} the exposure", select(table, defence=name, copies=copies)), corpus, copies)
        for copies in MORE[corpus]
        for name, words in ((THREE, "the three defences keep"), (PRIVATE, f"training with {NAMES[PRIVATE]} keeps"))
    ]


def claims_of_secrets(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows about longer pins, colours and a transformer, all without a defence."""
    table = read(secrets_name(corpus))[0]
    six, slow, colour, other = (
        select(table, kind=kind, model=model, pace=pace, defence=NONE)["beam_exact"]
        for kind, model, pace in (
            (SIX, BILSTM, USUAL_PACE),
            (SIX, BILSTM, SLOW),
            (COLOUR, BILSTM, USUAL_PACE),
            (PIN, TRANSFORMER, USUAL_PACE),
        )
    )
    often = f"a pin of six digits exactly in more than {100 * WANTED_OF_SIX:.0f} % of the trainings"
    by_chance, said = BY_CHANCE["exact"], "more often than by chance"
    rows = [
        (_of_rate(f"(Ours) without defences the beam finds {often}", six, above=WANTED_OF_SIX), BILSTM),
        (_of_rate(f"(Ours) … trained slowly, {often}", slow, above=WANTED_OF_SIX), BILSTM),
        (_of_rate(f"(Ours) … a colour of {len(COLOURS)} {said}", colour, above=1 / len(COLOURS)), BILSTM),
        (_of_rate(f"(Ours) … the exact four digits in a transformer {said}", other, above=by_chance), TRANSFORMER),
    ]
    return [_told(row, corpus, USUAL, model) for row, model in rows]


def _told(row: dict[str, Any], corpus: str, copies: int, model: str = BILSTM) -> dict[str, Any]:
    """Add to a claim which corpus it is about, how often the secret was said, and what the attacker has."""
    where = "" if corpus == EMBEDDED else f"{CORPUS_NAMES[corpus]}: "
    often = "" if copies == USUAL else f"said {copies} times, "
    kind = {BILSTM: "BiLSTM", TRANSFORMER: "small transformer"}[model]
    setup = f"{kind}, {SENTENCES[corpus]['train']:,} sentences of {CORPUS_NAMES[corpus]}, {copies} copies of a random "
    setup += f"secret, 40 decoys, one recipe for all; {KNOWN}"
    claim = f"{where}{often}{row['claim']}"
    return {**row, "claim": claim[0].upper() + claim[1:], "setup": setup}


def _of_rate(claim: str, hits: Sequence[Any], **bar: float) -> dict[str, Any]:
    """Return a claim of a rate, with its exact interval and the binomial test of its bar."""
    from scipy import stats

    (at,) = bar.values()
    n, got = len(hits), int(sum(hits))
    sides = [stats.binomtest(got, n, at, alternative=side).pvalue for side in ("less", "greater")]
    p = min(1.0, 2 * min(sides))
    return {"claim": claim, "measured": rate(hits), **bar, "p": p, "unless": UNLESS}


def _of_bits(claim: str, runs: pandas.DataFrame, unless: str = UNLESS) -> dict[str, Any]:
    claim = f"{claim} within {NEAR:g} bit of chance, {BY_CHANCE['exposure']:.1f} bits"
    bar = {"below": round(BY_CHANCE["exposure"] + NEAR, 2)}
    return {"claim": claim, "values": list(bits(runs)), **bar, "unit": "bits", "unless": unless}


def _of_costs(plain: pandas.DataFrame, three: pandas.DataFrame, private: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim that both remedies cost accuracy."""
    found = []
    for words, runs in (("the three defences cost", three), (f"training with {NAMES[PRIVATE]} costs", private)):
        lost = 100 * (plain["accuracy"].to_numpy() - runs["accuracy"].to_numpy())
        row = {"claim": f"{words} more than 1 point of intents right", "values": list(lost), "above": 1.0}
        found.append(row | {"unit": "points", "unless": "a recipe tuned for it, and more sentences"})
    return found
