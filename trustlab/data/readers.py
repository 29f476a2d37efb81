"""Readers of the file formats: each turns verified files into columns for train, validation and test."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from trustlab.data.files import read_json as _json
from trustlab.data.files import read_lines as _lines

Columns = dict[str, list]
Splits = dict[str, Columns]

_ANNOTATION = re.compile(r"\[\s*([^\[\]:\s]+)\s*:\s*([^\[\]]*)\]")


def read_slot_gated(files: Mapping[str, Path], seed: int) -> Splits:
    """Read SNIPS or ATIS: three files a split, one utterance a line; the splits are the authors', `seed` is unused.

    ATIS labels of several intents stay one label, joined by ``#`` as in the file.
    """
    return {name: _slot_gated_split(files, folder) for name, folder in _FOLDERS.items()}


_FOLDERS = {"train": "train", "validation": "valid", "test": "test"}


def _slot_gated_split(files: Mapping[str, Path], folder: str) -> Columns:
    words, tags, labels = (_lines(files[f"{folder}/{kind}"]) for kind in ("seq.in", "seq.out", "label"))
    if not len(words) == len(tags) == len(labels):
        raise ValueError(
            f"Expected as many lines in seq.in, seq.out and label of {files[f'{folder}/seq.in'].parent}, "
            f"got {len(words)}, {len(tags)} and {len(labels)}. One of them is cut short; replace it."
        )
    columns: Columns = {"tokens": [], "slots": [], "intent": []}
    for number, (line, line_tags, label) in enumerate(zip(words, tags, labels, strict=True), start=1):
        tokens, slots = line.split(), line_tags.split()
        if len(tokens) != len(slots):
            raise ValueError(
                f"Expected one slot tag for each token in line {number} of {files[f'{folder}/seq.in']}, "
                f"got {len(tokens)} tokens and {len(slots)} tags. Words and tags no longer belong together."
            )
        columns["tokens"].append(tokens)
        columns["slots"].append(slots)
        columns["intent"].append(label.strip())
    return columns


def read_clinc(files: Mapping[str, Path], seed: int) -> Splits:
    """Read CLINC150: intents and their domains, no slots (all tags are "O"); `seed` is unused.

    Out-of-scope requests follow the others in each split, with intent and domain "oos". Whoever trains on in-scope
    intents only filters them out: ``split.filter(lambda row: row["intent"] != "oos")``.
    """
    domain_of = {intent: domain for domain, intents in _json(files["domains.json"]).items() for intent in intents}
    domain_of["oos"] = "oos"
    data = _json(files["data_full.json"])
    splits = {}
    for name, key in (("train", "train"), ("validation", "val"), ("test", "test")):
        rows = data[key] + data[f"oos_{key}"]
        tokens = [text.split() for text, _ in rows]
        splits[name] = {
            "tokens": tokens,
            "slots": [["O"] * len(words) for words in tokens],
            "intent": [intent for _, intent in rows],
            "domain": [domain_of[intent] for _, intent in rows],
        }
    return splits


def read_hwu(files: Mapping[str, Path], seed: int) -> Splits:
    """Read HWU64: ten folds; fold ``1 + seed % 10`` is the test set, the fold after it the validation set.

    Intent is ``scenario_intent``, domain is the scenario, ``fold`` is kept as a column.
    """
    (path,) = files.values()
    test = 1 + seed % 10
    split_of = {str(test): "test", str(1 + test % 10): "validation"}
    names = ("tokens", "slots", "intent", "domain", "fold")
    splits: Splits = {split: {name: [] for name in names} for split in ("train", "validation", "test")}
    header, *lines = _lines(path)
    columns = {name: position for position, name in enumerate(header.split("\t"))}
    for number, line in enumerate(lines, start=2):
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise ValueError(f"Expected {len(columns)} cells in line {number} of {path}, got {len(cells)}.")
        fold, scenario, intent, annotation = (
            cells[columns[name]] for name in ("test_fold", "scenario", "intent", "answer_annotation")
        )
        try:
            tokens, slots = parse_annotation(annotation)
        except ValueError as error:
            raise ValueError(f"{error} It stands in line {number} of {path}.") from None
        row = (tokens, slots, f"{scenario}_{intent}", scenario, int(fold))
        for name, value in zip(names, row, strict=True):
            splits[split_of.get(fold, "train")][name].append(value)
    return splits


def read_shakespeare(files: Mapping[str, Path], seed: int) -> Splits:
    """Read the plays: a row per line of verse or prose, ``text``, ``role`` (play and name: a device) and ``play``.

    A random tenth of all lines is the test set and another one the validation set, drawn from `seed` without regard to
    role: a role of few lines is tested as often, line for line, as Hamlet. Rows stay in the order of the plays.
    """
    (path,) = files.values()
    header, *lines = _lines(path)
    rows = [dict(zip(header.split("\t"), line.split("\t"), strict=True)) for line in lines]
    columns = {
        "text": [row["text"] for row in rows],
        "role": [f"{row['play']}: {row['role']}" for row in rows],
        "play": [row["play"] for row in rows],
    }
    held_out = len(rows) // 10
    places = np.random.default_rng(seed).permutation(len(rows))
    parts = np.split(places, [held_out, 2 * held_out])
    return {
        split: {name: [column[i] for i in sorted(part.tolist())] for name, column in columns.items()}
        for split, part in zip(("test", "validation", "train"), parts, strict=True)
    }


def parse_annotation(text: str) -> tuple[list[str], list[str]]:
    """Turn an utterance annotated as ``[slot : value]`` into tokens and BIO slots, two lists of one length.

    Tokens are what white space and the brackets' edges separate: a comma behind a bracket is a token of its own.

    Raises
    ------
    ValueError
        If a bracket is not of that form or holds no word.

    Examples
    --------
    >>> parse_annotation("wake me [date : next friday] please")
    (['wake', 'me', 'next', 'friday', 'please'], ['O', 'O', 'B-date', 'I-date', 'O'])
    """
    tokens: list[str] = []
    slots: list[str] = []
    # Splitting at the annotations yields plain text, slot, value, plain text, slot, value, ..., plain text.
    plain, *rest = _ANNOTATION.split(text)
    for slot, value, after in [("", "", plain), *zip(rest[::3], rest[1::3], rest[2::3], strict=True)]:
        words, others = value.split(), after.split()
        if (slot and not words) or "[" in after or "]" in after:
            raise ValueError(f"Expected slots as [slot : value] in {text!r}. A bracket is empty, nested or unclosed.")
        tokens += words + others
        slots += [f"{'I' if position else 'B'}-{slot}" for position in range(len(words))] + ["O"] * len(others)
    return tokens, slots


READERS: dict[str, Callable[[Mapping[str, Path], int], Splits]] = {
    "snips": read_slot_gated,
    "atis": read_slot_gated,
    "clinc150": read_clinc,
    "hwu64": read_hwu,
    "shakespeare_roles": read_shakespeare,
}
