"""A real teacher: SmolLM2 distilled to half of its layers on Wikipedia's sentences, with each reversal, and measured.

A row is one student and one seed, which draws its texts, batches and continuations. Everything is small, so that the
table takes about an hour on a core: a student reads some ten thousand words. It stays far from its teacher, and what is
compared is students with each other. Matrix products are in bfloat16; the divergence sees the teacher's 64 likeliest
words singly and the others as one. The combination of augmentation and reversal is the expectation, named beforehand.
"""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.course.n33_role_reversal.smollm2_leanings import EACH, TOKENS, TOP_P, leanings, preferences, said
from trustlab.course.n33_role_reversal.smollm2_texts import HELD_OUT, TRAINING, begun, divided, training
from trustlab.fairness.distillation import DistillOptions, distill, half_depth
from trustlab.models.perplexity import perplexity
from trustlab.models.smollm2 import SMOLLM2_SHA256, TEXT_START, load_smollm2

if TYPE_CHECKING:
    import datasets

CORPORA = ("bold",)
SEEDS = 3
TEACHER = "teacher"
RECIPE = DistillOptions(
    alpha=0.9, learning_rate=5e-4, batch_size=8, steps=128, max_length=33, top=64, precision="bfloat16", row_every=32
)
# A student's name → what it does not share with the others.
STUDENTS = MappingProxyType(
    {
        "plain": {},
        "expectation": {"reversal": "expectation"},
        "augmented": {"augmentation": 1.0},
        "mean": {"reversal": "mean"},
        "max": {"reversal": "max"},
        "swap": {"reversal": "swap"},
        "expectation, words as they are": {"reversal": "expectation", "exchange": False},
        "augmented, expectation": {"augmentation": 1.0, "reversal": "expectation"},
    }
)
KEY = ("model",)  # with the seed: one row


@dataclass(frozen=True)
class Setting:
    """The teacher, or one student of it."""

    corpus: str = option("bold", label="Corpus", help="Whose texts are read.", values=CORPORA)
    model: str = option("plain", label="Model", help="Who is measured.", values=(TEACHER, *STUDENTS))
    seed: int = option(0, label="Seed", help="Of texts, batches and continuations.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this setting in a table."""
        return asdict(self)

    @property
    def options(self) -> DistillOptions:
        """The options of this student's distillation."""
        return dataclasses.replace(RECIPE, seed=self.seed, **STUDENTS[self.model])


def grid(corpus: str, *, seeds: Sequence[int] = range(SEEDS), models: Sequence[str] = ()) -> list[Setting]:
    """Return the teacher and every student over `seeds`, a whole seed after the other; some `models` keep a part.

    Examples
    --------
    >>> len(grid("bold")), grid("bold", seeds=[4], models=["mean"])[0].seed
    (27, 4)
    """
    return [Setting(corpus, model, seed) for seed in seeds for model in models or (TEACHER, *STUDENTS)]


def result_name(corpus: str) -> str:
    """Return the name under which the table is stored in ``data/results``."""
    return f"role_reversal_smollm2_{corpus}"


def recipe(setting: Setting) -> dict[str, Any]:
    """Return what all students have in common."""
    varied = ("reversal", "exchange", "augmentation", "seed")
    common = {name: value for name, value in asdict(RECIPE).items() if name not in varied}
    weights = {"weights": "quantised (Q4_1)", "sha256": SMOLLM2_SHA256, "start": TEXT_START}
    sampling = {"continuations": EACH, "written": TOKENS, "top_p": TOP_P}
    return {**weights, **common, "texts": TRAINING, "held_out": HELD_OUT, **sampling}


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Distil one student, measure it, and yield its row.

    Yields
    ------
    dict
        :meth:`Setting.key`; ``kl`` and ``ce`` of the last steps, and ``tokens`` learnt from (0 for the teacher);
        ``perplexity`` on held-out texts about professions; what
        :mod:`~trustlab.course.n33_role_reversal.smollm2_leanings` has; ``trained``, seconds of training, and
        ``seconds`` of all.
    """
    check(setting)
    started = time.perf_counter()
    found, tokenizer = distilled(setting, corpus), language_model()[1]
    row = {**setting.key(), **{name: found[name] for name in ("kl", "ce", "tokens")}}
    half = in_half(found["student"])
    row |= {"trained": found["seconds"], **predicted(half, tokenizer, corpus)}
    row |= preferences(half, tokenizer) | said(half, tokenizer, setting.seed)
    yield {**row, "seconds": time.perf_counter() - started}


def distilled(setting: Setting, corpus: datasets.DatasetDict) -> dict[str, Any]:
    """Return the last row of a student's distillation, done now; for the teacher itself a row of zeros with it."""
    teacher, tokenizer = language_model()
    if setting.model == TEACHER:
        return {"kl": 0.0, "ce": 0.0, "tokens": 0, "seconds": 0.0, "student": teacher}
    _, professions, gendered = divided(corpus)
    texts = training(professions, gendered, setting.seed)
    *_, last = distill(
        teacher, half_depth(teacher.config), texts, tokenizer=tokenizer, start=TEXT_START, options=setting.options
    )
    return last


def in_half(model: Any) -> Any:
    """Return a copy of a model with its weights in half precision, as all of them are measured."""
    import copy

    import torch

    return copy.deepcopy(model).to(torch.bfloat16)


def predicted(half: Any, tokenizer: Any, corpus: datasets.DatasetDict) -> dict[str, float]:
    """Return a model's perplexity on held-out texts and its leanings: of one student, they are always the same."""
    held, _, _ = divided(corpus)
    found = {"perplexity": perplexity(half, begun(held, tokenizer, TEXT_START, RECIPE.max_length))}
    return found | leanings(half, tokenizer)


@functools.lru_cache(maxsize=1)
def language_model() -> tuple[Any, Any]:
    """Return SmolLM2 and its tokenizer, read once a process."""
    return load_smollm2()
