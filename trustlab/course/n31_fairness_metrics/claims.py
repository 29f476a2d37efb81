"""What Cao et al. claim of fairness metrics, and what we add, read off the committed table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trustlab.course.corpora import EMBEDDED
from trustlab.course.correlation import needed
from trustlab.course.dose import STEADY, Response, dose_response
from trustlab.course.n31_fairness_metrics import held_out, real_tasks
from trustlab.course.n31_fairness_metrics.alignment import SETTINGS, interval, mean_correlations
from trustlab.course.n31_fairness_metrics.experiment import RECORDS, column, result_name
from trustlab.course.n31_fairness_metrics.extrinsic import EXTRINSIC
from trustlab.course.n31_fairness_metrics.intrinsic import INTRINSIC, LIKELIHOOD
from trustlab.course.n31_fairness_metrics.notions import NOTIONS
from trustlab.deprecation import old_names
from trustlab.intervals import Interval
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

ALL_MODELS = "45 planted models, mean over 96 pairs of metrics, bootstrap over models"
# As comparisons find metrics and tasks. What another notion's doses are is unrelated to one's own by design.
ORIGINAL = {
    "another notion, biased records": "another notion, unrelated by design",
    "same notion, biased records": "same notion, biased records",
}


def claims_of(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, from the table of `corpus` that `read` finds.

    Claims (c) are also asked of the same models in held-out frames, and those about real posts of HateXplain's table.
    """
    table = read(result_name(corpus))[0]
    asked = read(held_out.result_name(corpus))[0]
    posts = read(real_tasks.result_name("hatexplain"))[0]
    return [*_of_correlation(table), *_of_dose(table), *_of_held_out(asked), *_of_communities(posts)]


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
            "sampled": "models",
            "setup": ALL_MODELS,
        }
        for setting, words in ORIGINAL.items()
    ]
    rows += [
        {
            "claim": f"(b) Aligning notion and groups changes them, {records} records: same minus another notion",
            "measured": interval(draws[f"same notion, {records} records"] - draws[f"another notion, {records} records"],
                                 models),
            "above": 0,
            "sampled": "models",
            "setup": ALL_MODELS,
        }
        for records in RECORDS
    ]  # fmt: skip
    more = draws["same notion, clean records"] - draws["same notion, biased records"]
    rows.append({
        "claim": "(b, ours) So does a task without its own bias: same notion, clean minus biased records",
        "measured": interval(more, models),
        "above": 0,
        "sampled": "models",
        "setup": ALL_MODELS,
        "unless": "labels whose writer is as biased as the text",
    })  # fmt: skip
    return rows


def _of_dose(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Return a claim for each metric that seems to follow both notions' doses, and for each that follows none."""
    found = {notion: responses(table, notion) for notion in NOTIONS}
    models = int((table["recipe"] == "base").sum())
    rows = []
    for name in (*INTRINSIC, *EXTRINSIC):
        answers = [each[name] for each in found.values()]
        if all(each.tau_low > STEADY for each in answers):
            weaker = min(answers, key=lambda each: each.tau_low)
            said = f"(c) {name} can be trusted here: Kendall's τ with the dose, for the notion where it is lower"
            rows.append({"claim": said, **_tau(weaker, models), "above": STEADY, "setup": _frames(name)})
    for name in (*INTRINSIC, *EXTRINSIC):
        answers = [each[name] for each in found.values()]
        if all(each.tau_low <= 0 for each in answers):
            better = max(answers, key=lambda each: each.tau_high)
            said = f"(c) … and {name} cannot: its τ, for the notion where it is higher"
            rows.append({"claim": said, **_tau(better, models), "below": STEADY, "setup": _frames(name)})
    return rows


def _tau(found: Response, models: int) -> dict[str, Any]:
    return {"measured": Interval(found.tau, found.tau_low, found.tau_high, models), "sampled": "models"}


def _frames(name: str) -> str:
    """Say which sentences a metric reads: those in which the bias was planted, or others."""
    if name in LIKELIHOOD:
        return "25 base models; asked in the very frame in which the bias was planted, “… is kind”"
    where = "the task's own sentences, which plant nothing" if name in EXTRINSIC else "no planted frame"
    return f"25 base models; asked in {where}"


def _of_held_out(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Return the claims of the likelihood metrics asked in frames in which no bias was planted."""
    rows = []
    for name in LIKELIHOOD:
        answers = [dose_response(table[f"{notion}_dose"], table[column(notion, name)]) for notion in NOTIONS]
        weaker = min(answers, key=lambda each: each.tau_low)
        rows.append({
            "claim": f"(c, ours) {name} in held-out frames, where no bias was planted: the lower τ with the dose",
            **_tau(weaker, len(table)),
            "above": STEADY,
            "setup": "the same models; “… helps and shouts and is kind”, twelve pairs of opposite cues",
        })  # fmt: skip
    return rows


def _of_communities(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Return whether classifiers of real posts treat communities differently, beyond what chance does."""
    rows = []
    for model, title in (("words", "words"), ("head", "a probed encoder")):
        models, gap = table[table["model"] == model], "hatexplain fpr gap"
        ends = [float(models[f"{gap} {end}"].mean()) for end in ("corrected", "low", "high")]
        blind = float(models[f"{gap} blind"].mean())
        rows.append({
            "claim": f"(ours) A classifier of {title} flags harmless posts about some communities more often: the "
            "corrected gap",
            "measured": Interval(*ends, len(models)),
            "above": 0,
            "p": min(1.0, float(models[f"{gap} p"].max())),
            "sampled": "seeds",
            "setup": f"HateXplain, tuned, nine communities; blind to them it would show {blind:.2f}; permutation test",
            "unless": "more harmless posts about each community, of which there are 12 to 63",
        })  # fmt: skip
    return rows


__getattr__ = old_names(__name__, {"claims_of_p7": "claims_of"})
