"""Federated rounds between real processes and machines, on Flower, with the simulator's selection and aggregation.

>>> from trustlab.federated.deployment import RunFailedError, loopback

Read in this order: ``run_options`` (what a run's configuration says), ``updates`` (what an update must be, in one
place), ``strategy`` (a round, as the server sees it), ``client_app`` and ``server_app`` (the two halves of a Flower
project, such as ``examples/flower``). ``secure_sum`` lets the server see nothing but the sum of updates.

Behind them: ``on_loopback`` runs a whole deployment on this machine, of ``processes`` that end with it, and with
``certificates`` made for it. Nothing of Flower or torch is imported here.
"""

from trustlab.federated.deployment.on_loopback import Loopback, loopback
from trustlab.federated.deployment.outcome import RunFailedError

__all__ = ["Loopback", "RunFailedError", "loopback"]
