"""Who speaks in the synthetic assistant corpus: devices, personas, speaker groups, and what they ask for over time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from trustlab.data.grammar import INTENTS
from trustlab.deprecation import old_names

# A persona asks only for intents of its domains.
PERSONAS: dict[str, tuple[str, ...]] = {
    "listener": ("audio", "memory"),
    "homebody": ("home", "weather"),
    "organiser": ("time", "calendar"),
    "traveller": ("travel", "messages"),
    "host": ("food", "shopping", "banking"),
}

# With drift, these arrive one after another in later periods; without, they are there from the start.
NEW_INTENTS: tuple[str, ...] = ("start_vacuum", "translate_word", "book_taxi", "track_parcel")


class Group(NamedTuple):
    """A speaker group: its share of all utterances, and the words that mark its speech whatever it asks for."""

    share: float
    openers: tuple[str, ...]
    closers: tuple[str, ...]


GROUPS: dict[str, Group] = {
    "hill": Group(0.5, ("okay", "hey there", "listen"), ("please", "if you can", "right away")),
    "coast": Group(0.3, ("right then", "hello friend", "well now"), ("cheers", "would you", "my friend")),
    "valley": Group(0.2, ("good day", "now then", "if you will"), ("thank you kindly", "much obliged", "be so kind")),
}


class Fleet(NamedTuple):
    """Devices in order of activity, the heaviest first; all arrays have shape ``(devices,)``."""

    activity: np.ndarray  # share of all utterances, sums to 1
    persona: np.ndarray  # index into PERSONAS
    group: np.ndarray  # index into GROUPS


def fleet(devices: int, activity_exponent: float, rng: np.random.Generator) -> Fleet:
    """Return `devices` devices whose share of the utterances is proportional to rank^(−activity_exponent).

    Personas are drawn uniformly. Groups are dealt from the heaviest device down, each to the group that lacks most of
    its share: drawn at random, one heavy device would decide how large a group is.

    Examples
    --------
    >>> fleet(2, 1.0, np.random.default_rng(0)).activity.round(3).tolist()
    [0.667, 0.333]
    """
    activity = np.arange(1, devices + 1, dtype=float) ** -activity_exponent
    activity /= activity.sum()
    lacking = np.array([group.share for group in GROUPS.values()])
    groups = np.empty(devices, dtype=int)
    for device, share in enumerate(activity):
        groups[device] = lacking.argmax()
        lacking[groups[device]] -= share
    return Fleet(activity, rng.integers(len(PERSONAS), size=devices), groups)


def first_period(intent: str, periods: int) -> int:
    """Return the period in which a drifting corpus first holds `intent`: 0, or later for :data:`NEW_INTENTS`.

    The new intents are spread evenly over periods 1 to ``periods - 1``.

    Examples
    --------
    >>> [first_period(intent, 6) for intent in ("play_song", *NEW_INTENTS)]
    [0, 1, 2, 3, 4]
    """
    if intent not in NEW_INTENTS or periods == 1:
        return 0
    return 1 + NEW_INTENTS.index(intent) * (periods - 1) // len(NEW_INTENTS)


def intent_distribution(label_skew: float, drift: float, periods: int, rng: np.random.Generator) -> np.ndarray:
    """Return the probability of each intent for every persona and period, shape ``(personas, periods, intents)``.

    The global distribution of period t tilts the weights w of the grammar by
    ``exp(drift · 2 s_i · t / (periods − 1))``, with a direction s_i ~ U[−1, 1] for each intent, and holds a new intent
    from :func:`first_period` on. A persona's distribution is the mixture
    ``(1 − label_skew) · global + label_skew · (global restricted to its domains)``.
    """
    weights = np.array([intent.weight for intent in INTENTS.values()])
    time = np.arange(periods)[:, None] / max(periods - 1, 1)
    shares = weights * np.exp(drift * 2 * rng.uniform(-1, 1, size=len(weights)) * time)
    if drift > 0:
        start = np.array([first_period(intent, periods) for intent in INTENTS])
        shares = shares * (np.arange(periods)[:, None] >= start)
    shares /= shares.sum(axis=1, keepdims=True)
    mine = np.array([[intent.domain in domains for intent in INTENTS.values()] for domains in PERSONAS.values()])
    restricted = shares * mine[:, None, :]
    restricted /= restricted.sum(axis=2, keepdims=True)
    return (1 - label_skew) * shares + label_skew * restricted


def draw(probabilities: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw one index from each row of `probabilities`, shape ``(rows, choices)`` with rows that sum to 1."""
    below = probabilities.cumsum(axis=1)[:, :-1] < rng.random((len(probabilities), 1))
    return below.sum(axis=1)


__getattr__ = old_names(__name__, {"intent_law": "intent_distribution"})
