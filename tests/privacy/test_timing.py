import itertools
import math
import time

import pytest
import torch

from trustlab.models import build, next_token_loss
from trustlab.privacy import timing
from trustlab.privacy.timing import FAST, FLOOR, LOOP, PLAIN, methods, seconds_per_step

NOISE = dict(clip_norm=1.0, noise_multiplier=1.0)


@pytest.fixture
def small(vocabulary, utterances):
    return build("bilstm", vocabulary), vocabulary.encode(utterances(12))


def on_a_clock(monkeypatch, **durations):
    """Replace the methods by ones that take, round after round, the seconds given; return the order they ran in."""
    now, ran = [0.0], []

    def method(name, seconds):
        left = iter(seconds)

        def take():
            ran.append(name)
            now[0] += next(left)

        return lambda *_: take

    table = {name: method(name, seconds) for name, seconds in durations.items()}
    monkeypatch.setattr(timing, "methods", lambda *_, **__: table)
    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    return ran


def test_methods_take_turns_and_the_first_round_is_not_counted(monkeypatch):
    ran = on_a_clock(monkeypatch, SGD=[99.0, 1.0, 2.0, 4.0], loop=[1.0, 10.0, 40.0, 20.0])
    plain, loop = seconds_per_step(None, None, repetitions=3)
    assert ran == ["SGD", "loop"] * 4
    assert plain == {"method": "SGD", "seconds": 2.0, "times SGD": 1.0, "low": 1.0, "high": 1.0, "rounds": 3}
    assert (loop["method"], loop["seconds"], loop["rounds"]) == ("loop", 20.0, 3)
    # Each round is divided by the plain step of its own round: 10/1, 40/2, 20/4; their geometric mean is 10, and the
    # interval is Student's t with 2 degrees of freedom on the logarithm, whose standard deviation is log 2.
    assert loop["times SGD"] == pytest.approx(10)
    half = 4.302653 * math.log(2) / math.sqrt(3)
    assert (loop["low"], loop["high"]) == (pytest.approx(10 * math.exp(-half)), pytest.approx(10 * math.exp(half)))


def test_a_slow_method_sits_out_the_last_rounds_and_is_divided_by_the_first(monkeypatch):
    slow, slower = [2.5, 2.5, 5.0, 2.5, 2.5], [50.0, 50.0, 100.0, 50.0]
    ran = on_a_clock(monkeypatch, SGD=[1.0, 1.0, 2.0, 1.0, 1.0, 9.0], quick=[1.0] * 6, slow=slow, slower=slower)
    plain, quick, slow, slower = seconds_per_step(None, None, repetitions=5, patience=10.0)
    assert [row["rounds"] for row in (plain, quick, slow, slower)] == [5, 5, 4, 3]
    assert ran[-2:] == ["SGD", "quick"]
    assert slow["times SGD"] == pytest.approx(2.5) and slower["times SGD"] == pytest.approx(50)
    assert slow["low"] == pytest.approx(slow["high"])  # two and a half times SGD in each of its rounds


def test_the_plain_step_is_in_every_round_even_when_it_stumbled_at_first(monkeypatch):
    on_a_clock(monkeypatch, SGD=[9.0, 1.0, 1.0, 1.0, 1.0], quick=[1.0, 2.0, 2.0, 2.0, 2.0])
    plain, quick = seconds_per_step(None, None, repetitions=4, patience=10.0)
    assert plain["rounds"] == quick["rounds"] == 4 and quick["times SGD"] == pytest.approx(2)


def test_every_method_asked_for_is_timed(small):
    rows = seconds_per_step(*small, micro_batches=(2, 5), repetitions=2, opacus=("hooks", "ghost"))
    assert [row["method"] for row in rows] == [
        "SGD",
        "SGD + noise alone",
        "eDP-SGD, K = 2",
        "eDP-SGD, K = 5",
        "DP-SGD, loop",
        "DP-SGD, fast",
        "DP-SGD, Opacus hooks",
        "DP-SGD, Opacus ghost",
    ]
    assert all(row["seconds"] > 0 and row["low"] <= row["times SGD"] <= row["high"] for row in rows)


def test_a_peer_that_cannot_says_so_and_the_others_are_timed(vocabulary, utterances):
    model, batch = build("language", vocabulary, layers=1, width=32), vocabulary.encode(utterances(4))
    options = dict(per_example_loss=next_token_loss, micro_batches=(), repetitions=1, opacus=("ghost",))
    *measured, refused = seconds_per_step(model, batch, **options)
    assert [row["method"] for row in measured] == [PLAIN, FLOOR, LOOP, FAST]
    assert refused["method"] == "DP-SGD, Opacus ghost"
    assert refused["note"].startswith("not supported: Parameter tying is not supported")


def test_no_round_is_refused(small):
    with pytest.raises(ValueError, match="Expected repetitions=0 >= 1"):
        seconds_per_step(*small, repetitions=0)


def test_each_step_is_the_mechanism_its_name_says_and_moves_the_weights(small, monkeypatch):
    model, batch = small
    calls, really = [], timing.private_gradients
    monkeypatch.setattr(
        timing, "private_gradients", lambda *a, **k: calls.append((a[2] is batch, k)) or really(*a, **k)
    )
    expected = {
        "eDP-SGD, K = 3": [(True, dict(method="edp-sgd", micro_batches=3, **NOISE))],
        LOOP: [(True, dict(method="dp-sgd", engine="loop", expected_batch_size=12, **NOISE))],
        FAST: [(True, dict(method="dp-sgd", engine="fast", expected_batch_size=12, **NOISE))],
    }
    for name, method in methods((3,), ("hooks",)).items():
        step = method(model, timing.tagging_loss, batch)
        trained = list(itertools.chain.from_iterable(group["params"] for group in step.optimizer.param_groups))
        before = torch.cat([p.detach().flatten().clone() for p in trained])
        calls.clear()
        step()
        assert calls == expected.get(name, [])
        assert not torch.equal(before, torch.cat([p.detach().flatten() for p in trained])), name
        # Opacus trains its own copy; the others train the model.
        assert (trained[0] is model.embedding.weight) == ("Opacus" not in name)


def test_micro_batches_are_timed_both_ways_and_in_parts(small, monkeypatch):
    model, batch = small
    calls = []
    monkeypatch.setattr(timing, "private_gradients", lambda *a, **k: calls.append(k))
    found = methods((3,), passes=(3,), physical_batch=5)
    for name in ("eDP-SGD, K = 3", "eDP-SGD, K = 3, K passes", FAST):
        found[name](model, timing.tagging_loss, batch).gradients()
    one, several, exact = calls
    assert one == dict(method="edp-sgd", micro_batches=3, physical_batch=5, **NOISE)
    assert several == dict(method="edp-sgd", engine="loop", micro_batches=3, **NOISE)
    assert exact["physical_batch"] == 5


def test_a_clock_of_ones_own_tells_the_seconds(small):
    ticks = itertools.count(step=2.0)  # each step lasts from one look to the next
    rows = seconds_per_step(*small, micro_batches=(), repetitions=1, clock=lambda: next(ticks))
    assert {row["seconds"] for row in rows} == {2.0} and {row["times SGD"] for row in rows} == {1.0}


def test_the_floor_draws_as_much_noise_as_a_private_step(small):
    model, batch = small
    methods()[FLOOR](model, timing.tagging_loss, batch).gradients()
    noise = torch.cat([parameter.grad.flatten() for parameter in model.parameters()])
    assert noise.std().item() == pytest.approx(1.0, rel=0.02)
