"""Private training on several workers, with the gradients, the noise and the ε of one.

``torchrun`` starts the same program on each worker. All of them draw the same Poisson batch from the same seed. Each
clips its own part of it, every W-th example or micro-batch, and adds its own part of the noise: every number of the
noise is drawn by one of them. One all-reduce adds the parts, so that each worker holds the noisy sum that a single one
would have computed, up to the order of additions. How many workers there are changes neither the mechanism nor its ε.

Workers trust one another: each could read all the data, and knows the seed. What is private is what leaves them all.

A worker that dies, waits too long, fails, or computes another step than the others ends the training on all of them
before anything is added. What they had written is resumed by any number of workers.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from trustlab import __version__
from trustlab.batch_tensors import hashed
from trustlab.batches import Chosen

TIMEOUT = 600.0  # seconds
DRIFT = 1e-4  # by which the norms of a parameter may differ on machines of different kinds


class WorkerLostError(RuntimeError):
    """Another worker has failed, died, or did not answer in time."""


class Workers:
    """The workers of one training, of which this process is one; without a `group` there is no other.

    Parameters
    ----------
    group
        A process group of ``torch.distributed`` that was made with a timeout. :func:`join` makes one under
        ``torchrun``.

    Attributes
    ----------
    rank, count
        This worker's number, from 0, and how many there are.

    Examples
    --------
    >>> alone = Workers()
    >>> alone.rank, alone.count, alone.first(lambda: "computed once")
    (0, 1, 'computed once')
    """

    def __init__(self, group: Any = None) -> None:
        self.group = group
        self.rank, self.count = (0, 1) if group is None else (dist.get_rank(group), dist.get_world_size(group))

    @property
    def device(self) -> torch.device:
        """Where the model belongs: this worker's GPU under NCCL, else the CPU."""
        on_gpu = self.group is not None and dist.get_backend(self.group) == "nccl"
        return torch.device("cuda", torch.cuda.current_device()) if on_gpu else torch.device("cpu")

    def own(self, things: Tensor) -> Tensor:
        """Return this worker's part of the rows of a tensor: every `count`-th."""
        return things[self.rank :: self.count]

    def add(self, tensors: Sequence[Tensor]) -> None:
        """Replace each tensor by the sum of all workers' tensors in its place: one all-reduce."""
        if self.count == 1:
            return
        home = self.device if self.device.type == "cuda" else tensors[0].device
        flat = torch.cat([tensor.reshape(-1).to(home) for tensor in tensors])
        self._exchange(dist.all_reduce, flat)
        for tensor, total in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(total.view_as(tensor))

    @contextlib.contextmanager
    def together(self, seen: Callable[[], Mapping[str, str]]) -> Iterator[None]:
        """Run this worker's part of a step; an error on any worker, or another step there, stops all of them.

        Parameters
        ----------
        seen
            Returns what has to be the same on all workers, by name.

        Raises
        ------
        WorkerLostError
            Where another worker has failed, or does not answer.
        ValueError
            Where what another one has seen differs.
        """
        if self.count == 1:
            yield
            return
        try:
            checks = {name: zlib.crc32(text.encode()) for name, text in seen().items()}
            yield
        except Exception:
            with contextlib.suppress(WorkerLostError):
                self._told({})  # nothing seen: this one has failed
            raise
        told = self._told(checks)
        failed = [rank for rank, theirs in enumerate(told) if not theirs]
        if failed:
            raise WorkerLostError(
                f"Expected every worker to compute its part of the step, got an error on worker {_listed(failed)}; it "
                "is shown there. Nothing of this step was added: fix it, and resume from the checkpoint."
            )
        for rank, theirs in enumerate(told):
            differing = [name for name in checks if theirs[name] != told[0][name]]
            if differing:
                raise ValueError(
                    f"Expected the same step on every worker, got another {' and '.join(differing)} on worker {rank} "
                    "than on worker 0. Their sum would be no private gradient, and nothing was added: draw every batch "
                    "from a generator with the same seed on all workers, and give the same options."
                )

    def first(self, function: Callable[[], Any]) -> Any:
        """Return on all workers what `function` returns on worker 0, or raise on all what it raises there."""
        if self.count == 1:
            return function()
        failure, answer = None, [None, ""]
        if self.rank == 0:
            try:
                answer[0] = function()
            except Exception as error:
                failure, answer[1] = error, f"{type(error).__name__}: {error}"
        self._exchange(dist.broadcast_object_list, answer, group_src=0)
        if failure is not None:
            raise failure
        if answer[1]:
            raise WorkerLostError(f"Expected worker 0 to go on, got an error there: {answer[1]}")
        return answer[0]

    def agree(self, identity: Mapping[str, str]) -> None:
        """Refuse, on all workers, one whose training is another: its options, model, data, or versions.

        Raises
        ------
        ValueError
            Naming what differs, and where.
        """
        if self.count > 1:
            told: list[Any] = [None] * self.count
            here = {**identity, "torch": torch.__version__, "trustlab": __version__}
            self._exchange(dist.all_gather_object, told, here)
            for rank, theirs in enumerate(told):
                names = dict.fromkeys([*told[0], *theirs])
                differing = [
                    f"{name} is {theirs.get(name)} there and {told[0].get(name)} on worker 0"
                    for name in names
                    if theirs.get(name) != told[0].get(name)
                ]
                if differing:
                    raise ValueError(
                        f"Expected the training of worker 0 on worker {rank} too, got another: {'; '.join(differing)}. "
                        "Start the same program, with the same files, versions and seed, on every worker."
                    )

    def same_weights(self, model: nn.Module) -> None:
        """Refuse workers whose models have moved apart: the mean of their gradients is no model's gradient.

        Raises
        ------
        ValueError
            Naming the first parameter, and the worker.
        """
        if self.count == 1:
            return
        norms = {name: float(p.detach().double().norm()) for name, p in model.named_parameters()}
        told: list[Any] = [None] * self.count
        self._exchange(dist.all_gather_object, told, norms)
        for rank, theirs in enumerate(told):
            for name, norm in told[0].items():
                if abs(theirs[name] - norm) > DRIFT * abs(norm):
                    raise ValueError(
                        f"Expected the same weights on every worker, got {name!r} of norm {theirs[name]:.6g} on worker "
                        f"{rank} and {norm:.6g} on worker 0. Change weights, learning rates and schedules on all "
                        "workers alike."
                    )

    def _told(self, checks: Mapping[str, int]) -> list[Mapping[str, int]]:
        """Return what each worker has seen."""
        told: list[Any] = [None] * self.count
        self._exchange(dist.all_gather_object, told, dict(checks))
        return told

    def _exchange(self, collective: Callable[..., Any], *given: Any, **options: Any) -> None:
        """Call a collective of ``torch.distributed``; a worker that is gone or silent is named as such."""
        if self.group is None:
            raise RuntimeError("Expected workers that are together, got them after the end of join(). Train inside it.")
        try:
            collective(*given, group=self.group, **options)
        except RuntimeError as error:
            raise WorkerLostError(
                f"Expected an answer from each of {self.count} workers, got: {_reason(error)} A worker has died, or "
                "needs longer than the timeout. Resume from the checkpoint, with any number of workers: the steps "
                "after its last write are taken again with the same batches and the same noise, and count once."
            ) from error


@contextlib.contextmanager
def join(*, timeout: float = TIMEOUT, backend: str | None = None) -> Iterator[Workers]:
    """Meet the other workers that ``torchrun`` has started; in a program started alone, be the only one.

    Parameters
    ----------
    timeout
        Seconds > 0 after which a worker that does not answer is taken for lost: longer than a step, and than the
        measurement on the validation examples, which worker 0 takes alone.
    backend
        ``"nccl"`` or ``"gloo"``; by default NCCL where each worker of a machine has a GPU.

    Raises
    ------
    ValueError
        For a timeout that is not positive.

    Examples
    --------
    >>> with join() as workers:
    ...     workers.count
    1
    """
    if not 0 < timeout < float("inf"):
        raise ValueError(f"Expected 0 < timeout={timeout} < inf. It is how many seconds a worker may be silent.")
    if "RANK" not in os.environ:
        yield Workers()
        return
    local, per_machine = (int(os.environ.get(name, "0")) for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"))
    if backend is None:
        backend = "nccl" if torch.cuda.is_available() and torch.cuda.device_count() >= per_machine else "gloo"
    if backend == "nccl":
        torch.cuda.set_device(local)
    dist.init_process_group(backend, timeout=datetime.timedelta(seconds=timeout))
    workers = Workers(dist.group.WORLD)
    try:
        yield workers
    finally:
        dist.destroy_process_group()
        workers.group = None  # Gloo's threads end with its last reference; at Python's end they could abort the process


def named_batch(batch: Any) -> str:
    """Name the examples of a batch, those of :class:`Chosen` by their places: nothing is read."""
    return hashed(batch.places) if isinstance(batch, Chosen) else hashed(batch)


def _reason(error: RuntimeError) -> str:
    """Return the first line of an error of ``torch.distributed``, without the place in its source."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0].rpartition("] ")[2]
    return line if line.endswith(".") else f"{line}."


def _listed(ranks: Sequence[int]) -> str:
    return ", ".join(map(str, ranks))
