"""Checkpoints of a private training: one file, whole or absent, that only its own training goes on from.

What is lost at a crash could be lost from the account: steps whose noise is forgotten have spent an ε that nobody
counts. So all that a training is lies in one file: weights, optimizer, scheduler, random generators, the noise
planned and the steps taken. It is written aside and renamed into place, carries its sha256, and names the training that
it belongs to.
"""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trustlab.durable import digest, write_whole

# Two lines of text stand before torch's own format: this one, and the sha256 of what follows.
MAGIC = b"trustlab checkpoint 1\n"
DIGITS = 64


@dataclass(frozen=True)
class Checkpoint:
    """Where a training is kept, and which training it is.

    Attributes
    ----------
    path
        The file. Its folder is made where it is missing.
    identity
        What must not change between the parts of one training, in words, see :func:`identity`.

    Examples
    --------
    >>> import tempfile
    >>> kept = Checkpoint(Path(tempfile.mkdtemp()) / "run.checkpoint", {"epsilon": "8.0"})
    >>> kept.read() is None
    True
    >>> kept.write({"step": 3})
    >>> kept.read()
    {'step': 3}
    """

    path: Path
    identity: Mapping[str, str]

    def write(self, content: Mapping[str, Any]) -> None:
        """Write `content`: tensors, numbers and strings in dicts and lists.

        Raises
        ------
        OSError
            If it could not be written; the file that lay there is intact.
        """
        buffer = io.BytesIO()
        torch.save({"identity": dict(self.identity), "content": dict(content)}, buffer)
        payload = buffer.getvalue()
        try:
            write_whole(self.path, MAGIC + digest(payload).encode() + b"\n" + payload)
        except OSError as error:
            raise OSError(
                f"Expected to write the checkpoint {self.path}, got: {error}. An earlier one is intact and holds the "
                "steps up to it. Free space, or make the folder writable, and resume."
            ) from error

    def read(self) -> dict[str, Any] | None:
        """Return what was written last, None where there is no file.

        Raises
        ------
        ValueError
            If the file is damaged, is no checkpoint, or belongs to another training; the message says what differs.
        """
        try:
            data = self.path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        start = len(MAGIC) + DIGITS + 1
        if not data.startswith(MAGIC) or data[len(MAGIC) : start] != digest(data[start:]).encode() + b"\n":
            raise ValueError(
                f"Expected {self.path} to be a checkpoint, got a damaged file or another kind of file. What was spent "
                "up to it cannot be known: restore a copy, or remove it and start again with a fresh budget."
            )
        kept = torch.load(io.BytesIO(data[start:]), map_location="cpu", weights_only=True)
        self._refuse_another(kept["identity"])
        return kept["content"]

    def _refuse_another(self, there: Mapping[str, str]) -> None:
        """Raise where the training in the file is not this one."""
        names = dict.fromkeys([*self.identity, *there])
        differing = [name for name in names if there.get(name) != self.identity.get(name)]
        if differing:
            told = "; ".join(
                f"{name} is {there.get(name)} there and {self.identity.get(name)} here" for name in differing
            )
            raise ValueError(
                f"Expected {self.path} to be a checkpoint of this training, got another: {told}. A training goes on as "
                "it was begun, or its ε would not be that of the steps taken. Use the same options, or another path."
            )


def identity(
    config: Any,
    *,
    model: nn.Module,
    data: Mapping[str, Any],
    optimizer: torch.optim.Optimizer,
    scheduler: torch.optim.lr_scheduler.LRScheduler | None,
) -> dict[str, str]:
    """Return what makes a training this one: every option, the model's shape, the data and the optimizer's settings.

    The weights are not part of it: a model freshly built gets those of the checkpoint. Nor is the code inside a
    scheduler's function, of which only the class is known.
    """
    settings = [{k: v for k, v in group.items() if k != "params"} for group in optimizer.param_groups]
    return {
        **{field.name: repr(getattr(config, field.name)) for field in dataclasses.fields(config)},
        "model": _model(model),
        **{f"{split} data": _data(data[split]) for split in sorted(data)},
        "optimizer": f"{type(optimizer).__qualname__} {settings}",
        "scheduler": type(scheduler).__qualname__ if scheduler is not None else "none",
    }


def _model(model: nn.Module) -> str:
    """Name a model by its class, its size, and a hash of its modules' settings and of its parameters' shapes."""
    shapes = [f"{name} {tuple(p.shape)} {p.dtype} {p.requires_grad}" for name, p in model.named_parameters()]
    count = sum(parameter.numel() for parameter in model.parameters())
    return f"{type(model).__qualname__} of {count} parameters, {digest(repr(model) + repr(shapes))[:8]}"


def _data(examples: Any) -> str:
    """Name a split by its length and a hash of all that it holds."""
    hashed = hashlib.sha256()
    for name, value in sorted(vars(examples).items()):
        tensor = isinstance(value, torch.Tensor)
        hashed.update(f"{name} {value.dtype} {tuple(value.shape)}".encode() if tensor else f"{name} {value}".encode())
        hashed.update(value.detach().cpu().contiguous().numpy().tobytes() if tensor else b"")
    return f"{len(examples)} examples, {hashed.hexdigest()[:8]}"
