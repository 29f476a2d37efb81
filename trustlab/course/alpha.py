"""What a library means by α, the concentration of label skew: as options of one partition function.

Shared by notebooks 21 and 24, and by the panel that divides a corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from trustlab.columns import as_labels

DEFINITIONS = {"fednlp": "FedNLP", "flower": "Flower", "pfl": "pfl"}
ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


def alpha_options(definition: str, alpha: float, labels: Sequence[Any]) -> dict[str, Any]:
    """Return the options of :func:`trustlab.federated.partition.partition` for α as a library means it.

    pfl (and Flower's ``InnerDirichletPartitioner``, given a number) lets each client draw from Dir(α, …, α) over the L
    labels. With equally frequent labels that is FedNLP's distribution at L·α. With others it is not: pfl's first
    clients then have equal shares on average, and its last ones what is left. The distributions here have the data's
    own shares as their mean, as all of them together must, and pfl's concentration L·α.

    Parameters
    ----------
    definition
        A key of :data:`DEFINITIONS`.
    alpha
        α > 0 in that library.
    labels
        The label of each example.

    Examples
    --------
    >>> alpha_options("pfl", 0.5, ["stop", "play", "play", "stop"])
    {'scheme': 'label-dirichlet-fednlp', 'alpha': 1.0}
    """
    if definition == "flower":
        return {"scheme": "label-dirichlet-flower", "alpha": alpha}
    kinds = len(set(as_labels(labels).tolist())) if definition == "pfl" else 1
    return {"scheme": "label-dirichlet-fednlp", "alpha": alpha * kinds}
