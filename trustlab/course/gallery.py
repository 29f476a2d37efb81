"""Every panel and toy of the course by a short name: what the site, tests and benchmarks go through."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from trustlab.course import partition_panel, promise
from trustlab.course.n00_start_here import panel as n00
from trustlab.course.n10_what_epsilon_promises import panel as n10
from trustlab.course.n11_dp_sgd_vs_edp_sgd import panel as n11
from trustlab.course.n11_dp_sgd_vs_edp_sgd import toy as n11_toy
from trustlab.course.n12_membership_inference import panel as n12
from trustlab.course.n12_membership_inference import toy as n12_toy
from trustlab.course.n13_canary_extraction import panel as n13
from trustlab.course.n13_canary_extraction import toy as n13_toy
from trustlab.course.n14_private_text import panel as n14
from trustlab.course.n14_private_text import toy as n14_toy
from trustlab.course.n20_one_round_of_fedavg import toy as n20_toy
from trustlab.course.n21_non_iid_partitioning import panel as n21
from trustlab.course.n21_non_iid_partitioning import toy as n21_toy
from trustlab.course.n22_device_selection import panel as n22
from trustlab.course.n22_device_selection import story as n22_story
from trustlab.course.n22_device_selection import toy as n22_toy
from trustlab.course.n23_continual_learning import panel as n23
from trustlab.course.n23_continual_learning import toy as n23_toy
from trustlab.course.n24_fednlp_benchmark import panel as n24
from trustlab.course.n25_beyond_one_machine import live as n25_live
from trustlab.course.n25_beyond_one_machine import panel as n25
from trustlab.course.n25_beyond_one_machine import toy as n25_toy
from trustlab.course.n30_one_gap_by_hand import toy as n30_toy
from trustlab.course.n31_fairness_metrics import panel as n31
from trustlab.course.n31_fairness_metrics import toy as n31_toy
from trustlab.course.n32_prediction_sensitivity import panel as n32
from trustlab.course.n32_prediction_sensitivity import toy as n32_toy
from trustlab.course.n33_role_reversal import panel as n33
from trustlab.course.n33_role_reversal import toy as n33_toy
from trustlab.lab.panel import Panel

if TYPE_CHECKING:
    import datasets

EMBEDDED = "assistant"


@functools.cache
def corpus() -> datasets.DatasetDict:
    """Return the embedded corpus."""
    from trustlab.data import load

    return load(EMBEDDED)


def fleet() -> Panel:
    """Return the panel of partitions, of the embedded corpus."""
    return partition_panel.partition_panel(corpus()["train"]["intent"], "the embedded corpus")


# Toys are computed as they are moved, and follow the hand.
TOYS: dict[str, Callable[[], Panel]] = {
    "10 promise": promise.promise_panel,
    "11 clipping": n11_toy.clipping_toy,
    "12 exposed": n12_toy.exposed_toy,
    "13 wheels": n13_toy.wheels_toy,
    "14 hiding": n14_toy.hiding_toy,
    "20 town": n20_toy.town_toy,
    "21 Dirichlet": n21_toy.dirichlet_toy,
    "22 weights": n22_toy.selection_toy,
    "23 following": n23_toy.continual_toy,
    "25 masks": n25_toy.masks_toy,
    "30 loans": n30_toy.loan_toy,
    "31 effect size": n31_toy.association_toy,
    "32 bias": n32_toy.bias_toy,
    "33 two predictions": n33_toy.reversal_toy,
}
PANELS: dict[str, Callable[[], Panel]] = {
    "00 first picture": n00.first_picture,
    "10 game": n10.Game,
    "11 budget": lambda: n11.budget_panel(corpus(), EMBEDDED),
    "12 attacks": lambda: n12.attack_panel(corpus()),
    "13 canary": lambda: n13.canary_panel(corpus()),
    "14 words": n14.words_panel,
    "21 fleet": fleet,
    "21 skew": lambda: n21.skew_panel(corpus(), EMBEDDED),
    "22 selection": lambda: n22.selection_panel(corpus(), EMBEDDED),
    "22 story": lambda: n22_story.story_panel(corpus()),
    "23 continual": n23.continual_panel,
    "24 benchmark": lambda: n24.fednlp_panel(corpus()),
    "25 needs": n25.needs_panel,
    "25 Flower": n25_live.flower_panel,
    "31 agreement": n31.agreement_panel,
    "31 dose": lambda: n31.dose_panel(corpus()),
    "32 sentence": n32.sensitivity_panel,
    "33 reversal": n33.reversal_panel,
}
ALL = {**TOYS, **PANELS}
