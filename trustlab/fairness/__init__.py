"""Fairness metrics, and which of them can be trusted.

Read in this order:

1. :mod:`~trustlab.fairness.association`: intrinsic metrics that look at vectors: WEAT, SEAT and CEAT.
2. :mod:`~trustlab.fairness.contexts`: the vector of a word in a sentence, from any encoder.
3. :mod:`~trustlab.fairness.likelihood`: intrinsic metrics that ask a language model what it finds likely: ILPS, LPBS,
   StereoSet, CrowS-Pairs.
4. :mod:`~trustlab.fairness.groups`: extrinsic metrics, on what a system decides about groups of people.

Intrinsic metrics need not predict extrinsic ones: that is what notebook 31 measures.
"""
