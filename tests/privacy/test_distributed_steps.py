"""A step that several workers take is the step of one: its gradient, its noise, its norms."""

import itertools

import pytest
import torch
from torch import nn

from trustlab.batches import Chosen
from trustlab.privacy import private_gradients
from trustlab.privacy.distributed import WorkerLostError, Workers
from trustlab.privacy.noise import NoisySum
from trustlab.privacy.plain_step import plain_gradients

STEPS = {
    "dp-sgd": dict(method="dp-sgd", expected_batch_size=6),
    "dp-sgd, loop": dict(method="dp-sgd", engine="loop", expected_batch_size=6),
    "dp-sgd, two at once": dict(method="dp-sgd", expected_batch_size=6, physical_batch=2),
    "dp-sgd, by layer": dict(method="dp-sgd", expected_batch_size=6, layerwise="equal"),
    "dp-sgd, AUTO-S": dict(method="dp-sgd", expected_batch_size=6, automatic=True),
    "edp-sgd": dict(method="edp-sgd", micro_batches=4),
    "edp-sgd, loop": dict(method="edp-sgd", engine="loop", micro_batches=4, physical_batch=3),
    "edp-sgd, noise by worker": dict(method="edp-sgd", micro_batches=4, noise_by="worker"),
}
SIZES = (0, 1, 2, 7)  # with three workers: no part, one, two, unequal parts
X, Y = torch.randn(7, 12, generator=torch.Generator().manual_seed(1)), torch.arange(7) % 3


def model(width=16):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(nn.Linear(12, width), nn.Tanh(), nn.Linear(width, 3))


def losses(model, batch):
    return nn.functional.cross_entropy(model(batch["x"]), batch["y"], reduction="none")


def left(model, norms):
    return [None if p.grad is None else p.grad.clone() for p in model.parameters()], norms


def step(workers, options, size, **own):
    taken, batch = model(), {"x": X[:size], "y": Y[:size]}
    given = dict(clip_norm=0.5, noise_multiplier=1.0, generator=torch.Generator().manual_seed(5)) | own
    return left(taken, private_gradients(taken, losses, batch, workers=workers, **given, **options))


def all_steps(workers):
    return [step(workers, options, size) for options, size in itertools.product(STEPS.values(), SIZES)]


@pytest.mark.parametrize("count", [2, 3])
def test_workers_compute_what_one_computes(count, together):
    alone = all_steps(Workers())
    for answer in together(count, all_steps):
        for (gradients, norms), (expected, measured) in zip(answer, alone, strict=True):
            torch.testing.assert_close(gradients, expected, atol=1e-5, rtol=1e-5)
            torch.testing.assert_close(norms.norms, measured.norms, atol=1e-5, rtol=1e-5)
            assert repr((norms.clipped, norms.dropped)) == repr((measured.clipped, measured.dropped))


def test_all_workers_are_left_with_the_same_bits(together):
    first, *others = together(3, all_steps)
    for other in others:
        for (one, _), (two, _) in zip(first, other, strict=True):
            assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


def plain_steps(workers):
    answers = []
    for size in SIZES:
        taken, batch = model(), Pairs(torch.arange(size))
        norms = plain_gradients(taken, batch, per_example_loss=losses, physical_batch=2, workers=workers)
        answers.append(left(taken, norms))
    return answers


class Pairs:
    """A class of one's own: the examples at some places."""

    def __init__(self, places):
        self.places = places

    def __len__(self):
        return len(self.places)

    def __getitem__(self, index):
        if isinstance(index, str):
            return {"x": X, "y": Y}[index][self.places]
        return Pairs(self.places[index])


def test_a_plain_step_is_that_of_one(together):
    alone = plain_steps(Workers())
    for answer in together(3, plain_steps):
        for (gradients, _), (expected, _) in zip(answer, alone, strict=True):
            torch.testing.assert_close(gradients, expected, atol=1e-6, rtol=1e-5)


# Noise


@pytest.mark.parametrize("shapes", [[(3,), (2, 5)], [(300, 300), (70_000,), (9,)], [(1_100_000,), (5,)]])
@pytest.mark.parametrize(("workers", "parts"), [(1, 2), (1, 3), (5, 2)])
def test_the_parts_of_the_noise_are_the_noise_of_one(shapes, workers, parts):
    def noise(**options):
        parameters, generator = [nn.Parameter(torch.empty(shape)) for shape in shapes], torch.Generator()
        made = NoisySum(parameters, 2.0, workers=workers, generator=generator.manual_seed(3), **options).tensors
        return made, generator.get_state()

    whole, after = noise()
    shares = [noise(part=(rank, parts)) for rank in range(parts)]
    for summed, expected in zip(map(sum, zip(*(made for made, _ in shares), strict=True)), whole, strict=True):
        torch.testing.assert_close(summed, expected, atol=1e-5, rtol=1e-5)
    assert all(torch.equal(state, after) for _, state in shares)
    drawn = [sum(int(tensor.ne(0).sum()) for tensor in made) for made, _ in shares]
    if workers == 1:  # every number is drawn by one
        assert sum(drawn) == sum(tensor.numel() for tensor in whole)
    else:  # no worker's sum is without noise
        assert min(drawn) == sum(tensor.numel() for tensor in whole)


@pytest.mark.parametrize("secure", [False, True])
def test_noise_without_a_common_seed_is_added_once_too(secure):
    parameters = [nn.Parameter(torch.empty(70_000)), nn.Parameter(torch.empty(80_000))]
    shares = [NoisySum(parameters, 2.0, secure=secure, part=(rank, 2)).tensors for rank in range(2)]
    for one, other in zip(*shares, strict=True):
        assert (one + other).std().item() == pytest.approx(2.0, rel=0.02)


# What stops a step


def differing(workers, what):
    options, size, own = dict(STEPS["edp-sgd"]), 7, {}
    if workers.rank == 1:
        size = 6 if what == "batch" else size
        own = {"generator": torch.Generator().manual_seed(6)} if what == "micro-batches" else {}
        own |= {"clip_norm": 0.6} if what == "options" else {}
    try:
        step(workers, options, size, **own)
    except Exception as error:
        return error


@pytest.mark.parametrize("what", ["batch", "micro-batches", "options"])
def test_a_worker_that_takes_another_step_is_refused_by_name_on_all(what, together):
    for error in together(3, differing, what):
        assert isinstance(error, ValueError)
        assert str(error).startswith(f"Expected the same step on every worker, got another {what}")
        assert "on worker 1 than on worker 0" in str(error)


def failing(workers):
    taken = model()

    def loss(model, batch):
        if workers.rank == 1:
            raise ZeroDivisionError("in the loss")
        return losses(model, batch)

    options = dict(STEPS["dp-sgd"], clip_norm=0.5, workers=workers)
    try:
        private_gradients(taken, loss, Chosen(Pairs(torch.arange(7)), torch.arange(7)), **options)
    except Exception as error:
        return error, [parameter.grad for parameter in taken.parameters()]


def test_an_error_on_one_worker_stops_all_and_leaves_no_gradient(together):
    (first, none), (own, _), (third, _) = together(3, failing)
    assert isinstance(own, ZeroDivisionError) or "in the loss" in str(own)
    assert none == [None] * 4
    for error in (first, third):
        assert isinstance(error, WorkerLostError) and "got an error on worker 1" in str(error)


def sharded(workers):
    from torch.distributed.fsdp import fully_shard

    taken = model()
    fully_shard(taken[2])
    try:
        private_gradients(taken, losses, {"x": X, "y": Y}, clip_norm=0.5, workers=workers, **STEPS["dp-sgd"])
    except ValueError as error:
        return str(error)


def test_parameters_in_shards_are_refused_by_name(together):
    for error in together(2, sharded):
        assert error.startswith("Expected parameters that each worker holds whole, got '2.weight' in shards")
