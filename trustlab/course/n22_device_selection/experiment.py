"""The experiment of notebook 22: selection by activity, trained on fleets of heavy and light devices.

Dupuy et al. (2022) select device k with a probability that grows with its activity, the number n_k of its training
examples. One setting is one federated training: a corpus, a fleet, a rule of selection, a rule of aggregation, a
cohort size and a seed. Cohorts are drawn with replacement, the scheme under which q_k ∝ n_k with equal weights is
unbiased, and every device makes one pass over all that it has: a heavy device trains for longer. So equal rounds are
not equal work, and every curve is kept over both.

The client's and the server's rate are chosen for every fleet, selection, aggregation and cohort on its own, with as
many trials for each, by :mod:`trustlab.course.n22_device_selection.selection_search`. Rounds, batches and passes are
the same for all. The seed decides all that is random; on the embedded corpus that includes its people and their
utterances, so that an interval over seeds has the sampling of the test in it. The real corpora have one test sample.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.course.baselines import MAJORITY, TFIDF
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n22_device_selection.fleets import AS_IT_IS, FLEETS, KINDS, MEASURES, Problem, problem
from trustlab.course.n22_device_selection.selection_baselines import trivial
from trustlab.course.sensitivity import RATES, stable
from trustlab.course.tuning import chosen
from trustlab.deprecation import old_names
from trustlab.federated.partition import Partition
from trustlab.federated.selection import Selector
from trustlab.federated.server_optimizer import ServerConfig
from trustlab.federated.simulation import FederatedConfig, simulate
from trustlab.lab.saved import read, remembered

if TYPE_CHECKING:
    import datasets
    import pandas
    from torch import nn

CORPORA = tuple(KINDS)
DESIGN = "with-replacement"
BETAS = (0.0, 0.5, 1.0, 2.0)
BETAS_OF_REAL_FLEETS = (0.0, 1.0)
COHORTS = {EMBEDDED: (10,), "shakespeare_roles": (10,), "20newsgroups": (200,)}
AGGREGATIONS = {"examples": "by examples", "equal": "equally", "horvitz-thompson": "Horvitz–Thompson"}
WAYS = ("examples", "equal")  # in which everything is compared
OTHERS: Mapping[str, Mapping[str, float]] = MappingProxyType({
    "softmax": {"temperature": 400.0},
    "threshold": {"threshold": 40.0},
    "top-k": {},
    "power-of-choice": {},
    "oort": {},
})  # fmt: skip
TRIVIAL = (MAJORITY, TFIDF)  # no federated training: what the embedded corpus' table must beat
KEY = ("fleet", "selection", "aggregation", "cohort")  # with the seed: one row
RECIPES: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    EMBEDDED: dict(rounds=30, batch_size=32),
    "shakespeare_roles": dict(rounds=20, batch_size=16, optimizer="adam", evaluate_every=4),
    "20newsgroups": dict(rounds=100, batch_size=32, evaluate_every=10),
})  # fmt: skip
FIRST_RATES = {EMBEDDED: 3.0, "shakespeare_roles": 0.003, "20newsgroups": 10.0}  # one for all, of a look at one seed
CURVES = {"curve": "accuracy", "curve_device": "accuracy_device", "curve_light": "accuracy_light"}


@dataclass(frozen=True)
class Setting:
    """One federated training of the comparison."""

    corpus: str = option(EMBEDDED, label="Corpus", help="One of the corpora compared.", values=CORPORA)
    fleet: str = option(
        AS_IT_IS,
        label="Fleet",
        help="How unequal the devices' activity is: the share of rank r is ∝ r^−0.4 (mild), r^−0.8 (as it is) or "
        "r^−1.1 (steep).",
        values=tuple(FLEETS),
    )
    strategy: str = option(
        "power",
        label="Strategy",
        help="power: probability ∝ n^β. softmax: ∝ exp(n/400). threshold: all with 40 examples or more equally. "
        "top-k: always the heaviest. power-of-choice: of 2k drawn by n those of highest loss. oort: ∝ n, capped.",
        values=("power", *OTHERS, *TRIVIAL),
    )
    beta: float = option(1.0, label="β", help="power: 0 is uniform, 1 proportional to activity.", values=BETAS)
    aggregation: str = option(
        "examples",
        label="Weights",
        help="Weight of an update: its client's examples, the same for all, "
        "or examples over the probability to be drawn.",
        values=tuple(AGGREGATIONS),
    )
    cohort: int = option(10, label="Cohort", help="Clients drawn per round.", values=(3, 10, 200))
    learning_rate: float = option(
        12.0, label="Client's rate", help="Step of the client's optimizer; tuned for every selection.", low=0
    )
    server_rate: float = option(
        1.0, label="Server's rate", help="Step of the server along the averaged update; 1 is FedAvg.", low=0
    )
    seed: int = option(
        0, label="Seed", help="Seed of the assistant's people, first weights, selection and minibatches.", low=0
    )

    @property
    def selection(self) -> str:
        """Name the selection, in one word or with β."""
        return f"β = {self.beta:g}" if self.strategy == "power" else self.strategy

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        own = {name: getattr(self, name) for name in KEY}
        return {"corpus": self.corpus, **own, "seed": self.seed}


def methods(corpus: str) -> list[Setting]:
    """Return what is compared on `corpus`, and tuned: a setting each.

    The assistant has every β on every fleet, by examples and equally; on the fleet as it is also Horvitz–Thompson and
    the other strategies. A real fleet is as it is: β of 0 and 1, by examples and equally.
    """
    (cohort,) = COHORTS[corpus]
    if corpus == EMBEDDED:
        kinds = [
            dict(fleet=fleet, beta=beta, aggregation=aggregation)
            for fleet in FLEETS
            for beta in BETAS
            for aggregation in AGGREGATIONS
            if aggregation in WAYS or fleet == AS_IT_IS
        ]
        kinds += [dict(strategy=other, aggregation=way) for other in OTHERS for way in WAYS]
    else:
        kinds = [dict(beta=beta, aggregation=way) for beta in BETAS_OF_REAL_FLEETS for way in WAYS]
    return [Setting(corpus, cohort=cohort, learning_rate=FIRST_RATES[corpus], **kind) for kind in kinds]


def grid(corpus: str, *, seeds: Sequence[int] = range(5), fleets: Sequence[str] = tuple(FLEETS)) -> list[Setting]:
    """Return the settings for `corpus`, each at its tuned rates and over `seeds`; fewer `fleets` keep a part of them.

    On the embedded corpus they are :func:`methods` and :func:`baselines`. The real fleets have no baselines and one
    rate for all, of a look at one seed: nothing is claimed of them.
    """
    settings = [*map(tuned, methods(corpus)), *baselines()] if corpus == EMBEDDED else methods(corpus)
    return [replace(each, seed=seed) for each in settings if each.fleet in fleets for seed in seeds]


def baselines() -> list[Setting]:
    """Return the trivial baselines on the test examples of the assistant's fleet as it is; they have no rates."""
    return [Setting(strategy=each, learning_rate=0.0, server_rate=0.0) for each in TRIVIAL]


@remembered
def tuned(setting: Setting) -> Setting:
    """Return `setting` at the rates that the search chose for its method."""
    method = {name: getattr(setting, name) for name in KEY}
    return replace(setting, **chosen(candidates(setting.corpus), options=RATES, **method))


@remembered
def candidates(corpus: str) -> pandas.DataFrame:
    """Return the trials of the search whose rates may be chosen: each method has its own candidates."""
    return stable(read(search_name(corpus))[0], KEY, within=KEY)


def search_name(corpus: str) -> str:
    """Return the name under which the search on `corpus` is stored in ``data/results``."""
    return f"tuning/device_selection_{corpus}"


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"device_selection_{corpus}"


def selector(setting: Setting, clients: Partition) -> Selector:
    """Return who is drawn in `setting` from the devices `clients`.

    Examples
    --------
    >>> from trustlab.federated.partition import partition
    >>> users = partition(["ann"] * 8 + ["bob"] * 2, scheme="natural")
    >>> selector(Setting(beta=1.0), users).inclusion(1).tolist()
    [0.8, 0.2]
    """
    options = {"beta": setting.beta} if setting.strategy == "power" else OTHERS[setting.strategy]
    return Selector(clients.sizes, strategy=setting.strategy, design=DESIGN, **options)


def recipe(setting: Setting) -> FederatedConfig:
    """Return the options of `setting`: SGD for words, Adam for characters, which are learned slowly without."""
    own = dict(clients_per_round=setting.cohort, aggregation=setting.aggregation, seed=setting.seed)
    rates = dict(learning_rate=setting.learning_rate, server=ServerConfig(learning_rate=setting.server_rate))
    return FederatedConfig(**own, **rates, **RECIPES[setting.corpus])


def train(setting: Setting, made: Problem, *, model: nn.Module | None = None) -> Iterator[dict[str, Any]]:
    """Train one setting and yield the rows of :func:`trustlab.federated.simulation.simulate`.

    Parameters
    ----------
    setting
        What to train.
    made
        ``problem(setting.corpus, corpus, fleet=setting.fleet, seed=setting.seed)``.
    model
        Trained in place; None trains a copy of the problem's model, which is discarded.
    """
    check(setting)
    return simulate(made.task, made.clients, recipe(setting), selector=selector(setting, made.clients), model=model)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``fleet``, ``selection``, ``aggregation``, ``cohort`` and ``seed``; ``learning_rate`` and
        ``server_rate``; at the end ``accuracy``, ``accuracy_device``, ``accuracy_light`` and ``accuracy_heavy``, see
        :func:`trustlab.course.n22_device_selection.fleets.accuracies`; ``examples``, how many all rounds stepped on
        together; ``discarded``, how many updates were not finite; ``curve``, ``curve_device``, ``curve_light`` and
        ``curve_examples``, what was measured on the way, joined by "|"; ``measured_every``, in rounds; ``seconds`` of
        the training.
    """
    check(setting)
    if setting.strategy in TRIVIAL:
        yield _trivial_row(setting, corpus)
        return
    made = problem(setting.corpus, corpus, fleet=setting.fleet, seed=setting.seed)
    done, lost, measured = 0, 0, []
    for row in train(setting, made, model=copy.deepcopy(made.task.model)):
        done, lost = done + row["examples"], lost + row["discarded"]
        if "accuracy" in row:
            measured.append({**row, "done": done})
    curves = {name: "|".join(f"{row[column]:.3f}" for row in measured) for name, column in CURVES.items()}
    yield {
        **setting.key(),
        **{name: getattr(setting, name) for name in RATES},
        **{name: measured[-1][name] for name in MEASURES},
        "examples": done,
        "discarded": lost,
        **curves,
        "curve_examples": "|".join(str(row["done"]) for row in measured),
        "measured_every": recipe(setting).evaluate_every,
        "seconds": measured[-1]["seconds"],
    }


def _trivial_row(setting: Setting, corpus: datasets.DatasetDict) -> dict[str, Any]:
    """Return the row of a trivial baseline: its one measurement is its curve."""
    found = trivial(corpus, setting.strategy, seed=setting.seed)
    curves = {name: f"{found[column]:.3f}" for name, column in CURVES.items()}
    about = {**setting.key(), **{name: getattr(setting, name) for name in RATES}}
    shares = {name: found[name] for name in MEASURES}
    rest = {**curves, "curve_examples": str(found["examples"]), "measured_every": recipe(setting).rounds}
    return {**about, **shares, "examples": found["examples"], "discarded": 0, **rest, "seconds": found["seconds"]}


__getattr__ = old_names(__name__, {"Cell": "Setting"})
