"""What notebook 13 finds beyond its own corpus and its own pin, as pictures: SNIPS and ATIS, other secrets and models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n13_canary_extraction import EXPERIMENT, SECRETS
from trustlab.course.n13_canary_extraction.defended import KINDS, NONE, SENTENCES, THREE
from trustlab.course.n13_canary_extraction.drawing import BITS, NAMES
from trustlab.course.n13_canary_extraction.experiment import HEADLINE, MORE, USUAL
from trustlab.course.n13_canary_extraction.extraction_rates import rate
from trustlab.course.n13_canary_extraction.results import defence_rows
from trustlab.intervals import mean_interval
from trustlab.lab import finding
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding
from trustlab.lab.saved import CORPUS_NAMES, saved_over
from trustlab.privacy.inversion import chance

Row = dict[str, Any]
REAL = tuple(corpus for corpus in EXPERIMENT.module.CORPORA if corpus != EMBEDDED)
CHANCE = {"chance": chance(4)["exposure"]}
DRAWN = dict(value="bits", low="low", high="high", x_label=f"bits exposed, of {BITS:.1f}", reference=CHANCE)


def by_corpus() -> Finding:
    """Draw the defences on SNIPS and on ATIS by the bits that they leave exposed."""
    rows = [
        {"defence": row["defence"], "corpus": CORPUS_NAMES[corpus], **_shown(row)}
        for corpus in REAL
        for row in defence_rows(USUAL, corpus)
    ]
    mean = {name: sum(row["bits"] for row in rows if row["defence"] == name) for name in NAMES.values()}
    rows.sort(key=lambda row: mean[row["defence"]])
    at = {(row["corpus"], row["defence"]): row for row in rows}
    said = "; ".join(
        f"on {name} all three leave {three['bits']:.1f} bits and the exact pin in {three['exact']} trainings, "
        f"{NAMES['dp-8']} {private['bits']:.1f} bits at {per_cent(private['intents right'])} of the intents, no defence "
        f"{plain['bits']:.1f} bits and {plain['exact']}"
        for name in map(CORPUS_NAMES.get, REAL)
        for three, private, plain in [[at[name, NAMES[each]] for each in (THREE, "dp-8", NONE)]]
    )
    return finding.dots(
        rows,
        label="defence",
        series="corpus",
        title=f"Do the defences hide a pin among real sentences? It was said {USUAL} times",
        verdict=f"{said[0].upper()}{said[1:]}.",
        provenance=_provenance(REAL),
        **DRAWN,
    )


def by_copies() -> Finding:
    """Draw what more copies change, without a defence and with the two strongest."""
    rows = [
        {"where": f"{CORPUS_NAMES[corpus]}, {copies} {'copy' if copies == 1 else 'copies'}", **_shown(row)}
        for corpus in MORE
        for copies in sorted((USUAL, *MORE[corpus]))
        for row in defence_rows(copies, corpus)
        if row["defence"] in [NAMES[each] for each in HEADLINE]
    ]
    private = [row for row in rows if row["defence"] == NAMES["dp-8"] and row["where"].split(",")[0] in _real_names()]
    most = max(private, key=lambda row: row["bits"])
    once = next(row for row in rows if row["defence"] == NAMES[NONE] and row["where"].endswith(" 1 copy"))
    return finding.dots(
        rows,
        label="where",
        series="defence",
        title="What do more copies change?",
        verdict=f"Said once in {CORPUS_NAMES[EMBEDDED]}, and with no defence, the pin has {once['bits']:.1f} bits exposed. "
        f"With {NAMES['dp-8']} a sentence it is {most['bits']:.1f} bits on {most['where']}.",
        provenance=_provenance(list(MORE)),
        **DRAWN,
    )


def other_secrets() -> Finding:
    """Draw which share of longer pins, colours and pins in a transformer is found exactly, by each attack."""
    table, about = SECRETS.saved()
    rows = []
    for (kind, model, defence), runs in table.groupby(["kind", "model", "defence"], sort=False):
        mean = mean_interval(list(runs["bits"])).mean
        size = len(KINDS[kind].candidates)
        for attack, column in {"ModIvA": "exact", "beam": "beam_exact"}.items():
            share, low, high, n = rate(runs[column])
            what = {"secret": f"{kind}, {model}, {NAMES[defence]}", "attack": attack, "exact": share}
            found = {
                "low": low,
                "high": high,
                "trainings": n,
                "by chance": chance(int(runs["places"].iloc[0]), size)["exact"],
            }
            rows.append(what | found | {"bits": mean, "intents right": runs["accuracy"].mean()})
    return finding.dots(
        rows,
        label="secret",
        series="attack",
        value="exact",
        low="low",
        high="high",
        per_cent=True,
        x_label="exact secrets found",
        title="Longer pins, colours, another model",
        verdict="",
        provenance=f"saved, exact 95 % intervals, {about['seeds']}",
    )
