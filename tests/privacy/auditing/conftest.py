"""Training steps and samplers with the bugs that real libraries had, and for each the check that has to find it.

Every step is DP-SGD written out, for E = 8 expected examples, C = 0.5, σ = 1; `honest` is the right one. A number of
an issue names the public report of such a bug.
"""

import itertools

import numpy as np
import pytest
import torch

from trustlab.privacy.auditing.planted_bugs import (
    DECLARED,
    PLANTED,
    SIGMA,
    C,
    E,
    clip,
    clipped_sum,
    gradients,
    honest,
    leave,
)

# --- Steps with a bug each, apart from those that notebook 12 shows


def clipped_after_averaging(model, loss, batch):
    means = [g.mean(0, keepdim=True) if len(g) else torch.zeros(1, *g.shape[1:]) for g in gradients(model, loss, batch)]
    leave(model, [E * g[0] for g in clip(means)])


def accumulated_gradients_clipped(model, loss, batch):
    """Clips the gradient of every four examples at once, and adds the noise once."""
    each = gradients(model, loss, batch)
    parts = [clip([g[i : i + 4].sum(0, keepdim=True) for g in each]) for i in range(0, len(batch), 4)]
    leave(model, [torch.cat([part[k] for part in parts] or [each[k]]).sum(0) for k in range(len(each))])


def accumulated_examples_counted_again(model, loss, batch):
    """Never forgets the gradients of the part before: an example is added with its own part and with the next."""
    each = clip(gradients(model, loss, batch))
    sums = [g.sum(0) + (g[:-4].sum(0) if len(g) > 4 else 0) for g in each]
    leave(model, sums)


def accumulated_sum_clipped_again(model, loss, batch):
    sums = clip([g[None] for g in clipped_sum(model, loss, batch)])
    leave(model, [g[0] for g in sums])


def divided_by_the_batch_drawn(model, loss, batch):
    leave(model, clipped_sum(model, loss, batch), divisor=max(len(batch), 1), std=SIGMA * C * max(len(batch), 1) / E)


def short_batch_skipped(model, loss, batch):
    if len(batch) >= E:
        honest(model, loss, batch)


def clipped_in_each_layer(model, loss, batch):
    leave(model, [clip([g])[0].sum(0) for g in gradients(model, loss, batch)])


def noise_without_clip_norm(model, loss, batch):
    leave(model, clipped_sum(model, loss, batch), std=SIGMA * C**2)


class NoiseDrawnOnce:
    def __init__(self):
        self.kept = {}

    def __call__(self, model, loss, batch):
        leave(model, clipped_sum(model, loss, batch), draw=self.draw)

    def draw(self, total):
        return self.kept.setdefault(total.shape, torch.randn_like(total))


class NoiseOfEveryThirdStep:
    """The generator is seeded again at every third step."""

    def __init__(self):
        self.step = itertools.count()

    def __call__(self, model, loss, batch):
        generator = torch.Generator().manual_seed(next(self.step) % 3)
        leave(model, clipped_sum(model, loss, batch), draw=lambda g: torch.randn(g.shape, generator=generator))


def one_number_for_a_tensor(model, loss, batch):
    leave(model, clipped_sum(model, loss, batch), draw=lambda g: torch.randn(()).expand_as(g))


def laplace_noise(model, loss, batch):
    noise = torch.distributions.Laplace(0.0, 0.5**0.5)
    leave(model, clipped_sum(model, loss, batch), draw=lambda g: noise.sample(g.shape))


def noise_before_clipping(model, loss, batch):
    each = [g + SIGMA * C * torch.randn_like(g) for g in gradients(model, loss, batch)]
    leave(model, [g.sum(0) for g in clip(each)], std=0.0)


def a_huge_example_not_clipped(model, loss, batch):
    """Its norm overflows in half precision, and what is not finite is left as it is."""
    each = gradients(model, loss, batch)
    norms = sum(g.flatten(1).half().square().sum(1) for g in each).sqrt()
    kept = torch.where(norms.isfinite(), (C / norms.clamp(min=1e-12)).clamp(max=1), 1.0).float()
    leave(model, [(g * kept.view(-1, *[1] * (g.dim() - 1))).sum(0) for g in each])


def clipped_to_a_norm_of_its_own(model, loss, batch):
    """The argument is not used (Opacus, pull request 664)."""
    leave(model, [g.sum(0) for g in clip(gradients(model, loss, batch), limit=1.0)])


def clipped_number_by_number(model, loss, batch):
    """As np.clip does it (Truxify, pull request 3858)."""
    leave(model, [g.nan_to_num().clamp(-C, C).sum(0) for g in gradients(model, loss, batch)])


def views_clipped_one_by_one(model, loss, batch):
    """Each example is seen twice, in two augmentations, and both are clipped to C."""
    each = clip(gradients(model, loss, batch))
    leave(model, [2 * g.sum(0) for g in each])


def padding_repeats_the_first(model, loss, batch):
    """A batch is filled up to whole parts of four with its first examples (jax_privacy, pull request 223)."""
    missing = -len(batch) % 4 if len(batch) else 0
    full = [g[torch.arange(len(batch) + missing) % max(len(batch), 1)] for g in gradients(model, loss, batch)]
    leave(model, [g.sum(0) for g in clip(full)])


def noise_of_the_largest_gradient(model, loss, batch):
    """The noise has the size of the longest gradient that there was."""
    each = clip(gradients(model, loss, batch))
    longest = sum(g.flatten(1).square().sum(1) for g in each).sqrt().amax() if len(batch) else torch.tensor(0.0)
    leave(model, [g.sum(0) for g in each], std=SIGMA * float(longest))


def noise_averaged_over_parts(model, loss, batch):
    """Each part of four gets its noise, and the parts are averaged (Optax, issue 527)."""
    parts = max(-(-len(batch) // 4), 1)
    leave(model, clipped_sum(model, loss, batch), std=SIGMA * C / parts**0.5)


def noise_where_gradients_are(model, loss, batch):
    """Rows of an embedding that no example has seen stay as they are."""
    leave(model, clipped_sum(model, loss, batch), draw=lambda g: torch.randn_like(g) * (g != 0))


def noise_all_but_the_last(model, loss, batch):
    """One coordinate of each tensor is passed over (as in NVFlare, issue 343)."""
    leave(model, clipped_sum(model, loss, batch))
    for parameter, total in zip(model.parameters(), clipped_sum(model, loss, batch), strict=True):
        parameter.grad[..., -1] = total[..., -1] / E


def noise_all_but_the_first(model, loss, batch):
    leave(model, clipped_sum(model, loss, batch))
    for parameter, total in zip(model.parameters(), clipped_sum(model, loss, batch), strict=True):
        parameter.grad[..., 0] = total[..., 0] / E


class NoiseFromATable:
    """Normal numbers are drawn once, and each tensor's noise begins somewhere in them."""

    def __init__(self):
        self.numbers = torch.randn(2**16)

    def __call__(self, model, loss, batch):
        leave(model, clipped_sum(model, loss, batch), draw=self.draw)

    def draw(self, total):
        at = (int(torch.randint(len(self.numbers), ())) + torch.arange(total.numel())) % len(self.numbers)
        return self.numbers[at].view(total.shape)


def a_nan_for_all(model, loss, batch):
    """What is not finite is clipped like the rest: C / NaN."""
    each = gradients(model, loss, batch)
    norms = sum(g.flatten(1).double().square().sum(1) for g in each).sqrt()
    kept = (C / norms.clamp(min=1e-12)).clamp(max=1).float()
    leave(model, [(g * kept.view(-1, *[1] * (g.dim() - 1))).sum(0) for g in each])


class Worker:
    """One of several workers, with noise of its own; the same `seed` on all of them is a bug, and so is a `share`
    of the standard deviation where it is the variance that is shared (TF-Privacy, issue 88; Flower, issue 1892)."""

    def __init__(self, workers, seed, share=0.5):
        self.scale, self.generator = workers**-share, torch.Generator().manual_seed(seed)

    def __call__(self, model, loss, batch):
        draw = lambda g: torch.randn(g.shape, generator=self.generator)  # noqa: E731
        leave(model, clipped_sum(model, loss, batch), std=SIGMA * C * self.scale, draw=draw)


STEPS = {  # what is audited: the check that has to fail
    "noise scaled by the batch": (PLANTED["noise scaled by the batch"], "noise in each batch"),
    "noise missing on one group": (PLANTED["noise missing on one group"], "noise of each parameter"),
    "micro-batches of sensitivity 1": (PLANTED["micro-batches of sensitivity 1"], "sensitivity"),
    "clipped after averaging": (lambda: clipped_after_averaging, "sensitivity"),
    "accumulated gradients clipped": (lambda: accumulated_gradients_clipped, "sensitivity"),
    "accumulated examples counted again": (lambda: accumulated_examples_counted_again, "sensitivity"),
    "accumulated sum clipped again": (lambda: accumulated_sum_clipped_again, "sum of examples"),
    "divided by the batch drawn": (lambda: divided_by_the_batch_drawn, "sensitivity"),
    "short batch skipped": (lambda: short_batch_skipped, "noise in each batch"),
    "clipped in each layer": (lambda: clipped_in_each_layer, "sensitivity"),
    "noise without clip norm": (lambda: noise_without_clip_norm, "noise of each parameter"),
    "noise drawn once": (NoiseDrawnOnce, "noise between steps"),
    "noise of every third step": (NoiseOfEveryThirdStep, "noise between steps"),
    "same seed on every shard": (PLANTED["same seed on every shard"], "noise between parameters"),
    "same seed on every worker": (lambda: [Worker(3, 5) for _ in range(3)], "noise between workers"),
    "one number for a tensor": (lambda: one_number_for_a_tensor, "noise between parameters"),
    "Laplace noise": (lambda: laplace_noise, "noise is Gaussian"),
    "noise before clipping": (lambda: noise_before_clipping, "noise of each parameter"),
    "a huge example not clipped": (lambda: a_huge_example_not_clipped, "sensitivity"),
    "clipped to a norm of its own": (lambda: clipped_to_a_norm_of_its_own, "sensitivity"),
    "clipped number by number": (lambda: clipped_number_by_number, "sensitivity"),
    "views clipped one by one": (lambda: views_clipped_one_by_one, "sensitivity"),
    "padding repeats the first": (lambda: padding_repeats_the_first, "sensitivity"),
    "the step before again": (PLANTED["the step before again"], "examples of the step before"),
    "noise of the largest gradient": (lambda: noise_of_the_largest_gradient, "noise in each batch"),
    "noise averaged over parts": (lambda: noise_averaged_over_parts, "noise in each batch"),
    "noise where gradients are": (lambda: noise_where_gradients_are, "noise of each parameter"),
    "noise all but the last": (lambda: noise_all_but_the_last, "noise of each coordinate"),
    "noise all but the first": (lambda: noise_all_but_the_first, "noise of each coordinate"),
    "noise from a table": (NoiseFromATable, "noise between steps"),
    "noise share of a worker": (lambda: [Worker(3, seed, share=1) for seed in range(3)], "noise of each parameter"),
    "a NaN for all": (lambda: a_nan_for_all, "gradients that are no numbers"),
}

# --- Samplers: of the examples [N, 4] the indices of each batch of one training, expected to be 1 / q = 10 batches

Q = 0.1


def poisson(rng):
    return lambda data: [np.flatnonzero(rng.random(len(data)) < Q) for _ in range(10)]


def shuffled(rng):
    return lambda data: np.array_split(rng.permutation(len(data)), 10)


def shuffled_last_batch_dropped(rng):
    def batches(data):
        size = 20
        order = rng.permutation(len(data))
        return [order[i : i + size] for i in range(0, len(order) - size + 1, size)]

    return batches


def fixed_size(rng):
    return lambda data: [rng.choice(len(data), round(Q * len(data)), replace=False) for _ in range(10)]


def with_replacement(rng):
    return lambda data: [rng.integers(len(data), size=rng.binomial(len(data), Q)) for _ in range(10)]


def alike_in_length(rng):
    """Draws short or long examples, twice as often, so that a batch needs no padding."""

    def batches(data):
        for _ in range(10):
            kind = (data[:, 0] > 1) == (rng.random() < 0.5)
            yield np.flatnonzero(kind & (rng.random(len(data)) < 2 * Q))

    return batches


def long_examples_skipped(rng):
    return lambda data: [np.flatnonzero((rng.random(len(data)) < Q) & (data[:, 0] < 50)) for _ in range(10)]


def batches_dropped_by_data(rng):
    """A batch with too many long examples does not fit into memory, and is left out."""

    def batches(data):
        for batch in poisson(rng)(data):
            if data[batch, 0].sum() < 1500:
                yield batch

    return batches


def next_batch_overlaps(rng):
    def batches(data):
        kept = rng.random(len(data)) < Q
        for _ in range(10):
            kept = np.where(rng.random(len(data)) < 0.3, kept, rng.random(len(data)) < Q)
            yield np.flatnonzero(kept)

    return batches


def capped(rng):
    """No batch is larger than what fits into memory."""
    return lambda data: [batch[: round(1.1 * Q * len(data))] for batch in poisson(rng)(data)]


def same_batches_in_every_epoch(rng):
    """The sampler's generator begins again with each epoch."""
    kept = {}

    def batches(data):
        seed = kept.setdefault("seed", int(rng.integers(2**31)))
        return poisson(np.random.default_rng(seed))(data)

    return batches


SAMPLERS = {
    "shuffled, accounted as Poisson": (shuffled, "counts of each example"),
    "last batch dropped": (shuffled_last_batch_dropped, "number of steps"),
    "fixed size": (fixed_size, "batch sizes: spread"),
    "with replacement": (with_replacement, "batch sizes: mean"),
    "alike in length": (alike_in_length, "batches and data"),
    "long examples skipped": (long_examples_skipped, "batches and data"),
    "batches dropped by data": (batches_dropped_by_data, "number of steps"),
    "next batch overlaps": (next_batch_overlaps, "batches between steps"),
    "no batch above a cap": (capped, "batch sizes: mean"),
    "same batches in every epoch": (same_batches_in_every_epoch, "counts of each example"),
}


def pytest_generate_tests(metafunc):
    """A test that takes `bug` runs for each step with a bug, one that takes `bad_sampler` for each such sampler."""
    for name, table in (("bug", STEPS), ("bad_sampler", SAMPLERS)):
        if name in metafunc.fixturenames:
            metafunc.parametrize(name, list(table.values()), ids=list(table))


@pytest.fixture
def declared():
    return DECLARED


@pytest.fixture
def honest_step():
    return honest


@pytest.fixture
def honest_workers():
    return [Worker(3, seed) for seed in range(3)]


@pytest.fixture
def poisson_sampler():
    return lambda seed: {"sampler": poisson(np.random.default_rng(seed)), "sample_rate": Q}


@pytest.fixture
def planted_steps():
    return STEPS
