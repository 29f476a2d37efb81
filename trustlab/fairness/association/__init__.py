"""Association tests: whether targets X are closer to attributes A, and Y to B, in the vectors of a model.

``weat`` is the test and ``permutations`` its p-value, counted exactly; ``words`` takes word sets out of word vectors,
``seat`` puts words into plain sentences, ``ceat`` combines the words' vectors in thousands of real contexts.
"""

from trustlab.fairness.association.ceat import CombinedAssociation, ceat, combine
from trustlab.fairness.association.seat import TEMPLATES, fill, seat
from trustlab.fairness.association.sets import distinct_sets
from trustlab.fairness.association.weat import Association, associations, weat
from trustlab.fairness.association.words import TestSets, WordVectors, word_vectors

__all__ = [
    "TEMPLATES",
    "Association",
    "CombinedAssociation",
    "TestSets",
    "WordVectors",
    "associations",
    "ceat",
    "combine",
    "distinct_sets",
    "fill",
    "seat",
    "weat",
    "word_vectors",
]
