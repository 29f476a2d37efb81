"""Claims of notebook 25: what grows with the devices, and what does not."""

from __future__ import annotations

from typing import Any

from trustlab.course.n25_beyond_one_machine.results import MOST, at
from trustlab.federated.deployment_costs import expansion, neighbours
from trustlab.lab.display import number

FEW = 10_000
SETUP = "100 of so many devices, 40 examples each, five fresh processes, one thread"


def claims_of() -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`."""
    return [*_rounds(), *_selection(), *_papers()]


def _rounds() -> list[dict[str, Any]]:
    few, many = at("simulation", FEW, "seconds again"), at("simulation", MOST, "seconds again")
    return [
        {
            "claim": "(Ours) A later round with ten million registered devices takes less than three times one with "
            "ten thousand",
            "values": [after / before for after, before in zip(many, few, strict=True)],
            "below": 3.0,
            "setup": SETUP,
            "unless": "a design that looks at every device in each draw",
        },
    ]


def _selection() -> list[dict[str, Any]]:
    return [
        {
            "claim": "(Ours) Selection holds less than 64 bytes of a device (ten million devices)",
            "values": [megabytes * 1e6 / MOST for megabytes in at("selection", MOST, "megabytes")],
            "below": 64.0,
            "unit": "bytes",
            "setup": "Pareto activity, Poisson design, five fresh processes",
        },
        {
            "claim": "(Ours) A draw of 1,000 out of ten million devices takes less than 50 ms",
            "values": [1e3 * seconds for seconds in at("selection", MOST, "seconds again")],
            "below": 50.0,
            "unit": "ms",
            "setup": "one thread, the processor's time",
        },
    ]


def _papers() -> list[dict[str, Any]]:
    return [
        {
            "claim": "SecAgg's expansion is 1.73 for 2^10 devices and 2^20 numbers, 1.98 for 2^14 and 2^24 "
            "(Bonawitz et al. 2017)",
            "measured": f"{number(expansion(2**10, 2**20), 3)} and {number(expansion(2**14, 2**24), 3)}",
            "holds": round(expansion(2**10, 2**20), 2) == 1.73 and round(expansion(2**14, 2**24), 2) == 1.98,
            "setup": "formulas, values of 16 bits",
        },
        {
            "claim": "SecAgg+ sums a billion devices with fewer neighbours each than SecAgg needs for a thousand "
            "(Bell et al. 2020)",
            "measured": f"{neighbours(10**9, 1 / 3, 1 / 3)} and 999",
            "holds": neighbours(10**9, 1 / 3, 1 / 3) < 999,
            "setup": "formulas, a third corrupt, a third lost; devices and server follow the protocol",
        },
    ]
