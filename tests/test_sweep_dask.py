"""Sweeps on a Dask cluster of processes, whose workers die."""

import os
import sys

import pytest
from distributed import Client, LocalCluster

from trustlab.runs import RunStore
from trustlab.sweep import sweep

sys.path.insert(0, os.path.dirname(__file__))
import sweep_tasks  # importable by a worker

CODE = {"code": "1"}


@pytest.fixture(scope="module")
def client():
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster,
        Client(cluster) as connected,
    ):
        yield connected


def test_a_killed_workers_task_is_done_again_and_one_that_always_kills_is_reported(client, tmp_path):
    store = RunStore(tmp_path / "runs")
    kinds = ("pid", "die once", "die")
    tasks = [{"do": do, "folder": str(tmp_path), "seed": seed} for seed, do in enumerate(kinds)]
    given = dict(executor=client.get_executor(), store=store)
    done = {each.config["do"]: each for each in sweep(sweep_tasks.act, tasks, **given)}
    assert done["pid"].error == "" and done["pid"].rows[0]["pid"] != os.getpid()
    assert done["die once"].error == "" and done["die once"].rows[0]["attempt"] == 2
    assert done["die"].error.startswith("KilledWorker: ")
    assert 2 <= len((tmp_path / "die").read_text()) <= 8  # Dask's own limit, twice: it is not retried for ever
    again = list(sweep(sweep_tasks.act, tasks[:2], **given))
    assert all(each.restored for each in again)


def test_a_notebooks_function_travels_by_value_and_its_error_is_reported(client, tmp_path):
    store = RunStore(tmp_path)

    def rows(config):
        yield {"inverse": 1 / config["x"]}

    given = dict(executor=client.get_executor(), about=CODE, store=store)
    done = {each.config["x"]: each for each in sweep(rows, [{"x": x} for x in (0, 2, 4)], **given)}
    assert done[0].error == "ZeroDivisionError: division by zero"
    assert [done[x].rows for x in (2, 4)] == [[{"inverse": 0.5}], [{"inverse": 0.25}]]


def test_closing_cancels_what_the_cluster_has_not_begun(client, tmp_path):
    store = RunStore(tmp_path / "runs")
    tasks = [{"do": "pid", "folder": str(tmp_path), "seed": seed, "seconds": 0.2} for seed in range(20)]
    outcomes = sweep(sweep_tasks.act, tasks, executor=client.get_executor(), about=CODE, store=store)
    next(outcomes)
    outcomes.close()
    assert 1 <= len(store.runs()) < 20
    assert not client.get_executor()._shutdown and client.submit(abs, -1).result(timeout=10) == 1
