"""What a federated training is to be: its options, and which of them go together."""

from __future__ import annotations

from dataclasses import dataclass, field

from trustlab.config import check, option
from trustlab.federated.aggregation import WEIGHTINGS, ServerConfig


@dataclass(frozen=True)
class FederatedConfig:
    """How to train on many devices. The defaults are FedAvg (McMahan et al. 2017, Algorithm 1).

    Who is selected is no option here: it is a rule over the devices' activity, given to
    :func:`trustlab.federated.simulation.simulate` as a selector. ``server`` says how the server steps along the
    average.
    """

    rounds: int = option(50, label="Rounds", help="How often the server averages.", unit="rounds", low=1)
    clients_per_round: int = option(
        10, label="Clients", help="Devices selected per round; with Poisson selection their expected number.", low=1
    )
    local_epochs: int = option(1, label="Local epochs", help="Passes of a device over its own examples.", low=1)
    batch_size: int = option(
        10, label="Batch size", help="Examples per local step; a device with fewer takes all of its own.", low=1
    )
    optimizer: str = option(
        "sgd",
        label="Client optimizer",
        help="What a device steps with. Its state is fresh in every round: devices keep nothing between rounds.",
        values=("sgd", "adam"),
    )
    learning_rate: float = option(0.1, label="Learning rate", help="Step size of the devices.", above=0)
    momentum: float = option(0.0, label="Momentum", help="Momentum of the devices' SGD.", low=0, high=1)
    proximal: float = option(
        0.0, label="μ", help="FedProx: (μ/2)‖w − w_t‖² is added to every device's loss; 0 is FedAvg.", low=0
    )
    weighting: str = option(
        "examples",
        label="Weights",
        help="Weight of a device's update: its examples, the same for all, or examples over its chance to be selected, "
        "as they are (Horvitz–Thompson) or summing to 1 (Hájek).",
        values=WEIGHTINGS,
    )
    server: ServerConfig = field(default_factory=ServerConfig)
    drop_out: float = option(
        0.0, label="Drop-outs", help="Chance that a device's update is lost on the way.", low=0, high=1
    )
    straggler_rate: float = option(
        0.0, label="Stragglers", help="Chance that a device is slow in a round.", low=0, high=1
    )
    stragglers: str = option(
        "partial",
        label="Slow devices",
        help="partial: a slow device sends what it has after a random share of its steps. drop: it is too late.",
        values=("partial", "drop"),
    )
    clip_norm: float | None = option(
        None, label="C", help="DP-FedAvg: largest L2 norm that a device's update keeps; None clips nothing.", above=0
    )
    noise_multiplier: float = option(
        0.0, label="σ", help="DP-FedAvg: noise of σ·C on the sum of updates; 0 promises nothing.", low=0
    )
    delta: float = option(1e-5, label="δ", help="Chance that the ε guarantee fails; well below 1/devices.", above=0)
    evaluate_every: int = option(1, label="Measure every", help="Rounds between measurements.", unit="rounds", low=1)
    engine: str = option(
        "auto",
        label="Engine",
        help="stacked trains all devices of a round at once, sequential one by one; auto stacks where that is exact.",
        values=("auto", "stacked", "sequential"),
    )
    seed: int = option(0, label="Seed", help="Seed of selection, minibatches, drop-outs and noise.", low=0)


def check_config(config: FederatedConfig, devices: int) -> None:
    """Refuse options outside their range, and combinations that mean nothing or promise something unknown.

    Raises
    ------
    ValueError
        At once, before any work.
    """
    check(config)
    check(config.server)
    if config.momentum and config.optimizer != "sgd":
        raise ValueError(
            f"Expected momentum=0 with optimizer={config.optimizer!r}, got {config.momentum:g}. It is an option of "
            "'sgd'; Adam has its own averages."
        )
    if config.noise_multiplier and config.clip_norm is None:
        raise ValueError(
            f"Expected clip_norm with noise_multiplier={config.noise_multiplier:g}, got None. Noise is measured "
            "against the largest update a device can send: without a bound there is none."
        )
    if config.clip_norm is not None and config.weighting != "equal":
        raise ValueError(
            f"Expected weighting='equal' with clip_norm={config.clip_norm:g}, got {config.weighting!r}. Other weights "
            "let a device move the sum by more than C, or publish how much it has: no ε is known for them."
        )
    if config.clip_norm is not None and config.delta >= 1 / devices:
        raise ValueError(
            f"Expected delta={config.delta:g} < 1/devices = {1 / devices:.2g}. With δ ≥ 1/N, publishing one whole "
            "device at random would count as private."
        )
