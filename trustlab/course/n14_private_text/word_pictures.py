"""The pictures of notebook 14: what is lost of a promise, ADePT's two scales, mechanisms at equal attackers."""

from __future__ import annotations

from trustlab.course.corpora import EMBEDDED
from trustlab.course.n14_private_text import ADEPT
from trustlab.course.n14_private_text.audits import adept, audits
from trustlab.course.n14_private_text.results import (
    PACKAGES,
    adept_texts,
    at_equal_risk,
    packages,
    points,
    same_epsilon,
    saved,
)
from trustlab.course.n14_private_text.word_mechanisms import EXPONENTIAL, GUMBEL, LAPLACE
from trustlab.lab.finding import Finding, dots, gauges, lines
from trustlab.lab.saved import CORPUS_NAMES, means_over, read, saved_over


def promises() -> Finding:
    """Draw the largest loss over the promise of each mechanism, at its smallest ε."""
    rows = audits()
    kept = [row["mechanism"] for row in rows if row["promise"] == "kept"]
    broken = {row["mechanism"]: row["loss / promise"] for row in rows if row["promise"] == "broken"}
    lost = "; ".join(f"{name} loses at least {ratio:.1f} times what it promises" for name, ratio in broken.items())
    pairs = min(row["pairs"] for row in rows)
    verdict = f"{', '.join(kept)}: kept on {pairs:,} pairs of words and more. {lost}."
    return dots(
        rows,
        label="mechanism",
        value="loss / promise",
        x_label="largest loss found, over ε·d(w, w′)",
        reference={"promise": 1.0},
        title="Is the promise kept?",
        verdict=verdict,
        provenance="computed here",
    )


def public_packages() -> Finding:
    """Draw what public packages lose of their promise, next to ours."""
    rows, about = packages(), read(PACKAGES)[1]
    said = {row["mechanism"]: row["loss / promise"] for row in rows if row["audited"] == "words said"}
    kept = [row["mechanism"] for row in rows if row["promise"] == "kept" and "trustlab" not in row["mechanism"]]
    verdict = (
        f"mldp-text's exponential mechanism loses up to {said['exponential, mldp-text']:.1f} times what it promises, "
        f"pypantera's {_bounded(said['exponential, pypantera'])}; its Mahalanobis noise loses up to "
        f"{said['Mahalanobis, pypantera']:.1f} times on the toy's map. Kept: {'; '.join(dict.fromkeys(kept))}."
    )
    return dots(
        [{"audited": f"{row.pop('mechanism')}: {row.pop('audited')}", **row} for row in map(dict, rows)],
        label="audited",
        value="loss / promise",
        log=True,
        x_label="largest loss found, over ε·d(w, w′)",
        reference={"promise": 1.0},
        title="Do public packages keep it?",
        verdict=verdict,
        provenance=f"saved; {', '.join(about['config']['peers'].split(', ')[:2])}",
    )


def worth_of_adept(corpus: str = EMBEDDED) -> Finding:
    """Draw what a classifier learns from ADePT's texts, over the stated and over the true ε."""
    rows = adept_texts(corpus)
    stated = {(row["noise"], row["stated ε"]): row["intents right"] for row in rows}
    most = max(row["stated ε"] for row in rows)
    shown = [
        {"noise": row["noise"], "pane": f"{kind} ε of a whole text", "ε": row[f"{kind} ε"]}
        | {name: row[name] for name in ("intents right", "found")}
        for kind in ("stated", "true")
        for row in rows
    ]
    alone = ADEPT.where(corpus, noise="no noise")["accuracy"].mean()
    verdict = (
        f"Where it states ε = {most:g}, the published noise lets a classifier get {_share(stated['published', most])} "
        f"right, the corrected one {_share(stated['corrected', most])}; without noise it is {_share(alone)}. Over the "
        "true ε both are one curve."
    )
    return lines(
        shown,
        x="ε",
        y="intents right",
        series="noise",
        pane="pane",
        log=True,
        per_cent=True,
        x_label="ε",
        y_label="intents right",
        title="What did the published ε buy?",
        verdict=verdict,
        provenance=f"{means_over(ADEPT.saved(corpus)[1])}, {CORPUS_NAMES[corpus]}",
        digits=2,
    )


def two_scales() -> Finding:
    """Draw ADePT's stated ε against the one that its published noise has."""
    rows = adept()
    last = rows[-1]
    return gauges(
        rows,
        label="d",
        claimed="claimed",
        true="true",
        x_label="ε of a whole text, at C = 1",
        log=True,
        title="ADePT: which ε does the published noise have?",
        verdict=f"For {last['d']} latent dimensions the published scale has ε = {last['true']:.1f}, where it states "
        f"{last['claimed']:g}: √d times as much. Two clipped vectors reach it.",
        provenance="computed here, exact",
    )


def equal_risk(corpus: str = EMBEDDED) -> Finding:
    """Draw the accuracy of each mechanism where attackers recover as much of the words."""
    rows = at_equal_risk(corpus)
    found = {(row["recovered"], row["mechanism"]): row["accuracy"] for row in rows}
    half, most = sorted({row["recovered"] for row in rows})[1:]
    verdict = (
        f"With half of the words recovered, a classifier gets {_share(found[half, LAPLACE])} right from Laplace noise "
        f"and {_share(found[half, EXPONENTIAL])} from the exponential mechanism. Truncated Gumbel noise never hides so "
        f"many; with 70 % recovered it gets {_share(found[most, GUMBEL])}, Laplace {_share(found[most, LAPLACE])}."
    )
    return dots(
        rows,
        label="recovered",
        value="accuracy",
        low="low",
        high="high",
        series="mechanism",
        x_label="intents right",
        per_cent=True,
        title="What is text worth where attackers read as much of it?",
        verdict=verdict,
        provenance=f"{saved_over(saved(corpus)[1])}, {CORPUS_NAMES[corpus]}",
        digits=2,
    )


def one_epsilon(corpus: str = EMBEDDED) -> Finding:
    """Draw what attackers recover at one nominal ε."""
    rows = same_epsilon(corpus)
    told = ", ".join(f"{100 * row['recovered']:.0f} % ({row['mechanism']})" for row in rows)
    return dots(
        rows,
        label="mechanism",
        value="recovered",
        low="low",
        high="high",
        x_label="words that an attacker recovers",
        per_cent=True,
        title="The same ε, and what is recovered",
        verdict=f"At ε = 40 an attacker recovers {told}.",
        provenance=f"{saved_over(saved(corpus)[1])}, {CORPUS_NAMES[corpus]}",
        digits=2,
    )


def kept_and_guessed(corpus: str = EMBEDDED) -> Finding:
    """Draw the share of words that stay against the share that is recovered, over a mechanism's levels of ε."""
    rows = [row for row in points(corpus) if row["level"] in (1, 3, 5)]
    shown = [
        {"setting": f"{row['mechanism']}, ε = {row['ε']:g}", "of the words": name, "share": row[column]}
        for row in rows
        for name, column in {"stay": "kept", "are recovered": "guessed"}.items()
    ]
    (gumbel,) = (row for row in rows if row["mechanism"] == GUMBEL and row["level"] == 1)
    return dots(
        shown,
        label="setting",
        value="share",
        series="of the words",
        per_cent=True,
        x_label="share of the words",
        title="A replaced word is not a hidden word",
        verdict=f"Truncated Gumbel noise keeps {_share(gumbel['kept'])} of the words, and an attacker recovers "
        f"{_share(gumbel['guessed'])}.",
        provenance=f"{means_over(saved(corpus)[1])}, {CORPUS_NAMES[corpus]}",
        digits=2,
    )


def _bounded(ratio: float | None) -> str:
    return "without bound" if ratio is None else f"{ratio:.1f} times"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.0f}\u00a0%"
