"""What notebook 24 shows of real corpora: their level next to the literature's, and what skew and servers change."""

from __future__ import annotations

from typing import Any

from trustlab.course.literature import known
from trustlab.course.n24_fednlp_benchmark import REAL
from trustlab.course.n24_fednlp_benchmark.judged import why_not
from trustlab.course.n24_fednlp_benchmark.real_baselines import BASELINES
from trustlab.course.n24_fednlp_benchmark.real_claims import LEVELS, best_baseline, by_seed, not_claimed
from trustlab.course.n24_fednlp_benchmark.real_data import REAL as FAMILY_OF
from trustlab.course.n24_fednlp_benchmark.real_training import CENTRALISED, places
from trustlab.federated.tasks import FAMILIES
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding, dots
from trustlab.lab.saved import CORPUS_NAMES, over_seeds, remembered

Row = dict[str, Any]
NAMES = {"fedavg": "FedAvg", "fedadam": "FedAdam", CENTRALISED: "in one place"}
ENDS: dict[str, str] = {"value": "score", "low": "low", "high": "high"}
# What the literature calls the number that is drawn next to ours.
PUBLISHED = {
    "20newsgroups": "20newsgroups accuracy",
    "clinc150": "clinc150 in-scope accuracy",
    "wnut17": "wnut17 entity F1",
    "xquad": "squad token F1",
}


@remembered
def real_corpora() -> list[Row]:
    """Return what the real corpora gave: a row per corpus, partition and algorithm; with baselines."""
    rows = []
    for corpus in REAL.corpora():
        table, task = REAL.table(corpus), FAMILY_OF[corpus][0]
        about = {"corpus": CORPUS_NAMES[corpus], "metric": FAMILIES[task].metric}
        kinds = [*places(corpus), *((name, "none") for name in BASELINES[task])]
        for algorithm, partition in kinds:
            scores = by_seed(table, algorithm, partition)
            spread = over_seeds(scores, "score", limits=(0.0, 1.0)) if len(scores) > 1 else {"score": scores[0]}
            where = "baseline" if algorithm in BASELINES[task] else partition
            place = {"partition": "one place" if where == "none" else where}
            rows.append(
                {"low": None, "high": None, **about, **place, "algorithm": NAMES.get(algorithm, algorithm), **spread}
            )
    return rows


def level() -> Finding:
    """Draw each corpus' baselines, all data in one place, FedAvg under label skew, and what papers report."""
    rows, said = [], []
    for corpus in REAL.corpora():
        table, name = REAL.table(corpus), CORPUS_NAMES[corpus]
        best, bar = best_baseline(table, FAMILY_OF[corpus][0], trivial=True)
        alone = over_seeds(by_seed(table, CENTRALISED, "none"), "score", limits=(0.0, 1.0))
        skewed = over_seeds(by_seed(table, "fedavg", "label"), "score", limits=(0.0, 1.0))
        rows.append({"corpus": name, "what": "best trivial baseline", "score": bar, "low": None, "high": None})
        rows.append({"corpus": name, "what": "all data in one place", **alone})
        rows.append({"corpus": name, "what": "FedAvg, label skew", **skewed})
        for each in known(PUBLISHED[corpus]):
            middle = (each.low + each.high) / 2
            rows.append({"corpus": name, "what": "literature", "score": middle, "low": each.low, "high": each.high})
        said.append(f"{name}: {per_cent(alone['score'])} in one place, {per_cent(bar)} for {best}")
    return dots(
        rows, label="corpus", series="what", **ENDS, per_cent=True, digits=2, title="How good are the heads?",
        verdict=f"{'; '.join(said)}.", x_label="score of the corpus' own metric",
        provenance="saved, mean and 95 % interval over five seeds; literature as named in literature.toml",
    )  # fmt: skip


def levels_reached() -> str:
    """Say which of the levels that we set ourselves were reached with all data in one place."""
    said = []
    for corpus in REAL.corpora():
        measure, metric, bar = LEVELS[corpus]
        scores = by_seed(REAL.table(corpus), CENTRALISED, "none", measure)
        said.append(f"{CORPUS_NAMES[corpus]} {metric} {sum(scores) / len(scores):.2f} (aim {bar:.2f})")
    return f"All data in one place: {', '.join(said)}."


def unclaimed() -> str:
    """Say which claims are not judged on a real corpus, and why."""
    said = why_not(not_claimed(), " on real corpora")
    return said or "On real corpora every claim is judged."


def sources() -> list[Row]:
    """Return the literature's numbers with their sources, as the picture of levels draws them."""
    return [
        {"corpus": CORPUS_NAMES[corpus], "reported": each.written, "model": each.model, "source": each.source}
        for corpus in REAL.corpora()
        for each in known(PUBLISHED[corpus])
    ]


def real() -> Finding:
    """Draw FedAvg and FedAdam on each corpus and partition."""
    drawn = [
        {"where": f"{row['corpus']}, {row['partition']}", **row}
        for row in real_corpora()
        if row["partition"] != "baseline"
    ]
    at = {(row["where"], row["algorithm"]): row for row in drawn}
    pairs = [(row, at[where, "FedAdam"]) for (where, algorithm), row in at.items() if algorithm == "FedAvg"]
    better = sum(adaptive["score"] > plain["score"] for plain, adaptive in pairs)
    apart = sum(adaptive["low"] > plain["high"] for plain, adaptive in pairs)
    behind = sum(plain["low"] > adaptive["high"] for plain, adaptive in pairs)
    verdict = (
        f"FedAdam's mean is higher than FedAvg's on {better} of {len(pairs)} corpora and partitions, each with its own "
        f"rates. Their intervals do not overlap on {apart} where FedAdam leads, and on {behind} where FedAvg does."
    )
    return dots(
        drawn, label="where", series="algorithm", **ENDS, per_cent=True, digits=2, title="The same on real corpora",
        verdict=verdict, x_label="score of the corpus' own metric",
        provenance="saved, mean and 95 % interval over five seeds",
    )  # fmt: skip
