"""The same project in Flower's simulation: its engine and its grid, with one worker in this process in place of Ray's.

Ray itself runs in ``make bench ARGS=deployment``, where it is installed.
"""

import copy
import sys
from types import SimpleNamespace

import pytest
from safetensors.torch import load_file


@pytest.fixture
def one_worker(monkeypatch, flower_app):
    """Flower's simulation asks for a worker in this process."""
    from flwr.server.superlink.fleet.vce.backend import Backend

    class InThisProcess(Backend):
        def build(self, app_fn):
            self.app = app_fn

        @property
        def num_workers(self):
            return 1

        def is_worker_idle(self):
            return True

        def terminate(self):
            pass

        def process_message(self, message, context):
            return self.app()(copy.deepcopy(message), context), context  # what travels is a copy

    name = "flwr.server.superlink.fleet.vce.backend.raybackend"
    monkeypatch.setitem(sys.modules, name, SimpleNamespace(RayBackend=InThisProcess))
    monkeypatch.setenv("FLWR_TELEMETRY_ENABLED", "0")
    monkeypatch.syspath_prepend(str(flower_app))


@pytest.mark.parametrize("secure", [False, True], ids=["plain", "secure sum"])
def test_the_project_runs_unchanged_in_flowers_simulation(
    one_worker, flower_app, deploy, base, farthest, tmp_path, secure
):
    from flwr.app import Context, RecordDict
    from flwr.simulation.run_simulation import _run_simulation
    from flwr.supercore.constant import NOOP_FEDERATION_ID
    from flwr.supercore.run import Run
    from flwr.supercore.task_identity import TaskIdentity
    from flwr.supercore.telemetry import EventType

    config = {"round-timeout": 30.0, "wait": 30.0, "poll": 0.01, "secure-sum": secure}
    _, wanted, _ = deploy(config)
    run = Run.create_empty(run_id=7)
    run.primary_task_id, run.federation_id = 8, NOOP_FEDERATION_ID
    run.override_config = base | config | {"out": str(tmp_path)}
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 8, 7, 1
    _run_simulation(
        num_supernodes=4,
        exit_event=EventType.PYTHON_API_RUN_SIMULATION_LEAVE,
        backend_name="one worker",
        server_app_attr="flower_test_app.server_app:app",
        client_app_attr="flower_test_app.client_app:app",
        server_app_context=Context(7, 1, {}, RecordDict(), run.override_config),
        app_dir=str(flower_app),
        is_app=True,
        run=run,
    )
    found = load_file(tmp_path / "model.safetensors")
    distance = max(float((found[name] - p.detach()).abs().max()) for name, p in wanted.named_parameters())
    assert distance <= (1e-4 if secure else 1e-9)
