"""The server: first weights, and the test examples that it measures on."""

from trustlab.federated.deployment.server_app import server_app
from trustlab_flower.task import load_task

app = server_app(lambda context: load_task(context.run_config))
