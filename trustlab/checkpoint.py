"""A file from which a computation resumes: whole or absent, and refused by any other computation.

It is written aside and renamed into place, carries its sha256, and names what it belongs to. What a crash loses could
be missing from the privacy accounting: steps whose noise is forgotten have spent an ε that is not counted. Only its
owner may read it: it holds the states of the generators, with which the noise can be subtracted.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trustlab.durable import digest, seal, unseal, write_whole
from trustlab.places import expanded

# It precedes torch's own format. Version 1 kept the last row only; 2 keeps all.
KIND = "trustlab checkpoint"
VERSION = 2


@dataclass(frozen=True)
class Checkpoint:
    """Where a training is saved, and which training it is.

    Attributes
    ----------
    path
        The file, ``~`` is the user's home. Its folder is made where it is missing; a link is followed.
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

    @property
    def file(self) -> Path:
        """The file's path, from the user's home where it begins with ``~``."""
        return expanded(self.path)

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
            write_whole(self.file, seal(f"{KIND} {VERSION}", payload), private=True)
        except OSError as error:
            raise OSError(
                f"Expected to write the checkpoint {self.path}, got: {error}. An earlier one is intact and holds the "
                "steps up to it. Free space, or make the folder writable, and resume."
            ) from error

    def read(self) -> dict[str, Any] | None:
        """Return what was written last, or None when there is no file.

        Raises
        ------
        ValueError
            If the file is damaged, is not a checkpoint, was written by another version of trustlab, or belongs to
            another training; the message says what differs.
        """
        try:
            data = self.file.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        payload = unseal(f"{KIND} {VERSION}", data)
        if payload is None:
            self._refuse_another_version(data)
            raise ValueError(
                f"Expected {self.path} to be a checkpoint, got a damaged file or another kind of file. What was spent "
                "up to it cannot be known: restore a copy, or remove it and start again with a fresh budget."
            )
        kept = torch.load(io.BytesIO(payload), map_location="cpu", weights_only=True)
        self._refuse_another(kept["identity"])
        return kept["content"]

    def _refuse_another_version(self, data: bytes) -> None:
        """Raise where `data` is a whole checkpoint of another version's format."""
        first = data.split(b"\n", 1)[0].decode("ascii", "replace")
        if first.startswith(f"{KIND} ") and unseal(first, data) is not None:
            raise ValueError(
                f"Expected {self.path} in format {VERSION}, got {first.removeprefix(KIND).strip()}. Another version of "
                "trustlab wrote it: finish this training with that version, or begin another at another path."
            )

    def _refuse_another(self, there: Mapping[str, str]) -> None:
        """Raise where the training in the file is not this one."""
        names = dict.fromkeys([*self.identity, *there])
        differing = [name for name in names if there.get(name) != self.identity.get(name)]
        if differing:
            differences = "; ".join(
                f"{name} is {there.get(name)} there and {self.identity.get(name)} here" for name in differing
            )
            raise ValueError(
                f"Expected {self.path} to be a checkpoint of this training, got another: {differences}. A training has "
                "to resume as it began, or its ε would not be that of the steps taken: use the same options or "
                "another path."
            )


def describe_model(model: nn.Module) -> str:
    """Name a model by its class, its size, and a hash of its modules' settings and of its parameters' shapes."""
    shapes = [f"{name} {tuple(p.shape)} {p.dtype} {p.requires_grad}" for name, p in model.named_parameters()]
    count = sum(parameter.numel() for parameter in model.parameters())
    return f"{type(model).__qualname__} of {count} parameters, {digest(repr(model) + repr(shapes))[:8]}"
