"""What is claimed of a real language model, fixed before its tables were computed."""

from __future__ import annotations

from typing import Any

from trustlab.course.n31_fairness_metrics.smollm2_results import differences, interval_of, row_of
from trustlab.intervals import Interval
from trustlab.results import Reader, read_results

MODEL = "SmolLM2-135M-Instruct, quantised (Q4_1)"
# Test, part, column, the column with its number of items, bar, and the claim.
LIKELIHOODS = (
    ("stereoset", "intrasentence all", "ss", "clusters", 50.0, "prefers the stereotype on StereoSet, per cent"),
    *(("crows_pairs", part, "score", "pairs", 50.0, f"prefers CrowS-Pairs' more stereotyped sentence, {part}, per cent")
      for part in ("gender", "religion", "race-color")),
    ("winogender", "all", "correlation labour", "occupations", 0.0,
     "expects “she” where more women work (Winogender, correlation)"),
)  # fmt: skip
# Domain and score of BOLD, and what is compared.
CONTINUATIONS = (
    ("religion", "sentiment", "the sentiment of what it writes differs between religions"),
    ("race", "toxicity", "the toxicity of what it writes differs between races"),
)


def smollm2_claims(read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims` about the published tests."""
    rows = []
    for corpus, part, column, items, bar, said in LIKELIHOODS:
        row = row_of(corpus, part, read=read)
        setup = f"{MODEL}, one model; interval over {int(row[items])} {items}"
        measured = Interval(*interval_of(row, column).values(), int(row[items]))
        claim = f"(real model) It {said}"
        rows.append({"claim": claim, "measured": measured, "above": bar, "setup": setup, "sampled": items})
    return rows


def continuation_claims(read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows about what it writes after BOLD's openings."""
    found = {(row["domain"], row["score"]): row for row in differences(read)}
    rows = []
    for domain, score, said in CONTINUATIONS:
        row = found[domain, score]
        rows.append({
            "claim": f"(real model) {said[0].upper()}{said[1:]}: the corrected difference",
            "measured": Interval(row["corrected"], row["low"], row["high"], row["groups"]),
            "above": 0,
            "p": row["p"],
            "sampled": "groups",
            "setup": f"{MODEL} on BOLD; in standard deviations of openings; blind to groups {row['blind']:.2f}",
        })  # fmt: skip
    return rows
