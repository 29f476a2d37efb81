"""What notebook 33 reads off the committed table of SmolLM2's students: how even, how good, and what they say.

With three seeds nothing is claimed of them; each number has the smallest and largest of its seeds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.n33_role_reversal.smollm2_distillation import STUDENTS, TEACHER, result_name
from trustlab.course.n33_role_reversal.smollm2_leanings import equal_gendered, ratio
from trustlab.course.n33_role_reversal.smollm2_texts import PROFESSIONS, openings
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
MEASURES = ("leaning", "perplexity", "ss", "lms", "gendered")


def comparison(corpus: str = "bold", read: Reader = read_results) -> list[Row]:
    """Return one row per model, the teacher first.

    Returns
    -------
    list of dict
        ``model``, ``seeds``; for each of :data:`MEASURES` its mean over seeds and, with " low" and " high", the
        smallest and largest of them; ``equity_mean`` and ``equity_min``, over professions, of as many gendered texts
        of all seeds together for every model, ``texts`` a profession at least.
    """
    table = read(result_name(corpus))[0]
    kept = {
        profession: equal_gendered([_pooled(table, model, profession) for model in _models(table)])
        for profession in PROFESSIONS
    }
    rows = []
    for model in _models(table):
        own = table[table["model"] == model]
        row: Row = {"model": model, "seeds": len(own)}
        for name in MEASURES:
            row |= {name: own[name].mean(), f"{name} low": own[name].min(), f"{name} high": own[name].max()}
        ratios = [ratio(_pooled(table, model, profession), texts) for profession, texts in kept.items()]
        row |= {"equity_mean": float(np.mean(ratios)), "equity_min": float(np.min(ratios))}
        rows.append(row | {"texts": min(kept.values())})
    return rows


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


def _models(table: pandas.DataFrame) -> list[str]:
    return [model for model in (TEACHER, *STUDENTS) if (table["model"] == model).any()]


def _pooled(table: pandas.DataFrame, model: str, profession: str) -> str:
    """Return the polarities of a profession's texts: the first of each seed, then the second of each, and so on."""
    seeds = table[table["model"] == model].sort_values("seed")[f"polarity of {profession}"]
    return "".join(letter for turn in zip(*seeds, strict=True) for letter in turn)
