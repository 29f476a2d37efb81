"""The synthetic voice-assistant corpus: requests to a fleet of devices, with options whose ground truth is known."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from trustlab.data.grammar import INTENTS, SLOTS
from trustlab.data.phrases import Words, vocabularies
from trustlab.data.planted import MOST_CANARIES, record, secrets
from trustlab.data.population import GROUPS, PERSONAS, Fleet, draw, fleet, intent_distribution

if TYPE_CHECKING:
    import datasets

# Option -> whole number or not, lowest and highest value, and what it means: one table for every refusal.
_OPTIONS: dict[str, tuple[bool, float, float, str]] = {
    "utterances": (True, 10, math.inf, "Number of utterances, split 80/10/10."),
    "devices": (True, 1, math.inf, "Number of devices that share the utterances."),
    "activity_exponent": (False, 0, math.inf, "0 makes all devices equally active; larger makes few of them heavy."),
    "label_skew": (False, 0, 1, "0 gives every device the global intents, 1 only its persona's."),
    "drift": (False, 0, 10, "0 keeps the intents the same in all periods; larger moves them further."),
    "periods": (True, 1, math.inf, "Number of periods of equal length."),
    "canaries": (True, 0, MOST_CANARIES, "Number of distinct secrets; a third of them are colours, all different."),
    "canary_repetitions": (True, 1, math.inf, "Times each secret is planted in train."),
    "canary_digits": (True, 2, 9, "Length n of a secret code; a blind guess is right with probability 10^-n."),
    "group_bias": (False, 0, 1, "Probability that a sensitive request of the disadvantaged group is misrecorded."),
    "seed": (True, 0, math.inf, "The corpus is a function of its options and this seed."),
}


def assistant(
    utterances: int = 20_000,
    *,
    devices: int = 200,
    activity_exponent: float = 0.8,
    label_skew: float = 0.5,
    drift: float = 0.0,
    periods: int = 6,
    canaries: int = 0,
    canary_repetitions: int = 10,
    canary_digits: int = 4,
    group_bias: float = 0.0,
    seed: int = 0,
) -> datasets.DatasetDict:
    """Generate the corpus: the same rows for the same arguments, on every machine and in every process.

    Parameters
    ----------
    utterances
        Rows over all splits, without canaries; 80 % train, 10 % validation, 10 % test, drawn at random.
    devices, activity_exponent
        Device r (from 0, heaviest first) makes an utterance with probability ∝ (r + 1)^(−activity_exponent).
    label_skew
        In [0, 1]: weight of the persona's own intents among a device's, see
        :func:`~trustlab.data.population.intent_distribution`.
    drift, periods
        Drift in [0, 10]; periods are equally long. With drift = 0 all have the same distribution of
        intents; with drift > 0 it moves from period to period and the new intents arrive late.
    canaries, canary_repetitions, canary_digits
        Distinct secrets appended to train, each so many times and from one device of its own choosing; length of
        the secret codes. All other rows are the same as without canaries.
    group_bias
        In [0, 1]: planted label bias, in train only, see :func:`~trustlab.data.planted.record`. Nothing but
        ``intent`` (and the ``domain`` that follows from it) changes with it.
    seed
        Non-negative.

    Returns
    -------
    datasets.DatasetDict
        Splits ``train``, ``validation``, ``test`` with the columns ``tokens`` and ``slots`` (BIO, same length),
        ``intent`` (as recorded), ``true_intent``, ``domain`` (of ``intent``), ``device``, ``period``, ``group``,
        ``persona`` (of the device) and ``canary`` (its number, −1 for all ordinary rows).

    Raises
    ------
    ValueError
        If an option is outside its range.

    Examples
    --------
    >>> corpus = assistant(100, canaries=1, canary_repetitions=5)
    >>> {split: len(rows) for split, rows in corpus.items()}
    {'train': 85, 'validation': 10, 'test': 10}
    >>> " ".join(corpus["train"][-1]["tokens"]), corpus["train"][-1]["slots"][:2]
    ('call zero seven eight zero', ['O', 'B-phone_number'])
    """
    _check(locals())
    crowd, intents, rows, split, bias, plant = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(6))
    people = fleet(devices, activity_exponent, crowd)
    probabilities = intent_distribution(label_skew, drift, periods, intents)
    device = rows.choice(devices, size=utterances, p=people.activity)
    period = rows.integers(periods, size=utterances)
    intent = draw(probabilities[people.persona[device], period], rows)
    tokens, slots = _speak(intent, people.group[device], rows)
    ordinary = _columns(people, device, period, np.array(list(INTENTS))[intent], tokens, slots)

    held_out = max(1, utterances // 10)
    parts = np.split(split.permutation(utterances), [utterances - 2 * held_out, utterances - held_out])
    train, validation, test = ({name: column[part] for name, column in ordinary.items()} for part in parts)
    train["intent"] = record(train["true_intent"], train["group"], group_bias, bias)
    if canaries:
        number = np.tile(np.arange(canaries), canary_repetitions)
        tokens, slots, asked = (_objects(column)[number] for column in secrets(canaries, canary_digits, plant))
        device = plant.integers(devices, size=canaries)[number]
        planted = _columns(people, device, plant.integers(periods, size=len(number)), asked, tokens, slots, number)
        train = {name: np.concatenate([column, planted[name]]) for name, column in train.items()}
    return _dataset({"train": train, "validation": validation, "test": test})


def _check(options: dict[str, float]) -> None:
    for name, (whole, low, high, meaning) in _OPTIONS.items():
        value = options[name]
        kind = "a whole number" if whole else "a number"
        allowed = (int, np.integer) if whole else (int, float, np.integer, np.floating)
        if isinstance(value, bool) or not isinstance(value, allowed) or not math.isfinite(value):
            raise ValueError(f"Expected {name}={value!r} to be {kind}. {meaning}")
        if not low <= value <= high:
            bounds = f"in [{low:g}, {high:g}]" if high < math.inf else f">= {low:g}"
            raise ValueError(f"Expected {name}={value!r} {bounds}. {meaning}")


def _columns(
    people: Fleet,
    device: np.ndarray,
    period: np.ndarray,
    intent: np.ndarray,
    tokens: np.ndarray,
    slots: np.ndarray,
    canary: np.ndarray | None = None,
) -> dict[str, np.ndarray]:
    """Return the columns of some rows, each of shape ``(rows,)``; who speaks follows from the device."""
    return {
        "tokens": tokens,
        "slots": slots,
        "intent": intent,
        "true_intent": intent,
        "device": device,
        "period": period,
        "group": np.array(list(GROUPS))[people.group[device]],
        "persona": np.array(list(PERSONAS))[people.persona[device]],
        "canary": np.full(len(device), -1) if canary is None else canary,
    }


Segment = tuple[str, list[Words]]  # slot type ("" for plain words), and the phrases it may take


def _speak(intent: np.ndarray, group: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Put each intent into words of its group: tokens and BIO slots, two arrays of lists."""
    templates = [[_compile(template) for template in row.templates] for row in INTENTS.values()]
    openers = [_marker(row.openers) for row in GROUPS.values()]
    closers = [_marker(row.closers) for row in GROUPS.values()]
    longest = max(len(template) for choices in templates for template in choices)
    luck = rng.random((len(intent), longest + 3)).tolist()  # which template, then which phrase for each segment
    tokens, slots = [], []
    for kind, who, (first, *rest) in zip(intent.tolist(), group.tolist(), luck, strict=True):
        template = templates[kind][int(first * len(templates[kind]))]
        words: list[str] = []
        tags: list[str] = []
        for (slot, phrases), chance in zip((openers[who], *template, closers[who]), rest, strict=False):
            phrase = phrases[int(chance * len(phrases))]
            words += phrase
            tags += bio(slot, len(phrase))
        tokens.append(words)
        slots.append(tags)
    return _objects(tokens), _objects(slots)


def _compile(template: str) -> list[Segment]:
    """Split a template at its slots: "play {song}" becomes [("", [("play",)]), ("song", all titles)]."""
    segments: list[Segment] = []
    for part in re.split(r"\{|(?<=\})", template):
        if part.endswith("}"):
            segments.append((part[:-1], vocabularies()[SLOTS[part[:-1]]]))
        elif part.strip():
            segments.append(("", [tuple(part.split())]))
    return segments


def _marker(phrases: tuple[str, ...]) -> Segment:
    """Return a segment that is as often empty as it is one of `phrases`."""
    return "", [tuple(phrase.split()) for phrase in phrases] + [()] * len(phrases)


@functools.cache
def bio(slot: str, length: int) -> Words:
    """Return the BIO tags of `length` words that fill `slot`; an empty slot name tags plain words.

    Examples
    --------
    >>> bio("song", 3), bio("", 2)
    (('B-song', 'I-song', 'I-song'), ('O', 'O'))
    """
    if not slot:
        return ("O",) * length
    return (f"B-{slot}", *[f"I-{slot}"] * (length - 1))[:length]


def _objects(lists: Sequence[Any]) -> np.ndarray:
    """Return a one-dimensional array of Python objects, which NumPy would else try to make rectangular."""
    return np.fromiter(lists, dtype=object, count=len(lists))


def _dataset(splits: dict[str, dict[str, np.ndarray]]) -> datasets.DatasetDict:
    import datasets

    for columns in splits.values():
        columns["domain"] = np.array([INTENTS[intent].domain for intent in columns["intent"].tolist()])
    return datasets.DatasetDict({
        name: datasets.Dataset.from_dict({column: values.tolist() for column, values in columns.items()})
        for name, columns in splits.items()
    })  # fmt: skip
