"""What a real language model writes about groups of people: BOLD's openings, continued by SmolLM2 and rated.

A row is one group and one sampling seed. Texts are not kept: a row has the scores of each continuation, in the order of
its openings, which are the same for every seed, so that openings can be drawn again for intervals and exchanged between
groups. What Wikipedia's authors wrote after the same openings, as many tokens of it, is rated the same way.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.config import check, option
from trustlab.course.n31_fairness_metrics.smollm2_scorers import SMOLLM2, language_model
from trustlab.fairness.generated_texts import unigram_polarity
from trustlab.fairness.scorers import MEASURES, TextScorer, train_scorer
from trustlab.fairness.tasks import GroupedTexts, load_task
from trustlab.models.continuation import continuations
from trustlab.models.smollm2 import SMOLLM2_SHA256, TEXT_START

if TYPE_CHECKING:
    import datasets

CORPORA = ("bold",)
DONE = ("gender", "race", "religious_ideology")  # the domains of the committed table; all take half an hour on a core
WIKIPEDIA = "wikipedia"
PROMPTS, TOKENS, TOP_P = 24, 20, 0.9
SEEDS = 5
GROUPS = {
    "gender": ("American_actors", "American_actresses"),
    "race": ("African_Americans", "Asian_Americans", "European_Americans", "Hispanic_and_Latino_Americans"),
    "religious_ideology": ("atheism", "buddhism", "christianity", "hinduism", "islam", "judaism", "sikhism"),
    "profession": (
        "artistic_occupations", "computer_occupations", "corporate_titles", "dance_occupations",
        "engineering_branches", "entertainer_occupations", "film_and_television_occupations",
        "healthcare_occupations", "industrial_occupations", "mental_health_occupations", "metalworking_occupations",
        "nursing_specialties", "professional_driver_types", "railway_industry_occupations", "scientific_occupations",
        "sewing_occupations", "theatre_personnel", "writing_occupations",
    ),
    "political_ideology": (
        "anarchism", "capitalism", "communism", "conservatism", "democracy", "fascism", "left-wing", "liberalism",
        "nationalism", "populism", "right-wing", "socialism",
    ),
}  # fmt: skip
KEY = ("domain", "group", "writer")  # with the seed: one row
SCORES = ("polarity", *MEASURES)  # columns "… of each", joined by "|" in the order of the openings


@dataclass(frozen=True)
class Setting:
    """The continuations of one group's openings."""

    corpus: str = option("bold", label="Corpus", help="Whose openings are continued.", values=CORPORA)
    domain: str = option("gender", label="Domain", help="What divides people into groups.", values=tuple(GROUPS))
    group: str = option("American_actors", label="Group", help="The group that the openings are about.")
    writer: str = option(
        SMOLLM2, label="Writer", help="Who continues: SmolLM2, or Wikipedia's authors.", values=(SMOLLM2, WIKIPEDIA)
    )
    seed: int = option(0, label="Seed", help="Seed of the sampling.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this setting in a table."""
        return asdict(self)


def grid(corpus: str, *, seeds: Sequence[int] = range(SEEDS), domains: Sequence[str] = DONE) -> list[Setting]:
    """Return every group of `domains` with every seed, and once with what Wikipedia says.

    Examples
    --------
    >>> len(grid("bold", seeds=range(2), domains=["gender"]))
    6
    """
    groups = [(domain, group) for domain in domains for group in GROUPS[domain]]
    written = [Setting(corpus, *each, SMOLLM2, seed) for each in groups for seed in seeds]
    return written + [Setting(corpus, *each, WIKIPEDIA, seeds[0]) for each in groups]


def result_name(corpus: str) -> str:
    """Return the name under which the table is stored in ``data/results``."""
    return f"fairness_metrics_continuations_{corpus}"


def recipe(setting: Setting) -> dict[str, Any]:
    """Return what was used for every group."""
    model = {"weights": "quantised (Q4_1)", "sha256": SMOLLM2_SHA256, "start": TEXT_START}
    return {**model, "prompts": PROMPTS, "tokens": TOKENS, "top_p": TOP_P}


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Continue the openings of one group, rate what was written, and yield the group's row.

    Yields
    ------
    dict
        :meth:`Setting.key`; ``prompts``, ``names`` (articles that they are from) and ``tokens`` (mean length);
        ``female`` and ``male``, the percentages of continuations with more words of that gender; ``sentiment`` and
        ``toxicity``, means; "… of each" of :data:`SCORES`; ``seconds``.
    """
    check(setting)
    started = time.perf_counter()
    prompts, texts, names = openings(setting.domain, setting.group)
    _, tokenizer = language_model()
    if setting.writer == SMOLLM2:
        written = _written(prompts, setting)
    else:
        after = [text[len(prompt) :] for prompt, text in zip(prompts, texts, strict=True)]
        written = [tokenizer(each, verbose=False)["input_ids"][:TOKENS] for each in after]
    said = [tokenizer.decode(each) for each in written]
    scores = {"polarity": unigram_polarity(said)} | {name: scorer(name).score(said) for name in MEASURES}
    row = {"prompts": len(prompts), "names": len(set(names)), "tokens": float(np.mean([*map(len, written)]))}
    row |= {sex: 100 * float((scores["polarity"] == sign).mean()) for sex, sign in (("female", 1), ("male", -1))}
    row |= {name: float(scores[name].mean()) for name in MEASURES}
    row |= {f"{name} of each": "|".join(f"{value:.4g}" for value in scores[name]) for name in SCORES}
    yield {**setting.key(), **row, "seconds": time.perf_counter() - started}


def openings(domain: str, group: str) -> tuple[list[str], list[str], list[str]]:
    """Return the openings of a group that are continued, Wikipedia's texts, and the article that each is from.

    At most :data:`PROMPTS`, drawn once: one of every article before a second of any.
    """
    texts = _opened(domain)
    rows = np.flatnonzero(texts.groups.masks[:, texts.groups.names.index(group)])
    rows = np.random.default_rng([len(rows), 9]).permutation(rows)
    units = texts.units[rows]
    earlier = [int((units[:i] == unit).sum()) for i, unit in enumerate(units)]  # of the same article
    chosen = rows[np.argsort(earlier, kind="stable")][:PROMPTS]
    wikipedia, names = (texts.facts[name][chosen].tolist() for name in ("wikipedia", "name"))
    return [texts.texts[i] for i in chosen], wikipedia, names


@functools.lru_cache(maxsize=1)  # a domain's groups follow one another
def _opened(domain: str) -> GroupedTexts:
    return load_task("bold", domain=domain).test


@functools.lru_cache
def scorer(measures: str) -> TextScorer:
    """Return the rater of "sentiment" or "toxicity", trained once a process."""
    return train_scorer(measures)


def _written(prompts: Sequence[str], setting: Setting) -> list[list[int]]:
    """Return what SmolLM2 writes after each opening: until it ends the text, or a turn of a chat."""
    model, tokenizer = language_model()
    start = tokenizer.convert_tokens_to_ids(TEXT_START)
    ids = [[start, *tokenizer(prompt, verbose=False)["input_ids"]] for prompt in prompts]
    place = [group for groups in GROUPS.values() for group in groups].index(setting.group)
    seed = (setting.seed, place)
    return continuations(model, ids, tokens=TOKENS, ends=tokenizer.all_special_ids, top_p=TOP_P, seed=seed)
