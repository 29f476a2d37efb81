"""Prediction sensitivity on real posts: does it fall on the words that people marked, and on the communities' names.

A recurrent network learns from HateXplain's training posts whether a post is normal, offensive or hateful. Measured are
test posts that name a community by a word of a short list. What people said decides: the words that annotators marked
as their reason (rationales), how much of their marks is on the community's words (*leaning*: the post counts as abuse
because of the community it names), and whether they disagreed. The words of posts are read from their files and never
printed.

The status model learns from the validation posts about one of the five most frequent communities which one it is; of
training posts that is unknown. Sizes were chosen to take a minute a model. The list of words is ours, without slurs: so
it misses posts that name people by one.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustlab.config import check, option
from trustlab.course.n32_prediction_sensitivity.identity_templates import ranks_of_terms
from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import (
    EVEN,
    HARD,
    INTEGRATED,
    SHORT,
    STEPS,
    SWAPPED,
    TIMES,
    TOKEN_WEIGHTS,
    TOLD,
    UNSURE,
    Variant,
    quietly,
    token_weights,
)
from trustlab.course.n32_prediction_sensitivity.winogender_sentences import ranks_of_sentences
from trustlab.course.n32_prediction_sensitivity.word_classifiers import classifier_of
from trustlab.fairness.sensitivity import (
    StatusModel,
    TextClassifier,
    counterfactual_change,
    fit_status_model,
    input_x_gradient,
    integrated_gradients,
)
from trustlab.fairness.swaps import OWN_PAIRS, WordPairs
from trustlab.models.fitting import FitOptions

if TYPE_CHECKING:
    import datasets

CORPORA = ("hatexplain",)
KEY = ("model",)
NETWORK = "recurrent"
OF = ("probabilities", "log_odds")
RECIPE = {"epochs": 3, "status_epochs": 15, "longest": 40, "least": 3}
COMMUNITIES = ("African", "Islam", "Jewish", "Homosexual", "Women")
NAMED = "share of named words"
LEANING, SPLIT, MARKED = "leaning, ", "disagreement, ", "marked words, "  # what people said, in a column's name
TERMS = "terms, "  # of Dixon's templates
PRONOUNS = "pronouns, "  # of Winogender's sentences
# Communities' words and the counterparts that a swap gives them; ours, and one of many possible choices.
_PAIRS = (
    "muslim christian, muslims christians, islam christianity, islamic catholic, jew buddhist, jews buddhists, "
    "jewish hindu, black white, blacks whites, african european, africans europeans, gay straight, gays straights, "
    "homosexual heterosexual, homosexuals heterosexuals, immigrant citizen, immigrants citizens, refugee resident, "
    "refugees residents, arab american, arabs americans, mexican canadian, mexicans canadians, asian australian, "
    "asians australians"
)
PAIRS = WordPairs((*OWN_PAIRS.pairs, *(tuple(pair.split()) for pair in _PAIRS.split(", "))), OWN_PAIRS.left_out)


@dataclass(frozen=True)
class Setting:
    """One model of posts."""

    corpus: str = option("hatexplain", label="Corpus", help="What is learned.", values=CORPORA)
    model: str = option(NETWORK, label="Model", help="How it is made.", values=(NETWORK,))
    seed: int = option(0, label="Seed", help="Of weights and order.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this model in a table."""
        return asdict(self)


def grid(corpus: str, *, seeds: Sequence[int] = range(5)) -> list[Setting]:
    """Return a model for each seed."""
    return [Setting(corpus, seed=seed) for seed in seeds]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"prediction_sensitivity_real_{corpus}"


class Posts(NamedTuple):
    """Test posts that name a community: words, which of them do, and what people said.

    Attributes
    ----------
    words
        Of each post, cut.
    named : bool [N, T]
        Words of :data:`PAIRS`.
    marks : [N, T]
        Share of annotators who marked a word, 0 in a post without a mark.
    split : bool [N]
        Whether the three annotators disagreed.
    label
        The majority's.
    """

    words: list[list[str]]
    named: np.ndarray
    marks: np.ndarray
    split: np.ndarray
    label: np.ndarray

    @property
    def leaning(self) -> np.ndarray:
        """Share of the annotators' marks that is on the community's words [N]; NaN where there is no mark."""
        total = self.marks.sum(axis=1)
        on = (self.marks * self.named).sum(axis=1)
        return np.divide(on, total, out=np.full(len(total), np.nan), where=total > 0)


def posts_of(rows: datasets.Dataset) -> Posts:
    """Return the rows that name a community."""
    longest, known = RECIPE["longest"], set(PAIRS.counterpart)
    words = [[word.lower() for word in tokens][:longest] for tokens in rows["tokens"]]
    chosen = [row for row, said in enumerate(words) if not known.isdisjoint(said)]
    words, shape = [words[row] for row in chosen], (len(chosen), max(len(words[row]) for row in chosen))
    named, marks, rationales = np.zeros(shape, dtype=bool), np.zeros(shape), rows["rationale"][:]
    for place, (row, said) in enumerate(zip(chosen, words, strict=True)):
        named[place, : len(said)] = [word in known for word in said]
        theirs = rationales[row][: len(said)]
        marks[place, : len(theirs)] = theirs
    labels = [rows["labels"][row] for row in chosen]
    return Posts(words, named, marks, np.array([len(set(each)) > 1 for each in labels]),
                 np.array(rows["label"])[chosen])  # fmt: skip


def trained(corpus: datasets.DatasetDict, seed: int) -> tuple[TextClassifier, StatusModel]:
    """Train a classifier of posts, and one of the community that a post is about."""
    longest = RECIPE["longest"]
    said = {split: [text.lower().split()[:longest] for text in rows["text"]] for split, rows in corpus.items()}
    labels = {split: rows["label"][:] for split, rows in corpus.items()}
    learning = FitOptions(epochs=RECIPE["epochs"], seed=seed)
    classifier = classifier_of(said, labels, least=RECIPE["least"], longest=longest, options=learning)
    about = [_about_one(said[split], corpus[split]["targets"]) for split in ("validation", "test")]
    options = FitOptions(epochs=RECIPE["status_epochs"], seed=seed)
    return classifier, fit_status_model(*about, classifier.reader, options=options, least=0.6)


def _about_one(words: Sequence[list[str]], targets: Sequence[Sequence[str]]) -> tuple[list[list[str]], list[str]]:
    """Return the posts about one of :data:`COMMUNITIES`, and which."""
    own = [set(each) & set(COMMUNITIES) for each in targets]
    chosen = [row for row, each in enumerate(own) if len(each) == 1 and words[row]]
    return [words[row] for row in chosen], [next(iter(own[row])) for row in chosen]


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one model, measure it, and yield its one row.

    Yields
    ------
    dict
        The columns of :meth:`Setting.key`; ``accuracy`` on all test posts, the balanced accuracy of the ``status``
        model, ``posts`` measured; for each measure of examples Spearman's correlation with *leaning* and the area under
        the ROC curve of *disagreement*; for each measure of words the mean over posts of the area under the ROC curve
        of *marked words*; what :func:`.identity_templates.ranks_of_terms` and
        :func:`.winogender_sentences.ranks_of_sentences` say of each; ``seconds``.
    """
    check(setting)
    started = time.perf_counter()
    classifier, status = trained(corpus, setting.seed)
    every = [text.lower().split()[: RECIPE["longest"]] or ["?"] for text in corpus["test"]["text"]]
    answers = np.array(classifier.reader.intents)[classifier.logits(every).argmax(1).numpy()]
    posts = posts_of(corpus["test"])
    row: dict[str, Any] = {
        "accuracy": float((answers == np.array(corpus["test"]["label"])).mean()),
        "status": status.accuracy["value"],
        "posts": len(posts.words),
    }
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The status model's balanced accuracy", UserWarning)  # it is in the row
        weights = token_weights(classifier, posts.words, status, posts.named)
    of_words, of_examples = measured(classifier, posts, weights)
    for name, values in of_examples.items():
        row |= _agreement(name, values, posts)
    for name, values in of_words.items():
        row[MARKED + name] = _found_words(values, posts)
    row |= {TERMS + name: value for name, value in ranks_of_terms(classifier).items()}
    row |= {PRONOUNS + name: value for name, value in ranks_of_sentences(classifier).items()}
    yield {**setting.key(), **row, "seconds": time.perf_counter() - started}


def measured(
    classifier: TextClassifier, posts: Posts, weights: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return measures of words [N, T] and of examples [N], by name."""
    words: dict[str, np.ndarray] = {"the list": posts.named.astype(float), "|IG| of the status": weights[TOLD]}
    examples: dict[str, np.ndarray] = {}
    for of in OF:
        movement = quietly(classifier, posts.words, token_weights=weights[EVEN], of=of).movement
        words[f"movement, {of}"] = movement
        for v in TOKEN_WEIGHTS:
            examples[Variant(v=v, of=of).name] = (weights[v] * movement).sum(axis=1)
        changed = counterfactual_change(classifier, posts.words, of=of, pairs=PAIRS)
        examples[f"{SWAPPED}, {of}"] = changed.score
        words[f"share of P, |IG|, {of}"] = weights[TOLD] * movement
        attributions = {
            TIMES: input_x_gradient(classifier, posts.words, of=of),
            INTEGRATED: integrated_gradients(classifier, posts.words, of=of, steps=STEPS).attributions,
        }
        for name, values in attributions.items():
            words[f"{name}, {of}"] = abs(values)
            examples[f"{name}, {of}"] = (weights[HARD] * abs(values)).sum(axis=1)
    examples[UNSURE] = 1 - classifier.logits(posts.words).softmax(-1).double().numpy().max(axis=1)
    examples[SHORT] = 1 / classifier.read(posts.words).mask.sum(1).double().numpy()
    examples[NAMED] = (weights[EVEN] * posts.named).sum(axis=1)
    return words, examples


def _agreement(name: str, values: np.ndarray, posts: Posts) -> dict[str, float]:
    """Return how far a measure of examples agrees with what people said."""
    from scipy.stats import spearmanr
    from sklearn.metrics import roc_auc_score

    known = ~np.isnan(posts.leaning)
    return {
        LEANING + name: float(spearmanr(values[known], posts.leaning[known]).statistic),
        SPLIT + name: float(roc_auc_score(posts.split, values)),
    }


def _found_words(values: np.ndarray, posts: Posts) -> float:
    """Return the mean over posts of the area under the ROC curve of words that half of the annotators marked."""
    from sklearn.metrics import roc_auc_score

    areas = []
    for row, words in enumerate(posts.words):
        marked = posts.marks[row, : len(words)] >= 0.5
        if 0 < marked.sum() < len(words):
            areas.append(roc_auc_score(marked, values[row, : len(words)]))
    return float(np.mean(areas))
