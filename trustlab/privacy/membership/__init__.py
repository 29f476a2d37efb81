"""Membership inference: was this example in the training? Attacks, how well they do, and what a guarantee permits.

>>> import numpy as np
>>> from trustlab.privacy.membership import Evidence, attack, success
>>> members = np.arange(200) < 100
>>> losses = np.where(members, 0.1, 0.5) + np.random.default_rng(0).exponential(size=200)
>>> success(attack("loss", Evidence(losses)), members, fprs=(0.1,))[0]["measure"]
'auc'
"""

from trustlab.privacy.membership.attack_inputs import member_mask
from trustlab.privacy.membership.attacks import ATTACKS, Evidence, attack, halves
from trustlab.privacy.membership.lira import lira
from trustlab.privacy.membership.permitted_curve import Permitted, above, permitted
from trustlab.privacy.membership.quantile import quantile_regression
from trustlab.privacy.membership.rmia import rmia
from trustlab.privacy.membership.roc import Curve, hull, roc, success
from trustlab.privacy.membership.signals import from_logits, from_losses
from trustlab.privacy.membership.users import user_losses

__all__ = [
    "ATTACKS",
    "Curve",
    "Evidence",
    "Permitted",
    "above",
    "attack",
    "from_logits",
    "from_losses",
    "halves",
    "hull",
    "lira",
    "member_mask",
    "permitted",
    "quantile_regression",
    "rmia",
    "roc",
    "success",
    "user_losses",
]
