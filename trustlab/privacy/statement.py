"""What has to be said with every ε, or the number means nothing."""

from __future__ import annotations

import math

from trustlab.privacy.clipping import SENSITIVITY
from trustlab.privacy.training import MECHANISM, TrainConfig, check_training, noise_schedule


def statement(config: TrainConfig, examples: int) -> list[dict[str, str]]:
    """Spell out the guarantee of a whole training.

    Parameters
    ----------
    config
        How the model is trained.
    examples
        Number of training examples N.

    Returns
    -------
    list of dict
        Rows of ``what`` and ``here``, in words.

    Examples
    --------
    >>> rows = statement(TrainConfig(method="edp-sgd", epsilon=8.0, epochs=1, batch_size=100), examples=1000)
    >>> rows[4]["what"], rows[4]["here"]
    ('sensitivity', '2 C: one utterance can turn a clipped mean round; C = 1, K = 32 micro-batches a step')

    Raises
    ------
    ValueError
        For options with which :func:`trustlab.privacy.train` would refuse to train.
    """
    check_training(config, examples)
    if config.method == "sgd":
        return [{"what": "guarantee", "here": "none: plain SGD"}]
    delta = SENSITIVITY[MECHANISM[config.method]]
    moves = f"C: one clipped gradient; C = {config.clip_norm:g}"
    if config.method == "edp-sgd":
        kept = f"C = {config.clip_norm:g}, K = {config.micro_batches} micro-batches a step"
        moves = f"{delta:g} C: one utterance can turn a clipped mean round; {kept}"
    schedule = ", then ".join(f"{sigma:.3g} for {count} steps" for sigma, count in noise_schedule(config, examples))
    epsilon = (
        "none" if math.isinf(config.epsilon) else f"{config.epsilon:g} at δ = {config.delta:g}".replace("e-0", "e-")
    )
    return [
        {"what": "ε", "here": epsilon},
        {"what": "neighbours", "here": "two data sets of which one has one utterance more (add or remove)"},
        {"what": "privacy unit", "here": f"one utterance, not one person{_group(config)}"},
        {"what": "sampler", "here": f"Poisson, q = {config.batch_size / examples:.3g}, both used and assumed"},
        {"what": "sensitivity", "here": moves},
        {"what": "noise multiplier", "here": f"{schedule} (σ; the noise has standard deviation σ·C)"},
        {"what": "accountant", "here": f"Opacus {config.accountant.upper()}, an upper bound on ε"},
        {"what": "audit", "here": "none here: no attack was run to bound ε from below"},
        {"what": "taken as public", "here": "N, the label names, the validation split, the hyper-parameters"},
        {"what": "not covered", "here": "who knows the seed; the logged share clipped; rounding in floating point"},
    ]


def _group(config: TrainConfig) -> str:
    """Say what two utterances of one person still have: 2ε, at δ(1 + e^ε) (group privacy)."""
    if math.isinf(config.epsilon):
        return ""
    delta = config.delta * (1 + math.exp(config.epsilon))
    return f"; two of a person have {2 * config.epsilon:g} at δ = {min(delta, 1.0):.1g}".replace("e-0", "e-")
