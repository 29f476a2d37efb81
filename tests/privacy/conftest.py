import contextlib
import datetime
import io
import multiprocessing
import os
import time

import pytest
import torch
import torch.distributed as dist
from torch import nn

from trustlab.models import SubwordVocabulary, Vocabulary, build
from trustlab.privacy.distributed import Workers

WORDS = (
    "set",
    "an",
    "alarm",
    "for",
    "six",
    "play",
    "the",
    "blue",
    "song",
    "call",
    "anna",
    "stop",
    "it",
    "now",
    "please",
)


def make_utterances(count):
    """Make `count` utterances of 1 to 9 words; the last word of a third of them is a slot."""
    rows = []
    for i in range(count):
        tokens = [WORDS[(i * 7 + j * 3) % len(WORDS)] for j in range(1 + i % 9)]
        slots = ["O"] * (len(tokens) - 1) + ["B-thing" if i % 3 == 0 else "O"]
        rows.append({"tokens": tokens, "slots": slots, "intent": ("on", "off", "other")[i % 3]})
    return rows


@pytest.fixture
def utterances():
    return make_utterances


@pytest.fixture
def vocabulary():
    return Vocabulary(intents=("off", "on", "other"), slots=("O", "B-thing"), buckets=40)


@pytest.fixture(params=["bilstm", "transformer", "encoder"])
def task(request, vocabulary):
    """A tagger of each kind, and a batch of 14 utterances for it, of which several have the same length.

    Of the encoder two of six layers are left, and the vectors of 9,000 words: a test costs by the weight.
    """
    if request.param == "encoder":
        vocabulary = SubwordVocabulary(vocabulary.intents, vocabulary.slots)
    model = build(request.param, vocabulary, seed=1)
    if request.param == "encoder":
        del model.encoder.encoder.layer[2:]
        embeddings = model.encoder.embeddings
        vectors = embeddings.word_embeddings.weight.detach()[:9000].clone()
        embeddings.word_embeddings = nn.Embedding.from_pretrained(vectors, freeze=False, padding_idx=0)
    return model, vocabulary.encode(make_utterances(14))


# Workers as processes on this machine, each with a time limit, all gone when a test ends.

FORK = multiprocessing.get_context("fork")
LIMIT = 60.0  # seconds


class Team:
    """Some processes that each run ``act(workers, *arguments)``."""

    def __init__(self, folder, count, act, *arguments, timeout=20.0):
        self.started, self.answers = time.perf_counter(), [None] * count
        store = folder / f"store_{time.perf_counter_ns()}"
        self.pipes, self.processes = [], []
        for rank in range(count):
            mine, theirs = FORK.Pipe(duplex=False)
            given = (store, rank, count, timeout, theirs, act, arguments)
            process = FORK.Process(target=_worker, args=given, daemon=True)
            process.start()
            theirs.close()
            self.pipes.append(mine)
            self.processes.append(process)

    def wait(self):
        """Return what each worker returned, None for one that was killed; an error is raised."""
        for rank, pipe in enumerate(self.pipes):
            left = self.started + LIMIT - time.perf_counter()
            assert pipe.poll(max(left, 0)), f"worker {rank} has not answered in {LIMIT} s"
            with contextlib.suppress(EOFError):
                self.answers[rank], error = torch.load(io.BytesIO(pipe.recv_bytes()), weights_only=False)
                assert error is None, f"worker {rank}: {error}"
        return self.answers

    def end(self):
        for process in self.processes:
            process.kill()
            process.join(5)


def _worker(store, rank, count, timeout, pipe, act, arguments):
    torch.set_num_threads(1)
    limit = datetime.timedelta(seconds=timeout)
    if count > 1:
        dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=count, timeout=limit)
    try:
        answer = act(Workers(dist.group.WORLD if count > 1 else None), *arguments), None
    except BaseException as error:
        answer = None, f"{type(error).__name__}: {error}"
    file = io.BytesIO()  # as bytes: a process that ends cannot share memory
    torch.save(answer, file)
    pipe.send_bytes(file.getvalue())
    pipe.close()
    os._exit(0)  # as a process that is gone: its connections are closed, nobody is waited for


@pytest.fixture
def team(tmp_path):
    """Return a function that starts workers; those that still run are killed when the test ends."""
    teams = []

    def start(count, act, *arguments, **options):
        teams.append(Team(tmp_path, count, act, *arguments, **options))
        return teams[-1]

    yield start
    for each in teams:
        each.end()


@pytest.fixture
def together(team):
    """Return a function that runs ``act(workers, *arguments)`` on some workers and returns their answers."""

    return lambda count, act, *arguments, **options: team(count, act, *arguments, **options).wait()
