"""The experiment of notebook 24: FedNLP's algorithms over its four families of tasks and its partitions.

One setting is one training. A fleet is made by one of five partitions of the same examples; a third of its devices are
drawn in each of ninety rounds and take one pass over their own, so that every fleet makes thirty passes over the
data on average, and all data in one place make thirty as well. The devices' optimizer is the same everywhere, plain
SGD: what algorithms differ in is FedProx's term or the server's step, and nothing else. (FedNLP's public code changes
the client optimizer together with the algorithm, so that their effects cannot be separated.)

Every algorithm has its own rates, those of a search with as many trials for each: :mod:`.algorithm_search`. Its trials
are these trainings with other seeds, other training examples and the validation split.

Two side questions: what is left of an adaptive server's gain when the devices step with Adam themselves, and what has
to be trained and sent of a pretrained encoder, of which only the heads and the top layers learn.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from trustlab.config import check, option
from trustlab.course.baselines import NAMES, sentence_embeddings
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n24_fednlp_benchmark.task_baselines import BASELINES, NO_MODEL, baseline_row
from trustlab.course.n24_fednlp_benchmark.tuned_rates import DIALS, SMALL_BATCH, TUNED_ON, USUAL_MU, chosen_rates
from trustlab.deprecation import old_names
from trustlab.federated.aggregation import ServerConfig
from trustlab.federated.partition import Partition, partition, skew
from trustlab.federated.simulation import FederatedConfig, Task, simulate
from trustlab.federated.tasks import FAMILIES, SMALL, SOURCES, Example, read

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED,)
CENTRALISED = "centralised"
CENTRALISED_ADAM = "centralised, adam"  # what one would do with all data: Adam, its state new with every pass
ALONE = (CENTRALISED, CENTRALISED_ADAM)
# The server's rule. τ is that of Reddi et al. (2021), 1e-3, for both adaptive ones.
ALGORITHMS = {"fedavg": "sgd", "fedprox": "sgd", "fedadam": "adam", "fedyogi": "yogi"}
# The same with Adam on the clients, whose state is reset in every round: what the public code changes together with
# the algorithm.
CONFOUNDED = {"fedavg, adam clients": "fedavg", "fedadam, adam clients": "fedadam"}
PARTITIONS: dict[str, dict[str, Any]] = {
    "uniform": dict(scheme="iid"),
    "label": dict(scheme="label-dirichlet-fednlp", alpha=0.1),
    "quantity": dict(scheme="quantity-dirichlet", beta=0.5),
    "feature": dict(scheme="feature-clusters", alpha=0.1),
    "natural": dict(scheme="natural"),
}
ENCODERS = {"heads": 0, "top 2": 2}  # layers of the offline encoder that are trained, besides its heads
MODELS = (SMALL, *ENCODERS, NO_MODEL)
# Examples to train and to test on, at most: a table of all settings is to take minutes.
SIZES = {"classification": (800, 200), "tagging": (800, 200), "qa": (800, 200), "seq2seq": (240, 100)}
VALIDATED = 400  # examples that a trial of a search is scored on, at most
CLIENTS, SHARE, ROUNDS, MEASURED_EVERY, BATCH = 30, 1 / 3, 90, 10, SMALL_BATCH
ENCODER_TRAIN, ENCODER_ROUNDS = 200, 9  # each step of a pretrained model costs as much as fifty of the small one's
KEY = ("task", "model", "algorithm", "partition")  # with the seed: one row


@dataclass(frozen=True)
class Setting:
    """One training of the comparison."""

    corpus: str = option(EMBEDDED, label="Corpus", help="One of the corpora compared.", values=CORPORA)
    task: str = option(
        "classification",
        label="Task",
        help="classification: the intent. tagging: slots. qa: where a slot is. seq2seq: from slots to words.",
        values=tuple(FAMILIES),
    )
    model: str = option(
        SMALL,
        label="Model",
        help="small: a transformer from scratch. Otherwise what is trained of a pretrained encoder.",
        values=MODELS,
    )
    algorithm: str = option(
        "fedavg",
        label="Algorithm",
        help="FedAvg averages; FedProx pulls clients back; FedAdam and FedYogi step adaptively along the average. "
        "Centralised: all data in one place, with SGD or Adam. The others are trivial baselines.",
        values=(*ALGORITHMS, *CONFOUNDED, *ALONE, *NAMES),
    )
    partition: str = option(
        "uniform",
        label="Partition",
        help="uniform: no skew. label: Dirichlet over labels, with its α. quantity: unequal sizes. feature: Dirichlet "
        "over clusters of meaning. natural: by device.",
        values=tuple(PARTITIONS),
    )
    seed: int = option(
        0, label="Seed", help="Seed of examples, partition, first weights, selection and minibatches.", low=0
    )
    client_rate: float = option(0.3, label="Client rate", help="Step size of the clients' optimizer.", low=0)
    server_rate: float = option(1.0, label="Server rate", help="Step size of the server; 1 is FedAvg's.", low=0)
    mu: float = option(0.0, label="μ", help="Strength of FedProx's pull to the server's weights.", low=0)
    batch: int = option(BATCH, label="Minibatch", help="Examples in a step.", low=1)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table; data in one place are not divided."""
        divided = "none" if self.algorithm in (*ALONE, *NAMES) else self.partition
        names = dict(corpus=self.corpus, task=self.task, model=self.model, algorithm=self.algorithm)
        return {**names, "partition": divided, "seed": self.seed}


def tasks_of(corpus: str) -> list[str]:
    """Return the tasks that a corpus has examples of.

    Examples
    --------
    >>> tasks_of("assistant")
    ['classification', 'tagging', 'qa', 'seq2seq']
    """
    return [family for name, family in SOURCES if name == corpus]


def tuned(setting: Setting) -> Setting:
    """Return a setting at the rates that the search chose for its algorithm on its task; a baseline has none.

    Partitions that were not searched take the rates found under label skew, where clients' sizes differ as well. In
    seq2seq most devices take one step a round, with which FedProx is FedAvg: there it has FedAvg's rates.

    Examples
    --------
    >>> tuned(Setting(algorithm="fedadam")).server_rate
    0.1
    """
    if setting.algorithm in NAMES:
        return setting
    prox_is_average = setting.algorithm == "fedprox" and setting.task == "seq2seq"
    algorithm = "fedavg" if prox_is_average else setting.algorithm
    where = "none" if algorithm in ALONE else TUNED_ON[setting.partition]
    rates = chosen_rates()[setting.task, setting.model, algorithm, where]
    return replace(setting, **{**rates, "mu": USUAL_MU} if prox_is_average else rates)


def _rule(setting: Setting) -> str:
    """Return the server's rule; with all data in one place it puts the one update in place."""
    return ALGORITHMS.get(CONFOUNDED.get(setting.algorithm, setting.algorithm), "sgd")


def grid(corpus: str, *, seeds: Sequence[int] = range(5), tasks: Sequence[str] = tuple(FAMILIES)) -> list[Setting]:
    """Return the settings for `corpus`: for each of its families every algorithm on every partition, and in one place.

    Two side questions are answered as well: other client optimizers on the slots, a pretrained encoder on the intents;
    and there are the trivial baselines of each task. Fewer `tasks` keep a part. Real corpora have an experiment of
    their own, :mod:`.real_experiment`.
    """
    kinds = []
    for task in tasks_of(corpus):
        kinds += [(task, SMALL, algorithm, division) for division in PARTITIONS for algorithm in ALGORITHMS]
        kinds += [(task, SMALL, alone, "uniform") for alone in ALONE]
        kinds += [(task, *each) for each in SIDE_QUESTIONS.get(task, ())]
        examples_of = (NO_MODEL, "heads") if task == "classification" else (NO_MODEL,)
        kinds += [(task, whose, baseline, "uniform") for whose in examples_of for baseline in BASELINES[task]]
    return [tuned(Setting(corpus, *kind, seed)) for kind in kinds if kind[0] in tasks for seed in seeds]


SIDE_QUESTIONS = {
    "tagging": [(SMALL, algorithm, division) for division in ("uniform", "label") for algorithm in CONFOUNDED],
    "classification": [(model, "fedavg", "label") for model in ENCODERS],
}


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"fednlp_benchmark_{corpus}"


# What is divided, and how


def examples(setting: Setting, corpus: datasets.DatasetDict) -> tuple[list[Example], list[Example]]:
    """Return the training and test examples of a setting, the first of the corpus' splits."""
    how = (setting.corpus, setting.task)
    return read(*how, corpus["train"], most=_most(setting)), read(*how, corpus["test"], most=SIZES[setting.task][1])


def trial_examples(setting: Setting, corpus: datasets.DatasetDict) -> tuple[list[Example], list[Example]]:
    """Return the training and validation examples of a trial: those of its seed, none of them reported."""
    most, how = _most(setting), (setting.corpus, setting.task)
    blocks = len(corpus["train"]) // most
    if blocks < 2:
        raise ValueError(
            f"Expected at least {2 * most} utterances to train on, got {len(corpus['train'])}. The first {most} are "
            "those that are reported; a trial needs others."
        )
    start = (1 + setting.seed % (blocks - 1)) * most
    rows = corpus["train"].select(range(start, start + most))
    return read(*how, rows, most=most), read(*how, corpus["validation"], most=VALIDATED)


def _most(setting: Setting) -> int:
    """Return how many examples a training has at most."""
    return ENCODER_TRAIN if setting.model in ENCODERS else SIZES[setting.task][0]


def divide(setting: Setting, train: Sequence[Example]) -> Partition:
    """Return who holds which of the training examples."""
    if setting.algorithm in ALONE:
        return partition(range(len(train)), scheme="iid", clients=1)
    how = PARTITIONS[setting.partition]
    clients = None if how["scheme"] == "natural" else CLIENTS
    return partition(_divided_by(setting.partition, train), clients=clients, seed=setting.seed, **how)


def _divided_by(name: str, train: Sequence[Example]) -> Any:
    """Return what a partition looks at, one entry per example."""
    if name == "natural":
        return [example.holder for example in train]
    if name == "feature":
        return _features(tuple(example.text for example in train))
    return [example.label for example in train]


@functools.lru_cache(maxsize=4)
def _features(texts: tuple[str, ...]) -> np.ndarray:
    """Embed texts by the offline encoder, each once: questions about an utterance share its text."""
    known = list(dict.fromkeys(texts))
    place = {text: i for i, text in enumerate(known)}
    return sentence_embeddings(known)[[place[text] for text in texts]]


# What is trained


def problem(setting: Setting, train: Sequence[Example], test: Sequence[Example]) -> Task:
    """Return the learning problem, its model with the first weights of the setting's seed."""
    how = {} if setting.model == SMALL else dict(model="minilm", trained_layers=ENCODERS[setting.model])
    return FAMILIES[setting.task].task(train, test, seed=setting.seed, **how)


def recipe(setting: Setting, devices: int = CLIENTS) -> FederatedConfig:
    """Return the options of `setting` for a fleet of so many devices."""
    alone = setting.algorithm in ALONE
    rounds = ENCODER_ROUNDS if setting.model in ENCODERS else ROUNDS
    return FederatedConfig(
        rounds=round(rounds * SHARE) if alone else rounds,
        clients_per_round=1 if alone else max(1, round(SHARE * devices)),
        batch_size=setting.batch,
        optimizer="adam" if setting.algorithm in (*CONFOUNDED, CENTRALISED_ADAM) else "sgd",
        learning_rate=setting.client_rate,
        proximal=setting.mu,
        server=ServerConfig(_rule(setting), learning_rate=setting.server_rate),
        evaluate_every=max(1, round(MEASURED_EVERY * (SHARE if alone else 1))),
        seed=setting.seed,
    )


def train(
    setting: Setting, learned: Task, clients: Partition, *, model: nn.Module | None = None
) -> Iterator[dict[str, Any]]:
    """Train one setting and yield the rows of :func:`trustlab.federated.simulation.simulate`."""
    check(setting)
    return simulate(learned, clients, recipe(setting, len(clients)), model=model)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``task``, ``model``, ``algorithm``, ``partition`` and ``seed``; its ``client_rate``,
        ``server_rate``, ``mu`` and ``batch``; on the test split ``score``, the family's metric, and ``exact``;
        ``curve``, the scores measured on the way, joined by "|"; ``clients``, ``js_distance`` and ``size_gini`` of the
        partition, see :func:`trustlab.federated.partition.skew`; ``passes`` over the data that were made;
        ``megabytes`` sent by devices, all rounds together; ``seconds`` of the training. A trivial baseline trains no
        model: its rates, passes and megabytes are 0.
    """
    check(setting)
    known, asked = examples(setting, corpus)
    if setting.algorithm in NAMES:
        yield {**setting.key(), **baseline_row(setting.task, setting.algorithm, known, asked)}
        return
    clients = divide(setting, known)
    rows = list(train(setting, problem(setting, known, asked), clients))
    measured = skew(clients, [example.label for example in known])
    yield {
        **setting.key(),
        **{name: getattr(setting, name) for name in DIALS},
        "score": rows[-1]["score"],
        "exact": rows[-1]["exact"],
        "curve": "|".join(f"{row['score']:.4f}" for row in rows if "score" in row),
        "clients": len(clients),
        "js_distance": measured["JS distance"],
        "size_gini": measured["size Gini"],
        "passes": sum(row["examples"] for row in rows) / len(known),
        "megabytes": sum(row["bytes_up"] for row in rows) / 1e6,
        "seconds": rows[-1]["seconds"],
    }


__getattr__ = old_names(__name__, {"Cell": "Setting"})
