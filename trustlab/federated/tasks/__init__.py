"""FedNLP's four families of tasks behind one protocol: classification, tagging, question answering, seq2seq.

>>> from trustlab.federated.tasks import FAMILIES, read
>>> list(FAMILIES)
['classification', 'tagging', 'qa', 'seq2seq']

Read in this order: ``protocol`` (what a family provides), ``sources`` (from corpora to its examples), ``reading``
(what three of the families share), the four families, and ``metrics``.
"""

from trustlab.federated.tasks.answering import Answering
from trustlab.federated.tasks.classification import Classification
from trustlab.federated.tasks.protocol import SMALL, Batch, Example, Family
from trustlab.federated.tasks.sequence_to_sequence import Generation
from trustlab.federated.tasks.sources import SOURCES, read
from trustlab.federated.tasks.tagging import Tagging

# The families of tasks: what their examples, models, losses and measures are.
FAMILIES: dict[str, Family] = {
    "classification": Classification(),
    "tagging": Tagging(),
    "qa": Answering(),
    "seq2seq": Generation(),
}

__all__ = ["FAMILIES", "SMALL", "SOURCES", "Batch", "Example", "Family", "read"]
