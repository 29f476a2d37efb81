"""The pictures of SmolLM2's students in notebook 33: what reversal does where the world is not generated."""

from __future__ import annotations

from typing import Any

from trustlab.course.n33_role_reversal.smollm2_distillation import SEEDS, TEACHER
from trustlab.course.n33_role_reversal.smollm2_students import BOTH, ELSEWHERE, PLAIN, beside_plain, comparison
from trustlab.lab.finding import Finding, dots

PROVENANCE = f"saved, seeds 0–{SEEDS - 1}, lines from the smallest to the largest; BOLD's Wikipedia texts"
Row = dict[str, Any]


def real_students() -> Finding:
    """Draw how far each student of SmolLM2 leans to a gender, from the smallest to the largest of its seeds."""
    rows = comparison()
    at = {row["model"]: row for row in rows}
    teacher, plain, both = (at[name] for name in (TEACHER, PLAIN, BOTH))
    lower = [row["model"] for row in rows if row["leaning high"] < plain["leaning low"]]
    apart = f"In all seeds below the plain one: {'; '.join(lower)}." if lower else "No student is below in all seeds."
    return dots(
        [{name: row[name] for name in row if not name.startswith("equity")} for row in rows],
        label="model",
        value="leaning",
        low="leaning low",
        high="leaning high",
        x_label="mean leaning of six professions to a gender, nats",
        title="And students of a real model?",
        verdict=f"SmolLM2 leans {teacher['leaning']:.1f} nats, the plain student {plain['leaning']:.1f}, with both "
        f"remedies {both['leaning']:.1f}. {apart} Perplexity: {teacher['perplexity']:.0f}, {plain['perplexity']:.0f} "
        f"and {both['perplexity']:.0f}: these students are weak.",
        provenance=PROVENANCE,
        digits=2,
    )


def real_students_elsewhere() -> Finding:
    """Draw how much of the plain student's leaning, association and decisions each other model has."""
    rows = beside_plain()
    said, weat, ceat, gap, flips = (
        next(row for row in rows if (row["model"], row["measured"]) == (BOTH, measured)) for measured in ELSEWHERE
    )
    return dots(
        rows,
        label="model",
        value="times plain",
        low="low",
        high="high",
        series="measured",
        x_label="times the plain student's, of the same seed",
        reference={"the plain student": 1.0},
        title="Do they keep what they no longer say?",
        verdict=f"With both remedies a student leans {said['times plain']:.2f} times as much as the plain one. WEAT is "
        f"{weat['times plain']:.2f} and CEAT {ceat['times plain']:.2f} times the plain one's. A classifier on its "
        f"states changes {100 * flips['value']:.1f} % of its answers when genders are swapped "
        f"({100 * flips['plain']:.1f} on the plain one's), and has a TPR gap of {gap['value']:.3f}, not "
        f"{gap['plain']:.3f}.",
        provenance=PROVENANCE,
        digits=2,
    )
