"""What is begun with a checkpoint ends as if nothing had happened, or says why it does not."""

import dataclasses
import errno
import functools
import io
import itertools
import math
import multiprocessing
import os
import signal
import stat
import tempfile
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.optim.lr_scheduler import LambdaLR

from trustlab import durable
from trustlab.models import Vocabulary, build
from trustlab.privacy import TrainConfig, train, training
from trustlab.privacy.training_identity import Checkpoint
from trustlab.runs import RunStore

VOCABULARY = Vocabulary(intents=("off", "on", "other"), slots=("O", "B-thing"), buckets=40)
STEPS = 8  # two epochs of four
FORK = multiprocessing.get_context("fork")
LIMIT = 60.0  # seconds, for a process that kills itself


def examples(count):
    words = [("set", "the", "blue", "alarm", "now")[: 1 + i % 5] for i in range(count)]
    rows = [{"tokens": said, "slots": ["O"] * len(said), "intent": "on" if "blue" in said else "off"} for said in words]
    return VOCABULARY.encode(rows)


DATA = {"train": examples(40), "validation": examples(12)}


def config(method="dp-sgd", **changes):
    basis = dict(method=method, epsilon=math.inf if method == "sgd" else 8.0, delta=1e-3, epochs=2, batch_size=10)
    basis |= dict(clip_norm=2.0)  # some are clipped and some are not: the share is worth remembering
    return TrainConfig(**{**basis, "micro_batches": 5, "accountant": "rdp", "evaluate_every": 3, **changes})


def tagger(seed=0):
    """A tagger with dropout, so that torch's global generator matters too."""
    model = build("bilstm", VOCABULARY, seed=seed)
    model.embedding = nn.Sequential(model.embedding, nn.Dropout(0.2))
    return model


OWN = dict(
    optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=0.02),
    scheduler=lambda optimizer: LambdaLR(optimizer, lambda step: 1 / (1 + step)),
)


def weights(model):
    return torch.cat([value.flatten() for value in model.state_dict().values()])


def told(rows):
    """What rows say, seconds left out; NaN made comparable."""
    return [{name: repr(value) for name, value in row.items() if name != "seconds"} for row in rows]


@functools.cache  # what it returns is compared with, not changed
def uninterrupted(options, **own):
    model = tagger()
    return list(train(model, DATA, options, **own)), weights(model)


# Going on


@pytest.mark.parametrize(
    "options",
    [config("sgd"), config(), config(engine="loop"), config("edp-sgd", noise_decay=0.8, layerwise="equal")],
    ids=lambda options: f"{options.method} {options.engine}",
)
@pytest.mark.parametrize("rows_seen", [0, 1, 2, 3])
def test_a_training_stopped_at_a_row_and_resumed_equals_an_uninterrupted_one(rows_seen, options, tmp_path):
    whole, end = uninterrupted(options, **OWN)
    kept = dict(checkpoint=tmp_path / "run.checkpoint", **OWN)
    first = train(tagger(), DATA, options, **kept)
    seen = [next(first) for _ in range(rows_seen)]
    first.close()
    torch.rand(7)  # whatever else the process draws
    model = tagger(seed=5)  # the weights are the checkpoint's
    resumed = list(train(model, DATA, options, **kept))
    assert repr(resumed[:rows_seen]) == repr(seen)  # seconds too: they are the rows that were shown
    assert told(resumed) == told(whole)
    assert torch.equal(weights(model), end)
    assert resumed[-1]["epsilon"] == whole[-1]["epsilon"]


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Return the folder of each training in `KILLED`, begun in a process of its own that was killed.

    The processes are forks of this one, for importing torch again takes longer than to train.
    """
    folders = {}
    for kind, at in KILLED:
        folder = folders[kind, at] = tmp_path_factory.mktemp("killed")
        child = FORK.Process(target=_train_until_killed, args=(folder, at, kind == "stored"))
        child.start()
        child.join(LIMIT)
        assert child.exitcode == -signal.SIGKILL, (kind, at)
    return folders


@pytest.mark.parametrize("killed_at", [1, 4, 6, 8])
def test_a_killed_training_goes_on_from_its_last_write_and_forgets_no_step(killed_at, killed):
    """Steps after the last write are taken again: the same batch, the same noise."""
    path = killed["plain", killed_at] / "run.checkpoint"
    shown = [int(line) for line in path.with_name("shown").read_text().split()]
    assert shown == [step for step in (3, 6) if step < killed_at]
    whole, end = uninterrupted(config())
    model = tagger(seed=5)
    rows = list(train(model, DATA, config(), checkpoint=path, checkpoint_every=2))
    assert told(rows) == told(whole)
    assert torch.equal(weights(model), end)


def test_what_was_shown_is_in_the_account(tmp_path):
    """Whoever saw a row saw what its steps released: a crash right after it must not make them free."""
    path = tmp_path / "run.checkpoint"
    for row in train(tagger(), DATA, config(evaluate_every=1), checkpoint=path, checkpoint_every=100):
        content = torch.load(_payload(path), weights_only=True)["content"]
        assert content["counters"]["step"] == row["step"]
        assert content["counters"]["rows"][-1] == row


def _payload(path):
    return io.BytesIO(path.read_bytes().split(b"\n", 2)[2])


def test_a_finished_training_yields_its_rows_and_takes_no_further_step(tmp_path, monkeypatch):
    path = tmp_path / "run.checkpoint"
    model = tagger()
    rows = list(train(model, DATA, config(), checkpoint=path))
    content, end = path.read_bytes(), weights(model)
    monkeypatch.setattr(training, "private_gradients", lambda *_, **__: pytest.fail("a step nobody accounts"))
    again = tagger(seed=5)
    assert list(train(again, DATA, config(), checkpoint=path)) == rows
    assert torch.equal(weights(again), end)
    assert path.read_bytes() == content


def test_the_noise_planned_at_the_start_stays(tmp_path, monkeypatch):
    """Another version of an accountant would plan another σ: half a run with each is nobody's plan."""
    whole, _ = uninterrupted(config())
    first = train(tagger(), DATA, config(), checkpoint=tmp_path / "run.checkpoint")
    next(first)
    first.close()
    monkeypatch.setattr(training, "noise_schedule", lambda *_: [(99.0, STEPS)])
    resumed = list(train(tagger(), DATA, config(), checkpoint=tmp_path / "run.checkpoint"))
    assert told(resumed) == told(whole)


def test_writes_between_rows_are_as_many_as_asked_for(tmp_path, monkeypatch):
    steps, write = [], Checkpoint.write
    monkeypatch.setattr(
        Checkpoint, "write", lambda kept, content: steps.append(content["counters"]["step"]) or write(kept, content)
    )
    list(train(tagger(), DATA, config(), checkpoint=tmp_path / "run.checkpoint", checkpoint_every=2))
    assert steps == [0, 2, 3, 4, 6, 8]


# Another training


CHANGES = {
    "epsilon": dict(config=config(epsilon=4.0)),
    "seed": dict(config=config(seed=1)),
    "epochs": dict(config=config(epochs=3)),
    "method": dict(config=config("edp-sgd")),
    "engine": dict(config=config(engine="loop")),
    "train data": dict(data={**DATA, "train": DATA["train"][:39]}),
    "validation data": dict(data={**DATA, "validation": examples(11)}),
    "model": dict(model=build("transformer", VOCABULARY)),
    "optimizer": dict(optimizer=lambda parameters: torch.optim.AdamW(parameters, lr=0.03)),
    "scheduler": dict(scheduler=None),
}


@pytest.mark.parametrize("name", CHANGES)
def test_the_checkpoint_of_another_training_is_refused_and_what_differs_is_said(name, tmp_path):
    path = tmp_path / "run.checkpoint"
    first = train(tagger(), DATA, config(), checkpoint=path, **OWN)
    next(first)
    first.close()
    content = path.read_bytes()
    given = {"model": tagger(), "data": DATA, "config": config(), **OWN, **CHANGES[name]}
    before = weights(given["model"])
    with pytest.raises(ValueError, match=rf"got another: .*{name} is .+ there and .+ here\. A training has to resume"):
        train(**given, checkpoint=path)
    assert torch.equal(weights(given["model"]), before)
    assert path.read_bytes() == content


def test_every_option_is_part_of_what_a_training_is(tmp_path):
    path = tmp_path / "run.checkpoint"
    train(tagger(), DATA, config(), checkpoint=path)
    named = torch.load(_payload(path), weights_only=True)["identity"]
    assert {field.name for field in dataclasses.fields(TrainConfig)} < set(named)


@pytest.mark.parametrize("what", ["value", "dropout", "frozen"])
def test_data_and_models_of_the_same_shape_are_told_apart(what, tmp_path):
    path = tmp_path / "run.checkpoint"
    train(tagger(), DATA, config(), checkpoint=path)
    model, data = tagger(), DATA
    if what == "value":
        intents = DATA["train"].intents.clone()
        intents[3] = (intents[3] + 1) % 3
        data = {**DATA, "train": dataclasses.replace(DATA["train"], intents=intents)}
    elif what == "dropout":
        model.embedding[1].p = 0.3
    else:
        model.heads.slots.bias.requires_grad_(False)
    with pytest.raises(ValueError, match="train data is" if what == "value" else "model is"):
        train(model, data, config(), checkpoint=path)


# Damage, and disks that cannot be written


@pytest.mark.parametrize("damage", ["one bit", "cut", "empty", "header", "another kind of file"])
def test_a_damaged_file_is_said_to_be_one(damage, tmp_path):
    path = tmp_path / "run.checkpoint"
    train(tagger(), DATA, config(), checkpoint=path)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    damaged = {
        "one bit": bytes(content),
        "cut": path.read_bytes()[:-100],
        "empty": b"",
        "header": b"t" + path.read_bytes(),
        "another kind of file": b"PK\x03\x04" * 100,
    }[damage]
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match="got a damaged file or another kind of file"):
        train(tagger(), DATA, config(), checkpoint=path)
    assert path.read_bytes() == damaged


def test_a_checkpoint_of_another_format_is_said_to_be_one(tmp_path):
    """Format 1 kept the last row only: going on from it would leave rows out of what is called complete."""
    path = tmp_path / "run.checkpoint"
    train(tagger(), DATA, config(), checkpoint=path)
    path.write_bytes(path.read_bytes().replace(b"trustlab checkpoint 2", b"trustlab checkpoint 1", 1))
    with pytest.raises(
        ValueError, match=r"in format 2, got 1\. Another version of trustlab wrote it: finish this training"
    ):
        train(tagger(), DATA, config(), checkpoint=path)


# Who can read it, and where it lies


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_its_owner_reads_a_checkpoint_whatever_the_umask(umask, tmp_path):
    """It holds the state of the generator that the noise is drawn from."""
    path = tmp_path / "run.checkpoint"
    before = os.umask(umask)
    try:
        for _ in train(tagger(), DATA, config(), checkpoint=path):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_checkpoint_may_lie_in_the_users_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    train(tagger(), DATA, config(), checkpoint="~/run.checkpoint")
    assert [file.name for file in tmp_path.iterdir()] == ["run.checkpoint"]


def test_a_link_to_a_checkpoint_stays_one(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "disk" / "run.checkpoint")
    whole, _ = uninterrupted(config())
    first = train(tagger(), DATA, config(), checkpoint=tmp_path / "link")
    next(first)
    first.close()
    assert told(train(tagger(), DATA, config(), checkpoint=tmp_path / "link")) == told(whole)
    assert (tmp_path / "link").is_symlink()
    assert [file.name for file in (tmp_path / "disk").iterdir()] == ["run.checkpoint"]


# What the run store makes of it


STORED = dict(config=config(evaluate_every=1), seeds=[0], code="1")


def record(store, path, upto=None, **options):
    rows = store.record(train(tagger(), DATA, STORED["config"], checkpoint=path, **options), **STORED)
    seen = list(itertools.islice(rows, upto))
    rows.close()
    return seen


@settings(max_examples=12, deadline=None)
@given(stops=st.lists(st.integers(0, STEPS), max_size=4), every=st.sampled_from([None, 1, 3]))
def test_a_training_stopped_anywhere_any_number_of_times_is_stored_whole(stops, every):
    whole, _ = uninterrupted(STORED["config"])
    with tempfile.TemporaryDirectory() as folder:
        store, path = RunStore(Path(folder) / "runs"), Path(folder) / "run.checkpoint"
        reached = 0
        for stop in stops:
            seen = record(store, path, stop, checkpoint_every=every)
            reached = max(reached, len(seen))
            partial = [run.rows for run in store.runs() if run.status == "stopped"]
            assert told(*partial or [[]]) == told(whole[:reached])
        for _ in range(2):  # the finished one too: called once more it changes nothing
            record(store, path, checkpoint_every=every)
            assert told(store.get(STORED["config"], seeds=[0], code="1").rows) == told(whole)


@pytest.mark.parametrize("killed_at", [2, 6])
def test_a_training_that_was_killed_is_stored_whole_once_it_was_resumed(killed_at, killed):
    folder = killed["stored", killed_at]
    path, store = folder / "run.checkpoint", RunStore(folder / "runs")
    assert store.runs() == []
    resumed = record(store, path, checkpoint_every=2)
    assert told(store.get(STORED["config"], seeds=[0], code="1").rows) == told(resumed)
    assert told(resumed) == told(uninterrupted(STORED["config"])[0])


@pytest.fixture
def full_disk(monkeypatch):
    """Return a function that fills the disk: nothing can be written from then on."""

    def no_space(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    return lambda: monkeypatch.setattr(durable.os, "fsync", no_space)


def test_a_place_that_cannot_be_written_is_said_before_any_step(tmp_path, full_disk):
    (tmp_path / "file").write_text("")
    full_disk()
    for path in (tmp_path / "file" / "run.checkpoint", tmp_path / "run.checkpoint"):
        model = tagger()
        before = weights(model)
        with pytest.raises(OSError, match="Expected to write the checkpoint"):
            train(model, DATA, config(), checkpoint=path)
        assert torch.equal(weights(model), before)


def test_a_disk_that_fills_up_ends_the_training_and_keeps_the_last_good_checkpoint(tmp_path, monkeypatch, full_disk):
    path = tmp_path / "run.checkpoint"
    whole, end = uninterrupted(config())
    with monkeypatch.context() as patch:
        patch.setattr(durable.os, "fsync", durable.os.fsync)  # put back when the block ends
        run = train(tagger(), DATA, config(), checkpoint=path)
        next(run)
        content = path.read_bytes()
        full_disk()
        with pytest.raises(OSError, match="An earlier one is intact"):
            next(run)
    assert path.read_bytes() == content
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    monkeypatch.undo()
    model = tagger()
    assert told(train(model, DATA, config(), checkpoint=path)) == told(whole)
    assert torch.equal(weights(model), end)


@pytest.mark.parametrize(("path", "every"), [(None, 5), ("run.checkpoint", 0)])
def test_how_often_to_write_needs_a_file_and_a_number_of_steps(path, every, tmp_path):
    with pytest.raises(ValueError, match=f"Expected checkpoint_every={every} >= 1 and a checkpoint"):
        train(tagger(), DATA, config(), checkpoint=path and tmp_path / path, checkpoint_every=every)


KILLED = [*(("plain", step) for step in (1, 4, 6, 8)), *(("stored", step) for step in (2, 6))]


def _train_until_killed(folder, at, stored):
    """Train in a process that kills itself in the middle of a step, and write down which rows were shown."""
    torch.set_num_threads(1)  # a fork has none of the other threads
    gradients, calls = training.private_gradients, []

    def step(*given, **options):
        calls.append(1)
        if len(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)
        return gradients(*given, **options)

    training.private_gradients = step
    store = RunStore(folder / "runs") if stored else None
    options = STORED["config"] if store else config()
    rows = train(tagger(), DATA, options, checkpoint=folder / "run.checkpoint", checkpoint_every=2)
    with (folder / "shown").open("w") as shown:
        for row in store.record(rows, **STORED) if store else rows:
            shown.write(f"{row['step']}\n")
            shown.flush()
