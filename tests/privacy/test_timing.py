import itertools
import math
import time
from pathlib import Path

import pytest
import torch

from benchmarks import private_step
from trustlab.models import build
from trustlab.privacy import timing
from trustlab.privacy.timing import seconds_per_step
from trustlab.runs import read_results

COMMITTED = Path(__file__).resolve().parents[2] / "data" / "results"


@pytest.fixture
def small(vocabulary, utterances):
    return build("bilstm", vocabulary), vocabulary.encode(utterances(12))


def on_a_clock(monkeypatch, **durations):
    """Replace the steps by ones that take, round after round, the seconds given; return the order they ran in."""
    now, ran = [0.0], []

    def step(name, seconds):
        left = iter(seconds)

        def take():
            ran.append(name)
            now[0] += next(left)

        return take

    monkeypatch.setattr(timing, "_steps", lambda *_: {name: step(name, seconds) for name, seconds in durations.items()})
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return ran


def test_methods_take_turns_and_the_first_round_is_not_counted(monkeypatch):
    ran = on_a_clock(monkeypatch, SGD=[99.0, 1.0, 2.0, 4.0], loop=[1.0, 10.0, 40.0, 20.0])
    plain, loop = seconds_per_step(None, None)
    assert ran == ["SGD", "loop"] * 4
    assert plain == {"method": "SGD", "seconds": 2.0, "times SGD": 1.0, "low": 1.0, "high": 1.0}
    assert (loop["method"], loop["seconds"]) == ("loop", 20.0)
    # Each round is divided by the plain step of its own round: 10/1, 40/2, 20/4; their geometric mean is 10, and the
    # interval is Student's t with 2 degrees of freedom on the logarithm, whose standard deviation is log 2.
    assert loop["times SGD"] == pytest.approx(10)
    half = 4.302653 * math.log(2) / math.sqrt(3)
    assert (loop["low"], loop["high"]) == (pytest.approx(10 * math.exp(-half)), pytest.approx(10 * math.exp(half)))


def test_every_method_asked_for_is_timed(small):
    rows = seconds_per_step(*small, micro_batches=(2, 5), repetitions=2, opacus=True)
    assert [row["method"] for row in rows] == [
        "SGD",
        "eDP-SGD, K = 2",
        "eDP-SGD, K = 5",
        "DP-SGD, loop",
        "DP-SGD, Opacus hooks",
    ]
    assert all(row["seconds"] > 0 and row["low"] <= row["times SGD"] <= row["high"] for row in rows)


def test_each_step_is_the_mechanism_its_name_says_and_moves_the_weights(small, monkeypatch):
    model, batch = small
    calls, really = [], timing.private_gradients
    monkeypatch.setattr(
        timing, "private_gradients", lambda *a, **k: calls.append((a[2] is batch, k)) or really(*a, **k)
    )
    for name, step in timing._steps(model, batch, (3,), True).items():
        before = torch.cat([p.detach().flatten().clone() for p in model.parameters()])
        calls.clear()
        step()
        noise = dict(clip_norm=1.0, noise_multiplier=1.0)
        expected = {
            "eDP-SGD, K = 3": [(True, dict(method="micro-batch", micro_batches=3, **noise))],
            "DP-SGD, loop": [(True, dict(method="loop", normalizer=12, **noise))],
        }
        assert calls == expected.get(name, [])
        assert not torch.equal(before, torch.cat([p.detach().flatten() for p in model.parameters()])), name


def test_the_committed_times_cover_every_model_and_method():
    table, about = read_results(COMMITTED / "private_step_time")
    methods = {"SGD", "eDP-SGD, K = 4", "eDP-SGD, K = 16", "DP-SGD, loop", "DP-SGD, Opacus hooks"}
    wanted = set(itertools.product(private_step.BATCH_SIZES, methods))
    wanted |= {(model, "eDP-SGD, K = 64") for model in ("bilstm", "transformer")}
    there = list(table[["model", "method"]].itertuples(index=False, name=None))
    assert len(there) == len(set(there)) and set(there) == wanted
    assert table.set_index("model")["batch"].to_dict() == private_step.BATCH_SIZES
    assert about["config"]["repetitions"] >= 3 and about["config"]["cores"] >= 1
    plain = table[table["method"] == "SGD"]
    assert (plain[["times SGD", "low", "high"]] == 1).all(axis=None)
    assert (table["low"] > 0).all()
    assert (table["seconds"] > 0).all()
    assert ((table["low"] <= table["times SGD"]) & (table["times SGD"] <= table["high"])).all()
