"""Are metrics of likelihood right only where the bias was planted? The same models asked in other frames.

The pretraining text plants a notion's bias in three frames, "{who} is {what}" among them, and LPBS, CrowS-Pairs and
StereoSet ask in just that one. Here they ask in a frame that the text has about no particular person, never about a
member of a group: "{who} {cue} and {other} and is {what}". Its cues are one of each pole, in either order, so that they
favour none. A model that learned which words follow each other in a frame, and nothing about people, is at rest here.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n31_fairness_metrics import experiment
from trustlab.course.n31_fairness_metrics.experiment import KEY, UNRELATED, column, recipe, train
from trustlab.course.n31_fairness_metrics.intrinsic import LIKELIHOOD, likelihood_metrics, over_words
from trustlab.course.n31_fairness_metrics.notions import NOTIONS, Notion
from trustlab.course.n31_fairness_metrics.sentences import ABOUT_NOBODY, NOBODY
from trustlab.fairness.likelihood import LikelihoodScorer

if TYPE_CHECKING:
    import datasets

__all__ = ["CORPORA", "KEY", "Setting", "grid", "recipe", "result_name", "run"]
CORPORA = (EMBEDDED,)


class Setting(experiment.Setting):
    """One model of the base recipe."""


def grid(corpus: str, *, seeds: Sequence[int] = range(5)) -> list[Setting]:
    """Return the models of the base recipe, as :func:`.experiment.grid` has them."""
    return [Setting(**each.key()) for each in experiment.grid(corpus, seeds=seeds, recipes=("base",))]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"fairness_metrics_held_out_{corpus}"


def frames(notion: Notion) -> list[str]:
    """Return the frames with each cue of one pole and a cue of the other, in either order.

    Examples
    --------
    >>> from trustlab.course.n31_fairness_metrics.notions import REGION
    >>> frames(REGION)[0], len(frames(REGION))
    ('{who} helps and shouts and is {what}', 12)
    """
    form = ABOUT_NOBODY[0].replace(NOBODY, "{who}")
    pairs = list(zip(notion.cues_a, notion.cues_b, strict=True))
    return [form.replace("{cue}", a).replace("{other}", b) for pair in pairs for a, b in (pair, pair[::-1])]


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Pretrain one model, ask it in the held-out frames, and yield its row.

    Yields
    ------
    dict
        The columns of :meth:`Setting.key`; each metric of :data:`.intrinsic.LIKELIHOOD` about each notion, the mean
        over frames, under :func:`.experiment.column`; ``seconds``.
    """
    started = time.perf_counter()
    scorer = LikelihoodScorer(*train(setting, corpus))
    once = functools.partial(over_words, rng=np.random.default_rng(0), resamples=0)
    row: dict[str, Any] = {}
    for notion in NOTIONS.values():
        asked = [dict(likelihood_metrics(scorer, notion, UNRELATED, once, frame)) for frame in frames(notion)]
        row |= {column(notion.name, name): float(np.mean([each[name].value for each in asked])) for name in LIKELIHOOD}
    yield {**setting.key(), **row, "seconds": time.perf_counter() - started}
