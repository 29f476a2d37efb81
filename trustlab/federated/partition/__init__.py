"""Dividing a data set among clients: schemes, statistics, and files in FedNLP's layout.

>>> from trustlab.federated.partition import partition, skew
>>> labels = [0, 1, 2, 3] * 100
>>> alike = partition(labels, scheme="label-dirichlet-fednlp", clients=10, alpha=1e6)
>>> unlike = partition(labels, scheme="label-dirichlet-fednlp", clients=10, alpha=0.01)
>>> skew(alike, labels)["JS distance"] < skew(unlike, labels)["JS distance"]
True
"""

from trustlab.federated.partition.clusters import embed
from trustlab.federated.partition.indices import Partition
from trustlab.federated.partition.matching import matching
from trustlab.federated.partition.natural import by_period, only
from trustlab.federated.partition.schemes import SCHEMES, Scheme, partition, partition_pair
from trustlab.federated.partition.statistics import effective_labels, gini, heaviest, jensen_shannon, label_counts, skew

__all__ = [
    "SCHEMES",
    "Partition",
    "Scheme",
    "by_period",
    "effective_labels",
    "embed",
    "gini",
    "heaviest",
    "jensen_shannon",
    "label_counts",
    "matching",
    "only",
    "partition",
    "partition_pair",
    "skew",
]
