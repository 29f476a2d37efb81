"""Likelihood metrics: what a language model finds likely when a sentence names one group or another.

``scoring`` gives the log-probability of every token, masked one at a time and batched, or from left to right. On it
rest ``templates`` (ILPS, LPBS), ``stereoset`` and ``crows_pairs``.
"""

from trustlab.fairness.likelihood.crows_pairs import crows_pairs, score_pairs, unmodified
from trustlab.fairness.likelihood.kinds import kind_of
from trustlab.fairness.likelihood.scoring import LikelihoodScorer
from trustlab.fairness.likelihood.stereoset import SentenceScores, read_scores, score_clusters, stereoset
from trustlab.fairness.likelihood.templates import ilps, lpbs

__all__ = [
    "LikelihoodScorer",
    "SentenceScores",
    "crows_pairs",
    "ilps",
    "kind_of",
    "lpbs",
    "read_scores",
    "score_clusters",
    "score_pairs",
    "stereoset",
    "unmodified",
]
