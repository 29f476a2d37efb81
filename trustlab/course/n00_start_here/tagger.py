"""The BiLSTM tagger in NumPy: what it understands of one sentence, without torch and in a millisecond.

It computes what :class:`trustlab.models.BiLSTMTagger` computes, from the same weights. H is the state's width in each
direction, D = 2H, T tokens, I intents, S slot tags.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MOST_WORDS = 48


@dataclass(frozen=True)
class Understood:
    """What a tagger takes a sentence for.

    Attributes
    ----------
    intent
        The most likely intent.
    share
        Its probability as the tagger sees it, in [0, 1].
    slots
        (name, words) of each slot that it finds, in order.
    """

    intent: str
    share: float
    slots: tuple[tuple[str, str], ...]


@dataclass(frozen=True, eq=False)
class Tagger:
    """A trained tagger.

    Parameters
    ----------
    weights
        float32 arrays by their names in :class:`trustlab.models.BiLSTMTagger`.
    intents, slots
        Names of the labels, in the order of their numbers.
    buckets
        Number of hash buckets of words.
    """

    weights: Mapping[str, np.ndarray]
    intents: Sequence[str]
    slots: Sequence[str]
    buckets: int

    def logits(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the logits of intents [I] and of slot tags [T, S] for at least one word."""
        ids = [1 + zlib.crc32(word.encode("utf-8", "surrogatepass")) % self.buckets for word in words]
        embedded = self.weights["embedding.weight"][ids]  # [T, E]
        forward = self._states(embedded, "l0")
        backward = self._states(embedded[::-1], "l0_reverse")[::-1]
        states = np.concatenate([forward, backward], axis=1)  # [T, D]
        return self._head("intent", states.mean(axis=0)), self._head("slots", states)

    def understand(self, sentence: str) -> Understood | None:
        """Return what the tagger takes `sentence` for; None without a word."""
        words = words_of(sentence)
        if not words:
            return None
        intents, tags = self.logits(words)
        shares = np.exp(intents - intents.max())
        best = int(intents.argmax())
        return Understood(
            self.intents[best],
            float(shares[best] / shares.sum()),
            _slots(words, [self.slots[i] for i in tags.argmax(axis=1)]),
        )

    def _states(self, inputs: np.ndarray, end: str) -> np.ndarray:
        """Run one direction of the LSTM over `inputs` [T, E]: its states [T, H]."""
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        w_input, w_state, b_input, b_state = (self.weights[f"lstm.{name}_{end}"] for name in names)
        given = inputs @ w_input.T + (b_input + b_state)  # [T, 4H]
        h = c = np.zeros(w_state.shape[1], dtype=np.float32)
        states = np.empty((len(inputs), len(h)), dtype=np.float32)
        for t, each in enumerate(given):
            i, f, g, o = np.split(each + w_state @ h, 4)  # torch's order: input, forget, cell, output
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            h = _sigmoid(o) * np.tanh(c)
            states[t] = h
        return states

    def _head(self, name: str, states: np.ndarray) -> np.ndarray:
        return states @ self.weights[f"heads.{name}.weight"].T + self.weights[f"heads.{name}.bias"]


def words_of(sentence: str) -> list[str]:
    """Return the words of `sentence` as the corpus writes them: small letters, no punctuation, numbers spelled out.

    Examples
    --------
    >>> words_of("Wake me up at 7, please!")
    ['wake', 'me', 'up', 'at', 'seven', 'please']
    """
    from trustlab.data.phrases import number

    found = re.findall(r"\w+(?:['’]\w+)*", sentence.lower().replace("’", "'"))
    spelled = (number(int(word)).split() if re.fullmatch(r"[0-9]{1,2}", word) else [word] for word in found)
    return [word for words in spelled for word in words][:MOST_WORDS]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))  # the same function, without overflow


def _slots(words: Sequence[str], tags: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Return (name, words) of each slot in BIO tags; an I that continues nothing begins one.

    Examples
    --------
    >>> _slots(["from", "new", "york"], ["O", "B-city", "I-city"])
    (('city', 'new york'),)
    """
    found: list[tuple[str, list[str]]] = []
    last = ""
    for word, tag in zip(words, tags, strict=True):
        prefix, _, name = tag.partition("-")
        if prefix == "I" and name == last:
            found[-1][1].append(word)
        elif prefix in ("B", "I"):
            found.append((name, [word]))
        last = name if prefix in ("B", "I") else ""
    return tuple((name, " ".join(part)) for name, part in found)
