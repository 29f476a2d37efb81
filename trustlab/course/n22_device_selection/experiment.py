"""The experiment of notebook 22: selection by activity, trained on fleets of heavy and light devices.

Dupuy et al. (2022) select device k with a probability that grows with its activity, the number n_k of its training
examples. One setting is one federated training: a corpus, a fleet, a rule of selection, a rule of aggregation, a
cohort size and a seed. Cohorts are drawn with replacement, the scheme under which q_k ∝ n_k with equal weights is
unbiased, and every device makes one pass over all that it has: a heavy device trains for longer. So equal rounds are
not equal work, and every curve is kept over both.

Step sizes and rounds were chosen for each corpus in a look at one seed (β = 0 and 1), so that everything learns and the
comparison ends while uniform selection still does: on the embedded corpus, all arrive at nearly the same place later.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from trustlab.config import check, option
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n22_device_selection.fleets import AS_IT_IS, FLEETS, KINDS, MEASURES, Problem, problem
from trustlab.deprecation import old_names
from trustlab.federated.partition import Partition
from trustlab.federated.selection import Selector
from trustlab.federated.simulation import FederatedConfig, simulate

if TYPE_CHECKING:
    import datasets
    from torch import nn

CORPORA = tuple(KINDS)
DESIGN = "with-replacement"
BETAS = (0.0, 0.5, 1.0, 2.0)
BETAS_OF_REAL_FLEETS = (0.0, 1.0)
COHORTS = {EMBEDDED: (3, 10), "shakespeare_roles": (10,), "20newsgroups": (200,)}
AGGREGATIONS = {"examples": "by examples", "equal": "equally", "horvitz-thompson": "Horvitz–Thompson"}
OTHERS: Mapping[str, Mapping[str, float]] = MappingProxyType({
    "softmax": {"temperature": 400.0},
    "threshold": {"threshold": 40.0},
    "top-k": {},
    "power-of-choice": {},
    "oort": {},
})  # fmt: skip
KEY = ("fleet", "selection", "aggregation", "cohort")  # with the seed: one row
RECIPES: Mapping[str, Mapping[str, Any]] = MappingProxyType({
    EMBEDDED: dict(rounds=30, batch_size=32, learning_rate=3.0),
    "shakespeare_roles": dict(rounds=20, batch_size=16, optimizer="adam", learning_rate=0.003, evaluate_every=4),
    "20newsgroups": dict(rounds=100, batch_size=32, learning_rate=10.0, evaluate_every=10),
})  # fmt: skip
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
        values=("power", *OTHERS),
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
    seed: int = option(0, label="Seed", help="Seed of first weights, selection and minibatches.", low=0)

    @property
    def selection(self) -> str:
        """Name the selection, in one word or with β."""
        return f"β = {self.beta:g}" if self.strategy == "power" else self.strategy

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        own = {name: getattr(self, name) for name in KEY}
        return {"corpus": self.corpus, **own, "seed": self.seed}


def grid(corpus: str, *, seeds: Sequence[int] = range(3), fleets: Sequence[str] = tuple(FLEETS)) -> list[Setting]:
    """Return the settings for `corpus`, each over `seeds`; fewer `fleets` keep a part of them.

    The assistant has every β with every fleet, aggregation and cohort, and the other strategies on the fleet as it is.
    A real fleet is as it is: β of 0 and 1, by examples and equally, and one cohort.
    """
    if corpus == EMBEDDED:
        kinds = [
            dict(fleet=fleet, beta=beta, aggregation=aggregation, cohort=cohort)
            for fleet in FLEETS
            for beta in BETAS
            for aggregation in AGGREGATIONS
            for cohort in COHORTS[corpus]
        ]
        kinds += [dict(strategy=other, aggregation=way) for other in OTHERS for way in ("examples", "equal")]
    else:
        (cohort,) = COHORTS[corpus]
        ways = ("examples", "equal")
        kinds = [dict(beta=beta, aggregation=way, cohort=cohort) for beta in BETAS_OF_REAL_FLEETS for way in ways]
    settings = [Setting(corpus, seed=seed, **kind) for kind in kinds for seed in seeds]
    return [setting for setting in settings if setting.fleet in fleets]


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
    return FederatedConfig(**own, **RECIPES[setting.corpus])


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
        ``corpus``, ``fleet``, ``selection``, ``aggregation``, ``cohort`` and ``seed``; at the end ``accuracy``,
        ``accuracy_device``, ``accuracy_light`` and ``accuracy_heavy``, see
        :func:`trustlab.course.n22_device_selection.fleets.accuracies`; ``examples``, how many all rounds stepped on
        together; ``curve``, ``curve_device``, ``curve_light`` and ``curve_examples``, what was measured on the way,
        joined by "|"; ``measured_every``, in rounds; ``seconds`` of the training.
    """
    check(setting)
    made = problem(setting.corpus, corpus, fleet=setting.fleet, seed=setting.seed)
    done, measured = 0, []
    for row in train(setting, made, model=copy.deepcopy(made.task.model)):
        done += row["examples"]
        if "accuracy" in row:
            measured.append({**row, "done": done})
    curves = {name: "|".join(f"{row[column]:.3f}" for row in measured) for name, column in CURVES.items()}
    yield {
        **setting.key(),
        **{name: measured[-1][name] for name in MEASURES},
        "examples": done,
        **curves,
        "curve_examples": "|".join(str(row["done"]) for row in measured),
        "measured_every": recipe(setting).evaluate_every,
        "seconds": measured[-1]["seconds"],
    }


__getattr__ = old_names(__name__, {"Cell": "Setting"})
