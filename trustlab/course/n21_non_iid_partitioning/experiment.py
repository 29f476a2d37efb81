"""The experiment of notebook 21: what label skew does to FedAvg, by α and by what a library means by α.

One setting is one federated training: a corpus, a definition of α, α and a seed. Everything else is held fixed: a
hundred devices, ten of them in each round, one local pass, one learning rate, and an embedding-bag classifier of
intents, the smallest model in which the loss by skew shows. The seed decides the partition, the first weights and the
order of selection.

Learning rate and number of rounds were chosen on the synthetic corpus (one seed, α = 0.1, 3 and 100) and used unchanged
on the real one. Of 2, 4, 8 and 16 a longer step was better, until at 16 the skewed fleets diverged and the others did
not; 4 keeps a distance from there.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from trustlab.config import check, option
from trustlab.course.alpha import ALPHAS, DEFINITIONS, alpha_options
from trustlab.course.corpora import EMBEDDED, rare_intents
from trustlab.course.intents import intents_right, prepare, task
from trustlab.deprecation import old_names
from trustlab.federated.partition import Partition, partition_pair, skew
from trustlab.federated.simulation import FederatedConfig, Task, simulate
from trustlab.federated.simulation.measurement import means, shares_right

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED, "clinc150")
REFERENCES = {"iid": "no skew", "centralised": "all data in one place"}
CLIENTS, PER_ROUND, ROUNDS, MEASURED_EVERY = 100, 10, 100, 5
KEY = ("scheme", "alpha")  # with the seed: one row


@dataclass(frozen=True)
class Setting:
    """One federated training of the comparison."""

    corpus: str = option(EMBEDDED, label="Corpus", help="One of the corpora compared.", values=CORPORA)
    scheme: str = option(
        "fednlp",
        label="Whose α",
        help="FedNLP: each client draws its labels' shares from Dir(α·p), p the shares in the whole data. pfl: from "
        "Dir(α·1), each label with α. Flower: each label draws its clients' shares from Dir(α·1).",
        values=(*DEFINITIONS, *REFERENCES),
    )
    alpha: float = option(1.0, label="α", help="Small: clients have few labels. Large: all have the same mix.", above=0)
    seed: int = option(0, label="Seed", help="Seed of partition, first weights, selection and minibatches.", low=0)

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table; α is ∞ where no distribution is drawn."""
        alpha = math.inf if self.scheme in REFERENCES else self.alpha
        return {"corpus": self.corpus, "scheme": self.scheme, "alpha": alpha, "seed": self.seed}


def grid(
    corpus: str, *, seeds: Sequence[int] = range(5), schemes: Sequence[str] = (*DEFINITIONS, *REFERENCES)
) -> list[Setting]:
    """Return the settings for `corpus`: every definition at every α, and the two references, each over `seeds`.

    Fewer `schemes` keep a part of them.
    """
    kinds = [(scheme, alpha) for scheme in DEFINITIONS for alpha in ALPHAS]
    kinds += [(reference, math.inf) for reference in REFERENCES]
    return [Setting(corpus, scheme, alpha, seed) for scheme, alpha in kinds if scheme in schemes for seed in seeds]


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
        how = {**alpha_options(setting.scheme, setting.alpha, train), "clients": CLIENTS}
    return partition_pair(train, test, seed=setting.seed, **how)


def recipe(setting: Setting) -> FederatedConfig:
    """Return the options of `setting`; all data in one place are one device that makes as many passes."""
    passes = ROUNDS * PER_ROUND // CLIENTS
    alone = setting.scheme == "centralised"
    return FederatedConfig(
        rounds=passes if alone else ROUNDS,
        clients_per_round=1 if alone else PER_ROUND,
        batch_size=16,
        learning_rate=4.0,
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
        ``corpus``, ``scheme``, ``alpha`` and ``seed``; of the test split ``accuracy``, ``accuracy_rare`` (on the
        quarter of the intents with the fewest training utterances), ``accuracy_device`` (mean over devices, each
        tested on labels as it has them) and ``accuracy_light`` (over devices no larger than the median one);
        ``js_distance``, ``effective_labels`` and ``size_gini`` of the partition, see
        :func:`trustlab.federated.partition.skew`; ``curve``, the accuracies measured on the way, joined by "|";
        ``seconds`` of the training.
    """
    check(setting)
    problem = task(prepare(corpus), seed=setting.seed)
    model = copy.deepcopy(problem.model)
    rows = list(train(setting, corpus, problem, model=model))
    clients, tests = divide(setting, corpus)
    measured = skew(clients, corpus["train"]["intent"][:])
    yield {
        **setting.key(),
        **_accuracies(intents_right(model, problem.test).numpy(), corpus, clients, tests),
        "js_distance": measured["JS distance"],
        "effective_labels": measured["effective labels"],
        "size_gini": measured["size Gini"],
        "curve": "|".join(f"{row['accuracy']:.4f}" for row in rows if "accuracy" in row),
        "seconds": rows[-1]["seconds"],
    }


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
