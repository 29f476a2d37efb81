"""A training on several workers is the training of one: its rows, its weights, its ε, and what it resumes from."""

import contextlib
import dataclasses
import functools
import math
import os
import signal
import socket
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from trustlab.models import Vocabulary, build, evaluate
from trustlab.privacy import TrainConfig, train
from trustlab.privacy.auditing.training_sampler import Watched
from trustlab.privacy.distributed import WorkerLostError, Workers, join

VOCABULARY = Vocabulary(intents=("off", "on", "other"), slots=("O", "B-thing"), buckets=40)
STEPS = 8  # two epochs of four
NUMBERS = ("step", "epoch", "epsilon", "loss", "accuracy", "noise_multiplier", "clipped", "dropped", "progress")


def examples(count):
    words = [("set", "the", "blue", "alarm", "now")[: 1 + i % 5] for i in range(count)]
    rows = [{"tokens": said, "slots": ["O"] * len(said), "intent": "on" if "blue" in said else "off"} for said in words]
    return VOCABULARY.encode(rows)


DATA = {"train": examples(40), "validation": examples(12)}


def config(method="dp-sgd", **changes):
    basis = dict(method=method, epsilon=math.inf if method == "sgd" else 8.0, delta=1e-3, epochs=2, batch_size=10)
    basis |= dict(clip_norm=2.0, micro_batches=5, accountant="rdp", evaluate_every=3)
    return TrainConfig(**{**basis, **changes})


CONFIGS = {
    "sgd": config("sgd"),
    "dp-sgd": config(),
    "dp-sgd, loop": config(engine="loop", physical_batch=2),
    "dp-sgd, hardly any examples": config(batch_size=1, epochs=1, evaluate_every=20),
    "edp-sgd": config("edp-sgd", noise_decay=0.8, layerwise="equal"),
    "edp-sgd, noise by worker": config("edp-sgd", noise_by="worker"),
}


def tagger(seed=0):
    return build("bilstm", VOCABULARY, seed=seed)


def weights(model):
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def trained(workers, options, **own):
    model = tagger(seed=workers.rank)  # all begin with the weights of worker 0
    model.double()
    rows = list(train(model, DATA, options, workers=workers, optimizer=sgd, **own))
    return rows, weights(model)


def sgd(parameters):
    """Its steps are no larger than the rounding of a gradient: Adam turns a last digit into a whole step."""
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9)


def alike(rows, others):
    for name in NUMBERS:
        assert [row[name] for row in rows] == pytest.approx([row[name] for row in others], nan_ok=True, abs=1e-5), name


@functools.cache  # what it returns is compared with, not changed
def whole_training(options):
    """Return the rows and the weights of one worker's training."""
    return trained(Workers(), options)


def all_trainings(workers):
    return [trained(workers, options) for options in CONFIGS.values()]


@pytest.mark.parametrize("count", [2, 3])
def test_workers_train_as_one(count, together):
    alone = [whole_training(options) for options in CONFIGS.values()]
    for answer in together(count, all_trainings):
        for (rows, end), (expected, whole) in zip(answer, alone, strict=True):
            alike(rows, expected)
            assert rows[-1]["epsilon"] == expected[-1]["epsilon"]
            torch.testing.assert_close(end, whole, atol=1e-6, rtol=1e-5)


def watched(workers):
    seen = Watched(DATA["train"])
    model = tagger()
    list(train(model, {**DATA, "train": seen}, config(), workers=workers))
    return seen.drawn


def test_a_worker_reads_its_own_examples_and_together_they_are_the_batch(together):
    (whole, *parts) = [drawn[-STEPS:] for drawn in (watched(Workers()), *together(2, watched))]
    for batch, one, other in zip(whole, *parts, strict=True):
        assert one == batch[::2] and other == batch[1::2]


# Dropout


def dropped(workers):
    model = nn.Sequential(nn.Dropout(0.5), nn.Linear(50, 2, bias=False))
    masks = []
    model[0].register_forward_hook(lambda module, inputs, output: masks.append(output.detach() != 0))
    data = {"train": {"x": torch.ones(40, 50)}, "validation": {"x": torch.ones(4, 50)}}
    options = config("sgd", batch_size=40, epochs=1, evaluate_every=None)  # every example in every batch
    own = dict(per_example_loss=lambda model, batch: model(batch["x"])[:, 0], evaluate=lambda *_: {"loss": 0.0})
    before = torch.get_rng_state()
    list(train(model, data, options, workers=workers, **own))
    assert torch.equal(torch.get_rng_state(), before)
    return masks[-1].float()


def test_each_worker_drops_other_inputs_in_a_way_that_the_seed_repeats(together):
    one, other = together(2, dropped)
    assert one.shape == other.shape == (20, 50)
    assert abs(torch.corrcoef(torch.stack([one.flatten(), other.flatten()]))[0, 1].item()) < 5 / math.sqrt(1000)
    assert torch.equal(one, together(2, dropped)[0])


# Worker 0 measures and writes


def measured(workers, folder):
    calls = []

    def measure(model, given):
        calls.append(len(given))
        return {**evaluate(model, given), "rank": workers.rank}

    rows = list(
        train(tagger(), DATA, config(), evaluate=measure, workers=workers, checkpoint=folder / f"{workers.rank}")
    )
    return rows, calls


def test_worker_0_measures_and_writes_and_all_yield_its_rows(together, tmp_path):
    (rows, calls), (others, none) = together(2, measured, tmp_path)
    assert repr(rows) == repr(others) and {row["rank"] for row in rows} == {0}
    assert len(calls) == len(rows) == 3 and none == []
    assert (tmp_path / "0").exists() and not (tmp_path / "1").exists()


def unwritable(workers, folder):
    try:
        list(train(tagger(), DATA, config(), workers=workers, checkpoint=folder / "file" / "run.checkpoint"))
    except Exception as error:
        return error


def test_a_checkpoint_that_worker_0_cannot_write_stops_all(together, tmp_path):
    (tmp_path / "file").write_text("")
    first, second = together(2, unwritable, tmp_path)
    assert isinstance(first, OSError) and isinstance(second, WorkerLostError)
    assert "Expected worker 0 to go on, got an error there: OSError: Expected to write the checkpoint" in str(second)


# Resuming


def stopped(workers, path):
    model = tagger(seed=workers.rank).double()
    run = train(model, DATA, config("edp-sgd"), workers=workers, optimizer=sgd, checkpoint=path)
    seen = [next(run)]
    run.close()
    return seen


def resumed(workers, path):
    return trained(workers, config("edp-sgd"), checkpoint=path)


@pytest.mark.parametrize("counts", [(2, 1), (1, 3), (3, 2)])
def test_a_training_is_resumed_by_another_number_of_workers(counts, together, tmp_path):
    path = tmp_path / "run.checkpoint"
    seen, *_ = together(counts[0], stopped, path)
    whole, end = whole_training(config("edp-sgd"))
    for rows, weights_now in together(counts[1], resumed, path):
        assert repr(rows[:1]) == repr(seen)
        alike(rows, whole)
        torch.testing.assert_close(weights_now, end, atol=1e-6, rtol=1e-5)


# Another training


OTHERS = {
    "seed": dict(config=config(seed=1)),
    "clip_norm": dict(config=config(clip_norm=3.0)),
    "model": dict(model=build("transformer", VOCABULARY)),
    "train data": dict(data={**DATA, "train": DATA["train"][:39]}),
    "optimizer": dict(optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=0.03)),
}


def others(workers):
    errors = {}
    for name, change in OTHERS.items():
        given = dict(model=tagger(), data=DATA, config=config(), optimizer=None)
        if workers.rank == workers.count - 1:
            given |= change
        before = weights(given["model"])
        try:
            train(**given, workers=workers)
        except ValueError as error:
            errors[name] = str(error)
        assert torch.equal(weights(given["model"]), before)
    return errors


def test_a_worker_with_another_training_is_refused_by_name_before_the_first_step(together):
    for errors in together(3, others):
        for name in OTHERS:
            assert f"on worker 2 too, got another: {name} is " in errors[name], name


def drifting(workers):
    schedule = lambda step: 1.0 + workers.rank * (step > 0)  # noqa: E731
    scheduler = lambda made: torch.optim.lr_scheduler.LambdaLR(made, schedule)  # noqa: E731
    try:
        list(train(tagger(), DATA, config(), workers=workers, scheduler=scheduler, optimizer=sgd))
    except ValueError as error:
        return str(error)


def test_weights_that_move_apart_are_said_to(together):
    for error in together(2, drifting):
        assert error.startswith("Expected the same weights on every worker, got 'embedding.weight' of norm")


def test_opacus_is_not_run_on_several_workers(together):
    assert together(2, opacus) == ["Expected engine='fast' or 'loop' on several workers, got 'opacus'. Opacus has "
                                   "workers of its own."] * 2  # fmt: skip


def opacus(workers):
    try:
        train(tagger(), DATA, config(engine="opacus"), workers=workers)
    except ValueError as error:
        return str(error)


# Workers that are lost


def going_on(workers, path, steps):
    """Say each step in a file, and be slow enough to be killed in one."""
    options = dataclasses.replace(config(), evaluate_every=1)
    try:
        rows = train(tagger(seed=workers.rank).double(), DATA, options, workers=workers, optimizer=sgd, checkpoint=path)
        for row in rows:
            path.with_name(f"{workers.rank}.step").write_text(str(row["step"]))
            if row["step"] == steps and workers.rank == 1:
                time.sleep(60)
    except WorkerLostError as error:
        return str(error)


@pytest.mark.parametrize(
    ("sign", "timeout", "told"), [(signal.SIGKILL, 30, "by peer"), (signal.SIGSTOP, 2, "imed out")]
)
def test_a_worker_that_dies_or_hangs_ends_the_training_in_time_and_it_is_resumable(sign, timeout, told, team, tmp_path):
    path = tmp_path / "run.checkpoint"
    started = team(3, going_on, path, 3, timeout=timeout)
    said = tmp_path / "1.step"
    while not (said.exists() and said.read_text() == "3"):
        assert time.perf_counter() < started.started + 30
        time.sleep(0.02)
    os.kill(started.processes[1].pid, sign)
    stopped = time.perf_counter()
    for rank in (0, 2):
        assert started.pipes[rank].poll(timeout + 5)
    assert time.perf_counter() - stopped < (2 if sign == signal.SIGKILL else timeout + 3)
    started.processes[1].kill()
    errors = started.wait()
    for error in (errors[0], errors[2]):
        assert error.startswith("Expected an answer from each of 3 workers, got: ") and "Resume from the" in error
    assert any(told in error for error in (errors[0], errors[2])), errors
    options = dataclasses.replace(config(), evaluate_every=1)
    rows, end = trained(Workers(), options, checkpoint=path)
    whole, expected = whole_training(options)
    alike(rows, whole)
    torch.testing.assert_close(end, expected, atol=1e-6, rtol=1e-5)


# Meeting


def test_a_program_started_alone_is_the_only_worker(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with join() as workers:
        assert (workers.rank, workers.count, workers.device) == (0, 1, torch.device("cpu"))


def gloo_threads():
    """How many threads of Gloo this process has."""
    names = []
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # it has ended since
            names.append((thread / "comm").read_text())
    return sum("gloo" in name for name in names)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system does not name its threads there")
def test_no_thread_is_left_at_the_end_though_the_workers_are_still_held(monkeypatch):
    """One that lets go of a tensor while Python ends aborts a program that has done its work."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    where = dict(RANK="0", WORLD_SIZE="1", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    for name, value in where.items():
        monkeypatch.setenv(name, value)
    with join() as workers:
        dist.all_reduce(torch.ones(2), group=workers.group)
        assert gloo_threads()
    assert not gloo_threads()
    workers.count = 2  # as if there had been another
    with pytest.raises(RuntimeError, match=r"after the end of join\(\). Train inside it"):
        workers.add([torch.ones(2)])


@pytest.mark.parametrize("timeout", [0, -1.0, math.inf])
def test_a_timeout_that_never_ends_is_refused(timeout):
    with pytest.raises(ValueError, match=r"Expected 0 < timeout=.* < inf"), join(timeout=timeout):
        pass
