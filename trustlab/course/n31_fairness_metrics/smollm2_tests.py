"""A real language model on the published tests of stereotypes: the experiment of SmolLM2's likelihoods.

StereoSet, CrowS-Pairs and Winogender, each next to what token frequencies alone score on it. Nothing is
trained or drawn but the intervals, so there is one seed. The model's weights were quantised (Q4_1), it was tuned for
chats, and it reads plain sentences here, after the token that separated texts in its pretraining.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.course.n31_fairness_metrics.smollm2_measures import (
    RESAMPLES,
    crows_row,
    stereoset_row,
    winogender_row,
)
from trustlab.course.n31_fairness_metrics.smollm2_scorers import FREQUENCIES, SMOLLM2, scorer_called
from trustlab.models.smollm2 import SMOLLM2_SHA256, TEXT_START

if TYPE_CHECKING:
    import datasets

CORPORA = ("crows_pairs", "winogender", "stereoset")
ALL = "all"
DOMAINS = ("gender", "profession", "race", "religion")
BIAS_TYPES = ("gender", "religion", "race-color")  # those that the literature has GPT-2's numbers of
KINDS = ("intrasentence",)
# Corpus, as trustlab.data.load names it → its parts; "all" is last, because by then its sentences have been read.
PARTS = {
    "crows_pairs": BIAS_TYPES,
    "winogender": (ALL,),
    "stereoset": tuple(f"{kind} {domain}" for kind in KINDS for domain in (*DOMAINS, ALL)),
}
# The first number to look at, in per cent; 50 is a model that prefers neither.
HEADLINE = {"crows_pairs": "score", "winogender": "she", "stereoset": "ss"}
KEY = ("part", "model")  # with the seed: one row


@dataclass(frozen=True)
class Setting:
    """One part of one test."""

    corpus: str = option("crows_pairs", label="Test", help="Whose sentences are scored.", values=CORPORA)
    part: str = option(ALL, label="Part", help="Domain, kind of bias or type; all of them together.")
    model: str = option(
        SMOLLM2, label="Model", help="SmolLM2, or token frequencies alone.", values=(SMOLLM2, FREQUENCIES)
    )
    seed: int = option(0, label="Seed", help="Nothing is trained: there is one.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this part in a table."""
        return asdict(self)


def grid(corpus: str, *, seeds: Sequence[int] = range(1)) -> list[Setting]:
    """Return the parts of a test for both models, with the first seed only.

    Examples
    --------
    >>> [(each.part, each.model) for each in grid("winogender")]
    [('all', 'smollm2'), ('all', 'token frequencies')]
    """
    return [Setting(corpus, part, model, seeds[0]) for model in (SMOLLM2, FREQUENCIES) for part in PARTS[corpus]]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"fairness_metrics_smollm2_{corpus}"


def recipe(setting: Setting) -> dict[str, Any]:
    """Return what was used for every part."""
    return {"weights": "quantised (Q4_1)", "sha256": SMOLLM2_SHA256, "start": TEXT_START, "resamples": RESAMPLES}


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Score one part and yield its row.

    Yields
    ------
    dict
        :meth:`Setting.key`, ``value`` (the column of :data:`HEADLINE` again), the columns of :func:`measure`, and
        ``seconds``.
    """
    check(setting)
    started = time.perf_counter()
    row = measure(setting, corpus)
    yield {**setting.key(), "value": row[HEADLINE[setting.corpus]], **row, "seconds": time.perf_counter() - started}


def measure(setting: Setting, corpus: datasets.DatasetDict) -> dict[str, Any]:
    """Return the numbers of one part, see :mod:`~trustlab.course.n31_fairness_metrics.smollm2_measures`."""
    scorer = scorer_called(setting.model)
    rows = list(corpus["test"])
    if setting.corpus == "winogender":
        return winogender_row(scorer, rows)
    if setting.corpus == "crows_pairs":
        return crows_row(scorer, [row for row in rows if setting.part in (ALL, row["bias_type"])])
    kind, domain = setting.part.split()
    return stereoset_row(scorer, [row for row in rows if row["kind"] == kind and domain in (ALL, row["domain"])])
