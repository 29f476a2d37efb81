"""Federated training of many simulated devices on one computer, with exactly the steps that each would take alone.

>>> from trustlab.federated.simulation import FederatedConfig, Task, simulate

Read in this order: ``config`` and ``task`` (what is to be trained), ``rounds`` (the loop), ``work`` (what a device
does in a round), ``sequential`` (local training by its definition), ``stacked`` (all devices at once), ``grouped``
(layers that know devices), ``tables`` (embeddings of which devices need few rows), ``trial`` (whether a model can be
stacked), ``server`` (averaging), ``measuring`` (all test examples, and device by device), ``devices`` (means over
these), ``private`` (DP-FedAvg), ``sendable`` and ``sound`` (which models and losses are refused, and why) and ``state``
(what a model holds beside trained weights).
"""

from trustlab.federated.simulation.definitions import FederatedConfig
from trustlab.federated.simulation.rounds import simulate
from trustlab.federated.simulation.task import Task

__all__ = ["FederatedConfig", "Task", "simulate"]
