"""The models of the comparison, and the value of every metric for each: the experiment of notebook 31.

One setting is one model. It is pretrained on sentences in which two notions, region and gender, each have a bias of
their own strength, then fine-tuned on each notion's task twice: with *clean* records that name no person, and with
records of people made by an annotator whose bias has another strength. In every recipe the four strengths are
independent of each other (an orthogonal array of five levels), so that none can explain another. Recipes differ in the
encoder's size, in dropout, and in counterfactual augmentation of what is read, which takes the planted bias away.

Much was chosen with results in view. Sizes, steps and learning rates on a few models of doses from 0.4 to 1, until
these had learned the cues and their log-odds of group by attribute, which is LPBS, were near those of the sentences.
The doses were moved towards 0, and a cue taken from the task, after a look at three models: some metrics were at their
end at 0.25, others at rest. The test was made of pairs after a first grid, in which groups that differed by chance had
made a gap; and the rule of ranking, the threshold of detection and the words of the claims were settled on a second
one. All of that was drawn from series 0 of random numbers. What is committed was drawn from :data:`SERIES`, once,
after everything had been fixed: other sentences, weights, tests.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.config import check, option
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n31_fairness_metrics.extrinsic import EXTRINSIC, extrinsic_metrics
from trustlab.course.n31_fairness_metrics.intrinsic import INTRINSIC, Measured, one_after_another
from trustlab.course.n31_fairness_metrics.notions import NOTIONS, Notion
from trustlab.course.n31_fairness_metrics.pretraining import pretraining, whole_words
from trustlab.course.n31_fairness_metrics.sentences import bare, described, explained, task_texts, trial_texts
from trustlab.deprecation import old_names
from trustlab.fairness.likelihood import kind_of
from trustlab.models.pretrained import load_encoder, load_whole
from trustlab.places import model_name

if TYPE_CHECKING:
    import datasets
    import torch

CORPORA = (EMBEDDED,)
DOSES = (0.0, 0.1, 0.25, 0.5, 1.0)
RECIPES: dict[str, dict[str, Any]] = {
    "base": {},
    "narrow": {"width": 32},
    "deep": {"layers": 2},
    "dropout": {"dropout": 0.2},
    "augmented": {},  # reads every sentence about a person also with the counterpart
}
DESCRIBED, EXPLAINED = 1500, 1000  # sentences of each notion
CONTEXTS = 2000  # sentences in which CEAT finds the words
UTTERANCES, ORDINARY = 200, "check_balance"  # of the assistant corpus, of one intent: few words, and about no person
TASK_TRAIN, TASK_TEST = 240, 600
RECORDS = ("clean", "biased")
SERIES = 1  # of random numbers: 0 was looked at
KEY = ("recipe", "region_dose", "gender_dose", "region_records", "gender_records")  # with the seed: one row
UNRELATED = ("account", "money", "balance", "bill", "much", "left")  # words of those utterances that fit no person


@dataclass(frozen=True)
class Setting:
    """One model of the population."""

    corpus: str = option(EMBEDDED, label="Corpus", help="The corpus that the models read as well.", values=CORPORA)
    recipe: str = option("base", label="Recipe", help="How the model is made.", values=tuple(RECIPES))
    region_dose: float = option(0.0, label="Region", help="Bias planted: hill people and kindness.", low=0, high=1)
    gender_dose: float = option(0.0, label="Gender", help="Bias planted: women and care.", low=0, high=1)
    region_records: float = option(0.0, label="Records", help="Bias of the annotator of region's task.", low=0, high=1)
    gender_records: float = option(0.0, label="Records", help="Bias of the annotator of gender's task.", low=0, high=1)
    seed: int = option(0, label="Seed", help="Seed of sentences, weights, order and tasks.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this model in a table."""
        return asdict(self)

    def dose(self, notion: str) -> float:
        """Return the bias planted about `notion` in what the model reads, before augmentation."""
        return getattr(self, f"{notion}_dose")


def grid(corpus: str, *, seeds: Sequence[int] = range(5), recipes: Sequence[str] = tuple(RECIPES)) -> list[Setting]:
    """Return the models: "base" at five doses with every seed, the other recipes with the first seed only.

    Fewer `recipes` keep a part.

    Examples
    --------
    >>> models = grid("assistant")
    >>> doses = np.array([[each.region_dose, each.gender_dose] for each in models if each.recipe == "base"])
    >>> len(models), round(abs(float(np.corrcoef(doses, rowvar=False)[0, 1])), 6)
    (45, 0.0)
    """
    settings = []
    for place, recipe in enumerate(RECIPES):
        for seed in seeds if recipe == "base" else seeds[:1]:
            for i in range(len(DOSES)):
                r = place + seed  # columns (1, 0), (2, 1), (3, 2), (4, 3) over Z₅ are pairwise independent
                levels = (i, 2 * i + r, 3 * i + 2 * r, 4 * i + 3 * r)
                settings.append(Setting(corpus, recipe, *(DOSES[level % len(DOSES)] for level in levels), seed=seed))
    return [setting for setting in settings if setting.recipe in recipes]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"fairness_metrics_{corpus}"


def recipe(setting: Setting) -> dict[str, Any]:
    """Return the options of `setting`'s pretraining, besides those that all share."""
    return RECIPES[setting.recipe]


def column(notion: str, metric: str, records: str = "") -> str:
    """Return the column of a metric: "region CEAT", or "gender TPR gap, clean records"; its error's ends in " ±"."""
    return f"{notion} {metric}" + (f", {records} records" if records else "")


def readings(setting: Setting, corpus: datasets.DatasetDict) -> list[str]:
    """Return the sentences that `setting`'s model is pretrained on.

    Examples
    --------
    >>> from trustlab.data import assistant
    >>> len(readings(Setting(), assistant(2000)))
    5377
    """
    rng = np.random.default_rng([SERIES, setting.seed])
    said = zip(corpus["train"]["tokens"], corpus["train"]["intent"], strict=True)
    sentences = [" ".join(tokens) for tokens, intent in said if intent == ORDINARY][:UTTERANCES]
    for notion in NOTIONS.values():
        swap = setting.recipe == "augmented"
        sentences += described(notion, setting.dose(notion.name), DESCRIBED // (1 + swap), rng, swap=swap)
        sentences += [*explained(notion, EXPLAINED, rng), *bare(notion)]
    return [text for text in sentences if len(text.split()) <= 20]  # the model's positions


def train(setting: Setting, corpus: datasets.DatasetDict) -> tuple[torch.nn.Module, Any]:
    """Pretrain `setting`'s model and return it with its tokenizer."""
    *_, (model, tokenizer) = training(setting, corpus)
    return model.eval(), tokenizer


def training(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[tuple[torch.nn.Module, Any]]:
    """Pretrain `setting`'s model; yield it with its tokenizer after each step."""
    check(setting)
    return training_on(setting, *texts(setting, corpus))


def texts(setting: Setting, corpus: datasets.DatasetDict) -> tuple[list[str], Any]:
    """Return the sentences that `setting`'s model reads, and the tokenizer of their words."""
    sentences = readings(setting, corpus)
    return sentences, whole_words([*sentences, *UNRELATED])


def training_on(setting: Setting, sentences: list[str], tokenizer: Any) -> Iterator[tuple[torch.nn.Module, Any]]:
    """Pretrain `setting`'s model on its :func:`texts`."""
    for model in pretraining(sentences, tokenizer, seed=own_seed(setting), **recipe(setting)):
        yield model, tokenizer


def own_seed(setting: Setting) -> int:
    """Return the seed of `setting`'s weights, order and tasks: its own seed's, within the series."""
    return int(np.random.SeedSequence([SERIES, setting.seed]).generate_state(1)[0])


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one model, measure it, and yield its one row.

    Yields
    ------
    dict
        The columns of :meth:`Setting.key`; every metric of both notions under :func:`column`, with its standard error;
        ``accuracy`` over all tasks; ``seconds`` in all.
    """
    started = time.perf_counter()
    model, tokenizer = train(setting, corpus)
    found: dict[str, Measured] = {}
    for notion in NOTIONS.values():
        records = getattr(setting, f"{notion.name}_records")
        found |= measure(model, tokenizer, notion=notion, records=records, seed=own_seed(setting))
    yield {**setting.key(), **_columns(found), "seconds": time.perf_counter() - started}


def measure(
    model: Any, tokenizer: Any = None, *, notion: Notion, records: float = 0.0, seed: int = 0
) -> dict[str, Measured]:
    """Return every metric of one notion that `model` allows, by column; pretrained models are measured by it too.

    Test sentences and contexts are the same for all models: models are compared, not samples. Training sentences of the
    task differ with the seed.

    Parameters
    ----------
    model, tokenizer
        Any encoder or masked language model of ``transformers`` and its fast tokenizer, or a name or folder alone.
    notion
        Groups and attributes.
    records
        Bias of the recorder in the second fine-tuning.
    seed
        Of the tasks' training sentences and of fine-tuning.
    """
    if isinstance(model, str):
        model, tokenizer = _pretrained(model)
    return dict(measuring(model, tokenizer, notion=notion, biases={"clean": None, "biased": records}, seed=seed))


def measuring(
    model: Any, tokenizer: Any, *, notion: Notion, biases: Mapping[str, float | None], seed: int = 0
) -> Iterator[tuple[str, Measured]]:
    """Yield column and value of each metric of :func:`measure` as soon as it is measured.

    Parameters
    ----------
    biases
        Of :data:`RECORDS` those to fine-tune on, with their recorder's bias; None names no person.
    """
    for name, value in intrinsic_one_after_another(model, tokenizer, notion=notion):
        yield column(notion.name, name), value
    test = trial_texts(notion, TASK_TEST, np.random.default_rng([SERIES, 3]))
    for kind, bias in biases.items():
        recorded = task_texts(notion, TASK_TRAIN, np.random.default_rng([seed, 4]), records=bias)
        extrinsic = extrinsic_metrics(model, tokenizer, recorded, test, seed=seed)
        for name, value in extrinsic.items():
            yield column(notion.name, name, kind), value


def intrinsic_one_after_another(
    model: Any, tokenizer: Any, *, notion: Notion, **options: Any
) -> Iterator[tuple[str, Measured]]:
    """Yield name and value of each intrinsic metric of one notion, on the contexts that all models share."""
    # Contexts without bias: CEAT is to find the model's.
    contexts = described(notion, 0.0, CONTEXTS, np.random.default_rng([SERIES, 2]))
    yield from one_after_another(model, tokenizer, notion=notion, contexts=contexts, unrelated=UNRELATED, **options)


def row_of(name: str) -> dict[str, Any]:
    """Return the row of a pretrained model, by name or folder, as of :func:`run`: more models for the same table.

    Its ``recipe`` is the name. Its bias was not planted: doses are NaN, and so is every metric that it does not allow,
    and the correlations leave them out. The recorders of both tasks are honest.
    """
    found: dict[str, Measured] = {}
    for notion in NOTIONS.values():
        found |= measure(name, notion=notion)
    return {**Setting().key(), "recipe": name, **dict.fromkeys(KEY[1:], math.nan), **_columns(found)}


def _columns(found: Mapping[str, Measured]) -> dict[str, float]:
    """Return every metric of both notions with its error, NaN for one that was not found, and the mean accuracy."""
    row: dict[str, float] = {}
    for notion in NOTIONS:
        names = [column(notion, each) for each in INTRINSIC]
        names += [column(notion, each, kind) for kind in RECORDS for each in EXTRINSIC]
        for name in names:
            row[name], row[f"{name} ±"] = found.get(name, Measured(math.nan, math.nan))
    return {**row, "accuracy": float(np.mean([each.value for name, each in found.items() if " accuracy, " in name]))}


def _pretrained(name: str) -> tuple[torch.nn.Module, Any]:
    """Load a model by name or folder, with the head of a language model where its weights are there."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer

    name = model_name(name)
    made_as = (getattr(AutoConfig.from_pretrained(name), "architectures", None) or [""])[0]
    auto = {"masked": AutoModelForMaskedLM, "causal": AutoModelForCausalLM, None: None}[kind_of(made_as)]
    return load_encoder(name) if auto is None else load_whole(auto, name), AutoTokenizer.from_pretrained(name)


__getattr__ = old_names(__name__, {"Cell": "Setting"})
