"""What selection by activity costs where light devices want something else: the second experiment of notebook 22.

In the embedded corpus, a device's intents are independent of its activity. Here it has: every device has only the
intents of its persona, and the travellers among the heaviest tenth of the devices are left out. So travellers are
inactive, and a server that prefers active clients rarely trains on them. All else is as in
:mod:`trustlab.course.n22_device_selection.experiment`, with more rounds, so that uniform selection has time to learn
what is rare. The rates are chosen by the accuracy over all, which is what a server that does not know of the harm sees.
"""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from trustlab.config import check
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n22_device_selection import experiment as activity
from trustlab.course.n22_device_selection.fleets import MEASURES, TEST, Problem, extent, made_of
from trustlab.course.sensitivity import RATES
from trustlab.course.tuning import chosen
from trustlab.data import assistant
from trustlab.deprecation import old_names
from trustlab.federated.expectation import HEAVY
from trustlab.federated.simulation import FederatedConfig, simulate
from trustlab.lab.saved import remembered

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED,)
FEW, NAME = "traveller", "travellers inactive"  # the name is that of the fleet in the search
ROUNDS = 100
BETAS = (0.0, 0.5, 1.0)
KEY = ("selection", "aggregation")  # with the seed: one row


@dataclass(frozen=True)
class Setting(activity.Setting):
    """One federated training on the fleet without heavy travellers."""

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        return {"corpus": self.corpus, **{name: getattr(self, name) for name in KEY}, "seed": self.seed}


def grid(corpus: str, *, seeds: Sequence[int] = range(5), aggregations: Sequence[str] = activity.WAYS) -> list[Setting]:
    """Return the settings: every β, by examples and equally, over `seeds`; fewer `aggregations` keep a part."""
    settings = [tuned(Setting(corpus, beta=beta, aggregation=way)) for beta in BETAS for way in aggregations]
    return [dataclasses.replace(each, seed=seed) for each in settings for seed in seeds]


@remembered
def tuned(setting: Setting) -> Setting:
    """Return `setting` at the rates that the search chose for its selection and aggregation on this fleet."""
    method = dict(fleet=NAME, selection=setting.selection, aggregation=setting.aggregation)
    return dataclasses.replace(setting, **chosen(activity.candidates(setting.corpus), options=RATES, **method))


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"device_selection_harm_{corpus}"


def recipe(setting: Setting) -> FederatedConfig:
    """Return the options of `setting`, measured at the end only."""
    return dataclasses.replace(activity.recipe(setting), rounds=ROUNDS, evaluate_every=ROUNDS)


def without_heavy_travellers(corpus: datasets.DatasetDict) -> datasets.DatasetDict:
    """Return an assistant corpus of the size of `corpus` in which all travellers are inactive.

    Every device has its persona's intents only (``label_skew=1``); devices are numbered from the heaviest on, and
    the travellers of the first tenth are left out.

    Examples
    --------
    >>> quiet = without_heavy_travellers(assistant(4000, devices=50))
    >>> said = zip(quiet["train"]["device"], quiet["train"]["persona"], strict=True)
    >>> min(device for device, who in said if who == "traveller") >= 5
    True
    """
    return _few_heavy(*extent(corpus), seed=0)


def _few_heavy(utterances: int, devices: int, seed: int) -> datasets.DatasetDict:
    """Return the corpus of :func:`without_heavy_travellers` that `seed` generates."""
    made = assistant(utterances, devices=devices, label_skew=1.0, seed=seed)
    for name, split in made.items():
        said = zip(split["persona"][:], split["device"][:], strict=True)
        kept = [i for i, (who, device) in enumerate(said) if who != FEW or device >= HEAVY * devices]
        made[name] = split.select(kept)
    return made


class Quiet(NamedTuple):
    """The fleet without heavy travellers, as a learning problem."""

    problem: Problem
    few: np.ndarray  # numbers of the travellers' examples among those that are measured on
    share_few: float  # theirs of the training examples


def quiet_fleet(corpus: datasets.DatasetDict, seed: int, scored: str = TEST) -> Quiet:
    """Return :func:`without_heavy_travellers` of a seed as a learning problem, measured on one of its splits."""
    return _quiet(*extent(corpus), seed, scored)


@functools.lru_cache(maxsize=8)  # a grid repeats every seed many times
def _quiet(utterances: int, devices: int, seed: int, scored: str) -> Quiet:
    made = _few_heavy(utterances, devices, seed)
    few = np.flatnonzero(np.array(made[scored]["persona"]) == FEW)
    share = float(np.mean(np.array(made["train"]["persona"]) == FEW))
    return Quiet(made_of(EMBEDDED, made, seed, scored), few, share)


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``selection``, ``aggregation`` and ``seed``; ``learning_rate`` and ``server_rate``; ``accuracy``,
        ``accuracy_device``, ``accuracy_light`` and ``accuracy_heavy``, see
        :func:`trustlab.course.n22_device_selection.fleets.accuracies`; ``accuracy_few``, over the test utterances of
        travellers, and ``share_few``, theirs of the training examples; ``examples`` trained on; ``discarded``, how many
        updates were not finite; ``seconds`` of the training.
    """
    check(setting)
    made, few, share = quiet_fleet(corpus, setting.seed)
    model = copy.deepcopy(made.task.model)
    who = activity.selector(setting, made.clients)
    rows = list(simulate(made.task, made.clients, recipe(setting), selector=who, model=model))
    right = model(made.task.test).argmax(-1) == made.task.test.intents
    yield {
        **setting.key(),
        **{name: getattr(setting, name) for name in RATES},
        **{name: rows[-1][name] for name in MEASURES},
        "accuracy_few": float(right.numpy()[few].mean()),
        "share_few": share,
        "examples": sum(row["examples"] for row in rows),
        "discarded": sum(row["discarded"] for row in rows),
        "seconds": rows[-1]["seconds"],
    }


__getattr__ = old_names(__name__, {"Cell": "Setting"})
