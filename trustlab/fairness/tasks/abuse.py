"""Is this abusive? Posts about communities, tweets by inferred dialect, and texts that name an identity."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np

from trustlab.data import load
from trustlab.fairness.groups import Groups
from trustlab.fairness.tasks.dialect import DialectModel
from trustlab.fairness.tasks.shape import GroupedTexts, Task

if TYPE_CHECKING:
    import datasets

Folder = str | os.PathLike[str] | None
NO_COMMUNITY = ("None", "Other")  # what annotators chose when no community they were offered was meant


def hatexplain_task(*, least: int = 10, directory: Folder = None, seed: int = 0) -> Task:
    """Ask of HateXplain's posts what most annotators called offensive or hateful; groups are the communities targeted.

    Test is the authors' validation and test together: both have full annotation, and small groups need every post.
    Tune a model within train. Train has no groups: there they are known for a biased half only.

    Parameters
    ----------
    least
        Communities with fewer abusive or fewer normal posts in test are left out.
    directory, seed
        As :func:`trustlab.data.load`; the seed is unused.
    """
    corpus = load("hatexplain", directory=directory)
    train, validation, test = (_labelled(corpus[split], "normal") for split in ("train", "validation", "test"))
    targets = [row for split in ("validation", "test") for row in corpus[split]["targets"]]
    truth = np.concatenate([validation.truth, test.truth])
    communities = sorted({name for row in targets for name in row} - set(NO_COMMUNITY))
    groups = Groups.overlapping(targets, communities).at_least(least, truth).at_least(least, ~truth)
    return Task(
        name="hatexplain",
        question="Is the post offensive or hateful?",
        known_by="two or more of three annotators named the community as the target",
        test=GroupedTexts(validation.texts + test.texts, truth, groups),
        train=train,
    )


def _labelled(rows: datasets.Dataset, harmless: str) -> GroupedTexts:
    return GroupedTexts(tuple(rows["text"][:]), np.array(rows["label"][:]) != harmless)


def davidson_task(*, directory: Folder = None, seed: int = 0) -> Task:
    """Ask whether a tweet is offensive or hateful; groups are the dialects that its words make likeliest.

    Only dialects that the model's authors validated are groups; other tweets are background. The labels are themselves
    suspect: annotators who do not know a dialect mistake it for abuse, so a model equal to its labels is not fair.

    Parameters
    ----------
    directory, seed
        As :func:`trustlab.data.load`; the seed draws train and test.
    """
    corpus = load("davidson_hate", directory=directory, seed=seed)
    model = DialectModel.load(directory)
    test = _labelled(corpus["test"], "neither")
    posterior = model.posterior(test.texts)
    likeliest = np.where(np.isnan(posterior[:, 0]), -1, np.nan_to_num(posterior).argmax(axis=1))
    groups = Groups(("African American English", "white-aligned English"), likeliest[:, None] == [0, 3])
    return Task(
        name="davidson",
        question="Is the tweet offensive or hateful?",
        known_by="the likeliest of four dialects by a model of word counts (Blodgett et al. 2016)",
        test=GroupedTexts(test.texts, test.truth, groups, facts={"posterior": posterior}),
        train=_labelled(corpus["train"], "neither"),
    )


def identity_task(*, directory: Folder = None, seed: int = 0) -> Task:
    """Fill every frame of Dixon et al. (2018) with each of fifty identity terms; half of the frames are toxic.

    Every group has the same frames, so any difference between groups is the model's. The frame is the unit: fifty
    fillings are one piece of evidence about the words around the term.
    """
    rows = load("unintended_bias", directory=directory)["test"].to_pandas()
    rows = rows[(rows["set"] == "madlibs") & (rows["identities"].str.len() == 1)]
    return Task(
        name="identity_terms",
        question="Is the text toxic?",
        known_by="the template was filled with the term",
        test=GroupedTexts(
            texts=tuple(rows["text"]),
            truth=rows["toxic"].to_numpy(dtype=bool),
            groups=Groups.by(rows["identities"].str[0].tolist()),
            units=np.unique(rows["frame"].to_numpy(dtype=str), return_inverse=True)[1],
        ),
    )


def comments_task(*, least: int = 10, directory: Folder = None, seed: int = 0) -> Task:
    """Pair real comments with the same comments whose identity terms were exchanged (Dixon et al. 2018).

    Groups are the terms that a comment names, out of the fifty of the templates; a comment may name several. Terms in
    fewer than `least` comments are left out. Exchanging an identity does not change whether a comment is toxic.
    """
    rows = load("unintended_bias", directory=directory)["test"].to_pandas()
    rows = rows[(rows["set"] == "comments") & (rows["text"] != rows["counterpart"])]
    return Task(
        name="identity_comments",
        question="Is the comment toxic?",
        known_by="the comment names the term, in any meaning",
        test=GroupedTexts(
            texts=tuple(rows["text"]),
            truth=rows["toxic"].to_numpy(dtype=bool),
            groups=Groups.overlapping(rows["identities"].tolist()).at_least(least),
            counterparts=tuple(rows["counterpart"]),
        ),
    )
