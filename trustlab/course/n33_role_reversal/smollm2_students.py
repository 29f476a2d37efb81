"""What notebook 33 reads off the committed table of SmolLM2's students: how even, how good, and what they say.

With three seeds nothing is claimed of them; each number has the smallest and largest of its seeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n33_role_reversal.smollm2_distillation import STUDENTS, TEACHER, result_name
from trustlab.course.n33_role_reversal.smollm2_leanings import LETTERS
from trustlab.course.n33_role_reversal.smollm2_texts import PROFESSIONS, openings
from trustlab.fairness.equity_levels import equal_gendered, equity_levels
from trustlab.fairness.groups import Groups
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
LEAST = 100  # gendered texts a profession that every model has, its seeds together
MEASURES = ("leaning", "perplexity", "ss", "lms", "gendered")


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
