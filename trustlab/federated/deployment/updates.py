"""What travels between server and node, and the one place where a node's update is read and believed or refused.

A node is another party's machine. Flower hands over what it sends as it came: a NaN is averaged into everything, a
shape of [1] is broadcast, an unknown name ends the run. Here a reply is either turned into tensors that fit the global
model, or refused with a sentence that says what was expected and what came; the round continues with the others.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from trustlab.federated.deployment.records import (
    ARRAYS,
    CLIENT,
    EXAMPLES,
    LOSS,
    METRICS,
    NUMBERLESS,
    ROUND,
    STEPPED,
)
from trustlab.federated.named_tensors import State, summed_in

if TYPE_CHECKING:
    from flwr.app import ArrayRecord, Message


MOST_LETTERS = 400  # of a reason in a row and in the log: much of it may be what the node sent


class RefusedError(ValueError):
    """A reply that is not believed; the message says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason if len(reason) <= MOST_LETTERS else f"{reason[:MOST_LETTERS]} …")


@dataclass(frozen=True)
class Activity:
    """What a node reports of itself: how many examples it holds, and its number as a client, if it has one."""

    examples: int
    client: int


@dataclass(frozen=True)
class Asked:
    """What the server requested of a node: its number as a client, and how many examples it reported before."""

    node: int
    client: int
    examples: int
    round: int


@dataclass(frozen=True)
class NodeUpdate:
    """An update that is believed.

    Attributes
    ----------
    client
        The node's number.
    delta
        w_k − w by name, of the global model's names and shapes.
    examples
        n_k, as reported before.
    stepped
        On how many examples it trained, repeats counted.
    loss
        Mean over them.
    digest
        Hash of all numbers, by which a replay is known.
    """

    client: int
    delta: State
    examples: int
    stepped: int
    loss: float
    digest: str


def to_arrays(state: Mapping[str, Tensor]) -> ArrayRecord:
    """Return tensors by name as Flower sends them.

    Raises
    ------
    ValueError
        For a type that NumPy does not know, by name.
    """
    from flwr.app import Array, ArrayRecord

    for name, value in state.items():
        if value.dtype == torch.bfloat16:
            raise ValueError(
                f"Expected numbers that NumPy can hold, got {name!r} of {value.dtype}: use float16 or float32."
            )
    return ArrayRecord({name: Array(value.detach().cpu().numpy()) for name, value in state.items()})


def from_arrays(arrays: Any, like: Mapping[str, Tensor], what: str) -> State:
    """Return `arrays` as tensors of the names, shapes and types of `like`, in that order.

    Raises
    ------
    RefusedError
        Naming the first array that does not fit.
    """
    missing, extra = [n for n in like if n not in arrays], [n for n in arrays if n not in like]
    if missing or extra:
        raise RefusedError(f"{what} lacks {missing or 'nothing'} and has {extra or 'nothing'} that is not in the model")
    found = {}
    for name, tensor in like.items():
        try:
            value = arrays[name].numpy()
        except Exception as error:  # bytes from elsewhere: NumPy raises whatever their header makes of them
            raise RefusedError(f"{name!r} of {what} is no NumPy array ({type(error).__name__})") from error
        wanted = str(tensor.dtype).removeprefix("torch.")
        if value.shape != tuple(tensor.shape) or value.dtype.name != wanted:
            raise RefusedError(
                f"{name!r} of {what} has shape {list(value.shape)} of {value.dtype.name}, expected "
                f"{list(tensor.shape)} of {wanted}"
            )
        found[name] = torch.from_numpy(np.ascontiguousarray(value))
    return found


def read_activity(message: Message, most: int) -> Activity:
    """Return what a node reports of itself.

    Raises
    ------
    RefusedError
        For an error of the node's app, and for numbers that cannot be.
    """
    metrics = _metrics(message)
    examples, client = _whole(metrics, EXAMPLES), _whole(metrics, CLIENT)
    if not 0 <= examples <= most:
        raise RefusedError(f"it reports {examples} examples, expected 0 to {most}")
    if client < NUMBERLESS:
        raise RefusedError(f"it reports the client number {client}, expected one >= 0, or {NUMBERLESS} for none")
    return Activity(examples, client)


def read_update(message: Message, asked: Asked, start: Mapping[str, Tensor], norm_bound: float) -> NodeUpdate:
    """Return the update in a node's reply.

    Parameters
    ----------
    message
        The reply.
    asked
        What the server requested of the node.
    start
        The global model w by name. Updates of half precision come in single precision.
    norm_bound
        Largest believable L2 norm.

    Raises
    ------
    RefusedError
        For an error of the node's app; a reply of another round; names, shapes or types that
        differ from the model's; NaN or Inf; a norm above the bound; another number of examples than reported.
    """
    metrics = _metrics(message)
    if (round := _whole(metrics, ROUND)) != asked.round:
        raise RefusedError(f"it is of round {round}, expected round {asked.round}: a replay, or a node far behind")
    if (examples := _whole(metrics, EXAMPLES)) != asked.examples:
        raise RefusedError(f"it counts {examples} examples where the node reported {asked.examples}")
    stepped, loss = _whole(metrics, STEPPED), metrics.get(LOSS)
    if stepped < 0 or not isinstance(loss, float):
        raise RefusedError(f"it trained on {stepped} examples with a loss of {loss!r}, expected a count and a number")
    if list(message.content.array_records) != [ARRAYS]:
        raise RefusedError(f"it holds the arrays {list(message.content.array_records)}, expected one record {ARRAYS!r}")
    wide = {name: value.to(summed_in(value.dtype)) for name, value in start.items()}
    delta = from_arrays(message.content.array_records[ARRAYS], wide, "the update")
    _check_numbers(delta, norm_bound)
    return NodeUpdate(asked.client, delta, examples, stepped, loss, digest(delta))


def _metrics(message: Message) -> Mapping[str, Any]:
    if message.has_error():
        raise RefusedError(f"its app failed: {message.error.reason}")
    records = message.content.metric_records
    if METRICS not in records:
        raise RefusedError(f"it holds the metrics {list(records)}, expected one record {METRICS!r}")
    return records[METRICS]


def _whole(metrics: Mapping[str, Any], name: str) -> int:
    value = metrics.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RefusedError(f"its {name} is {value!r}, expected a whole number")
    return value


def _check_numbers(delta: Mapping[str, Tensor], norm_bound: float) -> None:
    for name, value in delta.items():
        if not value.isfinite().all():
            bad = int((~value.isfinite()).sum())
            raise RefusedError(f"{bad} of {value.numel()} numbers of {name!r} are NaN or Inf")
    norm = math.sqrt(sum(float(value.double().square().sum()) for value in delta.values()))
    if not norm <= norm_bound:
        raise RefusedError(f"its L2 norm is {norm:.4g}, expected at most {norm_bound:g} (norm-bound)")


def digest(delta: Mapping[str, Tensor]) -> str:
    """Return a hash of all numbers, empty where all of them are 0: a client that learns nothing sends that every time.

    Examples
    --------
    >>> digest({"w": torch.zeros(2)}), digest({"w": torch.ones(2)}) == digest({"w": torch.ones(2)})
    ('', True)
    """
    if not any(bool(value.any()) for value in delta.values()):
        return ""
    hashed = hashlib.sha256()
    for name, value in delta.items():
        hashed.update(name.encode())
        hashed.update(value.numpy().tobytes())
    return hashed.hexdigest()
