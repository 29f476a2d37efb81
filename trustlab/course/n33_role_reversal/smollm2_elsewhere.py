"""Whether a student of SmolLM2 that says fairer things has fairer vectors and decides more fairly: WEAT, CEAT, a task.

The words are those of the published tests of gender with words and not names: mathematics and the arts, science and the
arts. The task is to tell which group of professions a sentence of Wikipedia is about, from the frozen states of the
model. It is learnt from sentences without a word of gender, and tested on those that have words of one, each of them
once as it is and once swapped, as the classifier of :mod:`~trustlab.course.n33_role_reversal.elsewhere` is.

Measured are the teacher and every student, trained again from their seeds. On another processor these are other
students: the rows have their perplexity and leaning, to compare with the table of :mod:`.smollm2_distillation`.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustlab.config import check, option
from trustlab.course.n33_role_reversal import smollm2_distillation
from trustlab.course.n33_role_reversal.elsewhere import decisions
from trustlab.course.n33_role_reversal.smollm2_distillation import CORPORA, STUDENTS, TEACHER
from trustlab.course.n33_role_reversal.smollm2_texts import begun
from trustlab.course.n33_role_reversal.working_people import Texts
from trustlab.data import load
from trustlab.fairness.association import ceat, weat
from trustlab.fairness.contexts import ContextEncoder, Occurrence, embed_in_context, occurrences
from trustlab.fairness.generated_texts import unigram_polarity
from trustlab.fairness.swaps import counterfactual
from trustlab.models.batching import batches, evaluating, mean_state, padded
from trustlab.models.smollm2 import TEXT_START

if TYPE_CHECKING:
    import datasets
    import pandas

KEY = ("model",)  # with the seed: one row
MODELS = (TEACHER, *STUDENTS)
SEEDS = 3
TESTS = MappingProxyType({"math": 7, "science": 8})  # column → number of the test, as published
CONTEXTS, DRAWS = 10, 1000  # of CEAT
WORDS = 40  # longest sentence, so that none is cut
LEARNT, TESTED = 50, 10  # sentences to learn from, for each group; groups with fewer gendered sentences are left out
LONGEST, BATCH = 40, 1536  # tokens of a sentence, and of a batch
C = 0.1  # inverse strength of the penalty on standardised states, best of 0.0001 to 1 for the teacher in five folds
_SPLIT = 34


@dataclass(frozen=True)
class Setting:
    """The teacher, or one student of it."""

    corpus: str = option("bold", label="Corpus", help="Whose texts are read.", values=CORPORA)
    model: str = option("plain", label="Model", help="Who is measured.", values=MODELS)
    seed: int = option(0, label="Seed", help="Of texts, batches, contexts and what is learnt.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this setting in a table."""
        return asdict(self)


def grid(corpus: str, *, seeds: Sequence[int] = range(SEEDS)) -> list[Setting]:
    """Return the teacher and every student over `seeds`, a whole seed after the other."""
    return [Setting(corpus, model, seed) for seed in seeds for model in MODELS]


def result_name(corpus: str) -> str:
    """Return the name under which the table is stored in ``data/results``."""
    return f"role_reversal_smollm2_elsewhere_{corpus}"


def recipe(setting: Setting) -> dict[str, Any]:
    """Return the options of the students and of the measures."""
    own = {"contexts": CONTEXTS, "draws": DRAWS, "learnt": LEARNT, "tested": TESTED, "C": C}
    return smollm2_distillation.recipe(smollm2_distillation.Setting(setting.corpus)) | own


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Distil one student, measure its vectors and a classifier on its states, and yield its row.

    Yields
    ------
    dict
        :meth:`Setting.key`; ``perplexity`` and what ``leanings`` has; what :func:`of_elsewhere` has; ``seconds``.
    """
    check(setting)
    started = time.perf_counter()
    own = smollm2_distillation.Setting(**setting.key())
    half = smollm2_distillation.in_half(smollm2_distillation.distilled(own, corpus)["student"])
    tokenizer = smollm2_distillation.language_model()[1]
    row = setting.key() | smollm2_distillation.predicted(half, tokenizer, corpus)
    row |= of_elsewhere(half, tokenizer, corpus, setting.seed)
    yield {**row, "seconds": time.perf_counter() - started}


class Task(NamedTuple):
    """Sentences about professions that tell nothing of gender, with their groups; those that do; and these swapped."""

    learnt: Texts
    asked: Texts
    swapped: list[str]


def of_elsewhere(model: Any, tokenizer: Any, corpus: datasets.DatasetDict, seed: int) -> dict[str, float]:
    """Measure a model's vectors and a classifier on its states.

    Returns
    -------
    dict
        "weat math", "weat science", "ceat math" and "ceat science", effect sizes, above 0 where mathematics or science
        is nearer to male words; ``accuracy``, ``tpr_gap`` and ``flips`` of the classifier, see
        :class:`~trustlab.course.n33_role_reversal.elsewhere.Decisions`.
    """
    found = {}
    sets = word_sets()
    places = contexts(corpus, sets, seed)
    seen = embed_in_context(ContextEncoder(model, tokenizer, batch_tokens=BATCH), places)
    for name, words in sets.items():
        found[f"weat {name}"] = weat(*(input_vectors(model, tokenizer, each) for each in words), permutations=0)[0]
        met = [[word for word in each if places[word]] for each in words]  # "hers" is in no sentence
        found[f"ceat {name}"] = ceat(seen, *met, samples=DRAWS, seed=seed).effect_size
    return found | classified(model, tokenizer, task(corpus, seed))


def word_sets() -> dict[str, list[list[str]]]:
    """Return the two targets and the two attributes, male words first, of each test."""
    rows = {int(row["test"]): row for row in load("weat")["test"]}
    return {name: [list(rows[number][side]) for side in "XYAB"] for name, number in TESTS.items()}


def input_vectors(model: Any, tokenizer: Any, words: Sequence[str]) -> np.ndarray:
    """Return the input embedding [n, D] of each word as it is inside a sentence, the mean over its sub-tokens."""
    table = model.get_input_embeddings().weight.detach()
    rows = [tokenizer(f" {word}", verbose=False)["input_ids"] for word in words]
    return np.stack([table[row].double().mean(0).numpy() for row in rows])


def contexts(
    corpus: datasets.DatasetDict, sets: Mapping[str, Sequence[Sequence[str]]], seed: int
) -> dict[str, list[Occurrence]]:
    """Return where the words of all sets occur in the corpus, each sentence after what starts a text."""
    words = dict.fromkeys(word for each in sets.values() for side in each for word in side)
    short = [text for text in dict.fromkeys(corpus["test"]["text"]) if len(text.split()) <= WORDS]
    return occurrences(words, [TEXT_START + text for text in short], per_word=CONTEXTS, seed=seed)


def classified(model: Any, tokenizer: Any, given: Task) -> dict[str, float]:
    """Train a classifier of the groups on the model's frozen states, and compare its answers for both genders."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier = make_pipeline(StandardScaler(), LogisticRegression(C=C, max_iter=1000))
    classifier.fit(states(model, tokenizer, given.learnt.texts), given.learnt.profession)
    answers, swapped = (
        classifier.predict(states(model, tokenizer, texts)) for texts in (given.asked.texts, given.swapped)
    )
    return dict(decisions(given.asked, answers, swapped)._asdict())


def task(corpus: datasets.DatasetDict, seed: int) -> Task:
    """Return what the classifier learns from and is tested on: no article is in both, and a seed draws the former.

    It is tested on sentences in which every word of gender has a counterpart and one gender has more of them, of
    groups with at least :data:`TESTED` such sentences.
    """
    import pandas

    rows, swapped = _gendered(tuple(corpus["test"]["text"]), tuple(corpus["test"]["domain"]))
    about = corpus["test"].to_pandas().loc[rows.index]
    counts = about[rows["polarity"] != 0]["group"].value_counts()
    groups = sorted(counts[counts >= TESTED].index)
    inside = about["group"].isin(groups)
    asked = about[inside & (rows["polarity"] != 0)]
    free = about[inside & ~rows["gendered"] & ~about["name"].isin(asked["name"])]
    rng = np.random.default_rng([seed, _SPLIT])
    learnt = [free[free["group"] == group] for group in groups]
    drawn = [each.iloc[rng.permutation(len(each))[:LEARNT]] for each in learnt]
    place = {group: i for i, group in enumerate(groups)}

    def of(frame: pandas.DataFrame) -> Texts:
        female = (rows.loc[frame.index, "polarity"] > 0).to_numpy()
        return Texts(frame["text"].tolist(), np.array([place[group] for group in frame["group"]]), female)

    return Task(of(pandas.concat(drawn)), of(asked), [swapped[text] for text in asked["text"]])


@functools.lru_cache(maxsize=1)
def _gendered(texts: tuple[str, ...], domains: tuple[str, ...]) -> tuple[pandas.DataFrame, dict[str, str]]:
    """Return for each sentence about professions whether it has a word of gender and which prevails, and the swaps.

    ``polarity`` is 1, −1, or 0 where none prevails or a word has no counterpart.
    """
    import pandas

    frame = pandas.DataFrame({"text": texts, "domain": domains}).drop_duplicates("text")
    frame = frame[frame["domain"] == "profession"]
    found = [counterfactual(text) for text in frame["text"]]
    covered = np.array([bool(each.swaps) and each.covered for each in found])
    frame["gendered"] = [bool(each.swaps or each.doubtful) for each in found]
    frame["polarity"] = np.where(covered, unigram_polarity(frame["text"].tolist()), 0)
    return frame, {each.original: each.text for each in found}


def states(model: Any, tokenizer: Any, texts: Sequence[str]) -> np.ndarray:
    """Return the mean of the last hidden states [N, D] of each text, without that of what starts a text."""
    rows = begun(texts, tokenizer, TEXT_START, LONGEST)
    found = np.empty((len(rows), model.config.hidden_size))
    with evaluating(model):
        for chosen in batches([len(row) for row in rows], BATCH):
            batch = padded([rows[i] for i in chosen], None)
            last = model.base_model(**batch).last_hidden_state.float()
            found[chosen] = mean_state(last[:, 1:], batch["attention_mask"][:, 1:]).double().numpy()
    return found
