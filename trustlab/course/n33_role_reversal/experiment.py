"""The experiment of notebook 33: one teacher of known bias, many students, and what each says, costs and hands on.

One setting is a student: what becomes of the teacher's two predictions, whether words are exchanged in the swapped one,
how many swapped texts are added, the temperature, and a seed. All students have half of the teacher's layers and one
recipe: as many steps, texts a step, the same rate. The seed decides the texts, the teacher, the student's batches and
all sampling; students of a seed share the teacher and the texts.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.config import check, option
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n33_role_reversal.elsewhere import classified, context_association, word_association
from trustlab.course.n33_role_reversal.generation import (
    EACH,
    KEPT,
    TOP_P,
    Said,
    equity,
    exact_shares,
    first_gendered,
    input_vectors,
    muddled,
    ratios,
    say,
    vectors_polarity,
    words_polarity,
)
from trustlab.course.n33_role_reversal.whole_word_models import LONGEST, held_out, perplexity, teacher_of, texts_of
from trustlab.course.n33_role_reversal.working_people import OPENINGS, PROFESSIONS
from trustlab.fairness.distillation import REVERSALS, DistillOptions, distill, half_depth

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED,)
TEACHER = "teacher"
PLAIN, *REVERSED = REVERSALS  # "none"; "swap", "mean", "max", "expectation"
EXCHANGED, AS_THEY_ARE = "exchanged", "as they are"
SHARES_ADDED, TEMPERATURES = (0.0, 0.5, 1.0), (1.0, 4.0)
KEY = ("reversal", "words", "augmentation", "temperature")  # with the seed: one row
STUDENT = MappingProxyType({"steps": 160, "batch_size": 32, "learning_rate": 3e-3, "max_length": LONGEST})
PROJECTED = 120  # gendered texts a profession where vectors decide: they leave texts of both genders undecided
SHOWN_SEED = 0  # whose continuations are kept, one of each opening


@dataclass(frozen=True)
class Setting:
    """One student, or the teacher itself."""

    corpus: str = option(EMBEDDED, label="Corpus", help="The texts are generated.", values=CORPORA)
    reversal: str = option(
        PLAIN, label="Operation", help="What becomes of the teacher's two predictions.", values=(TEACHER, *REVERSALS)
    )
    words: str = option(
        EXCHANGED,
        label="Words",
        help="Whether words of gender trade places in the swapped prediction.",
        values=(EXCHANGED, AS_THEY_ARE),
    )
    augmentation: float = option(0.0, label="Texts added", help="Share of the texts swapped and added.", low=0, high=1)
    temperature: float = option(1.0, label="Temperature", help="Of both models in the divergence.", above=0)
    seed: int = option(0, label="Seed", help="Of texts, teacher, student and sampling.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this setting in a table."""
        return {name: getattr(self, name) for name in ("corpus", *KEY, "seed")}

    @property
    def options(self) -> DistillOptions:
        """The options of the distillation."""
        exchange = self.words == EXCHANGED
        own = {name: getattr(self, name) for name in ("reversal", "augmentation", "temperature", "seed")}
        return DistillOptions(exchange=exchange, **own, **STUDENT)


def grid(corpus: str, *, seeds: Sequence[int] = range(5), reversals: Sequence[str] = ()) -> list[Setting]:
    """Return the teacher and all students over `seeds`; some `reversals` keep a part.

    Examples
    --------
    >>> len(grid("assistant", seeds=[0])), len(grid("assistant", seeds=[0], reversals=["mean"]))
    (35, 7)
    """
    kinds: list[tuple[str, str, float, float]] = [(TEACHER, EXCHANGED, 0.0, 1.0)]
    kinds += [
        (reversal, EXCHANGED, share, temperature)
        for reversal in REVERSALS
        for share in SHARES_ADDED
        for temperature in TEMPERATURES
    ]
    kinds += [(reversal, AS_THEY_ARE, 0.0, 1.0) for reversal in REVERSED]
    wanted = reversals or (TEACHER, *REVERSALS)
    return [Setting(corpus, *kind, seed) for kind in kinds if kind[0] in wanted for seed in seeds]


def result_name(corpus: str) -> str:
    """Return the name under which the table is stored in ``data/results``."""
    return f"role_reversal_{corpus}"


def recipe(setting: Setting) -> dict[str, Any]:
    """Return the options that all students have in common."""
    varied = ("reversal", "exchange", "augmentation", "temperature", "seed")
    return {name: value for name, value in asdict(setting.options).items() if name not in varied}


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Distil one student, measure it, and yield the one row; `corpus` is not read, the texts are generated.

    Yields
    ------
    dict
        ``corpus``, ``reversal``, ``words``, ``augmentation``, ``temperature``, ``seed``;
        ``perplexity`` on held-out texts of the same world, ``perplexity_even`` on those of a world without skew; what
        :func:`of_text` and :func:`of_elsewhere` measure; ``seconds``, of the distillation, and ``measured_seconds``.
    """
    check(setting)
    teacher, tokenizer = teacher_of(setting.seed)
    started = time.perf_counter()
    model = teacher if setting.reversal == TEACHER else student_of_setting(setting)
    trained = time.perf_counter()
    row: dict[str, Any] = {**setting.key()}
    for name, skew in (("perplexity", 1.0), ("perplexity_even", 0.0)):
        row[name] = perplexity(model, tokenizer, held_out(setting.seed, skew=skew))
    row |= of_text(model, teacher, tokenizer, setting.seed)
    row |= of_elsewhere(model, tokenizer, setting.seed)
    ended = time.perf_counter()
    yield {**row, "seconds": trained - started, "measured_seconds": ended - trained}


def student_of_setting(setting: Setting) -> Any:
    """Return the student of a setting, trained now."""
    teacher, tokenizer = teacher_of(setting.seed)
    *_, last = distill(
        teacher, half_depth(teacher.config), texts_of(setting.seed), tokenizer=tokenizer, options=setting.options
    )
    return last["student"]


def of_text(model: Any, teacher: Any, tokenizer: Any, seed: int) -> dict[str, Any]:
    """Measure what a model says about people.

    Returns
    -------
    dict
        ``shares``, the exact P(female) of each profession as "a|b|…", ``exact_mean`` and ``exact_min``, equity ratios
        of those, and ``exact_log_odds``, their mean |log(f/m)|; ``nucleus_mean`` and ``nucleus_min``, the same of what
        top-p sampling leaves; ``equity_mean`` and ``equity_min``, counted in as many gendered texts for every model,
        ``equity_projected``, the mean where vectors decide a text's gender (of the teacher's, the same for all), and
        ``chance_mean`` and ``chance_min`` of a writer without preference; ``gendered``, the share of the texts;
        ``muddled``, the share of those that have words of both genders; ``said``, for the first seed, a text of each
        opening.
    """
    thought, left = (exact_shares(model, tokenizer, top_p=top_p) for top_p in (1.0, TOP_P))
    said = say(model, tokenizer, each=EACH, seed=(seed, 38))
    polarity = words_polarity(said.texts)
    projected = vectors_polarity(said.texts, input_vectors(teacher, tokenizer))
    return {
        "shares": "|".join(f"{share:.3f}" for share in thought),
        "exact_mean": float(ratios(thought).mean()),
        "exact_min": float(ratios(thought).min()),
        "exact_log_odds": float(np.abs(np.log(thought / (1 - thought))).mean()),
        "nucleus_mean": float(ratios(left).mean()),
        "nucleus_min": float(ratios(left).min()),
        **counted(polarity, said.profession, KEPT),
        "equity_projected": counted(projected, said.profession, PROJECTED)["equity_mean"],
        "gendered": float((polarity != 0).mean()),
        "muddled": muddled(said.texts),
        "said": examples(said) if seed == SHOWN_SEED else "",
    }


def counted(polarity: np.ndarray, profession: np.ndarray, kept: int) -> dict[str, float]:
    """Return the mean and the smallest equity ratio of `kept` gendered texts a profession, and what chance gives."""
    places = first_gendered(polarity, profession, kept)
    found = {str(row["metric"]): row for row in equity(polarity[places], profession[places])}
    mean, least = found["equity_ratio_mean"], found["equity_ratio_minimum"]
    values = {"equity_mean": mean["value"], "equity_min": least["value"]}
    return values | {"chance_mean": mean["blind"], "chance_min": least["blind"]}


def of_elsewhere(model: Any, tokenizer: Any, seed: int) -> dict[str, float]:
    """Measure the same model's vectors and a classifier on its states.

    Returns
    -------
    dict
        ``weat`` and ``ceat``, effect sizes; ``accuracy`` and ``tpr_gap`` of the classifier of professions, and
        ``flips``, the share of its answers that change when the words of gender do.
    """
    return {
        "weat": word_association(model, tokenizer),
        "ceat": context_association(model, tokenizer, seed=seed),
        **classified(model, tokenizer, seed=seed)._asdict(),
    }


def examples(said: Said) -> str:
    """Return a continuation of each opening of each profession, the first drawn, joined by "|" in their order."""
    return "|".join(
        next(text for text, job, start in zip(said.texts, said.profession, said.openings, strict=True) if job == place
             and start == opening.format(job=PROFESSIONS[place]))
        for place in range(len(PROFESSIONS))
        for opening in OPENINGS
    )  # fmt: skip
