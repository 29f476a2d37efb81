"""What notebook 33 reads off the committed tables of SmolLM2's students: how even, how good, what they say and hold.

With three seeds nothing is claimed of them; each number has the smallest and largest of its seeds.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n33_role_reversal import smollm2_elsewhere
from trustlab.course.n33_role_reversal.smollm2_distillation import STUDENTS, TEACHER, result_name
from trustlab.course.n33_role_reversal.smollm2_leanings import LETTERS
from trustlab.course.n33_role_reversal.smollm2_texts import PROFESSIONS, openings
from trustlab.fairness.equity_levels import equal_gendered, equity_levels
from trustlab.fairness.groups import Groups
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

PLAIN, *_, BOTH = STUDENTS
Row = dict[str, Any]
LEAST = 100  # gendered texts a profession that every model has, its seeds together
MEASURES = ("leaning", "perplexity", "ss", "lms", "gendered")
# What is measured elsewhere, as the picture names it.
ELSEWHERE = MappingProxyType(
    {
        "leaning": "leaning",
        "WEAT": "weat science",
        "CEAT": "ceat science",
        "TPR gap": "tpr_gap",
        "flips": "flips",
    }
)


def comparison(corpus: str = "bold", read: Reader = read_results) -> list[Row]:
    """Return one row per model, the teacher first.

    Returns
    -------
    list of dict
        ``model``, ``seeds``; for each of :data:`MEASURES` its mean over seeds and, with " low" and " high", the
        smallest and largest of them; ``equity_mean`` and ``equity_min``, over professions, of all seeds' texts
        together and as many gendered ones for every model, with their intervals' ends and, as " blind", what a writer
        without preference has; ``texts``, those of the profession with fewest.
    """
    table = read(result_name(corpus))[0]
    models = [model for model in (TEACHER, *STUDENTS) if (table["model"] == model).any()]
    said = {model: _said(table[table["model"] == model]) for model in models}
    kept = equal_gendered(said, least=LEAST)
    rows = []
    for model in models:
        own = table[table["model"] == model]
        row: Row = {"model": model, "seeds": len(own)}
        for name in MEASURES:
            row |= {name: own[name].mean(), f"{name} low": own[name].min(), f"{name} high": own[name].max()}
        polarity, groups = said[model]
        rows.append(row | _equity(polarity[kept[model]], groups[kept[model]]))
    return rows


def beside_plain(corpus: str = "bold", read: Reader = read_results) -> list[Row]:
    """Return how many times the plain student's each measure is, of the same seed.

    Returns
    -------
    list of dict
        For each model but the plain student and each of :data:`ELSEWHERE`: ``model``, ``measured``; ``times plain``,
        the mean over seeds, with the smallest and largest of them as ``low`` and ``high``; ``value``, the measure
        itself, and ``plain``, the plain student's, means over seeds.
    """
    table = read(smollm2_elsewhere.result_name(corpus))[0].set_index(["model", "seed"]).sort_index()
    plain, rows = table.loc[PLAIN], []
    for model in (each for each in (TEACHER, *STUDENTS) if each != PLAIN and each in table.index):
        own = table.loc[model]
        for measured, column in ELSEWHERE.items():
            times = own[column] / plain[column]
            row: Row = {"model": model, "measured": measured, "times plain": times.mean()}
            row |= {"low": times.min(), "high": times.max()}
            rows.append(row | {"value": own[column].mean(), "plain": plain[column].mean()})
    return rows


def _equity(polarity: np.ndarray, groups: Groups) -> Row:
    row: Row = {"texts": int(min(groups.sizes))}
    for found in equity_levels(polarity, groups):
        name = {"equity_ratio_mean": "equity_mean", "equity_ratio_minimum": "equity_min"}.get(str(found["metric"]))
        if name:
            row |= {name: found["value"]} | {f"{name} {each}": found[each] for each in ("low", "high", "blind")}
    return row


def _said(own: pandas.DataFrame) -> tuple[np.ndarray, Groups]:
    """Return the polarity of all texts of a model, seed by seed, and the profession of each."""
    sign = {letter: polarity for polarity, letter in LETTERS.items()}
    letters = [(name, letter) for name in PROFESSIONS for text in own[f"polarity of {name}"] for letter in text]
    return np.array([sign[letter] for _, letter in letters]), Groups.by([name for name, _ in letters])


def leanings_of(model: str, corpus: str = "bold", read: Reader = read_results) -> dict[str, float]:
    """Return each profession's leaning in nats, mean over seeds: above 0 the model prefers female words."""
    table = read(result_name(corpus))[0]
    own = table[table["model"] == model]
    return {profession: float(own[f"leaning of {profession}"].mean()) for profession in PROFESSIONS}


def said_by(model: str, seed: int = 0, corpus: str = "bold", read: Reader = read_results) -> dict[str, str]:
    """Return what a model wrote first after each opening, by the opening."""
    table = read(result_name(corpus))[0]
    (text,) = table[(table["model"] == model) & (table["seed"] == seed)]["said"]
    return dict(zip(openings(), text.split("|"), strict=True))
