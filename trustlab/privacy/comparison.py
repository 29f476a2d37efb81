"""The experiment of notebook 11: what ε costs in accuracy, by DP-SGD and by eDP-SGD.

One cell is one training: a corpus, a method, a target ε and a seed. Every cell trains the same BiLSTM tagger on hashed
word ids for the same number of steps, and is measured once, at the end, on the test split.

The hyper-parameters were chosen on the synthetic corpus, which is nobody's data, and used unchanged on the real ones
(a first look at models and K, with other settings, was taken on SNIPS' validation split): choosing them on private data
would spend ε that no row here counts.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.models import build, evaluate, predict
from trustlab.models.vocabulary import Examples, Vocabulary
from trustlab.privacy.training import TrainConfig, train

if TYPE_CHECKING:
    import datasets

METHODS = {"sgd": "SGD", "dp-sgd": "DP-SGD", "edp-sgd": "eDP-SGD"}
EPSILONS = (1.0, 2.0, 4.0, 8.0, math.inf)
K, KS = 64, (16, 64, 256)  # micro-batches per step of eDP-SGD, and the others looked at …
EPSILON_OF_KS = 8.0  # … at this ε
BUCKETS = 2048
SHOWN = 6  # test utterances whose predicted intents are kept, for a reader to look at


@dataclass(frozen=True)
class Cell:
    """One training of the comparison."""

    corpus: str = option("assistant", label="Corpus", help="A name for trustlab.data.load.")
    method: str = option("dp-sgd", label="Method", help="How gradients are made private.", values=tuple(METHODS))
    epsilon: float = option(
        math.inf, label="ε", help="Privacy budget: smaller means stronger privacy and more noise.", values=EPSILONS
    )
    seed: int = option(0, label="Seed", help="Seed of weights, batches and noise.", low=0)
    micro_batches: int = option(K, label="K", help="Micro-batches per step of eDP-SGD.", low=1)


def grid(corpus: str, *, epsilons: tuple[float, ...] = EPSILONS, seeds: range = range(3)) -> list[Cell]:
    """Return the cells for `corpus`, each over `seeds`.

    Plain SGD without noise; both private methods at every ε; and at one ε eDP-SGD with fewer and more micro-batches.
    """
    kinds = [("sgd", math.inf, K)]
    kinds += [(method, epsilon, K) for method in ("dp-sgd", "edp-sgd") for epsilon in epsilons]
    kinds += [("edp-sgd", EPSILON_OF_KS, k) for k in KS if k != K]
    return [Cell(corpus, method, epsilon, seed, k) for method, epsilon, k in kinds for seed in seeds]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` lies in ``data/results``."""
    return f"dp_sgd_vs_edp_sgd_{corpus}"


def recipe(cell: Cell) -> TrainConfig:
    """Return the training options of `cell`.

    C was chosen for each method, on the synthetic corpus. Where every unit is clipped, as it is for eDP-SGD at each ε
    here, C only scales signal and noise alike, and Adam takes the scale away. Thresholds per layer and decaying noise,
    which the summaries of eDP-SGD name too, are options of :class:`TrainConfig` and off here.
    """
    own = dict(clip_norm=0.3, micro_batches=cell.micro_batches) if cell.method == "edp-sgd" else {}
    return TrainConfig(
        method=cell.method,
        epsilon=cell.epsilon,
        delta=1e-5,
        epochs=5,
        batch_size=512,
        learning_rate=0.016,
        seed=cell.seed,
        **own,
    )


def prepare(corpus: datasets.DatasetDict) -> tuple[Vocabulary, dict[str, Examples]]:
    """Return the vocabulary of hashed words, which looks at no utterance, and every split encoded with it."""
    vocabulary = Vocabulary.hashed(corpus, buckets=BUCKETS)
    return vocabulary, vocabulary.encode_corpus(corpus)


def run(cell: Cell, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one cell on `corpus` and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``method``, ``epsilon`` (target), ``seed`` and ``micro_batches`` (K of eDP-SGD, else 0); on the
        test split ``accuracy``, ``accuracy_rare`` (on the quarter of the intents with the fewest training utterances)
        and ``slot_f1``; ``epsilon_spent``, ``noise_multiplier``, ``clipped`` and ``seconds`` of the training;
        ``answers``, the intents predicted for :func:`shown`, joined by "|".
    """
    check(cell)
    vocabulary, data = prepare(corpus)
    model = build("bilstm", vocabulary, seed=cell.seed)
    *_, last = train(model, data, recipe(cell))
    predicted, _ = predict(model, data["test"])
    rare = rare_intents(corpus)
    of_rare = [a == b for a, b in zip(predicted, corpus["test"]["intent"], strict=True) if b in rare]
    measured = evaluate(model, data["test"])
    yield {
        "corpus": cell.corpus,
        "method": cell.method,
        "epsilon": cell.epsilon,
        "seed": cell.seed,
        "micro_batches": cell.micro_batches if cell.method == "edp-sgd" else 0,
        "accuracy": measured["accuracy"],
        "accuracy_rare": sum(of_rare) / len(of_rare) if of_rare else math.nan,
        "slot_f1": measured["slot_f1"],
        "epsilon_spent": last["epsilon"],
        "noise_multiplier": last["noise_multiplier"],
        "clipped": last["clipped"],
        "seconds": last["seconds"],
        "answers": "|".join(predicted[i] for i in shown(corpus)),
    }


def rare_intents(corpus: datasets.DatasetDict) -> set[str]:
    """Return the quarter of the intents (at least one) that has the fewest training utterances."""
    counts = Counter(corpus["train"]["intent"])
    return {name for name, _ in counts.most_common()[-max(1, len(counts) // 4) :]}


def shown(corpus: datasets.DatasetDict) -> list[int]:
    """Return the first short test utterances of different intents: the ones a reader sees answered."""
    found: dict[str, int] = {}
    for i, row in enumerate(corpus["test"]):
        if 4 <= len(row["tokens"]) <= 8 and len(found) < SHOWN:
            found.setdefault(row["intent"], i)
    return list(found.values())
