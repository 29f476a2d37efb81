"""What notebook 13 finds beyond its own corpus and pin, as pictures: SNIPS and ATIS, other secrets, a transformer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n13_canary_extraction import EXPERIMENT, SECRETS
from trustlab.course.n13_canary_extraction.defended import KINDS, NONE, SIX, SLOW, THREE, TRANSFORMER, USUAL_PACE, N
from trustlab.course.n13_canary_extraction.drawing import BITS, NAMES
from trustlab.course.n13_canary_extraction.experiment import CORPORA, HEADLINE, MORE, USUAL
from trustlab.course.n13_canary_extraction.extraction_rates import rate
from trustlab.course.n13_canary_extraction.results import defence_rows
from trustlab.lab import finding
from trustlab.lab.display import per_cent
from trustlab.lab.finding import Finding
from trustlab.lab.saved import CORPUS_NAMES, saved_over, seeds_of
from trustlab.privacy.inversion import chance

Row = dict[str, Any]
REAL = tuple(corpus for corpus in CORPORA if corpus != EMBEDDED)
PRIVATE = "dp-8"
NEVER = "never said"


def _bits(rows: list[Row], **options: Any) -> Finding:
    """Draw rows by the bits exposed."""
    reference = {"chance": chance(N)["exposure"]}
    provenance = saved_over(EXPERIMENT.saved(REAL[0])[1])
    bits = dict(value="bits", low="low", high="high", x_label=f"bits exposed, of {BITS:.1f}")
    return finding.dots(rows, **bits, reference=reference, provenance=provenance, **options)


def _without_single_trainings(row: Mapping[str, Any]) -> Row:
    return {name: value for name, value in row.items() if name != "bits of each"}


def by_corpus() -> Finding:
    """Draw the defences on SNIPS and on ATIS by the bits that they leave exposed, and pins that were never said."""
    found = {corpus: {row["defence"]: row for row in defence_rows(USUAL, corpus)} for corpus in REAL}
    for corpus in REAL:
        (control,) = defence_rows(0, corpus)
        found[corpus][NEVER] = {**control, "defence": NEVER}
    order = sorted(found[REAL[0]], key=lambda name: sum(found[corpus][name]["bits"] for corpus in REAL))
    rows = [
        {"defence": name, "corpus": CORPUS_NAMES[corpus], **_without_single_trainings(found[corpus][name])}
        for name in order
        for corpus in REAL
    ]
    said = [
        f"{CORPUS_NAMES[corpus]}: all three leave {three['bits']:.1f} bits exposed ({three['exact']} exact), "
        f"{NAMES[PRIVATE]} leaves {private['bits']:.1f} ({private['exact']}), no defence {plain['bits']:.1f} "
        f"({plain['exact']})."
        for corpus in REAL
        for three, private, plain in [[found[corpus][NAMES[each]] for each in (THREE, PRIVATE, NONE)]]
    ]
    title = f"Which defence hides a pin among real sentences? (said {USUAL} times)"
    return _bits(rows, label="defence", series="corpus", title=title, verdict=" ".join(said))


def by_copies() -> Finding:
    """Draw what more copies change, without a defence and with the two strongest."""
    rows = [
        {"where": f"{CORPUS_NAMES[corpus]}, {copies} ×", **_without_single_trainings(row)}
        for corpus in REAL
        for copies in (USUAL, *MORE[corpus])
        for row in defence_rows(copies, corpus)
        if row["defence"] in [NAMES[each] for each in HEADLINE]
    ]
    at = {(row["where"], row["defence"]): row for row in rows}
    said = [
        f"on {name} {at[f'{name}, {USUAL} ×', NAMES[PRIVATE]]['bits']:.1f} bits of a pin said {USUAL} times and "
        f"{at[f'{name}, {max(MORE[corpus])} ×', NAMES[PRIVATE]]['bits']:.1f} bits of one said {max(MORE[corpus])} times"
        for corpus in REAL
        for name in [CORPUS_NAMES[corpus]]
    ]
    return _bits(
        rows,
        label="where",
        series="defence",
        title="What do more copies change?",
        verdict=f"{NAMES[PRIVATE]} leaves exposed {'; '.join(said)}.",
    )


def other_secrets() -> Finding:
    """Draw which share of longer pins, colours and pins in a transformer each attack finds exactly."""
    table, about = SECRETS.saved()
    rows = []
    for (kind, model, pace, defence), runs in table.groupby(["kind", "model", "pace", "defence"], sort=False):
        words = len(runs["positions"].iloc[0].split("|"))
        by_chance = chance(words, len(KINDS[kind].candidates))["exact"]
        what = [kind, "slow" if pace == SLOW else "", model if model == TRANSFORMER else "", NAMES[defence]]
        for attack, column in {"ModIvA": "exact", "beam": "beam_exact"}.items():
            share, low, high, n = rate(runs[column])
            rows.append({
                "secret": ", ".join(filter(None, what)),
                "attack": attack,
                "exact": share,
                "low": low,
                "high": high,
                "trainings": n,
                "by chance": by_chance,
                "beam's median guess": runs["beam_guess"].median(),
                "intents right": runs["accuracy"].mean(),
            })  # fmt: skip
    at = {
        pace: table[(table["kind"] == SIX) & (table["pace"] == pace) & (table["defence"] == NONE)]
        for pace in (USUAL_PACE, SLOW)
    }
    usual, slow = at.values()
    return finding.dots(
        rows,
        label="secret",
        series="attack",
        value="exact",
        low="low",
        high="high",
        per_cent=True,
        x_label="secrets found exactly",
        title="Six digits, a colour, a transformer",
        verdict="Of a million codes of six digits, the beam's first guess is right in "
        f"{per_cent(usual['beam_exact'].mean())} of the trainings, and in {per_cent(slow['beam_exact'].mean())} of the "
        f"slow ones. In the median training the right one is guess number {usual['beam_guess'].median():.0f}, and "
        f"{slow['beam_guess'].median():.0f}.",
        provenance=f"saved, exact 95 % intervals, {seeds_of(about)}",
    )
