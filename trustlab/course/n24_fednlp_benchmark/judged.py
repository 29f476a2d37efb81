"""Which differences notebook 24 uses as evidence, and how it says why the others are not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trustlab.lab.display import per_cent

Line = dict[str, Any]
WHY = ("better", "trivial", "lost")  # what decides: both levels, and how many trainings were lost


def judged(line: Line) -> bool:
    """Return whether a difference is evidence: its better training is above what is trivial, and none was lost.

    Parameters
    ----------
    line
        ``better``, the mean score of the better of both trainings; ``trivial``, the best trivial baseline's; ``lost``,
        how many of the trainings ended below half of the best of the same setting.

    Examples
    --------
    >>> judged({"better": 0.6, "trivial": 0.5, "lost": 0}), judged({"better": 0.6, "trivial": 0.5, "lost": 1})
    (True, False)
    """
    return line["better"] >= line["trivial"] and not line["lost"]


def unused(lines: Sequence[Line]) -> list[Line]:
    """Return ``claim`` and :data:`WHY` of the lines that are not judged."""
    return [{"claim": line["row"]["claim"], **{name: line[name] for name in WHY}} for line in lines if not judged(line)]


def why_not(lines: Sequence[Line], where: str = "") -> str:
    """Say which of the lines of :func:`unused` are not judged, and for which of both reasons.

    Examples
    --------
    >>> why_not([{"claim": "(a) qa: FedAvg loses", "better": 0.6, "trivial": 0.5, "lost": 2}])
    'Not judged because trainings were lost (below half of the best of their setting): (a) qa (2 lost).'
    """
    below = [
        f"{_named(line['claim'])} ({per_cent(line['better'])} against {per_cent(line['trivial'])})"
        for line in lines
        if line["better"] < line["trivial"]
    ]
    lost = [f"{_named(line['claim'])} ({line['lost']} lost)" for line in lines if line["better"] >= line["trivial"]]
    reasons = {
        "because the better of both trainings stays below the best trivial baseline": below,
        "because trainings were lost (below half of the best of their setting)": lost,
    }
    said = [f"Not judged{where} {reason}: {'; '.join(names)}." for reason, names in reasons.items() if names]
    return " ".join(said)


def _named(claim: str) -> str:
    """Return a lettered claim by its letter and task, and one of ours in full."""
    return claim if claim.startswith("(Ours)") else claim.split(":")[0]
