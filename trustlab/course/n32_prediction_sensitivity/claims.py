"""What Krishna et al. claim of prediction sensitivity, and what we add, read off the committed tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from trustlab.course.corpora import EMBEDDED
from trustlab.course.dose import dose_response
from trustlab.course.n32_prediction_sensitivity import dialect_experiment, posts_experiment
from trustlab.course.n32_prediction_sensitivity.dialect_experiment import AMONG, RATIO
from trustlab.course.n32_prediction_sensitivity.experiment import AREA, result_name
from trustlab.course.n32_prediction_sensitivity.identity_templates import FRAMES
from trustlab.course.n32_prediction_sensitivity.posts_experiment import LEANING, MARKED, NAMED, SPLIT, TERMS
from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import EVEN, SWAPPED, TOLD, UNSURE, Variant
from trustlab.course.n32_prediction_sensitivity.spoken_requests import BIASED, BLIND
from trustlab.intervals import Interval
from trustlab.lab.saved import select
from trustlab.results import Reader, read_results

if TYPE_CHECKING:
    import pandas

P, P_EVEN, P_ODDS = Variant().name, Variant(v=EVEN).name, Variant(of="log_odds").name
P_TOLD = Variant(v=TOLD).name
SWAP = f"{SWAPPED}, probabilities"
SAME = 0.5  # dose of both recorders
PLANTED = f"embedded corpus, recurrent network, dose {SAME:g}; w predicted, v hard, norm 2, probabilities"


def claims_of(corpus: str = EMBEDDED, read: Reader = read_results) -> list[dict[str, Any]]:
    """Return the rows for :func:`trustlab.lab.claims.claims`, from the tables that `read` finds."""
    table = read(result_name(corpus))[0]
    posts = read(posts_experiment.result_name("hatexplain"))[0]
    tweets = read(dialect_experiment.result_name("davidson_hate"))[0]
    return [*_of_dose(table), *_of_examples(table), *_of_posts(posts), *_of_dialects(tweets)]


def _of_dose(table: pandas.DataFrame) -> list[dict[str, Any]]:
    biased = table[table["recorder"] == BIASED]
    found = dose_response(biased["dose"], biased[P])
    measured = Interval(found.tau, found.tau_low, found.tau_high, len(biased))
    both = {who: select(table, recorder=who, dose=SAME) for who in (BIASED, BLIND)}
    apart = {name: both[BIASED][name].to_numpy() - both[BLIND][name].to_numpy() for name in (P, P_ODDS, SWAP)}
    mistakes = f"{PLANTED}; both learned from as many wrong labels"
    return [
        {
            "claim": "(a) P rises with the planted dose: Kendall's τ",
            "measured": measured,
            "above": 0,
            "sampled": "models",
            "setup": "embedded corpus, recurrent network, 25 models; w predicted, v hard, norm 2, probabilities",
        },
        {
            "claim": "(a, ours) P is larger for a biased recorder's model than for that of a blind one",
            "values": apart[P],
            "above": 0,
            "setup": mistakes,
        },
        {
            "claim": "(a, ours) … so is P of log odds",
            "values": apart[P_ODDS],
            "above": 0,
            "setup": mistakes.replace("probabilities", "log odds"),
        },
        {"claim": "(a, ours) … and so is the change by a swap", "values": apart[SWAP], "above": 0, "setup": mistakes},
    ]


def _of_examples(table: pandas.DataFrame) -> list[dict[str, Any]]:
    models = select(table, recorder=BIASED, dose=SAME)
    area = {name: models[AREA + name].to_numpy() for name in (P, P_EVEN, SWAP, UNSURE)}
    return [
        {
            "claim": "(b) P ranks requests closer to the planted truth than counterfactual fairness: difference of AUC",
            "values": area[P] - area[SWAP],
            "above": 0,
            "setup": PLANTED,
            "unless": "no counterpart can be written",
        },
        {
            "claim": "(b, ours) … and closer than 1 − p, how unsure the model is",
            "values": area[P] - area[UNSURE],
            "above": 0,
            "setup": PLANTED,
        },
        {
            "claim": "(b, ours) Weights on the group's words rank better than even ones",
            "values": area[P] - area[P_EVEN],
            "above": 0,
            "setup": PLANTED,
        },
    ]


def _of_posts(table: pandas.DataFrame) -> list[dict[str, Any]]:
    lean = {name: table[LEANING + name].to_numpy() for name in (P, SWAP, NAMED)}
    posts = (
        f"HateXplain, {table['posts'].iloc[0]:,} test posts that name a community by a listed word; a recurrent network"
    )
    return [
        {
            "claim": "(b) P ranks posts closer to how much people's reasons are the community's name than a swap does: "
            "difference of Spearman's ρ",
            "values": lean[P] - lean[SWAP],
            "above": 0,
            "setup": posts,
        },
        {
            "claim": "(b, ours) … and closer than the share of the post's words that name a community",
            "values": lean[P] - lean[NAMED],
            "above": 0,
            "setup": posts,
        },
        {
            "claim": "(b) Words that people marked move the prediction more than others: AUC within a post",
            "values": table[f"{MARKED}movement, probabilities"].to_numpy(),
            "above": 0.5,
            "setup": posts,
        },
        {
            "claim": "(b, ours) P finds posts whose annotators disagreed better than a swap: difference of AUC",
            "values": table[SPLIT + P].to_numpy() - table[SPLIT + SWAP].to_numpy(),
            "above": 0,
            "setup": posts,
        },
        {
            "claim": "(b, ours) P ranks identity terms by how unequally the model treats them: Spearman's ρ",
            "values": table[TERMS + P].to_numpy(),
            "above": 0.5,
            "setup": f"Dixon's templates, {FRAMES} harmless frames with 50 terms each; the same models",
        },
    ]


def _of_dialects(table: pandas.DataFrame) -> list[dict[str, Any]]:
    """Claim that P is larger where harm is (ours)."""
    setup = "Davidson's tweets, a recurrent network; v of the dialect's model, |IG|; w predicted, norm 2, probabilities"
    return [
        {
            "claim": "(ours) P is larger for tweets of the dialect whose harmless tweets are flagged more often: ratio",
            "values": table[RATIO + P_TOLD].to_numpy(),
            "above": 1,
            "setup": setup,
        },
        {
            "claim": "(ours) … and it is so among harmless tweets",
            "values": table[AMONG + P_TOLD].to_numpy(),
            "above": 1,
            "setup": setup,
            "unless": "tweets as long are compared",
        },
    ]
