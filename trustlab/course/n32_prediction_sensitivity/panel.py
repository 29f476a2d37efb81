"""The panel of notebook 32: which words of the reader's own sentence move the answer, and which model is fairer."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from trustlab.config import option
from trustlab.course.n32_prediction_sensitivity.drawing import MOST_WORDS, SensitivityAnswer, SensitivityDrawing
from trustlab.course.n32_prediction_sensitivity.saved_classifiers import DOSE, models
from trustlab.course.n32_prediction_sensitivity.sensitivity_measures import (
    CLASS_WEIGHTS,
    EVEN,
    NORMS,
    OF,
    TOKEN_WEIGHTS,
    TOLD,
    quietly,
    token_weights,
)
from trustlab.course.n32_prediction_sensitivity.spoken_requests import (
    BIASED,
    BLIND,
    CLASSES,
    PHRASES,
    RECORDERS,
    marked,
    said_by,
)
from trustlab.fairness.sensitivity import counterfactual_change
from trustlab.lab.panel import Panel

SENTENCE = "good day pay the water bill much obliged"
Row = dict[str, Any]


@dataclass(frozen=True)
class SentencePosition:
    """The position of the panel."""

    sentence: str = option(
        SENTENCE, label="Your sentence", help=f"Its first {MOST_WORDS} words are read. Swap a word and look again."
    )
    recorder: str = option(
        BIASED, label="Words of", help="Whose model the words on the left are read by.", values=RECORDERS
    )
    w: str = option("predicted", label="Classes w", help="The predicted class, or all alike.", values=CLASS_WEIGHTS)
    v: str = option(
        TOLD,
        label="Tokens v",
        help="hard: openers and closers; soft: gradients of the status model; |IG|: its attributions; even: all alike.",
        values=TOKEN_WEIGHTS,
    )
    norm: float = option(2, label="Norm", help="Of a token's gradient.", values=NORMS)
    of: str = option("probabilities", label="Of", help="What is differentiated.", values=OF)


def sensitivity_panel() -> Panel:
    """Return the panel.

    Examples
    --------
    >>> panel = sensitivity_panel()
    >>> panel.set(sentence="pay the water bill").numbers["word"].tolist()
    ['pay', 'the', 'water', 'bill']
    """
    return Panel(
        SentencePosition(),
        title="Which words move the answer, and which of two models is fairer?",
        drawing=SensitivityDrawing(),
        answer=_answer,
        controls=dict.fromkeys(("sentence", "recorder", "w", "v", "norm", "of")),
        code="sensitivity_panel()",
    )


@functools.lru_cache(maxsize=64)
def _weights(words: tuple[str, ...]) -> dict[str, np.ndarray]:
    classifiers, status = models()
    return token_weights(classifiers[BIASED], [list(words)], status, marked(words)[None])


@functools.lru_cache(maxsize=512)
def _movement(words: tuple[str, ...], recorder: str, w: str, norm: float, of: str) -> tuple[np.ndarray, np.ndarray]:
    """Return how much each word moves the prediction [T], and the probabilities [K]."""
    classifier = models()[0][recorder]
    weights = _weights(words)[EVEN]
    found = quietly(classifier, [list(words)], class_weights=w, token_weights=weights, norm=norm, of=of)
    return found.movement[0], found.probabilities[0]


@functools.lru_cache(maxsize=256)
def _changed(words: tuple[str, ...], recorder: str, w: str, of: str) -> float:
    """Return the change where another group says it, the mean over the groups whose words it does not have."""
    others = [said_by(words, group) for group in PHRASES]
    others = [each for each in others if each != list(words)]
    if not others:
        return 0.0
    texts = [list(words)] * len(others)
    found = counterfactual_change(models()[0][recorder], texts, counterparts=others, class_weights=w, of=of)
    return float(found.score.mean())


def choices(words: tuple[str, ...], w: str, of: str) -> list[Row]:
    """Return P of both models under every choice of v and norm: a gradient for each norm and model."""
    weights, rows = _weights(words), []
    for norm in NORMS:
        moved = {who: _movement(words, who, w, norm, of)[0] for who in RECORDERS}
        rows += [
            {"v": v, "norm": norm} | {who: float(weights[v][0] @ moved[who]) for who in RECORDERS}
            for v in TOKEN_WEIGHTS
        ]
    return rows


def _answer(at: SentencePosition) -> SensitivityAnswer:
    words = tuple(re.findall(r"[^\W_]+", at.sentence.lower())[:MOST_WORDS])
    provenance = f"computed here, by saved models of records of dose {DOSE:g}, seed 0"
    if not words:
        return SensitivityAnswer([], "Type a sentence.", provenance)
    moved, probabilities = _movement(words, at.recorder, at.w, at.norm, at.of)
    weights = _weights(words)[at.v][0]
    rows = [
        {"word": word, "moves": float(j), "weight": float(v), "share of P": float(j * v)}
        for word, j, v in zip(words, moved, weights, strict=True)
    ]
    found = choices(words, at.w, at.of)
    swapped = tuple(_changed(words, who, at.w, at.of) for who in RECORDERS)
    swap = swapped[RECORDERS.index(at.recorder)]
    verdict = " ".join([
        f"The model of the {at.recorder} recorder hears “{CLASSES[int(probabilities.argmax())]}” "
        f"({probabilities.max():.2f}); P = {float(moved @ weights):.2g}, swap {swap:.2g}.",
        _robust(found, swapped),
    ])  # fmt: skip
    return SensitivityAnswer(rows, verdict, provenance, choices=found, swapped=swapped)


def _robust(found: list[Row], swapped: tuple[float, ...]) -> str:
    """Say under how many choices P calls the biased recorder's model the less fair one, and what the swap says."""
    known = [row for row in found if row[BIASED] > 0 or row[BLIND] > 0]
    less = sum(row[BIASED] > row[BLIND] for row in known)
    swap = "calls neither less fair" if math.isclose(*swapped, abs_tol=1e-9) else (
        f"calls that of the {BIASED if swapped[0] > swapped[1] else BLIND} one less fair"
    )  # fmt: skip
    return (
        f"P calls the biased recorder's model the less fair one under {less} of {len(known)} choices of v and norm; "
        f"the swap {swap}."
    )
