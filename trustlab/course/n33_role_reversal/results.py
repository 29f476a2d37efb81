"""What notebook 33 reads off its committed table: the front, what is said, and where a gain stays."""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n33_role_reversal import EXPERIMENT
from trustlab.course.n33_role_reversal.claims import closed, measure, methods
from trustlab.course.n33_role_reversal.experiment import (
    AS_THEY_ARE,
    EXCHANGED,
    PLAIN,
    REVERSED,
    SHARES_ADDED,
    SHOWN_SEED,
    TEACHER,
)
from trustlab.course.n33_role_reversal.whole_word_models import texts_of
from trustlab.course.n33_role_reversal.working_people import NEUTRAL, OPENINGS, PROFESSIONS, SHARES, shares
from trustlab.fairness.distillation import REVERSALS
from trustlab.lab.saved import numbers, over_seeds

Row = dict[str, Any]
saved = EXPERIMENT.saved  # the committed table and its provenance


def front(temperature: float = 1.0) -> list[Row]:
    """Return a row per operation and share of texts added: perplexity, and equity with its 95 % interval."""
    return [
        {"operation": reversal, "added": share}
        | summary(reversal=reversal, augmentation=share, temperature=temperature, words=EXCHANGED)
        for reversal in REVERSALS
        for share in SHARES_ADDED
    ]


def summary(**setting: Any) -> Row:
    """Return what is shown of one setting: means over seeds."""
    runs = EXPERIMENT.where(**setting)
    row = {"perplexity": float(runs["perplexity"].mean()), **over_seeds(runs["equity_mean"], "equity", limits=(0, 1))}
    return row | {"smallest": float(runs["equity_min"].mean()), "both genders": float(runs["muddled"].mean())}


def of_teacher(column: str = "equity_mean") -> float:
    """Return a measure of the teacher, mean over seeds."""
    return float(EXPERIMENT.where(reversal=TEACHER)[column].mean())


def chance() -> float:
    """Return the mean equity ratio of a writer without preference, of as many texts."""
    return float(EXPERIMENT.table()["chance_mean"].mean())


def said(profession: str, **setting: Any) -> list[str]:
    """Return what the first seed's student says after each opening, one text each.

    Examples
    --------
    >>> len(said("nurse", reversal="none", augmentation=0.0, temperature=1.0, words="exchanged"))
    4
    """
    (row,) = EXPERIMENT.where(seed=SHOWN_SEED, **setting)["said"]
    first = PROFESSIONS.index(profession) * len(OPENINGS)
    return str(row).split("|")[first : first + len(OPENINGS)]


def share_of(profession: str, **setting: Any) -> float:
    """Return the exact P(female) after the openings of a profession, mean over seeds."""
    return float(numbers(EXPERIMENT.where(**setting)["shares"])[:, PROFESSIONS.index(profession)].mean())


def by_profession() -> list[Row]:
    """Return P(female) of each profession: the truth, the plain student, and the student with mean and texts added."""
    plain, both = (
        numbers(EXPERIMENT.where(reversal=kind, augmentation=share, temperature=1.0, words=EXCHANGED)["shares"]).mean(0)
        for kind, share in ((PLAIN, 0.0), methods()["Mean and texts added"])
    )
    truth = shares(1.0)
    return [
        {"profession": job, "world": truth[job], "plain student": plain[i], "mean, texts added": both[i]}
        for i, job in enumerate(SHARES)
    ]


def readings() -> list[Row]:
    """Return equity, perplexity and texts of both genders of each operation, words exchanged and as they are."""
    return [
        {"operation": reversal, "words": words}
        | summary(reversal=reversal, augmentation=0.0, temperature=1.0, words=words)
        for reversal in REVERSED
        for words in (EXCHANGED, AS_THEY_ARE)
    ]


def carried() -> list[Row]:
    """Return which share of the plain student's disparity goes away, by method and measure, with 95 % intervals."""
    table, rows = saved(EMBEDDED)[0], []
    names = {
        "what is said (log odds)": "exact_log_odds",
        "input embeddings (WEAT)": "weat",
        "vectors in context (CEAT)": "ceat",
        "classifier (TPR gap)": "tpr_gap",
    }
    for method in ("Texts added", "Mean", "Mean and texts added"):
        for name, column in names.items():
            gone = closed(table, column, *methods()[method])
            rows.append({"measured": name, "student": method, **over_seeds(gone, "goes away")})
    return rows


def price(reversal: str, share: float) -> float:
    """Return by how many per cent perplexity is above the plain student's, mean over seeds."""
    table = saved(EMBEDDED)[0]
    ratio = measure(table, "perplexity", reversal, share) / measure(table, "perplexity", PLAIN)
    return float(100 * (np.mean(ratio) - 1))


def even_price() -> float:
    """Return by how many per cent perplexity must rise if gender says nothing of a profession, and nothing of gender.

    A text with words of gender loses the information that profession and gender have of each other, once.

    Examples
    --------
    >>> round(even_price(), 1)
    1.0
    """
    women = np.array([*SHARES.values()])
    lost = np.mean(np.log(2) + women * np.log(women) + (1 - women) * np.log(1 - women))  # nats a text
    words = np.mean([len(text.split()) + 1 for text in texts_of(SHOWN_SEED)])  # the end of a text is one
    return float(100 * np.expm1((1 - NEUTRAL / 2) * lost / words))
