"""Federated training of many simulated clients on one computer, with exactly the steps that each would take alone.

>>> from trustlab.federated.simulation import FederatedConfig, Task, simulate

One round, in four files: ``rounds`` (the loop), ``local_training`` (what a client does), ``server`` (weight, average,
step) and ``measurement`` (all test examples, and client by client). The inputs are defined in ``definitions`` (the
problem and the options) and ``fleet`` (the clients); ``dp_fedavg`` is what a private round adds.

Behind them: ``stacked`` trains all clients of a round at once, with ``grouped`` (layers that know clients) and
``embedding_tables`` (tables of which a client needs few rows). Before the first round ``engine_choice`` tries whether a
model can be stacked, ``loss_checks`` whether a loss trains it, and ``model_state`` whether it can be sent and averaged.
"""

from trustlab.federated.simulation.definitions import FederatedConfig, Task
from trustlab.federated.simulation.rounds import simulate

__all__ = ["FederatedConfig", "Task", "simulate"]
