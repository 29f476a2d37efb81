"""Prediction sensitivity next to gaps between groups, on corpora that you bring: the two sets of the paper.

A recurrent network learns the profession of biographies (Bias in Bios), or whether a comment is toxic (Jigsaw). For
each profession, how often women's and men's biographies are recognised differs; for each identity, how often harmless
comments that mention it are flagged differs from all harmless ones. A measure of single predictions, averaged over a
profession's or an identity's texts, should rank them as these gaps do: so P is compared with the change by a swap.

The corpora are not committed, so no table of them is either: ``python -m trustlab run prediction-sensitivity-groups
--data jigsaw --seeds 5 --write`` makes yours. Sizes are for minutes a model. Texts are read, never printed.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustlab.config import check, option
from trustlab.course.n32_prediction_sensitivity.posts_experiment import PAIRS
from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import (
    EVEN,
    HARD,
    SWAPPED,
    TOLD,
    Variant,
    by_weights,
    rank_correlation,
)
from trustlab.course.n32_prediction_sensitivity.word_classifiers import classifier_of
from trustlab.fairness.sensitivity import StatusModel, TextClassifier, counterfactual_change, fit_status_model
from trustlab.fairness.swaps import OWN_PAIRS, WordPairs
from trustlab.models.fitting import FitOptions

if TYPE_CHECKING:
    import datasets

CORPORA: tuple[str, ...] = ()  # none is committed
BROUGHT = ("bias_in_bios", "jigsaw")
KEY = ("model",)
NETWORK = "recurrent"
OF = ("probabilities", "log_odds")
RECIPE = {"epochs": 3, "status_epochs": 5, "longest": 60, "least": 3}
ROWS = {"train": 30_000, "validation": 4_000, "test": 6_000}  # at most, drawn by the seed
LEAST = 20  # texts on either side of a gap; groups with fewer are left out
WITH_GAP, WITH_SWAP = "with the gap, ", "with the swap, "  # in a column's name
TOXIC, HARMLESS = "toxic", "harmless"


@dataclass(frozen=True)
class Setting:
    """One model of a corpus that you bring."""

    corpus: str = option("bias_in_bios", label="Corpus", help="What is learned.", values=BROUGHT)
    model: str = option(NETWORK, label="Model", help="How it is made.", values=(NETWORK,))
    seed: int = option(0, label="Seed", help="Of rows, weights and order.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this model in a table."""
        return asdict(self)


def grid(corpus: str, *, seeds: Sequence[int] = range(5)) -> list[Setting]:
    """Return a model for each seed."""
    return [Setting(corpus, seed=seed) for seed in seeds]


def result_name(corpus: str) -> str:
    """Return the name under which your table of `corpus` is stored in ``data/results``."""
    return f"prediction_sensitivity_groups_{corpus}"


class Labelled(NamedTuple):
    """Texts of one split: words, labels, the status each tells of (None: none or several), and their groups' names."""

    words: list[list[str]]
    label: np.ndarray
    status: list[str | None]
    groups: list[list[str]]


def read(rows: datasets.Dataset, corpus: str, most: int, seed: int) -> Labelled:
    """Return at most `most` rows with a word, drawn by the seed, of either corpus in one shape."""
    places = np.sort(np.random.default_rng([seed, 32]).permutation(len(rows))[:most])
    table = rows.select(places)
    words = [text.lower().split()[: RECIPE["longest"]] for text in table["text"]]
    if corpus == "jigsaw":
        groups = table["identities"][:]
        label = np.where(table["toxic"][:], TOXIC, HARMLESS)
        return Labelled(words, label, [each[0] if len(each) == 1 else None for each in groups], groups)
    return Labelled(
        words, np.array(table["profession"][:]), table["gender"][:], [[each] for each in table["profession"]]
    )


class Compared(NamedTuple):
    """Of one group: whose rates of an event are compared, bool [N] each; the first or both are the group's texts."""

    first: np.ndarray
    second: np.ndarray
    own: np.ndarray


def compared(texts: Labelled, corpus: str) -> dict[str, Compared]:
    """Return the groups with :data:`LEAST` texts on either side, by name; refuse a split with fewer than three."""
    names = sorted({name for each in texts.groups for name in each})
    member = {name: np.array([name in each for each in texts.groups]) for name in names}
    if corpus == "jigsaw":
        harmless = texts.label == HARMLESS
        pairs = {name: Compared(own & harmless, harmless, own & harmless) for name, own in member.items()}
    else:
        female = np.array([each == "female" for each in texts.status])
        pairs = {name: Compared(own & female, own & ~female, own) for name, own in member.items()}
    found = {name: each for name, each in pairs.items() if min(each.first.sum(), each.second.sum()) >= LEAST}
    if len(found) < 3:
        raise ValueError(
            f"Expected three or more groups with {LEAST} test texts on either side, got {len(found)} of {len(pairs)}. "
            "No measure can be compared with so few gaps: bring more rows."
        )
    return found


def trained(splits: Mapping[str, Labelled], seed: int) -> tuple[TextClassifier, StatusModel]:
    """Train a classifier of the labels, and one of the status that a text tells of."""
    said = {split: each.words for split, each in splits.items()}
    labels = {split: each.label.tolist() for split, each in splits.items()}
    learning = FitOptions(epochs=RECIPE["epochs"], seed=seed)
    classifier = classifier_of(said, labels, least=RECIPE["least"], longest=RECIPE["longest"], options=learning)
    counts = Counter(each for each in splits["validation"].status if each)
    known = {name for name, count in counts.most_common(5) if count >= LEAST}
    told = [_telling(splits[split], known) for split in ("train", "test")]
    options = FitOptions(epochs=RECIPE["status_epochs"], seed=seed)
    return classifier, fit_status_model(*told, classifier.reader, options=options, least=0.6)


def _telling(texts: Labelled, known: set[str]) -> tuple[list[list[str]], list[str]]:
    """Return the texts that tell of one of the statuses, and which."""
    kept = [
        (words, status) for words, status in zip(texts.words, texts.status, strict=True) if words and status in known
    ]
    return [words for words, _ in kept], [str(status) for _, status in kept]


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one model, measure it, and yield its one row.

    Yields
    ------
    dict
        The columns of :meth:`Setting.key`; ``accuracy``, the balanced accuracy of the ``status`` model, how many
        ``groups`` are compared and their mean ``gap``; for each measure Spearman's correlation *with the gap* over
        groups and *with the swap*'s change over texts; ``seconds``.

    Raises
    ------
    ValueError
        If fewer than three groups have texts enough to be compared.
    """
    check(setting)
    started = time.perf_counter()
    splits = {split: read(rows, setting.corpus, ROWS[split], setting.seed) for split, rows in corpus.items()}
    test = splits["test"]
    groups = compared(test, setting.corpus)
    classifier, status = trained(splits, setting.seed)
    words = [each or ["?"] for each in test.words]
    answers = np.array(classifier.reader.intents)[classifier.logits(words).argmax(1).numpy()]
    event = answers == (TOXIC if setting.corpus == "jigsaw" else test.label)
    gaps = np.array([abs(event[each.first].mean() - event[each.second].mean()) for each in groups.values()])
    row: dict[str, Any] = {
        "accuracy": float((answers == test.label).mean()),
        "status": status.accuracy["value"],
        "groups": len(groups),
        "gap": float(gaps.mean()),
    }
    pairs = PAIRS if setting.corpus == "jigsaw" else OWN_PAIRS
    values = measured(classifier, status, words, pairs)
    for name, each in values.items():
        row[WITH_GAP + name] = rank_correlation(np.array([each[group.own].mean() for group in groups.values()]), gaps)
        row[WITH_SWAP + name] = rank_correlation(each, values[f"{SWAPPED}, {OF[0]}"])
    yield {**setting.key(), **row, "seconds": time.perf_counter() - started}


def measured(
    classifier: TextClassifier, status: StatusModel, words: list[list[str]], pairs: WordPairs
) -> dict[str, np.ndarray]:
    """Return P [N] by weights of tokens, trivial measures, and the change by a swap, by name."""
    named = np.zeros((len(words), max(map(len, words))), dtype=bool)
    for row, said in enumerate(words):
        named[row, : len(said)] = [word in pairs.counterpart for word in said]
    found = by_weights(classifier, status, words, (HARD, TOLD, EVEN), OF, named)
    for of in OF:
        found[f"{SWAPPED}, {of}"] = counterfactual_change(classifier, words, of=of, pairs=pairs).score
    return found


def claims_of_groups(corpus: str, read: Any) -> list[dict[str, Any]]:
    """Return what your table says of the paper's claim, for :func:`trustlab.lab.claims.claims`."""
    table = read(result_name(corpus))[0]
    swap = table[f"{WITH_GAP}{SWAPPED}, {OF[0]}"].to_numpy()
    return [
        {
            "claim": "(b) P ranks groups closer to their gaps than the change by a swap: difference of Spearman's ρ",
            "values": table[WITH_GAP + Variant().name].to_numpy() - swap,
            "above": 0,
            "setup": f"{corpus}, a recurrent network, {int(table['groups'].min())} groups or more",
        }
    ]
