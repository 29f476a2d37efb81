"""Private training: accounting, clipping, and the training loop that uses both."""

from trustlab.privacy.accounting import epsilon, noise_multiplier_for
from trustlab.privacy.clipping import Norms, private_gradients
from trustlab.privacy.methods import SENSITIVITY
from trustlab.privacy.noise_schedules import decayed
from trustlab.privacy.statement import PrivacyStatement, statement
from trustlab.privacy.training import TrainConfig, train

__all__ = [
    "SENSITIVITY",
    "Norms",
    "PrivacyStatement",
    "TrainConfig",
    "decayed",
    "epsilon",
    "noise_multiplier_for",
    "private_gradients",
    "statement",
    "train",
]
