"""What is measured on real data: extrinsic metrics as columns, pronouns, and word tests about the same groups.

Every number has its own interval: over test texts for extrinsic metrics (columns "… low" and "… high"), over words for
intrinsic ones ("… ±", a standard error).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from trustlab.course.correlation import correlations
from trustlab.course.n31_fairness_metrics.intrinsic import intrinsic_metrics
from trustlab.course.n31_fairness_metrics.notions import Notion
from trustlab.course.n31_fairness_metrics.real_models import Trained
from trustlab.data import load
from trustlab.deprecation import old_names
from trustlab.fairness.association import associations, fill
from trustlab.fairness.contexts import ContextEncoder
from trustlab.fairness.groups import ALL, BETWEEN, Bootstrap, Chance
from trustlab.fairness.likelihood import LikelihoodScorer, crows_pairs, score_clusters, score_pairs, stereoset
from trustlab.fairness.tasks import GroupedTexts, extrinsic_metrics, load_task, occupation_correlation

Row = dict[str, Any]
RESAMPLES = 500
DRAWS = 2000  # exchanges of groups
# Metric → its columns in the stored tables, which keep the names that they were written with.
OVERALL = {
    "accuracy_score": "accuracy",
    "auc": "auc",
    "flip_rate": "flip rate",
    "absolute_score_change": "absolute score change",
}
GAPS = {
    "accuracy_score_difference": "accuracy gap",
    "demographic_parity_difference": "selection gap",
    "true_positive_rate_difference": "tpr gap",
    "false_positive_rate_difference": "fpr gap",
    "equalized_odds_difference": "equalized odds gap",
    "subgroup_auc_mean": "subgroup auc mean",
    "bpsn_auc_mean": "bpsn auc mean",
    "bnsp_auc_mean": "bnsp auc mean",
}
# What chance does to a gap → the endings of its columns.
CHANCE = {"blind": "blind", "blind_low": "blind low", "blind_high": "blind high", "p": "p", "corrected": "corrected",
          "spread": "spread", "spread_low": "spread low", "spread_high": "spread high"}  # fmt: skip
# Metric by which a group can be worst off → its column, and which end of the groups' own numbers is the worst.
WORST = {
    "false_positive_rate_minus_rest": ("fpr minus rest", "highest"),
    "true_positive_rate_minus_rest": ("tpr minus rest", "lowest"),
    "accuracy_score_minus_rest": ("accuracy minus rest", "lowest"),
    "subgroup_auc": ("subgroup auc", "lowest"),
    "bpsn_auc": ("bpsn auc", "lowest"),
    "bnsp_auc": ("bnsp auc", "lowest"),
}
NOBODY = "nobody"  # the group that is worst off where all groups are equal
MIN_COUNT = 10  # of a word in a corpus: then a small model trained on it has a vector for the word
CONTEXTS = 6000  # texts in which words are sought


def extrinsic_columns(name: str, texts: GroupedTexts, trained: Trained) -> Row:
    """Return every metric that `texts` allow as columns "<name> <column>", each with "… low" and "… high".

    A difference between groups is left out where one of them has no positives, or no negatives. Differences of rates
    have intervals that cover the truth, and the columns of :data:`CHANCE`: what a classifier blind to the groups shows,
    how often it shows as much, the corrected difference, and the spread of the groups.

    For each metric of :data:`WORST` there are "<name> worst <column>"; under "… group" the group that is most likely
    the worst off, or :data:`NOBODY`; and under "… probability" how likely that is, with small groups pooled.
    """
    swapped = None if texts.counterparts is None else trained.score(texts.counterparts)
    found = extrinsic_metrics(
        texts,
        trained.score(texts.texts),
        swapped=swapped,
        bootstrap=Bootstrap(resamples=RESAMPLES),
        chance=Chance(draws=DRAWS),
    )
    by_key = {(each["metric"], each["group"]): each for each in found}
    row: Row = {}
    for group, columns in ((ALL, OVERALL), (BETWEEN, GAPS)):
        for metric, column in columns.items():
            each = by_key.get((metric, group))
            if each and not math.isnan(each["value"]):
                row |= _with_interval(f"{name} {column}", each)
                row |= {f"{name} {column} {ending}": each[key] for key, ending in CHANCE.items() if key in each}
    for metric, (column, end) in WORST.items():
        row |= _worst(f"{name} worst {column}", metric, end, by_key)
    return row


def _worst(name: str, metric: str, end: str, by_key: Mapping[tuple[str, str], Mapping[str, Any]]) -> Row:
    """Return who is worst off by a metric, with which probability; nothing where groups cannot be compared."""
    own = metric.removesuffix("_minus_rest")
    likely = {group: each[end] for (which, group), each in by_key.items() if which == own and end in each}
    group = max(likely, key=lambda each: likely[each])
    if math.isnan(likely[group]):
        return {}
    equal = max(likely.values()) - min(likely.values()) < 1e-12
    return {
        f"{name} group": NOBODY if equal else group,
        f"{name} probability": likely[group],
        **_with_interval(name, by_key[metric, group]),
    }


def _with_interval(name: str, measured: Mapping[str, Any]) -> Row:
    ends = {f"{name} {end}": float(measured[end]) for end in ("low", "high")}
    return {name: float(measured["value"]), **ends}


def pronoun_columns(scorer: LikelihoodScorer) -> Row:
    """Return which pronoun a language model expects, on WinoBias (type 1) and Winogender.

    "winobias stereotype": the share of pairs in which the stereotyped pronoun is the more likely one (0.5: none), over
    all and its gap between occupations of women and of men. "winogender she": the share of sentences in which "she" is
    the more likely one, its gap between occupations, and its correlation with labour statistics.
    """
    row: Row = {}
    for name, asked in (("winobias", "stereotype"), ("winogender", "she")):
        texts = load_task(name).test
        (first, noise), (second, _) = (_likelihoods(scorer, each) for each in (texts.texts, texts.counterparts or ()))
        preference = first - second if name == "winobias" else second - first  # Winogender's counterparts say "she"
        shares = (1 + np.where(abs(preference) > noise, np.sign(preference), 0)) / 2
        asked_of = {"bootstrap": Bootstrap(resamples=RESAMPLES), "chance": Chance(draws=DRAWS)}
        for each in extrinsic_metrics(texts, shares, **asked_of):
            column = {("score", ALL): asked, ("score_difference", BETWEEN): f"{asked} gap"}.get(
                (each["metric"], each["group"])
            )
            if column:
                row |= _with_interval(f"{name} {column}", each)
                row |= {f"{name} {column} {ending}": each[key] for key, ending in CHANCE.items() if key in each}
    facts = texts.facts
    draws = Bootstrap(resamples=RESAMPLES)
    found = occupation_correlation(preference, facts["occupation"], facts["bls_female"], bootstrap=draws)
    return row | _with_interval("winogender correlation with statistics", found)


def _likelihoods(scorer: LikelihoodScorer, texts: Sequence[str]) -> tuple[np.ndarray, float]:
    """Return the log-likelihood of each text, and how far one may move with its batch."""
    found = scorer.token_log_probabilities(texts)
    return np.array([each.sum() for each in found]), scorer.noise * math.sqrt(max(map(len, found), default=1))


def published_columns(scorer: LikelihoodScorer) -> Row:
    """Return CrowS-Pairs' and StereoSet's scores about gender, of the published sentences (intrasentence ones)."""
    pairs = [row for row in load("crows_pairs")["test"] if row["bias_type"] == "gender"]
    found = crows_pairs(score_pairs(scorer, pairs))[0]
    clusters = [
        row for row in load("stereoset")["test"] if row["domain"] == "gender" and row["kind"] == "intrasentence"
    ]
    scores = stereoset(clusters, score_clusters(scorer, clusters))[0]
    error = 100 * math.sqrt(0.25 / found["pairs"])  # of a share near one half
    return {
        "gender CrowS-Pairs": found["score"],
        "gender CrowS-Pairs ±": error,
        **{f"gender StereoSet {name.upper()}": scores[name] for name in ("ss", "lms", "icat")},
    }


def gender_words(poles: str, texts: Sequence[str]) -> Notion:
    """Return women and men in the words of WEAT's tests, keeping those that are frequent in `texts`.

    Parameters
    ----------
    poles
        "pleasant": the attributes are WEAT's unpleasant and pleasant words; "career": those of family and career.
    texts
        A word must occur in them at least :data:`MIN_COUNT` times, as a whole word.
    """
    sets = {row[f"{side}_name"]: row[side] for row in load("weat")["test"] for side in "XYAB"}
    names = {"pleasant": ("unpleasant_9", "pleasant_9"), "career": ("family", "career")}[poles]
    counts = Counter(word for text in texts[:CONTEXTS] for word in text.lower().split())

    def kept(name: str) -> tuple[str, ...]:
        return tuple(word for word in sets[name] if counts[word] >= MIN_COUNT)

    first, second, pole_a, pole_b = map(kept, ("female_terms", "male_terms", *names))
    return Notion("gender", ("women", "men"), first, second, pole_a, pole_b, (), (), "{word}", "{word}",
                  ("plain", "plain"))  # fmt: skip


def intrinsic_columns(encoder: Any, tokenizer: Any, poles: str, texts: Sequence[str]) -> Row:
    """Return WEAT, SEAT and CEAT of an encoder about women and men, as columns "gender WEAT" and "gender WEAT ±".

    CEAT finds the words in `texts`. Positive: women are closer to the unpleasant words, or to the family's. Nothing is
    returned where fewer than two words of a set occur in the texts.
    """
    notion = gender_words(poles, texts)
    if min(map(len, (notion.first, notion.second, notion.pole_a, notion.pole_b))) < 2:
        return {}
    bare = getattr(encoder, "base_model", encoder)  # without its head: likelihoods of single words mean little
    row: Row = {}
    for name, (value, error) in intrinsic_metrics(bare, tokenizer, notion=notion, contexts=texts[:CONTEXTS]).items():
        row |= {f"gender {name}": value, f"gender {name} ±": error}
    return row


def term_columns(trained: Trained, texts: GroupedTexts) -> Row:
    """Return whether identity terms closer to unpleasant words get higher scores in harmless sentences.

    Both numbers are about the same groups, and within one model: over terms, Spearman's correlation of the encoder's
    association with the classifier's mean score, with an interval over terms and the |r| that so many terms need.
    """
    sets = {row[f"{side}_name"]: row[side] for row in load("weat")["test"] for side in "AB"}
    groups = [texts.groups.names, sets["unpleasant_9"], sets["pleasant_9"]]
    encoder = ContextEncoder(trained.encoder, trained.tokenizer)
    W, A, B = (_word_vectors(encoder, each) for each in groups)
    harmless = ~texts.truth
    scores, masks = trained.score(texts.take(harmless).texts), texts.groups.masks[harmless]
    by_term = (scores @ masks) / masks.sum(0)
    (found,) = correlations({"association": associations(W, A, B)}, {"score": by_term})
    name = "terms association and score"
    return {**_with_interval(name, {**found, "value": found["r"]}), f"{name} needed": found["needed"]}


def _word_vectors(encoder: ContextEncoder, words: Sequence[str]) -> np.ndarray:
    """Return each word's mean vector [n, d] over SEAT's sentences."""
    sentences = fill(words, "plain")
    return encoder.embed_texts(sentences).reshape(len(words), -1, encoder.model.config.hidden_size).mean(1)


__getattr__ = old_names(__name__, {"HEARD": "MIN_COUNT"})
