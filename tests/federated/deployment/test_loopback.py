"""Real processes on this machine: a SuperLink with TLS, nodes with keys, and what happens when some fail.

Starting processes is what takes the time, so one deployment serves several runs, in this order.
"""

import dataclasses
import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

from trustlab.federated.deployment import Loopback, RunFailedError, loopback
from trustlab.federated.deployment.processes import MARK, marked
from trustlab.federated.deployment.run_options import read_options
from trustlab.federated.selection import Selector
from trustlab.federated.simulation import simulate

NODES = 4
# Wide enough that the messages are weights: 131 kB each.
COMMON = {"task.width": 2048, "min-nodes": NODES, "wait": 120.0, "batch-size": 8, "learning-rate": 0.5}
GONE_WITHIN = 2.0


def gone(mark):
    """Return whether every process of a deployment is gone within two seconds."""
    end = time.monotonic() + GONE_WITHIN
    while marked(mark) and time.monotonic() < end:
        time.sleep(0.05)
    return not marked(mark)


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    """One SuperLink and four SuperNodes with keys that it knows, and one that it does not."""
    with Loopback(tmp_path_factory.mktemp("deployment"), secure=True) as deployment:
        for fault in ("", "garbage", "hang", "replay"):
            deployment.start_node(partitions=NODES, fault=fault)
        deployment.start_node(partitions=NODES, registered=False, partition_id=7)
        yield deployment
    assert gone(deployment.mark)


def patience(seconds):
    """Return `seconds` on cores of our own; on a busy machine everything takes longer in proportion."""
    return seconds * max(1.0, os.getloadavg()[0] / os.cpu_count())


def trained(run):
    """Return the rows of the rounds of a run, and its last row."""
    rows = [row for row in run if row["stage"] != "waiting"]
    return rows[:-1], rows[-1]


def simulated(test_task, config, parts):
    """Return the simulator's model for the same run; `parts` of the clients by number."""
    options, problem = read_options(config), test_task.load_task(config)
    selector = Selector([len(own) for own in parts], strategy=config["strategy"], design="systematic")
    federated = dataclasses.replace(options.federated, engine="sequential")
    for _ in simulate(problem, parts, federated, selector=selector, model=problem.model):
        pass
    return dict(problem.model.named_parameters())


def farthest(found, wanted):
    return max(float((found[name] - value.detach()).abs().max()) for name, value in wanted.items())


def test_three_rounds_give_the_simulators_weights_and_send_what_was_computed(here, flower_app, test_task):
    config = COMMON | {"rounds": 3, "clients-per-round": 3, "strategy": "power", "aggregation": "horvitz-thompson"}
    config |= {"server-rule": "adam", "server-learning-rate": 0.05, "seed": 5}
    started = time.monotonic()
    rows, last = trained(here.run(flower_app, config))
    assert time.monotonic() - started < patience(90)
    assert [(row["nodes"], row["arrived"], row["reasons"]) for row in rows] == [(NODES, 3, "")] * 3
    found = load_file(f"{last['folder']}/model.safetensors")
    assert farthest(found, simulated(test_task, config, test_task.parts(NODES))) <= 1e-9
    for flow, column in (("network_in", "bytes_up"), ("network_out", "bytes_down")):
        assert last[flow] == pytest.approx(sum(row[column] for row in rows), rel=0.05), flow


def test_what_nodes_spoil_costs_a_round_at_most_its_timeout(here, flower_app, tmp_path):
    timeout = patience(15.0)
    config = COMMON | {"rounds": 2, "round-timeout": timeout, "task.signals": str(tmp_path)}
    rows, killed = [], False
    for row in here.run(flower_app, config):
        if row["stage"] == "round":
            rows.append(row)
        if not killed and (tmp_path / "hangs").exists():  # in round 1, while the server waits for it
            here.kill_node(2)
            here.start_node(partitions=NODES, partition_id=4)
            killed = True
    first, second = rows
    assert (first["arrived"], first["refused"], first["lost"]) == (2, 1, 1)
    assert "client 1" in first["reasons"] and "are NaN or Inf" in first["reasons"]
    assert "client 2" in first["reasons"] and first["reasons"].endswith("no reply")
    assert first["round_seconds"] < timeout + patience(2)
    # The late one takes part with the three that are left; what two of them send is refused.
    assert (second["nodes"], second["arrived"], second["refused"], second["lost"]) == (NODES, 2, 2, 0)
    assert "client 1" in second["reasons"] and "norm-bound" in second["reasons"]
    assert "it is the update that client 3 sent in round 1: a replay" in second["reasons"]


def test_the_secure_sum_is_the_plain_one_to_a_ten_thousandth(here, flower_app, test_task):
    config = COMMON | {"rounds": 1, "secure-sum": True, "clients-per-round": 3, "strategy": "uniform", "seed": 1}
    rows, last = trained(here.run(flower_app, config))
    # Reasons may name the node that was killed before: the server asks it for its activity until Flower misses it.
    assert (rows[0]["arrived"], rows[0]["refused"], rows[0]["lost"]) == (3, 0, 0)
    parts = test_task.parts(NODES)
    late = [parts[0], parts[1], [], parts[3], parts[0]]  # the killed one holds nothing, the late one another's part
    wanted = simulated(test_task, config, late)
    distance = farthest(load_file(f"{last['folder']}/model.safetensors"), wanted)
    assert 0 < distance <= 1e-4
    assert rows[0]["bytes_up"] == 3 * 8 * (2048 * 8 + 8)  # masked numbers are int64, whatever the weights are
    assert 1 < last["network_in"] / rows[0]["bytes_up"] < 1.1  # keys, shares and three more messages


def test_a_run_that_is_not_accepted_is_an_error(here, flower_app):
    with pytest.raises(RunFailedError, match="Invalid run configuration"):
        list(here.run(flower_app, {"nonsense": 1}))


def test_closing_the_generator_ends_every_process_also_of_a_python_that_is_killed(flower_app):
    rows = loopback(2, 1, app=flower_app)
    for row in rows:
        if row["stage"] == "waiting":
            break
    mark = rows.gi_frame.f_locals["here"].mark
    assert len(marked(mark)) > 4
    rows.close()
    assert not marked(mark)

    code = f"""
import sys, time
from pathlib import Path
from trustlab.federated.deployment import loopback
rows = loopback(1, 1, app=Path({str(flower_app)!r}))
for row in rows:
    if row["stage"] == "waiting":
        break
print(rows.gi_frame.f_locals["here"].mark, flush=True)
time.sleep(600)
"""
    clean = {name: value for name, value in os.environ.items() if name != MARK}
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=clean)
    mark = other.stdout.readline().strip()
    assert marked(mark)
    os.kill(other.pid, signal.SIGKILL)
    other.wait()
    assert gone(mark)
