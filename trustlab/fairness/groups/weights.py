"""Sample weights, as fairlearn and scikit-learn take them: a row of weight 2 counts as two rows, one of 0 as none."""

from __future__ import annotations

from typing import Any

import numpy as np

from trustlab.columns import as_scores
from trustlab.fairness.groups.masks import Groups

# A sum over the rows outside a group is that of all minus the group's. Of weights that are no whole numbers, rounding
# leaves a little where there is no row: this share of all, and less, is no row.
_ROUNDING = 1e-12


def kept_and_weights(sample_weight: Any, groups: Groups, how: Any = None) -> tuple[np.ndarray | None, np.ndarray]:
    """Return which rows take part, bool [N], and the weights of those.

    Parameters
    ----------
    sample_weight : [N] or None
        Finite numbers >= 0. None, and weights above 0, keep every row: then the first that is returned is None.
    groups
        Of N rows.
    how
        A ``Bootstrap`` or a ``Chance``: one that names units or strata describes each row, so that none can be left
        out.

    Raises
    ------
    ValueError
        For a weight that is negative, NaN or infinite, another number of them, or none above 0.

    Examples
    --------
    >>> kept_and_weights([1.0, 0.0, 2.0], Groups.by(["a", "a", "b"]))
    (array([ True, False,  True]), array([1., 2.]))
    """
    if sample_weight is None:
        return None, np.ones(len(groups))
    weights = as_scores(sample_weight, "sample weight", rows=len(groups), low=0)
    kept = weights > 0
    if not kept.any():
        raise ValueError("Expected a sample weight above 0, got none. Nothing would be measured.")
    if kept.all():
        return None, weights
    if getattr(how, "units", None) is not None or getattr(how, "strata", None) is not None:
        raise ValueError(
            f"Expected sample weights above 0 with units or strata of a {type(how).__name__.lower()}. Leave those rows "
            "out."
        )
    return kept, weights[kept]


def outside(all_rows: np.ndarray, group: np.ndarray) -> np.ndarray:
    """Return the weight of the rows outside a group, 0 where only rounding is left."""
    rest = all_rows - group
    return np.where(rest <= _ROUNDING * all_rows, 0.0, rest)


def effective_rows(weight: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Return how many rows of equal weight would be as sure (Kish 1965): (Σ w)² / Σ w², NaN of no rows.

    Examples
    --------
    >>> effective_rows(np.array([4.0]), np.array([4.0])), effective_rows(np.array([4.0]), np.array([10.0]))
    (array([4.]), array([1.6]))
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        return weight**2 / squares
