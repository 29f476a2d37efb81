"""What Cao et al. claim of fairness metrics, and what we add, read off the committed table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n31_fairness_metrics.alignment import SETTINGS, interval, mean_correlations
from trustlab.course.n31_fairness_metrics.correlation import needed
from trustlab.course.n31_fairness_metrics.dose import STEADY, Response, dose_response
from trustlab.course.n31_fairness_metrics.experiment import RECORDS, column, result_name
from trustlab.course.n31_fairness_metrics.extrinsic import EXTRINSIC
from trustlab.course.n31_fairness_metrics.intrinsic import INTRINSIC
from trustlab.course.n31_fairness_metrics.notions import NOTIONS
from trustlab.deprecation import old_names
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

# As comparisons find metrics and tasks. What another notion's doses are is unrelated to one's own by design.
ORIGINAL = {
    "another notion, biased records": "another notion, unrelated by design",
    "same notion, biased records": "same notion, biased records",
}


def claims_of(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.teaching.claims`, from the table of `corpus` that `read` finds."""
    table = read(result_name(corpus))[0]
    return [*_of_correlation(table), *_of_dose(table)]


def responses(table: pandas.DataFrame, notion: str, records: str = "clean") -> dict[str, Response]:
    """Return how every metric about `notion` answers to its dose, over the models of the base recipe."""
    base = table[table["recipe"] == "base"]
    columns = {name: column(notion, name) for name in INTRINSIC}
    columns |= {name: column(notion, name, records) for name in EXTRINSIC}
    return {name: dose_response(base[f"{notion}_dose"], base[place]) for name, place in columns.items()}


def _of_correlation(table: pandas.DataFrame) -> list[dict[str, Any]]:
    models = len(table)
    draws = dict(zip(SETTINGS, mean_correlations(table).T, strict=True))
    enough = needed(models)
    rows: list[dict[str, Any]] = [
        {
            "claim": f"(a) Correlations are weak, on average below the {enough:.2f} that one pair needs: {words}",
            "measured": interval(draws[setting], models),
            "below": enough,
        }
        for setting, words in ORIGINAL.items()
    ]
    rows += [
        {
            "claim": f"(b) Aligning notion and groups changes them, {records} records: same minus another notion",
            "measured": interval(draws[f"same notion, {records} records"] - draws[f"another notion, {records} records"],
                                 models),
            "above": 0,
        }
        for records in RECORDS
    ]  # fmt: skip
    more = draws["same notion, clean records"] - draws["same notion, biased records"]
    rows.append({
        "claim": "(b, ours) So does a task without its own bias: same notion, clean minus biased records",
        "measured": interval(more, models),
        "above": 0,
    })  # fmt: skip
    return rows


def _of_dose(table: pandas.DataFrame) -> list[dict[str, Any]]:
    found = {notion: responses(table, notion) for notion in NOTIONS}
    steady = {name: all(each[name].tau_low > STEADY for each in found.values()) for name in (*INTRINSIC, *EXTRINSIC)}
    blind = [name for name in steady if all(each[name].tau_low <= 0 for each in found.values())]
    rows = []
    for kind, names in (("intrinsic", INTRINSIC), ("extrinsic", EXTRINSIC)):
        good = [name for name in names if steady[name]]
        rows.append({
            "claim": f"(c) Some {kind} metric can be trusted here: rises with both notions' dose, τ confirmed above "
            f"{STEADY:g}",
            "measured": ", ".join(good) or "none",
            "holds": bool(good),
        })  # fmt: skip
    rows.append({
        "claim": "(c) … and some cannot: with neither notion is τ confirmed above 0",
        "measured": ", ".join(blind) or "none",
        "holds": bool(blind),
    })  # fmt: skip
    return rows


__getattr__ = old_names(__name__, {"claims_of_p7": "claims_of"})
