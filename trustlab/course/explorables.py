"""The panels of the course that become pages of the site, in the course's order."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trustlab.course import promise
from trustlab.course.budgets import DELTA
from trustlab.course.gallery import ALL
from trustlab.course.n00_start_here import panel as n00
from trustlab.course.n11_dp_sgd_vs_edp_sgd import toy as n11_toy
from trustlab.course.n22_device_selection import toy as n22_toy
from trustlab.federated.expectation import HEAVY
from trustlab.lab.figures import PALETTE
from trustlab.lab.panel import Panel
from trustlab.site.page import Explorable
from trustlab.site.states import themed
from trustlab.site.writing import Chapter, write
from trustlab.versions import ROOT

OUT = ROOT / "docs" / "explore"
TITLE = "Trustworthy language models, by hand"
LEAD = (
    "Move a slider and see what privacy, a skewed fleet of clients or a planted bias does to a model. Every picture "
    "comes from the course's notebooks; nothing is sent anywhere, and the pages work without a network."
)


def _given_promise(panel: Panel) -> dict[str, Any]:
    """Return what the script of the promise reads."""
    return {"delta": DELTA, "most": promise.MOST, "colours": themed(PALETTE[:2])}


def _given_clipping(panel: Panel) -> dict[str, Any]:
    """Return what the script of the clipping toy reads: the same gradients and draws as the panel's."""
    return {
        "colours": themed([n11_toy.OTHERS, n11_toy.ANNA]),
        "others": n11_toy.others().tolist(),
        "direction": n11_toy.anna(1.0).tolist(),
        "draws": panel.drawing.draws.tolist(),
    }


def _given_weights(panel: Panel) -> dict[str, Any]:
    """Return what the script of the expected weights reads."""
    markers = ["o", "s", "^"]
    named = {"ways": n22_toy.WAYS, "devices": n22_toy.DEVICES, "heavy": HEAVY}
    return {**named, "colours": themed(PALETTE[: len(markers)]), "markers": markers}


START = (
    Explorable(
        "00-first-picture",
        "00_start_here",
        "An assistant learns under a privacy budget ε. Lower it, and see which sentences it still understands.",
        lambda: n00.first_picture(typed=False),
    ),
)

PRIVACY = (
    Explorable(
        "10-promise",
        "10_what_epsilon_promises",
        "ε is a promise about bets: how often can someone who wants to know whether you took part be right?",
        ALL["10 promise"],
        script=Path(promise.__file__).with_suffix(".js"),
        given=_given_promise,
    ),
    Explorable(
        "11-clipping",
        "11_dp_sgd_vs_edp_sgd",
        "Clip one person's gradient, add noise, and see whether an attacker can tell that she took part.",
        ALL["11 clipping"],
        script=Path(n11_toy.__file__).with_suffix(".js"),
        given=_given_clipping,
    ),
    Explorable(
        "11-privacy-budget",
        "11_dp_sgd_vs_edp_sgd",
        "The same promise by six ways to train, each tuned: what does it reach, and in how many seconds?",
        ALL["11 budget"],
    ),
    Explorable(
        "12-exposed",
        "12_membership_inference",
        "A few members are exposed. The AUC hardly moves, and an attacker finds nearly all of them.",
        ALL["12 exposed"],
    ),
    Explorable(
        "12-attacks",
        "12_membership_inference",
        "Attack models with and without privacy: how many members are found, and how many would ε permit?",
        ALL["12 attacks"],
    ),
    Explorable(
        "13-wheels",
        "13_canary_extraction",
        "A lock of four wheels: how many guesses does an attacker need, and when do they know a digit?",
        ALL["13 wheels"],
    ),
    Explorable(
        "13-canary",
        "13_canary_extraction",
        "A pin was in the training data. Choose a defence, and see how many guesses the model still saves.",
        ALL["13 canary"],
    ),
    Explorable(
        "14-hiding",
        "14_private_text",
        "Hide a word among its neighbours: the smaller ε, the farther the noise carries it.",
        ALL["14 hiding"],
    ),
    Explorable(
        "14-words",
        "14_private_text",
        "Four mechanisms rewrite a sentence word by word. What is kept, and what does an attacker recover?",
        ALL["14 words"],
        only={"draw": (0,)},
    ),
)

FEDERATED = (
    Explorable(
        "20-one-round",
        "20_one_round_of_fedavg",
        "Twelve clients train, send their models and are averaged. Take one client's data away.",
        ALL["20 town"],
        only={"without": ("nobody", "Ada", "Irma")},
    ),
    Explorable(
        "21-label-distributions",
        "21_non_iid_partitioning",
        "Three labels, 300 clients. One number, α, decides how alike their data are.",
        ALL["21 Dirichlet"],
    ),
    Explorable(
        "21-partition",
        "21_non_iid_partitioning",
        "Three libraries call their number α and mean different fleets.",
        ALL["21 fleet"],
        only={"seed": (0,), "clients": (10, 30, 100)},
    ),
    Explorable(
        "21-skew",
        "21_non_iid_partitioning",
        "The more clients differ, the less federated averaging learns in 100 rounds.",
        ALL["21 skew"],
    ),
    Explorable(
        "22-expected-weights",
        "22_device_selection",
        "A tenth of the devices has half of the data. How much of the model is theirs?",
        ALL["22 weights"],
        script=Path(n22_toy.__file__).with_suffix(".js"),
        given=_given_weights,
        ranges={"beta": (0.0, 2.0, 0.01), "exponent": (0.0, 1.2, 0.01), "cohort": (1, 100, 1)},
    ),
    Explorable(
        "22-selection",
        "22_device_selection",
        "Ask active clients more often, each selection at its own step: who gains, and what?",
        ALL["22 selection"],
        only={"strategy": ("power",)},
    ),
    Explorable(
        "23-toy",
        "23_continual_learning",
        "One number follows a target that moves. What is left of where the target was?",
        ALL["23 following"],
    ),
    Explorable(
        "23-continual-learning",
        "23_continual_learning",
        "New data arrive, old data are deleted, and what people say changes. What does the model still know?",
        ALL["23 continual"],
    ),
    Explorable(
        "24-fednlp",
        "24_fednlp_benchmark",
        "Four algorithms, four kinds of tasks, five ways to divide the data. Does one win everywhere?",
        ALL["24 benchmark"],
    ),
)

FAIRNESS = (
    Explorable(
        "30-one-gap",
        "30_one_gap_by_hand",
        "One decision, two groups: move the threshold and count who gets a loan.",
        ALL["30 loans"],
    ),
    Explorable(
        "31-effect-size",
        "31_fairness_metrics",
        "Move two groups of words apart: the effect size stops growing long before the difference does.",
        ALL["31 effect size"],
    ),
    Explorable(
        "31-agreement",
        "31_fairness_metrics",
        "Six metrics look inside a model, eight at what it decides. Do they rank 45 models alike?",
        ALL["31 agreement"],
        only={"method": ("Spearman",), "setting": ("another notion, biased records", "same notion, clean records")},
    ),
    Explorable(
        "31-planted-bias",
        "31_fairness_metrics",
        "The bias was planted, so we know that it is there. Watch which metrics notice.",
        ALL["31 dose"],
    ),
    Explorable(
        "33-two-predictions",
        "33_role_reversal",
        "A teacher reads a text, and the same text with genders swapped. What does its student learn from both?",
        ALL["33 two predictions"],
    ),
)

CHAPTERS = (
    Chapter("Start here", START),
    Chapter("Privacy", PRIVACY),
    Chapter("Federated learning", FEDERATED),
    Chapter("Fairness", FAIRNESS),
)


def write_site(out: Path = OUT) -> Iterator[dict[str, Any]]:
    """Write the course's site; yield a row for each page, see :func:`trustlab.site.writing.write`."""
    with without_own_runs():
        yield from write(CHAPTERS, out, title=TITLE, lead=LEAD)


@contextlib.contextmanager
def without_own_runs() -> Iterator[None]:
    """Give panels an empty run store meanwhile: visitors see saved results, not the site's author's."""
    before = os.environ.get("TRUSTLAB_RUNS")
    with tempfile.TemporaryDirectory() as empty:
        os.environ["TRUSTLAB_RUNS"] = empty
        try:
            yield
        finally:
            os.environ.pop("TRUSTLAB_RUNS")
            if before is not None:
                os.environ["TRUSTLAB_RUNS"] = before
