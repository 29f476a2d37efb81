"""What is claimed of role reversal, by its paper and by us, read off the committed table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n33_role_reversal.experiment import AS_THEY_ARE, EXCHANGED, PLAIN, REVERSED, result_name
from trustlab.lab.saved import select
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

LITTLE = 2.0  # per cent of perplexity; the paper says "minor"
HALF = 0.5
BOTH = ("mean", 1.0)  # an operation and all texts added, whose vectors and decisions are looked at
Row = dict[str, Any]


def claims_of(corpus: str = EMBEDDED, read: Reader = read_results) -> list[Row]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, from the table that `read` finds."""
    table = read(result_name(corpus))[0]
    return [*_of_text(table), *_of_price(table), *_of_reading(table), *_of_elsewhere(table)]


def _of_text(table: pandas.DataFrame) -> list[Row]:
    """Claim (a): what the students say is more even."""
    base = measure(table, "equity_mean", PLAIN)
    return [
        {
            "claim": f"(a) {name}: the mean equity ratio of what is said rises",
            "values": measure(table, "equity_mean", *kind) - base,
            "above": 0,
            "setup": "against the plain student of the same seed, 200 gendered texts a profession",
        }
        for name, kind in methods().items()
    ]


def _of_price(table: pandas.DataFrame) -> list[Row]:
    """Claim (a): the language model is little worse."""
    base = measure(table, "perplexity", PLAIN)
    return [
        {
            "claim": f"(a) {name}: perplexity rises by less than {LITTLE:g} %",
            "values": 100 * (measure(table, "perplexity", *kind) / base - 1),
            "below": LITTLE,
            "unit": "%",
            "setup": "held-out texts of the same world, against the plain student",
        }
        for name, kind in methods().items()
    ]


def _of_reading(table: pandas.DataFrame) -> list[Row]:
    """Claim (ours) what it means to take the swapped prediction as it is."""
    base, plain = (measure(table, column, PLAIN) for column in ("equity_mean", "perplexity"))
    rows = []
    for reversal in REVERSED:
        exchanged, left = (measure(table, "equity_mean", reversal, 0.0, words) for words in (EXCHANGED, AS_THEY_ARE))
        rows.append({
            "claim": f"(ours) {reversal}: with words as they are it gains less than half of what exchanged words gain",
            "values": (exchanged - base) / 2 - (left - base),
            "above": 0,
            "setup": "no texts added, temperature 1",
        })  # fmt: skip
    return [
        *rows,
        {
            "claim": "(ours) swap, words as they are: one gendered text in ten or more changes gender halfway",
            "values": measure(table, "muddled", "swap", 0.0, AS_THEY_ARE),
            "above": 0.1,
            "setup": "no text of the corpus does",
        },
        {
            "claim": f"(ours) mean, words as they are: perplexity rises by more than {LITTLE:g} %",
            "values": 100 * (measure(table, "perplexity", "mean", 0.0, AS_THEY_ARE) / plain - 1),
            "above": LITTLE,
            "unit": "%",
            "setup": "held-out texts of the same world, against the plain student",
        },
    ]


def _of_elsewhere(table: pandas.DataFrame) -> list[Row]:
    """Claim (b): of the disparity less goes away elsewhere than in what is said."""
    names = {
        "weat": "the association of input embeddings (WEAT)",
        "ceat": "the association of vectors in context (CEAT)",
        "tpr_gap": "the gap in true positive rates of a classifier",
        "flips": "the answers of that classifier that gender decides",
    }
    where = f"{BOTH[0]}, all texts added, against the plain student"
    rows = [
        {
            "claim": "(b) In what is said, more than half of the log odds goes away",
            "values": closed(table, "exact_log_odds"),
            "above": HALF,
            "setup": where,
        }
    ]
    return rows + [
        {
            "claim": f"(b) … but less than half of {name}",
            "values": closed(table, column),
            "below": HALF,
            "setup": where,
            "unless": "the classifier learns from people without skew" if column in ("tpr_gap", "flips") else "",
        }
        for column, name in names.items()
    ]


def methods() -> dict[str, tuple[str, float]]:
    """Return the compared students by name: operation and share of texts added, at temperature 1."""
    found = {"Texts added": (PLAIN, 1.0)} | {each.capitalize(): (each, 0.0) for each in REVERSED}
    return found | {"Mean and texts added": BOTH}


def closed(table: pandas.DataFrame, column: str, reversal: str = BOTH[0], share: float = BOTH[1]) -> np.ndarray:
    """Return which share of a disparity of the plain student goes away, one number per seed; below 0 it grows."""
    return 1 - measure(table, column, reversal, share) / measure(table, column, PLAIN)


def measure(
    table: pandas.DataFrame,
    column: str,
    reversal: str,
    share: float = 0.0,
    words: str = EXCHANGED,
    temperature: float = 1.0,
) -> np.ndarray:
    """Return one measure of one setting, in the order of the seeds."""
    rows = select(table, reversal=reversal, augmentation=share, words=words, temperature=temperature)
    return rows[column].to_numpy()
