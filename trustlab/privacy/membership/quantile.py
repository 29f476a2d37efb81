"""The attack by quantile regression (Bertran et al. 2023): no reference model, only examples that were not trained on.

How high a score would be *without* membership depends on the example: short and frequent utterances are easy for every
model. A regression learns the (1 − α)-quantile of the target model's own scores on public non-members, given features
of the example. A target above its quantile is called a member, which happens to non-members with probability α whatever
their features.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.columns import as_features, as_scores

FEWEST_IN_TAIL = 5  # public examples expected above the quantile; with fewer it is a guess


def quantile_regression(
    target: Any,
    features: Any,
    *,
    public: Any,
    public_features: Any,
    fpr: float = 0.01,
    penalty: float = 1e-4,
) -> np.ndarray:
    """Return by how much each target's score is above what 1 − `fpr` of non-members like it have, [N].

    Positive values are called members at that FPR; larger is a member at every other threshold.

    Parameters
    ----------
    target : [N]
        The target model's signal, larger for a member.
    features : [N, d]
        What is known of the example without the model: its length, its label, an embedding.
    public : [P]
        The signal of public examples that were not in the training.
    public_features : [P, d]
    fpr
        α in (0, 1), the share of non-members to be called members.
    penalty
        L1 penalty on the coefficients of the features, which are scaled to unit variance.

    Raises
    ------
    ValueError
        If features do not fit, or α is so small that fewer than five public examples would be above the quantile.

    Examples
    --------
    >>> scores = np.linspace(0, 1, 101)
    >>> quantile_regression([0.95, 0.5], [[0.0], [0.0]], public=scores, public_features=np.zeros((101, 1)),
    ...                     fpr=0.1).round(2)
    array([ 0.05, -0.4 ])
    """
    from sklearn.linear_model import QuantileRegressor

    scores, known = as_scores(target, "target score"), as_scores(public, "public score")
    own, others = as_features(features), as_features(public_features, "public_features")
    if own.shape[1] != others.shape[1] or len(own) != len(scores) or len(others) != len(known):
        raise ValueError(
            f"Expected as many features for {len(scores)} targets as for {len(known)} public examples, got shapes "
            f"{list(own.shape)} and {list(others.shape)}."
        )
    if not 0 < fpr < 1 or fpr * len(known) < FEWEST_IN_TAIL:
        raise ValueError(
            f"Expected fpr={fpr} in (0, 1) with at least {FEWEST_IN_TAIL} of the {len(known)} public examples above "
            f"the quantile, got {fpr * len(known):g}. Ask for a larger FPR or bring more public examples."
        )
    spread = others.std(0)
    spread[spread == 0] = 1.0
    scale = lambda rows: (rows - others.mean(0)) / spread  # noqa: E731
    model = QuantileRegressor(quantile=1 - fpr, alpha=penalty, solver="highs").fit(scale(others), known)
    return scores - model.predict(scale(own))
