"""The fleet without heavy travellers, measured after every round: what the story panel of notebook 22 plays.

The trainings are those of :mod:`trustlab.course.n22_device_selection.harm`, which measures them at the end only. Who
was drawn is not kept: seed and round decide it, and :func:`cohort` draws it again.
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
from trustlab.course.n22_device_selection import harm
from trustlab.course.sensitivity import RATES
from trustlab.federated.selection import Selector
from trustlab.federated.simulation import FederatedConfig, simulate
from trustlab.federated.simulation.local_training import SELECTION, rng_of

if TYPE_CHECKING:
    import datasets

CORPORA = (EMBEDDED,)
KEY = harm.KEY


@dataclass(frozen=True)
class Setting(harm.Setting):
    """One training on the fleet without heavy travellers, measured after every round."""


def grid(corpus: str, *, seeds: Sequence[int] = range(5), aggregations: Sequence[str] = activity.WAYS) -> list[Setting]:
    """Return the settings of :func:`trustlab.course.n22_device_selection.harm.grid`."""
    same = harm.grid(corpus, seeds=seeds, aggregations=aggregations)
    return [Setting(**{field.name: getattr(each, field.name) for field in dataclasses.fields(each)}) for each in same]


def result_name(corpus: str) -> str:
    """Return the name under which the table of `corpus` is stored in ``data/results``."""
    return f"device_selection_rounds_{corpus}"


def recipe(setting: Setting) -> FederatedConfig:
    """Return the options of `setting`: harm's, measured after every round. Measuring changes no number."""
    return dataclasses.replace(harm.recipe(setting), evaluate_every=1)


def cohort(setting: Setting, chosen: Selector, round: int) -> np.ndarray:
    """Return the numbers of the clients that the training drew in `round`, from 1; one drawn twice appears twice.

    Parameters
    ----------
    setting
        Its seed decides.
    chosen
        ``selector(setting, clients)`` of :mod:`trustlab.course.n22_device_selection.experiment`.

    Examples
    --------
    >>> cohort(Setting(cohort=3), Selector([8, 1, 1], strategy="power", beta=1.0, design="with-replacement"), 1)
    array([0, 0, 0])
    """
    return chosen.draw(setting.cohort, rng_of(recipe(setting), round - 1, SELECTION))


def run(setting: Setting, corpus: datasets.DatasetDict) -> Iterator[dict[str, Any]]:
    """Train one setting and yield its one row.

    Yields
    ------
    dict
        ``corpus``, ``selection``, ``aggregation`` and ``seed``; ``learning_rate`` and ``server_rate``; after every
        round, joined by "|", ``curve``, the accuracy over all test utterances, and ``curve_few``, that over the
        travellers'; ``accuracy`` and ``accuracy_few``, both after the last; ``seconds`` of the training, without
        measuring.
    """
    check(setting)
    made, few, _ = harm.quiet_fleet(corpus, setting.seed)
    model = copy.deepcopy(made.task.model)
    chosen = activity.selector(setting, made.clients)
    everybody, travellers = [], []
    for row in simulate(made.task, made.clients, recipe(setting), selector=chosen, model=model):
        right = (model(made.task.test).argmax(-1) == made.task.test.intents).numpy()
        everybody.append(row["accuracy"])
        travellers.append(float(right[few].mean()))
    yield {
        **setting.key(),
        **{name: getattr(setting, name) for name in RATES},
        "accuracy": everybody[-1],
        "accuracy_few": travellers[-1],
        "curve": "|".join(f"{value:.4f}" for value in everybody),
        "curve_few": "|".join(f"{value:.4f}" for value in travellers),
        "seconds": row["seconds"],
    }
