"""The pictures of notebook 32: the dose, the examples, what a choice changes, notebook 31's ranking, and real posts."""

from __future__ import annotations

from trustlab.course.dose import STEADY
from trustlab.course.n32_prediction_sensitivity import DIALECT, REAL
from trustlab.course.n32_prediction_sensitivity.experiment import DOSES, LEARNT
from trustlab.course.n32_prediction_sensitivity.posts_experiment import LEANING, MARKED, PRONOUNS, TERMS
from trustlab.course.n32_prediction_sensitivity.results import (
    COMPARED,
    by_dialect,
    disagreeing,
    flagged_more,
    on_posts,
    over_doses,
    ranking,
    ranks_of_examples,
    robustness,
    saved,
    trust,
    weights_on_words,
)
from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import EVEN, SOFT, TOLD, UNSURE, VARIANTS
from trustlab.course.n32_prediction_sensitivity.spoken_requests import BIASED, BLIND
from trustlab.lab.display import number, per_cent
from trustlab.lab.finding import Finding, dots, lines
from trustlab.lab.saved import means_over, saved_over


def doses() -> Finding:
    """Draw P, how unsure the model is and the change by a swap over the dose, for both recorders."""
    rows = over_doses(("P", UNSURE, "swap"))
    at = {(row["measure"], row["recorder"], row["dose"]): row["mean"] for row in rows}
    ratio = {name: at[name, BIASED, COMPARED] / at[name, BLIND, COMPARED] for name in ("P", "swap")}
    return lines(
        rows,
        x="dose",
        y="of its largest",
        series="recorder",
        pane="measure",
        x_label="dose",
        y_label="share of its largest mean",
        title="What rises with the dose?",
        verdict=f"At dose {COMPARED:g} the biased recorder's model has {ratio['P']:.1f} times the P of the blind one's "
        f"and {ratio['swap']:.1f} times its change by a swap. At dose {DOSES[-1]:g} its P falls: it is sure again.",
        provenance=means_over(saved()[1]),
        digits=2,
    )


def weights() -> Finding:
    """Draw how much of each kind of token weights is on the group's words."""
    rows = weights_on_words()
    at = {row["v"]: row["share"] for row in rows}
    return dots(
        rows,
        label="v",
        value="share",
        low="low",
        high="high",
        per_cent=True,
        x_label="share of the weight that is on openers and closers",
        title="Do token weights find the words that tell who speaks?",
        verdict=f"Soft weights put {per_cent(at['soft'])} there, hardly more than even ones ({per_cent(at['even'])}), "
        f"the status model's attributions, |IG|, {per_cent(at['|IG|'])}.",
        provenance=saved_over(saved()[1]),
        digits=2,
    )


def responses_to_dose() -> Finding:
    """Draw Kendall's tau of each measure with the dose."""
    rows = trust()
    at = {row["measure"]: row["τ with the dose"] for row in rows}
    return dots(
        rows,
        label="measure",
        value="τ with the dose",
        low="low",
        high="high",
        x_label="Kendall's τ with the dose, 95 % interval over 25 models",
        reference={"steady": STEADY, "none": 0.0},
        title="Which measure orders models by their bias?",
        verdict=f"The change by a swap has τ = {at['swap']:.2f}, P {at['P']:.2f}, and 1 − p, which looks at no group, "
        f"{at[UNSURE]:.2f}.",
        provenance="saved, biased recorder, five models of each dose",
        digits=2,
    )


def examples() -> Finding:
    """Draw how well each measure ranks the requests that the biased recorder treats unequally."""
    weighted = ("P", *(f"P, v = {name}" for name in (SOFT, TOLD, LEARNT, EVEN)))
    rows = [row for row in ranks_of_examples() if row["measure"] in (*weighted, "P of log odds", "swap", UNSURE)]
    at = {(row["measure"], row["recorder"]): row["AUC"] for row in rows}
    return dots(
        rows,
        label="measure",
        value="AUC",
        low="low",
        high="high",
        series="recorder",
        x_label="AUC of the requests for the bank's services",
        reference={"chance": 0.5},
        title="Which measure finds the examples?",
        verdict=f"For the biased recorder's model P has AUC {at['P', BIASED]:.2f}, the swap {at['swap', BIASED]:.2f}."
        f" Of the blind one's, which treats all alike, P “finds” as many: {at['P', BLIND]:.2f}. With weights learnt "
        f"where the wronged are known: {at[f'P, v = {LEARNT}', BIASED]:.2f} and {at[f'P, v = {LEARNT}', BLIND]:.2f}.",
        provenance=f"{saved_over(saved()[1])}, dose {COMPARED:g}",
        digits=2,
    )


def choices() -> Finding:
    """Draw the share of right verdicts about which of two models is fairer, by each choice."""
    rows, apart = robustness(), disagreeing()
    least = min((row for row in rows if row["choice"] != "swap"), key=lambda row: row["right"])
    return dots(
        rows,
        label="choice",
        value="right",
        series="models",
        per_cent=True,
        x_label="right verdicts: the biased recorder's model is the less fair one",
        reference={"coin": 0.5},
        title="Does the verdict depend on norm, w, v and what is differentiated?",
        verdict=f"Yes: the {len(VARIANTS)} choices disagree on {per_cent(apart['blind against biased'])} of pairs of a "
        f"blind and a biased model; where it is {least['choice']}, {per_cent(least['right'])} of verdicts are right. "
        "The swap has them all right.",
        provenance=f"saved, five pairs of models, dose {COMPARED:g}",
        digits=2,
    )


def among_metrics() -> Finding:
    """Draw where these measures enter notebook 31's ranking of metrics by trustworthiness."""
    rows = ranking()
    names = [row["measure"] for row in rows]
    return dots(
        rows,
        label="measure",
        value="τ",
        low="low",
        high="high",
        x_label="Kendall's τ with the dose, of the notion where it is lower",
        reference={"steady": STEADY, "none": 0.0},
        title="Where does P enter notebook 31's ranking?",
        verdict=f"P is number {names.index('P') + 1} of {len(names)}, on the 25 models of known bias of notebook 31; "
        f"the change by a swap, there the score change, is number {names.index('score change') + 1}.",
        provenance="saved, the first is the most trustworthy",
        digits=2,
    )


def posts() -> Finding:
    """Draw how measures rank posts next to how much people's reasons are the community's name."""
    rows = on_posts(LEANING)
    kept = ("share of named words", "P", "P of log odds", "P, v = even", "P, v = |IG|", "swap", "1 / words", UNSURE)
    at = {row["measure"]: row["agreement"] for row in rows}
    return dots(
        [row for row in rows if row["measure"] in kept],
        label="measure",
        value="agreement",
        low="low",
        high="high",
        x_label="Spearman's ρ with the share of people's marks on the community's words",
        title="On real posts: which measure agrees with people's reasons?",
        verdict=f"P has ρ = {at['P']:.2f}, the swap {at['swap']:.2f}. Counting the words that name a community has "
        f"{at['share of named words']:.2f} and needs no model.",
        provenance=saved_over(REAL.saved("hatexplain")[1]),
        digits=2,
    )


def marked_words() -> Finding:
    """Draw how well measures of words find those that annotators marked as their reason."""
    rows = on_posts(MARKED)
    at = {row["measure"]: row["agreement"] for row in rows}
    return dots(
        rows,
        label="measure",
        value="agreement",
        low="low",
        high="high",
        x_label="AUC of the words that people marked, within a post",
        reference={"chance": 0.5},
        title="On real posts: which words are people's reasons?",
        verdict=f"Words that move the prediction are found with an AUC of {at['movement']:.2f}; weighted by the status "
        f"model's attributions, as in P, {at['share of P, |IG|']:.2f}; input × gradient: {at['input × gradient']:.2f}.",
        provenance=saved_over(REAL.saved("hatexplain")[1]),
        digits=2,
    )


def identity_terms() -> Finding:
    """Draw how well measures rank terms, and pronouns in sentences, by how unequally a model treats them."""
    sets = {"50 identity terms": on_posts(TERMS), "Winogender's pronouns": on_posts(PRONOUNS)}
    rows = [{"measure": row["measure"], "over": name, **row} for name, own in sets.items() for row in own]
    terms, pronouns = ({row["measure"]: row["agreement"] for row in own} for own in sets.values())
    return dots(
        rows,
        label="measure",
        value="agreement",
        low="low",
        high="high",
        series="over",
        x_label="Spearman's ρ with how unequally the term, or the pronoun, is treated",
        reference={"none": 0.0},
        title="In templates: which measure finds what is treated unequally?",
        verdict=f"The change by a swap of terms has ρ = {terms['swap']:.2f}, P {terms['P']:.2f}, and with even weights "
        f"{number(terms['P, v = even'], 1)}. In sentences that differ in a pronoun it has {pronouns['swap']:.2f}, "
        f"P {pronouns['P']:.2f}.",
        provenance=saved_over(REAL.saved("hatexplain")[1]),
        digits=2,
    )


def dialects() -> Finding:
    """Draw how much larger measures are for tweets of the dialect whose harmless tweets are flagged more often."""
    rows, flagged = by_dialect(), flagged_more()
    at = {(row["measure"], row["tweets"]): row["ratio"] for row in rows}
    return dots(
        rows,
        label="measure",
        value="ratio",
        low="low",
        high="high",
        series="tweets",
        x_label="mean for African American English over that for white-aligned English",
        reference={"alike": 1.0},
        title="Whose predictions are called sensitive?",
        verdict=f"Harmless tweets in African American English are flagged {100 * flagged['flagged']:.0f} percentage "
        f"points more often. P is {at['P, v = |IG|', 'all']:.2f} times as large for that dialect, and 1 − p "
        f"{at['1 − p', 'all']:.2f} times; of harmless tweets {at['P, v = |IG|', 'harmless']:.2f} and "
        f"{at['1 − p', 'harmless']:.2f}.",
        provenance=saved_over(DIALECT.saved("davidson_hate")[1]),
        digits=2,
    )
