"""The tables of notebook 25 as pictures: how time and memory grow with the devices, and where each engine ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trustlab.lab.display import Display, number, table
from trustlab.lab.finding import Finding, lines
from trustlab.lab.saved import read

if TYPE_CHECKING:
    import pandas

SCALING = "scaling"
MOST = 10_000_000
# The rows of the table, in the order of the story.
PARTS = ("selection", "partition, sizes", "partition, labels", "accounting, system", "accounting, each", "simulation")
ENGINES = (
    {
        "engine": "one process, clients stacked",
        "runs": "simulate(…)",
        "use it for": "research: thousands of rounds, up to ten million registered devices",
        "it ends": "when a cohort's models do not fit into memory; it sends nothing, so nothing can be lost",
    },
    {
        "engine": "sweep on processes, Dask, Ray",
        "runs": "sweep(function, configs)",
        "use it for": "many trainings: seeds, rates, methods",
        "it ends": "with the slowest single training: one training is never divided",
    },
    {
        "engine": "torchrun",
        "runs": "torchrun --nproc-per-node",
        "use it for": "one large private training on several GPUs or machines",
        "it ends": "at one cluster: all workers are yours, and see their data",
    },
    {
        "engine": "Flower, simulation",
        "runs": "flwr run, local",
        "use it for": "trying a deployment's own code without its network",
        "it ends": "at the seconds that a message between processes costs",
    },
    {
        "engine": "Flower, deployment",
        "runs": "flower-superlink, flower-supernode",
        "use it for": "other people's machines, TLS, sums that hide their parts",
        "it ends": "at one server: every update of a round passes through it",
    },
)


def measured() -> pandas.DataFrame:
    """Return the repetitions that were made; a size that was not tried has no seconds."""
    found = read(SCALING)[0]
    return found[found["repetition"] >= 0]


def at(part: str, devices: int, column: str = "seconds") -> list[float]:
    """Return one measure of all repetitions of a part at a size.

    Examples
    --------
    >>> len(at("selection", 10_000))
    5
    """
    found = measured()
    chosen = found[(found["part"] == part) & (found["devices"] == devices)]
    return [float(value) for value in chosen[column]]


def medians(column: str) -> list[dict[str, Any]]:
    """Return the median of one measure for each part and size, in the order of the parts."""
    grouped = measured().groupby(["part", "devices"])[column].median()
    return [
        {"part": part, "devices": int(devices), column: float(value)}
        for part in PARTS
        for (name, devices), value in grouped.items()
        if name == part
    ]


def growth() -> tuple[Finding, Finding]:
    """Draw seconds and megabytes over the number of devices."""
    seconds = {row["part"]: row["seconds"] for row in medians("seconds") if row["devices"] == MOST}
    memory = {row["part"]: row["megabytes"] for row in medians("megabytes") if row["devices"] == MOST}
    ended = [part for part in PARTS if part not in seconds]
    told = f". Not tried there: {'; '.join(map(_why, ended))}" if ended else ""
    slowest = max(seconds, key=lambda part: seconds[part])
    heaviest = max(memory, key=lambda part: memory[part])
    provenance = f"saved, medians of 5 fresh processes, one thread, {read(SCALING)[1]['config']['processor']}"
    return (
        lines(
            medians("seconds"), x="devices", y="seconds", series="part", log=True, log_y=True,
            x_label="registered devices", y_label="seconds",
            title="How long does it take?", provenance=provenance,
            verdict=f"At {number(MOST)} devices a selector is set up in {number(seconds['selection'], 2)} s; the "
            f"longest, {slowest}, takes {number(seconds[slowest], 2)} s{told}.",
        ),
        lines(
            medians("megabytes"), x="devices", y="megabytes", series="part", log=True, log_y=True,
            x_label="registered devices", y_label="megabytes",
            title="How much memory does it take?", provenance=provenance,
            verdict=f"At {number(MOST)} devices selection takes {number(memory['selection'], 2)} MB, "
            f"{number(memory['selection'] * 1e6 / MOST, 2)} bytes a device; the most is {number(memory[heaviest], 2)} "
            f"MB, for {heaviest}.",
        ),
    )  # fmt: skip


def _why(part: str) -> str:
    """Return why the largest size of a part was not tried, as its row says it."""
    found = read(SCALING)[0]
    (note,) = found[(found["part"] == part) & (found["repetition"] < 0)]["note"]
    return f"{part} ({str(note).removeprefix('not tried: ')})"


def engines() -> Display:
    """Show where each engine ends."""
    return table([dict(engine) for engine in ENGINES])
