"""Gaussian noise for a whole model: drawn in parallel, repeatable from a seed, or from the operating system.

torch draws normal numbers in one thread. Here the parameters are cut into lots, each with its own random generator,
and several threads fill them; a seed gives the same numbers with any number of threads.

Two caveats hold for every floating-point sampler, this one included. The guarantee is proved for real numbers, and the
gaps between floats can reveal more than ε allows to an attacker who sees exact outputs (Mironov 2012; Haney et al.
2022 for the Gaussian). And a seeded generator is repeatable for anyone who knows its seed, and who can then subtract
the noise. ``secure=True`` removes the second, and makes the first harder by summing four draws (Holohan & Braghin
2021).
"""

from __future__ import annotations

import math
import os
import weakref
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from trustlab.privacy.parallel import side_by_side

SMALLEST, LARGEST = 1 << 16, 1 << 20  # numbers that one generator draws, but for the last of a model
FEW = 1 << 19  # handing out so few numbers to threads, and adding to them there, takes longer than it saves
STATE_WORDS = 624  # 32-bit words in the state of MT19937, torch's generator on a CPU
ALIGNED = 64  # bytes, as torch aligns its own memory: vector instructions give the same last digit everywhere

# The memory of large sums by address, while any tensor uses it.
_lent: weakref.WeakValueDictionary[int, np.ndarray] = weakref.WeakValueDictionary()


class NoisySum:
    """Σ clipped gradients + noise, of which the noise comes first and the gradients are added to it.

    Parameters
    ----------
    parameters
        The sum has a tensor for each. Their old gradients are dropped: ``.grad`` is None until it is assigned. The
        memory of a large one is reused unless something else refers to it; other memory is taken one lot at a time.
    std
        Standard deviation of the noise; with 0 nothing is drawn.
    workers
        That many workers each add noise of standard deviation std/√workers.
    generator
        Where randomness comes from; None is torch's global generator. The numbers drawn depend on its state and on the
        parameters' shapes, and not on the number of threads.
    secure
        Draw from the operating system's generator, which cannot be repeated.
    part
        (r, R): this process is the r-th of R whose sums are added (:mod:`trustlab.privacy.distributed`). Each number of
        the noise is added in one of them; with generators that are alike, the whole is what one process would draw.

    Raises
    ------
    ValueError
        For `secure` together with `generator`: what a seed repeats is not secure.
    NotImplementedError
        For `secure` where the operating system has no generator (raised by :func:`os.urandom`).

    Examples
    --------
    >>> parameters = list(torch.nn.Linear(1000, 1000).parameters())
    >>> noisy = NoisySum(parameters, 2.0, generator=torch.Generator().manual_seed(0))
    >>> round(noisy.tensors[0].std().item(), 2)
    2.0
    """

    def __init__(
        self,
        parameters: Sequence[torch.nn.Parameter],
        std: float,
        *,
        workers: int = 1,
        generator: torch.Generator | None = None,
        secure: bool = False,
        part: tuple[int, int] = (0, 1),
    ) -> None:
        if secure and generator is not None:
            raise ValueError(
                "Expected generator=None with secure=True, got a generator. What a seed repeats is not secure: "
                "leave the generator out, or secure."
            )
        self.parameters, self.std, self.workers = parameters, std / workers**0.5, workers
        self.generator, self.secure, self.part = generator, secure, part
        # A generator of another device draws every number itself, in turn; a CPU's seeds one for each lot.
        home = generator.device if generator is not None else parameters[0].device
        self._on_cpu = home.type == "cpu"
        self._made: dict[int, Tensor] = {}
        # Small tensors take the memory that the backward frees. Large ones would be given to the system and taken back
        # at every step, page by page: theirs is kept.
        self._kept = [_reclaimed(parameter) for parameter in parameters]

    @property
    def tensors(self) -> list[Tensor]:
        """Return the sum as it is, one tensor for each parameter."""
        if not self._made:
            self.add(lambda i, total: None)
        return [self._made[i] for i in range(len(self.parameters))]

    def add(self, add: Callable[[int, Tensor], None]) -> None:
        """Call ``add(i, total)`` for every parameter, several at once, after its noise was drawn.

        The last parameters come first: an embedding, the largest and usually the first, gets its memory when what the
        other gradients were made of is free.
        """
        if self._made:
            side_by_side([partial(add, i, total) for i, total in self._made.items()])
            return
        lots = list(_lots(self.parameters))
        sources = enumerate(self._sources(sum(pieces for _, pieces in lots)))
        tasks, later = [], []
        for members, pieces in lots:
            if pieces == 1:
                tasks.append(partial(self._fill_and_add, members, *next(sources), add))
            else:  # one large tensor: added to when all its pieces are filled
                (i,) = members
                self._made[i] = self._room(i)
                cut = self._made[i].view(-1).split(LARGEST)
                tasks += [partial(self._fill, piece, *next(sources)) for piece in cut]
                later.append(i)
        if self._on_cpu and sum(parameter.numel() for parameter in self.parameters) > FEW:
            side_by_side(tasks)
        else:
            for task in tasks:
                task()
        for i in later:
            add(i, self._made[i])

    def _room(self, i: int) -> Tensor:
        """Return memory for the sum of parameter `i`, in at least single precision."""
        own, kept = self.parameters[i], self._kept[i]
        self._kept[i] = None
        dtype = torch.promote_types(own.dtype, torch.float32)
        if own.device.type == "cpu" and own.numel() > LARGEST:
            return _on_kept_memory(own.shape, dtype, kept)
        return torch.empty(own.shape, dtype=dtype, device=own.device)

    def _sources(self, count: int) -> list[torch.Generator | None]:
        """Return where each of `count` lots draws from."""
        if self.secure or count == 1 or self.std == 0 or not self._on_cpu:
            return [self.generator] * count
        return _children(self.generator, count)

    def _fill_and_add(
        self, members: list[int], lot: int, source: torch.Generator | None, add: Callable[[int, Tensor], None]
    ) -> None:
        for i in members:
            self._made[i] = self._room(i)
            self._fill(self._made[i].view(-1), lot, source)
            add(i, self._made[i])  # at once, while the noise is still in the processor's cache

    def _fill(self, piece: Tensor, lot: int, source: torch.Generator | None) -> None:
        """Overwrite one flat piece with the noise of all workers, as far as it is this process' part."""
        part, parts = self.part
        own = [(worker if self.workers > 1 else lot) % parts == part for worker in range(self.workers)]
        # Numbers that follow from the same generator are drawn also where another process adds them.
        alone = self.secure or (self.workers == 1 and source is not self.generator)
        draw = _draw_securely if self.secure else partial(_draw, generator=source)
        if self.std == 0 or (alone and not any(own)):
            piece.zero_()
            return
        for worker, mine in enumerate(own):
            share = piece if worker == 0 else torch.empty_like(piece)
            if mine or not alone:
                draw(share, self.std)
            if not mine:
                share.zero_()
            if worker:
                piece.add_(share)


def _lots(parameters: Sequence[torch.nn.Parameter]) -> Iterator[tuple[list[int], int]]:
    """Yield the numbers of parameters that share a lot, last parameters first, and into how many pieces they are cut.

    Small tensors are put together until there are :data:`SMALLEST` numbers; a large one is cut.
    """
    members: list[int] = []
    numbers = 0
    for i in reversed(range(len(parameters))):
        size = parameters[i].numel()
        if size > LARGEST:
            yield [i], math.ceil(size / LARGEST)
            continue
        members.append(i)
        numbers += size
        if numbers >= SMALLEST:
            yield members, 1
            members, numbers = [], 0
    if members:
        yield members, 1


def _reclaimed(parameter: torch.nn.Parameter) -> np.ndarray | None:
    """Drop a parameter's gradient, and return its memory if it came from here and no other tensor uses it.

    A kept gradient of the last step, or a view of it, would otherwise hold the next step's numbers.
    """
    old, parameter.grad = parameter.grad, None
    lent = _lent.get(old.data_ptr()) if old is not None and old.device.type == "cpu" else None
    if lent is None:
        return None
    owner, alive = lent.base, weakref.ref(lent)
    del old, lent  # the last tensor in that memory takes the array with it
    return owner if alive() is None else None


def _on_kept_memory(shape: torch.Size, dtype: torch.dtype, owner: np.ndarray | None) -> Tensor:
    """Return a tensor in the memory of `owner`, or in new memory where that does not fit."""
    size = shape.numel() * dtype.itemsize
    if owner is None or len(owner) != size + ALIGNED:
        owner = np.empty(size + ALIGNED, np.uint8)
    start = -owner.ctypes.data % ALIGNED
    lent = owner[start : start + size]
    tensor = torch.from_numpy(lent).view(dtype).view(shape)  # holds `lent` while any tensor uses it
    _lent[tensor.data_ptr()] = lent
    return tensor


def _children(generator: torch.Generator | None, count: int) -> list[torch.Generator]:
    """Return `count` independent generators, their whole states drawn from `generator`.

    ``Generator.manual_seed`` keeps only 32 bits of a seed: after a hundred thousand lots two would, more likely than
    not, have had the same noise, and anyone who saw both could subtract it. A whole state has 19,937 bits.
    """
    words = torch.randint(2**32, (count, STATE_WORDS), generator=generator)  # int64, one 32-bit word each
    state = torch.Generator().get_state()  # uint8: seed u64, left i32, seeded i32, next u64, 624 words u64, …
    state[8:12] = torch.tensor([1], dtype=torch.int32).view(torch.uint8)  # left = 1: mix before the first draw
    state[16:24] = 0
    children = []
    for own in words:
        state[24 : 24 + 8 * STATE_WORDS] = own.view(torch.uint8)
        children.append(torch.Generator().set_state(state))
    return children


def _draw(piece: Tensor, std: float, *, generator: torch.Generator | None) -> None:
    """Fill one flat piece from `generator`, which may live on another device."""
    home = piece.device if generator is None else generator.device
    if home == piece.device:
        piece.normal_(0.0, std, generator=generator)
    else:
        piece.copy_(torch.empty(piece.shape, dtype=piece.dtype, device=home).normal_(0.0, std, generator=generator))


def _draw_securely(piece: Tensor, std: float) -> None:
    """Fill one flat piece from the operating system's generator: four draws of half the size, summed."""
    from scipy.special import ndtri

    total = np.zeros(piece.numel())
    for _ in range(4):
        bits = np.frombuffer(os.urandom(8 * piece.numel()), np.uint64) >> np.uint64(12)  # 52 bits each
        total += ndtri((bits + 0.5) * 2.0**-52)  # never 0 or 1: no infinite draw
    piece.copy_(torch.from_numpy(total * (std / 2)))
