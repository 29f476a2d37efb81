"""The options of a private training, which of them go together, and the noise that keeps its guarantee.

The one place where options become a guarantee: :func:`noise_schedule` plans the noise, :func:`spent` computes what the
steps taken guarantee, and both describe the mechanism to the accountant in the same words (:func:`accounted`).
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import check, option
from trustlab.privacy.accounting import epsilon, noise_multiplier_for
from trustlab.privacy.methods import ENGINES, METHODS, SENSITIVITY, in_new_words
from trustlab.privacy.noise_schedules import decayed

# Options that some methods or engines do not have, and those that do.
PRIVATE, OURS = tuple(SENSITIVITY), ("fast", "loop")
OWN: dict[str, dict[str, tuple[str, ...]]] = {
    "method": {
        "engine": PRIVATE,
        "layerwise": PRIVATE,
        "automatic": PRIVATE,
        "noise_by": ("edp-sgd",),
        "noise_decay": PRIVATE,
    },
    "engine": {"layerwise": OURS, "automatic": OURS, "physical_batch": OURS},
}


@dataclass(frozen=True)
class TrainConfig:
    """How to train. ``epsilon`` is a target: the noise is chosen so that all epochs together spend at most that.

    Batches are Poisson samples, and ε holds for adding or removing one example; neither is an option. An option that
    `method` or `engine` does not have must keep its default, see :data:`OWN`.
    """

    method: str = option(
        "dp-sgd",
        label="Method",
        help="sgd: no privacy. dp-sgd: clips each example. edp-sgd: clips the mean of each micro-batch.",
        values=METHODS,
    )
    epsilon: float = option(
        math.inf,
        label="ε",
        help="Smaller ε means stronger privacy and more noise; math.inf: no noise and no privacy.",
        above=0,
    )
    delta: float = option(
        1e-5, label="δ", help="Probability that the guarantee fails; well below 1/N.", above=0, high=1
    )
    clip_norm: float = option(1.0, label="C", help="Largest L2 norm that a clipped gradient keeps.", above=0)
    epochs: int = option(5, label="Epochs", help="Expected passes over the training examples.", low=1)
    batch_size: int = option(256, label="Batch size", help="Expected examples per step; q = batch size / N.", low=1)
    learning_rate: float = option(
        4e-3, label="Learning rate", help="Step size of Adam, where no other optimizer is given.", above=0
    )
    micro_batches: int = option(32, label="K", help="Micro-batches per step (edp-sgd); each is clipped once.", low=1)
    layerwise: str = option(
        "flat",
        label="Thresholds",
        help="How C is divided over the layers.",
        values=("flat", "equal", "dimension"),
    )
    automatic: bool = option(
        False, label="AUTO-S", help="Scale each gradient to about C instead of clipping it.", values=(False, True)
    )
    noise_decay: float = option(
        1.0, label="γ", help="The noise is multiplied by γ every epoch; 1 keeps it.", above=0, high=1
    )
    noise_by: str = option(
        "sum",
        label="Noise by",
        help="Noise is added once to the sum, or a share of it by each of the K workers (edp-sgd).",
        values=("sum", "worker"),
    )
    physical_batch: int | None = option(
        None, label="At once", help="At most that many examples in memory; the result is the same.", low=1
    )
    accountant: str = option(
        "pld",
        label="Accountant",
        help="pld is tight, prv Opacus' tight one, rdp looser.",
        values=("pld", "prv", "rdp"),
    )
    evaluate_every: int | None = option(
        None, label="Row every", help="Steps between rows; None gives one row per epoch.", unit="steps", low=1
    )
    seed: int = option(0, label="Seed", help="Seed of batches, micro-batches, dropout and noise.", low=0)
    engine: str = option(
        "fast",
        label="Engine",
        help="How the clipped sum is computed; ε does not depend on it. fast: all in one backward. loop: one backward "
        "for each example or micro-batch. opacus: dp-sgd by Opacus, for comparison.",
        values=ENGINES,
    )

    def __post_init__(self) -> None:
        method, engine = in_new_words(self.method, self.engine, depth=2)  # __init__ is between this call and the user's
        object.__setattr__(self, "method", method)
        object.__setattr__(self, "engine", engine)
        for field in dataclasses.fields(self):  # np.int64(32) and 32 are one training, under one name
            value = getattr(self, field.name)
            if isinstance(value, np.generic):
                object.__setattr__(self, field.name, value.item())


def noise_schedule(config: TrainConfig, examples: int) -> list[tuple[float, int]]:
    """Return [(σ, steps), ...] with which all epochs over `examples` examples spend at most ``config.epsilon``.

    An epoch is N / batch_size steps, rounded: with Poisson sampling an expected pass, not an exact one.
    """
    steps_per_epoch = round(examples / config.batch_size)
    steps = config.epochs * steps_per_epoch
    if config.method == "sgd":
        return [(0.0, steps)]
    shape = dict(decay=config.noise_decay, steps=steps, steps_per_epoch=steps_per_epoch)
    sigma = noise_multiplier_for(epsilon=config.epsilon, **accounted(config, examples), **shape)
    return decayed(sigma, **shape)


def spent(config: TrainConfig, schedule: list[tuple[float, int]], steps: int, examples: int) -> float:
    """Return the ε of the first `steps` steps of `schedule`; infinite for plain SGD."""
    if config.method == "sgd":
        return math.inf
    taken, left = [], steps
    for sigma, count in schedule:
        taken.append((sigma, min(count, left)))
        left -= taken[-1][1]
    return epsilon(noise_multiplier=taken, **accounted(config, examples))


def accounted(config: TrainConfig, examples: int) -> dict[str, Any]:
    """Return the mechanism as an accountant takes it: the same for the noise chosen and for the ε spent."""
    return dict(
        sampling="poisson",  # as the training samples
        adjacency="add-remove",
        sample_rate=config.batch_size / examples,
        delta=config.delta,
        sensitivity=SENSITIVITY[config.method],
        accountant=config.accountant,
    )


def check_training(config: TrainConfig, examples: int) -> None:
    """Refuse options outside their range, and combinations whose ε would be wrong.

    Raises
    ------
    ValueError
        At once, before any work.
    """
    check(config)
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if field.type in ("int", "int | None") and value is not None and not isinstance(value, int):
            raise ValueError(f"Expected {field.name}={value!r} to be a whole number. {field.metadata['help']}")
    if config.batch_size > examples:
        raise ValueError(
            f"Expected batch_size={config.batch_size} <= the {examples} training examples. "
            "Each is drawn with probability batch_size / N."
        )
    if config.method == "sgd" and config.epsilon != math.inf:
        raise ValueError(
            f"Expected epsilon=inf with method='sgd', got {config.epsilon:g}. "
            "Plain SGD guarantees nothing: choose 'dp-sgd' or 'edp-sgd'."
        )
    if config.epsilon != math.inf and config.delta >= 1 / examples:
        raise ValueError(
            f"Expected delta={config.delta:g} < 1/N = {1 / examples:.2g}. "
            "With δ ≥ 1/N, publishing one whole example at random would count as private."
        )
    _check_own(config)


def _check_own(config: TrainConfig) -> None:
    """Refuse an option that the method or the engine does not have."""
    defaults = {field.name: field.default for field in dataclasses.fields(config)}
    if config.engine == "opacus" and config.method == "edp-sgd":
        raise ValueError("Expected method='dp-sgd' with engine='opacus', got 'edp-sgd'. Opacus clips examples only.")
    for kind, own in OWN.items():
        chosen = getattr(config, kind)
        for name, having in own.items():
            value = getattr(config, name)
            if chosen not in having and value != defaults[name]:
                raise ValueError(
                    f"Expected {name}={defaults[name]!r} with {kind}={chosen!r}, got {value!r}. "
                    f"It is an option of {', '.join(map(repr, having))}."
                )
