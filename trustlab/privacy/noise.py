"""Gaussian noise for a whole model at once: drawn in parallel, repeatable from a seed, or from the operating system.

torch draws normal numbers in one thread. Here the parameters are cut into pieces of a fixed size, each with a random
generator of its own, and several threads fill them; a seed gives the same numbers whatever the number of threads.

Two caveats hold for every floating-point sampler, this one included. The guarantee is proved for real numbers, and the
gaps between floats can tell an attacker who sees exact outputs more than ε allows (Mironov 2012; Haney et al. 2022 for
the Gaussian). And a seeded generator is repeatable for whoever knows its seed: such a person can subtract the noise.
``secure=True`` removes the second, and makes the first harder by summing four draws (Holohan & Braghin 2021).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

PIECES, SMALLEST = 64, 1 << 16  # at most so many generators, each for at least so many numbers
STATE_WORDS = 624  # 32-bit words in the state of MT19937, torch's generator on a CPU


def fill_with_noise(
    tensors: Sequence[Tensor], std: float, *, generator: torch.Generator | None = None, secure: bool = False
) -> None:
    """Overwrite `tensors` with independent Gaussian numbers of mean 0 and standard deviation `std`.

    Parameters
    ----------
    tensors
        Contiguous floating-point tensors.
    std
        Standard deviation; with 0 the tensors are set to zero and nothing is drawn.
    generator
        Where randomness comes from; None is torch's global generator. The numbers drawn depend on its state and on the
        tensors' shapes, not on the number of threads.
    secure
        Draw from the operating system's generator, which cannot be repeated.

    Raises
    ------
    ValueError
        For `secure` together with `generator`: what a seed repeats is not secure.
    NotImplementedError
        For `secure` where the operating system has no generator (raised by :func:`os.urandom`).

    Examples
    --------
    >>> weight, bias = torch.empty(1000, 1000), torch.empty(1000)
    >>> fill_with_noise([weight, bias], std=2.0, generator=torch.Generator().manual_seed(0))
    >>> round(weight.std().item(), 2)
    2.0
    """
    check_source(generator, secure)
    if std == 0:
        for tensor in tensors:
            tensor.zero_()
        return
    groups = list(_groups(tensors, max(SMALLEST, math.ceil(sum(tensor.numel() for tensor in tensors) / PIECES))))
    if secure:
        jobs = [(group, None) for group in groups]
    elif len(groups) == 1 or (generator is not None and generator.device.type != "cpu"):
        jobs = [(group, generator) for group in groups]
    else:
        jobs = list(zip(groups, _children(generator, len(groups)), strict=True))
    # A shared generator serves its pieces in turn; generators of their own can work side by side.
    workers = 1 if len(jobs) == 1 or (not secure and jobs[0][1] is jobs[-1][1]) else torch.get_num_threads()

    def fill(job: tuple[list[Tensor], torch.Generator | None]) -> None:
        for piece in job[0]:
            _fill_securely(piece, std) if secure else _fill(piece, std, job[1])

    if workers == 1:
        for job in jobs:
            fill(job)
    else:
        list(_pool(workers, os.getpid()).map(fill, jobs))


def check_source(generator: torch.Generator | None, secure: bool) -> None:
    """Refuse a generator beside ``secure=True``."""
    if secure and generator is not None:
        raise ValueError(
            "Expected generator=None with secure=True, got a generator. What a seed repeats is not secure: "
            "leave the generator out, or secure."
        )


@lru_cache(maxsize=1)
def _pool(workers: int, process: int) -> ThreadPoolExecutor:
    """Return this process's threads; they do not survive a fork."""
    return ThreadPoolExecutor(workers, thread_name_prefix="noise")


def _groups(tensors: Iterable[Tensor], size: int) -> Iterator[list[Tensor]]:
    """Cut `tensors` into flat pieces and put them into groups of at most `size` numbers."""
    group: list[Tensor] = []
    room = size
    for piece in (piece for tensor in tensors for piece in tensor.view(-1).split(size)):
        if piece.numel() > room:
            yield group
            group, room = [], size
        group.append(piece)
        room -= piece.numel()
    if group:
        yield group


def _children(generator: torch.Generator | None, count: int) -> list[torch.Generator]:
    """Return `count` independent generators, their whole states drawn from `generator`.

    ``Generator.manual_seed`` keeps only 32 bits of a seed: after a hundred thousand pieces two would, more likely than
    not, have had the same noise, and whoever saw both could subtract it. A whole state has 19,937 bits.
    """
    words = torch.randint(2**32, (count, STATE_WORDS), generator=generator)  # int64, one 32-bit word each
    children = []
    for own in words:
        child = torch.Generator()
        state = child.get_state().numpy().copy()  # seed u64, left i32, seeded i32, next u64, 624 words u64, …
        state[8:12] = np.frombuffer(np.int32(1).tobytes(), np.uint8)  # left = 1: mix the state before the first draw
        state[16:24] = 0
        state[24 : 24 + 8 * STATE_WORDS] = own.numpy().view(np.uint8)
        child.set_state(torch.from_numpy(state))
        children.append(child)
    return children


def _fill(piece: Tensor, std: float, generator: torch.Generator | None) -> None:
    """Fill one flat piece from `generator`, which may live on another device or be drawn in another precision."""
    home = piece.device if generator is None else generator.device
    if home == piece.device and piece.dtype in (torch.float32, torch.float64):
        piece.normal_(0.0, std, generator=generator)
    else:
        piece.copy_(torch.empty(piece.shape, device=home).normal_(0.0, std, generator=generator))


def _fill_securely(piece: Tensor, std: float) -> None:
    """Fill one flat piece from the operating system's generator: four draws of half the size, summed."""
    from scipy.special import ndtri

    total = np.zeros(piece.numel())
    for _ in range(4):
        bits = np.frombuffer(os.urandom(8 * piece.numel()), np.uint64) >> np.uint64(12)  # 52 bits each
        total += ndtri((bits + 0.5) * 2.0**-52)  # never 0 or 1: no infinite draw
    piece.copy_(torch.from_numpy(total * (std / 2)))
