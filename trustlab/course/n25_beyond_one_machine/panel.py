"""The panel of notebook 25: what one round of a deployment needs, for five choices and three ways to add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trustlab.config import option
from trustlab.course.n25_beyond_one_machine.drawing import NeedsDrawing, sized
from trustlab.federated.deployment_costs import PLAIN, SECAGG, SECAGG_PLUS, Deployment, needs
from trustlab.lab.display import duration, number, per_cent
from trustlab.lab.panel import Answer, Panel
from trustlab.lab.saved import read, remembered

PAYLOADS = "payloads"
DEVICES = (10_000, 100_000, 1_000_000, 10_000_000)
COHORTS = (100, 1000, 10_000)
UPLOADS = (1.0, 10.0, 100.0)
LOSSES = (0.0, 0.05, 0.1, 0.3)
WAYS = (PLAIN, SECAGG, SECAGG_PLUS)
MODELS = ("linear head", "BiLSTM", "transformer", "MiniLM")
NAMES = {
    "linear head": "linear head on a frozen encoder",
    "BiLSTM": "BiLSTM",
    "transformer": "transformer",
    "MiniLM": "the encoder itself (MiniLM)",
}


@dataclass(frozen=True)
class NeedsPosition:
    """The position of the panel."""

    devices: int = option(1_000_000, label="Devices", help="Registered with the server.", values=DEVICES)
    cohort: int = option(1000, label="Cohort", help="Devices selected in a round.", values=COHORTS)
    model: str = option("transformer", label="Model", help="What a device trains and sends.", values=MODELS)
    upload: float = option(10.0, label="Upload", help="Of a device; it downloads five times as fast.", unit="Mbit/s",
                           values=UPLOADS)  # fmt: skip
    drop_out: float = option(0.1, label="Drop-out", help="Share of the cohort that is lost in a round.", values=LOSSES)


def needs_panel() -> Panel:
    """Return the panel.

    Examples
    --------
    >>> needs_panel().set(model="linear head").numbers["server memory"].astype(int).tolist()
    [16123926, 80059926, 18939926]
    """
    return Panel(
        NeedsPosition(),
        title="What does one round of a deployment need?",
        drawing=NeedsDrawing(WAYS),
        answer=answer,
        controls={
            "devices": [(f"{count:,}", count) for count in DEVICES],
            "cohort": [(f"{count:,}", count) for count in COHORTS],
            "model": None,
            "upload": [(f"{speed:g} Mbit/s", speed) for speed in UPLOADS],
            "drop_out": [(per_cent(share), share) for share in LOSSES],
        },
        code="needs_panel()",
    )


def deployment(at: NeedsPosition, way: str = PLAIN) -> Deployment:
    """Return the deployment at a position, its message as large as Flower's of that model was measured to be."""
    table, _ = read(PAYLOADS)
    (row,) = table[table["model"] == NAMES[at.model]].to_dict("records")
    return Deployment(
        devices=at.devices,
        cohort=at.cohort,
        parameters=int(row["parameters"]),
        payload=int(row["Flower"]),
        drop_out=at.drop_out,
        up=at.upload,
        down=5 * at.upload,
        aggregation=way,
    )


@remembered
def answer(at: NeedsPosition) -> Answer:
    """Compute what a round needs, without a secure sum and with two kinds of it."""
    found = {way: needs(deployment(at, way)) for way in WAYS}
    rows: list[dict[str, Any]] = [
        {
            "aggregation": way,
            "messages": each.messages,
            "traffic": each.bytes_down + each.bytes_up,
            "seconds": each.seconds,
            "server memory": each.server_memory,
            "server masks": each.server_masks,
            "neighbours": each.neighbours,
            "sent by a device": each.device_up,
        }
        for way, each in found.items()
    ]
    plain, full, sparse = found.values()
    verdict = (
        f"A round of {number(at.cohort)} devices moves {sized(plain.bytes_down + plain.bytes_up)} and takes at least "
        f"{duration(plain.seconds)}, {duration(deployment(at).training)} of it training. For a sum that hides its "
        f"parts, the server makes {sized(full.server_masks)} of masks if each device shares one with all others, and "
        f"{sized(sparse.server_masks)} with {sparse.neighbours} neighbours each."
    )
    return Answer(rows, verdict, "computed here, from messages of Flower as measured", focus={"aggregation": PLAIN})
