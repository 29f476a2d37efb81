"""Fairness metrics, and which of them can be trusted.

Intrinsic metrics probe a model. Read in this order:

1. :mod:`~trustlab.fairness.association`: is a group's vector closer to some words than to others? WEAT, SEAT and CEAT.
2. :mod:`~trustlab.fairness.contexts`: the vector of a word in a sentence, from any encoder.
3. :mod:`~trustlab.fairness.likelihood`: what does a language model find likely? ILPS, LPBS, StereoSet, CrowS-Pairs.

Extrinsic metrics measure what a system does:

4. :mod:`~trustlab.fairness.groups`: decisions about groups of people, which may overlap, with intervals.
5. :mod:`~trustlab.fairness.tasks`: texts, truth and groups, in one shape.
6. :mod:`~trustlab.fairness.scorers` and :mod:`~trustlab.fairness.generated_texts`: what a model writes about groups;
   :mod:`~trustlab.fairness.equity_levels`: what such ratios are worth.
7. :mod:`~trustlab.fairness.swaps`: the same text about the other gender.
8. :mod:`~trustlab.fairness.sensitivity`: how much a classifier's answer moves with the words that tell a status.

And one method changes a model:

9. :mod:`~trustlab.fairness.distillation`: a smaller language model learns from predictions with reversed roles.

Intrinsic metrics need not predict extrinsic ones: that is what notebook 31 measures.
"""
