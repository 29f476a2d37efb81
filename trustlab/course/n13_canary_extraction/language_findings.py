"""What notebook 13 reads off the committed tunings of SmolLM2: exposure against copies, drawn, and what is claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n13_canary_extraction.defended import EPSILONS, NONE
from trustlab.course.n13_canary_extraction.drawing import BITS, NAMES
from trustlab.course.n13_canary_extraction.extraction_rates import bits
from trustlab.course.n13_canary_extraction.language_experiment import (
    COPIES,
    DECOYS,
    DEFENDED,
    KEY,
    PRIVATE,
    SENTENCES,
    UNTUNED,
    grid,
    result_name,
)
from trustlab.lab import finding
from trustlab.lab.finding import Finding
from trustlab.lab.saved import over_seeds, read, saved_over, select
from trustlab.privacy.inversion import chance
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
BY_CHANCE = chance(4)["exposure"]
FEW = 3  # guesses, as a cash machine allows
MUCH = 3.0  # bits: an eighth of the guesses
LOST = 0.5  # nats a token of held-out loss
MODEL = "SmolLM2-135M-Instruct, weights quantised (Q4_1)"
SETUP = f"{MODEL}, LoRA on {SENTENCES} sentences of the embedded corpus, {DECOYS} decoys and a random pin; one recipe"
UNLESS = "more sentences or passes, a larger model, or other decoys"
RANKED_BY = {"rank": "likelihood", "rank_added": "what tuning added to it"}


def named(defence: str, copies: int) -> str:
    """Name a setting in a few words.

    Examples
    --------
    >>> named("none", 4), named("untuned", 0), named("dp-8", 10)
    ('4 copies', 'not tuned', '10 copies, DP, ε = 8')
    """
    if defence == UNTUNED:
        return "not tuned"
    said = f"{copies} cop{'y' if copies == 1 else 'ies'}"
    return said if defence == NONE else f"{said}, {NAMES[defence]}"


def exposure_rows() -> list[Row]:
    """Return what was found with each number of copies and each defence: a row for each way to rank the codes."""
    table, rows = read(result_name(EMBEDDED))[0], []
    kinds = [(each.defence, each.copies) for each in grid(EMBEDDED, seeds=[0])]
    for defence, copies in [kinds[-1], *kinds[:-1]]:  # the model that was not tuned comes first
        runs = select(table, **dict(zip(KEY, (defence, copies), strict=True)))
        for column, label in RANKED_BY.items() if defence != UNTUNED else [("rank", RANKED_BY["rank"])]:
            rows.append({
                "the pin": named(defence, copies),
                "ranked by": label,
                **over_seeds(list(bits(runs, column)), "bits", limits=(0.0, BITS)),
                "first guess": f"{(runs[column] == 1).sum()}/{len(runs)}",
                "in 3 guesses": f"{(runs[column] <= FEW).sum()}/{len(runs)}",
                "written": f"{runs['written'].sum()}/{len(runs)}",
                "held-out loss": runs["held_out"].mean(),
            })  # fmt: skip
    return rows


def copied() -> Finding:
    """Draw how many bits of the pin SmolLM2 exposes after so many copies, and with a defence."""
    rows = exposure_rows()
    likely, added = ({row["the pin"]: row for row in rows if row["ranked by"] == by} for by in RANKED_BY.values())
    never, once, most = (likely[named(NONE, copies)]["bits"] for copies in (0, 1, COPIES[-1]))
    usual, private = (likely[named(each, DEFENDED)] for each in (NONE, PRIVATE))
    return finding.dots(
        rows,
        label="the pin",
        value="bits",
        low="low",
        high="high",
        series="ranked by",
        x_label=f"bits exposed, of {BITS:.1f}",
        reference={"chance": BY_CHANCE},
        title="How many copies does a language model need?",
        verdict=f"SmolLM2 exposes {never:.1f} bits of a pin that was never said, {once:.1f} after one copy and "
        f"{most:.1f} after {COPIES[-1]}. After {DEFENDED} copies it exposes {usual['bits']:.1f} bits by its likelihood "
        f"and {added[usual['the pin']]['bits']:.1f} by what tuning added to it. With {NAMES[PRIVATE]} it exposes "
        f"{private['bits']:.1f}, at a held-out loss of {private['held-out loss']:.1f} nats a token instead of "
        f"{usual['held-out loss']:.1f}.",
        provenance=f"{saved_over(read(result_name(EMBEDDED))[1])}; {MODEL}",
    )


def language_claims(corpus: str = EMBEDDED, read: Reader = read_results) -> list[Row]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, fixed before the table was computed."""
    table = read(result_name(corpus))[0]
    never, usual, private = (
        select(table, defence=defence, copies=copies).sort_values("seed")
        for defence, copies in ((NONE, 0), (NONE, DEFENDED), (PRIVATE, DEFENDED))
    )
    lost = private["held_out"].to_numpy() - usual["held_out"].to_numpy()
    rows = [
        {"claim": f"Each doubling of the copies, from 1 to {COPIES[-1]}, exposes more bits",
         "values": list(slopes(table)), "above": 0.0, "unit": "bits"},
        {"claim": f"{DEFENDED} copies expose more than {MUCH:g} bits more than none",
         "values": list(bits(usual) - bits(never)), "above": MUCH, "unit": "bits"},
        {"claim": f"{NAMES[PRIVATE]} hides more than {MUCH:g} of these bits",
         "values": list(bits(usual) - bits(private)), "above": MUCH, "unit": "bits",
         "unless": f"fewer copies: what is promised for {DEFENDED} is ε = {DEFENDED * EPSILONS[PRIVATE]:g}"},
        {"claim": f"… and its held-out loss is higher by more than {LOST:g} nats",
         "values": list(lost), "above": LOST, "unit": "nats"},
    ]  # fmt: skip
    return [{"setup": SETUP, "unless": UNLESS, **row, "claim": f"(Real model) {row['claim']}"} for row in rows]


def slopes(table: pandas.DataFrame) -> np.ndarray:
    """Return the slope of the bits over log2 of the copies, by least squares, of each seed."""
    said = table[(table["defence"] == NONE) & (table["copies"] > 0)]
    return np.array([np.polyfit(np.log2(runs["copies"]), bits(runs), 1)[0] for _, runs in said.groupby("seed")])
