"""The experiment of notebook 21: what label skew does to FedAvg, by α and by what a library means by α.

One setting is one federated training: a corpus, a definition of α, α, a learning rate and a seed. Everything else is
held fixed: a hundred devices, ten of them in each round, one local pass, and an embedding-bag classifier of intents,
the smallest model in which the loss by skew shows. The seed decides the partition, the first weights and the order of
selection.

On the embedded corpus each fleet has the learning rate that its own search chose, see :mod:`.rate_search`: skew rules
out large rates, so that one rate for all would charge the mild fleets for it. CLINC150 has not been searched: all its
fleets have the usual rate, and what its table says holds for that.
"""

from __future__ import annotations

import copy
import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from trustlab.config import check, option
from trustlab.course.alpha import ALPHAS, DEFINITIONS, alpha_options
from trustlab.course.baselines import CLASSIFIERS, MAJORITY, TFIDF
from trustlab.course.corpora import EMBEDDED, rare_intents
from trustlab.course.intents import intents_right, prepare, task
from trustlab.course.once import once
from trustlab.course.tuning import chosen
from trustlab.deprecation import old_names
from trustlab.federated.partition import Partition, partition_pair, skew
from trustlab.federated.simulation import FederatedConfig, Task, simulate
from trustlab.federated.simulation.measurement import means, shares_right
from trustlab.lab.saved import read, remembered

if TYPE_CHECKING:
    import datasets
    import pandas

CORPORA = (EMBEDDED, "clinc150")
SEARCHED, USUAL_RATE = (EMBEDDED,), 4.0  # the corpora whose fleets have their own rates, and the rate of all others
# The table that the search for rates has written, see :mod:`.rate_search`; one row per training of it.
SEARCH = "tuning/non_iid_partitioning_{}"
REFERENCES = {"iid": "no skew", "centralised": "all data in one place"}
BASELINES = {TFIDF: "counted words (tf-idf)", MAJORITY: "most frequent intent"}  # trained in one place, no network
CLIENTS, PER_ROUND, ROUNDS, MEASURED_EVERY = 100, 10, 100, 5
KEY = ("scheme", "alpha")  # with the seed: one row
_encoded = once(prepare)  # a corpus is encoded once, for every training


@dataclass(frozen=True)
class Setting:
    """One federated training of the comparison."""

    corpus: str = option(EMBEDDED, label="Corpus", help="One of the corpora compared.", values=CORPORA)
    scheme: str = option(
        "fednlp",
        label="Whose α",
        help="FedNLP: each client draws its labels' shares from Dir(α·p), p the shares in the whole data. pfl: from "
        "Dir(α·1), each label with α. Flower: each label draws its clients' shares from Dir(α·1).",
        values=(*DEFINITIONS, *REFERENCES, *BASELINES),
    )
    alpha: float = option(1.0, label="α", help="Small: clients have few labels. Large: all have the same mix.", above=0)
    seed: int = option(0, label="Seed", help="Seed of partition, first weights, selection and minibatches.", low=0)
    learning_rate: float = option(USUAL_RATE, label="Rate", help="The learning rate of a client's steps.", above=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table; α is ∞ where no distribution is drawn."""
        alpha = self.alpha if self.scheme in DEFINITIONS else math.inf
        return {"corpus": self.corpus, "scheme": self.scheme, "alpha": alpha, "seed": self.seed}


def grid(
    corpus: str, *, seeds: Sequence[int] = range(5), schemes: Sequence[str] = (*DEFINITIONS, *REFERENCES, *BASELINES)
) -> list[Setting]:
    """Return the settings for `corpus`: every definition at every α and the references over `seeds`, baselines once.

    Fewer `schemes` keep a part of them. Rates are those of :func:`tuned`.
    """
    kinds = [(scheme, alpha) for scheme in DEFINITIONS for alpha in ALPHAS]
    kinds += [(reference, math.inf) for reference in REFERENCES]
    found = [tuned(corpus, scheme, alpha, seed) for scheme, alpha in kinds if scheme in schemes for seed in seeds]
    return found + [Setting(corpus, name, seed=seeds[0]) for name in BASELINES if name in schemes]


def tuned(corpus: str, scheme: str, alpha: float, seed: int = 0) -> Setting:
    """Return a setting with the learning rate that the search has chosen for this fleet, see :func:`steady`.

    Examples
    --------
    >>> tuned("assistant", "fednlp", 0.01).learning_rate, tuned("assistant", "fednlp", 100.0).learning_rate
    (4.0, 8.0)
    """
    fleet = Setting(corpus, scheme, alpha, seed)
    if corpus not in SEARCHED:
        return fleet
    where = {name: fleet.key()[name] for name in KEY}
    return dataclasses.replace(fleet, **chosen(_search(corpus), options=["learning_rate"], **where))


@remembered  # a grid asks for every fleet
def _search(corpus: str) -> pandas.DataFrame:
    return steady(read(SEARCH.format(corpus))[0])


def steady(search: pandas.DataFrame) -> pandas.DataFrame:
    """Return a search with each rate judged by the worse of its own score and that of the next larger rate.

    A search has one draw of each fleet. A rate at the edge of what is stable loses everything in other draws: with
    FedNLP's α = 1, the rate that was best in the search left 12 % of the intents right in one of five.

    Examples
    --------
    >>> import pandas as pd
    >>> scores = {4: 0.7, 8: 0.8, 12: 0.9, 16: math.nan}
    >>> one = {"scheme": "iid", "alpha": 1.0, "seed": 100}
    >>> search = pd.DataFrame([{**one, "learning_rate": rate, "score": score} for rate, score in scores.items()])
    >>> steady(search)["score"].tolist()
    [0.7, 0.8, nan, nan]
    """
    ordered = search.sort_values("learning_rate", kind="stable")
    further = ordered.groupby([*KEY, "seed"])["score"].shift(-1)
    return search.assign(score=np.minimum(ordered["score"], further).reindex(search.index))


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"non_iid_partitioning_{corpus}"


# What is divided, and how


def divide(setting: Setting, corpus: datasets.DatasetDict) -> tuple[Partition, Partition]:
    """Return each client's training and test examples; its tests follow the distribution of its training."""
    train, test = (corpus[split]["intent"][:] for split in ("train", "test"))
    if setting.scheme in REFERENCES:
        how: dict[str, Any] = {"scheme": "iid", "clients": CLIENTS if setting.scheme == "iid" else 1}
    else:
        how = {**alpha_options(setting.scheme, setting.alpha), "clients": CLIENTS}
    return partition_pair(train, test, seed=setting.seed, **how)


def recipe(setting: Setting) -> FederatedConfig:
    """Return the options of `setting`; all data in one place are one device that makes as many passes."""
    passes = ROUNDS * PER_ROUND // CLIENTS
    alone = setting.scheme == "centralised"
    return FederatedConfig(
        rounds=passes if alone else ROUNDS,
        clients_per_round=1 if alone else PER_ROUND,
        batch_size=16,
        learning_rate=setting.learning_rate,
        evaluate_every=1 if alone else MEASURED_EVERY,
        seed=setting.seed,
    )


def train(
    setting: Setting,
    corpus: datasets.DatasetDict,
    problem: Task,
    *,
    model: nn.Module | None = None,
    evaluate_every: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Train one setting and yield the rows of :func:`trustlab.federated.simulation.simulate`.

    Parameters
    ----------
    setting, corpus
        What to train, and on what.
    problem
        ``task(prepare(corpus), seed=setting.seed)``.
    model
        Trained in place; None trains a copy of the problem's model, which is discarded.
    evaluate_every
        Rounds between measurements; None takes the recipe's. It changes what is seen of a training, not the training.
    """
    check(setting)
    clients, _ = divide(setting, corpus)
    config = recipe(setting)
    config = config if evaluate_every is None else dataclasses.replace(config, evaluate_every=evaluate_every)
    return simulate(problem, clients, config, model=model)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``scheme``, ``alpha``, ``seed`` and ``learning_rate``; of the test split ``accuracy``,
        ``accuracy_rare`` (on the quarter of the intents with the fewest training utterances), ``accuracy_device`` (mean
        over devices, each tested on labels as it has them) and ``accuracy_light`` (over devices no larger than the
        median one);
        ``js_distance``, ``effective_labels`` and ``size_gini`` of the partition, see
        :func:`trustlab.federated.partition.skew`; ``curve``, the accuracies measured on the way, joined by "|";
        ``seconds`` of the training. A baseline has the first two accuracies only.
    """
    check(setting)
    if setting.scheme in BASELINES:
        yield _baseline(setting, corpus)
        return
    problem = task(_encoded(corpus), seed=setting.seed)
    model = copy.deepcopy(problem.model)
    rows = list(train(setting, corpus, problem, model=model))
    clients, tests = divide(setting, corpus)
    measured = skew(clients, corpus["train"]["intent"][:])
    yield {
        **setting.key(),
        "learning_rate": setting.learning_rate,
        **_accuracies(intents_right(model, problem.test).numpy(), corpus, clients, tests),
        "js_distance": measured["JS distance"],
        "effective_labels": measured["effective labels"],
        "size_gini": measured["size Gini"],
        "curve": "|".join(f"{row['accuracy']:.4f}" for row in rows if "accuracy" in row),
        "seconds": rows[-1]["seconds"],
    }


def _baseline(setting: Setting, corpus: datasets.DatasetDict) -> dict[str, Any]:
    """Return the row of a baseline that has all data in one place."""
    start = time.perf_counter()
    train, test = corpus["train"], corpus["test"]
    known, asked = ([" ".join(tokens) for tokens in split["tokens"]] for split in (train, test))
    guessed = CLASSIFIERS[setting.scheme](known, train["intent"][:], asked)
    right = np.array(guessed) == np.array(test["intent"][:])
    rare = np.isin(test["intent"][:], list(rare_intents(corpus)))
    found = {"accuracy": float(right.mean()), "accuracy_rare": float(right[rare].mean())}
    return {**setting.key(), **found, "seconds": time.perf_counter() - start}


def _accuracies(
    right: np.ndarray, corpus: datasets.DatasetDict, clients: Partition, tests: Partition
) -> dict[str, float]:
    """Return the accuracies over all, rare intents, devices and light devices from what was `right` [test examples]."""
    rare = np.isin(corpus["test"]["intent"][:], list(rare_intents(corpus)))
    tested, by_device = shares_right(right, tests)
    device, light = means(by_device, tested, clients.sizes)
    return {
        "accuracy": float(right.mean()),
        "accuracy_rare": float(right[rare].mean()),
        "accuracy_device": device,
        "accuracy_light": light,
    }


__getattr__ = old_names(__name__, {
    "Cell": "Setting",
    "dials": "trustlab.course.alpha.alpha_options",
    "Bag": "trustlab.course.intents.Bag",
    "BUCKETS": "trustlab.course.intents.BUCKETS",
    "WIDTH": "trustlab.course.intents.WIDTH",
})  # fmt: skip
