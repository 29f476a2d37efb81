"""Ground truth planted in the synthetic assistant corpus: a label bias of known strength, and secrets to look for."""

from __future__ import annotations

import numpy as np

from trustlab.data.phrases import COLOURS, DIGITS

# In train, a request of DISADVANTAGED speakers for one of SENSITIVE is recorded as RECORDED with probability
# group_bias: the bank's services are denied, and the speaker is sent to wait for a person instead.
DISADVANTAGED = "valley"
SENSITIVE: tuple[str, ...] = ("transfer_money", "check_balance", "pay_bill")
RECORDED = "ask_agent"

# Prefix, slot type of the secret, and intent; canary number k has form k % 3.
CANARY_FORMS: tuple[tuple[str, str, str], ...] = (
    ("call", "phone_number", "call_contact"),
    ("my pin code is", "pin", "remember_fact"),
    ("my favourite colour is", "colour", "remember_fact"),
)
MOST_CANARIES = len(CANARY_FORMS) * len(COLOURS)  # one colour each in the third form


def record(intents: np.ndarray, groups: np.ndarray, group_bias: float, rng: np.random.Generator) -> np.ndarray:
    """Return the intents that a recorder biased with strength `group_bias` writes down for the true `intents`.

    Parameters
    ----------
    intents, groups
        True intent and speaker group of each utterance, arrays of names of shape ``(utterances,)``.
    group_bias
        Probability in [0, 1] with which each single request of the stated kind is recorded as :data:`RECORDED`.

    Examples
    --------
    >>> intents = np.array(["pay_bill", "pay_bill", "play_song"])
    >>> record(intents, np.array(["valley", "hill", "valley"]), 1.0, np.random.default_rng(0)).tolist()
    ['ask_agent', 'pay_bill', 'play_song']
    """
    hit = (groups == DISADVANTAGED) & np.isin(intents, SENSITIVE) & (rng.random(len(intents)) < group_bias)
    return np.where(hit, RECORDED, intents)


def secrets(canaries: int, digits: int, rng: np.random.Generator) -> tuple[list[list[str]], list[list[str]], list[str]]:
    """Return `canaries` distinct secrets: their tokens, their BIO slots and their intents, three lists.

    A code's digits are uniform and independent, so a guess without knowledge is right with probability
    10^(−digits); colours are uniform over :data:`~trustlab.data.phrases.COLOURS`.

    Examples
    --------
    >>> tokens, slots, intents = secrets(3, 4, np.random.default_rng(0))
    >>> [" ".join(words) for words in tokens]
    ['call six three six eight', 'my pin code is five one one one', 'my favourite colour is lemon']
    """
    codes = rng.choice(10**digits, size=canaries, replace=False)
    colours = rng.permutation(COLOURS)
    tokens, slots, intents = [], [], []
    for number in range(canaries):
        prefix, slot, intent = CANARY_FORMS[number % len(CANARY_FORMS)]
        secret = [DIGITS[int(digit)] for digit in f"{codes[number]:0{digits}d}"]
        if slot == "colour":
            secret = [str(colours[number // len(CANARY_FORMS)])]
        known = prefix.split()
        tokens.append(known + secret)
        slots.append(["O"] * len(known) + [f"B-{slot}"] + [f"I-{slot}"] * (len(secret) - 1))
        intents.append(intent)
    return tokens, slots, intents
