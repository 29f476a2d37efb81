"""Readers of the file formats: each turns verified files into columns for train, validation and test."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from trustlab.data.files import read_json as _json
from trustlab.data.files import read_lines as _lines
from trustlab.data.files import read_text as _text

Columns = dict[str, list]
Splits = dict[str, Columns]

_ANNOTATION = re.compile(r"\[\s*([^\[\]:\s]+)\s*:\s*([^\[\]]*)\]")
_WORD, _SIGN = re.compile(r"[^\W_]+"), re.compile(r"[^\W_]+|[^\w\s]|_")
_MEANING = re.compile(r"([^,\[\]\s][^,\[\]]*?)\s*\[([^\[\]]*)\]")


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

    Out-of-scope requests follow the others in each split, with intent and domain "oos". To train on in-scope intents
    only, filter them out: ``split.filter(lambda row: row["intent"] != "oos")``.
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
            raise ValueError(f"{error} It is in line {number} of {path}.") from None
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


def read_newsgroups(files: Mapping[str, Path], seed: int) -> Splits:
    """Read 20 Newsgroups: ``tokens`` of subject and body, the ``group``, and the ``user`` who sent it, a pseudonym.

    Train and test are the authors' split by date; every tenth training post is validation. `seed` orders the rows,
    which come by group in the file. A token is a run of letters and digits.
    """
    (path,) = files.values()
    lines = _lines(path)
    splits: Splits = {split: {"tokens": [], "group": [], "user": []} for split in ("train", "validation", "test")}
    trained = 0
    for place in np.random.default_rng(seed).permutation(len(lines)).tolist():
        post = json.loads(lines[place])
        trained += post["split"] == "train"
        held_out = post["split"] == "train" and trained % 10 == 0
        columns = splits["validation" if held_out else post["split"]]
        columns["tokens"].append(_WORD.findall(f"{post['subject']} {post['body']}"))
        columns["group"].append(post["group"])
        columns["user"].append(post["user"])
    return splits


def read_conll(files: Mapping[str, Path], seed: int) -> Splits:
    """Read WNUT17: ``tokens`` and BIO ``tags`` of entities; the splits are the authors', `seed` is unused."""
    return {
        name: _conll_split(path) for name, path in zip(("train", "validation", "test"), files.values(), strict=True)
    }


def _conll_split(path: Path) -> Columns:
    columns: Columns = {"tokens": [], "tags": []}
    for block in re.split(r"\n[ \t]*\n", "\n".join(_lines(path)).strip("\n")):
        rows = [line.split("\t") for line in block.split("\n") if line.strip()]
        if not rows or any(len(row) != 2 for row in rows):
            raise ValueError(f"Expected lines of a token, a tab and a tag in {path}, got {block[:60]!r}.")
        columns["tokens"].append([token for token, _ in rows])
        columns["tags"].append([tag.strip() for _, tag in rows])
    return columns


def read_squad(files: Mapping[str, Path], seed: int) -> Splits:
    """Read XQuAD in English: ``context`` and ``question`` in words, ``answer`` (first and last word), ``article``.

    It has no splits, and is small: of each article the last paragraph is test, the one before it validation; `seed` is
    unused. A token is a run of letters and digits or one other sign. An answer that begins or ends within a word is
    the whole words.
    """
    (path,) = files.values()
    names = ("context", "question", "answer", "article")
    splits: Splits = {split: {name: [] for name in names} for split in ("train", "validation", "test")}
    for number, article in enumerate(_json(path)["data"]):
        held_out = dict(zip(range(len(article["paragraphs"]) - 1, 0, -1), ("test", "validation"), strict=False))
        for place, paragraph in enumerate(article["paragraphs"]):
            words = list(_SIGN.finditer(paragraph["context"]))
            for asked in paragraph["qas"]:
                start = asked["answers"][0]["answer_start"]
                end = start + len(asked["answers"][0]["text"])
                inside = [i for i, word in enumerate(words) if word.start() < end and word.end() > start]
                row = ([word.group() for word in words], _SIGN.findall(asked["question"]), [inside[0], inside[-1]])
                for name, value in zip(names, (*row, f"article {number}"), strict=True):
                    splits[held_out.get(place, "train")][name].append(value)
    return splits


def read_e2e(files: Mapping[str, Path], seed: int) -> Splits:
    """Read E2E: the meaning as ``kinds`` and their ``values`` in words, and a sentence that expresses it, ``tokens``.

    The authors' training file is not among those read here. Their development file is divided instead, by the meaning:
    every tenth of those is validation. `seed` orders the training rows, which come by meaning in the file.
    """
    dev, test = (_meanings(path) for path in files.values())
    number = {meaning: i for i, meaning in enumerate(dict.fromkeys(meaning for meaning, _ in dev))}
    order = np.random.default_rng(seed).permutation(len(dev)).tolist()
    return {
        "train": _e2e_columns([dev[i] for i in order if number[dev[i][0]] % 10]),
        "validation": _e2e_columns([row for row in dev if number[row[0]] % 10 == 0]),
        "test": _e2e_columns([test[i] for i in np.random.default_rng(seed).permutation(len(test)).tolist()]),
    }


def _meanings(path: Path) -> list[tuple[str, str]]:
    return [(row["mr"], row["ref"]) for row in csv.DictReader(io.StringIO(_text(path), newline=""))]


def _e2e_columns(rows: list[tuple[str, str]]) -> Columns:
    columns: Columns = {"kinds": [], "values": [], "tokens": []}
    for meaning, sentence in rows:
        pairs = _MEANING.findall(meaning)
        columns["kinds"].append([kind for kind, _ in pairs])
        columns["values"].append([_SIGN.findall(value.lower()) for _, value in pairs])
        columns["tokens"].append(_SIGN.findall(sentence.lower()))
    return columns


def parse_annotation(text: str) -> tuple[list[str], list[str]]:
    """Turn an utterance annotated as ``[slot : value]`` into tokens and BIO slots, two lists of one length.

    Tokens are what white space and the brackets' edges separate: a comma after a bracket is a separate token.

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
    "20newsgroups": read_newsgroups,
    "wnut17": read_conll,
    "xquad": read_squad,
    "e2e_nlg": read_e2e,
}
