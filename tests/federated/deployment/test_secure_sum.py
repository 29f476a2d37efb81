"""SecAgg+ through the bridge: the sum is the plain one, and nothing else is seen."""

import numpy as np
import pytest

from trustlab.federated.deployment import secure_sum

ALL = {"clients-per-round": 4, "rounds": 2, "strategy": "uniform", "round-timeout": 5.0}
SECURE = ALL | {"secure-sum": True}
PRIVATE = {"aggregation": "equal", "design": "poisson", "clip-norm": 0.05, "noise-multiplier": 0.7}


def at(stage, answer):
    """Return what changes the reply of one stage: the reply itself forgets which it was."""
    stages = iter(["setup", "share_keys", "collect_masked_vectors", "unmask"] * 9)

    def act(message, reply, context):
        if message.metadata.message_type != "train":
            return reply
        return answer(reply) if next(stages) == stage else reply

    return act


@pytest.mark.parametrize(
    "config",
    [
        {"aggregation": "examples"},
        {"aggregation": "horvitz-thompson", "strategy": "power", "clients-per-round": 3},
        PRIVATE,
    ],
    ids=["FedAvg", "Horvitz-Thompson", "DP-FedAvg"],
)
def test_the_sum_is_the_plain_one(deploy, farthest, config):
    rows, model, _ = deploy(SECURE | config)
    plain, wanted, _ = deploy(ALL | config)
    assert 0 < farthest(model, wanted) <= 1e-4
    assert [row["arrived"] for row in rows] == [row["arrived"] for row in plain] != [0, 0]
    assert [row["epsilon"] for row in rows] == [row["epsilon"] for row in plain]


def test_a_client_that_is_lost_after_it_shared_its_keys_is_taken_out_of_the_sum(deploy, farthest):
    config = {"rounds": 1, "min-nodes": 4}
    lost = {2: at("collect_masked_vectors", lambda reply: None)}
    rows, model, _ = deploy(SECURE | config, lost)
    silent = lambda message, reply, context: reply if message.metadata.message_type == "query" else None  # noqa: E731
    _, wanted, _ = deploy(ALL | config | {"round-timeout": 0.2}, {2: silent})
    assert farthest(model, wanted) <= 1e-4
    assert (rows[0]["arrived"], rows[0]["lost"], rows[0]["reasons"]) == (3, 1, "client 2 (node 1002): no reply")


def test_what_would_be_clipped_is_an_error_with_a_name(deploy):
    rows, _, _ = deploy(SECURE | {"rounds": 1, "secure-range": 0.06})
    assert rows[0]["refused"] > 0 and "Expected updates within secure-range=0.06, got 0." in rows[0]["reasons"]
    assert "raise secure-range" in rows[0]["reasons"]


def test_the_server_sees_masked_numbers_and_nothing_else(deploy):
    seen = []

    def keep(reply):
        seen.append(reply.content)
        return reply

    rows, _, _ = deploy(SECURE | {"rounds": 1, "task.width": 64}, {1: at("collect_masked_vectors", keep)})
    (content,) = seen
    assert not any(len(record) for record in content.array_records.values())
    assert {name: dict(record) for name, record in content.metric_records.items()} == {
        "fitres.num_examples": {"num_examples": 1}
    }
    from flwr.common import bytes_to_ndarray
    from flwr.common.secure_aggregation.secaggplus_constants import Key

    masked = np.concatenate(
        [bytes_to_ndarray(each).ravel() for each in content.config_records["secaggplus_configs"][Key.MASKED_PARAMETERS]]
    )
    assert abs(masked.mean() / 2**32 - 0.5) < 0.07  # uniform: four standard errors of 513 numbers
    assert np.isnan(rows[0]["train_loss"])


def test_a_sum_of_two_hides_no_update(deploy, farthest, test_task):
    rows, model, grid = deploy(SECURE | {"rounds": 1, "clients-per-round": 2})
    assert "a sum of 2 hides no update: no client takes part" in rows[0]["reasons"]
    assert farthest(model, test_task.load_task({"task.width": 6}).model) == 0
    assert all(message.metadata.message_type == "query" for message in grid.sent)


def test_flowers_masks_are_of_32_bits_and_ours_are_not():
    from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen

    key = np.random.default_rng(0).bytes(32)
    other = key[4:] + key[:4]  # another key of 256 bits that is folded to the same 32
    assert (pseudo_rand_gen(key, 2**32, [(50,)])[0] == pseudo_rand_gen(other, 2**32, [(50,)])[0]).all()
    own, its = (secure_sum.mask(each, 2**32, [(50_000,)])[0] for each in (key, other))
    assert (own != its).mean() > 0.999
    counts = np.bincount(own >> 28, minlength=16)
    assert abs(counts - 50_000 / 16).max() < 5 * (50_000 / 16) ** 0.5
    with pytest.raises(ValueError, match="power of 2"):
        secure_sum.mask(key, 1000, [(1,)])


def test_masks_are_flowers_again_afterwards():
    from flwr.client.mod import secaggplus_mod
    from flwr.common.secure_aggregation.secaggplus_utils import pseudo_rand_gen

    used = secaggplus_mod.__globals__
    with pytest.raises(KeyError), secure_sum.strong_masks():
        assert used["pseudo_rand_gen"] is secure_sum.mask
        raise KeyError
    assert used["pseudo_rand_gen"] is pseudo_rand_gen
