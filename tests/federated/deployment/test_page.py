"""The commands of docs/deployment/flower.md, as they are written there, in a fresh folder."""

import re
import socket
import sys
from pathlib import Path

from trustlab.federated.deployment.processes import Processes

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "deployment" / "flower.md").read_text(encoding="utf-8")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def test_the_three_commands_train_and_the_last_returns_what_became_of_it(tmp_path):
    server, node, work = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    port = free_port()
    server = server.replace("flower-superlink", f"flower-superlink --port {port}")
    other = node.replace("partition-id=0", "partition-id=1").replace("flower-home-0", "flower-home-1")
    path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    with Processes(tmp_path, {"PATH": path, "PYTHONPATH": str(ROOT), "NO_PROXY": "*"}) as processes:

        def shell(name, command):
            command = command.replace("8000", port).replace("9100", free_port())
            return processes.start(name, ["sh", "-ec", command])

        shell("server", server)
        shell("node0", node)
        shell("node1", other)
        config = "rounds=1 task.train=200 task.test=50"
        code = shell("work", work.replace("rounds=3", config)).wait(timeout=600)
        assert code == 0, processes.log_of("work")
        failing = work.replace("rounds=3", f"{config} strategy='optimal'")
        assert shell("failing", failing).wait(timeout=600) == 1
        assert "Expected a strategy of activity alone" in processes.log_of("failing").splitlines()[-1]
