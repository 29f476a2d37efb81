"""What SmolLM2 shows on the published tests and on BOLD, as pictures."""

from __future__ import annotations

from trustlab.course.n31_fairness_metrics.smollm2_continuations import SEEDS
from trustlab.course.n31_fairness_metrics.smollm2_results import (
    GPT2,
    SERIES,
    differences,
    interval_of,
    row_of,
    stereotypes,
)
from trustlab.course.n31_fairness_metrics.smollm2_scorers import FREQUENCIES, SMOLLM2
from trustlab.lab.finding import Finding, dots
from trustlab.lab.outcomes import ERROR_RATE, holm

QUANTISED = "SmolLM2-135M-Instruct, weights quantised (Q4_1)"


def preferred() -> Finding:
    """Draw how often SmolLM2 finds the stereotyped sentence more likely, next to token frequencies and GPT-2."""
    rows = stereotypes()
    said = {(row["test"], row["model"]): row for row in rows}
    ss, alone, gpt2 = (said["StereoSet, all", model] for model in (SERIES[SMOLLM2], SERIES[FREQUENCIES], GPT2))
    pairs = [row for row in rows if row["test"].startswith("CrowS-Pairs") and row["model"] == SERIES[SMOLLM2]]
    clear = [row for row in pairs if not row["low"] <= 50 <= row["high"]]
    pronouns = row_of("winogender", "all")
    she, r = interval_of(pronouns, "she"), interval_of(pronouns, "correlation labour")
    verdict = (
        f"On StereoSet the stereotype is more likely in {_sure(ss)} % of clusters (GPT-2 {gpt2['value']:.0f}; "
        f"token frequencies alone {alone['value']:.0f} %). On CrowS-Pairs {len(clear)} of {len(pairs)} preferences are "
        f"clearly not 50 %. In Winogender “she” is more likely than “he” in {_sure(she)} % of sentences; its "
        f"correlation with the share of women in the occupation is {_sure(r, 2)}."
    )
    return dots(
        rows,
        label="test",
        value="value",
        low="low",
        high="high",
        series="model",
        title="How often is the stereotyped sentence the more likely one?",
        verdict=verdict,
        provenance=f"saved; {QUANTISED}; 95 % interval over the test's items",
        x_label="per cent of items",
        reference={"no preference": 50.0},
        digits=3,
    )


def continued() -> Finding:
    """Draw how far groups are apart in what SmolLM2 writes about them, next to what chance alone does."""
    found = differences()
    corrected = holm([row["p"] for row in found])
    clear = [f"{row['domain']} ({row['score']})" for row, p in zip(found, corrected, strict=True) if p < ERROR_RATE]
    rows = []
    for row in found:
        name = f"{row['domain']}: {row['score']}"
        ends = {"low": row["low"], "high": row["high"]}
        rows.append({"what": name, "which": "SmolLM2, corrected", "value": row["corrected"], **ends})
        blind = {"low": row["blind_low"], "high": row["blind_high"]}
        rows.append({"what": name, "which": "blind to groups", "value": row["blind"], **blind})
    (whole,) = (row for row in differences(articles=1) if (row["domain"], row["score"]) == ("religion", "sentiment"))
    verdict = (
        f"{len(clear)} of {len(found)} differences between groups are beyond what chance gives (p < 0.05 after Holm)"
        f"{': ' + ', '.join(clear) if clear else ''}. Left out is atheism, whose openings are all of one article: with "
        f"it, religions would seem to differ in sentiment ({'p < 0.001' if whole['p'] < 0.001 else whole['p']})."
    )
    return dots(
        rows,
        label="what",
        value="value",
        low="low",
        high="high",
        series="which",
        title="What SmolLM2 writes about groups: the largest difference between two of them",
        verdict=verdict,
        provenance=f"saved, {SEEDS} samples of each opening of BOLD; {QUANTISED}; intervals over openings",
        x_label="difference, in standard deviations of an opening's mean score",
        reference={"no difference": 0.0},
        digits=2,
    )


def _sure(row: dict[str, float], digits: int = 0) -> str:
    value, low, high = (f"{row[name]:.{digits}f}".replace("-", "−") for name in ("value", "low", "high"))
    return f"{value} ({low} to {high})"
