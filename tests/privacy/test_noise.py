"""Noise: the declared law, independence, repeatability, and the operating system's generator."""

import itertools
import math
import threading

import pytest
import scipy.stats
import torch

from trustlab.privacy import noise
from trustlab.privacy.noise import LARGEST, SMALLEST, NoisySum

SHAPES = [
    (300, 1000),
    (17,),
    (2, 70_000),
    (1,),
    (2 * LARGEST + 5,),
]  # several lots, one tensor cut, small ones together


def parameters(shapes=SHAPES, dtype=torch.float32):
    """Parameters whose old gradients must not show."""
    made = [torch.nn.Parameter(torch.zeros(shape, dtype=dtype)) for shape in shapes]
    for parameter in made:
        parameter.grad = torch.full_like(parameter, torch.nan)
    return made


def drawn(seed=0, shapes=SHAPES, std=1.0, **options):
    options.setdefault("generator", None if options.get("secure") else torch.Generator().manual_seed(seed))
    return NoisySum(parameters(shapes), std, **options).tensors


def flat(tensors):
    return torch.cat([tensor.flatten() for tensor in tensors])


@pytest.mark.parametrize("secure", [False, True])
def test_the_law_is_the_declared_gaussian(secure):
    found = flat(drawn(std=3.0, secure=secure)).double()
    assert abs(found.mean().item()) < 5 * 3 / math.sqrt(len(found))
    assert found.std().item() == pytest.approx(3.0, rel=5 / math.sqrt(2 * len(found)))
    assert scipy.stats.kstest(found[:: len(found) // 20_000].numpy() / 3.0, "norm").pvalue > 1e-4
    # Tails as a Gaussian has them: 4σ is passed by 6.3e-5 of the numbers.
    beyond, expected = (found.abs() > 12).sum().item(), 6.334e-5 * len(found)
    assert abs(beyond - expected) < 5 * math.sqrt(expected)


@pytest.mark.parametrize("secure", [False, True])
def test_pieces_tensors_and_steps_are_independent(secure):
    generator = None if secure else torch.Generator().manual_seed(1)
    first, second = (flat(drawn(secure=secure, generator=generator)) for _ in range(2))
    length = SMALLEST
    parts = [*first.split(length)[:-1], *second.split(length)[:-1]]
    assert len(parts) > 10
    for one, other in itertools.combinations(parts, 2):
        assert abs(torch.corrcoef(torch.stack([one, other]))[0, 1].item()) < 5 / math.sqrt(length)
    assert not torch.isin(first, second).float().mean() > 0.2  # float32 repeats a value now and then, never a stream
    shifted = torch.corrcoef(torch.stack([first[:-1], first[1:]]))[0, 1].item()
    assert abs(shifted) < 5 / math.sqrt(len(first))


def test_a_seed_repeats_the_noise_whatever_the_number_of_threads():
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = flat(drawn(seed=4))
        torch.set_num_threads(3)
        assert torch.equal(alone, flat(drawn(seed=4)))
    finally:
        torch.set_num_threads(threads)
    assert not torch.equal(alone, flat(drawn(seed=5)))


def test_children_start_from_whole_states_and_not_from_32_bits():
    """Two children of one parent differ in all their state, and match a generator so set by hand."""
    children = noise._children(torch.Generator().manual_seed(0), 3)
    states = [child.get_state()[24 : 24 + 8 * noise.STATE_WORDS].view(torch.int64) for child in children]
    assert all((one == other).sum() <= 2 for one, other in itertools.combinations(states, 2))
    assert all(len(state.unique()) > 620 and state.max() < 2**32 for state in states)
    again = noise._children(torch.Generator().manual_seed(0), 3)
    assert [torch.rand(9, generator=g).tolist() for g in children] == [
        torch.rand(9, generator=g).tolist() for g in again
    ]


def test_the_state_is_laid_out_as_torch_lays_it_out():
    """The only knowledge of torch's inside: were it to move, this fails before any noise is wrong."""
    parent = torch.Generator().manual_seed(123)
    state = parent.get_state()
    assert len(state) == 5056
    words = state[24 : 24 + 8 * noise.STATE_WORDS].view(torch.int64)
    expected = [123]  # Knuth's initialisation, as std::mt19937 has it
    for i in range(1, noise.STATE_WORDS):
        expected.append((1812433253 * (expected[-1] ^ (expected[-1] >> 30)) + i) % 2**32)
    assert words.tolist() == expected


def test_lots_are_neither_tiny_nor_huge():
    shapes = [(10,), (3 * LARGEST + 1,), (20_000,), (30_000,), (40_000,), (LARGEST,), (7,)]
    lots = list(noise._lots(parameters(shapes)))
    assert lots == [([6, 5], 1), ([4, 3], 1), ([1], 4), ([2, 0], 1)]


def test_no_noise_is_zero_and_draws_nothing():
    generator = torch.Generator().manual_seed(0)
    assert not flat(drawn(std=0.0, generator=generator)).any()
    assert torch.equal(generator.get_state(), torch.Generator().manual_seed(0).get_state())


def test_gradients_are_added_once_each_and_again_when_asked():
    noisy = NoisySum(parameters(), 0.0)
    for times in (1, 2):
        noisy.add(lambda i, total: total.add_(float(i + 1)))
        assert all((total == times * (i + 1)).all() for i, total in enumerate(noisy.tensors))


def test_an_error_while_adding_is_raised():
    def fail(i, total):
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        NoisySum(parameters(), 1.0).add(fail)


def test_threads_of_ours_change_nobody_elses_number_of_threads():
    before = torch.get_num_threads()
    drawn()
    assert torch.get_num_threads() == before
    seen = []
    thread = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert seen == [before]


@pytest.mark.parametrize("secure", [False, True])
def test_every_precision_is_filled(secure):
    for dtype in (torch.float64, torch.bfloat16):
        (tensor,) = NoisySum(parameters([(40_000,)], dtype), 2.0, secure=secure).tensors
        assert tensor.dtype in (torch.float32, torch.float64)  # sums are never kept in half precision
        assert tensor.double().std().item() == pytest.approx(2.0, rel=5 / math.sqrt(80_000))


def test_secure_noise_comes_from_the_operating_system(monkeypatch):
    asked = []
    monkeypatch.setattr(noise.os, "urandom", lambda n: asked.append(n) or bytes(n))
    (tensor,) = drawn(shapes=[(10,)], secure=True)
    assert asked == [80] * 4  # four draws of 64 bits each
    assert tensor.isfinite().all() and len(tensor.unique()) == 1  # all bits zero: the far end of the tail, and finite
    torch.manual_seed(0)
    before = torch.get_rng_state()
    drawn(secure=True)
    assert torch.equal(before, torch.get_rng_state())


def test_secure_refuses_a_seed_and_a_system_without_randomness(monkeypatch):
    with pytest.raises(ValueError, match="What a seed repeats is not secure"):
        drawn(generator=torch.Generator(), secure=True)

    def none(count):
        raise NotImplementedError("no randomness here")

    monkeypatch.setattr(noise.os, "urandom", none)
    with pytest.raises(NotImplementedError):
        drawn(secure=True)
