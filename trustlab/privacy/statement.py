"""What has to be said with every ε, or the number means nothing."""

from __future__ import annotations

import math

from trustlab.privacy.clipping import SENSITIVITY
from trustlab.privacy.training import MECHANISM, TrainConfig, noise_schedule


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
    ('sensitivity', '2 C: one utterance can turn a clipped micro-batch mean round')
    """
    if config.method == "sgd":
        return [{"what": "guarantee", "here": "none: plain SGD"}]
    delta = SENSITIVITY[MECHANISM[config.method]]
    moves = "2 C: one utterance can turn a clipped micro-batch mean round" if delta == 2 else "C: one clipped gradient"
    schedule = ", then ".join(f"{sigma:.3g} for {count} steps" for sigma, count in noise_schedule(config, examples))
    epsilon = (
        "none" if math.isinf(config.epsilon) else f"{config.epsilon:g} at δ = {config.delta:g}".replace("e-0", "e-")
    )
    return [
        {"what": "ε", "here": epsilon},
        {"what": "neighbours", "here": "two data sets of which one has one utterance more (add or remove)"},
        {"what": "privacy unit", "here": "one utterance, not one person: k utterances of a person have about k·ε"},
        {"what": "sampler", "here": f"Poisson, q = {config.batch_size / examples:.3g}, both used and assumed"},
        {"what": "sensitivity", "here": moves},
        {"what": "noise multiplier", "here": f"{schedule} (σ; the noise has standard deviation σ·C)"},
        {"what": "accountant", "here": f"Opacus {config.accountant.upper()}, an upper bound on ε"},
        {"what": "audit", "here": "none here: no attack was run to bound ε from below"},
        {"what": "not covered", "here": "choosing hyper-parameters, the seed, loss and clipped share of the log"},
    ]
