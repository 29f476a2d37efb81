"""What a library means by α, the concentration of label skew: as options of one partition function.

Shared by notebooks 21 and 24, and by the panel that divides a corpus.
"""

from __future__ import annotations

from typing import Any

DEFINITIONS = {"fednlp": "FedNLP", "flower": "Flower", "pfl": "pfl"}
ALPHAS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)


def alpha_options(definition: str, alpha: float) -> dict[str, Any]:
    """Return the options of :func:`trustlab.federated.partition.partition` for α as a library means it.

    FedNLP's clients draw from Dir(α·p), p the labels' shares in the whole data; pfl's from Dir(α, …, α) over the
    labels; Flower's labels from Dir(α, …, α) over the clients.

    Parameters
    ----------
    definition
        A key of :data:`DEFINITIONS`.
    alpha
        α > 0 in that library.

    Examples
    --------
    >>> alpha_options("pfl", 0.5)
    {'scheme': 'label-dirichlet-pfl', 'alpha': 0.5}
    """
    return {"scheme": f"label-dirichlet-{definition}", "alpha": alpha}
