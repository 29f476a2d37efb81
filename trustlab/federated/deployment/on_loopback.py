"""A whole deployment on this machine: a SuperLink, SuperNodes and a run, as on many machines but for the network.

Every process has a Flower home of its own, the server listens on 127.0.0.1 alone, Flower reports nothing to its makers
and installs nothing, and no process outlives the block.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

from trustlab.federated.deployment.outcome import RunFailedError, json_in, last_lines, outcome
from trustlab.federated.deployment.processes import Processes
from trustlab.versions import ROOT

Row = dict[str, Any]
Value = bool | int | float | str
HOST, START_WITHIN, TRIES = "127.0.0.1", 60.0, 3
TICK = 0.4  # seconds between rows while nothing is new
ONE_CORE_EACH = f"client-resources-num-cpus=1 init-args-num-cpus={os.cpu_count()}"  # of Ray's workers
EXAMPLE = ROOT / "examples" / "flower"
QUIET = {  # Flower would report the run to its makers, look for updates, and poll for tasks once a second
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_SUPEREXEC_TASK_POLL_INTERVAL": "0.25",
    "NO_PROXY": HOST,
    "no_proxy": HOST,
    "OMP_NUM_THREADS": "1",
    "PYTHONUNBUFFERED": "1",
    # On a busy machine the 30 seconds that Ray gives itself to start are not enough; it reads these names as they are.
    "RAY_raylet_start_wait_time_s": "180",
    "RAY_agent_register_timeout_ms": "180000",
    "RAY_USAGE_STATS_ENABLED": "0",
}


class Loopback:
    """A SuperLink and its SuperNodes, to be used in a ``with`` block.

    Parameters
    ----------
    folder
        Where logs, homes and results lie.
    secure
        TLS between all of them, and only nodes whose keys were registered take part.
    simulated
        So many nodes of Flower's simulation on Ray in place of SuperNodes; 0 for a deployment.

    Raises
    ------
    ModuleNotFoundError
        Without flwr.
    """

    def __init__(self, folder: Path, *, secure: bool = False, simulated: int = 0) -> None:
        if find_spec("flwr") is None:
            raise ModuleNotFoundError("Expected flwr: pip install -c requirements.lock -e '.[flower]'.")
        self.folder, self.secure, self.simulated, self.port = Path(folder).resolve(), secure, simulated, 0
        self.nodes: list[subprocess.Popen[bytes]] = []
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        binaries = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
        self._processes = Processes(self.folder, QUIET | {"PYTHONPATH": os.pathsep.join(paths), "PATH": binaries})

    def __enter__(self) -> Loopback:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._processes.__enter__()
        try:
            self._start_superlink()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End every process."""
        self._processes.close()

    @property
    def mark(self) -> str:
        """What all processes carry, see :mod:`trustlab.federated.deployment.processes`."""
        return self._processes.mark

    def _start_superlink(self) -> None:
        """Start the SuperLink and wait until it listens; where its port was taken meanwhile, take another."""
        for attempt in range(TRIES):
            self.port, name = _free_port(), f"superlink{attempt or ''}"
            command = ["flower-superlink", "--host", HOST, "--port", str(self.port)]
            command += ["--disable-runtime-dependency-installation", *self._superlink_security()]
            command += ["--simulation"] if self.simulated else []
            process = self._start(name, command)
            end = time.monotonic() + START_WITHIN
            while time.monotonic() < end and process.poll() is None:
                if _listens(self.port):
                    return
                time.sleep(0.05)
            self._processes.end(process)
        raise RunFailedError(
            f"Expected a SuperLink on {HOST}, got none in {TRIES} tries: {last_lines(self._log(name))}"
        )

    def _superlink_security(self) -> list[str]:
        connection = {"address": f"{HOST}:{self.port}", "insecure": True}
        options = ["--insecure"]
        if self.secure:
            from trustlab.federated.deployment.certificates import make_authority

            paths = make_authority(self.folder / "keys", HOST)
            connection = {"address": f"{HOST}:{self.port}", "root-certificates": str(paths.authority)}
            options = ["--ssl-ca-certfile", str(paths.authority), "--ssl-certfile", str(paths.certificate)]
            options += ["--ssl-keyfile", str(paths.key), "--enable-supernode-auth"]
        lines = ["[superlink]", 'default = "loopback"', "", "[superlink.loopback]"]
        lines += [f"{name} = {json.dumps(value)}" for name, value in connection.items()]
        home = self.folder / "homes" / "flwr"
        home.mkdir(parents=True, exist_ok=True)
        (home / "config.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return options

    def _start(self, name: str, command: list[str], home: str | None = None) -> subprocess.Popen[bytes]:
        place = self.folder / "homes" / (home or name)
        place.mkdir(parents=True, exist_ok=True)
        return self._processes.start(name, command, FLWR_HOME=str(place))

    def _log(self, name: str) -> str:
        return self._processes.log_of(name)

    def start_node(self, *, partitions: int, registered: bool = True, **node_config: Value) -> int:
        """Start a SuperNode and return its number here, which is also its ``partition-id`` unless that is given.

        Parameters
        ----------
        partitions
            Into how many parts the corpus is divided.
        registered
            In a secure deployment, whether the server knows the node's key.
        **node_config
            More of what the node's app reads in ``context.node_config``, with underscores for hyphens.
        """
        number = len(self.nodes)
        config = {"partition-id": number, "num-partitions": partitions}
        config |= {name.replace("_", "-"): value for name, value in node_config.items()}
        text = " ".join(f"{name}={json.dumps(value)}" for name, value in config.items())
        command = ["flower-supernode", "--superlink", f"{HOST}:{self.port}", "--host", HOST]
        command += ["--port", str(_free_port()), "--node-config", text, *self._node_security(number, registered)]
        self.nodes.append(self._start(f"node{number}", command))
        return number

    def _node_security(self, number: int, registered: bool) -> list[str]:
        if not self.secure:
            return ["--insecure"]
        from trustlab.federated.deployment.certificates import make_node_key

        private, public = make_node_key(self.folder / "keys", f"node{number}")
        if registered:
            self.flwr("supernode", "register", str(public), "loopback")
        authority = self.folder / "keys" / "ca.crt"
        return ["--root-certificates", str(authority), "--auth-supernode-private-key", str(private)]

    def kill_node(self, number: int) -> None:
        """Kill a SuperNode and what it has started, as a machine that loses its power."""
        self._processes.end(self.nodes[number])

    def flwr(self, *arguments: str) -> Row:
        """Run ``flwr ARGUMENTS --format json`` against this SuperLink and return what it says.

        Raises
        ------
        RunFailedError
            When it refuses.
        """
        name = f"flwr-{arguments[0]}"
        before = len(self._log(name))
        code = self._start(name, ["flwr", *arguments, "--format", "json"], home="flwr").wait()
        said = self._log(name)[before:]
        if code:
            raise RunFailedError(f"Expected flwr {' '.join(arguments)} to succeed, got {last_lines(said)}")
        return json_in(said, f"flwr {arguments[0]}")

    def run(self, app: Path, run_config: Mapping[str, Value]) -> Iterator[Row]:
        """Run a Flower project here and yield rows until it has ended: those of its rounds, and waiting ones.

        Raises
        ------
        RunFailedError
            When the run did not complete, with the server's reason: Flower's own command returns 0 then.
        """
        out = Path(tempfile.mkdtemp(dir=self.folder, prefix="run"))
        lines = [f"{name} = {json.dumps(value)}" for name, value in {**run_config, "out": str(out)}.items()]
        (out / "run.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")
        name = out.name
        command = [
            "flwr",
            "run",
            str(Path(app).resolve()),
            "loopback",
            "--run-config",
            str(out / "run.toml"),
            "--stream",
        ]
        if self.simulated:
            command += ["--federation-config", f"num-supernodes={self.simulated} {ONE_CORE_EACH}"]
        streaming = self._start(name, command, home="flwr")
        shown = 0
        while True:
            ended = streaming.poll() is not None
            rows = _rows(out / "rows.jsonl")
            yield from ({"stage": "round", **row} for row in rows[shown:])
            shown = len(rows)
            if ended:
                break
            yield {"stage": "waiting"}
            time.sleep(TICK)
        yield {"stage": "finished", "folder": str(out), **outcome(self._log(name), self.flwr)}


def loopback(
    nodes: int = 2,
    rounds: int = 3,
    *,
    run_config: Mapping[str, Value] | None = None,
    app: Path | None = None,
    secure: bool = False,
    timeout: float = 60.0,
    wait: float = 60.0,
    folder: Path | None = None,
) -> Iterator[Row]:
    """Train on real processes of this machine and yield a row for each thing that happens.

    Parameters
    ----------
    nodes
        SuperNodes, each holding another part of the corpus.
    rounds
        Of training.
    run_config
        More options of the run, see :func:`trustlab.federated.deployment.run_options.read_options`.
    app
        A Flower project; None is ``examples/flower`` of this checkout.
    secure
        TLS and node authentication, with keys made for this run.
    timeout, wait
        Longest wait for a round's updates, and for nodes, in seconds.
    folder
        Keeps logs, rows and weights; None is a temporary one, removed at the end.

    Yields
    ------
    dict
        ``stage`` (``"superlink"``, ``"nodes"``, ``"waiting"``, ``"round"``, ``"finished"``), ``progress`` in [0, 1],
        ``seconds`` since the start, and ``note``, a sentence to show. Rows of rounds also have the columns of
        :class:`trustlab.federated.deployment.strategy.ActivityStrategy`, the last ``status``, ``network_in`` and
        ``network_out`` (bytes, as Flower counts them), and with `folder` the path ``model``.

    Raises
    ------
    RunFailedError
        When the run does not complete.
    ModuleNotFoundError, FileNotFoundError
        At the first row, without flwr or without the project.

    Notes
    -----
    Closing the generator ends every process; so do an error, and the end of this Python by whatever cause.
    """
    app = EXAMPLE if app is None else Path(app)
    if not (app / "pyproject.toml").is_file():
        raise FileNotFoundError(
            f"Expected a Flower project, got none at {app.name!r}. An installed package has no examples."
        )
    place = Path(tempfile.mkdtemp(prefix="trustlab-flower-")) if folder is None else Path(folder)
    options = {"rounds": rounds, "round-timeout": timeout, "wait": wait, "min-nodes": nodes, **(run_config or {})}
    started = time.monotonic()
    last: Row = {"progress": 0.0}
    try:
        with Loopback(place, secure=secure) as here:
            for row in _staged(here, app.resolve(), nodes, options):
                last = {"progress": last["progress"], **row, "seconds": time.monotonic() - started}
                if last["stage"] != "finished":
                    yield last
        if folder is not None:
            last["model"] = str(Path(last["folder"]) / "model.safetensors")
        yield last | {"progress": 1.0, "note": "The run has completed, and every process has ended."}
    finally:
        if folder is None:
            shutil.rmtree(place, ignore_errors=True)


def _staged(here: Loopback, app: Path, nodes: int, options: Mapping[str, Value]) -> Iterator[Row]:
    yield {"stage": "superlink", "note": f"The SuperLink listens on port {here.port}."}
    for _ in range(nodes):
        here.start_node(partitions=nodes)
    yield {"stage": "nodes", "note": f"{nodes} SuperNodes are starting."}
    note = "Waiting for the nodes to report what they hold."
    for row in here.run(app, options):
        if row["stage"] == "round":
            note = f"Round {row['round']} of {options['rounds']}: {row['arrived']} of {row['clients']} updates."
        yield {"note": note, **row}


def _rows(path: Path) -> list[Row]:
    """Return the whole lines of `path`."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n")[:-1]]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((HOST, port)) == 0
