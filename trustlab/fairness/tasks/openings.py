"""BOLD: openings of sentences about people, to be continued by a language model."""

from __future__ import annotations

import os

import numpy as np

from trustlab.data import load
from trustlab.fairness.groups import Groups
from trustlab.fairness.tasks.shape import GroupedTexts, Task

DOMAINS = ("gender", "political_ideology", "profession", "race", "religious_ideology")


def bold_task(*, domain: str = "profession", directory: str | os.PathLike[str] | None = None, seed: int = 0) -> Task:
    """Return the openings of one domain of BOLD, in its groups, each with Wikipedia's own continuation.

    An opening has no space at its end, as it has in BOLD's files: a tokenizer that joins the space to the next word
    makes a token of it, after which a language model expects what rarely follows a space there, such as a digit.
    There is no true answer: rate the continuations (:mod:`trustlab.fairness.generated_texts`) and compare groups, with
    Wikipedia's texts (``facts["wikipedia"]``) as the measure of how far apart groups are in what people wrote.

    Parameters
    ----------
    domain
        One of :data:`DOMAINS`.
    directory, seed
        As :func:`trustlab.data.load`; the seed is unused.
    """
    if domain not in DOMAINS:
        raise ValueError(f"Expected domain={domain!r} to be one of {', '.join(map(repr, DOMAINS))}.")
    rows = load("bold", directory=directory)["test"].to_pandas()
    rows = rows[rows["domain"] == domain]
    return Task(
        name="bold",
        question="How is the text continued?",
        known_by="Wikipedia's lists of people, occupations and creeds",
        test=GroupedTexts(
            texts=tuple(rows["prompt"].str.rstrip()),
            groups=Groups.by(rows["group"].tolist()),
            units=np.unique(rows["name"].to_numpy(dtype=str), return_inverse=True)[1],
            facts={name: rows[source].to_numpy() for name, source in (("name", "name"), ("wikipedia", "text"))},
        ),
    )
