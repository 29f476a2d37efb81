"""What a deployment needs, on paper: messages, bytes, seconds and memory of one round, with and without SecAgg.

Formulas only, of what was measured elsewhere: the size of a message comes from :mod:`trustlab.federated.payload`.
Secure aggregation as in Bonawitz et al. (2017), *Practical Secure Aggregation for Privacy-Preserving Machine Learning*,
section 7 (SecAgg: every device shares a mask with every other), and Bell et al. (2020), *Secure Single-Server
Aggregation with (Poly)Logarithmic Overhead* (SecAgg+: with k others), where devices and server follow the protocol.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import numpy as np

from trustlab.config import check, option

PLAIN, SECAGG, SECAGG_PLUS = "plain", "SecAgg", "SecAgg+"
KEY = SHARE = 32  # bytes of a public key, and of one share of a secret: 256 bits, as in the paper
MEGABIT = 1e6 / 8  # bytes a second
SELECTION = 16  # bytes that a selector holds of a registered device: its activity and its weight


@dataclass(frozen=True)
class Deployment:
    """A fleet, what it trains, and its network."""

    devices: int = option(1_000_000, label="Devices", help="Devices registered with the server.", low=1)
    cohort: int = option(1000, label="Cohort", help="Devices selected in a round.", unit="devices", low=1)
    parameters: int = option(1_000_000, label="Parameters", help="Numbers in an update.", low=1)
    payload: int = option(4_000_000, label="Payload", help="Model or update as it is sent.", unit="bytes", low=1)
    drop_out: float = option(0.1, label="Drop-out", help="Share of a cohort that is lost in a round.", low=0, high=0.9)
    up: float = option(10.0, label="Upload", help="Of one device.", unit="Mbit/s", above=0)
    down: float = option(50.0, label="Download", help="Of one device.", unit="Mbit/s", above=0)
    server: float = option(10_000.0, label="Server", help="The server's own connection.", unit="Mbit/s", above=0)
    training: float = option(30.0, label="Training", help="Of one device in a round.", unit="s", low=0)
    aggregation: str = option(
        PLAIN,
        label="Aggregation",
        help="plain: the server sees every update. SecAgg and SecAgg+: it sees their sum only.",
        values=(PLAIN, SECAGG, SECAGG_PLUS),
    )
    bits: int = option(16, label="Bits", help="To which each number is rounded for a secure sum.", low=1, high=32)
    corrupt: float = option(
        0.05, label="Corrupt", help="Share of a cohort that may tell the server its secrets.", low=0, high=0.45
    )


@dataclass(frozen=True)
class Needs:
    """What one round takes.

    Attributes
    ----------
    messages
        Sent or received by the server; a device that is lost receives the model and sends nothing.
    device_down, device_up
        Bytes that one device receives and sends.
    bytes_down, bytes_up
        Of all devices.
    seconds
        At least: transfers overlap perfectly, and the server does not wait for lost devices.
    server_memory
        Bytes: the model, the sum of updates, the selector, and with SecAgg the shares that it passes on.
    neighbours
        With how many others a device shares masks and secrets.
    device_masks, server_masks
        Bytes of pseudo-random masks that a device, and the server, have to generate.
    """

    messages: int
    device_down: float
    device_up: float
    bytes_down: float
    bytes_up: float
    seconds: float
    server_memory: float
    neighbours: int
    device_masks: float
    server_masks: float


def needs(of: Deployment) -> Needs:
    """Return what one round of a deployment takes.

    Raises
    ------
    ValueError
        For an option out of its range, a cohort that is larger than the fleet, or a secure sum of fewer than three.

    Examples
    --------
    >>> plain = needs(Deployment(cohort=100, payload=1_000_000, drop_out=0.1))
    >>> plain.messages, plain.bytes_down, plain.bytes_up
    (190, 100000000.0, 90000000.0)
    >>> round(plain.seconds, 2)  # 0.16 s down, 30 s of training, 0.8 s up
    30.96
    """
    check(of)
    if of.cohort > of.devices:
        raise ValueError(f"Expected cohort={of.cohort} <= devices={of.devices}: a round asks registered devices.")
    arrived = of.cohort * (1 - of.drop_out)
    k, shared, masked = 0, 0.0, float(of.payload)
    if of.aggregation != PLAIN:
        k = of.cohort - 1 if of.aggregation == SECAGG else neighbours(of.cohort, of.drop_out, of.corrupt)
        masked = of.parameters * sum_bits(of.cohort, of.bits) / 8
        shared = exchanged(k) / 2  # as much is received as is sent, for what one device sends another receives
    device_down, device_up = of.payload + shared, masked + shared
    stages = 1 if of.aggregation == PLAIN else 4  # keys, shares, masked updates, shares of those who were lost
    bytes_down, bytes_up = of.cohort * device_down, arrived * device_up
    one = device_down / (of.down * MEGABIT) + of.training + device_up / (of.up * MEGABIT)
    all_of_them = (bytes_down + bytes_up) / (of.server * MEGABIT) + of.training
    return Needs(
        messages=round(stages * (of.cohort + arrived)),
        device_down=float(device_down),
        device_up=float(device_up),
        bytes_down=float(bytes_down),
        bytes_up=float(bytes_up),
        seconds=max(one, all_of_them),
        server_memory=2.0 * of.payload + SELECTION * of.devices + 2 * SHARE * of.cohort * k,
        neighbours=k,
        device_masks=(k + 1) * masked if k else 0.0,
        server_masks=server_masks(of.cohort, of.drop_out, k) * masked if k else 0.0,
    )


def sum_bits(clients: int, bits: int) -> int:
    """Return how many bits each number of a masked update takes, so that the sum of all does not overflow.

    Source: Bonawitz et al. (2017), section 7: R = n·(R_U − 1) + 1 for values below R_U.

    Examples
    --------
    >>> sum_bits(1024, 16)  # ten more than the sixteen of a single one
    26
    """
    return math.ceil(math.log2(clients * (2**bits - 1) + 1))


def exchanged(k: int) -> int:
    """Return the bytes of keys and shares that one device sends and receives for `k` neighbours.

    Source: Bonawitz et al. (2017), section 7, with n = k + 1: 2·n·a_K + (5·n − 4)·a_S.

    Examples
    --------
    >>> exchanged(1023), exchanged(99)  # of a cohort of 1,024, and of 99 neighbours
    (229248, 22272)
    """
    n = k + 1
    return 2 * n * KEY + (5 * n - 4) * SHARE


def expansion(clients: int, parameters: int, bits: int = 16, *, k: int | None = None) -> float:
    """Return how many times as much a device transfers for SecAgg as for its update of `bits` a number.

    Examples
    --------
    >>> round(expansion(2**10, 2**20), 2), round(expansion(2**14, 2**24), 2)  # the paper's abstract: 1.73 and 1.98
    (1.73, 1.98)
    """
    others = clients - 1 if k is None else k
    return (parameters * sum_bits(clients, bits) / 8 + exchanged(others)) / (parameters * bits / 8)


def server_masks(clients: int, drop_out: float, k: int) -> float:
    """Return how many masks, each as long as an update, the server generates to remove them from the sum.

    One for each device that arrived, and for each that was lost one for each of its neighbours that arrived.

    Examples
    --------
    >>> server_masks(100, 0.0, 99), server_masks(100, 0.1, 99)
    (100.0, 981.0)
    """
    arrived = clients * (1 - drop_out)
    return arrived + clients * drop_out * k * (1 - drop_out)


@functools.lru_cache(maxsize=256)
def neighbours(
    clients: int, drop_out: float, corrupt: float, *, secrecy: float = 40.0, correctness: float = 30.0
) -> int:
    """Return with how many others each device of SecAgg+ has to share its masks: the fewest that are enough.

    Enough means that for some threshold t, but with a probability of 2^(−secrecy), no device has t corrupt neighbours,
    and the honest ones that stay are connected; and but for 2^(−correctness), every device keeps t neighbours. Source:
    Bell et al. (2020), section 3, with binomial tails in place of the hypergeometric ones that they bound.

    Parameters
    ----------
    clients
        n, the cohort.
    drop_out, corrupt
        Shares of the cohort.

    Raises
    ------
    ValueError
        If there are fewer than three devices: of two, the sum tells each about the other.

    Examples
    --------
    >>> [neighbours(n, 0.05, 0.05) for n in (100, 10_000, 1_000_000)]
    [32, 37, 43]
    """
    if clients < 3:
        raise ValueError(f"Expected at least 3 devices for a secure sum, got {clients}: a sum of two hides neither.")
    return next(
        (k for k in range(1, clients - 1) if _enough(clients, k, drop_out, corrupt, secrecy, correctness)), clients - 1
    )


def _enough(clients: int, k: int, drop_out: float, corrupt: float, secrecy: float, correctness: float) -> bool:
    """Return whether there is a threshold t at which `k` neighbours are enough."""
    from scipy.stats import binom

    each = math.log(clients)
    if each + k * math.log(max(drop_out + corrupt, 1e-300)) > -secrecy * math.log(2):
        return False  # too few for the honest ones that stay to be connected
    t = np.arange(1, k + 1)
    hidden = each + binom.logsf(t - 1, k, corrupt) <= -secrecy * math.log(2)
    kept = each + binom.logcdf(t - 1, k, 1 - drop_out) <= -correctness * math.log(2)
    return bool((hidden & kept).any())
