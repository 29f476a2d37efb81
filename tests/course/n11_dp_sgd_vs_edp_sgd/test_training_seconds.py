import numpy as np
import pandas
import pytest

from trustlab.course.n11_dp_sgd_vs_edp_sgd.training_seconds import (
    TIMES,
    UTTERANCES,
    WAYS,
    loop_against_sgd,
    rounded_seconds,
    timed,
    training_seconds,
)
from trustlab.data import load
from trustlab.results import read_results


def made_up(a, b, alone, batches=(128, 512, 2048)):
    """A step of SGD takes a + b·B, the loop's as many times an utterance alone."""
    rows = [{"batch": n, "method": "SGD", "seconds": a + b * n} for n in batches]
    return pandas.DataFrame(rows + [{"batch": n, "method": "DP-SGD, loop", "seconds": alone * n} for n in batches])


def test_the_limit_is_an_utterance_alone_against_one_more_in_a_batch():
    known = loop_against_sgd(made_up(a=2e-3, b=1e-4, alone=2e-3))
    assert known == pytest.approx({"alone": 2e-3, "one more": 1e-4, "limit": 20.0, "needed": 2e-3 / 130})
    # With that price of one more, the ratio of very large batches is the paper's.
    there = loop_against_sgd(made_up(a=2e-3, b=known["needed"], alone=2e-3))
    assert there["limit"] == pytest.approx(130)


@pytest.fixture
def table():
    return read_results(TIMES)[0]


def test_a_training_takes_its_steps_each_as_long_as_it_was_timed(table):
    for name, batch, k in (("sgd", 512, 0), ("passes", 256, 64), ("fast", 1024, 0)):
        way = WAYS[name]
        (step,) = table[(table["method"] == way.timed.format(k=k)) & (table["batch"] == batch)]["seconds"]
        found = training_seconds(way, "snips", epochs=10, batch_size=batch, micro_batches=k)
        assert found == pytest.approx(10 * round(13_084 / batch) * step)
    with pytest.raises(ValueError, match=r"Expected one row for SGD with batches of 7 in private_batch_time, got 0"):
        timed("SGD", 7)


def test_every_way_was_timed_at_every_batch_of_the_search(table):
    found = set(zip(table["method"], table["batch"], strict=True))
    for way in WAYS.values():
        for k in (16, 64, 256, 1024):
            assert {(way.timed.format(k=k), batch) for batch in (128, 256, 512, 1024, 2048)} <= found
    assert (np.isfinite(table["seconds"]) & (table["seconds"] > 0)).all()


def test_the_committed_limit_is_about_the_ratio_of_the_largest_batch(table):
    """The fixed part of a step is small there."""
    loop, plain = (table[table["method"] == name].set_index("batch")["seconds"] for name in ("DP-SGD, loop", "SGD"))
    assert loop_against_sgd(table)["limit"] == pytest.approx(loop[2048] / plain[2048], rel=0.15)


def test_opacus_takes_a_batch_in_the_parts_that_it_is_quickest_with(table):
    rows = table[table["method"] == "DP-SGD, Opacus ghost"]
    each = {batch: seconds / batch for batch, seconds in zip(rows["batch"], rows["seconds"], strict=True)}
    found = training_seconds(WAYS["opacus"], "assistant", epochs=1, batch_size=1024)
    assert found == pytest.approx(16 * 1024 * min(each[batch] for batch in (128, 256, 512, 1024)), rel=1e-6)


def test_the_number_of_utterances_is_the_embedded_corpus():
    assert len(load("assistant")["train"]) == UTTERANCES["assistant"]


@pytest.mark.parametrize(("seconds", "said"), [(3.14, "3.1 s"), (31.4, "31 s"), (99.4, "99 s"), (140, "2 min")])
def test_seconds_are_rounded(seconds, said):
    assert rounded_seconds(seconds) == said
