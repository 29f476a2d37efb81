"""Readers of the labelled texts that fairness is measured on, and of the dialect model for tweets."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from trustlab.data.files import read_lines, read_text

Columns = dict[str, list]
Splits = dict[str, Columns]

DIALECTS = ("african_american", "hispanic", "asian", "white")  # order of the count table's columns


def read_hatexplain(files: Mapping[str, Path], seed: int) -> Splits:
    """Read HateXplain in the authors' splits; posts whose three labels all differ are left out, as they do.

    Columns: ``text`` (lower case, without punctuation), ``label`` (majority: "normal", "offensive", "hatespeech"),
    ``labels`` (three), ``platform``, ``annotated`` (whether all annotation is known: in validation and test only),
    ``targets`` (groups that two or more of three annotators named, "None" among them; empty where not annotated),
    ``tokens`` and ``rationale`` (for each token the share of annotators who marked it, among those who marked any;
    empty where none did). `seed` is unused.
    """
    (path,) = files.values()
    name_of = {"train": "train", "val": "validation", "test": "test"}
    rows: dict[str, list[dict[str, Any]]] = {name: [] for name in name_of.values()}
    for line in read_lines(path):
        post = json.loads(line)
        if post["split"] in name_of:
            rows[name_of[post["split"]]].append(_hatexplain_row(post))
    return {name: _columns(each) for name, each in rows.items()}


def _hatexplain_row(post: Mapping[str, Any]) -> dict[str, Any]:
    named = Counter(target for annotator in post.get("targets", []) for target in set(annotator))
    marks = [marked for marked in post.get("rationales", []) if any(marked)]
    return {
        "text": post["text_norm"],
        "label": post["label"],
        "labels": post["labels"],
        "platform": post["platform"],
        "annotated": post["detail"] == "full",
        "targets": sorted(target for target, count in named.items() if count >= 2),
        "tokens": post.get("tokens", []) if post["detail"] == "full" else [],
        "rationale": [sum(marked) / len(marks) for marked in zip(*marks, strict=True)],
    }


def read_davidson(files: Mapping[str, Path], seed: int) -> Splits:
    """Read Davidson's tweets: ``text``, ``label`` ("hate", "offensive", "neither") and three counts of ``votes``.

    The authors gave no splits: a random tenth is test and another one validation, drawn from `seed`.
    """
    (path,) = files.values()
    kinds = {"hate": "hate_speech", "offensive": "offensive_language", "neither": "neither"}
    rows = [
        {
            "text": tweet["tweet"],
            "label": list(kinds)[int(tweet["class"])],
            "votes": [int(tweet[column]) for column in kinds.values()],
        }
        for tweet in _csv(path)
    ]
    held_out = len(rows) // 10
    parts = np.split(np.random.default_rng(seed).permutation(len(rows)), [held_out, 2 * held_out])
    names = ("test", "validation", "train")
    return {name: _columns([rows[i] for i in sorted(part.tolist())]) for name, part in zip(names, parts, strict=True)}


def read_dialect_model(files: Mapping[str, Path], seed: int) -> Splits:
    """Read Blodgett's counts: ``word`` and its expected count in each dialect (:data:`DIALECTS`). `seed` is unused.

    Only the African American and the white column were validated by the authors.
    """
    words = [line.split("\t", 1)[1] for line in read_lines(files["model_vocab.txt"])]
    counts = [list(map(float, line.split())) for line in read_lines(files["model_count_table.txt"])]
    if len(words) != len(counts) or any(len(row) != len(DIALECTS) for row in counts):
        raise ValueError(
            f"Expected {len(DIALECTS)} counts for each of {len(words)} words, got {len(counts)} rows or another width. "
            "The two files belong to different versions; fetch both again."
        )
    columns = dict(zip(DIALECTS, map(list, zip(*counts, strict=True)), strict=True))
    return {"test": {"word": words} | columns}


def read_unintended_bias(files: Mapping[str, Path], seed: int) -> Splits:
    """Read the unintended-bias sets of Dixon et al. (2018): ``set``, ``text``, ``toxic``, and what their groups need.

    ``set`` is "madlibs" (filled templates) or "comments" (real ones from Wikipedia), ``identities`` the identity terms
    that the text names: one in a madlib, or none. Of a madlib there are ``frame`` (its text with ``*`` for the term:
    one frame for all fifty) and ``template``; of a comment ``counterpart``, the comment with identity terms exchanged
    (the same text where none was found). `seed` is unused.
    """
    terms = [line.strip() for line in read_lines(files["madlibs_words/adjectives_people.txt"]) if line.strip()]
    longest_first = sorted(terms, key=len, reverse=True)  # "african american" is not "african" nor "american"
    named = re.compile(rf"\b({'|'.join(map(re.escape, longest_first))})\b", re.IGNORECASE)
    rows = []
    for madlib in _csv(files["bias_madlibs_77k.csv"]):
        row = {"set": "madlibs", "text": madlib["Text"], "toxic": madlib["Label"] == "BAD", "counterpart": ""}
        rows.append(row | {"frame": named.sub("*", madlib["Text"]), "template": madlib["Template"]})
    pairs = zip(_csv(files["toxicity_nonfuzzed_testset.csv"]), _csv(files["toxicity_fuzzed_testset.csv"]), strict=True)
    for original, exchanged in pairs:
        if original["rev_id"] != exchanged["rev_id"]:
            raise ValueError("Expected the comments and those with exchanged terms in one order. Fetch both again.")
        row = {"set": "comments", "text": original["comment"], "toxic": original["toxic"] == "True"}
        rows.append(row | {"counterpart": exchanged["comment"], "frame": "", "template": ""})
    for row in rows:
        row["identities"] = sorted({term.lower() for term in named.findall(row["text"])})
    return {"test": _columns(rows)}


def read_cad_imdb(files: Mapping[str, Path], seed: int) -> Splits:
    """Read reviews and their counterfactuals: ``text``, ``label`` ("Positive", "Negative") and the ``pair`` they share.

    The splits are the authors', `seed` is unused.
    """
    return {
        split: _columns([
            {"text": row["Text"], "label": row["Sentiment"], "pair": int(row["batch_id"])}
            for row in _csv(files[f"{name}_paired.tsv"], delimiter="\t")
        ])
        for split, name in (("train", "train"), ("validation", "dev"), ("test", "test"))
    }  # fmt: skip


def _csv(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(read_text(path), newline=""), delimiter=delimiter))


def _columns(rows: list[dict[str, Any]]) -> Columns:
    return {name: [row[name] for row in rows] for name in rows[0]}


LABELLED_READERS: dict[str, Callable[[Mapping[str, Path], int], Splits]] = {
    "hatexplain": read_hatexplain,
    "davidson_hate": read_davidson,
    "twitter_aae_model": read_dialect_model,
    "unintended_bias": read_unintended_bias,
    "cad_imdb": read_cad_imdb,
}
