"""The server."""

from flower_test_app.task import load_task
from trustlab.federated.deployment.server_app import server_app

app = server_app(lambda context: load_task(context.run_config))
