"""Client selection: which clients the server asks in a round, by what rule, and with what known probability.

:class:`Selector` is all that most users need. ``strategies`` turns activity into weights, ``designs`` weights into
cohorts, and ``weighted_sampler`` is the fast draw below both. Notebook 22 derives them.
"""

from trustlab.federated.selection.designs import DESIGNS, UnknownInclusionError
from trustlab.federated.selection.selector import Selector
from trustlab.federated.selection.strategies import STRATEGIES, SelectionConfig

__all__ = ["DESIGNS", "STRATEGIES", "SelectionConfig", "Selector", "UnknownInclusionError"]
