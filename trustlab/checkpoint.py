"""One file that a computation goes on from: whole or absent, and refused by any other computation.

It is written aside and renamed into place, carries its sha256, and names what it belongs to. What is lost at a crash
could be lost from a privacy account: steps whose noise is forgotten have spent an ε that nobody counts.
"""

from __future__ import annotations

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
        What must not change between the parts of one training, in words.

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


def describe_model(model: nn.Module) -> str:
    """Name a model by its class, its size, and a hash of its modules' settings and of its parameters' shapes."""
    shapes = [f"{name} {tuple(p.shape)} {p.dtype} {p.requires_grad}" for name, p in model.named_parameters()]
    count = sum(parameter.numel() for parameter in model.parameters())
    return f"{type(model).__qualname__} of {count} parameters, {digest(repr(model) + repr(shapes))[:8]}"
