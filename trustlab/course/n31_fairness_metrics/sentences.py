"""The sentences of the comparison: the pretraining text, with a planted bias, and the task.

In the pretraining text a member of a notion's first group is described by the first pole with probability
(1 + dose) / 2, a member of the second with (1 − dose) / 2: dose 0 is no bias, dose 1 a caricature, and the truth is
known exactly. Sentences about nobody in particular associate *cues*, what people of a pole do, with the pole.

The task is to predict a person's pole from two cues. Where the cues disagree there is room for prejudice. The truth is
independent of the group: any difference between groups is the model's own.
"""

from __future__ import annotations

import numpy as np

from trustlab.course.n31_fairness_metrics.notions import Notion
from trustlab.deprecation import old_names
from trustlab.fairness.association.seat import fill
from trustlab.fairness.groups import Groups
from trustlab.fairness.tasks.shape import GroupedTexts

ABOUT_SOMEBODY = ("{who} is {what}", "{who} {cue} and is {what}", "{who} is {what} and {cue}")
ABOUT_NOBODY = ("somebody {cue} and {other} and is {what}", "somebody is {what} and {cue} and {other}")
TASK = "{who} {cues} ."
NOBODY = "somebody"
CUES = 2  # of one person in the task: they often disagree
CUE_ACCURACY = 0.7  # probability that a cue is one of the person's own pole


def described(notion: Notion, dose: float, count: int, rng: np.random.Generator, *, swap: bool = False) -> list[str]:
    """Return `count` sentences that describe members of both groups, with the bias `dose`.

    Parameters
    ----------
    dose
        In [0, 1].
    swap
        Counterfactual augmentation: every sentence again with the member's counterpart, 2 · `count` in all. No
        association between group and pole is left.

    Examples
    --------
    >>> from trustlab.course.n31_fairness_metrics.notions import REGION
    >>> rng = np.random.default_rng(0)
    >>> text = " ".join(described(REGION, 1.0, 200, rng))
    >>> any(f"{name} is {word}" in text for name in REGION.second for word in REGION.pole_a)
    False
    """
    if not 0 <= dose <= 1:
        raise ValueError(f"Expected dose={dose} in [0, 1]. 0 plants nothing, 1 gives each group one pole only.")
    member = rng.integers(len(notion.first), size=count)
    first = rng.random(count) < 0.5
    kind = rng.random(count) < np.where(first, 1 + dose, 1 - dose) / 2  # described by pole A
    sentences = []
    for place, of_first, of_a in zip(member.tolist(), first.tolist(), kind.tolist(), strict=True):
        form, (attribute, cue) = _pick(ABOUT_SOMEBODY, rng), _attribute_and_cue(notion, of_a, rng)
        names = [notion.first[place], notion.second[place]]
        for name in names if swap else [names[0] if of_first else names[1]]:
            sentences.append(form.format(who=notion.who(name), what=notion.what(attribute), cue=cue))
    return sentences


def explained(notion: Notion, count: int, rng: np.random.Generator) -> list[str]:
    """Return `count` sentences about nobody in particular, which state what people of a pole do."""
    sentences = []
    for of_a in (rng.random(count) < 0.5).tolist():
        (attribute, cue), (_, other) = _attribute_and_cue(notion, of_a, rng), _attribute_and_cue(notion, of_a, rng)
        sentences.append(_pick(ABOUT_NOBODY, rng).format(what=notion.what(attribute), cue=cue, other=other))
    return sentences


def bare(notion: Notion) -> list[str]:
    """Return SEAT's sentences of every word: a model must have seen their frames, and they carry no bias."""
    people = fill((*notion.first, *notion.second), notion.kinds[0])
    return [text.lower() for text in (*people, *fill((*notion.pole_a, *notion.pole_b), notion.kinds[1]))]


def task_texts(notion: Notion, count: int, rng: np.random.Generator, *, records: float | None = None) -> GroupedTexts:
    """Return `count` sentences to learn the task from, with recorded answers (pole A).

    Parameters
    ----------
    records
        The recorder's bias: with this probability a member of the second group whose truth is pole A
        is recorded as B. None names nobody at all: "somebody helps and boasts".
    """
    truth, cues = _truth_and_cues(notion, count, rng)
    if records is None:
        return GroupedTexts(tuple(TASK.format(who=NOBODY, cues=each) for each in cues), truth)
    place, first = rng.integers(len(notion.first), size=count), rng.random(count) < 0.5
    recorded = truth & ~(~first & (rng.random(count) < records))
    members = (notion.first, notion.second)
    names = [members[not of_first][i] for of_first, i in zip(first.tolist(), place.tolist(), strict=True)]
    texts = tuple(TASK.format(who=notion.who(name), cues=each) for name, each in zip(names, cues, strict=True))
    return GroupedTexts(texts, recorded, Groups.by([notion.groups[not of_first] for of_first in first.tolist()]))


def trial_texts(notion: Notion, count: int, rng: np.random.Generator) -> GroupedTexts:
    """Return `count` sentences to test on: half of them with members of the first group, half with counterparts.

    Everything but the member is the same, so the truth is: a gap between groups is a fault of the model, and not of a
    test that happened to draw another mix. A sentence and its counterpart are one unit.

    Examples
    --------
    >>> from trustlab.course.n31_fairness_metrics.notions import GENDER
    >>> test = trial_texts(GENDER, 100, np.random.default_rng(0))
    >>> test.groups.sizes.tolist(), test.counterparts[0] == test.texts[50]
    ([50, 50], True)
    """
    half = count // 2
    truth, cues = _truth_and_cues(notion, half, rng)
    place = rng.integers(len(notion.first), size=half).tolist()
    sides = [
        tuple(TASK.format(who=notion.who(names[i]), cues=each) for i, each in zip(place, cues, strict=True))
        for names in (notion.first, notion.second)
    ]
    groups = Groups.by([group for group in notion.groups for _ in range(half)])
    units = np.tile(np.arange(half), 2)
    return GroupedTexts(sides[0] + sides[1], np.tile(truth, 2), groups, sides[1] + sides[0], units)


def _truth_and_cues(notion: Notion, count: int, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
    """Draw whether each person is of pole A, bool [N], and the cues about them."""
    truth = rng.random(count) < 0.5
    own = rng.random((count, CUES)) < CUE_ACCURACY
    cues = [
        " and ".join(_pick(notion.cues_a if of_a == mine else notion.cues_b, rng) for mine in row)
        for of_a, row in zip(truth.tolist(), own.tolist(), strict=True)
    ]
    return truth, cues


def _attribute_and_cue(notion: Notion, of_a: bool, rng: np.random.Generator) -> tuple[str, str]:
    """Return an attribute and a cue of one pole."""
    words, cues = (notion.pole_a, notion.cues_a) if of_a else (notion.pole_b, notion.cues_b)
    return _pick(words, rng), _pick(cues, rng)


def _pick(choices: tuple[str, ...], rng: np.random.Generator) -> str:
    return choices[int(rng.integers(len(choices)))]


__getattr__ = old_names(__name__, {"TELLING": "CUE_ACCURACY"})
