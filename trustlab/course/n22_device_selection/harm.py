"""What selection by activity costs where light devices want something else: the second experiment of notebook 22.

In the embedded corpus, a device's intents are independent of its activity. Here it has: every device has only the
intents of its persona, and the travellers among the heaviest tenth of the devices are left out. So travellers are
inactive, and a server that prefers active clients rarely trains on them. All else is as in
:mod:`trustlab.course.n22_device_selection.experiment`, with more rounds, so that uniform selection has time to learn
what is rare.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.config import check
from trustlab.course.corpora import EMBEDDED
from trustlab.course.n22_device_selection import experiment as activity
from trustlab.course.n22_device_selection.fleets import MEASURES, problem
from trustlab.data import assistant
from trustlab.deprecation import old_names
from trustlab.federated.expectation import HEAVY
from trustlab.federated.simulation import FederatedConfig, simulate

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED,)
FEW = "traveller"
ROUNDS = 100
BETAS = (0.0, 0.5, 1.0)
KEY = ("selection", "aggregation")  # with the seed: one row


@dataclass(frozen=True)
class Setting(activity.Setting):
    """One federated training on the fleet without heavy travellers."""

    def key(self) -> dict[str, Any]:
        """Return the columns that name this training in a table."""
        return {"corpus": self.corpus, **{name: getattr(self, name) for name in KEY}, "seed": self.seed}


def grid(
    corpus: str, *, seeds: Sequence[int] = range(3), aggregations: Sequence[str] = ("examples", "equal")
) -> list[Setting]:
    """Return the settings: every β, by examples and equally, over `seeds`; fewer `aggregations` keep a part."""
    return [
        Setting(corpus, beta=beta, aggregation=way, seed=seed)
        for beta in BETAS
        for way in aggregations
        for seed in seeds
    ]


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
    devices = 1 + max(max(split["device"][:]) for split in corpus.values())
    made = assistant(sum(map(len, corpus.values())), devices=devices, label_skew=1.0)
    for name, split in made.items():
        said = zip(split["persona"][:], split["device"][:], strict=True)
        kept = [i for i, (who, device) in enumerate(said) if who != FEW or device >= HEAVY * devices]
        made[name] = split.select(kept)
    return made


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``selection``, ``aggregation`` and ``seed``; ``accuracy``, ``accuracy_device``, ``accuracy_light``
        and ``accuracy_heavy``, see :func:`trustlab.course.n22_device_selection.fleets.accuracies`; ``accuracy_few``,
        over the test utterances of travellers, and ``share_few``, theirs of the training examples; ``examples`` trained
        on; ``seconds`` of the training.
    """
    check(setting)
    quiet = without_heavy_travellers(corpus)
    made = problem(setting.corpus, quiet, seed=setting.seed)
    model = copy.deepcopy(made.task.model)
    chosen = activity.selector(setting, made.clients)
    rows = list(simulate(made.task, made.clients, recipe(setting), selector=chosen, model=model))
    few = np.flatnonzero(np.array(quiet["test"]["persona"]) == FEW)
    right = model(made.task.test).argmax(-1) == made.task.test.intents
    yield {
        **setting.key(),
        **{name: rows[-1][name] for name in MEASURES},
        "accuracy_few": float(right.numpy()[few].mean()),
        "share_few": float(np.mean(np.array(quiet["train"]["persona"]) == FEW)),
        "examples": sum(row["examples"] for row in rows),
        "seconds": rows[-1]["seconds"],
    }


__getattr__ = old_names(__name__, {"Cell": "Setting"})
