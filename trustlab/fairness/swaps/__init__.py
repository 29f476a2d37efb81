"""Texts about the other gender: swapped word by word, and back.

Read in this order: :mod:`~trustlab.fairness.swaps.word_pairs` (which words are each other's counterpart),
:mod:`~trustlab.fairness.swaps.his_and_her` (*her* and *his*), :mod:`~trustlab.fairness.swaps.counterfactual` (a text),
:mod:`~trustlab.fairness.swaps.token_alignment` (its tokens).
"""

from trustlab.fairness.swaps.counterfactual import Counterfactual, Swap, counterfactual
from trustlab.fairness.swaps.token_alignment import TokenAlignment, align_tokens
from trustlab.fairness.swaps.word_pairs import OWN_PAIRS, WordPairs, one_to_one, public_pairs

__all__ = [
    "OWN_PAIRS",
    "Counterfactual",
    "Swap",
    "TokenAlignment",
    "WordPairs",
    "align_tokens",
    "counterfactual",
    "one_to_one",
    "public_pairs",
]
