"""The experiment of notebook 23: what selection by activity is worth when data come over time, drift, and go.

One setting is one training: of the synthetic assistant's devices over six periods, or of all periods at once (the
static reference), with as many rounds. The intents drift by a stated option, see
:func:`trustlab.data.population.intent_distribution`. The seed decides all that is random, the corpus included: the
devices' personas and where intents drift to.

The model is notebook 21's. The client's and the server's rate are chosen for each setting, drift, selection and
weighting on its own, with as many trials for each, by :mod:`trustlab.course.n23_continual_learning.continual_search`;
replay and labels from feedback take those of the same training without them. Activity selection is β in q_k ∝ n_k^β,
n_k the examples that device k has in the period.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import nn

from trustlab.config import check, option
from trustlab.course.baselines import CLASSIFIERS, MAJORITY, TFIDF
from trustlab.course.corpora import EMBEDDED
from trustlab.course.intents import intents_right, prepare, task
from trustlab.course.sensitivity import RATES, stable
from trustlab.course.tuning import chosen
from trustlab.deprecation import old_names
from trustlab.federated.continual import accuracy_matrix, continual, forgetting
from trustlab.federated.feedback import Users, from_feedback
from trustlab.federated.partition import Partition
from trustlab.federated.server_optimizer import ServerConfig
from trustlab.federated.simulation import FederatedConfig, Task
from trustlab.federated.simulation.measurement import means, shares_right
from trustlab.lab.saved import read, remembered

if TYPE_CHECKING:
    import datasets
    import pandas

CORPORA = (EMBEDDED,)
SETTINGS = ("static", "continual")
BASELINES = (MAJORITY, TFIDF)
DRIFTS = (0.0, 1.0, 3.0)
BUDGETS = (0, 20)
BETAS = (0.0, 1.0)
WEIGHTINGS = ("examples", "equal")
LABELS = ("true", "feedback")
PERIODS, DEVICES = 6, 200
PER_ROUND, ROUNDS, MEASURED_EVERY = 10, 60, 2
TUNED_BY = ("setting", "drift", "beta", "weighting")  # rates are chosen for each of these on its own
KEY = ("setting", "drift", "replay", "beta", "weighting", "labels")  # with the seed: one row


@dataclass(frozen=True)
class Setting:
    """One training of the comparison."""

    corpus: str = option(EMBEDDED, label="Corpus", help="One of the corpora compared.", values=CORPORA)
    setting: str = option(
        "continual",
        label="Setting",
        help="static: all data at once. continual: each period's data alone, then deleted. Or a trivial baseline.",
        values=(*SETTINGS, *BASELINES),
    )
    drift: float = option(
        1.0, label="Drift", help="0: the same requests in all periods. Larger: they move further.", values=DRIFTS
    )
    replay: int = option(
        0, label="Replay", help="Old utterances that each client keeps and trains on again.", values=BUDGETS
    )
    beta: float = option(
        1.0, label="β", help="Clients are drawn in proportion to n^β: 0 uniformly, 1 by activity.", values=BETAS
    )
    weighting: str = option(
        "examples", label="Aggregation", help="Weight of a client's update: its examples, or the same for all.",
        values=WEIGHTINGS,
    )  # fmt: skip
    labels: str = option(
        "true",
        label="Labels",
        help="feedback: after the first period, only what users' reactions reveal.",
        values=LABELS,
    )
    seed: int = option(0, label="Seed", help="Seed of corpus, first weights, selection and minibatches.", low=0)
    learning_rate: float = option(
        12.0, label="Client's rate", help="Step of SGD on the client; tuned for every selection.", low=0
    )
    server_rate: float = option(
        1.0, label="Server's rate", help="Step of the server along the averaged update; 1 is FedAvg.", low=0
    )

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        return {"corpus": self.corpus, **{name: getattr(self, name) for name in KEY}, "seed": self.seed}


def grid(
    corpus: str, *, seeds: Sequence[int] = range(5), settings: Sequence[str] = (*SETTINGS, *BASELINES)
) -> list[Setting]:
    """Return the settings for `corpus`, each at its tuned rates, and the baselines; fewer `settings` keep a part."""
    kinds = [
        ("static", drift, 0, beta, weighting, "true") for drift in DRIFTS for beta in BETAS for weighting in WEIGHTINGS
    ]
    kinds += [
        ("continual", drift, replay, beta, weighting, "true")
        for drift in DRIFTS
        for replay in BUDGETS
        for beta in BETAS
        for weighting in WEIGHTINGS
    ]
    kinds += [("continual", drift, 0, beta, "examples", "feedback") for drift in DRIFTS for beta in (0.0, 1.0)]
    found = [tuned(Setting(corpus, *kind)) for kind in kinds if kind[0] in settings]
    answers = [name for name in BASELINES if name in settings]
    found += [
        Setting(corpus, name, drift, beta=0.0, learning_rate=0.0, server_rate=0.0)
        for name in answers
        for drift in DRIFTS
    ]
    return [dataclasses.replace(each, seed=seed) for each in found for seed in seeds]


@remembered
def tuned(setting: Setting) -> Setting:
    """Return `setting` at the rates that the search chose for its setting, drift, selection and weighting."""
    method = {name: getattr(setting, name) for name in TUNED_BY}
    return dataclasses.replace(setting, **chosen(candidates(setting.corpus), options=RATES, **method))


@remembered
def candidates(corpus: str) -> pandas.DataFrame:
    """Return the trials of the search whose rates may be chosen.

    There is one search seed. Of five reported ones, the largest rates without a loss lost two.
    """
    return stable(read(search_name(corpus))[0], TUNED_BY)


def search_name(corpus: str) -> str:
    """Return the name under which the search on `corpus` is stored in ``data/results``."""
    return f"tuning/continual_learning_{corpus}"


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"continual_learning_{corpus}"


@dataclass(frozen=True)
class Stream:
    """The devices' utterances over time, as a learning problem.

    Attributes
    ----------
    problem
        Its examples are those of all periods.
    clients, tests
        Who holds which training and which test examples, over all periods.
    periods, test_periods : int [n], [m]
        When.
    """

    problem: Task
    clients: Partition
    tests: Partition
    periods: np.ndarray
    test_periods: np.ndarray


@functools.lru_cache(maxsize=16)  # a grid repeats all drifts and seeds many times
def stream(drift: float = 1.0, seed: int = 0, scored: str = "test") -> Stream:
    """Return the assistant's devices over time, and the model's first weights; `scored` is what is measured on.

    Examples
    --------
    >>> made = stream(drift=0.0, seed=0)
    >>> len(made.clients), len(made.periods), np.bincount(made.test_periods).tolist()
    (200, 16000, [316, 318, 366, 340, 328, 332])
    """
    corpus = assistant_over_time(drift, seed)
    if scored != "test":
        corpus = type(corpus)({**corpus, "test": corpus[scored]})
    return over_periods(corpus, task(prepare(corpus), seed=seed))


def over_periods(corpus: datasets.DatasetDict, problem: Task) -> Stream:
    """Return `problem`, which was made of `corpus`, with who holds which of its examples when."""
    clients, tests = (Partition.from_owners(np.array(corpus[s]["device"][:]), DEVICES) for s in ("train", "test"))
    return Stream(problem, clients, tests, *(np.array(corpus[split]["period"][:]) for split in ("train", "test")))


def assistant_over_time(drift: float, seed: int) -> datasets.DatasetDict:
    """Return the synthetic corpus with its option ``drift`` at `drift`."""
    from trustlab.data import assistant

    return assistant(devices=DEVICES, periods=PERIODS, drift=drift, seed=seed)


def recipe(config: Setting) -> FederatedConfig:
    """Return the options of `config`'s training within a period; the static reference has one period."""
    return FederatedConfig(
        rounds=ROUNDS if config.setting == "static" else ROUNDS // PERIODS,
        clients_per_round=PER_ROUND,
        batch_size=16,
        learning_rate=config.learning_rate,
        server=ServerConfig(learning_rate=config.server_rate),
        aggregation=config.weighting,
        evaluate_every=MEASURED_EVERY,
        seed=config.seed,
    )


def train(config: Setting, said: Stream, *, model: nn.Module | None = None) -> Iterator[dict[str, Any]]:
    """Train one setting and yield the rows of :func:`trustlab.federated.continual.continual`.

    Parameters
    ----------
    config
        What to train.
    said
        ``stream(config.drift, config.seed)``.
    model
        Trained in place; None trains a copy of the problem's model, which is discarded.
    """
    check(config)
    at_once = config.setting == "static"
    return continual(
        said.problem,
        said.clients,
        np.zeros_like(said.periods) if at_once else said.periods,
        recipe(config),
        selection={"strategy": "power", "beta": config.beta},
        replay=config.replay,
        test_periods=said.test_periods,
        label=from_feedback(Users(), seed=config.seed) if config.labels == "feedback" else None,
        model=model,
    )


def run(config: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting and yield its one row; `corpus` is not read: each setting generates its own, with its drift.

    Yields
    ------
    dict
        ``corpus``, ``setting``, ``drift``, ``replay``, ``beta``, ``weighting``, ``labels`` and ``seed``;
        ``learning_rate`` and ``server_rate``; at the end, on the test data of all periods, ``accuracy``,
        ``accuracy_device`` (mean over devices) and ``accuracy_light`` (over devices with no more training utterances
        than the median one); ``accuracy_mean``, over all measurements on the way; ``forgetting``, the mean over
        periods of :func:`trustlab.federated.continual.forgetting` (0 for the static reference); ``examples``, the
        training examples seen over all rounds; ``discarded``, how many updates were not finite; joined by "|":
        ``curve``, the accuracies on the way, ``now``, those on the test data of the period that it then was, and
        ``matrix``, row by row what :func:`trustlab.federated.continual.accuracy_matrix` returns; ``seconds`` of the
        training. A baseline is given all data at once; it has no curve.
    """
    check(config)
    said = stream(config.drift, config.seed)
    if config.setting in BASELINES:
        yield _trivial_row(config, said)
        return
    model = copy.deepcopy(said.problem.model)
    rows = list(train(config, said, model=model))
    measured = [row for row in rows if "accuracy" in row]
    curve = [row["accuracy"] for row in measured]
    matrix = accuracy_matrix(measured)
    yield {
        **config.key(),
        **{name: getattr(config, name) for name in RATES},
        "accuracy": curve[-1],
        **_of_devices(intents_right(model, said.problem.test).double().numpy(), said),
        "accuracy_mean": float(np.mean(curve)),
        "forgetting": float(forgetting(matrix).mean()) if len(matrix) > 1 else 0.0,
        "examples": sum(row["examples"] for row in rows),
        "discarded": sum(row["discarded"] for row in rows),
        "curve": _joined(curve),
        "now": _joined([row[f"accuracy_{period_of(row['round'])}"] for row in measured]),
        "matrix": _joined(matrix.ravel()),
        "seconds": rows[-1]["seconds"],
    }


def period_of(round: int) -> int:
    """Return the period, from 1, that a round, from 1, falls into.

    Examples
    --------
    >>> [period_of(round) for round in (1, 10, 11, 60)]
    [1, 1, 2, 6]
    """
    return (round - 1) * PERIODS // ROUNDS + 1


def _trivial_row(config: Setting, said: Stream) -> dict[str, Any]:
    """Return the row of a trivial baseline, which is given what all devices hold over all periods."""
    corpus, started = assistant_over_time(config.drift, config.seed), time.perf_counter()
    known, asked = ([" ".join(tokens) for tokens in corpus[split]["tokens"]] for split in ("train", "test"))
    guesses = CLASSIFIERS[config.setting](known, list(corpus["train"]["intent"]), asked)
    right = (np.array(guesses) == np.array(corpus["test"]["intent"])).astype(float)
    accuracy = float(right.mean())
    return {
        **config.key(),
        **{name: getattr(config, name) for name in RATES},
        "accuracy": accuracy,
        **_of_devices(right, said),
        "accuracy_mean": accuracy,
        "forgetting": 0.0,
        "examples": len(known),
        "discarded": 0,
        **dict.fromkeys(("curve", "now", "matrix"), ""),
        "seconds": time.perf_counter() - started,
    }


def _of_devices(right: np.ndarray, said: Stream) -> dict[str, float]:
    """Return mean shares of right answers over devices that have test data, and over the light ones of them."""
    tested, by_device = shares_right(right, said.tests)
    device, light = means(by_device, tested, said.clients.sizes)
    return {"accuracy_device": device, "accuracy_light": light}


def _joined(values: Sequence[float] | np.ndarray) -> str:
    return "|".join(f"{value:.4f}" for value in values)


__getattr__ = old_names(__name__, {"Cell": "Setting"})
