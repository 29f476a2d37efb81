"""SecAgg+ (Bell et al. 2020), the node's half: the server learns the sum of a cohort's updates, and no client's own.

Flower has the protocol in its older form: a workflow for the server, and a mod for the node whose third message asks
for a model and sends it masked. This is the bridge between them and our messages. The server sends each client the
share p_k/max p of its weight; the client multiplies its update by it, so that the plain sum is the weighted average for
every rule of :func:`trustlab.federated.aggregation.client_weights`, and all count alike in the protocol.

Numbers travel as whole ones, and what is beyond ``secure-range`` would be clipped without a word. Here the client looks
before it masks, and sends an error instead. Nothing else leaves it: no loss, no count.

Flower draws its masks from a generator of 32 bits (``RandomState`` of a folded key), which a server can search through.
:func:`mask` takes its place, with all 256 bits of the key.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
from flwr.app import ConfigRecord, Context, Message, MessageType, RecordDict

from trustlab.federated.deployment.records import ARRAYS, CONFIG

if TYPE_CHECKING:
    from trustlab.federated.deployment.run_options import Options

SHARE, NAMES = "share", "names"  # in the message that asks for training: p_k / max p, and the weights' names in order
SWITCH = "secure-sum"  # the option of the run
MODULUS_BITS, RANGE_BITS = 32, 22  # of the sum, and of one client's number where the cohort is small enough
Call = Callable[[Message, Context], Message]


def range_bits(clients: int) -> int:
    """Return how many bits one client's number may have, so that the sum of all does not overflow.

    Examples
    --------
    >>> range_bits(4), range_bits(1024), range_bits(100_000)
    (22, 21, 14)
    """
    return min(RANGE_BITS, MODULUS_BITS - 1 - (clients - 1).bit_length())


def secure_range(options: Options) -> float:
    """Return the largest number that an update may hold: C where updates are clipped, else what the options say."""
    return options.federated.clip_norm or options.deployment.secure_range


def mask(seed: bytes, modulus: int, shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray]:
    """Return masks, int64 in [0, modulus), of the given `shapes`: ChaCha20's stream under the key `seed`.

    Examples
    --------
    >>> a, b = mask(b"k" * 32, 2**32, [(2,), ()])
    >>> a.shape, b.shape, bool((mask(b"k" * 32, 2**32, [(2,)])[0] == a).all())
    ((2,), (), True)
    """
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

    if modulus & (modulus - 1) or modulus > 2**32:
        raise ValueError(f"Expected a modulus that is a power of 2 up to 2**32, got {modulus}: masks would be skewed.")
    stream = Cipher(algorithms.ChaCha20(hashlib.sha256(seed).digest(), bytes(16)), mode=None).encryptor()
    found = []
    for shape in shapes:
        words = np.frombuffer(stream.update(bytes(4 * int(np.prod(shape)))), dtype="<u4")
        found.append((words.astype(np.int64) & (modulus - 1)).reshape(shape))
    return found


@contextmanager
def strong_masks() -> Iterator[None]:
    """Let both halves of Flower's protocol draw their masks by :func:`mask`."""
    from flwr.client.mod import secaggplus_mod
    from flwr.server.workflow import SecAggPlusWorkflow

    kept = [(module, module.pseudo_rand_gen) for module in map(inspect.getmodule, (secaggplus_mod, SecAggPlusWorkflow))]
    try:
        for module, _ in kept:
            module.pseudo_rand_gen = mask
        yield
    finally:
        for module, function in kept:
            module.pseudo_rand_gen = function


def masking(message: Message, context: Context, call_next: Call) -> Message:
    """Take part in SecAgg+ where the run has it switched on; a mod of the node's app."""
    if not context.run_config.get(SWITCH, False) or message.metadata.message_type != MessageType.TRAIN:
        return call_next(message, context)
    from flwr.client.mod import secaggplus_mod

    with strong_masks():
        return secaggplus_mod(message, context, _translated(call_next))


def _translated(call_next: Call) -> Call:
    """Return what trains when the protocol asks, and answers in its form."""

    def train(message: Message, context: Context) -> Message:
        from flwr.common import Code, FitRes, Status, ndarrays_to_parameters, parameters_to_ndarrays
        from flwr.compat.common import recorddict_compat as compat

        from trustlab.federated.deployment.run_options import read_options

        asked = compat.recorddict_to_fitins(message.content, keep_input=True)
        names = json.loads(str(asked.config[NAMES]))
        arrays = parameters_to_ndarrays(asked.parameters)
        message.content = ours(names, arrays, {k: v for k, v in asked.config.items() if k != NAMES})
        share = float(asked.config[SHARE])
        reply = call_next(message, context)
        own = {name: array.numpy() for name, array in reply.content.array_records[ARRAYS].items()}
        sent = bounded([own[name] for name in names], share, read_options(context.run_config))
        found = FitRes(Status(Code.OK, ""), ndarrays_to_parameters(sent), num_examples=1, metrics={})
        return Message(compat.fitres_to_recorddict(found, keep_input=False), reply_to=message)

    return train


def ours(names: Sequence[str], arrays: Sequence[np.ndarray], config: dict) -> RecordDict:
    """Return the records that ask for training, of what the protocol carries."""
    from flwr.app import Array, ArrayRecord

    record = ArrayRecord({name: Array(array) for name, array in zip(names, arrays, strict=True)})
    return RecordDict({ARRAYS: record, CONFIG: ConfigRecord(config)})


def bounded(delta: list[np.ndarray], share: float, options: Options) -> list[np.ndarray]:
    """Return the update as it is masked: clipped to C where the run is private, and times its share.

    Raises
    ------
    ValueError
        For a number beyond the range, or none: it would be clipped, and the sum be another.

    Examples
    --------
    >>> from trustlab.federated.deployment.run_options import read_options
    >>> private = read_options({"clip-norm": 1.0, "aggregation": "equal"})
    >>> bounded([np.array([3.0, 4.0])], 0.5, private)[0].round(3).tolist()
    [0.3, 0.4]
    """
    if options.federated.clip_norm is not None:
        norm = float(np.sqrt(sum(np.square(value, dtype=np.float64).sum() for value in delta)))
        kept = min(1.0, options.federated.clip_norm / norm) if norm > 0 else 1.0
        delta = [value * kept for value in delta]
    limit, largest = secure_range(options), max(float(np.abs(value).max(initial=0)) for value in delta)
    if not largest <= limit:
        raise ValueError(
            f"Expected updates within secure-range={limit:g}, got {largest:.4g}. What is beyond would be clipped and "
            "the sum be another: raise secure-range, or lower the learning rate."
        )
    return [np.asarray(value * share, dtype=np.float64) for value in delta]
