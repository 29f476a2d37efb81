"""A node: the same task, and which of its examples are this node's."""

from trustlab.federated.deployment.client_app import client_app
from trustlab_flower.task import load_own

app = client_app(load_own)
