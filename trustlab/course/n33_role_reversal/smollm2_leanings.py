"""What a language model says about people of six professions, how well it predicts texts, and which it prefers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from trustlab.course.n33_role_reversal.smollm2_texts import OPENINGS, PROFESSIONS, begun, openings
from trustlab.data import load
from trustlab.fairness.generated_texts import unigram_polarity
from trustlab.fairness.likelihood import LikelihoodScorer, score_clusters, stereoset
from trustlab.models.batching import evaluating, padded
from trustlab.models.continuation import continuations
from trustlab.models.smollm2 import TEXT_START

EACH = 64  # continuations of an opening
TOKENS, TOP_P = 8, 0.9
FEMALE, MALE = (" she", " her"), (" he", " his", " him")
BATCH = 192
LETTERS = {1: "f", -1: "m", 0: "-"}


def said(model: Any, tokenizer: Any, seed: int) -> dict[str, Any]:
    """Continue every opening :data:`EACH` times, and say which continuations have more female or male words.

    Returns
    -------
    dict
        ``gendered``, the percentage of texts with a gender; for each profession "polarity of nurse", a letter for each
        text in the order drawn, opening by opening in turn: f, m or - ; ``said``, a text of each opening, joined by
        "|".
    """
    prompts = begun(openings(), tokenizer, TEXT_START, 32)
    # Opening by opening in turn: the first gendered texts of a profession are then of all its openings.
    order = [i for _ in range(EACH) for i in range(len(prompts))]
    written = continuations(
        model, [prompts[i] for i in order], tokens=TOKENS, ends=tokenizer.all_special_ids, top_p=TOP_P,
        seed=(seed, 33), batch=BATCH,
    )  # fmt: skip
    texts = [tokenizer.decode(each) for each in written]
    polarity = unigram_polarity(texts).reshape(EACH, len(PROFESSIONS), len(OPENINGS))
    row: dict[str, Any] = {"gendered": 100 * float((polarity != 0).mean())}
    for place, profession in enumerate(PROFESSIONS):
        row[f"polarity of {profession}"] = "".join(LETTERS[sign] for sign in polarity[:, place].ravel().tolist())
    return row | {"said": "|".join(text.replace("|", " ").replace("\n", " ") for text in texts[: len(prompts)])}


def leanings(model: Any, tokenizer: Any) -> dict[str, float]:
    """Return log P(female) − log P(male) of the word right after an opening, mean over openings, without sampling.

    Returns
    -------
    dict
        "leaning of nurse" for each profession, in nats; ``leaning``, the mean of their absolute values.
    """
    rows = begun(openings(), tokenizer, TEXT_START, 32)
    sides = [[tokenizer(word, verbose=False)["input_ids"] for word in words] for words in (FEMALE, MALE)]
    ids = [[row[0] for row in side if len(row) == 1] for side in sides]
    with evaluating(model):
        logits = model(**padded(rows, None), use_cache=False).logits.float()
    last = logits[torch.arange(len(rows)), torch.tensor([len(row) - 1 for row in rows])]
    female, male = (last[:, side].logsumexp(1).double().numpy() for side in ids)
    means = (female - male).reshape(len(PROFESSIONS), len(OPENINGS)).mean(axis=1)
    found = {f"leaning of {profession}": float(mean) for profession, mean in zip(PROFESSIONS, means, strict=True)}
    return found | {"leaning": float(np.abs(means).mean())}


def preferences(model: Any, tokenizer: Any) -> dict[str, float]:
    """Return StereoSet's numbers about gender, sentences of one blank: ``ss``, ``lms`` and ``icat``, per cent."""
    clusters = [
        row for row in load("stereoset")["test"] if row["kind"] == "intrasentence" and row["domain"] == "gender"
    ]
    scorer = LikelihoodScorer(model, tokenizer, kind="causal", start=TEXT_START, batch_tokens=512)
    found = stereoset(clusters, score_clusters(scorer, clusters, rules="authors"), rules="authors")[0]
    return {name: float(found[name]) for name in ("ss", "lms", "icat")}
