"""The picture of SmolLM2's students in notebook 33: what reversal does where the world is not generated."""

from __future__ import annotations

from typing import Any

from trustlab.course.n33_role_reversal.smollm2_distillation import SEEDS, STUDENTS, TEACHER
from trustlab.course.n33_role_reversal.smollm2_students import comparison
from trustlab.lab.finding import Finding, dots

PLAIN, *_, BOTH = STUDENTS
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
        provenance=f"saved, seeds 0–{SEEDS - 1}, lines from the smallest to the largest; BOLD's Wikipedia texts",
        digits=2,
    )
