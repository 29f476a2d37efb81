"""The auditor passes the step that several workers take, and finds each bug that such steps are known for.

Their batches are those of one worker, whose sampler is audited elsewhere.

A step's sum is all that leaves the workers; what each adds to it is audited as a list of steps. Workers are computed in
turn here, and once as processes. The declared step is that of the other planted bugs: E = 8, C = 0.5, σ = 1.
"""

import contextlib

import pytest
import torch

from trustlab.privacy import private_gradients
from trustlab.privacy.auditing import audit
from trustlab.privacy.auditing.planted_bugs import DECLARED, SIGMA, C, E, clip, clipped_sum, gradients, leave
from trustlab.privacy.distributed import Workers

COUNT = 3
FEW = 100  # canaries: no check but the bounds' depends on them
OURS = {
    "dp-sgd": (dict(method="dp-sgd", expected_batch_size=E), DECLARED),
    "edp-sgd": (dict(method="edp-sgd", micro_batches=E), DECLARED | dict(sensitivity=2.0)),
    "edp-sgd, noise by worker": (dict(method="edp-sgd", micro_batches=E, noise_by="worker"),
                                 DECLARED | dict(sensitivity=2.0)),
}  # fmt: skip


class InTurn(Workers):
    """One of `count` workers that are computed one after another: what it would add stays with it."""

    def __init__(self, rank, count=COUNT):
        self.group, self.rank, self.count = None, rank, count

    @contextlib.contextmanager
    def together(self, seen):
        yield

    def add(self, tensors):
        pass


def shares(take, model, loss, batch):
    """Return what each worker leaves; all of them draw from torch's generator in the same state."""
    state, found = torch.get_rng_state(), []
    for rank in range(COUNT):
        torch.set_rng_state(state)
        take(model, loss, batch, InTurn(rank))
        found.append([parameter.grad.clone() for parameter in model.parameters()])
    return found


def added(take):
    """Return the step in which the workers' gradients are added."""

    def step(model, loss, batch):
        for parameter, *parts in zip(model.parameters(), *shares(take, model, loss, batch), strict=True):
            parameter.grad = torch.stack(parts).sum(0)

    return step


def ours(options):
    given = dict(clip_norm=C, noise_multiplier=SIGMA, **options)
    return lambda model, loss, batch, workers: private_gradients(model, loss, batch, workers=workers, **given)


@pytest.mark.parametrize("name", OURS)
def test_our_workers_are_not_accused(name):
    options, declared = OURS[name]
    report = audit(added(ours(options)), **declared, canaries=FEW)
    assert report.failed + report.wasteful == (), str(report)


# Bugs: what a worker leaves of its part of the batch, before the sum


def noisy(seed, scale):
    """Clip the own part, and add noise of `scale` times the whole standard deviation from the own seed."""
    generator = torch.Generator().manual_seed(seed)
    draw = lambda total: torch.randn(total.shape, generator=generator)  # noqa: E731
    return lambda model, loss, batch: leave(model, clipped_sum(model, loss, batch), std=SIGMA * C * scale, draw=draw)


BY_WORKER = {  # the workers' steps, and the check that has to fail
    "same seed on every worker": (lambda: [noisy(5, COUNT**-0.5) for _ in range(COUNT)], "noise between workers"),
    "same seed, a share of σ": (lambda: [noisy(5, 1 / COUNT) for _ in range(COUNT)], "noise between workers"),
    "a share of σ": (lambda: [noisy(seed, 1 / COUNT) for seed in range(COUNT)], "noise of each parameter"),
    "noise on every worker": (lambda: [noisy(seed, 1.0) for seed in range(COUNT)], "noise of each parameter"),
    "noise missing": (lambda: [noisy(seed, 0.0) for seed in range(COUNT)], "noise of each parameter"),
}  # fmt: skip


@pytest.mark.parametrize("name", BY_WORKER)
def test_a_bug_in_the_workers_noise_is_found(name):
    make, check = BY_WORKER[name]
    report = audit(make(), **DECLARED, canaries=FEW)
    found = {each.name: each for each in report.checks}[check]
    assert check in report.failed + report.wasteful and found.p < 1e-6, str(report)
    assert (name == "noise on every worker") == (check in report.wasteful)  # too much noise costs accuracy only


def own_part(batch, workers):
    return batch[workers.rank :: workers.count]


def once(workers):
    """The noise of worker 0 alone."""
    return SIGMA * C if workers.rank == 0 else 0.0


def clipped_after_the_sum(model, loss, batch, workers):
    total = [part.sum(0, keepdim=True) for part in gradients(model, loss, batch)]  # as all would hold it
    leave(model, [part[0] / workers.count for part in clip(total)], std=once(workers))


def each_sum_clipped(model, loss, batch, workers):
    part = [each.sum(0, keepdim=True) for each in gradients(model, loss, own_part(batch, workers))]
    leave(model, [each[0] for each in clip(part)], std=once(workers))


def divided_by_the_local_batch(model, loss, batch, workers):
    own = own_part(batch, workers)
    size = max(len(own), 1) * workers.count
    leave(model, clipped_sum(model, loss, own), divisor=size, std=once(workers) * size / E)


def every_worker_takes_all(model, loss, batch, workers):
    leave(model, clipped_sum(model, loss, batch), std=once(workers))


def averaged_as_by_ddp(model, loss, batch, workers):
    leave(model, clipped_sum(model, loss, own_part(batch, workers)), std=once(workers), divisor=E * workers.count)


def own_part_padded(model, loss, batch, workers):
    """As DistributedSampler does it, so that all parts have the same size: the first examples come twice."""
    own = own_part(torch.cat([batch, batch[: -len(batch) % workers.count]]), workers)
    leave(model, clipped_sum(model, loss, own), std=once(workers))


SUMS = {  # what is added, and the check that has to fail
    "clipped after the sum": (clipped_after_the_sum, "sensitivity"),
    "each worker clips its sum": (each_sum_clipped, "sensitivity"),
    "divided by the local batch": (divided_by_the_local_batch, "sensitivity"),
    "every worker takes all": (every_worker_takes_all, "sensitivity"),
    "averaged as by DDP": (averaged_as_by_ddp, "noise of each parameter"),
    "parts padded by repeating": (own_part_padded, "sensitivity"),
}


@pytest.mark.parametrize("name", SUMS)
def test_a_bug_in_what_is_added_is_found(name):
    take, check = SUMS[name]
    report = audit(added(take), **DECLARED, canaries=FEW)
    assert check in report.failed, str(report)


# Processes


def audited(workers, bug):
    """All workers audit the same step at the same time, as they take it together."""

    def step(model, loss, batch):
        ours(OURS["dp-sgd"][0])(model, loss, batch, workers)
        if bug:  # each adds noise of its own after the sum, from one seed: a share of the variance
            for parameter in model.parameters():
                parameter.grad.add_(torch.randn_like(parameter), alpha=SIGMA * C / E)

    report = audit(step, **DECLARED, canaries=FEW)
    return report.failed, report.wasteful


def test_processes_pass_the_audit_and_noise_added_on_every_worker_does_not(together):
    for failed, wasteful in together(2, audited, False):
        assert failed == wasteful == ()
    for failed, wasteful in together(2, audited, True):
        assert "noise of each parameter" in failed + wasteful
