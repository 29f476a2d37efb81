"""The panels of the course that become pages of the site, in the course's order."""

from __future__ import annotations

import contextlib
import functools
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trustlab.course import partition_panel
from trustlab.course.n00_start_here import panel as n00
from trustlab.course.n11_dp_sgd_vs_edp_sgd import panel as n11
from trustlab.course.n11_dp_sgd_vs_edp_sgd import toy as n11_toy
from trustlab.course.n21_non_iid_partitioning import panel as n21
from trustlab.course.n21_non_iid_partitioning import toy as n21_toy
from trustlab.course.n22_device_selection import panel as n22
from trustlab.course.n22_device_selection import toy as n22_toy
from trustlab.course.n23_continual_learning import panel as n23
from trustlab.course.n23_continual_learning import toy as n23_toy
from trustlab.course.n24_fednlp_benchmark import panel as n24
from trustlab.course.n31_fairness_metrics import panel as n31
from trustlab.course.n31_fairness_metrics import toy as n31_toy
from trustlab.federated.expectation import HEAVY
from trustlab.lab.figures import PALETTE
from trustlab.lab.panel import Panel
from trustlab.site.page import Explorable
from trustlab.site.writing import Chapter, write
from trustlab.versions import ROOT

if TYPE_CHECKING:
    import datasets

EMBEDDED = "assistant"
OUT = ROOT / "docs" / "explore"
TITLE = "Trustworthy language models, by hand"
LEAD = (
    "Move a slider and see what privacy, a skewed fleet of devices or a planted bias does to a model. Every picture comes "
    "from the course's notebooks; nothing is sent anywhere, and the pages work without a network."
)


@functools.cache
def corpus() -> datasets.DatasetDict:
    """Return the embedded corpus."""
    from trustlab.data import load

    return load(EMBEDDED)


def chapters() -> list[Chapter]:
    """Return the site's pages; no panel is made yet."""
    return [Chapter("Start here", _start()), Chapter("Privacy", _privacy()),
            Chapter("Federated learning", _federated()), Chapter("Fairness", _fairness())]  # fmt: skip


def _start() -> Sequence[Explorable]:
    return [
        Explorable(
            "00-first-picture",
            "00_start_here",
            "How much privacy can an assistant afford before it stops understanding you?",
            lambda: n00.first_picture(corpus()),
        )
    ]


def _privacy() -> Sequence[Explorable]:
    return [
        Explorable(
            "11-privacy-budget",
            "11_dp_sgd_vs_edp_sgd",
            "What a privacy budget costs, by method, clipping rule and noise decay.",
            lambda: n11.budget_panel(corpus(), EMBEDDED),
        ),
        Explorable(
            "11-clipping",
            "11_dp_sgd_vs_edp_sgd",
            "Clip one person's gradient, add noise, and see whether an attacker can tell that she took part.",
            n11_toy.clipping_toy,
            script=Path(n11_toy.__file__).with_suffix(".js"),
            given=_given_clipping,
        ),
    ]


def _given_clipping(panel: Panel) -> dict[str, Any]:
    """Return what the script of the clipping toy reads: the same gradients and draws as the panel's."""
    return {
        "colours": [n11_toy.OTHERS, n11_toy.ANNA],
        "others": n11_toy.others().tolist(),
        "direction": n11_toy.anna(1.0).tolist(),
        "draws": panel.drawing.draws.tolist(),
    }


def _given_weights(panel: Panel) -> dict[str, Any]:
    """Return what the script of the expected weights reads."""
    markers = ["o", "s", "^"]
    named = {"ways": n22_toy.WAYS, "devices": n22_toy.DEVICES, "heavy": HEAVY}
    return {**named, "colours": PALETTE[: len(markers)], "markers": markers}


def _federated() -> Sequence[Explorable]:
    return [
        Explorable(
            "21-label-distributions",
            "21_non_iid_partitioning",
            "Three labels, three hundred clients: what a Dirichlet distribution draws.",
            n21_toy.dirichlet_toy,
        ),
        Explorable(
            "21-partition",
            "21_non_iid_partitioning",
            "The same α means different fleets in three libraries.",
            lambda: partition_panel.partition_panel(corpus()["train"]["intent"], "the embedded corpus"),
            only={"seed": (0,)},
        ),
        Explorable(
            "21-skew",
            "21_non_iid_partitioning",
            "How much accuracy federated averaging loses when clients differ.",
            lambda: n21.skew_panel(corpus(), EMBEDDED),
        ),
        Explorable(
            "22-expected-weights",
            "22_device_selection",
            "Whom the average represents when active clients are asked more often.",
            n22_toy.selection_toy,
            script=Path(n22_toy.__file__).with_suffix(".js"),
            given=_given_weights,
            ranges={"beta": (0.0, 2.0, 0.01), "exponent": (0.0, 1.2, 0.01), "cohort": (1, 100, 1)},
        ),
        Explorable(
            "22-selection",
            "22_device_selection",
            "Asking the most active clients: who gains, and who is left behind.",
            lambda: n22.selection_panel(corpus(), EMBEDDED),
            only={"strategy": ("power",)},
        ),
        Explorable(
            "23-toy",
            "23_continual_learning",
            "One number follows a target that moves. What is left of where the target was?",
            n23_toy.continual_toy,
        ),
        Explorable(
            "23-continual-learning",
            "23_continual_learning",
            "Data arrive, drift and are deleted: what a model keeps, and what it forgets.",
            n23.continual_panel,
        ),
        Explorable(
            "24-fednlp",
            "24_fednlp_benchmark",
            "Four algorithms on four kinds of tasks and five partitions.",
            lambda: n24.fednlp_panel(corpus()),
        ),
    ]


def _fairness() -> Sequence[Explorable]:
    return [
        Explorable(
            "31-effect-size",
            "31_fairness_metrics",
            "A large effect size can come from a small difference.",
            n31_toy.association_toy,
        ),
        Explorable(
            "31-agreement",
            "31_fairness_metrics",
            "Do two fairness metrics rank models alike? Mostly not.",
            n31.agreement_panel,
            only={"method": ("Spearman",)},
        ),
        Explorable(
            "31-planted-bias",
            "31_fairness_metrics",
            "We planted the bias, so we know it is there. Which metric sees it?",
            lambda: n31.dose_panel(corpus()),
        ),
    ]


def write_site(out: Path = OUT) -> Iterator[dict[str, Any]]:
    """Write the course's site; yield a row for each page, see :func:`trustlab.site.writing.write`."""
    with _without_own_runs():
        yield from write(chapters(), out, title=TITLE, lead=LEAD)


@contextlib.contextmanager
def _without_own_runs() -> Iterator[None]:
    """Give panels an empty run store meanwhile: a visitor sees saved results, not those of whoever wrote the site."""
    before = os.environ.get("TRUSTLAB_RUNS")
    with tempfile.TemporaryDirectory() as empty:
        os.environ["TRUSTLAB_RUNS"] = empty
        try:
            yield
        finally:
            os.environ.pop("TRUSTLAB_RUNS")
            if before is not None:
                os.environ["TRUSTLAB_RUNS"] = before
