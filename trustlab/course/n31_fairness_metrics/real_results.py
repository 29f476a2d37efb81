"""What notebook 31 reads off the committed models of real tasks: both kinds of metrics, and which group is worst off.

A number is the mean over seeds, and so is either end of its interval, which is about the test texts or words of one
model. A gap between groups is the corrected one, compared with what a classifier blind to the groups shows. Groups are
named as their sets name them; no text is shown.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from trustlab.course.correlation import needed
from trustlab.course.literature import known
from trustlab.course.n31_fairness_metrics import REAL_TASKS
from trustlab.course.n31_fairness_metrics.extrinsic import Z
from trustlab.course.n31_fairness_metrics.real_level import ACCURACY
from trustlab.course.n31_fairness_metrics.real_metrics import NOBODY
from trustlab.course.n31_fairness_metrics.real_models import NONE, OFFLINE
from trustlab.course.n31_fairness_metrics.real_tasks import KEY, READING, TASKS
from trustlab.deprecation import old_names

if TYPE_CHECKING:
    import pandas

Row = dict[str, Any]
NOBODY_CONFIRMED = "no group confirmed"
SETS = {"hatexplain": "HateXplain", "davidson_hate": "Davidson's tweets"}
METRICS = (  # title, kind, column
    ("accuracy", "extrinsic", "{own} accuracy"),
    ("AUC", "extrinsic", "{own} auc"),
    ("FPR gap", "extrinsic", "{own} fpr gap"),
    ("TPR gap", "extrinsic", "{own} tpr gap"),
    ("BPSN AUC", "extrinsic", "{own} bpsn auc mean"),
    ("BPSN AUC, templates", "extrinsic", "identity_terms bpsn auc mean"),
    ("flip rate, comments", "extrinsic", "identity_comments flip rate"),
    ("WEAT, women", "intrinsic", "gender WEAT"),
    ("SEAT, women", "intrinsic", "gender SEAT"),
    ("CEAT, women", "intrinsic", "gender CEAT"),
    ("CrowS-Pairs, gender", "intrinsic", "gender CrowS-Pairs"),
)
GAPS = ("FPR gap", "TPR gap")
BLIND = "{}, blind"  # title of the level of a gap
MAJORITY = "majority"
LIKELY = 0.5  # a group is named as the worst off from this probability on
WORST_OFF = {"flagged wrongly": "fpr minus rest", "missed": "tpr minus rest", "ranked too high": "bpsn auc"}


def real_models(corpus: str) -> pandas.DataFrame:
    """Return the committed models of a corpus, one row each."""
    return REAL_TASKS.table(corpus)


def intrinsic_and_extrinsic(corpus: str) -> list[Row]:
    """Return a row per metric and model: the task's quality and gaps, then tests of its encoder, with 95 % intervals.

    Those of intrinsic metrics are 1.96 standard errors, over words, on either side.
    """
    own = TASKS[corpus][0]
    rows: list[Row] = []
    for title, kind, metric in METRICS:
        column = metric.format(own=own)
        ends = _gap if title in GAPS else _interval if kind == "extrinsic" else _with_error
        found = [(name, models) for name, models in _by_model(corpus) if name != MAJORITY and column in models]
        found = [(name, models) for name, models in found if models[column].notna().any()]
        rows += [{"metric": title, "kind": kind, "model": name, **ends(models, column)} for name, models in found]
        if title in GAPS:
            about = {"metric": BLIND.format(title), "kind": kind}
            rows += [{**about, "model": name, **_interval(models, f"{column} blind")} for name, models in found]
    return rows


def always_the_same(corpus: str) -> float:
    """Return the accuracy of the trivial classifier that gives everybody the more frequent answer."""
    models = dict(_by_model(corpus))[MAJORITY]
    return float(models[f"{TASKS[corpus][0]} accuracy"].mean())


def level() -> str:
    """Say how good the classifiers are at HateXplain's own question, and how good those of papers are."""
    reached = {
        name: float(models[ACCURACY].mean())
        for name, models in _by_model("hatexplain")
        if models[ACCURACY].notna().any()
    }
    theirs = " and ".join(f"{each.model} {each.written} ({each.source})" for each in known("hatexplain accuracy"))
    ours = ", ".join(f"{name.replace(',', '')} {value:.2f}" for name, value in reached.items())
    return f"Accuracy on HateXplain's three classes, test split: {ours}; {theirs}."


def worst_off(corpus: str) -> list[Row]:
    """Return for each model which group is most likely worst off by three metrics, how likely, and by how much.

    "Flagged wrongly" is the false positive rate minus that of everybody else, "missed" the same of the true positive
    rate, "ranked too high" the BPSN AUC. Some group is always last: none is named where its probability of being the
    worst off, with small groups pooled, is below one half.
    """
    own = TASKS[corpus][0]
    return [
        {"model": name, "question": title, **_last(models, f"{own} worst {metric}")}
        for title, metric in WORST_OFF.items()
        for name, models in _by_model(corpus)
        if name != MAJORITY
    ]


def terms_and_scores() -> list[Row]:
    """Return whether, over identity terms, association and score go together within each model with an encoder."""
    name = "terms association and score"
    rows = []
    for corpus in TASKS:
        for title, models in _by_model(corpus) if "identity_terms" in TASKS[corpus] else ():
            if models[name].notna().all():
                r = _interval(models, name)
                found = {"r": r.pop("value"), **r, "needed": float(models[f"{name} needed"].mean())}
                rows.append({"learned": SETS[corpus], "model": title, **found})
    return rows


def pronouns() -> list[Row]:
    """Return what the small language models expect of pronouns, and the published tests of them: one row a metric."""
    models = real_models(READING)
    extrinsic = {
        "WinoBias: stereotyped pronoun more likely": "winobias stereotype",
        "Winogender: “she” more likely": "winogender she",
        "Winogender: correlation with labour statistics": "winogender correlation with statistics",
    }
    rows = [{"metric": title, "value": _written(**_interval(models, name))} for title, name in extrinsic.items()]
    rows += [{"metric": f"{name}, women and family", "value": _written(**_with_error(models, f"gender {name}"))}
             for name in ("WEAT", "SEAT", "CEAT")]  # fmt: skip
    pairs = _written(**_with_error(models, "gender CrowS-Pairs"), digits=1)
    rows.append({"metric": "CrowS-Pairs, gender (50: none)", "value": pairs})
    for name, meaning in (("SS", "50: none"), ("LMS", "50: knows no language")):
        value = f"{models[f'gender StereoSet {name}'].mean():.1f}"
        rows.append({"metric": f"StereoSet {name}, gender ({meaning})", "value": value})
    return rows


def too_few(corpus: str) -> str:
    """Say how large a correlation over the models of `corpus` would have to be."""
    encoders = sum(models["gender WEAT"].notna().all() for _, models in _by_model(corpus))
    if encoders < 3:
        return f"{encoders} models have an encoder: two points are always on a line, so no correlation is shown."
    return (
        f"{encoders} models have an encoder. A correlation over {encoders} models would have to exceed "
        f"{needed(encoders):.3f} to be significant, so none is shown."
    )


def _by_model(corpus: str) -> list[tuple[str, pandas.DataFrame]]:
    found = real_models(corpus).groupby(list(KEY), sort=False)
    short = {OFFLINE: "MiniLM"}
    titles = ((model if each == NONE else f"{short.get(each, each)}, {model}", rows) for (model, each), rows in found)
    return list(titles)


def _interval(models: pandas.DataFrame, column: str) -> dict[str, float]:
    """Return the mean over seeds of a value and of both ends of its interval."""
    return {end.strip() or "value": float(models[f"{column}{end}"].mean()) for end in ("", " low", " high")}


def _gap(models: pandas.DataFrame, column: str) -> dict[str, float]:
    """Return the corrected gap with its interval, the measured one, and the largest p of any seed."""
    columns = {"value": " corrected", "low": " low", "high": " high", "measured": ""}
    found = {name: float(models[f"{column}{ending}"].mean()) for name, ending in columns.items()}
    return {**found, "p": float(models[f"{column} p"].max())}


def _with_error(models: pandas.DataFrame, column: str) -> dict[str, float]:
    """Return the mean over seeds of a value, and its 95 % interval from its standard error."""
    value, error = float(models[column].mean()), float(models[f"{column} ±"].mean())
    return {"value": value, "low": value - Z * error, "high": value + Z * error}


def _written(value: float, low: float, high: float, digits: int = 2) -> str:
    return f"{value:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})".replace("-", "−")


def _last(models: pandas.DataFrame, column: str) -> Row:
    """Name the group that is worst off with most seeds, its mean there, and how likely it is the worst at least."""
    group, seeds = Counter(models[f"{column} group"]).most_common(1)[0]
    last = models[models[f"{column} group"] == group]
    probability = float(last[f"{column} probability"].sum()) / len(models)  # where another one is named it counts as 0
    if group == NOBODY or probability < LIKELY:
        return {"group": NOBODY_CONFIRMED, "probability": probability}
    return {"group": group, **_interval(last, column), "probability": probability, "seeds": f"{seeds} of {len(models)}"}


__getattr__ = old_names(__name__, {"inside_and_outside": "intrinsic_and_extrinsic"})
