"""Rounds over Flower's messages, with nodes in this process: the simulator's numbers, and what is refused."""

import numpy as np
import pytest
import torch

from trustlab.federated.selection import Selector
from trustlab.federated.simulation import FederatedConfig, simulate


def reference(task, config):
    """Return the simulator's rows and model of the same run."""
    from trustlab.federated.deployment.run_options import read_options

    options = read_options(config)
    problem, parts = task.load_task(config), task.parts(4)
    selection = {name: getattr(options.selection, name) for name in ("strategy", "design", "beta")}
    selector = Selector([len(own) for own in parts], **selection)
    federated = FederatedConfig(**{**vars(options.federated), "engine": "sequential"})
    rows = list(simulate(problem, parts, federated, selector=selector, model=problem.model))
    return rows, problem.model


RULES = {
    "FedAvg": {"aggregation": "examples"},
    "Horvitz-Thompson": {"aggregation": "horvitz-thompson", "local-epochs": 2},
    "FedOPT": {"aggregation": "hajek", "server-rule": "yogi", "server-learning-rate": 0.1},
    "FedProx, Adam": {"proximal": 0.5, "optimizer": "adam", "learning-rate": 0.05},
    "with replacement": {"design": "with-replacement", "aggregation": "equal"},
    "DP-FedAvg": {
        "aggregation": "equal",
        "design": "poisson",
        "clip-norm": 0.05,
        "noise-multiplier": 0.7,
        "clients-per-round": 2,
    },
}


@pytest.mark.parametrize("config", RULES.values(), ids=list(RULES))
def test_the_model_is_the_simulators(deploy, test_task, base, farthest, config):
    rows, model, _ = deploy(config)
    wanted, other = reference(test_task, base | config)
    assert farthest(model, other) <= 1e-9
    for row, want in zip(rows, wanted, strict=True):
        for name in ("round", "clients", "arrived", "examples", "epsilon", "bytes_down", "bytes_up", "accuracy"):
            assert row[name] == pytest.approx(want[name], abs=1e-12), name
        assert row["train_loss"] == pytest.approx(want["train_loss"], abs=1e-6)
        assert (row["refused"], row["lost"], row["reasons"]) == (0, 0, "")


def test_flowers_own_loop_gives_the_same_model(deploy, test_task, local_grid, base, farthest):
    from flwr.app import ArrayRecord

    from trustlab.federated.deployment.client_app import client_app
    from trustlab.federated.deployment.run_options import read_options
    from trustlab.federated.deployment.strategy import ActivityStrategy

    _, wanted, _ = deploy({})
    grid = local_grid(client_app(test_task.load_own), base, 4)
    grid.send_and_receive = lambda messages, timeout: grid.pull_messages(grid.push_messages(list(messages)))
    problem = test_task.load_task(base)
    strategy = ActivityStrategy(problem.model, read_options(base))
    result = strategy.start(grid, ArrayRecord(problem.model.state_dict()), num_rounds=3, timeout=1)
    assert farthest(problem.model, wanted) == 0
    assert sorted(result.train_metrics_clientapp) == [1, 2, 3]
    found = result.arrays.to_torch_state_dict()
    assert all(torch.equal(found[name], value) for name, value in problem.model.state_dict().items())


def spoiled(change, rounds=(1,)):
    """Return what changes the reply of some rounds."""

    def act(message, reply, context):
        from flwr.app import MessageType

        if message.metadata.message_type != MessageType.TRAIN:
            return reply
        if message.content.config_records["config"]["round"] not in rounds:
            return reply
        return change(reply)

    return act


def arrays(function):
    """Return what replaces a reply's arrays: function(dict of NumPy arrays) -> dict."""

    def change(reply):
        from flwr.app import Array, ArrayRecord

        own = {name: array.numpy() for name, array in reply.content.array_records["arrays"].items()}
        reply.content["arrays"] = ArrayRecord({name: Array(value) for name, value in function(own).items()})
        return reply

    return change


def metrics(**values):
    def change(reply):
        reply.content.metric_records["metrics"].update(values)
        return reply

    return change


def garbage(reply):
    reply.content.array_records["arrays"]["weight"].data = b"not a NumPy file"
    return reply


def second_record(reply):
    from flwr.app import ArrayRecord

    reply.content["more"] = ArrayRecord({})
    return reply


def crash(reply):
    raise KeyError("tokens")


REFUSED = {
    "NaN": (arrays(lambda own: own | {"bias": own["bias"] * np.nan}), "8 of 8 numbers of 'bias' are NaN or Inf"),
    "infinite": (arrays(lambda own: own | {"bias": own["bias"] + np.inf}), "'bias' are NaN or Inf"),
    "shape that broadcasts": (arrays(lambda own: own | {"bias": own["bias"][:1]}), "has shape [1] of float64"),
    "transposed": (arrays(lambda own: own | {"weight": own["weight"].T}), "expected [8, 6] of float64"),
    "type": (arrays(lambda own: own | {"bias": own["bias"].astype("float32")}), "of float32, expected [8] of float64"),
    "missing": (arrays(lambda own: {"weight": own["weight"]}), "lacks ['bias']"),
    "unknown": (arrays(lambda own: own | {"head": own["bias"]}), "has ['head'] that is not in the model"),
    "bytes": (garbage, "'weight' of the update is no NumPy array (ValueError)"),
    "another record": (second_record, "expected one record 'arrays'"),
    "huge": (arrays(lambda own: own | {"bias": own["bias"] + 1e6}), "expected at most 1000 (norm-bound)"),
    "more examples": (metrics(examples=10**6), "counts 1000000 examples where the node reported 29"),
    "negative examples": (metrics(examples=-1), "counts -1 examples"),
    "fractional examples": (metrics(examples=29.0), "its examples is 29.0, expected a whole number"),
    "another round": (metrics(round=0), "it is of round 0, expected round 1: a replay"),
    "loss": (metrics(loss=[1.0]), "a loss of [1.0]"),
    "crash": (crash, "its app failed: KeyError: 'tokens'"),
}


@pytest.mark.parametrize(("change", "reason"), REFUSED.values(), ids=list(REFUSED))
def test_an_update_that_nobody_could_mean_is_refused_and_named(deploy, change, reason):
    config = {"clients-per-round": 4, "rounds": 2, "strategy": "uniform"}
    rows, model, _ = deploy(config, {2: spoiled(change)})
    assert (rows[0]["arrived"], rows[0]["refused"], rows[0]["lost"]) == (3, 1, 0)
    assert rows[0]["reasons"].startswith("client 2 (node 1002): ") and reason in rows[0]["reasons"]
    assert all(p.isfinite().all() for p in model.parameters())
    assert (rows[1]["arrived"], rows[1]["reasons"]) == (4, "")  # it has reported again


def test_the_others_count_as_if_the_refused_had_not_been_drawn(deploy, farthest):
    config = {"clients-per-round": 4, "rounds": 1, "strategy": "uniform", "min-nodes": 3}
    _, model, _ = deploy(config, {3: spoiled(REFUSED["NaN"][0])})
    _, wanted, _ = deploy(config, {3: spoiled(lambda reply: None)})
    assert farthest(model, wanted) == 0


def test_an_update_sent_before_is_a_replay(deploy):
    kept = {}

    def replay(message, reply, context):
        from flwr.app import ArrayRecord

        if message.metadata.message_type == "train":
            kept.setdefault("arrays", ArrayRecord(dict(reply.content.array_records["arrays"])))
            reply.content["arrays"] = kept["arrays"]
        return reply

    config = {"clients-per-round": 4, "rounds": 2, "strategy": "uniform"}
    rows, _, _ = deploy(config, {1: replay})
    assert rows[0]["arrived"] == 4
    assert rows[1]["reasons"] == "client 1 (node 1001): it is the update that client 1 sent in round 1: a replay"


def test_a_node_that_is_lost_is_not_selected_until_it_reports(deploy):
    config = {"clients-per-round": 4, "rounds": 4, "strategy": "uniform", "min-nodes": 3}
    rows, _, grid = deploy(config, {0: lambda message, reply, context: None})
    assert [row["nodes"] for row in rows] == [3, 3, 3, 3]  # it never reported, and nobody waited for it
    lost = spoiled(lambda reply: None, rounds=(2,))
    rows, _, grid = deploy(config, {0: lost})
    assert [(row["arrived"], row["lost"]) for row in rows] == [(4, 0), (3, 1), (3, 0), (4, 0)]
    assert rows[1]["reasons"] == "client 0 (node 1000): no reply"
    assert rows[1]["round_seconds"] < 0.2 + 0.3
    queries = [m.metadata.dst_node_id for m in grid.sent if m.metadata.message_type == "query"]
    assert queries.count(1000) == 2 and queries.count(1001) == 1


def test_missing_nodes_are_waited_for_with_a_limit(deploy):
    with pytest.raises(TimeoutError, match=r"Expected 5 nodes with examples within 0.5 s, got 4"):
        deploy({"min-nodes": 5})


def test_a_run_in_which_nobody_can_be_believed_fails(deploy):
    bad = {k: spoiled(REFUSED["NaN"][0], rounds=range(9)) for k in range(4)}
    with pytest.raises(RuntimeError, match=r"Expected some update in 3 rounds, got none. In round 3: client .* NaN"):
        deploy({"rounds": 9}, bad)


@pytest.mark.parametrize(
    ("report", "reason"),
    [
        ({"examples": -4}, "it reports -4 examples"),
        ({"examples": 10**9}, "it reports 1000000000 examples, expected 0 to 10000000"),
        ({"client": -2}, "it reports the client number -2"),
        ({"client": 10**9}, "expected at most 10000000"),
        ({"client": 3}, "it reports the client number 3, which is that of node 1003"),
    ],
)
def test_a_report_that_cannot_be_is_refused(deploy, report, reason):
    def act(message, reply, context):
        if message.metadata.message_type == "query":
            reply.content.metric_records["metrics"].update(report)
        return reply

    config = {"min-nodes": 3, "rounds": 1, "clients-per-round": 3}
    rows, _, _ = deploy(config, {0: act} if report != {"client": 3} else {2: act})
    assert rows[0]["nodes"] == 3 or report == {"client": 3}
    assert reason in rows[0]["reasons"] or "which is that of node 1002" in rows[0]["reasons"]


@pytest.mark.parametrize(
    ("config", "match"),
    [
        ({"learning-rat": 1.0}, "Did you mean 'learning-rate'"),
        ({"drop-out": 0.5}, "Expected names of options, got 'drop-out'"),
        ({"strategy": "power-of-choice"}, "Expected a strategy of activity alone"),
        ({"round-timeout": 0.0}, "Expected round_timeout=0.0 > 0"),
        ({"rounds": 0}, "Expected rounds=0 >= 1"),
    ],
)
def test_options_are_checked_before_any_node_is_asked(config, match):
    from trustlab.federated.deployment.run_options import read_options

    with pytest.raises(ValueError, match=match):
        read_options(config)


def test_the_example_names_only_options_and_all_of_its_files_are_there():
    import tomllib
    from pathlib import Path

    from trustlab.federated.deployment.run_options import read_options

    for folder in (Path(__file__).parents[3] / "examples" / "flower", Path(__file__).parent / "app"):
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
        config = project["tool"]["flwr"]["app"]["config"]
        read_options({name: value for name, value in config.items() if not isinstance(value, dict)})
        for reference in project["tool"]["flwr"]["app"]["components"].values():
            assert (folder / (reference.split(":")[0].replace(".", "/") + ".py")).is_file()
